//! One server's process: its group, its tag, its last words, its end.
//!
//! It must not know MCP. Whatever happens, the group of a server whose scope has ended or whose leader has died is
//! killed: a grandchild that holds stdout or ignores TERM does not outlive it.

use std::collections::VecDeque;
use std::process::Stdio;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::wire::{Connector, Wire};
use crate::actors::Scope;
use crate::domain::failure::Failure;
use crate::domain::safe::Safe;
use crate::domain::server::ServerSpec;

/// What a dead server's pipe may still hold is read for this long before its group is killed and calls fail.
const DRAIN: Duration = Duration::from_millis(50);

/// Lines of stderr that are kept for the servers view.
const WORDS: usize = 40;
/// Bytes kept of one such line: what a screen can show.
const WORD_MAX: usize = 400;

/// Our own variables that a server sees: what it needs to find its runtime, its files and its language. Keys and
/// tokens are not among them; a server that needs one gets it from its `env` in the config.
const PASSED: [&str; 14] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
];

/// Starts servers as processes of their own group.
#[derive(Debug, Clone)]
pub struct Processes {
    owner: String,
}

impl Processes {
    /// Makes the connector; `owner` tags each child (`<pid>:<start time>` of this process), so that a later start can
    /// tell strays of a dead owner from children of a live one.
    pub fn new(owner: impl Into<String>) -> Self {
        Self { owner: owner.into() }
    }
}

impl Connector for Processes {
    fn connect(&self, scope: &Scope, server: &ServerSpec) -> Result<Wire, Failure> {
        let refuse = |why: String| Failure::Server { server: server.name.clone(), why };
        let mut command = Command::new(&server.command);
        command
            .args(&server.args)
            .env_clear()
            .envs(PASSED.iter().filter_map(|name| std::env::var_os(name).map(|value| (*name, value))))
            .envs(&server.env)
            .env("DICAST_OWNER", &self.owner)
            .env("DICAST_RUN", "mcp")
            .current_dir(&server.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            // The net under the net: if the runtime dies before the reaper has run.
            .kill_on_drop(true);
        let mut child =
            command.spawn().map_err(|error| refuse(format!("{} could not be started: {error}", server.command)))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(refuse("its pipes are missing".into()));
        };
        let life = Life::of(child.id());
        scope.spawn(listen(stderr, life.clone()));
        scope.spawn(reap(child, life.clone(), scope.cancel.clone()));
        Ok(Wire { reading: Box::new(stdout), writing: Box::new(stdin), life })
    }
}

/// The life of one server's process group; cheap to clone.
#[derive(Debug, Clone)]
pub struct Life {
    group: Option<Pid>,
    words: Arc<Words>,
    end: Arc<End>,
}

#[derive(Debug, Default)]
struct End {
    /// How the leader ended.
    how: OnceLock<String>,
    /// The end was asked for: nothing is left worth draining.
    wanted: CancellationToken,
    /// The leader has ended and its group was killed.
    gone: CancellationToken,
}

impl Life {
    fn of(pid: Option<u32>) -> Self {
        let group = pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        Self { group, words: Arc::default(), end: Arc::default() }
    }

    /// Makes the life of a server that is no process (a pipe within this process): it is gone as soon as its end is
    /// asked for.
    pub fn without_process() -> Self {
        Self::of(None)
    }

    /// Asks the whole group to end; when its leader has, the rest is killed.
    pub(super) fn terminate(&self) {
        self.end.wanted.cancel();
        self.signal(Signal::TERM);
    }

    /// Ends the whole group.
    pub(super) fn kill(&self) {
        self.end.wanted.cancel();
        self.signal(Signal::KILL);
        if self.group.is_none() {
            self.end.gone.cancel();
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group
            && let Err(error) = kill_process_group(group, signal)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(group = group.as_raw_nonzero(), %error, "could not signal a server's group");
        }
    }

    /// Waits until the leader has ended and its group was killed.
    pub async fn gone(&self) {
        self.end.gone.cancelled().await;
    }

    /// Tells whether the leader has ended and its group was killed.
    pub(super) fn is_gone(&self) -> bool {
        self.end.gone.is_cancelled()
    }

    /// Tells whether the group still has a member.
    pub(super) fn is_left(&self) -> bool {
        self.group.is_some_and(|group| test_kill_process_group(group).is_ok())
    }

    /// Returns how the leader ended, if it has.
    pub(super) fn how(&self) -> Option<&str> {
        self.end.how.get().map(String::as_str)
    }

    /// Returns the latest lines of stderr.
    pub(super) fn words(&self) -> Vec<Safe> {
        self.words.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|line| shown(line)).collect()
    }

    /// Returns the last line of stderr that is not blank.
    pub(super) fn last_word(&self) -> Option<Safe> {
        let lines = self.words.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().rev().find(|line| !line.trim_ascii().is_empty()).map(|line| shown(line))
    }

    /// Waits until something was written to stderr since the last call.
    pub(super) async fn spoke(&self) {
        self.words.changed.notified().await;
    }
}

fn shown(line: &[u8]) -> Safe {
    Safe::line(String::from_utf8_lossy(line).trim_end())
}

/// The last lines of stderr, as bytes: they are cleaned when they are shown, so that a flood costs little.
#[derive(Debug, Default)]
struct Words {
    lines: Mutex<VecDeque<Vec<u8>>>,
    changed: Notify,
}

impl Words {
    /// Adds a chunk; the last line is continued until its line break comes.
    fn add(&self, chunk: &[u8]) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for (i, part) in chunk.split(|byte| *byte == b'\n').enumerate() {
            if i > 0 || lines.is_empty() {
                if lines.len() == WORDS {
                    lines.pop_front();
                }
                lines.push_back(Vec::new());
            }
            if let Some(line) = lines.back_mut() {
                let room = WORD_MAX.saturating_sub(line.len());
                line.extend_from_slice(&part[..part.len().min(room)]);
            }
        }
        drop(lines);
        self.changed.notify_one();
    }
}

/// Reads stderr until it ends, or until the group is gone (a process that left the group may hold the pipe for ever).
async fn listen(mut stderr: impl AsyncRead + Unpin, life: Life) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        tokio::select! {
            read = stderr.read(&mut buffer) => match read {
                Ok(n @ 1..) => life.words.add(&buffer[..n]),
                Ok(0) | Err(_) => return,
            },
            () = life.gone() => return,
        }
    }
}

/// Waits for the leader, kills what is left of its group, and tells everybody who waits.
async fn reap(mut child: Child, life: Life, ended: CancellationToken) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = ended.cancelled() => {
            life.kill();
            child.wait().await
        }
    };
    let how = match status {
        Ok(status) => status.to_string(),
        Err(error) => format!("its end could not be awaited: {error}"),
    };
    // Set once: nobody else writes it.
    let _ = life.end.how.set(how);
    tokio::select! {
        () = tokio::time::sleep(DRAIN) => {}
        () = life.end.wanted.cancelled() => {}
    }
    // Its number may be given to a new process only when no member of the group is left; then there is no such group.
    life.signal(Signal::KILL);
    life.end.gone.cancel();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_are_bounded_in_both_directions() {
        let words = Words::default();
        words.add("x".repeat(100_000).as_bytes());
        for n in 0..10_000 {
            words.add(format!("\nline {n}").as_bytes());
        }
        let lines = words.lines.lock().unwrap();
        assert_eq!(lines.len(), WORDS);
        assert_eq!(lines.back().unwrap(), b"line 9999");
        assert!(lines.iter().all(|line| line.len() <= WORD_MAX));
    }

    #[test]
    fn a_line_may_come_in_pieces_and_is_made_harmless() {
        let life = Life::without_process();
        life.words.add(b"warn");
        life.words.add(b"ing \x1b[2J\r\n  \n");
        assert_eq!(life.last_word(), Some(Safe::line("warning \u{1b}[2J")));
    }
}
