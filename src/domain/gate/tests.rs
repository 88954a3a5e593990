//! What the gates ask about texts written for them.

use std::collections::BTreeSet;

use super::*;
use crate::domain::check::FileText;

const BODY: &str = "# Feature Specification: Limits\n\n## User Scenarios & Testing\n\n### User Story 1 - Wait\n\n\
    1. **Given** a client at its limit, **When** it asks again, **Then** it gets 429\n\n## Requirements\n\n";

fn tree(files: &[(&str, &str)]) -> Tree {
    let mut tree = Tree::default();
    for (path, text) in files {
        tree.files.insert((*path).to_owned(), FileText::text(*text));
    }
    tree
}

fn held_with(files: &[(&str, &str)], gates: &[Gate], entries: &[Entry]) -> Held {
    let tree = tree(files);
    let gates: BTreeSet<Gate> = gates.iter().copied().collect();
    hold_in(&tree, &SpecId::new("001-limits").unwrap(), &gates, entries).unwrap()
}

fn held(requirements: &str, gates: &[Gate]) -> (Held, String) {
    let text = format!("{BODY}{requirements}\n\n## Success Criteria\n\n- it waits\n");
    (held_with(&[("specs/001-limits/spec.md", &text)], gates, &[]), text)
}

fn only(held: &Held) -> &Issue {
    assert_eq!(held.issues.len(), 1, "{:#?}", held.issues);
    &held.issues[0]
}

#[test]
fn only_what_nobody_could_build_from_is_critical() {
    let rows: [(&str, &[Magnitude]); 12] = [
        ("- **FR-001**: It MUST refuse more than 10 requests per second", &[]),
        ("- **FR-001**: It MUST answer within [NEEDS CLARIFICATION: how long?]", &[Magnitude::Critical]),
        ("- **FR-001**: It SHOULD answer within [NEEDS CLARIFICATION: how long?]", &[Magnitude::Important]),
        ("- **FR-001**: The timeout MUST be TBD", &[Magnitude::Critical]),
        ("- **FR-001**: It MAY log TODO", &[Magnitude::Important]),
        ("- **FR-001**: It MUST be scalable", &[Magnitude::Important]),
        ("- **FR-001**: It SHOULD be scalable", &[Magnitude::Minor]),
        ("- **FR-001**: It MUST answer in 5 ms, fast", &[]),
        (
            "- **FR-001**: It MUST keep 10 entries per client\n- **FR-001**: It MUST keep 20 entries per client",
            &[Magnitude::Critical],
        ),
        (
            "- **FR-001**: It MUST log every refused request\n- **FR-002**: It MUST NOT log every refused request",
            &[Magnitude::Critical],
        ),
        ("```text\n- **FR-009**: It MUST be TBD\n```\n- **FR-001**: It MUST refuse empty keys", &[]),
        ("- **FR-001**: It MUST refuse keys, values, etc.", &[Magnitude::Minor]),
    ];
    for (requirements, expected) in rows {
        let (held, _) = held(requirements, &Gate::ALL);
        let got: Vec<Magnitude> =
            held.issues.iter().filter(|i| i.matter != Matter::LowScore).map(|i| i.magnitude).collect();
        assert_eq!(got, expected, "{requirements}\n{:#?}", held.issues);
    }
}

#[test]
fn an_answer_takes_the_markers_place_and_its_question_goes() {
    let marker = "- **FR-001**: It MUST wait and\n  answer within [NEEDS CLARIFICATION: how long?] or less";
    let (held, text) = held(marker, &[Gate::Clarify]);
    let issue = only(&held);
    assert_eq!((issue.ask.as_str(), issue.place.line), ("how long?", 12));
    assert_eq!(issue.resolvability, Resolvability::NeedHuman);
    let edit = issue.edit_for("200 ms").unwrap();
    assert_eq!(
        edit.diff(),
        ["-   answer within [NEEDS CLARIFICATION: how long?] or less", "+   answer within 200 ms or less"]
    );
    let answered = edit.apply(&text).unwrap();
    let after = held_with(&[("specs/001-limits/spec.md", &answered)], &[Gate::Clarify], &[]);
    assert_eq!(after.issues, []);
}

#[test]
fn two_markers_of_one_requirement_are_two_questions_and_each_is_asked_once() {
    let (held, _) = held(
        "- **FR-001**: It MUST keep [NEEDS CLARIFICATION: what?] for [NEEDS CLARIFICATION: how long?]",
        &[Gate::Clarify],
    );
    let asks: BTreeSet<&str> = held.issues.iter().map(|issue| issue.ask.as_str()).collect();
    assert_eq!(asks, BTreeSet::from(["what?", "how long?"]));
    assert_eq!(held.issues.len(), 2);
    assert_eq!(held.issue("CLR"), None, "two begin so");
    assert_eq!(held.issue(&held.issues[1].id.to_lowercase()), Some(&held.issues[1]));
}

#[test]
fn a_choice_is_picked_by_number_or_words() {
    let (choice, _) = held("- **FR-001**: It MUST keep counters in memory or Redis", &[Gate::Clarify]);
    let issue = only(&choice);
    assert_eq!((issue.matter, issue.resolvability), (Matter::OpenChoice, Resolvability::SuggestFix));
    let words: Vec<&str> = issue.choices.iter().map(|choice| choice.words.as_str()).collect();
    assert_eq!(words, ["memory", "Redis"]);
    assert_eq!(issue.edit_for("Redis").unwrap().becomes, ["- **FR-001**: It MUST keep counters in Redis"]);
    let (clash, _) = held(
        "- **FR-001**: It MUST keep 10 entries per client\n- **FR-001**: It MUST keep 20 entries per client",
        &[Gate::Analyze],
    );
    let issue = only(&clash);
    assert_eq!(issue.edit_for("1").unwrap(), issue.choices[0].edit);
    assert_eq!(issue.choices[0].edit.diff(), ["- - **FR-001**: It MUST keep 20 entries per client"]);
    assert_eq!(issue.edit_for("3"), None);
    assert_eq!(issue.edit_for("whatever"), None, "own words have no place here");
}

#[test]
fn a_must_without_a_task_gets_one_and_a_task_with_a_slipped_id_the_right_one() {
    let spec = format!("{BODY}- **FR-001**: It MUST wait\n- **FR-002**: It MUST answer 429\n");
    let tasks = "# Tasks\n\n- [ ] T007 Wait (FR-1)\n  for a second\n- [ ] T003 Wait more (FR-001)\n  longer\n";
    let files = [("specs/001-limits/spec.md", spec.as_str()), ("specs/001-limits/tasks.md", tasks)];
    let held = held_with(&files, &[Gate::Analyze], &[]);
    let matter = |matter: Matter| held.issues.iter().find(|issue| issue.matter == matter).unwrap();
    let uncovered = matter(Matter::Uncovered);
    let edit = &uncovered.choices[0].edit;
    assert_eq!(edit.becomes, ["  longer", "- [ ] T008 It MUST answer 429 (FR-002)"]);
    assert_eq!(edit.diff(), ["+ - [ ] T008 It MUST answer 429 (FR-002)"]);
    let slipped = matter(Matter::UnknownId);
    assert_eq!(slipped.resolvability, Resolvability::AutoFix);
    assert_eq!(slipped.choices[0].edit.diff(), ["- - [ ] T007 Wait (FR-1)", "+ - [ ] T007 Wait (FR-001)"]);
    let creeping = [files[0], ("specs/001-limits/plan.md", "- FR-001, FR-008, FR-009")];
    let held = held_with(&creeping, &[Gate::Analyze], &[]);
    assert_eq!(only(&held).matter, Matter::ScopeCreep);
}

#[test]
fn missing_parts_are_important_at_most_and_their_synonyms_count() {
    let checklist = |text: &str| {
        let tree = tree(&[("specs/001-limits/spec.md", text)]);
        let gates = BTreeSet::from([Gate::Checklist]);
        hold_in(&tree, &SpecId::new("001-limits").unwrap(), &gates, &[]).unwrap()
    };
    let poor = checklist("# X\n\n- **FR-001**: It MUST wait a second\n");
    assert!(poor.issues.iter().all(|issue| issue.magnitude != Magnitude::Critical));
    assert_eq!(poor.issues.iter().filter(|issue| issue.matter == Matter::MissingSection).count(), 4);
    assert_eq!(poor.scores.unwrap().completeness, 20);
    let rich = checklist(
        "# X\n\n## Why\n\nx\n\n## Objectives\n\nx\n\n## Scope\n\n- **FR-001**: It MUST wait a second\n\n## Definition of done\n\nx\n\n## Verification\n\nx\n",
    );
    assert_eq!(rich.scores.unwrap().completeness, 100);
    assert!(rich.issues.iter().all(|issue| issue.matter != Matter::MissingSection));
}

#[test]
fn a_checklist_beside_the_spec_asks_for_its_open_items_once() {
    let (_, text) = held("- **FR-001**: It MUST wait a second", &[]);
    let list = "# Checklist\n\n- [x] CHK001 Words\n- [ ] CHK002 Numbers\n- [ ] CHK003 Ends\n";
    let files = [("specs/001-limits/spec.md", text.as_str()), ("specs/001-limits/checklists/ux.md", list)];
    let held = held_with(&files, &[Gate::Checklist], &[]);
    let open = held.issues.iter().find(|issue| issue.matter == Matter::OpenItem).unwrap();
    assert_eq!((open.ask.as_str(), open.place.line), ("2 of 3 items of ux.md are open", 4));
}

#[test]
fn a_question_that_was_put_off_stays_so_until_it_is_taken_back_or_its_words_change() {
    let critical = "- **FR-001**: It MUST answer within [NEEDS CLARIFICATION: how long?]";
    let (first, text) = held(critical, &Gate::ALL);
    let issue = only(&first).clone();
    let deferred = Entry::Deferred {
        issue: issue.id.clone(),
        gate: issue.gate,
        ask: issue.ask.to_string(),
        by: "ada".into(),
        reason: "measured next week".into(),
    };
    let undone = Entry::Undone { issue: issue.id.clone(), by: "ada".into() };
    let count = |text: &str, entries: &[Entry]| {
        let held = held_with(&[("specs/001-limits/spec.md", text)], &Gate::ALL, entries);
        (held.critical().count(), held.standing.len())
    };
    assert_eq!(count(&text, std::slice::from_ref(&deferred)), (0, 1));
    assert_eq!(count(&format!("\n\n{text}"), std::slice::from_ref(&deferred)), (0, 1), "two lines further down");
    assert_eq!(count(&text.replace("how long?", "how soon?"), std::slice::from_ref(&deferred)), (1, 0));
    assert_eq!(count(&text, &[deferred.clone(), undone]), (1, 0));
}

#[test]
fn entries_are_read_from_json_and_the_last_answer_is_the_one_to_take_back() {
    let answered = |issue: &str, answer: &str| {
        Entry::Answered(Answered {
            issue: issue.into(),
            gate: Gate::Clarify,
            ask: "?".into(),
            answer: answer.into(),
            by: "ada".into(),
            file: "spec.md".into(),
            before: Sha::of("a"),
            after: Sha::of("b"),
            backup: ".dicast/backups/a".into(),
        })
    };
    let entries = [answered("A", "1"), answered("B", "2"), Entry::Undone { issue: "B".into(), by: "ada".into() }];
    let read: Vec<Entry> = entries.iter().filter_map(|e| entry(&serde_json::to_value(e).unwrap())).collect();
    assert_eq!(read, entries);
    assert_eq!(last_edit(&read, None).unwrap().answer, "1");
    assert_eq!(last_edit(&read, Some("B")), None);
    assert_eq!(entry(&serde_json::json!({"type": "dissent.opened"})), None);
}

#[test]
fn checkpoints_lie_where_the_product_says() {
    use Checkpoint::{AfterPlan, AfterTasks, BeforePlan, BeforeUnlock};
    let entering = Stage::ALL.map(|stage| Checkpoint::entering(stage, false));
    assert_eq!(entering, [Some(BeforePlan), None, None, None, None, Some(BeforeUnlock)]);
    assert_eq!(Checkpoint::entering(Stage::Tasks, true), Some(AfterPlan));
    assert_eq!(Checkpoint::leaving(Stage::Tasks), Some(AfterTasks));
    assert_eq!(Checkpoint::leaving(Stage::Validate), None);
}
