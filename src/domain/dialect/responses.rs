//! OpenAI's Responses. Every item of a reply goes back as it came: a reasoning model wants its reasoning back.
//!
//! It must not know the other APIs.

use serde_json::{Value, json};

use super::fault::Wrong;
use super::tools::Tool;
use super::{Ask, Draft, Offer, Returned, Stop, number, text};
use crate::domain::launch::strict;
use crate::domain::settings::JsonMode;
use crate::domain::stream::Usage;

/// Writes a request.
pub(super) fn body(ask: &Ask<'_>) -> Value {
    let mut body = json!({
        "model": ask.model,
        "input": ask.messages,
        "stream": true,
        "max_output_tokens": ask.max_output_tokens,
    });
    if ask.offer != Offer::Nothing {
        let function = |tool: Tool| json!({"type": "function", "name": tool.name, "description": tool.does, "parameters": tool.takes, "strict": false});
        body["tools"] = ask.told().map(function).collect();
    }
    if ask.offer == Offer::Over {
        body["tool_choice"] = json!("none");
    }
    match ask.mode {
        JsonMode::JsonSchema => {
            let schema = strict(ask.schema.clone());
            body["text"] =
                json!({"format": {"type": "json_schema", "name": "artifact", "schema": schema, "strict": true}});
        }
        JsonMode::JsonObject => body["text"] = json!({"format": {"type": "json_object"}}),
        JsonMode::None => {}
    }
    body
}

/// Reads one event; returns the next piece of text.
///
/// # Errors
/// [`Wrong`] when it says that the response failed.
pub(super) fn event(draft: &mut Draft, value: &Value) -> Result<Option<String>, Wrong> {
    match text(value, "/type") {
        "response.output_text.delta" => return Ok(draft.say(text(value, "/delta"))),
        "response.refusal.delta" => draft.refusal.push_str(text(value, "/delta")),
        "response.output_item.done" => {
            let at = number(value, "/output_index").unwrap_or(draft.blocks.len() as u64);
            item(draft, at, &value["item"]);
        }
        "response.failed" => return Err(Wrong::failed(&value["response"])),
        "response.completed" => over(draft, &value["response"], Stop::Over),
        "response.incomplete" => {
            let stop = match text(value, "/response/incomplete_details/reason") {
                "content_filter" => Stop::Refused("a filter of its server took the answer".into()),
                _ => Stop::Length,
            };
            over(draft, &value["response"], stop);
        }
        _ => {}
    }
    Ok(None)
}

fn over(draft: &mut Draft, response: &Value, stop: Stop) {
    for (at, each) in response["output"].as_array().into_iter().flatten().enumerate() {
        item(draft, at as u64, each);
    }
    if draft.text.is_empty() {
        // A server that streams no pieces gives the text whole.
        let parts = draft.blocks.values().filter(|item| item["type"] == "message");
        let texts: Vec<String> = parts
            .flat_map(|item| item["content"].as_array().into_iter().flatten())
            .filter(|part| part["type"] == "output_text")
            .map(|part| text(part, "/text").to_owned())
            .collect();
        draft.say(&texts.concat());
    }
    draft.usage = Usage {
        input_tokens: number(response, "/usage/input_tokens").unwrap_or(0),
        cached_tokens: number(response, "/usage/input_tokens_details/cached_tokens").unwrap_or(0),
        output_tokens: number(response, "/usage/output_tokens").unwrap_or(0),
        cost_micro_usd: None,
    };
    draft.stop = Some(stop);
    draft.is_over = true;
}

fn item(draft: &mut Draft, at: u64, item: &Value) {
    if item["type"] == "function_call"
        && let Some(call) = draft.call(at)
    {
        call.id = text(item, "/call_id").to_owned();
        call.name = text(item, "/name").to_owned();
        call.input = text(item, "/arguments").to_owned();
    }
    draft.blocks.insert(at, item.clone());
}

/// Writes the reply as the conversation goes on with it.
pub(super) fn said(draft: &Draft) -> Vec<Value> {
    if draft.blocks.is_empty() {
        return vec![json!({"role": "assistant", "content": draft.text})];
    }
    draft.blocks.values().cloned().collect()
}

/// Writes what calls came to.
pub(super) fn returned(results: &[Returned]) -> Vec<Value> {
    let item = |one: &Returned| json!({"type": "function_call_output", "call_id": one.id, "output": one.text});
    results.iter().map(item).collect()
}
