//! Measures how quick the program is, in milliseconds, on this machine and now: `docs/responsiveness.md` says how to read
//! it. For developers; the tests assert what has to hold everywhere.
//!
//! ```text
//! cargo build --release --bins --examples && cargo run --release --example latency [KEYS]
//! ```
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring stick stands outside: it starts programs, types at a person's pace and prints"
)]

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../tests/support/pty/mod.rs"]
mod pty;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pty::repo::{FIRST, FakeAgent, QUIET_PANEL, Repo};
use pty::stopwatch::{Times, floor, has_row, type_keys};
use pty::{PATIENCE, Session, processes};

/// Keys typed for each row unless told otherwise: enough for a 99th percentile that is not one key.
const KEYS: usize = 400;

/// Starts that are timed.
const STARTS: usize = 20;

/// How long an idle screen and a spinner are watched.
const WATCHED: Duration = Duration::from_secs(10);

/// The size of the terminal: columns, rows.
const SIZE: (u16, u16) = (120, 40);

const FLOOD: &[&str] = &["--flood-stdout", "forever"];
const EIGHT_FLOODING: &[FakeAgent<'static>] = &[
    ("a1", FLOOD),
    ("a2", FLOOD),
    ("a3", FLOOD),
    ("a4", FLOOD),
    ("a5", FLOOD),
    ("a6", FLOOD),
    ("a7", FLOOD),
    ("a8", FLOOD),
];

fn main() {
    let keys = std::env::args().nth(1).and_then(|keys| keys.parse().ok()).unwrap_or(KEYS);
    let binary = binary();
    println!("program      {} build", if cfg!(debug_assertions) { "unoptimised" } else { "release" });
    starts(&binary);
    println!(
        "\nkey to screen, ms                   p50     p95     p99     max   (and the floor: cat on a raw terminal)"
    );
    let quiet = |memory| {
        let repo = Repo::new(&binary);
        repo.configure(QUIET_PANEL, memory);
        repo
    };
    row("nothing runs", &quiet(None), keys, |_| {});
    row("memory server hangs", &quiet(Some(&["--hang"])), keys, |_| {});
    row("memory server floods stderr", &quiet(Some(&["--flood-stderr"])), keys, |_| {});
    row("eight agents flood", &Repo::with_panel(&binary, EIGHT_FLOODING), keys, |session| {
        start_run(session);
        session.wait("all write", PATIENCE, |screen| screen.contents().matches(" MB ").count() == EIGHT_FLOODING.len());
    });
    watch(&binary);
}

/// Finds the program beside this example.
fn binary() -> PathBuf {
    let here = std::env::current_exe().expect("our own path");
    let folder = here.parent().and_then(Path::parent).expect("a folder");
    let binary = folder.join("dicast");
    assert!(binary.is_file(), "no {}: build it first, with the same profile", binary.display());
    binary
}

fn open(repo: &Repo) -> Session {
    let session = Session::start(&repo.program(&[]), SIZE.0, SIZE.1);
    session.wait_for(FIRST);
    session
}

fn start_run(session: &mut Session) {
    session.send("p");
    session.wait_for("Enter starts");
    session.send("\r");
    session.wait_for("1 Agents");
}

fn starts(binary: &Path) {
    let (mut bytes, mut frames, mut surveys) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let repo = Repo::with_panel(binary, QUIET_PANEL);
        let session = Session::start(&repo.program(&[]), SIZE.0, SIZE.1);
        let started = session.started();
        let first = session
            .wait("a frame", PATIENCE, |screen| screen.alternate_screen() && !screen.contents().trim().is_empty());
        frames.push(first - started);
        surveys.push(session.wait_for(FIRST) - started);
        bytes.extend(session.first_byte().map(|first| first - started));
    }
    for (what, times) in [("first byte", bytes), ("first frame", frames), ("specs checked and shown", surveys)] {
        let times = Times::new(times);
        println!("{what:<26} median {:>6} ms, p95 {:>6} ms", ms(times.percentile(50)), ms(times.percentile(95)));
    }
}

fn row(name: &str, repo: &Repo, keys: usize, prepare: impl FnOnce(&mut Session)) {
    let mut session = open(repo);
    prepare(&mut session);
    let mut floor = floor(repo);
    session.send(":");
    session.wait("the command line", PATIENCE, |screen| has_row(screen, ":"));
    let measured = type_keys(&mut session, &mut floor, keys);
    for (label, times) in [(name, &measured.program), ("  floor", &measured.floor)] {
        let [p50, p95, p99, max] = [50, 95, 99, 100].map(|percent| ms(times.percentile(percent)));
        println!("{label:<30} {p50:>8}{p95:>8}{p99:>8}{max:>8}");
    }
}

fn watch(binary: &Path) {
    println!("\nfor {} s                 CPU, % of a core   wake-ups/s   bytes/s   frames/s", WATCHED.as_secs());
    let repo = Repo::with_panel(binary, QUIET_PANEL);
    let session = open(&repo);
    session.wait_for("memory ●");
    watched("idle", &session);
    let repo = Repo::with_panel(binary, &[("ann", &["--hang"]), ("bob", &[]), ("cyd", &[])]);
    let mut session = open(&repo);
    start_run(&mut session);
    session.wait("two have answered", PATIENCE, |screen| screen.contents().contains("2 of 3 answered"));
    watched("one spinner", &session);
}

fn watched(name: &str, session: &Session) {
    // The last frames of what came before are not counted.
    std::thread::sleep(Duration::from_secs(1));
    let (before, bytes, frames, began) =
        (processes::usage(session.pid()), session.written(), session.frame_count(), Instant::now());
    std::thread::sleep(WATCHED);
    let seconds = began.elapsed().as_secs_f64();
    let after = processes::usage(session.pid());
    let rate = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / seconds;
    println!(
        "{name:<30} {:>9.2} {:>14.1} {:>9.0} {:>10.1}",
        after.cpu.saturating_sub(before.cpu).as_secs_f64() / seconds * 100.0,
        rate(usize::try_from(after.wakeups - before.wakeups).unwrap_or(usize::MAX)),
        rate(session.written() - bytes),
        rate(session.frame_count() - frames),
    );
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}
