//! MCP servers as real processes (examples/fake_mcp_server) and as real rmcp servers on a pipe: slow, hung, crashing,
//! wedged, flooding, stubborn. Whatever they do, callers are answered in time and nothing is left behind.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests own their runtime, read the process table and make their own files"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dicast::actors::agents::process::Children;
use dicast::actors::lanes::{LaneEnds, lanes};
use dicast::actors::mcp::{Ask, Clock, Connector, Handle, Life, Processes, Wire, spawn};
use dicast::actors::{Scope, Waker};
use dicast::domain::fact::Fact;
use dicast::domain::failure::Failure;
use dicast::domain::moment::Moment;
use dicast::domain::server::{Program, Reach, ServerSpec, State, Status};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

#[path = "mcp/cost.rs"]
mod cost;
#[path = "mcp/http.rs"]
mod http;
#[path = "mcp/real.rs"]
mod real;
#[path = "support/seed.rs"]
mod seed;
#[path = "mcp/soak.rs"]
mod soak;
#[path = "mcp/watch.rs"]
mod watch;

/// Ends a test that waits for something that never comes.
const PATIENCE: Duration = Duration::from_secs(20);

fn live(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.unwrap() });
    runtime.shutdown_timeout(Duration::from_secs(1));
}

fn paused(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test);
}

/// The actor with its lanes, and a tag that finds its processes.
struct Bench {
    scope: Scope,
    ends: LaneEnds,
    handle: Handle,
    run: String,
}

impl Bench {
    fn of(specs: Vec<ServerSpec>) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let run = format!("test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        let connector = Arc::new(Processes::new(Children::new(&scope), run.clone()));
        Self::with(scope, connector, specs, run)
    }

    fn with(scope: Scope, connector: Arc<dyn Connector>, specs: Vec<ServerSpec>, run: String) -> Self {
        let (lanes, ends) = lanes(Waker::nobody());
        let start = tokio::time::Instant::now();
        let clock: Clock = Arc::new(move || Moment(u64::try_from(start.elapsed().as_millis()).unwrap()));
        let handle = spawn(&scope, &lanes, &clock, &connector, specs);
        Self { scope, ends, handle, run }
    }

    fn call(&self, tool: &str, args: Value) -> impl Future<Output = Result<Value, Failure>> + use<> {
        self.ask(tool, args, 10_000, false)
    }

    fn ask(
        &self,
        tool: &str,
        args: Value,
        patience_ms: u64,
        is_idempotent: bool,
    ) -> impl Future<Output = Result<Value, Failure>> + use<> {
        let ask = Ask { server: "fake".into(), tool: tool.into(), args, patience_ms, is_idempotent };
        self.handle.call(ask, CancellationToken::new())
    }

    /// Waits for a fact that tells a status like this.
    async fn until(&mut self, what: &str, wanted: impl Fn(&Status) -> bool) -> Status {
        let found = async {
            loop {
                if let Some(Fact::ServerChanged(status)) = self.ends.next_fact().await
                    && wanted(&status)
                {
                    return *status;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("never told: {what}"))
    }

    async fn until_ready(&mut self) -> Status {
        self.until("ready", |status| status.state == State::Ready).await
    }

    async fn until_lost(&mut self) -> (u32, String) {
        let status = self.until("lost", |status| matches!(status.state, State::Lost { .. })).await;
        let State::Lost { attempt, why, .. } = status.state else { unreachable!() };
        (attempt, why)
    }

    async fn status(&self) -> Status {
        self.handle.statuses().await.unwrap().remove(0)
    }

    /// Processes that carry our tag, by their command lines.
    fn processes(&self) -> Vec<String> {
        tagged(&format!("DICAST_RUN={}", self.run))
    }

    async fn until_no_process(&self) {
        let gone = async {
            while !self.processes().is_empty() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        if tokio::time::timeout(Duration::from_secs(5), gone).await.is_err() {
            panic!("still there: {:?}", self.processes());
        }
    }

    /// Stops the actor as quitting does, and sees that nothing is left.
    async fn end(self) {
        assert_eq!(self.handle.stop(Duration::from_millis(20)).await, Ok(0));
        assert_eq!(self.processes(), Vec::<String>::new());
        self.scope.cancel.cancel();
        tokio::time::timeout(PATIENCE, self.scope.closed()).await.unwrap();
    }
}

fn tagged(tag: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environ.split(|byte| *byte == 0).any(|variable| variable == tag.as_bytes()) {
            let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&words).replace('\0', " "));
        }
    }
    found
}

fn program() -> PathBuf {
    let mut program = std::env::current_exe().unwrap();
    program.pop();
    program.pop();
    program.push("examples/fake_mcp_server");
    assert!(program.is_file(), "cargo test builds it; for one test alone run `cargo build --examples` first");
    program
}

/// The child of a spec, to change it.
fn child(spec: &mut ServerSpec) -> &mut Program {
    match &mut spec.reach {
        Reach::Process(program) => program,
        Reach::Http(_) => panic!("this server is no child"),
    }
}

fn fake(flags: &[&str]) -> ServerSpec {
    ServerSpec {
        name: "fake".into(),
        reach: Reach::Process(Program {
            command: program().to_str().unwrap().into(),
            args: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            env: BTreeMap::new(),
            cwd: "/".into(),
        }),
        root: "/".into(),
        startup_ms: 15_000,
        tool_ms: 5_000,
    }
}

fn is_server_failure(outcome: &Result<Value, Failure>, part: &str) -> bool {
    matches!(outcome, Err(Failure::Server { why, .. }) if why.contains(part))
}

// Start

#[test]
fn a_call_during_a_slow_start_is_served_within_the_callers_patience() {
    live(async {
        let mut bench = Bench::of(vec![fake(&["--start-delay", "400"])]);
        assert_eq!(bench.status().await.state, State::Starting);
        let impatient = bench.ask("echo", json!({"text": "a"}), 50, true);
        let patient = bench.call("echo", json!({"text": "b"}));
        let impatient = impatient.await.unwrap_err();
        assert_eq!(impatient.to_string(), "the start of MCP server fake took longer than 00:00");
        assert_eq!(patient.await.unwrap(), json!({"echo": "b"}));
        let status = bench.until_ready().await;
        assert_eq!(status.protocol.as_deref(), Some("2025-11-25"));
        assert!(status.tools.contains(&"store_memory".to_owned()));
        bench.end().await;
    });
}

#[test]
fn a_server_that_hangs_before_the_handshake_is_lost_at_the_startup_limit_and_its_group_is_gone() {
    live(async {
        let spec = ServerSpec { startup_ms: 150, ..fake(&["--hang", "--grandchild"]) };
        let mut bench = Bench::of(vec![spec]);
        let (attempt, why) = bench.until_lost().await;
        assert_eq!(attempt, 1);
        assert!(why.contains("no handshake within 0.15 s"), "{why}");
        assert_eq!(bench.processes(), Vec::<String>::new());
        bench.end().await;
    });
}

#[test]
fn a_crash_at_the_start_tells_the_exit_code_and_the_last_words() {
    live(async {
        let mut bench = Bench::of(vec![fake(&["--crash-at-start"])]);
        let (_, why) = bench.until_lost().await;
        assert_eq!(why, "it ended (exit 7): cannot open the database");
        bench.end().await;
    });
}

#[test]
fn a_command_that_is_not_there_is_lost_with_its_name() {
    live(async {
        let mut spec = fake(&[]);
        child(&mut spec).command = "no-such-program-at-all".into();
        let mut bench = Bench::of(vec![spec]);
        let (_, why) = bench.until_lost().await;
        assert!(why.starts_with("\"no-such-program-at-all\" was not found"), "{why}");
        bench.end().await;
    });
}

#[test]
fn servers_see_their_own_variables_but_none_of_our_secrets() {
    live(async {
        let mut spec = fake(&[]);
        child(&mut spec).env.insert("MEMORY_FILE_PATH".into(), "memory.jsonl".into());
        let mut bench = Bench::of(vec![spec]);
        bench.until_ready().await;
        let with = |tag: &str| tagged(tag).iter().filter(|line| line.contains("fake_mcp_server")).count();
        assert!(with("MEMORY_FILE_PATH=memory.jsonl") > 0);
        // Cargo sets it for us; like a key of ours, it is not on the list of what is passed.
        let own = format!("CARGO_MANIFEST_DIR={}", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(with(&own), 0);
        bench.end().await;
    });
}

// Calls

#[test]
fn refusals_unknown_tools_and_unknown_servers_are_told_apart_and_never_tried_again() {
    live(async {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let bench = Bench::of(vec![fake(&["--log", log.to_str().unwrap()])]);
        let refused = bench.ask("fail", json!({"text": "no \u{1b}[2Jroom"}), 5_000, true).await;
        assert!(is_server_failure(&refused, "fail: no ␛[2Jroom"), "{refused:?}");
        assert!(is_server_failure(&bench.call("nonsense", json!({})).await, "unknown tool"));
        assert!(is_server_failure(&bench.call("echo", json!([1])).await, "JSON object"));
        let ask = Ask { server: "x".into(), tool: "t".into(), args: Value::Null, patience_ms: 9, is_idempotent: true };
        let unknown = bench.handle.call(ask, CancellationToken::new()).await;
        assert!(is_server_failure(&unknown, "not in the config (there: fake)"));
        let calls = std::fs::read_to_string(&log).unwrap().lines().filter(|line| line.contains("tools/call")).count();
        assert_eq!(calls, 2);
        assert_eq!(bench.status().await.state, State::Ready, "a refusal is an answer");
        bench.end().await;
    });
}

#[test]
fn cancel_reaches_the_caller_within_50_ms_and_the_server_as_a_notification() {
    live(async {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut bench = Bench::of(vec![fake(&["--log", log.to_str().unwrap()])]);
        bench.until_ready().await;
        cancelled_in_the_call(&bench, &log).await;
        bench.end().await;
    });
}

/// Calls, cancels once the server has the call, and sees that both the caller and the server know at once, and that the
/// session goes on.
async fn cancelled_in_the_call(bench: &Bench, log: &std::path::Path) {
    let token = CancellationToken::new();
    let ask = Ask {
        server: "fake".into(),
        tool: "sleep".into(),
        args: json!({"ms": 60_000}),
        patience_ms: 60_000,
        is_idempotent: true,
    };
    let reply = bench.handle.call(ask, token.clone());
    let line = logged(log, "tools/call").await;
    let id = line.split(' ').nth(1).unwrap().to_owned();
    let cancelled_at = Instant::now();
    token.cancel();
    assert_eq!(reply.await, Err(Failure::Cancelled));
    let took = cancelled_at.elapsed();
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert_eq!(logged(log, "notifications/cancelled").await, format!("notifications/cancelled {id}"));
    assert_eq!(bench.call("echo", json!({"text": 1})).await, Ok(json!({"echo": 1})));
}

/// Waits for a line of the fake's log that begins so.
async fn logged(log: &std::path::Path, start: &str) -> String {
    let found = async {
        loop {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            if let Some(line) = text.lines().find(|line| line.starts_with(start)) {
                return line.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("never logged: {start}"))
}

#[test]
fn an_answer_that_never_comes_ends_at_the_limit_and_degrades_until_the_next_answer() {
    live(async {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let spec = ServerSpec { tool_ms: 100, ..fake(&["--log", log.to_str().unwrap()]) };
        let mut bench = Bench::of(vec![spec]);
        let late = bench.call("sleep", json!({"ms": 60_000})).await;
        assert!(matches!(late, Err(Failure::Timeout { after_ms: 100, .. })), "{late:?}");
        logged(&log, "notifications/cancelled").await;
        bench.until("degraded", |status| matches!(status.state, State::Degraded { .. })).await;
        bench.call("echo", json!({"text": 1})).await.unwrap();
        let status = bench.until_ready().await;
        assert_eq!((status.restarts, status.calls), (0, 1));
        assert!(status.latency_us.is_some());
        bench.end().await;
    });
}

#[test]
fn answers_under_a_wrong_id_and_of_a_wrong_shape_do_not_hang_the_caller() {
    live(async {
        let wrong = Bench::of(vec![ServerSpec { tool_ms: 100, ..fake(&["--wrong-id"]) }]);
        let outcome = wrong.call("echo", json!({"text": 1})).await;
        assert!(matches!(outcome, Err(Failure::Timeout { .. })), "{outcome:?}");
        wrong.end().await;
        let malformed = Bench::of(vec![ServerSpec { tool_ms: 300, ..fake(&["--malformed"]) }]);
        assert!(malformed.call("echo", json!({"text": 1})).await.is_err());
        malformed.end().await;
    });
}

#[test]
fn lines_that_are_no_json_are_passed_over() {
    live(async {
        let bench = Bench::of(vec![fake(&["--garbage"])]);
        for n in 0..20 {
            assert_eq!(bench.call("echo", json!({"text": n})).await, Ok(json!({"echo": n})));
        }
        bench.end().await;
    });
}

#[test]
fn a_reply_of_50_mb_is_refused_clearly_and_the_session_goes_on() {
    live(async {
        for flags in [&["--huge-reply", "50"][..], &["--huge-reply", "50", "--id-last"]] {
            let bench = Bench::of(vec![fake(flags)]);
            let outcome = bench.ask("echo", json!({"text": 1}), 20_000, false).await;
            assert!(is_server_failure(&outcome, "bytes, more than the 16777216 that are taken"), "{outcome:?}");
            assert_eq!(bench.call("sleep", json!({"ms": 0})).await, Ok(json!("slept")));
            assert_eq!(bench.status().await.restarts, 0);
            bench.end().await;
        }
    });
}

#[test]
fn a_changed_list_of_tools_is_asked_for_and_told() {
    live(async {
        let mut bench = Bench::of(vec![fake(&["--list-changed"])]);
        bench.call("echo", json!({"text": 1})).await.unwrap();
        bench.until("the new tool", |status| status.tools.contains(&"late".to_owned())).await;
        bench.end().await;
    });
}

// Loss and restart

#[test]
fn a_crash_fails_a_call_at_once_and_an_idempotent_one_is_asked_again_after_the_restart() {
    live(async {
        let mut bench = Bench::of(vec![fake(&["--crash-after", "1"])]);
        bench.call("echo", json!({"text": 1})).await.unwrap();
        let begun = Instant::now();
        let failed = bench.call("echo", json!({"text": 2})).await;
        assert!(matches!(failed, Err(Failure::Server { .. })), "{failed:?}");
        assert!(begun.elapsed() < Duration::from_secs(2));
        let (attempt, why) = bench.until_lost().await;
        assert_eq!((attempt, why.as_str()), (1, "it ended (exit 9): out of memory (not really)"));
        bench.until_ready().await;
        bench.call("echo", json!({"text": 3})).await.unwrap();
        let again = bench.ask("echo", json!({"text": 4}), 10_000, true).await;
        assert_eq!(again, Ok(json!({"echo": 4})));
        assert_eq!(bench.status().await.restarts, 2);
        bench.end().await;
    });
}

#[test]
fn a_server_that_stops_reading_ends_at_our_deadline_with_its_group() {
    live(async {
        let spec = ServerSpec { tool_ms: 300, ..fake(&["--no-read", "--grandchild"]) };
        let mut bench = Bench::of(vec![spec]);
        bench.until_ready().await;
        assert!(!bench.processes().is_empty());
        let begun = Instant::now();
        let outcome = bench.call("echo", json!({"text": "x".repeat(200 << 10)})).await;
        let took = begun.elapsed();
        assert!(
            matches!(&outcome, Err(Failure::Timeout { what, .. }) if what.contains("stopped reading")),
            "{outcome:?}"
        );
        assert!(took < Duration::from_millis(600), "{took:?}");
        bench.until_lost().await;
        assert_eq!(bench.processes(), Vec::<String>::new());
        bench.end().await;
    });
}

#[test]
fn a_grandchild_that_holds_stdout_does_not_outlive_a_crash() {
    live(async {
        let mut bench = Bench::of(vec![fake(&["--crash-after", "0", "--grandchild"])]);
        bench.until_ready().await;
        let begun = Instant::now();
        let outcome = bench.call("echo", json!({"text": 1})).await;
        assert!(is_server_failure(&outcome, "it ended (exit 9)"), "{outcome:?}");
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        bench.until_lost().await;
        assert_eq!(bench.processes(), Vec::<String>::new());
        bench.end().await;
    });
}

#[test]
fn a_restart_by_hand_replaces_the_process_and_tells_it() {
    live(async {
        let mut bench = Bench::of(vec![fake(&["--ignore-term", "--grandchild"])]);
        bench.until_ready().await;
        bench.handle.restart("fake").await.unwrap();
        bench.until("starting", |status| status.state == State::Starting && status.restarts == 1).await;
        bench.until_ready().await;
        assert_eq!(bench.processes().iter().filter(|line| line.contains("fake_mcp_server")).count(), 1);
        assert!(bench.handle.restart("other").await.is_err());
        bench.end().await;
    });
}

// Noise and end

#[test]
fn a_flood_on_stderr_costs_two_tellings_a_second_and_calls_go_on() {
    live(async {
        let mut bench = Bench::of(vec![fake(&["--flood-stderr"])]);
        bench.until_ready().await;
        let begun = Instant::now();
        let mut told = 0;
        while begun.elapsed() < Duration::from_millis(1_600) {
            bench.call("echo", json!({"text": 1})).await.unwrap();
            while bench.ends.fact().is_some() {
                told += 1;
            }
        }
        assert!((2..=5).contains(&told), "{told}");
        let words = bench.handle.words("fake").await.unwrap();
        assert!(words.len() <= 40 && words.iter().all(|line| line.as_str().len() < 500));
        let last = bench.status().await.last_line.unwrap();
        assert!(last.as_str().contains("flood") && !last.as_str().contains('\u{1b}'), "{last}");
        bench.end().await;
    });
}

#[test]
fn stopping_ends_all_servers_together_however_stubborn_they_are() {
    live(async {
        let kinds = [&["--ignore-term", "--grandchild"][..], &["--grandchild"], &["--no-read", "--ignore-term"], &[]];
        let specs = kinds.iter().enumerate().map(|(n, flags)| ServerSpec { name: format!("s{n}"), ..fake(flags) });
        let mut bench = Bench::of(specs.collect());
        let mut ready = 0;
        while ready < kinds.len() {
            bench.until_ready().await;
            ready += 1;
        }
        let begun = Instant::now();
        assert_eq!(bench.handle.stop(Duration::from_millis(20)).await, Ok(0));
        let took = begun.elapsed();
        assert_eq!(bench.processes(), Vec::<String>::new());
        // 50 ms on an idle machine; the test machine may be busy with other tests.
        assert!(took < Duration::from_millis(400), "{took:?}");
        let after = bench.handle.call(
            Ask { server: "s0".into(), tool: "echo".into(), args: json!({}), patience_ms: 5_000, is_idempotent: true },
            CancellationToken::new(),
        );
        assert!(is_server_failure(&after.await, "it was stopped"));
        bench.end().await;
    });
}

#[test]
fn the_end_of_the_scope_alone_leaves_no_process_either() {
    live(async {
        let mut bench = Bench::of(vec![fake(&["--ignore-term", "--grandchild"])]);
        bench.until_ready().await;
        bench.scope.cancel.cancel();
        tokio::time::timeout(PATIENCE, bench.scope.closed()).await.unwrap();
        bench.until_no_process().await;
    });
}

// The embedded memory; what memory is to us is in tests/memory.rs

/// Stores four memories, one of them twice.
async fn stores(bench: &Bench) {
    for (key, tag) in [("1", "spec:SPEC-1"), ("1", "spec:SPEC-1"), ("2", "spec:SPEC-10"), ("3", "x"), ("4", "y")] {
        let args = json!({"key": key, "content": format!("{{\"n\": {key}}}"), "tags": [tag]});
        assert!(bench.call("store_memory", args).await.unwrap()["id"].is_string());
    }
    let found = bench.call("search", json!({"query": "", "tags": ["spec:SPEC-1"]})).await.unwrap();
    assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
    assert_eq!(found[0]["memory"]["content"], json!("{\"n\": 1}"));
}

/// Starts real rmcp servers on a pipe inside this process.
struct Pipes {
    db: PathBuf,
    serve: bool,
    /// Ends the servers that were started.
    lives: Mutex<Vec<Life>>,
}

impl Connector for Pipes {
    fn connect(&self, scope: &Scope, _name: &str, _program: &Program) -> Result<Wire, Failure> {
        let (ours, theirs) = tokio::io::duplex(64 << 10);
        let (reading, writing) = tokio::io::split(ours);
        let life = Life::without_process();
        self.lives.lock().unwrap().push(life.clone());
        if self.serve {
            let (theirs_reading, theirs_writing) = tokio::io::split(theirs);
            let db = self.db.clone();
            scope.spawn(async move {
                dicast::server::memory::serve_memory_on(db, theirs_reading, theirs_writing).await.unwrap();
            });
        } else {
            // Held, never answered.
            let end = life.clone();
            scope.spawn(async move {
                end.gone().await;
                drop(theirs);
            });
        }
        Ok(Wire { reading: Box::new(reading), writing: Box::new(writing), life })
    }
}

fn pipes(serve: bool) -> (tempfile::TempDir, Arc<Pipes>, Bench) {
    let folder = tempfile::tempdir().unwrap();
    let pipes = Arc::new(Pipes { db: folder.path().join("memory.db"), serve, lives: Mutex::default() });
    let spec = fake(&[]);
    let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
    let bench = Bench::with(scope, Arc::clone(&pipes) as Arc<dyn Connector>, vec![spec], "none".into());
    (folder, pipes, bench)
}

#[test]
fn the_embedded_memory_stores_finds_counts_and_forgets() {
    live(async {
        let (_folder, _pipes, bench) = pipes(true);
        stores(&bench).await;
        let stored = bench.call("store_memory", json!({"content": "a note (odd: \"*", "tags": ["t"]})).await.unwrap();
        let id = stored["id"].as_str().unwrap().to_owned();
        let found = bench.call("search", json!({"query": "odd: \"* NOT", "tags": ["t"]})).await.unwrap();
        assert_eq!(found[0]["memory"]["id"], json!(id));
        assert!(found[0]["score"].is_number());
        assert_eq!(bench.call("get", json!({"key": "nothing"})).await, Ok(Value::Null));
        assert!(bench.call("get", json!({})).await.is_err());
        assert_eq!(bench.call("stats", json!({})).await.unwrap()["memories"], json!(5));
        assert_eq!(bench.call("delete", json!({"id": id})).await, Ok(json!({"deleted": true})));
        assert_eq!(bench.call("delete", json!({"id": id})).await, Ok(json!({"deleted": false})));
        bench.end().await;
    });
}

#[test]
fn sixteen_concurrent_writers_lose_nothing() {
    live(async {
        let (_folder, _pipes, bench) = pipes(true);
        let writes: Vec<_> = (0..16)
            .map(|n| bench.call("store_memory", json!({"key": n.to_string(), "content": "x", "tags": ["t"]})))
            .collect();
        for write in writes {
            write.await.unwrap();
        }
        let found = bench.call("search", json!({"query": "", "tags": ["t"], "limit": 100})).await.unwrap();
        assert_eq!(found.as_array().unwrap().len(), 16);
        bench.end().await;
    });
}

// Time

#[test]
fn a_hung_server_is_given_up_by_the_schedule_and_then_answers_at_once() {
    paused(async {
        let (_folder, _pipes, mut bench) = pipes(false);
        let waiting = bench.ask("echo", json!({}), 600_000, true);
        for (attempt, at) in [(1, 15_000), (2, 30_250), (3, 46_250)] {
            let status = bench.until("lost", |status| matches!(status.state, State::Lost { .. })).await;
            let State::Lost { attempt: told, .. } = status.state else { unreachable!() };
            assert_eq!(told, attempt);
            assert!(status.since.since(Moment(at)) < 1_000, "{attempt}: {:?}", status.since);
        }
        bench.until("dead", |status| matches!(status.state, State::Dead { .. })).await;
        assert!(is_server_failure(&waiting.await, "no handshake within 15 s"));
        let before = tokio::time::Instant::now();
        assert!(bench.ask("echo", json!({}), 600_000, true).await.is_err());
        assert!(before.elapsed() < Duration::from_millis(1), "{:?}", before.elapsed());
        bench.handle.restart("fake").await.unwrap();
        bench.until("starting again", |status| status.state == State::Starting).await;
    });
}

#[test]
fn an_hour_of_health_is_an_hour_of_silence() {
    paused(async {
        let (_folder, _pipes, mut bench) = pipes(true);
        bench.until_ready().await;
        let metrics = tokio::runtime::Handle::current().metrics();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let before = metrics.worker_park_count(0);
        // With time paused every timer that is due in this hour fires, and each one costs a wake-up; the few that remain
        // are the steps in which the runtime counts towards one long sleep.
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        let woken = metrics.worker_park_count(0) - before;
        assert!(woken <= 10, "{woken} wake-ups in an hour");
        assert_eq!(bench.ends.fact(), None);
    });
}

// The embedded server as a process

/// Not a test: the embedded server, for the tests below that start this binary again with `MEMORY_DB`.
#[test]
fn serve_memory_here_when_asked() {
    let Some(db) = std::env::var_os("MEMORY_DB") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(dicast::server::memory::serve_memory(db.into())).unwrap();
}

fn embedded(folder: &tempfile::TempDir) -> ServerSpec {
    let mut spec = fake(&["--exact", "serve_memory_here_when_asked", "--nocapture"]);
    let program = child(&mut spec);
    program.command = std::env::current_exe().unwrap().to_str().unwrap().into();
    program.env.insert("MEMORY_DB".into(), folder.path().join("memory.db").to_str().unwrap().into());
    spec
}

#[test]
fn the_embedded_server_keeps_what_it_answered_across_a_kill() {
    live(async {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::of(vec![embedded(&folder)]);
        stores(&bench).await;
        bench.end().await;
        let bench = Bench::of(vec![embedded(&folder)]);
        assert_eq!(bench.call("stats", json!({})).await.unwrap()["memories"], json!(4));
        bench.end().await;
    });
}

#[test]
fn the_embedded_server_ends_at_the_end_of_its_input_and_on_term() {
    live(async {
        for term in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let mut spec = embedded(&folder);
            let program = child(&mut spec);
            // A file that is there is opened at once, so that it can be waited for.
            std::fs::write(folder.path().join("memory.db"), "").unwrap();
            let mut child = tokio::process::Command::new(&program.command)
                .args(&program.args)
                .envs(&program.env)
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            let until_open = async {
                while !folder.path().join("memory.db-wal").exists() {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            tokio::time::timeout(PATIENCE, until_open).await.unwrap();
            if term {
                let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
            } else {
                drop(child.stdin.take());
            }
            let status = tokio::time::timeout(Duration::from_secs(5), child.wait()).await.unwrap().unwrap();
            assert!(status.success(), "{status} (term: {term})");
        }
    });
}
