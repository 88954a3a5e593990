//! The state of everything, once. The screen is drawn from it, and nothing else knows it.
//!
//! Plain data without channels or clocks: it can be compared, kept and replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::effect::{CommitId, Effect};
use super::line::Line;
use super::msg::Choice;
use crate::domain::claim::lookup::Lookups;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal;
use crate::domain::judgement::{Answer, Human, Judgement};
use crate::domain::moment::Moment;
use crate::domain::overview::Overview;
use crate::domain::preparation::Preparation;
use crate::domain::run::{Progress, SeatKey, TurnKind};
use crate::domain::safe::Safe;
use crate::domain::server;
use crate::domain::settings::{Settings, Trust};
use crate::domain::stage::Stage;
use crate::domain::transcript::Page;

/// How long a notice stays on screen, in milliseconds: long enough to read two lines.
pub const NOTICE_MS: u64 = 8_000;

/// Everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The time of this turn.
    pub now: Moment,
    /// What was fixed at start.
    pub boot: Boot,
    /// What was configured.
    pub settings: Arc<Settings>,
    /// Whether the project's config may start anything.
    pub trust: Trust,
    /// What the repository holds.
    pub survey: Load<Arc<Overview>>,
    /// Every run that this process knows.
    pub runs: BTreeMap<RunId, Run>,
    /// How many run ids were made.
    pub minted: u64,
    /// What waits for a commit.
    pub after: BTreeMap<CommitId, After>,
    /// The next commit's name.
    pub next_commit: CommitId,
    /// The MCP servers.
    pub servers: BTreeMap<String, server::Status>,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The open views, the visible one last; never empty.
    pub views: Vec<View>,
    /// What lies over the view.
    pub overlay: Option<Overlay>,
    /// The line that tells what just happened.
    pub notice: Option<Notice>,
    /// Typed commands, the latest last.
    pub history: Vec<String>,
    /// How long the last key took until its frame was written, in microseconds.
    pub key_us: Option<u64>,
    /// The exit code, once it is known that we end.
    pub quitting: Option<u8>,
    /// Whether we end as soon as no run holds anything any more.
    pub leaving: bool,
    /// Whether the program starts over right after it ended: what may run has changed.
    pub reload: bool,
}

/// What was fixed at start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Boot {
    /// Drawn once; run ids come from it.
    pub seed: u64,
    /// Our process id.
    pub pid: u32,
    /// Our version.
    pub version: String,
    /// The name of the repository's folder.
    pub repo: String,
    /// Whether this is the demonstration.
    pub demo: bool,
    /// Whether there is no screen.
    pub headless: bool,
    /// Whether a Degraded verdict may exit 0.
    pub allow_degraded: bool,
    /// Whether a Hollow verdict may exit 0.
    pub allow_hollow: bool,
    /// Whether open dissent makes the exit code 1.
    pub fail_on_dissent: bool,
    /// Coding agents by name on PATH.
    pub found_agents: Vec<String>,
    /// The name that git would sign with.
    pub user: String,
    /// Whether things may move on screen.
    pub animate: bool,
    /// Whether runs start without the question before they cost something.
    pub yes: bool,
    /// How the terminal wants things to look.
    pub look: super::look::Look,
}

/// Something that is read in the background.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Load<T> {
    /// On its way, since then.
    Loading(Moment),
    /// There.
    Ready(T),
    /// Not to be had.
    Failed(Failure),
}

impl<T> Load<T> {
    /// Returns it, if it is there.
    pub fn ready(&self) -> Option<&T> {
        match self {
            Load::Ready(value) => Some(value),
            Load::Loading(_) | Load::Failed(_) => None,
        }
    }
}

/// What happens once a commit is durable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct After {
    /// Of which run.
    pub run: RunId,
    /// What the model then shows.
    pub then: Then,
    /// What is then done.
    pub effects: Vec<Effect>,
}

/// What the model shows once a commit is durable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Then {
    /// The run is ours and journalled.
    Opened,
    /// The stage's prompts are durable: agents may be asked.
    StageOpened,
    /// The agent may be started.
    Launched(AgentName),
    /// The agent's answer is kept.
    Answered {
        /// Whose.
        agent: AgentName,
        /// Its JSON; its file is the first of the commit.
        text: Arc<str>,
        /// How long the turn took, in milliseconds.
        took_ms: u64,
    },
    /// The agent's failure is kept.
    Failed {
        /// Whose.
        agent: AgentName,
        /// What comes next for it.
        next: SeatState,
    },
    /// The verdict is kept.
    Decided(Arc<Judgement>),
    /// The documents' record is kept.
    Published,
    /// The stop is recorded.
    Stopped,
    /// The run is closed.
    Closed,
    /// A decided stage was opened again, or a decision was recorded: decide anew.
    Reopened,
    /// Nothing to show.
    Nothing,
}

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
    pub pending: Option<super::msg::Reopened>,
    /// Records that wait until the journal is ours again.
    pub unrecorded: Vec<journal::Record>,
    /// What was looked up or run.
    #[serde(with = "crate::domain::claim::lookup::as_pairs")]
    pub known: Arc<Lookups>,
    /// Recorded verdicts by stage.
    pub verdicts: BTreeMap<Stage, Arc<Judgement>>,
    /// Answers that an earlier process kept, by stage and agent.
    pub kept: BTreeMap<Stage, BTreeMap<AgentName, Answer>>,
    /// How agents failed in an earlier process, by stage.
    pub failed: BTreeMap<Stage, BTreeMap<AgentName, AgentError>>,
    /// Highest attempt per stage and agent so far.
    pub attempts: BTreeMap<Stage, BTreeMap<AgentName, u32>>,
    /// How many verdicts of each stage were recorded.
    pub decided: BTreeMap<Stage, u32>,
    /// How many times each stage was opened.
    pub openings: BTreeMap<Stage, u32>,
    /// Hash of the inputs that each stage was opened with by an earlier process.
    pub opened_with: BTreeMap<Stage, Sha>,
    /// How many copies to memory are under way.
    pub mirroring: u32,
    /// Hashes of documents that we published, by path.
    pub published: BTreeMap<String, Vec<Sha>>,
    /// Who asked it to stop.
    pub stop: Option<Stop>,
    /// Processes that were left after a sweep; anything but 0 is shown in red.
    pub survivors: u32,
    /// What became of the copies in memory.
    pub memory: MemoryState,
    /// What went wrong without changing the outcome.
    pub warnings: Vec<Safe>,
    /// Whether the journal and lock are ours now.
    pub held: bool,
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
    /// Whether its start is on record, and was told.
    pub announced: bool,
    /// Whether a fresh run follows once this one is closed: its inputs changed under it.
    pub restart: bool,
}

/// Where a run stands: which request it waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Phase {
    /// Looking for a run to go on with, and taking the lock.
    Opening,
    /// Reading inputs and rendering prompts.
    Preparing,
    /// Agents are asked.
    Asking,
    /// Consensus gathers, looks up and decides.
    Judging,
    /// The verdict is becoming durable.
    Recording,
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
}

impl Phase {
    /// Tells whether something of the run may still happen by itself.
    pub fn is_live(&self) -> bool {
        match self {
            Phase::Opening
            | Phase::Preparing
            | Phase::Asking
            | Phase::Judging
            | Phase::Recording
            | Phase::Publishing
            | Phase::Stopping => true,
            Phase::Stopped | Phase::Decided | Phase::Failed(_) => false,
        }
    }
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
    /// What it wrote last.
    pub progress: Option<Progress>,
    /// Its answer.
    pub answer: Option<Answer>,
    /// Failures so far, the latest last.
    pub errors: Vec<AgentError>,
    /// What a repair turn has to be told.
    pub repair: Option<Repair>,
    /// Whether somebody stopped this agent alone.
    pub stopped: bool,
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
    /// Answers through memory; looked for when the others are done.
    External,
}

impl SeatState {
    /// Tells whether nothing more will come from it by itself.
    pub fn is_settled(&self) -> bool {
        match self {
            SeatState::Answered | SeatState::Failed(_) | SeatState::External => true,
            SeatState::Queued(_)
            | SeatState::Launching(_)
            | SeatState::Asking(_)
            | SeatState::Keeping
            | SeatState::Waiting { .. } => false,
        }
    }
}

/// One line that tells what just happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The text.
    pub text: Safe,
    /// Whether it is bad news.
    pub bad: bool,
    /// When it goes.
    pub until: Moment,
}

/// What fills the screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum View {
    /// The repository: what was found, what `check` says, what could be asked.
    Home {
        /// The selected row: specs first, then next steps.
        cursor: usize,
    },
    /// One spec: its findings, requirements and stages.
    Spec {
        /// Which.
        spec: SpecId,
        /// The selected finding.
        cursor: usize,
    },
    /// A run: its agents, the verdict as it forms, what the selected agent writes.
    Dashboard {
        /// Which.
        run: RunId,
        /// The selected agent.
        cursor: usize,
        /// The focused pane, from 1.
        pane: u8,
        /// First claim shown in the verdict pane.
        scroll: usize,
    },
    /// Everything an agent wrote.
    Transcript(Transcript),
    /// A verdict and why.
    Verdict {
        /// Which run.
        run: RunId,
        /// Which stage.
        stage: Stage,
        /// The selected claim.
        cursor: usize,
        /// Whether agreed claims are all shown.
        all: bool,
    },
    /// A conflict: both sides, and ways to settle it.
    Conflict(Conflict),
    /// The MCP servers.
    Servers {
        /// The selected one.
        cursor: usize,
    },
    /// What would be approved.
    Trust {
        /// First line shown.
        scroll: usize,
    },
    /// All keys.
    Help {
        /// First line shown.
        scroll: usize,
    },
}

/// The transcript view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// Whose.
    pub seat: SeatKey,
    /// The visible page.
    pub page: Load<Arc<Page>>,
    /// Whether the end is followed.
    pub follow: bool,
    /// The first visible line.
    pub top: u64,
    /// What is searched for.
    pub search: Option<String>,
    /// Whether a page is on its way.
    pub reading: bool,
}

/// The conflict view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Which run.
    pub run: RunId,
    /// Which stage.
    pub stage: Stage,
    /// Key of the claim.
    pub claim: Sha,
    /// The chosen side, from 0.
    pub side: Option<usize>,
    /// The selected citation.
    pub citation: usize,
    /// The reason as typed so far.
    pub reason: Line,
    /// Whether the reason has the keys.
    pub typing: bool,
    /// What is decided once the reason is there: waived or rejected.
    pub wanted: Option<Choice>,
    /// Since when a check runs.
    pub checking: Option<Moment>,
}

/// What lies over a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Overlay {
    /// The command line.
    Command {
        /// What is typed.
        line: Line,
        /// Possible endings.
        completions: Vec<Completion>,
        /// The selected one.
        chosen: Option<usize>,
        /// What is wrong with what was entered.
        error: Option<Safe>,
        /// Position in the history while going through it.
        recalled: Option<usize>,
    },
    /// A search in a scrolling view.
    Search(Line),
    /// A question before agents that cost something are started.
    Preflight(super::msg::Start),
}

/// A possible ending of a typed command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completion {
    /// The whole line if it is taken.
    pub line: String,
    /// What it does.
    pub about: String,
}

impl Model {
    /// Makes the model of a program that has just started.
    pub fn new(now: Moment, boot: Boot, settings: Arc<Settings>, trust: Trust) -> Self {
        Self {
            now,
            boot,
            settings,
            trust,
            survey: Load::Loading(now),
            runs: BTreeMap::new(),
            minted: 0,
            after: BTreeMap::new(),
            next_commit: CommitId(1),
            servers: BTreeMap::new(),
            size: (80, 24),
            views: vec![View::Home { cursor: 0 }],
            overlay: None,
            notice: None,
            history: Vec::new(),
            key_us: None,
            quitting: None,
            leaving: false,
            reload: false,
        }
    }

    /// Returns the visible view.
    pub fn view(&self) -> &View {
        // `views` is never empty; a home view stands in if a bug made it so.
        const HOME: &View = &View::Home { cursor: 0 };
        self.views.last().unwrap_or(HOME)
    }

    /// Returns the run that the visible view shows, else the only live one.
    pub fn focused_run(&self) -> Option<&Run> {
        let shown = self.views.iter().rev().find_map(|view| match view {
            View::Dashboard { run, .. } | View::Verdict { run, .. } => Some(run),
            View::Conflict(conflict) => Some(&conflict.run),
            View::Transcript(transcript) => Some(&transcript.seat.run),
            View::Home { .. } | View::Spec { .. } | View::Servers { .. } | View::Trust { .. } | View::Help { .. } => {
                None
            }
        });
        match shown {
            Some(run) => self.runs.get(run),
            // Of several nobody can say which one is meant.
            None => Some(self.live_runs()).filter(|live| live.clone().count() == 1).and_then(|mut live| live.next()),
        }
    }

    /// Returns the runs that are live.
    pub fn live_runs(&self) -> impl Iterator<Item = &Run> + Clone {
        self.runs.values().filter(|run| run.phase.is_live())
    }

    /// Returns the live run of a spec.
    pub fn live_run_of(&self, spec: &SpecId) -> Option<&Run> {
        self.live_runs().find(|run| &run.spec == spec)
    }

    /// Tells whether something on screen moves by itself: a spinner or an elapsed time.
    pub fn is_animated(&self) -> bool {
        self.live_runs().next().is_some()
            || self.notice.is_some()
            || matches!(self.survey, Load::Loading(_))
            || self.servers.values().any(|s| matches!(s.state, server::State::Starting | server::State::Lost { .. }))
            || matches!(self.view(), View::Conflict(Conflict { checking: Some(_), .. }))
    }

    /// Returns the earliest moment at which something happens by itself, if nothing else does before.
    pub fn next_alarm(&self) -> Option<Moment> {
        let waits = self.live_runs().flat_map(|run| &run.seats).filter_map(|seat| match seat.state {
            SeatState::Waiting { until, .. } => Some(until),
            SeatState::Queued(_)
            | SeatState::Launching(_)
            | SeatState::Asking(_)
            | SeatState::Keeping
            | SeatState::Answered
            | SeatState::Failed(_)
            | SeatState::External => None,
        });
        let deadlines = self
            .live_runs()
            .filter(|run| run.stop.is_none())
            .map(|run| run.opened.plus_ms(self.settings.run.deadline_ms));
        waits.chain(deadlines).chain(self.notice.as_ref().map(|notice| notice.until)).min()
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
