//! The fold, closings, questions and entries.

use serde_json::{Value as Json, json};

use super::*;
use crate::domain::agenda::OpenQuestion;
use crate::domain::consensus::{Canon, Panel, Waiver, decide, digest, parse_panel};
use crate::domain::ids::SpecId;
use crate::domain::spec::parse;

const SPEC: &str = "# Feature Specification: Rate limiter

- **FR-001**: The system MUST refuse more than 10 requests per second.
- **FR-002**: The system SHOULD answer quickly when a key is refused.
";

fn spec() -> Spec {
    parse(SpecId::new("003-x").unwrap(), "specs/003-x", "specs/003-x/spec.md", SPEC)
}

fn say(kind: &str, subject: &str, predicate: &str, value: &str, polarity: i8, severity: &str) -> Json {
    json!({"kind": kind, "subject": subject, "predicate": predicate, "value": value, "polarity": polarity,
           "severity": severity, "tier": "E0"})
}

fn covers() -> Json {
    say("covers", "FR-001", "covered", "yes", 1, "major")
}

/// The answer to "how quickly?", which the agenda asks of FR-002.
fn quickly(value: &str) -> Json {
    say("decision", "D-003", "answer", value, 1, "minor")
}

fn risk(polarity: i8) -> Json {
    say("risk", "the clock may jump", "threatens", "yes", polarity, "minor")
}

fn answer(topic: &str, value: &str) -> Json {
    say("decision", topic, "answer", value, 1, "minor")
}

fn panel(stage: Stage, said: &[(&str, &[Json])]) -> Panel {
    let agent = |(name, claims): &(&str, &[Json])| {
        let claims: Vec<Json> = std::iter::once(covers()).chain(claims.iter().cloned()).collect();
        json!({"name": name, "family": name, "status": "ok", "claims": claims})
    };
    let text = json!({
        "schema": "dicast.panel/1", "spec_id": "003-x", "stage": stage,
        "inputs": {"spec_sha256": spec().sha}, "requirements": [{"id": "FR-001", "level": "must"}],
        "agents": said.iter().map(agent).collect::<Vec<_>>(),
    });
    parse_panel(&text.to_string()).unwrap()
}

fn verdict(stage: Stage, said: &[(&str, &[Json])]) -> Verdict {
    decide(&panel(stage, said))
}

fn read(verdicts: &[&Verdict]) -> Ledger {
    Ledger::read(&spec(), verdicts.iter().copied(), &[])
}

fn topics() -> Vec<Topic> {
    agenda(&spec(), &[])
}

fn asked(ledger: &Ledger) -> Vec<OpenQuestion> {
    questions(ledger, &topics())
}

/// Agent, what it holds, and what closed it, of each dissent.
fn lines(ledger: &Ledger) -> Vec<String> {
    let line = |d: &Dissent| {
        let end = d.closed.as_ref().map_or("open".to_owned(), |c| format!("{} {:?}", c.stage, c.by));
        format!("{} {} since {}: {end}", d.agent, side(&d.said), d.opened)
    };
    ledger.dissents.iter().map(line).collect()
}

fn outvoted() -> Verdict {
    let plan =
        verdict(Stage::Plan, &[("a", &[quickly("10 ms")]), ("b", &[quickly("10 ms")]), ("c", &[quickly("20 ms")])]);
    assert_eq!(plan.exit, 0, "{plan:?}");
    plan
}

#[test]
fn an_outvoted_answer_is_opened_and_asked_under_its_own_topic_naming_nobody() {
    let ledger = read(&[&outvoted()]);
    assert_eq!(lines(&ledger), ["c 20 ms since plan: open"]);
    assert_eq!(ledger.owed_to(&AgentName::new("c").unwrap()), [ledger.dissents[0].key.clone()]);
    assert_eq!(ledger.owed_to(&AgentName::new("a").unwrap()), []);
    let [question] = asked(&ledger).try_into().unwrap();
    assert_eq!((question.id.as_str(), question.from.as_str()), ("D-003", "plan, dissent"));
    assert_eq!(question.ask, "10 ms was decided, 20 ms was held against it.");
    let next = agenda(&spec(), &[question]);
    assert_eq!(next.len(), topics().len(), "one question is not asked twice");
    assert!(next[2].ask.ends_with("Open since plan, dissent: 10 ms was decided, 20 ms was held against it."));
    assert_eq!(next[2].unit.as_deref(), Some("ms"));
}

#[test]
fn a_dissent_on_what_the_agenda_does_not_ask_becomes_a_topic_that_can_be_answered_yes_or_no() {
    let plan = verdict(Stage::Plan, &[("a", &[risk(1)]), ("b", &[risk(1)]), ("c", &[risk(-1)])]);
    let ledger = read(&[&plan]);
    assert_eq!(lines(&ledger), ["c no since plan: open"]);
    let [question] = asked(&ledger).try_into().unwrap();
    let key = &ledger.dissents[0].key;
    assert_eq!(question.id, topic_id(key));
    assert_eq!(
        question.ask,
        "yes was decided, no was held against it. Does this hold, yes or no: risk: the clock may jump (threatens)"
    );
    // The topic is an id wherever it stands, and free text never merges with it.
    let canon = Canon::default();
    assert_eq!(canon.subject(Kind::Decision, &question.id.to_lowercase()).0, question.id);
    // Its answer at the next stage is about the same claim.
    let topic = question.id.as_str();
    let came_round = verdict(
        Stage::Tasks,
        &[("a", &[answer(topic, "yes")]), ("b", &[answer(topic, "yes")]), ("c", &[answer(topic, "yes")])],
    );
    assert_eq!(lines(&read(&[&plan, &came_round])), ["c no since plan: tasks Agreed"]);
    let holds = verdict(
        Stage::Tasks,
        &[("a", &[answer(topic, "yes")]), ("b", &[answer(topic, "yes")]), ("c", &[answer(topic, "no")])],
    );
    let carried = read(&[&plan, &holds]);
    assert_eq!(lines(&carried), ["c no since plan: open"], "still the same dissent");
    assert_eq!(asked(&carried).len(), 1, "and still one question");
    let upheld = verdict(Stage::Tasks, &[("a", &[answer(topic, "no")]), ("b", &[answer(topic, "no")]), ("c", &[])]);
    assert_eq!(lines(&read(&[&plan, &upheld])), ["c no since plan: tasks Agreed"], "its side was decided");
}

#[test]
fn silence_closes_nothing_and_a_second_dissenter_joins_the_same_question() {
    let plan = outvoted();
    let silent = verdict(Stage::Tasks, &[("a", &[quickly("10 ms")]), ("b", &[quickly("10 ms")]), ("c", &[])]);
    assert_eq!(lines(&read(&[&plan, &silent])), ["c 20 ms since plan: open"]);
    let said: &[(&str, &[Json])] =
        &[("a", &[quickly("10 ms")]), ("b", &[quickly("30 ms")]), ("c", &[quickly("10 ms")])];
    let other = verdict(Stage::Tasks, said);
    let ledger = read(&[&plan, &other]);
    assert_eq!(lines(&ledger), ["c 20 ms since plan: tasks Agreed", "b 30 ms since tasks: open"]);
    assert_eq!(asked(&ledger)[0].from, "tasks, dissent");
    let again = verdict(
        Stage::Implement,
        &[("a", &[quickly("10 ms")]), ("b", &[quickly("10 ms")]), ("c", &[quickly("20 ms")])],
    );
    let reopened = read(&[&plan, &other, &again]);
    assert_eq!(lines(&reopened), ["c 20 ms since implement: open", "b 30 ms since tasks: implement Agreed"]);
}

#[test]
fn evidence_closes_a_dissent_for_either_side() {
    let plan = outvoted();
    let mut proven = panel(Stage::Tasks, &[("a", &[quickly("20 ms")]), ("b", &[quickly("10 ms")]), ("c", &[])]);
    proven.agents[0].claims[1].tier = Tier::E3True;
    assert_eq!(lines(&read(&[&plan, &decide(&proven)])), ["c 20 ms since plan: tasks Evidence"]);
    let mut refuted = panel(Stage::Tasks, &[("a", &[quickly("10 ms")]), ("b", &[]), ("c", &[quickly("20 ms")])]);
    refuted.agents[2].claims[1].tier = Tier::EFalse;
    assert_eq!(lines(&read(&[&plan, &decide(&refuted)])), ["c 20 ms since plan: tasks Evidence"]);
}

fn waived(mut panel: Panel, key: &Sha, choice: Option<(&str, Polarity)>) -> (Panel, Vec<Waiver>) {
    let choice = choice.map(|(value, polarity)| Choice { value: value.into(), polarity });
    let digest = digest(&panel, key);
    let waiver = Waiver { claim: key.clone(), digest, by: "ann".into(), reason: "known".into(), choice };
    panel.waivers = vec![waiver.clone()];
    (panel, vec![waiver])
}

#[test]
fn a_waiver_closes_a_choice_does_not() {
    let said: &[(&str, &[Json])] = &[("a", &[quickly("10 ms")]), ("b", &[quickly("20 ms")])];
    let open = panel(Stage::Plan, said);
    let key = decide(&open).claims.iter().find(|c| c.kind == Kind::Decision).unwrap().key.clone();
    let (chosen, waivers) = waived(open.clone(), &key, Some(("10 ms", Polarity::Yes)));
    let verdict = decide(&chosen);
    let after =
        Standing::after(&Ledger::default(), &spec(), &verdict, Said { waivers: waivers.clone(), ..Said::default() });
    assert_eq!(lines(&after.ledger), ["b 20 ms since plan: open"], "the losing side stays a dissent");
    let (plain, waivers) = waived(open, &key, None);
    let verdict = decide(&plain);
    let after =
        Standing::after(&Ledger::default(), &spec(), &verdict, Said { waivers: waivers.clone(), ..Said::default() });
    let both = ["a 10 ms since plan: plan Waiver", "b 20 ms since plan: plan Waiver"];
    assert_eq!(lines(&after.ledger), both);
    // From the files alone a conflict that was waived counts as open: only the ledger knows that no side was chosen.
    assert_eq!(read(&[&verdict]).standing().count(), 2);
    let entries = after.due(&[]);
    assert_eq!(lines(&Ledger::read(&spec(), [&verdict], &entries)), both);
}

#[test]
fn dissents_of_severity_info_and_conflicts_of_no_weight_are_not_carried() {
    let info = |value| say("decision", "D-009", "answer", value, 1, "info");
    let plan = verdict(Stage::Plan, &[("a", &[info("1")]), ("b", &[info("1")]), ("c", &[info("2")])]);
    assert!(plan.claims.iter().any(|claim| !claim.dissent.is_empty()));
    assert_eq!(read(&[&plan]), Ledger::default());
}

#[test]
fn a_condition_that_let_a_stage_pass_is_accepted_in_later_ones() {
    let outcome = say("decision", "stage", "outcome", "CONDITIONAL", 1, "major");
    let condition = say("finding", "Rotate the key", "condition", "yes", 1, "minor");
    let said: &[(&str, &[Json])] = &[("a", &[outcome.clone(), condition.clone()]), ("b", &[outcome, condition])];
    let mut panel = panel(Stage::Audit, said);
    panel.agents.iter_mut().for_each(|agent| agent.claims.iter_mut().for_each(|claim| claim.tier = Tier::E2));
    assert!(read(&[&decide(&panel)]).accepted.is_empty(), "nobody accepted it");
    panel.accepted_conditions = vec!["rotate the key".into()];
    let audit = decide(&panel);
    assert_eq!((audit.outcome, audit.exit), (Decision::Pass, 0));
    assert_eq!(read(&[&audit]).accepted.into_iter().collect::<Vec<_>>(), ["rotate the key"]);
}

#[test]
fn a_question_is_asked_again_until_it_is_answered() {
    let unclear = say("finding", "who owns the clock?", "unclear", "yes", 1, "minor");
    let plan = verdict(Stage::Plan, &[("a", &[unclear]), ("b", &[])]);
    let ledger = read(&[&plan]);
    let [question] = asked(&ledger).try_into().unwrap();
    assert_eq!((question.from.as_str(), question.ask.as_str()), ("plan, question", "who owns the clock?"));
    let topic = question.id.as_str();
    let one = verdict(Stage::Tasks, &[("a", &[answer(topic, "main")]), ("b", &[])]);
    assert_eq!(asked(&read(&[&plan, &one])).len(), 1, "one voice is no answer");
    let both = verdict(Stage::Tasks, &[("a", &[answer(topic, "main")]), ("b", &[answer(topic, "main")])]);
    assert_eq!(asked(&read(&[&plan, &both])), []);
}

#[test]
fn a_dissent_about_an_earlier_text_of_the_spec_keeps_its_words_from_the_ledger() {
    let plan = outvoted();
    let before = Standing::after(&Ledger::default(), &spec(), &plan, Said::default());
    let entries = before.due(&[]);
    let other = parse(SpecId::new("003-x").unwrap(), "specs/003-x", "spec.md", "- **FR-001**: It MUST be red.\n");
    let question = questions(&Ledger::read(&other, [&plan], &entries), &agenda(&other, &[])).remove(0);
    assert!(question.id.starts_with("D-0"), "not the id of another question: {question:?}");
    assert!(question.ask.contains("FR-002 says \"quickly\""), "{question:?}");
    let without = questions(&Ledger::read(&other, [&plan], &[]), &agenda(&other, &[])).remove(0);
    assert!(without.ask.contains("does not ask any more"), "{without:?}");
}

fn types(entries: &[Entry]) -> Vec<String> {
    let value = |entry: &Entry| serde_json::to_value(entry).unwrap()["type"].as_str().unwrap().to_owned();
    entries.iter().map(value).collect()
}

#[test]
fn entries_are_a_difference_that_is_written_once_and_survives_a_lost_ledger() {
    let plan = outvoted();
    let at_plan = Standing::after(&Ledger::default(), &spec(), &plan, Said::default());
    let mut chain = at_plan.due(&[]);
    assert_eq!(types(&chain), ["dissent.opened"]);
    assert_eq!(at_plan.due(&chain), [], "nothing is due twice");
    let all =
        verdict(Stage::Tasks, &[("a", &[quickly("10 ms")]), ("b", &[quickly("10 ms")]), ("c", &[quickly("10 ms")])]);
    let before = Ledger::read(&spec(), [&plan], &chain);
    let at_tasks = Standing::after(&before, &spec(), &all, Said::default());
    let due = at_tasks.due(&chain);
    assert_eq!(types(&due), ["dissent.closed"]);
    chain.extend(due);
    assert_eq!(at_tasks.due(&chain), []);
    assert_eq!(types(&at_tasks.due(&[])), ["dissent.opened", "dissent.closed"], "a lost ledger is told anew");
    // Everything written is read back.
    let read: Vec<Entry> = chain.iter().filter_map(|e| entry(&serde_json::to_value(e).unwrap())).collect();
    assert_eq!(read, chain);
    assert_eq!(entry(&json!({"type": "memory_waiting", "key": "x"})), None);
}

#[test]
fn a_stage_decided_anew_without_a_dissent_closes_it_and_what_is_taken_back_is_undone() {
    let plan = outvoted();
    let key = plan.claims.iter().find(|c| c.kind == Kind::Decision).unwrap().key.clone();
    let chain = Standing::after(&Ledger::default(), &spec(), &plan, Said::default()).due(&[]);
    let anew = verdict(Stage::Plan, &[("a", &[quickly("10 ms")]), ("b", &[quickly("10 ms")])]);
    let standing = Standing::after(&Ledger::default(), &spec(), &anew, Said::default());
    let due = standing.due(&chain);
    assert!(matches!(due.as_slice(), [Entry::Closed { by: ClosedBy::Superseded, .. }]), "{due:?}");

    let said: &[(&str, &[Json])] =
        &[("a", &[quickly("10 ms")]), ("b", &[quickly("10 ms")]), ("c", &[quickly("20 ms")])];
    let (panel, waivers) = waived(self::panel(Stage::Plan, said), &key, None);
    let signed = Signed { by: "ann".into(), reason: "agreed".into() };
    let accepted = BTreeMap::from([("rotate the key".to_owned(), signed)]);
    let standing =
        Standing::after(&Ledger::default(), &spec(), &decide(&panel), Said { waivers, accepted, ..Said::default() });
    let mut chain = standing.due(&chain);
    assert_eq!(types(&chain), ["waived", "condition.accepted", "dissent.closed"]);
    let opened = Standing::after(&Ledger::default(), &spec(), &plan, Said::default());
    chain = opened.due(&chain);
    assert_eq!(types(&chain), ["undone", "undone", "dissent.opened"]);
}
