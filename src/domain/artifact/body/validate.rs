//! The answer at stage validate. It must not know the other stages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{Remark, Status};

/// The answer at stage validate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Validate {
    /// What was tried for each requirement.
    #[serde(default)]
    pub scenarios: Vec<Trial>,
    /// What must be done about failures.
    #[serde(default)]
    pub remediation: Vec<Remark>,
    /// Whether the change does what the spec asks.
    pub decision: ValidateDecision,
    /// What must hold for a PARTIAL to count as a pass.
    #[serde(default)]
    pub conditions: Vec<Remark>,
}

/// One scenario, and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// What was tried.
    pub name: String,
    /// The requirement's id.
    #[serde(default)]
    pub requirement: String,
    /// The check's name in the project's config, such as `cargo-test`.
    #[serde(default)]
    pub check: String,
    /// The test's id as its runner prints it.
    #[serde(default)]
    pub test_id: Option<String>,
    /// How it went.
    pub status: Status,
    /// What failed.
    #[serde(default)]
    pub failures: Vec<String>,
    /// The lines of output that matter.
    #[serde(default)]
    pub log: String,
}

/// The outcome of stage validate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ValidateDecision {
    /// It does what the spec asks.
    Pass,
    /// It does not.
    Fail,
    /// It does under the conditions given.
    Partial,
}
