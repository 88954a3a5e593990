//! From answers to a recorded verdict: when consensus is asked, what becomes durable, what comes after.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::durable::{Batch, commit, file};
use super::{back, cancel, checkpoint, ending, land, mirror, proposal, round, run as runs, staging};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::{PanelHelped, What};
use crate::app::model::{Lock, Model, Phase, Run, SeatState, Then};
use crate::app::msg::{PublishReport, Reopened};
use crate::domain::candidate::{Patch, Place};
use crate::domain::claim::Severity;
use crate::domain::claim::lookup::Found;
use crate::domain::consensus::{Answer as AgentStatus, Judged, Label, Policy};
use crate::domain::dissent::Dissent;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, RunId};
use crate::domain::journal::{Closed, FileRef, Record, base};
use crate::domain::judgement::{Answer, Judgement, Phantom, Question};
use crate::domain::safe::Safe;
use crate::domain::stage::Stage;

/// Asks consensus when it is its turn: provisionally after each answer, finally when nobody is out any more.
pub(super) fn judge_if_due(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    if round::at_hand(run).is_some() && run.seats.iter().all(|seat| seat.state.is_settled()) {
        return if run.phase == Phase::Asking { round::go_on(model, id) } else { Vec::new() };
    }
    let Some(run) = model.runs.get_mut(id).filter(|run| run.phase == Phase::Asking && run.stop.is_none()) else {
        return Vec::new();
    };
    let provisional = !run.seats.iter().all(|seat| seat.state.is_settled());
    if !provisional && let Some(effects) = checkpoint::guard_verdict(model, id) {
        return effects;
    }
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    if provisional {
        if run.answered() == 0 {
            return Vec::new();
        }
        // One provisional judgement at a time; what arrives meanwhile is judged after it.
        if run.judging > 0 {
            run.judge_again = true;
            return Vec::new();
        }
    } else {
        run.phase = Phase::Judging;
        run.judge_again = false;
    }
    run.judging += 1;
    let question = question(model, id, provisional);
    question.map(|question| Effect::Run(id.clone(), RunEffect::Judge(Box::new(question)))).into_iter().collect()
}

/// Asks consensus again about a decided stage, after a human decided something.
pub(super) fn judge_anew(model: &mut Model, id: &RunId) -> Vec<Effect> {
    if let Some(run) = model.runs.get_mut(id) {
        run.phase = Phase::Judging;
        run.ended = None;
        run.judging += 1;
        run.judge_again = false;
    }
    let question = question(model, id, false);
    question.map(|question| Effect::Run(id.clone(), RunEffect::Judge(Box::new(question)))).into_iter().collect()
}

fn question(model: &Model, id: &RunId, provisional: bool) -> Option<Question> {
    let run = model.runs.get(id)?;
    let answers: BTreeMap<AgentName, Answer> =
        run.seats.iter().filter_map(|seat| Some((seat.who.agent.clone(), seat.answer.clone()?))).collect();
    let gathered = run.gathered.get(&run.stage).cloned().unwrap_or_default();
    let absent = run
        .seats
        .iter()
        .filter_map(|seat| match &seat.state {
            // Whose answer nobody has any more did not fail: it is missing, as is who answers elsewhere and did not.
            SeatState::Failed(error) if *error != AgentError::Cancelled && seat.who.external => None,
            SeatState::Failed(_) if gathered.missing.contains(&seat.who.agent) => None,
            SeatState::Failed(error) => Some((seat.who.agent.clone(), status_of(error))),
            SeatState::Answered
            | SeatState::Queued(_)
            | SeatState::Launching(_)
            | SeatState::Asking(_)
            | SeatState::Keeping
            | SeatState::Waiting { .. } => None,
        })
        .collect();
    Some(Question {
        run: id.clone(),
        at: model.now,
        preparation: run.preparation.clone()?,
        seats: run.seats.iter().map(|seat| seat.who.clone()).collect(),
        answers,
        changes: changes(run),
        tried: run.tried.clone(),
        gathered,
        absent,
        policy: policy(model, run.stage),
        human: run.human.clone(),
        round: run.rounds.get(&run.stage).filter(|round| round.closed).cloned(),
        known: run.known.clone(),
        guardrails_ok: checkpoint::is_green(run),
        provisional,
    })
}

/// What agents changed at the stage at hand.
fn changes(run: &Run) -> BTreeMap<AgentName, Arc<Patch>> {
    run.seats.iter().filter_map(|seat| Some((seat.who.agent.clone(), seat.change.clone()?))).collect()
}

/// The rules of a stage.
fn policy(model: &Model, stage: Stage) -> Policy {
    let rules = model.settings.rules(stage);
    Policy {
        allow_degraded: model.boot.allow_degraded || rules.allow_degraded.unwrap_or(false),
        allow_hollow: model.boot.allow_hollow || rules.allow_hollow.unwrap_or(false),
        ..model.settings.consensus.policy()
    }
}

/// Returns the name of what an agent that failed so is counted as.
pub fn counted_as(error: &AgentError) -> &'static str {
    status_of(error).name()
}

/// Returns what an agent that failed so is counted as.
pub(super) fn status_of(error: &AgentError) -> AgentStatus {
    match error {
        AgentError::RateLimit { .. } | AgentError::Overloaded => AgentStatus::RateLimited,
        AgentError::Timeout { .. } => AgentStatus::Timeout,
        AgentError::NoArtifact { .. } => AgentStatus::Unparsed,
        AgentError::Permission { .. } | AgentError::Refused { .. } | AgentError::ContextOverflow => {
            AgentStatus::Refused
        }
        AgentError::Cancelled => AgentStatus::Cancelled,
        AgentError::Budget { .. } | AgentError::Overgrown { .. } => AgentStatus::Budget,
        AgentError::CommandNotFound { .. }
        | AgentError::Auth { .. }
        | AgentError::Network { .. }
        | AgentError::Protocol { .. }
        | AgentError::Crashed { .. } => AgentStatus::Crashed,
    }
}

/// Consensus answered.
pub(super) fn judged(
    model: &mut Model,
    id: &RunId,
    stage: Stage,
    provisional: bool,
    outcome: Result<Arc<Judgement>, Failure>,
) -> Vec<Effect> {
    // Who did not ask is told nothing.
    let Some(run) = model.runs.get_mut(id).filter(|run| run.judging > 0) else { return Vec::new() };
    run.judging -= 1;
    if run.stage != stage || !run.phase.is_live() {
        return cancel::try_finish(model, id);
    }
    match (outcome, provisional) {
        (Ok(judgement), true) => provisionally(model, id, judgement),
        // A provisional answer that was cut short is nobody's loss.
        (Err(_), true) => cancel::try_finish(model, id),
        (Err(Failure::Cancelled), false) if run.stop.is_some() => cancel::try_finish(model, id),
        (Err(failure), false) => ending::fail(model, id, failure),
        // A check that somebody asked for ended meanwhile: it counts.
        (Ok(judgement), false) if run.judge_again && run.stop.is_none() => {
            learn(run, &judgement);
            judge_anew(model, id)
        }
        // What the stage was reopened for is not begun any more.
        (Ok(_), false) if run.pending.is_some() && run.stop.is_some() => cancel::try_finish(model, id),
        (Ok(judgement), false) => match model.runs.get_mut(id).and_then(|run| run.pending.take()) {
            Some(Reopened::Decide(decide)) => super::settle::apply(model, id, &judgement, decide),
            Some(Reopened::Check) => super::settle::check_open(model, id, judgement),
            Some(Reopened::Take(take)) => {
                land::know(model, id, judgement);
                land::begin(model, id, &take)
            }
            Some(Reopened::Undo) => {
                land::know(model, id, judgement);
                land::undo(model, id)
            }
            None => conclude(model, id, judgement),
        },
    }
}

/// Records a verdict, unless the panel is to be asked before what stands open.
fn conclude(model: &mut Model, id: &RunId, judgement: Arc<Judgement>) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    if run.stop.is_some() {
        // A verdict that beat the stop is kept; a stage that would go on to its round goes on with it.
        let is_open = round::is_due(model, id) && judgement.ballot.is_some();
        return if is_open { cancel::try_finish(model, id) } else { record(model, id, judgement) };
    }
    let Some(effects) = round::open(model, id, &judgement) else { return record(model, id, judgement) };
    let mut told = Vec::new();
    if let Some(run) = model.runs.get_mut(id) {
        learn(run, &judgement);
        let before = run.judgement.replace(Arc::clone(&judgement));
        told = labels(model, id, before.as_deref(), &judgement, true);
    }
    told.extend(effects);
    told
}

/// Remembers what was looked up. What was run here meanwhile is not forgotten for it.
fn learn(run: &mut Run, judgement: &Judgement) {
    let before = std::mem::replace(&mut run.known, Arc::clone(&judgement.lookups));
    let has_run = |found: &Found| matches!(found, Found::Ran { .. });
    for (citation, found) in before.iter().filter(|(_, found)| has_run(found)) {
        if !judgement.lookups.get(citation).is_some_and(has_run) {
            Arc::make_mut(&mut run.known).insert(citation.clone(), found.clone());
        }
    }
}

fn provisionally(model: &mut Model, id: &RunId, judgement: Arc<Judgement>) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    if run.stop.is_some() {
        return cancel::try_finish(model, id);
    }
    // What arrives behind the last draft is older than what the round asks about.
    if run.phase != Phase::Asking || round::at_hand(run).is_some() {
        return Vec::new();
    }
    learn(run, &judgement);
    let before = run.judgement.replace(Arc::clone(&judgement));
    let mut effects = labels(model, id, before.as_deref(), &judgement, true);
    if model.runs.get_mut(id).is_some_and(|run| std::mem::take(&mut run.judge_again)) {
        effects.extend(judge_if_due(model, id));
    }
    effects
}

/// Tells the labels that are new or changed.
fn labels(model: &Model, id: &RunId, before: Option<&Judgement>, now: &Judgement, provisional: bool) -> Vec<Effect> {
    let told = |judgement: &Judgement, key: &Sha| judgement.settled.contains(key);
    let old: BTreeMap<&Sha, (Label, bool)> = before
        .filter(|_| provisional)
        .map(|then| then.verdict.claims.iter().map(|c| (&c.key, (c.label, told(then, &c.key)))).collect())
        .unwrap_or_default();
    now.verdict
        .claims
        .iter()
        .filter(|claim| old.get(&claim.key) != Some(&(claim.label, told(now, &claim.key))))
        .map(|claim| {
            let what = What::ClaimLabelled {
                stage: now.panel.stage,
                key: claim.key.clone(),
                claim: format!("{} {}", claim.kind, claim.subject),
                label: claim.label.name().to_owned(),
                severity: claim.severity,
                provisional,
                settled: told(now, &claim.key),
            };
            runs::emit(model, Some(id), what)
        })
        .collect()
}

/// Makes a verdict durable, with what it was decided on, and the intent to publish it.
fn record(model: &mut Model, id: &RunId, judgement: Arc<Judgement>) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.phase = Phase::Recording;
    learn(run, &judgement);
    let stage = run.stage;
    let count = run.decided.entry(stage).or_insert(0);
    *count += 1;
    let stem = if *count == 1 { stage.to_string() } else { format!("{stage}-{count}") };
    let panel = file(format!("panels/{stem}.json"), &*judgement.panel);
    let verdict = file(format!("verdicts/{stem}.json"), &*judgement.verdict);
    let mut files = match (panel, verdict) {
        (Ok(panel), Ok(verdict)) => vec![panel, verdict],
        (Err(failure), _) | (_, Err(failure)) => return ending::fail(model, id, failure),
    };
    for (agent, text) in &judgement.from_memory {
        files.push((format!("artifacts/{stage}-{agent}-memory.json"), Arc::clone(text)));
    }
    let decided = Record::StageDecided {
        stage,
        panel: FileRef::of(&files[0]),
        verdict: FileRef::of(&files[1]),
        status: judgement.verdict.status.name().to_owned(),
        exit: judgement.verdict.exit,
        hash: judgement.verdict.hash.clone(),
    };
    let documents = judgement.documents.iter().map(FileRef::of).collect();
    // What a hand may edit is kept, to merge with what it makes of it.
    let mut texts = BTreeMap::new();
    for (path, text) in judgement.documents.iter().filter(|(path, _)| is_for_hands(path)) {
        let name = path.rsplit('/').next().unwrap_or(path);
        let kept = (format!("{TEXTS}/{stem}/{name}"), Arc::clone(text));
        texts.insert(path.clone(), FileRef::of(&kept));
        files.push(kept);
    }
    let mut records = match land::tried(&judgement, &stem) {
        Ok(tried) => tried
            .into_iter()
            .map(|(record, more)| {
                files.extend(more);
                record
            })
            .collect::<Vec<_>>(),
        Err(failure) => return ending::fail(model, id, failure),
    };
    records.extend([decided, Record::PublishIntended { stage, documents, texts }]);
    commit(model, id, Batch { files, records }, Then::Decided(judgement), Vec::new())
}

/// Where a run keeps the documents that it publishes.
const TEXTS: &str = "documents";

/// Tells whether a document is one that people edit; nobody but us writes verdicts.
fn is_for_hands(path: &str) -> bool {
    path.ends_with(".md")
}

/// The verdict is durable: it is shown, told and published.
pub(super) fn decided(model: &mut Model, id: &RunId, judgement: Arc<Judgement>, kept: &[FileRef]) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let stage = run.stage;
    let documents = judgement.documents.iter().map(|(path, _)| path).filter(|path| is_for_hands(path));
    let texts = kept.iter().filter(|file| file.path.starts_with(TEXTS));
    run.intended = documents.cloned().zip(texts.cloned()).collect();
    run.phase = Phase::Publishing;
    run.warnings.extend(judgement.warnings.iter().cloned());
    run.judgement = Some(Arc::clone(&judgement));
    run.verdicts.insert(stage, Arc::clone(&judgement));
    run.tried = judgement.tried.clone().or(run.tried.take());
    super::settle::show_sides(model, id, &judgement);
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    let mut ours = run.published.clone();
    for (path, sha) in run.preparation.iter().flat_map(|preparation| &preparation.standing) {
        ours.entry(path.clone()).or_default().push(sha.clone());
    }
    let dir = run.preparation.as_ref().map_or_else(|| format!("specs/{}", run.spec), |p| p.spec.own.clone());
    let path = format!("{dir}/verdicts/{stage}.json");
    let verdict = &judgement.verdict;
    let in_words = |text: &str| run.preparation.as_ref().map_or_else(|| text.to_owned(), |p| p.in_words(text));
    let panel_helped =
        judgement.helped.as_ref().map(|help| PanelHelped { helped: help.is_yes(), why: in_words(&help.to_string()) });
    let what = What::StageVerdict {
        stage,
        panel_helped,
        carried: carried(&judgement).map(|dissent| format!("{}: {}", dissent.line(), dissent.ask)).collect(),
        status: verdict.status.name().to_owned(),
        exit: verdict.exit,
        hash: verdict.hash.clone(),
        path,
        why: in_words(&verdict.why()),
    };
    let mut effects = labels(model, id, None, &judgement, false);
    if let Some(changes) = judgement.round.clone() {
        effects.push(runs::emit(model, Some(id), What::RoundFinished { stage, changes }));
    }
    for warning in &judgement.warnings {
        effects.push(runs::emit(model, Some(id), What::Warning { text: warning.clone() }));
    }
    for Phantom { agent, said, found } in &judgement.phantoms {
        let text = Safe::line(&format!("struck: {agent} said {said}: {found}"));
        effects.push(runs::emit(model, Some(id), What::Warning { text }));
    }
    if let Some(tried) = judgement.tried.clone() {
        effects.push(runs::emit(model, Some(id), What::CandidatesTried { stage, tried }));
    }
    effects.push(runs::emit(model, Some(id), what));
    effects.push(Effect::Run(id.clone(), RunEffect::Publish { stage, judgement, ours }));
    effects
}

/// Returns the dissents that a recorded verdict leaves open.
pub fn carried(judgement: &Judgement) -> impl Iterator<Item = &Dissent> {
    judgement.standing.iter().flat_map(|standing| standing.ledger.standing())
}

/// Documents are written, or could not be.
pub(super) fn published(
    model: &mut Model,
    id: &RunId,
    stage: Stage,
    outcome: Result<PublishReport, Failure>,
) -> Vec<Effect> {
    // Of a run that has failed meanwhile, the intent is on record: that is enough to know the documents as ours.
    let is_wanted = |run: &&mut Run| run.phase == Phase::Publishing && run.stage == stage;
    let Some(run) = model.runs.get_mut(id).filter(is_wanted) else { return Vec::new() };
    let report = match outcome {
        Ok(report) => report,
        Err(failure) => return ending::fail(model, id, failure),
    };
    let kept_aside: Vec<FileRef> = report.kept_aside.iter().map(|aside| aside.beside.clone()).collect();
    let merged: Vec<FileRef> = report.merged.iter().map(|merge| merge.file.clone()).collect();
    // What was merged is the hand's as well: it is never ours to replace.
    for document in report.written.iter().chain(&kept_aside) {
        run.published.entry(document.path.clone()).or_default().push(document.sha256.clone());
    }
    let outcome = base::Outcome { written: &report.written, merged: &merged, beside: &kept_aside };
    base::learn(&mut run.bases, id, std::mem::take(&mut run.intended), outcome);
    let gave_way = report
        .gave_way
        .iter()
        .map(|old| format!("what we had written was not as recorded: it is kept as {}", old.path));
    let gave_way: Vec<Safe> = gave_way.map(|text| Safe::line(&text)).collect();
    run.warnings.extend(report.merged.iter().map(|merge| Safe::line(&merge.to_string())));
    run.warnings.extend(report.kept_aside.iter().map(|aside| Safe::line(&aside.to_string())));
    run.warnings.extend(gave_way.iter().cloned());
    let merges = report.merged.into_iter().map(|merge| What::DocumentMerged { stage, merge });
    let asides = report.kept_aside.into_iter().map(|aside| What::DocumentAside { stage, aside });
    let told = merges.chain(asides).chain(gave_way.into_iter().map(|text| What::Warning { text }));
    let effects = told.map(|what| runs::emit(model, Some(id), what)).collect::<Vec<_>>();
    let record = Record::Published { stage, documents: report.written, kept_aside, merged };
    commit(model, id, Batch::record(record), Then::Published, effects)
}

/// The documents' record is durable: copy to memory, and go on or end.
pub(super) fn recorded(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let mut effects = mirror::send(model, id);
    effects.extend(proposal::tell(model, id));
    // The spec's folder changed: what the first screen says of it is read again.
    effects.push(Effect::Survey);
    effects.extend(model.runs.get(id).and_then(|run| super::ledger::refresh(model, &run.spec)));
    let Some(run) = model.runs.get(id) else { return effects };
    // A decision about a stage that was recorded before passes no checkpoint again, unless it leads to the next stage.
    let stays = run.options.reopened && next_of(run).is_none();
    let on = if run.stop.is_some() {
        go_on(model, id)
    } else if run.stage == Stage::Implement {
        land::offer(model, id)
    } else if let Some(back) = back::begin(model, id) {
        back
    } else if stays {
        go_on(model, id)
    } else {
        checkpoint::leave(model, id)
    };
    effects.extend(on);
    effects
}

/// Goes on to the next stage, or ends: everything of the stage at hand is done.
pub(super) fn go_on(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let mut effects = Vec::new();
    let Some(run) = model.runs.get_mut(id) else { return effects };
    let next = next_of(run);
    if run.stop.is_some() && back::is_due(run) {
        // It goes back when it is gone on with.
        run.phase = Phase::Stopping;
        return cancel::try_finish(model, id);
    }
    match next {
        Some(stage) if run.stop.is_none() => effects.extend(staging::next_stage(model, id, stage)),
        // The verdict beat the stop, the stages after it did not.
        Some(_) => {
            run.phase = Phase::Stopping;
            effects.extend(cancel::try_finish(model, id));
        }
        None => {
            if let Some(rest) = proposal::settle(model, id) {
                return rest;
            }
            let Some(run) = model.runs.get_mut(id) else { return effects };
            run.phase = Phase::Decided;
            run.ended = Some(model.now);
            // A stop that the verdict beat has cut everything of the run short: it is worked on again only after it
            // was put away.
            if run.stop.take().is_some() {
                run.lock.close();
            } else if run.lock == (Lock::Ours { copies: 0 }) {
                // The copies were made while a checkpoint was passed: nothing else would close it.
                effects.extend(ending::close(model, id, Closed::Decided));
            }
        }
    }
    effects
}

/// The stage that follows, if the verdict lets the run go on: exit 0, or Degraded and Hollow before the audit.
fn next_of(run: &Run) -> Option<Stage> {
    let verdict = &run.judgement.as_ref()?.verdict;
    // The stages behind it judge the code that is there: on a branch it is not.
    let is_there = run.landed && run.landing.as_ref().is_some_and(|landing| landing.place == Place::Tree);
    if run.stage == Stage::Implement && !is_there {
        return None;
    }
    run.stages.iter().copied().find(|stage| *stage > run.stage).filter(|_| verdict.is_advancing())
}

/// Returns the keys of the claims that a human has to decide, in the order of the verdict.
pub fn open_claims(run: &Run) -> Vec<Sha> {
    let Some(judgement) = &run.judgement else { return Vec::new() };
    let waived = |key: &Sha| judgement.panel.waivers.iter().any(|waiver| &waiver.claim == key);
    judgement
        .verdict
        .claims
        .iter()
        .filter(|claim| claim.label == Label::Conflict && claim.severity >= Severity::Minor && !waived(&claim.key))
        .map(|claim| claim.key.clone())
        .collect()
}

/// Returns the keys of the claims as the verdict view lists them: those that need somebody first. Remarks, which move
/// nothing, come last, and only when all are wanted.
pub fn rows(run: &Run, stage: Stage, all: bool) -> Vec<Sha> {
    let Some(judgement) = run.judged(stage) else { return Vec::new() };
    // What was struck weighs nothing any more, and is no remark.
    let is_remark = |claim: &Judged| claim.severity <= Severity::Info && claim.label != Label::Refuted;
    let mut claims: Vec<_> = judgement.verdict.claims.iter().filter(|claim| all || !is_remark(claim)).collect();
    claims.sort_by_key(|claim| (is_remark(claim), claim.label.attention(), std::cmp::Reverse(claim.severity)));
    claims.into_iter().map(|claim| claim.key.clone()).collect()
}

/// Returns the path of the stage's document; of what is proposed for a spec, the one that says why.
pub(super) fn document(run: &Run, stage: Stage) -> Option<String> {
    let judgement = run.verdicts.get(&stage)?;
    let proposed = run.preparation.as_ref().map(|preparation| preparation.spec.proposal_path());
    let mut paths = judgement.documents.iter().map(|(path, _)| path);
    paths.find(|path| path.ends_with(".md") && Some(*path) != proposed.as_ref()).cloned()
}
