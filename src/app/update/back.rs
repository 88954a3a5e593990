//! Back from validate to implement: what landed and did not pass is taken back, and both stages are done again.
//!
//! That the run goes back is on record before anything is done, so that it goes on from there after a kill. When it is due
//! and what the next try is told is `domain::back`.

use super::durable::{Batch, commit};
use super::{cancel, checkpoint, notice, run as runs, staging};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::What;
use crate::app::model::{Model, Phase, Run, Then};
use crate::domain::back::{self, Back, Due, MOST, Rails};
use crate::domain::ids::RunId;
use crate::domain::journal::Record;
use crate::domain::moment::Moment;
use crate::domain::safe::Safe;
use crate::domain::stage::Stage;

/// What follows from the verdict of the stage at hand: only a run that implements goes back, never because of a decision
/// about a recorded stage.
fn due(run: &Run) -> Due {
    let asks = run.stage == Stage::Validate && run.stages.contains(&Stage::Implement) && !run.options.reopened;
    let landing = run.landing.as_ref().filter(|_| asks && run.landed);
    let Some((landing, judgement)) = landing.zip(run.judgement.as_ref()) else { return Due::Not };
    let rails = if checkpoint::is_green(run) { Rails::Green } else { Rails::Red(run.guard.as_deref()) };
    let mut due = back::due(run.back.as_deref(), landing, judgement, rails);
    if let (Due::Back(back), Some(preparation)) = (&mut due, &run.preparation) {
        back.why = Safe::block(&preparation.in_words(back.why.as_str()));
    }
    due
}

/// Tells whether the run goes back behind the verdict at hand.
pub(super) fn is_due(run: &Run) -> bool {
    matches!(due(run), Due::Back(_))
}

/// Begins to go back, if that is due behind the verdict at hand.
pub(super) fn begin(model: &mut Model, id: &RunId) -> Option<Vec<Effect>> {
    let run = model.runs.get(id)?;
    match due(run) {
        Due::Not => None,
        Due::Spent => {
            let dir = run.preparation.as_ref().map(|preparation| preparation.spec.own.clone()).unwrap_or_default();
            let text = format!(
                "validate did not pass, and the run went back to implement {MOST} times: the last change stays in the \
                 working copy · read {dir}/review/validate.md, mend it by hand, then `dicast auto {}`",
                run.spec
            );
            notice(model, text.clone());
            let mut effects = vec![runs::emit(model, Some(id), What::Warning { text: Safe::line(&text) })];
            effects.extend(checkpoint::leave(model, id));
            Some(effects)
        }
        Due::Back(back) => {
            let event = runs::emit(model, Some(id), What::went_back(&back));
            let record = Record::WentBack { back: back.clone() };
            Some(commit(model, id, Batch::record(record), Then::WentBack(back), vec![event]))
        }
    }
}

/// That the run goes back is on record.
pub(super) fn kept(model: &mut Model, id: &RunId, back: Box<Back>) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    staging::turn_to(run, Stage::Implement);
    forget(run, back);
    if run.stop.is_some() {
        run.phase = Phase::Stopping;
        return cancel::try_finish(model, id);
    }
    enter(model, id).unwrap_or_default()
}

/// Takes back what did not pass, where that is still to be done before implement begins.
pub(super) fn enter(model: &mut Model, id: &RunId) -> Option<Vec<Effect>> {
    let run = model.runs.get_mut(id).filter(|run| run.is_going_back && run.stage == Stage::Implement)?;
    let landing = run.back.as_ref()?.landing.clone();
    run.phase = Phase::Publishing;
    Some(vec![Effect::Run(id.clone(), RunEffect::TakeBack(Box::new(landing)))])
}

/// What did not pass is out of the working copy: implement begins again.
pub(super) fn taken_back(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.is_going_back = false;
    if run.stop.is_some() {
        run.phase = Phase::Stopping;
        return cancel::try_finish(model, id);
    }
    let text = run.back.as_ref().map(|back| format!("validate did not pass: back to implement, {}", back.named()));
    notice(model, text.unwrap_or_default());
    let mut effects = vec![Effect::Survey];
    effects.extend(checkpoint::enter(model, id));
    effects
}

/// Forgets what the try before came to; what landed stays known until it is taken back.
pub(super) fn forget(run: &mut Run, back: Box<Back>) {
    for stage in back::undone() {
        run.verdicts.remove(&stage);
        run.kept.remove(&stage);
        run.gathered.remove(&stage);
        run.rounds.remove(&stage);
        run.failed.remove(&stage);
        run.guarded.remove(&stage);
        run.opened_with.remove(&stage);
        run.agendas.remove(&stage);
    }
    run.tried = None;
    run.basket = None;
    run.back = Some(back);
    run.is_going_back = true;
}

/// Returns the records since the run went back the last time; all of them where it did not.
pub(super) fn since(records: &[(Moment, Record)]) -> &[(Moment, Record)] {
    let last = records.iter().rposition(|(_, record)| matches!(record, Record::WentBack { .. }));
    records.get(last.map_or(0, |at| at + 1)..).unwrap_or_default()
}

/// Tells whether implement is decided and its candidate not where it goes yet: without it there is nothing to validate.
fn is_yet_to_land(run: &Run, records: &[(Moment, Record)]) -> bool {
    let is_decided =
        |(_, record): &(Moment, Record)| matches!(record, Record::StageDecided { stage: Stage::Implement, .. });
    !run.landed && (run.landing.is_some() || run.take.is_some()) && since(records).iter().any(is_decided)
}

/// Puts a run that an earlier process left where it was: in implement, where going back had brought it, or where its
/// candidate is yet to land.
pub(super) fn resume(run: &mut Run, records: &[(Moment, Record)]) {
    let implements = |record: &Record| {
        let Record::RunOpened { stages, .. } = record else { return false };
        stages.contains(&Stage::Implement)
    };
    // Whoever asks for one stage alone wants no other.
    if records.iter().any(|(_, record)| implements(record))
        && run.stages.len() > 1
        && run.stages.contains(&Stage::Validate)
    {
        if run.is_going_back || (run.back.is_some() && !run.landed) || is_yet_to_land(run, records) {
            run.stage = Stage::Implement;
        }
        run.stages.push(Stage::Implement);
        run.stages.sort_unstable();
        run.stages.dedup();
    }
    if run.back.is_none() {
        return;
    }
    // What the try before was asked, and what it lacked, is not what this one is.
    let recent = since(records);
    for stage in back::undone() {
        let opened =
            |(_, record): &(Moment, Record)| matches!(record, Record::StageOpened { stage: of, .. } if *of == stage);
        if !recent.iter().any(opened) {
            run.opened_with.remove(&stage);
            run.agendas.remove(&stage);
            run.gathered.remove(&stage);
        }
    }
}
