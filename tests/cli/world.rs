//! A home, a repository, and the program.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use dicast::actors::evidence::{self, Commit, NewFile, Settings};
use dicast::actors::{Scope, Waker};
use dicast::disk::Store;
use dicast::disk::walk::{Caps, read_tree};
use dicast::domain::check::Tree;
use dicast::domain::consensus::{Panel, Verdict, decide, parse_panel};
use dicast::domain::hash::Sha;
use dicast::domain::ids::RunId;
use dicast::domain::journal::{Closed, FileRef, Record};
use dicast::domain::moment::Moment;
use dicast::domain::preparation::tree_id;
use dicast::domain::redact::Redactor;
use dicast::domain::safe::Safe;
use dicast::domain::stage::Stage;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A spec with three requirements.
pub(crate) const SPEC: &str = "# Feature Specification: Rate limiter\n\n## Requirements\n\n\
    - **FR-001**: System MUST refuse more than 10 requests a second with status 429.\n\
    - **FR-002**: System SHOULD tell the client when it may try again, in seconds.\n";

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Asserts the exit code.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Asserts a part of stdout.
    pub(crate) fn says(self, part: &str) -> Self {
        assert!(self.out.contains(part), "{part:?} is not in stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Asserts a part of stderr.
    pub(crate) fn complains(self, part: &str) -> Self {
        assert!(self.err.contains(part), "{part:?} is not in stderr:\n{}\nstdout:\n{}", self.err, self.out);
        self
    }

    /// Returns the lines of stdout as JSON; each has a schema.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
            assert!(value["schema"].as_str().is_some_and(|schema| schema.starts_with("dicast.")), "{line}");
            value
        };
        self.out.lines().map(parse).collect()
    }

    /// Asserts that nothing a terminal obeys was written, and that nobody panicked.
    pub(crate) fn is_clean(&self) {
        for text in [&self.out, &self.err] {
            assert_eq!(Safe::block(text).as_str(), text.as_str());
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

/// A home, a repository, and nothing else.
pub(crate) struct World {
    folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(world.home()).unwrap();
        world.file("README.md", "x\n")
    }

    /// A git repository with one spec, on the branch that names it.
    pub(crate) fn with_spec() -> Self {
        let world = Self::new().file("specs/003-rate-limiter/spec.md", SPEC);
        world.git(&["init", "-q", "-b", "003-rate-limiter"]);
        world
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.folder.path().join("repo")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.repo().join(path)
    }

    /// Writes a file of the repository.
    pub(crate) fn file(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        self.write(path, text);
        self
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The state of the working copy, as a verdict about the first spec is bound to it.
    pub(crate) fn tree_id(&self) -> String {
        let files = read_tree(&self.repo(), Caps::default(), &|| false).unwrap().files;
        tree_id(&Tree { files, ..Tree::default() })
    }

    pub(crate) fn git(&self, words: &[&str]) {
        let done = self.command("git").args(words).output().unwrap();
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// A command in the repository that sees nothing of this machine's user.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(self.repo()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.home()).env("PATH", std::env::var_os("PATH").unwrap());
        // The toolchain is not in the temporary home.
        let home = std::path::PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        for (name, folder) in [("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")] {
            command.env(name, std::env::var_os(name).unwrap_or_else(|| home.join(folder).into()));
        }
        command
            .env("TMPDIR", self.folder.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null");
        command
    }

    pub(crate) fn program(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_dicast"))
    }

    /// Runs the program; whatever it says is clean.
    pub(crate) fn dicast(&self, words: &[&str]) -> Said {
        said(self.program().args(words))
    }

    /// Runs the program with a text on stdin.
    pub(crate) fn dicast_with(&self, words: &[&str], stdin: &str) -> Said {
        let mut command = self.program();
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A child that does not read is no failure of the test.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        read(child.wait_with_output().unwrap())
    }

    /// Records a decided run of a panel, as the program does: in the evidence and in the spec's folder.
    pub(crate) fn record(&self, panel: &str) -> Verdict {
        let panel: Panel = parse_panel(panel).unwrap();
        let mut verdict = decide(&panel);
        verdict.recorded_at = Some("2026-01-01T00:00:00.000Z".into());
        let spec = panel.spec_id.clone();
        let written = serde_json::to_string_pretty(&verdict).unwrap();
        self.write(&format!("specs/{spec}/verdicts/{}.json", panel.stage), &written);
        let file = |path: &str, text: String| {
            let named = FileRef { path: path.into(), sha256: Sha::of(&text), bytes: text.len() as u64 };
            (NewFile { path: path.into(), bytes: text.into() }, named)
        };
        let (panel_file, panel_ref) = file("panels/1.json", serde_json::to_string(&panel).unwrap());
        let (verdict_file, verdict_ref) = file("verdicts/1.json", written);
        let decided = Record::StageDecided {
            stage: panel.stage,
            panel: panel_ref,
            verdict: verdict_ref,
            status: verdict.status.name().into(),
            exit: verdict.exit,
            hash: verdict.hash.clone(),
        };
        let opened = Record::RunOpened { spec: spec.clone(), stages: vec![panel.stage], version: "0".into(), pid: 1 };
        let records = vec![opened, decided, Record::RunClosed { why: Closed::Decided, survivors: None }];
        let at = Moment(1_767_225_600_000);
        let run = RunId::mint(at, 7, 1);
        let commit =
            Commit { spec: spec.clone(), run: run.clone(), at, files: vec![panel_file, verdict_file], records };
        self.with_evidence(async |evidence| {
            let token = CancellationToken::new();
            evidence.open_run(spec.clone(), run.clone(), at, token.clone()).await.unwrap();
            evidence.commit(commit, token).await.unwrap();
            evidence.close_run(spec, run).await.unwrap();
        });
        verdict
    }

    fn with_evidence(&self, work: impl AsyncFnOnce(evidence::Handle)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let scope = Scope::new(runtime.handle().clone(), Waker::nobody());
        let settings = Settings {
            root: ".dicast/evidence".into(),
            lock_timeout: Duration::from_secs(10),
            redactor: Redactor::default(),
        };
        let handle = evidence::spawn(&scope, Store::real(self.repo()), settings);
        runtime.block_on(async {
            work(handle).await;
            scope.cancel.cancel();
            scope.closed().await;
        });
    }
}

/// Runs a command to its end; whatever it says is clean.
pub(crate) fn said(command: &mut Command) -> Said {
    read(command.output().unwrap())
}

pub(crate) fn read(output: std::process::Output) -> Said {
    let said = Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    };
    said.is_clean();
    said
}

/// A panel of two families that agree on one requirement and not on the other.
pub(crate) fn panel(stage: Stage, inputs: &str) -> String {
    let claim = |subject: &str, value: &str, severity: &str| {
        format!(
            r#"{{"kind":"covers","subject":"{subject}","predicate":"covered","value":"{value}","polarity":1,"severity":"{severity}","tier":"E2"}}"#
        )
    };
    let decision = |value: &str| {
        format!(
            r#"{{"kind":"decision","subject":"D-001","predicate":"answer","value":"{value}","polarity":1,"severity":"minor","tier":"E1"}}"#
        )
    };
    let agent = |name: &str, value: &str| {
        format!(
            r#"{{"name":"{name}","family":"{name}","status":"ok","claims":[{},{}]}}"#,
            claim("FR-001", "yes", "major"),
            decision(value)
        )
    };
    format!(
        r#"{{"schema":"dicast.panel/1","spec_id":"003-rate-limiter","stage":"{stage}","inputs":{inputs},
        "requirements":[{{"id":"FR-001","level":"must"}},{{"id":"FR-002","level":"should"}}],
        "agents":[{},{},{}]}}"#,
        agent("claude", "10"),
        agent("codex", "10"),
        agent("gemini", "20"),
    )
}

/// The inputs of a verdict about [`SPEC`].
pub(crate) fn inputs() -> String {
    format!(r#"{{"spec_sha256":"{}"}}"#, Sha::of(SPEC))
}
