//! Writes a page as GitHub-flavoured Markdown (<https://github.github.com/gfm/>): for a pull request, or the summary of
//! a job.
//!
//! No text may become a link, an image, a mention or markup, wherever it comes from.

use super::{Page, Part, Section, clean};
use crate::domain::redact::Redactor;

/// Stands between two characters that would be taken for an address or a mention together; it is not seen.
const NOTHING: &str = "&#8203;";

/// Code, emphasis, links, images, tags, tables, references, formulas, `:emoji:`, and what stands for itself.
pub(super) const SIGNS: &str = "\\`*_~[]<>!|&$:@#{}^+";

/// Writes a page as Markdown. Every text is redacted, cleaned and escaped.
pub fn markdown(page: &Page, redactor: &Redactor) -> String {
    let text = |text: &str| escaped(&clean(redactor, text));
    let mut out = format!(
        "# {}\n\nSpec {}\n\n**{}** {}\n",
        text(&page.title),
        text(&page.about),
        page.mark.words(),
        text(&page.sentence)
    );
    for section in &page.sections {
        section_of(section, &text, &mut out);
    }
    out.push_str("\nEvidence: *said* nobody looked, *seen* the host looked and it is there, *ran* the host ran it, ");
    out.push_str("*false* it looked or ran, and it is not so.\n");
    out
}

fn section_of(section: &Section, text: &impl Fn(&str) -> String, out: &mut String) {
    let mark = section.mark.map(|mark| format!("{} · ", mark.words())).unwrap_or_default();
    out.push_str(&format!("\n## {mark}{}\n", text(&section.title)));
    for part in &section.parts {
        out.push('\n');
        match part {
            Part::Heading(words) => out.push_str(&format!("### {}\n", text(words))),
            // A list item, so that a text that begins like a list or a heading is none.
            Part::Line(words) => out.push_str(&format!("- {}\n", text(words))),
            Part::Facts(facts) => {
                facts.iter().for_each(|(name, words)| out.push_str(&format!("- **{name}**: {}\n", text(words))));
            }
            Part::Table { heads, rows } => {
                out.push_str(&format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len())));
                for row in rows {
                    let cells: Vec<String> = row.iter().map(|cell| text(cell)).collect();
                    out.push_str(&format!("| {} |\n", cells.join(" | ")));
                }
            }
        }
    }
}

/// Escapes the signs that mean something inside a line, and parts what GitHub links without any sign: addresses,
/// `@names` and `#numbers`. What means something only at the start of a line may stand: no text is put there.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for (at, c) in text.char_indices() {
        if SIGNS.contains(c) {
            out.push('\\');
        }
        out.push(c);
        let follows = |word: &str| text.get(at + 1..).is_some_and(|rest| rest.starts_with(word));
        let ends_www = || at >= 2 && text.get(at - 2..=at).is_some_and(|word| word.eq_ignore_ascii_case("www"));
        let parts = matches!(c, '@' | '#') || (c == ':' && follows("/")) || (matches!(c, 'w' | 'W') && ends_www());
        if parts {
            out.push_str(NOTHING);
        }
    }
    out
}
