//! What a command leaves on stdout and stderr, and how it gets there: whole, clean, and without a panic when nobody
//! reads.
//!
//! It must not know any command.

use std::borrow::Cow;
use std::io::{ErrorKind, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::app::event::{Event, What};
use crate::domain::failure::Failure;
use crate::domain::moment::Moment;
use crate::domain::redact::Redactor;
use crate::domain::safe::Safe;

use super::{github, plain};

/// How many events went to stdout. It is the process's, and so is the count: runs that follow each other go on with it.
static EVENTS: AtomicU64 = AtomicU64::new(0);

/// Why stdout could not be written, if it could not: the first error.
static LOST: OnceLock<String> = OnceLock::new();

/// What takes secrets out of all that is written. Not set for commands that read nothing of the user's.
static VEIL: OnceLock<Redactor> = OnceLock::new();

/// The exit code when a result could not be written.
const UNWRITTEN: u8 = 3;

/// What a command came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// The result, for stdout.
    pub text: Text,
    /// What should be said besides, for stderr.
    pub notes: Vec<String>,
    /// Workflow commands of our own, for whoever reads the log of a step.
    pub commands: String,
    /// The exit code.
    pub exit: u8,
}

/// A result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// For people.
    Lines(String),
    /// For programs: JSON, one value or one a line.
    Json(String),
}

impl Default for Text {
    fn default() -> Self {
        Text::Lines(String::new())
    }
}

impl Done {
    /// A result for people, exit 0.
    pub fn lines(text: impl Into<String>) -> Self {
        Self { text: Text::Lines(text.into()), ..Self::default() }
    }

    /// A result for programs, exit 0.
    pub fn json(text: impl Into<String>) -> Self {
        Self { text: Text::Json(text.into()), ..Self::default() }
    }

    /// One JSON value on a line of its own, exit 0.
    pub fn value(value: &serde_json::Value) -> Self {
        Self::json(format!("{value}\n"))
    }

    /// A command that has nothing to print.
    pub fn exit(exit: u8) -> Self {
        Self { exit, ..Self::default() }
    }

    /// The same with another exit code.
    #[must_use]
    pub fn with_exit(mut self, exit: u8) -> Self {
        self.exit = exit;
        self
    }
}

impl Text {
    /// Returns the text as it may be written to a terminal.
    pub fn clean(&self) -> String {
        match self {
            Text::Lines(text) => Safe::block(text).to_string(),
            Text::Json(text) => escaped(text),
        }
    }
}

/// Writes the characters that [`Safe`] would replace as JSON escapes, so that the value stays the same. In JSON such
/// characters stand in strings only.
fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        let mut buffer = [0; 4];
        let text = c.encode_utf8(&mut buffer);
        if c == '\n' || Safe::block(text).as_str() == text {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// Writes what a command came to; returns its exit code.
pub fn finish(done: &Done) -> u8 {
    for note in &done.notes {
        say(&format!("{note}\n"));
    }
    put(&done.text.clean());
    if !done.commands.is_empty() {
        // Their texts are escaped already; whoever closed stderr wants to hear nothing.
        let _ = write(std::io::stderr().lock(), &done.commands);
    }
    done.exit
}

/// Says on stderr why a command failed and what to do, and with `json` on stdout as well.
pub fn fail(failure: &Failure, aim: &str, exit: u8, json: bool, at: Moment) {
    let next = failure.hint();
    if *failure == Failure::Cancelled {
        say(&format!("stopped\n  next: {next}\n"));
    } else {
        say(&format!("error: could not {aim}: {failure}\n  next: {next}\n"));
    }
    if json {
        put(&Text::Json(ended(exit, Some((failure.to_string(), next)), at)).clean());
    }
}

/// Returns the event that ends every JSON output, where there was no run: with what failed and the next step, if
/// something did.
pub fn ended(exit: u8, failure: Option<(String, String)>, at: Moment) -> String {
    let what =
        What::RunFinished { exit, verdicts: Vec::new(), evidence: None, memory: String::new(), spent: None, failure };
    plain::json(&Event { at, run: None, ask: None, what }, next_sequence()) + "\n"
}

/// Returns the number of the next event on stdout, from 1.
pub fn next_sequence() -> u64 {
    EVENTS.fetch_add(1, Ordering::Relaxed) + 1
}

/// Takes secrets out of whatever is written from now on. The first one holds: a process has one config.
pub fn hide(redactor: Redactor) {
    let _ = VEIL.set(redactor);
}

/// Returns a text without secrets, as it may be told to whoever is no log.
pub fn hidden(text: &str) -> Cow<'_, str> {
    VEIL.get().map_or(Cow::Borrowed(text), |veil| veil.clean(text))
}

/// Takes secrets out of a value that is told so.
pub fn hide_in(value: &mut serde_json::Value) {
    if let Some(veil) = VEIL.get() {
        veil.clean_json(value);
    }
}

/// Writes to stdout. A reader that is gone (`| head`) has read what it wanted; any other error is remembered for
/// [`settle`].
pub fn put(text: &str) {
    // Where nothing is said nothing can be lost: what a terminal that is gone did not take of its last frame is no result.
    if text.is_empty() {
        return;
    }
    if let Err(why) = write(Heard(std::io::stdout().lock()), &for_log(text)) {
        // Only the first error tells what happened.
        let _ = LOST.set(why);
    }
}

/// Whether whoever read stdout is gone.
static UNHEARD: AtomicBool = AtomicBool::new(false);

/// Tells whether whoever read stdout is gone: then there is nobody to follow anything for.
pub fn is_unheard() -> bool {
    UNHEARD.load(Ordering::Acquire)
}

/// Stdout, which remembers that its reader went.
struct Heard<W>(W);

impl<W: Write> Write for Heard<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes).inspect_err(|error| {
            if error.kind() == ErrorKind::BrokenPipe {
                UNHEARD.store(true, Ordering::Release);
            }
        })
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Returns the exit code to end with: 3, said on stderr, where a part of the result did not reach stdout.
pub fn settle(exit: u8) -> u8 {
    let Some(why) = LOST.get() else { return exit };
    // A signal ended us, and may well have taken the reader along: its code says more.
    if exit >= 128 {
        return exit;
    }
    say(&format!("error: could not write to stdout: {why}\n  next: free space where it goes, and run it again\n"));
    UNWRITTEN
}

/// Writes foreign and own words to stderr.
pub fn say(text: &str) {
    // Whoever closed stderr wants to hear nothing; the log has it.
    let _ = write(std::io::stderr().lock(), &for_log(Safe::block(text).as_str()));
}

/// Returns lines as they may stand in a log: without secrets, and where a step of GitHub Actions reads it, none of them
/// is a command.
fn for_log(text: &str) -> Cow<'_, str> {
    let text = hidden(text);
    if github::is_reading() { Cow::Owned(github::defused(&text).into_owned()) } else { text }
}

/// Writes all of a text; nobody reading it is no error.
fn write(mut stream: impl Write, text: &str) -> Result<(), String> {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            tracing::warn!(%error, "could not write what was said");
            Err(error.to_string())
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Aligns rows of columns: two spaces between columns, nothing behind the last, wide characters counted as wide.
pub fn table(rows: &[Vec<String>]) -> String {
    use unicode_width::UnicodeWidthStr as _;
    let clean: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| Safe::line(cell).to_string()).collect()).collect();
    let columns = clean.iter().map(Vec::len).max().unwrap_or(0);
    let width = |i: usize| clean.iter().filter_map(|row| row.get(i)).map(|cell| cell.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in &clean {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_the_same_value_without_raw_controls() {
        let value = serde_json::json!({"a": "x\u{1b}\u{7f}\u{9b}\u{202e}\u{e0041}é日"});
        let text = Text::Json(format!("{value}\n")).clean();
        assert!(text.chars().all(|c| c == '\n' || Safe::block(&c.to_string()).as_str() == c.to_string()), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        assert!(text.contains("é日"));
    }

    #[test]
    fn the_last_line_of_a_failed_command_says_so() {
        let line = ended(64, Some(("SPEC: no spec is called \"x\"".into(), "write one".into())), Moment(0));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["type"], &value["run"], &value["exit"]), (&"run.finished".into(), &().into(), &64.into()));
        assert!(line.ends_with('\n') && line.lines().count() == 1);
    }

    #[test]
    fn columns_are_aligned_by_width_and_rows_end_without_spaces() {
        let rows = [vec!["a".into(), "b".into()], vec!["日本".into(), "c\u{1b}".into()], vec!["x".into()]];
        assert_eq!(table(&rows), "a     b\n日本  c␛\nx\n");
    }
}
