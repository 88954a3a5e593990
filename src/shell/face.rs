//! What shows the model: a screen; for programs that ask, what answers them.

use std::io;
use std::sync::Arc;

use crossterm::clipboard::CopyToClipboard;
use crossterm::execute;
use tokio::sync::watch;

use super::terminal::Terminal;
use crate::app::event::Event;
use crate::app::model::Model;
use crate::app::outcome::{AskId, Outcome};
use crate::cli::{out, plain};
use crate::domain::failure::Failure;
use crate::domain::redact::Redactor;
use crate::view::veil;

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

    /// Answers a program that asked.
    fn answer(&mut self, ask: AskId, outcome: Result<Arc<Outcome>, Failure>);

    /// The terminal has another size.
    fn resized(&mut self, columns: u16, rows: u16);

    /// Gives the terminal to a program, or takes it back.
    fn lend(&mut self, lent: bool, size: (u16, u16));

    /// Gives the terminal back for good, with what is to be known of what goes on.
    fn detach(&mut self, model: &Model);

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
    /// What no frame may show.
    redactor: Redactor,
    /// It could not be written, or was given back for good: nobody looks any more.
    gone: bool,
}

impl Screen {
    /// Shows the model on a terminal that was taken.
    pub fn new(terminal: Terminal, lent: watch::Sender<bool>, aim: plain::Aim, redactor: Redactor) -> Self {
        Self { terminal, lent, aim, redactor, gone: false }
    }
}

impl Face for Screen {
    fn is_drawn(&self) -> bool {
        !self.gone && !*self.lent.borrow()
    }

    fn draw(&mut self, model: &Model) -> io::Result<()> {
        let redactor = &self.redactor;
        let drawn = self.terminal.draw(|frame| {
            crate::view::draw(model, frame);
            veil::hide(frame.buffer_mut(), redactor);
        });
        self.gone = drawn.is_err();
        drawn
    }

    fn tell(&mut self, _: &Event) {}

    // Whoever asks for an answer has a pipeline, and no screen.
    fn answer(&mut self, _: AskId, _: Result<Arc<Outcome>, Failure>) {}

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

    fn detach(&mut self, model: &Model) {
        self.lent.send_replace(true);
        self.terminal.lend();
        self.gone = true;
        out::put(&plain::detached(model, &self.aim));
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
