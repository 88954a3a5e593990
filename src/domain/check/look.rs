//! The host's own look at what assertions cite: is the file there, has it that line, is the symbol or test anywhere?
//!
//! It must not run anything, nor believe what an agent says about a place: only what the tree shows counts.

use std::collections::{BTreeMap, BTreeSet};

use super::sight::{Sight, Sighting, Sights};
use super::{Changes, Place, Tree};
use crate::domain::claim::lookup::{Citation, Found, Lookups, Means};
use crate::domain::hash::Sha;
use crate::domain::spec::Spec;

/// Longest excerpt of a line, in characters.
const EXCERPT: usize = 200;

/// Looks every citation up in a tree. `spec` is the one that the assertions are about; `apart` are the folders of all
/// specs, which show nothing about code; `changes` are those in question. Where they are `None`, nobody can tell what
/// changed, and a citation of a change is left out unless the tree alone settles it.
pub fn look_up(
    tree: &Tree,
    spec: &Spec,
    apart: &[String],
    changes: Option<&Changes>,
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
    let mut look = Look { tree, spec, changes, leaves: BTreeMap::new() };
    citations.iter().filter_map(|citation| Some((citation.clone(), look.at(&sights, citation)?))).collect()
}

/// One look at a tree.
struct Look<'t> {
    tree: &'t Tree,
    spec: &'t Spec,
    changes: Option<&'t Changes>,
    /// The files that were looked at, by path: each is read once, however many citations lead to it.
    leaves: BTreeMap<String, Leaf<'t>>,
}

/// What citations of one file are held against.
struct Leaf<'t> {
    /// Hash and lines; `None` for what is no text, or not there.
    text: Option<(Sha, Vec<&'t str>)>,
    /// Whether it is there, and git does not know it yet.
    is_new: bool,
}

impl Leaf<'_> {
    fn sha256(&self) -> Option<Sha> {
        self.text.as_ref().map(|(sha, _)| sha.clone())
    }

    /// Returns a line (from 1) as it is shown.
    fn excerpt(&self, line: u32) -> Option<String> {
        let (_, lines) = self.text.as_ref()?;
        let index = usize::try_from(line).ok()?.checked_sub(1)?;
        lines.get(index).map(|line| line.trim().chars().take(EXCERPT).collect())
    }
}

impl<'t> Look<'t> {
    fn at(&mut self, sights: &Sights<'t>, citation: &Citation) -> Option<Found> {
        Some(match citation {
            Citation::File { path, line } => self.file(path, *line),
            Citation::Hunk { path, line } => return self.hunk(path, *line),
            Citation::Symbol { symbol, path: Some(path) } => self.symbol_in(sights, symbol, path),
            Citation::Symbol { symbol, path: None } => match sights.symbol(symbol, &[]) {
                Sighting::Seen(sight) => self.sighted(&sight),
                Sighting::Absent(used) => Found::False { why: absent(symbol, used, sights) },
            },
            Citation::Test { id, .. } => self.test(sights, id),
            Citation::Requirement { id } => self.requirement(id),
        })
    }

    fn leaf(&mut self, path: &str) -> &Leaf<'t> {
        let (tree, changes) = (self.tree, self.changes);
        self.leaves.entry(path.to_owned()).or_insert_with(|| {
            let text = tree.text(path).map(|text| (Sha::of(text), text.lines().collect()));
            Leaf { text, is_new: is_new(tree, changes, path) }
        })
    }

    fn file(&mut self, path: &str, line: Option<u32>) -> Found {
        let path = match cited(self.tree, self.spec, path) {
            Cited::Outside => return Found::Outside,
            Cited::Missing => return Found::Absent,
            Cited::There(path) => path,
        };
        let changes = self.changes;
        let leaf = self.leaf(&path);
        let Some(line) = line else {
            return Found::Seen {
                sha256: leaf.sha256(),
                excerpt: leaf.excerpt(1).unwrap_or_default(),
                place: path,
                by: None,
            };
        };
        let Some((_, lines)) = &leaf.text else {
            return Found::False { why: format!("{path} is no text, so it has no lines") };
        };
        let Some(excerpt) = leaf.excerpt(line) else {
            return Found::False { why: format!("{path} has {} lines, so none is {line}", lines.len()) };
        };
        let hunk = changes.and_then(|changes| changes.hunk(&path, Some(line)));
        let is_changed = leaf.is_new || hunk.is_some_and(|hunk| hunk.lines > 0);
        let by = is_changed.then_some(Means::Hunk);
        Found::Seen { sha256: leaf.sha256(), place: format!("{path}:{line}"), excerpt, by }
    }

    /// Looks for a change: in a file, or at a line of it.
    fn hunk(&mut self, path: &str, line: Option<u32>) -> Option<Found> {
        let path = match cited(self.tree, self.spec, path) {
            Cited::Outside => return Some(Found::Outside),
            // One that was deleted is in the diff and nowhere else.
            Cited::Missing => path.trim_start_matches("./").to_owned(),
            Cited::There(path) => path,
        };
        if self.leaf(&path).is_new {
            // All of it is new, as far as it goes.
            return Some(match self.file(&path, line) {
                Found::Seen { sha256, place, excerpt, .. } => {
                    Found::Seen { sha256, place, excerpt, by: Some(Means::Hunk) }
                }
                other @ (Found::Absent | Found::False { .. } | Found::Outside | Found::Ran { .. }) => other,
            });
        }
        let changes = self.changes?;
        let hunk = changes.hunk(&path, line);
        if hunk.is_none() && (line.is_some() || !changes.files.contains(&path)) {
            let place = line.map_or_else(|| path.clone(), |line| format!("{path}:{line}"));
            let why = match &changes.range {
                Some(range) => format!("the range {range} does not change {place}"),
                None => format!("nothing that is not committed changes {place}"),
            };
            return Some(Found::False { why });
        }
        let at = line.or(hunk.map(|hunk| hunk.line));
        let leaf = self.leaf(&path);
        // What was taken out at the end of a file stood at a line that is no more.
        let excerpt = leaf.excerpt(at.unwrap_or(1)).unwrap_or_default();
        let sha256 = leaf.sha256();
        let place = at.map_or_else(|| path.clone(), |at| format!("{path}:{at}"));
        Some(Found::Seen { sha256, place, excerpt, by: Some(Means::Hunk) })
    }

    fn sighted(&mut self, sight: &Sight<'_>) -> Found {
        self.seen(&sight.place(), Some(sight.by))
    }

    fn seen(&mut self, place: &Place, by: Option<Means>) -> Found {
        let leaf = self.leaf(&place.file);
        Found::Seen {
            sha256: leaf.sha256(),
            excerpt: leaf.excerpt(place.line).unwrap_or_default(),
            place: format!("{}:{}", place.file, place.line),
            by,
        }
    }

    fn symbol_in(&mut self, sights: &Sights<'_>, symbol: &str, path: &str) -> Found {
        match cited(self.tree, self.spec, path) {
            Cited::Outside => Found::Outside,
            Cited::Missing => Found::Absent,
            Cited::There(path) => match sights.in_file(symbol, &path) {
                Some(sight) => self.sighted(&sight),
                None => Found::False { why: format!("{symbol} is not in {path}") },
            },
        }
    }

    fn test(&mut self, sights: &Sights<'_>, id: &str) -> Found {
        if let Cited::There(file) = cited(self.tree, self.spec, id) {
            return self.seen(&Place { file, line: 1 }, None);
        }
        match sights.test(id).filter(|sight| sight.in_test) {
            Some(sight) => self.sighted(&sight),
            None => Found::False { why: format!("no test is called {id}") },
        }
    }

    fn requirement(&mut self, id: &str) -> Found {
        let (spec, id) = (self.spec, id.to_ascii_uppercase());
        let story = spec.stories.iter().find(|s| s.id == id || s.scenarios.iter().any(|c| c.id == id));
        match spec.requirement(&id).map(|r| r.line).or(story.map(|s| s.line)) {
            Some(line) => self.seen(&Place { file: spec.file.clone(), line }, None),
            None => Found::False { why: format!("the spec has no {id}") },
        }
    }
}

/// A path as cited, made relative to the repository.
enum Cited {
    Outside,
    Missing,
    There(String),
}

fn cited(tree: &Tree, spec: &Spec, path: &str) -> Cited {
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
        if tree.files.contains_key(&path) {
            return Cited::There(path);
        }
    }
    Cited::Missing
}

/// Tells whether a file is one that git does not know yet. A history that does not reach back to its first commit may
/// have known any file, unless git was asked how it differs.
fn is_new(tree: &Tree, changes: Option<&Changes>, path: &str) -> bool {
    let Some(history) = tree.history.as_ref().filter(|_| tree.files.contains_key(path)) else { return false };
    let may_be = match changes {
        Some(changes) => changes.range.is_none() && !changes.files.contains(path),
        None => history.whole,
    };
    may_be && history.dirty.contains(path) && history.last(path).is_none()
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
