//! The dissent ledger of a spec: each losing assertion in the order of opening, then conditions and splits; of the
//! selected one who holds it and why, what was decided, and what closes it.
//!
//! ```text
//!  repo › 003-rate-limiter › dissent                                      2 open, 3 closed
//! ┌Open ──────────────────────────────────────────────────────────────────── a all ┐
//! │ ▸ plan      decision D-003  cyd holds 20 ms, 10 ms was decided      minor, said │
//! ├decision D-003 ─────────────────────────────────────────────────────────────────┤
//! │ held      cyd holds 20 ms (minor, said)                                        │
//! ├Why you waive it ─────────────────────────────────── goes into the record ──────┤
//! └────────────────────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{header, overlay, spinner};
use crate::app::model::{LedgerPage, Load, Model};
use crate::app::msg::Choice;
use crate::app::update::{LedgerRow, ledger_rows};
use crate::domain::dissent::{Ledger, Line};
use crate::domain::moment::clock;
use crate::domain::safe::Safe;

/// Columns for the name of a line told at length.
const NAMES: usize = 11;

/// Most rows that one line told at length takes beside others; alone on the page it takes what it needs.
const FOLDED: usize = 2;

/// Below so many columns only a mark says whether a row is open: who holds what needs the room.
const NARROW: u16 = 60;

/// Draws the page.
pub(super) fn draw(model: &Model, page: &LedgerPage, area: Rect, canvas: &mut Canvas<'_>) {
    let left = header::trail(model, [strong(page.spec.to_string()), plain("dissent")]);
    let ledger = match &page.ledger {
        Load::Ready(ledger) => ledger,
        Load::Loading(since) => {
            header::line(nth(area, 0), &left, &[], canvas);
            let waits = clock(model.now.since(*since));
            let line = [piece(spinner::frame(model), Ink::Accent), plain(format!(" reading the ledger {waits}"))];
            canvas.pieces(padded(nth(area, 2)), &line);
            return;
        }
        Load::Failed(failure) => {
            header::line(nth(area, 0), &left, &[], canvas);
            let room = usize::from(area.width).saturating_sub(4);
            let why = Safe::line(&failure.to_string()).to_string();
            for (at, line) in text::wrap(&why, room, 3).into_iter().enumerate() {
                let mark = if at == 0 { "✗ " } else { "  " };
                canvas.pieces(padded(nth(area, 2 + at)), &[piece(mark, Ink::Bad), plain(line)]);
            }
            canvas.pieces(padded(nth(area, 6)), &[dim(Safe::line(&failure.hint()).to_string())]);
            return;
        }
    };
    header::line(nth(area, 0), &left, &[dim(counted(ledger))], canvas);
    let rows = ledger_rows(ledger, page.all);
    let body = below(area, 1);
    let Some(row) = rows.get(page.cursor.min(rows.len().saturating_sub(1))) else {
        nothing(ledger, page, body, canvas);
        return;
    };
    if let Some(skipped) = page.detail {
        let [inner] = panes(page, &[(vec![strong(title(row))], usize::from(body.height))], body, canvas);
        told(&row.at_length()[skipped.min(row.at_length().len() - 1)..], padded(inner), usize::MAX, canvas);
        return;
    }
    let list_title = vec![strong(if page.all { "All" } else { "Open" })];
    let told_rows = row.at_length().len() + 1;
    let wants =
        [(list_title, rows.len().min(usize::from(body.height / 2).max(4))), (vec![strong(title(row))], told_rows)];
    let [list, detail] = panes(page, &wants, body, canvas);
    table(&rows, page.cursor, list, canvas);
    told(&row.at_length(), padded(detail), FOLDED, canvas);
}

/// Draws the panes, and below them the reason where one is typed. Returns where the panes' rows are.
fn panes<const N: usize>(
    page: &LedgerPage,
    wanted: &[(Vec<Piece<'_>>, usize); N],
    area: Rect,
    canvas: &mut Canvas<'_>,
) -> [Rect; N] {
    let is_asking = usize::from(page.asking.is_some());
    let mut wants = vec![Want { least: is_asking, best: is_asking }];
    wants
        .extend(wanted.iter().zip(0..).map(|((_, best), at)| Want { least: if at == 0 { 2 } else { 3 }, best: *best }));
    let heights = share(area.height, &wants, N);
    let mut stack: Vec<Pane<'_>> = wanted
        .iter()
        .zip(heights.iter().skip(1))
        .map(|((title, _), rows)| Pane { title: title.clone(), rows: *rows, ..Pane::default() })
        .collect();
    if let Some(pane) = stack.first_mut().filter(|_| page.detail.is_none()) {
        pane.note = vec![dim(if page.all { "a open only" } else { "a all" })];
    }
    stack.push(Pane {
        title: page.asking.iter().map(|weighed| piece(why(&weighed.choice), Ink::Accent)).collect(),
        note: vec![dim("goes into the record")],
        rows: heights.first().copied().unwrap_or_default(),
    });
    let places = canvas.stack(area, &stack);
    if let (Some(weighed), Some(place)) = (&page.asking, places.last()) {
        overlay::typed(padded(nth(*place, 0)), &weighed.reason, canvas);
    }
    std::array::from_fn(|at| places.get(at).copied().unwrap_or_default())
}

fn why(choice: &Choice) -> &'static str {
    match choice {
        Choice::Waive => "Why you waive it",
        Choice::Reject => "Why you reject it",
        Choice::Accept => "Why you accept it",
        Choice::Take { .. } | Choice::Split | Choice::Undo => "Your reason",
    }
}

fn counted(ledger: &Ledger) -> String {
    let (open, all) = (ledger_rows(ledger, false).len(), ledger_rows(ledger, true).len());
    format!("{open} open, {} closed", all - open)
}

/// Says that nothing is listed, and what there would be.
fn nothing(ledger: &Ledger, page: &LedgerPage, area: Rect, canvas: &mut Canvas<'_>) {
    let all = ledger_rows(ledger, true).len();
    let (first, second) = match all {
        0 => (
            "no dissent: nobody was left on the losing side",
            "it opens when a verdict outvotes an assertion that weighs something",
        ),
        _ => ("nothing is open", "a shows what was closed, accepted or split"),
    };
    let body = below(area, 1);
    canvas.pieces(padded(nth(body, 0)), &[piece("✔ ", Ink::Good), plain(first)]);
    if all == 0 || !page.all {
        canvas.pieces(padded(nth(body, 1)), &[dim(format!("  {second}"))]);
    }
}

/// What a row is about.
fn title(row: &LedgerRow<'_>) -> String {
    let text = match row {
        LedgerRow::Dissent(dissent) => dissent.claim.clone(),
        LedgerRow::Condition(_) => "condition".to_owned(),
        LedgerRow::Split(_) => "split".to_owned(),
    };
    Safe::line(&text).to_string()
}

/// Draws the rows: stage, claim, who holds what; at the end how it stands.
fn table(rows: &[LedgerRow<'_>], cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let room = usize::from(area.height);
    let shown = if rows.len() > room { room.saturating_sub(1).max(1) } else { rows.len() };
    let cursor = cursor.min(rows.len().saturating_sub(1));
    let first = first_shown(cursor, shown, rows.len());
    for (at, row) in rows.iter().enumerate().skip(first).take(shown) {
        let place = nth(area, at - first);
        let (stage, line, state) = match row {
            LedgerRow::Dissent(dissent) => (dissent.opened, dissent.line(), dissent.state()),
            LedgerRow::Condition(condition) => (condition.stage, condition.text.clone(), condition.state()),
            LedgerRow::Split(parted) => (parted.stage, parted.line(), parted.state()),
        };
        let ink = if row.is_open() { Ink::Warn } else { Ink::Dim };
        let left = [
            piece(if at == cursor { " ▸ " } else { "   " }, Ink::Accent),
            piece(if row.is_open() { "○ " } else { "✔ " }, ink),
            dim(format!("{:<10}", stage.name())),
            strong(format!("{}  ", title(row))),
            plain(Safe::line(&line).to_string()),
        ];
        let state = text::fit(Safe::line(&state).as_str(), usize::from(area.width) * 2 / 5).into_owned();
        let state = if area.width < NARROW { String::new() } else { format!("{state} ") };
        canvas.row(place, &left, &[piece(state, ink)]);
        if at == cursor {
            canvas.choose(place);
        }
    }
    if shown < rows.len() {
        canvas.pieces(padded(nth(area, shown)), &[dim(format!("  … {} more", rows.len() - shown))]);
    }
}

/// Draws lines, each folded to so many rows.
fn told(lines: &[Line], area: Rect, folded: usize, canvas: &mut Canvas<'_>) {
    let room = usize::from(area.width).saturating_sub(NAMES).max(8);
    let mut drawn: Vec<(&'static str, String)> = Vec::new();
    for (name, words) in lines {
        let words = Safe::line(words).to_string();
        let folded = folded.min(usize::from(area.height));
        let folded = text::wrap(&words, room, folded).into_iter().map(std::borrow::Cow::into_owned);
        drawn.extend(folded.enumerate().map(|(at, line)| (if at == 0 { *name } else { "" }, line)));
    }
    let height = usize::from(area.height);
    let shown = if drawn.len() > height { height.saturating_sub(1) } else { drawn.len() };
    for (at, (name, line)) in drawn.iter().take(shown).enumerate() {
        canvas.pieces(nth(area, at), &[dim(format!("{name:<NAMES$}")), plain(line.as_str())]);
    }
    if shown < drawn.len() {
        let how = if folded > FOLDED { "j" } else { "Enter all" };
        canvas.pieces(nth(area, shown), &[dim(format!("… {} more lines · {how}", drawn.len() - shown))]);
    }
}
