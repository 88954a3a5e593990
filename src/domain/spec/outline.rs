//! How a spec's document is written, for whoever edits it: in which lines each requirement stands, where its words begin
//! and end, and what headings there are.
//!
//! It must not know what is to be changed.

use std::ops::RangeInclusive;

use super::markdown::{Kind, Line, body_of, lines};
use super::requirements::{below, definitions, leading_criterion, named};
use super::{Layout, Spec};

/// A document as it is written.
#[derive(Debug, Clone)]
pub struct Outline<'t> {
    raw: Vec<&'t str>,
    lines: Vec<Line<'t>>,
    written: Vec<Written>,
}

/// One definition of a requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The requirement's id in upper case.
    pub id: String,
    /// How it begins.
    pub form: Form,
    /// The line that it begins in, from 1.
    pub line: u32,
    /// The last line that goes with it and with no other requirement: its criteria, its code.
    pub last: u32,
    /// The last line below it, requirements that stand below it with theirs.
    pub end: u32,
    /// Where its own words stand, part by part; empty where there is room for them and none are there. `None` where they
    /// cannot be told from what goes with them.
    pub words: Option<Vec<Part>>,
}

/// How a definition begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `- **FR-001**: words`.
    Item,
    /// `| FR-001 | words |`.
    Row,
    /// `### FR-001: words`.
    Heading,
    /// `### Requirement: name`, as OpenSpec has it.
    Named,
    /// A story or a scenario that stands for a requirement.
    Story,
}

/// A part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The line, from 1.
    pub line: u32,
    /// Where it begins in the line, in bytes.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// A heading, and what is below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading<'t> {
    /// From 1.
    pub line: u32,
    /// 1 to 6.
    pub depth: usize,
    /// Without the marks.
    pub text: &'t str,
    /// The last line that says something before the next heading.
    pub own: u32,
    /// The last line that says something before the next heading that is not below it.
    pub last: u32,
}

/// Fewest words of a cell that holds a sentence.
const SENTENCE_MIN: usize = 3;

impl<'t> Outline<'t> {
    /// Reads the document of a spec.
    pub fn of(spec: &Spec, text: &'t str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut outline = Self { raw: text.lines().collect(), lines: lines(text), written: Vec::new() };
        outline.written = outline.defined(spec);
        outline
    }

    /// Returns the lines, without their ends.
    pub fn raw(&self) -> &[&'t str] {
        &self.raw
    }

    /// Returns a line, from 1; empty if there is none.
    pub fn line(&self, number: u32) -> &'t str {
        let at = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
        self.raw.get(at).copied().unwrap_or_default()
    }

    /// Returns every definition of a requirement, in the order of the document.
    pub fn written(&self) -> &[Written] {
        &self.written
    }

    /// Returns the definition that a spec takes for a requirement.
    pub fn of_line(&self, line: u32) -> Option<&Written> {
        self.written.iter().find(|written| written.line == line)
    }

    /// Returns a part of a line.
    pub fn part(&self, part: Part) -> &'t str {
        self.line(part.line).get(part.start..part.end).unwrap_or_default()
    }

    /// Returns a definition's own words on one line.
    pub fn words(&self, written: &Written) -> String {
        let parts = written.words.iter().flatten().map(|part| self.part(*part).trim());
        parts.collect::<Vec<_>>().join(" ")
    }

    /// Returns the headings.
    pub fn headings(&self) -> Vec<Heading<'t>> {
        let all = (0..self.lines.len()).filter_map(|at| {
            let Kind::Heading { depth, text } = self.lines[at].kind else { return None };
            let line = self.lines[at].number;
            let own = self.before(self.next(at, |line| line.heading().is_some()));
            let last = self.before(self.next(at, |line| depth_of(line).is_some_and(|other| other <= depth)));
            Some(Heading { line, depth, text, own: own.max(line), last: last.max(line) })
        });
        all.collect()
    }

    /// Returns the items of lists in some lines: where each begins and ends, and its text without marker and box.
    pub fn items(&self, within: RangeInclusive<u32>) -> Vec<(u32, u32, &'t str)> {
        let items = self.lines.iter().enumerate().filter(|(_, line)| within.contains(&line.number));
        items
            .filter_map(|(at, line)| match line.kind {
                Kind::Item { text, .. } => Some((line.number, self.end(at, body_of(&self.lines, at).len()), text)),
                Kind::Heading { .. } | Kind::Row(_) | Kind::Text(_) | Kind::Blank => None,
            })
            .collect()
    }

    /// Returns the last line that says something; 0 if none does.
    pub fn last(&self) -> u32 {
        self.before(None)
    }

    /// Tells whether what is written at the document's end would be read: no fence and no comment is open there.
    pub fn is_closed(&self) -> bool {
        let more = [self.raw.as_slice(), &["", "end"]].concat().join("\n");
        lines(&more).last().is_some_and(|line| matches!(line.kind, Kind::Text("end")))
    }

    /// Tells whether a line is read at all: it is in no fence and no comment.
    pub fn is_read(&self, number: u32) -> bool {
        self.lines.iter().any(|line| line.number == number)
    }

    fn defined(&self, spec: &Spec) -> Vec<Written> {
        let by_id: Vec<Written> = definitions(&self.lines, spec.layout)
            .into_iter()
            .filter_map(|(at, found)| {
                let line = &self.lines[at];
                let (id, rest) = named(line, spec.layout == Layout::Seed)?;
                let is_criterion = id.contains("-AC") || id.contains(".AC");
                let form = match line.kind {
                    Kind::Heading { .. } => Form::Heading,
                    Kind::Row(_) => Form::Row,
                    Kind::Item { .. } | Kind::Text(_) | Kind::Blank => Form::Item,
                };
                let words = if is_criterion { None } else { self.own_words(at, rest) };
                let (last, end) = (self.last_of(at), self.end_of(at));
                Some(Written { id: found.id, form, line: line.number, last, end, words })
            })
            .collect();
        if !by_id.is_empty() {
            return by_id;
        }
        let others = spec.requirements.iter().filter_map(|requirement| {
            let at = self.lines.iter().position(|line| line.number == requirement.line)?;
            let is_named = self.lines[at].heading().is_some_and(|text| text.starts_with("Requirement:"));
            let form = if is_named && spec.layout == Layout::OpenSpec { Form::Named } else { Form::Story };
            let words = if form == Form::Named { self.paragraph(at) } else { None };
            let (last, end) = (self.last_of(at), self.end_of(at));
            Some(Written { id: requirement.id.clone(), form, line: requirement.line, last, end, words })
        });
        others.collect()
    }

    /// Finds the words of a definition whose first line ends in `rest`.
    fn own_words(&self, at: usize, rest: &str) -> Option<Vec<Part>> {
        let line = &self.lines[at];
        let first = self.place(line.number, rest)?;
        match &line.kind {
            Kind::Heading { .. } => {
                let below = self.paragraph(at)?;
                Some(if below.is_empty() { vec![first] } else { below })
            }
            Kind::Row(cells) => {
                let is_sentence = |text: &str| text.split_whitespace().count() >= SENTENCE_MIN;
                let mut sentences =
                    std::iter::once(rest).chain(cells.iter().skip(1).copied()).filter(|c| is_sentence(c));
                let (one, more) = (sentences.next()?, sentences.next());
                more.is_none().then(|| self.place(line.number, one)).flatten().map(|part| vec![part])
            }
            Kind::Item { .. } | Kind::Text(_) | Kind::Blank => {
                let mut parts = vec![first];
                for next in below(&self.lines, at) {
                    let Kind::Text(text) = next.kind else { break };
                    let goes_on = parts.last().is_some_and(|part| part.line + 1 == next.number);
                    if !goes_on || is_rule(text) || leading_criterion(text).is_some() {
                        break;
                    }
                    parts.push(self.place(next.number, text)?);
                }
                // A line that would be left behind makes no sense alone.
                let after = parts.last().map_or(0, |part| part.line) + 1;
                let is_text = |line: &&Line<'_>| matches!(line.kind, Kind::Text(text) if !is_rule(text) && leading_criterion(text).is_none());
                let is_left = self.lines.iter().find(|line| line.number == after).is_some_and(|line| is_text(&line));
                (!is_left).then_some(parts)
            }
        }
    }

    /// Finds the one paragraph below a heading, beside acceptance criteria; none where there is more.
    fn paragraph(&self, at: usize) -> Option<Vec<Part>> {
        let mut parts: Vec<Part> = Vec::new();
        for line in body_of(&self.lines, at) {
            let words = line.words();
            match line.kind {
                Kind::Blank => {}
                _ if leading_criterion(&words).is_some() => {}
                Kind::Text(text) if is_rule(text) => {}
                Kind::Text(text) if parts.last().is_none_or(|part| part.line + 1 == line.number) => {
                    parts.push(self.place(line.number, text)?);
                }
                Kind::Text(_) | Kind::Item { .. } | Kind::Row(_) | Kind::Heading { .. } => return None,
            }
        }
        Some(parts)
    }

    /// Returns where a part of a line, as it was read from it, stands in it.
    pub fn place(&self, line: u32, text: &str) -> Option<Part> {
        let raw = self.line(line);
        let start = text.as_ptr().addr().checked_sub(raw.as_ptr().addr())?;
        let end = start + text.len();
        (raw.get(start..end) == Some(text)).then_some(Part { line, start, end })
    }

    /// Returns the last line of what begins at one: up to the next definition.
    fn last_of(&self, at: usize) -> u32 {
        let Some(depth) = depth_of(&self.lines[at]) else { return self.end(at, below(&self.lines, at).count()) };
        let is_other = |line: &Line<'_>| depth_of(line).is_some_and(|other| other <= depth) || self.begins(line);
        self.before(self.next(at, is_other)).max(self.lines[at].number)
    }

    /// Returns the last line of everything below one.
    fn end_of(&self, at: usize) -> u32 {
        let line = &self.lines[at];
        match (depth_of(line), &line.kind) {
            (Some(depth), _) => {
                self.before(self.next(at, |line| depth_of(line).is_some_and(|other| other <= depth))).max(line.number)
            }
            (None, Kind::Row(_)) => line.number,
            (None, _) => self.end(at, body_of(&self.lines, at).len()),
        }
    }

    /// Returns the cells of a table's row; none of any other line.
    pub fn cells(&self, number: u32) -> Vec<&'t str> {
        let cells = self.lines.iter().find_map(|line| match &line.kind {
            Kind::Row(cells) if line.number == number => Some(cells.clone()),
            Kind::Row(_) | Kind::Heading { .. } | Kind::Item { .. } | Kind::Text(_) | Kind::Blank => None,
        });
        cells.unwrap_or_default()
    }

    /// Tells whether a line begins a requirement.
    fn begins(&self, line: &Line<'_>) -> bool {
        named(line, false).is_some_and(|(id, _)| !id.contains("-AC") && !id.contains(".AC"))
    }

    /// Returns the last line of an item that `more` lines go on from, with the code that is indented below it.
    fn end(&self, at: usize, more: usize) -> u32 {
        let first = &self.lines[at];
        let mut below = self.lines[at + 1..].iter().take(more);
        let mut last = below.rfind(|line| line.kind != Kind::Blank).map_or(first.number, |line| line.number);
        if !matches!(first.kind, Kind::Item { .. }) {
            return last;
        }
        let mut number = last + 1;
        while usize::try_from(number).is_ok_and(|number| number <= self.raw.len()) && !self.is_written(number) {
            let raw = self.line(number);
            let indent = raw.len() - raw.trim_start().len();
            if !raw.trim().is_empty() && indent <= first.indent {
                break;
            }
            last = if raw.trim().is_empty() { last } else { number };
            number += 1;
        }
        last
    }

    /// Tells whether a line is read and says something.
    fn is_written(&self, number: u32) -> bool {
        self.lines.iter().any(|line| line.number == number && line.kind != Kind::Blank)
    }

    fn next(&self, at: usize, is: impl Fn(&Line<'_>) -> bool) -> Option<u32> {
        self.lines[at + 1..].iter().find(|line| is(line)).map(|line| line.number)
    }

    /// Returns the last line before one, or of all, that says something.
    fn before(&self, number: Option<u32>) -> u32 {
        let end = number.and_then(|number| usize::try_from(number).ok()).map_or(self.raw.len(), |number| number - 1);
        let said = self.raw[..end.min(self.raw.len())].iter().rposition(|line| !line.trim().is_empty());
        said.and_then(|at| u32::try_from(at + 1).ok()).unwrap_or(0)
    }
}

fn depth_of(line: &Line<'_>) -> Option<usize> {
    match line.kind {
        Kind::Heading { depth, .. } => Some(depth),
        Kind::Item { .. } | Kind::Row(_) | Kind::Text(_) | Kind::Blank => None,
    }
}

/// Tells whether a line is a rule across the page, or underlines a heading.
fn is_rule(text: &str) -> bool {
    text.len() >= 3 && text.bytes().all(|byte| matches!(byte, b'-' | b'=' | b'*' | b'_' | b' '))
}
