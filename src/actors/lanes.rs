//! The two lanes from actors to the UI: facts (bounded, awaited, never dropped) and progress (one latest-value slot
//! per agent). Outcomes travel as replies.
//!
//! It must not know who listens.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Waker;
use crate::domain::fact::Fact;
use crate::domain::run::{Progress, SeatKey};

/// Room for facts that the UI has not read yet; a sender waits beyond it.
const FACTS: usize = 512;

/// The sending end of both lanes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Lanes {
    facts: mpsc::Sender<Fact>,
    progress: Arc<Mutex<BTreeMap<SeatKey, Progress>>>,
    waker: Waker,
}

/// The receiving end: polled each frame.
#[derive(Debug)]
pub struct LaneEnds {
    facts: mpsc::Receiver<Fact>,
    progress: Arc<Mutex<BTreeMap<SeatKey, Progress>>>,
}

/// Makes both ends.
pub fn lanes(waker: Waker) -> (Lanes, LaneEnds) {
    let (sender, receiver) = mpsc::channel(FACTS);
    let progress = Arc::default();
    (Lanes { facts: sender, progress: Arc::clone(&progress), waker }, LaneEnds { facts: receiver, progress })
}

impl Lanes {
    /// Tells a fact; waits while the lane is full, gives up only when `token` is cancelled or the UI is gone.
    pub async fn tell(&self, fact: Fact, token: &CancellationToken) {
        tokio::select! {
            biased;
            sent = self.facts.send(fact) => {
                // An error means that the UI has ended: nobody is left to tell.
                let _ = sent;
            }
            () = token.cancelled() => {}
        }
        self.waker.wake();
    }

    /// Puts an agent's latest progress into its slot; never waits for anything but other writers.
    pub fn show(&self, progress: Progress) {
        let mut slots = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        slots.insert(progress.seat.clone(), progress);
        drop(slots);
        self.waker.wake();
    }
}

impl LaneEnds {
    /// Returns the next fact, if one is there.
    pub fn fact(&mut self) -> Option<Fact> {
        self.facts.try_recv().ok()
    }

    /// Waits for the next fact (headless only); `None` when every sender is gone.
    pub async fn next_fact(&mut self) -> Option<Fact> {
        self.facts.recv().await
    }

    /// Takes the progress that was not taken yet.
    pub fn progress(&mut self) -> Vec<Progress> {
        let slots = std::mem::take(&mut *self.progress.lock().unwrap_or_else(PoisonError::into_inner));
        slots.into_values().collect()
    }
}
