//! `dicast cancel`: asks the process that owns a live run to stop it.
//!
//! It must not stop anything itself: the owner ends its agents, keeps what they said and gives the lock back.

use std::time::Duration;

use super::super::ask::Desk;
use super::super::out::Done;
use super::{Context, READING, place};
use crate::actors::evidence;
use crate::disk::lock::Note;
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::shell::foreign;

/// How long the owner may take: its agents get a grace before they are killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often the lock is looked at while we wait.
const LOOK: Duration = Duration::from_millis(50);

/// Asks the owner of a live run to stop; exit 0 when nothing runs any more, 3 when it still does.
///
/// # Errors
/// Usage when what is named is neither a run nor a spec, or several are live and none is named.
pub(super) fn cancel(context: &Context, what: Option<&str>) -> Result<Done, Failure> {
    let desk = Desk::open()?;
    let evidence = context.evidence(&desk)?;
    let named = what.or(context.global.run.as_deref());
    let specs = match named {
        Some(named) => vec![spec_of(context, &desk, &evidence, named)?],
        None => place::folders(context)?.into_iter().map(|folder| folder.id).collect(),
    };
    let mut live = Vec::new();
    for spec in specs {
        if let Some(note) = owner(&desk, &evidence, &spec)? {
            live.push((spec, note));
        }
    }
    match live.as_slice() {
        [] => Ok(told(context, None, "nothing is running")),
        [(spec, note)] => stop(context, &desk, &evidence, spec, note),
        several => {
            let list: Vec<&str> = several.iter().map(|(spec, _)| spec.as_str()).collect();
            Err(Failure::usage("RUN|SPEC", format!("several runs are live: {}", list.join(", ")), "name one"))
        }
    }
}

fn owner(desk: &Desk, evidence: &evidence::Handle, spec: &SpecId) -> Result<Option<Note>, Failure> {
    desk.ask(READING, "reading the run's lock", evidence.owner(spec.clone(), desk.token()))
}

/// Returns the spec that a run or a name belongs to.
fn spec_of(context: &Context, desk: &Desk, evidence: &evidence::Handle, named: &str) -> Result<SpecId, Failure> {
    let Ok(run) = RunId::try_from(named.to_owned()) else {
        return Ok(place::spec(context, Some(named))?.id);
    };
    let runs = desk.ask(READING, "reading the runs", evidence.runs(None, desk.token()))?;
    let found = runs.into_iter().find(|summary| summary.run == run);
    found
        .map(|summary| summary.spec)
        .ok_or_else(|| Failure::usage("RUN", format!("there is no run {run} here"), super::evidences::LIST_HINT))
}

fn stop(
    context: &Context,
    desk: &Desk,
    evidence: &evidence::Handle,
    spec: &SpecId,
    note: &Note,
) -> Result<Done, Failure> {
    if !foreign::interrupt(spec, note)? {
        return Ok(told(context, Some(spec), "it had just ended"));
    }
    let is_over = || !foreign::lives(note) || !matches!(owner(desk, evidence, spec), Ok(Some(now)) if now == *note);
    if desk.until(PATIENCE, LOOK, is_over) {
        return Ok(told(context, Some(spec), &format!("stopped {spec}; what was answered is kept")));
    }
    let after_ms = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
    Err(Failure::Timeout { what: format!("stopping {spec} (pid {})", note.pid), after_ms })
}

fn told(context: &Context, spec: Option<&SpecId>, words: &str) -> Done {
    if context.global.json {
        return Done::value(&serde_json::json!({"schema": "dicast.cancel/1", "spec_id": spec, "said": words}));
    }
    Done::lines(format!("{words}\n"))
}
