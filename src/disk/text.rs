//! Small text files: read whole under a cap, replaced as one step.
//!
//! It must not know what the texts mean.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::domain::failure::{DiskError, Failure};

/// Permissions of a file that everybody may read.
const SHARED: u32 = 0o644;

/// Permissions of a file that only its owner may read.
const PRIVATE: u32 = 0o600;

/// Reads a text file of at most `max` bytes; none when there is no such file.
///
/// # Errors
/// [`Failure::BadInput`] when it is larger, no regular file or not UTF-8, [`Failure::Disk`] when it cannot be read.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn read_text_capped(path: &Path, max: u64) -> Result<Option<String>, Failure> {
    let refused = |e: io::Error| disk("read", path, &e);
    let bad = |why: String| Failure::usage(path.display().to_string(), why, "correct or remove the file");
    // Asked before opening: opening a FIFO waits for a writer that may never come.
    match fs::metadata(path) {
        Ok(found) if found.is_file() => {}
        Ok(_) => return Err(bad("it is not a regular file".into())),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
        Err(e) => return Err(refused(e)),
    }
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is too large, also when it grows meanwhile.
    File::open(path).and_then(|file| file.take(max.saturating_add(1)).read_to_end(&mut bytes)).map_err(refused)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Err(bad(format!("it is larger than {max} bytes")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(e) => Err(bad(format!("it is not UTF-8 text (byte {})", e.utf8_error().valid_up_to()))),
    }
}

/// Replaces a text file as one step that survives a power cut, making its folders: readers see the old text or the
/// new one, never a part.
///
/// # Errors
/// [`Failure::Disk`] with the system's words; the old file is then untouched.
pub fn write_atomic_text(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, text, SHARED).map_err(|e| disk("write", path, &e))
}

/// Does what [`write_atomic_text`] does with a file that somebody named: its folder must be there, since a missing one
/// is more likely a slip than a wish.
///
/// # Errors
/// Usage, naming the folder, when it is missing; else as [`write_atomic_text`].
pub fn write_named_text(path: &Path, text: &str) -> Result<(), Failure> {
    needs_folder(path)?;
    write_atomic_text(path, text)
}

/// Adds to the end of a text file that somebody else keeps and others write to as well, making it where it is missing.
///
/// # Errors
/// [`Failure::Disk`] with the system's words.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn append_named_text(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().append(true).create(true).mode(SHARED).open(path);
    opened.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|e| disk("write", path, &e))
}

/// Returns how long a file is, in bytes; 0 where there is none.
///
/// # Errors
/// [`Failure::Disk`] with the system's words.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn length(path: &Path) -> Result<u64, Failure> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.len()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(e) => Err(disk("read", path, &e)),
    }
}

/// Tells whether the folder of a file that somebody named is there.
///
/// # Errors
/// Usage, with the command that makes it.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn needs_folder(path: &Path) -> Result<(), Failure> {
    let folder = folder_of(path);
    if fs::metadata(folder).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    let why = format!("there is no folder {}", folder.display());
    Err(Failure::usage(path.display().to_string(), why, format!("make it first: mkdir -p {}", folder.display())))
}

/// Returns the folder of a file; of a bare name, the current one.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Does what [`write_atomic_text`] does with a file that only its owner may read.
///
/// # Errors
/// [`Failure::Disk`] with the system's words; the old file is then untouched.
pub fn write_atomic_private_text(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, text, PRIVATE).map_err(|e| disk("write", path, &e))
}

#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
fn replace(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder)?;
    // In the same folder, because a rename is one step only within a filesystem; named after us, so that two writers
    // do not share it.
    let mut temp = path.as_os_str().to_owned();
    temp.push(format!(".{}.tmp", std::process::id()));
    let temp = PathBuf::from(temp);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&temp)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temp, path)?;
        File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // The error that matters is the first one; a leftover is only untidy.
        let _ = fs::remove_file(&temp);
    }
    written
}

/// Returns the path without symlinks, `.` and `..`.
///
/// # Errors
/// [`Failure::Disk`] when it does not lead to a file or folder.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn canonical(path: &Path) -> Result<PathBuf, Failure> {
    fs::canonicalize(path).map_err(|e| disk("resolve", path, &e))
}

/// Tells whether there is a regular file.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn is_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file())
}

/// Returns the files of a name in the folders that a value of PATH names, in its order. Relative folders are passed over:
/// a program in the current folder was not chosen by the user.
pub fn on_path<'p>(name: &'p str, path: &'p OsStr) -> impl Iterator<Item = PathBuf> + 'p {
    let folders = std::env::split_paths(path).filter(|folder| folder.is_absolute());
    folders.map(move |folder| folder.join(name)).filter(|file| is_file(file))
}

/// Tells whether there is a file that may be executed.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

pub(super) fn disk(verb: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::Disk { what: format!("{verb} {}", path.display()), kind: class(error), why: error.to_string() }
}

/// Returns which next step an error of the system calls for.
pub(super) fn class(error: &io::Error) -> DiskError {
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
    if is(&[io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge]) {
        DiskError::Full
    } else if is(&[io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem]) {
        DiskError::Denied
    } else if is(&[io::ErrorKind::NotFound]) {
        DiskError::Missing
    } else {
        DiskError::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_was_written_with_its_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/text");
        write_atomic_text(&path, "one\n").unwrap();
        write_atomic_private_text(&path, "two\n").unwrap();
        assert_eq!(read_text_capped(&path, 4), Ok(Some("two\n".into())));
        #[expect(clippy::disallowed_methods, reason = "the test looks at the bare file")]
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, PRIVATE);
        #[expect(clippy::disallowed_methods, reason = "the test looks for leftovers")]
        let names = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(names, 1);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test makes bad files")]
    fn what_is_too_large_not_text_or_no_file_is_refused_and_nothing_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        assert_eq!(read_text_capped(&path, 4), Ok(None));
        assert_eq!(read_text_capped(&path.join("below"), 4), Ok(None));
        fs::write(&path, "12345").unwrap();
        assert_eq!(read_text_capped(&path.join("below"), 4), Ok(None));
        assert!(read_text_capped(&path, 4).unwrap_err().to_string().contains("larger than 4 bytes"));
        fs::write(&path, b"a\xffb").unwrap();
        assert!(read_text_capped(&path, 4).unwrap_err().to_string().contains("not UTF-8 text (byte 1)"));
        assert!(read_text_capped(folder.path(), 4).unwrap_err().to_string().contains("not a regular file"));
    }

    #[test]
    fn a_write_that_cannot_be_done_says_which_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        write_atomic_text(&file, "x").unwrap();
        let failure = write_atomic_text(&file.join("below"), "y").unwrap_err();
        assert!(failure.to_string().starts_with("write "), "{failure}");
        assert_eq!(read_text_capped(&file, 9), Ok(Some("x".into())));
    }
}
