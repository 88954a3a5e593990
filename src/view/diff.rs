//! A diff hunk by hunk, from the selected one on: which are taken, and what each one changes; where there is room, old
//! and new side by side.
//!
//! Only what is visible is laid out: a diff may have ten thousand hunks. It must not know what is done with them.

use ratatui::layout::Rect;

use super::canvas::{Canvas, nth};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use crate::domain::check::Asked;
use crate::domain::hunks::{Diff, Hunk, Kind};
use crate::domain::safe::Safe;

/// Most characters of a line that are looked at: more never fits on a screen.
const LINE_MAX: usize = 1_000;

/// How a tab is shown.
const TAB: &str = "    ";

/// What is shown of a diff.
pub(super) struct Shown<'m> {
    pub(super) diff: &'m Diff,
    /// The hunk at the top.
    pub(super) first: usize,
    /// Whether a hunk is taken.
    pub(super) is_taken: &'m dyn Fn(&Hunk) -> bool,
    /// Whether a hunk is one that no task asked for.
    pub(super) is_extra: &'m dyn Fn(&Hunk) -> bool,
    /// Whose hunks they are.
    pub(super) whose: &'m str,
    /// What the tasks ask for.
    pub(super) asked: &'m Asked<'m>,
    /// Whether old and new stand side by side.
    pub(super) beside: bool,
}

/// Draws as many hunks as fit.
pub(super) fn draw(shown: &Shown<'_>, area: Rect, canvas: &mut Canvas<'_>) {
    let mut at = 0;
    for (n, hunk) in shown.diff.hunks().iter().enumerate().skip(shown.first) {
        if at >= usize::from(area.height) {
            break;
        }
        heading(shown, hunk, (n == shown.first, nth(area, at)), canvas);
        at += 1;
        let rest = usize::from(area.height).saturating_sub(at);
        let rows: Box<dyn Iterator<Item = (Option<&str>, Option<&str>)>> = if shown.beside {
            Box::new(pairs(body(shown.diff, hunk)))
        } else {
            Box::new(single(body(shown.diff, hunk)))
        };
        for (old, new) in rows.take(rest) {
            row((old, new), shown.beside, nth(area, at), canvas);
            at += 1;
        }
    }
}

/// Says which hunk it is, who asked for it, and whether it is taken.
fn heading(shown: &Shown<'_>, hunk: &Hunk, (is_first, line): (bool, Rect), canvas: &mut Canvas<'_>) {
    let tasks = shown.asked.tasks(&shown.diff.shown(hunk));
    let by: Vec<&str> = tasks.iter().flatten().map(|task| task.id.as_str()).collect();
    let for_what = tasks.iter().flatten().flat_map(|task| &task.requirements).map(String::as_str);
    let mut words: Vec<&str> = Vec::new();
    for word in for_what.chain(by) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let words = if (shown.is_extra)(hunk) { "nobody asked for it".to_owned() } else { words.join(" ") };
    let left = [
        piece(if is_first { "▸ " } else { "  " }, Ink::Accent),
        strong(Safe::line(&hunk.place()).to_string()),
        dim(format!("  {}", Safe::line(&words))),
    ];
    let taken = match (shown.is_taken)(hunk) {
        true => piece(format!("☑ take from {}", shown.whose), Ink::Good),
        false => piece("☐ left out", Ink::Warn),
    };
    canvas.row(line, &left, &[taken]);
}

/// The lines that a hunk changes, with those around them; of a whole file without lines, what happens to it.
fn body<'d>(diff: &'d Diff, hunk: &Hunk) -> impl Iterator<Item = &'d str> {
    let text = &diff.text()[hunk.at.clone()];
    let is_whole = hunk.kind == Kind::File;
    let mut inside = false;
    text.split('\n').filter(move |line| {
        let was = inside;
        inside |= line.starts_with("@@ ");
        let says = ["new file", "deleted file", "old mode", "new mode", "Binary files"];
        (was && !line.starts_with('\\') && !line.is_empty())
            || (is_whole && !inside && says.iter().any(|start| line.starts_with(start)))
    })
}

fn single<'d>(lines: impl Iterator<Item = &'d str>) -> impl Iterator<Item = (Option<&'d str>, Option<&'d str>)> {
    lines.map(|line| (Some(line), None))
}

/// Puts what is gone beside what stands for it.
fn pairs<'d>(lines: impl Iterator<Item = &'d str>) -> impl Iterator<Item = (Option<&'d str>, Option<&'d str>)> {
    let mut lines = lines.peekable();
    let mut waiting: std::collections::VecDeque<(Option<&str>, Option<&str>)> = std::collections::VecDeque::new();
    std::iter::from_fn(move || {
        if let Some(pair) = waiting.pop_front() {
            return Some(pair);
        }
        let line = lines.next()?;
        if !line.starts_with(['-', '+']) {
            return Some((Some(line), Some(line)));
        }
        let (mut old, mut new) = (Vec::new(), Vec::new());
        if line.starts_with('-') { &mut old } else { &mut new }.push(line);
        while let Some(line) = lines.next_if(|line| line.starts_with('-') && new.is_empty()) {
            old.push(line);
        }
        while let Some(line) = lines.next_if(|line| line.starts_with('+')) {
            new.push(line);
        }
        let rows = old.len().max(new.len());
        waiting.extend((0..rows).map(|at| (old.get(at).copied(), new.get(at).copied())));
        waiting.pop_front()
    })
}

fn row((old, new): (Option<&str>, Option<&str>), beside: bool, area: Rect, canvas: &mut Canvas<'_>) {
    if !beside {
        canvas.pieces(area, &[inked(old.unwrap_or_default())]);
        return;
    }
    let half = area.width.saturating_sub(1) / 2;
    canvas.pieces(Rect { width: half, ..area }, &[inked(old.unwrap_or_default())]);
    canvas.put(area.x + half, area.y, 1, "│", Ink::Frame);
    let right = Rect { x: area.x + half + 1, width: area.width.saturating_sub(half + 1), ..area };
    canvas.pieces(right, &[inked(new.unwrap_or_default())]);
}

fn inked(line: &str) -> Piece<'static> {
    let cut: String = line.chars().take(LINE_MAX).collect();
    let words = Safe::line(&cut.replace('\t', TAB)).to_string();
    match line.as_bytes().first() {
        Some(b'+') => piece(words, Ink::Good),
        Some(b'-') => piece(words, Ink::Bad),
        Some(b' ') => plain(words),
        _ => dim(words),
    }
}

/// Says how many of some hunks are taken.
pub(super) fn counted(taken: usize, of: usize) -> String {
    if taken == of { text::count(of, "hunk") } else { format!("{taken} of {}", text::count(of, "hunk")) }
}
