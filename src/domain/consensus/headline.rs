//! The first lines of a verdict on screen: the call, and why, in one sentence.
//!
//! It must not know the screen; it makes plain texts from a verdict.

use std::collections::BTreeMap;
use std::fmt;

use super::canon;
use super::label::Status;
use super::reason::Reason;
use super::ruling::COVERED;
use super::verdict::{Judged, Verdict};
use crate::domain::claim::Kind;
use crate::domain::claim::derive::{DEMANDED, REWORDED, WITHDRAWN};
use crate::domain::hash::Sha;
use crate::domain::ids::AgentName;
use crate::domain::stage::Stage;

/// The first line of a verdict on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// It goes on.
    Pass,
    /// A human has this many things to settle (at least one).
    YourCall(usize),
    /// It stops here.
    Stop,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::Pass => f.write_str("PASS"),
            Call::YourCall(n) => write!(f, "YOUR CALL {n}"),
            Call::Stop => f.write_str("STOP"),
        }
    }
}

/// How many subjects a sentence names before it counts the rest.
const NAMED_MAX: usize = 3;

impl Verdict {
    /// Tells whether the next stage may follow: exit 0, or degraded or hollow up to validate.
    pub fn is_advancing(&self) -> bool {
        let flagged = matches!(self.status, Status::Degraded | Status::Hollow);
        self.exit == 0 || (flagged && self.stage <= Stage::Validate)
    }

    /// Returns the first line of the verdict on screen.
    pub fn call(&self) -> Call {
        if self.is_advancing() {
            return Call::Pass;
        }
        match self.status {
            Status::Cancelled | Status::Infra | Status::Blocked | Status::Rejected => Call::Stop,
            Status::Conflict
            | Status::NoQuorum
            | Status::Degraded
            | Status::Hollow
            | Status::AgreeWithDissent
            | Status::Agree => {
                let deciding = self.reasons.iter().filter(|r| r.code.status() == Some(self.status));
                Call::YourCall(deciding.map(|r| r.claims.len()).sum::<usize>().max(1))
            }
        }
    }

    /// Returns one sentence that says why, naming agents and what they differ about. The texts are foreign: they go
    /// through [`crate::domain::safe::Safe`] before they are shown.
    pub fn why(&self) -> String {
        let Some(reason) = self.reasons.first().filter(|r| r.code.status().is_some()) else {
            let covered = format!("{} of {} must-requirements covered", self.coverage.covered, self.coverage.must);
            if let Some(words) = self.of_candidates() {
                return words.to_owned();
            }
            return if self.status == Status::Agree && self.stage == Stage::Specify {
                format!("{} of {} families agree on what the spec should say", self.families.ok, self.families.expected)
            } else if self.status == Status::Agree {
                format!("{} of {} families agree, {covered}", self.families.ok, self.families.expected)
            } else {
                self.status.words().to_owned()
            };
        };
        self.told(reason)
    }

    /// What agreement means of implement: the families agree by what their candidates pass, and in no words.
    fn of_candidates(&self) -> Option<&'static str> {
        match (self.stage, self.status) {
            (Stage::Implement, Status::Agree) => Some("candidates of two families or more pass the same tests"),
            (Stage::Implement, Status::AgreeWithDissent) => Some("no two families' candidates pass the same tests"),
            _ => None,
        }
    }

    /// Returns a reason in one sentence, with the agents and claims that it names. The texts are foreign.
    pub fn told(&self, reason: &Reason) -> String {
        let who = listed(reason.agents.iter().map(AgentName::as_str));
        let what = listed(self.titles(&reason.claims).iter().map(String::as_str));
        let words = reason.code.words();
        match (who.as_str(), what.as_str()) {
            ("", "") => words.to_owned(),
            (who, "") => format!("{words} ({who})"),
            ("", what) => format!("{words}: {what}"),
            // Names before subjects: where the line is cut, who it was still stands there.
            (who, what) => format!("{words} ({who}): {what}"),
        }
    }

    /// Names claims: "kind subject", what a spec should say by its words; also must-requirements that nobody made a
    /// claim about.
    fn titles(&self, keys: &[Sha]) -> Vec<String> {
        let covers = |id: &str| (canon::key(Kind::Covers, id, COVERED), id.to_owned());
        let uncovered: BTreeMap<Sha, String> = self.coverage.uncovered.iter().map(|id| covers(id)).collect();
        let title = |key: &Sha| {
            let found = self.claims.binary_search_by(|c| c.key.cmp(key)).ok();
            uncovered.get(key).cloned().or_else(|| found.map(|i| named(&self.claims[i])))
        };
        keys.iter().filter_map(title).collect()
    }
}

/// Names a claim in a sentence.
fn named(claim: &Judged) -> String {
    let subject = claim.subject.trim_end_matches('.');
    match claim.predicate.as_str() {
        DEMANDED => format!("“{subject}”"),
        REWORDED => format!("what {subject} should say"),
        WITHDRAWN => format!("whether {subject} should go"),
        _ => claim.title(),
    }
}

/// Joins names: "a", "a and b", "a, b and c", "a, b, c and 2 more".
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    if names.len() > NAMED_MAX {
        let more = names.len() - NAMED_MAX;
        names.truncate(NAMED_MAX);
        names.push(format!("{more} more"));
    }
    match names.pop() {
        None => String::new(),
        Some(last) if names.is_empty() => last,
        Some(last) => format!("{} and {last}", names.join(", ")),
    }
}
