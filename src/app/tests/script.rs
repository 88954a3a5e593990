//! Walks the brain through whole runs, and checks after every message what must hold at any moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::world::{Play, World, overview};
use crate::app::effect::{CommitId, Effect, RunEffect};
use crate::app::event::{Event, What};
use crate::app::key::Key;
use crate::app::model::{Boot, Load, Model, Phase, Run, SeatState};
use crate::app::msg::{Input, Msg, Request, RunMsg, Start};
use crate::app::update::update;
use crate::domain::candidate::Step;
use crate::domain::ids::{AgentName, Family, RunId, SpecId};
use crate::domain::journal::Record;
use crate::domain::moment::Moment;
use crate::domain::run::TurnKind;
use crate::domain::settings::{Agent, AgentKind, Settings, Trust};
use crate::domain::stage::Stage;

pub(super) const NOW: Moment = Moment(1_795_352_000_000);

/// Effects that wait for an answer, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Find,
    Open,
    Prepare,
    Commit,
    Turn,
    Judge,
    Check,
    Land,
    Test,
    Publish,
    Mirror,
    Uproot,
    Release,
    Dismiss,
    Page,
    Ledger,
    Survey,
    Gate,
    Guard,
    Proposal,
}

/// What kind of answer an effect waits for, if any.
pub(super) fn kind(effect: &Effect) -> Option<Kind> {
    match effect {
        Effect::Survey => Some(Kind::Survey),
        Effect::ReadPage(_) => Some(Kind::Page),
        Effect::Hold { .. } | Effect::Respond { .. } => Some(Kind::Gate),
        Effect::ReadLedger(_) => Some(Kind::Ledger),
        Effect::ReadProposal(_) | Effect::Adopt { .. } | Effect::Restore { .. } => Some(Kind::Proposal),
        Effect::Run(_, effect) => match effect {
            RunEffect::Find { .. } => Some(Kind::Find),
            RunEffect::Open { .. } => Some(Kind::Open),
            RunEffect::Hold { .. } => Some(Kind::Gate),
            RunEffect::Guard { .. } => Some(Kind::Guard),
            RunEffect::Prepare { .. } => Some(Kind::Prepare),
            RunEffect::Commit { .. } => Some(Kind::Commit),
            RunEffect::TakeTurn { .. } | RunEffect::AskElsewhere { .. } => Some(Kind::Turn),
            RunEffect::Judge(_) => Some(Kind::Judge),
            RunEffect::RunCheck(_) => Some(Kind::Check),
            RunEffect::TestPicked(_) => Some(Kind::Test),
            RunEffect::Land { .. } | RunEffect::TakeBack(_) | RunEffect::Clear(_) => Some(Kind::Land),
            RunEffect::Publish { .. } => Some(Kind::Publish),
            RunEffect::Adopt { .. } => Some(Kind::Proposal),
            RunEffect::Mirror { .. } => Some(Kind::Mirror),
            RunEffect::Uproot => Some(Kind::Uproot),
            RunEffect::Release { .. } => Some(Kind::Release),
            RunEffect::Dismiss => Some(Kind::Dismiss),
            RunEffect::Warm(_)
            | RunEffect::Permit { .. }
            | RunEffect::StopSeat(_)
            | RunEffect::KillSeat(_)
            | RunEffect::Stop
            | RunEffect::Kill
            | RunEffect::KeepLate { .. } => None,
        },
        _ => None,
    }
}

/// A walk through the brain.
pub(super) struct Script {
    pub(super) model: Model,
    pub(super) world: World,
    /// Every effect so far.
    pub(super) effects: Vec<Effect>,
    /// Effects that wait for their answer, in order.
    pub(super) pending: Vec<Effect>,
    /// Kinds that `settle` leaves alone.
    pub(super) held: BTreeSet<Kind>,
    commits: BTreeSet<CommitId>,
}

pub(super) fn agent(name: &str) -> AgentName {
    AgentName::new(name).unwrap()
}

pub(super) fn spec(text: &str) -> SpecId {
    SpecId::new(text).unwrap()
}

pub(super) fn settings(agents: &[(&str, &str)]) -> Settings {
    let one = |(name, family): &(&str, &str)| {
        let kind = AgentKind::Replay { script: "script.json".into() };
        Agent::new(agent(name), Family::new(family).unwrap(), kind)
    };
    // Walks are about the panel, but for those of `checkpoints`.
    Settings { agents: agents.iter().map(one).collect(), gates: [].into(), ..Settings::default() }
}

pub(super) const THREE: [(&str, &str); 3] = [("claude", "anthropic"), ("codex", "openai"), ("gemini", "google")];

impl Script {
    /// A program with a screen, three agents and two specs.
    pub(super) fn new() -> Self {
        Self::of(settings(&THREE), false)
    }

    /// The same without a screen.
    pub(super) fn headless() -> Self {
        Self::of(settings(&THREE), true)
    }

    pub(super) fn of(settings: Settings, headless: bool) -> Self {
        let boot = Boot { seed: 7, pid: 42, version: "0.1.0".into(), user: "ana".into(), headless, ..Boot::default() };
        let mut model = Model::new(NOW, boot, Arc::new(settings), Trust::Unneeded);
        model.survey = Load::Ready(overview());
        let world = World { words: "the spec".into(), ..World::default() };
        Self { model, world, effects: vec![], pending: vec![], held: BTreeSet::new(), commits: BTreeSet::new() }
    }

    /// Another process in the same world, after the first one was killed.
    pub(super) fn reborn(&self) -> Self {
        let mut next = Self::of((*self.model.settings).clone(), self.model.boot.headless);
        next.model.now = self.model.now.plus_ms(60_000);
        next.world = self.world.clone();
        next.world.locks.clear();
        next.world.stopped.clear();
        next.world.stopped_seats.clear();
        next
    }

    pub(super) fn plays(&mut self, agent: &str, plays: impl IntoIterator<Item = Play>) -> &mut Self {
        self.world.plays.insert(agent.to_owned(), plays.into_iter().collect());
        self
    }

    /// Gives one message; returns what the brain wants done, after checking what must always hold.
    pub(super) fn send(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = update(&mut self.model, msg);
        for effect in &effects {
            self.world.hear(effect);
            if kind(effect).is_some() {
                self.pending.push(effect.clone());
            }
        }
        self.check(&effects);
        self.effects.extend(effects.iter().cloned());
        effects
    }

    pub(super) fn tick(&mut self, ms: u64) -> Vec<Effect> {
        let now = self.model.now.plus_ms(ms);
        self.send(Msg::Tick(now))
    }

    pub(super) fn key(&mut self, key: Key) -> &mut Self {
        self.send(Msg::Input(Input::Key(key)));
        self
    }

    pub(super) fn type_text(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.key(Key::Char(c));
        }
        self
    }

    /// Asks for stages of the first spec.
    pub(super) fn start(&mut self, stages: &[Stage]) -> &mut Self {
        self.start_of("001-login", stages, false, false)
    }

    pub(super) fn start_of(&mut self, name: &str, stages: &[Stage], fresh: bool, rerun_missing: bool) -> &mut Self {
        let start = Start { fresh, rerun_missing, ..Start::of(spec(name), stages.into()) };
        self.send(Msg::Asked(Request::Start(start)));
        self
    }

    /// Answers everything that is not held, in order, until nothing can be answered any more.
    pub(super) fn settle(&mut self) -> &mut Self {
        for _ in 0..2_000 {
            let next = self.pending.iter().position(|effect| {
                kind(effect).is_some_and(|kind| !self.held.contains(&kind)) && !self.is_hanging(effect)
            });
            let Some(at) = next else {
                assert_eq!(self.world.refused, Vec::<String>::new(), "{}", self.story());
                return self;
            };
            self.answer(at);
        }
        panic!("the run never comes to rest: {:?}", self.pending);
    }

    fn is_hanging(&self, effect: &Effect) -> bool {
        self.world.clone().answer(self.model.now, effect).is_none()
    }

    /// Everything that happened, in short: what a walk that fails prints.
    pub(super) fn story(&self) -> String {
        names(&self.effects).join(", ")
    }

    /// Answers the nth waiting effect, with a tick before as the shell does it.
    pub(super) fn answer(&mut self, at: usize) -> Vec<Effect> {
        let effect = self.pending[at].clone();
        let Some(msg) = self.world.answer(self.model.now, &effect) else { return Vec::new() };
        self.tick(0);
        // The tick may have asked for more, but only behind it.
        self.pending.remove(at);
        self.send(msg)
    }

    /// Answers the first waiting effect of a kind.
    pub(super) fn answer_one(&mut self, wanted: Kind) -> Vec<Effect> {
        let at = self.pending.iter().position(|effect| kind(effect) == Some(wanted));
        self.answer(at.unwrap_or_else(|| panic!("no {wanted:?} waits: {:?}", self.pending)))
    }

    /// Answers the first waiting effect of a kind in our own words.
    pub(super) fn answer_with(&mut self, wanted: Kind, msg: RunMsg) -> Vec<Effect> {
        let at = self.pending.iter().position(|effect| kind(effect) == Some(wanted));
        let effect = self.pending.remove(at.unwrap_or_else(|| panic!("no {wanted:?} waits")));
        let Effect::Run(id, _) = effect else { panic!("{effect:?} is of no run") };
        self.send(Msg::Run(id, msg))
    }

    /// Leaves a kind unanswered from here on.
    pub(super) fn hold(&mut self, kind: Kind) -> &mut Self {
        self.held.insert(kind);
        self
    }

    pub(super) fn unhold(&mut self) -> &mut Self {
        self.held.clear();
        self
    }

    /// The latest run.
    pub(super) fn run(&self) -> &Run {
        self.model.runs.values().next_back().unwrap()
    }

    pub(super) fn id(&self) -> RunId {
        self.run().id.clone()
    }

    pub(super) fn seat(&self, name: &str) -> &SeatState {
        &self.run().seat(&agent(name)).unwrap().state
    }

    pub(super) fn expect_phase(&mut self, phase: Phase) -> &mut Self {
        assert_eq!(self.run().phase, phase, "{:?}", self.model.notice);
        self
    }

    /// Events so far.
    pub(super) fn events(&self) -> Vec<&Event> {
        self.effects.iter().filter_map(|e| if let Effect::Emit(event) = e { Some(event) } else { None }).collect()
    }

    /// The exit codes that `run.finished` told.
    pub(super) fn finished(&self) -> Vec<u8> {
        let exit = |event: &&Event| if let What::RunFinished { exit, .. } = event.what { Some(exit) } else { None };
        self.events().iter().filter_map(exit).collect()
    }

    /// The exit codes that the process was told to end with.
    pub(super) fn quits(&self) -> Vec<u8> {
        self.effects.iter().filter_map(|e| if let Effect::Quit(exit) = e { Some(*exit) } else { None }).collect()
    }

    /// Who was asked, in order, with attempt.
    pub(super) fn asked(&self) -> Vec<String> {
        names(&self.effects).into_iter().filter_map(|n| n.strip_prefix("turn ").map(str::to_owned)).collect()
    }

    /// The records of the latest run that are durable, by name.
    pub(super) fn journal(&self) -> Vec<String> {
        self.world.journals[&self.id()].records.iter().map(|(_, record)| record_name(record)).collect()
    }

    /// Whether the latest run is closed in the evidence.
    pub(super) fn journal_is_closed(&self) -> bool {
        let closed = |id| {
            self.world
                .journals
                .get(id)
                .is_some_and(|j| crate::domain::journal::closed(j.records.iter().map(|(_, record)| record)).is_some())
        };
        closed(&self.id())
    }

    /// Whether an agent's draft is durable.
    pub(super) fn has_answered(&self, name: &str) -> bool {
        let mut records = self.world.journals.values().flat_map(|journal| &journal.records);
        records.any(|(_, r)| matches!(r, Record::AgentAnswered { agent, .. } if agent.as_str() == name))
    }

    pub(super) fn journal_is_empty(&self) -> bool {
        self.world.journals.values().all(|journal| journal.records.is_empty())
    }

    fn check(&mut self, effects: &[Effect]) {
        let model = &self.model;
        assert!(!model.views.is_empty(), "there is always a view");
        for run in model.live_runs() {
            let same = model.live_runs().filter(|other| other.spec == run.spec).count();
            assert_eq!(same, 1, "one live run for a spec");
            let waits = |e: &Effect| matches!(e, Effect::Run(id, _) if id == &run.id);
            let is_due = |state: &SeatState| matches!(state, SeatState::Waiting { .. } | SeatState::Queued(_));
            let asks = matches!(run.phase, Phase::Waiting { .. });
            let moves = asks || self.pending.iter().any(waits) || run.seats.iter().any(|seat| is_due(&seat.state));
            assert!(
                moves,
                "run {} is live, and nothing will happen to it: {:?}, {}",
                run.id.short(),
                run.phase,
                self.story()
            );
        }
        for effect in effects {
            let Effect::Run(id, effect) = effect else { continue };
            match effect {
                RunEffect::Commit { id: commit, .. } => {
                    assert!(self.commits.insert(*commit), "commit {commit:?} is used twice");
                    assert!(model.after.contains_key(commit), "nothing waits for {commit:?}");
                }
                RunEffect::TakeTurn { seat, .. } => {
                    let run = &model.runs[id];
                    assert!(run.stop.is_none() && run.phase == Phase::Asking, "{seat:?} is asked in a stopped run");
                    assert_eq!(run.seat(&seat.agent).map(|s| s.attempt), Some(seat.attempt));
                }
                _ => {}
            }
            assert!(model.runs.contains_key(id), "{effect:?} is for a run that is not there");
        }
        let waiting = self.pending.iter().filter(|e| kind(e) == Some(Kind::Commit)).count();
        assert!(model.after.len() <= waiting, "something waits for a commit that nobody answers");
    }
}

fn record_name(record: &Record) -> String {
    let json = serde_json::to_value(record).unwrap();
    json["type"].as_str().unwrap().to_owned()
}

/// Effects in short: enough to compare the order of a whole walk.
pub(super) fn names(effects: &[Effect]) -> Vec<String> {
    let name = |effect: &Effect| match effect {
        Effect::Survey => "survey".to_owned(),
        Effect::Look(spot) => format!("look at {spot:?}"),
        Effect::Init => "init".to_owned(),
        Effect::Run(_, effect) => match effect {
            RunEffect::Find { closed, .. } => if *closed { "find closed" } else { "find" }.to_owned(),
            RunEffect::Open { abandon, .. } => if abandon.is_some() { "abandon, open" } else { "open" }.to_owned(),
            RunEffect::Hold { at, .. } => format!("hold {}", at.name()),
            RunEffect::Guard { stage, when, .. } => format!("guard {} {stage}", when.word()),
            RunEffect::Prepare { stage, .. } => format!("prepare {stage}"),
            RunEffect::Commit { records, .. } => {
                format!("commit {}", records.iter().map(record_name).collect::<Vec<_>>().join(" "))
            }
            RunEffect::TakeTurn { seat, kind, .. } => {
                format!(
                    "turn {} {}{}",
                    seat.agent,
                    seat.attempt,
                    match kind {
                        TurnKind::Draft => "",
                        TurnKind::Repair => " repair",
                        TurnKind::Round => " round",
                    }
                )
            }
            RunEffect::AskElsewhere { seat, .. } => format!("ask {} elsewhere", seat.agent),
            RunEffect::Warm(agents) => format!("warm {}", agents.len()),
            RunEffect::Permit { seat, number, answer } => format!("permit {} {number} {answer:?}", seat.agent),
            RunEffect::Dismiss => "dismiss".to_owned(),
            RunEffect::StopSeat(seat) => format!("stop {}", seat.agent),
            RunEffect::KillSeat(seat) => format!("kill {}", seat.agent),
            RunEffect::Stop => "stop".to_owned(),
            RunEffect::Kill => "kill".to_owned(),
            RunEffect::Judge(question) => if question.provisional { "judge provisionally" } else { "judge" }.to_owned(),
            RunEffect::RunCheck(_) => "check".to_owned(),
            RunEffect::TestPicked(_) => "test".to_owned(),
            RunEffect::TakeBack(_) => "take back".to_owned(),
            RunEffect::Clear(_) => "clear".to_owned(),
            RunEffect::Land { step, .. } => if *step == Step::Put { "land" } else { "take back" }.to_owned(),
            RunEffect::Publish { .. } => "publish".to_owned(),
            RunEffect::Adopt { by, .. } => format!("adopt by {by}"),
            RunEffect::Mirror { .. } => "mirror".to_owned(),
            RunEffect::KeepLate { .. } => "keep late".to_owned(),
            RunEffect::Uproot => "uproot".to_owned(),
            RunEffect::Release { .. } => "release".to_owned(),
        },
        Effect::Hold { spec, .. } => format!("hold {spec}"),
        Effect::Respond { response, .. } => format!("respond {}", response.issue),
        Effect::ReadProposal(spec) => format!("read proposal {spec}"),
        Effect::Adopt { by, .. } => format!("adopt by {by}"),
        Effect::Restore { by, .. } => format!("restore by {by}"),
        Effect::Create(text) => format!("create {text}"),
        Effect::Report(spec) => format!("report {spec}"),
        Effect::ReadPage(_) => "read page".to_owned(),
        Effect::ReadLedger(_) => "read ledger".to_owned(),
        Effect::RestartServer(name) => format!("restart {name}"),
        Effect::DrainSpool => "drain".to_owned(),
        Effect::Emit(event) => serde_json::to_value(&event.what).unwrap()["type"].as_str().unwrap().to_owned(),
        Effect::Answer(ask, _) => format!("answer {}", ask.0),
        Effect::Suspend => "suspend".to_owned(),
        Effect::OpenEditor { path, .. } => format!("edit {path}"),
        Effect::Copy(text) => format!("copy {text}"),
        Effect::Approve => "approve".to_owned(),
        Effect::DumpRecording => "dump".to_owned(),
        Effect::Quit(exit) => format!("quit {exit}"),
        Effect::ApproveServer(name) => format!("approve server {name}"),
        Effect::Detach => "detach".to_owned(),
        Effect::FollowForeign { seen, .. } => format!("follow {seen}"),
        Effect::AskOwner(spec) => format!("ask the owner of {spec}"),
    };
    effects.iter().map(name).collect()
}
