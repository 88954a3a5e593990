//! Running without a screen: a pipeline's streams of events, as lines.
//!
//! It must not know how a run works: it is a consumer of [`crate::pipeline`] like any other.

use std::cell::RefCell;
use std::sync::Arc;

use super::engine::Flags;
use super::start::Start;
use crate::app::event::What;
use crate::app::msg::Request;
use crate::app::outcome::Outcome;
use crate::cli::lines::{Lines, Style};
use crate::config::{Loaded, Sources};
use crate::domain::failure::Failure;
use crate::pipeline::{self, Pipeline};

/// A pipeline whose runs are told as lines, each as its events come.
#[derive(Debug)]
pub struct Headless {
    pipeline: Pipeline,
    lines: RefCell<Lines>,
}

impl Headless {
    /// Starts the servers of a config that was read.
    ///
    /// # Errors
    /// What keeps it from starting: trust, the system.
    pub fn open(sources: Sources, loaded: Loaded, flags: Flags) -> Result<Self, Failure> {
        let style = if flags.json { Style::Json } else { Style::Plain };
        let pipeline = Pipeline::of_command(sources, loaded, flags)?;
        Ok(Self { pipeline, lines: RefCell::new(Lines::new(style)) })
    }

    /// Does what is asked, and tells it; with `of`, lines for people say whose they are. Returns how it ended.
    ///
    /// # Errors
    /// What kept it from beginning, where no line has said so.
    pub async fn run(&self, request: Request, of: Option<&str>) -> Result<Arc<Outcome>, Failure> {
        let mut run = self.pipeline.run(request);
        let mut events = run.events();
        let mut is_told = false;
        while let Some(event) = events.next().await {
            is_told |= matches!(event.what, What::RunFinished { .. });
            self.lines.borrow_mut().tell_of(&event, of);
        }
        match run.await {
            Ok(outcome) => Ok(outcome),
            Err(failure) if is_told => Ok(Arc::new(Outcome::refused(failure))),
            Err(failure) => Err(failure),
        }
    }
}

/// Runs until the requests are done, one after the other; returns the exit code.
///
/// # Errors
/// What keeps it from starting: config, trust, the system.
pub fn headless(start: Start) -> Result<u8, Failure> {
    let headless = Headless::open(start.sources, start.loaded, start.flags)?;
    let mut exits = Vec::new();
    for request in start.requests {
        exits.push(pipeline::wait(headless.run(request, None))?.exit);
    }
    Ok(crate::app::update::worst(exits.into_iter()))
}
