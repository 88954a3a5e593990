//! The answer where a spec is drafted or revised. It must not know the stages.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use super::shared::{Cite, Remark};

/// The answer where a spec is drafted or revised: only what it should say otherwise. What is not named stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Specify {
    /// Requirements that the spec should have, say otherwise, or do without.
    #[serde(default, deserialize_with = "objects")]
    pub requirements: Vec<Demand>,
    /// User stories that it lacks, the most important first.
    #[serde(default)]
    pub stories: Vec<UserStory>,
    /// Edge cases that it does not speak of, one sentence each.
    #[serde(default)]
    pub edge_cases: Vec<String>,
    /// Outcomes that can be measured without knowing how it is built, one sentence each.
    #[serde(default)]
    pub success_criteria: Vec<String>,
    /// What you take for granted because nothing says otherwise, one sentence each.
    #[serde(default)]
    pub assumptions: Vec<String>,
    /// What only a person can answer, and the agenda does not ask.
    #[serde(default)]
    pub questions: Vec<Remark>,
}

/// One requirement: a new one, or another wording of one that is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Demand {
    /// The id of the requirement that should say this instead; left out for a new one, which gets its id from the host.
    #[serde(default)]
    pub requirement: Option<String>,
    /// One sentence with MUST, SHOULD or MAY that a test could refute. Empty only where `withdraw` is true.
    #[serde(default)]
    pub text: String,
    /// True if the requirement should go without another in its place.
    #[serde(default)]
    pub withdraw: bool,
    /// Why, in one or two sentences.
    #[serde(default)]
    pub because: String,
    /// What shows the need: a place in the code, or a requirement of the spec that it follows from.
    #[serde(default)]
    pub evidence: Vec<Cite>,
}

/// A user story in the form of github/spec-kit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserStory {
    /// A few words.
    pub title: String,
    /// Who wants what, and what for.
    #[serde(default)]
    pub story: String,
    /// How it is tested by itself.
    #[serde(default)]
    pub independent_test: String,
    /// Acceptance scenarios: `Given …, When …, Then …`, one sentence each.
    #[serde(default)]
    pub scenarios: Vec<String>,
}

/// Reads demands that are objects: where every field may be left out, an empty list would be taken for one, too.
fn objects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Demand>, D::Error> {
    let written: Vec<Map<String, Value>> = Deserialize::deserialize(deserializer)?;
    written.into_iter().map(|fields| Demand::deserialize(Value::Object(fields)).map_err(de::Error::custom)).collect()
}
