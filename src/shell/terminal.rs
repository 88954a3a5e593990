//! The terminal: raw mode and the alternate screen while the TUI runs, and back again however it ends.
//!
//! It must not know what is drawn.

use std::io::{self, BufWriter, Stdout, Write};
use std::mem::ManuallyDrop;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, getpgrp, getpid, getsid, kill_current_process_group, kill_process};
use rustix::termios::{QueueSelector, tcflush};

/// Bytes gathered before they are written: a full repaint of a large screen in one write.
const BUFFER: usize = 1 << 16;

/// How long a terminal that does not read is tried to be given back: a stuck thread has to be put on a core first.
const STUCK: Duration = Duration::from_millis(200);

/// Whether the terminal has to be given back. There is one terminal, and a panic hook knows no values.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);

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
        IS_TAKEN.store(true, Ordering::SeqCst);
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
        IS_TAKEN.store(true, Ordering::SeqCst);
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
    // Leaving the alternate screen twice would move the cursor back over what was written in between: a panic's report.
    if !IS_TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    // Nothing can be done about a terminal that is gone, and nobody is left to read about it.
    let _ = execute!(out, EndSynchronizedUpdate, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show);
    let _ = out.flush();
    let _ = disable_raw_mode();
}

/// Stops this program's process group until the shell continues it (`fg`), and returns the terminal's size then: columns,
/// rows. The terminal must have been given back. Children are in groups of their own and go on.
///
/// # Errors
/// When the system refuses.
pub fn suspend() -> io::Result<(u16, u16)> {
    // STOP, not TSTP: that one we catch ourselves, and with the group also whatever started us in the same job.
    kill_current_process_group(Signal::STOP)?;
    crossterm::terminal::size()
}

/// Lets the shell have its prompt again while this program goes on, as `Ctrl-Z` and `bg` do: the job stops for a moment,
/// and a child continues it. Where no shell waits with job control, there is no prompt to be had, and nothing is done.
/// The terminal must have been given back.
///
/// # Errors
/// When the system refuses, or there is no `sh`.
pub fn go_behind() -> io::Result<()> {
    let job = getpgrp();
    if getsid(None)? == job {
        return Ok(());
    }
    // It repeats until we end it: once could be before we have stopped.
    let again = r#"while sleep 0.1 && kill -s CONT -- "-$0"; do :; done"#;
    #[expect(clippy::disallowed_methods, reason = "this child continues us while no thread of ours runs")]
    let mut child = std::process::Command::new("sh")
        .args(["-c", again, &job.as_raw_pid().to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let stopped = kill_current_process_group(Signal::STOP);
    child.kill()?;
    child.wait()?;
    Ok(stopped?)
}

/// The terminal is gone for good: from now on whoever reads keys waits. What is read from a terminal that is gone is its
/// end, at once and again and again, and the library that reads keys takes an end for "nothing yet": a core for as long
/// as a run goes on without its terminal.
pub fn forget_input() {
    static FORGOTTEN: AtomicBool = AtomicBool::new(false);
    if FORGOTTEN.swap(true, Ordering::SeqCst) {
        return;
    }
    if let Err(error) = wait_for_ever() {
        tracing::warn!(%error, "could not put away the terminal that is gone");
    }
}

fn wait_for_ever() -> io::Result<()> {
    let (nothing, held) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    rustix::stdio::dup2_stdin(nothing)?;
    // As long as somebody could write, there is no end to be read.
    std::mem::forget(held);
    Ok(())
}

/// Gives the terminal back while another thread may be stuck in a write to it, and so hold the lock of standard output:
/// as much as the terminal takes at once, past that lock.
pub fn restore_past_a_stuck_write() {
    // Should any of this fail, nothing is left to be done.
    let _ = write_past_a_stuck_write();
    let _ = disable_raw_mode();
}

fn write_past_a_stuck_write() -> io::Result<()> {
    let mut bytes = Vec::new();
    execute!(bytes, EndSynchronizedUpdate, DisableBracketedPaste, LeaveAlternateScreen, cursor::Show)?;
    let out = rustix::io::dup(rustix::stdio::stdout())?;
    // What the stuck thread still has to say goes nowhere: it must not come after us.
    rustix::stdio::dup2_stdout(rustix::fs::open("/dev/null", OFlags::WRONLY, Mode::empty())?)?;
    let flags = fcntl_getfl(&out)?;
    fcntl_setfl(&out, flags | OFlags::NONBLOCK)?;
    let deadline = Instant::now() + STUCK;
    while Instant::now() < deadline {
        // The stuck write holds the kernel's lock of this terminal too. A signal that we handle wakes it, and as the
        // terminal does not wait any more, it fails. What was not read by now will not be missed, and makes room.
        kill_process(getpid(), Signal::WINCH)?;
        tcflush(&out, QueueSelector::OFlush)?;
        if rustix::io::write(&out, &bytes).is_ok_and(|written| written == bytes.len()) {
            break;
        }
        std::thread::yield_now();
    }
    // The shell has the same open file: it must not find it changed.
    Ok(fcntl_setfl(&out, flags)?)
}
