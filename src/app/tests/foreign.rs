//! Runs that another process owns: shown from their journals, never changed from here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::script::{Kind, Script, names, spec};
use super::world::{Play, says};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::model::{Phase, SeatState, View};
use crate::app::msg::{ForeignNews, ForeignRun, Msg};
use crate::app::update::total;
use crate::domain::budget::Price;
use crate::domain::failure::{AgentError, Failure, LockOwner};
use crate::domain::ids::RunId;
use crate::domain::journal;
use crate::domain::moment::Moment;
use crate::domain::run::TurnKind;
use crate::domain::settings::{AgentKind, Launch};
use crate::domain::stage::Stage;
use crate::domain::stream::Usage;

fn owner() -> LockOwner {
    LockOwner { pid: 4711, host: "there".into(), since: Moment(1) }
}

/// What the journal of the other process's run tells beyond `seen` records.
fn news(other: &Script, seen: usize, owner: Option<LockOwner>) -> ForeignNews {
    let journal = &other.world.journals[&other.id()];
    let records = journal.records.clone();
    ForeignNews {
        owner,
        seen: records.len(),
        last: records.last().map(|(at, _)| *at),
        closed: journal::closed(records.iter().map(|(_, record)| record)),
        stopped_by: None,
        texts: journal.files.clone(),
        records: records.into_iter().skip(seen).collect(),
        progress: Vec::new(),
    }
}

fn recalled(other: &Script) -> Msg {
    let foreign = ForeignRun { spec: spec("001-login"), run: other.id(), owner: owner() };
    Msg::Recalled { typical: BTreeMap::new(), foreign: vec![foreign] }
}

/// A second program beside a run that stands at its turns, gemini being silent.
fn beside() -> (Script, Script, RunId) {
    let mut other = Script::new();
    other.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle();
    let mut script = Script::new();
    assert_eq!(names(&script.send(recalled(&other))), ["follow 0"]);
    let id = other.id();
    (other, script, id)
}

fn tell(script: &mut Script, id: &RunId, news: ForeignNews) -> Vec<Effect> {
    script.send(Msg::ForeignTold(id.clone(), Ok(Arc::new(news))))
}

#[test]
fn a_second_program_shows_the_live_run_of_the_first_and_changes_nothing() {
    let (other, mut script, id) = beside();
    assert!(matches!(script.model.view(), View::Dashboard { run, .. } if run == &id), "it is what one wants to see");
    let seen = other.world.journals[&id].records.len();
    assert_eq!(names(&tell(&mut script, &id, news(&other, 0, Some(owner())))), [format!("follow {seen}")]);
    assert_eq!(script.run().phase, Phase::Foreign(owner()));
    assert_eq!((script.seat("claude"), script.run().answered()), (&SeatState::Answered, 2));
    assert_eq!(script.seat("gemini"), &SeatState::Asking(TurnKind::Draft));
    assert!(script.model.is_animated() && script.model.live_runs().next().is_none());
    for key in ['x', 'r', 'n', 'd'] {
        assert_eq!(script.send(Msg::Input(crate::app::msg::Input::Key(Key::Char(key)))), [], "{key}");
        let said = script.model.notice.take().map(|notice| notice.text.to_string()).unwrap_or_default();
        assert!(said.contains("pid 4711 owns this run"), "{key}: {said}");
    }
    // Its owner can be asked; Esc and q only leave.
    script.key(Key::Char('X'));
    assert_eq!(script.effects.last(), Some(&Effect::AskOwner(spec("001-login"))));
    let before = script.effects.len();
    script.key(Key::Esc);
    assert!(matches!(script.model.view(), View::Home { .. }) && script.effects.len() == before);
    // Planning that spec shows it again, and asks nobody.
    script.key(Key::Char('p'));
    assert!(matches!(script.model.view(), View::Dashboard { run, .. } if run == &id) && script.effects.len() == before);
    script.key(Key::Esc).key(Key::Char('q'));
    assert_eq!(script.quits(), [0]);
}

#[test]
fn what_is_told_in_pieces_comes_to_the_same_and_the_verdict_is_that_of_the_owner() {
    let mut other = Script::new();
    other.plays("codex", [says("no")]).plays("gemini", [Play::Fails(AgentError::Auth { why: "no key".into() })]);
    other.start(&[Stage::Plan]).settle();
    let id = other.id();
    let all = other.world.journals[&id].records.len();
    let mut script = Script::new();
    script.send(recalled(&other));
    for at in 0..all {
        let mut piece = news(&other, at, Some(owner()));
        piece.records.truncate(1);
        tell(&mut script, &id, piece);
    }
    let effects = tell(&mut script, &id, news(&other, all, None));
    assert_eq!(names(&effects), ["survey"]);
    assert_eq!(script.run().phase, Phase::Decided);
    let hash = |script: &Script| script.run().verdicts[&Stage::Plan].verdict.hash.clone();
    assert_eq!(hash(&script), hash(&other));
    assert!(matches!(script.seat("gemini"), SeatState::Failed(_)));
    // The verdict can be read, and not be decided about: what that takes is not here.
    script.key(Key::Char('v'));
    assert!(matches!(script.model.view(), View::Verdict { .. }));
    let before = script.effects.len();
    script.key(Key::Enter);
    assert!(matches!(script.model.view(), View::Verdict { .. }) && script.effects.len() == before);
}

#[test]
fn a_run_whose_owner_died_can_be_gone_on_with_from_its_dashboard() {
    let (other, mut script, id) = beside();
    tell(&mut script, &id, news(&other, 0, None));
    assert_eq!(script.run().phase, Phase::Stopped);
    assert!(script.model.notice.as_ref().is_some_and(|n| n.text.as_str().contains("ended without a word")));
    assert_eq!(script.seat("gemini"), &SeatState::Failed(AgentError::Cancelled));
    script.world = other.world.clone();
    script.world.locks.clear();
    script.world.plays.clear();
    script.key(Key::Char('r')).settle();
    assert_eq!(script.run().phase, Phase::Decided);
    assert_eq!((script.run().id.clone(), script.asked()), (id, vec!["gemini 2".to_owned()]));
}

#[test]
fn a_start_that_is_refused_by_the_lock_shows_the_run_that_holds_it() {
    let (other, ..) = beside();
    let mut script = Script::new();
    script.hold(Kind::Survey);
    script.world.taken.insert(spec("001-login"));
    script.start(&[Stage::Plan]).settle();
    assert!(matches!(script.run().phase, Phase::Failed(Failure::LockHeld { .. })));
    assert_eq!(names(&script.effects).last().map(String::as_str), Some("survey"));
    assert_eq!(names(&script.send(recalled(&other))), ["follow 0"]);
    assert_eq!(script.model.runs.len(), 1);
    assert!(matches!(script.model.view(), View::Dashboard { run, .. } if run == &other.id()));
}

#[test]
fn a_program_without_a_screen_follows_nobody() {
    let (other, ..) = beside();
    let mut script = Script::headless();
    assert_eq!(script.send(recalled(&other)), []);
    assert!(script.model.runs.is_empty());
    assert_eq!(script.send(Msg::ForeignTold(other.id(), Err(Failure::Cancelled))), []);
}

#[test]
fn what_it_cost_is_told_as_it_is_recorded() {
    let mut settings = super::script::settings(&super::script::THREE);
    for agent in &mut settings.agents {
        agent.kind = AgentKind::Command(Launch::default());
        agent.model = Some("m".into());
    }
    settings.prices.insert("m".into(), Price { input_micro_usd: 1_000_000, output_micro_usd: 2_000_000 });
    let mut other = Script::of(settings.clone(), false);
    let usage = Usage { input_tokens: 900, output_tokens: 100, ..Usage::default() };
    other.world.uses = ["claude", "codex"].map(|agent| (agent.to_owned(), usage)).into();
    other.plays("gemini", [Play::Hangs]).start(&[Stage::Plan]).settle();
    let mut script = Script::of(settings, false);
    script.send(recalled(&other));
    tell(&mut script, &other.id(), news(&other, 0, Some(owner())));
    assert_eq!((script.run().used(), script.run().used().cost_micro_usd), (other.run().used(), Some(2_200)));
    assert_eq!(total(&script.model, script.run()), total(&other.model, other.run()));
}
