//! One participant as it was configured.
//!
//! It must not know how a program is started, nor read the environment: values that name a variable stay names until
//! the program is launched, so that no secret is in a settings value, a snapshot or a hash.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::service::Service;
use crate::domain::acp::Manner;
use crate::domain::budget::OUTPUT_TOKENS;
use crate::domain::ids::{AgentName, Family};
use crate::domain::stage::Stage;
use crate::domain::stream::Transport;

/// One participant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// Its identity.
    pub name: AgentName,
    /// Its vendor or model line: one vote per family.
    pub family: Family,
    /// How it is reached.
    pub kind: AgentKind,
    /// What it is asked to be, in its prompt.
    pub role: Option<String>,
    /// The model it is said to use: a label for people, nothing is derived from it.
    pub model: Option<String>,
    /// Where it is asked.
    pub stages: BTreeSet<Stage>,
    /// Where it may change files, in a worktree of its own.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub writes: BTreeSet<Stage>,
    /// Our deadlines for one turn.
    pub timeouts: Timeouts,
    /// How often and how fast it is asked again after a failure that may pass.
    pub retry: Retry,
    /// How many agents of its family may run at once; the smallest one set in a family holds.
    pub max_parallel: u32,
    /// How many tokens a turn is reckoned to write at most, when the budget is checked before it.
    #[serde(default = "output_tokens", skip_serializing_if = "is_usual")]
    pub max_output_tokens: u64,
}

fn output_tokens() -> u64 {
    OUTPUT_TOKENS
}

/// What nobody chose stands in no hash.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_usual(tokens: &u64) -> bool {
    *tokens == OUTPUT_TOKENS
}

impl Agent {
    /// Makes an agent that is asked at every stage, with the default limits.
    pub fn new(name: AgentName, family: Family, kind: AgentKind) -> Self {
        Self {
            name,
            family,
            kind,
            role: None,
            model: None,
            stages: Stage::ALL.into(),
            writes: BTreeSet::new(),
            timeouts: Timeouts::default(),
            retry: Retry::default(),
            max_parallel: 2,
            max_output_tokens: OUTPUT_TOKENS,
        }
    }
}

impl Agent {
    /// Returns how it is spoken to, if that is over the Agent Client Protocol.
    pub fn manner(&self) -> Option<&Manner> {
        match &self.kind {
            AgentKind::Command(launch) => launch.transport.manner(),
            AgentKind::Api(_) | AgentKind::Replay { .. } | AgentKind::Memory => None,
        }
    }

    /// Names the limit of its API that it shares with others: those of its family, or who asks the same address with the
    /// same key. Nobody knows what stands behind a participant elsewhere.
    pub fn shared_limit(&self) -> Option<String> {
        match &self.kind {
            AgentKind::Command(_) | AgentKind::Replay { .. } => Some(self.family.as_str().to_owned()),
            AgentKind::Api(Service { base_url, key_env: Some(key), .. }) => Some(format!("{base_url} with ${key}")),
            AgentKind::Api(Service { base_url, key_env: None, .. }) => Some(base_url.clone()),
            AgentKind::Memory => None,
        }
    }
}

/// How an agent is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AgentKind {
    /// A program: the prompt on stdin, the artifact's JSON on stdout.
    Command(Launch),
    /// A model over HTTP, asked by us.
    Api(Service),
    /// A written session, played at its pace through a real child process; always labelled SCRIPTED.
    Replay {
        /// The script's file, relative to the repository or absolute.
        script: String,
    },
    /// Somebody else's machine, that answers through the memory server.
    Memory,
}

/// How an agent's program is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// The program and its arguments, as written; never empty once loaded. The program is resolved by [`program`].
    pub command: Vec<String>,
    /// What is set in its environment.
    pub env: BTreeMap<String, EnvValue>,
    /// Which of our environment variables it inherits; it sees no other.
    pub env_pass: Vec<String>,
    /// How its output is read.
    #[serde(default, skip_serializing_if = "Transport::is_text")]
    pub transport: Transport,
    /// What is added to the command to ask for an answer that fits a schema.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema_args: Vec<String>,
    /// What is added at the end of the command to go on with a session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resume_args: Vec<String>,
    /// The preset that it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
}

impl Default for Launch {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            env: BTreeMap::new(),
            env_pass: vec!["HOME".into(), "PATH".into()],
            transport: Transport::Text,
            schema_args: Vec::new(),
            resume_args: Vec::new(),
            preset: None,
        }
    }
}

impl Launch {
    /// Makes the launch of a plain program: nothing of our environment, nothing but text.
    pub fn plain(command: Vec<String>, env: BTreeMap<String, EnvValue>) -> Self {
        Self { command, env, env_pass: Vec::new(), ..Self::default() }
    }
}

/// Returns what to execute for the first word of a command: a relative path (it has a `/`) is taken from the
/// repository, a bare name is left to PATH, an absolute path stays.
pub fn program(word: &str, repo: &Path) -> PathBuf {
    if word.contains('/') { repo.join(word.strip_prefix("./").unwrap_or(word)) } else { PathBuf::from(word) }
}

/// The value of an environment variable that a child gets: a text, or (`$NAME`) our own variable of that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum EnvValue {
    /// The text itself.
    Text(String),
    /// The value that our variable of this name has when the child is started.
    Ours(String),
}

impl EnvValue {
    /// Returns the value for a child; `ours` looks up our own environment.
    ///
    /// # Errors
    /// The name of our variable, when it is not set.
    pub fn resolve(&self, ours: impl FnOnce(&str) -> Option<String>) -> Result<String, String> {
        match self {
            EnvValue::Text(text) => Ok(text.clone()),
            EnvValue::Ours(name) => ours(name).ok_or_else(|| name.clone()),
        }
    }
}

impl From<String> for EnvValue {
    fn from(written: String) -> Self {
        match written.strip_prefix('$') {
            Some(name) if is_env_name(name) => EnvValue::Ours(name.to_owned()),
            Some(_) | None => EnvValue::Text(written),
        }
    }
}

impl From<EnvValue> for String {
    fn from(value: EnvValue) -> String {
        match value {
            EnvValue::Text(text) => text,
            EnvValue::Ours(name) => format!("${name}"),
        }
    }
}

/// A name as shells accept it: letters, digits and `_`, not starting with a digit.
fn is_env_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Our deadlines for one turn of an agent, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeouts {
    /// From spawn to taking the prompt.
    pub start_ms: u64,
    /// From the prompt to the first output.
    pub first_event_ms: u64,
    /// Between two pieces of output.
    pub idle_ms: u64,
    /// The whole turn.
    pub total_ms: u64,
    /// From asking it to stop to killing its process group.
    pub kill_grace_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { start_ms: 20_000, first_event_ms: 60_000, idle_ms: 180_000, total_ms: 600_000, kill_grace_ms: 3_000 }
    }
}

/// How often and how fast an agent is asked again after a failure that may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// How often, after the first try.
    pub max: u32,
    /// The first delay, in milliseconds; it doubles each time.
    pub base_ms: u64,
    /// The longest delay, in milliseconds.
    pub cap_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Self { max: 2, base_ms: 1_000, cap_ms: 30_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_dollar_name_refers_to_our_environment() {
        let table = [
            ("$API_KEY", EnvValue::Ours("API_KEY".into())),
            ("$_x1", EnvValue::Ours("_x1".into())),
            ("$", EnvValue::Text("$".into())),
            ("$1", EnvValue::Text("$1".into())),
            ("a$B", EnvValue::Text("a$B".into())),
            ("${B}", EnvValue::Text("${B}".into())),
            ("", EnvValue::Text(String::new())),
        ];
        for (written, value) in table {
            assert_eq!(EnvValue::from(written.to_owned()), value);
            assert_eq!(String::from(value), written);
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let value = EnvValue::Ours("NOPE".into());
        assert_eq!(value.resolve(|_| None), Err("NOPE".into()));
        assert_eq!(value.resolve(|name| Some(format!("<{name}>"))), Ok("<NOPE>".into()));
        assert_eq!(EnvValue::Text("x".into()).resolve(|_| None), Ok("x".into()));
    }

    #[test]
    fn programs_with_a_slash_are_taken_from_the_repository() {
        let repo = Path::new("/repo");
        assert_eq!(program("./my-agent", repo), Path::new("/repo/my-agent"));
        assert_eq!(program("tools/agent", repo), Path::new("/repo/tools/agent"));
        assert_eq!(program("/opt/agent", repo), Path::new("/opt/agent"));
        assert_eq!(program("claude", repo), Path::new("claude"));
    }
}
