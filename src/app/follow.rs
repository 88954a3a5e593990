//! A run that somebody else owns, as its journal tells it: records become the events that its owner tells.
//!
//! It must not know where records come from, and nothing that is done here changes a run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::event::{Event, Spent, Tokens, What};
use super::update::{counted_as, exit_of};
use crate::domain::candidate::Tried;
use crate::domain::consensus::{Inputs, Verdict};
use crate::domain::failure::AgentError;
use crate::domain::gate::Held;
use crate::domain::guardrail::Report;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::{Closed, FileRef, Record, Seat};
use crate::domain::moment::Moment;
use crate::domain::range::Ends;
use crate::domain::round::Ballot;
use crate::domain::run::{SeatKey, TurnKind};
use crate::domain::safe::Safe;
use crate::domain::stage::Stage;
use crate::domain::stream::Usage;
use crate::domain::{absent, back};

/// Exit code of a run that a key, a command or a deadline stopped.
const STOPPED: u8 = 130;

/// What is known of a run so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Follower {
    spec: SpecId,
    /// Folder of the spec, relative to the repository.
    folder: String,
    run: RunId,
    /// Stages that were asked for, or the one at hand.
    stages: Vec<Stage>,
    scripted: BTreeSet<AgentName>,
    /// Who is asked now, since when.
    asked: BTreeMap<AgentName, (SeatKey, Moment)>,
    /// Exit codes and status by stage.
    verdicts: BTreeMap<Stage, (u8, String)>,
    /// What its turns used, as far as they were seen to end.
    used: Usage,
    end: End,
}

/// How a run ended, as far as its journal tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It goes on, or its owner is gone without a word.
    Open,
    /// Somebody stopped it.
    Stopped {
        /// Key, signal or command.
        by: String,
    },
    /// It is closed.
    Closed(Closed),
}

impl Follower {
    /// Begins to follow a run of a spec whose folder is at `folder`.
    pub fn new(spec: SpecId, folder: String, run: RunId) -> Self {
        Self {
            spec,
            folder,
            run,
            stages: Vec::new(),
            scripted: BTreeSet::new(),
            asked: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            used: Usage::default(),
            end: End::Open,
        }
    }

    /// Returns who is asked now.
    pub fn asked(&self) -> impl Iterator<Item = &SeatKey> {
        self.asked.values().map(|(key, _)| key)
    }

    /// Returns how the run ended.
    pub fn end(&self) -> &End {
        &self.end
    }

    /// Returns the stage at hand.
    pub fn stage(&self) -> Option<Stage> {
        self.stages.last().copied()
    }

    /// Returns the exit code that the owner ends with; `None` while nobody knows.
    pub fn exit(&self) -> Option<u8> {
        match &self.end {
            End::Open => None,
            End::Stopped { by } => Some(match by.as_str() {
                "SIGTERM" => 143,
                "SIGHUP" => 129,
                _ => STOPPED,
            }),
            End::Closed(_) => Some(exit_of(self.verdicts.iter().map(|(stage, (exit, _))| (*stage, *exit)))),
        }
    }

    /// Takes the next record; returns what its owner told then. `text` reads a file that the record names.
    pub fn take(&mut self, at: Moment, record: &Record, text: impl Fn(&FileRef) -> Option<Arc<str>>) -> Option<Event> {
        let what = match record {
            Record::RunOpened { stages, .. } => self.started(stages.clone(), false),
            Record::RunResumed { .. } => self.started(self.stages.clone(), true),
            Record::RunReopened { stage, .. } => {
                self.verdicts.remove(stage);
                self.started(vec![*stage], true)
            }
            Record::StageOpened { stage, seats, recalled, inputs, .. } => {
                let inputs = json::<Inputs>(text(inputs)).unwrap_or_default();
                let range = Ends::of(&inputs).filter(|_| *stage == Stage::Audit).map(|ends| ends.revisions());
                self.opened(*stage, seats, recalled.len(), (range, absent::of(&inputs)))
            }
            Record::StageSkipped { stage, reason } => What::StageSkipped { stage: *stage, reason: reason.clone() },
            Record::AgentLaunched { stage, agent, attempt, kind } => self.launched(at, *stage, agent, *attempt, *kind),
            Record::AgentAnswered { stage, agent, attempt, took_ms, usage, .. } => {
                self.finished(*stage, agent, *attempt, TurnKind::Draft, (*took_ms, *usage), None)
            }
            Record::RoundAnswered { stage, agent, took_ms, usage, .. } => {
                let attempt = self.asked.get(agent).map_or(1, |(key, _)| key.attempt);
                self.finished(*stage, agent, attempt, TurnKind::Round, (*took_ms, *usage), None)
            }
            Record::AgentFailed { stage, agent, attempt, kind, error, retry_at, usage, .. } => {
                let took = self.asked.get(agent).map_or(0, |(_, since)| at.since(*since));
                self.finished(*stage, agent, *attempt, *kind, (took, *usage), Some((error, *retry_at)))
            }
            Record::RoundOpened { stage, ballot, asked, .. } => {
                let items = json::<Ballot>(text(ballot)).map_or(0, |ballot| ballot.items.len());
                What::RoundStarted { stage: *stage, items, agents: asked.clone() }
            }
            Record::StageDecided { stage, verdict, status, exit, hash, .. } => {
                self.verdicts.insert(*stage, (*exit, status.clone()));
                let verdict = json::<Verdict>(text(verdict));
                What::StageVerdict {
                    stage: *stage,
                    status: status.clone(),
                    exit: *exit,
                    hash: hash.clone(),
                    path: format!("{}/verdicts/{stage}.json", self.folder),
                    why: verdict.map(|verdict| verdict.why()).unwrap_or_default(),
                    panel_helped: None,
                    carried: Vec::new(),
                }
            }
            Record::GateHeld { checkpoint, held, .. } => What::gate_held(*checkpoint, &json::<Held>(text(held))?),
            Record::GuardrailsRan { report, passed, .. } => {
                What::GuardrailFinished { report: Arc::new(json::<Report>(text(report))?), passed: *passed }
            }
            Record::CandidatesTried { stage, report, .. } => {
                What::CandidatesTried { stage: *stage, tried: Arc::new(json::<Tried>(text(report))?) }
            }
            Record::Landed { landing, commit, .. } => What::landed(landing, commit.clone(), false),
            Record::LandingUndone { landing, .. } => What::landed(landing, None, true),
            Record::WentBack { back } => {
                self.verdicts.retain(|stage, _| back::undone().all(|undone| undone != *stage));
                What::went_back(back)
            }
            Record::RunStopped { by, survivors } => {
                self.asked.clear();
                self.end = End::Stopped { by: by.clone() };
                What::Warning { text: Safe::line(&format!("stopped by {by}, {survivors} processes left")) }
            }
            Record::RunClosed { why, .. } => {
                self.end = End::Closed(*why);
                return None;
            }
            Record::PermissionAnswered { agent, title, weight, answer, by, .. } => {
                What::permission(agent, *weight, title, *answer, by)
            }
            Record::RoundClosed { .. }
            | Record::HumanDecided { .. }
            | Record::Briefed { .. }
            | Record::PublishIntended { .. }
            | Record::Published { .. }
            | Record::Mirrored { .. }
            | Record::LandingIntended { .. }
            | Record::AgentsLeftOut { .. }
            | Record::StageElsewhere { .. } => return None,
        };
        Some(Event { at, run: Some(self.run.clone()), ask: None, what })
    }

    fn opened(
        &mut self,
        stage: Stage,
        seats: &[Seat],
        recalled: usize,
        (range, left_out): (Option<String>, Vec<String>),
    ) -> What {
        self.stages.retain(|known| *known != stage);
        self.stages.push(stage);
        self.scripted = seats.iter().filter(|seat| seat.scripted).map(|seat| seat.agent.clone()).collect();
        let agents = seats.iter().map(|seat| seat.agent.clone()).collect();
        What::StageStarted { stage, agents, recalled, range, left_out }
    }

    fn launched(&mut self, at: Moment, stage: Stage, agent: &AgentName, attempt: u32, kind: TurnKind) -> What {
        let key = SeatKey { run: self.run.clone(), stage, attempt, agent: agent.clone() };
        self.asked.insert(agent.clone(), (key, at));
        let scripted = self.scripted.contains(agent);
        What::AgentStarted { stage, agent: agent.clone(), attempt, scripted, turn: named(kind) }
    }

    /// Returns the event that ends what is told: with why and what to do, where the owner ended without a word.
    pub fn finish(&self, at: Moment, evidence: String, exit: u8, failure: Option<(String, String)>) -> Event {
        let verdicts = self.verdicts.iter().map(|(stage, (_, status))| (*stage, status.clone())).collect();
        let memory = "known to the owner".to_owned();
        let cost_micro_usd = self.used.cost_micro_usd;
        // Who pays in another way is known to the owner.
        let (on_plan, unpriced) = (Vec::new(), Vec::new());
        let spent = Tokens::of(self.used).map(|tokens| Spent { tokens, cost_micro_usd, on_plan, unpriced });
        let what = What::RunFinished { exit, verdicts, evidence: Some(evidence), memory, spent, failure };
        Event { at, run: Some(self.run.clone()), ask: None, what }
    }

    fn started(&mut self, stages: Vec<Stage>, resumed: bool) -> What {
        self.end = End::Open;
        self.asked.clear();
        self.stages.clone_from(&stages);
        What::RunStarted { spec: self.spec.clone(), stages, resumed }
    }

    fn finished(
        &mut self,
        stage: Stage,
        agent: &AgentName,
        attempt: u32,
        kind: TurnKind,
        (duration_ms, used): (u64, Usage),
        failed: Option<(&AgentError, Option<Moment>)>,
    ) -> What {
        self.asked.remove(agent);
        self.used = self.used.plus(used);
        What::AgentFinished {
            stage,
            agent: agent.clone(),
            status: failed.map_or("ok", |(error, _)| counted_as(error)).to_owned(),
            attempt,
            duration_ms,
            why: failed.map(|(error, _)| error.to_string()),
            // Whether a repair follows is not on record: what to do is told by the end of that.
            next: failed
                .filter(|(error, at)| at.is_none() && (kind != TurnKind::Draft || !has_repair(error)))
                .map(|(error, _)| error.hint(agent.as_str())),
            retry_at: failed.and_then(|(_, at)| at).map(Moment::rfc3339),
            turn: named(kind),
            tokens: Tokens::of(used),
            cost_micro_usd: used.cost_micro_usd,
        }
    }
}

/// Reads what a file of the run holds; one that cannot be read tells nothing.
fn json<T: serde::de::DeserializeOwned>(text: Option<Arc<str>>) -> Option<T> {
    serde_json::from_str(&text?).ok()
}

fn has_repair(error: &AgentError) -> bool {
    matches!(error, AgentError::NoArtifact { .. })
}

fn named(kind: TurnKind) -> Option<TurnKind> {
    match kind {
        TurnKind::Draft | TurnKind::Repair => None,
        TurnKind::Round => Some(kind),
    }
}
