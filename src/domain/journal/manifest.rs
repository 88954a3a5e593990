//! The manifest of a closed run: every file with its hash and size, and the head of the journal.
//!
//! It must not know files. The journal stays the authority; the manifest lets a cut journal be found.

use serde::{Deserialize, Serialize};

use super::FileRef;
use super::chain::Chain;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};

/// Version of the manifest's format.
pub const SCHEMA: &str = "dicast.manifest/1";

/// What a closed run consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA`].
    pub schema: String,
    /// The spec.
    pub spec: SpecId,
    /// The run.
    pub run: RunId,
    /// Where the journal ended.
    pub journal: JournalEnd,
    /// Every other file, by path.
    pub files: Vec<FileRef>,
}

/// Where a journal ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEnd {
    /// Number of its last line.
    pub seq: u64,
    /// Hash of its last line.
    pub hash: Sha,
    /// Its length in bytes.
    pub bytes: u64,
}

impl JournalEnd {
    /// Tells whether the chain still has that line, or why not.
    pub fn stands_in(&self, chain: &Chain) -> Result<(), Gone> {
        let index = usize::try_from(self.seq.saturating_sub(1)).unwrap_or(usize::MAX);
        match chain.links.get(index) {
            None => Err(Gone::Cut),
            Some(link) if link.hash != self.hash => Err(Gone::Replaced),
            Some(_) => Ok(()),
        }
    }
}

/// Why the line that a manifest names is not in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gone {
    /// The journal is shorter.
    Cut,
    /// Another line stands there.
    Replaced,
}
