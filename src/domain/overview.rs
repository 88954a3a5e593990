//! What is known of a repository before anybody is asked: specs, findings, recorded verdicts, what would go to agents.
//!
//! It must not read anything: the repo actor does.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::check::{Finding, Report, Survey};
use super::consensus::Status;
use super::hash::Sha;
use super::ids::SpecId;
use super::skip::Skipped;
use super::spec::Spec;
use super::stage::Stage;

/// What is known of a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// The name of its folder.
    pub name: String,
    /// What git says; `None` outside a git repository.
    pub git: Option<Git>,
    /// The specs that were found, by id.
    pub specs: Vec<SpecOverview>,
    /// Everything that the rules found, also what belongs to no spec.
    pub report: Arc<Report>,
    /// Files that go to every agent alike, by path.
    pub context: Vec<String>,
    /// Hooks and servers that the repository brings for agent CLIs (`.claude`, `.mcp.json`, …).
    pub hooks: Vec<String>,
    /// Checks that its build files suggest: name and argv.
    pub checks: BTreeMap<String, Vec<String>>,
    /// How long reading and checking took, in milliseconds.
    pub took_ms: u64,
}

/// What git says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The branch, if one is checked out.
    pub branch: Option<String>,
    /// The spec that the branch names (`003-…`), if there is one.
    pub branch_spec: Option<SpecId>,
    /// The commit, shortened.
    pub head: Option<String>,
    /// How many paths differ from it.
    pub dirty: u32,
    /// The name that git would sign with.
    pub user: Option<String>,
}

/// What is known of one spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpecOverview {
    /// The spec as it was read.
    pub spec: Arc<Spec>,
    /// What was counted.
    pub survey: Survey,
    /// What the rules found, gravest first.
    pub findings: Vec<Finding>,
    /// Verdicts in its folder, by stage.
    pub verdicts: BTreeMap<Stage, Recorded>,
    /// Whether a text is proposed for its document that waits for a person.
    #[serde(default)]
    pub is_proposed: bool,
    /// Whether its requirements are a template's placeholders: nobody has said yet what is wanted.
    #[serde(default)]
    pub is_blank: bool,
}

/// A verdict in a spec's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// How the stage ended.
    pub status: Status,
    /// Its exit code.
    pub exit: u8,
    /// Its hash.
    pub hash: Sha,
    /// Whether the next stage may follow it.
    #[serde(default)]
    pub is_advancing: bool,
    /// Whether the spec, its documents and, from implement on, the code are still what was judged.
    pub is_current: bool,
    /// Whether it is about commits that were made elsewhere.
    #[serde(default)]
    pub is_of_commits: bool,
    /// Stages before it that were left out, and why.
    #[serde(default)]
    pub skipped: Skipped,
}

impl Overview {
    /// Returns what is known of one spec.
    pub fn spec(&self, id: &SpecId) -> Option<&SpecOverview> {
        self.specs.iter().find(|found| &found.spec.id == id)
    }

    /// Returns the spec that the branch names.
    pub fn branch_spec(&self) -> Option<&SpecId> {
        self.git.as_ref().and_then(|git| git.branch_spec.as_ref())
    }
}
