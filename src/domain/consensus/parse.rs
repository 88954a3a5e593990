//! Reading a panel, and refusing one that cannot be decided, by agent and field.
//!
//! It must not know how the verdict is computed. Whatever [`parse_panel`] or [`Panel::check`] lets through can be
//! decided.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::canon::{Canon, OUTCOME};
use super::panel::{PANEL_SCHEMA, Panel};
use crate::domain::claim::{Assertion, Kind, Polarity, Severity, Value};
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;

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
    // A text that breaks off before a field has a name leaves a question mark in its place.
    let path = error.path().to_string();
    let path = path.trim_end_matches(['?', '.']).to_owned();
    let why = error.inner().to_string();
    let in_agent = path.strip_prefix("agents[").and_then(|rest| rest.split_once(']'));
    let Some((index, field)) = in_agent else {
        return PanelError::at(if path.is_empty() { "panel".to_owned() } else { path }, why);
    };
    let name = index.parse().ok().and_then(|index| name_of(text, index));
    let field = field.trim_start_matches('.');
    match name {
        Some(name) if !field.is_empty() => PanelError::Malformed { agent: Some(name), field: field.to_owned(), why },
        name => PanelError::Malformed { agent: name, field: path, why },
    }
}

/// Returns the name of the agent at a place, cut to [`NAME_SHOWN`] characters, from a text that may break off or go wrong
/// behind it. Nothing else of the text is kept: it may be large.
fn name_of(text: &str, index: usize) -> Option<String> {
    let mut found = None;
    let search = Search { at: Place::Panel, index, found: &mut found };
    // What is wrong with the text is told already.
    let _ = search.deserialize(&mut serde_json::Deserializer::from_str(text));
    found.map(|name| name.chars().take(NAME_SHOWN).collect::<String>()).filter(|name| !name.is_empty())
}

/// Longest name of an agent that an error repeats, in characters.
const NAME_SHOWN: usize = 80;

/// Looks for the name of one agent.
struct Search<'f> {
    at: Place,
    index: usize,
    found: &'f mut Option<String>,
}

/// What a [`Search`] stands in.
#[derive(Clone, Copy)]
enum Place {
    Panel,
    Agents,
    Agent,
}

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        match self.at {
            Place::Panel | Place::Agent => json.deserialize_map(self),
            Place::Agents => json.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a panel")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match (self.at, key.as_str()) {
                (Place::Panel, "agents") => {
                    let agents = Search { at: Place::Agents, index: self.index, found: &mut *self.found };
                    map.next_value_seed(agents)?;
                }
                (Place::Agent, "name") => *self.found = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut agents: A) -> Result<(), A::Error> {
        for _ in 0..self.index {
            agents.next_element::<IgnoredAny>()?;
        }
        agents.next_element_seed(Search { at: Place::Agent, index: self.index, found: self.found })?;
        while agents.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

impl Panel {
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
        for (i, split) in self.splits.iter().enumerate() {
            if split.pair.0 == split.pair.1 {
                return Err(PanelError::at(format!("splits[{i}].pair"), "a text is always the same as itself"));
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
