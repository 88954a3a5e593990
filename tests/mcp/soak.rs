//! A minute of murder (`DICAST_SOAK_SECONDS` for longer): servers are killed at random while calls, writes and whole
//! runs with scripted agents go on. Nothing grows, nothing is left, nothing taken is lost.
#![expect(clippy::print_stderr, reason = "the seed of a failure has to be known")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dicast::actors::Waker;
use dicast::actors::lanes::{LaneEnds, lanes};
use dicast::actors::mcp::memory::{self, Query, Settings};
use dicast::disk::store::Store;
use dicast::domain::hash::Sha;
use dicast::domain::ids::{AgentName, RunId, SpecId};
use dicast::domain::memory::{Entry, Profile, Subject};
use dicast::domain::moment::Moment;
use dicast::domain::redact::Redactor;
use dicast::domain::server::{ServerSpec, State};
use dicast::domain::stage::Stage;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::seed::{next, seed};
use super::{Ask, Bench, child, fake, tagged};

/// How long, unless told otherwise.
const SECONDS: u64 = 60;

/// What is measured after so long is what later measurements are held against: pools and caches are warm.
const WARM: Duration = Duration::from_secs(15);

/// Room for growth, in kilobytes: what an allocator keeps back, far below what a leak of a reply a second would take.
const GROWTH_KB: u64 = 24 << 10;

/// Room for open files: pipes of servers that are starting right then.
const FILES: usize = 24;

#[derive(Debug)]
struct Usage {
    kilobytes: u64,
    files: usize,
}

fn usage() -> Usage {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    Usage {
        kilobytes: line.trim().trim_end_matches(" kB").parse().unwrap(),
        files: std::fs::read_dir("/proc/self/fd").unwrap().count(),
    }
}

/// The leaders of our servers: the pids that carry the tag and whose command is `word`.
fn pids(run: &str, word: &str) -> Vec<i32> {
    let tag = format!("DICAST_RUN={run}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_ours = environ.split(|byte| *byte == 0).any(|variable| variable == tag.as_bytes());
        if is_ours && String::from_utf8_lossy(&command).contains(word) {
            found.push(pid);
        }
    }
    found
}

/// The servers: three kinds of fakes, and the embedded memory.
fn specs(folder: &Path) -> Vec<ServerSpec> {
    let kinds: [(&str, &[&str]); 3] =
        [("plain", &[]), ("family", &["--grandchild"]), ("loud", &["--flood-stderr", "--progress", "--logs"])];
    let mut specs: Vec<ServerSpec> =
        kinds.iter().map(|(name, flags)| ServerSpec { name: (*name).into(), ..fake(flags) }).collect();
    let mut memory = fake(&["memory", "serve", "--db", folder.join("memory.db").to_str().unwrap()]);
    child(&mut memory).command = env!("CARGO_BIN_EXE_dicast").into();
    specs.push(ServerSpec { name: "memory".into(), ..memory });
    specs
}

/// Memory over the embedded server of the bench; nobody reads its facts.
fn memory(bench: &Bench, home: &Path) -> memory::Handle {
    let (lanes, _) = lanes(Waker::nobody());
    let start = tokio::time::Instant::now();
    let clock: dicast::actors::mcp::Clock =
        Arc::new(move || Moment(u64::try_from(start.elapsed().as_millis()).unwrap()));
    let settings = Settings { server: "memory".into(), profile: Profile::Dicast, redactor: Redactor::new([]) };
    memory::spawn(&bench.scope, &lanes, &clock, bench.handle.clone(), Store::real(home), settings)
}

struct Soak {
    bench: Bench,
    memory: memory::Handle,
    over: AtomicBool,
    answered: AtomicU64,
    failed: AtomicU64,
}

impl Soak {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    /// Reads what servers tell, as a screen would: they wait for who is told.
    async fn listen(&self, ends: &mut LaneEnds) {
        while self.goes_on() {
            while ends.fact().is_some() {}
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Calls one server without a pause; each answer must be the one to the question.
    async fn call(&self, server: &str) {
        let mut n = 0_u64;
        while self.goes_on() {
            n += 1;
            let ask = Ask {
                server: server.into(),
                tool: "echo".into(),
                args: json!({"text": n}),
                patience_ms: 10_000,
                is_idempotent: true,
            };
            let begun = Instant::now();
            match self.bench.handle.call(ask, CancellationToken::new()).await {
                Ok(answer) => {
                    assert_eq!(answer, json!({"echo": n}));
                    self.answered.fetch_add(1, Ordering::Relaxed);
                }
                Err(_) => {
                    self.failed.fetch_add(1, Ordering::Relaxed);
                }
            }
            assert!(begun.elapsed() < Duration::from_secs(12), "a call took {:?}", begun.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Hands memory one answer after the other and returns those that it took: on the server, or kept until it is back.
    async fn store(&self, subject: &Subject) -> BTreeSet<String> {
        let mut taken = BTreeSet::new();
        let mut n = 0_u64;
        while self.goes_on() {
            n += 1;
            let content = format!("{{\"n\": {n}}}");
            let agent = AgentName::new(&format!("agent-{n}")).unwrap();
            let entry = Entry::answer(subject, &agent, content.as_str().into());
            let copied = self.memory.mirror(vec![entry], 10_000, CancellationToken::new()).await.unwrap();
            assert_eq!(copied.stored + copied.waiting, 1, "{copied:?}");
            taken.insert(content);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        taken
    }

    /// Kills a random server each second; one that was given up is started by hand, as a person would.
    async fn murder(&self, seed: &mut u64, end: Instant) -> (Usage, u32) {
        let begun = Instant::now();
        let (mut warm, mut kills) = (None, 0);
        while Instant::now() < end {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mut victims = pids(&self.bench.run, "fake_mcp_server");
            victims.extend(pids(&self.bench.run, "memory"));
            victims.sort_unstable();
            if !victims.is_empty() {
                let at = usize::try_from(next(seed) % u64::try_from(victims.len()).unwrap()).unwrap();
                // It may have gone by itself.
                let pid = rustix::process::Pid::from_raw(victims[at]).unwrap();
                kills += u32::from(rustix::process::kill_process(pid, rustix::process::Signal::KILL).is_ok());
            }
            for status in self.bench.handle.statuses().await.unwrap() {
                if matches!(status.state, State::Dead { .. }) {
                    self.bench.handle.restart(status.name).await.unwrap();
                }
            }
            if warm.is_none() && begun.elapsed() >= WARM {
                warm = Some(usage());
            }
        }
        self.over.store(true, Ordering::Relaxed);
        (warm.unwrap(), kills)
    }

    /// Runs a stage with scripted agents over and over in one repository.
    async fn run_stages(&self, repo: &Path) -> u32 {
        let mut runs = 0;
        while self.goes_on() {
            let mut dicast = dicast(repo, &["plan", "001-limit", "--yes", "--fresh", "--json"]);
            let done = dicast.output().await.unwrap();
            let out = String::from_utf8_lossy(&done.stdout);
            assert!(out.contains("\"type\":\"stage.verdict\""), "{out}\n{}", String::from_utf8_lossy(&done.stderr));
            runs += 1;
        }
        runs
    }
}

fn dicast(repo: &Path, args: &[&str]) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_dicast"));
    command.args(args).arg("--repo").arg(repo).env("HOME", repo.parent().unwrap()).stdin(Stdio::null());
    command.kill_on_drop(true);
    command
}

/// A repository with a spec and two agents that play a script.
async fn repository(folder: &Path) -> std::path::PathBuf {
    let repo = folder.join("repo");
    let spec = repo.join("specs/001-limit");
    std::fs::create_dir_all(&spec).unwrap();
    std::fs::create_dir_all(repo.join(".dicast")).unwrap();
    let text = "# Feature Specification: Limit\n\n## Requirements\n\n- **FR-001**: System MUST refuse more than 10 \
                requests a second with status 429.\n";
    std::fs::write(spec.join("spec.md"), text).unwrap();
    let mut agent = super::program();
    agent.set_file_name("fake_agent");
    let panel: String = ["ann", "bob"]
        .iter()
        .map(|name| {
            format!("[[agents]]\nname = \"{name}\"\nkind = \"command\"\nfamily = \"{name}\"\ncommand = [{agent:?}]\n\n")
        })
        .collect();
    std::fs::write(repo.join(".dicast/config.toml"), panel).unwrap();
    let git = tokio::process::Command::new("git").args(["init", "-q"]).current_dir(&repo).status().await.unwrap();
    assert!(git.success());
    let approved = dicast(&repo, &["trust", "approve"]).output().await.unwrap();
    assert!(approved.status.success(), "{}", String::from_utf8_lossy(&approved.stderr));
    repo
}

#[test]
#[ignore = "slow: a minute"]
fn servers_die_for_a_minute_and_nothing_grows_is_left_or_lost() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut seed = seed();
        eprintln!("DICAST_TEST_SEED={seed}");
        let seconds = std::env::var("DICAST_SOAK_SECONDS").map_or(SECONDS, |seconds| seconds.parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let repo = repository(folder.path()).await;
        let mut bench = Bench::of(specs(folder.path()));
        let mut ends = std::mem::replace(&mut bench.ends, lanes(Waker::nobody()).1);
        let run = bench.run.clone();
        let (over, answered, failed) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let soak = Soak { memory: memory(&bench, folder.path()), bench, over, answered, failed };
        let subject = Subject {
            spec: SpecId::new("SPEC-1").unwrap(),
            stage: Stage::Plan,
            run: RunId::mint(Moment(0), seed, 1),
            asked: Sha::of("asked"),
        };
        let end = Instant::now() + Duration::from_secs(seconds);
        let ((warm, kills), taken, runs, (), (), (), ()) = tokio::join!(
            soak.murder(&mut seed, end),
            soak.store(&subject),
            soak.run_stages(&repo),
            soak.call("plain"),
            soak.call("family"),
            soak.call("loud"),
            soak.listen(&mut ends),
        );
        let last = usage();
        let (answered, failed) = (soak.answered.into_inner(), soak.failed.into_inner());
        eprintln!("{kills} kills, {runs} runs, {answered} answered, {failed} failed, {} stored", taken.len());
        eprintln!("warm {warm:?}, at the end {last:?}");
        assert!(kills >= u32::try_from(seconds / 2).unwrap(), "{kills} kills");
        // A server that was given up answers at once that it is gone, until it is started by hand a second later.
        assert!(answered > 3 * failed, "{answered} answered, {failed} failed");
        assert!(last.kilobytes <= warm.kilobytes + GROWTH_KB, "{warm:?} {last:?}");
        assert!(last.files <= warm.files + FILES, "{warm:?} {last:?}");

        soak.bench.handle.restart("memory").await.unwrap();
        let drained = soak.memory.drain(20_000, CancellationToken::new()).await.unwrap();
        assert_eq!(drained.waiting, 0, "{drained:?}");
        let wanted: BTreeSet<Sha> = taken.iter().map(Sha::of).collect();
        let query = Query { tags: vec!["spec:SPEC-1".into()], wanted, patience_ms: 20_000 };
        let kept = soak.memory.gather(query, CancellationToken::new()).await.unwrap();
        let kept: BTreeSet<String> = kept.values().map(ToString::to_string).collect();
        let lost: Vec<_> = taken.difference(&kept).collect();
        assert!(!taken.is_empty() && lost.is_empty(), "taken and lost: {lost:?}");
        let verified = dicast(&repo, &["evidence", "verify"]).output().await.unwrap();
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        soak.bench.end().await;
        assert_eq!(tagged(&format!("DICAST_RUN={run}")), Vec::<String>::new());
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
}
