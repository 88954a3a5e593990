//! One run, however it is watched, has one hash: in the terminal, as plain lines, as JSON, killed and gone on with, asked
//! again, with the library, replayed from the panel it kept; on one thread and on sixteen; whatever the locale and time zone.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stands outside: it starts programs and reads the files they leave"
)]

#[expect(dead_code, reason = "the tests of the terminal use the rest")]
#[path = "support/pty/mod.rs"]
mod pty;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use dicast::domain::ids::SpecId;
use dicast::domain::stage::Stage;
use dicast::pipeline::{Config, Pipeline, Request};
use pty::Session;
use pty::repo::{FIRST, FakeAgent, Repo};

const BINARY: &str = env!("CARGO_BIN_EXE_dicast");

/// Three voices that word what they say differently; the last one takes its time, so that a run can be killed while it
/// waits for it.
const PANEL: &[FakeAgent<'static>] = &[
    ("ann", &["--family-style", "terse", "--quantity", "10"]),
    ("bob", &["--quantity", "20"]),
    ("cyd", &["--slow", "1500", "--quantity", "10"]),
];

/// A spec that leaves a number open, so that the voices can differ on it.
const OPEN_SPEC: &str = "# Greeter\n\n- **FR-001**: The greeter MUST refuse bursts; the burst size is not given.\n";

fn repo() -> Repo {
    Repo::with_panel(BINARY, PANEL)
}

fn hash(repo: &Repo) -> String {
    repo.verdict_hash(FIRST).expect("a verdict is recorded")
}

/// Plans without a terminal; returns the hash.
fn headless(repo: &Repo, args: &[&str]) -> String {
    let output = repo.run(&[&["plan", FIRST], args].concat());
    assert!(repo.verdict_hash(FIRST).is_some(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    hash(repo)
}

/// Plans in a terminal, by key.
fn in_a_terminal(repo: &Repo) -> String {
    let mut session = Session::start(&repo.program(&[]), 120, 36);
    session.wait_for(FIRST);
    session.send("p");
    session.wait_for("Enter starts");
    session.send("\r");
    session.wait_for("decided in");
    session.send("q");
    session.wait_for("Ask the panel");
    session.quit();
    hash(repo)
}

/// Plans as a program that embeds the library does.
fn with_the_library(repo: &Repo) -> String {
    let config = Config {
        file: Some(repo.path().join(".dicast/config.toml")),
        isolated: true,
        program: Some(BINARY.into()),
        ..Config::default()
    };
    let pipeline = Pipeline::open(repo.path(), config).expect("it opens");
    let request = Request::stage(SpecId::new(FIRST).expect("an id"), Stage::Plan);
    let outcome = pipeline.run(request).follow(|_| ()).expect("it ran");
    let verdict = outcome.verdicts.get(&Stage::Plan).expect("a verdict");
    assert_eq!(verdict.verdict.hash.as_str(), hash(repo), "what is told is what is recorded");
    hash(repo)
}

/// Starts a plan and kills it when two of three have answered.
fn kill_after_two_answers(repo: &Repo) {
    let mut command = repo.headless(&["plan", FIRST, "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program runs");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let answered = lines.map_while(Result::ok).filter(|line| line.contains("\"agent.finished\"")).take(2).count();
    assert_eq!(answered, 2);
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    assert_eq!(repo.verdict_hash(FIRST), None, "it was killed after its verdict");
}

/// Plans, is killed when two of three have answered, and goes on; nobody who answered is asked again.
fn killed_and_gone_on_with(repo: &Repo) -> String {
    kill_after_two_answers(repo);
    let again = repo.run(&["plan", FIRST, "--json"]);
    let again = String::from_utf8_lossy(&again.stdout).into_owned();
    let asked: Vec<&str> = again.lines().filter(|line| line.contains("\"agent.started\"")).collect();
    assert!(asked.len() == 1 && asked[0].contains("cyd"), "{again}");
    hash(repo)
}

/// Finds the panel that a run kept.
fn kept_panel(folder: &Path) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return kept_panel(&path);
        }
        let is_panel = path.parent().is_some_and(|parent| parent.ends_with("panels"));
        is_panel.then_some(path)
    })
}

/// Decides a panel in a process of its own with other variables; returns what it wrote.
fn decided(panel: &Path, env: &[(&str, &str)]) -> String {
    let output = std::process::Command::new(BINARY)
        .args(["decide"])
        .arg(panel)
        .envs(env.iter().copied())
        .output()
        .expect("the program runs");
    String::from_utf8(output.stdout).expect("JSON")
}

/// Places and tongues in which programs have gone wrong.
const ELSEWHERE: [&[(&str, &str)]; 4] = [
    &[("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8"), ("TZ", "Pacific/Kiritimati")],
    &[("LC_ALL", "C"), ("TZ", "America/St_Johns"), ("NO_COLOR", "1"), ("TERM", "dumb")],
    &[("TOKIO_WORKER_THREADS", "1"), ("RAYON_NUM_THREADS", "1"), ("HOME", "/nonexistent")],
    &[("TOKIO_WORKER_THREADS", "16"), ("LC_NUMERIC", "de_DE.UTF-8"), ("SOURCE_DATE_EPOCH", "0")],
];

#[test]
fn one_run_has_one_hash_however_it_is_watched() {
    let library = std::thread::spawn(|| with_the_library(&repo()));
    let first = repo();
    let wanted = headless(&first, &["--json"]);
    assert_eq!(headless(&first, &["--fresh", "--plain"]), wanted, "as plain lines, asked again");
    assert_eq!(in_a_terminal(&repo()), wanted, "in a terminal");
    assert_eq!(killed_and_gone_on_with(&repo()), wanted, "killed and gone on with");
    for threads in ["1", "16"] {
        let mut repo = repo();
        repo.set("TOKIO_WORKER_THREADS", threads);
        repo.set("LC_ALL", "tr_TR.UTF-8");
        repo.set("TZ", "Pacific/Kiritimati");
        assert_eq!(headless(&repo, &[]), wanted, "on {threads} threads, elsewhere");
    }
    assert_eq!(library.join().expect("no panic"), wanted, "as a library");
    let again = first.run(&["consensus", FIRST, "plan"]);
    let again = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(again.contains(&wanted) && again.contains("same"), "gathered and decided again: {again}");
    let panel = kept_panel(&first.path().join(".dicast/evidence")).expect("a panel is kept");
    for env in ELSEWHERE {
        let replayed: serde_json::Value = serde_json::from_str(&decided(&panel, env)).expect("a verdict");
        assert_eq!(replayed["hash"], *wanted, "replayed from the panel with {env:?}");
    }
}

#[test]
fn the_recorded_verdicts_are_the_same_bytes_in_every_place_and_tongue() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut compared = 0;
    for entry in fs::read_dir(folder).expect("the recorded panels").flatten() {
        let panel = entry.path();
        let name = panel.to_str().expect("a name of ours");
        let Some(stem) = name.strip_suffix(".panel.json") else { continue };
        let recorded = fs::read_to_string(format!("{stem}.verdict.json")).expect("a recorded verdict");
        for env in ELSEWHERE {
            assert_eq!(decided(&panel, env), recorded, "{name} with {env:?}");
            compared += 1;
        }
    }
    assert!(compared >= 20, "only {compared} verdicts were compared");
}

/// What may happen to a kept answer.
const RUINS: [(&str, Option<&str>); 4] = [
    ("gone", None),
    ("empty", Some("")),
    ("cut", Some("{\"schema\":")),
    ("another's words", Some("{\"schema\":\"dicast.artifact/1\",\"stage\":\"plan\"}")),
];

#[test]
fn a_dissent_that_is_gone_or_unreadable_when_a_run_goes_on_never_ends_in_agreement() {
    for (what, left) in RUINS {
        let repo = repo();
        repo.write(&format!("specs/{FIRST}/spec.md"), OPEN_SPEC);
        kill_after_two_answers(&repo);
        let kept = artifacts(&repo.path().join(".dicast/evidence"));
        let dissent = kept.iter().find(|path| path.to_string_lossy().contains("bob")).expect("bob's answer");
        match left {
            None => fs::remove_file(dissent).expect("a file"),
            Some(text) => fs::write(dissent, text).expect("a file"),
        }
        assert!(!repo.run(&["evidence", "verify"]).status.success(), "{what}: nobody noticed");
        let again = repo.run(&["plan", FIRST, "--json"]);
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        assert_ne!(again.status.code(), Some(0), "{what}: {said}");
        assert!(!said.contains("\"status\":\"agree"), "{what}: {said}");
    }
}

fn artifacts(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(artifacts(&path));
        } else if path.parent().is_some_and(|parent| parent.ends_with("artifacts")) {
            found.push(path);
        }
    }
    found
}
