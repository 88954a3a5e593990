//! The canonical text of a verdict: what its hash is of.
//!
//! The same bytes as [`crate::domain::hash::canonical`] writes for exactly the fields of `dicast.verdict/1` without
//! `hash`, `recorded_at` and the artifacts' paths, but without building a tree of values first: a verdict of ten
//! thousand claims is sealed in milliseconds. It must not know which fields exist beyond those.

use serde::Serialize;

use super::reason::Reason;
use super::verdict::{Dissent, Judged, Merged, Verdict, Vote};
use crate::domain::claim::{Polarity, Value};
use crate::domain::hash::canonical;

/// Writes an object; its fields are given in the order of their names.
macro_rules! object {
    ($out:expr, $first:literal: $write_first:expr, $($name:literal: $write:expr),+ $(,)?) => {{
        $out.extend_from_slice(concat!("{\"", $first, "\":").as_bytes());
        $write_first;
        $(
            $out.extend_from_slice(concat!(",\"", $name, "\":").as_bytes());
            $write;
        )+
        $out.push(b'}');
    }};
}

/// Largest piece that is hashed at a time, in bytes: it stays in the cache.
const PIECE: usize = 32 << 10;

/// Hands the canonical text to `put`, piece by piece.
pub(super) fn seal(v: &Verdict, put: &mut dyn FnMut(&[u8])) {
    let mut text = Vec::with_capacity(2 * PIECE);
    let out = &mut text;
    object!(out,
        "agreements": texts(out, &v.agreements),
        "artifacts": list(out, &v.artifacts, |out, a| object!(out,
            "agent": text_of(out, a.agent.as_str()),
            "sha256": text_of(out, a.sha256.as_str()),
        )),
        "claims": list(out, &v.claims, |out, c| {
            claim(out, c);
            if out.len() >= PIECE {
                put(out);
                out.clear();
            }
        }),
        "conflicts": texts(out, &v.conflicts),
        "consensus_ok": leaf(out, &v.consensus_ok),
        "coverage": object!(out,
            "covered": leaf(out, &v.coverage.covered),
            "must": leaf(out, &v.coverage.must),
            "uncovered": texts(out, &v.coverage.uncovered),
        ),
        "degraded": leaf(out, &v.degraded),
        "exit": leaf(out, &v.exit),
        "families": object!(out,
            "expected": leaf(out, &v.families.expected),
            "ok": leaf(out, &v.families.ok),
        ),
        // Its maps hold foreign names, so they are sorted as RFC 8785 says.
        "inputs": out.extend(canonical(&v.inputs).unwrap_or_default().into_bytes()),
        "missing_agents": leaf(out, &v.missing_agents),
        "outcome": leaf(out, &v.outcome),
        "prompt_version": leaf(out, &v.prompt_version),
        "reasons": list(out, &v.reasons, reason),
        "required_fields_ok": leaf(out, &v.required_fields_ok),
        "schema": leaf(out, &v.schema),
        "spec_id": leaf(out, &v.spec_id),
        "stage": leaf(out, &v.stage),
        "status": leaf(out, &v.status),
    );
    put(&text);
}

fn claim(out: &mut Vec<u8>, c: &Judged) {
    object!(out,
        "dissent": list(out, &c.dissent, dissent),
        "key": text_of(out, c.key.as_str()),
        "kind": text_of(out, c.kind.name()),
        "label": text_of(out, c.label.name()),
        "merged_from": list(out, &c.merged_from, merged),
        "polarity": or_null(out, c.polarity.as_ref(), |out, p| sign(out, *p)),
        "predicate": text_of(out, &c.predicate),
        "severity": text_of(out, c.severity.name()),
        "subject": text_of(out, &c.subject),
        "tier": text_of(out, c.tier.name()),
        "value": or_null(out, c.value.as_ref(), value),
        "votes": list(out, &c.votes, vote),
    );
}

fn dissent(out: &mut Vec<u8>, d: &Dissent) {
    object!(out,
        "agent": text_of(out, d.agent.as_str()),
        "polarity": sign(out, d.polarity),
        "severity": text_of(out, d.severity.name()),
        "tier": text_of(out, d.tier.name()),
        "value": value(out, &d.value),
    );
}

fn merged(out: &mut Vec<u8>, m: &Merged) {
    object!(out, "key": text_of(out, m.key.as_str()), "subject": text_of(out, &m.subject));
}

fn vote(out: &mut Vec<u8>, v: &Vote) {
    object!(out,
        "agents": list(out, &v.agents, |out, agent| text_of(out, agent.as_str())),
        "family": text_of(out, v.family.as_str()),
        "polarity": sign(out, v.polarity),
        "value": value(out, &v.value),
    );
}

fn reason(out: &mut Vec<u8>, r: &Reason) {
    object!(out,
        "agents": leaf(out, &r.agents),
        "claims": list(out, &r.claims, |out, key| text_of(out, key.as_str())),
        "code": leaf(out, &r.code),
    );
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn or_null<T>(out: &mut Vec<u8>, item: Option<&T>, write: impl Fn(&mut Vec<u8>, &T)) {
    match item {
        Some(item) => write(out, item),
        None => out.extend_from_slice(b"null"),
    }
}

fn texts(out: &mut Vec<u8>, texts: &[String]) {
    list(out, texts, |out, text| text_of(out, text));
}

fn value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Text(text) => text_of(out, text),
        Value::Set(members) => texts(out, members),
    }
}

fn sign(out: &mut Vec<u8>, polarity: Polarity) {
    out.extend_from_slice(match polarity {
        Polarity::Yes => b"1",
        Polarity::No => b"-1",
    });
}

/// Writes a text. Most need no escape, and go as they are.
fn text_of(out: &mut Vec<u8>, text: &str) {
    if is_plain(text.as_bytes()) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        leaf(out, &text);
    }
}

/// Tells whether JSON needs no escape for it: no control character, quotation mark or backslash. Eight bytes at a
/// time; for a byte x, `(x − n) & !x & 0x80` is set if x < n, and only above such a byte can it be set wrongly.
fn is_plain(text: &[u8]) -> bool {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const TOP: u64 = EACH << 7;
    let below = |word: u64, n: u64| word.wrapping_sub(EACH * n) & !word & TOP;
    let has_special = |word: u64| {
        let quote = below(word ^ (EACH * u64::from(b'"')), 1);
        let backslash = below(word ^ (EACH * u64::from(b'\\')), 1);
        below(word, u64::from(b' ')) | quote | backslash != 0
    };
    let (words, rest) = text.as_chunks::<8>();
    !words.iter().any(|word| has_special(u64::from_ne_bytes(*word)))
        && !rest.iter().any(|&byte| byte < b' ' || matches!(byte, b'"' | b'\\'))
}

/// Writes a text, number, name or list of these: serde_json's compact form of them is the canonical one.
fn leaf(out: &mut Vec<u8>, value: &impl Serialize) {
    // Texts, integers and booleans always have a writing, and memory takes every byte.
    let _ = serde_json::to_writer(out, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_text_is_written_as_serde_json_writes_it(text in "(?s).{0,24}|[a-z\"\\\\\u{1}\u{1f} ]{0,24}") {
            let mut ours = Vec::new();
            text_of(&mut ours, &text);
            proptest::prop_assert_eq!(String::from_utf8(ours).unwrap(), serde_json::to_string(&text).unwrap());
        }
    }

    #[test]
    fn a_special_byte_is_seen_at_every_place() {
        for place in 0..24 {
            for special in [0, 1, 0x1f, b'"', b'\\'] {
                let mut text = [b'\x7f'; 24];
                text[place] = special;
                assert!(!is_plain(&text), "{special} at {place}");
            }
        }
        assert!(is_plain("visible, \u{7f}, and beyond ASCII: é日".as_bytes()));
    }
}
