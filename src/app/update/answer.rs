//! Requests of programs: each is answered exactly once, when its run has ended or was refused.
//!
//! It must not know who asks.

use super::{cancel, update};
use crate::app::effect::Effect;
use crate::app::model::Model;
use crate::app::msg::{Msg, Program, Request};
use crate::app::outcome::AskId;
use crate::domain::failure::Failure;

/// The exit code of a request that cannot be served now: a lock is held, or something is broken.
const REFUSED: u8 = 3;

/// A program asks, does not want it any more, or is gone.
pub(super) fn heard(model: &mut Model, word: Program) -> Vec<Effect> {
    match word {
        Program::Asked(ask, request) => asked(model, ask, *request),
        Program::Withdrew(ask) => withdrawn(model, ask),
        Program::Left => cancel::leave(model, cancel::STOPPED, "its program"),
    }
}

/// A run that begins keeps the ask, and its end answers.
fn asked(model: &mut Model, ask: AskId, request: Request) -> Vec<Effect> {
    model.notice = None;
    model.asking = Some(ask);
    let mut effects = update(model, Msg::Asked(request));
    model.asking = None;
    let is_answered = effects.iter().any(|effect| matches!(effect, Effect::Answer(known, _) if *known == ask));
    if !is_answered && model.runs.values().all(|run| run.options.ask != Some(ask)) {
        effects.push(Effect::Answer(ask, Err(refusal(model))));
    }
    effects
}

/// No run began: the notice says why.
fn refusal(model: &Model) -> Failure {
    let refused = |why: String, next: String, exit| Failure::BadInput { place: "the request".into(), why, next, exit };
    match &model.notice {
        _ if model.leaving => {
            let exit = model.quitting.unwrap_or(cancel::STOPPED);
            refused("it came while the program ends".into(), Failure::Cancelled.hint(), exit)
        }
        Some(notice) => refused(notice.text.to_string(), "wait until it has ended, or stop it".into(), REFUSED),
        None => Failure::ActorGone { actor: "brain".into() },
    }
}

/// The run is stopped, and with a second message killed.
fn withdrawn(model: &mut Model, ask: AskId) -> Vec<Effect> {
    let run = model.runs.values().find(|run| run.options.ask == Some(ask)).map(|run| run.id.clone());
    run.map_or_else(Vec::new, |id| cancel::stop(model, &id, "its caller", cancel::STOPPED))
}
