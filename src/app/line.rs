//! One line of text being edited: the command line, a search, a reason.
//!
//! It must not know what the text is for. The cursor is a count of grapheme clusters, so that it never stands inside
//! an emoji or a combining mark.

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;

use super::key::Key;

/// Longest line accepted, in bytes; a paste beyond it is cut.
const LINE_MAX: usize = 2_000;

/// Text with a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Line {
    text: String,
    cursor: usize,
}

impl Line {
    /// Makes a line with the cursor at its end.
    pub fn new(text: &str) -> Self {
        let mut line = Self::default();
        line.insert(text);
        line
    }

    /// Returns the text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the part before the cursor.
    pub fn before_cursor(&self) -> &str {
        &self.text[..self.byte_of(self.cursor)]
    }

    /// Inserts text at the cursor: line breaks and tabs become spaces, other control characters are dropped.
    pub fn insert(&mut self, text: &str) {
        let clean: String = text
            .chars()
            .map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { c })
            .filter(|c| !c.is_control())
            .collect();
        let room = LINE_MAX.saturating_sub(self.text.len());
        let mut cut = clean.len().min(room);
        while !clean.is_char_boundary(cut) {
            cut -= 1;
        }
        let at = self.byte_of(self.cursor);
        self.text.insert_str(at, &clean[..cut]);
        // Count again from the start: what was inserted may have joined with its neighbours.
        self.cursor = self.text[..at + cut].graphemes(true).count();
    }

    /// Edits by a key. Returns whether the key belongs to a line editor.
    pub fn edit(&mut self, key: Key) -> bool {
        let last = self.text.graphemes(true).count();
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Left | Key::Ctrl('b') => self.cursor = self.cursor.saturating_sub(1),
            Key::Right | Key::Ctrl('f') => self.cursor = (self.cursor + 1).min(last),
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = last,
            Key::Backspace | Key::Ctrl('h') => {
                if self.cursor > 0 {
                    self.cut(self.cursor - 1, self.cursor);
                }
            }
            Key::Delete => self.cut(self.cursor, (self.cursor + 1).min(last)),
            Key::Ctrl('u') => self.cut(0, self.cursor),
            Key::Ctrl('k') => self.cut(self.cursor, last),
            Key::Ctrl('w') => self.cut(self.word_start(), self.cursor),
            Key::Ctrl(_)
            | Key::Alt(_)
            | Key::Enter
            | Key::Esc
            | Key::Tab
            | Key::BackTab
            | Key::Up
            | Key::Down
            | Key::PageUp
            | Key::PageDown
            | Key::F(_) => return false,
        }
        true
    }

    fn byte_of(&self, cluster: usize) -> usize {
        self.text.grapheme_indices(true).nth(cluster).map_or(self.text.len(), |(at, _)| at)
    }

    fn cut(&mut self, from: usize, to: usize) {
        let (start, end) = (self.byte_of(from), self.byte_of(to));
        self.text.replace_range(start..end, "");
        self.cursor = from;
    }

    fn word_start(&self) -> usize {
        let before: Vec<&str> = self.before_cursor().graphemes(true).collect();
        let word_end = before.iter().rposition(|g| *g != " ").map_or(0, |i| i + 1);
        before[..word_end].iter().rposition(|g| *g == " ").map_or(0, |i| i + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_by_whole_clusters() {
        let mut line = Line::new("plan 👩\u{200d}🔬e\u{301}");
        assert!(line.edit(Key::Backspace));
        assert_eq!(line.text(), "plan 👩\u{200d}🔬");
        line.edit(Key::Backspace);
        assert_eq!(line.text(), "plan ");
        line.edit(Key::Ctrl('w'));
        assert_eq!(line.text(), "");
        line.insert("a\nb\u{1b}c");
        assert_eq!(line.text(), "a bc");
        line.edit(Key::Home);
        line.edit(Key::Char('x'));
        assert_eq!((line.text(), line.before_cursor()), ("xa bc", "x"));
        assert!(!line.edit(Key::Enter));
    }

    proptest::proptest! {
        #[test]
        fn no_sequence_of_edits_breaks_the_line(texts in proptest::collection::vec("\\PC{0,6}", 0..6), keys in proptest::collection::vec(0usize..9, 0..40)) {
            let table = [Key::Left, Key::Right, Key::Home, Key::End, Key::Backspace, Key::Delete, Key::Ctrl('w'), Key::Ctrl('u'), Key::Ctrl('k')];
            let mut line = Line::default();
            for (i, key) in keys.iter().enumerate() {
                if let Some(text) = texts.get(i % 7) { line.insert(text); }
                line.edit(table[*key]);
                proptest::prop_assert!(line.before_cursor().len() <= line.text().len());
            }
        }
    }
}
