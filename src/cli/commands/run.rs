//! The commands that run the whole program: the stages, the screen.

use std::io::IsTerminal as _;

use super::super::args::{Global, Stage as Asked};
use super::super::out::{self, Done};
use super::{Context, agents, first, place, record, status, survey};
use crate::app::msg::{Request, Start as StartRun};
use crate::domain::failure::Failure;
use crate::domain::spec::Folder;
use crate::domain::stage::Stage;
use crate::shell::start::{Flags, Start, headless, interactive};

/// Runs one stage of a spec, or those that it has not passed.
///
/// # Errors
/// Usage for an unknown spec; what keeps the run from starting.
pub(super) fn stages(context: &Context, asked: &Asked, stage: Option<Stage>) -> Result<Done, Failure> {
    let folder = place::spec(context, asked.spec.as_deref())?;
    let stages = match stage {
        Some(stage) => vec![stage],
        None => remaining(context, &folder)?,
    };
    if stages.is_empty() {
        let done = format!("{} has passed every stage", folder.id);
        return Ok(match context.global.json {
            true => Done::json(out::ended(0, None, context.now)),
            false => Done::lines(format!("{done}\n")),
        });
    }
    let (fresh, rerun_missing) = (context.global.fresh, asked.rerun_missing);
    let start = Request::Start(StartRun { spec: folder.id, stages, fresh, rerun_missing });
    let flags = Flags { no_round: asked.no_round, ..flags(&context.global) };
    headless(Start { sources: context.sources()?, flags, requests: vec![start] }).map(Done::exit)
}

/// Returns the stages from the first one on that has no current verdict that lets the spec pass.
fn remaining(context: &Context, folder: &Folder) -> Result<Vec<Stage>, Failure> {
    let store = context.store();
    for first in Stage::ALL {
        let has_passed = match record::verdict(&store, folder, first)? {
            Some(verdict) => verdict.exit == 0 && status::changed(context, folder, &verdict, None)?.is_none(),
            None => false,
        };
        if !has_passed {
            return Ok(Stage::ALL.into_iter().filter(|stage| *stage >= first).collect());
        }
    }
    Ok(Vec::new())
}

/// Runs without a screen until the requests are done. The shell prints as it goes.
///
/// # Errors
/// What keeps it from starting.
pub(super) fn requests(context: &Context, requests: Vec<Request>) -> Result<Done, Failure> {
    let exit = headless(Start { sources: context.sources()?, flags: flags(&context.global), requests })?;
    Ok(Done::exit(exit))
}

/// Opens the screen, or prints the first one as lines where there is no terminal.
///
/// # Errors
/// What keeps it from starting.
pub(super) fn screen(context: &Context) -> Result<Done, Failure> {
    let sources = context.sources()?;
    if has_screen(&context.global) {
        let start = Start { sources, flags: flags(&context.global), requests: Vec::new() };
        return interactive(start).map(Done::exit);
    }
    if context.global.json {
        return status::status(context, None, None);
    }
    let loaded = crate::config::load(&sources)?;
    let overview = survey::overview(context)?;
    let panel: Vec<String> = loaded.settings.agents.iter().map(|agent| agent.name.to_string()).collect();
    let on_path: Vec<&str> = agents::on_path(&sources).iter().map(|found| found.name).collect();
    Ok(Done::lines(first::text(&overview, &panel, &on_path, &loaded.trust)))
}

/// Tells whether there is a terminal to draw on and to read keys from, and nobody asked for lines.
pub(super) fn has_screen(global: &Global) -> bool {
    !global.plain && !global.json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Returns what the flags of the command line mean to the shell.
pub(super) fn flags(global: &Global) -> Flags {
    Flags {
        json: global.json,
        allow_degraded: global.allow_degraded,
        allow_hollow: global.allow_hollow,
        fail_on_dissent: global.fail_on_dissent,
        ..Flags::default()
    }
}
