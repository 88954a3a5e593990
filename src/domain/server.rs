//! MCP servers as the brain sees them: their states and the restart schedule.
//!
//! It must not know rmcp or processes.

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use super::safe::Safe;

/// What is known of one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its name in the config.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Since when it is in that state.
    pub since: Moment,
    /// The protocol version agreed on.
    pub protocol: Option<String>,
    /// Names of the tools it offers.
    pub tools: Vec<String>,
    /// Calls answered so far.
    pub calls: u64,
    /// Median and 99th percentile of call durations, in microseconds.
    pub latency_us: Option<(u64, u64)>,
    /// Restarts so far.
    pub restarts: u32,
    /// The last line it wrote to stderr.
    pub last_line: Option<Safe>,
}

/// States of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Started, handshake not done.
    Starting,
    /// Answers.
    Ready,
    /// Answers, but late or with errors.
    Degraded {
        /// Why.
        why: String,
    },
    /// Gone; the next start is scheduled.
    Lost {
        /// How many restarts were tried in a row.
        attempt: u32,
        /// When the next start is due.
        retry_at: Moment,
        /// Why it went.
        why: String,
    },
    /// Gone for good, until somebody restarts it.
    Dead {
        /// Why.
        why: String,
    },
}
