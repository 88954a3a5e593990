//! A line for every write: when, which key, how many bytes. Never the value.

use std::io::{self, Write};
use std::time::Duration;

/// Appends lines to a sink.
#[derive(Debug)]
pub struct AuditLog<W> {
    sink: W,
}

impl<W: Write> AuditLog<W> {
    /// Makes a log that appends to `sink`.
    pub fn new(sink: W) -> Self {
        Self { sink }
    }

    /// Writes one line, durable when it returns as far as the sink is.
    pub fn record(&mut self, now: Duration, verb: &str, key: &str, bytes: usize) -> io::Result<()> {
        writeln!(self.sink, "{} {verb} {} {bytes}", now.as_millis(), printable(key))?;
        self.sink.flush()
    }

    /// Returns the sink.
    pub fn into_inner(self) -> W {
        self.sink
    }
}

/// Replaces what could break a line or a terminal.
pub fn printable(key: &str) -> String {
    key.chars().map(|c| if c.is_control() || c.is_whitespace() { '_' } else { c }).collect()
}
