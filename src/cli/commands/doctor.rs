//! `dicast doctor`: what was found, what is missing, what to do about it. Nothing is written, nothing is started but
//! `--version` of the agent programs on PATH, and nothing is asked but the usual addresses of servers on this machine.

use std::io::IsTerminal as _;
use std::path::Path;

use super::super::out::{Done, table};
use super::{Context, agents, place};
use crate::actors::agents::version::Version;
use crate::actors::mcp;
use crate::config::found::{Found, find_on_path};
use crate::config::{Layer, Loaded, Setting, Sources};
use crate::disk::look::is_writable;
use crate::disk::{EntryKind, Store};
use crate::domain::failure::Failure;
use crate::domain::machine::{Machine, Sight};
use crate::domain::preset::PRESETS;
use crate::domain::redact::Redactor;
use crate::domain::settings::{Agent, AgentKind, CheckSource, MemoryServer, Transport};
use crate::telemetry;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    name: &'static str,
    state: State,
    text: String,
    next: Option<String>,
}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// As it should be.
    Fine,
    /// Not there; some things are not possible without it.
    Missing,
    /// Wrong: commands fail with this exit code.
    Wrong(u8),
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Fine => "ok",
            State::Missing => "missing",
            State::Wrong(_) => "WRONG",
        }
    }
}

/// Looks around. The exit code is 0, or that of the first thing that is wrong.
///
/// # Errors
/// When not even the environment can be read.
pub(super) fn doctor(context: &Context) -> Result<Done, Failure> {
    let sources = context.sources()?;
    let mut items = vec![repository(context), git(&sources), specs(context)];
    let loaded = context.loaded();
    match &loaded {
        Ok(loaded) => {
            let (versions, machine) = (agents::asked(&sources)?, agents::served(&sources)?);
            items.extend(configured(context, &sources, loaded, &versions));
            items.extend(models(&sources, loaded, &machine));
        }
        Err(failure) => items.push(wrong("config", failure)),
    }
    items.extend([log(), terminal()]);
    let exit = items.iter().find_map(|item| match item.state {
        State::Wrong(exit) => Some(exit),
        State::Fine | State::Missing => None,
    });
    let done = match context.global.json {
        true => Done::value(&json(&items, loaded.as_ref().ok())),
        false => Done::lines(text(&items, loaded.as_ref().ok())),
    };
    Ok(done.with_exit(exit.unwrap_or(0)))
}

fn fine(name: &'static str, text: impl Into<String>) -> Item {
    Item { name, state: State::Fine, text: text.into(), next: None }
}

fn missing(name: &'static str, text: impl Into<String>, next: impl Into<String>) -> Item {
    Item { name, state: State::Missing, text: text.into(), next: Some(next.into()) }
}

fn wrong(name: &'static str, failure: &Failure) -> Item {
    Item { name, state: State::Wrong(failure.exit()), text: failure.to_string(), next: Some(failure.hint()) }
}

fn repository(context: &Context) -> Item {
    let shown = context.repo.display();
    let is_git = crate::disk::look::kind(&context.repo.join(".git")).is_some();
    match (is_git, place::branch(&context.repo)) {
        (true, Some(branch)) => fine("repository", format!("{shown}, branch {branch}")),
        (true, None) => fine("repository", format!("{shown}, no branch checked out")),
        (false, _) => missing(
            "repository",
            format!("{shown} is not a git repository"),
            "run `git init`: verdicts are bound to a tree",
        ),
    }
}

fn git(sources: &Sources) -> Item {
    match find_on_path(["git"], sources.env.get("PATH").map(std::ffi::OsStr::new)).first() {
        Some(found) => fine("git", found.path.display().to_string()),
        None => missing("git", "not on PATH", "install git: without it no tree can be compared"),
    }
}

fn specs(context: &Context) -> Item {
    match place::folders(context) {
        Ok(folders) if folders.is_empty() => missing("specs", "none", "write one as specs/001-name/spec.md"),
        Ok(folders) => fine("specs", format!("{}, the first is {}", folders.len(), folders[0].id)),
        Err(failure) => wrong("specs", &failure),
    }
}

fn configured(context: &Context, sources: &Sources, loaded: &Loaded, versions: &[(Found, Version)]) -> Vec<Item> {
    let mut items = vec![
        config(loaded),
        trust(loaded),
        panel(sources, loaded, versions),
        checks(loaded),
        evidence(&context.repo, &loaded.settings.evidence.root),
        memory(&context.store(), sources, loaded),
    ];
    items.extend(worktrees(&context.store(), &loaded.settings.worktrees.root));
    items.extend(access(sources, loaded));
    items.extend(adapters(sources));
    items.extend(offered(loaded));
    items
}

fn config(loaded: &Loaded) -> Item {
    let found: Vec<&str> = loaded.files.iter().filter(|file| file.found).map(|file| file.shown.as_str()).collect();
    if found.is_empty() {
        let looked: Vec<&str> = loaded.files.iter().map(|file| file.shown.as_str()).collect();
        return missing("config", format!("none ({})", looked.join(", ")), "run `dicast init`");
    }
    fine("config", found.join(", "))
}

fn trust(loaded: &Loaded) -> Item {
    match (loaded.trust.refusal(), loaded.trust.proposal()) {
        (Some(failure), _) => wrong("trust", &failure),
        (None, None) => fine("trust", "the project asks to run nothing"),
        (None, Some(_)) if loaded.trust.is_granted() => fine("trust", "approved"),
        (None, Some(_)) => {
            missing("trust", "detected checks are not approved, and do not run", "look with `dicast trust list`")
        }
    }
}

/// By what the agents with a preset are signed in; only whether it is there was looked at.
fn access(sources: &Sources, loaded: &Loaded) -> Option<Item> {
    let (said, next) = agents::access(loaded, sources);
    let text = said.join("; ");
    match next {
        _ if said.is_empty() => None,
        // There are other places (a keychain, a cloud's own variables): this is a guess.
        Some(next) => Some(missing("credentials", text, format!("if it fails: {next}"))),
        None => Some(fine("credentials", text)),
    }
}

/// What speaks the Agent Client Protocol for an agent CLI on this machine.
fn adapters(sources: &Sources) -> Option<Item> {
    let found = agents::adapters(sources);
    let said: Vec<String> = found.iter().map(|(name, preset)| format!("{name} (for preset {preset})")).collect();
    (!said.is_empty()).then(|| fine("adapters", format!("on PATH: {}; kind = \"acp\" uses them", said.join(", "))))
}

/// What serves models on this machine: who answers, and what would if it were started.
fn models(sources: &Sources, loaded: &Loaded, machine: &Machine) -> Option<Item> {
    let answers = |name: &str| machine.serving().any(|(server, _, _)| server.name == name);
    let mut said: Vec<String> = Vec::new();
    for server in &machine.servers {
        if let Sight::Seen(models) = &server.models {
            said.push(format!("{} serves {} ({})", server.name, agents::list(models), server.base_url));
        }
    }
    let found = agents::model_servers(sources);
    let silent: Vec<_> = found.into_iter().filter(|local| !answers(local.name)).collect();
    said.extend(silent.iter().map(|local| format!("{} is on PATH, {} does not answer", local.program, local.base_url)));
    let is_asked = |place: &str| {
        let is_there = |agent: &Agent| matches!(&agent.kind, AgentKind::Api(service) if service.base_url == place);
        loaded.settings.agents.iter().any(is_there)
    };
    let unasked = machine.serving().find(|(server, _, _)| !is_asked(&server.base_url));
    let next = unasked.map(|(server, model, _)| {
        let name = &server.name;
        format!(
            "ask it: preset = \"{name}\", family = …, model = \"{model}\" under [[agents]] (`dicast init` writes that)"
        )
    });
    let next = next.or_else(|| silent.first().map(|local| format!("start {} to have it asked", local.program)));
    let text = said.join("; ");
    (!said.is_empty()).then(|| Item { next, ..fine("models", text) })
}

/// How to get another family, where only one is there.
fn another(versions: &[(Found, Version)]) -> &'static str {
    let is_there = |name: &str| versions.iter().any(|(found, _)| found.name == name);
    PRESETS
        .iter()
        .find(|preset| !is_there(preset.name))
        .map_or("describe one under [[agents]]", |preset| preset.install)
}

fn panel(sources: &Sources, loaded: &Loaded, versions: &[(Found, Version)]) -> Item {
    let shown = |(found, version): &(Found, Version)| match version {
        Ok(version) => format!("{} {version}", found.name),
        Err(why) => format!("{} (no version: {why})", found.name),
    };
    let on_path: Vec<String> = versions.iter().map(shown).collect();
    let seen = match on_path.is_empty() {
        true => "none known by name on PATH".to_owned(),
        false => format!("on PATH: {}", on_path.join(", ")),
    };
    let all = &loaded.settings.agents;
    if all.is_empty() {
        return missing(
            "agents",
            format!("none configured; {seen}"),
            "run `dicast init` and describe one under [[agents]]; `dicast check` needs none",
        );
    }
    let absent: Vec<&str> =
        all.iter().filter(|agent| !agents::is_there(agent, sources)).map(|agent| agent.name.as_str()).collect();
    let families: std::collections::BTreeSet<_> = all.iter().map(|agent| &agent.family).collect();
    let count = format!("{} configured, {} families; {seen}", all.len(), families.len());
    if !absent.is_empty() {
        return missing(
            "agents",
            format!("{count}; NOT FOUND: {}", absent.join(", ")),
            "install them, or correct `command`",
        );
    }
    match families.len() {
        1 => missing(
            "agents",
            count,
            format!(
                "one family can not differ from itself: add a second ({}), or set consensus.quorum = \"solo\"",
                another(versions)
            ),
        ),
        _ => fine("agents", count),
    }
}

fn checks(loaded: &Loaded) -> Item {
    let checks = &loaded.settings.checks;
    if checks.is_empty() {
        return missing("checks", "none", "describe one under [checks.NAME]: it settles claims by running");
    }
    let names: Vec<String> = checks
        .iter()
        .map(|(name, check)| match check.source {
            CheckSource::Declared => name.clone(),
            CheckSource::Detected => format!("{name} (detected)"),
        })
        .collect();
    fine("checks", names.join(", "))
}

fn evidence(repo: &Path, root: &str) -> Item {
    match is_writable(&repo.join(root)) {
        true => fine("evidence", format!("{root}, writable")),
        false => Item {
            name: "evidence",
            state: State::Wrong(3),
            text: format!("{root} cannot be written"),
            next: Some("make the folder writable, or set [evidence] root to one that is".into()),
        },
    }
}

/// Worktrees of writers that are still there: of a run that was stopped, or of one whose program was killed.
fn worktrees(repository: &Store, root: &str) -> Option<Item> {
    let runs = repository.list(root).unwrap_or_default();
    let runs: Vec<String> =
        runs.into_iter().filter(|entry| entry.kind == EntryKind::Dir).map(|entry| entry.name).collect();
    let first = runs.first()?;
    let next =
        format!("go on with the run, or give them up: of one that is over, `dicast evidence purge --run {first}`");
    Some(missing("worktrees", format!("{root} has those of {}", runs.join(", ")), next))
}

fn memory(repository: &Store, sources: &Sources, loaded: &Loaded) -> Item {
    let item = memory_server(sources, loaded);
    match mcp::memory::waiting(repository) {
        Ok(0) => item,
        Ok(n) => {
            missing("memory", format!("{}; {n} copies wait for it", item.text), "copy them with `dicast memory drain`")
        }
        Err(failure) => wrong("memory", &failure),
    }
}

fn memory_server(sources: &Sources, loaded: &Loaded) -> Item {
    match &loaded.settings.memory {
        MemoryServer::Embedded => fine("memory", "the server that comes with dicast, in .dicast/memory.db"),
        MemoryServer::Declared(name) => {
            let Some(server) = loaded.settings.servers.get(name) else {
                return missing("memory", format!("MCP server {name} is not in the config"), "leave [memory] out");
            };
            let command = server.place();
            // An address is asked by `dicast servers`: doctor starts nothing and asks nobody.
            let is_address = matches!(server.transport, Transport::Http { .. });
            match is_address || agents::is_program(command, sources) {
                true => {
                    let profile = loaded.settings.memory_profile.name();
                    fine("memory", format!("MCP server {name} ({command}), profile {profile}"))
                }
                false => missing(
                    "memory",
                    format!("MCP server {name}: {command} was not found"),
                    "install it, or leave [memory] out",
                ),
            }
        }
    }
}

/// Which servers other programs offer; none of them is started by being found.
fn offered(loaded: &Loaded) -> Option<Item> {
    let offers = &loaded.settings.offers;
    let named = |approved: bool| -> Vec<&str> {
        offers.iter().filter(|offer| offer.is_approved == approved).map(|offer| offer.name.as_str()).collect()
    };
    let (approved, waiting) = (named(true), named(false));
    let said = match (approved.is_empty(), waiting.is_empty()) {
        (true, true) => return None,
        (true, false) => format!("offered and not started: {}", waiting.join(", ")),
        (false, true) => format!("approved: {}", approved.join(", ")),
        (false, false) => {
            format!("approved: {}; offered and not started: {}", approved.join(", "), waiting.join(", "))
        }
    };
    Some(fine("servers", said))
}

fn log() -> Item {
    match telemetry::folder() {
        Some(folder) => fine("log", format!("{}/dicast.*.log", folder.display())),
        None => missing("log", "there is no home folder", "set HOME or XDG_STATE_HOME"),
    }
}

fn terminal() -> Item {
    let (input, output) = (std::io::stdin().is_terminal(), std::io::stdout().is_terminal());
    match (input, output) {
        (true, true) => fine("terminal", std::env::var("TERM").unwrap_or_else(|_| "TERM is not set".into())),
        (_, _) => fine("terminal", "none: `dicast` prints lines"),
    }
}

/// A value as it is shown: somebody may have written a secret into it.
fn shown(redactor: &Redactor, setting: &Setting) -> String {
    redactor.clean(setting.value.as_str()).into_owned()
}

fn text(items: &[Item], loaded: Option<&Loaded>) -> String {
    let mut rows = vec![vec!["dicast".to_owned(), "ok".to_owned(), env!("CARGO_PKG_VERSION").to_owned()]];
    for item in items {
        rows.push(vec![item.name.to_owned(), item.state.word().to_owned(), item.text.clone()]);
        if let Some(next) = &item.next {
            rows.push(vec![String::new(), String::new(), format!("→ {next}")]);
        }
    }
    let mut out = table(&rows);
    let set = |loaded: &Loaded| {
        let redactor = crate::shell::hands::redactor(&loaded.settings);
        let chosen = loaded.values.iter().filter(|setting| setting.origin.layer != Layer::Default);
        chosen
            .map(|setting| vec![format!("  {}", setting.key), shown(&redactor, setting), setting.origin.to_string()])
            .collect::<Vec<_>>()
    };
    match loaded.map(set) {
        Some(rows) if !rows.is_empty() => out.push_str(&format!("\nset, and where\n{}", table(&rows))),
        Some(_) | None => {}
    }
    out
}

fn json(items: &[Item], loaded: Option<&Loaded>) -> serde_json::Value {
    let items: Vec<serde_json::Value> = items
        .iter()
        .map(|item| {
            serde_json::json!({
                "name": item.name, "state": item.state.word().to_lowercase(), "text": item.text, "next": item.next,
            })
        })
        .collect();
    let redactor = loaded.map(|loaded| crate::shell::hands::redactor(&loaded.settings)).unwrap_or_default();
    let values: Vec<serde_json::Value> = loaded
        .iter()
        .flat_map(|loaded| &loaded.values)
        .map(|setting| {
            serde_json::json!({
                "key": setting.key, "value": shown(&redactor, setting), "layer": setting.origin.layer, "origin": setting.origin.place,
            })
        })
        .collect();
    let mut values = serde_json::Value::Array(values);
    if let Some(loaded) = loaded {
        crate::shell::hands::redactor(&loaded.settings).clean_json(&mut values);
    }
    serde_json::json!({
        "schema": "dicast.doctor/1", "version": env!("CARGO_PKG_VERSION"), "items": items, "values": values,
    })
}
