//! What a panel may be, and how a bad one is refused.

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
