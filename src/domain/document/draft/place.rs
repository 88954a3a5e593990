//! Where a spec's next requirement goes, with which id and in which form: as those that are there.
//!
//! It must not know panels.

use std::collections::BTreeSet;

use super::sections::made;
use super::text::Op;
use crate::domain::document::words::folded;
use crate::domain::spec::{Form, Heading, Layout, Outline, Spec, Written, requirement_ids};

/// Most digits that the number of an id has: more are read as none.
const DIGITS_MAX: usize = 6;

/// Where new requirements go.
pub(super) struct Shelf<'t> {
    outline: &'t Outline<'t>,
    spec: &'t Spec,
    /// What stands before the number in the ids of the series.
    prefix: String,
    width: usize,
    next: u32,
    /// Ids that are named anywhere: none is given twice.
    taken: BTreeSet<String>,
    /// One that stands already, whose form is followed.
    sample: Option<Written>,
    /// How many were added.
    added: u32,
    /// Names of requirements without an id.
    names: BTreeSet<String>,
    /// Whether the section for them was begun.
    begun: bool,
}

/// Splits `FR-003` into `FR-`, 3 and the number of its digits.
fn split(id: &str) -> Option<(&str, u32, usize)> {
    let id = id.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let start = id.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let digits = id.get(start..)?;
    Some((id.get(..start)?, digits.parse().ok()?, digits.len()))
}

impl<'t> Shelf<'t> {
    pub(super) fn of(spec: &'t Spec, outline: &'t Outline<'t>) -> Self {
        let by_id = || outline.written().iter().filter(|w| matches!(w.form, Form::Item | Form::Row | Form::Heading));
        let mut series: Vec<(&str, usize)> = Vec::new();
        for (prefix, ..) in by_id().filter_map(|written| split(&written.id)) {
            match series.iter_mut().find(|(known, _)| *known == prefix) {
                Some((_, count)) => *count += 1,
                None => series.push((prefix, 1)),
            }
        }
        let most = series.iter().map(|(_, count)| *count).max();
        let main = series.iter().find(|(prefix, _)| *prefix == "FR-");
        let main = main.or_else(|| series.iter().find(|(_, count)| Some(*count) == most)).map(|(prefix, _)| *prefix);
        let (prefix, width) = match (main, spec.layout) {
            (Some(prefix), _) => (prefix, 1),
            (None, Layout::Seed) => ("R-", 1),
            (None, Layout::SpecKit | Layout::OpenSpec) => ("FR-", 3),
        };
        let of_series = || by_id().filter(|w| split(&w.id).is_some_and(|(theirs, ..)| theirs == prefix));
        let numbers = || of_series().filter_map(|written| split(&written.id));
        let depth =
            |written: &Written| outline.line(written.line).len() - outline.line(written.line).trim_start().len();
        // What stands below another one is no place for one of its own.
        let outermost = of_series().map(depth).min();
        let sample = match main {
            Some(_) => of_series().rfind(|written| Some(depth(written)) == outermost),
            None => outline.written().iter().rfind(|written| written.form == Form::Named),
        };
        let mut taken: BTreeSet<String> = outline.raw().iter().flat_map(|line| requirement_ids(line)).collect();
        taken.extend(outline.written().iter().map(|written| written.id.clone()));
        taken.extend(spec.tasks.iter().flatten().flat_map(|task| task.requirements.iter().cloned()));
        Self {
            width: numbers().map(|(_, _, digits)| digits).max().unwrap_or(width),
            next: numbers().map(|(_, number, _)| number).max().map_or(1, |number| number.saturating_add(1)),
            prefix: prefix.to_owned(),
            taken,
            sample: sample.cloned(),
            names: outline.headings().iter().map(|heading| folded(heading.text)).collect(),
            added: 0,
            begun: false,
            outline,
            spec,
        }
    }

    /// Whether what is added makes a section of its own, from which on other things count than before.
    pub(super) fn begins(&self) -> bool {
        self.sample.is_none()
    }

    /// Adds a requirement: what it is called, and the changes.
    pub(super) fn add(&mut self, words: &str) -> Option<(String, Vec<Op>)> {
        self.added += 1;
        match self.sample.clone() {
            Some(sample) if sample.form == Form::Named => Some(self.named(&sample, words)),
            Some(sample) => {
                let id = self.id()?;
                let ops = self.like(&sample, &id, words);
                Some((id, ops))
            }
            None if self.spec.layout == Layout::OpenSpec => Some(self.first_named(words)),
            None => {
                let id = self.id()?;
                let line = format!("- **{id}**: {words}");
                Some((id, self.in_section(line)))
            }
        }
    }

    /// The next id that is free.
    fn id(&mut self) -> Option<String> {
        let of = |number: u32| format!("{}{number:0width$}", self.prefix, width = self.width);
        let after = (self.next..).take_while(|number| number.to_string().len() <= DIGITS_MAX).map(of);
        let id = after.chain((1..self.next).map(of)).find(|id| !self.taken.contains(id))?;
        self.taken.insert(id.clone());
        Some(id)
    }

    /// Writes a requirement as another is written, behind it.
    fn like(&self, sample: &Written, id: &str, words: &str) -> Vec<Op> {
        let line = self.outline.line(sample.line);
        let first = sample.words.as_ref().and_then(|parts| parts.first()).copied();
        match sample.form {
            Form::Heading => {
                let depth = line.trim_start().bytes().take_while(|byte| *byte == b'#').count();
                vec![Op::After(sample.end, vec![String::new(), format!("{} {id}: {words}", "#".repeat(depth))])]
            }
            Form::Row => {
                let cells = self.outline.cells(sample.line);
                let place = first.and_then(|part| cells.iter().position(|cell| cell.contains(self.outline.part(part))));
                let Some(place) = place else { return self.beside(sample, id, words) };
                let words = words.replace('|', "\\|");
                let cell = |at: usize| match (at, place) {
                    (0, 0) => format!("{id}: {words}"),
                    (0, _) => id.to_owned(),
                    (at, place) if at == place => words.clone(),
                    (_, _) => String::new(),
                };
                let row: Vec<String> = (0..cells.len()).map(cell).collect();
                vec![Op::After(sample.line, vec![format!("| {} |", row.join(" | "))])]
            }
            Form::Item | Form::Named | Form::Story => {
                let head = first.filter(|part| part.line == sample.line).and_then(|part| line.get(..part.start));
                let head = head.and_then(|head| self.renamed(head, &sample.id, id));
                let head = head.unwrap_or_else(|| format!("- **{id}**: "));
                vec![Op::After(sample.end, vec![format!("{head}{words}")])]
            }
        }
    }

    /// What stands before a requirement's words, with another id, the next number, and no tick.
    fn renamed(&self, head: &str, was: &str, id: &str) -> Option<String> {
        let short = |id: &str| id.replacen('-', "", 1);
        let head = if head.contains(was) {
            head.replacen(was, id, 1)
        } else {
            head.contains(&short(was)).then(|| head.replacen(&short(was), &short(id), 1))?
        };
        let indent = head.len() - head.trim_start().len();
        let (indent, body) = head.split_at(indent);
        let digits = body.bytes().take_while(u8::is_ascii_digit).count();
        let number = body[..digits].parse::<u32>().ok().and_then(|number| number.checked_add(self.added));
        let body = match number {
            Some(number) => format!("{number}{}", &body[digits..]),
            None => body.to_owned(),
        };
        let body = ["[x]", "[X]", "[✓]", "[✔]"].iter().fold(body, |body, tick| body.replacen(tick, "[ ]", 1));
        let ends = body.ends_with([' ', '\t']);
        Some(format!("{indent}{body}{}", if ends { "" } else { " " }))
    }

    /// Writes a requirement below what a section says, because its neighbours cannot be followed.
    fn beside(&self, sample: &Written, id: &str, words: &str) -> Vec<Op> {
        let section = self.outline.headings().into_iter().rfind(|heading| heading.line < sample.line);
        let end = section.map_or(sample.end, |heading| heading.own.max(sample.end));
        let gap = (self.added == 1).then(String::new);
        vec![Op::After(end, gap.into_iter().chain([format!("- **{id}**: {words}")]).collect())]
    }

    /// A requirement in OpenSpec's form, among those that are added.
    fn named(&mut self, sample: &Written, words: &str) -> (String, Vec<Op>) {
        let line = self.outline.line(sample.line);
        let depth = line.trim_start().bytes().take_while(|byte| *byte == b'#').count();
        let (name, lines) = self.block(depth, words);
        let added = self.section_of_added();
        let is_delta = self.outline.headings().iter().any(|heading| is_change(heading.text));
        let ops = match added {
            Some(section) => vec![Op::After(section.last, lines)],
            None if is_delta => self.at_end("## ADDED Requirements", lines),
            None => vec![Op::After(sample.end, lines)],
        };
        (name, ops)
    }

    /// The first requirement of a document in OpenSpec's form.
    fn first_named(&mut self, words: &str) -> (String, Vec<Op>) {
        let (name, lines) = self.block(3, words);
        let headings = self.outline.headings();
        let is_place = |heading: &&Heading<'_>| {
            let text = heading.text.to_lowercase();
            heading.depth <= 2
                && text.contains("requirements")
                && !text.starts_with("removed")
                && !text.starts_with("renamed")
        };
        let heading = if self.spec.dir.contains("/changes/") { "## ADDED Requirements" } else { "## Requirements" };
        let ops = match headings.iter().find(is_place) {
            Some(section) => vec![Op::After(section.last, lines)],
            None => self.at_end(heading, lines),
        };
        (name, ops)
    }

    fn section_of_added(&self) -> Option<Heading<'t>> {
        self.outline.headings().into_iter().find(|heading| heading.depth <= 2 && heading.text.starts_with("ADDED"))
    }

    /// `### Requirement: name`, its words, and a scenario to be filled in.
    fn block(&mut self, depth: usize, words: &str) -> (String, Vec<String>) {
        let name = self.name(words);
        let (marks, more) = ("#".repeat(depth), "#".repeat((depth + 1).min(6)));
        let lines = [
            "",
            &format!("{marks} Requirement: {name}"),
            "",
            words,
            "",
            &format!("{more} Scenario: {name}"),
            "",
            "- **WHEN** [NEEDS CLARIFICATION: when is it seen?]",
            "- **THEN** [NEEDS CLARIFICATION: what is seen?]",
        ];
        (name, lines.map(str::to_owned).to_vec())
    }

    /// A name of a few words for a requirement: what it demands.
    fn name(&mut self, words: &str) -> String {
        const NAME_WORDS: usize = 7;
        let all: Vec<&str> = words.split_whitespace().collect();
        let is_modal = |word: &&&str| matches!(**word, "MUST" | "SHALL" | "SHOULD" | "MAY");
        let begins =
            all.iter().position(|word| is_modal(&word)).map_or(0, |at| at + 1).min(all.len().saturating_sub(1));
        let told: Vec<&str> = all[begins..].iter().take(NAME_WORDS).copied().collect();
        let told = told.join(" ");
        let told = told.trim_end_matches(|c: char| !c.is_alphanumeric());
        let mut letters = told.chars();
        let told = letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
        let told = told.replace('[', "(").replace(']', ")");
        let is_free = |name: &String| !self.names.contains(&folded(&format!("Requirement: {name}")));
        let numbered = (2_u32..).map(|n| format!("{told} {n}"));
        let name = std::iter::once(told.clone()).chain(numbered.take(1_000)).find(is_free).unwrap_or(told);
        self.names.insert(folded(&format!("Requirement: {name}")));
        name
    }

    /// Puts a line into the section for requirements, which is made where there is none.
    fn in_section(&mut self, line: String) -> Vec<Op> {
        let headings = self.outline.headings();
        let is = |name: &str| headings.iter().find(|heading| folded(heading.text).starts_with(name)).copied();
        let is_first = !std::mem::replace(&mut self.begun, true);
        let gap = || is_first.then(String::new);
        if let Some(section) = is("functional requirements").or_else(|| is("requirements")) {
            return vec![Op::After(section.own, gap().into_iter().chain([line]).collect())];
        }
        let head = ["## Requirements", "", "### Functional Requirements", ""].map(str::to_owned);
        match made(self.outline, "requirements", head.into_iter().chain([line.clone()]).collect()) {
            op if is_first => vec![op],
            // Between the section that was made and the gap behind it.
            Op::Before(number, _) => vec![Op::Within(number, line)],
            Op::After(number, _) => vec![Op::After(number, vec![line])],
            Op::Replace { .. } | Op::Take(..) | Op::Within(..) => Vec::new(),
        }
    }

    /// Puts lines at the document's end, the first time below a heading.
    fn at_end(&mut self, head: &str, lines: Vec<String>) -> Vec<Op> {
        let last = self.outline.last();
        let mut all = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            all.extend((last > 0).then(String::new));
            all.push(head.to_owned());
        }
        all.extend(lines);
        vec![Op::After(last, all)]
    }
}

/// Whether a heading is one of a change in OpenSpec's form.
fn is_change(text: &str) -> bool {
    ["ADDED", "MODIFIED", "REMOVED", "RENAMED"].iter().any(|word| text.starts_with(word))
}
