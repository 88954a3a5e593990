//! Text measured in columns: how wide it is, and how it is cut to fit.
//!
//! It must not know colours or places.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use super::theme::Ink;

/// A stretch of text with its ink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece<'t> {
    pub(super) text: Cow<'t, str>,
    pub(super) ink: Ink,
}

/// Makes a piece of text in an ink.
pub(super) fn piece<'t>(text: impl Into<Cow<'t, str>>, ink: Ink) -> Piece<'t> {
    Piece { text: text.into(), ink }
}

/// Makes plain text.
pub(super) fn plain<'t>(text: impl Into<Cow<'t, str>>) -> Piece<'t> {
    piece(text, Ink::Plain)
}

/// Makes text that is read first.
pub(super) fn strong<'t>(text: impl Into<Cow<'t, str>>) -> Piece<'t> {
    piece(text, Ink::Strong)
}

/// Makes text that is read last.
pub(super) fn dim<'t>(text: impl Into<Cow<'t, str>>) -> Piece<'t> {
    piece(text, Ink::Dim)
}

/// Returns the columns that pieces take.
pub(super) fn width_of(pieces: &[Piece<'_>]) -> usize {
    pieces.iter().map(|piece| width(&piece.text)).sum()
}

/// Returns the columns that a text takes. Counted cluster by cluster, as the screen draws it.
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.graphemes(true).map(|cluster| cluster.width()).sum() }
}

/// Cuts a text to so many columns, between clusters, with `…` where something is left out.
pub(super) fn fit(text: &str, columns: usize) -> Cow<'_, str> {
    // Longer than this no text is measured: a line of a megabyte must not cost a frame.
    const BYTES_PER_COLUMN: usize = 64;
    let is_short = text.len() <= columns.saturating_mul(BYTES_PER_COLUMN);
    if text.len() <= columns && text.is_ascii() || is_short && width(text) <= columns {
        return Cow::Borrowed(text);
    }
    if columns == 0 {
        return Cow::Borrowed("");
    }
    let mut kept = 0;
    let mut end = 0;
    for (at, cluster) in text.grapheme_indices(true) {
        kept += cluster.width();
        if kept > columns - 1 {
            break;
        }
        end = at + cluster.len();
    }
    Cow::Owned(format!("{}…", text[..end].trim_end()))
}

/// Returns the end of a text that takes at most so many columns.
pub(super) fn tail(text: &str, columns: usize) -> String {
    let mut kept = 0;
    let mut start = text.len();
    for (at, cluster) in text.grapheme_indices(true).rev() {
        kept += cluster.width();
        if kept > columns {
            break;
        }
        start = at;
    }
    text[start..].to_owned()
}

/// Breaks a text into lines of at most so many columns, at most so many lines; the last one is cut if more follows.
pub(super) fn wrap(text: &str, columns: usize, lines: usize) -> Vec<Cow<'_, str>> {
    let width = u16::try_from(columns.max(1)).unwrap_or(u16::MAX);
    let mut out: Vec<Cow<'_, str>> = Vec::new();
    // More bytes than these lines can hold need not be looked at.
    let rest = head(text, columns.saturating_mul(lines).saturating_mul(8));
    let rows = crate::domain::transcript::wrap(rest, width);
    let is_cut = rows.len() > lines || rest.len() < text.len();
    for (at, row) in rows.into_iter().take(lines).enumerate() {
        let row = row.trim_end();
        if is_cut && at + 1 == lines {
            out.push(Cow::Owned(fit(&format!("{row} …"), columns).into_owned()));
        } else {
            out.push(Cow::Borrowed(row));
        }
    }
    out
}

fn head(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Writes a count with its noun: `1 file`, `3 files`.
pub(super) fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

/// Writes a count with a noun whose plural is not made with an s: `0 processes`.
pub(super) fn count_as(n: u32, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// Writes a number of bytes for people, in thousands: `812 B`, `18 kB`, `2.4 MB`.
pub(super) fn bytes(n: u64) -> String {
    match n {
        0..1_000 => format!("{n} B"),
        1_000..1_000_000 => format!("{} kB", n / 1_000),
        1_000_000.. => format!("{}.{} MB", n / 1_000_000, n / 100_000 % 10),
    }
}

/// Writes microseconds as milliseconds with one digit: `0.9 ms`.
pub(super) fn millis(us: u64) -> String {
    if us >= 100_000 { format!("{} ms", us / 1_000) } else { format!("{}.{} ms", us / 1_000, us / 100 % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_clusters_and_says_so() {
        assert_eq!(fit("limiter", 7), "limiter");
        assert_eq!(fit("limiter", 5), "limi…");
        assert_eq!(fit("a bcd", 3), "a…");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日…");
        assert_eq!(fit("x👩\u{200d}🔬y", 3), "x…");
        assert_eq!(fit("abc", 1), "…");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn wrapped_text_says_that_more_follows() {
        assert_eq!(wrap("one two three", 8, 2), ["one two", "three"]);
        assert_eq!(wrap("one two three four", 8, 2), ["one two", "three …"]);
        assert_eq!(wrap("", 8, 2), [""]);
    }

    proptest::proptest! {
        #[test]
        fn nothing_fitted_is_wider_than_asked(text in "\\PC{0,40}", columns in 0usize..30) {
            proptest::prop_assert!(width(&fit(&text, columns)) <= columns);
        }
    }
}
