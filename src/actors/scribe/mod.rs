//! The scribe: writes what a person says into the documents of specs. It holds gates, carries answers out as edits with
//! a backup, puts a proposed text in the place of the one that is there, and makes the folder of a new spec.
//!
//! Only a person's word gets here: nothing that an agent wrote changes a spec by itself. It must not know runs or the
//! screen.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::evidence;
use super::repo;
use super::{MAILBOX, Promise, Reply, Scope, Waker, post};
use crate::disk::Store;
use crate::domain::draft::Beginning;
use crate::domain::gate::{Gate, Held, Response};
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::moment::Moment;
use crate::domain::proposal::{Proposal, Rewritten};

mod adopt;
mod answer;
mod create;
mod pen;
#[cfg(test)]
mod tests;

/// The name of this actor in failures.
const NAME: &str = "scribe";

/// A spec that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its id.
    pub spec: SpecId,
    /// Its document, relative to the repository.
    pub file: String,
    /// The template that it was made from: a path of the repository, or none for ours.
    pub template: Option<String>,
}

/// Asks the scribe.
#[derive(Debug, Clone)]
pub struct Handle {
    mailbox: mpsc::Sender<Command>,
    waker: Waker,
}

impl Handle {
    /// Holds gates over a spec.
    pub fn hold(&self, spec: SpecId, gates: BTreeSet<Gate>, token: CancellationToken) -> Reply<Arc<Held>> {
        post(NAME, &self.mailbox, &self.waker, |promise| Command::Hold { spec, gates, token, promise })
    }

    /// Carries out what a person said about an issue, records it, and holds the gates again.
    pub fn respond(
        &self,
        spec: SpecId,
        gates: BTreeSet<Gate>,
        response: Response,
        at: Moment,
        token: CancellationToken,
    ) -> Reply<Arc<Held>> {
        post(NAME, &self.mailbox, &self.waker, |promise| Command::Respond { spec, gates, response, at, token, promise })
    }

    /// Reads what a panel proposes for a spec's document.
    pub fn proposal(&self, spec: SpecId, token: CancellationToken) -> Reply<Arc<Proposal>> {
        post(NAME, &self.mailbox, &self.waker, |promise| Command::Proposal { spec, token, promise })
    }

    /// Puts the proposed text in the place of the spec's document, and records who said so. `seen` is the hash of the
    /// text that was looked at: no other one is written.
    pub fn adopt(
        &self,
        spec: SpecId,
        seen: Option<Sha>,
        by: String,
        at: Moment,
        token: CancellationToken,
    ) -> Reply<Arc<Rewritten>> {
        let word = Word { spec, by, at };
        post(NAME, &self.mailbox, &self.waker, |promise| Command::Adopt { word, seen, token, promise })
    }

    /// Gives the spec's document the text back that it had before the last proposal was adopted.
    pub fn restore(&self, spec: SpecId, by: String, at: Moment, token: CancellationToken) -> Reply<Arc<Rewritten>> {
        let word = Word { spec, by, at };
        post(NAME, &self.mailbox, &self.waker, |promise| Command::Restore { word, token, promise })
    }

    /// Makes the folder of a new spec. The id is the only one that any process gets.
    pub fn create(&self, beginning: Beginning, at: Moment, token: CancellationToken) -> Reply<Created> {
        post(NAME, &self.mailbox, &self.waker, |promise| Command::Create { beginning, at, token, promise })
    }
}

/// Whose word about which spec, and when.
#[derive(Debug, Clone)]
struct Word {
    spec: SpecId,
    by: String,
    at: Moment,
}

/// What the actor is asked.
#[derive(Debug)]
enum Command {
    Hold {
        spec: SpecId,
        gates: BTreeSet<Gate>,
        token: CancellationToken,
        promise: Promise<Arc<Held>>,
    },
    Respond {
        spec: SpecId,
        gates: BTreeSet<Gate>,
        response: Response,
        at: Moment,
        token: CancellationToken,
        promise: Promise<Arc<Held>>,
    },
    Proposal {
        spec: SpecId,
        token: CancellationToken,
        promise: Promise<Arc<Proposal>>,
    },
    Adopt {
        word: Word,
        seen: Option<Sha>,
        token: CancellationToken,
        promise: Promise<Arc<Rewritten>>,
    },
    Restore {
        word: Word,
        token: CancellationToken,
        promise: Promise<Arc<Rewritten>>,
    },
    Create {
        beginning: Beginning,
        at: Moment,
        token: CancellationToken,
        promise: Promise<Created>,
    },
}

/// What the scribe works with.
#[derive(Debug, Clone)]
struct Scribe {
    scope: Scope,
    root: PathBuf,
    store: Store,
    repo: repo::Handle,
    evidence: evidence::Handle,
    /// One writes at a time.
    turn: Arc<Mutex<()>>,
}

/// Starts the actor over the repository at `root`.
pub fn spawn(scope: &Scope, root: PathBuf, store: Store, repo: repo::Handle, evidence: evidence::Handle) -> Handle {
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    let scribe = Scribe { scope: scope.clone(), root, store, repo, evidence, turn: Arc::default() };
    scope.spawn(run(scribe, commands));
    Handle { mailbox, waker: scope.waker().clone() }
}

async fn run(scribe: Scribe, mut commands: mpsc::Receiver<Command>) {
    let cancel = scribe.scope.cancel.clone();
    while let Some(Some(command)) = cancel.run_until_cancelled(commands.recv()).await {
        let scope = scribe.scope.clone();
        let scribe = scribe.clone();
        match command {
            Command::Hold { spec, gates, token, promise } => {
                scope.answer(
                    token.clone(),
                    promise,
                    async move { scribe.hold(spec, gates, token).await.map(Arc::new) },
                );
            }
            // Not `Scope::answer`: what was begun is written to its end.
            Command::Respond { spec, gates, response, at, token, promise } => scope.spawn(async move {
                promise.keep(scribe.respond(spec, gates, response, at, token).await.map(Arc::new));
            }),
            Command::Proposal { spec, token, promise } => {
                scope.answer(token.clone(), promise, async move { scribe.proposed(spec, &token).await.map(Arc::new) });
            }
            Command::Adopt { word, seen, token, promise } => scope.spawn(async move {
                promise.keep(scribe.adopt(word, seen, &token).await.map(Arc::new));
            }),
            Command::Restore { word, token, promise } => scope.spawn(async move {
                promise.keep(scribe.restore(word, &token).await.map(Arc::new));
            }),
            Command::Create { beginning, at, token, promise } => {
                scope.spawn(async move { promise.keep(scribe.create(beginning, at, &token).await) });
            }
        }
    }
}
