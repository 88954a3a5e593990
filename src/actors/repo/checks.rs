//! Runs an approved check on a scratch copy of the working copy, in a cleared environment, and reads which tests it
//! executed.
//!
//! No argv that an agent or a spec wrote is ever run: the template is approved config, and a test's id becomes one
//! element of it, after [`is_safe_id`]. It must not know what the result means for a claim.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::actors::Scope;
use crate::actors::agents::process::{Children, Program, Tag, converse};
use crate::disk;
use crate::domain::check::{Executed, Results, results};
use crate::domain::claim::lookup::{Citation, Found, TESTS_MAX};
use crate::domain::classify::Exit;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::redact::Redactor;
use crate::domain::run::Limits;
use crate::domain::safe::Safe;
use crate::domain::settings::CheckTemplate;

/// Where an id goes in a template.
const ID: &str = "{id}";

/// What a check may see of our environment: what toolchains need to find themselves, and nothing else.
pub(super) const ENV_PASS: &[&str] = &["PATH", "HOME", "LANG", "CARGO_HOME", "RUSTUP_HOME", "TMPDIR"];

/// Deadlines and caps of a check: building may be silent for long.
pub(super) const LIMITS: Limits = Limits {
    start_ms: 20_000,
    first_event_ms: 240_000,
    idle_ms: 240_000,
    total_ms: 280_000,
    kill_grace_ms: 1_000,
    stdout_max: 4 << 20,
    stderr_max: 256 << 10,
};

/// Tells whether an id may become an argument: it matches `[A-Za-z0-9_:./-]{1,200}` and does not start with `-`.
pub fn is_safe_id(id: &str) -> bool {
    (1..=200).contains(&id.len())
        && !id.starts_with('-')
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_:./-".contains(&b))
}

/// Runs the check that a citation names, else the only one there is.
///
/// # Errors
/// When the citation names no test, no approved check fits, the id is not safe, or the copy cannot be made; a check
/// that cannot be started; [`Failure::Cancelled`].
pub(super) async fn run_check(
    (scope, children): (&Scope, &Children),
    (root, own): (PathBuf, &str),
    files: Vec<String>,
    checks: &BTreeMap<String, CheckTemplate>,
    citation: &Citation,
    token: &CancellationToken,
) -> Result<Found, Failure> {
    let Citation::Test { check, id } = citation else {
        return Err(Failure::usage("check", "only a test can be run", "choose a citation of a test"));
    };
    let template = choose(checks, check.as_deref())?;
    if !is_safe_id(id) {
        let why = "its id has characters that no test id has";
        return Err(Failure::usage("check", why, "cite the test by the name that the test runner prints"));
    }
    let command: Vec<String> =
        template.argv.iter().map(|word| if word == ID { id.clone() } else { word.clone() }).collect();
    let scratch = super::scratch(&root, own);
    let (tree, build) = (scratch.join("tree"), scratch.join("build"));
    let (from, to) = (root, tree.clone());
    let copied = scope.spawn_blocking(move || disk::scratch::copy(&from, &files, &to)).await;
    copied.map_err(|_| Failure::ActorGone { actor: "repo".into() })??;
    let env = BTreeMap::from([("CARGO_TARGET_DIR".to_owned(), build.to_string_lossy().into_owned())]);
    let program = Program {
        command,
        env,
        env_pass: ENV_PASS.iter().map(|name| (*name).to_owned()).collect(),
        cwd: tree.clone(),
        // By its tag it is swept: another pipeline may run the same test at the same time.
        tag: Tag { run: format!("check-{own}"), seat: format!("check-{id}") },
    };
    let child = children.start(&program).map_err(|error| {
        Failure::usage("check", error.to_string(), "install it, or correct the check's argv in the config")
    })?;
    let never = CancellationToken::new();
    let spoken = converse(child, Arc::from(""), &LIMITS, token, &never, &mut ()).await;
    let cleared = scope.spawn_blocking(move || disk::scratch::clear(&tree)).await;
    if let Ok(Err(failure)) = cleared {
        tracing::warn!(%failure, "a scratch copy stays");
    }
    if token.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    if spoken.cut.is_some() {
        return Err(Failure::Timeout { what: format!("the check of {id}"), after_ms: LIMITS.total_ms });
    }
    let (out, err) = (spoken.stdout.captured(), spoken.stderr.text());
    let code = match spoken.ended.exit {
        Some(Exit::Code(code)) => Some(code),
        Some(Exit::Signal(_) | Exit::Unknown) | None => None,
    };
    let tests = match results(&out.text) {
        Results::Named(all) => all.into_iter().filter(|test| test.is(id)).collect(),
        Results::NoneRan if code == Some(0) => Vec::new(),
        // What cannot be told is not false: the citation stays as it was.
        Results::NoneRan | Results::Unnamed => {
            let last = err.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it named no test").trim();
            // It is shown and kept: nothing of our environment was passed on, but a test may hold a key of its own.
            let why = Safe::line(&Redactor::default().clean(last)).to_string();
            return Err(Failure::BadReply { from: format!("the check of {id}"), why });
        }
    };
    Ok(ran(code, out.sha256, &tests))
}

/// Exit 0 counts only with a test of the id among those executed, and none of them failed.
fn ran(exit: Option<i32>, output_sha256: Sha, tests: &[Executed]) -> Found {
    Found::Ran {
        passed: exit == Some(0) && !tests.is_empty() && tests.iter().all(|test| test.passed),
        executed: u32::try_from(tests.len()).unwrap_or(u32::MAX),
        exit,
        output_sha256,
        tests: tests.iter().take(TESTS_MAX).map(|test| Safe::line(&test.name).to_string()).collect(),
        place: None,
    }
}

fn choose<'c>(checks: &'c BTreeMap<String, CheckTemplate>, name: Option<&str>) -> Result<&'c CheckTemplate, Failure> {
    let fits = |template: &&CheckTemplate| template.argv.iter().any(|word| word == ID);
    let found = match name {
        Some(name) => checks.get(name).filter(fits),
        None => checks.values().find(fits),
    };
    found.ok_or_else(|| Failure::BadInput {
        place: name.map_or_else(|| "check".to_owned(), |name| format!("check {name}")),
        why: "no approved check runs a single test".into(),
        next: "add one under [checks] with an {id} in its argv, and approve it with `dicast trust approve`".into(),
        exit: 11,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_be_options_or_shell_are_refused() {
        for bad in ["", "-x", "--", "a b", "$(id)", "a;b", "a\n", "é", &"x".repeat(201)] {
            assert!(!is_safe_id(bad), "{bad:?}");
        }
        assert!(is_safe_id("limiter::burst_of_20-a.b/c"));
    }

    #[test]
    fn a_run_passes_by_exit_and_by_what_it_executed() {
        let test = |passed| Executed { name: "limiter::burst".into(), passed };
        let passed = |exit, tests: &[Executed]| {
            let Found::Ran { passed, executed, tests, .. } = ran(exit, Sha::of("out"), tests) else {
                panic!("not run")
            };
            (passed, executed, tests.len())
        };
        assert_eq!(passed(Some(0), &[test(true)]), (true, 1, 1));
        assert_eq!(passed(Some(0), &[]), (false, 0, 0));
        assert_eq!(passed(Some(1), &[test(true)]), (false, 1, 1));
        assert_eq!(passed(Some(0), &[test(true), test(false)]), (false, 2, 2));
        assert_eq!(passed(None, &[test(true)]), (false, 1, 1));
        assert_eq!(passed(Some(0), &vec![test(true); 60]), (true, 60, TESTS_MAX));
    }

    #[test]
    fn a_check_without_a_place_for_the_id_is_never_chosen() {
        let template = |argv: &[&str]| CheckTemplate {
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            source: crate::domain::settings::CheckSource::Declared,
        };
        let checks = BTreeMap::from([
            ("all".to_owned(), template(&["cargo", "test"])),
            ("one".to_owned(), template(&["cargo", "test", "--", "{id}"])),
        ]);
        assert_eq!(choose(&checks, None).unwrap().argv.len(), 4);
        assert!(choose(&checks, Some("all")).is_err());
        assert_eq!(choose(&BTreeMap::new(), None).unwrap_err().exit(), 11);
    }
}
