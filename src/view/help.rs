//! All keys, from the one table that gives them their meaning.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, below, nth, padded};
use super::header;
use super::text::{dim, piece, plain, strong};
use super::theme::Ink;
use crate::app::keymap::{Binding, Place, TABLE};
use crate::app::model::Model;

/// Columns of the keys' names.
const KEYS: usize = 16;

/// Draws the table from a binding on.
pub(super) fn draw(model: &Model, scroll: usize, area: Rect, canvas: &mut Canvas<'_>) {
    header::line(nth(area, 0), &header::trail(model, [strong("all keys")]), &[dim("q back")], canvas);
    let body = below(area, 1);
    let pane = Pane {
        title: vec![strong("Keys")],
        note: vec![dim("keys act; text is asked for after :")],
        rows: body.height.saturating_sub(2),
    };
    let Some(inner) = canvas.stack(body, &[pane]).first().copied() else { return };
    let inner = padded(inner);
    let height = usize::from(inner.height);
    let mut place: Option<Place> = None;
    let mut at = 0;
    for (n, binding) in TABLE.iter().enumerate().skip(scroll) {
        let needs = if place == Some(binding.place) { 1 } else { 2 };
        let is_last = n + 1 == TABLE.len();
        // The last row is kept for what follows below.
        if at + needs > height.saturating_sub(usize::from(!is_last)) {
            canvas.pieces(nth(inner, height.saturating_sub(1)), &[dim(format!("… {} more · j", TABLE.len() - n))]);
            return;
        }
        if place != Some(binding.place) {
            place = Some(binding.place);
            canvas.pieces(nth(inner, at), &[piece(binding.place.title(), Ink::Accent)]);
            at += 1;
        }
        canvas.pieces(nth(inner, at), &[plain(format!("  {:<KEYS$}", names(binding))), plain(binding.label)]);
        at += 1;
    }
}

fn names(binding: &Binding) -> String {
    binding.keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(", ")
}
