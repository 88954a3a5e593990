//! MCP servers: every connection, from start to end. Others ask by message; nothing waits for a server.
//!
//! ```text
//! Handle ─▶ run ─▶ a task per call ─▶ Server (phase, book) ◀─ Keeper (one task per server) ─▶ Session ─▶ rmcp
//!                                                                        └─▶ Connector ─▶ Life (process, group)
//!                                                                        └─▶ http (no process)
//! ```
//!
//! It must not know what the tools mean, and not who looks at the states that it tells. What memory is to us is in
//! [`memory`], an actor of its own over this one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lanes::Lanes;
use super::{MAILBOX, Promise, Reply, Scope, Waker, post};
use crate::domain::failure::Failure;
use crate::domain::moment::Moment;
use crate::domain::retry;
use crate::domain::safe::Safe;
use crate::domain::server::{ServerSpec, Status};

mod book;
mod child;
mod http;
mod keeper;
pub mod memory;
mod session;
mod wire;

use book::Server;
pub use child::{Life, Processes};
use keeper::{Keeper, Stop};
use session::Trouble;
pub use wire::{Connector, LINE_MAX, Reading, Wire, Writing};

const NAME: &str = "mcp";

/// After the grace and KILL, the longest that stopping takes until it answers. Some 10 ms are usual; a busy machine
/// gets longer, because the answer says whether something is left. Who quits brings a shorter limit.
const STOP_SLACK: Duration = Duration::from_secs(1);

/// Reads the shell's clock.
pub type Clock = Arc<dyn Fn() -> Moment + Send + Sync>;

/// One call of a tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The server's name in the config.
    pub server: String,
    /// The tool.
    pub tool: String,
    /// Its arguments, a JSON object or null.
    pub args: Value,
    /// How long the caller waits in all, in milliseconds: a cold start, every try and the waits between them.
    pub patience_ms: u64,
    /// Whether asking twice does no harm; only then it is tried again.
    pub is_idempotent: bool,
}

/// What a server says of one of its tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// The arguments that it wants.
    pub required: BTreeSet<String>,
    /// The arguments that it takes; empty if it does not say.
    pub known: BTreeSet<String>,
    /// What it does, in its server's words.
    pub does: String,
    /// The JSON Schema of what it takes, as its server gives it.
    pub takes: Value,
    /// Whether its server declares that it changes nothing.
    pub only_reads: bool,
}

/// Asks servers; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    mailbox: mpsc::Sender<Command>,
    waker: Waker,
}

#[derive(Debug)]
enum Command {
    Call { ask: Ask, token: CancellationToken, promise: Promise<Value> },
    Tools { server: String, patience_ms: u64, token: CancellationToken, promise: Promise<Vec<Tool>> },
    Restart { server: String, promise: Promise<()> },
    Statuses { promise: Promise<Vec<Status>> },
    Words { server: String, promise: Promise<Vec<Safe>> },
    Stop { grace: Duration, promise: Promise<u32> },
}

impl Handle {
    /// Calls a tool. A server that starts is waited for with the caller's patience; one that is gone for good answers
    /// at once. When `token` is cancelled the answer is [`Failure::Cancelled`], and the server is told with
    /// `notifications/cancelled`.
    pub fn call(&self, ask: Ask, token: CancellationToken) -> Reply<Value> {
        self.post(|promise| Command::Call { ask, token, promise })
    }

    /// Asks a server for its tools and what they take. A server that starts is waited for, as by [`Handle::call`].
    pub fn tools(&self, server: impl Into<String>, patience_ms: u64, token: CancellationToken) -> Reply<Vec<Tool>> {
        let server = server.into();
        self.post(|promise| Command::Tools { server, patience_ms, token, promise })
    }

    /// Starts a server anew, whatever its state; answers as soon as the order is given.
    pub fn restart(&self, server: impl Into<String>) -> Reply<()> {
        let server = server.into();
        self.post(|promise| Command::Restart { server, promise })
    }

    /// Returns the states of all servers, by name.
    pub fn statuses(&self) -> Reply<Vec<Status>> {
        self.post(|promise| Command::Statuses { promise })
    }

    /// Returns the latest lines that a server wrote to stderr.
    pub fn words(&self, server: impl Into<String>) -> Reply<Vec<Safe>> {
        let server = server.into();
        self.post(|promise| Command::Words { server, promise })
    }

    /// Ends all servers together (end of input and TERM, `grace`, KILL, a sweep by tag) and answers how many of their
    /// processes are left: 0 unless something is very wrong. The actor takes no calls afterwards.
    pub fn stop(&self, grace: Duration) -> Reply<u32> {
        self.post(|promise| Command::Stop { grace, promise })
    }

    fn post<T>(&self, command: impl FnOnce(Promise<T>) -> Command) -> Reply<T> {
        post(NAME, &self.mailbox, &self.waker, command)
    }
}

/// Starts all servers in parallel and returns at once.
pub fn spawn(
    scope: &Scope,
    lanes: &Lanes,
    clock: &Clock,
    connector: &Arc<dyn Connector>,
    specs: Vec<ServerSpec>,
) -> Handle {
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    let stop = Stop { asked: scope.cancel.child_token(), grace: Arc::default() };
    let mut servers = BTreeMap::new();
    for spec in specs {
        let server = Arc::new(Server::new(spec, clock));
        servers.insert(server.spec.name.clone(), Arc::clone(&server));
        let keeper = Keeper {
            scope: scope.clone(),
            server,
            connector: Arc::clone(connector),
            lanes: lanes.clone(),
            clock: Arc::clone(clock),
            stop: stop.clone(),
        };
        scope.spawn(keeper.keep());
    }
    let actor = Actor { scope: scope.clone(), servers: Arc::new(servers), clock: Arc::clone(clock), stop };
    scope.spawn(actor.run(commands));
    Handle { mailbox, waker: scope.waker().clone() }
}

struct Actor {
    scope: Scope,
    servers: Arc<BTreeMap<String, Arc<Server>>>,
    clock: Clock,
    stop: Stop,
}

impl Actor {
    async fn run(self, mut commands: mpsc::Receiver<Command>) {
        let mut seed = 0_u64;
        loop {
            let command = tokio::select! {
                command = commands.recv() => command,
                () = self.scope.cancel.cancelled() => return,
            };
            let Some(command) = command else { return };
            seed = seed.wrapping_add(1);
            self.take(command, seed);
        }
    }

    fn take(&self, command: Command, seed: u64) {
        let clock = Arc::clone(&self.clock);
        match command {
            Command::Call { ask, token, promise } => {
                let server = self.server(&ask.server);
                let patience = Duration::from_millis(ask.patience_ms);
                self.scope.answer(token, promise, async move {
                    Caller::new(server?, clock, seed).ask(&ask.tool, &ask.args, patience, ask.is_idempotent).await
                });
            }
            Command::Tools { server, patience_ms, token, promise } => {
                let server = self.server(&server);
                let patience = Duration::from_millis(patience_ms);
                self.scope.answer(
                    token,
                    promise,
                    async move { Caller::new(server?, clock, seed).tools(patience).await },
                );
            }
            Command::Restart { server, promise } => {
                promise.keep(self.server(&server).map(|server| server.order_restart()));
            }
            Command::Statuses { promise } => {
                promise.keep(Ok(self.servers.values().map(|server| server.status()).collect()));
            }
            Command::Words { server, promise } => promise.keep(self.server(&server).map(|server| server.words())),
            Command::Stop { grace, promise } => {
                // A second stop does not change the grace of the first.
                let _ = self.stop.grace.set(grace);
                self.stop.asked.cancel();
                let servers: Vec<_> = self.servers.values().cloned().collect();
                self.scope.spawn(async move { promise.keep(Ok(stopped(&servers, grace + STOP_SLACK).await)) });
            }
        }
    }

    fn server(&self, name: &str) -> Result<Arc<Server>, Failure> {
        self.servers.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.servers.keys().map(String::as_str).collect();
            Failure::Server { server: name.to_owned(), why: format!("not in the config (there: {})", known.join(", ")) }
        })
    }
}

/// Waits for all keepers, at most `limit` in all, and counts the processes that are left.
async fn stopped(servers: &[Arc<Server>], limit: Duration) -> u32 {
    let all = async {
        for server in servers {
            server.ended().await;
        }
    };
    if tokio::time::timeout(limit, all).await.is_err() {
        tracing::warn!("not every server ended in time");
    }
    servers.iter().map(|server| server.survivors()).sum()
}

/// Asks one server on behalf of one request.
struct Caller {
    server: Arc<Server>,
    clock: Clock,
    seed: u64,
}

impl Caller {
    fn new(server: Arc<Server>, clock: Clock, seed: u64) -> Self {
        Self { server, clock, seed }
    }

    /// Calls a tool until it answers, refuses, or the patience ends.
    async fn ask(&self, tool: &str, args: &Value, patience: Duration, is_idempotent: bool) -> Result<Value, Failure> {
        let end = Instant::now() + patience;
        let mut failed = 0;
        loop {
            let failure = match self.try_once(tool, args, end).await {
                Ok(value) => return Ok(value),
                Err(Tried::Final(failure)) => return Err(failure),
                Err(Tried::Passing(failure)) => failure,
            };
            failed += 1;
            let left = millis(end.saturating_duration_since(Instant::now()));
            let wait = retry::IDEMPOTENT_CALL.wait(failed, left, self.seed);
            let Some(wait) = wait.filter(|_| is_idempotent) else { return Err(failure) };
            self.server.note_retry();
            tracing::debug!(server = self.server.spec.name, tool, failed, wait, %failure, "asking again");
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
    }

    /// Asks for the tools once: nothing depends on it that would not be noticed later.
    async fn tools(&self, patience: Duration) -> Result<Vec<Tool>, Failure> {
        let name = &self.server.spec.name;
        let late = || Failure::Timeout { what: format!("the tools of MCP server {name}"), after_ms: millis(patience) };
        let asked = async {
            let session = self.server.ready().await?;
            session.shapes(patience).await.map_err(|trouble| self.server.failure(trouble.to_string()))
        };
        tokio::time::timeout(patience, asked).await.map_err(|_| late())?
    }

    async fn try_once(&self, tool: &str, args: &Value, end: Instant) -> Result<Value, Tried> {
        let name = &self.server.spec.name;
        let begun = Instant::now();
        let patience = end.saturating_duration_since(begun);
        let late = |what: String, limit: Duration| Failure::Timeout { what, after_ms: millis(limit) };
        let session = match tokio::time::timeout(patience, self.server.ready()).await {
            Ok(session) => session.map_err(Tried::Final)?,
            Err(_) => return Err(Tried::Final(late(format!("the start of MCP server {name}"), patience))),
        };
        let _running = self.server.begin(tool, &self.clock).map_err(Tried::Final)?;
        let begun = Instant::now();
        let limit = end.saturating_duration_since(begun).min(Duration::from_millis(self.server.spec.tool_ms));
        let answer = session.call(tool, args, limit).await;
        self.server.note_try(&session, begun.elapsed(), answer.as_ref().err(), &self.clock);
        let trouble = match answer {
            Ok(value) => return Ok(value),
            Err(trouble) => trouble,
        };
        Err(match trouble {
            Trouble::Refused(why) => Tried::Final(self.server.failure(format!("{tool}: {why}"))),
            Trouble::Failing(why) => Tried::Passing(self.server.failure(format!("{tool}: {why}"))),
            Trouble::Late => Tried::Passing(late(format!("{tool} of MCP server {name}"), limit)),
            Trouble::Stuck => {
                // Nothing reaches it any more, not even a cancel: end it, so that its keeper starts a new one.
                session.kill();
                Tried::Passing(late(format!("{tool} of MCP server {name}, which stopped reading,"), limit))
            }
            Trouble::Lost(why) => Tried::Passing(self.server.failure(why)),
        })
    }
}

/// How one try failed.
enum Tried {
    /// Asking again may help.
    Passing(Failure),
    /// It would not.
    Final(Failure),
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
