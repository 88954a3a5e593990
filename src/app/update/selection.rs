//! What the selection of a view is on: the rows that can be selected, the spec and the place that they name.
//!
//! It must not know what is done with them.

use super::{ask, candidates, gate, ledger, proposal, settle, split, verdict};
use crate::app::keymap;
use crate::app::model::{Conflict, LedgerPage, Model, View};
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::settings::Trust;
use crate::domain::stage::Stage;

/// What a row of the first screen offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HomeRow {
    /// A spec that was found.
    Spec(SpecId),
    /// The next step of a spec.
    Step(Stage, SpecId),
}

/// Returns the rows of the first screen that can be selected, in order.
pub fn home_rows(model: &Model) -> Vec<HomeRow> {
    let Some(survey) = super::surveyed(model) else { return Vec::new() };
    let specs = survey.specs.iter().map(|found| HomeRow::Spec(found.spec.id.clone()));
    let steps = survey.specs.iter().filter_map(|found| {
        let stage = ask::next_stage(model, &found.spec.id)?;
        Some(HomeRow::Step(stage, found.spec.id.clone()))
    });
    specs.chain(steps).collect()
}

/// Selects the first spec that wants a plan: the demonstration begins there.
pub(super) fn select_plan(model: &mut Model) {
    let at = home_rows(model).iter().position(|row| matches!(row, HomeRow::Step(Stage::Plan, _)));
    if let (Some(at), Some(View::Home { cursor })) = (at, model.views.last_mut()) {
        *cursor = at;
    }
}

/// The spec that the selection is on.
pub(super) fn selected_spec(model: &Model) -> Option<SpecId> {
    match model.view() {
        View::Home { cursor } => match home_rows(model).into_iter().nth(*cursor)? {
            HomeRow::Spec(spec) | HomeRow::Step(_, spec) => Some(spec),
        },
        View::Spec { spec, .. } | View::Ledger(LedgerPage { spec, .. }) => Some(spec.clone()),
        View::Dashboard { .. }
        | View::Transcript(_)
        | View::Verdict { .. }
        | View::Candidates { .. }
        | View::Conflict(_)
        | View::Merged(_)
        | View::Servers { .. }
        | View::Permissions { .. }
        | View::Trust { .. }
        | View::Help { .. } => model.focused_run().map(|run| run.spec.clone()),
        View::Gate(dialog) => Some(dialog.spec.clone()),
        View::Proposal(page) => Some(page.spec.clone()),
    }
}

/// The last row that can be selected, or the last line to scroll to.
pub(super) fn last_row(model: &Model) -> usize {
    let rows = match model.view() {
        View::Home { .. } => home_rows(model).len(),
        View::Spec { spec, .. } => super::surveyed(model)
            .and_then(|s| s.specs.iter().find(|f| &f.spec.id == spec))
            .map_or(0, |f| f.findings.len()),
        View::Dashboard { run, pane, .. } => model.runs.get(run).map_or(0, |run| match pane {
            2 => run.judgement.as_ref().map_or(0, |j| j.verdict.claims.len()),
            _ => run.seats.len(),
        }),
        View::Verdict { run, stage, all, .. } => {
            model.runs.get(run).map_or(0, |run| verdict::rows(run, *stage, *all).len())
        }
        View::Candidates { run, .. } => candidates::count(model, run),
        View::Conflict(conflict) => conflict_citations(model, conflict),
        View::Gate(dialog) => gate::open_issues(model, dialog).len(),
        View::Proposal(page) => proposal::count(page),
        View::Merged(texts) => {
            let judgement = model.runs.get(&texts.run).and_then(|run| run.judgement.as_ref());
            judgement.map_or(0, |judgement| split::merged_keys(judgement, &texts.claim).len())
        }
        View::Ledger(page) => ledger::count(page),
        View::Servers { .. } => model.servers.len(),
        View::Permissions { .. } => model.permissions.len(),
        View::Transcript(t) => t.page.ready().map_or(0, |page| {
            usize::try_from(page.total.saturating_sub(page.rows.len() as u64)).unwrap_or(usize::MAX).saturating_add(1)
        }),
        View::Trust { .. } => {
            let wanted = match &model.trust {
                Trust::Unneeded => 0,
                Trust::Approved(proposal) | Trust::Unapproved(proposal) => proposal.items.len(),
                Trust::Changed { proposal, diff } => proposal.items.len() + diff.len(),
            };
            wanted + model.offers().count()
        }
        View::Help { .. } => keymap::TABLE.len(),
    };
    rows.saturating_sub(1)
}

fn conflict_citations(model: &Model, conflict: &Conflict) -> usize {
    model.runs.get(&conflict.run).map_or(0, |run| settle::citations(run, &conflict.claim).len())
}

/// The place that the selection names.
pub(super) fn target(model: &Model) -> Option<(String, Option<u32>)> {
    match model.view() {
        View::Spec { spec, cursor } => {
            let found = super::surveyed(model)?.specs.iter().find(|found| &found.spec.id == spec)?;
            let finding = found.findings.get(*cursor)?;
            Some((finding.place.file.clone(), Some(finding.place.line)))
        }
        View::Conflict(conflict) => {
            let run = model.runs.get(&conflict.run)?;
            settle::place(run, &conflict.claim, conflict.citation)
        }
        View::Verdict { run, stage, cursor, all } => {
            let run = model.runs.get(run)?;
            let key = verdict::rows(run, *stage, *all).into_iter().nth(*cursor)?;
            settle::place(run, &key, 0).or_else(|| Some((verdict::document(run, *stage)?, None)))
        }
        View::Gate(_) => gate::place(model),
        View::Proposal(page) => Some((page.proposal.ready()?.path.clone(), None)),
        View::Home { .. }
        | View::Dashboard { .. }
        | View::Candidates { .. }
        | View::Transcript(_)
        | View::Merged(_)
        | View::Ledger(_)
        | View::Servers { .. }
        | View::Permissions { .. }
        | View::Trust { .. }
        | View::Help { .. } => None,
    }
}

/// The agent that the selection is on.
pub(super) fn selected_agent(model: &Model) -> Option<(RunId, AgentName)> {
    match model.view() {
        View::Dashboard { run, cursor, .. } => {
            let seat = model.runs.get(run)?.seats.get(*cursor)?;
            Some((run.clone(), seat.who.agent.clone()))
        }
        View::Transcript(transcript) => Some((transcript.seat.run.clone(), transcript.seat.agent.clone())),
        View::Home { .. }
        | View::Spec { .. }
        | View::Verdict { .. }
        | View::Candidates { .. }
        | View::Conflict(_)
        | View::Proposal(_)
        | View::Gate(_)
        | View::Merged(_)
        | View::Ledger(_)
        | View::Servers { .. }
        | View::Permissions { .. }
        | View::Trust { .. }
        | View::Help { .. } => None,
    }
}
