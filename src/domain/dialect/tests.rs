//! The wire formats, as tables: what is sent, what streams come to, what errors mean.

use super::fault::{refused, retry_after_ms};
use super::*;
use crate::domain::failure::AgentError;
use crate::domain::settings::Service;

fn schema() -> Value {
    json!({"type": "object", "properties": {"a": {"type": "string"}}})
}

fn asked(api: Api, mode: JsonMode, offer: Offer) -> Value {
    let messages = [user(api, "Plan it.", &[])];
    let schema = schema();
    body(api, &Ask { model: "m", messages: &messages, mode, schema: &schema, offer, more: &[], max_output_tokens: 77 })
}

fn read(api: Api, events: &[Value]) -> Result<(Reply, Vec<String>), Wrong> {
    let mut reading = Reading::new(api);
    let mut pieces = Vec::new();
    for event in events {
        let data = event.as_str().map_or_else(|| event.to_string(), str::to_owned);
        pieces.extend(reading.event(&data)?);
    }
    reading.close().map(|reply| (reply, pieces))
}

fn call(id: &str, name: &str, input: &str) -> Call {
    Call { id: id.into(), name: name.into(), input: input.into() }
}

fn used(input: u64, cached: u64, output: u64) -> Usage {
    Usage { input_tokens: input, cached_tokens: cached, output_tokens: output, cost_micro_usd: None }
}

#[test]
fn a_chat_request_streams_with_usage_and_asks_for_the_shape_strictly() {
    let body = asked(Api::OpenaiChat, JsonMode::JsonSchema, Offer::Tools);
    assert_eq!(
        (&body["model"], &body["stream"], &body["stream_options"]["include_usage"], &body["max_tokens"]),
        (&json!("m"), &json!(true), &json!(true), &json!(77))
    );
    assert_eq!(body["messages"], json!([{"role": "user", "content": "Plan it."}]));
    assert_eq!(body["response_format"]["json_schema"]["schema"]["required"], json!(["a"]));
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
    assert_eq!(body["tools"][1]["function"]["name"], "read_file");
    assert!(body["tool_choice"].is_null());
    assert_eq!(asked(Api::OpenaiChat, JsonMode::JsonObject, Offer::Over)["tool_choice"], "none");
    assert_eq!(
        asked(Api::OpenaiChat, JsonMode::JsonObject, Offer::Nothing)["response_format"],
        json!({"type": "json_object"})
    );
    let bare = asked(Api::OpenaiChat, JsonMode::None, Offer::Nothing);
    assert!(bare.get("tools").is_none() && bare.get("response_format").is_none());
}

#[test]
fn a_responses_request_has_its_own_places_for_the_same() {
    let body = asked(Api::OpenaiResponses, JsonMode::JsonSchema, Offer::Over);
    assert_eq!((&body["max_output_tokens"], &body["tool_choice"]), (&json!(77), &json!("none")));
    assert_eq!(body["input"][0]["content"], "Plan it.");
    assert_eq!(body["text"]["format"]["schema"]["additionalProperties"], false);
    assert_eq!(body["tools"][0]["name"], "list_files");
    let bare = asked(Api::OpenaiResponses, JsonMode::None, Offer::Nothing);
    assert!(bare.get("tools").is_none() && bare.get("text").is_none());
}

#[test]
fn an_anthropic_request_asks_for_the_shape_by_a_tool_that_is_forced_when_the_others_are_over() {
    let names = |body: &Value| -> Vec<String> {
        body["tools"].as_array().into_iter().flatten().map(|tool| text(tool, "/name").to_owned()).collect()
    };
    let with_tools = asked(Api::Anthropic, JsonMode::JsonSchema, Offer::Tools);
    assert_eq!(names(&with_tools), ["list_files", "read_file", "search_text", "answer"]);
    assert!(with_tools.get("tool_choice").is_none());
    assert_eq!(with_tools["tools"][3]["input_schema"], schema());
    let forced = json!({"type": "tool", "name": "answer"});
    assert_eq!(asked(Api::Anthropic, JsonMode::JsonSchema, Offer::Over)["tool_choice"], forced);
    assert_eq!(asked(Api::Anthropic, JsonMode::JsonSchema, Offer::Nothing)["tool_choice"], forced);
    assert_eq!(asked(Api::Anthropic, JsonMode::None, Offer::Over)["tool_choice"], json!({"type": "none"}));
    assert!(asked(Api::Anthropic, JsonMode::None, Offer::Nothing).get("tools").is_none());
}

#[test]
fn a_key_goes_into_the_header_of_its_api_and_nowhere_else() {
    assert_eq!(headers(Api::OpenaiChat, Some("k")), [("authorization", "Bearer k".to_owned())]);
    assert!(headers(Api::OpenaiResponses, None).is_empty());
    let version = ("anthropic-version", "2023-06-01".to_owned());
    assert_eq!(headers(Api::Anthropic, Some("k")), [("x-api-key", "k".to_owned()), version.clone()]);
    assert_eq!(headers(Api::Anthropic, None), [version]);
}

#[test]
fn a_chat_reply_is_its_pieces_and_its_calls_are_put_together() {
    let chunk = |delta: Value, reason: Option<&str>| json!({"choices": [{"delta": delta, "finish_reason": reason}]});
    let (reply, pieces) = read(
        Api::OpenaiChat,
        &[
            chunk(json!({"role": "assistant", "content": ""}), None),
            chunk(json!({"content": "Hel"}), None),
            chunk(json!({"content": "lo"}), None),
            chunk(json!({}), Some("stop")),
            json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}}),
            json!("[DONE]"),
        ],
    )
    .unwrap();
    assert_eq!(pieces, ["Hel", "lo"]);
    assert_eq!((reply.text.as_str(), &reply.stop, reply.usage), ("Hello", &Stop::Over, used(9, 4, 2)));
    assert_eq!(reply.said, [json!({"role": "assistant", "content": "Hello"})]);

    let piece = |index: u64, id: &str, name: &str, arguments: &str| {
        let function = json!({"name": name, "arguments": arguments});
        chunk(json!({"tool_calls": [{"index": index, "id": id, "function": function}]}), None)
    };
    // A server that says "stop" with calls is believed as far as the calls.
    let (reply, _) = read(
        Api::OpenaiChat,
        &[
            piece(0, "c0", "read_file", "{\"path\":"),
            piece(1, "c1", "list_files", "{}"),
            piece(0, "", "", "\"a\"}"),
            chunk(json!({}), Some("stop")),
        ],
    )
    .unwrap();
    assert_eq!(reply.stop, Stop::Calls);
    assert_eq!(reply.calls, [call("c0", "read_file", "{\"path\":\"a\"}"), call("c1", "list_files", "{}")]);
    assert_eq!(reply.said[0]["tool_calls"][0]["function"]["arguments"], "{\"path\":\"a\"}");
    // One that gives every call the same place, or none; what goes on has no name, or says both again.
    let (reply, _) = read(
        Api::OpenaiChat,
        &[
            piece(0, "c0", "read_file", "{\"path\":"),
            piece(0, "c0", "read_file", "\"a\"}"),
            chunk(json!({"tool_calls": [{"id": "c1", "function": {"name": "list_files", "arguments": "{"}}]}), None),
            piece(0, "", "", "}"),
            piece(0, "c2", "search_text", "{\"text\":\"x\"}"),
            piece(1, "c3", "list_files", "{}"),
            chunk(json!({}), Some("tool_calls")),
        ],
    )
    .unwrap();
    let ids: Vec<(&str, &str)> = reply.calls.iter().map(|call| (call.id.as_str(), call.input.as_str())).collect();
    let wanted = [("c0", "{\"path\":\"a\"}"), ("c1", "{}"), ("c2", "{\"text\":\"x\"}"), ("c3", "{}")];
    assert_eq!(ids, wanted);
    let result = Returned { id: "c0".into(), text: "x".into(), is_error: false };
    assert_eq!(returned(Api::OpenaiChat, &[result]), [json!({"role": "tool", "tool_call_id": "c0", "content": "x"})]);
}

#[test]
fn a_reply_that_was_cut_off_refused_or_never_ended_is_told_apart() {
    let chat = |delta: Value, reason: &str| {
        read(Api::OpenaiChat, &[json!({"choices": [{"delta": delta, "finish_reason": reason}]})]).unwrap().0.stop
    };
    assert_eq!(chat(json!({"content": "x"}), "length"), Stop::Length);
    assert_eq!(chat(json!({"refusal": "I will not."}), "stop"), Stop::Refused("I will not.".into()));
    assert!(matches!(chat(json!({}), "content_filter"), Stop::Refused(_)));
    let incomplete =
        json!({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}});
    assert_eq!(read(Api::OpenaiResponses, &[incomplete]).unwrap().0.stop, Stop::Length);
    let stopped = |reason: &str| json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {}});
    assert_eq!(read(Api::Anthropic, &[stopped("max_tokens")]).unwrap().0.stop, Stop::Length);
    assert!(matches!(read(Api::Anthropic, &[stopped("refusal")]).unwrap().0.stop, Stop::Refused(_)));
    for api in Api::ALL {
        let broken = read(api, &[]).unwrap_err();
        assert!(matches!(broken.meaning(&service()), AgentError::Protocol { why } if why.contains("broke off")));
        let garbage = read(api, &[json!("{\"choices\":")]).unwrap_err();
        assert!(matches!(garbage.meaning(&service()), AgentError::Protocol { why } if why.contains("cannot be read")));
    }
    // "[DONE]" alone is no end of anything.
    assert!(read(Api::OpenaiChat, &[json!("[DONE]")]).is_err());
}

#[test]
fn a_response_gives_every_item_back_its_reasoning_among_them() {
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": []});
    let wants = json!({"type": "function_call", "call_id": "c1", "name": "read_file", "arguments": "{\"path\":\"a\"}"});
    let usage = json!({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 1}, "output_tokens": 3});
    let response = json!({"status": "completed", "output": [reasoning, wants], "usage": usage});
    let (reply, pieces) = read(
        Api::OpenaiResponses,
        &[
            json!({"type": "response.created", "response": {}}),
            json!({"type": "response.output_text.delta", "delta": "Let me look."}),
            json!({"type": "response.output_item.done", "output_index": 0, "item": reasoning}),
            json!({"type": "response.output_item.done", "output_index": 1, "item": wants}),
            json!({"type": "response.completed", "response": response}),
        ],
    )
    .unwrap();
    assert_eq!(pieces, ["Let me look."]);
    assert_eq!((reply.said, reply.usage, reply.stop), (vec![reasoning, wants], used(5, 1, 3), Stop::Calls));
    assert_eq!(reply.calls, [call("c1", "read_file", "{\"path\":\"a\"}")]);
    let result = Returned { id: "c1".into(), text: "x".into(), is_error: true };
    assert_eq!(
        returned(Api::OpenaiResponses, &[result]),
        [json!({"type": "function_call_output", "call_id": "c1", "output": "x"})]
    );
    // Without any piece the text stands in the end.
    let part = json!({"type": "output_text", "text": "whole"});
    let message = json!({"type": "message", "content": [part]});
    let only_end = [json!({"type": "response.completed", "response": {"output": [message]}})];
    assert_eq!(read(Api::OpenaiResponses, &only_end).unwrap().0.text, "whole");
}

#[test]
fn an_anthropic_reply_gives_every_block_back_and_its_answer_tool_is_the_answer() {
    let start =
        |index: u64, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let delta = |index: u64, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let stop = |index: u64| json!({"type": "content_block_stop", "index": index});
    let usage =
        json!({"input_tokens": 7, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 1, "output_tokens": 1});
    let (reply, pieces) = read(
        Api::Anthropic,
        &[
            json!({"type": "message_start", "message": {"usage": usage}}),
            json!({"type": "ping"}),
            start(0, json!({"type": "thinking", "thinking": ""})),
            delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
            delta(0, json!({"type": "signature_delta", "signature": "s"})),
            stop(0),
            start(1, json!({"type": "text", "text": ""})),
            delta(1, json!({"type": "text_delta", "text": "Here."})),
            stop(1),
            start(2, json!({"type": "tool_use", "id": "t1", "name": "answer", "input": {}})),
            delta(2, json!({"type": "input_json_delta", "partial_json": "{\"a\":"})),
            delta(2, json!({"type": "input_json_delta", "partial_json": "\"b\"}"})),
            stop(2),
            json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 11}}),
            json!({"type": "message_stop"}),
        ],
    )
    .unwrap();
    assert_eq!(pieces, ["Here.", "{\"a\":", "\"b\"}"]);
    assert_eq!(reply.text, "Here.");
    // The answer is no call that anybody has to carry out: the reply is over.
    assert_eq!((&reply.stop, reply.usage), (&Stop::Over, used(10, 2, 11)));
    let answer = reply.answer.unwrap();
    assert_eq!(answer, call("t1", "answer", "{\"a\":\"b\"}"));
    let blocks = json!([
        {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Here."},
        {"type": "tool_use", "id": "t1", "name": "answer", "input": {"a": "b"}},
    ]);
    assert_eq!(reply.said, [json!({"role": "assistant", "content": blocks})]);
    let next = user(Api::Anthropic, "Once more.", &[answer]);
    assert_eq!((&next["content"][0]["tool_use_id"], &next["content"][1]["text"]), (&json!("t1"), &json!("Once more.")));
    let result = Returned { id: "t2".into(), text: "no".into(), is_error: true };
    let block = json!({"type": "tool_result", "tool_use_id": "t2", "content": "no", "is_error": true});
    assert_eq!(returned(Api::Anthropic, &[result]), [json!({"role": "user", "content": [block]})]);
}

#[test]
fn a_call_that_was_cut_off_does_not_go_back_without_a_result() {
    let function = json!({"name": "read_file", "arguments": "{\"pa"});
    let delta = json!({"content": "Let me see.", "tool_calls": [{"index": 0, "id": "c0", "function": function}]});
    let chat = [json!({"choices": [{"delta": delta, "finish_reason": "length"}]})];
    let item = json!({"type": "function_call", "call_id": "c0", "name": "read_file", "arguments": "{\"pa"});
    let output = [json!({"type": "reasoning", "id": "r"}), item];
    let response = json!({"output": output, "incomplete_details": {"reason": "max_output_tokens"}});
    let responses = [json!({"type": "response.incomplete", "response": response})];
    for (api, events, left) in
        [(Api::OpenaiChat, &chat[..], "Let me see."), (Api::OpenaiResponses, &responses, "(cut off)")]
    {
        let (reply, _) = read(api, events).unwrap();
        assert_eq!((&reply.stop, reply.calls.len()), (&Stop::Length, 1), "{api:?}");
        assert_eq!(reply.said, [json!({"role": "assistant", "content": left})], "{api:?}");
    }
}

fn service() -> Service {
    Service {
        api: Api::OpenaiChat,
        base_url: "https://a.example/v1".into(),
        key_env: Some("A_KEY".into()),
        json_mode: JsonMode::JsonSchema,
        tools: true,
        lent: Default::default(),
    }
}

#[test]
fn every_status_has_its_class_and_what_can_be_mended_says_how() {
    let said = |status: u16, message: &str| {
        refused(&service(), status, &json!({"error": {"message": message}}).to_string(), Some(7_000))
    };
    let wait = |ms| AgentError::RateLimit { retry_after_ms: ms };
    assert_eq!(said(429, "slow down"), wait(Some(7_000)));
    assert_eq!(refused(&service(), 429, "", None), wait(None));
    for status in [409, 425, 500, 502, 503, 529] {
        assert_eq!(said(status, "not now"), AgentError::Overloaded, "{status}");
    }
    assert_eq!(said(400, "This model's maximum context length is 8192 tokens"), AgentError::ContextOverflow);
    assert_eq!(said(413, "too large"), AgentError::ContextOverflow);
    let table = [
        (401, "bad key", "the key in $A_KEY is not taken (HTTP 401: bad key)"),
        (302, "", "correct base_url"),
        (404, "no such model", "correct base_url, api or model"),
        (400, "response_format is not supported", "set json_mode = \"none\""),
        (400, "Cannot use custom grammar constraints with tools.", "set json_mode = \"none\""),
        (500, "tools param requires --jinja flag", "set tools = false"),
        (400, "m does not support tools", "set tools = false"),
        (400, "Unsupported parameter: 'max_tokens'", "api = \"openai-responses\""),
        (418, "teapot", "HTTP 418: teapot"),
    ];
    for (status, message, next) in table {
        let error = said(status, message);
        assert!(matches!(error, AgentError::Auth { .. } | AgentError::Refused { .. }), "{status} {message}: {error:?}");
        assert!(error.to_string().contains(next), "{error}");
    }
    assert_eq!(said(408, "too slow"), AgentError::Network { why: "HTTP 408: too slow".into() });
    let unpaid = json!({"error": {"message": "No.", "type": "insufficient_quota"}}).to_string();
    for (status, body) in [(429, unpaid.as_str()), (402, "No."), (400, "Your credit balance is too low")] {
        let error = refused(&service(), status, body, Some(7_000));
        assert!(error.hint("gpt").contains("billing"), "{status}: {error:?}");
    }
    let keyless = Service { key_env: None, ..service() };
    assert!(refused(&keyless, 401, "", None).to_string().contains("set api_key_env"));
}

fn numbered_with(code: u16) -> String {
    json!({"error": {"code": code, "message": "m"}}).to_string()
}

#[test]
fn an_error_in_the_middle_of_a_reply_has_the_same_classes() {
    let meaning = |api, event: Value| read(api, &[event]).unwrap_err().meaning(&service());
    let anthropic = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "m"}});
    assert_eq!(meaning(Api::Anthropic, anthropic("overloaded_error")), AgentError::Overloaded);
    assert_eq!(meaning(Api::Anthropic, anthropic("rate_limit_error")), AgentError::RateLimit { retry_after_ms: None });
    let failed = json!({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "m"}}});
    assert_eq!(meaning(Api::OpenaiResponses, failed), AgentError::Overloaded);
    let flat = json!({"type": "error", "code": "rate_limit_exceeded", "message": "m"});
    assert_eq!(meaning(Api::OpenaiResponses, flat), AgentError::RateLimit { retry_after_ms: None });
    let numbered = json!({"error": {"code": 503, "message": "m"}});
    assert_eq!(meaning(Api::OpenaiChat, numbered), AgentError::Overloaded);
    assert_eq!(meaning(Api::OpenaiChat, json!({"error": "odd"})), AgentError::Protocol { why: "odd".into() });
    let unpaid = json!({"error": {"code": "insufficient_quota", "message": "No."}});
    assert!(matches!(meaning(Api::OpenaiChat, unpaid), AgentError::Refused { .. }));
    // Some servers and gateways say it with status 200 and without a stream.
    let whole = Wrong::in_body(&numbered_with(429)).map(|wrong| wrong.meaning(&service()));
    assert_eq!(whole, Some(AgentError::RateLimit { retry_after_ms: None }));
    assert_eq!(Wrong::in_body("{\"choices\":[]}").or(Wrong::in_body("<html>")), None);
}

#[test]
fn a_wait_is_read_in_milliseconds_or_seconds_and_a_date_is_not_guessed_at() {
    assert_eq!(retry_after_ms(Some("1500"), Some("9"), None), Some(1_500));
    assert_eq!(retry_after_ms(None, Some(" 2 "), None), Some(2_000));
    let (at, now) = ("Mon, 23 Nov 2026 02:00:00 GMT", Some("Mon, 23 Nov 2026 01:58:30 GMT"));
    assert_eq!(retry_after_ms(None, Some(at), now), Some(90_000));
    assert_eq!(retry_after_ms(None, now, Some(at)), Some(0), "a moment that is past asks for no wait");
    assert_eq!(retry_after_ms(None, Some(at), None), None, "without a date of its own nobody knows its clock");
    assert_eq!(retry_after_ms(None, Some("soon"), now), None);
    assert_eq!(retry_after_ms(None, None, now), None);
}
