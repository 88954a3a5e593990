//! Judges a stage: gather answers, look up what they cite, run what may be run, derive claims, decide.
//!
//! It knows the repo actor (to look up and run), the evidence and memory (only to [`gather`]), and the pure parts that
//! derive and decide. It writes nothing: the verdict goes out in the answer. It must not decide anything by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::mcp::memory;
use super::repo::trial::{Tools, Trial};
use super::{MAILBOX, Promise, Reply, Scope, Waker, evidence, post, repo};
use crate::domain::artifact::{self, Artifact};
use crate::domain::candidate::{Log, Patch, Tried};
use crate::domain::claim::Severity;
use crate::domain::claim::derive::{self, Backed, Charge, DeriveInputs, Derived};
use crate::domain::claim::host::HOST;
use crate::domain::claim::lookup::{Citation, Found, Lookups};
use crate::domain::consensus::{self, Answer, Canon, Kept, Panel, Participant, Requirement, Verdict};
use crate::domain::dissent::{Parted, Standing};
use crate::domain::document::{self, DocumentInputs};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, Family, RunId, SpecId};
use crate::domain::journal::{Record, Seat};
use crate::domain::judgement::{Gathered, Ground, Judgement, Phantom, Question, Round};
use crate::domain::moment::Moment;
use crate::domain::preparation::Preparation;
use crate::domain::round;
use crate::domain::safe::Safe;
use crate::domain::settings::Settings;
use crate::domain::stage::Stage;

mod gather;

pub use gather::Found as FoundAnswer;
use gather::Sources;

/// How long looking up what a panel cites may take: it reads files only.
const LOOK_UP: Duration = Duration::from_secs(30);

/// How long all candidates may take to build and test: more than a run may take by default.
const TRIAL: Duration = Duration::from_secs(7_200);

/// How long one check may take to build and run.
const CHECK: Duration = Duration::from_secs(300);

/// Asks for judgements; cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    mailbox: mpsc::Sender<Command>,
    waker: Waker,
}

impl Handle {
    /// Judges a stage. Cut short by `token`, it answers [`Failure::Cancelled`].
    pub fn judge(&self, question: Question, settings: Arc<Settings>, token: CancellationToken) -> Reply<Judgement> {
        let question = Box::new(question);
        post("consensus", &self.mailbox, &self.waker, |promise| Command::Judge { question, settings, token, promise })
    }

    /// Gathers the answers that a run's records name: from the evidence, else from memory by their hashes. The second
    /// part says which answers the evidence did not have.
    pub fn gather(
        &self,
        spec: SpecId,
        run: RunId,
        records: Vec<(Moment, Record)>,
        token: CancellationToken,
    ) -> Reply<(Vec<FoundAnswer>, BTreeMap<Stage, Gathered>)> {
        post("consensus", &self.mailbox, &self.waker, |promise| Command::Gather { spec, run, records, token, promise })
    }
}

enum Command {
    Gather {
        spec: SpecId,
        run: RunId,
        records: Vec<(Moment, Record)>,
        token: CancellationToken,
        promise: Promise<(Vec<FoundAnswer>, BTreeMap<Stage, Gathered>)>,
    },
    Judge {
        question: Box<Question>,
        settings: Arc<Settings>,
        token: CancellationToken,
        promise: Promise<Judgement>,
    },
}

/// Starts the actor; `root` is the repository's.
pub fn spawn(
    scope: &Scope,
    repo: repo::Handle,
    evidence: evidence::Handle,
    memory: memory::Handle,
    root: PathBuf,
) -> Handle {
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    let bench = Bench { scope: scope.clone(), repo, sources: Sources { evidence, memory }, root };
    scope.spawn(run(bench, commands));
    Handle { mailbox, waker: scope.waker().clone() }
}

async fn run(bench: Bench, mut mailbox: mpsc::Receiver<Command>) {
    let cancel = bench.scope.cancel.clone();
    while let Some(Some(command)) = cancel.run_until_cancelled(mailbox.recv()).await {
        match command {
            Command::Gather { spec, run, records, token, promise } => {
                let (sources, cut) = (bench.sources.clone(), token.clone());
                bench.scope.answer(token, promise, async move { sources.gather(&spec, &run, &records, &cut).await });
            }
            Command::Judge { question, settings, token, promise } => {
                let (bench, cut) = (bench.clone(), token.clone());
                bench.scope.clone().answer(
                    token,
                    promise,
                    async move { bench.judge(*question, &settings, &cut).await },
                );
            }
        }
    }
}

/// What a judgement is made with.
#[derive(Debug, Clone)]
struct Bench {
    scope: Scope,
    repo: repo::Handle,
    sources: Sources,
    root: PathBuf,
}

/// One answer as read.
#[derive(Debug, Clone)]
struct Heard {
    kept: Kept,
    artifact: Artifact,
}

/// Everything that is known before the pure part begins.
#[derive(Debug)]
struct Case {
    question: Question,
    heard: BTreeMap<AgentName, Heard>,
    votes: BTreeMap<AgentName, round::Answer>,
    absent: BTreeMap<AgentName, Answer>,
    from_memory: BTreeMap<AgentName, Arc<str>>,
    lookups: Lookups,
    warnings: Vec<Safe>,
    tried: Option<Arc<Tried>>,
    logs: Vec<Log>,
}

impl Bench {
    async fn judge(
        &self,
        question: Question,
        settings: &Settings,
        token: &CancellationToken,
    ) -> Result<Judgement, Failure> {
        let began = Instant::now();
        let (run, stage, provisional) = (question.run.clone(), question.preparation.stage, question.provisional);
        let mut case = self.read(question);
        self.look_up(&mut case, token).await?;
        if stage.has_outcome() && !provisional {
            self.run_checks(&mut case, settings, token).await?;
        }
        if stage == Stage::Implement && !provisional {
            self.try_candidates(&mut case, settings, token).await?;
        }
        let judged = self.scope.spawn_blocking(move || decide(case)).await;
        let mut judgement = judged.map_err(|_| Failure::ActorGone { actor: "consensus".into() })??;
        judgement.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if !provisional {
            let (status, duration_ms) = (judgement.verdict.status.name(), judgement.took_ms);
            tracing::info!(%run, %stage, status, duration_ms, "consensus completed");
        }
        Ok(judgement)
    }

    /// Reads the answers and the votes.
    fn read(&self, question: Question) -> Case {
        let mut case = Case {
            heard: BTreeMap::new(),
            votes: BTreeMap::new(),
            absent: question.absent.clone(),
            from_memory: BTreeMap::new(),
            lookups: (*question.known).clone(),
            warnings: Vec::new(),
            tried: None,
            logs: Vec::new(),
            question,
        };
        let stage = case.question.preparation.expect.stage;
        for agent in &case.question.gathered.missing {
            let text = format!("{agent}'s answer is not in the evidence any more, and memory does not have it either");
            case.warnings.push(Safe::line(&text));
        }
        let answers = case.question.answers.clone();
        for (agent, answer) in answers {
            let mut kept = Kept { path: answer.file.path.clone(), sha256: answer.file.sha256.clone() };
            if case.question.gathered.from_memory.contains(&agent) {
                let text = format!("{agent}'s answer is not in the evidence any more: taken from memory, by its hash");
                case.warnings.push(Safe::line(&text));
                kept.path = format!("artifacts/{stage}-{agent}-memory.json");
                case.from_memory.insert(agent.clone(), Arc::clone(&answer.text));
            }
            self.hear(&mut case, agent, kept, &answer.text);
        }
        for (agent, answer) in case.question.round.iter().flat_map(|round| &round.answers) {
            match round::parse(&answer.text) {
                Ok(votes) => drop(case.votes.insert(agent.clone(), votes)),
                Err(why) => case.warnings.push(Safe::line(&format!("{agent}'s votes cannot be used: {why}"))),
            }
        }
        case
    }

    /// Reads one answer. What does not validate is no answer, wherever it came from.
    fn hear(&self, case: &mut Case, agent: AgentName, kept: Kept, text: &str) {
        match artifact::validate(&case.question.preparation.expect, text) {
            Ok(artifact) => {
                case.absent.remove(&agent);
                case.heard.insert(agent, Heard { kept, artifact });
            }
            Err(unusable) => {
                case.warnings.push(Safe::line(&format!("{agent}'s answer cannot be used: {}", unusable.why)));
                case.absent.insert(agent, Answer::Unparsed);
            }
        }
    }

    /// Looks up what was cited and is not known yet.
    async fn look_up(&self, case: &mut Case, token: &CancellationToken) -> Result<(), Failure> {
        let spec = Arc::clone(&case.question.preparation.spec);
        let drafts = case.heard.values().flat_map(|heard| derive::citations(&heard.artifact, &spec));
        let own = case.question.preparation.host.iter().flat_map(|backed| backed.evidence.clone());
        let cited: BTreeSet<Citation> = drafts.chain(own).chain(case.votes.values().flat_map(round::cited)).collect();
        let unknown: BTreeSet<Citation> = cited.into_iter().filter(|c| !case.lookups.contains_key(c)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let range = case.question.preparation.range.clone();
        let asked = unknown.len();
        let found = self.repo.look_up(self.root.clone(), spec, unknown, range, token.clone());
        let found = found.within(LOOK_UP, "looking up citations").await?;
        if let Some(untold) = asked.checked_sub(found.len()).filter(|untold| *untold > 0) {
            let text = format!("git could not tell what is not committed: {untold} cited changes count as said only");
            case.warnings.push(Safe::line(&text));
        }
        case.lookups.extend(found);
        Ok(())
    }

    /// Has every candidate tried, unless these very ones were. Whose answer counts has a candidate.
    async fn try_candidates(
        &self,
        case: &mut Case,
        settings: &Settings,
        token: &CancellationToken,
    ) -> Result<(), Failure> {
        let base = case.question.preparation.inputs.commit.clone().unwrap_or_default();
        let heard = &case.heard;
        let changes = case.question.changes.iter().filter(|(agent, _)| heard.contains_key(*agent));
        let changes: BTreeMap<AgentName, Arc<Patch>> =
            changes.map(|(a, patch)| (a.clone(), Arc::clone(patch))).collect();
        for (agent, patch) in &changes {
            for path in &patch.left_out {
                case.warnings.push(Safe::line(&format!("{agent} changed {path}, a link or a repository: left out")));
            }
        }
        if let Some(tried) = case.question.tried.clone().filter(|tried| tried.is_of(&base, &changes)) {
            case.tried = Some(tried);
            return Ok(());
        }
        let of = |agent: &AgentName| case.question.seats.iter().find(|seat| &seat.agent == agent);
        let patches = changes.into_iter().filter_map(|(agent, patch)| Some((of(&agent)?.family.clone(), agent, patch)));
        let trial = Trial {
            base,
            patches: patches.map(|(family, agent, patch)| (agent, (family, patch))).collect(),
            tools: Tools {
                checks: settings.checks.clone(),
                rails: settings.guardrails.get(&Stage::Implement).cloned().unwrap_or_default(),
            },
            spec: Arc::clone(&case.question.preparation.spec),
        };
        let outcome = self.repo.try_out(self.root.clone(), trial, token.clone());
        let outcome = outcome.within(TRIAL, "trying the candidates").await?;
        case.tried = Some(Arc::new(outcome.tried));
        case.logs = outcome.logs;
        Ok(())
    }

    /// Runs the approved checks that settle cited tests which exist. A check that cannot be run is a warning: the
    /// citation then counts as seen.
    async fn run_checks(&self, case: &mut Case, settings: &Settings, token: &CancellationToken) -> Result<(), Failure> {
        let tests: Vec<Citation> = case
            .lookups
            .iter()
            .filter(|(citation, found)| matches!((citation, found), (Citation::Test { .. }, Found::Seen { .. })))
            .map(|(citation, _)| citation.clone())
            .collect();
        for test in tests {
            let ran = self.repo.run_check(self.root.clone(), settings.checks.clone(), test.clone(), token.clone());
            match ran.within(CHECK, "a check").await {
                Ok(found) => drop(case.lookups.insert(test, found)),
                Err(Failure::Cancelled) => return Err(Failure::Cancelled),
                Err(failure) => case.warnings.push(Safe::line(&format!("a check could not be run: {failure}"))),
            }
        }
        Ok(())
    }
}

/// The pure part: derive, apply the round, decide, write the documents.
fn decide(mut case: Case) -> Result<Judgement, Failure> {
    let preparation = Arc::clone(&case.question.preparation);
    let known = DeriveInputs {
        spec: &preparation.spec,
        agenda: &preparation.agenda,
        lookups: &case.lookups,
        guardrails_ok: case.question.guardrails_ok,
        constitution: &preparation.constitution,
        prior: &preparation.prior,
        diff: preparation.range.as_ref().map(|range| &range.files),
    };
    let derived: BTreeMap<&AgentName, Derived> = case
        .heard
        .iter()
        .map(|(agent, heard)| (agent, derive::derive(&heard.artifact, &inputs_of(&case, &known, agent))))
        .collect();
    let inputs = known;
    let mut panel = panel(&case, &derived);
    panel.check().map_err(|error| Failure::BadReply { from: "the panel".into(), why: error.to_string() })?;
    let canon = panel.canon();
    let mut grounds = all_grounds(&case, &derived, &canon);
    let charges = derived.iter().flat_map(|(agent, derived)| derived.phantoms.iter().map(|charge| (*agent, charge)));
    let mut phantoms: Vec<Phantom> = charges.map(|(agent, charge)| phantom(agent, charge)).collect();
    let (mut ballot, mut changed) = (None, None);
    match &case.question.round {
        Some(held) => {
            let voted = vote(&case, held, &inputs);
            grounds.extend(voted.grounds);
            phantoms.extend(voted.phantoms);
            let before = consensus::decide(&panel);
            let applied = round::apply(&panel, &held.ballot, &voted.heard);
            panel = applied.panel;
            case.warnings.extend(applied.ignored);
            let after = consensus::decide(&panel);
            changed = Some(round::changes(&held.ballot, &before, &after, (voted.heard.len(), held.asked.len())));
        }
        None if !case.question.provisional && preparation.stage != Stage::Implement => {
            let asking = round::Asking {
                seed: case.question.run.as_str(),
                voices: &derived,
                requirements: &preparation.spec.requirements,
                agenda: &preparation.agenda,
            };
            ballot = round::open(&panel, &asking).map(Arc::new);
        }
        None => {}
    }
    let mut verdict = consensus::decide(&panel);
    verdict.recorded_at = Some(case.question.at.rfc3339());
    let settled = settled(&case, &panel);
    let is_final = !case.question.provisional;
    if is_final {
        let grave = preparation.host.iter().filter(|backed| backed.assertion.severity >= Severity::Major);
        case.warnings.extend(grave.map(|backed| Safe::line(&format!("{HOST}: {}", backed.because))));
    }
    let documents = if is_final { documents(&case, &panel, &mut verdict)? } else { Vec::new() };
    let standing = is_final.then(|| Arc::new(standing(&case, &verdict, &grounds)));
    let helped = is_final.then(|| consensus::helped(&panel, &verdict)).flatten();
    Ok(Judgement {
        reckoned: consensus::reckon(&panel),
        panel: Arc::new(panel),
        verdict: Arc::new(verdict),
        lookups: Arc::new(case.lookups),
        from_memory: case.from_memory,
        grounds,
        phantoms,
        tried: case.tried,
        logs: case.logs,
        settled,
        standing,
        helped,
        documents,
        ballot,
        round: changed,
        warnings: case.warnings,
        took_ms: 0,
    })
}

/// Returns on what every claim stands, of agents and of the host.
fn all_grounds(case: &Case, derived: &BTreeMap<&AgentName, Derived>, canon: &Canon) -> Vec<Ground> {
    let of_agents =
        derived.iter().flat_map(|(agent, derived)| grounds(agent, &derived.assertions, canon, &case.lookups));
    let mut all: Vec<Ground> = of_agents.collect();
    if let Ok(host) = AgentName::new(HOST) {
        all.extend(grounds(&host, &case.question.preparation.host, canon, &case.lookups));
    }
    all
}

/// What an agent's words are held against: its own diff, where it wrote.
fn inputs_of<'a>(case: &'a Case, known: &DeriveInputs<'a>, agent: &AgentName) -> DeriveInputs<'a> {
    let own = case.question.changes.get(agent).map(|patch| &patch.files);
    DeriveInputs { diff: own.or(known.diff), ..*known }
}

/// Writes the stage's documents, and its verdict, which names them, as it stands in the spec's folder.
fn documents(case: &Case, panel: &Panel, verdict: &mut Verdict) -> Result<Vec<(String, Arc<str>)>, Failure> {
    let preparation = &case.question.preparation;
    let artifacts: BTreeMap<AgentName, Artifact> =
        case.heard.iter().map(|(agent, heard)| (agent.clone(), heard.artifact.clone())).collect();
    let inputs = DocumentInputs {
        spec: &preparation.spec,
        agenda: &preparation.agenda,
        panel,
        text: preparation.text.as_deref(),
        verdict,
        artifacts: &artifacts,
    };
    let rendered = document::render(preparation.stage, &inputs).into_iter();
    let mut documents: Vec<(String, Arc<str>)> = rendered.map(|(path, text)| (path, text.into())).collect();
    verdict.published = documents.iter().map(|(path, text)| (path.clone(), Sha::of(text.as_bytes()))).collect();
    let text = serde_json::to_string_pretty(verdict)
        .map_err(|error| Failure::BadReply { from: "the verdict".into(), why: error.to_string() })?;
    documents.push((preparation.spec.verdict_path(preparation.stage), (text + "\n").into()));
    Ok(documents)
}

/// Returns where a verdict leaves the ledger.
fn standing(case: &Case, verdict: &Verdict, grounds: &[Ground]) -> Standing {
    let preparation = &case.question.preparation;
    Standing::after(&preparation.ledger, &preparation.spec, verdict, case.question.human.said(grounds))
}

/// Returns the claims that no answer still out can change. Where tests are run at the end nobody can tell: what is run
/// proves or strikes anything.
fn settled(case: &Case, panel: &Panel) -> BTreeSet<Sha> {
    let question = &case.question;
    if !question.provisional || question.preparation.stage.has_outcome() {
        return BTreeSet::new();
    }
    let is_out = |seat: &&Seat| !case.heard.contains_key(&seat.agent) && !case.absent.contains_key(&seat.agent);
    let out: Vec<_> = question.seats.iter().filter(is_out).map(|seat| seat.family.clone()).collect();
    consensus::settled(panel, &out)
}

fn panel(case: &Case, derived: &BTreeMap<&AgentName, Derived>) -> Panel {
    let question = &case.question;
    let preparation = &question.preparation;
    let mut panel = Panel::new(preparation.spec.id.clone(), preparation.stage);
    panel.prompt_version = Some(crate::domain::prompt::version(preparation.stage));
    panel.inputs = preparation.inputs.clone();
    if let Some(tried) = &case.tried {
        panel.candidates = tried.panel();
        // It is about the code that it leads to.
        panel.inputs.tree = tried.best().map(|best| best.state.clone()).or(panel.inputs.tree.take());
    }
    panel.policy = question.policy;
    panel.requirements = preparation
        .spec
        .requirements
        .iter()
        .map(|requirement| Requirement { id: requirement.id.clone(), level: requirement.level })
        .collect();
    let accepted: BTreeSet<&String> =
        question.human.accepted_conditions.keys().chain(&preparation.ledger.accepted).collect();
    panel.accepted_conditions = accepted.into_iter().cloned().collect();
    let earlier = preparation.ledger.splits.iter().map(Parted::split);
    panel.splits = question.human.splits.iter().cloned().chain(earlier).collect();
    panel.waivers.clone_from(&question.human.waivers);
    panel.rejected = question.human.rejected.iter().cloned().collect();
    for seat in &question.seats {
        let heard = case.heard.get(&seat.agent);
        // While answers are out, whoever has not answered is simply not there yet.
        let Some(status) = heard
            .map(|_| Answer::Ok)
            .or_else(|| case.absent.get(&seat.agent).copied())
            .or((!question.provisional).then_some(Answer::Missing))
        else {
            continue;
        };
        panel.agents.push(Participant {
            name: seat.agent.clone(),
            family: seat.family.clone(),
            voter: true,
            status,
            open_dissent: preparation.ledger.owed_to(&seat.agent),
            artifact: heard.map(|heard| heard.kept.clone()),
            claims: derived.get(&seat.agent).map(Derived::plain).unwrap_or_default(),
        });
    }
    panel.agents.extend(host_of(preparation));
    panel
}

/// The host among the participants: it never votes.
fn host_of(preparation: &Preparation) -> Option<Participant> {
    let name = AgentName::new(HOST).ok().filter(|_| !preparation.host.is_empty())?;
    Some(Participant {
        name,
        family: Family::new(HOST).ok()?,
        voter: false,
        status: Answer::Ok,
        open_dissent: Vec::new(),
        artifact: None,
        claims: preparation.host.iter().map(|backed| backed.assertion.clone()).collect(),
    })
}

fn phantom(agent: &AgentName, charge: &Charge) -> Phantom {
    Phantom { agent: agent.clone(), said: charge.said.clone(), found: charge.found.clone() }
}

/// What came of a round.
#[derive(Debug, Default)]
struct Voted {
    heard: round::Heard,
    grounds: Vec<Ground>,
    phantoms: Vec<Phantom>,
}

/// Weighs the votes of a round by what the host found.
fn vote(case: &Case, held: &Round, inputs: &DeriveInputs<'_>) -> Voted {
    let mut voted = Voted::default();
    for (agent, answer) in &case.votes {
        let Some(heard) = case.heard.get(agent) else { continue };
        let (casts, charges) = round::weigh(&held.ballot, answer, &heard.artifact, inputs);
        voted.heard.insert(agent.clone(), casts);
        voted.phantoms.extend(charges.iter().map(|charge| phantom(agent, charge)));
        for vote in answer.votes.iter().filter(|vote| !vote.because.trim().is_empty() || !vote.evidence.is_empty()) {
            let Some(claim) = held.ballot.item(vote.n).and_then(round::Item::key) else { continue };
            let cited = derive::cited(&vote.evidence).into_iter();
            voted.grounds.push(Ground {
                tier: None,
                agent: agent.clone(),
                claim: claim.clone(),
                because: Safe::line(&format!("in the round ({}): {}", vote.vote.name(), vote.because)),
                cited: cited.map(|cited| (cited.clone(), case.lookups.get(&cited).cloned())).collect(),
            });
        }
    }
    voted
}

/// What one agent gave as grounds, by claim.
fn grounds(agent: &AgentName, said: &[Backed], canon: &Canon, lookups: &Lookups) -> Vec<Ground> {
    said.iter()
        .map(|backed| {
            let assertion = &backed.assertion;
            Ground {
                tier: None,
                agent: agent.clone(),
                claim: canon.key(assertion.kind, &assertion.subject, &assertion.predicate),
                because: backed.because.clone(),
                cited: backed.evidence.iter().map(|cited| (cited.clone(), lookups.get(cited).cloned())).collect(),
            }
        })
        .collect()
}
