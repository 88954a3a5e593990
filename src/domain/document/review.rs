//! `review/<stage>.md`: what validate, audit and unlock decided, and on what.

use std::fmt::Write as _;

use super::Desk;
use super::lists::Served;
use super::voices::Stands;
use super::words::{cell, inline, section, table};
use crate::domain::artifact::Body;
use crate::domain::artifact::body::Remark;
use crate::domain::claim::{Kind, Severity};
use crate::domain::consensus::Judged;
use crate::domain::stage::Stage;

/// Writes the review of a stage.
pub(super) fn review(stage: Stage, desk: &Desk<'_>) -> String {
    let spec = desk.inputs.spec;
    let name = match stage {
        Stage::Specify | Stage::Plan | Stage::Tasks | Stage::Implement => "Review",
        Stage::Validate => "Validation Report",
        Stage::Audit => "Audit Report",
        Stage::Unlock => "Unlock Decision",
    };
    let mut out = format!("# {name}: {}\n\n", inline(&spec.title));
    let _ = writeln!(out, "**Spec**: `{}` | {}", spec.file, desk.standing());
    section(&mut out, "Decision", &decision(desk));
    section(&mut out, "Conditions", &conditions(desk));
    section(&mut out, "Summary", &inline(&desk.base().1.summary));
    section(&mut out, "Requirements", &desk.requirements(Served::Elsewhere));
    section(&mut out, "Tests", &claims(desk, Kind::Test, "passes", "Test"));
    section(&mut out, "Checks", &checks(desk));
    section(&mut out, "Open Items", &claims(desk, Kind::Finding, "open", "Item"));
    section(&mut out, "Risks", &desk.risks());
    section(&mut out, "Decisions", &desk.decisions());
    remarks(&mut out, desk);
    let told =
        [(Kind::Test, "passes"), (Kind::Finding, "satisfied"), (Kind::Finding, "open"), (Kind::Decision, "outcome")];
    section(&mut out, "Open", &desk.open(&told));
    section(&mut out, "Struck", &desk.voices.struck());
    out
}

/// The outcome, or both sides of it.
fn decision(desk: &Desk<'_>) -> String {
    match desk.voices.claim(Kind::Decision, "stage", "outcome") {
        None => "Nobody decided.".into(),
        Some(claim) => match desk.voices.stands(claim) {
            Stands::Open => format!("**OPEN**: {}", desk.voices.sides(claim)),
            Stands::Waived(by) => format!("{} (waived by {by})", desk.voices.sides(claim)),
            Stands::Struck => "All that was decided was found false.".into(),
            Stands::Yes | Stands::No => {
                let value = desk.voices.value(claim).to_uppercase();
                format!("**{value}** ({}){}", desk.voices.support(claim), desk.voices.against(claim))
            }
        },
    }
}

fn conditions(desk: &Desk<'_>) -> String {
    let mut out = String::new();
    for claim in desk.voices.claims(Kind::Finding, "condition") {
        let tick = if desk.voices.is_accepted(claim) { "x" } else { " " };
        let _ = writeln!(out, "- [{tick}] {} ({})", inline(&claim.subject), desk.voices.support(claim));
    }
    out
}

/// A table of claims: what, how it stands, who says so.
fn claims(desk: &Desk<'_>, kind: Kind, predicate: &str, head: &str) -> String {
    let rows: Vec<Vec<String>> =
        desk.voices.claims(kind, predicate).into_iter().map(|claim| row(desk, claim)).collect();
    table(&[head, "Stands", "Said by"], &rows)
}

fn row(desk: &Desk<'_>, claim: &Judged) -> Vec<String> {
    let (stands, who) = match desk.voices.stands(claim) {
        Stands::Open => {
            let mark = if claim.severity >= Severity::Minor { "**OPEN**" } else { "they differ" };
            (mark.to_owned(), desk.voices.sides(claim))
        }
        Stands::Waived(by) => (format!("waived by {by}"), desk.voices.sides(claim)),
        Stands::Struck => ("false".to_owned(), String::new()),
        Stands::Yes | Stands::No => {
            (desk.voices.value(claim), format!("{}{}", desk.voices.support(claim), desk.voices.against(claim)))
        }
    };
    vec![cell(&claim.subject), stands, who.replace('|', "\\|")]
}

/// Audited items other than requirements, which have a table of their own.
fn checks(desk: &Desk<'_>) -> String {
    let is_requirement = |claim: &&Judged| desk.inputs.spec.requirements.iter().any(|r| r.id == claim.subject);
    let claims = desk.voices.claims(Kind::Finding, "satisfied").into_iter().filter(|claim| !is_requirement(claim));
    let rows: Vec<Vec<String>> = claims.map(|claim| row(desk, claim)).collect();
    table(&["Item", "Satisfied", "Said by"], &rows)
}

/// What the base says beyond claims.
fn remarks(out: &mut String, desk: &Desk<'_>) {
    let listed = |remarks: &[Remark]| remarks.iter().map(|r| format!("- {}\n", inline(&r.text))).collect::<String>();
    match &desk.base().1.body {
        Body::Validate(validate) => section(out, "Remediation", &listed(&validate.remediation)),
        Body::Unlock(unlock) => {
            section(out, "Rationale", &inline(&unlock.rationale));
            section(out, "Safeguards", &listed(&unlock.safeguards));
            section(out, "Accepted Risks", &listed(&unlock.accepted_risks));
            section(out, "Follow-ups", &listed(&unlock.followups));
        }
        Body::Specify(_) | Body::Plan(_) | Body::Tasks(_) | Body::Implement(_) | Body::Audit(_) => {}
    }
}
