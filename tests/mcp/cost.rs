//! What a call costs, side by side in one run: `cargo test --release --test mcp what_a_call_costs -- --ignored
//! --nocapture` prints the table.
#![expect(clippy::print_stdout, reason = "the table is for who reads it")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use dicast::actors::mcp::LINE_MAX;
use dicast::domain::server::ServerSpec;
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::async_rw::AsyncRwTransport;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Ask, Bench, child, fake, is_server_failure, live, program};

/// Samples of what is quick.
const MANY: usize = 400;
/// Samples of what starts a process.
const FEW: usize = 40;

/// The embedded memory server answers so soon after it is started, in an optimised build.
const COLD_START: Duration = Duration::from_millis(20);

/// How many times dearer a process for each call is, of the server that really is used.
const CHEAPER: u32 = 10;

/// How many times dearer it is of the least server there can be: it shakes no hands and does nothing.
const CHEAPER_THAN_LEAST: u32 = 4;

struct Row {
    what: &'static str,
    times: Vec<Duration>,
}

impl Row {
    fn percentile(&self, percent: usize) -> Duration {
        self.times[(self.times.len() * percent).div_ceil(100) - 1]
    }

    fn p50(&self) -> Duration {
        self.percentile(50)
    }

    fn print(&self) {
        let us = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e6);
        let [p50, p99, max] = [50, 99, 100].map(|percent| us(self.percentile(percent)));
        println!("{:<44}{p50:>12}{p99:>12}{max:>12}", self.what);
    }
}

fn row(what: &'static str, mut times: Vec<Duration>) -> Row {
    times.sort_unstable();
    Row { what, times }
}

/// Times a call, in turns with the others, so that a busy moment is nobody's alone.
async fn calls() -> [Row; 3] {
    let mut bench = Bench::of(vec![fake(&[])]);
    bench.until_ready().await;
    let mut own = tokio::process::Command::new(program())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let transport = AsyncRwTransport::new(own.stdout.take().unwrap(), own.stdin.take().unwrap());
    let bare = ().serve(transport).await.unwrap();
    let mut pipe = Pipe::open();
    let args = json!({"text": "x"});
    let (mut actor_times, mut bare_times, mut pipe_times) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..MANY {
        let begun = Instant::now();
        bench.call("echo", args.clone()).await.unwrap();
        actor_times.push(begun.elapsed());
        let begun = Instant::now();
        let params = CallToolRequestParams::new("echo").with_arguments(args.as_object().unwrap().clone());
        bare.call_tool(params).await.unwrap();
        bare_times.push(begun.elapsed());
        let begun = Instant::now();
        pipe.ask(&json!({"jsonrpc": "2.0", "id": 1, "method": "ping"}));
        pipe_times.push(begun.elapsed());
    }
    bare.cancel().await.unwrap();
    bench.end().await;
    [
        row("call through the actor", actor_times),
        row("call through bare rmcp", bare_times),
        row("ping over a raw pipe", pipe_times),
    ]
}

/// A server spoken to by hand.
struct Pipe {
    child: std::process::Child,
    reader: BufReader<std::process::ChildStdout>,
}

impl Pipe {
    fn open() -> Self {
        let mut child = Command::new(program()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let reader = BufReader::new(child.stdout.take().unwrap());
        Self { child, reader }
    }

    fn ask(&mut self, message: &Value) -> Value {
        writeln!(self.child.stdin.as_mut().unwrap(), "{message}").unwrap();
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A process per call, as cheap as it can be: no handshake, no parser of ours.
fn subprocess() -> Row {
    let one = || {
        let begun = Instant::now();
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
                          "params": {"name": "echo", "arguments": {"text": "x"}}});
        let answer = Pipe::open().ask(&call);
        assert_eq!(answer["result"]["isError"], json!(false));
        begun.elapsed()
    };
    row("call through a process of its own", (0..FEW).map(|_| one()).collect())
}

/// The longest that asking holds up who asks, also while the server hangs: this is what a screen would feel.
async fn posting() -> Row {
    let bench = Bench::of(vec![ServerSpec { startup_ms: 60_000, ..fake(&["--hang"]) }]);
    let mut times = Vec::new();
    let mut replies = Vec::new();
    for n in 0..200 {
        let ask = Ask {
            server: "fake".into(),
            tool: "echo".into(),
            args: json!({"text": n}),
            patience_ms: 60_000,
            is_idempotent: true,
        };
        let begun = Instant::now();
        replies.push(bench.handle.call(ask, CancellationToken::new()));
        times.push(begun.elapsed());
    }
    drop(replies);
    bench.end().await;
    row("asking a server that hangs, for who asks", times)
}

/// The server that really is used: how long it takes to start, a call to it while it is there, and a call that has to
/// start it.
async fn embedded() -> [Row; 3] {
    let (mut starts, mut warm, mut cold) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..FEW {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = fake(&["memory", "serve", "--db", folder.path().join("memory.db").to_str().unwrap()]);
        child(&mut spec).command = env!("CARGO_BIN_EXE_dicast").into();
        let begun = Instant::now();
        let mut bench = Bench::of(vec![spec]);
        bench.until_ready().await;
        starts.push(begun.elapsed());
        bench.call("stats", json!({})).await.unwrap();
        cold.push(begun.elapsed());
        for _ in 0..MANY / FEW {
            let begun = Instant::now();
            bench.call("stats", json!({})).await.unwrap();
            warm.push(begun.elapsed());
        }
        bench.end().await;
    }
    [
        row("cold start of the embedded memory server", starts),
        row("call to it while it is there", warm),
        row("call to it in a process of its own", cold),
    ]
}

async fn small_things() -> [Row; 3] {
    let (mut spawns, mut channels, mut locks) = (Vec::new(), Vec::new(), Vec::new());
    let (sender, mut receiver) = mpsc::channel::<oneshot::Sender<()>>(16);
    let echo = tokio::spawn(async move {
        while let Some(reply) = receiver.recv().await {
            reply.send(()).unwrap();
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("lock")).unwrap();
    for _ in 0..MANY {
        let begun = Instant::now();
        tokio::spawn(async {}).await.unwrap();
        spawns.push(begun.elapsed());
        let begun = Instant::now();
        let (reply, answer) = oneshot::channel();
        sender.send(reply).await.unwrap();
        answer.await.unwrap();
        channels.push(begun.elapsed());
        let begun = Instant::now();
        fs2::FileExt::try_lock_exclusive(&file).unwrap();
        fs2::FileExt::unlock(&file).unwrap();
        locks.push(begun.elapsed());
    }
    drop(sender);
    echo.await.unwrap();
    [
        row("a task, from spawn to its end", spawns),
        row("a message there and its answer back", channels),
        row("a file lock taken and given back", locks),
    ]
}

#[test]
#[ignore = "slow: it measures"]
fn what_a_call_costs() {
    live(async {
        let [actor, bare, pipe] = calls().await;
        let subprocess = tokio::task::spawn_blocking(subprocess).await.unwrap();
        let posting = posting().await;
        let [cold, warm, each] = embedded().await;
        let [spawn, channel, lock] = small_things().await;
        println!("{:<44}{:>12}{:>12}{:>12}", "microseconds", "p50", "p99", "max");
        for row in [&actor, &bare, &pipe, &subprocess, &warm, &each, &posting, &cold, &spawn, &channel, &lock] {
            row.print();
        }
        assert!(actor.p50() <= bare.p50() * 2, "the actor costs more than a call");
        assert!(warm.p50() * CHEAPER <= each.p50(), "a process of its own is not {CHEAPER} times dearer");
        assert!(actor.p50() * CHEAPER_THAN_LEAST <= subprocess.p50(), "nor the least one {CHEAPER_THAN_LEAST} times");
        // Of a screen's frame, 16 ms: asking takes next to nothing, whatever the server does.
        assert!(posting.percentile(99) < Duration::from_millis(1), "asking holds up who asks");
        if !cfg!(debug_assertions) {
            assert!(cold.p50() <= COLD_START, "the embedded server starts late");
        }
    });
}

/// Set for the test below when it runs in a process of its own: other tests would be measured with it.
const ALONE: &str = "DICAST_TEST_ALONE";

/// What a reply may cost in memory: what of it is held before it is refused, read and decoded, and no more.
const HUGE_MIB: u64 = 3 * (LINE_MAX as u64 >> 20);

/// Reads a size of this process from `/proc/self/status`, in MiB.
fn mib(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() >> 10
}

#[test]
#[ignore = "slow: eight replies of 50 MB, in a process of its own"]
fn replies_of_50_mb_cost_no_more_memory_than_the_cap_allows_however_many_there_are() {
    if std::env::var_os(ALONE).is_none() {
        let name = "cost::replies_of_50_mb_cost_no_more_memory_than_the_cap_allows_however_many_there_are";
        let own = std::env::current_exe().unwrap();
        let mut alone = Command::new(own);
        let done = alone.args(["--exact", name, "--ignored", "--nocapture"]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success() && said.contains("MiB more"), "{said}");
        println!("{}", said.lines().find(|line| line.contains("MiB more")).unwrap_or_default());
        return;
    }
    live(async {
        let mut bench = Bench::of(vec![fake(&["--huge-reply", "50"])]);
        bench.until_ready().await;
        let before = mib("VmRSS");
        for _ in 0..8 {
            let outcome = bench.ask("echo", json!({"text": 1}), 20_000, false).await;
            assert!(is_server_failure(&outcome, "more than the 16777216 that are taken"), "{outcome:?}");
        }
        let (peak, after) = (mib("VmHWM").saturating_sub(before), mib("VmRSS").saturating_sub(before));
        println!("8 replies of 50 MB: at most {peak} MiB more than before, {after} MiB once they were refused");
        assert!(peak <= HUGE_MIB && after <= HUGE_MIB / 2, "peak {peak} MiB, after {after} MiB");
        assert_eq!(bench.call("sleep", json!({"ms": 0})).await, Ok(json!("slept")));
        bench.end().await;
    });
}
