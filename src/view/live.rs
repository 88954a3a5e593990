//! What the selected agent writes, as it writes it: its latest lines.

use ratatui::layout::Rect;

use super::canvas::{Canvas, below, nth, padded};
use super::text::{self, Piece, dim, plain};
use super::theme::Ink;
use crate::app::model::{Run, Seat, SeatState};
use crate::domain::safe::Safe;

/// Returns the title of the pane.
pub(super) fn title(run: &Run, cursor: usize) -> String {
    run.seats.get(cursor).map_or_else(|| "live".to_owned(), |seat| format!("{} › live", seat.who.agent))
}

/// Draws the latest lines of an agent, the last one at the bottom once there are enough.
pub(super) fn draw(run: &Run, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let area = padded(area);
    let Some(seat) = run.seats.get(cursor) else { return };
    let cure = cure(seat, area);
    for (at, line) in cure.iter().enumerate() {
        canvas.pieces(nth(area, at), &[text::piece(line.as_str(), Ink::Bad)]);
    }
    let area = below(area, cure.len());
    let lines = seat.progress.as_ref().map(|progress| &*progress.tail).unwrap_or_default();
    if lines.is_empty() {
        canvas.pieces(nth(area, 0), &[dim(empty(seat))]);
        return;
    }
    let (height, width) = (usize::from(area.height), usize::from(area.width));
    // From the end back until the pane is full: each line is at least one row.
    let mut rows: Vec<Vec<Piece<'_>>> = Vec::new();
    for line in lines.iter().rev() {
        let wrapped = text::wrap(line.as_str(), width, height);
        rows.extend(wrapped.into_iter().rev().map(|row| vec![inked(row)]));
        if rows.len() >= height {
            break;
        }
    }
    rows.truncate(height);
    for (at, row) in rows.iter().rev().enumerate() {
        canvas.pieces(nth(area, at), row);
    }
}

/// Says in full why an agent failed and what to do: its row above has no room for it.
fn cure(seat: &Seat, area: Rect) -> Vec<String> {
    let SeatState::Failed(error) = &seat.state else { return Vec::new() };
    let words = format!("✗ {} · {}", Safe::line(&error.to_string()), Safe::line(&error.hint(seat.who.agent.as_str())));
    let rows = usize::from(area.height).saturating_sub(1).min(3);
    if rows == 0 {
        return Vec::new();
    }
    text::wrap(&words, usize::from(area.width), rows).into_iter().map(|line| line.into_owned()).collect()
}

/// A line that tells of an action is read after what is said.
fn inked(row: std::borrow::Cow<'_, str>) -> Piece<'_> {
    let is_action = row.starts_with('▸') || row.starts_with("> ") || row.starts_with('[');
    if is_action { text::piece(row, Ink::Accent) } else { plain(row) }
}

fn empty(seat: &Seat) -> &'static str {
    match &seat.state {
        SeatState::Queued(_) => "waits for its turn",
        SeatState::Launching(_) => "is being started",
        SeatState::Asking(_) => "has written nothing yet",
        SeatState::Keeping | SeatState::Answered => "wrote nothing but its answer · Enter opens the transcript",
        SeatState::Waiting { .. } => "is asked again in a moment",
        SeatState::Failed(_) => "wrote nothing that was kept here · Enter opens the transcript",
    }
}
