//! One server over its whole life: start, readiness, loss, restart, end. It owns the server's state.
//!
//! It must not know rmcp, and not who calls tools.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::child::Life;
use super::session::{Session, Trouble};
use super::wire::{Connector, LINE_MAX};
use super::{Clock, millis};
use crate::actors::Scope;
use crate::actors::lanes::Lanes;
use crate::domain::fact::Fact;
use crate::domain::failure::Failure;
use crate::domain::safe::Safe;
use crate::domain::server::{Remedy, ServerSpec, State, Status, remedy};

/// Between TERM and KILL when the program ends without saying how long: all servers end together, and nobody waits
/// longer than one may notice.
pub(super) const STOP_GRACE: Duration = Duration::from_millis(20);

/// Between TERM and KILL when a server is started anew. Nothing waits for it.
const RESTART_GRACE: Duration = Duration::from_millis(200);

/// Longest wait for a server's end, above every grace: after KILL the kernel needs a moment, and the sweep looks again
/// a few times.
const END_LIMIT: Duration = Duration::from_secs(2);

/// Longest wait for the exit code of a process that hung up; far more than a dying process needs.
const SETTLE: Duration = Duration::from_millis(500);

/// Least time between two tellings of a server's last words and counters: two a second are as many as can be read.
const REFRESH: Duration = Duration::from_millis(500);

/// Call durations that the percentiles are taken from.
const LATENCIES: usize = 256;

/// What all parts of the actor know of one server.
pub(super) struct Server {
    /// What it is started with.
    pub(super) spec: ServerSpec,
    phase: watch::Sender<Phase>,
    book: Mutex<Book>,
    /// Something in the book is worth telling.
    news: Notify,
    /// Somebody asked for a restart.
    restart: Notify,
    /// The server changed its list of tools.
    tools_changed: Arc<Notify>,
    /// Cancelled when the keeper has ended.
    ended: CancellationToken,
}

/// What callers need to know of the state.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Wait for it.
    Coming,
    /// Ask it.
    Ready(Session),
    /// Give up, for this reason.
    Dead(String),
}

struct Book {
    status: Status,
    latencies: VecDeque<u64>,
    life: Option<Life>,
}

/// Why a start or a watch ended.
enum Ending {
    /// It failed; for how long it had been ready, and why.
    Failed { ready: Duration, why: String },
    /// Somebody asked for a restart.
    Restarted,
    /// The actor ends.
    Stopped,
}

/// How the actor's end is to be done.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    /// Cancelled when the actor ends.
    pub(super) asked: CancellationToken,
    /// Between TERM and KILL, if it was said.
    pub(super) grace: Arc<OnceLock<Duration>>,
}

impl Server {
    pub(super) fn new(spec: ServerSpec, clock: &Clock) -> Self {
        let status = Status {
            name: spec.name.clone(),
            state: State::Starting,
            since: clock(),
            protocol: None,
            tools: Vec::new(),
            calls: 0,
            latency_us: None,
            restarts: 0,
            last_line: None,
        };
        Self {
            spec,
            phase: watch::channel(Phase::Coming).0,
            book: Mutex::new(Book { status, latencies: VecDeque::new(), life: None }),
            news: Notify::new(),
            restart: Notify::new(),
            tools_changed: Arc::default(),
            ended: CancellationToken::new(),
        }
    }

    /// Returns what is known of it now.
    pub(super) fn status(&self) -> Status {
        let book = self.book();
        let mut status = book.status.clone();
        status.latency_us = percentiles(&book.latencies);
        if let Some(word) = book.life.as_ref().and_then(Life::last_word) {
            status.last_line = Some(word);
        }
        status
    }

    /// Returns the latest lines that it wrote to stderr.
    pub(super) fn words(&self) -> Vec<Safe> {
        self.book().life.as_ref().map(Life::words).unwrap_or_default()
    }

    /// Asks for a restart, whatever its state.
    pub(super) fn order_restart(&self) {
        self.restart.notify_one();
    }

    /// Waits until the keeper has ended.
    pub(super) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    /// Returns how many processes of it are left.
    pub(super) fn survivors(&self) -> u32 {
        self.book().life.as_ref().map_or(0, Life::survivors)
    }

    /// Waits for a conversation. A server that is gone for good answers at once; the caller brings the deadline.
    pub(super) async fn ready(&self) -> Result<Session, Failure> {
        let mut phase = self.phase.subscribe();
        // The sender lives in self: the channel cannot close while we wait.
        let is_settled = |phase: &Phase| match phase {
            Phase::Coming => false,
            Phase::Ready(session) => !session.is_over(),
            Phase::Dead(_) => true,
        };
        let now = phase.wait_for(is_settled).await;
        match now.map(|phase| phase.clone()) {
            Ok(Phase::Ready(session)) => Ok(session),
            Ok(Phase::Dead(why)) => Err(self.failure(why)),
            Ok(Phase::Coming) | Err(_) => Err(self.failure("its keeper is gone".into())),
        }
    }

    /// Makes the failure that names this server.
    pub(super) fn failure(&self, why: String) -> Failure {
        Failure::Server { server: self.spec.name.clone(), why }
    }

    /// Notes how one try of a call went.
    pub(super) fn note_try(&self, session: &Session, took: Duration, trouble: Option<&Trouble>, clock: &Clock) {
        // A refusal is an answer: the server works.
        let is_answered = matches!(trouble, None | Some(Trouble::Refused(_)));
        let mut book = self.book();
        if is_answered {
            book.status.calls += 1;
            if book.latencies.len() == LATENCIES {
                book.latencies.pop_front();
            }
            book.latencies.push_back(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
        let next = match trouble {
            None | Some(Trouble::Refused(_)) => State::Ready,
            Some(Trouble::Late) => State::Degraded { why: format!("no answer in {} ms", took.as_millis()) },
            Some(Trouble::Stuck | Trouble::Lost(_)) => return,
        };
        let is_current = matches!(&*self.phase.borrow(), Phase::Ready(current) if current.is(session));
        let same_kind = std::mem::discriminant(&next) == std::mem::discriminant(&book.status.state);
        if is_current && !same_kind {
            book.status.state = next;
            book.status.since = clock();
        }
        drop(book);
        self.news.notify_one();
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the median and the 99th percentile (nearest rank), in the unit of the input.
fn percentiles(latencies: &VecDeque<u64>) -> Option<(u64, u64)> {
    let mut sorted: Vec<u64> = latencies.iter().copied().collect();
    sorted.sort_unstable();
    let rank = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    Some((rank(50)?, rank(99)?))
}

/// The task that keeps one server.
pub(super) struct Keeper {
    pub(super) scope: Scope,
    pub(super) server: Arc<Server>,
    pub(super) connector: Arc<dyn Connector>,
    pub(super) lanes: Lanes,
    pub(super) clock: Clock,
    pub(super) stop: Stop,
}

impl Keeper {
    /// Keeps the server until the actor ends; then no process of it is left.
    pub(super) async fn keep(self) {
        let _ended = self.server.ended.clone().drop_guard();
        let mut attempts = 0;
        loop {
            match self.live_once().await {
                Ending::Stopped => break,
                Ending::Restarted => attempts = 0,
                Ending::Failed { ready, why } => match remedy(attempts, millis(ready)) {
                    Remedy::Restart { attempt, delay_ms } => {
                        attempts = attempt;
                        let retry_at = (self.clock)().plus_ms(delay_ms);
                        self.enter(State::Lost { attempt, retry_at, why }, Phase::Coming).await;
                        tokio::select! {
                            () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
                            () = self.server.restart.notified() => attempts = 0,
                            () = self.stop.asked.cancelled() => break,
                        }
                    }
                    Remedy::GiveUp => {
                        self.enter(State::Dead { why: why.clone() }, Phase::Dead(why)).await;
                        tokio::select! {
                            () = self.server.restart.notified() => attempts = 0,
                            () = self.stop.asked.cancelled() => break,
                        }
                    }
                },
            }
            self.server.book().status.restarts += 1;
        }
        self.server.phase.send_replace(Phase::Dead("it was stopped".into()));
    }

    /// Starts the server and stays with it until it ends; then its group is gone.
    async fn live_once(&self) -> Ending {
        self.enter(State::Starting, Phase::Coming).await;
        let wire = match self.connector.connect(&self.scope, &self.server.spec) {
            Ok(wire) => wire,
            Err(Failure::Server { why, .. }) => return Ending::Failed { ready: Duration::ZERO, why },
            Err(other) => return Ending::Failed { ready: Duration::ZERO, why: other.to_string() },
        };
        let life = wire.life.clone();
        self.server.book().life = Some(life.clone());
        let limit = Duration::from_millis(self.server.spec.startup_ms);
        let opening = Session::open(&self.scope, wire, LINE_MAX, Arc::clone(&self.server.tools_changed));
        let opening = async {
            let session = opening.await?;
            let tools = session.tools(limit).await.map_err(|trouble| format!("no list of tools: {trouble}"))?;
            Ok((session, tools))
        };
        let started = Instant::now();
        let opened = tokio::select! {
            opened = tokio::time::timeout(limit, Box::pin(opening)) => opened,
            () = life.gone() => Ok(Err("it ended during the handshake".into())),
            never = self.telling(&life) => match never {},
            () = self.server.restart.notified() => return self.end(None, &life, Ending::Restarted).await,
            () = self.stop.asked.cancelled() => return self.end(None, &life, Ending::Stopped).await,
        };
        let why = match opened {
            Ok(Ok((session, tools))) => {
                tracing::info!(server = self.server.spec.name, took_ms = millis(started.elapsed()), "ready");
                return self.watch_over(session, tools, &life).await;
            }
            Ok(Err(why)) => {
                settle(&life).await;
                self.reason(&life, why)
            }
            Err(_) => self.reason(&life, format!("no handshake within {} s", limit.as_secs_f32())),
        };
        self.end(None, &life, Ending::Failed { ready: Duration::ZERO, why }).await
    }

    /// Stays with a ready server until its conversation is over.
    async fn watch_over(&self, session: Session, tools: Vec<String>, life: &Life) -> Ending {
        {
            let mut book = self.server.book();
            book.status.protocol = session.protocol();
            book.status.tools = tools;
        }
        self.enter(State::Ready, Phase::Ready(session.clone())).await;
        let since = Instant::now();
        let ending = tokio::select! {
            () = session.over() => {
                let ready = since.elapsed();
                settle(life).await;
                Ending::Failed { ready, why: self.reason(life, "it hung up".into()) }
            }
            never = self.telling(life) => match never {},
            never = self.following_tools(&session) => match never {},
            () = self.server.restart.notified() => Ending::Restarted,
            () = self.stop.asked.cancelled() => Ending::Stopped,
        };
        self.server.phase.send_replace(Phase::Coming);
        self.end(Some(&session), life, ending).await
    }

    /// Ends the server: end of input and TERM, the grace, KILL, the sweep. Returns `ending`.
    async fn end(&self, session: Option<&Session>, life: &Life, ending: Ending) -> Ending {
        if let Some(session) = session {
            session.close();
        }
        match ending {
            Ending::Stopped => life.stop(self.stop.grace.get().copied().unwrap_or(STOP_GRACE)),
            Ending::Restarted => life.stop(RESTART_GRACE),
            Ending::Failed { .. } => life.kill(),
        }
        if tokio::time::timeout(END_LIMIT, life.gone()).await.is_err() {
            tracing::warn!(server = self.server.spec.name, "its process does not go, even after KILL");
        }
        ending
    }

    /// Completes the reason for a loss: how the process ended, if it has, and the last thing it said.
    fn reason(&self, life: &Life, why: String) -> String {
        let mut why = life.how().map_or(why, |how| format!("it ended ({how})"));
        if let Some(word) = life.last_word() {
            self.server.book().status.last_line = Some(word.clone());
            why.push_str(": ");
            why.push_str(word.as_str());
        }
        why
    }

    /// Changes the state and tells it; callers see the phase first, so that nobody waits for the screen.
    async fn enter(&self, state: State, phase: Phase) {
        {
            let mut book = self.server.book();
            book.status.state = state;
            book.status.since = (self.clock)();
        }
        self.server.phase.send_replace(phase);
        self.tell().await;
    }

    async fn tell(&self) {
        self.lanes.tell(Fact::ServerChanged(self.server.status()), &self.stop.asked).await;
    }

    /// Tells what the server says and how its calls go, at most twice a second, and only when something happened; a
    /// change of state at once.
    async fn telling(&self, life: &Life) -> Infallible {
        let kind = || std::mem::discriminant(&self.server.book().status.state);
        let mut told = kind();
        let mut due = Instant::now();
        let mut waiting = false;
        loop {
            tokio::select! {
                // Not listened to while something waits to be told: a flood on stderr wakes us twice a second.
                () = life.spoke(), if !waiting => waiting = true,
                () = self.server.news.notified() => waiting = true,
                () = tokio::time::sleep_until(due), if waiting => {}
            }
            let now = kind();
            if now != told || (waiting && Instant::now() >= due) {
                self.tell().await;
                told = now;
                waiting = false;
                due = Instant::now() + REFRESH;
            }
        }
    }

    /// Asks for the tools again whenever the server says that they changed.
    async fn following_tools(&self, session: &Session) -> Infallible {
        loop {
            self.server.tools_changed.notified().await;
            let limit = Duration::from_millis(self.server.spec.tool_ms);
            match session.tools(limit).await {
                Ok(tools) => {
                    self.server.book().status.tools = tools;
                    self.tell().await;
                }
                Err(trouble) => {
                    tracing::warn!(
                        server = self.server.spec.name,
                        ?trouble,
                        "its tools changed, but it does not say how"
                    );
                }
            }
        }
    }
}

/// Gives a process that hung up the time to die: it closes its pipes first, its exit code follows within moments.
async fn settle(life: &Life) {
    // One that hung up and lives on has no exit code to wait for.
    let _ = tokio::time::timeout(SETTLE, life.ended()).await;
}
