//! Durable before visible: nothing starts, shows or is told before its record is on disk.

use super::script::{Kind, Script, agent, names};
use super::world::{Play, full};
use crate::app::effect::{Effect, RunEffect};
use crate::app::key::Key;
use crate::app::model::{Phase, SeatState};
use crate::app::msg::{PublishReport, RunMsg};
use crate::domain::hash::Sha;
use crate::domain::journal::FileRef;
use crate::domain::merge::{Aside, Merge, Stays, Unmerged};
use crate::domain::run::TurnKind;
use crate::domain::stage::Stage;

#[test]
fn no_agent_is_started_before_its_launch_is_on_disk() {
    let mut script = Script::new();
    script.start(&[Stage::Plan]);
    script.answer_one(Kind::Find);
    script.answer_one(Kind::Open);
    script.answer_one(Kind::Commit);
    assert_eq!(names(&script.answer_one(Kind::Prepare)), ["commit stage_opened"]);
    let launches = script.answer_one(Kind::Commit);
    assert_eq!(names(&launches), ["stage.started"].into_iter().chain(["commit agent_launched"; 3]).collect::<Vec<_>>());
    assert_eq!(script.asked(), Vec::<String>::new());
    assert_eq!(script.seat("claude"), &SeatState::Launching(TurnKind::Draft));
    assert_eq!(names(&script.answer_one(Kind::Commit)), ["turn claude 1", "agent.started"]);
    assert_eq!(script.seat("claude"), &SeatState::Asking(TurnKind::Draft));
    assert_eq!(script.seat("codex"), &SeatState::Launching(TurnKind::Draft));
}

#[test]
fn an_answer_is_shown_and_told_only_when_it_is_kept() {
    let mut script = Script::new();
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    assert_eq!(names(&script.answer_one(Kind::Turn)), ["commit agent_answered"]);
    assert_eq!(script.seat("claude"), &SeatState::Keeping);
    assert!(script.run().seat(&agent("claude")).unwrap().answer.is_none());
    assert_eq!(names(&script.answer_one(Kind::Commit)), ["agent.finished", "judge provisionally"]);
    assert_eq!(script.seat("claude"), &SeatState::Answered);
}

#[test]
fn a_verdict_is_told_and_published_only_when_it_is_kept() {
    let mut script = Script::new();
    script.hold(Kind::Judge).start(&[Stage::Plan]).settle().expect_phase(Phase::Judging);
    while script.run().phase == Phase::Judging {
        script.answer_one(Kind::Judge);
    }
    script.expect_phase(Phase::Recording);
    assert!(script.run().verdicts.is_empty());
    let kept = names(&script.answer_one(Kind::Commit));
    assert_eq!(kept[kept.len() - 2..], ["stage.verdict", "publish"]);
    assert!(script.run().verdicts.contains_key(&Stage::Plan));
}

#[test]
fn what_the_committed_verdicts_say_is_ours_may_be_replaced_without_a_journal_of_it() {
    let mut script = Script::new();
    script.world.standing = [("plan.md".to_owned(), Sha::of("of another machine"))].into();
    script.hold(Kind::Publish).start(&[Stage::Plan]).settle().expect_phase(Phase::Publishing);
    let published = |effect: &Effect| match effect {
        Effect::Run(_, RunEffect::Publish { ours, .. }) => Some(ours.clone()),
        _ => None,
    };
    let ours = script.pending.iter().find_map(published).unwrap();
    assert_eq!(ours["plan.md"], [Sha::of("of another machine")]);
    let beside = FileRef { path: "plan.dicast-new.md".into(), sha256: Sha::of("new"), bytes: 3 };
    let old = FileRef { path: "verdicts/plan.dicast-old.json".into(), ..beside.clone() };
    let aside = Aside { path: "plan.md".into(), beside, why: Unmerged::NoBase };
    let merge =
        Merge { file: FileRef { path: "tasks.md".into(), ..old.clone() }, stays: Stays::default(), backup: None };
    let report =
        PublishReport { merged: vec![merge], kept_aside: vec![aside], gave_way: vec![old], ..PublishReport::default() };
    script.answer_with(Kind::Publish, RunMsg::Published(Stage::Plan, Ok(report)));
    let told: Vec<String> = script.run().warnings.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|text| text.contains("the next stage reads it; ours is plan.dicast-new.md")), "{told:?}");
    assert!(told.iter().any(|text| text.starts_with("tasks.md stays as a hand left it")), "{told:?}");
    let shown: Vec<String> = script.run().edited.values().map(ToString::to_string).collect();
    let aside = "it stays; ours: take it from plan.dicast-new.md, then remove that";
    assert_eq!(shown, [aside, "as a hand left it: nothing that is new is missing there"]);
    let ours = &script.run().published;
    assert!(
        ours.contains_key("plan.dicast-new.md") && !ours.contains_key("tasks.md"),
        "the hand's is never ours: {ours:?}"
    );
    assert!(told.iter().any(|text| text.contains("it is kept as verdicts/plan.dicast-old.json")), "{told:?}");
}

#[test]
fn a_full_disk_ends_the_run_with_exit_3_and_stops_what_is_in_flight() {
    let mut script = Script::headless();
    script.plays("codex", [Play::Hangs]).plays("gemini", [Play::Hangs]);
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    script.answer_one(Kind::Turn);
    script.world.is_full = true;
    let effects = names(&script.answer_one(Kind::Commit));
    assert_eq!(effects, ["stop", "release"]);
    script.expect_phase(Phase::Failed(full()));
    assert!(script.run().seats.iter().all(|seat| matches!(seat.state, SeatState::Failed(_))), "nothing spins any more");
    // Agents that are stopped still report: that changes nothing, and is not written into a journal that is closed.
    script.unhold().settle().expect_phase(Phase::Failed(full()));
    assert_eq!((script.finished(), script.quits()), (vec![3], vec![3]));
    assert_eq!(names(&script.effects).last().map(String::as_str), Some("quit 3"));
}

#[test]
fn what_waited_for_a_failed_commit_never_happens() {
    let mut script = Script::new();
    script.hold(Kind::Commit).start(&[Stage::Plan]);
    script.settle();
    for _ in 0..1 {
        script.answer_one(Kind::Commit);
    }
    script.settle();
    script.answer_one(Kind::Commit);
    script.world.is_full = true;
    script.unhold().settle();
    assert_eq!(script.asked(), Vec::<String>::new());
    assert!(script.model.after.is_empty());
    assert_eq!(script.finished(), [3]);
    assert!(script.model.notice.as_ref().unwrap().bad);
}

#[test]
fn a_disk_that_fails_at_any_commit_ends_in_one_exit_3_and_never_hangs() {
    for good in 0_u32..11 {
        let mut script = Script::headless();
        // The journal's keeper takes its requests in order.
        script.hold(Kind::Commit).hold(Kind::Release).start(&[Stage::Plan]).settle();
        let mut left = good;
        while !script.pending.is_empty() {
            script.world.is_full |= left == 0;
            left = left.saturating_sub(1);
            script.answer(0);
            script.settle();
        }
        assert_eq!((script.finished(), script.quits()), (vec![3], vec![3]), "after {good} commits");
        assert!(script.world.locks.is_empty() && script.model.after.is_empty());
    }
}

#[test]
fn a_disk_that_fails_while_documents_are_published_ends_in_exit_3() {
    let mut script = Script::headless();
    script.hold(Kind::Publish).start(&[Stage::Plan]).settle().expect_phase(Phase::Publishing);
    script.answer_with(Kind::Publish, RunMsg::Published(Stage::Plan, Err(full())));
    script.unhold().settle().expect_phase(Phase::Failed(full()));
    assert_eq!((script.finished(), script.quits()), (vec![3], vec![3]));
}

#[test]
fn a_human_decision_holds_only_when_it_is_on_disk() {
    let mut script = super::decisions::in_conflict(false);
    script.key(Key::Enter).key(Key::Char('1')).type_text("measured").hold(Kind::Commit);
    script.key(Key::Enter).settle().expect_phase(Phase::Judging);
    assert!(script.run().decisions.is_empty() && script.run().human.waivers.is_empty());
    script.answer_one(Kind::Commit);
    assert_eq!((script.run().decisions.len(), script.run().human.waivers.len()), (1, 1));
}

#[test]
fn a_record_that_fails_after_the_stop_is_written_ends_nothing_twice() {
    let mut script = Script::new();
    script.hold(Kind::Publish).start(&[Stage::Plan, Stage::Tasks]).settle().expect_phase(Phase::Publishing);
    script.key(Key::Esc).unhold().hold(Kind::Commit).hold(Kind::Release).settle();
    script.answer_one(Kind::Commit);
    script.settle();
    assert_eq!(names(&script.answer_one(Kind::Commit)), ["release"], "the stop is written");
    script.world.is_full = true;
    script.answer_one(Kind::Commit);
    script.unhold().settle().expect_phase(Phase::Stopped);
    assert_eq!(script.finished(), [130]);
}
