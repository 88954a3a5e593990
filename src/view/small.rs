//! What is shown where nothing can be shown.

use ratatui::layout::Rect;

use super::canvas::Canvas;
use super::theme::Ink;

/// The smallest terminal that the views are made for (columns, rows).
const LEAST: (u16, u16) = (40, 12);

/// Tells whether a terminal is too small for the views.
pub(super) fn is_too_small(area: Rect) -> bool {
    area.width < LEAST.0 || area.height < LEAST.1
}

/// Says so in one line. Everything goes on meanwhile.
pub(super) fn draw(area: Rect, canvas: &mut Canvas<'_>) {
    let text = format!("{}x{} is too small: needs {}x{}", area.width, area.height, LEAST.0, LEAST.1);
    canvas.put(area.x, area.y + area.height / 2, area.width, &text, Ink::Strong);
}
