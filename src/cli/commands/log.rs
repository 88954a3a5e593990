//! `dicast log`: the end of our own log, and what is added to it.
//!
//! It must not know what is logged.

use std::path::PathBuf;
use std::time::Duration;

use super::super::ask::{Desk, signalled};
use super::super::out::{self, Done, Text};
use crate::disk::Store;
use crate::domain::failure::Failure;
use crate::telemetry;

/// Lines that are shown unless told otherwise: more than a screen, less than a day.
pub const LINES: usize = 50;

/// How much of the end of one file is looked at for them: thousands of lines.
const END_MAX: u64 = 4 << 20;

/// Most that may be added between two looks.
const ADDED_MAX: u64 = 64 << 20;

/// How often the log is looked at while it is followed.
const LOOK: Duration = Duration::from_millis(200);

/// Shows the last lines of the log; with `follow`, what is added as well, until a signal.
///
/// # Errors
/// Usage where there is no home folder; when the log cannot be read; [`Failure::Cancelled`] on a signal.
pub(super) fn log(json: bool, lines: usize, follow: bool) -> Result<Done, Failure> {
    let folder = telemetry::folder()
        .ok_or_else(|| Failure::usage("log", "there is no home folder", "set HOME or XDG_STATE_HOME"))?;
    let log = Log { store: Store::real(&folder), folder, json };
    let files = log.files()?;
    let (last, at) = log.last(&files, lines)?;
    let place = files.last().map_or_else(|| log.folder.clone(), |file| log.folder.join(file));
    let note = format!("the log is {}", place.display());
    if !follow {
        return Ok(Done { notes: vec![note], ..log.shown(&last) });
    }
    out::say(&format!("{note}\n"));
    out::put(&log.shown(&last).text.clean());
    log.follow(files.last().cloned(), at)
}

struct Log {
    store: Store,
    folder: PathBuf,
    json: bool,
}

/// A line, and the file that it stands in.
type Line = (String, String);

impl Log {
    /// Returns the names of the daily files, oldest first.
    fn files(&self) -> Result<Vec<String>, Failure> {
        let is_log = |name: &String| name.starts_with("dicast.") && name.ends_with(".log");
        Ok(self.store.list("")?.into_iter().map(|entry| entry.name).filter(is_log).collect())
    }

    /// Returns the last lines of all files, and how far the newest was read.
    fn last(&self, files: &[String], count: usize) -> Result<(Vec<Line>, u64), Failure> {
        let (mut last, mut at) = (Vec::new(), None);
        for file in files.iter().rev() {
            let size = self.store.size(file)?.unwrap_or(0);
            let from = size.saturating_sub(END_MAX);
            let bytes = self.store.read_from(file, from, ADDED_MAX)?.unwrap_or_default();
            let (lines, read) = whole(&bytes, from > 0);
            at.get_or_insert(from + read);
            let room = count - last.len();
            let kept = lines.len().saturating_sub(room);
            let of_file: Vec<Line> = lines.into_iter().skip(kept).map(|line| (file.clone(), line)).collect();
            last.splice(0..0, of_file);
            if last.len() == count {
                break;
            }
        }
        Ok((last, at.unwrap_or(0)))
    }

    /// Tells what is added, also in the file of the next day.
    fn follow(&self, mut current: Option<String>, mut at: u64) -> Result<Done, Failure> {
        let desk = Desk::open()?;
        loop {
            let files = self.files()?;
            let newer = files.iter().position(|file| Some(file) == current.as_ref()).map_or(0, |at| at + 1);
            for file in current.iter().chain(files.get(newer..).unwrap_or_default()).cloned().collect::<Vec<_>>() {
                if Some(&file) != current.as_ref() {
                    (current, at) = (Some(file.clone()), 0);
                }
                let bytes = self.store.read_from(&file, at, ADDED_MAX)?.unwrap_or_default();
                let (lines, read) = whole(&bytes, false);
                at += read;
                let lines: Vec<Line> = lines.into_iter().map(|line| (file.clone(), line)).collect();
                out::put(&self.shown(&lines).text.clean());
            }
            desk.until(LOOK, LOOK, || false);
            if signalled().is_some() {
                return Err(Failure::Cancelled);
            }
            if out::is_unheard() {
                return Ok(Done::default());
            }
        }
    }

    fn shown(&self, lines: &[Line]) -> Done {
        let json = |(file, line): &Line| {
            format!("{}\n", serde_json::json!({"schema": "dicast.log/1", "file": file, "line": line}))
        };
        match self.json {
            true => Done { text: Text::Json(lines.iter().map(json).collect()), ..Done::default() },
            false => Done::lines(lines.iter().map(|(_, line)| format!("{line}\n")).collect::<String>()),
        }
    }
}

/// Returns the whole lines of a piece of a file, without the first where the piece begins inside one, and how many bytes
/// they end at. A line that is not finished is shown when it is.
fn whole(bytes: &[u8], is_inside: bool) -> (Vec<String>, u64) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let text = String::from_utf8_lossy(&bytes[..end]);
    (text.lines().skip(usize::from(is_inside)).map(str::to_owned).collect(), end as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(files: &[(&str, &str)]) -> (tempfile::TempDir, Log) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::real(folder.path());
        for (name, text) in files {
            store.replace(name, text.as_bytes()).unwrap();
        }
        let log = Log { store, folder: folder.path().to_owned(), json: false };
        (folder, log)
    }

    #[test]
    fn the_last_lines_are_taken_over_days_and_nothing_else_is_read() {
        let (_folder, log) = log_of(&[
            ("dicast.2026-11-22.log", "a\nb\nc\n"),
            ("dicast.2026-11-23.log", "d\ne\nhalf"),
            ("recording-1.json", "x\n"),
        ]);
        let files = log.files().unwrap();
        assert_eq!(files, ["dicast.2026-11-22.log", "dicast.2026-11-23.log"]);
        let last = |count| log.last(&files, count).unwrap().0.into_iter().map(|(_, line)| line).collect::<Vec<_>>();
        assert_eq!(last(3), ["c", "d", "e"], "a line that is not finished is not shown");
        assert_eq!(last(99), ["a", "b", "c", "d", "e"]);
        assert_eq!(last(0), [""; 0]);
        assert_eq!(log.last(&files, 1).unwrap().1, 4, "it goes on where the half line begins");
        assert_eq!(log.last(&[], 9).unwrap(), (Vec::new(), 0));
    }

    #[test]
    fn a_piece_that_begins_inside_a_line_loses_it() {
        assert_eq!(whole(b"tail\nnext\n", true), (vec!["next".to_owned()], 10));
        assert_eq!(whole(b"no end", false), (Vec::new(), 0));
    }
}
