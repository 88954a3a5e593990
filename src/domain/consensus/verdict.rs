//! The verdict: what is recorded, shown and hashed, and the few sentences made from it.
//!
//! It must not know how it was computed, nor when: times are put in by whoever records it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

use super::canon;
use super::panel::Inputs;
use crate::domain::claim::{Kind, Polarity, Severity, Tier, Value};
use crate::domain::hash::{Sha, canonical};
use crate::domain::ids::{AgentName, Family, SpecId};
use crate::domain::stage::Stage;

/// The verdict's format.
pub const VERDICT_SCHEMA: &str = "dicast.verdict/1";

/// How a stage ended. The order is that of the table: the first that applies wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The user or CI stopped it.
    Cancelled,
    /// Inputs could not be read, or the verdict not be kept.
    Infra,
    /// An objection with evidence, or a must-requirement shown to be false.
    Blocked,
    /// The panel agrees on no.
    Rejected,
    /// The panel disagrees on something that matters.
    Conflict,
    /// Too few answered, or too little was answered.
    NoQuorum,
    /// Somebody who was expected did not answer.
    Degraded,
    /// They agree on something that nobody has looked at.
    Hollow,
    /// They agree, and what was outvoted is kept.
    AgreeWithDissent,
    /// They agree.
    Agree,
}

impl Status {
    /// All statuses, in the order of the table.
    pub const ALL: [Status; 10] = [
        Status::Cancelled,
        Status::Infra,
        Status::Blocked,
        Status::Rejected,
        Status::Conflict,
        Status::NoQuorum,
        Status::Degraded,
        Status::Hollow,
        Status::AgreeWithDissent,
        Status::Agree,
    ];

    /// Returns the name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Status::Cancelled => "cancelled",
            Status::Infra => "infra",
            Status::Blocked => "blocked",
            Status::Rejected => "rejected",
            Status::Conflict => "conflict",
            Status::NoQuorum => "no_quorum",
            Status::Degraded => "degraded",
            Status::Hollow => "hollow",
            Status::AgreeWithDissent => "agree_with_dissent",
            Status::Agree => "agree",
        }
    }

    /// Returns the words for it on screen.
    pub fn words(self) -> &'static str {
        match self {
            Status::Cancelled => "stopped",
            Status::Infra => "could not be computed or kept",
            Status::Blocked => "blocked by evidence",
            Status::Rejected => "rejected by the panel",
            Status::Conflict => "they disagree",
            Status::NoQuorum => "too few answers",
            Status::Degraded => "somebody is missing",
            Status::Hollow => "agreed, but nobody looked",
            Status::AgreeWithDissent => "agreed, with dissent",
            Status::Agree => "agreed",
        }
    }

    /// Returns the exit code, before the policy's permissions.
    pub fn exit(self) -> u8 {
        match self {
            Status::Cancelled => 130,
            Status::Infra => 3,
            Status::Blocked | Status::Rejected => 2,
            Status::Conflict => 1,
            Status::NoQuorum => 4,
            Status::Degraded => 6,
            Status::Hollow => 5,
            Status::AgreeWithDissent | Status::Agree => 0,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the panel's words on one claim amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// The host ran it, and it holds.
    Proven,
    /// The host found every word on it false.
    Refuted,
    /// All who spoke agree, and enough spoke.
    Agreed,
    /// Agreed over a dissent, or by few.
    AgreedOver,
    /// They differ, and counting does not settle it.
    Conflict,
    /// Only one family, or only the host, spoke.
    Single,
    /// All agree, and nobody has looked.
    Hollow,
}

impl Label {
    /// All labels.
    pub const ALL: [Label; 7] = [
        Label::Proven,
        Label::Refuted,
        Label::Agreed,
        Label::AgreedOver,
        Label::Conflict,
        Label::Single,
        Label::Hollow,
    ];

    /// Returns the name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Label::Proven => "proven",
            Label::Refuted => "refuted",
            Label::Agreed => "agreed",
            Label::AgreedOver => "agreed_over",
            Label::Conflict => "conflict",
            Label::Single => "single",
            Label::Hollow => "hollow",
        }
    }

    /// Returns the words for it on screen.
    pub fn words(self) -> &'static str {
        match self {
            Label::Proven => "proven",
            Label::Refuted => "struck",
            Label::Agreed => "agreed",
            Label::AgreedOver => "outvoted",
            Label::Conflict => "conflict",
            Label::Single => "only one voice",
            Label::Hollow => "nobody looked",
        }
    }

    /// Tells whether the claim is decided: proven, agreed or agreed over.
    pub fn is_decided(self) -> bool {
        matches!(self, Label::Proven | Label::Agreed | Label::AgreedOver)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a verdict is what it is: a closed set. The order is that of the table of statuses, so the first reason of a
/// verdict is the one that decided it; those that decide nothing come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// A critical objection that the host has seen to hold.
    CriticalObjection,
    /// Every word that a must-requirement is covered was found false.
    MustRefuted,
    /// No implementation kept the existing tests green.
    NoCandidate,
    /// A human upheld an objection.
    ObjectionUpheld,
    /// The outcome is FAIL, NO-GO or REJECTED.
    OutcomeFailed,
    /// The outcome hangs on conditions that are not all accepted.
    ConditionOpen,
    /// The panel decided that a must-requirement is not met.
    MustDenied,
    /// The host ran a must-requirement's test and saw it fail.
    MustTestFailed,
    /// They differ on something that matters.
    Conflict,
    /// A critical objection that nobody has looked at.
    UnverifiedCritical,
    /// Too few families answered.
    NoQuorum,
    /// Only one family was asked.
    OneVoice,
    /// Nobody covers a must-requirement.
    MustUncovered,
    /// The stage's outcome is not decided.
    NoOutcome,
    /// Nothing of weight was said.
    NothingDecided,
    /// Most of what matters was said by one family only.
    TalkedPastEachOther,
    /// Somebody whose dissent is still open did not answer.
    DissenterMissing,
    /// Somebody did not answer.
    AgentMissing,
    /// They agree, and nobody has looked.
    Hollow,
    /// Some were outvoted.
    Outvoted,
    /// Agreed, but by less than half of those who answered.
    FewAddressed,
    /// Only one family, or only the host, spoke.
    Single,
    /// They differ on something minor.
    MinorConflict,
    /// A human took responsibility.
    Waived,
    /// No two implementations pass the same tests.
    PassSetsDiffer,
    /// An agent said something that the host looked up and found false.
    PhantomCompletion,
    /// An agent said something that the host ran and saw fail.
    RanFalse,
    /// Two near texts of opposite polarity: perhaps the same thing.
    PossibleConflict,
    /// A waiver was signed for other assertions than these, or for a claim that nobody makes.
    WaiverStale,
    /// A waiver asks for what cannot be waived.
    WaiverRefused,
    /// A pair that the round found to be the same cannot be merged.
    SameAsIgnored,
}

impl ReasonCode {
    /// Returns the name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            ReasonCode::CriticalObjection => "critical_objection",
            ReasonCode::MustRefuted => "must_refuted",
            ReasonCode::NoCandidate => "no_candidate",
            ReasonCode::ObjectionUpheld => "objection_upheld",
            ReasonCode::OutcomeFailed => "outcome_failed",
            ReasonCode::ConditionOpen => "condition_open",
            ReasonCode::MustDenied => "must_denied",
            ReasonCode::MustTestFailed => "must_test_failed",
            ReasonCode::Conflict => "conflict",
            ReasonCode::UnverifiedCritical => "unverified_critical",
            ReasonCode::NoQuorum => "no_quorum",
            ReasonCode::OneVoice => "one_voice",
            ReasonCode::MustUncovered => "must_uncovered",
            ReasonCode::NoOutcome => "no_outcome",
            ReasonCode::NothingDecided => "nothing_decided",
            ReasonCode::TalkedPastEachOther => "talked_past_each_other",
            ReasonCode::DissenterMissing => "dissenter_missing",
            ReasonCode::AgentMissing => "agent_missing",
            ReasonCode::Hollow => "hollow",
            ReasonCode::Outvoted => "outvoted",
            ReasonCode::FewAddressed => "few_addressed",
            ReasonCode::Single => "single",
            ReasonCode::MinorConflict => "minor_conflict",
            ReasonCode::Waived => "waived",
            ReasonCode::PassSetsDiffer => "pass_sets_differ",
            ReasonCode::PhantomCompletion => "phantom_completion",
            ReasonCode::RanFalse => "ran_false",
            ReasonCode::PossibleConflict => "possible_conflict",
            ReasonCode::WaiverStale => "waiver_stale",
            ReasonCode::WaiverRefused => "waiver_refused",
            ReasonCode::SameAsIgnored => "same_as_ignored",
        }
    }

    /// Returns what it says, to follow the names of agents or stand alone.
    pub fn words(self) -> &'static str {
        match self {
            ReasonCode::CriticalObjection => "a critical objection holds",
            ReasonCode::MustRefuted => "a must-requirement was said to be covered and is not",
            ReasonCode::NoCandidate => "no implementation kept the existing tests green",
            ReasonCode::ObjectionUpheld => "a human upheld an objection",
            ReasonCode::OutcomeFailed => "the panel says no",
            ReasonCode::ConditionOpen => "the panel says yes on conditions that are not all accepted",
            ReasonCode::MustDenied => "the panel says that a must-requirement is not met",
            ReasonCode::MustTestFailed => "the test of a must-requirement was run and failed",
            ReasonCode::Conflict => "answers differ",
            ReasonCode::UnverifiedCritical => "a critical objection that nobody has looked at",
            ReasonCode::NoQuorum => "too few families answered",
            ReasonCode::OneVoice => "only one family was asked, so nobody could disagree",
            ReasonCode::MustUncovered => "nobody covers a must-requirement",
            ReasonCode::NoOutcome => "the outcome is not decided",
            ReasonCode::NothingDecided => "nothing of weight was said",
            ReasonCode::TalkedPastEachOther => "most of what matters was said by one family only",
            ReasonCode::DissenterMissing => "somebody whose dissent is open did not answer",
            ReasonCode::AgentMissing => "somebody who was asked did not answer",
            ReasonCode::Hollow => "all agree, and nobody has looked",
            ReasonCode::Outvoted => "outvoted",
            ReasonCode::FewAddressed => "agreed by less than half of those who answered",
            ReasonCode::Single => "said by one voice only",
            ReasonCode::MinorConflict => "answers differ on something minor",
            ReasonCode::Waived => "waived by a human",
            ReasonCode::PassSetsDiffer => "no two implementations pass the same tests",
            ReasonCode::PhantomCompletion => "said something that was looked up and is not so",
            ReasonCode::RanFalse => "said something that was run and is not so",
            ReasonCode::PossibleConflict => "perhaps the same thing, said with yes and with no",
            ReasonCode::WaiverStale => "a waiver was signed for other words than these",
            ReasonCode::WaiverRefused => "a waiver asks for what cannot be waived",
            ReasonCode::SameAsIgnored => "a pair that cannot be merged",
        }
    }

    /// Returns the status that it causes, if no earlier one applies; none if it only informs.
    pub fn status(self) -> Option<Status> {
        match self {
            ReasonCode::CriticalObjection | ReasonCode::MustRefuted | ReasonCode::NoCandidate => Some(Status::Blocked),
            ReasonCode::ObjectionUpheld
            | ReasonCode::OutcomeFailed
            | ReasonCode::ConditionOpen
            | ReasonCode::MustDenied
            | ReasonCode::MustTestFailed => Some(Status::Rejected),
            ReasonCode::Conflict | ReasonCode::UnverifiedCritical => Some(Status::Conflict),
            ReasonCode::NoQuorum
            | ReasonCode::OneVoice
            | ReasonCode::MustUncovered
            | ReasonCode::NoOutcome
            | ReasonCode::NothingDecided
            | ReasonCode::TalkedPastEachOther
            | ReasonCode::DissenterMissing => Some(Status::NoQuorum),
            ReasonCode::AgentMissing => Some(Status::Degraded),
            ReasonCode::Hollow => Some(Status::Hollow),
            ReasonCode::Outvoted
            | ReasonCode::FewAddressed
            | ReasonCode::Single
            | ReasonCode::MinorConflict
            | ReasonCode::Waived
            | ReasonCode::PassSetsDiffer => Some(Status::AgreeWithDissent),
            ReasonCode::PhantomCompletion
            | ReasonCode::RanFalse
            | ReasonCode::PossibleConflict
            | ReasonCode::WaiverStale
            | ReasonCode::WaiverRefused
            | ReasonCode::SameAsIgnored => None,
        }
    }
}

/// One reason, with the agents and claims that it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// Which.
    pub code: ReasonCode,
    /// By name, ascending.
    pub agents: Vec<AgentName>,
    /// By key, ascending.
    pub claims: Vec<Sha>,
}

/// What the panel decided about the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// PASS, GO, APPROVED, or a conditional yes whose conditions are accepted.
    Pass,
    /// FAIL, NO-GO, REJECTED, or a conditional yes with an open condition.
    Fail,
    /// Not decided, or the stage has no outcome.
    None,
}

/// One family's vote on a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The family.
    pub family: Family,
    /// What it says.
    pub value: Value,
    /// Whether that holds.
    pub polarity: Polarity,
    /// Its agents that say so.
    pub agents: Vec<AgentName>,
}

/// An assertion left standing for anything but the winner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dissent {
    /// Whose.
    pub agent: AgentName,
    /// What it says.
    pub value: Value,
    /// Whether that holds.
    pub polarity: Polarity,
    /// How much it matters.
    pub severity: Severity,
    /// What the host found.
    pub tier: Tier,
}

/// Another key that was merged into a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// Its key.
    pub key: Sha,
    /// Its subject.
    pub subject: String,
}

/// One claim as it was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// sha256 of kind, subject and predicate.
    pub key: Sha,
    /// Its kind.
    pub kind: Kind,
    /// Its subject, canonical.
    pub subject: String,
    /// Its predicate, canonical.
    pub predicate: String,
    /// What it amounts to.
    pub label: Label,
    /// The winner's value, or the side that a human chose; none without a winner.
    pub value: Option<Value>,
    /// The winner's polarity.
    pub polarity: Option<Polarity>,
    /// The highest tier of the winning side.
    pub tier: Tier,
    /// The highest severity that any assertion left bears.
    pub severity: Severity,
    /// By family.
    pub votes: Vec<Vote>,
    /// By agent.
    pub dissent: Vec<Dissent>,
    /// The other keys that were merged into this one.
    pub merged_from: Vec<Merged>,
}

impl Judged {
    /// Returns "kind subject".
    pub fn title(&self) -> String {
        format!("{} {}", self.kind, self.subject)
    }
}

/// How many must-requirements are covered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// How many there are.
    pub must: usize,
    /// How many are covered.
    pub covered: usize,
    /// The ids of the others, ascending; waived ones too.
    pub uncovered: Vec<String>,
}

/// How many families were expected, and how many answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Families {
    /// Families of the roster.
    pub expected: usize,
    /// Families with at least one agent that answered.
    pub ok: usize,
}

/// A kept artifact that was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Whose.
    pub agent: AgentName,
    /// Where it is kept; outside the hash.
    pub path: String,
    /// Its hash.
    pub sha256: Sha,
}

/// The host's computed result for a stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Always [`VERDICT_SCHEMA`].
    pub schema: String,
    /// Which spec.
    pub spec_id: SpecId,
    /// Which stage.
    pub stage: Stage,
    /// When it was recorded (RFC 3339), put in by whoever records it; outside the hash.
    pub recorded_at: Option<String>,
    /// Version of the prompt templates.
    pub prompt_version: Option<String>,
    /// How the stage ended.
    pub status: Status,
    /// The exit code, after the policy's permissions.
    pub exit: u8,
    /// What the panel decided about the stage.
    pub outcome: Decision,
    /// Whether the status is agree or agree with dissent.
    pub consensus_ok: bool,
    /// Whether anybody did not answer, under any status.
    pub degraded: bool,
    /// Whether every answer that came had the fields its stage requires.
    pub required_fields_ok: bool,
    /// Who did not answer, by name.
    pub missing_agents: Vec<AgentName>,
    /// "kind subject" of every decided claim, in the order of keys.
    pub agreements: Vec<String>,
    /// "kind subject" of every conflict, in the order of keys.
    pub conflicts: Vec<String>,
    /// Why: the first one decided the status.
    pub reasons: Vec<Reason>,
    /// By key.
    pub claims: Vec<Judged>,
    /// How many must-requirements are covered.
    pub coverage: Coverage,
    /// How many families took part.
    pub families: Families,
    /// What was judged.
    pub inputs: Inputs,
    /// The answers that were judged, by agent.
    pub artifacts: Vec<Artifact>,
    /// sha256 of the canonical JSON of all the above but `recorded_at` and the artifacts' paths.
    pub hash: Sha,
}

/// The first line of a verdict on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// It goes on.
    Pass,
    /// A human has this many things to settle (at least one).
    YourCall(usize),
    /// It stops here.
    Stop,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::Pass => f.write_str("PASS"),
            Call::YourCall(n) => write!(f, "YOUR CALL {n}"),
            Call::Stop => f.write_str("STOP"),
        }
    }
}

/// How many subjects a sentence names before it counts the rest.
const NAMED_MAX: usize = 3;

impl Verdict {
    /// Computes the hash of what is in the verdict.
    pub fn computed_hash(&self) -> Sha {
        let text = serde_json::to_value(self).map_err(|e| e.to_string()).and_then(|mut value| {
            if let Some(fields) = value.as_object_mut() {
                fields.remove("hash");
                fields.remove("recorded_at");
            }
            for artifact in value.get_mut("artifacts").and_then(|a| a.as_array_mut()).into_iter().flatten() {
                if let Some(fields) = artifact.as_object_mut() {
                    fields.remove("path");
                }
            }
            canonical(&value).map_err(|e| e.to_string())
        });
        // A verdict holds texts, integers and booleans only, so it always has a canonical writing.
        text.map_or_else(Sha::of, Sha::of)
    }

    /// Tells whether the next stage may follow: exit 0, or degraded or hollow up to validate.
    pub fn is_advancing(&self) -> bool {
        let flagged = matches!(self.status, Status::Degraded | Status::Hollow);
        self.exit == 0 || (flagged && self.stage <= Stage::Validate)
    }

    /// Returns the first line of the verdict on screen.
    pub fn call(&self) -> Call {
        if self.is_advancing() {
            return Call::Pass;
        }
        match self.status {
            Status::Cancelled | Status::Infra | Status::Blocked | Status::Rejected => Call::Stop,
            Status::Conflict
            | Status::NoQuorum
            | Status::Degraded
            | Status::Hollow
            | Status::AgreeWithDissent
            | Status::Agree => {
                let deciding = self.reasons.iter().filter(|r| r.code.status() == Some(self.status));
                Call::YourCall(deciding.map(|r| r.claims.len()).sum::<usize>().max(1))
            }
        }
    }

    /// Returns one sentence that says why, naming agents and what they differ about. The texts are foreign: they go
    /// through [`crate::domain::safe::Safe`] before they are shown.
    pub fn why(&self) -> String {
        let Some(reason) = self.reasons.first().filter(|r| r.code.status().is_some()) else {
            let covered = format!("{} of {} must-requirements covered", self.coverage.covered, self.coverage.must);
            return match self.status {
                Status::Agree => {
                    format!("{} of {} families agree, {covered}", self.families.ok, self.families.expected)
                }
                other => other.words().to_owned(),
            };
        };
        let who = listed(reason.agents.iter().map(AgentName::as_str));
        let what = listed(self.titles(&reason.claims).iter().map(String::as_str));
        let words = reason.code.words();
        match (who.as_str(), what.as_str()) {
            ("", "") => words.to_owned(),
            (who, "") => format!("{words} ({who})"),
            ("", what) => format!("{words}: {what}"),
            (who, what) => format!("{words}: {what} ({who})"),
        }
    }

    /// Returns "kind subject" of claims, also of must-requirements that nobody made a claim about.
    fn titles(&self, keys: &[Sha]) -> Vec<String> {
        let covers = |id: &str| (canon::key(Kind::Covers, id, "covered"), id.to_owned());
        let uncovered: BTreeMap<Sha, String> = self.coverage.uncovered.iter().map(|id| covers(id)).collect();
        let title = |key: &Sha| {
            let found = self.claims.binary_search_by(|c| c.key.cmp(key)).ok();
            uncovered.get(key).cloned().or_else(|| found.map(|i| self.claims[i].title()))
        };
        keys.iter().filter_map(title).collect()
    }
}

/// Joins names: "a", "a and b", "a, b and c", "a, b, c and 2 more".
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    if names.len() > NAMED_MAX {
        let more = names.len() - NAMED_MAX;
        names.truncate(NAMED_MAX);
        names.push(format!("{more} more"));
    }
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}
