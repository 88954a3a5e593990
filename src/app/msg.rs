//! Everything that can reach the brain.
//!
//! Plain data: comparable, recordable, replayable. Large texts travel as `Arc`s.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::effect::CommitId;
use super::key::Key;
use super::outcome::AskId;
use crate::domain::absent::Without;
use crate::domain::agenda::Topic;
use crate::domain::candidate::{Take, Tested};
use crate::domain::claim::lookup;
use crate::domain::consensus::Inputs;
use crate::domain::dissent::Ledger;
use crate::domain::fact::Fact;
use crate::domain::failure::{Failure, LockOwner};
use crate::domain::gate::{Checkpoint, Held};
use crate::domain::guardrail::{Report, When};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::base::Bases;
use crate::domain::journal::{Closed, FileRef, Record};
use crate::domain::judgement::{Gathered, Judgement};
use crate::domain::machine::News;
use crate::domain::merge::{Aside, Merge};
use crate::domain::moment::Moment;
use crate::domain::overview::Overview;
use crate::domain::preparation::Preparation;
use crate::domain::proposal::{Proposal, Rewritten};
use crate::domain::run::{Progress, SeatKey, TurnEnded, TurnKind};
use crate::domain::skip::Skipped;
use crate::domain::stage::Stage;
use crate::domain::transcript::Page;

/// A message to the brain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Msg {
    /// Time passed. Sent before every other message of a turn.
    Tick(Moment),
    /// The user did something at the terminal.
    Input(Input),
    /// Something outside asks for work: the command line of a headless start, or the typed command of the TUI.
    Asked(Request),
    /// A program that asks, in place of a person: the library, or a client of the server.
    Program(Program),
    /// An actor told a fact.
    Told(Fact),
    /// The latest progress of some agents.
    Progressed(Vec<Progress>),
    /// The repository was read and checked.
    Surveyed(Result<Arc<Overview>, Failure>),
    /// Something on this machine was looked at.
    Seen(News),
    /// The first config was written, or could not be.
    Initialised(Result<(), Failure>),
    /// The evidence tells what was run before, and what others run now.
    Recalled {
        /// How long each stage usually takes, in milliseconds.
        typical: BTreeMap<Stage, u64>,
        /// Live runs of other processes.
        foreign: Vec<ForeignRun>,
    },
    /// The journal of another process's run told more.
    ForeignTold(RunId, Result<Arc<ForeignNews>, Failure>),
    /// An answer about a run.
    Run(RunId, RunMsg),
    /// Gates were held over a spec, for the dialog.
    Held(SpecId, Result<Arc<Held>, Failure>),
    /// What is proposed for a spec's document was read.
    Proposed(SpecId, Result<Arc<Proposal>, Failure>),
    /// A person's word about what is proposed was carried out.
    Rewritten(SpecId, Result<Arc<Rewritten>, Failure>),
    /// The folder of a new spec was made.
    Created(Result<SpecId, Failure>),
    /// A page of a transcript.
    PageRead(Result<Arc<Page>, Failure>),
    /// A spec's ledger was read.
    LedgerRead(SpecId, Result<Arc<Ledger>, Failure>),
    /// A process signal asks us to end.
    Signalled(Signal),
    /// How long the last key took until its frame was written, in microseconds.
    KeyPainted(u64),
    /// What the repository would run was approved, or could not be.
    Approved(Result<(), Failure>),
    /// Something done outside the model (the clipboard, an approval) ended.
    Noted(Result<String, Failure>),
    /// The editor gave the terminal back.
    Edited(Result<String, Failure>),
}

/// What a program that asks does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// Asks for work and waits for its answer.
    Asked(AskId, Box<Request>),
    /// Does not want its answer any more; twice: what runs for it is killed.
    Withdrew(AskId),
    /// Is gone: stop what runs, and end.
    Left,
}

/// What the user did at the terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Input {
    /// Pressed a key.
    Key(Key),
    /// Pasted text.
    Paste(String),
    /// Changed the size of the terminal (columns, rows).
    Resized(u16, u16),
}

/// Work that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Run stages of a spec.
    Start(Start),
    /// Stop a run: the one named, else the one on screen, else the only live one.
    Stop(Option<RunId>),
    /// Record a human's decision about a claim of a recorded stage.
    Decide(Decide),
    /// Run the test that would settle the first open claim of a recorded stage.
    Check {
        /// Of which spec.
        spec: SpecId,
        /// Of which stage.
        stage: Stage,
    },
    /// Take the candidate back that landed last: of which spec.
    Undo(SpecId),
}

impl Request {
    /// Runs one stage of a spec, or goes on with its run that was stopped.
    pub fn stage(spec: SpecId, stage: Stage) -> Self {
        Request::Start(Start::of(spec, vec![stage]))
    }
}

/// What a reopened stage is reopened for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reopened {
    /// To record a human's decision.
    Decide(Decide),
    /// To run the test that would settle an open claim.
    Check,
    /// To take a candidate.
    Take(Take),
    /// To take the candidate back that landed last.
    Undo,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// For which spec, exactly.
    pub spec: SpecId,
    /// Which stages, in order; not empty.
    pub stages: Vec<Stage>,
    /// Whether a stopped run of the same spec is abandoned rather than continued.
    pub fresh: bool,
    /// Whether the last decided run is reopened to ask only those that did not answer.
    pub rerun_missing: bool,
    /// The commits whose change is audited (`A..B`), where it is not the working copy as it is.
    #[serde(default)]
    pub range: Option<String>,
    /// What a spec is to be drafted or revised for, in a person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brief: Option<String>,
    /// Whether the text that is proposed for the spec is written where the verdict lets it through: a person said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopt: bool,
    /// The candidate of implement that is taken, and where it goes.
    #[serde(default)]
    pub take: Option<Take>,
    /// Stages that are left out, and why: what comes after them does not wait for them.
    #[serde(default)]
    pub skipped: Skipped,
    /// Who is not asked in this run; `None` is nobody, and whoever a run that is gone on with left out.
    #[serde(default)]
    pub without: Option<Without>,
    /// Whether the panel is not asked what stands open, whatever the config says.
    #[serde(default)]
    pub no_round: bool,
}

impl Start {
    /// Asks for stages of a spec, or goes on with its run that was stopped.
    pub fn of(spec: SpecId, stages: Vec<Stage>) -> Self {
        Self {
            spec,
            stages,
            fresh: false,
            rerun_missing: false,
            range: None,
            brief: None,
            adopt: false,
            take: None,
            skipped: Skipped::new(),
            without: None,
            no_round: false,
        }
    }
}

/// A human's decision about one claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decide {
    /// For which spec.
    pub spec: SpecId,
    /// At which stage.
    pub stage: Stage,
    /// The claim's key, or a unique beginning of it.
    pub claim: String,
    /// What was decided.
    pub choice: Choice,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What a human can decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// The objection stands, and the stage goes on all the same.
    Waive,
    /// This value holds.
    Take {
        /// The value.
        value: String,
        /// 1 or -1.
        polarity: i8,
    },
    /// The objection is upheld: the stage is rejected.
    Reject,
    /// A condition is accepted.
    Accept,
    /// A text that was merged with others is a claim of its own.
    Split,
    /// The last decision about this claim is taken back.
    Undo,
}

/// An answer about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RunMsg {
    /// What the evidence has of the spec.
    Found(Result<Found, Failure>),
    /// The run's folder is ours (or somebody else's).
    Opened(Result<(), Failure>),
    /// The gates of a checkpoint were held.
    Held(Checkpoint, Result<Arc<Held>, Failure>),
    /// The guardrails of one side of a stage were run.
    Guarded(Stage, When, Result<Arc<Report>, Failure>),
    /// Inputs were read and prompts rendered.
    Prepared(Stage, Result<Arc<Preparation>, Failure>),
    /// Records are durable, or will never be.
    Committed(CommitId, Result<Vec<FileRef>, Failure>),
    /// A turn ended.
    TurnEnded(SeatKey, TurnKind, Result<Arc<TurnEnded>, Failure>),
    /// Consensus answered. The flag tells whether it was provisional.
    Judged(Stage, bool, Result<Arc<Judgement>, Failure>),
    /// A check that a human asked for ended.
    CheckRan(lookup::Citation, Result<lookup::Found, Failure>),
    /// Hunks that were picked were built and tested.
    Tested(Result<Box<Tested>, Failure>),
    /// A candidate is where it goes, with its commit if it got one; or was taken back.
    Landed(Result<Option<String>, Failure>),
    /// What was begun and not recorded is out of the way.
    Cleared(Result<(), Failure>),
    /// Documents are written.
    Published(Stage, Result<PublishReport, Failure>),
    /// What is proposed is the spec's document, or could not be written.
    Adopted(Result<Arc<Rewritten>, Failure>),
    /// Memory has copies, or they wait.
    Mirrored(Stage, Result<MirrorReport, Failure>),
    /// The processes that were kept warm have ended; how many are left of them.
    Dismissed(Result<u32, Failure>),
    /// The run's worktrees are gone, or stay.
    Uprooted(Result<(), Failure>),
    /// The run's folder was given back.
    Released(Result<(), Failure>),
}

/// A live run of another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignRun {
    /// Of which spec.
    pub spec: SpecId,
    /// Its id.
    pub run: RunId,
    /// Who owns it.
    pub owner: LockOwner,
}

/// What the journal of another process's run tells since it was read last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ForeignNews {
    /// Who owns it; nobody once its owner is done with it or gone.
    pub owner: Option<LockOwner>,
    /// The new records with their times.
    pub records: Vec<(Moment, Record)>,
    /// How many records there are by now.
    pub seen: usize,
    /// When the last of all was written.
    pub last: Option<Moment>,
    /// Why the run is closed, if it is.
    pub closed: Option<Closed>,
    /// Who stopped it last, if nobody has gone on with it.
    pub stopped_by: Option<String>,
    /// The texts of files that the new records name, by path.
    pub texts: BTreeMap<String, Arc<str>>,
    /// What those who are asked now wrote last.
    pub progress: Vec<Progress>,
}

/// What the evidence has of a spec.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Found {
    /// A run to go on with.
    pub run: Option<FoundRun>,
    /// Hashes of documents that any run of the spec published, by path: only these may be overwritten.
    pub published: BTreeMap<String, Vec<Sha>>,
    /// The texts that hands may have begun with.
    #[serde(default)]
    pub bases: Bases,
}

/// A run in the evidence, as its journal tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundRun {
    /// Its id.
    pub run: RunId,
    /// Its records with their times.
    pub records: Vec<(Moment, Record)>,
    /// The texts of the files that records of its rounds name.
    pub rounds: BTreeMap<String, Arc<str>>,
    /// The texts of the answers that its records name.
    pub answers: Vec<(Stage, AgentName, FileRef, Arc<str>)>,
    /// The texts of the files that its changes, candidates and guardrails are in, by path.
    #[serde(default)]
    pub changes: BTreeMap<String, Arc<str>>,
    /// What each stage was opened with, the last time.
    pub inputs: BTreeMap<Stage, Inputs>,
    /// What each stage asked, the last time.
    #[serde(default)]
    pub agendas: BTreeMap<Stage, Vec<Topic>>,
    /// Which of its answers the evidence did not have.
    pub gathered: BTreeMap<Stage, Gathered>,
}

impl FoundRun {
    /// Returns the text of the file that a record of a round names.
    pub(super) fn text_of(&self, record: &Record) -> Option<&Arc<str>> {
        self.rounds.get(&record.of_round()?.path)
    }
}

/// What publishing did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PublishReport {
    /// Written, by repository-relative path.
    pub written: Vec<FileRef>,
    /// Ours was merged into what a hand had made of them.
    #[serde(default)]
    pub merged: Vec<Merge>,
    /// Left alone because a hand had edited them; ours is beside them.
    pub kept_aside: Vec<Aside>,
    /// Verdicts that were not as recorded: they made way, and are beside ours under this path.
    #[serde(default)]
    pub gave_way: Vec<FileRef>,
}

/// What mirroring did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MirrorReport {
    /// Entries that memory has.
    pub stored: u32,
    /// How many wait, and why.
    pub waiting: Option<String>,
}

/// Signals that end us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Signal {
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP.
    HangUp,
}

impl Signal {
    /// Returns the exit code of a process that this signal ends (128 + its number; the product fixes 130 for INT).
    pub fn exit(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
            Signal::HangUp => 129,
        }
    }
}
