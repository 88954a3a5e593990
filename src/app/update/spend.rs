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
    let at_work = run.seats.iter().filter(|seat| matches!(seat.state, SeatState::Launching(_) | SeatState::Asking(_)));
    let set_aside = at_work.map(|seat| seat.reckoned).fold(0, u64::saturating_add);
    let spent = run.used().cost_micro_usd.unwrap_or(0);
    let refuses = |spent| model.settings.budget.refuses(charge, needs, spent);
    match (refuses(spent), refuses(spent.saturating_add(set_aside))) {
        (Some(why), _) => Leave::Refused(why),
        (None, Some(_)) => Leave::Wait,
        (None, None) => Leave::Begin,
    }
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
    let ended = run.used_by(agent);
    let seat = run.seat(agent).filter(|seat| matches!(seat.state, SeatState::Asking(_)));
    let now = seat.and_then(|seat| seat.progress.as_ref()).map(|progress| progress.usage).filter(|now| !now.is_none());
    let charge = named(model, agent).map(|agent| charge(model, agent));
    match (now, charge) {
        (Some(now), Some(charge)) => ended.plus(charge.counted(now, 0)),
        (_, _) => ended,
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
