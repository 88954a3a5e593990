//! Scratch copies of a working copy, for commands that must not touch the real one.
//!
//! It must not know what is run there. Blocks: call it from the blocking pool.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::text::class;
use crate::domain::failure::{DiskError, Failure};

/// Most bytes that are copied: a check on a bigger tree would take longer than a person waits.
pub const COPY_MAX: u64 = 2 << 30;

/// How many names of a new folder may be taken: whoever takes more wants us not to start.
const FRESH_TRIES: u32 = 100;

/// Makes `to` a copy of the named files below `from` (relative paths with `/`), and nothing else. Symbolic links are
/// left out: one could lead out of the repository. Returns how many bytes were copied.
///
/// # Errors
/// [`Failure::Disk`]; also when the files are over [`COPY_MAX`].
#[expect(clippy::disallowed_methods, reason = "src/disk is the one door to files")]
pub fn copy(from: &Path, files: &[String], to: &Path) -> Result<u64, Failure> {
    clear(to)?;
    fs::create_dir_all(to).map_err(|error| failed("making a scratch copy", &error))?;
    let mut total = 0;
    for file in files {
        let source = from.join(file);
        let Ok(about) = fs::symlink_metadata(&source) else { continue };
        if !about.is_file() {
            continue;
        }
        total += about.len();
        if total > COPY_MAX {
            return Err(Failure::Disk {
                what: "making a scratch copy".into(),
                kind: DiskError::Other,
                why: format!("the tree is over {} MiB", COPY_MAX >> 20),
            });
        }
        let target = to.join(file);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).map_err(|error| failed("making a scratch copy", &error))?;
        }
        fs::copy(&source, &target).map_err(|error| failed(&format!("copying {file}"), &error))?;
    }
    Ok(total)
}

/// Makes an empty folder that only this user may enter, and writes files into it, by relative path.
///
/// # Errors
/// [`Failure::Disk`].
#[expect(clippy::disallowed_methods, reason = "src/disk is the one door to files")]
pub fn furnish(folder: &Path, files: &BTreeMap<String, String>) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    const WHAT: &str = "making a folder for a turn";
    clear(folder)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| failed(WHAT, &error))?;
    for (name, text) in files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| failed(WHAT, &error))?;
        }
        fs::write(path, text).map_err(|error| failed(WHAT, &error))?;
    }
    Ok(())
}

/// Makes a folder that was not there, and that only this user may enter, below the system's folder for temporary files.
/// That one is everybody's: what lies there under our name already is not ours, and is left alone.
///
/// # Errors
/// [`Failure::Disk`].
pub fn fresh(name: &str) -> Result<PathBuf, Failure> {
    use std::os::unix::fs::DirBuilderExt as _;
    const WHAT: &str = "making a folder for temporary files";
    let mut n = 0;
    loop {
        let folder = std::env::temp_dir().join(format!("dicast-{name}-{}-{n}", std::process::id()));
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && n < FRESH_TRIES => n += 1,
            Err(error) => return Err(failed(WHAT, &error)),
        }
    }
}

/// Removes a scratch copy; one that is not there is fine.
///
/// # Errors
/// [`Failure::Disk`].
#[expect(clippy::disallowed_methods, reason = "src/disk is the one door to files")]
pub fn clear(folder: &Path) -> Result<(), Failure> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("clearing a scratch copy", &error)),
    }
}

/// Returns how many bytes the files below a folder take, without following links; one that is not there takes none.
/// Stops counting once it is over `enough`.
#[expect(clippy::disallowed_methods, reason = "src/disk is the one door to files")]
pub fn size(folder: &Path, enough: u64) -> u64 {
    let mut total = 0u64;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                total = total.saturating_add(about.len());
            }
            if total > enough {
                return total;
            }
        }
    }
    total
}

/// Makes a folder and those around it.
///
/// # Errors
/// [`Failure::Disk`].
#[expect(clippy::disallowed_methods, reason = "src/disk is the one door to files")]
pub fn make(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| failed("making a folder", &error))
}

/// Removes a file of our own; one that is not there is fine.
#[expect(clippy::disallowed_methods, reason = "src/disk is the one door to files")]
pub fn remove_file(file: &Path) {
    // It is made anew where it is needed.
    let _ = fs::remove_file(file);
}

/// Removes a folder if nothing is in it.
#[expect(clippy::disallowed_methods, reason = "src/disk is the one door to files")]
pub fn remove_empty(folder: &Path) {
    // One that is not empty, or not there, stays as it is.
    let _ = fs::remove_dir(folder);
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::Disk { what: what.to_owned(), kind: class(error), why: error.to_string() }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test looks at files itself")]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_folder_is_never_one_that_was_there_and_nobody_else_may_enter_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let (one, two) = (fresh("test").unwrap(), fresh("test").unwrap());
        assert_ne!(one, two);
        let mode = fs::metadata(&one).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        [one, two].iter().for_each(|folder| clear(folder).unwrap());
    }
}
