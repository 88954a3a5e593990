//! The line above the keys: what just happened, else the servers and how fast a key was painted.

use ratatui::layout::Rect;

use super::canvas::{Canvas, columns, nth, padded};
use super::text::{self, Piece, dim, millis, piece};
use super::theme::Ink;
use crate::app::model::{MemoryState, Model, Run, View};
use crate::domain::moment::{Moment, clock};
use crate::domain::safe::Safe;
use crate::domain::server::{State, Status};

/// How long a start is nobody's worry, in milliseconds: after this a slow server is named with its last words.
pub(super) const PATIENCE_MS: u64 = 4_000;

/// Rows of a screen from which a notice that is too long may take a second row.
const ROOMY: u16 = 16;

/// Returns how many rows the line takes: a notice is rather wrapped than cut.
pub(super) fn rows(model: &Model, area: Rect) -> u16 {
    let room = usize::from(padded(area).width).saturating_sub(2);
    let is_long = model.notice.as_ref().is_some_and(|notice| text::width(notice.text.as_str()) > room);
    // A page of a transcript is as high as it was asked for.
    let is_page = matches!(model.view(), View::Transcript(_));
    if is_long && area.height >= ROOMY && !is_page { 2 } else { 1 }
}

/// Draws the line, or the rows of a long notice.
pub(super) fn draw(model: &Model, area: Rect, canvas: &mut Canvas<'_>) {
    let row = padded(nth(area, 0));
    if let Some(notice) = &model.notice {
        let (symbol, ink) = if notice.bad { ("✗ ", Ink::Bad) } else { ("▸ ", Ink::Accent) };
        let words = if notice.bad { ink } else { Ink::Plain };
        let room = usize::from(row.width).saturating_sub(2);
        let lines = text::wrap(notice.text.as_str(), room, usize::from(area.height));
        for (at, line) in lines.iter().enumerate() {
            let head = if at == 0 { symbol } else { "  " };
            canvas.pieces(padded(nth(area, at)), &[piece(head, ink), piece(&**line, words)]);
        }
        return;
    }
    // Those with a trouble first: they must not be what does not fit.
    let mut servers: Vec<&Status> = model.servers.values().collect();
    servers.sort_by_key(|status| matches!(status.state, State::Ready));
    let is_tight = row.width < 100 && servers.iter().filter(|s| !matches!(s.state, State::Ready)).count() > 1;
    let mut parts: Vec<Vec<Piece<'_>>> = servers.into_iter().map(|s| server(model.now, s, is_tight)).collect();
    parts.extend(copies(model).map(|text| vec![text]));
    let right = match model.key_us {
        Some(us) => vec![dim(format!("{} {}", if row.width < 100 { "key" } else { "key → screen" }, millis(us)))],
        None => Vec::new(),
    };
    let wide = columns(text::width_of(&right));
    let rest = Rect { width: row.width.saturating_sub(wide + 2), ..row };
    canvas.pieces(Rect { x: row.right().saturating_sub(wide), width: wide, ..row }, &right);
    match parts.first() {
        // One that does not fit is cut rather than left out: it would be missed.
        Some(first) if text::width_of(first) > usize::from(rest.width) => {
            canvas.pieces(rest, first);
        }
        Some(_) | None => canvas.groups(rest, &parts, 3),
    }
}

/// Returns one server in a few words, fewer where it is tight.
fn server(now: Moment, status: &Status, is_tight: bool) -> Vec<Piece<'_>> {
    let name = dim(format!("{} ", Safe::line(&status.name)));
    let since = now.since(status.since);
    match &status.state {
        State::Starting if since < PATIENCE_MS => {
            vec![name, piece(format!("◌ starting {} s", since / 1_000), Ink::Plain)]
        }
        State::Starting if is_tight => vec![name, piece(format!("◌ starting {} s", since / 1_000), Ink::Warn)],
        State::Starting => {
            let words = status.last_line.as_ref().map(|line| format!(" (last line: \"{line}\")")).unwrap_or_default();
            let text = format!("◌ starting {} s, nothing waits for it{words}", since / 1_000);
            vec![name, piece(text, Ink::Warn)]
        }
        State::Ready => match status.latency_us {
            Some((median, _)) => vec![name, piece("●", Ink::Good), dim(format!(" {}", millis(median)))],
            None => vec![name, piece("●", Ink::Good)],
        },
        State::Degraded { why } => vec![name, piece(format!("● late: {}", Safe::line(why)), Ink::Warn)],
        State::Lost { attempt, retry_at, .. } => {
            let wait = clock(retry_at.since(now));
            vec![name, piece(format!("○ lost, start {} in {wait}", attempt + 1), Ink::Warn)]
        }
        State::Dead { why } => vec![
            name,
            piece(if is_tight { "✗ gone".to_owned() } else { format!("✗ gone: {}", Safe::line(why)) }, Ink::Bad),
        ],
    }
}

/// How many copies wait for memory, whoever left them; else what became of those of the run.
fn copies(model: &Model) -> Option<Piece<'_>> {
    match model.memory.waiting {
        0 => model.focused_run().and_then(kept),
        1 => Some(piece("1 copy waits for memory", Ink::Warn)),
        n => Some(piece(format!("{n} copies wait for memory"), Ink::Warn)),
    }
}

/// What became of a run's copies in memory.
fn kept(run: &Run) -> Option<Piece<'_>> {
    match &run.memory {
        MemoryState::None => None,
        MemoryState::Copying => Some(dim("copying to memory")),
        MemoryState::Stored(n) => Some(dim(format!("{n} copies in memory"))),
        MemoryState::Waiting(_) => Some(piece("copies wait on disk", Ink::Warn)),
    }
}
