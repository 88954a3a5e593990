//! The demonstration: the sample project, copied to a folder of its own with a short history, and its scripted panel.
//!
//! It must not know what is shown: the copy is a repository like any other, and the agents are configured like any
//! others.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::engine::Flags;
use super::headless::headless;
use super::start::{Start, interactive};
use crate::app::msg::{Request, Start as StartRun};
use crate::cli::sample;
use crate::config::{self, Sources};
use crate::disk::{Store, scratch};
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;
use crate::domain::stage::Stage;

/// The panel's config and script.
const CONFIG: &str = include_str!("../../examples/demo/config.toml");
const SCRIPT: &str = include_str!("../../examples/demo/panel.toml");

/// The spec that the panel plans.
const SPEC: &str = "003-rate-limiter";

/// The history that the copy gets: when, what was done, and which paths it brought. Fixed, so that every copy has the
/// same commits.
const HISTORY: [(&str, &str, &[&str]); 3] = [
    (
        "2026-01-12T09:00:00Z",
        "Store values, and say how we work",
        &[
            ".gitignore",
            ".specify",
            "AGENTS.md",
            "Cargo.toml",
            "README.md",
            "src",
            "tests/store.rs",
            "tests/http.rs",
            "specs/001-key-value-store",
        ],
    ),
    ("2026-02-20T16:30:00Z", "Write an audit log", &["docs", "specs/002-audit-log"]),
    ("2026-03-01T11:15:00Z", "Draft a rate limiter", &["."]),
];

/// The demonstration's copy of the sample.
#[derive(Debug, Clone)]
pub struct Copy {
    sources: Sources,
    flags: Flags,
    /// The spec that the panel plans.
    pub spec: SpecId,
}

impl Copy {
    /// Makes the copy.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn make(flags: Flags) -> Result<Self, Failure> {
        Self::of(flags, "demo", CONFIG)
    }

    /// Makes a copy with whoever and whatever the given part of a config adds.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn with_faults(flags: Flags, added: &str) -> Result<Self, Failure> {
        Self::of(flags, "chaos", &[CONFIG, added].concat())
    }

    fn of(flags: Flags, name: &str, config: &str) -> Result<Self, Failure> {
        let folder = copy(name, config)?;
        let mut sources = Sources::of_this_process(folder.clone())?;
        // It is ours, word for word: nothing in it waits for approval. Nobody else's config or variables matter here.
        sources.user_config = None;
        sources.env.clear();
        sources.given_config = Some(folder.join(".dicast/config.toml"));
        let spec = SpecId::new(SPEC).map_err(|bad| Failure::usage("demo", bad.to_string(), "this is a bug"))?;
        Ok(Self { sources, flags: Flags { demo: true, ..flags }, spec })
    }

    /// Returns where it is.
    pub fn folder(&self) -> &Path {
        &self.sources.repo
    }

    /// Opens the screen on it until the user quits; returns the exit code.
    ///
    /// # Errors
    /// What keeps the screen from starting.
    pub fn on_screen(&self) -> Result<u8, Failure> {
        interactive(self.start(Vec::new())?)
    }

    /// Asks the panel for a plan; returns the exit code of the conflict that it ends with.
    ///
    /// # Errors
    /// When it cannot start, or ends otherwise.
    pub fn plan(&self) -> Result<u8, Failure> {
        let plan = StartRun::of(self.spec.clone(), vec![STAGE]);
        expect("plan", headless(self.start(vec![Request::Start(plan)])?)?, CONFLICT)
    }

    /// Asks the panel for a plan; returns the exit code, whatever it is.
    ///
    /// # Errors
    /// What keeps it from starting.
    pub fn ask(&self) -> Result<u8, Failure> {
        let plan = StartRun { fresh: true, ..StartRun::of(self.spec.clone(), vec![STAGE]) };
        headless(self.start(vec![Request::Start(plan)])?)
    }

    /// Runs the test that settles the conflict; returns the exit code of what it ends with.
    ///
    /// # Errors
    /// When it cannot start, or ends otherwise.
    pub fn settle(&self) -> Result<u8, Failure> {
        let check = Request::Check { spec: self.spec.clone(), stage: STAGE };
        expect("settle by a test", headless(self.start(vec![check])?)?, DEGRADED)
    }

    /// Returns the command of the test that settles the conflict, as the config has it.
    ///
    /// # Errors
    /// When the config cannot be read.
    pub fn test(&self) -> Result<Vec<String>, Failure> {
        let loaded = config::load(&self.sources)?;
        let argv = loaded.settings.checks.values().next().map(|check| check.argv.clone()).unwrap_or_default();
        Ok(argv.into_iter().map(|word| word.replace("{id}", SETTLING)).collect())
    }

    fn start(&self, requests: Vec<Request>) -> Result<Start, Failure> {
        let (sources, flags) = (self.sources.clone(), self.flags.clone());
        Ok(Start { loaded: config::load(&sources)?, sources, flags, requests })
    }
}

/// Who of the panel never answers (`examples/demo/panel.toml`).
pub const ABSENT: &str = "dale";

/// The stage that is shown.
pub const STAGE: Stage = Stage::Plan;

/// The test that an agent of the panel cites for its side of the conflict (`examples/demo/panel.toml`).
const SETTLING: &str = "burst_of_twenty_is_allowed";

/// Two agents differ, honestly.
const CONFLICT: u8 = 1;
/// The test settled it; one agent never answered.
const DEGRADED: u8 = 6;

fn expect(what: &str, got: u8, shown: u8) -> Result<u8, Failure> {
    if got == shown {
        return Ok(got);
    }
    let why = format!("{what} ended with exit {got}, not {shown}");
    Err(Failure::BadReply { from: "the demonstration".into(), why })
}

/// Copies the sample into a new folder under the system's folder for temporary files.
fn copy(name: &str, config: &str) -> Result<PathBuf, Failure> {
    let folder = scratch::fresh(name)?.join("pantry");
    let store = Store::real(&folder);
    store.make_base()?;
    let ours = [
        (".dicast/config.toml", config),
        (".dicast/panel.toml", SCRIPT),
        (".dicast/.gitignore", config::init::GITIGNORE),
    ];
    for (path, text) in sample::files().iter().chain(&ours) {
        if let Some((dir, _)) = path.rsplit_once('/') {
            store.make_dirs(dir)?;
        }
        store.replace(path, text.as_bytes())?;
    }
    for (date, message, paths) in HISTORY {
        // A machine without git shows everything but history.
        let _ = commit(&folder, date, message, paths);
    }
    Ok(folder)
}

/// Makes one commit with a fixed author and date. Returns whether git did it.
#[expect(
    clippy::disallowed_methods,
    reason = "git runs on a folder that was just made, before the loop and its runtime exist"
)]
fn commit(folder: &Path, date: &str, message: &str, paths: &[&str]) -> bool {
    let git = |args: &[&str]| {
        std::process::Command::new("git")
            .args(["-c", "init.defaultBranch=main", "-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false"])
            .args(args)
            .current_dir(folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Pantry")
            .env("GIT_AUTHOR_EMAIL", "pantry@example.org")
            .env("GIT_COMMITTER_NAME", "Pantry")
            .env("GIT_COMMITTER_EMAIL", "pantry@example.org")
            .env("GIT_AUTHOR_DATE", date)
            .env("GIT_COMMITTER_DATE", date)
            .env_remove("GIT_DIR")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let add: Vec<&str> = ["add", "--"].into_iter().chain(paths.iter().copied()).collect();
    git(&["init", "-q"]) && git(&add) && git(&["commit", "-q", "-m", message])
}
