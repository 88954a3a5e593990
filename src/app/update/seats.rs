//! The participants of a stage: who is started when, what a turn's end means, who is asked again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::durable::{Batch, commit};
use super::spend::Leave;
use super::{again, cancel, ending, mirror, notice, permission, round, run as runs, spend, verdict};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::{Tokens, What};
use crate::app::model::{Model, Phase, Repair, Run, Seat, SeatState, Then};
use crate::domain::candidate::Patch;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::ids::{AgentName, RunId};
use crate::domain::journal::{FileRef, Record, Source};
use crate::domain::judgement::Answer;
use crate::domain::moment::Moment;
use crate::domain::prompt;
use crate::domain::round::Expect;
use crate::domain::run::{Progress, SeatKey, TurnEnded, TurnFailed, TurnKind, Wanted};
use crate::domain::stream::Usage;

/// Time passed: start what is due, stop what took too long.
pub(super) fn tick(model: &mut Model, now: Moment) -> Vec<Effect> {
    model.now = now;
    if model.notice.as_ref().is_some_and(|notice| notice.until <= now) {
        model.notice = None;
    }
    let live: Vec<RunId> = model.live_runs().map(|run| run.id.clone()).collect();
    let mut effects = Vec::new();
    for id in live {
        let deadline = model.settings.run.deadline_ms;
        let is_late = |run: &Run| {
            let is_working = run.stop.is_none() && !matches!(run.phase, Phase::Waiting { .. });
            is_working && run.elapsed_ms(now) >= deadline
        };
        let late = model.runs.get(&id).is_some_and(is_late);
        if late {
            effects.extend(cancel::deadline(model, &id, deadline));
        }
        effects.extend(schedule(model, &id));
    }
    effects.extend(permission::tick(model));
    effects.extend(cancel::tick(model));
    effects
}

/// Starts every agent that may start now: asked for, due, not limited with others, and with a place beside others of its
/// family.
pub(super) fn schedule(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let now = model.now;
    let Some(run) = model.runs.get_mut(id).filter(|run| run.stop.is_none() && run.phase == Phase::Asking) else {
        return Vec::new();
    };
    // Whose wait is over stands in the queue: with a moment in the past it would ring the alarm for ever.
    for seat in &mut run.seats {
        if matches!(seat.state, SeatState::Waiting { until, .. } if until <= now) {
            seat.attempt += 1;
            // A new attempt starts from nothing: what went wrong may be in the session.
            seat.session = None;
            seat.state = SeatState::Queued(TurnKind::Draft);
        }
    }
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    let mut busy = busy_families(model);
    let deadline = run.opened.plus_ms(model.settings.run.deadline_ms);
    let (mut due, mut too_late) = (Vec::new(), Vec::new());
    for seat in &run.seats {
        let kind = match seat.state {
            SeatState::Queued(kind) => kind,
            SeatState::Waiting { .. }
            | SeatState::Launching(_)
            | SeatState::Asking(_)
            | SeatState::Keeping
            | SeatState::Answered
            | SeatState::Failed(_) => continue,
        };
        if let Some((_, limit)) = model.limited(&seat.who.agent) {
            // As for one that waits alone: the panel does not wait beyond the run's own deadline.
            let wait = limit.until.since(now);
            too_late.extend((limit.until >= deadline).then(|| (seat.who.agent.clone(), kind, wait)));
            continue;
        }
        let limit = family_limit(model, seat);
        let taken = busy.entry(seat.who.family.as_str().to_owned()).or_insert(0);
        if *taken < limit {
            *taken += 1;
            due.push((seat.who.agent.clone(), kind));
        }
    }
    let mut effects: Vec<Effect> = due.into_iter().flat_map(|(agent, kind)| launch(model, id, &agent, kind)).collect();
    for (agent, kind, wait) in too_late {
        effects.extend(not_begun(model, id, &agent, kind, AgentError::RateLimit { retry_after_ms: Some(wait) }));
    }
    effects
}

/// Counts the agents at work by family, over all runs: limits are global.
fn busy_families(model: &Model) -> BTreeMap<String, u32> {
    let mut busy = BTreeMap::new();
    for seat in model.live_runs().flat_map(|run| &run.seats) {
        if matches!(seat.state, SeatState::Launching(_) | SeatState::Asking(_)) {
            *busy.entry(seat.who.family.as_str().to_owned()).or_insert(0) += 1;
        }
    }
    busy
}

/// The smallest limit that any agent of the family sets.
fn family_limit(model: &Model, seat: &Seat) -> u32 {
    let family = model.settings.agents.iter().filter(|agent| agent.family == seat.who.family);
    family.map(|agent| agent.max_parallel).min().unwrap_or(1).max(1)
}

/// What an agent is told in a turn, and what it is to bring.
fn told(model: &Model, id: &RunId, agent: &AgentName, kind: TurnKind) -> Option<(Arc<str>, Wanted)> {
    let run = model.runs.get(id)?;
    let (seat, preparation) = (run.seat(agent)?, run.preparation.as_ref()?);
    if kind == TurnKind::Round {
        let rendered = round::ask(model, run, &round::at_hand(run)?.ballot, agent)?;
        return Some((rendered.text.into(), Wanted::Votes(Expect { sent: rendered.sent })));
    }
    // A repair has its own words for what is wrong.
    let failed = || seat.errors.last().or_else(|| run.failed.get(&run.stage)?.get(agent));
    let failed = (kind == TurnKind::Draft && seat.attempt > 1).then(failed).flatten();
    let base = prompt::for_attempt(preparation.prompts.get(agent)?, seat.attempt, failed);
    let told = match (kind, &seat.repair) {
        // Who goes on with its session remembers the rest.
        (TurnKind::Repair, Some(repair)) if seat.session.is_some() => prompt::repair_in_session(&base, &repair.why),
        (TurnKind::Repair, Some(repair)) => prompt::repair_quoting(&base, &repair.previous, &repair.why),
        (TurnKind::Repair, None) | (TurnKind::Draft | TurnKind::Round, _) => base,
    };
    Some((told.into(), Wanted::Artifact(preparation.expect.clone())))
}

/// A turn's name in events, if it is not the stage's own question.
fn named(kind: TurnKind) -> Option<TurnKind> {
    match kind {
        TurnKind::Draft | TurnKind::Repair => None,
        TurnKind::Round => Some(kind),
    }
}

/// Whether an agent that did not answer is asked again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// At a given moment.
    At(Moment),
    /// At once, to mend its answer.
    Now,
    /// It is not.
    Never,
}

/// The event that tells the end of a turn: without an answer, why, and when it is asked again or what to do.
pub(super) fn finished(
    model: &Model,
    key: &SeatKey,
    kind: TurnKind,
    (duration_ms, used): (u64, Usage),
    failed: Option<(&AgentError, Again)>,
) -> Effect {
    let what = What::AgentFinished {
        stage: key.stage,
        agent: key.agent.clone(),
        status: failed.map_or("ok", |(error, _)| verdict::status_of(error).name()).into(),
        attempt: key.attempt,
        duration_ms,
        why: failed.map(|(error, _)| error.to_string()),
        next: failed.filter(|(_, again)| *again == Again::Never).map(|(error, _)| error.hint(key.agent.as_str())),
        retry_at: failed.and_then(|(_, again)| if let Again::At(at) = again { Some(at.rfc3339()) } else { None }),
        turn: named(kind),
        tokens: Tokens::of(used),
        cost_micro_usd: used.cost_micro_usd,
    };
    runs::emit(model, Some(&key.run), what)
}

fn launch(model: &mut Model, id: &RunId, agent: &AgentName, kind: TurnKind) -> Vec<Effect> {
    let now = model.now;
    let held_back = model.runs.get(id).and_then(|run| run.seat(agent)).and_then(|seat| seat.held_back);
    // Asked every turn of the loop: whoever waits for the budget is not told its words anew each time.
    if held_back.is_some_and(|needs| spend::leave(model, id, agent, needs) == Leave::Wait) {
        return Vec::new();
    }
    let told = told(model, id, agent, kind);
    let seat = model.runs.get(id).and_then(|run| run.seat(agent));
    let reckoned = seat.zip(told.as_ref()).map_or(0, |(seat, (told, _))| spend::reckoned(model, seat, told.len()));
    let leave = spend::leave(model, id, agent, reckoned);
    let set_aside = spend::set_aside(model, id, agent, reckoned);
    let subject = model.runs.get(id).and_then(mirror::subject);
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let stage = run.stage;
    let Some(seat) = run.seat_mut(agent) else { return Vec::new() };
    let Some((told, wanted)) = told else {
        seat.state = SeatState::Failed(AgentError::Protocol { why: "there is no prompt for it".into() });
        return verdict::judge_if_due(model, id);
    };
    seat.held_back = (leave == Leave::Wait).then_some(reckoned);
    match leave {
        Leave::Begin => (seat.reckoned, seat.set_aside) = (reckoned, set_aside),
        Leave::Wait => return Vec::new(),
        Leave::Refused(why) => return not_begun(model, id, agent, kind, AgentError::Budget { why }),
    }
    seat.state = SeatState::Launching(kind);
    if kind == TurnKind::Round {
        // How long its draft took stays: that is what is shown once the round is over.
        seat.since = None;
    }
    seat.since.get_or_insert(now);
    seat.progress = None;
    let attempt = seat.attempt;
    let scripted = seat.who.scripted;
    let session = seat.session.clone();
    let subject = subject.filter(|_| seat.who.external);
    let key = SeatKey { run: id.clone(), stage, attempt, agent: agent.clone() };
    let turn = match subject {
        Some(subject) => RunEffect::AskElsewhere { seat: key, subject, prompt: told, wanted },
        None => RunEffect::TakeTurn { seat: key, kind, prompt: told, wanted, session },
    };
    let what = What::AgentStarted { stage, agent: agent.clone(), attempt, scripted, turn: named(kind) };
    let effects = vec![Effect::Run(id.clone(), turn), runs::emit(model, Some(id), what)];
    let record = Record::AgentLaunched { stage, agent: agent.clone(), attempt, kind };
    commit(model, id, Batch::record(record), Then::Launched(agent.clone()), effects)
}

/// The budget or a limit does not allow a turn: nothing is started, and the agent does not answer, or stays silent in the
/// round.
fn not_begun(model: &mut Model, id: &RunId, agent: &AgentName, kind: TurnKind, error: AgentError) -> Vec<Effect> {
    let Some(key) = key_of(model, id, agent) else { return Vec::new() };
    let failed = TurnFailed { error, repair: None };
    match kind {
        TurnKind::Draft | TurnKind::Repair => unanswered(model, &key, kind, failed, None),
        TurnKind::Round => round::unanswered(model, &key, failed, None),
    }
}

/// The launch is recorded; the request to start the agent goes out with this.
pub(super) fn launched(model: &mut Model, id: &RunId, agent: &AgentName) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let is_stopping = run.stop.is_some();
    let Some(seat) = run.seat_mut(agent) else { return Vec::new() };
    let SeatState::Launching(kind) = seat.state else { return Vec::new() };
    if is_stopping || seat.stopped {
        // A stop that came first: the turn is never asked for.
        let is_skipped = kind == TurnKind::Round && !is_stopping;
        if is_skipped && let Some(key) = key_of(model, id, agent) {
            return round::skip(model, &key);
        }
        if let Some(run) = model.runs.get_mut(id) {
            give_up(run, agent);
        }
        return settle(model, id);
    }
    seat.state = SeatState::Asking(kind);
    Vec::new()
}

/// Tells whether an agent of a live run can be asked again: it will not answer any more, or is being stopped.
pub(super) fn is_given_up(seat: &Seat) -> bool {
    match seat.state {
        SeatState::Failed(_) => true,
        SeatState::Launching(_) | SeatState::Asking(_) | SeatState::Keeping => seat.stopped,
        SeatState::Queued(_) | SeatState::Waiting { .. } | SeatState::Answered => false,
    }
}

/// Asks one agent of a live run again, as a new attempt; where it cannot be done now, says when it can.
pub(super) fn ask_again(model: &mut Model, id: &RunId, agent: &AgentName) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let is_asking = run.phase == Phase::Asking && run.stop.is_none();
    let Some(seat) = run.seat_mut(agent).filter(|seat| is_given_up(seat)) else { return Vec::new() };
    if !is_asking {
        notice(model, format!("the others are in and are being decided: r asks {agent} again once that is recorded"));
        return Vec::new();
    }
    if !matches!(seat.state, SeatState::Failed(_)) {
        notice(model, format!("{agent} is still being stopped: r asks it again as soon as it has ended"));
        return Vec::new();
    }
    *seat = Seat::new(seat.who.clone(), seat.attempt + 1, SeatState::Queued(TurnKind::Draft));
    schedule(model, id)
}

/// Tells whether an agent is at work.
pub(super) fn is_asked(model: &Model, id: &RunId, agent: &AgentName) -> bool {
    let seat = model.runs.get(id).and_then(|run| run.seat(agent));
    seat.is_some_and(|seat| matches!(seat.state, SeatState::Asking(_)))
}

fn key_of(model: &Model, id: &RunId, agent: &AgentName) -> Option<SeatKey> {
    let run = model.runs.get(id)?;
    run.seat(agent).map(|seat| run.key(seat))
}

/// Gives up on every agent that has not answered: the run has failed.
pub(super) fn abandon(run: &mut Run) {
    run.seats.iter_mut().filter(|seat| !seat.state.is_settled()).for_each(Seat::give_up);
}

/// Ends an agent's turn without anything coming of it.
pub(super) fn give_up(run: &mut Run, agent: &AgentName) {
    run.seat_mut(agent).into_iter().for_each(Seat::give_up);
}

/// The agent's process runs.
pub(super) fn started(model: &mut Model, key: &SeatKey, kind: TurnKind) -> Vec<Effect> {
    if let Some(seat) = current(model, key)
        && seat.state == SeatState::Launching(kind)
    {
        seat.state = SeatState::Asking(kind);
    }
    Vec::new()
}

/// Agents wrote something.
pub(super) fn progressed(model: &mut Model, progress: Vec<Progress>) -> Vec<Effect> {
    let mut effects = Vec::new();
    for latest in progress {
        let key = latest.seat.clone();
        let what = What::AgentProgress {
            stage: key.stage,
            agent: key.agent.clone(),
            doing: latest.doing.clone(),
            bytes: latest.bytes,
        };
        if let Some(seat) = current(model, &key) {
            seat.progress = Some(latest);
            effects.push(runs::emit(model, Some(&key.run), what));
        }
    }
    effects.extend(super::reading::follow(model));
    effects
}

/// The seat that a key names, if that is still its current attempt.
pub(super) fn current<'m>(model: &'m mut Model, key: &SeatKey) -> Option<&'m mut Seat> {
    let run = model.runs.get_mut(&key.run).filter(|run| run.stage == key.stage)?;
    run.seat_mut(&key.agent).filter(|seat| seat.attempt == key.attempt)
}

/// A turn ended, one way or another.
pub(super) fn turn_ended(
    model: &mut Model,
    key: &SeatKey,
    kind: TurnKind,
    outcome: Result<Arc<TurnEnded>, Failure>,
) -> Vec<Effect> {
    let is_asked = current(model, key)
        .is_some_and(|seat| matches!(seat.state, SeatState::Asking(k) | SeatState::Launching(k) if k == kind));
    if !is_asked {
        return keep_late(model, key, kind, outcome);
    }
    permission::withdraw(model, |seat| seat == key);
    let outcome = outcome.map(|ended| spend::counted(model, key, ended));
    let mut is_anew = false;
    if let (Some(seat), Ok(ended)) = (current(model, key), &outcome) {
        let before = seat.session.take();
        is_anew = before.as_ref().zip(ended.session.as_ref()).is_some_and(|(before, now)| before.id != now.id);
        seat.session = ended.session.clone().or(before);
    }
    let unanswered = |model: &mut Model, failed: TurnFailed, ended: Option<&TurnEnded>| match kind {
        TurnKind::Draft | TurnKind::Repair => unanswered(model, key, kind, failed, ended),
        TurnKind::Round => round::unanswered(model, key, failed, ended),
    };
    match outcome {
        Ok(ended) => match (&ended.outcome, kind) {
            (Ok(text), TurnKind::Round) => round::answered(model, key, Arc::clone(text), (&ended, is_anew)),
            (Ok(text), TurnKind::Draft | TurnKind::Repair) => answered(model, key, Arc::clone(text), &ended),
            (Err(failed), _) => {
                again::note_limit(model, key, &failed.error);
                unanswered(model, failed.clone(), Some(&ended))
            }
        },
        Err(failure) => {
            let error = if failure == Failure::Cancelled {
                AgentError::Cancelled
            } else if let Failure::Agent { error, .. } = failure {
                error
            } else {
                AgentError::Crashed { how: failure.to_string() }
            };
            unanswered(model, TurnFailed { error, repair: None }, None)
        }
    }
}

/// Late or foreign: nothing in the model changes, an answer is kept apart.
fn keep_late(model: &Model, key: &SeatKey, kind: TurnKind, outcome: Result<Arc<TurnEnded>, Failure>) -> Vec<Effect> {
    let (Some(run), Ok(ended)) = (model.runs.get(&key.run), outcome) else { return Vec::new() };
    let turn = if kind == TurnKind::Round { "-round" } else { "" };
    let name = format!("{}-{}-{}{turn}.json", key.stage, key.agent, key.attempt);
    let (text, error) = match &ended.outcome {
        Ok(text) => (Arc::clone(text), None),
        Err(failed) => (Arc::clone(&ended.raw.text), Some(failed.error.clone())),
    };
    let effect = RunEffect::KeepLate { spec: run.spec.clone(), file: (name, text), error };
    vec![Effect::Run(key.run.clone(), effect)]
}

fn answered(model: &mut Model, key: &SeatKey, text: Arc<str>, ended: &TurnEnded) -> Vec<Effect> {
    if let Some(seat) = current(model, key) {
        seat.state = SeatState::Keeping;
    }
    note_survivors(model, &key.run, ended.survivors);
    let stem = format!("{}-{}-{}", key.stage, key.agent, key.attempt);
    let change = match ended.patch.as_deref().map(serde_json::to_string_pretty).transpose() {
        Ok(change) => change.map(|text| (format!("changes/{stem}.json"), Arc::from(text + "\n"))),
        Err(error) => {
            let failure = Failure::BadReply { from: "a change".into(), why: error.to_string() };
            return ending::fail(model, &key.run, failure);
        }
    };
    let mut files = vec![
        (format!("artifacts/{stem}.json"), Arc::clone(&text)),
        (format!("raw/{stem}.txt"), Arc::clone(&ended.raw.text)),
    ];
    let record = Record::AgentAnswered {
        stage: key.stage,
        agent: key.agent.clone(),
        attempt: key.attempt,
        artifact: FileRef::of(&files[0]),
        raw: FileRef::of(&files[1]),
        took_ms: ended.took_ms,
        usage: ended.usage,
        session: ended.session.clone(),
        source: current(model, key).filter(|seat| seat.who.external).map(|_| Source::Memory),
        change: change.as_ref().map(FileRef::of),
    };
    files.extend(change);
    let effects = vec![finished(model, key, TurnKind::Draft, (ended.took_ms, ended.usage), None)];
    let (change, took_ms) = (ended.patch.clone(), ended.took_ms);
    let then = Then::Answered { agent: key.agent.clone(), text, change, took_ms };
    commit(model, &key.run, Batch { files, records: vec![record] }, then, effects)
}

pub(super) fn note_survivors(model: &mut Model, id: &RunId, survivors: u32) {
    if let Some(run) = model.runs.get_mut(id) {
        run.survivors += survivors;
    }
}

fn unanswered(
    model: &mut Model,
    key: &SeatKey,
    kind: TurnKind,
    failed: TurnFailed,
    ended: Option<&TurnEnded>,
) -> Vec<Effect> {
    let next = again::what_next(model, key, kind, &failed);
    let TurnFailed { error, repair } = failed;
    if let Some(seat) = current(model, key) {
        seat.state = SeatState::Keeping;
        seat.errors.push(error.clone());
        seat.repair = repair.map(|why| Repair { why, previous: ended.map(words_of).unwrap_or_default() });
    }
    note_survivors(model, &key.run, ended.map_or(0, |ended| ended.survivors));
    let again = match next {
        SeatState::Waiting { until, .. } => Again::At(until),
        SeatState::Queued(_) => Again::Now,
        SeatState::Launching(_)
        | SeatState::Asking(_)
        | SeatState::Keeping
        | SeatState::Answered
        | SeatState::Failed(_) => Again::Never,
    };
    let retry_at = if let Again::At(at) = again { Some(at) } else { None };
    let turn = if kind == TurnKind::Repair { "-repair" } else { "" };
    let files: Vec<(String, Arc<str>)> = ended
        .map(|ended| {
            let path = format!("raw/{}-{}-{}{turn}.txt", key.stage, key.agent, key.attempt);
            (path, with_stderr(&ended.raw.text, ended.stderr.as_str()))
        })
        .into_iter()
        .collect();
    let record = Record::AgentFailed {
        stage: key.stage,
        agent: key.agent.clone(),
        attempt: key.attempt,
        kind,
        error: error.clone(),
        raw: files.first().map(FileRef::of),
        retry_at,
        usage: ended.map(|ended| ended.usage).unwrap_or_default(),
    };
    let took = ended.map(|ended| (ended.took_ms, ended.usage)).unwrap_or_default();
    let effects = vec![finished(model, key, kind, took, Some((&error, again)))];
    let then = Then::Failed { agent: key.agent.clone(), next };
    commit(model, &key.run, Batch { files, records: vec![record] }, then, effects)
}

/// What an agent said in a turn.
fn words_of(ended: &TurnEnded) -> Arc<str> {
    Arc::clone(ended.said.as_ref().unwrap_or(&ended.raw.text))
}

pub(super) fn with_stderr(stdout: &Arc<str>, stderr: &str) -> Arc<str> {
    if stderr.trim().is_empty() { Arc::clone(stdout) } else { format!("{stdout}\n--- stderr ---\n{stderr}").into() }
}

/// An answer is durable: now it is shown, and the verdict forms.
pub(super) fn kept(
    model: &mut Model,
    id: &RunId,
    agent: &AgentName,
    files: &[FileRef],
    (text, change): (Arc<str>, Option<Arc<Patch>>),
    took_ms: u64,
) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    if let Some(gathered) = run.gathered.get_mut(&run.stage) {
        // It is in the evidence now, whatever became of an earlier one.
        gathered.from_memory.remove(agent);
        gathered.missing.remove(agent);
    }
    if let (Some(seat), Some(file)) = (run.seat_mut(agent), files.first()) {
        seat.state = SeatState::Answered;
        seat.took_ms = Some(took_ms);
        seat.wrote = files.get(1).map(|raw| raw.bytes);
        seat.answer = Some(Answer { file: file.clone(), text });
        seat.change = change;
    }
    settle(model, id)
}

/// A failure is durable: the seat goes on as decided.
pub(super) fn failure_kept(model: &mut Model, id: &RunId, agent: &AgentName, next: SeatState) -> Vec<Effect> {
    let now = model.now;
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let is_stopping = run.stop.is_some();
    if let Some(seat) = run.seat_mut(agent) {
        // Somebody stopped it while its failure was written: it is not tried again.
        let is_over = matches!(next, SeatState::Failed(_));
        seat.state =
            if !is_over && (is_stopping || seat.stopped) { SeatState::Failed(AgentError::Cancelled) } else { next };
        if matches!(seat.state, SeatState::Failed(_)) {
            seat.took_ms = seat.since.map(|since| now.since(since));
        }
    }
    settle(model, id)
}

fn settle(model: &mut Model, id: &RunId) -> Vec<Effect> {
    if model.runs.get(id).is_some_and(|run| run.stop.is_some()) {
        return cancel::try_finish(model, id);
    }
    let mut effects = schedule(model, id);
    effects.extend(verdict::judge_if_due(model, id));
    effects
}

/// Tells whether no agent of the run has a process or a launch under way.
pub(super) fn is_quiet(run: &Run) -> bool {
    run.seats.iter().all(|seat| match seat.state {
        SeatState::Launching(_) | SeatState::Asking(_) | SeatState::Keeping => false,
        SeatState::Queued(_) | SeatState::Waiting { .. } | SeatState::Answered | SeatState::Failed(_) => true,
    })
}
