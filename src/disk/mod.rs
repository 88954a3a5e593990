//! Files, fsync, atomic replacement, locks: the only door to the file system.
//!
//! [`Store`] is what the other layers use: each of its writes is durable when it returns. It is built from the
//! primitive operations of a [`Medium`], so that a twin can lose what was not synced, at every step.
//!
//! It must not know what the files mean. All of it blocks: call it from the blocking pool.

use std::fmt;
use std::io;
use std::path::Path;

#[cfg(feature = "faults")]
pub mod faults;
pub mod files;
pub mod jail;
pub mod lines;
pub mod lock;
pub mod look;
pub mod proc;
pub mod scratch;
pub mod store;
pub mod text;
#[cfg(test)]
pub(crate) mod twin;
pub mod walk;

pub use store::{Staged, Store};

/// The primitive operations of a file system, none of which is durable by itself.
pub trait Medium: fmt::Debug + Send + Sync {
    /// Creates a file that must not exist.
    ///
    /// # Errors
    /// The system's.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Writing>>;
    /// Opens a file that must exist, to write at its end.
    ///
    /// # Errors
    /// The system's.
    fn append(&self, path: &Path) -> io::Result<Box<dyn Writing>>;
    /// Opens a file to read.
    ///
    /// # Errors
    /// The system's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>>;
    /// Opens a file to read from a byte on.
    ///
    /// # Errors
    /// The system's.
    fn open_at(&self, path: &Path, from: u64) -> io::Result<Box<dyn io::Read>>;
    /// Gives a file another name, replacing what had it.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    ///
    /// # Errors
    /// The system's.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;
    /// Returns the length of a file, in bytes.
    ///
    /// # Errors
    /// The system's.
    fn size(&self, path: &Path) -> io::Result<u64>;
    /// Creates a folder in a folder that exists.
    ///
    /// # Errors
    /// The system's; `AlreadyExists` among them.
    fn make_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Lists a folder, in any order.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;
    /// Opens a lock file, creating it.
    ///
    /// # Errors
    /// The system's.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lockable>>;
}

/// A file open for writing.
pub trait Writing: fmt::Debug + Send {
    /// Writes all bytes at the end.
    ///
    /// # Errors
    /// The system's; a part may have been written.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes the bytes and the file itself durable (fsync).
    ///
    /// # Errors
    /// The system's; nothing is known then about what is on the disk.
    fn sync_all(&mut self) -> io::Result<()>;
    /// Makes the bytes and the length durable (fdatasync).
    ///
    /// # Errors
    /// The system's; nothing is known then about what is on the disk.
    fn sync_data(&mut self) -> io::Result<()>;
    /// Cuts the file to a length.
    ///
    /// # Errors
    /// The system's.
    fn set_len(&mut self, bytes: u64) -> io::Result<()>;
}

/// A lock file that is open.
pub trait Lockable: fmt::Debug + Send + Sync {
    /// Takes the lock if nobody has it; never waits.
    ///
    /// # Errors
    /// The system's; that somebody has it is no error.
    fn try_lock(&mut self) -> io::Result<bool>;
    /// Gives the lock back.
    ///
    /// # Errors
    /// The system's.
    fn unlock(&mut self) -> io::Result<()>;
    /// Reads what the owner wrote into it.
    ///
    /// # Errors
    /// The system's.
    fn note(&mut self) -> io::Result<String>;
    /// Writes the owner's note.
    ///
    /// # Errors
    /// The system's.
    fn set_note(&mut self, note: &str) -> io::Result<()>;
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The name; bytes that are no UTF-8 are replaced, so such a file cannot be opened by it.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What a name in a folder stands for. Links are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A file.
    File,
    /// A folder.
    Dir,
    /// A link, a socket, a device.
    Odd,
}
