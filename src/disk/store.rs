//! Durable operations on the files below one folder.
//!
//! It must not know what the files mean.

use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

use super::lock::{self, Attempt, Note};
use super::text::class;
use super::{Entry, EntryKind, Medium};
use crate::domain::failure::Failure;
use crate::domain::hash::{Sha, hex};
use crate::domain::journal::verification::TEMPORARY;

/// Room for a file that is read whole: nearly all of them are smaller.
const ROOM: usize = 16 << 10;

/// How much is read at once when a file is only hashed.
const BLOCK: usize = 64 << 10;

/// Tells temporary files of one process apart.
static TEMPORARIES: AtomicU64 = AtomicU64::new(0);

/// The files below one folder; cheap to clone. Paths are relative to it, and so are those in failures.
#[derive(Debug, Clone)]
pub struct Store {
    medium: Arc<dyn Medium>,
    base: PathBuf,
    shown: PathBuf,
}

impl Store {
    /// Makes a store of the files below `base` on a medium.
    pub fn new(medium: Arc<dyn Medium>, base: impl Into<PathBuf>) -> Self {
        Self { medium, base: base.into(), shown: PathBuf::new() }
    }

    /// Makes a store of real files below `base`.
    pub fn real(base: impl Into<PathBuf>) -> Self {
        #[cfg(feature = "faults")]
        let medium = super::faults::Faulty;
        #[cfg(not(feature = "faults"))]
        let medium = super::files::Files;
        Self::new(Arc::new(medium), base)
    }

    /// Returns the store of a folder below this one, or of an absolute path. The folder need not exist.
    #[must_use]
    pub fn below(&self, folder: &Path) -> Self {
        let shown = if folder.is_absolute() { PathBuf::new() } else { self.shown.join(folder) };
        Self { medium: Arc::clone(&self.medium), base: self.base.join(folder), shown }
    }

    /// Makes a folder with its parents, durably. Folders that exist are made durable too: the process that made them
    /// may have been killed before it could.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn make_dirs(&self, folder: impl AsRef<Path>) -> Result<(), Failure> {
        let folder = folder.as_ref();
        let mut path = self.base.clone();
        for part in folder.components() {
            let parent = path.clone();
            path.push(part);
            match self.medium.make_dir(&path) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(self.failed("making", folder, &e)),
            }
            self.medium.sync_dir(&parent).map_err(|e| self.failed("making", folder, &e))?;
        }
        Ok(())
    }

    /// Makes the folder of this store with its parents, durably where a folder was missing.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn make_base(&self) -> Result<(), Failure> {
        let mut missing = Vec::new();
        let mut path = self.base.as_path();
        loop {
            match self.medium.make_dir(path) {
                Ok(()) => {
                    missing.push(path);
                    break;
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => break,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    missing.push(path);
                    path = path.parent().ok_or_else(|| self.failed("making", Path::new(""), &e))?;
                }
                Err(e) => return Err(self.failed("making", Path::new(""), &e)),
            }
        }
        for folder in missing.iter().rev() {
            match self.medium.make_dir(folder) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(self.failed("making", Path::new(""), &e)),
            }
            if let Some(parent) = folder.parent() {
                self.medium.sync_dir(parent).map_err(|e| self.failed("making", Path::new(""), &e))?;
            }
        }
        Ok(())
    }

    /// Writes bytes durably under a temporary name beside `path`: the first half of a replacement.
    ///
    /// # Errors
    /// [`Failure::Disk`]; nothing is left behind then, as far as the disk allows.
    pub fn stage(&self, path: impl AsRef<Path>, bytes: &[u8]) -> Result<Staged, Failure> {
        let path = path.as_ref();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let count = TEMPORARIES.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{}-{count}{TEMPORARY}", std::process::id()));
        let failed = |e: io::Error| self.failed("writing", path, &e);
        let mut file = self.medium.create(&self.base.join(&temporary)).map_err(failed)?;
        let staged = Staged { store: self.clone(), temporary, path: path.to_owned(), landed: false };
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(staged)
    }

    /// Replaces (or creates) a file in one step: after a crash there is the old one or the new one, never a mixture.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn replace(&self, path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Failure> {
        let path = path.as_ref();
        self.stage(path, bytes)?.land()?;
        self.sync_dir(parent(path))
    }

    /// Appends to a file that exists; the bytes are durable when it returns.
    ///
    /// # Errors
    /// [`Failure::Disk`]; a part may stand at the file's end then: [`Store::cut`] it.
    pub fn append(&self, path: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Failure> {
        let path = path.as_ref();
        let failed = |e: io::Error| self.failed("appending to", path, &e);
        let mut file = self.medium.append(&self.base.join(path)).map_err(failed)?;
        file.write_all(bytes).and_then(|()| file.sync_data()).map_err(failed)
    }

    /// Makes a file and its name durable, for one that another process may have written and not synced.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn settle(&self, path: impl AsRef<Path>) -> Result<(), Failure> {
        let path = path.as_ref();
        let failed = |e: io::Error| self.failed("syncing", path, &e);
        self.medium.append(&self.base.join(path)).and_then(|mut file| file.sync_all()).map_err(failed)?;
        self.sync_dir(parent(path))
    }

    /// Cuts a file to a length, durably.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn cut(&self, path: impl AsRef<Path>, bytes: u64) -> Result<(), Failure> {
        let path = path.as_ref();
        let failed = |e: io::Error| self.failed("cutting", path, &e);
        let mut file = self.medium.append(&self.base.join(path)).map_err(failed)?;
        file.set_len(bytes).and_then(|()| file.sync_all()).map_err(failed)
    }

    /// Reads a file of at most `most` bytes; `None` when it does not exist.
    ///
    /// # Errors
    /// [`Failure::Disk`], also when it is longer.
    pub fn read(&self, path: impl AsRef<Path>, most: u64) -> Result<Option<Vec<u8>>, Failure> {
        self.read_from(path, 0, most)
    }

    /// Reads a file from a byte on, at most `most` bytes; `None` when it does not exist.
    ///
    /// # Errors
    /// [`Failure::Disk`], also when more follows.
    pub fn read_from(&self, path: impl AsRef<Path>, from: u64, most: u64) -> Result<Option<Vec<u8>>, Failure> {
        let path = path.as_ref();
        let failed = |e: io::Error| self.failed("reading", path, &e);
        let mut file = match self.medium.open_at(&self.base.join(path), from) {
            Ok(file) => file.take(most.saturating_add(1)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        // Without room from the start a file is read in pieces of 32, 64, 128 … bytes.
        let mut bytes = Vec::with_capacity(usize::try_from(most).unwrap_or(ROOM).min(ROOM));
        file.read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > most {
            return Err(failed(io::Error::other(format!("it is longer than {most} bytes"))));
        }
        Ok(Some(bytes))
    }

    /// Hashes a file of any length and returns the hash with the length; `None` when it does not exist.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn digest(&self, path: impl AsRef<Path>) -> Result<Option<(Sha, u64)>, Failure> {
        let path = path.as_ref();
        let failed = |e: io::Error| self.failed("reading", path, &e);
        let mut file = match self.medium.open(&self.base.join(path)) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        };
        let (mut hasher, mut block, mut length) = (Sha256::new(), vec![0; BLOCK], 0);
        loop {
            match file.read(&mut block) {
                Ok(0) => return Ok(Some((Sha(hex(&hasher.finalize()).into()), length))),
                Ok(n) => {
                    hasher.update(&block[..n]);
                    length += n as u64;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(failed(e)),
            }
        }
    }

    /// Returns the length of a file in bytes; `None` when it does not exist.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn size(&self, path: impl AsRef<Path>) -> Result<Option<u64>, Failure> {
        let path = path.as_ref();
        match self.medium.size(&self.base.join(path)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed("reading", path, &e)),
        }
    }

    /// Lists a folder by name; a folder that does not exist is empty.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn list(&self, folder: impl AsRef<Path>) -> Result<Vec<Entry>, Failure> {
        let folder = folder.as_ref();
        match self.medium.list(&self.base.join(folder)) {
            Ok(mut entries) => {
                entries.sort();
                Ok(entries)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(self.failed("listing", folder, &e)),
        }
    }

    /// Removes a file, durably; one that does not exist is fine.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn remove(&self, path: impl AsRef<Path>) -> Result<(), Failure> {
        let path = path.as_ref();
        match self.medium.remove(&self.base.join(path)) {
            Ok(()) => self.sync_dir(parent(path)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(self.failed("removing", path, &e)),
        }
    }

    /// Removes a folder with everything in it, durably; one that does not exist is fine. A link in it is removed, not
    /// followed. It takes more than one step: rename the folder first where half of it must not be seen.
    ///
    /// # Errors
    /// [`Failure::Disk`]; a part may be left then.
    pub fn remove_tree(&self, folder: impl AsRef<Path>) -> Result<(), Failure> {
        let folder = folder.as_ref();
        let failed = |e: io::Error| self.failed("removing", folder, &e);
        let mut open = vec![folder.to_owned()];
        let mut folders = Vec::new();
        while let Some(next) = open.pop() {
            for entry in self.list(&next)? {
                let path = next.join(&entry.name);
                match entry.kind {
                    EntryKind::Dir => open.push(path),
                    EntryKind::File | EntryKind::Odd => self.medium.remove(&self.base.join(path)).map_err(failed)?,
                }
            }
            folders.push(next);
        }
        // The inner ones were listed later.
        for folder in folders.iter().rev() {
            match self.medium.remove_dir(&self.base.join(folder)) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(e) => return Err(failed(e)),
            }
        }
        self.sync_dir(parent(folder))
    }

    /// Gives a file another name, durably.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<(), Failure> {
        let (from, to) = (from.as_ref(), to.as_ref());
        let failed = |e: io::Error| self.failed("moving", from, &e);
        self.medium.rename(&self.base.join(from), &self.base.join(to)).map_err(failed)?;
        // The new name first: a crash between the two shows the file twice, never not at all.
        self.sync_dir(parent(to))?;
        self.sync_dir(parent(from))
    }

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn sync_dir(&self, folder: impl AsRef<Path>) -> Result<(), Failure> {
        let folder = folder.as_ref();
        self.medium.sync_dir(&self.base.join(folder)).map_err(|e| self.failed("syncing", folder, &e))
    }

    /// Tries once to take the lock of a file, and leaves the owner's note in it.
    ///
    /// # Errors
    /// [`Failure::Disk`]; that somebody has it is no error.
    pub fn try_lock(&self, path: impl AsRef<Path>, note: &Note) -> Result<Attempt, Failure> {
        let path = path.as_ref();
        self.medium
            .lock(&self.base.join(path))
            .and_then(|file| lock::attempt(file, note))
            .map_err(|e| self.failed("locking", path, &e))
    }

    fn failed(&self, verb: &str, path: &Path, error: &io::Error) -> Failure {
        let path = self.shown.join(path);
        tracing::debug!(verb, path = %path.display(), %error, "a disk operation failed");
        Failure::Disk { what: format!("{verb} {}", path.display()), kind: class(error), why: words(error) }
    }
}

/// A file that is durable under a temporary name. Dropped, it is removed.
#[derive(Debug)]
#[must_use = "what does not land is removed"]
pub struct Staged {
    store: Store,
    temporary: PathBuf,
    path: PathBuf,
    landed: bool,
}

impl Staged {
    /// Gives it its name, replacing what had it. The name is durable after [`Store::sync_dir`] of its folder.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub fn land(mut self) -> Result<(), Failure> {
        let (from, to) = (self.store.base.join(&self.temporary), self.store.base.join(&self.path));
        self.store.medium.rename(&from, &to).map_err(|e| self.store.failed("writing", &self.path, &e))?;
        self.landed = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.landed {
            // Best effort: what stays is swept by the next owner and never taken for evidence.
            let _ = self.store.medium.remove(&self.store.base.join(&self.temporary));
        }
    }
}

/// Returns the folder of a relative path.
pub fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Tells whether a path that came from elsewhere stays below its folder: relative, no `..`, no hidden names, nothing
/// but plain characters.
pub fn is_inside(path: &str) -> bool {
    let plain = |c: char| !c.is_control() && c != '\\';
    !path.is_empty()
        && path.chars().all(plain)
        && path.split('/').all(|part| !part.is_empty() && part.len() <= 200)
        && Path::new(path).components().all(|part| match part {
            Component::Normal(_) => true,
            Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => false,
        })
}

/// The system's words in the style of our messages.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default();
    first + chars.as_str()
}
