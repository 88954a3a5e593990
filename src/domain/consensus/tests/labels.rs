//! Every line of the table of labels.

use super::*;

#[test]
fn what_the_host_ran_is_proven_whatever_the_votes_say() {
    let built = panel("plan")
        .agent("a", &[answer("x", "major", "E2")])
        .agent("b", &[answer("x", "major", "E2")])
        .agent("c", &[answer("y", "minor", "E3+")]);
    assert_eq!(label(&built), ("proven", Some("y".into()), "E3+"));
    assert_eq!(built.decide().claims[0].dissent.len(), 2);
}

#[test]
fn two_sides_that_ran_are_a_conflict_without_a_winner() {
    let built = panel("plan").agent("a", &[answer("x", "minor", "E3+")]).agent("b", &[answer("y", "minor", "E3+")]);
    assert_eq!(label(&built), ("conflict", None, "E3+"));
}

#[test]
fn when_nothing_is_left_it_is_refuted_and_weighs_nothing() {
    for (tier, shown) in [("E-", "E-"), ("E3-", "E3-")] {
        let built =
            panel("plan").agent("a", &[answer("x", "critical", tier)]).agent("b", &[answer("x", "major", "E-")]);
        assert_eq!(label(&built), ("refuted", None, shown));
        assert_eq!(built.decide().claims[0].severity.name(), "info");
    }
}

#[test]
fn families_that_contradict_themselves_make_a_conflict() {
    let built = panel("plan").agent("a", &[answer("x", "minor", "E0"), answer("y", "minor", "E0")]);
    assert_eq!(label(&built), ("conflict", None, "E0"));
}

#[test]
fn a_tie_at_the_top_is_a_conflict() {
    let built = panel("plan").agent("a", &[answer("x", "minor", "E0")]).agent("b", &[answer("y", "minor", "E0")]);
    assert_eq!(label(&built), ("conflict", None, "E0"));
}

#[test]
fn one_family_or_only_the_host_is_single() {
    let one = panel("plan").member("a1", "a", "ok", &[answer("x", "minor", "E2")]).member(
        "a2",
        "a",
        "ok",
        &[answer("x", "minor", "E0")],
    );
    assert_eq!(label(&one), ("single", Some("x".into()), "E2"));
    let host = panel("plan").agent("a", &[]).host(&[answer("x", "minor", "E2")]);
    assert_eq!(label(&host), ("single", Some("x".into()), "E2"));
}

#[test]
fn evidence_is_not_outvoted() {
    for (severity, tier, expected) in [
        ("major", "E1", "conflict"),
        ("critical", "E2", "conflict"),
        ("major", "E0", "agreed_over"),
        ("minor", "E2", "agreed_over"),
    ] {
        let built = panel("plan")
            .agent("a", &[answer("x", "major", "E2")])
            .agent("b", &[answer("x", "major", "E2")])
            .agent("c", &[answer("y", severity, tier)]);
        assert_eq!(label(&built), (expected, Some("x".into()), "E2"), "{severity} {tier}");
    }
}

#[test]
fn a_plurality_below_the_threshold_is_a_conflict() {
    let five = |agree: &str| {
        let mut built = panel("plan").set("policy", json!({"agree": agree}));
        for (name, value) in [("a", "x"), ("b", "x"), ("c", "x"), ("d", "y"), ("e", "z")] {
            built = built.agent(name, &[answer(value, "minor", "E0")]);
        }
        label(&built).0
    };
    assert_eq!((five("2/3"), five("3/5"), five("61/100")), ("conflict", "agreed_over", "conflict"));
}

#[test]
fn unanimous_words_on_what_matters_are_hollow_from_implement_on() {
    let two =
        |stage: &str, claim: &dyn Fn() -> Json| label(&panel(stage).agent("a", &[claim()]).agent("b", &[claim()])).0;
    assert_eq!(two("validate", &|| answer("x", "major", "E0")), "hollow");
    assert_eq!(two("implement", &|| covers("FR-001", "E0")), "hollow");
    assert_eq!(two("tasks", &|| answer("x", "major", "E0")), "agreed", "too early");
    assert_eq!(two("validate", &|| answer("x", "minor", "E0")), "agreed", "too light");
    assert_eq!(two("validate", &|| answer("x", "major", "E1")), "agreed", "it names something");
    assert_eq!(two("validate", &|| risk("slow", "major", "E0")), "agreed", "a risk");
    let dissent = panel("validate")
        .agent("a", &[answer("x", "major", "E0")])
        .agent("b", &[answer("x", "major", "E0")])
        .host(&[answer("y", "minor", "E0")]);
    assert_eq!(label(&dissent).0, "agreed_over", "a dissent is better than none");
}

#[test]
fn half_of_the_families_agree_and_less_than_half_agree_over_silence() {
    let of = |silent: usize| {
        let mut built =
            panel("plan").agent("a", &[answer("x", "minor", "E0")]).agent("b", &[answer("x", "minor", "E0")]);
        for i in 0..silent {
            built = built.agent(&format!("s{i}"), &[]);
        }
        label(&built).0
    };
    assert_eq!((of(0), of(2), of(3)), ("agreed", "agreed", "agreed_over"));
}

#[test]
fn a_family_votes_once_and_its_outvoted_member_dissents() {
    let built = panel("plan")
        .member("a1", "a", "ok", &[answer("x", "minor", "E0")])
        .member("a2", "a", "ok", &[answer("x", "minor", "E0")])
        .member("a3", "a", "ok", &[answer("y", "minor", "E0")])
        .agent("b", &[answer("x", "minor", "E0")]);
    let verdict = built.decide();
    let claim = &verdict.claims[0];
    assert_eq!(claim.label, Label::AgreedOver);
    assert_eq!(claim.votes.len(), 2);
    assert_eq!(claim.votes[0].agents.iter().map(|a| a.as_str()).collect::<Vec<_>>(), ["a1", "a2"]);
    assert_eq!(claim.dissent[0].agent.as_str(), "a3");
}

#[test]
fn a_tie_inside_a_family_and_an_agent_of_two_minds_abstain_but_dissent() {
    let built = panel("plan")
        .member("a1", "a", "ok", &[answer("x", "minor", "E0")])
        .member("a2", "a", "ok", &[answer("y", "minor", "E0")])
        .agent("b", &[answer("x", "minor", "E0"), answer("y", "major", "E0")])
        .agent("c", &[answer("x", "minor", "E0")])
        .agent("d", &[answer("x", "minor", "E0")]);
    let verdict = built.decide();
    let claim = &verdict.claims[0];
    assert_eq!((claim.label, claim.votes.len()), (Label::AgreedOver, 2));
    let dissenters: Vec<&str> = claim.dissent.iter().map(|d| d.agent.as_str()).collect();
    assert_eq!(dissenters, ["a2", "b"]);
}

#[test]
fn striking_comes_first_so_a_false_second_mind_does_not_count() {
    let built = panel("plan")
        .agent("a", &[answer("x", "minor", "E2"), answer("y", "minor", "E-")])
        .agent("b", &[answer("x", "minor", "E0")]);
    assert_eq!(label(&built), ("agreed", Some("x".into()), "E2"));
}

#[test]
fn the_pieces_of_checked_by_are_united_at_the_highest_tier() {
    let piece = |value: &str, tier: &str| say("test", "FR-001", "checked-by", value, 1, "minor", tier);
    let whole = json!({"kind": "test", "subject": "FR-001", "predicate": "checked-by", "value": ["t2", "t1"],
                       "polarity": 1, "severity": "minor", "tier": "E1"});
    let built = panel("plan").agent("a", &[piece("t2", "E0"), piece("t1", "E2")]).agent("b", &[whole]);
    assert_eq!(label(&built), ("agreed", Some("t1, t2".into()), "E2"));
}

#[test]
fn a_piece_that_was_run_lifts_its_set_and_two_sets_lifted_so_are_a_conflict() {
    let piece = |value: &str, tier: &str| say("test", "FR-001", "checked-by", value, 1, "minor", tier);
    let both = |tier: &str| [piece("t1", tier), piece("t2", "E1")];
    let built = |tier: &str| panel("plan").agent("a", &both(tier)).agent("b", &[piece("t1", "E3+")]);
    assert_eq!(label(&built("E2")), ("proven", Some("t1".into()), "E3+"), "the larger set is a dissent");
    assert_eq!(label(&built("E3+")).0, "conflict", "a piece of a dissent was raised, not of what won");
    let lifted = panel("plan").agent("a", &both("E3+")).agent("b", &both("E1"));
    assert_eq!(label(&lifted), ("proven", Some("t1, t2".into()), "E3+"));
}

#[test]
fn who_did_not_answer_says_nothing_and_the_host_does_not_vote() {
    let built = panel("plan")
        .agent("a", &[answer("x", "minor", "E0")])
        .agent("b", &[answer("x", "minor", "E0")])
        .member("c", "c", "timeout", &[answer("y", "critical", "E3+")])
        .host(&[answer("x", "minor", "E2")]);
    let verdict = built.decide();
    assert_eq!(label(&built), ("agreed", Some("x".into()), "E2"), "the host lifts the tier");
    assert_eq!((verdict.claims[0].votes.len(), verdict.families.expected, verdict.families.ok), (2, 3, 2));
}
