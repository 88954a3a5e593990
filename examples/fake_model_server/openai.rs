//! The OpenAI Responses and Chat Completions APIs.

use serde_json::{Value, json};

use crate::script::Usage;
use crate::texts;
use crate::voice::{Asked, Say, cut, since_prompt};

/// Reads a request of the Responses API.
pub(crate) fn responses_asked(body: &Value) -> Asked {
    let items = body["input"].as_array().map_or(&[][..], Vec::as_slice);
    let plain = body["input"].as_str().map(str::to_owned);
    let users: Vec<String> =
        items.iter().filter(|item| item["role"] == "user").map(|item| texts(&item["content"])).collect();
    let asks = items.iter().filter(|item| item["role"] == "user" || is_result(item));
    Asked {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == true,
        prompt: plain.unwrap_or_else(|| users.join("\n")),
        tools: body["tools"].as_array().into_iter().flatten().filter_map(name).collect(),
        has_format: body["text"]["format"]["type"] == "json_schema",
        messages: items.len(),
        after_tool: since_prompt(asks.map(|item| usize::from(is_result(item)))),
    }
}

/// Tells whether an item brings the result of a tool.
fn is_result(item: &Value) -> bool {
    item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output"))
}

/// Reads a request of the Chat API.
pub(crate) fn chat_asked(body: &Value) -> Asked {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |role: &'static str| messages.iter().filter(move |message| message["role"] == role);
    let asks = messages.iter().filter(|message| message["role"] == "user" || message["role"] == "tool");
    Asked {
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        stream: body["stream"] == true,
        prompt: of("user").map(|message| texts(&message["content"])).collect::<Vec<_>>().join("\n"),
        tools: body["tools"].as_array().into_iter().flatten().filter_map(name).collect(),
        has_format: body["response_format"]["type"] == "json_schema",
        messages: messages.len(),
        after_tool: since_prompt(asks.map(|message| usize::from(message["role"] == "tool"))),
    }
}

/// A tool's name: in itself, in its function, or its type.
fn name(tool: &Value) -> Option<String> {
    [&tool["name"], &tool["function"]["name"], &tool["type"]].iter().find_map(|name| name.as_str()).map(str::to_owned)
}

fn item(asked: &Asked, say: &Say) -> Value {
    match say {
        Say::Text(text) => json!({"type": "message", "id": "msg_fake", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": text, "annotations": []}]}),
        Say::Call(call) => {
            json!({"type": "function_call", "id": format!("fc_{}", asked.messages), "status": "completed",
            "call_id": format!("call_{}", asked.messages), "name": call.name, "arguments": call.input.to_string()})
        }
    }
}

/// Writes a response as it stands.
pub(crate) fn response(asked: &Asked, say: &Say, usage: &Usage, status: &str) -> Value {
    let output = if status == "completed" { vec![item(asked, say)] } else { Vec::new() };
    json!({"id": "resp_fake", "object": "response", "created_at": 1, "status": status, "model": asked.model, "output": output,
           "usage": {"input_tokens": usage.input, "input_tokens_details": {"cached_tokens": usage.cached},
                     "output_tokens": usage.output, "output_tokens_details": {"reasoning_tokens": 0},
                     "total_tokens": usage.input + usage.output}})
}

/// Writes a response as events.
pub(crate) fn response_frames(asked: &Asked, say: &Say, usage: &Usage, pieces: usize) -> Vec<String> {
    let whole = item(asked, say);
    let mut events = vec![
        json!({"type": "response.created", "response": response(asked, say, usage, "in_progress")}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": whole}),
    ];
    if let Say::Text(text) = say {
        let at = json!({"item_id": "msg_fake", "output_index": 0, "content_index": 0});
        let with = |kind: &str, field: &str, value: &str| {
            let mut event = at.clone();
            event["type"] = json!(kind);
            event[field] = json!(value);
            event
        };
        events.extend(cut(text, pieces).iter().map(|piece| with("response.output_text.delta", "delta", piece)));
        events.push(with("response.output_text.done", "text", text));
    }
    events.push(json!({"type": "response.output_item.done", "output_index": 0, "item": whole}));
    events.push(json!({"type": "response.completed", "response": response(asked, say, usage, "completed")}));
    let named = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap_or_default());
    events.iter().map(named).collect()
}

fn used(usage: &Usage) -> Value {
    json!({"prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": usage.input + usage.output,
           "prompt_tokens_details": {"cached_tokens": usage.cached}})
}

fn message(asked: &Asked, say: &Say) -> (Value, &'static str) {
    match say {
        Say::Text(text) => (json!({"role": "assistant", "content": text}), "stop"),
        Say::Call(call) => {
            let function = json!({"name": call.name, "arguments": call.input.to_string()});
            let id = format!("call_{}", asked.messages);
            let calls = json!([{"index": 0, "id": id, "type": "function", "function": function}]);
            (json!({"role": "assistant", "content": null, "tool_calls": calls}), "tool_calls")
        }
    }
}

/// Writes a chat completion in one piece.
pub(crate) fn chat(asked: &Asked, say: &Say, usage: &Usage) -> Value {
    let (message, reason) = message(asked, say);
    json!({"id": "chat_fake", "object": "chat.completion", "created": 1, "model": asked.model, "usage": used(usage),
           "choices": [{"index": 0, "message": message, "finish_reason": reason}]})
}

/// Writes a chat completion as events.
pub(crate) fn chat_frames(asked: &Asked, say: &Say, usage: &Usage, pieces: usize) -> Vec<String> {
    let (message, reason) = message(asked, say);
    let deltas = match say {
        Say::Text(text) => {
            cut(text, pieces).iter().map(|piece| json!({"role": "assistant", "content": piece})).collect()
        }
        Say::Call(_) => vec![message],
    };
    let chunk = |delta: Value, reason: Option<&str>| {
        json!({"id": "chat_fake", "object": "chat.completion.chunk", "created": 1, "model": asked.model,
               "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    };
    let mut events: Vec<Value> = deltas.into_iter().map(|delta| chunk(delta, None)).collect();
    events.push(chunk(json!({}), Some(reason)));
    let mut last = chunk(json!({}), None);
    last["choices"] = json!([]);
    last["usage"] = used(usage);
    events.push(last);
    let data = events.iter().map(|event| format!("data: {event}\n\n"));
    data.chain(["data: [DONE]\n\n".to_owned()]).collect()
}

/// Writes an error.
pub(crate) fn error(status: u16, message: &str) -> Value {
    let kind = match status {
        401 => "invalid_api_key",
        429 => "rate_limit_exceeded",
        400 => "invalid_request_error",
        _ => "server_error",
    };
    json!({"error": {"message": message, "type": kind, "code": kind, "param": null}})
}
