//! Reads a task list: `- [x] T001 [P] [US1] Title with paths`, or headings or rows that start with a task id.
//!
//! It must not know whether a ticked task is done.

use super::Task;
use super::markdown::{Kind, Line, body_of, lines};
use super::names::named;
use super::requirements::plain;

/// Reads the tasks of a list, the first of each id. Boxes count where there are any; else headings, else list items and
/// rows that start with an id. Boxes without ids count only in a list that has no ids at all.
pub fn parse_tasks(text: &str) -> Vec<Task> {
    let lines = lines(text);
    for shape in [boxed, headed, listed, unnamed] {
        let mut found: Vec<Task> = Vec::new();
        for at in 0..lines.len() {
            if let Some(task) = shape(&lines, at).filter(|t| found.iter().all(|f| f.id != t.id)) {
                found.push(task);
            }
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

fn boxed(lines: &[Line<'_>], at: usize) -> Option<Task> {
    let Kind::Item { ticked: Some(ticked), text } = lines[at].kind else { return None };
    let (id, rest) = task_id(text)?;
    Some(task(lines, at, id, ticked || is_struck(text), rest))
}

fn headed(lines: &[Line<'_>], at: usize) -> Option<Task> {
    let Kind::Heading { text, .. } = lines[at].kind else { return None };
    let (id, rest) = task_id(text).filter(|(id, _)| id.starts_with('T'))?;
    let body = body_of(lines, at);
    let status = body.iter().map(Line::words).find(|w| plain(w).to_lowercase().starts_with("status"));
    let done = says_done(text) || status.is_some_and(|s| says_done(&s));
    Some(task(lines, at, id, done, rest))
}

fn listed(lines: &[Line<'_>], at: usize) -> Option<Task> {
    match &lines[at].kind {
        Kind::Item { ticked: None, text } => {
            let (id, rest) = task_id(text).filter(|(id, _)| id.starts_with('T'))?;
            let is_reference = rest.starts_with(['-', '→', ',', '–', '|', '&']);
            (!is_reference && rest.len() > 3).then(|| task(lines, at, id, says_done(text), rest))
        }
        Kind::Row(cells) => rowed(lines, at, cells),
        Kind::Item { .. } | Kind::Heading { .. } | Kind::Text(_) | Kind::Blank => None,
    }
}

/// Reads a row whose first cell, or the one after its number, is a task id: `| 1 | T001 | Title | Done |`.
fn rowed(lines: &[Line<'_>], at: usize, cells: &[&str]) -> Option<Task> {
    let (place, (id, rest)) = cells
        .iter()
        .take(2)
        .enumerate()
        .find_map(|(n, cell)| task_id(cell).filter(|(id, _)| id.starts_with('T')).map(|found| (n, found)))?;
    let rest = std::iter::once(rest).chain(cells[place + 1..].iter().copied()).filter(|c| !c.is_empty());
    let rest = rest.collect::<Vec<_>>().join(" | ");
    let done = match status_column(lines, at) {
        Some(column) => cells.get(column).is_some_and(|cell| says_done(cell)),
        None => says_done(&cells.join(" | ")),
    };
    (rest.len() > 3).then(|| task(lines, at, id, done, &rest))
}

/// Returns which column of the table around a row is its status.
fn status_column(lines: &[Line<'_>], at: usize) -> Option<usize> {
    let rows = lines[..at].iter().rev().map_while(|l| match &l.kind {
        Kind::Row(cells) => Some(cells),
        Kind::Item { .. } | Kind::Heading { .. } | Kind::Text(_) | Kind::Blank => None,
    });
    let is_status = |c: &&str| matches!(plain(c).to_lowercase().as_str(), "status" | "state" | "done" | "done?");
    rows.last()?.iter().position(is_status)
}

fn unnamed(lines: &[Line<'_>], at: usize) -> Option<Task> {
    let Kind::Item { ticked: Some(ticked), text } = lines[at].kind else { return None };
    Some(task(lines, at, format!("line-{}", lines[at].number), ticked, text))
}

fn task(lines: &[Line<'_>], at: usize, id: String, done: bool, rest: &str) -> Task {
    let mut title = rest.to_owned();
    for below in body_of(lines, at) {
        let words = below.words();
        if !words.is_empty() && title.len() < TITLE_MAX {
            title.push(' ');
            title.push_str(&words);
        }
    }
    let title: String = plain(&title).chars().take(TITLE_MAX).collect();
    let found = named(&title);
    Task {
        id,
        done,
        parallel: title.contains("[P]"),
        title,
        requirements: found.requirements,
        files: found.files,
        symbols: found.symbols,
        tests: found.tests,
        line: lines[at].number,
    }
}

/// Longest text kept of one task, in bytes.
const TITLE_MAX: usize = 1_000;

/// Splits `**T001** [P] words` into id and words. Ids: `T001`, `T-1`, `T1.2`, `T001a`, `TASK-001`, `1.2`, `1.`.
fn task_id(text: &str) -> Option<(String, &str)> {
    let body = text.trim_start_matches(['*', '_', '`', '[', '~', '✅', ' ']);
    let body = ["Task ", "TASK "].iter().find_map(|p| body.strip_prefix(p)).unwrap_or(body);
    let prefix = ["TASK-", "Task-", "T-", "T", ""]
        .into_iter()
        .find(|p| body.strip_prefix(p).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())))?;
    let rest = &body[prefix.len()..];
    let length = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
    let number = rest[..length].trim_end_matches('.');
    let letter = rest[number.len()..].bytes().take(1).filter(u8::is_ascii_alphabetic).count();
    let end = prefix.len() + number.len() + letter;
    let after = &body[end..];
    if after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    // A bare number is an id only as `1.2` or `3.`: `3 retries` is prose.
    if prefix.is_empty() && !number.contains('.') && !after.starts_with('.') {
        return None;
    }
    let after = after.trim_start_matches(['*', '_', '`', ']', '~', ':', '.', ')']).trim_start();
    Some((body[..end].to_owned(), after.trim_start_matches([':', '—', '*', ' ', '|']).trim()))
}

fn is_struck(text: &str) -> bool {
    text.starts_with("~~") && text.trim_end().ends_with("~~")
}

fn says_done(text: &str) -> bool {
    let lower = text.to_lowercase();
    ["✅", "✔", "☑", "[x]"].iter().any(|m| lower.contains(m))
        || lower.split(|c: char| !c.is_alphanumeric()).any(|w| matches!(w, "done" | "completed" | "complete"))
            && !lower.contains("not ")
            && !lower.contains("incomplete")
}
