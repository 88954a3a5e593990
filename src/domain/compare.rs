//! Which lines two texts do not share, and that as a unified diff.
//!
//! Pure. It must not know what the texts are, nor how a line is shown: lines are foreign text.

use serde::{Deserialize, Serialize};

/// Most cells of the table of the longest common subsequence: 16 MiB of counters, a few milliseconds.
const CELLS_MAX: usize = 4 << 20;

/// Lines around a change that are shown with it, as `diff -u` does.
const CONTEXT: usize = 3;

/// One line of a comparison, with its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'t> {
    /// Both have it.
    Same(&'t str),
    /// Only the old one has it.
    Gone(&'t str),
    /// Only the new one has it.
    New(&'t str),
}

/// Compares two texts line by line, in their order. Texts that differ too much for that are given whole, first the old
/// one. Lines keep their ends: a text that differs only in them still differs.
pub fn compare<'t>(before: &'t str, after: &'t str) -> Vec<Line<'t>> {
    let old: Vec<&str> = before.split_inclusive('\n').collect();
    let new: Vec<&str> = after.split_inclusive('\n').collect();
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (head, old, new) = (&old[..start], &old[start..], &new[start..]);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, tail) = old.split_at(old.len() - end);
    let new = &new[..new.len() - end];
    let mut out: Vec<Line<'t>> = head.iter().map(|line| Line::Same(line)).collect();
    if old.len().saturating_mul(new.len()) > CELLS_MAX {
        out.extend(old.iter().map(|line| Line::Gone(line)).chain(new.iter().map(|line| Line::New(line))));
    } else {
        walk(old, new, &mut out);
    }
    out.extend(tail.iter().map(|line| Line::Same(line)));
    out
}

fn walk<'t>(old: &[&'t str], new: &[&'t str], out: &mut Vec<Line<'t>>) {
    let shared = shared_lengths(old, new);
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            out.push(Line::Same(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && shared[i + 1][j] >= shared[i][j + 1]) {
            out.push(Line::Gone(old[i]));
            i += 1;
        } else {
            out.push(Line::New(new[j]));
            j += 1;
        }
    }
}

/// Returns for each pair of tails how many lines they share.
fn shared_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<u32>> {
    let mut shared = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            shared[i][j] =
                if old[i] == new[j] { shared[i + 1][j + 1] + 1 } else { shared[i + 1][j].max(shared[i][j + 1]) };
        }
    }
    shared
}

/// One line of a unified diff, without its line break.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// Where the rows below stand: `@@ -1,4 +1,6 @@`.
    Place(String),
    /// Unchanged, around a change.
    Same(String),
    /// Gone.
    Gone(String),
    /// New.
    New(String),
    /// The line above has no line break at its end.
    Endless,
}

/// What one text has to become to be another.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Change {
    /// The rows of the unified diff, below its heading.
    pub rows: Vec<Row>,
    /// Lines that are new.
    pub added: usize,
    /// Lines that are gone.
    pub removed: usize,
}

impl Change {
    /// Compares two texts.
    pub fn between(before: &str, after: &str) -> Self {
        let lines = compare(before, after);
        let is_change = |line: &Line<'_>| !matches!(line, Line::Same(_));
        let mut change = Change::default();
        let (mut at, mut old, mut new) = (0, 1, 1);
        while let Some(first) = lines[at..].iter().position(is_change).map(|n| at + n) {
            let start = first.saturating_sub(CONTEXT).max(at);
            let end = end_of(&lines, first);
            let skipped = start - at;
            (old, new) = (old + skipped, new + skipped);
            let hunk = &lines[start..end];
            let of_old = hunk.iter().filter(|line| !matches!(line, Line::New(_))).count();
            let of_new = hunk.iter().filter(|line| !matches!(line, Line::Gone(_))).count();
            // A side without lines is named by the line before it.
            let from = |start: usize, count: usize| if count == 0 { start - 1 } else { start };
            let place = format!("@@ -{},{of_old} +{},{of_new} @@", from(old, of_old), from(new, of_new));
            change.rows.push(Row::Place(place));
            hunk.iter().for_each(|line| change.put(*line));
            (old, new, at) = (old + of_old, new + of_new, end);
        }
        change
    }

    fn put(&mut self, line: Line<'_>) {
        let (text, row): (&str, fn(String) -> Row) = match line {
            Line::Same(text) => (text, Row::Same),
            Line::Gone(text) => (text, Row::Gone),
            Line::New(text) => (text, Row::New),
        };
        match line {
            Line::Same(_) => {}
            Line::Gone(_) => self.removed += 1,
            Line::New(_) => self.added += 1,
        }
        self.rows.push(row(text.strip_suffix('\n').unwrap_or(text).to_owned()));
        if !text.ends_with('\n') {
            self.rows.push(Row::Endless);
        }
    }

    /// Tells whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it as a unified diff of a file; nothing where nothing changes.
    pub fn unified(&self, file: &str) -> String {
        if self.is_empty() {
            return String::new();
        }
        let mut out = format!("--- a/{file}\n+++ b/{file}\n");
        for row in &self.rows {
            let (mark, text) = match row {
                Row::Place(text) => ("", text.as_str()),
                Row::Same(text) => (" ", text.as_str()),
                Row::Gone(text) => ("-", text.as_str()),
                Row::New(text) => ("+", text.as_str()),
                Row::Endless => ("", r"\ No newline at end of file"),
            };
            out.extend([mark, text, "\n"]);
        }
        out
    }
}

/// Returns where the hunk ends that begins with the change at `first`: changes that are near share one.
fn end_of(lines: &[Line<'_>], first: usize) -> usize {
    let (mut end, mut quiet) = (first, 0);
    for (at, line) in lines.iter().enumerate().skip(first) {
        quiet = if matches!(line, Line::Same(_)) { quiet + 1 } else { 0 };
        if quiet == 0 {
            end = at + 1;
        }
        if quiet > 2 * CONTEXT {
            break;
        }
    }
    (end + CONTEXT).min(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_is_written_as_diff_writes_it() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk\n";
        let after = "a\nb\nc\nD\ne\nf\ng\nh\ni\nj\nk\nl";
        let change = Change::between(before, after);
        assert_eq!((change.added, change.removed), (2, 1));
        let text = "--- a/s.md\n+++ b/s.md\n@@ -1,7 +1,7 @@\n a\n b\n c\n-d\n+D\n e\n f\n g\n\
            @@ -9,3 +9,4 @@\n i\n j\n k\n+l\n\\ No newline at end of file\n";
        assert_eq!(change.unified("s.md"), text);
        assert_eq!(Change::between("", "x\n").unified("s"), "--- a/s\n+++ b/s\n@@ -0,0 +1,1 @@\n+x\n");
        assert_eq!(Change::between("a\r\n", "a\n").unified("s"), "--- a/s\n+++ b/s\n@@ -1,1 +1,1 @@\n-a\r\n+a\n");
        assert_eq!(Change::between(before, before), Change::default());
    }

    #[test]
    fn huge_texts_are_compared_without_a_huge_table() {
        let before: String = (0..100_000).map(|i| format!("{i}\n")).collect();
        let after: String = (0..100_000).map(|i| format!("{}\n", i + 500_000)).collect();
        assert_eq!(Change::between(&before, &after).added, 100_000);
        assert_eq!(Change::between(&before, &format!("{before}x\n")).added, 1);
    }

    /// Does what a patch says.
    fn patched(before: &str, change: &Change) -> String {
        let old: Vec<&str> = before.split_inclusive('\n').collect();
        let (mut out, mut at): (Vec<String>, usize) = (Vec::new(), 0);
        for row in &change.rows {
            match row {
                Row::Place(place) => {
                    let (start, count) = place[4..].split(' ').next().unwrap().split_once(',').unwrap();
                    let (start, count): (usize, usize) = (start.parse().unwrap(), count.parse().unwrap());
                    let to = if count == 0 { start } else { start - 1 };
                    out.extend(old[at..to].iter().map(|line| (*line).to_owned()));
                    at = to;
                }
                Row::Same(text) | Row::Gone(text) => {
                    assert_eq!(old[at].strip_suffix('\n').unwrap_or(old[at]), text);
                    if matches!(row, Row::Same(_)) {
                        out.push(format!("{text}\n"));
                    }
                    at += 1;
                }
                Row::New(text) => out.push(format!("{text}\n")),
                // Of a line that is gone it says nothing about the new text.
                Row::Endless => {}
            }
        }
        out.extend(old[at..].iter().map(|line| (*line).to_owned()));
        out.concat()
    }

    proptest! {
        #[test]
        fn a_change_leads_from_one_text_to_the_other(
            before in "([ab]{0,2}\n){0,20}", after in "([ab]{0,2}\n){0,20}"
        ) {
            let change = Change::between(&before, &after);
            prop_assert_eq!(patched(&before, &change), after.clone());
            prop_assert_eq!(change.is_empty(), before == after);
        }
    }
}
