//! The state of everything, once. The screen is drawn from it, and nothing else knows it.
//!
//! Plain data without channels or clocks: it can be compared, kept and replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::effect::{CommitId, Effect};
use super::outcome::AskId;
use crate::domain::acp;
use crate::domain::back::Back;
use crate::domain::candidate::Patch;
use crate::domain::failure::Failure;
use crate::domain::gate::{Checkpoint, Held};
use crate::domain::guardrail::When;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::judgement::Judgement;
use crate::domain::machine::{Machine, Spot};
use crate::domain::memory;
use crate::domain::moment::Moment;
use crate::domain::overview::Overview;
use crate::domain::safe::Safe;
use crate::domain::server;
use crate::domain::settings::{Offer, Settings, Trust};
use crate::domain::stage::Stage;

mod run;
mod view;

pub use run::{
    Basket, Decision, Gating, Kept, Lock, MemoryState, Phase, Repair, Run, RunOptions, Seat, SeatState, Stop, Warmth,
};
pub use view::{
    Completion, Conflict, GateDialog, LedgerPage, MergedTexts, Overlay, ProposalPage, Saying, Transcript, View,
    Weighed, Wording,
};

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
    /// What of a panel stands on this machine.
    #[serde(default)]
    pub machine: Machine,
    /// What the repository holds.
    pub survey: Load<Arc<Overview>>,
    /// How long each stage usually takes here, in milliseconds; empty until it is known.
    pub typical: BTreeMap<Stage, u64>,
    /// Every run that this process knows.
    pub runs: BTreeMap<RunId, Run>,
    /// What the gates said last of each spec.
    pub gates: BTreeMap<SpecId, Arc<Held>>,
    /// How many run ids were made.
    pub minted: u64,
    /// Whose request is being taken up in this very turn.
    pub asking: Option<AskId>,
    /// What waits for a commit.
    pub after: BTreeMap<CommitId, After>,
    /// The next commit's name.
    pub next_commit: CommitId,
    /// The MCP servers.
    pub servers: BTreeMap<String, server::Status>,
    /// What agents ask permission for, the one that has waited longest first.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// Until when APIs asked us to slow down, by the limit that agents share.
    #[serde(default)]
    pub limits: BTreeMap<String, Limit>,
    /// What waits for memory, and what is wrong with it besides its server's state.
    pub memory: memory::Status,
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
    /// When we end at the latest, whatever a run still holds.
    #[serde(default)]
    pub leave_by: Option<Moment>,
    /// Whether the terminal was given back for good while something was live.
    pub detached: bool,
    /// Whether the program starts over right after it ended: what may run has changed.
    pub reload: bool,
}

/// A limit of an API that agents share, at which nobody is asked for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Until when.
    pub until: Moment,
    /// Who was told.
    pub told: AgentName,
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
    /// Whether no round is held, whatever the config says.
    pub no_round: bool,
    /// Whether a Degraded verdict may exit 0.
    pub allow_degraded: bool,
    /// Whether a Hollow verdict may exit 0.
    pub allow_hollow: bool,
    /// Whether open dissent makes the exit code 1.
    pub fail_on_dissent: bool,
    /// Whether the repository has a config of its own, or one was given by hand.
    #[serde(default)]
    pub has_config: bool,
    /// Agents whose user pays for a plan, as far as the kind of their credentials tells.
    #[serde(default)]
    pub on_plan: BTreeSet<AgentName>,
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
    /// What the gates asked is kept.
    GateHeld(Checkpoint),
    /// What the guardrails came to is kept.
    Guarded(When),
    /// The agent may be started.
    Launched(AgentName),
    /// The agent's answer is kept.
    Answered {
        /// Whose.
        agent: AgentName,
        /// Its JSON; its file is the first of the commit.
        text: Arc<str>,
        /// What it changed, where it may.
        change: Option<Arc<Patch>>,
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
    /// What is asked in the round is kept: agents may be asked.
    RoundOpened,
    /// The agent's votes are kept.
    Voted {
        /// Whose.
        agent: AgentName,
        /// Their JSON; their file is the first of the commit.
        text: Arc<str>,
    },
    /// The agent's silence in the round is kept.
    Silent(AgentName),
    /// The end of the round is kept.
    RoundClosed,
    /// The verdict is kept.
    Decided(Arc<Judgement>),
    /// The documents' record is kept.
    Published,
    /// That a candidate is where it goes, or was taken back, is kept; the flag tells which.
    Landed {
        /// Its commit, if it got one.
        commit: Option<String>,
        /// Whether it was taken back.
        undone: bool,
    },
    /// That the run goes back to implement is kept.
    WentBack(Box<Back>),
    /// The stop is recorded.
    Stopped,
    /// The run is closed.
    Closed,
    /// A decided stage was opened again, or a decision was recorded: decide anew.
    Reopened,
    /// Nothing to show.
    Nothing,
}

/// A request for permission that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Permission {
    /// What is asked, and by whom.
    pub request: acp::Request,
    /// Since when.
    pub since: Moment,
    /// When it is refused, because nobody answered.
    pub until: Moment,
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

impl Model {
    /// Makes the model of a program that has just started.
    pub fn new(now: Moment, boot: Boot, settings: Arc<Settings>, trust: Trust) -> Self {
        Self {
            now,
            boot,
            settings,
            trust,
            machine: Machine::default(),
            survey: Load::Loading(now),
            typical: BTreeMap::new(),
            runs: BTreeMap::new(),
            gates: BTreeMap::new(),
            minted: 0,
            asking: None,
            after: BTreeMap::new(),
            next_commit: CommitId(1),
            servers: BTreeMap::new(),
            permissions: Vec::new(),
            limits: BTreeMap::new(),
            memory: memory::Status::default(),
            size: (80, 24),
            views: vec![View::Home { cursor: 0 }],
            overlay: None,
            notice: None,
            history: Vec::new(),
            key_us: None,
            quitting: None,
            leaving: false,
            leave_by: None,
            detached: false,
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
            View::Dashboard { run, .. } | View::Verdict { run, .. } | View::Candidates { run, .. } => Some(run),
            View::Conflict(conflict) => Some(&conflict.run),
            View::Gate(dialog) => dialog.run.as_ref(),
            View::Transcript(transcript) => Some(&transcript.seat.run),
            View::Merged(texts) => Some(&texts.run),
            View::Home { .. }
            | View::Spec { .. }
            | View::Proposal(_)
            | View::Ledger(_)
            | View::Servers { .. }
            | View::Permissions { .. }
            | View::Trust { .. }
            | View::Help { .. } => None,
        });
        match shown {
            Some(run) => self.runs.get(run),
            // Of several nobody can say which one is meant.
            None => Some(self.live_runs()).filter(|live| live.clone().count() == 1).and_then(|mut live| live.next()),
        }
    }

    /// Returns how many agents wait for approval.
    pub fn agents_waiting(&self) -> usize {
        let proposal = self.trust.proposal().filter(|_| !self.trust.is_granted());
        proposal.map_or(0, |p| p.items.iter().filter(|item| item.what.as_str().starts_with("agent")).count())
    }

    /// Tells whether a person has nobody to ask yet: then it is of use to know what stands on this machine.
    pub fn is_first_run(&self) -> bool {
        let nobody = self.settings.agents.is_empty() && self.agents_waiting() == 0;
        nobody && !self.boot.demo && !self.boot.headless
    }

    /// Returns what is looked at when the program starts.
    pub fn first_spots(&self) -> Vec<Spot> {
        if self.is_first_run() { self.machine.spots() } else { Vec::new() }
    }

    /// Returns the servers of other programs that can be approved here.
    pub fn offers(&self) -> impl Iterator<Item = &Offer> + Clone {
        self.settings.offers.iter().filter(|offer| !offer.is_approved)
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
        self.live_runs().any(|run| !matches!(run.phase, Phase::Waiting { .. }))
            || self.runs.values().any(|run| run.phase.owner().is_some())
            || self.notice.is_some()
            || matches!(self.survey, Load::Loading(_))
            || (self.is_first_run() && self.machine.is_looking())
            || self.servers.values().any(|s| matches!(s.state, server::State::Starting | server::State::Lost { .. }))
            || matches!(self.view(), View::Conflict(Conflict { checking: Some(_), .. }))
            || matches!(self.view(), View::Ledger(LedgerPage { ledger: Load::Loading(_), .. }))
    }

    /// Returns the limit that an agent shares with others, with its name, while nobody is asked because of it.
    pub fn limited(&self, agent: &AgentName) -> Option<(String, &Limit)> {
        let shared = self.settings.agents.iter().find(|known| &known.name == agent)?.shared_limit()?;
        let limit = self.limits.get(&shared).filter(|limit| limit.until > self.now)?;
        Some((shared, limit))
    }

    /// Returns the earliest moment at which something happens by itself, if nothing else does before.
    pub fn next_alarm(&self) -> Option<Moment> {
        let waits = self.live_runs().flat_map(|run| &run.seats).filter_map(|seat| match seat.state {
            SeatState::Waiting { until, .. } => Some(until),
            SeatState::Queued(_) => self.limited(&seat.who.agent).map(|(_, limit)| limit.until),
            SeatState::Launching(_)
            | SeatState::Asking(_)
            | SeatState::Keeping
            | SeatState::Answered
            | SeatState::Failed(_) => None,
        });
        let deadlines = self
            .live_runs()
            .filter(|run| run.stop.is_none() && !matches!(run.phase, Phase::Waiting { .. }))
            .map(|run| run.opened.plus_ms(self.settings.run.deadline_ms));
        let permissions = self.permissions.iter().map(|permission| permission.until);
        let own = [self.notice.as_ref().map(|notice| notice.until), self.leave_by];
        waits.chain(deadlines).chain(permissions).chain(own.into_iter().flatten()).min()
    }
}
