//! What agents answer: one Rust type per stage, the only source of the schema in the prompt, the validator and the docs.
//!
//! It must not know how an answer travels, nor what it counts for: claims are derived in `claim::derive`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::hash::Sha;
use super::stage::Stage;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unusable {
    /// Which class.
    pub kind: UnusableKind,
    /// In words, with the path of the field.
    pub why: String,
}

/// Classes of unusable answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// Finds the artifact in an answer (see the product's extraction ladder) and validates it.
///
/// # Errors
/// [`Unusable`] says why there is none.
pub fn extract(expect: &Expect, text: &str) -> Result<Arc<str>, Unusable> {
    let _ = (expect, text);
    Err(Unusable { kind: UnusableKind::Empty, why: String::new() })
}
