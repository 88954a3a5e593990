//! The mark that a draft leaves in a spec where its panel did not agree, in github/spec-kit's own form: with what each
//! side wants, so that clarify can offer it.
//!
//! It must not know panels, nor what a mark is written into.

use std::ops::Range;

use crate::domain::agenda::closing;
use crate::domain::safe::Safe;

/// One side of a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Who holds it, in words.
    pub who: String,
    /// What they want.
    pub wants: Wants,
}

/// What a side wants of a requirement.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wants {
    /// That it says this.
    Words(String),
    /// That it goes.
    Gone,
    /// That it stays.
    Same,
}

const BEGINS: &str = "[NEEDS CLARIFICATION: ";
const GONE: &str = "it should go";
const SAME: &str = "it should stay";
const ONLY: &str = "only ";
const KEEP: &str = " asks for this: keep it?";

/// Longest wording that a mark quotes, in characters: as much as is read of a requirement.
const QUOTED_MAX: usize = 2_000;

/// Writes the mark of several sides.
pub fn mark(sides: &[Side]) -> String {
    let one = |side: &Side| match &side.wants {
        Wants::Words(words) => format!("{}: “{}”", plain(&side.who), plain(words)),
        Wants::Gone => format!("{}: {GONE}", plain(&side.who)),
        Wants::Same => format!("{}: {SAME}", plain(&side.who)),
    };
    format!("{BEGINS}{}]", sides.iter().map(one).collect::<Vec<_>>().join("; "))
}

/// Writes the mark of what only one asks for.
pub fn lone_mark(who: &str) -> String {
    format!("{BEGINS}{ONLY}{}{KEEP}]", plain(who))
}

/// Reads what stands in a mark: its sides; none if it is no such mark.
pub fn sides(question: &str) -> Option<Vec<Side>> {
    let mut found = Vec::new();
    let mut rest = question;
    loop {
        let (who, tail) = rest.split_once(": ")?;
        let (wants, tail) = if let Some(quoted) = tail.strip_prefix('“') {
            let (words, tail) = quoted.split_once('”')?;
            (Wants::Words(words.to_owned()), tail)
        } else if let Some(tail) = tail.strip_prefix(GONE) {
            (Wants::Gone, tail)
        } else {
            (Wants::Same, tail.strip_prefix(SAME)?)
        };
        found.push(Side { who: who.to_owned(), wants });
        match tail.strip_prefix("; ") {
            Some(more) => rest = more,
            None => return tail.is_empty().then_some(found),
        }
    }
}

/// Tells whether what stands in a mark is that only one asks for it.
pub fn is_lone(question: &str) -> bool {
    question.strip_prefix(ONLY).and_then(|rest| rest.strip_suffix(KEEP)).is_some_and(|who| !who.contains(": "))
}

/// Returns where the first of our marks stands in a line, of several sides or of one alone.
pub fn find_mark(line: &str) -> Option<Range<usize>> {
    line.match_indices(BEGINS).find_map(|(at, _)| {
        let end = at + closing(&line[at..])?;
        let question = &line[at + BEGINS.len()..end - 1];
        (is_lone(question) || sides(question).is_some()).then_some(at..end)
    })
}

/// Returns a line without our marks.
pub fn unmarked(line: &str) -> String {
    let mut left = line.to_owned();
    while let Some(place) = find_mark(&left) {
        let (head, tail) = (left[..place.start].trim_end(), left[place.end..].trim_start());
        let between = if head.is_empty() || tail.is_empty() { "" } else { " " };
        left = format!("{head}{between}{tail}");
    }
    left
}

/// A text inside a mark: on one line, and nothing in it that would end the mark or a quotation.
fn plain(text: &str) -> String {
    let line = Safe::line(text);
    let words = line.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
    let bare = words.replace("**", "").replace("<!--", "&lt;!--");
    let bare = bare.chars().take(QUOTED_MAX).map(|c| match c {
        '[' => '(',
        ']' => ')',
        '“' | '”' => '"',
        other => other,
    });
    bare.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(who: &str, wants: Wants) -> Side {
        Side { who: who.into(), wants }
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let words = |text: &str| Wants::Words(text.into());
        let written = mark(&[
            side("claude and codex", words("It MUST wait 3 s; codex: it should go")),
            side("gemini", words("a [x] “b” ]] <!-- c\nd")),
            side("qwen", Wants::Gone),
            side("host", Wants::Same),
        ]);
        assert!(!written.contains('\n') && !written.contains("<!--"), "{written}");
        let line = format!("- **FR-001**: old words {written} and more");
        let place = find_mark(&line).unwrap();
        assert_eq!(line[place.clone()], written);
        let read = sides(&line[place.start + BEGINS.len()..place.end - 1]).unwrap();
        assert_eq!(read.len(), 4);
        assert_eq!(read[0], side("claude and codex", words("It MUST wait 3 s; codex: it should go")));
        assert_eq!(read[1].wants, words("a (x) \"b\" )) &lt;!-- c d"));
        assert_eq!((&read[2].wants, &read[3].wants), (&Wants::Gone, &Wants::Same));
        assert_eq!(unmarked(&line), "- **FR-001**: old words and more");
    }

    #[test]
    fn what_others_ask_in_marks_is_none_of_ours() {
        for line in [
            "- [NEEDS CLARIFICATION: how long?]",
            "- [NEEDS CLARIFICATION: which: “a” or “b”?]",
            "- [NEEDS CLARIFICATION: only who asks for this: keep it]",
            "- [NEEDS CLARIFICATION: claude: “a",
        ] {
            assert_eq!(find_mark(line), None, "{line}");
            assert_eq!(unmarked(line), line);
        }
        assert!(find_mark(&format!("x {}", lone_mark("claude"))).is_some());
    }
}
