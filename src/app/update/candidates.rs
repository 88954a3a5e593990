//! The screen of the candidates: which one is selected, what it changes, and what is done with it.
//!
//! How one lands is in `land`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{land, notice, settle};
use crate::app::effect::Effect;
use crate::app::keymap::Action;
use crate::app::model::{Basket, Model, Run, View};
use crate::app::msg::Reopened;
use crate::domain::candidate::{Candidate, Patch, Place, Portion, Take, Which, Worth};
use crate::domain::hunks::{Diff, HunkId, Picks};
use crate::domain::ids::{AgentName, RunId};

/// From so many columns on there is room for old and new side by side.
pub const BESIDE: u16 = 110;

/// Returns what a candidate changes, as far as it is known here.
pub fn patch<'r>(run: &'r Run, candidate: &Candidate) -> Option<&'r Arc<Patch>> {
    run.seat(&candidate.agent)?.change.as_ref().filter(|patch| patch.tree == candidate.whole())
}

/// Returns how many candidates a run has.
pub(super) fn count(model: &Model, run: &RunId) -> usize {
    model.runs.get(run).and_then(|run| run.tried.as_ref()).map_or(0, |tried| tried.candidates.len())
}

/// Opens the screen over the run that has just been decided, if that is what is looked at.
pub(super) fn open(model: &mut Model, id: &RunId) {
    if matches!(model.view(), View::Dashboard { run, .. } if run == id) {
        model.views.push(View::Candidates { run: id.clone(), cursor: 0, hunk: 0, beside: true });
    }
}

/// Opens the screen from the verdict.
pub(super) fn show(model: &mut Model) -> Vec<Effect> {
    if let Some(run) = model.focused_run().filter(|run| run.tried.is_some()).map(|run| run.id.clone()) {
        model.views.push(View::Candidates { run, cursor: 0, hunk: 0, beside: true });
    }
    Vec::new()
}

fn selected(model: &Model) -> Option<(&Run, &Candidate)> {
    let View::Candidates { run, cursor, .. } = model.view() else { return None };
    let run = model.runs.get(run)?;
    Some((run, run.tried.as_ref()?.candidates.get(*cursor)?))
}

/// Returns the hunks that would be taken with a candidate selected: those that were picked, else its own that a task
/// asked for.
fn basket(run: &Run, candidate: &Candidate) -> Basket {
    run.basket.clone().unwrap_or_else(|| untouched(run, candidate))
}

fn untouched(run: &Run, candidate: &Candidate) -> Basket {
    let asked = patch(run, candidate).map(|patch| candidate.asked(patch)).unwrap_or_default();
    Basket { main: candidate.agent.clone(), picks: Picks([(candidate.agent.clone(), asked)].into()) }
}

/// Tells whether something can be taken: nothing landed yet, the verdict lets it, and who it is of is not out.
pub(super) fn can_take(model: &Model) -> bool {
    selected(model).is_some_and(|(run, candidate)| {
        let main = run.basket.as_ref().and_then(|basket| run.tried.as_ref()?.of(&basket.main));
        main.unwrap_or(candidate).out.is_none() && is_open(model, run)
    })
}

fn is_open(model: &Model, run: &Run) -> bool {
    let is_good = run.judgement.as_ref().is_some_and(|judgement| judgement.verdict.is_advancing());
    is_good && !run.landed && settle::is_decidable(model, run)
}

fn can_pick(model: &Model) -> bool {
    selected(model).is_some_and(|(run, candidate)| {
        candidate.out.is_none() && patch(run, candidate).is_some() && is_open(model, run)
    })
}

/// Tells whether an action works on the candidates' screen; `None` for one that it knows nothing of.
pub(super) fn can(model: &Model, action: Action) -> Option<bool> {
    let has_basket = || selected(model).is_some_and(|(run, _)| run.basket.is_some() && is_open(model, run));
    let table: [(Action, &dyn Fn() -> bool); 8] = [
        (Action::Undo, &|| model.focused_run().is_some_and(|run| can_undo(model, run))),
        (Action::IntoTree, &|| can_take(model)),
        (Action::Pick, &|| can_pick(model)),
        (Action::Restore, &has_basket),
        (Action::KeepTests, &|| !tests_worth_keeping(model).is_empty()),
        (Action::Beside, &|| model.size.0 >= BESIDE),
        (Action::NextHunk, &|| true),
        (Action::PreviousHunk, &|| true),
    ];
    table.iter().find(|(of, _)| *of == action).map(|(_, can)| can())
}

/// Tells whether a candidate landed that can be taken back.
pub(super) fn can_undo(model: &Model, run: &Run) -> bool {
    run.landed && settle::is_decidable(model, run)
}

/// Takes the selected candidate, or what was picked.
pub(super) fn take(model: &mut Model, place: Place) -> Vec<Effect> {
    let Some((run, candidate)) = selected(model).filter(|_| can_take(model)) else { return Vec::new() };
    let (id, of) = (run.id.clone(), |agent: &AgentName| Which::Of(agent.clone()));
    let take = match &run.basket {
        Some(basket) => Take { which: of(&basket.main), place, portion: Portion::Picked(basket.picks.clone()) },
        None => Take { which: of(&candidate.agent), place, portion: Portion::Asked },
    };
    land::reopen(model, &id, Reopened::Take(take))
}

/// Takes the hunk at the top, or leaves it.
pub(super) fn pick(model: &mut Model) -> Vec<Effect> {
    let View::Candidates { hunk: at, .. } = *model.view() else { return Vec::new() };
    let Some((run, candidate)) = selected(model).filter(|_| can_pick(model)) else { return Vec::new() };
    let Some(tried) = run.tried.as_ref() else { return Vec::new() };
    let of = |one| patch(run, one).map(|patch| (&one.agent, &patch.diff));
    let diffs: BTreeMap<&AgentName, &Diff> = tried.candidates.iter().filter_map(of).collect();
    let Some(hunk) = diffs.get(&candidate.agent).and_then(|diff| diff.hunks().get(at)) else { return Vec::new() };
    let mut basket = basket(run, candidate);
    let toggled = basket.picks.toggle(&candidate.agent, &hunk.id, &diffs);
    let refused =
        toggled.err().map(|(agent, met)| format!("{} of {agent} changes the same lines, and is taken", met.place()));
    let is_untouched = tried.of(&basket.main).is_some_and(|main| basket == untouched(run, main));
    let id = run.id.clone();
    match (refused, model.runs.get_mut(&id)) {
        (Some(why), _) => notice(model, format!("{why}: leave that one first")),
        (None, Some(run)) => run.basket = (!is_untouched).then_some(basket),
        (None, None) => {}
    }
    Vec::new()
}

/// Returns the hunks of the others' test files whose tests pass on the selected candidate, too, and which are not taken yet.
fn tests_worth_keeping(model: &Model) -> Vec<(AgentName, HunkId)> {
    let Some((run, candidate)) = selected(model).filter(|_| can_pick(model)) else { return Vec::new() };
    let Some(tried) = run.tried.as_ref() else { return Vec::new() };
    let of = |(agent, worth): (AgentName, Worth)| {
        let hunks = tried.of(&agent).and_then(|other| patch(run, other)).map(|patch| worth.hunks(patch));
        hunks.unwrap_or_default().into_iter().map(move |id| (agent.clone(), id))
    };
    let is_taken = |(agent, id): &(AgentName, HunkId)| run.basket.as_ref().is_some_and(|b| b.picks.has(agent, id));
    tried.worth(candidate).into_iter().flat_map(of).filter(|one| !is_taken(one)).collect()
}

/// Counts the tests of the others that pass on a candidate, too, and tells whether any can be kept.
pub fn worth_keeping(model: &Model, candidate: &Candidate) -> (usize, bool) {
    let Some((run, _)) = selected(model) else { return (0, false) };
    let worth = run.tried.as_ref().map(|tried| tried.worth(candidate)).unwrap_or_default();
    (worth.values().map(|worth| worth.passed.len()).sum(), !tests_worth_keeping(model).is_empty())
}

/// Takes the tests of the others that pass on the selected candidate, too. What changes lines that a taken one changes is
/// left: of two files of one name there is one.
pub(super) fn keep_tests(model: &mut Model) -> Vec<Effect> {
    let wanted = tests_worth_keeping(model);
    let Some((run, candidate)) = selected(model) else { return Vec::new() };
    let Some(tried) = run.tried.as_ref().filter(|_| !wanted.is_empty()) else { return Vec::new() };
    let of = |one| patch(run, one).map(|patch| (&one.agent, &patch.diff));
    let diffs: BTreeMap<&AgentName, &Diff> = tried.candidates.iter().filter_map(of).collect();
    let (id, mut basket, mut left) = (run.id.clone(), basket(run, candidate), Vec::new());
    for (agent, hunk) in &wanted {
        if let Err((other, met)) = basket.picks.toggle(agent, hunk, &diffs) {
            left.push(format!("{} of {agent} beside that of {other}", met.file));
        }
    }
    let taken = wanted.len() - left.len();
    let kept =
        format!("{taken} of {} hunks of tests taken along, built and tested again before they land", wanted.len());
    let text = match left.first() {
        None => kept,
        Some(first) => format!("{kept} · not taken: {first}"),
    };
    if let Some(run) = model.runs.get_mut(&id).filter(|_| taken > 0) {
        run.basket = Some(basket);
    }
    notice(model, text);
    Vec::new()
}

/// Takes what was tried after all.
pub(super) fn as_tried(model: &mut Model) -> Vec<Effect> {
    let id = selected(model).map(|(run, _)| run.id.clone());
    if let Some(run) = id.and_then(|id| model.runs.get_mut(&id)) {
        run.basket = None;
    }
    Vec::new()
}

/// Shows old and new side by side, or one below the other.
pub(super) fn beside(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Candidates { beside, .. }) = model.views.last_mut() {
        *beside = !*beside;
    }
    Vec::new()
}

/// Takes back what landed.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    let id = model.focused_run().filter(|run| can_undo(model, run)).map(|run| run.id.clone());
    id.map_or_else(Vec::new, |id| land::reopen(model, &id, Reopened::Undo))
}

/// Goes to the next hunk of the selected candidate, or the one before.
pub(super) fn turn(model: &mut Model, forward: bool) -> Vec<Effect> {
    let last =
        selected(model).and_then(|(run, candidate)| Some(patch(run, candidate)?.diff.hunks().len().saturating_sub(1)));
    if let (Some(last), Some(View::Candidates { hunk, .. })) = (last, model.views.last_mut()) {
        *hunk = if forward { (*hunk + 1).min(last) } else { hunk.saturating_sub(1) };
    }
    Vec::new()
}
