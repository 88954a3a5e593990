//! The gate dialog: the open questions, the selected one with its answers, and what the answer at hand changes.
//!
//! ```text
//!  YOUR CALL 1   003-rate-limiter before plan              1 critical · 2 important · 3 minor
//! ┌Asked ────────────────────────────────────────────────────────────────────────────────────┐
//! │ ▸ critical   FR-003  how long?                                                spec.md:31 │
//! ├Question ─────────────────────────────────────────────────────────────────────── clarify ─┤
//! ├Your answer ────────────────────────────────────────────────────────── signed, on record ─┤
//! ├spec.md with it ──────────────────────────────────────────────────────── the old is kept ─┤
//! └──────────────────────────────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{header, overlay, spinner};
use crate::app::model::{GateDialog, Model, Saying};
use crate::app::update::{open_issues, preview};
use crate::domain::gate::{Edit, Issue, Magnitude, grade};
use crate::domain::safe::Safe;

/// Most rows of a question's words.
const WORDS_MAX: usize = 3;

/// Columns from which the head has room for the score.
const ROOMY: u16 = 100;

/// Columns below which the head has no room for counts.
const NARROW: u16 = 60;

/// Draws the dialog.
pub(super) fn draw(model: &Model, dialog: &GateDialog, area: Rect, canvas: &mut Canvas<'_>) {
    let issues = open_issues(model, dialog);
    head(model, dialog, &issues, area, canvas);
    let body = below(area, 1);
    let Some(issue) = issues.get(dialog.cursor) else {
        let line = if dialog.busy {
            vec![piece(spinner::frame(model), Ink::Accent), plain(" the gates are being held · Esc back")]
        } else {
            vec![piece("✔ ", Ink::Good), plain("nothing is open · u takes back what was said last · Esc back")]
        };
        canvas.pieces(padded(nth(body, 1)), &line);
        return;
    };
    let room = usize::from(body.width.saturating_sub(4));
    let question = question(issue, room);
    let change = preview(issue, dialog);
    let diff = diff(change.as_ref(), room);
    let wants = [
        Want { least: 1, best: issues.len().min(usize::from(body.height) / 3).max(1) },
        Want { least: 2.min(question.len()), best: question.len() },
        Want { least: 1, best: 1 },
        Want { least: 1, best: diff.len().max(1) },
    ];
    let heights = share(body.height, &wants, 0);
    let [asked, words, answer, after] = heights.as_slice() else { return };
    let of_file = change.as_ref().map_or(issue.place.file.as_str(), |edit| edit.file.as_str());
    let name = Safe::line(of_file.rsplit('/').next().unwrap_or(of_file)).to_string();
    let by = if model.boot.user.is_empty() { "you" } else { model.boot.user.as_str() };
    let (title, ink) = match dialog.saying {
        Some(Saying::Reason) => ("Why it can wait", Ink::Accent),
        Some(Saying::Answer) => ("Your answer", Ink::Accent),
        None => ("Your answer", Ink::Plain),
    };
    let stack = [
        Pane {
            title: vec![strong("Asked")],
            note: vec![dim(text::count(issues.len(), "open question"))],
            rows: *asked,
        },
        Pane {
            title: vec![strong("Question")],
            note: vec![dim(issue.gate.name()), dim(format!(" {}", issue.id))],
            rows: *words,
        },
        Pane {
            title: vec![piece(title, ink)],
            note: vec![dim(format!("goes into the record, signed {}", Safe::line(by)))],
            rows: *answer,
        },
        Pane { title: vec![strong(format!("{name} with it"))], note: vec![dim("the old text is kept")], rows: *after },
    ];
    let places = canvas.stack(body, &stack);
    let [asked, words, answer, after] = places.as_slice() else { return };
    list(dialog, &issues, *asked, canvas);
    lines(&question, *words, canvas);
    said(model, dialog, issue, padded(nth(*answer, 0)), canvas);
    lines(&diff, *after, canvas);
}

fn head(model: &Model, dialog: &GateDialog, issues: &[&Issue], area: Rect, canvas: &mut Canvas<'_>) {
    let count = |magnitude: Magnitude| issues.iter().filter(|issue| issue.magnitude == magnitude).count();
    let critical = count(Magnitude::Critical);
    let badge = match critical {
        0 => piece(" GATES ", Ink::BadgeNote),
        n => piece(format!(" YOUR CALL {n} "), Ink::BadgeWarn),
    };
    let waits = dialog.run.as_ref().and_then(|run| model.runs.get(run)).filter(|run| run.phase.is_live());
    let why = waits.map(|run| format!(" · {} waits for it", run.stage)).unwrap_or_default();
    let left = [badge, plain("  "), strong(dialog.spec.to_string()), plain(why)];
    let scores = model.gates.get(&dialog.spec).and_then(|held| held.scores).filter(|_| area.width >= ROOMY);
    let score = scores.map(|s| format!("checklist {} of 100 ({}) · ", s.overall, grade(s.overall))).unwrap_or_default();
    let counts = format!(
        "{score}{critical} critical · {} important · {} minor",
        count(Magnitude::Important),
        count(Magnitude::Minor)
    );
    let is_known = model.gates.contains_key(&dialog.spec);
    let right = if area.width < NARROW || !is_known { Vec::new() } else { vec![dim(counts)] };
    header::line(nth(area, 0), &left, &right, canvas);
}

fn weight(magnitude: Magnitude) -> Piece<'static> {
    let ink = match magnitude {
        Magnitude::Critical => Ink::Bad,
        Magnitude::Important => Ink::Warn,
        Magnitude::Minor => Ink::Dim,
    };
    piece(format!("{:<10} ", magnitude.word()), ink)
}

fn list(dialog: &GateDialog, issues: &[&Issue], area: Rect, canvas: &mut Canvas<'_>) {
    let height = usize::from(area.height);
    let is_cut = issues.len() > height;
    let shown = if is_cut && height > 1 { height - 1 } else { height.min(issues.len()) };
    let first = first_shown(dialog.cursor, shown, issues.len());
    for (at, (n, issue)) in issues.iter().enumerate().skip(first).take(shown).enumerate() {
        let row = nth(area, at);
        let is_chosen = n == dialog.cursor;
        let mark = piece(if is_chosen { " ▸ " } else { "   " }, Ink::Accent);
        let words = if is_chosen { strong(issue.ask.as_str()) } else { plain(issue.ask.as_str()) };
        let file = issue.place.file.rsplit('/').next().unwrap_or_default();
        let place = dim(format!("{}:{} ", Safe::line(file), issue.place.line));
        canvas.row(row, &[mark, weight(issue.magnitude), words], &[place]);
        if is_chosen {
            canvas.choose(row);
        }
    }
    if is_cut && height > 1 {
        canvas.pieces(padded(nth(area, shown)), &[dim(format!("  … {} more · j k", issues.len() - shown))]);
    }
}

/// The question, the words that it is about, and the answers to choose from: a row each.
fn question(issue: &Issue, room: usize) -> Vec<Vec<Piece<'static>>> {
    let wrapped = |words: &str| -> Vec<String> {
        text::wrap(words, room, WORDS_MAX).into_iter().map(std::borrow::Cow::into_owned).collect()
    };
    let mut rows: Vec<Vec<Piece<'static>>> =
        wrapped(issue.ask.as_str()).into_iter().map(|line| vec![strong(line)]).collect();
    if !issue.context.as_str().is_empty() {
        let quoted = format!("\"{}\"", issue.context);
        rows.extend(wrapped(&quoted).into_iter().map(|line| vec![dim(line)]));
    }
    for (n, choice) in (1..).zip(&issue.choices) {
        rows.push(vec![piece(format!("{n} "), Ink::Accent), plain(choice.words.to_string())]);
    }
    rows
}

fn said(model: &Model, dialog: &GateDialog, issue: &Issue, row: Rect, canvas: &mut Canvas<'_>) {
    if dialog.busy {
        canvas.pieces(row, &[piece(spinner::frame(model), Ink::Accent), plain(" being written")]);
        return;
    }
    if dialog.saying.is_some() {
        overlay::typed(row, &dialog.words, canvas);
        return;
    }
    if let Some(choice) = dialog.choice.and_then(|at| issue.choices.get(at)) {
        let line = [piece("● ", Ink::Good), plain(choice.words.to_string()), dim("   Enter applies it")];
        canvas.pieces(row, &line);
        return;
    }
    let mut hints = Vec::new();
    if !issue.choices.is_empty() {
        let numbers = if issue.choices.len() == 1 { "1".to_owned() } else { format!("1 to {}", issue.choices.len()) };
        hints.extend([piece(numbers, Ink::Accent), dim(" chooses   ")]);
    }
    if issue.slot.is_some() {
        hints.extend([piece("e", Ink::Accent), dim(" own words   ")]);
    }
    if hints.is_empty() {
        hints.extend([dim("only an edit by hand helps: "), piece("o", Ink::Accent), dim(" opens it   ")]);
    }
    hints.extend([piece("d", Ink::Accent), dim(" puts it off, with a reason")]);
    canvas.pieces(row, &hints);
}

fn diff(edit: Option<&Edit>, room: usize) -> Vec<Vec<Piece<'static>>> {
    let Some(edit) = edit else { return vec![vec![dim("choose or write an answer to see what it changes")]] };
    let mut rows = Vec::new();
    for line in edit.diff() {
        let ink = if line.starts_with('-') { Ink::Bad } else { Ink::Good };
        let clean = Safe::line(&line).to_string();
        let words = text::wrap(&clean, room, WORDS_MAX + 1);
        rows.extend(words.into_iter().map(|line| vec![piece(line.into_owned(), ink)]));
    }
    rows
}

fn lines(rows: &[Vec<Piece<'static>>], area: Rect, canvas: &mut Canvas<'_>) {
    let height = usize::from(area.height);
    let shown = if rows.len() > height { height.saturating_sub(1) } else { rows.len() };
    for (at, row) in rows.iter().take(shown).enumerate() {
        canvas.pieces(padded(nth(area, at)), row);
    }
    if shown < rows.len() {
        canvas.pieces(padded(nth(area, shown)), &[dim(format!("… {} more", rows.len() - shown))]);
    }
}
