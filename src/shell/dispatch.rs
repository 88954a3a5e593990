//! Effects become requests: one effect, one request to one actor, one answer to wait for.
//!
//! It owns the token tree: root → run → seat. A cancel goes down the tokens and never through a mailbox, so it cannot
//! queue behind work. It must not decide anything.

mod found;
mod machine;
mod turns;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::turns::Asked;
use super::foreign::Foreign;
use super::guard::guarded;
use super::hands::{Hands, Places, redactor};
use super::inbox::{Inbox, Pending};
use super::own;
use crate::actors::evidence::{self, Commit, Document, Edited, NewFile};
use crate::actors::mcp::memory;
use crate::actors::repo::guardrails::{Cuts, Watch};
use crate::actors::repo::trial::Tools;
use crate::actors::{Reply, promise};
use crate::app::effect::{Effect, RunEffect};
use crate::app::model::Model;
use crate::app::msg::{MirrorReport, PublishReport};
use crate::domain::agenda::Topic;
use crate::domain::back::Back;
use crate::domain::candidate::{Landing, Picked, Step, Tested};
use crate::domain::dissent::{self, Entry, Ledger};
use crate::domain::draft::Beginning;
use crate::domain::failure::Failure;
use crate::domain::guardrail::{Report, When};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::{Closed, Record};
use crate::domain::judgement::Judgement;
use crate::domain::memory::{Entry as Copy, Note};
use crate::domain::preparation::{Ask, Preparation};
use crate::domain::proposal::Rewritten;
use crate::domain::run::{SeatKey, TurnKind};
use crate::domain::server;
use crate::domain::settings;
use crate::domain::skip::Skipped;
use crate::domain::stage::Stage;

/// Sends requests and keeps their tokens.
#[derive(Debug)]
pub struct Dispatch {
    hands: Hands,
    places: Places,
    foreign: Foreign,
    runs: BTreeMap<RunId, Tokens>,
}

/// What a stage is prepared with besides its spec.
struct Given {
    range: Option<String>,
    brief: Option<String>,
    skipped: Skipped,
    left_out: Vec<String>,
    agenda: Option<Vec<Topic>>,
    back: Option<Box<Back>>,
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
            Effect::Look(spot) => self.look(spot, inbox),
            Effect::Init => inbox.expect(Pending::Initialised(self.init(model))),
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
            Effect::ReadProposal(spec) => {
                let reply = self.hands.scribe.proposal(spec.clone(), self.hands.scope.cancel.clone());
                inbox.expect(Pending::Proposed(spec, reply));
            }
            Effect::Adopt { spec, seen, by } => {
                let reply = self.adopt(model, spec.clone(), seen, by);
                inbox.expect(Pending::Rewritten(spec, reply));
            }
            Effect::Restore { spec, by } => {
                let token = self.hands.scope.cancel.clone();
                let reply = self.hands.scribe.restore(spec.clone(), by, model.now, token);
                inbox.expect(Pending::Rewritten(spec, reply));
            }
            Effect::Create(text) => {
                let reply =
                    self.hands.scribe.create(Beginning::Sentence(text), model.now, self.hands.scope.cancel.clone());
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

    /// Stops the parts of a run, and ends them at once.
    fn kill(&mut self, id: &RunId) {
        let tokens = self.tokens(id);
        tokens.stop.cancel();
        tokens.kill.cancel();
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
                inbox.expect(Pending::Opened(id.clone(), self.open(model, (spec, id), abandon)));
            }
            RunEffect::Hold { spec, at, gates } => {
                inbox.expect(Pending::Gated(id, at, self.hands.scribe.hold(spec, gates, stop)));
            }
            RunEffect::Guard { spec, stage, when } => {
                let kill = self.tokens(&id).kill.clone();
                let reply = self.guard(model, (spec, stage, when), Cuts { stop, kill });
                inbox.expect(Pending::Guarded(id, stage, when, reply));
            }
            RunEffect::Prepare { spec, stage, roster, range, brief, skipped, left_out, agenda, back } => {
                let given = Given { range, brief, skipped, left_out, agenda, back };
                let reply = self.prepare(model, (spec, stage), given, &roster, stop);
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
            RunEffect::Kill => self.kill(&id),
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
            RunEffect::TestPicked(picked) => inbox.expect(Pending::Tested(id, self.test(model, *picked, stop))),
            RunEffect::Land { landing, step } => inbox.expect(Pending::Landed(id, self.land(*landing, step))),
            RunEffect::Clear(landing) => inbox.expect(self.clear(id, *landing)),
            RunEffect::TakeBack(landing) => inbox.expect(self.take_back(model, id, *landing)),
            RunEffect::Publish { stage, judgement, ours } => {
                let reply = self.publish(model, &id, stage, &judgement, &ours);
                inbox.expect(Pending::Published(id, stage, reply));
            }
            RunEffect::Adopt { spec, seen, by } => {
                inbox.expect(Pending::Adopted(id, self.adopt(model, spec, seen, by)));
            }
            RunEffect::Mirror { stage, entries } => {
                inbox.expect(Pending::Mirrored(id, stage, self.mirror(model, entries, stop)));
            }
            RunEffect::KeepLate { spec, file, .. } => inbox.expect(self.keep_late(spec, id, file)),
            RunEffect::Uproot => inbox.expect(Pending::Uprooted(id.clone(), self.uproot(model, &id, root))),
            RunEffect::Release { spec, uproot } => {
                let uprooting = uproot.then(|| self.uproot(model, &id, root));
                let reply = self.release(spec, &id, uprooting);
                inbox.expect(Pending::Released(id, reply));
            }
        }
    }

    /// Writes a proposal: what was begun is done to its end, also while a run is being stopped.
    fn adopt(&self, model: &Model, spec: SpecId, seen: Sha, by: String) -> Reply<Arc<Rewritten>> {
        self.hands.scribe.adopt(spec, Some(seen), by, model.now, self.hands.scope.cancel.clone())
    }

    /// Keeps what came after its time, beside the run's own files.
    fn keep_late(&self, spec: SpecId, run: RunId, (path, bytes): (String, Arc<str>)) -> Pending {
        let token = self.hands.scope.cancel.clone();
        let late = self.hands.evidence.late(spec, run, NewFile { path, bytes }, token);
        Pending::Quiet("keep a late answer", self.quiet(late))
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

    /// Takes a run's lock and folder; a run that it replaces is closed first, or the two would meet at the lock.
    fn open(&self, model: &Model, (spec, run): (SpecId, RunId), abandon: Option<RunId>) -> Reply<()> {
        let at = model.now;
        let (evidence, token) = (self.hands.evidence.clone(), self.hands.scope.cancel.clone());
        let (repo, root, folder) = (self.hands.repo.clone(), self.places.repo.clone(), self.worktrees(model));
        self.job(async move {
            if let Some(run) = abandon {
                evidence.open_run(spec.clone(), run.clone(), at, token.clone()).await?;
                // Of a closed run nobody would remove them. Where there is no git there are none.
                if let Err(failure) = repo.uproot(root, folder, run.clone(), token.clone()).await {
                    tracing::debug!(%failure, "an abandoned run's worktrees were not looked for");
                }
                let records = vec![Record::RunClosed { why: Closed::Abandoned, survivors: None }];
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
        given: Given,
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
            // As it is on record: who goes on with the run reads it there.
            brief: given.brief.map(|brief| redactor(&model.settings).clean(&brief).into_owned()),
            skipped: given.skipped,
            left_out: given.left_out,
            back: given.back.map(|back| *back),
            agenda: given.agenda,
            spec,
            stage,
        };
        let range = given.range;
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

    /// Puts a candidate where it goes: what was begun is done to its end, also while the run is being stopped.
    fn land(&self, landing: Landing, step: Step) -> Reply<Option<String>> {
        let token = self.hands.scope.cancel.clone();
        self.hands.repo.land(self.places.repo.clone(), landing, step, token)
    }

    /// Takes back what a process that was killed had put somewhere.
    fn clear(&self, id: RunId, landing: Landing) -> Pending {
        Pending::Cleared(id, self.quiet(self.land(landing, Step::Clear)))
    }

    /// Builds and tests hunks that were picked.
    fn test(&self, model: &Model, picked: Picked, token: CancellationToken) -> Reply<Tested> {
        let rails = model.settings.guardrails.get(&Stage::Implement).cloned().unwrap_or_default();
        let tools = Tools { checks: model.settings.checks.clone(), rails };
        let (repo, root) = (self.hands.repo.clone(), self.places.repo.clone());
        let tested = repo.try_picked(root, picked, tools, token);
        self.job(async move { tested.within(TEST, "testing what was picked").await })
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

    fn publish(
        &self,
        model: &Model,
        id: &RunId,
        stage: Stage,
        judgement: &Judgement,
        ours: &BTreeMap<String, Vec<Sha>>,
    ) -> Reply<PublishReport> {
        let Some(run) = model.runs.get(id) else { return self.job(async { Err(Failure::Cancelled) }) };
        let of_spec = run.preparation.as_ref().map(|preparation| &preparation.spec);
        let ours_alone = of_spec.map(|spec| [spec.verdict_path(stage), spec.proposal_path()]);
        let documents = judgement
            .documents
            .iter()
            .map(|(path, bytes)| {
                let ours = ours.get(path).cloned().unwrap_or_default();
                // People write documents, and nobody but us writes verdicts or proposals: their words go into the spec.
                let is_ours = ours_alone.as_ref().is_some_and(|paths| paths.contains(path));
                let edited = if is_ours { Edited::GivesWay } else { Edited::Stays };
                let bases = run.bases.get(path).cloned().unwrap_or_default();
                Document { path: path.clone(), bytes: Arc::clone(bytes), ours, edited, bases }
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
            let evidence::PublishReport { written, merged, kept_aside, gave_way } = report;
            Ok(PublishReport { written, merged, kept_aside, gave_way })
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

/// How long it may take to build and test hunks that were picked: as long as one candidate at its first build.
const TEST: Duration = Duration::from_secs(3_600);

/// How long a run's end waits for its copies to memory, in milliseconds; a later start makes those that wait then.
const MIRROR_MS: u64 = 5_000;

/// How long a stage's start waits for notes from memory, in milliseconds: more than a warm server or the start of the
/// embedded one takes, less than anybody notices.
const RECALL_MS: u64 = 500;

/// How long copying what an earlier run left may take, in milliseconds. Nothing waits for it.
const DRAIN_MS: u64 = 60_000;

/// Reads what the spec's ledger says of dissent.
async fn ledger(evidence: &evidence::Handle, spec: &SpecId, token: &CancellationToken) -> Result<Vec<Entry>, Failure> {
    let entries = evidence.read_ledger(spec.clone(), token.clone()).await?;
    Ok(entries.iter().filter_map(|(_, value)| dissent::entry(value)).collect())
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
