//! What an agent answers in the round: one Rust type, the only source of the schema in the prompt, the validator and
//! the docs.
//!
//! It must not know the ballot: a vote on what was not asked is found when the votes are applied.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::domain::artifact::body::Cite;
use crate::domain::artifact::{self, Unusable};
use crate::domain::hash::Sha;

/// The format of what a round asks and what answers it.
pub const ROUND_SCHEMA: &str = "dicast.round/1";

/// What a valid answer looks like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// Hashes (of canonical JSON) of what we sent: an equal answer is an echo.
    pub sent: Vec<Sha>,
}

/// One agent's answer in the round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// Names this format.
    pub schema: SchemaName,
    /// At most one vote for each item; an item without one is abstained from.
    #[serde(default)]
    pub votes: Vec<Vote>,
}

/// Names the format of an answer in the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SchemaName {
    /// The first version.
    #[serde(rename = "dicast.round/1")]
    Round1,
}

/// A vote on one item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Vote {
    /// The item's number.
    pub n: u32,
    /// The vote.
    pub vote: Word,
    /// With agree or disagree: the number of the side that you hold to be right, needed where there is more than one.
    /// With same_as: the number of the other item.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub other: Option<u32>,
    /// Why, in one or two sentences.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
    /// What shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Cite>,
}

/// What can be voted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The side is right. Whoever held another side holds this one from now on.
    Agree,
    /// The only side is wrong; or, with `as`, that other side is right.
    Disagree,
    /// The item says the same as another one in other words. It counts once a family of each says so.
    SameAs,
    /// You cannot tell.
    Abstain,
    /// You stand by your own losing side.
    Keep,
    /// You take your own losing side back.
    Withdraw,
}

impl Word {
    /// Returns the word in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Word::Agree => "agree",
            Word::Disagree => "disagree",
            Word::SameAs => "same_as",
            Word::Abstain => "abstain",
            Word::Keep => "keep",
            Word::Withdraw => "withdraw",
        }
    }
}

/// Returns the JSON Schema (draft 2020-12) of an answer to a ballot of so many items.
pub fn answer_schema(items: usize) -> Value {
    let mut schema = schema();
    if let Some(n) = schema.pointer_mut("/$defs/Vote/properties/n") {
        n["minimum"] = json!(1);
        n["maximum"] = json!(items);
    }
    schema
}

/// Returns the JSON Schema of an answer to any ballot.
pub(in crate::domain) fn schema() -> Value {
    let mut schema = artifact::schema_of::<Answer>();
    schema["properties"]["schema"] = json!({"const": ROUND_SCHEMA});
    if let Some(definitions) = schema["$defs"].as_object_mut() {
        definitions.remove("SchemaName");
    }
    schema
}

/// Finds the votes in an answer: the whole text, else the last fenced JSON, else the last balanced object that
/// validates; never one equal to something that we sent.
///
/// # Errors
/// [`Unusable`] says why there are none.
pub fn extract(expect: &Expect, text: &str) -> Result<Arc<str>, Unusable> {
    artifact::find(ROUND_SCHEMA, &expect.sent, text, |json| parse(json).map(drop))
}

/// Reads an answer. Unknown fields are ignored, a missing list is empty.
///
/// # Errors
/// [`Unusable`] of kind syntax or schema, with the item and the field.
pub fn parse(json: &str) -> Result<Answer, Unusable> {
    artifact::read(json).map_err(|unusable| {
        let item = || {
            let at: usize = unusable.why.strip_prefix("votes[")?.split(']').next()?.parse().ok()?;
            let answer: Value = serde_json::from_str(json).ok()?;
            answer["votes"][at]["n"].as_u64()
        };
        match item() {
            Some(n) => Unusable::new(unusable.kind, format!("item {n}: {}", unusable.why)),
            None => unusable,
        }
    })
}
