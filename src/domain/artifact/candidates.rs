//! Where in a text an artifact may stand.
//!
//! It must not know stages or topics. Everything here takes time linear in the text and no stack.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use crate::domain::hash::{Sha, canonical};

/// The name that an artifact bears in its `schema` field.
pub(super) const ARTIFACT: &str = "dicast.artifact/1";

/// Names that an object may bear which we send: the ask, and examples of an answer.
const OURS: [&str; 4] = [ARTIFACT, r"dicast.artifact\/1", "dicast.ask/1", "dicast.round/1"];

/// Deepest nesting that is looked into: serde_json refuses more than 128 levels of its own.
const DEPTH_MAX: usize = 256;

/// How many times the length of a text its candidates may add up to; nested ones beyond that are not tried. Honest
/// answers stay under 4.
const WORK_MAX: usize = 16;

/// Removes terminal escape sequences and control characters other than line breaks and tabs.
pub(super) fn strip_controls(text: &str) -> Cow<'_, str> {
    let is_dropped = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    if !text.contains(is_dropped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let introducer = match c {
            '\u{1b}' => chars.next_if(|next| !next.is_control()),
            '\u{9b}' => Some('['),
            '\u{9d}' => Some(']'),
            _ => {
                if !is_dropped(c) {
                    out.push(c);
                }
                continue;
            }
        };
        match introducer {
            // CSI: parameters and intermediates, then one final byte (ECMA-48 §5.4).
            Some('[') => {
                while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
                chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
            }
            // OSC, DCS, SOS, PM, APC: a text up to BEL or ESC. A line break ends it too: it was never closed.
            Some(']' | 'P' | 'X' | '^' | '_') => while chars.next_if(|c| !c.is_control()).is_some() {},
            // A two- or three-character sequence, such as a choice of character set.
            Some('(' | ')' | '#' | ' ') => {
                chars.next_if(char::is_ascii_alphanumeric);
            }
            Some(_) | None => {}
        }
    }
    Cow::Owned(out)
}

/// Returns the places to look for an object of a schema, best first: the whole text, the last fenced JSON, then the
/// objects that bear the schema's name from the last to the first, then the last object of any name (it gives the best
/// reason).
pub(super) fn ladder<'t>(text: &'t str, schema: &str) -> Vec<&'t str> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    if text.starts_with('{') {
        ranges.push(0..text.len());
    }
    ranges.extend(last_fenced(text));
    // Some writers escape slashes.
    let objects = objects(text, &[schema, &schema.replace('/', r"\/")]);
    ranges.extend(objects.named.into_iter().rev());
    ranges.extend(objects.last);

    let mut seen = BTreeSet::new();
    let mut work = 0_usize;
    ranges
        .into_iter()
        .filter(|range| seen.insert((range.start, range.end)))
        .take_while(|range| {
            work = work.saturating_add(range.len());
            work <= text.len().saturating_mul(WORK_MAX)
        })
        .filter_map(|range| text.get(range))
        .collect()
}

/// Returns the hashes of all objects in a prompt that an answer could give back: the ask, schemas, and examples.
pub fn sent_objects(prompt: &str) -> Vec<Sha> {
    let objects = objects(prompt, &OURS);
    let shas: BTreeSet<Sha> = objects
        .named
        .into_iter()
        .chain(objects.last)
        .filter_map(|range| serde_json::from_str::<serde_json::Value>(prompt.get(range)?).ok())
        .filter_map(|value| canonical(&value).ok().map(Sha::of))
        .collect();
    shas.into_iter().collect()
}

/// The content of the last fenced block that starts with a brace. A block that is still open at the end counts.
fn last_fenced(text: &str) -> Option<Range<usize>> {
    let mut last = None;
    let mut open: Option<(char, usize, usize)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let Some((mark, length, rest)) = fence(line) else { continue };
        match open {
            None => open = Some((mark, length, at)),
            Some((opened_by, opened_with, content)) => {
                if mark == opened_by && length >= opened_with && rest.is_empty() {
                    last = trimmed(text, content..start).or(last);
                    open = None;
                }
            }
        }
    }
    match open {
        Some((_, _, content)) => trimmed(text, content..text.len()).or(last),
        None => last,
    }
}

/// Reads a line as a code fence: its mark, its length, and what follows (CommonMark §4.5).
fn fence(line: &str) -> Option<(char, usize, &str)> {
    let line = line.trim();
    let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let rest = line.trim_start_matches(mark);
    let length = line.len() - rest.len();
    (length >= 3 && !(mark == '`' && rest.contains('`'))).then_some((mark, length, rest.trim()))
}

fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let content = text.get(range.clone())?;
    let start = range.start + (content.len() - content.trim_start().len());
    let end = start + content.trim().len();
    (text.as_bytes().get(start) == Some(&b'{')).then_some(start..end)
}

/// Balanced objects of a text.
struct Objects {
    /// Those that hold one of the names as a text of their own (not of an object inside), by where they end.
    named: Vec<Range<usize>>,
    /// The one that ends last.
    last: Option<Range<usize>>,
}

/// Finds balanced objects in one pass. Quotes count only inside braces and only if they close on their line (JSON
/// texts hold no raw line break), so that an apostrophe or quote in prose does not hide what follows.
fn objects(text: &str, names: &[&str]) -> Objects {
    let bytes = text.as_bytes();
    let mut open: VecDeque<(usize, bool)> = VecDeque::new();
    let mut found = Objects { named: Vec::new(), last: None };
    // No quote before this place closes: already searched.
    let mut unclosed_until = 0;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' => {
                // What has more levels below it cannot be parsed: forget its start.
                if open.len() == DEPTH_MAX {
                    open.pop_front();
                }
                open.push_back((at, false));
            }
            b'}' => {
                if let Some((start, named)) = open.pop_back() {
                    if named {
                        found.named.push(start..at + 1);
                    }
                    found.last = Some(start..at + 1);
                }
            }
            b'"' if at >= unclosed_until => {
                if let Some(top) = open.back_mut() {
                    match closing_quote(bytes, at + 1) {
                        Ok(end) => {
                            top.1 |= text.get(at + 1..end).is_some_and(|word| names.contains(&word));
                            at = end;
                        }
                        Err(line_end) => unclosed_until = line_end,
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Returns where the text that starts here closes, or the end of its line.
fn closing_quote(bytes: &[u8], from: usize) -> Result<usize, usize> {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at),
            b'\\' => at += 2,
            b'\n' => return Err(at),
            _ => at += 1,
        }
    }
    Err(bytes.len())
}
