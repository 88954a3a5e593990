//! What would be approved: every program, hook and server that the repository asks for, whole.
//!
//! An argument that was cut could hide what it does, so nothing here is: what does not fit goes on below.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, below, nth, padded};
use super::header;
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use crate::app::model::Model;
use crate::domain::safe::Safe;
use crate::domain::settings::{DiffLine, Offer, Trust, TrustItem, TrustSource};

/// Most rows of one entry: far beyond any real command, and an end to one that is made to fill the screen.
const ROWS_MAX: usize = 200;

/// Draws what would be approved, from an entry on.
pub(super) fn draw(model: &Model, scroll: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let (badge, words) = match &model.trust {
        Trust::Unneeded => (piece(" NOTHING TO APPROVE ", Ink::BadgeNote), "the repository asks to run nothing"),
        Trust::Approved(_) => (piece(" APPROVED ", Ink::BadgeGood), "exactly this may run; a changed byte asks again"),
        Trust::Unapproved(_) => (piece(" NOT APPROVED ", Ink::BadgeWarn), "nothing of this has run"),
        Trust::Changed { .. } => {
            (piece(" CHANGED ", Ink::BadgeWarn), "it differs from what was approved; nothing of it runs")
        }
    };
    header::line(nth(area, 0), &[badge, plain(format!("  {words}"))], &[], canvas);
    let body = below(area, 1);
    let entries = entries(model);
    if entries.is_empty() {
        canvas.pieces(
            padded(nth(body, 1)),
            &[dim("no config that runs anything, no checks that were detected · Esc back")],
        );
        return;
    }
    let room = usize::from(body.width.saturating_sub(4));
    let sha = model.trust.proposal().and_then(|proposal| proposal.hash.as_str().get(..12));
    let sha = sha.map(|sha| format!("sha256 {sha} · ")).unwrap_or_default();
    let note = format!("{sha}{}", text::count(entries.len(), "thing"));
    let title = vec![strong(if sha.is_empty() { "Nothing of the repository" } else { "The repository wants to run" })];
    let pane = Pane { title, note: vec![dim(note)], rows: body.height.saturating_sub(2) };
    let Some(inner) = canvas.stack(body, &[pane]).first().copied() else { return };
    let inner = padded(inner);
    // The last row is kept for what follows below.
    let height = usize::from(inner.height).saturating_sub(1);
    let (mut at, mut whole) = (0, 0);
    for entry in entries.iter().skip(scroll) {
        let lines = wrapped(entry, room);
        let fits = lines.len() <= height.saturating_sub(at);
        for line in lines.into_iter().take(height.saturating_sub(at)) {
            canvas.pieces(nth(inner, at), &[line]);
            at += 1;
        }
        if !fits {
            break;
        }
        whole += 1;
    }
    let hidden = entries.len().saturating_sub(scroll + whole);
    if hidden > 0 {
        // An entry that is taller than the screen cannot be approved from it in good faith.
        let how = if whole == 0 { "whole: make the terminal taller" } else { "below · j" };
        canvas.pieces(nth(inner, height), &[piece(format!("… {hidden} more {how}"), Ink::Warn)]);
    }
}

/// One thing to look at: its text, and its ink.
struct Entry {
    head: String,
    body: Vec<String>,
    ink: Ink,
}

/// Returns the changes first, then everything that would run, then what other programs are configured with.
fn entries(model: &Model) -> Vec<Entry> {
    let diff = match &model.trust {
        Trust::Changed { diff, .. } => diff.as_slice(),
        Trust::Unneeded | Trust::Approved(_) | Trust::Unapproved(_) => &[],
    };
    let changes = diff.iter().map(|line| match line {
        DiffLine::Removed(text) => Entry { head: String::new(), body: vec![format!("- {text}")], ink: Ink::Bad },
        DiffLine::Added(text) => Entry { head: String::new(), body: vec![format!("+ {text}")], ink: Ink::Good },
    });
    let items = model.trust.proposal().map(|proposal| proposal.items.as_slice()).unwrap_or_default();
    let offers = model.offers().zip(1..).map(offered);
    changes.chain(items.iter().map(item)).chain(offers).collect()
}

fn item(item: &TrustItem) -> Entry {
    let from = match item.source {
        TrustSource::Config => "from the repository's config",
        TrustSource::Detected => "found in its build files",
    };
    Entry { head: format!("{} · {from}", item.what), body: item.parts(), ink: Ink::Plain }
}

/// A server that is not the repository's: not started before its own key approves it.
fn offered((offer, nth): (&Offer, usize)) -> Entry {
    let from = Safe::line(&offer.from);
    let head = format!("{nth}  {} · offered by {from}, not started", offer.item.what);
    Entry { head, body: offer.item.parts(), ink: Ink::Dim }
}

/// Wraps a part of an entry without cutting it.
pub(super) fn wrapped_whole(part: &str, width: usize) -> Vec<String> {
    text::wrap(part, width, ROWS_MAX).into_iter().map(|line| line.into_owned()).collect()
}

fn wrapped(entry: &Entry, width: usize) -> Vec<Piece<'_>> {
    let mut lines = Vec::new();
    if !entry.head.is_empty() {
        lines.push(strong(entry.head.as_str()));
    }
    let indent = if entry.head.is_empty() { "" } else { "  " };
    for line in entry.body.iter().flat_map(|part| text::wrap(part, width.saturating_sub(2), ROWS_MAX)) {
        lines.push(piece(format!("{indent}{line}"), entry.ink));
    }
    lines
}
