//! A run: which seats (agent, stage, attempt) exist, what a turn is, and how it ended.
//!
//! It must not know processes: a [`Turn`] says what to start, the agents actor starts it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::artifact::{self, Expect, Unusable};
use super::budget::Price;
use super::candidate::Patch;
use super::failure::AgentError;
use super::hash::Sha;
use super::ids::{AgentName, RunId};
use super::round;
use super::safe::Safe;
use super::settings::Service;
use super::stage::Stage;
use super::stream::{Session, Transport, Usage};

/// Who is asked: every message of a run carries one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeatKey {
    /// The run.
    pub run: RunId,
    /// The stage.
    pub stage: Stage,
    /// Which try of this agent at this stage, from 1.
    pub attempt: u32,
    /// The agent.
    pub agent: AgentName,
}

/// What a turn is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnKind {
    /// The first, blind answer.
    Draft,
    /// The one chance to mend an answer that did not validate.
    Repair,
    /// The one exchange after the drafts.
    Round,
}

/// What a turn is to bring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The stage's artifact.
    Artifact(Expect),
    /// Votes on a ballot.
    Votes(round::Expect),
}

impl Wanted {
    /// Finds it in what an agent wrote.
    ///
    /// # Errors
    /// [`Unusable`] says why it is not there.
    pub fn extract(&self, text: &str) -> Result<Arc<str>, Unusable> {
        match self {
            Wanted::Artifact(expect) => artifact::extract(expect, text),
            Wanted::Votes(expect) => round::extract(expect, text),
        }
    }

    /// Returns the JSON Schema that it must fit.
    pub fn schema(&self) -> serde_json::Value {
        match self {
            Wanted::Artifact(expect) => artifact::answer_schema(expect.stage, &expect.topics),
            Wanted::Votes(_) => round::schema(),
        }
    }
}

/// What the agents actor starts for one turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Program and arguments; nothing in it comes from an agent or a spec.
    pub command: Vec<String>,
    /// Variables set for it.
    pub env: BTreeMap<String, String>,
    /// Names of our own variables that it may see (`NAME` or `PREFIX_*`); everything else is dropped.
    pub env_pass: Vec<String>,
    /// Working directory, absolute.
    pub cwd: String,
    /// How it answers.
    pub transport: Transport,
    /// A folder of its own, there only while it is at work.
    pub private: Option<Private>,
    /// Deadlines and caps.
    pub limits: Limits,
}

/// A folder that is made for a turn and removed after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// Where, absolute.
    pub folder: String,
    /// What is in it at the start, by name.
    pub files: BTreeMap<String, String>,
}

/// Deadlines (milliseconds) and caps (bytes) of one turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// From spawn until it has taken the whole prompt.
    pub start_ms: u64,
    /// Until its first output.
    pub first_event_ms: u64,
    /// Between two pieces of output.
    pub idle_ms: u64,
    /// For the whole turn.
    pub total_ms: u64,
    /// Between asking it to stop (TERM) and killing its group (KILL).
    pub kill_grace_ms: u64,
    /// Most bytes of stdout that are taken as its answer; the rest is counted and dropped.
    pub stdout_max: u64,
    /// Bytes of stderr kept (the tail).
    pub stderr_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start_ms: 20_000,
            first_event_ms: 60_000,
            idle_ms: 180_000,
            total_ms: 600_000,
            kill_grace_ms: 3_000,
            stdout_max: 64 << 20,
            stderr_max: 256 << 10,
        }
    }
}

/// One turn of one attempt: what the agents actor is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who.
    pub seat: SeatKey,
    /// What for.
    pub kind: TurnKind,
    /// What to start.
    pub launch: Launch,
    /// The whole prompt, given on stdin.
    pub prompt: Arc<str>,
    /// What it is to bring.
    pub wanted: Wanted,
    /// The session that it goes on with. A program that is started for each turn has it in its command.
    #[serde(default)]
    pub session: Option<String>,
    /// What the session that it goes on with has used before.
    pub used_before: Usage,
}

/// One turn of one attempt of a model over HTTP: what the agents actor is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Who.
    pub seat: SeatKey,
    /// What for.
    pub kind: TurnKind,
    /// Where the model is, and how it is asked.
    pub service: Service,
    /// The model.
    pub model: String,
    /// Most tokens that it may write in one reply.
    pub max_output_tokens: u64,
    /// The folder that it may look into, absolute.
    pub repo: String,
    /// The whole prompt.
    pub prompt: Arc<str>,
    /// What it is to bring.
    pub wanted: Wanted,
    /// The conversation that it goes on with.
    pub session: Option<Session>,
    /// What it is paid from, where it has a price.
    pub purse: Option<Purse>,
    /// Deadlines and caps.
    pub limits: Limits,
}

/// What is left for a turn that sends its conversation again with each look into the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purse {
    /// What a token costs.
    pub price: Price,
    /// What is set aside for it, in millionths of a USD.
    pub left_micro_usd: u64,
}

impl Purse {
    /// Tells whether one more look and then an answer can be paid, after a turn has used so much. `again` is what the
    /// next request sends, in tokens; `answer` the most that the answer may write.
    pub fn can_pay(self, used: Usage, again: u64, answer: u64) -> bool {
        let input = used.input_tokens.saturating_add(again.saturating_mul(2));
        self.price.of(input, used.output_tokens.saturating_add(answer)) <= self.left_micro_usd
    }
}

/// How one turn ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnEnded {
    /// Who.
    pub seat: SeatKey,
    /// What for.
    pub kind: TurnKind,
    /// The artifact or the votes as JSON text, or why there are none.
    pub outcome: Result<Arc<str>, TurnFailed>,
    /// What it wrote to stdout.
    pub raw: Captured,
    /// What it said, where its output is not just that.
    pub said: Option<Arc<str>>,
    /// The tail of what it wrote to stderr.
    pub stderr: Safe,
    /// What it changed, where it may.
    #[serde(default)]
    pub patch: Option<Arc<Patch>>,
    /// What it used, as far as it said.
    pub usage: Usage,
    /// How to go on with its session, if it can be gone on with.
    pub session: Option<Session>,
    /// From spawn to the end, in milliseconds.
    pub took_ms: u64,
    /// Processes of its group or tag that were still there after KILL and the sweep; 0 unless something is very wrong.
    pub survivors: u32,
}

/// Why a turn has no artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnFailed {
    /// The typed error.
    pub error: AgentError,
    /// What to tell the agent in the repair turn, if one could help.
    pub repair: Option<String>,
}

/// Captured output: the first and last part, its length, and the hash of the whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Captured {
    /// The first and last 256 KiB with a marker between them where something was left out.
    pub text: Arc<str>,
    /// Length of the whole, in bytes.
    pub bytes: u64,
    /// Hash of the whole.
    pub sha256: Sha,
}

/// What an agent is doing now: the latest value wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Who.
    pub seat: SeatKey,
    /// Its last line of output.
    pub doing: Safe,
    /// Lines written so far.
    pub lines: u64,
    /// Bytes written so far.
    pub bytes: u64,
    /// What it used so far, as far as it said.
    #[serde(default)]
    pub usage: Usage,
    /// Its latest lines, at most [`TAIL_LINES`], for the live pane.
    pub tail: Arc<[Safe]>,
}

/// How many of an agent's latest lines travel with its progress: what a tall screen can show.
pub const TAIL_LINES: usize = 60;
