//! One run as the brain knows it: its phase, its seats, what was kept and what a human decided.
//!
//! It must not know views, nor what moves a run: that is `update`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::msg::{Choice, Reopened};
use crate::app::outcome::AskId;
use crate::domain::absent::Without;
use crate::domain::agenda::Topic;
use crate::domain::back::Back;
use crate::domain::candidate::{Landing, Patch, Take, Tried};
use crate::domain::claim::lookup::Lookups;
use crate::domain::consensus::Inputs;
use crate::domain::failure::{AgentError, Failure, LockOwner};
use crate::domain::gate::Checkpoint;
use crate::domain::guardrail::{self, When};
use crate::domain::hash::Sha;
use crate::domain::hunks::Picks;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::{self, FileRef, base::Bases};
use crate::domain::judgement::{Answer, Gathered, Human, Judgement, Round};
use crate::domain::moment::Moment;
use crate::domain::preparation::Preparation;
use crate::domain::proposal::Rewritten;
use crate::domain::run::{Progress, SeatKey, TurnKind};
use crate::domain::safe::Safe;
use crate::domain::skip::Skipped;
use crate::domain::stage::Stage;
use crate::domain::stream::{Session, Usage};

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its spec.
    pub spec: SpecId,
    /// The stages asked for.
    pub stages: Vec<Stage>,
    /// The stage at hand.
    pub stage: Stage,
    /// The commits whose change is audited, as they were asked for.
    #[serde(default)]
    pub range: Option<String>,
    /// What the spec is drafted or revised for, in a person's words.
    #[serde(default)]
    pub brief: Option<String>,
    /// What was written into the spec's document, if its run was to do so.
    #[serde(default)]
    pub rewritten: Option<Arc<Rewritten>>,
    /// Stages that a person left out, and why.
    #[serde(default)]
    pub skipped: Skipped,
    /// Who was left out of it by a person; `None`: nobody said anything about that.
    #[serde(default)]
    pub without: Option<Without>,
    /// When it began here.
    pub opened: Moment,
    /// When it ended.
    pub ended: Option<Moment>,
    /// How it was asked for.
    pub options: RunOptions,
    /// Where it stands.
    pub phase: Phase,
    /// Who sits at this stage.
    pub seats: Vec<Seat>,
    /// What the stage started from.
    pub preparation: Option<Arc<Preparation>>,
    /// The latest judgement, provisional while answers are out.
    pub judgement: Option<Arc<Judgement>>,
    /// How many questions consensus has not answered yet.
    pub judging: u32,
    /// Whether an answer arrived after the last provisional judgement was asked for.
    pub judge_again: bool,
    /// What a human decided at this stage.
    pub human: Human,
    /// Decisions that can be undone, the latest last.
    pub decisions: Vec<Decision>,
    /// What waits until the stage was judged again from what is kept.
    pub pending: Option<Reopened>,
    /// Records that wait until the journal is ours again.
    pub unrecorded: Vec<journal::Record>,
    /// What was looked up or run.
    #[serde(with = "crate::domain::claim::lookup::as_pairs")]
    pub known: Arc<Lookups>,
    /// Recorded verdicts by stage.
    pub verdicts: BTreeMap<Stage, Arc<Judgement>>,
    /// Answers that an earlier launch kept, by stage and agent.
    pub kept: BTreeMap<Stage, BTreeMap<AgentName, Kept>>,
    /// Which of them the evidence did not have any more, by stage.
    pub gathered: BTreeMap<Stage, Gathered>,
    /// How agents failed in an earlier process, by stage.
    pub failed: BTreeMap<Stage, BTreeMap<AgentName, AgentError>>,
    /// The round of each stage that had one.
    pub rounds: BTreeMap<Stage, Round>,
    /// Highest attempt per stage and agent so far.
    pub attempts: BTreeMap<Stage, BTreeMap<AgentName, u32>>,
    /// What the turns of each stage and agent used, with what was charged, over all processes that had the run.
    #[serde(default)]
    pub spent: BTreeMap<Stage, BTreeMap<AgentName, Usage>>,
    /// How many verdicts of each stage were recorded.
    pub decided: BTreeMap<Stage, u32>,
    /// How many times each stage was opened.
    pub openings: BTreeMap<Stage, u32>,
    /// The inputs that each stage was opened with by an earlier process.
    pub opened_with: BTreeMap<Stage, Inputs>,
    /// Whether the guardrails of each side of a stage passed, as far as they ran.
    pub guarded: BTreeMap<Stage, BTreeMap<When, bool>>,
    /// What the guardrails that ran last came to.
    pub guard: Option<Arc<guardrail::Report>>,
    /// What each stage was asked by an earlier process.
    #[serde(default)]
    pub agendas: BTreeMap<Stage, Vec<Topic>>,
    /// Hashes of documents that we published, by path.
    pub published: BTreeMap<String, Vec<Sha>>,
    /// The texts that were published there, and that a hand may have begun with.
    #[serde(default)]
    pub bases: Bases,
    /// The texts that are being published, by document, as the evidence keeps them.
    #[serde(default)]
    pub intended: BTreeMap<String, FileRef>,
    /// The candidate that is to be taken, and where it goes.
    #[serde(default)]
    pub take: Option<Take>,
    /// The hunks that a person picked on the screen; without any, what was tried is taken.
    #[serde(default)]
    pub basket: Option<Basket>,
    /// What became of the candidates, as it is on record.
    #[serde(default)]
    pub tried: Option<Arc<Tried>>,
    /// The landing that was begun last.
    #[serde(default)]
    pub landing: Option<Landing>,
    /// Whether that landing is done: the candidate is where it goes.
    #[serde(default)]
    pub landed: bool,
    /// That it went back to implement, the last time.
    #[serde(default)]
    pub back: Option<Box<Back>>,
    /// Whether what did not pass then is still to be taken back.
    #[serde(default)]
    pub is_going_back: bool,
    /// Why it is closed, once its worktrees are gone.
    #[serde(default)]
    pub closing: Option<journal::Closed>,
    /// Who asked it to stop.
    pub stop: Option<Stop>,
    /// Whether agents are kept warm for it.
    #[serde(default)]
    pub warmth: Warmth,
    /// Processes that were left after a sweep; anything but 0 is shown in red.
    pub survivors: u32,
    /// What became of the copies in memory.
    pub memory: MemoryState,
    /// What went wrong without changing the outcome.
    pub warnings: Vec<Safe>,
    /// Whose its journal and lock are.
    pub lock: Lock,
}

/// Hunks that were picked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basket {
    /// Of whom they are, but for those that were taken of others.
    pub main: AgentName,
    /// Which.
    pub picks: Picks,
}

/// Whether processes are kept for a run between the turns of its agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Warmth {
    /// None.
    #[default]
    Cold,
    /// Some may be.
    Warm,
    /// They are being ended.
    Cooling,
}

/// Whose the journal and the lock of a run are. Copies to memory go on beside everything else: only the end waits
/// for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Lock {
    /// Not ours.
    #[default]
    Free,
    /// Ours: records may be written.
    Ours {
        /// Copies to memory that are under way and will be recorded.
        copies: u32,
    },
    /// Ours, and given back next: no new work is recorded any more, a decision waits until it is free.
    Closing {
        /// Copies to memory that are under way and will be recorded.
        copies: u32,
    },
}

impl Lock {
    /// Tells whether another run of the spec cannot have it.
    pub fn is_held(self) -> bool {
        self != Lock::Free
    }

    /// Returns how many copies to memory are under way.
    pub fn copies(self) -> u32 {
        match self {
            Lock::Free => 0,
            Lock::Ours { copies } | Lock::Closing { copies } => copies,
        }
    }

    /// One more copy is under way.
    pub fn copy(&mut self) {
        if let Lock::Ours { copies } | Lock::Closing { copies } = self {
            *copies += 1;
        }
    }

    /// A copy came back. Tells whether its record can still be written.
    pub fn copied(&mut self) -> bool {
        match self {
            Lock::Ours { copies } | Lock::Closing { copies } if *copies > 0 => {
                *copies -= 1;
                true
            }
            Lock::Free | Lock::Ours { .. } | Lock::Closing { .. } => false,
        }
    }

    /// It will be given back; copies that are under way are recorded before.
    pub fn close(&mut self) {
        if let Lock::Ours { copies } = *self {
            *self = Lock::Closing { copies };
        }
    }
}

/// How a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunOptions {
    /// Abandon a stopped run of the same spec.
    pub fresh: bool,
    /// Ask only those that did not answer.
    pub rerun_missing: bool,
    /// Whether it goes on with an earlier process's run.
    pub resumed: bool,
    /// Whether a decided run was opened again.
    pub reopened: bool,
    /// Whether another process ran it, and it is known from its journal only.
    pub followed: bool,
    /// Whether its start is on record, and was told.
    pub announced: bool,
    /// Whether a fresh run follows once this one is closed: its inputs changed under it.
    pub restart: bool,
    /// Whether it was opened again for nothing but to take a candidate back.
    pub undo: bool,
    /// Whether somebody asked for the round that was not held.
    pub round: bool,
    /// Whether whoever asked for it said who is left out.
    #[serde(default)]
    pub says_without: bool,
    /// Whether no round is held, whatever the config says.
    #[serde(default)]
    pub no_round: bool,
    /// Whether the text that it proposes for the spec is written where the verdict lets it through.
    #[serde(default)]
    pub adopt: bool,
    /// Whose request it serves, if a program waits for its end.
    pub ask: Option<AskId>,
}

/// Where a run stands: which request it waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// Looking for a run to go on with, and taking the lock.
    Opening,
    /// Gates are held: read, or becoming durable.
    Holding(Gating),
    /// A person is asked what a gate asks.
    Waiting {
        /// Which gate.
        gating: Gating,
        /// Since when: that time is nobody's work.
        since: Moment,
    },
    /// Guardrails run, or their report is becoming durable.
    Guarding(When),
    /// Reading inputs and rendering prompts.
    Preparing,
    /// Agents are asked.
    Asking,
    /// Consensus gathers, looks up and decides.
    Judging,
    /// The verdict is becoming durable.
    Recording,
    /// Hunks that were picked are built and tested together, before they are put anywhere.
    Testing {
        /// What is taken, if nothing is red.
        take: Box<Take>,
        /// Since when.
        since: Moment,
    },
    /// Documents are being written.
    Publishing,
    /// Everything in flight is being stopped.
    Stopping,
    /// Stopped; it can go on.
    Stopped,
    /// Every stage that could be reached has its verdict.
    Decided,
    /// It cannot go on.
    Failed(Failure),
    /// Another process owns it: it is shown as its journal tells it, and nothing of it is ours.
    Foreign(LockOwner),
}

impl Phase {
    /// Tells whether something of the run may still happen by itself.
    pub fn is_live(&self) -> bool {
        match self {
            Phase::Opening
            | Phase::Holding(_)
            | Phase::Waiting { .. }
            | Phase::Guarding(_)
            | Phase::Preparing
            | Phase::Asking
            | Phase::Judging
            | Phase::Recording
            | Phase::Testing { .. }
            | Phase::Publishing
            | Phase::Stopping => true,
            Phase::Stopped | Phase::Decided | Phase::Failed(_) | Phase::Foreign(_) => false,
        }
    }

    /// Returns the process that owns the run, if it is not this one.
    pub fn owner(&self) -> Option<&LockOwner> {
        if let Phase::Foreign(owner) = self { Some(owner) } else { None }
    }

    /// Tells whether anybody, here or in another process, works on the run.
    pub fn is_under_way(&self) -> bool {
        self.is_live() || self.owner().is_some()
    }
}

/// Gates of a run: at which checkpoint, on which side of the stage at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gating {
    /// The checkpoint.
    pub at: Checkpoint,
    /// Before or after the stage.
    pub side: When,
}

/// Who asked a run to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Key, signal or command.
    pub by: String,
    /// When.
    pub since: Moment,
    /// Whether it was asked for twice: then the groups are killed at once.
    pub killed: bool,
    /// Exit code that the process ends with because of it.
    pub exit: u8,
}

/// What became of a run's copies in memory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum MemoryState {
    /// Nothing to copy yet.
    #[default]
    None,
    /// Being copied.
    Copying,
    /// Memory has them.
    Stored(u32),
    /// They wait on disk until memory answers.
    Waiting(String),
}

/// A decision that a human made in this process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Key of the claim.
    pub claim: Sha,
    /// Digest of its assertions as they were: another assertion reopens it.
    pub digest: Sha,
    /// What it is about.
    pub subject: String,
    /// What was decided.
    pub choice: Choice,
    /// Of a split, the keys that it is not the same as.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<Sha>,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// One participant at a stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seat {
    /// Who, and how it is reached.
    pub who: journal::Seat,
    /// The try at hand, from 1.
    pub attempt: u32,
    /// Where it stands.
    pub state: SeatState,
    /// When the first try began.
    pub since: Option<Moment>,
    /// How long it took, once it is done, in milliseconds.
    pub took_ms: Option<u64>,
    /// How much it wrote, once its answer is kept, in bytes.
    pub wrote: Option<u64>,
    /// What its turn at hand is reckoned to cost at most, in millionths of a USD.
    #[serde(default)]
    pub reckoned: u64,
    /// What its turn at hand may cost: that, and for a model over HTTP its part of what nobody else has set aside.
    #[serde(default)]
    pub set_aside: u64,
    /// What its next turn is reckoned to cost, while others at work may use up what is left of the budget.
    #[serde(default)]
    pub held_back: Option<u64>,
    /// The session of the attempt at hand, to go on with.
    #[serde(default)]
    pub session: Option<Session>,
    /// What it wrote last.
    pub progress: Option<Progress>,
    /// Its answer.
    pub answer: Option<Answer>,
    /// What it changed, where it may.
    #[serde(default)]
    pub change: Option<Arc<Patch>>,
    /// Failures so far, the latest last.
    pub errors: Vec<AgentError>,
    /// What a repair turn has to be told.
    pub repair: Option<Repair>,
    /// Whether somebody stopped this agent alone.
    pub stopped: bool,
}

/// An answer that an earlier launch kept, as its record tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The answer.
    pub answer: Answer,
    /// What was changed.
    #[serde(default)]
    pub change: Option<Arc<Patch>>,
    /// How long the turn took, in milliseconds.
    pub took_ms: u64,
    /// How much the agent wrote, in bytes.
    pub wrote: u64,
    /// The session of the turn.
    #[serde(default)]
    pub session: Option<Session>,
}

/// What a repair turn has to mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repair {
    /// What was wrong, for the agent.
    pub why: String,
    /// What it wrote.
    pub previous: Arc<str>,
}

/// Where a participant stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SeatState {
    /// Waits for a place beside others of its family.
    Queued(TurnKind),
    /// Its launch is becoming durable.
    Launching(TurnKind),
    /// At work.
    Asking(TurnKind),
    /// Its answer, or its failure, is becoming durable.
    Keeping,
    /// Asked again at a given moment.
    Waiting {
        /// When.
        until: Moment,
        /// Why not now.
        why: AgentError,
    },
    /// Its answer is kept.
    Answered,
    /// It will not answer.
    Failed(AgentError),
}

impl Seat {
    /// A seat of which nothing is known but who sits there, which try it is and where it stands.
    pub fn new(who: journal::Seat, attempt: u32, state: SeatState) -> Self {
        Self {
            who,
            attempt,
            state,
            since: None,
            took_ms: None,
            wrote: None,
            reckoned: 0,
            set_aside: 0,
            held_back: None,
            session: None,
            progress: None,
            answer: None,
            change: None,
            errors: Vec::new(),
            repair: None,
            stopped: false,
        }
    }

    /// Ends a turn of which nothing came: whoever has answered before is none the worse for it.
    pub fn give_up(&mut self) {
        self.state = if self.answer.is_some() { SeatState::Answered } else { SeatState::Failed(AgentError::Cancelled) };
    }
}

impl SeatState {
    /// Tells whether nothing more will come from it by itself.
    pub fn is_settled(&self) -> bool {
        match self {
            SeatState::Answered | SeatState::Failed(_) => true,
            SeatState::Queued(_)
            | SeatState::Launching(_)
            | SeatState::Asking(_)
            | SeatState::Keeping
            | SeatState::Waiting { .. } => false,
        }
    }
}

impl Run {
    /// Returns the seat of an agent.
    pub fn seat(&self, agent: &AgentName) -> Option<&Seat> {
        self.seats.iter().find(|seat| &seat.who.agent == agent)
    }

    /// Returns the seat of an agent, to change it.
    pub fn seat_mut(&mut self, agent: &AgentName) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| &seat.who.agent == agent)
    }

    /// Returns the latest judgement of a stage: that at hand may be provisional, an earlier one is recorded.
    pub fn judged(&self, stage: Stage) -> Option<&Arc<Judgement>> {
        if stage == self.stage { self.judgement.as_ref() } else { self.verdicts.get(&stage) }
    }

    /// Counts what a turn used.
    pub fn spend(&mut self, stage: Stage, agent: &AgentName, used: Usage) {
        if !used.is_none() {
            let sum = self.spent.entry(stage).or_default().entry(agent.clone()).or_default();
            *sum = sum.plus(used);
        }
    }

    /// Returns what an agent used at the stage at hand.
    pub fn used_by(&self, agent: &AgentName) -> Usage {
        self.spent.get(&self.stage).and_then(|spent| spent.get(agent)).copied().unwrap_or_default()
    }

    /// Returns what all turns used.
    pub fn used(&self) -> Usage {
        self.spent.values().flat_map(BTreeMap::values).fold(Usage::default(), |sum, used| sum.plus(*used))
    }

    /// Returns the key of a seat's current attempt.
    pub fn key(&self, seat: &Seat) -> SeatKey {
        SeatKey { run: self.id.clone(), stage: self.stage, attempt: seat.attempt, agent: seat.who.agent.clone() }
    }

    /// Returns the families that sit.
    pub fn families(&self) -> BTreeSet<&str> {
        self.seats.iter().map(|seat| seat.who.family.as_str()).collect()
    }

    /// Returns how many agents have answered.
    pub fn answered(&self) -> usize {
        self.seats.iter().filter(|seat| seat.answer.is_some()).count()
    }

    /// Returns how long the run has been going on, or went on, in milliseconds.
    pub fn elapsed_ms(&self, now: Moment) -> u64 {
        self.ended.unwrap_or(now).since(self.opened)
    }
}
