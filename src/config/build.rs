//! From the merged tree to settings, and the rules that concern several keys at once.
//!
//! It must not know files or trust.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::acp::{Manner, OnPermission};
use crate::domain::budget::{Budget, Price, micro_usd};
use crate::domain::claim::host::HOST;
use crate::domain::failure::Failure;
use crate::domain::gate::{Checkpoint, Gate};
use crate::domain::ids::{AgentName, BadName, Family};
use crate::domain::memory::Profile;
use crate::domain::preset::preset;
use crate::domain::safe::Safe;
use crate::domain::settings::{
    Agent, AgentKind, Api, CheckSource, CheckTemplate, Consensus, Context, EnvValue, Evidence, Guardrails, JsonMode,
    Launch, Lent, Limits, MemoryServer, OnHangup, Retry, Round, Server, Service, Settings, StageRules, Timeouts,
    Transport, Worktrees, local, unusable,
};
use crate::domain::stage::Stage;
use crate::domain::stream::rule::BadRule;
use crate::domain::stream::{self, Dialect};

use super::layers::filled;
use super::nearest::nearest;
use super::presets;
use super::shape::{self, argvs, did_you_mean, env, env_names, flag, gates, number, placed, stages, text, texts};
use super::tree::{Layer, Node, Value};

/// Which kinds of agents a key does something for; keys that are not listed concern all.
const KINDS_OF: [(&str, &[&str]); 27] = [
    ("writes", &["command", "acp"]),
    ("preset", &["command", "acp", "api"]),
    ("api", &["api"]),
    ("base_url", &["api"]),
    ("api_key_env", &["api"]),
    ("json_mode", &["api"]),
    ("tools", &["api"]),
    ("mcp", &["api"]),
    ("mcp_tools", &["api"]),
    ("schema_args", &["command"]),
    ("resume_args", &["command"]),
    ("extract", &["command"]),
    ("command", &["command", "acp"]),
    ("args", &["command", "acp"]),
    ("transport", &["command"]),
    ("env", &["command", "acp"]),
    ("env_pass", &["command", "acp"]),
    ("role", &["command", "acp", "api"]),
    ("script", &["replay"]),
    ("mode", &["acp"]),
    ("write_mode", &["acp"]),
    ("on_permission", &["acp"]),
    ("model", &["command", "acp", "api", "replay"]),
    ("timeouts", &["command", "acp", "api", "replay", "memory"]),
    ("retry", &["command", "acp", "api", "replay"]),
    ("max_parallel", &["command", "acp", "api", "replay"]),
    ("max_output_tokens", &["command", "acp", "api"]),
];

/// Makes settings of a tree whose layers were checked, without the detected checks.
///
/// # Errors
/// A usage failure when keys contradict each other.
pub(super) fn settings(tree: &Node) -> Result<Settings, Failure> {
    let servers = entries(tree, "mcp_servers").map(server).collect::<Result<BTreeMap<_, _>, _>>()?;
    let memory = memory(tree, &servers)?;
    Ok(Settings {
        agents: agents(tree)?,
        servers,
        memory_profile: profile(tree, &memory)?,
        offers: Vec::new(),
        memory,
        checks: entries(tree, "checks").map(check).collect::<Result<_, _>>()?,
        consensus: Consensus {
            agree: parsed(tree, "consensus.agree")?,
            quorum: parsed(tree, "consensus.quorum")?,
            merge_threshold: parsed(tree, "consensus.merge_threshold")?,
            round: if string(tree, "consensus.round")? == "off" { Round::Off } else { Round::Auto },
        },
        guardrails: entries(tree, "guardrails").map(guardrails).collect::<Result<_, _>>()?,
        gates: Checkpoint::ALL.into_iter().map(|point| held_at(tree, point)).collect::<Result<_, _>>()?,
        stages: entries(tree, "stages").map(stage_rules).collect::<Result<_, _>>()?,
        context: Context { files: at(tree, "context.files").map(|node| placed(node, texts)).transpose()? },
        run: Limits {
            deadline_ms: milliseconds(tree, "run.deadline_s")?,
            on_hangup: match string(tree, "run.on_hangup")?.as_str() {
                "detach" => OnHangup::Detach,
                _ => OnHangup::Stop,
            },
        },
        budget: Budget {
            run_micro_usd: usd(tree, "budget.run_usd")?,
            allow_unpriced: placed(required(tree, "budget.allow_unpriced")?, flag)?,
        },
        prices: entries(tree, "prices").map(price).collect::<Result<_, _>>()?,
        evidence: Evidence {
            root: string(tree, "evidence.root")?,
            lock_timeout_ms: whole(tree, "evidence.lock_timeout_ms")?,
            redact_env: placed(required(tree, "evidence.redact_env")?, texts)?,
        },
        worktrees: Worktrees { root: string(tree, "worktrees.root")?, quota_mb: whole(tree, "worktrees.quota_mb")? },
    })
}

fn agents(tree: &Node) -> Result<Vec<Agent>, Failure> {
    match tree.get("agents").map(|node| &node.value) {
        Some(Value::List(items)) => items.iter().map(agent).collect(),
        Some(Value::Text(_) | Value::Whole(_) | Value::Flag(_) | Value::Table(_) | Value::Other(_)) | None => {
            Ok(Vec::new())
        }
    }
}

fn agent(entry: &Node) -> Result<Agent, Failure> {
    let kind = string(entry, "kind")?;
    for (key, kinds) in KINDS_OF {
        if let Some(node) = entry.get(key)
            && !kinds.contains(&kind.as_str())
        {
            return Err(node.refuse(format!("{key} does nothing for an agent of kind {kind:?}"), "remove it"));
        }
    }
    let named = |key: &str, bad: BadName| {
        required(entry, key).map_or_else(|f| f, |node| node.refuse(bad.to_string(), "use another name"))
    };
    let name = AgentName::new(&string(entry, "name")?).map_err(|bad| named("name", bad))?;
    if name.as_str() == HOST {
        let why = format!("{HOST} is what the program itself is called on a panel");
        return Err(required(entry, "name")?.refuse(why, "use another name"));
    }
    let family = Family::new(&string(entry, "family")?).map_err(|bad| named("family", bad))?;
    let full = &filled(entry.clone(), "agents[]");
    let kind = match kind.as_str() {
        "memory" => AgentKind::Memory,
        "api" => AgentKind::Api(service(entry, full)?),
        "replay" => AgentKind::Replay { script: for_kind(full, "script", "replay", |node| string(node, "script"))? },
        "acp" => AgentKind::Command(spoken(entry, full)?),
        _ => AgentKind::Command(match entry.get("preset") {
            Some(named) => presets::launch(entry, full, placed(named, text)?)?,
            None => for_kind(full, "command", "command", launch)?,
        }),
    };
    let timeouts = Timeouts {
        start_ms: milliseconds(full, "timeouts.start_s")?,
        first_event_ms: milliseconds(full, "timeouts.first_event_s")?,
        idle_ms: milliseconds(full, "timeouts.idle_s")?,
        total_ms: milliseconds(full, "timeouts.total_s")?,
        kill_grace_ms: milliseconds(full, "timeouts.kill_grace_s")?,
    };
    Ok(Agent {
        role: optional(full, "role")?,
        model: optional(full, "model")?,
        stages: placed(required(full, "stages")?, stages)?,
        writes: writes(full)?,
        timeouts,
        retry: retry(full)?,
        max_parallel: small(full, "max_parallel")?,
        max_output_tokens: whole(full, "max_output_tokens")?,
        ..Agent::new(name, family, kind)
    })
}

/// Reads where an agent may change files. A preset whose program is not known to keep to its folder may not.
fn writes(entry: &Node) -> Result<BTreeSet<Stage>, Failure> {
    let node = required(entry, "writes")?;
    let writes = placed(node, stages)?;
    if writes.iter().any(|stage| *stage != Stage::Implement) {
        return Err(node.refuse("files are changed at implement only", "write writes = [\"implement\"]"));
    }
    let known = entry.get("preset").map(|named| placed(named, text)).transpose()?.and_then(preset);
    let is_spoken = string(entry, "kind")? == "acp";
    let (may, where_, next) = match known {
        _ if writes.is_empty() => return Ok(writes),
        None => return Ok(writes),
        Some(known) if is_spoken => (
            known.acp.write_mode.is_some(),
            " over the Agent Client Protocol",
            "let claude, gemini or a program of your own write, or remove kind = \"acp\"",
        ),
        Some(known) => (!known.writes.is_empty(), "", "let claude, codex, gemini or a program of your own write"),
    };
    match known.filter(|_| !may) {
        Some(known) => Err(node.refuse(
            format!("preset {:?}{where_} is not known to keep its changes inside a worktree", known.name),
            next,
        )),
        None => Ok(writes),
    }
}

/// Reads what a kind cannot do without.
fn for_kind<T>(
    entry: &Node,
    key: &str,
    kind: &str,
    read: impl FnOnce(&Node) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if entry.get(key).is_none() {
        return Err(entry.refuse(format!("an agent of kind {kind:?} has no {key}"), format!("add {key} = …")));
    }
    read(entry)
}

/// Reads where a model over HTTP is. `entry` is what was written, `full` has the defaults, too.
fn service(entry: &Node, full: &Node) -> Result<Service, Failure> {
    if let Some(named) = entry.get("preset")
        && local(placed(named, text)?).is_none()
    {
        return Err(named.refuse("this preset is a program, not an address", "remove it, or kind = \"api\""));
    }
    for key in ["api", "base_url", "model"] {
        for_kind(full, key, "api", |_| Ok(()))?;
    }
    let api = string(full, "api")?;
    let place = required(full, "base_url")?;
    let base_url = placed(place, text)?;
    if let Some(why) = unusable(base_url) {
        let next = "write only the address; a key is named in api_key_env";
        return Err(place.refuse(format!("base_url: {why}, and would be shown"), next));
    }
    let mode = string(full, "json_mode")?;
    Ok(Service {
        // What both may be was checked with their shape.
        api: Api::ALL.into_iter().find(|known| known.name() == api).unwrap_or(Api::OpenaiChat),
        base_url: base_url.trim_end_matches('/').to_owned(),
        key_env: optional(full, "api_key_env")?,
        json_mode: JsonMode::ALL.into_iter().find(|known| known.name() == mode).unwrap_or(JsonMode::JsonSchema),
        tools: placed(required(full, "tools")?, flag)?,
        lent: lent(full)?,
    })
}

/// Reads what a model is offered of MCP servers.
fn lent(full: &Node) -> Result<Lent, Failure> {
    let set = |key: &str| Ok::<_, Failure>(placed(required(full, key)?, texts)?.into_iter().collect::<BTreeSet<_>>());
    let lent = Lent { servers: set("mcp")?, tools: set("mcp_tools")? };
    if !lent.servers.is_empty() && !placed(required(full, "tools")?, flag)? {
        return Err(required(full, "mcp")?.refuse("mcp does nothing beside tools = false", "remove one of them"));
    }
    let is_of_one = |tool: &String| lent.servers.iter().any(|server| tool.starts_with(&format!("{server}__")));
    match lent.tools.iter().find(|tool| !is_of_one(tool)) {
        None => Ok(lent),
        Some(tool) => Err(required(full, "mcp_tools")?.refuse(
            format!("mcp_tools: {tool:?} is of no server in mcp"),
            "write it as server__tool, and the server in mcp",
        )),
    }
}

/// Says which agents are offered servers that are not there. No error: what other programs brought is not on every machine.
pub(super) fn without_lender(settings: &Settings) -> Vec<Safe> {
    let is_there = |name: &str| {
        let offered = settings.offers.iter().any(|offer| offer.name == name);
        offered || settings.servers.contains_key(name) || name == settings.memory.name()
    };
    let named = settings.agents.iter().flat_map(|agent| match &agent.kind {
        AgentKind::Api(service) => service.lent.servers.iter().map(|name| (agent, name)).collect(),
        AgentKind::Command(_) | AgentKind::Replay { .. } | AgentKind::Memory => Vec::new(),
    });
    let missing = named.filter(|(_, name)| !is_there(name));
    missing
        .map(|(agent, name)| {
            let next = format!("add [mcp_servers.{name}], or take it out of mcp");
            Safe::line(&format!(
                "agent {} is offered nothing of {name:?}: there is no such MCP server; {next}",
                agent.name
            ))
        })
        .collect()
}

fn launch(entry: &Node) -> Result<Launch, Failure> {
    let mut command = placed(required(entry, "command")?, texts)?;
    command.extend(placed(required(entry, "args")?, texts)?);
    let resume_args = placed(required(entry, "resume_args")?, texts)?;
    let transport = output(entry)?;
    if !resume_args.is_empty() && transport.is_text() {
        let node = required(entry, "resume_args")?;
        return Err(node.refuse(
            "resume_args does nothing for transport \"text\": no session is ever named",
            "set transport = \"jsonl\" and extract.session, or remove it",
        ));
    }
    Ok(Launch {
        command,
        env: placed(required(entry, "env")?, env)?,
        env_pass: placed(required(entry, "env_pass")?, texts)?,
        transport,
        schema_args: placed(required(entry, "schema_args")?, texts)?,
        resume_args,
        preset: None,
    })
}

/// Reads how an agent is started that is spoken to over the Agent Client Protocol.
fn spoken(entry: &Node, full: &Node) -> Result<Launch, Failure> {
    let on_permission = match string(full, "on_permission")?.as_str() {
        "reject" => OnPermission::Reject,
        _ => OnPermission::Ask,
    };
    let (mode, write_mode) = (optional(full, "mode")?, optional(full, "write_mode")?);
    let manner = Manner { mode, write_mode, on_permission, ..Manner::default() };
    if let Some(named) = entry.get("preset") {
        return presets::spoken(entry, full, placed(named, text)?, manner);
    }
    for_kind(full, "command", "acp", |node| {
        let mut command = placed(required(node, "command")?, texts)?;
        command.extend(placed(required(node, "args")?, texts)?);
        Ok(Launch {
            command,
            env: placed(required(node, "env")?, env)?,
            env_pass: placed(required(node, "env_pass")?, texts)?,
            transport: stream::Transport::Acp(Box::new(manner)),
            ..Launch::default()
        })
    })
}

fn output(entry: &Node) -> Result<stream::Transport, Failure> {
    let named = string(entry, "transport")?;
    let rules = entry.get("extract").and_then(Node::entries).unwrap_or_default();
    if named == "text" {
        return match rules.first() {
            Some((_, rule)) => Err(rule.refuse(
                "extract does nothing for transport \"text\"",
                "set transport = \"jsonl\" or \"json\", or remove it",
            )),
            None => Ok(stream::Transport::Text),
        };
    }
    let mut dialect = Dialect::default();
    for (field, node) in rules {
        for rule in placed(node, shape::rules)? {
            let refuse = |bad: BadRule| node.refuse(format!("extract.{field}: {bad}"), nearest_field(field));
            dialect.add(field, &rule).map_err(refuse)?;
        }
    }
    if !dialect.knows_success() {
        return Err(entry.refuse(
            format!("transport {named:?} needs extract.ok: without it no turn ever ends well"),
            "add extract.ok, for example \"type=result and not is_error\"",
        ));
    }
    Ok(if named == "json" { stream::Transport::Json(dialect) } else { stream::Transport::Jsonl(dialect) })
}

fn nearest_field(field: &str) -> String {
    match nearest(field, Dialect::fields()).filter(|known| *known != field) {
        Some(meant) => format!("did you mean extract.{meant}?"),
        None => "write PATH, or PATH if CONDITION and CONDITION; a condition is PATH=WORD, PATH, or not before either"
            .into(),
    }
}

fn retry(entry: &Node) -> Result<Retry, Failure> {
    let retry = Retry {
        max: small(entry, "retry.max")?,
        base_ms: whole(entry, "retry.base_ms")?,
        cap_ms: whole(entry, "retry.cap_ms")?,
    };
    if retry.base_ms > retry.cap_ms {
        let node = required(entry, "retry")?;
        return Err(node.refuse("retry: base_ms is larger than cap_ms", "make cap_ms at least as large as base_ms"));
    }
    Ok(retry)
}

fn server((name, entry): (&String, &Node)) -> Result<(String, Server), Failure> {
    let full = &filled(entry.clone(), "mcp_servers.<name>");
    let server = Server {
        transport: transport(name, full)?,
        startup_timeout_ms: milliseconds(full, "startup_timeout_sec")?,
        tool_timeout_ms: milliseconds(full, "tool_timeout_sec")?,
    };
    Ok((name.clone(), server))
}

/// Keys of a server that is started, and of one that is at an address: a server is one or the other.
const STDIO_KEYS: [&str; 4] = ["command", "args", "env", "cwd"];
const HTTP_KEYS: [&str; 4] = ["url", "bearer_token_env_var", "http_headers", "env_http_headers"];

fn transport(name: &str, entry: &Node) -> Result<Transport, Failure> {
    let (mine, other) = match (entry.get("command"), entry.get("url")) {
        (Some(_), _) => ("command", HTTP_KEYS),
        (None, Some(_)) => ("url", STDIO_KEYS),
        (None, None) => {
            return Err(entry.refuse(
                format!("mcp_servers.{name} has neither command nor url"),
                "add command = … for a program, or url = … for an address",
            ));
        }
    };
    if let Some((key, node)) = other.iter().find_map(|key| entry.get(key).map(|node| (key, node))) {
        return Err(node.refuse(format!("mcp_servers.{name}: {key} does nothing beside {mine}"), "remove one of them"));
    }
    let table = |key: &str, read: fn(&Node) -> Result<BTreeMap<String, EnvValue>, Failure>| {
        entry.get(key).map(read).transpose().map(Option::unwrap_or_default)
    };
    if mine == "command" {
        return Ok(Transport::Stdio {
            command: string(entry, "command")?,
            args: entry.get("args").map(|node| placed(node, texts)).transpose()?.unwrap_or_default(),
            env: table("env", |node| placed(node, env))?,
            cwd: optional(entry, "cwd")?,
        });
    }
    let mut headers = table("http_headers", |node| placed(node, env))?;
    headers.extend(table("env_http_headers", |node| placed(node, env_names))?);
    Ok(Transport::Http {
        url: string(entry, "url")?,
        bearer_token_env_var: optional(entry, "bearer_token_env_var")?,
        headers,
    })
}

fn memory(tree: &Node, servers: &BTreeMap<String, Server>) -> Result<MemoryServer, Failure> {
    let node = required(tree, "memory.server")?;
    let name = placed(node, text)?;
    if servers.contains_key(name) {
        return Ok(MemoryServer::Declared(name.to_owned()));
    }
    if name == MemoryServer::EMBEDDED {
        return Ok(MemoryServer::Embedded);
    }
    let meant = nearest(name, servers.keys().map(String::as_str)).map(did_you_mean).unwrap_or_default();
    Err(node.refuse(
        format!("no MCP server is called {name:?}{meant}"),
        format!("add [mcp_servers.{name}], or remove memory.server to use the embedded one"),
    ))
}

fn profile(tree: &Node, memory: &MemoryServer) -> Result<Profile, Failure> {
    let node = required(tree, "memory.profile")?;
    // What it may be was checked with its shape.
    let profile = Profile::named(placed(node, text)?).unwrap_or_default();
    match memory {
        MemoryServer::Embedded if profile != Profile::Dicast => Err(node.refuse(
            format!("the embedded memory server offers the tools of \"dicast\", not of {:?}", profile.name()),
            "describe the other server under [mcp_servers.NAME] and name it in memory.server",
        )),
        MemoryServer::Embedded | MemoryServer::Declared(_) => Ok(profile),
    }
}

fn check((name, entry): (&String, &Node)) -> Result<(String, CheckTemplate), Failure> {
    let node = required(entry, "argv")?;
    let argv = placed(node, texts)?;
    // An id comes from an agent or a spec: it may not choose what is run.
    if argv.first().is_some_and(|program| program.contains("{id}")) {
        return Err(node.refuse(
            format!("checks.{name}.argv: the program depends on the test's id"),
            "write the program out; {id} may stand in its arguments",
        ));
    }
    Ok((name.clone(), CheckTemplate { argv, source: CheckSource::Declared }))
}

fn price((model, entry): (&String, &Node)) -> Result<(String, Price), Failure> {
    let price = Price {
        input_micro_usd: usd(entry, "input_per_mtok_usd")?,
        output_micro_usd: usd(entry, "output_per_mtok_usd")?,
    };
    Ok((model.clone(), price))
}

/// Reads an amount whose shape was checked, in millionths of a USD.
fn usd(node: &Node, path: &str) -> Result<u64, Failure> {
    let found = required(node, path)?;
    micro_usd(placed(found, text)?).ok_or_else(|| found.refuse(format!("{path}: no amount"), "correct the value"))
}

fn guardrails((name, entry): (&String, &Node)) -> Result<(Stage, Guardrails), Failure> {
    let full = &filled(entry.clone(), "guardrails.<stage>");
    let rails = Guardrails {
        before: placed(required(full, "before")?, argvs)?,
        after: placed(required(full, "after")?, argvs)?,
        timeout_ms: milliseconds(full, "timeout_s")?,
        clean_tree: placed(required(full, "clean_tree")?, flag)?,
    };
    Ok((named_stage(name, entry)?, rails))
}

fn held_at(tree: &Node, point: Checkpoint) -> Result<(Checkpoint, BTreeSet<Gate>), Failure> {
    Ok((point, placed(required(tree, &format!("gates.{}", point.name()))?, gates)?))
}

fn named_stage(name: &str, entry: &Node) -> Result<Stage, Failure> {
    name.parse::<Stage>().map_err(|e| entry.refuse(e.to_string(), "use the name of a stage"))
}

fn stage_rules((name, entry): (&String, &Node)) -> Result<(Stage, StageRules), Failure> {
    let stage = named_stage(name, entry)?;
    let read = |key| entry.get(key).map(|node| placed(node, flag)).transpose();
    Ok((stage, StageRules { allow_degraded: read("allow_degraded")?, allow_hollow: read("allow_hollow")? }))
}

/// Returns the programs whose servers are offered.
pub(super) fn import(tree: &Node) -> Result<Vec<String>, Failure> {
    placed(required(tree, "mcp.import")?, texts)
}

/// Returns the named entries of a section.
fn entries<'a>(tree: &'a Node, section: &str) -> impl Iterator<Item = (&'a String, &'a Node)> {
    tree.get(section).and_then(Node::entries).unwrap_or_default().into_iter()
}

fn at<'a>(node: &'a Node, path: &str) -> Option<&'a Node> {
    path.split('.').try_fold(node, |node, word| node.get(word))
}

/// Returns a value that a default or a check of ours guarantees; asks for it should that ever fail.
pub(super) fn required<'a>(node: &'a Node, path: &str) -> Result<&'a Node, Failure> {
    at(node, path).ok_or_else(|| node.refuse(format!("{path} is missing"), format!("add {path} = …")))
}

fn string(node: &Node, path: &str) -> Result<String, Failure> {
    placed(required(node, path)?, text).map(str::to_owned)
}

fn optional(node: &Node, path: &str) -> Result<Option<String>, Failure> {
    at(node, path).map(|found| placed(found, text).map(str::to_owned)).transpose()
}

fn whole(node: &Node, path: &str) -> Result<u64, Failure> {
    placed(required(node, path)?, number)
}

fn small(node: &Node, path: &str) -> Result<u32, Failure> {
    let found = required(node, path)?;
    u32::try_from(placed(found, number)?)
        .map_err(|_| found.refuse(format!("{path} is too large"), "use a smaller number"))
}

fn milliseconds(node: &Node, path: &str) -> Result<u64, Failure> {
    Ok(whole(node, path)?.saturating_mul(1_000))
}

fn parsed<T: TryFrom<String, Error: std::fmt::Display>>(node: &Node, path: &str) -> Result<T, Failure> {
    let found = required(node, path)?;
    T::try_from(string(node, path)?).map_err(|e| found.refuse(format!("{path}: {e}"), "correct the value"))
}

/// Tells whether an entry stands in the repository's own file.
pub(super) fn is_of_project(node: &Node) -> bool {
    node.origin.layer == Layer::Project
}

/// Tells whether an entry or a value in it stands in the repository's own file.
pub(super) fn is_partly_of_project(node: &Node) -> bool {
    is_of_project(node) || node.entries().unwrap_or_default().into_iter().any(|(_, part)| is_of_project(part))
}
