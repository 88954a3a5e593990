//! The first config of a repository: every key, commented out, with what was found.
//!
//! It must not know the command that asks for it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::disk::text::{is_file, write_atomic_text};
use crate::domain::failure::Failure;
use crate::domain::machine::Machine;
use crate::domain::moment::Moment;
use crate::domain::preset::preset;
use crate::domain::settings::CheckTemplate;

use super::found::{self, Found, KNOWN};
use super::keys::{KEYS, Otherwise, State};
use super::trust::Store;
use super::{Loaded, PROJECT_CONFIG, Sources, load};

/// Keeps everything of ours out of git but the config and the project's templates.
pub const GITIGNORE: &str = "# Written by dicast: only the config and templates are for everybody.\n*\n!.gitignore\n\
    !config.toml\n!templates/\n!templates/*\n";

/// What was found in a repository.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepoFacts {
    /// Agent programs on PATH.
    pub agents: Vec<Found>,
    /// Servers of models on this machine that answered.
    pub servers: Vec<Serving>,
    /// Checks that the build files offer.
    pub checks: BTreeMap<String, CheckTemplate>,
}

/// A server of models that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// Its name as a preset.
    pub name: String,
    /// Where it is.
    pub base_url: String,
    /// The first model that it named.
    pub model: String,
    /// How many it named.
    pub models: usize,
}

impl Serving {
    /// Returns the servers of a machine that answered.
    pub fn of(machine: &Machine) -> Vec<Self> {
        let serving = machine.serving().map(|(server, model, models)| Self {
            name: server.name.clone(),
            base_url: server.base_url.clone(),
            model: model.as_str().to_owned(),
            models,
        });
        serving.collect()
    }
}

/// Returns the text of a first config.
pub fn text(facts: &RepoFacts) -> String {
    let mut out = String::from(
        "# What dicast does in this repository. Every key stands here with its default, commented out;\n\
         # what is set in ~/.config/dicast/config.toml is used unless it is set here.\n\
         # A change of a byte here asks for approval again before anything is run.\n",
    );
    agents(&mut out, facts);
    let mut section = "";
    for key in KEYS.iter().filter(|key| matches!(key.state, State::Works)) {
        let Some((table, word)) = key.path.rsplit_once('.') else { continue };
        if table.starts_with("agents[]") {
            continue;
        }
        if table != section {
            section = table;
            if table == "checks.<name>" {
                checks(&mut out, &facts.checks);
            }
            line(&mut out, &format!("\n# [{table}]"));
        }
        for words in wrapped(key.means) {
            line(&mut out, &format!("#   {words}"));
        }
        match key.default {
            Otherwise::Value(value) => line(&mut out, &format!("# {word} = {value}")),
            Otherwise::Unset(then) => line(&mut out, &format!("# {word} = …   (unset: {then})")),
            Otherwise::Required => line(&mut out, &format!("# {word} = …")),
        }
    }
    out
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}

fn agents(out: &mut String, facts: &RepoFacts) {
    let RepoFacts { agents: found, servers, .. } = facts;
    line(out, "\n# The panel. Any program that reads a prompt on stdin and prints an answer on stdout can be on it.");
    if found.is_empty() {
        line(out, "# No agent program that dicast knows by name was found on PATH.");
    }
    for agent in found {
        match preset(agent.name) {
            Some(known) if known.needs_model => {
                line(
                    out,
                    &format!(
                        "# Found on PATH: {}. Say which model it is to use; without that it may choose one.",
                        known.name
                    ),
                );
                line(out, &format!("# [[agents]]\n# name = \"{0}\"\n# preset = \"{0}\"\n# model = …", known.name));
            }
            Some(known) => {
                line(out, &format!("# Found on PATH: {}. It only reads; remove it to leave it out.", known.name));
                line(out, &format!("[[agents]]\nname = \"{0}\"\npreset = \"{0}\"", known.name));
            }
            None => {
                line(out, &format!("# Found on PATH: {}. It has no preset: describe how it is started.", agent.name))
            }
        }
    }
    servers.iter().for_each(|serving| server(out, serving));
    line(out, "\n# [[agents]]");
    for key in KEYS.iter().filter(|key| matches!(key.state, State::Works)) {
        let Some(word) = key.path.strip_prefix("agents[].") else { continue };
        for words in wrapped(key.means) {
            line(out, &format!("#   {words}"));
        }
        match key.default {
            Otherwise::Value(value) => line(out, &format!("# {word} = {value}")),
            Otherwise::Unset(then) => line(out, &format!("# {word} = …   (unset: {then})")),
            Otherwise::Required => line(out, &format!("# {word} = …   (required)")),
        }
    }
}

/// Names the server's first model, which only a person can say whose it is.
fn server(out: &mut String, Serving { name, base_url, model, models }: &Serving) {
    let model = toml::Value::String(model.clone());
    line(
        out,
        &format!("# Found at {base_url}: {name}, with {models} to choose from. It reads the repository by our own"),
    );
    line(out, "# tools. Say under family whose model it is: one vote for each.");
    line(out, &format!("[[agents]]\nname = \"{name}\"\npreset = \"{name}\"\nkind = \"api\"\nfamily = \"{name}\""));
    line(out, &format!("model = {model}"));
}

fn checks(out: &mut String, found: &BTreeMap<String, CheckTemplate>) {
    for (name, check) in found {
        line(out, "\n# Found by itself; approved with this file.");
        line(out, &format!("[checks.{name}]"));
        line(out, &format!("argv = {}", list(&check.argv.iter().map(String::as_str).collect::<Vec<_>>())));
    }
}

fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| toml::Value::String((*word).to_owned()).to_string()).collect();
    format!("[{}]", quoted.join(", "))
}

/// Breaks a sentence into comment lines of at most 100 characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if let Some(last) = lines.last_mut() {
            if last.is_empty() {
                last.push_str(word);
            } else if last.chars().count() + word.chars().count() < 100 {
                last.push(' ');
                last.push_str(word);
            } else {
                lines.push(word.to_owned());
            }
        }
    }
    lines
}

/// Writes the first config of a repository. Nothing of it runs before it is approved.
///
/// # Errors
/// A usage failure when there is a config already, a disk failure when it cannot be written.
pub fn write(sources: &Sources, facts: &RepoFacts) -> Result<(), Failure> {
    let path = sources.repo.join(PROJECT_CONFIG);
    if is_file(&path) {
        return Err(Failure::usage(PROJECT_CONFIG, "it is there already", "edit it, or remove it first"));
    }
    let ignore = sources.repo.join(".dicast/.gitignore");
    if !is_file(&ignore) {
        write_atomic_text(&ignore, GITIGNORE)?;
    }
    write_atomic_text(&path, &text(facts))
}

/// Writes the first config of a repository and approves what it wrote: for somebody who asked for exactly that.
///
/// # Errors
/// Those of [`write()`]; when what is approved cannot be kept.
pub fn write_approved(sources: &Sources, facts: &RepoFacts, at: Moment) -> Result<Loaded, Failure> {
    write(sources, facts)?;
    let own = Sources { given_config: None, ..sources.clone() };
    if let (Some(proposal), Some(store)) = (load(&own)?.trust.proposal(), own.trust_store.clone()) {
        Store::open(store)?.approve(proposal, at)?;
    }
    load(&own)
}

/// Looks at a repository and at PATH; of servers it is told.
pub fn facts(sources: &Sources, servers: Vec<Serving>) -> RepoFacts {
    let path = sources.env.get("PATH").map(std::ffi::OsStr::new);
    RepoFacts {
        agents: found::find_on_path(KNOWN.iter().map(|known| known.name), path),
        servers,
        checks: found::checks(&sources.repo),
    }
}
