//! The screen of the candidates: which one is selected, what it changes, and what is done with it.
//!
//! How one lands is in `land`.

use std::sync::Arc;

use super::{land, settle};
use crate::app::effect::Effect;
use crate::app::keymap::Action;
use crate::app::model::{Model, Run, View};
use crate::app::msg::Reopened;
use crate::domain::candidate::{Candidate, Patch, Place, Take, Which};
use crate::domain::ids::RunId;

/// Returns the lines of a patch at which something begins: a file, or a hunk of one.
pub fn hunks(patch: &Patch) -> Vec<usize> {
    let begins = |line: &str| line.starts_with("diff --git ") || line.starts_with("@@ ");
    let all: Vec<usize> = patch.diff.lines().enumerate().filter(|(_, line)| begins(line)).map(|(at, _)| at).collect();
    // The first hunk of a file begins with the file's name.
    let lines: Vec<&str> = patch.diff.lines().collect();
    let is_first =
        |at: usize| all.iter().rev().find(|other| **other < at).is_some_and(|o| lines[*o].starts_with("diff"));
    all.iter().copied().filter(|at| !(lines[*at].starts_with("@@") && is_first(*at))).collect()
}

/// Returns what a candidate changes, as far as it is known here.
pub fn patch<'r>(run: &'r Run, candidate: &Candidate) -> Option<&'r Arc<Patch>> {
    run.seat(&candidate.agent)?.change.as_ref().filter(|patch| patch.tree == candidate.tree)
}

/// Returns how many candidates a run has.
pub(super) fn count(model: &Model, run: &RunId) -> usize {
    model.runs.get(run).and_then(|run| run.tried.as_ref()).map_or(0, |tried| tried.candidates.len())
}

/// Opens the screen over the run that has just been decided, if that is what is looked at.
pub(super) fn open(model: &mut Model, id: &RunId) {
    if matches!(model.view(), View::Dashboard { run, .. } if run == id) {
        model.views.push(View::Candidates { run: id.clone(), cursor: 0, hunk: 0 });
    }
}

/// Opens the screen from the verdict.
pub(super) fn show(model: &mut Model) -> Vec<Effect> {
    if let Some(run) = model.focused_run().filter(|run| run.tried.is_some()).map(|run| run.id.clone()) {
        model.views.push(View::Candidates { run, cursor: 0, hunk: 0 });
    }
    Vec::new()
}

fn selected(model: &Model) -> Option<(&Run, &Candidate)> {
    let View::Candidates { run, cursor, .. } = model.view() else { return None };
    let run = model.runs.get(run)?;
    Some((run, run.tried.as_ref()?.candidates.get(*cursor)?))
}

/// Tells whether the selected candidate can be taken: it is not out, the verdict lets it, and nothing landed yet.
pub(super) fn can_take(model: &Model) -> bool {
    selected(model).is_some_and(|(run, candidate)| {
        let is_good = run.judgement.as_ref().is_some_and(|judgement| judgement.verdict.is_advancing());
        candidate.out.is_none() && is_good && !run.landed && settle::is_decidable(model, run)
    })
}

/// Tells whether an action works on the candidates' screen; `None` for one that it knows nothing of.
pub(super) fn can(model: &Model, action: Action) -> Option<bool> {
    match [Action::Undo, Action::IntoTree, Action::NextHunk, Action::PreviousHunk]
        .iter()
        .position(|of| *of == action)?
    {
        0 => Some(model.focused_run().is_some_and(|run| can_undo(model, run))),
        1 => Some(can_take(model)),
        _ => Some(true),
    }
}

/// Tells whether a candidate landed that can be taken back.
pub(super) fn can_undo(model: &Model, run: &Run) -> bool {
    run.landed && settle::is_decidable(model, run)
}

/// Takes the selected candidate.
pub(super) fn take(model: &mut Model, place: Place) -> Vec<Effect> {
    let Some((run, candidate)) = selected(model).filter(|_| can_take(model)) else { return Vec::new() };
    let (id, which) = (run.id.clone(), Which::Of(candidate.agent.clone()));
    land::reopen(model, &id, Reopened::Take(Take { which, place }))
}

/// Takes back what landed.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    let id = model.focused_run().filter(|run| can_undo(model, run)).map(|run| run.id.clone());
    id.map_or_else(Vec::new, |id| land::reopen(model, &id, Reopened::Undo))
}

/// Goes to the next hunk of the selected candidate, or the one before.
pub(super) fn turn(model: &mut Model, forward: bool) -> Vec<Effect> {
    let last = selected(model).and_then(|(run, candidate)| Some(hunks(patch(run, candidate)?).len().saturating_sub(1)));
    if let (Some(last), Some(View::Candidates { hunk, .. })) = (last, model.views.last_mut()) {
        *hunk = if forward { (*hunk + 1).min(last) } else { hunk.saturating_sub(1) };
    }
    Vec::new()
}
