//! Who is asked again, when, and how often.

use super::script::{Kind, Script, agent};
use super::world::{Play, ended, says};
use crate::app::event::What;
use crate::app::model::{Phase, SeatState};
use crate::app::msg::RunMsg;
use crate::domain::failure::{AgentError, Deadline};
use crate::domain::run::{SeatKey, TurnKind};
use crate::domain::stage::Stage;
use std::sync::Arc;

fn limited(retry_after_ms: u64) -> Play {
    Play::Fails(AgentError::RateLimit { retry_after_ms: Some(retry_after_ms) })
}

fn crash() -> Play {
    Play::Fails(AgentError::Crashed { how: "exit 1".into() })
}

/// Lets time pass until nobody waits any more.
fn wait_out(script: &mut Script) {
    script.settle();
    while let Some(alarm) = script.model.next_alarm() {
        let is_waiting = script.run().seats.iter().any(|seat| matches!(seat.state, SeatState::Waiting { .. }));
        if !is_waiting {
            return;
        }
        script.tick(alarm.since(script.model.now));
        script.settle();
    }
}

#[test]
fn a_rate_limited_agent_is_asked_again_when_its_api_said() {
    let mut script = Script::new();
    script.plays("codex", [limited(7_000), says("10")]).start(&[Stage::Plan]).settle();
    let until = script.model.now.plus_ms(7_000);
    let why = AgentError::RateLimit { retry_after_ms: Some(7_000) };
    assert_eq!(script.seat("codex"), &SeatState::Waiting { until, why });
    assert_eq!(script.model.next_alarm(), Some(script.model.notice.as_ref().map_or(until, |n| n.until.min(until))));
    let told = script.events().into_iter().find_map(|e| match &e.what {
        What::AgentFinished { retry_at: Some(at), status, .. } => Some((at.clone(), status.clone())),
        _ => None,
    });
    assert_eq!(told, Some((until.rfc3339(), "rate_limited".into())));
    assert_eq!(script.tick(6_999), []);
    script.tick(1);
    script.settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), ["claude 1", "codex 1", "gemini 1", "codex 2"]);
}

#[test]
fn each_failure_is_repeated_as_often_as_its_kind_allows() {
    let auth = || Play::Fails(AgentError::Auth { why: "sign in".into() });
    let timeout = || Play::Fails(AgentError::Timeout { which: Deadline::Idle, after_ms: 1 });
    let network = || Play::Fails(AgentError::Network { why: "no route".into() });
    let table: [(&str, [Play; 4], &[&str]); 5] = [
        ("rate limit", [limited(10), limited(10), limited(10), limited(10)], &["codex 1", "codex 2", "codex 3"]),
        ("network", [network(), network(), network(), network()], &["codex 1", "codex 2", "codex 3"]),
        ("crash", [crash(), crash(), crash(), crash()], &["codex 1", "codex 2"]),
        ("timeout", [timeout(), timeout(), timeout(), timeout()], &["codex 1", "codex 2"]),
        ("auth", [auth(), auth(), auth(), auth()], &["codex 1"]),
    ];
    for (what, plays, wanted) in table {
        let mut script = Script::headless();
        script.plays("codex", plays).start(&[Stage::Plan]);
        wait_out(&mut script);
        let codex: Vec<String> = script.asked().into_iter().filter(|name| name.starts_with("codex")).collect();
        assert_eq!(codex, wanted, "{what}");
        script.expect_phase(Phase::Decided);
        assert_eq!(script.quits(), [6], "{what}: two of three answered");
    }
}

#[test]
fn waits_without_an_advice_double_and_are_spread() {
    let mut script = Script::new();
    let overloaded = || Play::Fails(AgentError::Overloaded);
    script.plays("codex", [overloaded(), overloaded(), says("10")]);
    script.plays("claude", [overloaded(), says("10")]).start(&[Stage::Plan]).settle();
    let wait_of = |script: &Script, name: &str| match script.seat(name) {
        SeatState::Waiting { until, .. } => until.since(script.model.now),
        state => panic!("{state:?}"),
    };
    let wait = |script: &Script| wait_of(script, "codex");
    assert!((800..=1_200).contains(&wait(&script)), "{}", wait(&script));
    assert_ne!(wait(&script), wait_of(&script, "claude"), "who failed together does not come back together");
    script.tick(1_200);
    script.settle();
    assert!((1_600..=2_400).contains(&wait(&script)), "{}", wait(&script));
    script.tick(2_400);
    script.settle().expect_phase(Phase::Decided);
}

#[test]
fn an_answer_that_cannot_be_read_gets_one_repair_turn_with_the_reason() {
    let mut script = Script::new();
    script.plays("codex", [Play::Babbles, says("10")]).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), ["claude 1", "codex 1", "gemini 1", "codex 1 repair"]);
    let told = script.effects.iter().find_map(|effect| match effect {
        crate::app::effect::Effect::Run(
            _,
            crate::app::effect::RunEffect::TakeTurn { kind: TurnKind::Repair, prompt, .. },
        ) => Some(prompt.to_string()),
        _ => None,
    });
    let told = told.unwrap();
    assert!(told.contains("the answer is not JSON") && told.contains("raw words"), "{told}");
    let mut script = Script::headless();
    script.plays("codex", [Play::Babbles, Play::Babbles]).start(&[Stage::Plan]);
    wait_out(&mut script);
    assert_eq!(script.asked(), ["claude 1", "codex 1", "gemini 1", "codex 1 repair"]);
    assert_eq!(script.quits(), [6]);
}

#[test]
fn a_reply_of_an_earlier_attempt_is_kept_apart_and_changes_nothing() {
    let mut script = Script::new();
    script.plays("codex", [limited(1_000), Play::Hangs]).start(&[Stage::Plan]).settle();
    script.tick(1_000);
    script.settle();
    assert_eq!(script.seat("codex"), &SeatState::Asking(TurnKind::Draft));
    let old = SeatKey { run: script.id(), stage: Stage::Plan, attempt: 1, agent: agent("codex") };
    let before = script.model.clone();
    let late = RunMsg::TurnEnded(old.clone(), TurnKind::Draft, Ok(Arc::new(ended(&old, TurnKind::Draft, says("11")))));
    let effects = script.send(crate::app::msg::Msg::Run(script.id(), late));
    assert_eq!(super::script::names(&effects), ["keep late"]);
    assert_eq!(script.model, before);
}

#[test]
fn a_wait_beyond_the_deadline_of_the_run_is_not_begun() {
    let mut script = Script::headless();
    script.plays("codex", [limited(3_600_000)]).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(script.quits(), [6], "the panel decides without it instead of being stopped at its deadline");
}

#[test]
fn an_agent_that_is_stopped_alone_is_not_asked_again_and_the_others_decide() {
    use crate::app::key::Key;
    let mut script = Script::new();
    script.plays("claude", [Play::Hangs]).start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    script.key(Key::Char('x')).settle().expect_phase(Phase::Decided);
    assert_eq!(script.seat("claude"), &SeatState::Failed(AgentError::Cancelled));
    assert!(script.run().verdicts[&Stage::Plan].verdict.degraded);
}

#[test]
fn an_agent_that_is_stopped_while_its_launch_is_written_is_never_started() {
    use crate::app::key::Key;
    let mut script = Script::new();
    script.hold(Kind::Commit).start(&[Stage::Plan]).settle();
    script.answer_one(Kind::Commit);
    script.settle();
    script.answer_one(Kind::Commit);
    assert_eq!(script.seat("claude"), &SeatState::Launching(TurnKind::Draft));
    script.key(Key::Char('x')).unhold().settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), ["codex 1", "gemini 1"]);
    let started = script.events().iter().filter(|e| matches!(e.what, What::AgentStarted { .. })).count();
    assert_eq!(started, 2, "nobody is told of an agent that was not started");
}
