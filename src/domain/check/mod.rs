//! `check`: what can be said about specs by rules alone, without any model. Three analysts: the *surveyor* (what in
//! the code a spec touches), the *tracer* (requirement → task → test → code) and the *critic* (ambiguity,
//! contradiction, what is unmeasured).
//!
//! Pure: it is given a [`Tree`] and gives a [`Report`]. It must not know how either is read or shown. When in doubt an
//! analyst is silent: a false alarm costs more than a hole that the next reader sees.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::claim::lookup::Means;
use super::ids::SpecId;
use super::safe::Safe;
use super::spec::{self, Spec};

mod critic;
mod detect;
mod lines;
mod look;
mod numbers;
mod range;
mod rule;
mod runner;
pub mod sight;
mod surveyor;
mod syntax;
mod tracer;
mod tree;
mod whose;
mod words;

pub use critic::{Clash, ClashKind, OpenMark, clashes, open_mark, vague_in};
pub use detect::{BUILD_FILES, HOOKS, checks, context_files, hooks};
pub use look::look_up;
pub use range::{Asked, Changed, Changes, Hunk, hunks, unquoted, without_headings};
pub use rule::{Analyst, Rule, Severity};
pub use runner::{Executed, Results, results};
pub use tree::{CONSTITUTIONS, Commit, Content, FileText, History, Paths, Tree};

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Relative to the repository. Foreign text: show it through [`Safe`].
    pub file: String,
    /// From 1.
    pub line: u32,
}

/// One thing that a rule found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// How grave this one is.
    pub severity: Severity,
    /// The spec it belongs to; `None` for a change that belongs to none.
    pub spec: Option<SpecId>,
    /// The task or requirement it is about (`T009`, `FR-006`), empty if it is about a whole document.
    pub about: String,
    /// Where to look.
    pub place: Place,
    /// What is so, in words.
    pub message: Safe,
    /// What would clear it.
    pub clear: Safe,
    /// For a symbol or test that is not there: whether all the code was parsed, or some of it only read as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Means>,
}

/// What the analysts have to say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// One entry for each spec that was checked, by id.
    pub specs: Vec<Survey>,
    /// By spec, then gravest first, then by place.
    pub findings: Vec<Finding>,
    /// How many files were there to look at.
    pub files: u32,
}

/// What was counted of one spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The spec.
    pub id: SpecId,
    /// Its title. Foreign text.
    pub title: Safe,
    /// How many requirements it has.
    pub requirements: u32,
    /// How many of them are musts.
    pub musts: u32,
    /// Its tasks, if it has a task list.
    pub tasks: Option<Counts>,
    /// Requirement → tasks → tests → code.
    pub traces: Vec<Trace>,
}

/// Tasks by what was seen of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All tasks.
    pub all: u32,
    /// Ticked ones; the next three add up to it.
    pub ticked: u32,
    /// Ticked, and all that they name is there.
    pub seen: u32,
    /// Ticked, and something that they name is not there.
    pub absent: u32,
    /// Ticked, and they name nothing that can be looked at.
    pub unnamed: u32,
}

/// What leads from one requirement to code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The requirement's id.
    pub requirement: String,
    /// Tasks that name it.
    pub tasks: Vec<String>,
    /// Tests that name it, or that its tasks name.
    pub tests: Vec<Place>,
    /// Code that names it, or that its tasks name and that is there.
    pub code: Vec<Place>,
}

/// How many findings there are of each severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Remarks: they stop nothing, but they are something.
    pub remarks: usize,
}

impl Tally {
    /// Counts findings.
    pub fn of<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> Self {
        let mut tally = Self::default();
        for finding in findings {
            match finding.severity {
                Severity::Error => tally.errors += 1,
                Severity::Warning => tally.warnings += 1,
                Severity::Info => tally.remarks += 1,
            }
        }
        tally
    }

    /// Returns what was found in words: `1 error, 2 remarks`, or `nothing found` if there is not even a remark.
    pub fn words(self) -> String {
        let counted = |n: usize, what: &str| (n > 0).then(|| format!("{n} {what}{}", if n == 1 { "" } else { "s" }));
        let parts = [counted(self.errors, "error"), counted(self.warnings, "warning"), counted(self.remarks, "remark")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "nothing found".to_owned() } else { parts.join(", ") }
    }
}

impl Report {
    /// Counts all findings.
    pub fn tally(&self) -> Tally {
        Tally::of(&self.findings)
    }

    /// Returns the exit code: 1 if anything worse than [`Severity::Info`] was found.
    pub fn exit(&self) -> u8 {
        u8::from(self.findings.iter().any(|f| f.severity != Severity::Info))
    }

    /// Returns how many findings have a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|f| f.severity == severity).count()
    }

    /// Returns the findings of one spec.
    pub fn of<'r>(&'r self, id: &'r SpecId) -> impl Iterator<Item = &'r Finding> {
        self.findings.iter().filter(move |f| f.spec.as_ref() == Some(id))
    }
}

/// The specs of a tree, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// By id. A spec whose document cannot be read is not among them.
    pub specs: Vec<Spec>,
    /// Documents that cannot be read.
    pub unreadable: Vec<Finding>,
}

/// Reads the specs of a tree with their task lists.
pub fn read(tree: &Tree) -> Reading {
    let mut reading = Reading::default();
    for folder in spec::find(tree.files.keys().map(String::as_str)) {
        match read_one(tree, &folder) {
            Ok(spec) => reading.specs.push(spec),
            Err(finding) => reading.unreadable.push(*finding),
        }
        for home in BTreeSet::from([&folder.own, &folder.dir]) {
            let tasks = format!("{home}/tasks.md");
            if let Some(Err(finding)) = tree.files.get(&tasks).map(|file| document(&folder.id, &tasks, file)) {
                reading.unreadable.push(*finding);
            }
        }
    }
    reading
}

/// Reads the spec of a folder; of a tree it looks at nothing else.
///
/// # Errors
/// The finding that says why none of its documents can be read.
pub fn read_one(tree: &Tree, folder: &spec::Folder) -> Result<Spec, Box<Finding>> {
    let mut best: Option<Spec> = None;
    for path in &folder.documents {
        let Some(file) = tree.files.get(path) else { continue };
        let read = document(&folder.id, path, file).map(|text| spec::parse(folder.id.clone(), &folder.dir, path, text));
        best = match (best, read) {
            // The document that defines most; of equals the first.
            (Some(known), Ok(read)) if defines(&read) > defines(&known) => Some(read),
            (None, Ok(read)) => Some(read),
            (None, Err(finding)) if folder.documents.len() == 1 => return Err(finding),
            (known, _) => known,
        };
    }
    let Some(mut spec) = best else {
        let path = folder.documents.first().cloned().unwrap_or_default();
        return Err(Box::new(unreadable(&folder.id, &path, "none of its documents can be read", "repair one of them")));
    };
    spec.own.clone_from(&folder.own);
    spec.tasks = tree.text(&tree.path_of(&spec, "tasks.md")).map(spec::parse_tasks);
    Ok(spec)
}

fn defines(spec: &Spec) -> usize {
    spec.requirements.iter().filter(|r| !r.id.starts_with("US") && !r.id.starts_with("AS")).count()
}

fn document<'t>(id: &SpecId, path: &str, file: &'t FileText) -> Result<&'t str, Box<Finding>> {
    let failure = match &file.content {
        Content::Text(text) => match spec::text_of(path, text.as_bytes()) {
            Ok(_) => return Ok(text),
            Err(failure) => failure,
        },
        Content::Binary(at) => spec::not_utf8(path, *at),
        Content::TooLarge => spec::too_large(path),
        Content::Link => spec::is_link(path),
    };
    let why = failure.to_string();
    let why = why.strip_prefix(&format!("{path}: ")).unwrap_or(&why);
    Err(Box::new(unreadable(id, path, why, &failure.hint())))
}

fn unreadable(id: &SpecId, path: &str, why: &str, clear: &str) -> Finding {
    Finding {
        rule: Rule::Unreadable,
        severity: Rule::Unreadable.severity(),
        spec: Some(id.clone()),
        about: String::new(),
        place: Place { file: path.to_owned(), line: 1 },
        message: Safe::line(&format!("{}: {why}", path.rsplit('/').next().unwrap_or(path))),
        clear: Safe::line(clear),
        by: None,
    }
}

/// Checks every spec of a reading, or only one, and with `range` also whether the changes in it were asked for.
pub fn check(reading: &Reading, tree: &Tree, only: Option<&SpecId>, range: Option<&[Hunk]>) -> Report {
    let chosen: Vec<&Spec> = reading.specs.iter().filter(|s| only.is_none_or(|id| *id == s.id)).collect();
    let wanted: BTreeSet<String> = chosen
        .iter()
        .flat_map(|s| s.tasks.iter().flatten())
        .flat_map(|t| t.symbols.iter().chain(&t.tests).cloned())
        .collect();
    let apart: Vec<String> = reading.specs.iter().map(|s| s.dir.clone()).collect();
    let seen = Seen {
        reading,
        tree,
        paths: Paths::of(tree),
        sights: sight::Sights::of(tree, &wanted, &apart),
        constitution: tree.constitution(),
    };
    let mut report = Report { files: u32::try_from(tree.files.len()).unwrap_or(u32::MAX), ..Report::default() };
    let is_chosen = |f: &&Finding| only.is_none_or(|id| f.spec.as_ref() == Some(id));
    report.findings.extend(reading.unreadable.iter().filter(is_chosen).cloned());
    let absent_by = seen.sights.absent_by();
    for spec in &chosen {
        let mut out = Findings { spec, tasks: tree.path_of(spec, "tasks.md"), absent_by, list: &mut report.findings };
        let tasks = surveyor::survey(&seen, spec, &mut out);
        let traces = tracer::trace(&seen, spec, &mut out);
        critic::criticise(&seen, spec, &mut out);
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        report.specs.push(Survey {
            id: spec.id.clone(),
            title: Safe::line(&spec.title),
            requirements: count(spec.requirements.len()),
            musts: count(spec.requirements.iter().filter(|r| r.level == spec::Level::Must).count()),
            tasks,
            traces,
        });
    }
    if let Some(hunks) = range {
        range::unasked(&seen, &chosen, hunks, &mut report.findings);
    }
    report.findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.spec.clone(), f.severity, f.place.clone(), f.rule, f.about.clone());
        key(a).cmp(&key(b)).then_with(|| a.message.cmp(&b.message))
    });
    report.findings.dedup();
    report
}

/// Reads the words of one spec and how its documents fit together, without looking at code.
pub fn criticised(reading: &Reading, tree: &Tree, spec: &Spec) -> Vec<Finding> {
    let seen = Seen {
        reading,
        tree,
        paths: Paths::of(tree),
        sights: sight::Sights::default(),
        constitution: tree.constitution(),
    };
    let mut list = Vec::new();
    let (tasks, absent_by) = (tree.path_of(spec, "tasks.md"), seen.sights.absent_by());
    let mut out = Findings { spec, tasks, absent_by, list: &mut list };
    critic::criticise(&seen, spec, &mut out);
    tracer::drifted(&seen, spec, &mut out);
    list
}

/// Everything the analysts look at.
struct Seen<'t> {
    reading: &'t Reading,
    tree: &'t Tree,
    paths: Paths<'t>,
    sights: sight::Sights<'t>,
    constitution: Option<(&'static str, &'t str)>,
}

/// Collects the findings about one spec.
struct Findings<'f> {
    spec: &'f Spec,
    /// Where its tasks stand.
    tasks: String,
    absent_by: Means,
    list: &'f mut Vec<Finding>,
}

impl Findings<'_> {
    /// Adds a finding with its rule's own severity.
    fn add(&mut self, rule: Rule, about: &str, place: Place, message: &str, clear: &str) {
        self.add_as(rule, rule.severity(), about, place, message, clear);
    }

    fn add_as(&mut self, rule: Rule, severity: Severity, about: &str, place: Place, message: &str, clear: &str) {
        self.list.push(Finding {
            rule,
            severity,
            spec: Some(self.spec.id.clone()),
            about: about.to_owned(),
            place,
            message: Safe::line(message),
            clear: Safe::line(clear),
            by: matches!(rule, Rule::TickedSymbolMissing | Rule::TickedTestMissing).then_some(self.absent_by),
        });
    }

    fn in_spec(&self, line: u32) -> Place {
        Place { file: self.spec.file.clone(), line }
    }

    fn in_tasks(&self, line: u32) -> Place {
        Place { file: self.tasks.clone(), line }
    }
}
