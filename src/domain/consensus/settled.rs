//! Which labels can no longer change while answers are still out: what nobody who is still out could overturn.
//!
//! It must not know who is out for what reason, nor the screen. It is careful: a label that it does not name may turn
//! out not to change either.

use std::collections::{BTreeMap, BTreeSet};

use super::canon::Form;
use super::label::Label;
use super::panel::{Choice, Panel};
use super::policy::Ratio;
use super::tally::{self, Bench, Claim, Rule, Tally};
use crate::domain::claim::{Kind, Severity, Tier};
use crate::domain::hash::Sha;
use crate::domain::ids::Family;

/// Returns the keys of claims whose label no answer that is still out can change: neither a vote for anything, nor
/// silence, nor a failure. `panel` holds those who are done; `out` the family of each that is not. What the host may
/// yet run is not foreseen: it can prove or strike anything.
pub fn settled(panel: &Panel, out: &[Family]) -> BTreeSet<Sha> {
    let bench = Bench::seat(panel);
    let claims = tally::gather(&bench);
    let open: BTreeSet<&str> = out.iter().map(Family::as_str).collect();
    let fixed = claims.list.iter().filter(|claim| {
        // Free text may still be merged with what somebody has yet to say.
        let is_text = claim.members().any(|member| member.form == Form::FreeText);
        open.is_empty() || (!is_text && is_fixed(panel.policy.agree, &open, claim, &tally::tally(&bench, claim)))
    });
    fixed.map(|claim| claim.key().clone()).collect()
}

fn is_fixed(agree: Ratio, open: &BTreeSet<&str>, claim: &Claim, tally: &Tally<'_>) -> bool {
    match tally.label() {
        // Only another side that is run could change that, and nobody who is out runs anything.
        Label::Proven => true,
        Label::Conflict => tally.rule == Rule::TwoSidesRan || Count::of(open, tally).stays_conflict(agree, tally),
        Label::AgreedOver => Count::of(open, tally).stays_outvoted(agree, claim, tally),
        // A word against it, a second voice or a citation would change these.
        Label::Agreed | Label::Single | Label::Hollow | Label::Refuted => false,
    }
}

/// The votes of families that nobody is out of, and how many families may still vote for anything.
struct Count<'t> {
    votes: BTreeMap<&'t Choice, usize>,
    voted: usize,
    open: usize,
}

impl<'t> Count<'t> {
    fn of(open: &BTreeSet<&str>, tally: &'t Tally<'_>) -> Self {
        let mut votes: BTreeMap<&Choice, usize> = BTreeMap::new();
        for ballot in tally.ballots.iter().filter(|ballot| !open.contains(ballot.family.as_str())) {
            *votes.entry(&*ballot.side).or_default() += 1;
        }
        let voted = votes.values().sum();
        Self { votes, voted, open: open.len() }
    }

    /// It stays a conflict if two sides have weight and evidence each, so that whichever loses is not outvoted; or if
    /// no side can reach the share any more, even with everybody who is still out.
    fn stays_conflict(&self, agree: Ratio, tally: &Tally<'_>) -> bool {
        let weighty = tally.standing.iter().filter(|said| said.severity >= Severity::Major && said.tier >= Tier::E1);
        let backed: BTreeSet<&Choice> = weighty.map(|said| &*said.side).collect();
        let top = self.votes.values().copied().max().unwrap_or(0);
        let is_out_of_reach = !agree.is_reached(top + self.open, self.voted + self.open);
        self.voted >= 2 && (backed.len() >= 2 || is_out_of_reach)
    }

    /// It stays outvoted if the winner keeps its share and its lead whatever the others say, a dissent is there, and
    /// the weight of such a claim, which the host gives, is too little for a dissent to make a conflict.
    fn stays_outvoted(&self, agree: Ratio, claim: &Claim, tally: &Tally<'_>) -> bool {
        let Some(winner) = tally.winner.as_deref() else { return false };
        let is_weighed_by_host =
            matches!(claim.kind, Kind::Decision | Kind::Covers) && tally.severity < Severity::Major;
        let top = self.votes.get(winner).copied().unwrap_or(0);
        let next = self.votes.iter().filter(|(side, _)| **side != winner).map(|(_, votes)| *votes).max().unwrap_or(0);
        is_weighed_by_host
            && self.voted >= 2
            && tally.dissent().next().is_some()
            && top > next + self.open
            && agree.is_reached(top, self.voted + self.open)
    }
}
