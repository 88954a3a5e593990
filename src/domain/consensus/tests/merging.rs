//! What becomes one claim, and what does not.

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

const RESTART: &str = "the limiter loses its counters when the process of a node restarts";

fn three_near() -> (Build, [Sha; 3]) {
    let texts = [RESTART, &RESTART.replace("a node", "the node"), &RESTART.replace("a node", "any node")];
    let keys = texts.map(|text| key_of(Kind::Risk, text, "open"));
    let seated = texts.iter().enumerate();
    (seated.fold(panel("plan"), |p, (i, text)| p.agent(&format!("n{i}"), &[risk(text, "minor", "E0")])), keys)
}

fn split(a: &Sha, b: &Sha) -> Json {
    json!({"pair": [a, b], "by": "ann", "reason": "one is about the store"})
}

fn groups(verdict: &Verdict) -> Vec<usize> {
    verdict.claims.iter().map(|claim| 1 + claim.merged_from.len()).collect()
}

#[test]
fn a_split_pair_is_never_merged_again_by_words_or_by_the_round() {
    let (built, [a, b, c]) = three_near();
    assert_eq!(groups(&built.decide()), [3]);
    for (one, two) in [(&a, &b), (&b, &c), (&c, &a)] {
        let parted = built.clone().set("splits", json!([split(one, two)]));
        let of = |verdict: &Verdict, key: &Sha| find(verdict, key.as_str()).unwrap().key.clone();
        let verdict = parted.decide();
        assert_eq!(verdict.claims.len(), 2);
        assert_ne!(of(&verdict, one), of(&verdict, two));
        // Whatever the round says, and through whichever third text.
        for same in [json!([[one, two]]), json!([[a, b], [b, c], [a, c]]), json!([[a, c], [b, c], [b, a]])] {
            let verdict = parted.clone().set("same_as", same).decide();
            assert_ne!(of(&verdict, one), of(&verdict, two));
            assert!(codes(&verdict).contains(&"same_as_ignored"));
        }
    }
}

#[test]
fn a_split_of_texts_that_nobody_says_any_more_changes_nothing_and_one_of_a_text_from_itself_is_malformed() {
    let (built, [a, ..]) = three_near();
    let gone = key_of(Kind::Risk, "something else", "open");
    assert_eq!(built.clone().set("splits", json!([split(&a, &gone)])).decide(), built.decide());
    assert_eq!(built.clone().set("splits", json!([])).decide().hash, built.decide().hash);
    let refusal = built.set("splits", json!([split(&a, &a)])).refusal();
    assert!(refusal.starts_with("splits[0].pair"), "{refusal}");
}

#[test]
fn a_panel_without_splits_is_written_as_before() {
    let (built, _) = three_near();
    assert!(!serde_json::to_string(&built.panel()).unwrap().contains("splits"));
}

#[test]
fn explain_shows_each_merge_with_its_score_and_each_split_with_who_decided_it() {
    let (built, keys) = three_near();
    let verdict = built.decide();
    let explanation = explain(&built.panel(), &verdict, keys[0].as_str()).unwrap();
    // Twelve words: 14 runs each; the changed word stands in three of them.
    let scores: Vec<_> = explanation.merged_from.iter().map(|m| (m.shared, m.all, m.is_near)).collect();
    assert_eq!(scores, [(11, 17, true), (11, 17, true)]);
    assert!(explanation.to_string().contains("11/17 of runs shared, 10·11 ≥ 6·17"), "{explanation}");

    let far = key_of(Kind::Risk, "counters vanish", "open");
    let said = built.clone().agent("d", &[risk("counters vanish", "minor", "E0")]);
    let same = said.set("same_as", json!([[keys[0], far]]));
    let explanation = explain(&same.panel(), &same.decide(), far.as_str()).unwrap();
    assert!(explanation.to_string().contains("the same in the round, 0/"), "{explanation}");

    let parted = built.set("splits", json!([split(&keys[0], &keys[1]), split(&keys[1], &keys[0])]));
    let explanation = explain(&parted.panel(), &parted.decide(), keys[0].as_str()).unwrap();
    assert_eq!(explanation.split_from.len(), 1);
    let line = format!("split      from {} by ann: one is about the store", keys[1]);
    assert!(explanation.to_string().contains(&line), "{explanation}");
}
