//! `dicast specify`: what a panel proposes for a spec's document, written and taken back on a person's word.

use super::super::args::Specify;
use super::super::ask::Desk;
use super::super::out::{self, Done, next_sequence};
use super::super::{plain, proposal as lines};
use super::output::Outputs;
use super::{Context, gate, now, place, run};
use crate::app::event::{Event, What};
use crate::app::msg::{Request, Start};
use crate::domain::failure::Failure;
use crate::domain::proposal::Fit;
use crate::domain::spec::Folder;
use crate::domain::stage::Stage;
use crate::domain::wish::Wish;
use crate::shell::engine::Flags;

/// The exit code where nothing is there to go on with: then the panel is asked.
const NEEDS_INPUT: u8 = 10;

/// Asks the panel what a spec should say, or say otherwise; writes what it proposes, or takes that back.
///
/// # Errors
/// Usage for an unknown spec; what keeps the run from starting; as writing the proposal.
pub(super) fn specify(context: &Context, asked: &Specify) -> Result<Done, Failure> {
    let folder = found(context, asked.stage.spec.as_deref())?;
    let outputs = Outputs::of(&context.global.output)?;
    let brief = Some(asked.text.join(" ")).filter(|text| !text.trim().is_empty());
    let (wish, fresh) = (asked.stage.wish(), context.global.fresh);
    let is_recorded_wanted = asked.apply && brief.is_none() && !fresh && wish == Wish::default();
    if asked.undo {
        // Before anything is done: whoever mends a refused command says it again.
        if outputs.is_named() {
            return Err(Failure::usage("--output", "nobody is asked: there is nothing to report", "leave it out"));
        }
        return restore(context, &folder);
    }
    if is_recorded_wanted && let Some(mut done) = adopt(context, &folder)? {
        if outputs.is_named() {
            done.notes.push("nobody was asked: no report was written".to_owned());
        }
        return Ok(done);
    }
    let (rerun_missing, no_round, without, adopt) = (wish.rerun_missing, wish.no_round, wish.without()?, asked.apply);
    let start = Start::of(folder.id.clone(), vec![Stage::Specify]);
    let start = Start { fresh, rerun_missing, no_round, without, brief, adopt, ..start };
    let flags = Flags { no_round, ..run::flags(&context.global) };
    run::alone(context, flags, &outputs, folder, Request::Start(start))
}

/// Finds the spec; where there is none at all, says how to make one.
fn found(context: &Context, given: Option<&str>) -> Result<Folder, Failure> {
    if place::folders(context)?.is_empty() {
        let next = "make one: dicast new \"what is wanted, in a sentence\"";
        return Err(Failure::usage("SPEC", "there is no spec here yet", next));
    }
    place::spec(context, given)
}

/// Writes the proposal on record, if one is that fits the document as it stands.
fn adopt(context: &Context, folder: &Folder) -> Result<Option<Done>, Failure> {
    let desk = Desk::open()?;
    let scribe = gate::scribe(context, &desk)?;
    let read = desk.ask(gate::HOLDING, "reading the proposal", scribe.proposal(folder.id.clone(), desk.token()));
    let proposal = match read {
        Ok(proposal) if proposal.fit == Fit::Outdated => return Ok(None),
        Err(failure) if failure.exit() == NEEDS_INPUT => return Ok(None),
        read => read?,
    };
    let (seen, by) = (Some(proposal.after.clone()), gate::whose(None));
    let reply = scribe.adopt(folder.id.clone(), seen, by, context.now, desk.token());
    let rewritten = desk.ask(gate::HOLDING, "writing the proposal", reply)?;
    let proposed = (proposal.fit == Fit::Fits).then(|| What::proposed(&proposal));
    Ok(Some(done(context, proposed.into_iter().chain([What::rewritten(&rewritten)]))))
}

/// Gives the document the text back that it had before.
fn restore(context: &Context, folder: &Folder) -> Result<Done, Failure> {
    let desk = Desk::open()?;
    let scribe = gate::scribe(context, &desk)?;
    let reply = scribe.restore(folder.id.clone(), gate::whose(None), context.now, desk.token());
    let rewritten = desk.ask(gate::HOLDING, "taking the proposal back", reply)?;
    Ok(done(context, [What::rewritten(&rewritten)]))
}

/// Tells events that belong to no run, and the end.
fn done(context: &Context, told: impl IntoIterator<Item = What>) -> Done {
    if !context.global.json {
        return Done::lines(told.into_iter().map(|what| lines::told(&what)).collect::<String>());
    }
    let line = |what| plain::json(&Event { at: now(), run: None, ask: None, what }, next_sequence()) + "\n";
    let told: String = told.into_iter().map(line).collect();
    Done::json(told + &out::ended(0, None, now()))
}
