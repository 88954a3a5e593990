//! Anthropic's Messages. An answer of a given shape is asked for as the input of a tool of that shape, which may be
//! called beside those for the repository and must be when they are over. Every block of a reply goes back as it came.
//!
//! It must not know the other APIs.

use serde_json::{Value, json};

use super::tools::Tool;
use super::{ANSWER, Ask, Call, Draft, Offer, Returned, Stop, number, text};
use crate::domain::settings::JsonMode;

/// The version of the API that is spoken.
pub(super) const VERSION: &str = "2023-06-01";

/// Writes a request.
pub(super) fn body(ask: &Ask<'_>) -> Value {
    let mut body = json!({
        "model": ask.model,
        "messages": ask.messages,
        "stream": true,
        "max_tokens": ask.max_output_tokens,
    });
    let told = |tool: Tool| json!({"name": tool.name, "description": tool.does, "input_schema": tool.takes});
    let mut offered: Vec<Value> = match ask.offer {
        Offer::Nothing => Vec::new(),
        Offer::Tools | Offer::Over => ask.told().map(told).collect(),
    };
    let has_answer = ask.mode == JsonMode::JsonSchema;
    if has_answer {
        let does = "Gives the answer to the question; nothing is read after it.";
        offered.push(json!({"name": ANSWER, "description": does, "input_schema": ask.schema}));
    }
    if !offered.is_empty() {
        body["tools"] = Value::Array(offered);
    }
    match (ask.offer, has_answer) {
        (Offer::Nothing | Offer::Over, true) => body["tool_choice"] = json!({"type": "tool", "name": ANSWER}),
        (Offer::Over, false) => body["tool_choice"] = json!({"type": "none"}),
        (Offer::Nothing, false) | (Offer::Tools, _) => {}
    }
    body
}

/// Reads one event; returns the next piece of text.
pub(super) fn event(draft: &mut Draft, value: &Value) -> Option<String> {
    let at = number(value, "/index").unwrap_or(0);
    match text(value, "/type") {
        "message_start" => count(draft, &value["message"]["usage"]),
        "content_block_start" => {
            let block = &value["content_block"];
            if block["type"] == "tool_use"
                && let Some(call) = draft.call(at)
            {
                call.id = text(block, "/id").to_owned();
                call.name = text(block, "/name").to_owned();
            }
            draft.blocks.insert(at, block.clone());
            return draft.say(text(block, "/text"));
        }
        "content_block_delta" => return delta(draft, at, &value["delta"]),
        "content_block_stop" => {
            if let (Some(call), Some(block)) = (draft.calls.get(&at), draft.blocks.get_mut(&at)) {
                block["input"] = serde_json::from_str(&call.input).unwrap_or_else(|_| json!({}));
            }
        }
        "message_delta" => {
            count(draft, &value["usage"]);
            match text(value, "/delta/stop_reason") {
                "" => {}
                "max_tokens" => draft.stop = Some(Stop::Length),
                "tool_use" => draft.stop = Some(Stop::Calls),
                "refusal" => draft.stop = Some(Stop::Refused("it ended with a refusal".into())),
                _ => draft.stop = Some(Stop::Over),
            }
        }
        "message_stop" => draft.is_over = draft.stop.is_some(),
        _ => {}
    }
    None
}

fn delta(draft: &mut Draft, at: u64, delta: &Value) -> Option<String> {
    match text(delta, "/type") {
        "text_delta" => {
            append(draft, at, "text", text(delta, "/text"));
            draft.say(text(delta, "/text"))
        }
        "input_json_delta" => {
            let piece = text(delta, "/partial_json");
            let call = draft.call(at)?;
            Draft::grows(&mut call.input, piece);
            // The answer is said, although through a tool.
            (call.name == ANSWER && !piece.is_empty()).then(|| piece.to_owned())
        }
        "thinking_delta" => append(draft, at, "thinking", text(delta, "/thinking")),
        "signature_delta" => append(draft, at, "signature", text(delta, "/signature")),
        _ => None,
    }
}

/// Adds to a text of a block that goes back as it came.
fn append(draft: &mut Draft, at: u64, member: &str, piece: &str) -> Option<String> {
    let block = draft.blocks.get_mut(&at)?;
    let mut whole = block[member].as_str().unwrap_or_default().to_owned();
    Draft::grows(&mut whole, piece);
    block[member] = Value::String(whole);
    None
}

/// The counts of an event are those of the whole message so far.
fn count(draft: &mut Draft, usage: &Value) {
    let of = |name: &str| usage[name].as_u64();
    if let Some(plain) = of("input_tokens") {
        let cached = of("cache_read_input_tokens").unwrap_or(0);
        draft.usage.input_tokens = plain + cached + of("cache_creation_input_tokens").unwrap_or(0);
        draft.usage.cached_tokens = cached;
    }
    draft.usage.output_tokens = of("output_tokens").unwrap_or(draft.usage.output_tokens);
}

/// Writes the reply as the conversation goes on with it; an empty text may not go back.
pub(super) fn said(draft: &Draft) -> Vec<Value> {
    let is_empty = |block: &&Value| block["type"] == "text" && text(block, "/text").is_empty();
    let blocks: Vec<&Value> = draft.blocks.values().filter(|block| !is_empty(block)).collect();
    match blocks.is_empty() {
        true => Vec::new(),
        false => vec![json!({"role": "assistant", "content": blocks})],
    }
}

/// Writes what calls came to.
pub(super) fn returned(results: &[Returned]) -> Vec<Value> {
    let block = |one: &Returned| json!({"type": "tool_result", "tool_use_id": one.id, "content": one.text, "is_error": one.is_error});
    vec![json!({"role": "user", "content": results.iter().map(block).collect::<Vec<_>>()})]
}

/// Takes the answer that was given through a tool, and says the next thing.
pub(super) fn after_answer(open: &[Call], prompt: &str) -> Value {
    let taken = |call: &Call| json!({"type": "tool_result", "tool_use_id": call.id, "content": "taken"});
    let mut blocks: Vec<Value> = open.iter().map(taken).collect();
    blocks.push(json!({"type": "text", "text": prompt}));
    json!({"role": "user", "content": blocks})
}
