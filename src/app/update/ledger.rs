//! The ledger page: what stands open between the stages of a spec, and what a human decides about it.
//!
//! It shows what was read from disk, and reads it again when a verdict of the spec was recorded. How a decision is
//! recorded is in `settle`.

use std::sync::Arc;

use super::{notice, settle};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::keymap::Action;
use crate::app::line::Line;
use crate::app::model::{LedgerPage, Load, Model, View, Weighed};
use crate::app::msg::{Choice, Decide};
use crate::domain::dissent::{self, ClosedBy, Condition, Dissent, Ledger, Parted};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::stage::Stage;

/// What a row of the page is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LedgerRow<'l> {
    /// A losing assertion.
    Dissent(&'l Dissent),
    /// A condition of a yes.
    Condition(&'l Condition),
    /// Two texts that a human split.
    Split(&'l Parted),
}

/// Returns the rows of a ledger in the order of opening, conditions and splits behind: what is open, or all.
pub fn ledger_rows(ledger: &Ledger, all: bool) -> Vec<LedgerRow<'_>> {
    let dissents = ledger.dissents.iter().map(LedgerRow::Dissent);
    let conditions = ledger.conditions.iter().map(LedgerRow::Condition);
    let rows = dissents.chain(conditions).chain(ledger.splits.iter().map(LedgerRow::Split));
    rows.filter(|row| all || row.is_open()).collect()
}

impl LedgerRow<'_> {
    /// Tells whether it waits for somebody.
    pub fn is_open(&self) -> bool {
        match self {
            LedgerRow::Dissent(dissent) => dissent.closed.is_none(),
            LedgerRow::Condition(condition) => !condition.is_accepted,
            LedgerRow::Split(_) => false,
        }
    }

    /// Tells it at length.
    pub fn at_length(&self) -> Vec<dissent::Line> {
        match self {
            LedgerRow::Dissent(dissent) => dissent.at_length(),
            LedgerRow::Condition(condition) => condition.at_length(),
            LedgerRow::Split(parted) => parted.at_length(),
        }
    }

    /// The stage and the key that a decision about it names.
    fn subject(&self) -> (Stage, Sha) {
        match self {
            LedgerRow::Dissent(dissent) => (dissent.opened, dissent.key.clone()),
            LedgerRow::Condition(condition) => (condition.stage, condition.key.clone()),
            LedgerRow::Split(parted) => (parted.stage, parted.pair.0.clone()),
        }
    }

    /// Tells whether a choice can be made about it.
    fn takes(&self, choice: &Choice) -> bool {
        match (self, choice) {
            (LedgerRow::Dissent(dissent), Choice::Waive | Choice::Reject) => {
                dissent.closed.is_none() && !dissent.upheld
            }
            (LedgerRow::Dissent(dissent), Choice::Undo) => {
                let waived = dissent.closed.as_ref().is_some_and(|closed| closed.by == ClosedBy::Waiver);
                waived || dissent.upheld || dissent.chosen.is_some()
            }
            (LedgerRow::Condition(condition), Choice::Accept) => !condition.is_accepted,
            (LedgerRow::Condition(condition), Choice::Undo) => condition.is_accepted && condition.signed.is_some(),
            (LedgerRow::Split(_), Choice::Undo) => true,
            (LedgerRow::Dissent(_) | LedgerRow::Condition(_) | LedgerRow::Split(_), _) => false,
        }
    }
}

/// Opens the page of a spec.
pub(super) fn open(model: &mut Model, spec: SpecId) -> Vec<Effect> {
    let page = LedgerPage {
        spec: spec.clone(),
        ledger: Load::Loading(model.now),
        cursor: 0,
        all: false,
        detail: None,
        asking: None,
    };
    model.views.push(View::Ledger(page));
    vec![Effect::ReadLedger(spec)]
}

/// Reads the page again if it is open: a verdict of the spec was recorded.
pub(super) fn refresh(model: &Model, spec: &SpecId) -> Option<Effect> {
    let is_shown = model.views.iter().any(|view| matches!(view, View::Ledger(page) if &page.spec == spec));
    is_shown.then(|| Effect::ReadLedger(spec.clone()))
}

/// The ledger was read, or could not be.
pub(super) fn read(model: &mut Model, spec: &SpecId, ledger: Result<Arc<Ledger>, Failure>) -> Vec<Effect> {
    for view in &mut model.views {
        if let View::Ledger(page) = view
            && &page.spec == spec
        {
            let before = selected(page).map(|row| row.subject());
            page.ledger = match &ledger {
                Ok(ledger) => Load::Ready(Arc::clone(ledger)),
                Err(failure) => Load::Failed(failure.clone()),
            };
            let rows = page.ledger.ready().map(|ledger| ledger_rows(ledger, page.all)).unwrap_or_default();
            let is_same = |row: &LedgerRow<'_>| before.as_ref() == Some(&row.subject());
            let stays = rows.get(page.cursor).is_some_and(is_same);
            let at = if stays { Some(page.cursor) } else { rows.iter().position(is_same) };
            page.cursor = at.unwrap_or_else(|| page.cursor.min(rows.len().saturating_sub(1)));
            // At length stands the row that was opened, no other.
            page.detail = page.detail.filter(|_| at.is_some());
        }
    }
    Vec::new()
}

/// Returns how many rows the page lists, or how many lines the selected one has at length.
pub(super) fn count(page: &LedgerPage) -> usize {
    if page.detail.is_some() {
        return selected(page).map_or(0, |row| row.at_length().len());
    }
    page.ledger.ready().map_or(0, |ledger| ledger_rows(ledger, page.all).len())
}

/// Returns the selected row.
fn selected(page: &LedgerPage) -> Option<LedgerRow<'_>> {
    ledger_rows(page.ledger.ready()?, page.all).into_iter().nth(page.cursor)
}

/// Tells whether an action works on the page, if it is one of the page's own.
pub(super) fn can(model: &Model, page: &LedgerPage, action: Action) -> Option<bool> {
    if let Some(choice) = choice_of(action) {
        let is_taken = selected(page).is_some_and(|row| row.takes(&choice));
        return Some(is_taken && settle::is_quiet(model, &page.spec));
    }
    let rows = || page.ledger.ready().map_or(0, |ledger| ledger_rows(ledger, true).len());
    match action == Action::ShowAll {
        true => Some(rows() > 0),
        false => (action == Action::Open).then(|| selected(page).is_some()),
    }
}

/// What an action decides about the selected row.
fn choice_of(action: Action) -> Option<Choice> {
    [
        (Action::Waive, Choice::Waive),
        (Action::Reject, Choice::Reject),
        (Action::Accept, Choice::Accept),
        (Action::Undo, Choice::Undo),
    ]
    .into_iter()
    .find_map(|(of, choice)| (of == action).then_some(choice))
}

/// Shows the selected row at length, or the list again.
pub(super) fn toggle_detail(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Ledger(page)) = model.views.last_mut() {
        page.detail = if page.detail.is_some() { None } else { Some(0) };
    }
    Vec::new()
}

/// Shows what is open, or all; the selection stays on its row where that is shown.
pub(super) fn toggle_all(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Ledger(page)) = model.views.last_mut() {
        let before = selected(page).map(|row| row.subject());
        page.all = !page.all;
        let rows = page.ledger.ready().map(|ledger| ledger_rows(ledger, page.all)).unwrap_or_default();
        let at = rows.iter().position(|row| before.as_ref() == Some(&row.subject()));
        page.cursor = at.unwrap_or(0);
    }
    Vec::new()
}

/// Asks for the reason of a decision about the selected row: it is what an auditor reads later.
pub(super) fn ask(model: &mut Model, choice: Choice) -> Vec<Effect> {
    if let Some(View::Ledger(page)) = model.views.last_mut() {
        let about = selected(page).map(|row| row.subject());
        page.asking = about.map(|(stage, claim)| Weighed { choice, stage, claim, reason: Line::default() });
    }
    Vec::new()
}

/// A key while the reason is typed: Enter records, Esc gives the keys back.
pub(super) fn type_reason(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(View::Ledger(page)) = model.views.last_mut() else { return Vec::new() };
    let Some(weighed) = &mut page.asking else { return Vec::new() };
    if matches!(key, Key::Esc | Key::Ctrl('c')) {
        page.asking = None;
    } else if key != Key::Enter {
        weighed.reason.edit(key);
    } else if weighed.reason.text().trim().is_empty() {
        notice(model, "a reason goes into the record: type it, then Enter");
    } else if let Some(weighed) = page.asking.take() {
        return weigh(model, weighed);
    }
    Vec::new()
}

/// Records what was decided about the row that was selected when the reason was asked for, if it still takes that.
fn weigh(model: &mut Model, Weighed { choice, stage, claim, reason }: Weighed) -> Vec<Effect> {
    let Some(View::Ledger(page)) = model.views.last() else { return Vec::new() };
    let rows = page.ledger.ready().map(|ledger| ledger_rows(ledger, page.all)).unwrap_or_default();
    let about = (stage, claim);
    if !rows.iter().any(|row| row.subject() == about && row.takes(&choice)) {
        notice(model, "nothing was recorded: what you decided about is not open any more");
        return Vec::new();
    }
    decide(model, about, choice, reason.text().trim().to_owned())
}

/// Takes what was decided about the selected row back.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    let View::Ledger(page) = model.view() else { return Vec::new() };
    let Some(about) = selected(page).map(|row| row.subject()) else { return Vec::new() };
    decide(model, about, Choice::Undo, "taken back".to_owned())
}

/// Records a decision about a row. The page stays: it is read again once the stage was decided anew.
fn decide(model: &mut Model, (stage, key): (Stage, Sha), choice: Choice, reason: String) -> Vec<Effect> {
    let by = model.boot.user.clone();
    let View::Ledger(page) = model.view() else { return Vec::new() };
    let (spec, views) = (page.spec.clone(), model.views.clone());
    notice(model, format!("the {stage} of {spec} is decided anew"));
    let effects = settle::decide(model, Decide { spec, stage, claim: key.0.to_string(), choice, by, reason });
    // A run of an earlier process is opened for it, and would take the screen.
    model.views = views;
    effects
}
