//! What was recorded about a stage: the verdict in the spec's folder, the panel in the evidence.
//!
//! It must not decide anything.

use super::super::ask::Desk;
use super::super::out::Done;
use super::{Context, READING, servers};
use crate::actors::evidence;
use crate::disk::Store;
use crate::domain::artifact::{self, Artifact};
use crate::domain::candidate::{Landing, Tried};
use crate::domain::check::{self, FileText, Tree};
use crate::domain::consensus::{Answer, Panel, Verdict, parse_panel};
use crate::domain::dissent::{self, Ledger};
use crate::domain::failure::{DiskError, Failure};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, RunId};
use crate::domain::journal::{FileRef, Record};
use crate::domain::moment::Moment;
use crate::domain::spec::{self, Folder, Spec};
use crate::domain::stage::Stage;

/// Largest verdict read, in bytes: hundreds of claims stay far below.
const VERDICT_MAX: u64 = 32 << 20;

/// A panel from the evidence.
#[derive(Debug, Clone)]
pub(super) struct OfRun {
    /// Its run.
    pub run: RunId,
    /// What was decided on.
    pub panel: Panel,
    /// The hash of the verdict that was recorded with it.
    pub hash: Sha,
    /// The candidate of implement that is where it was put.
    pub landing: Option<Landing>,
    /// What became of its candidates, the last time that they were tried.
    tried: Option<FileRef>,
    /// Every file that the run's journal names.
    files: Vec<FileRef>,
}

/// Returns the path of a stage's verdict, relative to the repository.
pub(super) fn verdict_path(folder: &Folder, stage: Stage) -> String {
    format!("{}/verdicts/{stage}.json", folder.own)
}

/// Reads a stage's verdict from the spec's folder.
///
/// # Errors
/// Exit 3 when it cannot be read, or is not what its hash and its place say.
pub(super) fn verdict(store: &Store, folder: &Folder, stage: Stage) -> Result<Option<Verdict>, Failure> {
    let path = verdict_path(folder, stage);
    let bad = |why: String| {
        let next = format!("restore the file, or remove it and run `dicast {stage} {}` again", folder.id);
        Failure::BadInput { place: path.clone(), why, next, exit: 3 }
    };
    let bytes = match store.read(&path, VERDICT_MAX) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(Failure::Disk { why, .. }) => return Err(bad(format!("it cannot be read: {why}"))),
        Err(failure) => return Err(failure),
    };
    let verdict: Verdict = serde_json::from_slice(&bytes).map_err(|error| bad(format!("it is no verdict: {error}")))?;
    if verdict.spec_id != folder.id || verdict.stage != stage {
        return Err(bad(format!("it is the verdict of {} of {}", verdict.stage, verdict.spec_id)));
    }
    if verdict.computed_hash() != verdict.hash {
        return Err(bad("it was changed: its hash does not match".into()));
    }
    Ok(Some(verdict))
}

/// Tells whether a text is proposed for a spec that waits for a person: it is what was proposed, and the document is the
/// one that it is about.
pub(super) fn is_proposed(store: &Store, folder: &Folder) -> bool {
    let Ok(Some(verdict)) = verdict(store, folder, Stage::Specify) else { return false };
    let path = folder.proposal_path();
    let digest = |path: &str| store.digest(path).ok().flatten().map(|(sha, _)| sha);
    let Some((proposed, judged)) = verdict.published.get(&path).zip(verdict.inputs.spec_sha256.as_ref()) else {
        return false;
    };
    let is_about = |document: &String| digest(document).as_ref() == Some(judged);
    proposed != judged && digest(&path).as_ref() == Some(proposed) && folder.documents.iter().any(is_about)
}

/// Tells whether a verdict is recorded that is bound to the code.
pub(super) fn is_bound_to_code(store: &Store, folder: &Folder) -> bool {
    let stages = Stage::ALL.into_iter().filter(|stage| *stage >= Stage::Implement);
    stages.map(|stage| verdict_path(folder, stage)).any(|path| store.size(path).is_ok_and(|size| size.is_some()))
}

/// Reads a stage's verdict, which must be there.
///
/// # Errors
/// Exit 10 when there is none; else as [`verdict`].
pub(super) fn recorded(store: &Store, folder: &Folder, stage: Stage) -> Result<Verdict, Failure> {
    verdict(store, folder, stage)?.ok_or_else(|| {
        let next = format!("run `dicast {stage} {}`", folder.id);
        Failure::needs_input(verdict_path(folder, stage), "no verdict is recorded", next)
    })
}

/// Reads every verdict of a spec, in the order of stages, with why the others cannot be read: one bad file must not
/// hide the rest.
pub(super) fn verdicts(store: &Store, folder: &Folder) -> (Vec<Verdict>, Vec<(Stage, Failure)>) {
    let (mut verdicts, mut failures) = (Vec::new(), Vec::new());
    for stage in Stage::ALL {
        match verdict(store, folder, stage) {
            Ok(found) => verdicts.extend(found),
            Err(failure) => failures.push((stage, failure)),
        }
    }
    (verdicts, failures)
}

/// Reads a spec.
///
/// # Errors
/// Exit 10 when it cannot be read as one.
pub(super) fn spec(store: &Store, folder: &Folder) -> Result<Spec, Failure> {
    let mut tree = Tree::default();
    for path in &folder.documents {
        if let Some(bytes) = store.read(path, VERDICT_MAX)?
            && let Ok(text) = spec::text_of(path, &bytes)
        {
            tree.files.insert(path.clone(), FileText::text(text));
        }
    }
    check::read_one(&tree, folder).map_err(|_| {
        let next = "repair it: what is recorded is about its requirements";
        Failure::needs_input(folder.documents.join(" or "), "it cannot be read", next)
    })
}

/// Reads what the recorded verdicts and the spec's ledger leave open.
///
/// # Errors
/// Exit 3 when the ledger was altered; as reading the spec.
pub(super) fn ledger(context: &Context, folder: &Folder, verdicts: &[Verdict]) -> Result<Ledger, Failure> {
    let spec = spec(&context.store(), folder)?;
    ledger_of(context, folder, &spec, verdicts)
}

/// Does what [`ledger`] does where the spec has been read.
///
/// # Errors
/// Exit 3 when the ledger was altered.
pub(super) fn ledger_of(
    context: &Context,
    folder: &Folder,
    spec: &Spec,
    verdicts: &[Verdict],
) -> Result<Ledger, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    ledger_from((&desk, &evidence), folder, spec, verdicts)
}

/// Does what [`ledger_of`] does where the evidence is at hand.
///
/// # Errors
/// Exit 3 when the ledger was altered.
pub(super) fn ledger_from(
    (desk, evidence): (&Desk, &evidence::Handle),
    folder: &Folder,
    spec: &Spec,
    verdicts: &[Verdict],
) -> Result<Ledger, Failure> {
    let reply = evidence.read_ledger(folder.id.clone(), desk.token());
    let entries = desk.ask(READING, "reading the ledger", reply)?;
    Ok(ledger_with(&entries, spec, verdicts))
}

/// Reads what the recorded verdicts and the entries of the spec's ledger leave open.
pub(super) fn ledger_with(entries: &[(Moment, serde_json::Value)], spec: &Spec, verdicts: &[Verdict]) -> Ledger {
    let entries: Vec<_> = entries.iter().filter_map(|(_, value)| dissent::entry(value)).collect();
    Ledger::read(spec, verdicts, &entries)
}

/// The exit code while a dissent is open and that was asked about.
pub(super) const DISSENT: u8 = 1;

/// Makes an exit code of 0 that of open dissent, and says so: the process's code, never the verdict's.
pub(super) fn fail_on_dissent(done: &mut Done, open: usize, next: &str) {
    if done.exit == 0 && open > 0 {
        done.exit = DISSENT;
        let several = if open == 1 { "1 dissent is" } else { &format!("{open} dissents are") };
        done.notes.push(format!("--fail-on-dissent: {several} open; {next}"));
    }
}

/// Heeds `--fail-on-dissent`: dissent that was opened up to a stage and is open today.
///
/// # Errors
/// Exit 3 when a verdict or the ledger cannot be read: then nobody knows what is open.
pub(super) fn heed_dissent(context: &Context, folder: &Folder, upto: Stage, mut done: Done) -> Result<Done, Failure> {
    if !context.global.fail_on_dissent || done.exit != 0 {
        return Ok(done);
    }
    let (verdicts, unreadable) = verdicts(&context.store(), folder);
    if let Some((_, failure)) = unreadable.into_iter().next() {
        return Err(failure);
    }
    let ledger = ledger(context, folder, &verdicts)?;
    let open = ledger.standing().filter(|dissent| dissent.opened <= upto).count();
    fail_on_dissent(&mut done, open, &format!("`dicast dissent {}` lists it", folder.id));
    Ok(done)
}

/// Reads the panel of the last run that decided a stage, or of the run that was named with `--run`.
///
/// # Errors
/// Exit 10 when the evidence has none, exit 3 when it was altered.
pub(super) fn panel(context: &Context, folder: &Folder, stage: Stage) -> Result<OfRun, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let named = context.global.run.as_deref();
    let runs = desk.ask(READING, "reading the runs", evidence.runs(Some(folder.id.clone()), desk.token()))?;
    for summary in runs.into_iter().filter(|summary| named.is_none_or(|named| summary.run.as_str() == named)) {
        let reply = evidence.records(folder.id.clone(), summary.run.clone(), desk.token());
        let entries = desk.ask(READING, "reading the journal", reply)?;
        let Some((file, hash)) = entries.iter().rev().find_map(|(_, record)| decided(record, stage)) else { continue };
        let reply = evidence.read(folder.id.clone(), summary.run.clone(), file, desk.token());
        let text = desk.ask(READING, "reading the panel", reply)?;
        let files = entries.iter().flat_map(|(_, record)| record.files()).cloned().collect();
        let (tried, landing) = candidates(entries.iter().map(|(_, record)| record));
        return Ok(OfRun { run: summary.run, panel: parse_panel(&text)?, hash, landing, tried, files });
    }
    let why = match named {
        Some(named) => format!("run {named} has not decided {stage} of {}", folder.id),
        None => format!("no run has decided {stage} of {}", folder.id),
    };
    Err(Failure::needs_input("evidence", why, format!("run `dicast {stage} {}`", folder.id)))
}

/// Returns which file holds what became of the candidates, and which of them is where it was put.
fn candidates<'r>(records: impl Iterator<Item = &'r Record>) -> (Option<FileRef>, Option<Landing>) {
    let (mut tried, mut landed) = (None, None);
    for record in records {
        if let Record::CandidatesTried { report, .. } = record {
            tried = Some(report.clone());
        } else if let Record::Landed { landing, .. } = record {
            landed = Some(landing.clone());
        } else if let Record::LandingUndone { .. } = record {
            landed = None;
        }
    }
    (tried, landed)
}

/// Reads what became of the candidates of implement; nothing where the evidence does not have it any more.
///
/// # Errors
/// When the reading was stopped, or the evidence is not ours to read.
pub(super) fn tried(context: &Context, folder: &Folder, of_run: &OfRun) -> Result<Option<Tried>, Failure> {
    let Some(file) = of_run.tried.clone().filter(|_| of_run.panel.stage == Stage::Implement) else { return Ok(None) };
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let reply = evidence.read(folder.id.clone(), of_run.run.clone(), file, desk.token());
    match desk.ask(READING, "reading the candidates", reply) {
        Ok(text) => Ok(serde_json::from_str(&text).ok()),
        Err(Failure::Cancelled) => Err(Failure::Cancelled),
        Err(failure) => {
            tracing::info!(%failure, "the candidates are not told");
            Ok(None)
        }
    }
}

/// Reads the answers that a panel was made of, as far as the evidence has them: `consensus` tells which are gone.
///
/// # Errors
/// When the reading was stopped, or the evidence is not ours to read.
pub(super) fn answers(
    context: &Context,
    folder: &Folder,
    of_run: &OfRun,
) -> Result<Vec<(AgentName, Artifact)>, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let mut answers = Vec::new();
    for agent in of_run.panel.agents.iter().filter(|agent| agent.is_ok()) {
        let kept = agent.artifact.as_ref();
        let file = kept.and_then(|kept| of_run.files.iter().find(|file| file.path == kept.path));
        let Some(file) = file else { continue };
        let reply = evidence.read(folder.id.clone(), of_run.run.clone(), file.clone(), desk.token());
        match desk.ask(READING, "reading an artifact", reply) {
            Ok(text) => {
                let read = artifact::parse(of_run.panel.stage, &text);
                answers.extend(read.ok().map(|answer| (agent.name.clone(), answer)));
            }
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(failure) => tracing::info!(%failure, agent = %agent.name, "an answer is not quoted"),
        }
    }
    Ok(answers)
}

/// An answer that a panel was made of and that the evidence does not have any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gone {
    /// Whose.
    pub agent: AgentName,
    /// Where it was.
    pub path: String,
    /// Whether memory has it: then it counts.
    pub in_memory: bool,
}

/// Gathers the answers that a panel was made of. One whose artifact the evidence recorded and no longer has is looked
/// for in memory, by its hash; where that has it neither, it is missing, and its words do not count. Returns those that
/// are gone.
///
/// # Errors
/// Exit 3 when an artifact was altered, or cannot be read.
pub(super) fn gather(context: &Context, folder: &Folder, of_run: &mut OfRun) -> Result<Vec<Gone>, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let mut lacking: Vec<(AgentName, FileRef)> = Vec::new();
    for agent in of_run.panel.agents.iter().filter(|agent| agent.is_ok()) {
        let kept = agent.artifact.as_ref();
        let Some(file) = kept.and_then(|kept| of_run.files.iter().find(|file| file.path == kept.path)) else {
            continue;
        };
        let reply = evidence.read(folder.id.clone(), of_run.run.clone(), file.clone(), desk.token());
        match desk.ask(READING, "reading an artifact", reply) {
            Ok(_) => {}
            Err(Failure::Disk { kind: DiskError::Missing, .. }) => lacking.push((agent.name.clone(), file.clone())),
            Err(failure) => return Err(failure),
        }
    }
    if lacking.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = lacking.iter().map(|(_, file)| file.sha256.clone()).collect();
    let held = servers::in_memory(context, &desk, &folder.id, &of_run.run, wanted);
    let gone =
        |(agent, file): (AgentName, FileRef)| Gone { agent, in_memory: held.contains(&file.sha256), path: file.path };
    let gone: Vec<Gone> = lacking.into_iter().map(gone).collect();
    let missing = |name: &AgentName| gone.iter().any(|gone| &gone.agent == name && !gone.in_memory);
    for agent in of_run.panel.agents.iter_mut().filter(|agent| missing(&agent.name)) {
        agent.status = Answer::Missing;
        agent.artifact = None;
        agent.claims.clear();
    }
    Ok(gone)
}

fn decided(record: &Record, stage: Stage) -> Option<(FileRef, Sha)> {
    if let Record::StageDecided { stage: of, panel, hash, .. } = record
        && *of == stage
    {
        return Some((panel.clone(), hash.clone()));
    }
    None
}
