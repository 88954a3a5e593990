//! What an answer holds: the parts that every stage shares, and one body per stage.
//!
//! These types are the only source of the schema in the prompt, the validator and `docs/artifacts.md`. Their doc
//! comments are the descriptions that agents read. It must not know what a field counts for.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::claim::{Kind, Polarity, Severity};
use crate::domain::stage::Stage;

/// One agent's structured answer at one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// What it says, in a few sentences. Never compared.
    pub summary: String,
    /// Its answers to the agenda.
    pub answers: Vec<Answer>,
    /// What it states beyond the fields of the stage.
    pub claims: Vec<Stated>,
    /// The stage's own fields.
    pub body: Body,
}

/// The stage's own fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// How the spec will be met.
    Plan(Plan),
    /// The plan as ordered tasks.
    Tasks(Tasks),
    /// What was changed.
    Implement(Implement),
    /// What the tests show.
    Validate(Validate),
    /// Whether the change is fit to be let through.
    Audit(Audit),
    /// The decision to let it through.
    Unlock(Unlock),
}

impl Body {
    /// Returns the stage that it answers.
    pub fn stage(&self) -> Stage {
        match self {
            Body::Plan(_) => Stage::Plan,
            Body::Tasks(_) => Stage::Tasks,
            Body::Implement(_) => Stage::Implement,
            Body::Validate(_) => Stage::Validate,
            Body::Audit(_) => Stage::Audit,
            Body::Unlock(_) => Stage::Unlock,
        }
    }
}

/// The fields that every stage's answer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) struct Common {
    /// Names this format.
    pub schema: SchemaName,
    /// The stage that was asked about.
    pub stage: Stage,
    /// What you say, in a few sentences.
    #[serde(default)]
    pub summary: String,
    /// One entry for each topic of the agenda: a value, or `"abstain": true`.
    #[serde(default)]
    pub answers: Vec<Answer>,
    /// What you state beyond the other fields. It counts only with a listed predicate.
    #[serde(default)]
    pub claims: Vec<Stated>,
}

/// Names the format of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum SchemaName {
    /// The first version.
    #[serde(rename = "dicast.artifact/1")]
    Artifact1,
}

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

/// The answer at stage plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// The steps, in order.
    #[serde(default)]
    pub work_breakdown: Vec<Step>,
    /// How each requirement will be shown to be met.
    #[serde(default)]
    pub acceptance_mapping: Vec<Acceptance>,
    /// What may go wrong.
    #[serde(default)]
    pub risks: Vec<Risk>,
    /// What is unclear.
    #[serde(default)]
    pub questions: Vec<Remark>,
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// What is done.
    pub step: String,
    /// Why, and why here.
    #[serde(default)]
    pub rationale: String,
    /// What shows that it is done.
    #[serde(default)]
    pub success_signal: String,
    /// Ids of the requirements that it serves.
    #[serde(default)]
    pub requirements: Vec<String>,
    /// Files that it touches, relative to the repository; mark one to be created with ` (new)`.
    #[serde(default)]
    pub files: Vec<String>,
}

/// How one requirement is shown to be met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Acceptance {
    /// The requirement's id.
    pub requirement: String,
    /// The test or check that shows it; name a test by its id in backquotes.
    #[serde(default)]
    pub validation_step: String,
    /// The file that holds that test, or the test's id; mark one to be created with ` (new)`.
    #[serde(default)]
    pub artifact: String,
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

/// The answer at stage tasks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tasks {
    /// The tasks.
    #[serde(default)]
    pub tasks: Vec<TaskItem>,
    /// How each requirement is shown to be met.
    #[serde(default)]
    pub acceptance_coverage: Vec<Coverage>,
    /// What is left for later.
    #[serde(default)]
    pub followups: Vec<Remark>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskItem {
    /// Its id within this answer: `T001`.
    pub task_id: String,
    /// Its place in the order, from 1.
    #[serde(default)]
    pub order: u32,
    /// What is done.
    pub title: String,
    /// Ids of the tasks that must be done before.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Ids of the requirements that it serves.
    #[serde(default)]
    pub requirements: Vec<String>,
    /// Files that it touches, relative to the repository; mark one to be created with ` (new)`.
    #[serde(default)]
    pub files: Vec<String>,
    /// The test or check that shows that it is done; name a test by its id in backquotes.
    #[serde(default)]
    pub validation_step: String,
    /// Whether it can be done beside others.
    #[serde(default)]
    pub parallel: bool,
}

/// Which tasks and which test cover a requirement: a text alone, or by fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = r#"an entry is a text or {"requirement", "tasks"?, "validation_step"?}"#)]
pub enum Coverage {
    /// In words.
    Text(String),
    /// By fields.
    Row {
        /// The requirement's id.
        requirement: String,
        /// Ids of the tasks that serve it.
        #[serde(default)]
        tasks: Vec<String>,
        /// The test or check that shows it.
        #[serde(default)]
        validation_step: String,
    },
}

/// The answer at stage implement. The diff itself is taken by the host from the worktree, never from these words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Implement {
    /// What was changed.
    #[serde(default)]
    pub operations: Vec<Operation>,
    /// What may go wrong.
    #[serde(default)]
    pub risks: Vec<Risk>,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// Path relative to the repository.
    pub file: String,
    /// How it changed.
    pub change_type: Change,
    /// What was changed in it.
    #[serde(default)]
    pub description: String,
    /// The task it belongs to.
    #[serde(default)]
    pub task_id: String,
}

/// How a file changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    #[serde(alias = "create", alias = "new")]
    Add,
    /// It was there before.
    #[serde(alias = "update", alias = "edit")]
    Modify,
    /// It is gone.
    #[serde(alias = "remove")]
    Delete,
}

impl Change {
    /// Returns the name used in JSON and in claims.
    pub fn name(self) -> &'static str {
        match self {
            Change::Add => "add",
            Change::Modify => "modify",
            Change::Delete => "delete",
        }
    }
}

/// The answer at stage validate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Validate {
    /// What was tried for each requirement.
    #[serde(default)]
    pub scenarios: Vec<Trial>,
    /// What must be done about failures.
    #[serde(default)]
    pub remediation: Vec<Remark>,
    /// Whether the change does what the spec asks.
    pub decision: ValidateDecision,
    /// What must hold for a PARTIAL to count as a pass.
    #[serde(default)]
    pub conditions: Vec<Remark>,
}

/// One scenario, and how it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// What was tried.
    pub name: String,
    /// The requirement's id.
    #[serde(default)]
    pub requirement: String,
    /// The check's name in the project's config, such as `cargo-test`.
    #[serde(default)]
    pub check: String,
    /// The test's id as its runner prints it.
    #[serde(default)]
    pub test_id: Option<String>,
    /// How it went.
    pub status: Status,
    /// What failed.
    #[serde(default)]
    pub failures: Vec<String>,
    /// The lines of output that matter.
    #[serde(default)]
    pub log: String,
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

/// The outcome of stage validate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ValidateDecision {
    /// It does what the spec asks.
    Pass,
    /// It does not.
    Fail,
    /// It does under the conditions given.
    Partial,
}

/// The answer at stage audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Audit {
    /// What was looked at.
    #[serde(default)]
    pub checks: Vec<Checked>,
    /// What may go wrong.
    #[serde(default)]
    pub risks: Vec<Risk>,
    /// What is not done.
    #[serde(default)]
    pub open_items: Vec<Remark>,
    /// Whether the change is fit to be let through.
    pub decision: AuditDecision,
    /// What must hold for a CONDITIONAL to count as a pass.
    #[serde(default)]
    pub conditions: Vec<Remark>,
}

/// One item that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// The requirement's id, a path, or the id of a rule of the constitution.
    pub item: String,
    /// Whether it is satisfied.
    pub status: Status,
    /// What shows it.
    #[serde(default)]
    pub evidence: Vec<Cite>,
}

/// The outcome of stage audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum AuditDecision {
    /// It is fit.
    Go,
    /// It is not.
    #[serde(rename = "NO-GO")]
    NoGo,
    /// It is under the conditions given.
    Conditional,
}

/// The answer at stage unlock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unlock {
    /// Whether the change is let through.
    pub decision: UnlockDecision,
    /// What must hold for a CONDITIONAL to count as a pass.
    #[serde(default)]
    pub conditions: Vec<Remark>,
    /// Why.
    #[serde(default)]
    pub rationale: String,
    /// What guards against what may go wrong.
    #[serde(default)]
    pub safeguards: Vec<Remark>,
    /// Risks that are taken knowingly.
    #[serde(default)]
    pub accepted_risks: Vec<Remark>,
    /// What is left for later.
    #[serde(default)]
    pub followups: Vec<Remark>,
}

/// The outcome of stage unlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum UnlockDecision {
    /// It is let through.
    Approved,
    /// It is not.
    Rejected,
    /// It is under the conditions given.
    Conditional,
}

/// A stage's outcome, whatever the stage calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// PASS, GO, APPROVED.
    Pass(&'static str),
    /// FAIL, NO-GO, REJECTED.
    Fail(&'static str),
    /// PARTIAL, CONDITIONAL.
    Conditional(&'static str),
}

impl Outcome {
    /// Returns the word that stands in claims.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Pass(word) | Outcome::Fail(word) | Outcome::Conditional(word) => word,
        }
    }

    /// Reads the word of a stage's outcome; nothing if that stage has no such outcome.
    pub fn of_stage(stage: Stage, word: &str) -> Option<Outcome> {
        let known: [Outcome; 3] = match stage {
            Stage::Plan | Stage::Tasks | Stage::Implement => return None,
            Stage::Validate => [Outcome::Pass("PASS"), Outcome::Fail("FAIL"), Outcome::Conditional("PARTIAL")],
            Stage::Audit => [Outcome::Pass("GO"), Outcome::Fail("NO-GO"), Outcome::Conditional("CONDITIONAL")],
            Stage::Unlock => {
                [Outcome::Pass("APPROVED"), Outcome::Fail("REJECTED"), Outcome::Conditional("CONDITIONAL")]
            }
        };
        known.into_iter().find(|outcome| outcome.word() == word)
    }
}

impl Body {
    /// Returns the outcome and its conditions, at the stages that have one.
    pub fn outcome(&self) -> Option<(Outcome, &[Remark])> {
        match self {
            Body::Plan(_) | Body::Tasks(_) | Body::Implement(_) => None,
            Body::Validate(v) => Some((
                match v.decision {
                    ValidateDecision::Pass => Outcome::Pass("PASS"),
                    ValidateDecision::Fail => Outcome::Fail("FAIL"),
                    ValidateDecision::Partial => Outcome::Conditional("PARTIAL"),
                },
                &v.conditions,
            )),
            Body::Audit(a) => Some((
                match a.decision {
                    AuditDecision::Go => Outcome::Pass("GO"),
                    AuditDecision::NoGo => Outcome::Fail("NO-GO"),
                    AuditDecision::Conditional => Outcome::Conditional("CONDITIONAL"),
                },
                &a.conditions,
            )),
            Body::Unlock(u) => Some((
                match u.decision {
                    UnlockDecision::Approved => Outcome::Pass("APPROVED"),
                    UnlockDecision::Rejected => Outcome::Fail("REJECTED"),
                    UnlockDecision::Conditional => Outcome::Conditional("CONDITIONAL"),
                },
                &u.conditions,
            )),
        }
    }

    /// Returns the risks it names.
    pub fn risks(&self) -> &[Risk] {
        match self {
            Body::Plan(plan) => &plan.risks,
            Body::Implement(implement) => &implement.risks,
            Body::Audit(audit) => &audit.risks,
            Body::Tasks(_) | Body::Validate(_) | Body::Unlock(_) => &[],
        }
    }
}
