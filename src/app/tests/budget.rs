//! What runs cost: counted by who pays, told, kept over a stop; and what is not begun any more.

use super::script::{Kind, Script, agent, settings};
use super::world::{Play, says};
use crate::app::event::{Spent, Tokens, What};
use crate::app::model::{Phase, SeatState};
use crate::app::update::charge;
use crate::domain::budget::{Budget, Charge, Price, Refusal};
use crate::domain::consensus::Status;
use crate::domain::failure::AgentError;
use crate::domain::run::TurnKind;
use crate::domain::settings::{AgentKind, Api, JsonMode, Launch, Service, Settings};
use crate::domain::stage::Stage;
use crate::domain::stream::Usage;

/// A turn that reads and writes so much costs 22,500 millionths at [`OPUS`].
const USED: Usage = Usage { input_tokens: 1_000, cached_tokens: 200, output_tokens: 100, cost_micro_usd: None };
const COST: u64 = 22_500;
const OPUS: Price = Price { input_micro_usd: 15_000_000, output_micro_usd: 75_000_000 };

/// Three programs; the first so many use a model with a price.
fn priced(count: usize, run_micro_usd: u64) -> Settings {
    let mut settings = settings(&super::script::THREE);
    for (at, agent) in settings.agents.iter_mut().enumerate() {
        agent.kind = AgentKind::Command(Launch::default());
        agent.model = (at < count).then(|| "opus".to_owned());
    }
    settings.prices.insert("opus".to_owned(), OPUS);
    settings.budget = Budget { run_micro_usd, ..Budget::default() };
    settings
}

fn script(settings: Settings) -> Script {
    let mut script = Script::of(settings, true);
    for name in ["claude", "codex", "gemini"] {
        script.world.uses.insert(name.to_owned(), USED);
    }
    script
}

/// What `agent.finished` told, in order: who, how it is counted, and the cost.
fn told(script: &Script) -> Vec<(String, String, Option<u64>)> {
    let told = script.events().into_iter().filter_map(|event| match &event.what {
        What::AgentFinished { agent, status, cost_micro_usd, .. } => {
            Some((agent.to_string(), status.clone(), *cost_micro_usd))
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn what_a_run_used_is_told_by_who_pays_for_it() {
    let mut script = script(priced(1, 2_000_000));
    script.model.boot.on_plan.insert(agent("codex"));
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    let ok = |name: &str, cost| (name.to_owned(), "ok".to_owned(), cost);
    assert_eq!(told(&script), [ok("claude", Some(COST)), ok("codex", None), ok("gemini", None)]);
    let spent = script.events().into_iter().find_map(|event| match &event.what {
        What::RunFinished { spent, .. } => spent.clone(),
        _ => None,
    });
    let spent = spent.unwrap();
    assert_eq!(spent.to_string(), "3.3k tokens · $0.03 · codex on a plan · gemini unpriced");
    let tokens = Tokens { input: 3_000, cached: 600, output: 300 };
    let names = |name: &str| vec![agent(name)];
    let wanted = Spent { tokens, cost_micro_usd: Some(COST), on_plan: names("codex"), unpriced: names("gemini") };
    assert_eq!(spent, wanted);
}

#[test]
fn whoever_names_a_price_pays_it_whatever_signs_of_a_plan_there_are() {
    let mut script = script(priced(1, 2_000_000));
    script.model.boot.on_plan.insert(agent("claude"));
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(script.run().used().cost_micro_usd, Some(COST));
}

#[test]
fn every_turn_counts_also_those_that_fail_and_a_stop_forgets_none() {
    let mut script = script(priced(3, 2_000_000_000));
    let limited = Play::Fails(AgentError::RateLimit { retry_after_ms: Some(1) });
    script.plays("codex", [Play::Babbles, limited, Play::Hangs]).start(&[Stage::Plan]).settle();
    script.tick(1);
    script.settle().expect_phase(Phase::Asking);
    assert_eq!(script.asked(), ["claude 1", "codex 1", "gemini 1", "codex 1 repair", "codex 2"]);
    assert_eq!(script.run().used().cost_micro_usd, Some(4 * COST));
    let mut next = script.reborn();
    next.plays("codex", []).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(next.run().used().cost_micro_usd, Some(5 * COST), "the earlier turns are in the journal");
    assert_eq!(next.run().used_by(&agent("codex")).input_tokens, 3_000);
}

#[test]
fn a_turn_that_may_cost_more_than_is_left_is_not_begun_and_says_what_to_do() {
    let mut script = script(priced(2, 500_000));
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), ["gemini 1"], "who is not paid by a price is asked all the same");
    let SeatState::Failed(
        error @ AgentError::Budget { why: Refusal::Cap { needs_micro_usd, left_micro_usd: 500_000 } },
    ) = script.seat("claude")
    else {
        panic!("{:?}", script.seat("claude"))
    };
    assert!(*needs_micro_usd > OPUS.of(0, 16_000));
    assert!(error.hint("claude").contains("run_usd"));
    assert_eq!(told(&script).iter().filter(|(_, status, cost)| status == "budget" && cost.is_none()).count(), 2);
    assert_eq!(script.run().verdicts[&Stage::Plan].verdict.status, Status::NoQuorum);
    assert_eq!(script.quits(), [4]);
}

#[test]
fn a_turn_waits_while_others_at_work_may_use_up_what_is_left() {
    let mut script = script(priced(2, 2_000_000));
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    assert_eq!(script.asked(), ["claude 1", "gemini 1"]);
    assert_eq!(script.seat("codex"), &SeatState::Queued(TurnKind::Draft));
    let held_back = |script: &Script| script.run().seat(&agent("codex")).and_then(|seat| seat.held_back);
    assert!(held_back(&script).is_some_and(|needs| needs > OPUS.of(0, 16_000)));
    script.unhold().settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), ["claude 1", "gemini 1", "codex 1"], "claude cost less than was set aside for it");
    assert_eq!(held_back(&script), None);
    assert_eq!(script.quits(), [0]);
}

#[test]
fn the_budget_is_looked_at_before_repairs_retries_and_the_round_too() {
    let spent = Usage { output_tokens: 20_000, ..Usage::default() };
    let limited = || Play::Fails(AgentError::RateLimit { retry_after_ms: Some(1) });
    for (what, play) in [("repair", Play::Babbles), ("retry", limited())] {
        let mut script = script(priced(1, 2_000_000));
        script.world.uses.insert("claude".to_owned(), spent);
        script.plays("claude", [play]).start(&[Stage::Plan]).settle();
        script.tick(1);
        script.settle().expect_phase(Phase::Decided);
        assert_eq!(script.asked(), ["claude 1", "codex 1", "gemini 1"], "{what}");
        assert!(matches!(script.seat("claude"), SeatState::Failed(AgentError::Budget { .. })), "{what}");
        assert_eq!(script.quits(), [6], "{what}");
    }
    let mut script = super::round::split(script(priced(1, 2_000_000)));
    script.world.uses.insert("claude".to_owned(), spent);
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    let rounds: Vec<String> = script.asked().into_iter().filter(|asked| asked.ends_with("round")).collect();
    assert_eq!(rounds, ["codex 1 round", "gemini 1 round"]);
    assert!(script.run().verdicts[&Stage::Plan].verdict.missing_agents.is_empty(), "its draft counts all the same");
}

#[test]
fn who_has_no_price_is_not_asked_where_the_config_says_so() {
    let mut settings = priced(2, 2_000_000_000);
    settings.budget.allow_unpriced = false;
    let mut script = script(settings);
    script.plays("claude", [says("10")]).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), ["claude 1", "codex 1"]);
    assert_eq!(script.seat("gemini"), &SeatState::Failed(AgentError::Budget { why: Refusal::Unpriced }));
}

#[test]
fn a_model_over_http_costs_its_price_and_nothing_on_this_machine_without_one() {
    let mut settings = priced(1, 2_000_000);
    for (at, agent) in settings.agents.iter_mut().enumerate() {
        let base_url = if at == 2 { "https://models.example/v1" } else { "http://127.0.0.1:8080/v1" };
        agent.kind = AgentKind::Api(Service {
            api: Api::OpenaiChat,
            base_url: base_url.into(),
            key_env: None,
            json_mode: JsonMode::JsonSchema,
            tools: true,
            lent: Default::default(),
        });
    }
    let script = Script::of(settings, true);
    let charges: Vec<Charge> = script.model.settings.agents.iter().map(|agent| charge(&script.model, agent)).collect();
    assert_eq!(charges, [Charge::Priced(OPUS), Charge::Free, Charge::Unpriced]);
}

#[test]
fn models_over_http_at_work_together_stay_within_the_budget_however_often_they_look() {
    let mut settings = priced(3, 2_000_000);
    for agent in &mut settings.agents {
        agent.max_output_tokens = 4_000;
        agent.kind = AgentKind::Api(Service {
            api: Api::OpenaiChat,
            base_url: "https://models.example/v1".into(),
            key_env: None,
            json_mode: JsonMode::JsonSchema,
            tools: true,
            lent: Default::default(),
        });
    }
    let mut script = script(settings);
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    assert_eq!(script.asked().len(), 3, "the first does not take what the others need");
    let set_aside: Vec<u64> = script.run().seats.iter().map(|seat| seat.set_aside).collect();
    assert!(set_aside.iter().sum::<u64>() <= 2_000_000, "{set_aside:?}");
    assert!(set_aside.iter().all(|mine| *mine > 500_000), "what is free is shared: {set_aside:?}");
    assert!(script.run().seats.iter().all(|seat| seat.set_aside > seat.reckoned));
    script.unhold().settle().expect_phase(Phase::Decided);
}
