//! The fuzz engine: libFuzzer, steered by coverage, on the target that `DICAST_FUZZ_TARGET` names. `.ci/fuzz` builds
//! and runs it; docs/fuzzing.md says how to replay what it found.
//!
//! The domain is compiled into this program, not linked as a library: only this program then needs the counters by
//! which libFuzzer steers, and only what the targets reach is compiled. `dicast::…` means this program here.

#![no_main]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a target panics when what it asserts does not hold")]

extern crate self as dicast;

#[path = "../../src/domain/mod.rs"]
pub mod domain;

#[path = "targets.rs"]
mod targets;

use std::sync::OnceLock;

/// The target of this process.
fn target() -> fn(&[u8]) {
    static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("DICAST_FUZZ_TARGET").unwrap_or_default();
        let found = targets::TARGETS.iter().find(|(target, _)| *target == name);
        let Some((_, run)) = found else {
            panic!("DICAST_FUZZ_TARGET is one of {:?}, not {name:?}", targets::TARGETS.map(|(target, _)| target))
        };
        *run
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target()(bytes));
