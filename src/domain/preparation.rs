//! What a stage starts from: the spec as read, the agenda, a prompt for each seat, and everything that the verdict
//! will be bound to.
//!
//! It must not read anything: the repo actor does, and hands a [`Preparation`] in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::agenda::Topic;
use super::artifact::Expect;
use super::claim::derive::Prior;
use super::consensus::Inputs;
use super::ids::AgentName;
use super::prompt::Rendered;
use super::spec::Spec;
use super::stage::Stage;

/// Everything a stage starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// The spec as it was read.
    pub spec: Arc<Spec>,
    /// The stage.
    pub stage: Stage,
    /// The questions that every agent gets.
    pub agenda: Vec<Topic>,
    /// What a valid answer looks like.
    pub expect: Expect,
    /// The prompt of each agent.
    pub prompts: BTreeMap<AgentName, Arc<Rendered>>,
    /// What the verdict is bound to.
    pub inputs: Inputs,
    /// What earlier stages decided.
    pub prior: Prior,
    /// Ids of the constitution's rules, in upper case.
    pub constitution: BTreeSet<String>,
}
