//! Copies for memory: what is sent when a verdict is recorded, and what becomes of a run that only waits for them.

use std::sync::Arc;

use super::durable::{Batch, commit, file};
use super::verdict::carried;
use super::{ending, run as runs};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::What;
use crate::app::model::{Lock, MemoryState, Model, Phase, Run, Then};
use crate::app::msg::MirrorReport;
use crate::domain::failure::Failure;
use crate::domain::ids::RunId;
use crate::domain::journal::{Closed, Record};
use crate::domain::judgement::Judgement;
use crate::domain::memory::{self, Entry, Subject};
use crate::domain::safe::Safe;
use crate::domain::stage::Stage;

/// Sends memory copies of what the stage at hand recorded.
pub(super) fn send(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let (Some(judgement), Some(subject)) = (run.judgement.clone(), subject(run)) else { return Vec::new() };
    // What came from memory is there.
    let ours = run.seats.iter().filter(|seat| !seat.who.external);
    let answers = ours.filter_map(|seat| Some((&seat.who.agent, Arc::clone(&seat.answer.as_ref()?.text))));
    let mut entries: Vec<Entry> = answers.map(|(agent, text)| Entry::answer(&subject, agent, text)).collect();
    if let Ok((_, text)) = file(format!("verdicts/{}.json", subject.stage), &*judgement.verdict) {
        entries.push(Entry::verdict(&subject, text));
    }
    entries.push(Entry::note(&subject, &note(run, &judgement)));
    run.memory = MemoryState::Copying;
    run.lock.copy();
    vec![Effect::Run(id.clone(), RunEffect::Mirror { stage: subject.stage, entries })]
}

/// What the entries of the stage at hand are about.
pub(super) fn subject(run: &Run) -> Option<Subject> {
    let preparation = run.preparation.as_ref()?;
    let asked = memory::asked(&preparation.inputs);
    Some(Subject { spec: run.spec.clone(), stage: run.stage, run: run.id.clone(), asked })
}

/// What a later run of another spec may want to know of a verdict: how it ended and why, what a human decided, what
/// stands open.
fn note(run: &Run, judgement: &Judgement) -> String {
    let in_words = |text: &str| run.preparation.as_ref().map_or_else(|| text.to_owned(), |p| p.in_words(text));
    let verdict = &judgement.verdict;
    let title = run.preparation.as_ref().map(|p| p.spec.title.clone()).unwrap_or_default();
    let mut text =
        format!("{} of {} ({title}): {}, {}.", run.stage, run.spec, verdict.status.name(), in_words(&verdict.why()));
    for decision in &run.decisions {
        text.push_str(&format!(" {} decided {}: {}.", decision.by, decision.subject, decision.reason));
    }
    for dissent in carried(judgement) {
        text.push_str(&format!(" Open: {}.", dissent.line()));
    }
    text
}

/// Memory has copies, or they wait: never a change of status, exit or hash.
pub(super) fn mirrored(
    model: &mut Model,
    id: &RunId,
    stage: Stage,
    outcome: Result<MirrorReport, Failure>,
) -> Vec<Effect> {
    // Who has sent nothing of that stage is told nothing. A verdict that the run went back behind was sent as well.
    let is_sent = |run: &&mut Run| {
        run.decided.contains_key(&stage) && (run.memory == MemoryState::Copying || run.lock.copies() > 0)
    };
    let Some(run) = model.runs.get_mut(id).filter(is_sent) else { return Vec::new() };
    let is_recorded = run.lock.copied();
    let report = outcome.unwrap_or_else(|failure| MirrorReport { stored: 0, waiting: Some(failure.to_string()) });
    run.memory = match &report.waiting {
        Some(why) => MemoryState::Waiting(why.clone()),
        None => MemoryState::Stored(report.stored),
    };
    let mut effects = Vec::new();
    if let Some(why) = &report.waiting {
        let text = Safe::line(&format!("copies wait for memory: {why}"));
        run.warnings.push(text.clone());
        effects.push(runs::emit(model, Some(id), What::Warning { text }));
    }
    let Some(run) = model.runs.get_mut(id).filter(|_| is_recorded) else { return effects };
    let ends = closing(run).filter(|_| run.lock.copies() == 0);
    let record = Record::Mirrored { stage, stored: report.stored, waiting: report.waiting };
    effects.extend(match ends {
        Some(why) => ending::end(model, id, why, vec![record]),
        None => commit(model, id, Batch::record(record), Then::Nothing, Vec::new()),
    });
    effects
}

/// Why a run that only waits for its copies is closed then.
fn closing(run: &Run) -> Option<Closed> {
    match run.phase {
        Phase::Decided => Some(Closed::Decided),
        Phase::Failed(_) => Some(Closed::Failed),
        Phase::Foreign(_) => None,
        Phase::Stopped => run.options.restart.then_some(Closed::Stale),
        // A decision waits until it is put away.
        Phase::Opening | Phase::Stopping if matches!(run.lock, Lock::Closing { .. }) => Some(Closed::Decided),
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
        | Phase::Stopping => None,
    }
}
