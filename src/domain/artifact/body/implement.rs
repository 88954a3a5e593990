//! The answer at stage implement, beside the diff that the host takes. It must not know the other stages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::Risk;

/// The answer at stage implement. The diff itself is taken by the host from the worktree, never from these words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Implement {
    /// What was changed.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// What may go wrong.
    #[serde(default)]
    pub risks: Vec<Risk>,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// Path relative to the repository.
    pub file: String,
    /// How it changed.
    pub change_type: Change,
    /// What was changed in it.
    #[serde(default)]
    pub description: String,
    /// The task it belongs to.
    #[serde(default)]
    pub task_id: String,
}

/// How a file changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    #[serde(alias = "create", alias = "new")]
    Add,
    /// It was there before.
    #[serde(alias = "update", alias = "edit")]
    Modify,
    /// It is gone.
    #[serde(alias = "remove")]
    Delete,
}

impl Change {
    /// Returns the name used in JSON and in claims.
    pub fn name(self) -> &'static str {
        match self {
            Change::Add => "add",
            Change::Modify => "modify",
            Change::Delete => "delete",
        }
    }
}
