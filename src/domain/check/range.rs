//! Changes that nobody asked for: hunks of a diff held against what tasks name.
//!
//! It must not run git: it is given the text of `git diff`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::range::Range;

use super::{Finding, Paths, Place, Rule, Seen};
use crate::domain::safe::Safe;
use crate::domain::spec::{Spec, Task};

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
    /// Every file that changed, also where no line can be shown: a binary one, or one whose mode changed.
    pub files: BTreeSet<String>,
    /// The changed lines of each file, from its top.
    hunks: BTreeMap<String, Vec<Hunk>>,
}

impl Changes {
    /// Takes in a range.
    pub fn of_range(range: &Range, diff: &str) -> Self {
        Self { range: Some(range.ends.short()), files: range.files.keys().cloned().collect(), hunks: by_file(diff) }
    }

    /// Takes in what is not committed: the `files` that differ from the last commit, and how.
    pub fn uncommitted(files: BTreeSet<String>, diff: &str) -> Self {
        Self { range: None, files, hunks: by_file(diff) }
    }

    /// Finds the hunk of a file that a line stands in, or beside which it was taken out; without a line, its first.
    pub(super) fn hunk(&self, path: &str, line: Option<u32>) -> Option<&Hunk> {
        let of_file = self.hunks.get(path)?;
        let Some(line) = line else { return of_file.first() };
        // What was taken out stood after the line that git names.
        let last = |hunk: &Hunk| hunk.line.saturating_add(if hunk.lines == 0 { 1 } else { hunk.lines - 1 });
        let first = of_file.partition_point(|hunk| last(hunk) < line);
        of_file.get(first).filter(|hunk| hunk.line <= line)
    }
}

fn by_file(diff: &str) -> BTreeMap<String, Vec<Hunk>> {
    let mut by_file: BTreeMap<String, Vec<Hunk>> = BTreeMap::new();
    for hunk in hunks(diff) {
        by_file.entry(hunk.file.clone()).or_default().push(hunk);
    }
    by_file
}

/// Returns a unified diff (`git diff -U0`) without the words after `@@`: which ones git puts there is a matter of each
/// machine's attributes and config, and no part of the change.
pub fn without_headings(diff: &str) -> String {
    let mut out = String::with_capacity(diff.len());
    for line in diff.split_inclusive('\n') {
        // A changed line begins with its sign, so that none looks like this.
        match line.strip_prefix("@@ -").and_then(|rest| rest.split_once(" @@")) {
            Some((ranges, _)) => out.extend(["@@ -", ranges, " @@\n"]),
            None => out.push_str(line),
        }
    }
    out
}

/// Reads a unified diff (`git diff -U0`).
pub fn hunks(diff: &str) -> Vec<Hunk> {
    let mut out: Vec<Hunk> = Vec::new();
    let (mut file, mut old) = (String::new(), String::new());
    // Lines left of the open hunk: a changed line may itself look like a header.
    let (mut minus, mut plus) = (0u32, 0u32);
    for line in diff.lines() {
        if (minus > 0 || plus > 0) && line.starts_with(['+', '-', ' ', '\\']) {
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

/// Returns the name that a header has after a prefix (`a/`, `b/`). Git quotes one with a control character, a quote or a backslash as C does, and ends one
/// with a space by a tab.
pub fn unquoted(path: &str, prefix: &str) -> String {
    let path = path.strip_suffix('\t').unwrap_or(path);
    let quoted = path.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let name = quoted.map_or_else(|| path.to_owned(), unescaped);
    name.strip_prefix(prefix).map(str::to_owned).unwrap_or(name)
}

/// How git writes a byte after a backslash, but for the three octal digits that stand for any.
const ESCAPES: [(u8, u8); 9] = [
    (b'a', 0x07),
    (b'b', 0x08),
    (b't', b'\t'),
    (b'n', b'\n'),
    (b'v', 0x0b),
    (b'f', 0x0c),
    (b'r', b'\r'),
    (b'"', b'"'),
    (b'\\', b'\\'),
];

fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (meant, length) = if byte == b'\\' { escape(after) } else { (byte, 0) };
        out.push(meant);
        rest = &after[length..];
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Reads what follows a backslash: the byte that is meant, and how many were read. A backslash before anything else is
/// one.
fn escape(after: &[u8]) -> (u8, usize) {
    let octal = |digits: &[u8]| {
        let digits = std::str::from_utf8(digits).ok().filter(|d| d.bytes().all(|d| d.is_ascii_digit()))?;
        u8::from_str_radix(digits, 8).ok()
    };
    if let Some(byte) = after.get(..3).and_then(octal) {
        return (byte, 3);
    }
    let known = ESCAPES.iter().find(|(letter, _)| after.first() == Some(letter));
    known.map_or((b'\\', 0), |(_, byte)| (*byte, 1))
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

/// What tasks ask to be changed: the files and folders that they name, and the symbols and tests.
#[derive(Debug, Default)]
pub struct Asked<'s> {
    files: Vec<(String, &'s Task)>,
    names: Vec<(&'s str, &'s Task)>,
}

impl<'s> Asked<'s> {
    /// Collects what the tasks of some specs name; with `paths`, a file is also what its written name means.
    pub fn of(paths: Option<&Paths<'_>>, specs: &[&'s Spec]) -> Self {
        let mut asked = Self::default();
        for spec in specs {
            for task in spec.tasks.iter().flatten() {
                let meant = |f: &String| paths.and_then(|paths| paths.resolve(&spec.dir, f));
                asked.files.extend(task.files.iter().filter_map(meant).map(|file| (file, task)));
                asked.files.extend(task.files.iter().map(|file| (file.clone(), task)));
                asked.names.extend(task.symbols.iter().chain(&task.tests).map(|name| (name.as_str(), task)));
            }
        }
        asked
    }

    /// Tells whether the tasks name nothing at all: then nobody can tell what was asked for.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.names.is_empty()
    }

    /// Returns the tasks that asked for a hunk: they name its file, a folder around it, or a symbol or test that the
    /// hunk holds. No task has to ask for what changes along with others (lock files, the change log): for that the
    /// list is there, and empty. `None` if nobody asked for it.
    pub fn tasks(&self, hunk: &Hunk) -> Option<Vec<&'s Task>> {
        let is_of = |file: &str| file == hunk.file || (file.ends_with('/') && hunk.file.starts_with(file));
        let by_file = self.files.iter().filter(|(file, _)| is_of(file)).map(|(_, task)| *task);
        let is_in = |name: &str| name.rsplit("::").next().is_some_and(|last| has_word(&hunk.text, last));
        let by_name = self.names.iter().filter(|(name, _)| is_in(name)).map(|(_, task)| *task);
        let mut tasks: Vec<&Task> = Vec::new();
        for task in by_file.chain(by_name) {
            if tasks.iter().all(|known| known.id != task.id) {
                tasks.push(task);
            }
        }
        let name = hunk.file.rsplit('/').next().unwrap_or(&hunk.file);
        (!tasks.is_empty() || FOLLOWING.contains(&name)).then_some(tasks)
    }
}

/// Adds a finding for each hunk that no task of `specs` asked for.
pub(super) fn unasked(seen: &Seen<'_>, specs: &[&Spec], hunks: &[Hunk], out: &mut Vec<Finding>) {
    let asked = Asked::of(Some(&seen.paths), specs);
    let only = match specs {
        [one] => Some(one.id.clone()),
        _ => None,
    };
    let whose = only.as_ref().map_or("any spec".to_owned(), ToString::to_string);
    for hunk in hunks {
        let is_spec = seen.reading.specs.iter().any(|s| hunk.file.starts_with(&format!("{}/", s.dir)));
        let is_ours = hunk.file.starts_with(".dicast/") || hunk.file.starts_with(".specify/");
        if is_spec || is_ours || asked.tasks(hunk).is_some() {
            continue;
        }
        let last = hunk.line.saturating_add(hunk.lines.saturating_sub(1));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Writes a name as git does in a header (`quote_c_style`, with `core.quotePath` off).
    fn quoted(prefix: &str, name: &str) -> String {
        let mut out = String::new();
        for c in name.chars() {
            let letter = u8::try_from(c).ok().and_then(|byte| ESCAPES.iter().find(|(_, meant)| *meant == byte));
            match letter {
                Some((letter, _)) => out.extend(['\\', char::from(*letter)]),
                None if c.is_ascii_control() => out.push_str(&format!("\\{:03o}", u32::from(c))),
                None => out.push(c),
            }
        }
        let tab = if name.contains(' ') { "\t" } else { "" };
        if out == name { format!("{prefix}{name}{tab}") } else { format!("\"{prefix}{out}\"{tab}") }
    }

    proptest! {
        #[test]
        fn a_name_is_read_back_as_git_quotes_it(name in "[a-z\u{1}-\u{1f}\u{7f} \"\\\\é/0-9]{1,12}") {
            let diff = format!("--- /dev/null\n+++ {}\n@@ -0,0 +1 @@\n+x\n", quoted("b/", &name));
            prop_assert_eq!(&hunks(&diff)[0].file, &name);
            let gone = format!("--- {}\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n", quoted("a/", &name));
            prop_assert_eq!(&hunks(&gone)[0].file, &name);
        }
    }

    #[test]
    fn quotes_backslashes_and_bytes_of_a_name_are_unescaped_before_its_prefix_is_taken_off() {
        let names = [
            (r#""b/q\"uo.txt""#, "q\"uo.txt"),
            (r#""b/\\\t\n.txt""#, "\\\t\n.txt"),
            (r#""b/\303\251""#, "é"),
            ("b/a b.txt\t", "a b.txt"),
            (r#""b/\q\9""#, r"\q\9"),
            ("b/\"", "\""),
        ];
        for (written, meant) in names {
            assert_eq!(unquoted(written, "b/"), meant, "{written}");
        }
    }

    #[test]
    fn a_diff_without_headings_is_the_same_whatever_git_puts_there() {
        let of = |heading: &str| {
            format!("diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -3 +3 @@{heading}\n-@@ -1 +1 @@ a\n+@@ -1 +1 @@ b\n")
        };
        assert_eq!(without_headings(&of(" fn a() {")), of(""));
        assert_eq!(without_headings(&of("")), of(""));
    }

    #[test]
    fn the_hunk_of_a_line_is_the_first_that_holds_it_or_beside_which_it_was_taken_out() {
        let diff = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n@@ -5,2 +4,0 @@\n-c\n-d\n@@ -9 +6,3 @@\n-e\n+f\n+g\n+h\n";
        let changes = Changes::uncommitted(BTreeSet::new(), diff);
        let at = |line| changes.hunk("x", line).map(|hunk| (hunk.line, hunk.lines));
        assert_eq!((at(None), at(Some(1))), (Some((1, 1)), Some((1, 1))));
        assert_eq!((at(Some(4)), at(Some(5))), (Some((4, 0)), Some((4, 0))));
        assert_eq!((at(Some(6)), at(Some(8))), (Some((6, 3)), Some((6, 3))));
        assert_eq!([0, 2, 3, 9].map(|line| at(Some(line))), [None; 4]);
        assert_eq!(changes.hunk("y", None), None);
    }
}
