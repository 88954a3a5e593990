//! Gates and guardrails around a stage: a person is asked, or the stage stops.

use std::sync::Arc;

use super::script::{Kind, Script, THREE, names, settings};
use super::world::says;
use crate::app::effect::{Effect, RunEffect};
use crate::app::key::Key;
use crate::app::model::{GateDialog, Phase, View};
use crate::app::msg::{Choice, Msg, RunMsg, Signal};
use crate::domain::failure::Failure;
use crate::domain::gate::{Checkpoint, Gate};
use crate::domain::guardrail::When;
use crate::domain::settings::{Guardrails, OnHangup, Settings};
use crate::domain::stage::Stage;

const OPEN: &str = "# X\n\n- **FR-001**: It MUST wait [NEEDS CLARIFICATION: how long?]\n";

fn with_gates() -> Settings {
    let gates = Checkpoint::ALL.map(|at| (at, [Gate::Clarify].into()));
    Settings { gates: gates.into(), ..settings(&THREE) }
}

fn with_rails(stage: Stage) -> Settings {
    let cargo = vec![vec!["cargo".to_owned(), "test".to_owned()]];
    let rails = Guardrails { before: cargo.clone(), after: cargo, timeout_ms: 1_000, clean_tree: false };
    Settings { guardrails: [(stage, rails)].into(), ..settings(&THREE) }
}

fn asks(settings: Settings, headless: bool) -> Script {
    let mut script = Script::of(settings, headless);
    script.world.gate_text = OPEN.into();
    script
}

fn is_waiting(script: &Script) -> bool {
    matches!(script.run().phase, Phase::Waiting { .. })
}

#[test]
fn gates_with_nothing_critical_are_recorded_and_passed_before_and_after_the_plan() {
    let mut script = Script::of(with_gates(), true);
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(script.finished(), [0]);
    let journal = script.journal();
    assert_eq!(journal[..2], ["run_opened", "gate_held"]);
    assert_eq!(journal.iter().filter(|name| *name == "gate_held").count(), 2);
    assert!(script.journal_is_closed());
}

#[test]
fn without_a_screen_a_critical_question_stops_with_exit_10_and_the_command_that_answers_it() {
    let mut script = asks(with_gates(), true);
    script.start(&[Stage::Plan]).settle();
    let Phase::Failed(failure) = &script.run().phase else { panic!("{:?}", script.run().phase) };
    assert!(failure.to_string().contains("how long?"), "{failure}");
    assert!(failure.hint().starts_with("dicast clarify 001-login --answer CLR-"), "{}", failure.hint());
    assert_eq!((script.finished(), script.asked()), (vec![10], vec![]));
    let told = names(&script.effects);
    assert!(told.contains(&"gate.asked".to_owned()) && told.contains(&"gate.held".to_owned()), "{told:?}");
}

#[test]
fn on_the_screen_the_answer_is_typed_applied_and_the_run_goes_on() {
    let mut script = asks(with_gates(), false);
    script.start(&[Stage::Plan]).settle();
    assert!(is_waiting(&script));
    assert!(matches!(script.model.view(), View::Gate(_)));
    script.key(Key::Char('e')).type_text("2 s").key(Key::Enter).settle();
    assert_eq!(script.world.gate_text, OPEN.replace("[NEEDS CLARIFICATION: how long?]", "2 s"));
    assert!(matches!(script.model.view(), View::Dashboard { .. }), "the dialog closes by itself");
    script.expect_phase(Phase::Decided);
}

#[test]
fn a_question_that_is_put_off_with_a_reason_lets_the_run_go_on() {
    let mut script = asks(with_gates(), false);
    script.start(&[Stage::Plan]).settle();
    script.key(Key::Char('d')).key(Key::Enter).settle();
    assert!(is_waiting(&script), "an empty reason is none");
    script.key(Key::Char('d')).type_text("later").key(Key::Enter).settle().expect_phase(Phase::Decided);
    assert_eq!(script.world.gate_text, OPEN);
}

#[test]
fn esc_leaves_the_dialog_then_stops_the_run_and_c_comes_back_to_it() {
    let mut script = asks(with_gates(), false);
    script.start(&[Stage::Plan]).settle();
    script.key(Key::Char('e')).key(Key::Esc).key(Key::Esc);
    assert!(matches!(script.model.view(), View::Dashboard { .. }) && is_waiting(&script));
    script.key(Key::Char('c')).settle();
    assert!(matches!(script.model.view(), View::Gate(dialog) if dialog.run.is_some()));
    script.key(Key::Esc).key(Key::Esc).settle().expect_phase(Phase::Stopped);
    assert!(!script.journal_is_closed(), "it can go on");
    script.key(Key::Char('r')).settle();
    assert!(is_waiting(&script), "and asks the same again");
}

const CHOICES: &str = "# X\n\n## Acceptance Criteria\n\n- **FR-001**: It MUST keep counters in memory or Redis\n\
    - **FR-002**: It MUST keep sessions in files or Postgres\n";

fn choosing() -> Script {
    let mut script = Script::new();
    script.world.gate_text = CHOICES.into();
    script.key(Key::Char(':')).type_text("gate 001").key(Key::Enter).settle();
    script
}

fn dialog(script: &Script) -> &GateDialog {
    let found =
        script.model.views.iter().find_map(|view| if let View::Gate(dialog) = view { Some(dialog) } else { None });
    found.unwrap()
}

#[test]
fn a_reply_reaches_the_dialog_under_another_page() {
    let mut script = Script::new();
    script.hold(Kind::Gate).key(Key::Char(':')).type_text("gate 001").key(Key::Enter).key(Key::Char('?'));
    assert!(dialog(&script).busy && matches!(script.model.view(), View::Help { .. }));
    script.unhold().settle();
    assert!(!dialog(&script).busy);
}

#[test]
fn a_key_while_an_answer_is_written_chooses_nothing_for_the_next_question() {
    let mut script = choosing();
    script.hold(Kind::Gate).key(Key::Char('1')).key(Key::Enter).key(Key::Char('2'));
    assert_eq!(dialog(&script).choice, None);
    script.unhold().settle().key(Key::Enter).settle();
    assert_eq!(script.world.gate_text, CHOICES.replace("memory or Redis", "memory"));
}

#[test]
fn after_an_edit_by_hand_the_gate_is_held_again_and_a_choice_stays_with_its_question() {
    let edited = || Msg::Edited(Ok("edited".into()));
    let mut script = choosing();
    script.key(Key::Down).key(Key::Char('2'));
    assert_eq!((dialog(&script).cursor, dialog(&script).choice), (1, Some(1)));
    let by_hand = CHOICES.replace("memory or Redis", "Redis");
    script.world.gate_text.clone_from(&by_hand);
    let effects = script.send(edited());
    assert!(dialog(&script).busy && matches!(effects.last(), Some(Effect::Hold { .. })), "{effects:?}");
    script.settle();
    assert_eq!((dialog(&script).cursor, dialog(&script).choice), (0, Some(1)), "it is the first one now");
    script.key(Key::Enter).settle();
    assert_eq!(script.world.gate_text, by_hand.replace("files or Postgres", "Postgres"));

    let mut script = choosing();
    script.key(Key::Char('2'));
    script.world.gate_text.clone_from(&by_hand);
    script.send(edited());
    script.settle().key(Key::Enter).settle();
    assert_eq!((dialog(&script).choice, &script.world.gate_text), (None, &by_hand), "what it was for is gone");
    script.key(Key::Esc);
    assert!(script.send(edited()).is_empty(), "nothing is held where nothing is shown");
}

#[test]
fn the_time_in_which_a_person_thinks_is_no_deadlines() {
    let mut script = asks(with_gates(), false);
    script.start(&[Stage::Plan]).settle();
    let deadline = script.model.settings.run.deadline_ms;
    script.tick(deadline * 2);
    assert!(is_waiting(&script) && script.model.next_alarm().is_none_or(|at| at < script.model.now.plus_ms(deadline)));
    script.key(Key::Char('e')).type_text("2 s").key(Key::Enter).settle().expect_phase(Phase::Decided);
    assert!(script.run().elapsed_ms(script.model.now) < deadline);
}

#[test]
fn a_stop_while_gates_are_held_ends_the_run_and_a_late_answer_changes_nothing() {
    let mut script = asks(with_gates(), false);
    script.hold(Kind::Gate).start(&[Stage::Plan]).settle();
    script.key(Key::Esc);
    script.unhold().settle().expect_phase(Phase::Stopped);
    let held = script.world.answer(
        script.model.now,
        &script.effects.iter().find(|e| super::script::kind(e) == Some(Kind::Gate)).unwrap().clone(),
    );
    script.send(held.unwrap());
    script.expect_phase(Phase::Stopped);
}

#[test]
fn a_gate_that_cannot_be_held_fails_the_run() {
    let mut script = asks(with_gates(), true);
    script.hold(Kind::Gate).start(&[Stage::Plan]).settle();
    let lost = Failure::ActorGone { actor: "scribe".into() };
    script.answer_with(Kind::Gate, RunMsg::Held(Checkpoint::BeforePlan, Err(lost)));
    script.unhold().settle();
    assert_eq!(script.finished(), [3]);
}

#[test]
fn the_gate_after_the_plan_asks_once_its_verdict_is_on_record() {
    let mut gates = with_gates();
    gates.gates.remove(&Checkpoint::BeforePlan);
    let mut script = asks(gates, true);
    script.start(&[Stage::Plan]).settle();
    assert_eq!(script.finished(), [10]);
    assert!(script.journal().contains(&"stage_decided".to_owned()));
    assert!(script.journal_is_closed());
    let mut script =
        asks(Settings { gates: [(Checkpoint::AfterPlan, [Gate::Clarify].into())].into(), ..settings(&THREE) }, false);
    script.start(&[Stage::Plan, Stage::Tasks]).settle();
    assert!(is_waiting(&script) && script.run().stage == Stage::Plan);
    script.key(Key::Char('e')).type_text("2 s").key(Key::Enter).settle().expect_phase(Phase::Decided);
    assert_eq!(script.run().stage, Stage::Tasks);
    assert!(script.journal_is_closed());
}

#[test]
fn a_red_guardrail_before_a_stage_stops_it_before_anybody_is_asked() {
    let mut script = Script::of(with_rails(Stage::Plan), true);
    script.world.red.insert((Stage::Plan, When::Before));
    script.start(&[Stage::Plan]).settle();
    let Phase::Failed(failure) = &script.run().phase else { panic!() };
    assert!(failure.to_string().contains("cargo test failed: exit 101 · test burst"), "{failure}");
    assert_eq!((script.finished(), script.asked()), (vec![2], vec![]));
    assert!(script.journal().contains(&"guardrails_ran".to_owned()));
}

#[test]
fn green_guardrails_run_on_both_sides_and_a_red_one_after_a_plan_stops_the_run_behind_its_verdict() {
    let mut script = Script::of(with_rails(Stage::Plan), true);
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    let order: Vec<String> = names(&script.effects)
        .into_iter()
        .filter(|n| n.starts_with("guard ") || n == "prepare plan" || n == "publish")
        .collect();
    assert_eq!(order, ["guard before plan", "prepare plan", "publish", "guard after plan"]);
    let mut script = Script::of(with_rails(Stage::Plan), true);
    script.world.red.insert((Stage::Plan, When::After));
    script.start(&[Stage::Plan, Stage::Tasks]).settle();
    assert_eq!((script.finished(), script.run().stage), (vec![2], Stage::Plan));
    assert!(script.run().verdicts.contains_key(&Stage::Plan) && script.journal_is_closed());
}

#[test]
fn at_validate_they_run_before_the_verdict_which_counts_them() {
    let mut script = Script::of(with_rails(Stage::Validate), true);
    script.world.red.insert((Stage::Validate, When::After));
    script.start(&[Stage::Validate]).settle();
    let order: Vec<String> =
        names(&script.effects).into_iter().filter(|n| n.starts_with("guard ") || n == "judge").collect();
    assert_eq!(order, ["guard before validate", "guard after validate", "judge"]);
    let counted = script.effects.iter().any(|effect| {
        matches!(effect, Effect::Run(_, RunEffect::Judge(question)) if !question.provisional && !question.guardrails_ok)
    });
    assert!(counted, "consensus is told that they failed");
    assert_eq!(script.finished(), [2], "{}", script.story());
    assert!(script.run().verdicts.contains_key(&Stage::Validate));
    let report = Arc::clone(script.run().guard.as_ref().unwrap());
    assert_eq!(report.red().unwrap().lines[0].as_str(), "test burst ... FAILED");
}

#[test]
fn a_run_that_is_stopped_while_guardrails_run_waits_for_them_and_counts_what_is_left() {
    let mut script = Script::of(with_rails(Stage::Plan), false);
    script.hold(Kind::Guard).start(&[Stage::Plan]).settle();
    let mut report = script.world.guard(&script.run().spec.clone(), Stage::Plan, When::Before);
    script.key(Key::Esc).settle().expect_phase(Phase::Stopping);
    assert!(script.run().lock.is_held());
    report.survivors = 1;
    script.answer_with(Kind::Guard, RunMsg::Guarded(Stage::Plan, When::Before, Ok(Arc::new(report))));
    script.unhold().settle().expect_phase(Phase::Stopped);
    assert_eq!(script.run().survivors, 1);
    assert!(!script.journal().contains(&"guardrails_ran".to_owned()));
}

#[test]
fn a_terminal_that_goes_away_while_a_gate_asks_ends_the_run_with_the_command_that_answers() {
    let mut with = with_gates();
    with.run.on_hangup = OnHangup::Detach;
    let mut script = asks(with, false);
    script.start(&[Stage::Plan]).settle();
    assert!(is_waiting(&script), "{:?}", script.run().phase);
    script.send(Msg::Signalled(Signal::HangUp));
    script.settle();
    let Phase::Failed(failure) = &script.run().phase else { panic!("{:?}", script.run().phase) };
    assert!(failure.hint().starts_with("dicast clarify 001-login --answer CLR-"), "{}", failure.hint());
    assert_eq!((script.finished(), script.quits()), (vec![10], vec![10]));
}

#[test]
fn a_stage_behind_one_that_was_opened_again_asks_its_agents_and_passes_its_checkpoints() {
    let mut script = Script::of(Settings { gates: with_gates().gates, ..with_rails(Stage::Tasks) }, false);
    script.plays("claude", [says("10")]).plays("codex", [says("20")]).plays("gemini", [says("30")]);
    script.start(&[Stage::Plan, Stage::Tasks]).settle().expect_phase(Phase::Decided);
    assert_eq!((script.run().stage, script.asked().len()), (Stage::Plan, 3), "the conflict stops it at plan");
    let at = script.effects.len();
    script.send(super::decisions::decide(Choice::Waive));
    script.settle().expect_phase(Phase::Decided);
    assert_eq!(script.run().stage, Stage::Tasks);
    let walk = names(&script.effects[at..]);
    let count = |what: &str| walk.iter().filter(|name| name.starts_with(what)).count();
    assert_eq!(script.asked().len(), 6, "each is asked for its tasks: {walk:?}");
    assert_eq!(
        (count("guard "), count("hold ")),
        (2, 2),
        "before and after tasks, after plan and after tasks: {walk:?}"
    );
}
