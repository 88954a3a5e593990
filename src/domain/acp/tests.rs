//! What lines mean, as agents wrote them (gemini 0.61.0, opencode 1.18.33, claude-agent-acp 0.100.0, codex-acp 2.6.0).

use super::*;
use crate::domain::ids::{AgentName, RunId};
use crate::domain::moment::Moment;
use crate::domain::run::SeatKey;
use crate::domain::stage::Stage;
use crate::domain::stream::{Account, End, Event, Usage};

fn seat() -> SeatKey {
    let run = RunId::mint(Moment(1), 1, 1);
    SeatKey { run, stage: Stage::Plan, attempt: 1, agent: AgentName::new("a").unwrap() }
}

fn update(update: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s","update":{update}}}}}"#)
}

#[test]
fn a_turn_is_read_like_that_of_any_other_program() {
    let mut account = Account::new(Dialect::of(READS).unwrap());
    let lines = [
        r#"{"jsonrpc":"2.0","id":2,"result":{"sessionId":"ses_1"}}"#.to_owned(),
        update(r#"{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"I look. "}}"#),
        update(r#"{"sessionUpdate":"agent_thought_chunk","content":{"type":"text","text":"hm"}}"#),
        update(r#"{"sessionUpdate":"plan","entries":[{"content":"read","status":"in_progress"},{"content":"write","status":"pending"}]}"#),
        update(r#"{"sessionUpdate":"tool_call","toolCallId":"c","title":"Read a.txt","kind":"read","rawInput":{"path":"a.txt"}}"#),
        update(r#"{"sessionUpdate":"tool_call_update","toolCallId":"c","status":"completed","content":[{"type":"content","content":{"type":"text","text":"hello"}}]}"#),
        update(r#"{"sessionUpdate":"agent_message_chunk","content":{"type":"text","text":"{\"a\":1}"}}"#),
        r#"{"jsonrpc":"2.0","id":4,"result":{"stopReason":"end_turn","usage":{"inputTokens":100,"outputTokens":34,"totalTokens":154,"cachedReadTokens":20}}}"#.to_owned(),
    ];
    let events: Vec<Event> = lines.iter().flat_map(|line| account.line(line)).collect();
    assert!(events.contains(&Event::Doing("read".into())), "{events:?}");
    assert!(events.contains(&Event::Called("Read a.txt".into(), "a.txt".into())), "{events:?}");
    assert!(events.contains(&Event::Returned("hello".into())), "{events:?}");
    assert_eq!((account.end, account.session.as_deref()), (Some(End::Ok), Some("ses_1")));
    assert_eq!(account.answers(), ["{\"a\":1}"], "what was said before a tool is not the answer");
    let used = account.usage(Usage::default());
    assert_eq!((used.input_tokens, used.cached_tokens, used.output_tokens), (120, 20, 34));
}

#[test]
fn gemini_counts_its_tokens_elsewhere() {
    let mut account = Account::new(dialect());
    account.line(r#"{"id":4,"result":{"stopReason":"end_turn","_meta":{"quota":{"token_count":{"input_tokens":120,"output_tokens":34}}}}}"#);
    let used = account.usage(Usage::default());
    assert_eq!((used.input_tokens, used.output_tokens), (120, 34));
}

#[test]
fn a_line_is_an_answer_a_request_a_notice_or_noise() {
    let answered = |line: &str| matches!(heard(line), Heard::Answered { .. });
    assert!(answered(r#"{"id":1,"result":null}"#) && answered(r#"{"id":1,"error":{"code":1,"message":"x"}}"#));
    assert!(!answered(r#"{"id":"x","result":1}"#) && !answered(r#"{"id":null,"result":1}"#));
    assert!(
        matches!(heard(r#"{"id":0,"method":"fs/read_text_file","params":{}}"#), Heard::Asked { id, .. } if id == 0)
    );
    assert!(matches!(heard(r#"{"id":"q","method":"x"}"#), Heard::Asked { id, .. } if id == "q"));
    assert!(matches!(heard(r#"{"method":"session/update","params":{}}"#), Heard::Told { .. }));
    for noise in ["", "Debugger listening", "[1]", "{", "7", r#"{"method":7}"#, "{}"] {
        assert_eq!(heard(noise), Heard::Noise, "{noise}");
    }
}

#[test]
fn errors_mean_what_each_agent_means_by_them() {
    let class = |error: &str| {
        let Heard::Answered { outcome: Err(refused), .. } = heard(&format!(r#"{{"id":4,"error":{error}}}"#)) else {
            panic!("{error} is an error");
        };
        refused.error("")
    };
    assert!(matches!(class(r#"{"code":429,"message":"the script says so"}"#), AgentError::RateLimit { .. }));
    assert!(matches!(class(r#"{"code":401,"message":"no"}"#), AgentError::Auth { .. }));
    assert!(matches!(class(r#"{"code":-32000,"message":"Authentication required"}"#), AgentError::Auth { .. }));
    assert!(matches!(class(r#"{"code":503,"message":"x"}"#), AgentError::Overloaded));
    let rate = r#"{"code":-32603,"message":"Internal error","data":{"errorKind":"rate_limit","details":"429 Too Many Requests"}}"#;
    assert!(matches!(class(rate), AgentError::RateLimit { .. }), "{:?}", class(rate));
    let other =
        class(r#"{"code":-32603,"message":"Internal error: the script says so","data":{"errorName":"APIError"}}"#);
    assert!(matches!(&other, AgentError::Crashed { how } if how.contains("the script says so")), "{other:?}");
}

fn in_mode(mode: &str) -> Manner {
    Manner { mode: Some(mode.into()), ..Manner::default() }
}

#[test]
fn a_session_that_would_use_another_model_than_it_has_to_is_never_asked() {
    let opened = |model: &str| {
        let option = serde_json::json!({"id": "model", "currentValue": model, "options": []});
        Opened::of(&serde_json::json!({"sessionId": "s", "configOptions": [option]})).unwrap()
    };
    let manner = Manner { model: Some("mine/m".into()), ..Manner::default() };
    assert_eq!(opened("mine/m").suits(&manner), Ok(()));
    let refused = opened("opencode/big-pickle").suits(&manner).unwrap_err().to_string();
    assert!(refused.contains("opencode/big-pickle") && refused.contains("mine/m"), "{refused}");
    let silent = Opened::of(&serde_json::json!({"sessionId": "s"})).unwrap();
    assert!(silent.suits(&manner).is_err());
    assert_eq!(opened("x").suits(&Manner::default()), Ok(()));
}

#[test]
fn a_session_without_the_mode_is_refused_and_says_what_there_is() {
    let gemini =
        serde_json::json!({"sessionId": "s", "modes": {"availableModes": [{"id": "default"}, {"id": "plan"}]}});
    let opencode = serde_json::json!({"sessionId": "s", "configOptions": [
        {"id": "model", "options": [{"value": "m"}]}, {"id": "mode", "options": [{"value": "build"}, {"value": "plan"}]}]});
    for result in [gemini, opencode] {
        let opened = Opened::of(&result).unwrap();
        assert_eq!((opened.suits(&in_mode("plan")), opened.suits(&Manner::default())), (Ok(()), Ok(())));
        let refused = opened.suits(&in_mode("read-only")).unwrap_err().to_string();
        assert!(refused.contains("\"read-only\"") && refused.contains("plan"), "{refused}");
    }
    // Who does not say which modes there are is asked for it, and may refuse.
    let silent = Opened::of(&serde_json::json!({"sessionId": "s"})).unwrap();
    assert_eq!(silent.suits(&in_mode("plan")), Ok(()));
    assert_eq!(Opened::of(&serde_json::json!({})), None);
}

#[test]
fn another_version_of_the_protocol_is_refused() {
    assert_eq!(shaken(&serde_json::json!({"protocolVersion": 1})), Ok(()));
    assert!(shaken(&serde_json::json!({"protocolVersion": 2})).unwrap_err().to_string().contains("version 2"));
    assert!(shaken(&serde_json::json!({})).is_err());
}

#[test]
fn what_is_said_is_one_line_each() {
    let servers = [Server {
        name: "memory".into(),
        command: "/bin/m".into(),
        args: vec!["serve".into()],
        env: BTreeMap::from([("K".into(), "V".into())]),
    }];
    let extra = Some(r#"{"x":{"y":1}}"#);
    let said = [
        Say::Initialize.line(1),
        Say::NewSession { cwd: "/r", servers: &servers, extra }.line(2),
        Say::SetMode { session: "s", mode: "plan" }.line(3),
        Say::Prompt { session: "s", text: "one\ntwo" }.line(4),
        cancel("s"),
        permit(&serde_json::json!(0), Some("once")),
        permit(&serde_json::json!("q"), None),
        not_known(&serde_json::json!(7), "fs/read_text_file"),
    ];
    let parsed: Vec<Value> = said
        .iter()
        .map(|line| {
            assert_eq!(line.matches('\n').count(), 1, "{line}");
            serde_json::from_str(line).unwrap()
        })
        .collect();
    assert_eq!(parsed[0]["params"]["clientCapabilities"]["terminal"], false);
    assert_eq!(parsed[1]["params"]["mcpServers"][0]["env"][0], serde_json::json!({"name": "K", "value": "V"}));
    assert_eq!(parsed[1]["params"]["_meta"]["x"]["y"], 1);
    assert_eq!(parsed[3]["params"]["prompt"][0]["text"], "one\ntwo");
    assert_eq!(parsed[5]["result"]["outcome"], serde_json::json!({"outcome": "selected", "optionId": "once"}));
    assert_eq!((&parsed[6]["id"], &parsed[6]["result"]["outcome"]["outcome"]), (&"q".into(), &"cancelled".into()));
    assert_eq!(parsed[7]["error"]["code"], NO_METHOD);
}

const OPTIONS: &str = r#"[{"optionId":"once","kind":"allow_once","name":"Allow once"},
    {"optionId":"always","kind":"allow_always","name":"Always\u001b[31m allow"},{"optionId":"no","kind":"reject_once","name":"Reject"}]"#;

fn asked(call: &str, known: Option<&Value>) -> Request {
    let params: Value = serde_json::from_str(&format!(r#"{{"toolCall":{call},"options":{OPTIONS}}}"#)).unwrap();
    Request::of(seat(), 1, &params, known)
}

fn lines(request: &Request) -> Vec<&str> {
    request.body.iter().map(Safe::as_str).collect()
}

use crate::domain::safe::Safe;

#[test]
fn a_command_is_shown_whole_and_harmless() {
    let request = asked(
        r#"{"title":"touch \u001b[2Jx","kind":"execute","rawInput":{"command":"touch x\u202e\nrm -r y","cwd":"/r"}}"#,
        None,
    );
    assert_eq!(lines(&request), ["$ touch x⟨U+202E⟩", "$ rm -r y", "in /r"]);
    assert_eq!((request.weight, request.title.as_str()), (Weight::Run, "touch ␛[2Jx"));
    let words = asked(r#"{"kind":"execute","rawInput":{"command":["sh","-c","a b"]}}"#, None);
    assert_eq!(lines(&words), [r#"$ sh -c "a b""#]);
}

#[test]
fn a_change_is_shown_as_what_goes_and_what_comes() {
    let call = r#"{"title":"a.rs","kind":"edit","content":[{"type":"diff","path":"src/a.rs","oldText":"one\ntwo\nthree","newText":"one\n2\nthree"}]}"#;
    let request = asked(call, None);
    assert_eq!(lines(&request), ["src/a.rs, from line 2", "- two", "+ 2"]);
    assert_eq!(request.weight, Weight::Change);
    let untold = asked(r#"{"content":[{"type":"diff","path":"b","newText":"x"}]}"#, None);
    assert_eq!(untold.weight, Weight::Change, "whatever it is called");
    let new = asked(r#"{"kind":"edit","content":[{"type":"diff","path":"b","oldText":null,"newText":"x\n"}]}"#, None);
    assert_eq!(lines(&new), ["b, from line 1", "+ x"]);
}

#[test]
fn every_file_that_a_request_names_is_found() {
    let call = serde_json::json!({"kind": "move", "locations": [{"path": "/r/a"}],
        "content": [{"type": "diff", "path": "/r/b", "newText": "from /r/no"}],
        "rawInput": {"file_path": "/r/c", "to": "../d", "text": "/r/no", "filePaths": ["x"], "recursive": true}});
    let known = serde_json::json!({"rawInput": {"abs_path": "/r/e"}, "locations": [{"path": "/r/a"}]});
    let found = paths(&serde_json::json!({"toolCall": call}), Some(&known));
    assert_eq!(found, ["../d", "/r/a", "/r/b", "/r/c", "/r/e"]);
    assert_eq!(paths(&Value::Null, None), Vec::<String>::new());
}

#[test]
fn what_a_request_leaves_out_is_taken_from_what_was_told_before() {
    let known = serde_json::json!({"title": "Shell", "kind": "execute", "rawInput": {"command": "ls"}});
    let request = asked(r#"{"toolCallId":"c","rawInput":{}}"#, Some(&known));
    assert_eq!((lines(&request), request.weight), (vec!["$ ls"], Weight::Run));
    let nothing = asked("{}", None);
    assert_eq!(
        (nothing.title.as_str(), nothing.weight, nothing.body.len()),
        ("it does not say what", Weight::Other, 0)
    );
}

#[test]
fn an_answer_is_chosen_by_its_kind_and_yes_only_to_what_was_seen_whole() {
    let request = asked(r#"{"title":"x","rawInput":{"command":"x"}}"#, None);
    assert_eq!(request.option(Answer::Once), Some("once"));
    assert_eq!(request.option(Answer::Always), Some("always"));
    assert_eq!(request.option(Answer::Reject), Some("no"));
    assert!(request.takes(Answer::Once) && request.takes(Answer::Always));
    let long = "x\\n".repeat(2_000);
    let long = asked(&format!(r#"{{"title":"x","rawInput":{{"command":"{long}"}}}}"#), None);
    assert!(
        long.left_out > 0 && !long.takes(Answer::Once) && !long.takes(Answer::Always) && long.takes(Answer::Reject)
    );
    let bare = Request::of(seat(), 1, &Value::Null, None);
    assert_eq!((bare.option(Answer::Reject), bare.takes(Answer::Once)), (None, false));
}
