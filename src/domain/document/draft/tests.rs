//! The draft of a specification, put together from what agents wrote.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::domain::agenda::open_only;
use crate::domain::artifact::{Artifact, Expect, validate};
use crate::domain::claim::derive::{DeriveInputs, Prior, derive};
use crate::domain::claim::lookup::Lookups;
use crate::domain::consensus::{Answer, Panel, Participant, Requirement, decide};
use crate::domain::document::{DocumentInputs, render};
use crate::domain::ids::{AgentName, Family, SpecId};
use crate::domain::spec::{Spec, parse};
use crate::domain::stage::Stage;

/// A spec in a layout's folder.
pub(super) fn read(dir: &str, text: &str) -> Spec {
    let name = dir.rsplit('/').find(|part| *part != "specs").unwrap();
    parse(SpecId::new(name).unwrap(), dir, &format!("{dir}/spec.md"), text)
}

/// What agents answer to specify, by their names; `{}` says nothing.
pub(super) fn answers(spec: &Spec, seats: &[(&str, Value)]) -> BTreeMap<AgentName, Artifact> {
    let topics: Vec<String> = open_only(spec, &[]).into_iter().map(|topic| topic.id).collect();
    let expect = Expect { stage: Stage::Specify, topics: topics.clone(), sent: vec![] };
    let artifact = |value: &Value| {
        let mut whole = json!({"schema": "dicast.artifact/1", "stage": "specify", "summary": "so", "answers": []});
        whole.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        let answers = whole["answers"].as_array_mut().unwrap();
        let silent = topics.iter().filter(|id| !answers.iter().any(|answer| answer["topic"] == **id));
        let silent: Vec<Value> = silent.map(|id| json!({"topic": id, "abstain": true})).collect();
        answers.extend(silent);
        validate(&expect, &whole.to_string()).unwrap()
    };
    seats.iter().map(|(name, value)| (AgentName::new(name).unwrap(), artifact(value))).collect()
}

/// The two documents of a panel: the proposal, and what is told of it.
pub(super) fn proposed(dir: &str, text: &str, seats: &[(&str, Value)]) -> (String, String) {
    let spec = read(dir, text);
    let artifacts = answers(&spec, seats);
    let (topics, lookups) = (open_only(&spec, &[]), Lookups::default());
    let inputs = DeriveInputs {
        spec: &spec,
        agenda: &topics,
        lookups: &lookups,
        guardrails_ok: true,
        constitution: &BTreeSet::new(),
        prior: &Prior::default(),
        diff: None,
    };
    let mut panel = Panel::new(spec.id.clone(), Stage::Specify);
    panel.requirements = spec.requirements.iter().map(|r| Requirement { id: r.id.clone(), level: r.level }).collect();
    let participant = |(name, artifact): (&AgentName, &Artifact)| Participant {
        name: name.clone(),
        family: Family::new(name.as_str()).unwrap(),
        voter: true,
        status: Answer::Ok,
        open_dissent: vec![],
        artifact: None,
        claims: derive(artifact, &inputs).plain(),
    };
    panel.agents = artifacts.iter().map(participant).collect();
    let verdict = decide(&panel);
    let documents = render(
        Stage::Specify,
        &DocumentInputs {
            spec: &spec,
            agenda: &topics,
            verdict: &verdict,
            panel: &panel,
            text: Some(text),
            artifacts: &artifacts,
        },
    );
    let [(path, proposal), (other, told)] = documents.try_into().unwrap();
    assert_eq!((path, other), (spec.proposal_path(), format!("{}/review/specify.md", spec.own)));
    (proposal, told)
}

const DIR: &str = "specs/003-rate-limiter";

const SPEC: &str = "# Feature Specification: Rate limiter

## Requirements

### Functional Requirements

- **FR-001**: The system MUST refuse more than 10 requests per second
  for each key.
  - AC-1: the eleventh is refused
- **FR-002**: Counters MUST be kept in Redis.
- **FR-003**: The system SHOULD log refusals.

## Success Criteria

- **SC-001**: Nobody waits.
";

fn demand(text: &str) -> Value {
    json!({"text": text, "because": "it was asked for"})
}

fn reword(id: &str, text: &str) -> Value {
    json!({"requirement": id, "text": text, "because": "it was unclear"})
}

fn with(requirements: &[Value]) -> Value {
    json!({"requirements": requirements})
}

#[test]
fn what_is_agreed_is_written_into_the_spec_and_nothing_else_is_touched() {
    let wants = [
        reword("FR-001", "The system MUST refuse more than 20 requests per second for each key."),
        json!({"requirement": "FR-003", "withdraw": true, "because": "nobody reads it"}),
        demand("The system MUST answer a refusal with status 429."),
    ];
    let all = with(&wants);
    let (text, told) = proposed(DIR, SPEC, &[("claude", all.clone()), ("codex", all.clone()), ("gemini", all)]);
    let expected = SPEC
        .replace(
            "The system MUST refuse more than 10 requests per second\n  for each key.",
            "The system MUST refuse more than 20 requests per second for each key.",
        )
        .replace(
            "- **FR-003**: The system SHOULD log refusals.\n",
            "- **FR-004**: The system MUST answer a refusal with status 429.\n",
        );
    assert_eq!(text, expected, "{told}");
    assert_eq!(
        told,
        "# Proposal: Rate limiter

**Spec**: `specs/003-rate-limiter/spec.md` | **Verdict**: agreed, 3 of 3 families | **Draft**: claude

The whole text as proposed: `specs/003-rate-limiter/review/spec.md`. Nothing else is changed.

## Summary

so

## Reworded

- FR-001: “The system MUST refuse more than 10 requests per second for each key.” → “The system MUST refuse more than 20 requests per second for each key.” (claude, codex and gemini; said)
  - Why: it was unclear

## Added

- FR-004: “The system MUST answer a refusal with status 429.” (claude, codex and gemini; said)
  - Why: it was asked for

## Withdrawn

- FR-003: “The system SHOULD log refusals.” (claude, codex and gemini; said)
  - Why: nobody reads it
"
    );
}

#[test]
fn where_they_differ_the_words_stay_and_both_sides_are_marked_once() {
    let seats = [
        ("claude", with(&[reword("FR-002", "Counters MUST be kept in memory.")])),
        ("codex", with(&[reword("FR-002", "Counters MUST be kept in SQLite.")])),
    ];
    let (text, told) = proposed(DIR, SPEC, &seats);
    let line = "- **FR-002**: Counters MUST be kept in Redis. [NEEDS CLARIFICATION: claude: “Counters MUST be kept in memory.”; codex: “Counters MUST be kept in SQLite.”]\n";
    assert_eq!(text, SPEC.replace("- **FR-002**: Counters MUST be kept in Redis.\n", line), "{told}");
    let (again, _) = proposed(DIR, &text, &seats);
    assert_eq!(again, text);
    assert!(told.contains("- **OPEN** FR-002: “Counters MUST be kept in Redis.” stays"), "{told}");
}

#[test]
fn what_the_base_alone_asks_is_marked_and_what_another_alone_asks_is_left_out() {
    let wants = with(&[demand("The system MUST refuse an empty key."), demand("The system MUST name its version.")]);
    let other = with(&[demand("The system MUST name its version."), demand("It MUST sing on every full hour.")]);
    let (text, told) = proposed(DIR, SPEC, &[("claude", wants), ("codex", other)]);
    let base = if told.contains("**Draft**: claude") {
        "The system MUST refuse an empty key."
    } else {
        "It MUST sing on every full hour."
    };
    let who = if told.contains("**Draft**: claude") { "claude" } else { "codex" };
    assert!(
        text.contains(&format!("{base} [NEEDS CLARIFICATION: only {who} asks for this: keep it?]\n")),
        "{text}{told}"
    );
    assert!(text.contains(": The system MUST name its version.\n"), "{text}");
    assert_eq!(text.matches("FR-00").count(), 5, "{text}");
    assert!(told.contains("nobody else asks for it"), "{told}");
}

#[test]
fn an_answer_that_says_nothing_leaves_the_very_same_text() {
    for text in [SPEC, "", "\u{feff}# A\r\n- **FR-001**: It MUST.\r\n\r\n\r\nend", "prose only"] {
        let (same, told) = proposed(DIR, text, &[("claude", json!({})), ("codex", json!({}))]);
        assert_eq!(same, text);
        assert!(told.contains("Nothing is proposed"), "{told}");
    }
}

#[test]
fn every_form_of_a_requirement_is_reworded_and_followed_in_its_own_form() {
    let all = |wants: &[Value]| [("claude", with(wants)), ("codex", with(wants))];
    let new = demand("It MUST beep when 3 | 4 are pressed.");
    for (dir, text, wants, expected) in [
        (
            "docs/SPEC-KIT-011-cache",
            "# Cache\n\n- **R1**: It MUST hold 5\n- R3. Misses SHOULD be counted\n\n## Risks\n\n- R9: none\n",
            vec![reword("R-3", "Misses MUST be counted."), new.clone()],
            "# Cache\n\n- **R1**: It MUST hold 5\n- R3. Misses MUST be counted.\n- R4. It MUST beep when 3 | 4 are pressed.\n\n## Risks\n\n- R9: none\n",
        ),
        (
            DIR,
            "| ID | Requirement | Priority |\r\n|---|---|---|\r\n| NFR-07 | It MUST round to whole cents | P1 |\r\n\r\nend",
            vec![reword("NFR-07", "It MUST round | cut."), new.clone()],
            "| ID | Requirement | Priority |\r\n|---|---|---|\r\n| NFR-07 | It MUST round \\| cut. | P1 |\r\n| NFR-08 | It MUST beep when 3 \\| 4 are pressed. |  |\r\n\r\nend",
        ),
        (
            DIR,
            "## Requirements\n\n### FR-1: Keys\n\nEvery entry MUST have\na key.\n\n- AC-1: seen\n\n### FR-2 Order MUST stay\n",
            vec![reword("FR-1", "Every entry MUST have two keys."), reword("FR-2", "Order SHOULD stay."), new.clone()],
            "## Requirements\n\n### FR-1: Keys\n\nEvery entry MUST have two keys.\n\n- AC-1: seen\n\n### FR-2 Order SHOULD stay.\n\n### FR-3: It MUST beep when 3 | 4 are pressed.\n",
        ),
        (
            "openspec/changes/add-x/specs/auth",
            "## ADDED Requirements\n\n### Requirement: Code\n\nIt SHALL ask for a code.\n\n#### Scenario: Right\n\n- **WHEN** a\n- **THEN** b\n\n## REMOVED Requirements\n\n### Requirement: Pet\n\nIt SHALL ask for a pet.\n",
            vec![reword("R-1", "It MUST ask for two codes."), new.clone()],
            "## ADDED Requirements\n\n### Requirement: Code\n\nIt MUST ask for two codes.\n\n#### Scenario: Right\n\n- **WHEN** a\n- **THEN** b\n\n### Requirement: Beep when 3 | 4 are pressed\n\nIt MUST beep when 3 | 4 are pressed.\n\n#### Scenario: Beep when 3 | 4 are pressed\n\n- **WHEN** [NEEDS CLARIFICATION: when is it seen?]\n- **THEN** [NEEDS CLARIFICATION: what is seen?]\n\n## REMOVED Requirements\n\n### Requirement: Pet\n\nIt SHALL ask for a pet.\n",
        ),
        (
            DIR,
            "# A\n\nprose\n\n## Success Criteria\n\n- **SC-001**: x\n",
            vec![new.clone(), demand("It MUST end.")],
            "# A\n\nprose\n\n## Requirements\n\n### Functional Requirements\n\n- **FR-001**: It MUST beep when 3 | 4 are pressed.\n- **FR-002**: It MUST end.\n\n## Success Criteria\n\n- **SC-001**: x\n",
        ),
        (
            DIR,
            "# A\n\n## Requirements\n\n- [x] **FR-009**: It MUST y, see FR-010\n  ```\n  - code\n  ```\n",
            vec![new.clone(), demand("FR-009 MUST end.")],
            "# A\n\n## Requirements\n\n- [x] **FR-009**: It MUST y, see FR-010\n  ```\n  - code\n  ```\n- [ ] **FR-011**: It MUST beep when 3 | 4 are pressed.\n- [ ] **FR-012**: For FR-009 MUST end.\n",
        ),
        (
            DIR,
            "# A\n\n- **FR-001**: System MUST [specific capability, e.g., \"x\"]\n- **FR-002**: Users MUST be able to [do]\n",
            vec![new],
            "# A\n\n- **FR-001**: It MUST beep when 3 | 4 are pressed.\n",
        ),
    ] {
        let (proposal, told) = proposed(dir, text, &all(&wants));
        assert_eq!(proposal, expected, "{told}");
        let (again, _) = proposed(dir, &proposal, &all(&wants));
        assert_eq!(again, proposal, "{told}");
    }
}

#[test]
fn a_template_is_filled_in_by_the_base_draft_and_what_a_person_wrote_stays() {
    let spec = SpecId::new("004-login").unwrap();
    let template =
        crate::domain::draft::fill(crate::domain::draft::TEMPLATE, &spec, "Log in with links.", "2026-01-31");
    let draft = json!({
        "requirements": [demand("The system MUST send one link per request."), demand("A link MUST end after 10 minutes.")],
        "stories": [
            {"title": "Ask for a link", "story": "Somebody asks for a link.", "independent_test": "Ask, and look into the mail.",
             "scenarios": ["Given an address, when a link is asked for, then one mail is sent", "Given no address, when asked, then it is refused"]},
            {"title": "Use it", "story": "Somebody opens the link.", "scenarios": ["Given a link, when opened, then one is in"]},
        ],
        "edge_cases": ["A link is opened twice.", "The mail is late."],
        "success_criteria": ["9 of 10 log in within a minute."],
        "assumptions": ["Everybody has mail."],
        "questions": ["Who may log in?"],
    });
    let seats = [("claude", draft.clone()), ("codex", draft)];
    let (text, told) = proposed("specs/004-login", &template, &seats);
    insta::assert_snapshot!("draft_of_a_template", format!("{text}\n=====\n\n{told}"));
    assert_eq!(proposed("specs/004-login", &text, &seats).0, text);
}

#[test]
fn agreed_answers_stand_in_clarifications_once() {
    let spec = "# A\n\n- **FR-001**: Counters MUST be kept in memory or Redis.\n";
    let said = |value: &str| json!({"answers": [{"topic": "D-002", "value": value}]});
    let seats = [("claude", said("Redis")), ("codex", said("redis"))];
    let (text, told) = proposed(DIR, spec, &seats);
    let line = "- Q: FR-001 leaves a choice, \"memory or Redis\": which one? → A: Redis\n";
    assert_eq!(text, format!("{spec}\n## Clarifications\n\n{line}"), "{told}");
    assert_eq!(proposed(DIR, &text, &seats).0, text);
}

#[test]
fn of_one_that_answers_alone_a_person_decides_about_everything() {
    let wants = with(&[reword("FR-003", "The system MUST log refusals."), demand("The system MUST name its version.")]);
    let (text, told) = proposed(DIR, SPEC, &[("claude", wants)]);
    let changed =
        "- **FR-003**: The system SHOULD log refusals. [NEEDS CLARIFICATION: claude: “The system MUST log refusals.”]
- **FR-004**: The system MUST name its version. [NEEDS CLARIFICATION: only claude asks for this: keep it?]
";
    assert_eq!(text, SPEC.replace("- **FR-003**: The system SHOULD log refusals.\n", changed), "{told}");
}

#[test]
fn what_one_of_several_wants_otherwise_changes_nothing_and_is_told() {
    let seats = [
        ("claude", with(&[reword("FR-003", "The system MUST log refusals.")])),
        ("codex", with(&[json!({"requirement": "FR-003", "withdraw": true})])),
        ("gemini", with(&[json!({"requirement": "FR-099", "withdraw": true})])),
    ];
    let (text, told) = proposed(DIR, SPEC, &seats);
    assert_eq!(text, SPEC);
    for line in [
        "- FR-003 should say “The system MUST log refusals.” (claude; said; only one voice): nobody else asks for it\n",
        "- FR-003 should go (codex; said; only one voice): nobody else asks for it\n",
        "- ~~decision FR-099: withdrawn yes~~ (gemini, checked: false)\n",
    ] {
        assert!(told.contains(line), "{line}{told}");
    }
}

#[test]
fn what_stands_in_several_pieces_or_twice_is_left_to_a_person() {
    let text = "# A

## Requirements

### FR-1: Keys

It MUST have keys.

- one
- two

More of it.

- **FR-002**: It MUST a
- **FR-002**: It MUST b
";
    let wants = with(&[reword("FR-1", "It MUST have two keys."), json!({"requirement": "FR-002", "withdraw": true})]);
    let (proposal, told) = proposed(DIR, text, &[("claude", wants.clone()), ("codex", wants)]);
    assert_eq!(proposal, text);
    assert!(
        told.contains(
            "- FR-1 should say “It MUST have two keys.” (claude and codex; said): its words stand in several pieces\n"
        ),
        "{told}"
    );
    assert!(
        told.contains(
            "- FR-002 should go (claude and codex; said): its id is defined more than once, with different words\n"
        ),
        "{told}"
    );
}

#[test]
fn a_storys_title_that_is_a_placeholder_is_filled_in_too() {
    let draft = json!({"stories": [{"title": "Ask for a link", "scenarios": ["Given a, when b, then c"]}]});
    let seats = [("claude", draft.clone()), ("codex", draft)];
    let (text, told) = proposed("specs/005-raw", crate::domain::draft::TEMPLATE, &seats);
    assert!(text.contains("### User Story 1 - Ask for a link (Priority: P1)\n"), "{text}{told}");
    assert!(text.contains("\n1. **Given** a, **When** b, **Then** c\n") && !told.contains("By hand"), "{text}{told}");
}

#[test]
fn behind_a_fence_that_is_never_closed_nothing_is_added() {
    let text =
        "# Lists\n\n### User Story 1 - Share (Priority: P1)\n\n1. **Given** a, **When** b, **Then** c\n\n```\nopen\n";
    let wants = json!({"requirements": [{"text": "It MUST share a list.", "because": "so"}]});
    let (proposal, told) = proposed(DIR, text, &[("claude", wants.clone()), ("codex", wants)]);
    assert_eq!(proposal, text);
    assert!(told.contains("## By hand") && told.contains("It MUST share a list."), "{told}");
}

#[test]
fn what_others_say_beside_requirements_is_told_where_their_draft_is_not_followed() {
    let followed = json!({"edge_cases": ["The clock goes back."]});
    let longer = json!({"edge_cases": ["The clock goes back!", "Two clients share a key."],
        "stories": [{"title": "A client waits", "scenarios": ["Given a, when b, then c"]}]});
    let (text, told) = proposed(DIR, "# Limits\n\nA limiter.\n", &[("claude", followed), ("codex", longer)]);
    assert!(text.contains("- The clock goes back.\n") && !text.contains("share a key"), "{text}");
    let others = told.split("## Beside the Requirements, of Others\n").nth(1).unwrap().split("\n## ").next().unwrap();
    assert!(others.contains("- User story: “A client waits” (codex)\n"), "{others}");
    assert!(others.contains("- Edge case: “Two clients share a key.” (codex)\n"), "{others}");
    assert!(!others.contains("clock"), "{others}");
}

#[test]
fn somebodys_links_are_no_placeholders() {
    let text = "# Limits\n\n## Requirements\n\n- **FR-001**: The limiter MUST refuse.\n- **FR-002**: System MUST handle [Retry-After][rfc].\n\
                - **FR-003**: System MUST [be observable](obs.md).\n\n## Assumptions\n\n- See [ADR-7].\n- [The gateway keeps time][ntp]\n";
    let draft = json!({"requirements": [{"text": "It MUST count per key.", "because": "so"}], "assumptions": ["Keys are long."]});
    let (proposal, _) = proposed(DIR, text, &[("claude", draft.clone()), ("codex", draft)]);
    for line in text.lines() {
        assert!(proposal.lines().any(|kept| kept == line), "{line}\n{proposal}");
    }
    assert!(
        proposal.contains("- **FR-004**: It MUST count per key.\n") && proposal.contains("- Keys are long.\n"),
        "{proposal}"
    );
}
