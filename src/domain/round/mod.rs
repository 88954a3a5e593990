//! The round: the one exchange after the drafts, in which the panel is asked about what stands open, without names.
//!
//! ```text
//! panel ─open─▶ ballot ─ask─▶ prompts … answers ─weigh─▶ casts ─apply─▶ panel ─decide─▶ verdict
//! ```
//!
//! [`open()`] lists what stands open, [`Ballot::ask`] writes it down for one agent, [`Answer`] is what comes back,
//! [`weigh()`] finds out what a vote's evidence is worth, [`apply()`] puts the votes into the panel, and [`changes()`] says
//! what they changed. Pure. It must not know when a round is held, who starts it, or how an answer travels.

mod answer;
mod apply;
mod ask;
mod changes;
mod open;
mod weigh;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub(in crate::domain) use answer::schema;
pub use answer::{Answer, Expect, ROUND_SCHEMA, Vote, Word, answer_schema, extract, parse};
pub use apply::{Applied, Heard, apply};
pub use changes::{Changes, changes};
pub use open::{Asking, open};
pub use weigh::{Cast, cited, weigh};

use super::claim::lookup::Citation;
use super::claim::{Kind, Severity, Tier};
use super::consensus::Choice;
use super::hash::Sha;
use super::ids::AgentName;
use super::safe::Safe;

/// The format of a ballot as the host keeps it.
pub const BALLOT_SCHEMA: &str = "dicast.ballot/1";

/// Most items on a ballot: one short turn has to answer all of them.
pub const ITEMS_MAX: usize = 40;

/// Longest turn of a round, in milliseconds: it is one short answer, and a panel of slow agents would double its time.
pub const TURN_MS: u64 = 180_000;

/// What the panel is asked about, as the host keeps it: with keys and names, which no agent sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ballot {
    /// Always [`BALLOT_SCHEMA`].
    pub schema: String,
    /// In the order in which they are asked; never empty.
    pub items: Vec<Item>,
    /// How many more stood open than are asked.
    pub left_out: usize,
}

/// One claim that stands open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Its number on the ballot, from 1.
    pub n: u32,
    /// In words.
    pub claim: Safe,
    /// Why it is asked.
    pub why: Why,
    /// The item that may say the opposite of the same thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<u32>,
    /// The claim's key, then those that were merged into it.
    pub keys: Vec<Sha>,
    /// Its kind.
    pub kind: Kind,
    /// Its subject, canonical.
    pub subject: String,
    /// Its predicate, canonical.
    pub predicate: String,
    /// The requirement it bears on, where its subject is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement: Option<String>,
    /// How much it matters.
    pub severity: Severity,
    /// Items that may be called the same as this one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub may_be: BTreeSet<u32>,
    /// What is said, in the order in which it is asked; never empty.
    pub sides: Vec<Side>,
}

/// One side of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its number in the item, from 1.
    pub n: u32,
    /// What it says.
    #[serde(flatten)]
    pub says: Choice,
    /// Why, in the words of whoever has the best evidence for it, without names.
    pub because: Safe,
    /// Everything that was cited for it.
    pub evidence: Vec<Citation>,
    /// The best that the host found for it.
    pub tier: Tier,
    /// The most that anybody who holds it said it matters.
    pub severity: Severity,
    /// Whether it leads: then nobody has lost on it.
    pub leads: bool,
    /// Who holds it. Agents are never told.
    pub held_by: BTreeSet<AgentName>,
}

/// Why an item is on the ballot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// They differ, and counting does not settle it.
    Conflict,
    /// It may say the opposite of another item in other words.
    PossibleConflict,
    /// Somebody was outvoted: the one chance to show evidence before the count stands, or to withdraw.
    Outvoted,
    /// A family that answered has said nothing about it.
    Unaddressed,
}

impl Ballot {
    /// Returns an item by its number.
    pub fn item(&self, n: u32) -> Option<&Item> {
        self.items.get(usize::try_from(n).ok()?.checked_sub(1)?)
    }
}

impl Item {
    /// Returns a side by its number.
    pub fn side(&self, n: u32) -> Option<&Side> {
        self.sides.get(usize::try_from(n).ok()?.checked_sub(1)?)
    }

    /// Returns the key that names the claim.
    pub fn key(&self) -> Option<&Sha> {
        self.keys.first()
    }
}

#[cfg(test)]
mod tests;
