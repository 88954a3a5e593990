//! Foreign text made harmless: the only type of text from specs, agents, servers and file names that reaches a
//! screen, a plain line or the log.
//!
//! It must not know widths or colours.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Text without control characters, escape sequences, bidirectional overrides or invisible formatting. What was
/// there is shown: `ESC` as `␛`, a bidi override as `⟨U+202E⟩`, a tab as a space.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Safe(String);

impl Safe {
    /// Cleans one line: line breaks become spaces as well.
    pub fn line(text: &str) -> Self {
        Self(clean(text, false))
    }

    /// Cleans a text of several lines: line breaks stay (`\r\n` and a lone `\r` become `\n`).
    pub fn block(text: &str) -> Self {
        Self(clean(text, true))
    }

    /// Returns the clean text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn clean(text: &str, keep_breaks: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        // Nearly all of nearly every text needs nothing: it is copied in runs, because floods come through here.
        let plain = rest.bytes().position(|byte| !matches!(byte, b' '..=b'~')).unwrap_or(rest.len());
        out.push_str(&rest[..plain]);
        rest = &rest[plain..];
        let Some(c) = rest.chars().next() else { return out };
        rest = &rest[c.len_utf8()..];
        match c {
            '\r' | '\n' | '\u{2028}' | '\u{2029}' => {
                if c == '\r' {
                    rest = rest.strip_prefix('\n').unwrap_or(rest);
                }
                out.push(if keep_breaks { '\n' } else { ' ' });
            }
            '\t' => out.push(' '),
            // The picture of a control character: U+2400 + its code.
            '\0'..='\u{1f}' => out.extend(char::from_u32(0x2400 + u32::from(c))),
            '\u{7f}' => out.push('␡'),
            // C1 controls: some terminals obey them like ESC sequences.
            '\u{80}'..='\u{9f}' => shown(c, &mut out),
            _ if is_invisible(c) => shown(c, &mut out),
            _ => out.push(c),
        }
    }
}

/// Bidirectional controls, tags, and formatting characters that make a text look like another one. The zero-width
/// joiner and variation selectors stay: emoji and several scripts need them.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' | '\u{ad}')
}

fn shown(c: char, out: &mut String) {
    out.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
}

impl From<String> for Safe {
    fn from(text: String) -> Self {
        Self::block(&text)
    }
}

impl From<&str> for Safe {
    fn from(text: &str) -> Self {
        Self::block(text)
    }
}

impl From<Safe> for String {
    fn from(text: Safe) -> String {
        text.0
    }
}

impl fmt::Display for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_shown_not_sent() {
        assert_eq!(Safe::line("\u{1b}]52;c;aGk=\u{7}x\u{9b}2J").as_str(), "␛]52;c;aGk=␇x⟨U+009B⟩2J");
        assert_eq!(Safe::line("a\u{202e}b\u{2066}").as_str(), "a⟨U+202E⟩b⟨U+2066⟩");
        assert_eq!(Safe::line("a\r\nb\tc").as_str(), "a b c");
        assert_eq!(Safe::block("a\r\nb\rc\n").as_str(), "a\nb\nc\n");
        assert_eq!(Safe::line("né 👩\u{200d}🔬 日本").as_str(), "né 👩\u{200d}🔬 日本");
    }

    proptest::proptest! {
        #[test]
        fn nothing_unsafe_is_left_and_cleaning_again_changes_nothing(text in "\\PC*|(?s).*") {
            let safe = Safe::block(&text);
            let ok = safe.as_str().chars().all(|c| c == '\n' || !(c.is_control() || is_invisible(c)));
            proptest::prop_assert!(ok);
            proptest::prop_assert_eq!(Safe::block(safe.as_str()), safe);
        }
    }
}
