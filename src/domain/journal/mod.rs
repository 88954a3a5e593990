//! The journal's records: what happened in a run, in the order in which it became durable.
//!
//! The hash chain is in [`chain`], what `evidence verify` concludes in [`verification`], the manifest in
//! [`manifest`], a run in one line in [`summary`], what is kept of a run that was taken away in [`tombstone`], what was
//! told to others in [`anchor`], what a hand began with in [`base`], what `verify` concludes about both in [`absence`], how much room it takes in [`sizes`].
//! It must not know files.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::acp::{self, Weight};
use super::back::Back;
use super::candidate::Landing;
use super::failure::AgentError;
use super::gate::Checkpoint;
use super::guardrail::When;
use super::hash::Sha;
use super::ids::{AgentName, Family, SpecId};
use super::memory::Note;
use super::moment::Moment;
use super::range::Ends;
use super::run::TurnKind;
use super::safe::Safe;
use super::stage::Stage;
use super::stream::{Session, Usage};

pub mod absence;
pub mod anchor;
pub mod base;
pub mod chain;
pub mod manifest;
pub mod sizes;
pub mod summary;
pub mod tombstone;
pub mod verification;

/// A file of the run, by path relative to the run's folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Relative path with `/`.
    pub path: String,
    /// Hash of its bytes.
    pub sha256: Sha,
    /// Length in bytes.
    pub bytes: u64,
}

impl FileRef {
    /// Names a file of the run by what it says.
    pub fn of((path, text): &(String, Arc<str>)) -> Self {
        Self { path: path.clone(), sha256: Sha::of(text.as_bytes()), bytes: text.len() as u64 }
    }
}

/// One participant as the stage opened with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Who.
    pub agent: AgentName,
    /// Its family.
    pub family: Family,
    /// Whether it is played from a script.
    pub scripted: bool,
    /// Whether it answers through memory.
    pub external: bool,
}

/// Where an answer came from that was not given in a turn of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A participant elsewhere put it into memory.
    Memory,
}

/// Why a run was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// Every stage asked for has its verdict.
    Decided,
    /// It cannot go on.
    Failed,
    /// The spec changed under it.
    Stale,
    /// The user asked for a fresh run.
    Abandoned,
}

impl Closed {
    /// Returns it in words, after "closed".
    pub fn words(self) -> &'static str {
        match self {
            Closed::Decided => "decided",
            Closed::Failed => "it could not go on",
            Closed::Stale => "its inputs changed",
            Closed::Abandoned => "another was started in its place",
        }
    }
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// The run began.
    RunOpened {
        /// For which spec.
        spec: SpecId,
        /// The stages asked for.
        stages: Vec<Stage>,
        /// Version of the program.
        version: String,
        /// Process id of the owner.
        pid: u32,
    },
    /// Another process took the run up again.
    RunResumed {
        /// Version of the program.
        version: String,
        /// Process id of the owner.
        pid: u32,
    },
    /// A stage began: what it judges, who sits, what they are asked.
    StageOpened {
        /// Which stage.
        stage: Stage,
        /// Who sits.
        seats: Vec<Seat>,
        /// Everything the verdict will be bound to.
        inputs: FileRef,
        /// The prompt of each seat.
        prompts: Vec<FileRef>,
        /// What agents are told of earlier runs: part of the prompts, and of nothing that is hashed into a verdict.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        recalled: Vec<Note>,
    },
    /// Gates were held.
    GateHeld {
        /// When in the run.
        checkpoint: Checkpoint,
        /// What they asked, and what had been put off.
        held: FileRef,
        /// How many critical questions were open.
        critical: u32,
    },
    /// Guardrails were run.
    GuardrailsRan {
        /// Which stage.
        stage: Stage,
        /// On which side of it.
        when: When,
        /// Whether nothing failed.
        passed: bool,
        /// What was run.
        report: FileRef,
    },
    /// A stage was done elsewhere: what came of it is there, and is what the stage that was opened judges.
    StageElsewhere {
        /// Which stage.
        stage: Stage,
        /// The commits that hold it.
        range: Ends,
        /// Hash of the diff between them.
        diff_sha256: Sha,
        /// How many files it changes.
        files: u32,
    },
    /// A person said what the spec is drafted or revised for.
    Briefed {
        /// In their words.
        brief: String,
    },
    /// A person left a stage out.
    StageSkipped {
        /// Which stage.
        stage: Stage,
        /// Why.
        reason: String,
    },
    /// A person left agents out of the run: they count as not asked. A later record replaces an earlier one.
    AgentsLeftOut {
        /// Who.
        agents: Vec<AgentName>,
        /// Git name of the person.
        by: String,
    },
    /// An agent is about to be started.
    AgentLaunched {
        /// Which stage.
        stage: Stage,
        /// Who.
        agent: AgentName,
        /// Which try, from 1.
        attempt: u32,
        /// What for.
        kind: TurnKind,
    },
    /// An agent answered; the answer is kept.
    AgentAnswered {
        /// Which stage.
        stage: Stage,
        /// Who.
        agent: AgentName,
        /// Which try.
        attempt: u32,
        /// Its artifact.
        artifact: FileRef,
        /// What it wrote.
        raw: FileRef,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// What it used, as far as it said.
        #[serde(default, skip_serializing_if = "Usage::is_none")]
        usage: Usage,
        /// Its session, to go on with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<Session>,
        /// Where it came from, if not from a turn of ours.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
        /// What it changed, where it may write.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        change: Option<FileRef>,
    },
    /// The candidates were tried.
    CandidatesTried {
        /// Which stage.
        stage: Stage,
        /// What became of each.
        report: FileRef,
        /// What the test runs wrote.
        outputs: Vec<FileRef>,
    },
    /// A candidate is about to be put where it goes.
    LandingIntended {
        /// Which stage.
        stage: Stage,
        /// Which one, and where.
        landing: Landing,
    },
    /// A candidate is where it goes.
    Landed {
        /// Which stage.
        stage: Stage,
        /// Which one, and where.
        landing: Landing,
        /// Its commit, where it got one.
        commit: Option<String>,
    },
    /// A candidate was taken back from where it went.
    LandingUndone {
        /// Which stage.
        stage: Stage,
        /// Which one, and where.
        landing: Landing,
    },
    /// Validate did not pass, and the run goes back to implement: what landed is taken back, and both are done again.
    WentBack {
        /// Which try begins, and from what.
        back: Box<Back>,
    },
    /// A turn ended without an artifact.
    AgentFailed {
        /// Which stage.
        stage: Stage,
        /// Who.
        agent: AgentName,
        /// Which try.
        attempt: u32,
        /// What for.
        kind: TurnKind,
        /// Why.
        error: AgentError,
        /// What it wrote.
        raw: Option<FileRef>,
        /// When it is asked again, if it is.
        retry_at: Option<Moment>,
        /// What the turn used, as far as it said.
        #[serde(default, skip_serializing_if = "Usage::is_none")]
        usage: Usage,
    },
    /// An agent asked for permission, and was answered.
    PermissionAnswered {
        /// Which stage.
        stage: Stage,
        /// Who.
        agent: AgentName,
        /// Which try.
        attempt: u32,
        /// What it wanted, in its words.
        title: Safe,
        /// What kind of thing that is.
        weight: Weight,
        /// What it was answered.
        answer: acp::Answer,
        /// By whom, or by which rule.
        by: String,
    },
    /// The panel is about to be asked what stands open.
    RoundOpened {
        /// Which stage.
        stage: Stage,
        /// What it is asked.
        ballot: FileRef,
        /// Who is asked: one of each family.
        asked: Vec<AgentName>,
        /// The prompt of each.
        prompts: Vec<FileRef>,
    },
    /// An agent voted; from now on its votes count.
    RoundAnswered {
        /// Which stage.
        stage: Stage,
        /// Who.
        agent: AgentName,
        /// Its votes.
        votes: FileRef,
        /// What it wrote.
        raw: FileRef,
        /// How long it took, in milliseconds.
        took_ms: u64,
        /// What the turn used, as far as it said.
        #[serde(default, skip_serializing_if = "Usage::is_none")]
        usage: Usage,
        /// Whether it voted in a new session, because the one that its answer came from could not be gone on with.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        anew: bool,
    },
    /// Everybody who was asked has voted or stays silent: the round is never held again.
    RoundClosed {
        /// Which stage.
        stage: Stage,
        /// Who voted.
        answered: Vec<AgentName>,
        /// Who did not.
        silent: Vec<AgentName>,
    },
    /// The stage was decided.
    StageDecided {
        /// Which stage.
        stage: Stage,
        /// What was decided on.
        panel: FileRef,
        /// The verdict.
        verdict: FileRef,
        /// Its status by name.
        status: String,
        /// Its exit code.
        exit: u8,
        /// Its hash. Written under another name, because `hash` is the line's own.
        #[serde(rename = "verdict_hash")]
        hash: Sha,
    },
    /// A human chose, waived or rejected; undone while a later record of the same claim replaces it.
    HumanDecided {
        /// Which stage.
        stage: Stage,
        /// Key of the claim.
        claim: Sha,
        /// What was decided, as JSON.
        decision: serde_json::Value,
        /// Git name of the human.
        by: String,
        /// Why.
        reason: String,
    },
    /// Documents are about to be written.
    PublishIntended {
        /// Which stage.
        stage: Stage,
        /// Repository-relative path and hash of each.
        documents: Vec<FileRef>,
        /// The texts of those that a hand may edit, by that path: kept in the run's folder, to merge with.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        texts: BTreeMap<String, FileRef>,
    },
    /// Documents were written.
    Published {
        /// Which stage.
        stage: Stage,
        /// Repository-relative path and hash of each that was written.
        documents: Vec<FileRef>,
        /// Documents that a hand had edited: left alone, ours is beside them.
        kept_aside: Vec<FileRef>,
        /// Documents that a hand had edited, and that ours was merged into: what stands there now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        merged: Vec<FileRef>,
    },
    /// Memory has, or will get, copies.
    Mirrored {
        /// Which stage.
        stage: Stage,
        /// How many entries were stored.
        stored: u32,
        /// Why the rest waits, if some does.
        waiting: Option<String>,
    },
    /// Somebody stopped the run. It is not closed by that.
    RunStopped {
        /// Key, signal or command.
        by: String,
        /// Processes left after the sweep.
        survivors: u32,
    },
    /// A decided run was opened again.
    RunReopened {
        /// Which stage.
        stage: Stage,
        /// Why.
        why: String,
    },
    /// The run is over.
    RunClosed {
        /// Why.
        why: Closed,
        /// Processes of its turns that were left after their sweeps; nothing where nobody looked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        survivors: Option<u32>,
    },
}

impl Record {
    /// Returns what a turn used whose end this record tells.
    pub fn used(&self) -> Option<(Stage, &AgentName, Usage)> {
        if let Record::AgentAnswered { stage, agent, usage, .. }
        | Record::AgentFailed { stage, agent, usage, .. }
        | Record::RoundAnswered { stage, agent, usage, .. } = self
        {
            Some((*stage, agent, *usage))
        } else {
            None
        }
    }

    /// Returns the file that a round goes on with: what is asked, or an agent's votes.
    pub fn of_round(&self) -> Option<&FileRef> {
        if let Record::RoundOpened { ballot: file, .. } | Record::RoundAnswered { votes: file, .. } = self {
            Some(file)
        } else {
            None
        }
    }

    /// Returns the file that implement and validate go on with: what an agent changed, what became of the candidates, what
    /// guardrails said.
    pub fn of_change(&self) -> Option<&FileRef> {
        if let Record::AgentAnswered { change: Some(file), .. }
        | Record::CandidatesTried { report: file, .. }
        | Record::GuardrailsRan { report: file, .. } = self
        {
            Some(file)
        } else {
            None
        }
    }

    /// Returns the files of the run's folder that this record names; documents of the repository are not among them.
    pub fn files(&self) -> Vec<&FileRef> {
        match self {
            Record::StageOpened { inputs: first, prompts, .. } | Record::RoundOpened { ballot: first, prompts, .. } => {
                std::iter::once(first).chain(prompts).collect()
            }
            Record::AgentAnswered { artifact, raw, change, .. } => [artifact, raw].into_iter().chain(change).collect(),
            Record::RoundAnswered { votes, raw, .. } => vec![votes, raw],
            Record::CandidatesTried { report, outputs, .. } => std::iter::once(report).chain(outputs).collect(),
            Record::AgentFailed { raw, .. } => raw.iter().collect(),
            Record::GateHeld { held: file, .. } | Record::GuardrailsRan { report: file, .. } => vec![file],
            Record::StageDecided { panel, verdict, .. } => vec![panel, verdict],
            Record::PublishIntended { texts, .. } => texts.values().collect(),
            Record::RunOpened { .. }
            | Record::RunResumed { .. }
            | Record::StageElsewhere { .. }
            | Record::LandingIntended { .. }
            | Record::Landed { .. }
            | Record::LandingUndone { .. }
            | Record::WentBack { .. }
            | Record::StageSkipped { .. }
            | Record::AgentsLeftOut { .. }
            | Record::Briefed { .. }
            | Record::AgentLaunched { .. }
            | Record::PermissionAnswered { .. }
            | Record::RoundClosed { .. }
            | Record::HumanDecided { .. }
            | Record::Published { .. }
            | Record::Mirrored { .. }
            | Record::RunStopped { .. }
            | Record::RunReopened { .. }
            | Record::RunClosed { .. } => Vec::new(),
        }
    }

    /// Returns the same files as [`Record::files`], to be corrected by who wrote them.
    pub fn files_mut(&mut self) -> Vec<&mut FileRef> {
        match self {
            Record::StageOpened { inputs: first, prompts, .. } | Record::RoundOpened { ballot: first, prompts, .. } => {
                std::iter::once(first).chain(prompts).collect()
            }
            Record::AgentAnswered { artifact, raw, change, .. } => [artifact, raw].into_iter().chain(change).collect(),
            Record::RoundAnswered { votes, raw, .. } => vec![votes, raw],
            Record::CandidatesTried { report, outputs, .. } => std::iter::once(report).chain(outputs).collect(),
            Record::AgentFailed { raw, .. } => raw.iter_mut().collect(),
            Record::GateHeld { held: file, .. } | Record::GuardrailsRan { report: file, .. } => vec![file],
            Record::StageDecided { panel, verdict, .. } => vec![panel, verdict],
            Record::PublishIntended { texts, .. } => texts.values_mut().collect(),
            Record::RunOpened { .. }
            | Record::RunResumed { .. }
            | Record::StageElsewhere { .. }
            | Record::LandingIntended { .. }
            | Record::Landed { .. }
            | Record::LandingUndone { .. }
            | Record::WentBack { .. }
            | Record::StageSkipped { .. }
            | Record::AgentsLeftOut { .. }
            | Record::Briefed { .. }
            | Record::AgentLaunched { .. }
            | Record::PermissionAnswered { .. }
            | Record::RoundClosed { .. }
            | Record::HumanDecided { .. }
            | Record::Published { .. }
            | Record::Mirrored { .. }
            | Record::RunStopped { .. }
            | Record::RunReopened { .. }
            | Record::RunClosed { .. } => Vec::new(),
        }
    }
}

/// Returns the stage that a run ends with, if it has decided that one and nothing but its end is missing.
pub fn lacks_its_end<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<Stage> {
    let (mut last, mut at_end) = (None, false);
    for record in records {
        match record {
            Record::RunOpened { stages, .. } => last = stages.last().copied(),
            Record::StageDecided { stage, .. } => at_end = Some(*stage) == last,
            Record::StageOpened { .. }
            | Record::RunReopened { .. }
            | Record::RunStopped { .. }
            | Record::RunClosed { .. }
            | Record::WentBack { .. } => at_end = false,
            Record::RunResumed { .. }
            | Record::GateHeld { .. }
            | Record::GuardrailsRan { .. }
            | Record::StageElsewhere { .. }
            | Record::StageSkipped { .. }
            | Record::AgentsLeftOut { .. }
            | Record::Briefed { .. }
            | Record::AgentLaunched { .. }
            | Record::AgentAnswered { .. }
            | Record::CandidatesTried { .. }
            | Record::LandingIntended { .. }
            | Record::Landed { .. }
            | Record::LandingUndone { .. }
            | Record::AgentFailed { .. }
            | Record::PermissionAnswered { .. }
            | Record::RoundOpened { .. }
            | Record::RoundAnswered { .. }
            | Record::RoundClosed { .. }
            | Record::HumanDecided { .. }
            | Record::PublishIntended { .. }
            | Record::Published { .. }
            | Record::Mirrored { .. } => {}
        }
    }
    last.filter(|_| at_end)
}

/// Returns why a run is closed: its last `run_closed` record, unless a `run_reopened` came after it.
pub fn closed<'a>(records: impl IntoIterator<Item = &'a Record>) -> Option<Closed> {
    let mut why = None;
    for record in records {
        if let Record::RunClosed { why: last, .. } = record {
            why = Some(*last);
        } else if let Record::RunReopened { .. } = record {
            why = None;
        }
    }
    why
}
