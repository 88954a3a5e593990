//! Entries of a spec's ledger that are about gates: what a person answered or put off, and took back.
//!
//! It must not know how a chain is written, nor entries of others: what it does not know it leaves alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Gate;
use crate::domain::hash::Sha;
use crate::domain::safe::Safe;

/// Something that a person said about an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum Entry {
    /// It was answered.
    #[serde(rename = "gate.answered")]
    Answered(Answered),
    /// It was put off: the run may go on without an answer.
    #[serde(rename = "gate.deferred")]
    Deferred {
        /// The issue's id.
        issue: String,
        /// Which gate asked.
        gate: Gate,
        /// What it asked.
        ask: String,
        /// By whom.
        by: String,
        /// Why.
        reason: String,
    },
    /// The last word about an issue was taken back.
    #[serde(rename = "gate.undone")]
    Undone {
        /// The issue's id.
        issue: String,
        /// By whom.
        by: String,
    },
}

/// An answer, and the document that it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// The issue's id.
    pub issue: String,
    /// Which gate asked.
    pub gate: Gate,
    /// What it asked.
    pub ask: String,
    /// What was answered.
    pub answer: String,
    /// By whom.
    pub by: String,
    /// The document that was changed, relative to the repository.
    pub file: String,
    /// Hash of the document before.
    pub before: Sha,
    /// Hash of the document after.
    pub after: Sha,
    /// Where the document before is kept, relative to the repository.
    pub backup: String,
}

/// What a person said about an issue that still stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// By whom it was put off.
    pub by: Safe,
    /// Why.
    pub reason: Safe,
}

/// Reads an entry; `None` for one that is not about gates.
pub fn entry(value: &serde_json::Value) -> Option<Entry> {
    serde_json::from_value(value.clone()).ok()
}

/// Returns what was put off, by issue. An answer is no such thing: it changed the text, so an issue that stands all the
/// same has come back.
pub fn standing(entries: &[Entry]) -> BTreeMap<String, Standing> {
    let mut held = BTreeMap::new();
    for entry in entries {
        match entry {
            Entry::Deferred { issue, by, reason, .. } => {
                held.insert(issue.clone(), Standing { by: Safe::line(by), reason: Safe::line(reason) });
            }
            Entry::Undone { issue, .. } | Entry::Answered(Answered { issue, .. }) => drop(held.remove(issue)),
        }
    }
    held
}

/// Returns the last answer that was not taken back: of an issue, or of any.
pub fn last_edit<'e>(entries: &'e [Entry], issue: Option<&str>) -> Option<&'e Answered> {
    let mut said: Vec<(&str, Option<&Answered>)> = Vec::new();
    for entry in entries {
        match entry {
            Entry::Answered(answered) => said.push((&answered.issue, Some(answered))),
            Entry::Deferred { issue, .. } => said.push((issue, None)),
            Entry::Undone { issue, .. } => {
                if let Some(at) = said.iter().rposition(|(of, _)| of == issue) {
                    said.remove(at);
                }
            }
        }
    }
    said.into_iter().rev().filter_map(|(_, answered)| answered).find(|one| issue.is_none_or(|id| one.issue == id))
}
