//! Runs agents: one request is one turn of one attempt, as a child process of its own or as requests over HTTP.
//!
//! It owns the children ([`process`]), the conversations with models over HTTP ([`api`]), what they show while they work ([`live`], [`hearing`]) and what their words are worth
//! ([`command`]). It must not know runs, retries, limits per family or budgets: the brain decides whether a turn is
//! taken, and nothing is ever started again here. Its seam is the command line in each turn's [`Launch`]: tests start a
//! program of their own.
//!
//! [`Launch`]: crate::domain::run::Launch

mod api;
mod command;
mod hearing;
mod live;
pub mod process;
pub mod version;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::api::Conversations;
use self::command::Tools;
use self::process::Children;
use super::lanes::Lanes;
use super::{MAILBOX, Promise, Reply, Scope, Waker, post};
use crate::domain::failure::Failure;
use crate::domain::redact::Redactor;
use crate::domain::run::{Call, Turn, TurnEnded};

/// Asks for turns; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    mailbox: mpsc::Sender<Command>,
    waker: Waker,
}

impl Handle {
    /// Takes one turn. `stop` asks the agent to end (TERM, then KILL after its grace), `kill` ends it now; either way
    /// the answer comes when nothing of it is left, with [`AgentError::Cancelled`] as its error.
    ///
    /// [`AgentError::Cancelled`]: crate::domain::failure::AgentError::Cancelled
    pub fn take_turn(&self, turn: Turn, stop: CancellationToken, kill: CancellationToken) -> Reply<TurnEnded> {
        let turn = Box::new(turn);
        post("agents", &self.mailbox, &self.waker, |promise| Command::TakeTurn { turn, stop, kill, promise })
    }

    /// Takes one turn of a model over HTTP. Either token ends its request at once.
    pub fn call(&self, call: Call, stop: CancellationToken, kill: CancellationToken) -> Reply<TurnEnded> {
        let call = Box::new(call);
        post("agents", &self.mailbox, &self.waker, |promise| Command::Call { call, stop, kill, promise })
    }
}

enum Command {
    Call { call: Box<Call>, stop: CancellationToken, kill: CancellationToken, promise: Promise<TurnEnded> },
    TakeTurn { turn: Box<Turn>, stop: CancellationToken, kill: CancellationToken, promise: Promise<TurnEnded> },
}

/// Starts the actor. Children are started through `children`; transcripts go below the folder `transcripts`, without
/// what `redactor` knows to be secret.
pub fn spawn(scope: &Scope, lanes: Lanes, children: Children, transcripts: PathBuf, redactor: Redactor) -> Handle {
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    let tools = Tools { scope: scope.clone(), lanes, children, transcripts, redactor: Arc::new(redactor) };
    scope.spawn(run(tools, commands));
    Handle { mailbox, waker: scope.waker().clone() }
}

async fn run(tools: Tools, mut mailbox: mpsc::Receiver<Command>) {
    let cancel = tools.scope.cancel.clone();
    let scope = tools.scope.clone();
    let conversations = Arc::new(Conversations::default());
    while let Some(Some(command)) = cancel.run_until_cancelled(mailbox.recv()).await {
        match command {
            Command::Call { call, stop, kill, promise } => {
                let (tools, conversations) = (tools.clone(), Arc::clone(&conversations));
                let taken = async move { promise.keep(Ok(api::take(&tools, &conversations, *call, stop, kill).await)) };
                scope.spawn(taken);
            }
            Command::TakeTurn { turn, stop, kill, promise } => {
                let tools = tools.clone();
                // Not `Scope::answer`: a turn owns a child and sees it to its end, also when it is stopped.
                scope.spawn(async move { promise.keep(tools.take_turn(*turn, stop, kill).await) });
            }
        }
    }
    mailbox.close();
    while let Ok(Command::Call { promise, .. } | Command::TakeTurn { promise, .. }) = mailbox.try_recv() {
        promise.keep(Err(Failure::Cancelled));
    }
}
