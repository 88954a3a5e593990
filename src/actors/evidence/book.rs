//! One open run: its journal's end, the files that are recorded, the run lock.
//!
//! The order of every write: files durable under temporary names, renamed, their folders synced, then the records that
//! name them, with one sync. So a record never names a file that a crash could take away.
//!
//! It must not know about tasks or replies: everything here blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::vault::{Vault, altered, inside, journal_name, late_name, no_run, records_of, run_folder, unlinkable};
use super::{Commit, Opened};
use crate::disk::lock::{Attempt, Guard, Note};
use crate::disk::store::parent;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::chain::{Chain, Head, Tail};
use crate::domain::journal::manifest::{JournalEnd, Manifest, SCHEMA};
use crate::domain::journal::verification::{LATE, TEMPORARY, TORN};
use crate::domain::journal::{FileRef, Record, closed};

/// A run that this process may write.
#[derive(Debug)]
pub(super) struct Book {
    spec: SpecId,
    run: RunId,
    head: Head,
    /// Length of the journal up to its head: what is beyond was never acknowledged.
    length: u64,
    /// Whether a failed write may have left bytes beyond that length.
    is_unsure: bool,
    is_closed: bool,
    names: Names,
    /// Folders that are known to be durable.
    folders: BTreeSet<PathBuf>,
    _lock: Guard,
}

/// Which files are recorded, and under which name a file was kept whose name was taken or whose text was cleaned.
#[derive(Debug, Clone, Default)]
struct Names {
    recorded: BTreeMap<String, FileRef>,
    renamed: BTreeMap<(String, Sha), FileRef>,
}

/// What a group of commits comes to before anything is written.
#[derive(Debug)]
struct Draft {
    head: Head,
    names: Names,
    lines: String,
    files: Vec<(PathBuf, String)>,
    is_closed: bool,
}

impl Book {
    /// Opens a run: takes its lock, makes its folders, cuts a torn line, sets aside what no record names.
    pub(super) fn open(vault: &Vault, spec: SpecId, run: RunId, note: &Note) -> Result<(Self, Opened), Failure> {
        vault.prepare()?;
        let lock = match vault.try_run_lock(&spec, note)? {
            Attempt::Taken(guard) => guard,
            Attempt::Held(owner) => return Err(Failure::LockHeld { what: format!("spec {spec}"), owner }),
        };
        let folders = vault.make_run_folders(&spec, &run)?;
        let (chain, cut_bytes) = settled_journal(vault, &spec, &run)?;
        let records = records_of(&journal_name(&spec, &run), &chain)?;
        let recorded = records.iter().flat_map(|(_, record)| record.files()).map(|f| (f.path.clone(), f.clone()));
        let book = Self {
            names: Names { recorded: recorded.collect(), renamed: BTreeMap::new() },
            is_closed: closed(records.iter().map(|(_, record)| record)).is_some(),
            head: chain.head,
            length: chain.length,
            is_unsure: false,
            folders,
            spec,
            run,
            _lock: lock,
        };
        let set_aside = if book.is_closed { Vec::new() } else { book.set_aside(vault, &book.names)? };
        Ok((book, Opened { records, cut_bytes, set_aside }))
    }

    pub(super) fn run(&self) -> &RunId {
        &self.run
    }

    fn folder(&self) -> PathBuf {
        run_folder(&self.spec, &self.run)
    }

    /// Writes commits with one sync. A commit that cannot be used fails alone; a disk that fails, fails all.
    pub(super) fn write(&mut self, vault: &Vault, commits: Vec<Commit>) -> Vec<Result<Vec<FileRef>, Failure>> {
        let mut draft = Draft {
            head: self.head.clone(),
            names: self.names.clone(),
            lines: String::new(),
            files: Vec::new(),
            is_closed: self.is_closed,
        };
        let outcomes: Vec<_> = commits.into_iter().map(|commit| self.draft(vault, &mut draft, commit)).collect();
        match self.write_draft(vault, &draft) {
            Ok(()) => {
                self.length += draft.lines.len() as u64;
                (self.head, self.names, self.is_closed) = (draft.head, draft.names, draft.is_closed);
                outcomes
            }
            Err(failure) => outcomes.into_iter().map(|outcome| outcome.and(Err(failure.clone()))).collect(),
        }
    }

    /// Adds a commit to the draft, or leaves the draft as it was.
    fn draft(&self, vault: &Vault, draft: &mut Draft, commit: Commit) -> Result<Vec<FileRef>, Failure> {
        let folder = self.folder();
        let (mut names, mut head, mut lines) = (draft.names.clone(), draft.head.clone(), String::new());
        let (mut files, mut refs) = (Vec::new(), Vec::new());
        for file in &commit.files {
            inside(&folder, &file.path)?;
            if file.path == "journal.jsonl" || file.path == "manifest.json" || file.path.starts_with(LATE) {
                return Err(super::vault::bad_path(&file.path));
            }
            let text = vault.redactor.clean(&file.bytes);
            let (kept, is_new) = names.keep(&file.path, Sha::of(file.bytes.as_bytes()), &text);
            if is_new {
                files.push((folder.join(&kept.path), text.into_owned()));
            }
            refs.push(kept);
        }
        let mut is_closed = draft.is_closed;
        for record in commit.records {
            let record = self.finished(vault, &names, record)?;
            let (line, next) = head.link(commit.at, &record).map_err(|e| unlinkable("a record", &e))?;
            lines.push_str(&line);
            head = next;
            is_closed = closed([&record]).is_some() || (is_closed && !matches!(record, Record::RunReopened { .. }));
        }
        draft.files.extend(files);
        draft.lines.push_str(&lines);
        (draft.names, draft.head, draft.is_closed) = (names, head, is_closed);
        Ok(refs)
    }

    /// Takes secrets out of a record and corrects the files that it names.
    fn finished(&self, vault: &Vault, names: &Names, record: Record) -> Result<Record, Failure> {
        let broken = |e: serde_json::Error| Failure::BadInput {
            place: "a record".into(),
            why: e.to_string(),
            next: "please report it".into(),
            exit: 3,
        };
        let mut value = serde_json::to_value(&record).map_err(broken)?;
        vault.redactor.clean_json(&mut value);
        let mut record: Record = serde_json::from_value(value).map_err(broken)?;
        for file in record.files_mut() {
            *file = names.resolve(file).ok_or_else(|| Failure::BadInput {
                place: file.path.clone(),
                why: "a record names it and it was never committed".into(),
                next: "please report it".into(),
                exit: 3,
            })?;
        }
        Ok(record)
    }

    fn write_draft(&mut self, vault: &Vault, draft: &Draft) -> Result<(), Failure> {
        let journal = self.folder().join("journal.jsonl");
        if self.is_unsure {
            vault.store.cut(&journal, self.length)?;
            self.is_unsure = false;
        }
        if draft.is_closed && !self.is_closed {
            // From here on, what no record names is alien.
            self.set_aside(vault, &draft.names)?;
        }
        let mut landed = Vec::new();
        let outcome = self.land(vault, draft, &mut landed).and_then(|()| {
            if draft.lines.is_empty() { Ok(()) } else { vault.store.append(&journal, draft.lines.as_bytes()) }
        });
        if outcome.is_err() {
            self.is_unsure = vault.store.cut(&journal, self.length).is_err();
            if !self.is_unsure {
                for path in landed {
                    // Best effort: what stays is set aside when the run is opened again or closed.
                    let _ = vault.store.remove(path);
                }
            }
        }
        outcome
    }

    /// Makes files durable under their names.
    fn land(&mut self, vault: &Vault, draft: &Draft, landed: &mut Vec<PathBuf>) -> Result<(), Failure> {
        let folders: BTreeSet<&Path> = draft.files.iter().map(|(path, _)| parent(path)).collect();
        for folder in &folders {
            if !self.folders.contains(*folder) {
                vault.store.make_dirs(folder)?;
                self.folders.insert(folder.to_path_buf());
            }
        }
        let staged = draft.files.iter().map(|(path, text)| vault.store.stage(path, text.as_bytes()));
        let staged = staged.collect::<Result<Vec<_>, _>>()?;
        for (staged, (path, _)) in staged.into_iter().zip(&draft.files) {
            staged.land()?;
            landed.push(path.clone());
        }
        folders.iter().try_for_each(|folder| vault.store.sync_dir(folder))
    }

    /// Moves files that no record names under `late/`, and removes what cut-off writes left.
    fn set_aside(&self, vault: &Vault, names: &Names) -> Result<Vec<FileRef>, Failure> {
        let folder = self.folder();
        let mut moved = Vec::new();
        for path in vault.tree(&folder)?.0 {
            let from = folder.join(&path);
            if path.ends_with(TEMPORARY) {
                vault.store.remove(&from)?;
            } else if !names.recorded.contains_key(&path) && !is_own(&path) {
                let Some((sha256, bytes)) = vault.store.digest(&from)? else { continue };
                let kept = FileRef { path: late_name(&sha256, &path), sha256, bytes };
                vault.store.rename(&from, folder.join(&kept.path))?;
                moved.push(kept);
            }
        }
        Ok(moved)
    }

    /// Ends the run's writing here: a closed run gets its manifest, the lock is given back.
    pub(super) fn close(self, vault: &Vault) -> Result<(), Failure> {
        self.finish(vault).map(drop)
    }

    /// Writes the manifest of a closed run and returns it.
    pub(super) fn finish(&self, vault: &Vault) -> Result<Option<Manifest>, Failure> {
        if !self.is_closed {
            return Ok(None);
        }
        let folder = self.folder();
        let mut files: Vec<FileRef> = self.names.recorded.values().cloned().collect();
        for path in vault.tree(&folder)?.0.into_iter().filter(|path| path.starts_with(LATE)) {
            if let Some((sha256, bytes)) = vault.store.digest(folder.join(&path))? {
                files.push(FileRef { path, sha256, bytes });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let journal = JournalEnd { seq: self.head.seq, hash: self.head.hash.clone(), bytes: self.length };
        let manifest =
            Manifest { schema: SCHEMA.into(), spec: self.spec.clone(), run: self.run.clone(), journal, files };
        let text = serde_json::to_string_pretty(&manifest).map_err(|e| altered("the manifest", &e.to_string()))?;
        vault.store.replace(folder.join("manifest.json"), format!("{text}\n").as_bytes())?;
        Ok(Some(manifest))
    }
}

impl Names {
    /// Returns where a text is kept, and whether it must be written. A recorded file is never overwritten: another
    /// text under its name becomes `name.2.json`.
    fn keep(&mut self, path: &str, given: Sha, text: &str) -> (FileRef, bool) {
        let sha256 = Sha::of(text.as_bytes());
        let mut kept = FileRef { path: path.to_owned(), sha256, bytes: text.len() as u64 };
        let mut count = 2;
        let is_new = loop {
            match self.recorded.get(&kept.path) {
                None => break true,
                Some(there) if *there == kept => break false,
                Some(_) => kept.path = numbered(path, count),
            }
            count += 1;
        };
        self.recorded.insert(kept.path.clone(), kept.clone());
        self.renamed.insert((path.to_owned(), given), kept.clone());
        (kept, is_new)
    }

    fn resolve(&self, file: &FileRef) -> Option<FileRef> {
        let exact = self.recorded.get(&file.path).filter(|there| there.sha256 == file.sha256);
        exact.or_else(|| self.renamed.get(&(file.path.clone(), file.sha256.clone()))).cloned()
    }
}

/// Puts a number before the ending: `plan.json` → `plan.2.json`.
pub(super) fn numbered(path: &str, count: u64) -> String {
    let file = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[file..].rfind('.').filter(|dot| *dot > 0) {
        Some(dot) => format!("{}.{count}{}", &path[..file + dot], &path[file + dot..]),
        None => format!("{path}.{count}"),
    }
}

/// Files that the evidence itself writes into a run's folder.
fn is_own(path: &str) -> bool {
    path == "journal.jsonl" || path == "manifest.json" || path.starts_with(LATE)
}

/// Reads the journal of a run, makes what it holds durable, and cuts a torn end; creates it for a new run.
fn settled_journal(vault: &Vault, spec: &SpecId, run: &RunId) -> Result<(Chain, u64), Failure> {
    let folder = run_folder(spec, run);
    let path = folder.join("journal.jsonl");
    let Some(bytes) = vault.store.read(&path, super::vault::JOURNAL_MAX)? else {
        if vault.tree(&folder)?.0.iter().any(|file| !file.ends_with(TEMPORARY)) {
            return Err(altered(&journal_name(spec, run), "it is missing from a run with files"));
        }
        vault.store.replace(&path, b"")?;
        return Ok((Chain::read(Head::of_run(spec, run), b""), 0));
    };
    let chain = Chain::read(Head::of_run(spec, run), &bytes);
    let cut = match chain.tail {
        Tail::Whole | Tail::Broken(_) => 0,
        Tail::Torn { bytes: cut } => {
            let start = usize::try_from(chain.length).map_err(|_| no_run(run))?;
            let torn = bytes.get(start..).unwrap_or_default();
            vault.store.replace(folder.join(late_name(&Sha::of(torn), TORN)), torn)?;
            vault.store.cut(&path, chain.length)?;
            cut
        }
    };
    // What a killed process appended is only now known to be on the disk.
    vault.store.settle(&path)?;
    Ok((chain, cut))
}
