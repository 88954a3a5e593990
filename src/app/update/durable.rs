//! Durable before visible: what may only be shown or done once its record is on disk.

use std::sync::Arc;

use super::{back, cancel, checkpoint, complain, ending, land, round, run, seats, settle, staging, verdict};
use crate::app::effect::{CommitId, Effect, RunEffect};
use crate::app::model::{After, Model, Phase, Then};
use crate::domain::failure::Failure;
use crate::domain::ids::RunId;
use crate::domain::journal::{FileRef, Record};

/// Files and records that become durable together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) files: Vec<(String, Arc<str>)>,
    pub(super) records: Vec<Record>,
}

impl Batch {
    pub(super) fn record(record: Record) -> Self {
        Self { files: Vec::new(), records: vec![record] }
    }
}

/// Writes a value as the file of a path.
pub(super) fn file(path: String, value: &impl serde::Serialize) -> Result<(String, Arc<str>), Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => Ok((path, Arc::from(text + "\n"))),
        Err(error) => Err(Failure::BadReply { from: path, why: error.to_string() }),
    }
}

/// Makes a batch durable; `then` is shown and `effects` are done once it is.
pub(super) fn commit(model: &mut Model, run: &RunId, batch: Batch, then: Then, effects: Vec<Effect>) -> Vec<Effect> {
    let Some(spec) = model.runs.get(run).map(|run| run.spec.clone()) else { return Vec::new() };
    let id = model.next_commit;
    model.next_commit = CommitId(id.0 + 1);
    model.after.insert(id, After { run: run.clone(), then, effects });
    vec![Effect::Run(run.clone(), RunEffect::Commit { id, spec, files: batch.files, records: batch.records })]
}

/// A commit is durable, or never will be.
pub(super) fn committed(
    model: &mut Model,
    run: &RunId,
    id: CommitId,
    outcome: Result<Vec<FileRef>, Failure>,
) -> Vec<Effect> {
    // A number says which commit it is, and only the run that asked for it may hear of it.
    if model.after.get(&id).is_none_or(|after| &after.run != run) {
        return Vec::new();
    }
    let Some(after) = model.after.remove(&id) else { return Vec::new() };
    match outcome {
        Ok(files) => {
            let launched = if let Then::Launched(agent) = &after.then { Some(agent.clone()) } else { None };
            let shown = show(model, run, after.then, &files);
            let mut effects = after.effects;
            // Somebody stopped the run, or this agent, meanwhile: it is not started any more.
            if launched.is_some_and(|agent| !seats::is_asked(model, run, &agent)) {
                effects.clear();
            }
            effects.extend(shown);
            effects
        }
        Err(failure) => failed(model, run, failure),
    }
}

fn show(model: &mut Model, run: &RunId, then: Then, files: &[FileRef]) -> Vec<Effect> {
    match then {
        Then::Opened => run::journalled(model, run),
        Then::GateHeld(at) => checkpoint::gate_kept(model, run, at),
        Then::Guarded(when) => checkpoint::guard_kept(model, run, when),
        Then::StageOpened => staging::stage_opened(model, run),
        Then::Launched(agent) => seats::launched(model, run, &agent),
        Then::Answered { agent, text, change, took_ms } => {
            seats::kept(model, run, &agent, files, (text, change), took_ms)
        }
        Then::Failed { agent, next } => seats::failure_kept(model, run, &agent, next),
        Then::RoundOpened => round::go_on(model, run),
        Then::Voted { agent, text } => round::voted(model, run, &agent, files, text),
        Then::Silent(agent) => round::silent(model, run, &agent),
        Then::RoundClosed => round::closed(model, run),
        Then::Decided(judgement) => verdict::decided(model, run, judgement, files),
        Then::Published => verdict::recorded(model, run),
        Then::Landed { commit, undone } => land::kept(model, run, commit, undone),
        Then::WentBack(back) => back::kept(model, run, back),
        Then::Stopped => cancel::recorded(model, run),
        Then::Closed => ending::closed(model, run),
        Then::Reopened => settle::resumed(model, run),
        Then::Nothing => Vec::new(),
    }
}

/// Evidence cannot be written: nothing that followed may happen, and the run ends as Infra.
fn failed(model: &mut Model, id: &RunId, failure: Failure) -> Vec<Effect> {
    model.after.retain(|_, after| &after.run != id);
    complain(model, &failure);
    // A run that has ended already stays as it ended.
    let Some(run) = model.runs.get_mut(id).filter(|run| run.lock.is_held()) else { return Vec::new() };
    let was_live = run.phase.is_live();
    run.ended = Some(model.now);
    run.unrecorded.clear();
    seats::abandon(run);
    run.phase = Phase::Failed(failure);
    let mut effects = Vec::new();
    if was_live {
        effects.push(Effect::Run(id.clone(), RunEffect::Stop));
    }
    effects.extend(ending::finish(model, id));
    effects
}
