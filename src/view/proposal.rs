//! What is proposed for a spec's document: what would change, line by line, and what Enter does about it.
//!
//! ```text
//!  repo › 003-rate-limiter › proposal                                  agree · +12 -3 lines
//! ┌spec.md would change ─────────────────────────────────────────── nothing is written yet ┐
//! │ @@ -28,7 +28,9 @@                                                                      │
//! │ - - **FR-003**: The system MUST answer fast                                            │
//! │ + - **FR-003**: The system MUST answer within 200 ms                                   │
//! ├Then ───────────────────────────────────────────────────────────────────────────────────┤
//! │ Enter  writes it into specs/003-rate-limiter/spec.md; the old text is kept             │
//! └────────────────────────────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, nth, padded, share};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{dashboard, header, spinner};
use crate::app::model::{Load, Model, ProposalPage};
use crate::domain::compare::Row;
use crate::domain::moment::clock;
use crate::domain::proposal::{Deed, Fit, Proposal};
use crate::domain::safe::Safe;

/// Columns before the words of a row.
const MARK: usize = 2;

/// Draws the page.
pub(super) fn draw(model: &Model, page: &ProposalPage, area: Rect, canvas: &mut Canvas<'_>) {
    let left = header::trail(model, [strong(page.spec.to_string()), plain("proposal")]);
    let proposal = match &page.proposal {
        Load::Ready(proposal) => proposal,
        Load::Loading(since) => {
            header::line(nth(area, 0), &left, &[], canvas);
            let waits = format!(" reading what is proposed {} · Esc back", clock(model.now.since(*since)));
            canvas.pieces(padded(nth(area, 2)), &[piece(spinner::frame(model), Ink::Accent), plain(waits)]);
            return;
        }
        Load::Failed(failure) => {
            header::line(nth(area, 0), &left, &[], canvas);
            for (at, line) in dashboard::failed(failure, area).iter().enumerate() {
                canvas.pieces(padded(nth(area, 2 + at)), line);
            }
            return;
        }
    };
    let change = &proposal.change;
    let right = [dim(format!("{} · +{} -{} lines", proposal.status.name(), change.added, change.removed))];
    header::line(nth(area, 0), &left, &right, canvas);
    let body = below(area, 1);
    let then = then(model, page, proposal);
    let wants = [Want { least: 3, best: usize::from(body.height) }, Want { least: then.len(), best: then.len() }];
    let heights = share(body.height, &wants, 0);
    let [shown, rest] = heights.as_slice() else { return };
    let name = proposal.file.rsplit('/').next().unwrap_or(&proposal.file);
    let (title, note) = titles(page, proposal, &Safe::line(name));
    let stack = [
        Pane { title: vec![strong(title)], note: vec![dim(note)], rows: *shown },
        Pane { title: vec![strong("Then")], rows: *rest, ..Pane::default() },
    ];
    let places = canvas.stack(body, &stack);
    let [shown, rest] = places.as_slice() else { return };
    rows(&change.rows, page.scroll, padded(*shown), canvas);
    for (at, line) in then.iter().enumerate().take(usize::from(rest.height)) {
        canvas.pieces(padded(nth(*rest, at)), line);
    }
}

/// Returns the title of what changes, and what is so of it now.
fn titles(page: &ProposalPage, proposal: &Proposal, name: &Safe) -> (String, &'static str) {
    match (page.rewritten.as_ref().map(|rewritten| rewritten.deed), proposal.fit) {
        (Some(Deed::Adopted | Deed::Already), _) => (format!("{name} changed"), "written, the old text is kept"),
        (_, Fit::Adopted) => (format!("{name} is what was proposed"), "written"),
        (_, Fit::Unchanged) => (format!("{name} stays as it is"), "nothing to write"),
        (_, Fit::Outdated) => (format!("{name} was changed since"), "not written"),
        (_, Fit::Fits) => (format!("{name} would change"), "nothing is written yet"),
    }
}

/// Says what can be done now.
fn then(model: &Model, page: &ProposalPage, proposal: &Proposal) -> Vec<Vec<Piece<'static>>> {
    let key = |name: &'static str, words: String| vec![piece(format!("{name:<7}"), Ink::Accent), plain(words)];
    let (spec, file) = (&page.spec, Safe::line(&proposal.file));
    if page.busy {
        return vec![vec![piece(spinner::frame(model), Ink::Accent), plain(" being written")]];
    }
    let written = page.rewritten.as_ref().filter(|done| matches!(done.deed, Deed::Adopted | Deed::Already));
    if let Some(done) = written {
        let open = done.held.open().count();
        let on = match open {
            0 => vec![piece("✔ ", Ink::Good), plain(format!("nothing is open in it · next :plan {spec}"))],
            n => key("c", format!("answers what it leaves open: {}", text::count(n, "question"))),
        };
        return vec![on, key("u", format!("gives {file} its old text back"))];
    }
    match proposal.fit {
        Fit::Fits => {
            let mut lines = vec![key("Enter", format!("writes it into {file}; the old text is kept"))];
            if !proposal.is_advancing {
                let words = format!("the panel ended in {}: {}", proposal.status.name(), proposal.status.words());
                lines.insert(0, vec![piece("! ", Ink::Warn), plain(words)]);
            }
            lines.extend(proposal.notes.as_ref().map(|_| key("p", "opens what says why, and by whom".to_owned())));
            lines
        }
        Fit::Unchanged => vec![vec![plain(format!("the panel would change nothing · next :plan {spec}"))]],
        Fit::Adopted => {
            vec![key("u", format!("gives {file} its old text back")), key("c", "what it leaves open".into())]
        }
        Fit::Outdated => vec![
            vec![piece("! ", Ink::Warn), plain("it was changed since the panel was asked: your words stay")],
            vec![plain(format!("  :specify {spec} asks the panel again"))],
        ],
    }
}

/// Draws as many rows as fit, each as long as it is.
fn rows(rows: &[Row], first: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let room = usize::from(area.width).saturating_sub(MARK);
    let mut at = 0;
    for row in rows.iter().skip(first) {
        let left = usize::from(area.height).saturating_sub(at);
        if left == 0 {
            return;
        }
        let (mark, words, ink) = match row {
            Row::Place(place) => ("", place.as_str(), Ink::Dim),
            Row::Same(text) => ("  ", text.as_str(), Ink::Plain),
            Row::Gone(text) => ("- ", text.as_str(), Ink::Bad),
            Row::New(text) => ("+ ", text.as_str(), Ink::Good),
            Row::Endless => ("  ", "(no line break at its end)", Ink::Dim),
        };
        let words = Safe::line(words.trim_end_matches('\r')).to_string();
        for (n, line) in text::wrap(&words, room, left).into_iter().enumerate() {
            let mark = if n == 0 || mark.is_empty() { mark } else { "  " };
            canvas.pieces(nth(area, at), &[piece(mark, ink), piece(line.into_owned(), ink)]);
            at += 1;
        }
    }
}
