//! The real medium: the file system of this machine.
//!
//! It must not know about temporary names, durability rules or notes.

#![expect(clippy::disallowed_methods, reason = "this is the one place that opens, creates and renames real files")]

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::{Entry, EntryKind, Lockable, Medium, Writing};

/// Most bytes of a lock's note that are read: it is one short line.
const NOTE_MAX: u64 = 4096;

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

impl Medium for Files {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Writing>> {
        Ok(Box::new(OpenOptions::new().write(true).create_new(true).open(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Writing>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(File::open(path)?))
    }

    fn open_at(&self, path: &Path, from: u64) -> io::Result<Box<dyn Read>> {
        let mut file = File::open(path)?;
        if from > 0 {
            file.seek(SeekFrom::Start(from))?;
        }
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(std::fs::symlink_metadata(path)?.len())
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    #[cfg(not(unix))]
    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        // Folders cannot be opened there; the file system journals names by itself.
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        std::fs::read_dir(path)?
            .map(|entry| {
                let entry = entry?;
                let kind = entry.file_type()?;
                Ok(Entry {
                    name: entry.file_name().to_string_lossy().into_owned(),
                    kind: match (kind.is_file(), kind.is_dir()) {
                        (true, _) => EntryKind::File,
                        (_, true) => EntryKind::Dir,
                        (false, false) => EntryKind::Odd,
                    },
                })
            })
            .collect()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lockable>> {
        // Never truncated on open: the note of the owner stands in it.
        Ok(Box::new(OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?))
    }
}

impl Writing for File {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        Write::write_all(self, bytes)
    }

    fn sync_all(&mut self) -> io::Result<()> {
        File::sync_all(self)
    }

    fn sync_data(&mut self) -> io::Result<()> {
        File::sync_data(self)
    }

    fn set_len(&mut self, bytes: u64) -> io::Result<()> {
        File::set_len(self, bytes)
    }
}

impl Lockable for File {
    fn try_lock(&mut self) -> io::Result<bool> {
        // By full path: std has methods of the same names, which would win silently.
        match fs2::FileExt::try_lock_exclusive(self) {
            Ok(()) => Ok(true),
            Err(e) if e.raw_os_error() == fs2::lock_contended_error().raw_os_error() => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn unlock(&mut self) -> io::Result<()> {
        fs2::FileExt::unlock(self)
    }

    fn note(&mut self) -> io::Result<String> {
        self.seek(SeekFrom::Start(0))?;
        let mut bytes = Vec::new();
        Read::take(self, NOTE_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn set_note(&mut self, note: &str) -> io::Result<()> {
        File::set_len(self, 0)?;
        self.seek(SeekFrom::Start(0))?;
        Write::write_all(self, note.as_bytes())
    }
}
