//! How the judges of a world answer in the round, and what the panel is after it.
//!
//! The model: whoever holds what is true stands by it, and names a place for it every second time; of those who hold
//! something else, most change when the true side shows a place, few when it only speaks. Some give up what is true for
//! a false side that shows a place. Whoever has said nothing finds out as often as it ever does. It must not know
//! verdicts.

use std::collections::BTreeMap;

use super::case::{Case, Truth};
use super::chance::Chance;
use crate::domain::claim::{Kind, Tier};
use crate::domain::consensus::{Panel, Participant};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, Family};
use crate::domain::round::{Asking, Ballot, Cast, Heard, Item, Side, Vote, Word, apply, open};

/// How often somebody mistaken changes to the true side, of a thousand: when it shows a place, and when it does not.
const CHANGES_FOR_EVIDENCE: u32 = 600;
const CHANGES_FOR_WORDS: u32 = 150;

/// How often somebody who is right gives in to a false side that shows a place.
const GIVES_IN: u32 = 100;

/// How often somebody who is right names a place in the round.
const NAMES_PLACE: u32 = 500;

/// How often somebody sees that two texts mean the same.
const SEES_SAME: u32 = 700;

/// Returns the panel after the round; the same panel if nothing stood open.
pub fn after(case: &Case) -> Panel {
    let voices = BTreeMap::new();
    let asking = Asking { seed: "bench", voices: &voices, requirements: &[], agenda: &[] };
    let Some(ballot) = open(&case.panel, &asking) else { return case.panel.clone() };
    let mut asked: BTreeMap<&Family, &Participant> = BTreeMap::new();
    for agent in case.panel.agents.iter().filter(|agent| agent.voter && agent.is_ok()) {
        asked.entry(&agent.family).or_insert(agent);
    }
    let mut chance = case.chance.clone();
    let heard: Heard =
        asked.values().map(|agent| (agent.name.clone(), votes(case, &ballot, &agent.name, &mut chance))).collect();
    apply(&case.panel, &ballot, &heard).panel
}

fn votes(case: &Case, ballot: &Ballot, agent: &AgentName, chance: &mut Chance) -> Vec<Cast> {
    ballot.items.iter().filter_map(|item| vote(case, ballot, item, agent, chance)).collect()
}

fn vote(case: &Case, ballot: &Ballot, item: &Item, agent: &AgentName, chance: &mut Chance) -> Option<Cast> {
    let truth = &case.truth;
    let (changes, words, gives_in, place, same, errs) = (
        chance.hits(CHANGES_FOR_EVIDENCE),
        chance.hits(CHANGES_FOR_WORDS),
        chance.hits(GIVES_IN),
        chance.hits(NAMES_PLACE),
        chance.hits(SEES_SAME),
        chance.hits(case.errors.get(agent.as_str()).copied().unwrap_or(0)),
    );
    if let Some(other) = item.may_be.iter().copied().find(|&n| same && is_same(truth, item, ballot.item(n))) {
        return Some(cast(item, Word::SameAs, other, Tier::E0));
    }
    let right = item.sides.iter().find(|side| is_true(truth, item, side));
    let false_one = item.sides.iter().find(|side| is_known(truth, item) && !is_true(truth, item, side));
    let own = item.sides.iter().find(|side| side.held_by.contains(agent));
    let with_place = if place { Tier::E2 } else { Tier::E0 };
    match (own, right, false_one) {
        (Some(own), Some(right), Some(wrong)) if own.n == right.n => {
            let yields = gives_in && wrong.tier >= Tier::E2 && right.tier < Tier::E2;
            Some(if yields {
                cast(item, Word::Agree, wrong.n, Tier::E0)
            } else {
                cast(item, Word::Agree, right.n, with_place.max(own.tier))
            })
        }
        (Some(_), Some(right), Some(_)) => {
            let is_moved = if right.tier >= Tier::E2 { changes } else { words };
            is_moved.then(|| cast(item, Word::Agree, right.n, Tier::E0))
        }
        (None, Some(right), _) if !errs => Some(cast(item, Word::Agree, right.n, with_place)),
        (None, _, Some(wrong)) if errs => Some(cast(item, Word::Agree, wrong.n, Tier::E0)),
        (None, None, Some(wrong)) => denial(item, wrong, with_place),
        (Some(_), _, _) | (None, _, None) | (None, Some(_), Some(_)) => None,
    }
}

/// Whoever knows better than the only side says so; an outcome and a side among several cannot be denied.
fn denial(item: &Item, wrong: &Side, tier: Tier) -> Option<Cast> {
    let can = item.sides.len() == 1 && item.kind != Kind::Decision;
    can.then(|| cast(item, Word::Disagree, wrong.n, tier))
}

fn cast(item: &Item, vote: Word, other: u32, tier: Tier) -> Cast {
    let vote = Vote { n: item.n, vote, other: Some(other), because: String::new(), evidence: Vec::new() };
    Cast { vote, tier }
}

fn is_known(truth: &Truth, item: &Item) -> bool {
    item.keys.iter().any(|key| truth.sides.contains_key(key))
}

fn is_true(truth: &Truth, item: &Item, side: &Side) -> bool {
    item.keys.iter().filter_map(|key| truth.sides.get(key)).any(|is| *is == side.says)
}

/// Tells whether two items mean the same.
fn is_same(truth: &Truth, item: &Item, other: Option<&Item>) -> bool {
    let meaning = |item: &Item| -> Option<usize> {
        let has = |group: &Vec<Sha>| item.keys.iter().any(|key| group.contains(key));
        truth.same.iter().position(has)
    };
    meaning(item).is_some_and(|group| other.and_then(meaning) == Some(group))
}
