//! What the base draft says beside requirements, and what was agreed on the agenda, in the sections of a spec: stories, edge
//! cases, success criteria, assumptions, clarifications.
//!
//! Nobody votes on them but on answers: they are added where the spec does not say them by words, and they take the place
//! of a template's placeholders. It must not know verdicts.

use super::propose::is_placeholder;
use super::text::Op;
use crate::domain::agenda::closing;
use crate::domain::artifact::body::UserStory;
use crate::domain::document::words::{folded, sentence};
use crate::domain::spec::{Heading, Layout, Outline, Spec};

/// Sections in github/spec-kit's order, by what their headings begin with, folded.
const ORDER: [&str; 5] = ["clarifications", "user scenarios", "requirements", "success criteria", "assumptions"];

/// A part of the spec, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// What its entries are.
    pub(super) kind: PartKind,
    /// What is added, each in one line.
    pub(super) said: Vec<String>,
    /// How.
    pub(super) ops: Vec<Op>,
    /// Stories that are filled in.
    pub(super) filled: Vec<String>,
    /// Stories that are added.
    pub(super) stories: usize,
    /// Why it is left to a person.
    pub(super) by_hand: Option<&'static str>,
}

/// Kinds of parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartKind {
    /// Questions of the agenda and their answers.
    Clarifications,
    /// User stories.
    Stories,
    /// Edge cases.
    EdgeCases,
    /// Outcomes that can be measured.
    SuccessCriteria,
    /// What is taken for granted.
    Assumptions,
}

impl PartKind {
    /// What an entry of it is called.
    pub(super) fn word(self) -> &'static str {
        match self {
            PartKind::Clarifications => "Clarification",
            PartKind::Stories => "User story",
            PartKind::EdgeCases => "Edge case",
            PartKind::SuccessCriteria => "Success criterion",
            PartKind::Assumptions => "Assumption",
        }
    }
}

const FOREIGN: &str = "this layout has no section for it";
const SENTENCES: &str = "the spec has its stories as sentences";

/// Returns the line of the first section that comes after one in the order; none where it goes to the end.
pub(super) fn follows(outline: &Outline<'_>, name: &str) -> Option<u32> {
    let rank = |text: &str| ORDER.iter().position(|known| folded(text).starts_with(known));
    let own = ORDER.iter().position(|known| *known == name);
    let is_after =
        |heading: &Heading<'_>| heading.depth <= 2 && rank(heading.text).is_some_and(|rank| Some(rank) > own);
    outline.headings().into_iter().find(is_after).map(|heading| heading.line)
}

/// Puts a section where it belongs.
pub(super) fn made(outline: &Outline<'_>, name: &str, lines: Vec<String>) -> Op {
    let gap = || std::iter::once(String::new());
    match follows(outline, name) {
        Some(line) if line > 1 && !outline.line(line - 1).trim().is_empty() => {
            Op::Before(line, gap().chain(lines).chain(gap()).collect())
        }
        Some(line) => Op::Before(line, lines.into_iter().chain(gap()).collect()),
        None if outline.last() == 0 => Op::After(0, lines),
        None => Op::After(outline.last(), gap().chain(lines).collect()),
    }
}

fn owned(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// A spec whose sections are filled.
pub(super) struct Sections<'t> {
    spec: &'t Spec,
    outline: &'t Outline<'t>,
    /// All that it says, folded, between spaces.
    whole: String,
}

impl<'t> Sections<'t> {
    pub(super) fn of(spec: &'t Spec, outline: &'t Outline<'t>) -> Self {
        let whole = format!(" {} ", folded(&outline.raw().join("\n")));
        Self { spec, outline, whole }
    }

    fn says(&self, words: &str) -> bool {
        let words = folded(words);
        words.is_empty() || self.whole.contains(&format!(" {words} "))
    }

    /// The entries that the spec does not have, each once.
    fn lacking(&self, texts: &[String]) -> Vec<String> {
        let mut said: Vec<String> = Vec::new();
        for words in texts.iter().filter_map(|text| sentence(text)).filter(|words| !self.says(words)) {
            if !said.iter().any(|known| folded(known) == folded(&words)) {
                said.push(words);
            }
        }
        said
    }

    fn heading(&self, name: &str) -> Option<Heading<'t>> {
        self.outline.headings().into_iter().find(|heading| folded(heading.text).starts_with(name))
    }

    fn part(kind: PartKind, said: Vec<String>, ops: Vec<Op>) -> Option<Part> {
        let is_any = !said.is_empty();
        is_any.then_some(Part { kind, said, ops, filled: Vec::new(), stories: 0, by_hand: None })
    }

    fn by_hand(kind: PartKind, said: Vec<String>, why: &'static str) -> Option<Part> {
        Self::part(kind, said, Vec::new()).map(|part| Part { by_hand: Some(why), ..part })
    }

    /// Questions and answers, as github/spec-kit's clarify writes them.
    pub(super) fn clarifications(&self, answers: &[(String, String)]) -> Option<Part> {
        let is_new = |(ask, _): &&(String, String)| !self.says(&format!("Q: {ask}"));
        let said: Vec<String> =
            answers.iter().filter(is_new).map(|(ask, answer)| format!("Q: {ask} → A: {answer}")).collect();
        let lines: Vec<String> = said.iter().map(|line| format!("- {line}")).collect();
        let ops = match self.heading("clarifications") {
            // OpenSpec's documents have no place for them; they are told beside the proposal.
            _ if lines.is_empty() || self.spec.layout == Layout::OpenSpec => return None,
            Some(section) => vec![self.listed(section, lines)],
            None => vec![made(self.outline, "clarifications", [owned(&["## Clarifications", ""]), lines].concat())],
        };
        Self::part(PartKind::Clarifications, said, ops)
    }

    /// Puts lines below the last item of a section.
    fn listed(&self, section: Heading<'_>, lines: Vec<String>) -> Op {
        let items = self.outline.items(section.line + 1..=section.own);
        match items.iter().map(|(_, end, _)| *end).max() {
            Some(end) => Op::After(end, lines),
            None => Op::After(section.own, std::iter::once(String::new()).chain(lines).collect()),
        }
    }

    /// Fills the placeholders of a section's list, and puts what is left below it.
    fn filled(&self, section: Heading<'_>, said: &[String], line: impl Fn(usize, &str) -> String) -> Vec<Op> {
        let items = self.outline.items(section.line + 1..=section.own);
        let empty = items.iter().filter_map(|(at, end, text)| {
            let words = after_id(text);
            (is_placeholder(words) && at == end).then(|| self.outline.place(*at, words)).flatten()
        });
        let mut empty = empty.collect::<Vec<_>>().into_iter();
        let mut ops: Vec<Op> = Vec::new();
        let mut more: Vec<String> = Vec::new();
        for words in said {
            match empty.next() {
                Some(part) => {
                    ops.push(Op::Replace { line: part.line, start: part.start, end: part.end, with: words.clone() });
                }
                None => more.push(line(more.len(), words)),
            }
        }
        ops.extend(empty.map(|part| Op::Take(part.line, part.line)));
        if !more.is_empty() {
            ops.push(self.listed(section, more));
        }
        ops
    }

    /// The next number of a success criterion, and how many digits they have.
    fn criteria(&self) -> (u32, usize) {
        let numbers = self.outline.raw().iter().flat_map(|line| line.split("SC-").skip(1)).filter_map(|tail| {
            let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
            Some((tail[..digits].parse::<u32>().ok()?, digits))
        });
        numbers.fold((1, 3), |(next, width), (number, digits)| {
            (next.max(number.saturating_add(1)), width.max(digits).min(6))
        })
    }

    pub(super) fn success_criteria(&self, texts: &[String]) -> Option<Part> {
        let said = self.lacking(texts);
        let (next, width) = self.criteria();
        let line = |at: usize, words: &str| {
            let number = next.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
            format!("- **SC-{number:0width$}**: {words}")
        };
        let place = self.heading("measurable outcomes").or_else(|| self.heading("success criteria"));
        self.list(
            PartKind::SuccessCriteria,
            said,
            place,
            &["## Success Criteria", "", "### Measurable Outcomes", ""],
            line,
        )
    }

    pub(super) fn assumptions(&self, texts: &[String]) -> Option<Part> {
        let said = self.lacking(texts);
        let place = self.heading("assumptions");
        self.list(PartKind::Assumptions, said, place, &["## Assumptions", ""], |_, words| format!("- {words}"))
    }

    fn list(
        &self,
        kind: PartKind,
        said: Vec<String>,
        place: Option<Heading<'_>>,
        head: &[&str],
        line: impl Fn(usize, &str) -> String,
    ) -> Option<Part> {
        if self.spec.layout == Layout::OpenSpec {
            return Self::by_hand(kind, said, FOREIGN);
        }
        let ops = match place {
            _ if said.is_empty() => Vec::new(),
            Some(section) => self.filled(section, &said, line),
            None => {
                let lines: Vec<String> = said.iter().enumerate().map(|(at, words)| line(at, words)).collect();
                let name = if kind == PartKind::Assumptions { "assumptions" } else { "success criteria" };
                vec![made(self.outline, name, [owned(head), lines].concat())]
            }
        };
        Self::part(kind, said, ops)
    }

    /// Stories and edge cases, which share a section.
    pub(super) fn scenarios(&self, stories: &[UserStory], edge_cases: &[String]) -> Vec<Part> {
        let cases = self.lacking(edge_cases);
        let lacking: Vec<&UserStory> = stories.iter().filter(|story| self.lacks(story)).collect();
        let titles = || lacking.iter().filter_map(|story| sentence(&story.title)).collect::<Vec<_>>();
        if self.spec.layout == Layout::OpenSpec {
            let stories = Self::by_hand(PartKind::Stories, titles(), FOREIGN);
            return stories.into_iter().chain(Self::by_hand(PartKind::EdgeCases, cases, FOREIGN)).collect();
        }
        let headings = self.outline.headings();
        let told: Vec<Heading<'t>> = headings.iter().filter(|heading| self.is_story(heading)).copied().collect();
        let home = self.heading("user scenarios");
        let mut parts = Vec::new();
        let mut block: Vec<String> = Vec::new();
        if told.is_empty() && !self.spec.stories.is_empty() {
            parts.extend(Self::by_hand(PartKind::Stories, titles(), SENTENCES));
        } else {
            let (part, lines) = self.stories(&lacking, &told, home);
            parts.extend(part);
            block = lines;
        }
        let items: Vec<String> = cases.iter().map(|words| format!("- {words}")).collect();
        let mut ops = Vec::new();
        if !cases.is_empty() {
            let lines = || [owned(&["### Edge Cases", ""]), items.clone()].concat();
            match (self.heading("edge cases"), told.last().or(home.as_ref())) {
                (Some(section), _) => ops = self.filled(section, &cases, |_, words| format!("- {words}")),
                (None, Some(place)) => {
                    let end = home.map_or(place.last, |home| home.last.max(place.last));
                    ops.push(Op::After(end, std::iter::once(String::new()).chain(lines()).collect()));
                }
                (None, None) => {
                    block.extend((!block.is_empty()).then(String::new));
                    block.extend(lines());
                }
            }
        }
        if !block.is_empty() {
            let block = [owned(&["## User Scenarios & Testing", ""]), block].concat();
            let ops_of =
                if parts.is_empty() { &mut ops } else { parts.last_mut().map_or(&mut ops, |part| &mut part.ops) };
            ops_of.push(made(self.outline, "user scenarios", block));
        }
        parts.extend(Self::part(PartKind::EdgeCases, cases, ops));
        parts
    }

    /// Tells whether a spec lacks a story: neither its title nor a sentence of it stands there.
    fn lacks(&self, story: &UserStory) -> bool {
        let sentences = story.scenarios.iter().chain([&story.story, &story.title]);
        let mut told = sentences.filter_map(|text| sentence(text)).peekable();
        told.peek().is_some() && !story.title.trim().is_empty() && !told.any(|words| self.says(&words))
    }

    fn is_story(&self, heading: &Heading<'_>) -> bool {
        self.spec.stories.iter().any(|story| story.line == heading.line)
    }

    /// Fills stories of a template, and adds the others; what needs a section that is not there comes back as lines.
    fn stories(
        &self,
        lacking: &[&UserStory],
        told: &[Heading<'t>],
        home: Option<Heading<'t>>,
    ) -> (Option<Part>, Vec<String>) {
        let said: Vec<String> = lacking.iter().filter_map(|story| sentence(&story.title)).collect();
        let mut ops = Vec::new();
        let mut filled = Vec::new();
        let mut empty = told.iter().filter(|heading| self.is_empty(heading));
        let mut added: Vec<Vec<String>> = Vec::new();
        let highest =
            self.spec.stories.iter().filter_map(|story| story.id.strip_prefix("US")?.parse::<u32>().ok()).max();
        let mut next = highest.unwrap_or(0).saturating_add(1);
        let depth = told.first().map_or(3, |heading| heading.depth);
        for story in lacking {
            match empty.next() {
                Some(heading) => {
                    ops.extend(self.story_in(heading, story));
                    let of = self.spec.stories.iter().find(|known| known.line == heading.line);
                    filled.extend(of.map(|known| known.id.clone()));
                }
                None => {
                    added.push(block(story, next, depth));
                    next = next.saturating_add(1);
                }
            }
        }
        let count = added.len();
        let gap = || std::iter::once(String::new());
        let end = told.last().map(|heading| heading.last).or(home.map(|home| home.own));
        let mut lines = Vec::new();
        match end {
            Some(end) => ops.extend(added.into_iter().map(|block| Op::After(end, gap().chain(block).collect()))),
            None => lines = added.join(&String::new()),
        }
        let part = Self::part(PartKind::Stories, said, ops).map(|part| Part { filled, stories: count, ..part });
        (part, lines)
    }

    /// Tells whether a story is one of a template: all that can be tested of it is to be filled in.
    fn is_empty(&self, heading: &Heading<'_>) -> bool {
        let items = self.outline.items(heading.line + 1..=heading.own);
        !items.is_empty() && items.iter().all(|(_, _, text)| is_placeholder(text))
    }

    /// Fills the places of a template's story in; what a person wrote there stays.
    fn story_in(&self, heading: &Heading<'_>, story: &UserStory) -> Vec<Op> {
        const TEST: &str = "**Independent Test**:";
        let mut ops = Vec::new();
        let mut put = |part: Option<crate::domain::spec::Part>, words: Option<String>| {
            let both = part.zip(words);
            ops.extend(both.map(|(part, with)| Op::Replace {
                line: part.line,
                start: part.start,
                end: part.end,
                with,
            }));
        };
        let title = heading.text.find('[').and_then(|at| {
            let end = closing(&heading.text[at..])?;
            self.outline.place(heading.line, heading.text.get(at..at + end)?)
        });
        put(title, sentence(&story.title));
        for number in heading.line + 1..=heading.own {
            let line = self.outline.line(number).trim();
            if let Some(rest) = line.strip_prefix(TEST).map(str::trim).filter(|rest| is_placeholder(rest)) {
                put(self.outline.place(number, rest), sentence(&story.independent_test));
            } else if line.starts_with('[') && is_placeholder(line) {
                put(self.outline.place(number, line), sentence(&story.story));
            }
        }
        let items = self.outline.items(heading.line + 1..=heading.own);
        let steps: Vec<String> =
            story.scenarios.iter().filter_map(|text| sentence(text)).map(|text| bold(&text)).collect();
        if steps.is_empty() {
            return ops;
        }
        let mut left = steps.into_iter();
        let mut last = heading.own;
        for (at, end, text) in &items {
            match left.next() {
                Some(step) => {
                    let part = self.outline.place(*at, text);
                    ops.extend(part.map(|part| Op::Replace {
                        line: *at,
                        start: part.start,
                        end: part.end,
                        with: step,
                    }));
                    ops.extend((at < end).then(|| Op::Take(at + 1, *end)));
                    last = *end;
                }
                None => ops.push(Op::Take(*at, *end)),
            }
        }
        let more = left.zip(items.len() + 1..).map(|(step, n)| format!("{n}. {step}"));
        let more: Vec<String> = more.collect();
        ops.extend((!more.is_empty()).then_some(Op::After(last, more)));
        ops
    }
}

/// A story in github/spec-kit's form.
fn block(story: &UserStory, number: u32, depth: usize) -> Vec<String> {
    let title = sentence(&story.title).unwrap_or_default();
    let mut lines = vec![format!("{} User Story {number} - {title} (Priority: P{number})", "#".repeat(depth))];
    lines.extend(sentence(&story.story).into_iter().flat_map(|words| [String::new(), words]));
    let test = sentence(&story.independent_test);
    lines.extend(test.into_iter().flat_map(|words| [String::new(), format!("**Independent Test**: {words}")]));
    let steps: Vec<String> = story.scenarios.iter().filter_map(|text| sentence(text)).collect();
    if !steps.is_empty() {
        lines.extend(owned(&["", "**Acceptance Scenarios**:", ""]));
        lines.extend((1..).zip(steps).map(|(n, step)| format!("{n}. {}", bold(&step))));
    }
    lines
}

/// Given, When and Then in bold, as github/spec-kit has them.
fn bold(step: &str) -> String {
    let mut out = step.to_owned();
    for (word, marks) in [("Given", ""), ("When", ", "), ("Then", ", ")] {
        for form in [word.to_owned(), word.to_lowercase()] {
            let begins = format!("{marks}{form} ");
            let at = if marks.is_empty() { out.starts_with(&begins).then_some(0) } else { out.find(&begins) };
            if let Some(at) = at {
                out.replace_range(at..at + begins.len(), &format!("{marks}**{word}** "));
                break;
            }
        }
    }
    out
}

/// Splits `**SC-001**: words` behind its id.
fn after_id(text: &str) -> &str {
    let body = text.trim_start_matches(['*', '_']);
    let Some(rest) = body.strip_prefix("SC-") else { return text };
    rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start_matches(['*', '_', ':', ' '])
}
