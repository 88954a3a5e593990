//! Ends the process at the nth operation that changes a file, for the crash matrix: only in builds with the feature
//! `faults`.
//!
//! `DICAST_FAULT_AT=n` counts the operations of the whole process from 1. A write that is the nth happens by half. It
//! must not know what the operations are for.

use std::io;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::files::Files;
use super::{Entry, Lockable, Medium, Writing};

/// Names the operation at which the process ends.
const AT: &str = "DICAST_FAULT_AT";

/// Operations so far.
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Counts an operation; tells whether it is the one.
fn is_due() -> bool {
    static WANTED: OnceLock<Option<u64>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| std::env::var(AT).ok().and_then(|at| at.parse().ok()));
    let count = COUNT.fetch_add(1, Ordering::SeqCst) + 1;
    *wanted == Some(count)
}

/// Ends the process before an operation that is the one.
fn point() {
    if is_due() {
        std::process::abort();
    }
}

/// The file system of this machine, until the process ends.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faulty;

impl Medium for Faulty {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Writing>> {
        point();
        Ok(Box::new(FaultyFile(Files.create(path)?)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Writing>> {
        Ok(Box::new(FaultyFile(Files.append(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        Files.open(path)
    }

    fn open_at(&self, path: &Path, from: u64) -> io::Result<Box<dyn io::Read>> {
        Files.open_at(path, from)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        point();
        Files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        point();
        Files.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        point();
        Files.remove_dir(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Files.size(path)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        point();
        Files.make_dir(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        point();
        Files.sync_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        Files.list(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lockable>> {
        point();
        Files.lock(path)
    }
}

#[derive(Debug)]
struct FaultyFile(Box<dyn Writing>);

impl Writing for FaultyFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if is_due() {
            // What the system has taken stays, whatever happens to us.
            let half = bytes.get(..bytes.len() / 2).unwrap_or_default();
            if let Err(error) = self.0.write_all(half) {
                tracing::debug!(%error, "not even half of it was written");
            }
            std::process::abort();
        }
        self.0.write_all(bytes)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        point();
        self.0.sync_all()
    }

    fn sync_data(&mut self) -> io::Result<()> {
        point();
        self.0.sync_data()
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        point();
        self.0.set_len(bytes)
    }
}
