//! The stream of a run's events: everything that was told, in order, without what says nothing new.
//!
//! The loop never waits for a reader. Events that must not be lost wait for it, and a run makes a bounded number of
//! them; lines of progress are only kept while few wait. It must not know who reads.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;

use crate::app::event::{Event, What};
use crate::domain::ids::AgentName;
use crate::domain::moment::Moment;
use crate::domain::server::State;

/// Shortest time between two progress events of one agent, in milliseconds (product contract: at most one a second).
const PROGRESS_GAP: u64 = 1_000;

/// How many unread events make progress not worth keeping any more.
const CROWDED: usize = 1_024;

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Event>,
    reader: Option<Waker>,
    is_over: bool,
    progressed: BTreeMap<AgentName, Moment>,
    servers: BTreeMap<String, State>,
}

impl Queue {
    /// Tells whether an event says nothing new: progress too soon after the last of its agent, a server whose state
    /// is the same (it wrote a line, or answered a call).
    fn is_noise(&mut self, event: &Event) -> bool {
        if let What::ServerChanged { server } = &event.what {
            return self.servers.insert(server.name.clone(), server.state.clone()).as_ref() == Some(&server.state);
        }
        let What::AgentProgress { agent, .. } = &event.what else { return false };
        let is_soon = self.progressed.get(agent).is_some_and(|last| event.at.since(*last) < PROGRESS_GAP);
        if is_soon || self.waiting.len() >= CROWDED {
            return true;
        }
        self.progressed.insert(agent.clone(), event.at);
        false
    }
}

/// The writing end.
#[derive(Debug, Default)]
pub(super) struct Feed(Arc<Mutex<Queue>>);

impl Feed {
    /// Returns a feed and its reader.
    pub(super) fn new() -> (Self, Events) {
        let queue = Arc::<Mutex<Queue>>::default();
        (Self(Arc::clone(&queue)), Events(queue))
    }

    /// Tells an event, unless it is noise.
    pub(super) fn tell(&self, event: &Event) {
        let mut queue = lock(&self.0);
        if !queue.is_noise(event) {
            queue.waiting.push_back(event.clone());
            wake(queue);
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let mut queue = lock(&self.0);
        queue.is_over = true;
        wake(queue);
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(mut queue: MutexGuard<'_, Queue>) {
    let reader = queue.reader.take();
    // A reader may be polled by the very wake.
    drop(queue);
    if let Some(reader) = reader {
        reader.wake();
    }
}

/// The events of one run, in the order in which they became durable; ends with the run. Progress comes at most once a
/// second for each agent.
#[derive(Debug)]
pub struct Events(Arc<Mutex<Queue>>);

impl Events {
    /// Returns a stream that is at its end.
    pub(super) fn ended() -> Self {
        let (_, events) = Feed::new();
        events
    }

    /// Waits for the next event; nothing comes after the last.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut queue = lock(&self.0);
        match queue.waiting.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if queue.is_over => Poll::Ready(None),
            None => {
                queue.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::safe::Safe;
    use crate::domain::stage::Stage;

    fn event(at: u64, what: What) -> Event {
        Event { at: Moment(at), run: None, ask: None, what }
    }

    fn progress(at: u64, agent: &str) -> Event {
        let agent = AgentName::new(agent).unwrap();
        event(at, What::AgentProgress { stage: Stage::Plan, agent, doing: Safe::line("x"), bytes: 1 })
    }

    fn warning(at: u64) -> Event {
        event(at, What::Warning { text: Safe::line("x") })
    }

    fn read(events: &mut Events) -> Option<Option<u64>> {
        match Pin::new(events).poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => Some(event.map(|event| event.at.0)),
            Poll::Pending => None,
        }
    }

    #[test]
    fn progress_comes_at_most_once_a_second_for_each_agent() {
        let (feed, mut events) = Feed::new();
        for told in [progress(0, "a"), progress(10, "b"), progress(999, "a"), warning(999), progress(1_000, "a")] {
            feed.tell(&told);
        }
        assert_eq!(std::iter::from_fn(|| read(&mut events)).flatten().collect::<Vec<_>>(), [0, 10, 999, 1_000]);
        drop(feed);
        assert_eq!(read(&mut events), Some(None));
    }

    #[test]
    fn what_nobody_reads_loses_progress_and_nothing_else() {
        let (feed, mut events) = Feed::new();
        for at in 0..3_000 {
            feed.tell(&warning(at));
            feed.tell(&progress(at * 1_000, "a"));
        }
        drop(feed);
        let read: Vec<u64> = std::iter::from_fn(|| read(&mut events).flatten()).collect();
        assert_eq!(read.len(), 3_000 + CROWDED / 2);
    }
}
