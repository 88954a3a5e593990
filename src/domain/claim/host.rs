//! What the host says itself: the findings of its analysts, and the change that is audited, as assertions of a participant
//! that never votes.
//!
//! It must not look at anything: the findings come in. What only git's history shows is left out, because a clone may
//! have less of it, and so is whatever a stage writes itself: the same inputs give the same assertions everywhere.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::derive::Backed;
use super::lookup::Citation;
use super::{Assertion, Kind, Polarity, Severity, Tier};
use crate::domain::check::{self, Finding, Rule};
use crate::domain::range::Range;
use crate::domain::safe::Safe;
use crate::domain::spec::{Level, Spec};
use crate::domain::stage::Stage;

/// The host's name among the agents, and its family.
pub const HOST: &str = "host";

/// Most findings of one assertion whose words and places it carries: a range can have a finding for each of its hunks,
/// and nobody reads more of one kind about one thing.
const REASONS_MAX: usize = 8;

/// Returns what the host says at a stage. Findings of one kind about one thing are one assertion, with the words and
/// places of the first few.
pub fn says<'f>(
    stage: Stage,
    spec: &Spec,
    found: impl IntoIterator<Item = &'f Finding>,
    range: Option<&Range>,
) -> Vec<Backed> {
    let mut said: Vec<(Backed, usize)> = Vec::new();
    let mut known: BTreeMap<(Kind, String, String), usize> = BTreeMap::new();
    for finding in found {
        for backed in of_finding(stage, spec, finding) {
            let Assertion { kind, subject, predicate, .. } = &backed.assertion;
            match known.entry((*kind, subject.clone(), predicate.clone())) {
                Entry::Vacant(free) => {
                    free.insert(said.len());
                    said.push((backed, 1));
                }
                Entry::Occupied(at) => {
                    if let Some((known, findings)) = said.get_mut(*at.get()) {
                        join(known, *findings, backed);
                        *findings += 1;
                    }
                }
            }
        }
    }
    let mut said: Vec<Backed> = said.into_iter().map(counted).collect();
    said.extend(range.into_iter().flat_map(of_range));
    said
}

/// Adds one more finding to an assertion that has `findings` of them.
fn join(known: &mut Backed, findings: usize, another: Backed) {
    known.assertion.severity = known.assertion.severity.max(another.assertion.severity);
    if findings < REASONS_MAX {
        known.because = Safe::line(&format!("{}; {}", known.because, another.because));
        known.evidence.extend(another.evidence);
    }
}

fn counted((mut backed, findings): (Backed, usize)) -> Backed {
    let more = findings.saturating_sub(REASONS_MAX);
    if more > 0 {
        backed.because = Safe::line(&format!("{}; and {more} more", backed.because));
    }
    backed
}

/// What a finding says: a kind, a predicate, and how much it matters.
type Row = (Kind, &'static str, Severity);

/// Returns what a rule's finding says at a stage; `None` where it says nothing about the stage.
fn row(rule: Rule, stage: Stage) -> Option<Row> {
    let is_of_spec = match rule {
        Rule::Contradiction
        | Rule::OpenMarker
        | Rule::ConstitutionForbids
        | Rule::Vague
        | Rule::OpenQuantity
        | Rule::DuplicateId => true,
        Rule::TickedFileMissing
        | Rule::TickedFileGone
        | Rule::TickedSymbolMissing
        | Rule::TickedTestMissing
        | Rule::TickedHollow
        | Rule::RequirementWithoutTask
        | Rule::RequirementWithoutTest
        | Rule::UnaskedChange => false,
        // Seen in the history only, about no requirement, or nothing a stage could begin with.
        Rule::TickedUntouched
        | Rule::StalePlan
        | Rule::OrphanTask
        | Rule::OpenTaskDone
        | Rule::NoRequirements
        | Rule::Unreadable => return None,
    };
    // Before the work is done a task list is what is being written, not what is judged.
    if !is_of_spec && stage < Stage::Implement {
        return None;
    }
    Some(match rule {
        Rule::TickedFileMissing | Rule::TickedFileGone | Rule::TickedSymbolMissing | Rule::TickedTestMissing => {
            (Kind::Finding, "open", Severity::Critical)
        }
        Rule::TickedHollow => (Kind::Finding, "open", Severity::Major),
        Rule::RequirementWithoutTask | Rule::RequirementWithoutTest => (Kind::Finding, "open", Severity::Minor),
        Rule::Contradiction | Rule::OpenMarker => (Kind::Finding, "unclear", Severity::Major),
        Rule::ConstitutionForbids => (Kind::Risk, "threatens", Severity::Major),
        Rule::UnaskedChange => (Kind::Finding, "unclear", Severity::Minor),
        Rule::Vague
        | Rule::OpenQuantity
        | Rule::DuplicateId
        | Rule::TickedUntouched
        | Rule::StalePlan
        | Rule::OrphanTask
        | Rule::OpenTaskDone
        | Rule::NoRequirements
        | Rule::Unreadable => (Kind::Finding, "unclear", Severity::Info),
    })
}

fn of_finding(stage: Stage, spec: &Spec, finding: &Finding) -> Vec<Backed> {
    let Some((kind, predicate, severity)) = row(finding.rule, stage) else { return Vec::new() };
    let backed = |subject: String| {
        let is_must = spec.requirement(&subject).is_some_and(|requirement| requirement.level == Level::Must);
        let severity = match severity {
            _ if finding.severity == check::Severity::Info => Severity::Info,
            Severity::Critical if !(is_must && stage.has_outcome()) => Severity::Major,
            Severity::Critical | Severity::Major | Severity::Minor | Severity::Info => severity,
        };
        let assertion = Assertion {
            kind,
            subject,
            predicate: predicate.to_owned(),
            value: "yes".into(),
            polarity: Polarity::Yes,
            severity,
            tier: Tier::E2,
            requirement: None,
        };
        let place = Citation::File { path: finding.place.file.clone(), line: Some(finding.place.line) };
        let field = finding.rule.id().to_owned();
        Backed { assertion, because: finding.message.clone(), evidence: vec![place], field }
    };
    subjects(spec, finding).into_iter().map(backed).collect()
}

/// Returns what a finding is about: its requirement, those that its task serves, else what the task names and is not
/// there, else the document. The ids of tasks never name a claim.
fn subjects(spec: &Spec, finding: &Finding) -> Vec<String> {
    if let Some(requirement) = spec.requirement(&finding.about) {
        return vec![requirement.id.clone()];
    }
    let Some(task) = spec.tasks.iter().flatten().find(|task| task.id == finding.about) else {
        return vec![finding.place.file.clone()];
    };
    let served = spec.requirements.iter().filter(|requirement| {
        task.requirements.iter().any(|id| *id == requirement.id || requirement.criteria.contains(id))
    });
    let served: Vec<String> = served.map(|requirement| requirement.id.clone()).collect();
    if !served.is_empty() {
        return served;
    }
    let mut named = task.files.iter().chain(&task.symbols).chain(&task.tests);
    let missing = named.find(|name| finding.message.as_str().contains(name.as_str()));
    vec![missing.unwrap_or(&finding.place.file).clone()]
}

/// The diff: how each file changed.
fn of_range(range: &Range) -> impl Iterator<Item = Backed> {
    range.files.iter().map(|(path, change)| Backed {
        assertion: Assertion {
            kind: Kind::FileChange,
            subject: path.clone(),
            predicate: "change".to_owned(),
            value: change.name().into(),
            polarity: Polarity::Yes,
            severity: Severity::Info,
            tier: Tier::E2,
            requirement: None,
        },
        because: Safe::default(),
        evidence: vec![Citation::Hunk { path: path.clone(), line: None }],
        field: "diff".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::check::{FileText, Tree, check, read};

    const SPEC: &str = "# Login\n\n- **FR-001**: The system MUST ask for a password.\n\
        - **FR-002**: The system SHOULD say how long it waits.\n\
        - **FR-003**: The system MUST keep [NEEDS CLARIFICATION: how many] passwords.\n";

    fn said(stage: Stage, tasks: &str) -> Vec<(String, String, Severity)> {
        let files =
            [("specs/001-login/spec.md", SPEC), ("specs/001-login/tasks.md", tasks), ("src/a.rs", "fn ask() {}")];
        let files = files.map(|(path, text)| (path.to_owned(), FileText::text(text)));
        let tree = Tree { files: files.into_iter().collect(), ..Tree::default() };
        let reading = read(&tree);
        let report = check(&reading, &tree, None, None);
        let said = says(stage, &reading.specs[0], &report.findings, None);
        assert!(said.iter().all(|backed| backed.assertion.tier == Tier::E2 && !backed.evidence.is_empty()));
        let of = |b: Backed| (b.assertion.subject, b.assertion.predicate, b.assertion.severity);
        said.into_iter().map(of).filter(|(.., severity)| *severity > Severity::Info).collect()
    }

    #[test]
    fn a_task_that_is_ticked_without_a_trace_says_that_its_requirement_is_open() {
        let tasks = "- [x] T001 Write `src/gone.rs` (FR-001)\n- [x] T002 Write `src/else.rs` (FR-002)\n\
            - [x] T003 Write `src/own.rs`\n- [x] T004 Keep them in `src/a.rs` (FR-003)\n";
        let audited = said(Stage::Audit, tasks);
        let says = |subject: &str, severity| audited.contains(&(subject.to_owned(), "open".to_owned(), severity));
        assert!(says("FR-001", Severity::Critical), "it is a must: {audited:?}");
        assert!(says("FR-002", Severity::Major) && says("src/own.rs", Severity::Major), "{audited:?}");
        assert!(!audited.iter().any(|(subject, ..)| subject.starts_with('T')), "{audited:?}");
        let implemented = said(Stage::Implement, tasks);
        assert!(implemented.iter().all(|(.., severity)| *severity < Severity::Critical), "nothing is let through yet");
    }

    #[test]
    fn while_tasks_are_written_only_the_spec_is_spoken_about() {
        let planned = said(Stage::Tasks, "- [x] T001 Write `src/gone.rs` (FR-001)\n");
        assert_eq!(planned, [("FR-003".to_owned(), "unclear".to_owned(), Severity::Major)]);
    }

    #[test]
    fn an_assertion_carries_the_words_and_places_of_the_first_findings_and_counts_the_rest() {
        const N: u32 = 20_000;
        let reading =
            read(&Tree { files: [("specs/001-login/spec.md".into(), FileText::text(SPEC))].into(), ..Tree::default() });
        let unasked = |line: u32, file: &str| Finding {
            rule: Rule::UnaskedChange,
            severity: Rule::UnaskedChange.severity(),
            spec: None,
            about: String::new(),
            place: check::Place { file: file.into(), line },
            message: Safe::line(&format!("{file}:{line} changed")),
            clear: Safe::default(),
            by: None,
        };
        let many: Vec<Finding> =
            (1..=N).map(|line| unasked(line, "src/a.rs")).chain([unasked(7, "src/b.rs")]).collect();
        let said = says(Stage::Audit, &reading.specs[0], &many, None);
        let shown: Vec<_> = said.iter().map(|b| (b.assertion.subject.as_str(), b.evidence.len())).collect();
        assert_eq!(shown, [("src/a.rs", REASONS_MAX), ("src/b.rs", 1)]);
        let because = said[0].because.as_str();
        assert!(because.starts_with("src/a.rs:1 changed; src/a.rs:2 changed; "), "{because}");
        assert!(because.ends_with("src/a.rs:8 changed; and 19992 more"), "{because}");
        assert_eq!(said[1].because.as_str(), "src/b.rs:7 changed");
    }
}
