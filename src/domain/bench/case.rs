//! One case of the benchmark: a panel, and the truth that it is held against.
//!
//! It must not know where the truth comes from, only that it does not come from a verdict.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::chance::Chance;
use crate::domain::claim::{Assertion, Polarity, Severity, Tier, Value};
use crate::domain::consensus::{Call, Canon, Choice, Label, Panel, Verdict};
use crate::domain::hash::Sha;

/// A panel with known truth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// What sort of case it is.
    pub sort: String,
    /// What the agents said, with the tiers that the host gives.
    pub panel: Panel,
    /// What is so.
    pub truth: Truth,
    /// The agent that is mistaken least.
    pub best: String,
    /// How often each agent is mistaken about one thing, of a thousand; not known of cases by hand.
    pub errors: BTreeMap<String, u32>,
    /// What is drawn in the round.
    pub chance: Chance,
}

/// What is so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// What the panel should have ended in.
    pub answer: End,
    /// The true values of claims of weight, by key: passing with another one lets something false through.
    pub values: BTreeMap<Sha, Value>,
    /// The true side of whatever the world knows about, by key.
    pub sides: BTreeMap<Sha, Choice>,
    /// Texts that mean the same, by their keys.
    pub same: Vec<Vec<Sha>>,
}

/// How a method ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// It goes on.
    Pass,
    /// It stops.
    Stop,
    /// A human is asked.
    Ask,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Pass => "pass",
            End::Stop => "stop",
            End::Ask => "ask",
        })
    }
}

/// What a method made of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub end: End,
    /// The values of weight that it would go on with, by key.
    pub values: BTreeMap<Sha, Value>,
}

impl Ended {
    /// Reads a verdict: how it ends on screen, and the values that it decided.
    pub fn of(verdict: &Verdict) -> Self {
        let end = match verdict.call() {
            Call::Pass => End::Pass,
            Call::YourCall(_) => End::Ask,
            Call::Stop => End::Stop,
        };
        let goes_on = |label: Label| label.is_decided() || label == Label::Single;
        let chosen = verdict.claims.iter().filter(|c| goes_on(c.label) && c.severity >= Severity::Major);
        let values = chosen.filter_map(|c| {
            let holds = c.polarity == Some(Polarity::Yes);
            Some((c.key.clone(), c.value.clone().filter(|_| holds)?))
        });
        Self { end, values: values.collect() }
    }

    /// Tells whether it lets something false through.
    pub fn is_false_pass(&self, truth: &Truth) -> bool {
        self.end == End::Pass && (truth.answer != End::Pass || self.wrong(truth).next().is_some())
    }

    /// Returns the key and the true value of each wrong one that it would go on with.
    fn wrong<'a>(&'a self, truth: &'a Truth) -> impl Iterator<Item = (&'a Sha, &'a Value)> {
        let true_one = |(key, value): (&'a Sha, &'a Value)| Some((key, truth.values.get(key)?, value));
        let differs =
            |(key, true_one, value): (&'a Sha, &'a Value, &'a Value)| (true_one != value).then_some((key, true_one));
        self.values.iter().filter_map(true_one).filter_map(differs)
    }

    /// Tells whether it stops what is fit.
    pub fn is_false_block(&self, truth: &Truth) -> bool {
        self.end == End::Stop && truth.answer == End::Pass
    }

    /// Tells whether it ended as it should have.
    pub fn is_right(&self, truth: &Truth) -> bool {
        self.end == truth.answer && !self.is_false_pass(truth)
    }
}

impl Case {
    /// Tells whether something false is in it that could get through: it should not pass, or somebody says something
    /// of weight that is not so.
    pub fn is_trap(&self) -> bool {
        let canon: Canon = self.panel.canon();
        let is_wrong = |said: &Assertion| {
            let key = canon.key(said.kind, &said.subject, &said.predicate);
            let truth = self.truth.values.get(&key);
            truth.is_some_and(|truth| *truth != canon.value(&said.predicate, &said.value))
        };
        self.truth.answer != End::Pass || self.panel.agents.iter().flat_map(|agent| &agent.claims).any(is_wrong)
    }

    /// Tells whether a false pass was beyond any count of voices: of each wrong value that passed, nobody said the true
    /// one.
    pub fn is_unsaid(&self, ended: &Ended) -> bool {
        let canon: Canon = self.panel.canon();
        let is_said = |key: &Sha, value: &Value| {
            let says = |said: &Assertion| {
                canon.key(said.kind, &said.subject, &said.predicate) == *key
                    && canon.value(&said.predicate, &said.value) == *value
            };
            self.panel.agents.iter().filter(|agent| agent.is_ok()).flat_map(|agent| &agent.claims).any(says)
        };
        ended.is_false_pass(&self.truth)
            && self.truth.answer == End::Pass
            && !ended.wrong(&self.truth).any(|(key, value)| is_said(key, value))
    }

    /// Returns the panel as it would be if the host had looked nothing up: whatever names something is E1.
    pub fn unlooked(&self) -> Panel {
        let mut panel = self.panel.clone();
        for said in panel.agents.iter_mut().flat_map(|agent| &mut agent.claims) {
            said.tier = if said.tier == Tier::E0 { Tier::E0 } else { Tier::E1 };
            if said.severity == Severity::Critical {
                // Nobody may call critical what the host has not seen.
                said.severity = Severity::Major;
            }
        }
        panel
    }
}
