//! Whole runs walked through without tokio: a [`script::Script`] gives messages to the brain, and a fake
//! [`world::World`] answers its effects.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the one variant that it is about")]

mod script;
mod world;

mod alarms;
mod answers;
mod astray;
mod back;
mod budget;
mod cancel;
mod candidates;
mod checkpoints;
mod checks;
mod decisions;
mod durable;
mod families;
mod first;
mod foreign;
mod happy;
mod keys;
mod leaving;
mod ledger;
mod offered;
mod pages;
mod permissions;
mod proposals;
mod random;
mod resume;
mod retries;
mod roster;
mod round;
