//! What all parts of the actor know of one server: its phase for callers, its status for the screen.
//!
//! It must not know rmcp, how a server is started, or when it is started again.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::child::Life;
use super::session::{Heard, Session, Trouble};
use super::{Clock, millis};
use crate::domain::failure::Failure;
use crate::domain::safe::Safe;
use crate::domain::server::{Admission, Running, ServerSpec, State, Status, TAIL, admission, counts_as_failure};

/// Call durations that the percentiles are taken from.
const LATENCIES: usize = 256;

/// What all parts of the actor know of one server.
pub(super) struct Server {
    /// What it is started with.
    pub(super) spec: ServerSpec,
    /// What callers need to know.
    pub(super) phase: watch::Sender<Phase>,
    book: Mutex<Book>,
    /// What it says unasked, and whether something is worth telling.
    pub(super) heard: Arc<Heard>,
    /// A call has ended.
    pub(super) used: Notify,
    /// Somebody asked for a restart.
    pub(super) restart: Notify,
    /// Cancelled when the keeper has ended.
    pub(super) ended: CancellationToken,
}

/// What callers need to know of the state.
#[derive(Clone)]
pub(super) enum Phase {
    /// Wait for it.
    Coming,
    /// Ask it.
    Ready(Session),
    /// Give up, for this reason.
    Dead(String),
}

/// What the screen shows, and what it is computed from.
pub(super) struct Book {
    pub(super) status: Status,
    pub(super) life: Option<Life>,
    latencies: VecDeque<u64>,
    /// Calls under way, by their number.
    running: BTreeMap<u64, Running>,
    last_call: u64,
    /// Calls in a row that were not answered, and when the last of them ended.
    failures: u32,
    failed_at: Instant,
    /// The call that decides whether the server is asked again.
    probe: Option<u64>,
}

/// A call under way; dropping it ends the call, however it ended.
pub(super) struct Call {
    server: Arc<Server>,
    number: u64,
}

impl Drop for Call {
    fn drop(&mut self) {
        let mut book = self.server.book();
        book.running.remove(&self.number);
        if book.probe == Some(self.number) {
            book.probe = None;
        }
        if book.running.is_empty() {
            self.server.heard.forget_progress();
        }
        drop(book);
        self.server.used.notify_one();
        self.server.heard.news.notify_one();
    }
}

impl Server {
    pub(super) fn new(spec: ServerSpec, clock: &Clock) -> Self {
        let status = Status {
            name: spec.name.clone(),
            state: State::Starting,
            since: clock(),
            identity: None,
            protocol: None,
            tools: Vec::new(),
            calls: 0,
            retries: 0,
            running: Vec::new(),
            progress: None,
            latency_us: None,
            restarts: 0,
            last_line: None,
            tail: Vec::new(),
        };
        Self {
            spec,
            phase: watch::channel(Phase::Coming).0,
            book: Mutex::new(Book {
                status,
                life: None,
                latencies: VecDeque::new(),
                running: BTreeMap::new(),
                last_call: 0,
                failures: 0,
                failed_at: Instant::now(),
                probe: None,
            }),
            heard: Arc::default(),
            used: Notify::new(),
            restart: Notify::new(),
            ended: CancellationToken::new(),
        }
    }

    /// Returns what is known of it now.
    pub(super) fn status(&self) -> Status {
        let book = self.book();
        let mut status = book.status.clone();
        status.latency_us = percentiles(&book.latencies);
        status.running = book.running.values().cloned().collect();
        status.progress = self.heard.progress();
        if let Some(life) = &book.life {
            status.tail = life.tail(TAIL);
            // A new life has not spoken yet: what the last one said stays until it does.
            status.last_line = status.tail.last().cloned().or(status.last_line);
        }
        status
    }

    /// Returns the latest lines that it wrote to stderr or logged.
    pub(super) fn words(&self) -> Vec<Safe> {
        self.book().life.as_ref().map(Life::words).unwrap_or_default()
    }

    /// Notes a call that begins, unless the server is to be left alone.
    pub(super) fn begin(self: &Arc<Self>, tool: &str, clock: &Clock) -> Result<Call, Failure> {
        let mut book = self.book();
        let number = book.last_call + 1;
        match admission(book.failures, millis(book.failed_at.elapsed()), book.probe.is_some()) {
            Admission::Ask => {}
            Admission::Probe => book.probe = Some(number),
            Admission::Refuse { for_ms } => {
                let failures = book.failures;
                drop(book);
                let soon = Duration::from_millis(for_ms).as_secs_f32();
                return Err(
                    self.failure(format!("its last {failures} calls had no answer: it is left alone for {soon:.1} s"))
                );
            }
        }
        book.last_call = number;
        book.running.insert(number, Running { tool: tool.to_owned(), since: clock() });
        drop(book);
        self.heard.news.notify_one();
        Ok(Call { server: Arc::clone(self), number })
    }

    /// Tells whether no call is under way.
    pub(super) fn is_quiet(&self) -> bool {
        self.book().running.is_empty()
    }

    /// Returns how many calls in a row were not answered.
    pub(super) fn failures(&self) -> u32 {
        self.book().failures
    }

    /// Notes that a call is asked again.
    pub(super) fn note_retry(&self) {
        self.book().status.retries += 1;
    }

    /// Notes what a new conversation began with. What was held against the old one is forgotten.
    pub(super) fn note_start(&self, session: &Session, tools: Vec<String>) {
        let mut book = self.book();
        book.status.identity = session.identity();
        book.status.protocol = session.protocol();
        book.status.tools = tools;
        book.failures = 0;
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
        let took_ms = millis(took);
        let mut book = self.book();
        if is_answered {
            book.failures = 0;
            book.status.calls += 1;
            if book.latencies.len() == LATENCIES {
                book.latencies.pop_front();
            }
            book.latencies.push_back(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        }
        let next = match trouble {
            None | Some(Trouble::Refused(_)) => State::Ready,
            Some(Trouble::Late) => State::Degraded { why: format!("no answer in {took_ms} ms") },
            Some(Trouble::Failing(why)) => State::Degraded { why: why.clone() },
            Some(Trouble::Stuck | Trouble::Lost(_)) => return,
        };
        let is_failure = match trouble {
            None | Some(Trouble::Refused(_) | Trouble::Stuck | Trouble::Lost(_)) => false,
            Some(Trouble::Failing(_)) => true,
            Some(Trouble::Late) => counts_as_failure(took_ms, self.spec.tool_ms),
        };
        if is_failure {
            book.failures = book.failures.saturating_add(1);
            book.failed_at = Instant::now();
        }
        let is_current = matches!(&*self.phase.borrow(), Phase::Ready(current) if current.is(session));
        let same_kind = std::mem::discriminant(&next) == std::mem::discriminant(&book.status.state);
        if is_current && !same_kind {
            book.status.state = next;
            book.status.since = clock();
        }
        drop(book);
        self.heard.news.notify_one();
    }

    pub(super) fn book(&self) -> std::sync::MutexGuard<'_, Book> {
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
