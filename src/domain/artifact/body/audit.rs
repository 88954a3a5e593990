//! The answer at stage audit. It must not know the other stages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::{Cite, Remark, Risk, Status};

/// The answer at stage audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// What was looked at.
    #[serde(default)]
    pub checks: Vec<Checked>,
    /// What may go wrong.
    #[serde(default)]
    pub risks: Vec<Risk>,
    /// What is not done.
    #[serde(default)]
    pub open_items: Vec<Remark>,
    /// Whether the change is fit to be let through.
    pub decision: AuditDecision,
    /// What must hold for a CONDITIONAL to count as a pass.
    #[serde(default)]
    pub conditions: Vec<Remark>,
}

/// One item that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// The requirement's id, a path, or the id of a rule of the constitution.
    pub item: String,
    /// Whether it is satisfied.
    pub status: Status,
    /// What shows it.
    #[serde(default)]
    pub evidence: Vec<Cite>,
}

/// The outcome of stage audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AuditDecision {
    /// It is fit.
    Go,
    /// It is not.
    #[serde(rename = "NO-GO")]
    NoGo,
    /// It is under the conditions given.
    Conditional,
}
