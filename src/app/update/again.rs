//! Who is asked again: what comes after a turn without an answer, and the limits that agents share.
//!
//! It must not know how anybody is started.

use crate::app::model::{Limit, Model, SeatState};
use crate::domain::failure::AgentError;
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;
use crate::domain::retry::Policy;
use crate::domain::run::{SeatKey, TurnFailed, TurnKind};
use crate::domain::settings::{Agent, Retry};

/// How often an agent that crashed, fell silent or gave nothing usable is asked once more: papers and practice agree
/// that the second failure of that kind tells about the agent, not about luck.
const ONCE_MORE: u32 = 1;

/// Decides what comes after a turn without an answer: a repair, another try after a wait, or nothing.
pub(super) fn what_next(model: &Model, key: &SeatKey, kind: TurnKind, failed: &TurnFailed) -> SeatState {
    let over = SeatState::Failed(failed.error.clone());
    let Some(run) = model.runs.get(&key.run) else { return over };
    let Some(seat) = run.seat(&key.agent) else { return over };
    // Who answers elsewhere was waited for as long as it may take.
    if run.stop.is_some() || seat.stopped || seat.who.external {
        return over;
    }
    if kind == TurnKind::Draft && failed.repair.is_some() {
        return SeatState::Queued(TurnKind::Repair);
    }
    match wait(model, key, &failed.error) {
        Some(wait) => SeatState::Waiting { until: model.now.plus_ms(wait), why: failed.error.clone() },
        None => over,
    }
}

/// Returns how long to wait until an agent is asked again, in milliseconds: as long as its API asks for, else longer
/// each time. `None`: it is not asked again, or would come back after the run's own deadline, for which nobody waits.
fn wait(model: &Model, key: &SeatKey, error: &AgentError) -> Option<u64> {
    let run = model.runs.get(&key.run)?;
    let seat = run.seat(&key.agent)?;
    let retry = agent(model, &key.agent).map_or_else(Retry::default, |agent| agent.retry);
    let (allowed, asked) = allowance(error, retry)?;
    let is_same = |before: &&AgentError| std::mem::discriminant(*before) == std::mem::discriminant(error);
    let failed = u32::try_from(seat.errors.iter().filter(is_same).count()).unwrap_or(u32::MAX).saturating_add(1);
    let left = run.opened.plus_ms(model.settings.run.deadline_ms).since(model.now);
    match asked {
        Some(asked) => (failed <= allowed && asked < left).then_some(asked),
        None => backoff(retry, allowed).wait(failed, left, seed(key)),
    }
}

fn backoff(retry: Retry, retries: u32) -> Policy {
    Policy { retries, base_ms: retry.base_ms, cap_ms: retry.cap_ms }
}

/// Spreads the waits of agents that failed together, the same way in a replay.
fn seed(key: &SeatKey) -> u64 {
    let digits = Sha::of(format!("{}\n{}\n{}\n{}", key.run, key.stage, key.agent, key.attempt));
    u64::from_str_radix(&digits.as_str()[..16], 16).unwrap_or(0)
}

/// How often a failure of this kind is followed by another try, and the wait that its API asked for. `None`: never.
fn allowance(error: &AgentError, retry: Retry) -> Option<(u32, Option<u64>)> {
    match error {
        AgentError::RateLimit { retry_after_ms } => Some((retry.max, *retry_after_ms)),
        AgentError::Overloaded | AgentError::Network { .. } => Some((retry.max, None)),
        AgentError::Crashed { .. }
        | AgentError::Timeout { .. }
        | AgentError::NoArtifact { .. }
        | AgentError::Protocol { .. } => Some((ONCE_MORE.min(retry.max), None)),
        AgentError::CommandNotFound { .. }
        | AgentError::Auth { .. }
        | AgentError::ContextOverflow
        | AgentError::Permission { .. }
        | AgentError::Refused { .. }
        | AgentError::Overgrown { .. }
        | AgentError::Cancelled
        | AgentError::Budget { .. } => None,
    }
}

/// Remembers that an API asked an agent to slow down: it means everybody who shares that limit, in every run.
pub(super) fn note_limit(model: &mut Model, key: &SeatKey, error: &AgentError) {
    let AgentError::RateLimit { retry_after_ms } = error else { return };
    let Some(agent) = agent(model, &key.agent) else { return };
    let (Some(shared), retry) = (agent.shared_limit(), agent.retry) else { return };
    // Without a word of its API: as long as this agent waits itself.
    let wait = retry_after_ms.or_else(|| wait(model, key, error));
    let wait = wait.or_else(|| backoff(retry, 1).wait(1, u64::MAX, seed(key))).unwrap_or(retry.base_ms);
    let limit = Limit { until: model.now.plus_ms(wait), told: key.agent.clone() };
    let now = model.now;
    model.limits.retain(|_, limit| limit.until > now);
    let known = model.limits.entry(shared).or_insert_with(|| limit.clone());
    if known.until < limit.until {
        *known = limit;
    }
}

fn agent<'m>(model: &'m Model, name: &AgentName) -> Option<&'m Agent> {
    model.settings.agents.iter().find(|agent| &agent.name == name)
}
