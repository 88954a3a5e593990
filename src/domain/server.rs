//! MCP servers as the brain sees them: their states and the restart schedule.
//!
//! It must not know rmcp or processes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use super::safe::Safe;

/// What a stdio server is started with. Nothing in it comes from an agent or a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// Its name in the config.
    pub name: String,
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables set for it, on top of the few that every child sees.
    pub env: BTreeMap<String, String>,
    /// Working directory, absolute.
    pub cwd: String,
    /// Longest time from its start until it has told its tools, in milliseconds.
    pub startup_ms: u64,
    /// Longest single try of a call, in milliseconds; the caller's patience covers all tries and the cold start.
    pub tool_ms: u64,
}

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

/// How long a server must have answered before its next death counts as the first one again, in milliseconds.
pub const HEALTHY_MS: u64 = 10_000;

/// Waits before the restarts in a row, in milliseconds. A crash is mended at once, a server that cannot start costs
/// three more tries and is then left alone, so that every later call is answered at once.
const RESTART_WAITS_MS: [u64; 3] = [250, 1_000, 4_000];

/// What to do about a server that went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Start it again.
    Restart {
        /// Which restart in a row this is, from 1.
        attempt: u32,
        /// After how long, in milliseconds.
        delay_ms: u64,
    },
    /// Leave it until somebody asks for a restart.
    GiveUp,
}

/// Decides about a server that went after `attempts` restarts in a row and had answered for `ready_ms` milliseconds
/// (0 if it never did).
pub fn remedy(attempts: u32, ready_ms: u64) -> Remedy {
    let before = if ready_ms >= HEALTHY_MS { 0 } else { attempts };
    let delay = usize::try_from(before).ok().and_then(|index| RESTART_WAITS_MS.get(index));
    match delay {
        Some(&delay_ms) => Remedy::Restart { attempt: before + 1, delay_ms },
        None => Remedy::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_come_later_each_time_and_end() {
        assert_eq!(remedy(0, 0), Remedy::Restart { attempt: 1, delay_ms: 250 });
        assert_eq!(remedy(1, 0), Remedy::Restart { attempt: 2, delay_ms: 1_000 });
        assert_eq!(remedy(2, 9_999), Remedy::Restart { attempt: 3, delay_ms: 4_000 });
        assert_eq!(remedy(3, 0), Remedy::GiveUp);
    }

    #[test]
    fn ten_seconds_of_health_start_the_count_anew() {
        assert_eq!(remedy(3, HEALTHY_MS), Remedy::Restart { attempt: 1, delay_ms: 250 });
    }
}
