//! The report of a spec: what was decided at each stage, why, by whom, with what evidence, and what dissent stands.
//!
//! A page is made of plain texts, all of them taken for foreign; the writers redact, clean and escape every one. It must
//! not know files, nor where a page goes.

use super::candidate::{Landing, Tried};
use super::consensus::{Call, Panel, Verdict};
use super::dissent::Ledger;
use super::ids::RunId;
use super::moment::Moment;
use super::redact::Redactor;
use super::safe::Safe;
use super::spec::Spec;
use super::stage::Stage;

mod cite;
mod html;
mod markdown;
mod tell;
#[cfg(test)]
mod tests;
mod unasked;

pub use cite::Cited;
pub use html::html;
pub use markdown::markdown;
pub use tell::page;

/// Everything that a report is made from.
#[derive(Debug, Clone)]
pub struct Case<'c> {
    /// The spec as it reads now.
    pub spec: &'c Spec,
    /// What is recorded, in the order of stages.
    pub stages: Vec<Recorded<'c>>,
    /// What the verdicts and the spec's ledger leave open, and what closed the rest.
    pub ledger: &'c Ledger,
    /// When the report is made.
    pub at: Moment,
}

/// What is recorded about a stage.
#[derive(Debug, Clone)]
pub enum Recorded<'c> {
    /// A verdict.
    Read {
        /// The verdict.
        verdict: &'c Verdict,
        /// Where it is kept, relative to the repository.
        path: String,
        /// What it was about that is not so any more, in words; none while it is current.
        changed: Option<String>,
        /// Who was asked and what was said, as far as it is here.
        kept: Kept,
    },
    /// It cannot be read, or was changed by hand.
    Unreadable {
        /// The stage.
        stage: Stage,
        /// Why, in words.
        why: String,
    },
}

/// What the evidence has of the panel that a verdict was computed from.
#[derive(Debug, Clone)]
pub enum Kept {
    /// All of it.
    Here {
        /// The run that decided it.
        run: RunId,
        /// What was decided on.
        panel: Box<Panel>,
        /// What agents gave for what they said; nothing where the spec is another text by now.
        cited: Cited,
        /// What became of the candidates, where there were any.
        tried: Option<Box<Tried>>,
        /// The candidate that is where it was put, or was last.
        landing: Option<Box<Landing>>,
    },
    /// Nothing: it is on another machine, or was removed.
    Elsewhere,
    /// It cannot be read, or was altered.
    Broken(String),
}

/// A report before it is written in any format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// What it is about and when it was made.
    pub about: String,
    /// Where the spec stands.
    pub mark: Mark,
    /// That, in a sentence.
    pub sentence: String,
    /// One for each recorded stage, then the ledger.
    pub sections: Vec<Section>,
}

/// One part of a page under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its anchor: our own word, never a foreign text.
    pub anchor: &'static str,
    /// What it came to, where it is a stage.
    pub mark: Option<Mark>,
    /// Its heading.
    pub title: String,
    /// What it holds.
    pub parts: Vec<Part>,
}

/// What stands under a heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A smaller heading.
    Heading(String),
    /// A sentence.
    Line(String),
    /// Names, and what each is.
    Facts(Vec<(&'static str, String)>),
    /// Rows of as many cells as there are heads.
    Table {
        /// Our own words.
        heads: &'static [&'static str],
        /// The cells.
        rows: Vec<Vec<String>>,
    },
}

/// What a stage, or a spec, came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// What the verdict says on screen.
    Call(Call),
    /// What was judged changed since.
    Stale,
}

impl Mark {
    /// Returns the words for it.
    pub fn words(self) -> String {
        match self {
            Mark::Call(call) => call.to_string(),
            Mark::Stale => "STALE".to_owned(),
        }
    }

    /// Returns the name of its colours.
    fn class(self) -> &'static str {
        match self {
            Mark::Call(Call::Pass) => "pass",
            Mark::Call(Call::YourCall(_)) => "call",
            Mark::Call(Call::Stop) => "stop",
            Mark::Stale => "stale",
        }
    }
}

/// Takes secrets and what a screen might obey out of a text, and makes it one line. Secrets go first: escaping would
/// hide them from whoever looks for them.
fn clean(redactor: &Redactor, text: &str) -> String {
    Safe::line(&redactor.clean(text)).to_string()
}
