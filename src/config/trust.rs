//! Which repositories' configs were approved: a private file of the user, never one of the repository.
//!
//! It must not know what an approval allows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::disk::text::{canonical as canonical_path, read_text_capped, write_atomic_private_text};
use crate::domain::failure::Failure;
use crate::domain::hash::{Sha, canonical};
use crate::domain::moment::Moment;
use crate::domain::safe::Safe;
use crate::domain::settings::{
    AgentKind, CheckSource, CheckTemplate, EnvValue, Launch, Offer, Proposal, Server, Settings, Transport, Trust,
    TrustItem, TrustSource,
};

use super::diff::diff;

/// How many approvals are remembered per repository: branches with different configs do not ask again and again.
const REMEMBERED: usize = 5;

/// Largest store read, in bytes: it holds copies of configs of at most 1 MB each.
const STORE_MAX: u64 = 64 << 20;

/// The schema of the store's file.
const SCHEMA: &str = "dicast.trust/1";

/// The file of approvals.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    kept: Kept,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    schema: String,
    /// By the hash of the repository's canonical path.
    repos: BTreeMap<String, Repo>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Repo {
    path: String,
    /// The oldest first.
    approved: Vec<Approval>,
    /// Servers of other programs that were approved, by their hashes.
    #[serde(default)]
    servers: BTreeSet<Sha>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Approval {
    hash: Sha,
    at: Moment,
    /// What was approved, to show how it changed.
    config: Option<String>,
    checks: BTreeMap<String, Vec<String>>,
}

/// One approval, to be listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Approved {
    /// The repository's path.
    pub repo: Safe,
    /// What was approved.
    pub hash: Sha,
    /// When.
    pub at: Moment,
}

impl Store {
    /// Makes a store that holds nothing yet.
    pub fn empty(path: PathBuf) -> Self {
        Self { path, kept: Kept { schema: SCHEMA.into(), repos: BTreeMap::new() } }
    }

    /// Reads the store; a file that is not there is an empty store.
    ///
    /// # Errors
    /// A failure that names the file when it cannot be read or understood.
    pub fn open(path: PathBuf) -> Result<Self, Failure> {
        let Some(text) = read_text_capped(&path, STORE_MAX)? else { return Ok(Self::empty(path)) };
        let unusable = |why: String| Failure::BadInput {
            place: path.display().to_string(),
            why,
            next: "remove the file; what you approved is then asked again".into(),
            exit: 3,
        };
        let kept: Kept =
            serde_json::from_str(&text).map_err(|e| unusable(format!("the approvals cannot be read: {e}")))?;
        if kept.schema != SCHEMA {
            return Err(unusable(format!("its schema is {:?}, not {SCHEMA:?}", kept.schema)));
        }
        Ok(Self { path, kept })
    }

    /// Judges what a repository would run.
    pub fn judge(&self, proposal: Proposal) -> Trust {
        if proposal.items.is_empty() {
            return Trust::Unneeded;
        }
        let approved = self.kept.repos.get(proposal.repo_key.as_str()).map_or(&[][..], |repo| &repo.approved);
        if approved.iter().any(|one| one.hash == proposal.hash) {
            return Trust::Approved(proposal);
        }
        match approved.last() {
            None => Trust::Unapproved(proposal),
            Some(last) => {
                let before = shown(last.config.as_deref(), &last.checks);
                let diff = diff(&before, &shown(proposal.config.as_deref(), &proposal.checks));
                Trust::Changed { proposal, diff }
            }
        }
    }

    /// Remembers that exactly this was approved.
    ///
    /// # Errors
    /// A disk failure; nothing is approved then.
    pub fn approve(&mut self, proposal: &Proposal, at: Moment) -> Result<(), Failure> {
        let mut kept = self.kept.clone();
        let repo = kept.repos.entry(proposal.repo_key.to_string()).or_default();
        repo.path = proposal.repo.as_str().to_owned();
        repo.approved.retain(|one| one.hash != proposal.hash);
        repo.approved.push(Approval {
            hash: proposal.hash.clone(),
            at,
            config: proposal.config.clone(),
            checks: proposal.checks.clone(),
        });
        let surplus = repo.approved.len().saturating_sub(REMEMBERED);
        repo.approved.drain(..surplus);
        self.keep(kept)
    }

    /// Tells whether exactly this offered server was approved for a repository.
    pub fn is_approved(&self, repo: &Path, offer: &Sha) -> bool {
        let kept = repo_key(repo).ok().and_then(|key| self.kept.repos.get(key.as_str()));
        kept.is_some_and(|repo| repo.servers.contains(offer))
    }

    /// Remembers that exactly this offered server was approved for a repository.
    ///
    /// # Errors
    /// A disk failure; nothing is approved then.
    pub fn approve_offer(&mut self, repo: &Path, offer: &Offer) -> Result<(), Failure> {
        let mut kept = self.kept.clone();
        let entry = kept.repos.entry(repo_key(repo)?.as_str().to_owned()).or_default();
        entry.path = Safe::line(&canonical_path(repo)?.display().to_string()).as_str().to_owned();
        entry.servers.insert(offer.hash.clone());
        self.keep(kept)
    }

    /// Forgets every approval of a repository; returns how many there were.
    ///
    /// # Errors
    /// A disk failure; nothing is forgotten then.
    pub fn revoke(&mut self, repo: &Path) -> Result<usize, Failure> {
        let mut kept = self.kept.clone();
        let forgotten =
            kept.repos.remove(repo_key(repo)?.as_str()).map_or(0, |repo| repo.approved.len() + repo.servers.len());
        if forgotten > 0 {
            self.keep(kept)?;
        }
        Ok(forgotten)
    }

    /// Lists the approvals by repository, the oldest first.
    pub fn list(&self) -> Vec<Approved> {
        let mut list: Vec<Approved> = Vec::new();
        for repo in self.kept.repos.values() {
            list.extend(repo.approved.iter().map(|one| Approved {
                repo: Safe::line(&repo.path),
                hash: one.hash.clone(),
                at: one.at,
            }));
        }
        list.sort_by(|a, b| (&a.repo, a.at).cmp(&(&b.repo, b.at)));
        list
    }

    fn keep(&mut self, kept: Kept) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(&kept).map_err(|e| Failure::BadInput {
            place: self.path.display().to_string(),
            why: format!("the approvals cannot be written: {e}"),
            next: "remove the file; what you approved is then asked again".into(),
            exit: 3,
        })?;
        write_atomic_private_text(&self.path, &text)?;
        self.kept = kept;
        Ok(())
    }
}

fn repo_key(repo: &Path) -> Result<Sha, Failure> {
    Ok(Sha::of(canonical_path(repo)?.as_os_str().as_encoded_bytes()))
}

/// Collects what a repository would run. `config` is the text of its own file if that is in use; `of_project` names
/// the agents, servers, checks and guardrails that stand in it.
///
/// # Errors
/// A disk failure when the repository's path cannot be resolved.
pub(super) fn proposal(
    repo: &Path,
    config: Option<String>,
    settings: &Settings,
    of_project: &OfProject,
) -> Result<Proposal, Failure> {
    let checks: BTreeMap<String, Vec<String>> = settings
        .checks
        .iter()
        .filter(|(_, check)| check.source == CheckSource::Detected)
        .map(|(name, check)| (name.clone(), check.argv.clone()))
        .collect();
    // Every field has its own place in the JSON, so that no config text can pass for a detected check.
    let approved = json!({ "schema": SCHEMA, "config": config, "checks": checks });
    let hash =
        canonical(&approved).map(Sha::of).map_err(|e| Failure::usage(".dicast/config.toml", e.to_string(), "-"))?;
    Ok(Proposal {
        repo: Safe::line(&canonical_path(repo)?.display().to_string()),
        repo_key: repo_key(repo)?,
        hash,
        items: items(settings, of_project),
        config,
        checks,
    })
}

/// What stands in the repository's own file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OfProject {
    pub(super) agents: BTreeSet<String>,
    pub(super) servers: BTreeSet<String>,
    pub(super) checks: BTreeSet<String>,
    /// Stages whose guardrails stand there.
    pub(super) guardrails: BTreeSet<String>,
    pub(super) evidence_root: bool,
    /// What stands there about what a run may cost, as TOML.
    pub(super) money: Vec<String>,
}

fn items(settings: &Settings, of_project: &OfProject) -> Vec<TrustItem> {
    let mut items = Vec::new();
    for agent in settings.agents.iter().filter(|agent| of_project.agents.contains(agent.name.as_str())) {
        match &agent.kind {
            AgentKind::Command(launch) => items.push(item(&format!("agent {}", agent.name), launch)),
            // The repository and a key of ours go to that address, and what servers and tools give that it names.
            AgentKind::Api(service) => {
                let env_pass = service.key_env.iter().cloned().collect();
                let lent = service.lent.servers.iter().map(|server| format!("mcp:{server}"));
                let words = std::iter::once(service.endpoint()).chain(lent).chain(service.lent.tools.iter().cloned());
                let place = Launch { env_pass, ..Launch::plain(words.collect(), BTreeMap::new()) };
                items.push(item(&format!("agent {}", agent.name), &place));
            }
            // A script is played by a child of ours, and an external participant runs elsewhere.
            AgentKind::Replay { .. } | AgentKind::Memory => {}
        }
    }
    for (name, server) in settings.servers.iter().filter(|(name, _)| of_project.servers.contains(*name)) {
        items.push(server_item(name, server));
    }
    for (name, check) in &settings.checks {
        match check.source {
            CheckSource::Declared if of_project.checks.contains(name) => items.push(check_item("check", name, check)),
            CheckSource::Declared => {}
            CheckSource::Detected => {
                let found = check_item("detected check", name, check);
                items.push(TrustItem { source: TrustSource::Detected, ..found });
            }
        }
    }
    for (stage, rails) in settings.guardrails.iter().filter(|(s, _)| of_project.guardrails.contains(s.name())) {
        for (when, argvs) in [("before", &rails.before), ("after", &rails.after)] {
            items.extend(argvs.iter().map(|argv| {
                let launch = Launch::plain(argv.clone(), BTreeMap::new());
                item(&format!("guardrail {when} {stage}"), &launch)
            }));
        }
    }
    let root = &settings.evidence.root;
    if of_project.evidence_root && (root.starts_with('/') || root.split('/').any(|part| part == "..")) {
        let launch = Launch::plain(vec![root.clone()], BTreeMap::new());
        items.push(item("evidence outside the repository", &launch));
    }
    if !of_project.money.is_empty() {
        items.push(item("what a run may cost", &Launch::plain(of_project.money.clone(), BTreeMap::new())));
    }
    items
}

/// Shows a server: what is started, or the address and which of our variables are sent there.
pub(super) fn server_item(name: &str, server: &Server) -> TrustItem {
    let (place, launch) = match &server.transport {
        Transport::Stdio { command, args, env, cwd } => {
            let command = std::iter::once(command).chain(args).cloned().collect();
            let place = cwd.as_ref().map(|cwd| format!(" (in {cwd})")).unwrap_or_default();
            (place, Launch::plain(command, env.clone()))
        }
        Transport::Http { url, bearer_token_env_var, headers } => {
            let env_pass = bearer_token_env_var.iter().cloned().collect();
            (String::new(), Launch { env_pass, ..Launch::plain(vec![url.clone()], headers.clone()) })
        }
    };
    item(&format!("MCP server {name}{place}"), &launch)
}

fn check_item(what: &str, name: &str, check: &CheckTemplate) -> TrustItem {
    let launch = Launch::plain(check.argv.clone(), BTreeMap::new());
    item(&format!("{what} {name}"), &launch)
}

fn item(what: &str, launch: &Launch) -> TrustItem {
    let written = |value: &EnvValue| Safe::line(&String::from(value.clone()));
    TrustItem {
        what: Safe::line(what),
        argv: launch.command.iter().map(|word| Safe::line(word)).collect(),
        env: launch.env.iter().map(|(name, value)| (Safe::line(name), written(value))).collect(),
        env_pass: launch.env_pass.iter().map(|name| Safe::line(name)).collect(),
        source: TrustSource::Config,
    }
}

/// Writes what is approved as one text, to compare two approvals.
fn shown(config: Option<&str>, checks: &BTreeMap<String, Vec<String>>) -> String {
    let found = checks.iter().map(|(name, argv)| format!("detected check {name}: {}\n", argv.join(" ")));
    found.chain(config.map(str::to_owned)).collect()
}

/// Grants exactly the hashes that were given on the command line, for this process.
///
/// # Errors
/// A usage failure when one is no hash.
pub(super) fn granted_by_flag(trust: Trust, hashes: &[String]) -> Result<Trust, Failure> {
    for hash in hashes {
        if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(Failure::usage(
                "--yes-trust",
                "this is no hash of a config",
                "give the 64 hex digits that `dicast trust list` shows",
            ));
        }
    }
    let given = |proposal: &Proposal| hashes.iter().any(|hash| *hash == *proposal.hash.0);
    Ok(match trust {
        Trust::Unapproved(proposal) | Trust::Changed { proposal, .. } if given(&proposal) => Trust::Approved(proposal),
        Trust::Unneeded | Trust::Approved(_) | Trust::Unapproved(_) | Trust::Changed { .. } => trust,
    })
}
