//! The commands that run the whole program: the stages, the screen.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::future::ready;
use std::io::IsTerminal as _;
use std::sync::Arc;

use futures::{StreamExt as _, stream};

use super::super::args::{Auto, Global};
use super::super::ask::Desk;
use super::super::out::{self, Done};
use super::super::plain::EVENT_SCHEMA;
use super::output::Outputs;
use super::present::Present;
use super::ran::{self, Ran};
use super::{Context, READING, agents, first, now, place, progress, record, status, survey};
use crate::app::msg::{Request, Start as StartRun};
use crate::app::outcome::Outcome;
use crate::app::update::{exit_of, worst};
use crate::domain::candidate::Place;
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;
use crate::domain::journal::lacks_its_end;
use crate::domain::skip::Skipped;
use crate::domain::spec::Folder;
use crate::domain::stage::Stage;
use crate::domain::wish::Wish;
use crate::pipeline;
use crate::shell::engine::Flags;
use crate::shell::foreign;
use crate::shell::headless::{Headless, headless};
use crate::shell::start::{Start, interactive};

/// Runs one stage of a spec.
///
/// # Errors
/// Usage for an unknown spec or agent; what keeps the run from starting.
pub(super) fn stage(context: &Context, spec: Option<&str>, stage: Stage, wish: &Wish) -> Result<Done, Failure> {
    let folder = place::spec(context, spec)?;
    let (fresh, rerun_missing, no_round) = (context.global.fresh, wish.rerun_missing, wish.no_round);
    let (range, take, without) = (wish.range.clone(), wish.take(Place::Branch)?, wish.without()?);
    let start = StartRun::of(folder.id.clone(), vec![stage]);
    let start = StartRun { fresh, rerun_missing, no_round, range, take, without, ..start };
    let outputs = Outputs::of(&context.global.output)?;
    let flags = Flags { no_round, ..flags(&context.global) };
    alone(context, flags, &outputs, folder, Request::Start(start))
}

/// Takes back the candidate of a spec that landed last.
///
/// # Errors
/// Usage for an unknown spec; what keeps it from starting.
pub(super) fn undo(context: &Context, spec: Option<&str>) -> Result<Done, Failure> {
    let folder = place::spec(context, spec)?;
    let outputs = Outputs::of(&context.global.output)?;
    let request = Request::Undo(folder.id.clone());
    alone(context, flags(&context.global), &outputs, folder, request)
}

/// Runs one spec, and writes what that came to where it was asked for.
///
/// # Errors
/// What keeps it from starting.
pub(super) fn alone(
    context: &Context,
    flags: Flags,
    outputs: &Outputs<'_>,
    folder: Folder,
    request: Request,
) -> Result<Done, Failure> {
    let headless = Headless::open(context.sources()?, context.loaded()?, flags)?;
    let ran = pipeline::wait(headless.run(request, None));
    // Its servers end before anything else is done.
    drop(headless);
    match ran {
        Ok(outcome) => {
            let mut done = Done::exit(outcome.exit);
            ran::write(context, outputs, &[Ran { folder, outcome: Some(outcome) }], &mut done)?;
            Ok(done)
        }
        Err(failure) => {
            let (mut done, outcome) = (Done::default(), Arc::new(Outcome::refused(failure.clone())));
            ran::write(context, outputs, &[Ran { folder, outcome: Some(outcome) }], &mut done)?;
            out::finish(&done);
            Err(failure)
        }
    }
}

/// The exit codes from here on say that a signal ended the process.
const SIGNALLED: u8 = 128;

/// Runs the stages of specs that they have not passed, or those that were named: begun in the order given, as many at
/// the same time as asked for. One that cannot be run is told and stops no other; a signal stops all.
///
/// # Errors
/// Usage for an unknown spec or stage; for a single spec, what keeps its run from starting.
pub(super) fn auto(context: &Context, asked: &Auto) -> Result<Done, Failure> {
    let work = Work::of(context, asked)?;
    let mut folders = Vec::new();
    for spec in &asked.specs {
        let folder = place::spec(context, Some(spec))?;
        if folders.iter().all(|before: &Folder| before.id != folder.id) {
            folders.push(folder);
        }
    }
    if folders.is_empty() {
        folders.push(place::spec(context, None)?);
    }
    if let [only] = folders.as_slice() {
        return match work.of_spec(only)? {
            Ok(request) => alone(context, work.flags.clone(), &work.outputs, only.clone(), request),
            Err(mut done) => {
                ran::write(context, &work.outputs, &[Ran { folder: only.clone(), outcome: None }], &mut done)?;
                Ok(done)
            }
        };
    }
    let headless = Headless::open(context.sources()?, context.loaded()?, work.flags.clone())?;
    let is_over = Cell::new(false);
    let one = async |(at, folder): (usize, &Folder)| {
        if is_over.get() {
            return None;
        }
        let (exit, ran) = work.run(&headless, folder).await;
        is_over.set(is_over.get() || exit >= SIGNALLED);
        Some((at, (exit, ran)))
    };
    let runs = stream::iter(folders.iter().enumerate()).map(one);
    let runs = runs.buffer_unordered(usize::from(asked.jobs)).filter_map(ready).collect();
    // In the order given, whichever ended first.
    let ended: BTreeMap<usize, (u8, Ran)> = pipeline::wait(runs);
    drop(headless);
    let (exits, ran): (Vec<u8>, Vec<Ran>) = ended.into_values().unzip();
    let specs: Vec<&SpecId> = ran.iter().map(|ran| &ran.folder.id).collect();
    let exit = worst(exits.iter().copied());
    let mut done = match context.global.json {
        false => Done::exit(exit),
        true => Done::value(&serde_json::json!({
            "schema": EVENT_SCHEMA, "seq": out::next_sequence(), "at": now().rfc3339(), "run": null,
            "type": "batch.finished", "exit": exit, "exits": exits, "specs": specs,
        }))
        .with_exit(exit),
    };
    ran::write(context, &work.outputs, &ran, &mut done)?;
    Ok(done)
}

/// What is to be done for each spec.
struct Work<'w> {
    context: &'w Context,
    asked: &'w Auto,
    wish: Wish,
    flags: Flags,
    outputs: Outputs<'w>,
}

impl<'w> Work<'w> {
    fn of(context: &'w Context, asked: &'w Auto) -> Result<Self, Failure> {
        let wish = Wish { fresh: context.global.fresh, ..asked.wish() };
        // What cannot be read is told before anything of any spec is.
        wish.skipped()?;
        wish.named_stages()?;
        let flags = Flags { no_round: wish.no_round, ..flags(&context.global) };
        let outputs = Outputs::of(&context.global.output)?;
        Ok(Self { context, asked, wish, flags, outputs })
    }

    /// Returns what is asked for a spec, or what is said where nothing is left to do.
    fn of_spec(&self, folder: &Folder) -> Result<Result<Request, Done>, Failure> {
        let (context, wish) = (self.context, &self.wish);
        if let Some(course) = wish.course(|| remaining(context, folder))? {
            let (fresh, rerun_missing, no_round) = (wish.fresh, wish.rerun_missing, wish.no_round);
            let (take, without, skipped) = (wish.take(Place::Tree)?, wish.without()?, course.skipped);
            let start = StartRun::of(folder.id.clone(), course.stages);
            let start = StartRun { fresh, rerun_missing, no_round, skipped, take, without, ..start };
            return Ok(Ok(Request::Start(start)));
        }
        // Killed after its last verdict, a run was not put away: its worktrees are still there.
        if let Some(stage) = half_ended(context, folder)? {
            return Ok(Ok(Request::Start(StartRun::of(folder.id.clone(), vec![stage]))));
        }
        let done = format!("{} has passed every stage\n", folder.id);
        // What was flagged on the way still is.
        let (verdicts, _) = record::verdicts(&context.store(), folder);
        let exit = exit_of(verdicts.iter().map(|verdict| (verdict.stage, verdict.exit)));
        let mut done = record::heed_dissent(context, folder, Stage::Unlock, Done::lines(done).with_exit(exit))?;
        if context.global.json {
            done.text = Done::json(out::ended(done.exit, None, now())).text;
        }
        Ok(Err(done))
    }

    /// Runs a spec beside others, and tells what kept it from that. Returns the exit code, and how it ended.
    async fn run(&self, headless: &Headless, folder: &Folder) -> (u8, Ran) {
        let of = (self.asked.jobs > 1).then_some(folder.id.as_str());
        let ran = |outcome| Ran { folder: folder.clone(), outcome };
        let outcome = match self.of_spec(folder) {
            Ok(Ok(request)) => headless.run(request, of).await,
            Ok(Err(done)) => return (out::finish(&done), ran(None)),
            Err(failure) => Err(failure),
        };
        let outcome = outcome.unwrap_or_else(|failure| {
            out::fail(&failure, &format!("run {}", folder.id), failure.exit(), self.context.global.json, now());
            Arc::new(Outcome::refused(failure))
        });
        (outcome.exit, ran(Some(outcome)))
    }
}

/// Returns the first stage that is not behind a spec, and what was left out on the way.
///
/// # Errors
/// When the verdict of that first one cannot be read: it would be written over.
fn remaining(context: &Context, folder: &Folder) -> Result<(Option<Stage>, Skipped), Failure> {
    let standings = progress::standings(context, &Present::new(context, None), folder, None)?;
    let first = progress::next(&standings);
    if let Some(first) = first {
        record::verdict(&context.store(), folder, first)?;
    }
    Ok((first, progress::left_out(&standings)))
}

/// Returns the stage of a spec's last run that lacks nothing but its end, where nobody is at it.
fn half_ended(context: &Context, folder: &Folder) -> Result<Option<Stage>, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let owner = desk.ask(READING, "reading the run's lock", evidence.owner(folder.id.clone(), desk.token()))?;
    if owner.is_some_and(|note| foreign::lives(&note)) {
        return Ok(None);
    }
    let open = desk.ask(READING, "reading the last run", evidence.latest_open(folder.id.clone(), desk.token()));
    // What cannot be read is for `evidence verify` to tell: nothing is left to do here.
    Ok(open.ok().flatten().and_then(|open| lacks_its_end(open.entries.iter().map(|(_, record)| record))))
}

/// Runs without a screen until the requests are done. The shell prints as it goes.
///
/// # Errors
/// What keeps it from starting.
pub(super) fn requests(context: &Context, requests: Vec<Request>) -> Result<Done, Failure> {
    headless(start(context, requests)?).map(Done::exit)
}

/// What the shell starts with.
fn start(context: &Context, requests: Vec<Request>) -> Result<Start, Failure> {
    Ok(Start { sources: context.sources()?, loaded: context.loaded()?, flags: flags(&context.global), requests })
}

/// Opens the screen, or prints the first one as lines where there is no terminal.
///
/// # Errors
/// What keeps it from starting.
pub(super) fn screen(context: &Context) -> Result<Done, Failure> {
    if has_screen(&context.global) {
        return interactive(start(context, Vec::new())?).map(Done::exit);
    }
    if context.global.json {
        return status::status(context, None, None);
    }
    let loaded = context.loaded()?;
    let overview = survey::overview(context)?;
    let panel: Vec<String> = loaded.settings.agents.iter().map(|agent| agent.name.to_string()).collect();
    let machine = agents::served(&context.sources()?)?;
    Ok(Done::lines(first::text(&overview, &panel, &machine, &loaded.trust)))
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
        yes: global.yes,
        config: global.config.clone(),
        ..Flags::default()
    }
}
