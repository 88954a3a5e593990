//! Files of lines that only grow: appended with a cap, indexed sparsely, read by line number. Not durable: nothing is
//! synced, what the system lost is lost.
//!
//! It must not know what the lines say.

#![expect(clippy::disallowed_methods, reason = "this is the door to line files")]

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::text::class;
use crate::domain::failure::Failure;

/// What stands at the end of a file that reached its cap.
const FULL: &[u8] = b"[... this transcript is full: the rest was not written ...]\n";

/// Lines between two entries of an index: a page is found by reading at most this many lines too many.
const STRIDE: u64 = 256;

/// The writing end of a file of lines.
#[derive(Debug)]
pub struct Appender {
    file: File,
    bytes: u64,
    max: u64,
}

impl Appender {
    /// Opens a file for appending, made with its folders if it is not there. At `max` bytes it takes no more.
    ///
    /// # Errors
    /// [`Failure::Disk`] if it cannot be made or opened.
    pub fn open(path: &Path, max: u64) -> Result<Self, Failure> {
        let opened = || -> io::Result<Self> {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            let bytes = file.metadata()?.len();
            Ok(Self { file, bytes, max })
        };
        opened().map_err(|error| refused("opening a transcript", &error))
    }

    /// Appends whole lines, each with its line break; beyond the cap a marker line is written once, and nothing more.
    ///
    /// # Errors
    /// [`Failure::Disk`] if the system refuses.
    pub fn append(&mut self, lines: &[u8]) -> Result<(), Failure> {
        if self.bytes >= self.max {
            return Ok(());
        }
        let room = usize::try_from(self.max - self.bytes).unwrap_or(usize::MAX);
        let write = |file: &mut File| -> io::Result<u64> {
            if lines.len() <= room {
                file.write_all(lines)?;
                return Ok(lines.len() as u64);
            }
            let whole = lines[..room].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            file.write_all(&lines[..whole])?;
            file.write_all(FULL)?;
            Ok(room as u64)
        };
        self.bytes += write(&mut self.file).map_err(|error| refused("writing a transcript", &error))?;
        Ok(())
    }
}

/// Where every 256th line of a file starts. Extended as the file grows.
#[derive(Debug, Default)]
pub struct Index {
    starts: Vec<u64>,
    lines: u64,
    bytes: u64,
}

impl Index {
    /// Returns how many whole lines were seen.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Sees what was appended since the last time. A file that has shrunk was made anew and is seen from its start; one
    /// that is not there has no lines.
    ///
    /// # Errors
    /// [`Failure::Disk`] if the system refuses.
    pub fn extend(&mut self, path: &Path) -> Result<(), Failure> {
        let Some(mut file) = open(path)? else {
            *self = Self::default();
            return Ok(());
        };
        self.see(&mut file).map_err(|error| refused("reading a transcript", &error))
    }

    fn see(&mut self, file: &mut File) -> io::Result<()> {
        if file.metadata()?.len() < self.bytes {
            *self = Self::default();
        }
        file.seek(SeekFrom::Start(self.bytes))?;
        let mut room = vec![0; 1 << 20];
        let mut at = self.bytes;
        loop {
            let length = file.read(&mut room)?;
            if length == 0 {
                return Ok(());
            }
            for (offset, _) in room[..length].iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                if self.lines.is_multiple_of(STRIDE) {
                    self.starts.push(self.bytes);
                }
                self.lines += 1;
                self.bytes = at + offset as u64 + 1;
            }
            at += length as u64;
        }
    }

    /// Reads the lines from number `first` (from 0) on, at most `count`, without their line breaks.
    ///
    /// # Errors
    /// [`Failure::Disk`] if the system refuses.
    pub fn read(&self, path: &Path, first: u64, count: usize) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        if count > 0 {
            self.each(path, first, |_, line| {
                found.push(line.to_owned());
                found.len() < count
            })?;
        }
        Ok(found)
    }

    /// Hands every whole line from number `first` on to `take`, with its number, until it returns false.
    ///
    /// # Errors
    /// [`Failure::Disk`] if the system refuses.
    pub fn each(&self, path: &Path, first: u64, mut take: impl FnMut(u64, &str) -> bool) -> Result<(), Failure> {
        let stride = usize::try_from(first / STRIDE).unwrap_or(usize::MAX);
        let (Some(start), Some(file)) = (self.starts.get(stride), open(path)?) else { return Ok(()) };
        let walk = || -> io::Result<()> {
            let mut reader = BufReader::with_capacity(64 << 10, file);
            reader.seek(SeekFrom::Start(*start))?;
            let mut line = Vec::new();
            for number in first / STRIDE * STRIDE..self.lines {
                line.clear();
                reader.read_until(b'\n', &mut line)?;
                let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
                if number >= first && !take(number, &text) {
                    break;
                }
            }
            Ok(())
        };
        walk().map_err(|error| refused("reading a transcript", &error))
    }
}

fn open(path: &Path) -> Result<Option<File>, Failure> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused("opening a transcript", &error)),
    }
}

fn refused(what: &str, error: &io::Error) -> Failure {
    Failure::Disk { what: what.to_owned(), kind: class(error), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_number_while_the_file_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run/plan-a-1.log");
        let mut index = Index::default();
        index.extend(&path).unwrap();
        assert_eq!(index.lines(), 0);
        let mut appender = Appender::open(&path, 1 << 20).unwrap();
        let mut written = 0;
        for more in [1, 254, 1, 1, 700] {
            let lines: String = (written..written + more).map(|n| format!("line {n}\n")).collect();
            appender.append(lines.as_bytes()).unwrap();
            written += more;
            index.extend(&path).unwrap();
            assert_eq!(index.lines(), written);
            for first in [0, 1, 255, 256, 257, 511, 512, 900, written - 1] {
                let expected: Vec<String> = (first..written).take(3).map(|n| format!("line {n}")).collect();
                assert_eq!(index.read(&path, first, 3).unwrap(), expected, "from {first} of {written}");
            }
        }
        appender.append(b"half a line").unwrap();
        index.extend(&path).unwrap();
        assert_eq!(index.lines(), written);
    }

    #[test]
    fn a_full_file_says_so_once_and_takes_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut appender = Appender::open(&path, 10).unwrap();
        appender.append(b"1234\n").unwrap();
        appender.append(b"56\n789012\n").unwrap();
        appender.append(b"more\n").unwrap();
        let mut again = Appender::open(&path, 10).unwrap();
        again.append(b"more\n").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("1234\n56\n{}", String::from_utf8_lossy(FULL)));
    }

    #[test]
    fn a_file_made_anew_is_seen_from_its_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut index = Index::default();
        std::fs::write(&path, "a\nb\nc\n").unwrap();
        index.extend(&path).unwrap();
        std::fs::write(&path, "z\n").unwrap();
        index.extend(&path).unwrap();
        assert_eq!(index.read(&path, 0, 9).unwrap(), ["z"]);
    }
}
