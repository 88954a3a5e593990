//! The last line: the keys that work here and now, and nothing else.
//!
//! It must not know what a key does: that is [`keymap`].

use ratatui::layout::Rect;

use super::canvas::{Canvas, columns, padded};
use super::text::{self, Piece, piece, plain};
use super::theme::Ink;
use crate::app::keymap::{self, Action, Binding};
use crate::app::model::{Model, Overlay, Saying, View, Wording};

/// Draws the line.
pub(super) fn draw(model: &Model, row: Rect, canvas: &mut Canvas<'_>) {
    let row = padded(row);
    if let Some(keys) = typed_keys(model) {
        let labels: Vec<_> = keys.iter().map(|(name, label)| label_of(name, label)).collect();
        fill(row, &labels, canvas);
        return;
    }
    let (help, others): (Vec<_>, Vec<_>) = keymap::footer(model).into_iter().partition(|b| b.action == Action::Help);
    let label = |b: &Binding| label_of(&name(b), meaning(model, b));
    let Some(help) = help.first().map(|b| label_of(&name(b), b.label)) else {
        fill(row, &fitting(&others, label, row.width), canvas);
        return;
    };
    let wide = columns(text::width_of(&help));
    let left = Rect { width: row.width.saturating_sub(wide + 2), ..row };
    fill(left, &fitting(&others, label, left.width), canvas);
    canvas.pieces(Rect { x: row.right().saturating_sub(wide), width: wide, ..row }, &help);
}

/// Returns the labels that fit. Those at the end go first, but how to get back and how to undo stay.
fn fitting(
    bindings: &[Binding],
    label: impl Fn(&Binding) -> Vec<Piece<'static>>,
    width: u16,
) -> Vec<Vec<Piece<'static>>> {
    const GAP: usize = 2;
    let mut kept: Vec<_> = bindings.iter().map(|binding| (binding.action, label(binding))).collect();
    let stays = |action: Action| matches!(action, Action::Back | Action::Undo);
    while kept.iter().map(|(_, label)| text::width_of(label) + GAP).sum::<usize>() > usize::from(width) + GAP {
        let Some(last) = kept.iter().rposition(|(action, _)| !stays(*action)) else { break };
        kept.remove(last);
    }
    kept.into_iter().map(|(_, label)| label).collect()
}

fn name(binding: &Binding) -> String {
    binding.keys.first().map(|key| key.name()).unwrap_or_default()
}

/// What a key does here: with nothing left to close, Esc stops the run, and q quits.
fn meaning(model: &Model, binding: &Binding) -> &'static str {
    if binding.action == Action::Quit && model.views.len() > 1 {
        return "back";
    }
    if binding.action == Action::Open && matches!(model.view(), View::Ledger(page) if page.detail.is_some()) {
        return "list";
    }
    let is_run = |view: &View| matches!(view, View::Dashboard { .. });
    let is_live = || model.focused_run().is_some_and(|run| run.phase.is_live());
    let stops = binding.action == Action::Back && (is_run(model.view()) || model.views.len() <= 1) && is_live();
    match model.focused_run().and_then(|run| run.stop.as_ref()) {
        Some(_) if stops => "kill",
        None if stops => "stop run",
        Some(_) | None => binding.label,
    }
}

fn label_of(name: &str, label: &str) -> Vec<Piece<'static>> {
    vec![piece(name.to_owned(), Ink::Accent), plain(format!(" {label}"))]
}

/// Draws as many labels as fit, whole: a label that was cut would name a key that does something else.
fn fill(row: Rect, labels: &[Vec<Piece<'_>>], canvas: &mut Canvas<'_>) {
    let needed = |gap: usize| labels.iter().map(|label| text::width_of(label) + gap).sum::<usize>();
    let gap = if needed(3) <= usize::from(row.width) + 3 { 3 } else { 2 };
    canvas.groups(row, labels, gap);
}

/// The keys while text is typed.
fn typed_keys(model: &Model) -> Option<&'static [(&'static str, &'static str)]> {
    match &model.overlay {
        Some(Overlay::Command { .. }) => {
            return Some(&[("Enter", "do it"), ("Tab", "complete"), ("↑", "typed before"), ("Esc", "close")]);
        }
        Some(Overlay::Search(_)) => return Some(&[("Enter", "find"), ("Esc", "close")]),
        Some(Overlay::Offer(_)) => return Some(&[("Enter", "approve and start"), ("Esc", "back")]),
        Some(Overlay::Preflight(_)) => return Some(&[("Enter", "start"), ("e", "who is asked"), ("Esc", "back")]),
        Some(Overlay::Roster { .. }) => {
            return Some(&[("Space", "leave out, take in"), ("j k", "select"), ("Enter", "start"), ("Esc", "back")]);
        }
        None => {}
    }
    let keys: &[_] = match model.view().wording()? {
        Wording::Settle { has_side: true } => &[("Enter", "keep and record"), ("Esc", "stop typing")],
        Wording::Settle { has_side: false } => &[("Enter", "done"), ("Esc", "stop typing")],
        Wording::Gate(Saying::Answer) => &[("Enter", "apply and record"), ("Esc", "stop typing")],
        Wording::Gate(Saying::Reason) => &[("Enter", "put off and record"), ("Esc", "stop typing")],
        Wording::Split => &[("Enter", "split it off"), ("Esc", "stop typing")],
        Wording::Ledger => &[("Enter", "record it"), ("Esc", "stop typing")],
    };
    Some(keys)
}
