//! What is proposed for a spec's document: told when a run has it, looked at on a page of its own, written and taken
//! back on a person's word.
//!
//! It must not know how a document is written.

use std::sync::Arc;

use super::{complain, ending, gate, notice, run as runs, selection, verdict};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::What;
use crate::app::keymap::Action;
use crate::app::model::{Load, Model, Phase, ProposalPage, Run, View};
use crate::domain::compare::Change;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::proposal::{Deed, Fit, Proposal, Rewritten};
use crate::domain::stage::Stage;

/// What a run proposes.
struct Proposed {
    path: String,
    sha: Sha,
    change: Change,
}

/// Returns the text that the run's verdict proposes, with its path, and the one that it is held against.
fn texts(run: &Run) -> Option<(String, &str, &str)> {
    let judgement = run.judgement.as_ref().filter(|_| run.stage == Stage::Specify)?;
    let preparation = run.preparation.as_ref()?;
    let path = preparation.spec.proposal_path();
    let (_, text) = judgement.documents.iter().find(|(of, _)| *of == path)?;
    Some((path, text, preparation.text.as_deref()?))
}

/// Returns what the run's verdict proposes for the spec's document, if it is about that. It compares two documents: once
/// a run, never for a frame.
fn proposed(run: &Run) -> Option<Proposed> {
    let (path, text, before) = texts(run)?;
    Some(Proposed { sha: Sha::of(text.as_bytes()), path, change: Change::between(before, text) })
}

/// Tells what the run proposes: it is on disk.
pub(super) fn tell(model: &Model, id: &RunId) -> Option<Effect> {
    let run = model.runs.get(id)?;
    let Proposed { path, change, .. } = proposed(run)?;
    let file = run.preparation.as_ref()?.spec.file.clone();
    let what = What::SpecProposed {
        notes: verdict::document(run, Stage::Specify),
        diff: change.unified(&file),
        added: change.added,
        removed: change.removed,
        path,
        file,
    };
    Some(runs::emit(model, Some(id), what))
}

/// Does what is left to do with a proposal before its run ends: a person who said so before it was there has it written,
/// and a program is told that a person has to say so.
pub(super) fn settle(model: &mut Model, id: &RunId) -> Option<Vec<Effect>> {
    let by = model.boot.user.clone();
    let run = model.runs.get_mut(id)?;
    let is_good = run.judgement.as_ref().is_some_and(|judgement| judgement.verdict.is_advancing());
    let proposed = proposed(run).filter(|proposed| is_good && !proposed.change.is_empty())?;
    let is_done = run.rewritten.is_some() || run.stop.is_some();
    if is_done || !(run.options.adopt || model.boot.headless) {
        return None;
    }
    let spec = run.spec.clone();
    if run.options.adopt {
        run.phase = Phase::Publishing;
        return Some(vec![Effect::Run(id.clone(), RunEffect::Adopt { spec, seen: proposed.sha, by })]);
    }
    let failure = Failure::needs_input(
        proposed.path,
        "it is what the panel would write, and nobody said that it is to be written",
        format!("read it, then write it: `dicast specify {spec} --apply`"),
    );
    Some(ending::fail(model, id, failure))
}

/// What the run proposed is written, or could not be.
pub(super) fn adopted(model: &mut Model, id: &RunId, outcome: Result<Arc<Rewritten>, Failure>) -> Vec<Effect> {
    let is_wanted = |run: &&mut Run| run.phase == Phase::Publishing && run.stage == Stage::Specify;
    let Some(run) = model.runs.get_mut(id).filter(is_wanted) else { return Vec::new() };
    match outcome {
        Ok(rewritten) => {
            let told = What::rewritten(&rewritten);
            run.rewritten = Some(rewritten);
            let mut effects = vec![runs::emit(model, Some(id), told), Effect::Survey];
            effects.extend(verdict::go_on(model, id));
            effects
        }
        Err(failure) => ending::fail(model, id, failure),
    }
}

/// Opens the page of what is proposed for a spec, and has it read.
pub(super) fn open(model: &mut Model, spec: SpecId) -> Vec<Effect> {
    model.views.retain(|view| !matches!(view, View::Proposal(_)));
    let page = ProposalPage {
        spec: spec.clone(),
        proposal: Load::Loading(model.now),
        scroll: 0,
        busy: false,
        rewritten: None,
    };
    model.views.push(View::Proposal(page));
    vec![Effect::ReadProposal(spec)]
}

/// Opens the page of the selected spec.
pub(super) fn open_selected(model: &mut Model) -> Vec<Effect> {
    selection::selected_spec(model).map_or_else(Vec::new, |spec| open(model, spec))
}

/// Tells whether the run whose verdict is shown proposes a text.
pub(super) fn is_there(model: &Model) -> bool {
    model.focused_run().and_then(texts).is_some()
}

/// Tells whether a spec has a proposal that waits for a person.
pub(super) fn waits(model: &Model, spec: &SpecId) -> bool {
    super::surveyed(model).and_then(|survey| survey.spec(spec)).is_some_and(|found| found.is_proposed)
}

fn page(model: &Model) -> Option<&ProposalPage> {
    if let View::Proposal(page) = model.view() { Some(page) } else { None }
}

fn page_of<'m>(model: &'m mut Model, spec: &SpecId) -> Option<&'m mut ProposalPage> {
    let pages =
        model.views.iter_mut().filter_map(|view| if let View::Proposal(page) = view { Some(page) } else { None });
    pages.into_iter().find(|page| page.spec == *spec)
}

/// Returns how many rows the change on a page has.
pub(super) fn count(page: &ProposalPage) -> usize {
    page.proposal.ready().map_or(0, |proposal| proposal.change.rows.len())
}

/// Tells whether an action works on the page; `None` for one that it knows nothing of.
pub(super) fn can(page: &ProposalPage, action: Action) -> Option<bool> {
    let proposal = page.proposal.ready().filter(|_| !page.busy);
    let fits = |wanted: Fit| proposal.is_some_and(|proposal| proposal.fit == wanted);
    let table: [(Action, &dyn Fn() -> bool); 4] = [
        (Action::Open, &|| !is_written(page) && fits(Fit::Fits)),
        (Action::Undo, &|| !page.busy && (is_written(page) || fits(Fit::Adopted))),
        (Action::Gate, &|| !page.busy),
        (Action::Document, &|| proposal.is_some_and(|proposal| proposal.notes.is_some())),
    ];
    table.iter().find(|(of, _)| *of == action).map(|(_, can)| can())
}

/// Tells whether the document became what is proposed here, and still is.
fn is_written(page: &ProposalPage) -> bool {
    page.rewritten.as_ref().is_some_and(|rewritten| matches!(rewritten.deed, Deed::Adopted | Deed::Already))
}

/// Writes what is shown.
pub(super) fn apply(model: &mut Model) -> Vec<Effect> {
    let Some(page) = page(model).filter(|page| can(page, Action::Open) == Some(true)) else { return Vec::new() };
    let spec = page.spec.clone();
    let Some(seen) = page.proposal.ready().map(|proposal| proposal.after.clone()) else { return Vec::new() };
    let by = model.boot.user.clone();
    say(model, Effect::Adopt { spec, seen, by })
}

/// Takes back what was written.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    let Some(page) = page(model).filter(|page| can(page, Action::Undo) == Some(true)) else { return Vec::new() };
    let (spec, by) = (page.spec.clone(), model.boot.user.clone());
    say(model, Effect::Restore { spec, by })
}

fn say(model: &mut Model, effect: Effect) -> Vec<Effect> {
    if let Some(View::Proposal(page)) = model.views.last_mut() {
        page.busy = true;
    }
    vec![effect]
}

/// What is proposed was read.
pub(super) fn read(model: &mut Model, spec: &SpecId, outcome: Result<Arc<Proposal>, Failure>) -> Vec<Effect> {
    if let Some(page) = page_of(model, spec) {
        // What was written here may have been changed by somebody since.
        if is_written(page) && outcome.as_ref().is_ok_and(|proposal| proposal.fit != Fit::Adopted) {
            page.rewritten = None;
        }
        page.proposal = match outcome {
            Ok(proposal) => Load::Ready(proposal),
            Err(failure) => Load::Failed(failure),
        };
    }
    Vec::new()
}

/// Opens what says why it is proposed, and by whom.
pub(super) fn notes(page: &ProposalPage) -> Vec<Effect> {
    let notes = page.proposal.ready().and_then(|proposal| proposal.notes.clone());
    notes.map_or_else(Vec::new, |path| vec![Effect::OpenEditor { path, line: None }])
}

/// The document was written, or not. What is shown stays what was looked at.
pub(super) fn rewritten(model: &mut Model, spec: &SpecId, outcome: Result<Arc<Rewritten>, Failure>) -> Vec<Effect> {
    let page = page_of(model, spec);
    match outcome {
        Ok(rewritten) => {
            if let Some(page) = page {
                page.busy = false;
                page.rewritten = Some(Arc::clone(&rewritten));
            }
            notice(model, told(&rewritten));
            gate::know(model, Arc::clone(&rewritten.held));
            let mut effects = vec![Effect::Survey];
            // What was shown may be of before: it can be applied again.
            effects.extend((rewritten.deed == Deed::Restored).then(|| Effect::ReadProposal(spec.clone())));
            effects
        }
        Err(failure) => {
            let mut effects = Vec::new();
            if let Some(page) = page {
                page.busy = false;
                // Somebody changed something under it: what is shown next is what is there.
                effects.push(Effect::ReadProposal(spec.clone()));
            }
            complain(model, &failure);
            effects
        }
    }
}

/// Says what became of the document.
fn told(rewritten: &Rewritten) -> String {
    let file = &rewritten.file;
    match rewritten.deed {
        Deed::Adopted => format!("written into {file} · the text before is kept · u takes it back"),
        Deed::Already => format!("{file} is what is proposed already"),
        Deed::Unchanged => format!("the panel leaves {file} as it is"),
        Deed::Restored => format!("{file} has its old text again"),
    }
}
