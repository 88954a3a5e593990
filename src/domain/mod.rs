//! What the program is about: specs, stages, artifacts, claims, verdicts, the journal.
//!
//! Pure: std, serde, hashing and parser crates only. It must not know the clock, randomness, files, processes,
//! tokio, the terminal, or any other layer. Time comes in as [`moment::Moment`], file contents as text.

pub mod absent;
pub mod acp;
pub mod agenda;
pub mod artifact;
pub mod back;
pub mod bench;
pub mod budget;
pub mod candidate;
pub mod chaos;
pub mod check;
pub mod claim;
pub mod classify;
pub mod consensus;
pub mod dialect;
pub mod dissent;
pub mod document;
pub mod draft;
pub mod fact;
pub mod failure;
pub mod gate;
pub mod guardrail;
pub mod hash;
pub mod hunks;
pub mod ids;
pub mod journal;
pub mod judgement;
pub mod launch;
pub mod machine;
pub mod memory;
pub mod merge;
pub mod moment;
pub mod overview;
pub mod preparation;
pub mod preset;
pub mod progress;
pub mod prompt;
pub mod range;
pub mod redact;
pub mod report;
pub mod retry;
pub mod round;
pub mod run;
pub mod safe;
pub mod server;
pub mod settings;
pub mod skip;
pub mod spec;
pub mod stage;
pub mod stats;
pub mod stream;
pub mod transcript;
pub mod wish;
