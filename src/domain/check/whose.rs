//! Which spec a text of code speaks of.
//!
//! It must not know requirements or findings.

use crate::domain::ids::SpecId;

/// Tells whether a text names a spec: by its id (`002-audit-log`), by its number (`002-`), or by its slug of several
/// words (`audit-log`, `audit_log`); a slug of one word names too much else.
pub(super) fn names(text: &str, id: &SpecId) -> bool {
    let (number, slug) = parts(id.as_str());
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let stands = |word: &str, joins: bool| {
        !word.is_empty()
            && text.match_indices(word).any(|(at, _)| {
                let (before, after) = (&text[..at], &text[at + word.len()..]);
                let is_end = !after.starts_with(|c: char| c.is_alphanumeric());
                !before.ends_with(is_word) && (joins || is_end)
            })
    };
    let by_slug = slug.contains('-') && (stands(slug, false) || stands(&slug.replace('-', "_"), false));
    // `002-audit-log` and `002-` end in a hyphen after the number; `SPEC-KIT-010` is a name without one.
    let by_number = match number.bytes().all(|b| b.is_ascii_digit()) {
        true => !number.is_empty() && stands(&format!("{number}-"), true),
        false => stands(number, false),
    };
    stands(id.as_str(), false) || by_number || by_slug
}

/// Splits `002-audit-log` into `002` and `audit-log`, `SPEC-KIT-010-x` into `SPEC-KIT-010` and `x`.
fn parts(id: &str) -> (&str, &str) {
    let mut at = 0;
    for part in id.split('-') {
        at += part.len();
        if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) {
            return (&id[..at], id[at..].trim_start_matches('-'));
        }
        at += 1;
    }
    ("", id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_named_by_id_number_or_slug() {
        let audit = SpecId::new("002-audit-log").unwrap();
        for text in ["// 002-audit-log FR-003", "see 002-: FR-003", "the audit-log", "tests/audit_log.rs"] {
            assert!(names(text, &audit), "{text}");
        }
        for text in ["FR-002-1", "1002-a", "audit", "my-audit-log", "audit-logs", "002"] {
            assert!(!names(text, &audit), "{text}");
        }
        let seed = SpecId::new("SPEC-KIT-010-door").unwrap();
        assert!(names("// SPEC-KIT-010 R-1", &seed) && !names("door SPEC-KIT-0101", &seed));
    }
}
