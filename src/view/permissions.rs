//! The permission queue: which agents ask, the selected request whole, and what it can be answered.
//!
//! ```text
//!  payments-api › permission queue                                        2 requests wait
//! ┌Asked ──────────────────────────────────────────────────── refused if nobody answers ┐
//! │ ▸ opencode  run a command   touch notes.md                                     01:42 │
//! ├opencode wants to run a command ─────────────────────────────────────── 001 · plan ───┤
//! │ $ touch notes.md                                                                     │
//! ├It offers ────────────────────────────────────────────────────────── goes on record ──┤
//! │ a allow once: Yes                                                                    │
//! └──────────────────────────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{header, trust};
use crate::app::model::{Model, Permission};
use crate::domain::acp::{Choice, Request, Weight};
use crate::domain::moment::clock;

/// Columns below which a row has no room for what kind of thing is asked.
const NARROW: u16 = 60;

/// Draws the queue.
pub(super) fn draw(model: &Model, (cursor, scroll): (usize, usize), area: Rect, canvas: &mut Canvas<'_>) {
    let count = model.permissions.len();
    let right = [dim(if count == 0 { String::new() } else { waiting(count) })];
    header::line(nth(area, 0), &header::trail(model, [strong("permission queue")]), &right, canvas);
    let body = below(area, 1);
    let Some(selected) = model.permissions.get(cursor) else {
        canvas.pieces(padded(nth(body, 1)), &[piece("✔ ", Ink::Good), plain("no agent asks for anything · Esc back")]);
        return;
    };
    let request = &selected.request;
    let room = usize::from(body.width.saturating_sub(4));
    let lines = whole(request, scroll, room);
    let answers = answers(request);
    let wants = [
        Want { least: 1, best: count.min(usize::from(body.height) / 3).max(1) },
        Want { least: 2, best: lines.len().max(2) },
        Want { least: answers.len(), best: answers.len() },
    ];
    let heights = share(body.height, &wants, 1);
    let [asked, what, offers] = heights.as_slice() else { return };
    let who = request.seat.agent.as_str();
    let stack = [
        Pane { title: vec![strong("Asked")], note: vec![dim("refused if nobody answers")], rows: *asked },
        Pane {
            title: vec![strong(format!("{} wants to {}", text::fit(who, 24), request.weight.words()))],
            note: vec![dim(place(model, request))],
            rows: *what,
        },
        Pane { title: vec![strong("It offers")], note: vec![dim("the answer goes on record")], rows: *offers },
    ];
    let places = canvas.stack(body, &stack);
    let [asked, what, offers] = places.as_slice() else { return };
    list(model, cursor, *asked, canvas);
    show(&lines, request, *what, canvas);
    for (at, answer) in answers.iter().enumerate() {
        canvas.pieces(padded(nth(*offers, at)), answer);
    }
}

/// Says how many requests wait; also in the header of a run.
pub(super) fn waiting(count: usize) -> String {
    match count {
        1 => "1 agent asks permission".to_owned(),
        count => format!("{count} requests wait"),
    }
}

fn place(model: &Model, request: &Request) -> String {
    let spec = model.runs.get(&request.seat.run).map(|run| format!("{} · ", text::fit(run.spec.as_str(), 24)));
    format!("{}{}", spec.unwrap_or_default(), request.seat.stage)
}

fn list(model: &Model, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let height = usize::from(area.height);
    let all = model.permissions.len();
    let is_cut = all > height;
    let shown = if is_cut && height > 1 { height - 1 } else { height.min(all) };
    let first = first_shown(cursor, shown, all);
    for (at, (n, one)) in model.permissions.iter().enumerate().skip(first).take(shown).enumerate() {
        let row = nth(area, at);
        let is_chosen = n == cursor;
        canvas.row(row, &asked(one, is_chosen, area.width), &[dim(format!("{} ", clock(one.until.since(model.now))))]);
        if is_chosen {
            canvas.choose(row);
        }
    }
    if is_cut && height > 1 {
        canvas.pieces(padded(nth(area, shown)), &[dim(format!("  … {} more · j k", all - shown))]);
    }
}

fn asked(one: &Permission, is_chosen: bool, width: u16) -> Vec<Piece<'_>> {
    let mark = piece(if is_chosen { " ▸ " } else { "   " }, Ink::Accent);
    let who = plain(format!("{:<10} ", text::fit(one.request.seat.agent.as_str(), 10)));
    let title = one.request.title.as_str();
    let mut pieces = vec![mark, who];
    if width >= NARROW {
        let ink = if one.request.weight == Weight::Look { Ink::Dim } else { Ink::Warn };
        pieces.push(piece(format!("{:<14} ", one.request.weight.words()), ink));
    }
    pieces.push(if is_chosen { strong(title) } else { plain(title) });
    pieces
}

/// The request as lines that fit; nothing of a line is left out.
fn whole(request: &Request, scroll: usize, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = match request.body.is_empty() {
        true => trust::wrapped_whole(request.title.as_str(), room),
        false => request.body.iter().skip(scroll).flat_map(|line| trust::wrapped_whole(line.as_str(), room)).collect(),
    };
    if request.left_out > 0 {
        lines.insert(0, "longer than can be shown whole: it can only be rejected".to_owned());
    }
    lines
}

fn show(lines: &[String], request: &Request, area: Rect, canvas: &mut Canvas<'_>) {
    let height = usize::from(area.height);
    let is_cut = lines.len() > height;
    let shown = if is_cut { height.saturating_sub(1) } else { lines.len() };
    for (at, line) in lines.iter().take(shown).enumerate() {
        let ink = match line.as_bytes().first() {
            Some(b'+') if request.weight == Weight::Change => Ink::Good,
            Some(b'-') if request.weight == Weight::Change => Ink::Bad,
            Some(_) | None => Ink::Plain,
        };
        canvas.pieces(padded(nth(area, at)), &[piece(line.as_str(), ink)]);
    }
    if is_cut {
        canvas.pieces(padded(nth(area, shown)), &[dim(format!("… {} more lines · PageDn", lines.len() - shown))]);
    }
}

/// What it can be answered, by which key, and how the agent calls it.
fn answers(request: &Request) -> Vec<Vec<Piece<'static>>> {
    let offered = |choice: Choice| request.options.get(&choice).map(|offered| offered.name.to_string());
    let line = |key: &'static str, what: &'static str, name: Option<String>| {
        let name = name.map(|name| format!(": {name}")).unwrap_or_default();
        vec![strong(key), plain(format!(" {what}")), dim(name)]
    };
    let mut lines = Vec::new();
    if request.left_out == 0 {
        lines.extend(offered(Choice::AllowOnce).map(|name| line("a", "allow once", Some(name))));
        lines.extend(offered(Choice::AllowAlways).map(|name| line("A", "allow for its session", Some(name))));
    }
    let no = offered(Choice::RejectOnce).or_else(|| offered(Choice::RejectAlways));
    lines.push(line("b", "reject", no));
    lines
}
