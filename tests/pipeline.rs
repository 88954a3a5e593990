//! The library: asked like the command line, read as a stream, stopped by a handle.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stands outside: it starts programs and reads their files"
)]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "support/pty/mod.rs"]
mod pty;

use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use dicast::domain::failure::Failure;
use dicast::domain::ids::SpecId;
use dicast::domain::stage::Stage;
use dicast::pipeline::{Config, Event, Pipeline, Request, Start, What};

use pty::repo::{FIRST, FakeAgent, QUIET_PANEL, Repo, SECOND};
use pty::{PATIENCE, processes};

const BINARY: &str = env!("CARGO_BIN_EXE_dicast");

fn open(repo: &Repo) -> Pipeline {
    let config = Config {
        file: Some(repo.path().join(".dicast/config.toml")),
        isolated: true,
        program: Some(BINARY.into()),
        ..Config::default()
    };
    Pipeline::open(repo.path(), config).expect("it opens")
}

fn plan(spec: &str) -> Request {
    Request::stage(SpecId::new(spec).expect("an id"), Stage::Plan)
}

/// The children of ours that work in a repository. Other tests of this process have children of their own.
fn left_in(repo: &Repo) -> Vec<String> {
    let is_here = |process: &String| {
        let pid = process.split(' ').next().unwrap_or_default();
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == repo.path())
    };
    processes::owned_by(std::process::id()).into_iter().filter(is_here).collect()
}

/// What an event is called in its JSON.
fn kind(event: &Event) -> String {
    event.to_json()["type"].as_str().expect("a type").to_owned()
}

#[test]
fn a_run_tells_its_events_in_order_and_ends_in_the_verdict_of_the_command_line() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let pipeline = open(&repo);
    let mut kinds = Vec::new();
    let outcome = pipeline.run(plan(FIRST)).follow(|event| kinds.push(kind(event))).expect("it ran");
    let at =
        |kind: &str| kinds.iter().position(|known| known == kind).unwrap_or_else(|| panic!("no {kind}: {kinds:?}"));
    assert!(at("run.started") < at("stage.started") && at("stage.started") < at("agent.finished"), "{kinds:?}");
    assert!(at("agent.finished") < at("stage.verdict"), "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "run.finished").count(), 1);
    assert_eq!(kinds.last().map(String::as_str), Some("run.finished"), "the stream ends with the run");
    let judgement = &outcome.verdicts[&Stage::Plan];
    assert_eq!((outcome.exit, outcome.failure.clone()), (judgement.verdict.exit, None));
    pipeline.close();
    assert_eq!(left_in(&repo), Vec::<String>::new());

    let other = Repo::with_panel(BINARY, QUIET_PANEL);
    let said = other.run(&["plan", FIRST, "--json"]);
    let out = String::from_utf8(said.stdout).expect("text");
    assert!(out.contains(judgement.verdict.hash.as_str()), "the same hash without a screen:\n{out}");
}

#[test]
fn a_run_that_is_cancelled_ends_as_esc_ends_it_and_goes_on_later() {
    const PANEL: &[FakeAgent<'static>] = &[("ann", &[]), ("bob", &["--hang"]), ("cyd", &[])];
    let repo = Repo::with_panel(BINARY, PANEL);
    let pipeline = open(&repo);
    let run = pipeline.run(plan(FIRST));
    let stop = run.canceller();
    let mut answered = 0;
    let outcome = run
        .follow(|event| {
            answered += usize::from(matches!(&event.what, What::AgentFinished { status, .. } if status == "ok"));
            if answered == 2 {
                stop.cancel();
            }
        })
        .expect("it began");
    assert_eq!(outcome.exit, 130);
    assert!(outcome.verdicts.is_empty());
    let first = outcome.run.clone();
    // Only who did not answer is asked again.
    let mut asked = Vec::new();
    let again = pipeline.run(plan(FIRST));
    let stop = again.canceller();
    let outcome = again
        .follow(|event| {
            if let What::AgentStarted { agent, .. } = &event.what {
                asked.push(agent.to_string());
                stop.cancel();
            }
        })
        .expect("it went on");
    assert_eq!((asked, outcome.exit), (vec!["bob".to_owned()], 130));
    assert_eq!(outcome.run, first, "the same run");
}

#[test]
fn a_dropped_pipeline_answers_what_it_was_asked_and_leaves_nothing() {
    const HANGING: &[FakeAgent<'static>] = &[("ann", &["--hang"]), ("bob", &["--hang", "--ignore-term"])];
    let repo = Repo::with_panel(BINARY, HANGING);
    let pipeline = open(&repo);
    let run = pipeline.run(plan(FIRST));
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            run.follow(|event| {
                if matches!(event.what, What::AgentStarted { .. }) {
                    let _ = tell.send(());
                }
            })
        });
        told.recv_timeout(PATIENCE).expect("an agent was started");
        drop(pipeline);
        let outcome = waiting.join().expect("no panic").expect("it began");
        assert_eq!(outcome.exit, 130);
    });
    assert_eq!(left_in(&repo), Vec::<String>::new());
}

#[test]
fn runs_of_two_specs_are_live_at_once_and_their_events_do_not_mix() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let pipeline = open(&repo);
    let runs = [pipeline.run(plan(FIRST)), pipeline.run(plan(SECOND))];
    std::thread::scope(|scope| {
        let followed = runs.map(|run| {
            scope.spawn(move || {
                let mut ids = std::collections::BTreeSet::new();
                let outcome = run.follow(|event| ids.extend(event.run.clone())).expect("it ran");
                (outcome.run.clone(), ids)
            })
        });
        for (run, ids) in followed.map(|thread| thread.join().expect("no panic")) {
            assert_eq!(ids.into_iter().collect::<Vec<_>>(), run.into_iter().collect::<Vec<_>>());
        }
    });
}

#[test]
fn a_second_run_of_a_live_spec_is_refused_here_and_elsewhere() {
    const HANGING: &[FakeAgent<'static>] = &[("ann", &["--hang"]), ("bob", &["--hang"])];
    let repo = Repo::with_panel(BINARY, HANGING);
    let pipeline = open(&repo);
    let mut first = pipeline.run(plan(FIRST));
    let stop = first.canceller();
    let mut events = first.events();
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let seen = first.follow(|_| ());
            assert!(seen.is_ok(), "{seen:?}");
        });
        scope.spawn(move || {
            // The stream is the same whoever reads it, and outlives the run that it is of.
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                while let Some(event) = events.next().await {
                    if matches!(event.what, What::AgentStarted { .. }) {
                        let _ = tell.send(());
                    }
                }
            });
        });
        told.recv_timeout(PATIENCE).expect("an agent was started");
        let refused = pipeline.run(plan(FIRST)).follow(|_| ()).expect_err("it is live");
        assert!(refused.to_string().contains("is live already"), "{refused}");
        // Another process's pipeline on the same repository meets the lock.
        let other = open(&repo);
        let held = other.run(plan(FIRST)).follow(|_| ()).expect_err("it is held");
        assert!(matches!(&held, Failure::LockHeld { owner, .. } if owner.pid == std::process::id()), "{held:?}");
        stop.cancel();
        waiting.join().expect("no panic");
    });
}

#[test]
fn what_was_not_approved_does_not_open() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let config = Config { isolated: true, program: Some(BINARY.into()), ..Config::default() };
    let failure = Pipeline::open(repo.path(), config).expect_err("nobody approved it");
    assert_eq!(failure.exit(), 11);
    assert!(failure.hint().contains("trust approve"), "{}", failure.hint());
}

#[test]
#[ignore = "slow: the sample at its own pace; .ci/run runs it"]
fn the_example_plans_the_sample_and_prints_its_verdict() {
    let program = std::env::current_exe().expect("our own path");
    let folder = program.parent().and_then(std::path::Path::parent).expect("a folder");
    let temporary = tempfile::tempdir().expect("a folder");
    let said = Command::new(folder.join("examples/embed")).env("TMPDIR", temporary.path()).output().expect("it runs");
    let out = String::from_utf8(said.stdout).expect("text");
    assert_eq!(said.status.code(), Some(1), "{out}");
    assert!(out.contains("\"type\":\"stage.verdict\"") && out.contains("plan: conflict (exit 1)"), "{out}");
    let hash = out.lines().last().and_then(|line| line.strip_prefix("hash ")).expect("a hash");
    let demo = Command::new(BINARY).args(["demo", "--speed", "0", "--json"]).env("TMPDIR", temporary.path()).output();
    let demo = String::from_utf8(demo.expect("it runs").stdout).expect("text");
    assert!(demo.contains(hash), "the same hash without the library");
}

/// Long enough for a run of fakes, short enough to notice a hang.
#[test]
fn awaiting_needs_no_runtime_of_a_kind() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let pipeline = open(&repo);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let outcome = runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(60), pipeline.run(plan(SECOND)))
            .await
            .expect("in time")
            .expect("it ran")
    });
    assert_eq!(outcome.verdicts.len(), 1);
}

#[test]
#[ignore = "slow tier: two runs of agents"]
fn a_draft_of_a_spec_waits_for_a_persons_word_unless_the_program_brings_it() {
    const PANEL: &[FakeAgent<'static>] = &[("ann", &["--answer", "draft.json"]), ("bob", &["--answer", "draft.json"])];
    let repo = Repo::with_panel(BINARY, PANEL);
    let says = "The system MUST lock an account after 5 failed logins.";
    let draft = format!(
        r#"{{"schema":"dicast.artifact/1","stage":"specify","summary":"s","requirements":[{{"text":"{says}","because":"guessing"}}]}}"#
    );
    std::fs::write(repo.path().join("draft.json"), draft).expect("a file");
    let file = repo.path().join(format!("specs/{FIRST}/spec.md"));
    let before = std::fs::read_to_string(&file).expect("a spec");
    let pipeline = open(&repo);
    let start = Start::of(SpecId::new(FIRST).expect("an id"), vec![Stage::Specify]);
    let mut proposed = String::new();
    let run = pipeline.run(Request::Start(start.clone()));
    let outcome = run.follow(|event| {
        if let What::SpecProposed { diff, .. } = &event.what {
            proposed.clone_from(diff);
        }
    });
    assert_eq!(outcome.expect("it ran").exit, 10);
    assert!(proposed.contains(&format!(": {says}\n")), "{proposed}");
    assert_eq!(std::fs::read_to_string(&file).expect("a spec"), before, "nobody said yes");
    let mut kinds = Vec::new();
    let run = pipeline.run(Request::Start(Start { adopt: true, ..start }));
    let outcome = run.follow(|event| kinds.push(kind(event)));
    assert_eq!(outcome.expect("it ran").exit, 0);
    assert!(kinds.iter().any(|kind| kind == "spec.rewritten"), "{kinds:?}");
    assert!(std::fs::read_to_string(&file).expect("a spec").contains(says));
}
