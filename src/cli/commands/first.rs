//! The first-run screen as lines: what `dicast` shows where there is no terminal.
//!
//! Pure: it must not look at anything.

use super::super::check::summary;
use super::super::out::table;
use super::agents::list;
use crate::domain::machine::{Access, Machine, Program, Sight};
use crate::domain::overview::{Overview, SpecOverview};
use crate::domain::settings::Trust;

/// Most findings shown of one spec: the rest is one command away.
const SHOWN: usize = 3;

/// Writes what was found in a repository, what the rules say, and what can be done next.
pub(super) fn text(overview: &Overview, panel: &[String], machine: &Machine, trust: &Trust) -> String {
    let branch = overview.git.as_ref().and_then(|git| git.branch.clone());
    let at = branch.map(|branch| format!(" ⎇ {branch}")).unwrap_or_default();
    let mut out = format!("{}{at} · nothing sent, nothing written\n\nFound\n", overview.name);
    out.push_str(&table(&found(overview, panel, machine, trust)));
    let seconds = format!("{}.{} s", overview.took_ms / 1_000, overview.took_ms % 1_000 / 100);
    out.push_str(&format!("\nChecked just now, by rules, {seconds}\n"));
    if overview.specs.is_empty() {
        out.push_str("  no specs here: write one as specs/001-name/spec.md\n");
    }
    overview.specs.iter().for_each(|spec| checked(spec, &mut out));
    out.push_str("\nNext\n");
    out.push_str(&table(&next(overview, panel)));
    out
}

fn found(overview: &Overview, panel: &[String], machine: &Machine, trust: &Trust) -> Vec<Vec<String>> {
    let list = |items: &[String]| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
    let on_path: Vec<String> = machine.programs.iter().map(program).collect();
    let checks: Vec<String> =
        overview.checks.iter().map(|(name, argv)| format!("{name} ({})", argv.join(" "))).collect();
    let approved = match (checks.is_empty(), trust.is_granted()) {
        (true, _) | (_, true) => "",
        (false, false) => ", not approved: they do not run",
    };
    let mut rows = vec![
        vec!["  specs".to_owned(), overview.specs.len().to_string()],
        vec!["  agents".to_owned(), format!("configured: {}; on PATH: {}", list(panel), list(&on_path))],
        vec![
            "  models".to_owned(),
            match models(machine).as_slice() {
                [] => "no server of models answers on this machine".to_owned(),
                servers => servers.join("; "),
            },
        ],
        vec!["  checks".to_owned(), format!("{}{approved}", list(&checks))],
        vec!["  context".to_owned(), list(&overview.context)],
    ];
    if panel.is_empty() {
        rows.insert(2, vec![String::new(), voices(machine)]);
    }
    if !overview.hooks.is_empty() {
        rows.push(vec![
            "  hooks".to_owned(),
            format!("{} (of agent programs; dicast starts them without)", list(&overview.hooks)),
        ]);
    }
    rows
}

fn program(program: &Program) -> String {
    let access = match &program.access {
        Access::SignedIn(_) => "signed in",
        Access::NoSign(_) => "not signed in",
        Access::NoPreset => "no preset",
    };
    format!("{} ({access})", program.name)
}

/// The servers that answered, with what they serve.
fn models(machine: &Machine) -> Vec<String> {
    let said = machine.servers.iter().filter_map(|server| match &server.models {
        Sight::Seen(models) => Some(format!("{} serves {}", server.name, list(models))),
        Sight::Looking | Sight::Unseen(_) => None,
    });
    said.collect()
}

/// Says what a panel of what stands here could do, and what would make it a better one.
fn voices(machine: &Machine) -> String {
    let said = match machine.families().len() {
        0 => "nobody to ask yet; `dicast check` needs nobody".to_owned(),
        1 => "one voice: the host checks what it says, but nobody can differ from it".to_owned(),
        2 => "2 families: they can agree or differ, a third would break ties".to_owned(),
        n => format!("{n} families, one vote each"),
    };
    machine.missing().map_or(said.clone(), |next| format!("{said}; next: {next}"))
}

fn checked(spec: &SpecOverview, out: &mut String) {
    out.push_str(&format!("  {}  {}\n", spec.spec.id, summary(&spec.survey)));
    for finding in spec.findings.iter().take(SHOWN) {
        let place = format!("{}:{}", finding.place.file, finding.place.line);
        out.push_str(&format!("    {:<8} {}  ({place})\n", finding.severity.word(), finding.message));
    }
    if let Some(more) = spec.findings.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        out.push_str(&format!("    … {more} more\n"));
    }
}

fn next(overview: &Overview, panel: &[String]) -> Vec<Vec<String>> {
    let row = |command: String, what: &str| vec![format!("  {command}"), what.to_owned()];
    let mut rows = Vec::new();
    let troubled = || overview.specs.iter().find(|spec| !spec.findings.is_empty()).or(overview.specs.first());
    let spec = overview.branch_spec().or_else(|| troubled().map(|spec| &spec.spec.id));
    if let Some(spec) = spec {
        rows.push(row(format!("dicast check {spec}"), "every finding, with what would clear it"));
        match panel.is_empty() {
            true => rows.push(row("dicast init".to_owned(), "write a config: who is on the panel")),
            false => rows.push(row(format!("dicast plan {spec}"), "ask the panel how it will be met")),
        }
    }
    rows.push(row("dicast demo".to_owned(), "the whole thing on a sample, with scripted agents"));
    rows.push(row("dicast doctor".to_owned(), "what was found, what is missing, what to do"));
    rows
}
