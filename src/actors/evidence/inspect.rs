//! Gathers what stands on disk for `evidence verify`; what it means is decided in the domain.
//!
//! It must not know the rules.

use std::path::Path;

use super::Filter;
use super::vault::{JOURNAL_MAX, Vault, no_run, run_folder, spec_folder};
use crate::disk::EntryKind;
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::FileRef;
use crate::domain::journal::verification::{ProblemKind, RunOnDisk, TEMPORARY, Verification};

/// Looks at every run that the filter lets through.
pub(super) fn verify(vault: &Vault, filter: &Filter) -> Result<Verification, Failure> {
    let mut verification = Verification::default();
    for entry in vault.store.list("consensus")? {
        match (SpecId::new(&entry.name), entry.kind) {
            (Ok(spec), EntryKind::Dir) => {
                if filter.spec.as_ref().is_none_or(|wanted| *wanted == spec) {
                    look_at_spec(vault, filter, &spec, &mut verification)?;
                }
            }
            (Ok(_) | Err(_), EntryKind::File | EntryKind::Odd) | (Err(_), EntryKind::Dir) => {
                if filter.spec.is_none() && filter.run.is_none() {
                    let path = format!("consensus/{}", entry.name);
                    verification.accuse(ProblemKind::Alien, path, "not the folder of a spec");
                }
            }
        }
    }
    verification.problems.sort();
    match &filter.run {
        Some(run) if verification.runs == 0 => Err(no_run(run)),
        Some(_) | None => Ok(verification),
    }
}

fn look_at_spec(vault: &Vault, filter: &Filter, spec: &SpecId, verification: &mut Verification) -> Result<(), Failure> {
    let folder = spec_folder(spec);
    for entry in vault.store.list(&folder)? {
        let path = format!("consensus/{spec}/{}", entry.name);
        match (entry.kind, RunId::try_from(entry.name.clone())) {
            (EntryKind::Dir, Ok(run)) => {
                if filter.run.as_ref().is_none_or(|wanted| *wanted == run) {
                    verification.look_at_run(&run_on_disk(vault, spec, run)?);
                }
            }
            _ if filter.run.is_some() => {}
            (EntryKind::File, _) if entry.name == "ledger.jsonl" => {
                let bytes = vault.store.read(folder.join("ledger.jsonl"), JOURNAL_MAX)?.unwrap_or_default();
                verification.look_at_ledger(spec, &path, &bytes);
            }
            (EntryKind::File, _) if entry.name.ends_with(TEMPORARY) => {
                verification.notes.push(format!("{path}: left by a write that was cut off"));
            }
            (EntryKind::File | EntryKind::Odd, _) | (EntryKind::Dir, Err(_)) => {
                verification.accuse(ProblemKind::Alien, path, "neither a run nor the ledger");
            }
        }
    }
    Ok(())
}

/// Reads the manifest, then the journal, then lists the files: each is written after the next, so a run that is being
/// written meanwhile shows no false alarm.
fn run_on_disk(vault: &Vault, spec: &SpecId, run: RunId) -> Result<RunOnDisk, Failure> {
    let folder = run_folder(spec, &run);
    let manifest = vault.store.read(folder.join("manifest.json"), JOURNAL_MAX)?;
    let journal = vault.store.read(folder.join("journal.jsonl"), JOURNAL_MAX)?;
    let (names, odd) = vault.tree(&folder)?;
    let mut files = Vec::new();
    for path in names.into_iter().filter(|path| path != "manifest.json" && path != "journal.jsonl") {
        if let Some(file) = digest(vault, &folder, path)? {
            files.push(file);
        }
    }
    Ok(RunOnDisk { spec: spec.clone(), folder: format!("consensus/{spec}/{run}"), run, journal, manifest, files, odd })
}

/// A temporary file may be renamed between being listed and being read: then it is not there.
fn digest(vault: &Vault, folder: &Path, path: String) -> Result<Option<FileRef>, Failure> {
    let found = vault.store.digest(folder.join(&path))?;
    Ok(found.map(|(sha256, bytes)| FileRef { path, sha256, bytes }))
}
