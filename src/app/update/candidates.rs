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
use crate::domain::hunks::{Diff, Hunk, Picks};
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
        (Action::KeepTests, &|| can_keep_tests(model)),
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

/// Returns the hunks of the others' test files whose tests pass on a candidate, too, and which are not taken yet.
fn tests_worth_keeping<'r>(
    run: &'r Run,
    candidate: &'r Candidate,
) -> impl Iterator<Item = (&'r AgentName, &'r Hunk)> + use<'r> {
    let tried = run.tried.as_deref();
    let worth = tried.map(|tried| tried.worth(candidate)).unwrap_or_default();
    let of = move |(agent, worth): (AgentName, Worth)| {
        let found = tried.and_then(|tried| tried.of(&agent));
        let found = found.and_then(|other| Some((&other.agent, patch(run, other)?)));
        found.into_iter().flat_map(move |(agent, patch)| worth.hunks(patch).map(move |hunk| (agent, hunk)))
    };
    let is_taken =
        |agent: &AgentName, hunk: &Hunk| run.basket.as_ref().is_some_and(|basket| basket.picks.has(agent, &hunk.id));
    worth.into_iter().flat_map(of).filter(move |(agent, hunk)| !is_taken(agent, hunk))
}

fn can_keep_tests(model: &Model) -> bool {
    let chosen = selected(model).filter(|_| can_pick(model));
    chosen.is_some_and(|(run, candidate)| tests_worth_keeping(run, candidate).next().is_some())
}

/// Counts the tests of the others that pass on a candidate, too, and tells whether any can be kept.
pub fn worth_keeping(model: &Model, candidate: &Candidate) -> (usize, bool) {
    let Some((run, _)) = selected(model) else { return (0, false) };
    let worth = run.tried.as_ref().map(|tried| tried.worth(candidate)).unwrap_or_default();
    (worth.values().map(|worth| worth.passed.len()).sum(), can_keep_tests(model))
}

/// Takes the tests of the others that pass on the selected candidate, too. What changes lines that a taken one changes is
/// left: of two files of one name there is one.
pub(super) fn keep_tests(model: &mut Model) -> Vec<Effect> {
    let Some((run, candidate)) = selected(model).filter(|_| can_keep_tests(model)) else { return Vec::new() };
    let (id, mut basket, mut left, mut count) = (run.id.clone(), basket(run, candidate), Vec::new(), 0);
    // What is taken already, by file: a change may have ten thousand hunks.
    let mut taken: BTreeMap<&str, Vec<(&AgentName, &Hunk)>> = BTreeMap::new();
    for one in run.tried.iter().flat_map(|tried| &tried.candidates) {
        for hunk in patch(run, one).map(|patch| patch.diff.hunks()).unwrap_or_default() {
            if basket.picks.has(&one.agent, &hunk.id) {
                taken.entry(&hunk.file).or_default().push((&one.agent, hunk));
            }
        }
    }
    for (agent, hunk) in tests_worth_keeping(run, candidate) {
        let here = taken.entry(&hunk.file).or_default();
        match here.iter().find(|(other, met)| *other != agent && met.meets(hunk)) {
            Some((other, _)) => left.push(format!("{} of {agent} beside that of {other}", hunk.file)),
            None => {
                basket.picks.0.entry(agent.clone()).or_default().insert(hunk.id.clone());
                here.push((agent, hunk));
                count += 1;
            }
        }
    }
    let all = count + left.len();
    let kept = format!("{count} of {all} hunks of tests taken along, built and tested again before they land");
    let text = match left.first() {
        None => kept,
        Some(first) => format!("{kept} · not taken: {first}"),
    };
    if let Some(run) = model.runs.get_mut(&id).filter(|_| count > 0) {
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
