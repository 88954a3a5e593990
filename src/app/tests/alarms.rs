//! What happens by itself: the deadline of a run, notices that go, alarms that do not ring for ever.

use super::script::{Kind, Script};
use super::world::Play;
use crate::app::event::What;
use crate::app::key::Key;
use crate::app::model::Phase;
use crate::domain::stage::Stage;
use crate::domain::stream::Usage;

#[test]
fn a_run_that_takes_too_long_is_stopped_and_can_go_on() {
    let mut script = Script::headless();
    let deadline = script.model.settings.run.deadline_ms;
    script.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    assert_eq!(script.tick(deadline - 1), []);
    assert_eq!(super::script::names(&script.tick(1)), ["stop"]);
    script.settle().expect_phase(Phase::Stopped);
    assert_eq!((script.finished(), script.quits()), (vec![130], vec![130]));
    assert!(script.run().stop.as_ref().unwrap().by.contains("20:00"));
    let mut next = script.reborn();
    next.start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    assert_eq!(next.asked(), ["gemini 2"]);
}

#[test]
fn a_deadline_between_two_stages_is_not_told_as_success() {
    let mut script = Script::headless();
    let deadline = script.model.settings.run.deadline_ms;
    script.hold(Kind::Publish).start(&[Stage::Plan, Stage::Tasks]).settle().expect_phase(Phase::Publishing);
    script.tick(deadline);
    script.unhold().settle().expect_phase(Phase::Stopped);
    assert!(script.run().verdicts.contains_key(&Stage::Plan), "the verdict that was on its way is kept");
    assert_eq!((script.finished(), script.quits()), (vec![130], vec![130]));
    assert!(script.journal().contains(&"run_stopped".to_owned()));
    assert!(!script.journal().contains(&"run_closed".to_owned()));
    let mut next = script.reborn();
    next.start(&[Stage::Tasks]).settle().expect_phase(Phase::Decided);
    assert_eq!(next.model.runs.len(), 1);
    assert!(next.run().options.resumed, "the rest of the stages go on in the same run");
}

#[test]
fn deciding_an_hour_later_is_not_ended_by_the_deadline_of_the_run() {
    let mut script = super::decisions::in_conflict(false);
    script.tick(3_600_000);
    assert_eq!(script.model.next_alarm(), None);
    script.key(Key::Enter).key(Key::Char('1')).type_text("measured").hold(Kind::Open).key(Key::Enter);
    script.expect_phase(Phase::Opening);
    script.tick(10);
    assert!(script.model.next_alarm().unwrap() > script.model.now);
    script.unhold().settle().expect_phase(Phase::Decided);
    assert_eq!(script.run().verdicts[&Stage::Plan].verdict.exit, 0);
}

#[test]
fn after_a_tick_at_its_alarm_the_alarm_has_moved_on_or_is_gone() {
    let mut script = Script::new();
    let limited = || Play::Fails(crate::domain::failure::AgentError::RateLimit { retry_after_ms: Some(9_000) });
    script.plays("codex", [limited(), limited(), limited()]).plays("gemini", [Play::Hangs]);
    script.start(&[Stage::Plan]).key(Key::Char('y')).settle();
    for _ in 0..20 {
        let Some(alarm) = script.model.next_alarm() else { return };
        script.tick(alarm.since(script.model.now));
        assert!(script.model.next_alarm().is_none_or(|next| next > script.model.now), "{:?}", script.run().seats);
        script.settle();
    }
    panic!("it rings for ever");
}

#[test]
fn a_notice_goes_after_its_time() {
    let mut script = Script::new();
    script.key(Key::Char('y'));
    let until = script.model.notice.as_ref().unwrap().until;
    assert_eq!(script.model.next_alarm(), Some(until));
    script.tick(until.since(script.model.now));
    assert_eq!((script.model.notice.clone(), script.model.next_alarm()), (None, None));
}

#[test]
fn progress_is_told_and_shown_without_asking_for_anything() {
    use crate::domain::run::{Progress, SeatKey};
    let mut script = Script::new();
    script.plays("claude", [Play::Hangs]).start(&[Stage::Plan]).settle();
    let seat = SeatKey { run: script.id(), stage: Stage::Plan, attempt: 1, agent: super::script::agent("claude") };
    let doing = crate::domain::safe::Safe::line("reading");
    let progress = Progress { seat, doing, lines: 1, bytes: 9, usage: Usage::default(), tail: [].into() };
    let effects = script.send(crate::app::msg::Msg::Progressed(vec![progress.clone()]));
    assert!(matches!(&effects[..], [crate::app::effect::Effect::Emit(event)]
        if matches!(&event.what, What::AgentProgress { bytes: 9, .. })));
    assert_eq!(script.run().seats[0].progress, Some(progress));
}
