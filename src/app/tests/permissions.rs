//! Requests for permission: by rule or by key, each answered once and on record; and agents that are kept warm.

use super::script::{Kind, Script, agent, names, settings};
use super::world::Play;
use crate::app::effect::{Effect, RunEffect};
use crate::app::key::Key;
use crate::app::model::{Phase, View, Warmth};
use crate::app::msg::{Msg, RunMsg};
use crate::domain::acp::{Answer, Manner, OnPermission, Reach, Request};
use crate::domain::fact::Fact;
use crate::domain::run::SeatKey;
use crate::domain::settings::{AgentKind, Launch};
use crate::domain::stage::Stage;
use crate::domain::stream::Transport;

/// Gemini is spoken to, and at work.
fn at_work(on_permission: OnPermission, headless: bool) -> Script {
    let mut settings = settings(&super::script::THREE);
    let transport = Transport::Acp(Box::new(Manner { on_permission, ..Manner::default() }));
    settings.agents[2].kind = AgentKind::Command(Launch { transport, ..Launch::default() });
    settings.budget.allow_unpriced = true;
    let mut script = Script::of(settings, headless);
    script.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    script
}

#[test]
fn who_writes_changes_files_of_its_worktree_and_no_others() {
    let mut script = at_work(OnPermission::Reject, true);
    std::sync::Arc::make_mut(&mut script.model.settings).agents[2].writes = [Stage::Plan].into();
    let cases = [(Reach::Inside, Answer::Once), (Reach::Outside, Answer::Reject), (Reach::Unknown, Answer::Reject)];
    for (number, (reach, wanted)) in (1..).zip(cases) {
        let request = Request { reach, ..request(&script, number, "edit") };
        script.send(Msg::Told(Fact::PermissionAsked(Box::new(request))));
        script.settle();
        assert_eq!(answers(&script).last(), Some(&(number, wanted)), "{reach:?}");
    }
    // A file longer than anybody reads is its own business there; leaving its mode is not.
    let long = Request { reach: Reach::Inside, left_out: 9, ..request(&script, 4, "edit") };
    let switch = Request { reach: Reach::Inside, ..request(&script, 5, "switch_mode") };
    for request in [long, switch] {
        script.send(Msg::Told(Fact::PermissionAsked(Box::new(request))));
        script.settle();
    }
    assert_eq!(answers(&script)[3..], [(4, Answer::Once), (5, Answer::Reject)]);
    assert_eq!(recorded(&script), 5);
}

fn request(script: &Script, number: u64, kind: &str) -> Request {
    let seat = SeatKey { run: script.id(), stage: Stage::Plan, attempt: 1, agent: agent("gemini") };
    let params = serde_json::json!({
        "toolCall": {"title": "touch x", "kind": kind, "rawInput": {"command": "touch x"}},
        "options": [{"optionId": "yes", "kind": "allow_once"}, {"optionId": "no", "kind": "reject_once"}],
    });
    Request::of(seat, number, &params, None)
}

fn asks(script: &mut Script, number: u64, kind: &str) {
    let request = request(script, number, kind);
    script.send(Msg::Told(Fact::PermissionAsked(Box::new(request))));
}

/// The answers that went out, in order.
fn answers(script: &Script) -> Vec<(u64, Answer)> {
    let answer = |effect: &Effect| match effect {
        Effect::Run(_, RunEffect::Permit { number, answer, .. }) => Some((*number, *answer)),
        _ => None,
    };
    script.effects.iter().filter_map(answer).collect()
}

fn recorded(script: &Script) -> usize {
    script.journal().iter().filter(|record| *record == "permission_answered").count()
}

#[test]
fn a_person_answers_by_key_and_the_agent_hears_it_once_it_is_on_record() {
    let mut script = at_work(OnPermission::Ask, false);
    asks(&mut script, 1, "execute");
    asks(&mut script, 2, "execute");
    assert_eq!((script.model.permissions.len(), answers(&script)), (2, vec![]));
    script.key(Key::Char('P'));
    assert!(matches!(script.model.view(), View::Permissions { cursor: 0, .. }));
    script.key(Key::Char('A'));
    assert_eq!(script.model.permissions.len(), 2, "it was not offered");
    script.hold(Kind::Commit).key(Key::Char('a'));
    assert_eq!(answers(&script), []);
    script.unhold().settle();
    assert_eq!(answers(&script), [(1, Answer::Once)]);
    script.key(Key::Char('b')).settle();
    assert_eq!((answers(&script), recorded(&script)), (vec![(1, Answer::Once), (2, Answer::Reject)], 2));
    assert!(matches!(script.model.view(), View::Dashboard { .. }), "an empty queue is closed");
    assert_eq!(script.key(Key::Char('P')).model.views.len(), 2, "and not opened");
}

#[test]
fn what_would_change_files_or_the_mode_is_refused_whatever_is_configured() {
    let mut script = at_work(OnPermission::Ask, false);
    for (number, kind) in [(1, "edit"), (2, "delete"), (3, "switch_mode")] {
        asks(&mut script, number, kind);
        script.settle();
        assert_eq!(answers(&script).last(), Some(&(number, Answer::Reject)), "{kind}");
    }
    assert_eq!((script.model.permissions.len(), recorded(&script)), (0, 3));
}

#[test]
fn nobody_is_asked_where_the_config_says_so_or_nobody_is_there() {
    for (rule, headless) in [(OnPermission::Reject, false), (OnPermission::Ask, true)] {
        let mut script = at_work(rule, headless);
        asks(&mut script, 1, "execute");
        script.settle();
        assert_eq!((answers(&script), script.model.permissions.len()), (vec![(1, Answer::Reject)], 0));
    }
    // Who went away answers nothing any more.
    let mut script = at_work(OnPermission::Ask, false);
    asks(&mut script, 1, "execute");
    script.model.boot.headless = true;
    script.tick(1);
    script.settle();
    assert_eq!(answers(&script), [(1, Answer::Reject)]);
}

#[test]
fn a_request_that_nobody_answers_is_refused_in_time() {
    let mut script = at_work(OnPermission::Ask, false);
    asks(&mut script, 1, "execute");
    let until = script.model.permissions[0].until;
    assert!(script.model.next_alarm().is_some_and(|alarm| alarm <= until));
    script.tick(119_999);
    assert_eq!(script.model.permissions.len(), 1);
    script.tick(1);
    script.settle();
    assert_eq!((answers(&script), script.model.permissions.len()), (vec![(1, Answer::Reject)], 0));
}

#[test]
fn a_stop_takes_what_it_asked_out_of_the_queue_and_waits_until_nothing_is_kept_warm() {
    let mut script = at_work(OnPermission::Ask, false);
    assert!(names(&script.effects).contains(&"warm 1".to_owned()), "{:?}", names(&script.effects));
    asks(&mut script, 1, "execute");
    script.hold(Kind::Dismiss).key(Key::Esc).settle().expect_phase(Phase::Stopping);
    assert_eq!((script.model.permissions.len(), answers(&script)), (0, vec![]), "the actor cancels it");
    assert!(!script.journal().contains(&"run_stopped".to_owned()));
    assert_eq!(script.run().warmth, Warmth::Cooling);
    script.answer_with(Kind::Dismiss, RunMsg::Dismissed(Ok(1)));
    script.unhold().settle().expect_phase(Phase::Stopped);
    assert!(script.journal().contains(&"run_stopped".to_owned()));
    assert_eq!(script.run().survivors, 1, "what is left is told");
    // Late: of a turn that is over.
    asks(&mut script, 2, "execute");
    assert_eq!(script.model.permissions.len(), 0);
}

#[test]
fn one_agent_that_is_stopped_asks_for_nothing_any_more() {
    let mut script = at_work(OnPermission::Ask, false);
    asks(&mut script, 1, "execute");
    script.key(Key::Down).key(Key::Down).key(Key::Char('x'));
    assert_eq!(script.model.permissions.len(), 0);
    script.settle();
    assert_eq!(answers(&script), []);
}
