//! Foreign text inside Markdown that we write: one line, no marks that it could forge.
//!
//! It must not know claims.

use crate::domain::gate::unmarked;
use crate::domain::safe::Safe;
use crate::domain::spec::{requirement_ids, short_id};

/// Longest foreign text on one line, in characters.
const LINE_MAX: usize = 600;

/// A text on one line: without control characters, comments, bold marks, or leading marks that start a block.
pub(super) fn inline(text: &str) -> String {
    let line = Safe::line(text);
    let words = line.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut cut: String = words.chars().take(LINE_MAX).collect();
    if cut.len() < words.len() {
        cut.push('…');
    }
    let cut = cut.replace("<!--", "&lt;!--").replace("**", "\\*\\*").replace("~~", "\\~\\~");
    match cut.chars().next() {
        Some('#' | '>' | '|' | '-' | '+' | '*' | '=') => format!("\\{cut}"),
        _ => cut,
    }
}

/// Longest sentence that is put into a spec, in characters: as much as is read of a requirement.
const SENTENCE_MAX: usize = 2_000;

/// Characters that mean something where a line begins.
const LEADING: [char; 10] = ['#', '>', '|', '-', '+', '*', '=', '•', '~', '_'];

/// A text as a sentence of somebody's document: on one line, without marks of its own, and not beginning as a heading, an
/// item, a row or a requirement would. Nothing if it says nothing.
pub(super) fn sentence(text: &str) -> Option<String> {
    let line = Safe::line(text);
    let bare = line.as_str().replace("**", "").replace("<!--", "&lt;!--").replace("-->", "--&gt;");
    let bare = unmarked(&bare.split_whitespace().collect::<Vec<_>>().join(" "));
    let is_marker = |word: &str| {
        let digits = word.trim_end_matches(['.', ')']);
        let is_number = digits.len() < word.len() && digits.bytes().all(|byte| byte.is_ascii_digit());
        word.chars().all(|c| LEADING.contains(&c)) || is_number
    };
    let mut rest = bare.trim_start_matches(['|', '>', ' ']);
    while let Some((_, more)) = rest.split_once(' ').filter(|(word, _)| is_marker(word)) {
        rest = more.trim_start_matches(['|', '>', ' ']);
    }
    let rest = rest.trim_start_matches("```").trim_start_matches("~~~").trim();
    let words: String = rest.chars().take(SENTENCE_MAX).collect();
    let begins = words.trim_start_matches(['*', '_', '`', '[', '(', '~', ' ']);
    let names = begins.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '.')).next().unwrap_or_default();
    let is_id = !requirement_ids(names).is_empty() || short_id(names.trim_end_matches('.')).is_some();
    let words = if is_id { format!("For {words}") } else { words };
    words.chars().any(char::is_alphanumeric).then_some(words)
}

/// The words of a text alone, to be compared: letters and digits in lower case.
pub(super) fn folded(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// A text in a cell of a table.
pub(super) fn cell(text: &str) -> String {
    inline(text).replace('|', "\\|")
}

/// A path or name as code.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", Safe::line(text).as_str().replace('`', "'"))
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn listed<T: AsRef<str>>(names: &[T]) -> String {
    match names {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [init @ .., last] => {
            let init: Vec<&str> = init.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", init.join(", "), last.as_ref())
        }
    }
}

/// Writes a table, or nothing if it has no rows.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&name| name.to_owned()).collect();
    let rule = format!("|{}\n", "---|".repeat(head.len()));
    line(&head) + &rule + &rows.iter().map(|row| line(row)).collect::<String>()
}

/// Adds a section, unless it is empty.
pub(super) fn section(out: &mut String, title: &str, text: &str) {
    if !text.trim().is_empty() {
        out.push_str(&format!("\n## {title}\n\n{}\n", text.trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_stays_on_its_line_and_forges_no_mark() {
        assert_eq!(inline("a\n# b\u{1b}[2J"), "a # b␛[2J");
        assert_eq!(inline("so **OPEN** <!-- x"), "so \\*\\*OPEN\\*\\* &lt;!-- x");
        assert_eq!(inline("# heading"), "\\# heading");
        assert_eq!(cell("a|b"), "a\\|b");
        assert_eq!(code("a`b"), "`a'b`");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
    }
}
