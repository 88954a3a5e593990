//! The layers, held against the sources: each layer's files must not name what the layer must not know.

#![expect(clippy::disallowed_methods, reason = "a test reads the sources it judges")]
#![expect(clippy::unwrap_used, reason = "a test that cannot read the sources has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// Layer, and the words that must not stand in its code.
const FORBIDDEN: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "tokio",
            "ratatui",
            "crossterm",
            "rmcp",
            "std::fs",
            "Instant",
            "SystemTime",
            "crate::app",
            "crate::view",
            "crate::actors",
            "crate::disk",
            "crate::config",
            "crate::server",
            "crate::shell",
            "crate::cli",
        ],
    ),
    (
        "app",
        &[
            "tokio",
            "ratatui",
            "crossterm",
            "rmcp",
            "std::fs",
            "Instant",
            "SystemTime",
            "CancellationToken",
            "crate::view",
            "crate::actors",
            "crate::disk",
            "crate::config",
            "crate::server",
            "crate::shell",
            "crate::cli",
        ],
    ),
    (
        "view",
        &[
            "tokio",
            "crossterm",
            "rmcp",
            "std::fs",
            "&mut Model",
            "Instant",
            "SystemTime",
            "crate::actors",
            "crate::disk",
            "crate::shell",
        ],
    ),
    ("actors", &["ratatui", "crossterm", "crate::app", "crate::view", "crate::shell", "crate::cli"]),
    (
        "config",
        &["tokio", "ratatui", "crossterm", "rmcp", "crate::app", "crate::view", "crate::actors", "crate::shell"],
    ),
    // The library and what drives the loop for it: no type or word of a terminal.
    ("pipeline", &["ratatui", "crossterm", "rmcp", "std::io::std", "crate::view", "crate::cli", "crate::server"]),
    ("server", &["ratatui", "crossterm", "crate::app", "crate::view", "crate::shell", "crate::cli"]),
    ("disk", &["tokio", "ratatui", "crossterm", "rmcp", "crate::app", "crate::view", "crate::actors", "crate::shell"]),
];

/// Words that only one place may name.
const OWNED: &[(&str, &[&str])] = &[
    ("std::fs", &["src/disk/"]),
    ("tokio::fs", &["src/disk/"]),
    ("fs2", &["src/disk/"]),
    ("rusqlite", &["src/server/"]),
    ("EventStream", &["src/shell/"]),
    ("Color::", &["src/view/theme.rs"]),
];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// A file's code: without comment lines, and without what follows its first test module (tests may know more).
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether a word stands in code, not as a part of another word.
fn names(code: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + word.len()..].chars().next();
        let goes_on =
            before.is_some_and(part) && word.starts_with(part) || after.is_some_and(part) && word.ends_with(part);
        !goes_on
    })
}

fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    sources(&root.join("src"), &mut paths);
    let is_test = |path: &str| path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("/twin.rs");
    paths
        .into_iter()
        .map(|path| (path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), code(&path)))
        .filter(|(path, _)| !is_test(path))
        .collect()
}

#[test]
fn no_layer_names_what_it_must_not_know() {
    let mut broken = Vec::new();
    for (path, code) in all() {
        for (layer, words) in FORBIDDEN {
            if path.starts_with(&format!("src/{layer}/")) {
                broken
                    .extend(words.iter().filter(|word| names(&code, word)).map(|word| format!("{path} names {word}")));
            }
        }
        for (word, owners) in OWNED {
            if names(&code, word) && !owners.iter().any(|owner| path.starts_with(owner)) {
                broken.push(format!("{path} names {word}, which belongs to {owners:?}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Words of terminals, and of the modules that own one.
const OF_TERMINALS: [&str; 9] =
    ["ratatui", "crossterm", "Terminal", "Frame", "Screen", "Stdout", "crate::view", "crate::shell", "crate::cli"];

#[test]
fn no_type_of_a_terminal_stands_in_a_signature_of_the_library() {
    let (mut signatures, mut broken) = (0, Vec::new());
    for (path, code) in all().into_iter().filter(|(path, _)| path.starts_with("src/pipeline/")) {
        // A signature goes from its `pub` to the brace or semicolon that ends it; of a struct also the fields, which
        // are `pub` themselves.
        for (at, _) in code.match_indices("pub ") {
            let signature = code[at..].split(['{', ';', '=']).next().unwrap();
            signatures += 1;
            broken.extend(
                OF_TERMINALS
                    .iter()
                    .filter(|word| names(signature, word))
                    .map(|word| format!("{path}: {word} in {signature}")),
            );
        }
    }
    assert!(broken.is_empty() && signatures > 20, "{signatures} signatures, {broken:#?}");
}

#[test]
fn every_module_says_what_it_owns() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    sources(&root.join("src"), &mut paths);
    let silent: Vec<_> =
        paths.into_iter().filter(|path| !fs::read_to_string(path).unwrap().starts_with("//! ")).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn the_brain_has_one_line_per_message() {
    let text = code(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/app/update/mod.rs"));
    let longest =
        text.split("\npub fn ").flat_map(|part| part.split("\nfn ")).map(|f| f.lines().count()).max().unwrap();
    assert!(longest < 60, "a function of src/app/update/mod.rs has {longest} lines");
}
