//! The round: once, after the drafts, before the verdict; what is durable of it is never asked again.

use serde_json::json;

use super::script::{Kind, Script, agent, settings};
use super::world::{Play, open_key, says};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::What;
use crate::app::key::Key;
use crate::app::model::{Phase, SeatState};
use crate::domain::consensus::{Label, Status};
use crate::domain::failure::AgentError;
use crate::domain::journal::Record;
use crate::domain::run::TurnKind;
use crate::domain::settings::{AgentKind, Api, JsonMode, Round, Service};
use crate::domain::stage::Stage;

/// Three agents, of whom one says 20 and two say 10, and a consensus that lists what stands open.
pub(super) fn split(mut script: Script) -> Script {
    script.world.lists_open = true;
    script.plays("codex", [says("20")]);
    script
}

fn rounds(script: &Script) -> Vec<String> {
    script.asked().into_iter().filter(|turn| turn.ends_with(" round")).collect()
}

fn label(script: &Script) -> Label {
    let verdict = &script.run().verdicts[&Stage::Plan].verdict;
    verdict.claims.iter().find(|claim| claim.key == open_key()).unwrap().label
}

#[test]
fn a_conflict_is_asked_about_once_before_the_verdict_and_a_withdrawal_settles_it() {
    let mut script = split(Script::headless());
    script.world.votes.insert("codex".into(), Some(json!([{"n": 1, "vote": "withdraw", "because": "ten it is"}])));
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(rounds(&script), ["claude 1 round", "codex 1 round", "gemini 1 round"]);
    assert_eq!(label(&script), Label::Agreed);
    assert_eq!(script.quits(), [0]);
    let journal = script.journal();
    let of_round: Vec<&String> = journal.iter().filter(|name| name.starts_with("round_")).collect();
    assert_eq!(of_round, ["round_opened", "round_answered", "round_answered", "round_answered", "round_closed"]);
    let place = |name: &str| journal.iter().position(|record| record == name).unwrap();
    assert!(place("round_closed") < place("stage_decided"), "{journal:?}");
    let told = script.events().iter().find_map(|event| match &event.what {
        What::RoundFinished { changes, .. } => Some(changes.to_string()),
        _ => None,
    });
    assert_eq!(told.as_deref(), Some("the round settled 1"));
}

/// Who voted, and whether in a new session.
fn voted(script: &Script) -> Vec<(&str, bool)> {
    let records = script.world.journals[&script.id()].records.iter();
    let voted = records.filter_map(|(_, record)| match record {
        Record::RoundAnswered { agent, anew, .. } => Some((agent.as_str(), *anew)),
        _ => None,
    });
    voted.collect()
}

#[test]
fn who_votes_in_another_session_than_it_answered_in_is_recorded_so() {
    let mut script = split(Script::headless());
    script.world.sessions.extend([("claude".into(), ["a", "a"]), ("codex".into(), ["b", "c"])]);
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(voted(&script), [("claude", false), ("codex", true), ("gemini", false)]);
}

#[test]
fn a_model_over_http_is_asked_with_the_conversation_of_the_process_before_and_that_it_was_gone_is_recorded() {
    let mut settings = settings(&super::script::THREE);
    settings.agents[1].kind = AgentKind::Api(Service {
        api: Api::OpenaiChat,
        base_url: "http://127.0.0.1:8080/v1".into(),
        key_env: None,
        json_mode: JsonMode::JsonSchema,
        tools: true,
        lent: Default::default(),
    });
    let mut first = split(Script::of(settings, true));
    first.world.votes.insert("codex".into(), None);
    first.world.sessions.insert("codex".into(), ["kept", "kept-anew"]);
    first.start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    assert_eq!(first.seat("codex"), &SeatState::Asking(TurnKind::Round));
    let mut next = first.reborn();
    next.world.votes.remove("codex");
    next.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    let asked = next.effects.iter().find_map(|effect| match effect {
        Effect::Run(_, RunEffect::TakeTurn { seat, kind: TurnKind::Round, session, .. }) => {
            Some((seat.agent.as_str(), session.as_ref().map(|session| session.id.as_str())))
        }
        _ => None,
    });
    assert_eq!(asked, Some(("codex", Some("kept"))));
    assert_eq!(voted(&next), [("claude", false), ("gemini", false), ("codex", true)]);
}

#[test]
fn what_both_keep_stays_a_conflict_and_nobody_is_asked_twice() {
    let mut script = split(Script::headless());
    let keeps = json!([{"n": 1, "vote": "keep"}]);
    script.world.votes.extend([("codex".into(), Some(keeps.clone())), ("claude".into(), Some(keeps))]);
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!((label(&script), rounds(&script).len()), (Label::Conflict, 3));
    assert_eq!(script.run().verdicts[&Stage::Plan].verdict.status, Status::Conflict);
}

#[test]
fn no_round_is_held_when_it_is_off_or_nothing_is_open_or_one_family_sits_alone() {
    let mut quiet = Script::headless();
    quiet.world.lists_open = true;
    quiet.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(rounds(&quiet), Vec::<String>::new(), "nothing is open");
    let mut off = settings(&super::script::THREE);
    off.consensus.round = Round::Off;
    let mut off = split(Script::of(off, true));
    off.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!((rounds(&off).len(), label(&off)), (0, Label::Conflict));
    let mut flag = split(Script::headless());
    flag.model.boot.no_round = true;
    flag.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(rounds(&flag).len(), 0);
    let mut alone = split(Script::of(settings(&[("claude", "a"), ("codex", "a")]), true));
    alone.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(rounds(&alone).len(), 0, "one voice");
}

#[test]
fn one_agent_speaks_for_its_family_and_no_prompt_names_anybody_else() {
    let families = [("opus", "anthropic"), ("haiku", "anthropic"), ("codex", "openai")];
    let mut script = split(Script::of(settings(&families), true));
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(rounds(&script), ["haiku 1 round", "codex 1 round"], "the first of each family by name");
    for (asked, prompt) in &script.world.ballots {
        for (name, family) in families {
            let is_own = asked.as_str() == name;
            assert!(is_own || !prompt.contains(name), "{asked} reads {name}");
            assert!(!prompt.contains(family), "{asked} reads {family}");
        }
    }
}

#[test]
fn silence_in_the_round_changes_nothing_and_is_not_asked_for_again() {
    let mut script = split(Script::headless());
    script.world.votes.insert("codex".into(), Some(json!([{"n": 1, "vote": "shrug"}])));
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(rounds(&script).len(), 3, "no repair turn, no second try");
    assert_eq!(label(&script), Label::Conflict);
    assert!(script.run().verdicts[&Stage::Plan].verdict.missing_agents.is_empty(), "its draft counts all the same");
    let failed = script.events().iter().any(|event| {
        matches!(&event.what, What::AgentFinished { turn: Some(TurnKind::Round), why: Some(_), agent, .. } if agent.as_str() == "codex")
    });
    assert!(failed);
}

#[test]
fn a_stop_in_the_round_keeps_the_votes_and_the_rest_is_asked_when_it_goes_on() {
    let mut script = split(Script::new());
    script.world.votes.insert("gemini".into(), None);
    script.world.votes.insert("codex".into(), Some(json!([{"n": 1, "vote": "withdraw"}])));
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    assert_eq!(script.seat("gemini"), &SeatState::Asking(TurnKind::Round));
    script.key(Key::Char('X')).settle().expect_phase(Phase::Stopped);
    assert_eq!(script.run().answered(), 3, "the drafts are kept");
    script.world.votes.remove("gemini");
    script.world.stopped.clear();
    script.key(Key::Char('r')).settle().expect_phase(Phase::Decided);
    let again: Vec<String> = rounds(&script).into_iter().skip(3).collect();
    assert_eq!(again, ["gemini 1 round"]);
    assert_eq!(label(&script), Label::Agreed, "the vote that was kept counts");
}

#[test]
fn an_agent_stopped_alone_in_the_round_stays_silent_and_its_draft_counts() {
    let mut script = split(Script::new());
    script.world.votes.insert("codex".into(), None);
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Asking);
    script.key(Key::Down).key(Key::Char('x')).settle().expect_phase(Phase::Decided);
    assert_eq!(rounds(&script).len(), 3);
    assert_eq!(script.run().verdicts[&Stage::Plan].verdict.families.ok, 3);
    assert!(script.run().rounds[&Stage::Plan].silent.contains(&agent("codex")));
}

#[test]
fn a_kill_at_any_moment_of_the_round_ends_in_the_same_verdict_and_no_vote_is_asked_for_twice() {
    let votes = json!([{"n": 1, "vote": "withdraw"}]);
    let mut whole = split(Script::headless());
    whole.world.votes.insert("codex".into(), Some(votes.clone()));
    whole.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    let claims = |script: &Script| script.run().verdicts[&Stage::Plan].verdict.claims.clone();
    for good in 0..60 {
        let mut first = split(Script::headless());
        first.world.votes.insert("codex".into(), Some(votes.clone()));
        first.start(&[Stage::Plan]);
        for _ in 0..good {
            if first.pending.is_empty() {
                break;
            }
            first.answer(0);
        }
        let kept: Vec<String> = first
            .run()
            .rounds
            .get(&Stage::Plan)
            .map_or_else(Vec::new, |round| round.answers.keys().map(|agent| format!("{agent} 1 round")).collect());
        let is_closed = first.journal_is_closed();
        let mut next = first.reborn();
        if next.world.plays.get("codex").is_none_or(|plays| plays.is_empty()) && !first.has_answered("codex") {
            next.plays("codex", [says("20")]);
        }
        next.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
        if is_closed {
            continue;
        }
        let twice: Vec<String> = rounds(&next).into_iter().filter(|turn| kept.contains(turn)).collect();
        assert_eq!(twice, Vec::<String>::new(), "after {good} answers");
        assert_eq!(claims(&next), claims(&whole), "after {good} answers");
    }
}

#[test]
fn missing_agents_are_asked_again_before_the_round() {
    let mut script = split(Script::headless());
    let crash = || Play::Fails(AgentError::Crashed { how: "signal 9, KILL".into() });
    script.plays("gemini", [crash(), says("10")]);
    script.start(&[Stage::Plan]).settle();
    assert_eq!(rounds(&script), Vec::<String>::new(), "it waits for gemini");
    script.tick(60_000);
    script.settle().expect_phase(Phase::Decided);
    assert_eq!(rounds(&script).len(), 3);
}

#[test]
fn a_round_that_was_off_can_be_asked_for_once() {
    let mut off = settings(&super::script::THREE);
    off.consensus.round = Round::Off;
    let mut script = split(Script::of(off, false));
    script.world.votes.insert("codex".into(), Some(json!([{"n": 1, "vote": "withdraw"}])));
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!((rounds(&script).len(), label(&script)), (0, Label::Conflict));
    script.key(Key::Char('v')).key(Key::Char('R')).settle().expect_phase(Phase::Decided);
    assert_eq!((rounds(&script).len(), label(&script)), (3, Label::Agreed));
    script.key(Key::Char('R')).settle().expect_phase(Phase::Decided);
    assert_eq!(rounds(&script).len(), 3, "never twice");
    let journal = script.journal();
    assert_eq!(journal.iter().filter(|record| *record == "round_opened").count(), 1, "{journal:?}");
}

#[test]
fn a_recorded_stage_is_decided_anew_with_the_votes_and_without_another_round() {
    let mut script = split(Script::new());
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    let before = rounds(&script).len();
    script.key(Key::Char('v')).hold(Kind::Check);
    script.unhold().key(Key::Char('r')).settle();
    assert_eq!(rounds(&script).len(), before);
}
