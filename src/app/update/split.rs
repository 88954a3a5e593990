//! Merged texts: which they are, and that a human says two of them are not the same.
//!
//! How a decision is recorded is in `settle`.

use super::{notice, settle, verdict};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::line::Line;
use crate::app::model::{MergedTexts, Model, Run, View};
use crate::app::msg::{Choice, Decide};
use crate::domain::consensus::Judged;
use crate::domain::hash::Sha;
use crate::domain::ids::RunId;
use crate::domain::judgement::Judgement;
use crate::domain::stage::Stage;

/// Returns the claim of a judgement with this key.
fn claim<'j>(judgement: &'j Judgement, key: &Sha) -> Option<&'j Judged> {
    judgement.verdict.claims.iter().find(|claim| &claim.key == key)
}

/// Returns the keys of the texts that are one claim: its own, then those merged into it.
pub fn merged_keys(judgement: &Judgement, key: &Sha) -> Vec<Sha> {
    let Some(claim) = claim(judgement, key).filter(|claim| !claim.merged_from.is_empty()) else { return Vec::new() };
    std::iter::once(&claim.key).chain(claim.merged_from.iter().map(|merged| &merged.key)).cloned().collect()
}

/// Returns the selected claim of a verdict that can be decided about, if other texts were merged into it.
pub(super) fn splittable(model: &Model) -> Option<(RunId, Stage, Sha)> {
    let View::Verdict { run: id, stage, cursor, all } = model.view() else { return None };
    let run = model.runs.get(id).filter(|run| run.stage == *stage && settle::is_decidable(model, run))?;
    let key = verdict::rows(run, *stage, *all).into_iter().nth(*cursor)?;
    let is_merged = run.judgement.as_ref().is_some_and(|judgement| !merged_keys(judgement, &key).is_empty());
    is_merged.then(|| (id.clone(), *stage, key))
}

/// Opens the texts of the selected claim.
pub(super) fn open(model: &mut Model) -> Vec<Effect> {
    if let Some((run, stage, claim)) = splittable(model) {
        // The first one names the claim: more often another one does not belong there.
        model.views.push(View::Merged(MergedTexts { run, stage, claim, cursor: 1, asking: None }));
    }
    Vec::new()
}

/// Returns the key of the selected text.
pub(super) fn selected(run: &Run, texts: &MergedTexts) -> Option<Sha> {
    merged_keys(run.judgement.as_ref()?, &texts.claim).into_iter().nth(texts.cursor)
}

/// Asks why the selected text is not the same as the others.
pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Merged(texts)) = model.views.last_mut() {
        texts.asking = Some(Line::default());
    }
    Vec::new()
}

/// A key while the reason is typed: Enter records, Esc gives the keys back.
pub(super) fn type_reason(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(View::Merged(texts)) = model.views.last_mut() else { return Vec::new() };
    let Some(line) = &mut texts.asking else { return Vec::new() };
    if matches!(key, Key::Esc | Key::Ctrl('c')) {
        texts.asking = None;
    } else if key != Key::Enter {
        line.edit(key);
    } else if line.text().trim().is_empty() {
        notice(model, "a reason goes into the record: type it, then Enter");
    } else {
        let reason = line.text().trim().to_owned();
        return split(model, reason);
    }
    Vec::new()
}

/// Records that the selected text is none of the others.
fn split(model: &mut Model, reason: String) -> Vec<Effect> {
    let View::Merged(texts) = model.view() else { return Vec::new() };
    let Some(run) = model.runs.get(&texts.run).filter(|run| settle::is_decidable(model, run)) else {
        notice(model, "the stage has no recorded verdict now: decide when it has");
        return Vec::new();
    };
    let (Some(key), Some(judgement)) = (selected(run, texts), run.judgement.clone()) else { return Vec::new() };
    let (id, by) = (texts.run.clone(), model.boot.user.clone());
    let decide = Decide {
        spec: run.spec.clone(),
        stage: texts.stage,
        claim: key.0.to_string(),
        choice: Choice::Split,
        by,
        reason,
    };
    model.views.pop();
    notice(model, "the text is split off: decided anew");
    settle::apply(model, &id, &judgement, decide)
}
