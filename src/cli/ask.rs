//! Asking actors from a command that has no loop: this thread parks until the answer is there.
//!
//! It must not know what is asked.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::actors::{Reply, Scope, Waker, promise};
use crate::app::msg::Signal;
use crate::domain::failure::Failure;

/// Threads for the work of one command.
const THREADS: usize = 2;

/// How long leaving may take: what still runs then only reads.
const LEAVING: Duration = Duration::from_millis(200);

/// The signal that stopped this process, 0 while none did. Signals are the process's, and so is this.
static SIGNALLED: AtomicU8 = AtomicU8::new(0);

/// Returns the signal that asked this process to stop, if one did.
pub fn signalled() -> Option<Signal> {
    [Signal::Interrupt, Signal::Terminate].into_iter().find(|signal| signal.exit() == SIGNALLED.load(Ordering::Acquire))
}

/// A runtime for the length of one command, and the only thread that waits on it.
#[derive(Debug)]
pub struct Desk {
    /// What actors are spawned in.
    pub scope: Scope,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Desk {
    /// Starts the runtime. SIGINT and SIGTERM cancel the scope, so that what was asked answers
    /// [`Failure::Cancelled`] and children are ended in order.
    ///
    /// # Errors
    /// When the system gives us no threads.
    pub fn open() -> Result<Self, Failure> {
        let broken = |error: std::io::Error| Failure::BadInput {
            place: "the system".into(),
            why: format!("it gives us no threads: {error}"),
            next: "raise the limit of processes (ulimit -u), or free some".into(),
            exit: 3,
        };
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().map_err(broken)?;
        let scope = Scope::new(runtime.handle().clone(), Waker::of(std::thread::current()));
        stop_on_signal(&scope);
        Ok(Self { scope, runtime: Some(runtime) })
    }

    /// Returns a token that ends with the command.
    pub fn token(&self) -> CancellationToken {
        self.scope.cancel.child_token()
    }

    /// Does something that needs to be inside the runtime without waiting for it, such as starting actors.
    pub fn inside<T>(&self, start: impl FnOnce() -> T) -> T {
        let _guard = self.runtime.as_ref().map(tokio::runtime::Runtime::enter);
        start()
    }

    /// Waits for an answer, at most `limit`; `what` names the thing waited for.
    ///
    /// # Errors
    /// The actor's failure, or [`Failure::Timeout`].
    pub fn ask<T>(&self, limit: Duration, what: &str, mut reply: Reply<T>) -> Result<T, Failure> {
        let began = Instant::now();
        loop {
            if let Some(outcome) = reply.poll_now() {
                return outcome;
            }
            if signalled().is_some() {
                return Err(Failure::Cancelled);
            }
            let left = limit.saturating_sub(began.elapsed());
            if left.is_zero() {
                let after_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                return Err(Failure::Timeout { what: what.to_owned(), after_ms });
            }
            if !self.scope.waker().take() {
                std::thread::park_timeout(left);
            }
        }
    }

    /// Does a job on the runtime and waits for it without a deadline: for servers, which end when their input does.
    ///
    /// # Errors
    /// The job's failure.
    pub fn serve(&self, job: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Result<(), Failure> {
        let (promise, mut reply) = promise("server", self.scope.waker());
        self.scope.spawn(async move { promise.keep(job.await) });
        loop {
            if let Some(outcome) = reply.poll_now() {
                return outcome;
            }
            if !self.scope.waker().take() {
                std::thread::park();
            }
        }
    }

    /// Lets time pass on this thread, until `done` says so or `limit` is over; tells which. `done` is asked every
    /// `pause`.
    pub fn until(&self, limit: Duration, pause: Duration, mut done: impl FnMut() -> bool) -> bool {
        let began = Instant::now();
        loop {
            if done() {
                return true;
            }
            if began.elapsed() >= limit || self.scope.cancel.is_cancelled() {
                return false;
            }
            std::thread::park_timeout(pause);
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.scope.cancel.cancel();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(LEAVING);
        }
    }
}

fn stop_on_signal(scope: &Scope) {
    use tokio::signal::unix::{SignalKind, signal};
    let (cancel, waker) = (scope.cancel.clone(), scope.waker().clone());
    scope.spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            // Without a listener the signals keep their own meaning: they end the process.
            return;
        };
        let signal = tokio::select! {
            _ = interrupt.recv() => Signal::Interrupt,
            _ = terminate.recv() => Signal::Terminate,
            () = cancel.cancelled() => return,
        };
        SIGNALLED.store(signal.exit(), Ordering::Release);
        cancel.cancel();
        waker.wake();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_a_dropped_promise_and_a_deadline_all_end_the_wait() {
        let desk = Desk::open().unwrap();
        let (kept, reply) = promise("test", desk.scope.waker());
        desk.scope.spawn(async move { kept.keep(Ok(7)) });
        assert_eq!(desk.ask(Duration::from_secs(10), "a number", reply), Ok(7));
        let (dropped, reply) = promise::<u8>("test", desk.scope.waker());
        desk.scope.spawn(async move { drop(dropped) });
        assert_eq!(
            desk.ask(Duration::from_secs(10), "a number", reply),
            Err(Failure::ActorGone { actor: "test".into() })
        );
        let (_never, reply) = promise::<u8>("test", desk.scope.waker());
        assert_eq!(
            desk.ask(Duration::from_millis(5), "a number", reply),
            Err(Failure::Timeout { what: "a number".into(), after_ms: 5 })
        );
    }
}
