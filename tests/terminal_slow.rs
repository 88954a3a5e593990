//! The real binary, where a look takes longer than a developer waits: `cargo test --test terminal_slow -- --ignored`,
//! and a part of `.ci/run`.
#![expect(
    clippy::expect_used,
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

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pty::repo::{FIRST, Repo};
use pty::{PATIENCE, Session, memory, processes};

const BINARY: &str = env!("CARGO_BIN_EXE_dicast");

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

/// The next number of a series (splitmix64), so that a failure can be repeated from its seed.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn seed() -> u64 {
    let given = std::env::var("DICAST_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| u64::from(since.subsec_nanos()))
    })
}

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
