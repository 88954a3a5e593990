//! How a word stands in a line of text, by the words and marks around it: for languages without a grammar here, and for
//! what a parser cannot tell.
//!
//! It must not look beyond the line: a comment or a text that began before it is not seen.

use super::sight::How;

/// Words after which a name is defined, in any of the languages that have such words.
const DEFINING: [&str; 38] = [
    "fn",
    "def",
    "func",
    "function",
    "fun",
    "class",
    "struct",
    "enum",
    "trait",
    "interface",
    "type",
    "const",
    "let",
    "var",
    "val",
    "static",
    "mod",
    "module",
    "macro_rules",
    "record",
    "object",
    "protocol",
    "table",
    "union",
    "namespace",
    "message",
    "service",
    "rpc",
    "defmodule",
    "defp",
    "sub",
    "proc",
    "alias",
    "extension",
    "actor",
    "component",
    "view",
    "TABLE",
];

/// Words that start a line which calls and does not define.
const CALLING: [&str; 14] = [
    "if", "while", "for", "return", "await", "else", "match", "switch", "when", "assert", "throw", "yield", "case",
    "new",
];

/// Tells how the word at `start..end` stands in its line.
pub(super) fn how(line: &str, start: usize, end: usize) -> How {
    let (before, after) = (line[..start].trim_end(), &line[end..]);
    let previous = before.rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or("");
    // Go: `func (l *Limiter) Allow(`; JavaScript: `function* walk(`.
    let receiver = before.ends_with(')') && before.trim_start().starts_with("func ");
    if DEFINING.contains(&previous) || receiver || before.ends_with("function*") || before.ends_with("macro_rules!") {
        return How::Defined;
    }
    if before.ends_with(['"', '\'', '`']) && after.starts_with(['"', '\'', '`']) {
        return How::Quoted;
    }
    let next = after.trim_start();
    let is_member = before.ends_with(['.', ':', '>'])
        && (before.ends_with('.') || before.ends_with("::") || before.ends_with("->"));
    if !is_member {
        let assigned = next.starts_with('=') && !next.starts_with("==");
        let typed = (next.starts_with(':') && !next.starts_with("::")) || next.starts_with("?:");
        if assigned || typed {
            return How::Assigned;
        }
        let first = before.split_whitespace().next().unwrap_or("");
        let opens = line.trim_end().ends_with(['{', ':']) || line.trim_end().ends_with("=>");
        let calls =
            CALLING.contains(&first) || before.contains('=') || before.ends_with(['(', ',', '!', '&', '|', '?']);
        if next.starts_with('(') && opens && !calls {
            return How::Defined;
        }
    }
    if next.starts_with('(') || next.starts_with("!(") { How::Called } else { How::Mentioned }
}

/// Tells whether a line (without its indent) is a comment.
pub(super) fn is_comment(line: &str) -> bool {
    ["//", "/*", "* ", "# ", "<!--", "-- ", "; "].iter().any(|mark| line.starts_with(mark))
}

/// Returns the next word at or after `from`.
pub(super) fn next_word(line: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = line.as_bytes();
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'$' || b >= 0x80;
    let start = from + bytes.get(from..)?.iter().position(|b| is_word(*b))?;
    let end = bytes[start..].iter().position(|b| !is_word(*b)).map_or(bytes.len(), |n| start + n);
    Some((start, end))
}

/// Tells whether a language defines names by words that [`how`] knows.
pub(super) fn defines_by_words(path: &str) -> bool {
    const WORDS: [&str; 30] = [
        "rs", "py", "pyi", "js", "jsx", "mjs", "cjs", "ts", "tsx", "mts", "vue", "svelte", "go", "java", "kt", "kts",
        "scala", "swift", "c", "h", "cc", "cpp", "hpp", "cs", "rb", "php", "dart", "ex", "exs", "lua",
    ];
    path.rsplit_once('.').is_some_and(|(_, ending)| WORDS.contains(&ending))
}
