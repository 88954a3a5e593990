//! Three agents, one plan: from the key to the verdict, effect by effect.

use super::script::{Kind, Script, agent, names, spec};
use crate::app::effect::{CommitId, Effect, RunEffect};
use crate::app::event::{Event, What};
use crate::app::key::Key;
use crate::app::model::{MemoryState, Phase, View};
use crate::app::msg::{Found, Msg, Request, RunMsg, Start};
use crate::domain::consensus::Status;
use crate::domain::journal::Record;
use crate::domain::stage::Stage;

#[test]
fn a_run_looks_for_an_earlier_one_takes_its_lock_and_records_its_opening_before_it_reads_anything() {
    let mut script = Script::new();
    let start = Start::of(spec("001-login"), vec![Stage::Plan]);
    let effects = script.send(Msg::Asked(Request::Start(start)));
    let id = script.id();
    let find = RunEffect::Find { spec: spec("001-login"), closed: false, stage: Stage::Plan };
    assert_eq!(effects, [Effect::Run(id.clone(), find)]);
    script.expect_phase(Phase::Opening);
    assert!(matches!(script.model.view(), View::Dashboard { run, .. } if run == &id));

    let open = RunEffect::Open { spec: spec("001-login"), abandon: None };
    let found = script.answer_with(Kind::Find, RunMsg::Found(Ok(Found::default())));
    assert_eq!(found, [Effect::Run(id.clone(), open)]);

    let opened =
        Record::RunOpened { spec: spec("001-login"), stages: vec![Stage::Plan], version: "0.1.0".into(), pid: 42 };
    let commit =
        RunEffect::Commit { id: CommitId(1), spec: spec("001-login"), files: Vec::new(), records: vec![opened] };
    assert_eq!(script.answer_one(Kind::Open), [Effect::Run(id.clone(), commit)]);
    script.expect_phase(Phase::Opening);

    let started = What::RunStarted { spec: spec("001-login"), stages: vec![Stage::Plan], resumed: false };
    let roster = vec![agent("claude"), agent("codex"), agent("gemini")];
    let prepare = RunEffect::Prepare {
        spec: spec("001-login"),
        stage: Stage::Plan,
        roster,
        range: None,
        brief: None,
        skipped: Default::default(),
        left_out: Vec::new(),
        agenda: None,
        back: None,
    };
    let event = Event { at: script.model.now, run: Some(id.clone()), ask: None, what: started };
    assert_eq!(script.answer_one(Kind::Commit), [Effect::Emit(event), Effect::Run(id, prepare)]);
    script.expect_phase(Phase::Preparing);
}

#[test]
fn three_agents_that_agree_end_in_a_verdict_that_is_recorded_published_and_copied() {
    let mut script = Script::headless();
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    let run = script.run();
    assert_eq!(run.verdicts[&Stage::Plan].verdict.status, Status::Agree);
    assert_eq!(run.memory, MemoryState::Stored(5));
    assert_eq!(
        script.journal(),
        [
            "run_opened",
            "stage_opened",
            "agent_launched",
            "agent_launched",
            "agent_launched",
            "agent_answered",
            "agent_answered",
            "agent_answered",
            "stage_decided",
            "publish_intended",
            "published",
            "mirrored",
            "run_closed",
        ]
    );
    assert_eq!((script.finished(), script.quits()), (vec![0], vec![0]));
    assert!(script.world.locks.is_empty(), "the lock was given back");
    let order = names(&script.effects);
    let at = |name: &str| order.iter().position(|n| n == name).unwrap_or_else(|| panic!("no {name}: {order:?}"));
    let walk = [
        "run.started",
        "stage.started",
        "turn claude 1",
        "agent.started",
        "agent.finished",
        "judge provisionally",
        "judge",
        "stage.verdict",
        "publish",
        "mirror",
        "release",
        "run.finished",
        "quit 0",
    ];
    assert!(walk.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "{order:?}");
    assert_eq!(order.last().map(String::as_str), Some("quit 0"));
    assert_eq!(order[order.len() - 2], "run.finished");
}

#[test]
fn the_verdict_forms_while_answers_are_out_and_one_provisional_judgement_is_asked_for_at_a_time() {
    let mut script = Script::new();
    script.hold(Kind::Turn).hold(Kind::Judge).start(&[Stage::Plan]).settle();
    script.answer_one(Kind::Turn);
    assert_eq!(names(&script.answer_one(Kind::Commit)), ["agent.finished", "judge provisionally"]);
    script.answer_one(Kind::Turn);
    assert_eq!(names(&script.answer_one(Kind::Commit)), ["agent.finished"]);
    let again = names(&script.answer_one(Kind::Judge));
    assert_eq!(again.last().map(String::as_str), Some("judge provisionally"), "what arrived meanwhile is judged");
    assert!(again.contains(&"claim.labelled".to_owned()));
    assert!(script.run().judgement.is_some());
    script.answer_one(Kind::Turn);
    assert_eq!(names(&script.answer_one(Kind::Commit)), ["agent.finished", "judge"]);
    script.expect_phase(Phase::Judging);
    // The provisional answer comes after the last question was asked: it says nothing any more.
    assert_eq!(names(&script.answer_one(Kind::Judge)), Vec::<String>::new());
    script.unhold().settle().expect_phase(Phase::Decided);
}

#[test]
fn auto_goes_on_after_degraded_in_plan_and_stops_at_implement_with_exit_10() {
    use super::world::Play;
    use crate::domain::failure::AgentError;
    let mut script = Script::headless();
    let crash = || Play::Fails(AgentError::Auth { why: "sign in".into() });
    script.plays("gemini", [crash(), crash()]);
    script.start(&Stage::ALL).settle();
    let run = script.run();
    let status = |stage: Stage| run.verdicts[&stage].verdict.status;
    assert_eq!((status(Stage::Plan), status(Stage::Tasks)), (Status::Degraded, Status::Degraded));
    assert!(matches!(run.phase, Phase::Failed(_)));
    assert_eq!((script.finished(), script.quits()), (vec![10], vec![10]));
    assert_eq!(script.journal().iter().filter(|name| *name == "mirrored").count(), 2, "no copy is lost");
    assert_eq!(script.journal().last().map(String::as_str), Some("run_closed"));
    let told = script.events().into_iter().find_map(|e| match &e.what {
        What::RunFinished { failure, evidence, .. } => Some((failure.clone(), evidence.clone())),
        _ => None,
    });
    let (failure, evidence) = told.unwrap();
    assert!(failure.unwrap().0.contains("implement"));
    assert!(evidence.is_some(), "what was decided before is in the evidence");
}

#[test]
fn a_memory_that_is_away_changes_neither_status_nor_exit() {
    let hash = |away: Option<String>| {
        let mut script = Script::headless();
        script.world.memory_away = away;
        script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
        assert_eq!(script.quits(), [0]);
        script.run().verdicts[&Stage::Plan].verdict.hash.clone()
    };
    assert_eq!(hash(None), hash(Some("it never answered".into())));
}

#[test]
fn nothing_is_asked_without_an_agent_and_the_exit_is_10() {
    let mut script = Script::of(super::script::settings(&[]), true);
    script.start(&[Stage::Plan]).settle();
    assert_eq!((script.finished(), script.quits()), (vec![10], vec![10]));
    assert_eq!(names(&script.effects), ["run.finished", "quit 10"]);
}

#[test]
fn a_spec_that_asks_for_nothing_ends_before_anybody_is_asked() {
    let mut script = Script::headless();
    script.world.unreadable = true;
    script.start(&[Stage::Plan]).settle();
    assert_eq!((script.asked(), script.quits()), (vec![], vec![10]));
    assert_eq!(script.journal(), ["run_opened", "run_closed"]);
}

#[test]
fn an_agent_that_costs_something_is_asked_for_first() {
    use crate::app::model::Overlay;
    use crate::domain::settings::{AgentKind, Launch};
    let mut settings = super::script::settings(&super::script::THREE);
    settings.agents[0].kind = AgentKind::Command(Launch::default());
    let mut script = Script::of(settings, false);
    script.key(Key::Char('p'));
    assert!(matches!(script.model.overlay, Some(Overlay::Preflight(_))), "{:?}", script.model.notice);
    assert!(script.effects.is_empty());
    script.key(Key::Esc);
    assert!(script.model.overlay.is_none() && script.model.runs.is_empty());
    script.key(Key::Char('p')).key(Key::Enter).settle().expect_phase(Phase::Decided);
}

#[test]
fn nobody_is_asked_who_said_yes_before() {
    use crate::domain::settings::{AgentKind, Launch};
    let mut settings = super::script::settings(&super::script::THREE);
    settings.agents[0].kind = AgentKind::Command(Launch::default());
    let mut script = Script::of(settings, false);
    script.model.boot.yes = true;
    script.key(Key::Char('p')).settle().expect_phase(Phase::Decided);
}

#[test]
fn a_typed_command_starts_what_a_key_starts() {
    let mut script = Script::new();
    script.key(Key::Char(':')).type_text("/speckit.plan 002").key(Key::Enter).settle();
    assert_eq!(script.run().spec, spec("002-audit"));
    script.expect_phase(Phase::Decided);
    assert_eq!(script.model.history, ["/speckit.plan 002"]);
}
