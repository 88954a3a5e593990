//! OpenAI's Chat Completions, as llama.cpp, Ollama, vLLM and most others speak it, too.
//!
//! It must not know the other APIs.

use serde_json::{Map, Value, json};

use super::tools::Tool;
use super::{Ask, Draft, Offer, Returned, Stop, number, text};
use crate::domain::launch::strict;
use crate::domain::settings::JsonMode;
use crate::domain::stream::Usage;

/// Writes a request.
pub(super) fn body(ask: &Ask<'_>) -> Value {
    let mut body = json!({
        "model": ask.model,
        "messages": ask.messages,
        "stream": true,
        "stream_options": {"include_usage": true},
        "max_tokens": ask.max_output_tokens,
    });
    if ask.offer != Offer::Nothing {
        let function = |tool: Tool| {
            let function = json!({"name": tool.name, "description": tool.does, "parameters": tool.takes});
            json!({"type": "function", "function": function})
        };
        body["tools"] = ask.told().map(function).collect();
    }
    if ask.offer == Offer::Over {
        body["tool_choice"] = json!("none");
    }
    match ask.mode {
        JsonMode::JsonSchema => {
            let schema = strict(ask.schema.clone());
            let named = json!({"name": "artifact", "schema": schema, "strict": true});
            body["response_format"] = json!({"type": "json_schema", "json_schema": named});
        }
        JsonMode::JsonObject => body["response_format"] = json!({"type": "json_object"}),
        JsonMode::None => {}
    }
    body
}

/// Reads one event; returns the next piece of text.
pub(super) fn event(draft: &mut Draft, value: &Value) -> Option<String> {
    if value["usage"].is_object() {
        draft.usage = Usage {
            input_tokens: number(value, "/usage/prompt_tokens").unwrap_or(0),
            cached_tokens: number(value, "/usage/prompt_tokens_details/cached_tokens").unwrap_or(0),
            output_tokens: number(value, "/usage/completion_tokens").unwrap_or(0),
            cost_micro_usd: None,
        };
    }
    for (at, piece) in
        value.pointer("/choices/0/delta/tool_calls").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        // Some servers give no place: then it is the one in this list.
        let at = number(piece, "/index").unwrap_or(at as u64);
        let (id, name) = (text(piece, "/id"), text(piece, "/function/name"));
        let Some(call) = draft.call_of(at, id, !name.is_empty()) else { continue };
        if call.id.is_empty() {
            id.clone_into(&mut call.id);
        }
        if call.name.is_empty() {
            name.clone_into(&mut call.name);
        }
        Draft::grows(&mut call.input, text(piece, "/function/arguments"));
    }
    draft.refusal.push_str(text(value, "/choices/0/delta/refusal"));
    match text(value, "/choices/0/finish_reason") {
        "" => {}
        "length" => draft.stop = Some(Stop::Length),
        "tool_calls" | "function_call" => draft.stop = Some(Stop::Calls),
        "content_filter" => draft.stop = Some(Stop::Refused("a filter of its server took the answer".into())),
        _ => draft.stop = Some(Stop::Over),
    }
    draft.say(text(value, "/choices/0/delta/content"))
}

/// Writes the reply as the conversation goes on with it.
pub(super) fn said(draft: &Draft) -> Vec<Value> {
    let mut message =
        Map::from_iter([("role".to_owned(), json!("assistant")), ("content".to_owned(), json!(draft.text))]);
    let calls: Vec<Value> = draft
        .calls
        .values()
        .filter(|call| !call.name.is_empty())
        .map(|call| {
            let function = json!({"name": call.name, "arguments": call.input});
            json!({"id": call.id, "type": "function", "function": function})
        })
        .collect();
    if !calls.is_empty() {
        message.insert("tool_calls".into(), Value::Array(calls));
    }
    vec![Value::Object(message)]
}

/// Writes what calls came to.
pub(super) fn returned(results: &[Returned]) -> Vec<Value> {
    results.iter().map(|one| json!({"role": "tool", "tool_call_id": one.id, "content": one.text})).collect()
}
