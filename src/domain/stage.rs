//! The six stages and their order.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One step of the pipeline; always in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
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
    /// All stages, in order.
    pub const ALL: [Stage; 6] =
        [Stage::Plan, Stage::Tasks, Stage::Implement, Stage::Validate, Stage::Audit, Stage::Unlock];

    /// Returns the name used in commands, files and JSON.
    pub fn name(self) -> &'static str {
        match self {
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
            Stage::Plan => None,
            Stage::Tasks => Some(Stage::Plan),
            Stage::Implement | Stage::Validate => Some(Stage::Tasks),
            Stage::Audit => Some(Stage::Validate),
            Stage::Unlock => Some(Stage::Audit),
        }
    }

    /// Returns the stage after this one.
    pub fn next(self) -> Option<Stage> {
        Stage::ALL.into_iter().find(|s| *s > self)
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

/// A word that is no stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no stage is called {0:?}: plan, tasks, implement, validate, audit, unlock")]
pub struct UnknownStage(pub String);

impl FromStr for Stage {
    type Err = UnknownStage;
    fn from_str(text: &str) -> Result<Self, UnknownStage> {
        let name = text.strip_prefix("spec-").unwrap_or(text);
        Stage::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| UnknownStage(text.chars().take(40).collect()))
    }
}
