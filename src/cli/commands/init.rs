//! `dicast init`: the first config of a repository.

use std::collections::BTreeSet;

use super::super::out::Done;
use super::{Context, agents};
use crate::config::{PROJECT_CONFIG, init as first};
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;

/// Writes a commented config and approves what it wrote.
///
/// # Errors
/// Usage when there is one already.
pub(super) fn init(context: &Context) -> Result<Done, Failure> {
    let sources = context.sources()?;
    let machine = agents::served(&sources)?;
    let facts = first::facts(&sources, first::Serving::of(&machine));
    let loaded = first::write_approved(&sources, &facts, context.now)?;
    let agents: Vec<&str> = facts.agents.iter().map(|found| found.name).collect();
    if context.global.json {
        return Ok(Done::value(&serde_json::json!({
            "schema": "dicast.init/1", "config": PROJECT_CONFIG, "found": agents,
            "servers": facts.servers.iter().map(|server| &server.name).collect::<Vec<_>>(),
            "checks": facts.checks.keys().collect::<Vec<_>>(), "approved": loaded.trust.is_granted(),
        })));
    }
    let mut text = format!("wrote {PROJECT_CONFIG} and .dicast/.gitignore\n");
    if !facts.checks.is_empty() {
        let names: Vec<&str> = facts.checks.keys().map(String::as_str).collect();
        text.push_str(&format!("checks: {} (approved)\n", names.join(", ")));
    }
    for server in &facts.servers {
        let first::Serving { name, base_url, model, .. } = server;
        text.push_str(&format!("{name} answers at {base_url}: {model} is on the panel\n"));
    }
    text.push_str(&panel(&agents, &loaded.settings));
    Ok(Done::lines(text))
}

/// Says who is on the panel now, and what to do next.
fn panel(found: &[&str], settings: &Settings) -> String {
    let names: Vec<&str> = settings.agents.iter().map(|agent| agent.name.as_str()).collect();
    let families: BTreeSet<&str> = settings.agents.iter().map(|agent| agent.family.as_str()).collect();
    let others: Vec<&str> = found.iter().filter(|name| !names.contains(name)).copied().collect();
    let mut text = match names.is_empty() {
        true => "agents: none with a preset found on PATH, and no server of models answers; describe yours under [[agents]]\n".to_owned(),
        false => format!("agents: {} on the panel (approved); they only read\n", names.join(", ")),
    };
    if !others.is_empty() {
        text.push_str(&format!("also found: {}; without a preset, describe it under [[agents]]\n", others.join(", ")));
    }
    text.push_str(match families.len() {
        0 => "next: `dicast check` needs no agent; `dicast demo` shows a panel\n",
        1 => {
            "one voice: what one family says is checked by the host, but nobody can differ from it; add a second, or set \
             consensus.quorum = \"solo\"\nnext: `dicast agents` says whether it is signed in\n"
        }
        _ => "next: `dicast agents` says who is signed in, `dicast plan SPEC` asks them\n",
    });
    text
}
