//! Keys and the last line: what works here is shown, what is shown works.

use std::sync::Arc;

use super::script::{Kind, Script, names};
use super::world::{Play, overview};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::keymap::{self, Action, Place};
use crate::app::model::{Load, Overlay, Phase, View};
use crate::app::msg::{Input, Msg};
use crate::app::update::can;
use crate::domain::check::Counts;
use crate::domain::consensus::Status;
use crate::domain::hash::Sha;
use crate::domain::overview::{Recorded, SpecOverview};
use crate::domain::stage::Stage;

/// Every view, by what has to be pressed to get there.
fn everywhere() -> Vec<Script> {
    let mut live = Script::new();
    live.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle();
    let mut transcript = Script::new();
    transcript.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle().key(Key::Enter).settle();
    let mut conflict = super::decisions::in_conflict(false);
    conflict.key(Key::Enter);
    let mut scripts = vec![Script::new(), live, transcript, super::decisions::in_conflict(false), conflict];
    for keys in [&[Key::Enter][..], &[Key::Char('s')], &[Key::Char('?')], &[Key::Char(':')], &[Key::Char(' ')]] {
        let mut script = Script::new();
        for key in keys {
            script.key(*key);
        }
        scripts.push(script);
    }
    let mut typing = super::decisions::in_conflict(false);
    typing.key(Key::Enter).key(Key::Char('1'));
    scripts.push(typing);
    scripts
}

pub(super) fn all_keys() -> Vec<Key> {
    let mut keys: Vec<Key> = (' '..='~').map(Key::Char).collect();
    keys.extend(('a'..='z').flat_map(|c| [Key::Ctrl(c), Key::Alt(c)]));
    keys.extend([Key::Char('日'), Key::Char('\u{301}'), Key::F(1), Key::F(12), Key::Tab, Key::BackTab]);
    keys.extend([Key::Enter, Key::Esc, Key::Backspace, Key::Delete, Key::Up, Key::Down, Key::Left, Key::Right]);
    keys.extend([Key::Home, Key::End, Key::PageUp, Key::PageDown]);
    keys
}

#[test]
fn every_key_can_be_pressed_twice_in_every_view() {
    let count = everywhere().len();
    for key in all_keys() {
        for script in everywhere().iter_mut().take(count) {
            script.key(key).settle().key(key).settle();
            assert!(!script.model.views.is_empty());
        }
    }
}

#[test]
fn the_last_line_shows_only_what_works_here_and_the_key_does_it() {
    for script in everywhere() {
        let footer = keymap::footer(&script.model);
        for binding in &footer {
            assert!(can(&script.model, binding.action), "{binding:?} in {:?}", script.model.view());
            let place = Place::of(script.model.view());
            assert!(binding.place == Place::Everywhere || binding.place == place);
            assert_eq!(keymap::lookup(&script.model, binding.keys[0]), Some(binding.action), "{binding:?}");
        }
    }
}

fn footer(script: &Script) -> Vec<Action> {
    keymap::footer(&script.model).iter().map(|binding| binding.action).collect()
}

#[test]
fn a_live_run_offers_to_stop_and_an_ended_one_to_go_on() {
    let mut script = Script::new();
    script.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle();
    assert!(footer(&script).contains(&Action::StopAgent) && !footer(&script).contains(&Action::Fresh));
    script.key(Key::Esc).settle().expect_phase(Phase::Stopped);
    let after = footer(&script);
    assert!(after.contains(&Action::AskAgain) && after.contains(&Action::Fresh));
    assert!(!after.contains(&Action::StopAgent));
}

#[test]
fn deciding_is_offered_while_memory_has_not_taken_its_copies_and_while_the_run_is_put_away() {
    for held in [Kind::Mirror, Kind::Release] {
        let mut script = Script::new();
        script.hold(held);
        for (agent, value) in [("claude", "10"), ("codex", "20"), ("gemini", "30")] {
            script.plays(agent, [super::world::says(value)]);
        }
        script.start(&[Stage::Plan]).settle().key(Key::Char('v'));
        assert!(footer(&script).contains(&Action::Open), "{held:?}");
    }
}

#[test]
fn a_key_that_does_not_work_here_does_nothing() {
    let mut script = Script::new();
    for key in [Key::Char('x'), Key::Char('X'), Key::Char('u'), Key::Char('m'), Key::Char('t'), Key::Esc] {
        let before = script.model.clone();
        script.key(key);
        assert_eq!(script.model, before, "{key:?}");
    }
    assert!(script.effects.is_empty());
}

#[test]
fn ctrl_c_always_gives_the_keys_back() {
    let mut script = super::decisions::in_conflict(false);
    script.key(Key::Enter).key(Key::Char('1')).key(Key::Ctrl('c'));
    assert!(matches!(script.model.view(), View::Conflict(conflict) if !conflict.typing));
    script.key(Key::Char(':')).key(Key::Ctrl('c'));
    assert!(script.model.overlay.is_none());
}

#[test]
fn a_mistyped_command_stays_on_the_line_with_what_would_be_right() {
    let mut script = Script::new();
    script.key(Key::Char(':')).type_text("plna 001").key(Key::Enter);
    let Some(Overlay::Command { error: Some(error), line, .. }) = &script.model.overlay else { panic!("no error") };
    assert!(error.as_str().contains("plan"));
    assert_eq!(line.text(), "plna 001");
    script.key(Key::Esc).key(Key::Char(':')).type_text("plan 001").key(Key::Enter);
    script.settle().expect_phase(Phase::Decided);
    script.key(Key::Char(':')).key(Key::Up);
    assert!(matches!(&script.model.overlay, Some(Overlay::Command { line, .. }) if line.text() == "plan 001"));
}

#[test]
fn a_paste_goes_where_text_is_asked_for_and_nowhere_else() {
    let mut script = Script::new();
    let paste = |text: &str| crate::app::msg::Msg::Input(crate::app::msg::Input::Paste(text.into()));
    assert_eq!(script.send(paste("q\nq")), []);
    assert!(script.quits().is_empty());
    script.key(Key::Char(':'));
    script.send(paste("plan\n001"));
    script.key(Key::Enter).settle().expect_phase(Phase::Decided);
}

#[test]
fn verdict_rows_can_be_walked_to_their_ends() {
    let mut script = super::decisions::in_conflict(false);
    script.key(Key::End).key(Key::Down).key(Key::PageDown).key(Key::Char('a')).key(Key::Home);
    assert!(matches!(script.model.view(), View::Verdict { cursor: 0, all: true, .. }));
    script.key(Key::Char('y'));
    let hash = script.run().verdicts[&Stage::Plan].verdict.hash.to_string();
    assert_eq!(names(&script.effects).last(), Some(&format!("copy {hash}")));
}

#[test]
fn a_line_that_could_not_be_read_is_brought_back_to_be_corrected() {
    let mut script = Script::new();
    script.key(Key::Char(':')).type_text("plna 001").key(Key::Enter);
    assert!(matches!(script.model.overlay, Some(Overlay::Command { error: Some(_), .. })));
    script.key(Key::Esc).key(Key::Char(':')).key(Key::Up);
    assert!(matches!(&script.model.overlay, Some(Overlay::Command { line, .. }) if line.text() == "plna 001"));
}

#[test]
fn a_typed_explain_selects_the_claim_in_its_verdict() {
    let mut script = super::decisions::in_conflict(false);
    script.key(Key::Char(':')).type_text("explain 001 plan D-001").key(Key::Enter);
    let View::Verdict { run, stage, cursor, all } = script.model.view().clone() else {
        panic!("{:?}", script.model.view())
    };
    let rows = crate::app::update::rows(&script.model.runs[&run], stage, all);
    assert_eq!(rows.get(cursor), Some(&super::world::open_key()));
    script.key(Key::Char(':')).type_text("explain 001 plan nothing").key(Key::Enter);
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("is called nothing"));
}

#[test]
fn ctrl_z_goes_to_the_shell_from_everywhere_also_while_text_is_typed() {
    let mut script = Script::new();
    let ctrl_z = Msg::Input(Input::Key(Key::Ctrl('z')));
    assert_eq!(script.send(ctrl_z.clone()), [Effect::Suspend]);
    script.key(Key::Char(':')).type_text("pl");
    assert_eq!(script.send(ctrl_z), [Effect::Suspend]);
    assert!(script.model.overlay.is_some(), "what was typed stays");
}

#[test]
fn auto_on_screen_begins_where_it_begins_without_one() {
    let first = |change: &dyn Fn(&mut SpecOverview)| {
        let mut script = Script::new();
        let mut known = (*overview()).clone();
        known.specs[0].verdicts = [(Stage::Plan, passed_plan())].into();
        change(&mut known.specs[0]);
        script.model.survey = Load::Ready(Arc::new(known));
        script.key(Key::Char(':')).type_text("auto 001").key(Key::Enter);
        script.run().stages[0]
    };
    let plan = |change: fn(&mut Recorded)| move |spec: &mut SpecOverview| spec.verdicts.values_mut().for_each(change);
    assert_eq!(first(&|_| {}), Stage::Tasks);
    assert_eq!(first(&plan(|plan| plan.is_current = false)), Stage::Plan, "the spec was edited since");
    let degraded = plan(|plan| (plan.status, plan.exit) = (Status::Degraded, Status::Degraded.exit()));
    assert_eq!(first(&degraded), Stage::Tasks, "one agent was away, and it advances all the same");
    let ticked = |spec: &mut SpecOverview| {
        spec.verdicts.clear();
        spec.survey.tasks = Some(Counts { all: 2, ticked: 2, ..Counts::default() });
    };
    assert_eq!(first(&ticked), Stage::Plan, "ticked tasks are nobody's verdict");
}

fn passed_plan() -> Recorded {
    Recorded {
        status: Status::Agree,
        exit: 0,
        hash: Sha::of("verdict"),
        is_advancing: true,
        is_current: true,
        is_of_commits: false,
        skipped: Default::default(),
    }
}

#[test]
fn a_stage_that_let_the_spec_pass_leaves_nothing_open_before_it() {
    let next = |passed: &[(Stage, Status)]| {
        let mut script = Script::new();
        let mut known = (*overview()).clone();
        known.specs[0].verdicts = passed
            .iter()
            .map(|&(stage, status)| {
                (
                    stage,
                    Recorded {
                        status,
                        exit: status.exit(),
                        hash: Sha::of("verdict"),
                        is_advancing: status.exit() == 0,
                        is_current: true,
                        is_of_commits: stage == Stage::Audit,
                        skipped: Default::default(),
                    },
                )
            })
            .collect();
        script.model.survey = Load::Ready(Arc::new(known));
        script.key(Key::Char(':')).type_text("auto 001").key(Key::Enter);
        script.run().stages[0]
    };
    assert_eq!(next(&[]), Stage::Plan);
    assert_eq!(next(&[(Stage::Audit, Status::Agree)]), Stage::Unlock, "an audit of commits had no plan here");
    assert_eq!(next(&[(Stage::Audit, Status::Conflict)]), Stage::Plan);
    assert_eq!(next(&[(Stage::Plan, Status::Conflict), (Stage::Audit, Status::Agree)]), Stage::Plan);
}
