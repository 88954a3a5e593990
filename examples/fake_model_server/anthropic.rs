//! The Anthropic Messages API.

use serde_json::{Value, json};

use crate::script::Usage;
use crate::texts;
use crate::voice::{Asked, Say, cut, is_prompt, since_prompt};

/// Reads a request.
pub(crate) fn asked(body: &Value) -> Asked {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let users: Vec<&Value> = messages.iter().filter(|m| m["role"] == "user").map(|m| &m["content"]).collect();
    Asked {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == true,
        prompt: users.iter().map(|content| texts(content)).collect::<Vec<_>>().join("\n"),
        tools: names(&body["tools"]),
        has_format: !body["output_format"].is_null() || !body["output_config"]["format"].is_null(),
        messages: messages.len(),
        after_tool: since_prompt(users.iter().map(|content| results(content))),
    }
}

/// How many results of tools a message brings; none if a prompt follows them.
fn results(content: &Value) -> usize {
    if is_prompt(&texts(content)) {
        return 0;
    }
    content.as_array().into_iter().flatten().filter(|part| part["type"] == "tool_result").count()
}

fn names(tools: &Value) -> Vec<String> {
    tools.as_array().into_iter().flatten().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect()
}

fn block(say: &Say) -> Value {
    match say {
        Say::Text(text) => json!({"type": "text", "text": text}),
        Say::Call(call) => json!({"type": "tool_use", "id": "toolu_fake", "name": call.name, "input": call.input}),
    }
}

fn stop(say: &Say) -> &'static str {
    match say {
        Say::Text(_) => "end_turn",
        Say::Call(_) => "tool_use",
    }
}

fn used(usage: &Usage) -> Value {
    json!({"input_tokens": usage.input, "cache_read_input_tokens": usage.cached, "cache_creation_input_tokens": 0,
           "output_tokens": usage.output})
}

/// Writes an answer in one piece.
pub(crate) fn whole(asked: &Asked, say: &Say, usage: &Usage) -> Value {
    json!({"id": "msg_fake", "type": "message", "role": "assistant", "model": asked.model, "content": [block(say)],
           "stop_reason": stop(say), "stop_sequence": null, "usage": used(usage)})
}

/// Writes an answer as events.
pub(crate) fn frames(asked: &Asked, say: &Say, usage: &Usage, pieces: usize) -> Vec<String> {
    let mut begun = whole(asked, say, usage);
    begun["content"] = json!([]);
    begun["stop_reason"] = Value::Null;
    let (empty, deltas) = match say {
        Say::Text(text) => (
            json!({"type": "text", "text": ""}),
            cut(text, pieces).iter().map(|piece| json!({"type": "text_delta", "text": piece})).collect::<Vec<_>>(),
        ),
        Say::Call(call) => (
            json!({"type": "tool_use", "id": format!("toolu_{}_{}", asked.messages, asked.after_tool), "name": call.name, "input": {}}),
            vec![json!({"type": "input_json_delta", "partial_json": call.input.to_string()})],
        ),
    };
    let mut events = vec![
        json!({"type": "message_start", "message": begun}),
        json!({"type": "content_block_start", "index": 0, "content_block": empty}),
    ];
    events.extend(deltas.iter().map(|delta| json!({"type": "content_block_delta", "index": 0, "delta": delta})));
    events.extend([
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": stop(say), "stop_sequence": null}, "usage": used(usage)}),
        json!({"type": "message_stop"}),
    ]);
    let named = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    events.iter().map(named).collect()
}

/// Writes an error.
pub(crate) fn error(status: u16, message: &str) -> Value {
    let kind = match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        400 => "invalid_request_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    json!({"type": "error", "error": {"type": kind, "message": message}})
}
