//! Clarify: what the words of a spec leave open, one question each.
//!
//! The word lists are the critic's and the agenda's; here their hits become questions with a place for the answer. It
//! must not judge whether documents fit together.

use super::text::Document;
use super::{Confidence, Edit, Found, Gate, Magnitude, Matter, Resolvability, Slot, weight};
use crate::domain::agenda::{OpenPoint, PointKind, open_points};
use crate::domain::check::{Place, Tree, open_mark, vague_in};
use crate::domain::spec::{Requirement, Spec};

/// Words that leave open whether something is demanded at all.
const WEAK: [&str; 8] = ["might", "could", "maybe", "perhaps", "probably", "possibly", "consider", "ideally"];

/// Words that end a list without ending it.
const ENDLESS: [&str; 5] = ["etc.", "and so on", "and so forth", "and the like", "and others"];

/// How binding a weak word can be made.
const LEVELS: [&str; 3] = ["MUST", "SHOULD", "MAY"];

/// Most characters of a requirement that are quoted beside a question.
const CONTEXT_MAX: usize = 200;

/// Asks about every requirement of a spec, and about the markers elsewhere in it.
pub(super) fn clarify(tree: &Tree, spec: &Spec) -> Vec<Found> {
    let document = Document::new(&spec.file, tree.text(&spec.file).unwrap_or_default());
    let mut found = Vec::new();
    let mut marked = Vec::new();
    for requirement in &spec.requirements {
        let asker = Asker { document, requirement };
        let markers = asker.markers(&mut found);
        if markers.is_empty() {
            asker.open_word(&mut found);
        }
        marked.extend(markers);
        asker.points(&mut found);
        asker.vague(&mut found);
        asker.weak(&mut found);
        asker.endless(&mut found);
    }
    elsewhere(document, tree.text(&spec.file).unwrap_or_default(), &marked, &mut found);
    found
}

/// Asks about one requirement.
struct Asker<'t> {
    document: Document<'t>,
    requirement: &'t Requirement,
}

type Part<'t> = (u32, &'t str, usize, usize);

impl<'t> Asker<'t> {
    fn ask(&self, matter: Matter, ask: String, line: u32) -> Found {
        Found {
            gate: Gate::Clarify,
            matter,
            about: self.requirement.id.clone(),
            place: Place { file: self.document.file.to_owned(), line },
            ask,
            context: self.requirement.text.chars().take(CONTEXT_MAX).collect(),
            confidence: Confidence::Medium,
            magnitude: weight(self.requirement.level, Magnitude::Important, Magnitude::Minor),
            resolvability: Resolvability::NeedHuman,
            choices: Vec::new(),
            slot: None,
        }
    }

    fn slot(&self, part: Part<'t>) -> Option<Slot> {
        self.document.slot(part)
    }

    /// Asks what stands in `[NEEDS CLARIFICATION: …]`; returns the places, so that nothing is asked twice.
    fn markers(&self, out: &mut Vec<Found>) -> Vec<(u32, usize)> {
        let mut places = Vec::new();
        for question in questions(&self.requirement.text) {
            let Some(part) = self.marker(question) else { continue };
            places.push((part.0, part.2));
            let ask =
                if question.is_empty() { format!("{}: what is meant?", self.requirement.id) } else { question.into() };
            let found = self.ask(Matter::OpenMarker, ask, part.0);
            out.push(Found {
                confidence: Confidence::High,
                magnitude: weight(self.requirement.level, Magnitude::Critical, Magnitude::Important),
                slot: self.slot(part),
                ..found
            });
        }
        places
    }

    /// Finds a marker again in its line, where the words may be spaced otherwise.
    fn marker(&self, question: &str) -> Option<Part<'t>> {
        let mut from = self.requirement.line;
        loop {
            let (number, line, start, _) = self.document.find(from, MARKER)?;
            for (at, _) in line.match_indices(MARKER).filter(|(at, _)| *at >= start) {
                let end = line[at..].find(']').map_or(line.len(), |n| at + n + 1);
                let inside = line[at..end].trim_end_matches(']');
                let words = inside.trim_start_matches(MARKER).trim_start_matches([':', ' ']);
                if question.is_empty() || same_words(words, question) || line[at..end].ends_with(']').eq(&false) {
                    return Some((number, line, at, end));
                }
            }
            from = number.checked_add(1)?;
        }
    }

    /// Asks about TBD and its like, where no marker says what is open.
    fn open_word(&self, out: &mut Vec<Found>) {
        let Some(mark) = open_mark(&self.requirement.text) else { return };
        let written = ["TBD", "TBC", "FIXME", "TODO", "???", "NEEDS CLARIFICATION"];
        let part = written.iter().find_map(|word| self.document.find(self.requirement.line, word));
        let line = part.map_or(self.requirement.line, |part| part.0);
        let ask = format!("{} says {mark}: what is it to be?", self.requirement.id);
        out.push(Found {
            confidence: Confidence::High,
            magnitude: weight(self.requirement.level, Magnitude::Critical, Magnitude::Important),
            slot: part.and_then(|part| self.slot(part)),
            ..self.ask(Matter::OpenMarker, ask, line)
        });
    }

    /// Asks about quantities without a value, and choices that nobody made.
    fn points(&self, out: &mut Vec<Found>) {
        for OpenPoint { kind, words, unit } in open_points(&self.requirement.text) {
            let part = self.document.find(self.requirement.line, &words);
            let line = part.map_or(self.requirement.line, |part| part.0);
            match kind {
                PointKind::Marker => {}
                PointKind::Quantity => {
                    let unit = unit.map(|unit| format!(" (in {unit})")).unwrap_or_default();
                    let ask = format!("{}: how much is \"{words}\"{unit}?", self.requirement.id);
                    let slot = part.and_then(|part| self.slot(part)).map(|slot| Slot {
                        head: format!("{}{words} (", slot.head),
                        tail: format!("){}", slot.tail),
                        ..slot
                    });
                    out.push(Found { slot, ..self.ask(Matter::OpenQuantity, ask, line) });
                }
                PointKind::Choice => {
                    let ask = format!("{}: which one, \"{words}\"?", self.requirement.id);
                    let choices = part.map(|part| self.sides(part, &words)).unwrap_or_default();
                    out.push(Found {
                        resolvability: resolvable(&choices),
                        choices,
                        slot: part.and_then(|part| self.slot(part)),
                        ..self.ask(Matter::OpenChoice, ask, line)
                    });
                }
            }
        }
    }

    /// The sides of `a or b`, each as the edit that keeps it alone.
    fn sides(&self, part: Part<'t>, words: &str) -> Vec<(String, Edit)> {
        let sides = words.split(" or ").map(|side| side.trim_start_matches("either ").trim());
        sides
            .filter(|side| !side.is_empty())
            .filter_map(|side| Some((side.to_owned(), self.document.replaced(part, side)?)))
            .collect()
    }

    fn vague(&self, out: &mut Vec<Found>) {
        let asked: Vec<String> =
            open_points(&self.requirement.text).into_iter().map(|point| point.words.to_lowercase()).collect();
        for word in vague_in(&self.requirement.text).into_iter().filter(|word| !asked.contains(word) && word != "etc") {
            let part = self.document.find(self.requirement.line, &word);
            let line = part.map_or(self.requirement.line, |part| part.0);
            let ask = format!("{}: \"{word}\" by which measure?", self.requirement.id);
            out.push(Found { slot: part.and_then(|part| self.slot(part)), ..self.ask(Matter::Vague, ask, line) });
        }
    }

    fn weak(&self, out: &mut Vec<Found>) {
        let words = |text: &str| text.to_lowercase();
        let text = words(&self.requirement.text);
        let is_there = |word: &&&str| text.split(|c: char| !c.is_alphanumeric()).any(|w| w == **word);
        let Some(word) = WEAK.iter().find(is_there) else { return };
        let Some(part) = self.document.find(self.requirement.line, word) else { return };
        let ask = format!("{} says \"{word}\": is it demanded?", self.requirement.id);
        let level = |level: &&'static str| Some(((*level).to_owned(), self.document.replaced(part, level)?));
        let choices: Vec<(String, Edit)> = LEVELS.iter().filter_map(level).collect();
        out.push(Found {
            resolvability: resolvable(&choices),
            choices,
            slot: self.slot(part),
            ..self.ask(Matter::WeakModal, ask, part.0)
        });
    }

    fn endless(&self, out: &mut Vec<Found>) {
        let found = ENDLESS.iter().find_map(|words| {
            let part = self.document.find(self.requirement.line, words)?;
            self.requirement.text.to_lowercase().contains(words).then_some((words, part))
        });
        let Some((words, part)) = found else { return };
        let ask = format!("{}: what else is in \"{words}\"?", self.requirement.id);
        out.push(Found {
            magnitude: Magnitude::Minor,
            slot: self.slot(part),
            ..self.ask(Matter::OpenList, ask, part.0)
        });
    }
}

/// What asks for a clarification in github/spec-kit's documents.
const MARKER: &str = "[NEEDS CLARIFICATION";

fn resolvable(choices: &[(String, Edit)]) -> Resolvability {
    if choices.is_empty() { Resolvability::NeedHuman } else { Resolvability::SuggestFix }
}

/// Returns what the markers of a text ask.
fn questions(text: &str) -> Vec<&str> {
    let ends = |rest: &str| rest.find(']').unwrap_or(rest.len());
    let inside = text.split(MARKER).skip(1).map(|rest| &rest[..ends(rest)]);
    inside.map(|words| words.trim_start_matches(':').trim()).collect()
}

fn same_words(a: &str, b: &str) -> bool {
    let plain = |text: &str| text.replace("**", "").split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    plain(a) == plain(b)
}

/// Asks about markers outside requirements. The words without a question stand in checklists and templates.
fn elsewhere(document: Document<'_>, text: &str, marked: &[(u32, usize)], out: &mut Vec<Found>) {
    let mut fence: Option<&str> = None;
    for (number, line) in (1u32..).zip(text.lines()) {
        let mark = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) | (Some(_), _) => {}
        }
        if fence.is_some() || mark.is_some() {
            continue;
        }
        let asks = "[NEEDS CLARIFICATION:";
        for (at, _) in line.match_indices(asks).filter(|(at, _)| !marked.contains(&(number, *at))) {
            let end = line[at..].find(']').map_or(line.len(), |n| at + n + 1);
            let question = line[at + asks.len()..end].trim_end_matches(']').trim();
            if question.is_empty() {
                continue;
            }
            out.push(Found {
                gate: Gate::Clarify,
                matter: Matter::OpenMarker,
                about: String::new(),
                place: Place { file: document.file.to_owned(), line: number },
                ask: question.to_owned(),
                context: line.trim().chars().take(CONTEXT_MAX).collect(),
                confidence: Confidence::High,
                magnitude: Magnitude::Important,
                resolvability: Resolvability::NeedHuman,
                choices: Vec::new(),
                slot: document.slot((number, line, at, end)),
            });
        }
    }
}
