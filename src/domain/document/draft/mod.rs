//! `review/spec.md` and `review/specify.md`: the spec as the panel proposes it, and what that changes, why, by whom.
//!
//! The proposal is the spec's document with edits: what nobody changes keeps its bytes. It must not know files.

use super::Desk;

mod place;
mod propose;
mod sections;
mod text;
mod told;
mod wanted;

/// Writes both; nothing where there is no document to propose one for.
pub(super) fn documents(desk: &Desk<'_>) -> Vec<(String, String)> {
    let Some(text) = desk.inputs.text else { return Vec::new() };
    let spec = desk.inputs.spec;
    let proposal = propose::proposal(desk, text);
    let told = told::told(desk, &proposal);
    vec![(spec.proposal_path(), proposal.text), (format!("{}/review/specify.md", spec.own), told)]
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
