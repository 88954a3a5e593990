//! The command line: clap commands, and results as text and JSON.
//!
//! It must not know how work is done: it asks the shell.

pub mod check;
pub mod decide;
pub mod evidence;
pub mod plain;
pub mod play;
pub mod sample;
