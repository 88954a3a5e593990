//! What the server says for a model, as a script tells it.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Deserialize;
use serde_json::Value;

/// One script.
pub(crate) struct Script(BTreeMap<String, Reply>);

/// What a model says to every request.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Reply {
    /// Its text. `{answer}` in it becomes a plain valid answer to what the prompt asks, `{prompt}` the prompt.
    pub(crate) text: String,
    /// What it gives through the API's structured output where that was asked for; true: a plain valid answer.
    pub(crate) structured: Option<Value>,
    /// Tools that it calls first, one request each, whether or not they were offered.
    pub(crate) tools: Vec<Call>,
    /// In how many pieces the text is streamed.
    pub(crate) pieces: usize,
    /// Milliseconds before the first piece.
    pub(crate) first_delay_ms: u64,
    /// Milliseconds after each piece.
    pub(crate) delay_ms: u64,
    /// What it says it used.
    pub(crate) usage: Usage,
    /// How it misbehaves instead.
    pub(crate) fault: Option<Fault>,
    /// How many requests meet the fault; 0: all.
    pub(crate) first: u32,
    #[serde(skip)]
    met: AtomicU32,
}

/// A call of a tool.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// The tool.
    pub(crate) name: String,
    /// What it is given.
    pub(crate) input: Value,
}

/// Tokens.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Usage {
    /// Of the prompt.
    pub(crate) input: u64,
    /// Of those, read from a cache.
    pub(crate) cached: u64,
    /// Of the answer.
    pub(crate) output: u64,
}

impl Default for Usage {
    fn default() -> Self {
        Self { input: 120, cached: 20, output: 34 }
    }
}

/// A fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Fault {
    /// An HTTP status with the API's own error body.
    Status {
        /// The status.
        status: u16,
        /// Seconds of a Retry-After header.
        #[serde(default)]
        retry_after: Option<u64>,
        /// What the error says.
        #[serde(default)]
        message: Option<String>,
    },
    /// Closes the connection without a word.
    Disconnect,
    /// Closes it in the middle of the answer.
    DisconnectMid,
    /// Says nothing and keeps the connection.
    Hang,
    /// Stops in the middle and keeps the connection.
    HangMid,
    /// Sends what no client understands.
    Garbage,
}

impl Script {
    /// Reads a script.
    pub(crate) fn read(text: &str) -> io::Result<Self> {
        serde_json::from_str(text).map(Self).map_err(io::Error::other)
    }

    /// Returns what a model says.
    pub(crate) fn reply(&self, model: &str) -> Option<&Reply> {
        self.0.get(model).or_else(|| self.0.get("*"))
    }
}

impl Reply {
    /// Tells whether this request meets the fault; counts it.
    pub(crate) fn is_faulty_now(&self) -> bool {
        let before = self.met.fetch_add(1, Ordering::Relaxed);
        self.first == 0 || before < self.first
    }
}
