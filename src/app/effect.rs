//! Everything that the brain wants done.
//!
//! Plain data: no channels, tokens or closures. The shell's dispatch turns each into one request to one actor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Event;
use super::outcome::{AskId, Outcome};
use crate::domain::acp::Answer;
use crate::domain::agenda::Topic;
use crate::domain::back::Back;
use crate::domain::candidate::{Landing, Picked, Step};
use crate::domain::claim::lookup::Citation;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::gate::{Checkpoint, Gate, Response};
use crate::domain::guardrail::When;
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::Record;
use crate::domain::judgement::{Judgement, Question};
use crate::domain::machine::Spot;
use crate::domain::memory;
use crate::domain::run::{SeatKey, TurnKind, Wanted};
use crate::domain::skip::Skipped;
use crate::domain::stage::Stage;
use crate::domain::stream::Session;
use crate::domain::transcript::PageRequest;

/// Names one commit, so that what waits for it can be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitId(pub u64);

/// Something to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Effect {
    /// Read and check the repository.
    Survey,
    /// Look at something on this machine.
    Look(Spot),
    /// Write the first config of the repository, from what was found.
    Init,
    /// Do something for a run.
    Run(RunId, RunEffect),
    /// Tell what the journal of another process's run has beyond the records that were seen.
    FollowForeign {
        /// Of which spec.
        spec: SpecId,
        /// Which run.
        run: RunId,
        /// How many records were seen.
        seen: usize,
    },
    /// Ask the process that owns the live run of a spec to stop it.
    AskOwner(SpecId),
    /// Hold gates over a spec, for the dialog.
    Hold {
        /// The spec.
        spec: SpecId,
        /// Which gates.
        gates: BTreeSet<Gate>,
    },
    /// Carry out what a person said about a question, and hold the gates again.
    Respond {
        /// The spec.
        spec: SpecId,
        /// Which gates.
        gates: BTreeSet<Gate>,
        /// What was said.
        response: Response,
    },
    /// Read what is proposed for a spec's document.
    ReadProposal(SpecId),
    /// Put the proposed text in the place of a spec's document.
    Adopt {
        /// The spec.
        spec: SpecId,
        /// Hash of the text that was looked at.
        seen: Sha,
        /// Who says so.
        by: String,
    },
    /// Give a spec's document the text back that it had before.
    Restore {
        /// The spec.
        spec: SpecId,
        /// Who says so.
        by: String,
    },
    /// Make the folder of a new spec.
    Create(String),
    /// Write the report of a spec as a page.
    Report(SpecId),
    /// Read a page of a transcript.
    ReadPage(PageRequest),
    /// Read a spec's ledger.
    ReadLedger(SpecId),
    /// Start a server again.
    RestartServer(String),
    /// Copy to memory what waits for it.
    DrainSpool,
    /// Tell programs and plain readers (ignored by the TUI).
    Emit(Event),
    /// Answer a program's request: it is over, or was refused.
    Answer(AskId, Result<Arc<Outcome>, Failure>),
    /// Open a file at a line in the user's editor.
    OpenEditor {
        /// Relative to the repository.
        path: String,
        /// From 1.
        line: Option<u32>,
    },
    /// Give the terminal back to the shell until it continues us; what runs goes on running.
    Suspend,
    /// Give the terminal back for good; what runs goes on without a screen.
    Detach,
    /// Put text on the clipboard.
    Copy(String),
    /// Approve the project's config and checks as they were shown.
    Approve,
    /// Approve a server that another program is configured with, as it was shown.
    ApproveServer(String),
    /// Write a snapshot of the model and the messages since, for a bug report.
    DumpRecording,
    /// End with this exit code.
    Quit(u8),
}

/// Something to do for a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RunEffect {
    /// Look for a run of the spec that was not closed (or, with `closed`, the last one that opened the stage).
    Find {
        /// The spec.
        spec: SpecId,
        /// Whether a closed run will do.
        closed: bool,
        /// The stage that is asked for.
        stage: Stage,
    },
    /// Take the run's lock and folder.
    Open {
        /// The spec.
        spec: SpecId,
        /// Another run of the spec that will not be continued: it is closed before, under the same lock.
        abandon: Option<RunId>,
    },
    /// Hold the gates of a checkpoint.
    Hold {
        /// The spec.
        spec: SpecId,
        /// When in the run.
        at: Checkpoint,
        /// Which gates.
        gates: BTreeSet<Gate>,
    },
    /// Run the guardrails of one side of a stage.
    Guard {
        /// The spec.
        spec: SpecId,
        /// The stage.
        stage: Stage,
        /// Which side.
        when: When,
    },
    /// Read inputs and render prompts.
    Prepare {
        /// The spec.
        spec: SpecId,
        /// The stage.
        stage: Stage,
        /// Who will be asked.
        roster: Vec<AgentName>,
        /// The commits whose change it is about (`A..B`), if it is one.
        range: Option<String>,
        /// What a spec is to be drafted or revised for, in a person's words.
        brief: Option<String>,
        /// Stages that were left out, and why.
        skipped: Skipped,
        /// Who of the stage's agents was left out by a person, each with its family.
        left_out: Vec<String>,
        /// What was asked, of a stage that is only decided anew.
        agenda: Option<Vec<Topic>>,
        /// Why the stage is done again, where the run went back to it.
        back: Option<Box<Back>>,
    },
    /// Make files and records durable.
    Commit {
        /// Its name.
        id: CommitId,
        /// The spec.
        spec: SpecId,
        /// Files of the run, by relative path.
        files: Vec<(String, Arc<str>)>,
        /// Records that follow them.
        records: Vec<Record>,
    },
    /// Ask a participant elsewhere, through memory.
    AskElsewhere {
        /// Who.
        seat: SeatKey,
        /// What it is about.
        subject: memory::Subject,
        /// What it is asked.
        prompt: Arc<str>,
        /// What it is to bring.
        wanted: Wanted,
    },
    /// Ask an agent.
    TakeTurn {
        /// Who.
        seat: SeatKey,
        /// What for.
        kind: TurnKind,
        /// What it is told.
        prompt: Arc<str>,
        /// What it is to bring.
        wanted: Wanted,
        /// The session that it goes on with.
        session: Option<Session>,
    },
    /// Start the processes of agents that are kept warm, before they are asked.
    Warm(Vec<AgentName>),
    /// Answer an agent's request for permission.
    Permit {
        /// Who asked.
        seat: SeatKey,
        /// Which of its requests.
        number: u64,
        /// The answer.
        answer: Answer,
    },
    /// End the processes that are kept warm.
    Dismiss,
    /// Ask one agent to stop, then kill it after the grace.
    StopSeat(SeatKey),
    /// Kill one agent now.
    KillSeat(SeatKey),
    /// Stop everything that the run has in flight.
    Stop,
    /// Kill everything that the run has in flight.
    Kill,
    /// Gather, look up, decide.
    Judge(Box<Question>),
    /// Run a check that a human asked for.
    RunCheck(Citation),
    /// Write documents and the verdict into the spec's folder.
    Publish {
        /// The stage.
        stage: Stage,
        /// What was decided.
        judgement: Arc<Judgement>,
        /// Hashes of what we published before, by path: only these may be overwritten.
        ours: BTreeMap<String, Vec<Sha>>,
    },
    /// Put the proposed text in the place of the spec's document: a person said so before it was there.
    Adopt {
        /// The spec.
        spec: SpecId,
        /// Hash of the proposed text.
        seen: Sha,
        /// Who says so.
        by: String,
    },
    /// Build and test hunks that were picked.
    TestPicked(Box<Picked>),
    /// Put a candidate where it goes, or take it back from there.
    Land {
        /// Which one, and where.
        landing: Box<Landing>,
        /// What is done about it.
        step: Step,
    },
    /// Take a candidate that did not pass back from the working copy, and remove the worktrees of its try.
    TakeBack(Box<Landing>),
    /// Take back what a process that was killed had put there and did not come to record.
    Clear(Box<Landing>),
    /// Copy to memory.
    Mirror {
        /// The stage.
        stage: Stage,
        /// The entries.
        entries: Vec<memory::Entry>,
    },
    /// Keep a late answer apart.
    KeepLate {
        /// The spec.
        spec: SpecId,
        /// File name and text.
        file: (String, Arc<str>),
        /// What became of it.
        error: Option<AgentError>,
    },
    /// Remove the run's worktrees: what came of them is kept.
    Uproot,
    /// Write the manifest and give the lock back.
    Release {
        /// The spec.
        spec: SpecId,
        /// Whether its worktrees are removed before: what came of them is kept.
        uproot: bool,
    },
}
