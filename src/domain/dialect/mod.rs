//! What is said to a model over HTTP and what it says back, in each API: requests are written, the events of a streamed
//! reply are read. [`sse`] cuts the stream, [`tools`] are what the model may use, [`fault`] is what an error means.
//!
//! Pure: it must not know sockets, clocks or files. A conversation is a list of messages as its API wants them back, so
//! that nothing that a model said (its reasoning among it) is lost by retelling.

mod anthropic;
mod chat;
pub mod fault;
mod responses;
pub mod sse;
pub mod tools;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::settings::{Api, JsonMode};
use super::stream::Usage;
use fault::Wrong;

/// Longest text of one reply that is collected, in bytes: no real answer is as long.
const TEXT_MAX: usize = 16 << 20;

/// Most calls of tools that one reply may hold.
const CALLS_MAX: usize = 64;

/// What stands for a reply of which nothing is left: some servers take no empty one.
const CUT_OFF: &str = "(cut off)";

/// The tool by which an answer of a given shape is asked for, where an API has no other way.
pub const ANSWER: &str = "answer";

/// One request.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// The model.
    pub model: &'a str,
    /// The conversation so far, its last word ours.
    pub messages: &'a [Value],
    /// How the answer's shape is asked for.
    pub mode: JsonMode,
    /// The answer's JSON Schema.
    pub schema: &'a Value,
    /// What may be used.
    pub offer: Offer,
    /// Tools besides those for the repository.
    pub more: &'a [tools::Tool],
    /// Most tokens that it may write.
    pub max_output_tokens: u64,
}

/// Which tools a request offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// None at all.
    Nothing,
    /// Those for the repository.
    Tools,
    /// Those for the repository are told, because they were used, and may not be used any more.
    Over,
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Call {
    /// Its name in this conversation.
    pub id: String,
    /// The tool.
    pub name: String,
    /// What it is given: JSON as text.
    pub input: String,
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// The call's name in this conversation.
    pub id: String,
    /// The result, or why there is none.
    pub text: String,
    /// Whether it is why there is none.
    pub is_error: bool,
}

/// How a reply ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It is whole.
    Over,
    /// It wants results of tools.
    Calls,
    /// It was cut off at the most tokens that it may write.
    Length,
    /// The model does not want to, in its words.
    Refused(String),
}

/// A whole reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What it says.
    pub text: String,
    /// The answer, where it was given through [`ANSWER`].
    pub answer: Option<Call>,
    /// What it calls.
    pub calls: Vec<Call>,
    /// How it ended.
    pub stop: Stop,
    /// What it used.
    pub usage: Usage,
    /// Itself, as the conversation goes on with it.
    pub said: Vec<Value>,
}

impl Ask<'_> {
    /// Returns the tools that are told: those for the repository, then the others.
    fn told(&self) -> impl Iterator<Item = tools::Tool> {
        tools::tools().into_iter().chain(self.more.iter().cloned())
    }
}

/// Writes a request.
pub fn body(api: Api, ask: &Ask<'_>) -> Value {
    match api {
        Api::OpenaiChat => chat::body(ask),
        Api::OpenaiResponses => responses::body(ask),
        Api::Anthropic => anthropic::body(ask),
    }
}

/// Writes what we say. `open` are calls of the reply before, to which nobody has said anything yet: Anthropic wants that
/// first, where the answer itself is the input of a tool.
pub fn user(api: Api, prompt: &str, open: &[Call]) -> Value {
    match api {
        Api::Anthropic if !open.is_empty() => anthropic::after_answer(open, prompt),
        Api::OpenaiChat | Api::OpenaiResponses | Api::Anthropic => json!({"role": "user", "content": prompt}),
    }
}

/// Writes what calls of tools came to.
pub fn returned(api: Api, results: &[Returned]) -> Vec<Value> {
    match api {
        Api::OpenaiChat => chat::returned(results),
        Api::OpenaiResponses => responses::returned(results),
        Api::Anthropic => anthropic::returned(results),
    }
}

/// Returns the headers that carry the key and whatever else the API wants.
pub fn headers(api: Api, key: Option<&str>) -> Vec<(&'static str, String)> {
    match api {
        Api::OpenaiChat | Api::OpenaiResponses => {
            key.map(|key| ("authorization", format!("Bearer {key}"))).into_iter().collect()
        }
        Api::Anthropic => {
            let version = ("anthropic-version", anthropic::VERSION.to_owned());
            key.map(|key| ("x-api-key", key.to_owned())).into_iter().chain([version]).collect()
        }
    }
}

/// Reads one reply, event by event.
#[derive(Debug)]
pub struct Reading {
    api: Api,
    draft: Draft,
}

/// A reply as far as it was read.
#[derive(Debug, Default)]
struct Draft {
    text: String,
    /// By the place that the API gives them.
    calls: BTreeMap<u64, Call>,
    /// Where pieces for a place go, once a place was given to a second call.
    moved: BTreeMap<u64, u64>,
    usage: Usage,
    stop: Option<Stop>,
    /// What the API wants back as it gave it.
    blocks: BTreeMap<u64, Value>,
    refusal: String,
    is_over: bool,
}

impl Draft {
    /// Adds a piece of text; what passes the limit is left out.
    fn say(&mut self, piece: &str) -> Option<String> {
        if self.text.len() + piece.len() <= TEXT_MAX {
            self.text.push_str(piece);
        }
        (!piece.is_empty()).then(|| piece.to_owned())
    }

    /// Returns the call at a place; none if there would be too many.
    fn call(&mut self, at: u64) -> Option<&mut Call> {
        let has_room = self.calls.len() < CALLS_MAX || self.calls.contains_key(&at);
        has_room.then(|| self.calls.entry(at).or_default())
    }

    /// Returns the call that a piece for a place belongs to. A piece that begins a call (it names a tool) under another
    /// name than the one in its place is a call of its own: some servers give all calls the same place, or none.
    fn call_of(&mut self, place: u64, id: &str, begins: bool) -> Option<&mut Call> {
        let at = self.moved.get(&place).copied().unwrap_or(place);
        let is_taken = self.calls.get(&at).is_some_and(|call| !call.id.is_empty() && call.id != id);
        if id.is_empty() || !begins || !is_taken {
            return self.call(at);
        }
        let last = self.calls.last_key_value().map_or(0, |(last, _)| *last);
        self.moved.insert(place, last.saturating_add(1));
        self.call(last.saturating_add(1))
    }

    fn grows(input: &mut String, piece: &str) {
        if input.len() + piece.len() <= TEXT_MAX {
            input.push_str(piece);
        }
    }
}

impl Reading {
    /// Starts to read.
    pub fn new(api: Api) -> Self {
        Self { api, draft: Draft::default() }
    }

    /// Takes an event's data; returns the next piece of what the model says.
    ///
    /// # Errors
    /// [`Wrong`] if the server says that something went wrong, or says what nobody can read.
    pub fn event(&mut self, data: &str) -> Result<Option<String>, Wrong> {
        if data.trim() == "[DONE]" {
            self.draft.is_over |= self.draft.stop.is_some();
            return Ok(None);
        }
        let value: Value = serde_json::from_str(data).map_err(|error| Wrong::garbled(&format!("{error}")))?;
        if let Some(wrong) = Wrong::said(&value) {
            return Err(wrong);
        }
        match self.api {
            Api::OpenaiChat => Ok(chat::event(&mut self.draft, &value)),
            Api::OpenaiResponses => responses::event(&mut self.draft, &value),
            Api::Anthropic => Ok(anthropic::event(&mut self.draft, &value)),
        }
    }

    /// Tells whether all was said.
    pub fn is_over(&self) -> bool {
        self.draft.is_over
    }

    /// Tells whether anything was understood: then what came is no noise.
    pub fn has_begun(&self) -> bool {
        self.draft.stop.is_some()
            || !self.draft.text.is_empty()
            || !self.draft.usage.is_none()
            || !self.draft.calls.is_empty()
    }

    /// Returns what was used so far.
    pub fn usage(&self) -> Usage {
        self.draft.usage
    }

    /// The stream has ended: returns the reply.
    ///
    /// # Errors
    /// [`Wrong`] if it ended before the reply did.
    pub fn close(self) -> Result<Reply, Wrong> {
        let Self { api, mut draft } = self;
        let Some(stop) = draft.stop.take() else { return Err(Wrong::broken_off()) };
        let said = match api {
            // Calls that were cut off are never carried out, and these APIs want a result of each that goes back.
            Api::OpenaiChat | Api::OpenaiResponses if stop == Stop::Length && !draft.calls.is_empty() => {
                let text = if draft.text.is_empty() { CUT_OFF } else { draft.text.as_str() };
                vec![json!({"role": "assistant", "content": text})]
            }
            Api::OpenaiChat => chat::said(&draft),
            Api::OpenaiResponses => responses::said(&draft),
            Api::Anthropic => anthropic::said(&draft),
        };
        let (answers, calls): (Vec<Call>, Vec<Call>) =
            draft.calls.into_values().filter(|call| !call.name.is_empty()).partition(|call| call.name == ANSWER);
        let stop = match stop {
            // Some servers say that a reply with calls is whole.
            Stop::Over | Stop::Calls if calls.is_empty() => Stop::Over,
            Stop::Over | Stop::Calls => Stop::Calls,
            Stop::Length => Stop::Length,
            Stop::Refused(why) => Stop::Refused(why),
        };
        let stop = match (stop, draft.refusal.is_empty()) {
            (Stop::Over, false) => Stop::Refused(draft.refusal),
            (stop, _) => stop,
        };
        Ok(Reply { text: draft.text, answer: answers.into_iter().next(), calls, stop, usage: draft.usage, said })
    }
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, pointer: &str) -> Option<u64> {
    value.pointer(pointer).and_then(Value::as_u64)
}

#[cfg(test)]
mod tests;
