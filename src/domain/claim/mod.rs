//! What one agent says about one thing: the assertion, and the small vocabularies it is written in.
//!
//! It must not know how assertions are derived from artifacts, how a tier is found, or how assertions are counted:
//! that is derivation, the host's lookups and [`super::consensus`].

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::sync::Arc;

pub mod derive;
pub mod host;
pub mod lookup;

/// What kind of thing an assertion is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A requirement is met.
    Covers,
    /// A file is touched or changed.
    FileChange,
    /// A test exists, passes, or checks a requirement.
    Test,
    /// An answer to a question, or a stage's outcome.
    Decision,
    /// Something that may go wrong.
    Risk,
    /// Something seen: satisfied, open, unclear, a condition.
    Finding,
}

impl Kind {
    /// All kinds, in the order in which they sort.
    pub const ALL: [Kind; 6] = [Kind::Covers, Kind::FileChange, Kind::Test, Kind::Decision, Kind::Risk, Kind::Finding];

    /// Returns the name used in JSON and in keys.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Covers => "covers",
            Kind::FileChange => "file_change",
            Kind::Test => "test",
            Kind::Decision => "decision",
            Kind::Risk => "risk",
            Kind::Finding => "finding",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether an assertion says that its value holds, or that it does not. In JSON the integer 1 or -1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Polarity {
    /// It does not hold (-1).
    No,
    /// It holds (1).
    Yes,
}

impl Polarity {
    /// Returns 1 or -1.
    pub fn sign(self) -> i8 {
        match self {
            Polarity::Yes => 1,
            Polarity::No => -1,
        }
    }
}

impl Serialize for Polarity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i8(self.sign())
    }
}

impl<'de> Deserialize<'de> for Polarity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match i64::deserialize(deserializer)? {
            1 => Ok(Polarity::Yes),
            -1 => Ok(Polarity::No),
            other => Err(de::Error::custom(format!("a polarity is 1 or -1, not {other}"))),
        }
    }
}

/// How much an assertion matters, least first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth showing; never moves a verdict.
    Info,
    /// Counts, but stops nothing alone.
    #[default]
    Minor,
    /// Matters: a dissent with evidence makes a conflict.
    Major,
    /// One such objection with evidence stops the stage.
    Critical,
}

impl Severity {
    /// Returns the name used in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Minor => "minor",
            Severity::Major => "major",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What the host knows about the truth of an assertion. Given by the host only, never taken from an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// Looked up, and not so.
    #[serde(rename = "E-")]
    EFalse,
    /// Run, and not so.
    #[serde(rename = "E3-")]
    E3False,
    /// Words only.
    #[default]
    #[serde(rename = "E0")]
    E0,
    /// Names something that cannot be checked yet.
    #[serde(rename = "E1")]
    E1,
    /// The host looked, and it is there.
    #[serde(rename = "E2")]
    E2,
    /// The host ran it, and it holds.
    #[serde(rename = "E3+")]
    E3True,
}

impl Tier {
    /// All tiers: the two false ones first, then by rising strength.
    pub const ALL: [Tier; 6] = [Tier::EFalse, Tier::E3False, Tier::E0, Tier::E1, Tier::E2, Tier::E3True];

    /// Returns the name used in JSON and by `explain`.
    pub fn name(self) -> &'static str {
        match self {
            Tier::EFalse => "E-",
            Tier::E3False => "E3-",
            Tier::E0 => "E0",
            Tier::E1 => "E1",
            Tier::E2 => "E2",
            Tier::E3True => "E3+",
        }
    }

    /// Returns the word the screen uses: said, seen, ran, false.
    pub fn word(self) -> &'static str {
        match self {
            Tier::EFalse | Tier::E3False => "false",
            Tier::E0 | Tier::E1 => "said",
            Tier::E2 => "seen",
            Tier::E3True => "ran",
        }
    }

    /// Tells whether the host found the assertion false: such an assertion is struck.
    pub fn is_false(self) -> bool {
        matches!(self, Tier::EFalse | Tier::E3False)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is said to hold: one text, or a set of texts. Its texts are shared: a verdict repeats them with every vote.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// One text; numbers are decimal texts.
    Text(Arc<str>),
    /// A set, written as a JSON array.
    Set(Arc<[String]>),
}

impl Value {
    /// Makes a set: sorted, each member once.
    pub fn set(members: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let mut members: Vec<String> = members.into_iter().map(Into::into).collect();
        members.sort();
        members.dedup();
        Value::Set(members.into())
    }

    /// Returns the text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            Value::Set(_) => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text.into())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Text(text) => f.write_str(text),
            Value::Set(members) => f.write_str(&members.join(", ")),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    /// Takes a string, an integer (as its decimal text), or an array of these. A float is refused: two machines may
    /// print it differently.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> de::Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an integer, or an array of these (write 1.5 as \"1.5\")")
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.into()))
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string().into()))
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Text(number.to_string().into()))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some(item) = items.next_element::<Value>()? {
            match item {
                Value::Text(text) => members.push(text.as_ref().to_owned()),
                Value::Set(_) => return Err(de::Error::custom("a set holds texts, not sets")),
            }
        }
        Ok(Value::Set(members.into()))
    }
}

/// One agent's word on one key (kind, subject, predicate). All assertions on one key are a claim.
///
/// Texts are as the agent wrote them; [`super::consensus::Canon`] brings them to the one form that is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Assertion {
    /// What kind of thing it is about.
    pub kind: Kind,
    /// The thing: a requirement, topic, path, symbol, test id, or free text.
    pub subject: String,
    /// What is said of it: covered, touched, checked-by, answer, outcome…
    pub predicate: String,
    /// The value said.
    pub value: Value,
    /// Whether it holds or not.
    pub polarity: Polarity,
    /// How much it matters.
    #[serde(default)]
    pub severity: Severity,
    /// What the host found.
    #[serde(default)]
    pub tier: Tier,
    /// The requirement it bears on, where its subject is something else (a test).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requirement: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assertion_reads_and_writes_the_names_of_the_panel() {
        let text = r#"{"kind":"file_change","subject":"src/a.rs","predicate":"touched","value":"yes","polarity":-1,"severity":"major","tier":"E3+"}"#;
        let read: Assertion = serde_json::from_str(text).unwrap();
        assert_eq!(
            (read.kind, read.polarity, read.severity, read.tier),
            (Kind::FileChange, Polarity::No, Severity::Major, Tier::E3True)
        );
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
        let names = serde_json::to_string(&Tier::ALL).unwrap();
        assert_eq!(names, r#"["E-","E3-","E0","E1","E2","E3+"]"#);
        assert!(Tier::ALL.is_sorted() && Severity::Critical > Severity::Major);
    }

    #[test]
    fn severity_and_tier_default_to_minor_and_words_only() {
        let read: Assertion =
            serde_json::from_str(r#"{"kind":"risk","subject":"s","predicate":"open","value":["b",7],"polarity":1}"#)
                .unwrap();
        assert_eq!((read.severity, read.tier), (Severity::Minor, Tier::E0));
        assert_eq!(read.value, Value::Set(["b".into(), "7".into()].into()));
    }

    #[test]
    fn floats_booleans_and_strange_polarities_are_refused() {
        for bad in [
            r#""value":1.5,"polarity":1"#,
            r#""value":true,"polarity":1"#,
            r#""value":[["a"]],"polarity":1"#,
            r#""value":"a","polarity":0"#,
            r#""value":"a","polarity":1.0"#,
            r#""value":null,"polarity":1"#,
        ] {
            let text = format!(r#"{{"kind":"risk","subject":"s","predicate":"open",{bad}}}"#);
            assert!(serde_json::from_str::<Assertion>(&text).is_err(), "{bad}");
        }
    }
}
