//! The questions that the host puts to every agent of a stage, each with an id. Agents that answer the same questions
//! can be compared, however differently they word their plans.
//!
//! It must not know agents or prompts. The same spec and the same open questions give the same agenda, ids included.

use serde::{Deserialize, Serialize};

use super::spec::{Level, Requirement, Spec};

mod open;

pub use open::{OpenPoint, PointKind, closing, open_points};

/// One question of the agenda.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Topic {
    /// `D-001`, `D-002`, ….
    pub id: String,
    /// The requirement, where the question is whether and how it is covered; none for any other question.
    pub requirement: Option<String>,
    /// The requirement that any other question bears on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The question.
    pub ask: String,
    /// The unit to answer in, where the question is about a quantity of a known kind.
    pub unit: Option<String>,
}

/// A dissent or question that an earlier stage left open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OpenQuestion {
    /// The id of its topic. Where the spec's own questions have this id already, that topic carries it: one question
    /// is not asked twice.
    pub id: String,
    /// Where it comes from, as agents read it: `plan, dissent`.
    pub from: String,
    /// The requirement that it bears on.
    pub about: Option<String>,
    /// The question.
    pub ask: String,
    /// The unit to answer in.
    pub unit: Option<String>,
}

/// Longest quotation in a question, in characters: the spec itself stands in the same prompt.
const QUOTED_MAX: usize = 160;

/// Builds the agenda: whether and how each must and should requirement is covered, then each quantity or choice that
/// these leave open, then what earlier stages left open. Questions of the spec are counted; those of earlier stages bring
/// their ids along, so that each keeps its id whatever else is open.
pub fn agenda(spec: &Spec, open: &[OpenQuestion]) -> Vec<Topic> {
    let asked: Vec<&Requirement> = spec.requirements.iter().filter(|r| r.level != Level::May).collect();
    let covered = asked.iter().map(|r| Question {
        requirement: Some(r.id.clone()),
        about: None,
        ask: format!("Is {} ({}) covered, and how? {}", r.id, r.level.word(), cut(&r.text)),
        unit: None,
    });
    let points = asked.iter().flat_map(|r| open_points(&r.text).into_iter().map(|point| of_point(&r.id, point)));
    let mut topics: Vec<Topic> = Vec::new();
    for question in covered.chain(points) {
        if topics.iter().any(|topic| topic.ask == question.ask && topic.requirement == question.requirement) {
            continue;
        }
        let id = format!("D-{:03}", topics.len() + 1);
        let Question { requirement, about, ask, unit } = question;
        topics.push(Topic { id, requirement, about, ask, unit });
    }
    for question in open {
        let ask = format!("Open since {}: {}", question.from, cut(&question.ask));
        let (id, about, unit) = (question.id.clone(), question.about.clone(), question.unit.clone());
        match topics.iter_mut().find(|topic| topic.id == id) {
            Some(topic) if topic.ask.ends_with(&ask) => {}
            Some(topic) => topic.ask = format!("{} {ask}", topic.ask),
            None => topics.push(Topic { id, requirement: None, about, ask, unit }),
        }
    }
    topics
}

/// Builds the agenda where the spec itself is at stake: what it leaves open and what earlier stages left open, with the
/// ids that these have everywhere. Nobody is asked whether it is covered.
pub fn open_only(spec: &Spec, open: &[OpenQuestion]) -> Vec<Topic> {
    agenda(spec, open).into_iter().filter(|topic| topic.requirement.is_none()).collect()
}

/// A topic before it has its id.
struct Question {
    requirement: Option<String>,
    about: Option<String>,
    ask: String,
    unit: Option<String>,
}

fn of_point(requirement: &str, point: OpenPoint) -> Question {
    let words = cut(&point.words);
    let ask = match point.kind {
        PointKind::Marker => format!("{requirement} is to be clarified: {words}"),
        PointKind::Quantity => format!("{requirement} says \"{words}\" without a number: how much exactly?"),
        PointKind::Choice => format!("{requirement} leaves a choice, \"{words}\": which one?"),
    };
    Question { requirement: None, about: Some(requirement.to_owned()), ask, unit: point.unit.map(str::to_owned) }
}

fn cut(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= QUOTED_MAX {
        return line;
    }
    let head: String = line.chars().take(QUOTED_MAX).collect();
    format!("{}…", head.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::SpecId;
    use crate::domain::spec::parse;

    const SPEC: &str = "# Feature Specification: Rate limiter

## Requirements
- **FR-001**: The system MUST refuse more than 10 requests per second for each key.
- **FR-002**: The system SHOULD answer quickly when a key is refused.
- **FR-003**: Counters MUST be kept in memory or Redis.
- **FR-004**: The system MUST allow a burst above the limit.
- **FR-005**: The system MAY log a small number of refused keys.
- **FR-006**: Keys MUST expire after [NEEDS CLARIFICATION: how long?].
";

    fn topics(open: &[OpenQuestion]) -> Vec<Topic> {
        agenda(&parse(SpecId::new("003-rate-limiter").unwrap(), "specs/003-rate-limiter", "spec.md", SPEC), open)
    }

    #[test]
    fn requirements_come_first_then_what_they_leave_open_then_earlier_stages() {
        let open = |id: &str, from: &str, ask: &str| OpenQuestion {
            id: id.into(),
            from: from.into(),
            about: None,
            ask: ask.into(),
            unit: None,
        };
        let clock = open("D-0A1B2C3", "plan, dissent", "who owns the clock?");
        let fast = open("D-006", "plan, dissent", "10 ms was decided, 20 ms was held against it.");
        let lines: Vec<String> = topics(&[clock.clone(), clock, fast])
            .into_iter()
            .map(|t| format!("{} {:?} {} {:?}", t.id, t.requirement.as_deref(), t.ask, t.unit.as_deref()))
            .collect();
        assert_eq!(
            lines,
            [
                r#"D-001 Some("FR-001") Is FR-001 (MUST) covered, and how? The system MUST refuse more than 10 requests per second for each key. None"#,
                r#"D-002 Some("FR-002") Is FR-002 (SHOULD) covered, and how? The system SHOULD answer quickly when a key is refused. None"#,
                r#"D-003 Some("FR-003") Is FR-003 (MUST) covered, and how? Counters MUST be kept in memory or Redis. None"#,
                r#"D-004 Some("FR-004") Is FR-004 (MUST) covered, and how? The system MUST allow a burst above the limit. None"#,
                r#"D-005 Some("FR-006") Is FR-006 (MUST) covered, and how? Keys MUST expire after [NEEDS CLARIFICATION: how long?]. None"#,
                r#"D-006 None FR-002 says "quickly" without a number: how much exactly? Open since plan, dissent: 10 ms was decided, 20 ms was held against it. Some("ms")"#,
                r#"D-007 None FR-003 leaves a choice, "memory or Redis": which one? None"#,
                r#"D-008 None FR-004 says "burst" without a number: how much exactly? None"#,
                r#"D-009 None FR-006 is to be clarified: how long? None"#,
                r#"D-0A1B2C3 None Open since plan, dissent: who owns the clock? None"#,
            ]
        );
    }

    #[test]
    fn ids_of_the_spec_stay_when_open_questions_change() {
        let alone = topics(&[]);
        let with = topics(&[OpenQuestion {
            id: "D-0A1B2C3".into(),
            from: "tasks, question".into(),
            about: None,
            ask: "which store?".into(),
            unit: None,
        }]);
        assert_eq!(with[..alone.len()], alone);
        assert_eq!(with.len(), alone.len() + 1);
    }
}
