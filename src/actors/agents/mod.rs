//! Runs agents: one request is one turn of one attempt, as a child process of its own or as requests over HTTP.
//!
//! It owns the children ([`process`]), the conversations with models over HTTP ([`api`]), what they show while they work ([`live`], [`hearing`]) and what their words are worth
//! ([`command`]). It must not know runs, retries, limits per family or budgets: the brain decides whether a turn is
//! taken, and nothing is ever started again here. Its seam is the command line in each turn's [`Launch`]: tests start a
//! program of their own.
//!
//! [`Launch`]: crate::domain::run::Launch

mod acp;
mod api;
mod command;
mod hearing;
mod live;
pub mod models;
pub mod process;
pub mod version;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::acp::{Leases, Warm};
use self::api::Conversations;
use self::command::Tools;
use self::process::Children;
use super::lanes::Lanes;
use super::{MAILBOX, Promise, Reply, Scope, Waker, mcp, post};
use crate::domain::acp::Answer;
use crate::domain::failure::Failure;
use crate::domain::ids::{AgentName, RunId};
use crate::domain::redact::Redactor;
use crate::domain::run::{Call, Launch, SeatKey, Turn, TurnEnded};

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

    /// Starts the process of an agent that is spoken to over the Agent Client Protocol before its first turn; any other
    /// launch is left alone. What goes wrong is told by the turn.
    pub fn warm(&self, run: RunId, agent: AgentName, launch: Launch) -> Reply<()> {
        let launch = Box::new(launch);
        post("agents", &self.mailbox, &self.waker, |promise| Command::Warm { run, agent, launch, promise })
    }

    /// Answers an agent's request for permission; one that is not open any more is answered already.
    pub fn permit(&self, seat: SeatKey, number: u64, answer: Answer) -> Reply<()> {
        post("agents", &self.mailbox, &self.waker, |promise| Command::Permit { seat, number, answer, promise })
    }

    /// Ends the processes that are kept warm for a run: end of input, TERM, KILL, sweep; `kill` cuts it short. Answers how
    /// many are left when nothing more can be done about them; 0 unless something is very wrong.
    pub fn dismiss(&self, run: RunId, kill: CancellationToken) -> Reply<u32> {
        post("agents", &self.mailbox, &self.waker, |promise| Command::Dismiss { run, kill, promise })
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
    Warm { run: RunId, agent: AgentName, launch: Box<Launch>, promise: Promise<()> },
    Permit { seat: SeatKey, number: u64, answer: Answer, promise: Promise<()> },
    Dismiss { run: RunId, kill: CancellationToken, promise: Promise<u32> },
}

impl Command {
    /// Nothing is begun any more.
    fn refuse(self) {
        match self {
            Command::Call { promise, .. } | Command::TakeTurn { promise, .. } => promise.keep(Err(Failure::Cancelled)),
            Command::Warm { promise, .. } | Command::Permit { promise, .. } => promise.keep(Err(Failure::Cancelled)),
            Command::Dismiss { promise, .. } => promise.keep(Err(Failure::Cancelled)),
        }
    }
}

/// Starts the actor. Children are started through `children`; transcripts go below the folder `transcripts`, without
/// what `redactor` knows to be secret.
pub fn spawn(scope: &Scope, lanes: Lanes, children: Children, transcripts: PathBuf, redactor: Redactor) -> Handle {
    spawn_beside(scope, lanes, children, transcripts, redactor, None)
}

/// Does the same beside the actor of MCP servers, whose tools models over HTTP may be offered.
pub fn spawn_beside(
    scope: &Scope,
    lanes: Lanes,
    children: Children,
    transcripts: PathBuf,
    redactor: Redactor,
    servers: Option<mcp::Handle>,
) -> Handle {
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    let tools = Tools { scope: scope.clone(), lanes, children, transcripts, redactor: Arc::new(redactor), servers };
    scope.spawn(run(tools, commands));
    Handle { mailbox, waker: scope.waker().clone() }
}

async fn run(tools: Tools, mut mailbox: mpsc::Receiver<Command>) {
    let (cancel, scope, warm) = (tools.scope.cancel.clone(), tools.scope.clone(), Warm::default());
    let mut leases = Leases::default();
    let conversations = Arc::new(Conversations::default());
    while let Some(Some(command)) = cancel.run_until_cancelled(mailbox.recv()).await {
        match command {
            Command::Call { call, stop, kill, promise } => {
                let (tools, conversations) = (tools.clone(), Arc::clone(&conversations));
                let taken = async move { promise.keep(Ok(api::take(&tools, &conversations, *call, stop, kill).await)) };
                scope.spawn(taken);
            }
            Command::TakeTurn { turn, stop, kill, promise } if turn.launch.transport.manner().is_some() => {
                let (tools, warm, lease) = (tools.clone(), warm.clone(), leases.give(&turn.seat.run));
                let taken = async move { warm.take_turn(&tools, &lease, *turn, (stop, kill), promise).await };
                scope.spawn(taken);
            }
            Command::Warm { run, agent, launch, promise } => {
                let (tools, warm, lease) = (tools.clone(), warm.clone(), leases.give(&run));
                scope.spawn(async move {
                    if launch.transport.manner().is_some()
                        && let Err(error) = warm.start(&tools, &lease, (&run, &agent), &launch).await
                    {
                        tracing::info!(%agent, %error, "not started before its turn");
                    }
                    promise.keep(Ok(()));
                });
            }
            Command::Permit { seat, number, answer, promise } => {
                let warm = warm.clone();
                tools.scope.spawn(async move { promise.keep(warm.permit(seat, number, answer).await) });
            }
            Command::Dismiss { run, kill, promise } => {
                leases.end(&run);
                let warm = warm.clone();
                tools.scope.spawn(async move { promise.keep(warm.dismiss(&run, &kill).await) });
            }
            Command::TakeTurn { turn, stop, kill, promise } => {
                let tools = tools.clone();
                // Not `Scope::answer`: a turn owns a child and sees it to its end, also when it is stopped.
                scope.spawn(async move { promise.keep(tools.take_turn(*turn, stop, kill).await) });
            }
        }
    }
    mailbox.close();
    while let Ok(command) = mailbox.try_recv() {
        command.refuse();
    }
}
