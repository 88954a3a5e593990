//! The gate dialog: which question is selected, which answer, and what is sent to be written. And a new spec.
//!
//! It must not know how an answer changes a document: it shows the edit that comes with the question.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{checkpoint, complain, notice, selection};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::line::Line;
use crate::app::model::{GateDialog, Model, Saying, View};
use crate::domain::failure::Failure;
use crate::domain::gate::{Checkpoint, Edit, Gate, Held, Issue, Response, Say};
use crate::domain::ids::{RunId, SpecId};

/// Opens the dialog with all gates, and has them held.
pub(super) fn open(model: &mut Model, spec: SpecId) -> Vec<Effect> {
    let gates: BTreeSet<Gate> = Gate::ALL.into();
    let waiting = model.live_run_of(&spec).filter(|run| super::is_waiting(run)).map(|run| run.id.clone());
    push(model, &spec, gates.clone(), waiting, true);
    vec![Effect::Hold { spec, gates }]
}

/// Opens the dialog for a run that waits; what its gates asked is there already.
pub(super) fn open_for_run(model: &mut Model, run: &RunId, spec: &SpecId, at: Checkpoint) {
    let gates = model.settings.gates.get(&at).cloned().unwrap_or_default();
    push(model, spec, gates, Some(run.clone()), false);
}

fn push(model: &mut Model, spec: &SpecId, gates: BTreeSet<Gate>, run: Option<RunId>, busy: bool) {
    model.views.retain(|view| !matches!(view, View::Gate(_)));
    model.views.push(View::Gate(GateDialog {
        spec: spec.clone(),
        gates,
        run,
        cursor: 0,
        choice: None,
        words: Line::default(),
        saying: None,
        busy,
    }));
}

/// Closes the dialog of a run that goes on.
pub(super) fn close_for_run(model: &mut Model, id: &RunId) {
    model.views.retain(|view| !matches!(view, View::Gate(dialog) if dialog.run.as_ref() == Some(id)));
}

/// Returns the questions that the dialog lists: those of its gates that are open, the gravest first.
pub fn open_issues<'m>(model: &'m Model, dialog: &GateDialog) -> Vec<&'m Issue> {
    let held = model.gates.get(&dialog.spec);
    held.into_iter().flat_map(|held| held.open()).filter(|issue| dialog.gates.contains(&issue.gate)).collect()
}

/// Returns the edit that the answer at hand stands for.
pub fn preview(issue: &Issue, dialog: &GateDialog) -> Option<Edit> {
    if dialog.saying == Some(Saying::Answer) || (dialog.choice.is_none() && !dialog.words.text().trim().is_empty()) {
        let words = dialog.words.text().trim();
        return issue.slot.as_ref().filter(|_| !words.is_empty()).map(|slot| slot.edit(words));
    }
    dialog.choice.and_then(|at| issue.choices.get(at)).map(|choice| choice.edit.clone())
}

fn dialog(model: &mut Model) -> Option<&mut GateDialog> {
    match model.views.last_mut() {
        Some(View::Gate(dialog)) => Some(dialog),
        Some(_) | None => None,
    }
}

/// Returns a spec's dialog, whatever lies over it: replies come while another page is read.
fn dialog_of<'m>(model: &'m mut Model, spec: &SpecId) -> Option<&'m mut GateDialog> {
    let dialogs =
        model.views.iter_mut().filter_map(|view| if let View::Gate(dialog) = view { Some(dialog) } else { None });
    dialogs.into_iter().find(|dialog| dialog.spec == *spec)
}

/// Gates were held, for the dialog or after an answer.
pub(super) fn held(model: &mut Model, spec: &SpecId, outcome: Result<Arc<Held>, Failure>) -> Vec<Effect> {
    if let Some(dialog) = dialog_of(model, spec) {
        dialog.busy = false;
    }
    match outcome {
        Ok(held) => {
            know(model, held);
            checkpoint::answered(model, spec)
        }
        Err(failure) => {
            complain(model, &failure);
            Vec::new()
        }
    }
}

/// Takes what the gates ask now. The selection stays on its question; where that is gone, what was chosen or typed for it
/// is meant for no other.
pub(super) fn know(model: &mut Model, held: Arc<Held>) {
    let spec = held.spec.clone();
    let ids = |model: &mut Model| -> Vec<String> {
        let Some(dialog) = dialog_of(model, &spec).cloned() else { return Vec::new() };
        open_issues(model, &dialog).iter().map(|issue| issue.id.clone()).collect()
    };
    let before = ids(model);
    model.gates.insert(spec.clone(), held);
    let now = ids(model);
    let Some(dialog) = dialog_of(model, &spec) else { return };
    let kept = before.get(dialog.cursor).and_then(|id| now.iter().position(|other| other == id));
    if let Some(at) = kept {
        dialog.cursor = at;
        return;
    }
    let was_typing = dialog.saying.is_some();
    dialog.cursor = dialog.cursor.min(now.len().saturating_sub(1));
    forget(dialog);
    if was_typing {
        notice(model, "what you were answering is not asked any more");
    }
}

/// Forgets what was chosen and typed.
fn forget(dialog: &mut GateDialog) {
    dialog.saying = None;
    dialog.choice = None;
    dialog.words = Line::default();
}

/// The editor gave the terminal back: what it changed may have answered a question.
pub(super) fn look_again(model: &mut Model) -> Vec<Effect> {
    let Some(dialog) = dialog(model).filter(|dialog| !dialog.busy) else { return Vec::new() };
    dialog.busy = true;
    vec![Effect::Hold { spec: dialog.spec.clone(), gates: dialog.gates.clone() }]
}

/// Another question is selected: what was chosen for the last one is not meant for it.
pub(super) fn moved(dialog: &mut GateDialog, to: usize) {
    if dialog.cursor != to {
        dialog.choice = None;
        dialog.words = Line::default();
    }
    dialog.cursor = to;
}

fn selected(model: &Model) -> Option<(&GateDialog, &Issue)> {
    let View::Gate(dialog) = model.view() else { return None };
    Some((dialog, open_issues(model, dialog).get(dialog.cursor).copied()?))
}

/// Tells whether an answer has been chosen or written that can be applied.
pub(super) fn can_apply(model: &Model) -> bool {
    selected(model).is_some_and(|(dialog, issue)| !dialog.busy && preview(issue, dialog).is_some())
}

/// Tells whether a choice of the selected question has this number, from 1.
pub(super) fn can_choose(model: &Model, n: u8) -> bool {
    selected(model).is_some_and(|(dialog, issue)| !dialog.busy && (1..=issue.choices.len()).contains(&usize::from(n)))
}

/// Tells whether own words can answer the selected question.
pub(super) fn can_write(model: &Model) -> bool {
    selected(model).is_some_and(|(dialog, issue)| !dialog.busy && issue.slot.is_some())
}

/// Tells whether the selected question can be put off.
pub(super) fn can_defer(model: &Model) -> bool {
    selected(model).is_some_and(|(dialog, _)| !dialog.busy)
}

/// Tells whether what was said last can be taken back.
pub(super) fn can_undo(model: &Model) -> bool {
    matches!(model.view(), View::Gate(dialog) if !dialog.busy)
}

/// Chooses an answer, from 0.
pub(super) fn choose(model: &mut Model, at: usize) -> Vec<Effect> {
    if let Some(dialog) = dialog(model) {
        dialog.choice = Some(at);
        dialog.words = Line::default();
    }
    Vec::new()
}

/// Begins to write an answer, or a reason to put the question off.
pub(super) fn write(model: &mut Model, saying: Saying) -> Vec<Effect> {
    if let Some(dialog) = dialog(model) {
        dialog.words = Line::default();
        dialog.choice = None;
        dialog.saying = Some(saying);
    }
    Vec::new()
}

/// A key while an answer or a reason is written.
pub(super) fn type_words(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(dialog) = dialog(model) else { return Vec::new() };
    if matches!(key, Key::Esc | Key::Ctrl('c')) {
        dialog.saying = None;
        dialog.words = Line::default();
    } else if key == Key::Enter {
        return apply(model);
    } else {
        dialog.words.edit(key);
    }
    Vec::new()
}

/// Sends the answer or the reason at hand to be written.
pub(super) fn apply(model: &mut Model) -> Vec<Effect> {
    let Some((dialog, issue)) = selected(model) else { return Vec::new() };
    let words = dialog.words.text().trim().to_owned();
    let what = match (dialog.saying, dialog.choice) {
        (Some(Saying::Reason), _) if words.is_empty() => None,
        (Some(Saying::Reason), _) => Some(Say::Defer(words)),
        (None, Some(at)) => issue.choices.get(at).map(|choice| Say::Answer(choice.words.to_string())),
        (Some(Saying::Answer) | None, _) => Some(words).filter(|words| !words.is_empty()).map(Say::Answer),
    };
    let Some(what) = what else {
        notice(model, "choose an answer by its number, or press e and write one");
        return Vec::new();
    };
    let issue = issue.id.clone();
    respond(model, issue, what)
}

/// Takes back what was said last.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    respond(model, String::new(), Say::Undo)
}

fn respond(model: &mut Model, issue: String, what: Say) -> Vec<Effect> {
    let by = model.boot.user.clone();
    let Some(dialog) = dialog(model).filter(|dialog| !dialog.busy) else { return Vec::new() };
    dialog.busy = true;
    forget(dialog);
    let (spec, gates) = (dialog.spec.clone(), dialog.gates.clone());
    vec![Effect::Respond { spec, gates, response: Response { issue, what, by } }]
}

/// The folder of a new spec is there: show it, and read the repository again.
pub(super) fn created(model: &mut Model, outcome: Result<SpecId, Failure>) -> Vec<Effect> {
    match outcome {
        Ok(spec) => {
            notice(model, format!("made {spec} · answer what it leaves open, or :specify {spec} for a panel's draft"));
            let mut effects = vec![Effect::Survey];
            effects.extend(open(model, spec));
            effects
        }
        Err(failure) => {
            complain(model, &failure);
            Vec::new()
        }
    }
}

/// The place of the selected question.
pub(super) fn place(model: &Model) -> Option<(String, Option<u32>)> {
    selected(model).map(|(_, issue)| (issue.place.file.clone(), Some(issue.place.line)))
}

/// Opens the dialog of the selected spec.
pub(super) fn open_selected(model: &mut Model) -> Vec<Effect> {
    match selection::selected_spec(model) {
        Some(spec) => open(model, spec),
        None => Vec::new(),
    }
}
