//! What memory does not have yet, on disk: one file an entry, in order, until a server has it for certain.
//!
//! An entry is written here before any server is asked, and removed when it was read back: a kill in between loses
//! nothing, and because an entry is named after its content, storing it again doubles nothing. Several processes may
//! write; who copies holds the lock. It must not know servers.

use std::path::Path;

use crate::disk::lock::{Attempt, Note};
use crate::disk::store::Store;
use crate::domain::failure::{DiskError, Failure};
use crate::domain::hash::Sha;
use crate::domain::memory::Entry;
use crate::domain::moment::Moment;

/// The folder, in the repository.
const FOLDER: &str = ".dicast/spool";

/// The lock of who copies.
const LOCK: &str = ".dicast/spool/.lock";

/// Most bytes that wait: some thousand answers. Memory is a copy of the evidence, so that what does not fit is not lost.
pub(super) const BYTES_MAX: u64 = 64 << 20;

/// Largest file read back: an entry's content is at most an answer, written as JSON.
const FILE_MAX: u64 = 64 << 20;

/// Ends the names of files that hold no entry: kept to be looked at, never tried again.
const UNREADABLE: &str = ".unreadable";

/// The entries that wait; cheap to clone. All of it blocks.
#[derive(Debug, Clone)]
pub(super) struct Spool {
    store: Store,
}

/// One entry that waits: its file's name says when it came, how long it is, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waiting {
    name: String,
    bytes: u64,
    sha: String,
}

impl Spool {
    /// Makes the spool of the repository whose store this is. Nothing is written before something waits.
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// Returns what waits, the oldest first.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub(super) fn list(&self) -> Result<Vec<Waiting>, Failure> {
        Ok(self.store.list(FOLDER)?.into_iter().filter_map(|entry| Waiting::parse(&entry.name)).collect())
    }

    /// Adds entries durably, in order; one that waits already is not added again.
    ///
    /// # Errors
    /// [`Failure::Disk`]; also when they would be more than [`BYTES_MAX`]: then none of them is added.
    pub(super) fn add(&self, entries: &[Entry], at: Moment) -> Result<(), Failure> {
        let there = self.list()?;
        let mut files = Vec::new();
        for entry in entries {
            let text = serde_json::to_string(entry)
                .map_err(|error| Failure::BadReply { from: "the spool".into(), why: error.to_string() })?;
            let sha = short(entry);
            let is_known = |sha: &str| there.iter().any(|waiting| waiting.sha == sha);
            if !is_known(&sha) {
                files.push((format!("{:013}-{:03}-{}-{sha}.json", at.0, files.len(), text.len()), text));
            }
        }
        let bytes = there.iter().map(|waiting| waiting.bytes).chain(files.iter().map(|(_, text)| text.len() as u64));
        let bytes: u64 = bytes.sum();
        if bytes > BYTES_MAX {
            let why = format!("{bytes} bytes would wait, more than the {BYTES_MAX} that are kept for memory");
            return Err(Failure::Disk { what: "keeping copies for memory".into(), kind: DiskError::Full, why });
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.store.make_dirs(FOLDER)?;
        for (name, text) in files {
            self.store.stage(Path::new(FOLDER).join(name), text.as_bytes())?.land()?;
        }
        // Also for what was there: the process that wrote it may have been killed before it could.
        self.store.sync_dir(FOLDER)
    }

    /// Reads an entry; `None` when another process has stored it meanwhile. A file that holds no entry is set aside.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub(super) fn read(&self, waiting: &Waiting) -> Result<Option<Entry>, Failure> {
        let path = Path::new(FOLDER).join(&waiting.name);
        let Some(bytes) = self.store.read(&path, FILE_MAX)? else { return Ok(None) };
        match serde_json::from_slice::<Entry>(&bytes) {
            Ok(entry) if short(&entry) == waiting.sha => Ok(Some(entry)),
            Ok(_) | Err(_) => {
                tracing::warn!(name = waiting.name, "a file of the spool holds no entry: it is set aside");
                self.store.rename(&path, Path::new(FOLDER).join(format!("{}{UNREADABLE}", waiting.name)))?;
                Ok(None)
            }
        }
    }

    /// Removes an entry that memory has.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub(super) fn remove(&self, waiting: &Waiting) -> Result<(), Failure> {
        self.store.remove(Path::new(FOLDER).join(&waiting.name))
    }

    /// Tries once to become the one process that copies.
    ///
    /// # Errors
    /// [`Failure::Disk`].
    pub(super) fn try_lock(&self, now: Moment) -> Result<Attempt, Failure> {
        self.store.make_dirs(FOLDER)?;
        self.store.try_lock(LOCK, &Note::of_this_process(now))
    }
}

impl Waiting {
    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".json")?.split('-');
        let (_, _) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
        let (bytes, sha) = (parts.next()?.parse().ok()?, parts.next()?.to_owned());
        parts.next().is_none().then(|| Self { name: name.to_owned(), bytes, sha })
    }

    /// Tells whether it is this entry.
    pub(super) fn is(&self, entry: &Entry) -> bool {
        self.sha == short(entry)
    }
}

/// Names an entry in a file's name: half a hash is more than enough to tell some thousand apart.
fn short(entry: &Entry) -> String {
    Sha::of(&entry.key).as_str().chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::disk::twin::{Fault, Loss, Twin};

    fn entry(n: u32) -> Entry {
        Entry { key: format!("k/{n}"), content: format!("{{\"n\":{n}}}").into(), tags: vec!["spec:S".into()] }
    }

    fn all(spool: &Spool) -> Vec<Entry> {
        spool.list().unwrap().iter().filter_map(|waiting| spool.read(waiting).unwrap()).collect()
    }

    fn real() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::new(Store::real(folder.path()));
        (folder, spool)
    }

    #[test]
    fn entries_wait_in_order_once_each_until_they_are_removed() {
        let (_folder, spool) = real();
        assert_eq!(spool.list().unwrap(), []);
        spool.add(&[entry(2), entry(1)], Moment(5)).unwrap();
        spool.add(&[entry(1), entry(3)], Moment(6)).unwrap();
        assert_eq!(all(&spool), [entry(2), entry(1), entry(3)]);
        spool.remove(&spool.list().unwrap()[0]).unwrap();
        assert_eq!(all(&spool), [entry(1), entry(3)]);
    }

    #[test]
    fn more_than_the_limit_is_refused_as_a_whole_and_said() {
        let (_folder, spool) = real();
        spool.add(&[entry(1)], Moment(1)).unwrap();
        let huge = Entry { content: "x".repeat(usize::try_from(BYTES_MAX).unwrap()).into(), ..entry(2) };
        let failure = spool.add(&[entry(3), huge], Moment(2)).unwrap_err();
        assert!(failure.to_string().contains("67108864"), "{failure}");
        assert_eq!(all(&spool), [entry(1)]);
    }

    #[test]
    fn a_file_that_holds_no_entry_is_set_aside_and_stops_nobody() {
        let (folder, spool) = real();
        spool.add(&[entry(1), entry(2)], Moment(1)).unwrap();
        let name = spool.list().unwrap()[0].name.clone();
        Store::real(folder.path()).replace(Path::new(".dicast/spool").join(&name), b"{\"key\":").unwrap();
        assert_eq!(all(&spool), [entry(2)]);
        assert_eq!(spool.list().unwrap().len(), 1);
    }

    /// Adds three entries and removes the first; returns what is known to be durable then, and what was begun.
    fn script(twin: &Twin) -> (Vec<Entry>, Option<Failure>) {
        let spool = Spool::new(Store::new(Arc::new(twin.clone()), "/"));
        let mut kept = Vec::new();
        for n in 0..3 {
            if let Err(failure) = spool.add(&[entry(n)], Moment(u64::from(n))) {
                return (kept, Some(failure));
            }
            kept.push(entry(n));
        }
        let removed = spool.list().and_then(|all| spool.remove(&all[0]));
        kept.remove(0);
        (kept, removed.err())
    }

    #[test]
    fn whatever_a_crash_takes_an_entry_that_was_added_is_there_once_and_whole() {
        let whole = Twin::new();
        assert_eq!(script(&whole).1, None);
        for n in 1..=whole.operations() {
            for loss in Loss::ALL {
                let twin = Twin::new();
                twin.breaks(Fault::Dies(n));
                let (kept, failure) = script(&twin);
                assert!(failure.is_some(), "operation {n}");
                let found = all(&Spool::new(Store::new(Arc::new(twin.after(loss)), "/")));
                assert!(kept.iter().all(|entry| found.contains(entry)), "operation {n}, {loss:?}: {found:?}");
                let known: std::collections::BTreeSet<&str> = found.iter().map(|entry| entry.key.as_str()).collect();
                assert_eq!(known.len(), found.len(), "operation {n}, {loss:?}: {found:?}");
            }
        }
    }

    #[test]
    fn what_another_process_added_and_did_not_sync_is_made_durable_by_who_relies_on_it() {
        let whole = Twin::new();
        script(&whole);
        for n in 1..=whole.operations() {
            let twin = Twin::new();
            twin.breaks(Fault::Dies(n));
            script(&twin);
            let killed = twin.killed();
            let spool = Spool::new(Store::new(Arc::new(killed.clone()), "/"));
            spool.add(&[entry(2)], Moment(9)).unwrap();
            for loss in Loss::ALL {
                let found = all(&Spool::new(Store::new(Arc::new(killed.after(loss)), "/")));
                assert!(found.contains(&entry(2)), "operation {n}, {loss:?}");
            }
        }
    }
}
