//! Changes that nobody asked for: hunks of a diff held against what tasks name.
//!
//! It must not run git: it is given the text of `git diff`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::domain::range::Range;

use super::{Finding, Place, Rule, Seen};
use crate::domain::safe::Safe;
use crate::domain::spec::Spec;

/// One hunk of a diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunk {
    /// The file after the change, or before it if it was deleted.
    pub file: String,
    /// First changed line, from 1, in the file after the change.
    pub line: u32,
    /// How many lines the change has there.
    pub lines: u32,
    /// The added and removed lines, and the words that git puts after `@@`.
    pub text: String,
}

/// A range that git resolved, with its diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// What it is.
    pub range: Range,
    /// Its diff, without context lines.
    pub diff: String,
}

/// The changes that are in question: of a range, or else what is not committed yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What they are called, for a range.
    pub range: Option<String>,
    /// Every file that changed, also where no line can be shown (a binary one).
    pub files: BTreeSet<String>,
    /// The changed lines.
    pub hunks: Vec<Hunk>,
}

impl Changes {
    /// Takes in a range.
    pub fn of_range(range: &Range, diff: &str) -> Self {
        Self { range: Some(range.ends.short()), files: range.files.keys().cloned().collect(), hunks: hunks(diff) }
    }

    /// Takes in what is not committed.
    pub fn uncommitted(diff: &str) -> Self {
        let hunks = hunks(diff);
        Self { range: None, files: hunks.iter().map(|hunk| hunk.file.clone()).collect(), hunks }
    }

    /// Finds the hunk of a file that a line stands in, or beside which it was taken out; without a line, its first.
    pub(super) fn hunk(&self, path: &str, line: Option<u32>) -> Option<&Hunk> {
        let mut of_file = self.hunks.iter().filter(|hunk| hunk.file == path);
        let Some(line) = line else { return of_file.next() };
        // What was taken out stood after the line that git names.
        let last = |hunk: &Hunk| hunk.line.saturating_add(if hunk.lines == 0 { 1 } else { hunk.lines - 1 });
        of_file.find(|hunk| (hunk.line..=last(hunk)).contains(&line))
    }
}

/// Reads a unified diff (`git diff -U0`).
pub fn hunks(diff: &str) -> Vec<Hunk> {
    let mut out: Vec<Hunk> = Vec::new();
    let (mut file, mut old) = (String::new(), String::new());
    // Lines left of the open hunk: a changed line may itself look like a header.
    let (mut minus, mut plus) = (0u32, 0u32);
    for line in diff.lines() {
        if minus + plus > 0 && line.starts_with(['+', '-', ' ', '\\']) {
            match line.as_bytes().first() {
                Some(b'+') => plus = plus.saturating_sub(1),
                Some(b'-') => minus = minus.saturating_sub(1),
                Some(b' ') => (minus, plus) = (minus.saturating_sub(1), plus.saturating_sub(1)),
                _ => continue,
            }
            if let Some(hunk) = out.last_mut() {
                hunk.text.push_str(&line[1..]);
                hunk.text.push('\n');
            }
        } else if let Some(path) = line.strip_prefix("--- ") {
            old = unquoted(path, "a/");
        } else if let Some(path) = line.strip_prefix("+++ ") {
            file = if path == "/dev/null" { old.clone() } else { unquoted(path, "b/") };
        } else if let Some(rest) = line.strip_prefix("@@ -")
            && let Some((removed, added, heading)) = header(rest)
        {
            (minus, plus) = (removed.1, added.1);
            let text = format!("{heading}\n");
            out.push(Hunk { file: file.clone(), line: added.0.max(1), lines: added.1, text });
        }
    }
    out
}

/// Start line and count of one side of a hunk.
type Side = (u32, u32);

fn header(rest: &str) -> Option<(Side, Side, &str)> {
    let (ranges, heading) = rest.split_once(" @@")?;
    let (old, new) = ranges.split_once(" +")?;
    let side = |text: &str| match text.split_once(',') {
        Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
        None => Some((text.parse().ok()?, 1)),
    };
    Some((side(old)?, side(new)?, heading.trim()))
}

fn unquoted(path: &str, prefix: &str) -> String {
    let path = path.trim_end_matches('\t').trim_matches('"');
    path.strip_prefix(prefix).unwrap_or(path).to_owned()
}

/// Files that change along with others: nobody asks for them by name.
const FOLLOWING: [&str; 12] = [
    "Cargo.lock",
    "package-lock.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "uv.lock",
    "go.sum",
    "Gemfile.lock",
    "composer.lock",
    "CHANGELOG.md",
    "flake.lock",
    "bun.lockb",
];

/// Adds a finding for each hunk that no task of `specs` asked for: none names its file, a folder around it, or a symbol
/// or test that the hunk holds.
pub(super) fn unasked(seen: &Seen<'_>, specs: &[&Spec], hunks: &[Hunk], out: &mut Vec<Finding>) {
    let mut files: Vec<String> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    for spec in specs {
        for task in spec.tasks.iter().flatten() {
            let meant = |f: &String| seen.paths.resolve(&spec.dir, f).unwrap_or_else(|| f.clone());
            files.extend(task.files.iter().map(meant));
            files.extend(task.files.iter().cloned());
            names.extend(task.symbols.iter().chain(&task.tests).map(String::as_str));
        }
    }
    let only = match specs {
        [one] => Some(one.id.clone()),
        _ => None,
    };
    let whose = only.as_ref().map_or("any spec".to_owned(), ToString::to_string);
    for hunk in hunks {
        let name = hunk.file.rsplit('/').next().unwrap_or(&hunk.file);
        let is_spec = seen.reading.specs.iter().any(|s| hunk.file.starts_with(&format!("{}/", s.dir)));
        let is_ours = hunk.file.starts_with(".dicast/") || hunk.file.starts_with(".specify/");
        let by_file = files.iter().any(|f| *f == hunk.file || (f.ends_with('/') && hunk.file.starts_with(f.as_str())));
        let by_name = names.iter().any(|n| n.rsplit("::").next().is_some_and(|last| has_word(&hunk.text, last)));
        if is_spec || is_ours || by_file || by_name || FOLLOWING.contains(&name) {
            continue;
        }
        let last = hunk.line + hunk.lines.saturating_sub(1);
        let lines = if last > hunk.line { format!("{}-{last}", hunk.line) } else { hunk.line.to_string() };
        out.push(Finding {
            rule: Rule::UnaskedChange,
            severity: Rule::UnaskedChange.severity(),
            spec: only.clone(),
            about: String::new(),
            place: Place { file: hunk.file.clone(), line: hunk.line },
            message: Safe::line(&format!("{}:{lines} changed, and no task of {whose} asked for it", hunk.file)),
            clear: Safe::line("add a task that names the file, or take the change out"),
            by: None,
        });
    }
}

fn has_word(text: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    !word.is_empty()
        && text
            .match_indices(word)
            .any(|(at, _)| !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word))
}
