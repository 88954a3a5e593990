//! Who says what on each claim, in words.
//!
//! It must not know documents.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{code, inline, listed};
use crate::domain::claim::{Assertion, Kind, Polarity, Tier, Value};
use crate::domain::consensus::{Canon, Judged, Label, Panel, Verdict, Waiver, digest};
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;

/// One value and polarity of a claim, and who says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Side {
    value: Value,
    polarity: Polarity,
}

/// How a claim stands in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stands {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// They differ, and nobody has settled it.
    Open,
    /// They differ, and a human took responsibility for that.
    Waived(String),
    /// All that was said of it was found false.
    Struck,
}

/// All claims of a verdict with those who speak on them.
pub(super) struct Voices<'a> {
    canon: Canon,
    verdict: &'a Verdict,
    panel: &'a Panel,
    /// Which claim a key belongs to, merged ones too.
    of_key: BTreeMap<&'a Sha, &'a Judged>,
    /// Who stands on which side of a claim, with the highest tier of each. What was struck is not here.
    speakers: BTreeMap<&'a Sha, BTreeMap<Side, BTreeMap<&'a AgentName, Tier>>>,
}

impl<'a> Voices<'a> {
    pub(super) fn of(panel: &'a Panel, verdict: &'a Verdict) -> Self {
        let keys = |claim: &'a Judged| {
            std::iter::once(&claim.key).chain(claim.merged_from.iter().map(|m| &m.key)).map(move |key| (key, claim))
        };
        let mut voices = Self {
            canon: panel.canon(),
            verdict,
            panel,
            of_key: verdict.claims.iter().flat_map(keys).collect(),
            speakers: BTreeMap::new(),
        };
        for agent in panel.agents.iter().filter(|agent| agent.is_ok()) {
            for said in agent.claims.iter().filter(|said| !said.tier.is_false()) {
                let Some(claim) = voices.claim(said.kind, &said.subject, &said.predicate) else { continue };
                let side = voices.side(said);
                let tier = voices.speakers.entry(&claim.key).or_default().entry(side).or_default();
                let tier = tier.entry(&agent.name).or_insert(said.tier);
                *tier = (*tier).max(said.tier);
            }
        }
        voices
    }

    fn side(&self, said: &Assertion) -> Side {
        let predicate = self.canon.predicate(&said.predicate);
        Side { value: self.canon.value(&predicate, &said.value), polarity: said.polarity }
    }

    /// The claim on a subject, however it is written.
    pub(super) fn claim(&self, kind: Kind, subject: &str, predicate: &str) -> Option<&'a Judged> {
        self.of_key.get(&self.canon.key(kind, subject, predicate)).copied()
    }

    /// The claim's winner, or the side that a human chose, as sides are written here.
    fn winner(&self, claim: &Judged) -> Option<Side> {
        let value = self.canon.value(&claim.predicate, claim.value.as_ref()?);
        Some(Side { value, polarity: claim.polarity? })
    }

    /// How a claim stands.
    pub(super) fn stands(&self, claim: &Judged) -> Stands {
        match (claim.label, self.waiver(claim)) {
            (Label::Refuted, _) => Stands::Struck,
            (Label::Conflict, None) => Stands::Open,
            (Label::Conflict, Some(waiver)) if waiver.choice.is_none() => Stands::Waived(inline(&waiver.by)),
            (Label::Conflict, Some(_))
            | (Label::Proven | Label::Agreed | Label::AgreedOver | Label::Single | Label::Hollow, _) => {
                match claim.polarity {
                    Some(Polarity::No) => Stands::No,
                    Some(Polarity::Yes) | None => Stands::Yes,
                }
            }
        }
    }

    /// What a human signed for a claim as it stands now.
    fn waiver(&self, claim: &Judged) -> Option<&'a Waiver> {
        let signed = self.panel.waivers.iter().filter(|waiver| waiver.claim == claim.key);
        signed.into_iter().find(|waiver| waiver.digest == digest(self.panel, &claim.key))
    }

    /// Whether it is decided that something holds.
    pub(super) fn is_agreed(&self, kind: Kind, subject: &str, predicate: &str) -> bool {
        self.claim(kind, subject, predicate)
            .is_some_and(|claim| claim.label.is_decided() && claim.polarity == Some(Polarity::Yes))
    }

    /// Whether the host found an agent's word on something false, and nothing else that it said of it stands.
    pub(super) fn is_struck(&self, agent: &AgentName, kind: Kind, subject: &str, predicate: &str) -> bool {
        let key = self.canon.key(kind, subject, predicate);
        let said: Vec<&Assertion> = self
            .panel
            .agents
            .iter()
            .filter(|participant| participant.name == *agent)
            .flat_map(|participant| &participant.claims)
            .filter(|said| self.canon.key(said.kind, &said.subject, &said.predicate) == key)
            .collect();
        !said.is_empty() && said.iter().all(|said| said.tier.is_false())
    }

    /// Everything that was struck: who said what, in order, each once.
    pub(super) fn struck(&self) -> String {
        let mut lines = BTreeSet::new();
        for agent in self.panel.agents.iter().filter(|agent| agent.is_ok()) {
            for said in agent.claims.iter().filter(|said| said.tier.is_false()) {
                let how = match said.tier {
                    Tier::E3False => "the host ran it: false",
                    Tier::EFalse | Tier::E0 | Tier::E1 | Tier::E2 | Tier::E3True => "checked: false",
                };
                let what = format!("{} {}: {}", said.kind, inline(&said.subject), inline(&said.predicate));
                let value = shown(&Side { value: said.value.clone(), polarity: said.polarity });
                lines.insert(format!("- ~~{what} {value}~~ ({}, {how})\n", agent.name));
            }
        }
        lines.into_iter().collect()
    }

    /// Who is on the winning side, and how well it is shown: `claude and codex; seen`.
    pub(super) fn support(&self, claim: &Judged) -> String {
        let said = self.winner(claim).and_then(|side| Some(spoken(self.speakers.get(&claim.key)?.get(&side)?)));
        let said = said.unwrap_or_default();
        match (claim.label, self.waiver(claim)) {
            (Label::Conflict, Some(waiver)) => format!("{said}; chosen by {}", inline(&waiver.by)),
            (Label::Single | Label::Hollow | Label::AgreedOver, _) => format!("{said}; {}", claim.label.words()),
            (Label::Conflict, None) | (Label::Proven | Label::Agreed | Label::Refuted, _) => said,
        }
    }

    /// All sides: `yes (claude; seen) against no (codex; said)`.
    pub(super) fn sides(&self, claim: &Judged) -> String {
        let sides = self.speakers.get(&claim.key).into_iter().flatten();
        let sides: Vec<String> = sides.map(|(side, who)| format!("{} ({})", shown(side), spoken(who))).collect();
        sides.join(" against ")
    }

    /// Every side of a claim: what is said, whether it holds, and by whom, with how well each shows it.
    pub(super) fn speaking(&self, claim: &Judged) -> Vec<(&Value, Polarity, &BTreeMap<&'a AgentName, Tier>)> {
        let sides = self.speakers.get(&claim.key).into_iter().flatten();
        sides.map(|(side, who)| (&side.value, side.polarity, who)).collect()
    }

    /// Those on the winning side.
    pub(super) fn winners(&self, claim: &Judged) -> Vec<&'a str> {
        let won = self.winner(claim).and_then(|side| self.speakers.get(&claim.key)?.get(&side));
        won.into_iter().flat_map(|who| who.keys().map(|name| name.as_str())).collect()
    }

    /// Whether a text, as somebody wrote it, is a value of a claim.
    pub(super) fn is_value(&self, claim: &Judged, text: &str, value: &Value) -> bool {
        let of = |value: &Value| self.canon.value(&claim.predicate, value);
        of(&Value::from(text)) == of(value)
    }

    /// The winning value in words.
    pub(super) fn value(&self, claim: &Judged) -> String {
        self.winner(claim).map(|side| shown(&side)).unwrap_or_default()
    }

    /// Members of the winning set, or the winning text alone.
    pub(super) fn members(&self, claim: &Judged) -> Vec<String> {
        match &claim.value {
            Some(Value::Set(members)) => members.to_vec(),
            Some(Value::Text(text)) => vec![text.as_ref().to_owned()],
            None => Vec::new(),
        }
    }

    /// Dissent from a decided claim: `against: no (codex; said)`.
    pub(super) fn against(&self, claim: &Judged) -> String {
        let winner = self.winner(claim);
        let sides = self.speakers.get(&claim.key).into_iter().flatten();
        let others: Vec<String> = sides
            .filter(|(side, _)| Some(*side) != winner.as_ref())
            .map(|(side, who)| format!("{} ({})", shown(side), spoken(who)))
            .collect();
        if others.is_empty() { String::new() } else { format!("; against: {}", others.join(", ")) }
    }

    /// The claims of a kind and predicate, by subject.
    pub(super) fn claims(&self, kind: Kind, predicate: &str) -> Vec<&'a Judged> {
        let mut claims: Vec<&Judged> =
            self.verdict.claims.iter().filter(|claim| claim.kind == kind && claim.predicate == predicate).collect();
        claims.sort_by(|a, b| a.subject.cmp(&b.subject));
        claims
    }

    /// The texts of accepted conditions are compared as subjects are.
    pub(super) fn is_accepted(&self, condition: &Judged) -> bool {
        let subject = |text: &str| self.canon.subject(Kind::Finding, text).0;
        self.panel.accepted_conditions.iter().any(|text| subject(text) == condition.subject)
    }
}

/// Names, and the word for the strongest tier among them.
fn spoken(who: &BTreeMap<&AgentName, Tier>) -> String {
    let names: Vec<&str> = who.keys().map(|name| name.as_str()).collect();
    let tier = who.values().max().copied().unwrap_or_default();
    format!("{}; {}", listed(&names), tier.word())
}

/// A side in words: yes, no, the value, not the value.
fn shown(side: &Side) -> String {
    match (side.value.as_text(), side.polarity) {
        (Some("yes"), Polarity::Yes) => "yes".into(),
        (Some("yes"), Polarity::No) => "no".into(),
        (_, Polarity::Yes) => inline(&readable(&side.value)),
        (_, Polarity::No) => format!("not {}", inline(&readable(&side.value))),
    }
}

/// Quantities of time and size are compared in nanoseconds and bytes; people read seconds.
fn readable(value: &Value) -> String {
    let text = value.to_string();
    let Some(ns) = text.strip_suffix(" ns").and_then(|number| number.parse::<u128>().ok()) else { return text };
    let units = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "min"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
    ];
    match units.into_iter().find(|(factor, _)| ns > 0 && ns % factor == 0) {
        Some((factor, unit)) => format!("{} {unit}", ns / factor),
        None => text,
    }
}

/// A list of names as code.
pub(super) fn codes(names: &[String]) -> String {
    names.iter().map(|name| code(name)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_the_largest_unit_that_is_whole() {
        for (value, words) in [
            ("120000000000 ns", "2 min"),
            ("90000000000 ns", "90 s"),
            ("1500000 ns", "1500 us"),
            ("7 ns", "7 ns"),
            ("0 ns", "0 ns"),
            ("2048 bytes", "2048 bytes"),
            ("redis", "redis"),
        ] {
            assert_eq!(readable(&value.into()), words);
        }
    }
}
