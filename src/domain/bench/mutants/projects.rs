//! Sound projects to break: what their task lists name is known from how they were made, never from `check`.
//!
//! It must not know what is done to them.

use crate::domain::check::{FileText, Tree};

/// A project whose documents are all true.
#[derive(Debug, Clone)]
pub(super) struct Project {
    pub language: Language,
    pub tree: Tree,
    /// The folder of the one spec that is changed.
    pub dir: String,
    pub tasks: Vec<Item>,
    /// Tasks of other specs that name the same files.
    pub others: Vec<Item>,
    pub demands: Vec<Demand>,
}

/// A task, and what it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Item {
    pub id: String,
    pub requirements: Vec<String>,
    pub file: String,
    pub symbols: Vec<String>,
    pub tests: Vec<String>,
    pub done: bool,
}

/// A requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Demand {
    pub id: String,
    /// Its line in the spec, whole.
    pub line: String,
    /// The number in it.
    pub number: Option<u32>,
    /// Whether only the tests that its tasks name lead to it: no test's source has its id.
    pub by_tasks_only: bool,
}

/// What a generated project is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Rust,
    Python,
    JavaScript,
}

/// Makes numbers from a seed (SplitMix64; Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Returns a number below `end`.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % end).unwrap_or(0)
    }

    fn draw<T: Clone>(&mut self, from: &[T], count: usize) -> Vec<T> {
        let mut left = from.to_vec();
        (0..count.min(from.len())).map(|_| left.swap_remove(self.below(left.len()))).collect()
    }
}

const NOUNS: [&str; 12] = [
    "Limiter", "Ledger", "Catalog", "Mailer", "Router", "Session", "Invoice", "Planner", "Archive", "Gateway",
    "Roster", "Wallet",
];

/// A feature: its method, what the spec demands of it (`#` is a number), and its test.
type Feature = (&'static str, &'static str, &'static str);

const FEATURES: [Feature; 10] = [
    ("refuse_long", "MUST refuse a name longer than # characters", "long_name_is_refused"),
    ("expire_old", "MUST drop an entry # seconds after its last use", "old_entry_is_dropped"),
    ("list_page", "MUST list at most # entries on a page", "page_has_its_size"),
    ("retry_call", "MUST repeat a failed call at most # times", "failed_call_is_repeated"),
    ("lock_account", "MUST lock an account after # wrong passwords", "account_is_locked"),
    ("cut_upload", "MUST end an upload at # megabytes", "upload_is_cut"),
    ("join_same", "MUST join two entries that have the same key", "same_keys_are_joined"),
    ("keep_order", "MUST return entries in the order in which they came", "order_is_kept"),
    ("count_all", "MUST answer how many entries it holds", "all_are_counted"),
    ("mark_paid", "MUST mark a bill as paid when its last part arrives", "bill_is_marked"),
];

/// Generates a sound project in the layout of github/spec-kit: two types with two features each, all done, and one
/// feature that is still open.
pub(super) fn generate(language: Language, seed: u64) -> Project {
    let mut dice = Dice::new(seed);
    let nouns = dice.draw(&NOUNS, 2);
    let features = dice.draw(&FEATURES, 5);
    let mut made =
        Making { language, tree: Tree::default(), tasks: Vec::new(), demands: Vec::new(), spec: String::new() };
    let mut lines = Vec::new();
    let mut parts: Vec<(&str, Vec<Feature>)> = vec![(nouns[0], Vec::new()), (nouns[1], Vec::new())];
    for (n, feature) in features.iter().enumerate() {
        let number = feature.1.contains('#').then(|| u32::try_from(3 + dice.below(90)).unwrap_or(3));
        let is_open = n == 4;
        let noun = nouns[n % 2];
        lines.push(made.plan(n, noun, feature, number, is_open));
        if !is_open {
            parts[n % 2].1.push(*feature);
        }
    }
    for (noun, features) in &parts {
        made.write_code(noun, features);
    }
    made.write_entry(&parts);
    made.write_documents(&nouns.join(" and "), &lines);
    let Making { tree, tasks, demands, .. } = made;
    Project { language, tree, dir: DIR.into(), tasks, others: Vec::new(), demands }
}

const DIR: &str = "specs/001-first-release";

struct Making {
    language: Language,
    tree: Tree,
    tasks: Vec<Item>,
    demands: Vec<Demand>,
    spec: String,
}

impl Making {
    fn put(&mut self, path: &str, text: String) {
        self.tree.files.insert(path.to_owned(), FileText::text(text));
    }

    fn paths(&self, noun: &str) -> (String, String) {
        let stem = noun.to_lowercase();
        match self.language {
            Language::Rust => (format!("src/{stem}.rs"), format!("tests/{stem}.rs")),
            Language::Python => (format!("src/app/{stem}.py"), format!("tests/test_{stem}.py")),
            Language::JavaScript => (format!("src/{stem}.js"), format!("tests/{stem}.test.js")),
        }
    }

    fn method(&self, snake: &str) -> String {
        match self.language {
            Language::Rust | Language::Python => snake.to_owned(),
            Language::JavaScript => {
                let (head, tail) = snake.split_once('_').unwrap_or((snake, ""));
                let first = tail.get(..1).unwrap_or("").to_uppercase();
                format!("{head}{first}{}", tail.get(1..).unwrap_or(""))
            }
        }
    }

    fn test(&self, name: &str) -> String {
        if self.language == Language::Python { format!("test_{name}") } else { name.to_owned() }
    }

    /// Writes a feature into the spec, and returns its two tasks.
    fn plan(&mut self, n: usize, noun: &str, feature: &Feature, number: Option<u32>, is_open: bool) -> String {
        let id = format!("FR-{:03}", n + 1);
        let demand = feature.1.replace('#', &number.unwrap_or_default().to_string());
        let line = format!("- **{id}**: The {} {demand}", noun.to_lowercase());
        self.spec.push_str(&format!("{line}\n"));
        self.demands.push(Demand { id: id.clone(), line, number, by_tasks_only: !is_open });
        let (code, test) = self.paths(noun);
        let mark = if self.language == Language::Rust { "::" } else { "." };
        let symbol = format!("{noun}{mark}{}", self.method(feature.0));
        let test_name = self.test(feature.2);
        let (first, second) = (format!("T{:03}", 2 * n + 1), format!("T{:03}", 2 * n + 2));
        let tick = if is_open { ' ' } else { 'x' };
        let lines = format!(
            "- [{tick}] {first} [US1] Implement `{symbol}` in `{code}` ({id})\n\
             - [{tick}] {second} [US1] Add test `{test_name}` in `{test}` ({id})\n"
        );
        let item = |id: String, file: String| Item {
            id,
            requirements: vec![format!("FR-{:03}", n + 1)],
            file,
            done: !is_open,
            ..Item::default()
        };
        self.tasks.push(Item { symbols: vec![symbol], ..item(first, code) });
        self.tasks.push(Item { tests: vec![test_name], ..item(second, test) });
        lines
    }

    fn write_code(&mut self, noun: &str, features: &[Feature]) {
        let (code, test) = self.paths(noun);
        let stem = noun.to_lowercase();
        let methods: Vec<String> = features.iter().map(|f| self.method(f.0)).collect();
        let tests: Vec<String> = features.iter().map(|f| self.test(f.2)).collect();
        let (mut body, mut shown) = match self.language {
            Language::Rust => (
                format!(
                    "//! The {stem}.\n\n#[derive(Debug, Default)]\npub struct {noun} {{\n    pub rows: Vec<String>,\n}}\n\nimpl {noun} {{\n"
                ),
                format!("use app::{stem}::{noun};\n\n"),
            ),
            Language::Python => (
                format!(
                    "\"\"\"The {stem}.\"\"\"\n\n\nclass {noun}:\n    def __init__(self):\n        self.rows = []\n\n"
                ),
                format!("from app.{stem} import {noun}\n\n\n"),
            ),
            Language::JavaScript => (
                format!("// The {stem}.\nexport class {noun} {{\n  constructor() {{\n    this.rows = [];\n  }}\n\n"),
                format!("import {{ test }} from 'node:test';\nimport {{ {noun} }} from '../src/{stem}.js';\n\n"),
            ),
        };
        for (method, test) in methods.iter().zip(&tests) {
            let (one, its_test) = self.feature(noun, method, test);
            body.push_str(&one);
            shown.push_str(&its_test);
        }
        if self.language != Language::Python {
            body.push_str("}\n");
        }
        self.put(&code, body);
        self.put(&test, shown);
    }

    fn feature(&self, noun: &str, method: &str, test: &str) -> (String, String) {
        match self.language {
            Language::Rust => (
                format!(
                    "    /// Does what the spec asks.\n    pub fn {method}(&mut self, text: &str) -> usize {{\n        self.rows.push(text.to_owned());\n        self.rows.len()\n    }}\n\n"
                ),
                format!(
                    "#[test]\nfn {test}() {{\n    let mut it = {noun}::default();\n    assert_eq!(it.{method}(\"a\"), 1);\n}}\n\n"
                ),
            ),
            Language::Python => (
                format!(
                    "    def {method}(self, text):\n        self.rows.append(text)\n        return len(self.rows)\n\n"
                ),
                format!("def {test}():\n    it = {noun}()\n    assert it.{method}(\"a\") == 1\n\n\n"),
            ),
            Language::JavaScript => (
                format!("  {method}(text) {{\n    this.rows.push(text);\n    return this.rows.length;\n  }}\n\n"),
                format!(
                    "test('{test}', (t) => {{\n  const it = new {noun}();\n  t.assert.equal(it.{method}('a'), 1);\n}});\n\n"
                ),
            ),
        }
    }

    /// Writes the program that uses all of it, so that what is deleted is still called somewhere.
    fn write_entry(&mut self, parts: &[(&str, Vec<Feature>)]) {
        let calls: Vec<(String, Vec<String>)> = parts
            .iter()
            .map(|(noun, features)| ((*noun).to_owned(), features.iter().map(|f| self.method(f.0)).collect()))
            .collect();
        let (path, head, foot) = match self.language {
            Language::Rust => ("src/main.rs", "fn main() {\n", "}\n"),
            Language::Python => ("src/app/__main__.py", "def main():\n", ""),
            Language::JavaScript => ("src/main.js", "export function main() {\n", "}\n"),
        };
        let (mut imports, mut body) = (String::new(), String::new());
        for (noun, methods) in &calls {
            let stem = noun.to_lowercase();
            match self.language {
                Language::Rust => {
                    imports.push_str(&format!("use app::{stem}::{noun};\n"));
                    body.push_str(&format!("    let mut {stem} = {noun}::default();\n"));
                }
                Language::Python => {
                    imports.push_str(&format!("from app.{stem} import {noun}\n"));
                    body.push_str(&format!("    {stem} = {noun}()\n"));
                }
                Language::JavaScript => {
                    imports.push_str(&format!("import {{ {noun} }} from './{stem}.js';\n"));
                    body.push_str(&format!("  const {stem} = new {noun}();\n"));
                }
            }
            for method in methods {
                let end = if self.language == Language::Python { "" } else { ";" };
                body.push_str(&format!("    {stem}.{method}(\"b\"){end}\n"));
            }
        }
        self.put(path, format!("{imports}\n{head}{body}{foot}"));
        if self.language == Language::Rust {
            let modules: String = calls.iter().map(|(noun, _)| format!("pub mod {};\n", noun.to_lowercase())).collect();
            self.put("src/lib.rs", modules);
        }
    }

    fn write_documents(&mut self, title: &str, tasks: &[String]) {
        let (name, manifest) = match self.language {
            Language::Rust => ("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
            Language::Python => ("pyproject.toml", "[project]\nname = \"app\"\nversion = \"0.1.0\"\n"),
            Language::JavaScript => ("package.json", "{\"name\": \"app\", \"type\": \"module\"}\n"),
        };
        self.put(name, manifest.to_owned());
        let spec = format!(
            "# Feature Specification: {title}\n\n**Feature Branch**: `001-first-release`\n**Status**: Draft\n\n\
             ## User Scenarios & Testing\n\n### User Story 1 - Use it (Priority: P1)\n\nA clerk works with it.\n\n\
             **Acceptance Scenarios**:\n\n1. **Given** a new {title}, **When** a clerk adds an entry, **Then** it is kept\n\n\
             ## Requirements\n\n### Functional Requirements\n\n{}\n## Success Criteria\n\n\
             - **SC-001**: A clerk adds 100 entries in 1 minute\n",
            self.spec
        );
        self.put(&format!("{DIR}/spec.md"), spec);
        let plan = "# Implementation Plan: First release\n\n## Summary\n\nOne type for each thing, in memory.\n";
        self.put(&format!("{DIR}/plan.md"), plan.to_owned());
        let tasks = format!("# Tasks: First release\n\n## Phase 1: All of it\n\n{}", tasks.concat());
        self.put(&format!("{DIR}/tasks.md"), tasks);
        let constitution = "# Constitution\n\n### I. Privacy\n\nThe code MUST NOT log passwords.\n";
        self.put(".specify/memory/constitution.md", constitution.to_owned());
    }
}

/// A task of the sample: id, requirements, file, symbols, tests.
type Written = (&'static str, &'static [&'static str], &'static str, &'static [&'static str], &'static [&'static str]);

/// What the first spec of the sample names.
const SAMPLE: [Written; 8] = [
    ("T001", &["FR-001", "FR-002"], "src/store.rs", &["Store::put", "Store::get"], &[]),
    ("T002", &["FR-003"], "src/store.rs", &["Store::delete"], &[]),
    ("T003", &["FR-004"], "src/store.rs", &["StoreError"], &[]),
    (
        "T004",
        &["FR-001", "FR-002", "FR-003"],
        "tests/store.rs",
        &[],
        &["a_value_comes_back_as_it_was_put", "a_deleted_key_is_gone"],
    ),
    ("T005", &["FR-005"], "src/http.rs", &["Service::respond"], &[]),
    ("T006", &["FR-006"], "src/http.rs", &["read_request", "write_response"], &[]),
    (
        "T007",
        &["FR-004", "FR-005"],
        "tests/http.rs",
        &[],
        &["unknown_keys_answer_404", "values_that_are_too_large_answer_413"],
    ),
    ("T008", &["FR-006"], "src/main.rs", &[], &[]),
];

/// Describes the sample project by its first spec, the sound one.
pub(super) fn sample(tree: Tree) -> Project {
    let dir = "specs/001-key-value-store".to_owned();
    let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let tasks = SAMPLE.iter().map(|(id, requirements, file, symbols, tests)| Item {
        id: (*id).to_owned(),
        requirements: owned(requirements),
        file: (*file).to_owned(),
        symbols: owned(symbols),
        tests: owned(tests),
        done: true,
    });
    let spec = tree.text(&format!("{dir}/spec.md")).unwrap_or_default();
    let lines = spec.lines().filter(|line| line.starts_with("- **FR-"));
    let demands = lines.map(|line| Demand {
        id: line.chars().skip(4).take(6).collect(),
        line: line.to_owned(),
        number: None,
        by_tasks_only: false,
    });
    let (tasks, demands) = (tasks.collect(), demands.collect());
    let other = |id: &str, file: &str| Item { id: id.into(), file: file.into(), done: true, ..Item::default() };
    let others = vec![other("T002", "src/http.rs"), other("T007", "tests/http.rs")];
    Project { language: Language::Rust, tasks, others, demands, dir, tree }
}
