//! Which actions work here and now: only such keys are shown, and only such keys act.
//!
//! It changes nothing.

use super::selection::{home_rows, selected_agent, selected_spec, target};
use super::{cancel, candidates, first, gate, ledger, permission, proposal, round, seats, settle, split, verdict};
use crate::app::keymap::Action;
use crate::app::model::{Model, Phase, Run, View};
use crate::domain::acp::Answer;
use crate::domain::failure::LockOwner;
use crate::domain::stage::Stage;

/// Tells whether an action works here and now: only such keys are shown.
pub fn can(model: &Model, action: Action) -> bool {
    let run = model.focused_run();
    let is_live = run.is_some_and(|run| run.phase.is_live());
    let view = model.view();
    if let Some(can) = on_page(model, view, action) {
        return can;
    }
    match action {
        Action::Plan | Action::NextStep => selected_spec(model).is_some_and(|spec| model.live_run_of(&spec).is_none()),
        Action::Trust if matches!(view, View::Servers { .. }) => model.offers().next().is_some(),
        Action::Trust => model.trust.proposal().is_some() || model.offers().next().is_some(),
        Action::Offer(nth) => model.offers().count() >= usize::from(nth),
        Action::Init => first::can_init(model),
        Action::Approve => !model.trust.is_granted(),
        Action::StopAgent => is_live && !run.is_some_and(super::is_waiting),
        Action::StopRun => run.is_some_and(|run| run.phase.is_under_way()),
        Action::Detach => cancel::can_detach(model),
        Action::AskAgain => run.is_some_and(|run| can_resume(run) || has_given_up_here(model, run)),
        Action::Fresh => run.is_some_and(|run| !run.phase.is_under_way()),
        Action::AskMissing => run.is_some_and(|run| !run.phase.is_under_way() && has_missing(run)),
        Action::Round => run.is_some_and(|run| is_stage_shown(view, run) && round::can_be_asked(model, run)),
        Action::Verdict => has_verdict(model, view),
        Action::Run => matches!(view, View::Spec { spec, .. } if model.runs.values().any(|run| &run.spec == spec)),
        Action::ShowAll | Action::Document => matches!(view, View::Verdict { .. }),
        Action::Check => settle::checkable(model).is_some(),
        Action::Choose(n) if matches!(view, View::Gate(_)) => gate::can_choose(model, n),
        Action::Answer => gate::can_write(model),
        Action::Defer => gate::can_defer(model),
        Action::Gate if matches!(view, View::Dashboard { .. }) => run.is_some_and(super::is_waiting),
        Action::Gate => selected_spec(model).is_some(),
        Action::Accept => false,
        Action::Ledger => matches!(view, View::Spec { .. } | View::Verdict { .. }),
        Action::Split => split::splittable(model).is_some(),
        Action::Reject if matches!(view, View::Permissions { .. }) => permission::takes(model, Answer::Reject),
        Action::Choose(_) | Action::Reject | Action::Waive | Action::Reason => {
            matches!(view, View::Conflict(_)) && run.is_some_and(|run| settle::is_decidable(model, run))
        }
        Action::Undo if matches!(view, View::Gate(_)) => gate::can_undo(model),
        Action::Candidates => {
            matches!(view, View::Verdict { stage: Stage::Implement, .. }) && run.is_some_and(|run| run.tried.is_some())
        }
        Action::Proposal => matches!(view, View::Verdict { stage: Stage::Specify, .. }) && proposal::is_there(model),
        Action::IntoTree | Action::NextHunk | Action::PreviousHunk => false,
        Action::Pick | Action::Restore | Action::KeepTests | Action::Beside => false,
        Action::Undo => run.is_some_and(|run| !run.decisions.is_empty() && settle::is_decidable(model, run)),
        Action::NextConflict | Action::PreviousConflict => run.is_some_and(|run| verdict::open_claims(run).len() > 1),
        Action::Open => opens(model, view),
        Action::NextPane | Action::PreviousPane | Action::Pane(_) => matches!(view, View::Dashboard { .. }),
        Action::Back => model.views.len() > 1 || is_live,
        Action::NextMatch => matches!(view, View::Transcript(t) if t.search.is_some()),
        Action::Restart => !model.servers.is_empty(),
        Action::Servers => !matches!(view, View::Servers { .. }),
        Action::Permissions => !model.permissions.is_empty() && !matches!(view, View::Permissions { .. }),
        Action::AllowOnce => permission::takes(model, Answer::Once),
        Action::AllowAlways => permission::takes(model, Answer::Always),
        Action::Help => !matches!(view, View::Help { .. }),
        Action::Editor => target(model).is_some(),
        Action::Up
        | Action::Down
        | Action::PageUp
        | Action::PageDown
        | Action::Top
        | Action::Bottom
        | Action::Quit
        | Action::Command
        | Action::Palette
        | Action::Copy
        | Action::Follow
        | Action::Search
        | Action::Survey
        | Action::New
        | Action::Suspend
        | Action::Dump => true,
    }
}

/// What a page with actions of its own says of one.
fn on_page(model: &Model, view: &View, action: Action) -> Option<bool> {
    if let View::Ledger(page) = view {
        ledger::can(model, page, action)
    } else if let View::Candidates { .. } = view {
        candidates::can(model, action)
    } else if let View::Proposal(page) = view {
        proposal::can(page, action)
    } else {
        None
    }
}

/// Tells whether there is a verdict to show.
fn has_verdict(model: &Model, view: &View) -> bool {
    if let View::Spec { spec, .. } = view {
        return model.runs.values().any(|run| &run.spec == spec && !run.verdicts.is_empty());
    }
    model.focused_run().is_some_and(|run| run.judgement.is_some())
}

/// Tells whether the verdict of the run's stage at hand is on screen.
fn is_stage_shown(view: &View, run: &Run) -> bool {
    matches!(view, View::Verdict { stage, .. } if run.stage == *stage)
}

/// Tells whether there is something to open, start or decide in a view.
fn opens(model: &Model, view: &View) -> bool {
    let run = model.focused_run();
    match view {
        View::Home { .. } => !home_rows(model).is_empty(),
        View::Dashboard { pane: 2, .. } => run.is_some_and(|run| run.judgement.is_some()),
        View::Dashboard { cursor, .. } => run.is_some_and(|run| *cursor < run.seats.len()),
        View::Verdict { stage, .. } => run.is_some_and(|run| {
            run.stage == *stage && settle::is_decidable(model, run) && !verdict::open_claims(run).is_empty()
        }),
        View::Candidates { .. } => candidates::can_take(model),
        View::Conflict(conflict) => conflict.side.is_some() && run.is_some_and(|run| settle::is_decidable(model, run)),
        View::Gate(_) => gate::can_apply(model),
        View::Merged(texts) => {
            run.is_some_and(|run| settle::is_decidable(model, run) && split::selected(run, texts).is_some())
        }
        View::Spec { .. }
        | View::Proposal(_)
        | View::Transcript(_)
        | View::Ledger(_)
        | View::Servers { .. }
        | View::Permissions { .. }
        | View::Trust { .. }
        | View::Help { .. } => true,
    }
}

/// Tells whether the selected agent of a live run can be asked again, or the key says when it can.
fn has_given_up_here(model: &Model, run: &Run) -> bool {
    let seat = selected_agent(model).and_then(|(id, agent)| run.seat(&agent).filter(|_| id == run.id));
    run.phase.is_live() && run.stop.is_none() && seat.is_some_and(seats::is_given_up)
}

fn can_resume(run: &Run) -> bool {
    match run.phase {
        Phase::Stopped => true,
        Phase::Decided => has_missing(run),
        Phase::Failed(_) => true,
        Phase::Opening
        | Phase::Holding(_)
        | Phase::Waiting { .. }
        | Phase::Guarding(_)
        | Phase::Preparing
        | Phase::Asking
        | Phase::Judging
        | Phase::Recording
        | Phase::Publishing
        | Phase::Testing { .. }
        | Phase::Foreign(_)
        | Phase::Stopping => false,
    }
}

/// Returns who owns the run on screen, where an action would change it and only its owner may.
pub(super) fn owner(model: &Model, action: Action) -> Option<&LockOwner> {
    let changes = matches!(
        action,
        Action::StopAgent
            | Action::Detach
            | Action::AskAgain
            | Action::Fresh
            | Action::AskMissing
            | Action::Round
            | Action::Check
            | Action::Choose(_)
            | Action::Reject
            | Action::Waive
            | Action::Accept
            | Action::Split
            | Action::IntoTree
            | Action::Pick
            | Action::Restore
            | Action::KeepTests
            | Action::Undo
    );
    model.focused_run().filter(|_| changes)?.phase.owner()
}

fn has_missing(run: &Run) -> bool {
    run.seats.iter().any(|seat| seat.answer.is_none())
}
