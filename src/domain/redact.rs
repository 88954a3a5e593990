//! Secrets taken out of text before it is hashed, written or shown.
//!
//! It must not know the environment: the values to hide are given.

use std::borrow::Cow;
use std::ops::Range;

use aho_corasick::{AhoCorasick, Input, MatchKind};

/// What stands where a secret stood. It is harmless inside a JSON string.
pub const MARK: &str = "[redacted]";

/// Shortest value that is hidden: a shorter one is no secret, and hiding it would tear words apart.
const SHORTEST: usize = 8;

/// Shortest home folder that is hidden (`/home/u`): a root user's says nothing about anybody.
const SHORTEST_HOME: usize = 7;

/// How the well-known keys look: how they begin, which characters follow, and how many at least.
const SHAPES: &[(&str, Alphabet, usize)] = &[
    ("sk-", Alphabet::Token, 20),
    ("sk_live_", Alphabet::Token, 16),
    ("rk_live_", Alphabet::Token, 16),
    ("ghp_", Alphabet::Token, 20),
    ("gho_", Alphabet::Token, 20),
    ("ghu_", Alphabet::Token, 20),
    ("ghs_", Alphabet::Token, 20),
    ("ghr_", Alphabet::Token, 20),
    ("github_pat_", Alphabet::Token, 20),
    ("glpat-", Alphabet::Token, 16),
    ("hf_", Alphabet::Token, 24),
    ("npm_", Alphabet::Token, 30),
    ("pypi-", Alphabet::Token, 40),
    ("xoxa-", Alphabet::Token, 16),
    ("xoxb-", Alphabet::Token, 16),
    ("xoxp-", Alphabet::Token, 16),
    ("xoxr-", Alphabet::Token, 16),
    ("xoxs-", Alphabet::Token, 16),
    ("AIza", Alphabet::Token, 30),
    ("AKIA", Alphabet::Upper, 16),
    ("ASIA", Alphabet::Upper, 16),
    // A JSON Web Token: three parts joined by dots, of which the first begins so.
    ("eyJ", Alphabet::Dotted, 40),
];

#[derive(Clone, Copy)]
enum Alphabet {
    Token,
    Upper,
    Dotted,
}

impl Alphabet {
    fn holds(self, byte: u8) -> bool {
        match self {
            Alphabet::Token => byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-',
            Alphabet::Upper => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Alphabet::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
        }
    }
}

const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_ENDS: &str = "PRIVATE KEY-----";

/// Takes secrets out of texts: given values, and what looks like a well-known kind of key.
#[derive(Clone)]
pub struct Redactor {
    /// What to replace by what, longest first.
    words: Vec<(String, &'static str)>,
    /// Finds where anything that may be a secret begins, so that the rest of a flood costs little. `None` if the words
    /// are too many for it: then every place is looked at.
    starts: Option<AhoCorasick>,
    /// Finds where the first part of any secret stands. `None` as for `starts`.
    heads: Option<AhoCorasick>,
}

impl Default for Redactor {
    fn default() -> Self {
        Self::knowing(Vec::new())
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The words are the secrets.
        write!(f, "Redactor({} words)", self.words.len())
    }
}

impl Redactor {
    /// Makes a redactor of these values, each also as it looks inside a JSON string. Values under 8 bytes are left
    /// alone.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut words = Vec::new();
        for value in values {
            add(&mut words, &value, MARK, SHORTEST);
        }
        Self::knowing(words)
    }

    fn knowing(words: Vec<(String, &'static str)>) -> Self {
        let shapes = || SHAPES.iter().map(|(start, ..)| *start);
        let patterns = words.iter().map(|(word, _)| word.as_str()).chain(shapes()).chain([KEY_BEGINS]);
        let starts = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(patterns).ok();
        let heads = AhoCorasick::new(words.iter().map(|(word, _)| head(word)).chain(shapes())).ok();
        Self { words, starts, heads }
    }

    /// Makes a redactor of the variables whose names match one of `patterns` (`NAME`, `*_KEY`, `AWS_*`).
    pub fn of_variables(patterns: &[String], variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let wanted = |name: &str| patterns.iter().any(|pattern| matches(pattern, name));
        Self::new(variables.into_iter().filter(|(name, _)| wanted(name)).map(|(_, value)| value))
    }

    /// Also writes the user's home folder as `~`.
    #[must_use]
    pub fn hiding_home(mut self, home: &str) -> Self {
        add(&mut self.words, home.trim_end_matches('/'), "~", SHORTEST_HOME);
        Self::knowing(self.words)
    }

    /// Returns the text without secrets; cleaning it again changes nothing.
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = String::new();
        let mut kept_to = 0;
        for (secret, mark) in self.found(text) {
            out.push_str(&text[kept_to..secret.start]);
            out.push_str(mark);
            kept_to = secret.end;
        }
        if kept_to == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[kept_to..]);
        Cow::Owned(out)
    }

    /// Returns where secrets stand in a text, in bytes and in order; the home folder is none.
    pub fn secrets<'t>(&'t self, text: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        self.found(text).filter(|(_, mark)| *mark == MARK).map(|(place, _)| place)
    }

    /// Returns where a secret begins of which the text has only the first part: it was cut there, or goes on in the next
    /// line. With it comes what is still to come, where that is known.
    pub fn begun<'t>(&'t self, text: &str) -> Option<(usize, &'t str)> {
        let words = self.words.iter().filter(|(_, mark)| *mark == MARK);
        let of_word = |(word, _): &'t (String, &'static str)| {
            let at = text.rfind(head(word))?;
            word.strip_prefix(&text[at..]).filter(|rest| !rest.is_empty()).map(|rest| (at, rest))
        };
        let of_shape = |(start, alphabet, _): &(&str, Alphabet, usize)| {
            let at = text.rfind(start)?;
            let body = &text.as_bytes()[at + start.len()..];
            let is_cut = body.len() >= SHORTEST && body.iter().all(|byte| alphabet.holds(*byte));
            (is_cut && body.iter().any(u8::is_ascii_digit)).then_some((at, ""))
        };
        words.filter_map(of_word).min_by_key(|(at, _)| *at).or_else(|| SHAPES.iter().find_map(of_shape))
    }

    /// Tells whether a secret may have begun anywhere in a text: nearly none has, and nobody need look closer.
    pub fn may_begin(&self, text: &str) -> bool {
        self.heads.as_ref().is_none_or(|heads| heads.is_match(text))
    }

    /// Finds what is replaced, and by what.
    fn found<'t>(&'t self, text: &'t str) -> impl Iterator<Item = (Range<usize>, &'static str)> + 't {
        let mut from = 0;
        std::iter::from_fn(move || {
            while let Some(at) = self.next_start(text, from) {
                if let Some((length, mark)) = self.secret_at(text, at) {
                    from = at + length;
                    return Some((at..from, mark));
                }
                from = at + 1;
            }
            None
        })
    }

    /// Cleans every string inside a JSON value; names of members stay.
    pub fn clean_json(&self, value: &mut serde_json::Value) {
        use serde_json::Value;
        match value {
            Value::String(text) => {
                if let Cow::Owned(clean) = self.clean(text) {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.clean_json(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.clean_json(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Returns the first place from `from` on where a secret may begin.
    fn next_start(&self, text: &str, from: usize) -> Option<usize> {
        match &self.starts {
            Some(starts) => starts.find(Input::new(text).span(from..text.len())).map(|found| found.start()),
            None => (from < text.len()).then_some(from),
        }
    }

    fn secret_at(&self, text: &str, i: usize) -> Option<(usize, &'static str)> {
        let rest = &text.as_bytes()[i..];
        if let Some((word, mark)) = self.words.iter().find(|(word, _)| rest.starts_with(word.as_bytes())) {
            return Some((word.len(), *mark));
        }
        let begins_word = i == 0 || !Alphabet::Token.holds(text.as_bytes()[i - 1]);
        // An escaped line break before a key inside a JSON string ends in a letter: `\nsk-…`.
        let after_escape = i >= 2 && text.as_bytes()[i - 2] == b'\\';
        if begins_word || after_escape {
            key_at(rest).or_else(|| private_key_at(text, i)).map(|length| (length, MARK))
        } else {
            None
        }
    }
}

/// The part of a value by which it is known where the rest was cut.
fn head(word: &str) -> &str {
    let end = (SHORTEST.min(word.len())..=word.len()).find(|end| word.is_char_boundary(*end));
    &word[..end.unwrap_or(word.len())]
}

fn add(words: &mut Vec<(String, &'static str)>, value: &str, mark: &'static str, least: usize) {
    let value = value.trim();
    let escaped = serde_json::Value::from(value).to_string();
    for form in [value, &escaped[1..escaped.len() - 1]] {
        let known = words.iter().any(|(word, _)| word == form);
        let hides_marks = MARK.contains(form);
        if form.len() >= least && !known && !hides_marks {
            words.push((form.to_owned(), mark));
        }
    }
    words.sort_by(|a, b| b.0.len().cmp(&a.0.len()).then_with(|| a.cmp(b)));
}

fn key_at(rest: &[u8]) -> Option<usize> {
    let (start, alphabet, least) = SHAPES.iter().find(|(start, ..)| rest.starts_with(start.as_bytes()))?;
    let body = &rest[start.len()..];
    let length = body.iter().take_while(|b| alphabet.holds(**b)).count();
    let body = &body[..length];
    let is_token = match alphabet {
        // Words joined by hyphens are no key.
        Alphabet::Token | Alphabet::Upper => body.iter().any(u8::is_ascii_digit),
        Alphabet::Dotted => body.iter().filter(|b| **b == b'.').count() == 2,
    };
    (length >= *least && is_token).then_some(start.len() + length)
}

/// A PEM block, with real line breaks or escaped ones; without its end, all that follows.
fn private_key_at(text: &str, i: usize) -> Option<usize> {
    let rest = text.get(i..)?.strip_prefix(KEY_BEGINS)?;
    // "-----BEGIN RSA PRIVATE KEY-----": the kind is short and on the same line.
    let head = rest.find(KEY_ENDS).filter(|at| *at <= 30)?;
    let body = KEY_BEGINS.len() + head + KEY_ENDS.len();
    let end = text[i + body..].find(KEY_ENDS).map_or(text.len() - i, |at| body + at + KEY_ENDS.len());
    Some(end)
}

fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), None) => name.ends_with(end),
        (None, Some(start)) => name.starts_with(start),
        (Some(_), Some(_)) => name.contains(pattern.trim_matches('*')),
        (None, None) => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GITHUB: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";

    #[test]
    fn configured_values_go_wherever_they_stand() {
        let redactor = Redactor::of_variables(
            &["*_KEY".into(), "AWS_*".into(), "EXACT".into()],
            [
                ("MY_KEY", "hunter2hunter2"),
                ("AWS_X", "another-secret"),
                ("EXACT", "say \"cheese\""),
                ("PATH", "/usr/bin:/bin"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        assert_eq!(
            redactor.clean("a=hunter2hunter2;b=another-secret /usr/bin:/bin"),
            "a=[redacted];b=[redacted] /usr/bin:/bin"
        );
        assert_eq!(redactor.clean(r#"{"x":"say \"cheese\""}"#), r#"{"x":"[redacted]"}"#);
    }

    #[test]
    fn well_known_keys_go_and_words_stay() {
        let redactor = Redactor::default();
        for key in [
            GITHUB,
            "sk-ant-api03-AbCdEf0123456789AbCdEf0123456789",
            "AKIAIOSFODNN7EXAMPLE",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\\nMIIE never ends",
        ] {
            assert_eq!(redactor.clean(&format!("x {key}")), "x [redacted]", "{key}");
            assert_eq!(redactor.clean(&format!("{{\"k\":\"\\n{key}")), "{\"k\":\"\\n[redacted]", "{key}");
        }
        for text in [
            "sk-this-is-only-a-long-kebab-case-name",
            "risk-0123456789012345678901234",
            "-----BEGIN CERTIFICATE-----",
            "sk-12",
        ] {
            assert_eq!(redactor.clean(text), text);
        }
    }

    #[test]
    fn the_home_folder_becomes_a_tilde() {
        let redactor = Redactor::default().hiding_home("/home/alice/");
        assert_eq!(redactor.clean("at /home/alice/src/lib.rs:3"), "at ~/src/lib.rs:3");
    }

    #[test]
    fn a_secret_that_was_cut_is_known_by_its_beginning() {
        let redactor = Redactor::new(["correct-horse-battery".to_owned()]);
        assert_eq!(redactor.begun("say correct-horse"), Some((4, "-battery")));
        assert_eq!(redactor.begun("say correct-horse "), None);
        assert_eq!(redactor.begun("say correct"), None, "a word that begins like one is no secret");
        assert!(redactor.may_begin("say correct-horse now") && !redactor.may_begin("say correct"));
        assert_eq!(redactor.begun("token ghp_0123456789"), Some((6, "")));
        assert_eq!(redactor.begun("the sk-learn-package"), None);
        assert_eq!(redactor.secrets("a correct-horse-battery b").next(), Some(2..23));
    }

    #[test]
    fn its_debug_writing_shows_no_secret() {
        assert_eq!(format!("{:?}", Redactor::new(["hunter2hunter2".to_owned()])), "Redactor(1 words)");
    }

    proptest::proptest! {
        #[test]
        fn cleaning_again_changes_nothing_and_json_stays_json(text in "\\PC{0,40}", value in "[ -~]{8,20}") {
            let redactor = Redactor::new([value.clone()]);
            let given = serde_json::json!({"text": format!("{text}{value}{text} {GITHUB}")}).to_string();
            let clean = redactor.clean(&given).into_owned();
            proptest::prop_assert_eq!(redactor.clean(&clean), clean.as_str());
            proptest::prop_assert!(!clean.contains(GITHUB));
        }
    }

    proptest::proptest! {
        #[test]
        fn looking_only_where_a_secret_may_begin_misses_none(
            pieces in proptest::collection::vec(
                proptest::sample::select(vec![
                    "hunter2hunter2", "hunter2", "sk-", "ghp_0123456789abcdefghij", "a", "é", " ", "\\n", "_", "-----BEGIN ",
                    "RSA PRIVATE KEY-----", "eyJ", "eyJhbGciOi.eyJzdWIiOiIxMjM0NTY3ODkwIiwi.SflKxwRJSM", "AKIA0123456789ABCDEF",
                ]),
                0..24,
            )
        ) {
            let quick = Redactor::new(["hunter2hunter2".to_owned()]);
            let thorough = Redactor { starts: None, ..quick.clone() };
            let text = pieces.concat();
            proptest::prop_assert_eq!(quick.clean(&text), thorough.clean(&text));
        }
    }
}
