//! The real binary in a pseudo-terminal: what its user sees, and what is left when it is gone. What takes longer is in
//! `terminal_slow.rs`; how fast it has to be, and how that is measured, in `docs/responsiveness.md`.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test stands outside: it starts programs, makes their files, reads the process table and types at a person's pace"
)]

#[path = "support/pty/mod.rs"]
mod pty;

use std::io::Read as _;
use std::time::{Duration, Instant};

use pty::repo::{FIRST, QUIET_PANEL, Repo, SECOND};
use pty::{PATIENCE, Session, processes};
use rustix::process::Signal;

const BINARY: &str = env!("CARGO_BIN_EXE_dicast");

/// The usual size.
const SIZE: (u16, u16) = (120, 36);

fn open(repo: &Repo) -> Session {
    let session = Session::start(&repo.program(&[]), SIZE.0, SIZE.1);
    session.wait_for("Ask the panel");
    session.wait_for(FIRST);
    session
}

/// Opens the program and starts a plan of the first spec; returns on its dashboard.
fn open_run(repo: &Repo) -> Session {
    let mut session = open(repo);
    session.send("p");
    session.wait_for("Enter starts");
    session.send("\r");
    session.wait_for("1 Agents");
    session
}

#[test]
fn it_starts_shows_the_specs_and_quits_by_key_without_a_trace() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let session = open(&repo);
    let modes = session.modes();
    assert!(modes.alternate_screen && modes.hidden_cursor && modes.bracketed_paste && modes.line && !modes.mouse);
    assert!(session.first_byte().is_some());
    let pid = session.pid();
    session.quit();
    assert!(processes::has_ended(pid));
}

/// Puts a program on the PATH of whoever is started here.
fn install(repo: &Repo, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let bin = repo.home().join("bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    std::fs::write(bin.join(name), format!("#!/bin/sh\n{script}\n")).expect("a file");
    std::fs::set_permissions(bin.join(name), std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

#[test]
fn on_the_first_run_a_program_that_hangs_delays_nobody_and_one_key_writes_the_config() {
    let mut repo = Repo::new(BINARY);
    install(&repo, "claude", "echo '2.1.330 (Claude Code)'");
    install(&repo, "codex", "trap '' TERM; sleep 600 & wait; sleep 600");
    repo.set("PATH", &format!("{}:/usr/bin:/bin", repo.home().join("bin").display()));
    let mut session = Session::start(&repo.program(&[]), SIZE.0, SIZE.1);
    session.wait_for("claude 2.1.330");
    session.wait_for("i writes a config");
    let pid = session.pid();
    let hung = || processes::owned_by(pid).into_iter().filter(|process| process.contains("codex")).count();
    session.until("codex is asked for its version", PATIENCE, || (hung() > 0).then_some(()));
    session.send("i");
    session.wait_for("NOT APPROVED");
    session.wait_for("agent codex");
    assert_eq!(hung(), 0, "who was still asked is ended with the screen before");
    session.send("a");
    session.wait_for("codex (openai)");
    let config = repo.read(".dicast/config.toml").expect("the config");
    assert!(config.contains("preset = \"claude\"") && config.contains("preset = \"codex\""), "{config}");
    session.quit();
}

/// A panel of agents that never answer.
const HANGING: &[pty::repo::FakeAgent<'static>] = &[("ann", &["--hang"]), ("bob", &["--hang"]), ("cyd", &["--hang"])];

/// Waits until nobody is being started any more: every agent was asked.
fn wait_asked(session: &Session, agents: usize) {
    session.wait("every agent was asked", PATIENCE, |screen| {
        screen.contents().matches("asked, nothing written yet").count() == agents
    });
}

#[test]
fn esc_stops_a_run_in_the_next_frame_and_leaves_no_process() {
    let repo = Repo::with_panel(BINARY, &[("ann", &[]), ("bob", &["--hang"]), ("cyd", &["--ignore-term", "--hang"])]);
    let mut session = open_run(&repo);
    session.wait_for("ann          answered");
    wait_asked(&session, 2);
    session.record_frames();
    let typed = session.send("\x1b");
    session.wait_for("0 processes left · kept ann");
    let frames = session.frames_after(typed);
    let first = frames.iter().find(|frame| frame.screen.contains("stopping"));
    let first = first.unwrap_or_else(|| panic!("no frame says that it is stopping"));
    let earlier: Vec<_> = frames.iter().filter(|frame| frame.at < first.at).collect();
    // An animation frame may come while a lone ESC byte may still be the start of a key; no more than that.
    assert!(earlier.len() <= 1, "{} frames before the one that says it", earlier.len());
    let run = |process: &String| !process.contains("memory");
    assert_eq!(processes::owned_by(session.pid()).into_iter().filter(run).collect::<Vec<_>>(), Vec::<String>::new());
    // The first q leaves the run, the second the program.
    session.send("q");
    session.wait_for("Ask the panel");
    session.quit();
    assert!(repo.run(&["evidence", "verify"]).status.success());
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_fg_takes_it_again_while_agents_go_on() {
    let repo = Repo::with_panel(BINARY, &[("ann", &["--slow", "1500"]), ("bob", &["--hang"])]);
    let mut session = open_run(&repo);
    let pid = session.pid();
    let stopped = |session: &Session| {
        session.until("it is stopped", PATIENCE, || processes::is_stopped(pid).then_some(()));
        session.assert_restored();
        processes::go_on(pid);
        session.wait_for("1 Agents");
        session.wait("it has the terminal", PATIENCE, vt100::Screen::alternate_screen);
    };
    session.send("\x1a");
    stopped(&session);
    // From outside, in the command line, and in another size than before.
    session.send(":pl");
    session.wait_for("pl");
    session.resize(80, 24);
    session.signal(Signal::TSTP);
    stopped(&session);
    session.send("\x1b");
    session.wait_for("ann");
    session.wait_for("answered");
    session.send("\x1b");
    session.wait_for("0 processes left");
    session.send("q");
    session.wait_for("Ask the panel");
    session.quit();
}

#[test]
fn d_gives_the_shell_its_prompt_back_and_the_run_goes_on_even_when_the_terminal_is_closed() {
    let repo = Repo::with_panel(BINARY, &[("ann", &["--slow", "2500"]), ("bob", &[]), ("cyd", &["--slow", "2500"])]);
    // A shell with job control, as people have it.
    let mut session = Session::start(&repo.other(&["bash", "--norc", "--noprofile", "-i"]), SIZE.0, SIZE.1);
    let config = repo.path().join(".dicast/config.toml");
    session.send(format!("PS1='ready> '; {BINARY} --config {}\r", config.display()));
    session.wait_for("Ask the panel");
    session.wait_for(FIRST);
    session.send("p");
    session.wait_for("Enter starts");
    session.send("\r");
    session.wait("the quick one has answered", PATIENCE, |screen| screen.contents().contains("1 of 3 answered"));
    session.send("d");
    session.wait_for("goes on without a screen");
    session.wait("the shell has its prompt", PATIENCE, |screen| {
        !screen.alternate_screen() && screen.contents().lines().last().is_some_and(|line| line.starts_with("ready>"))
    });
    // The shell works, the job runs and does not stand stopped.
    let job = processes::child_of(session.pid()).expect("the program goes on");
    session.until("it has been continued", PATIENCE, || (!processes::is_stopped(job)).then_some(()));
    session.send("jobs -r\r");
    session.wait_for("Running");
    session.hang_up();
    // Whoever reads keys reads nothing any more, and not the end of it again and again.
    std::thread::sleep(Duration::from_millis(300));
    let before = processes::usage(session.pid());
    std::thread::sleep(Duration::from_millis(700));
    let (_, cpu) = processes::usage(session.pid()).since(&before);
    assert!(cpu < Duration::from_millis(300), "{cpu:?} of a core in 700 ms without a terminal");
    let watched = repo.run(&["watch", FIRST, "--json"]);
    let told = String::from_utf8_lossy(&watched.stdout).into_owned();
    assert!(told.contains("stage.verdict") && repo.verdict_hash(FIRST).is_some(), "{told}");
    assert!(!told.contains("\"attempt\":2"), "nobody is asked twice: {told}");
    assert!(repo.run(&["evidence", "verify"]).status.success());
}

#[test]
fn before_a_run_it_says_how_long_the_stage_usually_takes_here() {
    let repo = Repo::with_panel(BINARY, &[("ann", &[]), ("bob", &[]), ("cyd", &[])]);
    let question = |expected: &str| {
        let mut session = open(&repo);
        session.send("p");
        session.wait_for("Enter starts");
        session.wait_for(expected);
        session.send("\x1b");
        session.wait_gone("Enter starts");
        session.quit();
    };
    question("typical time not known yet");
    repo.run(&["plan", FIRST]);
    question("usually 00:0");
}

/// Everything that a terminal may send for one key or event, and what it is.
const SEQUENCES: [(&str, &str); 33] = [
    ("up", "\x1b[A"),
    ("down", "\x1b[B"),
    ("right", "\x1b[C"),
    ("left", "\x1b[D"),
    ("up, application mode", "\x1bOA"),
    ("down, application mode", "\x1bOB"),
    ("control right", "\x1b[1;5C"),
    ("shift left", "\x1b[1;2D"),
    ("home", "\x1b[H"),
    ("end", "\x1b[F"),
    ("home, vt", "\x1b[1~"),
    ("end, vt", "\x1b[4~"),
    ("page up", "\x1b[5~"),
    ("page down", "\x1b[6~"),
    ("insert", "\x1b[2~"),
    ("delete", "\x1b[3~"),
    ("back tab", "\x1b[Z"),
    ("F1", "\x1bOP"),
    ("F4", "\x1bOS"),
    ("F5", "\x1b[15~"),
    ("F8", "\x1b[19~"),
    ("F11", "\x1b[23~"),
    ("alt x", "\x1bx"),
    ("alt X", "\x1bX"),
    ("alt q", "\x1bq"),
    ("alt backspace", "\x1b\x7f"),
    ("mouse press", "\x1b[<0;10;5M"),
    ("mouse release", "\x1b[<0;10;5m"),
    ("wheel", "\x1b[<65;80;24M"),
    ("focus gained", "\x1b[I"),
    ("focus lost", "\x1b[O"),
    ("paste", "\x1b[200~qXx\x1b[201~"),
    ("a reply that nobody asked for", "\x1b[?62;22c"),
];

/// The longest gap that counts as a slow line: more may be a person.
const GAP_MAX: Duration = Duration::from_millis(20);

/// Sends every sequence split at every byte and byte by byte. Returns the longest gap that there really was: on a
/// loaded machine a gap may become so long that the program is right to take ESC for a key of its own.
fn send_all_split(session: &mut Session, after_each: impl Fn(&mut Session, &str)) -> Duration {
    let mut longest = Duration::ZERO;
    for (index, (name, sequence)) in SEQUENCES.iter().enumerate() {
        let bytes = sequence.as_bytes();
        let splits = (1..bytes.len()).map(|at| vec![&bytes[..at], &bytes[at..]]);
        let single = std::iter::once(bytes.chunks(1).collect::<Vec<_>>());
        for (turn, pieces) in splits.chain(single).enumerate() {
            let gap = Duration::from_millis(5 + ((index + turn) as u64 * 7) % 11);
            let mut sent: Option<Instant> = None;
            for piece in pieces {
                if let Some(sent) = sent {
                    // The gap is what is tested, not a wait for something.
                    std::thread::sleep(gap);
                    longest = longest.max(sent.elapsed());
                }
                session.send(piece);
                sent = Some(Instant::now());
            }
            after_each(session, name);
        }
    }
    longest
}

/// Runs a scenario until no gap in it was too long to count.
fn on_a_slow_line(mut scenario: impl FnMut() -> (Duration, Result<(), String>)) {
    for _ in 0..8 {
        let (longest, outcome) = scenario();
        match outcome {
            Ok(()) => return,
            Err(why) => assert!(longest > GAP_MAX, "longest gap {longest:?}: {why}"),
        }
    }
    panic!("this machine is too busy: every try had a gap over {GAP_MAX:?}");
}

#[test]
fn a_sequence_split_at_any_byte_never_stops_a_run() {
    on_a_slow_line(|| {
        let repo = Repo::with_panel(BINARY, HANGING);
        let mut session = open_run(&repo);
        wait_asked(&session, 3);
        session.record_frames();
        let began = Instant::now();
        // A split ESC alone would count after 25 ms: the next sequence must not come to its help.
        let longest = send_all_split(&mut session, |_, _| std::thread::sleep(Duration::from_millis(30)));
        // A key that shows: everything typed before it was handled.
        session.send("?");
        session.wait_for("all keys");
        let frames = session.frames_after(began);
        let bad = frames.iter().find(|frame| frame.screen.contains("stopping") || !frame.screen.contains("1 Agents"));
        let left_early = bad.filter(|frame| !frame.screen.contains("all keys")).map(|frame| frame.screen.clone());
        (longest, left_early.map_or(Ok(()), Err))
    });
}

#[test]
fn a_sequence_split_at_any_byte_types_no_garbage() {
    on_a_slow_line(|| {
        let repo = Repo::with_panel(BINARY, QUIET_PANEL);
        let mut session = open(&repo);
        // No command begins so: nothing is offered that a key could choose.
        session.send(":_");
        session.wait("a line", PATIENCE, |screen| pty::stopwatch::has_row(screen, ":_"));
        let seen = std::cell::RefCell::new(Ok(()));
        let longest = send_all_split(&mut session, |session, name| {
            if seen.borrow().is_err() {
                return;
            }
            let expected = match name {
                "paste" => ":_qXx_",
                "alt backspace" => ":_",
                _ => ":__",
            };
            // To the end of the line, and one letter more: everything before it was handled once it is seen.
            session.send("\x05_");
            let is_shown = |session: &Session| session.contents().lines().any(|row| row.trim() == expected);
            let deadline = Instant::now() + Duration::from_secs(2);
            while !is_shown(session) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(2));
            }
            if !is_shown(session) {
                *seen.borrow_mut() = Err(format!("{name}, not {expected:?}: {}", session.contents()));
                return;
            }
            session.send("\x15_");
            session.wait("a fresh line", PATIENCE, |screen| pty::stopwatch::has_row(screen, ":_"));
        });
        (longest, seen.into_inner())
    });
}

/// What a screen shows apart from numbers, which change from start to start.
fn shape(session: &Session) -> String {
    let digits = |c: char| if c.is_ascii_digit() { '#' } else { c };
    let text: String = session.contents().chars().map(digits).collect();
    // How long the last key took is only there after one.
    text.lines()
        .map(|row| row.split("key → screen").next().unwrap_or_default().trim_end())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_storm_of_sizes_ends_in_the_same_screen_as_a_quiet_start() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let session = open(&repo);
    session.wait_for("memory ●");
    for turn in 0..60_u16 {
        let (columns, rows) = [(40, 12), (200, 60), (10, 3), (120, 36), (1, 1), (80, 24)][usize::from(turn % 6)];
        session.resize(columns, rows);
        // As fast as a window is dragged: some sizes are never drawn.
        std::thread::sleep(Duration::from_millis(u64::from(turn % 5) * 5));
    }
    session.resize(SIZE.0, SIZE.1);
    let quiet = Session::start(&repo.program(&[]), SIZE.0, SIZE.1);
    quiet.wait_for(FIRST);
    quiet.wait_for("memory ●");
    let wanted = shape(&quiet);
    session.until("the same screen as after a quiet start", PATIENCE, || (shape(&session) == wanted).then_some(()));
    session.quit();
    quiet.quit();
}

#[test]
fn a_terminal_of_ten_columns_and_three_rows_is_enough_to_quit() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let session = Session::start(&repo.program(&[]), 10, 3);
    session.until("a frame", PATIENCE, || (session.frame_count() > 0).then_some(()));
    assert!(!session.contents().trim().is_empty(), "the screen says something");
    session.quit();
}

#[test]
fn term_and_hup_end_a_live_run_and_restore_the_terminal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let repo = Repo::with_panel(BINARY, HANGING);
        let session = open_run(&repo);
        wait_asked(&session, 3);
        session.signal(signal);
        assert_eq!(session.exit(), code);
        session.assert_clean();
        // The stand-in shell names the signal that a program died of; this one ended by itself.
        assert!(!session.contents().contains("Terminated") && !session.contents().contains("Hangup"));
        assert!(repo.run(&["evidence", "verify"]).status.success());
    }
}

#[test]
fn a_terminal_that_is_closed_leaves_no_process() {
    let repo = Repo::with_panel(BINARY, HANGING);
    let mut session = open_run(&repo);
    wait_asked(&session, 3);
    let pid = session.pid();
    session.hang_up();
    assert_eq!(session.exit(), 129);
    assert_eq!(processes::owned_by(pid), Vec::<String>::new());
    assert!(repo.run(&["evidence", "verify"]).status.success());
}

#[test]
fn where_the_config_says_so_a_run_outlives_its_terminal_and_is_followed_from_elsewhere() {
    let repo = Repo::with_panel(BINARY, &[("ann", &["--slow", "2500"]), ("bob", &[]), ("cyd", &["--slow", "1000"])]);
    let config = repo.read(".dicast/config.toml").expect("a config");
    repo.write(".dicast/config.toml", &format!("{config}\n[run]\non_hangup = \"detach\"\n"));
    assert!(repo.run(&["trust", "approve"]).status.success());
    let mut session = open_run(&repo);
    session.wait("the quick one has answered", PATIENCE, |screen| screen.contents().contains("1 of 3 answered"));
    session.hang_up();
    let watched = repo.run(&["watch", FIRST, "--json"]);
    let told = String::from_utf8_lossy(&watched.stdout).into_owned();
    let told_of = |agent: &str, kind: &str| {
        told.lines().filter(|line| line.contains(&format!("\"agent\":\"{agent}\"")) && line.contains(kind)).count()
    };
    for agent in ["ann", "bob", "cyd"] {
        assert!(told_of(agent, "agent.finished") >= 1, "{told}");
    }
    // Nobody was asked a second time but for the round.
    assert!(!told.contains("\"attempt\":2"), "{told}");
    assert!(told.contains("stage.verdict") && repo.verdict_hash(FIRST).is_some(), "{told}");
    assert_eq!(Some(session.exit()), watched.status.code(), "{told}");
}

#[test]
fn a_second_program_follows_a_live_run_read_only_and_asks_its_owner_to_stop_it() {
    let repo = Repo::with_panel(BINARY, &[("ann", &["--hang"]), ("bob", &[]), ("cyd", &["--hang"])]);
    let first = open_run(&repo);
    wait_asked(&first, 2);
    let mut second = Session::start(&repo.program(&[]), 80, 24);
    second.wait_for("READ-ONLY");
    second.wait_for(&format!("pid {} owns this run", first.pid()));
    second.wait("what was answered before is there", PATIENCE, |screen| screen.contents().contains("1 of 3 answered"));
    for key in ["x", "r", "n", "d"] {
        second.send(key);
        second.wait_for("read-only: pid");
    }
    assert!(first.contents().contains("asking"), "{}", first.contents());
    second.send("X");
    first.wait_for("stopped, 1 answers kept, 0 processes left");
    second.wait_for("was stopped by SIGINT");
    // What was answered is kept for whoever goes on with it.
    second.send("q");
    second.wait_for("Ask the panel");
    second.quit();
    assert_eq!(first.exit(), 130);
    first.assert_clean();
    assert!(repo.run(&["evidence", "verify"]).status.success());
}

#[test]
fn a_server_of_another_program_is_offered_approved_by_a_key_and_then_started() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let program = pty::repo::example("fake_mcp_server");
    let theirs = serde_json::json!({"mcpServers": {"files": {"command": program, "args": ["--progress"]}}});
    std::fs::write(repo.home().join(".claude.json"), theirs.to_string()).expect("a file");
    let mut session = open(&repo);
    session.send("s");
    session.wait_for("offered, not started: files");
    assert!(processes::owned_by(session.pid()).iter().all(|process| !process.contains("--progress")));
    session.send("a");
    session.wait_for("offered by ~/.claude.json, not started");
    session.send("1");
    session.wait_for("fake_mcp_server --progress");
    session.send("\r");
    // It starts over with it.
    session.wait_for("Ask the panel");
    session.send("s");
    session.wait("it answers", PATIENCE, |screen| {
        screen.contents().lines().any(|line| line.contains("files") && line.contains("● answers"))
    });
    session.send("q");
    session.wait_for("Ask the panel");
    session.quit();
}

/// Agents that write without end, as many as it takes to keep this machine busy.
const FLOODING: &[pty::repo::FakeAgent<'static>] = &[
    ("a1", &["--flood-stdout", "forever"]),
    ("a2", &["--flood-stdout", "forever"]),
    ("a3", &["--flood-stdout", "forever"]),
    ("a4", &["--flood-stdout", "forever"]),
    ("a5", &["--flood-stderr", "forever"]),
    ("a6", &["--flood-stderr", "forever"]),
    ("a7", &["--flood-stderr", "forever"]),
    ("a8", &["--flood-stdout", "forever"]),
];

/// Waits until all eight agents write.
fn wait_flooded(session: &Session) {
    session.wait("eight agents write", PATIENCE, |screen| screen.contents().matches(" MB ").count() == FLOODING.len());
}

#[test]
fn a_terminal_that_stops_reading_cannot_keep_it_from_ending() {
    let repo = Repo::with_panel(BINARY, FLOODING);
    let session = open_run(&repo);
    wait_flooded(&session);
    session.stop_reading();
    // Whole repaints fill what the kernel buffers; then the screen's thread, which else draws ten times a second, is
    // stuck in its write.
    session.until("the screen's thread is stuck", PATIENCE, || {
        session.resize(200, 60);
        session.resize(150, 50);
        std::thread::sleep(Duration::from_millis(100));
        let before = processes::main_thread_switches(session.pid());
        std::thread::sleep(Duration::from_millis(300));
        (processes::main_thread_switches(session.pid()) == before).then_some(())
    });
    session.signal(Signal::TERM);
    let asked = Instant::now();
    assert_eq!(session.exit_within(Duration::from_secs(2)), 143, "after {:?}", asked.elapsed());
    assert_eq!(processes::owned_by(session.pid()), Vec::<String>::new());
    session.read_again();
    session.assert_restored();
}

#[test]
fn two_hundred_keys_have_their_effect_while_eight_agents_flood() {
    let repo = Repo::with_panel(BINARY, FLOODING);
    let mut session = open_run(&repo);
    wait_flooded(&session);
    let mut floor = pty::stopwatch::floor(&repo);
    session.send(":");
    session.wait("the command line", PATIENCE, |screen| pty::stopwatch::has_row(screen, ":"));
    let measured = pty::stopwatch::type_keys(&mut session, &mut floor, 200);
    measured.assert_quick();
}

/// Set for the two tests below that run a third one in a terminal: what that one has to do.
const PANIC: &str = "DICAST_TEST_PANIC";

/// The program has no switch that makes it panic, so the parts that matter are put together here: the terminal taken,
/// the hook installed, a panic on this thread or on another one. Runs only inside a terminal of the tests below.
#[test]
fn inside_a_terminal_of_its_own() {
    let Some(whose) = std::env::var_os(PANIC) else { return };
    dicast::telemetry::watch_panics(dicast::shell::terminal::restore);
    let _terminal = dicast::shell::terminal::Terminal::take().expect("a terminal");
    if whose == "ours" {
        panic!("on the thread of the screen");
    }
    let actor = std::thread::spawn(|| panic!("on the thread of an actor"));
    assert!(actor.join().is_err());
    println!("the screen stays");
    std::io::stdin().read_exact(&mut [0]).expect("a key");
}

fn panicking(whose: &str) -> Session {
    let mut repo = Repo::new(BINARY);
    repo.set(PANIC, whose);
    let this = std::env::current_exe().expect("our own path");
    let this = this.to_str().expect("text");
    let args = ["inside_a_terminal_of_its_own", "--exact", "--nocapture", "--test-threads=1"];
    Session::start(&repo.other(&[&[this], args.as_slice()].concat()), SIZE.0, SIZE.1)
}

#[test]
fn a_panic_on_the_thread_of_the_screen_restores_the_terminal_and_is_told() {
    let session = panicking("ours");
    assert_eq!(session.exit(), 101);
    session.assert_restored();
    session.wait_for("on the thread of the screen");
}

#[test]
fn a_panic_of_an_actor_leaves_the_screen_alone() {
    let mut session = panicking("theirs");
    session.wait_for("the screen stays");
    assert!(session.modes().alternate_screen && session.modes().line);
    assert!(!session.contents().contains("on the thread of an actor"));
    session.send("x");
    assert_eq!(session.exit(), 0);
    session.assert_restored();
}

/// What may happen while nobody types and nothing runs.
const IDLE: Duration = Duration::from_secs(3);

#[test]
fn an_idle_screen_writes_nothing_and_sleeps() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let session = open(&repo);
    session.wait_for("memory ●");
    // The last frame may still be on its way: idle begins when a while has passed without one.
    session.until("no frame for a while", PATIENCE, || {
        let frames = session.frame_count();
        std::thread::sleep(Duration::from_millis(300));
        (session.frame_count() == frames).then_some(())
    });
    let (before, written) = (processes::usage(session.pid()), session.written());
    std::thread::sleep(IDLE);
    let (wakeups, _) = processes::usage(session.pid()).since(&before);
    assert_eq!(session.written() - written, 0, "bytes");
    assert!(wakeups <= IDLE.as_secs(), "{wakeups} wake-ups in {IDLE:?}");
    session.quit();
}

#[test]
fn a_second_dicast_says_who_owns_the_run_and_starts_nothing_and_another_spec_is_free() {
    let repo = Repo::with_panel(BINARY, HANGING);
    let first = open_run(&repo);
    wait_asked(&first, 3);
    let owner = format!("pid {}", first.pid());
    // The config is read at the start: from here on agents answer.
    repo.configure(QUIET_PANEL, None);
    let refused = repo.run(&["plan", FIRST]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(3), "{said}");
    assert!(said.contains(&owner), "{said}");
    assert!(!said.contains("asking"), "{said}");
    // It comes up with that run, and a plan of its spec is no other.
    let mut second = Session::start(&repo.program(&[]), SIZE.0, SIZE.1);
    second.wait_for(&format!("{owner} on"));
    second.send("q");
    second.wait_for("Ask the panel");
    second.send("p");
    second.wait_for("READ-ONLY");
    second.wait_for(&owner);
    assert!(processes::owned_by(second.pid()).iter().all(|process| process.contains("memory serve")));
    let free = repo.run(&["plan", SECOND]);
    assert_eq!(free.status.code(), Some(0), "{}", String::from_utf8_lossy(&free.stderr));
    assert!(first.contents().contains("asked, nothing written yet"), "the first run goes on");
    first.signal(Signal::TERM);
    assert_eq!(first.exit(), 143);
    first.assert_clean();
    second.signal(Signal::TERM);
    assert_eq!(second.exit(), 143);
    second.assert_clean();
}

/// The sequences that the program itself may write: colours, places, and the modes that it takes and gives back.
const OWN_SEQUENCES: [&str; 10] = [
    "CSI ?1049h",
    "CSI ?1049l",
    "CSI ?2004h",
    "CSI ?2004l",
    "CSI ?25h",
    "CSI ?25l",
    "CSI H",
    "CSI J",
    "CSI K",
    "CSI m",
];

fn assert_own_sequences(session: &Session) {
    let foreign: Vec<String> =
        session.sequences().into_iter().filter(|name| !OWN_SEQUENCES.contains(&name.as_str())).collect();
    assert_eq!(foreign, Vec::<String>::new());
}

/// What a terminal would obey: colours, a cleared screen, the clipboard, a title, an answer typed for the user, C1
/// controls, and text that is shown in another order.
const EVIL: &str =
    "\x1b[31m\x1b[2J\x1b]52;c;aGk=\x07\x1b]0;evil\x07\x1bP$q\x1b\\\x1b[c\u{9b}31m\u{202e}lived\u{2066}\x07\x08";

#[test]
fn foreign_control_characters_reach_neither_the_screen_nor_plain_output() {
    let repo = Repo::new(BINARY);
    let spec = format!(
        "# Feature Specification: {EVIL}\n\n## Requirements\n\n- **FR-001**: It MUST {EVIL} answer in 5 ms\n- **FR-002**: It MUST {EVIL} be TBD\n"
    );
    repo.write(&format!("specs/{FIRST}/spec.md"), &spec);
    repo.write(
        &format!("specs/{FIRST}/tasks.md"),
        &format!("# Tasks\n\n- [x] T001 [FR-001] Write {EVIL} in src/{EVIL}.rs\n"),
    );
    repo.write(&format!("src/{}.rs", EVIL.replace('/', "_")), "pub fn evil() {}\n");
    let answer = |quantity: &str| {
        serde_json::json!({
            "schema": "dicast.artifact/1", "stage": "plan", "summary": EVIL,
            "answers": [{"topic": "D-001", "value": "yes", "because": EVIL, "evidence": [{"file": EVIL, "line": 1}]},
                        {"topic": "D-002", "value": "yes", "because": EVIL}, {"topic": "D-003", "value": quantity, "because": EVIL}],
            "work_breakdown": [{"step": EVIL, "rationale": EVIL, "success_signal": EVIL, "requirements": ["FR-001", "FR-002"],
                                "files": [format!("src/{EVIL}.rs")]}],
            "acceptance_mapping": [], "claims": [],
            "risks": [{"risk": EVIL, "owner": EVIL, "mitigation": EVIL, "severity": "major", "evidence": []}],
            "questions": [EVIL],
        })
    };
    let file = |name: &str, quantity: &str| {
        repo.write(name, &format!("{EVIL}\n{EVIL} thinking\n```json\n{}\n```\n", answer(quantity)));
        repo.path().join(name).to_str().expect("text").to_owned()
    };
    let (ann, bob) = (file("ann.txt", "10"), file("bob.txt", "20"));
    let flags = |file| ["--stderr", EVIL, "--slow", "300", "--answer", file];
    repo.configure(
        &[("ann", &flags(&ann)), ("bob", &flags(&bob)), ("cyd", &["--stderr", EVIL, "--crash", "3"])],
        Some(&["--flood-stderr"]),
    );
    let mut session = open(&repo);
    // The words of the spec are quoted by the gate that asks about them.
    for (keys, sign) in [("p", "Enter starts"), ("\r", "FR-002 says TBD"), ("d", "put off and record")] {
        session.send(keys);
        session.wait_for(sign);
    }
    session.send("later\r");
    session.wait("the stage is decided", PATIENCE, |screen| {
        !screen.contents().contains("asking") && screen.contents().contains("decided in")
    });
    // Every view that shows what others wrote.
    for (keys, sign) in [
        ("\r", "follow"),
        ("q", "1 Agents"),
        ("jj\r", "follow"),
        ("q", "1 Agents"),
        ("v", "Enter decide"),
        ("\r", "Your reason"),
        ("q", "Claims"),
        (":spec 001\r", "Requirements"),
        (":servers\r", "last words"),
    ] {
        session.send(keys);
        session.wait_for(sign);
    }
    session.wait_for("␛[31mflood");
    session.signal(Signal::TERM);
    session.exit();
    session.assert_clean();
    assert_own_sequences(&session);
    for args in [
        &["plan", FIRST, "--fresh"][..],
        &["check"],
        &["status"],
        &["explain", FIRST, "plan"],
        &["dissent", FIRST],
        &["gate", FIRST],
        &["plan", FIRST, "--fresh", "--json"],
    ] {
        let output = repo.run(args);
        for stream in [output.stdout, output.stderr] {
            assert!(!stream.contains(&0x1b), "{args:?}: {}", String::from_utf8_lossy(&stream));
            // JSON is for programs: text that has another order when shown is theirs to show.
            if !args.contains(&"--json") {
                assert_eq!(sequences_of(&stream), Vec::<String>::new(), "{args:?}");
            }
        }
    }
}

fn sequences_of(bytes: &[u8]) -> Vec<String> {
    let mut cutter = pty::stream::Cutter::default();
    let named = bytes.iter().filter_map(|byte| match cutter.feed(*byte) {
        pty::stream::Token::Text => None,
        token @ (pty::stream::Token::FrameBegan | pty::stream::Token::FrameEnded | pty::stream::Token::Sequence(_)) => {
            Some(format!("{token:?}"))
        }
    });
    named.collect()
}

#[test]
fn a_hung_memory_server_is_named_and_changes_neither_keys_nor_the_verdict() {
    pty::memory::scenario(BINARY, &["--hang"], Some("memory ◌ starting 4 s"));
}

#[test]
fn a_stubborn_memory_server_and_its_child_do_not_outlive_the_program() {
    pty::memory::scenario(BINARY, &["--ignore-term", "--grandchild", "--no-read"], None);
}

#[test]
fn the_demonstration_plans_meets_a_conflict_and_settles_it_by_a_test() {
    let repo = Repo::new(BINARY);
    let mut session = Session::start(&repo.program(&["demo", "--speed", "0"]), SIZE.0, SIZE.1);
    session.wait_for("agents are SCRIPTED");
    session.wait_for("003-rate-limiter");
    // Scripted agents cost nothing: nothing is asked first.
    session.send("\r");
    session.wait_for("decided in");
    session.send("v");
    session.wait_for("Enter decide");
    session.send("\r");
    session.wait_for("Your reason");
    session.send("t");
    // The sample's own tests are built and run: that takes a compiler a while.
    session
        .wait("the test was run", Duration::from_secs(120), |screen| screen.contents().contains("passed: 1 test run"));
    session.send("q");
    session.wait("it is settled", PATIENCE, |screen| {
        screen.contents().contains("PASS") && screen.contents().contains("proven")
    });
    session.signal(Signal::TERM);
    assert_eq!(session.exit(), 143);
    session.assert_clean();
}

#[test]
fn x_stops_one_agent_esc_the_run_and_r_goes_on() {
    let repo = Repo::new(BINARY);
    let mut session = Session::start(&repo.program(&["demo"]), SIZE.0, SIZE.1);
    session.wait_for("003-rate-limiter");
    session.send("\r");
    session.wait_for("1 Agents");
    session.wait("ada writes", PATIENCE, |screen| screen.contents().contains(" B "));
    session.send("x");
    session.wait_for("stopped · ask it again");
    session.send("\x1b");
    session.wait_for("0 processes left");
    session.send("r");
    session.wait_gone("stopped · ask it again");
    session.wait_for("asking");
    // The first q leaves the view, the second stops the run and then leaves the program.
    session.send("q");
    session.wait_for("Ask the panel");
    session.quit();
}
