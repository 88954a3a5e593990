//! The first screen: what was found, what rules say about it, what the panel could be asked.
//!
//! ```text
//!  payments-api ⎇ main                                nothing sent, nothing written
//! ┌Found ────────────────────────────────────────────────────────────────────────┐
//! ├Checked just now, by rules, 0.2 s ──────────────────────────────── Enter opens ┤
//! ├Ask the panel ────────────────────────────────────────────────────────────────┤
//! └──────────────────────────────────────────────────────────────────────────────┘
//! ```

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{dashboard, header, machine, spinner, verdict};
use crate::app::model::{Load, Model};
use crate::app::update::{HomeRow, can_init, home_rows};
use crate::domain::check::{Finding, Severity, Tally};
use crate::domain::consensus::Call;
use crate::domain::ids::SpecId;
use crate::domain::judgement::Judgement;
use crate::domain::moment::clock;
use crate::domain::overview::{Overview, SpecOverview};
use crate::domain::safe::Safe;
use crate::domain::spec::Layout;
use crate::domain::stage::Stage;

/// Findings shown below the selected spec, however long the list is.
const FINDINGS: usize = 3;

/// Draws the first screen.
pub(super) fn draw(model: &Model, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    head(model, nth(area, 0), canvas);
    let body = below(area, 1);
    match &model.survey {
        Load::Loading(since) => {
            let waits = clock(model.now.since(*since));
            let text = format!(" reading specs, code and history {waits} · nothing waits for it · q quit");
            canvas.pieces(padded(nth(body, 1)), &[piece(spinner::frame(model), Ink::Accent), plain(text)]);
        }
        Load::Failed(failure) => {
            let lines = dashboard::failed(failure, area);
            for (at, line) in lines.iter().enumerate() {
                canvas.pieces(padded(nth(body, 1 + at)), line);
            }
            canvas
                .pieces(padded(nth(body, 2 + lines.len())), &[piece("c", Ink::Accent), plain(" read and check again")]);
        }
        Load::Ready(overview) => found(model, overview, cursor, body, canvas),
    }
}

fn head(model: &Model, row: Rect, canvas: &mut Canvas<'_>) {
    let mut left = header::trail(model, []);
    let git = model.survey.ready().and_then(|overview| overview.git.as_ref());
    if let Some(branch) = git.and_then(|git| git.branch.as_ref()) {
        left.push(dim(format!(" · {}", Safe::line(branch))));
    }
    if let Some(git) = git.filter(|git| git.dirty > 0) {
        left.push(dim(format!(" +{}", git.dirty)));
    }
    let live: Vec<_> = model.runs.values().filter(|run| run.phase.is_under_way()).collect();
    let right = match live.as_slice() {
        [] if model.runs.is_empty() => vec![dim("nothing sent, nothing written")],
        [] => vec![dim(text::count(model.runs.len(), "run") + " in this session")],
        [run, ..] => {
            let mut pieces = vec![plain(format!("{} {} ", run.spec, run.stage))];
            pieces.extend(header::phase(model, run, row.width));
            pieces
        }
    };
    header::line(row, &left, &right, canvas);
}

fn found(model: &Model, overview: &Overview, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let rows = home_rows(model);
    let specs = overview.specs.len();
    let steps: Vec<(Stage, &SpecId)> = rows
        .iter()
        .filter_map(|row| match row {
            HomeRow::Step(stage, spec) => Some((*stage, spec)),
            HomeRow::Spec(_) => None,
        })
        .collect();
    let facts = facts(model, overview, usize::from(area.width).saturating_sub(13));
    let is_error = |finding: &&Finding| finding.severity == Severity::Error;
    let of = |(n, spec): (usize, &SpecOverview)| {
        if n == cursor { spec.findings.len() } else { spec.findings.iter().filter(is_error).count() }
    };
    let findings: usize = overview.specs.iter().enumerate().map(of).sum();
    let checked = Want { least: 3, best: specs.max(1) + findings + 1 };
    let asked = Want { least: 2, best: steps.len().clamp(1, 6) };
    let is_short = area.height < 16;
    let facts_least = if is_short { 0 } else { facts.len() };
    let order = [checked, asked, Want { least: facts_least, best: facts.len() }];
    let heights = share(area.height, &order, 0);
    let seconds = overview.took_ms;
    let took = format!("Checked just now, by rules, {}.{} s", seconds / 1_000, seconds / 100 % 10);
    let unread = overview.report.findings.iter().filter(|f| f.spec.is_none()).count();
    let checked_note =
        if unread > 0 { text::count(unread, "finding") + " beside specs" } else { "Enter opens".to_owned() };
    let stack = [
        Pane { title: vec![strong("Found")], rows: heights[2], ..Pane::default() },
        Pane { title: vec![strong(took)], note: vec![dim(checked_note)], rows: heights[0] },
        Pane { title: vec![strong("Ask the panel")], note: vec![dim(terms(model))], rows: heights[1] },
    ];
    let places = canvas.stack(area, &stack);
    let [facts_area, list, ask] = places.as_slice() else { return };
    for (at, (name, line)) in facts.iter().enumerate().take(usize::from(facts_area.height)) {
        let mut pieces = vec![dim(format!("{name:<9}"))];
        pieces.extend(line.iter().cloned());
        canvas.pieces(padded(nth(*facts_area, at)), &pieces);
    }
    if overview.specs.is_empty() {
        nothing(padded(*list), canvas);
    } else {
        specs_list(model, overview, cursor, *list, canvas);
    }
    let near = overview.specs.get(cursor).map(|found| &found.spec.id);
    let near = near.and_then(|id| steps.iter().position(|(_, spec)| *spec == id));
    asks(model, &steps, (cursor.checked_sub(specs), near), *ask, canvas);
}

fn nothing(area: Rect, canvas: &mut Canvas<'_>) {
    canvas.pieces(nth(area, 0), &[plain("no spec was found")]);
    canvas.pieces(nth(area, 1), &[dim("write one as specs/001-name/spec.md or docs/ID-name/PRD.md, then press c")]);
    canvas.pieces(nth(area, 2), &[dim("`dicast demo` shows everything on a repository of its own")]);
}

/// Returns what was found, one line each.
fn facts<'m>(model: &'m Model, overview: &'m Overview, room: usize) -> Vec<(&'static str, Vec<Piece<'m>>)> {
    let mut lines = Vec::new();
    let layout = |wanted| overview.specs.iter().any(|found| found.spec.layout == wanted);
    let layouts = match (layout(Layout::SpecKit), layout(Layout::Seed), layout(Layout::OpenSpec)) {
        (true, true, false) => " (specs/ and docs/)",
        (true, false, false) => " (github/spec-kit layout)",
        (false, true, false) => " (docs layout)",
        (false, false, true) => " (OpenSpec layout)",
        (true | false, true | false, true) => " (several layouts)",
        (false, false, false) => "",
    };
    lines.push(("specs", vec![plain(format!("{}{layouts}", overview.specs.len()))]));
    lines.extend(if model.is_first_run() { machine::facts(model, room) } else { agents(model) });
    let checks: BTreeSet<&String> = model.settings.checks.keys().chain(overview.checks.keys()).collect();
    let names: Vec<String> = checks.into_iter().map(|name| Safe::line(name).to_string()).collect();
    let mut line =
        vec![plain(if names.is_empty() { "none found in the build files".to_owned() } else { names.join(", ") })];
    if !model.trust.is_granted() {
        line.extend([plain("   "), piece("a", Ink::Accent), piece(" look at what would run, then approve", Ink::Warn)]);
    }
    lines.push(("checks", line));
    if !overview.hooks.is_empty() {
        let hooks: Vec<String> = overview.hooks.iter().map(|hook| Safe::line(hook).to_string()).collect();
        let text = format!("agents obey {}; we do not", hooks.join(", "));
        lines.push(("", vec![piece(text::fit(&text, room).into_owned(), Ink::Warn)]));
    }
    let context: Vec<String> = overview.context.iter().map(|file| Safe::line(file).to_string()).collect();
    let context = if context.is_empty() {
        "no AGENTS.md, no constitution: agents get the spec alone".to_owned()
    } else {
        format!("{} go to every agent alike", context.join(", "))
    };
    lines.push(("context", vec![plain(context)]));
    lines
}

fn agents(model: &Model) -> Vec<(&'static str, Vec<Piece<'_>>)> {
    let agents = &model.settings.agents;
    let waiting = model.agents_waiting();
    if agents.is_empty() && waiting > 0 {
        let words =
            if waiting == 1 { "1 waits for approval".to_owned() } else { format!("{waiting} wait for approval") };
        let line = vec![piece(words, Ink::Warn), plain(" · "), piece("a", Ink::Accent), plain(" looks at them")];
        return vec![("agents", line)];
    }
    if agents.is_empty() {
        return vec![("agents", vec![piece("none configured", Ink::Warn)])];
    }
    let names: Vec<String> = agents.iter().map(|agent| format!("{} ({})", agent.name, agent.family)).collect();
    let families: BTreeSet<&str> = agents.iter().map(|agent| agent.family.as_str()).collect();
    let (words, ink) = match families.len() {
        1 => ("1 family: nobody can disagree, so nothing is ever agreed", Ink::Warn),
        2 => ("2 families: they can agree or differ, a third would break ties", Ink::Plain),
        n => {
            return vec![
                ("agents", vec![plain(names.join(", "))]),
                ("", vec![dim(format!("{n} families, one vote each"))]),
            ];
        }
    };
    vec![("agents", vec![plain(names.join(", "))]), ("", vec![piece(words, ink)])]
}

/// Returns how many findings stand below each spec: of the selected one a few always and more where there is room, of
/// the others what is wrong, as far as the room goes.
fn details(specs: &[SpecOverview], cursor: usize, height: usize) -> Vec<usize> {
    let least = FINDINGS.min(height.saturating_sub(2));
    let mut free = height.saturating_sub(specs.len());
    let of_chosen = specs.get(cursor).map_or(0, |spec| spec.findings.len().min(least.max(free.saturating_sub(1))));
    free = free.saturating_sub(of_chosen);
    let of = |(n, spec): (usize, &SpecOverview)| {
        if n == cursor {
            return of_chosen;
        }
        let errors = spec.findings.iter().filter(|finding| finding.severity == Severity::Error).count().min(free);
        free -= errors;
        errors
    };
    specs.iter().enumerate().map(of).collect()
}

fn specs_list(model: &Model, overview: &Overview, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let specs = &overview.specs;
    let names = specs
        .iter()
        .map(|s| text::width(s.spec.id.as_str()))
        .max()
        .unwrap_or(8)
        .min(usize::from(area.width / 3))
        .max(8);
    let height = usize::from(area.height);
    let details = details(specs, cursor, height);
    let room = height.saturating_sub(details.iter().sum());
    let shown = if specs.len() > room { room.saturating_sub(1) } else { specs.len() };
    let first = first_shown(cursor.min(specs.len().saturating_sub(1)), shown.max(1), specs.len());
    let mut at = 0;
    for (n, (spec, found)) in specs.iter().zip(details).enumerate().skip(first).take(shown.max(1)) {
        let row = nth(area, at);
        let is_chosen = n == cursor;
        let mut line = vec![piece(if is_chosen { " ▸ " } else { "   " }, Ink::Accent)];
        let id = text::fit(spec.spec.id.as_str(), names).into_owned();
        let gap = " ".repeat(names + 2 - text::width(&id));
        line.extend([piece(id, if is_chosen { Ink::Strong } else { Ink::Plain }), plain(gap)]);
        line.extend(outcome(model, spec));
        line.extend(summary(spec));
        canvas.pieces(row, &line);
        if is_chosen {
            canvas.choose(row);
        }
        at += 1;
        for finding in spec.findings.iter().take(found) {
            let mut line = vec![plain(" ".repeat(names + 5))];
            line.extend(found_line(finding));
            canvas.pieces(nth(area, at), &line);
            at += 1;
        }
    }
    if shown < specs.len() {
        canvas.put(
            area.x + 3,
            area.y + super::canvas::columns(at),
            area.width.saturating_sub(4),
            &format!("… {} more", specs.len() - shown),
            Ink::Dim,
        );
    }
}

/// Returns one finding in a line: how grave, and what.
pub(super) fn found_line(finding: &Finding) -> Vec<Piece<'_>> {
    let (symbol, ink) = match finding.severity {
        Severity::Error => ("✗ ", Ink::Bad),
        Severity::Warning => ("! ", Ink::Warn),
        Severity::Info => ("· ", Ink::Dim),
    };
    vec![piece(symbol, ink), plain(finding.message.as_str())]
}

/// Returns the verdict of this session on a stage of a spec, the latest run first.
fn decided<'m>(model: &'m Model, spec: &SpecId, stage: Stage) -> Option<&'m Judgement> {
    let mut runs = model.runs.values().rev().filter(|run| &run.spec == spec);
    runs.find_map(|run| run.verdicts.get(&stage)).map(|judgement| &**judgement)
}

/// Returns how the latest stage of a spec ended, in this session or as recorded: `plan: your call 1 · `.
fn outcome(model: &Model, found: &SpecOverview) -> Vec<Piece<'static>> {
    let stages = Stage::ALL.into_iter().rev();
    let here = stages.clone().find_map(|stage| Some((stage, decided(model, &found.spec.id, stage)?)));
    let (stage, words, ink) = match (here, found.verdicts.last_key_value()) {
        (Some((stage, judgement)), _) => match verdict::called(judgement) {
            Call::Pass => (stage, judgement.verdict.status.words().to_owned(), Ink::Good),
            Call::YourCall(n) => (stage, format!("your call {n}"), Ink::Warn),
            Call::Stop => (stage, judgement.verdict.status.words().to_owned(), Ink::Bad),
        },
        (None, Some((stage, recorded))) => {
            let stale = if recorded.is_current { "" } else { ", stale" };
            let ink = if recorded.exit == 0 && recorded.is_current { Ink::Good } else { Ink::Warn };
            (*stage, format!("{}{stale}", recorded.status.words()), ink)
        }
        (None, None) => return Vec::new(),
    };
    vec![plain(format!("{stage}: ")), piece(words, ink), dim(" · ")]
}

/// Returns what is known of a spec in one line: ticked tasks against what is there, then what was found.
fn summary(spec: &SpecOverview) -> Vec<Piece<'static>> {
    let mut line: Vec<Piece<'static>> = Vec::new();
    match spec.survey.tasks {
        Some(tasks) if tasks.ticked > 0 => {
            line.push(plain(format!("{} of {} tasks ticked: {} seen in code", tasks.ticked, tasks.all, tasks.seen)));
            if tasks.absent > 0 {
                line.push(piece(format!(", {} NOT THERE", tasks.absent), Ink::Bad));
            }
        }
        Some(tasks) => {
            line.push(plain(format!("{}, none ticked", text::count(usize::try_from(tasks.all).unwrap_or(0), "task"))))
        }
        None => line.push(plain(format!("{} must, no tasks yet", spec.survey.musts))),
    }
    let Tally { errors, warnings, remarks } = Tally::of(&spec.findings);
    if errors > 0 {
        line.push(piece(format!(" · {}", text::count(errors, "error")), Ink::Bad));
    }
    if warnings > 0 {
        line.push(piece(format!(" · {}", text::count(warnings, "warning")), Ink::Warn));
    }
    if remarks > 0 {
        line.push(piece(format!(" · {}", text::count(remarks, "remark")), Ink::Dim));
    }
    if errors + warnings + remarks == 0 {
        line.push(piece(" · nothing found", Ink::Good));
    }
    line
}

/// What asking costs: the longest it can take, and that no price is known.
fn terms(model: &Model) -> String {
    match model.settings.agents.iter().map(|agent| agent.timeouts.total_ms).max() {
        Some(_) if model.boot.demo => "scripted, costs nothing".to_owned(),
        None if model.boot.demo => String::new(),
        Some(longest) => format!("at most {} each, unpriced · asks first", clock(longest)),
        None => "asks first".to_owned(),
    }
}

/// Draws what could be asked: the selected step is in sight, else the next one of the selected spec.
fn asks(
    model: &Model,
    steps: &[(Stage, &SpecId)],
    (cursor, near): (Option<usize>, Option<usize>),
    area: Rect,
    canvas: &mut Canvas<'_>,
) {
    if area.height == 0 {
        return;
    }
    if steps.is_empty() {
        canvas.pieces(padded(nth(area, 0)), &[dim("open a spec to ask about it, or type : and a stage")]);
        return;
    }
    let room = usize::from(area.height);
    let shown = if steps.len() > room { room.saturating_sub(1).max(1) } else { steps.len() };
    let first = first_shown(cursor.or(near).unwrap_or(0), shown, steps.len());
    for (at, (stage, spec)) in steps.iter().enumerate().skip(first).take(shown) {
        let row = nth(area, at - first);
        let is_chosen = cursor == Some(at);
        let who: Vec<&str> = model.settings.roster(*stage).map(|agent| agent.name.as_str()).collect();
        let with = if who.is_empty() {
            let words = match model.agents_waiting() {
                0 if can_init(model) => "nobody to ask yet: i writes a config",
                0 => "no agent is configured for it",
                _ => "once its agents are approved",
            };
            piece(words, Ink::Warn)
        } else {
            let usual = model.typical.get(stage).map(|ms| format!(" · usually {}", clock(*ms)));
            plain(format!("with {}{}", who.join(" + "), usual.unwrap_or_default()))
        };
        let waits = *stage == Stage::Specify
            && model.survey.ready().and_then(|survey| survey.spec(spec)).is_some_and(|found| found.is_proposed);
        let with = match decided(model, spec, *stage) {
            _ if waits => plain("· a proposal waits · Enter shows what would change"),
            Some(judgement) => plain(format!("· {} · Enter opens", verdict::called(judgement))),
            None => with,
        };
        let marker = piece(if is_chosen { " ▸ " } else { "   " }, Ink::Accent);
        let name = format!("{stage} {spec}");
        let ink = if is_chosen { Ink::Strong } else { Ink::Plain };
        canvas.pieces(row, &[marker, piece(format!("{name:<28}"), ink), plain("  "), with]);
        if is_chosen {
            canvas.choose(row);
        }
    }
    if shown < steps.len() {
        let row = nth(area, shown);
        canvas.put(row.x + 3, row.y, row.width.saturating_sub(4), &format!("… {} more", steps.len() - shown), Ink::Dim);
    }
}
