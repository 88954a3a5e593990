//! What stands open, what a vote does, and the laws of the round.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::domain::artifact::UnusableKind;
use crate::domain::claim::derive::{Backed, Derived};
use crate::domain::claim::{Assertion, Polarity, Value};
use crate::domain::consensus::{Answer as Status, Label, Level, Panel, Participant, Requirement, decide};
use crate::domain::ids::{Family, SpecId};
use crate::domain::stage::Stage;

fn says(kind: Kind, subject: &str, predicate: &str, value: &str) -> Assertion {
    Assertion {
        kind,
        subject: subject.into(),
        predicate: predicate.into(),
        value: Value::from(value),
        polarity: Polarity::Yes,
        severity: Severity::Major,
        tier: Tier::E0,
        requirement: None,
    }
}

fn burst(value: &str) -> Assertion {
    says(Kind::Decision, "D-001", "answer", value)
}

fn risk(text: &str) -> Assertion {
    Assertion { severity: Severity::Minor, ..says(Kind::Risk, text, "threatens", "yes") }
}

fn not(assertion: Assertion) -> Assertion {
    Assertion { polarity: Polarity::No, ..assertion }
}

fn name(text: &str) -> AgentName {
    AgentName::new(text).unwrap()
}

/// A panel of agents, each of a family of its own unless it is written `agent@family`.
fn panel(agents: &[(&str, Vec<Assertion>)]) -> Panel {
    panel_at(Stage::Plan, agents)
}

fn panel_at(stage: Stage, agents: &[(&str, Vec<Assertion>)]) -> Panel {
    let mut panel = Panel::new(SpecId::new("001-x").unwrap(), stage);
    panel.requirements = vec![Requirement { id: "FR-001".into(), level: Level::Must }];
    for (who, claims) in agents {
        let (agent, family) = who.split_once('@').unwrap_or((who, who));
        panel.agents.push(Participant {
            name: name(agent),
            family: Family::new(family).unwrap(),
            voter: true,
            status: Status::Ok,
            open_dissent: vec![],
            artifact: None,
            claims: claims.clone(),
        });
    }
    panel.check().unwrap();
    panel
}

fn ballot(panel: &Panel) -> Option<Ballot> {
    seeded(panel, "seed")
}

fn seeded(panel: &Panel, seed: &str) -> Option<Ballot> {
    open(panel, &Asking { seed, voices: &BTreeMap::new(), requirements: &[], agenda: &[] })
}

/// Votes as JSON: `{"who": [votes]}`, on words alone.
fn heard(votes: serde_json::Value) -> Heard {
    let votes: BTreeMap<String, Vec<Vote>> = serde_json::from_value(votes).unwrap();
    let cast = |vote| Cast { vote, tier: Tier::E0 };
    votes.into_iter().map(|(agent, votes)| (name(&agent), votes.into_iter().map(cast).collect())).collect()
}

fn label(panel: &Panel, said: &Assertion) -> Label {
    let key = panel.canon().key(said.kind, &said.subject, &said.predicate);
    let verdict = decide(panel);
    let claim = verdict.claims.iter().find(|c| c.key == key || c.merged_from.iter().any(|m| m.key == key));
    claim.unwrap_or_else(|| panic!("no claim {said:?}")).label
}

/// The number of the item about a subject, and of its side with a value.
fn number(ballot: &Ballot, subject: &str) -> u32 {
    ballot.items.iter().find(|item| item.subject == subject).unwrap_or_else(|| panic!("{subject}: {ballot:#?}")).n
}

fn side(ballot: &Ballot, subject: &str, value: &str) -> u32 {
    let item = ballot.item(number(ballot, subject)).unwrap();
    item.sides.iter().find(|side| side.says.value == Value::from(value)).unwrap().n
}

#[test]
fn conflicts_come_first_then_possible_ones_then_what_somebody_has_not_addressed() {
    let long = "the limiter loses its counters when the process of a node restarts";
    let near = "the limiter loses its counters when the process of the node restarts";
    let said = panel(&[
        ("claude", vec![burst("20"), risk("disk is full"), risk(long), says(Kind::Covers, "FR-001", "covered", "yes")]),
        ("codex", vec![burst("10"), not(risk(near)), says(Kind::Covers, "FR-001", "covered", "yes")]),
    ]);
    let ballot = ballot(&said).unwrap();
    let why: Vec<Why> = ballot.items.iter().map(|item| item.why).collect();
    assert_eq!(why, [Why::Conflict, Why::PossibleConflict, Why::PossibleConflict, Why::Unaddressed]);
    assert_eq!((ballot.items[1].near, ballot.items[2].near), (Some(3), Some(2)));
    assert_eq!(ballot.items[0].sides.len(), 2);
    assert!(!ballot.items.iter().any(|item| item.subject == "FR-001"), "all agree on it");
}

#[test]
fn who_was_outvoted_is_asked_for_evidence_before_the_count_stands() {
    let minor = |value| Assertion { severity: Severity::Minor, tier: Tier::E0, ..burst(value) };
    let said = panel(&[("claude", vec![minor("20")]), ("codex", vec![minor("20")]), ("gemini", vec![minor("10")])]);
    let ballot = ballot(&said).unwrap();
    assert_eq!(ballot.items.iter().map(|item| item.why).collect::<Vec<_>>(), [Why::Outvoted]);
    assert_eq!(ballot.items[0].sides.len(), 2);
}

#[test]
fn info_what_was_run_conditions_and_what_a_human_decided_are_not_asked() {
    let info = Assertion { severity: Severity::Info, ..risk("a nit") };
    let ran = Assertion { tier: Tier::E3True, ..burst("20") };
    let condition =
        Assertion { severity: Severity::Minor, ..says(Kind::Finding, "a test is added", "condition", "yes") };
    let mut said = panel(&[("claude", vec![info, ran, condition]), ("codex", vec![burst("10")])]);
    assert_eq!(ballot(&said), None);
    said.agents[0].claims = vec![burst("20")];
    assert!(ballot(&said).is_some());
    let key = said.canon().key(Kind::Decision, "D-001", "answer");
    said.rejected.push(key);
    assert_eq!(ballot(&said), None);
}

#[test]
fn at_most_forty_are_asked_those_that_must_hold_first() {
    let minor: Vec<Assertion> = (0..60).map(|i| risk(&format!("wire {i} of rack {i} may break"))).collect();
    let mut claims = minor;
    claims.push(says(Kind::Covers, "FR-001", "covered", "yes"));
    let ballot = ballot(&panel(&[("claude", claims), ("codex", vec![])])).unwrap();
    assert_eq!((ballot.items.len(), ballot.left_out, ballot.items[0].subject.as_str()), (40, 21, "FR-001"));
}

#[test]
fn one_family_is_not_asked_and_neither_is_somebody_who_did_not_answer() {
    let mut said = panel(&[("claude@a", vec![burst("20")]), ("codex@a", vec![burst("10")])]);
    assert_eq!(ballot(&said), None, "one voice");
    said.agents[1].family = Family::new("b").unwrap();
    assert!(ballot(&said).is_some());
    said.agents[1].status = Status::Crashed;
    assert_eq!(ballot(&said), None);
}

#[test]
fn the_order_depends_on_the_seed_and_on_nobodys_name() {
    let all = |a: &str, b: &str| {
        let of = |n: usize| (0..n).map(|i| risk(&format!("part {i} of machine {i} breaks"))).collect::<Vec<_>>();
        panel(&[(a, [of(20), vec![burst("20")]].concat()), (b, vec![burst("10")])])
    };
    let asked = |panel: &Panel, seed: &str| seeded(panel, seed).unwrap().items().to_string();
    let first = asked(&all("claude", "codex"), "one");
    assert_eq!(first, asked(&all("claude", "codex"), "one"), "deterministic");
    assert_eq!(first, asked(&all("zoe", "adam"), "one"), "other names, the same bytes");
    assert_ne!(first, asked(&all("claude", "codex"), "two"), "another seed, another order");
    let sides = |seed: String| seeded(&all("a", "b"), &seed).unwrap().items[0].sides[0].says.value.to_string();
    let led: BTreeSet<String> = (0..16).map(|i| sides(i.to_string())).collect();
    assert_eq!(led.len(), 2, "either side stands first in some run");
}

#[test]
fn no_name_stands_in_what_is_asked_even_if_somebody_wrote_it() {
    let said = panel(&[("claude@anthropic", vec![burst("20")]), ("codex@openai", vec![burst("10")])]);
    let backed = |value: &str, because: &str| Derived {
        assertions: vec![Backed {
            assertion: burst(value),
            because: Safe::line(because),
            evidence: vec![Citation::File { path: "src/a.rs".into(), line: Some(3) }],
            field: "answers[0]".into(),
        }],
        ..Derived::default()
    };
    let (claude, codex) = (name("claude"), name("codex"));
    let voices = BTreeMap::from([
        (&claude, backed("20", "as Claude (Anthropic's) I read src/a.rs; claudette is not me")),
        (&codex, backed("10", "OPENAI codex: ten")),
    ]);
    let asking = Asking { seed: "s", voices: &voices, requirements: &[], agenda: &[] };
    let ballot = open(&said, &asking).unwrap();
    let text = ballot.items().to_string().to_lowercase();
    for hidden in ["claude ", "anthropic", "codex", "openai"] {
        assert!(!text.contains(hidden), "{hidden} stands in {text}");
    }
    assert!(text.contains("claudette is not me"), "{text}");
    assert!(text.contains(r#"{"file":"src/a.rs","line":3}"#), "{text}");
    let ask = ballot.ask(&said.spec_id, Stage::Plan, &claude, 1);
    assert_eq!(ask["yours"], json!([{"n": 1, "side": side(&ballot, "D-001", "20")}]));
    assert_eq!(ask["schema"], ROUND_SCHEMA);
    assert_eq!(ask["items"][0]["sides"].as_array().unwrap().len(), 2);
    let schema = &ask["answer_schema"]["$defs"]["Vote"]["properties"];
    assert_eq!(schema["n"]["maximum"], json!(1));
    assert!(schema["as"].is_object(), "{schema}");
}

#[test]
fn an_answer_that_does_not_fit_says_which_item_and_field() {
    let good = r#"Here: ```json
{"schema":"dicast.round/1","votes":[{"n":2,"vote":"same_as","as":1,"extra":true}]}
```"#;
    let found = extract(&Expect::default(), good).unwrap();
    let vote = &parse(&found).unwrap().votes[0];
    assert_eq!((vote.n, vote.vote, vote.other), (2, Word::SameAs, Some(1)));
    for (votes, why) in [
        (r#"[{"n":1,"vote":"agree"},{"n":7,"vote":"shrug"}]"#, "item 7: votes[1].vote: unknown variant `shrug`"),
        (r#"[{"n":3,"vote":"agree","evidence":[{"fil":"a"}]}]"#, "item 3: votes[0].evidence[0]: evidence is"),
        (r#"[{"vote":"agree"}]"#, "votes[0]: missing field `n`"),
        (r#"[{"n":4,"vote":"agree","as":"x"}]"#, "item 4: votes[0].as: invalid type"),
    ] {
        let bad =
            extract(&Expect::default(), &format!(r#"{{"schema":"dicast.round/1","votes":{votes}}}"#)).unwrap_err();
        assert_eq!(bad.kind, UnusableKind::Schema);
        assert!(bad.why.starts_with(why), "{}", bad.why);
    }
    let sent = crate::domain::hash::canonical(&json!({"schema": "dicast.round/1", "votes": []})).unwrap();
    let expect = Expect { sent: vec![Sha::of(&sent)] };
    assert_eq!(extract(&expect, &sent).unwrap_err().kind, UnusableKind::Echo);
}

#[test]
fn agreeing_joins_a_side_and_leaves_the_other() {
    let said = panel(&[("a", vec![burst("20")]), ("b", vec![burst("10")]), ("c", vec![])]);
    let ballot = ballot(&said).unwrap();
    let ten = side(&ballot, "D-001", "10");
    assert_eq!(label(&said, &burst("10")), Label::Conflict);
    let joined = apply(&said, &ballot, &heard(json!({"c": [{"n": 1, "vote": "agree", "as": ten}]})));
    assert_eq!(label(&joined.panel, &burst("10")), Label::AgreedOver, "two to one");
    let moved = apply(&said, &ballot, &heard(json!({"a": [{"n": 1, "vote": "disagree", "as": ten}]})));
    assert_eq!(label(&moved.panel, &burst("10")), Label::Agreed);
    assert_eq!((joined.ignored.len(), moved.ignored.len()), (0, 0));
}

#[test]
fn evidence_that_is_false_strikes_the_vote_and_leaves_what_was_held() {
    let said = panel(&[("a", vec![burst("20")]), ("b", vec![burst("10")])]);
    let ballot = ballot(&said).unwrap();
    let mut votes = heard(json!({"a": [{"n": 1, "vote": "agree", "as": side(&ballot, "D-001", "10")}]}));
    votes.values_mut().flatten().for_each(|cast| cast.tier = Tier::EFalse);
    let applied = apply(&said, &ballot, &votes);
    assert_eq!(label(&applied.panel, &burst("10")), Label::Conflict);
    assert_eq!(applied.panel.agents[0].claims.len(), 2);
}

#[test]
fn denying_the_only_side_opposes_it_and_evidence_makes_that_a_conflict() {
    let serious = Assertion { severity: Severity::Critical, ..risk("disk is full") };
    let said = panel(&[("a", vec![serious.clone()]), ("b", vec![]), ("c", vec![])]);
    let ballot = ballot(&said).unwrap();
    let votes = heard(json!({"b": [{"n": 1, "vote": "disagree"}]}));
    let denied = apply(&said, &ballot, &votes).panel;
    let added = &denied.agents[1].claims[0];
    assert_eq!((added.polarity, added.severity), (Polarity::No, Severity::Major), "a denial is no critical objection");
    assert_eq!(label(&denied, &serious), Label::Conflict);
}

#[test]
fn only_a_losing_side_can_be_withdrawn_and_keeping_changes_nothing() {
    let said = panel(&[("a", vec![burst("20")]), ("b", vec![burst("10")]), ("c", vec![burst("10")])]);
    let mut seen = said.clone();
    seen.agents[0].claims[0].tier = Tier::E2;
    let ballot = ballot(&seen).unwrap();
    let kept = apply(&seen, &ballot, &heard(json!({"a": [{"n": 1, "vote": "keep"}]})));
    assert_eq!((kept.panel, kept.ignored.len()), (seen.clone(), 0));
    let votes = heard(json!({"a": [{"n": 1, "vote": "withdraw"}], "b": [{"n": 1, "vote": "withdraw"}]}));
    let applied = apply(&seen, &ballot, &votes);
    assert_eq!(label(&applied.panel, &burst("10")), Label::Agreed);
    assert_eq!(applied.panel.agents[1].claims.len(), 1);
    assert_eq!(
        applied.ignored[0].as_str(),
        "b's vote on item 1 (withdraw) does not count: it holds no losing side of it"
    );
}

#[test]
fn two_texts_are_one_only_if_a_family_of_each_says_so() {
    let (one, two) = (risk("clients retry at once"), risk("a refused caller hammers the server"));
    let said = panel(&[("a", vec![one.clone()]), ("b", vec![two.clone()]), ("c", vec![])]);
    let ballot = ballot(&said).unwrap();
    let (m, n) = (number(&ballot, "clients retry at once"), number(&ballot, "a refused caller hammers the server"));
    let same = |votes| apply(&said, &ballot, &heard(votes)).panel.same_as.len();
    let says = |n: u32, other: u32| json!([{"n": n, "vote": "same_as", "as": other}]);
    assert_eq!(same(json!({"a": says(m, n)})), 0, "one side alone");
    assert_eq!(same(json!({"a": says(m, n), "c": says(m, n)})), 0, "c holds neither");
    assert_eq!(same(json!({"a": says(m, n), "b": says(n, m)})), 1);
    let merged = apply(&said, &ballot, &heard(json!({"a": says(m, n), "b": says(m, n)}))).panel;
    assert_eq!(label(&merged, &one), Label::Agreed);
    assert_eq!(decide(&merged).claims.len(), 1);
}

#[test]
fn what_a_number_or_a_negation_tells_apart_is_never_the_same() {
    for (one, two) in [("retry 3 times", "try again 5 times"), ("counters are lost", "counters are never lost")] {
        let said = panel(&[("a", vec![risk(one)]), ("b", vec![risk(two)])]);
        let ballot = ballot(&said).unwrap();
        let votes = json!({"a": [{"n": 1, "vote": "same_as", "as": 2}], "b": [{"n": 1, "vote": "same_as", "as": 2}]});
        let applied = apply(&said, &ballot, &heard(votes));
        assert_eq!((applied.panel.same_as.len(), applied.ignored.len()), (0, 2), "{one} / {two}");
    }
}

#[test]
fn what_does_not_fit_is_ignored_and_said() {
    let mut said = panel(&[("a@x", vec![burst("20")]), ("b", vec![burst("10")]), ("c@x", vec![]), ("d", vec![])]);
    said.agents[3].status = Status::Timeout;
    let ballot = ballot(&said).unwrap();
    let votes = heard(json!({
        "a": [{"n": 9, "vote": "agree"}, {"n": 1, "vote": "agree"}, {"n": 1, "vote": "abstain"}],
        "b": [{"n": 1, "vote": "agree", "as": 7}],
        "c": [{"n": 1, "vote": "withdraw"}],
        "d": [{"n": 1, "vote": "withdraw"}],
        "eve": [{"n": 1, "vote": "withdraw"}],
    }));
    let applied = apply(&said, &ballot, &votes);
    assert_eq!(applied.panel, said);
    let ignored: Vec<&str> = applied.ignored.iter().map(Safe::as_str).collect();
    assert_eq!(
        ignored,
        [
            "a's vote on item 9 (agree) does not count: it was not asked",
            "a's vote on item 1 (agree) does not count: it has 2 sides, and `as` names none of them",
            "a's vote on item 1 (abstain) does not count: it has voted on it before",
            "b's vote on item 1 (agree) does not count: it has no side 7",
            "c's votes do not count: its family was asked already",
            "d's votes do not count: it was not asked",
            "eve's votes do not count: it was not asked",
        ]
    );
}

#[test]
fn an_outcome_is_changed_by_holding_another_one_and_never_denied() {
    let go = |value: &str| Assertion { tier: Tier::E2, ..says(Kind::Decision, "stage", "outcome", value) };
    let mut said = panel_at(Stage::Audit, &[("a", vec![go("GO")]), ("b", vec![go("NO-GO")])]);
    let ballot = ballot(&said).unwrap();
    let no = side(&ballot, "stage", "NO-GO");
    let applied = apply(&said, &ballot, &heard(json!({"a": [{"n": 1, "vote": "agree", "as": no}]})));
    applied.panel.check().unwrap();
    assert_eq!(label(&applied.panel, &go("GO")), Label::Agreed);
    said.agents[1].claims.clear();
    let alone = seeded(&said, "seed").unwrap();
    let denied = apply(&said, &alone, &heard(json!({"b": [{"n": 1, "vote": "disagree"}]})));
    denied.panel.check().unwrap();
    assert_eq!((denied.panel, denied.ignored.len()), (said, 1));
}

#[test]
fn what_the_round_changed_is_said_in_one_sentence() {
    let said =
        panel(&[("a", vec![burst("20"), risk("disk is full"), risk("clock goes back")]), ("b", vec![burst("10")])]);
    let ballot = ballot(&said).unwrap();
    let n = |subject| number(&ballot, subject);
    let votes = json!({
        "a": [{"n": n("D-001"), "vote": "withdraw"}],
        "b": [{"n": n("disk is full"), "vote": "agree"}, {"n": n("clock goes back"), "vote": "abstain"}],
    });
    let applied = apply(&said, &ballot, &heard(votes)).panel;
    let changes = changes(&ballot, &decide(&said), &decide(&applied), (2, 2));
    assert_eq!(changes.to_string(), "the round settled 1 and confirmed 1, 1 stands as it stood");
    let none = super::changes(&ballot, &decide(&said), &decide(&said), (2, 2));
    assert_eq!(none.to_string(), "the round changed nothing");
    let silent = super::changes(&ballot, &decide(&said), &decide(&said), (0, 2));
    assert_eq!(silent.to_string(), "nobody answered in the round");
}

#[test]
fn the_ballot_reads_back_as_it_was_kept() {
    let said = panel(&[("a", vec![burst("20"), risk("disk is full")]), ("b", vec![burst("10")])]);
    let ballot = ballot(&said).unwrap();
    let text = serde_json::to_string_pretty(&ballot).unwrap();
    assert_eq!(serde_json::from_str::<Ballot>(&text).unwrap(), ballot);
}
