//! What agents answer: one Rust type per stage, the only source of the schema in the prompt, the validator and the docs.
//!
//! It must not know how an answer travels, nor what it counts for: claims are derived in `claim::derive`.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::hash::Sha;
use super::safe::Safe;
use super::stage::Stage;

pub mod body;
mod candidates;
mod schema;

pub use body::{Artifact, Body};
pub use candidates::sent_objects;
pub(in crate::domain) use schema::schema_of;
pub use schema::{answer_schema, markdown};

use body::Common;

/// Longest reason for an unusable answer, in characters: it is shown on one screen line and sent to the agent.
const WHY_MAX: usize = 600;

/// What a valid answer looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// The stage asked about.
    pub stage: Stage,
    /// The topics of the agenda; each is answered or abstained from.
    pub topics: Vec<String>,
    /// Hashes (of canonical JSON) of schemas and examples that we sent: an equal answer is an echo.
    pub sent: Vec<Sha>,
}

/// Why a text holds no usable artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{why}")]
pub struct Unusable {
    /// Which class.
    pub kind: UnusableKind,
    /// In words, with the path of the field.
    pub why: String,
}

/// Classes of unusable answers, the ones that say least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnusableKind {
    /// Nothing was written.
    Empty,
    /// No JSON object in it.
    Syntax,
    /// JSON, but not what the stage asks for (a missing field, a wrong type, an unanswered topic).
    Schema,
    /// It gave back what we sent.
    Echo,
}

impl Unusable {
    pub(in crate::domain) fn new(kind: UnusableKind, why: impl AsRef<str>) -> Self {
        Self { kind, why: Safe::line(why.as_ref()).as_str().chars().take(WHY_MAX).collect() }
    }
}

/// Finds the artifact in an answer and validates it: the whole text, else the last fenced JSON, else the last balanced
/// object that validates; never one equal to something that we sent. Takes time linear in the text, whatever it holds.
/// The artifact comes back as it was written, unknown fields included.
///
/// # Errors
/// [`Unusable`] says why there is none. Of several reasons it is the one for the object that came closest.
pub fn extract(expect: &Expect, text: &str) -> Result<Arc<str>, Unusable> {
    find(candidates::ARTIFACT, &expect.sent, text, |json| validate(expect, json).map(drop))
}

/// Finds the object of a schema in an answer, as [`extract`] does. `check` says why a candidate is not it.
pub(in crate::domain) fn find(
    schema: &str,
    sent: &[Sha],
    text: &str,
    check: impl Fn(&str) -> Result<(), Unusable>,
) -> Result<Arc<str>, Unusable> {
    let clean = candidates::strip_controls(text);
    let clean = clean.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if clean.is_empty() {
        return Err(Unusable::new(UnusableKind::Empty, "the answer is empty"));
    }
    let mut closest: Option<(Closeness, Unusable)> = None;
    for candidate in candidates::ladder(clean, schema) {
        let (closeness, unusable) = match weigh(schema, sent, candidate, &check) {
            Ok(()) => return Ok(Arc::from(candidate)),
            Err(reason) => reason,
        };
        if closest.as_ref().is_none_or(|(best, _)| closeness > *best) {
            closest = Some((closeness, unusable));
        }
    }
    Err(closest.map_or_else(
        || Unusable::new(UnusableKind::Syntax, "the answer holds no complete JSON object"),
        |(_, unusable)| unusable,
    ))
}

/// How near a candidate came to being the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Closeness {
    NotJson,
    OtherObject,
    Sent,
    CallsItselfSo,
}

fn weigh(
    schema: &str,
    sent: &[Sha],
    candidate: &str,
    check: impl Fn(&str) -> Result<(), Unusable>,
) -> Result<(), (Closeness, Unusable)> {
    let value: serde_json::Value = serde_json::from_str(candidate)
        .map_err(|e| (Closeness::NotJson, Unusable::new(UnusableKind::Syntax, format!("not JSON: {e}"))))?;
    // What cannot be written canonically holds a float, and nothing that we send does.
    let is_sent = super::hash::canonical(&value).is_ok_and(|text| sent.contains(&Sha::of(text)));
    if is_sent {
        return Err((
            Closeness::Sent,
            Unusable::new(UnusableKind::Echo, "the answer gives back what was sent in the prompt"),
        ));
    }
    let named = value.get("schema").and_then(serde_json::Value::as_str) == Some(schema);
    let closeness = if named { Closeness::CallsItselfSo } else { Closeness::OtherObject };
    check(candidate).map_err(|unusable| (closeness, unusable))
}

/// Reads an artifact and checks that it answers the agenda: each topic once, with a value or an abstention, and no
/// topic that was not asked.
///
/// # Errors
/// [`Unusable`] with the path of the field, or the topics that are not answered.
pub fn validate(expect: &Expect, json: &str) -> Result<Artifact, Unusable> {
    let artifact = parse(expect.stage, json)?;
    let schema = |why: String| Unusable::new(UnusableKind::Schema, why);
    let asked: BTreeSet<&str> = expect.topics.iter().map(String::as_str).collect();
    let mut answered = BTreeSet::new();
    for (i, answer) in artifact.answers.iter().enumerate() {
        let topic = answer.topic.as_str();
        if !asked.contains(topic) {
            return Err(schema(format!("answers[{i}].topic: the agenda has no topic {topic:?}")));
        }
        if !answered.insert(topic) {
            return Err(schema(format!("answers[{i}].topic: {topic} is answered twice")));
        }
        let has_value = answer.value.as_ref().is_some_and(|value| !value.0.trim().is_empty());
        match (has_value, answer.abstain) {
            (true, false) | (false, true) => {}
            (true, true) => return Err(schema(format!("answers[{i}]: {topic} has a value and abstains"))),
            (false, false) => {
                return Err(schema(format!("answers[{i}]: {topic} needs a value or \"abstain\": true")));
            }
        }
    }
    let open: Vec<&str> = expect.topics.iter().map(String::as_str).filter(|t| !answered.contains(t)).collect();
    if !open.is_empty() {
        return Err(schema(format!("answers: not answered: {}", open.join(", "))));
    }
    Ok(artifact)
}

/// Reads an artifact of a stage, without looking at the agenda. Unknown fields are ignored, missing lists are empty.
///
/// # Errors
/// [`Unusable`] of kind syntax or schema, with the path of the field.
pub fn parse(stage: Stage, json: &str) -> Result<Artifact, Unusable> {
    // Typed reading skips what it does not know without looking into it: a broken escape there would be found only by
    // whoever reads the kept file.
    let _: serde_json::Value = read(json)?;
    let common: Common = read(json)?;
    if common.stage != stage {
        return Err(Unusable::new(
            UnusableKind::Schema,
            format!("stage: this is an answer for {}, {stage} was asked", common.stage),
        ));
    }
    let body = match stage {
        Stage::Specify => Body::Specify(read(json)?),
        Stage::Plan => Body::Plan(read(json)?),
        Stage::Tasks => Body::Tasks(read(json)?),
        Stage::Implement => Body::Implement(read(json)?),
        Stage::Validate => Body::Validate(read(json)?),
        Stage::Audit => Body::Audit(read(json)?),
        Stage::Unlock => Body::Unlock(read(json)?),
    };
    Ok(Artifact { summary: common.summary, answers: common.answers, claims: common.claims, body })
}

/// Reads a type, with the path of the field that does not fit.
pub(in crate::domain) fn read<T: DeserializeOwned>(json: &str) -> Result<T, Unusable> {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = serde_path_to_error::deserialize(&mut deserializer).map_err(|e| {
        let kind = if e.inner().is_data() { UnusableKind::Schema } else { UnusableKind::Syntax };
        let path = e.path().to_string();
        let place = if path == "." { String::new() } else { format!("{path}: ") };
        Unusable::new(kind, format!("{place}{}", e.inner()))
    })?;
    deserializer.end().map_err(|e| Unusable::new(UnusableKind::Syntax, e.to_string()))?;
    Ok(read)
}

#[cfg(test)]
mod tests;
