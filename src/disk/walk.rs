//! Reads a whole repository: the files that git would list, as far as they are text, under caps.
//!
//! It must not know what the files mean. It follows no link and opens nothing but regular files, so that neither a pipe
//! nor a device can hold it up.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path};
use std::time::UNIX_EPOCH;

use ignore::WalkBuilder;
use ignore::gitignore::Gitignore;

use crate::domain::check::{Content, FileText};
use crate::domain::failure::Failure;
use crate::domain::moment::Moment;

/// Where reading stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Most files that are listed.
    pub files: usize,
    /// Largest file that is read, in bytes.
    pub file: u64,
    /// Most bytes read in all; what comes later is listed and not read.
    pub total: u64,
}

impl Default for Caps {
    /// 20,000 files; 2 MiB each, which is more than any hand-written file; 96 MiB in all, so that a repository full of
    /// fixtures costs memory and time that nobody notices.
    fn default() -> Self {
        Self { files: 20_000, file: 2 << 20, total: 96 << 20 }
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walked {
    /// The files by path from the root, with `/` between parts.
    pub files: BTreeMap<String, FileText>,
    /// Whether [`Caps::files`] cut the list.
    pub is_cut: bool,
}

/// Folders that hold no work of the repository's own, whether git ignores them or not.
pub(super) const APART: [&str; 7] = [".git", ".dicast", "node_modules", ".venv", "__pycache__", ".hg", ".jj"];

/// Walks over what git would list below a folder, in the order of names: no link is followed, no other tool's ignores are
/// obeyed.
pub(super) fn listed(root: &Path) -> WalkBuilder {
    let mut walk = WalkBuilder::new(root);
    walk.hidden(false).parents(false).require_git(false).ignore(false).follow_links(false).sort_by_file_name(Ord::cmp);
    walk
}

/// Reads everything under `root` that git would list (by `.gitignore`, `.git/info/exclude` and the user's own ignores);
/// `stopped` is asked between files. Files that cannot be opened are left out.
///
/// # Errors
/// [`Failure::Cancelled`] when stopped; [`Failure::Disk`] when the root itself cannot be read.
pub fn read_tree(root: &Path, caps: Caps, stopped: &dyn Fn() -> bool) -> Result<Walked, Failure> {
    let mut walked = Walked::default();
    let mut read = 0u64;
    let walk = listed(root)
        .filter_entry(|entry| entry.depth() == 0 || entry.file_name().to_str().is_none_or(|n| !APART.contains(&n)))
        .build();
    for entry in walk {
        if stopped() {
            return Err(Failure::Cancelled);
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.depth() == Some(0) => {
                return Err(match error.into_io_error() {
                    Some(error) => super::text::disk("read", root, &error),
                    None => super::text::disk("read", root, &std::io::Error::other("it is no folder")),
                });
            }
            // A folder that cannot be entered hides what is in it, and nothing else.
            Err(_) => continue,
        };
        let Some(kind) = entry.file_type().filter(|kind| !kind.is_dir()) else { continue };
        // A name that is not UTF-8 cannot be written in a spec.
        let Some(path) = entry.path().strip_prefix(root).ok().and_then(relative) else { continue };
        if walked.files.len() >= caps.files {
            walked.is_cut = true;
            break;
        }
        let Ok(meta) = entry.metadata() else { continue };
        let (size, modified) = (meta.len(), modified(&meta));
        let content = if kind.is_symlink() {
            Content::Link
        } else if !kind.is_file() {
            continue;
        } else if size > caps.file || read.saturating_add(size) > caps.total {
            Content::TooLarge
        } else {
            let Some(content) = content(entry.path(), size, caps.file) else { continue };
            read = read.saturating_add(size);
            content
        };
        walked.files.insert(path, FileText { content, size, modified });
    }
    Ok(walked)
}

fn relative(path: &Path) -> Option<String> {
    let parts = path.components().map(|part| match part {
        Component::Normal(name) => name.to_str(),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => None,
    });
    Some(parts.collect::<Option<Vec<_>>>()?.join("/")).filter(|path| !path.is_empty())
}

fn modified(meta: &fs::Metadata) -> Moment {
    let since = meta.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Moment(since.and_then(|d| u64::try_from(d.as_millis()).ok()).unwrap_or(0))
}

#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
fn content(path: &Path, size: u64, max: u64) -> Option<Content> {
    // Without room from the start a file is read in pieces of 32, 64, 128 … bytes.
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0).saturating_add(1));
    // One byte more than allowed tells a file that grew meanwhile.
    File::open(path).and_then(|file| file.take(max.saturating_add(1)).read_to_end(&mut bytes)).ok()?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max {
        return Some(Content::TooLarge);
    }
    Some(match String::from_utf8(bytes) {
        Ok(text) => Content::Text(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            let is_document = path.extension().is_some_and(|e| e == "md");
            // Code in another encoding still has its names in ASCII; a document must be read exactly or not at all.
            if is_document || bytes.contains(&0) {
                Content::Binary(at)
            } else {
                Content::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    })
}

/// Tells whether a path inside `root` names something, without following a link at its end. Paths that lead out of the
/// root name nothing.
#[expect(clippy::disallowed_methods, reason = "this layer is the door to files")]
pub fn is_there(root: &Path, path: &str) -> bool {
    let path = Path::new(path);
    let is_inside = path.components().all(|part| matches!(part, Component::Normal(_)));
    is_inside && fs::symlink_metadata(root.join(path)).is_ok()
}

/// Tells which paths the repository's own `.gitignore` at the root leaves out: what a build makes is not in a fresh
/// clone.
pub fn ignored<'p>(root: &Path, paths: impl IntoIterator<Item = &'p str>) -> Vec<&'p str> {
    // A line that cannot be read is skipped; the others still hold.
    let (rules, _) = Gitignore::new(root.join(".gitignore"));
    let is_ignored = |path: &&str| {
        let is_inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        is_inside && rules.matched_path_or_any_parents(path.trim_end_matches('/'), path.ends_with('/')).is_ignore()
    };
    paths.into_iter().filter(is_ignored).collect()
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the tests make the files that are read")]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, bytes: &[u8]) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn read(root: &Path, caps: Caps) -> Walked {
        read_tree(root, caps, &|| false).unwrap()
    }

    #[test]
    fn what_git_would_list_is_read_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        for (path, bytes) in [
            (".gitignore", &b"/target\n*.log\n"[..]),
            ("src/a.rs", b"fn a() {}"),
            ("target/x.rs", b"no"),
            ("a.log", b"no"),
            (".git/config", b"no"),
            (".dicast/evidence/x", b"no"),
            ("node_modules/x.js", b"no"),
            (".specify/memory/constitution.md", b"yes"),
            ("latin.py", b"# \xe9\ndef f(): pass"),
            ("latin.md", b"caf\xe9"),
            ("image.png", b"\x89PNG\0"),
            ("large.txt", &[b'x'; 200]),
        ] {
            write(dir.path(), path, bytes);
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link.md")).unwrap();
        let walked = read(dir.path(), Caps { file: 100, ..Caps::default() });
        let got: Vec<(&str, bool)> =
            walked.files.iter().map(|(path, file)| (path.as_str(), file.as_text().is_some())).collect();
        assert_eq!(
            got,
            [
                (".gitignore", true),
                (".specify/memory/constitution.md", true),
                ("image.png", false),
                ("large.txt", false),
                ("latin.md", false),
                ("latin.py", true),
                ("link.md", false),
                ("src/a.rs", true),
            ]
        );
        assert_eq!(walked.files["latin.md"].content, Content::Binary(3));
        assert_eq!(walked.files["link.md"].content, Content::Link);
        assert_eq!(walked.files["large.txt"].content, Content::TooLarge);
    }

    #[test]
    fn what_a_build_makes_is_known_by_the_ignore_file() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), ".gitignore", b"/target\n*.env\nout/\n");
        let paths = ["target/gen/a.rs", "src/a.rs", "prod.env", "out/", "../x.env", "/etc/prod.env"];
        assert_eq!(ignored(dir.path(), paths), ["target/gen/a.rs", "prod.env", "out/"]);
        assert!(ignored(&dir.path().join("none"), ["prod.env"]).is_empty());
    }

    #[test]
    fn caps_are_kept_and_a_stop_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        for n in 0..9 {
            write(dir.path(), &format!("f{n}"), &[b'x'; 10]);
        }
        let walked = read(dir.path(), Caps { files: 5, total: 25, ..Caps::default() });
        assert!(walked.is_cut && walked.files.len() == 5);
        assert_eq!(walked.files.values().filter(|f| f.as_text().is_some()).count(), 2);
        assert_eq!(read_tree(dir.path(), Caps::default(), &|| true), Err(Failure::Cancelled));
        assert_eq!(read_tree(&dir.path().join("none"), Caps::default(), &|| false).unwrap_err().exit(), 3);
    }

    #[test]
    fn nothing_outside_is_said_to_be_there() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "in/a", b"");
        assert!(is_there(&dir.path().join("in"), "a") && is_there(dir.path(), "in"));
        for outside in ["../in/a", "/etc/passwd", "x/../../etc"] {
            assert!(!is_there(&dir.path().join("in"), outside), "{outside}");
        }
    }
}
