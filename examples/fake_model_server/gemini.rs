//! The Gemini API.

use serde_json::{Value, json};

use crate::script::Usage;
use crate::texts;
use crate::voice::{Asked, Say, cut, since_prompt};

/// Reads a request.
pub(crate) fn asked(model: &str, verb: &str, body: &Value) -> Asked {
    let contents = body["contents"].as_array().map_or(&[][..], Vec::as_slice);
    let users: Vec<&Value> = contents.iter().filter(|c| c["role"] != "model").map(|c| &c["parts"]).collect();
    let declared = body["tools"].as_array().into_iter().flatten().filter_map(|t| t["functionDeclarations"].as_array());
    Asked {
        model: model.to_owned(),
        stream: verb.starts_with("stream"),
        prompt: users.iter().map(|parts| texts(parts)).collect::<Vec<_>>().join("\n"),
        tools: declared.flatten().filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect(),
        has_format: body["generationConfig"]["responseMimeType"] == "application/json",
        messages: contents.len(),
        after_tool: since_prompt(users.iter().map(|parts| results(parts))),
    }
}

/// How many results of tools a message brings.
fn results(parts: &Value) -> usize {
    parts.as_array().into_iter().flatten().filter(|part| !part["functionResponse"].is_null()).count()
}

fn candidate(part: Value, usage: &Usage, is_last: bool) -> Value {
    let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": [part]}});
    if is_last {
        candidate["finishReason"] = json!("STOP");
    }
    json!({"candidates": [candidate],
           "usageMetadata": {"promptTokenCount": usage.input, "cachedContentTokenCount": usage.cached,
                             "candidatesTokenCount": usage.output, "totalTokenCount": usage.input + usage.output}})
}

fn call(say: &Say) -> Option<Value> {
    match say {
        Say::Text(_) => None,
        Say::Call(call) => Some(json!({"functionCall": {"name": call.name, "args": call.input}})),
    }
}

/// Writes an answer in one piece.
pub(crate) fn whole(say: &Say, usage: &Usage) -> Value {
    let text = match say {
        Say::Text(text) => json!({"text": text}),
        Say::Call(_) => Value::Null,
    };
    candidate(call(say).unwrap_or(text), usage, true)
}

/// Writes an answer as events.
pub(crate) fn frames(say: &Say, usage: &Usage, pieces: usize) -> Vec<String> {
    let parts: Vec<Value> = match say {
        Say::Text(text) => cut(text, pieces).iter().map(|piece| json!({"text": piece})).collect(),
        Say::Call(_) => call(say).into_iter().collect(),
    };
    let count = parts.len();
    let event = |(i, part)| format!("data: {}\r\n\r\n", candidate(part, usage, i + 1 == count));
    parts.into_iter().enumerate().map(event).collect()
}

/// Writes an error.
pub(crate) fn error(status: u16, message: &str) -> Value {
    let name = match status {
        401 => "UNAUTHENTICATED",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        400 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    };
    json!({"error": {"code": status, "message": message, "status": name}})
}
