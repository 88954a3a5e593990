//! The answer at stage unlock. It must not know the other stages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::Remark;

/// The answer at stage unlock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unlock {
    /// Whether the change is let through.
    pub decision: UnlockDecision,
    /// What must hold for a CONDITIONAL to count as a pass.
    #[serde(default)]
    pub conditions: Vec<Remark>,
    /// Why.
    #[serde(default)]
    pub rationale: String,
    /// What guards against what may go wrong.
    #[serde(default)]
    pub safeguards: Vec<Remark>,
    /// Risks that are taken knowingly.
    #[serde(default)]
    pub accepted_risks: Vec<Remark>,
    /// What is left for later.
    #[serde(default)]
    pub followups: Vec<Remark>,
}

/// The outcome of stage unlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum UnlockDecision {
    /// It is let through.
    Approved,
    /// It is not.
    Rejected,
    /// It is under the conditions given.
    Conditional,
}
