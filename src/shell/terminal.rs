//! The terminal: raw mode and the alternate screen while the TUI runs, and back again however it ends.
//!
//! It must not know what is drawn.

use std::io::{self, BufWriter, Stdout, Write};
use std::mem::ManuallyDrop;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;

/// Bytes gathered before they are written: a full repaint of a large screen in one write.
const BUFFER: usize = 1 << 16;

type Backend = CrosstermBackend<BufWriter<Stdout>>;

/// The terminal while it is ours; restored on drop.
#[derive(Debug)]
pub struct Terminal {
    /// Never dropped: ratatui's drop shows the cursor and, where that fails, prints to stderr. On a terminal that was
    /// closed that is a panic, and every child would be left. [`restore`] does what is needed.
    inner: ManuallyDrop<ratatui::Terminal<Backend>>,
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When standard output is no terminal, or refuses.
    pub fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        let mut out = io::stdout();
        if let Err(error) = execute!(out, EnterAlternateScreen, EnableBracketedPaste, cursor::Hide) {
            restore();
            return Err(error);
        }
        match ratatui::Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(BUFFER, out))) {
            Ok(inner) => Ok(Self { inner: ManuallyDrop::new(inner) }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Draws one frame as one synchronised update.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame)) -> io::Result<()> {
        queue!(self.inner.backend_mut(), BeginSynchronizedUpdate)?;
        self.inner.draw(render)?;
        execute!(self.inner.backend_mut(), EndSynchronizedUpdate)
    }

    /// Adapts to a size and repaints everything with the next frame.
    ///
    /// # Errors
    /// When the terminal cannot be written.
    pub fn resize(&mut self, columns: u16, rows: u16) -> io::Result<()> {
        self.inner.resize(Rect::new(0, 0, columns, rows))
    }

    /// Gives the terminal to somebody else (an editor, a shell).
    pub fn lend(&mut self) {
        restore();
    }

    /// Takes the terminal back after [`Terminal::lend`].
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn take_back(&mut self, columns: u16, rows: u16) -> io::Result<()> {
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)?;
        self.resize(columns, rows)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back as it was. Harmless when it was not taken, and when called twice.
pub fn restore() {
    let mut out = io::stdout();
    // Nothing can be done about a terminal that is gone, and nobody is left to read about it.
    let _ = execute!(out, EndSynchronizedUpdate, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = out.flush();
    let _ = disable_raw_mode();
}
