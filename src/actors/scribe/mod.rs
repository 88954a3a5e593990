//! The scribe: writes what a person says into the documents of specs. It holds gates, carries answers out as edits with
//! a backup, and makes the folder of a new spec.
//!
//! Only a person's word gets here: nothing that an agent wrote changes a spec. It must not know runs or the screen.

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
use crate::domain::ids::SpecId;
use crate::domain::moment::Moment;

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

    /// Makes the folder of a new spec. The id is the only one that any process gets.
    pub fn create(&self, beginning: Beginning, at: Moment, token: CancellationToken) -> Reply<Created> {
        post(NAME, &self.mailbox, &self.waker, |promise| Command::Create { beginning, at, token, promise })
    }
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
            Command::Create { beginning, at, token, promise } => {
                scope.spawn(async move { promise.keep(scribe.create(beginning, at, &token).await) });
            }
        }
    }
}
