//! A git range that is audited: between which commits, what it changes, and the hash of its diff.
//!
//! It must not run git: it is told what git says.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::artifact::body::Change;
use super::consensus::Inputs;
use super::hash::Sha;

/// A range as git resolved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The commits at both ends, in full.
    pub ends: Ends,
    /// Hash of the diff between them, without context lines and without git's words after `@@`.
    pub diff_sha256: Sha,
    /// How each file changed; a renamed one is gone under one name and new under the other.
    pub files: BTreeMap<String, Change>,
}

/// The commits at the ends of a range, in full: what it starts from, and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// The commit before the first change.
    pub from: String,
    /// The commit with the last change.
    pub to: String,
}

/// What a range stands under among the context that a verdict is bound to: no path begins with it and a space.
const KEY: &str = "range ";

/// How much of a commit's hash is shown.
const SHORT: usize = 7;

impl Ends {
    /// Returns the range as git takes it.
    pub fn revisions(&self) -> String {
        format!("{}..{}", self.from, self.to)
    }

    /// Returns the range in a few characters.
    pub fn short(&self) -> String {
        let short = |commit: &str| commit.chars().take(SHORT).collect::<String>();
        format!("{}..{}", short(&self.from), short(&self.to))
    }

    /// Reads what [`Ends::revisions`] writes.
    pub fn read(revisions: &str) -> Option<Self> {
        let (from, to) = revisions.split_once("..")?;
        Some(Self { from: from.to_owned(), to: to.to_owned() })
    }

    /// Finds the range that a verdict is bound to.
    pub fn of(inputs: &Inputs) -> Option<Self> {
        inputs.context.keys().find_map(|key| Self::read(key.strip_prefix(KEY)?))
    }
}

impl Range {
    /// Returns it as part of the context that every agent got: both commits, and the hash of the diff.
    pub fn as_context(&self) -> (String, Sha) {
        (format!("{KEY}{}", self.ends.revisions()), self.diff_sha256.clone())
    }

    /// Returns the range in a few words.
    pub fn in_words(&self) -> String {
        let several = if self.files.len() == 1 { "file" } else { "files" };
        format!("{} ({} {several})", self.ends.short(), self.files.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_names_the_range_that_it_is_bound_to() {
        let ends = Ends { from: "a".repeat(40), to: "b".repeat(40) };
        let range = Range { ends: ends.clone(), diff_sha256: Sha::of("diff"), files: BTreeMap::new() };
        let mut inputs = Inputs::default();
        assert_eq!(Ends::of(&inputs), None);
        inputs.context.insert("AGENTS.md".into(), Sha::of("x"));
        inputs.context.extend([range.as_context()]);
        assert_eq!(Ends::of(&inputs), Some(ends));
        assert_eq!(range.in_words(), "aaaaaaa..bbbbbbb (0 files)");
    }
}
