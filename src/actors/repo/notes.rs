//! Git notes under `refs/notes/dicast`: the one thing that this program writes into git besides what a human asks for.
//!
//! It must not know what the notes say.

use super::git::{Git, blobs};
use crate::domain::failure::Failure;

/// The notes' ref, below `refs/notes/`.
const REF: &str = "--ref=dicast";

/// Who writes a note where git knows nobody: a CI machine often has no name.
const NOBODY: [&str; 2] = ["user.name=dicast", "user.email=dicast@localhost"];

impl Git {
    /// Reads every note; none where there is no git repository.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(super) async fn notes(&self) -> Result<Vec<String>, Failure> {
        let Some(list) = self.run(&["notes", REF, "list"], "").await? else { return Ok(Vec::new()) };
        let ids: String = list.lines().filter_map(|line| line.split(' ').next()).map(|id| format!("{id}\n")).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let texts = self.run(&["cat-file", "--batch"], &ids).await?.unwrap_or_default();
        Ok(blobs(&texts).into_iter().flatten().collect())
    }

    /// Adds a text to the note of the commit that is checked out; returns the commit.
    ///
    /// # Errors
    /// Usage (exit 64) where there is no commit; exit 3 where git refuses; [`Failure::Cancelled`].
    pub(super) async fn add_note(mut self, text: &str) -> Result<String, Failure> {
        let none = || Failure::usage("git", "there is no commit here to put a note on", "commit something first");
        let commit = self.run(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], "").await?.ok_or_else(none)?;
        if self.run(&["var", "GIT_COMMITTER_IDENT"], "").await?.is_none() {
            self.set(&NOBODY);
        }
        let refused = || Failure::BadInput {
            place: "git notes".into(),
            why: "git did not take the note".into(),
            next: "look whether refs/notes/dicast can be written (`git notes --ref=dicast list`)".into(),
            exit: 3,
        };
        self.run(&["notes", REF, "append", "-F", "-", commit.trim()], text).await?.ok_or_else(refused)?;
        Ok(commit.trim().to_owned())
    }
}
