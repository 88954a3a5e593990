//! What stands of each claim before anybody labels a stage: the sides, who holds them, and which pairs may be one.
//!
//! For those who ask about what is open (the round). It must not know what is asked or why.

use std::collections::{BTreeMap, BTreeSet};

use super::canon::{Canon, Form};
use super::label::Label;
use super::marks::is_told_apart;
use super::panel::{Choice, Panel};
use super::parse::is_outcome;
use super::tally::{Bench, Claim, Tally, gather, tally};
use crate::domain::claim::{Assertion, Kind, Severity, Tier, Value};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, Family};

/// Everything that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standings {
    /// By ascending key.
    pub claims: Vec<Standing>,
    /// Pairs of claims, by their place in the list, that would be one but for their polarity.
    pub possible_conflicts: Vec<(usize, usize)>,
    /// Families of which a voter answered.
    pub families: BTreeSet<Family>,
}

/// One claim as it stands: what was struck is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its key, then those that were merged into it.
    pub keys: Vec<Sha>,
    /// Its kind.
    pub kind: Kind,
    /// Its subject, canonical.
    pub subject: String,
    /// What its subject is.
    pub form: Form,
    /// Its predicate, canonical.
    pub predicate: String,
    /// What it amounts to.
    pub label: Label,
    /// The side that counts, if there is one.
    pub winner: Option<Choice>,
    /// The highest severity that any assertion left bears.
    pub severity: Severity,
    /// What is said, and who says it; the host too.
    pub sides: BTreeMap<Choice, Vec<Holder>>,
    /// Families of the voters that hold any side.
    pub families: BTreeSet<Family>,
    /// The requirement it bears on, where its subject is something else.
    pub requirement: Option<String>,
}

/// Somebody who holds a side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub agent: AgentName,
    /// How much it said it matters.
    pub severity: Severity,
    /// What the host found.
    pub tier: Tier,
}

impl Standing {
    /// Returns the key that names the claim.
    pub fn key(&self) -> &Sha {
        &self.keys[0]
    }

    /// Tells whether two claims may be called the same: free texts of one kind and predicate that no number, negation
    /// or quoted name tells apart.
    pub fn may_be(&self, other: &Standing) -> bool {
        let is_free = self.form == Form::FreeText && other.form == Form::FreeText;
        let alike = (self.kind, &self.predicate) == (other.kind, &other.predicate);
        is_free && alike && !is_told_apart(&self.subject, &other.subject)
    }
}

/// Returns the side that an assertion takes, canonical.
pub fn says(canon: &Canon, assertion: &Assertion) -> Choice {
    let Assertion { kind, subject, predicate, value, polarity, .. } = assertion;
    let predicate = canon.predicate(predicate);
    let value = match value.as_text() {
        // An outcome is a name, not words.
        Some(name) if is_outcome(*kind, &canon.subject(*kind, subject).0, &predicate) => Value::from(name.trim()),
        _ => canon.value(&predicate, value),
    };
    Choice { value, polarity: *polarity }
}

/// Returns what stands in a panel.
pub fn standing(panel: &Panel) -> Standings {
    let bench = Bench::seat(panel);
    let claims = gather(&bench);
    Standings {
        possible_conflicts: claims.possible_conflicts.clone(),
        families: bench.agents.iter().filter(|a| a.voter && a.is_ok()).map(|a| a.family.clone()).collect(),
        claims: claims.list.iter().map(|claim| of(&bench, claim, &tally(&bench, claim))).collect(),
    }
}

fn of(bench: &Bench<'_>, claim: &Claim, tally: &Tally<'_>) -> Standing {
    let mut sides: BTreeMap<Choice, Vec<Holder>> = BTreeMap::new();
    for said in tally.standing.iter() {
        let holder = Holder { agent: bench.agents[said.agent].name.clone(), severity: said.severity, tier: said.tier };
        sides.entry((*said.side).clone()).or_default().push(holder);
    }
    let voters = tally.standing.iter().map(|said| bench.agents[said.agent]).filter(|agent| agent.voter);
    Standing {
        keys: claim.members().map(|member| member.key.clone()).collect(),
        kind: claim.kind,
        subject: claim.subject().to_owned(),
        form: claim.first.form,
        predicate: claim.predicate.as_ref().to_owned(),
        label: tally.label(),
        winner: tally.winner.as_deref().cloned(),
        severity: tally.severity,
        sides,
        families: voters.map(|agent| agent.family.clone()).collect(),
        requirement: claim.said.iter().find_map(|said| said.requirement.clone()),
    }
}
