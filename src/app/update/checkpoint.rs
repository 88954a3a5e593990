//! What a run passes around a stage: gates, which ask a person, and guardrails, which stop it.
//!
//! Before a stage: gates, then guardrails, then its inputs are read. After it: guardrails, then gates; those of validate
//! run before its verdict, which counts them. What they said is on record before anything follows from it.

use std::sync::Arc;

use super::durable::{Batch, commit, file};
use super::{cancel, ending, gate, notice, run as runs, seats, staging, verdict};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::What;
use crate::app::model::{Gating, Model, Phase, Run, Then};
use crate::domain::failure::Failure;
use crate::domain::gate::{Checkpoint, Held, Issue};
use crate::domain::guardrail::{Report, When};
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::{FileRef, Record};
use crate::domain::stage::Stage;

/// Begins a stage: what lies before it is passed first. A stage that is opened again was begun before.
pub(super) fn enter(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    if run.options.reopened {
        return staging::prepare(model, id);
    }
    let at = Checkpoint::entering(run.stage, run.stages.first() == Some(&run.stage));
    let held = at.and_then(|at| hold(model, id, Gating { at, side: When::Before }));
    held.unwrap_or_else(|| guard_before(model, id))
}

/// Ends a stage whose documents are there: what lies behind it is passed before the next one.
pub(super) fn leave(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    // Those of validate are behind us, and those of implement were run on every candidate.
    if matches!(run.stage, Stage::Validate | Stage::Implement) {
        return guard_passed(model, id, When::After);
    }
    guard(model, id, When::After).unwrap_or_else(|| guard_passed(model, id, When::After))
}

fn hold(model: &mut Model, id: &RunId, gating: Gating) -> Option<Vec<Effect>> {
    let gates = model.settings.gates.get(&gating.at).filter(|gates| !gates.is_empty())?.clone();
    let run = model.runs.get_mut(id)?;
    run.phase = Phase::Holding(gating);
    let effect = RunEffect::Hold { spec: run.spec.clone(), at: gating.at, gates };
    Some(vec![Effect::Run(id.clone(), effect)])
}

/// Gates were held, or could not be.
pub(super) fn held(model: &mut Model, id: &RunId, at: Checkpoint, outcome: Result<Arc<Held>, Failure>) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    if run.stop.is_some() {
        return cancel::try_finish(model, id);
    }
    if !matches!(run.phase, Phase::Holding(gating) if gating.at == at) {
        return Vec::new();
    }
    let (file, held) = match outcome.and_then(|held| Ok((file(format!("gates/{}.json", at.name()), &*held)?, held))) {
        Ok(kept) => kept,
        Err(failure) => return ending::fail(model, id, failure),
    };
    let critical = u32::try_from(held.critical().count()).unwrap_or(u32::MAX);
    let mut events = vec![runs::emit(model, Some(id), What::gate_held(at, &held))];
    for issue in held.critical() {
        let what =
            What::GateAsked { checkpoint: at, issue: Box::new(issue.clone()), next: answering(&held.spec, issue) };
        events.push(runs::emit(model, Some(id), what));
    }
    gate::know(model, held);
    let record = Record::GateHeld { checkpoint: at, held: FileRef::of(&file), critical };
    commit(model, id, Batch { files: vec![file], records: vec![record] }, Then::GateHeld(at), events)
}

/// Returns the command that answers a question.
fn answering(spec: &SpecId, issue: &Issue) -> String {
    let id = &issue.id;
    if issue.slot.is_some() {
        format!("dicast clarify {spec} --answer {id}=TEXT")
    } else if issue.choices.is_empty() {
        format!("dicast gate {spec} --defer {id} --reason T")
    } else {
        format!("dicast gate {spec} --accept {id}")
    }
}

/// What the gates asked is on record: ask a person, or go on.
pub(super) fn gate_kept(model: &mut Model, id: &RunId, at: Checkpoint) -> Vec<Effect> {
    let now = model.now;
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    if run.stop.is_some() {
        return cancel::try_finish(model, id);
    }
    let Phase::Holding(gating) = run.phase else { return Vec::new() };
    if gating.at != at {
        return Vec::new();
    }
    let spec = run.spec.clone();
    let first = model.gates.get(&spec).and_then(|held| held.critical().next()).map(|issue| issue.ask.clone());
    let Some(ask) = first else { return passed(model, id, gating) };
    if model.boot.headless {
        return unanswerable(model, id);
    }
    if let Some(run) = model.runs.get_mut(id) {
        run.phase = Phase::Waiting { gating, since: now };
    }
    notice(model, format!("{} asks you: {ask}", gating.at.words()));
    gate::open_for_run(model, id, &spec, gating.at);
    Vec::new()
}

/// Fails a run whose gates asked what nobody is here to answer, and says how to answer it.
pub(super) fn unanswerable(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    let (Phase::Holding(gating) | Phase::Waiting { gating, .. }) = run.phase else { return Vec::new() };
    let spec = run.spec.clone();
    let Some(held) = model.gates.get(&spec).cloned() else { return passed(model, id, gating) };
    let Some(first) = held.critical().next() else { return passed(model, id, gating) };
    let count = held.critical().count();
    let things = if count == 1 { "a question".to_owned() } else { format!("{count} questions") };
    let place = format!("{}:{}", first.place.file, first.place.line);
    let why = format!("{things} must be answered {}: {}", gating.at.words(), first.ask);
    let failure = Failure::needs_input(place, why, answering(&spec, first));
    ending::fail(model, id, failure)
}

/// Nothing critical is open any more at the checkpoint where a run of the spec waits: it goes on.
pub(super) fn answered(model: &mut Model, spec: &SpecId) -> Vec<Effect> {
    let Some(held) = model.gates.get(spec).cloned() else { return Vec::new() };
    let waiting = model.runs.values().find_map(|run| match run.phase {
        Phase::Waiting { gating, since } if run.spec == *spec && run.stop.is_none() => {
            Some((run.id.clone(), gating, since))
        }
        Phase::Waiting { .. }
        | Phase::Opening
        | Phase::Holding(_)
        | Phase::Guarding(_)
        | Phase::Preparing
        | Phase::Asking
        | Phase::Judging
        | Phase::Recording
        | Phase::Publishing
        | Phase::Testing { .. }
        | Phase::Stopping
        | Phase::Stopped
        | Phase::Decided
        | Phase::Foreign(_)
        | Phase::Failed(_) => None,
    });
    let Some((id, gating, since)) = waiting else { return Vec::new() };
    let gates = model.settings.gates.get(&gating.at).cloned().unwrap_or_default();
    if held.critical().any(|issue| gates.contains(&issue.gate)) {
        return Vec::new();
    }
    let waited = model.now.since(since);
    if let Some(run) = model.runs.get_mut(&id) {
        // The time in which a person thought is nobody's work, and no deadline's.
        run.opened = run.opened.plus_ms(waited);
    }
    gate::close_for_run(model, &id);
    passed(model, &id, gating)
}

fn passed(model: &mut Model, id: &RunId, gating: Gating) -> Vec<Effect> {
    match gating.side {
        When::Before => guard_before(model, id),
        When::After => verdict::go_on(model, id),
    }
}

fn guard_before(model: &mut Model, id: &RunId) -> Vec<Effect> {
    guard(model, id, When::Before).unwrap_or_else(|| guard_passed(model, id, When::Before))
}

/// Starts the guardrails of one side of the stage at hand, if there are any.
fn guard(model: &mut Model, id: &RunId, when: When) -> Option<Vec<Effect>> {
    let run = model.runs.get_mut(id)?;
    let rails = model.settings.guardrails.get(&run.stage)?;
    let is_there = match when {
        When::Before => !rails.before.is_empty() || rails.clean_tree,
        When::After => !rails.after.is_empty(),
    };
    is_there.then(|| {
        run.phase = Phase::Guarding(when);
        let effect = RunEffect::Guard { spec: run.spec.clone(), stage: run.stage, when };
        vec![Effect::Run(id.clone(), effect)]
    })
}

/// Starts the guardrails that the verdict of validate counts, once all answers are there; `None` if nothing is to be
/// run, or it was.
pub(super) fn guard_verdict(model: &mut Model, id: &RunId) -> Option<Vec<Effect>> {
    let run = model.runs.get(id)?;
    let ran = run.guarded.get(&run.stage).is_some_and(|sides| sides.contains_key(&When::After));
    if run.stage != Stage::Validate || ran || run.options.reopened {
        return None;
    }
    guard(model, id, When::After)
}

/// Tells whether no guardrail after the stage at hand failed.
pub(super) fn is_green(run: &Run) -> bool {
    run.guarded.get(&run.stage).and_then(|sides| sides.get(&When::After)).copied().unwrap_or(true)
}

/// Guardrails were run, or could not be.
pub(super) fn guarded(
    model: &mut Model,
    id: &RunId,
    (stage, when): (Stage, When),
    outcome: Result<Arc<Report>, Failure>,
) -> Vec<Effect> {
    seats::note_survivors(model, id, outcome.as_ref().map_or(0, |report| report.survivors));
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    if run.stop.is_some() {
        return cancel::try_finish(model, id);
    }
    if run.phase != Phase::Guarding(when) || run.stage != stage {
        return Vec::new();
    }
    let name = format!("guardrails/{stage}-{}.json", when.word());
    let (file, report) = match outcome.and_then(|report| Ok((file(name, &*report)?, report))) {
        Ok(kept) => kept,
        Err(failure) => return ending::fail(model, id, failure),
    };
    let passed = report.is_green();
    run.guarded.entry(stage).or_default().insert(when, passed);
    run.guard = Some(Arc::clone(&report));
    let event = runs::emit(model, Some(id), What::GuardrailFinished { report, passed });
    let record = Record::GuardrailsRan { stage, when, passed, report: FileRef::of(&file) };
    commit(model, id, Batch { files: vec![file], records: vec![record] }, Then::Guarded(when), vec![event])
}

/// What the guardrails came to is on record: a red one stops the stage.
pub(super) fn guard_kept(model: &mut Model, id: &RunId, when: When) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    if run.stop.is_some() {
        return cancel::try_finish(model, id);
    }
    if run.phase != Phase::Guarding(when) {
        return Vec::new();
    }
    // The verdict of validate counts it: it stops the run only after that.
    if run.stage == Stage::Validate && when == When::After {
        run.phase = Phase::Asking;
        return verdict::judge_if_due(model, id);
    }
    guard_passed(model, id, when)
}

/// Goes on behind the guardrails of one side, if they passed.
fn guard_passed(model: &mut Model, id: &RunId, when: When) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    let is_red = run.guarded.get(&run.stage).and_then(|sides| sides.get(&when)) == Some(&false);
    if is_red {
        let told = run.guard.as_ref().and_then(|report| report.failure());
        let failure = told.unwrap_or_else(|| Failure::BadInput {
            place: format!("guardrail {} {}", when.word(), run.stage),
            why: "it failed".into(),
            next: format!("run it alone: `dicast guardrail {} {}`", run.stage, run.spec),
            exit: RED,
        });
        return ending::fail(model, id, failure);
    }
    match when {
        When::Before => staging::prepare(model, id),
        When::After => {
            let at = Checkpoint::leaving(run.stage);
            let held = at.and_then(|at| hold(model, id, Gating { at, side: When::After }));
            held.unwrap_or_else(|| verdict::go_on(model, id))
        }
    }
}

/// The exit code of a failed guardrail.
const RED: u8 = 2;
