//! Where in a text an artifact may stand.
//!
//! It must not know stages or topics. Everything here takes time linear in the text and no stack.

use std::borrow::Cow;
use std::cmp::Reverse;
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

/// How many times the length of a text is walked, at most, from the places where the schema's name stands. Honest
/// answers need one: the name stands once, and the walk is the object.
const WALK_MAX: usize = 4;

/// How many objects that bear the schema's name are tried, the last first: an answer holds one, with perhaps a few drafts
/// and examples before it.
const NAMED_MAX: usize = 1_000;

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
/// objects that bear the schema's name from the last to the first, wherever they start, then the last object of any name
/// (it gives the best reason).
pub(super) fn ladder<'t>(text: &'t str, schema: &str) -> Vec<&'t str> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    if text.starts_with('{') {
        ranges.push(0..text.len());
    }
    ranges.extend(last_fenced(text));
    // Some writers escape slashes.
    let names = [schema, &schema.replace('/', r"\/")];
    let objects = objects(text, &names);
    let mut named = around(text, &names);
    named.extend(objects.named);
    // The last first; of two that end together the larger one.
    named.sort_unstable_by_key(|range| (Reverse(range.end), range.start));
    named.dedup();
    ranges.extend(named.into_iter().take(NAMED_MAX));
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
    let shas: BTreeSet<Sha> = around(prompt, &OURS)
        .into_iter()
        .chain(objects.named)
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

/// Returns the objects of whose own level one of the names is a text, whatever stands before them: broken JSON, an odd
/// quote, an open fence. From each name it walks back to the brace that opens, and from there forward to the one that
/// closes; both walks are exact if the object is JSON, and the last names are walked from first.
fn around(text: &str, names: &[&str]) -> Vec<Range<usize>> {
    let quoted: BTreeSet<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let mut places: Vec<usize> = quoted.iter().flat_map(|name| text.match_indices(name).map(|(at, _)| at)).collect();
    places.sort_unstable();
    let mut left = text.len().saturating_mul(WALK_MAX);
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    for at in places.into_iter().rev() {
        let range = opening_brace(bytes, at, &mut left)
            .and_then(|start| closing_brace(bytes, start, &mut left).map(|end| start..end + 1));
        found.extend(range);
        if left == 0 {
            break;
        }
    }
    found
}

/// Walks back from the quote that opens a text to the brace that opens its object. Every step is taken from `left`.
fn opening_brace(bytes: &[u8], from: usize, left: &mut usize) -> Option<usize> {
    let (mut at, mut inside) = (from, 0_usize);
    while at > 0 && *left > 0 {
        at -= 1;
        *left -= 1;
        match bytes.get(at)? {
            b'"' => at = opening_quote(bytes, at, left)?,
            b'}' | b']' => inside += 1,
            b'{' if inside == 0 => return Some(at),
            b'{' | b'[' => inside = inside.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// Walks back from the quote that closes a text to the one that opens it: the first that no backslash escapes.
fn opening_quote(bytes: &[u8], closing: usize, left: &mut usize) -> Option<usize> {
    let mut at = closing;
    while at > 0 && *left > 0 {
        at -= 1;
        *left -= 1;
        match bytes.get(at)? {
            // JSON texts hold no raw line break.
            b'\n' => return None,
            b'"' => {
                let escapes = bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
                *left = left.saturating_sub(escapes);
                if escapes.is_multiple_of(2) {
                    return Some(at);
                }
                at -= escapes;
            }
            _ => {}
        }
    }
    None
}

/// Walks from the brace that opens an object to the one that closes it. Every step is taken from `left`.
fn closing_brace(bytes: &[u8], from: usize, left: &mut usize) -> Option<usize> {
    let (mut at, mut inside) = (from, 0_usize);
    while *left > 0 {
        match bytes.get(at)? {
            b'"' => {
                let end = closing_quote(bytes, at + 1);
                *left = left.saturating_sub(end.unwrap_or_else(|line_end| line_end).saturating_sub(at));
                at = end.ok()?;
            }
            b'{' | b'[' => inside += 1,
            b'}' | b']' => {
                inside -= 1;
                if inside == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
        *left = left.saturating_sub(1);
    }
    None
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
            // An escaped line break is none either.
            b'\\' if bytes.get(at + 1) != Some(&b'\n') => at += 2,
            b'\n' => return Err(at),
            _ => at += 1,
        }
    }
    Err(bytes.len())
}
