//! Numbers in sentences: those that measure something, with unit and direction, and those that only name it.
//!
//! It must not know clauses, requirements or findings.

use std::collections::BTreeSet;

use super::words::{SMALL, fold, modal, sentences, stem};

/// A number, by what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Number {
    /// It names something: `tier 1`.
    Label(String),
    /// It says how much.
    Quantity(Quantity),
}

/// A number with what it counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Quantity {
    /// What it counts, folded to compare: `request per second`, `ms`; empty if nothing follows it.
    pub unit: String,
    /// In its shortest form, without separators.
    pub value: String,
    /// Which side it leaves open.
    pub bound: Bound,
    /// Number and unit as the text writes them.
    pub written: String,
    is_attached: bool,
}

/// Which way a quantity bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Bound {
    /// Neither way: `10 seconds`.
    Exact,
    /// From below: `at least`, `more than`.
    Least,
    /// From above: `at most`, `up to`, `within`.
    Most,
}

impl Bound {
    fn flipped(self) -> Self {
        match self {
            Bound::Exact => Bound::Exact,
            Bound::Least => Bound::Most,
            Bound::Most => Bound::Least,
        }
    }
}

/// Units of time, size, share and money, singular: their amounts are what a demand is about.
const MEASURES: [&str; 48] = [
    "ns",
    "us",
    "µs",
    "ms",
    "s",
    "sec",
    "second",
    "min",
    "minute",
    "h",
    "hr",
    "hour",
    "day",
    "week",
    "month",
    "year",
    "microsecond",
    "millisecond",
    "nanosecond",
    "bit",
    "b",
    "byte",
    "kb",
    "mb",
    "gb",
    "tb",
    "kib",
    "mib",
    "gib",
    "tib",
    "kilobyte",
    "megabyte",
    "gigabyte",
    "terabyte",
    "%",
    "percent",
    "$",
    "€",
    "£",
    "usd",
    "eur",
    "gbp",
    "dollar",
    "euro",
    "pound",
    "cent",
    "rps",
    "qps",
];

impl Quantity {
    /// Tells whether it has a unit of time, size, share, money, or a rate.
    pub(super) fn is_measured(&self) -> bool {
        let is_measure = |m: &&str| *m == self.unit || stem(m) == self.unit || stem(&format!("{m}s")) == self.unit;
        self.unit.contains(" per ") || MEASURES.iter().any(is_measure)
    }

    /// Returns the unit if it is written without a space before it, else nothing.
    pub(super) fn attached(&self) -> &str {
        if self.is_attached { &self.unit } else { "" }
    }

    /// Tells whether two amounts of one unit cannot both hold. Bounds from opposite sides leave room between them.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        if self.unit != other.unit || self.value == other.value {
            return false;
        }
        let amount = |q: &Self| q.value.parse::<f64>().unwrap_or_default();
        let (a, b) = (amount(self), amount(other));
        match (self.bound, other.bound) {
            (Bound::Exact, Bound::Exact) | (Bound::Least, Bound::Least) | (Bound::Most, Bound::Most) => true,
            (Bound::Least, Bound::Most) | (Bound::Most, Bound::Least) => false,
            (Bound::Exact, Bound::Least) | (Bound::Most, Bound::Exact) => a < b,
            (Bound::Exact, Bound::Most) | (Bound::Least, Bound::Exact) => a > b,
        }
    }
}

/// Returns the quantities of a text.
pub(super) fn quantities(text: &str) -> BTreeSet<Quantity> {
    let mut out = BTreeSet::new();
    for sentence in sentences(text) {
        for (_, number) in numbers(&sentence.split_whitespace().collect::<Vec<_>>()) {
            if let Number::Quantity(quantity) = number {
                out.insert(quantity);
            }
        }
    }
    out
}

const MARKS: [char; 17] = ['(', ')', ',', ';', '"', '\'', '<', '>', '=', '≤', '≥', '~', '`', '*', '±', '.', ':'];
const MONEY: [char; 3] = ['$', '€', '£'];

/// Returns the numbers of one sentence with the indexes of their words: `10 requests per second`, `50ms`, `99.9 %`.
pub(super) fn numbers(words: &[&str]) -> Vec<(usize, Number)> {
    let mut out = Vec::new();
    let mut last = 0;
    for (at, raw) in words.iter().enumerate() {
        let word = raw.trim_matches(MARKS);
        let money = word.chars().next().filter(|c| MONEY.contains(c));
        let word = word.trim_start_matches(MONEY);
        let digits = word.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',' | '_'))).unwrap_or(word.len());
        let (number, rest) = word.split_at(digits);
        let Ok(amount) = number.replace([',', '_'], "").parse::<f64>() else { continue };
        // `3-5 seconds`, `3xx`, `2nd`, `1:30` and `v2` are no single amounts.
        let attached = rest.trim_matches(|c: char| !c.is_alphanumeric() && c != '%');
        if rest.starts_with(['-', '–', 'x', ':'])
            || matches!(attached, "st" | "nd" | "rd" | "th")
            || attached.contains('.')
        {
            continue;
        }
        let (unit, said) = match money {
            Some(sign) => (sign.to_string(), String::new()),
            None => unit(attached, &words[at + 1..]),
        };
        let space = if attached.is_empty() { " " } else { "" };
        let sign = money.map(String::from).unwrap_or_default();
        let quantity = Quantity {
            unit,
            value: amount.to_string(),
            bound: bound(words, last, at),
            written: format!("{sign}{number}{space}{said}").trim().to_owned(),
            is_attached: !attached.is_empty(),
        };
        let is_bare = attached.is_empty() && money.is_none();
        match label(words, at).filter(|_| is_bare && !quantity.is_measured()) {
            Some(noun) => out.push((at, Number::Label(format!("{noun} {}", quantity.value)))),
            None => out.push((at, Number::Quantity(quantity))),
        }
        last = at + 1;
    }
    out
}

/// Returns the unit after a number, folded and as written.
fn unit(attached: &str, after: &[&str]) -> (String, String) {
    let shown = |w: &str| w.trim_matches(|c: char| !c.is_alphanumeric() && c != '%').to_owned();
    let mut words = after.iter();
    let (first, mut said) = if attached.is_empty() {
        match words.next() {
            Some(word) if word.starts_with('%') => ("%".to_owned(), "%".to_owned()),
            Some(word) if !SMALL.contains(&fold(word).as_str()) && modal(word).is_none() => {
                (stem(&fold(word)), shown(word))
            }
            _ => return (String::new(), String::new()),
        }
    } else {
        (stem(&attached.to_lowercase()), attached.to_owned())
    };
    if let (Some(per), Some(each)) = (words.next(), words.next())
        && matches!(fold(per).as_str(), "per" | "a" | "an")
    {
        said.push_str(&format!(" {} {}", shown(per), shown(each)));
        return (format!("{first} per {}", stem(&fold(each))), said);
    }
    (first, said)
}

/// Words after which a number is always a name.
const NAMING: [&str; 18] = [
    "http", "rfc", "iso", "status", "code", "version", "section", "phase", "level", "step", "story", "task", "tls",
    "sha", "utf", "es", "error", "response",
];

/// Words that tell that the noun after them is one of many: `each key 10 requests`.
const EACH: [&str; 7] = ["each", "every", "a", "an", "any", "per", "all"];

/// Words before an amount that are no nouns: `after 5 wrong passwords`.
const LEADING: [&str; 8] = ["after", "before", "until", "since", "during", "about", "around", "against"];

/// Returns the noun that the number at `at` names, `None` if it counts something.
fn label(words: &[&str], at: usize) -> Option<String> {
    let word = |i: usize| words.get(i).map(|w| fold(w)).unwrap_or_default();
    let back = |n: usize| at.checked_sub(n).map(word).unwrap_or_default();
    let noun = back(1);
    if NAMING.contains(&noun.as_str()) {
        return Some(noun);
    }
    let ends_phrase = at > 0 && words[at - 1].ends_with([',', ';', ':']);
    let is_noun = noun.starts_with(|c: char| c.is_alphabetic())
        && !ends_phrase
        && !SMALL.contains(&noun.as_str())
        && !LEADING.contains(&noun.as_str())
        && modal(words[at - 1]).is_none()
        && side(&noun).is_none();
    if !is_noun {
        return None;
    }
    // `Screen 2 MUST …`: before the modal there is no verb that could take an object.
    if words.iter().position(|w| modal(w).is_some()).is_some_and(|m| at < m) {
        return Some(noun);
    }
    let is_plural = noun.ends_with('s') && !noun.ends_with("ss");
    let is_verb = at.checked_sub(2).is_some_and(|i| modal(words[i]).is_some())
        || matches!(back(2).as_str(), "not" | "never" | "to" | "and" | "or" | "then");
    let next = word(at + 1);
    let counts = EACH.contains(&back(2).as_str()) && next.ends_with('s') || next == "times";
    (!is_plural && !is_verb && !counts).then_some(noun)
}

/// Words at a distance from a number that still bound it: `the maximum length MUST be 128`.
fn far(word: &str) -> Option<Bound> {
    match word {
        "least" | "minimum" | "min" => Some(Bound::Least),
        "most" | "maximum" | "max" => Some(Bound::Most),
        _ => None,
    }
}

/// Words that bound a number near them.
fn side(word: &str) -> Option<Bound> {
    match word {
        "more" | "longer" | "greater" | "over" | "above" | "exceed" | "exceeds" | "exceeding" => Some(Bound::Least),
        "less" | "fewer" | "shorter" | "under" | "below" | "within" | "up" => Some(Bound::Most),
        _ => far(word),
    }
}

/// How far before a number a word of [`side`] bounds it: `no more than 5`, `up to 5`.
const NEAR: usize = 3;

fn bound(words: &[&str], from: usize, at: usize) -> Bound {
    let sign = |w: &str| match w.chars().next() {
        Some('<' | '≤') => Some(Bound::Most),
        Some('>' | '≥') => Some(Bound::Least),
        _ => None,
    };
    if let Some(bound) = sign(words[at]).or_else(|| at.checked_sub(1).and_then(|i| sign(words[i]))) {
        return bound;
    }
    // `8 characters or more`.
    let after: Vec<String> = words[at + 1..].iter().take(NEAR).map(|w| fold(w)).collect();
    let or_more = after.windows(2).find(|w| w[0] == "or").and_then(|w| side(&w[1]));
    let behind = after.iter().take(2).find_map(|w| far(w));
    let ahead = || {
        (from..at).rev().find_map(|i| {
            let word = fold(words[i]);
            let found = if at - i <= NEAR { side(&word) } else { far(&word) }?;
            let is_negated = i > 0 && matches!(fold(words[i - 1]).as_str(), "no" | "not" | "never");
            Some(if is_negated { found.flipped() } else { found })
        })
    };
    or_more.or_else(ahead).or(behind).unwrap_or(Bound::Exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<(String, String)> {
        quantities(text).into_iter().map(|q| (q.value, q.unit)).collect()
    }

    #[test]
    fn quantities_have_their_unit() {
        assert_eq!(units("at most 10 requests per second"), [("10".into(), "request per second".into())]);
        assert_eq!(units("in 50ms or 1,000 ms"), [("1000".into(), "ms".into()), ("50".into(), "ms".into())]);
        assert_eq!(units("answers HTTP 429 as in RFC 6585, 2nd of 3-5"), []);
        // The signs of money stand before the number.
        for m in MEASURES.into_iter().filter(|m| !matches!(*m, "$" | "€" | "£")) {
            assert!(quantities(&format!("takes 5 {m}")).iter().all(Quantity::is_measured), "{m}");
        }
    }

    #[test]
    fn units_are_shown_as_they_are_written() {
        let shown = |text| quantities(text).into_iter().map(|q| q.written).collect::<Vec<_>>();
        assert_eq!(shown("MUST have 8 characters."), ["8 characters"]);
        assert_eq!(shown("MUST retry 5 times, then stop"), ["5 times"]);
        assert_eq!(shown("within 1,000 requests per second"), ["1,000 requests per second"]);
        assert_eq!(shown("costs $5 or 50ms or 99.9 %"), ["$5", "99.9 %", "50ms"]);
    }

    #[test]
    fn a_number_after_a_noun_is_its_name() {
        for text in ["Screen 2 MUST show a title", "MUST do thing 10", "MUST open screen 3 at once", "tier 1 MAY write"]
        {
            assert_eq!(units(text), [], "{text}");
        }
        for text in ["MUST show 10 items", "MUST give each key 10 requests", "MUST lock accounts 10 minutes"] {
            assert_eq!(units(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn bounds_are_read_from_the_words_around() {
        let of = |text| quantities(text).into_iter().map(|q| q.bound).collect::<Vec<_>>();
        for text in ["at least 8 keys", "a minimum of 8 keys", "more than 8 keys", "8 keys or more", ">= 8 keys"] {
            assert_eq!(of(text), [Bound::Least], "{text}");
        }
        for text in ["at most 8 keys", "the maximum MUST be 8 keys", "no more than 8 keys", "up to 8 keys", "<8 keys"] {
            assert_eq!(of(text), [Bound::Most], "{text}");
        }
        assert_eq!(of("exactly 8 keys"), [Bound::Exact]);
    }
}
