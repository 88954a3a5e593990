//! Memory: a mirror of artifacts and verdicts on an MCP server, and the door for participants elsewhere.
//!
//! What is stored is read back and compared; what is gathered is filtered here by whole tags, because a server may
//! match parts (`SPEC-1` is not `SPEC-10`). It must not know the evidence, nor keep what could not be stored: the
//! caller spools that. How a kind of server wants to be asked is in its profile: [`dicast`].

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Caller, Command, Handle, Reply, millis};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, SpecId};
use crate::domain::stage::Stage;

mod dicast;

/// Something to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Names it: storing the same key again changes the one entry instead of adding another.
    pub key: String,
    /// What is stored, byte for byte.
    pub content: String,
    /// Tags as `name:value`.
    pub tags: Vec<String>,
}

/// What to gather: everything that carries the tags of this spec and stage, and the others given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The server's name in the config.
    pub server: String,
    /// For which spec.
    pub spec: SpecId,
    /// For which stage.
    pub stage: Stage,
    /// Further tags that an entry must carry, for example `run:<ULID>`.
    pub tags: Vec<String>,
    /// How long the caller waits in all, in milliseconds.
    pub patience_ms: u64,
}

/// One participant's answer, as memory has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemoryEntry {
    /// Who answered, by its tag `agent:`.
    pub agent: AgentName,
    /// Hash of the content.
    pub sha: Sha,
    /// The content.
    pub content: String,
    /// All its tags.
    pub tags: Vec<String>,
}

impl Entry {
    /// Makes the entry of one agent's answer; its key holds the hash, so that two answers are two entries.
    pub fn of_answer(spec: &SpecId, stage: Stage, agent: &AgentName, run: &str, content: String) -> Self {
        let sha = Sha::of(&content);
        let mut tags = query_tags(spec, stage);
        tags.extend([format!("agent:{agent}"), format!("run:{run}"), format!("sha256:{sha}")]);
        Self { key: format!("answer/{spec}/{stage}/{agent}/{sha}"), content, tags }
    }
}

impl Handle {
    /// Stores an entry, reads it back and compares. Storing the same entry again is harmless.
    pub fn store(
        &self,
        server: impl Into<String>,
        entry: Entry,
        patience_ms: u64,
        token: CancellationToken,
    ) -> Reply<()> {
        let server = server.into();
        self.post(|promise| Command::Store { server, entry, patience_ms, token, promise })
    }

    /// Asks memory for the answers of a stage, sorted by agent and hash. None is an answer, not a failure.
    pub fn gather(&self, query: Query, token: CancellationToken) -> Reply<Vec<MemoryEntry>> {
        self.post(|promise| Command::Gather { query, token, promise })
    }
}

pub(super) async fn store(caller: &Caller, entry: Entry, patience_ms: u64) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_millis(patience_ms);
    let late = |_| Failure::Timeout {
        what: format!("the writes before this one to MCP server {}", caller.server.spec.name),
        after_ms: patience_ms,
    };
    let turn = tokio::time::timeout_at(end, caller.server.writing.acquire()).await.map_err(late)?;
    let _turn = turn.map_err(|_| caller.server.failure("it takes no more writes".into()))?;
    dicast::store(caller, &entry, left(end)).await?;
    let Some(kept) = dicast::fetch(caller, &entry.key, left(end)).await? else {
        return Err(unusable(caller, format!("{} is not there after it was stored", entry.key)));
    };
    let (wanted, found) = (Sha::of(&entry.content), Sha::of(&kept.content));
    if wanted != found {
        return Err(unusable(caller, format!("{} reads back as {found}, stored was {wanted}", entry.key)));
    }
    match entry.tags.iter().find(|tag| !kept.tags.contains(tag)) {
        Some(tag) => Err(unusable(caller, format!("{} lost its tag {tag}", entry.key))),
        None => Ok(()),
    }
}

pub(super) async fn gather(caller: &Caller, query: Query) -> Result<Vec<MemoryEntry>, Failure> {
    let mut tags = query_tags(&query.spec, query.stage);
    tags.extend(query.tags);
    let kept = dicast::tagged(caller, &tags, Duration::from_millis(query.patience_ms)).await?;
    let mut entries: Vec<MemoryEntry> = kept
        .into_iter()
        .filter(|kept| tags.iter().all(|tag| kept.tags.contains(tag)))
        .filter_map(Kept::entry)
        .collect();
    entries.sort();
    entries.dedup();
    Ok(entries)
}

/// An entry as a profile reads it.
#[derive(Debug, serde::Deserialize)]
struct Kept {
    content: String,
    #[serde(default)]
    tags: Vec<String>,
}

impl Kept {
    /// Returns the entry if its tags name a participant.
    fn entry(self) -> Option<MemoryEntry> {
        let agent =
            self.tags.iter().find_map(|tag| tag.strip_prefix("agent:")).and_then(|name| AgentName::new(name).ok());
        if agent.is_none() {
            tracing::debug!(tags = ?self.tags, "an entry of the stage names no agent: passed over");
        }
        Some(MemoryEntry { agent: agent?, sha: Sha::of(&self.content), content: self.content, tags: self.tags })
    }
}

fn query_tags(spec: &SpecId, stage: Stage) -> Vec<String> {
    vec![format!("spec:{spec}"), format!("stage:{stage}")]
}

fn unusable(caller: &Caller, why: String) -> Failure {
    Failure::BadReply { from: format!("MCP server {}", caller.server.spec.name), why }
}

fn left(end: Instant) -> Duration {
    // A zero would end before it begins, which the callee reports as late: right, and named by it.
    Duration::from_millis(millis(end.saturating_duration_since(Instant::now())))
}
