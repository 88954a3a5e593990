//! What a path leads to, for those who only want to tell it: nothing is read or changed.

use std::path::Path;

use super::EntryKind;

/// Returns what a path leads to; `None` if nothing is there. Links are followed.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn kind(path: &Path) -> Option<EntryKind> {
    let found = std::fs::metadata(path).ok()?;
    Some(match (found.is_file(), found.is_dir()) {
        (true, _) => EntryKind::File,
        (_, true) => EntryKind::Dir,
        (false, false) => EntryKind::Odd,
    })
}

/// Tells whether we may write below a folder: the permission of the folder, or of the nearest one above it that is
/// there. A full disk is not seen.
pub fn is_writable(folder: &Path) -> bool {
    match folder.ancestors().find(|above| kind(above).is_some()) {
        Some(there) => {
            kind(there) == Some(EntryKind::Dir) && rustix::fs::access(there, rustix::fs::Access::WRITE_OK).is_ok()
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_there_is_writable_if_the_one_above_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        assert_eq!((kind(folder.path()), kind(&file)), (Some(EntryKind::Dir), None));
        assert!(is_writable(&folder.path().join("a/b")));
        crate::disk::text::write_atomic_text(&file, "x").unwrap();
        assert_eq!(kind(&file), Some(EntryKind::File));
        assert!(!is_writable(&file) && !is_writable(&file.join("below")));
    }
}
