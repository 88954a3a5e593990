//! Secrets on the screen: whatever a view drew, no cell shows one.
//!
//! Most text is clean before it comes here. What the user's own files say is not: a spec is shown as it stands. It must
//! not know which view drew what.

use ratatui::buffer::Buffer;
use unicode_width::UnicodeWidthStr as _;

use crate::domain::redact::{MARK, Redactor};

/// What stands between two columns of text.
const EDGES: [&str; 3] = ["│", "…", "┆"];

/// Hides secrets in a frame: whole ones, those that were cut at the edge of their column, and the rest of those in the
/// row below.
pub fn hide(buffer: &mut Buffer, redactor: &Redactor) {
    let area = buffer.area;
    let mut rests: Vec<String> = Vec::new();
    for y in area.top()..area.bottom() {
        let row = Row::read(buffer, y);
        let mut places: Vec<(usize, usize)> = redactor.secrets(&row.text).map(|at| (at.start, at.end)).collect();
        for rest in std::mem::take(&mut rests) {
            places.extend(row.text.find(&rest).map(|at| (at, at + rest.len())));
        }
        let edges: Vec<usize> = if redactor.may_begin(&row.text) { row.edges().collect() } else { Vec::new() };
        for end in edges {
            let text = row.text[..end].trim_end();
            if let Some((at, rest)) = redactor.begun(text) {
                places.push((at, text.len()));
                rests.extend((!rest.is_empty()).then(|| rest.to_owned()));
            }
        }
        for (from, to) in places {
            row.cover(buffer, (from, to));
        }
    }
}

/// A row of cells as text.
struct Row {
    y: u16,
    text: String,
    /// Where each cell's text begins, and its column.
    cells: Vec<(usize, u16)>,
}

impl Row {
    fn read(buffer: &Buffer, y: u16) -> Self {
        let area = buffer.area;
        let (mut text, mut cells) = (String::with_capacity(usize::from(area.width) * 2), Vec::new());
        let mut x = area.left();
        while x < area.right() {
            let symbol = buffer[(x, y)].symbol();
            cells.push((text.len(), x));
            text.push_str(symbol);
            // A wide character stands for the cell behind it as well.
            x = x.saturating_add(u16::try_from(symbol.width()).unwrap_or(1).max(1));
        }
        Self { y, text, cells }
    }

    /// Where text may have been cut.
    fn edges(&self) -> impl Iterator<Item = usize> + '_ {
        let marks = EDGES.iter().flat_map(|edge| self.text.match_indices(edge).map(|(at, _)| at));
        marks.chain([self.text.len()])
    }

    /// Writes the mark over a place, and nothing behind it.
    fn cover(&self, buffer: &mut Buffer, (from, to): (usize, usize)) {
        let mut mark = MARK.chars();
        for (_, x) in self.cells.iter().filter(|(at, _)| (from..to).contains(at)) {
            let cell = &mut buffer[(*x, self.y)];
            let wide = cell.symbol().width() > 1;
            cell.set_char(mark.next().unwrap_or(' '));
            if wide && *x + 1 < buffer.area.right() {
                buffer[(*x + 1, self.y)].set_char(' ');
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn veiled(lines: [&str; 3]) -> Vec<String> {
        let mut buffer = Buffer::with_lines(lines);
        hide(&mut buffer, &Redactor::new(["correct-horse-battery-staple".to_owned()]));
        (0..3).map(|y| Row::read(&buffer, y).text.trim_end().to_owned()).collect()
    }

    #[test]
    fn a_secret_goes_whole_cut_and_wrapped_and_everything_else_stays_where_it_was() {
        assert_eq!(
            veiled(["│ say correct-horse-battery-staple now │", "│ 日本 correct-horse-bat… │ ok │", "│ plain words │"]),
            ["│ say [redacted]                   now │", "│ 日本 [redacted]       … │ ok │", "│ plain words │"]
        );
        assert_eq!(
            veiled(["│ say correct-horse-ba │ left │", "│ ttery-staple to them │ right│", "│ ttery is no secret   │"]),
            ["│ say [redacted]       │ left │", "│ [redacted]   to them │ right│", "│ ttery is no secret   │"]
        );
    }
}
