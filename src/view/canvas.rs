//! Where regions draw: text at a place in an ink, rows with a left and a right part, and panes within one frame.
//!
//! ```text
//! ┌ title ─────────────────────── note ┐
//! │ rows of the first pane             │
//! ├ title ────────────┬ title ─────────┤
//! │ second pane, left │ and right      │
//! └───────────────────┴────────────────┘
//! ```
//!
//! It must not know the model.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::text::{self, Piece};
use super::theme::{Ink, Theme};

/// A buffer with a theme.
pub(super) struct Canvas<'b> {
    buffer: &'b mut Buffer,
    theme: Theme,
    cursor: Option<Position>,
}

/// One pane of a stack.
#[derive(Debug, Default)]
pub(super) struct Pane<'t> {
    /// On the line above it, left.
    pub(super) title: Vec<Piece<'t>>,
    /// On the line above it, right.
    pub(super) note: Vec<Piece<'t>>,
    /// Rows inside; a pane without rows is left out.
    pub(super) rows: u16,
}

/// How many rows a pane needs and would like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Want {
    pub(super) least: usize,
    pub(super) best: usize,
}

impl<'b> Canvas<'b> {
    pub(super) fn new(buffer: &'b mut Buffer, theme: Theme) -> Self {
        Self { buffer, theme, cursor: None }
    }

    /// Ends drawing. Returns where the terminal's cursor belongs, if anywhere.
    pub(super) fn finish(self) -> Option<Position> {
        self.theme.finish(self.buffer);
        self.cursor
    }

    /// Puts the terminal's cursor where text is typed, so that input methods open there.
    pub(super) fn point(&mut self, x: u16, y: u16) {
        if self.buffer.area.contains(Position { x, y }) {
            self.cursor = Some(Position { x, y });
        }
    }

    /// Writes text of at most so many columns. Returns how many it took.
    pub(super) fn put(&mut self, x: u16, y: u16, columns: u16, text: &str, ink: Ink) -> u16 {
        let area = self.buffer.area;
        if columns == 0 || !area.contains(Position { x, y }) {
            return 0;
        }
        let room = columns.min(area.right() - x);
        let fitted = text::fit(text, usize::from(room));
        let (end, _) = self.buffer.set_stringn(x, y, &*fitted, usize::from(room), self.theme.style(ink));
        end.saturating_sub(x)
    }

    /// Writes pieces one after the other into one row. Returns how many columns they took.
    pub(super) fn pieces(&mut self, row: Rect, pieces: &[Piece<'_>]) -> u16 {
        let mut taken = 0;
        for piece in pieces {
            let room = row.width.saturating_sub(taken);
            if room == 0 || row.height == 0 {
                break;
            }
            taken += self.put(row.x + taken, row.y, room, &piece.text, piece.ink);
            // After a piece that was cut nothing follows: it would stand where the rest of the text belongs.
            if text::width(&piece.text) > usize::from(room) {
                break;
            }
        }
        taken
    }

    /// Writes one row: `right` at its end if it leaves `left` a third of the row or all that it needs, `left` in the
    /// rest.
    pub(super) fn row(&mut self, row: Rect, left: &[Piece<'_>], right: &[Piece<'_>]) {
        let (wide, needed) = (columns(text::width_of(right)), columns(text::width_of(left)));
        let rest = row.width.saturating_sub(wide.saturating_add(2));
        let has_room = wide > 0 && wide + 2 <= row.width && (needed <= rest || rest >= row.width / 3);
        if !has_room {
            self.pieces(row, left);
            return;
        }
        self.pieces(Rect { width: rest, ..row }, left);
        self.pieces(Rect { x: row.right() - wide, width: wide, ..row }, right);
    }

    /// Marks a row as the selected one.
    pub(super) fn choose(&mut self, row: Rect) {
        let style = self.theme.chosen();
        self.buffer.set_style(row.intersection(self.buffer.area), style);
    }

    /// Empties an area.
    pub(super) fn clear(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            self.buffer[position].reset();
        }
    }

    /// Draws panes below each other within one frame. Returns where each one's rows are.
    pub(super) fn stack(&mut self, area: Rect, panes: &[Pane<'_>]) -> Vec<Rect> {
        let mut places = Vec::with_capacity(panes.len());
        let mut top = area.y;
        let is_first = |top: u16| top == area.y;
        for pane in panes {
            let inner = Rect { x: area.x + 1, y: top + 1, width: area.width.saturating_sub(2), height: pane.rows };
            if pane.rows == 0 || inner.bottom() >= area.bottom() || area.width < 4 {
                places.push(Rect { height: 0, ..inner.intersection(area) });
                continue;
            }
            let ends = if is_first(top) { ("┌", "┐") } else { ("├", "┤") };
            self.edge(Rect { y: top, height: 1, ..area }, ends);
            self.titles(Rect { y: top, height: 1, ..inner }, &pane.title, &pane.note);
            for y in inner.top()..inner.bottom() {
                self.put(area.x, y, 1, "│", Ink::Frame);
                self.put(area.right() - 1, y, 1, "│", Ink::Frame);
            }
            places.push(inner);
            top = inner.bottom();
        }
        if !is_first(top) {
            self.edge(Rect { y: top, height: 1, ..area }, ("└", "┘"));
        }
        places
    }

    /// Draws a frame without a lower line: what is in it goes on. Returns where its rows are, from side to side.
    pub(super) fn open_frame(&mut self, area: Rect, title: &[Piece<'_>], note: &[Piece<'_>]) -> Rect {
        let inner = padded(Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area });
        self.edge(Rect { height: 1, ..area }, ("┌", "┐"));
        self.titles(Rect { y: area.y, height: 1, ..inner }, title, note);
        for y in inner.top()..inner.bottom() {
            self.put(area.x, y, 1, "│", Ink::Frame);
            self.put(area.right() - 1, y, 1, "│", Ink::Frame);
        }
        inner
    }

    /// Writes as many groups of pieces as fit, each one whole.
    pub(super) fn groups(&mut self, row: Rect, groups: &[Vec<Piece<'_>>], gap: u16) {
        let mut x = row.x;
        for group in groups {
            let wide = columns(text::width_of(group));
            if x.saturating_add(wide) > row.right() {
                break;
            }
            self.pieces(Rect { x, width: wide, ..row }, group);
            x += wide + gap;
        }
    }

    /// Divides a pane of a stack into two, the left one with so many columns. Returns both.
    pub(super) fn split(&mut self, pane: Rect, left: u16, title: &[Piece<'_>], note: &[Piece<'_>]) -> (Rect, Rect) {
        if pane.height == 0 || left + 3 > pane.width {
            return (pane, Rect { width: 0, ..pane });
        }
        let x = pane.x + left;
        for y in pane.top()..pane.bottom() {
            self.put(x, y, 1, "│", Ink::Frame);
        }
        self.join(x, pane.y - 1, "┬");
        self.join(x, pane.bottom(), "┴");
        let right = Rect { x: x + 1, width: pane.width - left - 1, ..pane };
        self.titles(Rect { y: pane.y - 1, height: 1, ..right }, title, note);
        (Rect { width: left, ..pane }, right)
    }

    fn join(&mut self, x: u16, y: u16, symbol: &str) {
        let before = self.buffer.cell(Position { x, y }).map_or(" ", |cell| cell.symbol());
        // Where a line comes from the other side already, they cross.
        let both = if matches!(before, "┬" | "┴") && before != symbol { "┼" } else { symbol };
        self.put(x, y, 1, both, Ink::Frame);
    }

    /// Draws a horizontal line with its two ends.
    fn edge(&mut self, row: Rect, (first, last): (&str, &str)) {
        self.put(row.x, row.y, 1, first, Ink::Frame);
        for x in row.x + 1..row.right().saturating_sub(1) {
            self.put(x, row.y, 1, "─", Ink::Frame);
        }
        self.put(row.right().saturating_sub(1), row.y, 1, last, Ink::Frame);
    }

    /// Writes a title and a note onto a horizontal line, each with a space on both sides.
    fn titles(&mut self, row: Rect, title: &[Piece<'_>], note: &[Piece<'_>]) {
        let spaced = |pieces: &[Piece<'_>]| match columns(text::width_of(pieces)) {
            0 => 0,
            wide => wide.saturating_add(2),
        };
        let (left, right) = (spaced(title), spaced(note));
        if left > 0 && row.width > 4 {
            let room = left.min(row.width - 2);
            self.clear_text(Rect { width: room, ..row });
            self.pieces(Rect { x: row.x + 1, width: room - 2, ..row }, title);
        }
        // Both stand on the line only if a piece of it stays visible between them.
        if right > 0 && left + right + 2 <= row.width {
            let place = Rect { x: row.right() - right, width: right, ..row };
            self.clear_text(place);
            self.pieces(Rect { x: place.x + 1, width: right - 2, ..place }, note);
        }
    }

    fn clear_text(&mut self, row: Rect) {
        for x in row.left()..row.right() {
            self.put(x, row.y, 1, " ", Ink::Plain);
        }
    }
}

/// Divides the height of a frame among panes, the most important first. Each pane costs a line above it, and the frame
/// one below the last. What is left over goes to the pane `grown`, or the last one that is there.
pub(super) fn share(height: u16, wants: &[Want], grown: usize) -> Vec<u16> {
    let mut left = usize::from(height).saturating_sub(1);
    let mut rows: Vec<usize> = wants
        .iter()
        .map(|want| {
            let fits = want.least > 0 && want.least < left;
            left -= if fits { want.least + 1 } else { 0 };
            if fits { want.least } else { 0 }
        })
        .collect();
    for (rows, want) in rows.iter_mut().zip(wants).filter(|(rows, _)| **rows > 0) {
        let more = want.best.saturating_sub(*rows).min(left);
        *rows += more;
        left -= more;
    }
    let grown =
        if rows.get(grown).is_some_and(|rows| *rows > 0) { Some(grown) } else { rows.iter().rposition(|r| *r > 0) };
    if let Some(rows) = grown.and_then(|at| rows.get_mut(at)) {
        *rows += left;
    }
    rows.into_iter().map(columns).collect()
}

/// Returns the nth row of an area; a row without height if it has none.
pub(super) fn nth(area: Rect, n: usize) -> Rect {
    let n = columns(n);
    if n < area.height { Rect { y: area.y + n, height: 1, ..area } } else { Rect { height: 0, ..area } }
}

/// Returns an area without so many of its first rows.
pub(super) fn below(area: Rect, n: usize) -> Rect {
    let n = columns(n).min(area.height);
    Rect { y: area.y + n, height: area.height - n, ..area }
}

/// Returns an area without a column at each side.
pub(super) fn padded(area: Rect) -> Rect {
    if area.width < 3 { area } else { Rect { x: area.x + 1, width: area.width - 2, ..area } }
}

/// Returns the first of so many rows to show, so that the selected one is among them.
pub(super) fn first_shown(selected: usize, shown: usize, all: usize) -> usize {
    let last_first = all.saturating_sub(shown);
    selected.saturating_sub(shown / 2).min(last_first)
}

/// Narrows a count to columns or rows of a terminal.
pub(super) fn columns(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_to_the_important_panes_first_and_the_rest_to_the_grown_one() {
        let wants = [Want { least: 3, best: 5 }, Want { least: 3, best: 7 }, Want { least: 3, best: 99 }];
        assert_eq!(share(21, &wants, 2), [5, 7, 5]);
        assert_eq!(share(9, &wants, 2), [3, 3, 0]);
        assert_eq!(share(5, &wants, 2), [3, 0, 0]);
        assert_eq!(share(3, &wants, 2), [0, 0, 0]);
    }

    #[test]
    fn the_selected_row_is_always_shown() {
        for selected in 0..20 {
            let first = first_shown(selected, 5, 20);
            assert!((first..first + 5).contains(&selected) && first <= 15, "{selected}");
        }
        assert_eq!(first_shown(0, 5, 2), 0);
    }
}
