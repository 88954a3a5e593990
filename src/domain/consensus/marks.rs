//! What tells two near texts apart however near they are: their numbers, negations and quoted names.
//!
//! It must not know nearness, nor who said what.

/// Tells whether a number, a negation or a quoted name tells two canonical subjects apart.
pub(super) fn is_told_apart(a: &str, b: &str) -> bool {
    Marks::of(a) != Marks::of(b)
}

/// What tells two subjects apart however near they are: each a list in the order of the text, numbers in digits before
/// those in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Marks {
    numbers: Vec<String>,
    negations: Vec<&'static str>,
    quoted: Vec<String>,
}

/// Words that deny, and what they count as.
const NEGATIONS: [(&str, &str); 9] = [
    ("not", "not"),
    ("cannot", "not"),
    ("no", "no"),
    ("never", "never"),
    ("none", "none"),
    ("nor", "nor"),
    ("neither", "neither"),
    ("nothing", "nothing"),
    ("without", "without"),
];

/// Numbers that are written as words.
const NUMBER_WORDS: [(&str, &str); 15] = [
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("hundred", "100"),
    ("thousand", "1000"),
];

/// Quotation marks: opening, closing, and whether they also occur inside words.
const QUOTES: [(char, char, bool); 6] =
    [('`', '`', false), ('"', '"', false), ('“', '”', false), ('«', '»', false), ('\'', '\'', true), ('‘', '’', true)];

impl Marks {
    pub(super) fn of(subject: &str) -> Self {
        let mut marks = Marks { numbers: numerals(subject), negations: Vec::new(), quoted: quoted(subject) };
        let look_up = |table: &[(&'static str, &'static str)], word: &str| {
            table.iter().find(|(name, _)| *name == word).map(|(_, meaning)| *meaning)
        };
        for word in subject.split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’'))) {
            let bare = word.trim_matches(['\'', '’']);
            if bare.ends_with("n't") || bare.ends_with("n’t") {
                marks.negations.push("not");
            }
            marks.negations.extend(look_up(&NEGATIONS, bare));
            marks.numbers.extend(look_up(&NUMBER_WORDS, bare).map(str::to_owned));
        }
        marks
    }
}

/// Returns the numbers written in digits, with sign and decimals, canonical.
fn numerals(subject: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut chars = subject.char_indices().peekable();
    let (mut before, mut ahead) = (' ', ' ');
    while let Some((start, c)) = chars.next() {
        if !c.is_numeric() {
            (ahead, before) = (before, c);
            continue;
        }
        let mut end = start + c.len_utf8();
        while let Some(&(i, c)) = chars.peek() {
            let next_is_digit = subject[i + c.len_utf8()..].starts_with(char::is_numeric);
            if !(c.is_numeric() || (matches!(c, '.' | ',') && next_is_digit)) {
                break;
            }
            end = i + c.len_utf8();
            chars.next();
        }
        let sign = if before == '-' && !ahead.is_alphanumeric() { "-" } else { "" };
        let number = format!("{sign}{}", &subject[start..end]);
        found.push(super::canon::quantity(&number).unwrap_or(number));
        (ahead, before) = ('0', '0');
    }
    found
}

/// Returns what stands between quotation marks.
fn quoted(subject: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !subject.contains(|c| QUOTES.iter().any(|(open, ..)| *open == c)) {
        return found;
    }
    let mut rest = subject;
    let mut before = ' ';
    // A mark that was not closed once is not closed further on: the text is searched at most once for each.
    let mut is_never_closed = [false; QUOTES.len()];
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        let opens = |(open, _, in_words): &(char, char, bool)| *open == c && !(*in_words && before.is_alphanumeric());
        let pair = QUOTES.iter().position(opens).filter(|&pair| !is_never_closed[pair]);
        let end = pair.and_then(|pair| {
            let (_, close, in_words) = QUOTES[pair];
            let end = after.char_indices().find(|(i, c)| {
                let next = after[i + c.len_utf8()..].chars().next();
                *c == close && !(in_words && next.is_some_and(char::is_alphanumeric))
            });
            is_never_closed[pair] = end.is_none();
            end
        });
        if let Some((end, close)) = end {
            found.push(after[..end].to_owned());
            before = close;
            rest = &after[end + close.len_utf8()..];
        } else {
            before = c;
            rest = after;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_numbers_negations_and_quoted_names() {
        let marks = Marks::of("don't keep `a b` for 1.50 s, -3 or three; it isn't 'its' node's \"x\"");
        assert_eq!(marks.numbers, ["1.5", "-3", "3"]);
        assert_eq!(marks.negations, ["not", "not"]);
        assert_eq!(marks.quoted, ["a b", "its", "x"]);
        assert_eq!(Marks::of("3-4").numbers, ["3", "4"]);
    }
}
