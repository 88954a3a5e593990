//! From the spool to the server: in order, one at a time, each entry read back before it stops waiting.
//!
//! It must not know how a server is asked.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Desk;
use crate::disk::lock::{Attempt, Guard, pauses};
use crate::domain::failure::Failure;
use crate::domain::memory::{Entry, Status};
use crate::domain::safe::Safe;

/// How many entries in a row a server may refuse or lose before it is not asked for the others either.
const REFUSALS_MAX: u32 = 3;

/// What copying came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Entries of the caller that the server has for certain.
    pub stored: u32,
    /// Entries of the caller that wait.
    pub waiting: u32,
    /// Why they wait.
    pub why: Option<String>,
}

/// Why an entry, or everything, stopped.
enum Stopped {
    /// Nobody answers: the others would not fare better.
    All(Failure),
    /// This entry was refused or lost; another one may not be.
    One(Failure),
}

impl Desk {
    /// Keeps entries, and copies what waits.
    pub(super) async fn mirror(
        &self,
        entries: Vec<Entry>,
        patience: Duration,
        token: &CancellationToken,
    ) -> Result<Copied, Failure> {
        let entries: Vec<Entry> = entries.into_iter().map(|entry| entry.cleaned(&self.redactor)).collect();
        let (spool, at, ours) = (self.spool.clone(), (self.clock)(), entries.clone());
        self.blocking(move || spool.add(&entries, at)).await?;
        let why = match patience.is_zero() {
            true => Some(format!("{} is not ready", self.library.server)),
            false => self.copy(patience, token).await.err().map(|failure| failure.to_string()),
        };
        let spool = self.spool.clone();
        let counted = self.blocking(move || {
            let waiting = spool.list()?;
            Ok(ours.iter().map(|entry| waiting.iter().any(|waiting| waiting.is(entry))).collect::<Vec<bool>>())
        });
        let waits = counted.await?;
        self.note(|_| {}).await;
        Ok(copied(&waits, why))
    }

    /// Checks the server's tools, and copies what waits.
    pub(super) async fn drain(&self, patience: Duration, token: &CancellationToken) -> Result<Copied, Failure> {
        let begun = Instant::now();
        let before = self.note(|_| {}).await.waiting;
        if let Err(failure) = self.library.fit(patience).await {
            self.complain(&failure).await;
            return Err(failure);
        }
        self.note(|status| status.trouble = None).await;
        if before == 0 {
            return Ok(Copied::default());
        }
        let why = self.copy(patience.saturating_sub(begun.elapsed()), token).await.err();
        let after = self.note(|_| {}).await.waiting;
        let why = why.map(|failure| failure.to_string()).filter(|_| after > 0);
        Ok(Copied { stored: before.saturating_sub(after), waiting: after, why })
    }

    /// Copies what waits until nothing does, or the patience ends. What went wrong with the server is told.
    async fn copy(&self, patience: Duration, token: &CancellationToken) -> Result<(), Failure> {
        let end = Instant::now() + patience;
        let copying = token.run_until_cancelled(self.copy_until(end, token)).await;
        let copied = copying.unwrap_or(Err(Failure::Cancelled));
        match &copied {
            Ok(()) => drop(self.note(|status| status.trouble = None).await),
            // A server that is late or away says so by its state; one that refuses or loses does not.
            Err(failure @ (Failure::BadReply { .. } | Failure::BadInput { .. })) => self.complain(failure).await,
            Err(_) => {}
        }
        copied
    }

    async fn copy_until(&self, end: Instant, token: &CancellationToken) -> Result<(), Failure> {
        let late = |_| Failure::Timeout { what: "waiting for another copy to memory".into(), after_ms: 0 };
        let _turn = timeout_at(end, self.copying.lock()).await.map_err(late)?;
        let _guard = self.locked(end).await?;
        let spool = self.spool.clone();
        let waiting = self.blocking(move || spool.list()).await?;
        let (mut refused, mut last) = (0, None);
        for one in waiting {
            let spool = self.spool.clone();
            let read = one.clone();
            let Some(entry) = self.blocking(move || spool.read(&read)).await? else { continue };
            match self.store(&entry, end).await {
                Ok(()) => {
                    // It is stored: removing it must not be cut short, or it would be stored again for nothing.
                    let spool = self.spool.clone();
                    self.blocking(move || spool.remove(&one)).await?;
                    refused = 0;
                }
                Err(Stopped::All(failure)) => return Err(failure),
                Err(Stopped::One(failure)) => {
                    tracing::warn!(key = entry.key, %failure, "memory did not take a copy");
                    last = Some(failure);
                    refused += 1;
                    if refused == REFUSALS_MAX || token.is_cancelled() {
                        break;
                    }
                }
            }
        }
        last.map_or(Ok(()), Err)
    }

    async fn store(&self, entry: &Entry, end: Instant) -> Result<(), Stopped> {
        let left = end.saturating_duration_since(Instant::now());
        match self.library.keep(entry, left).await {
            Ok(()) => Ok(()),
            Err(failure @ (Failure::Server { .. } | Failure::BadReply { .. })) => Err(Stopped::One(failure)),
            Err(failure) => Err(Stopped::All(failure)),
        }
    }

    /// Becomes the one process that copies.
    async fn locked(&self, end: Instant) -> Result<Guard, Failure> {
        for pause in pauses() {
            let (spool, now) = (self.spool.clone(), (self.clock)());
            match self.blocking(move || spool.try_lock(now)).await? {
                Attempt::Taken(guard) => return Ok(guard),
                Attempt::Held(owner) if Instant::now() + pause >= end => {
                    return Err(Failure::LockHeld { what: "the copies for memory".into(), owner });
                }
                Attempt::Held(_) => tokio::time::sleep(pause).await,
            }
        }
        Err(Failure::ActorGone { actor: super::NAME.into() })
    }

    async fn complain(&self, failure: &Failure) {
        let text = Safe::line(&failure.to_string());
        self.note(|status: &mut Status| status.trouble = Some(text)).await;
    }

    pub(super) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let gone = |_| Failure::ActorGone { actor: super::NAME.into() };
        self.scope.spawn_blocking(work).await.map_err(gone)?
    }
}

fn copied(waits: &[bool], why: Option<String>) -> Copied {
    let count =
        |waiting: bool| u32::try_from(waits.iter().filter(|waits| **waits == waiting).count()).unwrap_or(u32::MAX);
    Copied { stored: count(false), waiting: count(true), why: why.filter(|_| count(true) > 0) }
}
