//! What a verdict records, and what is read from it.

use super::*;

#[test]
fn the_hash_is_of_the_canonical_json_of_the_listed_fields() {
    let mut built = panel("audit")
        .must("FR-001")
        .must("FR-002")
        .agent("a", &[risk("the \"limiter\" is\tslow \u{7f} é", "major", "E-"), covers("FR-001", "E2"), outcome("GO")])
        .agent("b", &[denies("FR-001", "major", "E2"), outcome("GO"), risk("x", "minor", "E0")])
        .member("c", "c", "timeout", &[])
        .set("same_as", json!([["a", "b"]]));
    built.0["agents"][0]["artifact"] = json!({"path": "runs/1/a.json", "sha256": "aa"});
    built.0["inputs"] = json!({"tree": "t", "documents": {"\u{e000}": "1", "\u{10000}": "2"}});
    let verdict = built.decide();
    let mut fields = serde_json::to_value(&verdict).unwrap();
    fields.as_object_mut().unwrap().retain(|name, _| name != "hash" && name != "recorded_at");
    fields["artifacts"][0].as_object_mut().unwrap().remove("path");
    let mut sealed = Vec::new();
    seal::seal(&verdict, &mut |piece| sealed.extend_from_slice(piece));
    let sealed = String::from_utf8(sealed).unwrap();
    assert_eq!(sealed, crate::domain::hash::canonical(&fields).unwrap());
}

#[test]
fn the_hash_covers_what_was_judged_and_not_where_or_when() {
    let mut built = panel("plan").agent("a", &[answer("x", "minor", "E0")]).agent("b", &[answer("x", "minor", "E0")]);
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
fn the_reason_names_what_a_spec_should_say_by_its_words() {
    let asks = |polarity| say("decision", "It MUST wait.", "demanded", "yes", polarity, "major", "E2");
    let split = panel("specify").agent("a", &[asks(1)]).agent("b", &[asks(-1)]);
    let why = split.decide().why();
    assert!(why.ends_with("(a and b): “it must wait”"), "{why}");
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
    assert_eq!(shown.comparison, "1 ≥ 1 losing with evidence, though 3·2 ≥ 2·3 holds");
    assert_eq!((shown.answered, shown.silent, shown.sides.len()), (3, 0, 3));
    assert!(shown.sides[0].is_winner && shown.sides[0].votes == 2);
    let text = shown.to_string();
    for part in [
        "conflict",
        "claude (claude) major E2 seen",
        "host (host, no vote) minor E- false, struck",
        "is major and was seen: not outvoted",
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
