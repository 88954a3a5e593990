//! Back from validate to implement: at most twice, from what did not pass, and from any moment of it.

use super::script::{Kind, Script, names, settings, spec};
use crate::app::key::Key;
use crate::app::model::{Phase, View};
use crate::app::msg::{Msg, Request, Signal, Start};
use crate::domain::candidate::{Place, Portion, Take, Which};
use crate::domain::journal::Record;
use crate::domain::moment::Moment;
use crate::domain::settings::{CheckSource, CheckTemplate, Guardrails, Settings};
use crate::domain::stage::Stage;

const STAGES: [Stage; 3] = [Stage::Implement, Stage::Validate, Stage::Audit];

/// Two writers, and a guardrail behind validate.
fn writers() -> Settings {
    let mut settings = settings(&[("claude", "anthropic"), ("codex", "openai")]);
    settings.agents.iter_mut().for_each(|agent| agent.writes = [Stage::Implement].into());
    let check = CheckTemplate { argv: vec!["make".into(), "test".into()], source: CheckSource::Declared };
    settings.checks.insert("make".into(), check);
    let after = vec![vec!["make".to_owned(), "test".to_owned()]];
    settings.guardrails.insert(Stage::Validate, Guardrails { after, ..Guardrails::default() });
    settings
}

/// Where validate is green once so many candidates have landed.
fn mended_by(landed: usize) -> Script {
    let mut script = Script::of(writers(), true);
    script.world.mended_by = landed;
    script
}

fn auto(script: &mut Script, stages: &[Stage], place: Place) {
    let take = Some(Take { which: Which::Best, place, portion: Portion::Asked });
    let start = Start { take, ..Start::of(spec("001-login"), stages.into()) };
    script.send(Msg::Asked(Request::Start(start)));
}

fn went_back(script: &Script) -> usize {
    script.journal().iter().filter(|name| *name == "went_back").count()
}

/// What landed and what was taken back, without when.
fn moves(script: &Script) -> Vec<&str> {
    script.world.landed.iter().filter_map(|one| one.split(' ').next()).collect()
}

#[test]
fn what_validate_refuses_is_taken_back_and_done_again_and_the_run_goes_on() {
    let mut script = mended_by(2);
    auto(&mut script, &STAGES, Place::Tree);
    script.settle().expect_phase(Phase::Decided);
    assert_eq!((script.finished(), moves(&script)), (vec![0], vec!["codex", "-codex", "codex"]));
    assert_eq!((went_back(&script), script.run().verdicts.len()), (1, 3));
    // Whoever is asked again is asked with another number, and the verdict says that it is of the second try.
    assert_eq!(script.asked().iter().filter(|asked| asked.ends_with(" 2")).count(), 4, "{:?}", script.asked());
    let context = &script.run().verdicts[&Stage::Implement].verdict.inputs.context;
    assert!(context.contains_key("back from validate, try 2"), "{context:?}");
    assert!(names(&script.effects).contains(&"stage.back".to_owned()));
    let journal = script.journal();
    let at = |name: &str| journal.iter().position(|known| known == name).unwrap();
    assert!(at("went_back") < at("landing_undone"), "on record before anything is done");
    let back = script.run().back.clone().unwrap();
    assert!(back.why.as_str().contains("cargo test failed: exit 101"), "{back:?}");
    assert!(back.why.as_str().contains("test burst ... FAILED"), "{back:?}");
}

#[test]
fn after_two_times_it_stops_with_the_code_of_validate_and_the_last_change_stays() {
    let mut script = mended_by(9);
    auto(&mut script, &STAGES, Place::Tree);
    script.settle();
    assert_eq!((script.finished(), went_back(&script)), (vec![2], 2));
    assert_eq!(moves(&script), ["codex", "-codex", "codex", "-codex", "codex"]);
    assert!(!script.run().verdicts.contains_key(&Stage::Audit) && script.journal_is_closed());
    let told = format!("{:?}", script.events());
    assert!(told.contains("went back to implement 2 times"), "{told}");
}

#[test]
fn it_goes_back_only_to_what_the_same_run_put_into_the_working_copy() {
    let mut alone = mended_by(9);
    auto(&mut alone, &[Stage::Validate, Stage::Audit], Place::Tree);
    alone.settle();
    assert_eq!((alone.finished(), went_back(&alone)), (vec![2], 0));
    let mut branch = mended_by(9);
    auto(&mut branch, &STAGES, Place::Branch);
    branch.settle();
    assert!(!branch.run().verdicts.contains_key(&Stage::Validate), "what is on a branch is not there to be judged");
    assert_eq!((branch.finished(), went_back(&branch)), (vec![0], 0));
}

#[test]
fn copies_of_the_try_before_that_come_late_keep_the_run_from_nothing() {
    let mut script = mended_by(2);
    script.hold(Kind::Mirror);
    auto(&mut script, &STAGES, Place::Tree);
    script.settle();
    assert!(script.finished().is_empty(), "it is put away once its copies are made");
    script.unhold().settle();
    assert_eq!((script.finished(), script.journal_is_closed()), (vec![0], true));
    assert_eq!(script.journal().iter().filter(|name| *name == "mirrored").count(), 5, "{:?}", script.journal());
}

/// Answers of an agent that are on record, as `STAGE AGENT ATTEMPT`.
fn kept(script: &Script) -> Vec<String> {
    let answered = |(_, record): &(Moment, Record)| match record {
        Record::AgentAnswered { stage, agent, attempt, .. } => Some(format!("{stage} {agent} {attempt}")),
        _ => None,
    };
    script.world.journals.values().flat_map(|journal| &journal.records).filter_map(answered).collect()
}

#[test]
fn a_kill_at_any_moment_is_gone_on_from_with_the_same_verdicts() {
    let hashes = |script: &Script| {
        let decided = script.world.journals.values().flat_map(|journal| &journal.records);
        let of = |(_, record): &(Moment, Record)| match record {
            Record::StageDecided { stage, hash, .. } => Some((*stage, hash.clone())),
            _ => None,
        };
        decided.filter_map(of).collect::<std::collections::BTreeMap<_, _>>()
    };
    let mut whole = mended_by(2);
    auto(&mut whole, &STAGES, Place::Tree);
    whole.settle();
    let expected = hashes(&whole);
    for good in 0..140 {
        let mut first = mended_by(2);
        auto(&mut first, &STAGES, Place::Tree);
        for _ in 0..good {
            if first.pending.is_empty() {
                break;
            }
            first.answer(0);
        }
        if !first.finished().is_empty() {
            continue;
        }
        let before = kept(&first);
        let mut next = first.reborn();
        auto(&mut next, &STAGES, Place::Tree);
        next.settle();
        assert_eq!(next.finished(), [0], "after {good} answers: {}", next.story());
        assert_eq!(hashes(&next), expected, "after {good} answers: {}", next.story());
        assert_eq!(went_back(&next), 1, "after {good} answers: {}", next.story());
        let mut all = kept(&next);
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "after {good} answers somebody answered twice: {before:?}");
        // Done twice it is done once.
        let mut moved = moves(&next);
        moved.retain(|one| !one.starts_with('~'));
        moved.dedup();
        assert_eq!(moved, ["codex", "-codex", "codex"], "after {good} answers");
        assert_eq!(next.world.refused, Vec::<String>::new(), "after {good} answers");
    }
}

#[test]
fn whoever_goes_on_from_validate_still_goes_back() {
    let mut first = mended_by(2);
    first.hold(Kind::Guard);
    auto(&mut first, &STAGES, Place::Tree);
    first.settle();
    assert!(first.run().stage == Stage::Validate && moves(&first) == ["codex"]);
    // What is behind the spec by then is left out of what `auto` asks for.
    let mut next = first.reborn();
    auto(&mut next, &STAGES[1..], Place::Tree);
    next.settle();
    assert_eq!((next.finished(), moves(&next)), (vec![0], vec!["codex", "-codex", "codex"]));
}

#[test]
fn a_stop_while_the_change_is_taken_back_is_gone_on_from() {
    let mut script = mended_by(2);
    script.hold(Kind::Land);
    auto(&mut script, &STAGES, Place::Tree);
    script.settle();
    script.answer_one(Kind::Land);
    script.settle();
    assert!(went_back(&script) == 1 && moves(&script) == ["codex"], "{:?}", script.journal());
    script.send(Msg::Signalled(Signal::Interrupt));
    script.unhold().settle();
    assert_eq!((script.finished(), moves(&script)), (vec![130], vec!["codex", "-codex"]));
    let mut next = script.reborn();
    auto(&mut next, &STAGES, Place::Tree);
    next.settle();
    assert_eq!((next.finished(), moves(&next)), (vec![0], vec!["codex", "-codex", "codex"]));
}

#[test]
fn on_screen_the_next_candidates_are_offered_again() {
    let mut script = Script::of(writers(), false);
    script.world.mended_by = 2;
    script.start(&STAGES).settle();
    script.key(Key::Char('W')).settle();
    assert_eq!(moves(&script), ["codex", "-codex"]);
    assert!(script.run().stage == Stage::Implement && script.run().tried.is_some(), "{:?}", script.run().phase);
    assert!(matches!(script.model.view(), View::Candidates { .. }), "{:?}", script.model.view());
    script.key(Key::Char('W')).settle().expect_phase(Phase::Decided);
    assert!(script.run().verdicts.contains_key(&Stage::Audit), "{:?}", moves(&script));
}
