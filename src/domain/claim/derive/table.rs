//! The table by which the host derives claims from answers, as data: derivation reads kind, subject, predicate and value
//! from it, `explain` prints it, the tests walk it.
//!
//! It must not know artifacts.

use crate::domain::claim::Kind;

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A plan's rows and steps, and a list's tasks, cover requirements.
    Covers,
    /// A validation step names what checks a requirement.
    CheckedBy,
    /// An answer to a requirement's topic.
    AnswerCovers,
    /// An answer to any other topic.
    Answer,
    /// A step or task touches a file.
    Touched,
    /// The diff changes a file.
    Diff,
    /// An operation says that it changes a file.
    Operation,
    /// A scenario's test passes.
    Passes,
    /// A requirement's scenarios show that it is covered.
    ScenarioCovers,
    /// An audited item is satisfied.
    Satisfied,
    /// A risk threatens something.
    Threatens,
    /// Something is not done.
    Open,
    /// Something is unclear.
    Unclear,
    /// The stage's outcome.
    Outcome,
    /// A condition of the outcome.
    Condition,
    /// The spec should ask for something more.
    Demanded,
    /// A requirement should say something else.
    Reworded,
    /// A requirement should go.
    Withdrawn,
    /// Stated beyond the fields of the stage, with a listed predicate.
    Stated,
}

/// One row, in words where the table of the product is in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which row.
    pub rule: Rule,
    /// The fields that it reads.
    pub field: &'static str,
    /// The kind of the claim; none where the agent states it.
    pub kind: Option<Kind>,
    /// What the claim is about.
    pub subject: &'static str,
    /// The predicate; empty where the agent states it.
    pub predicate: &'static str,
    /// The value.
    pub value: &'static str,
    /// How much it matters.
    pub severity: &'static str,
    /// Which tier it gets.
    pub tier: &'static str,
}

/// Returns the table.
pub fn table() -> &'static [Row] {
    &TABLE
}

impl Rule {
    /// Returns its row. The rows stand in the order of the rules: a test sees to it.
    pub fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }
}

/// Said of a requirement that a spec should have, by its words.
pub const DEMANDED: &str = "demanded";

/// Said of a requirement that should say something else.
pub const REWORDED: &str = "reworded";

/// Said of a requirement that should go.
pub const WITHDRAWN: &str = "withdrawn";

const TABLE: [Row; 19] = [
    Row {
        rule: Rule::Covers,
        field: "acceptance_mapping, work_breakdown.requirements (plan), tasks.requirements",
        kind: Some(Kind::Covers),
        subject: "requirement",
        predicate: "covered",
        value: "yes",
        severity: "must: major, should: minor, may: info",
        tier: "E2 a step or task lists it and names a file, symbol or test that exists or is marked new (tasks: dependencies resolve, acyclic); else E1; unknown requirement E-",
    },
    Row {
        rule: Rule::CheckedBy,
        field: "acceptance_mapping.validation_step, acceptance_mapping.artifact, tasks.validation_step, acceptance_coverage.validation_step",
        kind: Some(Kind::Test),
        subject: "requirement",
        predicate: "checked-by",
        value: "each file or test named, united into a set",
        severity: "info",
        tier: "E2 exists; E1 to be created; E0 prose",
    },
    Row {
        rule: Rule::AnswerCovers,
        field: "answers of a requirement's topic",
        kind: Some(Kind::Covers),
        subject: "requirement",
        predicate: "covered",
        value: "yes (answered no: polarity -1)",
        severity: "must: major, else minor",
        tier: "E3+ or E3- cites a test that the host ran, if decided plan or tasks name it for the requirement or its source does; E2 cited place verified; E1 cannot be checked yet; E0 none",
    },
    Row {
        rule: Rule::Answer,
        field: "answers of any other topic",
        kind: Some(Kind::Decision),
        subject: "topic",
        predicate: "answer",
        value: "the answer, with its unit",
        severity: "about a must: major, else minor",
        tier: "E3+ or E3- cites a test that the host ran; E2 cited place verified; E1 cannot be checked yet; E0 none",
    },
    Row {
        rule: Rule::Touched,
        field: "work_breakdown.files (plan), tasks.files",
        kind: Some(Kind::FileChange),
        subject: "path",
        predicate: "touched",
        value: "yes",
        severity: "info",
        tier: "E2 exists, E1 new, E- outside the repository",
    },
    Row {
        rule: Rule::Diff,
        field: "the diff, taken by the host",
        kind: Some(Kind::FileChange),
        subject: "path",
        predicate: "change",
        value: "add, modify or delete",
        severity: "info",
        tier: "E2",
    },
    Row {
        rule: Rule::Operation,
        field: "operations",
        kind: Some(Kind::FileChange),
        subject: "path",
        predicate: "change",
        value: "add, modify or delete",
        severity: "info",
        tier: "E2 the diff has it; E- it has not (phantom)",
    },
    Row {
        rule: Rule::Passes,
        field: "scenarios.test_id",
        kind: Some(Kind::Test),
        subject: "test id",
        predicate: "passes",
        value: "yes (polarity = status)",
        severity: "must: major, else minor",
        tier: "E3+ or E3- the host ran it; E2 the test exists; else E1",
    },
    Row {
        rule: Rule::ScenarioCovers,
        field: "scenarios, for each requirement",
        kind: Some(Kind::Covers),
        subject: "requirement",
        predicate: "covered",
        value: "yes (a scenario failed: polarity -1)",
        severity: "must: major, should: minor, may: info",
        tier: "E3+ by a proven test that names it; E3- if that test fails; E2 the test exists; E0 none",
    },
    Row {
        rule: Rule::Satisfied,
        field: "checks",
        kind: Some(Kind::Finding),
        subject: "requirement, path or constitution id",
        predicate: "satisfied",
        value: "yes (polarity = status)",
        severity: "must or constitution: major, else minor",
        tier: "by cited evidence",
    },
    Row {
        rule: Rule::Threatens,
        field: "risks",
        kind: Some(Kind::Risk),
        subject: "requirement, path or text",
        predicate: "threatens",
        value: "yes",
        severity: "the agent's; at most minor if mitigated, at most major under E2",
        tier: "by evidence",
    },
    Row {
        rule: Rule::Open,
        field: "open_items",
        kind: Some(Kind::Finding),
        subject: "requirement, path or text",
        predicate: "open",
        value: "yes",
        severity: "the agent's; at most major under E2",
        tier: "by evidence",
    },
    Row {
        rule: Rule::Unclear,
        field: "questions",
        kind: Some(Kind::Finding),
        subject: "requirement, path or text",
        predicate: "unclear",
        value: "yes",
        severity: "the agent's; at most major under E2",
        tier: "by evidence",
    },
    Row {
        rule: Rule::Outcome,
        field: "decision (validate, audit, unlock)",
        kind: Some(Kind::Decision),
        subject: "stage",
        predicate: "outcome",
        value: "the decision",
        severity: "major",
        tier: "FAIL, NO-GO, REJECTED: at least E1. validate: PASS, PARTIAL E3- if a guardrail fails, else E2; audit: E2 if every check cites evidence of at least E2, else E0; unlock: E2 if validate and audit passed for this spec and tree, else E0",
    },
    Row {
        rule: Rule::Condition,
        field: "conditions",
        kind: Some(Kind::Finding),
        subject: "text",
        predicate: "condition",
        value: "yes",
        severity: "minor",
        tier: "by evidence",
    },
    Row {
        rule: Rule::Demanded,
        field: "requirements (specify) without an id",
        kind: Some(Kind::Decision),
        subject: "its words",
        predicate: DEMANDED,
        value: "yes",
        severity: "MUST: major, SHOULD: minor, MAY: info",
        tier: "E2 cited place verified, or a requirement of the spec; E1 cannot be checked yet; E0 none; E- names an unknown requirement",
    },
    Row {
        rule: Rule::Reworded,
        field: "requirements (specify) with an id",
        kind: Some(Kind::Decision),
        subject: "requirement",
        predicate: REWORDED,
        value: "its new words",
        severity: "the graver of its old and new words: MUST major, SHOULD minor, MAY info",
        tier: "as for a new one; E- an unknown requirement",
    },
    Row {
        rule: Rule::Withdrawn,
        field: "requirements.withdraw (specify)",
        kind: Some(Kind::Decision),
        subject: "requirement",
        predicate: WITHDRAWN,
        value: "yes",
        severity: "must: major, should: minor, may: info",
        tier: "as for a new one; E- an unknown requirement",
    },
    Row {
        rule: Rule::Stated,
        field: "claims",
        kind: None,
        subject: "as stated",
        predicate: "",
        value: "as stated",
        severity: "risks and findings: the agent's, at most major under E2; else as the rows above",
        tier: "by evidence; a test or path as its subject is looked up",
    },
];

/// Predicates that count where agents state claims of their own; others are notes.
pub fn predicates(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Covers => &["covered"],
        Kind::Test => &["checked-by", "passes"],
        Kind::Decision => &["answer", "outcome"],
        Kind::FileChange => &["touched", "change"],
        Kind::Finding => &["satisfied", "condition", "threatens", "open", "unclear"],
        Kind::Risk => &["threatens", "open", "unclear"],
    }
}
