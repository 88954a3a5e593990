//! The actors of one program, started together.
//!
//! It must not know what they are asked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Clock;
use crate::actors::agents::process::Children;
use crate::actors::lanes::Lanes;
use crate::actors::mcp::{Connector, Processes, memory};
use crate::actors::{Scope, agents, consensus, evidence, mcp, repo, scribe, transcript};
use crate::disk::store::Store;
use crate::domain::redact::Redactor;
use crate::domain::server::{Endpoint, Program, Reach, ServerSpec, Token};
use crate::domain::settings::{MemoryServer, Server, Settings, Transport};

/// How long the embedded memory server may take to start, in milliseconds.
const EMBEDDED_START: u64 = 15_000;

/// How long one call of it may take, in milliseconds.
const EMBEDDED_CALL: u64 = 5_000;

/// Where things are on this machine.
#[derive(Debug, Clone)]
pub struct Places {
    /// The repository's root, absolute.
    pub repo: PathBuf,
    /// Our own program, absolute.
    pub program: PathBuf,
    /// Where turns get a folder of their own: outside the repository, so that no config of it is found from there.
    pub private: PathBuf,
    /// The config that was given by hand, if one was.
    pub config: Option<PathBuf>,
    /// How fast scripted agents play: 1 is their own pace, 0 at once.
    pub speed: String,
    /// How long the embedded memory server waits before it starts, in milliseconds (the demonstration shows a slow one).
    pub memory_delay_ms: u64,
}

/// The handles of all actors.
#[derive(Debug, Clone)]
pub struct Hands {
    /// What everything is spawned in.
    pub scope: Scope,
    /// Every child process.
    pub children: Children,
    /// Runs agents.
    pub agents: agents::Handle,
    /// Pages through transcripts.
    pub transcript: transcript::Handle,
    /// Keeps evidence.
    pub evidence: evidence::Handle,
    /// Reads the repository.
    pub repo: repo::Handle,
    /// Writes what a person says into specs.
    pub scribe: scribe::Handle,
    /// Judges.
    pub consensus: consensus::Handle,
    /// Connects servers.
    pub mcp: mcp::Handle,
    /// Copies to memory, gathers and recalls from it.
    pub memory: memory::Handle,
}

impl Hands {
    /// Starts all actors. Servers start in parallel, and nothing waits for them.
    pub fn start(scope: Scope, lanes: &Lanes, clock: Clock, places: &Places, settings: &Settings) -> Self {
        let children = Children::new(&scope);
        let dicast = places.repo.join(".dicast");
        let kept = evidence::Settings {
            root: PathBuf::from(&settings.evidence.root),
            lock_timeout: Duration::from_millis(settings.evidence.lock_timeout_ms),
            redactor: redactor(settings),
        };
        let evidence = evidence::spawn(&scope, Store::real(&places.repo), kept);
        let now: mcp::Clock = Arc::new(move || clock.now());
        let connector: Arc<dyn Connector> =
            Arc::new(Processes::new(children.clone(), "mcp").hiding(redactor(settings)));
        let mcp = mcp::spawn(&scope, lanes, &now, &connector, servers(places, settings));
        let repo = repo::spawn(&scope, children.clone());
        let store = Store::real(&places.repo);
        let scribe = scribe::spawn(&scope, places.repo.clone(), store, repo.clone(), evidence.clone());
        let remembering = memory::Settings {
            server: settings.memory.name().to_owned(),
            profile: settings.memory_profile,
            redactor: redactor(settings),
        };
        let memory = memory::spawn(&scope, lanes, &now, mcp.clone(), Store::real(&places.repo), remembering);
        let root = places.repo.clone();
        let consensus = consensus::spawn(&scope, repo.clone(), evidence.clone(), memory.clone(), root);
        Self {
            agents: agents::spawn_beside(
                &scope,
                lanes.clone(),
                children.clone(),
                dicast.join("transcripts"),
                redactor(settings),
                Some(mcp.clone()),
            ),
            transcript: transcript::spawn(&scope, dicast.join("transcripts")),
            evidence,
            repo,
            scribe,
            consensus,
            mcp,
            memory,
            children,
            scope,
        }
    }
}

/// Makes what takes the values of configured variables out of whatever is kept, and the user's home out of paths.
pub fn redactor(settings: &Settings) -> Redactor {
    match std::env::var("HOME") {
        Ok(home) => secrets(settings).hiding_home(&home),
        Err(_) => secrets(settings),
    }
}

/// The same for what is only shown: there the user's home may stand.
pub fn secrets(settings: &Settings) -> Redactor {
    let variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Redactor::of_variables(&settings.secret_variables(), variables)
}

fn servers(places: &Places, settings: &Settings) -> Vec<ServerSpec> {
    let mut specs: Vec<ServerSpec> =
        settings.servers.iter().map(|(name, server)| declared(places, name, server)).collect();
    if settings.memory == MemoryServer::Embedded {
        let mut args = vec!["memory".to_owned(), "serve".to_owned()];
        args.extend(["--db".to_owned(), places.repo.join(".dicast/memory.db").to_string_lossy().into_owned()]);
        if places.memory_delay_ms > 0 {
            args.extend(["--start-delay-ms".to_owned(), places.memory_delay_ms.to_string()]);
        }
        let repo = places.repo.to_string_lossy().into_owned();
        specs.push(ServerSpec {
            name: MemoryServer::EMBEDDED.to_owned(),
            reach: Reach::Process(Program {
                command: places.program.to_string_lossy().into_owned(),
                args,
                env: BTreeMap::new(),
                cwd: repo.clone(),
            }),
            root: repo,
            startup_ms: EMBEDDED_START,
            tool_ms: EMBEDDED_CALL,
        });
    }
    specs
}

fn declared(places: &Places, name: &str, server: &Server) -> ServerSpec {
    ServerSpec {
        name: name.to_owned(),
        reach: reach(places, &server.transport),
        root: places.repo.to_string_lossy().into_owned(),
        startup_ms: server.startup_timeout_ms,
        tool_ms: server.tool_timeout_ms,
    }
}

fn reach(places: &Places, transport: &Transport) -> Reach {
    let ours = |name: &str| std::env::var(name).ok();
    match transport {
        Transport::Stdio { command, args, env, cwd } => Reach::Process(Program {
            command: crate::domain::settings::program(command, &places.repo).to_string_lossy().into_owned(),
            args: args.clone(),
            // A variable of ours that is not set is left out: the server then says what it lacks.
            env: env.iter().filter_map(|(name, value)| Some((name.clone(), value.resolve(ours).ok()?))).collect(),
            cwd: cwd.as_ref().map_or_else(|| places.repo.clone(), |cwd| places.repo.join(cwd)).to_string_lossy().into(),
        }),
        Transport::Http { url, bearer_token_env_var, headers } => {
            let mut endpoint = Endpoint { url: url.clone(), token: None, headers: BTreeMap::new(), unset: Vec::new() };
            endpoint.token =
                bearer_token_env_var.as_ref().map(|name| Token { variable: name.clone(), value: ours(name) });
            for (header, value) in headers {
                match value.resolve(ours) {
                    Ok(value) => drop(endpoint.headers.insert(header.clone(), value)),
                    Err(variable) => endpoint.unset.push(variable),
                }
            }
            Reach::Http(endpoint)
        }
    }
}
