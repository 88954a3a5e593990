//! The embedded memory server: five tools over [`shelf`], spoken as MCP on stdin and stdout.
//!
//! It must not know what is stored, nor SQL. It ends at the end of its input and on SIGTERM or SIGINT; whatever was
//! answered before is durable.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{Implementation, ServerCapabilities, ServerConfig};
use rmcp::{ServerHandler, ServiceExt, schemars, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::signal::unix::{SignalKind, signal};

use crate::disk;
use crate::domain::failure::{DiskError, Failure};

mod shelf;

use shelf::{Place, Shelf};

/// Memories that a search returns unless it says otherwise.
const LIMIT: u32 = 10;
/// Most memories that a search returns.
const LIMIT_MAX: u32 = 1_000;

/// Serves the memory in the SQLite file `db` on stdin and stdout until the input ends or a signal comes. The folder
/// of `db` must exist.
///
/// # Errors
/// [`Failure::Disk`] when the file cannot be opened or is no memory of ours, [`Failure::Server`] when the handshake
/// fails.
pub async fn serve_memory(db: PathBuf) -> Result<(), Failure> {
    serve_until_signal(db, Access::Full).await
}

/// As [`serve_memory`], for somebody who may look things up and change nothing.
///
/// # Errors
/// As [`serve_memory`].
pub async fn serve_memory_to_read(db: PathBuf) -> Result<(), Failure> {
    serve_until_signal(db, Access::Reading).await
}

async fn serve_until_signal(db: PathBuf, access: Access) -> Result<(), Failure> {
    let mut term = signal(SignalKind::terminate()).map_err(|error| broken(error.to_string()))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|error| broken(error.to_string()))?;
    // Non-blocking pipes: a pending read of tokio's own stdin would keep the runtime alive after a signal.
    let (reading, writing) = rmcp::transport::stdio_pipes();
    tokio::select! {
        served = serve_on(db, access, reading, writing) => served,
        _ = term.recv() => Ok(()),
        _ = int.recv() => Ok(()),
    }
}

/// Serves the memory in the SQLite file `db` on any pair of pipes until `reading` ends. The folder of `db` must exist.
///
/// # Errors
/// As [`serve_memory`].
pub async fn serve_memory_on(
    db: PathBuf,
    reading: impl AsyncRead + Send + Unpin + 'static,
    writing: impl AsyncWrite + Send + Unpin + 'static,
) -> Result<(), Failure> {
    serve_on(db, Access::Full, reading, writing).await
}

async fn serve_on(
    db: PathBuf,
    access: Access,
    reading: impl AsyncRead + Send + Unpin + 'static,
    writing: impl AsyncWrite + Send + Unpin + 'static,
) -> Result<(), Failure> {
    // A file that is there is opened, and refused, at once. A new one is made with the first thing that is kept: a
    // repository that was only looked at stays as it was.
    let opened = tokio::task::spawn_blocking(move || {
        let shelf =
            if disk::text::is_file(&db) { Some(Shelf::open(&db).map_err(|error| unreadable(&error))?) } else { None };
        Ok::<_, Failure>((db, shelf))
    });
    let (db, shelf) = opened.await.map_err(|error| broken(error.to_string()))??;
    let service = Memory { access, db: Arc::new(db), shelf: Arc::new(Mutex::new(shelf)) };
    match Box::pin(service.serve((reading, writing))).await {
        Ok(running) => running.waiting().await.map(|_| ()).map_err(|error| broken(error.to_string())),
        Err(error) if is_hangup(&error) => Ok(()),
        Err(error) => Err(broken(error.to_string())),
    }
}

/// A client that left before it had said anything is no failure of ours.
fn is_hangup(error: &rmcp::service::ServerInitializeError) -> bool {
    matches!(error, rmcp::service::ServerInitializeError::ConnectionClosed(_))
}

fn broken(why: String) -> Failure {
    Failure::Server { server: "memory".into(), why }
}

fn unreadable(error: &rusqlite::Error) -> Failure {
    let kind = match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => DiskError::Full,
        Some(rusqlite::ErrorCode::PermissionDenied | rusqlite::ErrorCode::ReadOnly) => DiskError::Denied,
        Some(rusqlite::ErrorCode::CannotOpen) => DiskError::Missing,
        Some(_) | None => DiskError::Other,
    };
    Failure::Disk { what: "opening the memory database".into(), kind, why: error.to_string() }
}

/// What whoever is served may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// Everything.
    Full,
    /// Look things up: agents that answer on a panel must not speak for others through memory.
    Reading,
}

/// The service: its methods are the tools.
#[derive(Debug, Clone)]
struct Memory {
    access: Access,
    db: Arc<PathBuf>,
    shelf: Arc<Mutex<Option<Shelf>>>,
}

/// Arguments of `store_memory`.
#[derive(Debug, Deserialize, JsonSchema)]
struct StoreArgs {
    /// The text to keep.
    content: String,
    /// Tags, matched whole.
    #[serde(default)]
    tags: Vec<String>,
    /// A subject area.
    domain: Option<String>,
    /// 1 (least) to 10.
    importance: Option<i64>,
    /// Storing the same key again changes the one memory.
    key: Option<String>,
}

/// Arguments of `search`.
#[derive(Debug, Deserialize, JsonSchema)]
struct SearchArgs {
    /// Words to look for; empty: the newest.
    query: String,
    /// Only memories that carry all of these.
    #[serde(default)]
    tags: Vec<String>,
    /// Most results, 10 unless given.
    limit: Option<u32>,
    /// Accepted for compatibility: every search is by words and tags.
    #[expect(dead_code, reason = "part of the tool's contract; there is one kind of search")]
    search_type: Option<String>,
}

/// Arguments of `get` and `delete`: one of them.
#[derive(Debug, Deserialize, JsonSchema)]
struct PlaceArgs {
    /// The id that `store_memory` returned.
    id: Option<String>,
    /// The key that was stored.
    key: Option<String>,
}

impl PlaceArgs {
    fn place(self) -> Result<Place, String> {
        match (self.id, self.key) {
            (Some(id), None) => Ok(Place::Id(id)),
            (None, Some(key)) => Ok(Place::Key(key)),
            (None, None) | (Some(_), Some(_)) => Err("give either id or key".into()),
        }
    }
}

#[tool_router]
impl Memory {
    #[tool(description = "Keep a text with tags; with a key, storing it again changes it instead of adding another")]
    async fn store_memory(&self, Parameters(args): Parameters<StoreArgs>) -> Result<String, String> {
        self.may_write()?;
        self.ask(move |shelf| {
            let id =
                shelf.store(&args.content, &args.tags, args.domain.as_deref(), args.importance, args.key.as_deref())?;
            Ok(serde_json::json!({ "id": id }))
        })
        .await
    }

    #[tool(
        description = "Find memories by words and tags, best first, as a JSON array of {memory, score}",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn search(&self, Parameters(args): Parameters<SearchArgs>) -> Result<String, String> {
        let limit = args.limit.unwrap_or(LIMIT).min(LIMIT_MAX);
        self.ask(move |shelf| shelf.search(&args.query, &args.tags, limit)).await
    }

    #[tool(
        description = "Read one memory by id or key; null if there is none",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn get(&self, Parameters(args): Parameters<PlaceArgs>) -> Result<String, String> {
        let place = args.place()?;
        self.ask(move |shelf| shelf.get(&place)).await
    }

    #[tool(description = "Delete one memory by id or key")]
    async fn delete(&self, Parameters(args): Parameters<PlaceArgs>) -> Result<String, String> {
        self.may_write()?;
        let place = args.place()?;
        self.ask(move |shelf| Ok(serde_json::json!({ "deleted": shelf.delete(&place)? }))).await
    }

    #[tool(description = "Count memories and tags", annotations(read_only_hint = true, open_world_hint = false))]
    async fn stats(&self) -> Result<String, String> {
        self.ask(|shelf| shelf.stats()).await
    }

    fn may_write(&self) -> Result<(), String> {
        match self.access {
            Access::Full => Ok(()),
            Access::Reading => Err("this memory is only read here".into()),
        }
    }

    /// Does one thing with the shelf off the async threads, and writes the answer as JSON.
    async fn ask<T: Serialize + Send + 'static>(
        &self,
        work: impl FnOnce(&mut Shelf) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<String, String> {
        let (db, shelf) = (Arc::clone(&self.db), Arc::clone(&self.shelf));
        let done = tokio::task::spawn_blocking(move || {
            let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
            let shelf = match &mut *shelf {
                Some(shelf) => shelf,
                new @ None => {
                    disk::Store::real(disk::store::parent(&db)).make_base().map_err(|failure| failure.to_string())?;
                    new.insert(Shelf::open(&db).map_err(|error| unreadable(&error).to_string())?)
                }
            };
            work(shelf).map_err(|error| error.to_string())
        });
        let answer = done.await.map_err(|error| error.to_string())??;
        serde_json::to_string(&answer).map_err(|error| error.to_string())
    }
}

#[tool_handler]
impl ServerHandler for Memory {
    fn get_info(&self) -> ServerConfig {
        let mut config = ServerConfig::new(ServerCapabilities::builder().enable_tools().build());
        config.server_info = Implementation::new("dicast-memory", env!("CARGO_PKG_VERSION"));
        config
    }
}
