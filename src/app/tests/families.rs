//! Limits of a family hold over all runs.

use super::script::{Kind, Script, settings};
use super::world::{Play, says};
use crate::app::model::{Phase, SeatState};
use crate::domain::failure::AgentError;
use crate::domain::run::TurnKind;
use crate::domain::stage::Stage;

fn two_runs(limit: u32) -> Script {
    let mut settings = settings(&[("claude", "anthropic"), ("opus", "anthropic"), ("codex", "openai")]);
    settings.agents[0].max_parallel = limit;
    let mut script = Script::of(settings, false);
    script.hold(Kind::Turn);
    script.start_of("001-login", &[Stage::Plan], false, false);
    script.start_of("002-audit", &[Stage::Plan], false, false);
    script.settle();
    script
}

fn at_work(script: &Script, family: &str) -> usize {
    let seats = script.model.runs.values().flat_map(|run| &run.seats);
    seats.filter(|seat| seat.who.family.as_str() == family && matches!(seat.state, SeatState::Asking(_))).count()
}

#[test]
fn the_smallest_limit_of_a_family_holds_over_two_runs() {
    let mut script = two_runs(1);
    let mut most = 0;
    for _ in 0..40 {
        most = most.max(at_work(&script, "anthropic"));
        if script.pending.is_empty() {
            break;
        }
        script.answer_one(Kind::Turn);
        script.settle();
    }
    assert_eq!(most, 1);
    assert!(script.model.runs.values().all(|run| run.phase == Phase::Decided));
    let claude = script.asked().iter().filter(|name| name.starts_with("claude")).count();
    assert_eq!(claude, 2, "each run asked it once");
}

#[test]
fn another_family_is_not_held_up() {
    let script = two_runs(1);
    assert_eq!((at_work(&script, "anthropic"), at_work(&script, "openai")), (1, 2));
}

#[test]
fn an_agent_whose_wait_is_over_but_who_has_no_place_does_not_keep_the_alarm_ringing() {
    let mut settings = settings(&[("claude", "anthropic"), ("opus", "anthropic"), ("codex", "openai")]);
    settings.agents[0].max_parallel = 1;
    let mut script = Script::of(settings, false);
    let limited = Play::Fails(AgentError::RateLimit { retry_after_ms: Some(5_000) });
    script.plays("claude", [limited, says("10")]).plays("opus", [Play::Hangs]);
    script.start(&[Stage::Plan]).settle();
    assert!(matches!(script.seat("claude"), SeatState::Waiting { .. }));
    assert_eq!(script.seat("opus"), &SeatState::Asking(TurnKind::Draft));
    script.tick(5_000);
    assert_eq!(script.seat("claude"), &SeatState::Queued(TurnKind::Draft));
    assert!(script.model.next_alarm().unwrap() > script.model.now, "a loop that parks until now never parks");
    script.world.is_deaf = true;
    script.settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked().last().map(String::as_str), Some("claude 2"));
}
