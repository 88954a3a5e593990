//! What an answer holds: the parts that every stage shares, and one body per stage.
//!
//! These types are the only source of the schema in the prompt, the validator and `docs/artifacts.md`. Their doc
//! comments are the descriptions that agents read. It must not know what a field counts for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::stage::Stage;

mod audit;
mod implement;
mod plan;
mod shared;
mod specify;
mod tasks;
mod unlock;
mod validate;

pub use audit::{Audit, AuditDecision, Checked};
pub use implement::{Change, Implement, Operation};
pub use plan::{Acceptance, Plan, Step};
pub use shared::{Answer, Cite, HunkPlace, Remark, Risk, Scalar, Stated, Status, TestName};
pub use specify::{Demand, Specify, UserStory};
pub use tasks::{Coverage, TaskItem, Tasks};
pub use unlock::{Unlock, UnlockDecision};
pub use validate::{Trial, Validate, ValidateDecision};

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
    /// What the spec should say.
    Specify(Specify),
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
            Body::Specify(_) => Stage::Specify,
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
            Stage::Specify | Stage::Plan | Stage::Tasks | Stage::Implement => return None,
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
            Body::Specify(_) | Body::Plan(_) | Body::Tasks(_) | Body::Implement(_) => None,
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
            Body::Specify(_) | Body::Tasks(_) | Body::Validate(_) | Body::Unlock(_) => &[],
        }
    }
}
