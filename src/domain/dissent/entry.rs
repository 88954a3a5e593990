//! Entries of a spec's ledger, as they stand in its hash chain.
//!
//! It must not know how a chain is written, nor entries of others: what it does not know it leaves alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{ClosedBy, Said, Signed};
use crate::domain::claim::{Polarity, Severity, Tier, Value};
use crate::domain::consensus::{Choice, Waiver};
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;
use crate::domain::stage::Stage;

/// Something that became of dissent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Entry {
    /// A verdict left an assertion on the losing side.
    #[serde(rename = "dissent.opened")]
    Opened {
        /// The stage that was decided.
        stage: Stage,
        /// The claim's key.
        key: Sha,
        /// Whose.
        agent: AgentName,
        /// "kind subject" of the claim.
        claim: String,
        /// What it is about, in words.
        ask: String,
        /// What the agent holds.
        value: Value,
        /// Whether that holds.
        polarity: Polarity,
        /// The weight of the claim.
        severity: Severity,
        /// What the host found about the agent's assertion.
        tier: Tier,
        /// What was decided instead.
        against: Option<Choice>,
        /// Hash of the verdict.
        verdict: Sha,
        /// The agent's grounds.
        #[serde(default, skip_serializing_if = "Grounds::is_empty")]
        grounds: Grounds,
    },
    /// A dissent is closed.
    #[serde(rename = "dissent.closed")]
    Closed {
        /// The stage that closed it.
        stage: Stage,
        /// The claim's key.
        key: Sha,
        /// Whose it was.
        agent: AgentName,
        /// By what.
        by: ClosedBy,
        /// Hash of the verdict that shows it.
        verdict: Sha,
    },
    /// A person accepted a condition.
    #[serde(rename = "condition.accepted")]
    ConditionAccepted {
        /// At which stage.
        stage: Stage,
        /// Its canonical text.
        condition: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person waived a claim, or chose a side of it.
    #[serde(rename = "waived")]
    Waived {
        /// At which stage.
        stage: Stage,
        /// The claim's key.
        key: Sha,
        /// Digest of its assertions as they were.
        digest: Sha,
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// The side that was chosen, if one was.
        choice: Option<Choice>,
    },
    /// A person said that two texts which merging takes for one are two.
    #[serde(rename = "split")]
    Split {
        /// At which stage.
        stage: Stage,
        /// The key of the text that was split off, and that of one that it had been merged with.
        pair: (Sha, Sha),
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// What a person decided holds no more: it was taken back, or the stage was decided anew without it.
    #[serde(rename = "undone")]
    Undone {
        /// At which stage.
        stage: Stage,
        /// What was decided.
        what: Taken,
    },
}

/// A decision that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// A waiver or choice, by the claim's key.
    Waived(Sha),
    /// An accepted condition, by its text.
    Condition(String),
    /// A split, by the keys of its pair.
    Split((Sha, Sha)),
}

/// What an agent gave as grounds for what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Grounds {
    /// Its words, in one line.
    pub because: String,
    /// What it cited, each with what the host found there.
    pub cited: Vec<String>,
}

impl Grounds {
    /// Tells whether it gave none.
    pub fn is_empty(&self) -> bool {
        self.because.is_empty() && self.cited.is_empty()
    }
}

/// Reads an entry of a ledger; none for what others keep there.
pub fn entry(value: &serde_json::Value) -> Option<Entry> {
    Entry::deserialize(value).ok()
}

/// Returns the waivers of a stage that hold, by the claim's key.
pub(super) fn waivers(entries: &[Entry], at: Stage) -> BTreeMap<Sha, Waiver> {
    let mut held = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Waived { stage, key, digest, by, reason, choice } if *stage == at => {
                let (claim, digest, by, reason) = (key.clone(), digest.clone(), by.clone(), reason.clone());
                held.insert(key.clone(), Waiver { claim, digest, by, reason, choice: choice.clone() });
            }
            Entry::Undone { stage, what: Taken::Waived(key) } if *stage == at => drop(held.remove(key)),
            Entry::Waived { .. }
            | Entry::Undone { .. }
            | Entry::Opened { .. }
            | Entry::Closed { .. }
            | Entry::Split { .. }
            | Entry::ConditionAccepted { .. } => {}
        }
    }
    held
}

/// Returns the conditions that were accepted at a stage, by their texts.
pub(super) fn accepted(entries: &[Entry], at: Stage) -> BTreeMap<String, Signed> {
    let mut held = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::ConditionAccepted { stage, condition, by, reason } if *stage == at => {
                held.insert(condition.clone(), Signed { by: by.clone(), reason: reason.clone() });
            }
            Entry::Undone { stage, what: Taken::Condition(text) } if *stage == at => drop(held.remove(text)),
            Entry::ConditionAccepted { .. }
            | Entry::Undone { .. }
            | Entry::Opened { .. }
            | Entry::Closed { .. }
            | Entry::Split { .. }
            | Entry::Waived { .. } => {}
        }
    }
    held
}

/// Returns what was split at a stage, by the pair.
pub(super) fn splits(entries: &[Entry], at: Stage) -> BTreeMap<(Sha, Sha), Signed> {
    let mut held = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Split { stage, pair, by, reason } if *stage == at => {
                held.insert(pair.clone(), Signed { by: by.clone(), reason: reason.clone() });
            }
            Entry::Undone { stage, what: Taken::Split(pair) } if *stage == at => drop(held.remove(pair)),
            Entry::Split { .. }
            | Entry::Undone { .. }
            | Entry::Opened { .. }
            | Entry::Closed { .. }
            | Entry::ConditionAccepted { .. }
            | Entry::Waived { .. } => {}
        }
    }
    held
}

/// Returns what the ledger tells about a stage beside its verdict.
pub(super) fn said(entries: &[Entry], at: Stage) -> Said {
    let mut said = Said {
        accepted: accepted(entries, at),
        splits: splits(entries, at),
        waivers: waivers(entries, at).into_values().collect(),
        ..Said::default()
    };
    for entry in entries {
        if let Entry::Opened { key, agent, ask, grounds, .. } = entry {
            said.asked.insert(key.clone(), ask.clone());
            said.grounds.insert((key.clone(), agent.clone()), grounds.clone());
        }
    }
    said
}
