//! Finding words again in the raw lines of a document, to make an edit of them.
//!
//! It must not know what the words mean.

use super::{Edit, Slot};
use crate::domain::spec::{requirement_lines, task_lines};

/// The lines of one document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'t> {
    pub(super) file: &'t str,
    text: &'t str,
}

/// A part of a line: the line's number, the line, where the part begins and ends in it.
pub(super) type Part<'t> = (u32, &'t str, usize, usize);

/// Finds words in lines, whatever their letter case.
pub(super) fn find<'t>(lines: &[(u32, &'t str)], words: &str) -> Option<Part<'t>> {
    lines.iter().find_map(|(number, line)| {
        let at = find_word(line, words)?;
        Some((*number, *line, at, at + words.len()))
    })
}

impl<'t> Document<'t> {
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self { file, text: text.strip_prefix('\u{feff}').unwrap_or(text) }
    }

    /// Returns the lines.
    pub(super) fn lines(&self) -> std::str::Lines<'t> {
        self.text.lines()
    }

    /// Returns a line, from 1.
    pub(super) fn line(&self, number: u32) -> Option<&'t str> {
        self.text.lines().nth(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// Returns the lines in which each requirement that begins at one of `starts` is written.
    pub(super) fn requirements(&self, starts: impl IntoIterator<Item = u32>) -> Vec<Vec<(u32, &'t str)>> {
        let all: Vec<&str> = self.lines().collect();
        let line = |number: u32| Some((number, *all.get(usize::try_from(number).ok()?.checked_sub(1)?)?));
        let written = requirement_lines(self.text, starts).into_iter();
        written.map(|numbers| numbers.into_iter().filter_map(line).collect()).collect()
    }

    /// Returns the lines in which the task that begins at one is written.
    pub(super) fn task(&self, start: u32) -> Vec<(u32, &'t str)> {
        task_lines(self.text, start).into_iter().filter_map(|number| Some((number, self.line(number)?))).collect()
    }

    /// Makes the slot that puts an answer in place of a part of a line.
    pub(super) fn slot(&self, (number, line, start, end): Part<'_>) -> Option<Slot> {
        Some(Slot {
            file: self.file.to_owned(),
            line: number,
            was: line.to_owned(),
            above: Vec::new(),
            head: line.get(..start)?.to_owned(),
            tail: line.get(end..)?.to_owned(),
        })
    }

    /// Makes the edit that puts words in place of a part of a line.
    pub(super) fn replaced(&self, place: Part<'_>, words: &str) -> Option<Edit> {
        self.slot(place).map(|slot| slot.edit(words))
    }

    /// Makes the slot that adds a section with one line at the document's end.
    pub(super) fn section_at_end(&self, heading: &str) -> Option<Slot> {
        let (last, line) = (1u32..).zip(self.text.lines()).last()?;
        let above = [line, "", heading, ""].map(str::to_owned).to_vec();
        Some(Slot {
            file: self.file.to_owned(),
            line: last,
            was: line.to_owned(),
            above,
            head: String::new(),
            tail: String::new(),
        })
    }

    /// Returns the last line of what begins at a line: those below it that are indented deeper go on with it.
    pub(super) fn last_of(&self, number: u32) -> u32 {
        let depth = self.line(number).map_or(0, indent);
        let skipped = usize::try_from(number).unwrap_or(usize::MAX);
        let below = self.text.lines().skip(skipped);
        let more = below.take_while(|line| !line.trim().is_empty() && indent(line) > depth).count();
        number.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
    }

    /// Makes the edit that takes a line away, if it stands alone: a line that the next ones go on from is left to a
    /// person.
    pub(super) fn without(&self, number: u32) -> Option<Edit> {
        let line = self.line(number)?;
        let next = self.line(number + 1).unwrap_or_default();
        let is_alone = next.trim().is_empty() || indent(next) <= indent(line) && is_item(next.trim_start());
        let is_plain = is_item(line.trim_start()) && !line.trim_start().starts_with('#');
        (is_alone && is_plain).then(|| Edit {
            file: self.file.to_owned(),
            line: number,
            was: line.to_owned(),
            becomes: Vec::new(),
        })
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn is_item(body: &str) -> bool {
    body.starts_with(['-', '*', '+', '|', '#']) || body.starts_with(|c: char| c.is_ascii_digit())
}

/// Finds words as whole words, whatever their letter case (ASCII: what is searched for are words of our lists, or stands
/// there as it is).
fn find_word(line: &str, words: &str) -> Option<usize> {
    let (hay, needle) = (line.to_ascii_lowercase(), words.to_ascii_lowercase());
    if needle.is_empty() {
        return None;
    }
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    let begins_word = needle.starts_with(char::is_alphanumeric);
    let ends_word = needle.ends_with(char::is_alphanumeric);
    hay.match_indices(&needle).map(|(at, _)| at).find(|at| {
        let before = is_edge(hay[..*at].chars().next_back()) || !begins_word;
        before && (is_edge(hay[*at + needle.len()..].chars().next()) || !ends_word)
    })
}
