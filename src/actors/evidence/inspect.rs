//! Gathers what stands on disk for `evidence verify`; what it means is decided in the domain.
//!
//! It must not know the rules.

use std::collections::BTreeSet;
use std::path::Path;

use super::vault::{JOURNAL_MAX, Vault, ledger, no_run, run_folder, spec_folder};
use super::{Filter, shelf};
use crate::disk::EntryKind;
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::FileRef;
use crate::domain::journal::chain::{Chain, Head};
use crate::domain::journal::verification::{ProblemKind, RunOnDisk, TEMPORARY, Trace, Verification};

/// Looks at every run that the filter lets through.
pub(super) fn verify(vault: &Vault, filter: &Filter) -> Result<Verification, Failure> {
    let mut verification = Verification::default();
    let mut traces = Vec::new();
    for entry in vault.store.list("consensus")? {
        match (SpecId::new(&entry.name), entry.kind) {
            (Ok(spec), EntryKind::Dir) => {
                if filter.spec.as_ref().is_none_or(|wanted| *wanted == spec) {
                    traces.extend(look_at_spec(vault, filter, &spec, &mut verification)?);
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
    look_at_shelf(vault, filter, &mut traces, &mut verification)?;
    let is_wanted = |spec: &SpecId| match (&filter.run, &filter.spec) {
        (Some(_), _) => traces.iter().any(|trace: &Trace| trace.is_wanted && trace.spec == *spec),
        (None, Some(wanted)) => wanted == spec,
        (None, None) => true,
    };
    for published in filter.published.iter().filter(|published| is_wanted(&published.spec)) {
        verification.look_at_published(published, &traces);
    }
    verification.problems.sort();
    match &filter.run {
        Some(run) if verification.runs == 0 && verification.files == 0 => Err(no_run(run)),
        Some(_) | None => Ok(verification),
    }
}

fn look_at_spec(
    vault: &Vault,
    filter: &Filter,
    spec: &SpecId,
    verification: &mut Verification,
) -> Result<Vec<Trace>, Failure> {
    let mut traces = Vec::new();
    let folder = spec_folder(spec);
    for entry in vault.store.list(&folder)? {
        let path = format!("consensus/{spec}/{}", entry.name);
        match (entry.kind, RunId::try_from(entry.name.clone())) {
            (EntryKind::Dir, Ok(run)) => {
                let is_wanted = filter.run.as_ref().is_none_or(|wanted| *wanted == run);
                // Another run may be the one that decided what is published.
                if is_wanted || !filter.published.is_empty() {
                    let found = run_on_disk(vault, spec, run)?;
                    traces.push(Trace::of(&found, is_wanted));
                    if is_wanted {
                        verification.look_at_run(&found);
                        let bytes = found.journal.as_deref().unwrap_or_default();
                        let ends = filter.anchors.of(spec, Some(&found.run));
                        let chain = Chain::read(Head::of_run(spec, &found.run), bytes);
                        verification.look_at_anchored(&format!("{path}/journal.jsonl"), ends, &chain);
                    }
                }
            }
            _ if filter.run.is_some() => {}
            (EntryKind::File, _) if entry.name == "ledger.jsonl" => {
                let bytes = vault.store.read(folder.join("ledger.jsonl"), JOURNAL_MAX)?.unwrap_or_default();
                verification.look_at_ledger(spec, &path, &bytes);
                let chain = Chain::read(Head::of_ledger(spec), &bytes);
                verification.look_at_anchored(&path, filter.anchors.of(spec, None), &chain);
            }
            (EntryKind::File | EntryKind::Dir, _) if entry.name.ends_with(TEMPORARY) => {
                verification.notes.push(format!("{path}: left by a write that was cut off"));
            }
            (EntryKind::File | EntryKind::Odd, _) | (EntryKind::Dir, Err(_)) => {
                verification.accuse(ProblemKind::Alien, path, "neither a run nor the ledger");
            }
        }
    }
    Ok(traces)
}

/// Looks at archives, at tombstones, and at chains that others were told of and that are not here.
fn look_at_shelf(
    vault: &Vault,
    filter: &Filter,
    traces: &mut Vec<Trace>,
    verification: &mut Verification,
) -> Result<(), Failure> {
    let is_wanted = |spec: &SpecId, run: Option<&RunId>| {
        filter.spec.as_ref().is_none_or(|wanted| wanted == spec)
            && filter.run.as_ref().is_none_or(|wanted| Some(wanted) == run)
    };
    let mut here: BTreeSet<(SpecId, RunId)> = BTreeSet::new();
    for shelved in shelf::shelved_with_archives(vault, filter.spec.as_ref())? {
        let mut unseen = Verification::default();
        let is_asked = is_wanted(&shelved.spec, Some(&shelved.run));
        let told = if is_asked { &mut *verification } else { &mut unseen };
        traces.extend(told.look_at_shelved(&shelved, &filter.anchors));
        here.insert((shelved.spec, shelved.run));
    }
    for (spec, run) in filter.anchors.chains().filter(|(spec, run)| is_wanted(spec, run.as_ref())) {
        let (name, is_here) = match run {
            Some(run) => {
                let is_here = here.contains(&(spec.clone(), run.clone())) || vault.chain(spec, run)?.is_some();
                (format!("consensus/{spec}/{run}"), is_here)
            }
            None => (format!("consensus/{spec}/ledger.jsonl"), vault.store.size(ledger(spec))?.is_some()),
        };
        if !is_here {
            verification.notes.push(format!("{name}: a git note knows it, and it is not here"));
        }
    }
    Ok(())
}

/// Reads the manifest, then the journal, then lists the files: each is written after the next, so a run that is being
/// written meanwhile shows no false alarm.
pub(super) fn run_on_disk(vault: &Vault, spec: &SpecId, run: RunId) -> Result<RunOnDisk, Failure> {
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
