//! What is said, whatever the API: what a request asks, what the script answers, and the words for both in each API.

use serde_json::Value;

use crate::script::{Call, Reply, Usage};
use crate::{anthropic, gemini, openai, sensible};

/// What a request asks.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) model: String,
    pub(crate) stream: bool,
    /// What the user wrote, all of it.
    pub(crate) prompt: String,
    /// Names of the tools that it offers.
    pub(crate) tools: Vec<String>,
    /// Whether the answer is to follow a schema without a tool for it.
    pub(crate) has_format: bool,
    /// How many messages it holds: names each call of a tool apart.
    pub(crate) messages: usize,
    /// How many results of tools it brings since the last prompt.
    pub(crate) after_tool: usize,
}

/// The tools by which clients ask for structured output.
const STRUCTURED_TOOLS: [&str; 2] = ["StructuredOutput", "answer"];

/// What is said.
pub(crate) enum Say {
    Text(String),
    Call(Call),
}

impl Say {
    /// Chooses what is said to a request.
    pub(crate) fn of(asked: &Asked, reply: &Reply) -> Say {
        // Also a tool that was not offered: models do that. A request without any tool is a side errand of the client.
        if let Some(call) = reply.tools.get(asked.after_tool).filter(|_| !asked.tools.is_empty()) {
            return Say::Call(call.clone());
        }
        let structured = reply.structured.as_ref().map(|given| match given {
            Value::Bool(true) => answer(&asked.prompt),
            Value::Bool(false)
            | Value::Null
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_) => given.clone(),
        });
        let tool = asked.tools.iter().find(|tool| STRUCTURED_TOOLS.contains(&tool.as_str()));
        match (structured, tool) {
            (Some(input), Some(tool)) if asked.after_tool <= reply.tools.len() => {
                Say::Call(Call { name: tool.clone(), input })
            }
            (Some(value), _) if asked.has_format => Say::Text(value.to_string()),
            (Some(_) | None, _) => Say::Text(
                reply.text.replace("{prompt}", &asked.prompt).replace("{answer}", &answer(&asked.prompt).to_string()),
            ),
        }
    }
}

/// A plain valid answer to the last question in a prompt; an empty object if there is none.
fn answer(prompt: &str) -> Value {
    if let Some(ballot) = sensible::block_of(prompt, "dicast.round/1") {
        return sensible::votes(&ballot, "sensible");
    }
    let ask = sensible::block_of(prompt, "dicast.ask/1");
    ask.map_or_else(|| Value::Object(serde_json::Map::new()), |ask| sensible::artifact(&ask, "scripted", None))
}

/// The APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Anthropic,
    CountTokens,
    Responses,
    Chat,
    Gemini,
}

impl Api {
    /// Writes an answer in one piece.
    pub(crate) fn whole(self, asked: &Asked, say: &Say, usage: &Usage) -> Value {
        match self {
            Api::Anthropic => anthropic::whole(asked, say, usage),
            Api::CountTokens => serde_json::json!({"input_tokens": usage.input}),
            Api::Responses => openai::response(asked, say, usage, "completed"),
            Api::Chat => openai::chat(asked, say, usage),
            Api::Gemini => gemini::whole(say, usage),
        }
    }

    /// Writes an answer as server-sent events, its text in `pieces`.
    pub(crate) fn frames(self, asked: &Asked, say: &Say, usage: &Usage, pieces: usize) -> Vec<String> {
        match self {
            Api::Anthropic | Api::CountTokens => anthropic::frames(asked, say, usage, pieces),
            Api::Responses => openai::response_frames(asked, say, usage, pieces),
            Api::Chat => openai::chat_frames(asked, say, usage, pieces),
            Api::Gemini => gemini::frames(say, usage, pieces),
        }
    }

    /// Writes an error.
    pub(crate) fn error(self, status: u16, message: &str) -> Value {
        match self {
            Api::Anthropic | Api::CountTokens => anthropic::error(status, message),
            Api::Responses | Api::Chat => openai::error(status, message),
            Api::Gemini => gemini::error(status, message),
        }
    }
}

/// Tells whether a text is one of our questions.
pub(crate) fn is_prompt(text: &str) -> bool {
    ["dicast.ask/1", "dicast.round/1"].iter().any(|schema| text.contains(schema))
}

/// Counts the results of tools since the last prompt; given are the results that each message of the user brings.
pub(crate) fn since_prompt(results: impl Iterator<Item = usize>) -> usize {
    results.fold(0, |since, brought| if brought == 0 { 0 } else { since + brought })
}

/// Cuts a text into at most `pieces` parts.
pub(crate) fn cut(text: &str, pieces: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(letters.len().div_ceil(pieces).max(1)).map(|piece| piece.iter().collect()).collect()
}
