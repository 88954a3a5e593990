//! What counts as an answer.

use super::body::*;
use super::*;
use crate::domain::claim::{Kind, Polarity, Severity};
use serde_json::{Value, json};

fn expect(stage: Stage, topics: &[&str]) -> Expect {
    Expect { stage, topics: topics.iter().map(|&t| t.to_owned()).collect(), sent: vec![] }
}

fn plan() -> Value {
    json!({
        "schema": "dicast.artifact/1", "stage": "plan", "summary": "in three steps",
        "answers": [
            {"topic": "D-001", "value": "10", "unit": "1/s", "because": "the spec says so",
             "evidence": [{"file": "src/limiter.rs", "line": 40}]},
            {"topic": "D-002", "abstain": true}
        ],
        "work_breakdown": [{"step": "count", "rationale": "r", "success_signal": "s",
                            "requirements": ["FR-001"], "files": ["src/limiter.rs"]}],
        "acceptance_mapping": [{"requirement": "FR-001", "validation_step": "v", "artifact": "tests/limiter.rs"}],
        "risks": [], "questions": [], "claims": []
    })
}

fn found(text: &str) -> Result<Value, UnusableKind> {
    extract(&expect(Stage::Plan, &["D-001", "D-002"]), text)
        .map(|json| serde_json::from_str(&json).unwrap())
        .map_err(|e| e.kind)
}

#[test]
fn the_ladder_finds_the_artifact_wherever_agents_put_it() {
    let json = plan().to_string();
    let pretty = serde_json::to_string_pretty(&plan()).unwrap();
    let broken = json.replace("\"D-001\"", "\"D-009\"");
    for (name, text) in [
        ("alone", json.clone()),
        ("with a byte order mark", format!("\u{feff}{json}\n")),
        ("in colours", format!("\u{1b}[32m{json}\u{1b}[0m\u{1b}]0;title\u{7}")),
        ("in a fence", format!("Here it is:\n\n```json\n{pretty}\n```\nDone.")),
        ("in a fence that is never closed", format!("Here:\n```json\n{pretty}\n")),
        (
            "in prose with quotes and braces",
            format!("I don't \"think {{so\nlet x = {{ 1 }};\n{json} and that is \"it\"."),
        ),
        ("after another object", format!("{{\"type\":\"log\"}}\n{json}\n{{\"type\":\"end\"}}")),
        ("inside a wrapper", format!("{{\"type\":\"result\",\"answer\":{json},\"turns\":3}}")),
        ("after one that is wrong", format!("{broken}\n{json}")),
        ("before one that is wrong", format!("{json}\n```json\n{broken}\n```")),
    ] {
        assert_eq!(found(&text), Ok(plan()), "{name}");
    }
}

#[test]
fn unknown_fields_are_kept_and_slashes_may_be_escaped() {
    let mut value = plan();
    value["confidence"] = json!(0.9);
    value["answers"][0]["note"] = json!({"deep": ["kept"]});
    assert_eq!(found(&value.to_string()), Ok(value.clone()));
    assert_eq!(found(&format!("so: {}", value.to_string().replace('/', "\\/"))), Ok(value));
}

#[test]
fn the_fence_is_preferred_to_a_later_bare_object() {
    let mut later = plan();
    later["summary"] = json!("an afterthought");
    let text = format!("```json\n{}\n```\nor maybe {later}", plan());
    assert_eq!(found(&text), Ok(plan()));
}

#[test]
fn empty_syntax_schema_and_echo_are_told_apart() {
    let ask = json!({"schema": "dicast.ask/1", "agenda": [], "answer_schema": {"properties": {"schema": {"const": "dicast.artifact/1"}}}});
    let mut asked = expect(Stage::Plan, &["D-001", "D-002"]);
    asked.sent = sent_objects(&format!("prompt\n```json\n{ask}\n```"));
    let kind = |text: &str| extract(&asked, text).unwrap_err().kind;
    assert_eq!(kind(" \n\u{1b}[0m"), UnusableKind::Empty);
    assert_eq!(kind("I could not do it."), UnusableKind::Syntax);
    assert_eq!(kind(&plan().to_string()[..80]), UnusableKind::Syntax);
    assert_eq!(kind("{\"error\": \"no\"}"), UnusableKind::Schema);
    assert_eq!(kind(&ask.to_string()), UnusableKind::Echo);
    assert_eq!(kind(&format!("You asked:\n```json\n{ask:#}\n```\n")), UnusableKind::Echo);
    let mut example = plan();
    asked.sent.extend(sent_objects(&format!("such as {example:#}")));
    assert_eq!(extract(&asked, &example.to_string()).unwrap_err().kind, UnusableKind::Echo);
    example["summary"] = json!("my own");
    assert!(extract(&asked, &example.to_string()).is_ok());
}

#[test]
fn a_reason_names_the_field() {
    let why = |change: &dyn Fn(&mut Value)| {
        let mut value = plan();
        change(&mut value);
        let unusable = extract(&expect(Stage::Plan, &["D-001", "D-002"]), &value.to_string()).unwrap_err();
        assert_eq!(unusable.kind, UnusableKind::Schema, "{}", unusable.why);
        unusable.why
    };
    let contains = |why: String, part: &str| assert!(why.contains(part), "{why:?} lacks {part:?}");
    contains(why(&|v| v["work_breakdown"][0]["files"] = json!("one.rs")), "work_breakdown[0].files: invalid type");
    contains(why(&|v| v["work_breakdown"][0] = json!({"requirements": []})), "work_breakdown[0]: missing field `step`");
    contains(why(&|v| v["answers"][0]["evidence"][0] = json!({"url": "x"})), "answers[0].evidence[0]: evidence is");
    contains(why(&|v| v["risks"] = json!([{"risk": "r", "severity": "huge"}])), "risks[0].severity: unknown variant");
    contains(why(&|v| v["stage"] = json!("tasks")), "stage: this is an answer for tasks, plan was asked");
    contains(why(&|v| v["answers"] = json!([])), "answers: not answered: D-001, D-002");
    contains(
        why(&|v| v["answers"][1]["topic"] = json!("D-003")),
        "answers[1].topic: the agenda has no topic \"D-003\"",
    );
    contains(why(&|v| v["answers"][1] = v["answers"][0].clone()), "D-001 is answered twice");
    contains(why(&|v| v["answers"][0]["abstain"] = json!(true)), "answers[0]: D-001 has a value and abstains");
    contains(why(&|v| v["answers"][0]["value"] = json!(" ")), "answers[0]: D-001 needs a value");
}

#[test]
fn a_broken_escape_in_a_field_that_nobody_reads_is_refused() {
    let text = plan().to_string().replacen('{', r#"{"note": "\ud800 alone","#, 1);
    assert_eq!(parse(Stage::Plan, &text).unwrap_err().kind, UnusableKind::Syntax);
}

#[test]
fn a_field_given_twice_is_refused() {
    let text = plan().to_string().replace("\"risks\":[]", "\"risks\":[],\"risks\":[]");
    let unusable = extract(&expect(Stage::Plan, &["D-001", "D-002"]), &text).unwrap_err();
    assert!(unusable.why.contains("duplicate field `risks`"), "{}", unusable.why);
}

#[test]
fn every_stage_reads_its_own_body_and_missing_lists_are_empty() {
    let read = |stage: Stage, fields: Value| {
        let mut value = json!({"schema": "dicast.artifact/1", "stage": stage});
        value.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        parse(stage, &value.to_string()).unwrap().body
    };
    assert_eq!(read(Stage::Plan, json!({})), Body::Plan(Plan::default()));
    assert_eq!(read(Stage::Tasks, json!({})), Body::Tasks(Tasks::default()));
    let Body::Implement(implement) =
        read(Stage::Implement, json!({"operations": [{"file": "a.rs", "change_type": "create"}]}))
    else {
        panic!("another stage's body")
    };
    assert_eq!(implement.operations[0].change_type, Change::Add);
    let Body::Validate(validate) = read(
        Stage::Validate,
        json!({"decision": "PARTIAL", "conditions": ["a", {"text": "b", "severity": "major"}],
               "scenarios": [{"name": "n", "status": "PASSED"}]}),
    ) else {
        panic!("another stage's body")
    };
    assert_eq!(validate.conditions[1].severity, Some(Severity::Major));
    assert_eq!(validate.scenarios[0].status, Status::Pass);
    let body = read(Stage::Audit, json!({"decision": "NO-GO"}));
    assert_eq!(body.outcome().unwrap().0, Outcome::Fail("NO-GO"));
    let body = read(Stage::Unlock, json!({"decision": "APPROVED"}));
    assert_eq!(body.outcome().unwrap().0, Outcome::Pass("APPROVED"));
    assert_eq!(
        parse(Stage::Unlock, r#"{"schema":"dicast.artifact/1","stage":"unlock"}"#).unwrap_err().why.split(" at").next(),
        Some("missing field `decision`")
    );
}

#[test]
fn claims_and_scalars_are_read_as_written() {
    let mut value = plan();
    value["answers"][0]["value"] = json!(true);
    value["claims"] =
        json!([{"kind": "file_change", "subject": "a", "predicate": "touched", "value": 7, "polarity": -1}]);
    let artifact = validate(&expect(Stage::Plan, &["D-001", "D-002"]), &value.to_string()).unwrap();
    assert_eq!(artifact.answers[0].value, Some(Scalar("yes".into())));
    let stated = &artifact.claims[0];
    assert_eq!((stated.kind, stated.polarity), (Kind::FileChange, Some(Polarity::No)));
    assert_eq!(stated.value, Some(Scalar("7".into())));
}

#[test]
fn hostile_texts_take_linear_time_and_no_stack() {
    let size = 8 << 20;
    let asked = expect(Stage::Plan, &[]);
    let nested_artifacts = {
        let level = r#"{"schema":"dicast.artifact/1","a":"#;
        let depth = size / (level.len() + 1);
        format!("x {}1{}", level.repeat(depth), "}".repeat(depth))
    };
    for (name, text) in [
        ("braces", "{".repeat(size)),
        ("balanced braces", format!("{}{}", "{".repeat(size / 2), "}".repeat(size / 2))),
        ("brackets", format!("{{\"a\":{}", "[".repeat(size))),
        ("escaped quotes", format!("{{{}", r#"\""#.repeat(size / 2))),
        ("quotes", format!("{{{}", "\"".repeat(size))),
        ("fences", "```\n".repeat(size / 4)),
        ("operating system commands", "\u{1b}]".repeat(size / 2)),
        ("levels that call themselves artifacts", nested_artifacts),
        ("open artifacts", r#"{"schema":"dicast.artifact/1","a":["#.repeat(size / 34)),
        ("names without braces", r#""dicast.artifact/1","#.repeat(size / 20)),
        ("names behind backslashes", format!("{{\"{}\":\"dicast.artifact/1\"", r"\".repeat(size))),
        ("junk", "\u{0}\u{1}{\u{fffd}\u{9b}}".repeat(size / 9)),
    ] {
        assert!(extract(&asked, &text).is_err(), "{name}");
    }
    let huge = plan().to_string().replace("in three steps", &"x{\\\"}".repeat(size / 6));
    assert!(found(&format!("prose {huge} prose")).is_ok());
}

#[test]
fn an_answer_is_found_behind_broken_json_odd_quotes_and_open_fences() {
    for before in [
        "{\"schema\":\"dicast.artifact/1\",\"summary\":\"cut off here",
        "{\"schema\":\"dicast.artifact/1\",\"summary\":\"cut off here\\",
        "{ \"a ",
        "{{{{ [[[ \" ",
        "```json\n{\"a\": [\n```\n```json\n{\"b\": \"",
        "} ] } \\\" ",
        "fn f() { println!(\"{\"); } \"",
    ] {
        for between in ["", " ", "\n"] {
            let text = format!("{before}{between}{}", plan());
            assert_eq!(found(&text), Ok(plan()), "{text}");
            assert_eq!(found(&format!("{text}\n{{ \"and then \" it went on")), Ok(plan()), "{text}");
        }
    }
}

#[test]
fn of_an_answer_inside_an_answer_the_outer_one_counts() {
    let mut outer = plan();
    outer["note"] = plan();
    outer["note"]["summary"] = json!("inner");
    assert_eq!(found(&format!("{{ \" {outer}")), Ok(outer));
}

proptest::proptest! {
    #[test]
    fn extracting_never_panics_and_never_returns_what_was_sent(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "{", "}", "\"", "\\", "```json\n", "```\n", "\n", "\u{1b}[", "[", "]", ",", ":",
            "\"schema\":\"dicast.artifact/1\"", "\"stage\":\"plan\"", "EXAMPLE", "OWN", "é", "\u{0}",
        ]), 0..40)
    ) {
        let example = r#"{"schema":"dicast.artifact/1","stage":"plan","summary":"example"}"#;
        let own = r#"{"schema":"dicast.artifact/1","stage":"plan","summary":"own"}"#;
        let text = parts.concat().replace("EXAMPLE", example).replace("OWN", own);
        let asked = Expect { sent: sent_objects(example), ..expect(Stage::Plan, &[]) };
        if let Ok(json) = extract(&asked, &text) {
            let value: Value = serde_json::from_str(&json).unwrap();
            let sha = Sha::of(crate::domain::hash::canonical(&value).unwrap());
            proptest::prop_assert!(!asked.sent.contains(&sha));
            proptest::prop_assert_eq!(&value["schema"], "dicast.artifact/1");
        }
    }

    #[test]
    fn an_artifact_is_found_among_any_prose_without_braces(
        before in "[^{}`~\"\u{0}-\u{1f}\u{80}-\u{9f}]*", after in "[^{}`~\"\u{0}-\u{1f}\u{80}-\u{9f}]*"
    ) {
        proptest::prop_assert_eq!(found(&format!("{before}{}{after}", plan())), Ok(plan()));
    }
}
