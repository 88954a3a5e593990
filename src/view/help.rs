//! All keys, from the one table that gives them their meaning.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, below, nth, padded};
use super::header;
use super::text::{dim, piece, plain, strong};
use super::theme::Ink;
use crate::app::keymap::{Action, Binding, Place, TABLE};
use crate::app::model::Model;

/// Columns of the keys' names.
const KEYS: usize = 16;

/// Columns of a screen from which the table stands in two columns.
const BESIDE: u16 = 100;

/// Draws the table from a binding on: the keys of the view that it was opened from come first.
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
    let shown = ordered(model);
    let mut rest = shown.get(scroll..).unwrap_or_default();
    let columns = if area.width >= BESIDE { 2 } else { 1 };
    let width = inner.width / columns;
    for n in 0..columns {
        let place = Rect { x: inner.x + n * width, width, ..inner };
        rest = column(rest, place, n + 1 == columns, canvas);
    }
}

/// Returns all bindings, those of the view below this page first.
fn ordered(model: &Model) -> Vec<&'static Binding> {
    let from = model.views.iter().rev().map(Place::of).find(|place| *place != Place::Help);
    let (here, others): (Vec<_>, Vec<_>) = TABLE.iter().partition(|binding| Some(binding.place) == from);
    [here, others].concat()
}

/// Draws as many bindings as one column holds. Returns the rest; the last column says how many they are.
fn column<'b>(
    bindings: &'b [&'static Binding],
    area: Rect,
    is_last: bool,
    canvas: &mut Canvas<'_>,
) -> &'b [&'static Binding] {
    let height = usize::from(area.height);
    let mut place: Option<Place> = None;
    let mut at = 0;
    for (n, binding) in bindings.iter().enumerate() {
        let needs = if place == Some(binding.place) { 1 } else { 2 };
        // The last row is kept for what follows below.
        let kept = usize::from(is_last && n + 1 < bindings.len());
        if at + needs > height.saturating_sub(kept) {
            if is_last {
                let text = format!("… {} more · j", bindings.len() - n);
                canvas.pieces(nth(area, height.saturating_sub(1)), &[dim(text)]);
            }
            return bindings.get(n..).unwrap_or_default();
        }
        if place != Some(binding.place) {
            place = Some(binding.place);
            canvas.pieces(nth(area, at), &[piece(binding.place.title(), Ink::Accent)]);
            at += 1;
        }
        let label = if binding.action == Action::Quit { "back; on the first screen: quit" } else { binding.label };
        canvas.pieces(nth(area, at), &[plain(format!("  {:<KEYS$}", names(binding))), plain(label)]);
        at += 1;
    }
    &[]
}

fn names(binding: &Binding) -> String {
    binding.keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(", ")
}
