//! The real binary, where a look takes longer than a developer waits: `cargo test --test terminal_slow -- --ignored`,
//! and a part of `.ci/run`.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test stands outside: it starts programs, makes their files, reads the process table and tells its seed"
)]

#[expect(dead_code, reason = "the fast tier uses the rest")]
#[path = "support/pty/mod.rs"]
mod pty;

#[path = "terminal_slow/disk.rs"]
mod disk;
#[path = "terminal_slow/gate.rs"]
mod gate;
#[path = "terminal_slow/many.rs"]
mod many;
#[path = "terminal_slow/permission.rs"]
mod permission;
#[path = "terminal_slow/secrets.rs"]
mod secrets;
#[path = "support/seed.rs"]
mod seed;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use pty::repo::{FIRST, FakeAgent, Repo};
use pty::stopwatch::{floor, has_row, type_keys};
use pty::{PATIENCE, Session, memory, processes};
use seed::{next, seed};

const BINARY: &str = env!("CARGO_BIN_EXE_dicast");

#[path = "support/example.rs"]
mod example;

#[test]
#[ignore = "slow: a server that takes 700 ms, behind three boundaries"]
fn only_the_blocking_bridge_makes_a_key_wait_for_the_server() {
    let out = std::process::Command::new(example::example("three_boundaries")).arg("1").output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    eprintln!("{text}");
    let row = |name: &str| -> Vec<f64> {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().rev().take(4).map(|number| number.parse().unwrap()).collect()
    };
    let (bridge, polled, ours) = (row("a blocking bridge"), row("a polled channel"), row("ours"));
    let [worst, median] = [1, 3];
    assert!(bridge[worst] > 500.0, "a key pressed while the server starts waits for it");
    assert!(ours[worst] < bridge[worst] / 2.0, "ours waits for nothing: {ours:?}");
    assert!(ours[median] < polled[median], "ours sleeps until it is woken, the other looks every 16 ms: {ours:?}");
}

#[test]
#[ignore = "slow: makes five hundred specs; .ci/run runs it"]
fn the_status_of_five_hundred_specs_is_told_at_once_and_the_first_frame_waits_for_none_of_them() {
    many::five_hundred(BINARY);
}

#[test]
#[ignore = "slow: three runs with an agent that asks for permission"]
fn an_agent_that_asks_for_permission_is_answered_by_key_by_a_stop_and_by_rule() {
    permission::by_key();
    permission::by_stop();
    permission::by_rule();
}

#[test]
#[ignore = "slow: two runs with an agent that looks into memory"]
fn an_agent_of_kind_acp_may_look_into_memory_and_store_nothing() {
    permission::memory_is_passed_on_to_be_read();
}

#[test]
#[ignore = "slow: every frame of a whole run is read"]
fn a_secret_that_agents_and_a_spec_print_is_in_no_frame() {
    secrets::no_frame_shows_it();
}

#[test]
#[ignore = "slow: a memory server that takes 5 s"]
fn a_slow_memory_server_is_named_and_changes_nothing() {
    memory::scenario(BINARY, &["--start-delay", "5000"], Some("memory ◌ starting 4 s"));
}

#[test]
#[ignore = "slow: one of a row"]
fn a_crashing_memory_server_changes_nothing() {
    memory::scenario(BINARY, &["--crash-at-start"], Some("memory ○ lost"));
}

#[test]
#[ignore = "slow: one of a row"]
fn a_memory_server_that_floods_its_stderr_changes_nothing() {
    memory::scenario(BINARY, &["--flood-stderr"], None);
}

#[test]
#[ignore = "slow: one of a row"]
fn a_memory_server_that_answers_late_and_with_garbage_changes_nothing() {
    memory::scenario(BINARY, &["--call-delay", "300", "--garbage"], None);
}

/// How often the program is killed.
const KILLS: u64 = 8;

/// Within what time after its start, in milliseconds: a whole run takes about as long.
const KILL_WITHIN: u64 = 1_300;

/// The agents that events of one type name.
fn agents(output: &[u8], kind: &str) -> BTreeSet<String> {
    let events = output.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    events
        .filter(|event: &serde_json::Value| event["type"] == kind)
        .filter(|event| kind != "agent.finished" || event["status"] == "ok")
        .filter_map(|event| event["agent"].as_str().map(str::to_owned))
        .collect()
}

#[test]
#[ignore = "slow: eight runs, each killed and gone on with"]
fn killed_at_any_moment_it_leaves_evidence_that_holds_and_the_next_start_goes_on() {
    let mut seed = seed();
    eprintln!("DICAST_TEST_SEED={seed}");
    for turn in 0..KILLS {
        let after = next(&mut seed) % KILL_WITHIN;
        let repo = Repo::with_panel(
            BINARY,
            &[
                ("ann", &[]),
                ("bob", &["--slow", "300", "--ignore-term", "--setsid-grandchild"]),
                ("cyd", &["--slow", "700", "--grandchild"]),
            ],
        );
        let mut child = repo
            .headless(&["plan", FIRST, "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        // The moment is what is tested, not a wait for something.
        std::thread::sleep(Duration::from_millis(after));
        let pid = child.id();
        child.kill().expect("it is ours");
        let killed = child.wait_with_output().expect("its output");
        let verified = repo.run(&["evidence", "verify"]);
        assert!(verified.status.success(), "turn {turn}, {after} ms: {}", String::from_utf8_lossy(&verified.stdout));
        let again = repo.run(&["plan", FIRST, "--json"]);
        let said = String::from_utf8_lossy(&again.stdout).into_owned();
        assert_eq!(again.status.code(), Some(0), "turn {turn}, {after} ms: {said}");
        let (kept, asked) = (agents(&killed.stdout, "agent.finished"), agents(&again.stdout, "agent.started"));
        eprintln!("killed after {after} ms: kept {kept:?}, asked again {asked:?}");
        // A run whose verdict was told may have been closed already: then the next start rightly begins a fresh one.
        if !String::from_utf8_lossy(&killed.stdout).contains("stage.verdict") {
            assert_eq!(kept.intersection(&asked).next(), None, "turn {turn}, {after} ms: asked again; {said}");
        }
        assert_eq!(processes::owned_by(pid), Vec::<String>::new(), "turn {turn}, {after} ms: strays are ended");
        assert!(repo.run(&["evidence", "verify"]).status.success(), "turn {turn}, {after} ms");
    }
}

/// How long the spinner is watched.
const WATCHED: Duration = Duration::from_secs(5);

/// The most that a spinner may cost, in thousandths of a core. A program built without optimisation draws slower.
const SPINNER: u128 = if cfg!(debug_assertions) { 100 } else { 10 };

/// The most bytes a second that it may write: ten frames of two marks and a clock.
const SPINNER_BYTES: usize = 2_000;

#[test]
#[ignore = "slow: watches a spinner for five seconds"]
fn one_spinner_costs_next_to_nothing() {
    let repo = Repo::with_panel(BINARY, &[("ann", &["--hang"]), ("bob", &[]), ("cyd", &[])]);
    let mut session = Session::start(&repo.program(&[]), 120, 36);
    session.wait_for(FIRST);
    session.send("p");
    session.wait_for("Enter starts");
    session.send("\r");
    session.wait("two have answered", PATIENCE, |screen| screen.contents().contains("2 of 3 answered"));
    session.wait_for("asked, nothing written yet");
    let (before, written) = (processes::usage(session.pid()), session.written());
    std::thread::sleep(WATCHED);
    let (_, cpu) = processes::usage(session.pid()).since(&before);
    let (share, bytes) = (cpu.as_micros() * 1_000 / WATCHED.as_micros(), session.written() - written);
    eprintln!("one spinner: {share} thousandths of a core, {} bytes a second", bytes / 5);
    assert!(share <= SPINNER, "{share} thousandths of a core");
    assert!(bytes <= SPINNER_BYTES * 5, "{bytes} bytes in {WATCHED:?}");
}

/// How many agents work at once, each writing a thousand lines a second.
const CROWD: usize = 32;

/// Lines that each of them writes before it answers: it is at work while keys are typed.
const LINES: usize = 10_000;

/// The most memory that the program may take meanwhile, in KiB. What agents wrote is on disk: 14 MB in all.
const MEMORY_KIB: u64 = 200 << 10;

/// A panel of many; each is a family of its own.
fn crowd(flags: &[&str]) -> Repo {
    let names: Vec<String> = (1..=CROWD).map(|n| format!("a{n:02}")).collect();
    let agents: Vec<FakeAgent<'_>> = names.iter().map(|name| (name.as_str(), flags)).collect();
    Repo::with_panel(BINARY, &agents)
}

/// Starts the crowd's run and waits until its agents write.
fn at_work(repo: &Repo) -> Session {
    let mut session = Session::start(&repo.program(&[]), 120, 48);
    session.wait_for(FIRST);
    session.send("p");
    session.wait_for("Enter starts");
    session.send("\r");
    session.wait("they write", PATIENCE, |screen| screen.contents().matches(" kB").count() >= CROWD);
    session
}

/// The most memory that a process took so far, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// What is on disk of what each agent wrote: of the one run, its transcripts.
fn transcripts(repo: &Repo) -> Vec<String> {
    let runs = std::fs::read_dir(repo.path().join(".dicast/transcripts")).expect("transcripts");
    let logs = runs.flatten().flat_map(|run| std::fs::read_dir(run.path()).expect("a run's folder").flatten());
    logs.filter(|log| log.path().extension().is_some_and(|kind| kind == "log"))
        .map(|log| std::fs::read_to_string(log.path()).expect("a transcript"))
        .collect()
}

#[test]
#[ignore = "slow: 32 agents write for ten seconds"]
fn thirty_two_agents_that_write_a_thousand_lines_a_second_cost_no_key_and_no_line() {
    let repo = crowd(&["--lines", &LINES.to_string()]);
    let mut session = at_work(&repo);
    let mut floor = floor(&repo);
    session.send(":");
    session.wait("the command line", PATIENCE, |screen| has_row(screen, ":"));
    let measured = type_keys(&mut session, &mut floor, 60);
    let is_under_load = !session.contents().contains("decided in");
    session.send("\x1b");
    session.wait("all have answered", Duration::from_secs(90), |screen| screen.contents().contains("decided in"));
    let peak = peak_kib(session.pid());
    let [p50, p95] = [50, 95].map(|percent| measured.program.percentile(percent));
    eprintln!("{CROWD} agents: key to screen p50 {p50:?}, p95 {p95:?}; at most {} MiB", peak >> 10);
    assert!(is_under_load, "the keys were typed while agents wrote");
    measured.assert_quick();
    assert!(peak > 0 && peak < MEMORY_KIB, "{peak} KiB");
    let shown = session.contents();
    let written = transcripts(&repo);
    assert_eq!(written.len(), CROWD);
    let size = format!(" {} kB", written[0].len() / 1_000);
    assert_eq!(shown.matches(&size).count(), CROWD, "each row has counted every byte:\n{shown}");
    for text in written {
        let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("line ")).collect();
        assert_eq!(lines.len(), LINES, "every line is on disk");
        let in_order = |(at, line): (usize, &&str)| line.starts_with(&format!("line {} of ", at + 1));
        assert!(lines.iter().enumerate().all(in_order), "in the order in which they were written");
    }
    session.send("q");
    session.wait_for("Ask the panel");
    session.send("q");
    assert_eq!(session.exit(), 0);
    assert_eq!(processes::owned_by(session.pid()), Vec::<String>::new());
}

#[test]
#[ignore = "slow: 32 agents, stopped twice"]
fn thirty_two_agents_are_stopped_as_one() {
    // Each obeys at once, or is killed after its grace of a second; what a busy machine adds comes on top.
    const BUSY: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1_500 } else { 200 });
    for (flags, most) in [
        (&["--lines", "100000"][..], BUSY),
        (&["--lines", "100000", "--ignore-term"][..], Duration::from_secs(2) + BUSY),
    ] {
        let repo = crowd(flags);
        let mut session = at_work(&repo);
        let asked = session.send("X");
        let seen = session.wait("that it stops", PATIENCE, |screen| screen.contents().contains("stopping"));
        let ended = session.wait("all are gone", PATIENCE, |screen| screen.contents().contains("STOPPED"));
        let (frame, took) = (seen.saturating_duration_since(asked), ended.saturating_duration_since(asked));
        eprintln!("{CROWD} agents {flags:?}: said so after {frame:?}, stopped after {took:?}");
        assert!(took <= most, "{flags:?}: {took:?}, at most {most:?}");
        session.wait_for("0 processes left");
        session.send("q");
        session.wait_for("Ask the panel");
        session.send("q");
        assert_eq!(session.exit(), 0);
        assert_eq!(processes::owned_by(session.pid()), Vec::<String>::new(), "{flags:?}");
    }
}
