//! Paths as sentences write them: which words are files or folders, and which files are code or tests.
//!
//! It must not know which files exist.

/// Endings of files that tasks name.
const EXTENSIONS: [&str; 84] = [
    "rs", "py", "pyi", "ipynb", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "vue", "svelte", "astro", "go", "java",
    "kt", "kts", "scala", "swift", "m", "mm", "c", "h", "cc", "cpp", "hpp", "cs", "fs", "vb", "rb", "erb", "php", "pl",
    "lua", "ex", "exs", "erl", "hs", "ml", "clj", "dart", "zig", "nim", "jl", "r", "sh", "bash", "zsh", "fish", "ps1",
    "bat", "sql", "graphql", "proto", "prisma", "html", "htm", "css", "scss", "sass", "less", "xml", "xaml", "svg",
    "json", "jsonc", "json5", "jsonl", "yaml", "yml", "toml", "ini", "cfg", "conf", "env", "md", "mdx", "mdc", "txt",
    "csv", "lock", "tf", "csproj",
];

/// Files without an ending that tasks name.
const BARE_FILES: [&str; 14] = [
    "Makefile",
    "Dockerfile",
    "Containerfile",
    "Justfile",
    "justfile",
    "Procfile",
    "Gemfile",
    "Rakefile",
    "Jenkinsfile",
    "LICENSE",
    "CODEOWNERS",
    "Vagrantfile",
    "Caddyfile",
    "Brewfile",
];

/// Products whose name looks like a file.
const PRODUCTS: [&str; 22] = [
    "node", "next", "nuxt", "vue", "react", "express", "three", "d3", "chart", "alpine", "ember", "backbone",
    "discord", "socket", "p5", "ext", "moment", "fuse", "day", "babylon", "solid", "angular",
];

/// Returns the path that a word is, relative and without a line number.
pub(super) fn path_of(word: &str, quoted: bool) -> Option<String> {
    let word = word.split_once('#').map_or(word, |(path, _)| path);
    let word = match word.split_once(':') {
        Some((path, line)) if line.starts_with(|c: char| c.is_ascii_digit()) => path,
        _ => word,
    };
    let word = word.strip_prefix("./").unwrap_or(word);
    let odd = |c: char| c.is_whitespace() || "*<>{}$%|=\"'`,;:?!\\…".contains(c) || c.is_control();
    if word.is_empty() || word.len() > 250 || word.contains(odd) || word.contains("..") || word.starts_with(['~', '@'])
    {
        return None;
    }
    let inner = word.trim_start_matches('/');
    if let Some(folder) = inner.strip_suffix('/') {
        let deep = folder.contains('/') || quoted;
        let plain = !folder.is_empty() && !word.starts_with('/') && folder.chars().any(|c| c.is_ascii_lowercase());
        return (deep && plain).then(|| inner.to_owned());
    }
    let name = inner.rsplit('/').next().unwrap_or(inner);
    // `src/models/[entity].py` of a template is a placeholder; `app/[id]/page.tsx` is a route of a framework.
    if name.contains(['[', ']', '(', ')']) {
        return None;
    }
    if BARE_FILES.contains(&name) && (quoted || inner.contains('/') || name.ends_with("file")) {
        return Some(inner.to_owned());
    }
    let (stem, ending) = name.rsplit_once('.')?;
    if !EXTENSIONS.contains(&ending) || (stem.is_empty() && ending != "env") {
        return None;
    }
    let is_product = ending.ends_with("js") && !inner.contains('/') && PRODUCTS.contains(&stem.to_lowercase().as_str());
    let is_one_letter = ending.len() == 1 && !inner.contains('/') && !quoted;
    (!is_product && !is_one_letter).then(|| inner.to_owned())
}

/// Tells whether a path is source code rather than prose or settings.
pub(super) fn is_code_path(path: &str) -> bool {
    let prose =
        ["md", "mdx", "mdc", "txt", "json", "jsonc", "yaml", "yml", "toml", "ini", "cfg", "conf", "env", "csv", "lock"];
    path.rsplit_once('.').is_some_and(|(_, e)| EXTENSIONS.contains(&e) && !prose.contains(&e))
}

/// Tells whether a path is a test by its place or name.
pub fn is_test_path(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let name = lower.rsplit('/').next().unwrap_or(&lower);
    let stem = name.split('.').next().unwrap_or(name);
    let in_folder = lower.split('/').rev().skip(1).any(|part| {
        matches!(part, "test" | "tests" | "__tests__" | "spec" | "e2e" | "testing")
            || part.ends_with("-tests")
            || part.ends_with("_tests")
            || part.ends_with(".tests")
    });
    let by_name = stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
        || stem == "tests"
        || name.contains(".test.")
        || name.contains(".spec.")
        || name.contains("-test.")
        || path.contains("Test.")
        || path.contains("Tests.");
    (in_folder || by_name) && is_code_path(&lower)
}
