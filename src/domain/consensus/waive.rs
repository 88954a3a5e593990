//! Waivers: which of them hold, and which side of a conflict a human chose.
//!
//! It must not know what a waiver changes in the status: that is [`super::ruling`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::digest::{digest_of, empty_digest};
use super::label::Label;
use super::panel::{Choice, Waiver};
use super::reason::ReasonCode;
use super::ruling::{Case, must_keys};
use super::tally::Claim;
use crate::domain::hash::Sha;

impl<'p> Case<'p> {
    /// Finds which waivers hold, and which side each conflict was settled for.
    pub(super) fn resolve_waivers(&mut self) {
        let mut choices: BTreeMap<usize, BTreeSet<Choice>> = BTreeMap::new();
        let gaps: BTreeSet<Sha> = self.musts.iter().flat_map(|id| must_keys(id)).collect();
        for waiver in &self.bench.panel.waivers {
            let Some(i) = self.claims.find(&waiver.claim) else {
                if gaps.contains(&waiver.claim) && waiver.digest == empty_digest() {
                    self.waived_gaps.insert(waiver.claim.clone());
                } else {
                    self.note(ReasonCode::WaiverStale, [], [waiver.claim.clone()]);
                }
                continue;
            };
            let claim = &self.claims.list[i];
            if waiver.digest != digest_of(&self.bench, claim) {
                self.note(ReasonCode::WaiverStale, [], [waiver.claim.clone()]);
            } else if self.tallies[i].label() == Label::Refuted {
                self.note(ReasonCode::WaiverRefused, [], [waiver.claim.clone()]);
            } else {
                let chosen = waiver.choice.as_ref().map(|choice| self.canonical_choice(claim, choice));
                choices.entry(i).or_default().extend(chosen);
                self.waived.insert(i);
            }
        }
        for (i, sides) in choices {
            self.take_choice(i, sides);
        }
    }

    fn canonical_choice(&self, claim: &Claim, choice: &Choice) -> Choice {
        let value = if claim.is_outcome() {
            choice.value.clone()
        } else {
            self.bench.canon.value(&claim.predicate, &choice.value)
        };
        Choice { value, polarity: choice.polarity }
    }

    /// Gives a conflict the side that was chosen. Two waivers that choose differently, and a side that holds only
    /// assertions found false, are refused.
    fn take_choice(&mut self, i: usize, sides: BTreeSet<Choice>) {
        let (claim, tally) = (&self.claims.list[i], &mut self.tallies[i]);
        let Some(side) = sides.first().filter(|_| tally.label() == Label::Conflict) else { return };
        let only_struck = claim.said.iter().any(|s| *s.side == *side) && !claim.left().any(|s| *s.side == *side);
        if sides.len() > 1 || only_struck {
            let key = claim.key().clone();
            self.waived.remove(&i);
            self.note(ReasonCode::WaiverRefused, [], [key]);
        } else {
            tally.winner = Some(Rc::new(side.clone()));
            self.chosen.insert(i);
        }
    }

    /// Returns the winning side of a claim that is decided, or that a human settled.
    pub(super) fn settled(&self, i: usize) -> Option<&Choice> {
        let tally = &self.tallies[i];
        let is_settled = tally.label().is_decided() || self.chosen.contains(&i);
        if is_settled { tally.winner.as_deref() } else { None }
    }

    /// Returns the waiver that holds for a claim.
    pub(super) fn waiver(&self, i: usize) -> Option<&'p Waiver> {
        let claim = &self.claims.list[i];
        let waivers = self.bench.panel.waivers.iter();
        waivers
            .filter(|w| self.waived.contains(&i) && claim.members().any(|m| m.key == w.claim))
            .min_by_key(|w| (&w.by, &w.reason))
    }
}
