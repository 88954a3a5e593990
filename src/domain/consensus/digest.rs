//! What a waiver signs: the digest of a claim's assertions as they stand.
//!
//! It must not know about waivers; it only says what was asserted, in a form that changes when anything does.

use super::panel::Panel;
use super::tally::{Bench, Claim, gather};
use crate::domain::hash::{Sha, canonical};

/// Returns the digest that a waiver of this key needs now: sha256 of the canonical JSON array of the claim's
/// assertions `[agent, kind, subject, predicate, value, polarity, severity, tier]`, sorted as texts. Assertions of
/// agents that did not answer are not in it, those found false are. For a key that nobody speaks about it is the
/// digest of the empty array.
pub fn digest(panel: &Panel, key: &Sha) -> Sha {
    let bench = Bench::seat(panel);
    let claims = gather(&bench);
    claims.find(key).map_or_else(empty_digest, |i| digest_of(&bench, &claims.list[i]))
}

/// Returns the digest of no assertions.
pub(super) fn empty_digest() -> Sha {
    Sha::of("[]")
}

/// Returns the digest of a claim's assertions.
pub(super) fn digest_of(bench: &Bench<'_>, claim: &Claim) -> Sha {
    let row = |said: &super::tally::Said| {
        let subject = &claim.member(said.member).subject;
        let row = (
            bench.name(said.agent),
            claim.kind,
            subject,
            &claim.predicate,
            &said.side.value,
            said.side.polarity,
            said.severity,
            said.tier,
        );
        // Texts, integers and names only: a row always has a canonical writing.
        canonical(&row).unwrap_or_else(|e| e.to_string())
    };
    let mut rows: Vec<String> = claim.said.iter().map(row).collect();
    rows.sort_unstable();
    Sha::of(format!("[{}]", rows.join(",")))
}
