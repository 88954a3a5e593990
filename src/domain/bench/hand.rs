//! The cases written by hand: what has been seen to happen, or what may well.
//!
//! A line of a case reads `E2 major covers FR-001`: the tier, the weight, perhaps `not`, and what is said. It must not
//! know how a case is decided; which cases come out wrong is written beside them and held against the verdict by a test.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::case::{Case, End, Truth};
use super::chance::Chance;
use super::speak::{outcome_word, panel};
use crate::domain::claim::{Assertion, Kind, Polarity, Severity, Tier, Value};
use crate::domain::consensus::{Answer, Choice, OUTCOME, Participant, Requirement};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, Family};
use crate::domain::spec::Level;
use crate::domain::stage::Stage;

/// The files, and what their cases are called in the table.
const FILES: [(&str, &str); 2] =
    [("by hand", include_str!("fixtures/right.toml")), ("by hand, known limits", include_str!("fixtures/wrong.toml"))];

/// How often somebody in a written case is mistaken about what it has not spoken of, of a thousand: nobody wrote that
/// down, so it is the injector's middle grade.
const ERROR: u32 = 120;

/// A case as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    stage: Stage,
    truth: End,
    why: String,
    limit: Option<String>,
    #[serde(default)]
    musts: Vec<String>,
    #[serde(default)]
    shoulds: Vec<String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    accepted: Vec<String>,
    #[serde(default)]
    absent: Vec<String>,
    best: Option<String>,
    says: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct File {
    case: Vec<Written>,
}

/// A case by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// The case.
    pub case: Case,
    /// What happens in it.
    pub why: String,
    /// Which limit of Dicast it shows, if Dicast gets it wrong.
    pub limit: Option<String>,
}

/// Reads the cases.
///
/// # Errors
/// The case and the line that cannot be read.
pub fn cases() -> Result<Vec<ByHand>, Failure> {
    let mut cases = Vec::new();
    for (sort, text) in FILES {
        let file: File = toml::from_str(text).map_err(|e| bad(sort, e.to_string()))?;
        for written in file.case {
            let name = written.name.clone();
            cases.push(written.read(sort, cases.len()).map_err(|why| bad(&name, why))?);
        }
    }
    Ok(cases)
}

fn bad(place: &str, why: String) -> Failure {
    Failure::BadInput { place: place.to_owned(), why, next: "correct the case".into(), exit: 3 }
}

impl Written {
    fn read(self, sort: &str, number: usize) -> Result<ByHand, String> {
        let mut agents = Vec::new();
        for (who, lines) in &self.says {
            let claims = lines.iter().map(|line| said(line).ok_or(line.clone())).collect::<Result<_, _>>()?;
            agents.push(participant(who, Answer::Ok, claims)?);
        }
        for who in &self.absent {
            agents.push(participant(who, Answer::Timeout, Vec::new())?);
        }
        let best = self.best.or_else(|| agents.first().map(|agent| agent.name.to_string())).unwrap_or_default();
        let level = |ids: &[String], level| -> Vec<Requirement> {
            ids.iter().map(|id| Requirement { id: id.clone(), level }).collect()
        };
        let requirements = [level(&self.musts, Level::Must), level(&self.shoulds, Level::Should)].concat();
        let mut panel = panel(self.stage, requirements, agents).ok_or("the panel cannot be made")?;
        panel.accepted_conditions = self.accepted;
        panel.check().map_err(|e| e.to_string())?;
        let canon = panel.canon();
        let value = |(topic, value): (&String, &String)| {
            (canon.key(Kind::Decision, topic, "answer"), canon.value("answer", &Value::from(value.as_str())))
        };
        let values: BTreeMap<Sha, Value> = self.values.iter().map(value).collect();
        let yes = |value: Value| Choice { value, polarity: Polarity::Yes };
        let mut sides: BTreeMap<Sha, Choice> = values.iter().map(|(key, v)| (key.clone(), yes(v.clone()))).collect();
        if self.stage.has_outcome() && self.truth != End::Ask {
            let word = outcome_word(self.stage, self.truth == End::Pass);
            sides.insert(canon.key(Kind::Decision, OUTCOME.0, OUTCOME.1), yes(Value::from(word)));
        }
        let truth = Truth { answer: self.truth, values, sides, same: Vec::new() };
        let errors = panel.agents.iter().map(|agent| (agent.name.to_string(), ERROR)).collect();
        let chance = Chance::of(0, number as u64);
        let case = Case { name: self.name, sort: sort.to_owned(), panel, truth, best, errors, chance };
        Ok(ByHand { case, why: self.why, limit: self.limit })
    }
}

/// Reads `name/family`.
fn participant(who: &str, status: Answer, claims: Vec<Assertion>) -> Result<Participant, String> {
    let (name, family) = who.split_once('/').ok_or_else(|| format!("{who} has no family"))?;
    Ok(Participant {
        name: AgentName::new(name).map_err(|e| e.to_string())?,
        family: Family::new(family).map_err(|e| e.to_string())?,
        voter: true,
        status,
        open_dissent: Vec::new(),
        artifact: None,
        claims,
    })
}

/// Reads a line: tier, severity, perhaps `not`, a verb, and what it is about.
fn said(line: &str) -> Option<Assertion> {
    let (tier, rest) = line.split_once(' ')?;
    let (severity, rest) = rest.split_once(' ')?;
    let (polarity, rest) = match rest.strip_prefix("not ") {
        Some(rest) => (Polarity::No, rest),
        None => (Polarity::Yes, rest),
    };
    let (verb, about) = rest.split_once(' ')?;
    let (kind, subject, predicate, value, requirement) = match verb {
        "covers" => (Kind::Covers, about, "covered", "yes", None),
        "satisfied" => (Kind::Finding, about, "satisfied", "yes", None),
        "open" => (Kind::Finding, about, "open", "yes", None),
        "condition" => (Kind::Finding, about, "condition", "yes", None),
        "risk" => (Kind::Risk, about, "threatens", "yes", None),
        "outcome" => (Kind::Decision, "stage", "outcome", about, None),
        "answer" => {
            let (topic, value) = about.rsplit_once(": ")?;
            (Kind::Decision, topic, "answer", value, None)
        }
        "passes" => {
            let (test, requirement) = about.split_once(" for ")?;
            (Kind::Test, test, "passes", "yes", Some(requirement.to_owned()))
        }
        _ => return None,
    };
    Some(Assertion {
        kind,
        subject: subject.to_owned(),
        predicate: predicate.to_owned(),
        value: Value::from(value),
        polarity,
        severity: [Severity::Info, Severity::Minor, Severity::Major, Severity::Critical]
            .into_iter()
            .find(|one| one.name() == severity)?,
        tier: Tier::ALL.into_iter().find(|one| one.name() == tier)?,
        requirement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bench::score::Method;

    #[test]
    fn there_are_forty_cases_by_hand_with_names_of_their_own_and_a_reason_each() {
        let cases = cases().unwrap();
        let names: std::collections::BTreeSet<&str> = cases.iter().map(|c| c.case.name.as_str()).collect();
        assert!(cases.len() >= 40 && names.len() == cases.len(), "{} cases, {} names", cases.len(), names.len());
        assert!(cases.iter().all(|c| !c.why.is_empty()));
        for case in &cases {
            let known = case.case.panel.agents.iter().any(|agent| agent.name.as_str() == case.case.best);
            assert!(known, "{}: no agent is called {}", case.case.name, case.case.best);
        }
    }

    #[test]
    fn dicast_gets_wrong_exactly_the_cases_that_name_a_limit() {
        let cases = cases().unwrap();
        let mut surprises = Vec::new();
        for ByHand { case, limit, .. } in &cases {
            let result = Method::Looked.end(case);
            if result.is_right(&case.truth) == limit.is_some() {
                surprises.push(format!("{}: {} where it should {}", case.name, result.end, case.truth.answer));
            }
        }
        assert!(surprises.is_empty(), "{surprises:#?}");
        assert!(cases.iter().filter(|c| c.limit.is_some()).count() >= 20);
    }

    #[test]
    fn a_line_that_is_none_is_refused() {
        for line in ["", "E2 major", "E9 major covers FR-001", "E2 heavy covers FR-001", "E2 major likes FR-001"] {
            assert_eq!(said(line), None, "{line:?}");
        }
        let no = said("E1 minor not answer D-001: 10 1/s").unwrap();
        assert_eq!((no.polarity, no.subject.as_str(), no.value), (Polarity::No, "D-001", Value::from("10 1/s")));
    }
}
