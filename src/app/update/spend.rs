//! Money: how an agent is charged, what a turn is reckoned to cost before it, what is counted after it.
//!
//! It must not know prices themselves, nor start or refuse anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::app::event::{Spent, Tokens};
use crate::app::model::{Model, Run, Seat, SeatState};
use crate::domain::budget::{Charge, Refusal};
use crate::domain::ids::{AgentName, RunId};
use crate::domain::preset::preset;
use crate::domain::run::{SeatKey, TurnEnded};
use crate::domain::settings::{Agent, AgentKind, Launch};
use crate::domain::stream::{Transport, Usage};

/// Tells how an agent's turns are charged.
pub fn charge(model: &Model, agent: &Agent) -> Charge {
    let price = agent.model.as_ref().and_then(|name| model.settings.prices.get(name));
    let launch = match &agent.kind {
        AgentKind::Command(launch) => launch,
        AgentKind::Api(service) => {
            let otherwise = if service.is_here() { Charge::Free } else { Charge::Unpriced };
            return price.map_or(otherwise, |price| Charge::Priced(*price));
        }
        AgentKind::Replay { .. } | AgentKind::Memory => return Charge::Free,
    };
    match price {
        // Whoever names a price pays it, whatever signs of a plan there are.
        Some(price) => Charge::Priced(*price),
        None if model.boot.on_plan.contains(&agent.name) => Charge::Plan,
        None if tells_cost(launch) => Charge::Told,
        None => Charge::Unpriced,
    }
}

/// Tells whether a program is known to say what its turns cost.
fn tells_cost(launch: &Launch) -> bool {
    match &launch.transport {
        Transport::Acp(_) => launch.preset.as_deref().and_then(preset).is_some_and(|known| known.acp.tells_cost),
        Transport::Text => false,
        Transport::Json(dialect) | Transport::Jsonl(dialect) => dialect.knows_cost(),
    }
}

fn named<'m>(model: &'m Model, name: &AgentName) -> Option<&'m Agent> {
    model.settings.agents.iter().find(|agent| &agent.name == name)
}

/// Whether a turn may be begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// It may.
    Begin,
    /// Not while others are at work that may use up what is left.
    Wait,
    /// It may not.
    Refused(Refusal),
}

/// Returns what a turn with a prompt of so many bytes is reckoned to cost.
pub(super) fn reckoned(model: &Model, seat: &Seat, prompt: usize) -> u64 {
    let Some(agent) = named(model, &seat.who.agent) else { return 0 };
    let told = seat.session.as_ref().map_or(0, |session| session.used.input_tokens + session.used.output_tokens);
    charge(model, agent).reckoned(prompt, told, agent.max_output_tokens)
}

/// Tells whether a turn that is reckoned to cost `needs` may be begun.
pub(super) fn leave(model: &Model, id: &RunId, agent: &AgentName, needs: u64) -> Leave {
    let (Some(run), Some(agent)) = (model.runs.get(id), named(model, agent)) else { return Leave::Begin };
    let charge = charge(model, agent);
    let (spent, set_aside) = (run.used().cost_micro_usd.unwrap_or(0), at_work(model, run));
    let refuses = |spent| model.settings.budget.refuses(charge, needs, spent);
    match (refuses(spent), refuses(spent.saturating_add(set_aside))) {
        (Some(why), _) => Leave::Refused(why),
        (None, Some(_)) => Leave::Wait,
        (None, None) => Leave::Begin,
    }
}

/// What those at work have set aside, or have used already, if that is more.
fn at_work(model: &Model, run: &Run) -> u64 {
    let of = |seat: &Seat| seat.set_aside.max(used_now(model, seat).cost_micro_usd.unwrap_or(0));
    let is_at_work = |seat: &&Seat| matches!(seat.state, SeatState::Launching(_) | SeatState::Asking(_));
    run.seats.iter().filter(is_at_work).map(of).fold(0, u64::saturating_add)
}

/// Returns what is set aside for a turn that begins: what it is reckoned to cost, and, for one that may look around and
/// send its conversation again, its part of what nobody has set aside. So all that are at work together stay within the
/// run's budget, and nobody takes it from those that are still to begin.
pub(super) fn set_aside(model: &Model, id: &RunId, agent: &AgentName, reckoned: u64) -> u64 {
    let (Some(run), Some(agent)) = (model.runs.get(id), named(model, agent)) else { return reckoned };
    let is_priced = |agent: &Agent| matches!(charge(model, agent), Charge::Priced(_));
    if !matches!(agent.kind, AgentKind::Api(_)) || !is_priced(agent) {
        return reckoned;
    }
    let to_begin = run.seats.iter().filter(|seat| match seat.state {
        SeatState::Queued(_) | SeatState::Waiting { .. } => {
            seat.who.agent != agent.name && named(model, &seat.who.agent).is_some_and(is_priced)
        }
        SeatState::Launching(_)
        | SeatState::Asking(_)
        | SeatState::Keeping
        | SeatState::Answered
        | SeatState::Failed(_) => false,
    });
    let parts = 1 + u64::try_from(to_begin.count()).unwrap_or(u64::MAX - 1);
    let gone = run.used().cost_micro_usd.unwrap_or(0).saturating_add(at_work(model, run));
    // The others are taken to need as much.
    let free = model.settings.budget.run_micro_usd.saturating_sub(gone.saturating_add(reckoned.saturating_mul(parts)));
    reckoned.saturating_add(free / parts)
}

/// Counts a turn that has ended; from now on its usage says what was charged.
pub(super) fn counted(model: &mut Model, key: &SeatKey, mut ended: Arc<TurnEnded>) -> Arc<TurnEnded> {
    let Some(charge) = named(model, &key.agent).map(|agent| charge(model, agent)) else { return ended };
    let Some(run) = model.runs.get_mut(&key.run) else { return ended };
    // What never ran costs nothing.
    let has_run = ended.took_ms > 0;
    let reckoned = run.seat(&key.agent).map_or(0, |seat| seat.reckoned);
    let used = if has_run { charge.counted(ended.usage, reckoned) } else { Usage::default() };
    run.spend(key.stage, &key.agent, used);
    Arc::make_mut(&mut ended).usage = used;
    ended
}

/// Returns what an agent has used at the stage at hand, with what it used so far in a turn that is under way.
pub fn used_so_far(model: &Model, run: &Run, agent: &AgentName) -> Usage {
    run.used_by(agent).plus(run.seat(agent).map(|seat| used_now(model, seat)).unwrap_or_default())
}

/// What an agent has used so far in a turn that is under way.
fn used_now(model: &Model, seat: &Seat) -> Usage {
    let now = match seat.state {
        SeatState::Asking(_) => seat.progress.as_ref().map(|progress| progress.usage).unwrap_or_default(),
        SeatState::Queued(_)
        | SeatState::Launching(_)
        | SeatState::Keeping
        | SeatState::Waiting { .. }
        | SeatState::Answered
        | SeatState::Failed(_) => Usage::default(),
    };
    match named(model, &seat.who.agent).map(|agent| charge(model, agent)) {
        Some(charge) if !now.is_none() => charge.counted(now, 0),
        Some(_) | None => Usage::default(),
    }
}

/// Returns what a run used and who pays for it; nothing where nobody told.
pub fn total(model: &Model, run: &Run) -> Option<Spent> {
    let used = run.used();
    let mut spent = Spent {
        tokens: Tokens::of(used)?,
        cost_micro_usd: used.cost_micro_usd,
        on_plan: Vec::new(),
        unpriced: Vec::new(),
    };
    let mut agents: BTreeMap<&AgentName, Usage> = BTreeMap::new();
    for (agent, used) in run.spent.values().flatten() {
        let sum = agents.entry(agent).or_default();
        *sum = sum.plus(*used);
    }
    for (name, used) in agents {
        match named(model, name).map(|agent| charge(model, agent)) {
            Some(Charge::Plan) => spent.on_plan.push(name.clone()),
            Some(Charge::Unpriced | Charge::Told | Charge::Priced(_)) if used.cost_micro_usd.is_none() => {
                spent.unpriced.push(name.clone());
            }
            Some(Charge::Free | Charge::Unpriced | Charge::Told | Charge::Priced(_)) | None => {}
        }
    }
    Some(spent)
}
