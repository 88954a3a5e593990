//! Dissent across stages: opened when a verdict leaves an assertion on the losing side, asked again at the next stage,
//! closed by evidence, by agreement or by a waiver.
//!
//! What stands open is folded from the recorded verdicts in the order of stages, and from the spec's ledger for what
//! only a person could say. It must not know files, nor who reads them; the same verdicts and entries give the same
//! dissents on every machine.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::agenda::{Topic, agenda};
use super::claim::{Kind, Polarity, Severity, Tier, Value};
use super::consensus::{Choice, Decision, Judged, Label, OUTCOME, ReasonCode, Split, Verdict, Waiver};
use super::hash::Sha;
use super::ids::AgentName;
use super::spec::Spec;
use super::stage::Stage;

mod entry;
mod question;
mod standing;
#[cfg(test)]
mod tests;
mod words;

pub use entry::{Entry, Grounds, Taken, entry};
pub use question::{asked, asks_about, questions, side, topic_id};
pub use standing::{Signed, Standing};
pub use words::{Line, short};

/// One agent's losing assertion, kept until evidence, agreement or a waiver closes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dissent {
    /// Key of the claim that it was opened on.
    pub key: Sha,
    /// Whose.
    pub agent: AgentName,
    /// The stage whose verdict opened it.
    pub opened: Stage,
    /// Hash of that verdict.
    pub verdict: Sha,
    /// "kind subject" of the claim.
    pub claim: String,
    /// What it is about, as a question or a statement that names nobody.
    pub ask: String,
    /// The topic of the agenda that asks it at every stage anyway, if one does.
    pub topic: Option<String>,
    /// The requirement that it bears on.
    pub about: Option<String>,
    /// The unit to answer in.
    pub unit: Option<String>,
    /// What the agent holds.
    pub said: Choice,
    /// What was decided; none where nothing was.
    pub against: Option<Choice>,
    /// Who chose that, where it was a conflict and a person settled it.
    pub chosen: Option<Signed>,
    /// What the agent gave as grounds.
    pub grounds: Grounds,
    /// Whether a person upheld the objection: its stage is rejected.
    pub upheld: bool,
    /// The weight of the claim.
    pub severity: Severity,
    /// What the host found about the agent's assertion.
    pub tier: Tier,
    /// How it was closed; none while it is open.
    pub closed: Option<Closed>,
}

/// How a dissent was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// At which stage.
    pub stage: Stage,
    /// By what.
    pub by: ClosedBy,
    /// Hash of the verdict that shows it.
    pub verdict: Sha,
    /// Who waived it, where a person did.
    pub signed: Option<Signed>,
}

/// What closes a dissent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The host proved a side, or found the dissenter's false.
    Evidence,
    /// The dissenter came round, or its side was decided.
    Agreed,
    /// A person waived it.
    Waiver,
    /// The stage that opened it was decided anew without it.
    Superseded,
}

impl ClosedBy {
    /// Returns the words for it on screen.
    pub fn words(self) -> &'static str {
        match self {
            ClosedBy::Evidence => "evidence",
            ClosedBy::Agreed => "agreement",
            ClosedBy::Waiver => "a waiver",
            ClosedBy::Superseded => "a new verdict of its stage",
        }
    }
}

/// A question that an earlier stage's verdict left unanswered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    /// Key of the claim that says so.
    pub key: Sha,
    /// The stage that asked it first.
    pub opened: Stage,
    /// The question, or what is unclear.
    pub ask: String,
    /// The requirement that it bears on.
    pub about: Option<String>,
}

/// Everything that earlier stages left to later ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Dissents in the order in which they were opened, closed ones too.
    pub dissents: Vec<Dissent>,
    /// Questions that nobody has answered.
    pub questions: Vec<Unanswered>,
    /// Canonical texts of conditions that were accepted.
    pub accepted: BTreeSet<String>,
    /// Conditions that stages hung on, accepted or not, in the order in which they were first put.
    pub conditions: Vec<Condition>,
    /// Pairs of texts that a person split.
    pub splits: Vec<Parted>,
}

/// A condition of a yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// Key of its claim.
    pub key: Sha,
    /// Its canonical text.
    pub text: String,
    /// The stage that hangs, or hung, on it last.
    pub stage: Stage,
    /// Whether it is accepted.
    pub is_accepted: bool,
    /// Who accepted it, as far as the ledger tells.
    pub signed: Option<Signed>,
}

/// Two texts that a person split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parted {
    /// At which stage.
    pub stage: Stage,
    /// The key of the text that was split off, and that of one that it had been merged with.
    pub pair: (Sha, Sha),
    /// What they say, as far as a verdict tells.
    pub texts: (Option<String>, Option<String>),
    /// Who, and why.
    pub signed: Signed,
}

impl Parted {
    /// Returns it as merging heeds it.
    pub fn split(&self) -> Split {
        let Signed { by, reason } = self.signed.clone();
        Split { pair: self.pair.clone(), by, reason }
    }
}

/// What is known about a stage that its verdict does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Waivers and choices of people.
    pub waivers: Vec<Waiver>,
    /// Conditions that people accepted.
    pub accepted: BTreeMap<String, Signed>,
    /// Pairs that people split.
    pub splits: BTreeMap<(Sha, Sha), Signed>,
    /// What dissents on topics of an earlier text of the spec ask.
    pub asked: BTreeMap<Sha, String>,
    /// What agents gave as grounds, by claim and agent.
    pub grounds: BTreeMap<(Sha, AgentName), Grounds>,
}

impl Said {
    /// Returns who waived a claim without choosing a side, or who chose one.
    fn signed(&self, claim: &Judged, is_choice: bool) -> Option<Signed> {
        let is_its = |waiver: &&Waiver| waiver.choice.is_some() == is_choice && is_about(claim, &waiver.claim);
        let Waiver { by, reason, .. } = self.waivers.iter().find(is_its)?;
        Some(Signed { by: by.clone(), reason: reason.clone() })
    }
}

impl Ledger {
    /// Folds verdicts, in the order of stages, and the spec's ledger.
    pub fn read<'v>(spec: &Spec, verdicts: impl IntoIterator<Item = &'v Verdict>, entries: &[Entry]) -> Self {
        let (mut ledger, topics) = (Self::default(), LazyCell::new(|| agenda(spec, &[])));
        for verdict in verdicts {
            ledger.take_in_with(spec, &topics, verdict, &entry::said(entries, verdict.stage));
        }
        ledger
    }

    /// Takes in the verdict of the stage that follows those taken in before.
    pub fn take_in(&mut self, spec: &Spec, verdict: &Verdict, said: &Said) {
        self.take_in_with(spec, &LazyCell::new(|| agenda(spec, &[])), verdict, said);
    }

    /// Takes one in; the topics of the spec's text are found once, and only if somebody asks for them.
    fn take_in_with<F: FnOnce() -> Vec<Topic>>(
        &mut self,
        spec: &Spec,
        topics: &LazyCell<Vec<Topic>, F>,
        verdict: &Verdict,
        said: &Said,
    ) {
        let without_choice = said.waivers.iter().filter(|w| w.choice.is_none()).map(|w| w.claim.clone()).collect();
        let waived = waived(verdict, &without_choice);
        for dissent in self.dissents.iter_mut().filter(|dissent| dissent.closed.is_none()) {
            let spoken = verdict.claims.iter().filter(|claim| is_about(claim, &dissent.key));
            let closes = spoken.filter_map(|claim| Some((closed_by(dissent, claim, verdict, &waived)?, claim)));
            dissent.closed = closes.min_by_key(|(by, _)| *by).map(|(by, claim)| closed(verdict, by, claim, said));
        }
        self.questions.retain(|question| !verdict.claims.iter().any(|claim| answers(claim, &question.key)));
        // The ids of topics mean the same questions only as long as the spec is the same text.
        let is_same_text = verdict.inputs.spec_sha256.as_ref() == Some(&spec.sha);
        for claim in verdict.claims.iter().filter(|claim| opens(claim)) {
            let is_worded = is_same_text && !claim.dissent.is_empty();
            let topics: &[Topic] = if is_worded { topics } else { &[] };
            self.open(spec, topics, claim, verdict, said);
            if question::is_question(claim) && !self.questions.iter().any(|known| is_about(claim, &known.key)) {
                self.questions.push(question::unanswered(spec, claim, verdict.stage));
            }
        }
        for dissent in self.dissents.iter_mut().filter(|dissent| dissent.opened == verdict.stage) {
            let about = || verdict.claims.iter().filter(|claim| is_about(claim, &dissent.key));
            let upheld = |claim: &Judged| {
                let mut upheld = verdict.reasons.iter().filter(|reason| reason.code == ReasonCode::ObjectionUpheld);
                upheld.any(|reason| reason.claims.contains(&claim.key))
            };
            let is_upheld = about().any(upheld);
            let waiver = about().find(|claim| dissent.closed.is_none() && waived.contains(&claim.key));
            if let Some(claim) = waiver {
                dissent.closed = Some(closed(verdict, ClosedBy::Waiver, claim, said));
            }
            dissent.upheld = is_upheld;
        }
        self.accepted.extend(conditions(verdict));
        self.accepted.extend(said.accepted.keys().cloned());
        self.put_conditions(verdict, said);
        self.put_splits(verdict, said);
    }

    /// Takes in what a stage hangs on.
    fn put_conditions(&mut self, verdict: &Verdict, said: &Said) {
        for (key, text) in hangs_on(verdict) {
            let is_accepted = self.accepted.contains(text);
            let signed = said.accepted.get(text).cloned();
            match self.conditions.iter_mut().find(|known| known.text == *text) {
                Some(known) => {
                    (known.stage, known.is_accepted) = (verdict.stage, is_accepted);
                    known.signed = signed.or_else(|| known.signed.take());
                }
                None => {
                    let (key, text, stage) = (key.clone(), text.clone(), verdict.stage);
                    self.conditions.push(Condition { key, text, stage, is_accepted, signed });
                }
            }
        }
    }

    /// Takes in what people split.
    fn put_splits(&mut self, verdict: &Verdict, said: &Said) {
        for (pair, signed) in &said.splits {
            let text = |key: &Sha| {
                let mut texts = verdict.claims.iter().flat_map(texts_of);
                texts.find(|(known, _)| *known == key).map(|(_, text)| text.clone())
            };
            let texts = (text(&pair.0), text(&pair.1));
            self.splits.retain(|known| known.pair != *pair);
            self.splits.push(Parted { stage: verdict.stage, pair: pair.clone(), texts, signed: signed.clone() });
        }
    }

    /// Opens a dissent for each agent on a claim's losing side; one that stands open already stays the same.
    fn open(&mut self, spec: &Spec, topics: &[Topic], claim: &Judged, verdict: &Verdict, said: &Said) {
        for losing in &claim.dissent {
            let holds = Choice { value: losing.value.clone(), polarity: losing.polarity };
            let known =
                self.dissents.iter_mut().find(|known| known.agent == losing.agent && is_about(claim, &known.key));
            if let Some(known) = known {
                // Held again after it was closed at an earlier stage. A second assertion on one claim adds nothing.
                if known.closed.as_ref().is_some_and(|closed| closed.stage < verdict.stage) {
                    known.closed = None;
                    known.opened = verdict.stage;
                    known.verdict = verdict.hash.clone();
                    known.said = holds;
                    known.against = side_of(claim);
                    known.chosen = said.signed(claim, true);
                    known.grounds = grounds(claim, &losing.agent, said);
                }
                continue;
            }
            // A claim on a topic that asks about an earlier dissent is about what that one was about.
            let root = self.dissents.iter().find(|known| is_about(claim, &known.key)).cloned();
            let words = question::words(spec, topics, claim, said);
            let root = root.map(|root| (root.key, root.claim, root.ask, root.topic, root.about, root.unit));
            let (key, title, ask, topic, about, unit) = root
                .unwrap_or_else(|| (claim.key.clone(), claim.title(), words.ask, words.topic, words.about, words.unit));
            self.dissents.push(Dissent {
                key,
                agent: losing.agent.clone(),
                opened: verdict.stage,
                verdict: verdict.hash.clone(),
                claim: title,
                ask,
                topic,
                about,
                unit,
                said: holds,
                against: side_of(claim),
                chosen: said.signed(claim, true),
                grounds: grounds(claim, &losing.agent, said),
                upheld: false,
                severity: claim.severity,
                tier: losing.tier,
                closed: None,
            });
        }
    }

    /// Returns the dissents that stand open.
    pub fn standing(&self) -> impl Iterator<Item = &Dissent> {
        self.dissents.iter().filter(|dissent| dissent.closed.is_none())
    }

    /// Returns the keys of an agent's open dissents, ascending.
    pub fn owed_to(&self, agent: &AgentName) -> Vec<Sha> {
        let keys: BTreeSet<Sha> =
            self.standing().filter(|dissent| dissent.agent == *agent).map(|dissent| dissent.key.clone()).collect();
        keys.into_iter().collect()
    }
}

/// Tells whether a claim is about a key: it is the same key, one merged with it, or the answer to the topic that asks
/// about it.
fn is_about(claim: &Judged, key: &Sha) -> bool {
    let is_topic = || asks_about(claim, key.as_str());
    claim.key == *key || claim.merged_from.iter().any(|merged| merged.key == *key) || is_topic()
}

/// The predicate of an answer to a topic.
const ANSWER: &str = "answer";

/// Returns the keys that a verdict counts as waived without a side chosen. Of a conflict only a person can tell.
fn waived(verdict: &Verdict, without_choice: &BTreeSet<Sha>) -> BTreeSet<Sha> {
    let held = verdict.reasons.iter().filter(|reason| reason.code == ReasonCode::Waived);
    let is_conflict =
        |key: &Sha| verdict.claims.iter().any(|claim| claim.key == *key && claim.label == Label::Conflict);
    held.flat_map(|reason| &reason.claims)
        .filter(|key| !is_conflict(key) || without_choice.contains(*key))
        .cloned()
        .collect()
}

/// Returns the claims of weight on which a verdict, for itself, leaves somebody on the losing side. Of a conflict that
/// was waived, `without_choice` tells whether a side was chosen.
pub fn left<'v>(verdict: &'v Verdict, without_choice: &BTreeSet<Sha>) -> Vec<&'v Judged> {
    let waived = waived(verdict, without_choice);
    let is_left = |claim: &&Judged| opens(claim) && !claim.dissent.is_empty() && !waived.contains(&claim.key);
    verdict.claims.iter().filter(is_left).collect()
}

/// Tells whether losing on a claim opens a dissent: info decides nothing, and what the host proved is closed as it is
/// opened.
fn opens(claim: &Judged) -> bool {
    claim.severity >= Severity::Minor && claim.label != Label::Proven
}

/// Returns what a claim closes a dissent by, if it does.
fn closed_by(dissent: &Dissent, claim: &Judged, verdict: &Verdict, waived: &BTreeSet<Sha>) -> Option<ClosedBy> {
    let is_found_false = verdict.reasons.iter().any(|reason| {
        matches!(reason.code, ReasonCode::PhantomCompletion | ReasonCode::RanFalse)
            && reason.claims.contains(&claim.key)
            && reason.agents.contains(&dissent.agent)
    });
    if claim.label == Label::Proven || is_found_false {
        return Some(ClosedBy::Evidence);
    }
    if waived.contains(&claim.key) {
        return Some(ClosedBy::Waiver);
    }
    let vote = claim.votes.iter().find(|vote| vote.agents.contains(&dissent.agent));
    let vote = vote.map(|vote| plain(&vote.value, vote.polarity));
    let against = dissent.against.as_ref().map(|side| plain(&side.value, side.polarity));
    let won = side_of(claim).filter(|_| claim.label.is_decided()).map(|side| plain(&side.value, side.polarity));
    let has_come_round = vote.is_some() && (vote == against || vote == won);
    let has_won = won.is_some() && won == Some(plain(&dissent.said.value, dissent.said.polarity));
    (has_come_round || has_won).then_some(ClosedBy::Agreed)
}

fn closed(verdict: &Verdict, by: ClosedBy, claim: &Judged, said: &Said) -> Closed {
    let signed = if by == ClosedBy::Waiver { said.signed(claim, false) } else { None };
    Closed { stage: verdict.stage, by, verdict: verdict.hash.clone(), signed }
}

/// Returns what an agent gave as grounds for what it says of a claim.
fn grounds(claim: &Judged, agent: &AgentName, said: &Said) -> Grounds {
    let keys = texts_of(claim).map(|(key, _)| key.clone());
    keys.filter_map(|key| said.grounds.get(&(key, agent.clone())))
        .find(|it| !it.is_empty())
        .cloned()
        .unwrap_or_default()
}

/// Returns the texts of a claim with their keys: its own, then those merged into it.
fn texts_of(claim: &Judged) -> impl Iterator<Item = (&Sha, &String)> {
    let merged = claim.merged_from.iter().map(|merged| (&merged.key, &merged.subject));
    std::iter::once((&claim.key, &claim.subject)).chain(merged)
}

/// Tells whether a claim answers a question of an earlier stage.
fn answers(claim: &Judged, key: &Sha) -> bool {
    claim.key != *key && is_about(claim, key) && claim.label.is_decided()
}

fn side_of(claim: &Judged) -> Option<Choice> {
    Some(Choice { value: claim.value.clone()?, polarity: claim.polarity? })
}

/// A side as it is compared between stages: "no" to a question and the denial of a claim are the same, and the names
/// of outcomes are words.
fn plain(value: &Value, polarity: Polarity) -> (String, Polarity) {
    let text = value.to_string().to_lowercase();
    match (text.as_str(), polarity) {
        ("no", Polarity::Yes) => ("yes".into(), Polarity::No),
        ("no", Polarity::No) => ("yes".into(), Polarity::Yes),
        (_, polarity) => (text, polarity),
    }
}

/// Returns the conditions that a verdict shows to be accepted: a conditional yes only passes with all of them.
fn conditions(verdict: &Verdict) -> BTreeSet<String> {
    if verdict.outcome != Decision::Pass {
        return BTreeSet::new();
    }
    hangs_on(verdict).into_iter().map(|(_, text)| text.clone()).collect()
}

/// Returns the conditions of a verdict that says yes only with all of them.
fn hangs_on(verdict: &Verdict) -> Vec<(&Sha, &String)> {
    let is_outcome = |claim: &&Judged| (claim.subject.as_str(), claim.predicate.as_str()) == OUTCOME;
    let decided =
        verdict.claims.iter().find(is_outcome).and_then(|claim| claim.value.as_ref()).and_then(Value::as_text);
    if !matches!(decided, Some("PARTIAL" | "CONDITIONAL")) {
        return Vec::new();
    }
    let conditions =
        verdict.claims.iter().filter(|claim| claim.kind == Kind::Finding && claim.predicate == "condition");
    conditions.flat_map(texts_of).collect()
}
