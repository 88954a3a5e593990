//! The ledger page and splits: read, decided about, taken back.

use std::sync::Arc;

use super::decisions::in_conflict;
use super::script::{Kind, Script, names, spec};
use super::world::{Play, covers, decides, open_key};
use crate::app::key::Key;
use crate::app::keymap;
use crate::app::model::{LedgerPage, Load, Phase, View};
use crate::app::msg::{Choice, Msg};
use crate::domain::claim::{Assertion, Kind as ClaimKind, Severity, Tier};
use crate::domain::consensus::{Status, Verdict};
use crate::domain::dissent::{ClosedBy, Dissent};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::stage::Stage;

fn page(script: &Script) -> &LedgerPage {
    let found =
        script.model.views.iter().rev().find_map(|view| if let View::Ledger(page) = view { Some(page) } else { None });
    found.unwrap()
}

/// The keys that the last line offers, but those that are offered everywhere.
fn offered(script: &Script) -> Vec<&'static str> {
    let everywhere = ["back", "command", "keys", "quit"];
    keymap::footer(&script.model).iter().map(|b| b.label).filter(|label| !everywhere.contains(label)).collect()
}

fn verdict(script: &Script) -> &Verdict {
    &script.run().verdicts[&Stage::Plan].verdict
}

/// Two of three agree; the ledger has the third one's dissent, and its page is open.
fn outvoted() -> Script {
    let mut script = Script::new();
    let says = |value: &str, tier| {
        let weigh = |said: Assertion| Assertion { severity: Severity::Minor, tier, ..said };
        Play::Says(vec![covers("FR-001"), weigh(decides(value))])
    };
    script.plays("claude", [says("10", Tier::E2)]).plays("codex", [says("10", Tier::E2)]);
    script.plays("gemini", [says("20", Tier::E0)]);
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    assert_eq!(verdict(&script).status, Status::AgreeWithDissent);
    script.key(Key::Char('v')).key(Key::Char('d')).settle();
    assert_eq!(page(&script).ledger.ready().unwrap().standing().count(), 1);
    script
}

#[test]
fn a_dissent_is_waived_from_its_page_with_a_reason_and_taken_back_with_one_key() {
    let mut script = outvoted();
    let before = verdict(&script).hash.clone();
    assert_eq!(offered(&script), ["detail", "waive", "reject", "open or all"]);
    script.key(Key::Char('w')).key(Key::Enter);
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("reason"));
    assert!(script.effects.iter().all(|e| !names(std::slice::from_ref(e))[0].contains("human_decided")));
    script.type_text("we know").key(Key::Enter);
    assert!(matches!(script.model.view(), View::Ledger(_)), "the page stays");
    assert_eq!(offered(&script), ["detail", "open or all"], "nothing is decided while it is decided anew");
    script.settle().expect_phase(Phase::Decided);
    let ledger = page(&script).ledger.ready().unwrap();
    let closed = ledger.dissents[0].closed.as_ref().unwrap();
    assert_eq!(closed.by, ClosedBy::Waiver);
    assert_eq!(closed.words(), "closed at plan by a waiver of ana: we know");
    assert_eq!(offered(&script), ["open or all"], "nothing is open");
    script.key(Key::Char('a'));
    assert_eq!(offered(&script), ["detail", "open or all", "undo"]);
    script.key(Key::Char('u')).settle().expect_phase(Phase::Decided);
    assert_eq!(page(&script).ledger.ready().unwrap().standing().count(), 1);
    assert_eq!(verdict(&script).hash, before);
}

#[test]
fn a_dissent_of_an_earlier_process_is_waived_and_taken_back_and_its_page_stays() {
    let mut script = outvoted().reborn();
    script.key(Key::Char(':')).type_text("dissent 001").key(Key::Enter).settle();
    script.key(Key::Char('w')).type_text("we know").key(Key::Enter);
    assert!(matches!(script.model.view(), View::Ledger(_)), "the page stays");
    script.settle();
    let closed = |script: &Script| page(script).ledger.ready().unwrap().dissents[0].closed.clone();
    assert_eq!(closed(&script).map(|closed| closed.by), Some(ClosedBy::Waiver));
    script.key(Key::Char('a')).key(Key::Char('u')).settle();
    assert!(matches!(script.model.view(), View::Ledger(_)) && closed(&script).is_none());
    script.key(Key::Esc);
    assert!(matches!(script.model.view(), View::Home { .. }));
}

#[test]
fn a_dissent_that_is_upheld_rejects_its_stage_and_can_be_taken_back() {
    let mut script = outvoted();
    script.key(Key::Char('b')).type_text("it is right").key(Key::Enter).settle().expect_phase(Phase::Decided);
    assert_eq!(verdict(&script).status, Status::Rejected);
    assert_eq!(page(&script).ledger.ready().unwrap().dissents[0].state(), "upheld: plan is rejected");
    assert_eq!(offered(&script), ["detail", "open or all", "undo"]);
    script.key(Key::Char('u')).settle();
    assert_eq!(verdict(&script).status, Status::AgreeWithDissent);
}

#[test]
fn a_reason_goes_to_the_row_that_it_was_typed_for_or_nowhere() {
    let mut script = outvoted();
    let spec = page(&script).spec.clone();
    let alone = (**page(&script).ledger.ready().unwrap()).clone();
    let mut more = alone.clone();
    more.dissents.insert(0, Dissent { key: Sha::of("another"), ..alone.dissents[0].clone() });
    let mut other = more.clone();
    other.dissents.truncate(1);

    script.key(Key::Char('w')).type_text("we know");
    script.send(Msg::LedgerRead(spec.clone(), Ok(Arc::new(other))));
    script.key(Key::Enter);
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("nothing was recorded"));
    assert!(page(&script).asking.is_none() && !script.story().contains("human_decided"));

    script.send(Msg::LedgerRead(spec.clone(), Ok(Arc::new(alone))));
    script.key(Key::Enter).key(Key::Char('w')).type_text("we know");
    script.send(Msg::LedgerRead(spec, Ok(Arc::new(more))));
    assert_eq!((page(&script).cursor, page(&script).detail), (1, Some(0)), "the selection goes with its row");
    script.key(Key::Enter).settle().expect_phase(Phase::Decided);
    let closed = page(&script).ledger.ready().unwrap().dissents[0].closed.clone();
    assert_eq!(closed.map(|closed| closed.by), Some(ClosedBy::Waiver));
}

#[test]
fn a_page_that_was_typed_for_is_read_anew_and_says_what_could_not_be_read() {
    let mut script = Script::new();
    script.hold(Kind::Ledger).key(Key::Char(':')).type_text("dissent 001").key(Key::Enter);
    assert!(matches!(page(&script).ledger, Load::Loading(_)) && script.model.is_animated());
    assert_eq!(offered(&script), Vec::<&str>::new());
    let failure =
        Failure::BadInput { place: "ledger".into(), why: "altered".into(), next: "restore it".into(), exit: 3 };
    script.send(Msg::LedgerRead(spec("002-audit"), Err(failure.clone())));
    assert!(matches!(page(&script).ledger, Load::Loading(_)), "of another spec");
    script.send(Msg::LedgerRead(spec("001-login"), Err(failure)));
    assert!(matches!(page(&script).ledger, Load::Failed(_)));
    script.key(Key::Esc);
    assert!(matches!(script.model.view(), View::Home { .. }));
}

#[test]
fn the_detail_opens_and_closes_before_the_page_does() {
    let mut script = outvoted();
    script.key(Key::Enter);
    assert_eq!(page(&script).detail, Some(0));
    script.key(Key::End);
    assert_eq!(page(&script).detail, Some(7), "the last of eight lines");
    script.key(Key::Esc);
    assert!(page(&script).detail.is_none() && matches!(script.model.view(), View::Ledger(_)));
    script.key(Key::Esc);
    assert!(matches!(script.model.view(), View::Verdict { .. }));
}

#[test]
fn a_side_that_a_human_chose_is_told_with_who_and_why() {
    let mut script = in_conflict(false);
    script.key(Key::Enter).key(Key::Char('1')).type_text("measured").key(Key::Enter).settle();
    script.key(Key::Char('d')).settle();
    let ledger = page(&script).ledger.ready().unwrap();
    assert!(ledger.standing().all(|dissent| dissent.key == open_key()) && ledger.standing().count() == 2);
    assert!(ledger.dissents[0].decided().ends_with(", chosen by ana: measured"), "{:?}", ledger.dissents[0]);
    script.key(Key::Char('u')).settle().expect_phase(Phase::Decided);
    assert_eq!(verdict(&script).status, Status::Conflict);
}

const RESTART: &str = "the limiter loses its counters when the process of a node restarts";

/// Three agents name one risk in three near wordings; its verdict is open.
fn merged() -> Script {
    let mut script = Script::new();
    for (agent, article) in [("claude", "a"), ("codex", "the"), ("gemini", "any")] {
        let subject = RESTART.replace("a node", &format!("{article} node"));
        let risk = Assertion {
            kind: ClaimKind::Risk,
            subject,
            predicate: "threatens".into(),
            value: "yes".into(),
            severity: Severity::Minor,
            tier: Tier::E0,
            ..covers("FR-001")
        };
        script.plays(agent, [Play::Says(vec![covers("FR-001"), decides("10"), risk])]);
    }
    script.start(&[Stage::Plan]).settle().expect_phase(Phase::Decided);
    script.key(Key::Char('v')).key(Key::Char('a'));
    script
}

/// How many texts each claim about the restart was made from.
fn texts(script: &Script) -> Vec<usize> {
    let risks = verdict(script).claims.iter().filter(|claim| claim.kind == ClaimKind::Risk);
    risks.map(|claim| 1 + claim.merged_from.len()).collect()
}

fn select_risk(script: &mut Script) {
    while !offered(script).contains(&"split") {
        let before = script.model.clone();
        script.key(Key::Down);
        assert_ne!(script.model, before, "the last row, and no merged claim");
    }
}

#[test]
fn a_merged_text_is_split_off_with_a_reason_and_splitting_then_undoing_changes_nothing() {
    for nth in 0..3 {
        let mut script = merged();
        let before = verdict(&script).hash.clone();
        assert_eq!(texts(&script), [3]);
        select_risk(&mut script);
        script.key(Key::Char('S')).key(Key::Home);
        for _ in 0..nth {
            script.key(Key::Down);
        }
        assert_eq!(offered(&script), ["split it off"]);
        script.key(Key::Enter).type_text("it is about the store").key(Key::Enter).settle().expect_phase(Phase::Decided);
        let mut parts = texts(&script);
        parts.sort_unstable();
        assert_eq!(parts, [1, 2], "text {nth}");
        let panel = &script.run().judgement.as_ref().unwrap().panel;
        assert!(
            panel.splits.len() == 2
                && panel.splits.iter().all(|s| s.by == "ana" && s.reason == "it is about the store")
        );
        assert_eq!(crate::domain::consensus::decide(panel).hash, verdict(&script).hash, "the panel says it all");

        // It is told in the ledger, and taken back from there.
        script.key(Key::Char('d')).settle().key(Key::Char('a'));
        assert_eq!(page(&script).ledger.ready().unwrap().splits.len(), 2);
        script.key(Key::End);
        assert_eq!(offered(&script), ["detail", "open or all", "undo"]);
        script.key(Key::Char('u')).settle().expect_phase(Phase::Decided);
        assert_eq!((texts(&script), &verdict(&script).hash), (vec![3], &before));
        assert!(page(&script).ledger.ready().unwrap().splits.is_empty());
    }
}

#[test]
fn a_split_holds_in_the_next_process_and_only_a_merged_text_can_be_split() {
    let mut script = merged();
    let key =
        verdict(&script).claims.iter().find(|claim| claim.kind == ClaimKind::Risk).unwrap().merged_from[0].key.clone();
    let decide = |claim: &str, choice| {
        crate::app::msg::Msg::Asked(crate::app::msg::Request::Decide(crate::app::msg::Decide {
            spec: spec("001-login"),
            stage: Stage::Plan,
            claim: claim.into(),
            choice,
            by: "ana".into(),
            reason: "not the same".into(),
        }))
    };
    script.send(decide(open_key().as_str(), Choice::Split));
    assert!(script.model.notice.as_ref().unwrap().text.as_str().contains("into which others were merged"));
    script.send(decide(key.as_str(), Choice::Split));
    script.settle().expect_phase(Phase::Decided);
    let after = verdict(&script).hash.clone();
    let mut next = script.reborn();
    next.send(decide(open_key().as_str(), Choice::Waive));
    next.settle();
    assert_eq!(next.run().human.splits.len(), 2, "read from the journal");
    let mut next = next.reborn();
    next.send(decide(key.as_str(), Choice::Undo));
    next.settle().expect_phase(Phase::Decided);
    assert_eq!(texts(&next), [3]);
    assert_ne!(verdict(&next).hash, after);
}
