//! A runtime for one test.

use std::future::Future;
use std::time::Duration;

/// Runs a test inside a runtime of its own.
pub(crate) fn live<F: Future<Output = ()>>(test: impl FnOnce() -> F) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async { test().await });
    runtime.shutdown_timeout(Duration::from_secs(1));
}
