//! Why a verdict is what it is: the closed set of reasons.
//!
//! It must not know how a reason is found.

use serde::{Deserialize, Serialize};

use super::label::Status;
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;

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
    /// So many near texts that the rest of them was compared with nothing.
    MergingStopped,
}

impl ReasonCode {
    /// Returns its name in JSON, the status that it causes, and its words.
    fn row(self) -> (&'static str, Option<Status>, &'static str) {
        use Status::{AgreeWithDissent, Blocked, Conflict, Degraded, Hollow, NoQuorum, Rejected};
        match self {
            Self::CriticalObjection => ("critical_objection", Some(Blocked), "a critical objection holds"),
            Self::MustRefuted => {
                ("must_refuted", Some(Blocked), "a must-requirement was said to be covered and is not")
            }
            Self::NoCandidate => ("no_candidate", Some(Blocked), "no implementation kept the existing tests green"),
            Self::ObjectionUpheld => ("objection_upheld", Some(Rejected), "a human upheld an objection"),
            Self::OutcomeFailed => ("outcome_failed", Some(Rejected), "the panel says no"),
            Self::ConditionOpen => {
                ("condition_open", Some(Rejected), "the panel says yes on conditions that are not all accepted")
            }
            Self::MustDenied => ("must_denied", Some(Rejected), "the panel says that a must-requirement is not met"),
            Self::MustTestFailed => {
                ("must_test_failed", Some(Rejected), "the test of a must-requirement was run and failed")
            }
            Self::Conflict => ("conflict", Some(Conflict), "answers differ"),
            Self::UnverifiedCritical => {
                ("unverified_critical", Some(Conflict), "a critical objection that nobody has looked at")
            }
            Self::NoQuorum => ("no_quorum", Some(NoQuorum), "too few families answered"),
            Self::OneVoice => ("one_voice", Some(NoQuorum), "only one family was asked, so nobody could disagree"),
            Self::MustUncovered => ("must_uncovered", Some(NoQuorum), "nobody covers a must-requirement"),
            Self::NoOutcome => ("no_outcome", Some(NoQuorum), "the outcome is not decided"),
            Self::NothingDecided => ("nothing_decided", Some(NoQuorum), "nothing of weight was said"),
            Self::TalkedPastEachOther => {
                ("talked_past_each_other", Some(NoQuorum), "most of what matters was said by one family only")
            }
            Self::DissenterMissing => {
                ("dissenter_missing", Some(NoQuorum), "somebody whose dissent is open did not answer")
            }
            Self::AgentMissing => ("agent_missing", Some(Degraded), "somebody who was asked did not answer"),
            Self::Hollow => ("hollow", Some(Hollow), "all agree, and nobody has looked"),
            Self::Outvoted => ("outvoted", Some(AgreeWithDissent), "outvoted"),
            Self::FewAddressed => {
                ("few_addressed", Some(AgreeWithDissent), "agreed by less than half of those who answered")
            }
            Self::Single => ("single", Some(AgreeWithDissent), "said by one voice only"),
            Self::MinorConflict => ("minor_conflict", Some(AgreeWithDissent), "answers differ on something minor"),
            Self::Waived => ("waived", Some(AgreeWithDissent), "waived by a human"),
            Self::PassSetsDiffer => {
                ("pass_sets_differ", Some(AgreeWithDissent), "no two implementations pass the same tests")
            }
            Self::PhantomCompletion => ("phantom_completion", None, "said something that was looked up and is not so"),
            Self::RanFalse => ("ran_false", None, "said something that was run and is not so"),
            Self::PossibleConflict => ("possible_conflict", None, "perhaps the same thing, said with yes and with no"),
            Self::WaiverStale => ("waiver_stale", None, "a waiver was signed for other words than these"),
            Self::WaiverRefused => ("waiver_refused", None, "a waiver asks for what cannot be waived"),
            Self::SameAsIgnored => ("same_as_ignored", None, "a pair that cannot be merged"),
            Self::MergingStopped => ("merging_stopped", None, "too many near texts: these were compared with nothing"),
        }
    }

    /// Returns the name used in JSON.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Returns the status that it causes, if no earlier one applies; none if it only informs.
    pub fn status(self) -> Option<Status> {
        self.row().1
    }

    /// Returns what it says.
    pub fn words(self) -> &'static str {
        self.row().2
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
