//! A run from the request to its first question: find one to go on with, take the lock, prepare, open the stage; and
//! its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::durable::{Batch, commit};
use super::{ask, back, checkpoint, complain, exit, foreign, land, notice, round, seats, settle, spend, verdict};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::{Event, What};
use crate::app::model::{Kept, Lock, MemoryState, Model, Phase, Run, RunOptions, Seat, SeatState, Then, View, Warmth};
use crate::app::msg::{Found, FoundRun, Reopened, Start};
use crate::app::outcome::Outcome;
use crate::domain::consensus::Inputs;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::ids::{AgentName, RunId};
use crate::domain::journal::{self, Closed, Record};
use crate::domain::judgement::{Answer, Human};
use crate::domain::preparation::Preparation;
use crate::domain::range::{Ends, Range};
use crate::domain::run::TurnKind;
use crate::domain::safe::Safe;
use crate::domain::settings::{Agent, AgentKind};
use crate::domain::stage::Stage;

/// Exit code for a verdict that is not about the present text any more.
const STALE: u8 = 7;

/// Begins a run, or goes on with one that was stopped.
pub(super) fn start(model: &mut Model, start: Start) -> Vec<Effect> {
    if let Some(live) = model.live_run_of(&start.spec) {
        let text = format!("run {} of {} is live already", live.id.short(), live.spec);
        notice(model, text);
        return Vec::new();
    }
    if !model.boot.headless && foreign::show(model, &start.spec) {
        return Vec::new();
    }
    // The lock of a run that has ended is still ours until its copies are made.
    if let Some(ending) = model.runs.values().find(|run| run.lock.is_held() && run.spec == start.spec) {
        let text = format!("run {} of {} is being put away, try again in a moment", ending.id.short(), ending.spec);
        notice(model, text);
        return Vec::new();
    }
    if model.leaving {
        notice(model, "leaving: nothing new is started");
        return Vec::new();
    }
    let Some(&stage) = start.stages.first() else { return Vec::new() };
    let id = RunId::mint(model.now, model.boot.seed, model.minted);
    model.minted += 1;
    let (fresh, rerun_missing, ask) = (start.fresh, start.rerun_missing, model.asking);
    let options = RunOptions { fresh, rerun_missing, ask, ..RunOptions::default() };
    let mut run = blank(id.clone(), &start, stage, options, model);
    run.options.reopened = start.rerun_missing;
    model.runs.insert(id.clone(), run);
    if !model.boot.headless {
        model.views.retain(|view| matches!(view, View::Home { .. }));
        model.views.push(View::Dashboard { run: id.clone(), cursor: 0, pane: 1, scroll: 0 });
    }
    if let Err(failure) = ask::may_run(model, stage) {
        return fail(model, &id, failure);
    }
    // A candidate that is taken is one of the last run's, closed or not.
    let closed = start.rerun_missing || (start.take.is_some() && stage == Stage::Implement && !fresh);
    vec![Effect::Run(id, RunEffect::Find { spec: start.spec, closed, stage })]
}

pub(super) fn blank(id: RunId, start: &Start, stage: Stage, options: RunOptions, model: &Model) -> Run {
    Run {
        id,
        spec: start.spec.clone(),
        stages: start.stages.clone(),
        stage,
        range: start.range.clone(),
        skipped: start.skipped.clone(),
        opened: model.now,
        ended: None,
        options,
        phase: Phase::Opening,
        seats: Vec::new(),
        preparation: None,
        judgement: None,
        judging: 0,
        judge_again: false,
        human: Human::default(),
        decisions: Vec::new(),
        pending: None,
        unrecorded: Vec::new(),
        known: Arc::default(),
        verdicts: BTreeMap::new(),
        kept: BTreeMap::new(),
        gathered: BTreeMap::new(),
        rounds: BTreeMap::new(),
        failed: BTreeMap::new(),
        attempts: BTreeMap::new(),
        spent: BTreeMap::new(),
        decided: BTreeMap::new(),
        openings: BTreeMap::new(),
        opened_with: BTreeMap::new(),
        guarded: BTreeMap::new(),
        guard: None,
        agendas: BTreeMap::new(),
        published: BTreeMap::new(),
        take: start.take.clone(),
        basket: None,
        tried: None,
        landing: None,
        landed: false,
        back: None,
        is_going_back: false,
        stop: None,
        warmth: Warmth::Cold,
        survivors: 0,
        memory: MemoryState::None,
        warnings: Vec::new(),
        lock: Lock::Free,
    }
}

/// The evidence told whether there is a run to go on with.
pub(super) fn found(model: &mut Model, id: &RunId, found: Result<Found, Failure>) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let found = found.map(|found| {
        run.published = found.published;
        found.run
    });
    if run.stop.is_some() {
        return super::cancel::try_finish(model, id);
    }
    let spec = run.spec.clone();
    match found {
        Err(failure) => fail(model, id, failure),
        Ok(None) if run.options.reopened => {
            let why = format!("it has no recorded {} run", run.stage);
            let failure =
                Failure::needs_input(spec.to_string(), why, format!("run `dicast {} {spec}` first", run.stage));
            fail(model, id, failure)
        }
        Ok(None) => vec![Effect::Run(id.clone(), RunEffect::Open { spec, abandon: None })],
        Ok(Some(found)) if land::is_to_take(run) && !run.options.fresh => {
            let old = match land::standing(&found) {
                land::Standing::Decided => {
                    run.options.reopened = true;
                    run.pending = run.take.clone().map(Reopened::Take);
                    adopt(model, id, found)
                }
                land::Standing::Open => adopt(model, id, found),
                land::Standing::Over => id.clone(),
            };
            vec![Effect::Run(old, RunEffect::Open { spec, abandon: None })]
        }
        Ok(Some(found)) if run.options.fresh || !covers(&found, run) => {
            vec![Effect::Run(id.clone(), RunEffect::Open { spec, abandon: Some(found.run) })]
        }
        Ok(Some(found)) => {
            let old = adopt(model, id, found);
            vec![Effect::Run(old, RunEffect::Open { spec, abandon: None })]
        }
    }
}

/// A run that was not closed is continued by whichever command asks for a stage that it had not decided, had opened
/// again, or was about to end with: then only its last steps are missing.
fn covers(found: &FoundRun, run: &Run) -> bool {
    let (mut is_decided, mut last) = (false, None);
    for (_, record) in &found.records {
        if let Record::StageOpened { stage, .. } = record {
            last = Some(*stage);
        }
        if let Record::StageDecided { stage, .. } | Record::RunReopened { stage, .. } = record
            && *stage == run.stage
        {
            is_decided = matches!(record, Record::StageDecided { .. });
        }
        if let Record::WentBack { .. } = record {
            is_decided = false;
        }
    }
    run.options.reopened || !is_decided || last == Some(run.stage)
}

/// Takes over what an earlier process left: its id, the answers it kept, how often each agent was tried.
fn adopt(model: &mut Model, id: &RunId, found: FoundRun) -> RunId {
    let Some(mut run) = model.runs.remove(id) else { return id.clone() };
    run.id = found.run.clone();
    if let Some(before) = model.runs.get(&found.run) {
        run.verdicts.clone_from(&before.verdicts);
    }
    run.options.resumed = true;
    for (_, record) in &found.records {
        round::adopt(&mut run.rounds, record, found.text_of(record));
        if let Some((stage, agent, used)) = record.used() {
            run.spend(stage, agent, used);
        }
        recollect(&mut run, record, &found);
    }
    run.human = settle::human(&run.decisions);
    run.stages.retain(|stage| !run.skipped.contains_key(stage));
    run.stage = run.stages.first().copied().unwrap_or(run.stage);
    // Whoever goes on with an audited range, or decides about it, need not name it again.
    let audited = found.inputs.get(&Stage::Audit).and_then(Ends::of);
    run.range = run.range.or_else(|| audited.map(|ends| ends.revisions()));
    run.opened_with = found.inputs;
    run.agendas = found.agendas;
    run.gathered = found.gathered;
    back::resume(&mut run, &found.records);
    for view in &mut model.views {
        if let View::Dashboard { run: shown, .. } = view
            && shown == id
        {
            *shown = found.run.clone();
        }
    }
    model.runs.insert(found.run.clone(), run);
    found.run
}

/// Takes over what a record tells of the stages.
fn recollect(run: &mut Run, record: &Record, found: &FoundRun) {
    match record {
        Record::AgentFailed { kind: TurnKind::Round, .. } => {}
        Record::AgentLaunched { stage, agent, attempt, .. } => {
            let highest = run.attempts.entry(*stage).or_default().entry(agent.clone()).or_insert(0);
            *highest = (*highest).max(*attempt);
        }
        Record::StageOpened { stage, .. } => *run.openings.entry(*stage).or_insert(0) += 1,
        Record::AgentAnswered { stage, agent, artifact, raw, took_ms, session, change, .. } => {
            let text = found.answers.iter().find(|(.., file, _)| file == artifact).map(|(.., text)| text);
            if let Some(text) = text {
                let answer = Answer { file: artifact.clone(), text: Arc::clone(text) };
                let session = session.clone();
                let change = change.as_ref().and_then(|file| found.changes.get(&file.path));
                let change = change.and_then(|text| serde_json::from_str(text).ok()).map(Arc::new);
                let kept = Kept { answer, change, took_ms: *took_ms, wrote: raw.bytes, session };
                run.kept.entry(*stage).or_default().insert(agent.clone(), kept);
            }
        }
        Record::CandidatesTried { report, .. } => {
            let text = found.changes.get(&report.path);
            run.tried = text.and_then(|text| serde_json::from_str(text).ok()).map(Arc::new);
        }
        Record::LandingIntended { landing, .. } => (run.landing, run.landed) = (Some(landing.clone()), false),
        Record::Landed { landing, .. } => (run.landing, run.landed) = (Some(landing.clone()), true),
        Record::LandingUndone { .. } => {
            (run.landing, run.landed) = (None, false);
            run.is_going_back = false;
        }
        Record::WentBack { back } => back::forget(run, back.clone()),
        Record::GuardrailsRan { stage, when, passed, report } => {
            run.guarded.entry(*stage).or_default().insert(*when, *passed);
            let text = found.changes.get(&report.path);
            run.guard = text.and_then(|text| serde_json::from_str(text).ok()).map(Arc::new);
        }
        // Who asks for just that stage now wants it after all, and a reason given anew replaces the old one.
        Record::StageSkipped { stage, reason } if run.stages != [*stage] => {
            run.skipped.entry(*stage).or_insert_with(|| reason.clone());
        }
        Record::StageDecided { stage, .. } => *run.decided.entry(*stage).or_insert(0) += 1,
        Record::HumanDecided { stage, .. } if *stage == run.stage => {
            if let Some(decision) = settle::decision_of(record.clone()) {
                settle::remember(&mut run.decisions, decision);
            }
        }
        Record::AgentFailed { stage, agent, error, .. } => {
            run.failed.entry(*stage).or_default().insert(agent.clone(), error.clone());
        }
        Record::RunOpened { .. }
        | Record::RunResumed { .. }
        | Record::StageElsewhere { .. }
        | Record::PermissionAnswered { .. }
        | Record::StageSkipped { .. }
        | Record::RoundOpened { .. }
        | Record::RoundAnswered { .. }
        | Record::RoundClosed { .. }
        | Record::HumanDecided { .. }
        | Record::Published { .. }
        | Record::PublishIntended { .. }
        | Record::Mirrored { .. }
        | Record::RunStopped { .. }
        | Record::GateHeld { .. }
        | Record::RunReopened { .. }
        | Record::RunClosed { .. } => {}
    }
}

/// The lock is ours, or somebody else's.
pub(super) fn opened(model: &mut Model, id: &RunId, outcome: Result<(), Failure>) -> Vec<Effect> {
    let (version, pid) = (model.boot.version.clone(), model.boot.pid);
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let is_decided_here = run.options.reopened && run.preparation.is_some();
    match outcome {
        Ok(()) => run.lock = Lock::Ours { copies: 0 },
        Err(failure) if is_decided_here => return settle::not_reopened(model, id, &failure),
        Err(failure) => {
            // The run that holds the lock can be looked at: which one it is, the evidence tells.
            let look = matches!(failure, Failure::LockHeld { .. }) && !model.boot.headless;
            let mut effects = fail(model, id, failure);
            effects.extend(look.then_some(Effect::Survey));
            return effects;
        }
    }
    if run.stop.is_some() {
        // Nothing was recorded yet: there is no stop to record either.
        return if is_decided_here { settle::stays_decided(model, id) } else { super::cancel::recorded(model, id) };
    }
    if is_decided_here {
        return settle::reopened(model, id);
    }
    let record = if run.options.reopened {
        Record::RunReopened { stage: run.stage, why: "asked for".into() }
    } else if run.options.resumed {
        Record::RunResumed { version, pid }
    } else {
        Record::RunOpened { spec: run.spec.clone(), stages: run.stages.clone(), version, pid }
    };
    let what = What::RunStarted { spec: run.spec.clone(), stages: run.stages.clone(), resumed: run.options.resumed };
    let skipped = run.skipped.clone();
    let mut batch = Batch::record(record);
    let mut events = vec![emit(model, Some(id), what)];
    for (stage, reason) in skipped {
        batch.records.push(Record::StageSkipped { stage, reason: reason.clone() });
        events.push(emit(model, Some(id), What::StageSkipped { stage, reason }));
    }
    commit(model, id, batch, Then::Opened, events)
}

/// The run is journalled: prepare its first stage, or go on with a decision.
pub(super) fn journalled(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.options.announced = true;
    if run.stop.is_some() {
        return super::cancel::try_finish(model, id);
    }
    // What is in the working copy is what is taken back: nothing could be prepared from it.
    if run.options.undo {
        run.pending = None;
        return land::undo(model, id);
    }
    back::enter(model, id).unwrap_or_else(|| checkpoint::enter(model, id))
}

/// Reads the inputs of the stage at hand.
pub(super) fn prepare(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.phase = Phase::Preparing;
    let roster = model.settings.roster(run.stage).map(|agent| agent.name.clone()).collect();
    let mut effects = warm(run, model.settings.roster(run.stage));
    let range = run.range.clone().filter(|_| run.stage == Stage::Audit);
    let agenda = run.agendas.get(&run.stage).filter(|_| run.options.reopened).cloned();
    let effect = RunEffect::Prepare {
        spec: run.spec.clone(),
        stage: run.stage,
        roster,
        range,
        skipped: run.skipped.clone(),
        agenda,
        back: run.back.clone().filter(|_| run.stage == Stage::Implement),
    };
    effects.push(Effect::Run(id.clone(), effect));
    effects
}

/// Has agents that take long to start, and are kept warm, started while inputs are read.
fn warm<'s>(run: &mut Run, roster: impl Iterator<Item = &'s Agent>) -> Vec<Effect> {
    let spoken: Vec<&Agent> = roster.filter(|agent| agent.manner().is_some()).collect();
    if spoken.is_empty() {
        return Vec::new();
    }
    run.warmth = Warmth::Warm;
    let kept = run.kept.get(&run.stage);
    // Who writes is started in its worktree, which is made for its turn.
    let is_asked =
        |agent: &Agent| !agent.writes.contains(&run.stage) && kept.is_none_or(|kept| !kept.contains_key(&agent.name));
    let asked: Vec<AgentName> =
        spoken.into_iter().filter(|agent| is_asked(agent)).map(|agent| agent.name.clone()).collect();
    // Who only decides anew asks nobody.
    let asks = !run.options.reopened || run.options.rerun_missing;
    let effect = Effect::Run(run.id.clone(), RunEffect::Warm(asked.clone()));
    if asks && !asked.is_empty() { vec![effect] } else { Vec::new() }
}

/// Inputs were read: seat the panel and make its prompts durable.
pub(super) fn prepared(
    model: &mut Model,
    id: &RunId,
    stage: Stage,
    outcome: Result<Arc<Preparation>, Failure>,
) -> Vec<Effect> {
    let is_its_own = |run: &&Run| {
        let is_due = run.stage == stage && matches!(run.phase, Phase::Preparing | Phase::Stopping);
        is_due && outcome.as_ref().map_or(true, |preparation| preparation.spec.id == run.spec)
    };
    let Some(run) = model.runs.get(id).filter(is_its_own) else { return Vec::new() };
    if run.stop.is_some() {
        if let Some(run) = model.runs.get_mut(id) {
            run.phase = Phase::Stopping;
        }
        return super::cancel::prepared(model, id);
    }
    let preparation = match outcome {
        Ok(preparation) => preparation,
        Err(failure) => return fail(model, id, failure),
    };
    if let Some(before) = preparation.outdated.filter(|_| !run.options.reopened) {
        return outdated(model, id, before, &preparation.spec.file);
    }
    let seats: Vec<Seat> = model.settings.roster(stage).map(|agent| seat(run, agent)).collect();
    let inputs: Arc<str> = match serde_json::to_string_pretty(&preparation.inputs) {
        Ok(text) => text.into(),
        Err(error) => {
            let failure = Failure::BadReply { from: "preparation".into(), why: error.to_string() };
            return fail(model, id, failure);
        }
    };
    let changed = run.opened_with.get(&stage).map(|before| {
        // A stage that is decided anew is bound to the earlier verdicts as they stand now: what they wrote is compared.
        let verdicts = if run.options.reopened { &preparation.inputs.verdicts } else { &before.verdicts };
        preparation.inputs.changed_since(&Inputs { verdicts: verdicts.clone(), ..before.clone() })
    });
    if let Some(changed) = changed.filter(|changed| !changed.is_empty()) {
        return stale(model, id, &changed.join(", "));
    }
    // A resumed stage is opened again: its prompts are kept beside the earlier ones.
    let opening = run.openings.get(&stage).copied().unwrap_or(0) + 1;
    let suffix = if opening == 1 { String::new() } else { format!("-{opening}") };
    let mut files = vec![(format!("prompts/{stage}-inputs{suffix}.json"), inputs)];
    for (agent, prompt) in &preparation.prompts {
        files.push((format!("prompts/{stage}-{agent}{suffix}.md"), Arc::clone(prompt)));
    }
    let record = Record::StageOpened {
        stage,
        seats: seats.iter().map(|seat| seat.who.clone()).collect(),
        inputs: journal::FileRef::of(&files[0]),
        prompts: files[1..].iter().map(journal::FileRef::of).collect(),
        recalled: preparation.recalled.clone(),
    };
    let mut records = vec![record];
    let range = preparation.range.clone();
    if opening == 1 && !preparation.inputs.verdicts.contains_key(Stage::Implement.name()) {
        records.extend(range.as_deref().map(elsewhere));
    }
    let agents = seats.iter().map(|seat| seat.who.agent.clone()).collect();
    let recalled = preparation.recalled.len();
    let warnings = model.settings.one_voice(stage).map(|text| Safe::line(&text)).into_iter();
    let warnings: Vec<Safe> = warnings.chain(preparation.unseen.clone()).collect();
    if let Some(run) = model.runs.get_mut(id) {
        run.openings.insert(stage, opening);
        run.seats = seats;
        run.preparation = Some(preparation);
    }
    let mut events = vec![emit(
        model,
        Some(id),
        What::StageStarted { stage, agents, recalled, range: range.map(|range| range.ends.revisions()) },
    )];
    events.extend(warnings.into_iter().map(|text| emit(model, Some(id), What::Warning { text })));
    commit(model, id, Batch { files, records }, Then::StageOpened, events)
}

/// Says that the change which is audited was made elsewhere.
fn elsewhere(range: &Range) -> Record {
    Record::StageElsewhere {
        stage: Stage::Implement,
        range: range.ends.clone(),
        diff_sha256: range.diff_sha256.clone(),
        files: u32::try_from(range.files.len()).unwrap_or(u32::MAX),
    }
}

/// What the run is about changed while it was stopped: it is closed, and a fresh one follows. What was asked of a
/// recorded stage cannot be done to another text: asking everybody anew is for the user to decide.
fn stale(model: &mut Model, id: &RunId, changed: &str) -> Vec<Effect> {
    if let Some(run) = model.runs.get(id).filter(|run| run.options.reopened) {
        let (spec, stage) = (run.spec.clone(), run.stage);
        let failure = Failure::BadInput {
            place: format!("{stage} of {spec}"),
            why: format!("changed since it was decided: {changed}"),
            next: format!("run `dicast {stage} {spec}` again"),
            exit: STALE,
        };
        return fail(model, id, failure);
    }
    start_over(model, id, format!("changed since the run was stopped: {changed} · it starts over"))
}

/// The spec changed since the stage before was decided, at a gate or by hand: a run that decided it starts over. One that
/// began behind it asks a person, for whom the change may be a slip of the pen.
fn outdated(model: &mut Model, id: &RunId, before: Stage, file: &str) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    let (spec, stage) = (&run.spec, run.stage);
    if run.stages.contains(&before) {
        return start_over(model, id, format!("{file} changed since its {before} was decided · it starts over"));
    }
    let failure = Failure::needs_input(
        format!("{stage} of {spec}"),
        format!("its {before} is about another text: {file} changed since"),
        format!(
            "run `dicast {before} {spec}` again; if the {before} still holds, say so on record: \
             `dicast auto {spec} --from {stage} --skip-stage {before}=REASON`"
        ),
    );
    fail(model, id, failure)
}

/// Closes a run whose stages judged what is not there any more; a fresh one follows when that is on record.
fn start_over(model: &mut Model, id: &RunId, why: String) -> Vec<Effect> {
    let mut effects = vec![emit(model, Some(id), What::Warning { text: Safe::line(&why) })];
    notice(model, why);
    if let Some(run) = model.runs.get_mut(id) {
        run.options.restart = true;
        run.phase = Phase::Stopped;
        run.ended = Some(model.now);
    }
    effects.extend(close(model, id, Closed::Stale));
    effects
}

/// Opens the last recorded run of a spec again, to decide something about it or to ask only those that are missing.
pub(super) fn reopen_recorded(model: &mut Model, start: Start, pending: Option<Reopened>) -> Vec<Effect> {
    let effects = self::start(model, start);
    for effect in &effects {
        if let Effect::Run(id, RunEffect::Find { .. }) = effect
            && let Some(run) = model.runs.get_mut(id)
        {
            run.options.reopened = true;
            run.pending = pending;
            let find = RunEffect::Find { spec: run.spec.clone(), closed: true, stage: run.stage };
            return vec![Effect::Run(id.clone(), find)];
        }
    }
    effects
}

fn seat(run: &Run, agent: &crate::domain::settings::Agent) -> Seat {
    let who = journal::Seat {
        agent: agent.name.clone(),
        family: agent.family.clone(),
        scripted: matches!(agent.kind, AgentKind::Replay { .. }),
        external: matches!(agent.kind, AgentKind::Memory),
    };
    let tried = run.attempts.get(&run.stage).and_then(|tried| tried.get(&agent.name)).copied().unwrap_or(0);
    let kept = run.kept.get(&run.stage).and_then(|kept| kept.get(&agent.name));
    // Of an answer at implement whose change is not there any more nothing is left.
    let kept = kept.filter(|kept| run.stage != Stage::Implement || kept.change.is_some());
    let answer = kept.map(|kept| kept.answer.clone());
    // A reopened stage is decided again from what is kept; only `rerun_missing` asks anybody. Whose answer was kept and is
    // gone is missing: it may have been a dissent, and another answer would not bring that back.
    let is_gone = run.gathered.get(&run.stage).is_some_and(|gathered| gathered.missing.contains(&agent.name));
    let asks = (!run.options.reopened && !is_gone) || run.options.rerun_missing;
    let failed = run.failed.get(&run.stage).and_then(|failed| failed.get(&agent.name));
    let state = match &answer {
        Some(_) => SeatState::Answered,
        None if asks => SeatState::Queued(TurnKind::Draft),
        None => SeatState::Failed(failed.cloned().unwrap_or(AgentError::Cancelled)),
    };
    let attempt = if answer.is_some() { tried.max(1) } else { tried + 1 };
    Seat {
        took_ms: kept.map(|kept| kept.took_ms),
        wrote: kept.map(|kept| kept.wrote),
        session: kept.and_then(|kept| kept.session.clone()),
        change: kept.and_then(|kept| kept.change.clone()),
        answer,
        ..Seat::new(who, attempt, state)
    }
}

/// The prompts are durable: agents may be asked.
pub(super) fn stage_opened(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    if run.stop.is_some() {
        return super::cancel::try_finish(model, id);
    }
    run.phase = Phase::Asking;
    let mut effects = seats::schedule(model, id);
    effects.extend(verdict::judge_if_due(model, id));
    effects
}

/// Begins the next stage of a run.
pub(super) fn next_stage(model: &mut Model, id: &RunId, stage: Stage) -> Vec<Effect> {
    if let Err(failure) = ask::may_run(model, stage) {
        return fail(model, id, failure);
    }
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    turn_to(run, stage);
    checkpoint::enter(model, id)
}

/// Puts a stage in the place of the one at hand, as nobody has begun it.
pub(super) fn turn_to(run: &mut Run, stage: Stage) {
    // Whoever is asked again is asked with another number: what comes late of the try before is told apart by it.
    for seat in &run.seats {
        let highest = run.attempts.entry(run.stage).or_default().entry(seat.who.agent.clone()).or_insert(0);
        *highest = (*highest).max(seat.attempt);
    }
    run.stage = stage;
    // What was opened again is the stage before: this one is begun as any other.
    run.options.reopened = false;
    run.options.rerun_missing = false;
    run.seats.clear();
    run.preparation = None;
    run.judgement = None;
    run.human = Human::default();
    run.decisions.clear();
    run.known = Arc::default();
    run.judge_again = false;
}

/// Ends a run that cannot go on. A run whose journal is ours is closed there too.
pub(super) fn fail(model: &mut Model, id: &RunId, failure: Failure) -> Vec<Effect> {
    complain(model, &failure);
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.phase = Phase::Failed(failure);
    run.ended = Some(model.now);
    close(model, id, Closed::Failed)
}

/// Records that the run is over, and gives its lock back; while memory is still copying, [`super::mirror::mirrored`] does.
pub(super) fn close(model: &mut Model, id: &RunId, why: Closed) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    match run.lock {
        Lock::Ours { copies: 0 } => {
            run.lock.close();
            let record = Record::RunClosed { why, survivors: Some(run.survivors) };
            commit(model, id, Batch::record(record), Then::Closed, Vec::new())
        }
        Lock::Ours { .. } | Lock::Closing { .. } => Vec::new(),
        Lock::Free => finish(model, id),
    }
}

/// The end is recorded.
pub(super) fn closed(model: &mut Model, id: &RunId) -> Vec<Effect> {
    finish(model, id)
}

/// Gives the lock back, tells that the run is finished, and leaves if that was waited for.
pub(super) fn finish(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    // Copies that are still being made are not recorded any more, and records on their way change nothing.
    if run.lock.copies() > 0 {
        run.memory = MemoryState::Waiting("the run ended before they were made".to_owned());
    }
    let is_held = run.lock.is_held();
    run.lock = if is_held { Lock::Closing { copies: 0 } } else { Lock::Free };
    model.after.retain(|_, after| &after.run != id);
    if is_held {
        return vec![Effect::Run(
            id.clone(),
            RunEffect::Release { spec: run.spec.clone(), uproot: run.tried.is_some() },
        )];
    }
    released(model, id, Ok(()))
}

/// The lock was given back: this is the last that is heard of the run.
pub(super) fn released(model: &mut Model, id: &RunId, outcome: Result<(), Failure>) -> Vec<Effect> {
    if let Err(failure) = &outcome {
        complain(model, failure);
    }
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.lock = Lock::Free;
    run.warmth = Warmth::Cold;
    // Somebody decided something while the run was put away: it is opened again at once.
    if run.phase.is_live() {
        if run.stop.is_some() {
            return settle::stays_decided(model, id);
        }
        let spec = run.spec.clone();
        return vec![Effect::Run(id.clone(), RunEffect::Open { spec, abandon: None })];
    }
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    if run.options.restart && !model.leaving {
        let range = run.range.clone();
        let skipped = run.skipped.clone();
        let start = Start { fresh: true, range, skipped, ..Start::of(run.spec.clone(), run.stages.clone()) };
        // Whoever asked for the run waits for the fresh one.
        model.asking = run.options.ask;
        model.runs.remove(id);
        let effects = self::start(model, start);
        model.asking = None;
        return effects;
    }
    let outcome = outcome_of(model, run);
    let ask = run.options.ask;
    let what = finished(&outcome);
    let mut effects = vec![Effect::Emit(Event { at: model.now, run: outcome.run.clone(), ask, what })];
    if let Some(ask) = ask {
        // Nobody looks at it here any more: who asked has all of it, and what is left is on disk.
        model.runs.remove(id);
        let never_began = outcome.failure.clone().filter(|_| outcome.run.is_none());
        effects.push(Effect::Answer(ask, never_began.map_or(Ok(Arc::new(outcome)), Err)));
    } else if model.boot.headless
        && !model.leaving
        && model.runs.values().all(|run| !run.phase.is_live() && !run.lock.is_held())
    {
        // Without a screen there is nothing left to do.
        model.leaving = true;
        model.quitting = Some(exit::worst(model.runs.values().map(|run| exit::exit(model, run))));
    }
    effects.extend(super::cancel::leave_if_done(model));
    effects
}

fn outcome_of(model: &Model, run: &Run) -> Outcome {
    Outcome {
        // A run that was refused before it began is none: nothing of it is to be found under its id.
        run: run.options.announced.then(|| run.id.clone()),
        exit: exit::exit(model, run),
        verdicts: run.verdicts.clone(),
        evidence: (!run.openings.is_empty())
            .then(|| format!("{}/consensus/{}/{}", model.settings.evidence.root, run.spec, run.id)),
        memory: match &run.memory {
            MemoryState::None => "none".into(),
            MemoryState::Copying => "copying".into(),
            MemoryState::Stored(n) => format!("stored {n}"),
            MemoryState::Waiting(why) => format!("waiting: {why}"),
        },
        spent: spend::total(model, run),
        failure: match &run.phase {
            Phase::Failed(failure) => Some(failure.clone()),
            Phase::Opening
            | Phase::Holding(_)
            | Phase::Waiting { .. }
            | Phase::Guarding(_)
            | Phase::Preparing
            | Phase::Asking
            | Phase::Judging
            | Phase::Recording
            | Phase::Publishing
            | Phase::Testing { .. }
            | Phase::Stopping
            | Phase::Stopped
            | Phase::Foreign(_)
            | Phase::Decided => None,
        },
    }
}

/// Makes the last event of a run.
fn finished(outcome: &Outcome) -> What {
    What::RunFinished {
        exit: outcome.exit,
        verdicts: outcome.verdicts.iter().map(|(stage, j)| (*stage, j.verdict.status.name().to_owned())).collect(),
        evidence: outcome.evidence.clone(),
        memory: outcome.memory.clone(),
        spent: outcome.spent.clone(),
        failure: outcome.failure.as_ref().map(|failure| (failure.to_string(), failure.hint())),
    }
}

/// Makes the effect that tells an event.
pub(super) fn emit(model: &Model, run: Option<&RunId>, what: What) -> Effect {
    let ask = run.and_then(|id| model.runs.get(id)).and_then(|run| run.options.ask);
    Effect::Emit(Event { at: model.now, run: run.cloned(), ask, what })
}
