//! A repository as plain data: what its files say, and what its history says about them.
//!
//! It must not know how either was read.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::ids::SpecId;
use crate::domain::moment::Moment;
use crate::domain::spec::Spec;

/// Everything that the analysts may look at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// The files that git would list (ignored ones left out), by path from the root with `/` between parts.
    pub files: BTreeMap<String, FileText>,
    /// Files that tasks name and that are there, although they are not in `files`: ignored, or over a cap.
    pub besides: BTreeSet<String>,
    /// Paths that tasks name, that are not there, and that git ignores: what a build makes, so nobody can tell.
    pub ignored: BTreeSet<String>,
    /// What git knows; `None` outside a repository.
    pub history: Option<History>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileText {
    /// What it says.
    pub content: Content,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: Moment,
}

/// What a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// UTF-8 text.
    Text(String),
    /// Not UTF-8: the first offending byte.
    Binary(usize),
    /// Over the cap, not read.
    TooLarge,
    /// A symbolic link, not followed.
    Link,
}

impl FileText {
    /// Makes a text file, for tests and embedded trees.
    pub fn text(text: impl Into<String>) -> Self {
        let text = text.into();
        let size = u64::try_from(text.len()).unwrap_or(u64::MAX);
        Self { content: Content::Text(text), size, modified: Moment(0) }
    }

    /// Returns the text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Binary(_) | Content::TooLarge | Content::Link => None,
        }
    }
}

/// What git knows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Commits, the newest first, with the paths each one changed.
    pub commits: Vec<Commit>,
    /// Whether `commits` reaches back to the first one.
    pub whole: bool,
    /// Paths that differ from the last commit, new ones included.
    pub dirty: BTreeSet<String>,
    /// The text of each spec document as it was when its plan was last committed.
    pub planned: BTreeMap<SpecId, String>,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its hash.
    pub sha: String,
    /// When it was made.
    pub at: Moment,
    /// The paths it changed.
    pub files: Vec<String>,
}

impl History {
    /// Returns the index of the newest commit that changed a path.
    pub fn last(&self, path: &str) -> Option<usize> {
        self.commits.iter().position(|c| c.files.iter().any(|f| f == path))
    }

    /// Returns the index of the oldest commit that changed anything under a folder.
    pub fn first_under(&self, dir: &str) -> Option<usize> {
        let is_under = |f: &String| f.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'));
        self.commits.iter().rposition(|c| c.files.iter().any(is_under))
    }
}

impl Tree {
    /// Returns a file's text, if it is there and is text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.as_text()
    }

    /// Returns the path of a document of a spec, which may not be there.
    pub fn path_of(&self, spec: &Spec, name: &str) -> String {
        spec.path_of(name, |path| self.files.contains_key(path))
    }

    /// Tells whether anything lies under a folder (given with its final `/`).
    pub fn has_folder(&self, folder: &str) -> bool {
        self.files.range(folder.to_owned()..).next().is_some_and(|(path, _)| path.starts_with(folder))
    }

    /// Returns the constitution's path and text, if there is one.
    pub fn constitution(&self) -> Option<(&'static str, &str)> {
        CONSTITUTIONS.into_iter().find_map(|path| self.text(path).map(|text| (path, text)))
    }
}

/// Where a constitution may lie.
pub const CONSTITUTIONS: [&str; 4] =
    [".specify/memory/constitution.md", "docs/constitution.md", "memory/constitution.md", "constitution.md"];

/// Finds what a written path means: people leave out the package's folder, or write it from the root of a disk.
#[derive(Debug)]
pub struct Paths<'t> {
    tree: &'t Tree,
    by_name: BTreeMap<&'t str, Vec<&'t str>>,
}

impl<'t> Paths<'t> {
    /// Indexes a tree.
    pub fn of(tree: &'t Tree) -> Self {
        let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for path in tree.files.keys() {
            by_name.entry(name_of(path)).or_default().push(path);
        }
        Self { tree, by_name }
    }

    /// Returns the file (or, for a path that ends with `/`, the folder) that a path written in a spec under `dir`
    /// means, `None` if there is none.
    pub fn resolve(&self, dir: &str, written: &str) -> Option<String> {
        let beside = format!("{dir}/{written}");
        if written.ends_with('/') {
            let inside = format!("/{written}");
            let is_there = self.tree.has_folder(written)
                || self.tree.has_folder(&beside)
                || self.tree.besides.contains(written)
                || self.tree.files.keys().any(|p| p.contains(&inside));
            return is_there.then(|| written.to_owned());
        }
        for path in [written, beside.as_str()] {
            if self.tree.files.contains_key(path) || self.tree.besides.contains(path) {
                return Some(path.to_owned());
            }
        }
        let namesakes = self.by_name.get(name_of(written))?;
        // `tests/burst.rs` beside an existing `tests/` is that file or none; only a path whose folder is not at the
        // root may be meant from a package's folder.
        let parent = written.rsplit_once('/').map(|(parent, _)| format!("{parent}/"));
        if parent.is_some_and(|p| self.tree.has_folder(&p)) {
            return None;
        }
        let ends = |long: &str, short: &str| long.strip_suffix(short).is_some_and(|head| head.ends_with('/'));
        let meant = namesakes.iter().find(|p| ends(p, written) || (p.contains('/') && ends(written, p)));
        meant.map(|p| (*p).to_owned())
    }

    /// Returns a file of the same name elsewhere, if it is the only one: where a moved file probably is.
    pub fn moved(&self, written: &str) -> Option<&'t str> {
        match self.by_name.get(name_of(written)).map(Vec::as_slice) {
            Some([one]) => Some(one),
            _ => None,
        }
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}
