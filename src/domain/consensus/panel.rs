//! The panel: everything a verdict is computed from, as typed parts and as the file `dicast.panel/1`.
//!
//! It must not know how the verdict is computed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use super::canon::Canon;
use super::policy::Policy;
use crate::domain::absent;
use crate::domain::claim::{Assertion, Polarity, Value};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, Family, SpecId};
use crate::domain::spec::Level;
use crate::domain::stage::Stage;

/// The panel's format.
pub const PANEL_SCHEMA: &str = "dicast.panel/1";

/// Everything a verdict is computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panel {
    /// Always [`PANEL_SCHEMA`].
    pub schema: String,
    /// Which spec.
    pub spec_id: SpecId,
    /// Which stage.
    pub stage: Stage,
    /// Version of the prompt templates, carried into the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_version: Option<String>,
    /// What was judged, carried into the verdict.
    #[serde(default)]
    pub inputs: Inputs,
    /// The spec's requirements.
    #[serde(default)]
    pub requirements: Vec<Requirement>,
    /// Who was asked, and what each said; the host among them with `voter: false`.
    pub agents: Vec<Participant>,
    /// The thresholds.
    #[serde(default)]
    pub policy: Policy,
    /// Texts of conditions that the ledger accepts.
    #[serde(default)]
    pub accepted_conditions: Vec<String>,
    /// Pairs of keys that the round found to mean the same.
    #[serde(default)]
    pub same_as: Vec<(Sha, Sha)>,
    /// Pairs of keys that a human says are not the same: they are never merged, whatever the words or the round say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub splits: Vec<Split>,
    /// What a human took responsibility for.
    #[serde(default)]
    pub waivers: Vec<Waiver>,
    /// Keys on which a human upheld the objection.
    #[serde(default)]
    pub rejected: Vec<Sha>,
    /// The implementations, at stage implement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<Candidate>,
}

/// What a verdict is about: hashes of everything that was judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inputs {
    /// The spec.
    pub spec_sha256: Option<Sha>,
    /// The git tree of the code.
    pub tree: Option<String>,
    /// The git commit.
    pub commit: Option<String>,
    /// The published documents, by path.
    #[serde(deserialize_with = "null_is_empty")]
    pub documents: BTreeMap<String, Sha>,
    /// The context files that every agent got, by path.
    #[serde(deserialize_with = "null_is_empty")]
    pub context: BTreeMap<String, Sha>,
    /// The part of the config that can change a verdict.
    pub config_sha256: Option<Sha>,
    /// The prompt templates and the agenda.
    pub prompts_sha256: Option<Sha>,
    /// The hashes of earlier stages' verdicts, by stage.
    #[serde(deserialize_with = "null_is_empty")]
    pub verdicts: BTreeMap<String, Sha>,
}

impl Inputs {
    /// Names what differs from an earlier state, files by their paths; nothing if they are the same.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let one = |is: bool, what: &str| is.then(|| what.to_owned());
        let files = |now: &BTreeMap<String, Sha>, was: &BTreeMap<String, Sha>| {
            // Who is not asked changes nothing of what the others were asked.
            let paths: BTreeSet<&String> = now.keys().chain(was.keys()).filter(|path| !absent::is_one(path)).collect();
            paths.into_iter().filter(|path| now.get(*path) != was.get(*path)).cloned().collect::<Vec<_>>()
        };
        let named =
            |what: &str, names: Vec<String>| (!names.is_empty()).then(|| format!("{what} ({})", names.join(", ")));
        let parts = [
            one(self.spec_sha256 != before.spec_sha256, "the spec"),
            named("documents", files(&self.documents, &before.documents)),
            named("context files", files(&self.context, &before.context)),
            one(self.config_sha256 != before.config_sha256, "the config"),
            one(self.tree != before.tree, "the code"),
            one(self.commit != before.commit, "the commit"),
            one(self.prompts_sha256 != before.prompts_sha256, "the prompts"),
            named("earlier verdicts", files(&self.verdicts, &before.verdicts)),
        ];
        parts.into_iter().flatten().collect()
    }
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Sha>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// One requirement of the spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Its id.
    pub id: String,
    /// How binding it is.
    pub level: Level,
}

/// How a participant's turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// With a valid artifact.
    Ok,
    /// A deadline passed.
    Timeout,
    /// Its API asked to slow down.
    RateLimited,
    /// It died.
    Crashed,
    /// Its answer held no valid artifact.
    Unparsed,
    /// It would not answer.
    Refused,
    /// It was stopped.
    Cancelled,
    /// It was not asked: the budget was spent.
    Budget,
    /// Nobody has its answer.
    Missing,
}

impl Answer {
    /// Returns the name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Answer::Ok => "ok",
            Answer::Timeout => "timeout",
            Answer::RateLimited => "rate_limited",
            Answer::Crashed => "crashed",
            Answer::Unparsed => "unparsed",
            Answer::Refused => "refused",
            Answer::Cancelled => "cancelled",
            Answer::Budget => "budget",
            Answer::Missing => "missing",
        }
    }

    /// Returns the words for it on screen.
    pub fn words(self) -> &'static str {
        match self {
            Answer::Ok => "answered",
            Answer::Timeout => "timed out",
            Answer::RateLimited => "was rate limited",
            Answer::Crashed => "crashed",
            Answer::Unparsed => "gave no usable answer",
            Answer::Refused => "refused",
            Answer::Cancelled => "was stopped",
            Answer::Budget => "was not asked (budget)",
            Answer::Missing => "is missing",
        }
    }
}

/// One participant and what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Its name in the config.
    pub name: AgentName,
    /// Its vendor or model line.
    pub family: Family,
    /// Whether it votes; the host does not.
    #[serde(default = "yes")]
    pub voter: bool,
    /// How its turn ended.
    pub status: Answer,
    /// Keys of its dissents that are still open from earlier stages.
    #[serde(default)]
    pub open_dissent: Vec<Sha>,
    /// Where its answer is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Kept>,
    /// What it asserts.
    #[serde(default)]
    pub claims: Vec<Assertion>,
}

fn yes() -> bool {
    true
}

impl Participant {
    /// Tells whether its words count.
    pub fn is_ok(&self) -> bool {
        self.status == Answer::Ok
    }
}

/// A kept file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its path, relative to the evidence root.
    pub path: String,
    /// Its hash.
    pub sha256: Sha,
}

/// What a human took responsibility for: a key as it stood when they signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// The claim's key.
    pub claim: Sha,
    /// The digest of its assertions at that time ([`super::digest()`]); a new assertion reopens it.
    pub digest: Sha,
    /// Who signed.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The side they chose, where the claim is a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
}

/// That two texts which merging takes for one are two, as a human decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Split {
    /// The keys of the two texts, in any order.
    pub pair: (Sha, Sha),
    /// Who said so.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// One side of a claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Choice {
    /// The value.
    pub value: Value,
    /// Whether it holds.
    pub polarity: Polarity,
}

/// One implementation, with what the host saw when it ran the tests on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Whose it is.
    pub family: Family,
    /// Its git tree.
    pub tree: String,
    /// Tests that passed.
    #[serde(default)]
    pub passed: BTreeSet<String>,
    /// Tests that failed.
    #[serde(default)]
    pub failed: BTreeSet<String>,
    /// How many lines it changes.
    #[serde(default)]
    pub changed_lines: u64,
    /// Whether it kept the existing tests green.
    pub survived: bool,
}

impl Panel {
    /// Makes an empty panel of a stage; parts are pushed to its fields.
    pub fn new(spec_id: SpecId, stage: Stage) -> Self {
        Panel {
            schema: PANEL_SCHEMA.to_owned(),
            spec_id,
            stage,
            prompt_version: None,
            inputs: Inputs::default(),
            requirements: Vec::new(),
            agents: Vec::new(),
            policy: Policy::default(),
            accepted_conditions: Vec::new(),
            same_as: Vec::new(),
            splits: Vec::new(),
            waivers: Vec::new(),
            rejected: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// Returns the canon that knows this panel's requirement ids.
    pub fn canon(&self) -> Canon {
        Canon::of(self.requirements.iter().map(|r| r.id.as_str()))
    }
}
