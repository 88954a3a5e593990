//! Rows of what a spec should say otherwise.
//!
//! Whether a demand is wise is nobody's to look up: what it cites is. It must not know the other stages.

use super::named::{Asked, asked, citations};
use super::weigh::{Support, Weighed};
use super::{Desk, Rule, Said};
use crate::domain::artifact::body::{Demand, Specify};
use crate::domain::claim::{Severity, Value};
use crate::domain::safe::Safe;
use crate::domain::spec::{Level, level_of};

use super::common::FINDING;

/// How evidence counts for what a spec should say: what it names may have to be created.
const WANTED: Support<'static> = Support { planned: true, ..FINDING };

impl Desk<'_> {
    pub(super) fn specify(&mut self, specify: &Specify) {
        for (i, demand) in specify.requirements.iter().enumerate() {
            self.demand(format!("requirements[{i}]"), demand);
        }
        for (name, words) in [
            ("edge_cases", &specify.edge_cases),
            ("success_criteria", &specify.success_criteria),
            ("assumptions", &specify.assumptions),
        ] {
            for (i, text) in words.iter().enumerate() {
                self.note(format!("{name}[{i}]"), text);
            }
        }
        self.remarks(Rule::Unclear, "questions", &specify.questions);
    }

    fn demand(&mut self, field: String, demand: &Demand) {
        let words = one_line(&demand.text);
        let evidence = citations(&demand.evidence);
        let weighed = self.scales().weigh(&evidence, WANTED);
        let because = Safe::line(&demand.because);
        let said = |subject: &str, severity| Said { because: because.clone(), ..Said::yes(subject, severity) };
        let named = demand.requirement.as_deref().map(str::trim).filter(|id| !id.is_empty());
        let Some(named) = named else {
            if demand.withdraw || words.is_empty() {
                return self.note(field, &demand.because);
            }
            return self.say(Rule::Demanded, field, said(&words, severity_of(&words)), weighed, evidence);
        };
        let rule = if demand.withdraw { Rule::Withdrawn } else { Rule::Reworded };
        let id = match asked(self.inputs.spec, named) {
            Asked::Known(id) => id,
            Asked::Story => return self.note(field, &words),
            Asked::Unknown(id) => {
                let weighed = Weighed::is_false(format!("the spec has no {id}"));
                return self.say(rule, field, said(&id, Severity::Minor), weighed, evidence);
            }
        };
        if demand.withdraw {
            let severity = self.severity_of(&id);
            return self.say(rule, field, said(&id, severity), weighed, evidence);
        }
        if words.is_empty() || self.says_that_already(&id, &words) {
            return self.note(field, &demand.because);
        }
        let severity = self.severity_of(&id).max(severity_of(&words));
        let said = Said { value: Value::from(words.as_str()), requirement: Some(id.clone()), ..said(&id, severity) };
        self.say(rule, field, said, weighed, evidence);
    }

    /// Tells whether a requirement has these very words.
    fn says_that_already(&self, id: &str, words: &str) -> bool {
        self.inputs.spec.requirement(id).is_some_and(|requirement| one_line(&requirement.text) == words)
    }
}

/// How much words matter that a spec does not have yet.
fn severity_of(words: &str) -> Severity {
    match level_of(words) {
        Level::Must => Severity::Major,
        Level::Should => Severity::Minor,
        Level::May => Severity::Info,
    }
}

/// A text on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
