//! Runs agents.
pub mod process;
