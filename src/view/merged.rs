//! The texts that merging takes for one claim: which they are, how near each is, and who said it.
//!
//! ```text
//!  plan › 003-rate-limiter › merged texts                       3 texts are one claim
//! ┌Texts ──────────────────────────────────────────────────────────────────────────┐
//! │ ▸ the limiter loses its counters when the process of the node restarts   codex │
//! │     11/17 of runs shared, 10·11 ≥ 6·17                                          │
//! ├Why it is not the same ──────────────────────────────── goes into the record ───┤
//! └────────────────────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::text::{self, dim, piece, plain, strong};
use super::theme::Ink;
use super::{claims, header, overlay};
use crate::app::model::{MergedTexts, Model};
use crate::domain::consensus::{Judged, Merge};
use crate::domain::hash::Sha;
use crate::domain::judgement::Judgement;
use crate::domain::safe::Safe;

/// Rows that a text takes: itself, and why it is here.
const ROWS: usize = 2;

/// Draws the texts.
pub(super) fn draw(model: &Model, texts: &MergedTexts, area: Rect, canvas: &mut Canvas<'_>) {
    let found = model.runs.get(&texts.run).and_then(|run| {
        let judgement = run.judgement.as_deref()?;
        let claim = claims::find(judgement, &texts.claim).filter(|claim| !claim.merged_from.is_empty())?;
        Some((run, judgement, claim))
    });
    let Some((run, judgement, claim)) = found else {
        header::line(nth(area, 0), &header::trail(model, [plain("merged texts")]), &[], canvas);
        canvas.pieces(padded(nth(area, 2)), &[dim("nothing is merged into this claim any more · Esc back")]);
        return;
    };
    let trail = header::trail(model, [strong(run.spec.to_string()), plain(texts.stage.name()), plain("merged texts")]);
    let count = text::count(claim.merged_from.len() + 1, "text");
    header::line(nth(area, 0), &trail, &[dim(format!("{count}, counted as one claim"))], canvas);
    let body = below(area, 1);
    let is_asking = usize::from(texts.asking.is_some());
    let wants = [Want { least: is_asking, best: is_asking }, Want { least: 2, best: usize::from(body.height) }];
    let heights = share(body.height, &wants, 1);
    let [reason, list] = heights.as_slice() else { return };
    let stack = [
        Pane { title: vec![strong("Texts")], note: vec![dim("one of them may not belong here")], rows: *list },
        Pane {
            title: vec![piece("Why it is not the same", Ink::Accent)],
            note: vec![dim("goes into the record")],
            rows: *reason,
        },
    ];
    let places = canvas.stack(body, &stack);
    let [list, reason] = places.as_slice() else { return };
    rows(judgement, claim, texts.cursor, *list, canvas);
    if let Some(line) = &texts.asking {
        overlay::typed(padded(nth(*reason, 0)), line, canvas);
    }
}

fn rows(judgement: &Judgement, claim: &Judged, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let merges = claim.merged_from.iter().map(|merged| {
        let merge = Merge::of(&judgement.panel, &claim.subject, merged);
        (&merged.key, merged.subject.as_str(), merge.words())
    });
    let own = (&claim.key, claim.subject.as_str(), "names the claim: the others are compared with it".to_owned());
    let texts: Vec<(&Sha, &str, String)> = std::iter::once(own).chain(merges).collect();
    let shown = (usize::from(area.height) / ROWS).max(1);
    let cursor = cursor.min(texts.len().saturating_sub(1));
    let first = first_shown(cursor, shown, texts.len());
    for (at, (key, subject, why)) in texts.iter().enumerate().skip(first).take(shown) {
        let row = nth(area, (at - first) * ROWS);
        let mark = piece(if at == cursor { " ▸ " } else { "   " }, Ink::Accent);
        canvas.row(
            row,
            &[mark, plain(Safe::line(subject).to_string())],
            &[dim(format!("{} ", speakers(judgement, key)))],
        );
        if at == cursor {
            canvas.choose(row);
        }
        canvas.pieces(nth(area, (at - first) * ROWS + 1), &[dim(format!("     {why}"))]);
    }
}

/// Who said a text.
fn speakers(judgement: &Judgement, key: &Sha) -> String {
    let mut names: Vec<&str> =
        judgement.grounds.iter().filter(|ground| &ground.claim == key).map(|ground| ground.agent.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
