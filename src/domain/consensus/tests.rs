//! Tables for every label and every line of the table of verdicts.

use serde_json::{Value as Json, json};

use super::*;
use crate::domain::claim::Kind;

/// Builds panels as JSON, so that every test also goes through the parser.
#[derive(Clone)]
struct Build(Json);

fn panel(stage: &str) -> Build {
    Build(json!({"schema": PANEL_SCHEMA, "spec_id": "003-x", "stage": stage, "requirements": [], "agents": []}))
}

impl Build {
    fn must(mut self, id: &str) -> Self {
        self.push("requirements", json!({"id": id, "level": "must"}));
        self
    }
    /// Adds an agent whose family bears its name.
    fn agent(self, name: &str, claims: &[Json]) -> Self {
        self.member(name, name, "ok", claims)
    }
    fn member(mut self, name: &str, family: &str, status: &str, claims: &[Json]) -> Self {
        self.push("agents", json!({"name": name, "family": family, "status": status, "claims": claims}));
        self
    }
    fn host(mut self, claims: &[Json]) -> Self {
        self.push(
            "agents",
            json!({"name": "host", "family": "host", "voter": false, "status": "ok", "claims": claims}),
        );
        self
    }
    fn set(mut self, field: &str, value: Json) -> Self {
        self.0[field] = value;
        self
    }
    fn push(&mut self, list: &str, item: Json) {
        let mut items = self.0[list].as_array().cloned().unwrap_or_default();
        items.push(item);
        self.0[list] = Json::Array(items);
    }
    fn panel(&self) -> Panel {
        parse_panel(&self.0.to_string()).unwrap()
    }
    fn decide(&self) -> Verdict {
        decide(&self.panel())
    }
    fn refusal(&self) -> String {
        parse_panel(&self.0.to_string()).unwrap_err().to_string()
    }
    /// Signs a waiver of a key as it stands.
    fn waive(self, key: &Sha, choice: Option<(&str, i8)>) -> Self {
        let digest = digest(&self.panel(), key);
        let mut waiver = json!({"claim": key, "digest": digest, "by": "ann", "reason": "known"});
        if let Some((value, polarity)) = choice {
            waiver["choice"] = json!({"value": value, "polarity": polarity});
        }
        let mut built = self;
        built.push("waivers", waiver);
        built
    }
}

fn say(kind: &str, subject: &str, predicate: &str, value: &str, polarity: i8, severity: &str, tier: &str) -> Json {
    json!({"kind": kind, "subject": subject, "predicate": predicate, "value": value, "polarity": polarity,
           "severity": severity, "tier": tier})
}

fn covers(id: &str, tier: &str) -> Json {
    say("covers", id, "covered", "yes", 1, "major", tier)
}

fn denies(id: &str, severity: &str, tier: &str) -> Json {
    say("covers", id, "covered", "yes", -1, severity, tier)
}

fn answer(value: &str, severity: &str, tier: &str) -> Json {
    say("decision", "D-001", "answer", value, 1, severity, tier)
}

fn outcome(value: &str) -> Json {
    say("decision", "stage", "outcome", value, 1, "major", "E2")
}

fn risk(text: &str, severity: &str, tier: &str) -> Json {
    say("risk", text, "open", "yes", 1, severity, tier)
}

fn key_of(kind: Kind, subject: &str, predicate: &str) -> Sha {
    Canon::default().key(kind, subject, predicate)
}

fn codes(verdict: &Verdict) -> Vec<&'static str> {
    verdict.reasons.iter().map(|r| r.code.name()).collect()
}

/// Returns the one claim's label, winner and tier.
fn label(built: &Build) -> (&'static str, Option<String>, &'static str) {
    let verdict = built.decide();
    assert_eq!(verdict.claims.len(), 1, "one claim");
    let claim = &verdict.claims[0];
    (claim.label.name(), claim.value.as_ref().map(ToString::to_string), claim.tier.name())
}

mod labels {
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
        let two = |stage: &str, claim: &dyn Fn() -> Json| {
            label(&panel(stage).agent("a", &[claim()]).agent("b", &[claim()])).0
        };
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
}

mod merging {
    use super::*;

    fn claims(a: &str, b: &str) -> Vec<Judged> {
        panel("plan").agent("a", &[risk(a, "minor", "E0")]).agent("b", &[risk(b, "minor", "E0")]).decide().claims
    }

    #[test]
    fn near_texts_become_one_claim_that_says_so() {
        let one = "The limiter loses its counters when the process of a node restarts";
        let two = "the limiter loses its counters when the process of one node restarts";
        assert_eq!(claims(one, two).len(), 2, "'one' counts as a number");
        let two = "the limiter loses its counters when the process of the node restarts!";
        let merged = claims(one, two);
        assert_eq!(merged.len(), 1);
        assert_eq!((merged[0].label, merged[0].merged_from.len()), (Label::Agreed, 1));
        assert!(merged[0].key < merged[0].merged_from[0].key);
    }

    #[test]
    fn numbers_negations_and_quoted_names_keep_near_texts_apart() {
        let base = "the limiter must refuse a request after 10 calls of `allow` within the same minute of one key";
        assert_eq!(claims(base, &base.replace("request", "frame")).len(), 1);
        for (from, to) in [("10", "20"), ("must", "must not"), ("`allow`", "`deny`"), ("one", "two"), ("10", "-10")] {
            assert_eq!(claims(base, &base.replace(from, to)).len(), 2, "{from} {to}");
        }
        let n_t = "the limiter doesn't count what the other nodes of the cluster have refused in a minute";
        assert_eq!(claims(n_t, &n_t.replace("doesn't", "does")).len(), 2);
    }

    #[test]
    fn only_words_merge() {
        for (a, b) in [
            (
                "src/a_very_long_path/with/many/parts/of/it/x/file.rs",
                "src/a_very_long_path/with/many/parts/of/it/y/file.rs",
            ),
            ("FR-001", "FR-002"),
            ("a::b::c::d::e::f::g::h::i::j::k", "a::b::c::d::e::f::g::h::i::j::l"),
            ("???", "!!!"),
        ] {
            assert_eq!(claims(a, b).len(), 2, "{a}");
        }
    }

    #[test]
    fn near_texts_of_opposite_polarity_are_reported_not_merged() {
        let one = "the limiter loses its counters when the process of a node restarts";
        let two = "the limiter loses its counters when the process of the node restarts";
        let built = panel("plan")
            .agent("a", &[say("risk", one, "open", "yes", 1, "minor", "E0")])
            .agent("b", &[say("risk", two, "open", "yes", -1, "minor", "E0")]);
        let verdict = built.decide();
        assert_eq!(verdict.claims.len(), 2);
        let reason = verdict.reasons.iter().find(|r| r.code == ReasonCode::PossibleConflict).unwrap();
        assert_eq!((reason.claims.len(), reason.agents.len()), (2, 2));
        // The round confirms that they are the same: now they are a conflict.
        let keys = [key_of(Kind::Risk, one, "open"), key_of(Kind::Risk, two, "open")];
        let same = built.set("same_as", json!([keys])).decide();
        assert_eq!((same.claims.len(), same.claims[0].label), (1, Label::Conflict));
        assert!(!codes(&same).contains(&"possible_conflict"));
    }

    #[test]
    fn the_round_merges_words_only_and_says_what_it_could_not() {
        let (slow, late) = (key_of(Kind::Risk, "slow", "open"), key_of(Kind::Risk, "late answers", "open"));
        let fr = key_of(Kind::Risk, "FR-001", "open");
        let built = panel("plan")
            .agent("a", &[risk("slow", "minor", "E0"), risk("FR-001", "minor", "E0")])
            .agent("b", &[risk("late answers", "minor", "E0")]);
        let merged = built.clone().set("same_as", json!([[late, slow]])).decide();
        assert_eq!(merged.claims.len(), 2);
        let refused = built.set("same_as", json!([[fr, slow], [slow, "no such key"]])).decide();
        assert_eq!(refused.claims.len(), 3);
        assert!(codes(&refused).contains(&"same_as_ignored"));
    }

    #[test]
    fn a_text_joins_the_first_cluster_whose_members_are_all_near() {
        // b is near a and c, but a and c are not near: whoever has the smaller key gets b.
        let words = "one two three four five six seven eight nine ten".replace(' ', "x ");
        let a = words.clone();
        let b = words.replace("onex", "p");
        let c = words.replace("onex", "p").replace("tenx", "q").replace("ninex", "r");
        let texts = [a, b, c];
        let built = texts
            .iter()
            .enumerate()
            .fold(panel("plan"), |p, (i, text)| p.agent(&format!("n{i}"), &[risk(text, "minor", "E0")]));
        let claims = built.decide().claims;
        let subjects: Vec<usize> = claims.iter().map(|c| 1 + c.merged_from.len()).collect();
        assert_eq!(claims.len(), 2, "{subjects:?}");
    }
}

mod statuses {
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
        let missing =
            built(&[candidate("a", &["t"], true), candidate("b", &["t"], true)]).member("c", "c", "timeout", &[]);
        assert_eq!((status(&missing).0, status(&missing).1), ("degraded", 6));
        let objected = built(&[candidate("a", &["t"], true), candidate("b", &["t"], true)])
            .host(&[risk("leak", "critical", "E2")]);
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
}

mod panels {
    use super::*;

    #[test]
    fn a_malformed_panel_is_refused_with_agent_and_field() {
        let good = panel("plan").agent("a", &[]).agent("gemini", &[answer("x", "minor", "E0")]);
        let with = |path: &[&str], value: Json| {
            let mut built = good.clone();
            let target = path.iter().fold(&mut built.0, |at, step| match step.parse::<usize>() {
                Ok(i) => &mut at[i],
                Err(_) => &mut at[*step],
            });
            *target = value;
            built.refusal()
        };
        for (path, value, named) in [
            (&["agents", "1", "claims", "0", "tier"][..], json!("E9"), "agent gemini: claims[0].tier"),
            (&["agents", "1", "claims", "0", "value"], json!(1.5), "agent gemini: claims[0].value"),
            (&["agents", "1", "claims", "0", "polarity"], json!(1.0), "agent gemini: claims[0].polarity"),
            (&["agents", "1", "claims", "0", "severity"], json!("Major"), "agent gemini: claims[0].severity"),
            (&["agents", "1", "claims", "0", "kind"], json!("task"), "agent gemini: claims[0].kind"),
            (&["agents", "1", "claims", "0", "subject"], json!(" \n"), "agent gemini: claims[0].subject"),
            (&["agents", "1", "status"], json!("gone"), "agent gemini: status"),
            (&["agents", "1", "name"], json!("a"), "agent a: name: two agents have this name"),
            (&["agents", "1", "name"], json!(""), "agents[1].name"),
            (&["agents", "0", "claims"], json!(null), "agent a: claims"),
            (&["stage"], json!("ship"), "stage"),
            (&["schema"], json!("dicast.panel/2"), "schema"),
            (&["policy"], json!({"agree": "3/2"}), "policy.agree"),
            (&["requirements"], json!([{"id": "", "level": "must"}]), "requirements[0].id"),
            (&["requirements"], json!([{"id": "a-1", "level": "must"}, {"id": "A-1", "level": "may"}]), "listed twice"),
            (&["candidates"], json!([{"family": "z", "tree": "t", "survived": true}]), "candidates[0].family"),
            (&["waivers"], json!([{"claim": "k"}]), "waivers[0]"),
        ] {
            let refusal = with(path, value);
            assert!(refusal.contains(named), "{refusal:?} names {named:?}");
        }
        assert!(parse_panel("{").unwrap_err().to_string().contains("EOF"));
        assert!(parse_panel(&format!("{} x", good.0)).is_err(), "something behind it");
        assert!(parse_panel("[]").is_err());
    }

    #[test]
    fn an_outcome_that_is_none_is_refused() {
        let of = |stage: &str, claim: Json| panel(stage).agent("a", &[claim]);
        let bad = |change: &dyn Fn(&mut Json)| {
            let mut claim = outcome("GO");
            change(&mut claim);
            of("audit", claim).refusal()
        };
        assert!(of("plan", outcome("GO")).refusal().contains("has no outcome"));
        assert!(bad(&|c| c["polarity"] = json!(-1)).contains("agent a: claims[0].polarity"));
        assert!(bad(&|c| c["severity"] = json!("info")).contains("agent a: claims[0].severity"));
        assert!(bad(&|c| c["value"] = json!("MAYBE")).contains("agent a: claims[0].value"));
        assert!(bad(&|c| c["value"] = json!(["GO"])).contains("agent a: claims[0].value"));
        let choice = json!([{"claim": key_of(Kind::Decision, "stage", "outcome"), "digest": "", "by": "", "reason": "",
                             "choice": {"value": "MAYBE", "polarity": 1}}]);
        assert!(of("audit", outcome("GO")).set("waivers", choice).refusal().contains("waivers[0].choice"));
    }

    #[test]
    fn unknown_fields_and_confidence_are_ignored_and_defaults_apply() {
        let mut claim = json!({"kind": "risk", "subject": "s", "predicate": "open", "value": "yes", "polarity": 1});
        let plain = panel("plan").agent("a", &[claim.clone()]).decide();
        claim["confidence"] = json!(0.93);
        let mut built = panel("plan").agent("a", &[claim]).set("later", json!([1.5]));
        built.0["inputs"] = json!({"documents": null});
        assert_eq!(built.decide(), plain);
        assert_eq!((plain.claims[0].severity.name(), plain.claims[0].tier.name()), ("minor", "E0"));
    }

    #[test]
    fn a_panel_written_and_read_again_is_the_same() {
        let key = key_of(Kind::Risk, "r", "open");
        let built = panel("plan")
            .must("FR-001")
            .agent("a", &[risk("r", "minor", "E2"), covers("FR-001", "E3+")])
            .host(&[])
            .waive(&key, Some(("yes", 1)))
            .set("same_as", json!([["a", "b"]]))
            .set("prompt_version", json!("7"));
        let read = built.panel();
        assert_eq!(parse_panel(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    }
}

mod verdicts {
    use super::*;

    #[test]
    fn the_hash_covers_what_was_judged_and_not_where_or_when() {
        let mut built =
            panel("plan").agent("a", &[answer("x", "minor", "E0")]).agent("b", &[answer("x", "minor", "E0")]);
        built.0["agents"][0]["artifact"] = json!({"path": "runs/1/a.json", "sha256": "aa"});
        let verdict = built.decide();
        assert_eq!(verdict.hash, verdict.computed_hash());
        let mut moved = verdict.clone();
        moved.recorded_at = Some("2030-01-01T00:00:00Z".into());
        moved.artifacts[0].path = "elsewhere".into();
        assert_eq!(moved.computed_hash(), verdict.hash);
        let mut other = verdict.clone();
        other.artifacts[0].sha256 = Sha("bb".into());
        assert_ne!(other.computed_hash(), verdict.hash);
        let text = serde_json::to_string(&verdict).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
    }

    #[test]
    fn the_fields_stand_in_the_order_of_the_contract() {
        let text = serde_json::to_string(&panel("plan").agent("a", &[answer("x", "minor", "E0")]).decide()).unwrap();
        let mut at = 0;
        for field in [
            "schema",
            "spec_id",
            "stage",
            "recorded_at",
            "prompt_version",
            "status",
            "exit",
            "outcome",
            "consensus_ok",
            "degraded",
            "required_fields_ok",
            "missing_agents",
            "agreements",
            "conflicts",
            "reasons",
            "claims",
            "key",
            "kind",
            "subject",
            "predicate",
            "label",
            "value",
            "polarity",
            "tier",
            "severity",
            "votes",
            "dissent",
            "merged_from",
            "coverage",
            "families",
            "inputs",
            "artifacts",
            "hash",
        ] {
            let found = text[at..].find(&format!("\"{field}\":"));
            at += found.unwrap_or_else(|| panic!("{field} is missing or out of order"));
        }
    }

    #[test]
    fn the_digest_is_the_sha_of_the_sorted_assertions() {
        let built = panel("plan").agent("b", &[answer("x", "minor", "E0")]).agent("a", &[answer("Y", "major", "E-")]);
        let rows = r#"[["a","decision","D-001","answer","y",1,"major","E-"],["b","decision","D-001","answer","x",1,"minor","E0"]]"#;
        assert_eq!(digest(&built.panel(), &key_of(Kind::Decision, "D-001", "answer")), Sha::of(rows));
        assert_eq!(digest(&built.panel(), &key_of(Kind::Covers, "FR-001", "covered")), Sha::of("[]"));
    }

    #[test]
    fn the_call_is_pass_where_it_goes_on_and_counts_what_a_human_must_settle() {
        let split = panel("plan")
            .agent("a", &[answer("x", "major", "E2"), say("decision", "D-2", "answer", "x", 1, "major", "E2")])
            .agent("b", &[answer("y", "major", "E2"), say("decision", "D-2", "answer", "y", 1, "major", "E2")]);
        assert_eq!(split.decide().call(), Call::YourCall(2));
        assert_eq!(split.decide().call().to_string(), "YOUR CALL 2");
        let why = split.decide().why();
        assert!(why.contains("D-001") && why.contains("a and b"), "{why}");
        let missing = |stage: &str| {
            let claims = [outcome("GO")];
            let claims: &[Json] = if stage == "plan" { &[] } else { &claims };
            let mut all = vec![answer("x", "minor", "E2")];
            all.extend_from_slice(claims);
            panel(stage).agent("a", &all).agent("b", &all).member("c", "c", "timeout", &[]).decide()
        };
        assert_eq!((missing("plan").call(), missing("plan").exit), (Call::Pass, 6), "it goes on, flagged");
        assert_eq!(missing("audit").call(), Call::YourCall(1));
        assert!(missing("audit").why().ends_with("(c)"));
        let blocked = panel("plan").agent("a", &[risk("r", "critical", "E2")]).decide();
        assert_eq!(blocked.call(), Call::Stop);
    }

    #[test]
    fn explain_shows_the_numbers_and_finds_a_claim_by_many_names() {
        let built = panel("plan")
            .agent("claude", &[answer("redis", "major", "E2")])
            .agent("codex", &[answer("local", "major", "E2")])
            .agent("gemini", &[answer("local", "minor", "E0")])
            .host(&[answer("disk", "minor", "E-")]);
        let (panel, verdict) = (built.panel(), built.decide());
        let key = verdict.claims[0].key.as_str();
        for name in [key, &key[..6], "decision d-001", "D-001"] {
            assert_eq!(explain(&panel, &verdict, name).unwrap().key.as_str(), key, "{name}");
        }
        assert_eq!(explain(&panel, &verdict, "D-002"), None);
        let shown = explain(&panel, &verdict, "D-001").unwrap();
        assert_eq!(shown.comparison.as_deref(), Some("3·2 ≥ 2·3 holds"));
        assert_eq!((shown.answered, shown.silent, shown.sides.len()), (3, 0, 3));
        assert!(shown.sides[0].is_winner && shown.sides[0].votes == 2);
        let text = shown.to_string();
        for part in [
            "conflict",
            "claude (claude) major E2 seen",
            "host (host, no vote) minor E- false, struck",
            "evidence is not outvoted",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn explain_shows_foreign_text_safely() {
        let built = panel("plan").agent("a", &[risk("x \u{202e} y \u{9b}2J", "minor", "E0")]);
        let text = explain(&built.panel(), &built.decide(), "risk x \u{202e} y 2j").unwrap().to_string();
        assert!(!text.contains('\u{202e}') && !text.contains('\u{9b}'), "{text}");
    }
}
