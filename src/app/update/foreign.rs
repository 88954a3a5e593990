//! Runs that other processes own: shown as their journals tell them. Nothing here changes such a run; its owner can be
//! asked to stop it.
//!
//! It must not know how a journal is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{back, complain, notice, reading, round, run as runs};
use crate::app::effect::Effect;
use crate::app::model::{Model, Phase, Run, RunOptions, Seat, SeatState, View};
use crate::app::msg::{ForeignNews, ForeignRun, Start};
use crate::domain::artifact;
use crate::domain::consensus::Inputs;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::{self, Closed, Record};
use crate::domain::judgement::{Answer, Judgement};
use crate::domain::moment::Moment;
use crate::domain::range::Ends;
use crate::domain::run::TurnKind;
use crate::domain::spec::Spec;
use crate::domain::stage::Stage;

/// Returns the run of a spec that another process owns.
pub(super) fn of<'m>(model: &'m Model, spec: &SpecId) -> Option<&'m Run> {
    model.runs.values().find(|run| &run.spec == spec && run.phase.owner().is_some())
}

/// Shows the run of a spec that another process owns, in place of starting one that could not have the lock.
pub(super) fn show(model: &mut Model, spec: &SpecId) -> bool {
    let Some(run) = of(model, spec).map(|run| run.id.clone()) else { return false };
    model.views.retain(|view| matches!(view, View::Home { .. }));
    model.views.push(View::Dashboard { run, cursor: 0, pane: 1, scroll: 0 });
    true
}

/// Which runs other processes own was found out: each is followed from its journal.
pub(super) fn found(model: &mut Model, found: Vec<ForeignRun>) -> Vec<Effect> {
    if model.boot.headless {
        return Vec::new();
    }
    let is_first =
        model.runs.is_empty() && model.overlay.is_none() && matches!(model.views.as_slice(), [View::Home { .. }]);
    let only = (found.len() == 1).then(|| found.first().map(|foreign| foreign.spec.clone())).flatten();
    let effects = found.into_iter().filter_map(|foreign| follow(model, foreign)).collect();
    if let Some(spec) = only.filter(|_| is_first) {
        // Whoever starts a second program beside a live run wants to see it.
        show(model, &spec);
    }
    effects
}

fn follow(model: &mut Model, foreign: ForeignRun) -> Option<Effect> {
    let ForeignRun { spec, run: id, owner } = foreign;
    let is_ours = |run: &Run| run.phase.is_live() || run.lock.is_held() || run.phase.owner().is_some();
    if model.runs.get(&id).is_some_and(is_ours) {
        return None;
    }
    let start = Start::of(spec.clone(), vec![Stage::Plan]);
    let options = RunOptions { followed: true, ..RunOptions::default() };
    let mut run = runs::blank(id.clone(), &start, Stage::Plan, options, model);
    run.phase = Phase::Foreign(owner);
    // One of ours that was refused because of it gives way.
    let was_refused =
        |known: &Run| known.spec == spec && matches!(known.phase, Phase::Failed(Failure::LockHeld { .. }));
    let refused: Vec<RunId> =
        model.runs.values().filter(|known| was_refused(known)).map(|known| known.id.clone()).collect();
    for view in &mut model.views {
        if let View::Dashboard { run: shown, .. } = view
            && refused.contains(shown)
        {
            *shown = id.clone();
        }
    }
    model.runs.retain(|known, _| !refused.contains(known));
    model.runs.insert(id.clone(), run);
    Some(Effect::FollowForeign { spec, run: id, seen: 0 })
}

/// Its journal told more, or its owner is done with it.
pub(super) fn told(model: &mut Model, id: &RunId, news: Result<Arc<ForeignNews>, Failure>) -> Vec<Effect> {
    let now = model.now;
    let spec = model.runs.get(id).and_then(|run| Some(Arc::clone(&super::surveyed(model)?.spec(&run.spec)?.spec)));
    let Some(run) = model.runs.get_mut(id).filter(|run| run.phase.owner().is_some()) else { return Vec::new() };
    let news = match news {
        Ok(news) => news,
        Err(failure) => {
            complain(model, &failure);
            end(model, id, Phase::Failed(failure), now);
            return Vec::new();
        }
    };
    for (at, record) in &news.records {
        take(run, *at, record, &news.texts);
        if let (Record::StageDecided { stage, .. }, Some(spec)) = (record, &spec) {
            ground(run, *stage, spec);
        }
    }
    for progress in &news.progress {
        if let Some(seat) = run.seat_mut(&progress.seat.agent) {
            seat.progress = Some(progress.clone());
        }
    }
    let mut effects = Vec::new();
    match &news.owner {
        Some(owner) => {
            run.phase = Phase::Foreign(owner.clone());
            effects.push(Effect::FollowForeign { spec: run.spec.clone(), run: id.clone(), seen: news.seen });
        }
        None => effects.extend(over(model, id, &news)),
    }
    effects.extend(reading::follow(model));
    effects
}

/// Its owner is done with it, or gone.
fn over(model: &mut Model, id: &RunId, news: &ForeignNews) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    let name = format!("the {} of {}", run.stage, run.spec);
    let (phase, words) = match (news.closed, &news.stopped_by) {
        (Some(Closed::Decided), _) => (Phase::Decided, format!("{name} is decided · v opens the verdict")),
        (Some(why @ (Closed::Failed | Closed::Stale | Closed::Abandoned)), _) => {
            let failure = Failure::BadInput {
                place: name.clone(),
                why: format!("its owner closed it: {}", why.words()),
                next: format!("run `dicast {} {}` again", run.stage, run.spec),
                exit: 3,
            };
            (Phase::Failed(failure), format!("{name} was closed by its owner"))
        }
        (None, Some(by)) => (Phase::Stopped, format!("{name} was stopped by {by} · r go on")),
        (None, None) => (Phase::Stopped, format!("the owner of {name} ended without a word · r go on")),
    };
    end(model, id, phase, news.last.unwrap_or(model.now));
    notice(model, words);
    // Its verdicts and documents are in the working copy now.
    vec![Effect::Survey]
}

fn end(model: &mut Model, id: &RunId, phase: Phase, at: Moment) {
    if let Some(run) = model.runs.get_mut(id) {
        run.phase = phase;
        run.ended = Some(at);
        run.seats.iter_mut().filter(|seat| !seat.state.is_settled()).for_each(Seat::give_up);
    }
}

/// Brings a run to where a record of it says that it is.
fn take(run: &mut Run, at: Moment, record: &Record, texts: &BTreeMap<String, Arc<str>>) {
    let text = |file: &journal::FileRef| texts.get(&file.path);
    round::adopt(&mut run.rounds, record, record.of_round().and_then(text));
    if let Some((stage, agent, used)) = record.used() {
        run.spend(stage, agent, used);
    }
    match record {
        Record::RunOpened { stages, .. } => {
            run.stages.clone_from(stages);
            run.opened = at;
        }
        Record::RunReopened { stage, .. } => {
            run.stage = *stage;
            run.verdicts.remove(stage);
        }
        Record::StageOpened { stage, seats, inputs, .. } => {
            let inputs: Option<Inputs> = text(inputs).and_then(|text| serde_json::from_str(text).ok());
            run.range = inputs.as_ref().and_then(Ends::of).map(|ends| ends.revisions());
            if run.stage != *stage {
                run.seats.clear();
                run.judgement = None;
            }
            run.stage = *stage;
            let known = std::mem::take(&mut run.seats);
            // Whoever answered before the stage was opened again is not asked again.
            let answered = |agent| known.iter().find(|seat| &seat.who.agent == agent && seat.answer.is_some()).cloned();
            run.seats = seats
                .iter()
                .map(|who| {
                    answered(&who.agent)
                        .unwrap_or_else(|| Seat::new(who.clone(), 1, SeatState::Queued(TurnKind::Draft)))
                })
                .collect();
        }
        Record::StageDecided { stage, panel, verdict, .. } => {
            let judgement =
                text(panel).zip(text(verdict)).and_then(|(panel, verdict)| Judgement::recorded(panel, verdict));
            if let Some(judgement) = judgement.map(Arc::new) {
                run.verdicts.insert(*stage, Arc::clone(&judgement));
                run.judgement = Some(judgement);
            }
        }
        Record::WentBack { back } => back::forget(run, back.clone()),
        Record::RunStopped { survivors, .. } | Record::RunClosed { survivors: Some(survivors), .. } => {
            run.survivors = *survivors;
        }
        Record::AgentLaunched { agent, .. }
        | Record::AgentAnswered { agent, .. }
        | Record::RoundAnswered { agent, .. }
        | Record::AgentFailed { agent, .. } => {
            if let Some(seat) = run.seat_mut(agent) {
                sit(seat, at, record, texts);
            }
        }
        Record::AgentsLeftOut { agents, .. } => run.without = Some(agents.iter().cloned().collect()),
        Record::RunResumed { .. }
        | Record::StageElsewhere { .. }
        | Record::CandidatesTried { .. }
        | Record::LandingIntended { .. }
        | Record::Landed { .. }
        | Record::LandingUndone { .. }
        | Record::PermissionAnswered { .. }
        | Record::StageSkipped { .. }
        | Record::Briefed { .. }
        | Record::GateHeld { .. }
        | Record::GuardrailsRan { .. }
        | Record::RoundOpened { .. }
        | Record::RoundClosed { .. }
        | Record::HumanDecided { .. }
        | Record::PublishIntended { .. }
        | Record::Published { .. }
        | Record::Mirrored { .. }
        | Record::RunClosed { .. } => {}
    }
}

/// Adds to a verdict that was just recorded what agents gave as grounds: their answers are here.
fn ground(run: &mut Run, stage: Stage, spec: &Spec) {
    let answer =
        |seat: &Seat| Some((seat.who.agent.clone(), artifact::parse(stage, &seat.answer.as_ref()?.text).ok()?));
    let answers: Vec<_> = run.seats.iter().filter_map(answer).collect();
    let Some(judgement) = run.verdicts.remove(&stage) else { return };
    let judgement = Arc::new(Judgement::clone(&judgement).grounded(spec, &answers));
    run.verdicts.insert(stage, Arc::clone(&judgement));
    run.judgement = Some(judgement);
}

/// Brings a seat to where a record about it says that it is.
fn sit(seat: &mut Seat, at: Moment, record: &Record, texts: &BTreeMap<String, Arc<str>>) {
    if let Record::AgentLaunched { attempt, kind, .. } = record {
        seat.attempt = *attempt;
        seat.state = SeatState::Asking(*kind);
        seat.since = Some(at);
        seat.progress = None;
    } else if let Record::AgentAnswered { artifact, raw, took_ms, .. } = record {
        seat.answer = texts.get(&artifact.path).map(|text| Answer { file: artifact.clone(), text: Arc::clone(text) });
        (seat.took_ms, seat.wrote) = (Some(*took_ms), Some(raw.bytes));
        seat.state = SeatState::Answered;
    } else if let Record::AgentFailed { kind, error, retry_at, .. } = record {
        seat.errors.push(error.clone());
        seat.state = after(*kind, error, *retry_at);
    } else {
        seat.state = SeatState::Answered;
    }
}

/// Where an agent stands after a turn of which nothing came.
fn after(kind: TurnKind, error: &AgentError, retry_at: Option<Moment>) -> SeatState {
    match (kind, retry_at) {
        (_, Some(until)) => SeatState::Waiting { until, why: error.clone() },
        // Whoever is silent in the round has answered before.
        (TurnKind::Round, None) => SeatState::Answered,
        (TurnKind::Draft | TurnKind::Repair, None) => SeatState::Failed(error.clone()),
    }
}
