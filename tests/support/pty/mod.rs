//! The real binary in a pseudo-terminal, looked at from outside: what stands on the screen, when it came, what is left
//! in the process table afterwards.
//!
//! A stand-in shell leads the session and outlives the program, as under a real shell: were the program itself the
//! leader, the kernel would reset the terminal when it ends, and nobody could see whether the program did. Nothing here
//! answers questions of the program to the terminal: it must not ask any.

pub(crate) mod memory;
pub(crate) mod processes;
pub(crate) mod repo;
pub(crate) mod stopwatch;
pub(crate) mod stream;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::Signal;

use self::stream::{Cutter, Token};

/// How long a test waits for something that has to come. A loaded machine is slow; a hang is a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// How often the process table and files are looked at while waiting: they tell nobody when they change.
const LOOK: Duration = Duration::from_millis(5);

/// Keeps the session after the program ended, with the exit code in a file. Handlers, unlike ignored signals, are not
/// passed on to the program.
const STAND_IN: &str = r#"exit=$1; shift; trap : HUP TERM INT QUIT
"$@"; echo $? > "$exit.new"; mv "$exit.new" "$exit"; exec sleep 600"#;

/// What to start in the terminal.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// Program and arguments.
    pub(crate) command: Vec<OsString>,
    /// Its whole environment.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Where it starts.
    pub(crate) cwd: PathBuf,
}

/// A terminal with a program in it.
pub(crate) struct Session {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn Write + Send>>,
    stand_in: Box<dyn Child + Send + Sync>,
    screen: Arc<Shared>,
    exit: tempfile::TempDir,
    modes_before: String,
    started: Instant,
    pid: u32,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

/// What came from the program.
struct State {
    parser: vt100::Parser,
    cutter: Cutter,
    bytes: Vec<u8>,
    sequences: Vec<String>,
    frames: Vec<Frame>,
    is_in_frame: bool,
    first_byte: Option<Instant>,
    last: Instant,
    reading: Reading,
    is_recording: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    On,
    Off,
    Over,
}

/// One synchronised update.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// When its last byte was read.
    pub(crate) at: Instant,
    /// The screen after it; empty unless frames are recorded.
    pub(crate) screen: String,
}

/// The modes that a program may leave behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Modes {
    /// The alternate screen is shown.
    pub(crate) alternate_screen: bool,
    /// The cursor is hidden.
    pub(crate) hidden_cursor: bool,
    /// Pastes are marked.
    pub(crate) bracketed_paste: bool,
    /// The mouse is reported.
    pub(crate) mouse: bool,
    /// The line discipline (raw mode and the like) differs from what it was before the program started.
    pub(crate) line: bool,
}

impl Modes {
    /// As a shell wants to find them.
    pub(crate) const RESTORED: Modes =
        Modes { alternate_screen: false, hidden_cursor: false, bracketed_paste: false, mouse: false, line: false };
}

fn lines(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has lines and columns")
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

impl Session {
    /// Starts a program in a terminal of so many columns and rows.
    pub(crate) fn start(program: &Program, columns: u16, rows: u16) -> Self {
        let pair = native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        let exit = tempfile::tempdir().expect("a folder");
        let mut command = CommandBuilder::new("sh");
        command.args(["-c", STAND_IN, "sh"]);
        command.arg(exit.path().join("exit"));
        command.args(&program.command);
        command.env_clear();
        for (name, value) in &program.env {
            command.env(name, value);
        }
        command.cwd(&program.cwd);
        let modes_before = line(pair.master.as_ref());
        let screen = Arc::new(Shared::new(columns, rows));
        let reader = pair.master.try_clone_reader().expect("a reader");
        let theirs = Arc::clone(&screen);
        std::thread::spawn(move || theirs.read_all(reader));
        let started = Instant::now();
        let stand_in = pair.slave.spawn_command(command).expect("a shell");
        drop(pair.slave);
        let writer = pair.master.take_writer().expect("a writer");
        let mut session = Self {
            master: Some(pair.master),
            writer: Some(writer),
            stand_in,
            screen,
            exit,
            modes_before,
            started,
            pid: 0,
        };
        let leader = session.stand_in.process_id().expect("a process id");
        session.until("the program starts", PATIENCE, || {
            let child = processes::child_of(leader);
            (child.is_some() || session.exit_file().exists()).then_some(child.unwrap_or(0))
        });
        session.pid = processes::child_of(leader).unwrap_or(0);
        session
    }

    fn exit_file(&self) -> PathBuf {
        self.exit.path().join("exit")
    }

    /// Returns the program's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns when the program was started.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// Returns when its first byte came.
    pub(crate) fn first_byte(&self) -> Option<Instant> {
        self.screen.lock().first_byte
    }

    /// Types; returns the moment before.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> Instant {
        let writer = self.writer.as_mut().expect("the terminal was hung up");
        let at = Instant::now();
        writer.write_all(bytes.as_ref()).and_then(|()| writer.flush()).expect("the terminal takes keys");
        at
    }

    /// Waits until the whole screen is as it should be; returns when the bytes that made it so were read.
    ///
    /// # Panics
    /// With the screen, when it does not become so in time.
    pub(crate) fn wait(
        &self,
        what: &str,
        patience: Duration,
        mut is_so: impl FnMut(&vt100::Screen) -> bool,
    ) -> Instant {
        let deadline = Instant::now() + patience;
        let mut state = self.screen.lock();
        loop {
            if !state.is_in_frame && is_so(state.parser.screen()) {
                return state.last;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let shown = state.parser.screen().contents();
                drop(state);
                panic!("after {patience:?} not yet: {what}; exit {:?}; the screen:\n{shown}", self.exit_now());
            }
            state = self.screen.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until a text stands on the screen.
    pub(crate) fn wait_for(&self, text: &str) -> Instant {
        self.wait(&format!("{text:?} on screen"), PATIENCE, |screen| screen.contents().contains(text))
    }

    /// Waits until a text has gone from the screen.
    pub(crate) fn wait_gone(&self, text: &str) -> Instant {
        self.wait(&format!("{text:?} gone"), PATIENCE, |screen| !screen.contents().contains(text))
    }

    /// Waits until a condition outside the screen holds.
    ///
    /// # Panics
    /// With the screen, when it does not hold in time.
    pub(crate) fn until<T>(&self, what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(Instant::now() < deadline, "after {patience:?} not yet: {what}; the screen:\n{}", self.contents());
            std::thread::sleep(LOOK);
        }
    }

    /// Returns the screen as text.
    pub(crate) fn contents(&self) -> String {
        self.screen.lock().parser.screen().contents()
    }

    /// Returns how many bytes the program wrote.
    pub(crate) fn written(&self) -> usize {
        self.screen.lock().bytes.len()
    }

    /// Waits until more than so many bytes were written; returns when they were read.
    ///
    /// # Panics
    /// When none come in time.
    pub(crate) fn wait_written(&self, bytes: usize) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.screen.lock();
        while state.bytes.len() <= bytes {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no byte came");
            state = self.screen.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.last
    }

    /// Returns every kind of sequence that the program wrote, once, sorted.
    pub(crate) fn sequences(&self) -> Vec<String> {
        self.screen.lock().sequences.clone()
    }

    /// Returns how many frames were drawn.
    pub(crate) fn frame_count(&self) -> usize {
        self.screen.lock().frames.len()
    }

    /// Keeps the screen of each frame from now on.
    pub(crate) fn record_frames(&self) {
        self.screen.lock().is_recording = true;
    }

    /// Returns the frames that ended after a moment.
    pub(crate) fn frames_after(&self, moment: Instant) -> Vec<Frame> {
        self.screen.lock().frames.iter().filter(|frame| frame.at >= moment).cloned().collect()
    }

    /// Changes the size of the terminal: the kernel tells the program.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.screen.lock().parser.set_size(lines(rows), lines(columns));
        self.master.as_ref().expect("a terminal").resize(size(columns, rows)).expect("another size");
    }

    /// Stops reading what the program writes, as a terminal that hangs.
    pub(crate) fn stop_reading(&self) {
        self.screen.set_reading(Reading::Off);
    }

    /// Reads again.
    pub(crate) fn read_again(&self) {
        self.screen.set_reading(Reading::On);
    }

    /// Hangs up: the terminal is gone, as when its window was closed.
    pub(crate) fn hang_up(&mut self) {
        self.screen.set_reading(Reading::Over);
        // The reader waits for bytes; a new size brings some, and then it lets go of its end.
        if let Some(master) = &self.master {
            master.resize(size(90, 30)).expect("another size");
        }
        // Only one of the three is left here; the writer says newline and end of file as it goes.
        self.until("the reader has let go", PATIENCE, || (Arc::strong_count(&self.screen) == 1).then_some(()));
        self.writer = None;
        self.master = None;
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        processes::send(self.pid, signal);
    }

    fn exit_now(&self) -> Option<i32> {
        std::fs::read_to_string(self.exit_file()).ok()?.trim().parse().ok()
    }

    /// Waits for the program's end; returns its exit code as a shell sees it.
    pub(crate) fn exit_within(&self, patience: Duration) -> i32 {
        self.until("the program ends", patience, || self.exit_now())
    }

    /// Waits for the program's end; returns its exit code as a shell sees it.
    pub(crate) fn exit(&self) -> i32 {
        self.exit_within(PATIENCE)
    }

    /// Tells which modes stand otherwise than before the program started.
    pub(crate) fn modes(&self) -> Modes {
        let line_now = line(self.master.as_ref().expect("a terminal").as_ref());
        let state = self.screen.lock();
        let screen = state.parser.screen();
        Modes {
            alternate_screen: screen.alternate_screen(),
            hidden_cursor: screen.hide_cursor(),
            bracketed_paste: screen.bracketed_paste(),
            mouse: screen.mouse_protocol_mode() != vt100::MouseProtocolMode::None,
            line: line_now != self.modes_before,
        }
    }

    /// Asserts that the terminal is as the shell had it, and that no process of the program is left.
    pub(crate) fn assert_clean(&self) {
        self.assert_restored();
        assert_eq!(processes::owned_by(self.pid), Vec::<String>::new(), "no process is left");
    }

    /// Asserts that the terminal is as the shell had it.
    pub(crate) fn assert_restored(&self) {
        // The last bytes may still be on their way from the kernel to us.
        let is_restored = |screen: &vt100::Screen| !screen.alternate_screen() && !screen.hide_cursor();
        self.wait("the terminal is restored", PATIENCE, is_restored);
        assert_eq!(self.modes(), Modes::RESTORED);
    }

    /// Quits by key, and asserts that all is as before.
    pub(crate) fn quit(mut self) {
        self.send("q");
        assert_eq!(self.exit(), 0);
        self.assert_clean();
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // What a failed test leaves: the program by its id, its children by their tag, the stand-in by its handle.
        if self.pid != 0 && self.exit_now().is_none() {
            processes::kill(self.pid);
        }
        for process in processes::owned_by(self.pid) {
            if let Some(pid) = process.split(' ').next().and_then(|pid| pid.parse().ok()) {
                processes::kill(pid);
            }
        }
        let _ = self.stand_in.kill();
        let _ = self.stand_in.wait();
    }
}

/// The line discipline, in a form that can be compared.
fn line(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios())
}

impl Shared {
    fn new(columns: u16, rows: u16) -> Self {
        let state = State {
            parser: vt100::Parser::new(lines(rows), lines(columns), 200),
            cutter: Cutter::default(),
            bytes: Vec::new(),
            sequences: Vec::new(),
            frames: Vec::new(),
            is_in_frame: false,
            first_byte: None,
            last: Instant::now(),
            reading: Reading::On,
            is_recording: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_reading(&self, reading: Reading) {
        self.lock().reading = reading;
        self.changed.notify_all();
    }

    fn read_all(&self, mut from: Box<dyn Read + Send>) {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let mut state = self.lock();
            while state.reading == Reading::Off {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.reading == Reading::Over {
                return;
            }
            drop(state);
            let count = from.read(&mut buffer).unwrap_or(0);
            let at = Instant::now();
            if count == 0 {
                return;
            }
            self.lock().take(&buffer[..count], at);
            self.changed.notify_all();
        }
    }
}

impl State {
    fn take(&mut self, bytes: &[u8], at: Instant) {
        self.first_byte.get_or_insert(at);
        self.last = at;
        self.bytes.extend_from_slice(bytes);
        let mut from = 0;
        for (index, byte) in bytes.iter().enumerate() {
            match self.cutter.feed(*byte) {
                Token::Text => {}
                Token::FrameBegan => self.is_in_frame = true,
                Token::FrameEnded => {
                    self.parser.process(&bytes[from..=index]);
                    from = index + 1;
                    self.is_in_frame = false;
                    let screen = if self.is_recording { self.parser.screen().contents() } else { String::new() };
                    self.frames.push(Frame { at, screen });
                }
                Token::Sequence(name) => {
                    if let Err(place) = self.sequences.binary_search(&name) {
                        self.sequences.insert(place, name);
                    }
                }
            }
        }
        self.parser.process(&bytes[from..]);
    }
}
