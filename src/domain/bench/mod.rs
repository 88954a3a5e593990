//! Benchmarks of our own judgement, on cases whose truth is known from how they were made.
//!
//! It must not know the command line, nor read any file.

pub mod mutants;
