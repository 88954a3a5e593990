//! Agents that are spoken to over the Agent Client Protocol, against a real process that misbehaves
//! (`examples/fake_acp_agent.rs`): kept warm, answered exactly once, ended with nothing left.

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
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dicast::actors::agents::process::Children;
use dicast::actors::agents::{self, Handle};
use dicast::actors::lanes::{LaneEnds, lanes};
use dicast::actors::{Reply, Scope, Waker};
use dicast::domain::acp::{Answer, Manner, Request};
use dicast::domain::artifact::Expect;
use dicast::domain::fact::Fact;
use dicast::domain::failure::{AgentError, Deadline};
use dicast::domain::ids::{AgentName, RunId};
use dicast::domain::moment::Moment;
use dicast::domain::redact::Redactor;
use dicast::domain::run::{Launch, Limits, SeatKey, Turn, TurnEnded, TurnKind, Wanted};
use dicast::domain::stage::Stage;
use dicast::domain::stream::{Transport, Usage};
use dicast::domain::transcript::path_of;
use tokio_util::sync::CancellationToken;

use example::example;
use live::live;
use tagged::tagged;

/// No test waits longer than this for an answer: a hang is a failure, not a wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the fake agent is to behave.
type Flags = &'static [&'static str];

/// Makes a deadline short.
type Change = fn(&mut Limits);

/// Tells whether an error is the one that was meant.
type IsRight = fn(&AgentError) -> bool;

struct Bench {
    scope: Scope,
    children: Children,
    handle: Handle,
    ends: LaneEnds,
    folder: tempfile::TempDir,
    run: RunId,
}

impl Bench {
    fn new() -> Self {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        let scope = Scope::new(tokio::runtime::Handle::current(), Waker::nobody());
        let (lanes, ends) = lanes(Waker::nobody());
        let folder = tempfile::tempdir().unwrap();
        let children = Children::new(&scope);
        let redactor = Redactor::new(["hunter2-is-a-secret".to_owned()]);
        let handle = agents::spawn(&scope, lanes, children.clone(), folder.path().to_owned(), redactor);
        let run = RunId::mint(Moment(u64::from(std::process::id())), counter, counter);
        Self { scope, children, handle, ends, folder, run }
    }

    fn turn(&self, flags: &[&str]) -> Turn {
        let ask = serde_json::json!({"schema": "dicast.ask/1", "spec_id": "001-x", "stage": "plan", "agent": "fake",
            "attempt": 1, "agenda": [{"id": "D-001", "requirement": "FR-001", "ask": "Is FR-001 covered?", "unit": null}],
            "answer_schema": {"type": "object"}});
        let log = self.folder.path().join("log");
        let mut command =
            vec![example("fake_acp_agent").to_str().unwrap().to_owned(), "--log".into(), log.to_str().unwrap().into()];
        command.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let agent = AgentName::new("fake").unwrap();
        Turn {
            seat: SeatKey { run: self.run.clone(), stage: Stage::Plan, attempt: 1, agent },
            kind: TurnKind::Draft,
            launch: Launch {
                command,
                env: BTreeMap::new(),
                env_pass: vec!["PATH".into()],
                cwd: "/".into(),
                transport: Transport::Acp(Box::new(Manner { mode: Some("plan".into()), ..Manner::default() })),
                private: None,
                limits: Limits { kill_grace_ms: 2_000, ..Limits::default() },
            },
            prompt: format!("Plan it.\n\n```json\n{ask}\n```\n").into(),
            wanted: Wanted::Artifact(Expect { stage: Stage::Plan, topics: vec!["D-001".into()], sent: vec![] }),
            session: None,
            used_before: Usage::default(),
        }
    }

    fn begin(&self, turn: Turn) -> (Reply<TurnEnded>, CancellationToken, CancellationToken) {
        let (stop, kill) = (CancellationToken::new(), CancellationToken::new());
        (self.handle.take_turn(turn, stop.clone(), kill.clone()), stop, kill)
    }

    async fn take(&self, turn: Turn) -> TurnEnded {
        self.begin(turn).0.within(PATIENCE, "the turn").await.unwrap()
    }

    /// Waits until the agent asks for permission.
    async fn asked(&mut self) -> Request {
        let next = async {
            loop {
                if let Fact::PermissionAsked(request) = self.ends.next_fact().await.unwrap() {
                    return *request;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap()
    }

    /// Waits until the agent is in the middle of its turn.
    async fn is_at_work(&mut self) {
        let began = Instant::now();
        while !self.log().iter().any(|line| line.starts_with("session/prompt")) {
            assert!(began.elapsed() < PATIENCE, "it was never asked: {:?}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn dismiss(&self) -> u32 {
        let reply = self.handle.dismiss(self.run.clone(), CancellationToken::new());
        reply.within(PATIENCE, "the end of the agent").await.unwrap()
    }

    fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn said(&self, word: &str) -> usize {
        self.log().iter().filter(|line| line.starts_with(word)).count()
    }

    fn assert_nothing_left(&self) {
        assert_eq!(tagged(self.run.as_str()), Vec::<u32>::new());
        assert_eq!(self.children.living(), Vec::<u32>::new());
    }
}

fn error(ended: &TurnEnded) -> &AgentError {
    &ended.outcome.as_ref().unwrap_err().error
}

#[test]
fn one_process_takes_the_draft_its_repair_and_the_next_question_and_is_ended_with_the_run() {
    live(|| async {
        let bench = Bench::new();
        let draft = bench.turn(&["--first-bad", "--cost", "0.05"]);
        let warmed = bench.handle.warm(bench.run.clone(), draft.seat.agent.clone(), draft.launch.clone());
        warmed.within(PATIENCE, "the start").await.unwrap();
        let ended = bench.take(draft.clone()).await;
        assert!(matches!(error(&ended), AgentError::NoArtifact { .. }), "{ended:?}");
        assert_eq!(ended.session.as_ref().map(|session| session.id.as_str()), Some("s-1"));
        let used_before = ended.session.unwrap().used;
        let ended = bench.take(Turn { kind: TurnKind::Repair, used_before, ..draft.clone() }).await;
        assert!(ended.outcome.is_ok(), "{ended:?}");
        assert_eq!((ended.usage.input_tokens, ended.usage.cached_tokens, ended.usage.output_tokens), (120, 20, 34));
        assert_eq!(
            ended.usage.cost_micro_usd,
            Some(50_000),
            "it says what the session costs, and half of that was told"
        );
        let mut next = draft;
        next.seat.stage = Stage::Tasks;
        assert!(bench.take(next).await.outcome.is_ok());
        assert_eq!((bench.said("start"), bench.said("session/new")), (1, 2), "{:?}", bench.log());
        let prompts: Vec<String> = bench.log().into_iter().filter(|line| line.starts_with("session/prompt")).collect();
        assert_eq!(prompts, ["session/prompt s-1", "session/prompt s-1", "session/prompt s-2"]);
        assert_eq!(bench.said("session/set_mode plan"), 3, "it may have left its mode meanwhile");
        assert_eq!(tagged(bench.run.as_str()).len(), 1, "it is kept warm");
        assert_eq!(bench.dismiss().await, 0);
        assert_eq!(bench.said("end of input"), 1, "it was asked to go before it was told to");
        bench.assert_nothing_left();
    });
}

#[test]
fn a_session_of_an_earlier_process_is_loaded_or_a_new_one_begun_and_said_to_be() {
    let cases: [(Flags, &str, &str); 3] = [
        (&["--load"], "session/load earlier", "earlier"),
        (&["--load-fails"], "session/load earlier", "s-1"),
        (&[], "session/new", "s-1"),
    ];
    for (flags, asked, went_on) in cases {
        live(|| async {
            let bench = Bench::new();
            let used_before = Usage { cost_micro_usd: Some(40_000), ..Usage::default() };
            let flags = [flags, &["--cost", "0.05"]].concat();
            let turn =
                Turn { kind: TurnKind::Round, session: Some("earlier".into()), used_before, ..bench.turn(&flags) };
            let seat = turn.seat.clone();
            let ended = bench.take(turn).await;
            assert!(ended.outcome.is_ok(), "{ended:?}");
            assert_eq!(ended.session.unwrap().id, went_on, "{flags:?}");
            assert!(
                bench.said(asked) == 1 && bench.said(&format!("session/prompt {went_on}")) == 1,
                "{:?}",
                bench.log()
            );
            let transcript = std::fs::read_to_string(bench.folder.path().join(path_of(&seat))).unwrap();
            let is_said = transcript.contains("· a new session: it cannot load");
            assert_eq!(is_said, went_on != "earlier", "{transcript}");
            let heard = format!("{transcript}{}", ended.raw.text);
            assert!(!heard.contains("before"), "what was said before is not said now: {heard}");
            let own = if went_on == "earlier" { 10_000 } else { 50_000 };
            assert_eq!(ended.usage.cost_micro_usd, Some(own), "{flags:?}");
            bench.dismiss().await;
        });
    }
}

#[test]
fn what_it_does_is_in_its_transcript() {
    live(|| async {
        let bench = Bench::new();
        let turn = bench.turn(&["--garbage", "--unknown-request"]);
        let seat = turn.seat.clone();
        assert!(bench.take(turn).await.outcome.is_ok());
        let transcript = std::fs::read_to_string(bench.folder.path().join(path_of(&seat))).unwrap();
        for line in ["· look around", "▸ Read lib.rs src/lib.rs", "  ↳ fn main() {}", "Debugger attached.", "So:"]
        {
            assert!(transcript.lines().any(|told| told == line), "{line:?} in {transcript}");
        }
        assert!(!transcript.contains('\u{1b}'));
        assert!(bench.log().iter().any(|line| line.contains("-32601")), "{:?}", bench.log());
        bench.dismiss().await;
    });
}

#[test]
fn a_request_for_permission_waits_for_its_answer_and_gets_one() {
    for (answer, option) in [(Answer::Once, "yes"), (Answer::Always, "ever"), (Answer::Reject, "no")] {
        live(|| async {
            let mut bench = Bench::new();
            let mut turn = bench.turn(&["--ask", "execute"]);
            // Its silence while it waits for us is no fault of its own.
            turn.launch.limits.idle_ms = 100;
            let (reply, ..) = bench.begin(turn);
            let request = bench.asked().await;
            assert_eq!(
                request.body.iter().map(|line| line.as_str()).collect::<Vec<_>>(),
                ["$ touch pwned", "in /repo"]
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
            for _ in 0..2 {
                let permitted = bench.handle.permit(request.seat.clone(), request.number, answer);
                permitted.within(PATIENCE, "the answer").await.unwrap();
            }
            let ended = reply.within(PATIENCE, "the turn").await.unwrap();
            assert!(ended.outcome.is_ok(), "{ended:?}");
            assert!(ended.raw.text.contains(&format!("permission: {option}")), "{}", ended.raw.text);
            assert_eq!(bench.said("answer"), 1, "exactly once: {:?}", bench.log());
            bench.dismiss().await;
        });
    }
}

#[test]
fn who_is_stopped_while_it_asks_hears_that_its_request_is_cancelled() {
    live(|| async {
        let mut bench = Bench::new();
        let (reply, stop, _) = bench.begin(bench.turn(&["--ask", "execute", "--hang"]));
        let request = bench.asked().await;
        stop.cancel();
        let ended = reply.within(PATIENCE, "the turn").await.unwrap();
        assert_eq!(*error(&ended), AgentError::Cancelled);
        let log = bench.log();
        assert!(log.iter().any(|line| line.contains("\"outcome\":\"cancelled\"")), "{log:?}");
        // A late answer of a person changes nothing.
        let late = bench.handle.permit(request.seat, request.number, Answer::Once);
        late.within(PATIENCE, "the late answer").await.unwrap();
        assert_eq!(bench.said("answer"), 1, "{:?}", bench.log());
        bench.assert_nothing_left();
    });
}

#[test]
fn a_cancel_that_is_respected_ends_it_at_once_and_leaves_no_process_of_any_session() {
    live(|| async {
        let mut bench = Bench::new();
        let (reply, stop, _) = bench.begin(bench.turn(&["--hang", "--setsid-grandchild"]));
        bench.is_at_work().await;
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(tagged(bench.run.as_str()).len(), 2, "itself, and what it started in a session of its own");
        let began = Instant::now();
        stop.cancel();
        let ended = reply.within(PATIENCE, "the turn").await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        assert_eq!((error(&ended), ended.survivors), (&AgentError::Cancelled, 0));
        assert_eq!(bench.said("session/cancel"), 1);
        bench.assert_nothing_left();
    });
}

#[test]
#[ignore = "slow: processes that end in their own time; .ci/run runs it"]
fn a_cancel_that_is_ignored_ends_with_the_grace_and_a_second_one_at_once() {
    for is_killed in [false, true] {
        live(|| async {
            let mut bench = Bench::new();
            let mut turn = bench.turn(&["--hang", "--ignore-cancel", "--ignore-term", "--ignore-eof"]);
            turn.launch.limits.kill_grace_ms = if is_killed { 15_000 } else { 300 };
            let (reply, stop, kill) = bench.begin(turn);
            bench.is_at_work().await;
            let began = Instant::now();
            stop.cancel();
            if is_killed {
                kill.cancel();
            }
            let ended = reply.within(PATIENCE, "the turn").await.unwrap();
            assert!(began.elapsed() < Duration::from_millis(1_300), "{:?}", began.elapsed());
            assert_eq!((error(&ended), ended.survivors), (&AgentError::Cancelled, 0));
            bench.assert_nothing_left();
        });
    }
}

#[test]
#[ignore = "slow: processes that end in their own time; .ci/run runs it"]
fn every_deadline_ends_a_turn_of_one_that_hangs() {
    let cases: [(Flags, Change, Deadline); 3] = [
        (&["--hang-start"], |limits| limits.start_ms = 200, Deadline::Start),
        (&["--hang"], |limits| limits.idle_ms = 200, Deadline::Idle),
        (&["--pause", "5000"], |limits| limits.total_ms = 400, Deadline::Total),
    ];
    for (flags, change, wanted) in cases {
        live(|| async {
            let bench = Bench::new();
            let mut turn = bench.turn(flags);
            change(&mut turn.launch.limits);
            turn.launch.limits.kill_grace_ms = 300;
            let ended = bench.take(turn).await;
            let late = if let AgentError::Timeout { which, .. } = error(&ended) { Some(*which) } else { None };
            assert_eq!((late, ended.survivors), (Some(wanted), 0), "{flags:?}: {ended:?}");
            bench.assert_nothing_left();
        });
    }
}

#[test]
#[ignore = "slow: processes that end in their own time; .ci/run runs it"]
fn what_goes_wrong_has_a_name() {
    let cases: [(Flags, IsRight); 6] = [
        (&["--error", "429", "slow down"], |error| matches!(error, AgentError::RateLimit { .. })),
        (&["--error", "-32000", "Authentication required"], |error| matches!(error, AgentError::Auth { .. })),
        (&["--die", "7"], |error| matches!(error, AgentError::Crashed { how } if how.contains("exit 7"))),
        (&["--stop", "max_tokens"], |error| matches!(error, AgentError::NoArtifact { .. })),
        (&["--stop", "refusal"], |error| matches!(error, AgentError::Permission { .. })),
        (&["--no-mode"], |error| matches!(error, AgentError::Permission { why } if why.contains("\"plan\""))),
    ];
    for (flags, is_so) in cases {
        live(|| async {
            let bench = Bench::new();
            let ended = bench.take(bench.turn(flags)).await;
            assert!(is_so(error(&ended)), "{flags:?}: {ended:?}");
            bench.dismiss().await;
            bench.assert_nothing_left();
        });
    }
}

#[test]
#[ignore = "slow: processes that end in their own time; .ci/run runs it"]
fn one_that_died_is_started_again_for_the_next_turn() {
    live(|| async {
        let bench = Bench::new();
        let ended = bench.take(bench.turn(&["--die", "1"])).await;
        assert!(matches!(error(&ended), AgentError::Crashed { .. }));
        let mut again = bench.turn(&[]);
        again.seat.attempt = 2;
        assert!(bench.take(again).await.outcome.is_ok());
        assert_eq!(bench.said("start"), 2);
        assert_eq!(bench.dismiss().await, 0);
        bench.assert_nothing_left();
    });
}

#[test]
#[ignore = "slow: processes that end in their own time; .ci/run runs it"]
fn a_line_that_is_too_long_costs_that_line_alone() {
    live(|| async {
        let bench = Bench::new();
        let ended = bench.take(bench.turn(&["--huge-line"])).await;
        assert!(ended.outcome.is_ok(), "{:?}", ended.outcome);
        bench.dismiss().await;
    });
}

#[test]
#[ignore = "slow: processes that end in their own time; .ci/run runs it"]
fn one_that_heeds_nothing_is_killed_when_its_run_ends_and_one_that_is_not_there_is_named() {
    live(|| async {
        let bench = Bench::new();
        let mut turn = bench.turn(&["--ignore-eof", "--ignore-term", "--setsid-grandchild"]);
        turn.launch.limits.kill_grace_ms = 200;
        assert!(bench.take(turn.clone()).await.outcome.is_ok());
        assert_eq!(bench.dismiss().await, 0);
        bench.assert_nothing_left();
        turn.launch.command[0] = "no-such-agent-anywhere".into();
        let ended = bench.take(turn).await;
        assert!(matches!(error(&ended), AgentError::CommandNotFound { .. }), "{ended:?}");
        bench.scope.cancel.cancel();
    });
}
