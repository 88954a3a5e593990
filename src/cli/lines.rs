//! The events of a run as lines: for people with progress on stderr, or one JSON object a line.
//!
//! It must not know where events come from: a run of this process, or one that is followed.

use std::collections::BTreeMap;

use super::{out, plain};
use crate::app::event::{Event, What};
use crate::domain::ids::{AgentName, RunId};
use crate::domain::moment::Moment;
use crate::domain::server::State;

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
    progressed: BTreeMap<(Option<RunId>, AgentName), Moment>,
    /// The last news of each server: runs of one process share them, and each hears of them.
    servers: BTreeMap<String, State>,
}

impl Lines {
    /// Returns the writer of a style.
    pub fn new(style: Style) -> Self {
        Self { style, is_replay: false, progressed: BTreeMap::new(), servers: BTreeMap::new() }
    }

    /// Returns the writer of what happened before.
    pub fn replaying(style: Style) -> Self {
        Self { is_replay: true, ..Self::new(style) }
    }

    /// Writes an event.
    pub fn tell(&mut self, event: &Event) {
        self.tell_of(event, None);
    }

    /// Writes an event; lines for people begin with whose it is, where several are told side by side.
    pub fn tell_of(&mut self, event: &Event, of: Option<&str>) {
        if self.is_known(event) {
            return;
        }
        // Servers are everybody's.
        let of = of.filter(|_| !matches!(event.what, What::ServerChanged { .. }));
        // A stdout that cannot be written stops no run: its evidence is kept, and the exit code tells at the end.
        if self.style == Style::Json {
            let mut line = plain::object(event, out::next_sequence());
            if self.is_replay {
                line["replay"] = true.into();
            }
            out::put(&format!("{line}\n"));
        } else if !self.is_soon(event) {
            let (progress, result) = plain::lines(event);
            out::say(&marked(&progress, of));
            out::put(&marked(&result, of));
        }
    }

    /// Tells whether it is the state of a server that was told before.
    fn is_known(&mut self, event: &Event) -> bool {
        let What::ServerChanged { server } = &event.what else { return false };
        self.servers.insert(server.name.clone(), server.state.clone()).as_ref() == Some(&server.state)
    }

    /// Tells whether it is progress too soon after the last of its agent.
    fn is_soon(&mut self, event: &Event) -> bool {
        let What::AgentProgress { agent, .. } = &event.what else { return false };
        let agent = (event.run.clone(), agent.clone());
        if self.progressed.get(&agent).is_some_and(|last| event.at.since(*last) < PLAIN_PROGRESS) {
            return true;
        }
        self.progressed.insert(agent, event.at);
        false
    }
}

/// Puts a name before each line.
fn marked(text: &str, of: Option<&str>) -> String {
    match of {
        Some(of) => text.lines().map(|line| format!("{of}  {line}\n")).collect(),
        None => text.to_owned(),
    }
}
