//! `dicast mcp serve` with a client that is not ours: the official TypeScript SDK, over stdio and over HTTP.
//!
//! `.ci/real-parts` installs the SDK at a pinned version and runs this. Without it each test says that it was skipped;
//! `.ci/real-parts` fails where it could have been installed.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test stands outside: it starts programs and reads the process table"
)]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "support/pty/mod.rs"]
mod pty;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

use pty::processes;
use pty::repo::{FIRST, FakeAgent, QUIET_PANEL, Repo};

const BINARY: &str = env!("CARGO_BIN_EXE_dicast");

/// The client.
const SCRIPT: &str = include_str!("clients/sdk.mjs");

/// Guards the door of the HTTP tests.
const TOKEN: &str = "a-token-for-a-test-only";

const HANGING: &[FakeAgent<'static>] = &[("ann", &[]), ("bob", &["--hang"]), ("cyd", &["--hang", "--ignore-term"])];

/// Long enough for node on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns where the SDK is installed, with the client beside it; nothing where it was not.
fn installed() -> Option<PathBuf> {
    let Some(folder) = std::env::var_os("DICAST_REAL_PARTS").map(PathBuf::from) else {
        println!("skipped: DICAST_REAL_PARTS is not set; run .ci/real-parts");
        return None;
    };
    let sdk = folder.join("node_modules/@modelcontextprotocol/sdk");
    assert!(sdk.is_dir(), "{} is not there: run .ci/real-parts", sdk.display());
    // Node looks for modules from where the script is. Both tests write the same bytes.
    std::fs::write(folder.join("sdk.mjs"), SCRIPT).expect("a script");
    Some(folder)
}

/// A program that talks in JSON lines.
struct Talk {
    child: Child,
    stdin: ChildStdin,
    lines: mpsc::Receiver<Value>,
}

impl Talk {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
        let (stdin, stdout) = (child.stdin.take().expect("stdin"), child.stdout.take().expect("stdout"));
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send(serde_json::from_str(&line).expect("JSON")).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, lines }
    }

    /// Returns the next line, which must have this field.
    fn line(&mut self, field: &str) -> Value {
        let line = self.lines.recv_timeout(PATIENCE).unwrap_or_else(|e| panic!("waiting for {field}: {e}"));
        assert!(line.get(field).is_some(), "not {field}: {line}");
        line
    }

    fn ends(mut self) {
        assert!(self.child.wait().expect("a child").success());
    }
}

/// The server, where it is one of its own.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(repo: &Repo) -> Self {
        let mut command = repo.headless(&["mcp", "serve", "--http", "127.0.0.1:0"]);
        let mut child = command
            .env("DICAST_MCP_TOKEN", TOKEN)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("stderr")).read_line(&mut line).expect("a line");
        let url =
            line.trim().strip_prefix("serving MCP on ").unwrap_or_else(|| panic!("no address: {line}")).to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        processes::send(self.child.id(), rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Starts the client on a repository; returns it, the server if it runs apart, and the server's id.
fn client(folder: &Path, repo: &Repo, task: &str, way: &str) -> (Talk, Option<Server>, u32) {
    let server = (way == "http").then(|| Server::start(repo));
    let mut words = vec![task.to_owned(), way.to_owned()];
    match &server {
        Some(server) => words.push(server.url.clone()),
        None => {
            let program = repo.headless(&["mcp", "serve"]);
            words.push(BINARY.to_owned());
            words.extend(program.get_args().map(|word| word.to_string_lossy().into_owned()));
        }
    }
    let mut node = repo.other(&["node"]);
    node.command.push(folder.join("sdk.mjs").into_os_string());
    node.command.extend(words.into_iter().map(Into::into));
    let mut command = Command::new(&node.command[0]);
    command.args(&node.command[1..]).current_dir(node.cwd).env_clear().envs(node.env).env("DICAST_MCP_TOKEN", TOKEN);
    let mut talk = Talk::start(command);
    let hello = talk.line("server");
    assert_eq!(hello["server"]["name"], "dicast");
    let pid = match &server {
        Some(server) => server.child.id(),
        None => u32::try_from(hello["pid"].as_u64().expect("a pid")).expect("a pid"),
    };
    (talk, server, pid)
}

#[test]
#[ignore = "needs what .ci/real-parts installs"]
fn real_part_the_official_client_lists_calls_and_reads_everything() {
    let Some(folder) = installed() else { return };
    for way in ["stdio", "http"] {
        let repo = Repo::with_panel(BINARY, QUIET_PANEL);
        let (mut talk, _server, _) = client(&folder, &repo, "work", way);
        assert_eq!(talk.line("tools")["tools"].as_array().map(Vec::len), Some(6), "{way}");
        let ran = talk.line("ran");
        let hash = repo.verdict_hash(FIRST).expect("a verdict");
        assert_eq!(ran["ran"]["verdicts"][0]["hash"], hash.as_str(), "{way}: {ran}");
        assert!(ran["progress"].as_u64().is_some_and(|told| told > 4) && ran["rising"] == true, "{way}: {ran}");
        for _ in 0..5 {
            let called = talk.line("tool");
            assert_eq!((&called["error"], &called["object"]), (&false.into(), &"object".into()), "{way}: {called}");
        }
        let refused = talk.line("refused");
        assert!(refused["text"].as_str().is_some_and(|text| text.contains("next: run `dicast unlock")), "{refused}");
        let read = talk.line("resources");
        assert_eq!((&read["resources"], &read["templates"]), (&2.into(), &3.into()), "{way}");
        assert!(read["text"].as_str().is_some_and(|text| text.contains(&hash)), "{way}");
        talk.ends();
    }
}

#[test]
#[ignore = "needs what .ci/real-parts installs"]
fn real_part_the_official_client_cancels_a_run_and_nothing_survives() {
    let Some(folder) = installed() else { return };
    for way in ["stdio", "http"] {
        let repo = Repo::with_panel(BINARY, HANGING);
        let (mut talk, _server, pid) = client(&folder, &repo, "cancel", way);
        talk.line("started");
        talk.line("aborted");
        let deadline = Instant::now() + PATIENCE;
        while !processes::owned_by(pid).is_empty() {
            assert!(Instant::now() < deadline, "{way}: {:?}", processes::owned_by(pid));
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!processes::has_ended(pid), "{way}: the server goes on");
        writeln!(talk.stdin, "go on").expect("it reads");
        assert_eq!(talk.line("alive")["alive"], 6, "{way}");
        talk.ends();
        let verified = repo.run(&["evidence", "verify"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}
