//! The two scales of a verdict: the status of a stage and the label of a claim.
//!
//! They must not know how either is computed.

use serde::{Deserialize, Serialize};
use std::fmt;

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

    /// Returns its place in the order in which labels want to be looked at: what asks most of a reader first.
    pub fn attention(self) -> u8 {
        match self {
            Label::Conflict => 0,
            Label::Refuted => 1,
            Label::Hollow => 2,
            Label::Single => 3,
            Label::AgreedOver => 4,
            Label::Agreed => 5,
            Label::Proven => 6,
        }
    }

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
