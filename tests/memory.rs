//! Memory as it is to us: every kind of server stores, finds and is held to what it acknowledged; what it does not
//! take waits on disk; somebody elsewhere answers through it.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests own their runtime and files; one that was skipped says so"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dicast::actors::agents::process::Children;
use dicast::actors::lanes::{LaneEnds, lanes};
use dicast::actors::mcp::memory::{self, Copied, Query, Settings};
use dicast::actors::mcp::{Ask, Clock, Connector, Processes};
use dicast::actors::{Scope, Waker, mcp};
use dicast::disk::Store;
use dicast::domain::fact::Fact;
use dicast::domain::failure::Failure;
use dicast::domain::hash::Sha;
use dicast::domain::ids::{AgentName, RunId, SpecId};
use dicast::domain::memory::{Entry, Profile, Status, Subject};
use dicast::domain::moment::Moment;
use dicast::domain::redact::Redactor;
use dicast::domain::server::{Program, Reach, ServerSpec};
use dicast::domain::stage::Stage;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What a copy may take here, in milliseconds.
const AMPLE: u64 = 20_000;

fn live(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.unwrap() });
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// One process's memory: its own server, and a spool that others may share.
struct Bench {
    scope: Scope,
    ends: LaneEnds,
    mcp: mcp::Handle,
    memory: memory::Handle,
}

impl Bench {
    fn new(home: &Path, profile: Profile, spec: ServerSpec) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let run = format!("memory-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        let connector: Arc<dyn Connector> = Arc::new(Processes::new(Children::new(&scope), run));
        let (lanes, ends) = lanes(Waker::nobody());
        let start = Instant::now();
        let clock: Clock = Arc::new(move || Moment(u64::try_from(start.elapsed().as_millis()).unwrap()));
        let server = spec.name.clone();
        let mcp = mcp::spawn(&scope, &lanes, &clock, &connector, vec![spec]);
        let redactor = Redactor::new(["hunter2hunter2".to_owned()]);
        let store = Store::real(home);
        let memory = memory::spawn(&scope, &lanes, &clock, mcp.clone(), store, Settings { server, profile, redactor });
        Self { scope, ends, mcp, memory }
    }

    async fn mirror(&self, entries: &[Entry], patience_ms: u64) -> Copied {
        self.memory.mirror(entries.to_vec(), patience_ms, CancellationToken::new()).await.unwrap()
    }

    async fn drain(&self) -> Result<Copied, Failure> {
        self.memory.drain(AMPLE, CancellationToken::new()).await
    }

    async fn gather(&self, tags: &[&str], wanted: &[&str]) -> Vec<String> {
        let query = Query {
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            wanted: wanted.iter().map(Sha::of).collect(),
            patience_ms: AMPLE,
        };
        let found = self.memory.gather(query, CancellationToken::new()).await.unwrap();
        found.values().map(ToString::to_string).collect()
    }

    async fn call(&self, tool: &str, args: Value) -> Value {
        let ask = Ask { server: "memory".into(), tool: tool.into(), args, patience_ms: AMPLE, is_idempotent: true };
        self.mcp.call(ask, CancellationToken::new()).await.unwrap()
    }

    /// Waits for a fact about memory like this.
    async fn until(&mut self, wanted: impl Fn(&Status) -> bool) -> Status {
        loop {
            if let Fact::MemoryChanged(status) = self.ends.next_fact().await.unwrap()
                && wanted(&status)
            {
                return status;
            }
        }
    }

    async fn end(self) {
        assert_eq!(self.mcp.stop(Duration::from_millis(20)).await, Ok(0));
        self.scope.cancel.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.scope.closed()).await.unwrap();
    }
}

fn server(command: String, args: &[&str], env: &[(&str, String)]) -> ServerSpec {
    ServerSpec {
        name: "memory".into(),
        reach: Reach::Process(Program {
            command,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect::<BTreeMap<_, _>>(),
            cwd: "/".into(),
        }),
        root: "/".into(),
        startup_ms: 15_000,
        tool_ms: 5_000,
    }
}

fn fake(flags: &[&str]) -> ServerSpec {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    server(path.join("examples/fake_mcp_server").to_str().unwrap().to_owned(), flags, &[])
}

/// Not a test: the embedded server, for the tests that start this binary again with `MEMORY_DB`.
#[test]
fn serve_memory_here_when_asked() {
    let Some(db) = std::env::var_os("MEMORY_DB") else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(dicast::server::memory::serve_memory(db.into())).unwrap();
}

fn embedded(home: &Path) -> ServerSpec {
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let db = home.join("memory.db").to_str().unwrap().to_owned();
    server(program, &["--exact", "serve_memory_here_when_asked", "--nocapture"], &[("MEMORY_DB", db)])
}

fn subject(spec: &str, stage: Stage) -> Subject {
    Subject {
        spec: SpecId::new(spec).unwrap(),
        stage,
        run: RunId::mint(Moment(1), 1, 1),
        asked: Sha::of("the question"),
    }
}

fn answer(spec: &str, stage: Stage, n: u32) -> Entry {
    Entry::answer(&subject(spec, stage), &AgentName::new("claude").unwrap(), format!("{{\"n\":{n}}}").into())
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// What holds for every kind of server.
async fn stores_and_gathers(bench: &Bench) {
    let entries =
        [answer("SPEC-1", Stage::Plan, 1), answer("SPEC-10", Stage::Plan, 2), answer("SPEC-1", Stage::Audit, 3)];
    assert_eq!(bench.mirror(&entries, AMPLE).await, Copied { stored: 3, waiting: 0, why: None });
    // Once more, as after a kill between storing and noting it.
    assert_eq!(bench.mirror(&entries[..1], AMPLE).await.stored, 1);
    let (one, all) = (["spec:SPEC-1", "stage:plan"], ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
    assert_eq!(bench.gather(&one, &all).await, ["{\"n\":1}"], "whole tags only");
    assert_eq!(bench.gather(&one, &["{\"n\":9}"]).await, [""; 0], "only what has the hash");
    assert_eq!(bench.gather(&["spec:SPEC-2"], &all).await, [""; 0], "empty is an answer");
    let note = Entry::note(&subject("001-old", Stage::Plan), "the limiter was open: hunter2hunter2");
    assert_eq!(bench.mirror(&[note], AMPLE).await.stored, 1);
    let spec = SpecId::new("003-rate-limiter").unwrap();
    let notes = bench.memory.recall(spec, "003-rate-limiter".into(), AMPLE, CancellationToken::new()).await.unwrap();
    let texts: Vec<&str> = notes.iter().map(|note| note.text.as_str()).collect();
    assert_eq!(texts, ["the limiter was open: [redacted]"]);
}

#[test]
fn the_profile_dicast_stores_finds_and_recalls() {
    live(async {
        for spec in [fake(&[]), embedded(home().path())] {
            let home = home();
            let bench = Bench::new(home.path(), Profile::Dicast, spec);
            assert!(bench.drain().await.is_ok());
            stores_and_gathers(&bench).await;
            bench.end().await;
        }
    });
}

#[test]
fn the_profile_local_memory_stores_finds_and_recalls_and_doubles_nothing_without_keys() {
    live(async {
        let home = home();
        let bench = Bench::new(home.path(), Profile::LocalMemory, embedded(home.path()));
        assert!(bench.drain().await.is_ok());
        stores_and_gathers(&bench).await;
        assert_eq!(bench.call("stats", json!({})).await["memories"], json!(4));
        bench.end().await;
    });
}

#[test]
fn the_profile_server_memory_stores_finds_and_recalls() {
    live(async {
        let home = home();
        let bench = Bench::new(home.path(), Profile::ServerMemory, fake(&["--npm"]));
        assert!(bench.drain().await.is_ok());
        stores_and_gathers(&bench).await;
        bench.end().await;
    });
}

#[test]
fn a_server_without_the_tools_of_its_profile_is_told_at_once_and_nothing_is_lost() {
    live(async {
        let home = home();
        let mut bench = Bench::new(home.path(), Profile::ServerMemory, fake(&[]));
        let said = bench.drain().await.unwrap_err().to_string();
        for part in ["memory.profile", "create_entities", "store_memory, get, search"] {
            assert!(said.contains(part), "{part} is not in {said}");
        }
        assert!(
            bench.until(|status| status.trouble.is_some()).await.trouble.unwrap().as_str().contains("create_entities")
        );
        let copied = bench.mirror(&[answer("S", Stage::Plan, 1)], AMPLE).await;
        assert_eq!((copied.stored, copied.waiting), (0, 1));
        bench.end().await;
    });
}

#[test]
fn a_server_that_acknowledges_and_loses_is_found_out_and_named_and_the_copies_wait() {
    live(async {
        for (profile, flags) in [(Profile::Dicast, &["--loses"][..]), (Profile::ServerMemory, &["--npm", "--loses"])] {
            let home = home();
            let mut bench = Bench::new(home.path(), profile, fake(flags));
            let copied = bench.mirror(&[answer("S", Stage::Plan, 1), answer("S", Stage::Plan, 2)], AMPLE).await;
            assert_eq!((copied.stored, copied.waiting), (0, 2));
            assert!(copied.why.unwrap().contains("it acknowledged answer/S/plan/claude/"), "{profile:?}");
            let status = bench.until(|status| status.trouble.is_some() && status.waiting == 2).await;
            assert!(status.trouble.unwrap().as_str().contains("does not have it"));
            bench.end().await;
        }
    });
}

#[test]
fn an_error_sent_as_a_result_is_an_error() {
    live(async {
        let home = home();
        let bench = Bench::new(home.path(), Profile::Dicast, fake(&["--errors-as-text"]));
        let copied = bench.mirror(&[answer("S", Stage::Plan, 1)], AMPLE).await;
        assert_eq!((copied.stored, copied.waiting), (0, 1));
        assert!(copied.why.unwrap().contains("the disk is full"));
        bench.end().await;
    });
}

#[test]
fn what_a_hung_server_did_not_take_waits_and_a_later_process_copies_it_in_order() {
    live(async {
        let home = home();
        let entries: Vec<Entry> = (0..5).map(|n| answer("S", Stage::Plan, n)).collect();
        let mut bench = Bench::new(home.path(), Profile::Dicast, fake(&["--hang"]));
        let begun = Instant::now();
        let copied = bench.mirror(&entries, 300).await;
        assert_eq!((copied.stored, copied.waiting), (0, 5));
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        assert_eq!(bench.until(|status| status.waiting > 0).await.waiting, 5);
        bench.end().await;

        let log = home.path().join("log");
        let mut later = Bench::new(home.path(), Profile::Dicast, embedded(home.path()));
        assert_eq!(later.until(|status| status.waiting > 0).await.waiting, 5, "told before anything is copied");
        assert_eq!(later.drain().await, Ok(Copied { stored: 5, waiting: 0, why: None }));
        assert_eq!(later.until(|status| status.waiting == 0).await.trouble, None);
        let found = later.call("search", json!({"query": "", "tags": ["spec:S"]})).await;
        let newest_first: Vec<&str> =
            found.as_array().unwrap().iter().map(|hit| hit["memory"]["content"].as_str().unwrap()).collect();
        assert_eq!(newest_first, ["{\"n\":4}", "{\"n\":3}", "{\"n\":2}", "{\"n\":1}", "{\"n\":0}"]);
        assert!(!log.exists());
        later.end().await;
    });
}

#[test]
fn a_server_that_is_away_delays_nobody_who_does_not_wait_for_it() {
    live(async {
        let home = home();
        let bench = Bench::new(home.path(), Profile::Dicast, fake(&["--hang"]));
        let copied = bench.mirror(&[answer("S", Stage::Plan, 1)], 0).await;
        assert_eq!((copied.stored, copied.waiting, copied.why.unwrap().as_str()), (0, 1, "memory is not ready"));
        bench.end().await;
    });
}

#[test]
fn two_processes_copy_one_spool_and_nothing_is_lost_or_doubled() {
    live(async {
        let home = home();
        let entries: Vec<Entry> = (0..20).map(|n| answer("S", Stage::Plan, n)).collect();
        let a = Bench::new(home.path(), Profile::LocalMemory, embedded(home.path()));
        let b = Bench::new(home.path(), Profile::LocalMemory, embedded(home.path()));
        let (left, right) = tokio::join!(a.mirror(&entries[..10], AMPLE), b.mirror(&entries[10..], AMPLE));
        assert_eq!((left.stored, right.stored), (10, 10));
        assert_eq!(a.call("stats", json!({})).await["memories"], json!(20));
        a.end().await;
        b.end().await;
    });
}

#[test]
fn what_is_stopped_while_it_is_copied_waits() {
    live(async {
        let home = home();
        let bench = Bench::new(home.path(), Profile::Dicast, fake(&["--call-delay", "3000"]));
        let token = CancellationToken::new();
        let copying = bench.memory.mirror(vec![answer("S", Stage::Plan, 1)], AMPLE, token.clone());
        tokio::time::sleep(Duration::from_millis(100)).await;
        token.cancel();
        let begun = Instant::now();
        let copied = copying.await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!((copied.stored, copied.waiting), (0, 1));
        bench.end().await;
    });
}

/// npm's server, where `DICAST_REAL_PARTS` names the folder that it was installed in; without it the test is skipped,
/// and says so.
fn npm(home: &Path) -> Option<ServerSpec> {
    let Ok(parts) = std::env::var("DICAST_REAL_PARTS") else {
        eprintln!("skipped: DICAST_REAL_PARTS is not set; run .ci/real-parts");
        return None;
    };
    let script = format!("{parts}/node_modules/@modelcontextprotocol/server-memory/dist/index.js");
    let file = home.join("memory.jsonl").to_str().unwrap().to_owned();
    Some(server("node".into(), &[&script], &[("MEMORY_FILE_PATH", file)]))
}

#[test]
#[ignore = "a real part: .ci/real-parts"]
fn real_part_npms_memory_server_keeps_a_stages_artifacts_and_gives_them_back_equal() {
    live(async {
        let home = home();
        let Some(npm) = npm(home.path()) else { return };
        let bench = Bench::new(home.path(), Profile::ServerMemory, npm);
        assert_eq!(bench.drain().await, Ok(Copied::default()), "its tools fit");
        stores_and_gathers(&bench).await;
        // What agents really write, of the size they write it.
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds/artifact");
        let artifacts: Vec<String> = ["ada-plan.json", "brook-plan.json", "cass-plan.json"]
            .map(|name| std::fs::read_to_string(folder.join(name)).unwrap())
            .into();
        let agent = AgentName::new("claude").unwrap();
        let entry =
            |text: &String| Entry::answer(&subject("003-rate-limiter", Stage::Plan), &agent, text.as_str().into());
        let entries: Vec<Entry> = artifacts.iter().map(entry).collect();
        assert_eq!(bench.mirror(&entries, AMPLE).await.stored, 3);
        let wanted: Vec<&str> = artifacts.iter().map(String::as_str).collect();
        let mut back = bench.gather(&["spec:003-rate-limiter", "stage:plan"], &wanted).await;
        back.sort();
        let mut artifacts = artifacts.clone();
        artifacts.sort();
        assert_eq!(back, artifacts);
        bench.end().await;
    });
}

#[test]
#[ignore = "a real part: .ci/real-parts"]
fn real_part_forty_writes_at_once_are_all_kept_by_npms_memory_server() {
    live(async {
        let home = home();
        // Two processes of ours, each with a server of its own on one file: alone they would lose most of it.
        let Some(npm) = npm(home.path()) else { return };
        let a = Bench::new(home.path(), Profile::ServerMemory, npm.clone());
        let b = Bench::new(home.path(), Profile::ServerMemory, npm);
        let write = |n: u32| {
            let bench = if n.is_multiple_of(2) { &a } else { &b };
            bench.memory.mirror(vec![answer("S", Stage::Plan, n)], 50_000, CancellationToken::new())
        };
        let writes: Vec<_> = (0..40).map(write).collect();
        for write in writes {
            let copied = write.await.unwrap();
            assert_eq!(copied, Copied { stored: 1, waiting: 0, why: None });
        }
        let all: Vec<String> = (0..40).map(|n| format!("{{\"n\":{n}}}")).collect();
        let wanted: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(a.gather(&["spec:S"], &wanted).await.len(), 40);
        a.end().await;
        b.end().await;
    });
}
