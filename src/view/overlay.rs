//! What lies over a view: the command line with its endings, a search, and the question before agents are asked.
//!
//! The line being typed takes the row above the keys; what belongs to it stands in a box on top of that.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, columns, first_shown, nth, padded};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::trust;
use crate::app::line::Line;
use crate::app::model::{Completion, Model, Overlay};
use crate::app::msg::Start;
use crate::app::update::charge;
use crate::domain::budget::{self, Charge, Price};
use crate::domain::moment::clock;
use crate::domain::safe::Safe;
use crate::domain::settings::{Agent, AgentKind};
use crate::domain::stage::Stage;

/// Most endings offered at once: a list that hides the whole screen helps nobody.
const OFFERED: usize = 10;

/// Draws an overlay at the lower end of an area that ends above the keys.
pub(super) fn draw(model: &Model, overlay: &Overlay, area: Rect, canvas: &mut Canvas<'_>) {
    match overlay {
        Overlay::Command { line, completions, chosen, error, .. } => {
            let typed = chosen.and_then(|at| completions.get(at));
            match typed {
                Some(ending) => input(area, ":", &Line::new(&ending.line), canvas),
                None => input(area, ":", line, canvas),
            }
            if let Some(error) = error {
                refused(area, error, canvas);
            } else {
                endings(area, completions, *chosen, canvas);
            }
        }
        Overlay::Search(line) => input(area, "/", line, canvas),
        Overlay::Preflight(start) => preflight(model, start, area, canvas),
        Overlay::Offer(name) => offer(model, name, area, canvas),
    }
}

/// Draws a line being typed into the last row of an area, with the terminal's cursor in it.
fn input(area: Rect, prompt: &str, line: &Line, canvas: &mut Canvas<'_>) {
    let row = Rect { y: area.bottom() - 1, height: 1, ..area };
    canvas.clear(row);
    let row = padded(row);
    let start = row.x + canvas.put(row.x, row.y, row.width, prompt, Ink::Accent);
    let room = Rect { x: start, width: row.right().saturating_sub(start), ..row };
    typed(room, line, canvas);
}

/// Draws text that is being edited so that its cursor is visible: a line that is too long is shown from its cursor back.
pub(super) fn typed(row: Rect, line: &Line, canvas: &mut Canvas<'_>) {
    let before = Safe::line(line.before_cursor()).to_string();
    let all = Safe::line(line.text()).to_string();
    let room = usize::from(row.width.saturating_sub(1));
    let at = text::width(&before);
    if at <= room {
        canvas.put(row.x, row.y, row.width, &all, Ink::Plain);
        canvas.point(row.x + columns(at), row.y);
        return;
    }
    let tail = text::tail(&before, room.saturating_sub(1));
    let wide = canvas.pieces(row, &[dim("…"), plain(tail)]);
    canvas.point(row.x + wide, row.y);
}

fn refused(area: Rect, error: &Safe, canvas: &mut Canvas<'_>) {
    let room = usize::from(area.width.saturating_sub(4));
    let lines = text::wrap(error.as_str(), room, 3);
    let place = rise(area, lines.len(), canvas);
    let pane = Pane { title: vec![piece("not understood", Ink::Bad)], rows: columns(lines.len()), ..Pane::default() };
    let Some(inner) = canvas.stack(place, &[pane]).first().copied() else { return };
    for (at, line) in lines.iter().enumerate() {
        canvas.pieces(padded(nth(inner, at)), &[plain(&**line)]);
    }
}

fn endings(area: Rect, completions: &[Completion], chosen: Option<usize>, canvas: &mut Canvas<'_>) {
    if completions.is_empty() {
        return;
    }
    let shown = completions.len().min(OFFERED).min(usize::from(area.height).saturating_sub(4));
    let first = first_shown(chosen.unwrap_or(0), shown, completions.len());
    let visible = completions.get(first..first + shown).unwrap_or_default();
    let wide = visible.iter().map(|c| text::width(&c.line)).max().unwrap_or(0).min(40);
    let place = rise(area, shown, canvas);
    let hidden = completions.len() - shown;
    let note = if hidden > 0 { vec![dim(format!("… {hidden} more"))] } else { Vec::new() };
    let pane = Pane { note, rows: columns(shown), ..Pane::default() };
    let Some(inner) = canvas.stack(place, &[pane]).first().copied() else { return };
    for (at, completion) in visible.iter().enumerate() {
        let row = nth(inner, at);
        let is_chosen = chosen == Some(first + at);
        let ink = if is_chosen { Ink::Strong } else { Ink::Plain };
        let line = Safe::line(completion.line.trim_end()).to_string();
        let gap = " ".repeat((wide + 2).saturating_sub(text::width(&line)));
        let marker = if is_chosen { "▸ " } else { "  " };
        let pieces =
            [piece(marker, Ink::Accent), piece(line, ink), plain(gap), dim(Safe::line(&completion.about).to_string())];
        canvas.pieces(row, &pieces);
        if is_chosen {
            canvas.choose(row);
        }
    }
}

/// Empties the place of a box of so many rows that stands on the last row of an area.
fn rise(area: Rect, rows: usize, canvas: &mut Canvas<'_>) -> Rect {
    let height = columns(rows + 2).min(area.height.saturating_sub(1));
    let place = Rect { y: area.bottom() - 1 - height, height, ..area };
    canvas.clear(place);
    place
}

/// Says who would be asked, with which access, for how long and at what price, before anything costs something.
fn preflight(model: &Model, start: &Start, area: Rect, canvas: &mut Canvas<'_>) {
    let agents: Vec<&Agent> = match start.stages.first() {
        Some(stage) => model.settings.roster(*stage).collect(),
        None => Vec::new(),
    };
    let stages: Vec<&str> = start.stages.iter().map(|stage| Stage::name(*stage)).collect();
    let room = usize::from(area.height).saturating_sub(9);
    let listed = agents.len().min(room.max(1));
    let mut lines: Vec<Vec<Piece<'_>>> = agents.iter().take(listed).map(|agent| asked(model, agent)).collect();
    if agents.len() > listed {
        lines.push(vec![dim(format!("  … {} more", agents.len() - listed))]);
    }
    let longest = agents.iter().map(|agent| agent.timeouts.total_ms).max().unwrap_or(0);
    let limit = clock(model.settings.run.deadline_ms);
    let usual = start.stages.iter().map(|stage| model.typical.get(stage)).sum::<Option<u64>>();
    let usual = usual.map_or_else(|| "typical time not known yet".to_owned(), |ms| format!("usually {}", clock(ms)));
    lines.push(vec![dim("time    "), plain(format!("at most {} each, {limit} in all; {usual}", clock(longest)))]);
    lines.push(vec![dim("price   "), plain(price(model, &agents))]);
    if let Some(note) = start.stages.first().and_then(|stage| model.settings.one_voice(*stage)) {
        lines.push(vec![piece("note    ", Ink::Warn), plain(Safe::line(&note).to_string())]);
    }
    lines.push(vec![piece("Enter", Ink::Accent), plain(" starts   "), piece("Esc", Ink::Accent), plain(" back")]);
    let place = rise(area, lines.len(), canvas);
    let mut title = vec![strong(format!("Ask the panel: {} {}", stages.join(", "), start.spec))];
    title.extend(start.range.as_deref().map(|range| dim(format!(" · commits {}", Safe::line(range)))));
    let note = vec![dim(text::count(agents.len(), "agent"))];
    let pane = Pane { title, note, rows: place.height.saturating_sub(2) };
    let Some(inner) = canvas.stack(place, &[pane]).first().copied() else { return };
    for (at, line) in lines.iter().enumerate() {
        canvas.pieces(padded(nth(inner, at)), line);
    }
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

/// Shows a server that another program is configured with, every word of it, before it is approved.
fn offer(model: &Model, name: &str, area: Rect, canvas: &mut Canvas<'_>) {
    let Some(offer) = model.offers().find(|offer| offer.name == name) else { return };
    let room = usize::from(area.width.saturating_sub(4));
    let rows = usize::from(area.height).saturating_sub(4);
    let mut lines: Vec<_> = offer.item.parts().iter().flat_map(|part| trust::wrapped_whole(part, room)).collect();
    // What was cut could hide what it does: then it is not approved from here.
    if lines.len() > rows {
        lines.truncate(rows.saturating_sub(1));
        lines.push("… more than fits: make the terminal taller, or Esc".to_owned());
    }
    let place = rise(area, lines.len(), canvas);
    let title = vec![strong(offer.item.what.as_str())];
    let note = vec![dim(format!("from {}", Safe::line(&offer.from)))];
    let pane = Pane { title, note, rows: columns(lines.len()) };
    let Some(inner) = canvas.stack(place, &[pane]).first().copied() else { return };
    for (at, line) in lines.iter().enumerate() {
        canvas.pieces(padded(nth(inner, at)), &[plain(line.as_str())]);
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
