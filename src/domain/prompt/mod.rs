//! What an agent is asked: Markdown for a model that ends with one fenced JSON block for programs (`dicast.ask/1`).
//!
//! It must not know how the prompt travels. Foreign text (specs, documents, context files, findings) stands in fences
//! that it cannot close.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::agenda::Topic;
use super::artifact::{answer_schema, sent_objects};
use super::check::Changed;
use super::failure::{AgentError, Deadline};
use super::hash::{Sha, canonical};
use super::ids::AgentName;
use super::safe::Safe;
use super::spec::Spec;
use super::stage::Stage;

mod round;

pub use round::round;

/// A file that is quoted in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// Its path, relative to the repository.
    pub path: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// What the host knows about the repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepoFacts {
    /// The commit that the working copy stands on.
    pub commit: Option<String>,
    /// Names of the approved checks that evidence can name.
    pub checks: Vec<String>,
    /// Paths of its files, relative, in order.
    pub files: Vec<String>,
}

/// What a prompt is made of, besides the stage and the agent.
#[derive(Debug, Clone, Copy)]
pub struct PromptInputs<'a> {
    /// The spec as read.
    pub spec: &'a Spec,
    /// The spec's text.
    pub spec_text: &'a str,
    /// Documents of earlier stages.
    pub documents: &'a [Quoted<'a>],
    /// The files that every agent gets: AGENTS.md, the constitution.
    pub context: &'a [Quoted<'a>],
    /// The questions.
    pub agenda: &'a [Topic],
    /// What the host knows about the repository.
    pub repo: &'a RepoFacts,
    /// The change that is audited, where it is a range of commits.
    pub change: Option<&'a Changed>,
    /// What the host found itself.
    pub host: &'a [Safe],
    /// Notes recalled from memory; not in the hash of the prompts.
    pub recalled: &'a [Safe],
    /// What a spec is to be drafted or revised for, in a person's words.
    pub brief: Option<&'a str>,
    /// What went wrong in an earlier round of this stage, if anything.
    pub failure: Option<&'a str>,
    /// Which try of this agent at this stage, from 1.
    pub attempt: u32,
}

/// A prompt, and what an answer must not give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The whole prompt.
    pub text: String,
    /// Hashes of the JSON objects in it.
    pub sent: Vec<Sha>,
}

/// Most files listed in a prompt: agents can list the rest themselves.
const FILES_MAX: usize = 200;

/// Most of an earlier answer that goes back for repair, in bytes at each end: enough to mend what it names.
const PREVIOUS_MAX: usize = 32 * 1024;

/// The heading that the ask stands under, in every template.
const ASK_HEADING: &str = "## The ask\n";

/// The `dicast.ask/1` block.
#[derive(Serialize)]
struct Ask<'a> {
    schema: &'static str,
    spec_id: &'a str,
    stage: Stage,
    agent: &'a str,
    attempt: u32,
    agenda: &'a [Topic],
    answer_schema: &'a Value,
}

/// Writes the prompt for one agent at one stage.
pub fn render(stage: Stage, agent: &AgentName, role: Option<&str>, inputs: &PromptInputs<'_>) -> Rendered {
    let topics: Vec<String> = inputs.agenda.iter().map(|topic| topic.id.clone()).collect();
    let schema = answer_schema(stage, &topics);
    let ask = Ask {
        schema: "dicast.ask/1",
        spec_id: inputs.spec.id.as_str(),
        stage,
        agent: agent.as_str(),
        attempt: inputs.attempt,
        agenda: inputs.agenda,
        answer_schema: &schema,
    };
    // Plain strings and maps: writing them as JSON cannot fail.
    let ask_json = serde_json::to_string(&ask).unwrap_or_default();
    let role = role.map(|role| format!(" Your role: {}.", Safe::line(role))).unwrap_or_default();
    let text = fill(
        body(FRAME),
        &[
            ("stage", stage.name()),
            ("spec_id", inputs.spec.id.as_str()),
            ("agent", agent.as_str()),
            ("role", &role),
            ("task", body(of_stage(stage)).trim_end()),
            ("sections", &sections(inputs)),
            ("agenda", &listed(inputs.agenda)),
            ("ask", &fenced("json", &ask_json)),
        ],
    );
    let mut sent = sent_objects(&text);
    sent.extend(canonical(&schema).ok().map(Sha::of));
    sent.sort();
    sent.dedup();
    Rendered { text, sent }
}

/// Writes the one repair turn: the same prompt, what was wrong, and the ask again at the end.
pub fn repair(prompt: &str, why: &str) -> String {
    mended(prompt, None, why)
}

/// Writes the one repair turn with the earlier answer in it, for an agent that does not remember it.
pub fn repair_quoting(prompt: &str, previous_answer: &str, why: &str) -> String {
    mended(prompt, Some(previous_answer), why)
}

/// Writes the one repair turn for a session that goes on: what was wrong, and the ask again.
pub fn repair_in_session(prompt: &str, why: &str) -> String {
    let whole = repair(prompt, why);
    let (before, _) = split_ask(prompt);
    whole.strip_prefix(before).unwrap_or(&whole).to_owned()
}

fn mended(prompt: &str, previous: Option<&str>, why: &str) -> String {
    let (before, ask) = split_ask(prompt);
    let why = fenced("text", Safe::block(why).as_str());
    let previous = previous
        .map(|answer| format!("This was your answer:\n\n{}\n\n", fenced("text", &shortened(answer))))
        .unwrap_or_default();
    format!("{before}{}", fill(body(REPAIR), &[("why", &why), ("previous", &previous), ("ask", ask)]))
}

/// Writes the prompt of a later attempt: the same, with why the earlier one does not count, if that is of use, and the
/// attempt's number in the ask. In no hash: what is asked is the same.
pub fn for_attempt(prompt: &str, attempt: u32, failed: Option<&AgentError>) -> String {
    const FIELD: &str = "\"attempt\":";
    let (before, ask) = split_ask(prompt);
    // The fields before it are a spec id, a stage and an agent's name, none of which can hold a quote.
    let Some((head, tail)) = ask.split_once(FIELD) else { return prompt.to_owned() };
    let rest = tail.trim_start_matches(|c: char| c.is_ascii_digit());
    let why =
        failed.and_then(why_again).map(|why| format!("An earlier attempt of yours {why}\n\n")).unwrap_or_default();
    format!("{before}{why}{ASK_HEADING}\n{head}{FIELD}{attempt}{rest}\n")
}

/// Says why an attempt did not count, where an agent can do something about it. In words of ours: a program's own may say
/// anything.
fn why_again(error: &AgentError) -> Option<&'static str> {
    match error {
        AgentError::Timeout { which: Deadline::Start | Deadline::FirstEvent | Deadline::Idle, .. } => {
            Some("does not count: it fell silent for too long. Say what you are doing, and answer as soon as you can.")
        }
        AgentError::Timeout { which: Deadline::Total, .. } => {
            Some("does not count: it took too long. Look at less, and answer as soon as you can.")
        }
        AgentError::Crashed { .. } => {
            Some("does not count: its program ended before it answered. Look at less at a time.")
        }
        AgentError::Protocol { .. } => {
            Some("does not count: it ended without an answer that could be read. End with the answer.")
        }
        AgentError::NoArtifact { .. } => {
            Some("does not count: it held no answer that fits the schema. End with one complete JSON object.")
        }
        AgentError::Overgrown { .. } => {
            Some("does not count: what it wrote in its working copy took too much room. Write and build less there.")
        }
        AgentError::CommandNotFound { .. }
        | AgentError::Auth { .. }
        | AgentError::RateLimit { .. }
        | AgentError::Overloaded
        | AgentError::Network { .. }
        | AgentError::ContextOverflow
        | AgentError::Permission { .. }
        | AgentError::Refused { .. }
        | AgentError::Cancelled
        | AgentError::Budget { .. } => None,
    }
}

/// Returns the questions that a prompt asks; `None` for a text that asks nothing in our way.
pub fn asked(prompt: &str) -> Option<Vec<Topic>> {
    /// What is read of the block.
    #[derive(Deserialize)]
    struct Asked {
        agenda: Vec<Topic>,
    }
    let (_, ask) = split_ask(prompt);
    let block = ask.trim_matches('`').strip_prefix("json")?;
    serde_json::from_str(block).ok().map(|Asked { agenda }| agenda)
}

/// Takes a prompt apart into what stands before the last section and what stands in it.
fn split_ask(prompt: &str) -> (&str, &str) {
    match prompt.rfind(ASK_HEADING) {
        Some(at) => (&prompt[..at], prompt[at + ASK_HEADING.len()..].trim()),
        None => (prompt, ""),
    }
}

/// Returns the versions of the templates that a stage's prompts are made of: `frame/1 plan/1 repair/1 round/1`.
pub fn version(stage: Stage) -> String {
    let versions: Vec<&str> = [FRAME, of_stage(stage), REPAIR, ROUND].into_iter().map(version_of).collect();
    versions.join(" ")
}

/// Hashes what every agent of a stage is asked: the templates and the agenda, not the notes recalled from memory.
pub fn prompts_sha256(stage: Stage, agenda: &[Topic]) -> Sha {
    let templates: Vec<Sha> = [FRAME, of_stage(stage), REPAIR, ROUND].into_iter().map(Sha::of).collect();
    // Strings only: the canonical writing cannot fail.
    Sha::of(canonical(&json!({"templates": templates, "agenda": agenda})).unwrap_or_default())
}

const FRAME: &str = include_str!("templates/frame.md");
const REPAIR: &str = include_str!("templates/repair.md");
const ROUND: &str = include_str!("templates/round.md");

fn of_stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Specify => include_str!("templates/specify.md"),
        Stage::Plan => include_str!("templates/plan.md"),
        Stage::Tasks => include_str!("templates/tasks.md"),
        Stage::Implement => include_str!("templates/implement.md"),
        Stage::Validate => include_str!("templates/validate.md"),
        Stage::Audit => include_str!("templates/audit.md"),
        Stage::Unlock => include_str!("templates/unlock.md"),
    }
}

/// A template's first line is its version in a comment; the rest is its text.
fn parts(template: &'static str) -> (&'static str, &'static str) {
    let (first, rest) = template.split_once('\n').unwrap_or((template, ""));
    (first.trim_start_matches("<!--").trim_end_matches("-->").trim(), rest)
}

fn version_of(template: &'static str) -> &'static str {
    parts(template).0
}

fn body(template: &'static str) -> &'static str {
    parts(template).1
}

/// Fills `{{name}}` in one pass: what is filled in is not looked at again, so that foreign text can hold braces.
fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + values.iter().map(|(_, value)| value.len()).sum::<usize>());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, tail)) = after.split_once("}}") else { break };
        out.push_str(values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn sections(inputs: &PromptInputs<'_>) -> String {
    let mut out = String::new();
    if let Some(brief) = inputs.brief {
        out.push_str(&format!("\n## What is wanted\n\n{}\n", fenced("text", brief)));
    }
    let spec = Quoted { path: &inputs.spec.file, text: inputs.spec_text };
    quoted(&mut out, "The spec", &[spec]);
    quoted(&mut out, "Documents of earlier stages", inputs.documents);
    quoted(&mut out, "Context", inputs.context);
    let repo = repo_section(inputs.repo);
    for (title, text) in [
        ("The repository", repo.as_str()),
        ("The change that is audited", &inputs.change.map(change_section).unwrap_or_default()),
        ("What went wrong before", &inputs.failure.map(|text| fenced("text", text)).unwrap_or_default()),
        ("What the program found itself", &lines(inputs.host)),
        ("Notes from earlier runs (they may be out of date)", &lines(inputs.recalled)),
    ] {
        if !text.is_empty() {
            out.push_str(&format!("\n## {title}\n\n{text}\n"));
        }
    }
    out
}

fn quoted(out: &mut String, title: &str, files: &[Quoted<'_>]) {
    if files.is_empty() {
        return;
    }
    out.push_str(&format!("\n## {title}\n"));
    for file in files {
        let path = Safe::line(file.path).as_str().replace('`', "'");
        out.push_str(&format!("\n`{path}`:\n\n{}\n", fenced("text", file.text)));
    }
}

fn repo_section(repo: &RepoFacts) -> String {
    let mut parts = Vec::new();
    if let Some(commit) = &repo.commit {
        parts.push(format!("Commit {}.", Safe::line(commit)));
    }
    if !repo.checks.is_empty() {
        parts.push(format!("Checks that evidence can name: {}.", repo.checks.join(", ")));
    }
    if !repo.files.is_empty() {
        let mut files = repo.files.iter().take(FILES_MAX).map(String::as_str).collect::<Vec<_>>().join("\n");
        if repo.files.len() > FILES_MAX {
            files.push_str(&format!("\n… and {} more", repo.files.len() - FILES_MAX));
        }
        parts.push(format!("Its files:\n\n{}", fenced("text", &files)));
    }
    parts.join("\n\n")
}

/// Tells which commits are audited, what they change, and how to cite it.
fn change_section(change: &Changed) -> String {
    let ends = &change.range.ends;
    let files: Vec<String> = change.range.files.iter().map(|(path, how)| format!("{} {path}", how.name())).collect();
    let mut listed = files.iter().take(FILES_MAX).map(String::as_str).collect::<Vec<_>>().join("\n");
    if files.len() > FILES_MAX {
        listed.push_str(&format!("\n… and {} more", files.len() - FILES_MAX));
    }
    format!(
        "Commits {}. Judge this change. Name a changed line as evidence with `{{\"hunk\": {{\"file\": \"…\", \"line\": …}}}}`: \
         the program holds each against the diff, and what the diff does not change is struck. \
         `git diff {} {}` shows it whole.\n\n{}\n\nThe diff, without context lines:\n\n{}",
        ends.revisions(),
        ends.from,
        ends.to,
        fenced("text", &listed),
        fenced("diff", &shortened(&change.diff)),
    )
}

fn lines(items: &[Safe]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let text = items.iter().map(|item| format!("- {}", Safe::line(item.as_str()))).collect::<Vec<_>>().join("\n");
    fenced("text", &text)
}

fn listed(agenda: &[Topic]) -> String {
    if agenda.is_empty() {
        return "There are no questions this time: leave `answers` empty.".into();
    }
    let item = |topic: &Topic| {
        let unit = topic.unit.as_deref().map(|unit| format!(" (in {unit} or another unit of its kind)"));
        format!("- **{}** {}{}", topic.id, Safe::line(&topic.ask), unit.unwrap_or_default())
    };
    agenda.iter().map(item).collect::<Vec<_>>().join("\n")
}

/// Puts a text into a fence that is longer than any run of backquotes in it, so that it cannot close it.
pub fn fenced(language: &str, text: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat((longest + 1).max(3));
    let end = if text.ends_with('\n') { "" } else { "\n" };
    format!("{fence}{language}\n{text}{end}{fence}")
}

/// The beginning and end of a long text.
fn shortened(text: &str) -> String {
    if text.len() <= 2 * PREVIOUS_MAX {
        return text.to_owned();
    }
    let head = (0..=PREVIOUS_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let from = text.len() - PREVIOUS_MAX;
    let tail = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    format!("{}\n… {} bytes left out …\n{}", &text[..head], tail - head, &text[tail..])
}

#[cfg(test)]
mod tests;
