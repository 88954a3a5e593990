//! What is kept of a run whose folder was taken away: where it went, and what it was.
//!
//! It must not know files.

use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use super::{FileRef, Record};
use crate::domain::hash::Sha;
use crate::domain::moment::Moment;

/// Version of the tombstone's format.
pub const SCHEMA: &str = "dicast.tombstone/1";

/// Stands in the place of a run's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tombstone {
    /// [`SCHEMA`].
    pub schema: String,
    /// What became of the run.
    pub fate: Fate,
    /// When.
    pub at: Moment,
    /// When the last record of the run was written.
    pub ended: Moment,
    /// The archive, by path from the evidence root; of a purged run there is none.
    pub archive: Option<FileRef>,
    /// Hashes of the verdicts that were decided in the run.
    pub verdicts: Vec<Sha>,
    /// Every file that the run had, with its hash, and where its journal ended.
    pub manifest: Manifest,
}

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It is kept as one file.
    Archived,
    /// It is gone.
    Purged,
}

impl Fate {
    /// Returns the name used in JSON and text.
    pub fn name(self) -> &'static str {
        match self {
            Fate::Archived => "archived",
            Fate::Purged => "purged",
        }
    }
}

/// Returns the hashes of the verdicts that were decided in a run.
pub fn decided<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<Sha> {
    let of = |record: &Record| if let Record::StageDecided { hash, .. } = record { Some(hash.clone()) } else { None };
    records.into_iter().filter_map(of).collect()
}
