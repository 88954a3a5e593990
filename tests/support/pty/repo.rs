//! A small repository with specs and a panel of fake agents, in folders of its own: home, temporary files, everything
//! that a program may look for, so that nothing of the machine leaks into a test.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::Program;

/// A spec that rules and agents find nothing to quarrel about.
const SPEC: &str = "# Feature Specification: Greeter

## Requirements

### Functional Requirements

- **FR-001**: The greeter MUST say hello to a named guest within 10 ms
- **FR-002**: The greeter MUST refuse an empty name with an error
- **FR-003**: The greeter SHOULD say goodbye to a named guest within 10 ms
";

const CODE: &str =
    "//! Greets.\n\n/// Says hello.\npub fn greet(name: &str) -> String {\n    format!(\"hello {name}\")\n}\n";

/// The first spec of every repository made here.
pub(crate) const FIRST: &str = "001-greeter";
/// The second one.
pub(crate) const SECOND: &str = "002-farewell";

/// One agent of the panel: its name (also its family) and the flags of `examples/fake_agent`.
pub(crate) type FakeAgent<'a> = (&'a str, &'a [&'a str]);

/// Three agents that agree.
pub(crate) const QUIET_PANEL: &[FakeAgent<'static>] = &[("ann", &[]), ("bob", &[]), ("cyd", &[])];

/// A repository, and a home to go with it.
pub(crate) struct Repo {
    root: tempfile::TempDir,
    binary: PathBuf,
    extra: Vec<(OsString, OsString)>,
}

impl Repo {
    /// Makes a repository in which a binary will run.
    pub(crate) fn new(binary: impl Into<PathBuf>) -> Self {
        let repo = Self { root: tempfile::tempdir().expect("a folder"), binary: binary.into(), extra: Vec::new() };
        for folder in ["home", "tmp", "config", "state", "data", "cache", "repo/src"] {
            fs::create_dir_all(repo.root.path().join(folder)).expect("a folder");
        }
        repo.write("AGENTS.md", "# Working here\n\nKeep it small.\n");
        repo.write("src/lib.rs", CODE);
        repo.write(&format!("specs/{FIRST}/spec.md"), SPEC);
        repo.write(&format!("specs/{SECOND}/spec.md"), &SPEC.replace("hello", "farewell"));
        repo.git(&["init", "-q"]);
        repo.commit();
        repo
    }

    /// The same with a panel.
    pub(crate) fn with_panel(binary: impl Into<PathBuf>, agents: &[FakeAgent<'_>]) -> Self {
        let repo = Self::new(binary);
        repo.configure(agents, None);
        repo
    }

    /// Returns the folder of the repository.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("repo")
    }

    /// Writes a file of the repository.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Reads a file of the repository, if it is there.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.path().join(path)).ok()
    }

    /// Sets a variable for every program that is started here.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.extra.push((name.into(), value.into()));
    }

    /// Writes the config: agents, and the flags of a fake memory server in place of the embedded one. One that fails
    /// is not asked again, so that a test sees the first failure.
    pub(crate) fn configure(&self, agents: &[FakeAgent<'_>], memory: Option<&[&str]>) {
        let list = |flags: &[&str]| serde_json::to_string(flags).expect("flags are text");
        let text = |path: &Path| serde_json::to_string(path).expect("a path is text");
        let mut config = String::new();
        for (name, flags) in agents {
            config += &format!(
                "[[agents]]\nname = \"{name}\"\nkind = \"command\"\nfamily = \"{name}\"\ncommand = [{}]\nargs = {}\n\
                 timeouts = {{ kill_grace_s = 1 }}\nretry = {{ max = 0 }}\n\n",
                text(&example("fake_agent")),
                list(flags)
            );
        }
        if let Some(flags) = memory {
            config += &format!(
                "[mcp_servers.memory]\ncommand = {}\nargs = {}\n\n[memory]\nserver = \"memory\"\n",
                text(&example("fake_mcp_server")),
                list(flags)
            );
        }
        self.write(".dicast/config.toml", &config);
    }

    /// Returns the user's home folder.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// Commits everything but what the program writes.
    pub(crate) fn commit(&self) {
        self.write(".gitignore", "/.dicast/\n");
        self.git(&["add", "-A"]);
        self.git(&["-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-q", "-m", "State"]);
    }

    fn git(&self, args: &[&str]) {
        let mut git = Command::new("git");
        git.args(args).current_dir(self.path()).env_clear().envs(self.env()).stdin(Stdio::null());
        assert!(git.status().expect("git runs").success(), "git {args:?}");
    }

    fn env(&self) -> Vec<(OsString, OsString)> {
        let folder = |name: &str| self.root.path().join(name).into_os_string();
        let mut env: Vec<(OsString, OsString)> = [
            ("HOME", folder("home")),
            ("TMPDIR", folder("tmp")),
            ("XDG_CONFIG_HOME", folder("config")),
            ("XDG_STATE_HOME", folder("state")),
            ("XDG_DATA_HOME", folder("data")),
            ("XDG_CACHE_HOME", folder("cache")),
            ("PATH", std::env::var_os("PATH").unwrap_or_default()),
            ("TERM", "xterm-256color".into()),
            ("COLORTERM", "truecolor".into()),
            ("LANG", "C.UTF-8".into()),
            ("GIT_CONFIG_NOSYSTEM", "1".into()),
            // The same commits in every repository made here, so that verdicts can be compared.
            ("GIT_AUTHOR_DATE", "2026-01-12T09:00:00Z".into()),
            ("GIT_COMMITTER_DATE", "2026-01-12T09:00:00Z".into()),
            ("GIT_CEILING_DIRECTORIES", self.root.path().into()),
        ]
        .map(|(name, value)| (name.into(), value))
        .into();
        // What rustup needs to find the compiler: the demonstration runs the sample's tests.
        for name in ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            env.extend(std::env::var_os(name).map(|value| (name.into(), value)));
        }
        if let Some(home) = std::env::var_os("HOME").map(PathBuf::from) {
            for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
                if std::env::var_os(name).is_none() && home.join(folder).is_dir() {
                    env.push((name.into(), home.join(folder).into_os_string()));
                }
            }
        }
        env.extend(self.extra.iter().cloned());
        env
    }

    /// Returns the program in this repository, with its config given by hand and so trusted.
    pub(crate) fn program(&self, args: &[&str]) -> Program {
        let mut command: Vec<OsString> = vec![self.binary.clone().into_os_string()];
        let config = self.path().join(".dicast/config.toml");
        if config.exists() {
            command.extend(["--config".into(), config.into_os_string()]);
        }
        command.extend(args.iter().map(OsString::from));
        Program { command, env: self.env(), cwd: self.path() }
    }

    /// Returns any other program here.
    pub(crate) fn other(&self, command: &[&str]) -> Program {
        Program { command: command.iter().map(OsString::from).collect(), env: self.env(), cwd: self.path() }
    }

    /// Returns the program without a terminal, ready to be started.
    pub(crate) fn headless(&self, args: &[&str]) -> Command {
        let program = self.program(args);
        let mut command = Command::new(&program.command[0]);
        command.args(&program.command[1..]).current_dir(program.cwd).env_clear().envs(program.env).stdin(Stdio::null());
        command
    }

    /// Runs the program without a terminal to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.headless(args).output().expect("the program runs")
    }

    /// Reads the hash of a recorded verdict.
    pub(crate) fn verdict_hash(&self, spec: &str) -> Option<String> {
        let text = self.read(&format!("specs/{spec}/verdicts/plan.json"))?;
        let verdict: serde_json::Value = serde_json::from_str(&text).ok()?;
        verdict["hash"].as_str().map(str::to_owned)
    }
}

/// Finds an example beside the binary that runs now: cargo builds examples for its tests.
pub(crate) fn example(name: &str) -> PathBuf {
    let here = std::env::current_exe().expect("our own path");
    let folder = here.ancestors().map(|folder| folder.join("examples")).find(|folder| folder.join(name).is_file());
    folder.map_or_else(|| panic!("no {name}: run `cargo build --examples` first"), |folder| folder.join(name))
}
