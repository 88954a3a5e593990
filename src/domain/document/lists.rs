//! Parts that several documents share: requirements, decisions, risks, what is open, what was struck.

use super::Desk;
use super::items::{Item, validation_of};
use super::voices::{Stands, codes};
use super::words::{cell, inline, table};
use crate::domain::artifact::Body;
use crate::domain::artifact::body::Remark;
use crate::domain::claim::derive::risk_subject;
use crate::domain::claim::{Kind, Polarity, Severity};
use crate::domain::consensus::{Judged, Label};
use crate::domain::spec::{Level, Requirement};

/// What a document lists that serves requirements.
#[derive(Clone, Copy)]
pub(super) enum Served<'i> {
    /// Steps or tasks, by that word.
    By(&'static str, &'i [Item]),
    /// Nothing: it judges what is there.
    Elsewhere,
}

impl Served<'_> {
    /// The word for what would serve a requirement, if nothing of it does.
    fn lacks(self, requirement: &str) -> Option<&'static str> {
        match self {
            Served::By(word, items) => {
                let is_served = items.iter().any(|item| item.requirements.iter().any(|id| id == requirement));
                (!is_served).then_some(word)
            }
            Served::Elsewhere => None,
        }
    }
}

impl Desk<'_> {
    /// Lines under the title: what was decided, by whom.
    pub(super) fn standing(&self) -> String {
        let verdict = self.inputs.verdict;
        let missing: Vec<&str> = verdict.missing_agents.iter().map(|name| name.as_str()).collect();
        let missing = if missing.is_empty() { String::new() } else { format!(", without {}", missing.join(", ")) };
        format!(
            "**Verdict**: {}, {} of {} families{missing} | **Draft**: {}",
            verdict.status.words(),
            verdict.families.ok,
            verdict.families.expected,
            self.base().0
        )
    }

    /// Whether and how each requirement is covered: every must is covered, and by something that is listed, or OPEN.
    pub(super) fn requirements(&self, served: Served<'_>) -> String {
        let row = |requirement| self.requirement_row(requirement, served);
        let rows: Vec<Vec<String>> = self.inputs.spec.requirements.iter().map(row).collect();
        table(&["Requirement", "Level", "Covered", "Checked by"], &rows)
    }

    fn requirement_row(&self, requirement: &Requirement, served: Served<'_>) -> Vec<String> {
        let checked = self
            .voices
            .claim(Kind::Test, &requirement.id, "checked-by")
            .filter(|claim| claim.label != Label::Conflict)
            .map(|claim| self.voices.members(claim))
            .unwrap_or_default();
        let said = validation_of(&self.base().1.body, self.inputs.spec, &requirement.id);
        let named: Vec<String> =
            checked.into_iter().filter(|name| !name.contains(' ') && !said.contains(name)).collect();
        let separator = if said.trim().is_empty() || named.is_empty() { "" } else { "; " };
        vec![
            requirement.id.clone(),
            requirement.level.word().to_owned(),
            self.coverage(requirement, served).replace('|', "\\|"),
            format!("{}{separator}{}", cell(&said), codes(&named).replace('|', "\\|")),
        ]
    }

    /// How a requirement stands: by `covers`, and at audit by `satisfied`.
    fn coverage(&self, requirement: &Requirement, served: Served<'_>) -> String {
        let id = &requirement.id;
        let claims = [(Kind::Covers, "covered"), (Kind::Finding, "satisfied")];
        let mut claims: Vec<&Judged> = claims.into_iter().filter_map(|(k, p)| self.voices.claim(k, id, p)).collect();
        // What is best shown speaks for the requirement.
        claims.sort_by_key(|claim| std::cmp::Reverse(claim.tier));
        let is_must = requirement.level == Level::Must;
        if claims.is_empty() {
            return if is_must { "**OPEN**: nobody says how".into() } else { "nobody says how".into() };
        }
        let open = if is_must { "**OPEN**: " } else { "" };
        let said = |claim: &Judged| format!("({}){}", self.voices.support(claim), self.voices.against(claim));
        let of = |wanted: fn(&Stands) -> bool| claims.iter().find(|claim| wanted(&self.voices.stands(claim)));
        let unsettled: Vec<String> = claims
            .iter()
            .filter(|claim| self.voices.stands(claim) == Stands::Open)
            .map(|claim| format!("**OPEN**: {}", self.voices.sides(claim)))
            .collect();
        if !unsettled.is_empty() {
            unsettled.join("; ")
        } else if let Some((claim, by)) = claims.iter().find_map(|claim| match self.voices.stands(claim) {
            Stands::Waived(by) => Some((claim, by)),
            Stands::Yes | Stands::No | Stands::Open | Stands::Struck => None,
        }) {
            format!("waived by {by}: {}", self.voices.sides(claim))
        } else if let Some(claim) = of(|stands| matches!(stands, Stands::No)) {
            format!("{open}no {}", said(claim))
        } else if let Some(claim) = of(|stands| matches!(stands, Stands::Yes)) {
            match served.lacks(id) {
                None => format!("yes {}", said(claim)),
                Some(what) if claim.label.is_decided() => {
                    format!("{open}agreed, but no {what} serves it {}", said(claim))
                }
                Some(what) => format!("{open}said, but no {what} serves it {}", said(claim)),
            }
        } else {
            format!("{open}all that was said of it was found false")
        }
    }

    /// The answers to the questions of the agenda that name no requirement.
    pub(super) fn decisions(&self) -> String {
        let mut out = String::new();
        for topic in self.inputs.agenda.iter().filter(|topic| topic.requirement.is_none()) {
            let ask = inline(&topic.ask);
            let id = &topic.id;
            let line = match self.voices.claim(Kind::Decision, id, "answer") {
                None => format!("- {id}: {ask} Nobody answered.\n"),
                Some(claim) => match self.voices.stands(claim) {
                    Stands::Open => format!("- **OPEN** {id}: {ask} {}\n", self.voices.sides(claim)),
                    Stands::Waived(by) => format!("- {id}: {ask} {} (waived by {by})\n", self.voices.sides(claim)),
                    Stands::Struck => format!("- {id}: {ask} All answers were found false.\n"),
                    Stands::Yes | Stands::No => {
                        let (value, support) = (self.voices.value(claim), self.voices.support(claim));
                        format!("- {id}: {ask} **{value}** ({support}){}\n", self.voices.against(claim))
                    }
                },
            };
            out.push_str(&line);
        }
        out
    }

    /// Risks: the base's with who watches them, and those of others that the panel agrees on.
    pub(super) fn risks(&self) -> String {
        let (base, artifact) = self.base();
        let mut rows = Vec::new();
        let mut told: Vec<&str> = Vec::new();
        let mut keys = Vec::new();
        for risk in artifact.body.risks() {
            let subject = risk_subject(self.inputs.spec, risk);
            let claim = self.voices.claim(Kind::Risk, &subject, "threatens");
            let is_struck = self.voices.is_struck(base, Kind::Risk, &subject, "threatens");
            if told.contains(&risk.risk.as_str()) || is_struck {
                continue;
            }
            told.push(&risk.risk);
            keys.extend(claim.map(|claim| &claim.key));
            let said = claim.map(|claim| self.voices.support(claim)).unwrap_or_else(|| base.to_string());
            let severity = risk.severity.to_string();
            rows.push(vec![cell(&risk.risk), severity, cell(&risk.mitigation), cell(&risk.owner), cell(&said)]);
        }
        for claim in self.voices.claims(Kind::Risk, "threatens") {
            let is_agreed = claim.label.is_decided() && self.voices.stands(claim) == Stands::Yes;
            if is_agreed && claim.severity >= Severity::Minor && !keys.contains(&&claim.key) {
                let (subject, said) = (cell(&claim.subject), cell(&self.voices.support(claim)));
                rows.push(vec![subject, claim.severity.to_string(), String::new(), String::new(), said]);
            }
        }
        table(&["Risk", "Severity", "Mitigation", "Owner", "Said by"], &rows)
    }

    /// What only a person can answer: the base's questions, and what others find unclear.
    pub(super) fn questions(&self) -> String {
        let (base, artifact) = self.base();
        let own: &[Remark] = match &artifact.body {
            Body::Specify(specify) => &specify.questions,
            Body::Plan(plan) => &plan.questions,
            Body::Tasks(_) | Body::Implement(_) | Body::Validate(_) | Body::Audit(_) | Body::Unlock(_) => &[],
        };
        let own = own.iter().map(|question| format!("- {} ({base})\n", inline(&question.text)));
        let of_others = self.voices.claims(Kind::Finding, "unclear").into_iter().filter(|claim| {
            let is_of_base = claim.votes.iter().any(|vote| vote.agents.contains(base));
            // What the host alone finds unclear has its own place, with its line: here it would be a bare id.
            !is_of_base && !claim.votes.is_empty() && claim.polarity == Some(Polarity::Yes)
        });
        let others = of_others.map(|claim| format!("- {} ({})\n", inline(&claim.subject), self.voices.support(claim)));
        own.chain(others).collect()
    }

    /// Conflicts that stand in no other part: each once, with both sides.
    pub(super) fn open(&self, told: &[(Kind, &str)]) -> String {
        let spec = self.inputs.spec;
        let is_told = |claim: &Judged| {
            let is_requirement = spec.requirements.iter().any(|r| r.id == claim.subject);
            let is_topic = self.inputs.agenda.iter().any(|t| t.id == claim.subject && t.requirement.is_none());
            match (claim.kind, claim.predicate.as_str()) {
                (Kind::Covers, "covered") | (Kind::Finding, "satisfied") if is_requirement => true,
                (Kind::Decision, "answer") if is_topic => true,
                (kind, predicate) => told.contains(&(kind, predicate)),
            }
        };
        let mut lines: Vec<String> = self
            .inputs
            .verdict
            .claims
            .iter()
            .filter(|claim| claim.severity >= Severity::Minor && self.voices.stands(claim) == Stands::Open)
            .filter(|claim| !is_told(claim))
            .map(|claim| {
                let subject = inline(&claim.subject);
                format!(
                    "- **OPEN** {} {subject}, {}: {}\n",
                    claim.kind,
                    inline(&claim.predicate),
                    self.voices.sides(claim)
                )
            })
            .collect();
        lines.sort();
        lines.concat()
    }
}
