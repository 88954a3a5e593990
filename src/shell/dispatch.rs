//! Effects become requests: one effect, one request to one actor, one answer to wait for.
//!
//! It owns the token tree: root → run → seat. A cancel goes down the tokens and never through a mailbox, so it cannot
//! queue behind work. It must not decide anything.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::foreign::Foreign;
use super::guard::guarded;
use super::hands::{Hands, Places, redactor};
use super::inbox::{Inbox, Pending};
use super::{own, spoken};
use crate::actors::evidence::{self, Commit, Document, NewFile};
use crate::actors::mcp::memory;
use crate::actors::repo::guardrails::{Cuts, Watch};
use crate::actors::repo::worktrees::Plot;
use crate::actors::{Reply, promise};
use crate::app::effect::{Effect, RunEffect};
use crate::app::model::Model;
use crate::app::msg::{Found, FoundRun, MirrorReport, PublishReport};
use crate::app::update::charge;
use crate::domain::acp::Answer;
use crate::domain::agenda::Topic;
use crate::domain::budget::Charge;
use crate::domain::consensus::Inputs;
use crate::domain::dissent::{self, Entry, Ledger};
use crate::domain::failure::{AgentError, DiskError, Failure};
use crate::domain::guardrail::{Report, When};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::{self, Closed, Record};
use crate::domain::judgement::Judgement;
use crate::domain::launch;
use crate::domain::memory::{Entry as Copy, Note, Subject};
use crate::domain::moment::Moment;
use crate::domain::preparation::{Ask, Preparation};
use crate::domain::prompt;
use crate::domain::round;
use crate::domain::run::{self, Launch, SeatKey, Turn, TurnKind, Wanted};
use crate::domain::server;
use crate::domain::settings::{self, Agent, AgentKind, Settings};
use crate::domain::skip::Skipped;
use crate::domain::stage::Stage;
use crate::domain::stream::{Session, Transport};

/// Sends requests and keeps their tokens.
#[derive(Debug)]
pub struct Dispatch {
    hands: Hands,
    places: Places,
    foreign: Foreign,
    runs: BTreeMap<RunId, Tokens>,
}

/// What stops the parts of one run.
#[derive(Debug, Clone)]
struct Tokens {
    /// Asks everything to stop.
    stop: CancellationToken,
    /// Ends everything now.
    kill: CancellationToken,
    seats: BTreeMap<SeatKey, (CancellationToken, CancellationToken)>,
}

/// What a turn is asked.
struct Asked {
    kind: TurnKind,
    prompt: Arc<str>,
    wanted: Wanted,
    session: Option<Session>,
}

impl Dispatch {
    /// Makes a dispatch over running actors.
    pub fn new(hands: Hands, places: Places) -> Self {
        let foreign = Foreign::new(&hands, places.repo.clone());
        Self { hands, places, foreign, runs: BTreeMap::new() }
    }

    /// Returns the actors.
    pub fn hands(&self) -> &Hands {
        &self.hands
    }

    /// Sends the request that an effect asks for.
    pub fn perform(&mut self, effect: Effect, model: &Model, inbox: &mut Inbox) {
        match effect {
            Effect::Survey => {
                let reply = self.hands.repo.survey(self.places.repo.clone(), self.hands.scope.cancel.clone());
                inbox.expect(Pending::Survey(reply));
                inbox.expect(Pending::Runs(self.foreign.recall()));
            }
            Effect::Run(id, effect) => self.perform_for(&id, effect, model, inbox),
            Effect::FollowForeign { spec, run, seen } => {
                let reply = self.foreign.follow(spec, run.clone(), seen);
                inbox.expect(Pending::Foreign(run, reply));
            }
            Effect::AskOwner(spec) => inbox.expect(Pending::Noted(self.foreign.ask_owner(spec))),
            Effect::Hold { spec, gates } => {
                let reply = self.hands.scribe.hold(spec.clone(), gates, self.hands.scope.cancel.clone());
                inbox.expect(Pending::Held(spec, reply));
            }
            Effect::Respond { spec, gates, response } => {
                let token = self.hands.scope.cancel.clone();
                let reply = self.hands.scribe.respond(spec.clone(), gates, response, model.now, token);
                inbox.expect(Pending::Held(spec, reply));
            }
            Effect::Create(text) => {
                let reply = self.hands.scribe.create(text, model.now, self.hands.scope.cancel.clone());
                inbox.expect(Pending::Created(reply));
            }
            Effect::Report(spec) => {
                let (scope, children) = (self.hands.scope.clone(), self.hands.children.clone());
                let stop = scope.cancel.clone();
                let writing = own::report((scope, children), self.places.clone(), spec, stop);
                inbox.expect(Pending::Noted(self.job(writing)));
            }
            Effect::ReadPage(request) => inbox.expect(Pending::Page(self.hands.transcript.page(request))),
            Effect::ReadLedger(spec) => inbox.expect(Pending::Ledger(spec.clone(), self.read_ledger(spec))),
            Effect::RestartServer(name) => {
                inbox.expect(Pending::Quiet("restart a server", self.hands.mcp.restart(name)));
            }
            Effect::DrainSpool => {
                let copied = self.hands.memory.drain(DRAIN_MS, self.hands.scope.cancel.clone());
                inbox.expect(Pending::Quiet("copy to memory what waits for it", self.quiet(copied)));
            }
            Effect::Approve => inbox.expect(Pending::Approved(self.approve(model))),
            Effect::ApproveServer(name) => inbox.expect(Pending::Approved(self.approve_server(model, &name))),
            // The loop itself does these.
            Effect::Emit(_)
            | Effect::Answer(..)
            | Effect::OpenEditor { .. }
            | Effect::Suspend
            | Effect::Detach
            | Effect::Copy(_)
            | Effect::DumpRecording
            | Effect::Quit(_) => {}
        }
    }

    fn tokens(&mut self, id: &RunId) -> &mut Tokens {
        let root = &self.hands.scope.cancel;
        self.runs.entry(id.clone()).or_insert_with(|| Tokens {
            stop: root.child_token(),
            kill: root.child_token(),
            seats: BTreeMap::new(),
        })
    }

    fn perform_for(&mut self, id: &RunId, effect: RunEffect, model: &Model, inbox: &mut Inbox) {
        let now = model.now;
        let root = self.hands.scope.cancel.clone();
        let stop = self.tokens(id).stop.clone();
        let id = id.clone();
        match effect {
            RunEffect::Find { spec, closed, stage } => {
                // A run that is continued gets fresh tokens.
                self.runs.remove(&id);
                inbox.expect(Pending::Found(id, self.find(spec, closed, stage, root)));
            }
            RunEffect::Open { spec, abandon } => {
                self.runs.remove(&id);
                inbox.expect(Pending::Opened(id.clone(), self.open(spec, id, abandon, now)));
            }
            RunEffect::Hold { spec, at, gates } => {
                inbox.expect(Pending::Gated(id, at, self.hands.scribe.hold(spec, gates, stop)));
            }
            RunEffect::Guard { spec, stage, when } => {
                let kill = self.tokens(&id).kill.clone();
                let reply = self.guard(model, (spec, stage, when), Cuts { stop, kill });
                inbox.expect(Pending::Guarded(id, stage, when, reply));
            }
            RunEffect::Prepare { spec, stage, roster, range, skipped, agenda } => {
                let reply = self.prepare(model, (spec, stage), (range, skipped, agenda), &roster, stop);
                inbox.expect(Pending::Prepared(id, stage, reply));
            }
            RunEffect::Commit { id: commit, spec, files, records } => {
                let files = files.into_iter().map(|(path, bytes)| NewFile { path, bytes }).collect();
                let request = Commit { spec, run: id.clone(), at: now, files, records };
                // What is to be kept is kept, also while the run is being stopped.
                inbox.expect(Pending::Committed(id, commit, self.hands.evidence.commit(request, root)));
            }
            RunEffect::AskElsewhere { seat, subject, prompt, wanted } => {
                let reply = self.ask_elsewhere(model, &seat, subject, prompt, wanted);
                inbox.expect(Pending::Turn(seat, TurnKind::Draft, reply));
            }
            RunEffect::TakeTurn { seat, kind, prompt, wanted, session } => {
                let reply = self.take_turn(model, &seat, Asked { kind, prompt, wanted, session });
                inbox.expect(Pending::Turn(seat, kind, reply));
            }
            RunEffect::Warm(agents) => self.warm(model, &id, &agents),
            RunEffect::Permit { seat, number, answer } => inbox.expect(self.permit(seat, number, answer)),
            RunEffect::Dismiss => inbox.expect(self.dismiss(id)),
            RunEffect::StopSeat(seat) => self.tokens(&id).seats.get(&seat).iter().for_each(|(stop, _)| stop.cancel()),
            RunEffect::KillSeat(seat) => self.tokens(&id).seats.get(&seat).iter().for_each(|(_, kill)| kill.cancel()),
            RunEffect::Stop => stop.cancel(),
            RunEffect::Kill => {
                stop.cancel();
                self.tokens(&id).kill.cancel();
            }
            RunEffect::Judge(question) => {
                let (stage, provisional) = (question.preparation.stage, question.provisional);
                let settings = Arc::clone(&model.settings);
                let reply = self.hands.consensus.judge(*question, settings, stop);
                inbox.expect(Pending::Judged(id, stage, provisional, reply));
            }
            RunEffect::RunCheck(citation) => {
                let checks = model.settings.checks.clone();
                let reply = self.hands.repo.run_check(self.places.repo.clone(), checks, citation.clone(), stop);
                inbox.expect(Pending::Checked(id, citation, reply));
            }
            RunEffect::Land { landing, back } => {
                // What was begun is done to its end, also while the run is being stopped.
                let landed = self.hands.repo.land(self.places.repo.clone(), *landing, back, root);
                inbox.expect(Pending::Landed(id, landed));
            }
            RunEffect::Publish { stage, judgement, ours } => {
                let reply = self.publish(model, &id, stage, &judgement, &ours);
                inbox.expect(Pending::Published(id, stage, reply));
            }
            RunEffect::Mirror { stage, entries } => {
                inbox.expect(Pending::Mirrored(id, stage, self.mirror(model, entries, stop)));
            }
            RunEffect::KeepLate { spec, file: (path, bytes), .. } => {
                let late = self.hands.evidence.late(spec, id, NewFile { path, bytes }, root);
                inbox.expect(Pending::Quiet("keep a late answer", self.quiet(late)));
            }
            RunEffect::Release { spec, uproot } => {
                let uprooting = uproot.then(|| self.uproot(model, &id, root));
                let reply = self.release(spec, &id, uprooting);
                inbox.expect(Pending::Released(id, reply));
            }
        }
    }

    /// Starts a job of our own whose answer is awaited like an actor's.
    fn job<T: Send + 'static>(&self, work: impl Future<Output = Result<T, Failure>> + Send + 'static) -> Reply<T> {
        let (promise, reply) = promise("dispatch", self.hands.scope.waker());
        self.hands.scope.answer(self.hands.scope.cancel.clone(), promise, work);
        reply
    }

    fn quiet<T: Send + 'static>(&self, reply: Reply<T>) -> Reply<()> {
        self.job(async move { reply.await.map(drop) })
    }

    /// Finds a run to go on with, and reads the answers that it kept.
    fn find(&self, spec: SpecId, closed: bool, stage: Stage, token: CancellationToken) -> Reply<Found> {
        let (evidence, consensus) = (self.hands.evidence.clone(), self.hands.consensus.clone());
        self.job(async move {
            let mut found = Found::default();
            for summary in evidence.runs(Some(spec.clone()), token.clone()).await? {
                let records = evidence.records(spec.clone(), summary.run.clone(), token.clone()).await?;
                for (_, record) in &records {
                    // What was about to be written when we were killed is ours, too.
                    if let Record::Published { documents, .. } | Record::PublishIntended { documents, .. } = record {
                        for document in documents {
                            found.published.entry(document.path.clone()).or_default().push(document.sha256.clone());
                        }
                    }
                }
                let only = || records.iter().map(|(_, record)| record);
                let is_wanted = if closed {
                    only().any(|record| matches!(record, Record::StageOpened { stage: opened, .. } if *opened == stage))
                } else {
                    !records.is_empty() && journal::closed(only()).is_none()
                };
                if found.run.is_none() && is_wanted {
                    let gathering = consensus.gather(spec.clone(), summary.run.clone(), records.clone(), token.clone());
                    let (answers, gathered) = gathering.await?;
                    let rounds = rounds(&evidence, &spec, &summary.run, &records, &token).await?;
                    let changes = changes(&evidence, &spec, &summary.run, &records, &token).await?;
                    let inputs = inputs(&evidence, &spec, &summary.run, &records, &token).await?;
                    let agendas = agendas(&evidence, &spec, &summary.run, &records, &token).await?;
                    let run = summary.run;
                    found.run = Some(FoundRun { run, records, rounds, answers, changes, inputs, agendas, gathered });
                }
            }
            Ok(found)
        })
    }

    /// Takes a run's lock and folder; a run that it replaces is closed first, or the two would meet at the lock.
    fn open(&self, spec: SpecId, run: RunId, abandon: Option<RunId>, at: Moment) -> Reply<()> {
        let (evidence, token) = (self.hands.evidence.clone(), self.hands.scope.cancel.clone());
        self.job(async move {
            if let Some(run) = abandon {
                evidence.open_run(spec.clone(), run.clone(), at, token.clone()).await?;
                let records = vec![Record::RunClosed { why: Closed::Abandoned }];
                let commit = Commit { spec: spec.clone(), run: run.clone(), at, files: Vec::new(), records };
                evidence.commit(commit, token.clone()).await?;
                evidence.close_run(spec.clone(), run).await?;
            }
            let opened = evidence.open_run(spec, run, at, token).await?;
            if opened.cut_bytes > 0 || !opened.set_aside.is_empty() {
                tracing::warn!(
                    cut = opened.cut_bytes,
                    aside = opened.set_aside.len(),
                    "the journal was torn, and is mended"
                );
            }
            Ok(())
        })
    }

    /// Prepares a stage from the working copy and the spec's ledger.
    fn prepare(
        &self,
        model: &Model,
        (spec, stage): (SpecId, Stage),
        (range, skipped, agenda): (Option<String>, Skipped, Option<Vec<Topic>>),
        roster: &[AgentName],
        token: CancellationToken,
    ) -> Reply<Arc<Preparation>> {
        let mut ask = Ask {
            roster: self.roles(model, roster),
            context: model.settings.context.files.clone(),
            config: settings::config_sha256(&model.settings).ok(),
            checks: model.settings.checks.keys().cloned().collect(),
            commit: None,
            entries: Vec::new(),
            recalled: Vec::new(),
            change: None,
            skipped,
            agenda,
            spec,
            stage,
        };
        let recalling = self.recall(model, &ask.spec, token.clone());
        let (evidence, repo, root) = (self.hands.evidence.clone(), self.hands.repo.clone(), self.places.repo.clone());
        let cut = token.clone();
        let work = async move {
            ask.entries = ledger(&evidence, &ask.spec, &token).await?;
            ask.recalled = match recalling.await {
                Ok(notes) => notes,
                Err(Failure::Cancelled) => return Err(Failure::Cancelled),
                Err(failure) => {
                    tracing::info!(%failure, "nothing is recalled from memory");
                    Vec::new()
                }
            };
            repo.prepare(root, ask, range, token).await
        };
        self.job(async move { cut.run_until_cancelled(work).await.unwrap_or(Err(Failure::Cancelled)) })
    }

    /// Runs guardrails, and keeps what they wrote in the evidence. Their run is not over before their processes are.
    fn guard(&self, model: &Model, (spec, stage, when): (SpecId, Stage, When), cuts: Cuts) -> Reply<Report> {
        let (repo, evidence) = (self.hands.repo.clone(), self.hands.evidence.clone());
        let rails = model.settings.guardrails.get(&stage).cloned().unwrap_or_default();
        let watch = Watch { spec, stage, when, rails, at: model.now, redactor: redactor(&model.settings) };
        let work = guarded((repo, evidence), self.places.repo.clone(), watch, cuts);
        let (promise, reply) = promise("guardrails", self.hands.scope.waker());
        self.hands.scope.spawn(async move { promise.keep(work.await) });
        reply
    }

    /// Reads the ledger of a spec for the screen.
    fn read_ledger(&self, spec: SpecId) -> Reply<Arc<Ledger>> {
        let (evidence, repo, root) = (self.hands.evidence.clone(), self.hands.repo.clone(), self.places.repo.clone());
        let token = self.hands.scope.cancel.clone();
        self.job(async move {
            let entries = ledger(&evidence, &spec, &token).await?;
            repo.ledger(root, spec, entries, token).await
        })
    }

    /// Recalls what other specs' runs have to tell about one like this; an absent memory tells nothing.
    fn recall(&self, model: &Model, spec: &SpecId, token: CancellationToken) -> Reply<Vec<Note>> {
        let title = model.survey.ready().and_then(|survey| survey.spec(spec)).map(|found| found.spec.title.as_str());
        let about = format!("{spec} {}", title.unwrap_or_default());
        self.hands.memory.recall(spec.clone(), about, RECALL_MS, token)
    }

    fn roles(&self, model: &Model, roster: &[AgentName]) -> Vec<(AgentName, Option<String>)> {
        let role =
            |name: &AgentName| model.settings.agents.iter().find(|a| &a.name == name).and_then(|a| a.role.clone());
        roster.iter().map(|name| (name.clone(), role(name))).collect()
    }

    fn take_turn(&mut self, model: &Model, seat: &SeatKey, asked: Asked) -> Reply<run::TurnEnded> {
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
        let plot = self.plot(model, seat);
        let worktree = plot.as_ref().map(Plot::path);
        let launch = agent.and_then(|agent| {
            self.launch(&model.settings, agent, seat, &wanted, (session.as_ref(), worktree.as_deref()))
        });
        let used_before = session.map(|session| session.used).unwrap_or_default();
        let (stop, kill) = self.seat_tokens(seat);
        match launch {
            Some(mut launch) => {
                if kind == TurnKind::Round {
                    launch.limits.total_ms = launch.limits.total_ms.min(round::TURN_MS);
                }
                let turn = Turn { seat: seat.clone(), kind, launch, prompt, wanted, used_before };
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

    /// Takes a turn in a worktree of its own: it is made before, and read after.
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
            let mut ended = agents.take_turn(turn, stop, kill).await?;
            if ended.outcome.is_ok() {
                ended.patch = Some(Arc::new(repo.reap(root, plot, token).await?));
            }
            Ok(ended)
        })
    }

    /// Returns where an agent that may write works; nothing where it may not.
    fn plot(&self, model: &Model, seat: &SeatKey) -> Option<Plot> {
        let agent = model.settings.agents.iter().find(|agent| agent.name == seat.agent)?;
        let preparation = model.runs.get(&seat.run)?.preparation.as_ref()?;
        agent.writes.contains(&seat.stage).then(|| Plot {
            run: seat.run.clone(),
            agent: seat.agent.clone(),
            base: preparation.inputs.commit.clone().unwrap_or_default(),
            folder: self.worktrees(model),
            quota: model.settings.worktrees.quota_mb << 20,
            apart: vec![".dicast/".to_owned(), format!("{}/", preparation.spec.dir)],
        })
    }

    /// Removes the worktrees of a run.
    fn uproot(&self, model: &Model, id: &RunId, token: CancellationToken) -> Reply<()> {
        self.hands.repo.uproot(self.places.repo.clone(), self.worktrees(model), id.clone(), token)
    }

    /// Returns the folder of all worktrees.
    fn worktrees(&self, model: &Model) -> PathBuf {
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
    fn ask_elsewhere(
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
    fn warm(&self, model: &Model, run: &RunId, agents: &[AgentName]) {
        for agent in model.settings.agents.iter().filter(|agent| agents.contains(&agent.name)) {
            if let AgentKind::Command(of) = &agent.kind {
                let launch = spoken::launch(&self.places, &model.settings, run, (agent, limits(agent)), of);
                // The answer only tells that it was tried.
                drop(self.hands.agents.warm(run.clone(), agent.name.clone(), launch));
            }
        }
    }

    fn permit(&self, seat: SeatKey, number: u64, answer: Answer) -> Pending {
        Pending::Quiet("answer a request for permission", self.hands.agents.permit(seat, number, answer))
    }

    /// Ends those who are kept warm for a run.
    fn dismiss(&mut self, run: RunId) -> Pending {
        let kill = self.tokens(&run).kill.clone();
        Pending::Dismissed(run.clone(), self.hands.agents.dismiss(run, kill))
    }

    /// Gives a run's lock back, once nothing that was kept warm for it is there any more, nor its worktrees where they
    /// are removed. What cannot be removed is told in the log.
    fn release(&mut self, spec: SpecId, id: &RunId, uprooting: Option<Reply<()>>) -> Reply<()> {
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
                Some(spoken::launch(&self.places, settings, &seat.run, (agent, limits), of))
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

    fn publish(
        &self,
        model: &Model,
        id: &RunId,
        stage: Stage,
        judgement: &Judgement,
        ours: &BTreeMap<String, Vec<Sha>>,
    ) -> Reply<PublishReport> {
        let Some(run) = model.runs.get(id) else { return self.job(async { Err(Failure::Cancelled) }) };
        let documents = judgement
            .documents
            .iter()
            .map(|(path, bytes)| {
                let ours = ours.get(path).cloned().unwrap_or_default();
                Document { path: path.clone(), bytes: Arc::clone(bytes), ours }
            })
            .collect();
        let token = self.hands.scope.cancel.clone();
        let (spec, at, evidence) = (run.spec.clone(), model.now, self.hands.evidence.clone());
        let reply = evidence.publish(spec.clone(), at, documents, token.clone());
        let standing = judgement.standing.clone();
        tracing::debug!(%stage, "publishing");
        self.job(async move {
            let report = reply.await?;
            if let Some(standing) = standing {
                let due = standing.due(&ledger(&evidence, &spec, &token).await?);
                if !due.is_empty() {
                    let records = due.iter().map(serde_json::to_value).collect::<Result<_, _>>();
                    let records =
                        records.map_err(|e| Failure::BadReply { from: "the ledger".into(), why: e.to_string() })?;
                    evidence.append_ledger(spec, at, records, token).await?;
                }
            }
            Ok(PublishReport { written: report.written, kept_aside: report.kept_aside })
        })
    }

    /// Keeps what is to be copied to memory, and copies it while memory answers.
    fn mirror(&self, model: &Model, entries: Vec<Copy>, token: CancellationToken) -> Reply<MirrorReport> {
        let server = model.servers.get(model.settings.memory.name());
        let is_ready = server.is_some_and(|server| server.state == server::State::Ready);
        let copying = self.hands.memory.mirror(entries, if is_ready { MIRROR_MS } else { 0 }, token);
        self.job(async move {
            let memory::Copied { stored, waiting, why } = copying.await?;
            let why = why.unwrap_or_else(|| "they were cut short".to_owned());
            Ok(MirrorReport { stored, waiting: (waiting > 0).then(|| format!("{waiting}: {why}")) })
        })
    }

    fn approve(&self, model: &Model) -> Reply<()> {
        let repo = self.places.repo.clone();
        let proposal = model.trust.proposal().cloned();
        let (scope, at) = (self.hands.scope.clone(), model.now);
        self.job(async move {
            let Some(proposal) = proposal else { return Ok(()) };
            let work = move || crate::config::approve(&repo, &proposal, at);
            scope.spawn_blocking(work).await.map_err(|_| Failure::ActorGone { actor: "config".into() })?
        })
    }

    fn approve_server(&self, model: &Model, name: &str) -> Reply<()> {
        let (repo, scope) = (self.places.repo.clone(), self.hands.scope.clone());
        let offer = model.offers().find(|offer| offer.name == name).cloned();
        self.job(async move {
            let Some(offer) = offer else { return Ok(()) };
            let work = move || crate::config::approve_offer(&crate::config::Sources::of_this_process(repo)?, &offer);
            scope.spawn_blocking(work).await.map_err(|_| Failure::ActorGone { actor: "config".into() })?
        })
    }

    /// Opens the user's editor on the terminal that was lent to it.
    pub fn edit(&self, path: &str, line: Option<u32>, inbox: &mut Inbox) {
        let file = self.places.repo.join(path);
        let shown = path.to_owned();
        let reply = self.job(async move { open_editor(&file, line, &shown).await });
        inbox.expect(Pending::Edited(reply));
    }

    /// Writes a recording beside the log.
    pub fn dump(&self, recording: Result<String, serde_json::Error>, inbox: &mut Inbox) {
        let scope = self.hands.scope.clone();
        let reply = self.job(async move {
            let text = recording.map_err(|e| Failure::BadReply { from: "the recorder".into(), why: e.to_string() })?;
            let work = move || crate::telemetry::keep_recording(&text);
            scope.spawn_blocking(work).await.map_err(|_| Failure::ActorGone { actor: "recorder".into() })?
        });
        inbox.expect(Pending::Noted(reply));
    }
}

/// How long a run's end waits for its copies to memory, in milliseconds; a later start makes those that wait then.
const MIRROR_MS: u64 = 5_000;

/// How long a stage's start waits for notes from memory, in milliseconds: more than a warm server or the start of the
/// embedded one takes, less than anybody notices.
const RECALL_MS: u64 = 500;

/// How long copying what an earlier run left may take, in milliseconds. Nothing waits for it.
const DRAIN_MS: u64 = 60_000;

/// What a turn of an agent with a price may still cost its run.
fn purse(model: &Model, seat: &SeatKey, agent: &Agent) -> Option<run::Purse> {
    let Charge::Priced(price) = charge(model, agent) else { return None };
    let spent = model.runs.get(&seat.run).and_then(|run| run.used().cost_micro_usd).unwrap_or(0);
    Some(run::Purse { price, left_micro_usd: model.settings.budget.run_micro_usd.saturating_sub(spent) })
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

/// Reads what the spec's ledger says of dissent.
async fn ledger(evidence: &evidence::Handle, spec: &SpecId, token: &CancellationToken) -> Result<Vec<Entry>, Failure> {
    let entries = evidence.read_ledger(spec.clone(), token.clone()).await?;
    Ok(entries.iter().filter_map(|(_, value)| dissent::entry(value)).collect())
}

/// Reads the ballots and votes that a run's records name, by path.
async fn rounds(
    evidence: &evidence::Handle,
    spec: &SpecId,
    run: &RunId,
    records: &[(Moment, Record)],
    token: &CancellationToken,
) -> Result<BTreeMap<String, Arc<str>>, Failure> {
    let mut texts = BTreeMap::new();
    for file in records.iter().filter_map(|(_, record)| record.of_round()) {
        let text = evidence.read(spec.clone(), run.clone(), file.clone(), token.clone()).await?;
        texts.insert(file.path.clone(), text);
    }
    Ok(texts)
}

/// Reads what agents changed and what became of it, by path. What is not there any more cannot be gone on with.
async fn changes(
    evidence: &evidence::Handle,
    spec: &SpecId,
    run: &RunId,
    records: &[(Moment, Record)],
    token: &CancellationToken,
) -> Result<BTreeMap<String, Arc<str>>, Failure> {
    let mut texts = BTreeMap::new();
    for file in records.iter().filter_map(|(_, record)| record.of_change()) {
        let text = evidence.read(spec.clone(), run.clone(), file.clone(), token.clone()).await?;
        texts.insert(file.path.clone(), text);
    }
    Ok(texts)
}

/// Reads what each stage of a run was opened with, the last time.
async fn inputs(
    evidence: &evidence::Handle,
    spec: &SpecId,
    run: &RunId,
    records: &[(Moment, Record)],
    token: &CancellationToken,
) -> Result<BTreeMap<Stage, Inputs>, Failure> {
    let mut opened = BTreeMap::new();
    for (_, record) in records {
        if let Record::StageOpened { stage, inputs, .. } = record {
            let text = evidence.read(spec.clone(), run.clone(), inputs.clone(), token.clone()).await?;
            let bad =
                |error: serde_json::Error| Failure::BadReply { from: inputs.path.clone(), why: error.to_string() };
            opened.insert(*stage, serde_json::from_str(&text).map_err(bad)?);
        }
    }
    Ok(opened)
}

/// Reads what each stage of a run was asked, the last time; every prompt of a stage asks the same. Where the prompt is not
/// there any more, what is asked today stands for it.
async fn agendas(
    evidence: &evidence::Handle,
    spec: &SpecId,
    run: &RunId,
    records: &[(Moment, Record)],
    token: &CancellationToken,
) -> Result<BTreeMap<Stage, Vec<Topic>>, Failure> {
    let mut asked = BTreeMap::new();
    for (_, record) in records {
        if let Record::StageOpened { stage, prompts, .. } = record
            && let Some(prompt) = prompts.first()
        {
            match evidence.read(spec.clone(), run.clone(), prompt.clone(), token.clone()).await {
                Ok(text) => asked.extend(prompt::asked(&text).map(|agenda| (*stage, agenda))),
                Err(Failure::Disk { kind: DiskError::Missing, .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(asked)
}

/// Runs `$VISUAL`, else `$EDITOR`, else vi, in the foreground.
async fn open_editor(file: &std::path::Path, line: Option<u32>, shown: &str) -> Result<String, Failure> {
    let editor = ["VISUAL", "EDITOR"].iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.trim().is_empty()));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    let mut words = editor.split_whitespace();
    let program = words.next().unwrap_or("vi");
    let mut command = tokio::process::Command::new(program);
    command.args(words);
    if let Some(line) = line {
        command.arg(format!("+{line}"));
    }
    // No deadline: a person may edit for as long as they like, and they hold the terminal.
    match command.arg(file).kill_on_drop(true).status().await {
        Ok(_) => Ok(format!("closed {shown}")),
        Err(error) => Err(Failure::usage(
            format!("editor {program}"),
            error.to_string(),
            "set EDITOR to a program that is on this machine",
        )),
    }
}
