//! What is there without any config: agent programs on PATH and the project's own tests.
//!
//! Nothing is executed: a name on PATH says only that there is a program of that name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::disk::text::{is_executable, is_file, read_text_capped};
use crate::domain::check::{BUILD_FILES, FileText, Tree, checks as detected};
use crate::domain::settings::{CheckSource, CheckTemplate};

/// An agent CLI that this program knows by name.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// The program's name.
    pub name: &'static str,
    /// The family of the models it usually talks to.
    pub family: &'static str,
    /// A command line that reads the prompt from stdin, prints the answer and changes nothing; empty where none was
    /// tried.
    pub command: &'static [&'static str],
}

/// The agent CLIs that are looked for.
pub const KNOWN: [Known; 7] = [
    Known {
        name: "claude",
        family: "anthropic",
        command: &[
            "claude",
            "-p",
            "--permission-mode",
            "dontAsk",
            "--tools",
            "Read,Grep,Glob",
            "--setting-sources",
            "user",
            "--strict-mcp-config",
        ],
    },
    Known {
        name: "codex",
        family: "openai",
        command: &["codex", "exec", "--sandbox", "read-only", "--skip-git-repo-check", "--ephemeral", "-"],
    },
    Known { name: "gemini", family: "google", command: &["gemini", "--approval-mode", "plan"] },
    Known { name: "opencode", family: "opencode", command: &[] },
    Known { name: "qwen", family: "alibaba", command: &[] },
    Known { name: "crush", family: "crush", command: &[] },
    Known { name: "goose", family: "goose", command: &[] },
];

/// A program on PATH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

/// Finds programs by name on the value of PATH, each where a shell would find it. Relative entries are passed over:
/// a program in the current folder was not chosen by the user.
pub fn find_on_path(names: impl IntoIterator<Item = &'static str>, path: Option<&OsStr>) -> Vec<Found> {
    let folders: Vec<PathBuf> = path
        .map(|path| std::env::split_paths(path).filter(|folder| folder.is_absolute()).collect())
        .unwrap_or_default();
    names
        .into_iter()
        .filter_map(|name| {
            let path = folders.iter().map(|folder| folder.join(name)).find(|path| is_executable(path))?;
            Some(Found { name, path })
        })
        .collect()
}

/// Largest build file that is looked into, in bytes; hand-written ones stay far below.
const BUILD_FILE_MAX: u64 = 1 << 20;

/// Finds the checks that a repository's build files offer. They run only when approved.
pub fn checks(repo: &Path) -> BTreeMap<String, CheckTemplate> {
    let mut tree = Tree::default();
    for name in BUILD_FILES {
        let path = repo.join(name);
        if is_file(&path) {
            // One that cannot be read suggests only what its name does.
            let text = read_text_capped(&path, BUILD_FILE_MAX).ok().flatten().unwrap_or_default();
            tree.files.insert(name.to_owned(), FileText::text(text));
        }
    }
    let template = |argv| CheckTemplate { argv, source: CheckSource::Detected };
    detected(&tree).into_iter().map(|(name, argv)| (name, template(argv))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::text::write_atomic_text;

    #[test]
    fn what_build_files_suggest_is_found_in_a_folder() {
        let repo = tempfile::tempdir().unwrap();
        assert!(checks(repo.path()).is_empty());
        let files = [
            ("Cargo.toml", ""),
            ("package.json", "{\"scripts\":{\"test\":\"x\"}}"),
            ("go.mod", ""),
            ("Makefile", "all:\n"),
        ];
        for (name, text) in files {
            write_atomic_text(&repo.path().join(name), text).unwrap();
        }
        assert_eq!(checks(repo.path()).into_keys().collect::<Vec<_>>(), ["cargo-test", "go-test", "npm-test"]);
    }
}
