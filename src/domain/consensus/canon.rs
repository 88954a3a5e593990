//! The one form in which texts are compared: canonical subjects, predicates and values, and the key made of them.
//!
//! It must not know about agents, votes or tiers.

use std::borrow::Cow;
use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use crate::domain::claim::{Kind, Value};
use crate::domain::hash::Sha;

/// Prefixes that make a word an id wherever it stands: requirements, acceptance criteria, and topics of the agenda.
const ID_PREFIXES: [&str; 5] = ["FR-", "NFR-", "R-", "AC-", "D-"];

/// Subject and predicate of the claim that holds a stage's outcome.
pub const OUTCOME: (&str, &str) = ("stage", "outcome");

/// The predicate whose values are sets that an agent may give piece by piece.
pub const CHECKED_BY: &str = "checked-by";

/// What a canonical subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// A requirement, a topic, or the stage itself.
    Id,
    /// A path in the repository.
    Path,
    /// A symbol or a test id.
    Symbol,
    /// Words. Only these are merged when they are near.
    FreeText,
}

/// Brings texts to their canonical form. It knows the panel's requirement ids, which may have any shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Canon {
    requirements: BTreeSet<String>,
    /// Length of the longest of them, in bytes.
    longest: usize,
}

impl Canon {
    /// Makes the canon of a panel with these requirement ids.
    pub fn of<'a>(requirements: impl IntoIterator<Item = &'a str>) -> Self {
        let requirements: BTreeSet<String> = requirements.into_iter().map(|id| clean(id).to_uppercase()).collect();
        let longest = requirements.iter().map(String::len).max().unwrap_or(0);
        Self { requirements, longest }
    }

    /// Returns a subject in canonical form, and what it is.
    pub fn subject(&self, kind: Kind, text: &str) -> (String, Form) {
        let text = clean(text);
        if kind == Kind::FileChange && !text.is_empty() {
            return (path(&text), Form::Path);
        }
        if let Some(id) = self.id(&text) {
            return (id, Form::Id);
        }
        if kind == Kind::Decision && text.eq_ignore_ascii_case(OUTCOME.0) {
            return (OUTCOME.0.to_owned(), Form::Id);
        }
        if text.contains("::") {
            (text.into_owned(), Form::Symbol)
        } else if is_path(&text) {
            (plain_path(&text), Form::Path)
        } else if kind == Kind::Test && !text.contains(' ') {
            (text.into_owned(), Form::Symbol)
        } else {
            (lower(&text), Form::FreeText)
        }
    }

    /// Returns a predicate in canonical form.
    pub fn predicate(&self, text: &str) -> String {
        lower(&clean(text))
    }

    /// Returns a value in canonical form; a value of `checked-by` is always a set.
    pub fn value(&self, predicate: &str, value: &Value) -> Value {
        match value {
            Value::Text(text) if predicate == CHECKED_BY => Value::set([self.text_value(text)]),
            Value::Text(text) => Value::from(self.text_value(text)),
            Value::Set(members) => Value::set(members.iter().map(|m| self.text_value(m))),
        }
    }

    /// Returns the key of an assertion: sha256(kind 0x00 subject 0x00 predicate), all canonical.
    pub fn key(&self, kind: Kind, subject: &str, predicate: &str) -> Sha {
        key(kind, &self.subject(kind, subject).0, &self.predicate(predicate))
    }

    /// Returns a requirement id in canonical form.
    pub fn requirement(&self, text: &str) -> String {
        clean(text).to_uppercase()
    }

    fn text_value(&self, text: &str) -> String {
        let text = clean(text);
        if let Some(id) = self.id(&text) {
            return id;
        }
        if let Some(quantity) = quantity(&text) {
            return quantity;
        }
        if text.contains("::") {
            text.into_owned()
        } else if is_path(&text) {
            plain_path(&text)
        } else {
            lower(&text)
        }
    }

    fn id(&self, text: &str) -> Option<String> {
        let prefixed = ID_PREFIXES.iter().any(|prefix| {
            text.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
                && text[prefix.len()..].bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
                && text[prefix.len()..].bytes().any(|b| b.is_ascii_digit())
        });
        if prefixed {
            return Some(text.to_ascii_uppercase());
        }
        // Upper case is as long, in ASCII.
        if self.requirements.is_empty() || (text.len() > self.longest && text.is_ascii()) {
            return None;
        }
        let upper = text.to_uppercase();
        self.requirements.contains(&upper).then_some(upper)
    }
}

/// Returns the key of a claim from texts that are canonical already.
pub(super) fn key(kind: Kind, subject: &str, predicate: &str) -> Sha {
    Sha::of_digest(key_digest(kind, subject, predicate))
}

/// Returns the bytes of a key; they have the order of its text.
pub(super) fn key_digest(kind: Kind, subject: &str, predicate: &str) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for piece in [kind.name(), "\0", subject, "\0", predicate] {
        hasher.update(piece);
    }
    hasher.finalize().into()
}

/// Composes, trims and collapses: every run of white space or control characters becomes one space. No 0x00 is left,
/// so that keys cannot be forged by moving text across the separator.
fn clean(text: &str) -> Cow<'_, str> {
    let gap = |c: char| c.is_whitespace() || c.is_control();
    if is_clean_ascii(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let is_clean = is_nfc(text)
        && !text.starts_with(gap)
        && !text.ends_with(gap)
        && !text.contains("  ")
        && !text.contains(|c: char| c != ' ' && gap(c));
    if is_clean {
        return Cow::Borrowed(text);
    }
    let composed: String = text.nfc().collect();
    Cow::Owned(composed.split(gap).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "))
}

/// The same for the common case, told apart quickly: visible ASCII with single spaces between.
fn is_clean_ascii(text: &[u8]) -> bool {
    let mut before = b' ';
    for &byte in text {
        if !(b' '..0x7f).contains(&byte) || (byte == b' ' && before == b' ') {
            return false;
        }
        before = byte;
    }
    before != b' ' || text.is_empty()
}

fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Lower-casing may take a letter apart (İ → i̇), so it is composed again.
    text.to_lowercase().nfc().collect()
}

/// A path has a `/` or an extension that starts with a letter, and no space.
fn is_path(text: &str) -> bool {
    if text.contains(' ') {
        return false;
    }
    let last = text.rsplit('/').next().unwrap_or(text);
    let extension = last.rsplit_once('.').map(|(_, extension)| extension);
    text.contains('/')
        || extension.is_some_and(|e| {
            e.starts_with(|c: char| c.is_ascii_alphabetic()) && e.bytes().all(|b| b.is_ascii_alphanumeric())
        })
}

/// Makes a path relative to the repository, without `.`, empty parts and `..`. One that leaves the repository keeps
/// its leading `..`, and an absolute one its `/`: both name no file of ours and must not look like one.
fn path(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/').map(str::trim) {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let joined = parts.join("/");
    if text.starts_with('/') {
        format!("/{joined}")
    } else if joined.is_empty() {
        ".".to_owned()
    } else {
        joined
    }
}

/// Makes a path canonical where only its looks say that it is one: a folder of one part keeps its closing `/`.
fn plain_path(text: &str) -> String {
    let mut path = path(text);
    if !is_path(&path) {
        path.push('/');
    }
    path
}

/// Units of time in nanoseconds and of size in bytes, matched without regard to case: kB is 1000 bytes, KiB 1024.
const UNITS: [(&str, u128, &str); 48] = [
    ("ns", 1, "ns"),
    ("nanosecond", 1, "ns"),
    ("nanoseconds", 1, "ns"),
    ("us", 1_000, "ns"),
    ("\u{b5}s", 1_000, "ns"),
    ("\u{3bc}s", 1_000, "ns"),
    ("microsecond", 1_000, "ns"),
    ("microseconds", 1_000, "ns"),
    ("ms", 1_000_000, "ns"),
    ("msec", 1_000_000, "ns"),
    ("millisecond", 1_000_000, "ns"),
    ("milliseconds", 1_000_000, "ns"),
    ("s", SECOND, "ns"),
    ("sec", SECOND, "ns"),
    ("secs", SECOND, "ns"),
    ("second", SECOND, "ns"),
    ("seconds", SECOND, "ns"),
    ("min", 60 * SECOND, "ns"),
    ("mins", 60 * SECOND, "ns"),
    ("minute", 60 * SECOND, "ns"),
    ("minutes", 60 * SECOND, "ns"),
    ("h", 3_600 * SECOND, "ns"),
    ("hr", 3_600 * SECOND, "ns"),
    ("hrs", 3_600 * SECOND, "ns"),
    ("hour", 3_600 * SECOND, "ns"),
    ("hours", 3_600 * SECOND, "ns"),
    ("d", 86_400 * SECOND, "ns"),
    ("day", 86_400 * SECOND, "ns"),
    ("days", 86_400 * SECOND, "ns"),
    ("b", 1, "bytes"),
    ("byte", 1, "bytes"),
    ("bytes", 1, "bytes"),
    ("kb", 1_000, "bytes"),
    ("kilobyte", 1_000, "bytes"),
    ("kilobytes", 1_000, "bytes"),
    ("mb", 1_000_000, "bytes"),
    ("megabyte", 1_000_000, "bytes"),
    ("megabytes", 1_000_000, "bytes"),
    ("gb", 1_000_000_000, "bytes"),
    ("gigabyte", 1_000_000_000, "bytes"),
    ("gigabytes", 1_000_000_000, "bytes"),
    ("tb", 1_000_000_000_000, "bytes"),
    ("terabyte", 1_000_000_000_000, "bytes"),
    ("terabytes", 1_000_000_000_000, "bytes"),
    ("kib", 1 << 10, "bytes"),
    ("mib", 1 << 20, "bytes"),
    ("gib", 1 << 30, "bytes"),
    ("tib", 1 << 40, "bytes"),
];

const SECOND: u128 = 1_000_000_000;

/// Most digits a quantity may have for its unit to be converted: the product then fits 128 bits.
const DIGITS_MAX: usize = 18;

/// Writes a number, alone or with a unit, canonically: `010.50` → `10.5`, `1.5 s` → `1500000000 ns`, `2 KiB` →
/// `2048 bytes`, `10.0 req/s` → `10 req/s`. Returns none if the text does not start with a number.
pub fn quantity(text: &str) -> Option<String> {
    let sign = usize::from(text.starts_with(['-', '+']));
    let rest = &text[sign..];
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let decimal = Decimal::parse(text.starts_with('-'), &rest[..end])?;
    let tail = &rest[end..];
    if tail.is_empty() {
        return Some(decimal.text());
    }
    let unit = lower(tail.trim_start());
    if let Some((_, factor, base)) = UNITS.iter().find(|(name, ..)| *name == unit) {
        return Some(format!("{} {base}", decimal.times(*factor)?.text()));
    }
    tail.starts_with(' ').then(|| format!("{} {unit}", decimal.text()))
}

/// A decimal number: its digits without leading zeros, the last `scale` of them behind the point.
struct Decimal {
    negative: bool,
    digits: String,
    scale: usize,
}

impl Decimal {
    fn parse(negative: bool, text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let has_point_without_digits = text.contains('.') && fraction.is_empty();
        if whole.is_empty() || has_point_without_digits || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        Some(Self { negative, digits: format!("{whole}{fraction}"), scale: fraction.len() })
    }

    fn times(&self, factor: u128) -> Option<Self> {
        let digits = self.digits.trim_start_matches('0');
        if digits.len() > DIGITS_MAX {
            return None;
        }
        let mantissa = if digits.is_empty() { 0 } else { digits.parse::<u128>().ok()? };
        let product = mantissa.checked_mul(factor)?.to_string();
        let padded = format!("{}{product}", "0".repeat((self.scale + 1).saturating_sub(product.len())));
        let (whole, fraction) = padded.split_at(padded.len() - self.scale);
        let text = if self.scale == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") };
        Self::parse(self.negative, &text)
    }

    fn text(&self) -> String {
        let (whole, fraction) = self.digits.split_at(self.digits.len() - self.scale);
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        };
        let sign = if self.negative && self.digits.bytes().any(|b| b != b'0') { "-" } else { "" };
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(kind: Kind, text: &str) -> (String, Form) {
        Canon::of(["US1-AS2"]).subject(kind, text)
    }

    fn value(text: &str) -> String {
        Canon::of(["US1-AS2"]).value("answer", &Value::from(text)).to_string()
    }

    #[test]
    fn subjects_are_sorted_into_ids_paths_symbols_and_words() {
        for (kind, given, canonical, form) in [
            (Kind::Covers, " fr-001 ", "FR-001", Form::Id),
            (Kind::Decision, "d-012", "D-012", Form::Id),
            (Kind::Covers, "us1-as2", "US1-AS2", Form::Id),
            (Kind::Finding, "us1-as3", "us1-as3", Form::FreeText),
            (Kind::Decision, "Stage", "stage", Form::Id),
            (Kind::Risk, "Stage", "stage", Form::FreeText),
            (Kind::FileChange, "./src//a/../Lib.rs", "src/Lib.rs", Form::Path),
            (Kind::FileChange, "Makefile", "Makefile", Form::Path),
            (Kind::FileChange, "../x/../../y", "../../y", Form::Path),
            (Kind::FileChange, "/etc//passwd", "/etc/passwd", Form::Path),
            (Kind::FileChange, "src/", "src", Form::Path),
            (Kind::Risk, "./src/", "src/", Form::Path),
            (Kind::Risk, "Cargo.toml", "Cargo.toml", Form::Path),
            (Kind::Risk, "OAuth2.0", "oauth2.0", Form::FreeText),
            (Kind::Risk, "Reads src/a.rs twice", "reads src/a.rs twice", Form::FreeText),
            (Kind::Test, "limiter::Burst", "limiter::Burst", Form::Symbol),
            (Kind::Test, "test_Burst", "test_Burst", Form::Symbol),
            (Kind::Test, "Two nodes", "two nodes", Form::FreeText),
            (Kind::Risk, "  Clock\tgoes\u{0}\n back ", "clock goes back", Form::FreeText),
            (Kind::Risk, "CAFE\u{301}", "café", Form::FreeText),
            (Kind::Risk, "R-tree", "r-tree", Form::FreeText),
        ] {
            assert_eq!(subject(kind, given), (canonical.to_owned(), form), "{given:?}");
        }
    }

    #[test]
    fn values_are_written_one_way() {
        for (given, canonical) in [
            ("Yes", "yes"),
            ("010.50", "10.5"),
            ("-0.0", "0"),
            ("+5", "5"),
            ("1.", "1."),
            ("1.5 s", "1500000000 ns"),
            ("1500ms", "1500000000 ns"),
            ("0.5 ns", "0.5 ns"),
            ("2 Hours", "7200000000000 ns"),
            ("2 KiB", "2048 bytes"),
            ("2kB", "2000 bytes"),
            ("10.0 Req/s", "10 req/s"),
            ("10 1/s", "10 1/s"),
            ("3-way", "3-way"),
            ("2fa", "2fa"),
            ("fr-2", "FR-2"),
            ("us1-as2", "US1-AS2"),
            ("src/./A.rs", "src/A.rs"),
            ("RedisPool::get", "RedisPool::get"),
            ("Token  Bucket", "token bucket"),
        ] {
            assert_eq!(value(given), canonical, "{given:?}");
        }
        assert_eq!(value("12345678901234567890 s"), "12345678901234567890 s", "too long to convert: left as words");
    }

    #[test]
    fn sets_are_sorted_and_checked_by_is_always_one() {
        let canon = Canon::default();
        let set = canon.value("x", &Value::Set(["B b".into(), "a".into(), "A".into()].into()));
        assert_eq!(set, Value::Set(["a".into(), "b b".into()].into()));
        assert_eq!(canon.value(CHECKED_BY, &"tests/A.rs".into()), Value::Set(["tests/A.rs".into()].into()));
    }

    #[test]
    fn the_key_is_the_sha_of_kind_subject_predicate_with_zero_bytes_between() {
        assert_eq!(Canon::default().key(Kind::Covers, "fr-001", " Covered"), Sha::of("covers\0FR-001\0covered"));
    }

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config { failure_persistence: None, cases: 1_000, ..Default::default() })]
        #[test]
        fn what_is_canonical_stays_as_it_is(text in "\\PC{0,12}|[0-9.]{1,6} ?[a-zA-Z/µ]{0,4}|(?s).{0,8}|[a-z./:]{1,10}") {
            let canon = Canon::of(["US1-AS2"]);
            for kind in Kind::ALL {
                let (once, form) = canon.subject(kind, &text);
                proptest::prop_assert_eq!(canon.subject(kind, &once), (once.clone(), form));
                proptest::prop_assert!(!once.contains('\0'));
            }
            let once = canon.value("answer", &Value::from(text));
            proptest::prop_assert_eq!(canon.value("answer", &once), once.clone());
        }
    }
}
