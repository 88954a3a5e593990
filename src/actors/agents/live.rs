//! What an agent is doing, as it does it: its output in lines, to the transcript whole and to the screen as the latest
//! few, at most ten times a second. Of a program that writes JSON the lines are what it says and does, not the JSON.
//!
//! It must not know what an answer is worth, nor wait: a slow disk costs lines of the transcript, never the agent's time.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::command::Tools;
use super::hearing::Hearing;
use super::process::{Listener, Stream};
use crate::actors::Scope;
use crate::actors::lanes::Lanes;
use crate::disk::lines::Appender;
use crate::domain::failure::Failure;
use crate::domain::redact::Redactor;
use crate::domain::run::{Call, Progress, SeatKey, TAIL_LINES, Turn, TurnKind};
use crate::domain::safe::Safe;
use crate::domain::stream::{Account, End, Event, Usage};
use crate::domain::transcript::path_of;

/// Least time between two pictures of one agent: faster cannot be read.
const SHOW: Duration = Duration::from_millis(100);

/// A longer line goes on in the next one, so that a page of a transcript is of bounded size.
const LINE_MAX: usize = 8 << 10;

/// Characters of a line that travel to the screen: more than the widest screen shows.
const SHOWN_MAX: usize = 500;

/// Size at which a transcript takes no more.
const TRANSCRIPT_MAX: u64 = 1 << 30;

/// Lines that wait for a slow disk take at most this much; what comes on top is left out of the transcript.
const WAITING_MAX: usize = 4 << 20;

/// How long the end of a turn waits for the transcript's last lines.
const CLOSE: Duration = Duration::from_secs(1);

/// Listens to one agent for one turn.
pub(super) struct Live {
    lanes: Lanes,
    redactor: Arc<Redactor>,
    seat: SeatKey,
    out: Lines,
    err: Lines,
    /// Reads the output of a program that writes JSON.
    hearing: Option<Hearing>,
    used_before: Usage,
    /// What was used, where no hearing counts it.
    used: Usage,
    is_fenced: bool,
    doing: Safe,
    tail: VecDeque<Safe>,
    lines: u64,
    bytes: u64,
    scribe: Scribe,
    shown: Instant,
    due: Option<Instant>,
}

impl Live {
    /// Starts to listen; the transcript is appended to the seat's file.
    pub(super) fn new(tools: &Tools, turn: &Turn) -> Self {
        Self::listen(tools, &turn.seat, turn.kind, Hearing::of(&turn.launch.transport), turn.used_before)
    }

    /// Starts to listen to a model over HTTP, whose events come as they are.
    pub(super) fn of_call(tools: &Tools, call: &Call) -> Self {
        Self::listen(tools, &call.seat, call.kind, None, Usage::default())
    }

    fn listen(tools: &Tools, seat: &SeatKey, kind: TurnKind, hearing: Option<Hearing>, used_before: Usage) -> Self {
        let seat = seat.clone();
        let scribe = Scribe::new(tools.scope.clone(), tools.transcripts.join(path_of(&seat)));
        let now = Instant::now();
        let mut live = Self {
            lanes: tools.lanes.clone(),
            redactor: Arc::clone(&tools.redactor),
            seat,
            out: Lines::default(),
            err: Lines::default(),
            hearing,
            used_before,
            used: Usage::default(),
            is_fenced: false,
            doing: Safe::default(),
            tail: VecDeque::new(),
            lines: 0,
            bytes: 0,
            scribe,
            shown: now,
            due: None,
        };
        match kind {
            TurnKind::Draft => {}
            TurnKind::Repair => {
                live.write("── repair ──");
            }
            TurnKind::Round => {
                live.write("── round ──");
            }
        }
        live
    }

    /// Shows the last picture and closes the transcript; returns what came of a program's JSON.
    pub(super) async fn close(mut self) -> Option<Account> {
        let account = self.hearing.take().map(|hearing| {
            let (account, events) = hearing.close(&Arc::clone(&self.redactor));
            events.into_iter().for_each(|event| self.event(event));
            account
        });
        for stream in [Stream::Out, Stream::Err] {
            if let Some(rest) = self.ear(stream).rest() {
                self.line(stream, &rest);
            }
        }
        self.wake();
        self.scribe.close().await;
        account
    }

    fn ear(&mut self, stream: Stream) -> &mut Lines {
        match stream {
            Stream::Out => &mut self.out,
            Stream::Err => &mut self.err,
        }
    }

    /// Takes what a model over HTTP says, with what came for it in bytes.
    pub(super) fn tell(&mut self, event: Event, bytes: usize) {
        self.bytes += bytes as u64;
        self.event(event);
        self.is_due();
    }

    /// Takes how much a model over HTTP has used so far.
    pub(super) fn count(&mut self, used: Usage) {
        self.used = used;
    }

    /// Its session is a new one: what another has used is of no concern.
    pub(super) fn begin_anew(&mut self) {
        self.used_before = Usage::default();
    }

    /// Ends a line that was said without an end.
    pub(super) fn pause(&mut self) {
        self.end_of_line();
    }

    fn is_due(&mut self) {
        self.due = self.due.or(Some((self.shown + SHOW).max(Instant::now())));
    }

    /// Takes what a program's JSON says.
    fn event(&mut self, event: Event) {
        match event {
            Event::Delta(piece) => {
                for line in self.out.take(piece.as_bytes()) {
                    self.line(Stream::Out, &line);
                }
                if let Some(doing) = self.out.at_hand() {
                    self.is_doing(if self.is_fenced || is_json(&doing) { ANSWERING } else { &doing });
                }
            }
            Event::Text(text) => {
                self.end_of_line();
                text.lines().for_each(|line| self.line(Stream::Out, line.as_bytes()));
            }
            Event::Doing(words) => {
                self.end_of_line();
                self.is_doing(&one_line(&words));
                self.note(&format!("· {}", one_line(&words)));
            }
            Event::Called(tool, input) => {
                self.end_of_line();
                let called = format!("{tool} {}", one_line(&input));
                self.is_doing(&called);
                self.note(&format!("▸ {called}"));
            }
            Event::Returned(output) => self.note(&format!("  ↳ {}", folded(&output))),
            Event::Retrying(why) => {
                self.end_of_line();
                let words = format!("tries again by itself: {}", one_line(&why));
                self.is_doing(&words);
                self.note(&format!("… {words}"));
            }
            Event::Noise(line) => self.note(line.trim_end()),
        }
    }

    /// What was said without the end of a line is a line of its own before anything else is told.
    fn end_of_line(&mut self) {
        if let Some(rest) = self.out.rest() {
            self.line(Stream::Out, &rest);
        }
    }

    /// Says what it is doing now. Only here a secret stands whole that came in pieces, or behind escapes.
    fn is_doing(&mut self, text: &str) {
        self.doing = Safe::line(&self.redactor.clean(text));
    }

    pub(super) fn note(&mut self, text: &str) {
        self.lines += 1;
        let text = self.redactor.clean(text).into_owned();
        self.write(&text);
    }

    fn usage(&self) -> Usage {
        self.hearing.as_ref().map_or(self.used, |hearing| hearing.account().usage(self.used_before))
    }

    fn line(&mut self, stream: Stream, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        // Before anything is kept or shown: a secret that an agent prints goes no further.
        let text = self.redactor.clean(&text).into_owned();
        self.lines += 1;
        match stream {
            Stream::Out => {
                let safe = self.write(&text);
                // The answer itself says nothing of what the agent is doing.
                let is_fence = text.trim_start().starts_with("```");
                self.is_fenced ^= is_fence;
                if !is_fence && !self.is_fenced && !text.trim().is_empty() {
                    self.doing = safe;
                }
            }
            Stream::Err => {
                self.write(&format!("stderr: {text}"));
            }
        }
    }

    fn write(&mut self, text: &str) -> Safe {
        let safe = Safe::line(text);
        self.scribe.push(&safe);
        if self.tail.len() == TAIL_LINES {
            self.tail.pop_front();
        }
        self.tail.push_back(safe.clone());
        safe
    }
}

impl Listener for Live {
    fn heard(&mut self, stream: Stream, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        match (stream, &mut self.hearing) {
            (Stream::Out, Some(hearing)) => {
                let events = hearing.take(bytes, &self.redactor);
                events.into_iter().for_each(|event| self.event(event));
            }
            (Stream::Out, None) | (Stream::Err, _) => {
                for line in self.ear(stream).take(bytes) {
                    self.line(stream, &line);
                }
            }
        }
        self.is_due();
    }

    fn due(&self) -> Option<Instant> {
        self.due
    }

    fn has_all(&self, can_speak: bool) -> bool {
        !can_speak || self.hearing.as_ref().is_some_and(|hearing| hearing.account().end == Some(End::Ok))
    }

    fn wake(&mut self) {
        self.shown = Instant::now();
        if let Some(failure) = self.scribe.flush() {
            tracing::warn!(agent = %self.seat.agent, %failure, "transcript not written");
            self.write(&format!("(the transcript could not be written: {failure})"));
        }
        // Lines that wait for the disk need another look even if the agent is silent.
        self.due = self.scribe.is_busy().then(|| self.shown + SHOW);
        self.lanes.show(Progress {
            seat: self.seat.clone(),
            doing: shown(self.doing.as_str().trim()),
            lines: self.lines,
            bytes: self.bytes,
            usage: self.usage(),
            tail: self.tail.iter().map(|line| shown(line.as_str())).collect(),
        });
    }
}

fn shown(text: &str) -> Safe {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => Safe::line(&text[..end]),
        None => Safe::line(text),
    }
}

/// What an agent is doing while its words are JSON.
const ANSWERING: &str = "writing its answer";

/// Characters of what a tool is given, or gives back, that are told.
const TOLD_MAX: usize = 200;

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '}', '"', '[', ']'])
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TOLD_MAX).collect()
}

/// The first line of what a tool gave back, and how many there are.
fn folded(output: &str) -> String {
    let first = one_line(output.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing"));
    match output.lines().count() {
        0 | 1 => first,
        lines => format!("{first} (… {lines} lines)"),
    }
}

/// Cuts a stream into lines.
#[derive(Debug, Default)]
struct Lines {
    partial: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            while self.partial.len() > LINE_MAX {
                let rest = self.partial.split_off(char_end(&self.partial, LINE_MAX));
                lines.push(std::mem::replace(&mut self.partial, rest));
            }
            if self.partial.last() == Some(&b'\n') {
                self.partial.pop();
                lines.extend(self.rest().or(Some(Vec::new())));
            }
        }
        lines
    }

    /// Returns the start of the line at hand, if something stands on it.
    fn at_hand(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.partial);
        (!text.trim().is_empty()).then(|| text.into_owned())
    }

    /// Takes what is left, as a terminal would show it: a carriage return starts the line again.
    fn rest(&mut self) -> Option<Vec<u8>> {
        let mut line = std::mem::take(&mut self.partial);
        while line.last() == Some(&b'\r') {
            line.pop();
        }
        if let Some(at) = line.iter().rposition(|byte| *byte == b'\r') {
            line.drain(..=at);
        }
        (!line.is_empty()).then_some(line)
    }
}

/// Returns where to cut so that no UTF-8 character is cut: at `at` or up to three bytes before.
fn char_end(bytes: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at).rev().find(|i| bytes.get(*i).is_none_or(|b| b & 0xC0 != 0x80)).unwrap_or(at)
}

/// Writes the transcript behind the agent's back: one write at a time on the blocking pool.
struct Scribe {
    scope: Scope,
    path: PathBuf,
    waiting: Vec<u8>,
    left_out: u64,
    appender: Option<Appender>,
    writing: Option<JoinHandle<Result<Appender, Failure>>>,
    has_failed: bool,
}

impl Scribe {
    fn new(scope: Scope, path: PathBuf) -> Self {
        Self { scope, path, waiting: Vec::new(), left_out: 0, appender: None, writing: None, has_failed: false }
    }

    fn push(&mut self, line: &Safe) {
        if self.has_failed {
            return;
        }
        if self.waiting.len() > WAITING_MAX {
            self.left_out += 1;
            return;
        }
        if self.left_out > 0 {
            let left_out = std::mem::take(&mut self.left_out);
            self.waiting
                .extend_from_slice(format!("[... {left_out} lines left out: the disk was slow ...]\n").as_bytes());
        }
        self.waiting.extend_from_slice(line.as_str().as_bytes());
        self.waiting.push(b'\n');
    }

    fn is_busy(&self) -> bool {
        self.writing.is_some() || !self.waiting.is_empty()
    }

    /// Starts to write what waits, unless a write is still going on; returns the failure that ended writing, once.
    fn flush(&mut self) -> Option<Failure> {
        let outcome = match self.writing.as_mut() {
            // Not done: look again later.
            Some(writing) => writing.now_or_never()?,
            None => {
                self.write();
                return None;
            }
        };
        self.writing = None;
        let failure = self.settle(outcome);
        self.write();
        failure
    }

    fn settle(&mut self, outcome: Result<Result<Appender, Failure>, tokio::task::JoinError>) -> Option<Failure> {
        let failure = match outcome {
            Ok(Ok(appender)) => {
                self.appender = Some(appender);
                return None;
            }
            Ok(Err(failure)) => failure,
            Err(_) => Failure::ActorGone { actor: "transcript".into() },
        };
        self.has_failed = true;
        self.waiting = Vec::new();
        Some(failure)
    }

    fn write(&mut self) {
        if self.waiting.is_empty() || self.has_failed {
            return;
        }
        let lines = std::mem::take(&mut self.waiting);
        let (appender, path) = (self.appender.take(), self.path.clone());
        self.writing = Some(self.scope.spawn_blocking(move || {
            let mut appender = match appender {
                Some(appender) => appender,
                None => Appender::open(&path, TRANSCRIPT_MAX)?,
            };
            appender.append(&lines)?;
            Ok(appender)
        }));
    }

    /// Writes what waits, as far as the disk keeps up.
    async fn close(mut self) {
        let all = async {
            while let Some(writing) = self.writing.as_mut() {
                let outcome = writing.await;
                self.writing = None;
                if let Some(failure) = self.settle(outcome) {
                    tracing::warn!(%failure, "transcript not written");
                }
                self.write();
            }
        };
        if tokio::time::timeout(CLOSE, all).await.is_err() {
            tracing::warn!("the end of a transcript was not written: the disk is slow");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut found: Vec<Vec<u8>> = pieces.iter().flat_map(|piece| lines.take(piece)).collect();
        found.extend(lines.rest());
        found.into_iter().map(|line| String::from_utf8(line).unwrap()).collect()
    }

    #[test]
    fn lines_are_whole_however_they_arrive() {
        assert_eq!(cut(&[b"a\nb", b"c\r\n\n", b"d"]), ["a", "bc", "", "d"]);
        assert_eq!(cut(&[b"10%\r50%", b"\r100%\nx"]), ["100%", "x"]);
        assert_eq!(cut(&["é\n".as_bytes().split_at(1).0, "é\n".as_bytes().split_at(1).1]), ["é"]);
    }

    #[test]
    fn an_endless_line_is_cut_between_characters() {
        let long = "日".repeat(LINE_MAX);
        let lines = cut(&[long.as_bytes()]);
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= LINE_MAX));
        assert_eq!(lines.concat(), long);
    }

    #[test]
    fn what_waits_for_a_slow_disk_is_bounded_and_the_gap_is_told() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let scope = Scope::new(runtime.handle().clone(), crate::actors::Waker::nobody());
        let mut scribe = Scribe::new(scope, PathBuf::new());
        let line = Safe::line(&"x".repeat(LINE_MAX));
        (0..2_000).for_each(|_| scribe.push(&line));
        assert!(scribe.waiting.len() <= WAITING_MAX + LINE_MAX + 1);
        let left_out = scribe.left_out;
        assert!(left_out > 1_000);
        // The disk has taken what waited.
        scribe.waiting.clear();
        scribe.push(&line);
        assert!(scribe.waiting.starts_with(format!("[... {left_out} lines left out").as_bytes()));
    }
}
