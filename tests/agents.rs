//! The agents actor against real children that misbehave (`examples/fake_agent.rs`): every fault ends within its
//! deadline, with the right error, and with no process left.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test stands outside: it drives a runtime, starts programs and looks at files and processes itself"
)]

#[path = "support/example.rs"]
mod example;
#[path = "support/live.rs"]
mod live;
#[path = "support/tagged.rs"]
mod tagged;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dicast::actors::agents::process::{Children, OWNER_VAR, Program, RUN_VAR, SEAT_VAR, Tag};
use dicast::actors::agents::{self, Handle};
use dicast::actors::lanes::{LaneEnds, lanes};
use dicast::actors::{Scope, Waker, transcript};
use dicast::domain::artifact::Expect;
use dicast::domain::fact::Fact;
use dicast::domain::failure::{AgentError, Deadline};
use dicast::domain::ids::{AgentName, RunId};
use dicast::domain::moment::Moment;
use dicast::domain::redact::Redactor;
use dicast::domain::run::{Launch, Limits, SeatKey, TAIL_LINES, Turn, TurnEnded, TurnKind, Wanted};
use dicast::domain::stage::Stage;
use dicast::domain::stream::{Dialect, Transport, Usage};
use dicast::domain::transcript::{Anchor, PageRequest, path_of};
use tokio_util::sync::CancellationToken;

use example::example;
use live::live;
use tagged::tagged;

/// No test waits longer than this for an answer: a hang is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(20);

struct Bench {
    scope: Scope,
    children: Children,
    handle: Handle,
    ends: LaneEnds,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        let (lanes, ends) = lanes(Waker::nobody());
        let folder = tempfile::tempdir().unwrap();
        let children = Children::new(&scope);
        let handle = agents::spawn(
            &scope,
            lanes,
            children.clone(),
            folder.path().to_owned(),
            Redactor::new(["hunter2-is-a-secret".to_owned()]),
        );
        Self { scope, children, handle, ends, folder }
    }

    /// Takes a turn of the fake agent with these flags to its end, and sees that nothing of it is left.
    async fn take(&self, turn: Turn) -> TurnEnded {
        let run = turn.seat.run.clone();
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let ended = self.handle.take_turn(turn, stop, kill).within(PATIENCE, "the turn").await.unwrap();
        self.assert_nothing_left(&ended, &run);
        ended
    }

    fn assert_nothing_left(&self, ended: &TurnEnded, run: &RunId) {
        assert_eq!(ended.survivors, 0);
        assert_eq!(tagged(run.as_str()), Vec::<u32>::new());
        assert_eq!(self.children.living(), Vec::<u32>::new());
    }
}

fn turn(flags: &[&str]) -> Turn {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    let ask = serde_json::json!({"schema": "dicast.ask/1", "spec_id": "001-x", "stage": "plan", "agent": "fake", "attempt": 1,
        "agenda": [{"id": "D-001", "requirement": "FR-001", "ask": "Is FR-001 covered?", "unit": null},
                   {"id": "D-002", "requirement": null, "ask": "How many per second?", "unit": "1/s"}],
        "answer_schema": {"type": "object"}});
    let mut command = vec![example("fake_agent").to_str().unwrap().to_owned()];
    command.extend(flags.iter().map(|flag| (*flag).to_owned()));
    Turn {
        seat: SeatKey {
            run: RunId::mint(Moment(u64::from(std::process::id())), counter, counter),
            stage: Stage::Plan,
            attempt: 1,
            agent: AgentName::new("fake").unwrap(),
        },
        kind: TurnKind::Draft,
        launch: Launch {
            command,
            env: BTreeMap::new(),
            env_pass: vec!["PATH".into()],
            cwd: "/".into(),
            transport: Transport::Text,
            private: None,
            limits: Limits { kill_grace_ms: 2_000, ..Limits::default() },
        },
        prompt: format!("Plan it.\n\n```json\n{ask}\n```\n").into(),
        wanted: Wanted::Artifact(Expect {
            stage: Stage::Plan,
            topics: vec!["D-001".into(), "D-002".into()],
            sent: vec![],
        }),
        session: None,
        used_before: Usage::default(),
    }
}

fn with_limits(flags: &[&str], change: impl FnOnce(&mut Limits)) -> Turn {
    let mut turn = turn(flags);
    change(&mut turn.launch.limits);
    turn
}

fn error(ended: &TurnEnded) -> &AgentError {
    &ended.outcome.as_ref().unwrap_err().error
}

fn late(ended: &TurnEnded) -> Option<Deadline> {
    if let AgentError::Timeout { which, .. } = error(ended) { Some(*which) } else { None }
}

#[test]
fn a_secret_that_an_agent_prints_is_kept_nowhere() {
    live(|| async {
        let bench = Bench::new();
        let asked = turn(&["--quantity", "hunter2-is-a-secret", "--stderr", "token hunter2-is-a-secret"]);
        let seat = asked.seat.clone();
        let ended = bench.take(asked).await;
        let kept = serde_json::to_string(&ended).unwrap();
        assert!(kept.contains("[redacted]") && !kept.contains("hunter2"), "{kept}");
        let transcript = std::fs::read_to_string(bench.folder.path().join(path_of(&seat))).unwrap();
        assert!(transcript.contains("[redacted]") && !transcript.contains("hunter2"), "{transcript}");
    });
}

#[test]
fn a_secret_in_pieces_or_behind_escapes_is_on_no_screen_either() {
    live(|| async {
        let lines = [
            r#"{"say":"the key is hunter2-is"}"#,
            r#"{"say":"-a-secret"}"#,
            r#"{"tool":"Read hunter2\u002dis-a-secret"}"#,
            r#"{"say":"so: hunter2-is"}"#,
            r#"{"say":"-a-secret"}"#,
            r#"{"failed":"no access with hunter2\u002dis-a-secret"}"#,
        ];
        let mut asked = turn(&[]);
        let script = lines.map(|line| format!("printf '%s\\n' '{line}'; sleep 0.15")).join("; ");
        asked.launch.command = vec!["/bin/sh".into(), "-c".into(), format!("cat >/dev/null; {script}")];
        let rules = [("delta", "say"), ("tool", "tool"), ("failed", "failed"), ("error", "failed"), ("ok", "ok")];
        asked.launch.transport = Transport::Jsonl(Dialect::of(&rules).unwrap());
        let mut bench = Bench::new();
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        let mut shown = Vec::new();
        let mut reply = bench.handle.take_turn(asked, stop, kill);
        let ended = loop {
            shown.extend(bench.ends.progress().into_iter().map(|progress| progress.doing.to_string()));
            if let Some(ended) = reply.poll_now() {
                break ended.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert!(shown.iter().any(|doing| doing == "so: [redacted]"), "{shown:?}");
        assert!(shown.iter().all(|doing| !doing.contains("is-a-secret")), "{shown:?}");
        let words = error(&ended).to_string();
        assert!(words.contains("[redacted]") && !words.contains("is-a-secret"), "{words}");
    });
}

#[test]
fn a_plain_answer_is_an_artifact_a_transcript_and_a_fact() {
    live(|| async {
        let mut bench = Bench::new();
        let asked = turn(&["--quantity", "10", "--stderr", "warming up"]);
        let seat = asked.seat.clone();
        let ended = bench.take(asked).await;
        let artifact: serde_json::Value = serde_json::from_str(ended.outcome.as_ref().unwrap()).unwrap();
        assert_eq!(artifact["answers"][1]["value"], "10");
        assert_eq!(ended.stderr.as_str(), "warming up\n");
        assert_eq!(ended.raw.bytes, ended.raw.text.len() as u64);
        assert!(matches!(bench.ends.fact(), Some(Fact::AgentStarted { pid, .. }) if pid > 1));
        let shown = bench.ends.progress().pop().unwrap();
        assert_eq!((shown.doing.as_str(), shown.lines), ("plain thought about it.", 6));

        let reader = transcript::spawn(&bench.scope, bench.folder.path().to_owned());
        let request = PageRequest { seat, width: 80, height: 3, from: Anchor::Tail, search: Some("THOUGHT".into()) };
        let page = reader.page(request).within(PATIENCE, "the page").await.unwrap();
        assert_eq!((page.total, page.rows.len(), page.at_end, page.match_count), (6, 3, true, 1));
    });
}

#[test]
fn an_answer_that_is_none_says_why_and_asks_for_a_repair_where_that_helps() {
    live(|| async {
        let bench = Bench::new();
        for (flags, word) in
            [(&["--garbage"][..], "JSON"), (&["--malformed"], "JSON"), (&["--answer", "/dev/null"], "nothing")]
        {
            let ended = bench.take(turn(flags)).await;
            let failed = ended.outcome.as_ref().unwrap_err();
            let AgentError::NoArtifact { why } = &failed.error else { panic!("{flags:?}: {failed:?}") };
            assert!(why.contains(word), "{flags:?}: {why}");
            assert!(failed.repair.is_some());
        }
        let mut echo = turn(&["--echo-prompt"]);
        echo.prompt = "no block in here".into();
        assert!(matches!(error(&bench.take(echo).await), AgentError::NoArtifact { .. }));
    });
}

#[test]
fn a_bad_exit_is_never_a_success_whatever_was_said() {
    live(|| async {
        let bench = Bench::new();
        let crashed = bench.take(turn(&["--crash", "3", "--stderr", "something inside broke"])).await;
        assert_eq!(error(&crashed), &AgentError::Crashed { how: "exit 3: something inside broke".into() });
        let limited = bench.take(turn(&["--crash", "1", "--stderr", "API error 429, retry after 2s"])).await;
        assert_eq!(error(&limited), &AgentError::RateLimit { retry_after_ms: Some(2_000) });
        // Exit 0 and nothing said: stderr tells.
        let silent = bench.take(turn(&["--answer", "/dev/null", "--stderr", "error: 401 Unauthorized"])).await;
        assert!(matches!(error(&silent), AgentError::Auth { .. }));
        let mut missing = turn(&[]);
        missing.launch.command = vec!["no-such-agent-anywhere".into()];
        let command = "no-such-agent-anywhere".to_owned();
        assert_eq!(error(&bench.take(missing).await), &AgentError::CommandNotFound { command });
    });
}

#[test]
fn a_program_that_may_not_be_executed_is_a_matter_of_permission() {
    live(|| async {
        let bench = Bench::new();
        let program = bench.folder.path().join("agent");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        let mut refused = turn(&[]);
        refused.launch.command = vec![program.to_str().unwrap().to_owned()];
        let refused = bench.take(refused).await;
        assert!(matches!(error(&refused), AgentError::Permission { why } if why.contains("may not be executed")));
        assert!(refused.outcome.unwrap_err().error.hint("fake").contains("transcript"));
    });
}

#[test]
fn a_child_sees_of_our_environment_only_what_is_allowed() {
    live(|| async {
        let bench = Bench::new();
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some() && std::env::var_os("PATH").is_some());
        let mut asked = turn(&[]);
        asked.launch.command = vec!["env".into()];
        asked.launch.env = BTreeMap::from([
            ("MINE".to_owned(), "set".to_owned()),
            ("FROM_OURS".to_owned(), "$CARGO_PKG_NAME".to_owned()),
            ("NOT_SET".to_owned(), "$NO_SUCH_VARIABLE_HERE".to_owned()),
        ]);
        let ended = bench.take(asked).await;
        let seen: BTreeMap<&str, &str> = ended.raw.text.lines().filter_map(|line| line.split_once('=')).collect();
        let names: Vec<&str> = seen.keys().copied().collect();
        assert_eq!(names, [OWNER_VAR, RUN_VAR, SEAT_VAR, "FROM_OURS", "MINE", "PATH"]);
        assert_eq!((seen["MINE"], seen["FROM_OURS"]), ("set", "dicast"));
    });
}

#[test]
fn each_silence_meets_its_own_deadline() {
    live(|| async {
        let bench = Bench::new();
        // A prompt that no pipe holds, and nobody who reads it.
        let mut deaf = with_limits(&["--no-read"], |limits| limits.start_ms = 200);
        deaf.prompt = "x".repeat(1 << 20).into();
        let (hung, slow, long) = tokio::join!(
            bench.handle_only(with_limits(&["--hang"], |limits| limits.first_event_ms = 200)),
            bench.handle_only(with_limits(&["--slow", "9000"], |limits| limits.idle_ms = 200)),
            bench.handle_only(with_limits(&["--slow", "9000"], |limits| limits.total_ms = 300)),
        );
        assert_eq!(late(&bench.take(deaf).await), Some(Deadline::Start));
        let passed = [&hung, &slow, &long].map(late);
        assert_eq!(passed, [Deadline::FirstEvent, Deadline::Idle, Deadline::Total].map(Some));
        for ended in [hung, slow, long] {
            assert!(ended.took_ms < 1_500, "{}", ended.took_ms);
        }
    });
}

#[test]
fn a_stubborn_agent_is_killed_when_its_grace_is_over_and_not_before() {
    live(|| async {
        let bench = Bench::new();
        let stubborn = with_limits(&["--ignore-term", "--slow", "9000"], |limits| {
            limits.idle_ms = 300;
            limits.kill_grace_ms = 300;
        });
        let ended = bench.take(stubborn).await;
        assert_eq!(late(&ended), Some(Deadline::Idle));
        assert!((600..2_000).contains(&ended.took_ms), "{}", ended.took_ms);
    });
}

#[test]
fn stopping_a_willing_agent_takes_a_blink_and_killing_a_stubborn_one_too() {
    live(|| async {
        let bench = Bench::new();
        for (flags, hard) in [(&["--hang"][..], false), (&["--no-read", "--ignore-term"], true)] {
            let asked = turn(flags);
            let run = asked.seat.run.clone();
            let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
            let reply = bench.handle.take_turn(asked, stop.clone(), kill.clone());
            wait_until(|| !tagged(run.as_str()).is_empty()).await;
            if hard {
                // Deaf only once it has started: its first word says so.
                wait_until(|| std::fs::read_dir(bench.folder.path().join(run.as_str())).is_ok()).await;
            }
            let began = Instant::now();
            stop.cancel();
            if hard {
                kill.cancel();
            }
            let ended = reply.within(PATIENCE, "the stopped turn").await.unwrap();
            assert!(began.elapsed() < Duration::from_millis(200), "{:?}", began.elapsed());
            assert_eq!(error(&ended), &AgentError::Cancelled);
            bench.assert_nothing_left(&ended, &run);
        }
    });
}

#[test]
fn the_end_of_the_program_stops_every_turn() {
    live(|| async {
        let bench = Bench::new();
        let asked = turn(&["--hang"]);
        let run = asked.seat.run.clone();
        let reply = bench.handle.take_turn(asked, CancellationToken::new(), CancellationToken::new());
        wait_until(|| !tagged(run.as_str()).is_empty()).await;
        bench.scope.cancel.cancel();
        let ended = reply.within(PATIENCE, "the stopped turn").await.unwrap();
        assert_eq!(error(&ended), &AgentError::Cancelled);
        bench.assert_nothing_left(&ended, &run);
        tokio::time::timeout(PATIENCE, bench.scope.closed()).await.unwrap();
    });
}

#[test]
fn grandchildren_neither_hold_the_answer_up_nor_outlive_it() {
    live(|| async {
        let bench = Bench::new();
        for flag in ["--grandchild", "--setsid-grandchild"] {
            let ended = bench.take(turn(&[flag])).await;
            assert!(ended.outcome.is_ok(), "{flag}: {:?}", ended.outcome);
            assert!(ended.took_ms < 2_000, "{flag}: {}", ended.took_ms);
        }
        let hung = with_limits(&["--setsid-grandchild", "--hang"], |limits| limits.first_event_ms = 300);
        assert_eq!(late(&bench.take(hung).await), Some(Deadline::FirstEvent));
    });
}

/// A turn of a shell script that stands for an agent.
fn scripted(script: &str, transport: Transport) -> Turn {
    let mut turn = turn(&[]);
    turn.launch.command = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
    turn.launch.transport = transport;
    turn
}

/// An answer to the two topics of [`turn`], on one line.
fn plan() -> String {
    let answer =
        |topic: &str, value: &str| serde_json::json!({"topic": topic, "value": value, "because": "it is said"});
    serde_json::json!({"schema": "dicast.artifact/1", "stage": "plan", "summary": "A plan.",
        "answers": [answer("D-001", "yes"), answer("D-002", "10")], "work_breakdown": [], "acceptance_mapping": []})
    .to_string()
}

#[test]
#[ignore = "slow tier"]
fn a_finished_answer_counts_although_its_program_never_ends() {
    live(|| async {
        let bench = Bench::new();
        let dialect = || Dialect::of(&[("answer", "text"), ("ok", "done"), ("failed", "broke")]).unwrap();
        let line = serde_json::json!({"text": plan(), "done": true});
        let says = |what: &str, then: &str| format!("cat >/dev/null; printf '%s\\n' '{what}'; {then}");
        let stays = says(&line.to_string(), "trap '' TERM; while :; do echo '{}'; sleep 0.2; done");
        let shut = says(&plan(), "exec >&-; sleep 99");
        let taken_back = says(&line.to_string(), "sleep 1; echo '{\"broke\":true}'; sleep 99");
        let silent = says("{\"text\":\"no end\"}", "sleep 99");
        let hasty = |script: &str| {
            let mut turn = scripted(script, Transport::Jsonl(dialect()));
            turn.launch.limits.kill_grace_ms = 300;
            turn.launch.limits.idle_ms = 1_500;
            turn
        };
        let (stays, shut, taken_back, silent) = tokio::join!(
            bench.handle_only(hasty(&stays)),
            bench.handle_only(scripted(&shut, Transport::Text)),
            bench.handle_only(hasty(&taken_back)),
            bench.handle_only(hasty(&silent)),
        );
        for ended in [&stays, &shut] {
            assert!(ended.outcome.is_ok(), "{:?}", ended.outcome);
            assert!((2_000..5_000).contains(&ended.took_ms), "{}", ended.took_ms);
        }
        assert_eq!([&taken_back, &silent].map(late), [Some(Deadline::Idle); 2], "only a good end is one");
    });
}

#[test]
fn a_flood_is_read_at_a_bounded_pace_and_kept_at_its_ends() {
    live(|| async {
        let mut bench = Bench::new();
        let asked = with_limits(&["--flood-stdout", "forever"], |limits| {
            limits.total_ms = 2_000;
            limits.stdout_max = 1 << 20;
        });
        let seat = asked.seat.clone();
        let noisy = with_limits(&["--flood-stderr", "1"], |limits| limits.stderr_max = 10_000);
        let flooded = bench.take(asked).await;
        assert_eq!(late(&flooded), Some(Deadline::Total));
        // Unpaced it would be gigabytes.
        assert!((2 << 20..32 << 20).contains(&flooded.raw.bytes), "{}", flooded.raw.bytes);
        assert!(flooded.raw.text.len() < (512 << 10) + 100);
        let shown = bench.ends.progress().pop().unwrap();
        assert_eq!((shown.tail.len(), shown.bytes), (TAIL_LINES, flooded.raw.bytes));
        let written = std::fs::metadata(bench.folder.path().join(path_of(&seat))).unwrap().len();
        assert!(written > 1 << 20, "{written}");

        let noisy = bench.take(noisy).await;
        assert!(noisy.outcome.is_ok());
        assert!(noisy.stderr.as_str().len() < 10_100);
    });
}

#[test]
fn a_huge_reply_is_taken_whole() {
    live(|| async {
        let bench = Bench::new();
        let ended = bench.take(turn(&["--huge-reply"])).await;
        assert!(ended.outcome.as_ref().unwrap().len() > 2 << 20);
        assert!(ended.raw.text.len() < (512 << 10) + 100);
    });
}

#[test]
fn strays_of_a_dead_owner_are_ended_and_those_of_a_living_one_are_not() {
    live(|| async {
        let bench = Bench::new();
        let run = format!("strays-of-{}", std::process::id());
        let me = bench.children.owner();
        // The right pid at the wrong time is somebody else; so is a pid that nobody has.
        let dead = [format!("{}:{}", me.pid, me.start + 1), "4194303:1".to_owned()];
        let mut started: Vec<std::process::Child> =
            dead.iter().chain([&me.to_string()]).map(|owner| sleeper(&run, owner)).collect();
        let alive = started.pop().unwrap();
        let mut found: Vec<u32> = bench
            .children
            .reap_strays()
            .await
            .into_iter()
            .filter(|stray| stray.run == run && stray.is_gone)
            .map(|stray| stray.pid)
            .collect();
        found.sort_unstable();
        let mut expected: Vec<u32> = started.iter().map(std::process::Child::id).collect();
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(tagged(&run), [alive.id()]);
        for mut child in started.into_iter().chain([alive]) {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    });
}

#[test]
fn a_dropped_child_and_a_shutdown_leave_nothing() {
    live(|| async {
        let bench = Bench::new();
        let start = |seat: &str| {
            let program = Program {
                command: turn(&["--grandchild", "--hang"]).launch.command,
                env: BTreeMap::new(),
                env_pass: vec![],
                cwd: "/".into(),
                tag: Tag { run: format!("dropped-by-{}", std::process::id()), seat: seat.into() },
            };
            bench.children.start(&program).unwrap()
        };
        let run = format!("dropped-by-{}", std::process::id());
        drop(start("a"));
        wait_until(|| tagged(&run).is_empty()).await;
        let (one, two) = (start("b"), start("c"));
        assert_eq!(bench.children.kill_all(), 2);
        for child in [one, two] {
            let ended = child.finish().await;
            assert_eq!(ended.survivors, 0);
        }
        assert_eq!((tagged(&run), bench.children.living()), (vec![], vec![]));
    });
}

impl Bench {
    async fn handle_only(&self, turn: Turn) -> TurnEnded {
        let reply = self.handle.take_turn(turn, CancellationToken::new(), CancellationToken::new());
        reply.within(PATIENCE, "the turn").await.unwrap()
    }
}

fn sleeper(run: &str, owner: &str) -> std::process::Child {
    Command::new(example("fake_agent"))
        .arg("--sleeper")
        .env(RUN_VAR, run)
        .env(SEAT_VAR, "x")
        .env(OWNER_VAR, owner)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits for something that another process does; the patience is the bound, not the wait.
async fn wait_until(mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "it never came to be");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
