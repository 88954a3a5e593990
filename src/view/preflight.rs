//! The question before agents are asked: who, with which access, for how long and at what price; and the list in which
//! somebody is left out of the run.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, first_shown, nth, padded};
use super::overlay::rise;
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use crate::app::model::Model;
use crate::app::msg::Start;
use crate::app::update::{Place, Row, bench, charge, roster_rows, without};
use crate::domain::absent::{self, Without};
use crate::domain::budget::{self, Charge, Price};
use crate::domain::moment::clock;
use crate::domain::safe::Safe;
use crate::domain::settings::{Agent, AgentKind};
use crate::domain::stage::Stage;

/// Says who would be asked, with which access, for how long and at what price, before anything costs something.
pub(super) fn question(model: &Model, start: &Start, area: Rect, canvas: &mut Canvas<'_>) {
    let rows = roster_rows(model, start, &without(model, start));
    let first = start.stages.first();
    let here: Vec<&Row<'_>> = rows.iter().filter(|row| first.is_some_and(|stage| row.stages.contains(stage))).collect();
    let agents: Vec<&Agent> = here.iter().filter(|row| row.place != Place::Out).map(|row| row.agent).collect();
    let room = usize::from(area.height).saturating_sub(9);
    let listed = agents.len().min(room.max(1));
    let mut lines: Vec<Vec<Piece<'_>>> = agents.iter().take(listed).map(|agent| asked(model, agent)).collect();
    if agents.len() > listed {
        lines.push(vec![dim(format!("  … {} more", agents.len() - listed))]);
    }
    lines.extend(cost(model, start, &agents));
    lines.extend(left_out(&here));
    if let Some(note) = first.and_then(|stage| model.settings.one_voice(*stage, agents.iter().copied())) {
        lines.push(vec![piece("note     ", Ink::Warn), plain(Safe::line(&note).to_string())]);
    }
    lines.push(keys(&[("Enter", "starts"), ("e", "who is asked"), ("Esc", "back")]));
    let note = vec![dim(text::count(agents.len(), "agent"))];
    framed("Ask the panel", start, (&lines, None), note, area, canvas);
}

/// Lists who could be asked in a run, and says what it comes to without those who are left out.
pub(super) fn roster(
    model: &Model,
    (start, without): (&Start, &Without),
    cursor: usize,
    area: Rect,
    canvas: &mut Canvas<'_>,
) {
    let rows = roster_rows(model, start, without);
    let agents: Vec<&Agent> = rows.iter().filter(|row| row.place != Place::Out).map(|row| row.agent).collect();
    let mut below = families(model, start, &rows);
    below.extend(left_out(&rows.iter().collect::<Vec<_>>()));
    below.extend(cost(model, start, &agents));
    below.push(keys(&[("Space", "leave out, take in"), ("Enter", "starts"), ("Esc", "back")]));
    let room = usize::from(area.height).saturating_sub(3 + below.len()).max(1);
    let cursor = cursor.min(rows.len().saturating_sub(1));
    let shown = rows.len().min(room);
    let first = first_shown(cursor, shown, rows.len());
    let mut lines: Vec<Vec<Piece<'_>>> = Vec::new();
    for (at, row) in rows.iter().enumerate().skip(first).take(shown) {
        lines.push(listed(model, start, row, at == cursor));
    }
    lines.extend(below);
    let note = vec![dim(format!("{} of {} asked", agents.len(), rows.len()))];
    framed("Who is asked", start, (&lines, Some(cursor - first)), note, area, canvas);
}

/// Draws lines in a box with what is asked in its title; of those that can be selected, which one is.
fn framed(
    what: &str,
    start: &Start,
    (lines, chosen): (&[Vec<Piece<'_>>], Option<usize>),
    note: Vec<Piece<'_>>,
    area: Rect,
    canvas: &mut Canvas<'_>,
) {
    let stages: Vec<&str> = start.stages.iter().map(|stage| Stage::name(*stage)).collect();
    let mut title = vec![strong(format!("{what}: {} {}", stages.join(", "), start.spec))];
    title.extend(start.range.as_deref().map(|range| dim(format!(" · commits {}", Safe::line(range)))));
    let place = rise(area, lines.len(), canvas);
    let pane = Pane { title, note, rows: place.height.saturating_sub(2) };
    let Some(inner) = canvas.stack(place, &[pane]).first().copied() else { return };
    for (at, line) in lines.iter().enumerate() {
        canvas.pieces(padded(nth(inner, at)), line);
        if chosen == Some(at) {
            canvas.choose(nth(inner, at));
        }
    }
}

fn keys(keys: &[(&'static str, &'static str)]) -> Vec<Piece<'static>> {
    let pieces = keys.iter().flat_map(|(key, does)| [piece(*key, Ink::Accent), plain(format!(" {does}   "))]);
    pieces.collect()
}

/// One agent that may be asked.
fn listed<'r>(model: &Model, start: &Start, row: &Row<'r>, is_chosen: bool) -> Vec<Piece<'r>> {
    let (mark, ink) = match row.place {
        Place::Asked => ("☑ ", Ink::Plain),
        Place::Answered => ("✔ ", Ink::Good),
        Place::Out => ("☐ ", Ink::Dim),
    };
    let mut pieces = vec![piece(if is_chosen { "▸ " } else { "  " }, Ink::Accent), piece(mark, ink)];
    pieces.extend(asked(model, row.agent));
    // Where it sits at some of the stages only, that is said before what it costs.
    if row.stages.len() < start.stages.len() {
        let stages: Vec<&str> = row.stages.iter().map(|stage| stage.name()).collect();
        pieces.insert(4, plain(format!(" · at {}", stages.join(", "))));
    }
    match row.place {
        Place::Asked => {}
        Place::Answered => pieces.insert(3, piece(" answered, which counts ·", Ink::Good)),
        Place::Out => pieces.insert(3, piece(" left out ·", Ink::Warn)),
    }
    pieces
}

/// Says which families would be asked, and whether enough can answer, of all stages that come to the same in a line.
fn families(model: &Model, start: &Start, rows: &[Row<'_>]) -> Vec<Vec<Piece<'static>>> {
    let mut alike: Vec<(_, Vec<&str>)> = Vec::new();
    for stage in &start.stages {
        let bench = bench(model, rows, *stage);
        match alike.iter_mut().find(|(known, _)| *known == bench) {
            Some((_, stages)) => stages.push(stage.name()),
            None => alike.push((bench, vec![stage.name()])),
        }
    }
    let is_one = alike.len() == 1;
    let line = |(bench, stages): (crate::app::update::Bench, Vec<&str>)| {
        let at = if is_one { String::new() } else { format!(" at {}", stages.join(", ")) };
        let count = bench.families.len();
        let names: Vec<&str> = bench.families.iter().map(String::as_str).collect();
        if bench.can_decide() {
            let must = format!("{} of {count} must answer", bench.needed);
            return vec![dim("families "), plain(format!("{}{at} · {must}", names.join(", ")))];
        }
        let who = match names.as_slice() {
            [] => "nobody is asked".to_owned(),
            some => format!("only {} is asked", some.join(", ")),
        };
        vec![
            piece("quorum   ", Ink::Bad),
            plain(format!("{who}{at}: {} families must answer, it cannot pass", bench.needed)),
        ]
    };
    alike.into_iter().map(line).collect()
}

/// Names who is left out, and what that means.
fn left_out(rows: &[&Row<'_>]) -> Option<Vec<Piece<'static>>> {
    let out: Vec<String> =
        rows.iter().filter(|row| row.place == Place::Out).map(|row| absent::named(row.agent)).collect();
    let words = format!("{} · counts as not asked, the verdict says so", out.join(", "));
    (!out.is_empty()).then(|| vec![piece("left out ", Ink::Warn), plain(words)])
}

/// Says how long a run may take, and at what price.
fn cost(model: &Model, start: &Start, agents: &[&Agent]) -> [Vec<Piece<'static>>; 2] {
    let longest = agents.iter().map(|agent| agent.timeouts.total_ms).max().unwrap_or(0);
    let limit = clock(model.settings.run.deadline_ms);
    let usual = start.stages.iter().map(|stage| model.typical.get(stage)).sum::<Option<u64>>();
    let usual = usual.map_or_else(|| "typical time not known yet".to_owned(), |ms| format!("usually {}", clock(ms)));
    [
        vec![dim("time     "), plain(format!("at most {} each, {limit} in all; {usual}", clock(longest)))],
        vec![dim("price    "), plain(price(model, agents))],
    ]
}

/// Says what the run may cost at most, and for whom that does not hold.
fn price(model: &Model, agents: &[&Agent]) -> String {
    let cap = budget::dollars(model.settings.budget.run_micro_usd);
    let charges: Vec<Charge> = agents.iter().map(|agent| charge(model, agent)).collect();
    let is_counted = |charge: &Charge| matches!(charge, Charge::Priced(_) | Charge::Told);
    let unpriced = match (charges.contains(&Charge::Unpriced), model.settings.budget.allow_unpriced) {
        (false, _) => "",
        (true, true) => "; what is unpriced is counted in tokens only",
        (true, false) => "; who is unpriced is not asked",
    };
    match charges.iter().any(is_counted) {
        true => format!("at most {cap} a run{unpriced}"),
        false if unpriced.is_empty() => "nothing is charged by the token".to_owned(),
        false => format!("no price is known{unpriced}"),
    }
}

/// Says how an agent is paid.
fn paid(charge: Charge) -> String {
    match charge {
        Charge::Free => String::new(),
        Charge::Plan => " · on your plan".to_owned(),
        Charge::Priced(Price { input_micro_usd, output_micro_usd }) => {
            format!(" · {} in, {} out per Mtok", budget::dollars(input_micro_usd), budget::dollars(output_micro_usd))
        }
        Charge::Told => " · by the token, it says what it costs".to_owned(),
        Charge::Unpriced => " · unpriced".to_owned(),
    }
}

fn asked<'a>(model: &Model, agent: &'a Agent) -> Vec<Piece<'a>> {
    let who = strong(format!("{:<8}", text::fit(agent.name.as_str(), 24)));
    let who_pays = paid(charge(model, agent));
    let model = match &agent.model {
        Some(model) => format!(" {} · {}", agent.family, Safe::line(model)),
        None => format!(" {}", agent.family),
    };
    let access = match &agent.kind {
        AgentKind::Command(launch) if launch.preset.is_some() => " · only reads".to_owned(),
        AgentKind::Command(launch) if launch.transport.manner().is_some() => {
            let program = Safe::line(launch.command.first().map_or("", String::as_str)).to_string();
            format!(" · runs {program}, which asks before it changes anything if it keeps to the protocol")
        }
        AgentKind::Command(launch) => {
            let program = Safe::line(launch.command.first().map_or("", String::as_str)).to_string();
            format!(" · runs {program}, which has the access it gives itself")
        }
        AgentKind::Api(service) => {
            let reads = if service.tools { "only reads, " } else { "" };
            format!(" · {reads}over HTTP at {}", Safe::line(&service.base_url))
        }
        AgentKind::Replay { .. } => " · SCRIPTED, sends nothing anywhere".to_owned(),
        AgentKind::Memory => " · external, answers through memory".to_owned(),
    };
    vec![who, dim(model), plain(who_pays), plain(access)]
}
