//! The spec's document with changes in it: whole lines become others, and nothing else is touched.
//!
//! It must not know panels, nor what the changes are for.

use std::collections::BTreeMap;

use crate::domain::gate::Edit;

/// A change of lines. Lines are numbered from 1, as they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    /// A part of a line becomes this.
    Replace {
        /// Which line.
        line: u32,
        /// From which byte.
        start: usize,
        /// Up to which.
        end: usize,
        /// What stands there then.
        with: String,
    },
    /// These lines go.
    Take(u32, u32),
    /// Lines come before one.
    Before(u32, Vec<String>),
    /// A line comes before one, and before the gap that was put before it.
    Within(u32, String),
    /// Lines come after one; after line 0 in a document that says nothing.
    After(u32, Vec<String>),
}

#[derive(Default)]
struct Line {
    before: Vec<String>,
    /// Nothing: as it was; or what it becomes, or that it goes.
    becomes: Option<Option<String>>,
    after: Vec<String>,
}

/// Makes changes. Of a line that two of them replace, the later one counts.
pub(super) fn changed<'o>(file: &str, text: &str, ops: impl IntoIterator<Item = &'o Op>) -> String {
    let raw: Vec<&str> = text.strip_prefix('\u{feff}').unwrap_or(text).lines().collect();
    let at = |number: u32| usize::try_from(number).ok().and_then(|n| raw.get(n.checked_sub(1)?)).copied();
    let mut lines: BTreeMap<u32, Line> = BTreeMap::new();
    let mut alone: Vec<String> = Vec::new();
    for op in ops {
        match op {
            Op::Replace { line, start, end, with } => {
                let was = at(*line).unwrap_or_default();
                let parts = was.get(..*start).zip(was.get(*end..));
                let whole = parts.map(|(head, tail)| format!("{head}{with}{tail}").trim_end().to_owned());
                lines.entry(*line).or_default().becomes = whole.map(Some);
            }
            Op::Take(first, last) => {
                for number in *first..=*last {
                    lines.entry(number).or_default().becomes = Some(None);
                }
            }
            Op::Before(line, more) => lines.entry(*line).or_default().before.extend(more.iter().cloned()),
            Op::Within(line, more) => {
                let before = &mut lines.entry(*line).or_default().before;
                let gap = before.last().is_some_and(String::is_empty);
                before.insert(before.len() - usize::from(gap), more.clone());
            }
            Op::After(0, more) => alone.extend(more.iter().cloned()),
            Op::After(line, more) => lines.entry(*line).or_default().after.extend(more.iter().cloned()),
        }
    }
    let mut whole = text.to_owned();
    // From the end, so that the numbers of what is still to be changed stay true.
    for (number, line) in lines.into_iter().rev() {
        let Some(was) = at(number) else { continue };
        let own = line.becomes.unwrap_or_else(|| Some(was.to_owned()));
        let becomes: Vec<String> = line.before.into_iter().chain(own).chain(line.after).collect();
        let edit = Edit { file: file.to_owned(), line: number, was: was.to_owned(), becomes };
        if edit.becomes != [edit.was.as_str()] {
            // Each line is what it was: no other edit touched it.
            whole = edit.apply(&whole).unwrap_or(whole);
        }
    }
    if !alone.is_empty() {
        let between = if whole.is_empty() || whole.ends_with('\n') { "" } else { "\n" };
        whole = format!("{whole}{between}{}\n", alone.join("\n"));
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_one_line_and_of_many_keep_the_rest_byte_for_byte() {
        let text = "\u{feff}a\r\n\r\nb c\r\nd\r\ne";
        let ops = [
            Op::After(3, vec!["x".into(), "y".into()]),
            Op::Replace { line: 3, start: 2, end: 3, with: "C".into() },
            Op::Take(4, 4),
            Op::Before(5, vec!["z".into()]),
            Op::After(5, vec!["f".into()]),
        ];
        assert_eq!(changed("s.md", text, &ops), "\u{feff}a\r\n\r\nb C\r\nx\r\ny\r\nz\r\ne\r\nf");
        assert_eq!(changed("s.md", text, &[]), text);
        assert_eq!(changed("s.md", "", &[Op::After(0, vec!["x".into()])]), "x\n");
        let nowhere = [Op::Replace { line: 9, start: 0, end: 9, with: String::new() }, Op::Take(8, 9)];
        assert_eq!(changed("s.md", text, &nowhere), text);
    }
}
