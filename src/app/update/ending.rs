//! The end of a run: closed in its journal, its lock given back, told to whoever waits.

use std::sync::Arc;

use super::durable::{Batch, commit};
use super::{complain, exit, run as runs, settle, spend};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::{Event, What};
use crate::app::model::{Lock, MemoryState, Model, Phase, Run, Then, Warmth};
use crate::app::msg::Start;
use crate::app::outcome::Outcome;
use crate::domain::failure::Failure;
use crate::domain::ids::{AgentName, RunId};
use crate::domain::journal::{Closed, Record};
use crate::domain::safe::Safe;

/// Ends a run that cannot go on. A run whose journal is ours is closed there too.
pub(super) fn fail(model: &mut Model, id: &RunId, failure: Failure) -> Vec<Effect> {
    complain(model, &failure);
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.phase = Phase::Failed(failure);
    run.ended = Some(model.now);
    close(model, id, Closed::Failed)
}

/// Records that the run is over, and gives its lock back; while memory is still copying, [`super::mirror::mirrored`] does.
/// Its worktrees go before: whoever goes on with a run that was not closed removes them, of a closed one nobody would.
pub(super) fn close(model: &mut Model, id: &RunId, why: Closed) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    match run.lock {
        Lock::Ours { copies: 0 } => end(model, id, why, Vec::new()),
        Lock::Ours { .. } | Lock::Closing { .. } => Vec::new(),
        Lock::Free => finish(model, id),
    }
}

/// Ends a run of which no copy is under way any more; `last` is recorded before its end.
pub(super) fn end(model: &mut Model, id: &RunId, why: Closed, last: Vec<Record>) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.lock.close();
    if run.tried.is_none() {
        return record_end(model, id, why, last);
    }
    run.closing = Some(why);
    let batch = Batch { records: last, ..Batch::default() };
    let mut effects =
        if batch.records.is_empty() { Vec::new() } else { commit(model, id, batch, Then::Nothing, Vec::new()) };
    effects.push(Effect::Run(id.clone(), RunEffect::Uproot));
    effects
}

/// The worktrees are gone. One that cannot be removed is told, and keeps nobody from ending.
pub(super) fn uprooted(model: &mut Model, id: &RunId, outcome: Result<(), Failure>) -> Vec<Effect> {
    let mut effects = Vec::new();
    if let Err(failure) = &outcome {
        complain(model, failure);
        let text = Safe::line(&format!("worktrees stay: {failure} · {}", failure.hint()));
        effects.push(super::run::emit(model, Some(id), What::Warning { text }));
    }
    let why = model.runs.get_mut(id).and_then(|run| run.closing.take());
    effects.extend(why.map(|why| record_end(model, id, why, Vec::new())).unwrap_or_default());
    effects
}

fn record_end(model: &mut Model, id: &RunId, why: Closed, mut records: Vec<Record>) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    records.push(Record::RunClosed { why, survivors: Some(run.survivors) });
    commit(model, id, Batch { files: Vec::new(), records }, Then::Closed, Vec::new())
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
        let (range, brief) = (run.range.clone(), run.brief.clone());
        let skipped = run.skipped.clone();
        let (take, no_round, adopt) = (run.take.clone(), run.options.no_round, run.options.adopt);
        let of = Start::of(run.spec.clone(), run.stages.clone());
        // Who was left out and is no agent any more need not be.
        let is_known = |name: &AgentName| model.settings.agents.iter().any(|agent| &agent.name == name);
        let without = run.without.as_ref().map(|names| names.iter().filter(|name| is_known(name)).cloned().collect());
        let start = Start { fresh: true, range, brief, adopt, take, skipped, without, no_round, ..of };
        // Whoever asked for the run waits for the fresh one.
        model.asking = run.options.ask;
        model.runs.remove(id);
        let effects = runs::start(model, start);
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
