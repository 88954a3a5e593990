//! How much of what is wrong `check` finds: sound projects are broken one change at a time, and each change says itself
//! what must be found.
//!
//! It must not know where the sample comes from (its tree is handed in), nor how the table is shown on a terminal.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::check::{Report, Rule, Severity, Tree, check, read};
use kinds::{KINDS, Kind, Mutant};
use projects::{Language, Project, generate, sample};

mod kinds;
mod projects;
mod text;

/// Seeds of the generated projects: each is written in every language.
const SEEDS: [u64; 4] = [3, 1_009, 20_011, 777_767];

/// What was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// The shape of the JSON.
    pub schema: &'static str,
    /// How many projects were broken, the sample among them.
    pub projects: u32,
    /// Generated projects in which anything worse than a remark was found before they were broken.
    pub unsound: u32,
    /// One row for each kind of change.
    pub rows: Vec<Row>,
}

/// What was measured of one kind of change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What was changed.
    pub change: &'static str,
    /// The rules that must find it; empty where nothing may be found.
    pub expects: &'static str,
    /// How many such changes were made.
    pub mutants: u32,
    /// How many of them were found.
    pub found: u32,
    /// How many brought an error or warning about something else.
    pub alarms: u32,
}

/// Breaks the sample and the generated projects in every way.
pub fn run(sample_tree: Tree) -> Table {
    let generated = [Language::Rust, Language::Python, Language::JavaScript]
        .into_iter()
        .flat_map(|language| SEEDS.map(|seed| generate(language, seed)));
    let projects: Vec<(Project, Findings)> = std::iter::once(sample(sample_tree))
        .chain(generated)
        .map(|project| {
            let before = findings(&check(&read(&project.tree), &project.tree, None, None));
            (project, before)
        })
        .collect();
    let is_unsound = |(_, before): &&(Project, Findings)| before.iter().any(|f| f.2 != Severity::Info);
    Table {
        schema: "dicast.bench-check/1",
        projects: count(projects.len()),
        unsound: count(projects.iter().skip(1).filter(is_unsound).count()),
        rows: KINDS.iter().map(|kind| measure(kind, &projects)).collect(),
    }
}

/// Findings by rule, what they are about, how grave, and the spec.
type Findings = BTreeSet<(Rule, String, Severity, String)>;

fn findings(report: &Report) -> Findings {
    let spec = |f: &super::super::check::Finding| f.spec.as_ref().map(ToString::to_string).unwrap_or_default();
    report.findings.iter().map(|f| (f.rule, f.about.clone(), f.severity, spec(f))).collect()
}

fn measure(kind: &Kind, projects: &[(Project, Findings)]) -> Row {
    let mut row = Row { change: kind.name, expects: kind.expects, mutants: 0, found: 0, alarms: 0 };
    for (project, before) in projects {
        for mutant in (kind.make)(project) {
            let (is_found, is_alarm) = judge(&mutant, before);
            row.mutants += 1;
            row.found += u32::from(is_found);
            row.alarms += u32::from(is_alarm);
        }
    }
    row
}

fn judge(mutant: &Mutant, before: &Findings) -> (bool, bool) {
    let report = check(&read(&mutant.tree), &mutant.tree, None, mutant.hunks.as_deref());
    let after = findings(&report);
    let new: Vec<_> = after.difference(before).collect();
    let is_found =
        mutant.expected.iter().all(|(rules, about)| new.iter().any(|n| rules.contains(&n.0) && n.1 == *about));
    let is_other = |n: &&&(Rule, String, Severity, String)| n.2 != Severity::Info && !mutant.touched.contains(&n.1);
    (is_found, new.iter().any(|n| is_other(&n)))
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

impl Table {
    /// Returns how many of the changes that must be found were, and how many there are.
    pub fn recall(&self) -> (u32, u32) {
        self.rows
            .iter()
            .filter(|row| !row.expects.is_empty())
            .fold((0, 0), |(found, all), row| (found + row.found, all + row.mutants))
    }

    /// Returns how many changes brought a false alarm, of how many.
    pub fn alarms(&self) -> (u32, u32) {
        self.rows.iter().fold((0, 0), |(alarms, all), row| (alarms + row.alarms, all + row.mutants))
    }

    /// Writes the table in Markdown.
    pub fn text(&self) -> String {
        let mut out =
            String::from("| change | must be found as | mutants | found | false alarms |\n|---|---|--:|--:|--:|\n");
        for row in &self.rows {
            let rules: Vec<String> =
                row.expects.split(" or ").filter(|r| !r.is_empty()).map(|rule| format!("`{rule}`")).collect();
            let (expects, found) = match rules.is_empty() {
                true => ("nothing".to_owned(), "–".to_owned()),
                false => (rules.join(" or "), row.found.to_string()),
            };
            out.push_str(&format!("| {} | {expects} | {} | {found} | {} |\n", row.change, row.mutants, row.alarms));
        }
        let share = |(part, all): (u32, u32)| format!("{part} of {all} ({})", percent(part, all));
        out.push_str(&format!(
            "\nRecall: {}. False alarms: {}. {} projects, {} of the generated ones not sound before.\n",
            share(self.recall()),
            share(self.alarms()),
            self.projects,
            self.unsound
        ));
        out
    }
}

/// Writes a share with one digit, rounded down.
fn percent(part: u32, all: u32) -> String {
    let permille = u64::from(part) * 1_000 / u64::from(all.max(1));
    format!("{}.{} %", permille / 10, permille % 10)
}
