//! Makes the tree that has the hunks that were taken, and nothing else.
//!
//! It works on an index of its own. It must not choose hunks.

use std::collections::{BTreeMap, BTreeSet};

use super::git::Git;
use crate::domain::candidate::Patch;
use crate::domain::failure::Failure;
use crate::domain::hunks::{Picks, recipe};
use crate::domain::ids::AgentName;

/// How a diff is put into the index: as it stands, whatever the user's git is set to.
const APPLY: [&str; 5] = ["apply", "--cached", "--unidiff-zero", "--whitespace=nowarn", "-"];

impl Git {
    /// Gives some files in the index the entries that they have in a tree; what it does not have goes.
    ///
    /// # Errors
    /// Where git refuses; [`Failure::Cancelled`].
    pub(super) async fn take_files(&self, tree: &str, files: &BTreeSet<String>) -> Result<(), Failure> {
        let listed = self.must("ls-tree", &["ls-tree", "-r", "-z", "--full-tree", tree], "").await?;
        // First out with all of them, then in with those that the tree has.
        let none = "0".repeat(40);
        let mut entries: String = files.iter().map(|file| format!("0 {none}\t{file}\0")).collect();
        for entry in listed.split('\0') {
            let Some((about, path)) = entry.split_once('\t') else { continue };
            let fields: Vec<&str> = about.split(' ').collect();
            if let ([mode, _, sha], true) = (fields.as_slice(), files.contains(path)) {
                entries.push_str(&format!("{mode} {sha}\t{path}\0"));
            }
        }
        self.must("update-index", &["update-index", "-z", "--index-info"], &entries).await.map(drop)
    }

    /// Writes the tree that is the base with what was picked of some changes; returns its name.
    ///
    /// # Errors
    /// Where git refuses; [`Failure::Cancelled`].
    pub(super) async fn composed(
        &self,
        base: &str,
        patches: &BTreeMap<&AgentName, &Patch>,
        picks: &Picks,
    ) -> Result<String, Failure> {
        let diffs = patches.iter().map(|(agent, patch)| (*agent, &patch.diff)).collect();
        let recipe = recipe(&diffs, picks);
        self.must("read-tree", &["read-tree", base], "").await?;
        for (agent, files) in &recipe.whole {
            if let Some(patch) = patches.get(agent) {
                self.take_files(&patch.tree, files).await?;
            }
        }
        if !recipe.patch.is_empty() {
            let mut git = self.clone();
            git.set(&["apply.ignoreWhitespace=no"]);
            git.must("apply", &APPLY, &recipe.patch).await?;
        }
        Ok(self.must("write-tree", &["write-tree"], "").await?.trim().to_owned())
    }
}
