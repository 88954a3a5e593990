//! Ending: exit codes, signals, and what is told last.

use super::script::{Kind, Script, THREE, names, settings};
use super::world::{Play, says};
use crate::app::effect::Effect;
use crate::app::event::What;
use crate::app::key::Key;
use crate::app::model::{MemoryState, Phase, View};
use crate::app::msg::{Input, Msg, Request, Signal};
use crate::domain::failure::AgentError;
use crate::domain::settings::OnHangup;
use crate::domain::stage::Stage;

/// What must hold at the end of every headless process with one run.
fn ended_once(script: &Script, exit: u8) {
    assert_eq!(script.quits(), [exit]);
    assert_eq!(script.finished().len(), 1);
    let names = names(&script.effects);
    assert_eq!(&names[names.len() - 2..], ["run.finished".to_owned(), format!("quit {exit}")]);
}

#[test]
fn signals_stop_the_run_and_end_with_their_own_codes() {
    for (signal, exit) in [(Signal::Interrupt, 130), (Signal::Terminate, 143), (Signal::HangUp, 129)] {
        for kind in [Kind::Find, Kind::Open, Kind::Prepare, Kind::Turn, Kind::Judge, Kind::Publish, Kind::Mirror] {
            let mut script = Script::headless();
            script.hold(kind).start(&[Stage::Plan]).settle();
            script.send(Msg::Signalled(signal));
            script.unhold().settle();
            assert_eq!(script.quits(), [exit], "{signal:?} at {kind:?}");
            ended_once(&script, exit);
        }
    }
}

#[test]
fn a_run_goes_on_without_its_terminal_where_the_config_says_so_and_the_program_ends_with_it() {
    for kind in [Kind::Find, Kind::Turn, Kind::Judge, Kind::Publish] {
        let mut settings = settings(&THREE);
        settings.run.on_hangup = OnHangup::Detach;
        let mut script = Script::of(settings, false);
        script.hold(kind).start(&[Stage::Plan]).settle();
        assert_eq!(names(&script.send(Msg::Signalled(Signal::HangUp))), Vec::<String>::new(), "{kind:?}");
        assert_eq!(names(&script.send(Msg::Signalled(Signal::HangUp))), Vec::<String>::new(), "{kind:?}");
        script.unhold().settle();
        ended_once(&script, 0);
    }
    // With nothing to go on with, and for a run that is being stopped, it is an end like any other.
    let mut settings = settings(&THREE);
    settings.run.on_hangup = OnHangup::Detach;
    let mut script = Script::of(settings, false);
    assert_eq!(names(&script.send(Msg::Signalled(Signal::HangUp))), ["quit 129"]);
}

#[test]
fn a_run_that_was_given_its_leave_goes_on_without_the_terminal_and_the_program_ends_with_it() {
    for kind in [Kind::Find, Kind::Turn, Kind::Judge, Kind::Publish] {
        let mut script = Script::new();
        script.hold(kind).start(&[Stage::Plan]).settle();
        assert_eq!(script.send(Msg::Input(Input::Key(Key::Char('d')))), [Effect::Detach], "{kind:?}");
        assert_eq!(names(&script.send(Msg::Signalled(Signal::HangUp))), Vec::<String>::new(), "{kind:?}");
        script.unhold().settle();
        ended_once(&script, 0);
    }
    // What is being stopped is not handed on, and neither is nothing.
    let mut script = Script::new();
    assert_eq!(script.type_text(":detach").send(Msg::Input(Input::Key(Key::Enter))), []);
    assert!(script.model.notice.as_ref().is_some_and(|notice| notice.text.as_str().starts_with("nothing is running")));
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    script.key(Key::Esc);
    assert_eq!(script.send(Msg::Input(Input::Key(Key::Char('d')))), []);
    assert!(!script.model.detached);
}

#[test]
fn a_signal_without_a_run_ends_at_once() {
    let mut script = Script::new();
    assert_eq!(names(&script.send(Msg::Signalled(Signal::Terminate))), ["quit 143"]);
}

#[test]
fn a_second_signal_kills() {
    let mut script = Script::headless();
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    assert_eq!(names(&script.send(Msg::Signalled(Signal::Terminate))), ["stop"]);
    assert_eq!(names(&script.send(Msg::Signalled(Signal::Terminate))), ["kill"]);
    script.unhold().settle();
    ended_once(&script, 143);
}

#[test]
fn a_stop_by_command_ends_with_130() {
    let mut script = Script::headless();
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    script.send(Msg::Asked(Request::Stop(None)));
    script.unhold().settle();
    ended_once(&script, 130);
}

#[test]
fn the_exit_code_is_that_of_the_verdict() {
    let crash = || Play::Fails(AgentError::Auth { why: "sign in".into() });
    let table: [(u8, Vec<(&str, Play)>); 4] = [
        (0, vec![]),
        (1, vec![("claude", says("10")), ("codex", says("20")), ("gemini", says("30"))]),
        (6, vec![("codex", crash())]),
        (4, vec![("codex", crash()), ("gemini", crash())]),
    ];
    for (exit, plays) in table {
        let mut script = Script::headless();
        for (agent, play) in plays {
            script.plays(agent, [play]);
        }
        script.start(&[Stage::Plan]).settle();
        ended_once(&script, exit);
    }
}

#[test]
fn dissent_makes_the_exit_code_1_only_where_that_was_asked_for() {
    for (asked, exit) in [(false, 0), (true, 1)] {
        let mut script = Script::headless();
        script.model.boot.fail_on_dissent = asked;
        let mut minor = super::world::decides("20");
        minor.severity = crate::domain::claim::Severity::Minor;
        let claims = vec![super::world::covers("FR-001"), minor];
        script.plays("gemini", [Play::Says(claims)]).start(&[Stage::Plan]).settle();
        ended_once(&script, exit);
    }
}

#[test]
fn two_runs_without_a_screen_end_when_both_have_with_the_worse_code() {
    let mut script = Script::headless();
    script.plays("codex", [Play::Fails(AgentError::Auth { why: "sign in".into() })]);
    script.start_of("001-login", &[Stage::Plan], false, false).settle();
    assert_eq!(script.quits(), [6], "alone it would end with 6");
    let mut script = Script::headless();
    script.hold(Kind::Turn);
    script.start_of("001-login", &[Stage::Plan], false, false);
    script.start_of("002-audit", &[Stage::Plan], false, false);
    script.settle();
    script.plays("codex", [says("10"), Play::Fails(AgentError::Auth { why: "sign in".into() })]);
    script.unhold().settle();
    assert_eq!((script.finished().len(), script.quits()), (2, vec![6]));
}

#[test]
fn leaving_with_a_live_run_stops_it_first_and_then_quits_with_0() {
    let mut script = Script::new();
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    // On the run itself q goes back; on the first screen it leaves.
    script.key(Key::Char('q')).expect_phase(Phase::Asking);
    script.key(Key::Char('q')).expect_phase(Phase::Stopping);
    assert_eq!(script.quits(), Vec::<u8>::new());
    // What is typed meanwhile starts nothing.
    script.start_of("002-audit", &[Stage::Plan], false, false);
    assert_eq!(script.model.runs.len(), 1);
    script.unhold().settle();
    assert_eq!((script.finished().len(), script.quits()), (1, vec![0]));
}

#[test]
fn q_closes_what_lies_over_a_live_run_and_stops_nothing() {
    let mut script = Script::new();
    script.hold(Kind::Turn).start(&[Stage::Plan]).settle();
    script.key(Key::Enter);
    assert!(matches!(script.model.view(), View::Transcript(_)));
    script.key(Key::Char('q'));
    assert!(matches!(script.model.view(), View::Dashboard { .. }));
    assert!(script.run().stop.is_none() && !script.model.leaving);
}

#[test]
fn q_without_a_run_goes_back_and_then_leaves() {
    let mut script = Script::new();
    script.key(Key::Enter).key(Key::Char('q'));
    assert_eq!((script.model.views.len(), script.quits()), (1, vec![]));
    script.key(Key::Char('q'));
    assert_eq!(script.quits(), [0]);
}

#[test]
fn leaving_cuts_the_copies_short_and_waits_for_the_record_of_what_is_missing() {
    let mut script = Script::new();
    script.hold(Kind::Mirror).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    script.key(Key::Char('q'));
    let at = script.effects.len();
    script.key(Key::Char('q'));
    assert_eq!(names(&script.effects[at..]), ["stop"]);
    assert_eq!(script.settle().quits(), Vec::<u8>::new(), "the journal is not closed yet");
    script.unhold().settle();
    assert_eq!((script.finished(), script.quits()), (vec![0], vec![0]));
    assert!(matches!(script.run().memory, MemoryState::Waiting(_)));
    assert_eq!(script.journal().last().map(String::as_str), Some("run_closed"));
}

#[test]
fn the_end_of_a_run_says_that_copies_are_missing_and_not_that_they_are_being_made() {
    let mut script = Script::headless();
    script.plays("codex", [says("10"), Play::Hangs]);
    script.hold(Kind::Mirror).start(&[Stage::Plan, Stage::Tasks]).settle();
    assert_eq!((script.run().stage, &script.run().memory), (Stage::Tasks, &MemoryState::Copying));
    script.send(Msg::Asked(Request::Stop(None)));
    script.settle();
    let told = script.events().into_iter().filter_map(|event| match &event.what {
        What::RunFinished { memory, .. } => Some(memory.clone()),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), ["waiting: the run ended before they were made"]);
}

#[test]
fn a_run_that_is_refused_before_it_began_has_no_id_to_tell() {
    let of = |script: &Script| script.events().into_iter().map(|event| event.run.clone()).collect::<Vec<_>>();
    let mut script = Script::headless();
    // Nobody may write code.
    script.start(&[Stage::Implement]).settle();
    assert_eq!((of(&script), script.quits()), (vec![None], vec![10]));
    let mut script = Script::headless();
    script.start(&[Stage::Plan]).settle();
    let id = script.id();
    assert!(of(&script).iter().all(|run| run.as_ref() == Some(&id)));
}

#[test]
fn what_a_run_never_lets_go_of_does_not_keep_the_program_for_ever() {
    let mut script = Script::headless();
    script.hold(Kind::Release).start(&[Stage::Plan]).settle();
    script.send(Msg::Signalled(Signal::Terminate));
    assert_eq!(script.quits(), Vec::<u8>::new(), "a disk may be slow");
    let alarm = script.model.next_alarm().unwrap();
    script.send(Msg::Tick(alarm));
    assert_eq!(script.quits(), [143]);
    script.tick(60_000);
    assert_eq!(script.quits(), [143], "once");
}
