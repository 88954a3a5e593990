//! `dicast replay`: tells a run again from its evidence, at the pace at which it happened.
//!
//! It must not start, ask, send or write anything.

use std::time::Duration;

use super::super::ask::{Desk, signalled};
use super::super::lines::{Lines, Style};
use super::super::out::{Done, say};
use super::evidences::LIST_HINT;
use super::{Context, READING, place};
use crate::app::follow::{End, Follower};
use crate::domain::failure::Failure;
use crate::domain::ids::RunId;
use crate::domain::journal::{FileRef, Record};
use crate::domain::moment::Moment;

/// How often a pause is looked up from: a signal ends it.
const LOOK: Duration = Duration::from_millis(20);

/// The exit code of a run that was not closed.
const OPEN: u8 = 3;

/// Tells a run again; exits as it did. At `speed` 1 it takes as long as it took, at 2 half of it, at 0 no time.
///
/// # Errors
/// Usage for what is no run here; exit 3 when its evidence cannot be read.
pub(super) fn replay(context: &Context, run: &str, speed: u32) -> Result<Done, Failure> {
    let run = RunId::try_from(run.to_owned()).map_err(|bad| Failure::usage("RUN", bad.to_string(), LIST_HINT))?;
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let runs = desk.ask(READING, "reading the runs", evidence.runs(None, desk.token()))?;
    let found = runs.into_iter().find(|summary| summary.run == run);
    let spec = found.ok_or_else(|| Failure::usage("RUN", format!("there is no run {run} here"), LIST_HINT))?.spec;
    let reply = evidence.records(spec.clone(), run.clone(), desk.token());
    let records = desk.ask(READING, "reading the journal", reply)?;
    // The spec itself may be gone since.
    let folder =
        place::spec(context, Some(spec.as_str())).map_or_else(|_| format!("specs/{spec}"), |folder| folder.own);
    let mut follower = Follower::new(spec.clone(), folder, run.clone());
    let style = if context.global.json { Style::Json } else { Style::Plain };
    let mut lines = Lines::replaying(style);
    let first = records.first().map(|(at, _)| *at).unwrap_or_default();
    say(&format!("REPLAY of {run}, recorded {}: nothing is asked, started or written\n", first.rfc3339()));
    let mut before = first;
    for (at, record) in records.iter() {
        pause(&desk, gap(before, *at, record), speed)?;
        before = *at;
        let read = |file: &FileRef| {
            let reply = evidence.read(spec.clone(), run.clone(), file.clone(), desk.token());
            // What cannot be read is told without: `evidence verify` says why.
            desk.ask(READING, "reading the evidence", reply).ok()
        };
        if let Some(event) = follower.take(*at, record, read) {
            lines.tell(&event);
        }
    }
    let failure = match follower.end() {
        End::Closed(_) => None,
        End::Stopped { by } => Some((format!("it was stopped by {by}"), go_on(&follower, spec.as_str()))),
        End::Open => Some(("it was not closed".to_owned(), go_on(&follower, spec.as_str()))),
    };
    let exit = follower.exit().unwrap_or(OPEN);
    let root = context.loaded()?.settings.evidence.root;
    lines.tell(&follower.finish(before, format!("{root}/consensus/{spec}/{run}"), exit, failure));
    Ok(Done::exit(exit))
}

fn go_on(follower: &Follower, spec: &str) -> String {
    let stage = follower.stage().map_or("plan", |stage| stage.name());
    format!("what was answered is kept: go on with `dicast {stage} {spec}`")
}

/// How long after the one before something happened, in milliseconds. Between a stop and what came after it, and while
/// a human thought, nobody worked: that takes no time.
fn gap(before: Moment, at: Moment, record: &Record) -> u64 {
    let is_after_a_rest =
        matches!(record, Record::RunResumed { .. } | Record::RunReopened { .. } | Record::HumanDecided { .. });
    if is_after_a_rest { 0 } else { at.since(before) }
}

fn pause(desk: &Desk, ms: u64, speed: u32) -> Result<(), Failure> {
    let limit = Duration::from_millis(ms.checked_div(u64::from(speed)).unwrap_or(0));
    if !limit.is_zero() {
        desk.until(limit, LOOK.min(limit), || signalled().is_some());
    }
    if signalled().is_some() { Err(Failure::Cancelled) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_its_time_and_rests_take_none() {
        let stopped = Record::RunStopped { by: "key".into(), survivors: 0 };
        let resumed = Record::RunResumed { version: "0".into(), pid: 1 };
        assert_eq!(gap(Moment(1_000), Moment(1_700), &stopped), 700);
        assert_eq!(gap(Moment(1_700), Moment(90_000_000), &resumed), 0);
    }
}
