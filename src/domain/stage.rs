//! The six stages and their order, and the one before them that drafts what they are held to.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One step of the pipeline; always in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// A draft or a revision of the spec itself. Not one of the six: what it brings is a proposal to a person.
    Specify,
    /// How the spec will be met.
    Plan,
    /// The plan as an ordered list of tasks.
    Tasks,
    /// The change itself.
    Implement,
    /// Whether the tests show what the spec asks.
    Validate,
    /// Whether the change is fit to be let through.
    Audit,
    /// The decision to let it through.
    Unlock,
}

impl Stage {
    /// The six stages of a pipeline, in order.
    pub const ALL: [Stage; 6] =
        [Stage::Plan, Stage::Tasks, Stage::Implement, Stage::Validate, Stage::Audit, Stage::Unlock];

    /// Everything that has a verdict: the six, and what drafts the spec before them.
    pub const RECORDED: [Stage; 7] =
        [Stage::Specify, Stage::Plan, Stage::Tasks, Stage::Implement, Stage::Validate, Stage::Audit, Stage::Unlock];

    /// Reads the name of anything that has a verdict: one of the six, or `specify`.
    ///
    /// # Errors
    /// [`UnknownStage`] for any other word.
    pub fn named(text: &str) -> Result<Self, UnknownStage> {
        if text == Stage::Specify.name() { Ok(Stage::Specify) } else { text.parse() }
    }

    /// Returns the name used in commands, files and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Specify => "specify",
            Stage::Plan => "plan",
            Stage::Tasks => "tasks",
            Stage::Implement => "implement",
            Stage::Validate => "validate",
            Stage::Audit => "audit",
            Stage::Unlock => "unlock",
        }
    }

    /// Returns the stage whose recorded verdict this one needs, if any (product rule: tasks needs plan, implement
    /// tasks, validate tasks, audit validate, unlock audit).
    pub fn needs(self) -> Option<Stage> {
        match self {
            Stage::Specify | Stage::Plan => None,
            Stage::Tasks => Some(Stage::Plan),
            Stage::Implement | Stage::Validate => Some(Stage::Tasks),
            Stage::Audit => Some(Stage::Validate),
            Stage::Unlock => Some(Stage::Audit),
        }
    }

    /// Returns the first of the six stages after this one.
    pub fn next(self) -> Option<Stage> {
        Stage::ALL.into_iter().find(|s| *s > self)
    }

    /// Tells whether its panel is held to the spec's requirements: that each must is covered. Specify may still change
    /// them, unlock decides about a change whose coverage validate and audit have judged.
    pub fn is_held_to_coverage(self) -> bool {
        !matches!(self, Stage::Specify | Stage::Unlock)
    }

    /// Tells whether answers of this stage end in a decision (PASS, GO, APPROVED and their opposites).
    pub fn has_outcome(self) -> bool {
        matches!(self, Stage::Validate | Stage::Audit | Stage::Unlock)
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is none of the six stages.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct UnknownStage(pub String);

/// Why specify is not taken where one of the six is meant.
pub const NOT_OF_THE_SIX: &str =
    "specify is before the six stages: it proposes what the spec should say, and a person applies that";

impl UnknownStage {
    /// Returns what to do about it.
    pub fn hint(&self) -> &'static str {
        if self.0 == Stage::Specify.name() {
            "run `dicast specify SPEC` before, by itself"
        } else {
            "give one of these"
        }
    }
}

impl fmt::Display for UnknownStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Stage::Specify.name() {
            return f.write_str(NOT_OF_THE_SIX);
        }
        let all = Stage::ALL.map(Stage::name).join(", ");
        write!(f, "no stage is called {:?}: {all}", self.0)
    }
}

impl FromStr for Stage {
    type Err = UnknownStage;
    fn from_str(text: &str) -> Result<Self, UnknownStage> {
        let name = text.strip_prefix("spec-").unwrap_or(text);
        Stage::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| UnknownStage(text.chars().take(40).collect()))
    }
}
