//! What a program's JSON lines mean: text, tools, tokens, the end. The meaning is data ([`Dialect`]): the presets are
//! shipped, any other program's is configured.
//!
//! It must not know processes, nor what an answer is worth.

pub mod rule;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::acp::Manner;
use rule::{BadRule, Rule, When};

/// Longest text that is collected as an answer, in bytes: no real one is as long.
const ANSWER_MAX: usize = 16 << 20;

/// How a program's JSON is read: for each field the rules that find it. Of several rules each is tried.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Dialect {
    finds: BTreeMap<Field, Vec<Rule>>,
    tells: BTreeMap<Sign, Vec<When>>,
}

/// How a program hands over its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Its output holds the artifact's JSON, with or without prose around it.
    #[default]
    Text,
    /// Its whole output is one JSON value, read by these rules.
    Json(Dialect),
    /// Each line of its output is a JSON object, read by these rules.
    Jsonl(Dialect),
    /// It is spoken to over the Agent Client Protocol on its standard streams.
    Acp(Box<Manner>),
}

impl Transport {
    /// Tells whether it is plain text.
    pub fn is_text(&self) -> bool {
        *self == Transport::Text
    }

    /// Returns how it is spoken to, if that is over the Agent Client Protocol.
    pub fn manner(&self) -> Option<&Manner> {
        match self {
            Transport::Acp(manner) => Some(manner),
            Transport::Text | Transport::Json(_) | Transport::Jsonl(_) => None,
        }
    }

    /// Returns by which rules the output is read, if that is configured.
    pub fn dialect(&self) -> Option<&Dialect> {
        match self {
            Transport::Text | Transport::Acp(_) => None,
            Transport::Json(dialect) | Transport::Jsonl(dialect) => Some(dialect),
        }
    }
}

/// A conversation that can be gone on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name, as the program gave it.
    pub id: String,
    /// What its turns used so far, as the program counts.
    pub used: Usage,
}

/// A value that a line can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// The next piece of what it says.
    Delta,
    /// A whole text that it said.
    Text,
    /// Its last word: the answer.
    Answer,
    /// The answer as JSON, checked by the program itself.
    Structured,
    /// What went wrong, in words.
    Error,
    /// The HTTP status of what went wrong.
    HttpStatus,
    /// How long its API asks to wait, in milliseconds.
    RetryAfterMs,
    /// That it tries again by itself, in words.
    Retry,
    /// The session, to go on with it.
    Session,
    /// What it is doing now, in its own words.
    Doing,
    /// A tool that it uses.
    Tool,
    /// What the tool is given.
    ToolInput,
    /// What the tool gave back.
    ToolOutput,
    /// Tokens of the prompt, with those from a cache; all that is found is added up.
    InputTokens,
    /// Tokens of the prompt that came from a cache; added up.
    CachedTokens,
    /// Tokens written; added up.
    OutputTokens,
    /// What the program says it cost, in USD; added up.
    CostUsd,
    /// What the program says its whole session cost so far, in USD; the latest counts.
    SessionCostUsd,
}

/// Something that a line can tell by being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// The turn ended well.
    Ok,
    /// The turn failed.
    Failed,
    /// What was used is counted for the whole session, not for this turn.
    CountsSession,
}

/// The words for both in a config: value fields first.
const FIELDS: [(&str, Field); 18] = [
    ("delta", Field::Delta),
    ("text", Field::Text),
    ("answer", Field::Answer),
    ("structured", Field::Structured),
    ("error", Field::Error),
    ("http_status", Field::HttpStatus),
    ("retry_after_ms", Field::RetryAfterMs),
    ("retry", Field::Retry),
    ("session", Field::Session),
    ("doing", Field::Doing),
    ("tool", Field::Tool),
    ("tool_input", Field::ToolInput),
    ("tool_output", Field::ToolOutput),
    ("input_tokens", Field::InputTokens),
    ("cached_tokens", Field::CachedTokens),
    ("output_tokens", Field::OutputTokens),
    ("cost_usd", Field::CostUsd),
    ("session_cost_usd", Field::SessionCostUsd),
];

const SIGNS: [(&str, Sign); 3] = [("ok", Sign::Ok), ("failed", Sign::Failed), ("counts_session", Sign::CountsSession)];

impl Dialect {
    /// Adds a rule for a field, by its name in a config.
    ///
    /// # Errors
    /// [`BadRule`] says what is wrong with the rule, or that there is no such field.
    pub fn add(&mut self, field: &str, rule: &str) -> Result<(), BadRule> {
        if let Some((_, sign)) = SIGNS.iter().find(|(name, _)| *name == field) {
            self.tells.entry(*sign).or_default().push(rule.parse()?);
            return Ok(());
        }
        match FIELDS.iter().find(|(name, _)| *name == field) {
            Some((_, known)) => {
                self.finds.entry(*known).or_default().push(rule.parse()?);
                Ok(())
            }
            None => Err(BadRule::field(field)),
        }
    }

    /// Makes a dialect of rules, each with its field's name.
    ///
    /// # Errors
    /// Those of [`Dialect::add`].
    pub fn of(rules: &[(&str, &str)]) -> Result<Self, BadRule> {
        let mut dialect = Self::default();
        rules.iter().try_for_each(|(field, rule)| dialect.add(field, rule))?;
        Ok(dialect)
    }

    /// Returns the names of all fields, as a config writes them.
    pub fn fields() -> impl Iterator<Item = &'static str> {
        FIELDS.iter().map(|(name, _)| *name).chain(SIGNS.iter().map(|(name, _)| *name))
    }

    /// Tells whether it says how a turn ends well: without that no turn ever would.
    pub fn knows_success(&self) -> bool {
        self.tells.contains_key(&Sign::Ok)
    }

    /// Tells whether it says where a turn's cost stands.
    pub fn knows_cost(&self) -> bool {
        [Field::CostUsd, Field::SessionCostUsd].iter().any(|field| self.finds.contains_key(field))
    }

    fn find<'v>(&self, field: Field, line: &'v Value) -> Vec<&'v Value> {
        self.finds.get(&field).into_iter().flatten().flat_map(|rule| rule.find(line)).collect()
    }

    fn tells(&self, sign: Sign, line: &Value) -> bool {
        self.tells.get(&sign).into_iter().flatten().any(|when| when.holds(line))
    }
}

/// Something that is shown as it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The next piece of what it says.
    Delta(String),
    /// A whole text that it said.
    Text(String),
    /// It says what it is doing now.
    Doing(String),
    /// It uses a tool: its name, and what it is given in a few words.
    Called(String, String),
    /// The tool gave this back.
    Returned(String),
    /// It tries again by itself.
    Retrying(String),
    /// A line that is no JSON.
    Noise(String),
}

/// What a turn used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt, with those from a cache.
    #[serde(default)]
    pub input_tokens: u64,
    /// Tokens of the prompt that came from a cache.
    #[serde(default)]
    pub cached_tokens: u64,
    /// Tokens written.
    #[serde(default)]
    pub output_tokens: u64,
    /// What it cost, in millionths of a USD: what the program says, once it is counted what is charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_micro_usd: Option<u64>,
}

impl Usage {
    /// Adds what another turn used.
    #[must_use]
    pub fn plus(self, other: Usage) -> Usage {
        let cost = match (self.cost_micro_usd, other.cost_micro_usd) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (one, two) => one.or(two),
        };
        Usage {
            input_tokens: self.input_tokens.saturating_add(other.input_tokens),
            cached_tokens: self.cached_tokens.saturating_add(other.cached_tokens),
            output_tokens: self.output_tokens.saturating_add(other.output_tokens),
            cost_micro_usd: cost,
        }
    }

    /// Takes away what earlier turns used.
    #[must_use]
    pub fn minus(self, other: Usage) -> Usage {
        Usage {
            input_tokens: self.input_tokens.saturating_sub(other.input_tokens),
            cached_tokens: self.cached_tokens.saturating_sub(other.cached_tokens),
            output_tokens: self.output_tokens.saturating_sub(other.output_tokens),
            cost_micro_usd: self.cost_micro_usd.map(|cost| cost.saturating_sub(other.cost_micro_usd.unwrap_or(0))),
        }
    }

    /// Tells whether nothing is known.
    pub fn is_none(&self) -> bool {
        *self == Usage::default()
    }
}

/// How a turn ended, as its program says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Well.
    Ok,
    /// Not well.
    Failed,
}

/// Reads a program's JSON, line by line, and remembers what it comes to.
#[derive(Debug, Clone, Default)]
pub struct Account {
    dialect: Dialect,
    said: String,
    text: Option<String>,
    answer: Option<String>,
    structured: Option<Value>,
    /// The session, if it was named.
    pub session: Option<String>,
    usage: Usage,
    counts_session: bool,
    session_cost: Option<u64>,
    /// How it ended, if it said so.
    pub end: Option<End>,
    /// What went wrong last, in its words.
    pub error: Option<String>,
    /// The HTTP status of what went wrong.
    pub http_status: Option<u16>,
    /// How long its API asked to wait, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Account {
    /// Makes an account of nothing yet.
    pub fn new(dialect: Dialect) -> Self {
        Self { dialect, ..Self::default() }
    }

    /// Reads one line.
    pub fn line(&mut self, line: &str) -> Vec<Event> {
        match serde_json::from_str::<Value>(line) {
            Ok(value) if value.is_object() => self.value(&value),
            Ok(_) | Err(_) if line.trim().is_empty() => Vec::new(),
            Ok(_) | Err(_) => vec![Event::Noise(line.to_owned())],
        }
    }

    /// Reads a whole output: one JSON object, or a list of them.
    pub fn whole(&mut self, output: &str) -> Vec<Event> {
        match serde_json::from_str::<Value>(output.trim()) {
            Ok(Value::Array(items)) => items.iter().flat_map(|item| self.value(item)).collect(),
            Ok(value) => self.value(&value),
            Err(_) => vec![Event::Noise(output.to_owned())],
        }
    }

    /// Returns what may hold the answer, the surest first.
    pub fn answers(&self) -> Vec<String> {
        let structured = self.structured.as_ref().map(|value| match value {
            Value::String(text) => text.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
        });
        let said = Some(self.said.clone()).filter(|said| !said.trim().is_empty());
        [structured, self.answer.clone(), self.text.clone(), said].into_iter().flatten().collect()
    }

    /// Returns what the turn used. `before` is what earlier turns of its session used.
    pub fn usage(&self, before: Usage) -> Usage {
        let own = if self.counts_session { self.usage.minus(before) } else { self.usage };
        match self.session_cost {
            Some(cost) => {
                let earlier = before.cost_micro_usd.unwrap_or(0);
                Usage { cost_micro_usd: Some(cost.saturating_sub(earlier)), ..own }
            }
            None => own,
        }
    }

    fn value(&mut self, line: &Value) -> Vec<Event> {
        let mut events = self.words(line);
        events.extend(self.tools(line));
        self.count(line);
        if let Some(error) = self.first_text(Field::Error, line) {
            self.error = Some(error);
        }
        let number = |field| self.dialect.find(field, line).into_iter().find_map(Value::as_u64);
        let (status, wait) = (number(Field::HttpStatus), number(Field::RetryAfterMs));
        self.http_status = status.and_then(|status| u16::try_from(status).ok()).or(self.http_status);
        self.retry_after_ms = wait.or(self.retry_after_ms);
        if let Some(session) = self.first_text(Field::Session, line).filter(|session| is_session(session)) {
            self.session = Some(session);
        }
        self.counts_session |= self.dialect.tells(Sign::CountsSession, line);
        if self.dialect.tells(Sign::Failed, line) {
            self.end = Some(End::Failed);
        } else if self.dialect.tells(Sign::Ok, line) {
            self.end = Some(End::Ok);
        }
        events
    }

    fn words(&mut self, line: &Value) -> Vec<Event> {
        let mut events = Vec::new();
        for piece in texts(self.dialect.find(Field::Delta, line)) {
            if self.said.len() + piece.len() <= ANSWER_MAX {
                self.said.push_str(&piece);
            }
            events.push(Event::Delta(piece));
        }
        for text in texts(self.dialect.find(Field::Text, line)) {
            self.text = Some(text.clone());
            events.push(Event::Text(text));
        }
        if let Some(answer) = self.first_text(Field::Answer, line) {
            self.answer = Some(answer);
        }
        if let Some(value) = self.dialect.find(Field::Structured, line).into_iter().find(|value| !value.is_null()) {
            self.structured = Some(value.clone());
        }
        events.extend(texts(self.dialect.find(Field::Doing, line)).into_iter().map(Event::Doing));
        events.extend(texts(self.dialect.find(Field::Retry, line)).into_iter().map(Event::Retrying));
        events
    }

    fn tools(&mut self, line: &Value) -> Vec<Event> {
        let names = texts(self.dialect.find(Field::Tool, line));
        if !names.is_empty() {
            // What was said before a tool is not the answer.
            self.said.clear();
        }
        let mut inputs = self.dialect.find(Field::ToolInput, line).into_iter().map(in_short);
        let called = names.into_iter().map(|name| Event::Called(name, inputs.next().unwrap_or_default()));
        let called: Vec<Event> = called.collect();
        let returned = self.dialect.find(Field::ToolOutput, line).into_iter().map(as_text).map(Event::Returned);
        called.into_iter().chain(returned).collect()
    }

    fn count(&mut self, line: &Value) {
        let sum = |field| self.dialect.find(field, line).into_iter().filter_map(Value::as_u64).sum();
        let costs = self.dialect.find(Field::CostUsd, line);
        let cost = costs.into_iter().filter_map(Value::as_f64).map(micro_usd).reduce(u64::saturating_add);
        let session = self.dialect.find(Field::SessionCostUsd, line).into_iter().find_map(Value::as_f64);
        self.session_cost = session.map(micro_usd).or(self.session_cost);
        self.usage = self.usage.plus(Usage {
            input_tokens: sum(Field::InputTokens),
            cached_tokens: sum(Field::CachedTokens),
            output_tokens: sum(Field::OutputTokens),
            cost_micro_usd: cost,
        });
    }

    fn first_text(&self, field: Field, line: &Value) -> Option<String> {
        texts(self.dialect.find(field, line)).into_iter().next()
    }
}

/// Longest name of a session.
const SESSION_MAX: usize = 128;

/// Tells whether a text may name a session: it becomes one argument of a command, so it must not pass for a flag.
fn is_session(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= SESSION_MAX && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(is_plain)
}

/// Dollars as programs print them, in whole millionths.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "negative and absurd costs are cut off before; `as` saturates"
)]
fn micro_usd(dollars: f64) -> u64 {
    (dollars * 1e6).round().clamp(0.0, 1e15) as u64
}

fn texts(values: Vec<&Value>) -> Vec<String> {
    values.into_iter().filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            if texts.is_empty() { value.to_string() } else { texts.join("\n") }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    }
}

/// What a tool is given, in a few words: the only text in it, or its first one, else all as JSON.
fn in_short(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(members) if members.is_empty() => String::new(),
        Value::Object(members) => {
            members.values().find_map(Value::as_str).map_or_else(|| value.to_string(), str::to_owned)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests;
