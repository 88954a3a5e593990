//! What a requirement leaves open: a marker that asks for clarification, a quantity without a number, a choice between
//! two ways.
//!
//! It must not know the spec around the sentence. It is modest on purpose: each hit becomes a question to every agent,
//! so words that only may be vague are left to the critic.

/// Something that a requirement leaves open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPoint {
    /// What kind.
    pub kind: PointKind,
    /// The words that leave it open, as the spec writes them.
    pub words: String,
    /// The unit that an answer has, where the words say it.
    pub unit: Option<&'static str>,
}

/// Kinds of open points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    /// `[NEEDS CLARIFICATION: …]`, TBD, TODO.
    Marker,
    /// "quickly", "a burst", "a small number of".
    Quantity,
    /// "in memory or Redis".
    Choice,
}

/// Words that stand for a quantity, longer ones before those that they begin with, and the unit of an answer.
const VAGUE: [(&str, Option<&str>); 30] = [
    ("a small number of", None),
    ("a large number of", None),
    ("a limited number of", None),
    ("a reasonable number of", None),
    ("a certain number of", None),
    ("a reasonable amount of", None),
    ("a reasonable time", Some("s")),
    ("a short time", Some("s")),
    ("a short period", Some("s")),
    ("a long time", Some("s")),
    ("a while", Some("s")),
    ("a few", None),
    ("in a timely manner", Some("s")),
    ("in near real time", Some("ms")),
    ("in real time", Some("ms")),
    ("at scale", None),
    ("high load", None),
    ("heavy load", None),
    ("low latency", Some("ms")),
    ("high throughput", Some("1/s")),
    ("bursts", None),
    ("burst", None),
    ("several", None),
    ("quickly", Some("ms")),
    ("rapidly", Some("ms")),
    ("promptly", Some("ms")),
    ("fast", Some("ms")),
    ("soon", Some("s")),
    ("periodically", Some("s")),
    ("regularly", Some("s")),
];

/// Numbers written out.
const NUMBERS: [&str; 13] =
    ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "twenty", "hundred", "thousand"];

/// Words that may stand between a vague word and its number: `burst of at most 20`.
const BETWEEN: [&str; 14] =
    ["of", "up", "to", "at", "most", "least", "within", "under", "below", "in", "less", "than", "size", "about"];

/// Words after which a number measures something else: `a burst above 10 requests per second`.
const ELSEWHERE: [&str; 8] = ["above", "over", "beyond", "exceeding", "and", "or", "but", "when"];

/// How many words after a vague one are searched for its number.
const NEAR: usize = 5;

/// Words before an "or" that make it a list of cases, not a choice for whoever builds it.
const CASES: [&str; 47] = [
    "if", "when", "whenever", "whether", "unless", "any", "no", "not", "never", "none", "without", "each", "every",
    "all", "reject", "rejects", "refuse", "refuses", "ignore", "ignores", "accept", "accepts", "support", "supports",
    "handle", "handles", "prevent", "prevents", "fail", "fails", "fails", "more", "less", "one", "zero", "after",
    "before", "neither", "able", "can", "for", "empty", "missing", "invalid", "contain", "contains", "include",
];

/// Words that begin to describe what stands before them: "a field that holds a quote or a comma" names cases.
const RELATIVES: [&str; 5] = ["that", "which", "whose", "who", "where"];

/// Words after which a "that" says what is demanded: "ensure that it is kept in memory or Redis" leaves a choice.
const DEMANDS: [&str; 10] =
    ["ensure", "ensures", "guarantee", "guarantees", "require", "requires", "verify", "check", "such", "so"];

/// Words after an "or" that end a comparison or a phrase.
const PHRASES: [&str; 16] = [
    "more",
    "less",
    "fewer",
    "later",
    "newer",
    "older",
    "equal",
    "greater",
    "higher",
    "lower",
    "above",
    "below",
    "not",
    "so",
    "otherwise",
    "else",
];

/// Words that begin or end a side of a choice without being it.
const GLUE: [&str; 29] = [
    "a", "an", "the", "in", "via", "using", "by", "with", "as", "to", "from", "on", "of", "through", "either", "must",
    "shall", "should", "will", "and", "be", "is", "are", "into", "at", "so", "that", "which", "per",
];

/// Words that say how binding a requirement is; before one of them stands who must, after it what.
const MODALS: [&str; 4] = ["must", "shall", "should", "will"];

/// Most words of one side of a choice.
const SIDE_MAX: usize = 3;

/// Finds what a requirement's text leaves open: markers, then quantities, then choices, each in the order of the text
/// and the same words once.
pub fn open_points(text: &str) -> Vec<OpenPoint> {
    let (text, mut points) = markers(text);
    let sentences: Vec<Vec<Word<'_>>> = sentences(&text);
    points.extend(sentences.iter().flat_map(|words| quantities(&text, words)));
    points.extend(sentences.iter().flat_map(|words| choices(&text, words)));
    let mut seen: Vec<(PointKind, String)> = Vec::new();
    points.retain(|point| {
        let folded = (point.kind, point.words.to_lowercase());
        let is_new = !seen.contains(&folded);
        seen.push(folded);
        is_new
    });
    points
}

/// Returns where the bracket is closed that a text begins with: the byte after it.
pub fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return (c == ']').then_some(at + 1);
        }
    }
    None
}

/// Takes the markers out of a text.
fn markers(text: &str) -> (String, Vec<OpenPoint>) {
    const OPENS: &str = "[NEEDS CLARIFICATION";
    let marker = |words: &str| OpenPoint { kind: PointKind::Marker, words: words.to_owned(), unit: None };
    let mut points = Vec::new();
    let mut left = String::new();
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once(OPENS) {
        left.push_str(before);
        let marked = &rest[before.len()..];
        let (question, after) = match closing(marked) {
            Some(end) => (&marked[OPENS.len()..end - 1], &marked[end..]),
            None => (tail, ""),
        };
        let question = question.trim_start_matches(':').trim();
        points.push(marker(if question.is_empty() { "what is meant?" } else { question }));
        rest = after;
    }
    left.push_str(rest);
    let words = left.split(|c: char| !c.is_ascii_alphanumeric());
    points.extend(words.filter(|word| matches!(*word, "TBD" | "TODO" | "FIXME")).map(marker));
    (left, points)
}

/// One word, where it stands in the text, and whether the clause ends after it.
struct Word<'a> {
    text: &'a str,
    folded: String,
    start: usize,
    ends_clause: bool,
}

/// Takes a text apart into sentences of words, without marks around them.
fn sentences(text: &str) -> Vec<Vec<Word<'_>>> {
    let mut sentences = vec![Vec::new()];
    let mut at = 0;
    for piece in text.split_inclusive(char::is_whitespace) {
        let start = at;
        at += piece.len();
        let is_mark = |c: char| !c.is_alphanumeric() && c != '_';
        let bare = piece.trim_end_matches(is_mark);
        let trailing = piece[bare.len()..].trim_end();
        let word = bare.trim_start_matches(|c: char| is_mark(c) && !matches!(c, '<' | '>' | '≤' | '≥' | '~'));
        let Some(sentence) = sentences.last_mut() else { break };
        if !word.is_empty() {
            sentence.push(Word {
                text: word,
                folded: word.to_lowercase(),
                start: start + (bare.len() - word.len()),
                ends_clause: trailing.contains([',', ':', ')']),
            });
        }
        if trailing.contains(['.', ';', '?', '!']) || piece.ends_with('\n') {
            sentences.push(Vec::new());
        }
    }
    sentences
}

fn quantities(text: &str, words: &[Word<'_>]) -> Vec<OpenPoint> {
    let mut points = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let hit = VAGUE.iter().find_map(|(phrase, unit)| {
            // Hardly any word begins one; the rest is looked at only then.
            if !phrase.starts_with(words[at].folded.as_str()) {
                return None;
            }
            let length = phrase.split(' ').count();
            let there = words.get(at..at + length)?;
            phrase.split(' ').zip(there).all(|(want, word)| word.folded == want).then_some((length, *unit))
        });
        let Some((length, unit)) = hit else {
            at += 1;
            continue;
        };
        if !is_measured(words, at, at + length) {
            points.push(OpenPoint { kind: PointKind::Quantity, words: quoted(text, &words[at..at + length]), unit });
        }
        at += length;
    }
    points
}

/// Tells whether a number beside the words `from..to` measures them.
fn is_measured(words: &[Word<'_>], from: usize, to: usize) -> bool {
    let before = words[from.saturating_sub(2)..from].iter().any(is_number);
    let mut strangers = 0;
    let after = words[to..]
        .iter()
        .take(NEAR)
        .take_while(|word| {
            let is_between = BETWEEN.contains(&word.folded.as_str()) || is_number(word);
            strangers += usize::from(!is_between);
            strangers <= 1 && !ELSEWHERE.contains(&word.folded.as_str())
        })
        .any(is_number);
    before || after
}

fn is_number(word: &Word<'_>) -> bool {
    let text = word.folded.trim_start_matches(['<', '>', '≤', '≥', '~', '=']);
    text.starts_with(|c: char| c.is_ascii_digit()) || NUMBERS.contains(&text)
}

fn choices(text: &str, words: &[Word<'_>]) -> Vec<OpenPoint> {
    let modal = words.iter().position(|word| MODALS.contains(&word.folded.as_str()));
    let is_glue = |word: &Word<'_>| GLUE.contains(&word.folded.as_str());
    let mut points = Vec::new();
    for (at, word) in words.iter().enumerate() {
        if word.folded != "or" || modal.is_some_and(|modal| at < modal) {
            continue;
        }
        let (before, after) = (&words[..at], &words[at + 1..]);
        let is_case = before.iter().any(|word| CASES.contains(&word.folded.as_str())) || describes(before);
        let is_phrase = after.first().is_none_or(|word| PHRASES.contains(&word.folded.as_str()));
        if is_case || is_phrase {
            continue;
        }
        let left = before.iter().rev().take(SIDE_MAX).take_while(|w| !is_glue(w) && !w.ends_clause).count();
        let leading = after.iter().take(2).take_while(|word| is_glue(word)).count();
        let right = right_side(&after[leading..], is_glue);
        if left > 0 && right > 0 {
            let words = quoted(text, &words[at - left..=at + leading + right]);
            points.push(OpenPoint { kind: PointKind::Choice, words, unit: None });
        }
    }
    points
}

/// Tells whether the last of some words stand in a clause that describes something.
fn describes(words: &[Word<'_>]) -> bool {
    let relative = words.iter().rposition(|word| RELATIVES.contains(&word.folded.as_str()));
    relative.is_some_and(|at| at > 0 && !DEMANDS.contains(&words[at - 1].folded.as_str()))
}

/// Counts the words up to the end of the clause, glue, or [`SIDE_MAX`].
fn right_side(after: &[Word<'_>], is_glue: impl Fn(&Word<'_>) -> bool) -> usize {
    let mut count = 0;
    for word in after.iter().take(SIDE_MAX) {
        if is_glue(word) {
            break;
        }
        count += 1;
        if word.ends_clause {
            break;
        }
    }
    count
}

/// The text from the first to the last of some words, as written.
fn quoted(text: &str, words: &[Word<'_>]) -> String {
    let (Some(first), Some(last)) = (words.first(), words.last()) else { return String::new() };
    text.get(first.start..last.start + last.text.len()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        open_points(text).into_iter().map(|point| format!("{:?}: {}", point.kind, point.words)).collect()
    }

    #[test]
    fn what_is_left_open_is_found() {
        for (text, found) in [
            ("MUST keep [NEEDS CLARIFICATION: how long?] and TBD", vec!["Marker: how long?", "Marker: TBD"]),
            ("MUST keep [NEEDS CLARIFICATION", vec!["Marker: what is meant?"]),
            ("MUST allow a burst above 10 requests per second.", vec!["Quantity: burst"]),
            ("MUST allow a small number of retries", vec!["Quantity: a small number of"]),
            ("SHOULD answer quickly, and quickly again.", vec!["Quantity: quickly"]),
            ("Counters MUST be kept in memory or Redis.", vec!["Choice: memory or Redis"]),
            ("MUST be written as JSON or in a database", vec!["Choice: JSON or in a database"]),
            ("MUST ensure that counters are kept in memory or Redis", vec!["Choice: memory or Redis"]),
            ("MUST answer with `429` or `503`, at once", vec!["Choice: 429` or `503"]),
        ] {
            assert_eq!(words(text), found, "{text}");
        }
    }

    #[test]
    fn what_is_said_exactly_is_left_alone() {
        for text in [
            "MUST allow a burst of 20 requests",
            "MUST allow a burst of up to 20",
            "MUST allow a 20-request burst",
            "MUST answer quickly (within 200 ms)",
            "MUST retry a few times (at most three)",
            "MUST reject empty or malformed bodies",
            "MUST quote a field that holds a comma, a quote or a line break",
            "MUST warn users whose plan is free or expired",
            "MUST stop after 3 or more failures",
            "MUST keep 10 or fewer",
            "Administrators or owners MUST approve",
            "Users MUST be able to log in or register",
            "MUST NOT write to disk or network",
            "MUST say whether it passed or failed",
            "MUST count 10 requests per second",
            "",
        ] {
            assert_eq!(words(text), Vec::<String>::new(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_alike(text in "(?s).*|([a-z≤é ]| or | must |burst|[.,(\n]){0,30}") {
            proptest::prop_assert_eq!(open_points(&text), open_points(&text));
        }
    }
}
