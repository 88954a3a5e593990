//! `dicast init`: the first config of a repository.

use super::super::out::Done;
use super::Context;
use crate::config::{PROJECT_CONFIG, init as first};
use crate::domain::failure::Failure;

/// Writes a commented config and approves what it wrote.
///
/// # Errors
/// Usage when there is one already.
pub(super) fn init(context: &Context) -> Result<Done, Failure> {
    let sources = context.sources()?;
    let facts = first::facts(&sources);
    let loaded = first::write(&sources, &facts, context.now)?;
    let agents: Vec<&str> = facts.agents.iter().map(|found| found.name).collect();
    if context.global.json {
        return Ok(Done::value(&serde_json::json!({
            "schema": "dicast.init/1", "config": PROJECT_CONFIG, "found": agents,
            "checks": facts.checks.keys().collect::<Vec<_>>(), "approved": loaded.trust.is_granted(),
        })));
    }
    let mut text = format!("wrote {PROJECT_CONFIG} and .dicast/.gitignore\n");
    if !facts.checks.is_empty() {
        let names: Vec<&str> = facts.checks.keys().map(String::as_str).collect();
        text.push_str(&format!("checks: {} (approved)\n", names.join(", ")));
    }
    text.push_str(&match agents.is_empty() {
        true => "agents: none found on PATH; describe yours under [[agents]]\n".to_owned(),
        false => format!("agents: {} found on PATH; uncomment those that should be on the panel\n", agents.join(", ")),
    });
    text.push_str("next: edit the file, look at it with `dicast trust list`, then run `dicast trust approve`\n");
    Ok(Done::lines(text))
}
