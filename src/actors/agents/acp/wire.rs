//! The lines between us and one agent: what is said waits until it is taken, what is heard is cut into lines.
//!
//! It must not know what lines mean. Nothing is lost when a wait is dropped half-way.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::super::process::ear::Ear;
use super::super::process::{Capture, Child, EVIDENCE_END, Ended, Listener, Stream};
use crate::domain::classify::Exit;
use crate::domain::run::Limits;

/// Longest line that is read, in bytes: an answer, with its escapes, comes in pieces, and what tools gave back is shorter.
/// A longer one is left out.
const LINE_MAX: usize = 16 << 20;

/// How long an agent may take to end by itself once its input has ended: most do at once.
const END_OF_INPUT: Duration = Duration::from_millis(500);

/// How long what an agent wrote before it died is waited for.
const DRAIN: Duration = Duration::from_millis(100);

/// What happened on the wire.
#[derive(Debug)]
pub(super) enum Wired {
    /// A whole line.
    Line(Vec<u8>),
    /// Everything that was said was taken.
    Taken,
    /// The agent's process has ended.
    Ended(Exit),
}

/// One agent's process with its streams.
#[derive(Debug)]
pub(super) struct Wire {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Ear<ChildStdout>,
    err: Ear<ChildStderr>,
    frames: Frames,
    waiting: VecDeque<u8>,
    exit: Option<Exit>,
}

impl Wire {
    /// Takes a child over.
    pub(super) fn new(mut child: Child, limits: &Limits) -> Self {
        let stdin = child.stdin.take();
        let out = Ear::new(child.stdout.take(), stdout(limits));
        let err = Ear::new(child.stderr.take(), Capture::new(0, limits.stderr_max));
        Self { child, stdin, out, err, frames: Frames::default(), waiting: VecDeque::new(), exit: None }
    }

    /// Returns its pid.
    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Says something as soon as it can be taken.
    pub(super) fn say(&mut self, line: &str) {
        self.waiting.extend(line.as_bytes());
    }

    /// Returns what was heard since the last time.
    pub(super) fn captured(&mut self, limits: &Limits) -> (Capture, Capture) {
        let out = std::mem::replace(&mut self.out.capture, stdout(limits));
        (out, std::mem::replace(&mut self.err.capture, Capture::new(0, limits.stderr_max)))
    }

    /// Waits for the next thing to happen.
    pub(super) async fn next(&mut self, listener: &mut impl Listener) -> Wired {
        loop {
            if let Some(line) = self.frames.lines.pop_front() {
                return Wired::Line(line);
            }
            if let Some(exit) = self.exit {
                return Wired::Ended(exit);
            }
            let due = listener.due();
            let (said, _) = self.waiting.as_slices();
            tokio::select! {
                biased;
                exit = self.child.ended() => {
                    self.drain(listener).await;
                    self.exit = Some(exit);
                }
                length = write(&mut self.stdin, said), if !said.is_empty() => {
                    match length {
                        Some(length) => drop(self.waiting.drain(..length)),
                        // It closed its input: its end, or a deadline, says more.
                        None => {
                            self.stdin = None;
                            self.waiting.clear();
                        }
                    }
                    if self.waiting.is_empty() {
                        return Wired::Taken;
                    }
                }
                length = self.out.hear(), if self.out.is_open() => self.heard(length, listener),
                length = self.err.hear(), if self.err.is_open() => {
                    if length > 0 {
                        listener.heard(Stream::Err, self.err.take(length));
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => listener.wake(),
            }
        }
    }

    fn heard(&mut self, length: usize, listener: &mut impl Listener) {
        if length > 0 {
            let bytes = self.out.take(length);
            listener.heard(Stream::Out, bytes);
            self.frames.take(bytes);
        }
    }

    /// Reads what was left in the pipes; a grandchild may hold them open for ever.
    async fn drain(&mut self, listener: &mut impl Listener) {
        let until = Instant::now() + DRAIN;
        while self.out.is_open() && Instant::now() < until {
            let Ok(length) = timeout(DRAIN, self.out.hear_now()).await else { break };
            self.heard(length, listener);
        }
        while self.err.is_open() && Instant::now() < until {
            let Ok(length) = timeout(DRAIN, self.err.hear_now()).await else { break };
            if length > 0 {
                listener.heard(Stream::Err, self.err.take(length));
            }
        }
    }

    /// Ends the process and everything that it started: end of input, TERM, KILL after the grace, sweep. `kill` cuts it
    /// short; one that did not obey before has no grace left.
    pub(super) async fn end(mut self, how: Leave, kill: &CancellationToken) -> Ended {
        let (patience, grace) = match how {
            Leave::Now => return self.child.finish().await,
            Leave::Soon(grace) => (Duration::ZERO, grace),
            Leave::ByItself(grace) => (END_OF_INPUT, grace),
        };
        self.stdin = None;
        self.waiting.clear();
        if self.goes_within(patience, kill).await {
            return self.child.finish().await;
        }
        self.child.terminate();
        self.goes_within(grace, kill).await;
        self.child.finish().await
    }

    async fn goes_within(&mut self, patience: Duration, kill: &CancellationToken) -> bool {
        let gone = async {
            loop {
                if let Wired::Ended(_) = self.next(&mut ()).await {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = kill.cancelled() => false,
            () = gone => true,
            () = sleep(patience) => false,
        }
    }
}

/// How an agent is ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leave {
    /// Killed.
    Now,
    /// End of input and TERM together, KILL after the grace.
    Soon(Duration),
    /// End of input first: it is not at work, and may have something to write down.
    ByItself(Duration),
}

fn stdout(limits: &Limits) -> Capture {
    Capture::new(limits.stdout_max, EVIDENCE_END as u64)
}

async fn write(stdin: &mut Option<ChildStdin>, said: &[u8]) -> Option<usize> {
    let stdin = stdin.as_mut()?;
    stdin.write(said).await.ok().filter(|length| *length > 0)
}

/// Cuts a stream into lines of a bounded length.
#[derive(Debug, Default)]
struct Frames {
    partial: Vec<u8>,
    is_too_long: bool,
    lines: VecDeque<Vec<u8>>,
}

impl Frames {
    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.is_too_long |= self.partial.len() + piece.len() > LINE_MAX;
            if self.is_too_long {
                self.partial = Vec::new();
            } else {
                self.partial.extend_from_slice(piece);
            }
            if piece.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.partial);
                if !std::mem::take(&mut self.is_too_long) {
                    self.lines.push_back(line);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_however_they_arrive_and_one_without_an_end_costs_no_more_than_its_limit() {
        let mut frames = Frames::default();
        for piece in [&b"on"[..], b"e\ntwo\nth", b"ree"] {
            frames.take(piece);
        }
        assert_eq!(frames.lines, [b"one\n", b"two\n"]);
        for _ in 0..40 {
            frames.take(&vec![b'x'; 1 << 20]);
            assert!(frames.partial.len() <= LINE_MAX);
        }
        frames.take(b"\nfour\n");
        assert_eq!(frames.lines.back().map(Vec::as_slice), Some(&b"four\n"[..]));
        assert_eq!(frames.lines.len(), 3, "the long one is left out");
    }
}
