//! Rows of the fields that several stages share: answers, risks, remarks, the outcome, and stated claims.

use super::bodies::against;
use super::named::{Asked, asked, citations, file_entry, is_path, remark_subject, subject};
use super::quantity::with_unit;
use super::weigh::{Run, Support, Weighed};
use super::{Desk, Rule, Said, predicates, risk_subject};
use crate::domain::agenda::Topic;
use crate::domain::artifact::body::{Answer, Change, Outcome, Remark, Risk, Stated};
use crate::domain::artifact::{Artifact, Body};
use crate::domain::claim::lookup::Citation;
use crate::domain::claim::{Kind, Polarity, Severity, Tier, Value};
use crate::domain::safe::Safe;
use crate::domain::stage::Stage;

/// How evidence counts for findings: an existing requirement is evidence, a test only exists.
pub(super) const FINDING: Support<'static> =
    Support { polarity: Polarity::Yes, run: Run::Exists, spec_counts: true, planned: false };

/// The same for risks: that a requirement exists does not show that anything threatens it.
const RISK: Support<'static> = Support { spec_counts: false, ..FINDING };

impl Desk<'_> {
    pub(super) fn answers(&mut self, answers: &[Answer]) {
        let agenda = self.inputs.agenda;
        for (i, answer) in answers.iter().enumerate() {
            let field = format!("answers[{i}]");
            let Some(value) = answer.value.as_ref().filter(|_| !answer.abstain) else { continue };
            match agenda.iter().find(|topic| topic.id == answer.topic) {
                Some(Topic { requirement: Some(requirement), .. }) => {
                    self.answer_covers(field, requirement, &value.0, answer);
                }
                Some(topic) => self.answer(field, topic, &value.0, answer),
                None => self.note(field, &format!("{}: {}", answer.topic, value.0)),
            }
        }
    }

    fn answer_covers(&mut self, field: String, requirement: &str, value: &str, answer: &Answer) {
        let Some(polarity) = yes_or_no(value) else {
            return self.note(field, &format!("{requirement}: {value}"));
        };
        let evidence = citations(&answer.evidence);
        let run = Run::ProvesIfTied(requirement);
        let weighed = self.scales().weigh(&evidence, Support { polarity, run, spec_counts: false, planned: false });
        let severity = self.major_if_must(Some(requirement));
        self.say(
            Rule::AnswerCovers,
            field,
            Said { polarity, because: Safe::line(&answer.because), ..Said::yes(requirement, severity) },
            weighed,
            evidence,
        );
    }

    fn answer(&mut self, field: String, topic: &Topic, value: &str, answer: &Answer) {
        let evidence = citations(&answer.evidence);
        let support = Support { run: Run::Proves, ..FINDING };
        let weighed = self.scales().weigh(&evidence, support);
        let said = Said {
            value: Value::from(with_unit(value, answer.unit.as_deref(), topic.unit.as_deref())),
            requirement: topic.about.clone(),
            because: Safe::line(&answer.because),
            ..Said::yes(&topic.id, self.major_if_must(topic.about.as_deref()))
        };
        self.say(Rule::Answer, field, said, weighed, evidence);
    }

    pub(super) fn risks(&mut self, risks: &[Risk]) {
        for (i, risk) in risks.iter().enumerate() {
            let evidence = citations(&risk.evidence);
            let weighed = self.scales().weigh(&evidence, RISK);
            let mitigated = !matches!(risk.mitigation.trim().to_lowercase().as_str(), "" | "none" | "n/a" | "-");
            let stated = if mitigated { risk.severity.min(Severity::Minor) } else { risk.severity };
            let subject = risk_subject(self.inputs.spec, risk);
            let because = Safe::line(&risk.risk);
            let said = Said { because, ..Said::yes(subject, capped(stated, weighed.tier)) };
            self.say(Rule::Threatens, format!("risks[{i}]"), said, weighed, evidence);
        }
    }

    /// Open items and questions.
    pub(super) fn remarks(&mut self, rule: Rule, name: &str, remarks: &[Remark]) {
        for (i, remark) in remarks.iter().enumerate() {
            let evidence = citations(&remark.evidence);
            let weighed = self.scales().weigh(&evidence, FINDING);
            let severity = capped(remark.severity.unwrap_or_default(), weighed.tier);
            let because = Safe::line(&remark.text);
            let said = Said { because, ..Said::yes(remark_subject(self.inputs.spec, remark), severity) };
            self.say(rule, format!("{name}[{i}]"), said, weighed, evidence);
        }
    }

    /// Remarks that no row derives.
    pub(super) fn noted(&mut self, name: &str, remarks: &[Remark]) {
        for (i, remark) in remarks.iter().enumerate() {
            self.note(format!("{name}[{i}]"), &remark.text);
        }
    }

    pub(super) fn outcome(&mut self, artifact: &Artifact) {
        let Some((outcome, conditions)) = artifact.body.outcome() else { return };
        let weighed = self.outcome_tier(&artifact.body, outcome);
        let said = Said { value: outcome.word().into(), ..Said::yes("stage", Severity::Major) };
        self.say(Rule::Outcome, "decision".into(), said, weighed, Vec::new());
        for (i, condition) in conditions.iter().enumerate() {
            let evidence = citations(&condition.evidence);
            let weighed = self.scales().weigh(&evidence, FINDING);
            let said = Said::yes(condition.text.trim(), Severity::Minor);
            self.say(Rule::Condition, format!("conditions[{i}]"), said, weighed, evidence);
        }
    }

    fn outcome_tier(&self, body: &Body, outcome: Outcome) -> Weighed {
        let e2_if = |shown: bool, otherwise: Tier| Weighed::of(if shown { Tier::E2 } else { otherwise });
        let prior = self.inputs.prior;
        match (outcome, body) {
            (_, Body::Specify(_) | Body::Plan(_) | Body::Tasks(_) | Body::Implement(_)) => Weighed::of(Tier::E0),
            (Outcome::Fail(_), Body::Validate(_) | Body::Audit(_)) => {
                e2_if(!self.inputs.guardrails_ok || self.has_seen_failure(body), Tier::E1)
            }
            (Outcome::Fail(_), Body::Unlock(_)) => e2_if(!(prior.validate_passed && prior.audit_passed), Tier::E1),
            (Outcome::Pass(_) | Outcome::Conditional(_), Body::Validate(_)) if !self.inputs.guardrails_ok => {
                Weighed { tier: Tier::E3False, instead: Some("a guardrail failed".into()) }
            }
            (Outcome::Pass(_) | Outcome::Conditional(_), Body::Validate(_)) => Weighed::of(Tier::E2),
            (Outcome::Pass(_) | Outcome::Conditional(_), Body::Audit(audit)) => {
                let is_seen = |cites: &[_]| {
                    let tier = self.scales().weigh(&citations(cites), FINDING).tier;
                    !tier.is_false() && tier >= Tier::E2
                };
                let all = !audit.checks.is_empty() && audit.checks.iter().all(|check| is_seen(&check.evidence));
                e2_if(all, Tier::E0)
            }
            (Outcome::Pass(_) | Outcome::Conditional(_), Body::Unlock(_)) => {
                e2_if(prior.validate_passed && prior.audit_passed, Tier::E0)
            }
        }
    }

    /// Whether something that the answer calls failed was seen by the host.
    fn has_seen_failure(&self, body: &Body) -> bool {
        let rules = match body {
            Body::Validate(_) => [Kind::Test, Kind::Covers],
            Body::Audit(_) => [Kind::Finding, Kind::Finding],
            Body::Specify(_) | Body::Plan(_) | Body::Tasks(_) | Body::Implement(_) | Body::Unlock(_) => return false,
        };
        self.derived.assertions.iter().any(|backed| {
            let said = &backed.assertion;
            rules.contains(&said.kind) && said.polarity == Polarity::No && said.tier >= Tier::E2
        })
    }

    pub(super) fn stated(&mut self, artifact: &Artifact, claims: &[Stated]) {
        for (i, stated) in claims.iter().enumerate() {
            let field = format!("claims[{i}]");
            let predicate = stated.predicate.trim().to_lowercase();
            let counts = predicates(stated.kind).contains(&predicate.as_str());
            if !counts || !self.state(artifact, &field, predicate, stated) {
                let value = stated.value.as_ref().map(|value| value.0.as_str()).unwrap_or("yes");
                self.note(field, &format!("{} {}: {} {value}", stated.kind, stated.subject, stated.predicate));
            }
        }
    }

    /// Puts down a stated claim; false if it names nothing that its predicate could be said of.
    fn state(&mut self, artifact: &Artifact, field: &str, predicate: String, stated: &Stated) -> bool {
        let polarity = stated.polarity.unwrap_or(Polarity::Yes);
        let text = stated.value.as_ref().map_or("yes", |value| value.0.trim()).to_owned();
        let mut evidence = citations(&stated.evidence);
        let mut said = Said { polarity, ..Said::yes(stated.subject.trim(), Severity::Minor) };
        let weighed = match stated.kind {
            Kind::Covers => {
                let Some(polarity) = signed(&text, polarity) else { return false };
                said.polarity = polarity;
                match asked(self.inputs.spec, &stated.subject) {
                    Asked::Story => return false,
                    Asked::Unknown(id) => Weighed::is_false(format!("the spec has no {id}")),
                    Asked::Known(id) => {
                        said.severity = self.severity_of(&id);
                        let run = Run::ProvesIfTied(&id);
                        let support = Support { polarity, run, spec_counts: false, planned: false };
                        let weighed = self.scales().weigh(&evidence, support);
                        said.subject = id;
                        weighed
                    }
                }
            }
            Kind::Test if predicate == "passes" => {
                let Some(polarity) = signed(&text, polarity) else { return false };
                said.polarity = polarity;
                let named = evidence.iter().any(|c| matches!(c, Citation::Test { id, .. } if *id == said.subject));
                if !named {
                    evidence.push(Citation::Test { check: None, id: said.subject.clone() });
                }
                self.scales().weigh(&evidence, Support { polarity, run: Run::Proves, ..RISK })
            }
            Kind::Test => {
                said.severity = Severity::Info;
                said.value = text.into();
                self.scales().weigh(&evidence, Support { planned: true, ..RISK })
            }
            Kind::Decision => {
                said.value = text.clone().into();
                match self.stated_decision(artifact, &predicate, &text, polarity, &mut said, &evidence) {
                    Some(weighed) => weighed,
                    None => return false,
                }
            }
            Kind::FileChange => {
                said.severity = Severity::Info;
                let how = serde_json::from_value(text.to_lowercase().into()).ok();
                said.value = how.map_or_else(|| text.to_lowercase(), |how: Change| how.name().to_owned()).into();
                let entry = file_entry(&stated.subject);
                said.subject = entry.path;
                evidence.push(entry.citation);
                match self.inputs.diff {
                    Some(diff) if polarity == Polarity::Yes => against(diff, &said.subject, how),
                    Some(diff) if against(diff, &said.subject, how).tier.is_false() => Weighed::of(Tier::E2),
                    Some(_) => Weighed::is_false("the diff does"),
                    None => self.scales().weigh(&evidence, Support { planned: true, ..RISK }),
                }
            }
            Kind::Finding | Kind::Risk => {
                if let Asked::Known(id) = asked(self.inputs.spec, &stated.subject) {
                    said.subject = id;
                }
                let is_satisfied = predicate == "satisfied";
                let run = if is_satisfied { Run::ProvesIfTied(&said.subject) } else { Run::Exists };
                let spec_counts = stated.kind == Kind::Finding;
                let weighed = self.scales().weigh(&evidence, Support { polarity, run, spec_counts, planned: false });
                said.severity = match predicate.as_str() {
                    "condition" => Severity::Minor,
                    _ => capped(stated.severity.unwrap_or_default(), weighed.tier),
                };
                weighed
            }
        };
        self.put(stated.kind, predicate, field.to_owned(), said, weighed, evidence);
        true
    }

    fn stated_decision(
        &self,
        artifact: &Artifact,
        predicate: &str,
        text: &str,
        polarity: Polarity,
        said: &mut Said,
        evidence: &[Citation],
    ) -> Option<Weighed> {
        if predicate == "outcome" {
            let stage: Stage = artifact.body.stage();
            let outcome = Outcome::of_stage(stage, text)
                .filter(|_| polarity == Polarity::Yes && said.subject.eq_ignore_ascii_case("stage"))?;
            said.severity = Severity::Major;
            said.subject = "stage".into();
            return Some(self.outcome_tier(&artifact.body, outcome));
        }
        let topic = self.inputs.agenda.iter().find(|t| t.id == said.subject && t.requirement.is_none())?;
        said.severity = self.major_if_must(topic.about.as_deref());
        said.requirement = topic.about.clone();
        said.value = Value::from(with_unit(text, None, topic.unit.as_deref()));
        Some(self.scales().weigh(evidence, Support { polarity, run: Run::Proves, ..FINDING }))
    }

    /// The subject and severity of an audited item; what it is if it names a requirement that is none.
    pub(super) fn audited(&self, item: &str) -> (String, Severity, Option<Weighed>) {
        let spec = self.inputs.spec;
        let upper = item.trim().to_uppercase();
        if self.inputs.constitution.contains(&upper) {
            return (upper, Severity::Major, None);
        }
        let words = subject(spec, item, None, &[]);
        if spec.requirement(&words).is_some() {
            let severity = self.major_if_must(Some(&words));
            return (words, severity, None);
        }
        let is_id = crate::domain::spec::requirement_ids(item) == [upper.as_str()] && !spec.has_story(&upper);
        let missing = is_id.then(|| Weighed::is_false(format!("the spec has no {upper}")));
        let subject = if is_path(item.trim()) { file_entry(item).path } else { words };
        (subject, Severity::Minor, missing)
    }
}

/// At most major for what the host has not seen.
fn capped(severity: Severity, tier: Tier) -> Severity {
    if tier >= Tier::E2 { severity } else { severity.min(Severity::Major) }
}

/// Reads yes or no from the first word of an answer.
pub(super) fn yes_or_no(text: &str) -> Option<Polarity> {
    let first = text.split(|c: char| !c.is_alphanumeric()).find(|word| !word.is_empty())?.to_lowercase();
    match first.as_str() {
        "yes" | "true" | "covered" => Some(Polarity::Yes),
        "no" | "false" | "not" | "uncovered" => Some(Polarity::No),
        _ => None,
    }
}

/// The polarity of a stated yes or no.
fn signed(text: &str, polarity: Polarity) -> Option<Polarity> {
    match (yes_or_no(text)?, polarity) {
        (Polarity::Yes, said) => Some(said),
        (Polarity::No, Polarity::Yes) => Some(Polarity::No),
        (Polarity::No, Polarity::No) => Some(Polarity::Yes),
    }
}
