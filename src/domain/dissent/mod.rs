//! Dissent across stages: opened when a verdict leaves an assertion on the losing side, asked again at the next stage,
//! closed by evidence, by agreement or by a waiver.
//!
//! What stands open is folded from the recorded verdicts in the order of stages, and from the spec's ledger for what
//! only a person could say. It must not know files, nor who reads them; the same verdicts and entries give the same
//! dissents on every machine.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::agenda::{Topic, agenda};
use super::claim::{Kind, Polarity, Severity, Tier, Value};
use super::consensus::{Choice, Decision, Judged, Label, OUTCOME, ReasonCode, Verdict};
use super::hash::Sha;
use super::ids::AgentName;
use super::spec::Spec;
use super::stage::Stage;

mod entry;
mod question;
mod standing;
#[cfg(test)]
mod tests;

pub use entry::{Entry, Taken, entry};
pub use question::{questions, side, topic_id};
pub use standing::{Signed, Standing};

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
}

/// What a person said about a stage that its verdict does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Claims that were waived without choosing a side.
    pub waived: BTreeSet<Sha>,
    /// What dissents on topics of an earlier text of the spec ask.
    pub asked: BTreeMap<Sha, String>,
}

impl Ledger {
    /// Folds verdicts, in the order of stages, and the spec's ledger.
    pub fn read<'v>(spec: &Spec, verdicts: impl IntoIterator<Item = &'v Verdict>, entries: &[Entry]) -> Self {
        let mut ledger = Self::default();
        for verdict in verdicts {
            ledger.take_in(spec, verdict, &entry::said(entries, verdict.stage));
            ledger.accepted.extend(entry::accepted(entries, verdict.stage));
        }
        ledger
    }

    /// Takes in the verdict of the stage that follows those taken in before.
    pub fn take_in(&mut self, spec: &Spec, verdict: &Verdict, said: &Said) {
        let waived = waived(verdict, &said.waived);
        for dissent in self.dissents.iter_mut().filter(|dissent| dissent.closed.is_none()) {
            let spoken = verdict.claims.iter().filter(|claim| is_about(claim, &dissent.key));
            let closes = spoken.filter_map(|claim| closed_by(dissent, claim, verdict, &waived)).min();
            dissent.closed = closes.map(|by| Closed { stage: verdict.stage, by, verdict: verdict.hash.clone() });
        }
        self.questions.retain(|question| !verdict.claims.iter().any(|claim| answers(claim, &question.key)));
        // The ids of topics mean the same questions only as long as the spec is the same text.
        let is_same_text = verdict.inputs.spec_sha256.as_ref() == Some(&spec.sha);
        let topics = if is_same_text { agenda(spec, &[]) } else { Vec::new() };
        for claim in verdict.claims.iter().filter(|claim| claim.severity >= Severity::Minor) {
            // What the host proved is closed as it is opened.
            if claim.label == Label::Proven {
                continue;
            }
            self.open(spec, &topics, claim, verdict, said);
            if question::is_question(claim) && !self.questions.iter().any(|known| is_about(claim, &known.key)) {
                self.questions.push(question::unanswered(spec, claim, verdict.stage));
            }
        }
        for dissent in &mut self.dissents {
            if dissent.closed.is_none() && dissent.opened == verdict.stage && waived.contains(&dissent.key) {
                let by = ClosedBy::Waiver;
                dissent.closed = Some(Closed { stage: verdict.stage, by, verdict: verdict.hash.clone() });
            }
        }
        self.accepted.extend(conditions(verdict));
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
    let is_topic = || claim.kind == Kind::Decision && claim.predicate == ANSWER && claim.subject == topic_id(key);
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
    let is_outcome = |claim: &&Judged| (claim.subject.as_str(), claim.predicate.as_str()) == OUTCOME;
    let decided =
        verdict.claims.iter().find(is_outcome).and_then(|claim| claim.value.as_ref()).and_then(Value::as_text);
    if verdict.outcome != Decision::Pass || !matches!(decided, Some("PARTIAL" | "CONDITIONAL")) {
        return BTreeSet::new();
    }
    let conditions =
        verdict.claims.iter().filter(|claim| claim.kind == Kind::Finding && claim.predicate == "condition");
    conditions
        .flat_map(|claim| std::iter::once(&claim.subject).chain(claim.merged_from.iter().map(|merged| &merged.subject)))
        .cloned()
        .collect()
}
