//! The verdict: what is recorded, shown and hashed.
//!
//! It must not know how it was computed, nor when: times are put in by whoever records it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::label::{Label, Status};
use super::panel::Inputs;
use super::reason::Reason;
use super::seal;
use crate::domain::claim::{Kind, Polarity, Severity, Tier, Value};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, Family, SpecId};
use crate::domain::stage::Stage;

/// The verdict's format.
pub const VERDICT_SCHEMA: &str = "dicast.verdict/1";

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
        [self.kind.name(), " ", &self.subject].concat()
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
    /// The documents written with it, by path relative to the repository; outside the hash. By it a clone, which has
    /// no journal, tells what we wrote from what a hand has edited.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub published: BTreeMap<String, Sha>,
}

impl Verdict {
    /// Returns how far the spec is covered; nothing where what it asks is itself what is decided.
    pub fn covered(&self) -> Option<&Coverage> {
        (self.stage != Stage::Specify).then_some(&self.coverage)
    }

    /// Computes the hash of what is in the verdict.
    pub fn computed_hash(&self) -> Sha {
        Sha::of_pieces(|put| seal::seal(self, put))
    }
}
