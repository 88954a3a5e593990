//! How a request of a program ended: the library and the server ask this way, and wait for one answer each.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Spent;
use crate::domain::failure::Failure;
use crate::domain::ids::RunId;
use crate::domain::judgement::Judgement;
use crate::domain::stage::Stage;

/// Names one request of a program, so that its answer can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AskId(pub u64);

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The run; nothing where it was refused before it began.
    pub run: Option<RunId>,
    /// The exit code that a process would end with.
    pub exit: u8,
    /// The verdict of each stage that was decided, with the panel it was decided on.
    pub verdicts: BTreeMap<Stage, Arc<Judgement>>,
    /// The run's folder, relative to the repository.
    pub evidence: Option<String>,
    /// What became of the copies in memory.
    pub memory: String,
    /// What its turns used and what that cost; nothing where nobody told.
    pub spent: Option<Spent>,
    /// Why it ended early.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// Returns the outcome of what was refused before it began.
    pub fn refused(failure: Failure) -> Self {
        Self {
            run: None,
            exit: failure.exit(),
            verdicts: BTreeMap::new(),
            evidence: None,
            memory: "none".to_owned(),
            spent: None,
            failure: Some(failure),
        }
    }
}
