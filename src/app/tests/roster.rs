//! Somebody is left out of a run: counted as not asked, on record, kept over a resume; never once their answer is there.

use super::script::{Script, agent, settings, spec};
use super::world::{Play, says};
use crate::app::event::What;
use crate::app::key::Key;
use crate::app::model::{Overlay, Phase};
use crate::app::msg::{Msg, Request, Start};
use crate::app::update::{Place, bench, roster_rows};
use crate::domain::absent::{self, Without};
use crate::domain::consensus::Status;
use crate::domain::failure::AgentError;
use crate::domain::journal::Record;
use crate::domain::settings::{AgentKind, Launch, Settings};
use crate::domain::stage::Stage;

/// Three agents that cost something: there is a question before they are asked.
fn priced() -> Settings {
    let mut settings = settings(&super::script::THREE);
    settings.agents.iter_mut().for_each(|agent| agent.kind = AgentKind::Command(Launch::default()));
    settings
}

fn without(names: &[&str]) -> Without {
    names.iter().map(|name| agent(name)).collect()
}

fn ask_without(script: &mut Script, names: &[&str]) {
    let start = Start { without: Some(without(names)), ..Start::of(spec("001-login"), vec![Stage::Plan]) };
    script.send(Msg::Asked(Request::Start(start)));
}

fn left_out(script: &Script) -> Vec<String> {
    absent::of(&script.run().verdicts[&Stage::Plan].verdict.inputs)
}

#[test]
fn who_is_left_out_is_not_asked_not_missing_and_named_by_the_verdict() {
    let mut script = Script::headless();
    ask_without(&mut script, &["gemini"]);
    script.settle().expect_phase(Phase::Decided);
    assert_eq!(script.asked(), ["claude 1", "codex 1"]);
    let verdict = &script.run().verdicts[&Stage::Plan].verdict;
    assert_eq!((verdict.status, verdict.families.expected, verdict.families.ok), (Status::Agree, 2, 2));
    assert!(!verdict.degraded && verdict.missing_agents.is_empty());
    assert_eq!(left_out(&script), ["gemini (google)"]);
    let records = &script.world.journals[&script.id()].records;
    let recorded = Record::AgentsLeftOut { agents: vec![agent("gemini")], by: "ana".into() };
    assert!(records.iter().any(|(_, record)| *record == recorded));
    let told = script.events().into_iter().find_map(|event| match &event.what {
        What::StageStarted { left_out, .. } => Some(left_out.clone()),
        _ => None,
    });
    assert_eq!(told.unwrap(), ["gemini (google)"]);
}

#[test]
fn whom_a_killed_run_left_out_the_next_process_leaves_out_until_somebody_says_otherwise() {
    let mut first = Script::headless();
    first.plays("codex", [Play::Hangs]);
    ask_without(&mut first, &["gemini"]);
    first.settle().expect_phase(Phase::Asking);
    let mut next = first.reborn();
    next.plays("codex", []).start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!((next.asked(), left_out(&next)), (vec!["codex 2".to_owned()], vec!["gemini (google)".to_owned()]));
    assert_eq!(next.journal().iter().filter(|name| *name == "agents_left_out").count(), 1, "said once");
    // Taken in again it is asked, and nobody's answer is paid for twice.
    let mut all = first.reborn();
    all.plays("codex", []);
    ask_without(&mut all, &[]);
    all.settle().expect_phase(Phase::Decided);
    assert_eq!((all.asked(), left_out(&all)), (vec!["codex 2".to_owned(), "gemini 1".to_owned()], vec![]));
}

#[test]
fn whoever_hangs_can_be_left_out_of_what_is_gone_on_with() {
    let mut first = Script::headless();
    first.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    let mut next = first.reborn();
    ask_without(&mut next, &["gemini"]);
    next.settle().expect_phase(Phase::Decided);
    assert_eq!((next.asked(), left_out(&next)), (Vec::<String>::new(), vec!["gemini (google)".to_owned()]));
    assert_eq!(next.run().verdicts[&Stage::Plan].verdict.status, Status::Agree);
}

#[test]
fn an_answer_that_is_there_cannot_be_left_out() {
    let mut first = Script::headless();
    first.plays("gemini", [says("other")]).plays("codex", [Play::Hangs]);
    first.start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    assert!(first.has_answered("gemini"));
    let mut next = first.reborn();
    next.plays("codex", []);
    ask_without(&mut next, &["gemini"]);
    next.settle();
    let verdict = &next.run().verdicts[&Stage::Plan].verdict;
    assert_eq!((verdict.families.expected, absent::of(&verdict.inputs)), (3, vec![]));
}

#[test]
fn the_missing_one_can_be_left_out_of_a_recorded_stage_and_that_is_said() {
    let mut script = Script::headless();
    script.plays("gemini", [Play::Fails(AgentError::Auth { why: "sign in".into() })]);
    script.start(&[Stage::Plan]).settle();
    assert_eq!(script.run().verdicts[&Stage::Plan].verdict.status, Status::Degraded);
    let mut next = script.reborn();
    let start = Start {
        rerun_missing: true,
        without: Some(without(&["gemini"])),
        ..Start::of(spec("001-login"), vec![Stage::Plan])
    };
    next.send(Msg::Asked(Request::Start(start)));
    next.settle().expect_phase(Phase::Decided);
    assert_eq!((next.asked(), left_out(&next)), (Vec::<String>::new(), vec!["gemini (google)".to_owned()]));
}

#[test]
fn nobody_else_and_not_everybody_can_be_left_out() {
    for (names, exit) in [(&["gemnii"][..], 64), (&["claude", "codex", "gemini"], 10)] {
        let mut script = Script::headless();
        ask_without(&mut script, names);
        script.settle();
        assert_eq!((script.finished(), script.asked()), (vec![exit], vec![]), "{names:?}");
    }
}

#[test]
fn everybody_of_a_later_stage_cannot_be_left_out_either_and_nothing_is_paid_before_that_is_said() {
    let mut settings = settings(&super::script::THREE);
    settings.agents[0].stages.remove(&Stage::Tasks);
    let mut script = Script::of(settings, true);
    let stages = vec![Stage::Plan, Stage::Tasks];
    let start = Start { without: Some(without(&["codex", "gemini"])), ..Start::of(spec("001-login"), stages) };
    script.send(Msg::Asked(Request::Start(start)));
    script.settle();
    assert_eq!((script.finished(), script.asked()), (vec![10], vec![]));
}

#[test]
fn who_was_left_out_and_is_no_agent_any_more_keeps_no_run_from_starting_over() {
    let mut first = Script::headless();
    first.plays("codex", [Play::Hangs]);
    ask_without(&mut first, &["gemini"]);
    first.settle().expect_phase(Phase::Asking);
    let mut next = first.reborn();
    let two = settings(&super::script::THREE[..2]);
    next.model.settings = std::sync::Arc::new(two);
    next.world.config = "another".into();
    next.plays("codex", []).start(&[Stage::Plan]).settle();
    assert_eq!(next.finished().last(), Some(&0), "{}", next.story());
}

#[test]
fn the_question_begins_what_it_shows_also_where_another_run_left_somebody_out() {
    let mut script = Script::of(priced(), false);
    script.plays("codex", [Play::Hangs]);
    let start = Start { without: Some(without(&["gemini"])), ..Start::of(spec("001-login"), vec![Stage::Tasks]) };
    script.send(Msg::Asked(Request::Start(start)));
    script.settle();
    script.key(Key::Char('X')).settle();
    let asked = script.asked().len();
    script.key(Key::Char(':'));
    for c in "plan 001".chars() {
        script.key(Key::Char(c));
    }
    script.key(Key::Enter);
    let Some(Overlay::Preflight(start)) = script.model.overlay.clone() else { panic!("{:?}", script.model.overlay) };
    let left_out = crate::app::update::without(&script.model, &start);
    let shown = roster_rows(&script.model, &start, &left_out);
    let is_out = shown.iter().any(|row| row.agent.name == agent("gemini") && row.place == Place::Out);
    script.plays("codex", []).key(Key::Enter).settle();
    let is_asked = script.asked()[asked..].iter().any(|who| who.starts_with("gemini"));
    assert_eq!(is_out, !is_asked, "{:?}", script.asked());
}

#[test]
fn the_list_before_a_run_leaves_out_takes_in_and_says_what_it_comes_to() {
    let mut script = Script::of(priced(), false);
    script.key(Key::Char('p')).key(Key::Char('e'));
    let shown = |script: &Script| match &script.model.overlay {
        Some(Overlay::Roster { start, without, .. }) => {
            let rows = roster_rows(&script.model, start, without);
            let places: Vec<Place> = rows.iter().map(|row| row.place).collect();
            let bench = bench(&script.model, &rows, Stage::Plan);
            (places, bench.families.len(), bench.can_decide())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(shown(&script), (vec![Place::Asked; 3], 3, true));
    script.key(Key::Down).key(Key::Char(' ')).key(Key::Down).key(Key::Char(' '));
    assert_eq!(shown(&script), (vec![Place::Asked, Place::Out, Place::Out], 1, false));
    // Back and in again: nothing of it was taken.
    script.key(Key::Esc);
    assert!(matches!(script.model.overlay, Some(Overlay::Preflight(_))));
    script.key(Key::Char('e'));
    assert_eq!(shown(&script), (vec![Place::Asked; 3], 3, true));
    for _ in 0..3 {
        script.key(Key::Char(' ')).key(Key::Down);
    }
    script.key(Key::Enter);
    assert!(script.model.notice.as_ref().is_some_and(|notice| notice.text.as_str().contains("leave one of them in")));
    script.key(Key::Up).key(Key::Up).key(Key::Char(' ')).key(Key::Down).key(Key::Char(' '));
    assert_eq!(shown(&script), (vec![Place::Asked, Place::Asked, Place::Out], 2, true));
    script.key(Key::Enter).settle().expect_phase(Phase::Decided);
    assert_eq!(
        (script.asked(), left_out(&script)),
        (vec!["claude 1".into(), "codex 1".into()], vec!["gemini (google)".to_owned()])
    );
}

#[test]
fn who_answered_before_the_stop_cannot_be_unticked() {
    let mut script = Script::of(priced(), false);
    script.plays("gemini", [Play::Hangs]).plays("codex", [Play::Hangs]);
    script.key(Key::Char('p')).key(Key::Enter).settle().expect_phase(Phase::Asking);
    script.key(Key::Char('X')).settle().expect_phase(Phase::Stopped);
    script.key(Key::Char(':')).type_text("plan 001").key(Key::Enter).key(Key::Char('e')).key(Key::Char(' '));
    let Some(Overlay::Roster { start, without, .. }) = script.model.overlay.clone() else { panic!("no list") };
    let places: Vec<Place> = roster_rows(&script.model, &start, &without).iter().map(|row| row.place).collect();
    assert_eq!(places, [Place::Answered, Place::Asked, Place::Asked]);
    assert!(without.is_empty());
}

#[test]
fn what_is_typed_behind_a_stage_or_auto_is_taken() {
    let mut script = Script::new();
    script.key(Key::Char(':')).type_text("plan 001 --without gemini").key(Key::Enter).settle();
    assert_eq!(
        (script.asked(), left_out(&script)),
        (vec!["claude 1".into(), "codex 1".into()], vec!["gemini (google)".to_owned()])
    );
    let mut script = Script::new();
    let line = "auto 001 --from tasks --skip-stage implement=\"by hand\" --no-round";
    script.key(Key::Char(':')).type_text(line).key(Key::Enter);
    let run = script.run();
    assert_eq!(run.stages, [Stage::Tasks, Stage::Validate, Stage::Audit, Stage::Unlock]);
    assert_eq!((run.skipped[&Stage::Implement].as_str(), run.options.no_round), ("by hand", true));
}
