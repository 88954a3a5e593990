//! Going on with a run that was stopped or killed: nobody is paid twice, and nothing is mixed.

use super::script::{Kind, Script, names, spec};
use super::world::{Play, says};
use crate::app::event::{Event, What};
use crate::app::key::Key;
use crate::app::model::{Phase, SeatState};
use crate::app::msg::{Msg, Request, Start};
use crate::domain::consensus::Status;
use crate::domain::failure::AgentError;
use crate::domain::journal::{Closed, Record};
use crate::domain::stage::Stage;

#[test]
fn a_spec_that_changes_between_two_stages_of_a_run_is_planned_anew() {
    let mut script = Script::headless();
    script.hold(Kind::Publish).start(&[Stage::Plan, Stage::Tasks]).settle().expect_phase(Phase::Publishing);
    script.hold(Kind::Prepare).answer_one(Kind::Publish);
    script.settle();
    script.world.outdated.insert(Stage::Plan);
    script.unhold().settle();
    let told = |event: &&Event| matches!(&event.what, What::Warning { text } if text.as_str().contains("its plan was decided · it starts over"));
    assert!(script.events().iter().any(told), "{}", script.story());
    let ends = script.world.journals.values();
    let ends: Vec<_> = ends.map(|j| crate::domain::journal::closed(j.records.iter().map(|(_, r)| r))).collect();
    // Ids are drawn, so the runs come in any order.
    assert!(
        ends.len() == 2 && ends.contains(&Some(Closed::Stale)) && ends.contains(&Some(Closed::Decided)),
        "{ends:?}"
    );
    assert_eq!(script.asked().len(), 9, "the plan twice, the tasks once, by three agents");
    assert_eq!(script.quits(), [0]);
}

#[test]
fn a_stage_behind_an_outdated_one_starts_only_when_a_person_says_that_it_still_holds() {
    let mut script = Script::headless();
    script.world.outdated = [Stage::Plan].into();
    script.start(&[Stage::Tasks]).settle();
    let Phase::Failed(failure) = &script.run().phase else { panic!("{:?}", script.run().phase) };
    assert_eq!(failure.exit(), 10);
    assert!(failure.hint().contains("dicast plan") && failure.hint().contains("--skip-stage plan=REASON"), "{failure}");
    assert_eq!(script.asked(), Vec::<String>::new());
}

/// Killed while one agent was still at work.
fn killed() -> Script {
    let mut script = Script::headless();
    script.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    script
}

#[test]
fn after_a_kill_only_the_agent_that_had_not_answered_is_asked() {
    let first = killed();
    let mut next = first.reborn();
    next.plays("gemini", []).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(next.asked(), ["gemini 2"], "attempts are numbered on");
    assert_eq!(next.id(), first.id(), "the same run goes on");
    assert_eq!(next.quits(), [0]);
    assert!(next.journal().contains(&"run_resumed".to_owned()));
    let mut whole = Script::headless();
    whole.start(&[Stage::Plan]).settle();
    let hash = |script: &Script| script.run().verdicts[&Stage::Plan].verdict.claims.clone();
    assert_eq!(hash(&next), hash(&whole));
}

#[test]
fn a_kill_at_any_moment_is_gone_on_from_and_no_answer_is_asked_for_twice() {
    for good in 0..40 {
        let mut first = Script::headless();
        first.start(&[Stage::Plan]);
        for _ in 0..good {
            if first.pending.is_empty() {
                break;
            }
            first.answer(0);
        }
        let kept: Vec<String> = first.world.journals.values().flat_map(|j| &j.records).filter_map(answered).collect();
        let closed = |j: &super::world::Journal| crate::domain::journal::closed(j.records.iter().map(|(_, r)| r));
        let decided = first.world.journals.values().any(|journal| closed(journal).is_some());
        let mut next = first.reborn();
        next.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
        assert_eq!(next.quits(), [0], "after {good} answers");
        if !decided {
            let twice = next.asked().into_iter().filter(|asked| kept.iter().any(|k| asked.starts_with(k.as_str())));
            assert_eq!(twice.count(), 0, "after {good} answers: {kept:?}");
        }
    }
}

fn answered((_, record): &(crate::domain::moment::Moment, Record)) -> Option<String> {
    if let Record::AgentAnswered { agent, .. } = record { Some(agent.to_string()) } else { None }
}

#[test]
fn a_changed_spec_closes_the_stopped_run_and_a_fresh_one_follows_by_itself() {
    let first = killed();
    let mut next = first.reborn();
    next.world.words = "another text".into();
    next.plays("gemini", []).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_ne!(next.id(), first.id());
    assert_eq!(next.asked().len(), 3, "everybody is asked about the new text");
    let last = &next.world.journals[&first.id()].records.last().unwrap().1;
    assert_eq!(last, &Record::RunClosed { why: Closed::Stale, survivors: Some(0) });
    assert_eq!((next.finished(), next.quits()), (vec![0], vec![0]));
}

#[test]
fn a_signal_while_a_stale_run_is_closed_starts_nothing_anew() {
    let mut next = killed().reborn();
    next.world.words = "another text".into();
    next.start(&[Stage::Plan]).hold(Kind::Release).settle();
    next.send(crate::app::msg::Msg::Signalled(crate::app::msg::Signal::Terminate));
    next.unhold().settle();
    assert_eq!(next.quits(), [143]);
    assert_eq!(next.model.live_runs().count(), 0);
    assert_eq!(next.finished().len(), 1);
}

#[test]
fn fresh_abandons_the_stopped_run_under_the_same_lock() {
    let first = killed();
    let mut next = first.reborn();
    next.plays("gemini", []).start_of("001-login", &[Stage::Plan], true, false).settle();
    assert!(names(&next.effects).contains(&"abandon, open".to_owned()));
    assert_eq!(next.asked().len(), 3);
    let last = &next.world.journals[&first.id()].records.last().unwrap().1;
    assert_eq!(last, &Record::RunClosed { why: Closed::Abandoned, survivors: None });
}

#[test]
fn rerun_missing_reopens_the_last_run_and_asks_only_who_did_not_answer() {
    let mut script = Script::headless();
    let auth = || Play::Fails(AgentError::Auth { why: "sign in".into() });
    script.plays("codex", [auth()]).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(script.quits(), [6]);
    let mut next = script.reborn();
    next.start_of("001-login", &[Stage::Plan], false, true).settle().expect_phase(Phase::Decided);
    assert_eq!(next.asked(), ["codex 2"]);
    assert_eq!((next.id(), next.quits()), (script.id(), vec![0]));
    assert_eq!(next.run().verdicts[&Stage::Plan].verdict.status, Status::Agree);
    assert!(next.journal().contains(&"run_reopened".to_owned()));
}

#[test]
fn the_key_asks_again_only_who_is_missing_on_screen_too() {
    let mut script = Script::new();
    let auth = || Play::Fails(AgentError::Auth { why: "sign in".into() });
    script.plays("codex", [auth()]).start(&[Stage::Plan]).settle();
    script.key(Key::Char('r')).settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), ["claude 1", "codex 1", "gemini 1", "codex 2"]);
    assert_eq!(script.model.runs.len(), 1);
}

#[test]
fn a_decided_run_is_not_gone_on_with() {
    let mut script = Script::headless();
    script.start(&[Stage::Plan]).settle();
    let mut next = script.reborn();
    next.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_ne!(next.id(), script.id());
    assert_eq!(next.asked().len(), 3);
}

#[test]
fn verdicts_of_this_session_survive_a_stop_in_a_later_stage() {
    let mut script = Script::new();
    script.start(&[Stage::Plan, Stage::Tasks]).hold(Kind::Turn).settle();
    while script.run().stage == Stage::Plan {
        script.answer_one(Kind::Turn);
        script.settle();
    }
    script.key(Key::Esc).unhold().settle().expect_phase(Phase::Stopped);
    script.key(Key::Char('r')).settle().expect_phase(Phase::Decided);
    let stages: Vec<Stage> = script.run().verdicts.keys().copied().collect();
    assert_eq!(stages, [Stage::Plan, Stage::Tasks]);
    assert_eq!(script.asked().len(), 9, "three at plan, three at tasks, and those again: {:?}", script.asked());
}

#[test]
fn a_resumed_agent_that_was_rate_limited_is_simply_asked() {
    let mut script = Script::headless();
    let limited = Play::Fails(AgentError::RateLimit { retry_after_ms: Some(600_000) });
    script.plays("codex", [limited, says("10")]).start(&[Stage::Plan]).settle();
    assert!(matches!(script.seat("codex"), SeatState::Waiting { .. }));
    let mut next = script.reborn();
    next.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(next.asked(), ["codex 2"]);
}

#[test]
fn what_changed_is_named_when_a_run_starts_over_for_it() {
    let table = [
        ("another text", "", "the spec"),
        ("the spec", "another roster", "the config"),
        ("another text", "another roster", "the spec, the config"),
    ];
    for (words, config, what) in table {
        let mut next = Script::new();
        next.world = killed().reborn().world;
        next.model.now = next.model.now.plus_ms(60_000);
        (next.world.words, next.world.config) = (words.into(), config.into());
        next.start(&[Stage::Plan]).settle();
        let text = next.model.notice.as_ref().unwrap().text.as_str().to_owned();
        assert_eq!(text, format!("changed since the run was stopped: {what} · it starts over"));
    }
}

#[test]
fn a_kept_answer_keeps_the_time_and_size_that_its_record_tells() {
    let mut next = killed().reborn();
    next.tick(60_000);
    next.start(&[Stage::Plan]).settle();
    let seat = next.run().seat(&super::script::agent("claude")).unwrap();
    assert_eq!((seat.took_ms, seat.wrote, seat.since), (Some(40), Some("raw words".len() as u64), None));
    let asked = next.run().seat(&super::script::agent("gemini")).unwrap();
    assert!(asked.since.is_some() && asked.took_ms.is_none());
}

#[test]
fn a_stage_that_was_left_out_stays_left_out_after_a_kill_until_somebody_asks_for_just_that() {
    let all = [Stage::Plan, Stage::Tasks, Stage::Implement, Stage::Validate];
    let reason = || "made by hand".to_owned();
    let skipped = |records: Vec<(crate::domain::moment::Moment, Record)>| {
        let told = |(_, record): (_, Record)| matches!(record, Record::StageSkipped { .. }).then_some(record);
        records.into_iter().filter_map(told).collect::<Vec<_>>()
    };
    let mut first = Script::headless();
    let without = [Stage::Plan, Stage::Tasks, Stage::Validate];
    let start =
        Start { skipped: [(Stage::Implement, reason())].into(), ..Start::of(spec("001-login"), without.into()) };
    first.plays("gemini", [Play::Hangs]).send(Msg::Asked(Request::Start(start)));
    first.settle().expect_phase(Phase::Asking);
    let journals = first.world.journals.values().flat_map(|journal| journal.records.clone()).collect();
    assert_eq!(skipped(journals), [Record::StageSkipped { stage: Stage::Implement, reason: reason() }]);
    // Who goes on need not say it again.
    let mut next = first.reborn();
    next.plays("gemini", []).start(&all).settle().expect_phase(Phase::Decided);
    assert_eq!(next.run().stages, without);
    assert_eq!(next.run().verdicts.keys().copied().collect::<Vec<_>>(), without);
    // Asked for by name it is wanted after all (and here nobody can do it).
    let mut alone = first.reborn();
    alone.plays("gemini", []).start(&[Stage::Implement]).settle();
    assert_eq!(alone.run().stages, [Stage::Implement]);
}
