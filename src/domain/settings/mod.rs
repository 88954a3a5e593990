//! What the user configured, as plain data: who is on the panel, which servers and checks there are, and by which
//! rules the panel decides.
//!
//! It must not know files, layers, TOML or trust: [`crate::config`] reads, merges and checks, and hands this over.
//! Paths and commands are kept as they were written, so that the same config has the same hash on every machine.

mod agent;
mod offer;
mod policy;
mod service;
mod trust;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::budget::{Budget, Price};
use super::gate::{Checkpoint, Gate};
use super::hash::{NotCanonical, Sha, canonical};
use super::memory::Profile;
use super::preset::{CLOUD_SECRETS, Credential, Preset, preset};
use super::stage::Stage;

pub use agent::{Agent, AgentKind, EnvValue, Launch, Retry, Timeouts, program};
pub use offer::Offer;
pub use policy::{BadRatio, Consensus, Quorum, Ratio, Round, StageRules};
pub use service::{Api, JsonMode, LOCAL, Lent, Local, Service, is_here, local, unusable};
pub use trust::{DiffLine, Proposal, Trust, TrustItem, TrustSource};

/// Everything that can be configured in this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The panel, in the order of the config; names are unique.
    pub agents: Vec<Agent>,
    /// The MCP servers that are started, by name. The embedded memory server is not among them.
    pub servers: BTreeMap<String, Server>,
    /// Servers that other programs are configured with and that were not approved here: shown, never started.
    pub offers: Vec<Offer>,
    /// Which server is the memory.
    pub memory: MemoryServer,
    /// Which tools it offers.
    pub memory_profile: Profile,
    /// Commands that may be run to settle a claim, by name.
    pub checks: BTreeMap<String, CheckTemplate>,
    /// How the panel's answers become a verdict.
    pub consensus: Consensus,
    /// Commands that must succeed before and after a stage.
    pub guardrails: BTreeMap<Stage, Guardrails>,
    /// The gates that are held at each checkpoint; one that is not listed is passed.
    pub gates: BTreeMap<Checkpoint, BTreeSet<Gate>>,
    /// Rules of single stages; a stage that is not listed follows the defaults.
    pub stages: BTreeMap<Stage, StageRules>,
    /// What every agent is given besides its prompt.
    pub context: Context,
    /// Limits of a run.
    pub run: Limits,
    /// What a run may cost.
    #[serde(default)]
    pub budget: Budget,
    /// What models cost, by the name that an agent's `model` has.
    #[serde(default)]
    pub prices: BTreeMap<String, Price>,
    /// Where and how evidence is kept.
    pub evidence: Evidence,
    /// Where agents change files.
    #[serde(default)]
    pub worktrees: Worktrees,
}

impl Default for Settings {
    /// What holds without any config: nobody sits, and the usual gates are held.
    fn default() -> Self {
        Self {
            agents: Default::default(),
            servers: Default::default(),
            offers: Default::default(),
            memory: Default::default(),
            memory_profile: Default::default(),
            checks: Default::default(),
            consensus: Default::default(),
            guardrails: Default::default(),
            gates: Checkpoint::ALL.into_iter().map(|at| (at, at.usual().iter().copied().collect())).collect(),
            stages: Default::default(),
            context: Default::default(),
            run: Default::default(),
            budget: Default::default(),
            prices: Default::default(),
            evidence: Default::default(),
            worktrees: Default::default(),
        }
    }
}

/// A server that speaks MCP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Where it is.
    pub transport: Transport,
    /// How long the handshake may take, in milliseconds.
    pub startup_timeout_ms: u64,
    /// How long one call may take, in milliseconds.
    pub tool_timeout_ms: u64,
}

/// Where a server is, and what it is reached with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// A program of this machine, over its standard streams.
    Stdio {
        /// The program: a name looked up on PATH, or a path (relative: to the repository, see [`program`]).
        command: String,
        /// Its arguments.
        args: Vec<String>,
        /// What is added to its environment.
        env: BTreeMap<String, EnvValue>,
        /// The folder it starts in, relative to the repository; none: the repository.
        cwd: Option<String>,
    },
    /// An address, over streamable HTTP.
    Http {
        /// The address.
        url: String,
        /// The variable of ours that holds the bearer token.
        bearer_token_env_var: Option<String>,
        /// Headers sent with every request.
        headers: BTreeMap<String, EnvValue>,
    },
}

impl Server {
    /// Returns the program or the address, as it was written.
    pub fn place(&self) -> &str {
        match &self.transport {
            Transport::Stdio { command, .. } => command,
            Transport::Http { url, .. } => url,
        }
    }
}

/// Which server mirrors artifacts and answers searches.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryServer {
    /// The one that comes with this program (`dicast memory serve`).
    #[default]
    Embedded,
    /// One of [`Settings::servers`], by name.
    Declared(String),
}

impl MemoryServer {
    /// The name of the server that comes with the program.
    pub const EMBEDDED: &str = "memory";

    /// Returns the server's name.
    pub fn name(&self) -> &str {
        match self {
            MemoryServer::Embedded => Self::EMBEDDED,
            MemoryServer::Declared(name) => name,
        }
    }
}

/// A command that settles a claim when it is run. It runs only when approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckTemplate {
    /// The program and its arguments; an element may hold `{id}`, which becomes the test's id.
    pub argv: Vec<String>,
    /// Who proposed it.
    pub source: CheckSource,
}

/// Commands that must succeed around a stage. They run only when approved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Guardrails {
    /// Before anybody is asked; each a program and its arguments.
    pub before: Vec<Vec<String>>,
    /// After the stage; at validate before its verdict.
    pub after: Vec<Vec<String>>,
    /// How long one command may take, in milliseconds.
    pub timeout_ms: u64,
    /// Whether the working copy must have no uncommitted change before the stage, our own files aside.
    pub clean_tree: bool,
}

/// Who proposed a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckSource {
    /// It stands in a config.
    Declared,
    /// This program found it by looking at the repository's build files.
    Detected,
}

/// What every agent is given alike.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Context {
    /// Files inside the repository, in order. None: AGENTS.md, else CLAUDE.md, else GEMINI.md, and the constitution
    /// (`.specify/memory/constitution.md`, else `docs/constitution.md`), where they exist.
    pub files: Option<Vec<String>>,
}

/// Limits of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// How long a run may take, in milliseconds.
    pub deadline_ms: u64,
    /// What happens to a live run when the terminal goes away.
    pub on_hangup: OnHangup,
}

/// What happens to a live run when the terminal goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnHangup {
    /// It is stopped; what was answered is kept.
    #[default]
    Stop,
    /// It goes on without a screen, and the program ends with it.
    Detach,
}

impl Default for Limits {
    fn default() -> Self {
        Self { deadline_ms: 1_200_000, on_hangup: OnHangup::Stop }
    }
}

/// Where and how evidence is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The folder, relative to the repository or absolute.
    pub root: String,
    /// How long to try for a lock that somebody else holds, in milliseconds.
    pub lock_timeout_ms: u64,
    /// Environment variables whose values are blanked wherever text is kept; `*` stands for any characters.
    pub redact_env: Vec<String>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self {
            root: ".dicast/evidence".into(),
            lock_timeout_ms: 10_000,
            redact_env: vec!["*_KEY".into(), "*_TOKEN".into()],
        }
    }
}

/// Where agents change files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Worktrees {
    /// The folder, relative to the repository or absolute.
    pub root: String,
    /// The most that they may take, in MiB.
    pub quota_mb: u64,
}

impl Default for Worktrees {
    fn default() -> Self {
        Self { root: ".dicast/worktrees".into(), quota_mb: 4096 }
    }
}

impl CheckTemplate {
    /// Returns the command that runs every test there is: without the place for one test's id, and without the option
    /// before it that would choose one.
    pub fn whole(&self) -> Vec<String> {
        let mut argv: Vec<String> = Vec::new();
        for word in &self.argv {
            if !word.contains("{id}") {
                argv.push(word.clone());
            } else if word == "{id}" && argv.last().is_some_and(|before| before.starts_with('-') && before != "--") {
                argv.pop();
            }
        }
        argv
    }
}

impl Settings {
    /// Returns which of our variables hold secrets: those that the config names so, every model's key, and whatever a
    /// preset is signed in by.
    pub fn secret_variables(&self) -> Vec<String> {
        let keys = self.agents.iter().flat_map(|agent| match &agent.kind {
            AgentKind::Api(service) => service.key_env.clone().into_iter().collect(),
            AgentKind::Command(launch) => launch.preset.as_deref().and_then(preset).map(secrets).unwrap_or_default(),
            AgentKind::Replay { .. } | AgentKind::Memory => Vec::new(),
        });
        self.evidence.redact_env.iter().cloned().chain(keys).collect()
    }

    /// Returns the agents that are asked at `stage`, in the order of the config. At implement those are the ones that may
    /// write; who plans is who drafts the spec.
    pub fn roster(&self, stage: Stage) -> impl Iterator<Item = &Agent> {
        let may = move |agent: &&Agent| stage != Stage::Implement || agent.writes.contains(&stage);
        let sits = if stage == Stage::Specify { Stage::Plan } else { stage };
        self.agents.iter().filter(move |agent| agent.stages.contains(&sits)).filter(may)
    }

    /// Says that a roster has one family only, and what comes of it at `stage`: nobody could disagree.
    pub fn one_voice<'a>(&self, stage: Stage, roster: impl Iterator<Item = &'a Agent>) -> Option<String> {
        let mut families = roster.map(|agent| &agent.family);
        let first = families.next()?;
        if !families.all(|family| family == first) {
            return None;
        }
        let alone = self.consensus.quorum.at(stage) == Quorum::Solo;
        Some(if stage == Stage::Implement && !alone {
            format!("one voice: only {first} is asked, so there is one candidate to choose from")
        } else if alone {
            format!("one voice: only {first} is asked, so nobody can disagree (quorum = \"solo\")")
        } else if stage < Stage::Implement {
            format!("one voice: only {first} is asked, the verdict will be no_quorum unless quorum = \"solo\"")
        } else {
            format!("one voice: only {first} is asked, the verdict will be no_quorum")
        })
    }

    /// Returns the rules of one stage.
    pub fn rules(&self, stage: Stage) -> StageRules {
        self.stages.get(&stage).copied().unwrap_or_default()
    }
}

/// The variables that hold what a preset is signed in by.
fn secrets(preset: &Preset) -> Vec<String> {
    let named = preset.credentials.iter().filter_map(|credential| match credential {
        Credential::Key(name) | Credential::Plan(name) => Some(*name),
        Credential::File(_) | Credential::Stored(_) => None,
    });
    named.chain(CLOUD_SECRETS).map(str::to_owned).collect()
}

/// Hashes the parts of the settings that a verdict is about: agents, checks, guardrails, consensus, stages, context and
/// gates.
/// Servers, memory, limits and evidence are left out: they decide how a panel is run, not what it finds.
///
/// # Errors
/// [`NotCanonical`] cannot happen with values that these types hold; it is passed on rather than hidden.
pub fn config_sha256(settings: &Settings) -> Result<Sha, NotCanonical> {
    let Settings { agents, checks, guardrails, consensus, stages, context, gates, .. } = settings;
    let Settings {
        servers: _,
        offers: _,
        memory: _,
        memory_profile: _,
        run: _,
        budget: _,
        prices: _,
        evidence: _,
        worktrees: _,
        ..
    } = settings;
    let judged = json!({
        "agents": agents,
        "checks": checks,
        "consensus": consensus,
        "guardrails": guardrails,
        "gates": gates,
        "stages": stages,
        "context": context,
    });
    canonical(&judged).map(Sha::of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{AgentName, Family};

    fn settings() -> Settings {
        let agent = Agent::new(
            AgentName::new("mine").unwrap(),
            Family::new("mine").unwrap(),
            AgentKind::Command(Launch { command: vec!["./my-agent".into()], ..Launch::default() }),
        );
        Settings { agents: vec![agent], ..Settings::default() }
    }

    #[test]
    fn the_config_hash_covers_what_is_judged_and_nothing_else() {
        let base = config_sha256(&settings()).unwrap();
        let outside: [fn(&mut Settings); 7] = [
            |s| s.budget.run_micro_usd += 1,
            |s| {
                s.prices.insert("opus".into(), Price { input_micro_usd: 1, output_micro_usd: 1 });
            },
            |s| s.memory = MemoryServer::Declared("other".into()),
            |s| s.memory_profile = Profile::ServerMemory,
            |s| s.run.deadline_ms += 1,
            |s| s.evidence.root = "/elsewhere".into(),
            |s| {
                s.servers.insert(
                    "m".into(),
                    Server {
                        transport: Transport::Stdio {
                            command: "m".into(),
                            args: vec![],
                            env: BTreeMap::new(),
                            cwd: None,
                        },
                        startup_timeout_ms: 1,
                        tool_timeout_ms: 1,
                    },
                );
            },
        ];
        for change in outside {
            let mut changed = settings();
            change(&mut changed);
            assert_ne!(changed, settings());
            assert_eq!(config_sha256(&changed).unwrap(), base);
        }
        let inside: [fn(&mut Settings); 8] = [
            |s| {
                let rails = Guardrails { before: vec![], after: vec![], timeout_ms: 1, clean_tree: true };
                s.guardrails.insert(Stage::Plan, rails);
            },
            |s| {
                s.gates.insert(Checkpoint::BeforePlan, BTreeSet::new());
            },
            |s| s.agents[0].role = Some("architect".into()),
            |s| s.agents.clear(),
            |s| {
                s.checks.insert("c".into(), CheckTemplate { argv: vec!["true".into()], source: CheckSource::Declared });
            },
            |s| s.consensus.quorum = Quorum::Solo,
            |s| {
                s.stages.insert(Stage::Audit, StageRules { allow_degraded: Some(true), allow_hollow: None });
            },
            |s| s.context.files = Some(vec![]),
        ];
        for change in inside {
            let mut changed = settings();
            change(&mut changed);
            assert_ne!(config_sha256(&changed).unwrap(), base);
        }
    }

    #[test]
    fn the_config_hash_is_the_sha_of_known_bytes() {
        let bytes = concat!(
            r#"{"agents":[],"checks":{},"consensus":{"agree":"2/3","merge_threshold":"6/10","quorum":"2/3","#,
            r#""round":"auto"},"context":{"files":null},"gates":{"after_plan":["analyze"],"after_tasks":["analyze"],"#,
            r#""before_plan":["clarify","checklist","analyze"],"before_unlock":["analyze"]},"guardrails":{},"stages":{}}"#
        );
        assert_eq!(config_sha256(&Settings::default()).unwrap(), Sha::of(bytes));
    }

    #[test]
    fn only_who_may_write_is_asked_to_implement() {
        let mut settings = settings();
        assert_eq!((settings.roster(Stage::Plan).count(), settings.roster(Stage::Implement).count()), (1, 0));
        settings.agents[0].writes = [Stage::Implement].into();
        assert_eq!(settings.roster(Stage::Implement).count(), 1);
    }

    #[test]
    fn all_tests_are_run_without_the_place_of_an_id() {
        let whole = |argv: &[&str]| {
            let argv = argv.iter().map(|word| (*word).to_owned()).collect();
            CheckTemplate { argv, source: CheckSource::Detected }.whole().join(" ")
        };
        assert_eq!(whole(&["cargo", "test", "--", "{id}"]), "cargo test --");
        assert_eq!(whole(&["go", "test", "-v", "./...", "-run", "{id}"]), "go test -v ./...");
        assert_eq!(whole(&["python3", "-m", "pytest", "-v", "-k", "{id}"]), "python3 -m pytest -v");
        assert_eq!(whole(&["make", "test", "ONLY={id}"]), "make test");
        assert_eq!(whole(&["npm", "test"]), "npm test");
    }

    #[test]
    fn settings_survive_json() {
        let mut settings = settings();
        settings.stages.insert(Stage::Plan, StageRules { allow_degraded: None, allow_hollow: Some(false) });
        settings.consensus.quorum = Quorum::Solo;
        settings.memory = MemoryServer::Declared("m".into());
        let text = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), settings);
    }

    #[test]
    fn only_the_agents_of_a_stage_are_on_its_roster() {
        let mut settings = settings();
        settings.agents[0].stages = [Stage::Audit].into();
        assert_eq!(settings.roster(Stage::Plan).count(), 0);
        assert_eq!(settings.roster(Stage::Audit).count(), 1);
    }
}
