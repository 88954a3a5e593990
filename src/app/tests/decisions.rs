//! What a human decides: reopened, recorded, judged again; taken back; refused where it cannot be done.

use super::script::{Kind, Script, names, spec};
use super::world::{open_key, says};
use crate::app::key::Key;
use crate::app::model::{Phase, View};
use crate::app::msg::{Choice, Decide, Msg, Request};
use crate::domain::consensus::{Label, Status};
use crate::domain::stage::Stage;

/// A decided plan on which three agents want three values, with its verdict on screen (or none).
pub(super) fn in_conflict(headless: bool) -> Script {
    let mut script = if headless { Script::headless() } else { Script::new() };
    script.plays("claude", [says("10")]).plays("codex", [says("20")]).plays("gemini", [says("30")]);
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(status(&script), Status::Conflict);
    if !headless {
        script.key(Key::Char('v'));
    }
    script
}

fn status(script: &Script) -> Status {
    script.run().verdicts[&Stage::Plan].verdict.status
}

pub(super) fn decide(choice: Choice) -> Msg {
    decide_about(open_key().as_str(), choice)
}

fn decide_about(claim: &str, choice: Choice) -> Msg {
    Msg::Asked(Request::Decide(Decide {
        spec: spec("001-login"),
        stage: Stage::Plan,
        claim: claim.into(),
        choice,
        by: "ana".into(),
        reason: "measured".into(),
    }))
}

#[test]
fn choosing_a_side_reopens_records_and_replaces_the_verdict() {
    let mut script = in_conflict(false);
    let before = script.run().verdicts[&Stage::Plan].verdict.hash.clone();
    script.key(Key::Enter);
    assert!(matches!(script.model.view(), View::Conflict(c) if c.claim == open_key()));
    script.key(Key::Char('2'));
    // A reason is asked for: it goes into the record.
    script.key(Key::Enter);
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("reason"));
    let at = script.effects.len();
    script.type_text("measured on staging").key(Key::Enter).settle().expect_phase(Phase::Decided);
    let walk: Vec<String> = names(&script.effects[at..]).into_iter().filter(|n| !n.contains('.')).collect();
    assert_eq!(
        walk,
        [
            "open",
            "commit run_reopened human_decided",
            "judge",
            "commit stage_decided publish_intended",
            "publish",
            "commit published",
            "mirror",
            "survey",
            "commit mirrored run_closed",
            "release",
        ]
    );
    let verdict = &script.run().verdicts[&Stage::Plan].verdict;
    assert_eq!((verdict.status, verdict.exit), (Status::AgreeWithDissent, 0));
    assert_ne!(verdict.hash, before);
    assert!(verdict.claims.iter().any(|c| c.key == open_key() && c.label == Label::Conflict));
    assert_eq!(script.asked().len(), 3, "nobody is asked again");
    assert!(matches!(script.model.view(), View::Verdict { .. }));
}

#[test]
fn a_decision_is_taken_back_with_one_key() {
    let mut script = in_conflict(false);
    script.key(Key::Enter).key(Key::Char('1')).type_text("measured").key(Key::Enter).settle();
    assert_eq!(status(&script), Status::AgreeWithDissent);
    script.key(Key::Char('u')).settle().expect_phase(Phase::Decided);
    assert_eq!(status(&script), Status::Conflict);
    assert!(script.run().decisions.is_empty() && script.run().human.waivers.is_empty());
    let journal = script.journal();
    assert_eq!(journal.iter().filter(|name| *name == "human_decided").count(), 2, "both stay in the record");
}

#[test]
fn waiving_lets_the_stage_go_on_and_rejecting_ends_it() {
    for (key, wanted, exit) in [('w', Status::AgreeWithDissent, 0), ('b', Status::Rejected, 2)] {
        let mut script = in_conflict(false);
        script.key(Key::Enter).key(Key::Char('i')).type_text("we know").key(Key::Esc).key(Key::Char(key));
        script.settle().expect_phase(Phase::Decided);
        let verdict = &script.run().verdicts[&Stage::Plan].verdict;
        assert_eq!((verdict.status, verdict.exit), (wanted, exit), "{key}");
    }
}

#[test]
fn another_process_decides_on_the_recorded_run_without_asking_anybody() {
    let mut script = in_conflict(true).reborn();
    script.send(decide(Choice::Waive));
    script.settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), Vec::<String>::new());
    assert_eq!(status(&script), Status::AgreeWithDissent);
    assert_eq!((script.finished(), script.quits()), (vec![0], vec![0]));
    // And a third one takes it back: the decision was read from the journal.
    let mut script = script.reborn();
    script.send(decide(Choice::Undo));
    script.settle().expect_phase(Phase::Decided);
    assert_eq!((status(&script), script.quits()), (Status::Conflict, vec![1]));
}

#[test]
fn a_decision_about_an_older_stage_finds_the_run_that_decided_it() {
    let mut script = in_conflict(true).reborn();
    script.world.plays.clear();
    script.start(&[Stage::Tasks]).settle().expect_phase(Phase::Decided);
    let mut script = script.reborn();
    script.send(decide(Choice::Waive));
    script.settle().expect_phase(Phase::Decided);
    assert_eq!((script.run().stage, status(&script)), (Stage::Plan, Status::AgreeWithDissent));
}

#[test]
fn what_cannot_be_decided_ends_with_a_usage_failure_and_never_hangs() {
    let nothing = decide(Choice::Undo);
    for wrong in [decide_about("ffff0000", Choice::Waive), decide_about("a", Choice::Waive), nothing] {
        let mut script = in_conflict(true).reborn();
        script.send(wrong);
        script.settle();
        assert!(matches!(script.run().phase, Phase::Failed(_)), "{:?}", script.run().phase);
        assert_eq!((script.finished(), script.quits()), (vec![64], vec![64]));
    }
}

#[test]
fn a_decision_without_a_recorded_run_needs_input() {
    let mut script = Script::headless();
    script.send(decide(Choice::Waive));
    script.settle();
    assert_eq!((script.finished(), script.quits()), (vec![10], vec![10]));
}

#[test]
fn a_decision_about_a_spec_that_changed_asks_nobody_anew() {
    let mut script = in_conflict(true).reborn();
    script.world.words = "another text".into();
    script.send(decide(Choice::Waive));
    script.settle();
    assert_eq!(script.asked(), Vec::<String>::new());
    assert_eq!((script.finished(), script.quits()), (vec![7], vec![7]));
}

#[test]
fn on_screen_a_wrong_decision_leaves_the_verdict_as_it_is() {
    let mut script = in_conflict(false);
    script.send(decide_about("ffff0000", Choice::Waive));
    script.expect_phase(Phase::Decided);
    assert!(script.model.notice.as_ref().unwrap().bad);
}

#[test]
fn a_lock_that_somebody_else_took_leaves_the_verdict_and_the_decision_can_be_made_again() {
    let mut script = in_conflict(false);
    script.world.taken.insert(spec("001-login"));
    script.key(Key::Enter).key(Key::Char('1')).type_text("measured").key(Key::Enter).settle();
    script.expect_phase(Phase::Decided);
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("pid 4711"));
    assert!(script.run().decisions.is_empty());
    script.world.taken.clear();
    script.key(Key::Enter).key(Key::Char('1')).type_text("measured").key(Key::Enter).settle();
    assert_eq!((status(&script), script.run().decisions.len()), (Status::AgreeWithDissent, 1));
    let journal = script.journal();
    assert_eq!(journal.iter().filter(|name| *name == "human_decided").count(), 1);
}

#[test]
fn a_decision_works_after_a_stop_that_the_verdict_beat() {
    let mut script = Script::new();
    script.plays("claude", [says("10")]).plays("codex", [says("20")]).plays("gemini", [says("30")]);
    script.hold(Kind::Publish).start(&[Stage::Plan]).settle().expect_phase(Phase::Publishing);
    script.key(Key::Esc).unhold().settle().expect_phase(Phase::Decided);
    script.key(Key::Char('v')).key(Key::Enter).key(Key::Char('1')).type_text("measured").key(Key::Enter).settle();
    script.expect_phase(Phase::Decided);
    assert_eq!(status(&script), Status::AgreeWithDissent);
}

#[test]
fn a_stop_while_a_decision_is_judged_keeps_everything_for_the_next_start() {
    let mut script = in_conflict(false);
    script.key(Key::Enter).key(Key::Char('1')).type_text("measured").hold(Kind::Judge).key(Key::Enter).settle();
    script.expect_phase(Phase::Judging).key(Key::Char('X')).unhold().settle().expect_phase(Phase::Stopped);
    let mut next = script.reborn();
    next.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(next.asked(), Vec::<String>::new(), "nobody is paid twice");
    assert_eq!((next.id(), status(&next)), (script.id(), Status::AgreeWithDissent));
}

#[test]
fn nothing_can_be_decided_while_the_verdict_is_only_forming() {
    let mut script = Script::new();
    script.plays("claude", [says("10")]).plays("codex", [says("20")]).plays("gemini", [super::world::Play::Hangs]);
    script.start(&[Stage::Plan]).settle().key(Key::Char('X')).settle().expect_phase(Phase::Stopped);
    script.key(Key::Char('v')).key(Key::Enter);
    assert!(matches!(script.model.view(), View::Verdict { .. }));
    assert_eq!(script.run().phase, Phase::Stopped);
}

/// A fresh conflict whose copies memory does not take.
fn with_deaf_memory() -> Script {
    let mut script = Script::new();
    script.plays("claude", [says("10")]).plays("codex", [says("20")]).plays("gemini", [says("30")]);
    script.hold(Kind::Mirror).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    script.key(Key::Char('v')).key(Key::Enter);
    script
}

#[test]
fn while_memory_is_deaf_a_conflict_is_decided_and_taken_back_at_once_and_the_lock_is_released_once() {
    let mut script = with_deaf_memory();
    script.key(Key::Char('1')).type_text("measured").key(Key::Enter).settle().expect_phase(Phase::Decided);
    assert_eq!(status(&script), Status::AgreeWithDissent);
    script.key(Key::Char('u')).settle().expect_phase(Phase::Decided);
    assert_eq!(status(&script), Status::Conflict);
    let is_end = |name: &String| name == "run_closed" || name == "mirrored";
    assert!(!script.journal().iter().any(is_end), "memory has not answered: {:?}", script.journal());
    assert!(
        !names(&script.effects).iter().any(|name| name == "open" || name == "release") || script.run().lock.is_held()
    );
    script.unhold().settle().expect_phase(Phase::Decided);
    let journal = script.journal();
    assert_eq!(journal[journal.len() - 4..], ["mirrored", "mirrored", "mirrored", "run_closed"], "{journal:?}");
    let count = |wanted: &str| names(&script.effects).iter().filter(|name| *name == wanted).count();
    assert_eq!((count("open"), count("release")), (1, 1));
    assert!(script.world.locks.is_empty() && script.finished().len() == 1);
}

#[test]
fn a_decision_while_the_run_is_put_away_is_carried_out_right_after() {
    for held in [Kind::Commit, Kind::Release] {
        let mut script = with_deaf_memory();
        script.hold(held).answer_one(Kind::Mirror);
        script.settle().key(Key::Char('1')).type_text("measured").key(Key::Enter).expect_phase(Phase::Opening);
        script.unhold().settle().expect_phase(Phase::Decided);
        assert_eq!((status(&script), script.run().decisions.len()), (Status::AgreeWithDissent, 1), "{held:?}");
        assert_eq!(script.journal().last().map(String::as_str), Some("run_closed"));
        assert!(script.world.locks.is_empty());
    }
}

#[test]
fn a_decision_that_waits_for_the_run_to_be_put_away_can_be_stopped_and_leaves_the_verdict() {
    let mut script = with_deaf_memory();
    script.hold(Kind::Release).answer_one(Kind::Mirror);
    script.settle().key(Key::Char('1')).type_text("measured").key(Key::Enter).key(Key::Char('X'));
    script.unhold().settle().expect_phase(Phase::Decided);
    assert_eq!((status(&script), script.run().decisions.len()), (Status::Conflict, 0));
    assert!(!script.journal().contains(&"human_decided".to_owned()) && script.world.locks.is_empty());
}

#[test]
fn after_a_stop_that_the_verdict_beat_a_decision_waits_for_the_copies_that_were_cut_short() {
    let mut script = Script::new();
    script.plays("claude", [says("10")]).plays("codex", [says("20")]).plays("gemini", [says("30")]);
    script.hold(Kind::Publish).start(&[Stage::Plan]).settle().key(Key::Esc);
    script.unhold().hold(Kind::Mirror).settle().expect_phase(Phase::Decided);
    script.key(Key::Char('v')).key(Key::Enter).key(Key::Char('1')).type_text("measured").key(Key::Enter).settle();
    script.expect_phase(Phase::Opening).unhold().settle().expect_phase(Phase::Decided);
    assert_eq!(status(&script), Status::AgreeWithDissent);
}
