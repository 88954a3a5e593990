//! Which lines two texts do not share.

use crate::domain::safe::Safe;
use crate::domain::settings::DiffLine;

/// Most cells of the table of the longest common subsequence: 16 MiB of counters, a few milliseconds.
const CELLS_MAX: usize = 4 << 20;

/// Returns the removed and added lines in the order of the texts. Texts that differ too much to compare line by line
/// are shown whole, first the old one.
pub(super) fn diff(before: &str, after: &str) -> Vec<DiffLine> {
    let (mut old, mut new): (Vec<&str>, Vec<&str>) = (lines(before), lines(after));
    let start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    old.drain(..start);
    new.drain(..start);
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    old.truncate(old.len() - end);
    new.truncate(new.len() - end);
    if old.len().saturating_mul(new.len()) > CELLS_MAX {
        return old.iter().map(|line| removed(line)).chain(new.iter().map(|line| added(line))).collect();
    }
    let shared = shared_lengths(&old, &new);
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && shared[i + 1][j] >= shared[i][j + 1]) {
            out.push(removed(old[i]));
            i += 1;
        } else {
            out.push(added(new[j]));
            j += 1;
        }
    }
    out
}

/// Splits into lines that keep their ends, so that a text that differs only in them still differs.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
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

fn removed(line: &str) -> DiffLine {
    DiffLine::Removed(shown(line))
}

fn added(line: &str) -> DiffLine {
    DiffLine::Added(shown(line))
}

fn shown(line: &str) -> Safe {
    Safe::line(line.strip_suffix('\n').unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(before: &str, after: &str) -> String {
        diff(before, after)
            .iter()
            .map(|line| match line {
                DiffLine::Removed(text) => format!("-{text};"),
                DiffLine::Added(text) => format!("+{text};"),
            })
            .collect()
    }

    #[test]
    fn changed_lines_are_shown_and_others_are_not() {
        let table = [
            ("", "", ""),
            ("a\nb\nc\n", "a\nb\nc\n", ""),
            ("a\nb\nc\n", "a\nB\nc\n", "-b;+B;"),
            ("a\nb\nc\n", "a\nc\n", "-b;"),
            ("a\nc\n", "a\nb\nc\n", "+b;"),
            ("a\nx\nb\ny\nc\n", "a\nb\nc\nz\n", "-x;-y;+z;"),
            ("", "a\u{1b}[2J", "+a␛[2J;"),
            ("a", "a\n", "-a;+a;"),
        ];
        for (before, after, shown) in table {
            assert_eq!(written(before, after), shown, "{before:?} {after:?}");
        }
    }

    #[test]
    fn huge_texts_are_compared_without_a_huge_table() {
        let before: String = (0..100_000).map(|i| format!("{i}\n")).collect();
        let after: String = (0..100_000).map(|i| format!("{}\n", i + 500_000)).collect();
        assert_eq!(diff(&before, &after).len(), 200_000);
        assert_eq!(diff(&before, &format!("{before}x\n")).len(), 1);
    }
}
