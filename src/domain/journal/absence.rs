//! What `evidence verify` concludes about what is *not* there: the end of a chain that others were told of, the folder
//! of a run that was archived or purged.
//!
//! It must not know files or git.

use super::FileRef;
use super::anchor::Anchors;
use super::chain::Chain;
use super::manifest::{Gone, JournalEnd};
use super::tombstone::{Fate, SCHEMA, Tombstone};
use super::verification::{ProblemKind, Trace, Verification};
use crate::domain::ids::{RunId, SpecId};

/// What stands in the place of a run's folder.
#[derive(Debug, Clone)]
pub struct Shelved {
    /// The spec.
    pub spec: SpecId,
    /// The run.
    pub run: RunId,
    /// Path of the tombstone, relative to the evidence root.
    pub path: String,
    /// Bytes of the tombstone.
    pub tombstone: Option<Vec<u8>>,
    /// The archive as found.
    pub archive: Option<FileRef>,
    /// Whether the run's folder is there as well.
    pub has_folder: bool,
}

impl Shelved {
    /// Reads the tombstone.
    ///
    /// # Errors
    /// Why it is none, or another run's.
    pub fn read(&self) -> Result<Option<Tombstone>, String> {
        let Some(bytes) = &self.tombstone else { return Ok(None) };
        let tombstone: Tombstone = serde_json::from_slice(bytes).map_err(|e| format!("it cannot be read: {e}"))?;
        let belongs = tombstone.manifest.spec == self.spec && tombstone.manifest.run == self.run;
        match (tombstone.schema.as_str(), belongs) {
            (SCHEMA, true) => Ok(Some(tombstone)),
            (SCHEMA, false) => Err("it belongs to another run".into()),
            (other, _) => Err(format!("{other:?} is not known to this version")),
        }
    }
}

impl Verification {
    /// Holds the heads that others were told of a chain against it.
    pub fn look_at_anchored(&mut self, path: &str, ends: &[JournalEnd], chain: &Chain) {
        for end in ends {
            match end.stands_in(chain) {
                Ok(()) => {}
                Err(Gone::Cut) => {
                    let why = format!("a git note knows entry {}, the last one here is {}", end.seq, chain.head.seq);
                    self.accuse(ProblemKind::Truncated, path, why);
                }
                Err(Gone::Replaced) => {
                    let why = format!("a git note knows entry {} by another hash", end.seq);
                    self.accuse(ProblemKind::Altered, path, why);
                }
            }
        }
    }

    /// Looks at what stands in the place of a run's folder; returns what it shows of verdicts that were decided there.
    pub fn look_at_shelved(&mut self, shelved: &Shelved, anchors: &Anchors) -> Option<Trace> {
        self.files += u64::from(shelved.tombstone.is_some()) + u64::from(shelved.archive.is_some());
        let name = format!("consensus/{}/{}", shelved.spec, shelved.run);
        let tombstone = match shelved.read() {
            Ok(Some(tombstone)) => tombstone,
            Ok(None) if shelved.has_folder => {
                self.notes.push(format!("{name}: its archive was not finished; archive it again"));
                return None;
            }
            Ok(None) => {
                let path = shelved.archive.as_ref().map_or(&shelved.path, |file| &file.path);
                self.accuse(ProblemKind::Alien, path, "an archive that no tombstone names");
                return None;
            }
            Err(why) => {
                self.accuse(ProblemKind::Altered, &shelved.path, why);
                return None;
            }
        };
        match tombstone.fate {
            Fate::Archived => self.look_at_archive(shelved, &tombstone),
            Fate::Purged => {
                let (at, files) = (tombstone.at.rfc3339(), tombstone.manifest.files.len());
                self.notes.push(format!("{name}: purged at {at}, {files} files"));
                if shelved.archive.is_some() || shelved.has_folder {
                    self.notes.push(format!("{name}: the purge was cut off; purge it again"));
                }
            }
        }
        let journal = &tombstone.manifest.journal;
        for end in anchors.of(&shelved.spec, Some(&shelved.run)) {
            if end.seq > journal.seq {
                let why = format!("a git note knows entry {}, the tombstone ends at {}", end.seq, journal.seq);
                self.accuse(ProblemKind::Truncated, &shelved.path, why);
            } else if end.seq == journal.seq && end.hash != journal.hash {
                let why = format!("a git note knows entry {} by another hash", end.seq);
                self.accuse(ProblemKind::Altered, &shelved.path, why);
            }
        }
        Some(Trace {
            spec: shelved.spec.clone(),
            journal: shelved.path.clone(),
            decided: Some(tombstone.verdicts.into_iter().collect()),
            files: Default::default(),
            is_wanted: false,
        })
    }

    fn look_at_archive(&mut self, shelved: &Shelved, tombstone: &Tombstone) {
        let Some(wanted) = &tombstone.archive else {
            return self.accuse(ProblemKind::Altered, &shelved.path, "it names no archive");
        };
        match &shelved.archive {
            None if shelved.has_folder => {}
            None => self.accuse(ProblemKind::Missing, &wanted.path, "archived and not there"),
            Some(found) if found == wanted => {}
            Some(found) if found.bytes < wanted.bytes => {
                let why = format!("{} bytes of {} are left", found.bytes, wanted.bytes);
                self.accuse(ProblemKind::Truncated, &wanted.path, why);
            }
            Some(_) => {
                self.accuse(ProblemKind::Altered, &wanted.path, format!("archived with sha256 {}", wanted.sha256));
            }
        }
    }
}
