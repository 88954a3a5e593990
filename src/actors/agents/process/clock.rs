//! Our deadlines for one turn: which of them runs now.
//!
//! It must not know what is waited for, nor what happens when it is late.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::failure::Deadline;
use crate::domain::run::Limits;

/// How long a child may take to go by itself once it has said all: enough to save a session and to end servers of its own,
/// and nobody waits longer for an answer that is there.
const LEAVE: Duration = Duration::from_secs(2);

/// What is due when a deadline passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::actors::agents) enum Alarm {
    /// It is late: by which deadline, and how long that was in milliseconds.
    Late(Deadline, u64),
    /// It has said all and is still there.
    Stays,
    /// The grace is over.
    Grace,
}

/// Which deadline runs.
#[derive(Debug)]
pub(in crate::actors::agents) struct Clock {
    limits: Limits,
    total: Instant,
    phase: Phase,
    has_spoken: bool,
    /// Whether it waits for an answer of ours: then its silence is no fault of its own.
    is_held: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// It takes its input.
    Feeding { until: Instant },
    /// It has its input and has not said anything.
    Waiting { until: Instant },
    /// It has spoken.
    Speaking { until: Instant },
    /// It has said all.
    Leaving { until: Instant },
    /// It was told to stop.
    Stopping { until: Instant },
}

impl Clock {
    /// Starts with the deadline for taking the input.
    pub(in crate::actors::agents) fn new(limits: &Limits) -> Self {
        let phase = Phase::Feeding { until: from_now(limits.start_ms) };
        let total = from_now(limits.total_ms);
        Self { limits: limits.clone(), total, phase, has_spoken: false, is_held: false }
    }

    /// It has taken its input.
    pub(in crate::actors::agents) fn fed(&mut self) {
        if let Phase::Feeding { .. } = self.phase {
            self.phase = if self.has_spoken {
                Phase::Speaking { until: from_now(self.limits.idle_ms) }
            } else {
                Phase::Waiting { until: from_now(self.limits.first_event_ms) }
            };
        }
    }

    /// It said something.
    pub(in crate::actors::agents) fn heard(&mut self) {
        self.has_spoken = true;
        match self.phase {
            Phase::Waiting { .. } | Phase::Speaking { .. } => {
                self.phase = Phase::Speaking { until: from_now(self.limits.idle_ms) };
            }
            Phase::Feeding { .. } | Phase::Leaving { .. } | Phase::Stopping { .. } => {}
        }
    }

    /// It waits for an answer of ours, or has it now.
    pub(in crate::actors::agents) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
        self.heard();
    }

    /// It has said all, or has more to say after all; told again, nothing changes.
    pub(in crate::actors::agents) fn leaving(&mut self, has_said_all: bool) {
        match (self.phase, has_said_all) {
            (Phase::Feeding { .. } | Phase::Waiting { .. } | Phase::Speaking { .. }, true) => {
                self.phase = Phase::Leaving { until: Instant::now() + LEAVE };
            }
            (Phase::Leaving { .. }, false) => self.phase = Phase::Speaking { until: from_now(self.limits.idle_ms) },
            (Phase::Feeding { .. } | Phase::Waiting { .. } | Phase::Speaking { .. }, false)
            | (Phase::Leaving { .. }, true)
            | (Phase::Stopping { .. }, _) => {}
        }
    }

    /// It was told to stop: the grace begins.
    pub(in crate::actors::agents) fn stopping(&mut self) {
        self.is_held = false;
        self.phase = Phase::Stopping { until: from_now(self.limits.kill_grace_ms) };
    }

    /// Returns when the next deadline is, and what is due then.
    pub(in crate::actors::agents) fn next(&self) -> (Instant, Alarm) {
        let total = (self.total, Alarm::Late(Deadline::Total, self.limits.total_ms));
        let (until, alarm) = match self.phase {
            Phase::Stopping { until } => return (until, Alarm::Grace),
            // Its turn is over: no deadline of the turn ends it any more.
            Phase::Leaving { until } => return (until, Alarm::Stays),
            Phase::Feeding { .. } | Phase::Waiting { .. } | Phase::Speaking { .. } if self.is_held => return total,
            Phase::Feeding { until } => (until, Alarm::Late(Deadline::Start, self.limits.start_ms)),
            Phase::Waiting { until } => (until, Alarm::Late(Deadline::FirstEvent, self.limits.first_event_ms)),
            Phase::Speaking { until } => (until, Alarm::Late(Deadline::Idle, self.limits.idle_ms)),
        };
        if self.total <= until { total } else { (until, alarm) }
    }
}

fn from_now(ms: u64) -> Instant {
    // A limit so long that it cannot be added is no limit; tokio's timers end after two years anyway.
    const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);
    Instant::now() + Duration::from_millis(ms).min(NEVER)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test stands outside, and drives a runtime of its own")]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_that_has_said_all_has_two_seconds_whatever_the_deadlines_of_its_turn() {
        let mut clock = Clock::new(&Limits { total_ms: 1_000, idle_ms: 60_000, ..Limits::default() });
        let begun = Instant::now();
        clock.fed();
        clock.heard();
        clock.leaving(true);
        tokio::time::advance(Duration::from_millis(700)).await;
        clock.heard();
        clock.leaving(true);
        assert_eq!(clock.next(), (begun + LEAVE, Alarm::Stays), "what it goes on writing gives it no more time");
        clock.leaving(false);
        let total = begun + Duration::from_secs(1);
        assert_eq!(clock.next(), (total, Alarm::Late(Deadline::Total, 1_000)), "it took its word back");
        clock.leaving(true);
        clock.stopping();
        clock.leaving(true);
        assert_eq!(clock.next().1, Alarm::Grace);
    }
}
