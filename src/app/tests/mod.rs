//! Whole runs walked through without tokio: a [`script::Script`] gives messages to the brain, and a fake
//! [`world::World`] answers its effects.

mod script;
mod world;

mod alarms;
mod cancel;
mod checks;
mod decisions;
mod durable;
mod families;
mod happy;
mod keys;
mod leaving;
mod pages;
mod random;
mod resume;
mod retries;
