//! The hash chain: JSON lines of which each names the hash of the one before it, so that a changed, removed, moved or
//! foreign line is found offline.
//!
//! A line is the RFC 8785 writing of `{"at","prev","seq","type",…}` with one more member put at its end:
//! `,"hash":"<sha256 of that writing>"}`. Taking the member away with `sed` gives the bytes that `sha256sum` hashes.
//!
//! It must not know files or what the records mean.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::hash::{NotCanonical, Sha, canonical};
use super::super::ids::{RunId, SpecId};
use super::super::moment::Moment;

/// Members of a line that belong to the chain; a record must not use these names.
const RESERVED: [&str; 4] = ["seq", "at", "prev", "hash"];

/// How many NUL bytes in a row mark a block that was never written. A flipped bit makes one; a hole makes hundreds.
const HOLE: usize = 8;

/// The end of a chain: what the next line must name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Number of the last line, 0 before the first.
    pub seq: u64,
    /// Hash of the last line; before the first, the hash of the chain's name.
    pub hash: Sha,
}

/// Why a record cannot become a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unlinkable {
    /// It has no canonical writing.
    #[error(transparent)]
    NotCanonical(#[from] NotCanonical),
    /// It is not an object with a `type`.
    #[error("a record must be an object with a `type`")]
    NotARecord,
    /// It uses a name that belongs to the chain.
    #[error("a record must not have a member `{0}`")]
    Reserved(String),
}

impl Head {
    /// Returns where the journal of a run begins. The name is hashed in, so that the journal of another run in its
    /// place is found.
    pub fn of_run(spec: &SpecId, run: &RunId) -> Self {
        Self { seq: 0, hash: Sha::of(format!("dicast.journal/1 {spec} {run}")) }
    }

    /// Returns where the ledger of a spec begins.
    pub fn of_ledger(spec: &SpecId) -> Self {
        Self { seq: 0, hash: Sha::of(format!("dicast.ledger/1 {spec}")) }
    }

    /// Writes the next line (with its line break) and returns it with the new head.
    ///
    /// # Errors
    /// [`Unlinkable`] when the record is no object with a `type`, holds a float, or uses a name of the chain.
    pub fn link(&self, at: Moment, record: &impl Serialize) -> Result<(String, Head), Unlinkable> {
        let value = serde_json::to_value(record).map_err(|e| NotCanonical::NotJson(e.to_string()))?;
        let Value::Object(mut members) = value else { return Err(Unlinkable::NotARecord) };
        if !members.get("type").is_some_and(Value::is_string) {
            return Err(Unlinkable::NotARecord);
        }
        if let Some(name) = RESERVED.into_iter().find(|name| members.contains_key(*name)) {
            return Err(Unlinkable::Reserved(name.to_owned()));
        }
        let seq = self.seq + 1;
        members.insert("seq".into(), seq.into());
        members.insert("at".into(), at.0.into());
        members.insert("prev".into(), self.hash.as_str().into());
        let mut line = canonical(&members)?;
        let hash = Sha::of(&line);
        line.pop();
        line.push_str(&ending(&hash));
        line.push('\n');
        Ok((line, Head { seq, hash }))
    }
}

fn ending(hash: &Sha) -> String {
    format!(",\"hash\":\"{hash}\"}}")
}

/// One line that fits its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number, from 1.
    pub seq: u64,
    /// When it was written.
    pub at: Moment,
    /// Its hash.
    pub hash: Sha,
    /// The record, without the chain's members.
    pub record: Map<String, Value>,
}

/// A chain as read from bytes: the lines that fit, up to the first that does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The lines that fit.
    pub links: Vec<Link>,
    /// The end of those lines.
    pub head: Head,
    /// Their length in bytes.
    pub length: u64,
    /// What comes after them.
    pub tail: Tail,
}

/// What comes after the lines that fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Whole,
    /// The remains of a write that was cut off: it was never acknowledged and may be cut.
    Torn {
        /// How many bytes.
        bytes: u64,
    },
    /// Lines that somebody changed, removed or moved.
    Broken(Vec<Break>),
}

/// One place where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// Line number in the file, from 1.
    pub line: u64,
    /// What happened to it.
    pub kind: BreakKind,
    /// In words.
    pub why: String,
}

/// What happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakKind {
    /// Its bytes do not match its hash, or it does not follow the line before it.
    Altered,
    /// Lines before it are gone.
    Missing,
    /// It stands in another place than it was written.
    Reordered,
}

impl Chain {
    /// Reads a chain that begins at `genesis`.
    ///
    /// A last line without its line break, or a line with a hole in it (blocks that never reached the disk), is torn,
    /// with everything after it: a sync covers all that was written before, so nothing after a hole was acknowledged.
    pub fn read(genesis: Head, bytes: &[u8]) -> Self {
        let mut chain = Chain { links: Vec::new(), head: genesis, length: 0, tail: Tail::Whole };
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, after) = split_line(rest);
            let link = match line.map(parse) {
                Some(Ok((link, prev))) if link.seq == chain.head.seq + 1 && prev == chain.head.hash => link,
                Some(_) | None => {
                    chain.tail = tail(&chain.head, rest);
                    break;
                }
            };
            chain.head = Head { seq: link.seq, hash: link.hash.clone() };
            chain.length += (rest.len() - after.len()) as u64;
            chain.links.push(link);
            rest = after;
        }
        chain
    }

    /// Reads the records of the lines that fit.
    ///
    /// # Errors
    /// The number of the first line whose record is not a `T`, with the reason (a newer version may have written it).
    pub fn records<T: DeserializeOwned>(&self) -> Result<Vec<(Moment, T)>, (u64, String)> {
        self.links
            .iter()
            .map(|link| {
                serde_json::from_value(Value::Object(link.record.clone()))
                    .map(|record| (link.at, record))
                    .map_err(|e| (link.seq, e.to_string()))
            })
            .collect()
    }
}

/// Splits off the first line; `None` when it has no line break.
fn split_line(bytes: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match bytes.iter().position(|b| *b == b'\n') {
        Some(end) => (Some(&bytes[..end]), &bytes[end + 1..]),
        None => (None, &[]),
    }
}

/// Reads one line and checks it against its own hash; returns it with the hash that it follows.
fn parse(line: &[u8]) -> Result<(Link, Sha), &'static str> {
    let text = std::str::from_utf8(line).map_err(|_| "it is not text")?;
    let Ok(Value::Object(mut members)) = serde_json::from_str(text) else { return Err("it is not a JSON object") };
    let mut word = |name: &str| match members.remove(name) {
        Some(Value::String(text)) => Ok(Sha(text.into())),
        Some(_) | None => Err("it lacks a hash"),
    };
    let (hash, prev) = (word("hash")?, word("prev")?);
    let mut number = |name: &str| members.remove(name).and_then(|v| v.as_u64()).ok_or("it lacks a number");
    let (seq, at) = (number("seq")?, Moment(number("at")?));
    let body = text.strip_suffix(&ending(&hash)).ok_or("its hash does not stand at its end")?;
    if Sha::of(format!("{body}}}")) != hash {
        return Err("its bytes do not match its hash");
    }
    Ok((Link { seq, at, hash, record: members }, prev))
}

/// Says what a part of a file is whose first line does not fit after `head`.
fn tail(head: &Head, rest: &[u8]) -> Tail {
    match split_line(rest).0 {
        Some(line) if !line.windows(HOLE).any(|w| w.iter().all(|b| *b == 0)) => Tail::Broken(breaks(head, rest)),
        Some(_) | None => Tail::Torn { bytes: rest.len() as u64 },
    }
}

fn breaks(head: &Head, mut rest: &[u8]) -> Vec<Break> {
    let mut lines = Vec::new();
    while let (Some(line), after) = split_line(rest) {
        lines.push(parse(line));
        rest = after;
    }
    let stands_later = |seq: u64, from: usize| lines[from..].iter().flatten().any(|(link, _)| link.seq == seq);
    let mut found = Vec::new();
    let (mut expected, mut before) = (head.seq + 1, Some(&head.hash));
    for (i, parsed) in lines.iter().enumerate() {
        let mut note = |kind, why: String| found.push(Break { line: head.seq + 1 + i as u64, kind, why });
        match parsed {
            Err(why) => {
                note(BreakKind::Altered, (*why).to_owned());
                (expected, before) = (expected + 1, None);
            }
            Ok((link, _)) if link.seq < expected => {
                note(BreakKind::Reordered, format!("entry {} stands after entry {}", link.seq, expected - 1));
                before = None;
            }
            Ok((link, prev)) => {
                if link.seq > expected && stands_later(expected, i + 1) {
                    note(BreakKind::Reordered, format!("entry {} stands before entry {expected}", link.seq));
                } else if link.seq > expected {
                    note(BreakKind::Missing, format!("entries {expected} to {} are gone", link.seq - 1));
                } else if before.is_some_and(|hash| hash != prev) {
                    note(BreakKind::Altered, format!("entry {} does not follow what stands before it", link.seq));
                }
                (expected, before) = (link.seq + 1, Some(&link.hash));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn genesis() -> Head {
        Head::of_ledger(&SpecId::new("001-x").unwrap())
    }

    fn written(count: u64) -> Vec<String> {
        let mut head = genesis();
        (0..count)
            .map(|i| {
                let (line, next) = head.link(Moment(1_000 + i), &json!({"type": "note", "n": i})).unwrap();
                head = next;
                line
            })
            .collect()
    }

    fn kinds(lines: &[String]) -> Vec<(u64, BreakKind)> {
        match Chain::read(genesis(), lines.concat().as_bytes()).tail {
            Tail::Broken(breaks) => breaks.iter().map(|b| (b.line, b.kind)).collect(),
            Tail::Whole | Tail::Torn { .. } => Vec::new(),
        }
    }

    #[test]
    fn a_line_has_golden_bytes_that_sha256sum_can_check() {
        // Both hashes were made with sha256sum: of `dicast.ledger/1 001-x`, and of the line without its hash.
        let (line, head) = genesis().link(Moment(5), &json!({"type": "note", "z": "é\n"})).unwrap();
        assert_eq!(
            line,
            concat!(
                r#"{"at":5,"prev":"3ae4606194369aeb9f180be313159ceeccb4b181c9d3aae89c3e91a198d63a59","seq":1,"type":"note","z":"é\n","#,
                r#""hash":"bef41b318bf15b008582259031ebdb9b6e52a6638b481b83fe980fd405d56e6e"}"#,
                "\n"
            )
        );
        assert_eq!(head.seq, 1);
    }

    #[test]
    fn what_was_written_is_read_back() {
        let lines = written(5);
        let chain = Chain::read(genesis(), lines.concat().as_bytes());
        assert_eq!((chain.tail, chain.head.seq, chain.length), (Tail::Whole, 5, lines.concat().len() as u64));
        assert_eq!(chain.links[4].record, *json!({"type": "note", "n": 4}).as_object().unwrap());
        assert_eq!(chain.links[4].at, Moment(1_004));
    }

    #[test]
    fn records_cannot_take_the_names_of_the_chain() {
        assert_eq!(
            genesis().link(Moment(0), &json!({"type": "x", "hash": 1})),
            Err(Unlinkable::Reserved("hash".into()))
        );
        assert_eq!(genesis().link(Moment(0), &json!([1])), Err(Unlinkable::NotARecord));
        assert_eq!(genesis().link(Moment(0), &json!({"n": 1})), Err(Unlinkable::NotARecord));
        assert!(genesis().link(Moment(0), &json!({"type": "x", "n": 0.5})).is_err());
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let lines = written(3);
        let whole = lines.concat().into_bytes();
        for i in 0..whole.len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[i] ^= 1 << bit;
                let chain = Chain::read(genesis(), &bytes);
                // Only the very last byte, the line break, cannot be told from a write that was cut off.
                match chain.tail {
                    Tail::Broken(breaks) => assert!(!breaks.is_empty()),
                    Tail::Torn { .. } => assert_eq!(i, whole.len() - 1),
                    Tail::Whole => panic!("byte {i} bit {bit} was not found"),
                }
            }
        }
    }

    #[test]
    fn a_cut_at_any_byte_leaves_the_lines_before_it() {
        let lines = written(3);
        let whole = lines.concat();
        for cut in 0..whole.len() {
            let chain = Chain::read(genesis(), &whole.as_bytes()[..cut]);
            let fits: usize = lines
                .iter()
                .scan(0, |end, line| {
                    *end += line.len();
                    Some(*end)
                })
                .filter(|end| *end <= cut)
                .count();
            assert_eq!(chain.links.len(), fits);
            assert!(!matches!(chain.tail, Tail::Broken(_)), "a cut is not an alteration");
        }
    }

    #[test]
    fn a_hole_is_torn_with_everything_after_it() {
        let lines = written(3);
        let holed = format!("{}{}{}", lines[0], "\0".repeat(lines[1].len()), lines[2]);
        let chain = Chain::read(genesis(), holed.as_bytes());
        assert_eq!(chain.links.len(), 1);
        assert_eq!(chain.tail, Tail::Torn { bytes: (lines[1].len() + lines[2].len()) as u64 });
    }

    #[test]
    fn removed_moved_and_foreign_lines_are_told_apart() {
        let lines = written(5);
        let pick = |order: &[usize]| order.iter().map(|i| lines[*i].clone()).collect::<Vec<_>>();
        assert_eq!(kinds(&pick(&[0, 1, 3, 4])), [(3, BreakKind::Missing)]);
        assert_eq!(kinds(&pick(&[1, 2])), [(1, BreakKind::Missing)]);
        assert_eq!(kinds(&pick(&[0, 2, 1, 3, 4])), [(2, BreakKind::Reordered), (3, BreakKind::Reordered)]);
        assert_eq!(kinds(&pick(&[0, 1, 1, 2])), [(3, BreakKind::Reordered)]);
        let foreign = Head::of_ledger(&SpecId::new("002-y").unwrap());
        let (line, _) = foreign.link(Moment(1), &json!({"type": "note"})).unwrap();
        assert_eq!(kinds(&[line]), [(1, BreakKind::Altered)]);
        let (relinked, _) = genesis().link(Moment(1), &json!({"type": "note", "n": "other"})).unwrap();
        assert_eq!(kinds(&[relinked, lines[1].clone(), lines[2].clone()]), [(2, BreakKind::Altered)]);
    }
}
