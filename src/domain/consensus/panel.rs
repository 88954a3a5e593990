//! The panel: everything a verdict is computed from, as typed parts and as the file `dicast.panel/1`.
//!
//! It must not know how the verdict is computed. Whatever [`parse_panel`] or [`Panel::check`] lets through can be
//! decided.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use super::canon::{Canon, OUTCOME};
use super::policy::Policy;
use crate::domain::claim::{Assertion, Kind, Polarity, Severity, Value};
use crate::domain::failure::Failure;
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
    /// The digest of its assertions at that time ([`super::digest`]); a new assertion reopens it.
    pub digest: Sha,
    /// Who signed.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The side they chose, where the claim is a conflict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<Choice>,
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

/// Why a panel cannot be decided, or a claim of it not be explained.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PanelError {
    /// The panel is malformed (exit 3).
    #[error("{}{field}: {why}", .agent.as_ref().map(|a| format!("agent {a}: ")).unwrap_or_default())]
    Malformed {
        /// Whose part it is in, if it is in an agent's.
        agent: Option<String>,
        /// Which field, for example `claims[2].tier`.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// No claim, or more than one, answers to that name (exit 64).
    #[error("no claim, or more than one, is called {0:?}")]
    NoSuchClaim(String),
}

impl PanelError {
    fn at(field: impl Into<String>, why: impl Into<String>) -> Self {
        PanelError::Malformed { agent: None, field: field.into(), why: why.into() }
    }

    fn of(agent: &AgentName, field: impl Into<String>, why: impl Into<String>) -> Self {
        PanelError::Malformed { agent: Some(agent.to_string()), field: field.into(), why: why.into() }
    }
}

impl From<PanelError> for Failure {
    fn from(error: PanelError) -> Failure {
        let (exit, next) = match &error {
            PanelError::Malformed { .. } => (3, "correct that field; docs/verdicts.md describes the panel"),
            PanelError::NoSuchClaim(_) => (64, "give a key of the verdict, enough of its start, or \"kind subject\""),
        };
        Failure::BadInput { place: "panel".into(), why: error.to_string(), next: next.into(), exit }
    }
}

/// Reads a panel and checks everything that types cannot.
///
/// # Errors
/// [`PanelError::Malformed`] names the agent and the field.
pub fn parse_panel(text: &str) -> Result<Panel, PanelError> {
    let panel: Panel = match serde_json::from_str(text) {
        Ok(panel) => panel,
        // Only a bad panel pays for knowing where it is bad.
        Err(_) => {
            let mut json = serde_json::Deserializer::from_str(text);
            match serde_path_to_error::deserialize::<_, Panel>(&mut json) {
                Ok(_) => return Err(PanelError::at("panel", "there is something behind the JSON object")),
                Err(error) => return Err(located(text, &error)),
            }
        }
    };
    panel.check()?;
    Ok(panel)
}

/// Turns a path like `agents[1].claims[2].tier` into the agent's name and the field behind it.
fn located(text: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> PanelError {
    let path = error.path().to_string();
    let why = error.inner().to_string();
    let in_agent = path.strip_prefix("agents[").and_then(|rest| rest.split_once(']'));
    let Some((index, field)) = in_agent else {
        return PanelError::at(if path == "." { "panel".to_owned() } else { path }, why);
    };
    let name = index.parse::<usize>().ok().and_then(|i| {
        let loose: serde_json::Value = serde_json::from_str(text).ok()?;
        let name: String = loose.get("agents")?.get(i)?.get("name")?.as_str()?.chars().take(80).collect();
        Some(name).filter(|name| !name.is_empty())
    });
    let field = field.trim_start_matches('.');
    match name {
        Some(name) if !field.is_empty() => PanelError::Malformed { agent: Some(name), field: field.to_owned(), why },
        name => PanelError::Malformed { agent: name, field: path, why },
    }
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
            waivers: Vec::new(),
            rejected: Vec::new(),
            candidates: Vec::new(),
        }
    }

    /// Returns the canon that knows this panel's requirement ids.
    pub fn canon(&self) -> Canon {
        Canon::of(self.requirements.iter().map(|r| r.id.as_str()))
    }

    /// Checks everything that types cannot: names that occur twice, empty texts, outcomes that are none.
    ///
    /// # Errors
    /// [`PanelError::Malformed`] names the agent and the field.
    pub fn check(&self) -> Result<(), PanelError> {
        if self.schema != PANEL_SCHEMA {
            return Err(PanelError::at("schema", format!("it must be {PANEL_SCHEMA:?}")));
        }
        let canon = self.canon();
        let mut ids = BTreeSet::new();
        for (i, requirement) in self.requirements.iter().enumerate() {
            let id = canon.requirement(&requirement.id);
            if id.is_empty() {
                return Err(PanelError::at(format!("requirements[{i}].id"), "it is empty"));
            }
            if !ids.insert(id) {
                return Err(PanelError::at(format!("requirements[{i}].id"), "it is listed twice"));
            }
        }
        let mut names = BTreeSet::new();
        for agent in &self.agents {
            if !names.insert(&agent.name) {
                return Err(PanelError::of(&agent.name, "name", "two agents have this name"));
            }
            for (i, assertion) in agent.claims.iter().enumerate() {
                self.check_assertion(&canon, assertion)
                    .map_err(|(field, why)| PanelError::of(&agent.name, format!("claims[{i}].{field}"), why))?;
            }
        }
        self.check_choices(&canon)?;
        self.check_candidates()
    }

    fn check_assertion(&self, canon: &Canon, a: &Assertion) -> Result<(), (&'static str, String)> {
        let (subject, _) = canon.subject(a.kind, &a.subject);
        let predicate = canon.predicate(&a.predicate);
        for (field, text) in [("subject", &subject), ("predicate", &predicate)] {
            if text.is_empty() {
                return Err((field, "it is empty".into()));
            }
        }
        if !is_outcome(a.kind, &subject, &predicate) {
            return Ok(());
        }
        if !self.stage.has_outcome() {
            return Err(("predicate", format!("stage {} has no outcome", self.stage)));
        }
        if a.polarity != Polarity::Yes {
            return Err(("polarity", "an outcome is said with polarity 1".into()));
        }
        if a.severity < Severity::Minor {
            return Err(("severity", "an outcome is at least minor".into()));
        }
        if Outcome::of(&a.value).is_none() {
            return Err(("value", format!("an outcome is one of {}", Outcome::NAMES.join(", "))));
        }
        Ok(())
    }

    fn check_choices(&self, canon: &Canon) -> Result<(), PanelError> {
        let outcome = canon.key(Kind::Decision, OUTCOME.0, OUTCOME.1);
        for (i, waiver) in self.waivers.iter().enumerate() {
            let Some(choice) = waiver.choice.as_ref().filter(|_| waiver.claim == outcome) else { continue };
            if choice.polarity != Polarity::Yes || Outcome::of(&choice.value).is_none() {
                let names = Outcome::NAMES.join(", ");
                let why = format!("an outcome is one of {names}, with polarity 1");
                return Err(PanelError::at(format!("waivers[{i}].choice"), why));
            }
        }
        Ok(())
    }

    fn check_candidates(&self) -> Result<(), PanelError> {
        for (i, candidate) in self.candidates.iter().enumerate() {
            if !self.agents.iter().any(|a| a.voter && a.family == candidate.family) {
                let why = format!("no voter is of family {}", candidate.family);
                return Err(PanelError::at(format!("candidates[{i}].family"), why));
            }
        }
        Ok(())
    }
}

/// Tells whether a canonical key is that of the stage's outcome.
pub(super) fn is_outcome(kind: Kind, subject: &str, predicate: &str) -> bool {
    kind == Kind::Decision && (subject, predicate) == OUTCOME
}

/// What an outcome's value means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// PASS, GO, APPROVED.
    Pass,
    /// FAIL, NO-GO, REJECTED.
    Fail,
    /// PARTIAL, CONDITIONAL: pass if every condition is accepted.
    IfAccepted,
}

impl Outcome {
    const NAMES: [&'static str; 8] = ["PASS", "GO", "APPROVED", "FAIL", "NO-GO", "REJECTED", "PARTIAL", "CONDITIONAL"];

    /// Returns what a value means, or none if it is no outcome.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value.as_text()?.trim() {
            "PASS" | "GO" | "APPROVED" => Some(Outcome::Pass),
            "FAIL" | "NO-GO" | "REJECTED" => Some(Outcome::Fail),
            "PARTIAL" | "CONDITIONAL" => Some(Outcome::IfAccepted),
            _ => None,
        }
    }
}
