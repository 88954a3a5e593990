//! The host's own look at what assertions cite: is the file there, has it that line, is the symbol or test anywhere?
//!
//! It must not run anything, nor believe what an agent says about a place: only what the tree shows counts.

use std::collections::BTreeSet;

use super::sight::{Sight, Sighting, Sights};
use super::{Changes, FileText, Place, Tree};
use crate::domain::claim::lookup::{Citation, Found, Lookups, Means};
use crate::domain::hash::Sha;
use crate::domain::spec::Spec;

/// Longest excerpt of a line, in characters.
const EXCERPT: usize = 200;

/// Looks every citation up in a tree. `spec` is the one that the assertions are about; `apart` are the folders of all
/// specs, which show nothing about code; `changes` are those in question.
pub fn look_up(
    tree: &Tree,
    spec: &Spec,
    apart: &[String],
    changes: &Changes,
    citations: &BTreeSet<Citation>,
) -> Lookups {
    let wanted: BTreeSet<String> = citations
        .iter()
        .filter_map(|citation| match citation {
            Citation::Symbol { symbol, .. } => Some(symbol.clone()),
            Citation::Test { id, .. } => Some(id.clone()),
            Citation::File { .. } | Citation::Hunk { .. } | Citation::Requirement { .. } => None,
        })
        .collect();
    let sights = Sights::of(tree, &wanted, apart);
    citations.iter().map(|citation| (citation.clone(), look_at((tree, changes), spec, &sights, citation))).collect()
}

fn look_at((tree, changes): (&Tree, &Changes), spec: &Spec, sights: &Sights<'_>, citation: &Citation) -> Found {
    match citation {
        Citation::File { path, line } => file((tree, changes), spec, path, *line),
        Citation::Hunk { path, line } => hunk((tree, changes), spec, path, *line),
        Citation::Symbol { symbol, path } => match path {
            Some(path) => symbol_in(tree, spec, sights, symbol, path),
            None => match sights.symbol(symbol, &[]) {
                Sighting::Seen(sight) => sighted(tree, &sight),
                Sighting::Absent(used) => Found::False { why: absent(symbol, used, sights) },
            },
        },
        Citation::Test { id, .. } => test(tree, spec, sights, id),
        Citation::Requirement { id } => requirement(tree, spec, id),
    }
}

/// A path as cited, made relative to the repository.
enum Cited<'t> {
    Outside,
    Missing,
    There(String, &'t FileText),
}

fn cited<'t>(tree: &'t Tree, spec: &Spec, path: &str) -> Cited<'t> {
    let mut parts: Vec<&str> = Vec::new();
    let is_absolute = path.starts_with(['/', '~', '\\']) || path.get(1..3).is_some_and(|p| p == ":\\" || p == ":/");
    if is_absolute || path.contains('\0') {
        return Cited::Outside;
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => return Cited::Outside,
            ".." => {}
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    for path in [path.clone(), format!("{}/{path}", spec.dir)] {
        if let Some(file) = tree.files.get(&path) {
            return Cited::There(path, file);
        }
    }
    Cited::Missing
}

fn file((tree, changes): (&Tree, &Changes), spec: &Spec, path: &str, line: Option<u32>) -> Found {
    let (path, file) = match cited(tree, spec, path) {
        Cited::Outside => return Found::Outside,
        Cited::Missing => return Found::Absent,
        Cited::There(path, file) => (path, file),
    };
    let Some(text) = file.as_text() else {
        return match line {
            Some(_) => Found::False { why: format!("{path} is no text, so it has no lines") },
            None => Found::Seen { sha256: None, place: path, excerpt: String::new(), by: None },
        };
    };
    let number = line.unwrap_or(1);
    let index = usize::try_from(number).unwrap_or(usize::MAX).checked_sub(1);
    let excerpt = index.and_then(|i| text.lines().nth(i));
    match (line, excerpt) {
        (None, excerpt) => {
            Found::Seen { sha256: Some(Sha::of(text)), place: path, excerpt: cut(excerpt.unwrap_or("")), by: None }
        }
        (Some(line), Some(excerpt)) => {
            let by = is_changed(tree, changes, &path, line).then_some(Means::Hunk);
            Found::Seen { sha256: Some(Sha::of(text)), place: format!("{path}:{line}"), excerpt: cut(excerpt), by }
        }
        (Some(line), None) => {
            Found::False { why: format!("{path} has {} lines, so none is {line}", text.lines().count()) }
        }
    }
}

/// Looks for a change: in a file, or at a line of it.
fn hunk((tree, changes): (&Tree, &Changes), spec: &Spec, path: &str, line: Option<u32>) -> Found {
    // One that was deleted is in the diff and nowhere else.
    let (path, text) = match cited(tree, spec, path) {
        Cited::Outside => return Found::Outside,
        Cited::Missing => (path.trim_start_matches("./").to_owned(), None),
        Cited::There(path, file) => (path, file.as_text()),
    };
    let is_new = |line: Option<u32>| is_changed(tree, changes, &path, line.unwrap_or(1));
    let hunk = changes.hunk(&path, line);
    if hunk.is_none() && (line.is_some() || !changes.files.contains(&path)) && !is_new(line) {
        let place = line.map_or_else(|| path.clone(), |line| format!("{path}:{line}"));
        return Found::False {
            why: match &changes.range {
                Some(range) => format!("the range {range} does not change {place}"),
                None => format!("nothing that is not committed changes {place}"),
            },
        };
    }
    let at = line.or(hunk.map(|hunk| hunk.line));
    let index = at.map_or(0, |at| usize::try_from(at).unwrap_or(usize::MAX).saturating_sub(1));
    let excerpt = text.and_then(|text| text.lines().nth(index)).unwrap_or_default();
    let place = at.map_or_else(|| path.clone(), |at| format!("{path}:{at}"));
    Found::Seen { sha256: text.map(Sha::of), place, excerpt: cut(excerpt), by: Some(Means::Hunk) }
}

/// Tells whether a line is new: it stands in a hunk, or in a file that git does not know yet.
fn is_changed(tree: &Tree, changes: &Changes, path: &str, line: u32) -> bool {
    if changes.range.is_none() && !changes.hunks.iter().any(|hunk| hunk.file == path) {
        return tree.history.as_ref().is_some_and(|h| h.dirty.contains(path) && h.last(path).is_none());
    }
    changes.hunk(path, Some(line)).is_some_and(|hunk| hunk.lines > 0)
}

/// Says how far one must believe that a symbol is not there.
fn absent(symbol: &str, used: Option<Place>, sights: &Sights<'_>) -> String {
    let by = match sights.absent_by() {
        Means::Parsed => "",
        Means::Text | Means::Hunk => " (part of it was read as text)",
    };
    match used {
        Some(Place { file, line }) => format!("{symbol} is defined nowhere in the code, only used: {file}:{line}{by}"),
        None => format!("{symbol} is nowhere in the code{by}"),
    }
}

fn sighted(tree: &Tree, sight: &Sight<'_>) -> Found {
    seen_as(tree, &sight.place(), Sha::of(tree.text(sight.file).unwrap_or_default()), Some(sight.by))
}

fn seen(tree: &Tree, place: &Place) -> Found {
    seen_as(tree, place, Sha::of(tree.text(&place.file).unwrap_or_default()), None)
}

fn seen_as(tree: &Tree, place: &Place, sha: Sha, by: Option<Means>) -> Found {
    let text = tree.text(&place.file).unwrap_or_default();
    let index = usize::try_from(place.line).unwrap_or(1).saturating_sub(1);
    Found::Seen {
        sha256: Some(sha),
        place: format!("{}:{}", place.file, place.line),
        excerpt: cut(text.lines().nth(index).unwrap_or("")),
        by,
    }
}

fn cut(line: &str) -> String {
    line.trim().chars().take(EXCERPT).collect()
}

fn symbol_in(tree: &Tree, spec: &Spec, sights: &Sights<'_>, symbol: &str, path: &str) -> Found {
    match cited(tree, spec, path) {
        Cited::Outside => Found::Outside,
        Cited::Missing => Found::Absent,
        Cited::There(path, _) => match sights.in_file(symbol, &path) {
            Some(sight) => sighted(tree, &sight),
            None => Found::False { why: format!("{symbol} is not in {path}") },
        },
    }
}

fn test(tree: &Tree, spec: &Spec, sights: &Sights<'_>, id: &str) -> Found {
    if let Cited::There(path, _) = cited(tree, spec, id) {
        return seen(tree, &Place { file: path, line: 1 });
    }
    match sights.test(id).filter(|sight| sight.in_test) {
        Some(sight) => sighted(tree, &sight),
        None => Found::False { why: format!("no test is called {id}") },
    }
}

fn requirement(tree: &Tree, spec: &Spec, id: &str) -> Found {
    let id = id.to_ascii_uppercase();
    let story = spec.stories.iter().find(|s| s.id == id || s.scenarios.iter().any(|c| c.id == id));
    match spec.requirement(&id).map(|r| r.line).or(story.map(|s| s.line)) {
        Some(line) => seen_as(tree, &Place { file: spec.file.clone(), line }, spec.sha.clone(), None),
        None => Found::False { why: format!("the spec has no {id}") },
    }
}
