//! A stage from its inputs to its first question: prepared, seated, opened; begun anew where what it stands on changed.

use std::sync::Arc;

use super::durable::{Batch, commit};
use super::{ask, checkpoint, ending, notice, roster, run as runs, seats, verdict};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::What;
use crate::app::model::{Model, Phase, Run, Seat, SeatState, Then, Warmth};
use crate::app::msg::{Reopened, Start};
use crate::domain::consensus::Inputs;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::ids::{AgentName, RunId};
use crate::domain::journal::{self, Closed, Record};
use crate::domain::judgement::Human;
use crate::domain::preparation::Preparation;
use crate::domain::range::Range;
use crate::domain::run::TurnKind;
use crate::domain::safe::Safe;
use crate::domain::settings::{Agent, AgentKind};
use crate::domain::stage::Stage;

/// Exit code for a verdict that is not about the present text any more.
const STALE: u8 = 7;

/// Reads the inputs of the stage at hand.
pub(super) fn prepare(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    let left_out = roster::left_out(model, run, run.stage);
    let names: Vec<AgentName> = roster::seated(model, run, run.stage).map(|agent| agent.name.clone()).collect();
    let settings = Arc::clone(&model.settings);
    let seated = settings.roster(run.stage).filter(|agent| names.contains(&agent.name));
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.phase = Phase::Preparing;
    let mut effects = warm(run, seated);
    let range = run.range.clone().filter(|_| run.stage == Stage::Audit);
    let agenda = run.agendas.get(&run.stage).filter(|_| run.options.reopened).cloned();
    let effect = RunEffect::Prepare {
        spec: run.spec.clone(),
        stage: run.stage,
        roster: names.clone(),
        range,
        brief: run.brief.clone().filter(|_| run.stage == Stage::Specify),
        skipped: run.skipped.clone(),
        left_out,
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
        Err(failure) => return ending::fail(model, id, failure),
    };
    if let Some(before) = preparation.outdated.filter(|_| !run.options.reopened) {
        return outdated(model, id, before, &preparation.spec.file);
    }
    let left_out = roster::left_out(model, run, stage);
    let voices = model.settings.one_voice(stage, roster::seated(model, run, stage));
    let seats: Vec<Seat> = roster::seated(model, run, stage).map(|agent| seat(run, agent)).collect();
    let inputs: Arc<str> = match serde_json::to_string_pretty(&preparation.inputs) {
        Ok(text) => text.into(),
        Err(error) => {
            let failure = Failure::BadReply { from: "preparation".into(), why: error.to_string() };
            return ending::fail(model, id, failure);
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
    let warnings = voices.map(|text| Safe::line(&text)).into_iter();
    let warnings: Vec<Safe> = warnings.chain(preparation.unseen.clone()).collect();
    if let Some(run) = model.runs.get_mut(id) {
        run.openings.insert(stage, opening);
        run.seats = seats;
        run.preparation = Some(preparation);
    }
    let mut events = vec![runs::emit(
        model,
        Some(id),
        What::StageStarted { stage, agents, recalled, range: range.map(|range| range.ends.revisions()), left_out },
    )];
    events.extend(warnings.into_iter().map(|text| runs::emit(model, Some(id), What::Warning { text })));
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
        return ending::fail(model, id, failure);
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
    ending::fail(model, id, failure)
}

/// Closes a run whose stages judged what is not there any more; a fresh one follows when that is on record.
fn start_over(model: &mut Model, id: &RunId, why: String) -> Vec<Effect> {
    let mut effects = vec![runs::emit(model, Some(id), What::Warning { text: Safe::line(&why) })];
    notice(model, why);
    if let Some(run) = model.runs.get_mut(id) {
        run.options.restart = true;
        run.phase = Phase::Stopped;
        run.ended = Some(model.now);
    }
    effects.extend(ending::close(model, id, Closed::Stale));
    effects
}

/// Opens the last recorded run of a spec again, to decide something about it or to ask only those that are missing.
pub(super) fn reopen_recorded(model: &mut Model, start: Start, pending: Option<Reopened>) -> Vec<Effect> {
    let effects = runs::start(model, start);
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
    let without = model.runs.get(id).and_then(|run| run.without.clone());
    if let Err(failure) = ask::may_run(model, stage, without.as_ref()) {
        return ending::fail(model, id, failure);
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
