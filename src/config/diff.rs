//! Which lines two texts do not share, as they are shown.

use crate::domain::compare::{Line, compare};
use crate::domain::safe::Safe;
use crate::domain::settings::DiffLine;

/// Returns the removed and added lines in the order of the texts. Texts that differ too much to compare line by line
/// are shown whole, first the old one.
pub(super) fn diff(before: &str, after: &str) -> Vec<DiffLine> {
    let shown = |line: &str| Safe::line(line.strip_suffix('\n').unwrap_or(line));
    let changed = |line| match line {
        Line::Same(_) => None,
        Line::Gone(text) => Some(DiffLine::Removed(shown(text))),
        Line::New(text) => Some(DiffLine::Added(shown(text))),
    };
    compare(before, after).into_iter().filter_map(changed).collect()
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
}
