//! Who waits for what: the face of a loop that programs ask instead of people.
//!
//! It must not know what is asked.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::events::{Events, Feed};
use super::{Event, Outcome, What};
use crate::actors::Promise;
use crate::app::model::Model;
use crate::app::outcome::AskId;
use crate::domain::failure::Failure;
use crate::shell::face::Face;

/// One that waits.
#[derive(Debug)]
struct Caller {
    feed: Feed,
    promise: Promise<Arc<Outcome>>,
}

#[derive(Debug, Default)]
struct Book {
    callers: BTreeMap<AskId, Caller>,
    asks: u64,
    /// The last news of each server: who comes later hears it first.
    servers: BTreeMap<String, Event>,
    is_closed: bool,
}

/// All that wait; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Callers(Arc<Mutex<Book>>);

impl Callers {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds one; where the loop has ended its promise is dropped at once, and that answers it.
    pub(super) fn add(&self, promise: Promise<Arc<Outcome>>) -> (AskId, Events) {
        let (feed, events) = Feed::new();
        let mut book = self.book();
        book.asks += 1;
        let ask = AskId(book.asks);
        book.servers.values().for_each(|news| feed.tell(news));
        if !book.is_closed {
            book.callers.insert(ask, Caller { feed, promise });
        }
        (ask, events)
    }

    /// Drops one without an answer.
    pub(super) fn forget(&self, ask: AskId) {
        self.book().callers.remove(&ask);
    }

    /// Returns what drops all that wait once it is dropped itself.
    pub(super) fn closing(self) -> Closing {
        Closing(self)
    }
}

/// Drops all that wait when the loop ends, also by a panic.
#[derive(Debug)]
pub(super) struct Closing(Callers);

impl Drop for Closing {
    fn drop(&mut self) {
        let mut book = self.0.book();
        book.is_closed = true;
        let callers = std::mem::take(&mut book.callers);
        drop(book);
        for caller in callers.into_values() {
            caller.promise.keep(Err(Failure::Cancelled));
        }
    }
}

impl Face for Callers {
    fn is_drawn(&self) -> bool {
        false
    }

    fn draw(&mut self, _: &Model) -> io::Result<()> {
        Ok(())
    }

    fn tell(&mut self, event: &Event) {
        let mut book = self.book();
        if let What::ServerChanged { server } = &event.what {
            book.servers.insert(server.name.clone(), event.clone());
        }
        match event.ask {
            Some(ask) => {
                if let Some(caller) = book.callers.get(&ask) {
                    caller.feed.tell(event);
                }
            }
            None => book.callers.values().for_each(|caller| caller.feed.tell(event)),
        }
    }

    fn answer(&mut self, ask: AskId, outcome: Result<Arc<Outcome>, Failure>) {
        let caller = self.book().callers.remove(&ask);
        if let Some(Caller { feed, promise }) = caller {
            promise.keep(outcome);
            drop(feed);
        }
    }

    fn resized(&mut self, _: u16, _: u16) {}

    fn lend(&mut self, _: bool, _: (u16, u16)) {}

    fn detach(&mut self, _: &Model) {}

    fn copy(&mut self, _: &str) {}

    fn end(self, _: &Model) -> io::Result<()> {
        Ok(())
    }
}
