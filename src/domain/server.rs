//! MCP servers as the brain sees them: their states, the restart schedule, when one is left alone and when it is asked
//! whether it lives.
//!
//! It must not know rmcp or processes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::moment::Moment;
use super::safe::Safe;

/// What a server is reached with. Nothing in it comes from an agent or a spec.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerSpec {
    /// Its name in the config.
    pub name: String,
    /// Where it is.
    pub reach: Reach,
    /// The folder that it is told about when it asks for roots, absolute.
    pub root: String,
    /// Longest time from its start until it has told its tools, in milliseconds.
    pub startup_ms: u64,
    /// Longest single try of a call, in milliseconds; the caller's patience covers all tries and the cold start.
    pub tool_ms: u64,
}

/// Where a server is.
#[derive(Clone, PartialEq, Eq)]
pub enum Reach {
    /// A child of ours that speaks over its standard streams.
    Process(Program),
    /// Somewhere else, over streamable HTTP.
    Http(Endpoint),
}

/// What a child is started with.
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables set for it, on top of the few that every child sees.
    pub env: BTreeMap<String, String>,
    /// Working directory, absolute.
    pub cwd: String,
}

/// What a server over HTTP is asked with. It holds secrets: it is neither shown nor written.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub url: String,
    /// The token that it wants to see, and where it is from.
    pub token: Option<Token>,
    /// Headers sent with every request.
    pub headers: BTreeMap<String, String>,
    /// Variables of ours that a header is to be taken from and that are not set.
    pub unset: Vec<String>,
}

/// A bearer token from a variable of ours.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The variable's name.
    pub variable: String,
    /// Its value, if it is set.
    pub value: Option<String>,
}

impl Endpoint {
    /// Says which variable is missing, if one is: then asking is of no use.
    pub fn lacks(&self) -> Option<String> {
        let token = self.token.as_ref().filter(|token| token.value.is_none()).map(|token| token.variable.as_str());
        let variable = token.or(self.unset.first().map(String::as_str))?;
        Some(format!("the variable {variable} is not set"))
    }
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
    /// Its own name and version.
    pub identity: Option<Safe>,
    /// The protocol version agreed on.
    pub protocol: Option<String>,
    /// Names of the tools it offers.
    pub tools: Vec<String>,
    /// Calls answered so far.
    pub calls: u64,
    /// Calls asked again so far.
    pub retries: u64,
    /// Calls under way, the oldest first.
    pub running: Vec<Running>,
    /// How far the one is that told its progress last.
    pub progress: Option<Safe>,
    /// Median and 99th percentile of call durations, in microseconds.
    pub latency_us: Option<(u64, u64)>,
    /// Restarts so far.
    pub restarts: u32,
    /// The last line it wrote to stderr or logged.
    pub last_line: Option<Safe>,
    /// The latest such lines that are not blank, at most [`TAIL`].
    pub tail: Vec<Safe>,
}

/// Lines of a server's words that are told with its status: what fits below its other details on a small screen.
pub const TAIL: usize = 6;

/// A call under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The tool.
    pub tool: String,
    /// Since when.
    pub since: Moment,
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

/// Calls in a row without an answer after which a server is left alone for a while.
const FAILURES_MAX: u32 = 3;

/// How long a server is left alone at first, in milliseconds; each failure more doubles it.
const PAUSE_MS: u64 = 2_000;

/// The longest that a server is left alone, in milliseconds.
const PAUSE_MAX_MS: u64 = 30_000;

/// A caller who leaves before this says nothing about the server, in milliseconds.
const FAIR_MS: u64 = 1_000;

/// What to do with a call to a connected server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Ask.
    Ask,
    /// Ask as the only one: its answer decides about the others.
    Probe,
    /// Answer at once that it is not asked, for so many milliseconds more.
    Refuse {
        /// How long.
        for_ms: u64,
    },
}

/// Tells whether a call that was not answered in `waited_ms` counts against a server whose calls may take `tool_ms`.
pub fn counts_as_failure(waited_ms: u64, tool_ms: u64) -> bool {
    waited_ms >= tool_ms.min(FAIR_MS)
}

/// Decides about a call to a connected server of which the last `failures` calls were not answered, the last of them
/// `since_ms` milliseconds ago; `probing` tells whether another call is the probe already.
pub fn admission(failures: u32, since_ms: u64, probing: bool) -> Admission {
    let Some(over) = failures.checked_sub(FAILURES_MAX) else { return Admission::Ask };
    let pause = PAUSE_MS.saturating_mul(2_u64.saturating_pow(over)).min(PAUSE_MAX_MS);
    match pause.checked_sub(since_ms) {
        Some(for_ms @ 1..) => Admission::Refuse { for_ms },
        Some(0) | None if probing => Admission::Refuse { for_ms: PAUSE_MS },
        Some(0) | None => Admission::Probe,
    }
}

/// A server that answered its last call is asked whether it is alive when it was not used for so long, in
/// milliseconds; then never again until it is used: an idle server costs nothing.
const PING_AFTER_USE_MS: u64 = 30_000;

/// One that did not answer its last call is asked much sooner.
const PING_AFTER_FAILURE_MS: u64 = 2_000;

/// Returns how long after its last use a server is asked whether it is alive, in milliseconds.
pub fn ping_after_ms(failures: u32) -> u64 {
    if failures == 0 { PING_AFTER_USE_MS } else { PING_AFTER_FAILURE_MS }
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
    fn a_server_that_does_not_answer_is_left_alone_for_longer_each_time() {
        let table = [
            (0, 0, false, Admission::Ask),
            (2, 0, false, Admission::Ask),
            (3, 0, false, Admission::Refuse { for_ms: 2_000 }),
            (3, 1_999, false, Admission::Refuse { for_ms: 1 }),
            (3, 2_000, false, Admission::Probe),
            (3, 2_000, true, Admission::Refuse { for_ms: 2_000 }),
            (4, 2_000, false, Admission::Refuse { for_ms: 2_000 }),
            (4, 4_000, false, Admission::Probe),
            (7, 0, false, Admission::Refuse { for_ms: 30_000 }),
            (u32::MAX, 30_000, false, Admission::Probe),
        ];
        for (failures, since_ms, probing, wanted) in table {
            assert_eq!(admission(failures, since_ms, probing), wanted, "{failures} {since_ms} {probing}");
        }
    }

    #[test]
    fn an_impatient_caller_does_not_count_against_a_server() {
        assert!(!counts_as_failure(999, 5_000));
        assert!(counts_as_failure(1_000, 5_000));
        assert!(counts_as_failure(100, 100));
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let token = |value: Option<&str>| Some(Token { variable: "KEY".into(), value: value.map(str::to_owned) });
        let endpoint = |token, unset: &[&str]| Endpoint {
            url: "http://x".into(),
            token,
            headers: BTreeMap::new(),
            unset: unset.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(endpoint(token(None), &[]).lacks().as_deref(), Some("the variable KEY is not set"));
        assert_eq!(endpoint(token(Some("k")), &["H"]).lacks().as_deref(), Some("the variable H is not set"));
        assert_eq!(endpoint(token(Some("k")), &[]).lacks(), None);
        assert_eq!(endpoint(None, &[]).lacks(), None);
    }

    #[test]
    fn ten_seconds_of_health_start_the_count_anew() {
        assert_eq!(remedy(3, HEALTHY_MS), Remedy::Restart { attempt: 1, delay_ms: 250 });
    }
}
