//! Three ways to put a slow server behind a screen, around the same server, which takes 700 ms to start: a blocking
//! bridge, a polled channel, and ours. Prints how long keys took until their frame, in milliseconds, on this machine and
//! now; `docs/responsiveness.md` says how to read it.
//!
//! ```text
//! cargo build --release --bins --examples && cargo run --release --example three_boundaries [ROUNDS]
//! ```
//!
//! Each round starts the server, asks it something with the first key, and types on for 1.5 s. All three draw the
//! program's own home screen into memory; what a terminal adds is the same for all.
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring stick stands outside: it types at a person's pace, waits as it must not be done, and prints"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use dicast::actors::lanes::lanes;
use dicast::actors::mcp::Ask;
use dicast::actors::{Reply, Scope, Waker};
use dicast::app::model::{Boot, Model};
use dicast::domain::settings::{MemoryServer, Settings, Trust};
use dicast::shell::Clock;
use dicast::shell::hands::{Hands, Places};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// How long the server takes to start, in milliseconds: what starting a server under node takes.
const COLD: u64 = 700;

/// Rounds of each way unless told otherwise.
const ROUNDS: usize = 5;

/// How long is typed in each round.
const TYPED: Duration = Duration::from_millis(1_500);

/// How often a loop of the second kind looks: the common choice, sixty frames a second.
const POLL: Duration = Duration::from_millis(16);

/// How long a caller waits for the server at most, in milliseconds.
const PATIENCE: u64 = 10_000;

/// The screen: columns, rows.
const SIZE: (u16, u16) = (120, 36);

/// How the loop waits for keys and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Boundary {
    /// The thread that draws waits for the answer itself.
    Blocking,
    /// It looks for keys and answers every [`POLL`].
    Polled,
    /// It sleeps until a key or an answer wakes it.
    Woken,
}

fn main() {
    let rounds = std::env::args().nth(1).and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS);
    println!("program      {} build", if cfg!(debug_assertions) { "unoptimised" } else { "release" });
    println!("key to frame, ms, around a server that takes {COLD} ms to start");
    println!("{:<44} {:>8} {:>8} {:>8} {:>10}", "", "p50", "p99", "worst", "answer at");
    for (boundary, name) in [
        (Boundary::Blocking, "a blocking bridge: the screen waits"),
        (Boundary::Polled, "a polled channel: it looks every 16 ms"),
        (Boundary::Woken, "ours: posted, awaited by nobody, woken"),
    ] {
        let (mut keys, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let round = measure(boundary);
            keys.extend(round.keys);
            answers.push(round.answered);
        }
        keys.sort_unstable();
        answers.sort_unstable();
        let at = |percent: usize| ms(keys[(keys.len() * percent / 100).min(keys.len() - 1)]);
        let answered = ms(answers[answers.len() / 2]);
        println!("{name:<44} {:>8} {:>8} {:>8} {answered:>10}", at(50), at(99), at(100));
    }
}

fn ms(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}

/// What one round came to.
struct Round {
    /// From each key to the frame that came after it.
    keys: Vec<Duration>,
    /// From the question to the frame that shows its answer.
    answered: Duration,
}

/// Starts the server in a folder of its own and types for a while.
fn measure(boundary: Boundary) -> Round {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join(".dicast")).expect("a folder");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let waker = Waker::of(std::thread::current());
    let scope = Scope::new(runtime.handle().clone(), waker.clone());
    let (lanes, ends) = lanes(waker.clone());
    let clock = Clock::start();
    let places = Places {
        repo: folder.path().to_owned(),
        program: binary(),
        private: folder.path().join("turns"),
        config: None,
        speed: "0".to_owned(),
        memory_delay_ms: COLD,
    };
    let settings = Settings::default();
    let entered = runtime.enter();
    let hands = Hands::start(scope.clone(), &lanes, clock, &places, &settings);
    drop(entered);
    let model =
        Model::new(clock.now(), Boot { repo: "pantry".into(), ..Boot::default() }, Arc::new(settings), Trust::Unneeded);
    let ask = || {
        let ask = Ask {
            server: MemoryServer::EMBEDDED.to_owned(),
            tool: "stats".to_owned(),
            args: Value::Null,
            patience_ms: PATIENCE,
            is_idempotent: true,
        };
        hands.mcp.call(ask, CancellationToken::new())
    };
    let round = turn(boundary, &model, &waker, ask);
    let stopped = hands.mcp.stop(Duration::from_millis(20));
    wait(&waker, stopped);
    scope.cancel.cancel();
    runtime.shutdown_timeout(Duration::from_secs(1));
    drop(ends);
    round
}

/// The loop under test: keys until there are none, and the answer.
fn turn(boundary: Boundary, model: &Model, waker: &Waker, ask: impl Fn() -> Reply<Value>) -> Round {
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a screen in memory");
    let mut draw = || {
        terminal.draw(|frame| dicast::view::draw(model, frame)).expect("memory can be written");
    };
    let typed = type_on(waker.clone());
    let (mut keys, mut asked, mut pending, mut answered) = (Vec::new(), None, None, None);
    let mut is_typing = true;
    while is_typing || answered.is_none() {
        match boundary {
            Boundary::Polled => std::thread::sleep(POLL),
            Boundary::Blocking | Boundary::Woken => {
                if !waker.take() {
                    std::thread::park_timeout(Duration::from_secs(1));
                    waker.take();
                }
            }
        }
        let mut pressed = Vec::new();
        loop {
            match typed.try_recv() {
                Ok(at) => pressed.push(at),
                Err(std::sync::mpsc::TryRecvError::Empty) => break,
                Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    is_typing = false;
                    break;
                }
            }
        }
        if asked.is_none() && !pressed.is_empty() {
            asked = Some(Instant::now());
            match boundary {
                Boundary::Blocking => wait(waker, ask()),
                Boundary::Polled | Boundary::Woken => pending = Some(ask()),
            }
        }
        let arrived = match (&mut pending, boundary) {
            (Some(reply), _) => reply.poll_now().is_some(),
            (None, Boundary::Blocking) => asked.is_some() && answered.is_none(),
            (None, Boundary::Polled | Boundary::Woken) => false,
        };
        if pressed.is_empty() && !arrived {
            continue;
        }
        draw();
        let now = Instant::now();
        keys.extend(pressed.into_iter().map(|at| now - at));
        if arrived {
            pending = None;
            answered = asked.map(|asked| now - asked);
        }
    }
    Round { keys, answered: answered.unwrap_or_default() }
}

/// Waits for an answer on this thread, which is what a screen must not do.
fn wait<T>(waker: &Waker, mut reply: Reply<T>) {
    while reply.poll_now().is_none() {
        if !waker.take() {
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }
}

/// Types from another thread, with pauses that keep out of step with any loop.
fn type_on(waker: Waker) -> Receiver<Instant> {
    let (keys, typed) = channel();
    std::thread::spawn(move || {
        let began = Instant::now();
        for pause in (0..).map(|n: u64| 7 + n * 13 % 31) {
            if began.elapsed() > TYPED || keys.send(Instant::now()).is_err() {
                break;
            }
            waker.wake();
            std::thread::sleep(Duration::from_millis(pause));
        }
        drop(keys);
        waker.wake();
    });
    typed
}

/// Finds the program beside this example.
fn binary() -> PathBuf {
    let here = std::env::current_exe().expect("our own path");
    let folder = here.parent().and_then(Path::parent).expect("a folder");
    let binary = folder.join("dicast");
    assert!(binary.is_file(), "no {}: build it first, with the same profile", binary.display());
    binary
}
