//! The first run: what stands on this machine, and the first config.

use super::script::Script;
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::model::Overlay;
use crate::app::msg::Msg;
use crate::domain::failure::Failure;
use crate::domain::machine::{Access, Machine, News, Program, Sight, Spot};
use crate::domain::safe::Safe;
use crate::domain::settings::Settings;

fn machine() -> Machine {
    let program = Program {
        name: "claude".into(),
        family: "anthropic".into(),
        access: Access::SignedIn("$ANTHROPIC_API_KEY".into()),
        version: Sight::Looking,
    };
    Machine { programs: vec![program], ..Machine::default() }
}

fn first_run() -> Script {
    let mut script = Script::of(Settings::default(), false);
    script.model.machine = machine();
    script
}

#[test]
fn who_has_nobody_to_ask_sees_what_is_on_the_machine_as_it_answers() {
    let mut script = first_run();
    assert_eq!(script.model.first_spots(), [Spot::Version("claude".into())]);
    assert!(script.model.is_animated(), "a spinner turns until it answers");
    script.send(Msg::Seen(News::Version("claude".into(), Err(Safe::line("no answer in 5 s")))));
    assert!(!script.model.is_animated(), "a program that hangs is waited for once");
    script.effects.clear();
    script.key(Key::Char('c'));
    assert_eq!(script.effects, [Effect::Survey, Effect::Look(Spot::Path)]);
    script.effects.clear();
    script.send(Msg::Seen(News::Path(machine())));
    assert_eq!(script.effects, [Effect::Look(Spot::Version("claude".into()))]);
    script.effects.clear();
    script.key(Key::Char('c'));
    assert_eq!(script.effects, [Effect::Survey], "what is still out is not asked twice");
}

#[test]
fn where_there_is_a_panel_no_program_is_started_to_be_asked() {
    let mut script = Script::new();
    script.model.machine = machine();
    assert_eq!(script.model.first_spots(), []);
    script.key(Key::Char('c')).key(Key::Char('i'));
    assert_eq!(script.effects, [Effect::Survey]);
    let mut headless = Script::of(Settings::default(), true);
    headless.model.machine = machine();
    assert_eq!(headless.model.first_spots(), []);
}

#[test]
fn one_key_writes_the_config_and_what_it_would_run_is_approved_on_the_next_screen() {
    let mut script = first_run();
    script.key(Key::Char('i'));
    assert_eq!(script.effects, [Effect::Init]);
    script.send(Msg::Initialised(Err(Failure::usage("x", "it is there already", "edit it"))));
    assert!(script.model.notice.as_ref().is_some_and(|notice| notice.bad) && !script.model.reload);
    script.send(Msg::Initialised(Ok(())));
    assert!(script.model.reload && script.quits() == [0]);
}

#[test]
fn a_config_that_is_there_is_not_written_over() {
    let mut script = first_run();
    script.model.boot.has_config = true;
    script.key(Key::Char('i'));
    assert_eq!(script.effects, []);
    script.key(Key::Char(':'));
    for c in "init".chars() {
        script.key(Key::Char(c));
    }
    assert!(matches!(script.model.overlay, Some(Overlay::Command { .. })));
    script.key(Key::Enter);
    assert_eq!(script.effects, []);
    assert!(script.model.notice.as_ref().is_some_and(|notice| notice.text.as_str().contains("a config already")));
}
