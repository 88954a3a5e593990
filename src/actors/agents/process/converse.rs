//! One conversation with a child: feed its input, read both outputs, keep four deadlines, obey stop and kill, and see
//! it to its end.
//!
//! It must not know what the words mean. Everything happens in one loop of one task: a child that never reads, floods,
//! stays silent, ignores TERM or leaves its output open to a grandchild meets its deadline there.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::capture::{Capture, EVIDENCE_END};
use super::clock::{Alarm, Clock};
use super::ear::Ear;
use super::{Child, Ended};
use crate::domain::failure::Deadline;
use crate::domain::run::Limits;

/// How long outputs are waited for after the child has ended: a grandchild may hold them open for ever, and what the
/// child itself wrote is in the pipe already.
const DRAIN: Duration = Duration::from_millis(100);

/// Most that is read of an output after the child has ended: as much as a pipe holds. More is somebody else's.
const DRAIN_MAX: usize = super::PIPE_ROOM;

/// Which of a child's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Somebody who hears what a child says as it says it.
pub trait Listener: Send {
    /// Takes a piece of output.
    fn heard(&mut self, stream: Stream, bytes: &[u8]);
    /// Tells when it wants to be woken next, if at all.
    fn due(&self) -> Option<Instant>;
    /// Is called when it is due.
    fn wake(&mut self);
    /// Tells whether nothing more is wanted of the child: it has said that its turn ended well, or cannot say anything
    /// any more (`can_speak`).
    fn has_all(&self, can_speak: bool) -> bool;
}

/// Nobody listens.
impl Listener for () {
    fn heard(&mut self, _: Stream, _: &[u8]) {}
    fn due(&self) -> Option<Instant> {
        None
    }
    fn wake(&mut self) {}
    fn has_all(&self, _: bool) -> bool {
        false
    }
}

/// Somebody listens, or nobody.
impl<L: Listener> Listener for Option<&mut L> {
    fn heard(&mut self, stream: Stream, bytes: &[u8]) {
        if let Some(listener) = self {
            listener.heard(stream, bytes);
        }
    }
    fn due(&self) -> Option<Instant> {
        self.as_ref().and_then(|listener| listener.due())
    }
    fn wake(&mut self) {
        if let Some(listener) = self {
            listener.wake();
        }
    }
    fn has_all(&self, can_speak: bool) -> bool {
        self.as_ref().is_some_and(|listener| listener.has_all(can_speak))
    }
}

/// Why we cut a child short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Somebody asked for it to stop.
    Stopped,
    /// It passed a deadline.
    Late {
        /// Which.
        which: Deadline,
        /// How long it was, in milliseconds.
        after_ms: u64,
    },
}

/// What a child said, and how it ended.
#[derive(Debug)]
pub struct Spoken {
    /// Its output: the first `stdout_max` bytes and the last 256 KiB.
    pub stdout: Capture,
    /// The last `stderr_max` bytes of its error output.
    pub stderr: Capture,
    /// Why we cut it short, if we did.
    pub cut: Option<Cut>,
    /// Whether it had said all and was still there, so that we ended it: its exit says nothing then.
    pub stayed: bool,
    /// How it came to its end.
    pub ended: Ended,
    /// From the start of the conversation to the end of the sweep.
    pub took: Duration,
}

/// Gives a child its input and listens until it ends, has said all, passes a deadline, or is told to stop; nothing of it
/// is left afterwards. `stop` asks it politely (TERM, then KILL after the grace), `kill` kills it now.
pub async fn converse(
    mut child: Child,
    input: Arc<str>,
    limits: &Limits,
    stop: &CancellationToken,
    kill: &CancellationToken,
    listener: &mut impl Listener,
) -> Spoken {
    let began = Instant::now();
    let mut out = Ear::new(child.stdout.take(), Capture::new(limits.stdout_max, EVIDENCE_END as u64));
    let mut err = Ear::new(child.stderr.take(), Capture::new(0, limits.stderr_max));
    let (cut, stayed) = listen(&mut child, input, limits, (stop, kill), (&mut out, &mut err), listener).await;
    if kill.is_cancelled() {
        child.kill();
    } else {
        // Whatever the leader left in its group has until the end of the drain to go by itself.
        child.terminate();
    }
    drain(&mut out, &mut err, listener).await;
    let ended = child.finish().await;
    Spoken { stdout: out.capture, stderr: err.capture, cut, stayed, ended, took: began.elapsed() }
}

async fn listen(
    child: &mut Child,
    input: Arc<str>,
    limits: &Limits,
    (stop, kill): (&CancellationToken, &CancellationToken),
    (out, err): (&mut Ear<ChildStdout>, &mut Ear<ChildStderr>),
    listener: &mut impl Listener,
) -> (Option<Cut>, bool) {
    let mut feed = feed(child.stdin.take(), input);
    let mut is_fed = false;
    let mut clock = Clock::new(limits);
    let (mut cut, mut stayed) = (None, false);
    loop {
        clock.leaving(listener.has_all(out.is_open()));
        let (next, alarm) = clock.next();
        let due = listener.due();
        tokio::select! {
            biased;
            () = kill.cancelled() => return (cut.or(Some(Cut::Stopped)), stayed),
            () = stop.cancelled(), if cut.is_none() => {
                cut = Some(Cut::Stopped);
                child.terminate();
                clock.stopping();
            }
            _ = child.ended() => return (cut, stayed),
            () = &mut feed, if !is_fed => {
                is_fed = true;
                clock.fed();
            }
            length = out.hear(), if out.is_open() => {
                if length > 0 {
                    listener.heard(Stream::Out, out.take(length));
                    clock.heard();
                }
            }
            length = err.hear(), if err.is_open() => {
                if length > 0 {
                    listener.heard(Stream::Err, err.take(length));
                    clock.heard();
                }
            }
            () = sleep_until(due.unwrap_or(next)), if due.is_some() => listener.wake(),
            () = sleep_until(next) => {
                match alarm {
                    Alarm::Grace => return (cut, stayed),
                    Alarm::Stays => stayed = true,
                    Alarm::Late(which, after_ms) => cut = Some(Cut::Late { which, after_ms }),
                }
                child.terminate();
                clock.stopping();
            }
        }
    }
}

/// Writes the whole input and closes it. A child that closes its input early has taken what it wants.
fn feed(stdin: Option<ChildStdin>, input: Arc<str>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if let Some(mut stdin) = stdin {
            // EPIPE is the child's choice, and its exit says more.
            let _ = stdin.write_all(input.as_bytes()).await;
        }
    })
}

/// Reads what is left without pause, until both streams end, [`DRAIN_MAX`] was read of them, or nothing comes any more
/// and [`DRAIN`] has passed. What is there is taken before the clock is looked at: on a busy machine we may come late.
async fn drain<O, E>(out: &mut Ear<O>, err: &mut Ear<E>, listener: &mut impl Listener)
where
    O: AsyncRead + Unpin,
    E: AsyncRead + Unpin,
{
    let end = Instant::now() + DRAIN;
    let (mut of_out, mut of_err) = (DRAIN_MAX, DRAIN_MAX);
    while (out.is_open() && of_out > 0) || (err.is_open() && of_err > 0) {
        tokio::select! {
            biased;
            length = out.hear_now(), if out.is_open() && of_out > 0 => {
                of_out = of_out.saturating_sub(length);
                listener.heard(Stream::Out, out.take(length));
            }
            length = err.hear_now(), if err.is_open() && of_err > 0 => {
                of_err = of_err.saturating_sub(length);
                listener.heard(Stream::Err, err.take(length));
            }
            () = sleep_until(end) => return,
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test stands outside and drives a runtime of its own")]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::super::ear::{CHUNK, FLOOD, FLOOD_PACE};
    use super::*;

    /// What comes out of a pipe that holds so many bytes and stays open, after so many were heard before.
    async fn drained(held: usize, before: u64) -> u64 {
        let (mut pipe, end) = tokio::io::duplex(4 * DRAIN_MAX);
        pipe.write_all(&vec![b'x'; held]).await.unwrap();
        let mut out = Ear::new(Some(end), Capture::new(0, 0));
        out.capture.take(&vec![b'y'; before as usize]);
        out.ready = Instant::now() + FLOOD_PACE;
        let mut err: Ear<tokio::io::Empty> = Ear::new(None, Capture::new(0, 0));
        drain(&mut out, &mut err, &mut ()).await;
        out.capture.bytes() - before
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_pipe_is_read_to_its_last_byte_after_the_end_also_of_a_flood() {
        for before in [0, FLOOD] {
            assert_eq!(drained(DRAIN_MAX, before).await, DRAIN_MAX as u64, "after {before} bytes");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_grandchild_goes_on_writing_does_not_hold_the_end_up() {
        let read = drained(4 * DRAIN_MAX, 0).await as usize;
        assert!((DRAIN_MAX..DRAIN_MAX + CHUNK).contains(&read), "{read}");
    }
}
