//! A ledger in words: the same on screen and on the command line.
//!
//! It must not decide anything.

use super::question::side;
use super::{Closed, Condition, Dissent, Parted, Signed};

/// A line of what is told at length: its name, and what it says.
pub type Line = (&'static str, String);

/// Hex digits of a key that tell the claims of one spec apart.
const DIGITS: usize = 12;

impl Signed {
    /// Says who, and why.
    pub fn words(&self) -> String {
        format!("{}: {}", self.by, self.reason)
    }
}

impl Closed {
    /// Says at which stage it was closed, and by what.
    pub fn words(&self) -> String {
        let by = self.by.words();
        match &self.signed {
            Some(signed) => format!("closed at {} by {by} of {}", self.stage, signed.words()),
            None => format!("closed at {} by {by}", self.stage),
        }
    }
}

impl Dissent {
    /// Says whether it is open, or how it was closed.
    pub fn state(&self) -> String {
        match &self.closed {
            Some(closed) => closed.words(),
            None if self.upheld => format!("upheld: {} is rejected", self.opened),
            None => format!("open since {}", self.opened),
        }
    }

    /// Says what was decided over it, and by whom where a person did.
    pub fn decided(&self) -> String {
        match (&self.against, &self.chosen) {
            (Some(won), Some(signed)) => format!("{}, chosen by {}", side(won), signed.words()),
            (Some(won), None) => side(won),
            (None, _) => "nothing".to_owned(),
        }
    }

    /// Tells it at length.
    pub fn at_length(&self) -> Vec<Line> {
        let holds =
            format!("{} holds {} ({}, {})", self.agent, side(&self.said), self.severity.name(), self.tier.word());
        let mut lines = vec![("asks", self.ask.clone()), ("held", holds)];
        if !self.grounds.because.is_empty() {
            lines.push(("because", self.grounds.because.clone()));
        }
        lines.extend(self.grounds.cited.iter().map(|cited| ("cites", cited.clone())));
        if self.grounds.cited.is_empty() {
            lines.push(("cites", "nothing".to_owned()));
        }
        lines.push(("decided", self.decided()));
        lines.push(("state", self.state()));
        if self.closed.is_none() {
            lines.push(("agenda", format!("asked again at the next stage as {}", self.topic_on_agenda())));
            lines.push(("closed by", self.closes()));
        }
        lines.push(("key", short(&self.key)));
        lines
    }
}

impl Condition {
    /// Says whether it is accepted, and by whom.
    pub fn state(&self) -> String {
        match (&self.signed, self.is_accepted) {
            (Some(signed), true) => format!("accepted at {} by {}", self.stage, signed.words()),
            (None, true) => format!("accepted at {}", self.stage),
            (_, false) => format!("not accepted: {} is rejected", self.stage),
        }
    }

    /// Tells it at length.
    pub fn at_length(&self) -> Vec<Line> {
        vec![("condition", self.text.clone()), ("state", self.state()), ("key", short(&self.key))]
    }
}

impl Parted {
    /// Says what was split from what.
    pub fn line(&self) -> String {
        let text = |text: &Option<String>, key| text.clone().unwrap_or_else(|| short(key));
        format!("“{}” is not “{}”", text(&self.texts.0, &self.pair.0), text(&self.texts.1, &self.pair.1))
    }

    /// Says who split it.
    pub fn state(&self) -> String {
        format!("split at {} by {}", self.stage, self.signed.words())
    }

    /// Tells it at length.
    pub fn at_length(&self) -> Vec<Line> {
        let text =
            |text: &Option<String>| text.clone().unwrap_or_else(|| "a text that nobody says any more".to_owned());
        vec![
            ("text", text(&self.texts.0)),
            ("is not", text(&self.texts.1)),
            ("state", self.state()),
            ("key", short(&self.pair.0)),
        ]
    }
}

/// Returns the start of a key, enough to name it.
pub fn short(key: &crate::domain::hash::Sha) -> String {
    key.as_str().chars().take(DIGITS).collect()
}
