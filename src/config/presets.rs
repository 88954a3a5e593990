//! Agents that are named by a preset: what it sets lies under what the user wrote.
//!
//! It must not know what a preset's words mean.

use std::collections::BTreeMap;

use crate::domain::acp::Manner;
use crate::domain::failure::Failure;
use crate::domain::preset::{PASSED, Preset, SPOKEN_START_S, Spoken, preset};
use crate::domain::settings::{Api, EnvValue, Launch, Local, local};
use crate::domain::stream::Transport;

use super::build::required;
use super::shape::{env, placed, text, texts};
use super::tree::{Layer, Node, Origin, Table, Value};

/// Keys that a preset sets for good.
const SET: [&str; 4] = ["transport", "extract", "schema_args", "resume_args"];

/// Puts what presets set under the agents that name them, so that nobody has to write it.
pub(super) fn lay_under(mut tree: Node) -> Node {
    if let Value::Table(table) = &mut tree.value
        && let Some(Value::List(agents)) = table.get_mut("agents").map(|node| &mut node.value)
    {
        agents.iter_mut().for_each(complete);
    }
    tree
}

fn complete(agent: &mut Node) {
    let Some(named) = agent.get("preset").and_then(|node| placed(node, text).ok()).map(str::to_owned) else { return };
    if let Some(server) = local(&named) {
        return at_address(agent, server);
    }
    let Some(known) = preset(&named) else { return };
    let origin = Origin { layer: Layer::Default, place: format!("preset {}", known.name) };
    let of = |word: &str| Node::new(origin.clone(), Value::Text(word.to_owned()));
    let Value::Table(table) = &mut agent.value else { return };
    table.entry("kind".into()).or_insert_with(|| of("command"));
    table.entry("family".into()).or_insert_with(|| of(known.family));
    let is_spoken = table.get("kind").is_some_and(|kind| matches!(&kind.value, Value::Text(kind) if kind == "acp"));
    let limits = [("idle_s", known.idle_s), ("start_s", is_spoken.then_some(SPOKEN_START_S))];
    for (key, seconds) in limits.into_iter().filter_map(|(key, seconds)| seconds.map(|seconds| (key, seconds))) {
        let timeouts = table.entry("timeouts".into());
        let timeouts = timeouts.or_insert_with(|| Node::new(origin.clone(), Value::Table(Table::new())));
        if let Value::Table(timeouts) = &mut timeouts.value {
            timeouts.entry(key.into()).or_insert_with(|| Node::new(origin.clone(), Value::Whole(seconds)));
        }
    }
}

/// A server of models is its address; whose model it serves only the user knows.
fn at_address(agent: &mut Node, server: &Local) {
    let origin = Origin { layer: Layer::Default, place: format!("preset {}", server.name) };
    if agent.get("kind").is_some_and(|kind| placed(kind, text).ok() != Some("api")) {
        return;
    }
    let Value::Table(table) = &mut agent.value else { return };
    for (key, word) in [("kind", "api"), ("api", Api::OpenaiChat.name()), ("base_url", server.base_url)] {
        table.entry(key.into()).or_insert_with(|| Node::new(origin.clone(), Value::Text(word.to_owned())));
    }
}

/// Makes the launch of an agent of a preset. `entry` is what the user wrote, `full` has the defaults, too.
///
/// # Errors
/// A usage failure for a key that the preset sets for good.
pub(super) fn launch(entry: &Node, full: &Node, name: &str) -> Result<Launch, Failure> {
    let known = checked(entry, name)?;
    for key in SET {
        if let Some(node) = entry.get(key) {
            return Err(node.refuse(
                format!("{key} is set by preset {name:?}"),
                "remove it, or describe the program without a preset",
            ));
        }
    }
    let mut command = started_by(entry, known.command)?;
    if let Some(model) = entry.get("model") {
        let model = placed(model, text)?;
        command.extend(known.model.iter().map(|word| word.replace("{model}", model)));
    }
    command.extend(placed(required(full, "args")?, texts)?);
    let mut variables = set(known);
    variables.extend(placed(required(full, "env")?, env)?);
    Ok(Launch {
        command,
        env: variables,
        env_pass: passed(entry, known)?,
        transport: Transport::Jsonl(known.dialect()),
        schema_args: owned(known.schema),
        resume_args: owned(known.resume),
        preset: Some(known.name.to_owned()),
    })
}

/// Makes the launch of an agent of a preset that is spoken to over the Agent Client Protocol.
///
/// # Errors
/// A usage failure where something is missing, or is no name of a model.
pub(super) fn spoken(entry: &Node, full: &Node, name: &str, manner: Manner) -> Result<Launch, Failure> {
    let known = checked(entry, name)?;
    let Spoken {
        command,
        model,
        model_env,
        mode,
        extra,
        write_mode,
        write_extra,
        tells_cost: _,
        files: _,
        is_outside: _,
        install: _,
    } = known.acp;
    let mut command = started_by(entry, command)?;
    let (mut variables, mut chosen) = (set(known), None);
    if let Some(node) = entry.get("model") {
        let named = placed(node, text)?;
        chosen = Some(named.to_owned());
        // It may stand in a JSON text: what would end that text is in no name of a model.
        if named.contains(['"', '\\']) || named.contains(char::is_control) {
            return Err(node.refuse(format!("{named:?} is no name of a model"), "write it as the program lists it"));
        }
        command.extend(model.iter().map(|word| word.replace("{model}", named)));
        variables
            .extend(model_env.map(|(name, value)| (name.to_owned(), EnvValue::Text(value.replace("{model}", named)))));
    }
    command.extend(placed(required(full, "args")?, texts)?);
    variables.extend(placed(required(full, "env")?, env)?);
    let manner = Manner {
        mode: manner.mode.or(Some(mode.to_owned())),
        model: chosen.filter(|_| known.needs_model),
        extra: extra.map(str::to_owned),
        write_mode: manner.write_mode.or(write_mode.map(str::to_owned)),
        write_extra: write_extra.map(str::to_owned),
        ..manner
    };
    Ok(Launch {
        command,
        env: variables,
        env_pass: passed(entry, known)?,
        transport: Transport::Acp(Box::new(manner)),
        preset: Some(known.name.to_owned()),
        ..Launch::default()
    })
}

/// Finds a preset, and asks for the model that it needs.
fn checked(entry: &Node, name: &str) -> Result<&'static Preset, Failure> {
    let named = required(entry, "preset")?;
    if local(name).is_some() {
        return Err(named.refuse(format!("preset {name:?} is an address, not a program"), "remove kind"));
    }
    let known = preset(name).ok_or_else(|| named.refuse(format!("there is no preset {name:?}"), "use another one"))?;
    if known.needs_model && entry.get("model").is_none() {
        return Err(named.refuse(
            format!(
                "preset {name:?} needs a model: without one it would choose one of its own, and send everything there"
            ),
            "add model = …, as its own list names it",
        ));
    }
    Ok(known)
}

/// The program that the user names, or the preset's own, with the preset's arguments.
fn started_by(entry: &Node, own: &[&str]) -> Result<Vec<String>, Failure> {
    let mut command = match entry.get("command") {
        Some(node) => placed(node, texts)?,
        None => owned(&own[..1]),
    };
    command.extend(owned(&own[1..]));
    Ok(command)
}

fn passed(entry: &Node, known: &Preset) -> Result<Vec<String>, Failure> {
    let mut env_pass: Vec<String> = PASSED.iter().chain(known.env_pass).map(|name| (*name).to_owned()).collect();
    let more = entry.get("env_pass").map(|node| placed(node, texts)).transpose()?.unwrap_or_default();
    env_pass.extend(more.into_iter().filter(|name| !known.env_pass.contains(&name.as_str())));
    Ok(env_pass)
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn set(known: &Preset) -> BTreeMap<String, EnvValue> {
    known.env.iter().map(|(name, value)| ((*name).to_owned(), EnvValue::Text((*value).to_owned()))).collect()
}
