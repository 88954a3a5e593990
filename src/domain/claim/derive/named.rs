//! Which files and tests a field names.
//!
//! It must not know whether they exist.

use crate::domain::artifact::body::{Cite, Remark};
use crate::domain::claim::lookup::Citation;
use crate::domain::spec::{Spec, requirement_ids};

/// A file that a step or task names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileEntry {
    /// Its path, without marks.
    pub path: String,
    /// Whether it is marked as one to be created.
    pub is_new: bool,
    /// How to look it up.
    pub citation: Citation,
}

/// How an agent marks a file that is to be created.
const NEW_MARKS: [&str; 4] = ["(new)", "[new]", "(new file)", "(to be created)"];

/// Reads an entry of a list of files: ``src/a.rs``, `src/a.rs:40`, `src/b.rs (new)`, `tests/a.rs::burst`, `Pool::get`.
pub(super) fn file_entry(text: &str) -> FileEntry {
    let mut rest = text.trim();
    let mut is_new = false;
    for mark in NEW_MARKS {
        if let Some(head) = rest.strip_suffix(mark) {
            (rest, is_new) = (head.trim(), true);
        }
    }
    if let Some(tail) = rest.strip_prefix("new:") {
        (rest, is_new) = (tail.trim(), true);
    }
    let rest = rest.trim_matches(['`', '"', '\'']);
    let citation = place(rest);
    let path = match &citation {
        Citation::File { path, .. } | Citation::Hunk { path, .. } => path.clone(),
        Citation::Symbol { symbol, path } => path.clone().unwrap_or_else(|| symbol.clone()),
        Citation::Test { id, .. } | Citation::Requirement { id } => id.clone(),
    };
    FileEntry { path, is_new, citation }
}

/// Reads a place: a path, a symbol in a path, or a symbol.
fn place(text: &str) -> Citation {
    if let Some((path, symbol)) = text.split_once("::") {
        return if is_path(path) {
            Citation::Symbol { symbol: symbol.to_owned(), path: Some(clean_path(path)) }
        } else {
            Citation::Symbol { symbol: text.to_owned(), path: None }
        };
    }
    Citation::File { path: clean_path(text), line: None }
}

/// Removes `./`, backquotes and a line number.
fn clean_path(text: &str) -> String {
    let text = match text.rsplit_once(':') {
        Some((path, line)) if !path.is_empty() && line.starts_with(|c: char| c.is_ascii_digit()) => path,
        _ => text,
    };
    text.strip_prefix("./").unwrap_or(text).to_owned()
}

/// A path has a `/`, or an ending of letters after a dot, and no space.
pub(super) fn is_path(text: &str) -> bool {
    let ending = text.rsplit_once('.');
    !text.is_empty()
        && !text.contains(char::is_whitespace)
        && (text.contains('/')
            || ending.is_some_and(|(stem, ending)| {
                !stem.is_empty()
                    && ending.starts_with(|c: char| c.is_ascii_alphabetic())
                    && ending.bytes().all(|b| b.is_ascii_alphanumeric())
            }))
}

/// Tells whether a path leaves the repository, whatever it holds.
pub(super) fn is_outside(path: &str) -> bool {
    let mut depth = 0_i64;
    let escapes = path.split(['/', '\\']).any(|part| {
        depth += match part {
            "" | "." => 0,
            ".." => -1,
            _ => 1,
        };
        depth < 0
    });
    let drive = path.get(1..3).is_some_and(|mark| mark == ":\\" || mark == ":/");
    escapes || drive || path.starts_with(['/', '\\', '~'])
}

/// Reads the tests and files that a validation step or an artifact names: words in backquotes, paths, names with `::`;
/// a text of one word is a name too.
pub(super) fn checks_named(text: &str) -> Vec<(String, Citation)> {
    let text = text.trim();
    let mut named: Vec<(String, Citation)> = Vec::new();
    let alone = !text.contains(char::is_whitespace) && !text.contains('`');
    for (n, part) in text.split('`').enumerate() {
        let quoted = n % 2 == 1 || alone;
        for word in part.split_whitespace() {
            let word = word.trim_matches(|c: char| ",;.()[]\"'".contains(c));
            let whole = quoted && part.trim() == word;
            // In prose only a folder and an ending make a path: `e.g` and `and/or` are words.
            let is_path = word.contains('/') && word.contains('.');
            let is_prose = !(quoted || word.contains("::") || is_path);
            if let Some(citation) = check_named(word, whole).filter(|_| !is_prose)
                && !named.iter().any(|(name, _)| name == word)
            {
                named.push((word.to_owned(), citation));
            }
        }
    }
    named
}

fn check_named(word: &str, whole: bool) -> Option<Citation> {
    if word.starts_with('-') || word.contains("://") {
        return None;
    }
    if let Some((path, _)) = word.split_once("::") {
        return Some(if is_path(path) { place(word) } else { Citation::Test { check: None, id: word.to_owned() } });
    }
    if is_path(word) {
        return Some(place(word));
    }
    let is_name = word.contains('_') && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    (whole && is_name).then(|| Citation::Test { check: None, id: word.to_owned() })
}

/// Turns cited evidence into what is looked up.
pub(super) fn citations(cites: &[Cite]) -> Vec<Citation> {
    cites
        .iter()
        .map(|cite| match cite {
            Cite::File { file, line } => Citation::File { path: clean_path(file), line: *line },
            Cite::Hunk { hunk } => Citation::Hunk { path: clean_path(&hunk.file), line: hunk.line },
            Cite::Symbol { symbol, path } => {
                Citation::Symbol { symbol: symbol.clone(), path: path.as_deref().map(clean_path) }
            }
            Cite::Test { test } => Citation::Test { check: test.check.clone(), id: test.id.clone() },
            Cite::Requirement { requirement } => Citation::Requirement { id: requirement.trim().to_uppercase() },
        })
        .collect()
}

/// What a requirement id of an answer names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// A requirement of the spec, by its own id.
    Known(String),
    /// A story or scenario, which no claim is about.
    Story,
    /// Nothing: the id in upper case.
    Unknown(String),
}

/// Finds the requirement that an id names; an acceptance criterion names its requirement.
pub(super) fn asked(spec: &Spec, id: &str) -> Asked {
    let id = id.trim().trim_matches(['`', '*']).to_uppercase();
    match spec.requirement(&id) {
        Some(requirement) => Asked::Known(requirement.id.clone()),
        None if spec.has_story(&id) => Asked::Story,
        None => Asked::Unknown(id),
    }
}

/// What a risk, remark or audited item is about: the requirement that it cites, or the only one it names, or its words.
pub(super) fn subject(spec: &Spec, text: &str, named: Option<&str>, cites: &[Cite]) -> String {
    let cited = cites.iter().find_map(|cite| match cite {
        Cite::Requirement { requirement } => Some(requirement.as_str()),
        Cite::File { .. } | Cite::Hunk { .. } | Cite::Symbol { .. } | Cite::Test { .. } => None,
    });
    for id in [named, cited].into_iter().flatten() {
        if let Asked::Known(id) = asked(spec, id) {
            return id;
        }
    }
    let mut ids: Vec<String> = requirement_ids(text)
        .iter()
        .filter_map(|id| match asked(spec, id) {
            Asked::Known(id) => Some(id),
            Asked::Story | Asked::Unknown(_) => None,
        })
        .collect();
    ids.dedup();
    match ids.as_slice() {
        [only] => only.clone(),
        _ => text.trim().to_owned(),
    }
}

/// The subject of a remark.
pub(super) fn remark_subject(spec: &Spec, remark: &Remark) -> String {
    subject(spec, &remark.text, remark.requirement.as_deref(), &remark.evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Citation {
        Citation::File { path: path.into(), line: None }
    }

    #[test]
    fn entries_of_file_lists_are_read_with_their_marks() {
        for (text, path, is_new, citation) in [
            ("src/a.rs", "src/a.rs", false, file("src/a.rs")),
            ("`./src/a.rs:40`", "src/a.rs", false, file("src/a.rs")),
            ("src/b.rs (new)", "src/b.rs", true, file("src/b.rs")),
            ("new: src/b.rs", "src/b.rs", true, file("src/b.rs")),
            (
                "tests/a.rs::burst",
                "tests/a.rs",
                false,
                Citation::Symbol { symbol: "burst".into(), path: Some("tests/a.rs".into()) },
            ),
            ("Pool::get", "Pool::get", false, Citation::Symbol { symbol: "Pool::get".into(), path: None }),
        ] {
            assert_eq!(file_entry(text), FileEntry { path: path.into(), is_new, citation }, "{text}");
        }
    }

    #[test]
    fn validation_steps_name_tests_and_files_or_are_prose() {
        let names = |text: &str| checks_named(text).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names("tests/limiter.rs"), ["tests/limiter.rs"]);
        assert_eq!(names("run `limiter::burst` and tests/limiter.rs, twice"), ["limiter::burst", "tests/limiter.rs"]);
        assert_eq!(names("test_burst"), ["test_burst"]);
        assert_eq!(names("`two_nodes_share_counters`"), ["two_nodes_share_counters"]);
        assert_eq!(names("look at it, e.g. by hand"), Vec::<String>::new());
        assert_eq!(names("`cargo test -- --nocapture`"), Vec::<String>::new());
        assert_eq!(names("see https://example.org/a.rs"), Vec::<String>::new());
    }

    #[test]
    fn paths_that_leave_the_repository_are_known_without_looking() {
        for path in ["/etc/passwd", "../x", "a/../../b", "~/x", "C:\\x", "..\\x"] {
            assert!(is_outside(path), "{path}");
        }
        for path in ["a/../b", "./a", "a..b/c", ".env"] {
            assert!(!is_outside(path), "{path}");
        }
    }
}
