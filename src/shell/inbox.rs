//! What reaches the brain: keys, signals, facts, progress and the answers to its requests. Polled each turn, never
//! waited for.
//!
//! It must not know what a message means.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::actors::Reply;
use crate::actors::agents::models::Models;
use crate::actors::agents::version::Version;
use crate::actors::lanes::LaneEnds;
use crate::actors::scribe::Created;
use crate::app::effect::CommitId;
use crate::app::msg::{self, ForeignNews, ForeignRun, Input, MirrorReport, Msg, PublishReport, RunMsg, Signal};
use crate::domain::candidate::Tested;
use crate::domain::claim::lookup::{Citation, Found};
use crate::domain::dissent::Ledger;
use crate::domain::failure::Failure;
use crate::domain::gate::{Checkpoint, Held};
use crate::domain::guardrail::{Report, When};
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::FileRef;
use crate::domain::journal::summary::{RunSummary, typical};
use crate::domain::judgement::Judgement;
use crate::domain::machine::{Machine, News};
use crate::domain::overview::Overview;
use crate::domain::preparation::Preparation;
use crate::domain::proposal::{Proposal, Rewritten};
use crate::domain::run::{SeatKey, TurnEnded, TurnKind};
use crate::domain::safe::Safe;
use crate::domain::stage::Stage;
use crate::domain::transcript::Page;

/// Most keys, and most facts, taken in one turn: a flood must not keep the screen from being drawn.
const PER_TURN: usize = 256;

/// An answer that is still out, with what it is the answer to.
#[derive(Debug)]
pub enum Pending {
    /// The survey.
    Survey(Reply<Arc<Overview>>),
    /// What is on PATH.
    Path(Reply<Machine>),
    /// The version of a program.
    Version(String, Reply<Version>),
    /// The models of a server.
    Models(String, Reply<Models>),
    /// The first config.
    Initialised(Reply<()>),
    /// What was run before, and what others run now.
    Runs(Reply<(Vec<RunSummary>, Vec<ForeignRun>)>),
    /// More of another process's run.
    Foreign(RunId, Reply<ForeignNews>),
    /// Whether there is a run to go on with.
    Found(RunId, Reply<msg::Found>),
    /// The run's lock.
    Opened(RunId, Reply<()>),
    /// The gates of a checkpoint.
    Gated(RunId, Checkpoint, Reply<Arc<Held>>),
    /// The gates of a spec, for the dialog.
    Held(SpecId, Reply<Arc<Held>>),
    /// What is proposed for a spec's document.
    Proposed(SpecId, Reply<Arc<Proposal>>),
    /// A spec's document, rewritten on a person's word.
    Rewritten(SpecId, Reply<Arc<Rewritten>>),
    /// A proposal on its way into the spec's document.
    Adopted(RunId, Reply<Arc<Rewritten>>),
    /// A new spec.
    Created(Reply<Created>),
    /// Guardrails.
    Guarded(RunId, Stage, When, Reply<Report>),
    /// Inputs and prompts.
    Prepared(RunId, Stage, Reply<Arc<Preparation>>),
    /// A commit.
    Committed(RunId, CommitId, Reply<Vec<FileRef>>),
    /// A turn.
    Turn(SeatKey, TurnKind, Reply<TurnEnded>),
    /// A judgement; whether it is provisional.
    Judged(RunId, Stage, bool, Reply<Judgement>),
    /// A check.
    Checked(RunId, Citation, Reply<Found>),
    /// Hunks that are built and tested.
    Tested(RunId, Reply<Tested>),
    /// A candidate on its way.
    Landed(RunId, Reply<Option<String>>),
    /// The way being clear.
    Cleared(RunId, Reply<()>),
    /// Documents.
    Published(RunId, Stage, Reply<PublishReport>),
    /// Copies in memory.
    Mirrored(RunId, Stage, Reply<MirrorReport>),
    /// The end of the processes that were kept warm for a run.
    Dismissed(RunId, Reply<u32>),
    /// The end of a run's worktrees.
    Uprooted(RunId, Reply<()>),
    /// The end of a run.
    Released(RunId, Reply<()>),
    /// A page.
    Page(Reply<Page>),
    /// The ledger of a spec.
    Ledger(SpecId, Reply<Arc<Ledger>>),
    /// The editor, which has the terminal.
    Edited(Reply<String>),
    /// An approval.
    Approved(Reply<()>),
    /// Something that is only worth a line.
    Noted(Reply<String>),
    /// Something whose failure is only worth a line in the log.
    Quiet(&'static str, Reply<()>),
}

/// Turns an answer that is there into a message; `None` while it is not. Some answers are worth no message.
fn poll(pending: &mut Pending) -> Option<Option<Msg>> {
    let run = |id: &RunId, msg: RunMsg| Some(Msg::Run(id.clone(), msg));
    Some(match pending {
        Pending::Survey(reply) => Some(Msg::Surveyed(reply.poll_now()?)),
        Pending::Path(reply) => match reply.poll_now()? {
            Ok(machine) => Some(Msg::Seen(News::Path(machine))),
            Err(failure) => {
                tracing::warn!(%failure, "could not look at PATH");
                None
            }
        },
        Pending::Version(name, reply) => {
            let version = reply.poll_now()?.unwrap_or_else(|failure| Err(Safe::line(&failure.to_string())));
            Some(Msg::Seen(News::Version(name.clone(), version)))
        }
        Pending::Models(name, reply) => {
            let models = reply.poll_now()?.unwrap_or_else(|failure| Err(Safe::line(&failure.to_string())));
            Some(Msg::Seen(News::Models(name.clone(), models)))
        }
        Pending::Initialised(reply) => Some(Msg::Initialised(reply.poll_now()?)),
        Pending::Runs(reply) => match reply.poll_now()? {
            Ok((runs, foreign)) => Some(Msg::Recalled { typical: typical(&runs), foreign }),
            Err(failure) => {
                tracing::warn!(%failure, "could not recall earlier runs");
                None
            }
        },
        Pending::Foreign(id, reply) => Some(Msg::ForeignTold(id.clone(), reply.poll_now()?.map(Arc::new))),
        Pending::Found(id, reply) => run(id, RunMsg::Found(reply.poll_now()?)),
        Pending::Opened(id, reply) => run(id, RunMsg::Opened(reply.poll_now()?)),
        Pending::Gated(id, at, reply) => run(id, RunMsg::Held(*at, reply.poll_now()?)),
        Pending::Held(spec, reply) => Some(Msg::Held(spec.clone(), reply.poll_now()?)),
        Pending::Proposed(spec, reply) => Some(Msg::Proposed(spec.clone(), reply.poll_now()?)),
        Pending::Rewritten(spec, reply) => Some(Msg::Rewritten(spec.clone(), reply.poll_now()?)),
        Pending::Adopted(id, reply) => run(id, RunMsg::Adopted(reply.poll_now()?)),
        Pending::Created(reply) => Some(Msg::Created(reply.poll_now()?.map(|created| created.spec))),
        Pending::Guarded(id, stage, when, reply) => {
            let report = reply.poll_now()?.map(Arc::new);
            run(id, RunMsg::Guarded(*stage, *when, report))
        }
        Pending::Prepared(id, stage, reply) => run(id, RunMsg::Prepared(*stage, reply.poll_now()?)),
        Pending::Committed(id, commit, reply) => run(id, RunMsg::Committed(*commit, reply.poll_now()?)),
        Pending::Turn(seat, kind, reply) => {
            let ended = reply.poll_now()?.map(Arc::new);
            run(&seat.run, RunMsg::TurnEnded(seat.clone(), *kind, ended))
        }
        Pending::Judged(id, stage, provisional, reply) => {
            let judgement = reply.poll_now()?.map(Arc::new);
            run(id, RunMsg::Judged(*stage, *provisional, judgement))
        }
        Pending::Checked(id, citation, reply) => run(id, RunMsg::CheckRan(citation.clone(), reply.poll_now()?)),
        Pending::Tested(id, reply) => run(id, RunMsg::Tested(reply.poll_now()?.map(Box::new))),
        Pending::Cleared(id, reply) => run(id, RunMsg::Cleared(reply.poll_now()?)),
        Pending::Landed(id, reply) => run(id, RunMsg::Landed(reply.poll_now()?)),
        Pending::Published(id, stage, reply) => run(id, RunMsg::Published(*stage, reply.poll_now()?)),
        Pending::Mirrored(id, stage, reply) => run(id, RunMsg::Mirrored(*stage, reply.poll_now()?)),
        Pending::Dismissed(id, reply) => run(id, RunMsg::Dismissed(reply.poll_now()?)),
        Pending::Uprooted(id, reply) => run(id, RunMsg::Uprooted(reply.poll_now()?)),
        Pending::Released(id, reply) => run(id, RunMsg::Released(reply.poll_now()?)),
        Pending::Page(reply) => Some(Msg::PageRead(reply.poll_now()?.map(Arc::new))),
        Pending::Ledger(spec, reply) => Some(Msg::LedgerRead(spec.clone(), reply.poll_now()?)),
        Pending::Approved(reply) => Some(Msg::Approved(reply.poll_now()?)),
        Pending::Edited(reply) => Some(Msg::Edited(reply.poll_now()?)),
        Pending::Noted(reply) => Some(Msg::Noted(reply.poll_now()?)),
        Pending::Quiet(what, reply) => {
            if let Err(failure) = reply.poll_now()?
                && failure != Failure::Cancelled
            {
                tracing::warn!(%failure, "could not {what}");
            }
            None
        }
    })
}

/// Everything that is listened to.
#[derive(Debug)]
pub struct Inbox {
    lanes: LaneEnds,
    keys: Option<mpsc::Receiver<Input>>,
    signals: mpsc::Receiver<Signal>,
    /// What programs ask; nothing where a person sits.
    asked: Option<mpsc::Receiver<Msg>>,
    pending: Vec<Pending>,
}

impl Inbox {
    /// Makes an inbox. A headless program has no keys.
    pub fn new(lanes: LaneEnds, keys: Option<mpsc::Receiver<Input>>, signals: mpsc::Receiver<Signal>) -> Self {
        Self { lanes, keys, signals, asked: None, pending: Vec::new() }
    }

    /// Listens to what programs ask as well.
    #[must_use]
    pub fn hearing(self, asked: mpsc::Receiver<Msg>) -> Self {
        Self { asked: Some(asked), ..self }
    }

    /// Listens for one more answer.
    pub fn expect(&mut self, pending: Pending) {
        self.pending.push(pending);
    }

    /// Returns how many answers are out.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Takes what is there: signals first, then keys, answers, facts, progress.
    pub fn drain(&mut self) -> Drained {
        let mut messages = Vec::new();
        while let Ok(signal) = self.signals.try_recv() {
            messages.push(Msg::Signalled(signal));
        }
        let mut has_key = false;
        if let Some(keys) = &mut self.keys {
            for _ in 0..PER_TURN {
                match keys.try_recv() {
                    Ok(input) => {
                        has_key = true;
                        messages.push(Msg::Input(input));
                    }
                    Err(TryRecvError::Empty) => break,
                    // Whoever read them found the terminal gone. Without keys nobody could end us.
                    Err(TryRecvError::Disconnected) => {
                        self.keys = None;
                        messages.push(Msg::Signalled(Signal::HangUp));
                        break;
                    }
                }
            }
        }
        if let Some(asked) = &mut self.asked {
            messages.extend(std::iter::from_fn(|| asked.try_recv().ok()).take(PER_TURN));
        }
        let mut edited = false;
        self.pending.retain_mut(|pending| match poll(pending) {
            None => true,
            Some(message) => {
                edited |= matches!(pending, Pending::Edited(_));
                messages.extend(message);
                false
            }
        });
        for _ in 0..PER_TURN {
            let Some(fact) = self.lanes.fact() else { break };
            messages.push(Msg::Told(fact));
        }
        let progress = self.lanes.progress();
        if !progress.is_empty() {
            messages.push(Msg::Progressed(progress));
        }
        // A full portion means that more may be waiting: the next turn must not park.
        let more = messages.len() >= PER_TURN;
        Drained { messages, has_key, edited, more }
    }
}

/// What one turn took.
#[derive(Debug)]
pub struct Drained {
    /// The messages, in order.
    pub messages: Vec<Msg>,
    /// Whether a key (or paste, or resize) is among them: then its frame is drawn at once.
    pub has_key: bool,
    /// Whether the editor gave the terminal back.
    pub edited: bool,
    /// Whether more may be waiting.
    pub more: bool,
}
