//! What an answer changes in a text: one line becomes others, or none.
//!
//! It must not know files: it is given their text and gives it back.

use serde::{Deserialize, Serialize};

use crate::domain::failure::Failure;

/// A change of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// The document, relative to the repository.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What stands there.
    pub was: String,
    /// What it becomes; nothing takes the line away.
    pub becomes: Vec<String>,
}

/// Where an answer in own words goes: into one line, between these words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The document, relative to the repository.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// What stands there.
    pub was: String,
    /// Whole lines that stay before the answer's line.
    pub above: Vec<String>,
    /// What stands before the answer.
    pub head: String,
    /// What stands after it.
    pub tail: String,
}

impl Slot {
    /// Puts an answer in. Line breaks in it become spaces: it is one line of the spec.
    pub fn edit(&self, answer: &str) -> Edit {
        let answer = answer.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut becomes = self.above.clone();
        becomes.push(format!("{}{answer}{}", self.head, self.tail));
        Edit { file: self.file.clone(), line: self.line, was: self.was.clone(), becomes }
    }
}

/// The exit code where a text is not what an answer was made for.
const CHANGED: u8 = 10;

impl Edit {
    /// Changes a text. Line ends, a byte order mark and everything else stay as they are.
    ///
    /// # Errors
    /// Exit 10 when the line is not what it was.
    pub fn apply(&self, text: &str) -> Result<String, Failure> {
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        let at = usize::try_from(self.line).unwrap_or(usize::MAX).wrapping_sub(1);
        let Some(line) = lines.get(at).filter(|line| body(line, at) == self.was) else {
            return Err(Failure::BadInput {
                place: format!("{}:{}", self.file, self.line),
                why: "the line was changed meanwhile".into(),
                next: "look at the question again: it is asked anew of what stands there now".into(),
                exit: CHANGED,
            });
        };
        let mark = if at == 0 && line.starts_with(MARK) { "\u{feff}" } else { "" };
        let end = if line.ends_with("\r\n") {
            "\r\n"
        } else if line.ends_with('\n') || self.becomes.is_empty() {
            "\n"
        } else {
            ""
        };
        let between = match end {
            "" if text.contains("\r\n") => "\r\n",
            "" => "\n",
            _ => end,
        };
        let mut out = lines[..at].concat();
        if !self.becomes.is_empty() {
            out.push_str(mark);
            out.push_str(&self.becomes.join(between));
            out.push_str(end);
        }
        out.extend(lines[at + 1..].iter().copied());
        Ok(out)
    }

    /// Returns the change as lines of a diff: `- ` what goes, `+ ` what comes.
    pub fn diff(&self) -> Vec<String> {
        let is_kept = |line: &String| *line == self.was;
        let gone = (!self.becomes.iter().any(is_kept)).then(|| format!("- {}", self.was));
        let come = self.becomes.iter().filter(|line| !is_kept(line)).map(|line| format!("+ {line}"));
        gone.into_iter().chain(come).collect()
    }
}

/// The byte order mark that may stand before the first line.
const MARK: char = '\u{feff}';

/// Returns a line without its end, and the first one without the mark.
fn body(line: &str, at: usize) -> &str {
    let line = if at == 0 { line.strip_prefix(MARK).unwrap_or(line) } else { line };
    line.strip_suffix("\r\n").or_else(|| line.strip_suffix('\n')).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(line: u32, was: &str, becomes: &[&str]) -> Edit {
        let becomes = becomes.iter().map(|line| (*line).to_owned()).collect();
        Edit { file: "spec.md".into(), line, was: was.into(), becomes }
    }

    #[test]
    fn an_edit_changes_its_line_and_nothing_else() {
        let text = "\u{feff}a\r\nb\r\n\r\nc";
        assert_eq!(edit(2, "b", &["x", "y"]).apply(text).unwrap(), "\u{feff}a\r\nx\r\ny\r\n\r\nc");
        assert_eq!(edit(1, "a", &["x"]).apply(text).unwrap(), "\u{feff}x\r\nb\r\n\r\nc");
        assert_eq!(edit(4, "c", &["c", "d"]).apply(text).unwrap(), "\u{feff}a\r\nb\r\n\r\nc\r\nd");
        assert_eq!(edit(2, "b", &[]).apply(text).unwrap(), "\u{feff}a\r\n\r\nc");
    }

    #[test]
    fn an_edit_of_a_line_that_changed_is_refused() {
        for (line, was) in [(2, "other"), (9, ""), (0, "")] {
            let failure = edit(line, was, &["x"]).apply("a\nb\n").unwrap_err();
            assert_eq!(failure.exit(), 10, "{line}");
        }
    }

    #[test]
    fn a_slot_takes_an_answer_as_one_line() {
        let slot = Slot {
            file: "s.md".into(),
            line: 1,
            was: "a [?] b".into(),
            above: Vec::new(),
            head: "a ".into(),
            tail: " b".into(),
        };
        let edit = slot.edit("  20\nor\tmore ");
        assert_eq!(edit.becomes, ["a 20 or more b"]);
        assert_eq!(edit.diff(), ["- a [?] b", "+ a 20 or more b"]);
    }
}
