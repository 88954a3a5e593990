//! The bytes between us and one server: the seam that tests replace, the cap on a line, and whether a write is stuck.
//!
//! It must not know MCP, except for the shape of a JSON-RPC error line, and not how a server is started.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader, ReadBuf};

use super::child::Life;
use crate::actors::Scope;
use crate::domain::failure::Failure;
use crate::domain::redact::Redactor;
use crate::domain::server::Program;

/// Longest line that a server may send, in bytes: sixteen times the largest artifact that we accept, and little enough
/// to be held in memory.
pub const LINE_MAX: usize = 16 << 20;

/// Our code for "the reply was longer than the cap", in JSON-RPC's range for implementations (-32000 to -32099).
const OVERLONG: i32 = -32_050;

/// Bytes of a line's start and end that are searched for its id.
const EDGE: usize = 96;

/// The reading end.
pub type Reading = Box<dyn AsyncRead + Send + Unpin>;
/// The writing end.
pub type Writing = Box<dyn AsyncWrite + Send + Unpin>;

/// A started server: both ends of its pipes, and its life.
pub struct Wire {
    /// What it says.
    pub reading: Reading,
    /// What it hears.
    pub writing: Writing,
    /// Its process, or what stands for it.
    pub life: Life,
}

/// Starts servers that are children. The real one is [`super::child::Processes`]; tests bring a duplex pipe.
pub trait Connector: Send + Sync + 'static {
    /// Starts a server and returns at once.
    ///
    /// # Errors
    /// [`Failure::Server`] when it cannot be started at all.
    fn connect(&self, scope: &Scope, name: &str, program: &Program) -> Result<Wire, Failure>;

    /// Returns what takes secrets out of what servers say; without one of its own, well-known kinds of keys are hidden.
    fn redactor(&self) -> Arc<Redactor> {
        Arc::default()
    }
}

/// Whether the last write waits for the server to read.
#[derive(Debug, Default)]
pub(super) struct Flow {
    blocked: AtomicBool,
}

impl Flow {
    /// Tells whether bytes of ours wait because the server does not read.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Acquire)
    }
}

/// A writer that notes in its [`Flow`] whether it is stuck.
pub(super) struct Watched {
    inner: Writing,
    flow: Arc<Flow>,
}

impl Watched {
    pub(super) fn new(inner: Writing, flow: Arc<Flow>) -> Self {
        Self { inner, flow }
    }

    fn note<T>(&self, poll: Poll<T>) -> Poll<T> {
        self.flow.blocked.store(poll.is_pending(), Ordering::Release);
        poll
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note(poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.note(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// A reader that lets lines through and, after a line that is longer than the cap, adds an error line with the same
/// id. rmcp drops such a line without a word; this way its caller hears at once, and nobody else is disturbed.
pub(super) struct Capped {
    inner: BufReader<Reading>,
    cap: usize,
    line: Line,
    /// Bytes of our own that come before the next line.
    added: Vec<u8>,
}

/// What is known of the line that is passing.
#[derive(Default)]
struct Line {
    length: usize,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Capped {
    pub(super) fn new(inner: Reading, cap: usize) -> Self {
        Self { inner: BufReader::new(inner), cap, line: Line::default(), added: Vec::new() }
    }
}

impl AsyncRead for Capped {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.added.is_empty() {
            let n = this.added.len().min(buf.remaining());
            buf.put_slice(&this.added[..n]);
            this.added.drain(..n);
            return Poll::Ready(Ok(()));
        }
        let available = ready!(Pin::new(&mut this.inner).poll_fill_buf(cx))?;
        let within = &available[..available.len().min(buf.remaining())];
        let end = within.iter().position(|byte| *byte == b'\n');
        // One line at most, so that an added line always starts where a line starts.
        let taken = &within[..end.map_or(within.len(), |at| at + 1)];
        buf.put_slice(taken);
        this.line.pass(taken);
        let n = taken.len();
        if end.is_some() {
            let line = std::mem::take(&mut this.line);
            if line.length > this.cap {
                this.added = line.overlong(this.cap);
            }
        }
        Pin::new(&mut this.inner).consume(n);
        Poll::Ready(Ok(()))
    }
}

impl Line {
    fn pass(&mut self, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        let room = EDGE - self.head.len();
        self.head.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(EDGE)..]);
        let over = self.tail.len().saturating_sub(EDGE);
        self.tail.drain(..over);
    }

    /// Returns the error line to add; nothing if the line has no id (then it answers nobody, or our deadline does).
    fn overlong(&self, cap: usize) -> Vec<u8> {
        let Some(id) = id_at_start(&self.head).or_else(|| id_at_end(&self.tail)) else { return Vec::new() };
        tracing::warn!(bytes = self.length, cap, id, "a server's reply is longer than the cap");
        let message = format!("the reply has {} bytes, more than the {cap} that are taken", self.length);
        let error = serde_json::json!({"jsonrpc": "2.0", "id": id, "error": {"code": OVERLONG, "message": message}});
        format!("{error}\n").into_bytes()
    }
}

/// Finds the id of a message that begins with `{"jsonrpc":"2.0","id":7,` or `{"id":7,`, as most writers do.
fn id_at_start(head: &[u8]) -> Option<u64> {
    let text: String = text_without_spaces(head);
    let rest = text.strip_prefix('{')?;
    let rest = rest.strip_prefix(r#""jsonrpc":"2.0","#).unwrap_or(rest);
    let digits = rest.strip_prefix(r#""id":"#)?;
    digits.split(',').next()?.parse().ok()
}

/// Finds the id of a message that ends with `,"id":7}` or `,"jsonrpc":"2.0","id":7}`, as the TypeScript SDK's does.
fn id_at_end(tail: &[u8]) -> Option<u64> {
    let text: String = text_without_spaces(tail);
    let rest = text.strip_suffix('}')?;
    let rest = rest.strip_suffix(r#","jsonrpc":"2.0""#).unwrap_or(rest);
    rest.rsplit_once(r#","id":"#)?.1.parse().ok()
}

fn text_without_spaces(bytes: &[u8]) -> String {
    bytes.iter().filter(|byte| !byte.is_ascii_whitespace()).map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn passed(input: Vec<u8>, cap: usize) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test has no loop to keep alive")]
        runtime.block_on(async {
            let (mut ours, theirs) = tokio::io::duplex(64);
            let mut capped = Capped::new(Box::new(theirs), cap);
            let write = async move {
                ours.write_all(&input).await.unwrap();
                drop(ours);
            };
            let mut out = Vec::new();
            let (_, read) = tokio::join!(write, capped.read_to_end(&mut out));
            read.unwrap();
            String::from_utf8(out).unwrap()
        })
    }

    #[test]
    fn short_lines_pass_unchanged() {
        let text = "{\"id\":1}\nbanner\n\n{\"id\":2}";
        assert_eq!(passed(text.into(), 20), text);
    }

    #[test]
    fn a_line_over_the_cap_is_followed_by_an_error_with_its_id_wherever_the_id_stands() {
        let long = "x".repeat(500);
        for line in [
            format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"a":"{long}"}}}}"#),
            format!(r#"{{"id": 7, "result":{{"a":"{long}"}}}}"#),
            format!(r#"{{"result":{{"a":"{long}","id":3}},"jsonrpc":"2.0","id":7}}"#),
            format!(r#"{{"result":{{"a":"{long}"}},"id":7,"jsonrpc":"2.0"}}"#),
        ] {
            let out = passed(format!("{line}\n{{\"id\":8}}\n").into_bytes(), 100);
            let lines: Vec<&str> = out.lines().collect();
            assert_eq!(lines.len(), 3, "{out}");
            assert_eq!(lines[0], line);
            let error: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
            assert_eq!(error["id"], 7);
            assert_eq!(error["error"]["code"], OVERLONG);
            assert_eq!(lines[2], "{\"id\":8}");
        }
    }

    #[test]
    fn a_long_line_without_an_id_adds_nothing() {
        let line = format!("{}\n", "y".repeat(400));
        assert_eq!(passed(line.clone().into_bytes(), 100), line);
    }
}
