//! A run from the request to its journal: find one to go on with, take the lock, record that it is open.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::durable::{Batch, commit};
use super::{ask, back, checkpoint, ending, foreign, land, notice, roster, round, settle};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::{Event, What};
use crate::app::model::{Kept, Lock, MemoryState, Model, Phase, Run, RunOptions, Then, View, Warmth};
use crate::app::msg::{Found, FoundRun, Reopened, Start};
use crate::domain::absent::Without;
use crate::domain::failure::Failure;
use crate::domain::ids::RunId;
use crate::domain::journal::Record;
use crate::domain::judgement::{Answer, Human};
use crate::domain::range::Ends;
use crate::domain::run::TurnKind;
use crate::domain::stage::Stage;

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
    let no_round = start.no_round;
    let says_without = start.without.is_some();
    let options = RunOptions { says_without, fresh, rerun_missing, ask, no_round, ..RunOptions::default() };
    let mut run = blank(id.clone(), &start, stage, options, model);
    run.options.reopened = start.rerun_missing;
    run.options.adopt = start.adopt;
    model.runs.insert(id.clone(), run);
    if !model.boot.headless {
        model.views.retain(|view| matches!(view, View::Home { .. }));
        model.views.push(View::Dashboard { run: id.clone(), cursor: 0, pane: 1, scroll: 0 });
    }
    // Of every stage before the first is paid for.
    let may_be_without = |stage: &Stage| roster::may_be_without(&model.settings, *stage, start.without.as_ref());
    let may_begin = ask::may_run(model, stage, start.without.as_ref());
    if let Err(failure) = may_begin.and_then(|()| start.stages.iter().try_for_each(may_be_without)) {
        return ending::fail(model, &id, failure);
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
        brief: start.brief.clone(),
        rewritten: None,
        skipped: start.skipped.clone(),
        without: start.without.clone(),
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
        bases: BTreeMap::new(),
        edited: BTreeMap::new(),
        intended: BTreeMap::new(),
        take: start.take.clone(),
        basket: None,
        tried: None,
        landing: None,
        landed: false,
        back: None,
        is_going_back: false,
        closing: None,
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
        run.bases = found.bases;
        found.run
    });
    if run.stop.is_some() {
        return super::cancel::try_finish(model, id);
    }
    let spec = run.spec.clone();
    match found {
        Err(failure) => ending::fail(model, id, failure),
        Ok(None) if run.options.reopened => {
            let why = format!("it has no recorded {} run", run.stage);
            let failure =
                Failure::needs_input(spec.to_string(), why, format!("run `dicast {} {spec}` first", run.stage));
            ending::fail(model, id, failure)
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
    let said = run.without.take();
    for (_, record) in &found.records {
        round::adopt(&mut run.rounds, record, found.text_of(record));
        if let Some((stage, agent, used)) = record.used() {
            run.spend(stage, agent, used);
        }
        recollect(&mut run, record, &found);
    }
    // Who says anew who is left out need not repeat what was said before.
    run.without = said.or(run.without);
    run.human = settle::human(&run.decisions);
    run.stages.retain(|stage| !run.skipped.contains_key(stage));
    run.stage = run.stages.first().copied().unwrap_or(run.stage);
    // Whoever goes on with an audited range, or decides about it, need not name it again.
    let audited = found.inputs.get(&Stage::Audit).and_then(Ends::of);
    run.range = run.range.or_else(|| audited.map(|ends| ends.revisions()));
    // Nor what a spec is drafted for; who says something else begins anew, as the inputs differ.
    let brief = |record: &Record| if let Record::Briefed { brief } = record { Some(brief.clone()) } else { None };
    let briefed = found.records.iter().rev().find_map(|(_, record)| brief(record));
    run.brief = run.brief.or(briefed);
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
        Record::AgentsLeftOut { agents, .. } => run.without = Some(agents.iter().cloned().collect()),
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
        | Record::Briefed { .. }
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
            let mut effects = ending::fail(model, id, failure);
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
    // What an earlier start said is on record, with who said it.
    // That nobody is left out is worth a record only where somebody was before.
    let is_said = |names: &Without| run.options.says_without && (!names.is_empty() || run.options.resumed);
    let without = run.without.clone().filter(is_said);
    let mut batch = Batch::record(record);
    let by = model.boot.user.clone();
    batch.records.extend(without.map(|agents| Record::AgentsLeftOut { agents: agents.into_iter().collect(), by }));
    let brief = run.brief.clone().filter(|_| run.stage == Stage::Specify);
    batch.records.extend(brief.map(|brief| Record::Briefed { brief }));
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
    let first = back::enter(model, id).or_else(|| land::clear(model, id));
    first.unwrap_or_else(|| checkpoint::enter(model, id))
}

/// Makes the effect that tells an event.
pub(super) fn emit(model: &Model, run: Option<&RunId>, what: What) -> Effect {
    let ask = run.and_then(|id| model.runs.get(id)).and_then(|run| run.options.ask);
    Effect::Emit(Event { at: model.now, run: run.cloned(), ask, what })
}
