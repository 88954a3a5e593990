//! The hands: tokio tasks that do slow things and answer.
//!
//! They know the domain and the disk. They must not know the screen, the brain or the shell.
//!
//! # The convention
//!
//! Every actor module has exactly these parts, in this order:
//!
//! 1. `Handle`, cheap to clone. Its methods are verbs and never wait: they [`post`] a command and return a [`Reply`].
//! 2. A private `enum Command`; each variant carries what to do, a [`CancellationToken`] and a [`Promise`].
//! 3. `spawn(scope, seam…) -> Handle`; the seam is an argument, so that tests pass a fake.
//! 4. `run(scope, mailbox, …)`: each command becomes its own tracked task, so that the mailbox stays free.
//!
//! # Who may ask whom
//!
//! ```text
//! consensus → { mcp (only to gather), evidence, repo }        scribe → { evidence, repo }
//! agents → { mcp (tools that a model over HTTP is offered) }
//! ```
//!
//! The graph is acyclic, and no actor calls the UI. Actor asks actor by awaiting a reply under its own deadline.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::thread::Thread;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::domain::failure::Failure;

pub mod agents;
pub mod consensus;
pub mod evidence;
pub mod lanes;
pub mod mcp;
pub mod repo;
pub mod scribe;
pub mod transcript;

/// Room for requests in an actor's mailbox. The brain sends at most a few per turn; a full mailbox is our bug.
pub const MAILBOX: usize = 256;

/// Wakes the UI thread: a flag plus an unpark, because library code may consume the park token.
#[derive(Debug, Clone)]
pub struct Waker {
    raised: Arc<AtomicBool>,
    thread: Option<Thread>,
}

impl Waker {
    /// Makes the waker of the thread that will park.
    pub fn of(thread: Thread) -> Self {
        Self { raised: Arc::default(), thread: Some(thread) }
    }

    /// Makes a waker that wakes nobody, for tests and callers that await.
    pub fn nobody() -> Self {
        Self { raised: Arc::default(), thread: None }
    }

    /// Wakes the thread now, or stops it from parking next.
    pub fn wake(&self) {
        self.raised.store(true, Ordering::Release);
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }

    /// Tells whether somebody woke us since the last call.
    pub fn take(&self) -> bool {
        self.raised.swap(false, Ordering::AcqRel)
    }
}

/// The only way to spawn: a cancel token, a tracker that shutdown waits for, the runtime, and the UI's waker.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Cancelled when the program (or the part that this scope covers) ends.
    pub cancel: CancellationToken,
    tasks: TaskTracker,
    runtime: tokio::runtime::Handle,
    waker: Waker,
}

impl Scope {
    /// Makes the root scope.
    pub fn new(runtime: tokio::runtime::Handle, waker: Waker) -> Self {
        Self { cancel: CancellationToken::new(), tasks: TaskTracker::new(), runtime, waker }
    }

    /// Returns a scope whose token is a child of this one's; tasks are tracked together.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { cancel: self.cancel.child_token(), ..self.clone() }
    }

    /// Returns the UI's waker.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Spawns a tracked task.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task, &self.runtime);
    }

    /// Spawns a tracked closure on the blocking pool: for files, hashing and SQLite.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.tasks.spawn_blocking_on(work, &self.runtime)
    }

    /// Spawns a job and keeps its promise with the job's result: [`Failure::Cancelled`] when `token` is cancelled
    /// first. For jobs without side effects; a job that owns a child or a lock takes the token and finishes by itself
    /// (use [`Scope::spawn`] and [`Promise::keep`]).
    pub fn answer<T: Send + 'static>(
        &self,
        token: CancellationToken,
        promise: Promise<T>,
        job: impl Future<Output = Result<T, Failure>> + Send + 'static,
    ) {
        self.spawn(async move {
            let outcome = tokio::select! {
                biased;
                outcome = job => outcome,
                () = token.cancelled() => Err(Failure::Cancelled),
            };
            promise.keep(outcome);
        });
    }

    /// Waits until every tracked task has ended. Call it once, after cancelling.
    pub async fn closed(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Returns how many tracked tasks live.
    pub fn live(&self) -> usize {
        self.tasks.len()
    }
}

/// The sending half of one answer. Dropping it is an answer too: the other side sees [`Failure::ActorGone`], and the
/// UI is woken either way.
#[derive(Debug)]
pub struct Promise<T> {
    sender: Option<oneshot::Sender<Result<T, Failure>>>,
    waker: Waker,
}

impl<T> Promise<T> {
    /// Answers. A receiver that is gone no longer wants it.
    pub fn keep(mut self, outcome: Result<T, Failure>) {
        if let Some(sender) = self.sender.take() {
            // The asker may have gone: nobody is left to tell.
            let _ = sender.send(outcome);
        }
        // Drop wakes the UI.
    }
}

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        // A dropped oneshot wakes nobody by itself; drop the sender before the wake, so that the poll sees it.
        drop(self.sender.take());
        self.waker.wake();
    }
}

/// The receiving half of one answer: polled by the UI with [`Reply::poll_now`], awaited by actors under their own
/// deadline.
#[derive(Debug)]
#[must_use = "a reply that nobody reads is a request that nobody needed"]
pub struct Reply<T> {
    actor: &'static str,
    receiver: oneshot::Receiver<Result<T, Failure>>,
}

impl<T> Reply<T> {
    /// Returns the answer if it is there, [`Failure::ActorGone`] if it will never come, `None` while it may.
    pub fn poll_now(&mut self) -> Option<Result<T, Failure>> {
        match self.receiver.try_recv() {
            Ok(outcome) => Some(outcome),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => Some(Err(Failure::ActorGone { actor: self.actor.into() })),
        }
    }

    /// Waits for the answer, at most `limit`; `what` names the thing waited for.
    ///
    /// # Errors
    /// The actor's failure, [`Failure::ActorGone`], or [`Failure::Timeout`].
    pub async fn within(self, limit: std::time::Duration, what: &str) -> Result<T, Failure> {
        match tokio::time::timeout(limit, self).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout {
                what: what.to_owned(),
                after_ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }
}

impl<T> Future for Reply<T> {
    type Output = Result<T, Failure>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver)
            .poll(cx)
            .map(|outcome| outcome.unwrap_or_else(|_| Err(Failure::ActorGone { actor: self.actor.into() })))
    }
}

/// Makes the two halves of one answer.
pub fn promise<T>(actor: &'static str, waker: &Waker) -> (Promise<T>, Reply<T>) {
    let (sender, receiver) = oneshot::channel();
    (Promise { sender: Some(sender), waker: waker.clone() }, Reply { actor, receiver })
}

/// Puts a command that carries a promise into an actor's mailbox. A full mailbox answers [`Failure::Busy`], a closed
/// one [`Failure::ActorGone`]; never waits.
pub fn post<C, T>(
    actor: &'static str,
    mailbox: &mpsc::Sender<C>,
    waker: &Waker,
    command: impl FnOnce(Promise<T>) -> C,
) -> Reply<T> {
    let (promise, reply) = promise(actor, waker);
    match mailbox.try_send(command(promise)) {
        Ok(()) => reply,
        // The command comes back with its promise inside; dropping it answers ActorGone, so Busy needs a fresh pair.
        Err(mpsc::error::TrySendError::Full(_)) => {
            let (promise, reply) = self::promise(actor, waker);
            promise.keep(Err(Failure::Busy { actor: actor.into() }));
            reply
        }
        Err(mpsc::error::TrySendError::Closed(_)) => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_promise_answers_and_wakes() {
        let waker = Waker::nobody();
        let (promise, mut reply) = promise::<()>("test", &waker);
        assert_eq!(reply.poll_now(), None);
        drop(promise);
        assert!(waker.take());
        assert_eq!(reply.poll_now(), Some(Err(Failure::ActorGone { actor: "test".into() })));
    }

    #[test]
    fn a_full_mailbox_is_busy_and_a_closed_one_is_gone() {
        let waker = Waker::nobody();
        let (sender, receiver) = mpsc::channel::<Promise<()>>(1);
        let _kept = post("test", &sender, &waker, |p| p);
        assert_eq!(post("test", &sender, &waker, |p| p).poll_now(), Some(Err(Failure::Busy { actor: "test".into() })));
        drop(receiver);
        assert_eq!(
            post("test", &sender, &waker, |p| p).poll_now(),
            Some(Err(Failure::ActorGone { actor: "test".into() }))
        );
    }
}
