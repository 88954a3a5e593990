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
fn what_each_side_of_a_draft_wants_can_be_chosen() {
    let side = |who: &str, wants| Side { who: who.into(), wants };
    let marked = mark(&[side("claude", Wants::Words("It MUST wait 3 s.".into())), side("codex", Wants::Gone)]);
    let lone = lone_mark("claude");
    let text = format!("- **FR-001**: It MUST wait 2 s. {marked}\n- **FR-002**: It MUST sing an hour long. {lone}");
    let (held, text) = held(&text, &[Gate::Clarify]);
    let chosen = |about: &str| -> Vec<(String, String)> {
        let issue = held.issues.iter().find(|issue| issue.about == about).unwrap();
        let of = |choice: &Choice| (choice.words.to_string(), choice.edit.apply(&text).unwrap());
        issue.choices.iter().map(of).collect()
    };
    let became = |about: &str, name: &str, id: &str, line: Option<&str>| {
        let old = text.lines().find(|line| line.contains(id)).unwrap();
        let new = line.map_or(text.replace(&format!("{old}\n"), ""), |line| text.replace(old, line));
        assert_eq!(chosen(about).into_iter().find(|(other, _)| other == name).unwrap().1, new, "{about} {name}");
    };
    became("FR-001", "It MUST wait 3 s.", "FR-001", Some("- **FR-001**: It MUST wait 3 s."));
    became("FR-001", "it goes", "FR-001", None);
    became("FR-001", "it stays as it is", "FR-001", Some("- **FR-001**: It MUST wait 2 s."));
    became("FR-002", "it goes", "FR-002", None);
    became("FR-002", "it stays as it is", "FR-002", Some("- **FR-002**: It MUST sing an hour long."));
    let own = held.issues.iter().find(|issue| issue.about == "FR-001").unwrap().slot.clone().unwrap();
    assert_eq!(own.edit("It MUST wait 9 s.").becomes, ["- **FR-001**: It MUST wait 9 s."]);
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

/// What the only choice or the answer `x` changes, by the requirement that it is about.
fn changes(held: &Held) -> Vec<(&str, Vec<String>)> {
    let edit = |issue: &Issue| issue.choices.first().map(|c| c.edit.clone()).or_else(|| issue.edit_for("x"));
    let mut all: Vec<&Issue> = held.issues.iter().collect();
    all.sort_by(|a, b| a.about.cmp(&b.about));
    all.iter().map(|issue| (issue.about.as_str(), edit(issue).map(|e| e.diff()).unwrap_or_default())).collect()
}

#[test]
fn an_answer_goes_into_the_requirement_that_asks_and_nowhere_else() {
    let owned = |lines: [&str; 2]| lines.map(str::to_owned).to_vec();
    let (marks, _) = held(
        "- **FR-001**: It MUST keep logs TODO days\n- **FR-002**: It MUST allow TBD users\n\
         - **FR-003**: The todo list MUST hold ??? items\n- **FR-004**: It MUST list TODO\n  items TBC times",
        &[Gate::Clarify],
    );
    assert_eq!(
        changes(&marks),
        [
            (
                "FR-001",
                owned(["- - **FR-001**: It MUST keep logs TODO days", "+ - **FR-001**: It MUST keep logs x days"])
            ),
            ("FR-002", owned(["- - **FR-002**: It MUST allow TBD users", "+ - **FR-002**: It MUST allow x users"])),
            (
                "FR-003",
                owned([
                    "- - **FR-003**: The todo list MUST hold ??? items",
                    "+ - **FR-003**: The todo list MUST hold x items"
                ])
            ),
            ("FR-004", owned(["-   items TBC times", "+   items x times"])),
        ]
    );
    let later = "- **FR-002**: It MUST keep sessions in memory or Redis";
    let (choice, text) = held(
        &format!("- **FR-001**: It MUST keep counters in memory\n  or Redis\n{later}\n\nIn memory or Redis."),
        &[Gate::Clarify],
    );
    let kept = owned([&format!("- {later}"), "+ - **FR-002**: It MUST keep sessions in memory"]);
    assert_eq!(changes(&choice), [("FR-001", vec![]), ("FR-002", kept)], "what wraps is edited by hand");
    let first = choice.issues.iter().find(|issue| issue.about == "FR-001").unwrap();
    assert!(text.lines().nth(first.place.line as usize - 1).unwrap().contains("FR-001"));
}

#[test]
fn a_marker_ends_where_its_bracket_is_closed_and_one_that_wraps_is_edited_by_hand() {
    let rows = [
        ("by [NEEDS CLARIFICATION: a[0] or a[1]?] here", "a[0] or a[1]?", true),
        ("by [NEEDS CLARIFICATION: which\n  of the [two] ends?] here", "which of the [two] ends?", false),
        ("by [NEEDS CLARIFICATION: from [0, 9) on?] here", "from [0, 9) on?] here", false),
    ];
    for (words, question, has_place) in rows {
        for (before, about) in [("- **FR-001**: It MUST sort ", "FR-001"), ("It sorts ", "")] {
            let (held, text) = held(&format!("- **FR-002**: It MUST sort\n\n{before}{words}"), &[Gate::Clarify]);
            let issue = only(&held);
            assert_eq!((issue.ask.as_str(), issue.about.as_str()), (question, about), "{text}");
            let answered = issue.edit_for("time").map(|edit| edit.apply(&text).unwrap());
            assert_eq!(answered.is_some(), has_place, "{text}");
            assert!(answered.is_none_or(|text| text.contains(&format!("{before}by time here\n"))));
        }
    }
}

#[test]
fn an_answer_leaves_the_other_questions_of_its_requirement_their_ids_and_what_was_said_about_them() {
    let line = "- **FR-001**: [NEEDS CLARIFICATION: who?] MUST wait [NEEDS CLARIFICATION: how long?] and again \
        [NEEDS CLARIFICATION: how long?]";
    let (first, text) = held(line, &[Gate::Clarify]);
    let ids = |held: &Held| held.issues.iter().map(|issue| issue.id.clone()).collect::<BTreeSet<_>>();
    assert_eq!(ids(&first).len(), 3);
    let by_place = |held: &Held| {
        let mut all = held.issues.clone();
        all.sort_by_key(|issue| issue.slot.as_ref().unwrap().head.len());
        all
    };
    let all = by_place(&first);
    for (n, one) in all.iter().enumerate() {
        let text = one.edit_for("x").unwrap().apply(&text).unwrap();
        let answer = Entry::Answered(Answered {
            issue: one.id.clone(),
            gate: one.gate,
            ask: one.ask.to_string(),
            answer: "x".into(),
            by: "ada".into(),
            file: "spec.md".into(),
            before: Sha::of("a"),
            after: Sha::of("b"),
            backup: "b".into(),
        });
        let deferred = |issue: &Issue| Entry::Deferred {
            issue: issue.id.clone(),
            gate: issue.gate,
            ask: issue.ask.to_string(),
            by: "ada".into(),
            reason: "later".into(),
        };
        let others: Vec<&Issue> = all.iter().filter(|issue| issue.id != one.id).collect();
        let entries = [deferred(others[1]), answer];
        let after = held_with(&[("specs/001-limits/spec.md", &text)], &[Gate::Clarify], &entries);
        let left: Vec<String> = by_place(&after).into_iter().map(|issue| issue.id).collect();
        assert_eq!(left, [others[0].id.clone(), others[1].id.clone()], "after the answer to {n}");
        assert_eq!(after.standing.keys().collect::<Vec<_>>(), [&others[1].id]);
    }
}

#[test]
fn a_task_list_that_is_numbered_to_the_end_is_added_to_by_hand() {
    let spec = format!("{BODY}- **FR-001**: It MUST wait\n- **FR-002**: It MUST answer 429\n");
    let tasks = "- [ ] T4294967295 Wait (FR-001)\n";
    let files = [("specs/001-limits/spec.md", spec.as_str()), ("specs/001-limits/tasks.md", tasks)];
    let held = held_with(&files, &[Gate::Analyze], &[]);
    let issue = only(&held);
    assert_eq!((issue.matter, issue.resolvability), (Matter::Uncovered, Resolvability::NeedHuman));
    assert_eq!(issue.choices, []);
}

#[test]
fn a_choice_is_picked_by_number_or_words() {
    let (choice, _) = held("- **FR-001**: It MUST keep counters in memory or Redis", &[Gate::Clarify]);
    let issue = only(&choice);
    assert_eq!((issue.matter, issue.resolvability), (Matter::OpenChoice, Resolvability::SuggestFix));
    let words: Vec<&str> = issue.choices.iter().map(|choice| choice.words.as_str()).collect();
    assert_eq!(words, ["memory", "Redis"]);
    for (answer, becomes) in [("Redis", "Redis"), ("1", "memory"), ("2", "Redis"), ("3", "3"), ("a file", "a file")] {
        let line = format!("- **FR-001**: It MUST keep counters in {becomes}");
        assert_eq!(issue.edit_for(answer).unwrap().becomes, [line], "{answer}");
    }
    let mut numbers = issue.clone();
    numbers.choices[1].words = Safe::line("1");
    assert_eq!(numbers.edit_for("1").unwrap(), numbers.choices[1].edit, "its words come before its place");
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
fn entries_are_read_from_json_and_the_last_word_is_the_one_to_take_back() {
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
    assert_eq!(last_word(&read, ""), Some(&entries[0]));
    assert_eq!(last_word(&read, "B"), None);
    assert_eq!(entry(&serde_json::json!({"type": "dissent.opened"})), None);
    let (gate, ask, by) = (Gate::Clarify, "?".to_owned(), "ada".to_owned());
    let deferred = Entry::Deferred { issue: "AB".into(), gate, ask, by, reason: "later".into() };
    let more = [answered("A", "1"), deferred.clone(), answered("AC", "3"), answered("AB", "2")];
    assert_eq!(last_word(&more[..2], ""), Some(&deferred), "of either kind");
    assert_eq!(last_word(&more[..2], "a"), Some(&more[0]), "exactly that one");
    assert_eq!(last_word(&more[1..3], "a"), None, "two begin so");
    assert_eq!(said(&more).len(), 3, "an answer takes the place of the deferral");
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
