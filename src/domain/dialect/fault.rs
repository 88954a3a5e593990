//! What went wrong with a model over HTTP: a status with its body, or an event in the middle of a reply, becomes a typed
//! [`AgentError`] that names the next step.
//!
//! It must not know sockets.

use serde_json::Value;

use super::text;
use crate::domain::classify::told;
use crate::domain::failure::AgentError;
use crate::domain::moment::Moment;
use crate::domain::settings::{JsonMode, Service};

/// Longest quotation of a server's words, in characters.
const QUOTE: usize = 300;

/// Something that a server said, or left out, in the middle of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    status: Option<u16>,
    why: String,
}

/// HTTP statuses that the APIs' own kinds of errors stand for.
const KINDS: [(&str, u16); 14] = [
    ("authentication_error", 401),
    ("invalid_api_key", 401),
    ("insufficient_quota", 402),
    ("billing_error", 402),
    ("permission_error", 403),
    ("request_too_large", 413),
    ("context_length_exceeded", 413),
    ("exceed_context_size_error", 413),
    ("rate_limit_error", 429),
    ("rate_limit_exceeded", 429),
    ("api_error", 500),
    ("server_error", 500),
    ("unavailable_error", 503),
    ("overloaded_error", 529),
];

/// Returns the HTTP status that the kind of an error stands for.
fn kind_of(error: &Value) -> Option<u16> {
    let known = |kind: &str| KINDS.iter().find(|(name, _)| *name == kind).map(|(_, status)| *status);
    ["/code", "/type"].iter().find_map(|at| known(text(error, at)))
}

impl Wrong {
    /// Finds an error in an event.
    pub(super) fn said(event: &Value) -> Option<Self> {
        if event["error"].is_object() || event["error"].is_string() {
            return Some(Self::of(&event["error"]));
        }
        (event["type"] == "error").then(|| Self::of(event))
    }

    /// Finds an error in a body that should have been a stream of events.
    pub fn in_body(body: &str) -> Option<Self> {
        Self::said(&serde_json::from_str(body).ok()?)
    }

    /// A response that failed.
    pub(super) fn failed(response: &Value) -> Self {
        Self::of(&response["error"])
    }

    fn of(error: &Value) -> Self {
        let number = error["code"].as_u64().and_then(|code| u16::try_from(code).ok());
        let status = kind_of(error).or(number);
        let why = error.as_str().unwrap_or_else(|| text(error, "/message"));
        Self { status, why: if why.is_empty() { error.to_string() } else { why.to_owned() } }
    }

    /// An event that is no JSON.
    pub(super) fn garbled(why: &str) -> Self {
        Self { status: None, why: format!("its answer cannot be read: {why}") }
    }

    /// The stream ended before the reply did.
    pub(super) fn broken_off() -> Self {
        Self { status: None, why: "its answer broke off: the stream ended without saying that it is over".into() }
    }

    /// Returns what it means.
    pub fn meaning(&self, service: &Service) -> AgentError {
        match self.status {
            Some(status) => refused(service, status, &self.why, None),
            None => named(&self.why, None, None).unwrap_or_else(|| AgentError::Protocol { why: quoted(&self.why) }),
        }
    }
}

/// Returns what a status other than success means. `body` is the start of what came with it.
pub fn refused(service: &Service, status: u16, body: &str, retry_after_ms: Option<u64>) -> AgentError {
    let words = words(body);
    let why = match words.is_empty() {
        true => format!("HTTP {status}"),
        false => format!("HTTP {status}: {}", quoted(&words)),
    };
    match (status, &service.key_env) {
        (401 | 403, Some(name)) => return AgentError::Auth { why: format!("the key in ${name} is not taken ({why})") },
        (401 | 403, None) => {
            return AgentError::Auth {
                why: format!("a key is wanted ({why}); set api_key_env to the variable that has it"),
            };
        }
        (300..=399, _) => {
            return AgentError::Refused { why: format!("{why}: it sends us elsewhere; correct base_url") };
        }
        _ => {}
    }
    // The same status as for a limit that passes, told apart by the kind only.
    let kind = serde_json::from_str::<Value>(body).ok().and_then(|body| kind_of(&body["error"]));
    let status = if kind == Some(402) { 402 } else { status };
    if let Some(error) = named(&words, Some(status), retry_after_ms) {
        return error;
    }
    let lower = words.to_lowercase();
    let speaks_of = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    let next = match status {
        404 => "; correct base_url, api or model",
        400 | 422 if service.json_mode != JsonMode::None && speaks_of(&FORMAT) => "; set json_mode = \"none\"",
        400 | 422 | 500 | 501 if service.tools && speaks_of(&["tool", "function", "jinja"]) => "; set tools = false",
        400 | 422 if speaks_of(&["max_tokens", "max_output_tokens"]) => {
            "; set max_output_tokens, or api = \"openai-responses\""
        }
        _ => "",
    };
    match (status, next) {
        (408, "") => AgentError::Network { why },
        (409 | 425 | 500..=599, "") => AgentError::Overloaded,
        (_, next) => AgentError::Refused { why: format!("{why}{next}") },
    }
}

/// Words by which a server names the shape that it was asked for.
const FORMAT: [&str; 6] = ["response_format", "json_schema", "schema", "grammar", "text.format", "tool_choice"];

/// Finds an error that has a class of its own; a server's trouble that names what to change has none.
fn named(words: &str, status: Option<u16>, retry_after_ms: Option<u64>) -> Option<AgentError> {
    let status = status.filter(|status| matches!(status, 402 | 413 | 429 | 502..=599));
    let error = told(words, status, retry_after_ms, "");
    // What it falls back to is for programs.
    (!matches!(error, AgentError::Crashed { .. })).then_some(error)
}

/// Finds what an error's body says.
fn words(body: &str) -> String {
    let Ok(value) = serde_json::from_str::<Value>(body) else { return body.trim().to_owned() };
    let places = ["/error/message", "/error", "/message", "/detail", "/0/error/message"];
    let found = places.iter().map(|at| text(&value, at)).find(|found| !found.is_empty());
    found.map_or_else(|| value.to_string(), str::to_owned)
}

fn quoted(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(QUOTE).collect()
}

/// Reads how long a server asks to wait, in milliseconds, from the headers `retry-after-ms` and `retry-after` (seconds,
/// or the moment from which on it may be asked: held against its own `date`, so that no clock of ours matters).
pub fn retry_after_ms(milliseconds: Option<&str>, after: Option<&str>, date: Option<&str>) -> Option<u64> {
    if let Some(whole) = milliseconds.and_then(|text| text.trim().parse().ok()) {
        return Some(whole);
    }
    let after = after?.trim();
    if let Ok(seconds) = after.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    Some(Moment::of_http_date(after)?.since(Moment::of_http_date(date?.trim())?))
}
