//! Stopping: in every phase, shown at once, once and twice, and what beats it.

use std::sync::Arc;

use super::script::{Kind, Script, THREE, agent, names, settings, spec};
use super::world::{Play, ended, says};
use crate::app::key::Key;
use crate::app::model::{Phase, SeatState};
use crate::app::msg::{Msg, Request, RunMsg};
use crate::domain::consensus::Answer;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::journal::{Closed, Record, Source};
use crate::domain::run::{SeatKey, TurnEnded, TurnKind};
use crate::domain::stage::Stage;

/// A run that stands still because answers of one kind are out.
fn waiting_for(kind: Kind, phase: &Phase) -> Script {
    let mut script = Script::new();
    script.hold(kind).start(&[Stage::Plan]).settle().expect_phase(phase.clone());
    script
}

#[test]
fn esc_in_every_phase_is_on_screen_in_the_same_update_and_ends_stopped() {
    let table = [
        (Kind::Find, Phase::Opening),
        (Kind::Open, Phase::Opening),
        (Kind::Prepare, Phase::Preparing),
        (Kind::Turn, Phase::Asking),
        (Kind::Judge, Phase::Judging),
    ];
    for (kind, phase) in table {
        let mut script = waiting_for(kind, &phase);
        let at = script.effects.len();
        script.key(Key::Esc).expect_phase(Phase::Stopping);
        assert_eq!(names(&script.effects[at..])[0], "stop", "{kind:?}");
        script.unhold().settle().expect_phase(Phase::Stopped);
        assert_eq!(script.finished(), [130], "{kind:?}");
        assert!(script.world.locks.is_empty(), "{kind:?}: the lock is given back");
        let closed = script.world.journals.values().flat_map(|j| &j.records);
        let mut closed = closed.filter(|(_, r)| matches!(r, crate::domain::journal::Record::RunClosed { .. }));
        assert!(closed.next().is_none(), "{kind:?}: a stop does not close a run");
    }
}

#[test]
fn esc_while_any_commit_is_written_ends_stopped_or_decided_once() {
    for good in 0..11 {
        let mut script = Script::new();
        script.hold(Kind::Commit).start(&[Stage::Plan]).settle();
        for _ in 0..good {
            if script.pending.is_empty() {
                break;
            }
            script.answer_one(Kind::Commit);
            script.settle();
        }
        script.key(Key::Esc).unhold().settle();
        let phase = script.run().phase.clone();
        assert!(matches!(phase, Phase::Stopped | Phase::Decided), "after {good}: {phase:?}");
        assert_eq!(script.finished().len(), 1, "after {good}");
        assert!(script.world.locks.is_empty() && script.model.after.is_empty(), "after {good}");
    }
}

#[test]
fn an_opening_that_was_stopped_leaves_nothing_that_a_later_start_would_go_on_with() {
    let mut script = waiting_for(Kind::Open, &Phase::Opening);
    script.key(Key::Esc).unhold().settle();
    assert_eq!(script.journal(), Vec::<String>::new());
    script.tick(1_000);
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert!(!script.run().options.resumed);
}

#[test]
fn finished_answers_are_kept_and_the_notice_says_so() {
    let mut script = Script::new();
    script.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle();
    script.key(Key::Esc).settle().expect_phase(Phase::Stopped);
    let text = script.model.notice.as_ref().unwrap().text.as_str().to_owned();
    assert!(text.contains("0 processes left · kept claude, codex · r go on with gemini only"), "{text}");
    assert_eq!(script.seat("gemini"), &SeatState::Failed(AgentError::Cancelled));
    script.key(Key::Char('r')).settle().expect_phase(Phase::Asking);
    assert_eq!(script.asked(), ["claude 1", "codex 1", "gemini 1", "gemini 2"]);
    script.world.plays.clear();
    script.settle().expect_phase(Phase::Decided);
}

#[test]
fn a_second_esc_kills_and_a_third_does_nothing_more() {
    let mut script = waiting_for(Kind::Turn, &Phase::Asking);
    script.key(Key::Esc);
    let at = script.effects.len();
    script.key(Key::Esc);
    assert_eq!(names(&script.effects[at..]), ["kill"]);
    assert!(script.run().stop.as_ref().unwrap().killed);
    script.key(Key::Esc);
    assert_eq!(script.effects.len(), at + 1);
    script.unhold().settle().expect_phase(Phase::Stopped);
}

#[test]
fn a_verdict_that_beats_the_stop_is_kept() {
    let mut script = waiting_for(Kind::Judge, &Phase::Judging);
    script.key(Key::Esc).expect_phase(Phase::Stopping);
    script.world.is_deaf = true;
    script.unhold().settle().expect_phase(Phase::Decided);
    assert_eq!(script.run().verdicts[&Stage::Plan].verdict.exit, 0);
    assert_eq!(script.finished(), [0]);
    assert_eq!(script.journal().last().map(String::as_str), Some("run_closed"));
}

#[test]
fn an_answer_that_beats_the_stop_is_kept() {
    let mut script = waiting_for(Kind::Turn, &Phase::Asking);
    script.key(Key::Esc);
    script.world.is_deaf = true;
    script.answer_one(Kind::Turn);
    script.world.is_deaf = false;
    script.unhold().settle().expect_phase(Phase::Stopped);
    let kept: Vec<bool> = script.run().seats.iter().map(|seat| seat.answer.is_some()).collect();
    assert_eq!(kept, [true, false, false]);
    assert!(script.journal().contains(&"agent_answered".to_owned()));
}

#[test]
fn an_agent_that_waits_for_its_next_try_is_not_started_after_a_stop() {
    let mut script = Script::new();
    let limited = Play::Fails(AgentError::RateLimit { retry_after_ms: Some(1_000) });
    script.plays("codex", [limited]).plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle();
    script.key(Key::Esc);
    assert_eq!(script.seat("codex"), &SeatState::Failed(AgentError::Cancelled));
    script.tick(5_000);
    script.settle().expect_phase(Phase::Stopped);
    assert_eq!(script.asked().len(), 3);
}

#[test]
fn a_judgement_that_was_cut_short_by_nobody_is_a_failure_and_not_a_wait_for_ever() {
    let mut script = waiting_for(Kind::Judge, &Phase::Judging);
    while script.run().phase == Phase::Judging {
        let provisional = script.pending.len() > 1;
        script.answer_with(Kind::Judge, RunMsg::Judged(Stage::Plan, provisional, Err(Failure::Cancelled)));
    }
    script.unhold().settle();
    assert!(matches!(script.run().phase, Phase::Failed(Failure::Cancelled)));
}

#[test]
fn a_lock_that_another_process_holds_is_exit_3_and_names_it() {
    let mut script = Script::headless();
    script.world.taken.insert(spec("001-login"));
    script.start(&[Stage::Plan]).settle();
    assert!(matches!(&script.run().phase, Phase::Failed(Failure::LockHeld { owner, .. }) if owner.pid == 4711));
    assert_eq!((script.finished(), script.quits()), (vec![3], vec![3]));
    assert!(script.journal_is_empty());
}

#[test]
fn two_specs_run_side_by_side_and_a_second_start_on_one_is_refused() {
    let mut script = Script::new();
    script.hold(Kind::Turn);
    script.start_of("001-login", &[Stage::Plan], false, false);
    script.start_of("002-audit", &[Stage::Plan], false, false);
    script.settle();
    assert_eq!(script.model.live_runs().count(), 2);
    let at = script.effects.len();
    script.start_of("001-login", &[Stage::Tasks], false, false);
    assert_eq!((script.effects.len(), script.model.runs.len()), (at, 2));
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("is live already"));
    script.unhold().settle();
    assert!(script.model.runs.values().all(|run| run.phase == Phase::Decided));
    assert_eq!(script.finished(), [0, 0]);
}

#[test]
fn esc_never_guesses_which_of_two_runs_is_meant() {
    let mut script = Script::new();
    script.hold(Kind::Turn);
    script.start_of("001-login", &[Stage::Plan], false, false);
    script.start_of("002-audit", &[Stage::Plan], false, false);
    script.settle();
    script.model.views.truncate(1);
    script.key(Key::Esc).key(Key::Char('X'));
    assert!(script.model.runs.values().all(|run| run.stop.is_none()));
    let id = script.id();
    script.send(Msg::Asked(Request::Stop(Some(id))));
    assert_eq!(script.model.runs.values().filter(|run| run.stop.is_some()).count(), 1);
}

#[test]
fn a_start_while_the_last_run_is_put_away_is_refused_with_a_notice() {
    let mut script = waiting_for(Kind::Mirror, &Phase::Decided);
    script.start(&[Stage::Tasks]);
    assert_eq!(script.model.runs.len(), 1);
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("put away"));
    script.unhold().settle();
    script.start(&[Stage::Tasks]).settle().expect_phase(Phase::Decided);
}

#[test]
fn esc_closes_what_is_open_before_it_stops_anything() {
    let mut script = waiting_for(Kind::Turn, &Phase::Asking);
    script.key(Key::Char('?')).key(Key::Esc);
    assert!(script.run().stop.is_none());
    script.key(Key::Char(':')).key(Key::Esc);
    assert!(script.run().stop.is_none());
    script.key(Key::Esc);
    assert!(script.run().stop.is_some());
}

#[test]
fn a_stop_while_a_failure_is_written_leaves_nobody_waiting_for_another_try() {
    for key in [Key::Esc, Key::Char('x')] {
        let mut script = Script::new();
        let limited = Play::Fails(AgentError::RateLimit { retry_after_ms: Some(1_000) });
        script.plays("claude", [limited]).plays("codex", [Play::Hangs]).hold(Kind::Turn).start(&[Stage::Plan]).settle();
        script.answer_one(Kind::Turn);
        script.key(key).answer_one(Kind::Commit);
        assert_eq!(script.seat("claude"), &SeatState::Failed(AgentError::Cancelled), "{key:?}");
        script.tick(1_000);
        assert!(script.model.next_alarm().is_none_or(|alarm| alarm > script.model.now));
    }
}

#[test]
fn a_provisional_judgement_that_comes_after_the_last_one_does_not_stop_the_verdict_that_is_written() {
    let mut script = waiting_for(Kind::Judge, &Phase::Judging);
    script.hold(Kind::Commit);
    let last = script.pending.len() - 1;
    script.answer(last);
    script.expect_phase(Phase::Recording).key(Key::Esc);
    assert_eq!(names(&script.answer_one(Kind::Judge)), Vec::<String>::new());
    script.unhold().settle().expect_phase(Phase::Decided);
    assert!(!script.journal().contains(&"run_stopped".to_owned()));
}

#[test]
fn a_run_that_kept_nothing_is_started_again_and_not_gone_on_with() {
    let mut script = waiting_for(Kind::Turn, &Phase::Asking);
    script.key(Key::Esc).unhold().settle().expect_phase(Phase::Stopped);
    let text = script.model.notice.as_ref().unwrap().text.as_str().to_owned();
    assert!(text.contains("nothing was kept · r start again") && !text.contains("only"), "{text}");
}

#[test]
fn an_agent_that_was_stopped_alone_is_asked_again_as_a_new_attempt_while_the_run_is_live() {
    let mut script = Script::new();
    script.plays("claude", [Play::Hangs]).plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle();
    assert!(!crate::app::update::can(&script.model, crate::app::keymap::Action::AskAgain), "it is at work");
    script.hold(Kind::Turn).key(Key::Char('x')).key(Key::Char('r'));
    let text = script.model.notice.as_ref().unwrap().text.as_str().to_owned();
    assert!(text.contains("claude is still being stopped: r asks it again as soon as it has ended"), "{text}");
    script.unhold().settle();
    assert_eq!(script.seat("claude"), &SeatState::Failed(AgentError::Cancelled));
    script.world.plays.remove("claude");
    script.key(Key::Char('r')).settle().expect_phase(Phase::Asking);
    assert_eq!(script.asked(), ["claude 1", "codex 1", "gemini 1", "claude 2"]);
    assert_eq!(script.seat("claude"), &SeatState::Answered);
    script.key(Key::Down).key(Key::Down).key(Key::Char('x')).settle().expect_phase(Phase::Decided);
    let missing = &script.run().verdicts[&Stage::Plan].verdict.missing_agents;
    assert_eq!(missing.iter().map(|agent| agent.as_str()).collect::<Vec<_>>(), ["gemini"]);
}

#[test]
fn when_the_others_are_being_decided_the_key_says_when_it_asks_again() {
    let mut script = Script::new();
    script.plays("claude", [Play::Hangs]).hold(Kind::Judge).start(&[Stage::Plan]).settle();
    script.key(Key::Char('x')).settle().expect_phase(Phase::Judging);
    script.key(Key::Char('r'));
    let text = script.model.notice.as_ref().unwrap().text.as_str().to_owned();
    assert!(text.contains("r asks claude again once that is recorded"), "{text}");
    script.world.plays.clear();
    script.unhold().settle().expect_phase(Phase::Decided).key(Key::Char('r')).settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked().last().map(String::as_str), Some("claude 2"));
}

/// A panel of which one answers on another machine.
fn with_far() -> Script {
    let mut settings = settings(&THREE);
    settings.agents[2].kind = crate::domain::settings::AgentKind::Memory;
    Script::of(settings, false)
}

#[test]
fn who_answers_elsewhere_is_asked_through_memory_and_what_it_says_is_marked() {
    let mut script = with_far();
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    let asked = names(&script.effects).into_iter().filter(|name| name.contains("elsewhere")).collect::<Vec<_>>();
    assert_eq!(asked, ["ask gemini elsewhere"]);
    assert_eq!(script.asked(), ["claude 1", "codex 1"], "no process is started for it");
    let sources: Vec<_> = script.world.journals[&script.id()]
        .records
        .iter()
        .filter_map(|(_, record)| match record {
            Record::AgentAnswered { agent, source, .. } => Some((agent.to_string(), *source)),
            _ => None,
        })
        .collect();
    assert!(sources.contains(&("gemini".to_owned(), Some(Source::Memory))), "{sources:?}");
    assert_eq!(sources.iter().filter(|(_, source)| source.is_some()).count(), 1);
}

#[test]
fn x_on_who_answers_elsewhere_stops_waiting_for_it_alone() {
    let mut script = with_far();
    script.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    script.key(Key::Char('j')).key(Key::Char('j'));
    let at = script.effects.len();
    script.key(Key::Char('x'));
    assert_eq!(names(&script.effects[at..]), ["stop gemini"]);
    script.settle().expect_phase(Phase::Decided);
    assert_eq!(script.seat("gemini"), &SeatState::Failed(AgentError::Cancelled));
    // It is not there, and that is all: no answer of theirs is taken for one that failed.
    let panel = &script.run().judgement.as_ref().unwrap().panel;
    let status = panel.agents.iter().find(|agent| agent.name.as_str() == "gemini").map(|agent| agent.status);
    assert_eq!(status, Some(Answer::Cancelled));
}

#[test]
fn what_the_turns_of_a_run_left_is_on_record_also_when_it_ends_decided() {
    let mut script = Script::new();
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    let key = SeatKey { run: script.id(), stage: Stage::Plan, attempt: 1, agent: agent("claude") };
    let ended = TurnEnded { survivors: 2, ..ended(&key, TurnKind::Draft, says("10")) };
    script.answer_with(Kind::Turn, RunMsg::TurnEnded(key, TurnKind::Draft, Ok(Arc::new(ended))));
    script.unhold().settle().expect_phase(Phase::Decided);
    let last = &script.world.journals[&script.id()].records.last().unwrap().1;
    assert_eq!(last, &Record::RunClosed { why: Closed::Decided, survivors: Some(2) });
}
