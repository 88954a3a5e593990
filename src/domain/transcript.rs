//! Transcripts as they are asked for and shown: a page of an agent's output, wrapped to a width.
//!
//! It must not know files: the transcript actor reads the lines.

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use super::run::SeatKey;
use super::safe::Safe;

/// Which page of a transcript is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageRequest {
    /// Whose transcript.
    pub seat: SeatKey,
    /// Columns to wrap to.
    pub width: u16,
    /// Rows wanted; ask for more than the screen shows to scroll without asking again.
    pub height: u16,
    /// Where the page starts.
    pub from: Anchor,
    /// Words to find, in any case.
    pub search: Option<String>,
}

/// Where a page starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "anchor", content = "line", rename_all = "snake_case")]
pub enum Anchor {
    /// The last rows.
    Tail,
    /// The first row of this line, from 0; the last rows if too few lines follow to fill the page.
    Line(u64),
}

/// A page of a transcript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Whose transcript.
    pub seat: SeatKey,
    /// The rows, at most as many as asked for.
    pub rows: Vec<Row>,
    /// The number of the first row's line, from 0.
    pub first: u64,
    /// How many lines the transcript has now.
    pub total: u64,
    /// Whether the last row is the transcript's last.
    pub at_end: bool,
    /// Numbers of the lines that hold the words searched for, ascending, at most [`MATCHES_MAX`].
    pub matches: Vec<u64>,
    /// How many lines hold them.
    pub match_count: u64,
}

/// One row of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The number of its line, from 0.
    pub line: u64,
    /// Whether it goes on from the row above.
    pub is_continued: bool,
    /// Its text, no wider than the page.
    pub text: Safe,
}

/// Most line numbers that a page lists as matches: more than anybody steps through.
pub const MATCHES_MAX: usize = 10_000;

/// Returns a transcript's path below the folder of all transcripts: `<run>/<stage>-<agent>-<attempt>.log`.
pub fn path_of(seat: &SeatKey) -> String {
    format!("{}/{}-{}-{}.log", seat.run, seat.stage, seat.agent, seat.attempt)
}

/// Cuts a line into pieces of at most `width` columns: after a space where one stands in the second half of the row,
/// else between characters as they are seen (graphemes). An empty line is one empty row.
pub fn wrap(line: &str, width: u16) -> Vec<&str> {
    let width = usize::from(width.max(1));
    let mut rows = Vec::new();
    let mut start = 0;
    let mut columns = 0;
    // Where the row could be cut after a space, and how wide it would be.
    let mut space: Option<(usize, usize)> = None;
    for (at, grapheme) in line.grapheme_indices(true) {
        let wide = grapheme.width();
        // Twice at most: what follows a cut after a space may still be too wide together with a wide character.
        while columns + wide > width && at > start {
            let (cut, kept) = match space {
                Some((cut, kept)) if kept * 2 >= width => (cut, kept),
                Some(_) | None => (at, columns),
            };
            rows.push(&line[start..cut]);
            start = cut;
            columns -= kept;
            space = None;
        }
        columns += wide;
        if grapheme == " " {
            space = Some((at + 1, columns));
        }
    }
    rows.push(&line[start..]);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wrap_after_spaces_and_between_wide_characters() {
        assert_eq!(wrap("", 10), [""]);
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrap("a bcdefghijklm", 8), ["a bcdefg", "hijklm"]);
        assert_eq!(wrap("日本語", 5), ["日本", "語"]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
        assert_eq!(wrap("e\u{301}e\u{301}x", 2), ["e\u{301}e\u{301}", "x"]);
    }

    proptest::proptest! {
        #[test]
        fn wrapping_loses_nothing_and_keeps_the_width(line in "[a-c 日é]{0,60}", width in 2u16..20) {
            let rows = wrap(&line, width);
            proptest::prop_assert_eq!(&rows.concat(), &line);
            proptest::prop_assert!(rows.iter().all(|row| row.width() <= usize::from(width)));
        }
    }
}
