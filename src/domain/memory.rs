//! What memory holds, by which names: entries with keys and tags, which of them answers a question, and which notes
//! are worth telling again.
//!
//! Pure. It must not know servers, the tools they offer, nor where what waits for them is kept.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::consensus::Inputs;
use super::hash::{Sha, canonical};
use super::ids::{AgentName, RunId, SpecId};
use super::redact::Redactor;
use super::safe::Safe;
use super::stage::Stage;

/// Most notes that are recalled: more would be noise beside the spec.
pub const NOTES_MAX: usize = 5;

/// Longest note that is told to an agent, in characters: a verdict in a few sentences.
pub const NOTE_MAX: usize = 600;

/// Shortest word that says what something is about.
const WORD_MIN: usize = 4;

/// Which tools a memory server offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Those of `dicast memory serve`.
    #[default]
    Dicast,
    /// `store_memory` and `search` with tags, without keys.
    LocalMemory,
    /// Those of npm's `@modelcontextprotocol/server-memory`.
    ServerMemory,
}

impl Profile {
    /// All of them.
    pub const ALL: [Profile; 3] = [Profile::Dicast, Profile::LocalMemory, Profile::ServerMemory];

    /// Returns its name in the config.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Dicast => "dicast",
            Profile::LocalMemory => "local-memory",
            Profile::ServerMemory => "server-memory",
        }
    }

    /// Returns the profile of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }
}

/// What an entry is about: one stage of one run, and what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Of which spec.
    pub spec: SpecId,
    /// At which stage.
    pub stage: Stage,
    /// In which run.
    pub run: RunId,
    /// What was asked, by [`asked`]: the same on every machine with the same spec and agenda.
    pub asked: Sha,
}

/// Names a question: the spec's text, the documents and the state of the code that it is about, and the templates and
/// topics that were put to agents.
pub fn asked(inputs: &Inputs) -> Sha {
    let Inputs { spec_sha256, documents, tree, prompts_sha256, .. } = inputs;
    // Hashes and paths: the canonical writing cannot fail.
    Sha::of(canonical(&(spec_sha256, documents, tree, prompts_sha256)).unwrap_or_default())
}

/// Something to store. It never changes: its key ends in the hash of its content, so that storing it twice is storing
/// it once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub key: String,
    /// What is stored, byte for byte.
    pub content: Arc<str>,
    /// Tags as `name:value`; `sha256:` names the content.
    pub tags: Vec<String>,
}

impl Entry {
    /// Makes the entry of an agent's answer.
    pub fn answer(subject: &Subject, agent: &AgentName, content: Arc<str>) -> Self {
        Self::about(subject, "answer", Some(agent), content)
    }

    /// Makes the entry of what a participant elsewhere is asked.
    pub fn ask(subject: &Subject, agent: &AgentName, prompt: Arc<str>) -> Self {
        Self::about(subject, "ask", Some(agent), prompt)
    }

    /// Makes the entry of a verdict.
    pub fn verdict(subject: &Subject, content: Arc<str>) -> Self {
        Self::about(subject, "verdict", None, content)
    }

    /// Makes the entry of a note: what later runs of other specs may want to know.
    pub fn note(subject: &Subject, text: &str) -> Self {
        Self::about(subject, "note", None, text.into())
    }

    fn about(subject: &Subject, kind: &str, agent: Option<&AgentName>, content: Arc<str>) -> Self {
        let Subject { spec, stage, run, asked } = subject;
        let mut tags = vec![
            format!("kind:{kind}"),
            format!("spec:{spec}"),
            format!("stage:{stage}"),
            format!("run:{run}"),
            format!("asked:{asked}"),
        ];
        tags.extend(agent.map(|agent| format!("agent:{agent}")));
        let of = agent.map_or_else(|| run.to_string(), ToString::to_string);
        Self::named(&format!("{kind}/{spec}/{stage}/{of}"), tags, content)
    }

    fn named(stem: &str, mut tags: Vec<String>, content: Arc<str>) -> Self {
        let sha = Sha::of(content.as_bytes());
        tags.push(format!("sha256:{sha}"));
        Self { key: format!("{stem}/{sha}"), content, tags }
    }

    /// Takes secrets out of it, and names it after what is left.
    #[must_use]
    pub fn cleaned(self, redactor: &Redactor) -> Self {
        match redactor.clean(&self.content) {
            Cow::Borrowed(_) => self,
            Cow::Owned(clean) => {
                let stem = self.key.rsplit_once('/').map_or(self.key.as_str(), |(stem, _)| stem);
                let tags = self.tags.iter().filter(|tag| !tag.starts_with("sha256:")).cloned().collect();
                Self::named(stem, tags, clean.into())
            }
        }
    }

    /// Tells whether what a server gave back is this entry: its bytes, and at least its tags.
    pub fn is(&self, held: &Held) -> bool {
        *self.content == *held.content && self.tags.iter().all(|tag| held.tags.contains(tag))
    }
}

/// An entry as a server gave it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The content.
    pub content: String,
    /// Its tags.
    pub tags: Vec<String>,
}

impl Held {
    /// Tells whether it carries all these tags, whole: `spec:SPEC-1` is not `spec:SPEC-10`.
    pub fn carries(&self, tags: &[String]) -> bool {
        tags.iter().all(|tag| self.tags.contains(tag))
    }

    fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().find_map(|tag| tag.strip_prefix(name)?.strip_prefix(':'))
    }

    fn is_answer(&self) -> bool {
        matches!(self.tag("kind"), None | Some("answer"))
    }
}

/// Returns the tags that every answer of an agent at a stage carries, whoever stored it.
pub fn answer_tags(spec: &SpecId, stage: Stage, agent: &AgentName) -> Vec<String> {
    vec![format!("spec:{spec}"), format!("stage:{stage}"), format!("agent:{agent}")]
}

/// Returns the tags of the notes.
pub fn note_tags() -> Vec<String> {
    vec!["kind:note".to_owned()]
}

/// How well an entry's tags say that it answers a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// It names this run.
    Run,
    /// It names the same question, asked in another run or on another machine.
    Question,
    /// It names neither, and came after the question was put: what was there before answers something else.
    Unsaid,
}

/// Returns the entries that answer a subject's question, the best fit first, otherwise in the order given: the newest
/// first. One that names another run and not this question, or another question, answers something else.
pub fn answers<'h>(subject: &Subject, held: &'h [Held]) -> Vec<(Fit, &'h Held)> {
    let is_run = |held: &Held| held.tag("run") == Some(subject.run.as_str());
    let is_asked = |held: &Held| held.tag("asked") == Some(subject.asked.as_str());
    let put = held.iter().rposition(|held| held.tag("kind") == Some("ask") && (is_run(held) || is_asked(held)));
    let fit = |(at, held): (usize, &Held)| {
        if is_run(held) {
            return Some(Fit::Run);
        }
        if is_asked(held) {
            return Some(Fit::Question);
        }
        let is_unsaid = held.tag("run").is_none() && held.tag("asked").is_none();
        (is_unsaid && put.is_some_and(|put| at < put)).then_some(Fit::Unsaid)
    };
    let entries = held.iter().enumerate().filter(|(_, held)| held.is_answer());
    let mut found: Vec<(Fit, &Held)> = entries.filter_map(|(at, held)| Some((fit((at, held))?, held))).collect();
    found.sort_by_key(|(fit, _)| *fit);
    found
}

/// A note from an earlier run, as it is told to agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Hash of what memory gave.
    pub sha256: Sha,
    /// Its text in one line.
    pub text: Safe,
}

/// Chooses what is worth telling again about a spec: notes of other specs that share words with `about`, those with
/// the most first, then by hash.
pub fn notes(spec: &SpecId, about: &str, held: &[Held]) -> Vec<Note> {
    let wanted = words(about);
    let own = spec.as_str();
    let mut found: Vec<(usize, Sha, &Held)> = held
        .iter()
        .filter(|held| held.carries(&note_tags()) && held.tag("spec") != Some(own))
        .map(|held| (words(&held.content).intersection(&wanted).count(), Sha::of(&held.content), held))
        .filter(|(shared, ..)| *shared > 0)
        .collect();
    found.sort_by(|a, b| (b.0, &a.1).cmp(&(a.0, &b.1)));
    found.dedup_by(|a, b| a.1 == b.1);
    let note = |(_, sha256, held): (usize, Sha, &Held)| {
        let cut: String = held.content.chars().take(NOTE_MAX).collect();
        Note { sha256, text: Safe::line(&cut) }
    };
    found.into_iter().take(NOTES_MAX).map(note).collect()
}

/// Returns the words that say what a text is about, in lower case.
pub fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphabetic());
    words.filter(|word| word.chars().count() >= WORD_MIN).map(str::to_lowercase).collect()
}

/// What is to be known of memory besides its server's state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Copies that wait on disk.
    pub waiting: u32,
    /// What is wrong with the server's memory, if it is known: it loses what it acknowledges, or lacks a tool.
    pub trouble: Option<Safe>,
}

#[cfg(test)]
mod tests;
