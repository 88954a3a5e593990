//! Config: read, merged, checked against one table of keys, and held back until it is trusted.
//!
//! `~/.config/dicast/config.toml` < `.dicast/config.toml` < `DICAST_*` < flags. It reads files through
//! [`crate::disk`] only. It must not know the screen, the brain or any actor.

mod build;
mod diff;
pub mod found;
pub mod init;
pub mod keys;
mod layers;
pub mod manual;
mod nearest;
mod offers;
mod presets;
mod shape;
mod tree;
pub mod trust;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};

use crate::disk::text::read_text_capped;
use crate::domain::failure::Failure;
use crate::domain::moment::Moment;
use crate::domain::safe::Safe;
use crate::domain::settings::{CheckSource, Offer, Proposal, Settings, Trust};

pub use layers::Override;
pub use nearest::nearest;
pub use shape::Shape;
pub use tree::{Layer, Origin};

use tree::{Node, Value};
use trust::{OfProject, Store};

/// Largest config file read, in bytes.
pub const CONFIG_MAX: u64 = 1 << 20;

/// The repository's config, below its root.
pub const PROJECT_CONFIG: &str = ".dicast/config.toml";

/// Everything that config is read from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The repository's root.
    pub repo: PathBuf,
    /// The user's own file, if there is a home.
    pub user_config: Option<PathBuf>,
    /// The file given with `--config`: used instead of the repository's, and trusted.
    pub given_config: Option<PathBuf>,
    /// Our environment; only names that start with `DICAST_` and hold `__` are config.
    pub env: BTreeMap<String, String>,
    /// What flags set.
    pub flags: Vec<Override>,
    /// The hashes given with `--yes-trust`.
    pub yes_trust: Vec<String>,
    /// Where approvals are kept, if there is a home.
    pub trust_store: Option<PathBuf>,
}

impl Sources {
    /// Returns the sources of this machine and process for a repository, without flags.
    ///
    /// # Errors
    /// A usage failure when a `DICAST_` variable is not UTF-8.
    pub fn of_this_process(repo: PathBuf) -> Result<Self, Failure> {
        // Without a home directory there is no user config and nothing can be remembered; the rest still works.
        let xdg = Xdg::new().ok();
        let folder = |base: Option<PathBuf>| base.map(|base| base.join("dicast"));
        Ok(Self {
            repo,
            user_config: folder(xdg.as_ref().map(Xdg::config_dir)).map(|dicast| dicast.join("config.toml")),
            trust_store: folder(xdg.as_ref().and_then(Xdg::state_dir)).map(|dicast| dicast.join("trust.json")),
            env: environment(std::env::vars_os())?,
            ..Self::default()
        })
    }
}

/// Returns where turns get a folder of their own: in this user's cache. Some agent programs refuse settings from a folder
/// that others may write to, so the system's temporary one is only for who has no home.
pub fn turns_folder() -> PathBuf {
    let cache =
        Xdg::new().map(|xdg| xdg.cache_dir().join("dicast")).unwrap_or_else(|_| std::env::temp_dir().join("dicast"));
    cache.join("turns")
}

fn environment(vars: impl Iterator<Item = (OsString, OsString)>) -> Result<BTreeMap<String, String>, Failure> {
    let mut env = BTreeMap::new();
    for (name, value) in vars {
        // A name that is not UTF-8 is none of ours.
        let Ok(name) = name.into_string() else { continue };
        if let Ok(value) = value.into_string() {
            env.insert(name, value);
        } else if name.starts_with("DICAST_") {
            return Err(Failure::usage(name, "its value is not UTF-8 text", "correct or unset the variable"));
        }
    }
    Ok(env)
}

/// What was read: the settings, where each value came from, and whether the repository's part may run.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// All settings, to be shown. To run anything, ask [`Loaded::runnable`].
    pub settings: Settings,
    /// Whether what the repository would run was approved.
    pub trust: Trust,
    /// Every value in effect, sorted by key.
    pub values: Vec<Setting>,
    /// The files that were looked for.
    pub files: Vec<ConfigFile>,
    /// What should be said but stops nothing.
    pub warnings: Vec<Safe>,
}

/// One value in effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key; agents stand by name (`agents.claude.command`).
    pub key: String,
    /// Its value as TOML; of environment variables only the names.
    pub value: Safe,
    /// Where it came from.
    pub origin: Origin,
}

/// A file that was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Which layer it is.
    pub layer: Layer,
    /// Its path as it is shown: relative to the repository, or with `~`.
    pub shown: String,
    /// Whether it is there.
    pub found: bool,
}

impl Loaded {
    /// Returns the settings with everything that may run: detected checks only when they are approved.
    ///
    /// # Errors
    /// Exit 11 when the repository's config would run something that was not approved.
    pub fn runnable(&self) -> Result<Settings, Failure> {
        match self.trust.refusal() {
            Some(failure) => Err(failure),
            None => {
                let mut settings = self.settings.clone();
                let granted = self.trust.is_granted();
                settings.checks.retain(|_, check| granted || check.source == CheckSource::Declared);
                let (approved, offered) = settings.offers.into_iter().partition(|offer| offer.is_approved);
                settings.offers = offered;
                let approved: Vec<Offer> = approved;
                settings.servers.extend(approved.into_iter().map(|offer| (offer.name, offer.server)));
                Ok(settings)
            }
        }
    }

    /// Returns where a value came from, by its key.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.values.iter().find(|setting| setting.key == key).map(|setting| &setting.origin)
    }
}

/// Remembers, in this user's own store, that exactly this was approved for a repository.
///
/// # Errors
/// Exit 3 without a home folder to keep it in; a disk failure. Nothing is approved then.
pub fn approve(repo: &Path, proposal: &Proposal, at: Moment) -> Result<(), Failure> {
    match Sources::of_this_process(repo.to_owned())?.trust_store {
        Some(path) => Store::open(path)?.approve(proposal, at),
        None => Err(Failure::BadInput {
            place: "HOME".into(),
            why: "there is no home folder to keep approvals in".into(),
            next: format!("set HOME, or approve for one process with --yes-trust {}", proposal.hash),
            exit: 3,
        }),
    }
}

/// Remembers, in this user's own store, that exactly this offered server was approved for a repository.
///
/// # Errors
/// Exit 3 without a home folder to keep it in; a disk failure. Nothing is approved then.
pub fn approve_offer(sources: &Sources, offer: &Offer) -> Result<(), Failure> {
    match &sources.trust_store {
        Some(path) => Store::open(path.clone())?.approve_offer(&sources.repo, offer),
        None => Err(Failure::BadInput {
            place: "HOME".into(),
            why: "there is no home folder to keep approvals in".into(),
            next: format!("set HOME, or declare the server under [mcp_servers.{}]", offer.name),
            exit: 3,
        }),
    }
}

/// Reads all layers.
///
/// # Errors
/// A usage failure (exit 64) with the place of the first problem and the next step; a disk failure.
pub fn load(sources: &Sources) -> Result<Loaded, Failure> {
    let mut merged = layers::defaults();
    let mut files = Vec::new();
    let mut project_text = None;
    for (layer, path) in paths(sources) {
        let shown = shown(&path, sources);
        let text = read_text_capped(&path, CONFIG_MAX).map_err(|failure| at_shown(failure, &shown))?;
        files.push(ConfigFile { layer, shown: shown.clone(), found: text.is_some() });
        match text {
            Some(text) => {
                let tree = presets::lay_under(tree::parse(&text, layer, &shown)?);
                layers::check(&tree)?;
                merged = layers::merge(merged, tree);
                if layer == Layer::Project {
                    project_text = Some(text);
                }
            }
            None if layer == Layer::Given => {
                return Err(Failure::usage(format!("--config {shown}"), "there is no such file", "check the path"));
            }
            None => {}
        }
    }
    for (layer, given) in
        [(Layer::Environment, layers::from_environment(&sources.env)), (Layer::Flag, sources.flags.clone())]
    {
        merged = layers::merge(merged, layers::overrides(&given, layer)?);
    }
    let mut settings = build::settings(&merged)?;
    for (name, check) in found::checks(&sources.repo) {
        settings.checks.entry(name).or_insert(check);
    }
    let (trust, mut warnings) = judge(sources, project_text, &settings, &merged)?;
    let ours = settings.servers.keys().map(String::as_str).collect();
    let (mut offers, passed_over) = offers::find(sources, &build::import(&merged)?, &ours);
    warnings.extend(passed_over);
    // What is wrong with the store was said by the judgement above.
    let store = sources.trust_store.clone().and_then(|path| Store::open(path).ok());
    if let Some(store) = store {
        for offer in &mut offers {
            offer.is_approved = store.is_approved(&sources.repo, &offer.hash);
        }
    }
    settings.offers = offers;
    warnings.extend(build::without_lender(&settings));
    Ok(Loaded { settings, trust, values: values(merged), files, warnings })
}

/// Returns the files in the order of their layers.
fn paths(sources: &Sources) -> Vec<(Layer, PathBuf)> {
    let user = sources.user_config.iter().map(|path| (Layer::User, path.clone()));
    let second = match &sources.given_config {
        Some(given) => (Layer::Given, given.clone()),
        None => (Layer::Project, sources.repo.join(PROJECT_CONFIG)),
    };
    user.chain([second]).collect()
}

/// Returns a path as messages show it.
fn shown(path: &Path, sources: &Sources) -> String {
    let home = sources.env.get("HOME").filter(|home| !home.is_empty()).map(Path::new);
    if let Ok(inside) = path.strip_prefix(&sources.repo)
        && sources.given_config.as_deref() != Some(path)
    {
        return inside.display().to_string();
    }
    match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    }
}

/// Puts the shown path into a failure that names the real one.
fn at_shown(failure: Failure, shown: &str) -> Failure {
    if let Failure::BadInput { why, next, exit, .. } = &failure {
        return Failure::BadInput { place: shown.into(), why: why.clone(), next: next.clone(), exit: *exit };
    }
    if let Failure::Disk { kind, why, .. } = &failure {
        return Failure::Disk { what: format!("read {shown}"), kind: *kind, why: why.clone() };
    }
    failure
}

fn judge(
    sources: &Sources,
    config: Option<String>,
    settings: &Settings,
    merged: &Node,
) -> Result<(Trust, Vec<Safe>), Failure> {
    let proposal = trust::proposal(&sources.repo, config, settings, &of_project(merged))?;
    let path = sources.trust_store.clone();
    let (store, warnings) = match path.clone().map(Store::open) {
        Some(Ok(store)) => (store, Vec::new()),
        // Unreadable approvals approve nothing.
        Some(Err(failure)) => {
            (Store::empty(path.unwrap_or_default()), vec![Safe::line(&format!("{failure}; {}", failure.hint()))])
        }
        None => (Store::empty(PathBuf::new()), Vec::new()),
    };
    Ok((trust::granted_by_flag(store.judge(proposal), &sources.yes_trust)?, warnings))
}

/// Returns which things that run stand in the repository's own file.
fn of_project(merged: &Node) -> OfProject {
    let named = |section: &str| {
        let entries = merged.get(section).and_then(Node::entries).unwrap_or_default();
        entries.into_iter().filter(|(_, node)| build::is_of_project(node)).map(|(name, _)| name.clone()).collect()
    };
    // Laid over one by one: a table of the user's may hold one command of the repository's.
    let parts_named = |section: &str| {
        let entries = merged.get(section).and_then(Node::entries).unwrap_or_default();
        entries
            .into_iter()
            .filter(|(_, node)| build::is_partly_of_project(node))
            .map(|(name, _)| name.clone())
            .collect()
    };
    let root = merged.get("evidence").and_then(|section| section.get("root"));
    let money = ["budget", "prices"].iter().flat_map(|section| {
        let entries = merged.get(section).and_then(Node::entries).unwrap_or_default();
        let theirs = entries.into_iter().filter(|(_, node)| build::is_partly_of_project(node));
        theirs.map(move |(name, node)| format!("{section}.{name} = {}", node.toml()))
    });
    OfProject {
        agents: agents(merged).filter(|(_, node)| build::is_of_project(node)).map(|(name, _)| name).collect(),
        servers: named("mcp_servers"),
        checks: named("checks"),
        guardrails: parts_named("guardrails"),
        evidence_root: root.is_some_and(build::is_of_project),
        money: money.collect(),
    }
}

fn agents(merged: &Node) -> impl Iterator<Item = (String, &Node)> {
    let items = match merged.get("agents").map(|node| &node.value) {
        Some(Value::List(items)) => items.as_slice(),
        Some(Value::Text(_) | Value::Whole(_) | Value::Flag(_) | Value::Table(_) | Value::Other(_)) | None => &[],
    };
    items.iter().filter_map(|item| match item.get("name").map(|name| &name.value) {
        Some(Value::Text(name)) => Some((name.clone(), item)),
        Some(Value::Whole(_) | Value::Flag(_) | Value::List(_) | Value::Table(_) | Value::Other(_)) | None => None,
    })
}

/// Lists every value in effect with its origin.
fn values(merged: Node) -> Vec<Setting> {
    let mut values = Vec::new();
    for (name, node) in agents(&merged) {
        list(&layers::filled(node.clone(), "agents[]"), "agents[]", &format!("agents.{name}"), &mut values);
    }
    list(&merged, "", "", &mut values);
    values.sort_by(|a: &Setting, b| a.key.cmp(&b.key));
    values
}

fn list(node: &Node, pattern: &str, shown: &str, values: &mut Vec<Setting>) {
    for (word, child) in node.entries().unwrap_or_default() {
        let shown = keys::join(shown, word);
        match keys::step(pattern, word) {
            Some((_, keys::Slot::Leaf(key))) => {
                let value = match (key.shape, child.entries()) {
                    // Values of variables may be secrets.
                    (Shape::Env, Some(vars)) => {
                        vars.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
                    }
                    (_, _) => child.toml(),
                };
                values.push(Setting { key: shown, value: Safe::line(&value), origin: child.origin.clone() });
            }
            Some((found, keys::Slot::Section)) => {
                let child = layers::filled(child.clone(), &found);
                list(&child, &found, &shown, values);
            }
            Some((_, keys::Slot::Sections)) | None => {}
        }
    }
}
