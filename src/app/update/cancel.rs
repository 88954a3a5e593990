//! Stopping: by key, command, signal or deadline; and leaving the program.
//!
//! A stop is on screen in the frame of its key, keeps every finished answer, and does not close the run.

use super::durable::{Batch, commit};
use super::{checkpoint, complain, ending, notice, permission, round, seats, verdict};
use crate::app::effect::{Effect, RunEffect};
use crate::app::model::{Lock, Model, Phase, SeatState, Stop, Then, Warmth};
use crate::app::msg::Signal;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::ids::{AgentName, RunId};
use crate::domain::journal::Record;
use crate::domain::moment::clock;
use crate::domain::run::TurnKind;
use crate::domain::settings::OnHangup;

/// Exit code of a run that was stopped.
pub(super) const STOPPED: u8 = 130;

/// How long leaving may take beyond the grace of agents: a slow disk has some records to take. In milliseconds.
const LEAVE_MS: u64 = 30_000;

/// Something outside asks to stop a run.
pub(super) fn asked(model: &mut Model, run: Option<RunId>) -> Vec<Effect> {
    let id = run.or_else(|| model.focused_run().map(|run| run.id.clone()));
    let foreign = id.as_ref().and_then(|id| model.runs.get(id)).filter(|run| run.phase.owner().is_some());
    if let Some(spec) = foreign.map(|run| run.spec.clone()) {
        return vec![Effect::AskOwner(spec)];
    }
    id.map_or_else(Vec::new, |id| stop(model, &id, "command", STOPPED))
}

/// A run took longer than it may.
pub(super) fn deadline(model: &mut Model, id: &RunId, deadline_ms: u64) -> Vec<Effect> {
    let by = format!("deadline of {}", clock(deadline_ms));
    stop(model, id, &by, STOPPED)
}

/// Stops a run; asked twice, kills.
pub(super) fn stop(model: &mut Model, id: &RunId, by: &str, exit: u8) -> Vec<Effect> {
    let now = model.now;
    let Some(run) = model.runs.get_mut(id).filter(|run| run.phase.is_live()) else { return Vec::new() };
    if let Some(stop) = &mut run.stop {
        if stop.killed {
            return Vec::new();
        }
        stop.killed = true;
        return vec![Effect::Run(id.clone(), RunEffect::Kill)];
    }
    run.stop = Some(Stop { by: by.to_owned(), since: now, killed: false, exit });
    // What waits for a moment or a place will not be started any more.
    for seat in &mut run.seats {
        if matches!(seat.state, SeatState::Queued(_) | SeatState::Waiting { .. }) {
            seat.give_up();
        }
    }
    let was = std::mem::replace(&mut run.phase, Phase::Stopping);
    permission::withdraw(model, |seat| &seat.run == id);
    let mut effects = vec![Effect::Run(id.clone(), RunEffect::Stop)];
    match was {
        // The verdict is on its way to disk: it beat the stop and is kept; `recorded` ends the run.
        Phase::Recording | Phase::Publishing => {
            if let Some(run) = model.runs.get_mut(id) {
                run.phase = was;
            }
        }
        // The answer to the open request ends the run: `found`, `opened`, `prepared`, `held`, `guarded`, `tested` look for it.
        Phase::Opening | Phase::Preparing | Phase::Holding(_) | Phase::Guarding(_) | Phase::Testing { .. } => {}
        Phase::Waiting { .. } | Phase::Asking | Phase::Judging | Phase::Stopping => {
            effects.extend(try_finish(model, id))
        }
        Phase::Stopped | Phase::Decided | Phase::Failed(_) | Phase::Foreign(_) => {}
    }
    effects
}

/// Inputs arrived after the stop: nothing was asked yet.
pub(super) fn prepared(model: &mut Model, id: &RunId) -> Vec<Effect> {
    try_finish(model, id)
}

/// Ends a stopping run once nothing of it is in flight.
pub(super) fn try_finish(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let Some(stop) = run.stop.clone().filter(|_| run.phase.is_live()) else { return Vec::new() };
    let is_recording = model.after.values().any(|after| &after.run == id && after.then == Then::Stopped);
    // A verdict that beat the stop goes its way to the end.
    let is_late = matches!(run.phase, Phase::Recording | Phase::Publishing);
    if !seats::is_quiet(run) || run.judging > 0 || is_recording || is_late {
        return Vec::new();
    }
    run.phase = Phase::Stopping;
    // That nothing is left is recorded with the stop: whoever is kept warm goes before.
    match std::mem::replace(&mut run.warmth, Warmth::Cooling) {
        Warmth::Cold => run.warmth = Warmth::Cold,
        Warmth::Warm => return vec![Effect::Run(id.clone(), RunEffect::Dismiss)],
        Warmth::Cooling => return Vec::new(),
    }
    match run.lock {
        Lock::Free => recorded(model, id),
        Lock::Ours { .. } => {
            let record = Record::RunStopped { by: stop.by, survivors: run.survivors };
            commit(model, id, Batch::record(record), Then::Stopped, Vec::new())
        }
        // It is given back already: `ending::released` ends it.
        Lock::Closing { .. } => Vec::new(),
    }
}

/// Whoever was kept warm has ended.
pub(super) fn dismissed(model: &mut Model, id: &RunId, outcome: Result<u32, Failure>) -> Vec<Effect> {
    if let Err(failure) = &outcome {
        complain(model, failure);
    }
    seats::note_survivors(model, id, outcome.unwrap_or(0));
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.warmth = Warmth::Cold;
    try_finish(model, id)
}

/// The stop is recorded: say what was kept.
pub(super) fn recorded(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let now = model.now;
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.phase = Phase::Stopped;
    run.ended = Some(now);
    let kept: Vec<&str> = run.seats.iter().filter(|s| s.answer.is_some()).map(|s| s.who.agent.as_str()).collect();
    let open: Vec<&str> = run.seats.iter().filter(|s| s.answer.is_none()).map(|s| s.who.agent.as_str()).collect();
    let next = match (kept.as_slice(), open.as_slice()) {
        ([], _) => "nothing was kept · r start again".to_owned(),
        (kept, []) => format!("kept {} · r go on · n from scratch", kept.join(", ")),
        (kept, open) => format!("kept {} · r go on with {} only · n from scratch", kept.join(", "), open.join(", ")),
    };
    let text = format!("stopped, {} processes left · {next}", run.survivors);
    notice(model, text);
    ending::finish(model, id)
}

/// Stops one agent; asked twice, kills it.
pub(super) fn stop_agent(model: &mut Model, id: &RunId, agent: &AgentName) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    let Some(key) = run.seat(agent).map(|seat| run.key(seat)) else { return Vec::new() };
    let Some(seat) = run.seat_mut(agent) else { return Vec::new() };
    let again = std::mem::replace(&mut seat.stopped, true);
    match seat.state {
        // Its launch, or its failure, is on its way to disk, and is not followed by a start any more.
        SeatState::Launching(_) | SeatState::Keeping => Vec::new(),
        SeatState::Asking(_) => {
            permission::withdraw(model, |seat| *seat == key);
            let effect = if again { RunEffect::KillSeat(key) } else { RunEffect::StopSeat(key) };
            vec![Effect::Run(id.clone(), effect)]
        }
        SeatState::Queued(TurnKind::Round) => round::skip(model, &key),
        SeatState::Queued(TurnKind::Draft | TurnKind::Repair) | SeatState::Waiting { .. } => {
            seat.state = SeatState::Failed(AgentError::Cancelled);
            verdict::judge_if_due(model, id)
        }
        SeatState::Answered | SeatState::Failed(_) => {
            seat.stopped = again;
            Vec::new()
        }
    }
}

/// Tells whether there is something that can go on without a screen: nobody could answer a gate there. The demonstration's repository goes with it.
pub(super) fn can_detach(model: &Model) -> bool {
    let is_asked = model.live_runs().any(super::is_waiting);
    let is_at_work = model.live_runs().any(|run| run.stop.is_none());
    !model.leaving && !model.boot.headless && !model.boot.demo && is_at_work && !is_asked
}

/// Gives the terminal back: what is live goes on without a screen, and we end with it.
pub(super) fn detach(model: &mut Model) -> Vec<Effect> {
    if !can_detach(model) {
        notice(model, "nothing is running that could go on without a screen");
        return Vec::new();
    }
    model.boot.headless = true;
    model.detached = true;
    vec![Effect::Detach]
}

/// A signal asks us to end. Where the config says so, and once it was given back, a terminal that goes away ends
/// nothing: what is live goes on without a screen, and we end with it.
pub(super) fn signalled(model: &mut Model, signal: Signal) -> Vec<Effect> {
    let stays = model.detached || model.settings.run.on_hangup == OnHangup::Detach;
    let may_go_on = signal == Signal::HangUp && stays && !model.leaving;
    if may_go_on && model.live_runs().any(|run| run.stop.is_none()) {
        model.boot.headless = true;
        notice(model, "the terminal went away: the run goes on, `dicast watch` follows it");
        // But where a gate asks, nobody could answer any more.
        let asked = model.live_runs().filter(|run| super::is_waiting(run)).map(|run| run.id.clone());
        return asked.collect::<Vec<RunId>>().iter().flat_map(|id| checkpoint::unanswerable(model, id)).collect();
    }
    leave(
        model,
        signal.exit(),
        match signal {
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
            Signal::HangUp => "SIGHUP",
        },
    )
}

/// Ends the program: at once without a live run, else after its runs were stopped.
pub(super) fn leave(model: &mut Model, exit: u8, by: &str) -> Vec<Effect> {
    model.leaving = true;
    let grace = model.settings.agents.iter().map(|agent| agent.timeouts.kill_grace_ms).max().unwrap_or(0);
    model.leave_by.get_or_insert(model.now.plus_ms(LEAVE_MS.saturating_add(grace)));
    model.quitting = Some(model.quitting.unwrap_or(exit));
    let live: Vec<RunId> = model.live_runs().map(|run| run.id.clone()).collect();
    // A decided run may still wait for its copies in memory. We do not: the rest waits on disk.
    let copying = model.runs.iter().filter(|(_, run)| run.lock.is_held() && !run.phase.is_live());
    let mut effects: Vec<Effect> = copying.map(|(id, _)| Effect::Run(id.clone(), RunEffect::Stop)).collect();
    if live.is_empty() {
        effects.extend(leave_if_done(model));
    }
    effects.extend(live.iter().flat_map(|id| stop(model, id, by, exit)));
    effects
}

/// Quits although something is still held, once leaving has taken too long: whoever comes next mends it, as after a kill.
pub(super) fn tick(model: &mut Model) -> Vec<Effect> {
    let (Some(exit), Some(_)) = (model.quitting, model.leave_by.take_if(|by| *by <= model.now)) else {
        return Vec::new();
    };
    vec![Effect::Quit(exit)]
}

/// Quits when that was asked for and no run holds anything any more.
pub(super) fn leave_if_done(model: &Model) -> Vec<Effect> {
    match model.quitting {
        Some(exit) if model.leaving && model.runs.values().all(|run| !run.phase.is_live() && !run.lock.is_held()) => {
            vec![Effect::Quit(exit)]
        }
        Some(_) | None => Vec::new(),
    }
}
