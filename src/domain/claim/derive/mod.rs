//! How answers become claims: the host derives them by a [`table()`], the agents never choose a key.
//!
//! It must not look anything up ([`Lookups`] come in), count anything, or know agents.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::lookup::{Citation, Lookups};
use super::{Assertion, Kind, Polarity, Severity, Tier, Value};
use crate::domain::agenda::Topic;
use crate::domain::artifact::body::{Change, Cite, Risk, Stated};
use crate::domain::artifact::{Artifact, Body};
use crate::domain::safe::Safe;
use crate::domain::spec::{Level, Spec};

mod bodies;
mod common;
mod named;
mod quantity;
mod specify;
mod table;
mod weigh;

pub use table::{DEMANDED, REWORDED, Row, Rule, WITHDRAWN, predicates, table};
use weigh::{Scales, Weighed};

/// What derivation starts from, besides the artifact.
#[derive(Debug, Clone, Copy)]
pub struct DeriveInputs<'a> {
    /// The spec.
    pub spec: &'a Spec,
    /// The agenda that was asked.
    pub agenda: &'a [Topic],
    /// What the host looked up and ran.
    pub lookups: &'a Lookups,
    /// Whether no guardrail of this stage failed.
    pub guardrails_ok: bool,
    /// Ids of the constitution's rules, in upper case.
    pub constitution: &'a BTreeSet<String>,
    /// What was decided before.
    pub prior: &'a Prior,
    /// The diff as the host took it: of the candidate at stage implement, of the range that is audited.
    pub diff: Option<&'a BTreeMap<String, Change>>,
}

/// What earlier stages decided, as far as tiers depend on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prior {
    /// Tests and files that the decided plan or tasks name for a requirement (its `checked-by` claim).
    pub checked_by: BTreeMap<String, BTreeSet<String>>,
    /// Requirement ids that a test's source names, by test id.
    pub mentions: BTreeMap<String, BTreeSet<String>>,
    /// Whether validate passed for this spec hash and tree.
    pub validate_passed: bool,
    /// Whether audit passed for this spec hash and tree.
    pub audit_passed: bool,
}

/// One assertion, what it rests on, and where it stands in the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backed {
    /// What is said, with the host's tier.
    pub assertion: Assertion,
    /// Why, in the agent's words; empty where its field has no room for reasons.
    pub because: Safe,
    /// What was looked up for it.
    pub evidence: Vec<Citation>,
    /// The field it was derived from: `work_breakdown[0].files[1]`.
    pub field: String,
}

/// Something an agent wrote that does not vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The field.
    pub field: String,
    /// Its words.
    pub text: Safe,
}

/// Something an agent said that the host found false: phantom completion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The field.
    pub field: String,
    /// What was said.
    pub said: Safe,
    /// What is so instead.
    pub found: Safe,
}

/// What one answer says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    /// What votes, in the order of the answer.
    pub assertions: Vec<Backed>,
    /// What does not.
    pub notes: Vec<Note>,
    /// What is false.
    pub phantoms: Vec<Charge>,
}

impl Derived {
    /// Returns the assertions alone, as a panel holds them.
    pub fn plain(&self) -> Vec<Assertion> {
        self.assertions.iter().map(|backed| backed.assertion.clone()).collect()
    }
}

/// Derives what an answer says in an empty world: nothing was looked up or run.
pub fn unchecked(artifact: &Artifact, spec: &Spec, agenda: &[Topic]) -> Derived {
    let inputs = DeriveInputs {
        spec,
        agenda,
        lookups: &Lookups::new(),
        guardrails_ok: true,
        constitution: &BTreeSet::new(),
        prior: &Prior::default(),
        diff: None,
    };
    derive(artifact, &inputs)
}

/// Returns everything that an answer names and that the host should look up, sorted, each once.
pub fn citations(artifact: &Artifact, spec: &Spec) -> Vec<Citation> {
    // Derivation against an empty world, with a topic for whatever was answered, weighs every citation there is.
    let agenda: Vec<Topic> = artifact
        .answers
        .iter()
        .map(|answer| Topic {
            id: answer.topic.clone(),
            requirement: None,
            about: None,
            ask: String::new(),
            unit: None,
        })
        .collect();
    let cited: BTreeSet<Citation> = unchecked(artifact, spec, &agenda)
        .assertions
        .into_iter()
        .flat_map(|backed| backed.evidence)
        .filter(|citation| !matches!(citation, Citation::Requirement { .. }))
        .collect();
    cited.into_iter().collect()
}

/// Derives what an answer says, by the [`table()`], with the tiers that the lookups give.
pub fn derive(artifact: &Artifact, inputs: &DeriveInputs<'_>) -> Derived {
    let mut desk = Desk { inputs: *inputs, derived: Derived::default() };
    match &artifact.body {
        Body::Specify(specify) => desk.specify(specify),
        Body::Plan(plan) => desk.plan(plan),
        Body::Tasks(tasks) => desk.tasks(tasks),
        Body::Implement(implement) => desk.implement(implement),
        Body::Validate(validate) => desk.validate(validate),
        Body::Audit(audit) => desk.audit(audit),
        Body::Unlock(unlock) => desk.unlock(unlock),
    }
    desk.answers(&artifact.answers);
    desk.risks(artifact.body.risks());
    desk.outcome(artifact);
    desk.stated(artifact, &artifact.claims);
    let mut derived = desk.derived;
    derived.assertions = united(derived.assertions);
    derived
}

/// Derives what one more stated claim says beside an answer, as if it stood among its `claims`.
pub fn stated(artifact: &Artifact, stated: &Stated, inputs: &DeriveInputs<'_>) -> Derived {
    let mut desk = Desk { inputs: *inputs, derived: Derived::default() };
    desk.stated(artifact, std::slice::from_ref(stated));
    desk.derived
}

/// Returns what evidence names, as the host looks it up.
pub fn cited(evidence: &[Cite]) -> Vec<Citation> {
    named::citations(evidence)
}

/// Where one answer is derived.
struct Desk<'a> {
    inputs: DeriveInputs<'a>,
    derived: Derived,
}

/// What an assertion says, before its tier is known.
struct Said {
    subject: String,
    value: Value,
    polarity: Polarity,
    severity: Severity,
    requirement: Option<String>,
    because: Safe,
}

impl Said {
    fn yes(subject: impl Into<String>, severity: Severity) -> Self {
        Self {
            subject: subject.into(),
            value: "yes".into(),
            polarity: Polarity::Yes,
            severity,
            requirement: None,
            because: Safe::default(),
        }
    }
}

impl<'a> Desk<'a> {
    fn scales(&self) -> Scales<'a> {
        let DeriveInputs { spec, lookups, prior, .. } = self.inputs;
        Scales { spec, lookups, checked_by: &prior.checked_by, mentions: &prior.mentions }
    }

    /// How much a requirement's coverage matters.
    fn severity_of(&self, requirement: &str) -> Severity {
        match self.inputs.spec.requirement(requirement).map(|r| r.level) {
            Some(Level::Must) => Severity::Major,
            Some(Level::Should) | None => Severity::Minor,
            Some(Level::May) => Severity::Info,
        }
    }

    /// Major for a must-requirement, minor for anything else.
    fn major_if_must(&self, requirement: Option<&str>) -> Severity {
        let level = requirement.and_then(|id| self.inputs.spec.requirement(id)).map(|r| r.level);
        if level == Some(Level::Must) { Severity::Major } else { Severity::Minor }
    }

    /// Puts down an assertion of a row of the table.
    fn say(&mut self, rule: Rule, field: String, said: Said, weighed: Weighed, evidence: Vec<Citation>) {
        let row = rule.row();
        if let Some(kind) = row.kind {
            self.put(kind, row.predicate.to_owned(), field, said, weighed, evidence);
        }
    }

    fn put(
        &mut self,
        kind: Kind,
        predicate: String,
        field: String,
        said: Said,
        weighed: Weighed,
        evidence: Vec<Citation>,
    ) {
        let Said { subject, value, polarity, severity, requirement, because } = said;
        let assertion =
            Assertion { kind, subject, predicate, value, polarity, severity, tier: weighed.tier, requirement };
        if assertion.tier.is_false() {
            let found = weighed.instead.unwrap_or_else(|| "it is not so".into());
            self.derived.phantoms.push(Charge {
                field: field.clone(),
                said: Safe::line(&in_words(&assertion, &evidence)),
                found: Safe::line(&found),
            });
        }
        self.derived.assertions.push(Backed { assertion, because, evidence, field });
    }

    fn note(&mut self, field: String, text: &str) {
        if !text.trim().is_empty() {
            self.derived.notes.push(Note { field, text: Safe::block(text) });
        }
    }
}

/// Returns the path that an entry of a list of files names, without its marks (`src/b.rs (new)` names `src/b.rs`).
pub fn file_path(entry: &str) -> String {
    named::file_entry(entry).path
}

/// Returns what a risk is about: the requirement that it cites, or the only one it names, or its words.
pub fn risk_subject(spec: &Spec, risk: &Risk) -> String {
    named::subject(spec, &risk.risk, None, &risk.evidence)
}

/// An assertion as a person reads it, with the places that it cites.
pub fn in_words(assertion: &Assertion, evidence: &[Citation]) -> String {
    let Assertion { kind, subject, predicate, value, polarity, .. } = assertion;
    let not = if *polarity == Polarity::No { "not " } else { "" };
    let cited: Vec<String> = evidence.iter().map(cited_in_words).collect();
    let cited = if cited.is_empty() { String::new() } else { format!(" ({})", cited.join(", ")) };
    if value.as_text() == Some("yes") {
        format!("{kind} {subject}: {not}{predicate}{cited}")
    } else {
        format!("{kind} {subject}: {predicate} {not}{value}{cited}")
    }
}

/// A citation as a person reads it.
pub fn cited_in_words(citation: &Citation) -> String {
    match citation {
        Citation::File { path, line: Some(line) } => format!("{path}:{line}"),
        Citation::File { path, line: None } => path.clone(),
        Citation::Hunk { path, line: Some(line) } => format!("the change of {path}:{line}"),
        Citation::Hunk { path, line: None } => format!("the change of {path}"),
        Citation::Symbol { symbol, path: Some(path) } => format!("{symbol} in {path}"),
        Citation::Symbol { symbol, path: None } => symbol.clone(),
        Citation::Test { check: Some(check), id } => format!("test {id} of {check}"),
        Citation::Test { check: None, id } => format!("test {id}"),
        Citation::Requirement { id } => id.clone(),
    }
}

/// Leaves one assertion for each thing said, at its best tier and with all its evidence; one found false is kept beside
/// it, because it is charged.
fn united(assertions: Vec<Backed>) -> Vec<Backed> {
    let mut out: Vec<Backed> = Vec::new();
    let mut places: BTreeMap<(Assertion, bool), usize> = BTreeMap::new();
    for backed in assertions {
        let is_false = backed.assertion.tier.is_false();
        let key = (Assertion { tier: Tier::E0, ..backed.assertion.clone() }, is_false);
        match places.get(&key).and_then(|&place| out.get_mut(place)) {
            None => {
                places.insert(key, out.len());
                out.push(backed);
            }
            Some(kept) => {
                kept.assertion.tier = kept.assertion.tier.max(backed.assertion.tier);
                for citation in backed.evidence {
                    if !kept.evidence.contains(&citation) {
                        kept.evidence.push(citation);
                    }
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests;
