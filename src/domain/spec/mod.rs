//! One feature's written spec: what it demands ([`Requirement`]) and how it says that it is met ([`Task`]).
//!
//! It must not know where the text came from, nor whether anything it says is true: that is [`super::check`]'s work.
//!
//! Three layouts are read: github/spec-kit's `specs/<NNN-slug>/spec.md`, `docs/<SPEC-ID>…/{PRD,spec}.md`, and OpenSpec's
//! `openspec/changes/<change>/specs/<capability>/spec.md` and `openspec/specs/<capability>/spec.md`.

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::hash::Sha;
use super::ids::SpecId;
use super::stage::Stage;

mod find;
mod ids;
mod markdown;
mod names;
mod outline;
mod paths;
mod requirements;
mod tasks;
#[cfg(test)]
mod tests;

pub use find::{Folder, find, from_branch, resolve};
pub use ids::{requirement_ids, short_id};
pub use outline::{Form, Heading, Outline, Part, Written};
pub use paths::is_test_path;
pub use requirements::level_of;
pub use tasks::parse_tasks;

/// Largest document that is read as a spec, a plan or a task list, in bytes. Real ones stay under 200 KB; more is a
/// log or a mistake, and would be sent to every agent.
pub const DOCUMENT_MAX: u64 = 2 * 1024 * 1024;

/// One feature's spec, read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The folder's name.
    pub id: SpecId,
    /// The folder, relative to the repository (`specs/003-rate-limiter`).
    pub dir: String,
    /// Where its plan, tasks, verdicts and reviews are written (see [`Folder::own`]).
    pub own: String,
    /// Which of the layouts it follows.
    pub layout: Layout,
    /// The document that holds the requirements, relative to the repository.
    pub file: String,
    /// Hash of that document's bytes.
    pub sha: Sha,
    /// Its first heading, without the words "Feature Specification:".
    pub title: String,
    /// What it demands, in the order of the document, one for each id. Made from stories and acceptance scenarios if
    /// the document defines none by id.
    pub requirements: Vec<Requirement>,
    /// Later definitions of an id that `requirements` already has: the critic compares them.
    pub restated: Vec<Requirement>,
    /// Its user stories.
    pub stories: Vec<Story>,
    /// Its task list, if it has one.
    pub tasks: Option<Vec<Task>>,
}

/// Where a spec's documents lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// github/spec-kit: `specs/<NNN-slug>/{spec,plan,tasks}.md`.
    SpecKit,
    /// `docs/<SPEC-ID>…/{PRD,spec,plan,tasks}.md`.
    Seed,
    /// OpenSpec: `openspec/changes/<change>/{tasks,specs/<capability>/spec}.md`, `openspec/specs/<capability>/spec.md`.
    OpenSpec,
}

/// How binding a requirement is: its first modal verb decides, none means must (RFC 2119 words).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// MUST, SHALL, or no modal.
    Must,
    /// SHOULD.
    Should,
    /// MAY.
    May,
}

impl Level {
    /// Returns the word as specs write it.
    pub fn word(self) -> &'static str {
        match self {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
            Level::May => "MAY",
        }
    }
}

/// One thing that a spec demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Its id in upper case: `FR-001`, `NFR-2`, `R-7` (also where `R7` is written); `US1` where it comes from a story.
    pub id: String,
    /// How binding it is.
    pub level: Level,
    /// Its words, without the id and without emphasis marks.
    pub text: String,
    /// Where it is defined: the line in [`Spec::file`], from 1.
    pub line: u32,
    /// Ids of its acceptance criteria and scenarios (`AC-1`, `US1-AS2`): whoever names one of these names it.
    pub criteria: Vec<String>,
}

/// A user story.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// `US1`, `US2`, ….
    pub id: String,
    /// Its heading or sentence.
    pub title: String,
    /// Its line in [`Spec::file`], from 1.
    pub line: u32,
    /// Its acceptance scenarios.
    pub scenarios: Vec<Scenario>,
}

/// One acceptance scenario (Given, When, Then).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scenario {
    /// `US1-AS1`, `US1-AS2`, …; `AS1` outside any story.
    pub id: String,
    /// Its words.
    pub text: String,
    /// Its line in [`Spec::file`], from 1.
    pub line: u32,
}

/// One task of a task list, and what it names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its id as written (`T001`, `1.2`); `line-12` for a checkbox without one.
    pub id: String,
    /// Whether its box is ticked.
    pub done: bool,
    /// Its words, with the lines that belong to it.
    pub title: String,
    /// Requirement, criterion and story ids that it names, in upper case.
    pub requirements: Vec<String>,
    /// Files that it names; a folder ends with `/`.
    pub files: Vec<String>,
    /// Types, functions and other names of code that it names.
    pub symbols: Vec<String>,
    /// Tests that it names by id.
    pub tests: Vec<String>,
    /// Whether it is marked `[P]`: it can be done beside others.
    pub parallel: bool,
    /// Its line in `tasks.md`, from 1.
    pub line: u32,
}

/// Reads a spec document. Total: any text gives a spec, perhaps one without requirements (see [`Spec::asked`]).
/// The task list is another document: see [`parse_tasks`].
pub fn parse(id: SpecId, dir: &str, file: &str, text: &str) -> Spec {
    let lines = markdown::lines(text);
    let layout = find::layout_of(dir);
    let stories = requirements::stories(&lines);
    let (mut requirements, restated) = requirements::defined(&lines, layout);
    if requirements.is_empty() && layout == Layout::OpenSpec {
        requirements = requirements::by_heading(&lines);
    }
    if requirements.is_empty() {
        requirements = requirements::from_stories(&stories, &requirements::loose_scenarios(&lines));
    }
    let title = requirements::title(&lines).unwrap_or_else(|| id.as_str().to_owned());
    Spec {
        id,
        dir: dir.to_owned(),
        own: dir.to_owned(),
        layout,
        file: file.to_owned(),
        sha: Sha::of(text),
        title,
        requirements,
        restated,
        stories,
        tasks: None,
    }
}

/// Returns the numbers of the lines on which each requirement of a document is written, its first one first: of those
/// that begin at `starts` ([`Requirement::line`]). Code and comments in between are left out.
pub fn requirement_lines(text: &str, starts: impl IntoIterator<Item = u32>) -> Vec<Vec<u32>> {
    let lines = markdown::lines(text);
    let of = |start| match lines.iter().position(|line| line.number == start) {
        Some(at) => std::iter::once(start).chain(requirements::below(&lines, at).map(|line| line.number)).collect(),
        None => Vec::new(),
    };
    starts.into_iter().map(of).collect()
}

/// Returns the numbers of the lines on which the task that begins at one ([`Task::line`]) is written.
pub fn task_lines(text: &str, start: u32) -> Vec<u32> {
    let lines = markdown::lines(text);
    let Some(at) = lines.iter().position(|line| line.number == start) else { return Vec::new() };
    std::iter::once(start).chain(markdown::body_of(&lines, at).iter().map(|line| line.number)).collect()
}

impl Spec {
    /// Returns the path of one of its documents (`plan.md`): in its own folder, else in the one that it shares.
    pub fn path_of(&self, name: &str, is_there: impl Fn(&str) -> bool) -> String {
        let own = format!("{}/{name}", self.own);
        if self.own == self.dir || is_there(&own) { own } else { format!("{}/{name}", self.dir) }
    }

    /// Returns the path of the verdict that a stage records.
    pub fn verdict_path(&self, stage: Stage) -> String {
        format!("{}/verdicts/{stage}.json", self.own)
    }

    /// Returns where the text is written that a panel proposes for the spec's document.
    pub fn proposal_path(&self) -> String {
        format!("{}/review/spec.md", self.own)
    }

    /// Returns what is asked, which is at least one thing.
    ///
    /// # Errors
    /// Exit 10 if the spec has neither requirements nor stories nor scenarios.
    pub fn asked(&self) -> Result<&[Requirement], Failure> {
        if self.requirements.is_empty() {
            return Err(Failure::needs_input(
                self.file.as_str(),
                "it asks for nothing: no requirement, no story, no acceptance scenario",
                "add a line such as `- **FR-001**: The system MUST …`",
            ));
        }
        Ok(&self.requirements)
    }

    /// Returns the requirement that an id names, directly or by one of its criteria.
    pub fn requirement(&self, id: &str) -> Option<&Requirement> {
        let long = short_id(id);
        let id = long.as_deref().unwrap_or(id);
        self.requirements
            .iter()
            .find(|r| r.id == id)
            .or_else(|| self.requirements.iter().find(|r| r.criteria.iter().any(|c| c == id)))
    }

    /// Tells whether an id is one of this spec's stories or scenarios.
    pub fn has_story(&self, id: &str) -> bool {
        self.stories.iter().any(|s| s.id == id || s.scenarios.iter().any(|c| c.id == id))
    }
}

/// Turns the bytes of a spec, plan or task list into text: all of them, a byte order mark too, as its hash is theirs.
///
/// # Errors
/// Exit 10 if it is over [`DOCUMENT_MAX`], not UTF-8, or empty; `file` names it.
pub fn text_of(file: &str, bytes: &[u8]) -> Result<String, Failure> {
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > DOCUMENT_MAX {
        return Err(too_large(file));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| not_utf8(file, e.valid_up_to()))?;
    if text.trim_start_matches('\u{feff}').trim().is_empty() {
        return Err(Failure::needs_input(file, "it is empty", "write what is wanted into it, or remove the folder"));
    }
    Ok(text.to_owned())
}

/// Returns the failure of a document whose byte `at` is not UTF-8.
pub fn not_utf8(file: &str, at: usize) -> Failure {
    let next = "save the file as UTF-8 and try again";
    Failure::needs_input(file, format!("it is not UTF-8 text (byte {at})"), next)
}

/// Returns the failure of a document that is a symbolic link: it may lead out of the repository.
pub fn is_link(file: &str) -> Failure {
    Failure::needs_input(file, "it is a symbolic link", "put the document itself there")
}

/// Returns the failure of a document over [`DOCUMENT_MAX`].
pub fn too_large(file: &str) -> Failure {
    Failure::needs_input(
        file,
        format!("it is larger than {} MB", DOCUMENT_MAX / (1024 * 1024)),
        "keep the spec short and move logs and data elsewhere",
    )
}
