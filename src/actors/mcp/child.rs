//! One server's process: its last words and its end.
//!
//! It must not know MCP. Starting, the group, the tag and the sweep are [`process`](crate::actors::agents::process)'s;
//! here is when: a server whose leader has died, whose end is ordered or whose scope has ended leaves nothing behind,
//! also not a grandchild that holds stdout or ignores TERM.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::wire::{Connector, Wire};
use crate::actors::Scope;
use crate::actors::agents::process::{Child, Children, Ended, Program, Tag};
use crate::domain::failure::Failure;
use crate::domain::redact::Redactor;
use crate::domain::safe::Safe;
use crate::domain::server;

/// What a dead server's pipe may still hold is read for this long before its group is killed and calls fail.
const DRAIN: Duration = Duration::from_millis(50);

/// Room for one read of stderr: what a pipe holds on Linux, so that one read takes all that a dead child left.
const PIPE: usize = 64 << 10;

/// Least time between two reads of stderr: a flood waits in its pipe instead of taking a core from the screen.
const PACE: Duration = Duration::from_millis(20);

/// Lines of stderr that are kept for the servers view.
const WORDS: usize = 40;
/// Bytes kept of one such line: what a screen can show.
const WORD_MAX: usize = 400;

/// Most characters of a server's own error text that are passed on.
const WHY_MAX: usize = 2_000;

/// Our own variables that a server sees: what it needs to find its runtime, its files and its language. Keys and
/// tokens are not among them; a server that needs one gets it from its `env` in the config.
const PASSED: [&str; 9] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_*", "TMPDIR", "XDG_*"];

/// Starts servers as children of this program.
#[derive(Debug, Clone)]
pub struct Processes {
    children: Children,
    run: String,
    redactor: Arc<Redactor>,
}

impl Processes {
    /// Makes the connector; `run` tags the servers (with their names), so that no two living connectors of one program
    /// may have the same.
    pub fn new(children: Children, run: impl Into<String>) -> Self {
        Self { children, run: run.into(), redactor: Arc::default() }
    }

    /// Takes secrets out of what servers write to stderr or log, before anybody sees it.
    #[must_use]
    pub fn hiding(self, redactor: Redactor) -> Self {
        Self { redactor: Arc::new(redactor), ..self }
    }
}

impl Connector for Processes {
    fn connect(&self, scope: &Scope, name: &str, server: &server::Program) -> Result<Wire, Failure> {
        let refuse = |why: String| Failure::Server { server: name.to_owned(), why };
        let mut command = vec![server.command.clone()];
        command.extend(server.args.iter().cloned());
        let program = Program {
            command,
            env: server.env.clone(),
            env_pass: PASSED.iter().map(|name| (*name).to_owned()).collect(),
            cwd: PathBuf::from(&server.cwd),
            tag: Tag { run: self.run.clone(), seat: name.to_owned() },
        };
        let mut child = self.children.start(&program).map_err(|error| refuse(error.to_string()))?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            return Err(refuse("its pipes are missing".into()));
        };
        let life = Life::of_process(scope).hiding(self.redactor());
        scope.spawn(listen(stderr, life.clone()));
        scope.spawn(live(child, life.clone()));
        Ok(Wire { reading: Box::new(stdout), writing: Box::new(stdin), life })
    }

    fn redactor(&self) -> Arc<Redactor> {
        Arc::clone(&self.redactor)
    }
}

/// The life of one server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Life {
    is_process: bool,
    words: Arc<Words>,
    end: Arc<End>,
    redactor: Arc<Redactor>,
}

#[derive(Debug, Default)]
struct End {
    /// The end is ordered, with this grace between TERM and KILL.
    grace: OnceLock<Duration>,
    ordered: CancellationToken,
    /// Without any grace.
    kill: CancellationToken,
    /// How the leader ended, in words; then `known` is cancelled.
    how: OnceLock<String>,
    known: CancellationToken,
    /// Processes left after the sweep.
    survivors: OnceLock<u32>,
    /// All of it is over.
    gone: CancellationToken,
}

impl End {
    /// Says how the leader ended; what was said first counts.
    fn tell(&self, how: String) {
        let _ = self.how.set(how);
        self.known.cancel();
    }
}

impl Life {
    /// Makes the life of a process that dies with its scope.
    fn of_process(scope: &Scope) -> Self {
        let end = End { kill: scope.cancel.child_token(), ..End::default() };
        Self { is_process: true, words: Arc::default(), end: Arc::new(end), redactor: Arc::default() }
    }

    /// Makes the life of a server that is no process (a pipe within this process): it is gone as soon as its end is
    /// ordered.
    pub fn without_process() -> Self {
        Self { is_process: false, words: Arc::default(), end: Arc::default(), redactor: Arc::default() }
    }

    /// Takes secrets out of what is said.
    #[must_use]
    pub(super) fn hiding(self, redactor: Arc<Redactor>) -> Self {
        Self { redactor, ..self }
    }

    /// Takes secrets out of a server's own words, then cuts them: half a secret would not be known for one.
    pub(super) fn foreign(&self, text: &str) -> String {
        let cut: String = self.redactor.clean(text).trim().chars().take(WHY_MAX).collect();
        Safe::line(&cut).as_str().to_owned()
    }

    /// Takes secrets out of what a tool answered: it is shown, kept and told to agents.
    pub(super) fn answered(&self, mut value: Value) -> Value {
        self.redactor.clean_json(&mut value);
        value
    }

    fn shown(&self, line: &[u8]) -> Safe {
        Safe::line(self.redactor.clean(String::from_utf8_lossy(line).trim_end()).as_ref())
    }

    /// Gives up a server that is no process, for this reason.
    pub(super) fn give_up(&self, why: &str) {
        if !self.is_process {
            self.end.tell(why.to_owned());
            self.end_without_process();
        }
    }

    /// Orders the end: TERM to the group, `grace` for its leader, KILL. The first order's grace counts.
    pub(super) fn stop(&self, grace: Duration) {
        // A second order changes nothing but by kill.
        let _ = self.end.grace.set(grace);
        self.end.ordered.cancel();
        self.end_without_process();
    }

    /// Ends the whole group now.
    pub(super) fn kill(&self) {
        self.end.kill.cancel();
        self.end_without_process();
    }

    fn end_without_process(&self) {
        if !self.is_process {
            self.end.known.cancel();
            self.end.gone.cancel();
        }
    }

    /// Waits until the leader has ended and everything of it was killed and swept.
    pub async fn gone(&self) {
        self.end.gone.cancelled().await;
    }

    /// Tells whether the leader has ended and everything of it was killed and swept.
    pub(super) fn is_gone(&self) -> bool {
        self.end.gone.is_cancelled()
    }

    /// Waits until the leader has ended and its last words are in; its group may still be there.
    pub(super) async fn ended(&self) {
        self.end.known.cancelled().await;
        tokio::select! {
            () = self.words.complete.cancelled() => {}
            // Somebody else holds stderr.
            () = self.gone() => {}
        }
    }

    /// Returns how many processes are left: those that the sweep could not end, or one while it has not come that far.
    pub(super) fn survivors(&self) -> u32 {
        if self.is_process { self.end.survivors.get().copied().unwrap_or(1) } else { 0 }
    }

    /// Returns how the leader ended (or why a server that is no process was given up), in words, if it has.
    pub(super) fn how(&self) -> Option<String> {
        let how = self.end.how.get()?;
        Some(if self.is_process { format!("it ended ({how})") } else { how.clone() })
    }

    /// Adds a line that the server said over the protocol to its words.
    pub(super) fn add_word(&self, line: &str) {
        self.words.add_line(line);
    }

    /// Returns the latest lines of stderr, and what the server logged over the protocol.
    pub(super) fn words(&self) -> Vec<Safe> {
        self.words.lines.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|line| self.shown(line)).collect()
    }

    /// Returns the last line that is not blank.
    pub(super) fn last_word(&self) -> Option<Safe> {
        let lines = self.words.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().rev().find(|line| !line.trim_ascii().is_empty()).map(|line| self.shown(line))
    }

    /// Returns the latest lines that are not blank, at most `most`.
    pub(super) fn tail(&self, most: usize) -> Vec<Safe> {
        let lines = self.words.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tail: Vec<Safe> = lines
            .iter()
            .rev()
            .filter(|line| !line.trim_ascii().is_empty())
            .take(most)
            .map(|line| self.shown(line))
            .collect();
        tail.reverse();
        tail
    }

    /// Waits until something was said since the last call.
    pub(super) async fn spoke(&self) {
        self.words.changed.notified().await;
    }
}

/// The last lines of stderr, as bytes: they are cleaned when they are shown, so that a flood costs little.
#[derive(Debug, Default)]
struct Words {
    lines: Mutex<VecDeque<Vec<u8>>>,
    changed: Notify,
    /// Cancelled when the last one is in.
    complete: CancellationToken,
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

    /// Adds a whole line, before the one that stderr is in the middle of.
    fn add_line(&self, line: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let open = lines.pop_back().unwrap_or_default();
        while lines.len() + 2 > WORDS {
            lines.pop_front();
        }
        // One line, however many it was sent as: the cut below may split a character, which is then shown as such.
        let mut line = line.replace('\n', " ").into_bytes();
        line.truncate(WORD_MAX);
        lines.push_back(line);
        lines.push_back(open);
        drop(lines);
        self.changed.notify_one();
    }
}

/// Reads stderr until it ends, or until the group is gone (a process that left the group may hold the pipe for ever).
async fn listen(mut stderr: impl AsyncRead + Unpin, life: Life) {
    let _complete = life.words.complete.clone().drop_guard();
    let mut buffer = vec![0; PIPE];
    loop {
        tokio::select! {
            biased;
            read = stderr.read(&mut buffer) => match read {
                Ok(n @ 1..) => life.words.add(&buffer[..n]),
                Ok(0) | Err(_) => return,
            },
            () = life.gone() => return,
        }
        // No pause once it is gone: what the pipe still holds are its last words.
        tokio::select! {
            () = tokio::time::sleep(PACE) => {}
            () = life.gone() => {}
        }
    }
}

/// Stays with the process until it has ended, by itself or by order, and leaves nothing of it behind.
async fn live(mut child: Child, life: Life) {
    let end = &life.end;
    let ended = tokio::select! {
        biased;
        exit = child.ended() => {
            end.tell(exit.to_string());
            tokio::select! {
                () = tokio::time::sleep(DRAIN) => {}
                () = end.ordered.cancelled() => {}
                () = end.kill.cancelled() => {}
            }
            child.finish().await
        }
        () = end.kill.cancelled() => child.finish().await,
        () = end.ordered.cancelled() => {
            child.stop(end.grace.get().copied().unwrap_or_default(), &end.kill).await
        }
    };
    let Ended { exit, survivors } = ended;
    end.tell(exit.map_or_else(|| "it does not die".to_owned(), |exit| exit.to_string()));
    // Nobody else sets it.
    let _ = end.survivors.set(survivors);
    end.gone.cancel();
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
    fn what_is_logged_does_not_break_a_line_of_stderr() {
        let life = Life::without_process();
        life.words.add(b"half a ");
        life.add_word("[info] one\ntwo");
        life.words.add(b"line\n");
        let said: Vec<String> = life.words().iter().map(|line| line.as_str().to_owned()).collect();
        assert_eq!(said, ["[info] one two", "half a line", ""]);
        for n in 0..100 {
            life.add_word(&format!("{n}"));
        }
        assert_eq!(life.words().len(), WORDS);
    }

    #[test]
    fn a_line_may_come_in_pieces_and_is_made_harmless() {
        let life = Life::without_process();
        life.words.add(b"warn");
        life.words.add(b"ing \x1b[2J\r\n  \n");
        assert_eq!(life.last_word(), Some(Safe::line("warning \u{1b}[2J")));
    }
}
