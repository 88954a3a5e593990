//! Clarify: what the words of a spec leave open, one question each.
//!
//! The word lists are the critic's and the agenda's; here their hits become questions with a place for the answer. It
//! must not judge whether documents fit together.

use super::sides::{Wants, is_lone, sides, unmarked};
use super::text::{Document, Part, find};
use super::{Confidence, Edit, Found, Gate, Magnitude, Matter, Resolvability, Slot, weight};
use crate::domain::agenda::{OpenPoint, PointKind, closing, open_points};
use crate::domain::check::{Place, Tree, open_mark, vague_in};
use crate::domain::spec::{Outline, Requirement, Spec, Written};

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
    let text = tree.text(&spec.file).unwrap_or_default();
    let (document, outline) = (Document::new(&spec.file, text), Outline::of(spec, text));
    let mut found = Vec::new();
    let mut marked = Vec::new();
    let written = document.requirements(spec.requirements.iter().map(|requirement| requirement.line));
    for (requirement, lines) in spec.requirements.iter().zip(written) {
        let written = outline.of_line(requirement.line);
        let asker = Asker { document, requirement, lines, written };
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
    elsewhere(document, &marked, &mut found);
    found
}

/// What can be chosen, each with the edit that it stands for.
type Offers = Vec<(String, Edit)>;

/// Asks about one requirement.
struct Asker<'t> {
    document: Document<'t>,
    requirement: &'t Requirement,
    /// The lines in which it is written: no answer goes anywhere else.
    lines: Vec<(u32, &'t str)>,
    /// Where its own words stand.
    written: Option<&'t Written>,
}

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

    /// Finds words of the requirement again in its lines.
    fn find(&self, words: &str) -> Option<Part<'t>> {
        find(&self.lines, words)
    }

    /// Asks what stands in `[NEEDS CLARIFICATION: …]`; returns the places, so that nothing is asked twice.
    fn markers(&self, out: &mut Vec<Found>) -> Vec<(u32, usize)> {
        let mut places = Vec::new();
        for Marker { question, line, at, slot } in markers(self.document, &self.lines, MARKER) {
            places.push((line, at));
            let ask = if question.is_empty() { format!("{}: what is meant?", self.requirement.id) } else { question };
            let offered = self.offered(&ask, line, at);
            let found = self.ask(Matter::OpenMarker, ask, line);
            let (choices, own) = offered.unwrap_or_default();
            out.push(Found {
                confidence: Confidence::High,
                magnitude: weight(self.requirement.level, Magnitude::Critical, Magnitude::Important),
                resolvability: resolvable(&choices),
                choices,
                slot: own.or(slot),
                ..found
            });
        }
        places
    }

    /// What a mark of a draft offers: the requirement in the words of each side, or as it stands without the mark; and
    /// where other words go. Of words that run on over lines, only the last.
    fn offered(&self, question: &str, line: u32, at: usize) -> Option<(Offers, Option<Slot>)> {
        let wants: Vec<Wants> = match sides(question) {
            Some(sides) => sides.into_iter().map(|side| side.wants).collect(),
            None => is_lone(question).then(|| vec![Wants::Gone])?,
        };
        let raw = self.document.line(line)?;
        let words = self.written.and_then(|written| written.words.as_deref()).unwrap_or_default();
        let whole = match words {
            [only] if only.line == line && only.start <= at => Some((line, raw, only.start, only.end)),
            _ => None,
        };
        let is_row = raw.trim_start().starts_with('|');
        let mut choices = Offers::new();
        for wish in wants {
            let edit = match &wish {
                Wants::Words(words) if is_row => {
                    whole.and_then(|place| self.document.replaced(place, &words.replace('|', "\\|")))
                }
                Wants::Words(words) => whole.and_then(|place| self.document.replaced(place, words)),
                Wants::Gone => self.document.without(line).filter(|_| line == self.requirement.line),
                Wants::Same => None,
            };
            let name = match wish {
                Wants::Words(words) => words,
                Wants::Gone | Wants::Same => "it goes".to_owned(),
            };
            choices.extend(edit.map(|edit| (name, edit)));
        }
        let becomes = vec![unmarked(raw)];
        let stays = Edit { file: self.document.file.to_owned(), line, was: raw.to_owned(), becomes };
        choices.push(("it stays as it is".to_owned(), stays));
        Some((choices, whole.and_then(|place| self.slot(place))))
    }

    /// Asks about TBD and its like, where no marker says what is open.
    fn open_word(&self, out: &mut Vec<Found>) {
        let Some(mark) = open_mark(&self.requirement.text).map(|mark| mark.called) else { return };
        let part = self.open_part();
        let line = part.map_or(self.requirement.line, |part| part.0);
        let ask = format!("{} says {mark}: what is it to be?", self.requirement.id);
        out.push(Found {
            confidence: Confidence::High,
            magnitude: weight(self.requirement.level, Magnitude::Critical, Magnitude::Important),
            slot: part.and_then(|part| self.slot(part)),
            ..self.ask(Matter::OpenMarker, ask, line)
        });
    }

    /// Finds the first of the words that say that something is undecided.
    fn open_part(&self) -> Option<Part<'t>> {
        // As one text: whether TODO is open is told by the word after it, which may stand in the next line.
        let text = self.lines.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
        let mark = open_mark(&text)?;
        let mut begins = 0;
        self.lines.iter().find_map(|(number, line)| {
            let start = mark.at.checked_sub(begins)?;
            begins += line.len() + 1;
            let end = start + mark.written.len();
            (end <= line.len()).then_some((*number, *line, start, end))
        })
    }

    /// Asks about quantities without a value, and choices that nobody made.
    fn points(&self, out: &mut Vec<Found>) {
        for OpenPoint { kind, words, unit } in open_points(&self.requirement.text) {
            let part = self.find(&words);
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
            let part = self.find(&word);
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
        let Some(part) = self.find(word) else { return };
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
            let part = self.find(words)?;
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

/// A marker, and what it asks.
struct Marker {
    question: String,
    /// The number of the line that it begins in.
    line: u32,
    /// Where in that line.
    at: usize,
    /// Where its answer goes; none where it ends in another line.
    slot: Option<Slot>,
}

/// Finds the markers in lines that begin so.
fn markers(document: Document<'_>, lines: &[(u32, &str)], begins: &str) -> Vec<Marker> {
    let mut found = Vec::new();
    for (n, (number, line)) in lines.iter().enumerate() {
        let mut end = 0;
        for (at, _) in line.match_indices(begins) {
            if at < end {
                continue;
            }
            let closes = closing(&line[at..]).map(|length| at + length);
            end = closes.unwrap_or(line.len());
            let inside = match closes {
                Some(end) => line[at..end - 1].to_owned(),
                None => wrapped(&line[at..], &lines[n + 1..]),
            };
            let words = inside[begins.len()..].trim_start_matches([':', ' ']).replace("**", "");
            found.push(Marker {
                question: words.split_whitespace().collect::<Vec<_>>().join(" "),
                line: *number,
                at,
                slot: closes.and_then(|end| document.slot((*number, *line, at, end))),
            });
        }
    }
    found
}

/// Returns what stands in the bracket that a text begins with and that the paragraph's next lines close; the text alone
/// where they do not.
fn wrapped(first: &str, next: &[(u32, &str)]) -> String {
    let below = next.iter().map(|(_, line)| line.trim()).take_while(|line| !line.is_empty());
    let whole = std::iter::once(first).chain(below).collect::<Vec<_>>().join(" ");
    let closed = closing(&whole).and_then(|end| whole.get(..end - 1));
    closed.unwrap_or(first).to_owned()
}

/// Asks about markers outside requirements. The words without a question stand in checklists and templates.
fn elsewhere(document: Document<'_>, marked: &[(u32, usize)], out: &mut Vec<Found>) {
    let mut fence: Option<&str> = None;
    let mut lines: Vec<(u32, &str)> = Vec::new();
    for (number, line) in (1u32..).zip(document.lines()) {
        let mark = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) | (Some(_), _) => {}
        }
        let is_text = fence.is_none() && mark.is_none();
        lines.push((number, if is_text { line } else { "" }));
    }
    for Marker { question, line, at, slot } in markers(document, &lines, "[NEEDS CLARIFICATION:") {
        if question.is_empty() || marked.contains(&(line, at)) {
            continue;
        }
        out.push(Found {
            gate: Gate::Clarify,
            matter: Matter::OpenMarker,
            about: String::new(),
            place: Place { file: document.file.to_owned(), line },
            ask: question,
            context: document.line(line).unwrap_or_default().trim().chars().take(CONTEXT_MAX).collect(),
            confidence: Confidence::High,
            magnitude: Magnitude::Important,
            resolvability: Resolvability::NeedHuman,
            choices: Vec::new(),
            slot,
        });
    }
}
