//! The first run in a repository: what stands on this machine, and the first config.
//!
//! It must not know how anything is found or written.

use super::{ask, complain, notice};
use crate::app::effect::Effect;
use crate::app::model::Model;
use crate::domain::failure::Failure;
use crate::domain::machine::{News, Spot};

/// Takes in what was seen on this machine.
pub(super) fn seen(model: &mut Model, news: News) -> Vec<Effect> {
    let next = model.machine.learn(news);
    // Once there is a panel nobody else is started to be asked for a version.
    if model.is_first_run() { next.into_iter().map(Effect::Look).collect() } else { Vec::new() }
}

/// Looks again at what stands on this machine, where that is of use.
pub(super) fn look_again(model: &Model) -> Option<Effect> {
    // What is still out answers first: nothing is asked twice at the same time.
    (model.is_first_run() && !model.machine.is_looking()).then_some(Effect::Look(Spot::Path))
}

/// Tells whether a first config can be written here.
pub fn can_init(model: &Model) -> bool {
    model.is_first_run() && !model.boot.has_config
}

/// Writes the first config. What of it could run is approved on the next screen.
pub(super) fn init(model: &mut Model) -> Vec<Effect> {
    if !can_init(model) {
        notice(model, "there is a config already · `trust` shows what it wants to run");
        return Vec::new();
    }
    vec![Effect::Init]
}

/// It is written: start over with it, and look at what it would run.
pub(super) fn initialised(model: &mut Model, outcome: Result<(), Failure>) -> Vec<Effect> {
    match outcome {
        Ok(()) => {
            model.boot.has_config = true;
            ask::start_over(model, "init", "wrote .dicast/config.toml · it holds from the next start on")
        }
        Err(failure) => {
            complain(model, &failure);
            Vec::new()
        }
    }
}
