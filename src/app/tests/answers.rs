//! Requests of programs: one answer each, whatever becomes of the run.

use std::sync::Arc;

use super::script::{Kind, Script, names, spec};
use super::world::{Play, says};
use crate::app::effect::Effect;
use crate::app::msg::{Msg, Program, Request, Signal};
use crate::app::outcome::{AskId, Outcome};
use crate::domain::failure::{AgentError, Failure};
use crate::domain::stage::Stage;

fn ask(script: &mut Script, ask: u64, name: &str) -> Vec<Effect> {
    script.send(Msg::Program(Program::Asked(AskId(ask), Box::new(Request::stage(spec(name), Stage::Plan)))))
}

type Answer = (u64, Result<Arc<Outcome>, Failure>);

fn answers(script: &Script) -> Vec<Answer> {
    let answer = |effect: &Effect| match effect {
        Effect::Answer(ask, outcome) => Some((ask.0, outcome.clone())),
        _ => None,
    };
    script.effects.iter().filter_map(answer).collect()
}

fn only(script: &Script) -> Result<Arc<Outcome>, Failure> {
    let answers = answers(script);
    assert_eq!(answers.len(), 1, "{:?}", names(&script.effects));
    answers.into_iter().next().unwrap().1
}

#[test]
fn the_end_of_a_run_answers_with_its_verdict_and_the_program_stays() {
    let mut script = Script::headless();
    ask(&mut script, 1, "001-login");
    script.settle();
    let outcome = only(&script).unwrap();
    assert_eq!((outcome.exit, outcome.verdicts.len()), (0, 1));
    assert!(outcome.run.is_some() && outcome.evidence.is_some());
    assert_eq!(script.quits(), Vec::<u8>::new());
    assert!(script.model.runs.is_empty(), "nobody looks at it any more");
    // Every event of the run is for whoever asked, the last one too.
    assert!(script.events().iter().all(|event| event.ask == Some(AskId(1))));
    ask(&mut script, 2, "001-login");
    script.settle();
    assert_eq!(answers(&script).len(), 2);
}

#[test]
fn a_withdrawn_request_stops_its_run_and_no_other() {
    let mut script = Script::headless();
    script.hold(Kind::Turn);
    ask(&mut script, 1, "001-login");
    ask(&mut script, 2, "002-audit");
    script.settle();
    assert_eq!(names(&script.send(Msg::Program(Program::Withdrew(AskId(1))))), ["stop"]);
    assert_eq!(names(&script.send(Msg::Program(Program::Withdrew(AskId(1))))), ["kill"]);
    assert_eq!(names(&script.send(Msg::Program(Program::Withdrew(AskId(7))))), Vec::<String>::new());
    script.unhold().settle();
    let exits: Vec<(u64, u8)> =
        answers(&script).into_iter().map(|(ask, outcome)| (ask, outcome.unwrap().exit)).collect();
    assert!(exits.contains(&(1, 130)) && exits.contains(&(2, 0)), "{exits:?}");
}

#[test]
fn a_spec_that_is_live_is_refused_and_its_run_goes_on() {
    let mut script = Script::headless();
    script.hold(Kind::Turn);
    ask(&mut script, 1, "001-login");
    script.settle();
    assert_eq!(names(&ask(&mut script, 2, "001-login")), ["answer 2"]);
    let refused = only(&script).unwrap_err();
    assert!(refused.to_string().contains("is live already"), "{refused}");
    script.unhold().settle();
    assert_eq!(answers(&script).last().map(|(ask, outcome)| (*ask, outcome.is_ok())), Some((1, true)));
}

#[test]
fn what_never_began_is_a_failure_and_what_failed_later_an_outcome() {
    let mut script = Script::headless();
    script.send(Msg::Program(Program::Asked(AskId(1), Box::new(Request::stage(spec("001-login"), Stage::Implement)))));
    script.settle();
    assert_eq!(only(&script).unwrap_err().exit(), 10);
    assert_eq!(script.finished().len(), 1, "the stream has its last event all the same");

    let mut script = Script::headless();
    for agent in ["claude", "codex", "gemini"] {
        script.plays(agent, [Play::Fails(AgentError::Auth { why: "sign in".into() })]);
    }
    ask(&mut script, 1, "001-login");
    script.settle();
    assert_eq!(only(&script).unwrap().exit, 4);
}

#[test]
fn a_signal_and_a_program_that_is_gone_answer_everybody_and_end() {
    for (message, exit) in [(Msg::Signalled(Signal::Terminate), 143), (Msg::Program(Program::Left), 130)] {
        for kind in [Kind::Find, Kind::Open, Kind::Prepare, Kind::Turn, Kind::Judge, Kind::Publish, Kind::Mirror] {
            let mut script = Script::headless();
            script.plays("claude", [says("10")]).hold(kind);
            ask(&mut script, 1, "001-login");
            ask(&mut script, 2, "002-audit");
            script.settle();
            script.send(message.clone());
            assert_eq!(names(&ask(&mut script, 3, "001-login")).last(), Some(&"answer 3".to_owned()));
            script.unhold().settle();
            let mut asks: Vec<u64> = answers(&script).iter().map(|(ask, _)| *ask).collect();
            asks.sort_unstable();
            assert_eq!((asks, script.quits()), (vec![1, 2, 3], vec![exit]), "{message:?} at {kind:?}");
        }
    }
}
