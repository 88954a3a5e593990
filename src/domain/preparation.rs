//! What a stage starts from: the spec as read, the agenda, a prompt for each seat, and everything that the verdict
//! will be bound to.
//!
//! Pure, over a [`Tree`]: it must not read anything itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::absent;
use super::agenda::{Topic, agenda, open_only};
use super::artifact::Expect;
use super::back::Back;
use super::check::{self, Changed, Content, Tree};
use super::claim::derive::{Backed, Prior};
use super::claim::host;
use super::claim::{Kind, Value};
use super::consensus::{CHECKED_BY, Decision, Inputs, Verdict};
use super::dissent::{self, Entry, Ledger};
use super::failure::Failure;
use super::hash::{Sha, canonical};
use super::ids::{AgentName, SpecId};
use super::memory::Note;
use super::prompt::{self, PromptInputs, Quoted, Rendered, RepoFacts};
use super::range::Range;
use super::safe::Safe;
use super::skip::{self, Skipped};
use super::spec::{self, Spec};
use super::stage::Stage;

/// Everything a stage starts from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// The spec as it was read.
    pub spec: Arc<Spec>,
    /// The stage.
    pub stage: Stage,
    /// The questions that every agent gets.
    pub agenda: Vec<Topic>,
    /// What a valid answer looks like.
    pub expect: Expect,
    /// The prompt of each agent.
    pub prompts: BTreeMap<AgentName, Arc<str>>,
    /// What the verdict is bound to.
    pub inputs: Inputs,
    /// What earlier stages decided.
    pub prior: Prior,
    /// What earlier stages left open or accepted.
    pub ledger: Ledger,
    /// Ids of the constitution's rules, in upper case.
    pub constitution: BTreeSet<String>,
    /// What agents are told of earlier runs; no verdict is bound to it.
    pub recalled: Vec<Note>,
    /// What we wrote that stands in the spec's folder, by path, as the verdicts there tell: ours to replace, also in a
    /// clone.
    #[serde(default)]
    pub standing: BTreeMap<String, Sha>,
    /// The stage that it starts from, where that was decided about another text of the spec.
    #[serde(default)]
    pub outdated: Option<Stage>,
    /// Which files of the spec no agent is shown, in words.
    #[serde(default)]
    pub unseen: Option<Safe>,
    /// What the host says itself.
    #[serde(default)]
    pub host: Vec<Backed>,
    /// The spec's document as it was read, where it is what is drafted or revised.
    #[serde(default)]
    pub text: Option<Arc<str>>,
    /// The git range that is audited, if it is one.
    #[serde(default)]
    pub range: Option<Arc<Range>>,
    /// The git tree that worktrees start with, where that is not the commit's: of a change that is to be mended.
    #[serde(default)]
    pub start: Option<String>,
}

/// Longest question that stands for a topic's id in a sentence, in characters.
const ASK_MAX: usize = 60;

impl Preparation {
    /// Writes what topics ask instead of their ids: agents and people know questions, not `D-008`.
    pub fn in_words(&self, text: &str) -> String {
        let words = |id: &str| {
            let topic = self.agenda.iter().find(|topic| topic.id == id)?;
            let about = topic.about.as_ref().or(topic.requirement.as_ref()).filter(|id| !topic.ask.starts_with(*id));
            let ask: String = topic.ask.chars().take(ASK_MAX).collect();
            let more = if ask.len() < topic.ask.len() { "…" } else { "" };
            Some(format!("{}“{ask}{more}”", about.map(|id| format!("{id} ")).unwrap_or_default()))
        };
        let parts = text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
        let spoken = parts.map(|part| {
            let id = part.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
            words(id).map_or_else(|| part.to_owned(), |words| format!("{words}{}", &part[id.len()..]))
        });
        spoken.collect()
    }
}

/// What to prepare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// For which spec.
    pub spec: SpecId,
    /// For which stage.
    pub stage: Stage,
    /// Who is asked, with the role of each.
    pub roster: Vec<(AgentName, Option<String>)>,
    /// The configured context files; `None` means the usual ones.
    pub context: Option<Vec<String>>,
    /// Hash of the configuration.
    pub config: Option<Sha>,
    /// Names of the approved checks that evidence can name.
    pub checks: Vec<String>,
    /// The commit that the working copy stands on.
    pub commit: Option<String>,
    /// The spec's ledger.
    pub entries: Vec<Entry>,
    /// Notes that memory had.
    pub recalled: Vec<Note>,
    /// The change that is audited, where it is a range of commits.
    pub change: Option<Changed>,
    /// What a spec is to be drafted or revised for, in a person's words.
    pub brief: Option<String>,
    /// Stages that a person left out, and why.
    pub skipped: Skipped,
    /// Who of the stage's agents was left out by a person, each with its family.
    pub left_out: Vec<String>,
    /// Why the stage is done again, where a run went back to it.
    pub back: Option<Back>,
    /// What was asked when the stage was opened, where it is only decided anew: the answers that are kept answer that.
    pub agenda: Option<Vec<Topic>>,
}

/// Names a brief among what a verdict is bound to. No path begins like it.
const BRIEF: &str = "what was wanted:";

/// Instructions for agents: the first that is there goes to every agent.
const INSTRUCTIONS: [&str; 3] = ["AGENTS.md", "CLAUDE.md", "GEMINI.md"];

/// Most host findings that are told to agents: more would be noise beside the spec.
const FINDINGS_MAX: usize = 20;

/// Exit code for a record that was altered.
const ALTERED: u8 = 3;

/// Folders of ours that no verdict is about.
const OURS: [&str; 1] = [".dicast/"];

/// Prepares a stage from a repository as read.
///
/// # Errors
/// Exit 64 for an unknown spec; exit 10 when its document cannot be read, it asks for nothing, an earlier stage is
/// missing or did not pass, or a configured context file is not there; exit 3 for an earlier verdict that was altered.
pub fn prepare(tree: &Tree, ask: &Ask) -> Result<Preparation, Failure> {
    let reading = check::read(tree);
    let Some(spec) = reading.specs.iter().find(|spec| spec.id == ask.spec) else {
        return Err(unreadable(&reading, &ask.spec));
    };
    // A draft may begin with nothing but what is wanted.
    if ask.stage != Stage::Specify {
        spec.asked()?;
    }
    let verdicts = verdicts_before(tree, spec, ask)?;
    let (documents, left_out) = documents(tree, spec, ask.stage);
    let context = context(tree, ask)?;
    let ledger = Ledger::read(spec, verdicts.values(), &ask.entries);
    let agenda = ask.agenda.clone().unwrap_or_else(|| questions(spec, ask.stage, &ledger));
    // Where there are no tasks, none could have asked for a change.
    let hunks = ask.change.as_ref().filter(|_| spec.tasks.is_some()).map(|change| check::hunks(&change.diff));
    let report = check::check(&reading, tree, Some(&spec.id), hunks.as_deref());
    let range = ask.change.as_ref().map(|change| Arc::new(change.range.clone()));
    let says = host::says(ask.stage, spec, report.of(&spec.id), range.as_deref());
    let found =
        |found: &check::Finding| Safe::line(&format!("{}:{} {}", found.place.file, found.place.line, found.message));
    let host: Vec<Safe> = report.of(&spec.id).take(FINDINGS_MAX).map(found).collect();
    let facts = RepoFacts {
        commit: ask.commit.clone(),
        checks: ask.checks.clone(),
        files: tree.files.keys().filter(|path| !is_ours(path)).cloned().collect(),
    };
    let recalled: Vec<Safe> = ask.recalled.iter().map(|note| note.text.clone()).collect();
    let failure = ask.back.as_ref().map(|back| back.told(ask.commit.as_deref()));
    let inputs = PromptInputs {
        spec,
        spec_text: tree.text(&spec.file).unwrap_or_default(),
        documents: &documents,
        context: &context,
        agenda: &agenda,
        repo: &facts,
        change: ask.change.as_ref(),
        host: &host,
        recalled: &recalled,
        failure: failure.as_deref(),
        brief: ask.brief.as_deref(),
        attempt: 1,
    };
    let rendered: Vec<(AgentName, Rendered)> = ask
        .roster
        .iter()
        .map(|(agent, role)| (agent.clone(), prompt::render(ask.stage, agent, role.as_deref(), &inputs)))
        .collect();
    let sent: BTreeSet<Sha> = rendered.iter().flat_map(|(_, rendered)| rendered.sent.iter().cloned()).collect();
    Ok(Preparation {
        stage: ask.stage,
        expect: Expect {
            stage: ask.stage,
            topics: agenda.iter().map(|topic| topic.id.clone()).collect(),
            sent: sent.into_iter().collect(),
        },
        prompts: rendered.into_iter().map(|(agent, rendered)| (agent, rendered.text.into())).collect(),
        inputs: Inputs {
            spec_sha256: Some(spec.sha.clone()),
            tree: (ask.stage >= Stage::Implement).then(|| tree_id(tree)),
            commit: ask.commit.clone(),
            documents: hashes(&documents),
            context: surroundings(ask, &context, range.as_deref()),
            config_sha256: ask.config.clone(),
            prompts_sha256: Some(prompt::prompts_sha256(ask.stage, &agenda)),
            verdicts: verdicts.iter().map(|(stage, verdict)| (stage.to_string(), verdict.hash.clone())).collect(),
        },
        prior: prior(tree, spec, &verdicts),
        ledger,
        constitution: tree.constitution().map(|(_, text)| rules(text)).unwrap_or_default(),
        recalled: ask.recalled.clone(),
        unseen: unseen(&left_out),
        standing: standing(tree, spec),
        outdated: outdated(spec, ask, &verdicts),
        text: (ask.stage == Stage::Specify).then(|| tree.text(&spec.file).unwrap_or_default().into()),
        range,
        start: ask.back.as_ref().and_then(|back| back.start(ask.commit.as_deref())).map(str::to_owned),
        host: says,
        agenda,
        spec: Arc::new(spec.clone()),
    })
}

/// Returns what a stage asks: where the spec itself is at stake, nobody is asked whether it is covered.
fn questions(spec: &Spec, stage: Stage, ledger: &Ledger) -> Vec<Topic> {
    let topics = if stage == Stage::Specify { open_only } else { agenda };
    topics(spec, &dissent::questions(ledger, &agenda(spec, &[])))
}

/// Names what a verdict is bound to besides documents and code: what every agent reads, and what a person decided about
/// the run.
fn surroundings(ask: &Ask, context: &[Quoted<'_>], range: Option<&Range>) -> BTreeMap<String, Sha> {
    hashes(context)
        .into_iter()
        .chain(range.map(Range::as_context))
        .chain(skip::as_context(&ask.skipped, ask.stage))
        .chain(absent::as_context(&ask.left_out))
        .chain(ask.back.as_ref().map(Back::as_context))
        .chain(ask.brief.as_deref().map(|brief| (BRIEF.to_owned(), Sha::of(brief))))
        .collect()
}

/// Reads what all recorded verdicts of a spec and its ledger leave open.
///
/// # Errors
/// As [`prepare`] for the spec; exit 3 for a verdict that was altered.
pub fn ledger(tree: &Tree, id: &SpecId, entries: &[Entry]) -> Result<Ledger, Failure> {
    let reading = check::read(tree);
    let Some(spec) = reading.specs.iter().find(|spec| &spec.id == id) else { return Err(unreadable(&reading, id)) };
    let verdicts = Stage::ALL.into_iter().filter_map(|stage| recorded(tree, spec, stage).transpose());
    let verdicts = verdicts.collect::<Result<Vec<Verdict>, Failure>>()?;
    Ok(Ledger::read(spec, &verdicts, entries))
}

/// Says why a spec is not in a reading.
pub(super) fn unreadable(reading: &check::Reading, id: &SpecId) -> Failure {
    match reading.unreadable.iter().find(|finding| finding.spec.as_ref() == Some(id)) {
        Some(finding) => {
            Failure::needs_input(finding.place.file.as_str(), finding.message.to_string(), finding.clear.to_string())
        }
        None => Failure::usage(format!("spec {id}"), "it is not here any more", "list the specs with `dicast status`"),
    }
}

/// Reads the recorded verdicts of the stages before this one, and refuses a stage whose predecessor is missing.
fn verdicts_before(tree: &Tree, spec: &Spec, ask: &Ask) -> Result<BTreeMap<Stage, Verdict>, Failure> {
    let stage = ask.stage;
    let before = Stage::ALL.into_iter().filter(|before| *before < stage);
    let read = before.map(|before| Ok(recorded(tree, spec, before)?.map(|verdict| (before, verdict))));
    let read: Vec<Option<(Stage, Verdict)>> = read.collect::<Result<_, Failure>>()?;
    let verdicts: BTreeMap<Stage, Verdict> = read.into_iter().flatten().collect();
    let Some(needed) = stage.needs().filter(|needed| !ask.skipped.contains_key(needed)) else { return Ok(verdicts) };
    // A plan or task list that somebody else wrote is as good a start as one of ours, and so is a change that is there.
    let is_written = match needed {
        Stage::Plan => tree.text(&tree.path_of(spec, "plan.md")).is_some(),
        Stage::Tasks => tree.text(&tree.path_of(spec, "tasks.md")).is_some(),
        Stage::Specify | Stage::Implement | Stage::Validate | Stage::Audit | Stage::Unlock => ask.change.is_some(),
    };
    let place = format!("{} of {}", stage, spec.id);
    match verdicts.get(&needed) {
        Some(verdict) if verdict.is_advancing() => Ok(verdicts),
        // Its document is there all the same: it says what is open, and is nothing to go on with.
        Some(verdict) => Err(Failure::needs_input(
            place,
            format!("its {needed} ended in {}: {}", verdict.status.name(), verdict.status.words()),
            format!("decide what is open (`dicast dissent {}`), or run `dicast {needed} {}` again", spec.id, spec.id),
        )),
        None if is_written => Ok(verdicts),
        None => Err(Failure::needs_input(
            place,
            format!("it has no {needed} yet"),
            match stage {
                Stage::Audit => format!(
                    "run `dicast {needed} {0}` first, or say which commits hold the change: `dicast audit {0} --range A..B`",
                    spec.id
                ),
                Stage::Specify | Stage::Plan | Stage::Tasks | Stage::Implement | Stage::Validate | Stage::Unlock => {
                    format!("run `dicast {needed} {}` first", spec.id)
                }
            },
        )),
    }
}

/// Returns the stage that this one starts from if the spec says something else by now. Commits that are named need no
/// verdict before theirs.
fn outdated(spec: &Spec, ask: &Ask, verdicts: &BTreeMap<Stage, Verdict>) -> Option<Stage> {
    let needed = ask.stage.needs().filter(|needed| !ask.skipped.contains_key(needed) && ask.change.is_none())?;
    let judged = verdicts.get(&needed)?.inputs.spec_sha256.as_ref();
    (judged != Some(&spec.sha)).then_some(needed)
}

/// Reads the recorded verdict of a stage, and refuses one that is not what was recorded: everything after would build
/// on it.
pub(super) fn recorded(tree: &Tree, spec: &Spec, stage: Stage) -> Result<Option<Verdict>, Failure> {
    let path = spec.verdict_path(stage);
    let Some(text) = tree.text(&path) else { return Ok(None) };
    let altered = |why: String| Failure::BadInput {
        place: path.clone(),
        why,
        next: format!("restore the file, or run `dicast {stage} {}` again", spec.id),
        exit: ALTERED,
    };
    let verdict: Verdict = serde_json::from_str(text).map_err(|error| altered(format!("it is no verdict: {error}")))?;
    if verdict.spec_id != spec.id || verdict.stage != stage {
        return Err(altered(format!("it is the verdict of {} of {}", verdict.stage, verdict.spec_id)));
    }
    if verdict.computed_hash() != verdict.hash {
        return Err(altered("it was altered: its hash does not match".into()));
    }
    Ok(Some(verdict))
}

/// Finds what stands in a spec's folder as we wrote it: verdicts that are what their hash says, and the documents that
/// they name. What was altered is not among it.
fn standing(tree: &Tree, spec: &Spec) -> BTreeMap<String, Sha> {
    let mut standing = BTreeMap::new();
    for stage in Stage::RECORDED {
        let Ok(Some(verdict)) = recorded(tree, spec, stage) else { continue };
        let path = spec.verdict_path(stage);
        standing.extend(tree.text(&path).map(Sha::of).map(|sha| (path, sha)));
        standing.extend(verdict.published);
    }
    standing
}

/// Most files of a spec's folders that are quoted: a contract of more is a library.
const FOLDER_FILES: usize = 24;

/// Most bytes of those files together: every agent reads them.
const FOLDER_BYTES: usize = 128 << 10;

/// Most files that a warning names.
const NAMED_MAX: usize = 5;

/// The documents of a spec that a stage builds on, and the folders (github/spec-kit's) whose texts are quoted with them.
/// Whoever writes the code, or looks at it, needs what it has to keep to.
fn sources(stage: Stage) -> (&'static [&'static str], &'static [&'static str]) {
    match stage {
        Stage::Specify | Stage::Plan => (
            &["research.md", "data-model.md", "quickstart.md", "proposal.md", "design.md"],
            &["contracts", "checklists"],
        ),
        Stage::Tasks => (
            &["research.md", "data-model.md", "quickstart.md", "proposal.md", "design.md", "plan.md"],
            &["contracts", "checklists"],
        ),
        Stage::Implement | Stage::Validate => (&["plan.md", "tasks.md", "data-model.md", "design.md"], &["contracts"]),
        Stage::Audit | Stage::Unlock => (&["plan.md", "tasks.md"], &[]),
    }
}

/// The documents that a stage builds on, as far as they are there and fit, and the paths of those that do not fit.
fn documents<'t>(tree: &'t Tree, spec: &Spec, stage: Stage) -> (Vec<Quoted<'t>>, Vec<&'t str>) {
    let (names, folders) = sources(stage);
    let mut found: Vec<Quoted<'t>> = names.iter().filter_map(|name| quoted(tree, &tree.path_of(spec, name))).collect();
    let (mut left, mut taken, mut left_out) = (FOLDER_BYTES, 0, Vec::new());
    for folder in folders {
        let folder = format!("{}/{folder}/", spec.dir);
        for (path, file) in tree.files.range(folder.clone()..).take_while(|(path, _)| path.starts_with(&folder)) {
            match &file.content {
                Content::Text(text) if text.len() <= left && taken < FOLDER_FILES => {
                    (left, taken) = (left - text.len(), taken + 1);
                    found.push(Quoted { path, text });
                }
                Content::Text(_) | Content::TooLarge => left_out.push(path.as_str()),
                Content::Binary(_) | Content::Link => {}
            }
        }
    }
    (found, left_out)
}

/// Says which files of the spec no agent is shown, if any.
fn unseen(left_out: &[&str]) -> Option<Safe> {
    let named = left_out.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    let more = left_out.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!(
        "no agent is shown {named}{more}: of a spec's folders {FOLDER_FILES} files and {} KiB go into a prompt",
        FOLDER_BYTES >> 10
    );
    (!left_out.is_empty()).then(|| Safe::line(&text))
}

fn quoted<'t>(tree: &'t Tree, path: &str) -> Option<Quoted<'t>> {
    let (path, file) = tree.files.get_key_value(path)?;
    Some(Quoted { path, text: file.as_text()? })
}

/// The files that every agent gets alike.
fn context<'t>(tree: &'t Tree, ask: &Ask) -> Result<Vec<Quoted<'t>>, Failure> {
    if let Some(files) = &ask.context {
        let read = |path: &String| {
            quoted(tree, path).ok_or_else(|| {
                let why = "a context file is not there, or is no text that the repository lists";
                Failure::needs_input(path.as_str(), why, "create it, or correct [context] files in the config")
            })
        };
        return files.iter().map(read).collect();
    }
    let instructions = INSTRUCTIONS.iter().find_map(|path| quoted(tree, path));
    let constitution = tree.constitution().and_then(|(path, _)| quoted(tree, path));
    Ok(instructions.into_iter().chain(constitution).collect())
}

fn hashes(quoted: &[Quoted<'_>]) -> BTreeMap<String, Sha> {
    quoted.iter().map(|file| (file.path.to_owned(), Sha::of(file.text))).collect()
}

fn is_ours(path: &str) -> bool {
    OURS.iter().any(|folder| path.starts_with(folder))
}

/// Names the state of a working copy: the hash of every file's path and content, without what we publish ourselves.
/// (git's own tree id would not see changes that are not committed.)
pub fn tree_id(tree: &Tree) -> String {
    // Of every spec: what is published for one must not make another's verdict stale. What a stage reads of it is named
    // by the inputs' documents.
    let folders = spec::find(tree.files.keys().map(String::as_str));
    let files: BTreeMap<&str, String> = tree
        .files
        .iter()
        .filter(|(path, _)| !is_ours(path) && !folders.iter().any(|folder| folder.publishes(path)))
        .map(|(path, file)| {
            let id = match &file.content {
                Content::Text(text) => Sha::of(text).to_string(),
                // Not read: the size stands for the content. Not the time: a clone in CI has another one.
                Content::Binary(_) | Content::TooLarge | Content::Link => format!("{} bytes", file.size),
            };
            (path.as_str(), id)
        })
        .collect();
    // Strings only: the canonical writing cannot fail.
    format!("files:{}", Sha::of(canonical(&files).unwrap_or_default()))
}

/// What earlier verdicts say that tiers depend on.
fn prior(tree: &Tree, spec: &Spec, verdicts: &BTreeMap<Stage, Verdict>) -> Prior {
    let mut checked_by: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for verdict in [Stage::Plan, Stage::Tasks].iter().filter_map(|stage| verdicts.get(stage)) {
        let named = verdict.claims.iter().filter(|claim| claim.kind == Kind::Test && claim.predicate == CHECKED_BY);
        for claim in named.filter(|claim| claim.label.is_decided()) {
            let tests = checked_by.entry(claim.subject.clone()).or_default();
            match &claim.value {
                Some(Value::Set(members)) => tests.extend(members.iter().cloned()),
                Some(Value::Text(text)) => drop(tests.insert(text.as_ref().to_owned())),
                None => {}
            }
        }
    }
    let now = tree_id(tree);
    let passed = |stage: Stage| {
        verdicts.get(&stage).is_some_and(|verdict| {
            verdict.outcome == Decision::Pass
                && verdict.exit == 0
                && verdict.inputs.spec_sha256.as_ref() == Some(&spec.sha)
                && verdict.inputs.tree.as_ref() == Some(&now)
        })
    };
    Prior {
        checked_by,
        mentions: BTreeMap::new(),
        validate_passed: passed(Stage::Validate),
        audit_passed: passed(Stage::Audit),
    }
}

/// Ids at the beginning of the constitution's lines: letters, a hyphen and digits (`C-001`), or a Roman heading.
fn rules(text: &str) -> BTreeSet<String> {
    let is_id = |word: &str| {
        word.split_once('-').is_some_and(|(head, number)| {
            !head.is_empty()
                && head.chars().all(|c| c.is_ascii_alphabetic())
                && !number.is_empty()
                && number.chars().all(|c| c.is_ascii_digit())
        })
    };
    text.lines()
        .filter_map(|line| {
            line.trim_start_matches(['#', '-', '*', ' ', '[', ']', 'x']).split([' ', ':', '*', '.']).next()
        })
        .filter(|word| is_id(word))
        .map(str::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests;
