//! Where the evidence lies, and reading it.
//!
//! It must not know about tasks or replies: everything here blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::{Grown, Journal, NewFile};
use crate::disk::lock::{Attempt, Note};
use crate::disk::store::is_inside;
use crate::disk::{EntryKind, Store};
use crate::domain::failure::{DiskError, Failure};
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::chain::{Chain, Head, Tail, Unlinkable};
use crate::domain::journal::summary::RunSummary;
use crate::domain::journal::verification::LATE;
use crate::domain::journal::{FileRef, Record, closed};
use crate::domain::moment::Moment;
use crate::domain::redact::Redactor;

/// Longest journal or ledger that is read. A run writes some hundred lines; this is a bound, not a target.
pub(super) const JOURNAL_MAX: u64 = 256 << 20;

/// How much longer than recorded a file may be and still be read, to be called altered and not too long.
const LONGER: u64 = 1 << 20;

/// Longest lock note that is read.
const NOTE_MAX: u64 = 4096;

/// What `.dicast/.gitignore` says: only the project's config and its templates are committed.
pub(crate) const GITIGNORE: &str = "# written by dicast: only the config and templates are for everybody\n*\n!.gitignore\n\
    !config.toml\n!templates/\n!templates/*\n";

/// Where the texts of documents are kept that were changed.
const BACKUPS: &str = ".dicast/backups";

/// Digits of a hash in the name of a backup.
const DIGITS: usize = 12;

/// The folders of a run.
const FOLDERS: [&str; 6] = ["prompts", "raw", "artifacts", "panels", "verdicts", "late"];

/// Returns where the text of a document is kept that is about to be changed.
pub(crate) fn backup_of(spec: &SpecId, file: &str, before: &Sha) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    let digits: String = before.as_str().chars().take(DIGITS).collect();
    format!("{BACKUPS}/{spec}/{digits}-{name}")
}

/// The evidence of one repository.
#[derive(Debug)]
pub(super) struct Vault {
    /// The files of the repository.
    pub(super) repository: Store,
    /// The files below the evidence root.
    pub(super) store: Store,
    /// Takes secrets out.
    pub(super) redactor: Redactor,
    root: PathBuf,
    /// Ends of ledgers, so that each line is read once. Others append only what follows.
    ledgers: Mutex<BTreeMap<SpecId, LedgerEnd>>,
}

impl Vault {
    pub(super) fn new(repository: Store, root: &Path, redactor: Redactor) -> Self {
        let store = repository.below(root);
        Self { store, repository, redactor, root: root.to_owned(), ledgers: Mutex::default() }
    }

    /// Makes the folders that writing needs.
    pub(super) fn prepare(&self) -> Result<(), Failure> {
        if self.root.is_absolute() {
            self.store.make_base()?;
        } else {
            self.repository.make_dirs(&self.root)?;
        }
        self.store.make_dirs(".locks")?;
        self.repository.make_dirs(".dicast")?;
        if self.repository.read(".dicast/.gitignore", NOTE_MAX)?.is_none() {
            self.repository.replace(".dicast/.gitignore", GITIGNORE.as_bytes())?;
        }
        Ok(())
    }

    /// Makes the folders of a run and returns them.
    pub(super) fn make_run_folders(&self, spec: &SpecId, run: &RunId) -> Result<BTreeSet<PathBuf>, Failure> {
        let folder = run_folder(spec, run);
        let folders: BTreeSet<PathBuf> = FOLDERS.iter().map(|name| folder.join(name)).collect();
        folders.iter().try_for_each(|folder| self.store.make_dirs(folder))?;
        Ok(folders)
    }

    /// Tries to take the lock under which a spec is written. A ledger may be written before any run was opened: then
    /// the folders are made now.
    pub(super) fn try_lock(&self, spec: &SpecId, note: &Note) -> Result<Attempt, Failure> {
        let path = format!(".locks/{spec}.lock");
        match self.store.try_lock(&path, note) {
            Err(Failure::Disk { kind: DiskError::Missing, .. }) => {
                self.prepare()?;
                self.store.try_lock(&path, note)
            }
            attempt => attempt,
        }
    }

    /// Tries to take the lock of a spec's run.
    pub(super) fn try_run_lock(&self, spec: &SpecId, note: &Note) -> Result<Attempt, Failure> {
        self.store.try_lock(run_lock(spec), note)
    }

    pub(super) fn owner(&self, spec: &SpecId) -> Result<Option<Note>, Failure> {
        let note = self.store.read(run_lock(spec), NOTE_MAX)?.unwrap_or_default();
        Ok(Note::parse(&String::from_utf8_lossy(&note)).filter(|note| !note.is_dead()))
    }

    pub(super) fn read(&self, spec: &SpecId, run: &RunId, file: &FileRef) -> Result<Arc<str>, Failure> {
        let path = inside(&run_folder(spec, run), &file.path)?;
        let what = format!("reading {}", path.display());
        let missing = || Failure::Disk { what, kind: DiskError::Missing, why: "it is not there".into() };
        let bytes = self.store.read(&path, file.bytes.saturating_add(LONGER))?.ok_or_else(missing)?;
        match String::from_utf8(bytes) {
            Ok(text) if Sha::of(&text) == file.sha256 => Ok(text.into()),
            Ok(_) | Err(_) => Err(altered(&path.display().to_string(), "its bytes do not match the recorded sha256")),
        }
    }

    /// Reads a journal as a chain; `None` when there is none.
    pub(super) fn chain(&self, spec: &SpecId, run: &RunId) -> Result<Option<Chain>, Failure> {
        let bytes = self.store.read(run_folder(spec, run).join("journal.jsonl"), JOURNAL_MAX)?;
        Ok(bytes.map(|bytes| Chain::read(Head::of_run(spec, run), &bytes)))
    }

    pub(super) fn records(&self, spec: &SpecId, run: &RunId) -> Result<Vec<(Moment, Record)>, Failure> {
        let chain = self.chain(spec, run)?.ok_or_else(|| no_run(run))?;
        records_of(&journal_name(spec, run), &chain)
    }

    /// Reads a run's records; `None` if its journal is still as long as is `known`. Entries are only ever added to it.
    pub(super) fn records_beyond(
        &self,
        spec: &SpecId,
        run: &RunId,
        known: Option<u64>,
    ) -> Result<Option<Grown>, Failure> {
        // The length first: what is added between the two looks is then read once more, and not missed.
        let bytes = self.store.size(run_folder(spec, run).join("journal.jsonl"))?.ok_or_else(|| no_run(run))?;
        if known == Some(bytes) {
            return Ok(None);
        }
        Ok(Some(Grown { bytes, records: self.records(spec, run)? }))
    }

    pub(super) fn latest_open(&self, spec: &SpecId) -> Result<Option<Journal>, Failure> {
        for run in self.run_ids(spec)? {
            let Some(chain) = self.chain(spec, &run)? else { continue };
            let entries = records_of(&journal_name(spec, &run), &chain)?;
            if !entries.is_empty() && closed(entries.iter().map(|(_, record)| record)).is_none() {
                return Ok(Some(Journal { run, entries }));
            }
        }
        Ok(None)
    }

    pub(super) fn runs(&self, spec: Option<&SpecId>) -> Result<Vec<RunSummary>, Failure> {
        let specs = spec.map_or_else(|| self.spec_ids(), |spec| Ok(vec![spec.clone()]))?;
        let mut runs = Vec::new();
        for spec in specs {
            for run in self.run_ids(&spec)? {
                let Some(chain) = self.chain(&spec, &run)? else { continue };
                let (entries, damage) = match records_of(&journal_name(&spec, &run), &chain) {
                    Ok(entries) => (entries, None),
                    Err(failure) => (Vec::new(), Some(failure.to_string())),
                };
                runs.push(RunSummary::of(spec.clone(), run, &entries, damage));
            }
        }
        runs.sort_by(|a, b| b.run.cmp(&a.run));
        Ok(runs)
    }

    /// Returns the specs that have evidence.
    pub(super) fn spec_ids(&self) -> Result<Vec<SpecId>, Failure> {
        let entries = self.store.list("consensus")?;
        Ok(entries.iter().filter(|e| e.kind == EntryKind::Dir).filter_map(|e| SpecId::new(&e.name).ok()).collect())
    }

    /// Returns the runs of a spec, newest first.
    pub(super) fn run_ids(&self, spec: &SpecId) -> Result<Vec<RunId>, Failure> {
        let entries = self.store.list(spec_folder(spec))?;
        let dirs = entries.into_iter().filter(|e| e.kind == EntryKind::Dir);
        let mut runs: Vec<RunId> = dirs.filter_map(|e| RunId::try_from(e.name).ok()).collect();
        runs.sort_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    /// Lists the files below a folder by path relative to it, and what is neither file nor folder.
    pub(super) fn tree(&self, folder: &Path) -> Result<(Vec<String>, Vec<String>), Failure> {
        let (mut files, mut odd) = (Vec::new(), Vec::new());
        let mut folders = vec![String::new()];
        while let Some(prefix) = folders.pop() {
            for entry in self.store.list(folder.join(&prefix))? {
                let path = format!("{prefix}{}", entry.name);
                match entry.kind {
                    EntryKind::File => files.push(path),
                    EntryKind::Dir => folders.push(format!("{path}/")),
                    EntryKind::Odd => odd.push(path),
                }
            }
        }
        files.sort();
        Ok((files, odd))
    }

    /// Keeps what a command wrote, under a name that bears the time.
    pub(super) fn keep_output(&self, spec: &SpecId, at: Moment, file: &NewFile) -> Result<String, Failure> {
        self.prepare()?;
        let folder = PathBuf::from(format!("commands/{spec}"));
        // A time of day with colons is no file name everywhere.
        let stamp: String = at.rfc3339().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        let name = format!("{stamp}-{}", file.path);
        let path = inside(&folder, &name)?;
        self.store.make_dirs(&folder)?;
        self.store.replace(&path, self.redactor.clean(&file.bytes).as_bytes())?;
        Ok(format!("{}/{name}", folder.display()))
    }

    /// Keeps a text under `late/`, under a name that bears its hash.
    pub(super) fn keep_late(&self, spec: &SpecId, run: &RunId, file: &NewFile) -> Result<FileRef, Failure> {
        let folder = run_folder(spec, run);
        if self.store.list(&folder)?.is_empty() {
            return Err(no_run(run));
        }
        inside(&folder, &file.path)?;
        let text = self.redactor.clean(&file.bytes);
        let sha256 = Sha::of(text.as_bytes());
        let kept = FileRef { path: late_name(&sha256, &file.path), sha256, bytes: text.len() as u64 };
        let path = folder.join(&kept.path);
        if self.store.digest(&path)?.is_none_or(|(sha, _)| sha != kept.sha256) {
            self.store.make_dirs(folder.join("late"))?;
            self.store.replace(path, text.as_bytes())?;
        }
        Ok(kept)
    }

    pub(super) fn read_ledger(&self, spec: &SpecId) -> Result<Vec<(Moment, Value)>, Failure> {
        let bytes = self.store.read(ledger(spec), JOURNAL_MAX)?.unwrap_or_default();
        let chain = Chain::read(Head::of_ledger(spec), &bytes);
        unbroken(&ledger(spec).display().to_string(), &chain)?;
        Ok(chain.links.into_iter().map(|link| (link.at, Value::Object(link.record))).collect())
    }

    /// Appends entries of several askers to a ledger with one sync, under the spec's lock. Others may have appended
    /// since. One that cannot be written fails alone; a disk that fails, fails all.
    pub(super) fn append_ledger(&self, spec: &SpecId, parts: &[(Moment, Vec<Value>)]) -> Vec<Result<(), Failure>> {
        let end = match self.ledger_end(spec) {
            Ok(end) => end,
            Err(failure) => return parts.iter().map(|_| Err(failure.clone())).collect(),
        };
        let (mut head, mut lines, mut outcomes) = (end.head.clone(), String::new(), Vec::new());
        for (at, records) in parts {
            let linked = self.linked(&head, *at, records);
            outcomes.push(linked.map(|(text, next)| {
                lines.push_str(&text);
                head = next;
            }));
        }
        let path = ledger(spec);
        let written = self.store.append(&path, lines.as_bytes()).inspect_err(|_| {
            // What stands there was not acknowledged. Should this fail as well, it is a torn line or an entry too many.
            let _ = self.store.cut(&path, end.length);
        });
        let mut known = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner);
        match written {
            Ok(()) => {
                let length = end.length + lines.len() as u64;
                known.insert(spec.clone(), LedgerEnd { head, length });
                outcomes
            }
            Err(failure) => {
                known.remove(spec);
                outcomes.into_iter().map(|outcome| outcome.and(Err(failure.clone()))).collect()
            }
        }
    }

    /// Links the entries of one asker, without secrets.
    fn linked(&self, head: &Head, at: Moment, records: &[Value]) -> Result<(String, Head), Failure> {
        let (mut head, mut lines) = (head.clone(), String::new());
        for record in records {
            let mut record = record.clone();
            self.redactor.clean_json(&mut record);
            let (line, next) = head.link(at, &record).map_err(|e| unlinkable("a ledger entry", &e))?;
            lines.push_str(&line);
            head = next;
        }
        Ok((lines, head))
    }

    /// Returns where a ledger ends now: what was read before is not read again, what others appended is. A torn end is
    /// cut.
    fn ledger_end(&self, spec: &SpecId) -> Result<LedgerEnd, Failure> {
        let path = ledger(spec);
        let known = self.ledgers.lock().unwrap_or_else(PoisonError::into_inner).get(spec).cloned();
        let size = self.store.size(&path)?;
        let known = known.filter(|known| size.is_some_and(|size| size >= known.length));
        if size.is_none() {
            self.store.make_dirs(spec_folder(spec))?;
            self.store.replace(&path, b"")?;
        }
        let is_first = known.is_none();
        let from = known.unwrap_or_else(|| LedgerEnd { head: Head::of_ledger(spec), length: 0 });
        let bytes = self.store.read_from(&path, from.length, JOURNAL_MAX)?.unwrap_or_default();
        let chain = Chain::read(from.head, &bytes);
        unbroken(&path.display().to_string(), &chain)?;
        let end = LedgerEnd { head: chain.head, length: from.length + chain.length };
        if let Tail::Torn { bytes } = chain.tail {
            tracing::warn!(%spec, bytes, "a torn last line of the ledger was cut");
            self.store.cut(&path, end.length)?;
        }
        if is_first {
            // Whoever made the file may have been killed before its name was durable. Its bytes become durable with
            // ours: a sync covers the whole file.
            self.store.sync_dir(spec_folder(spec))?;
        }
        Ok(end)
    }
}

/// Where a ledger ends, as far as this process has read or written it.
#[derive(Debug, Clone)]
struct LedgerEnd {
    head: Head,
    length: u64,
}

pub(super) fn spec_folder(spec: &SpecId) -> PathBuf {
    Path::new("consensus").join(spec.as_str())
}

pub(super) fn run_folder(spec: &SpecId, run: &RunId) -> PathBuf {
    spec_folder(spec).join(run.as_str())
}

pub(super) fn ledger(spec: &SpecId) -> PathBuf {
    spec_folder(spec).join("ledger.jsonl")
}

fn run_lock(spec: &SpecId) -> String {
    format!(".locks/{spec}.run.lock")
}

pub(super) fn journal_name(spec: &SpecId, run: &RunId) -> String {
    format!("consensus/{spec}/{run}/journal.jsonl")
}

/// Returns the name under `late/` of what was to be called `path`.
pub(super) fn late_name(sha: &Sha, path: &str) -> String {
    let flat: String = path.replace('/', "_").chars().take(100).collect();
    format!("{LATE}{sha}-{flat}")
}

/// Joins a path that came from elsewhere to a folder.
pub(super) fn inside(folder: &Path, path: &str) -> Result<PathBuf, Failure> {
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    if is_inside(path) && !hidden { Ok(folder.join(path)) } else { Err(bad_path(path)) }
}

pub(super) fn bad_path(path: &str) -> Failure {
    Failure::BadInput {
        place: format!("{path:?}"),
        why: "it is not a plain path below the folder".into(),
        next: "use a relative path without `..` and hidden names".into(),
        exit: 3,
    }
}

/// Reads the records of a journal that holds; a torn last line is not one of them.
pub(super) fn records_of(name: &str, chain: &Chain) -> Result<Vec<(Moment, Record)>, Failure> {
    unbroken(name, chain)?;
    chain.records().map_err(|(seq, why)| Failure::BadReply {
        from: name.to_owned(),
        why: format!("entry {seq} is not known to this version: {why}"),
    })
}

pub(super) fn unbroken(name: &str, chain: &Chain) -> Result<(), Failure> {
    match &chain.tail {
        Tail::Whole | Tail::Torn { .. } => Ok(()),
        Tail::Broken(breaks) => {
            let first = breaks.first().map(|b| format!("line {}: {}", b.line, b.why)).unwrap_or_default();
            Err(altered(name, &first))
        }
    }
}

pub(super) fn altered(name: &str, why: &str) -> Failure {
    Failure::BadReply { from: name.to_owned(), why: format!("{why} (see `dicast evidence verify`)") }
}

pub(super) fn unlinkable(place: &str, error: &Unlinkable) -> Failure {
    Failure::BadInput { place: place.to_owned(), why: error.to_string(), next: "please report it".into(), exit: 3 }
}

pub(super) fn no_run(run: &RunId) -> Failure {
    Failure::usage(format!("run {run}"), "there is no such run", "list the runs with `dicast evidence list`")
}
