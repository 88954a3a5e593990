//! One clerk per spec: does everything that writes for it, in order, off the async threads.
//!
//! It must not know how a journal or a document is written.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::book::Book;
use super::vault::Vault;
use super::{Commit, Document, MAILBOX, NAME, NewFile, Opened, Promise, PublishReport, Removal, Scope, publish, shelf};
use crate::disk::lock::{Attempt, Guard, Note, pauses};
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::FileRef;
use crate::domain::journal::tombstone::Fate;
use crate::domain::moment::Moment;

/// Most commits that share one sync: beyond it, the first of them would wait for no gain.
const GROUP: usize = 64;

/// What the actor's tasks share.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) scope: Scope,
    pub(super) vault: Arc<Vault>,
    pub(super) permits: Arc<Semaphore>,
    pub(super) lock_timeout: Duration,
}

/// Something to write for one spec.
#[derive(Debug)]
pub(super) enum Job {
    Open { run: RunId, wall: Moment, token: CancellationToken, promise: Promise<Opened> },
    Commit { commit: Commit, token: CancellationToken, promise: Promise<Vec<FileRef>> },
    Close { run: RunId, promise: Promise<()> },
    Late { run: RunId, file: NewFile, token: CancellationToken, promise: Promise<FileRef> },
    Output { at: Moment, file: NewFile, token: CancellationToken, promise: Promise<String> },
    Ledger { at: Moment, records: Vec<Value>, token: CancellationToken, promise: Promise<()> },
    Publish { at: Moment, documents: Vec<Document>, token: CancellationToken, promise: Promise<PublishReport> },
    Remove { run: RunId, fate: Fate, at: Moment, token: CancellationToken, promise: Promise<Removal> },
}

impl Job {
    /// Answers with a failure.
    pub(super) fn refuse(self, failure: &Failure) {
        let failure = failure.clone();
        match self {
            Job::Open { promise, .. } => promise.keep(Err(failure)),
            Job::Commit { promise, .. } => promise.keep(Err(failure)),
            Job::Close { promise, .. } => promise.keep(Err(failure)),
            Job::Late { promise, .. } => promise.keep(Err(failure)),
            Job::Output { promise, .. } => promise.keep(Err(failure)),
            Job::Ledger { promise, .. } => promise.keep(Err(failure)),
            Job::Publish { promise, .. } => promise.keep(Err(failure)),
            Job::Remove { promise, .. } => promise.keep(Err(failure)),
        }
    }

    fn is_cancelled(&self) -> bool {
        match self {
            Job::Open { token, .. }
            | Job::Commit { token, .. }
            | Job::Late { token, .. }
            | Job::Output { token, .. }
            | Job::Ledger { token, .. }
            | Job::Publish { token, .. }
            | Job::Remove { token, .. } => token.is_cancelled(),
            Job::Close { .. } => false,
        }
    }
}

impl Desk {
    /// Answers from what stands on disk, or `Cancelled`.
    pub(super) fn look<T: Send + 'static>(
        &self,
        token: CancellationToken,
        promise: Promise<T>,
        work: impl FnOnce(&Vault) -> Result<T, Failure> + Send + 'static,
    ) {
        let desk = self.clone();
        self.scope.answer(token, promise, async move { desk.off_thread(work).await });
    }

    /// Runs blocking work, few at once. Work that panicked is an actor gone.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let gone = || Failure::ActorGone { actor: NAME.into() };
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| gone())?;
        let vault = Arc::clone(&self.vault);
        let work = self.scope.spawn_blocking(move || {
            let outcome = work(&vault);
            drop(permit);
            outcome
        });
        work.await.map_err(|_| gone())?
    }

    /// Takes the lock under which a spec is written, or gives up at the deadline or when `unwanted` resolves.
    async fn lock(&self, spec: &SpecId, at: Moment, unwanted: impl Future<Output = ()>) -> Result<Guard, Failure> {
        let deadline = tokio::time::Instant::now() + self.lock_timeout;
        let mut unwanted = std::pin::pin!(unwanted);
        let mut pauses = pauses();
        loop {
            let (vault, name) = (Arc::clone(&self.vault), spec.clone());
            // Without a permit: one short look, which must not queue behind stalled writes.
            let attempt = self.scope.spawn_blocking(move || vault.try_lock(&name, &Note::of_this_process(at)));
            let attempt = tokio::select! {
                biased;
                attempt = attempt => attempt.map_err(|_| Failure::ActorGone { actor: NAME.into() })??,
                () = &mut unwanted => return Err(Failure::Cancelled),
            };
            let owner = match attempt {
                Attempt::Taken(guard) => return Ok(guard),
                Attempt::Held(owner) => owner,
            };
            let pause = pauses.next().unwrap_or_default();
            if tokio::time::Instant::now() + pause > deadline {
                return Err(Failure::LockHeld { what: format!("the evidence of {spec}"), owner });
            }
            tokio::select! {
                biased;
                () = &mut unwanted => return Err(Failure::Cancelled),
                () = self.scope.cancel.cancelled() => return Err(Failure::Cancelled),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }
}

/// Starts the clerk of a spec.
pub(super) fn hire(desk: &Desk, spec: SpecId) -> mpsc::Sender<Job> {
    let (sender, queue) = mpsc::channel(MAILBOX);
    let clerk = Clerk { desk: desk.clone(), spec, book: None };
    desk.scope.spawn(clerk.work(queue));
    sender
}

#[derive(Debug)]
struct Clerk {
    desk: Desk,
    spec: SpecId,
    /// The run that is open here, with its lock.
    book: Option<Book>,
}

type Part = (Commit, CancellationToken, Promise<Vec<FileRef>>);
type LedgerPart = ((Moment, Vec<Value>), CancellationToken, Promise<()>);

impl Clerk {
    async fn work(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut read_ahead = None;
        loop {
            let job = match read_ahead.take() {
                Some(job) => job,
                None => match queue.recv().await {
                    Some(job) => job,
                    None => return,
                },
            };
            if job.is_cancelled() {
                job.refuse(&Failure::Cancelled);
                continue;
            }
            match job {
                Job::Commit { commit, token, promise } => {
                    let mut group = vec![(commit, token, promise)];
                    while group.len() < GROUP && read_ahead.is_none() {
                        match queue.try_recv() {
                            Ok(Job::Commit { commit, token, promise }) => group.push((commit, token, promise)),
                            Ok(other) => read_ahead = Some(other),
                            Err(_) => break,
                        }
                    }
                    self.commit(group).await;
                }
                Job::Open { run, wall, promise, .. } => promise.keep(self.open(run, wall).await),
                Job::Close { run, promise } => promise.keep(self.close(run).await),
                Job::Late { run, file, promise, .. } => {
                    let spec = self.spec.clone();
                    promise.keep(self.desk.off_thread(move |vault| vault.keep_late(&spec, &run, &file)).await);
                }
                Job::Output { at, file, token, promise } => {
                    let spec = self.spec.clone();
                    promise.keep(self.locked(at, token, move |vault| vault.keep_output(&spec, at, &file)).await);
                }
                Job::Ledger { at, records, token, promise } => {
                    let mut group = vec![((at, records), token, promise)];
                    while group.len() < GROUP && read_ahead.is_none() {
                        match queue.try_recv() {
                            Ok(Job::Ledger { at, records, token, promise }) => {
                                group.push(((at, records), token, promise));
                            }
                            Ok(other) => read_ahead = Some(other),
                            Err(_) => break,
                        }
                    }
                    self.append_ledger(group).await;
                }
                Job::Publish { at, documents, token, promise } => {
                    let spec = self.spec.clone();
                    let publish = move |vault: &Vault| publish::publish(vault, &spec, &documents);
                    promise.keep(self.locked(at, token, publish).await);
                }
                Job::Remove { run, fate, at, token, promise } => {
                    let spec = self.spec.clone();
                    let note = Note::of_this_process(at);
                    let remove = move |vault: &Vault| shelf::remove(vault, &spec, &run, fate, &note);
                    promise.keep(self.locked(at, token, remove).await);
                }
            }
        }
    }

    async fn locked<T: Send + 'static>(
        &self,
        at: Moment,
        token: CancellationToken,
        work: impl FnOnce(&Vault) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let guard = self.desk.lock(&self.spec, at, token.cancelled()).await?;
        self.desk
            .off_thread(move |vault| {
                let outcome = work(vault);
                drop(guard);
                outcome
            })
            .await
    }

    async fn open(&mut self, run: RunId, wall: Moment) -> Result<Opened, Failure> {
        if let Some(book) = &self.book
            && book.run() == &run
        {
            let spec = self.spec.clone();
            let records = self.desk.off_thread(move |vault| vault.records(&spec, &run)).await?;
            return Ok(Opened { records, cut_bytes: 0, set_aside: Vec::new() });
        }
        let spec = self.spec.clone();
        let open = move |vault: &Vault| Book::open(vault, spec, run, &Note::of_this_process(wall));
        let (book, opened) = self.desk.off_thread(open).await?;
        self.book = Some(book);
        Ok(opened)
    }

    async fn close(&mut self, run: RunId) -> Result<(), Failure> {
        let book = self.book.take_if(|book| *book.run() == run).ok_or_else(|| not_open(&run))?;
        self.desk.off_thread(move |vault| book.close(vault)).await
    }

    /// Appends what is still wanted of a group to the ledger under one lock, with one sync.
    async fn append_ledger(&self, group: Vec<LedgerPart>) {
        let group = still_wanted(group);
        let Some(at) = group.last().map(|((at, _), ..)| *at) else { return };
        let guard = match self.desk.lock(&self.spec, at, nobody_waits(&group)).await {
            Ok(guard) => guard,
            Err(failure) => return refuse(group, &failure),
        };
        let (parts, promises): (Vec<(Moment, Vec<Value>)>, Vec<_>) =
            group.into_iter().map(|(part, _, promise)| (part, promise)).unzip();
        let spec = self.spec.clone();
        let written = self
            .desk
            .off_thread(move |vault| {
                let outcomes = vault.append_ledger(&spec, &parts);
                drop(guard);
                Ok(outcomes)
            })
            .await;
        // After a panic the dropped promises say so.
        for (promise, outcome) in promises.into_iter().zip(written.into_iter().flatten()) {
            promise.keep(outcome);
        }
    }

    /// Writes what is still wanted of a group under one lock, with one sync.
    async fn commit(&mut self, group: Vec<Part>) {
        let is_open = |part: &Part| self.book.as_ref().is_some_and(|book| *book.run() == part.0.run);
        let (group, foreign): (Vec<Part>, Vec<Part>) = group.into_iter().partition(is_open);
        for (commit, _, promise) in foreign {
            promise.keep(Err(not_open(&commit.run)));
        }
        let group = still_wanted(group);
        let Some(at) = group.last().map(|part| part.0.at) else { return };
        let guard = match self.desk.lock(&self.spec, at, nobody_waits(&group)).await {
            Ok(guard) => guard,
            Err(failure) => return refuse(group, &failure),
        };
        let Some(mut book) = self.book.take() else { return };
        let (commits, promises): (Vec<Commit>, Vec<_>) = group.into_iter().map(|(c, _, promise)| (c, promise)).unzip();
        let written = self
            .desk
            .off_thread(move |vault| {
                let outcomes = book.write(vault, commits);
                drop(guard);
                Ok((book, outcomes))
            })
            .await;
        // After a panic the book and its lock are gone; the dropped promises say so.
        if let Ok((book, outcomes)) = written {
            self.book = Some(book);
            for (promise, outcome) in promises.into_iter().zip(outcomes) {
                promise.keep(outcome);
            }
        }
    }
}

/// Answers those that nobody waits for, and returns the others.
fn still_wanted<W, T: Send + 'static>(
    group: Vec<(W, CancellationToken, Promise<T>)>,
) -> Vec<(W, CancellationToken, Promise<T>)> {
    let (unwanted, wanted) = group.into_iter().partition(|part| part.1.is_cancelled());
    refuse(unwanted, &Failure::Cancelled);
    wanted
}

/// Resolves when nobody waits for any of a group any more.
fn nobody_waits<W, T>(group: &[(W, CancellationToken, Promise<T>)]) -> impl Future<Output = ()> + use<W, T> {
    let tokens: Vec<CancellationToken> = group.iter().map(|part| part.1.clone()).collect();
    async move {
        for token in &tokens {
            token.cancelled().await;
        }
    }
}

fn refuse<W, T: Send + 'static>(group: Vec<(W, CancellationToken, Promise<T>)>, failure: &Failure) {
    for (_, _, promise) in group {
        promise.keep(Err(failure.clone()));
    }
}

fn not_open(run: &RunId) -> Failure {
    Failure::BadInput {
        place: format!("run {run}"),
        why: "it is not open in this process".into(),
        next: "run the command again".into(),
        exit: 3,
    }
}
