//! The faults, as they were asked for on the command line.

use std::io::Write;
use std::time::Duration;

/// The command line.
#[derive(Clone)]
pub(crate) struct Flags(Vec<String>);

impl Flags {
    /// Takes it from this process.
    pub(crate) fn read() -> Self {
        Self(std::env::args().skip(1).collect())
    }

    /// Tells whether a flag was given.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.0.iter().any(|arg| arg == flag)
    }

    /// Returns the word after a flag.
    pub(crate) fn value(&self, flag: &str) -> Option<&str> {
        let at = self.0.iter().position(|arg| arg == flag)?;
        self.0.get(at + 1).map(String::as_str)
    }

    /// Returns the number after a flag.
    pub(crate) fn number(&self, flag: &str) -> Option<u64> {
        self.value(flag).map(|value| value.parse().unwrap())
    }

    /// Returns the time after a flag; none given: no time.
    pub(crate) fn milliseconds(&self, flag: &str) -> Duration {
        Duration::from_millis(self.number(flag).unwrap_or_default())
    }

    /// Appends a line to the log that the tests read.
    pub(crate) fn log(&self, line: &str) {
        if let Some(path) = self.value("--log") {
            let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
            file.write_all(format!("{line}\n").as_bytes()).unwrap();
        }
    }
}
