//! What a sentence names: requirement ids, files, symbols of code, tests.
//!
//! It must not know whether any of them exists. When in doubt it names nothing: a name that was never meant as one
//! would become a false alarm.

use super::ids::{requirement_ids, short_ids};
use super::paths::{is_code_path, path_of};

/// What one text names, each list in the order of the text and without repeats.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Named {
    /// Requirement, criterion and story ids.
    pub requirements: Vec<String>,
    /// Files; folders end with `/`.
    pub files: Vec<String>,
    /// Names of code.
    pub symbols: Vec<String>,
    /// Tests by name.
    pub tests: Vec<String>,
}

/// Products whose name looks like a type.
const BRANDS: [&str; 40] = [
    "GitHub",
    "GitLab",
    "TypeScript",
    "JavaScript",
    "CoffeeScript",
    "PostgreSQL",
    "MySQL",
    "MongoDB",
    "OpenAPI",
    "GraphQL",
    "WebSocket",
    "WebSockets",
    "OAuth",
    "OAuth2",
    "OpenAI",
    "ChatGPT",
    "YouTube",
    "LinkedIn",
    "DevOps",
    "FastAPI",
    "NodeJS",
    "NextJS",
    "ReactJS",
    "VueJS",
    "TailwindCSS",
    "ESLint",
    "SQLAlchemy",
    "SQLite",
    "NumPy",
    "PyTorch",
    "IntelliJ",
    "VSCode",
    "DynamoDB",
    "CloudFront",
    "CloudWatch",
    "RabbitMQ",
    "WebAssembly",
    "WebRTC",
    "PyPI",
    "NuGet",
];

const MAKING: [&str; 10] =
    ["create", "implement", "add", "define", "write", "introduce", "build", "extract", "extend", "update"];

/// Words after which the rest of a clause names what goes away.
const REMOVING: [&str; 16] = [
    "remove",
    "removes",
    "delete",
    "deletes",
    "drop",
    "drops",
    "retire",
    "rename",
    "renames",
    "move",
    "moves",
    "replace",
    "replaces",
    "migrate",
    "deprecate",
    "archive",
];

/// Words after which a folder in prose is a place.
const PLACING: [&str; 8] = ["in", "into", "under", "inside", "create", "at", "to", "within"];

const KINDS: [&str; 30] = [
    "class",
    "struct",
    "enum",
    "trait",
    "interface",
    "type",
    "model",
    "entity",
    "service",
    "component",
    "hook",
    "function",
    "fn",
    "method",
    "module",
    "repository",
    "controller",
    "middleware",
    "handler",
    "helper",
    "field",
    "constant",
    "macro",
    "schema",
    "table",
    "record",
    "protocol",
    "factory",
    "provider",
    "store",
];

/// Reads what a text names.
pub(super) fn named(text: &str) -> Named {
    let mut out = Named { requirements: requirement_ids(text), ..Named::default() };
    short_ids(text).for_each(|id| push(&mut out.requirements, Some(id)));
    let words = words(text);
    let mut removing = false;
    for (at, word) in words.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|i| words.get(i));
        let after = words.get(at + 1);
        // `remove src/old.rs and Old`: what is to go is not expected to be there.
        removing = (removing || is_removing(&words, at)) && !is_making(word);
        if removing {
            removing = !word.ends_clause;
            continue;
        }
        let is_folder = word.text.ends_with('/') && !word.quoted;
        if is_folder && !before.is_some_and(|w| PLACING.contains(&w.folded().as_str())) {
            continue;
        }
        if let Some((file, test)) = word.text.split_once("::").filter(|(file, _)| path_of(file, word.quoted).is_some())
        {
            push(&mut out.files, path_of(file, word.quoted));
            push(&mut out.tests, test.rsplit("::").next().map(bare).filter(|t| is_identifier(t)));
        } else if let Some(path) = path_of(word.text, word.quoted) {
            push(&mut out.files, Some(path));
        } else if let Some(symbol) = symbol_of(word, before, after) {
            let names_test = |w: &&Word<'_>| matches!(w.folded().as_str(), "test" | "tests" | "scenario" | "case");
            let is_test = is_test_name(&symbol)
                || (before.is_some_and(|w| names_test(&w)) && is_long_name(&symbol))
                || (after.is_some_and(|w| names_test(&w)) && is_long_name(&symbol));
            push(if is_test { &mut out.tests } else { &mut out.symbols }, Some(symbol));
        }
    }
    // A type that is named in prose is a name of code only beside the file that should hold it.
    if out.files.iter().any(|f| is_code_path(f)) {
        for (at, word) in words.iter().enumerate() {
            if is_made_type(&words, at) {
                push(&mut out.symbols, Some(word.text.to_owned()));
            }
        }
    }
    let Named { symbols, tests, .. } = &mut out;
    symbols.retain(|s| !tests.contains(s));
    out
}

fn push(list: &mut Vec<String>, found: Option<String>) {
    if let Some(found) = found.filter(|f| !list.contains(f)) {
        list.push(found);
    }
}

/// One word of a text; a code span is one word if it holds no space, else its words are taken apart.
#[derive(Debug, Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    /// It stands in a code span by itself.
    quoted: bool,
    /// It is part of a longer code span: a command or a signature.
    in_phrase: bool,
    /// A full stop or a semicolon follows it.
    ends_clause: bool,
}

/// Tells whether the word at `at` tells to remove: it opens a clause, or joins one and names code at once.
fn is_removing(words: &[Word<'_>], at: usize) -> bool {
    let word = &words[at];
    if word.quoted || !REMOVING.contains(&word.folded().as_str()) {
        return false;
    }
    let is_tag = |w: &Word<'_>| !w.quoted && (w.text == "P" || (w.text.starts_with("US") && w.text.len() < 6));
    let before = words[..at].iter().rev().find(|w| !is_tag(w));
    let joins = before.is_some_and(|w| ["and", "then", "also"].contains(&w.folded().as_str()));
    before.is_none_or(|w| w.ends_clause) || (joins && words.get(at + 1).is_some_and(|w| w.quoted))
}

fn is_making(word: &Word<'_>) -> bool {
    !word.quoted && MAKING.contains(&word.folded().as_str())
}

impl Word<'_> {
    fn folded(&self) -> String {
        self.text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
    }
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut out = Vec::new();
    for (n, part) in text.split('`').enumerate() {
        let quoted = n % 2 == 1;
        if quoted && !part.trim().contains(char::is_whitespace) {
            out.push(Word { text: part.trim(), quoted: true, in_phrase: false, ends_clause: false });
            continue;
        }
        for word in part.split_whitespace().flat_map(|w| w.split("](")) {
            let ends_clause = word.ends_with(['.', ';']);
            let word = word.trim_start_matches(['(', '[', '{', '"', '\'', '*', '“', '‘', '<']);
            let mut word =
                word.trim_end_matches([',', ';', ':', '!', '?', '"', '\'', '*', '”', '’', ']', '}', '>', '.']);
            if word.ends_with(')') && !word.ends_with("()") {
                word = word.trim_end_matches([')', '.', ',', ']']);
            }
            if !word.is_empty() {
                out.push(Word { text: word, quoted: false, in_phrase: quoted, ends_clause });
            } else if let Some(last) = out.last_mut().filter(|_| ends_clause) {
                last.ends_clause = true;
            }
        }
    }
    out
}

fn bare(word: &str) -> String {
    let word = word.split(['(', '<', '[', '{']).next().unwrap_or(word);
    word.trim_end_matches(['!', '?', ';', ',', ':', '.', ')', ']']).trim_start_matches(['&', '.', '#', '@']).to_owned()
}

fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || c == '$')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
        && text.len() > 1
        && text.len() <= 120
}

fn has_hump(text: &str) -> bool {
    text.as_bytes().windows(2).any(|w| w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase())
}

/// Returns the name of code that a word is: never a flag, a route, a value or a word of prose.
fn symbol_of(word: &Word<'_>, before: Option<&Word<'_>>, after: Option<&Word<'_>>) -> Option<String> {
    let text = word.text;
    if text.starts_with(['-', '/', '@', '<', '"', '\'', '[', '{', '.'])
        || text.contains(['=', '/', '\\', '*', '|', '%'])
    {
        return None;
    }
    let called = text.contains('(');
    let name = bare(text);
    let segments: Vec<&str> = name.split("::").flat_map(|s| s.split(['.', '#'])).collect();
    if segments.len() == 1 && name.contains('-') {
        // Header names: `RateLimit-Reset`.
        let is_header = word.quoted
            && name.split('-').all(|p| p.starts_with(|c: char| c.is_ascii_uppercase()) && is_alphanumeric(p))
            && name.contains(|c: char| c.is_ascii_lowercase());
        return is_header.then_some(name);
    }
    if !segments.iter().all(|s| is_identifier(s) || (segments.len() > 1 && s.len() == 1 && is_alphanumeric(s))) {
        return None;
    }
    if word.in_phrase {
        // `fn allow(&self)`: the word after the keyword.
        let keyword = before.is_some_and(|b| {
            matches!(b.text, "fn" | "def" | "func" | "function" | "class" | "struct" | "enum" | "trait" | "interface")
        });
        return (keyword && segments.len() == 1).then_some(name);
    }
    let is_path = name.contains("::") && segments.len() > 1;
    let snake = segments.len() == 1 && name.trim_matches('_').contains('_');
    if !word.quoted {
        let is_snake_case = snake && !name.contains(|c: char| c.is_ascii_uppercase());
        // `TodoService.add()` is a method; `stdin.is_tty()` is how a library may be called.
        let is_method = called && segments.len() == 2 && name.starts_with(|c: char| c.is_ascii_uppercase());
        return (is_path || is_snake_case || is_method || (called && segments.len() == 1)).then_some(name);
    }
    let is_kind = |w: Option<&Word<'_>>| w.is_some_and(|w| KINDS.contains(&w.folded().as_str()));
    let typed = name.starts_with(|c: char| c.is_ascii_uppercase()) && name.contains(|c: char| c.is_ascii_lowercase());
    let dotted = segments.len() > 1 && (called || segments.iter().any(|s| has_hump(s) || s.contains('_')));
    let said = is_kind(before) || is_kind(after);
    let looks = is_path || snake || dotted || (segments.len() == 1 && (called || has_hump(&name) || typed || said));
    (looks && !is_builtin(&name)).then_some(name)
}

fn is_alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Words of languages and protocols that are no name of this project's code.
fn is_builtin(name: &str) -> bool {
    const WORDS: [&str; 34] = [
        "String",
        "Option",
        "Result",
        "Vec",
        "Some",
        "None",
        "Ok",
        "Err",
        "True",
        "False",
        "Date",
        "Promise",
        "Array",
        "Object",
        "Map",
        "Set",
        "Error",
        "Exception",
        "Bearer",
        "Accept",
        "Done",
        "Todo",
        "Given",
        "When",
        "Then",
        "Content",
        "Number",
        "Boolean",
        "Any",
        "List",
        "Dict",
        "Int",
        "Self",
        "Box",
    ];
    WORDS.contains(&name) || BRANDS.contains(&name)
}

/// Tells whether a test framework would take this name for a test.
fn is_test_name(name: &str) -> bool {
    let last = name.rsplit("::").next().unwrap_or(name);
    let last = last.rsplit('.').next().unwrap_or(last);
    last.starts_with("test_")
        || last.ends_with("_test")
        || last.strip_prefix("Test").is_some_and(|r| r.starts_with(|c: char| c.is_ascii_uppercase()))
        || last.strip_prefix("test").is_some_and(|r| r.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Tells whether a name beside the word "test" is the test's own: a sentence in snake case, or a path. `Test
/// user_id validation` names what is tested.
fn is_long_name(name: &str) -> bool {
    name.matches('_').count() >= 3 || name.contains("::")
}

/// Tells whether the word at `at` is a type that the sentence says to make: `Implement RateLimiter in src/limiter.rs`.
fn is_made_type(words: &[Word<'_>], at: usize) -> bool {
    let word = &words[at];
    let is_type = !word.quoted
        && !word.in_phrase
        && is_identifier(word.text)
        && word.text.starts_with(|c: char| c.is_ascii_uppercase())
        && has_hump(word.text)
        && !is_builtin(word.text);
    if !is_type {
        return false;
    }
    let folded = |i: usize| words.get(i).map(Word::folded).unwrap_or_default();
    let before = |n: usize| at.checked_sub(n).map(folded).unwrap_or_default();
    let skips = ["a", "an", "the"].contains(&before(1).as_str()) || KINDS.contains(&before(1).as_str());
    let made = MAKING.contains(&before(1).as_str()) || (skips && MAKING.contains(&before(2).as_str()));
    let next = folded(at + 1);
    let ends = ["", "in", "to", "with", "for", "and", "at", "under", "inside"].contains(&next.as_str());
    made && (ends || KINDS.contains(&next.as_str()))
}
