//! Where a definition begins and ends in source text, and what can be done to it.
//!
//! By indentation alone: nothing of `check` is used, so that a mutant's truth does not hang on what is measured.

use std::ops::Range;

use super::projects::Language;

/// Returns the lines of a definition with what belongs to it above (attributes, documentation).
pub(super) fn block(text: &str, language: Language, name: &str) -> Option<Range<usize>> {
    let heads = match language {
        Language::Rust => vec![format!("fn {name}("), format!("struct {name}"), format!("enum {name}")],
        Language::Python => vec![format!("def {name}(")],
        Language::JavaScript => vec![format!("  {name}(text) {{"), format!("test('{name}'")],
    };
    let mut starts = vec![0];
    starts.extend(text.match_indices('\n').map(|(at, _)| at + 1));
    let line = |n: usize| starts.get(n).map(|at| text[*at..].lines().next().unwrap_or(""));
    let head = (0..starts.len()).find(|n| line(*n).is_some_and(|l| heads.iter().any(|h| l.contains(h.as_str()))))?;
    let indent = |l: &str| l.len() - l.trim_start().len();
    let depth = indent(line(head)?);
    let belongs = |l: &str| ["///", "#[", "@"].iter().any(|mark| l.trim_start().starts_with(mark));
    let first = (0..head).rev().take_while(|n| line(*n).is_some_and(belongs)).last().unwrap_or(head);
    let last = match language {
        Language::Python => {
            let is_after = |n: &usize| line(*n).is_some_and(|l| !l.trim().is_empty() && indent(l) <= depth);
            (head + 1..starts.len()).find(is_after).map_or(starts.len() - 1, |n| n - 1)
        }
        Language::Rust | Language::JavaScript => (head + 1..starts.len())
            .find(|n| line(*n).is_some_and(|l| indent(l) == depth && l.trim().starts_with('}')))?,
    };
    Some(starts[first]..starts.get(last + 1).copied().unwrap_or(text.len()))
}

/// Turns code into comments.
pub(super) fn commented(code: &str, language: Language) -> String {
    let mark = if language == Language::Python { "# " } else { "// " };
    code.lines().map(|line| format!("{mark}{line}\n")).collect()
}

/// Returns a constant whose text speaks of a definition.
pub(super) fn quoted(code: &str, language: Language, name: &str) -> String {
    let head = code.lines().find(|line| line.contains(name)).unwrap_or(name);
    let (indent, head) = (&head[..head.len() - head.trim_start().len()], head.trim().replace('"', "'"));
    match language {
        Language::Rust => format!("{indent}pub const NOTE: &str = \"{head}\";\n"),
        Language::Python => format!("{indent}note = \"{head}\"\n"),
        Language::JavaScript => format!("{indent}static note = \"{head}\";\n"),
    }
}

/// Returns the code as a member of another type.
pub(super) fn elsewhere(code: &str, language: Language) -> String {
    match language {
        Language::Rust => format!("\npub struct Elsewhere;\n\nimpl Elsewhere {{\n{code}}}\n"),
        Language::Python => format!("\n\nclass Elsewhere:\n{code}"),
        Language::JavaScript => format!("\nexport class Elsewhere {{\n{code}}}\n"),
    }
}

/// Returns a definition's lines and which of them is its head.
fn headed<'t>(code: &'t str, name: &str) -> Option<(Vec<&'t str>, usize)> {
    let lines: Vec<&str> = code.lines().collect();
    let head = lines.iter().position(|line| line.contains(name) && !line.trim_start().starts_with("//"))?;
    Some((lines, head))
}

/// Takes the body out of a function, its head and end stay; `None` for a type.
pub(super) fn emptied(code: &str, language: Language, name: &str) -> Option<String> {
    let (lines, head) = headed(code, name)?;
    if !lines[head].contains('(') {
        return None;
    }
    let indent = lines.get(head).map_or(0, |l| l.len() - l.trim_start().len());
    let mut out: String = lines.iter().take(head + 1).map(|line| format!("{line}\n")).collect();
    match language {
        Language::Python => out.push_str(&format!("{}pass\n\n", " ".repeat(indent + 4))),
        Language::Rust | Language::JavaScript => {
            out.push_str(lines.last().copied().unwrap_or("}"));
            out.push('\n');
        }
    }
    Some(out)
}

/// Takes the first statement out of a body that has another one.
pub(super) fn shortened(code: &str, name: &str) -> Option<String> {
    let (mut lines, head) = headed(code, name)?;
    let is_whole = |line: &&str| line.ends_with([';', ')']);
    lines.get(head + 1).filter(|line| is_whole(line) && lines.len() > head + 3)?;
    lines.remove(head + 1);
    Some(lines.iter().map(|line| format!("{line}\n")).collect())
}

/// Returns a function that nobody asked about.
pub(super) fn extra(language: Language) -> &'static str {
    match language {
        Language::Rust => "\nfn twice(n: usize) -> usize {\n    n * 2\n}\n",
        Language::Python => "\n\ndef twice(n):\n    return n * 2\n",
        Language::JavaScript => "\nfunction twice(n) {\n  return n * 2;\n}\n",
    }
}
