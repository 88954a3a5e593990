//! The real program, ended at every single operation on files that a run does: `cargo test --features faults --test
//! crash_matrix -- --ignored`, and a part of `.ci/run`.
//!
//! Killing a process shows what is written too late or half; what is not synced only the disk twin shows
//! (`src/actors/evidence/tests.rs`).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails; it starts the program as a user does and tells how far it came"
)]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "cli/world.rs"]
mod world;

#[path = "support/crash.rs"]
mod crash;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Programs at once: they wait for the disk more than they compute.
const AT_ONCE: usize = 3;

/// A run that does more than this many operations is not the one that this test was made for.
const OPERATIONS_MAX: u64 = 2_000;

#[test]
#[ignore = "slow: a run and its resume for each operation on files, some minutes"]
fn a_run_that_ends_at_any_operation_on_files_goes_on_to_the_same_verdict_and_loses_nothing_acknowledged() {
    let expected = crash::whole_run();
    let (next, torn, last) = (AtomicU64::new(1), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while last.load(Ordering::SeqCst) == 0 {
                    let at = next.fetch_add(1, Ordering::SeqCst);
                    assert!(at < OPERATIONS_MAX, "the run never gets through");
                    let repo = crash::repo();
                    let cut = crash::said(repo.program().args(crash::RUN).env("DICAST_FAULT_AT", at.to_string()));
                    if cut.code == Some(expected.code) {
                        // Nothing was left to be cut off.
                        last.fetch_max(at, Ordering::SeqCst);
                        return;
                    }
                    assert_eq!(cut.code, None, "operation {at}: it was to be aborted: {}", cut.out);
                    torn.fetch_add(
                        u64::from(crash::goes_on(&repo, &cut, &expected, &format!("operation {at}"))),
                        Ordering::SeqCst,
                    );
                }
            });
        }
    });
    let (last, torn) = (last.into_inner(), torn.into_inner());
    eprintln!("crash matrix: {} operations, {torn} torn lines", last - 1);
    assert!(last > 60, "a run does more than {last} operations: nothing was tested");
    assert!(torn > 0, "a write by half must have been among them");
}

/// The spec as a panel would have it.
const PROPOSED: &str = "# Feature Specification: Rate limiter\n\n- **FR-001**: It MUST refuse 20 requests a second.\n";

/// Records what a panel proposed for the spec as it stands.
fn proposed() -> world::World {
    let repo = world::World::with_spec();
    let id = dicast::domain::ids::SpecId::new("003-rate-limiter").unwrap();
    let mut panel = dicast::domain::consensus::Panel::new(id, dicast::domain::stage::Stage::Specify);
    panel.inputs.spec_sha256 = Some(dicast::domain::hash::Sha::of(world::SPEC));
    let mut verdict = dicast::domain::consensus::decide(&panel);
    let path = "specs/003-rate-limiter/review/spec.md";
    verdict.published = [(path.to_owned(), dicast::domain::hash::Sha::of(PROPOSED))].into();
    repo.write(path, PROPOSED);
    repo.write("specs/003-rate-limiter/verdicts/specify.json", serde_json::to_string(&verdict).unwrap());
    repo
}

#[test]
#[ignore = "slow: a proposal that is written and taken back for each operation on files"]
fn a_proposal_that_is_written_or_taken_back_is_there_whole_or_not_at_all_wherever_it_ends() {
    let spec = |repo: &world::World| std::fs::read_to_string(repo.path("specs/003-rate-limiter/spec.md")).unwrap();
    let cut_at = |repo: &world::World, words: &[&str], at: u64| {
        crash::said(repo.program().args(words).env("DICAST_FAULT_AT", at.to_string())).code
    };
    let (apply, undo) = (["specify", "003", "--apply"], ["specify", "003", "--undo"]);
    let mut seen = std::collections::BTreeSet::new();
    for words in [apply, undo] {
        let (from, to) = if words == apply { (world::SPEC, PROPOSED) } else { (PROPOSED, world::SPEC) };
        let mut at = 0;
        loop {
            at += 1;
            assert!(at < OPERATIONS_MAX, "it never gets through");
            let repo = proposed();
            if words == undo {
                repo.dicast(&apply).exits(0);
            }
            let code = cut_at(&repo, &words, at);
            let now = spec(&repo);
            assert!(now == from || now == to, "operation {at} of {words:?}: {now}");
            if code == Some(0) {
                assert_eq!(now, to);
                break;
            }
            assert_eq!(code, None, "operation {at} of {words:?}: it was to be aborted");
            seen.insert(now == to);
            // Whoever says the same again gets there, and whoever takes it back gets the old text.
            if words == apply || now == from {
                repo.dicast(&words).exits(0);
                assert_eq!(spec(&repo), to, "operation {at} of {words:?}");
            }
            if words == apply {
                repo.dicast(&undo).exits(0);
                assert_eq!(spec(&repo), world::SPEC, "operation {at} of {words:?}");
            }
            repo.dicast(&["evidence", "verify"]).exits(0);
        }
        assert!(at > 10, "{words:?} does more than {at} operations: nothing was tested");
    }
    assert_eq!(seen.len(), 2, "it was cut off before and after the document was written");
}
