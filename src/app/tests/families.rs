//! Limits of a family, and those of its API, hold over all runs.

use super::script::{Kind, Script, agent, settings};
use super::world::{Play, says};
use crate::app::model::{Limit, Phase, SeatState};
use crate::domain::failure::AgentError;
use crate::domain::run::TurnKind;
use crate::domain::settings::{AgentKind, Api, JsonMode, Service};
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
    script.plays("claude", [Play::Fails(AgentError::Overloaded), says("10")]).plays("opus", [Play::Hangs]);
    script.start(&[Stage::Plan]).settle();
    assert!(matches!(script.seat("claude"), SeatState::Waiting { .. }));
    assert_eq!(script.seat("opus"), &SeatState::Asking(TurnKind::Draft));
    script.tick(1_200);
    assert_eq!(script.seat("claude"), &SeatState::Queued(TurnKind::Draft));
    assert!(script.model.next_alarm().unwrap() > script.model.now, "a loop that parks until now never parks");
    script.world.is_deaf = true;
    script.settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked().last().map(String::as_str), Some("claude 2"));
}

fn limited(retry_after_ms: u64) -> Play {
    Play::Fails(AgentError::RateLimit { retry_after_ms: Some(retry_after_ms) })
}

#[test]
fn a_limit_that_one_was_told_of_holds_for_all_who_share_it_in_every_run() {
    let mut settings = settings(&[("claude", "anthropic"), ("opus", "anthropic"), ("codex", "openai")]);
    settings.agents[0].max_parallel = 1;
    let mut script = Script::of(settings, false);
    script.plays("claude", [limited(5_000), says("10"), says("10")]);
    script.start_of("001-login", &[Stage::Plan], false, false).settle();
    let until = script.model.now.plus_ms(5_000);
    script.tick(1_000);
    script.start_of("002-audit", &[Stage::Plan], false, false).settle();
    assert_eq!(script.asked(), ["claude 1", "codex 1", "codex 1"], "who shares it waits, the other family does not");
    let limit = Limit { until, told: agent("claude") };
    assert_eq!(script.model.limited(&agent("opus")), Some(("anthropic".to_owned(), &limit)));
    assert_eq!(script.model.limited(&agent("codex")), None);
    script.model.notice = None;
    assert_eq!(script.model.next_alarm(), Some(until), "also for those that wait only because of it");
    assert!(script.tick(3_999).is_empty());
    script.tick(1);
    script.settle();
    assert!(script.model.runs.values().all(|run| run.phase == Phase::Decided));
    let mut asked = script.asked();
    asked.sort();
    assert_eq!(asked[..3], ["claude 1", "claude 1", "claude 2"]);
    assert_eq!(asked[5..], ["opus 1", "opus 1"]);
}

#[test]
fn nobody_waits_for_a_limit_that_lasts_longer_than_the_run() {
    let mut settings = settings(&[("claude", "anthropic"), ("opus", "anthropic"), ("codex", "openai")]);
    settings.agents[0].max_parallel = 1;
    let mut script = Script::of(settings, true);
    script.plays("claude", [limited(3_600_000)]).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), ["claude 1", "codex 1"]);
    let told = SeatState::Failed(AgentError::RateLimit { retry_after_ms: Some(3_600_000) });
    assert_eq!((script.seat("claude"), script.seat("opus")), (&told, &told));
}

#[test]
fn models_over_http_share_the_limit_of_their_address_and_key() {
    let mut settings = settings(&super::script::THREE);
    for (at, agent) in settings.agents.iter_mut().enumerate() {
        agent.max_parallel = 1;
        agent.kind = AgentKind::Api(Service {
            api: Api::OpenaiChat,
            base_url: "https://models.example/v1".into(),
            key_env: Some(if at == 2 { "OTHER_KEY" } else { "A_KEY" }.into()),
            json_mode: JsonMode::None,
            tools: false,
            lent: Default::default(),
        });
    }
    let mut script = Script::of(settings, false);
    script.hold(Kind::Turn).plays("claude", [limited(5_000), says("10")]).plays("codex", [limited(9_000), says("10")]);
    script.start(&[Stage::Plan]).settle();
    script.answer_one(Kind::Turn);
    script.answer_one(Kind::Turn);
    script.settle();
    let shared = "https://models.example/v1 with $A_KEY".to_owned();
    let limit = Limit { until: script.model.now.plus_ms(9_000), told: agent("codex") };
    assert_eq!(script.model.limited(&agent("claude")), Some((shared, &limit)), "the later end holds");
    assert_eq!(script.model.limited(&agent("gemini")), None);
    script.tick(5_000);
    assert_eq!(script.seat("claude"), &SeatState::Queued(TurnKind::Draft));
    script.tick(4_000);
    script.settle();
    assert_eq!(script.asked()[3..], ["claude 2", "codex 2"]);
}
