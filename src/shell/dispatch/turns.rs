//! Turns of agents: what is started or called for each, where it works, and its end.
//!
//! It must not decide who is asked, nor when.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::super::inbox::Pending;
use super::super::spoken;
use super::Dispatch;
use crate::actors::Reply;
use crate::actors::mcp::memory;
use crate::actors::repo::worktrees::Plot;
use crate::app::model::Model;
use crate::app::update::charge;
use crate::domain::acp::Answer;
use crate::domain::budget::Charge;
use crate::domain::candidate::{Landing, Step};
use crate::domain::failure::{AgentError, Failure};
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::launch;
use crate::domain::memory::Subject;
use crate::domain::round;
use crate::domain::run::{self, Launch, SeatKey, Turn, TurnKind, Wanted};
use crate::domain::settings::{Agent, AgentKind, Settings};
use crate::domain::stream::{Session, Transport};

/// What a turn is asked.
pub(super) struct Asked {
    pub(super) kind: TurnKind,
    pub(super) prompt: Arc<str>,
    pub(super) wanted: Wanted,
    pub(super) session: Option<Session>,
}

impl Dispatch {
    pub(super) fn take_turn(&mut self, model: &Model, seat: &SeatKey, asked: Asked) -> Reply<run::TurnEnded> {
        let Asked { kind, prompt, wanted, session } = asked;
        let agent = model.settings.agents.iter().find(|agent| agent.name == seat.agent);
        if let Some((agent, AgentKind::Api(service))) = agent.map(|agent| (agent, &agent.kind)) {
            let mut limits = limits(agent);
            if kind == TurnKind::Round {
                limits.total_ms = limits.total_ms.min(round::TURN_MS);
            }
            let call = run::Call {
                seat: seat.clone(),
                kind,
                service: service.clone(),
                model: agent.model.clone().unwrap_or_default(),
                max_output_tokens: agent.max_output_tokens,
                repo: self.places.repo.to_string_lossy().into_owned(),
                prompt,
                wanted,
                session,
                purse: purse(model, seat, agent),
                limits,
            };
            let (stop, kill) = self.seat_tokens(seat);
            return self.hands.agents.call(call, stop, kill);
        }
        let plot = self.plot(model, seat, kind);
        let worktree = plot.as_ref().map(Plot::path);
        let launch = agent.and_then(|agent| {
            self.launch(&model.settings, agent, seat, &wanted, (session.as_ref(), worktree.as_deref()))
        });
        let (session, used_before) = session.map(|session| (Some(session.id), session.used)).unwrap_or_default();
        let (stop, kill) = self.seat_tokens(seat);
        match launch {
            Some(mut launch) => {
                if kind == TurnKind::Round {
                    launch.limits.total_ms = launch.limits.total_ms.min(round::TURN_MS);
                }
                let turn = Turn { seat: seat.clone(), kind, launch, prompt, wanted, session, used_before };
                match plot {
                    Some(plot) => self.take_turn_in(plot, turn, stop, kill),
                    None => self.hands.agents.take_turn(turn, stop, kill),
                }
            }
            None => {
                let error = AgentError::Protocol { why: "it is not started by us".into() };
                let failure = Failure::Agent { agent: seat.agent.clone(), error };
                self.job(async move { Err(failure) })
            }
        }
    }

    /// Takes a turn in a worktree of its own: it is made before, and read after. A writer that takes more room than it may
    /// is stopped while it writes, and what it wrote is taken away.
    fn take_turn_in(
        &self,
        plot: Plot,
        turn: Turn,
        stop: CancellationToken,
        kill: CancellationToken,
    ) -> Reply<run::TurnEnded> {
        let (repo, agents, root) = (self.hands.repo.clone(), self.hands.agents.clone(), self.places.repo.clone());
        let token = self.hands.scope.cancel.clone();
        self.job(async move {
            repo.plant(root.clone(), plot.clone(), stop.clone()).await?;
            // A program that is kept warm stays in the folder.
            let stays = matches!(turn.launch.transport, Transport::Acp(_));
            let (halt, over) = (stop.child_token(), CancellationToken::new());
            let _over = over.clone().drop_guard();
            let mut watching = repo.outgrows(plot.clone(), over);
            let mut taking = agents.take_turn(turn, halt.clone(), kill);
            let (is_overgrown, mut ended) = tokio::select! {
                biased;
                ended = &mut taking => (false, ended?),
                grown = &mut watching => {
                    // Who cannot be measured is left to the look after its turn.
                    let grown = grown.unwrap_or(false);
                    if grown {
                        halt.cancel();
                    }
                    (grown, taking.await?)
                }
            };
            if is_overgrown {
                let error = AgentError::Overgrown { mb: plot.quota >> 20 };
                ended.outcome = Err(run::TurnFailed { error, repair: None });
                // What it did stays what it did, whatever becomes of its tree.
                if let Err(failure) = repo.fell(root, plot, stays, token).await {
                    tracing::warn!(%failure, "what an agent wrote stays");
                }
            } else if ended.outcome.is_ok() {
                ended.patch = Some(Arc::new(repo.reap(root, plot, token).await?));
            }
            Ok(ended)
        })
    }

    /// Returns where an agent that may write works; nothing where it may not.
    fn plot(&self, model: &Model, seat: &SeatKey, kind: TurnKind) -> Option<Plot> {
        let agent = model.settings.agents.iter().find(|agent| agent.name == seat.agent)?;
        let run = model.runs.get(&seat.run)?;
        let preparation = run.preparation.as_ref()?;
        // What an earlier process left is gone on with; what a failed attempt of this one left is half done.
        let before = run.attempts.get(&seat.stage).and_then(|tried| tried.get(&seat.agent)).copied().unwrap_or(0);
        let is_another_try = kind == TurnKind::Draft && seat.attempt > before + 1;
        agent.writes.contains(&seat.stage).then(|| Plot {
            run: seat.run.clone(),
            agent: seat.agent.clone(),
            base: preparation.inputs.commit.clone().unwrap_or_default(),
            afresh: is_another_try,
            start: preparation.start.clone(),
            folder: self.worktrees(model),
            quota: model.settings.worktrees.quota_mb << 20,
            apart: vec![".dicast/".to_owned(), format!("{}/", preparation.spec.dir)],
        })
    }

    /// Removes the worktrees of a run.
    pub(super) fn uproot(&self, model: &Model, id: &RunId, token: CancellationToken) -> Reply<()> {
        self.hands.repo.uproot(self.places.repo.clone(), self.worktrees(model), id.clone(), token)
    }

    /// Takes back what landed and removes the worktrees of its try: those of the next one start with that change. Done
    /// twice it is done once, and what was begun is done to its end, also while the run is being stopped.
    pub(super) fn take_back(&self, model: &Model, id: RunId, landing: Landing) -> Pending {
        let (repo, root, token) = (self.hands.repo.clone(), self.places.repo.clone(), self.hands.scope.cancel.clone());
        let uprooting = self.uproot(model, &id, token.clone());
        let taken = self.job(async move {
            uprooting.await?;
            repo.land(root, landing, Step::TakeBack, token).await
        });
        Pending::Landed(id, taken)
    }

    /// Returns the folder of all worktrees.
    pub(super) fn worktrees(&self, model: &Model) -> PathBuf {
        self.places.repo.join(&model.settings.worktrees.root)
    }

    /// Makes the tokens that stop and kill one agent's turn.
    fn seat_tokens(&mut self, seat: &SeatKey) -> (CancellationToken, CancellationToken) {
        let tokens = self.tokens(&seat.run);
        let (stop, kill) = (tokens.stop.child_token(), tokens.kill.child_token());
        tokens.seats.insert(seat.clone(), (stop.clone(), kill.clone()));
        (stop, kill)
    }

    /// Asks a participant elsewhere, for as long as its turn may take.
    pub(super) fn ask_elsewhere(
        &mut self,
        model: &Model,
        seat: &SeatKey,
        subject: Subject,
        prompt: Arc<str>,
        wanted: Wanted,
    ) -> Reply<run::TurnEnded> {
        let agent = model.settings.agents.iter().find(|agent| agent.name == seat.agent);
        let total_ms = agent.map(|agent| agent.timeouts).unwrap_or_default().total_ms;
        let (stop, _) = self.seat_tokens(seat);
        let turn = memory::Turn { seat: seat.clone(), subject, prompt, wanted, total_ms };
        self.hands.memory.take_turn(turn, stop)
    }

    /// Starts those who are kept warm; what goes wrong is told by their turns.
    pub(super) fn warm(&self, model: &Model, run: &RunId, agents: &[AgentName]) {
        for agent in model.settings.agents.iter().filter(|agent| agents.contains(&agent.name)) {
            if let AgentKind::Command(of) = &agent.kind {
                let launch = spoken::launch(&self.places, &model.settings, run, (agent, limits(agent)), (of, None));
                // The answer only tells that it was tried.
                drop(self.hands.agents.warm(run.clone(), agent.name.clone(), launch));
            }
        }
    }

    pub(super) fn permit(&self, seat: SeatKey, number: u64, answer: Answer) -> Pending {
        Pending::Quiet("answer a request for permission", self.hands.agents.permit(seat, number, answer))
    }

    /// Ends those who are kept warm for a run.
    pub(super) fn dismiss(&mut self, run: RunId) -> Pending {
        let kill = self.tokens(&run).kill.clone();
        Pending::Dismissed(run.clone(), self.hands.agents.dismiss(run, kill))
    }

    /// Gives a run's lock back, once nothing that was kept warm for it is there any more, nor its worktrees where they
    /// are removed. What cannot be removed is told in the log.
    pub(super) fn release(&mut self, spec: SpecId, id: &RunId, uprooting: Option<Reply<()>>) -> Reply<()> {
        let kill = self.tokens(id).kill.clone();
        let (dismissing, evidence, id) =
            (self.hands.agents.dismiss(id.clone(), kill), self.hands.evidence.clone(), id.clone());
        self.job(async move {
            match dismissing.await {
                Ok(0) => {}
                Ok(left) => tracing::error!(%left, "processes of agents are still there"),
                Err(failure) => tracing::warn!(%failure, "agents were not ended"),
            }
            if let Some(uprooting) = uprooting
                && let Err(failure) = uprooting.await
            {
                tracing::warn!(%failure, "worktrees of a run stay");
            }
            evidence.close_run(spec, id).await
        })
    }

    /// What to start for an agent; `None` for one that is not started here.
    fn launch(
        &self,
        settings: &Settings,
        agent: &Agent,
        seat: &SeatKey,
        wanted: &Wanted,
        (session, worktree): (Option<&Session>, Option<&Path>),
    ) -> Option<Launch> {
        let limits = limits(agent);
        let cwd = self.places.repo.to_string_lossy().into_owned();
        match &agent.kind {
            AgentKind::Command(of) if agent.manner().is_some() => {
                Some(spoken::launch(&self.places, settings, &seat.run, (agent, limits), (of, worktree)))
            }
            AgentKind::Command(of) => {
                // The same for every turn of a seat: some programs keep sessions by folder.
                let private = self.places.private.join(format!("{}-{}-{}", seat.run, seat.stage, seat.agent));
                let places = launch::Places { repo: &self.places.repo, worktree, private: &private };
                Some(launch::launch(of, places, limits, wanted, session))
            }
            AgentKind::Replay { script } => {
                let script = self.places.repo.join(script).to_string_lossy().into_owned();
                let program = self.places.program.to_string_lossy().into_owned();
                let speed = self.places.speed.clone();
                let command = vec![
                    program,
                    "play".into(),
                    script,
                    "--agent".into(),
                    agent.name.to_string(),
                    "--speed".into(),
                    speed,
                ];
                Some(Launch {
                    command,
                    env: BTreeMap::new(),
                    env_pass: Vec::new(),
                    cwd,
                    transport: Transport::Text,
                    private: None,
                    limits,
                })
            }
            AgentKind::Api(_) | AgentKind::Memory => None,
        }
    }
}

/// What a turn of an agent with a price may cost its run.
fn purse(model: &Model, seat: &SeatKey, agent: &Agent) -> Option<run::Purse> {
    let Charge::Priced(price) = charge(model, agent) else { return None };
    let set_aside = model.runs.get(&seat.run).and_then(|run| run.seat(&seat.agent)).map_or(0, |seat| seat.set_aside);
    Some(run::Purse { price, left_micro_usd: set_aside })
}

/// Our deadlines for a turn of an agent.
fn limits(agent: &Agent) -> run::Limits {
    let timeouts = agent.timeouts;
    run::Limits {
        start_ms: timeouts.start_ms,
        first_event_ms: timeouts.first_event_ms,
        idle_ms: timeouts.idle_ms,
        total_ms: timeouts.total_ms,
        kill_grace_ms: timeouts.kill_grace_ms,
        ..run::Limits::default()
    }
}
