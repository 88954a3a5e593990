//! The gates: quality checkpoints of a spec's documents, by rules alone. *Clarify* reads the words of the spec,
//! *checklist* whether it is complete, *analyze* whether its documents fit together.
//!
//! Pure, and fast enough to be held before every stage: it reads texts, never code. It must not know runs or screens,
//! nor who answers. Only what nobody could build from is critical; see [`Magnitude`].

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::check::{Place, Reading, Tree};
use super::failure::Failure;
use super::hash::Sha;
use super::ids::SpecId;
use super::preparation::unreadable;
use super::safe::Safe;
use super::spec::{self, Spec};
use super::stage::Stage;

mod analyze;
mod checklist;
mod clarify;
mod edit;
mod entry;
mod sides;
#[cfg(test)]
mod tests;
mod text;

pub use checklist::{Scores, grade};
pub use edit::{Edit, Slot};
pub use entry::{Answered, Entry, Standing, entry, last_word, said, standing};
pub use sides::{Side, Wants, find_mark, is_lone, lone_mark, mark, sides, unmarked};

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// What the words leave open.
    Clarify,
    /// What is missing from the spec.
    Checklist,
    /// What does not fit together.
    Analyze,
}

impl Gate {
    /// All, in the order in which they are held.
    pub const ALL: [Gate; 3] = [Gate::Clarify, Gate::Checklist, Gate::Analyze];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Gate::Clarify => "clarify",
            Gate::Checklist => "checklist",
            Gate::Analyze => "analyze",
        }
    }

    /// Returns what its issues' ids begin with.
    fn prefix(self) -> &'static str {
        match self {
            Gate::Clarify => "CLR",
            Gate::Checklist => "CHK",
            Gate::Analyze => "INC",
        }
    }
}

/// When gates are held in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checkpoint {
    /// Before anybody plans.
    BeforePlan,
    /// The plan is there.
    AfterPlan,
    /// The task list is there.
    AfterTasks,
    /// Before it is let through.
    BeforeUnlock,
}

impl Checkpoint {
    /// All, in the order of the stages.
    pub const ALL: [Checkpoint; 4] =
        [Checkpoint::BeforePlan, Checkpoint::AfterPlan, Checkpoint::AfterTasks, Checkpoint::BeforeUnlock];

    /// Returns its name, as in the config.
    pub fn name(self) -> &'static str {
        match self {
            Checkpoint::BeforePlan => "before_plan",
            Checkpoint::AfterPlan => "after_plan",
            Checkpoint::AfterTasks => "after_tasks",
            Checkpoint::BeforeUnlock => "before_unlock",
        }
    }

    /// Returns its name in a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Checkpoint::BeforePlan => "before plan",
            Checkpoint::AfterPlan => "after plan",
            Checkpoint::AfterTasks => "after tasks",
            Checkpoint::BeforeUnlock => "before unlock",
        }
    }

    /// Returns the gates that are held here unless the config says otherwise.
    pub fn usual(self) -> &'static [Gate] {
        match self {
            Checkpoint::BeforePlan => &[Gate::Clarify, Gate::Checklist, Gate::Analyze],
            Checkpoint::AfterPlan | Checkpoint::AfterTasks | Checkpoint::BeforeUnlock => &[Gate::Analyze],
        }
    }

    /// Returns the checkpoint that lies before a stage. `is_first` tells whether a run begins with it: then the one
    /// after the stage before may never have been passed.
    pub fn entering(stage: Stage, is_first: bool) -> Option<Self> {
        match stage {
            Stage::Plan => Some(Checkpoint::BeforePlan),
            Stage::Tasks => is_first.then_some(Checkpoint::AfterPlan),
            Stage::Implement => is_first.then_some(Checkpoint::AfterTasks),
            Stage::Unlock => Some(Checkpoint::BeforeUnlock),
            Stage::Specify | Stage::Validate | Stage::Audit => None,
        }
    }

    /// Returns the checkpoint that lies behind a stage.
    pub fn leaving(stage: Stage) -> Option<Self> {
        match stage {
            Stage::Plan => Some(Checkpoint::AfterPlan),
            Stage::Tasks => Some(Checkpoint::AfterTasks),
            Stage::Specify | Stage::Implement | Stage::Validate | Stage::Audit | Stage::Unlock => None,
        }
    }
}

/// How sure the rule is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// It stands there in so many words.
    High,
    /// By what such words usually mean.
    Medium,
    /// A guess.
    Low,
}

/// How much depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Magnitude {
    /// Nobody can build from it: a must that says itself that it is undecided, one id with two values, a must that is
    /// forbidden elsewhere. Always asks a person.
    Critical,
    /// Somebody should decide it.
    Important,
    /// Worth knowing.
    Minor,
}

impl Magnitude {
    /// Returns the word.
    pub fn word(self) -> &'static str {
        match self {
            Magnitude::Critical => "critical",
            Magnitude::Important => "important",
            Magnitude::Minor => "minor",
        }
    }
}

/// Who can resolve it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resolvability {
    /// There is one right edit.
    AutoFix,
    /// There are edits to choose from.
    SuggestFix,
    /// Only a person knows.
    NeedHuman,
}

/// What an issue is an instance of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matter {
    /// The text says itself that something is open.
    OpenMarker,
    /// Words that nobody can measure.
    Vague,
    /// A quantity without a value.
    OpenQuantity,
    /// A choice that nobody made.
    OpenChoice,
    /// Words that leave open whether it is demanded.
    WeakModal,
    /// A list that does not end.
    OpenList,
    /// A section that such a spec has.
    MissingSection,
    /// A requirement that says too much at once, or nothing.
    Size,
    /// A part of the score that is low.
    LowScore,
    /// An item of a checklist beside the spec is not ticked.
    OpenItem,
    /// Two demands clash.
    Contradiction,
    /// One id with two wordings.
    DuplicateId,
    /// The constitution forbids it.
    Forbidden,
    /// No task names a must.
    Uncovered,
    /// A document names a requirement that the spec does not have.
    UnknownId,
    /// The plan is about more than the spec.
    ScopeCreep,
    /// The spec changed after its plan.
    StalePlan,
}

/// Something that a gate asks about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issue {
    /// Its id: the same as long as the same is asked.
    pub id: String,
    /// Which gate asks.
    pub gate: Gate,
    /// What it is an instance of.
    pub matter: Matter,
    /// The requirement or task that it is about, empty for a whole document.
    pub about: String,
    /// Where.
    pub place: Place,
    /// The question. Foreign text in part.
    pub ask: Safe,
    /// The words that it is about. Foreign text.
    pub context: Safe,
    /// How sure the rule is.
    pub confidence: Confidence,
    /// How much depends on it.
    pub magnitude: Magnitude,
    /// Who can resolve it.
    pub resolvability: Resolvability,
    /// Answers to choose from, the suggested one first.
    pub choices: Vec<Choice>,
    /// Where an answer in own words goes; none where only an edit by hand helps.
    pub slot: Option<Slot>,
}

/// An answer that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// In words. Foreign text in part.
    pub words: Safe,
    /// What it changes.
    pub edit: Edit,
}

impl Issue {
    /// Returns the edit that an answer stands for: the words of a choice, its number from 1, or own words.
    pub fn edit_for(&self, answer: &str) -> Option<Edit> {
        let answer = answer.trim();
        let by_number = || answer.parse::<usize>().ok().and_then(|n| self.choices.get(n.checked_sub(1)?));
        // Words first: of "2 or 3 times" the 2 means two times.
        let by_words = self.choices.iter().find(|choice| choice.words.as_str() == answer);
        match by_words.or_else(by_number) {
            Some(choice) => Some(choice.edit.clone()),
            None => self.slot.as_ref().filter(|_| !answer.is_empty()).map(|slot| slot.edit(answer)),
        }
    }
}

/// What the gates said of a spec, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Of which spec.
    pub spec: SpecId,
    /// Which gates were held.
    pub gates: BTreeSet<Gate>,
    /// The gravest first, then in the order of the text.
    pub issues: Vec<Issue>,
    /// How complete the spec is, if the checklist was held.
    pub scores: Option<Scores>,
    /// What people said about issues that still stand.
    pub standing: BTreeMap<String, Standing>,
    /// The documents that an answer can change, as far as they were read: a ledger may come with the repository, and
    /// what it says was changed is believed of these only. Not recorded: what holds is what is there now.
    #[serde(skip)]
    pub documents: BTreeSet<String>,
}

impl Held {
    /// Returns the issues that nobody has answered or put off.
    pub fn open(&self) -> impl Iterator<Item = &Issue> {
        self.issues.iter().filter(|issue| !self.standing.contains_key(&issue.id))
    }

    /// Returns the open issues that a run cannot go on with.
    pub fn critical(&self) -> impl Iterator<Item = &Issue> {
        self.open().filter(|issue| issue.magnitude == Magnitude::Critical)
    }

    /// Returns how many issues of a magnitude are open.
    pub fn count(&self, magnitude: Magnitude) -> usize {
        self.open().filter(|issue| issue.magnitude == magnitude).count()
    }

    /// Returns the issue that a person means by an id.
    ///
    /// # Errors
    /// Exit 64 if it means none, or several.
    pub fn asked(&self, id: &str) -> Result<&Issue, Failure> {
        self.issue(id).ok_or_else(|| {
            let shown: String = id.chars().take(40).collect();
            let next = format!("run `dicast gate {} --list` to see what is asked", self.spec);
            Failure::usage("ID", format!("no open question is called {shown:?}"), next)
        })
    }

    /// Returns the issue that an id, or a unique beginning of one, means; letter case does not count.
    pub fn issue(&self, id: &str) -> Option<&Issue> {
        let id = id.trim().to_ascii_uppercase();
        let exact = self.issues.iter().find(|issue| issue.id.to_ascii_uppercase() == id);
        let mut like =
            self.issues.iter().filter(|issue| !id.is_empty() && issue.id.to_ascii_uppercase().starts_with(&id));
        exact.or_else(|| like.next().filter(|_| like.next().is_none()))
    }
}

/// What a person says about an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// The issue's id, or a unique beginning of it; empty: whatever was said last (only to take it back).
    pub issue: String,
    /// What.
    pub what: Say,
    /// By whom.
    pub by: String,
}

/// What can be said about an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Say {
    /// A choice by its number or words, or own words.
    Answer(String),
    /// The first choice is right.
    Accept,
    /// Not now, because of this: runs go on without an answer.
    Defer(String),
    /// What was said last is taken back.
    Undo,
}

/// Holds gates over a spec of a tree.
///
/// # Errors
/// Exit 64 for an unknown spec, exit 10 for one whose document cannot be read.
pub fn hold_in(tree: &Tree, id: &SpecId, gates: &BTreeSet<Gate>, entries: &[Entry]) -> Result<Held, Failure> {
    let reading = super::check::read(tree);
    match reading.specs.iter().find(|spec| spec.id == *id) {
        Some(spec) => Ok(hold(tree, &reading, spec, gates, entries)),
        None => Err(unreadable(&reading, id)),
    }
}

/// Holds gates over one spec of a reading. `entries` are the spec's ledger, as far as it is about gates.
pub fn hold(tree: &Tree, reading: &Reading, spec: &Spec, gates: &BTreeSet<Gate>, entries: &[Entry]) -> Held {
    let mut found = Vec::new();
    let findings = super::check::criticised(reading, tree, spec);
    let analyzed = analyze::analyze(tree, spec, &findings);
    let mut scores = None;
    for gate in gates {
        match gate {
            Gate::Clarify => found.extend(clarify::clarify(tree, spec)),
            Gate::Checklist => {
                let (scored, issues) = checklist::checklist(tree, spec, &analyzed);
                scores = Some(scored);
                found.extend(issues);
            }
            Gate::Analyze => found.extend(analyzed.iter().cloned()),
        }
    }
    let mut issues = named(found, &answered(entries));
    issues.sort_by(|a, b| (a.magnitude, &a.place).cmp(&(b.magnitude, &b.place)));
    let all = standing(entries);
    let standing = issues.iter().filter_map(|issue| Some((issue.id.clone(), all.get(&issue.id)?.clone()))).collect();
    let documents = [spec.file.clone(), format!("{}/tasks.md", spec.dir)];
    let documents = documents.into_iter().filter(|path| tree.text(path).is_some()).collect();
    Held { spec: spec.id.clone(), gates: gates.clone(), issues, scores, standing, documents }
}

/// An issue as a rule finds it, before it has an id.
#[derive(Debug, Clone)]
struct Found {
    gate: Gate,
    matter: Matter,
    about: String,
    place: Place,
    ask: String,
    context: String,
    confidence: Confidence,
    magnitude: Magnitude,
    resolvability: Resolvability,
    choices: Vec<(String, Edit)>,
    slot: Option<Slot>,
}

impl Found {
    /// Digits of a hash that tell the issues of one spec apart.
    const DIGITS: usize = 6;

    /// Returns what its id is made of. Neither line nor edit: moving a paragraph asks nothing anew. Nor the words around:
    /// an answer to one question of a requirement leaves the others what they were.
    fn subject(&self) -> String {
        let matter = serde_json::to_string(&self.matter).unwrap_or_default();
        [self.gate.name(), &matter, &self.about, &self.ask].join("\u{0}")
    }

    /// Returns the id of the nth, from 0, that asks the same.
    fn id(&self, nth: usize) -> String {
        let mut words = self.subject();
        if nth > 0 {
            words.push_str(&format!("\u{0}{nth}"));
        }
        let digits: String = Sha::of(words).as_str().chars().take(Self::DIGITS).collect();
        format!("{}-{digits}", self.gate.prefix())
    }

    fn issue(self, id: String) -> Issue {
        let choice = |(words, edit): (String, Edit)| Choice { words: Safe::line(&words), edit };
        Issue {
            id,
            gate: self.gate,
            matter: self.matter,
            about: self.about,
            place: self.place,
            ask: Safe::line(&self.ask),
            context: Safe::line(&self.context),
            confidence: self.confidence,
            magnitude: self.magnitude,
            resolvability: self.resolvability,
            choices: self.choices.into_iter().map(choice).collect(),
            slot: self.slot,
        }
    }
}

/// Returns the ids of the questions whose answers were not taken back.
fn answered(entries: &[Entry]) -> BTreeSet<&str> {
    said(entries).into_iter().filter(|entry| matches!(entry, Entry::Answered(_))).map(Entry::issue).collect()
}

/// Gives what was found its ids. What asks the same is counted in the order of the text, and the ids of what was answered
/// are left out: the first one's answer must not give its id, and what was said about it, to the second.
fn named(mut found: Vec<Found>, answered: &BTreeSet<&str>) -> Vec<Issue> {
    found.sort_by(|a, b| a.place.cmp(&b.place));
    let mut places: BTreeMap<String, BTreeSet<(Place, Option<usize>)>> = BTreeMap::new();
    let mut next: BTreeMap<String, usize> = BTreeMap::new();
    let mut issues = Vec::new();
    for one in found {
        let subject = one.subject();
        let place = (one.place.clone(), one.slot.as_ref().map(|slot| slot.head.len()));
        if !places.entry(subject.clone()).or_default().insert(place) {
            continue;
        }
        let nth = next.entry(subject).or_default();
        let mut id = one.id(*nth);
        while answered.contains(id.as_str()) {
            *nth += 1;
            id = one.id(*nth);
        }
        *nth += 1;
        issues.push(one.issue(id));
    }
    issues
}

/// Returns the level of what a must, and what anything else leaves open.
fn weight(level: spec::Level, must: Magnitude, other: Magnitude) -> Magnitude {
    if level == spec::Level::Must { must } else { other }
}
