//! What the host looks up, and what it finds: the only source of evidence tiers.
//!
//! It must not look anything up itself: the repo actor does, and hands [`Lookups`] in.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::hash::Sha;

/// A place or a test that an assertion names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "cite", rename_all = "snake_case")]
pub enum Citation {
    /// A file, maybe at a line (from 1).
    File {
        /// Relative to the repository.
        path: String,
        /// Line number, from 1.
        line: Option<u32>,
    },
    /// A change: in a file, maybe at a line (from 1, as it is after the change).
    Hunk {
        /// Relative to the repository.
        path: String,
        /// Line number, from 1.
        line: Option<u32>,
    },
    /// A symbol, maybe in a file.
    Symbol {
        /// Its name, maybe qualified (`RedisPool::get`).
        symbol: String,
        /// The file it is said to be in.
        path: Option<String>,
    },
    /// A test of a check.
    Test {
        /// The check's name in the config; `None` means any.
        check: Option<String>,
        /// The test's id.
        id: String,
    },
    /// A requirement of the spec. It shows only that the requirement exists.
    Requirement {
        /// Its id.
        id: String,
    },
}

impl fmt::Display for Citation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Citation::File { path, line: Some(line) } => write!(f, "{path}:{line}"),
            Citation::File { path, line: None } => f.write_str(path),
            Citation::Hunk { path, line: Some(line) } => write!(f, "change of {path}:{line}"),
            Citation::Hunk { path, line: None } => write!(f, "change of {path}"),
            Citation::Symbol { symbol, path: Some(path) } => write!(f, "{symbol} in {path}"),
            Citation::Symbol { symbol, path: None } => f.write_str(symbol),
            Citation::Test { check: Some(check), id } => write!(f, "test {id} ({check})"),
            Citation::Test { check: None, id } => write!(f, "test {id}"),
            Citation::Requirement { id } => write!(f, "spec {id}"),
        }
    }
}

/// Returns the host's word on what was looked up, if it was: said, seen, ran, false.
pub fn found_word(found: Option<&Found>) -> &'static str {
    match found {
        None => "said",
        Some(Found::Absent) => "not there yet",
        Some(Found::Seen { .. }) => "seen",
        Some(Found::Ran { passed: true, executed: 1.., .. }) => "ran",
        Some(Found::Ran { .. } | Found::False { .. }) => "false",
        Some(Found::Outside) => "outside",
    }
}

/// How the host saw what it saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Means {
    /// By the grammar of its language: comments and texts are no code.
    Parsed,
    /// By words and lines, where there is no grammar or the parser cannot tell.
    #[default]
    Text,
    /// As a line that the diff in question changed.
    Hunk,
}

impl Means {
    /// Returns the word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Means::Parsed => "parsed",
            Means::Text => "text",
            Means::Hunk => "hunk",
        }
    }
}

/// What looking something up showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Found {
    /// It is there.
    Seen {
        /// Hash of the file it is in, for places.
        sha256: Option<Sha>,
        /// Where, `path:line`.
        place: String,
        /// The line's text, cut to 200 characters.
        excerpt: String,
        /// How it was seen; `None` for files, requirements, and lines that did not change.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Means>,
    },
    /// It is not there, and nothing says it should be yet (a file to be created).
    Absent,
    /// It can be checked, and is not so: a line out of range, a symbol that is nowhere, a test that does not exist.
    False {
        /// In words.
        why: String,
    },
    /// It lies outside the repository.
    Outside,
    /// The host ran it.
    Ran {
        /// Whether it passed: exit 0 and at least one test of that id executed.
        passed: bool,
        /// How many tests of that id were executed; 0 makes the assertion false either way.
        executed: u32,
        /// The exit code, if it ended by itself.
        exit: Option<i32>,
        /// Hash of its output.
        output_sha256: Sha,
        /// The tests of that id that were executed, as the runner names them; at most [`TESTS_MAX`] of them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tests: Vec<String>,
        /// The first file that holds the test's source and whether the requirement ids in it.
        place: Option<String>,
    },
}

/// Most executed tests of one id whose names are kept: a table of cases may have thousands.
pub const TESTS_MAX: usize = 50;

/// Results by citation.
pub type Lookups = BTreeMap<Citation, Found>;

/// Writes [`Lookups`] as a list of pairs: the keys of a JSON object can only be texts.
pub mod as_pairs {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Citation, Found, Lookups};

    /// Writes the pairs, in the order of citations.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(lookups: &Arc<Lookups>, serializer: S) -> Result<S::Ok, S::Error> {
        lookups.iter().collect::<Vec<_>>().serialize(serializer)
    }

    /// Reads the pairs.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Lookups>, D::Error> {
        let pairs = Vec::<(Citation, Found)>::deserialize(deserializer)?;
        Ok(Arc::new(pairs.into_iter().collect()))
    }
}
