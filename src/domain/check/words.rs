//! Sentences as the critic compares them: clauses with their modal, what they are about, and their numbers.
//!
//! It must not know requirements or findings. English only: a text in another language has no clauses, and the critic
//! is silent about it.

use std::collections::BTreeSet;

use super::numbers::{Number, Quantity, numbers};
use crate::domain::spec::Level;

/// One clause with a modal: what must, should or may be, or must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Clause {
    /// How binding.
    pub level: Level,
    /// Whether the modal is negated.
    pub negated: bool,
    /// What it is about: its words without small ones, folded.
    pub about: BTreeSet<String>,
    /// What follows the modal, in order.
    pub demand: Vec<String>,
    /// Its quantities.
    pub quantities: BTreeSet<Quantity>,
    /// What its numbers name: `tier 1`. Two clauses with different ones are about different things.
    pub labels: BTreeSet<String>,
    /// All its words in order, with the sentence's subject, `#` in place of each quantity.
    pub frame: Vec<String>,
    /// Whether it holds under a condition (`when`, `if`, `unless`, …): two such need not meet.
    pub conditional: bool,
}

/// Words that say nothing about what a clause is about.
pub(super) const SMALL: [&str; 78] = [
    "a", "an", "the", "of", "to", "in", "on", "at", "by", "for", "with", "from", "as", "and", "or", "be", "is", "are",
    "it", "its", "this", "that", "these", "those", "each", "every", "any", "all", "per", "up", "most", "least", "than",
    "more", "less", "no", "not", "never", "only", "also", "their", "they", "them", "have", "has", "do", "does", "can",
    "will", "into", "over", "under", "above", "below", "between", "within", "exactly", "maximum", "minimum", "must",
    "shall", "should", "may", "cannot", "allow", "accept", "support", "provide", "permit", "enable", "ensure", "able",
    "then", "there", "so", "such", "via", "one",
];

/// Subjects that every requirement of a spec shares.
const SUBJECTS: [&str; 12] = [
    "system",
    "service",
    "application",
    "app",
    "tool",
    "cli",
    "platform",
    "software",
    "product",
    "server",
    "api",
    "program",
];

const CONDITIONS: [&str; 12] =
    ["if", "when", "unless", "while", "where", "until", "once", "during", "except", "without", "before", "after"];

/// Splits a text into its clauses with a modal.
pub(super) fn clauses(text: &str) -> Vec<Clause> {
    let mut out = Vec::new();
    for sentence in sentences(text) {
        let words: Vec<&str> = sentence.split_whitespace().collect();
        let modals: Vec<usize> = (0..words.len()).filter(|i| modal(words[*i]).is_some()).collect();
        for (n, at) in modals.iter().enumerate() {
            // The subject goes with the first modal; each modal takes the words up to the next.
            let start = if n == 0 { 0 } else { *at };
            let end = modals.get(n + 1).copied().unwrap_or(words.len());
            let subject = if n == 0 { &[][..] } else { &words[..modals[0]] };
            out.extend(clause(subject, &words[start..end], at - start));
        }
    }
    out
}

fn clause(before: &[&str], words: &[&str], at: usize) -> Option<Clause> {
    let level = modal(words.get(at)?)?;
    let next = words.get(at + 1).map(|w| fold(w)).unwrap_or_default();
    let negated = matches!(next.as_str(), "not" | "never") || fold(words[at]) == "cannot";
    let subject: Vec<String> = content(&words[..at]);
    let is_shared = subject.iter().all(|w| SUBJECTS.contains(&w.as_str()));
    let demand = content(&words[at + 1..]);
    let about = if is_shared { &[][..] } else { &subject[..] };
    let whole: Vec<&str> = before.iter().chain(words).copied().collect();
    let (mut quantities, mut labels) = (BTreeSet::new(), BTreeSet::new());
    let mut frame: Vec<String> = whole.iter().map(|w| fold(w)).collect();
    for (place, number) in numbers(&whole) {
        match number {
            Number::Label(name) => {
                labels.insert(name);
            }
            Number::Quantity(quantity) => {
                frame[place] = format!("#{}", quantity.attached());
                if place >= before.len() {
                    quantities.insert(quantity);
                }
            }
        }
    }
    Some(Clause {
        level,
        negated,
        about: about.iter().chain(&demand).cloned().collect(),
        quantities,
        labels,
        frame,
        conditional: words.iter().any(|w| CONDITIONS.contains(&fold(w).as_str())),
        demand,
    })
}

pub(super) fn modal(word: &str) -> Option<Level> {
    match word.trim_matches(|c: char| !c.is_alphanumeric()) {
        "MUST" | "must" | "SHALL" | "shall" | "cannot" => Some(Level::Must),
        "SHOULD" | "should" => Some(Level::Should),
        "MAY" => Some(Level::May),
        _ => None,
    }
}

/// Splits at full stops, semicolons and line ends, but not inside numbers, paths or abbreviations.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let ends = match c {
            ';' | '\n' => true,
            '.' | '!' | '?' => {
                chars.peek().is_none_or(|(_, next)| next.is_whitespace()) && !text[..at].ends_with("e.g")
            }
            _ => false,
        };
        if ends {
            out.push(text[start..at].trim());
            start = at + c.len_utf8();
        }
    }
    out.push(text[start..].trim());
    out.retain(|s| !s.is_empty());
    out
}

pub(super) fn fold(word: &str) -> String {
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

/// Returns the words that carry meaning, folded: lower case, singular, without numbers.
pub(super) fn content(words: &[&str]) -> Vec<String> {
    let folded = words.iter().map(|w| stem(&fold(w)));
    folded
        .filter(|w| w.len() > 1 && !SMALL.contains(&w.as_str()) && !w.starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}

/// Takes off what makes two forms of one English word differ, roughly: plural, `-ed`, `-ing`, a final `e`.
pub(super) fn stem(word: &str) -> String {
    let cut = |w: &str| w.strip_suffix('e').unwrap_or(w).to_owned();
    for (ending, with) in [("ies", "y"), ("sses", "ss"), ("ing", ""), ("ed", ""), ("es", "e"), ("s", "")] {
        if let Some(head) = word.strip_suffix(ending) {
            let long = head.chars().count() >= 3 && !(ending == "s" && head.ends_with('s'));
            if long && word.is_ascii() {
                return cut(&format!("{head}{with}"));
            }
        }
    }
    if word.len() > 4 { cut(word) } else { word.to_owned() }
}

/// Tells whether two sets share at least `num/den` of all their words, and at least `least` words.
pub(super) fn alike(a: &BTreeSet<String>, b: &BTreeSet<String>, num: usize, den: usize, least: usize) -> bool {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let is_enough = |shared: usize| shared >= least && shared * den >= (few.len() + many.len() - shared) * num;
    // Every requirement is compared with every other: most pairs are told apart by their first words.
    let mut shared = few.len();
    for word in few {
        if !is_enough(shared) {
            return false;
        }
        shared -= usize::from(!many.contains(word));
    }
    is_enough(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_keep_their_modal_and_negation() {
        let got = clauses("The system MUST log every refusal. It MUST NOT log keys; users may rest");
        assert_eq!(got.len(), 2);
        assert!(!got[0].negated && got[1].negated);
        assert!(alike(&got[0].about, &clauses("MUST never log refusals")[0].about, 3, 4, 2));
    }
}
