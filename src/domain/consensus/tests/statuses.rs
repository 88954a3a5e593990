//! Every line of the table of verdicts.

use super::*;

fn two(stage: &str, claims: &[Json]) -> Build {
    panel(stage).agent("a", claims).agent("b", claims)
}

/// A plan on which both families agree.
fn sound() -> Build {
    two("plan", &[covers("FR-001", "E2")]).must("FR-001")
}

fn status(built: &Build) -> (&'static str, u8, Vec<&'static str>) {
    let verdict = built.decide();
    (verdict.status.name(), verdict.exit, codes(&verdict))
}

#[test]
fn a_sound_panel_agrees() {
    let verdict = sound().decide();
    assert_eq!((verdict.status, verdict.exit, verdict.outcome), (Status::Agree, 0, Decision::None));
    assert!(verdict.consensus_ok && !verdict.degraded && verdict.required_fields_ok);
    assert_eq!((verdict.agreements, verdict.conflicts), (vec!["covers FR-001".to_owned()], vec![]));
    assert_eq!(verdict.coverage, Coverage { must: 1, covered: 1, uncovered: vec![] });
    assert!(verdict.reasons.is_empty());
}

#[test]
fn one_critical_objection_with_evidence_blocks() {
    for (claim, blocks) in [
        (risk("data loss", "critical", "E2"), true),
        (say("finding", "x y", "open", "yes", 1, "critical", "E3+"), true),
        (denies("FR-009", "critical", "E2"), true),
        (covers("FR-009", "E2"), false),
        (risk("data loss", "critical", "E-"), false),
        (risk("data loss", "major", "E2"), false),
    ] {
        let claims = std::slice::from_ref(&claim);
        assert_eq!(sound().agent("c", claims).decide().status == Status::Blocked, blocks, "{claim}");
        assert_eq!(sound().host(claims).decide().status == Status::Blocked, blocks, "host {claim}");
    }
    let lost = sound().member("c", "c", "crashed", &[risk("data loss", "critical", "E2")]);
    assert_eq!(status(&lost).0, "degraded");
    let key = key_of(Kind::Risk, "data loss", "open");
    let waived = sound().agent("c", &[risk("data loss", "critical", "E2")]).waive(&key, None);
    assert_eq!(status(&waived), ("agree_with_dissent", 0, vec!["single", "waived"]));
}

#[test]
fn a_must_requirement_whose_cover_is_false_blocks_and_cannot_be_waived() {
    let built = two("plan", &[covers("FR-001", "E-"), answer("x", "minor", "E0")]).must("FR-001");
    let (name, exit, found) = status(&built);
    assert_eq!((name, exit), ("blocked", 2));
    assert_eq!(found, ["must_refuted", "must_uncovered", "phantom_completion"]);
    let key = key_of(Kind::Covers, "FR-001", "covered");
    let waived = built.clone().waive(&key, None);
    assert_eq!(status(&waived).0, "blocked");
    assert!(status(&waived).2.contains(&"waiver_refused"));
    // A word of no weight beside it does not hide it.
    let info = built.agent("c", &[say("covers", "FR-001", "covered", "yes", 1, "info", "E2")]);
    assert_eq!(status(&info).0, "blocked");
}

#[test]
fn the_panels_no_rejects() {
    for (stage, value) in [("validate", "FAIL"), ("audit", "NO-GO"), ("unlock", "REJECTED")] {
        let verdict = two(stage, &[outcome(value), covers("FR-001", "E2")]).must("FR-001").decide();
        assert_eq!((verdict.status, verdict.exit, verdict.outcome), (Status::Rejected, 2, Decision::Fail));
    }
    for (stage, value) in [("validate", "PASS"), ("audit", "GO"), ("unlock", "APPROVED")] {
        let verdict = two(stage, &[outcome(value), covers("FR-001", "E2")]).must("FR-001").decide();
        assert_eq!((verdict.status, verdict.outcome), (Status::Agree, Decision::Pass), "{stage}");
    }
}

#[test]
fn a_conditional_yes_needs_every_condition_accepted() {
    let condition = |text: &str, tier: &str| say("finding", text, "condition", "yes", 1, "minor", tier);
    let built = |conditions: &[Json]| {
        let mut claims = vec![outcome("CONDITIONAL"), covers("FR-001", "E2")];
        claims.extend_from_slice(conditions);
        two("audit", &claims).must("FR-001")
    };
    let none = built(&[]);
    assert_eq!((status(&none).0, none.decide().outcome), ("rejected", Decision::Fail));
    let open = built(&[condition("Rotate the  KEY", "E0"), condition("name an owner", "E-")]);
    assert_eq!(status(&open).2[0], "condition_open");
    let half = open.clone().set("accepted_conditions", json!(["rotate the key"]));
    assert_eq!(status(&half).0, "rejected", "a struck condition is a condition");
    let all = open.set("accepted_conditions", json!(["rotate the key", " Name an owner "]));
    assert_eq!((status(&all).1, all.decide().outcome), (0, Decision::Pass));
}

#[test]
fn a_decided_no_on_a_must_requirement_rejects() {
    let built = two("plan", &[denies("FR-001", "minor", "E0")]).must("FR-001");
    assert_eq!(status(&built).2[0], "must_denied");
    let finding =
        two("plan", &[say("finding", "fr-001", "satisfied", "yes", -1, "minor", "E0"), covers("FR-001", "E2")]);
    assert_eq!(status(&finding.must("FR-001")).2[0], "must_denied");
    let info = two("plan", &[denies("FR-001", "info", "E0"), answer("x", "minor", "E0")]).must("FR-001");
    assert_eq!(status(&info).0, "no_quorum", "info moves nothing");
    let should = two("plan", &[denies("FR-001", "minor", "E0")])
        .set("requirements", json!([{"id": "FR-001", "level": "should"}]));
    assert_eq!(status(&should).0, "agree");
}

#[test]
fn a_must_requirements_test_that_was_seen_to_fail_rejects() {
    let test = |polarity: i8, tier: &str| {
        let mut claim = say("test", "burst_test", "passes", "yes", polarity, "minor", tier);
        claim["requirement"] = json!("fr-001");
        sound().agent("c", &[claim])
    };
    assert_eq!(status(&test(1, "E3-")).2[0], "must_test_failed");
    assert_eq!(status(&test(-1, "E3+")).2[0], "must_test_failed");
    assert_ne!(status(&test(1, "E3+")).0, "rejected");
    assert_ne!(status(&test(1, "E-")).0, "rejected", "nothing ran");
}

#[test]
fn a_human_can_uphold_an_objection() {
    let key = key_of(Kind::Covers, "FR-001", "covered");
    let built = sound().set("rejected", json!([key]));
    assert_eq!((status(&built).0, status(&built).2[0]), ("rejected", "objection_upheld"));
}

#[test]
fn a_conflict_counts_from_minor_on_a_must_and_from_major_elsewhere() {
    let split = |stage: &str, severity: &str| {
        panel(stage)
            .agent("a", &[covers("FR-001", "E2"), answer("x", severity, "E0")])
            .agent("b", &[covers("FR-001", "E2"), answer("y", severity, "E0")])
            .must("FR-001")
    };
    assert_eq!((status(&split("plan", "major")).0, status(&split("plan", "major")).1), ("conflict", 1));
    assert_eq!(status(&split("plan", "minor")), ("agree_with_dissent", 0, vec!["minor_conflict"]));
    assert_eq!(status(&split("plan", "info")).0, "agree");
    let must = panel("plan")
        .agent("a", &[say("covers", "FR-001", "covered", "yes", 1, "minor", "E2")])
        .agent("b", &[denies("FR-001", "minor", "E2")])
        .must("FR-001");
    assert_eq!(status(&must).0, "conflict");
    let waived = must.waive(&key_of(Kind::Covers, "FR-001", "covered"), None);
    assert_eq!(status(&waived), ("agree_with_dissent", 0, vec!["waived"]));
}

#[test]
fn a_critical_objection_that_nobody_looked_at_is_a_conflict() {
    let built = sound().agent("c", &[risk("data loss", "critical", "E1")]);
    assert_eq!((status(&built).0, status(&built).2[0]), ("conflict", "unverified_critical"));
    let waived = built.waive(&key_of(Kind::Risk, "data loss", "open"), None);
    assert_eq!(status(&waived).1, 0);
}

#[test]
fn a_choice_settles_a_conflict_and_shows_in_the_verdict() {
    let built = panel("plan")
        .agent("a", &[covers("FR-001", "E2"), answer("Redis", "major", "E2")])
        .agent("b", &[covers("FR-001", "E2"), answer("local", "major", "E2")])
        .must("FR-001");
    let key = key_of(Kind::Decision, "D-001", "answer");
    let verdict = built.clone().waive(&key, Some(("REDIS", 1))).decide();
    let claim = verdict.claims.iter().find(|c| c.key == key).unwrap();
    assert_eq!((verdict.status, claim.label), (Status::AgreeWithDissent, Label::Conflict));
    assert_eq!(claim.value, Some("redis".into()));
    assert_eq!(claim.dissent.len(), 1);
    // A new assertion reopens it.
    let mut reopened = built.waive(&key, Some(("redis", 1)));
    reopened = reopened.agent("c", &[answer("local", "major", "E0")]);
    assert_eq!(status(&reopened).0, "conflict");
    assert!(status(&reopened).2.contains(&"waiver_stale"));
}

#[test]
fn what_was_found_false_cannot_be_chosen_and_two_choices_are_none() {
    let key = key_of(Kind::Decision, "D-001", "answer");
    let built = panel("plan")
        .agent("a", &[covers("FR-001", "E2"), answer("x", "major", "E2")])
        .agent("b", &[covers("FR-001", "E2"), answer("y", "major", "E2")])
        .agent("c", &[covers("FR-001", "E2"), answer("z", "major", "E-")])
        .must("FR-001");
    for choices in [vec!["z"], vec!["x", "y"]] {
        let signed = choices.iter().fold(built.clone(), |b, c| b.waive(&key, Some((c, 1))));
        assert_eq!(status(&signed).0, "conflict", "{choices:?}");
        assert!(status(&signed).2.contains(&"waiver_refused"));
    }
}

#[test]
fn a_chosen_fail_is_a_fail() {
    let key = key_of(Kind::Decision, "stage", "outcome");
    let built = panel("audit")
        .agent("a", &[covers("FR-001", "E2"), outcome("GO")])
        .agent("b", &[covers("FR-001", "E2"), outcome("NO-GO")])
        .must("FR-001");
    assert_eq!(status(&built).0, "conflict");
    assert_eq!(status(&built.clone().waive(&key, None)).0, "no_quorum", "waived without a side: nothing decided");
    assert_eq!(built.clone().waive(&key, Some(("NO-GO", 1))).decide().outcome, Decision::Fail);
    assert_eq!(status(&built.clone().waive(&key, Some(("NO-GO", 1)))).0, "rejected");
    assert_eq!(status(&built.waive(&key, Some(("GO", 1)))), ("agree_with_dissent", 0, vec!["waived"]));
}

#[test]
fn too_few_families_are_no_quorum() {
    let claims = [covers("FR-001", "E2")];
    let one = panel("plan").agent("a", &claims).must("FR-001");
    assert_eq!(status(&one).2[0], "one_voice");
    let solo = one.clone().set("policy", json!({"quorum": "solo"}));
    assert_eq!(status(&solo), ("agree_with_dissent", 0, vec!["single"]));
    let late = panel("validate").agent("a", &[outcome("PASS"), claims[0].clone()]).must("FR-001");
    assert_eq!(status(&late.set("policy", json!({"quorum": "solo"}))).2[0], "one_voice", "not from validate on");
    let half = sound().member("c", "c", "timeout", &[]).member("d", "d", "timeout", &[]);
    assert_eq!((status(&half).0, status(&half).2[0]), ("no_quorum", "no_quorum"));
    let half = half.set("policy", json!({"quorum": "1/2"}));
    assert_eq!((status(&half).0, status(&half).1), ("degraded", 6));
    assert_eq!(panel("plan").decide().status, Status::NoQuorum, "nobody at all");
}

#[test]
fn an_uncovered_must_is_no_quorum_except_at_unlock_and_can_be_waived() {
    let of = |stage: &str, claims: &[Json]| two(stage, claims).must("FR-001");
    let plan = of("plan", &[answer("x", "minor", "E2")]);
    assert_eq!(status(&plan).2, ["must_uncovered"]);
    assert_eq!(plan.decide().coverage.uncovered, ["FR-001"]);
    assert!(plan.decide().why().contains("FR-001"));
    assert_eq!(status(&of("unlock", &[outcome("APPROVED")])).0, "agree");
    let info = say("covers", "FR-001", "covered", "yes", 1, "info", "E2");
    assert_eq!(status(&of("plan", &[answer("x", "minor", "E2"), info])).0, "no_quorum");
    let satisfied = say("finding", "FR-001", "satisfied", "yes", 1, "minor", "E0");
    assert_eq!(status(&of("plan", &[satisfied])).0, "agree");
    let waived = plan.waive(&key_of(Kind::Covers, "FR-001", "covered"), None);
    assert_eq!(status(&waived), ("agree_with_dissent", 0, vec!["waived"]));
    assert_eq!(waived.decide().coverage.uncovered, ["FR-001"]);
}

#[test]
fn late_stages_need_an_outcome_and_every_stage_something() {
    for stage in ["validate", "audit", "unlock"] {
        assert_eq!(status(&two(stage, &[covers("FR-001", "E2")]).must("FR-001")).2, ["no_outcome"]);
    }
    let single = panel("unlock").agent("a", &[outcome("APPROVED")]).agent("b", &[answer("x", "minor", "E2")]);
    assert!(status(&single).2.contains(&"no_outcome"), "one voice decides no outcome");
    assert_eq!(status(&two("plan", &[answer("x", "info", "E2")])).2, ["nothing_decided"]);
}

#[test]
fn families_that_talk_past_each_other_are_no_quorum() {
    let topic = |id: &str| say("decision", id, "answer", "x", 1, "major", "E2");
    let built =
        panel("plan").agent("a", &[topic("D-001"), topic("D-002")]).agent("b", &[topic("D-001"), topic("D-003")]);
    assert_eq!(status(&built).2, ["talked_past_each_other", "single"]);
    let half = panel("plan").agent("a", &[topic("D-001"), topic("D-002")]).agent("b", &[topic("D-001")]);
    assert_eq!(status(&half).0, "agree_with_dissent");
    let risks = half.agent("c", &[risk("r", "major", "E0"), risk("s", "major", "E0")]);
    assert_eq!(status(&risks).0, "agree_with_dissent", "risks aside");
}

#[test]
fn a_dissenter_that_did_not_answer_is_no_quorum() {
    let mut built = sound().agent("c", &[covers("FR-001", "E2")]).member("d", "c", "crashed", &[]);
    assert_eq!(status(&built).0, "degraded");
    built.0["agents"][3]["open_dissent"] = json!(["k"]);
    assert_eq!((status(&built).0, status(&built).2[0]), ("no_quorum", "dissenter_missing"));
}

#[test]
fn anybody_missing_degrades_even_beside_a_sibling_and_even_the_host() {
    let built = sound().member("a2", "a", "rate_limited", &[]);
    let verdict = built.decide();
    assert_eq!((verdict.status, verdict.exit, verdict.degraded), (Status::Degraded, 6, true));
    assert_eq!(verdict.missing_agents[0].as_str(), "a2");
    assert_eq!(status(&built.clone().set("policy", json!({"allow_degraded": true}))).1, 0);
    assert!(!sound().member("c", "c", "unparsed", &[]).decide().required_fields_ok);
    let mut host = sound().host(&[]);
    host.0["agents"][2]["status"] = json!("crashed");
    assert_eq!(status(&host).0, "degraded");
}

#[test]
fn hollow_exits_5_unless_allowed() {
    let built = two("validate", &[outcome("PASS"), covers("FR-001", "E0")]).must("FR-001");
    assert_eq!(status(&built), ("hollow", 5, vec!["hollow"]));
    assert_eq!(status(&built.set("policy", json!({"allow_hollow": true}))).1, 0);
}

#[test]
fn dissent_single_and_few_voices_are_agree_with_dissent() {
    let outvoted = sound().agent("c", &[denies("FR-001", "minor", "E2")]);
    assert_eq!(status(&outvoted), ("agree_with_dissent", 0, vec!["outvoted"]));
    assert_eq!(outvoted.decide().reasons[0].agents[0].as_str(), "c");
    assert_eq!(status(&sound().agent("c", &[risk("r", "minor", "E0")])).2, ["single"]);
    assert_eq!(status(&sound().agent("c", &[]).agent("d", &[]).agent("e", &[])).2, ["few_addressed"]);
    assert_eq!(status(&sound().agent("c", &[risk("r", "info", "E0")])).0, "agree");
}

#[test]
fn what_was_found_false_is_charged() {
    let built = sound().agent("c", &[answer("x", "minor", "E-"), risk("r", "minor", "E3-")]);
    let verdict = built.decide();
    assert_eq!(codes(&verdict), ["phantom_completion", "ran_false"]);
    assert!(verdict.reasons.iter().all(|r| r.agents[0].as_str() == "c"));
    assert_eq!(verdict.status, Status::Agree);
}

fn candidate(family: &str, passed: &[&str], survived: bool) -> Json {
    json!({"family": family, "tree": "t", "passed": passed, "failed": [], "changed_lines": 3, "survived": survived})
}

#[test]
fn implementations_are_decided_by_what_they_pass() {
    let built = |list: &[Json]| two("implement", &[]).set("candidates", json!(list));
    assert_eq!(status(&built(&[])), ("blocked", 2, vec!["no_candidate"]));
    assert_eq!(status(&built(&[candidate("a", &["t"], false)])).0, "blocked");
    assert_eq!(status(&built(&[candidate("a", &["t"], true), candidate("b", &["t"], true)])).0, "agree");
    let differ = built(&[candidate("a", &["t"], true), candidate("b", &[], true)]);
    assert_eq!(status(&differ), ("agree_with_dissent", 0, vec!["pass_sets_differ"]));
    let twice = built(&[candidate("a", &["t"], true), candidate("a", &["t"], true)]);
    assert_eq!(status(&twice).0, "agree_with_dissent", "one family");
    let missing = built(&[candidate("a", &["t"], true), candidate("b", &["t"], true)]).member("c", "c", "timeout", &[]);
    assert_eq!((status(&missing).0, status(&missing).1), ("degraded", 6));
    let objected =
        built(&[candidate("a", &["t"], true), candidate("b", &["t"], true)]).host(&[risk("leak", "critical", "E2")]);
    assert_eq!(status(&objected).0, "blocked");
}

#[test]
fn every_reason_has_its_own_name_and_stands_in_the_order_of_the_table() {
    let all: Vec<ReasonCode> = serde_json::from_value(json!([
        "critical_objection",
        "must_refuted",
        "no_candidate",
        "objection_upheld",
        "outcome_failed",
        "condition_open",
        "must_denied",
        "must_test_failed",
        "conflict",
        "unverified_critical",
        "no_quorum",
        "one_voice",
        "must_uncovered",
        "no_outcome",
        "nothing_decided",
        "talked_past_each_other",
        "dissenter_missing",
        "agent_missing",
        "hollow",
        "outvoted",
        "few_addressed",
        "single",
        "minor_conflict",
        "waived",
        "pass_sets_differ",
        "phantom_completion",
        "ran_false",
        "possible_conflict",
        "waiver_stale",
        "waiver_refused",
        "same_as_ignored"
    ]))
    .unwrap();
    assert!(all.is_sorted_by(|a, b| a < b));
    let rows: Vec<Status> = all.iter().map_while(|c| c.status()).collect();
    assert!(rows.is_sorted() && rows.len() == 25);
    for code in all {
        assert_eq!(serde_json::to_value(code).unwrap(), code.name());
    }
}
