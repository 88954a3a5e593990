//! The answer at stage plan. It must not know the other stages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{Remark, Risk};

/// The answer at stage plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The steps, in order.
    #[serde(default)]
    pub work_breakdown: Vec<Step>,
    /// How each requirement will be shown to be met.
    #[serde(default)]
    pub acceptance_mapping: Vec<Acceptance>,
    /// What may go wrong.
    #[serde(default)]
    pub risks: Vec<Risk>,
    /// What is unclear.
    #[serde(default)]
    pub questions: Vec<Remark>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What is done.
    pub step: String,
    /// Why, and why here.
    #[serde(default)]
    pub rationale: String,
    /// What shows that it is done.
    #[serde(default)]
    pub success_signal: String,
    /// Ids of the requirements that it serves.
    #[serde(default)]
    pub requirements: Vec<String>,
    /// Files that it touches, relative to the repository; mark one to be created with ` (new)`.
    #[serde(default)]
    pub files: Vec<String>,
}

/// How one requirement is shown to be met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// The requirement's id.
    pub requirement: String,
    /// The test or check that shows it; name a test by its id in backquotes.
    #[serde(default)]
    pub validation_step: String,
    /// The file that holds that test, or the test's id; mark one to be created with ` (new)`.
    #[serde(default)]
    pub artifact: String,
}
