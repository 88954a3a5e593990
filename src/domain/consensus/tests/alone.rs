//! Did the panel help?

use super::*;

fn best(built: &Build) -> Option<(String, Vec<String>)> {
    let panel = built.panel();
    let verdict = decide(&panel);
    Some(match helped(&panel, &verdict)? {
        Help::No(agent) => (agent.to_string(), Vec::new()),
        Help::Yes(each) => (each[0].agent.to_string(), each[0].differs.iter().map(ToString::to_string).collect()),
    })
}

fn topic(subject: &str, value: &str) -> Json {
    say("decision", subject, "answer", value, 1, "minor", "E1")
}

#[test]
fn a_panel_of_the_same_mind_added_nothing() {
    let same = [covers("FR-001", "E2"), topic("D-002", "10")];
    let built = panel("plan").must("FR-001").agent("a", &same).agent("b", &same);
    assert_eq!(best(&built), Some(("a".to_owned(), Vec::new())));
}

#[test]
fn one_family_is_no_panel() {
    let built =
        panel("plan").must("FR-001").member("a", "x", "ok", &[covers("FR-001", "E2")]).member("b", "x", "ok", &[]);
    assert_eq!(best(&built), None);
}

#[test]
fn what_one_alone_misses_believes_or_settles_unasked_is_named() {
    let burst = |value| say("decision", "D-004", "answer", value, 1, "major", "E2");
    let no_test = say("test", "FR-001", "checked-by", "limiter::burst", 1, "info", "E-");
    let a = [covers("FR-001", "E2"), covers("FR-002", "E2"), burst("20"), no_test];
    let b = [covers("FR-001", "E2"), burst("10")];
    let built = panel("plan").must("FR-001").must("FR-002").agent("a", &a).agent("b", &b);
    let panel = built.panel();
    let Some(Help::Yes(each)) = helped(&panel, &decide(&panel)) else { panic!("it helped") };
    let said = |i: usize| each[i].differs.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(each[0].agent.as_str(), "a");
    assert_eq!(said(0), ["believes what is false: test FR-001", "settles unasked: decision D-004"]);
    assert_eq!(said(1), ["leaves FR-002 (MUST) uncovered", "settles unasked: decision D-004"]);
}

#[test]
fn a_persons_choice_does_not_hide_that_the_panel_found_the_conflict() {
    let burst = |value| say("decision", "D-004", "answer", value, 1, "major", "E2");
    let built = panel("plan").agent("a", &[burst("20")]).agent("b", &[burst("10")]);
    let key = key_of(Kind::Decision, "D-004", "answer");
    let settled = built.waive(&key, Some(("20", 1)));
    assert_eq!(best(&settled), Some(("a".to_owned(), vec!["settles unasked: decision D-004".to_owned()])));
}

#[test]
fn an_agent_that_only_says_less_is_nearer_than_one_that_is_wrong() {
    let wrong = [topic("D-001", "3"), topic("D-002", "10")];
    let right = [topic("D-001", "2"), topic("D-002", "10")];
    let built =
        panel("plan").agent("a", &wrong).agent("b", &right).agent("c", &right).agent("d", &[topic("D-001", "2")]);
    assert_eq!(best(&built), Some(("b".to_owned(), Vec::new())));
    let built = panel("plan").agent("a", &wrong).agent("c", &right).agent("d", &[topic("D-001", "2")]);
    assert_eq!(best(&built), Some(("c".to_owned(), Vec::new())));
    let built = panel("plan").agent("a", &wrong).agent("d", &[topic("D-001", "2")]).agent("e", &[topic("D-001", "2")]);
    assert_eq!(best(&built), Some(("d".to_owned(), Vec::new())));
}
