//! The actor and its book over the twin of the disk: crashes at every operation, full and stalled disks.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::book::Book;
use super::shelf;
use super::*;
use crate::disk::twin::{Fault, Loss, Twin};
use crate::domain::failure::DiskError;
use crate::domain::journal::Closed;
use crate::domain::journal::verification::{LATE, TORN};
use crate::domain::run::TurnKind;
use crate::domain::stage::Stage;
use crate::domain::stream::Usage;

mod merging;

const ROOT: &str = ".dicast/evidence";

fn spec(name: &str) -> SpecId {
    SpecId::new(name).unwrap()
}

fn run_id(counter: u64) -> RunId {
    RunId::mint(Moment(1_000 + counter), 7, counter)
}

fn vault(twin: &Twin) -> Vault {
    Vault::new(Store::new(Arc::new(twin.clone()), ""), &PathBuf::from(ROOT), Redactor::default())
}

fn note() -> Note {
    Note::of_this_process(Moment(5))
}

fn new_file(path: &str, text: &str) -> NewFile {
    NewFile { path: path.into(), bytes: text.into() }
}

fn named(file: &NewFile) -> FileRef {
    FileRef { path: file.path.clone(), sha256: Sha::of(file.bytes.as_bytes()), bytes: file.bytes.len() as u64 }
}

fn answered(attempt: u32, artifact: &NewFile, raw: &NewFile) -> Record {
    Record::AgentAnswered {
        stage: Stage::Plan,
        agent: "claude".to_owned().try_into().unwrap(),
        attempt,
        artifact: named(artifact),
        raw: named(raw),
        took_ms: 7,
        usage: Usage::default(),
        session: None,
        source: None,
        change: None,
    }
}

fn launched(attempt: u32) -> Record {
    let agent = "claude".to_owned().try_into().unwrap();
    Record::AgentLaunched { stage: Stage::Plan, agent, attempt, kind: TurnKind::Draft }
}

fn opened_record() -> Record {
    Record::RunOpened { spec: spec("001-x"), stages: vec![Stage::Plan], version: "0".into(), pid: 1 }
}

fn closing() -> Record {
    Record::RunClosed { why: Closed::Decided, survivors: Some(0) }
}

fn commit(at: u64, files: Vec<NewFile>, records: Vec<Record>) -> Commit {
    Commit { spec: spec("001-x"), run: run_id(1), at: Moment(at), files, records }
}

fn answer(attempt: u32) -> Commit {
    let artifact = new_file(&format!("artifacts/plan-claude-{attempt}.json"), &format!("{{\"attempt\":{attempt}}}"));
    let raw = new_file(&format!("raw/plan-claude-{attempt}.txt"), &"what it said ".repeat(20));
    let record = answered(attempt, &artifact, &raw);
    commit(10 + u64::from(attempt), vec![artifact, raw], vec![record])
}

/// What a run was told is durable.
#[derive(Debug, Default)]
struct Acknowledged {
    records: Vec<Record>,
    files: Vec<FileRef>,
    ledger: usize,
    is_closed: bool,
}

fn append(vault: &Vault, at: Moment, records: Vec<Value>) -> Result<(), Failure> {
    vault.append_ledger(&spec("001-x"), &[(at, records)]).remove(0)
}

/// A run from its start to its manifest; goes on after a failed commit if told to.
fn script(vault: &Vault, goes_on: bool) -> (Acknowledged, Option<Failure>) {
    let mut done = Acknowledged::default();
    let mut first = None;
    let (mut book, _) = match Book::open(vault, spec("001-x"), run_id(1), &note()) {
        Ok(book) => book,
        Err(failure) => return (done, Some(failure)),
    };
    let groups = vec![
        vec![commit(1, vec![], vec![opened_record()])],
        vec![answer(1), answer(2)],
        vec![commit(30, vec![], vec![launched(3)]), answer(3)],
        vec![commit(40, vec![], vec![closing()])],
    ];
    for group in groups {
        let records: Vec<Record> = group.iter().flat_map(|c| c.records.clone()).collect();
        let outcomes: Result<Vec<_>, _> = book.write(vault, group).into_iter().collect();
        match outcomes {
            Ok(files) => {
                done.records.extend(records);
                done.files.extend(files.into_iter().flatten());
            }
            Err(failure) if goes_on => first = first.or(Some(failure)),
            Err(failure) => return (done, Some(failure)),
        }
        match append(vault, Moment(50), vec![json!({"type": "waived", "n": done.ledger})]) {
            Ok(()) => done.ledger += 1,
            Err(failure) if goes_on => first = first.or(Some(failure)),
            Err(failure) => return (done, Some(failure)),
        }
    }
    match book.close(vault) {
        Ok(()) => done.is_closed = true,
        Err(failure) => first = first.or(Some(failure)),
    }
    (done, first)
}

fn assert_kept(vault: &Vault, done: &Acknowledged, context: &str) {
    let records = vault.records(&spec("001-x"), &run_id(1)).unwrap_or_default();
    let records: Vec<Record> = records.into_iter().map(|(_, record)| record).collect();
    assert!(records.starts_with(&done.records), "{context}: acknowledged {:?}, found {records:?}", done.records);
    for file in &done.files {
        vault.read(&spec("001-x"), &run_id(1), file).unwrap_or_else(|e| panic!("{context}: {e}"));
    }
    assert!(vault.read_ledger(&spec("001-x")).unwrap().len() >= done.ledger, "{context}");
}

fn assert_verified(vault: &Vault, context: &str) {
    let verification = inspect::verify(vault, &Filter::default()).unwrap();
    assert!(verification.ok, "{context}: {verification:#?}");
}

#[test]
fn a_crash_at_any_operation_loses_nothing_acknowledged_and_verifies() {
    let whole = Twin::new();
    let (done, failure) = script(&vault(&whole), false);
    assert_eq!((failure, done.is_closed, done.records.len()), (None, true, 6));
    let mut torn = 0;
    for n in 1..=whole.operations() {
        for loss in Loss::ALL {
            let context = format!("operation {n}, {loss:?}");
            let twin = Twin::new();
            twin.breaks(Fault::Dies(n));
            let (done, failure) = script(&vault(&twin), false);
            assert!(failure.is_some(), "{context}");
            let found = vault(&twin.after(loss));
            assert_verified(&found, &context);
            assert_kept(&found, &done, &context);
            // The next process goes on where it was.
            let (mut book, opened) = Book::open(&found, spec("001-x"), run_id(1), &note()).unwrap();
            torn += usize::from(opened.cut_bytes > 0);
            assert_verified(&found, &context);
            let outcomes = book.write(&found, vec![answer(9), commit(99, vec![], vec![closing()])]);
            assert!(outcomes.iter().all(Result::is_ok), "{context}: {outcomes:?}");
            book.close(&found).unwrap();
            assert_verified(&found, &context);
            assert_kept(&found, &done, &context);
        }
    }
    assert!(torn > 0, "some crash must have left a torn line, or this test shows little");
}

#[test]
fn what_a_reopened_run_reports_survives_a_later_power_cut() {
    let whole = Twin::new();
    script(&vault(&whole), false);
    for n in 1..=whole.operations() {
        let twin = Twin::new();
        twin.breaks(Fault::Dies(n));
        script(&vault(&twin), false);
        let killed = twin.killed();
        let (_, opened) = Book::open(&vault(&killed), spec("001-x"), run_id(1), &note()).unwrap();
        let records: Vec<Record> = opened.records.into_iter().map(|(_, record)| record).collect();
        let files = records.iter().flat_map(|r| r.files().into_iter().cloned()).collect();
        let reported = Acknowledged { records, files, ..Acknowledged::default() };
        for loss in Loss::ALL {
            assert_kept(&vault(&killed.after(loss)), &reported, &format!("operation {n}, {loss:?}"));
        }
    }
}

#[test]
fn a_disk_that_is_full_at_any_operation_fails_that_commit_and_nothing_else() {
    let whole = Twin::new();
    script(&vault(&whole), false);
    let mut seen = 0;
    for n in 1..=whole.operations() {
        for (kind, class) in [(ErrorKind::StorageFull, DiskError::Full), (ErrorKind::Other, DiskError::Other)] {
            let context = format!("operation {n}, {kind:?}");
            let twin = Twin::new();
            twin.breaks(Fault::Fails(n, kind));
            let vault = vault(&twin);
            let (mut done, failure) = script(&vault, true);
            if let Some(failure) = failure {
                assert!(matches!(failure, Failure::Disk { kind, .. } if kind == class), "{context}: {failure}");
                seen += 1;
            }
            assert_verified(&vault, &context);
            // A commit between others may be missing: what was acknowledged is there, in its order.
            let records = vault.records(&spec("001-x"), &run_id(1)).unwrap_or_default();
            let mut records = records.into_iter().map(|(_, record)| record);
            assert!(done.records.iter().all(|record| records.any(|r| r == *record)), "{context}");
            done.records.clear();
            assert_kept(&vault, &done, &context);
        }
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn a_disk_that_stays_full_keeps_failing_until_it_is_mended() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let (mut book, _) = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap();
    assert!(book.write(&vault, vec![commit(1, vec![], vec![opened_record()])])[0].is_ok());
    // From the write of the line on: the half that was written cannot be cut either.
    twin.breaks(Fault::Failing(twin.operations() + 1, ErrorKind::StorageFull));
    for _ in 0..2 {
        let outcome = book.write(&vault, vec![commit(2, vec![], vec![launched(1)])]).remove(0);
        assert!(matches!(outcome, Err(Failure::Disk { kind: DiskError::Full, .. })), "{outcome:?}");
    }
    twin.mend();
    assert!(book.write(&vault, vec![commit(3, vec![], vec![launched(2)])])[0].is_ok());
    let records: Vec<Record> =
        vault.records(&spec("001-x"), &run_id(1)).unwrap().into_iter().map(|(_, record)| record).collect();
    assert_eq!(records, [opened_record(), launched(2)]);
}

#[test]
fn what_a_failed_commit_could_not_take_back_is_set_aside_before_the_run_closes() {
    let mut set_aside = 0;
    for n in 1..20 {
        let twin = Twin::new();
        let vault = vault(&twin);
        let (mut book, _) = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap();
        // From some operation on nothing works, so nothing can be taken back either.
        twin.breaks(Fault::Failing(twin.operations() + n, ErrorKind::Other));
        let failed = book.write(&vault, vec![answer(1)]).remove(0).is_err();
        twin.mend();
        assert!(book.write(&vault, vec![commit(9, vec![], vec![closing()])])[0].is_ok());
        book.close(&vault).unwrap();
        assert_verified(&vault, &format!("operation {n}"));
        let files = vault.tree(&super::vault::run_folder(&spec("001-x"), &run_id(1))).unwrap().0;
        let late = files.iter().filter(|path| path.starts_with(LATE)).count();
        assert!(failed || late == 0);
        set_aside += late;
    }
    assert!(set_aside > 0, "some failure must have left a file");
}

#[test]
fn a_journal_that_has_not_grown_is_not_read_again() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let (mut book, _) = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap();
    book.write(&vault, vec![commit(1, vec![], vec![opened_record()])]).remove(0).unwrap();
    let beyond = |known| vault.records_beyond(&spec("001-x"), &run_id(1), known);
    let Grown { bytes, records } = beyond(None).unwrap().unwrap();
    assert_eq!(records, [(Moment(1), opened_record())]);
    // Whoever read it would find that it was altered.
    let path = format!("{ROOT}/consensus/001-x/{}/journal.jsonl", run_id(1));
    twin.tamper(&path, |bytes| bytes[30] ^= 1);
    assert_eq!(beyond(Some(bytes)), Ok(None));
    assert!(beyond(Some(bytes - 1)).is_err() && beyond(None).is_err());
    twin.tamper(&path, |bytes| bytes[30] ^= 1);
    book.write(&vault, vec![commit(2, vec![], vec![launched(1)])]).remove(0).unwrap();
    let Grown { bytes: more, records } = beyond(Some(bytes)).unwrap().unwrap();
    assert!(more > bytes);
    assert_eq!(records.len(), 2);
}

#[test]
fn a_torn_line_is_cut_and_kept_aside() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let (mut book, _) = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap();
    assert!(book.write(&vault, vec![commit(1, vec![], vec![opened_record()]), answer(1)]).iter().all(Result::is_ok));
    drop(book);
    let journal = format!("{ROOT}/consensus/001-x/{}/journal.jsonl", run_id(1));
    twin.tamper(&journal, |bytes| bytes.truncate(bytes.len() - 5));
    let verification = inspect::verify(&vault, &Filter::default()).unwrap();
    assert!(verification.ok && verification.notes.iter().any(|n| n.contains("torn last line")), "{verification:?}");
    let (_book, opened) = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap();
    assert_eq!(opened.records, [(Moment(1), opened_record())]);
    assert!(opened.cut_bytes > 100);
    let aside: BTreeSet<&str> = opened.set_aside.iter().map(|f| &f.path[LATE.len() + 65..]).collect();
    assert_eq!(aside, BTreeSet::from(["artifacts_plan-claude-1.json", "raw_plan-claude-1.txt"]));
    let verification = inspect::verify(&vault, &Filter::default()).unwrap();
    assert!(verification.ok && verification.notes.iter().any(|n| n.contains(TORN)), "{verification:?}");
}

#[test]
fn an_altered_journal_is_not_opened() {
    let twin = Twin::new();
    let vault = vault(&twin);
    script(&vault, false);
    let journal = format!("{ROOT}/consensus/001-x/{}/journal.jsonl", run_id(1));
    twin.tamper(&journal, |bytes| bytes[30] ^= 1);
    let refused = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap_err();
    assert!(matches!(&refused, Failure::BadReply { why, .. } if why.contains("line 1")), "{refused}");
    assert!(vault.runs(None).unwrap()[0].damage.is_some());
}

#[test]
fn a_taken_name_is_numbered_and_records_follow_it() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let (mut book, _) = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap();
    let (first, second) = (new_file("raw/deep/a.txt", "one"), new_file("raw/deep/a.txt", "two"));
    let refs = |outcome: &Result<Vec<FileRef>, Failure>| {
        outcome.as_ref().unwrap().iter().map(|f| f.path.clone()).collect::<Vec<_>>()
    };
    let group = [&first, &second, &first].map(|file| commit(1, vec![file.clone()], vec![answered(1, file, file)]));
    let outcomes = book.write(&vault, group.to_vec());
    assert_eq!(refs(&outcomes[0]), ["raw/deep/a.txt"]);
    assert_eq!(refs(&outcomes[1]), ["raw/deep/a.2.txt"]);
    assert_eq!(refs(&outcomes[2]), ["raw/deep/a.txt"], "the same text needs no second copy");
    let records = vault.records(&spec("001-x"), &run_id(1)).unwrap();
    assert_eq!(records[1].1.files()[0].path, "raw/deep/a.2.txt");
    assert_verified(&vault, "numbered");
}

#[test]
fn bad_commits_fail_alone_and_leave_nothing() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let (mut book, _) = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap();
    let stranger = new_file("raw/never-written.txt", "x");
    let mut group = vec![commit(1, vec![], vec![answered(1, &stranger, &stranger)])];
    for path in
        ["../x", "/x", "a/../../x", "journal.jsonl", "manifest.json", "late/x", ".x", "a/.b", "", "a\nb", "a//b"]
    {
        group.push(commit(1, vec![new_file(path, "x")], vec![]));
    }
    group.push(commit(2, vec![], vec![opened_record()]));
    let outcomes = book.write(&vault, group);
    let (last, bad) = outcomes.split_last().unwrap();
    assert!(last.is_ok());
    assert!(bad.iter().all(|o| matches!(o, Err(Failure::BadInput { .. }))), "{bad:?}");
    assert_eq!(vault.records(&spec("001-x"), &run_id(1)).unwrap(), [(Moment(2), opened_record())]);
    assert_verified(&vault, "bad commits");
}

#[test]
fn secrets_reach_neither_files_nor_records_nor_documents() {
    const KEY: &str = "hunter2-hunter2";
    let twin = Twin::new();
    let redactor = Redactor::new([KEY.to_owned()]);
    let vault = Vault::new(Store::new(Arc::new(twin.clone()), ""), &PathBuf::from(ROOT), redactor);
    let (mut book, _) = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap();
    let raw = new_file("raw/a.txt", &format!("the key is {KEY}"));
    let reason = Record::RunStopped { by: KEY.into(), survivors: 0 };
    let outcome = book.write(&vault, vec![commit(1, vec![raw.clone()], vec![answered(1, &raw, &raw), reason])]);
    let kept = outcome[0].as_ref().unwrap()[0].clone();
    assert_eq!(&*vault.read(&spec("001-x"), &run_id(1), &kept).unwrap(), "the key is [redacted]");
    append(&vault, Moment(1), vec![json!({"type": "x", "why": [KEY]})]).unwrap();
    let document = Document {
        path: "specs/001-x/plan.md".into(),
        bytes: KEY.into(),
        ours: vec![],
        edited: Edited::Stays,
        bases: vec![],
    };
    publish::publish(&vault, &spec("001-x"), &[document]).unwrap();
    vault.keep_late(&spec("001-x"), &run_id(1), &raw).unwrap();
    for file in vault.tree(&PathBuf::new()).unwrap().0 {
        let bytes = vault.store.read(&file, 1 << 20).unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains(KEY), "{file}");
    }
    assert_eq!(vault.repository.read("specs/001-x/plan.md", 99).unwrap().unwrap(), b"[redacted]");
    assert_verified(&vault, "redacted");
}

#[test]
fn a_document_edited_by_hand_is_never_overwritten() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let document = |text: &str, ours: Vec<Sha>| Document {
        path: "specs/001-x/plan.md".into(),
        bytes: text.into(),
        ours,
        edited: Edited::Stays,
        bases: vec![],
    };
    let read = |path: &str| vault.repository.read(path, 99).unwrap().map(|b| String::from_utf8(b).unwrap());
    let first = publish::publish(&vault, &spec("001-x"), &[document("one", vec![])]).unwrap();
    assert_eq!((first.written.len(), first.kept_aside.len()), (1, 0));
    assert_eq!(
        publish::publish(&vault, &spec("001-x"), &[document("one", vec![])]).unwrap(),
        first,
        "doing it again changes nothing"
    );
    publish::publish(&vault, &spec("001-x"), &[document("two", vec![Sha::of("one")])]).unwrap();
    assert_eq!(read("specs/001-x/plan.md").unwrap(), "two");
    twin.tamper("specs/001-x/plan.md", |bytes| bytes.extend(b" by hand"));
    for _ in 0..2 {
        let report = publish::publish(&vault, &spec("001-x"), &[document("three", vec![Sha::of("two")])]).unwrap();
        assert_eq!(report.kept_aside[0].beside.path, "specs/001-x/plan.dicast-new.md");
        assert!(report.written.is_empty());
    }
    publish::publish(&vault, &spec("001-x"), &[document("four", vec![])]).unwrap();
    assert_eq!(read("specs/001-x/plan.md").unwrap(), "two by hand");
    assert_eq!(read("specs/001-x/plan.dicast-new.md").unwrap(), "three");
    assert_eq!(read("specs/001-x/plan.dicast-new.2.md").unwrap(), "four");
    let outside =
        Document { path: "../x".into(), bytes: "".into(), ours: vec![], edited: Edited::Stays, bases: vec![] };
    assert!(publish::publish(&vault, &spec("001-x"), &[outside]).is_err());
}

#[test]
fn a_verdict_that_is_not_ours_makes_way_and_nothing_of_it_is_lost() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let verdict = |text: &str, ours: Vec<Sha>| {
        let path = "specs/001-x/verdicts/plan.json".into();
        publish::publish(
            &vault,
            &spec("001-x"),
            &[Document { path, bytes: text.into(), ours, edited: Edited::GivesWay, bases: vec![] }],
        )
        .unwrap()
    };
    let read = |path: &str| vault.repository.read(path, 99).unwrap().map(|b| String::from_utf8(b).unwrap());
    assert!(verdict("one", vec![]).gave_way.is_empty());
    assert!(verdict("two", vec![Sha::of("one")]).gave_way.is_empty(), "what is ours is replaced");
    for (altered, new, beside) in [
        ("altered", "three", "specs/001-x/verdicts/plan.dicast-old.json"),
        ("again", "four", "specs/001-x/verdicts/plan.dicast-old.2.json"),
        ("altered", "five", "specs/001-x/verdicts/plan.dicast-old.json"),
    ] {
        twin.tamper("specs/001-x/verdicts/plan.json", |bytes| *bytes = altered.into());
        let report = verdict(new, vec![]);
        assert_eq!((report.written.len(), report.kept_aside.len(), report.gave_way.len()), (1, 0, 1));
        assert_eq!(report.gave_way[0].path, beside);
        assert_eq!(
            (read(beside).unwrap(), read("specs/001-x/verdicts/plan.json").unwrap()),
            (altered.into(), new.into())
        );
        assert_eq!(verdict(new, vec![]).gave_way, [], "doing it again changes nothing");
    }
}

#[test]
fn a_version_beside_a_hands_edit_is_ours_to_replace() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let put = |text: &str, ours: &str| {
        let path = "specs/001-x/plan.md".into();
        let document =
            Document { path, bytes: text.into(), ours: vec![Sha::of(ours)], edited: Edited::Stays, bases: vec![] };
        publish::publish(&vault, &spec("001-x"), &[document]).unwrap()
    };
    put("one", "");
    twin.tamper("specs/001-x/plan.md", |bytes| *bytes = b"by hand".into());
    for (text, before) in [("two", "one"), ("three", "two")] {
        assert_eq!(put(text, before).kept_aside[0].beside.path, "specs/001-x/plan.dicast-new.md");
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits for its future on a runtime of its own")]
fn with_actor<F: Future<Output = ()>>(twin: &Twin, test: impl FnOnce(Scope, Handle) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let scope = Scope::new(runtime.handle().clone(), Waker::nobody());
    let handle = spawn_over(&scope, twin);
    runtime.block_on(test(scope, handle));
}

fn spawn_over(scope: &Scope, twin: &Twin) -> Handle {
    let settings = Settings { root: ROOT.into(), lock_timeout: Duration::from_secs(10), redactor: Redactor::default() };
    spawn(scope, Store::new(Arc::new(twin.clone()), ""), settings)
}

fn token() -> CancellationToken {
    CancellationToken::new()
}

fn launched_in(name: &str, run: &RunId, attempt: u32) -> Commit {
    Commit { spec: spec(name), run: run.clone(), ..commit(u64::from(attempt), vec![], vec![launched(attempt)]) }
}

#[test]
fn a_stalled_disk_stalls_one_spec_and_shares_one_sync_when_it_recovers() {
    let twin = Twin::new();
    with_actor(&twin.clone(), async move |scope: Scope, evidence: Handle| {
        let (slow, quick) = (run_id(1), run_id(2));
        evidence.open_run(spec("001-x"), slow.clone(), Moment(1), token()).await.unwrap();
        evidence.open_run(spec("002-y"), quick.clone(), Moment(1), token()).await.unwrap();
        twin.stall(&format!("{ROOT}/consensus/001-x"));
        let mut first = evidence.commit(launched_in("001-x", &slow, 1), token());
        let asked = std::time::Instant::now();
        while twin.waiting() == 0 {
            assert!(asked.elapsed() < Duration::from_secs(30), "a commit must sync");
            tokio::task::yield_now().await;
        }
        let queued: Vec<_> = (2..40).map(|n| evidence.commit(launched_in("001-x", &slow, n), token())).collect();
        for n in 1..20 {
            evidence.commit(launched_in("002-y", &quick, n), token()).await.unwrap();
        }
        assert_eq!(evidence.runs(None, token()).await.unwrap().len(), 2);
        assert_eq!(first.poll_now(), None, "nothing is acknowledged before it is durable");
        let before = twin.operations();
        twin.release();
        first.await.unwrap();
        for reply in queued {
            reply.await.unwrap();
        }
        // The stalled sync, then one write and one sync for the other 38.
        assert_eq!(twin.operations() - before, 3);
        let records = evidence.records(spec("001-x"), slow, token()).await.unwrap();
        let order: Vec<u64> = records.iter().map(|(at, _)| at.0).collect();
        assert_eq!(order, (1..40).collect::<Vec<_>>());
        scope.cancel.cancel();
        scope.closed().await;
    });
}

#[test]
fn a_run_is_refused_at_once_while_another_owner_holds_it_and_free_after_shutdown() {
    let twin = Twin::new();
    with_actor(&twin.clone(), async move |scope: Scope, evidence: Handle| {
        evidence.open_run(spec("001-x"), run_id(1), Moment(77), token()).await.unwrap();
        let other_scope = scope.child();
        let other = spawn_over(&other_scope, &twin);
        let refused = other.open_run(spec("001-x"), run_id(2), Moment(88), token()).await.unwrap_err();
        let Failure::LockHeld { what, owner } = refused else { panic!("{refused}") };
        assert_eq!((what.as_str(), owner.pid, owner.since), ("spec 001-x", std::process::id(), Moment(77)));
        other.open_run(spec("002-y"), run_id(3), Moment(88), token()).await.unwrap();
        let not_ours = other.commit(launched_in("001-x", &run_id(1), 1), token()).await;
        assert!(matches!(not_ours, Err(Failure::BadInput { .. })), "{not_ours:?}");
        // Closing gives it back, to a run asked for in the same breath too.
        let closing = evidence.close_run(spec("001-x"), run_id(1));
        let reopening = evidence.open_run(spec("001-x"), run_id(2), Moment(99), token());
        closing.await.unwrap();
        reopening.await.unwrap();
        // A commit that is queued when everything ends is still written.
        let last = evidence.commit(launched_in("001-x", &run_id(2), 1), token());
        scope.cancel.cancel();
        scope.closed().await;
        last.await.unwrap();
        let vault = vault(&twin);
        assert!(Book::open(&vault, spec("001-x"), run_id(2), &note()).is_ok());
        assert!(Book::open(&vault, spec("002-y"), run_id(3), &note()).is_ok());
    });
}

#[test]
fn waiting_for_a_held_lock_ends_at_the_deadline_and_at_once_when_cancelled() {
    let twin = Twin::new();
    with_actor(&twin.clone(), async move |_scope: Scope, evidence: Handle| {
        evidence.open_run(spec("001-x"), run_id(1), Moment(1), token()).await.unwrap();
        let theirs = Note { pid: 4711, host: "elsewhere".into(), since: Moment(5), started: None };
        let vault = vault(&twin);
        let Ok(crate::disk::lock::Attempt::Taken(guard)) = vault.try_lock(&spec("001-x"), &theirs) else {
            panic!("it is free")
        };
        let started = tokio::time::Instant::now();
        let late = evidence.commit(launched_in("001-x", &run_id(1), 1), token()).await.unwrap_err();
        assert!(late.to_string().contains("pid 4711 on elsewhere since 1970"), "{late}");
        assert_eq!(started.elapsed().as_millis() / 100, 99, "just before ten seconds");
        let stop = token();
        let waiting = evidence.commit(launched_in("001-x", &run_id(1), 2), stop.clone());
        tokio::time::sleep(Duration::from_millis(100)).await;
        let started = tokio::time::Instant::now();
        stop.cancel();
        assert_eq!(waiting.await, Err(Failure::Cancelled));
        assert_eq!(started.elapsed(), Duration::ZERO);
        drop(guard);
        evidence.commit(launched_in("001-x", &run_id(1), 3), token()).await.unwrap();
        assert_eq!(evidence.records(spec("001-x"), run_id(1), token()).await.unwrap().len(), 1);
    });
}

#[test]
fn two_owners_interleave_in_one_ledger_without_loss() {
    let twin = Twin::new();
    with_actor(&twin.clone(), async move |scope: Scope, one: Handle| {
        let two = spawn_over(&scope, &twin);
        let entry = |who: &str, n: u64| vec![json!({"type": "note", "who": who, "n": n})];
        let replies: Vec<_> = (0..50)
            .flat_map(|n| {
                [("one", &one), ("two", &two)]
                    .map(|(who, handle)| handle.append_ledger(spec("001-x"), Moment(n), entry(who, n), token()))
            })
            .collect();
        for reply in replies {
            reply.await.unwrap();
        }
        let ledger = one.read_ledger(spec("001-x"), token()).await.unwrap();
        assert_eq!(ledger.len(), 100);
        for who in ["one", "two"] {
            let order: Vec<u64> = ledger.iter().filter(|(_, e)| e["who"] == who).map(|(at, _)| at.0).collect();
            assert_eq!(order, (0..50).collect::<Vec<_>>(), "{who}");
        }
        assert!(one.verify(Filter::default(), token()).await.unwrap().ok);
    });
}

#[test]
fn the_newest_run_that_is_not_closed_is_found_and_a_reopened_one_is_open() {
    let twin = Twin::new();
    with_actor(&twin, async move |_scope: Scope, evidence: Handle| {
        let write = async |n: u64, records: Vec<Record>| {
            evidence.open_run(spec("001-x"), run_id(n), Moment(n), token()).await.unwrap();
            let commit = Commit { run: run_id(n), ..commit(n, vec![], records) };
            evidence.commit(commit, token()).await.unwrap();
            evidence.close_run(spec("001-x"), run_id(n)).await.unwrap();
        };
        let latest = async || evidence.latest_open(spec("001-x"), token()).await.unwrap().map(|j| j.run);
        assert_eq!(latest().await, None);
        write(1, vec![opened_record()]).await;
        write(2, vec![opened_record()]).await;
        write(3, vec![opened_record(), closing()]).await;
        assert_eq!(latest().await, Some(run_id(2)));
        write(3, vec![Record::RunReopened { stage: Stage::Plan, why: "asked".into() }]).await;
        assert_eq!(latest().await, Some(run_id(3)));
        assert!(evidence.verify(Filter::default(), token()).await.unwrap().ok);
        write(3, vec![closing()]).await;
        let runs = evidence.runs(Some(spec("001-x")), token()).await.unwrap();
        let closed: Vec<_> = runs.iter().map(|r| r.closed).collect();
        assert_eq!(closed, [Some(Closed::Decided), None, None]);
        assert!(evidence.verify(Filter::default(), token()).await.unwrap().ok);
        assert_eq!(evidence.owner(spec("001-x"), token()).await.unwrap(), None);
    });
}

/// A closed run and a ledger entry, all durable.
fn closed_run() -> Twin {
    let twin = Twin::new();
    script(&vault(&twin), false);
    twin.after(Loss::All)
}

/// Returns every file of the run as it can be read back: from its folder, or from its archive.
fn run_as_it_is(vault: &Vault) -> Result<Vec<u8>, Failure> {
    shelf::bundle(vault, &spec("001-x"), &run_id(1))
}

#[test]
fn a_run_is_archived_purged_or_there_after_a_crash_at_any_operation_and_doing_it_again_ends_it() {
    let whole = run_as_it_is(&vault(&closed_run())).unwrap();
    let (mut seen_twice, mut seen_left) = (0, 0);
    for fate in [Fate::Archived, Fate::Purged] {
        let remove = |vault: &Vault| shelf::remove(vault, &spec("001-x"), &run_id(1), fate, &note());
        let twin = closed_run();
        let removal = remove(&vault(&twin)).unwrap();
        assert_eq!((removal.fate, removal.files, removal.archive.is_some()), (fate, 8, fate == Fate::Archived));
        for n in 1..=twin.operations() {
            for loss in Loss::ALL {
                let context = format!("{fate:?}, operation {n}, {loss:?}");
                let twin = closed_run();
                twin.breaks(Fault::Dies(n));
                assert!(remove(&vault(&twin)).is_err(), "{context}");
                let found = twin.after(loss);
                assert_verified(&vault(&found), &context);
                let is_buried = shelf::tombstones(&vault(&found)).unwrap().iter().any(|t| t.fate == fate);
                if fate == Fate::Archived || !is_buried {
                    assert_eq!(run_as_it_is(&vault(&found)).unwrap(), whole, "{context}");
                }
                let has_folder = vault(&found).chain(&spec("001-x"), &run_id(1)).unwrap().is_some();
                seen_twice += usize::from(is_buried && has_folder);
                seen_left += usize::from(is_buried && !has_folder);
                // Again, or it had been done.
                match remove(&vault(&found)) {
                    Ok(again) => assert_eq!(again.fate, fate, "{context}"),
                    Err(done) => assert!(is_buried && done.exit() == 64, "{context}: {done}"),
                }
                assert_verified(&vault(&found), &context);
                assert!(vault(&found).chain(&spec("001-x"), &run_id(1)).unwrap().is_none(), "{context}");
                assert_eq!(run_as_it_is(&vault(&found)).ok(), (fate == Fate::Archived).then(|| whole.clone()));
            }
        }
    }
    assert!(seen_twice > 0 && seen_left > 0, "{seen_twice} {seen_left}");
}

#[test]
fn an_archive_is_the_same_bytes_each_time_and_a_purged_one_leaves_its_hashes() {
    let archived = || {
        let twin = closed_run();
        let vault = vault(&twin);
        let removal = shelf::remove(&vault, &spec("001-x"), &run_id(1), Fate::Archived, &note()).unwrap();
        (twin, removal.archive.unwrap())
    };
    let (twin, first) = archived();
    assert_eq!(first, archived().1);
    let vault = vault(&twin);
    let packed = run_as_it_is(&vault).unwrap();
    let verification = bundle::verify(&packed).unwrap();
    assert_eq!((verification.ok, verification.runs, verification.files), (true, 1, 9), "{verification:#?}");
    let purged = shelf::remove(&vault, &spec("001-x"), &run_id(1), Fate::Purged, &note()).unwrap();
    assert_eq!(vault.store.read(&first.path, 1 << 20).unwrap(), None);
    let verification = inspect::verify(&vault, &Filter::default()).unwrap();
    assert!(verification.ok && verification.notes[0].contains("purged at"), "{verification:#?}");
    let tombstone = vault.store.read(&purged.tombstone, 1 << 20).unwrap().unwrap();
    let text = String::from_utf8(tombstone).unwrap();
    assert!(text.contains("raw/plan-claude-1.txt") && !text.contains("what it said"), "{text}");
    let again = shelf::remove(&vault, &spec("001-x"), &run_id(1), Fate::Purged, &note()).unwrap_err();
    assert!(again.to_string().contains("it was purged at"), "{again}");
}

#[test]
fn a_live_an_open_a_damaged_and_an_unknown_run_are_not_taken_away() {
    let refused = |twin: &Twin, run: RunId| {
        let before = twin.operations();
        let vault = vault(twin);
        let failure = shelf::remove(&vault, &spec("001-x"), &run, Fate::Archived, &note()).unwrap_err();
        assert!(shelf::tombstones(&vault).unwrap().is_empty() && twin.operations() < before + 60);
        (failure.exit(), failure.to_string())
    };
    let twin = closed_run();
    let book = Book::open(&vault(&twin), spec("001-x"), run_id(1), &note()).unwrap();
    assert!(refused(&twin, run_id(1)).1.contains("is held by"));
    drop(book);
    assert_eq!(refused(&twin, run_id(2)).0, 64);
    let (mut book, _) = Book::open(&vault(&twin), spec("001-x"), run_id(2), &note()).unwrap();
    book.write(&vault(&twin), vec![Commit { run: run_id(2), ..commit(1, vec![], vec![opened_record()]) }]);
    drop(book);
    assert!(refused(&twin, run_id(2)).1.contains("not closed"));
    let raw = format!("{ROOT}/consensus/001-x/{}/raw/plan-claude-1.txt", run_id(1));
    twin.tamper(&raw, |bytes| bytes[0] ^= 1);
    assert!(refused(&twin, run_id(1)).1.contains("does not verify"));
    // What was archived and changed afterwards is found.
    twin.tamper(&raw, |bytes| bytes[0] ^= 1);
    let removal = shelf::remove(&vault(&twin), &spec("001-x"), &run_id(1), Fate::Archived, &note()).unwrap();
    let archive = removal.archive.unwrap().path;
    twin.tamper(&format!("{ROOT}/{archive}"), |bytes| bytes[30] ^= 1);
    let problems = inspect::verify(&vault(&twin), &Filter::default()).unwrap().problems;
    assert_eq!((problems.len(), problems[0].path.as_str()), (1, archive.as_str()), "{problems:?}");
    vault(&twin).store.remove(&archive).unwrap();
    let problems = inspect::verify(&vault(&twin), &Filter::default()).unwrap().problems;
    assert_eq!(problems[0].kind.name(), "missing");
}

#[test]
fn an_anchor_finds_whole_lines_cut_off_a_run_that_is_not_closed_and_off_a_ledger() {
    let twin = Twin::new();
    let vault = vault(&twin);
    let (mut book, _) = Book::open(&vault, spec("001-x"), run_id(1), &note()).unwrap();
    book.write(&vault, vec![commit(1, vec![], vec![opened_record(), launched(1), launched(2)])]);
    let heads = shelf::heads(&vault, None).unwrap();
    append(&vault, Moment(5), vec![json!({"type": "waived"}), json!({"type": "undone"})]).unwrap();
    let later = shelf::heads(&vault, None).unwrap();
    assert_eq!((heads.len(), later.len(), heads[0].end.seq), (1, 2, 3));
    let anchor = |heads| {
        let schema = crate::domain::journal::anchor::SCHEMA.to_owned();
        serde_json::to_string(&crate::domain::journal::anchor::Anchor { schema, at: Moment(1), heads }).unwrap()
    };
    let notes = [anchor(heads), anchor(later)];
    let anchors = Anchors::read(notes.iter().map(String::as_str)).0;
    let verified = || inspect::verify(&vault, &Filter { anchors: anchors.clone(), ..Filter::default() }).unwrap();
    assert!(verified().ok, "{:#?}", verified());
    // A chain that went on is as good as one that stood still.
    book.write(&vault, vec![commit(2, vec![], vec![launched(3)])]);
    assert!(verified().ok, "{:#?}", verified());
    for path in
        [format!("{ROOT}/consensus/001-x/{}/journal.jsonl", run_id(1)), format!("{ROOT}/consensus/001-x/ledger.jsonl")]
    {
        let mut kept = Vec::new();
        twin.tamper(&path, |bytes| {
            kept.clone_from(bytes);
            let first = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
            bytes.truncate(first);
        });
        assert!(inspect::verify(&vault, &Filter::default()).unwrap().ok, "the chain alone cannot show it");
        let found = verified();
        assert_eq!((found.problems.len(), found.problems[0].kind.name()), (1, "truncated"), "{found:#?}");
        twin.tamper(&path, |bytes| *bytes = kept);
    }
}
