//! The ways to break a sound project, and the ways to change it that leave it sound: each says what must be found.
//!
//! What is expected follows from the change and from what the project's makers know of it, never from `check`.

use std::collections::BTreeSet;

use super::projects::{Demand, Item, Language, Project};
use super::text::{block, commented, elsewhere, emptied, extra, quoted, shortened};
use crate::domain::check::{Commit, FileText, History, Hunk, Rule, Tree};
use crate::domain::ids::SpecId;
use crate::domain::moment::Moment;
use crate::domain::spec::requirement_ids;

/// A changed project.
#[derive(Debug, Clone)]
pub(super) struct Mutant {
    pub tree: Tree,
    /// The changes of a range, where it is about one.
    pub hunks: Option<Vec<Hunk>>,
    /// Every finding that must be new: one of these rules, and what it is about.
    pub expected: Vec<(&'static [Rule], String)>,
    /// Tasks and requirements that the change bears on: a finding about another one is a false alarm.
    pub touched: BTreeSet<String>,
}

/// What one kind of change does.
pub(super) struct Kind {
    pub name: &'static str,
    /// What must be found, in words; empty for changes that leave the project sound.
    pub expects: &'static str,
    pub make: fn(&Project) -> Vec<Mutant>,
}

const fn lie(name: &'static str, expects: &'static str, make: fn(&Project) -> Vec<Mutant>) -> Kind {
    Kind { name, expects, make }
}

const fn sound(name: &'static str, make: fn(&Project) -> Vec<Mutant>) -> Kind {
    Kind { name, expects: "", make }
}

/// All kinds, in the order of the table.
pub(super) const KINDS: [Kind; 32] = [
    lie("delete a file", "ticked-file-missing", file_deleted),
    lie("delete a symbol, its calls stay", "ticked-symbol-missing", |p| {
        symbols(p, &SYMBOL_GONE, |_, _, _| Some(String::new()))
    }),
    lie("comment a symbol out", "ticked-symbol-missing", |p| symbols(p, &SYMBOL_GONE, |c, l, _| Some(commented(c, l)))),
    lie("leave a symbol in a text only", "ticked-symbol-missing", |p| {
        symbols(p, &SYMBOL_GONE, |c, l, n| Some(quoted(c, l, n)))
    }),
    lie("move a method to another type", "ticked-symbol-missing", method_moved),
    lie("delete a test", "ticked-test-missing or ticked-symbol-missing", |p| {
        tests(p, &TEST_GONE, |_, _, _| Some(String::new()))
    }),
    lie("comment a test out", "ticked-test-missing or ticked-symbol-missing", |p| {
        tests(p, &TEST_GONE, |c, l, _| Some(commented(c, l)))
    }),
    lie("take #[test] off a test", "ticked-test-missing or ticked-symbol-missing", |p| tests(p, &TEST_GONE, unmarked)),
    lie("empty a function's body", "ticked-hollow", |p| symbols(p, &HOLLOW, emptied)),
    lie("empty a test's body", "ticked-hollow", |p| tests(p, &HOLLOW, emptied)),
    lie("delete a line of a body", "ticked-hollow", |p| symbols(p, &HOLLOW, |c, _, n| shortened(c, n))),
    lie("tick an open task", "ticked-symbol-missing or ticked-test-missing", ticked),
    lie("untick a done task", "open-task-done", unticked),
    lie("name a requirement that is not there", "orphan-task", misnamed),
    lie("delete a requirement", "orphan-task", requirement_deleted),
    lie("add a requirement", "requirement-without-task", |p| {
        added(p, "MUST print a receipt", &[Rule::RequirementWithoutTask])
    }),
    lie("drop a requirement's tests and their task", "requirement-without-test", untested),
    lie("add a vague requirement", "vague", |p| added(p, "MUST answer quickly", &[Rule::Vague])),
    lie("contradict a number under its id", "contradiction", |p| contradicted(p, true)),
    lie("contradict a number under a new id", "contradiction", |p| contradicted(p, false)),
    lie("negate a requirement", "contradiction", negated),
    lie("leave a question open", "open-marker", marked),
    lie("demand what the constitution forbids", "constitution-forbids", forbidden),
    lie("change a demand after the plan", "stale-plan", |p| replanned(p, true)),
    lie("empty the spec", "unreadable", emptied_spec),
    lie("change a file that nobody named", "unasked-change", |p| ranged(p, false)),
    sound("untick and tick again", |p| vec![unchanged(p)]),
    sound("add a function nobody asked about", |p| each_file(p, |text, language| format!("{text}{}", extra(language)))),
    sound("speak of a symbol in a comment", |p| {
        each_file(p, |text, l| format!("{}{text}", commented("see gone_one()", l)))
    }),
    sound("rename a symbol with its task", renamed),
    sound("change the spec's status after the plan", |p| replanned(p, false)),
    sound("change a file that a task names", |p| ranged(p, true)),
];

fn unchanged(project: &Project) -> Mutant {
    Mutant { tree: project.tree.clone(), hunks: None, expected: Vec::new(), touched: BTreeSet::new() }
}

fn put(tree: &mut Tree, path: &str, text: String) {
    tree.files.insert(path.to_owned(), FileText::text(text));
}

/// Replaces the first `from` in a file; `None` if it is not there: then there is nothing to break.
fn edited(project: &Project, path: &str, from: &str, to: &str) -> Option<Mutant> {
    let text = project.tree.text(path)?;
    let mut mutant = unchanged(project);
    put(&mut mutant.tree, path, text.contains(from).then(|| text.replacen(from, to, 1))?);
    Some(mutant)
}

fn spec_file(project: &Project) -> String {
    format!("{}/spec.md", project.dir)
}

fn tasks_file(project: &Project) -> String {
    format!("{}/tasks.md", project.dir)
}

/// Returns an item's id and requirements, and those of all items that share a file or a requirement with it.
fn around(project: &Project, item: &Item) -> BTreeSet<String> {
    let shares =
        |other: &&Item| other.file == item.file || other.requirements.iter().any(|r| item.requirements.contains(r));
    let items = project.tasks.iter().chain(&project.others).filter(shares);
    items.flat_map(|other| std::iter::once(&other.id).chain(&other.requirements)).cloned().collect()
}

fn last(name: &str) -> &str {
    name.rsplit(['.', ':']).next().unwrap_or(name)
}

fn file_deleted(project: &Project) -> Vec<Mutant> {
    let files: BTreeSet<&str> = project.tasks.iter().filter(|t| t.done).map(|t| t.file.as_str()).collect();
    let one = |file: &str| {
        let mut mutant = unchanged(project);
        // Its text may be all that leads to a requirement.
        mutant.touched.extend(project.tree.text(file).map(requirement_ids).unwrap_or_default());
        mutant.tree.files.remove(file);
        for item in project.tasks.iter().filter(|t| t.file == file) {
            if item.done {
                mutant.expected.push((&[Rule::TickedFileMissing], item.id.clone()));
            }
            mutant.touched.extend(around(project, item));
        }
        mutant
    };
    files.into_iter().map(one).collect()
}

/// What becomes of a definition: its code, its language, its name.
type Change = fn(&str, Language, &str) -> Option<String>;

const SYMBOL_GONE: [Rule; 1] = [Rule::TickedSymbolMissing];
const HOLLOW: [Rule; 1] = [Rule::TickedHollow];

fn symbols(project: &Project, rules: &'static [Rule], change: Change) -> Vec<Mutant> {
    definitions(project, |item| item.symbols.clone(), rules, change)
}

/// A short name beside the word "test" may also be taken for the symbol under test: its reader is told the same.
const TEST_GONE: [Rule; 2] = [Rule::TickedTestMissing, Rule::TickedSymbolMissing];

fn tests(project: &Project, rules: &'static [Rule], change: Change) -> Vec<Mutant> {
    definitions(project, |item| item.tests.clone(), rules, change)
}

fn definitions(project: &Project, of: fn(&Item) -> Vec<String>, rules: &'static [Rule], change: Change) -> Vec<Mutant> {
    let mut out = Vec::new();
    for item in project.tasks.iter().filter(|t| t.done) {
        for name in of(item) {
            let name = last(&name);
            let Some(text) = project.tree.text(&item.file) else { continue };
            let Some(range) = block(text, project.language, name) else { continue };
            let Some(code) = change(&text[range.clone()], project.language, name) else { continue };
            let mut mutant = unchanged(project);
            put(&mut mutant.tree, &item.file, format!("{}{code}{}", &text[..range.start], &text[range.end..]));
            mutant.expected.push((rules, item.id.clone()));
            mutant.touched = around(project, item);
            out.push(mutant);
        }
    }
    out
}

fn method_moved(project: &Project) -> Vec<Mutant> {
    let mut out = Vec::new();
    for item in project.tasks.iter().filter(|t| t.done) {
        for name in item.symbols.iter().filter(|name| name.contains(['.', ':'])) {
            let Some(text) = project.tree.text(&item.file) else { continue };
            let Some(range) = block(text, project.language, last(name)) else { continue };
            let moved = elsewhere(&text[range.clone()], project.language);
            let mut mutant = unchanged(project);
            put(&mut mutant.tree, &item.file, format!("{}{}{moved}", &text[..range.start], &text[range.end..]));
            mutant.expected.push((&[Rule::TickedSymbolMissing], item.id.clone()));
            mutant.touched = around(project, item);
            out.push(mutant);
        }
    }
    out
}

fn unmarked(code: &str, language: Language, _: &str) -> Option<String> {
    (language == Language::Rust && code.contains("#[test]\n")).then(|| code.replacen("#[test]\n", "", 1))
}

fn with_box(project: &Project, item: &Item, from: &str, to: &str) -> Option<Mutant> {
    let (from, to) = (format!("- [{from}] {}", item.id), format!("- [{to}] {}", item.id));
    let mut mutant = edited(project, &tasks_file(project), &from, &to)?;
    mutant.touched = around(project, item);
    Some(mutant)
}

fn ticked(project: &Project) -> Vec<Mutant> {
    let one = |item: &Item| {
        let mut mutant = with_box(project, item, " ", "x")?;
        let rules: &[Rule] = if item.symbols.is_empty() { &TEST_GONE } else { &[Rule::TickedSymbolMissing] };
        mutant.expected.push((rules, item.id.clone()));
        Some(mutant)
    };
    project.tasks.iter().filter(|t| !t.done).filter_map(one).collect()
}

fn unticked(project: &Project) -> Vec<Mutant> {
    let one = |item: &Item| {
        let mut mutant = with_box(project, item, "x", " ")?;
        mutant.expected.push((&[Rule::OpenTaskDone], item.id.clone()));
        Some(mutant)
    };
    let is_told = |t: &&Item| t.done && !(t.symbols.is_empty() && t.tests.is_empty());
    project.tasks.iter().filter(is_told).filter_map(one).collect()
}

fn misnamed(project: &Project) -> Vec<Mutant> {
    let one = |item: &Item| {
        let id = item.requirements.first()?;
        let text = project.tree.text(&tasks_file(project))?;
        let line = text.lines().find(|line| line.contains(&format!("] {} ", item.id)))?;
        let mut mutant = edited(project, &tasks_file(project), line, &line.replacen(id.as_str(), "FR-099", 1))?;
        mutant.expected.push((&[Rule::OrphanTask], item.id.clone()));
        mutant.touched = around(project, item);
        Some(mutant)
    };
    project.tasks.iter().filter_map(one).collect()
}

fn requirement_deleted(project: &Project) -> Vec<Mutant> {
    let one = |demand: &Demand| {
        let mut mutant = edited(project, &spec_file(project), &format!("{}\n", demand.line), "")?;
        for item in project.tasks.iter().filter(|t| t.requirements.contains(&demand.id)) {
            mutant.expected.push((&[Rule::OrphanTask], item.id.clone()));
            mutant.touched.extend(around(project, item));
        }
        Some(mutant)
    };
    project.demands.iter().filter_map(one).collect()
}

/// Adds a line after the last requirement.
fn with_line(project: &Project, line: &str, id: &str, rules: &'static [Rule]) -> Option<Mutant> {
    let last = &project.demands.last()?.line;
    let mut mutant = edited(project, &spec_file(project), last, &format!("{last}\n{line}"))?;
    mutant.expected.push((rules, id.to_owned()));
    mutant.touched.insert(id.to_owned());
    Some(mutant)
}

/// The id of what is added.
const NEW: &str = "FR-042";

fn added(project: &Project, demand: &str, rules: &'static [Rule]) -> Vec<Mutant> {
    with_line(project, &format!("- **{NEW}**: The program {demand}"), NEW, rules).into_iter().collect()
}

fn untested(project: &Project) -> Vec<Mutant> {
    let mut out = Vec::new();
    for demand in project.demands.iter().filter(|d| d.by_tasks_only) {
        let mut mutant = unchanged(project);
        let tasks = project.tree.text(&tasks_file(project)).unwrap_or_default();
        let mut left = tasks.to_owned();
        for item in project.tasks.iter().filter(|t| t.requirements.contains(&demand.id)) {
            mutant.touched.extend(around(project, item));
            for test in &item.tests {
                let Some(text) = mutant.tree.text(&item.file).map(str::to_owned) else { continue };
                let Some(range) = block(&text, project.language, test) else { continue };
                put(&mut mutant.tree, &item.file, format!("{}{}", &text[..range.start], &text[range.end..]));
                let is_its = |line: &&str| !line.contains(&format!("] {} ", item.id));
                left = left.lines().filter(is_its).map(|line| format!("{line}\n")).collect();
            }
        }
        put(&mut mutant.tree, &tasks_file(project), left);
        mutant.expected.push((&[Rule::RequirementWithoutTest], demand.id.clone()));
        out.push(mutant);
    }
    out
}

fn contradicted(project: &Project, same_id: bool) -> Vec<Mutant> {
    let one = |demand: &Demand| {
        let number = demand.number?;
        let other = demand.line.replace(&format!(" {number} "), &format!(" {} ", number + 7));
        let id = if same_id { demand.id.as_str() } else { NEW };
        with_line(project, &other.replacen(&demand.id, id, 1), id, &[Rule::Contradiction])
    };
    project.demands.iter().filter_map(one).collect()
}

fn negated(project: &Project) -> Vec<Mutant> {
    let one = |demand: &Demand| {
        let line = demand.line.replacen(&demand.id, NEW, 1).replacen(" MUST ", " MUST NOT ", 1);
        with_line(project, &line, NEW, &[Rule::Contradiction])
    };
    // `at most 5` and `not at most 9` are two bounds; only a demand without a number is negated by one word.
    project.demands.iter().filter(|d| d.number.is_none() && d.by_tasks_only).filter_map(one).collect()
}

fn marked(project: &Project) -> Vec<Mutant> {
    let one = |demand: &Demand| {
        let line = format!("{} [NEEDS CLARIFICATION: of which kind?]", demand.line);
        let mut mutant = edited(project, &spec_file(project), &demand.line, &line)?;
        mutant.expected.push((&[Rule::OpenMarker], demand.id.clone()));
        mutant.touched.insert(demand.id.clone());
        Some(mutant)
    };
    project.demands.iter().filter_map(one).collect()
}

fn forbidden(project: &Project) -> Vec<Mutant> {
    let text = project.tree.text(".specify/memory/constitution.md").unwrap_or_default();
    let demand =
        if text.contains("log passwords") { "MUST log passwords that were wrong" } else { "MUST read the clock" };
    added(project, demand, &[Rule::ConstitutionForbids])
}

/// Returns a history in which all was written at once, and the spec changed later.
fn history(project: &Project, before: String) -> Option<History> {
    let commit = |sha: &str, day: u64, files| Commit { sha: sha.into(), at: Moment(day * 86_400_000), files };
    let all = project.tree.files.keys().cloned().collect();
    let id = SpecId::new(project.dir.rsplit('/').next()?).ok()?;
    Some(History {
        commits: vec![commit("b", 9, vec![spec_file(project)]), commit("a", 1, all)],
        whole: true,
        planned: [(id, before)].into(),
        ..History::default()
    })
}

fn replanned(project: &Project, demand_changed: bool) -> Vec<Mutant> {
    let before = project.tree.text(&spec_file(project)).unwrap_or_default();
    let one = |from: &str, to: &str| {
        let mut mutant = edited(project, &spec_file(project), from, to)?;
        mutant.tree.history = history(project, before.to_owned());
        Some(mutant)
    };
    if !demand_changed {
        return one("**Status**: D", "**Status**: Not yet d").into_iter().collect();
    }
    let one = |demand: &Demand| {
        let mut mutant = one(&demand.line, &format!("{} and print it", demand.line))?;
        mutant.expected.push((&[Rule::StalePlan], String::new()));
        mutant.touched.insert(String::new());
        Some(mutant)
    };
    project.demands.iter().filter_map(one).collect()
}

fn emptied_spec(project: &Project) -> Vec<Mutant> {
    let mut mutant = unchanged(project);
    put(&mut mutant.tree, &spec_file(project), "\n".into());
    mutant.expected.push((&[Rule::Unreadable], String::new()));
    mutant.touched.insert(String::new());
    vec![mutant]
}

fn ranged(project: &Project, is_asked: bool) -> Vec<Mutant> {
    let hunk = |file: &str| Hunk { file: file.into(), line: 3, lines: 2, text: "\nlet n = 1;\nlet m = 2;\n".into() };
    let one = |file: &str| {
        let mut mutant = unchanged(project);
        mutant.hunks = Some(vec![hunk(file)]);
        if !is_asked {
            mutant.expected.push((&[Rule::UnaskedChange], String::new()));
            mutant.touched.insert(String::new());
        }
        mutant
    };
    match is_asked {
        true => project.tasks.iter().map(|t| one(&t.file)).collect(),
        false => ["src/extra/other.rs", "deploy/run.sh", "Makefile"].map(one).into(),
    }
}

fn each_file(project: &Project, change: fn(&str, Language) -> String) -> Vec<Mutant> {
    let files: BTreeSet<&str> = project.tasks.iter().filter(|t| t.done).map(|t| t.file.as_str()).collect();
    let one = |file: &str| {
        let mut mutant = unchanged(project);
        put(&mut mutant.tree, file, change(project.tree.text(file)?, project.language));
        Some(mutant)
    };
    files.into_iter().filter_map(one).collect()
}

fn renamed(project: &Project) -> Vec<Mutant> {
    let names = project.tasks.iter().filter(|t| t.done).flat_map(|t| t.symbols.iter().chain(&t.tests));
    let long = names.map(|name| last(name.as_str())).filter(|name| name.len() > 6);
    let one = |name: &str| {
        let mut mutant = unchanged(project);
        for (path, file) in &project.tree.files {
            if let Some(text) = file.as_text() {
                put(&mut mutant.tree, path, text.replace(name, &format!("{name}_again")));
            }
        }
        mutant
    };
    long.map(one).collect()
}
