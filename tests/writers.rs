//! Many writers at once: four processes, sixteen writers, one ledger or sixteen specs; nothing is lost or interleaved, and
//! what it costs stays close to what the disk costs. `cargo test --test writers -- --ignored` measures.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; it starts itself as the other processes and measures the disk"
)]

#[path = "support/keeper.rs"]
mod keeper;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use dicast::actors::evidence::{Commit, Filter, Handle};
use dicast::domain::ids::{RunId, SpecId};
use dicast::domain::journal::Record;
use dicast::domain::moment::Moment;
use dicast::domain::stage::Stage;
use tokio_util::sync::CancellationToken;

use keeper::with_actor;

/// Processes.
const PROCESSES: usize = 4;

/// Writers in each.
const WRITERS: usize = 4;

/// Records of each writer, where only what they come to is looked at.
const RECORDS: usize = 40;

/// Records of each writer, where their speed is measured.
const MEASURED: usize = 300;

/// Records of a writer that are under way at once: fewer than the mailbox holds for all of a process.
const WINDOW: usize = 16;

/// How much slower than bare appends with `fdatasync` the evidence may be: twice.
const RATIO: f64 = 0.5;

/// How often a measurement is tried that came out worse.
const ROUNDS: usize = 6;

/// What a second process is to do: `REPOSITORY|PROCESS|RECORDS|ledger` or `…|journals`.
const ORDERS: &str = "DICAST_TEST_WRITERS";

fn token() -> CancellationToken {
    CancellationToken::new()
}

fn spec(n: usize) -> SpecId {
    SpecId::new(&format!("{n:03}-x")).unwrap()
}

fn run_id(n: usize) -> RunId {
    RunId::mint(Moment(1_000), 7, n as u64)
}

/// Writes one writer's records to the one ledger.
async fn write_ledger(evidence: Handle, writer: usize, records: usize) {
    let mut appends = (0..records).map(|n| {
        let entry = serde_json::json!({"type": "waived", "writer": writer, "n": n, "because": "x".repeat(80)});
        evidence.append_ledger(spec(1), Moment(n as u64), vec![entry], token())
    });
    loop {
        let window: Vec<_> = appends.by_ref().take(WINDOW).collect();
        if window.is_empty() {
            break;
        }
        for appended in window {
            appended.await.unwrap();
        }
    }
}

/// Writes one writer's records to the journal of a spec of its own. A run has many records under way at once.
async fn write_journal(evidence: Handle, writer: usize, records: usize) {
    let (spec, run) = (spec(writer), run_id(writer));
    evidence.open_run(spec.clone(), run.clone(), Moment(1), token()).await.unwrap();
    let mut commits = (0..records).map(|n| {
        let record = Record::RunReopened { stage: Stage::Plan, why: n.to_string() };
        let (spec, run) = (spec.clone(), run.clone());
        evidence.commit(Commit { spec, run, at: Moment(n as u64), files: vec![], records: vec![record] }, token())
    });
    loop {
        let window: Vec<_> = commits.by_ref().take(WINDOW).collect();
        if window.is_empty() {
            break;
        }
        for committed in window {
            committed.await.unwrap();
        }
    }
    evidence.close_run(spec, run).await.unwrap();
}

/// A process that does not outlive the test.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the processes, lets them begin together, and returns how long they took.
fn processes(repository: &Path, records: usize, what: &str) -> Duration {
    let mut others: Vec<_> = (0..PROCESSES)
        .map(|process| {
            let orders = format!("{}|{process}|{records}|{what}", repository.display());
            let mut child = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "one_process_of_several", "--nocapture"])
                .env(ORDERS, orders)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
            (Other(child), lines)
        })
        .collect();
    for (_, lines) in &mut others {
        assert!(lines.any(|line| line == "ready"));
    }
    let began = Instant::now();
    for (other, _) in &mut others {
        other.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    for (other, lines) in &mut others {
        assert!(lines.any(|line| line == "written"));
        assert!(other.0.wait().unwrap().success());
    }
    began.elapsed()
}

#[test]
fn one_process_of_several() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let parts: Vec<&str> = orders.split('|').collect();
    let (process, records): (usize, usize) = (parts[1].parse().unwrap(), parts[2].parse().unwrap());
    println!("\nready");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let writers = (0..WRITERS).map(|writer| process * WRITERS + writer);
    if parts[3] == "bare" {
        std::thread::scope(|scope| {
            for writer in writers {
                let path = Path::new(parts[0]).join(format!("bare-{writer}"));
                scope.spawn(move || bare(&path, records));
            }
        });
    } else {
        with_actor(Path::new(parts[0]), async |evidence| {
            let mut tasks = tokio::task::JoinSet::new();
            for writer in writers {
                match parts[3] {
                    "ledger" => drop(tasks.spawn(write_ledger(evidence.clone(), writer, records))),
                    _ => drop(tasks.spawn(write_journal(evidence.clone(), writer, records))),
                }
            }
            while let Some(written) = tasks.join_next().await {
                written.unwrap();
            }
        });
    }
    println!("written");
}

/// What the disk itself takes: one file, one line and one fdatasync after the other.
fn bare(path: &Path, records: usize) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    // As long as a line of a journal.
    let line = format!("{}\n", "x".repeat(260));
    for _ in 0..records {
        file.write_all(line.as_bytes()).unwrap();
        file.sync_data().unwrap();
    }
}

/// Asserts that each writer's records are in the ledger, all of them and in its order.
fn assert_ledger(repository: &Path, records: usize) {
    with_actor(repository, async |evidence| {
        let entries = evidence.read_ledger(spec(1), token()).await.unwrap();
        let mut of: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        for (_, entry) in &entries {
            of.entry(entry["writer"].as_u64().unwrap()).or_default().push(entry["n"].as_u64().unwrap());
        }
        assert_eq!(of.len(), PROCESSES * WRITERS);
        for (writer, numbers) in of {
            assert_eq!(numbers, (0..records as u64).collect::<Vec<_>>(), "writer {writer}");
        }
        assert!(evidence.verify(Filter::default(), token()).await.unwrap().ok);
    });
}

fn assert_journals(repository: &Path, records: usize) {
    with_actor(repository, async |evidence| {
        for writer in 0..PROCESSES * WRITERS {
            let found = evidence.records(spec(writer), run_id(writer), token()).await.unwrap();
            let why = |record: &Record| {
                if let Record::RunReopened { why, .. } = record { why.clone() } else { String::new() }
            };
            let found: Vec<String> = found.iter().map(|(_, record)| why(record)).collect();
            assert_eq!(found, (0..records).map(|n| n.to_string()).collect::<Vec<_>>(), "writer {writer}");
        }
        assert!(evidence.verify(Filter::default(), token()).await.unwrap().ok);
    });
}

#[test]
fn sixteen_writers_in_four_processes_share_a_ledger_without_a_lost_or_torn_record() {
    let repository = tempfile::tempdir().unwrap();
    processes(repository.path(), RECORDS, "ledger");
    assert_ledger(repository.path(), RECORDS);
}

#[test]
fn sixteen_writers_on_sixteen_specs_are_in_nobodys_way() {
    let repository = tempfile::tempdir().unwrap();
    processes(repository.path(), RECORDS, "journals");
    assert_journals(repository.path(), RECORDS);
}

#[test]
#[ignore = "slow: measures the disk"]
fn group_commit_costs_at_most_twice_what_bare_appends_cost() {
    let rate = |took: Duration| (PROCESSES * WRITERS * MEASURED) as f64 / took.as_secs_f64();
    for what in ["journals", "ledger"] {
        // Side by side: whatever else the machine does hits both, but not always alike.
        let mut best: f64 = 0.0;
        for _ in 0..ROUNDS {
            if best >= RATIO {
                break;
            }
            let repository = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
            let disk = rate(processes(repository.path(), MEASURED, "bare"));
            let ours = rate(processes(repository.path(), MEASURED, what));
            eprintln!("{what}: {ours:.0} records/s, bare appends {disk:.0}/s, ratio {:.2}", ours / disk);
            best = best.max(ours / disk);
            if what == "ledger" {
                assert_ledger(repository.path(), MEASURED);
            } else {
                assert_journals(repository.path(), MEASURED);
            }
        }
        assert!(best >= RATIO, "{what}: {best:.2} of what the disk does, not {RATIO}");
    }
}
