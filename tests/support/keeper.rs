//! The evidence actor alone, on real files.

use std::path::Path;
use std::time::Duration;

use dicast::actors::evidence::{self, Handle, Settings};
use dicast::actors::{Scope, Waker};
use dicast::disk::Store;
use dicast::domain::redact::Redactor;

/// Runs a test with the actor of a repository, which waits a minute for a lock, and sees the actor to its end.
pub(crate) fn with_actor<T>(repository: &Path, test: impl AsyncFnOnce(Handle) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let scope = Scope::new(runtime.handle().clone(), Waker::nobody());
    let settings = Settings {
        root: ".dicast/evidence".into(),
        lock_timeout: Duration::from_secs(60),
        redactor: Redactor::default(),
    };
    let handle = evidence::spawn(&scope, Store::real(repository), settings);
    runtime.block_on(async {
        let value = test(handle).await;
        scope.cancel.cancel();
        scope.closed().await;
        value
    })
}
