//! Wishes become changes of the spec's document, and the document with those changes that leave it whole.
//!
//! It must not know how what is proposed is told.

use std::collections::BTreeSet;

use super::place::Shelf;
use super::sections::{Part, Sections};
use super::text::{Op, changed};
use super::wanted::{Wanted, What, Wishes, answered, wishes};
use crate::domain::agenda::closing;
use crate::domain::artifact::Body;
use crate::domain::claim::Tier;
use crate::domain::consensus::Judged;
use crate::domain::document::Desk;
use crate::domain::document::words::folded;
use crate::domain::gate::{Side, find_mark, lone_mark, mark, unmarked};
use crate::domain::spec::{self, Form, Outline, Spec, Written, parse};

/// The proposal.
pub(super) struct Proposal<'a> {
    /// The whole document.
    pub(super) text: String,
    /// What was to be changed, and what became of it.
    pub(super) changes: Vec<(Subject<'a>, Done)>,
    /// What was said and is not proposed, and why.
    pub(super) left_out: Vec<(&'a Judged, &'static str)>,
    /// Whether the requirements that count are others from now on: those of a section that was made.
    pub(super) begins: bool,
}

/// What is to be changed.
pub(super) enum Subject<'a> {
    /// What the panel wants.
    Wish(Wanted<'a>),
    /// What the base draft says beside requirements, or what was answered.
    Part(Part),
    /// Placeholders of a template that nobody filled in, when others were.
    Rest(Vec<String>),
}

/// What became of a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    /// A requirement says something else, or is marked.
    Changed {
        /// What it said.
        was: String,
    },
    /// It went.
    Gone {
        /// What it said.
        was: String,
    },
    /// It was added.
    Added {
        /// What it is called.
        id: String,
    },
    /// It stands where a placeholder stood, or our mark that one alone asks for it.
    Filled {
        /// What it is called.
        id: String,
    },
    /// The document says so already.
    There,
    /// It is left to a person, and why.
    ByHand(&'static str),
}

/// A subject with the changes that it takes.
struct Step<'a> {
    subject: Subject<'a>,
    done: Done,
    ops: Vec<Op>,
}

/// What a list of changes does to requirements.
#[derive(Default)]
struct Effects {
    touched: BTreeSet<String>,
    gone: BTreeSet<String>,
    added: BTreeSet<String>,
    /// How many stories are added.
    stories: usize,
}

const PIECES: &str = "its words stand in several pieces";
const STORY: &str = "it is a story, not a requirement with an id";
const TWICE: &str = "its id is defined more than once, with different words";
const UNSAFE: &str = "written into this document it would change what other requirements say";

/// Makes the proposal for a document.
pub(super) fn proposal<'a>(desk: &Desk<'a>, text: &str) -> Proposal<'a> {
    let given = desk.inputs.spec;
    let spec = parse(given.id.clone(), &given.dir, &given.file, text);
    let spec = Spec { tasks: given.tasks.clone(), layout: given.layout, ..spec };
    let outline = Outline::of(&spec, text);
    let Wishes { proposed, left_out } = wishes(desk);
    let mut writer = Writer::of(&spec, &outline, &proposed);
    let wished: Vec<Step<'a>> = proposed.into_iter().map(|wanted| writer.step(wanted)).collect();
    let (before, after) = parts(desk, &Sections::of(&spec, &outline));
    let begins = writer.shelf.begins();
    // In the order of sections: where two are made at one place, the first comes first.
    let steps = before.into_iter().map(Step::of).chain(wished).chain(after.into_iter().map(Step::of));
    let mut steps: Vec<Step<'a>> = steps.chain(writer.rest()).collect();
    let is_sound = |steps: &[&Step<'a>]| {
        let text = changed(&spec.file, text, steps.iter().flat_map(|step| &step.ops));
        sound(&spec, &outline, &text, &effects(steps)).then_some(text)
    };
    let whole = is_sound(&steps.iter().collect::<Vec<_>>());
    let proposed = whole.or_else(|| one_by_one(&mut steps, is_sound)).unwrap_or_else(|| text.to_owned());
    let begins = begins && steps.iter().any(|step| matches!(step.done, Done::Added { .. }));
    let changes = steps.into_iter().map(|step| (step.subject, step.done)).collect();
    Proposal { text: proposed, changes, left_out, begins }
}

/// What the sections before the requirements get, and those after.
fn parts(desk: &Desk<'_>, sections: &Sections<'_>) -> (Vec<Part>, Vec<Part>) {
    let clarified = sections.clarifications(&answered(desk));
    let Body::Specify(base) = &desk.base().1.body else { return (clarified.into_iter().collect(), Vec::new()) };
    let scenarios = sections.scenarios(&base.stories, &base.edge_cases);
    let criteria = sections.success_criteria(&base.success_criteria);
    let after = criteria.into_iter().chain(sections.assumptions(&base.assumptions)).collect();
    (clarified.into_iter().chain(scenarios).collect(), after)
}

/// Makes the changes one after the other, and leaves to a person those that would change what others say.
fn one_by_one<'a>(steps: &mut [Step<'a>], is_sound: impl Fn(&[&Step<'a>]) -> Option<String>) -> Option<String> {
    let mut kept: Vec<usize> = Vec::new();
    let mut text = None;
    for at in 0..steps.len() {
        if steps[at].ops.is_empty() {
            continue;
        }
        kept.push(at);
        match is_sound(&kept.iter().map(|at| &steps[*at]).collect::<Vec<_>>()) {
            Some(whole) => text = Some(whole),
            None => {
                kept.pop();
                steps[at].done = Done::ByHand(UNSAFE);
            }
        }
    }
    text
}

impl Step<'_> {
    fn of(part: Part) -> Self {
        let done = part.by_hand.map_or(Done::Changed { was: String::new() }, Done::ByHand);
        Self { done, ops: part.ops.clone(), subject: Subject::Part(part) }
    }
}

fn effects(steps: &[&Step<'_>]) -> Effects {
    let mut effects = Effects::default();
    for step in steps {
        match (&step.subject, &step.done) {
            (_, Done::There | Done::ByHand(_)) => {}
            (Subject::Part(part), _) => {
                effects.touched.extend(part.filled.iter().cloned());
                effects.stories += part.stories;
            }
            (Subject::Rest(ids), _) => effects.gone.extend(ids.iter().cloned()),
            (Subject::Wish(_), Done::Added { id }) => drop(effects.added.insert(id.clone())),
            (Subject::Wish(_), Done::Filled { id }) => drop(effects.touched.insert(id.clone())),
            (Subject::Wish(wanted), Done::Changed { .. } | Done::Gone { .. }) => match &wanted.what {
                What::Reworded { id, .. } | What::Doubted { id, .. } => drop(effects.touched.insert(id.clone())),
                What::Withdrawn { id } => drop(effects.gone.insert(id.clone())),
                What::Demanded { .. } => {}
            },
        }
    }
    effects
}

/// Tells whether a changed document says of every requirement what it said, but for what was to be changed.
fn sound(spec: &Spec, outline: &Outline<'_>, text: &str, effects: &Effects) -> bool {
    let new = parse(spec.id.clone(), &spec.dir, &spec.file, text);
    let says = |id: &str| new.requirements.iter().find(|requirement| requirement.id == id);
    let is_kept = |id: &String| !effects.gone.contains(id) && !effects.touched.contains(id);
    let has_stories = spec.stories.iter().all(|story| {
        let is_filled = effects.touched.contains(&story.id);
        new.stories.iter().any(|other| other.id == story.id && (is_filled || other.title == story.title))
    });
    let is_named = outline.written().iter().any(|written| written.form == Form::Named);
    let is_by_id = outline.written().iter().any(|w| matches!(w.form, Form::Item | Form::Row | Form::Heading));
    let added = effects.added.len();
    if is_named {
        // Their ids are their places, which move: the words stay.
        let kept = spec.requirements.iter().filter(|requirement| is_kept(&requirement.id));
        let mut texts: Vec<&str> = new.requirements.iter().map(|requirement| requirement.text.as_str()).collect();
        let are_there = kept.into_iter().all(|requirement| {
            let at = texts.iter().position(|text| *text == requirement.text);
            at.map(|at| texts.swap_remove(at)).is_some()
        });
        return are_there && new.requirements.len() + effects.gone.len() == spec.requirements.len() + added;
    }
    if !is_by_id {
        let are_there = spec.requirements.iter().all(|requirement| {
            says(&requirement.id).is_some_and(|now| !is_kept(&requirement.id) || now.text == requirement.text)
        });
        let count = spec.requirements.len() + effects.stories;
        // What is added where nothing is read, behind a fence that is never closed, would be no requirement.
        let are_added = || new.requirements.len() == added && effects.added.iter().all(|id| says(id).is_some());
        let counts = if added == 0 { are_there && new.requirements.len() == count } else { are_added() };
        return counts && has_stories;
    }
    let are_there = spec.requirements.iter().all(|requirement| match says(&requirement.id) {
        Some(now) => {
            !effects.gone.contains(&requirement.id) && (!is_kept(&requirement.id) || now.text == requirement.text)
        }
        None => effects.gone.contains(&requirement.id),
    });
    let expected = spec.requirements.len() + added - effects.gone.len().min(spec.requirements.len());
    let restated =
        |spec: &Spec| spec.restated.iter().map(|again| (again.id.clone(), again.text.clone())).collect::<Vec<_>>();
    are_there
        && has_stories
        && effects.added.iter().all(|id| says(id).is_some())
        && new.requirements.len() == expected
        && restated(&new) == restated(spec)
}

/// Writes wishes as changes.
struct Writer<'t> {
    spec: &'t Spec,
    outline: &'t Outline<'t>,
    shelf: Shelf<'t>,
    /// Requirements of a template that nobody filled in, and that no wish is about; the next is the last.
    empty: Vec<&'t Written>,
    /// How many of them were filled in.
    filled: usize,
    /// What the document says, or will: to be compared.
    said: Vec<(String, String)>,
}

impl<'t> Writer<'t> {
    fn of(spec: &'t Spec, outline: &'t Outline<'t>, wishes: &[Wanted<'_>]) -> Self {
        let is_meant = |id: &str| {
            wishes.iter().any(|wanted| match &wanted.what {
                What::Reworded { id: other, .. } | What::Doubted { id: other, .. } | What::Withdrawn { id: other } => {
                    other == id
                }
                What::Demanded { .. } => false,
            })
        };
        let is_empty = |written: &&Written| {
            let once = outline.written().iter().filter(|other| other.id == written.id).count() == 1;
            once && written.form != Form::Story && !is_meant(&written.id) && is_placeholder(&outline.words(written))
        };
        let mut empty: Vec<&Written> = outline.written().iter().filter(is_empty).collect();
        empty.reverse();
        let said = outline.written().iter().map(|written| {
            let words = outline.words(written).replace("\\|", "|");
            (written.id.clone(), folded(&unmarked(&words)))
        });
        Self { spec, outline, shelf: Shelf::of(spec, outline), empty, filled: 0, said: said.collect() }
    }

    fn step<'a>(&mut self, wanted: Wanted<'a>) -> Step<'a> {
        let (done, ops) = match &wanted.what {
            What::Reworded { id, words } => self.reworded(id, words),
            What::Doubted { id, sides } => self.doubted(id, sides),
            What::Withdrawn { id } => self.withdrawn(id),
            What::Demanded { words, only } => self.demanded(words, only.as_deref()),
        };
        Step { subject: Subject::Wish(wanted), done, ops }
    }

    /// The definition of a requirement, and those that repeat it word for word.
    fn definitions(&self, id: &str) -> Result<Vec<&'t Written>, Done> {
        let requirement = self.spec.requirements.iter().find(|requirement| requirement.id == id);
        let first = requirement.and_then(|requirement| self.outline.of_line(requirement.line));
        let Some(first) = first else { return Err(Done::ByHand(PIECES)) };
        if first.form == Form::Story {
            return Err(Done::ByHand(STORY));
        }
        if first.words.is_none() {
            return Err(Done::ByHand(PIECES));
        }
        let words = self.outline.words(first);
        let again = self.outline.written().iter().filter(|other| other.id == id && other.line != first.line);
        let again = again.filter(|other| other.form != Form::Row && self.outline.words(other) == words);
        let all: Vec<&Written> = std::iter::once(first).chain(again).collect();
        Ok(all)
    }

    fn reworded(&mut self, id: &str, words: &str) -> (Done, Vec<Op>) {
        let definitions = match self.definitions(id) {
            Ok(definitions) => definitions,
            Err(done) => return (done, Vec::new()),
        };
        let was = definitions.first().map(|first| self.outline.words(first)).unwrap_or_default();
        let mut ops: Vec<Op> = Vec::new();
        for written in definitions {
            let with = if written.form == Form::Row { words.replace('|', "\\|") } else { words.to_owned() };
            ops.extend(self.said_instead(written, &with));
        }
        self.said.push((id.to_owned(), folded(words)));
        if ops.is_empty() { (Done::There, ops) } else { (Done::Changed { was }, ops) }
    }

    /// Puts words in the place of a definition's own; nothing where they stand there.
    fn said_instead(&self, written: &Written, words: &str) -> Vec<Op> {
        let parts = written.words.as_deref().unwrap_or_default();
        let Some((first, more)) = parts.split_first() else {
            return vec![Op::After(written.line, vec![String::new(), words.to_owned()])];
        };
        if more.is_empty() && self.outline.part(*first) == words {
            return Vec::new();
        }
        let head = self.outline.line(first.line).get(..first.start).unwrap_or_default();
        let is_parted = first.start < first.end || head.ends_with([' ', '\t']);
        let with = if is_parted { words.to_owned() } else { format!(": {words}") };
        let spec::Part { line, start, end } = *first;
        let more = more.iter().map(|part| Op::Take(part.line, part.line));
        std::iter::once(Op::Replace { line, start, end, with }).chain(more).collect()
    }

    fn doubted(&self, id: &str, sides: &[(Side, Tier)]) -> (Done, Vec<Op>) {
        let sides: Vec<Side> = sides.iter().map(|(side, _)| side.clone()).collect();
        let definitions = match self.definitions(id) {
            Ok(definitions) => definitions,
            Err(done) => return (done, Vec::new()),
        };
        let Some(first) = definitions.first().copied() else { return (Done::ByHand(PIECES), Vec::new()) };
        let was = self.outline.words(first);
        let mark = if first.form == Form::Row { mark(&sides).replace('|', "\\|") } else { mark(&sides) };
        let parts = first.words.as_deref().unwrap_or_default();
        let Some((last, before)) = parts.split_last() else { return (Done::ByHand(PIECES), Vec::new()) };
        let text = |part: &spec::Part| self.outline.part(*part);
        let mut ops: Vec<Op> = Vec::new();
        let mut put = |part: &spec::Part, with: String| {
            if text(part) != with {
                ops.push(Op::Replace { line: part.line, start: part.start, end: part.end, with });
            }
        };
        for part in before.iter().filter(|part| find_mark(text(part)).is_some()) {
            put(part, unmarked(text(part)));
        }
        let kept = unmarked(text(last));
        put(last, if kept.is_empty() { mark } else { format!("{kept} {mark}") });
        if ops.is_empty() { (Done::There, ops) } else { (Done::Changed { was }, ops) }
    }

    fn withdrawn(&self, id: &str) -> (Done, Vec<Op>) {
        let definitions = match self.definitions(id) {
            Ok(definitions) => definitions,
            Err(done) => return (done, Vec::new()),
        };
        if self.outline.written().iter().filter(|other| other.id == id).count() > definitions.len() {
            return (Done::ByHand(TWICE), Vec::new());
        }
        let was = definitions.first().map(|first| self.outline.words(first)).unwrap_or_default();
        (Done::Gone { was }, definitions.into_iter().map(|written| self.taken(written)).collect())
    }

    /// Takes a definition away; of one with a heading the gap below it, too.
    fn taken(&self, written: &Written) -> Op {
        let mut last = written.last;
        if matches!(written.form, Form::Heading | Form::Named) {
            let below = (last + 1..).take_while(|n| usize::try_from(*n).is_ok_and(|n| n <= self.outline.raw().len()));
            last = below.take_while(|n| self.outline.line(*n).trim().is_empty()).last().unwrap_or(last);
        }
        Op::Take(written.line, last)
    }

    fn demanded(&mut self, words: &str, only: Option<&str>) -> (Done, Vec<Op>) {
        let wanted = folded(words);
        let with = |only: Option<&str>| only.map_or(words.to_owned(), |who| format!("{words} {}", lone_mark(who)));
        if let Some((id, _)) = self.said.iter().find(|(_, said)| *said == wanted) {
            return match self.marked(id).filter(|_| only.is_none()) {
                Some(written) => (Done::Filled { id: id.clone() }, self.said_instead(written, words)),
                None => (Done::There, Vec::new()),
            };
        }
        let added = match self.empty.pop() {
            Some(written) => {
                self.filled += 1;
                let with = with(only);
                let with = if written.form == Form::Row { with.replace('|', "\\|") } else { with };
                Some((written.id.clone(), self.said_instead(written, &with), true))
            }
            None => self.shelf.add(&with(only)).map(|(id, ops)| (id, ops, false)),
        };
        let Some((id, ops, is_in_place)) = added else { return (Done::ByHand("no id is left"), Vec::new()) };
        self.said.push((id.clone(), wanted));
        if is_in_place { (Done::Filled { id }, ops) } else { (Done::Added { id }, ops) }
    }

    /// The requirement of an id, if it bears our mark that one alone asks for it.
    fn marked(&self, id: &str) -> Option<&'t Written> {
        let written = self.outline.written().iter().find(|written| written.id == id)?;
        let words = self.outline.words(written);
        let place = find_mark(&words)?;
        words.get(place).is_some_and(|mark| mark.contains(": only ")).then_some(written)
    }

    /// What is left of a template when something was filled in: it goes.
    fn rest<'a>(&mut self) -> Option<Step<'a>> {
        let gone: Vec<&Written> = if self.filled > 0 { self.empty.drain(..).rev().collect() } else { Vec::new() };
        let ops: Vec<Op> = gone.iter().map(|written| self.taken(written)).collect();
        let ids = gone.iter().map(|written| written.id.clone()).collect();
        let done = Done::Gone { was: String::new() };
        (!ops.is_empty()).then_some(Step { subject: Subject::Rest(ids), done, ops })
    }
}

/// Words that a template has around its brackets.
const FILLERS: [&str; 22] = [
    "the", "a", "an", "system", "systems", "user", "users", "must", "should", "shall", "may", "be", "able", "to",
    "what", "happens", "when", "how", "does", "handle", "given", "then",
];

/// Tells whether a text is a place to be filled in, and nothing else.
pub(super) fn is_placeholder(text: &str) -> bool {
    if find_mark(text).is_some() || !text.contains('[') {
        return false;
    }
    let mut left = String::new();
    let mut rest = text;
    while let Some((before, _)) = rest.split_once('[') {
        left.push_str(before);
        left.push(' ');
        let Some(end) = closing(&rest[before.len()..]) else { return false };
        rest = &rest[before.len() + end..];
        // Somebody's link is no place to be filled in.
        if rest.starts_with(['[', '(', ':']) {
            return false;
        }
    }
    left.push_str(rest);
    folded(&left).split(' ').all(|word| word.is_empty() || FILLERS.contains(&word))
}
