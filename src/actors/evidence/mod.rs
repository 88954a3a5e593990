//! The evidence actor: journals, the files that they name, ledgers, published documents, locks.
//!
//! Whatever it answers `Ok` to is durable. Everything that is written for a spec goes through that spec's clerk, in
//! order, many commits with one sync; a slow disk or a held lock stalls that spec and nothing else.
//!
//! It must not know what a record means beyond the files that it names, nor the screen or the brain.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{MAILBOX, Promise, Reply, Scope, Waker, post};
use crate::disk::Store;
use crate::disk::lock::Note;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::anchor::{AnchoredHead, Anchors};
use crate::domain::journal::base::Base;
use crate::domain::journal::sizes::Sizes;
use crate::domain::journal::summary::RunSummary;
use crate::domain::journal::tombstone::{Fate, Tombstone};
use crate::domain::journal::verification::{PublishedVerdict, Verification};
use crate::domain::journal::{FileRef, Record};
use crate::domain::merge::{Aside, Merge};
use crate::domain::moment::Moment;
use crate::domain::redact::Redactor;

mod book;
mod bundle;
mod clerk;
mod inspect;
mod pack;
mod publish;
mod shelf;
#[cfg(test)]
mod tests;
mod vault;

use clerk::{Desk, Job};
use vault::Vault;
pub(crate) use vault::{GITIGNORE, backup_of};

/// Name of the actor in failures.
const NAME: &str = "evidence";

/// Jobs on the blocking pool at once: enough for the specs that one person runs, far below the pool's size, which
/// other things need as well.
const AT_ONCE: usize = 8;

/// How the evidence is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The evidence root, relative to the repository or absolute.
    pub root: PathBuf,
    /// How long a write waits for another process that writes for the same spec.
    pub lock_timeout: Duration,
    /// What is taken out of everything that is written.
    pub redactor: Redactor,
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Path relative to the run's folder, with `/`.
    pub path: String,
    /// Its text; secrets are taken out before it is hashed and written.
    pub bytes: Arc<str>,
}

/// Files and the records that name them, to become durable together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// The spec.
    pub spec: SpecId,
    /// The run, which must be open here.
    pub run: RunId,
    /// When it happened.
    pub at: Moment,
    /// Files, written first.
    pub files: Vec<NewFile>,
    /// Records. Each file that they name is in `files` (by the same path) or was committed before; its hash, and the
    /// name if that was taken, are corrected to what was written.
    pub records: Vec<Record>,
}

/// What opening a run found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its records; none for a new run.
    pub records: Vec<(Moment, Record)>,
    /// Bytes of a torn last line that was cut (they are kept under `late/`).
    pub cut_bytes: u64,
    /// Files whose record never became durable, now under `late/`.
    pub set_aside: Vec<FileRef>,
}

/// A run's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    /// The run.
    pub run: RunId,
    /// What happened, in order.
    pub entries: Vec<(Moment, Record)>,
}

/// A journal that is longer than it was known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grown {
    /// How long it is, in bytes; it may be longer by what was added since.
    pub bytes: u64,
    /// What happened, in order.
    pub records: Vec<(Moment, Record)>,
}

/// A document of the repository to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Path relative to the repository, with `/`.
    pub path: String,
    /// Its text.
    pub bytes: Arc<str>,
    /// Hashes of versions that are ours to replace: those published before, and the one that the caller has seen and
    /// means to replace. A file with any other content was edited by hand and is left alone.
    pub ours: Vec<Sha>,
    /// What becomes of such a file.
    pub edited: Edited,
    /// What was published there before, newest first: what a hand began with is merged with.
    pub bases: Vec<Base>,
}

/// What becomes of a file that stands where a document is to be written, and is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edited {
    /// Ours is merged into it; where that cannot be, it keeps its name and ours goes beside it.
    Stays,
    /// It goes beside, and ours takes the name.
    GivesWay,
}

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PublishReport {
    /// Documents that now have the given content.
    pub written: Vec<FileRef>,
    /// Documents that a hand had edited, and that ours was merged into.
    pub merged: Vec<Merge>,
    /// Documents that a hand had edited: they are as they were, and ours is beside them.
    pub kept_aside: Vec<Aside>,
    /// Files that were not ours and made way: at this path beside the document that took their name.
    pub gave_way: Vec<FileRef>,
}

/// A run that was taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The spec.
    pub spec: SpecId,
    /// The run.
    pub run: RunId,
    /// What became of it.
    pub fate: Fate,
    /// How many files it had.
    pub files: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Its archive, by path from the evidence root.
    pub archive: Option<FileRef>,
    /// What stands in its place: every file with its hash, by path from the evidence root.
    pub tombstone: String,
}

/// Which runs to verify.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// Only this spec's.
    pub spec: Option<SpecId>,
    /// Only this run.
    pub run: Option<RunId>,
    /// The verdicts in the specs' folders, which runs must account for.
    pub published: Vec<PublishedVerdict>,
    /// The heads of chains that git notes know.
    pub anchors: Anchors,
}

/// Asks the evidence actor; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    mailbox: mpsc::Sender<Command>,
    waker: Waker,
}

impl Handle {
    /// Opens a run (a new or an existing one) and holds the spec's run lock until [`Handle::close_run`] or the end of
    /// the actor. Refused at once with [`Failure::LockHeld`] while anybody else holds it, with [`Failure::BadReply`]
    /// when the journal was altered. `wall` goes into the lock's note.
    pub fn open_run(&self, spec: SpecId, run: RunId, wall: Moment, token: CancellationToken) -> Reply<Opened> {
        self.post(|promise| Command::Write(spec, Job::Open { run, wall, token, promise }))
    }

    /// Writes files, then the records that name them; answers when all is durable, with what was written, in the order
    /// of `files`. Commits of a spec keep their order. A cancelled token stops one that has not begun.
    pub fn commit(&self, commit: Commit, token: CancellationToken) -> Reply<Vec<FileRef>> {
        self.post(|promise| Command::Write(commit.spec.clone(), Job::Commit { commit, token, promise }))
    }

    /// Gives the run lock back; a run with a `run_closed` record gets its manifest first.
    pub fn close_run(&self, spec: SpecId, run: RunId) -> Reply<()> {
        self.post(|promise| Command::Write(spec, Job::Close { run, promise }))
    }

    /// Keeps a late or foreign reply under the run's `late/`, by its hash; no record names it.
    pub fn late(&self, spec: SpecId, run: RunId, file: NewFile, token: CancellationToken) -> Reply<FileRef> {
        self.post(|promise| Command::Write(spec, Job::Late { run, file, token, promise }))
    }

    /// Keeps what a command of the project wrote under `commands/<spec>/`; returns its path below the evidence root. No
    /// record names it: the report that does is in the run.
    pub fn keep_output(&self, spec: SpecId, at: Moment, file: NewFile, token: CancellationToken) -> Reply<String> {
        self.post(|promise| Command::Write(spec, Job::Output { at, file, token, promise }))
    }

    /// Appends to the spec's ledger: JSON objects with a `type`.
    pub fn append_ledger(&self, spec: SpecId, at: Moment, records: Vec<Value>, token: CancellationToken) -> Reply<()> {
        self.post(|promise| Command::Write(spec, Job::Ledger { at, records, token, promise }))
    }

    /// Writes documents of the repository, each in one step, never over a hand's edit that is not in it.
    pub fn publish(
        &self,
        spec: SpecId,
        at: Moment,
        documents: Vec<Document>,
        token: CancellationToken,
    ) -> Reply<PublishReport> {
        self.post(|promise| Command::Write(spec, Job::Publish { at, documents, token, promise }))
    }

    /// Reads a recorded file and checks its hash; [`Failure::BadReply`] when it was altered.
    pub fn read(&self, spec: SpecId, run: RunId, file: FileRef, token: CancellationToken) -> Reply<Arc<str>> {
        self.post(|promise| Command::Read { spec, run, file, token, promise })
    }

    /// Reads a run's records; [`Failure::BadReply`] when the journal was altered.
    pub fn records(&self, spec: SpecId, run: RunId, token: CancellationToken) -> Reply<Vec<(Moment, Record)>> {
        self.post(|promise| Command::Records { spec, run, token, promise })
    }

    /// Reads a run's records, as [`Handle::records`]; `None`, and nothing is read, if its journal is `known` bytes long.
    pub fn records_beyond(
        &self,
        spec: SpecId,
        run: RunId,
        known: Option<u64>,
        token: CancellationToken,
    ) -> Reply<Option<Grown>> {
        self.post(|promise| Command::RecordsBeyond { spec, run, known, token, promise })
    }

    /// Lists the runs of one spec or of all, newest first.
    pub fn runs(&self, spec: Option<SpecId>, token: CancellationToken) -> Reply<Vec<RunSummary>> {
        self.post(|promise| Command::Runs { spec, token, promise })
    }

    /// Returns the newest run of a spec that is not closed and has a record.
    pub fn latest_open(&self, spec: SpecId, token: CancellationToken) -> Reply<Option<Journal>> {
        self.post(|promise| Command::LatestOpen { spec, token, promise })
    }

    /// Reads the spec's ledger.
    pub fn read_ledger(&self, spec: SpecId, token: CancellationToken) -> Reply<Vec<(Moment, Value)>> {
        self.post(|promise| Command::ReadLedger { spec, token, promise })
    }

    /// Returns who runs the spec now, as the run lock's note says; `None` when nobody that is known to live.
    pub fn owner(&self, spec: SpecId, token: CancellationToken) -> Reply<Option<Note>> {
        self.post(|promise| Command::Owner { spec, token, promise })
    }

    /// Compares what stands on disk with what was recorded.
    pub fn verify(&self, filter: Filter, token: CancellationToken) -> Reply<Verification> {
        self.post(|promise| Command::Verify { filter, token, promise })
    }

    /// Takes a closed run away, into one file or for good, and leaves a tombstone. Refused with
    /// [`Failure::LockHeld`] while the spec is run, and (exit 64) when the run is not closed or does not verify.
    pub fn remove(&self, spec: SpecId, run: RunId, fate: Fate, at: Moment, token: CancellationToken) -> Reply<Removal> {
        self.post(|promise| Command::Write(spec, Job::Remove { run, fate, at, token, promise }))
    }

    /// Returns what is kept of the runs that were archived or purged.
    pub fn tombstones(&self, token: CancellationToken) -> Reply<Vec<Tombstone>> {
        self.post(|promise| Command::Tombstones { token, promise })
    }

    /// Returns a run and its spec's ledger as one file.
    pub fn bundle(&self, spec: SpecId, run: RunId, token: CancellationToken) -> Reply<Vec<u8>> {
        self.post(|promise| Command::Bundle { spec, run, token, promise })
    }

    /// Verifies one file that [`Handle::bundle`] returned; nothing on disk is looked at.
    pub fn verify_bundle(&self, bytes: Vec<u8>, token: CancellationToken) -> Reply<Verification> {
        self.post(|promise| Command::VerifyBundle { bytes, token, promise })
    }

    /// Returns where each chain of one spec or of all ends.
    pub fn heads(&self, spec: Option<SpecId>, token: CancellationToken) -> Reply<Vec<AnchoredHead>> {
        self.post(|promise| Command::Heads { spec, token, promise })
    }

    /// Counts files and bytes of one spec or of all.
    pub fn sizes(&self, spec: Option<SpecId>, token: CancellationToken) -> Reply<Sizes> {
        self.post(|promise| Command::Sizes { spec, token, promise })
    }

    fn post<T>(&self, command: impl FnOnce(Promise<T>) -> Command) -> Reply<T> {
        post(NAME, &self.mailbox, &self.waker, command)
    }
}

/// What is asked. Whatever writes goes to the spec's clerk.
#[derive(Debug)]
enum Command {
    Write(SpecId, Job),
    Read {
        spec: SpecId,
        run: RunId,
        file: FileRef,
        token: CancellationToken,
        promise: Promise<Arc<str>>,
    },
    Records {
        spec: SpecId,
        run: RunId,
        token: CancellationToken,
        promise: Promise<Vec<(Moment, Record)>>,
    },
    RecordsBeyond {
        spec: SpecId,
        run: RunId,
        known: Option<u64>,
        token: CancellationToken,
        promise: Promise<Option<Grown>>,
    },
    Runs {
        spec: Option<SpecId>,
        token: CancellationToken,
        promise: Promise<Vec<RunSummary>>,
    },
    LatestOpen {
        spec: SpecId,
        token: CancellationToken,
        promise: Promise<Option<Journal>>,
    },
    ReadLedger {
        spec: SpecId,
        token: CancellationToken,
        promise: Promise<Vec<(Moment, Value)>>,
    },
    Owner {
        spec: SpecId,
        token: CancellationToken,
        promise: Promise<Option<Note>>,
    },
    Verify {
        filter: Filter,
        token: CancellationToken,
        promise: Promise<Verification>,
    },
    Tombstones {
        token: CancellationToken,
        promise: Promise<Vec<Tombstone>>,
    },
    Bundle {
        spec: SpecId,
        run: RunId,
        token: CancellationToken,
        promise: Promise<Vec<u8>>,
    },
    VerifyBundle {
        bytes: Vec<u8>,
        token: CancellationToken,
        promise: Promise<Verification>,
    },
    Heads {
        spec: Option<SpecId>,
        token: CancellationToken,
        promise: Promise<Vec<AnchoredHead>>,
    },
    Sizes {
        spec: Option<SpecId>,
        token: CancellationToken,
        promise: Promise<Sizes>,
    },
}

/// Starts the actor over the files of a repository.
pub fn spawn(scope: &Scope, repository: Store, settings: Settings) -> Handle {
    let (sender, mailbox) = mpsc::channel(MAILBOX);
    let desk = Desk {
        scope: scope.clone(),
        vault: Arc::new(Vault::new(repository, &settings.root, settings.redactor)),
        permits: Arc::new(Semaphore::new(AT_ONCE)),
        lock_timeout: settings.lock_timeout,
    };
    scope.spawn(run(desk, mailbox));
    Handle { mailbox: sender, waker: scope.waker().clone() }
}

async fn run(desk: Desk, mut mailbox: mpsc::Receiver<Command>) {
    let mut clerks = BTreeMap::new();
    loop {
        let command = tokio::select! {
            biased;
            command = mailbox.recv() => command,
            // What is in the mailbox is still answered: then `recv` returns `None`.
            () = desk.scope.cancel.cancelled(), if !mailbox.is_closed() => {
                mailbox.close();
                continue;
            }
        };
        match command {
            Some(command) => dispatch(&desk, &mut clerks, command),
            // The clerks finish what is queued when their queues close, and give their locks back.
            None => return,
        }
    }
}

fn dispatch(desk: &Desk, clerks: &mut BTreeMap<SpecId, mpsc::Sender<Job>>, command: Command) {
    match command {
        Command::Write(spec, job) => {
            let queue = clerks.entry(spec).or_insert_with_key(|spec| clerk::hire(desk, spec.clone()));
            match queue.try_send(job) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(job)) => job.refuse(&Failure::Busy { actor: NAME.into() }),
                Err(mpsc::error::TrySendError::Closed(job)) => job.refuse(&Failure::ActorGone { actor: NAME.into() }),
            }
        }
        Command::Read { spec, run, file, token, promise } => {
            desk.look(token, promise, move |vault| vault.read(&spec, &run, &file));
        }
        Command::Records { spec, run, token, promise } => {
            desk.look(token, promise, move |vault| vault.records(&spec, &run));
        }
        Command::RecordsBeyond { spec, run, known, token, promise } => {
            desk.look(token, promise, move |vault| vault.records_beyond(&spec, &run, known));
        }
        Command::Runs { spec, token, promise } => {
            desk.look(token, promise, move |vault| vault.runs(spec.as_ref()));
        }
        Command::LatestOpen { spec, token, promise } => {
            desk.look(token, promise, move |vault| vault.latest_open(&spec));
        }
        Command::ReadLedger { spec, token, promise } => {
            desk.look(token, promise, move |vault| vault.read_ledger(&spec));
        }
        Command::Owner { spec, token, promise } => desk.look(token, promise, move |vault| vault.owner(&spec)),
        Command::Verify { filter, token, promise } => {
            desk.look(token, promise, move |vault| inspect::verify(vault, &filter));
        }
        Command::Tombstones { token, promise } => desk.look(token, promise, shelf::tombstones),
        Command::Bundle { spec, run, token, promise } => {
            desk.look(token, promise, move |vault| shelf::bundle(vault, &spec, &run));
        }
        Command::VerifyBundle { bytes, token, promise } => {
            desk.look(token, promise, move |_| bundle::verify(&bytes));
        }
        Command::Heads { spec, token, promise } => {
            desk.look(token, promise, move |vault| shelf::heads(vault, spec.as_ref()));
        }
        Command::Sizes { spec, token, promise } => {
            desk.look(token, promise, move |vault| shelf::sizes(vault, spec.as_ref()));
        }
    }
}
