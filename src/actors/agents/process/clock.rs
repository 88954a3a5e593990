//! Our deadlines for one turn: which of them runs now.
//!
//! It must not know what is waited for, nor what happens when it is late.

use std::time::Duration;

use tokio::time::Instant;

use crate::domain::failure::Deadline;
use crate::domain::run::Limits;

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
            Phase::Feeding { .. } | Phase::Stopping { .. } => {}
        }
    }

    /// It waits for an answer of ours, or has it now.
    pub(in crate::actors::agents) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
        self.heard();
    }

    /// It was told to stop: the grace begins.
    pub(in crate::actors::agents) fn stopping(&mut self) {
        self.is_held = false;
        self.phase = Phase::Stopping { until: from_now(self.limits.kill_grace_ms) };
    }

    /// Returns when the next deadline is and which it is; `None` for the end of the grace.
    pub(in crate::actors::agents) fn next(&self) -> (Instant, Option<(Deadline, u64)>) {
        let (until, which) = match self.phase {
            Phase::Stopping { until } => return (until, None),
            Phase::Feeding { .. } | Phase::Waiting { .. } | Phase::Speaking { .. } if self.is_held => {
                return (self.total, Some((Deadline::Total, self.limits.total_ms)));
            }
            Phase::Feeding { until } => (until, (Deadline::Start, self.limits.start_ms)),
            Phase::Waiting { until } => (until, (Deadline::FirstEvent, self.limits.first_event_ms)),
            Phase::Speaking { until } => (until, (Deadline::Idle, self.limits.idle_ms)),
        };
        if self.total <= until {
            (self.total, Some((Deadline::Total, self.limits.total_ms)))
        } else {
            (until, Some(which))
        }
    }
}

fn from_now(ms: u64) -> Instant {
    // A limit so long that it cannot be added is no limit; tokio's timers end after two years anyway.
    const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);
    Instant::now() + Duration::from_millis(ms).min(NEVER)
}
