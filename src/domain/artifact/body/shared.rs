//! The parts that the answers of several stages are made of: values, citations, statements, risks, remarks.
//!
//! It must not know which stage uses which.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::claim::{Kind, Polarity, Severity};

/// The answer to one topic of the agenda: either a value or `"abstain": true`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The topic's id.
    pub topic: String,
    /// The answer: yes or no where the topic names a requirement, else a number or a few words.
    #[serde(default)]
    pub value: Option<Scalar>,
    /// The unit of a quantity: ns, us, ms, s, min, h, d; B, KB, MB, GB, KiB, MiB, GiB; 1/s; %.
    #[serde(default)]
    pub unit: Option<String>,
    /// Why, in one or two sentences.
    #[serde(default)]
    pub because: String,
    /// What shows it.
    #[serde(default)]
    pub evidence: Vec<Cite>,
    /// True if you cannot tell.
    #[serde(default)]
    pub abstain: bool,
}

/// A text; a number or a truth value is taken as its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// What JSON may hold there.
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a value is a text, a number, true or false")]
        enum Written {
            Text(String),
            Number(serde_json::Number),
            Truth(bool),
        }
        Ok(Scalar(match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Number(number) => number.to_string(),
            Written::Truth(true) => "yes".into(),
            Written::Truth(false) => "no".into(),
        }))
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["string", "number", "boolean"]})
    }
}

/// A place, a test or a requirement that shows what is said. The host looks each one up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = r#"evidence is {"file", "line"?}, {"symbol", "path"?}, {"test": {"check"?, "id"}}, {"hunk": {"file", "line"?}} or {"requirement"}"#
)]
pub enum Cite {
    /// A file of the repository, maybe at a line.
    File {
        /// Path relative to the repository.
        file: String,
        /// Line number, from 1.
        #[serde(default)]
        line: Option<u32>,
    },
    /// A function, type or other name of code.
    Symbol {
        /// The name, maybe qualified with `::`.
        symbol: String,
        /// The file that holds it.
        #[serde(default)]
        path: Option<String>,
    },
    /// A test.
    Test {
        /// Which.
        test: TestName,
    },
    /// A change of the diff that is judged: a line that it adds or changes, or beside which it takes lines out.
    Hunk {
        /// Which.
        hunk: HunkPlace,
    },
    /// A requirement of the spec.
    Requirement {
        /// Its id.
        requirement: String,
    },
}

/// A place in a diff.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HunkPlace {
    /// Path relative to the repository.
    pub file: String,
    /// Line number after the change, from 1.
    #[serde(default)]
    pub line: Option<u32>,
}

/// A test of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestName {
    /// The check's name in the project's config, such as `cargo-test`.
    #[serde(default)]
    pub check: Option<String>,
    /// The test's id as its runner prints it.
    pub id: String,
}

/// Something stated beyond the fields of the stage. Predicates that count: covers: covered; test: checked-by, passes;
/// decision: answer, outcome; file_change: touched, change; finding: satisfied, condition, threatens, open, unclear;
/// risk: threatens, open, unclear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stated {
    /// What kind of thing it is about.
    pub kind: Kind,
    /// The thing: a requirement, topic, path, test id, or a few words.
    pub subject: String,
    /// What is said of it.
    pub predicate: String,
    /// The value said; yes if left out.
    #[serde(default)]
    pub value: Option<Scalar>,
    /// 1 if it holds, -1 if it does not; 1 if left out.
    #[serde(default)]
    #[schemars(with = "Option<Sign>")]
    pub polarity: Option<Polarity>,
    /// How much it matters; counts only for risks and findings.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// What shows it.
    #[serde(default)]
    pub evidence: Vec<Cite>,
}

/// The JSON form of a polarity.
struct Sign;

impl JsonSchema for Sign {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Sign".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "enum": [1, -1]})
    }
}

/// Something that may go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Risk {
    /// What may happen.
    pub risk: String,
    /// Who watches it.
    #[serde(default)]
    pub owner: String,
    /// What is done about it; empty if nothing is.
    #[serde(default)]
    pub mitigation: String,
    /// How much it matters.
    #[serde(default)]
    pub severity: Severity,
    /// What shows it; cite the requirement that it threatens.
    #[serde(default)]
    pub evidence: Vec<Cite>,
}

/// A question, condition or other remark: a text alone, or with what it is about and what shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The words.
    pub text: String,
    /// The requirement it is about.
    pub requirement: Option<String>,
    /// How much it matters.
    pub severity: Option<Severity>,
    /// What shows it.
    pub evidence: Vec<Cite>,
}

/// The two ways to write a remark.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = r#"an entry is a text or {"text", "requirement"?, "severity"?, "evidence"?}"#)]
#[schemars(rename = "Remark")]
enum WrittenRemark {
    /// The words alone.
    Short(String),
    /// The words, what they are about, and what shows them.
    Long {
        /// The words.
        text: String,
        /// The id of the requirement that it is about.
        #[serde(default)]
        requirement: Option<String>,
        /// How much it matters.
        #[serde(default)]
        severity: Option<Severity>,
        /// What shows it.
        #[serde(default)]
        evidence: Vec<Cite>,
    },
}

impl<'de> Deserialize<'de> for Remark {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match WrittenRemark::deserialize(deserializer)? {
            WrittenRemark::Short(text) => Remark { text, ..Remark::default() },
            WrittenRemark::Long { text, requirement, severity, evidence } => {
                Remark { text, requirement, severity, evidence }
            }
        })
    }
}

impl JsonSchema for Remark {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        WrittenRemark::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        WrittenRemark::json_schema(generator)
    }
}

/// How a scenario or an item went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It holds.
    #[serde(alias = "PASS", alias = "passed", alias = "Pass", alias = "PASSED", alias = "ok")]
    Pass,
    /// It does not.
    #[serde(alias = "FAIL", alias = "failed", alias = "Fail", alias = "FAILED")]
    Fail,
    /// It was not tried.
    #[serde(alias = "SKIP", alias = "skip", alias = "SKIPPED", alias = "not_run")]
    Skipped,
}

impl Status {
    /// Returns whether it says that the thing holds; nothing if it was not tried.
    pub fn polarity(self) -> Option<Polarity> {
        match self {
            Status::Pass => Some(Polarity::Yes),
            Status::Fail => Some(Polarity::No),
            Status::Skipped => None,
        }
    }
}
