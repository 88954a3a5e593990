//! The canonical text of a verdict: what its hash is of.
//!
//! The same bytes as [`crate::domain::hash::canonical`] writes for exactly the fields of `dicast.verdict/1` without
//! `hash`, `recorded_at` and the artifacts' paths, but without building a tree of values first: a verdict of ten
//! thousand claims is sealed in milliseconds. It must not know which fields exist beyond those.

use serde::Serialize;

use super::reason::Reason;
use super::verdict::{Dissent, Judged, Merged, Verdict, Vote};
use crate::domain::hash::canonical;

/// Writes an object; its fields are given in the order of their names.
macro_rules! object {
    ($out:expr, $($name:literal: $write:expr),+ $(,)?) => {{
        let mut lead = b'{';
        $(
            $out.push(std::mem::replace(&mut lead, b','));
            $out.extend_from_slice(concat!("\"", $name, "\":").as_bytes());
            $write;
        )+
        let _ = lead;
        $out.push(b'}');
    }};
}

/// Returns the canonical text.
pub(super) fn sealed(v: &Verdict) -> Vec<u8> {
    let mut text = Vec::with_capacity(256 + 512 * v.claims.len());
    let out = &mut text;
    object!(out,
        "agreements": leaf(out, &v.agreements),
        "artifacts": list(out, &v.artifacts, |out, a| object!(out,
            "agent": leaf(out, &a.agent),
            "sha256": leaf(out, &a.sha256),
        )),
        "claims": list(out, &v.claims, claim),
        "conflicts": leaf(out, &v.conflicts),
        "consensus_ok": leaf(out, &v.consensus_ok),
        "coverage": object!(out,
            "covered": leaf(out, &v.coverage.covered),
            "must": leaf(out, &v.coverage.must),
            "uncovered": leaf(out, &v.coverage.uncovered),
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
    text
}

fn claim(out: &mut Vec<u8>, c: &Judged) {
    object!(out,
        "dissent": list(out, &c.dissent, dissent),
        "key": leaf(out, &c.key),
        "kind": leaf(out, &c.kind),
        "label": leaf(out, &c.label),
        "merged_from": list(out, &c.merged_from, merged),
        "polarity": leaf(out, &c.polarity),
        "predicate": leaf(out, &c.predicate),
        "severity": leaf(out, &c.severity),
        "subject": leaf(out, &c.subject),
        "tier": leaf(out, &c.tier),
        "value": leaf(out, &c.value),
        "votes": list(out, &c.votes, vote),
    );
}

fn dissent(out: &mut Vec<u8>, d: &Dissent) {
    object!(out,
        "agent": leaf(out, &d.agent),
        "polarity": leaf(out, &d.polarity),
        "severity": leaf(out, &d.severity),
        "tier": leaf(out, &d.tier),
        "value": leaf(out, &d.value),
    );
}

fn merged(out: &mut Vec<u8>, m: &Merged) {
    object!(out, "key": leaf(out, &m.key), "subject": leaf(out, &m.subject));
}

fn vote(out: &mut Vec<u8>, v: &Vote) {
    object!(out,
        "agents": leaf(out, &v.agents),
        "family": leaf(out, &v.family),
        "polarity": leaf(out, &v.polarity),
        "value": leaf(out, &v.value),
    );
}

fn reason(out: &mut Vec<u8>, r: &Reason) {
    object!(out, "agents": leaf(out, &r.agents), "claims": leaf(out, &r.claims), "code": leaf(out, &r.code));
}

fn list<T>(out: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Writes a text, number, name or list of these: serde_json's compact form of them is the canonical one.
fn leaf(out: &mut Vec<u8>, value: &impl Serialize) {
    // Texts, integers and booleans always have a writing, and memory takes every byte.
    let _ = serde_json::to_writer(out, value);
}
