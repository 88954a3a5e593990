//! Guardrails from the request to the evidence: they are run, what they wrote is kept, and then somebody is told.
//!
//! It must not know what a failed one means for a run.

use std::path::PathBuf;
use std::sync::Arc;

use crate::actors::evidence::{self, NewFile};
use crate::actors::repo;
use crate::actors::repo::guardrails::{Cuts, Guarded, Watch};
use crate::domain::failure::Failure;
use crate::domain::guardrail::Report;

/// Runs guardrails and keeps their output in the evidence, before anybody is told. It ends when their processes have
/// ended: await it, and let `cuts` cut it short.
///
/// # Errors
/// What keeps them from being run or kept; [`Failure::Cancelled`].
pub async fn guarded(
    (repo, evidence): (repo::Handle, evidence::Handle),
    root: PathBuf,
    watch: Watch,
    cuts: Cuts,
) -> Result<Report, Failure> {
    let (spec, at) = (watch.spec.clone(), watch.at);
    let Guarded { mut report, outputs } = repo.guard(root, watch, cuts.clone()).await?;
    if cuts.stop.is_cancelled() {
        return Ok(report);
    }
    for (ran, (name, text)) in report.ran.iter_mut().zip(outputs) {
        let file = NewFile { path: name, bytes: Arc::from(text) };
        ran.log = Some(evidence.keep_output(spec.clone(), at, file, cuts.stop.clone()).await?);
    }
    Ok(report)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test stands outside: it waits on a runtime of its own")]
mod tests {
    use std::time::Duration;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::actors::agents::process::Children;
    use crate::actors::{Scope, Waker};
    use crate::disk::store::Store;
    use crate::domain::guardrail::When;
    use crate::domain::ids::SpecId;
    use crate::domain::moment::Moment;
    use crate::domain::redact::Redactor;
    use crate::domain::settings::Guardrails;
    use crate::domain::stage::Stage;

    /// No test waits longer than this for an answer.
    const PATIENCE: Duration = Duration::from_secs(20);

    struct Bench {
        folder: tempfile::TempDir,
        children: Children,
        repo: repo::Handle,
        evidence: evidence::Handle,
    }

    fn bench<F: Future<Output = ()>>(test: impl FnOnce(Arc<Bench>) -> F) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
            let folder = tempfile::tempdir().unwrap();
            let children = Children::new(&scope);
            let kept = evidence::Settings {
                root: ".dicast/evidence".into(),
                lock_timeout: PATIENCE,
                redactor: Redactor::default(),
            };
            let evidence = evidence::spawn(&scope, Store::real(folder.path()), kept);
            let repo = repo::spawn(&scope, children.clone());
            let bench = Arc::new(Bench { folder, children, repo, evidence });
            tokio::time::timeout(PATIENCE, test(bench)).await.unwrap();
            scope.cancel.cancel();
            scope.closed().await;
        });
    }

    fn rails(script: &str) -> Guardrails {
        let before = vec![vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]];
        Guardrails { before, after: Vec::new(), timeout_ms: 15_000, clean_tree: false }
    }

    impl Bench {
        async fn guard(&self, rails: Guardrails, redactor: Redactor, cuts: &Cuts) -> Result<Report, Failure> {
            let (spec, stage, when) = (SpecId::new("001-x").unwrap(), Stage::Plan, When::Before);
            let watch = Watch { spec, stage, when, rails, at: Moment(0), redactor };
            let hands = (self.repo.clone(), self.evidence.clone());
            guarded(hands, self.folder.path().to_owned(), watch, cuts.clone()).await
        }

        async fn appears(&self, name: &str) {
            while !self.folder.path().join(name).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    fn cuts() -> Cuts {
        Cuts { stop: CancellationToken::new(), kill: CancellationToken::new() }
    }

    #[test]
    fn the_guardrail_of_one_spec_does_not_end_that_of_another() {
        bench(|bench| async move {
            let (long, also) = (Arc::clone(&bench), cuts());
            let script = "touch begun; while [ ! -e go ]; do sleep 0.01; done";
            let long = tokio::spawn(async move { long.guard(rails(script), Redactor::default(), &also).await });
            bench.appears("begun").await;
            assert!(bench.guard(rails("true"), Redactor::default(), &cuts()).await.unwrap().is_green());
            assert!(bench.guard(rails("touch go"), Redactor::default(), &cuts()).await.unwrap().is_green());
            let report = long.await.unwrap().unwrap();
            assert!(report.is_green(), "{report:?}");
        });
    }

    #[test]
    fn nothing_that_a_guardrail_says_is_a_secret_also_not_a_key_of_several_lines() {
        bench(|bench| async move {
            let script = "echo 'error: hunter2-is-a-secret'; echo '-----BEGIN PRIVATE KEY-----'; echo 'failTHEKEY'; \
                echo '-----END PRIVATE KEY-----'; echo 'fatal: hunter2-is-a-secret' >&2; exit 1";
            let redactor = Redactor::new(["hunter2-is-a-secret".to_owned()]);
            let report = bench.guard(rails(script), redactor, &cuts()).await.unwrap();
            let shown = serde_json::to_string(&report).unwrap();
            assert!(!shown.contains("hunter2") && !shown.contains("THEKEY"), "{shown}");
            assert_eq!(report.ran[0].lines[0].as_str(), "error: [redacted]");
            assert_eq!(report.ran[0].lines.last().unwrap().as_str(), "fatal: [redacted]");
            let log = bench.folder.path().join(".dicast/evidence").join(report.ran[0].log.as_ref().unwrap());
            let store = Store::real(bench.folder.path());
            let log = log.strip_prefix(bench.folder.path()).unwrap().to_string_lossy().into_owned();
            let kept = String::from_utf8(store.read(&log, 1 << 20).unwrap().unwrap()).unwrap();
            assert!(!kept.contains("hunter2") && !kept.contains("THEKEY"), "{kept}");
        });
    }

    #[test]
    fn a_stopped_guardrail_answers_once_its_processes_are_gone_and_a_kill_cuts_its_grace_short() {
        bench(|bench| async move {
            let (cuts, deaf) = (cuts(), "trap '' TERM; touch begun; while :; do sleep 0.01; done");
            let (running, also) = (Arc::clone(&bench), cuts.clone());
            let running = tokio::spawn(async move { running.guard(rails(deaf), Redactor::default(), &also).await });
            bench.appears("begun").await;
            cuts.stop.cancel();
            tokio::task::yield_now().await;
            assert!(!running.is_finished() && !bench.children.living().is_empty(), "it is deaf to a stop");
            cuts.kill.cancel();
            assert_eq!(running.await.unwrap(), Err(Failure::Cancelled));
            assert!(bench.children.living().is_empty());
        });
    }

    #[test]
    fn a_working_copy_of_which_git_cannot_tell_is_not_a_clean_one() {
        bench(|bench| async move {
            let clean = Guardrails { clean_tree: true, ..rails("touch ran") };
            let failure = bench.guard(clean, Redactor::default(), &cuts()).await.unwrap_err();
            assert_eq!(failure.exit(), 2);
            assert!(failure.to_string().contains("git could not tell"), "{failure}");
            assert!(!bench.folder.path().join("ran").exists());
        });
    }
}
