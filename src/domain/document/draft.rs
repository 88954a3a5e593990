//! `review/spec.md` and `review/specify.md`: the spec as the panel proposes it, and what that changes, why, by whom.

use super::Desk;

/// Writes both.
pub(super) fn documents(_desk: &Desk<'_>) -> Vec<(String, String)> {
    Vec::new()
}
