//! The places where a program of this kind has been seen to stop its screen, each measured here: what asking costs the
//! thread that draws, and when the answer is there, in milliseconds, on this machine and now. `docs/responsiveness.md`
//! says how to read it.
//!
//! ```text
//! cargo build --release --bins --examples && cargo run --release --example hot_spots [TIMES]
//! ```
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measuring stick stands outside: it makes files, waits as a screen must not, and prints"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dicast::actors::evidence::{Commit, NewFile};
use dicast::actors::lanes::lanes;
use dicast::actors::mcp::Ask;
use dicast::actors::{Reply, Scope, Waker};
use dicast::app::key::Key;
use dicast::app::model::{Boot, Load, Model};
use dicast::app::msg::{Input, Msg};
use dicast::app::update::update;
use dicast::domain::consensus::{decide, parse_panel};
use dicast::domain::ids::{RunId, SpecId};
use dicast::domain::journal::Record;
use dicast::domain::moment::Moment;
use dicast::domain::settings::{MemoryServer, Settings, Trust};
use dicast::domain::stage::Stage;
use dicast::shell::Clock;
use dicast::shell::hands::{Hands, Places};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// How often each is done unless told otherwise.
const TIMES: usize = 30;

/// Cold starts that are timed: each takes a process.
const STARTS: usize = 5;

/// How long a memory server of this kind takes before it speaks, in milliseconds: what starting one under node takes.
const COLD: u64 = 700;

/// How long a caller waits at most, in milliseconds.
const PATIENCE: u64 = 10_000;

/// The screen: columns, rows.
const SIZE: (u16, u16) = (120, 36);

/// The text of an answer as long as agents give.
const ANSWER: usize = 16 * 1024;

/// A panel of three that differ on one question.
const PANEL: &str = r#"{"schema":"dicast.panel/1","spec_id":"001-a","stage":"plan",
 "requirements":[{"id":"FR-001","level":"must"}],
 "agents":[{"name":"a","family":"x","status":"ok","claims":[
   {"kind":"covers","subject":"FR-001","predicate":"covered","value":"yes","polarity":1,"severity":"major","tier":"E2"},
   {"kind":"decision","subject":"D-001","predicate":"answer","value":"10","polarity":1,"severity":"major","tier":"E1"}]},
  {"name":"b","family":"y","status":"ok","claims":[
   {"kind":"covers","subject":"FR-001","predicate":"covered","value":"yes","polarity":1,"severity":"major","tier":"E2"},
   {"kind":"decision","subject":"D-001","predicate":"answer","value":"20","polarity":1,"severity":"major","tier":"E1"}]},
  {"name":"c","family":"z","status":"ok","claims":[
   {"kind":"covers","subject":"FR-001","predicate":"covered","value":"yes","polarity":1,"severity":"major","tier":"E2"}]}]}"#;

/// What one place came to.
#[derive(Default)]
struct Times {
    /// What asking cost the thread that asks.
    asking: Vec<Duration>,
    /// From asking to the answer.
    answered: Vec<Duration>,
}

fn main() {
    let times = std::env::args().nth(1).and_then(|times| times.parse().ok()).unwrap_or(TIMES).max(1);
    println!("program      {} build", if cfg!(debug_assertions) { "unoptimised" } else { "release" });
    println!("ms; \"screen\" is what the thread that draws pays, the rest happens beside it");
    println!("{:<12} {:<47} {:>8} {:>8} {:>8} {:>8}", "place", "operation", "screen", "worst", "typical", "worst");
    let bench = Bench::new(0);
    bench.actors(times);
    drop(bench);
    cold(STARTS.min(times));
    on_the_screen(times);
}

fn row(place: &str, operation: &str, mut times: Times) {
    times.asking.sort_unstable();
    times.answered.sort_unstable();
    let at = |times: &[Duration], percent: usize| {
        let time = times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
        time.map_or_else(|| "-".to_owned(), |time| format!("{:.3}", time.as_secs_f64() * 1_000.0))
    };
    println!(
        "{place:<12} {operation:<47} {:>8} {:>8} {:>8} {:>8}",
        at(&times.asking, 50),
        at(&times.asking, 100),
        at(&times.answered, 50),
        at(&times.answered, 100),
    );
}

/// All actors over a copy of the sample.
struct Bench {
    hands: Hands,
    waker: Waker,
    runtime: tokio::runtime::Runtime,
    folder: tempfile::TempDir,
    scope: Scope,
}

impl Bench {
    fn new(delay_ms: u64) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sample"), folder.path());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let waker = Waker::of(std::thread::current());
        let scope = Scope::new(runtime.handle().clone(), waker.clone());
        let (lanes, _ends) = lanes(waker.clone());
        let places = Places {
            repo: folder.path().to_owned(),
            program: binary(),
            private: folder.path().join("turns"),
            config: None,
            speed: "0".to_owned(),
            memory_delay_ms: delay_ms,
        };
        let hands = {
            let _entered = runtime.enter();
            Hands::start(scope.clone(), &lanes, Clock::start(), &places, &Settings::default())
        };
        Self { hands, waker, runtime, folder, scope }
    }

    /// Asks, and waits as a screen must not.
    fn time<T>(&self, times: &mut Times, ask: impl FnOnce() -> Reply<T>) -> T {
        let began = Instant::now();
        let mut reply = ask();
        times.asking.push(began.elapsed());
        loop {
            if let Some(outcome) = reply.poll_now() {
                times.answered.push(began.elapsed());
                return outcome.expect("an answer");
            }
            if !self.waker.take() {
                std::thread::park_timeout(Duration::from_millis(100));
            }
        }
    }

    fn each(&self, place: &str, operation: &str, times: usize, mut one: impl FnMut(&Self, &mut Times)) {
        let mut taken = Times::default();
        (0..times).for_each(|_| one(self, &mut taken));
        row(place, operation, taken);
    }

    fn actors(&self, times: usize) {
        let token = CancellationToken::new;
        let root = || self.folder.path().to_owned();
        self.each("channel", "ask an actor that has nothing to do", times, |bench, times| {
            bench.time(times, || bench.hands.mcp.statuses());
        });
        self.each("repository", "read and check the sample", times, |bench, times| {
            bench.time(times, || bench.hands.repo.survey(root(), token()));
        });
        let spec = SpecId::new("001-bench").expect("an id");
        let run = |n: usize| RunId::mint(Moment(1_700_000_000_000), 1, n as u64);
        let (mut locks, mut commits, mut reads) = (Times::default(), Times::default(), Times::default());
        for n in 0..times {
            let (evidence, at) = (&self.hands.evidence, Moment(1_700_000_000_000));
            self.time(&mut locks, || evidence.open_run(spec.clone(), run(n), at, token()));
            self.time(&mut commits, || {
                let bytes: Arc<str> = "x".repeat(ANSWER).into();
                let files = vec![NewFile { path: "raw/plan-a-1.txt".to_owned(), bytes }];
                let stages = vec![Stage::Plan];
                let records = vec![Record::RunOpened { spec: spec.clone(), stages, version: String::new(), pid: 1 }];
                evidence.commit(Commit { spec: spec.clone(), run: run(n), at, files, records }, token())
            });
            self.time(&mut reads, || evidence.records(spec.clone(), run(n), token()));
            self.time(&mut Times::default(), || evidence.close_run(spec.clone(), run(n)));
        }
        row("lock", "take a spec's lock", locks);
        row("evidence", "an answer of 16 KiB and its record, durable", commits);
        row("evidence", "read a journal, verified", reads);
        let ask = || Ask {
            server: MemoryServer::EMBEDDED.to_owned(),
            tool: "stats".to_owned(),
            args: Value::Null,
            patience_ms: PATIENCE,
            is_idempotent: true,
        };
        self.time(&mut Times::default(), || self.hands.mcp.call(ask(), token()));
        self.each("MCP", "a call of a warm server", times, |bench, times| {
            bench.time(times, || bench.hands.mcp.call(ask(), token()));
        });
        let panel = parse_panel(PANEL).expect("a panel");
        let mut decided = Times::default();
        for _ in 0..times {
            let began = Instant::now();
            std::hint::black_box(decide(&panel));
            decided.answered.push(began.elapsed());
        }
        row("consensus", "decide a panel of three (beside the screen)", decided);
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let stopped = self.hands.mcp.stop(Duration::from_millis(20));
        self.runtime.block_on(async { drop(stopped.within(Duration::from_secs(5), "the servers' end").await) });
        self.scope.cancel.cancel();
    }
}

/// A server that is asked while it starts.
fn cold(times: usize) {
    let mut taken = Times::default();
    for _ in 0..times {
        let bench = Bench::new(COLD);
        bench.time(&mut taken, || {
            let ask = Ask {
                server: MemoryServer::EMBEDDED.to_owned(),
                tool: "stats".to_owned(),
                args: Value::Null,
                patience_ms: PATIENCE,
                is_idempotent: true,
            };
            bench.hands.mcp.call(ask, CancellationToken::new())
        });
    }
    row("MCP", "a call of a server that takes 700 ms to start", taken);
}

/// What does happen on the thread that draws: a key, and the frame after it.
fn on_the_screen(times: usize) {
    let boot = Boot { repo: "bench".into(), ..Boot::default() };
    let mut model = Model::new(Moment(0), boot, Arc::new(Settings::default()), Trust::Unneeded);
    let bench = Bench::new(0);
    let survey = bench.time(&mut Times::default(), || {
        bench.hands.repo.survey(bench.folder.path().to_owned(), CancellationToken::new())
    });
    model.survey = Load::Ready(survey);
    let mut terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("a screen in memory");
    let (mut keys, mut frames) = (Times::default(), Times::default());
    for _ in 0..times {
        let began = Instant::now();
        update(&mut model, Msg::Input(Input::Key(Key::Char('j'))));
        keys.asking.push(began.elapsed());
        let began = Instant::now();
        terminal.draw(|frame| dicast::view::draw(&model, frame)).expect("memory can be written");
        frames.asking.push(began.elapsed());
    }
    row("screen", "a key changes the model", keys);
    row("screen", "a frame of 120x36 is drawn", frames);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// Finds the program beside this example.
fn binary() -> PathBuf {
    let here = std::env::current_exe().expect("our own path");
    let folder = here.parent().and_then(Path::parent).expect("a folder");
    let binary = folder.join("dicast");
    assert!(binary.is_file(), "no {}: build it first, with the same profile", binary.display());
    binary
}
