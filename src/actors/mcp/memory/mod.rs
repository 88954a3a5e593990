//! Memory: a mirror of answers and verdicts on an MCP server, the notes that are recalled from it, and the door for
//! participants elsewhere.
//!
//! It owns the [`spool`]: whatever is to be stored is kept there first, copied in order, and read back before it is
//! removed. What is gathered is filtered here by whole tags, because a server may match parts (`SPEC-1` is not
//! `SPEC-10`). How a kind of server wants to be asked is in its [`profile`]. It must not know runs, phases or the
//! evidence, and nothing that it does may change a verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Clock, millis};
use crate::actors::lanes::Lanes;
use crate::actors::{MAILBOX, Promise, Reply, Scope, Waker, post};
use crate::disk::store::Store;
use crate::domain::fact::Fact;
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::memory::{self, Entry, Note, Profile, Status};
use crate::domain::redact::Redactor;
use crate::domain::run::{SeatKey, TurnEnded, Wanted};
use crate::domain::safe::Safe;

mod copying;
mod elsewhere;
mod library;
mod profile;
mod spool;

pub use copying::Copied;
use library::Library;
use spool::Spool;

const NAME: &str = "memory";

/// Which memory, and what it is allowed to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's name in the config.
    pub server: String,
    /// The tools that it offers.
    pub profile: Profile,
    /// Takes secrets out of what is stored.
    pub redactor: Redactor,
}

/// The answers that somebody looks for: those that the evidence does not have, by the hash that its journal names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Tags that an entry must carry.
    pub tags: Vec<String>,
    /// The hashes of their bytes.
    pub wanted: BTreeSet<Sha>,
    /// How long the caller waits in all, in milliseconds.
    pub patience_ms: u64,
}

/// A question to a participant elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who.
    pub seat: SeatKey,
    /// What it is about.
    pub subject: memory::Subject,
    /// What it is asked.
    pub prompt: Arc<str>,
    /// What it is to bring.
    pub wanted: Wanted,
    /// How long it may take, in milliseconds.
    pub total_ms: u64,
}

/// Asks memory; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    mailbox: mpsc::Sender<Command>,
    waker: Waker,
}

#[derive(Debug)]
enum Command {
    Mirror { entries: Vec<Entry>, patience_ms: u64, token: CancellationToken, promise: Promise<Copied> },
    Drain { patience_ms: u64, token: CancellationToken, promise: Promise<Copied> },
    Gather { query: Query, token: CancellationToken, promise: Promise<BTreeMap<Sha, Arc<str>>> },
    Recall { spec: SpecId, about: String, patience_ms: u64, token: CancellationToken, promise: Promise<Vec<Note>> },
    TakeTurn { turn: Box<Turn>, token: CancellationToken, promise: Promise<TurnEnded> },
    Status { promise: Promise<Status> },
}

impl Handle {
    /// Keeps entries durably, and copies what waits for at most `patience_ms` (0: only keeps them). What the server
    /// does not have then is copied by a later [`Handle::drain`], also in a later process.
    pub fn mirror(&self, entries: Vec<Entry>, patience_ms: u64, token: CancellationToken) -> Reply<Copied> {
        self.post(|promise| Command::Mirror { entries, patience_ms, token, promise })
    }

    /// Checks that the server offers what its profile needs, and copies what waits, in order.
    pub fn drain(&self, patience_ms: u64, token: CancellationToken) -> Reply<Copied> {
        self.post(|promise| Command::Drain { patience_ms, token, promise })
    }

    /// Finds answers by their hashes. None is an answer, not a failure.
    pub fn gather(&self, query: Query, token: CancellationToken) -> Reply<BTreeMap<Sha, Arc<str>>> {
        self.post(|promise| Command::Gather { query, token, promise })
    }

    /// Finds what earlier runs of other specs have to tell about one like this.
    pub fn recall(&self, spec: SpecId, about: String, patience_ms: u64, token: CancellationToken) -> Reply<Vec<Note>> {
        self.post(|promise| Command::Recall { spec, about, patience_ms, token, promise })
    }

    /// Asks a participant elsewhere: puts the question into memory and waits there for a valid answer. Cut short by
    /// `token`, it answers at once.
    pub fn take_turn(&self, turn: Turn, token: CancellationToken) -> Reply<TurnEnded> {
        let turn = Box::new(turn);
        self.post(|promise| Command::TakeTurn { turn, token, promise })
    }

    /// Returns what waits, and what is known to be wrong.
    pub fn status(&self) -> Reply<Status> {
        self.post(|promise| Command::Status { promise })
    }

    fn post<T>(&self, command: impl FnOnce(Promise<T>) -> Command) -> Reply<T> {
        post(NAME, &self.mailbox, &self.waker, command)
    }
}

/// Starts the actor over the servers' one. `store` is the repository's.
pub fn spawn(
    scope: &Scope,
    lanes: &Lanes,
    clock: &Clock,
    mcp: super::Handle,
    store: Store,
    settings: Settings,
) -> Handle {
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    let library = Library { mcp, server: settings.server, profile: settings.profile };
    let desk = Desk {
        scope: scope.clone(),
        lanes: lanes.clone(),
        clock: Arc::clone(clock),
        library: Arc::new(library),
        spool: Spool::new(store),
        redactor: Arc::new(settings.redactor),
        copying: Arc::default(),
        told: Arc::default(),
    };
    scope.spawn(desk.run(commands));
    Handle { mailbox, waker: scope.waker().clone() }
}

/// What every job works with.
#[derive(Clone)]
struct Desk {
    scope: Scope,
    lanes: Lanes,
    clock: Clock,
    library: Arc<Library>,
    spool: Spool,
    redactor: Arc<Redactor>,
    /// One job of ours copies at a time; other processes are kept out by the spool's lock.
    copying: Arc<tokio::sync::Mutex<()>>,
    /// What was told last.
    told: Arc<Mutex<Status>>,
}

impl Desk {
    async fn run(self, mut commands: mpsc::Receiver<Command>) {
        // What an earlier process left waiting is shown before anything is copied.
        self.note(|_| {}).await;
        let cancel = self.scope.cancel.clone();
        while let Some(Some(command)) = cancel.run_until_cancelled(commands.recv()).await {
            self.take(command);
        }
    }

    fn take(&self, command: Command) {
        let (scope, desk) = (self.scope.clone(), self.clone());
        match command {
            // Not `Scope::answer`: what is to be kept is kept, also when the copying is cut short.
            Command::Mirror { entries, patience_ms, token, promise } => scope.spawn(async move {
                promise.keep(desk.mirror(entries, Duration::from_millis(patience_ms), &token).await);
            }),
            Command::Drain { patience_ms, token, promise } => scope.spawn(async move {
                promise.keep(desk.drain(Duration::from_millis(patience_ms), &token).await);
            }),
            Command::Gather { query, token, promise } => {
                scope.answer(token, promise, async move { desk.library.gather(query).await });
            }
            Command::Recall { spec, about, patience_ms, token, promise } => {
                scope.answer(token, promise, async move { desk.library.recall(&spec, &about, patience_ms).await });
            }
            Command::TakeTurn { turn, token, promise } => {
                scope.spawn(async move { promise.keep(Ok(desk.take_turn(*turn, &token).await)) });
            }
            Command::Status { promise } => {
                scope.spawn(async move { promise.keep(Ok(desk.note(|_| {}).await)) });
            }
        }
    }

    /// Counts what waits, changes what is known, and tells it if that is news.
    async fn note(&self, change: impl FnOnce(&mut Status)) -> Status {
        let spool = self.spool.clone();
        let waiting = self.scope.spawn_blocking(move || spool.list().map(|waiting| waiting.len())).await;
        let now = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let before = told.clone();
            match waiting {
                Ok(Ok(waiting)) => told.waiting = u32::try_from(waiting).unwrap_or(u32::MAX),
                Ok(Err(failure)) => {
                    told.trouble = Some(Safe::line(&format!("what waits cannot be counted: {failure}")))
                }
                // Only at the end of the program.
                Err(_) => {}
            }
            change(&mut told);
            if *told == before {
                return before;
            }
            told.clone()
        };
        self.lanes.tell(Fact::MemoryChanged(now.clone()), &self.scope.cancel).await;
        now
    }
}
