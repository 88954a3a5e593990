//! Evidence on real files: tampering is found, a second process is refused, a killed one loses nothing that it was
//! told is durable.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; it tampers with files and starts itself as the second process"
)]

#[path = "support/keeper.rs"]
mod keeper;

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use dicast::actors::evidence::{Commit, Filter, NewFile};
use dicast::domain::failure::Failure;
use dicast::domain::hash::Sha;
use dicast::domain::ids::{RunId, SpecId};
use dicast::domain::journal::verification::{ProblemKind, Verification};
use dicast::domain::journal::{Closed, FileRef, Record};
use dicast::domain::moment::Moment;
use dicast::domain::stage::Stage;
use dicast::domain::stream::Usage;
use tokio_util::sync::CancellationToken;

use keeper::with_actor;

fn spec() -> SpecId {
    SpecId::new("001-x").unwrap()
}

fn run_id() -> RunId {
    RunId::mint(Moment(1_000), 7, 1)
}

fn token() -> CancellationToken {
    CancellationToken::new()
}

fn answer(attempt: u32) -> Commit {
    let file = |path: String, text: String| {
        let named = FileRef { path: path.clone(), sha256: Sha::of(&text), bytes: text.len() as u64 };
        (NewFile { path, bytes: text.into() }, named)
    };
    let (artifact, artifact_ref) = file(format!("artifacts/{attempt}.json"), format!("{{\"n\":{attempt}}}"));
    let (raw, raw_ref) = file(format!("raw/{attempt}.txt"), format!("answer {attempt}\n"));
    let record = Record::AgentAnswered {
        stage: Stage::Plan,
        agent: "claude".to_owned().try_into().unwrap(),
        attempt,
        artifact: artifact_ref,
        raw: raw_ref,
        took_ms: 3,
        usage: Usage::default(),
        session: None,
        source: None,
        change: None,
    };
    commit(u64::from(attempt), vec![artifact, raw], vec![record])
}

fn commit(at: u64, files: Vec<NewFile>, records: Vec<Record>) -> Commit {
    Commit { spec: spec(), run: run_id(), at: Moment(at), files, records }
}

fn closing() -> Commit {
    commit(99, vec![], vec![Record::RunClosed { why: Closed::Decided, survivors: None }])
}

/// A run of five answers, closed, with its manifest; returns its folder.
fn closed_run(repository: &Path) -> PathBuf {
    with_actor(repository, async |evidence| {
        evidence.open_run(spec(), run_id(), Moment(1), token()).await.unwrap();
        for n in 1..=5 {
            evidence.commit(answer(n), token()).await.unwrap();
        }
        evidence.commit(closing(), token()).await.unwrap();
        evidence.close_run(spec(), run_id()).await.unwrap();
    });
    repository.join(".dicast/evidence/consensus/001-x").join(run_id().as_str())
}

fn verify(repository: &Path) -> Verification {
    with_actor(repository, async |evidence| evidence.verify(Filter::default(), token()).await.unwrap())
}

/// Tampers with a fresh closed run and returns the problems, by kind and path in the run's folder.
fn after(tamper: impl FnOnce(&Path)) -> Vec<(ProblemKind, String)> {
    let repository = tempfile::tempdir().unwrap();
    let folder = closed_run(repository.path());
    tamper(&folder);
    let verification = verify(repository.path());
    assert_eq!(verification.ok, verification.problems.is_empty());
    let prefix = format!("consensus/001-x/{}/", run_id());
    let found: Vec<_> = verification.problems.iter().map(|p| (p.kind, p.path.replace(&prefix, ""))).collect();
    confirmed_by_hand(&folder, &found);
    found
}

/// Whether this machine has what the script of the documentation needs.
fn has_jq() -> bool {
    static HAS: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *HAS.get_or_init(|| {
        let found = std::process::Command::new("jq").arg("--version").output().is_ok_and(|o| o.status.success());
        assert!(found || std::env::var_os("CI").is_none(), "CI has jq");
        if !found {
            println!("skipped: verify-evidence.sh, because there is no jq here");
        }
        found
    })
}

/// The script of the documentation, which knows nothing of this program, says the same.
fn confirmed_by_hand(run: &Path, found: &[(ProblemKind, String)]) {
    if !has_jq() {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify-evidence.sh");
    let said = std::process::Command::new("sh").arg(script).arg(run).output().unwrap();
    let mut expected: Vec<String> = found.iter().map(|(kind, path)| format!("{} {path}", kind.name())).collect();
    expected.sort();
    expected.dedup();
    let lines: Vec<String> = String::from_utf8(said.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines, expected, "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.status.code(), Some(if expected.is_empty() { 0 } else { 3 }));
    assert_eq!(said.stderr, b"");
}

#[test]
fn the_script_of_the_documentation_finds_good_evidence_good_and_is_short() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verify-evidence.sh");
    let lines = fs::read_to_string(script).unwrap().lines().count();
    assert!(lines <= 40, "{lines} lines");
    assert_eq!(after(|_| ()), []);
    assert_eq!(after(|run| fs::remove_file(run.join("manifest.json")).unwrap()), []);
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Changes the lines of a run's journal.
fn edit_lines(run: &Path, change: impl FnOnce(&mut Vec<String>)) {
    let journal = run.join("journal.jsonl");
    let mut lines: Vec<String> = fs::read_to_string(&journal).unwrap().lines().map(str::to_owned).collect();
    change(&mut lines);
    fs::write(journal, lines.join("\n") + "\n").unwrap();
}

#[test]
fn a_run_that_nobody_touched_verifies_and_has_the_documented_layout() {
    let repository = tempfile::tempdir().unwrap();
    let folder = closed_run(repository.path());
    let verification = verify(repository.path());
    assert_eq!((verification.ok, verification.runs, verification.files), (true, 1, 12), "{verification:#?}");
    assert_eq!(verification.notes, Vec::<String>::new());
    let mut names: Vec<String> =
        fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected = ["artifacts", "journal.jsonl", "late", "manifest.json", "panels", "prompts", "raw", "verdicts"];
    assert_eq!(names, expected);
    let ignore = fs::read_to_string(repository.path().join(".dicast/.gitignore")).unwrap();
    assert!(ignore.contains("\n*\n") && ignore.contains("\n!config.toml\n"), "{ignore}");
    assert!(repository.path().join(".dicast/evidence/.locks/001-x.run.lock").is_file());
}

#[test]
fn each_way_of_tampering_is_found_and_named() {
    use ProblemKind::{Alien, Altered, Missing, Reordered, Truncated};
    let journal = |kind| vec![(kind, "journal.jsonl".to_owned())];
    let raw = |kind| vec![(kind, "raw/3.txt".to_owned())];
    assert_eq!(after(|run| edit(&run.join("raw/3.txt"), |b| b[0] ^= 1)), raw(Altered));
    assert_eq!(after(|run| edit(&run.join("raw/3.txt"), |b| b.push(b'x'))), raw(Altered));
    assert_eq!(after(|run| edit(&run.join("raw/3.txt"), |b| b.truncate(4))), raw(Truncated));
    assert_eq!(after(|run| fs::remove_file(run.join("raw/3.txt")).unwrap()), raw(Missing));
    assert_eq!(after(|run| fs::write(run.join("raw/9.txt"), "x").unwrap()), [(Alien, "raw/9.txt".to_owned())]);
    assert_eq!(after(|run| fs::write(run.join("late/x"), "x").unwrap()), [(Alien, "late/x".to_owned())]);
    // The journal ends before a broken line: what only later lines name is still known from the manifest.
    assert_eq!(after(|run| edit(&run.join("journal.jsonl"), |b| b[40] ^= 1)), journal(Altered));
    assert_eq!(after(|run| edit_lines(run, |lines| lines.swap(1, 2)))[0], journal(Reordered)[0]);
    assert_eq!(after(|run| edit_lines(run, |lines| drop(lines.remove(2)))), journal(Missing));
    // Whole lines cut off its end, and a line cut in two: the manifest knows more.
    assert_eq!(after(|run| edit_lines(run, |lines| drop(lines.pop()))), journal(Truncated));
    assert_eq!(after(|run| edit(&run.join("journal.jsonl"), |b| b.truncate(b.len() - 9))), journal(Truncated));
    assert_eq!(after(|run| edit(&run.join("journal.jsonl"), Vec::clear)), journal(Truncated));
    assert_eq!(after(|run| fs::remove_file(run.join("journal.jsonl")).unwrap()), journal(Missing));
    let manifest = [(Altered, "manifest.json".to_owned())];
    assert_eq!(after(|run| edit(&run.join("manifest.json"), |b| b.truncate(50))), manifest);
}

#[test]
fn an_altered_file_is_not_read_back() {
    let repository = tempfile::tempdir().unwrap();
    let folder = closed_run(repository.path());
    edit(&folder.join("raw/3.txt"), |bytes| bytes.push(b'x'));
    with_actor(repository.path(), async |evidence| {
        let records = evidence.records(spec(), run_id(), token()).await.unwrap();
        let raw = |n: usize| records[n].1.files()[1].clone();
        assert_eq!(&*evidence.read(spec(), run_id(), raw(1), token()).await.unwrap(), "answer 2\n");
        let altered = evidence.read(spec(), run_id(), raw(2), token()).await.unwrap_err();
        assert!(matches!(altered, Failure::BadReply { .. }), "{altered}");
    });
}

#[test]
fn a_late_reply_is_kept_by_its_hash_and_is_not_alien() {
    let repository = tempfile::tempdir().unwrap();
    let folder = closed_run(repository.path());
    let late = with_actor(repository.path(), async |evidence| {
        let file = NewFile { path: "artifacts/6.json".into(), bytes: "too late".into() };
        evidence.late(spec(), run_id(), file, token()).await.unwrap()
    });
    assert_eq!(late.path, format!("late/{}-artifacts_6.json", Sha::of("too late")));
    assert!(verify(repository.path()).ok);
    fs::write(folder.join(&late.path), "changed").unwrap();
    assert_eq!(verify(repository.path()).problems[0].kind, ProblemKind::Altered);
}

#[test]
fn a_root_that_cannot_be_made_is_a_failure_with_a_relative_path() {
    let repository = tempfile::tempdir().unwrap();
    // A file where a folder should be fails for every user, also for root.
    fs::write(repository.path().join(".dicast"), "").unwrap();
    let failure = with_actor(repository.path(), async |evidence| {
        evidence.open_run(spec(), run_id(), Moment(1), token()).await.unwrap_err()
    });
    assert!(matches!(&failure, Failure::Disk { what, .. } if what == "making .dicast/evidence"), "{failure}");
    assert_eq!(failure.exit(), 3);
}

/// Names the repository in the environment of the second process.
const CHILD: &str = "DICAST_TEST_EVIDENCE_CHILD";

/// A child that does not outlive the test, however it ends.
struct Second(Child);

impl Drop for Second {
    fn drop(&mut self) {
        // It may have been killed and waited for already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The second process: this test binary again, running only the test below.
fn second_process(repository: &Path) -> (Second, impl Iterator<Item = String> + use<>) {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "second_process_holds_a_run_and_commits", "--nocapture"])
        .env(CHILD, repository)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    (Second(child), lines)
}

#[test]
fn second_process_holds_a_run_and_commits() {
    let Some(repository) = std::env::var_os(CHILD) else { return };
    with_actor(Path::new(&repository), async |evidence| {
        evidence.open_run(spec(), run_id(), Moment(1), token()).await.unwrap();
        // A line of its own: the test harness has written the name of the test before.
        println!("\nopened");
        for n in 1.. {
            evidence.commit(answer(n), token()).await.unwrap();
            println!("durable {n}");
            std::io::stdout().flush().unwrap();
        }
    });
}

#[test]
fn a_second_process_is_refused_by_name_and_a_killed_one_loses_nothing_acknowledged() {
    let repository = tempfile::tempdir().unwrap();
    for kill_after in [1, 4, 23] {
        let (mut second, mut lines) = second_process(repository.path());
        assert!(lines.any(|line| line == "opened"));
        let refused = with_actor(repository.path(), async |evidence| {
            let refused = evidence.open_run(spec(), run_id(), Moment(1), token()).await.unwrap_err();
            let owner = evidence.owner(spec(), token()).await.unwrap().unwrap();
            assert_eq!(owner.pid, second.0.id());
            refused
        });
        let Failure::LockHeld { owner, .. } = &refused else { panic!("{refused}") };
        assert_eq!((owner.pid, refused.exit()), (second.0.id(), 3));
        assert!(lines.any(|line| line == format!("durable {kill_after}")));
        second.0.kill().unwrap();
        second.0.wait().unwrap();
        // What it wrote before it died may be more than we waited for.
        let last = lines.last().map_or(kill_after, |line| line["durable ".len()..].parse().unwrap());
        let verification = verify(repository.path());
        assert!(verification.ok, "{verification:#?}");
        with_actor(repository.path(), async |evidence| {
            assert_eq!(evidence.owner(spec(), token()).await.unwrap(), None, "its note names a dead process");
            let opened = evidence.open_run(spec(), run_id(), Moment(2), token()).await.unwrap();
            let attempt = |record: &Record| {
                if let Record::AgentAnswered { attempt, .. } = record { Some(*attempt) } else { None }
            };
            let attempts: Vec<u32> = opened.records.iter().filter_map(|(_, record)| attempt(record)).collect();
            assert!(attempts.contains(&last), "{last} was acknowledged: {attempts:?}");
            for file in opened.records.iter().flat_map(|(_, record)| record.files()) {
                evidence.read(spec(), run_id(), file.clone(), token()).await.unwrap();
            }
            assert!(evidence.verify(Filter::default(), token()).await.unwrap().ok);
        });
    }
}

#[test]
fn sha256sum_can_check_a_line_as_the_documentation_says() {
    let repository = tempfile::tempdir().unwrap();
    let folder = closed_run(repository.path());
    let journal = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let mut before = Sha::of(format!("dicast.journal/1 001-x {}", run_id()));
    for line in journal.lines() {
        let (body, hash) = line.rsplit_once(",\"hash\":\"").unwrap();
        let hash = hash.strip_suffix("\"}").unwrap();
        assert_eq!(Sha::of(format!("{body}}}")).as_str(), hash);
        assert!(body.contains(&format!("\"prev\":\"{before}\"")));
        before = Sha(hash.into());
    }
}
