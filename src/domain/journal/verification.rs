//! What `evidence verify` concludes from what stands on disk.
//!
//! It must not know files: hashes, names and the journal's bytes are given.
//!
//! The rules. The journal is the authority. Each file that a record names must be there with its hash. A file that no
//! record names is *alien* once the run is closed; before that it may be one whose record never became durable, and is
//! a note. Files under `late/` bear their hash in their name. A manifest must name a line that the journal still has.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::chain::{BreakKind, Chain, Head, Tail};
use super::manifest::{Gone, Manifest};
use super::{FileRef, Record, closed};
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};

/// Ending of a temporary file: what a write that was cut off leaves behind.
pub const TEMPORARY: &str = ".dicast-tmp";

/// Name, in the run's folder, of late and foreign replies.
pub const LATE: &str = "late/";

/// Name under which a cut, torn end of a journal is kept in `late/`.
pub const TORN: &str = "torn-journal.txt";

/// The result for all runs looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Whether there is no problem.
    pub ok: bool,
    /// Runs looked at.
    pub runs: u64,
    /// Files looked at, journals and ledgers included.
    pub files: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// What is worth knowing and not wrong.
    pub notes: Vec<String>,
}

impl Default for Verification {
    fn default() -> Self {
        Self { ok: true, runs: 0, files: 0, problems: Vec::new(), notes: Vec::new() }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    /// What kind.
    pub kind: ProblemKind,
    /// Which file, relative to the evidence root.
    pub path: String,
    /// In words, with the line where there is one.
    pub why: String,
}

/// Kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Other bytes than were recorded.
    Altered,
    /// Recorded and not there.
    Missing,
    /// There and not recorded.
    Alien,
    /// Shorter than recorded.
    Truncated,
    /// In another order than written.
    Reordered,
}

impl ProblemKind {
    /// Returns the name used in JSON and text.
    pub fn name(self) -> &'static str {
        match self {
            ProblemKind::Altered => "altered",
            ProblemKind::Missing => "missing",
            ProblemKind::Alien => "alien",
            ProblemKind::Truncated => "truncated",
            ProblemKind::Reordered => "reordered",
        }
    }
}

/// A run's folder as it stands on disk.
#[derive(Debug, Clone)]
pub struct RunOnDisk {
    /// The spec.
    pub spec: SpecId,
    /// The run.
    pub run: RunId,
    /// Path of its folder, relative to the evidence root.
    pub folder: String,
    /// Bytes of the journal. Read before the files are listed, so that a live run shows no false alarm.
    pub journal: Option<Vec<u8>>,
    /// Bytes of the manifest.
    pub manifest: Option<Vec<u8>>,
    /// Every other file, by path relative to the folder.
    pub files: Vec<FileRef>,
    /// Names that are neither files nor folders (links, sockets).
    pub odd: Vec<String>,
}

/// A verdict in a spec's folder: somebody's record that a run decided it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedVerdict {
    /// The spec.
    pub spec: SpecId,
    /// Its file, relative to the repository.
    pub path: String,
    /// Hash of the file.
    pub sha256: Sha,
    /// Hash of the verdict.
    pub hash: Sha,
    /// Hashes of the answers that it was decided on.
    pub artifacts: Vec<Sha>,
}

/// What a run's folder shows of the verdicts that were decided in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The spec.
    pub spec: SpecId,
    /// The journal, relative to the evidence root.
    pub journal: String,
    /// Hashes of the verdicts that its records name; none where the journal cannot be read, which is said elsewhere.
    pub decided: Option<BTreeSet<Sha>>,
    /// Hashes of its files.
    pub files: BTreeSet<Sha>,
    /// Whether this run was asked for.
    pub is_wanted: bool,
}

impl Trace {
    /// Reads what a run's folder shows.
    pub fn of(run: &RunOnDisk, is_wanted: bool) -> Self {
        let bytes = run.journal.as_deref().unwrap_or_default();
        let chain = Chain::read(Head::of_run(&run.spec, &run.run), bytes);
        let records = chain.records::<Record>().ok().filter(|_| !matches!(chain.tail, Tail::Broken(_)));
        let decided = records.map(|records| {
            records
                .into_iter()
                .filter_map(
                    |(_, record)| {
                        if let Record::StageDecided { hash, .. } = record { Some(hash) } else { None }
                    },
                )
                .collect()
        });
        let files = run.files.iter().map(|file| file.sha256.clone()).collect();
        let journal = format!("{}/journal.jsonl", run.folder);
        Self { spec: run.spec.clone(), journal, decided, files, is_wanted }
    }

    /// Tells whether a verdict's own file, or all the answers that it was decided on, lie in the folder.
    fn holds(&self, published: &PublishedVerdict) -> bool {
        let has_answers = || published.artifacts.iter().all(|sha| self.files.contains(sha));
        self.files.contains(&published.sha256) || (!published.artifacts.is_empty() && has_answers())
    }
}

impl Verification {
    /// Holds a verdict in a spec's folder against the runs: the one that decided it must say so. Whole lines cut off
    /// a journal's end are found so, even where the manifest went with them.
    pub fn look_at_published(&mut self, published: &PublishedVerdict, traces: &[Trace]) {
        let traces: Vec<&Trace> = traces.iter().filter(|trace| trace.spec == published.spec).collect();
        if traces.iter().any(|trace| trace.decided.as_ref().is_some_and(|decided| decided.contains(&published.hash))) {
            return;
        }
        let holders: Vec<&Trace> = traces.into_iter().filter(|trace| trace.holds(published)).collect();
        if holders.is_empty() {
            self.notes.push(format!("{}: the run that decided it is not here", published.path));
        }
        for trace in holders.into_iter().filter(|trace| trace.is_wanted && trace.decided.is_some()) {
            let why = format!("{} was decided here, and no line says so: the end is gone", published.path);
            self.accuse(ProblemKind::Truncated, trace.journal.clone(), why);
        }
    }

    /// Adds a problem.
    pub fn accuse(&mut self, kind: ProblemKind, path: impl Into<String>, why: impl Into<String>) {
        self.ok = false;
        self.problems.push(Problem { kind, path: path.into(), why: why.into() });
    }

    /// Looks at one run.
    pub fn look_at_run(&mut self, run: &RunOnDisk) {
        self.runs += 1;
        self.files += run.files.len() as u64 + u64::from(run.journal.is_some()) + u64::from(run.manifest.is_some());
        for name in &run.odd {
            self.accuse(ProblemKind::Alien, format!("{}/{name}", run.folder), "neither a file nor a folder");
        }
        let journal = format!("{}/journal.jsonl", run.folder);
        let Some(bytes) = &run.journal else {
            // The journal is the first file of a run; a crash may leave its temporary file.
            if run.manifest.is_none() && run.files.iter().all(|file| file.path.ends_with(TEMPORARY)) {
                self.notes.push(format!("{}: an empty run", run.folder));
            } else {
                self.accuse(ProblemKind::Missing, journal, "a run with files has a journal");
            }
            return;
        };
        let chain = Chain::read(Head::of_run(&run.spec, &run.run), bytes);
        self.look_at_tail(&journal, &chain.tail);
        let named = self.look_at_manifest(run, &chain);
        let records = match chain.records::<Record>() {
            Ok(records) => records,
            Err((seq, why)) => {
                let why =
                    format!("{journal}: entry {seq} is not known to this version, files were not compared: {why}");
                self.notes.push(why);
                return;
            }
        };
        let is_closed = closed(records.iter().map(|(_, record)| record)).is_some();
        if is_closed && run.manifest.is_none() {
            self.notes.push(format!("{}: closed without a manifest (it ended before it was written)", run.folder));
        }
        let recorded = records.iter().flat_map(|(_, record)| record.files()).collect::<Vec<_>>();
        self.look_at_files(run, &recorded, &named, is_closed && chain.tail == Tail::Whole);
    }

    /// Looks at the ledger of a spec.
    pub fn look_at_ledger(&mut self, spec: &SpecId, path: &str, bytes: &[u8]) {
        self.files += 1;
        self.look_at_tail(path, &Chain::read(Head::of_ledger(spec), bytes).tail);
    }

    fn look_at_tail(&mut self, path: &str, tail: &Tail) {
        match tail {
            Tail::Whole => {}
            Tail::Torn { bytes } => self.notes.push(format!("{path}: a torn last line of {bytes} bytes, not counted")),
            Tail::Broken(breaks) => {
                for found in breaks {
                    let kind = match found.kind {
                        BreakKind::Altered => ProblemKind::Altered,
                        BreakKind::Missing => ProblemKind::Missing,
                        BreakKind::Reordered => ProblemKind::Reordered,
                    };
                    self.accuse(kind, path, format!("line {}: {}", found.line, found.why));
                }
            }
        }
    }

    /// Checks the manifest against the journal and returns the files that it names.
    fn look_at_manifest(&mut self, run: &RunOnDisk, chain: &Chain) -> Vec<FileRef> {
        let Some(bytes) = &run.manifest else { return Vec::new() };
        let path = format!("{}/manifest.json", run.folder);
        let manifest = match serde_json::from_slice::<Manifest>(bytes) {
            Ok(manifest) if manifest.spec == run.spec && manifest.run == run.run => manifest,
            Ok(_) => {
                self.accuse(ProblemKind::Altered, path, "it belongs to another run");
                return Vec::new();
            }
            Err(e) => {
                self.accuse(ProblemKind::Altered, path, format!("it cannot be read: {e}"));
                return Vec::new();
            }
        };
        let journal = format!("{}/journal.jsonl", run.folder);
        match manifest.journal.stands_in(chain) {
            Ok(()) => {}
            // The lines are there but do not hold: that was said already.
            Err(Gone::Cut) if matches!(chain.tail, Tail::Broken(_)) => {}
            Err(Gone::Cut) => {
                let why = format!(
                    "the manifest knows entry {}, the last one here is {}",
                    manifest.journal.seq, chain.head.seq
                );
                self.accuse(ProblemKind::Truncated, journal, why);
            }
            Err(Gone::Replaced) => {
                let why = format!("the manifest knows entry {} by another hash", manifest.journal.seq);
                self.accuse(ProblemKind::Altered, journal, why);
            }
        }
        manifest.files
    }

    fn look_at_files(&mut self, run: &RunOnDisk, recorded: &[&FileRef], named: &[FileRef], is_closed: bool) {
        let present: BTreeMap<&str, &FileRef> = run.files.iter().map(|f| (f.path.as_str(), f)).collect();
        let mut wanted: BTreeMap<&str, &FileRef> = BTreeMap::new();
        for file in recorded.iter().copied().chain(named) {
            let path = format!("{}/{}", run.folder, file.path);
            let first = *wanted.entry(&file.path).or_insert(file);
            if first != file {
                self.accuse(ProblemKind::Altered, path, "the journal or the manifest names it with two hashes");
            }
        }
        for (name, file) in &wanted {
            let path = format!("{}/{name}", run.folder);
            match present.get(name) {
                None => self.accuse(ProblemKind::Missing, path, "recorded and not there"),
                Some(found) if found.bytes < file.bytes => {
                    let why = format!("{} bytes of {} are left", found.bytes, file.bytes);
                    self.accuse(ProblemKind::Truncated, path, why);
                }
                Some(found) if found.sha256 != file.sha256 => {
                    self.accuse(ProblemKind::Altered, path, format!("recorded with sha256 {}", file.sha256));
                }
                Some(_) => {}
            }
        }
        for file in run.files.iter().filter(|f| !wanted.contains_key(f.path.as_str())) {
            let path = format!("{}/{}", run.folder, file.path);
            if file.path.ends_with(TEMPORARY) {
                self.notes.push(format!("{path}: left by a write that was cut off"));
            } else if let Some(name) = file.path.strip_prefix(LATE) {
                self.look_at_late(path, name, file);
            } else if is_closed {
                self.accuse(ProblemKind::Alien, path, "no record names it");
            } else {
                self.notes.push(format!(
                    "{path}: unrecorded (the run is not closed; its record may not have become durable)"
                ));
            }
        }
    }

    fn look_at_late(&mut self, path: String, name: &str, file: &FileRef) {
        match name.split_once('-') {
            Some((sha, rest)) if sha == file.sha256.as_str() => {
                if rest == TORN {
                    self.notes.push(format!("{path}: a torn last line of the journal was cut, {} bytes", file.bytes));
                }
            }
            Some((sha, _)) if sha.len() == 64 => {
                self.accuse(ProblemKind::Altered, path, "its name bears another sha256")
            }
            Some(_) | None => self.accuse(ProblemKind::Alien, path, "a late file bears its sha256 in its name"),
        }
    }
}
