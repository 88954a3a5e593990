//! The commands that run the whole program: the stages, the screen.

use std::io::IsTerminal as _;

use super::super::args::{Auto, Global, Stage as Asked};
use super::super::out::{self, Done};
use super::super::plain::EVENT_SCHEMA;
use super::{Context, agents, first, now, place, record, status, survey};
use crate::app::msg::{Request, Start as StartRun};
use crate::app::update::worst;
use crate::domain::candidate::{Place, Take, Which};
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::range::Ends;
use crate::domain::spec::Folder;
use crate::domain::stage::Stage;
use crate::shell::engine::Flags;
use crate::shell::headless::headless;
use crate::shell::start::{Start, interactive};

/// Runs one stage of a spec; of an audit, `range` names the commits whose change it is about, of an implement `apply`
/// the candidate that is taken to a branch.
///
/// # Errors
/// Usage for an unknown spec; what keeps the run from starting.
pub(super) fn stage(
    context: &Context,
    asked: &Asked,
    stage: Stage,
    (range, apply): (Option<&str>, Option<&str>),
) -> Result<Done, Failure> {
    let spec = place::spec(context, asked.spec.as_deref())?.id;
    let (fresh, rerun_missing) = (context.global.fresh, asked.rerun_missing);
    run(
        context,
        StartRun {
            fresh,
            rerun_missing,
            range: range.map(str::to_owned),
            take: apply.map(|word| taken(word, Place::Branch)).transpose()?,
            ..StartRun::of(spec, vec![stage])
        },
        asked.no_round,
    )
}

/// Returns the candidate that is meant by a word, and where it goes.
///
/// # Errors
/// Usage (exit 64) for what cannot be an agent's name.
pub(super) fn taken(word: &str, place: Place) -> Result<Take, Failure> {
    let which = match word {
        "best" => Which::Best,
        name => Which::Of(
            AgentName::new(name)
                .map_err(|bad| Failure::usage("--apply", bad.to_string(), "give best, or the name of an agent"))?,
        ),
    };
    Ok(Take { which, place })
}

/// The exit codes from here on say that a signal ended the process.
const SIGNALLED: u8 = 128;

/// Runs the stages of specs that they have not passed, or those that were named: one spec after the other, in the
/// order given. One that cannot be run is told and stops no other; a signal stops all.
///
/// # Errors
/// Usage for an unknown spec or stage; for a single spec, what keeps its run from starting.
pub(super) fn auto(context: &Context, asked: &Auto) -> Result<Done, Failure> {
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
    let named = named_stages(asked)?;
    if let [only] = folders.as_slice() {
        return one(context, asked, only, named.as_deref());
    }
    let (mut exits, mut specs) = (Vec::new(), Vec::new());
    for folder in &folders {
        let exit = match one(context, asked, folder, named.as_deref()) {
            Ok(done) => out::finish(&done),
            Err(failure) => {
                out::fail(&failure, &format!("run {}", folder.id), failure.exit(), context.global.json, now());
                failure.exit()
            }
        };
        exits.push(exit);
        specs.push(&folder.id);
        if exit >= SIGNALLED {
            break;
        }
    }
    let exit = worst(exits.iter().copied());
    Ok(match context.global.json {
        false => Done::exit(exit),
        true => Done::value(&serde_json::json!({
            "schema": EVENT_SCHEMA, "seq": out::next_sequence(), "at": now().rfc3339(), "run": null,
            "type": "batch.finished", "exit": exit, "exits": exits, "specs": specs,
        }))
        .with_exit(exit),
    })
}

/// Returns the stages that were named, in their order.
fn named_stages(asked: &Auto) -> Result<Option<Vec<Stage>>, Failure> {
    let called = |flag: &str, word: &str| {
        let bad = |unknown: crate::domain::stage::UnknownStage| {
            Failure::usage(flag, unknown.to_string(), "give one of these")
        };
        word.trim().parse::<Stage>().map_err(bad)
    };
    if let Some(from) = &asked.from {
        let from = called("--from", from)?;
        return Ok(Some(Stage::ALL.into_iter().filter(|stage| *stage >= from).collect()));
    }
    let mut stages = asked.stages.iter().map(|word| called("--stages", word)).collect::<Result<Vec<_>, _>>()?;
    stages.sort();
    stages.dedup();
    Ok((!stages.is_empty()).then_some(stages))
}

/// Runs one spec of several.
fn one(context: &Context, asked: &Auto, folder: &Folder, named: Option<&[Stage]>) -> Result<Done, Failure> {
    let stages = match named {
        Some(named) => named.to_vec(),
        None => remaining(context, folder)?,
    };
    if stages.is_empty() {
        let done = format!("{} has passed every stage\n", folder.id);
        let mut done = record::heed_dissent(context, folder, Stage::Unlock, Done::lines(done))?;
        if context.global.json {
            done.text = Done::json(out::ended(done.exit, None, now())).text;
        }
        return Ok(done);
    }
    let (fresh, rerun_missing) = (context.global.fresh, asked.rerun_missing);
    run(context, StartRun { fresh, rerun_missing, ..StartRun::of(folder.id.clone(), stages) }, asked.no_round)
}

/// Starts a run without a screen, with or without its round.
fn run(context: &Context, start: StartRun, no_round: bool) -> Result<Done, Failure> {
    let flags = Flags { no_round, ..flags(&context.global) };
    headless(Start { sources: context.sources()?, flags, requests: vec![Request::Start(start)] }).map(Done::exit)
}

/// Returns the stages from the first one on that has no current verdict that lets the spec pass. What nobody recorded
/// before an audit of commits was done elsewhere.
fn remaining(context: &Context, folder: &Folder) -> Result<Vec<Stage>, Failure> {
    let store = context.store();
    let audit = record::verdict(&store, folder, Stage::Audit)?.filter(|verdict| verdict.exit == 0);
    let is_audited = audit.is_some_and(|verdict| Ends::of(&verdict.inputs).is_some());
    for first in Stage::ALL {
        let has_passed = match record::verdict(&store, folder, first)? {
            Some(verdict) => verdict.exit == 0 && status::changed(context, folder, &verdict, None)?.is_none(),
            None => is_audited && first < Stage::Audit,
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
        yes: global.yes,
        ..Flags::default()
    }
}
