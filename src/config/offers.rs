//! MCP servers out of the configs of other programs: claude, codex, gemini.
//!
//! They are found and shown; nothing is started or asked here, and what cannot be understood is passed over with a
//! warning. It must not know approvals.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::disk::text::read_text_capped;
use crate::domain::hash::{Sha, canonical};
use crate::domain::safe::Safe;
use crate::domain::settings::{EnvValue, Offer, Server, Transport};

use super::shape::is_name;
use super::trust::server_item;
use super::{Sources, shown};

/// Largest such file that is read, in bytes: claude keeps more than its config in one of them.
const FILE_MAX: u64 = 8 << 20;

/// How long a server out of another config may take, in milliseconds, where that says nothing: our own defaults.
const STARTUP_MS: u64 = 15_000;
const TOOL_MS: u64 = 5_000;

/// The programs whose configs are known.
pub(super) const PROGRAMS: &[&str] = &["claude", "codex", "gemini"];

/// A table of servers as these programs write it. Each field is one that some of them knows.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: Option<String>,
    command: Option<String>,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    cwd: Option<String>,
    url: Option<String>,
    #[serde(rename = "httpUrl")]
    http_url: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    http_headers: BTreeMap<String, String>,
    #[serde(default)]
    env_http_headers: BTreeMap<String, String>,
    bearer_token_env_var: Option<String>,
    startup_timeout_sec: Option<u64>,
    tool_timeout_sec: Option<u64>,
}

/// Finds the servers of these programs that no config of ours names. Of two with one name the first is offered.
pub(super) fn find(sources: &Sources, programs: &[String], ours: &BTreeSet<&str>) -> (Vec<Offer>, Vec<Safe>) {
    let (mut offers, mut warnings): (Vec<Offer>, Vec<Safe>) = Default::default();
    for (program, path) in files(sources, programs) {
        let place = shown(&path, sources);
        let tables = match tables(program, &path, &sources.repo) {
            Ok(tables) => tables,
            Err(why) => {
                warnings.push(Safe::line(&format!("{place}: {why}; its MCP servers are not offered")));
                continue;
            }
        };
        for (name, value) in tables {
            if ours.contains(name.as_str()) || offers.iter().any(|offer| offer.name == name) {
                continue;
            }
            match offer(&name, value, program, &place) {
                Ok(offer) => offers.push(offer),
                Err(why) => warnings.push(Safe::line(&format!("{place}: MCP server {name} is not offered: {why}"))),
            }
        }
    }
    (offers, warnings)
}

/// Returns where the programs keep their servers: the repository's files first.
fn files(sources: &Sources, programs: &[String]) -> Vec<(&'static str, PathBuf)> {
    let home = sources.env.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let of = |program: &str| -> Vec<Option<PathBuf>> {
        let at_home = |path: &str| home.as_ref().map(|home| home.join(path));
        match program {
            "claude" => vec![Some(sources.repo.join(".mcp.json")), at_home(".claude.json")],
            "codex" => {
                let own = sources.env.get("CODEX_HOME").map(|folder| PathBuf::from(folder).join("config.toml"));
                vec![own.or_else(|| at_home(".codex/config.toml"))]
            }
            _ => vec![Some(sources.repo.join(".gemini/settings.json")), at_home(".gemini/settings.json")],
        }
    };
    let wanted = PROGRAMS.iter().filter(|program| programs.iter().any(|one| one == *program));
    wanted.flat_map(|program| of(program).into_iter().flatten().map(|path| (*program, path))).collect()
}

/// Reads the tables of servers in a file; a file that is not there has none.
fn tables(program: &str, path: &Path, repo: &Path) -> Result<Vec<(String, Value)>, String> {
    let text = read_text_capped(path, FILE_MAX).map_err(|failure| failure.to_string())?;
    let Some(text) = text else { return Ok(Vec::new()) };
    let (root, key): (Value, &str) = match program {
        "codex" => (toml::from_str(&text).map_err(|_| "it is not valid TOML")?, "mcp_servers"),
        _ => (serde_json::from_str(&text).map_err(|_| "it is not valid JSON")?, "mcpServers"),
    };
    // Claude keeps what was added for one folder beside what holds everywhere.
    let here = &root["projects"][repo.to_string_lossy().as_ref()][key];
    let all = [&root[key], here].into_iter().filter_map(Value::as_object).flatten();
    Ok(all.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn offer(name: &str, value: Value, program: &str, place: &str) -> Result<Offer, String> {
    if !is_name(name) {
        return Err("its name cannot be used here".into());
    }
    let entry: Entry = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let milliseconds = |seconds: Option<u64>, otherwise| seconds.map_or(otherwise, |s| s.saturating_mul(1_000));
    let server = Server {
        startup_timeout_ms: milliseconds(entry.startup_timeout_sec, STARTUP_MS),
        tool_timeout_ms: milliseconds(entry.tool_timeout_sec, TOOL_MS),
        transport: transport(entry, program)?,
    };
    let content = json!({"schema": "dicast.offer/1", "name": name, "server": server});
    let hash = canonical(&content).map(Sha::of).map_err(|error| error.to_string())?;
    let item = server_item(name, &server);
    Ok(Offer { name: name.to_owned(), from: place.to_owned(), hash, is_approved: false, item, server })
}

fn transport(entry: Entry, program: &str) -> Result<Transport, String> {
    if let Some(command) = entry.command {
        return Ok(Transport::Stdio { command, args: entry.args, env: values(entry.env), cwd: entry.cwd });
    }
    // Gemini's `url` and a `type` of sse mean the older transport, which nothing here speaks.
    let is_old = entry.kind.as_deref() == Some("sse") || (program == "gemini" && entry.http_url.is_none());
    match entry.http_url.or(entry.url) {
        Some(_) if is_old => Err("it speaks the older HTTP+SSE".into()),
        Some(url) => {
            let mut headers = values(entry.headers);
            headers.extend(values(entry.http_headers));
            headers.extend(entry.env_http_headers.into_iter().map(|(name, ours)| (name, EnvValue::Ours(ours))));
            Ok(Transport::Http { url, bearer_token_env_var: entry.bearer_token_env_var, headers })
        }
        None => Err("it has neither command nor url".into()),
    }
}

/// Reads values as these programs write them: `${NAME}` is a variable, as our `$NAME` is.
fn values(written: BTreeMap<String, String>) -> BTreeMap<String, EnvValue> {
    let value = |text: String| match text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(name) => EnvValue::from(format!("${name}")),
        None => EnvValue::from(text),
    };
    written.into_iter().map(|(name, text)| (name, value(text))).collect()
}
