//! Remembers what reached the brain, so that a bug report can be replayed.
//!
//! It must not know what a message means.

use std::collections::VecDeque;

use serde::Serialize;

use crate::app::model::Model;
use crate::app::msg::Msg;

/// How many messages are remembered: an hour of use, a few megabytes.
const REMEMBERED: usize = 10_000;

/// The latest messages.
#[derive(Debug, Default)]
pub struct Recorder {
    messages: VecDeque<Msg>,
}

/// What a dump holds: the model now, and how it came to be.
#[derive(Serialize)]
struct Recording<'a> {
    schema: &'static str,
    model: &'a Model,
    messages: &'a VecDeque<Msg>,
}

impl Recorder {
    /// Remembers a message. A tick right after a tick replaces it.
    pub fn record(&mut self, message: &Msg) {
        if matches!((self.messages.back(), message), (Some(Msg::Tick(_)), Msg::Tick(_))) {
            self.messages.pop_back();
        }
        if self.messages.len() == REMEMBERED {
            self.messages.pop_front();
        }
        self.messages.push_back(message.clone());
    }

    /// Returns the recording as JSON text.
    pub fn dump(&self, model: &Model) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Recording { schema: "dicast.recording/1", model, messages: &self.messages })
    }
}
