//! Dicast as a server of others: the embedded memory server.
//!
//! It must not know actors, the screen or the shell.

pub mod memory;
