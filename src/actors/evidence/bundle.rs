//! Verifies a bundle or an archive: the same rules as on disk, over what one file holds.
//!
//! It must not know the rules, nor any disk.

use std::collections::BTreeMap;

use super::pack::unpack;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::FileRef;
use crate::domain::journal::verification::{ProblemKind, RunOnDisk, Verification};

/// The files of one run, by path in its folder.
type Files<'b> = BTreeMap<String, &'b [u8]>;

/// What a path from the evidence root belongs to.
enum Place {
    Ledger(SpecId),
    Run(SpecId, RunId, String),
    Elsewhere,
}

/// Verifies every run and ledger that a bundle holds.
pub(super) fn verify(bytes: &[u8]) -> Result<Verification, Failure> {
    let files = unpack(bytes)?;
    let mut verification = Verification::default();
    let mut runs: BTreeMap<(SpecId, RunId), Files> = BTreeMap::new();
    for (path, bytes) in &files {
        match place(path) {
            Place::Ledger(spec) => verification.look_at_ledger(&spec, path, bytes),
            Place::Run(spec, run, rest) => drop(runs.entry((spec, run)).or_default().insert(rest, bytes)),
            Place::Elsewhere => verification.accuse(ProblemKind::Alien, path, "it belongs to no run"),
        }
    }
    for ((spec, run), files) in runs {
        verification.look_at_run(&run_in_bundle(spec, run, files));
    }
    verification.problems.sort();
    Ok(verification)
}

fn run_in_bundle(spec: SpecId, run: RunId, mut files: Files) -> RunOnDisk {
    let journal = files.remove("journal.jsonl").map(<[u8]>::to_vec);
    let manifest = files.remove("manifest.json").map(<[u8]>::to_vec);
    let of = |(path, bytes): (String, &[u8])| FileRef { path, sha256: Sha::of(bytes), bytes: bytes.len() as u64 };
    let files = files.into_iter().map(of).collect();
    RunOnDisk { folder: format!("consensus/{spec}/{run}"), spec, run, journal, manifest, files, odd: Vec::new() }
}

fn place(path: &str) -> Place {
    let mut parts = path.splitn(4, '/');
    let (Some("consensus"), Some(spec), Some(name)) = (parts.next(), parts.next(), parts.next()) else {
        return Place::Elsewhere;
    };
    match (SpecId::new(spec), RunId::try_from(name.to_owned()), parts.next()) {
        (Ok(spec), Ok(run), Some(rest)) => Place::Run(spec, run, rest.to_owned()),
        (Ok(spec), Err(_), None) if name == "ledger.jsonl" => Place::Ledger(spec),
        (_, _, _) => Place::Elsewhere,
    }
}
