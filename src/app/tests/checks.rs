//! Checks that a human asks for: they settle a claim, and they never undo what somebody did meanwhile.

use super::decisions::in_conflict;
use super::script::{Kind, Script, names, spec};
use super::world::open_key;
use crate::app::key::Key;
use crate::app::model::Phase;
use crate::app::msg::{Msg, Request};
use crate::domain::claim::lookup::Citation;
use crate::domain::consensus::Label;
use crate::domain::stage::Stage;

fn cited(mut script: Script) -> Script {
    let test = Citation::Test { check: None, id: "burst".into() };
    script.world.cited.push((open_key(), test));
    script
}

/// A conflict on screen for which a test was cited.
fn with_test() -> Script {
    let mut script = cited(Script::new());
    for (agent, value) in [("claude", "10"), ("codex", "20"), ("gemini", "30")] {
        script.plays(agent, [super::world::says(value)]);
    }
    script.start(&[Stage::Plan]).settle().key(Key::Char('v')).key(Key::Enter);
    script
}

fn label(script: &Script) -> Label {
    let claims = &script.run().verdicts[&Stage::Plan].verdict.claims;
    claims.iter().find(|claim| claim.key == open_key()).unwrap().label
}

#[test]
fn a_check_that_passes_settles_the_conflict_in_a_new_verdict() {
    let mut script = with_test();
    assert_eq!(label(&script), Label::Conflict);
    script.key(Key::Char('t')).settle().expect_phase(Phase::Decided);
    assert_eq!(label(&script), Label::Proven);
    assert!(script.journal().contains(&"run_reopened".to_owned()));
}

#[test]
fn the_key_pressed_twice_runs_it_once() {
    let mut script = with_test();
    script.hold(Kind::Check).key(Key::Char('t')).key(Key::Char('t'));
    assert_eq!(names(&script.effects).iter().filter(|name| *name == "check").count(), 1);
}

#[test]
fn a_decision_while_the_check_runs_is_judged_together_with_it() {
    for held in [Kind::Open, Kind::Judge, Kind::Commit, Kind::Publish] {
        let mut script = with_test();
        script.hold(Kind::Check).key(Key::Char('t')).key(Key::Char('1')).type_text("sure");
        script.hold(held).key(Key::Enter).settle();
        script.answer_one(Kind::Check);
        script.unhold().settle().expect_phase(Phase::Decided);
        assert_eq!(script.run().decisions.len(), 1, "{held:?}");
        if held != Kind::Publish {
            assert_eq!(label(&script), Label::Proven, "{held:?}: what it showed is not lost");
        }
        let published = script.journal().iter().filter(|name| *name == "published").count();
        assert_eq!(published, 2, "{held:?}: one verdict for both");
    }
}

#[test]
fn a_reason_finished_while_the_stage_is_judged_again_waits() {
    let mut script = with_test();
    script.hold(Kind::Check).key(Key::Char('t')).key(Key::Char('1')).type_text("sure").hold(Kind::Judge);
    script.answer_one(Kind::Check);
    script.settle().expect_phase(Phase::Judging);
    script.key(Key::Enter);
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("no recorded verdict now"));
    script.unhold().settle().expect_phase(Phase::Decided);
}

fn asked() -> Msg {
    Msg::Asked(Request::Check { spec: spec("001-login"), stage: Stage::Plan })
}

#[test]
fn without_a_screen_a_recorded_conflict_is_settled_by_running_its_test() {
    let mut script = cited(in_conflict(true)).reborn();
    script.send(asked());
    script.settle().expect_phase(Phase::Decided);
    assert_eq!((label(&script), script.asked().len()), (Label::Proven, 0));
    assert_eq!((script.finished(), script.quits()), (vec![0], vec![0]));
}

#[test]
fn without_a_test_that_could_settle_it_input_is_needed() {
    let mut script = in_conflict(true).reborn();
    script.send(asked());
    script.settle();
    assert_eq!((script.finished(), script.quits()), (vec![10], vec![10]));
}

#[test]
fn a_check_that_ends_after_the_stop_reopens_nothing() {
    let mut script = cited(in_conflict(true)).reborn();
    script.hold(Kind::Check);
    script.send(asked());
    script.settle().expect_phase(Phase::Judging);
    script.send(Msg::Asked(Request::Stop(None)));
    script.unhold().settle().expect_phase(Phase::Stopped);
    assert_eq!((script.finished(), script.quits()), (vec![130], vec![130]));
}

#[test]
fn nothing_is_decided_about_a_spec_while_another_run_of_it_is_live() {
    let mut script = with_test();
    let plan = script.id();
    script.tick(1_000);
    script.hold(Kind::Turn).start(&[Stage::Tasks]).settle().expect_phase(Phase::Asking);
    script.send(super::decisions::decide(crate::app::msg::Choice::Waive));
    assert_eq!(script.model.runs[&plan].phase, Phase::Decided);
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("is live already"));
}

#[test]
fn a_stop_before_the_reopened_stage_is_judged_begins_neither_the_check_nor_the_decision() {
    for msg in [asked(), super::decisions::decide(crate::app::msg::Choice::Waive)] {
        let mut script = cited(in_conflict(true)).reborn();
        script.hold(Kind::Judge);
        script.send(msg);
        script.settle().expect_phase(Phase::Judging);
        script.send(Msg::Asked(Request::Stop(None)));
        // The judgement beats the stop.
        script.world.is_deaf = true;
        script.unhold().settle().expect_phase(Phase::Stopped);
        assert!(!names(&script.effects).contains(&"check".to_owned()));
        assert!(!script.journal().contains(&"human_decided".to_owned()));
        assert_eq!((script.finished(), script.quits()), (vec![130], vec![130]));
    }
}

#[test]
fn a_model_with_everything_in_it_survives_json_because_a_recording_is_made_of_it() {
    let mut script = with_test();
    script.key(Key::Char('t')).settle();
    assert!(!script.run().known.is_empty());
    let text = serde_json::to_string(&script.model).unwrap();
    let read: crate::app::model::Model = serde_json::from_str(&text).unwrap();
    assert_eq!(read, script.model);
}

#[test]
fn the_verdict_of_an_earlier_stage_is_walked_and_copied_but_decided_only_in_its_own_run() {
    let mut script = Script::new();
    script.start(&[Stage::Plan, Stage::Tasks]).settle().expect_phase(Phase::Decided);
    script.key(Key::Char(':')).type_text("verdict 001 plan").key(Key::Enter);
    let (run, rows) = (script.run(), crate::app::update::rows(script.run(), Stage::Plan, true));
    let plan: Vec<_> = run.verdicts[&Stage::Plan].verdict.claims.iter().map(|claim| claim.key.clone()).collect();
    assert_eq!(rows.len(), plan.len());
    assert!(rows.iter().all(|key| plan.contains(key)));
    let hash = run.verdicts[&Stage::Plan].verdict.hash.to_string();
    script.key(Key::End).key(Key::Char('y'));
    assert_eq!(names(&script.effects).last(), Some(&format!("copy {hash}")));
}

#[test]
fn while_memory_is_deaf_a_check_runs_and_settles_the_conflict() {
    let mut script = cited(Script::new());
    for (agent, value) in [("claude", "10"), ("codex", "20"), ("gemini", "30")] {
        script.plays(agent, [super::world::says(value)]);
    }
    script.hold(Kind::Mirror).start(&[Stage::Plan]).settle().key(Key::Char('v')).key(Key::Enter);
    script.key(Key::Char('t')).settle().expect_phase(Phase::Decided);
    assert_eq!(label(&script), Label::Proven);
    script.unhold().settle();
    assert_eq!(script.journal().last().map(String::as_str), Some("run_closed"));
    assert!(script.world.locks.is_empty());
}

#[test]
fn what_was_proven_or_settled_offers_no_check_and_the_key_does_nothing() {
    let mut proven = with_test();
    // Another test is cited too, and was not run.
    proven.world.cited.push((open_key(), Citation::Test { check: None, id: "other".into() }));
    proven.key(Key::Char('t')).settle();
    assert_eq!(label(&proven), Label::Proven);
    let mut settled = with_test();
    settled.key(Key::Char('1')).type_text("sure").key(Key::Enter).settle();
    for script in [&mut proven, &mut settled] {
        script.key(Key::Char('v')).key(Key::Char('a')).key(Key::Home);
        for _ in 0..script.run().judgement.as_ref().unwrap().verdict.claims.len() {
            let is_offered = crate::app::update::can(&script.model, crate::app::keymap::Action::Check);
            let at = script.effects.len();
            script.key(Key::Char('t'));
            assert!(!is_offered && script.effects.len() == at, "{:?}", script.model.view());
            script.key(Key::Down);
        }
    }
}

#[test]
fn the_sides_on_screen_are_those_of_the_verdict_at_hand() {
    let mut script = with_test();
    let shown = |script: &Script| match script.model.view() {
        crate::app::model::View::Conflict(conflict) => conflict.sides.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(&script).len(), 3);
    assert!(
        shown(&script).iter().all(|side| side.speakers.iter().all(|s| s.tier != crate::domain::claim::Tier::E3True))
    );
    script.key(Key::Char('t')).settle();
    assert!(
        shown(&script).iter().any(|side| side.speakers.iter().any(|s| s.tier == crate::domain::claim::Tier::E3True))
    );
}
