//! What lies over a view: the command line with its endings, a search, a server before it is approved; the question before
//! agents are asked is [`preflight`]'s.
//!
//! The line being typed takes the row above the keys; what belongs to it stands in a box on top of that.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, columns, first_shown, nth, padded};
use super::text::{self, dim, piece, plain, strong};
use super::theme::Ink;
use super::{preflight, trust};
use crate::app::line::Line;
use crate::app::model::{Completion, Model, Overlay};
use crate::domain::safe::Safe;

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
        Overlay::Preflight(start) => preflight::question(model, start, area, canvas),
        Overlay::Roster { start, without, cursor } => preflight::roster(model, (start, without), *cursor, area, canvas),
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
pub(super) fn rise(area: Rect, rows: usize, canvas: &mut Canvas<'_>) -> Rect {
    let height = columns(rows + 2).min(area.height.saturating_sub(1));
    let place = Rect { y: area.bottom() - 1 - height, height, ..area };
    canvas.clear(place);
    place
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
