//! What is there now, to hold recorded verdicts against: the code is read once, however many are asked about.
//!
//! It must not know what follows from a change.

use std::sync::OnceLock;

use super::{Context, survey};
use crate::domain::consensus::Verdict;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::spec::Folder;
use crate::domain::stage::Stage;

/// Most bytes of a document that is compared with what was judged.
const DOCUMENT_MAX: u64 = 64 << 20;

/// The working copy, or what a commit has of the code.
#[derive(Debug)]
pub(super) struct Present<'c> {
    context: &'c Context,
    at: Option<&'c str>,
    tree: OnceLock<String>,
}

impl<'c> Present<'c> {
    /// What is there now; of the code, what the commit `at` has.
    pub(super) fn new(context: &'c Context, at: Option<&'c str>) -> Self {
        Self { context, at, tree: OnceLock::new() }
    }

    /// Returns what a verdict was about that is not so any more: the spec, a document, and from implement on the tree.
    ///
    /// # Errors
    /// When it cannot be read, or there is no such commit.
    pub(super) fn changed(&self, folder: &Folder, verdict: &Verdict) -> Result<Option<String>, Failure> {
        let changed = self.documents_changed(folder, verdict)?;
        if changed.is_some() { Ok(changed) } else { self.code_changed(verdict) }
    }

    /// Returns which document of what a verdict was about is not so any more: the spec, or one that it builds on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn documents_changed(&self, folder: &Folder, verdict: &Verdict) -> Result<Option<String>, Failure> {
        let store = self.context.store();
        let proposed =
            (verdict.stage == Stage::Specify).then(|| verdict.published.get(&folder.proposal_path())).flatten();
        if let Some(judged) = &verdict.inputs.spec_sha256 {
            let mut same = false;
            for document in &folder.documents {
                let bytes = store.read(document, DOCUMENT_MAX)?.unwrap_or_default();
                same |= Sha::of(&bytes) == *judged;
                // What a panel proposed is written: that is what its verdict was for.
                same |= proposed.is_some_and(|proposed| Sha::of(&bytes) == *proposed);
            }
            if !same {
                return Ok(Some(format!("{} changed", folder.documents.join(" or "))));
            }
        }
        for (path, judged) in &verdict.inputs.documents {
            if store.digest(path)?.is_none_or(|(sha, _)| sha != *judged) {
                return Ok(Some(format!("{path} changed")));
            }
        }
        Ok(None)
    }

    /// Says whether the code is not what a verdict was about any more.
    ///
    /// # Errors
    /// When it cannot be read, or there is no such commit.
    pub(super) fn code_changed(&self, verdict: &Verdict) -> Result<Option<String>, Failure> {
        let judged = verdict.inputs.tree.as_ref().filter(|_| verdict.stage >= Stage::Implement);
        // A commit that is not there is an error, also where the code is not what was judged.
        if judged.is_none() && self.at.is_none() {
            return Ok(None);
        }
        let now = self.tree()?;
        Ok(judged.filter(|judged| *judged != now).map(|_| match self.at {
            Some(at) => format!("the code at {at} is not what was judged"),
            None => "the code changed".to_owned(),
        }))
    }

    /// Names the state of the code; it is read once.
    ///
    /// # Errors
    /// When it cannot be read, or there is no such commit.
    pub(super) fn tree(&self) -> Result<&String, Failure> {
        if let Some(tree) = self.tree.get() {
            return Ok(tree);
        }
        let tree = survey::tree(self.context, self.at)?;
        Ok(self.tree.get_or_init(|| tree))
    }
}
