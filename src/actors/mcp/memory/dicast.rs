//! Profile `dicast`: the tools of `dicast memory serve`.
//!
//! `store_memory {content, tags, key}` → `{id}`; `get {key}` → the memory or null; `search {query, tags, limit}` → an
//! array of `{memory, score}`. It must not know what the entries mean.

use std::time::Duration;

use serde_json::json;

use super::{Entry, Kept, unusable};
use crate::actors::mcp::Caller;
use crate::domain::failure::Failure;

/// Most entries that one search brings: far above agents times attempts of one stage.
const MOST: u32 = 1_000;

/// One hit of a search.
#[derive(serde::Deserialize)]
struct Hit {
    memory: Kept,
}

/// Stores an entry under its key.
pub(super) async fn store(caller: &Caller, entry: &Entry, patience: Duration) -> Result<(), Failure> {
    let args = json!({"key": entry.key, "content": entry.content, "tags": entry.tags});
    // The key makes it idempotent: it may be tried again.
    let answer = caller.ask("store_memory", &args, patience, true).await?;
    match answer.get("id") {
        Some(_) => Ok(()),
        None => Err(unusable(caller, "store_memory answered without an id".into())),
    }
}

/// Reads the entry of a key.
pub(super) async fn fetch(caller: &Caller, key: &str, patience: Duration) -> Result<Option<Kept>, Failure> {
    let answer = caller.ask("get", &json!({"key": key}), patience, true).await?;
    // Null is the answer for a key that is not there.
    serde_json::from_value(answer).map_err(|error| unusable(caller, format!("get: {error}")))
}

/// Finds the entries that carry all the tags.
pub(super) async fn tagged(caller: &Caller, tags: &[String], patience: Duration) -> Result<Vec<Kept>, Failure> {
    let args = json!({"query": "", "tags": tags, "limit": MOST});
    let answer = caller.ask("search", &args, patience, true).await?;
    let hits: Vec<Hit> =
        serde_json::from_value(answer).map_err(|error| unusable(caller, format!("search: {error}")))?;
    Ok(hits.into_iter().map(|hit| hit.memory).collect())
}
