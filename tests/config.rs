//! Config and trust from the outside: files in, settings or a failure with its place and next step out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, also in its helpers")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use dicast::config::trust::Store;
use dicast::config::{self, Layer, Loaded, Override, PROJECT_CONFIG, Sources, found, init, keys, load, manual};
use dicast::disk::text::{read_text_capped, write_atomic_text};
use dicast::domain::acp::OnPermission;
use dicast::domain::failure::Failure;
use dicast::domain::memory::Profile;
use dicast::domain::moment::Moment;
use dicast::domain::safe::Safe;
use dicast::domain::settings::{
    AgentKind, Api, CheckSource, DiffLine, EnvValue, JsonMode, Lent, MemoryServer, Quorum, Round, Service, Settings,
    Transport, Trust, TrustItem, TrustSource,
};
use dicast::domain::stage::Stage;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

/// A repository, a home and nothing else.
struct World {
    folder: TempDir,
    sources: Sources,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repo = folder.path().join("repo");
        write_atomic_text(&repo.join("README.md"), "x").unwrap();
        let home = folder.path().join("home");
        let sources = Sources {
            repo,
            user_config: Some(home.join(".config/dicast/config.toml")),
            env: BTreeMap::from([("HOME".to_owned(), home.display().to_string())]),
            trust_store: Some(home.join(".local/state/dicast/trust.json")),
            ..Sources::default()
        };
        Self { folder, sources }
    }

    fn project(self, text: &str) -> Self {
        write_atomic_text(&self.sources.repo.join(PROJECT_CONFIG), text).unwrap();
        self
    }

    fn user(self, text: &str) -> Self {
        write_atomic_text(self.sources.user_config.as_deref().unwrap(), text).unwrap();
        self
    }

    fn given(mut self, text: &str) -> Self {
        let path = self.folder.path().join("given.toml");
        write_atomic_text(&path, text).unwrap();
        self.sources.given_config = Some(path);
        self
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.sources.env.insert(name.into(), value.into());
        self
    }

    fn flag(mut self, place: &str, key: &str, value: &str) -> Self {
        self.sources.flags.push(Override { place: place.into(), key: key.into(), value: value.into() });
        self
    }

    fn cargo(self) -> Self {
        write_atomic_text(&self.sources.repo.join("Cargo.toml"), "[package]\n").unwrap();
        self
    }

    fn load(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|failure| panic!("{failure} ({})", failure.hint()))
    }

    fn refused(&self) -> (String, String) {
        let failure = load(&self.sources).map(|loaded| loaded.settings).unwrap_err();
        assert_eq!(failure.exit(), 64, "{failure}");
        (failure.to_string(), failure.hint())
    }

    fn store(&self) -> Store {
        Store::open(self.sources.trust_store.clone().unwrap()).unwrap()
    }

    fn approve(&self) {
        let loaded = self.load();
        self.store().approve(loaded.trust.proposal().unwrap(), Moment(1)).unwrap();
    }
}

/// An agent with a trap for every key that matters.
const AGENT: &str = "[[agents]]\nname = \"mine\"\nkind = \"command\"\nfamily = \"mine\"\ncommand = [\"./my-agent\"]\n";

#[test]
fn without_any_file_the_documented_defaults_hold() {
    let loaded = World::new().load();
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.trust, Trust::Unneeded);
    assert_eq!(loaded.runnable(), Ok(Settings::default()));
    assert!(loaded.values.iter().all(|value| value.origin.layer == Layer::Default));
    let shown: Vec<_> = loaded.files.iter().map(|file| (file.layer, file.shown.as_str(), file.found)).collect();
    assert_eq!(
        shown,
        [(Layer::User, "~/.config/dicast/config.toml", false), (Layer::Project, ".dicast/config.toml", false)]
    );
}

#[test]
fn an_agent_that_sets_only_what_is_required_gets_the_documented_defaults() {
    use dicast::domain::ids::{AgentName, Family};
    use dicast::domain::settings::{Agent, Launch};
    let loaded = World::new().user(AGENT).load();
    let launch = Launch { command: vec!["./my-agent".into()], ..Launch::default() };
    let name = (AgentName::new("mine").unwrap(), Family::new("mine").unwrap());
    assert_eq!(loaded.settings.agents, [Agent::new(name.0, name.1, AgentKind::Command(launch))]);
    assert_eq!(loaded.origin("agents.mine.max_parallel").map(|origin| origin.layer), Some(Layer::Default));
    assert_eq!(loaded.origin("agents.mine.command").unwrap().place, "~/.config/dicast/config.toml:5");
}

/// Every key that works, with a value that is not its default where that is possible.
const EVERY_KEY: &str = r#"
[[agents]]
name = "mine"
kind = "command"
model = "m-1"
family = "fam"
role = "architect"
stages = ["plan", "audit"]
command = ["./my-agent", "-x"]
args = ["--fast"]
transport = "text"
env = { A = "text", KEY = "$API_KEY" }
env_pass = ["HOME", "LC_*"]
timeouts = { start_s = 1, first_event_s = 2, idle_s = 3, total_s = 4, kill_grace_s = 0 }
retry = { max = 0, base_ms = 5, cap_ms = 6 }
max_parallel = 7
[[agents]]
name = "played"
kind = "replay"
family = "b"
script = "demo/script.json"
[[agents]]
name = "elsewhere"
kind = "memory"
family = "c"
[mcp_servers.memory]
command = "npx"
args = ["server"]
env = { FILE = ".dicast/memory.jsonl" }
cwd = "tools"
startup_timeout_sec = 16
tool_timeout_sec = 6
[mcp_servers.far]
url = "https://far.example/mcp"
bearer_token_env_var = "FAR_TOKEN"
http_headers = { X-Team = "blue" }
env_http_headers = { X-Key = "FAR_KEY" }
[memory]
server = "memory"
profile = "dicast"
[checks.cargo-test]
argv = ["cargo", "test", "--", "{id}"]
[consensus]
agree = "3/4"
quorum = "solo"
merge_threshold = "7/10"
round = "off"
[stages.audit]
allow_degraded = false
allow_hollow = true
[context]
files = ["AGENTS.md", "docs/x.md"]
[run]
deadline_s = 60
on_hangup = "stop"
[mcp]
import = ["claude", "gemini"]
[evidence]
root = "/var/evidence"
lock_timeout_ms = 11
redact_env = ["*_PASS", "X"]
"#;

#[test]
fn every_key_that_works_is_read() {
    let settings = World::new().given(EVERY_KEY).load().settings;
    let [mine, played, elsewhere] = &settings.agents[..] else { panic!("three agents") };
    let AgentKind::Command(launch) = &mine.kind else { panic!("a command") };
    assert_eq!(launch.command, ["./my-agent", "-x", "--fast"]);
    assert_eq!(launch.env["A"], EnvValue::Text("text".into()));
    assert_eq!(launch.env["KEY"], EnvValue::Ours("API_KEY".into()));
    assert_eq!(launch.env_pass, ["HOME", "LC_*"]);
    assert_eq!((mine.model.as_deref(), mine.role.as_deref()), (Some("m-1"), Some("architect")));
    assert_eq!(mine.stages, [Stage::Plan, Stage::Audit].into());
    let times = mine.timeouts;
    assert_eq!(
        (times.start_ms, times.first_event_ms, times.idle_ms, times.total_ms, times.kill_grace_ms),
        (1_000, 2_000, 3_000, 4_000, 0)
    );
    assert_eq!((mine.retry.max, mine.retry.base_ms, mine.retry.cap_ms, mine.max_parallel), (0, 5, 6, 7));
    assert_eq!(played.kind, AgentKind::Replay { script: "demo/script.json".into() });
    assert_eq!(elsewhere.kind, AgentKind::Memory);
    let server = &settings.servers["memory"];
    assert_eq!(
        server.transport,
        Transport::Stdio {
            command: "npx".into(),
            args: vec!["server".into()],
            env: BTreeMap::from([("FILE".into(), EnvValue::Text(".dicast/memory.jsonl".into()))]),
            cwd: Some("tools".into()),
        }
    );
    assert_eq!((server.startup_timeout_ms, server.tool_timeout_ms), (16_000, 6_000));
    assert_eq!(
        settings.servers["far"].transport,
        Transport::Http {
            url: "https://far.example/mcp".into(),
            bearer_token_env_var: Some("FAR_TOKEN".into()),
            headers: BTreeMap::from([
                ("X-Key".into(), EnvValue::Ours("FAR_KEY".into())),
                ("X-Team".into(), EnvValue::Text("blue".into())),
            ]),
        }
    );
    assert_eq!(settings.memory, MemoryServer::Declared("memory".into()));
    assert_eq!(settings.checks["cargo-test"].argv, ["cargo", "test", "--", "{id}"]);
    assert_eq!(settings.checks["cargo-test"].source, CheckSource::Declared);
    assert_eq!(settings.consensus.agree.to_string(), "3/4");
    assert_eq!((settings.consensus.quorum, settings.consensus.round), (Quorum::Solo, Round::Off));
    assert_eq!(settings.consensus.merge_threshold.to_string(), "7/10");
    let audit = settings.rules(Stage::Audit);
    assert_eq!((audit.allow_degraded, audit.allow_hollow), (Some(false), Some(true)));
    assert_eq!(settings.rules(Stage::Plan).allow_degraded, None);
    assert_eq!(settings.context.files, Some(vec!["AGENTS.md".into(), "docs/x.md".into()]));
    assert_eq!(settings.run.deadline_ms, 60_000);
    assert_eq!(settings.evidence.root, "/var/evidence");
    assert_eq!(settings.evidence.lock_timeout_ms, 11);
    assert_eq!(settings.evidence.redact_env, ["*_PASS", "X"]);
}

#[test]
fn a_later_layer_wins_key_by_key_and_every_value_knows_its_place() {
    let key = "evidence.root";
    let world = World::new();
    assert_eq!(world.load().settings.evidence.root, ".dicast/evidence");
    let world = world.user("[evidence]\nroot = \"user\"\nlock_timeout_ms = 7\n");
    assert_eq!(world.load().settings.evidence.root, "user");
    let world = world.project("\n[evidence]\nroot = \"project\"\n");
    let loaded = world.load();
    assert_eq!((loaded.settings.evidence.root.as_str(), loaded.settings.evidence.lock_timeout_ms), ("project", 7));
    assert_eq!(loaded.origin(key).unwrap().place, ".dicast/config.toml:3");
    assert_eq!(loaded.origin("evidence.lock_timeout_ms").unwrap().place, "~/.config/dicast/config.toml:3");
    let world = world.var("DICAST_EVIDENCE__ROOT", "variable");
    let loaded = world.load();
    assert_eq!(loaded.settings.evidence.root, "variable");
    assert_eq!(loaded.origin(key).unwrap().place, "DICAST_EVIDENCE__ROOT");
    let world = world.flag("--evidence", key, "flag");
    let loaded = world.load();
    assert_eq!(loaded.settings.evidence.root, "flag");
    assert_eq!(loaded.origin(key).map(|o| (o.layer, o.place.as_str())), Some((Layer::Flag, "--evidence")));
}

#[test]
fn a_given_file_is_used_instead_of_the_repositorys() {
    let world = World::new()
        .user("[run]\ndeadline_s = 5\n")
        .project("[evidence]\nroot = \"project\"\n[run]\ndeadline_s = 6\n")
        .given(AGENT);
    let loaded = world.load();
    assert_eq!(loaded.settings.evidence.root, ".dicast/evidence");
    assert_eq!(loaded.settings.run.deadline_ms, 5_000);
    assert_eq!(loaded.trust, Trust::Unneeded, "what is given by hand is trusted");
    assert_eq!(loaded.runnable().unwrap().agents.len(), 1);
}

#[test]
fn agents_servers_and_checks_are_replaced_whole() {
    let user = format!("{AGENT}args = [\"--user\"]\n[mcp_servers.m]\ncommand = \"a\"\nargs = [\"b\"]\n");
    let project = "[[agents]]\nname = \"mine\"\nkind = \"command\"\nfamily = \"other\"\ncommand = [\"x\"]\n\
                   [[agents]]\nname = \"second\"\nkind = \"memory\"\nfamily = \"f\"\n[mcp_servers.m]\ncommand = \"c\"\n";
    let settings = World::new().user(&user).project(project).load().settings;
    let names: Vec<_> = settings.agents.iter().map(|a| (a.name.as_str(), a.family.as_str())).collect();
    assert_eq!(names, [("mine", "other"), ("second", "f")]);
    let AgentKind::Command(launch) = &settings.agents[0].kind else { panic!("a command") };
    assert_eq!(launch.command, ["x"]);
    let Transport::Stdio { command, args, .. } = &settings.servers["m"].transport else { panic!("a program") };
    assert_eq!((command.as_str(), args.len()), ("c", 0));
}

#[test]
fn the_environment_sets_texts_as_they_are_and_anything_else_as_toml() {
    let settings = World::new()
        .var("DICAST_CONSENSUS__QUORUM", "solo")
        .var("DICAST_RUN__DEADLINE_S", "30")
        .var("DICAST_STAGES__AUDIT__ALLOW_DEGRADED", "true")
        .var("DICAST_CONTEXT__FILES", "[\"A.md\"]")
        .var("DICAST_EVIDENCE__ROOT", "12")
        .var("DICAST_OWNER", "a mark of ours, no config")
        .var("OTHER__THING", "nobody's")
        .load()
        .settings;
    assert_eq!(settings.consensus.quorum, Quorum::Solo);
    assert_eq!(settings.run.deadline_ms, 30_000);
    assert_eq!(settings.rules(Stage::Audit).allow_degraded, Some(true));
    assert_eq!(settings.context.files, Some(vec!["A.md".into()]));
    assert_eq!(settings.evidence.root, "12");
}

#[test]
fn what_the_environment_cannot_set_is_refused_with_the_variables_name() {
    let table = [
        ("DICAST_EVIDENCE__ROT", "x", "DICAST_EVIDENCE__ROT: unknown key evidence.rot", "did you mean \"root\"?"),
        ("DICAST_EVIDENC__ROOT", "x", "DICAST_EVIDENC__ROOT: unknown key evidenc", "did you mean \"evidence\"?"),
        (
            "DICAST_RUN__DEADLINE_S",
            "soon",
            "DICAST_RUN__DEADLINE_S: run.deadline_s: a text cannot be used",
            "use a whole number from 1 to 86400",
        ),
        (
            "DICAST_EVIDENCE__ROOT__X",
            "x",
            "DICAST_EVIDENCE__ROOT__X: evidence.root: a table cannot be used",
            "use a path, relative to the repository or absolute",
        ),
        (
            "DICAST_CHECKS__X__ARGV",
            "[\"x\"]",
            "DICAST_CHECKS__X__ARGV: checks.x.argv cannot be set here",
            "set it in a config file",
        ),
        ("DICAST_AGENTS__X", "x", "DICAST_AGENTS__X: agents.x cannot be set here", "set it in a config file"),
    ];
    for (name, value, why, next) in table {
        assert_eq!(World::new().var(name, value).refused(), (why.to_owned(), next.to_owned()));
    }
}

/// A config, then line and reason, then the next step.
const UNUSABLE: &[(&str, &str, &str)] = &[
    ("[evidence]\nrot = 1\n", "2: unknown key evidence.rot", "did you mean \"root\"?"),
    ("\n[agent]\n", "2: unknown key agent", "did you mean \"agents\"?"),
    ("deadline_s = 1\n", "1: unknown key deadline_s", "did you mean run.deadline_s?"),
    ("[run]\nwobble = 1\n", "2: unknown key run.wobble", "the keys here are: deadline_s, on_hangup"),
    ("run = 1\n", "1: run is a whole number", "write a table: [run]"),
    ("[agents]\nname = \"x\"\n", "1: agents is a table", "write [[agents]] above each one"),
    ("[run]\ndeadline_s = 0\n", "2: run.deadline_s: \"0\" cannot be used", "use a whole number from 1 to 86400"),
    (
        "[run]\ndeadline_s = -1\n",
        "2: run.deadline_s: -1 cannot be used: it is negative",
        "use a whole number from 1 to 86400",
    ),
    (
        "[run]\ndeadline_s = 1.5\n",
        "2: run.deadline_s: a number with a fraction cannot be used",
        "use a whole number from 1 to 86400",
    ),
    (
        "[consensus]\nagree = \"3/2\"\n",
        "2: consensus.agree: \"3/2\" cannot be used",
        "use two whole numbers as a text, for example \"2/3\"",
    ),
    (
        "[consensus]\nround = \"of\"\n",
        "2: consensus.round: \"of\" cannot be used, did you mean \"off\"?",
        "use one of \"auto\", \"off\"",
    ),
    (
        "[stages.adit]\nallow_hollow = true\n",
        "1: \"adit\" is no stage, did you mean \"audit\"?",
        "use plan, tasks, implement, validate, audit, unlock",
    ),
    (
        "[stages.audit]\nallow_hollow = 1\n",
        "2: stages.audit.allow_hollow: a whole number cannot be used",
        "use true or false",
    ),
    (
        "[context]\nfiles = [\"a\",\n\"../b\"]\n",
        "3: context.files: \"../b\" leaves the repository",
        "use a list of paths inside the repository",
    ),
    (
        "[context]\nfiles = [\"/etc/passwd\"]\n",
        "2: context.files: \"/etc/passwd\" leaves the repository",
        "use a list of paths inside the repository",
    ),
    (
        "[evidence]\nroot = \"~/x\"\n",
        "2: evidence.root: \"~/x\" cannot be used: '~' is not expanded here, write the folder out",
        "use a path, relative to the repository or absolute",
    ),
    (
        "[evidence]\nroot = \"\"\n",
        "2: evidence.root: the text is empty",
        "use a path, relative to the repository or absolute",
    ),
    ("[checks.x]\n", "1: checks.x has no argv", "add argv = …, a list of texts, the program first"),
    ("[checks.x]\nargv = []\n", "2: checks.x.argv: the list is empty", "use a list of texts, the program first"),
    (
        "[checks.x]\nargv = [\"\", \"a\"]\n",
        "2: checks.x.argv: the program is missing",
        "use a list of texts, the program first",
    ),
    (
        "[checks.x]\nargv = [\"{id}\"]\n",
        "2: checks.x.argv: the program depends on the test's id",
        "write the program out; {id} may stand in its arguments",
    ),
    (
        "[checks.\"a b\"]\nargv = [\"a\"]\n",
        "1: the name \"a b\" cannot be used",
        "use a name of letters, digits, '-', '_' and '.'",
    ),
    (
        "[memory]\nserver = \"mem\"\n[mcp_servers.mem2]\ncommand = \"a\"\n",
        "2: no MCP server is called \"mem\", did you mean \"mem2\"?",
        "add [mcp_servers.mem], or remove memory.server to use the embedded one",
    ),
    (
        "[budget]\nrun_usd = 2\n",
        "2: budget.run_usd: a whole number cannot be used",
        "use an amount of USD as a text, for example \"2.00\"",
    ),
    (
        "[budget]\nrun_usd = \"2 USD\"\n",
        "2: budget.run_usd: \"2 USD\" cannot be used",
        "use an amount of USD as a text, for example \"2.00\"",
    ),
    (
        "[prices.opus]\ninput_per_mtok_usd = \"15\"\n",
        "1: prices.opus has no output_per_mtok_usd",
        "add output_per_mtok_usd = …, an amount of USD as a text, for example \"2.00\"",
    ),
    ("[x\u{1b}]\n", "1:3: not valid TOML: ", "correct the line"),
    (
        "[\"a\\u001b[2J\"]\n",
        "1: unknown key a␛[2J",
        "the keys here are: agents, mcp_servers, memory, checks, guardrails, consensus, stages, context, run, mcp, gates, budget, prices, evidence, worktrees",
    ),
];

#[test]
fn what_cannot_be_used_names_its_place_and_the_next_step() {
    for (text, why, next) in UNUSABLE {
        let (message, hint) = World::new().project(text).refused();
        assert!(message.starts_with(&format!(".dicast/config.toml:{why}")), "{text:?}\n{message}");
        assert_eq!(hint, *next, "{text:?}");
    }
}

/// Agents that cannot work: their lines, why, and what to do.
const UNFIT: &[(&str, &str, &str)] = &[
    (
        "name = \"a\"\nkind = \"memory\"\n",
        "1: agents has no family",
        "add family = …, a name of letters, digits, '-', '_' and '.'",
    ),
    (
        "name = \"a\"\nfamily = \"f\"\n",
        "1: agents has no kind",
        "add kind = …, one of \"command\", \"acp\", \"api\", \"replay\", \"memory\"",
    ),
    (
        "kind = \"memory\"\nfamily = \"f\"\n",
        "1: agents has no name",
        "add name = …, a name of letters, digits, '-', '_' and '.'",
    ),
    ("name = \"a/b\"\n", "2: agents.name: \"a/b\" cannot be used", "use a name of letters, digits, '-', '_' and '.'"),
    (
        "name = \"a\"\nkind = \"comand\"\n",
        "3: agents.kind: \"comand\" cannot be used, did you mean \"command\"?",
        "use one of \"command\", \"acp\", \"api\", \"replay\", \"memory\"",
    ),
    (
        "name = \"a\"\nkind = \"command\"\nfamily = \"f\"\n",
        "1: an agent of kind \"command\" has no command",
        "add command = …",
    ),
    (
        "name = \"a\"\nkind = \"replay\"\nfamily = \"f\"\n",
        "1: an agent of kind \"replay\" has no script",
        "add script = …",
    ),
    (
        "name = \"a\"\nkind = \"memory\"\nfamily = \"f\"\ncommand = [\"x\"]\n",
        "5: command does nothing for an agent of kind \"memory\"",
        "remove it",
    ),
    (
        "name = \"a\"\nkind = \"memory\"\nfamily = \"f\"\nstages = [\"plam\"]\n",
        "5: agents.stages: \"plam\" is no stage, did you mean \"plan\"?",
        "use a list of stages: plan, tasks, implement, validate, audit, unlock",
    ),
    (
        "name = \"a\"\nkind = \"command\"\nfamily = \"f\"\ncommand = [\"x\"]\nretry = { base_ms = 9, cap_ms = 8 }\n",
        "6: retry: base_ms is larger than cap_ms",
        "make cap_ms at least as large as base_ms",
    ),
    (
        "name = \"a\"\nkind = \"command\"\nfamily = \"f\"\ncommand = [\"x\"]\nenv = { A = 1 }\n",
        "6: agents.env: A: a whole number cannot be used",
        "use a table of texts, for example { NAME = \"text\", KEY = \"$KEY\" }",
    ),
    (
        "name = \"a\"\nkind = \"command\"\nfamily = \"f\"\ncommand = [\"x\"]\ntimeouts = { total = 8 }\n",
        "6: unknown key agents.timeouts.total",
        "did you mean \"total_s\"?",
    ),
    (
        "name = \"a\"\nkind = \"memory\"\nfamily = \"f\"\n[[agents]]\nname = \"a\"\nkind = \"memory\"\nfamily = \"g\"\n",
        "6: the name \"a\" is taken by .dicast/config.toml:2",
        "give each agent a name of its own",
    ),
    (
        "name = \"a\"\nkind = \"command\"\nfamily = \"f\"\ncommand = [\"x\"]\nwrites = [\"plan\"]\n",
        "6: files are changed at implement only",
        "write writes = [\"implement\"]",
    ),
    (
        "name = \"a\"\npreset = \"codex\"\nkind = \"acp\"\nwrites = [\"implement\"]\n",
        "5: preset \"codex\" over the Agent Client Protocol is not known to keep its changes inside a worktree",
        "let claude, gemini or a program of your own write, or remove kind = \"acp\"",
    ),
    (
        "name = \"a\"\nkind = \"api\"\nfamily = \"f\"\napi = \"anthropic\"\nmodel = \"m\"\nbase_url = \"https://a.b\"\n\
         mcp = [\"memory\"]\nmcp_tools = [\"tickets__find\"]\n",
        "9: mcp_tools: \"tickets__find\" is of no server in mcp",
        "write it as server__tool, and the server in mcp",
    ),
    (
        "name = \"a\"\npreset = \"qwen\"\nwrites = [\"implement\"]\n",
        "4: preset \"qwen\" is not known to keep its changes inside a worktree",
        "let claude, codex, gemini or a program of your own write",
    ),
    (
        "name = \"host\"\nkind = \"memory\"\nfamily = \"f\"\n",
        "2: host is what the program itself is called on a panel",
        "use another name",
    ),
];

#[test]
fn an_agent_that_cannot_work_is_refused() {
    for (text, why, next) in UNFIT {
        let (message, hint) = World::new().project(&format!("[[agents]]\n{text}")).refused();
        assert_eq!((message, hint), (format!(".dicast/config.toml:{why}"), (*next).to_owned()), "{text}");
    }
}

#[test]
fn what_comes_in_a_later_version_is_refused_and_says_what_works_now() {
    let agent = |line: &str| format!("[[agents]]\nname = \"a\"\n{line}\n");
    let table =
        [(agent("preset = \"crush\""), "agents.preset: \"crush\" is not yet available in this version", "\"claude\"")];
    for (text, why, now) in table {
        let (message, hint) = World::new().project(&text).refused();
        assert!(message.contains(why), "{message}");
        assert!(hint.contains(now), "{hint}");
    }
}

#[test]
fn budget_and_prices_are_whole_millionths_and_stand_in_no_hash() {
    let agent = "[[agents]]\nname = \"a\"\nkind = \"command\"\nfamily = \"f\"\ncommand = [\"x\"]\n";
    let usual = World::new().project(agent).load().settings;
    assert_eq!((usual.budget.run_micro_usd, usual.budget.allow_unpriced), (2_000_000, true));
    let text = "[budget]\nrun_usd = \"0.25\"\nallow_unpriced = false\n\
        [prices.\"z-ai/glm 4.6\"]\ninput_per_mtok_usd = \"0.000001\"\noutput_per_mtok_usd = \"75\"\n";
    let set = World::new().project(&format!("{agent}{text}")).load().settings;
    assert_eq!((set.budget.run_micro_usd, set.budget.allow_unpriced), (250_000, false));
    let price = set.prices["z-ai/glm 4.6"];
    assert_eq!((price.input_micro_usd, price.output_micro_usd), (1, 75_000_000));
    assert_eq!(dicast::domain::settings::config_sha256(&set), dicast::domain::settings::config_sha256(&usual));
    let more = World::new().project(&format!("{agent}max_output_tokens = 8000\n")).load().settings;
    assert_eq!(more.agents[0].max_output_tokens, 8_000);
}

#[test]
fn the_memorys_profile_goes_with_a_server_that_was_declared() {
    let server = "[mcp_servers.memory]\ncommand = \"m\"\n";
    for (name, profile) in [("server-memory", Profile::ServerMemory), ("local-memory", Profile::LocalMemory)] {
        let text = format!("[memory]\nprofile = \"{name}\"\n");
        let loaded = World::new().project(&format!("{server}{text}")).load();
        assert_eq!(loaded.settings.memory_profile, profile);
        let (message, hint) = World::new().project(&text).refused();
        assert!(message.contains(&format!("not of \"{name}\"")), "{message}");
        assert!(hint.contains("[mcp_servers.NAME]"), "{hint}");
    }
}

#[test]
fn files_that_are_no_config_are_refused_by_name() {
    let world = World::new();
    let path = world.sources.repo.join(PROJECT_CONFIG);
    write_atomic_text(&path, &format!("#{}", "x".repeat(1 << 20))).unwrap();
    assert_eq!(world.refused().0, ".dicast/config.toml: it is larger than 1048576 bytes");
    #[expect(clippy::disallowed_methods, reason = "the test writes what our own writer cannot")]
    std::fs::write(&path, b"a = \"\xff\"").unwrap();
    assert_eq!(world.refused().0, ".dicast/config.toml: it is not UTF-8 text (byte 5)");
    let mut world = World::new();
    world.sources.given_config = Some(PathBuf::from("/nowhere/x.toml"));
    assert_eq!(world.refused(), ("--config /nowhere/x.toml: there is no such file".into(), "check the path".into()));
}

#[test]
fn the_repositorys_config_runs_nothing_until_exactly_it_is_approved() {
    let world = World::new().project(AGENT);
    let refused = world.load().runnable().unwrap_err();
    assert_eq!(refused.exit(), 11);
    assert!(matches!(world.load().trust, Trust::Unapproved(_)));
    world.approve();
    assert!(matches!(world.load().trust, Trust::Approved(_)));
    assert_eq!(world.load().runnable().unwrap().agents.len(), 1);

    let world = world.project(&AGENT.replace("./my-agent", "./other-agent"));
    let loaded = world.load();
    assert_eq!(loaded.runnable().unwrap_err().exit(), 11);
    let Trust::Changed { diff, .. } = &loaded.trust else { panic!("{:?}", loaded.trust) };
    let removed = DiffLine::Removed("command = [\"./my-agent\"]".into());
    assert_eq!(diff[..], [removed, DiffLine::Added("command = [\"./other-agent\"]".into())]);

    // One byte more, also where it means nothing.
    let world = world.project(&format!("{AGENT} "));
    assert!(matches!(world.load().trust, Trust::Changed { .. }));
    let world = world.project(AGENT);
    assert!(matches!(world.load().trust, Trust::Approved(_)), "the first text is still approved");

    assert_eq!(world.store().revoke(&world.sources.repo), Ok(1));
    assert!(matches!(world.load().trust, Trust::Unapproved(_)));
    assert_eq!(world.store().revoke(&world.sources.repo), Ok(0));
}

#[test]
fn an_approval_holds_for_its_own_repository_only() {
    let world = World::new().project(AGENT);
    world.approve();
    let other = World::new().project(AGENT);
    let sources = Sources { trust_store: world.sources.trust_store.clone(), ..other.sources.clone() };
    assert!(matches!(load(&sources).unwrap().trust, Trust::Unapproved(_)));
    let listed = world.store().list();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].repo.as_str().ends_with("/repo"));
    // The same repository by another path is the same repository.
    let sources = Sources { repo: world.sources.repo.join("../repo/."), ..world.sources.clone() };
    assert!(matches!(load(&sources).unwrap().trust, Trust::Approved(_)));
}

#[test]
fn a_server_is_a_program_or_an_address_and_what_is_sent_to_an_address_is_listed() {
    let text = "[mcp_servers.m]\nurl = \"https://example.org/mcp\"\nbearer_token_env_var = \"M_TOKEN\"\n\
                http_headers = { X-Team = \"blue\" }\nenv_http_headers = { X-Key = \"M_KEY\" }\n";
    let loaded = World::new().project(text).load();
    let item = loaded.trust.proposal().unwrap().items[0].clone();
    assert_eq!(item.argv, [Safe::line("https://example.org/mcp")]);
    assert_eq!(item.env_pass, [Safe::line("M_TOKEN")]);
    let sent: Vec<_> = item.env.iter().map(|(header, value)| format!("{header}: {value}")).collect();
    assert_eq!(sent, ["X-Key: $M_KEY", "X-Team: blue"]);
    assert_eq!(loaded.settings.servers["m"].place(), "https://example.org/mcp");
    let table = [
        ("url = \"ftp://x\"", "mcp_servers.m.url: \"ftp://x\" cannot be used"),
        ("url = \"http://x\"\ncommand = \"a\"", "mcp_servers.m: url does nothing beside command"),
        ("url = \"http://x\"\nargs = []", "mcp_servers.m: args does nothing beside url"),
        ("command = \"a\"\nhttp_headers = {}", "mcp_servers.m: http_headers does nothing beside command"),
        ("tool_timeout_sec = 5", "mcp_servers.m has neither command nor url"),
        ("url = \"http://x\"\nenv_http_headers = { X = \"$A\" }", "X: \"$A\" cannot be used"),
    ];
    for (lines, wanted) in table {
        let (message, _) = World::new().project(&format!("[mcp_servers.m]\n{lines}\n")).refused();
        assert!(message.contains(wanted), "{lines}: {message}");
    }
}

#[test]
fn everything_that_would_run_is_listed_and_made_harmless() {
    let text = format!(
        "{AGENT}env = {{ KEY = \"$SECRET\" }}\nenv_pass = [\"PATH\"]\n\
         [mcp_servers.m]\ncommand = \"npx\"\nargs = [\"a\\u001b[2J\"]\ncwd = \"../x\"\n\
         [checks.lint]\nargv = [\"make\", \"lint\"]\n[evidence]\nroot = \"/tmp/e\"\n\
         [budget]\nrun_usd = \"900\"\n\
         [[agents]]\nname = \"played\"\nkind = \"replay\"\nfamily = \"f\"\nscript = \"s\"\n"
    );
    let loaded = World::new().cargo().user("[checks.mine]\nargv = [\"x\"]\n").project(&text).load();
    let shown: Vec<String> = loaded
        .trust
        .proposal()
        .unwrap()
        .items
        .iter()
        .map(|TrustItem { what, argv, env, env_pass, source }| {
            let argv: Vec<_> = argv.iter().map(|word| word.as_str()).collect();
            let env: Vec<_> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let by = if *source == TrustSource::Detected { "detected" } else { "config" };
            format!("{what}: {} | {} | {} | {by}", argv.join(" "), env.join(" "), env_pass.len())
        })
        .collect();
    assert_eq!(
        shown,
        [
            "agent mine: ./my-agent | KEY=$SECRET | 1 | config",
            "MCP server m (in ../x): npx a␛[2J |  | 0 | config",
            "detected check cargo-test: cargo test -- {id} |  | 0 | detected",
            "check lint: make lint |  | 0 | config",
            "evidence outside the repository: /tmp/e |  | 0 | config",
            "what a run may cost: budget.run_usd = \"900\" |  | 0 | config",
        ]
    );
}

/// Writes configs of other programs, in the repository and at home.
fn with_other_programs(world: &World) {
    let home = world.folder.path().join("home");
    let repo = &world.sources.repo;
    let claude = format!(
        r#"{{"mcpServers": {{"tickets": {{"type": "http", "url": "https://t.example/mcp",
             "headers": {{"Authorization": "${{T_TOKEN}}"}}}}, "old": {{"type": "sse", "url": "https://o.example"}}}},
             "projects": {{"{}": {{"mcpServers": {{"here": {{"command": "h"}}}}}}, "/x": {{"mcpServers": {{"no": {{"command": "n"}}}}}}}}}}"#,
        repo.display()
    );
    let files = [
        (
            repo.join(".mcp.json"),
            r#"{"mcpServers": {"files": {"command": "npx", "args": ["-y", "files"], "env": {"A": "b"}}}}"#,
        ),
        (home.join(".claude.json"), claude.as_str()),
        (
            home.join(".codex/config.toml"),
            "model = \"m\"\n[mcp_servers.files]\ncommand = \"other\"\n[mcp_servers.docs]\nurl = \"http://d/mcp\"\n\
             bearer_token_env_var = \"D\"\nstartup_timeout_sec = 3\n",
        ),
        (home.join(".gemini/settings.json"), "{ not json"),
    ];
    for (path, text) in files {
        write_atomic_text(&path, text).unwrap();
    }
}

#[test]
fn servers_of_other_programs_are_offered_and_start_only_when_exactly_they_are_approved() {
    let world = World::new();
    with_other_programs(&world);
    let loaded = load(&world.sources).unwrap();
    let shown: Vec<_> =
        loaded.settings.offers.iter().map(|o| (o.name.as_str(), o.from.as_str(), o.server.place())).collect();
    assert_eq!(
        shown,
        [
            ("files", ".mcp.json", "npx"),
            ("tickets", "~/.claude.json", "https://t.example/mcp"),
            ("here", "~/.claude.json", "h"),
            ("docs", "~/.codex/config.toml", "http://d/mcp"),
        ]
    );
    let warnings: Vec<_> = loaded.warnings.iter().map(Safe::as_str).collect();
    assert_eq!(
        warnings,
        [
            "~/.claude.json: MCP server old is not offered: it speaks the older HTTP+SSE",
            "~/.gemini/settings.json: it is not valid JSON; its MCP servers are not offered",
        ]
    );
    let Transport::Http { headers, .. } = &loaded.settings.offers[1].server.transport else { panic!("an address") };
    assert_eq!(headers["Authorization"], EnvValue::Ours("T_TOKEN".into()));
    assert_eq!(loaded.settings.offers[3].server.startup_timeout_ms, 3_000);
    assert!(loaded.runnable().unwrap().servers.is_empty(), "nothing of it starts");

    config::approve_offer(&world.sources, &loaded.settings.offers[0]).unwrap();
    let runnable = load(&world.sources).unwrap().runnable().unwrap();
    assert_eq!(runnable.servers.keys().collect::<Vec<_>>(), ["files"]);
    assert_eq!(runnable.offers.len(), 3);
    let changed = r#"{"mcpServers": {"files": {"command": "npx", "args": ["-y", "evil"]}}}"#;
    write_atomic_text(&world.sources.repo.join(".mcp.json"), changed).unwrap();
    assert!(load(&world.sources).unwrap().runnable().unwrap().servers.is_empty(), "another byte, another approval");
    with_other_programs(&world);
    assert_eq!(world.store().revoke(&world.sources.repo), Ok(1));
    assert!(load(&world.sources).unwrap().runnable().unwrap().servers.is_empty());
}

#[test]
fn only_the_programs_that_are_named_are_looked_at_and_our_own_servers_come_first() {
    let world = World::new().project("[mcp]\nimport = [\"codex\"]\n[mcp_servers.docs]\ncommand = \"mine\"\n");
    with_other_programs(&world);
    let loaded = load(&world.sources).unwrap();
    let names: Vec<_> = loaded.settings.offers.iter().map(|offer| offer.name.as_str()).collect();
    assert_eq!(names, ["files"]);
    let world = World::new().project("[mcp]\nimport = []\n");
    with_other_programs(&world);
    assert!(load(&world.sources).unwrap().settings.offers.is_empty());
}

#[test]
fn a_config_that_runs_nothing_needs_no_approval() {
    let loaded = World::new().project("[consensus]\nquorum = \"solo\"\n[evidence]\nroot = \"kept\"\n").load();
    assert_eq!(loaded.trust, Trust::Unneeded);
    assert_eq!(loaded.runnable().unwrap().consensus.quorum, Quorum::Solo);
}

#[test]
fn a_detected_check_waits_for_approval_and_stops_nothing_else() {
    let world = World::new().cargo().user(AGENT);
    let loaded = world.load();
    assert_eq!(loaded.settings.checks["cargo-test"].source, CheckSource::Detected);
    assert!(matches!(loaded.trust, Trust::Unapproved(_)));
    assert!(loaded.runnable().unwrap().checks.is_empty());
    assert_eq!(loaded.runnable().unwrap().agents.len(), 1);
    world.approve();
    assert_eq!(world.load().runnable().unwrap().checks.len(), 1);
    // Declared by the user, it is the user's: nothing is left to approve.
    let own = World::new().cargo().user("[checks.cargo-test]\nargv = [\"cargo\", \"nextest\"]\n").load();
    assert_eq!(own.trust, Trust::Unneeded);
    assert_eq!(own.runnable().unwrap().checks["cargo-test"].argv, ["cargo", "nextest"]);
}

#[test]
fn a_config_text_cannot_pass_for_an_approved_detection() {
    let comment =
        World::new().project(&format!("detected = 1\n{AGENT}").replace("detected = 1", "# detected check cargo-test"));
    let with_cargo = World::new().cargo().project(AGENT);
    let hash = |world: &World| world.load().trust.proposal().unwrap().hash.clone();
    assert_ne!(hash(&comment), hash(&with_cargo));
    assert_ne!(hash(&World::new().project(AGENT)), hash(&with_cargo));
    assert_eq!(hash(&World::new().project(AGENT)), hash(&World::new().project(AGENT)), "the same for every clone");
}

#[test]
fn yes_trust_grants_exactly_its_hash_for_this_process() {
    let mut world = World::new().project(AGENT);
    let hash = world.load().trust.proposal().unwrap().hash.clone();
    world.sources.yes_trust = vec!["0".repeat(64)];
    assert!(matches!(world.load().trust, Trust::Unapproved(_)));
    world.sources.yes_trust = vec![hash.to_string()];
    assert!(matches!(world.load().trust, Trust::Approved(_)));
    assert!(world.store().list().is_empty(), "nothing is remembered");
    for bad in ["", "yes", &hash.as_str()[1..], &hash.as_str().to_uppercase()] {
        world.sources.yes_trust = vec![bad.to_owned()];
        assert_eq!(world.refused().0, "--yes-trust: this is no hash of a config");
    }
}

#[test]
fn approvals_that_cannot_be_read_approve_nothing_and_say_so() {
    let world = World::new().project(AGENT);
    world.approve();
    for broken in ["{", "{\"schema\":\"other/9\",\"repos\":{}}", "[]"] {
        write_atomic_text(world.sources.trust_store.as_deref().unwrap(), broken).unwrap();
        let loaded = world.load();
        assert!(matches!(loaded.trust, Trust::Unapproved(_)));
        assert_eq!(loaded.warnings.len(), 1);
        assert!(loaded.warnings[0].as_str().contains("remove the file"), "{:?}", loaded.warnings);
    }
}

#[test]
fn the_store_remembers_the_last_five_approvals() {
    let world = World::new();
    let texts: Vec<String> = (0..6).map(|i| format!("# {i}\n{AGENT}")).collect();
    let mut world = world;
    for text in &texts {
        world = world.project(text);
        world.approve();
    }
    assert_eq!(world.store().list().len(), 5);
    world = world.project(&texts[0]);
    assert!(matches!(world.load().trust, Trust::Changed { .. }));
    world = world.project(&texts[1]);
    assert!(matches!(world.load().trust, Trust::Approved(_)));
}

#[test]
fn init_writes_a_config_that_loads_as_the_defaults_and_is_approved() {
    let world = World::new().cargo();
    let loaded = init::write_approved(&world.sources, &init::facts(&world.sources, vec![]), Moment(5)).unwrap();
    assert!(matches!(loaded.trust, Trust::Approved(_)));
    let mut settings = loaded.runnable().unwrap();
    assert_eq!(settings.checks.remove("cargo-test").map(|check| check.source), Some(CheckSource::Declared));
    assert_eq!(settings, Settings::default());
    let again = init::write_approved(&world.sources, &init::facts(&world.sources, vec![]), Moment(6)).unwrap_err();
    assert_eq!(again.exit(), 64);
    let ignore = read_text_capped(&world.sources.repo.join(".dicast/.gitignore"), 999).unwrap();
    assert_eq!(ignore.as_deref(), Some(init::GITIGNORE));

    // In a repository without tests nothing runs, and nothing is asked.
    let bare = World::new();
    assert_eq!(
        init::write_approved(&bare.sources, &init::facts(&bare.sources, vec![]), Moment(5)).unwrap().trust,
        Trust::Unneeded
    );
}

#[test]
fn what_init_comments_out_works_when_it_is_uncommented() {
    let facts = init::RepoFacts {
        agents: found::KNOWN.iter().map(|known| found::Found { name: known.name, path: "/bin/x".into() }).collect(),
        servers: vec![init::Serving {
            name: "llama.cpp".into(),
            base_url: "http://127.0.0.1:8080/v1".into(),
            model: "a \"quoted\" model\\of \u{1b}[31mmine".into(),
            models: 2,
        }],
        checks: BTreeMap::new(),
    };
    let text = init::text(&facts);
    for key in keys::KEYS.iter().filter(|key| matches!(key.state, keys::State::Works)) {
        let word = key.path.rsplit('.').next().unwrap();
        assert!(text.contains(&format!("{word} = ")), "{}", key.path);
    }
    // Who was found and has a preset is on the panel as it stands.
    let settings = World::new().given(&text).load().settings;
    let names: Vec<_> = settings.agents.iter().map(|agent| agent.name.as_str()).collect();
    assert_eq!(
        names,
        ["claude", "codex", "gemini", "qwen", "llama.cpp"],
        "opencode is not, before it is told a model; a server that answered is"
    );
    let server = settings.agents.last().unwrap();
    assert_eq!(
        server.model.as_deref(),
        Some("a \"quoted\" model\\of \u{1b}[31mmine"),
        "a name is text, whatever it holds"
    );
    assert!(matches!(&server.kind, AgentKind::Api(service) if service.base_url == "http://127.0.0.1:8080/v1"));
    let mut rest = text.split("\n# [mcp_servers").nth(1).map(|rest| format!("# [mcp_servers{rest}")).unwrap();
    for (placeholder, real) in
        [("<name>", "x"), ("<stage>", "plan"), ("<model>", "x"), ("server = \"memory\"", "server = \"x\"")]
    {
        rest = rest.replace(placeholder, real);
    }
    rest = rest
        .replace("# command = …   (unset: required, unless `url` is set)", "# command = \"a\"")
        .replace("# argv = …", "# argv = [\"a\"]")
        .replace("_per_mtok_usd = …", "_per_mtok_usd = \"1\"");
    let live: String = rest
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| !line.starts_with("  ") && !line.contains('…'))
        .map(|line| format!("{line}\n"))
        .collect();
    let settings = World::new().given(&live).load().settings;
    assert_eq!(settings.consensus, Settings::default().consensus);
    assert_eq!(settings.servers["x"].startup_timeout_ms, 15_000);
}

#[test]
fn agents_are_found_on_path_by_name_and_only_if_they_can_be_executed() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    let executable = |path: &Path, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        write_atomic_text(path, "#!/bin/sh\nexit 9\n").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    executable(&a.join("claude"), 0o644);
    executable(&b.join("claude"), 0o755);
    executable(&b.join("codex"), 0o755);
    let path = format!("{}::.:{}", a.display(), b.display());
    let found = found::find_on_path(["claude", "gemini", "codex"], Some(OsStr::new(&path)));
    let paths: Vec<_> = found.iter().map(|found| (found.name, found.path.clone())).collect();
    assert_eq!(paths, [("claude", b.join("claude")), ("codex", b.join("codex"))]);
    assert_eq!(found::find_on_path(["claude"], None), []);
}

#[test]
fn the_files_of_this_machine_are_where_xdg_says() {
    let sources = Sources::of_this_process(PathBuf::from("/repo")).unwrap();
    assert!(sources.user_config.unwrap().ends_with("dicast/config.toml"));
    assert!(sources.trust_store.unwrap().ends_with("dicast/trust.json"));
    assert_eq!((sources.given_config, sources.flags, sources.yes_trust), (None, vec![], vec![]));
}

#[test]
fn the_values_of_variables_are_not_listed() {
    let text = format!(
        "{AGENT}env = {{ TOKEN = \"s3cret\" }}\n[mcp_servers.m]\ncommand = \"a\"\nenv = {{ K = \"s3cret\" }}\n"
    );
    let loaded = World::new().given(&text).load();
    assert!(loaded.values.iter().all(|value| !value.value.as_str().contains("s3cret")));
    let listed: Vec<_> = loaded.values.iter().filter(|v| v.key.ends_with(".env")).map(|v| v.value.as_str()).collect();
    assert_eq!(listed, ["TOKEN", "K"]);
}

#[test]
fn the_manual_is_printed_from_the_table_of_keys() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let printed = manual::text();
    if std::env::var_os("WRITE_DOCS").is_some() {
        write_atomic_text(&path, &printed).unwrap();
    }
    let written = read_text_capped(&path, 1 << 20).unwrap().unwrap_or_default();
    assert!(written == printed, "docs/configuration.md is old: run WRITE_DOCS=1 cargo test --test config");
    for key in keys::KEYS {
        let row = format!("| `{}` |", key.path.replace("[]", ""));
        let line = written.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("{row}"));
        if let keys::Otherwise::Value(value) = key.default {
            assert!(line.contains(&format!("| `{value}` |")), "{line}");
        }
    }
}

/// Text that looks like a config: real keys and values in wrong places, cut and glued.
fn toml_ish() -> impl Strategy<Value = String> {
    let words: Vec<String> = keys::KEYS
        .iter()
        .flat_map(|key| key.path.split('.').map(|word| word.trim_end_matches("[]").to_owned()))
        .filter(|word| !word.starts_with('<'))
        .collect();
    let word = proptest::sample::select(words);
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("1.5".to_owned()),
        Just("true".to_owned()),
        Just("1979-05-27".to_owned()),
        Just("\"2/3\"".to_owned()),
        Just("\"command\"".to_owned()),
        Just("\"memory\"".to_owned()),
        Just("[\"plan\"]".to_owned()),
        Just("[[1], {}]".to_owned()),
        Just("{ A = \"$B\" }".to_owned()),
        "\\PC{0,12}",
    ];
    let line = prop_oneof![
        (word.clone(), value).prop_map(|(word, value)| format!("{word} = {value}\n")),
        word.clone().prop_map(|word| format!("[{word}]\n")),
        word.clone().prop_map(|word| format!("[[{word}]]\n")),
        (word.clone(), word).prop_map(|(a, b)| format!("[{a}.{b}]\n")),
        "(?s).{0,20}",
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

#[test]
fn no_text_makes_the_loader_panic_and_each_is_settings_or_a_failure_with_a_place() {
    let world = World::new().project("");
    let path = world.sources.repo.join(PROJECT_CONFIG);
    let settings = ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    let outcome = TestRunner::new(settings).run(&toml_ish(), |text| {
        #[expect(clippy::disallowed_methods, reason = "hundreds of texts need not survive a power cut")]
        std::fs::write(&path, &text).unwrap();
        match load(&world.sources) {
            Ok(loaded) => prop_assert!(loaded.values.len() > 10),
            Err(Failure::BadInput { place, next, exit: 64, .. }) => {
                prop_assert!(place.starts_with(".dicast/config.toml"), "{}", place);
                prop_assert!(!next.is_empty());
            }
            Err(failure) => prop_assert!(false, "{:?}", failure),
        }
        Ok(())
    });
    assert_eq!(outcome, Ok(()));
}

#[test]
fn a_preset_says_everything_that_its_user_did_not() {
    let text = "[[agents]]\nname = \"c\"\npreset = \"codex\"\nmodel = \"m-1\"\nargs = [\"--x\"]\nenv = { A = \"$B\" }\nenv_pass = [\"C\"]\n";
    let settings = World::new().given(text).load().settings;
    let agent = &settings.agents[0];
    assert_eq!(
        (agent.family.as_str(), agent.model.as_deref(), agent.timeouts.idle_ms),
        ("openai", Some("m-1"), 600_000)
    );
    let AgentKind::Command(launch) = &agent.kind else { panic!("a preset is a command") };
    assert_eq!(launch.command[..2], ["codex", "exec"]);
    assert!(launch.command.ends_with(&["-m".into(), "m-1".into(), "--x".into()]), "{:?}", launch.command);
    assert!(launch.env_pass.contains(&"HOME".into()) && launch.env_pass.contains(&"C".into()));
    assert!(launch.env.contains_key("A") && launch.env.contains_key("TMPDIR"));
    assert!(launch.transport.dialect().is_some_and(|dialect| dialect.knows_success()));
    let own = "[[agents]]\nname = \"c\"\npreset = \"codex\"\nfamily = \"mine\"\ncommand = [\"npx\", \"codex\"]\ntimeouts = { idle_s = 9 }\n";
    let settings = World::new().given(own).load().settings;
    let AgentKind::Command(launch) = &settings.agents[0].kind else { panic!("a preset is a command") };
    assert_eq!(launch.command[..3], ["npx", "codex", "exec"]);
    assert_eq!((settings.agents[0].family.as_str(), settings.agents[0].timeouts.idle_ms), ("mine", 9_000));
}

#[test]
fn an_agent_that_is_spoken_to_is_described_or_taken_from_a_preset() {
    let text = "[[agents]]\nname = \"mine\"\nkind = \"acp\"\nfamily = \"m\"\ncommand = [\"./mine\", \"--acp\"]\nargs = [\"-v\"]\n\
        mode = \"look\"\non_permission = \"reject\"\n\
        [[agents]]\nname = \"o\"\nkind = \"acp\"\npreset = \"opencode\"\nmodel = \"p/m\"\n\
        [[agents]]\nname = \"c\"\nkind = \"acp\"\npreset = \"claude\"\ncommand = [\"npx\", \"claude-agent-acp\"]\n";
    let settings = World::new().given(text).load().settings;
    let launch = |at: usize| {
        let AgentKind::Command(launch) = &settings.agents[at].kind else { panic!("a program") };
        (launch.command.clone(), launch.env.clone(), launch.transport.manner().unwrap().clone())
    };
    let (command, _, manner) = launch(0);
    assert_eq!(command, ["./mine", "--acp", "-v"]);
    assert_eq!((manner.mode.as_deref(), manner.on_permission), (Some("look"), OnPermission::Reject));
    let (command, env, manner) = launch(1);
    assert_eq!(
        (command[0].as_str(), manner.mode.as_deref(), manner.on_permission),
        ("opencode", Some("plan"), OnPermission::Ask)
    );
    let config = String::from(env["OPENCODE_CONFIG_CONTENT"].clone());
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!((&config["model"], &config["permission"]["*"]), (&"p/m".into(), &"deny".into()));
    assert_eq!(manner.model.as_deref(), Some("p/m"), "it would choose another one in silence");
    assert_eq!((settings.agents[1].timeouts.start_ms, settings.agents[0].timeouts.start_ms), (60_000, 20_000));
    let (command, _, manner) = launch(2);
    assert_eq!(command, ["npx", "claude-agent-acp"]);
    assert!(manner.extra.is_some_and(|extra| serde_json::from_str::<serde_json::Value>(&extra).is_ok()));
    let refused = [
        ("kind = \"acp\"\nfamily = \"f\"", "an agent of kind \"acp\" has no command"),
        (
            "kind = \"acp\"\nfamily = \"f\"\ncommand = [\"x\"]\ntransport = \"jsonl\"",
            "transport does nothing for an agent",
        ),
        ("kind = \"command\"\nfamily = \"f\"\ncommand = [\"x\"]\nmode = \"plan\"", "mode does nothing for an agent"),
        ("kind = \"acp\"\npreset = \"opencode\"", "needs a model"),
        ("kind = \"acp\"\npreset = \"opencode\"\nmodel = \"a\\\"b\"", "is no name of a model"),
        ("kind = \"acp\"\nfamily = \"f\"\ncommand = [\"x\"]\non_permission = \"allow\"", "on_permission"),
    ];
    for (text, why) in refused {
        let (message, _) = World::new().given(&format!("[[agents]]\nname = \"a\"\n{text}\n")).refused();
        assert!(message.contains(why), "{text}: {message}");
    }
}

#[test]
fn rules_for_an_output_are_read_and_wrong_ones_are_refused_at_their_place() {
    let agent = |rest: &str| {
        format!("[[agents]]\nname = \"a\"\nkind = \"command\"\nfamily = \"f\"\ncommand = [\"x\"]\n{rest}\n")
    };
    let rules = "transport = \"jsonl\"\nextract = { ok = \"type=end\", answer = [\"a.b if type=end\", \"c\"] }";
    let settings = World::new().given(&agent(rules)).load().settings;
    let AgentKind::Command(launch) = &settings.agents[0].kind else { panic!("a command") };
    assert!(launch.transport.dialect().is_some_and(|dialect| dialect.knows_success()));
    let table = [
        ("transport = \"jsonl\"", "needs extract.ok", "add extract.ok"),
        ("extract = { ok = \"x\" }", "extract does nothing for transport \"text\"", "jsonl"),
        ("resume_args = [\"-r\"]", "resume_args does nothing for transport \"text\"", "extract.session"),
        ("transport = \"json\"\nextract = { ok = \"x\", anser = \"y\" }", "\"anser\" is no field", "extract.answer"),
        ("transport = \"json\"\nextract = { ok = \"a b\" }", "\"a b\" is no path", "PATH"),
    ];
    for (rest, why, next) in table {
        let (message, hint) = World::new().given(&agent(rest)).refused();
        assert!(message.contains(why), "{rest}: {message}");
        assert!(hint.contains(next), "{rest}: {hint}");
    }
    let (message, hint) =
        World::new().given("[[agents]]\nname = \"a\"\npreset = \"claude\"\ntransport = \"text\"\n").refused();
    assert!(
        message.contains("transport is set by preset \"claude\"") && hint.contains("remove it"),
        "{message} {hint}"
    );
}

#[test]
fn a_model_over_http_is_its_address_and_the_name_of_its_key() {
    let of = |text: &str| {
        let settings = World::new().given(&format!("[[agents]]\nname = \"a\"\n{text}")).load().settings;
        let AgentKind::Api(service) = settings.agents[0].kind.clone() else { panic!("a model over HTTP") };
        (service, settings.secret_variables())
    };
    let (service, secret) = of("kind = \"api\"\nfamily = \"f\"\napi = \"openai-responses\"\nmodel = \"m\"\n\
        base_url = \"https://api.example.com/v1/\"\napi_key_env = \"MY_MODEL\"\njson_mode = \"none\"\ntools = false\n");
    let wanted = Service {
        api: Api::OpenaiResponses,
        base_url: "https://api.example.com/v1".into(),
        key_env: Some("MY_MODEL".into()),
        json_mode: JsonMode::None,
        tools: false,
        lent: Lent::default(),
    };
    assert_eq!(service, wanted);
    assert!(secret.contains(&"MY_MODEL".to_owned()), "{secret:?}");
    let (lent, _) =
        of("kind = \"api\"\nfamily = \"f\"\napi = \"anthropic\"\nmodel = \"m\"\nbase_url = \"https://a.example\"\n\
        mcp = [\"memory\"]\nmcp_tools = [\"memory__store_memory\"]\n");
    let wanted = Lent { servers: ["memory".to_owned()].into(), tools: ["memory__store_memory".to_owned()].into() };
    assert_eq!(lent.lent, wanted);
    let (local, _) = of("preset = \"ollama\"\nfamily = \"qwen\"\nmodel = \"qwen3\"\n");
    assert_eq!(
        (local.api, local.base_url.as_str(), local.key_env, local.json_mode, local.tools),
        (Api::OpenaiChat, "http://127.0.0.1:11434/v1", None, JsonMode::JsonSchema, true)
    );
    let (moved, _) = of("preset = \"vllm\"\nfamily = \"f\"\nmodel = \"m\"\nbase_url = \"http://gpu.lan/v1\"\n");
    assert_eq!(moved.base_url, "http://gpu.lan/v1");
}

#[test]
fn what_a_model_over_http_lacks_or_has_no_use_for_is_refused_at_its_place() {
    let whole = "kind = \"api\"\nfamily = \"f\"\nmodel = \"m\"\napi = \"anthropic\"\nbase_url = \"https://x\"\n";
    let without =
        |key: &str| whole.lines().filter(|line| !line.starts_with(key)).map(|l| format!("{l}\n")).collect::<String>();
    let table = [
        (without("model"), "has no model", "add model"),
        (without("api ="), "has no api", "add api"),
        (without("base_url"), "has no base_url", "add base_url"),
        (whole.replace("anthropic", "anthropc"), "did you mean \"anthropic\"?", "openai-chat"),
        (whole.replace("https://x", "ftp://x"), "agents.base_url: \"ftp://x\" cannot be used", "http://"),
        (whole.replace("https://x", "https://me:pw@x/v1"), "it holds a user or a key", "api_key_env"),
        (whole.replace("https://x", "https://x/v1?key=1"), "behind a ? or #", "api_key_env"),
        (format!("{whole}command = [\"x\"]\n"), "command does nothing for an agent of kind \"api\"", "remove it"),
        (format!("{whole}preset = \"claude\"\n"), "is a program, not an address", "remove it"),
        (
            "preset = \"ollama\"\nkind = \"command\"\nfamily = \"f\"\n".into(),
            "is an address, not a program",
            "remove kind",
        ),
        ("preset = \"ollama\"\nmodel = \"m\"\n".into(), "family", "family"),
        ("preset = \"claude\"\napi_key_env = \"K\"\n".into(), "api_key_env does nothing", "remove it"),
    ];
    for (text, why, next) in table {
        let (message, hint) = World::new().given(&format!("[[agents]]\nname = \"a\"\n{text}")).refused();
        assert!(message.contains(why), "{text}: {message}");
        assert!(hint.contains(next), "{text}: {hint}");
    }
}

#[test]
fn an_address_of_the_project_is_approved_with_the_key_that_goes_there() {
    let text = "[[agents]]\nname = \"a\"\nkind = \"api\"\nfamily = \"f\"\nmodel = \"m\"\napi = \"anthropic\"\n\
        base_url = \"https://x.example\"\napi_key_env = \"MY_MODEL\"\nmcp = [\"gone\", \"memory\"]\nmcp_tools = [\"gone__f\"]\n";
    let loaded = World::new().project(text).load();
    assert!(!loaded.trust.is_granted());
    let item = &loaded.trust.proposal().unwrap().items[0];
    let argv: Vec<&str> = item.argv.iter().map(|word| word.as_str()).collect();
    assert_eq!(argv, ["https://x.example/v1/messages", "mcp:gone", "mcp:memory", "gone__f"], "what goes there");
    assert_eq!(item.env_pass[0].as_str(), "MY_MODEL");
    let told: Vec<&str> = loaded.warnings.iter().map(|warning| warning.as_str()).collect();
    assert!(told.iter().any(|told| told.contains("offered nothing of \"gone\"")), "{told:?}");
    assert!(!told.iter().any(|told| told.contains("\"memory\"")), "{told:?}");
}
