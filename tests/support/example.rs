//! The programs of examples/, which play what others wrote.

use std::path::{Path, PathBuf};

/// Returns where an example is: target/debug/deps/agents-… → target/debug/examples/NAME. Cargo builds examples for its
/// tests, but not for one test alone.
pub(crate) fn example(name: &str) -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let program = exe.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(program.exists(), "`cargo test --test` does not build examples: run `cargo build --example {name}` first");
    program
}
