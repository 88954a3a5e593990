//! What a repository brings besides specs and code: checks that its build files suggest, files that agents get as
//! context, hooks and servers that it would start inside agent CLIs.
//!
//! It must not run or approve anything.

use std::collections::BTreeMap;

use super::Tree;

/// The files at the root that [`checks`] looks at.
pub const BUILD_FILES: [&str; 10] = [
    "Cargo.toml",
    "package.json",
    "pyproject.toml",
    "pytest.ini",
    "setup.cfg",
    "tox.ini",
    "go.mod",
    "Makefile",
    "makefile",
    "GNUmakefile",
];

/// Returns the checks that build files at the root suggest, by name; `{id}` stands for a test's id. Each is told to name
/// what it executes: a quiet runner shows nothing.
pub fn checks(tree: &Tree) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut add = |name: &str, argv: &[&str]| {
        found.insert(name.to_owned(), argv.iter().map(|a| (*a).to_owned()).collect());
    };
    if tree.files.contains_key("Cargo.toml") {
        add("cargo-test", &["cargo", "test", "--", "{id}"]);
    }
    if let Some(text) = tree.text("package.json") {
        // `--no-install`: a check never downloads what it runs.
        if text.contains("\"vitest\"") {
            add("vitest", &["npx", "--no-install", "vitest", "run", "--reporter=verbose", "-t", "{id}"]);
        } else if text.contains("\"jest\"") {
            add("jest", &["npx", "--no-install", "jest", "--verbose", "-t", "{id}"]);
        } else if text.contains("\"test\":") {
            add("npm-test", &["npm", "test"]);
        }
    }
    let is_python =
        ["pyproject.toml", "pytest.ini", "setup.cfg", "tox.ini"].iter().any(|f| tree.files.contains_key(*f));
    if is_python {
        add("pytest", &["python3", "-m", "pytest", "-v", "-k", "{id}"]);
    }
    if tree.files.contains_key("go.mod") {
        add("go-test", &["go", "test", "-v", "./...", "-run", "{id}"]);
    }
    let makefile = ["Makefile", "makefile", "GNUmakefile"].iter().find_map(|f| tree.text(f));
    if makefile.is_some_and(|text| text.lines().any(|l| l.starts_with("test:"))) {
        add("make-test", &["make", "test"]);
    }
    found
}

/// Returns the files that every agent gets alike: AGENTS.md, else CLAUDE.md, else GEMINI.md, and the constitution.
pub fn context_files(tree: &Tree) -> Vec<String> {
    let guide = ["AGENTS.md", "CLAUDE.md", "GEMINI.md"].into_iter().find(|path| tree.text(path).is_some());
    guide.into_iter().chain(tree.constitution().map(|(path, _)| path)).map(str::to_owned).collect()
}

/// Where agent CLIs look for hooks and servers of a repository. What ends with `/` is a folder.
pub const HOOKS: [&str; 14] = [
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".claude/hooks/",
    ".claude/commands/",
    ".claude/agents/",
    ".mcp.json",
    ".codex/",
    ".gemini/settings.json",
    ".gemini/extensions/",
    ".qwen/settings.json",
    "opencode.json",
    ".opencode/",
    ".cursor/mcp.json",
    ".vscode/mcp.json",
];

/// Returns those of [`HOOKS`] that are there.
pub fn hooks(tree: &Tree) -> Vec<String> {
    let is_there = |path: &&&str| {
        tree.files.contains_key(**path)
            || tree.besides.contains(**path)
            || (path.ends_with('/') && tree.has_folder(path))
    };
    HOOKS.iter().filter(is_there).map(|path| (*path).to_owned()).collect()
}
