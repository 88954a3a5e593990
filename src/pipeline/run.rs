//! One run, as the program that asked for it holds it: awaited, read, stopped.
//!
//! It must not know what is run.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker as TaskWaker};
use std::thread::Thread;

use tokio::sync::mpsc;

use super::{Event, Events, Outcome};
use crate::actors::{Reply, Waker};
use crate::app::msg::{Msg, Program};
use crate::app::outcome::AskId;
use crate::domain::failure::Failure;

/// A run that was asked for. Await it for the outcome: a failure when it never began (refused, the lock is held), else
/// what it came to. Dropping it before that stops the run; finished answers are kept.
#[derive(Debug)]
#[must_use = "a run that is dropped is stopped"]
pub struct Run {
    reply: Reply<Arc<Outcome>>,
    events: Option<Events>,
    canceller: Canceller,
    is_over: bool,
}

impl Run {
    pub(super) fn new(reply: Reply<Arc<Outcome>>, events: Events, canceller: Canceller) -> Self {
        Self { reply, events: Some(events), canceller, is_over: false }
    }

    /// Takes the stream of the run's events; a second call gets one that is at its end.
    pub fn events(&mut self) -> Events {
        self.events.take().unwrap_or_else(Events::ended)
    }

    /// Returns what stops the run; it may be sent anywhere, and outlive it.
    pub fn canceller(&self) -> Canceller {
        self.canceller.clone()
    }

    /// Tells each event as it comes and waits for the end on this thread: for programs without an executor.
    ///
    /// # Errors
    /// As awaiting it.
    pub fn follow(mut self, mut each: impl FnMut(&Event)) -> Result<Arc<Outcome>, Failure> {
        let mut events = self.events();
        wait(async {
            while let Some(event) = events.next().await {
                each(&event);
            }
            self.await
        })
    }
}

impl Future for Run {
    type Output = Result<Arc<Outcome>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.reply).poll(cx);
        self.is_over |= outcome.is_ready();
        outcome
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if !self.is_over {
            self.canceller.cancel();
        }
    }
}

/// Stops a run, as Esc on the screen does.
#[derive(Debug, Clone)]
pub struct Canceller {
    ask: AskId,
    asked: mpsc::Sender<Msg>,
    waker: Waker,
}

impl Canceller {
    pub(super) fn new(ask: AskId, asked: mpsc::Sender<Msg>, waker: Waker) -> Self {
        Self { ask, asked, waker }
    }

    /// Asks the run to stop: agents are asked to, then killed after their grace; finished answers are kept. Called
    /// again, they are killed now. The run's outcome says when all of it has ended.
    pub fn cancel(&self) {
        // A loop that has ended runs nothing.
        let _ = self.asked.try_send(Msg::Program(Program::Withdrew(self.ask)));
        self.waker.wake();
    }
}

/// Wakes a thread that parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for a future on this thread. Only for callers outside of any runtime.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = TaskWaker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
