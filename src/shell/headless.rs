//! Running without a screen: a pipeline's stream of events, as lines.
//!
//! It must not know how a run works: it is a consumer of [`crate::pipeline`] like any other.

use std::collections::BTreeMap;

use super::start::Start;
use crate::app::event::{Event, What};
use crate::cli::{out, plain};
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::moment::Moment;
use crate::pipeline::Pipeline;

/// Runs until the request is done; returns the exit code.
///
/// # Errors
/// What keeps it from starting: config, trust, the system.
pub fn headless(start: Start) -> Result<u8, Failure> {
    let style = if start.flags.json { Style::Json } else { Style::Plain };
    let pipeline = Pipeline::of_command(start.sources, start.flags)?;
    let mut lines = Lines::new(style);
    let mut exits = Vec::new();
    for request in start.requests {
        match pipeline.run(request).follow(|event| lines.tell(event)) {
            Ok(outcome) => exits.push(outcome.exit),
            // The last line has said so.
            Err(failure) if lines.is_over => exits.push(failure.exit()),
            Err(failure) => return Err(failure),
        }
    }
    Ok(crate::app::update::worst(exits.into_iter()))
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// For people: progress on stderr, results on stdout.
    Plain,
    /// One JSON object a line on stdout.
    Json,
}

/// Shortest time between two progress lines of one agent for people, who read slower than programs, in milliseconds.
const PLAIN_PROGRESS: u64 = 5_000;

/// Lines.
#[derive(Debug)]
struct Lines {
    style: Style,
    /// The end was told.
    is_over: bool,
    progressed: BTreeMap<AgentName, Moment>,
}

impl Lines {
    fn new(style: Style) -> Self {
        Self { style, is_over: false, progressed: BTreeMap::new() }
    }

    fn tell(&mut self, event: &Event) {
        self.is_over = matches!(event.what, What::RunFinished { .. });
        // A stdout that cannot be written stops no run: its evidence is kept, and the exit code tells at the end.
        if self.style == Style::Json {
            out::put(&(plain::json(event, out::next_sequence()) + "\n"));
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
