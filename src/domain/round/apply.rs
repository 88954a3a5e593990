//! What votes do to a panel.
//!
//! The rules:
//!
//! - Who was not asked has no vote: a participant that did not answer, one that is no voter, or a second one of a family.
//! - `agree` puts the agent's assertion on that side, at the tier that its evidence got. Whoever held another side of
//!   the claim leaves it: nobody holds two. If its evidence is false the new assertion is struck, and the old one stays.
//! - `disagree` does the same with the side that `as` names; on an item with one side it denies that side.
//! - `withdraw` takes away what the agent itself holds on the claim beside the leading side. `keep` leaves it.
//! - `same_as` merges two items once a family of each side says so: of each item a family that holds it, and not one
//!   family for both. Only free texts of one kind and predicate that no number, negation or quoted name tells apart.
//! - `abstain`, an item without a vote and no answer at all are silence.
//! - What does not fit (an item that was not asked, a side that is not there, a second vote on an item) is ignored, and
//!   said.
//!
//! An agent speaks for itself: what others of its family hold stays. It must not know verdicts.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ballot, Cast, Item, Vote, Word};
use crate::domain::claim::{Assertion, Polarity, Severity, Tier};
use crate::domain::consensus::{Canon, Choice, OUTCOME, Panel, Participant, says};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, Family};
use crate::domain::safe::Safe;

/// The votes of those that answered.
pub type Heard = BTreeMap<AgentName, Vec<Cast>>;

/// A panel after the round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The panel.
    pub panel: Panel,
    /// Votes that did not count, and why.
    pub ignored: Vec<Safe>,
}

/// Puts the votes into the panel. Their order does not matter.
pub fn apply(panel: &Panel, ballot: &Ballot, heard: &Heard) -> Applied {
    let canon = panel.canon();
    let mut applied = Applied { panel: panel.clone(), ignored: Vec::new() };
    let mut spoken: BTreeSet<Family> = BTreeSet::new();
    let mut same: BTreeMap<(u32, u32), BTreeSet<Family>> = BTreeMap::new();
    for (agent, casts) in heard {
        let asked = applied.panel.agents.iter_mut().find(|p| p.name == *agent && p.voter && p.is_ok());
        let Some(voter) = asked else {
            applied.ignored.push(Safe::line(&format!("{agent}'s votes do not count: it was not asked")));
            continue;
        };
        if !spoken.insert(voter.family.clone()) {
            applied.ignored.push(Safe::line(&format!("{agent}'s votes do not count: its family was asked already")));
            continue;
        }
        let mut voted = BTreeSet::new();
        for cast in casts {
            let Vote { n, vote, .. } = &cast.vote;
            let done = if !voted.insert(*n) {
                Err("it has voted on it before".to_owned())
            } else {
                match ballot.item(*n) {
                    None => Err("it was not asked".to_owned()),
                    Some(item) => count(&canon, ballot, item, cast, voter, &mut same),
                }
            };
            if let Err(why) = done {
                let text = format!("{agent}'s vote on item {n} ({}) does not count: {why}", vote.name());
                applied.ignored.push(Safe::line(&text));
            }
        }
    }
    let merged: BTreeSet<(Sha, Sha)> =
        same.iter().filter_map(|(pair, families)| confirmed(panel, ballot, *pair, families)).collect();
    applied.panel.same_as.extend(merged.into_iter().filter(|pair| !panel.same_as.contains(pair)));
    applied
}

/// Counts one vote, or says why it does not count.
fn count(
    canon: &Canon,
    ballot: &Ballot,
    item: &Item,
    cast: &Cast,
    voter: &mut Participant,
    same: &mut BTreeMap<(u32, u32), BTreeSet<Family>>,
) -> Result<(), String> {
    match cast.vote.vote {
        Word::Abstain | Word::Keep => {}
        Word::Withdraw => {
            let before = voter.claims.len();
            let leading = item.sides.iter().find(|side| side.leads).map(|side| &side.says);
            leave(canon, item, voter, leading);
            if voter.claims.len() == before {
                return Err("it holds no losing side of it".to_owned());
            }
        }
        Word::SameAs => {
            let other = cast.vote.other.ok_or("`as` names no other item")?;
            if !item.may_be.contains(&other) || ballot.item(other).is_none() {
                return Err(format!("items {} and {other} cannot be the same claim", item.n));
            }
            let pair = (item.n.min(other), item.n.max(other));
            same.entry(pair).or_default().insert(voter.family.clone());
        }
        Word::Agree | Word::Disagree => {
            let Some(says) = side_of(item, &cast.vote)? else { return Ok(()) };
            let assertion = assertion(item, says, cast.tier);
            if !cast.tier.is_false() {
                leave(canon, item, voter, Some(&self::says(canon, &assertion)));
            }
            if !voter.claims.contains(&assertion) {
                voter.claims.push(assertion);
            }
        }
    }
    Ok(())
}

/// Returns the side that a vote takes; none for a vote that takes no side.
pub(super) fn side_of(item: &Item, vote: &Vote) -> Result<Option<Choice>, String> {
    let named = |n: u32| item.side(n).map(|side| Some(side.says.clone())).ok_or(format!("it has no side {n}"));
    match (vote.vote, item.sides.as_slice(), vote.other) {
        (Word::SameAs | Word::Abstain | Word::Keep | Word::Withdraw, ..) => Ok(None),
        (Word::Agree, [only], None) => Ok(Some(only.says.clone())),
        (Word::Disagree, [_], _) if is_outcome(item) => Err("an outcome cannot be denied, only another be held".into()),
        (Word::Disagree, [only], _) => {
            let polarity = match only.says.polarity {
                Polarity::Yes => Polarity::No,
                Polarity::No => Polarity::Yes,
            };
            Ok(Some(Choice { value: only.says.value.clone(), polarity }))
        }
        (Word::Agree | Word::Disagree, _, Some(n)) => named(n),
        (Word::Agree | Word::Disagree, sides, None) => {
            Err(format!("it has {} sides, and `as` names none of them", sides.len()))
        }
    }
}

fn is_outcome(item: &Item) -> bool {
    (item.subject.as_str(), item.predicate.as_str()) == OUTCOME
}

/// What a vote for a side asserts. It matters as much as the side does; a denial is no critical objection, and neither
/// is anything that the host has not seen.
fn assertion(item: &Item, says: Choice, tier: Tier) -> Assertion {
    let held = item.sides.iter().find(|side| side.says == says);
    let severity = held.map_or(item.severity.min(Severity::Major), |side| side.severity.max(Severity::Minor));
    Assertion {
        kind: item.kind,
        subject: item.subject.clone(),
        predicate: item.predicate.clone(),
        value: says.value,
        polarity: says.polarity,
        severity: if tier >= Tier::E2 { severity } else { severity.min(Severity::Major) },
        tier,
        requirement: item.requirement.clone(),
    }
}

/// Takes away what an agent holds on a claim, but for one side; what was struck stays, because it was charged.
fn leave(canon: &Canon, item: &Item, voter: &mut Participant, but: Option<&Choice>) {
    voter.claims.retain(|said| {
        let is_meant =
            said.kind == item.kind && item.keys.contains(&canon.key(said.kind, &said.subject, &said.predicate));
        !is_meant || said.tier.is_false() || but == Some(&says(canon, said))
    });
}

/// Returns the keys of two items if a family of each says that they are the same.
fn confirmed(panel: &Panel, ballot: &Ballot, pair: (u32, u32), families: &BTreeSet<Family>) -> Option<(Sha, Sha)> {
    let holders = |item: &Item| -> BTreeSet<Family> {
        let held = |agent: &&Participant| item.sides.iter().any(|side| side.held_by.contains(&agent.name));
        panel.agents.iter().filter(|agent| agent.voter).filter(held).map(|agent| agent.family.clone()).collect()
    };
    let (one, two) = (ballot.item(pair.0)?, ballot.item(pair.1)?);
    let (of_one, of_two) = (holders(one), holders(two));
    let is_confirmed = families.intersection(&of_one).any(|f| families.intersection(&of_two).any(|g| f != g));
    let (a, b) = (one.key()?.clone(), two.key()?.clone());
    is_confirmed.then(|| if a <= b { (a, b) } else { (b, a) })
}
