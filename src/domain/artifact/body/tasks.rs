//! The answer at stage tasks. It must not know the other stages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shared::Remark;

/// The answer at stage tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tasks {
    /// The tasks.
    #[serde(default)]
    pub tasks: Vec<TaskItem>,
    /// How each requirement is shown to be met.
    #[serde(default)]
    pub acceptance_coverage: Vec<Coverage>,
    /// What is left for later.
    #[serde(default)]
    pub followups: Vec<Remark>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskItem {
    /// Its id within this answer: `T001`.
    pub task_id: String,
    /// Its place in the order, from 1.
    #[serde(default)]
    pub order: u32,
    /// What is done.
    pub title: String,
    /// Ids of the tasks that must be done before.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Ids of the requirements that it serves.
    #[serde(default)]
    pub requirements: Vec<String>,
    /// Files that it touches, relative to the repository; mark one to be created with ` (new)`.
    #[serde(default)]
    pub files: Vec<String>,
    /// The test or check that shows that it is done; name a test by its id in backquotes.
    #[serde(default)]
    pub validation_step: String,
    /// Whether it can be done beside others.
    #[serde(default)]
    pub parallel: bool,
}

/// Which tasks and which test cover a requirement: a text alone, or by fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = r#"an entry is a text or {"requirement", "tasks"?, "validation_step"?}"#)]
pub enum Coverage {
    /// In words.
    Text(String),
    /// By fields.
    Row {
        /// The requirement's id.
        requirement: String,
        /// Ids of the tasks that serve it.
        #[serde(default)]
        tasks: Vec<String>,
        /// The test or check that shows it.
        #[serde(default)]
        validation_step: String,
    },
}
