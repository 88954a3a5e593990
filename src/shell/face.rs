//! What shows the model: a screen, or lines for pipes and programs.

use std::collections::BTreeMap;
use std::io;

use crossterm::clipboard::CopyToClipboard;
use crossterm::execute;
use tokio::sync::watch;

use super::terminal::Terminal;
use crate::app::event::{Event, What};
use crate::app::model::Model;
use crate::cli::{out, plain};
use crate::domain::ids::AgentName;
use crate::domain::moment::Moment;
use crate::domain::server::State;

/// What shows the model.
pub trait Face {
    /// Tells whether frames are drawn now.
    fn is_drawn(&self) -> bool;

    /// Draws one frame.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    fn draw(&mut self, model: &Model) -> io::Result<()>;

    /// Tells an event.
    fn tell(&mut self, event: &Event);

    /// The terminal has another size.
    fn resized(&mut self, columns: u16, rows: u16);

    /// Gives the terminal to a program, or takes it back.
    fn lend(&mut self, lent: bool, size: (u16, u16));

    /// Puts text on the clipboard.
    fn copy(&mut self, text: &str);

    /// Ends: what stays on the terminal is written now.
    ///
    /// # Errors
    /// When it cannot be written.
    fn end(self, model: &Model) -> io::Result<()>;
}

/// The screen.
#[derive(Debug)]
pub struct Screen {
    terminal: Terminal,
    /// Tells the task that reads keys whether the terminal is ours.
    lent: watch::Sender<bool>,
    /// How the commands that stay behind name the repository.
    aim: plain::Aim,
    /// It could not be written: nobody looks any more.
    gone: bool,
}

impl Screen {
    /// Shows the model on a terminal that was taken.
    pub fn new(terminal: Terminal, lent: watch::Sender<bool>, aim: plain::Aim) -> Self {
        Self { terminal, lent, aim, gone: false }
    }
}

impl Face for Screen {
    fn is_drawn(&self) -> bool {
        !self.gone && !*self.lent.borrow()
    }

    fn draw(&mut self, model: &Model) -> io::Result<()> {
        let drawn = self.terminal.draw(|frame| crate::view::draw(model, frame));
        self.gone = drawn.is_err();
        drawn
    }

    fn tell(&mut self, _: &Event) {}

    fn resized(&mut self, columns: u16, rows: u16) {
        if let Err(error) = self.terminal.resize(columns, rows) {
            tracing::warn!(%error, "could not adapt to the new size");
        }
    }

    fn lend(&mut self, lent: bool, (columns, rows): (u16, u16)) {
        if lent {
            self.lent.send_replace(true);
            self.terminal.lend();
            return;
        }
        if let Err(error) = self.terminal.take_back(columns, rows) {
            tracing::warn!(%error, "could not take the terminal back");
        }
        self.lent.send_replace(false);
    }

    fn copy(&mut self, text: &str) {
        if let Err(error) = execute!(io::stdout(), CopyToClipboard::to_clipboard_from(text)) {
            tracing::warn!(%error, "could not write to the clipboard");
        }
    }

    fn end(self, model: &Model) -> io::Result<()> {
        drop(self.terminal);
        if self.gone {
            return Ok(());
        }
        out::put(&plain::farewell(model, &self.aim));
        Ok(())
    }
}

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// For people: progress on stderr, results on stdout.
    Plain,
    /// One JSON object a line on stdout.
    Json,
}

/// Shortest time between two progress lines of one agent, in milliseconds (product contract: at most one a second).
const JSON_PROGRESS: u64 = 1_000;
/// The same for people, who read slower.
const PLAIN_PROGRESS: u64 = 5_000;

/// Lines.
#[derive(Debug)]
pub struct Lines {
    style: Style,
    /// The end of a run was told, and no other began: servers that end now are nobody's news.
    is_over: bool,
    progressed: BTreeMap<AgentName, Moment>,
    servers: BTreeMap<String, State>,
}

impl Lines {
    /// Writes lines in a style.
    pub fn new(style: Style) -> Self {
        Self { style, is_over: false, progressed: BTreeMap::new(), servers: BTreeMap::new() }
    }

    /// Tells whether an event comes behind the last line of its run.
    fn is_late(&mut self, event: &Event) -> bool {
        match &event.what {
            What::RunStarted { .. } => self.is_over = false,
            What::RunFinished { .. } => {
                self.is_over = true;
                return false;
            }
            What::StageStarted { .. }
            | What::AgentStarted { .. }
            | What::AgentProgress { .. }
            | What::AgentFinished { .. }
            | What::RoundStarted { .. }
            | What::RoundFinished { .. }
            | What::ServerChanged { .. }
            | What::ClaimLabelled { .. }
            | What::StageVerdict { .. }
            | What::Warning { .. } => {}
        }
        self.is_over
    }

    /// Tells whether an event says nothing new: progress too soon after the last of its agent, a server whose state
    /// is the same (it wrote a line, or answered a call).
    fn is_noise(&mut self, event: &Event) -> bool {
        if let What::ServerChanged { server } = &event.what {
            return self.servers.insert(server.name.clone(), server.state.clone()).as_ref() == Some(&server.state);
        }
        let What::AgentProgress { agent, .. } = &event.what else { return false };
        let gap = if self.style == Style::Json { JSON_PROGRESS } else { PLAIN_PROGRESS };
        if self.progressed.get(agent).is_some_and(|last| event.at.since(*last) < gap) {
            return true;
        }
        self.progressed.insert(agent.clone(), event.at);
        false
    }
}

impl Face for Lines {
    fn is_drawn(&self) -> bool {
        false
    }

    fn draw(&mut self, _: &Model) -> io::Result<()> {
        Ok(())
    }

    fn tell(&mut self, event: &Event) {
        if self.is_late(event) || self.is_noise(event) {
            return;
        }
        // A stdout that cannot be written stops no run: its evidence is kept, and the exit code tells at the end.
        match self.style {
            Style::Json => out::put(&(plain::json(event, out::next_sequence()) + "\n")),
            Style::Plain => {
                let (progress, result) = plain::lines(event);
                out::say(&progress);
                out::put(&result);
            }
        }
    }

    fn resized(&mut self, _: u16, _: u16) {}

    fn lend(&mut self, _: bool, _: (u16, u16)) {}

    fn copy(&mut self, _: &str) {}

    fn end(self, _: &Model) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{RunId, SpecId};
    use crate::domain::safe::Safe;

    #[test]
    fn nothing_follows_the_end_of_a_run_but_another_run() {
        let mut lines = Lines::new(Style::Json);
        let event = |what| Event { at: Moment(0), run: Some(RunId::mint(Moment(0), 7, 1)), what };
        let warning = || event(What::Warning { text: Safe::line("x") });
        let finished = || {
            event(What::RunFinished {
                exit: 0,
                verdicts: Vec::new(),
                evidence: None,
                memory: String::new(),
                failure: None,
            })
        };
        assert!(!lines.is_late(&warning()));
        assert!(!lines.is_late(&finished()));
        assert!(lines.is_late(&warning()));
        let spec = SpecId::new("001-x").unwrap();
        assert!(!lines.is_late(&event(What::RunStarted { spec, stages: Vec::new(), resumed: false })));
        assert!(!lines.is_late(&warning()));
        assert!(!lines.is_late(&finished()));
    }
}
