//! Entries of a spec's ledger, as they stand in its hash chain.
//!
//! It must not know how a chain is written, nor entries of others: what it does not know it leaves alone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ClosedBy, Said};
use crate::domain::claim::{Polarity, Severity, Tier, Value};
use crate::domain::consensus::Choice;
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
}

/// Reads an entry of a ledger; none for what others keep there.
pub fn entry(value: &serde_json::Value) -> Option<Entry> {
    Entry::deserialize(value).ok()
}

/// Returns the waivers of a stage that hold: the claim's key, and the side chosen.
pub(super) fn waivers(entries: &[Entry], at: Stage) -> BTreeMap<Sha, (Sha, Option<Choice>)> {
    let mut held = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Waived { stage, key, digest, choice, .. } if *stage == at => {
                held.insert(key.clone(), (digest.clone(), choice.clone()));
            }
            Entry::Undone { stage, what: Taken::Waived(key) } if *stage == at => drop(held.remove(key)),
            Entry::Waived { .. }
            | Entry::Undone { .. }
            | Entry::Opened { .. }
            | Entry::Closed { .. }
            | Entry::ConditionAccepted { .. } => {}
        }
    }
    held
}

/// Returns the conditions that were accepted at a stage.
pub(super) fn accepted(entries: &[Entry], at: Stage) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for entry in entries {
        match entry {
            Entry::ConditionAccepted { stage, condition, .. } if *stage == at => drop(held.insert(condition.clone())),
            Entry::Undone { stage, what: Taken::Condition(text) } if *stage == at => drop(held.remove(text)),
            Entry::ConditionAccepted { .. }
            | Entry::Undone { .. }
            | Entry::Opened { .. }
            | Entry::Closed { .. }
            | Entry::Waived { .. } => {}
        }
    }
    held
}

/// Returns what the ledger tells about a stage beside its verdict.
pub(super) fn said(entries: &[Entry], at: Stage) -> Said {
    let waived = waivers(entries, at).into_iter().filter(|(_, (_, choice))| choice.is_none()).map(|(key, _)| key);
    let asked = entries.iter().filter_map(|entry| match entry {
        Entry::Opened { key, ask, .. } => Some((key.clone(), ask.clone())),
        Entry::Closed { .. } | Entry::ConditionAccepted { .. } | Entry::Waived { .. } | Entry::Undone { .. } => None,
    });
    Said { waived: waived.collect(), asked: asked.collect() }
}
