//! What was sent to a model and what came of it, kept as the evidence of a turn: one JSON object a line.
//!
//! A reply is kept as it was put together, not in the pieces in which it came: a secret in pieces would not be known for
//! one. It must not know HTTP.

use serde_json::{Value, json};

use super::super::process::Capture;
use crate::domain::dialect::{Reply, Stop};
use crate::domain::failure::AgentError;
use crate::domain::redact::Redactor;
use crate::domain::run::Captured;

/// Bytes kept of a turn before the middle is left out.
const KEPT: u64 = 256 << 10;

/// Bytes kept of something that could not be understood.
const RAW_MAX: usize = 4 << 10;

/// Bytes kept of a reply that never ended.
const SO_FAR_MAX: usize = 256 << 10;

/// The lines of a turn.
#[derive(Debug, Default)]
pub(super) struct Record {
    lines: Vec<String>,
    was_asked: bool,
    /// What the reply at hand has said so far.
    so_far: String,
}

impl Record {
    /// A request is sent: what it adds to the conversation. The prompt is kept elsewhere.
    pub(super) fn asks(&mut self, place: &str, body: &Value, added: &[Value], prompt: &str) {
        if !std::mem::replace(&mut self.was_asked, true) {
            let mut head = body.clone();
            if let Value::Object(members) = &mut head {
                members.retain(|name, _| name != "messages" && name != "input");
            }
            self.line(&json!({"to": place, "request": head}));
        }
        let mut added = Value::Array(added.to_vec());
        leave_out(&mut added, prompt);
        self.line(&json!({"sent": added}));
    }

    /// A reply says its next piece: kept should it never end.
    pub(super) fn says(&mut self, piece: &str) {
        if self.so_far.len() < SO_FAR_MAX {
            self.so_far.push_str(piece);
        }
    }

    /// A reply came.
    pub(super) fn hears(&mut self, reply: &Reply) {
        self.so_far.clear();
        let call = |call: &crate::domain::dialect::Call| json!({"name": call.name, "input": call.input});
        let stop = match &reply.stop {
            Stop::Over => "over",
            Stop::Calls => "calls",
            Stop::Length => "length",
            Stop::Refused(_) => "refused",
        };
        self.line(&json!({"reply": {
            "text": reply.text, "answer": reply.answer.as_ref().map(|call| call.input.clone()),
            "calls": reply.calls.iter().map(call).collect::<Vec<_>>(), "stop": stop, "usage": reply.usage,
        }}));
    }

    /// What came was no reply, or only a part of one.
    pub(super) fn breaks(&mut self, status: Option<u16>, raw: &[u8]) {
        let raw = String::from_utf8_lossy(&raw[..raw.len().min(RAW_MAX)]).into_owned();
        self.line(&json!({"status": status, "broken": raw}));
    }

    /// The turn failed.
    pub(super) fn ended(&mut self, error: &AgentError) {
        if !self.so_far.is_empty() {
            let so_far = std::mem::take(&mut self.so_far);
            self.line(&json!({"said so far": so_far}));
        }
        self.line(&json!({"error": error.to_string()}));
    }

    fn line(&mut self, value: &Value) {
        self.lines.push(format!("{value}\n"));
    }

    /// Returns what the evidence keeps.
    pub(super) fn close(&self, redactor: &Redactor) -> Captured {
        let mut capture = Capture::new(KEPT, KEPT);
        self.lines.iter().for_each(|line| capture.take(redactor.clean(line).as_bytes()));
        capture.captured()
    }
}

fn leave_out(value: &mut Value, prompt: &str) {
    match value {
        Value::String(text) if text == prompt => *text = format!("[the prompt, {} bytes]", prompt.len()),
        Value::Array(items) => items.iter_mut().for_each(|item| leave_out(item, prompt)),
        Value::Object(members) => members.values_mut().for_each(|member| leave_out(member, prompt)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_stands_once_without_the_prompt_and_without_secrets() {
        let mut record = Record::default();
        let prompt = "Plan it, at length.";
        let messages = [json!({"role": "user", "content": prompt})];
        let body = json!({"model": "m", "messages": messages});
        record.asks("http://x/v1", &body, &messages, prompt);
        record.asks("http://x/v1", &body, &[json!({"role": "tool", "content": "hunter2hunter2"})], prompt);
        record.says("half an an");
        record.ended(&AgentError::Overloaded);
        let text = record.close(&Redactor::new(["hunter2hunter2".to_owned()])).text;
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0], json!({"to": "http://x/v1", "request": {"model": "m"}}));
        assert_eq!(lines[1]["sent"][0]["content"], "[the prompt, 19 bytes]");
        assert_eq!(lines[2]["sent"][0]["content"], "[redacted]");
        assert_eq!(lines[3]["said so far"], "half an an");
        assert_eq!((lines.len(), &lines[4]["error"]), (5, &json!("overloaded")));
    }
}
