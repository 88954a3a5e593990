//! The heads of chains as they were told to somebody else, so that a chain cannot lose its end unseen.
//!
//! A chain proves that what is there was not changed; that nothing is missing at its *end* needs a witness. A git note
//! is one that is pushed, signed and kept with the commits.
//!
//! It must not know git: texts are given.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::manifest::JournalEnd;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::moment::Moment;

/// Version of an anchor's format.
pub const SCHEMA: &str = "dicast.anchor/1";

/// The heads at one moment: one line of a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// [`SCHEMA`].
    pub schema: String,
    /// When.
    pub at: Moment,
    /// The chains.
    pub heads: Vec<AnchoredHead>,
}

/// Where a chain ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnchoredHead {
    /// The spec.
    pub spec: SpecId,
    /// The run whose journal it is; `None` for the spec's ledger.
    pub run: Option<RunId>,
    /// The last line.
    #[serde(flatten)]
    pub end: JournalEnd,
}

/// Which chain: a run's journal, or the ledger of the spec.
pub type ChainName = (SpecId, Option<RunId>);

/// Everything that was anchored, by chain; of each chain every head that was told, earliest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Anchors {
    heads: BTreeMap<ChainName, Vec<JournalEnd>>,
}

impl Anchors {
    /// Reads the texts of notes. Lines that are no anchors are somebody else's and skipped; returned is how many claim
    /// to be anchors and cannot be read.
    pub fn read<'a>(notes: impl IntoIterator<Item = &'a str>) -> (Self, usize) {
        let (mut anchors, mut unreadable) = (Self::default(), 0);
        for line in notes.into_iter().flat_map(str::lines).filter(|line| line.contains("\"dicast.anchor/")) {
            match serde_json::from_str::<Anchor>(line) {
                Ok(anchor) if anchor.schema == SCHEMA => anchors.add(anchor.heads),
                Ok(_) | Err(_) => unreadable += 1,
            }
        }
        for ends in anchors.heads.values_mut() {
            ends.sort_by(|a, b| (a.seq, &a.hash.0).cmp(&(b.seq, &b.hash.0)));
            ends.dedup();
        }
        (anchors, unreadable)
    }

    fn add(&mut self, heads: Vec<AnchoredHead>) {
        for AnchoredHead { spec, run, end } in heads {
            self.heads.entry((spec, run)).or_default().push(end);
        }
    }

    /// Returns the heads that were told of a chain.
    pub fn of(&self, spec: &SpecId, run: Option<&RunId>) -> &[JournalEnd] {
        self.heads.get(&(spec.clone(), run.cloned())).map(Vec::as_slice).unwrap_or_default()
    }

    /// Returns the chains that were anchored.
    pub fn chains(&self) -> impl Iterator<Item = &ChainName> {
        self.heads.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hash::Sha;

    #[test]
    fn notes_are_read_line_by_line_and_foreign_ones_are_left_alone() {
        let spec = SpecId::new("001-x").unwrap();
        let end = |seq: u64| JournalEnd { seq, hash: Sha::of(seq.to_string()), bytes: seq * 10 };
        let line = |seq| {
            let heads = vec![AnchoredHead { spec: spec.clone(), run: None, end: end(seq) }];
            serde_json::to_string(&Anchor { schema: SCHEMA.into(), at: Moment(1), heads }).unwrap()
        };
        let notes = [format!("Reviewed-by: somebody\n\n{}\n{}", line(7), line(3)), line(7)];
        let (anchors, unreadable) = Anchors::read(notes.iter().map(String::as_str));
        assert_eq!((anchors.of(&spec, None), unreadable), (&[end(3), end(7)][..], 0));
        let (anchors, unreadable) = Anchors::read([r#"{"schema":"dicast.anchor/2"}"#]);
        assert_eq!((anchors.chains().count(), unreadable), (0, 1));
    }
}
