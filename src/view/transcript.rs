//! Everything an agent wrote: one page of it, with what was searched for.
//!
//! The page is as high as the screen less four rows, and as wide less two columns: that is how it was asked for.

use ratatui::layout::Rect;

use super::canvas::{Canvas, below, columns, nth};
use super::text::{Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{header, spinner};
use crate::app::model::{Load, Model, Transcript};
use crate::domain::moment::clock;
use crate::domain::safe::Safe;
use crate::domain::transcript::Page;

/// Draws a transcript.
pub(super) fn draw(model: &Model, transcript: &Transcript, area: Rect, canvas: &mut Canvas<'_>) {
    let seat = &transcript.seat;
    let run = model.runs.get(&seat.run);
    if model.boot.demo {
        header::demo(nth(area, 0), canvas);
    } else {
        let spec = run.map_or_else(|| seat.run.short().to_owned(), |run| run.spec.to_string());
        let left = header::trail(model, [plain(spec), plain(seat.stage.name()), strong(seat.agent.as_str())]);
        let right = run.map(|run| header::phase(model, run, area.width)).unwrap_or_default();
        header::line(nth(area, 0), &left, &right, canvas);
    }
    let title = vec![strong(format!("{} › transcript", seat.agent)), dim(format!(" · try {}", seat.attempt))];
    let rows = canvas.open_frame(below(area, 1), &title, &note(transcript));
    match &transcript.page {
        Load::Loading(since) => {
            let waits = clock(model.now.since(*since));
            canvas.pieces(
                nth(rows, 0),
                &[dim(format!("{} reading the transcript {waits} · Esc back", spinner::frame(model)))],
            );
        }
        Load::Failed(failure) => {
            canvas.pieces(nth(rows, 0), &[piece("✗ ", Ink::Bad), plain(Safe::line(&failure.to_string()).to_string())]);
            canvas.pieces(nth(rows, 1), &[dim(format!("  {}", Safe::line(&failure.hint())))]);
        }
        Load::Ready(page) if page.rows.is_empty() => {
            canvas.pieces(nth(rows, 0), &[dim("nothing was written yet")]);
        }
        Load::Ready(page) => write(transcript, page, rows, canvas),
    }
}

fn note(transcript: &Transcript) -> Vec<Piece<'_>> {
    let Load::Ready(page) = &transcript.page else { return Vec::new() };
    let mut note = Vec::new();
    if let Some(search) = &transcript.search {
        let found = match page.match_count {
            0 => piece("nothing found", Ink::Warn),
            1 => plain("1 line"),
            n => plain(format!("{n} lines")),
        };
        note.extend([dim(format!("/{} ", Safe::line(search))), found, dim(" · ")]);
    }
    let last = page.rows.last().map_or(page.first, |row| row.line) + 1;
    note.push(dim(format!("line {last} of {}", page.total)));
    if transcript.follow {
        note.push(piece(" · following", Ink::Accent));
    }
    note
}

fn write(transcript: &Transcript, page: &Page, area: Rect, canvas: &mut Canvas<'_>) {
    let height = usize::from(area.height);
    // A page asked for a taller screen: its end is what is followed.
    let skipped = if transcript.follow { page.rows.len().saturating_sub(height) } else { 0 };
    for (at, row) in page.rows.iter().skip(skipped).take(height).enumerate() {
        let place = nth(area, at);
        let is_match = transcript.search.is_some() && page.matches.binary_search(&row.line).is_ok();
        let ink = if is_match { Ink::Warn } else { Ink::Plain };
        canvas.put(place.x, place.y, place.width, row.text.as_str(), ink);
        if is_match {
            canvas.choose(place);
        }
    }
    let shown = page.rows.len().saturating_sub(skipped);
    if page.at_end && transcript.follow && shown < height {
        canvas.put(area.x, area.y + columns(shown), 1, "▏", Ink::Dim);
    }
}
