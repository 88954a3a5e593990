//! `dicast agents`: who is on the panel, which agent programs are on PATH, and what is missing.
//!
//! Of the programs nothing but `--version` is started, and only what stands on the user's own PATH under a known name.

use std::ffi::OsStr;
use std::time::Duration;

use super::super::ask::Desk;
use super::super::out::{Done, table};
use super::Context;
use crate::actors::agents::models;
use crate::actors::agents::process::Children;
use crate::actors::agents::version::{self, Version};
use crate::config::found::{self, Found, KNOWN, credential, credential_of, shown};
use crate::config::{Loaded, Sources};
use crate::disk::text::is_executable;
use crate::domain::failure::Failure;
use crate::domain::machine::{Machine, ModelServer, News, Sight};
use crate::domain::preset::{Credential, Preset, preset};
use crate::domain::safe::Safe;
use crate::domain::settings::{Agent, AgentKind, LOCAL, Local, Service, program};

/// Lists the panel and what could be on it.
///
/// # Errors
/// Those of the config; when the system gives us no threads.
pub(super) fn agents(context: &Context) -> Result<Done, Failure> {
    let sources = context.sources()?;
    let loaded = context.loaded()?;
    let (on_path, machine) = (asked(&sources)?, served(&sources)?);
    if context.global.json {
        let configured = loaded.settings.agents.iter().map(|agent| {
            let there = is_there(agent, &sources);
            serde_json::json!({
                "schema": "dicast.agent/1", "name": agent.name, "family": agent.family, "kind": kind(agent),
                "stages": agent.stages, "configured": true, "found": there, "preset": preset_of(agent).map(|known| known.name),
                "credentials": credential_of(agent, &sources.env).map(shown).or_else(|| key_of(agent, &sources)),
                "address": service_of(agent).map(|service| &service.base_url), "model": agent.model,
            })
        });
        let found = on_path.iter().map(|(found, version)| {
            let known = preset(found.name);
            serde_json::json!({
                "schema": "dicast.agent/1", "name": found.name, "family": family(found), "kind": "command",
                "stages": [], "configured": false, "found": true, "preset": known.map(|known| known.name),
                "version": version.as_ref().ok(), "why_no_version": version.as_ref().err(),
                "credentials": known.and_then(|known| credential(known, &sources.env)).map(shown),
            })
        });
        let adapters = adapters(&sources).into_iter().map(|(name, preset)| {
            serde_json::json!({
                "schema": "dicast.agent/1", "name": name, "family": null, "kind": "acp", "stages": [], "configured": false,
                "found": true, "preset": preset, "credentials": null,
            })
        });
        let servers = machine.serving().map(|(server, model, _)| {
            serde_json::json!({
                "schema": "dicast.agent/1", "name": server.name, "family": null, "kind": "api", "stages": [],
                "configured": false, "found": true, "preset": server.name, "credentials": null,
                "address": server.base_url, "model": model, "models": seen(server),
            })
        });
        return Ok(Done::json(
            configured.chain(found).chain(adapters).chain(servers).map(|line| format!("{line}\n")).collect::<String>(),
        ));
    }
    Ok(Done::lines(text(&loaded, &sources, &on_path, &machine)))
}

/// The models that a server named.
fn seen(server: &ModelServer) -> &[Safe] {
    match &server.models {
        Sight::Seen(models) => models,
        Sight::Looking | Sight::Unseen(_) => &[],
    }
}

fn text(loaded: &Loaded, sources: &Sources, on_path: &[(Found, Version)], machine: &Machine) -> String {
    let agents = &loaded.settings.agents;
    let mut out = String::new();
    if agents.is_empty() {
        out.push_str("no agent is configured\n");
    } else {
        let row = |agent: &Agent| {
            let stages: Vec<&str> = agent.stages.iter().map(|stage| stage.name()).collect();
            let stages = if stages.len() == 6 { "all stages".to_owned() } else { stages.join(", ") };
            let state = match (is_there(agent, sources), lacks_key(agent, sources)) {
                (false, _) => "NOT FOUND",
                (true, Some(_)) => "NO KEY",
                (true, None) => "ready",
            };
            vec![agent.name.to_string(), agent.family.to_string(), kind(agent).to_owned(), state.to_owned(), stages]
        };
        out.push_str(&table(&agents.iter().map(row).collect::<Vec<_>>()));
        for agent in agents {
            out.push_str(
                &next_step(agent, sources).map(|next| format!("{}: {next}\n", agent.name)).unwrap_or_default(),
            );
        }
        if let Some(failure) = loaded.trust.refusal() {
            out.push_str(&format!("{failure}\n  next: {}\n", failure.hint()));
        }
    }
    if on_path.is_empty() {
        out.push_str("no agent program that dicast knows by name is on PATH\n");
    } else {
        let rows: Vec<Vec<String>> = on_path.iter().map(|found| there(found, sources)).collect();
        out.push_str(&format!("on PATH\n{}", table(&rows)));
    }
    for (name, preset) in adapters(sources) {
        out.push_str(&format!(
            "{name} is on PATH: kind = \"acp\" beside preset = \"{preset}\" speaks to it and keeps it warm\n"
        ));
    }
    for (server, _, _) in machine.serving() {
        let models = list(seen(server));
        let ModelServer { name, base_url, .. } = server;
        out.push_str(&format!(
            "{name} answers at {base_url} and serves {models}: preset = \"{name}\" asks one of them\n"
        ));
    }
    let is_silent = |local: &Local| machine.serving().all(|(server, _, _)| server.name != local.name);
    for Local { name, program, base_url } in model_servers(sources).into_iter().filter(is_silent) {
        out.push_str(&format!(
            "{program} is on PATH: preset = \"{name}\" asks a model that it serves ({base_url}); it is not started\n"
        ));
    }
    if agents.is_empty() {
        out.push_str("next: `dicast init` writes a config with what was found\n");
    }
    out
}

/// Most models of one server that are named in a line.
const NAMED: usize = 4;

/// Lists models, the first few by name.
pub(super) fn list(models: &[Safe]) -> String {
    if models.is_empty() {
        return "no model".to_owned();
    }
    let mut names: Vec<String> = models.iter().take(NAMED).map(ToString::to_string).collect();
    if models.len() > NAMED {
        names.push(format!("{} more", models.len() - NAMED));
    }
    names.join(", ")
}

fn preset_of(agent: &Agent) -> Option<&'static Preset> {
    match &agent.kind {
        AgentKind::Command(launch) => launch.preset.as_deref().and_then(preset),
        AgentKind::Api(_) | AgentKind::Replay { .. } | AgentKind::Memory => None,
    }
}

/// Says of a model over HTTP where it is; of an agent with a preset by what it is signed in, or what to do before it can be asked.
fn next_step(agent: &Agent, sources: &Sources) -> Option<String> {
    if let Some(service) = service_of(agent) {
        return Some(reached(agent, service, sources));
    }
    let known = preset_of(agent)?;
    if !is_there(agent, sources) {
        let install = if agent.manner().is_some() { known.acp.install } else { known.install };
        return Some(format!("not installed; next: {install}"));
    }
    Some(match credential_of(agent, &sources.env) {
        Some(found @ (Credential::Key(_) | Credential::Stored(_))) => {
            format!("signed in by {}: paid by the token", shown(found))
        }
        Some(found @ Credential::Plan(_)) => format!("signed in by {}: a plan", shown(found)),
        Some(found @ Credential::File(_)) => {
            format!("signed in by {}: taken for a plan, it is not read (if it holds a key, set [prices])", shown(found))
        }
        // There are other places (a keychain, a cloud's own variables): this is a guess.
        None => format!("no sign of credentials; if it fails: {}", known.sign_in),
    })
}

/// A row of a program on PATH: its version, and by what it is signed in.
fn there((found, version): &(Found, Version), sources: &Sources) -> Vec<String> {
    let version = match version {
        Ok(version) => version.to_string(),
        Err(why) => format!("no version ({why})"),
    };
    let access = match preset(found.name) {
        None => "no preset: describe how it is started".to_owned(),
        Some(known) => credential(known, &sources.env).map_or_else(
            || format!("no sign of credentials; next: {}", known.sign_in),
            |by| format!("signed in by {}", shown(by)),
        ),
    };
    vec![format!("  {}", found.name), version, access]
}

/// How long all versions together may take; each has its own deadline below.
const ASKING: Duration = Duration::from_millis(version::PATIENCE_MS + 3_000);

/// Asks the agent programs on PATH for their versions.
///
/// # Errors
/// When the system gives us no threads; when the command is stopped.
pub(super) fn asked(sources: &Sources) -> Result<Vec<(Found, Version)>, Failure> {
    let found = on_path(sources);
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let desk = Desk::open()?;
    let children = Children::new(&desk.scope);
    let asked: Vec<_> =
        found.into_iter().map(|found| (version::version(&desk.scope, &children, found.path.clone()), found)).collect();
    let told = |(reply, found)| Ok((found, desk.ask(ASKING, "the version of an agent program", reply)?));
    asked.into_iter().map(told).collect()
}

/// How long the servers together may take; each has its own deadline below.
const SERVING: Duration = Duration::from_millis(2_000);

/// Looks at this machine, and asks the usual addresses for models. No program is started.
///
/// # Errors
/// When the system gives us no threads; when the command is stopped.
pub(super) fn served(sources: &Sources) -> Result<Machine, Failure> {
    let desk = Desk::open()?;
    let mut machine = found::machine(&sources.env);
    let asked: Vec<_> = machine.servers.iter().map(|server| (server.name.clone(), server.base_url.clone())).collect();
    let asked: Vec<_> = asked.into_iter().map(|(name, place)| (name, models::models(&desk.scope, &place))).collect();
    for (name, reply) in asked {
        machine.learn(News::Models(name, desk.ask(SERVING, "the servers of models", reply)?));
    }
    Ok(machine)
}

/// Returns the programs on PATH that serve models here.
pub(super) fn model_servers(sources: &Sources) -> Vec<Local> {
    let path = sources.env.get("PATH").map(OsStr::new);
    let found = found::find_on_path(LOCAL.iter().map(|local| local.program), path);
    LOCAL.into_iter().filter(|local| found.iter().any(|found| found.name == local.program)).collect()
}

/// Returns the adapters on PATH that speak the Agent Client Protocol, with the preset that each is for.
pub(super) fn adapters(sources: &Sources) -> Vec<(&'static str, &'static str)> {
    let path = sources.env.get("PATH").map(OsStr::new);
    let found = found::find_on_path(found::ADAPTERS.iter().map(|(name, _)| *name), path);
    found::ADAPTERS.into_iter().filter(|(name, _)| found.iter().any(|found| found.name == *name)).collect()
}

/// The variable of a key that is there.
fn key_of(agent: &Agent, sources: &Sources) -> Option<String> {
    let name = service_of(agent)?.key_env.as_ref().filter(|name| has_key(name, sources))?;
    Some(format!("${name}"))
}

fn service_of(agent: &Agent) -> Option<&Service> {
    match &agent.kind {
        AgentKind::Api(service) => Some(service),
        AgentKind::Command(_) | AgentKind::Replay { .. } | AgentKind::Memory => None,
    }
}

/// The variable of a model's key that is named and not set.
fn lacks_key<'a>(agent: &'a Agent, sources: &Sources) -> Option<&'a str> {
    service_of(agent)?.key_env.as_deref().filter(|name| !has_key(name, sources))
}

/// Tells whether a variable is set; what it holds is not looked at.
fn has_key(name: &str, sources: &Sources) -> bool {
    sources.env.get(name).is_some_and(|value| !value.trim().is_empty())
}

/// Says where a model over HTTP is and whether its key is there. Nobody is asked.
fn reached(agent: &Agent, service: &Service, sources: &Sources) -> String {
    let model = agent.model.as_deref().unwrap_or_default();
    let place = Safe::line(&format!("{} at {}, model {model}", service.api, service.base_url));
    match &service.key_env {
        Some(name) if has_key(name, sources) => format!("{place}, key in ${name}"),
        Some(name) => format!("{place}; ${name} is not set; next: export {name}=…"),
        None => format!("{place}, no key"),
    }
}

/// Says of the configured presets by what they are signed in, of models over HTTP where they are; the second is what to do for the first that shows no sign.
pub(super) fn access(loaded: &Loaded, sources: &Sources) -> (Vec<String>, Option<String>) {
    let mut next = None;
    let say = |agent: &Agent| {
        if let Some(service) = service_of(agent) {
            if let Some(name) = lacks_key(agent, sources) {
                next.get_or_insert_with(|| format!("export {name}=…"));
            }
            return Some(format!("{} {}", agent.name, reached(agent, service, sources)));
        }
        let known = preset_of(agent)?;
        let found = credential_of(agent, &sources.env);
        if found.is_none() {
            next.get_or_insert_with(|| known.sign_in.to_owned());
        }
        Some(format!("{} {}", agent.name, found.map_or_else(|| "shows no sign of any".to_owned(), shown)))
    };
    let said = loaded.settings.agents.iter().filter_map(say).collect();
    (said, next)
}

/// Returns the agent programs on PATH that are known by name.
pub(super) fn on_path(sources: &Sources) -> Vec<Found> {
    found::find_on_path(KNOWN.iter().map(|known| known.name), sources.env.get("PATH").map(OsStr::new))
}

fn family(found: &Found) -> Option<&'static str> {
    KNOWN.iter().find(|known| known.name == found.name).map(|known| known.family)
}

fn kind(agent: &Agent) -> &'static str {
    match agent.kind {
        AgentKind::Command(_) if agent.manner().is_some() => "acp",
        AgentKind::Command(_) => "command",
        AgentKind::Api(_) => "api",
        AgentKind::Replay { .. } => "replay",
        AgentKind::Memory => "memory",
    }
}

/// Tells whether what the agent is started with is there.
pub(super) fn is_there(agent: &Agent, sources: &Sources) -> bool {
    match &agent.kind {
        AgentKind::Command(launch) => launch.command.first().is_some_and(|word| is_program(word, sources)),
        AgentKind::Replay { script } => crate::disk::text::is_file(&sources.repo.join(script)),
        // Somebody else's machine or server answers: nothing here to look for, and nobody is asked.
        AgentKind::Api(_) | AgentKind::Memory => true,
    }
}

/// Tells whether a word of the config leads to a program, as it would be started.
pub(super) fn is_program(word: &str, sources: &Sources) -> bool {
    let path = program(word, &sources.repo);
    if path.components().count() > 1 {
        return is_executable(&path);
    }
    let folders = sources.env.get("PATH").map(std::env::split_paths);
    folders.is_some_and(|mut folders| folders.any(|folder| is_executable(&folder.join(&path))))
}
