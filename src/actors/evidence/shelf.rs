//! Taking closed runs away, into one file or for good, and counting what is there.
//!
//! The order of every removal: what replaces the folder is durable and was read back, then the folder gets a name that
//! nobody takes for a run, then it goes. A crash in between leaves a run twice, never not at all; doing it again ends it.
//!
//! It must not know about tasks or replies: everything here blocks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::book::Book;
use super::pack::{pack, unpack};
use super::vault::{JOURNAL_MAX, Vault, ledger, no_run, run_folder, spec_folder};
use super::{Removal, inspect};
use crate::disk::lock::Note;
use crate::disk::{EntryKind, Store};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::FileRef;
use crate::domain::journal::absence::Shelved;
use crate::domain::journal::anchor::AnchoredHead;
use crate::domain::journal::chain::{Chain, Head};
use crate::domain::journal::manifest::JournalEnd;
use crate::domain::journal::sizes::Sizes;
use crate::domain::journal::tombstone::{Fate, SCHEMA, Tombstone, decided};
use crate::domain::journal::verification::{TEMPORARY, Verification};

/// Where archives and tombstones lie, below the evidence root.
const SHELF: &str = "archive";

/// Largest archive that is read.
const ARCHIVE_MAX: u64 = 1 << 30;

/// Largest single file that goes into an archive.
const FILE_MAX: u64 = 256 << 20;

/// Where the transcripts of a run lie, in the repository: they hold what the run's raw files were cut from.
const TRANSCRIPTS: &str = ".dicast/transcripts";

/// Takes a closed run away.
pub(super) fn remove(vault: &Vault, spec: &SpecId, run: &RunId, fate: Fate, note: &Note) -> Result<Removal, Failure> {
    sweep(vault, spec)?;
    let before = read_tombstone(vault, spec, run)?;
    let has_folder = vault.chain(spec, run)?.is_some();
    match (has_folder, before, fate) {
        (true, _, _) => remove_folder(vault, spec, run, fate, note),
        (false, Some(before), Fate::Purged) if before.fate == Fate::Archived || archive_bytes(vault, spec, run)? => {
            let tombstone = Tombstone { fate: Fate::Purged, at: note.since, archive: None, ..before };
            bury(vault, &tombstone)?;
            vault.store.remove(archive_path(spec, run))?;
            forget_transcripts(vault, run)?;
            Ok(removal(&tombstone))
        }
        (false, Some(before), _) => {
            let why = format!("it was {} at {}", before.fate.name(), before.at.rfc3339());
            Err(Failure::usage(format!("run {run}"), why, "list the runs with `dicast evidence list`"))
        }
        (false, None, _) => Err(no_run(run)),
    }
}

fn archive_bytes(vault: &Vault, spec: &SpecId, run: &RunId) -> Result<bool, Failure> {
    Ok(vault.store.size(archive_path(spec, run))?.is_some())
}

fn remove_folder(vault: &Vault, spec: &SpecId, run: &RunId, fate: Fate, note: &Note) -> Result<Removal, Failure> {
    // Held until the folder is gone: nobody goes on with a run that is being taken away.
    let (book, opened) = Book::open(vault, spec.clone(), run.clone(), note)?;
    let refuse = |why: String, next: &str| Err(Failure::usage(format!("run {run}"), why, next.to_owned()));
    let Some(manifest) = book.finish(vault)? else {
        return refuse("it is not closed".into(), "go on with it, or close it by starting anew with --fresh");
    };
    let found = inspect::run_on_disk(vault, spec, run.clone())?;
    let mut verification = Verification::default();
    verification.look_at_run(&found);
    if let Some(problem) = verification.problems.first() {
        let why = format!("it does not verify: {}: {}", problem.path, problem.why);
        return refuse(why, "look at it with `dicast evidence verify`; what was changed is not taken away");
    }
    let archive = match fate {
        Fate::Archived => Some(write_archive(vault, spec, run)?),
        Fate::Purged => None,
    };
    let tombstone = Tombstone {
        schema: SCHEMA.into(),
        fate,
        at: note.since,
        ended: opened.records.last().map_or(note.since, |(at, _)| *at),
        archive,
        verdicts: decided(opened.records.iter().map(|(_, record)| record)),
        manifest,
    };
    bury(vault, &tombstone)?;
    let doomed = spec_folder(spec).join(format!("{run}{TEMPORARY}"));
    vault.store.rename(run_folder(spec, run), &doomed)?;
    vault.store.remove_tree(&doomed)?;
    if fate == Fate::Purged {
        vault.store.remove(archive_path(spec, run))?;
        forget_transcripts(vault, run)?;
    }
    Ok(removal(&tombstone))
}

/// Writes the archive of a run, reads it back and compares it with every original.
fn write_archive(vault: &Vault, spec: &SpecId, run: &RunId) -> Result<FileRef, Failure> {
    let files = run_files(vault, spec, run)?;
    let bytes = pack(&files)?;
    let path = archive_path(spec, run);
    vault.store.make_dirs(shelf_folder(spec))?;
    vault.store.replace(&path, &bytes)?;
    let back = vault.store.read(&path, ARCHIVE_MAX)?.unwrap_or_default();
    if unpack(&back)? != files {
        return Err(Failure::BadReply {
            from: path.display().to_string(),
            why: "what was read back is not what was written; nothing was removed".into(),
        });
    }
    Ok(FileRef { path: path.display().to_string(), sha256: Sha::of(&back), bytes: back.len() as u64 })
}

/// Reads every file of a run, by path from the evidence root.
fn run_files(vault: &Vault, spec: &SpecId, run: &RunId) -> Result<BTreeMap<String, Vec<u8>>, Failure> {
    let folder = run_folder(spec, run);
    let mut files = BTreeMap::new();
    for path in vault.tree(&folder)?.0.into_iter().filter(|path| !path.ends_with(TEMPORARY)) {
        let path = folder.join(path);
        if let Some(bytes) = vault.store.read(&path, FILE_MAX)? {
            files.insert(path.display().to_string(), bytes);
        }
    }
    Ok(files)
}

fn bury(vault: &Vault, tombstone: &Tombstone) -> Result<(), Failure> {
    let (spec, run) = (&tombstone.manifest.spec, &tombstone.manifest.run);
    let text = serde_json::to_string_pretty(tombstone)
        .map_err(|e| Failure::BadReply { from: "a tombstone".into(), why: e.to_string() })?;
    vault.store.make_dirs(shelf_folder(spec))?;
    vault.store.replace(tombstone_path(spec, run), format!("{text}\n").as_bytes())
}

/// Removes what a crash left of folders that were being removed.
fn sweep(vault: &Vault, spec: &SpecId) -> Result<(), Failure> {
    for entry in vault.store.list(spec_folder(spec))? {
        if entry.kind == EntryKind::Dir && entry.name.ends_with(TEMPORARY) {
            vault.store.remove_tree(spec_folder(spec).join(&entry.name))?;
        }
    }
    Ok(())
}

fn forget_transcripts(vault: &Vault, run: &RunId) -> Result<(), Failure> {
    vault.repository.remove_tree(PathBuf::from(TRANSCRIPTS).join(run.as_str()))
}

fn removal(tombstone: &Tombstone) -> Removal {
    let manifest = &tombstone.manifest;
    Removal {
        spec: manifest.spec.clone(),
        run: manifest.run.clone(),
        fate: tombstone.fate,
        files: manifest.files.len() as u64 + 2,
        bytes: manifest.files.iter().map(|file| file.bytes).sum::<u64>() + manifest.journal.bytes,
        archive: tombstone.archive.clone(),
        tombstone: tombstone_path(&manifest.spec, &manifest.run).display().to_string(),
    }
}

/// Returns one file that holds what `verify` needs of a run: its folder, or its archive, and the spec's ledger.
pub(super) fn bundle(vault: &Vault, spec: &SpecId, run: &RunId) -> Result<Vec<u8>, Failure> {
    let mut files = run_files(vault, spec, run)?;
    if files.is_empty() {
        let archive = vault.store.read(archive_path(spec, run), ARCHIVE_MAX)?.ok_or_else(|| no_run(run))?;
        files = unpack(&archive)?;
    }
    let path = ledger(spec);
    if let Some(bytes) = vault.store.read(&path, JOURNAL_MAX)? {
        files.insert(path.display().to_string(), bytes);
    }
    pack(&files)
}

/// Returns where every chain of one spec or of all ends.
pub(super) fn heads(vault: &Vault, spec: Option<&SpecId>) -> Result<Vec<AnchoredHead>, Failure> {
    let specs = spec.map_or_else(|| vault.spec_ids(), |spec| Ok(vec![spec.clone()]))?;
    let mut heads = Vec::new();
    for spec in specs {
        let end =
            |chain: &Chain| JournalEnd { seq: chain.head.seq, hash: chain.head.hash.clone(), bytes: chain.length };
        let bytes = vault.store.read(ledger(&spec), JOURNAL_MAX)?;
        let kept = bytes.map(|bytes| Chain::read(Head::of_ledger(&spec), &bytes));
        heads.extend(kept.iter().map(|chain| AnchoredHead { spec: spec.clone(), run: None, end: end(chain) }));
        for run in vault.run_ids(&spec)? {
            let kept = vault.chain(&spec, &run)?;
            heads.extend(kept.iter().map(|chain| AnchoredHead {
                spec: spec.clone(),
                run: Some(run.clone()),
                end: end(chain),
            }));
        }
    }
    // An empty chain has no line that could be missed.
    heads.retain(|head| head.end.seq > 0);
    Ok(heads)
}

/// Counts what is there of one spec or of all.
pub(super) fn sizes(vault: &Vault, spec: Option<&SpecId>) -> Result<Sizes, Failure> {
    let mut sizes = Sizes::default();
    let is_wanted = |found: &SpecId| spec.is_none_or(|wanted| wanted == found);
    for spec in vault.spec_ids()?.into_iter().filter(is_wanted) {
        let folder = spec_folder(&spec);
        sizes.of(&spec).runs = vault.run_ids(&spec)?.len() as u64;
        for path in vault.tree(&folder)?.0 {
            let kind = match path.split('/').collect::<Vec<_>>().as_slice() {
                ["ledger.jsonl"] => "ledger",
                [_, "journal.jsonl"] => "journal",
                [_, "manifest.json"] => "manifest",
                [_, kind, _, ..] => kind,
                _ => "other",
            };
            count(&vault.store, &mut sizes, &spec, kind, &folder.join(&path))?;
        }
    }
    for shelved in shelved(vault, spec)? {
        let fate = shelved.read().ok().flatten().map(|tombstone| tombstone.fate);
        let account = sizes.of(&shelved.spec);
        account.archived += u64::from(fate == Some(Fate::Archived));
        account.purged += u64::from(fate == Some(Fate::Purged));
        for path in [tombstone_path(&shelved.spec, &shelved.run), archive_path(&shelved.spec, &shelved.run)] {
            count(&vault.store, &mut sizes, &shelved.spec, "archive", &path)?;
        }
    }
    Ok(sizes)
}

fn count(store: &Store, sizes: &mut Sizes, spec: &SpecId, kind: &str, path: &PathBuf) -> Result<(), Failure> {
    if let Some(bytes) = store.size(path)? {
        sizes.count(spec, kind, &path.display().to_string(), bytes);
    }
    Ok(())
}

/// Lists what stands in the place of runs, of one spec or of all. Archives are not read here.
pub(super) fn shelved(vault: &Vault, spec: Option<&SpecId>) -> Result<Vec<Shelved>, Failure> {
    let mut all = BTreeMap::new();
    for folder in vault.store.list(SHELF)? {
        let Ok(spec_of) = SpecId::new(&folder.name) else { continue };
        if spec.is_some_and(|wanted| *wanted != spec_of) || folder.kind != EntryKind::Dir {
            continue;
        }
        for entry in vault.store.list(shelf_folder(&spec_of))? {
            let name = entry.name.trim_end_matches(".tar.gz").trim_end_matches(".json");
            let Ok(run) = RunId::try_from(name.to_owned()) else { continue };
            let path = tombstone_path(&spec_of, &run);
            let shelved = Shelved {
                path: path.display().to_string(),
                tombstone: vault.store.read(&path, JOURNAL_MAX)?,
                archive: None,
                has_folder: vault.chain(&spec_of, &run)?.is_some(),
                spec: spec_of.clone(),
                run: run.clone(),
            };
            all.insert((spec_of.clone(), run), shelved);
        }
    }
    Ok(all.into_values().collect())
}

/// The same, with the hashes of the archives.
pub(super) fn shelved_with_archives(vault: &Vault, spec: Option<&SpecId>) -> Result<Vec<Shelved>, Failure> {
    let mut all = shelved(vault, spec)?;
    for shelved in &mut all {
        let path = archive_path(&shelved.spec, &shelved.run);
        let found = vault.store.digest(&path)?;
        shelved.archive = found.map(|(sha256, bytes)| FileRef { path: path.display().to_string(), sha256, bytes });
    }
    Ok(all)
}

/// Returns the runs that are kept as archives.
pub(super) fn tombstones(vault: &Vault) -> Result<Vec<Tombstone>, Failure> {
    Ok(shelved(vault, None)?.iter().filter_map(|shelved| shelved.read().ok().flatten()).collect())
}

fn read_tombstone(vault: &Vault, spec: &SpecId, run: &RunId) -> Result<Option<Tombstone>, Failure> {
    let path = tombstone_path(spec, run);
    let tombstone = vault.store.read(&path, JOURNAL_MAX)?;
    let path = path.display().to_string();
    let shelved = Shelved { spec: spec.clone(), run: run.clone(), path, tombstone, archive: None, has_folder: false };
    shelved.read().map_err(|why| super::vault::altered(&shelved.path, &why))
}

fn shelf_folder(spec: &SpecId) -> PathBuf {
    PathBuf::from(SHELF).join(spec.as_str())
}

fn archive_path(spec: &SpecId, run: &RunId) -> PathBuf {
    shelf_folder(spec).join(format!("{run}.tar.gz"))
}

fn tombstone_path(spec: &SpecId, run: &RunId) -> PathBuf {
    shelf_folder(spec).join(format!("{run}.json"))
}
