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
