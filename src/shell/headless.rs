//! Running without a screen: a pipeline's stream of events, as lines.
//!
//! It must not know how a run works: it is a consumer of [`crate::pipeline`] like any other.

use super::start::Start;
use crate::cli::lines::{Lines, Style};
use crate::domain::failure::Failure;
use crate::pipeline::Pipeline;

/// Runs until the request is done; returns the exit code.
///
/// # Errors
/// What keeps it from starting: config, trust, the system.
pub fn headless(start: Start) -> Result<u8, Failure> {
    let style = if start.flags.json { Style::Json } else { Style::Plain };
    let pipeline = Pipeline::of_command(start.sources, start.flags)?;
    let mut lines = Lines::new(style);
    let mut exits = Vec::new();
    for request in start.requests {
        match pipeline.run(request).follow(|event| lines.tell(event)) {
            Ok(outcome) => exits.push(outcome.exit),
            // The last line has said so.
            Err(failure) if lines.is_over() => exits.push(failure.exit()),
            Err(failure) => return Err(failure),
        }
    }
    Ok(crate::app::update::worst(exits.into_iter()))
}
