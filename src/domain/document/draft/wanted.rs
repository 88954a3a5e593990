//! What the panel wants a spec to say otherwise: which demands, wordings and withdrawals are proposed, which are left to a
//! person, and which are not proposed, and why.
//!
//! It must not know how a spec is written.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::agenda::Topic;
use crate::domain::artifact::body::{Answer, Demand};
use crate::domain::artifact::{Artifact, Body};
use crate::domain::claim::derive::{DEMANDED, REWORDED, WITHDRAWN};
use crate::domain::claim::{Kind, Polarity, Tier, Value};
use crate::domain::consensus::{Judged, Label};
use crate::domain::document::Desk;
use crate::domain::document::voices::Stands;
use crate::domain::document::words::{listed, sentence};
use crate::domain::gate::{Side, Wants};
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;
use crate::domain::spec::Requirement;

/// A change that is proposed.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub(super) what: What,
    /// What it was decided by.
    pub(super) claims: Vec<&'a Judged>,
    /// Why, in the words of whoever is followed.
    pub(super) because: &'a str,
}

/// What is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// A requirement says something else.
    Reworded {
        /// Which.
        id: String,
        /// What it says.
        words: String,
    },
    /// They differ about a requirement: it stays, and each side stands beside it.
    Doubted {
        /// Which.
        id: String,
        /// What each wants, and how well it is shown.
        sides: Vec<(Side, Tier)>,
    },
    /// A requirement goes.
    Withdrawn {
        /// Which.
        id: String,
    },
    /// A requirement more.
    Demanded {
        /// What it says.
        words: String,
        /// Who alone asks for it, if they do not agree on it.
        only: Option<String>,
    },
}

/// What the panel wants.
#[derive(Debug, Default)]
pub(super) struct Wishes<'a> {
    /// In the order in which it is written.
    pub(super) proposed: Vec<Wanted<'a>>,
    /// What was said and is not proposed, and why.
    pub(super) left_out: Vec<(&'a Judged, &'static str)>,
}

/// How a claim about the spec ended.
enum Fate {
    Agreed,
    Lone,
    Open,
    No,
    Struck,
    Waived,
}

fn fate(desk: &Desk<'_>, claim: &Judged) -> Fate {
    match desk.voices.stands(claim) {
        Stands::Struck => Fate::Struck,
        Stands::Open => Fate::Open,
        Stands::Waived(_) => Fate::Waived,
        Stands::No => Fate::No,
        Stands::Yes if claim.label == Label::Single => Fate::Lone,
        Stands::Yes => Fate::Agreed,
    }
}

/// The demands of an answer.
pub(super) fn demands(artifact: &Artifact) -> &[Demand] {
    match &artifact.body {
        Body::Specify(specify) => &specify.requirements,
        Body::Plan(_) | Body::Tasks(_) | Body::Implement(_) | Body::Validate(_) | Body::Audit(_) | Body::Unlock(_) => {
            &[]
        }
    }
}

fn is_new(demand: &&Demand) -> bool {
    !demand.withdraw && demand.requirement.as_deref().is_none_or(|id| id.trim().is_empty())
}

/// Reads the verdict.
pub(super) fn wishes<'a>(desk: &Desk<'a>) -> Wishes<'a> {
    let mut wishes = Wishes::default();
    for requirement in &desk.inputs.spec.requirements {
        about(desk, requirement, &mut wishes);
    }
    demanded(desk, &mut wishes);
    wishes
}

/// What becomes of a requirement.
fn about<'a>(desk: &Desk<'a>, requirement: &Requirement, wishes: &mut Wishes<'a>) {
    let id = &requirement.id;
    let claim = |predicate| desk.voices.claim(Kind::Decision, id, predicate);
    let (reworded, withdrawn) = (claim(REWORDED), claim(WITHDRAWN));
    let is = |claim: Option<&'a Judged>, wanted: fn(&Fate) -> bool| claim.filter(|claim| wanted(&fate(desk, claim)));
    let agreed = |claim| is(claim, |fate| matches!(fate, Fate::Agreed));
    let open = |claim| is(claim, |fate| matches!(fate, Fate::Open));
    // Of one that answers alone a person has to decide about all; otherwise one against silence is no change.
    let is_alone = desk.inputs.verdict.families.ok == 1;
    let doubted = |claim| open(claim).or_else(|| is(claim, |fate| matches!(fate, Fate::Lone)).filter(|_| is_alone));
    if let Some(claim) = agreed(withdrawn) {
        let because = because(desk, claim, |demand| demand.withdraw && names(desk, demand, id));
        wishes.proposed.push(Wanted { what: What::Withdrawn { id: id.clone() }, claims: vec![claim], because });
        wishes.left_out.extend(reworded.filter(|claim| said(desk, claim)).map(|claim| (claim, "it goes")));
        return;
    }
    let asked: Vec<&Judged> = match (doubted(reworded), doubted(withdrawn)) {
        (None, None) => Vec::new(),
        (first, second) => [agreed(reworded).or(first), second].into_iter().flatten().collect(),
    };
    if !asked.is_empty() {
        let what = What::Doubted { id: id.clone(), sides: sides(desk, id, &asked) };
        wishes.proposed.push(Wanted { what, claims: asked, because: "" });
    } else if let Some(claim) = agreed(reworded) {
        let is_it = |demand: &Demand| {
            let won = claim.value.as_ref().is_some_and(|value| desk.voices.is_value(claim, &demand.text, value));
            !demand.withdraw && won && names(desk, demand, id)
        };
        let value = claim.value.as_ref().map(Value::to_string).unwrap_or_default();
        let words = drafted(desk, is_it).map_or(value, |(_, demand)| demand.text.clone());
        if let Some(words) = sentence(&words) {
            let what = What::Reworded { id: id.clone(), words };
            wishes.proposed.push(Wanted { what, claims: vec![claim], because: because(desk, claim, is_it) });
        }
    }
    let is_proposed = |claim: &Judged| {
        wishes.proposed.last().is_some_and(|last| last.claims.iter().any(|told| told.key == claim.key))
    };
    let rest: Vec<&Judged> = [reworded, withdrawn].into_iter().flatten().filter(|claim| !is_proposed(claim)).collect();
    wishes.left_out.extend(rest.into_iter().filter_map(|claim| Some((claim, left_out(desk, claim)?))));
}

fn said(desk: &Desk<'_>, claim: &Judged) -> bool {
    !matches!(fate(desk, claim), Fate::Struck)
}

/// Why a claim is not proposed; none of what has a place of its own.
fn left_out(desk: &Desk<'_>, claim: &Judged) -> Option<&'static str> {
    match fate(desk, claim) {
        Fate::Lone => Some("nobody else asks for it"),
        Fate::No => Some("outvoted"),
        Fate::Waived => Some("they differ, and a person let it be"),
        Fate::Agreed => Some("it says nothing that could be written"),
        Fate::Open | Fate::Struck => None,
    }
}

/// What each wants of a requirement, each wish once, in the order of their names.
fn sides(desk: &Desk<'_>, id: &str, claims: &[&Judged]) -> Vec<(Side, Tier)> {
    let mut wants: BTreeMap<Wants, BTreeMap<&AgentName, Tier>> = BTreeMap::new();
    for claim in claims {
        for (value, polarity, who) in desk.voices.speaking(claim) {
            let wish = match (polarity, claim.predicate == WITHDRAWN) {
                (Polarity::No, _) => Wants::Same,
                (Polarity::Yes, true) => Wants::Gone,
                (Polarity::Yes, false) => Wants::Words(wording(desk, id, claim, value)),
            };
            let names = wants.entry(wish).or_default();
            for (name, tier) in who {
                let known = names.entry(name).or_insert(*tier);
                *known = (*known).max(*tier);
            }
        }
    }
    // Who wants it changed one way and not the other does not want it to stay.
    let stay = wants.remove(&Wants::Same).unwrap_or_default();
    let changed: BTreeSet<&AgentName> = wants.values().flat_map(|names| names.keys().copied()).collect();
    let stay = stay.into_iter().filter(|(name, _)| !changed.contains(name)).collect();
    wants.insert(Wants::Same, stay);
    let side = |(wants, names): (Wants, BTreeMap<&AgentName, Tier>)| {
        let tier = names.values().max().copied()?;
        let who: Vec<&str> = names.keys().map(|name| name.as_str()).collect();
        Some((Side { who: listed(&who), wants }, tier))
    };
    let mut sides: Vec<(Side, Tier)> = wants.into_iter().filter_map(side).collect();
    sides.sort_by(|(a, _), (b, _)| a.who.cmp(&b.who));
    sides
}

/// The words of a value as the best draft writes them.
fn wording(desk: &Desk<'_>, id: &str, claim: &Judged, value: &Value) -> String {
    let is_it = |demand: &Demand| names(desk, demand, id) && desk.voices.is_value(claim, &demand.text, value);
    let words = drafted(desk, is_it).map_or_else(|| value.to_string(), |(_, demand)| demand.text.clone());
    sentence(&words).unwrap_or_default()
}

/// Whether a demand is about a requirement.
fn names(desk: &Desk<'_>, demand: &Demand, id: &str) -> bool {
    let named = demand.requirement.as_deref().map(|named| named.trim().trim_matches(['`', '*']).to_uppercase());
    named.and_then(|named| desk.inputs.spec.requirement(&named)).is_some_and(|requirement| requirement.id == id)
}

/// The first demand of the drafts, best first, that is such a one.
fn drafted<'a>(desk: &Desk<'a>, is_it: impl Fn(&Demand) -> bool) -> Option<(&'a AgentName, &'a Demand)> {
    desk.drafts.iter().find_map(|(name, artifact)| {
        demands(artifact).iter().find(|demand| is_it(demand)).map(|demand| (*name, demand))
    })
}

/// What a claim about the spec asks for, in the words of the best draft that asks for it.
pub(super) fn words_of(desk: &Desk<'_>, claim: &Judged) -> String {
    if claim.predicate == DEMANDED {
        let is_it = |demand: &Demand| is_new(&demand) && is_of(desk, claim, demand);
        return drafted(desk, is_it).map_or_else(|| claim.subject.clone(), |(_, demand)| demand.text.clone());
    }
    claim.value.as_ref().map_or_else(String::new, |value| wording(desk, &claim.subject, claim, value))
}

/// Whether a demand for something new is this claim.
fn is_of(desk: &Desk<'_>, claim: &Judged, demand: &Demand) -> bool {
    let other = desk.voices.claim(Kind::Decision, &one_line(&demand.text), DEMANDED);
    other.is_some_and(|other| other.key == claim.key)
}

/// Why, as the first of the winning side says that gives a reason.
fn because<'a>(desk: &Desk<'a>, claim: &Judged, is_it: impl Fn(&Demand) -> bool) -> &'a str {
    let winners = desk.voices.winners(claim);
    let of = |(name, artifact): &(&'a AgentName, &'a Artifact)| {
        let theirs = demands(artifact).iter().filter(|demand| is_it(demand) && !demand.because.trim().is_empty());
        winners.contains(&name.as_str()).then(|| theirs.map(|demand| demand.because.as_str()).next()).flatten()
    };
    desk.drafts.iter().find_map(of).unwrap_or_default()
}

/// What the spec should ask besides: what is agreed, in the base's order and words, then in others'; and what the base
/// alone asks.
fn demanded<'a>(desk: &Desk<'a>, wishes: &mut Wishes<'a>) {
    let mut told: BTreeSet<&Sha> = BTreeSet::new();
    let base = desk.base().0;
    for (name, artifact) in &desk.drafts {
        for demand in demands(artifact).iter().filter(is_new) {
            let Some(claim) = desk.voices.claim(Kind::Decision, &one_line(&demand.text), DEMANDED) else { continue };
            if !told.insert(&claim.key) {
                continue;
            }
            let only = match fate(desk, claim) {
                Fate::Agreed => None,
                Fate::Lone if *name == base && desk.voices.winners(claim).contains(&base.as_str()) => {
                    Some(listed(&desk.voices.winners(claim)))
                }
                Fate::Lone | Fate::Open | Fate::No | Fate::Struck | Fate::Waived => {
                    wishes.left_out.extend(left_out(desk, claim).map(|why| (claim, why)));
                    continue;
                }
            };
            let Some(words) = sentence(&demand.text) else {
                wishes.left_out.push((claim, "it says nothing that could be written"));
                continue;
            };
            let because = because(desk, claim, |other| is_new(&other) && is_of(desk, claim, other));
            wishes.proposed.push(Wanted { what: What::Demanded { words, only }, claims: vec![claim], because });
        }
    }
    // What was said elsewhere than among the requirements of an answer, or only in the round.
    for claim in desk.voices.claims(Kind::Decision, DEMANDED) {
        if told.insert(&claim.key) {
            wishes.left_out.extend(left_out_of_drafts(desk, claim).map(|why| (claim, why)));
        }
    }
}

fn left_out_of_drafts(desk: &Desk<'_>, claim: &Judged) -> Option<&'static str> {
    match fate(desk, claim) {
        Fate::Agreed => Some("no draft words it"),
        Fate::Lone | Fate::No | Fate::Waived | Fate::Open | Fate::Struck => left_out(desk, claim),
    }
}

/// A text on one line, as claims have it.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The questions of the agenda that the panel agrees on, with the answer as the best draft writes it.
pub(super) fn answered(desk: &Desk<'_>) -> Vec<(String, String)> {
    let topics = desk.inputs.agenda.iter().filter(|topic| topic.requirement.is_none());
    let answer = |topic: &Topic| {
        let claim = desk.voices.claim(Kind::Decision, &topic.id, "answer")?;
        let value =
            claim.value.as_ref().filter(|_| claim.label.is_decided() && claim.polarity == Some(Polarity::Yes))?;
        let written = desk.drafts.iter().find_map(|(_, artifact)| {
            let answers = artifact.answers.iter().filter(|answer| answer.topic == topic.id && !answer.abstain);
            answers.filter_map(written_answer).find(|text| desk.voices.is_value(claim, text, value))
        });
        let words = sentence(&written.unwrap_or_else(|| desk.voices.value(claim)))?;
        Some((sentence(&format!("Q {}", topic.ask))?.split_off(2), words))
    };
    topics.filter_map(answer).collect()
}

/// An answer with its unit.
fn written_answer(answer: &Answer) -> Option<String> {
    let value = answer.value.as_ref()?.0.trim();
    Some(match answer.unit.as_deref().map(str::trim) {
        Some(unit) if !unit.is_empty() && !value.ends_with(unit) => format!("{value} {unit}"),
        Some(_) | None => value.to_owned(),
    })
}
