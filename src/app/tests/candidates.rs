//! Implement: candidates are tried, kept and offered; one is taken, once, and back.

use super::script::{Kind, Script, names, settings, spec};
use super::world::Play;
use crate::app::effect::{Effect, RunEffect};
use crate::app::key::Key;
use crate::app::model::{Phase, View};
use crate::app::msg::{Msg, Request, RunMsg, Start};
use crate::domain::candidate::{Place, Portion, Take, Which};
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::journal::Record;
use crate::domain::settings::{CheckSource, CheckTemplate, Settings};
use crate::domain::stage::Stage;

fn writers() -> Settings {
    let mut settings = settings(&[("claude", "anthropic"), ("codex", "openai")]);
    settings.agents.iter_mut().for_each(|agent| agent.writes = [Stage::Implement].into());
    let check = CheckTemplate { argv: vec!["make".into(), "test".into()], source: CheckSource::Declared };
    settings.checks.insert("make".into(), check);
    settings
}

fn headless() -> Script {
    Script::of(writers(), true)
}

fn best() -> Take {
    Take { which: Which::Best, place: Place::Branch, portion: Portion::Asked }
}

fn take(script: &mut Script, stages: &[Stage], take: Take) {
    let start = Start { take: Some(take), ..Start::of(spec("001-login"), stages.into()) };
    script.send(Msg::Asked(Request::Start(start)));
    script.settle();
}

fn failure(script: &Script) -> Failure {
    let Phase::Failed(failure) = &script.run().phase else { panic!("{:?}", script.run().phase) };
    failure.clone()
}

#[test]
fn without_a_choice_the_candidates_are_kept_and_exit_10_names_the_command_that_takes_one() {
    let mut script = headless();
    script.start(&[Stage::Implement]).settle();
    let refused = failure(&script);
    assert!(refused.to_string().contains("(codex, claude)"), "best first: {refused}");
    assert!(refused.hint().contains("dicast implement 001-login --apply best"), "{}", refused.hint());
    assert_eq!((script.finished(), script.world.landed.len()), (vec![10], 0));
    let journal = script.journal();
    let at = |name: &str| journal.iter().position(|known| known == name).unwrap();
    assert!(at("candidates_tried") < at("stage_decided") && at("stage_decided") < at("run_closed"));
    // Nobody is asked what stands open: candidates are told apart by what is run.
    assert!(!journal.contains(&"round_opened".to_owned()));
    let uprooted = script.effects.iter().position(|effect| matches!(effect, Effect::Run(_, RunEffect::Uproot)));
    let closes = |record: &Record| matches!(record, Record::RunClosed { .. });
    let closed = script.effects.iter().position(
        |effect| matches!(effect, Effect::Run(_, RunEffect::Commit { records, .. }) if records.iter().any(closes)),
    );
    assert!(uprooted.is_some() && uprooted < closed, "worktrees go first: of a closed run nobody would remove them");
}

#[test]
fn a_candidate_that_is_asked_for_lands_after_its_intent_is_on_record() {
    let mut script = headless();
    script.hold(Kind::Land);
    take(&mut script, &[Stage::Implement], best());
    let intended = |script: &Script| script.journal().contains(&"landing_intended".to_owned());
    assert!(intended(&script) && script.world.landed.is_empty(), "before anything is done");
    script.unhold().settle().expect_phase(Phase::Decided);
    assert_eq!((script.finished(), script.world.landed.len()), (vec![0], 1));
    assert!(script.world.landed[0].starts_with("codex"));
    let journal = script.journal();
    assert_eq!(journal.iter().filter(|name| *name == "landed").count(), 1);
    assert!(names(&script.effects).contains(&"candidate.landed".to_owned()));
}

#[test]
fn killed_between_intent_and_done_the_same_landing_is_done_again() {
    let mut first = headless();
    first.hold(Kind::Land);
    take(&mut first, &[Stage::Implement], best());
    let landing = |script: &Script| {
        let journal = &script.world.journals[&script.id()];
        let intended = journal.records.iter().rev().find_map(|(_, record)| match record {
            Record::LandingIntended { landing, .. } => Some(landing.clone()),
            _ => None,
        });
        intended.unwrap()
    };
    let meant = landing(&first);
    let mut second = first.reborn();
    take(&mut second, &[Stage::Implement], best());
    assert_eq!((second.finished(), landing(&second)), (vec![0], meant.clone()), "the same time, so the same commit");
    assert_eq!(second.world.landed, [format!("codex at {}", meant.at.0)]);
    // Nobody was asked again, and nothing was tried again.
    assert!(second.asked().is_empty());
    let third = &mut second.reborn();
    // Without a choice what was begun goes on, too.
    let mut again = first.reborn();
    again.start(&[Stage::Implement]).settle();
    assert_eq!((again.finished(), again.world.landed.len()), (vec![0], 1));
    take(third, &[Stage::Implement], best());
    assert_eq!(third.world.landed.len(), 2, "asked for again it is done again: the same thing");
    assert_eq!(third.world.landed[0], third.world.landed[1]);
}

#[test]
fn killed_while_it_landed_in_the_working_copy_the_way_is_cleared_before_implement_begins_again() {
    let mut first = headless();
    first.hold(Kind::Land);
    take(&mut first, &[Stage::Implement], Take { place: Place::Tree, ..best() });
    let mut second = first.reborn();
    take(&mut second, &[Stage::Implement], Take { place: Place::Tree, ..best() });
    let landed: Vec<&str> = second.world.landed.iter().map(|landed| landed.split(' ').next().unwrap()).collect();
    assert_eq!((second.finished(), landed), (vec![0], vec!["~codex", "codex"]));
    let at = |wanted: fn(&RunEffect) -> bool| {
        second.effects.iter().position(|effect| matches!(effect, Effect::Run(_, effect) if wanted(effect))).unwrap()
    };
    let cleared = at(|effect| matches!(effect, RunEffect::Clear(_)));
    assert!(cleared < at(|effect| matches!(effect, RunEffect::Prepare { .. })), "candidates start from the commit");
    // Once it is recorded nothing is cleared.
    let mut third = second.reborn();
    third.start(&[Stage::Validate]).settle();
    assert_eq!(third.world.landed.len(), 2, "{:?}", third.world.landed);
}

#[test]
fn a_run_that_starts_over_takes_what_it_was_asked_to_take() {
    let mut first = headless();
    first.plays("codex", [Play::Hangs]);
    take(&mut first, &[Stage::Implement], best());
    let mut next = first.reborn();
    next.world.config = "another".into();
    next.plays("codex", []);
    take(&mut next, &[Stage::Implement], best());
    assert_eq!((next.finished().last(), next.world.landed.len()), (Some(&0), 1), "{}", next.story());
}

#[test]
fn a_candidate_of_a_recorded_run_is_taken_without_asking_anybody() {
    let mut first = headless();
    first.start(&[Stage::Implement]).settle();
    let mut second = first.reborn();
    let claude =
        Take { which: Which::Of(AgentName::new("claude").unwrap()), place: Place::Branch, portion: Portion::Asked };
    take(&mut second, &[Stage::Implement], claude);
    assert_eq!((second.finished(), second.asked()), (vec![0], vec![]));
    assert!(second.world.landed[0].starts_with("claude"));
    assert!(second.journal().contains(&"run_reopened".to_owned()) && second.journal_is_closed());

    let mut third = first.reborn();
    let nobody =
        Take { which: Which::Of(AgentName::new("nobody").unwrap()), place: Place::Branch, portion: Portion::Asked };
    take(&mut third, &[Stage::Implement], nobody);
    assert_eq!((failure(&third).exit(), third.world.landed.len()), (64, 0));
    assert!(failure(&third).hint().contains("codex, claude"), "{}", failure(&third).hint());
}

#[test]
fn who_broke_a_test_is_not_taken_and_where_all_did_nothing_is() {
    let mut script = headless();
    script.world.breaks = ["claude".to_owned()].into();
    let claude =
        Take { which: Which::Of(AgentName::new("claude").unwrap()), place: Place::Branch, portion: Portion::Asked };
    take(&mut script, &[Stage::Implement], claude);
    assert_eq!((failure(&script).exit(), script.world.landed.len()), (10, 0));
    assert!(failure(&script).to_string().contains("claude is out: broke 1: old"), "{}", failure(&script));

    let mut script = headless();
    script.world.breaks = ["claude".to_owned(), "codex".to_owned()].into();
    take(&mut script, &[Stage::Implement], best());
    script.expect_phase(Phase::Decided);
    assert_eq!((script.finished(), script.world.landed.len()), (vec![2], 0), "blocked");
}

#[test]
fn stages_behind_it_begin_only_when_a_candidate_is_where_they_look() {
    let stages = [Stage::Implement, Stage::Validate];
    let mut script = headless();
    take(&mut script, &stages, Take { which: Which::Best, place: Place::Tree, portion: Portion::Asked });
    script.expect_phase(Phase::Decided);
    assert!(script.run().verdicts.contains_key(&Stage::Validate) && script.world.landed.len() == 1);

    let mut kept = headless();
    kept.start(&stages).settle();
    assert!(!kept.run().verdicts.contains_key(&Stage::Validate));
    // Taken later, the agents of the next stage are asked as ever.
    let mut later = kept.reborn();
    take(&mut later, &stages, Take { which: Which::Best, place: Place::Tree, portion: Portion::Asked });
    assert!(later.run().verdicts.contains_key(&Stage::Validate));
    assert_eq!(later.asked().len(), 2, "{:?}", later.asked());
}

#[test]
fn what_cannot_land_fails_and_can_be_asked_for_again() {
    let mut script = headless();
    script.world.no_landing = Some(Failure::needs_input("dicast/001-login", "the branch is there", "delete it"));
    take(&mut script, &[Stage::Implement], best());
    assert_eq!((failure(&script).exit(), script.journal_is_closed()), (10, true));
    let mut again = script.reborn();
    again.world.no_landing = None;
    take(&mut again, &[Stage::Implement], best());
    assert_eq!((again.finished(), again.world.landed.len()), (vec![0], 1));
}

#[test]
fn nobody_that_may_write_or_nothing_to_run_is_refused_before_anybody_is_asked() {
    let mut nobody = writers();
    nobody.agents.iter_mut().for_each(|agent| agent.writes.clear());
    let mut script = Script::of(nobody, true);
    script.start(&[Stage::Implement]).settle();
    assert!(failure(&script).hint().contains("writes = [\"implement\"]"), "{}", failure(&script).hint());
    let mut script = Script::of(Settings { checks: [].into(), ..writers() }, true);
    script.start(&[Stage::Implement]).settle();
    assert_eq!((failure(&script).exit(), script.asked().len()), (10, 0));
    assert!(failure(&script).hint().contains("[checks.NAME]"), "{}", failure(&script).hint());
}

#[test]
fn a_late_word_about_a_landing_changes_nothing() {
    let mut script = headless();
    take(&mut script, &[Stage::Implement], best());
    let (id, before) = (script.id(), script.model.clone());
    assert!(script.send(Msg::Run(id, RunMsg::Landed(Ok(None)))).is_empty());
    assert_eq!(script.model.runs, before.runs);
}

#[test]
fn on_screen_the_candidates_open_by_themselves_and_are_taken_and_taken_back_by_key() {
    let mut script = Script::of(writers(), false);
    script.start(&[Stage::Implement, Stage::Validate]).settle().expect_phase(Phase::Decided);
    assert!(matches!(script.model.view(), View::Candidates { cursor: 0, .. }), "{:?}", script.model.view());
    assert!(!script.run().verdicts.contains_key(&Stage::Validate), "nothing is where it would look");
    script.key(Key::Char('j')).key(Key::Enter).settle();
    assert!(script.world.landed[0].starts_with("claude") && script.run().landed, "{:?}", script.world.landed);
    // What landed is taken back before another one is taken.
    script.key(Key::Char('k')).key(Key::Char('W')).settle();
    assert_eq!(script.world.landed.len(), 1);
}

#[test]
fn what_landed_comes_back_by_key_and_another_one_can_be_taken() {
    let mut script = Script::of(writers(), false);
    script.start(&[Stage::Implement]).settle();
    script.key(Key::Char('W')).settle().expect_phase(Phase::Decided);
    let place = |script: &Script| script.run().landing.as_ref().map(|landing| landing.place);
    assert_eq!((script.world.landed.len(), place(&script)), (1, Some(Place::Tree)));
    script.key(Key::Char('u')).settle().expect_phase(Phase::Decided);
    assert!(script.world.landed[1].starts_with("-codex") && !script.run().landed && place(&script).is_none());
    script.key(Key::Enter).settle().expect_phase(Phase::Decided);
    assert_eq!((script.world.landed.len(), place(&script)), (3, Some(Place::Branch)));
    assert!(script.journal().contains(&"landing_undone".to_owned()) && script.journal_is_closed());
    // One that cannot land leaves the stage as it was.
    script.key(Key::Char('u')).settle();
    script.world.no_landing = Some(Failure::needs_input("the branch", "it is there", "delete it"));
    script.key(Key::Enter).settle().expect_phase(Phase::Decided);
    assert!(!script.run().landed && script.model.notice.as_ref().is_some_and(|notice| notice.bad));
}

fn whole() -> Take {
    Take { portion: Portion::Whole, ..best() }
}

#[test]
fn what_nobody_asked_for_is_left_out_and_said_and_a_flag_takes_it_in_after_a_test() {
    let mut script = headless();
    script.world.unasked = Some(false);
    take(&mut script, &[Stage::Implement], best());
    assert_eq!((script.finished(), &script.world.trees), (vec![0], &vec!["lean tree of codex".to_owned()]));
    let landing = script.run().landing.clone().unwrap();
    assert_eq!(landing.left_out.iter().map(ToString::to_string).collect::<Vec<_>>(), ["src/a.rs:21"]);
    assert!(landing.message.contains("Left out of it:\n- src/a.rs:21\n"), "{}", landing.message);
    assert!(script.world.tested.is_empty(), "it was tried like that");

    let mut script = headless();
    script.world.unasked = Some(false);
    script.hold(Kind::Test);
    take(&mut script, &[Stage::Implement], whole());
    assert!(matches!(script.run().phase, Phase::Testing { .. }) && script.world.trees.is_empty());
    script.unhold().settle().expect_phase(Phase::Decided);
    assert_eq!((script.finished(), &script.world.trees), (vec![0], &vec!["tree that was picked".to_owned()]));
    assert_eq!(script.world.tested[0].0.values().map(|taken| taken.len()).sum::<usize>(), 2);
    assert!(script.run().landing.as_ref().is_some_and(|landing| landing.left_out.is_empty()));
}

#[test]
fn what_nobody_asked_for_and_is_needed_is_for_a_person_or_the_flag() {
    let mut script = headless();
    script.world.unasked = Some(true);
    take(&mut script, &[Stage::Implement], best());
    assert_eq!((failure(&script).exit(), script.world.landed.len()), (10, 0));
    let said = failure(&script).to_string();
    assert!(said.contains("no task asked for src/a.rs:21, and its tests are red without"), "{said}");
    let hint = failure(&script).hint();
    assert!(hint.starts_with("take it too: `dicast implement 001-login --apply best --with-unasked`"), "{hint}");
    assert!(hint.ends_with("tasks.md and ask again: `dicast implement 001-login --fresh --apply best`"), "{hint}");
    let mut auto = headless();
    auto.world.unasked = Some(true);
    take(&mut auto, &[Stage::Implement, Stage::Validate], Take { place: Place::Tree, ..best() });
    let hint = failure(&auto).hint();
    assert!(hint.starts_with("take it too: `dicast auto 001-login --apply best --with-unasked`"), "{hint}");
    assert!(hint.ends_with("`dicast auto 001-login --from implement --fresh --apply best`"), "{hint}");
    // It was tried with all of it: nothing is run again.
    let mut again = script.reborn();
    take(&mut again, &[Stage::Implement], whole());
    assert_eq!((again.finished(), again.asked(), again.world.tested.len()), (vec![0], vec![], 0));
    assert_eq!(again.world.trees, ["tree of codex"], "what was tried");
}

#[test]
fn what_was_picked_and_is_red_lands_nowhere_and_a_stop_ends_its_test() {
    let mut script = headless();
    (script.world.unasked, script.world.red_picks) = (Some(false), true);
    take(&mut script, &[Stage::Implement], whole());
    assert_eq!((failure(&script).exit(), script.world.landed.len()), (10, 0));
    assert!(failure(&script).to_string().contains("what was picked is red: old"), "{}", failure(&script));

    let mut script = headless();
    script.world.unasked = Some(false);
    script.hold(Kind::Test);
    take(&mut script, &[Stage::Implement], whole());
    let id = script.id();
    script.send(Msg::Asked(Request::Stop(Some(id))));
    script.expect_phase(Phase::Stopping).unhold().settle().expect_phase(Phase::Stopped);
    assert_eq!((script.finished(), script.world.landed.len()), (vec![130], 0));
    assert!(!script.journal().contains(&"landing_intended".to_owned()));
}

#[test]
fn what_landed_is_taken_back_by_a_later_process_once_and_nobody_is_asked_or_judged() {
    let mut first = headless();
    take(&mut first, &[Stage::Implement], Take { which: Which::Best, place: Place::Tree, portion: Portion::Asked });
    let undo = |script: &mut Script| {
        script.send(Msg::Asked(Request::Undo(spec("001-login"))));
        script.settle();
    };
    let mut second = first.reborn();
    undo(&mut second);
    assert_eq!((second.finished(), second.asked()), (vec![0], vec![]));
    assert!(second.world.landed[1].starts_with("-codex") && second.journal_is_closed(), "{:?}", second.world.landed);
    assert!(second.journal().contains(&"landing_undone".to_owned()));
    // Again there is nothing to do.
    let mut third = second.reborn();
    undo(&mut third);
    assert_eq!((third.finished(), third.world.landed.len()), (vec![0], 2));
    // What was changed since stays, and it can be asked for again.
    let mut changed = first.reborn();
    changed.world.no_landing = Some(Failure::needs_input("the working copy", "it does not fit", "commit it"));
    undo(&mut changed);
    assert_eq!((failure(&changed).exit(), changed.journal_is_closed()), (10, true));
    changed.world.no_landing = None;
    let mut later = changed.reborn();
    undo(&mut later);
    assert_eq!((later.finished(), later.world.landed.len()), (vec![0], 2));
}

#[test]
fn a_hunk_is_left_and_taken_by_key_also_one_of_another_candidate() {
    let mut script = Script::of(writers(), false);
    script.start(&[Stage::Implement]).settle().expect_phase(Phase::Decided);
    let picked =
        |script: &Script| script.run().basket.clone().map(|basket| basket.picks.0.values().map(|t| t.len()).collect());
    script.key(Key::Char(' '));
    assert_eq!(picked(&script), Some(vec![1]), "one of two");
    script.key(Key::Char(' '));
    assert_eq!(picked(&script), None::<Vec<usize>>, "as it was tried");
    // The same lines of another one are refused while they are taken.
    script.key(Key::Char(']')).key(Key::Char(' ')).key(Key::Char('j')).key(Key::Char(' '));
    assert!(script.model.notice.as_ref().is_some_and(|notice| notice.text.as_str().contains("src/a.rs:4 of codex")));
    script.key(Key::Char('t'));
    assert_eq!(picked(&script), None, "as it was tried");
    script.key(Key::Char('k'));
    script.key(Key::Char(']')).key(Key::Char(' ')).key(Key::Char('j')).key(Key::Char(']')).key(Key::Char(' '));
    assert_eq!(picked(&script), Some(vec![1, 1]));
    script.hold(Kind::Test).key(Key::Enter).settle();
    assert!(matches!(script.run().phase, Phase::Testing { .. }), "{:?}", script.run().phase);
    assert!(script.world.landed.is_empty());
    // Esc ends the test, and nothing was put anywhere.
    script.key(Key::Esc).unhold().settle().expect_phase(Phase::Decided);
    assert!(script.world.landed.is_empty() && picked(&script).is_some());
    script.key(Key::Enter).settle().expect_phase(Phase::Decided);
    let landing = script.run().landing.clone().unwrap();
    assert_eq!((landing.agent.as_str(), landing.tree.as_str()), ("codex", "tree that was picked"));
    let told = |places: &[crate::domain::safe::Safe]| places.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (told(&landing.left_out), told(&landing.also)),
        (vec!["src/a.rs:21".into()], vec!["src/a.rs:21 of claude".into()])
    );
    assert_eq!(picked(&script), None, "it is done with");
}

#[test]
fn the_tests_of_the_others_that_pass_are_kept_by_key_and_tested_again_before_they_land() {
    let mut script = Script::of(writers(), false);
    script.world.suites = true;
    script.start(&[Stage::Implement]).settle().expect_phase(Phase::Decided);
    let main = script.run().tried.as_ref().unwrap().candidates[0].clone();
    assert_eq!(crate::app::update::worth_keeping(&script.model, &main), (1, true));
    script.key(Key::Char('m'));
    let picks = script.run().basket.clone().unwrap().picks;
    // All of its own; of the other the file of tests that nobody else has. Of the one that both have there is one.
    assert_eq!(picks.0.values().map(|taken| taken.len()).collect::<Vec<_>>(), [1, 4]);
    let said = script.model.notice.as_ref().unwrap().text.to_string();
    assert!(said.contains("1 of 2 hunks") && said.contains("tests/same.rs of claude beside that of codex"), "{said}");
    script.hold(Kind::Test).key(Key::Enter).settle();
    assert!(matches!(script.run().phase, Phase::Testing { .. }) && script.world.landed.is_empty());
    script.unhold().settle().expect_phase(Phase::Decided);
    let landing = script.run().landing.clone().unwrap();
    assert_eq!(landing.also.iter().map(ToString::to_string).collect::<Vec<_>>(), ["tests/claude.rs of claude"]);
    assert!(landing.message.contains("With it:\n- tests/claude.rs of claude\n"), "{}", landing.message);
}

#[test]
fn who_took_what_no_task_asked_for_is_on_record() {
    let mut script = headless();
    script.world.unasked = Some(false);
    take(&mut script, &[Stage::Implement], whole());
    let landing = script.run().landing.clone().unwrap();
    let unasked: Vec<String> = landing.unasked.iter().map(ToString::to_string).collect();
    assert_eq!((unasked, landing.by.as_str()), (vec!["src/a.rs:21 of codex".to_owned()], "ana"));
    assert!(landing.message.contains("Taken although no task asked for it:\n- src/a.rs:21 of codex\n"));
}
