//! Everything that can go wrong, as one comparable type with a next step.
//!
//! It must not know foreign error types: actors map those at their seam and log the source chain. Messages are lower
//! case, without a full stop, and fit "could not …: {failure}".

use serde::{Deserialize, Serialize};
use std::fmt;

use super::budget::Refusal;
use super::ids::AgentName;
use super::moment::{Moment, clock};

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "failure", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// Somebody asked for it to stop. Not an error: drawn grey.
    #[error("stopped")]
    Cancelled,
    /// An actor's mailbox was full: our bug.
    #[error("the {actor} actor has no room for another request (this is a bug)")]
    Busy {
        /// The actor's module.
        actor: String,
    },
    /// An actor's job ended without an answer: our bug.
    #[error("the {actor} actor dropped a request (this is a bug)")]
    ActorGone {
        /// The actor's module.
        actor: String,
    },
    /// An agent did not answer as it should.
    #[error("{agent}: {error}")]
    Agent {
        /// Which agent.
        agent: AgentName,
        /// What happened.
        error: AgentError,
    },
    /// An MCP server did not do what was asked.
    #[error("MCP server {server}: {why}")]
    Server {
        /// Its name in the config.
        server: String,
        /// What happened.
        why: String,
    },
    /// A deadline of ours passed.
    #[error("{what} took longer than {}", clock(*.after_ms))]
    Timeout {
        /// What was waited for.
        what: String,
        /// The deadline, in milliseconds.
        after_ms: u64,
    },
    /// Somebody else holds the lock.
    #[error("{what} is held by {owner}")]
    LockHeld {
        /// What the lock guards.
        what: String,
        /// Who holds it.
        owner: LockOwner,
    },
    /// The disk refused.
    #[error("{what}: {why}")]
    Disk {
        /// What was being done to which file (relative path).
        what: String,
        /// Which class of error.
        kind: DiskError,
        /// The system's words.
        why: String,
    },
    /// A foreign part answered something that cannot be understood.
    #[error("{from} answered something unusable: {why}")]
    BadReply {
        /// Who answered.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something the user gave cannot be used.
    #[error("{place}: {why}")]
    BadInput {
        /// File and line, flag, or key.
        place: String,
        /// What is wrong.
        why: String,
        /// What to do about it.
        next: String,
        /// Which exit code it means (64 usage, 10 needs input, 11 needs trust, 3 infrastructure).
        exit: u8,
    },
}

/// Who holds a lock, as its note says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOwner {
    /// Process id, 0 if the note could not be read.
    pub pid: u32,
    /// Host name.
    pub host: String,
    /// Since when.
    pub since: Moment,
}

impl fmt::Display for LockOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("a process that left no note");
        }
        write!(f, "pid {} on {} since {}", self.pid, self.host, self.since.rfc3339())
    }
}

/// Classes of disk errors that need different next steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiskError {
    /// No space left.
    Full,
    /// Read-only filesystem or no permission.
    Denied,
    /// The file is not there.
    Missing,
    /// Anything else.
    Other,
}

/// Where transcripts lie, in the repository.
const TRANSCRIPTS: &str = ".dicast/transcripts";

/// What is said of an account that cannot pay: waiting does not help.
pub const BILLING: &str = "its account has no credit left";

/// How a turn of an agent can fail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentError {
    /// Its command is not on this machine.
    #[error("its command {command:?} was not found")]
    CommandNotFound {
        /// The first word of the command.
        command: String,
    },
    /// It is not signed in.
    #[error("not signed in: {why}")]
    Auth {
        /// Its words.
        why: String,
    },
    /// Its API asks to slow down.
    #[error("rate limited")]
    RateLimit {
        /// How long it asks us to wait, in milliseconds, if it said.
        retry_after_ms: Option<u64>,
    },
    /// Its API is overloaded.
    #[error("overloaded")]
    Overloaded,
    /// It cannot reach its API.
    #[error("network: {why}")]
    Network {
        /// Its words.
        why: String,
    },
    /// A deadline of ours passed.
    #[error("{} passed its {} limit", .which.what(), clock(*.after_ms))]
    Timeout {
        /// Which deadline.
        which: Deadline,
        /// How long it was, in milliseconds.
        after_ms: u64,
    },
    /// The prompt does not fit.
    #[error("the prompt does not fit its context")]
    ContextOverflow,
    /// It was not allowed to do what it wanted.
    #[error("permission: {why}")]
    Permission {
        /// What it wanted.
        why: String,
    },
    /// Its API does not take the request, or its model does not want to answer.
    #[error("refused: {why}")]
    Refused {
        /// Its words, and what to change.
        why: String,
    },
    /// It ended, and its answer holds no valid artifact.
    #[error("no usable answer: {why}")]
    NoArtifact {
        /// Syntax, schema, empty or echo, in words.
        why: String,
    },
    /// It broke the protocol.
    #[error("protocol: {why}")]
    Protocol {
        /// How.
        why: String,
    },
    /// It died.
    #[error("crashed ({how})")]
    Crashed {
        /// Exit code or signal, with the last line it wrote to stderr.
        how: String,
    },
    /// What it wrote took more room than it may.
    #[error("its worktree took more than {mb} MiB")]
    Overgrown {
        /// How much it may take, in MiB.
        mb: u64,
    },
    /// We stopped it.
    #[error("stopped")]
    Cancelled,
    /// The budget did not allow it.
    #[error("not asked: {why}")]
    Budget {
        /// Why.
        why: Refusal,
    },
}

/// Which of our deadlines passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deadline {
    /// From spawn to taking the prompt.
    Start,
    /// From the prompt to the first output.
    FirstEvent,
    /// Between two pieces of output.
    Idle,
    /// The whole turn.
    Total,
}

impl Deadline {
    /// The key of an agent's `timeouts` that sets it.
    fn key(self) -> &'static str {
        match self {
            Deadline::Start => "start_s",
            Deadline::FirstEvent => "first_event_s",
            Deadline::Idle => "idle_s",
            Deadline::Total => "total_s",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Deadline::Start => "taking the prompt",
            Deadline::FirstEvent => "the first output",
            Deadline::Idle => "a silence",
            Deadline::Total => "the turn",
        }
    }
}

impl Failure {
    /// Makes the failure of bad input that exits with 64 (usage).
    pub fn usage(place: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        Failure::BadInput { place: place.into(), why: why.into(), next: next.into(), exit: 64 }
    }

    /// Makes the failure of inputs that are missing (exit 10).
    pub fn needs_input(place: impl Into<String>, why: impl Into<String>, next: impl Into<String>) -> Self {
        Failure::BadInput { place: place.into(), why: why.into(), next: next.into(), exit: 10 }
    }

    /// Returns the next step to take.
    pub fn hint(&self) -> String {
        match self {
            Failure::Cancelled => "run the same command again: finished answers are kept".into(),
            Failure::Busy { .. } | Failure::ActorGone { .. } => {
                "please report it with the log file that `dicast doctor` names".into()
            }
            Failure::Agent { agent, error } => error.hint(agent.as_str()),
            Failure::Server { server, .. } => {
                format!("see its last words with `dicast servers`; work goes on without {server}")
            }
            Failure::Timeout { .. } => "try again; if it stays slow, raise the limit in the config".into(),
            Failure::LockHeld { .. } => "wait for it, or stop its owner with `dicast cancel`".into(),
            Failure::Disk { kind, .. } => match kind {
                DiskError::Full => "free some space, then run the same command again".into(),
                DiskError::Denied => "make the folder writable, or set [evidence] root to one that is".into(),
                DiskError::Missing => "check the path".into(),
                DiskError::Other => "check the disk, then run the same command again".into(),
            },
            Failure::BadReply { .. } => "try again; if it stays so, look at the raw output in the evidence".into(),
            Failure::BadInput { next, .. } => next.clone(),
        }
    }

    /// Returns the exit code of a command that ends with this failure.
    pub fn exit(&self) -> u8 {
        match self {
            Failure::Cancelled => 130,
            Failure::BadInput { exit, .. } => *exit,
            Failure::Agent { .. } | Failure::Server { .. } => 4,
            Failure::Busy { .. }
            | Failure::ActorGone { .. }
            | Failure::Timeout { .. }
            | Failure::LockHeld { .. }
            | Failure::Disk { .. }
            | Failure::BadReply { .. } => 3,
        }
    }
}

impl AgentError {
    /// Returns the next step to take for the agent called `name`.
    pub fn hint(&self, name: &str) -> String {
        match self {
            AgentError::CommandNotFound { command } => {
                format!("install {command} or correct `command` of agent {name} in the config")
            }
            AgentError::Auth { .. } => {
                format!("sign in to {name} in a terminal, or set its key, then ask only it again (--rerun-missing)")
            }
            AgentError::RateLimit { .. } | AgentError::Overloaded => {
                format!("ask only {name} again later (--rerun-missing)")
            }
            AgentError::Network { .. } => {
                format!("check the network and its proxy, then ask only {name} again (--rerun-missing)")
            }
            AgentError::Timeout { which, .. } => {
                format!(
                    "raise timeouts.{} of {name} in the config, or ask only it again (--rerun-missing)",
                    which.key()
                )
            }
            AgentError::ContextOverflow => "shorten the spec, or [context] files in the config".into(),
            AgentError::Permission { .. } => format!("see what {name} wanted in its transcript ({TRANSCRIPTS})"),
            AgentError::Refused { why } if why.starts_with(BILLING) => {
                format!("see to the billing of {name}'s account, then ask only {name} again (--rerun-missing)")
            }
            AgentError::Refused { .. } => {
                format!("correct what it names, then ask only {name} again (--rerun-missing)")
            }
            AgentError::NoArtifact { .. } | AgentError::Protocol { .. } => {
                format!("read what {name} wrote in its transcript ({TRANSCRIPTS})")
            }
            AgentError::Crashed { .. } => {
                format!(
                    "read the last lines of {name}'s transcript ({TRANSCRIPTS}), then ask it again (--rerun-missing)"
                )
            }
            AgentError::Overgrown { .. } => format!(
                "see in {name}'s transcript ({TRANSCRIPTS}) what it wrote; have builds write elsewhere, or raise \
                 worktrees.quota_mb, then ask it again (--rerun-missing)"
            ),
            AgentError::Cancelled => "ask it again when you want it (--rerun-missing)".into(),
            AgentError::Budget { why } => why.hint().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_fail_has_a_next_step_that_names_a_command_a_key_or_a_file() {
        let why = || "x".to_owned();
        let late = |which| AgentError::Timeout { which, after_ms: 1 };
        let table = [
            (AgentError::CommandNotFound { command: "claude".into() }, "`command` of agent opus in the config"),
            (AgentError::Auth { why: why() }, "sign in to opus"),
            (AgentError::RateLimit { retry_after_ms: None }, "--rerun-missing"),
            (AgentError::Overloaded, "--rerun-missing"),
            (AgentError::Network { why: why() }, "--rerun-missing"),
            (late(Deadline::Start), "timeouts.start_s of opus in the config"),
            (late(Deadline::FirstEvent), "timeouts.first_event_s of opus in the config"),
            (late(Deadline::Idle), "timeouts.idle_s of opus in the config"),
            (late(Deadline::Total), "timeouts.total_s of opus in the config"),
            (AgentError::ContextOverflow, "[context] files in the config"),
            (AgentError::Permission { why: why() }, ".dicast/transcripts"),
            (AgentError::Refused { why: why() }, "--rerun-missing"),
            (AgentError::Refused { why: format!("{BILLING} (x)") }, "billing of opus's account"),
            (AgentError::NoArtifact { why: why() }, ".dicast/transcripts"),
            (AgentError::Protocol { why: why() }, ".dicast/transcripts"),
            (AgentError::Crashed { how: why() }, ".dicast/transcripts"),
            (AgentError::Overgrown { mb: 4 }, "worktrees.quota_mb"),
            (AgentError::Cancelled, "--rerun-missing"),
            (AgentError::Budget { why: Refusal::Cap { needs_micro_usd: 1, left_micro_usd: 0 } }, "[budget] run_usd"),
            (AgentError::Budget { why: Refusal::Unpriced }, "[prices]"),
        ];
        for (error, names) in table {
            let hint = error.hint("opus");
            assert!(hint.contains(names), "{error}: {hint}");
            assert!(!hint.ends_with('.') && hint.starts_with(|c: char| c.is_lowercase()), "{hint}");
        }
    }
}
