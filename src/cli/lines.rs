//! The events of a run as lines: for people with progress on stderr, or one JSON object a line.
//!
//! It must not know where events come from: a run of this process, or one that is followed.

use std::collections::BTreeMap;

use super::{out, plain};
use crate::app::event::{Event, What};
use crate::domain::ids::AgentName;
use crate::domain::moment::Moment;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For people: progress on stderr, results on stdout.
    Plain,
    /// One JSON object a line on stdout.
    Json,
}

/// Shortest time between two progress lines of one agent for people, who read slower than programs, in milliseconds.
const PLAIN_PROGRESS: u64 = 5_000;

/// Writes the events of a run as they come.
#[derive(Debug)]
pub struct Lines {
    style: Style,
    /// What is told happened before, and every line for programs says so.
    is_replay: bool,
    /// The end was told.
    is_over: bool,
    progressed: BTreeMap<AgentName, Moment>,
}

impl Lines {
    /// Returns the writer of a style.
    pub fn new(style: Style) -> Self {
        Self { style, is_replay: false, is_over: false, progressed: BTreeMap::new() }
    }

    /// Returns the writer of what happened before.
    pub fn replaying(style: Style) -> Self {
        Self { is_replay: true, ..Self::new(style) }
    }

    /// Tells whether the last line was the end of a run.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Writes an event.
    pub fn tell(&mut self, event: &Event) {
        self.is_over = matches!(event.what, What::RunFinished { .. });
        // A stdout that cannot be written stops no run: its evidence is kept, and the exit code tells at the end.
        if self.style == Style::Json {
            let mut line = plain::object(event, out::next_sequence());
            if self.is_replay {
                line["replay"] = true.into();
            }
            out::put(&format!("{line}\n"));
        } else if !self.is_soon(event) {
            let (progress, result) = plain::lines(event);
            out::say(&progress);
            out::put(&result);
        }
    }

    /// Tells whether it is progress too soon after the last of its agent.
    fn is_soon(&mut self, event: &Event) -> bool {
        let What::AgentProgress { agent, .. } = &event.what else { return false };
        if self.progressed.get(agent).is_some_and(|last| event.at.since(*last) < PLAIN_PROGRESS) {
            return true;
        }
        self.progressed.insert(agent.clone(), event.at);
        false
    }
}
