//! Entries of a spec's ledger that are about gates: what a person answered or put off, and took back.
//!
//! It must not know how a chain is written, nor entries of others: what it does not know it leaves alone.

use std::collections::{BTreeMap, BTreeSet};

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

impl Entry {
    /// Returns the id of the issue that it is about.
    pub fn issue(&self) -> &str {
        match self {
            Entry::Answered(Answered { issue, .. }) | Entry::Deferred { issue, .. } | Entry::Undone { issue, .. } => {
                issue
            }
        }
    }
}

/// Returns the answers and deferrals that were not taken back, the oldest first. What is said about an issue takes the
/// place of its deferral.
pub fn said(entries: &[Entry]) -> Vec<&Entry> {
    let mut said: Vec<&Entry> = Vec::new();
    for entry in entries {
        let is_same = |before: &&Entry| before.issue() == entry.issue();
        match entry {
            Entry::Answered(_) | Entry::Deferred { .. } => {
                said.retain(|before| !is_same(before) || matches!(before, Entry::Answered(_)));
                said.push(entry);
            }
            Entry::Undone { .. } => {
                if let Some(at) = said.iter().rposition(is_same) {
                    said.remove(at);
                }
            }
        }
    }
    said
}

/// Returns what was said last and not taken back: of the issue that an id or a unique beginning of one means, of any if
/// it is empty. Letter case does not count.
pub fn last_word<'e>(entries: &'e [Entry], issue: &str) -> Option<&'e Entry> {
    let wanted = issue.trim().to_ascii_uppercase();
    let said = said(entries);
    let id = |entry: &&Entry| entry.issue().to_ascii_uppercase();
    let meant: BTreeSet<String> = said.iter().map(id).filter(|id| id.starts_with(&wanted)).collect();
    let one = if meant.contains(&wanted) { Some(&wanted) } else { meant.first().filter(|_| meant.len() == 1) };
    said.into_iter().rev().find(|entry| wanted.is_empty() || Some(&id(entry)) == one)
}
