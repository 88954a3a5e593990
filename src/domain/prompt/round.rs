//! The prompt of the round: short, the same for everybody but for what is their own.
//!
//! It must not know how a ballot is made or what votes do.

use super::{ROUND, Rendered, body, fenced, fill, sent_objects};
use crate::domain::hash::{Sha, canonical};
use crate::domain::ids::AgentName;
use crate::domain::round::{Ballot, answer_schema};
use crate::domain::safe::Safe;
use crate::domain::spec::Spec;
use crate::domain::stage::Stage;

/// Writes the prompt of one agent in the round of a stage.
pub fn round(
    stage: Stage,
    spec: &Spec,
    (agent, role): (&AgentName, Option<&str>),
    ballot: &Ballot,
    attempt: u32,
) -> Rendered {
    let ids = ballot.requirements();
    let asked = spec.requirements.iter().filter(|requirement| ids.contains(&requirement.id));
    let texts: Vec<String> = asked.map(|r| format!("{} ({}): {}", r.id, r.level.word(), r.text)).collect();
    let requirements = if texts.is_empty() {
        "None: the items are about the plan itself.".into()
    } else {
        fenced("text", &texts.join("\n"))
    };
    let ask = ballot.ask(&spec.id, stage, agent, attempt).to_string();
    let role = role.map(|role| format!(" Your role: {}.", Safe::line(role))).unwrap_or_default();
    let text = fill(
        body(ROUND),
        &[
            ("stage", stage.name()),
            ("spec_id", spec.id.as_str()),
            ("agent", agent.as_str()),
            ("role", &role),
            ("requirements", &requirements),
            ("ask", &fenced("json", &ask)),
        ],
    );
    let mut sent = sent_objects(&text);
    sent.extend(canonical(&answer_schema(ballot.items.len())).ok().map(Sha::of));
    sent.sort();
    sent.dedup();
    Rendered { text, sent }
}
