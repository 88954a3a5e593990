//! The server as a place for entries: store, find, search, each by its profile.
//!
//! It must not know what waits, nor why something is looked for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Query;
use super::millis;
use super::profile::{Way, Ways, ways};
use crate::actors::mcp::{Ask, Handle};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::memory::{self, Entry, Held, Note, Profile};

/// Waits before an entry is looked for after it was stored: a search index may be a moment behind.
const READ_BACK: [Duration; 3] = [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(400)];

/// One server with its profile.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) mcp: Handle,
    pub(super) server: String,
    pub(super) profile: Profile,
}

impl Library {
    fn ways(&self) -> &'static Ways {
        ways(self.profile)
    }

    /// Checks that the server offers what its profile needs.
    ///
    /// # Errors
    /// A usage failure that says what is missing; why its tools are not known.
    pub(super) async fn fit(&self, patience: Duration) -> Result<(), Failure> {
        let tools = self.mcp.tools(&self.server, millis(patience), CancellationToken::new()).await?;
        self.ways().fit(self.profile, &self.server, &tools)
    }

    /// Stores an entry, reads it back and compares. Storing the same entry again changes nothing.
    ///
    /// # Errors
    /// The server's; [`Failure::BadReply`] when it acknowledged what it does not have.
    pub(super) async fn keep(&self, entry: &Entry, patience: Duration) -> Result<(), Failure> {
        let (ways, end) = (self.ways(), Instant::now() + patience);
        if !ways.is_keyed && self.has(entry, end).await? {
            return Ok(());
        }
        self.ask(&ways.store, ways.store.of_entry(entry), end, ways.is_keyed).await?;
        for wait in READ_BACK {
            tokio::time::sleep(wait).await;
            if self.has(entry, end).await? {
                return Ok(());
            }
        }
        Err(self.unusable(format!("it acknowledged {} and does not have it", entry.key)))
    }

    async fn has(&self, entry: &Entry, end: Instant) -> Result<bool, Failure> {
        let way = &self.ways().find;
        Ok(self.read(way, way.of_entry(entry), end).await?.iter().any(|held| entry.is(held)))
    }

    /// Finds the entries that carry all the tags, the newest first; the tag that tells most comes last.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn search(&self, words: &str, tags: &[String], patience: Duration) -> Result<Vec<Held>, Failure> {
        let (ways, end) = (self.ways(), Instant::now() + patience);
        let mut held = self.read(&ways.search, ways.search.of_search(words, tags), end).await?;
        held.retain(|held| held.carries(tags));
        if !ways.newest_first {
            held.reverse();
        }
        Ok(held)
    }

    /// Finds answers by their hashes.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn gather(&self, query: Query) -> Result<BTreeMap<Sha, Arc<str>>, Failure> {
        let held = self.search("", &query.tags, Duration::from_millis(query.patience_ms)).await?;
        let named = held.into_iter().map(|held| (Sha::of(&held.content), Arc::from(held.content)));
        Ok(named.filter(|(sha, _)| query.wanted.contains(sha)).collect())
    }

    /// Finds notes of other specs that share words with `about`.
    ///
    /// # Errors
    /// The server's.
    pub(super) async fn recall(&self, spec: &SpecId, about: &str, patience_ms: u64) -> Result<Vec<Note>, Failure> {
        let words: Vec<String> = memory::words(about).into_iter().collect();
        let held = self.search(&words.join(" "), &memory::note_tags(), Duration::from_millis(patience_ms)).await?;
        Ok(memory::notes(spec, about, &held))
    }

    async fn read(&self, way: &Way, args: Value, end: Instant) -> Result<Vec<Held>, Failure> {
        let answer = self.ask(way, args, end, true).await?;
        way.read(&answer).map_err(|why| self.unusable(format!("{}: {why}", way.tool)))
    }

    async fn ask(&self, way: &Way, args: Value, end: Instant, is_idempotent: bool) -> Result<Value, Failure> {
        let patience_ms = millis(end.saturating_duration_since(Instant::now()));
        let ask = Ask { server: self.server.clone(), tool: way.tool.into(), args, patience_ms, is_idempotent };
        // Dropping the reply does not end the call; its deadline does, soon after.
        let answer = self.mcp.call(ask, CancellationToken::new()).await?;
        match complaint(&answer) {
            Some(why) => Err(Failure::Server { server: self.server.clone(), why: format!("{}: {why}", way.tool) }),
            None => Ok(answer),
        }
    }

    fn unusable(&self, why: String) -> Failure {
        Failure::BadReply { from: format!("MCP server {}", self.server), why }
    }
}

/// Finds the complaint in an answer that claims to be none: some servers send their errors as plain text.
fn complaint(answer: &Value) -> Option<String> {
    match answer {
        Value::String(text) if text.trim_start().starts_with("Error") => Some(text.trim().chars().take(300).collect()),
        Value::Object(fields) => fields.get("error").filter(|error| !error.is_null()).map(ToString::to_string),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_error_that_is_sent_as_an_answer_is_an_error() {
        assert!(complaint(&json!("Error: no such table")).is_some());
        assert!(complaint(&json!(" Error saving")).is_some());
        assert!(complaint(&json!({"error": "disk"})).is_some());
        for fine in [json!(null), json!([]), json!({"id": "1"}), json!({"error": null}), json!("stored, no Error")] {
            assert_eq!(complaint(&fine), None, "{fine}");
        }
    }
}
