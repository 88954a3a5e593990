//! One server over its whole life: start, readiness, loss, restart, end. It alone changes the phase.
//!
//! It must not know rmcp, and not who calls tools.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::book::{Phase, Server};
use super::child::Life;
use super::session::{Line, Refusal, Session};
use super::wire::{Connector, LINE_MAX};
use super::{Clock, millis};
use crate::actors::Scope;
use crate::actors::lanes::Lanes;
use crate::domain::fact::Fact;
use crate::domain::failure::Failure;
use crate::domain::server::{Reach, Remedy, State, ping_after_ms, remedy};

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

/// Why a start or a watch ended.
enum Ending {
    /// It failed; for how long it had been ready, and why.
    Failed { ready: Duration, why: String },
    /// Starting it again is of no use, until somebody changes something; why.
    Hopeless(String),
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
            let (remedy, why) = match self.live_once().await {
                Ending::Stopped => break,
                Ending::Restarted => (Remedy::Restart { attempt: 0, delay_ms: 0 }, String::new()),
                Ending::Failed { ready, why } => (remedy(attempts, millis(ready)), why),
                Ending::Hopeless(why) => (Remedy::GiveUp, why),
            };
            match remedy {
                Remedy::Restart { attempt, delay_ms: 0 } => attempts = attempt,
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
            }
            self.server.book().status.restarts += 1;
        }
        self.server.phase.send_replace(Phase::Dead("it was stopped".into()));
    }

    /// Starts the server and stays with it until it ends; then its group is gone.
    async fn live_once(&self) -> Ending {
        self.enter(State::Starting, Phase::Coming).await;
        let spec = &self.server.spec;
        let line = match &spec.reach {
            Reach::Process(program) => self.connector.connect(&self.scope, &spec.name, program).map(Line::Pipes),
            Reach::Http(endpoint) => {
                Ok(Line::Http(endpoint.clone(), Life::without_process().hiding(self.connector.redactor())))
            }
        };
        let line = match line {
            Ok(line) => line,
            Err(Failure::Server { why, .. }) => return Ending::Failed { ready: Duration::ZERO, why },
            Err(other) => return Ending::Failed { ready: Duration::ZERO, why: other.to_string() },
        };
        let life = line.life().clone();
        self.server.book().life = Some(life.clone());
        let limit = Duration::from_millis(spec.startup_ms);
        let opening = async {
            let session =
                Session::open(&self.scope, line, LINE_MAX, &spec.root, Arc::clone(&self.server.heard)).await?;
            let tools = session.tools(limit).await;
            let tools = tools.map_err(|trouble| Refusal::Passing(format!("no list of tools: {trouble}")))?;
            Ok((session, tools))
        };
        let started = Instant::now();
        let opened = tokio::select! {
            opened = tokio::time::timeout(limit, Box::pin(opening)) => opened,
            () = life.gone() => Ok(Err(Refusal::Passing("it ended during the handshake".into()))),
            never = self.telling(&life) => match never {},
            () = self.server.restart.notified() => return self.end(None, &life, Ending::Restarted).await,
            () = self.stop.asked.cancelled() => return self.end(None, &life, Ending::Stopped).await,
        };
        let ending = match opened {
            Ok(Ok((session, tools))) => {
                tracing::info!(server = self.server.spec.name, took_ms = millis(started.elapsed()), "ready");
                return self.watch_over(session, tools, &life).await;
            }
            Ok(Err(Refusal::Final(why))) => Ending::Hopeless(why),
            Ok(Err(Refusal::Passing(why))) => {
                settle(&life).await;
                Ending::Failed { ready: Duration::ZERO, why: self.reason(&life, why) }
            }
            Err(_) => {
                let why = self.reason(&life, format!("no handshake within {} s", limit.as_secs_f32()));
                Ending::Failed { ready: Duration::ZERO, why }
            }
        };
        self.end(None, &life, ending).await
    }

    /// Stays with a ready server until its conversation is over.
    async fn watch_over(&self, session: Session, tools: Vec<String>, life: &Life) -> Ending {
        self.server.note_start(&session, tools);
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
            () = self.until_silent(&session) => {
                Ending::Failed { ready: since.elapsed(), why: self.reason(life, "it does not answer a ping".into()) }
            }
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
            Ending::Failed { .. } | Ending::Hopeless(_) => life.kill(),
        }
        if tokio::time::timeout(END_LIMIT, life.gone()).await.is_err() {
            tracing::warn!(server = self.server.spec.name, "its process does not go, even after KILL");
        }
        ending
    }

    /// Completes the reason for a loss: how the process ended, if it has, and the last thing it said.
    fn reason(&self, life: &Life, why: String) -> String {
        let mut why = life.how().unwrap_or(why);
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
        self.lanes.tell(Fact::ServerChanged(Box::new(self.server.status())), &self.stop.asked).await;
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
                () = self.server.heard.news.notified() => waiting = true,
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

    /// Asks the server whether it is alive, once after each time it was used and then left in peace; returns when it
    /// is not. A server that nobody uses is not asked: the end of its process tells enough.
    async fn until_silent(&self, session: &Session) {
        let limit = Duration::from_millis(self.server.spec.tool_ms);
        loop {
            self.server.used.notified().await;
            let mut is_used = true;
            while is_used {
                let pause = Duration::from_millis(ping_after_ms(self.server.failures()));
                is_used = tokio::time::timeout(pause, self.server.used.notified()).await.is_ok();
            }
            // A server that does one thing at a time cannot answer now; the end of the call brings us back here.
            if self.server.is_quiet()
                && let Err(trouble) = session.ping(limit).await
            {
                tracing::warn!(server = self.server.spec.name, %trouble, "no answer to a ping");
                return;
            }
        }
    }

    /// Asks for the tools again whenever the server says that they changed.
    async fn following_tools(&self, session: &Session) -> Infallible {
        loop {
            self.server.heard.tools_changed.notified().await;
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
