//! What is there without any config: agent programs on PATH and the project's own tests.
//!
//! Nothing is executed: a name on PATH says only that there is a program of that name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::disk::text::{is_executable, is_file};
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

/// Finds the checks that a repository's build files offer. They run only when approved.
pub fn checks(repo: &Path) -> BTreeMap<String, CheckTemplate> {
    let mut checks = BTreeMap::new();
    if is_file(&repo.join("Cargo.toml")) {
        let argv = ["cargo", "test", "--", "{id}"].map(str::to_owned).to_vec();
        checks.insert("cargo-test".to_owned(), CheckTemplate { argv, source: CheckSource::Detected });
    }
    checks
}
