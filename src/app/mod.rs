//! The brain: one pure function, [`update::update`], from a model and a message to effects.
//!
//! It knows the domain only. It must not know tokio, the terminal, files, processes or the clock: time arrives as
//! [`msg::Msg::Tick`], everything slow leaves as an [`effect::Effect`] and comes back as a message.

pub mod command;
pub mod effect;
pub mod event;
pub mod follow;
pub mod key;
pub mod keymap;
pub mod line;
pub mod look;
pub mod model;
pub mod msg;
pub mod outcome;
pub mod update;

#[cfg(test)]
mod tests;
