//! The ledger of a spec and the texts of a claim, one model for each state of their pages.

use std::sync::Arc;

use dicast::app::line::Line;
use dicast::app::model::{LedgerPage, Load, MergedTexts, Model, Phase, View, Weighed};
use dicast::app::msg::Choice;
use dicast::domain::claim::{Kind, Polarity, Severity, Tier};
use dicast::domain::consensus::{Answer, Panel, Split};
use dicast::domain::dissent::{Closed, ClosedBy, Condition, Dissent, Ledger, Parted, Signed};
use dicast::domain::hash::Sha;
use dicast::domain::moment::Moment;
use dicast::domain::safe::Safe;
use dicast::domain::stage::Stage;

use crate::fixtures::{Fixture, decided_on, unreadable};
use crate::parts::*;

/// Every state of the two pages.
pub(crate) fn all() -> Vec<Fixture> {
    let ready = |ledger: Ledger| Load::Ready(Arc::new(ledger));
    let whole = || page(ready(ledger()));
    let asking = |choice, reason: &str| {
        let (stage, claim) = (Stage::Plan, ledger().dissents[0].key.clone());
        Some(Weighed { choice, stage, claim, reason: Line::new(reason) })
    };
    vec![
        ("ledger", shown(whole())),
        ("ledger_all", shown(LedgerPage { all: true, cursor: 2, ..whole() })),
        ("ledger_detail", shown(LedgerPage { detail: Some(0), ..whole() })),
        ("ledger_detail_end", shown(LedgerPage { detail: Some(8), ..whole() })),
        ("ledger_condition", shown(LedgerPage { cursor: 2, ..whole() })),
        ("ledger_split", shown(LedgerPage { all: true, cursor: 5, ..whole() })),
        ("ledger_asking", shown(LedgerPage { asking: asking(Choice::Waive, "measured on staging: 12 ms"), ..whole() })),
        ("ledger_loading", shown(page(Load::Loading(Moment(NOW.0 - 3_000))))),
        ("ledger_failed", shown(page(Load::Failed(unreadable())))),
        ("ledger_empty", shown(page(ready(Ledger::default())))),
        ("ledger_closed", {
            let mut ledger = ledger();
            ledger.dissents.retain(|dissent| dissent.closed.is_some());
            ledger.conditions.clear();
            shown(page(ready(ledger)))
        }),
        ("ledger_overfull", {
            let mut ledger = ledger();
            let first = ledger.dissents[0].clone();
            let many = (0..300).map(|n| Dissent { claim: format!("risk number {n}"), ..hostile(first.clone()) });
            ledger.dissents = many.collect();
            shown(LedgerPage { cursor: 150, ..page(ready(ledger)) })
        }),
        ("merged", merged(1, None)),
        ("merged_asking", merged(2, Some("this one is about the store"))),
        ("merged_gone", {
            let mut model = merged(1, None);
            model.runs.values_mut().for_each(|run| run.judgement = None);
            model
        }),
        ("verdict_merged", {
            let mut model = merged(1, None);
            model.views.pop();
            model
        }),
    ]
}

fn page(ledger: Load<Arc<Ledger>>) -> LedgerPage {
    LedgerPage { spec: spec_id(SPEC), ledger, cursor: 0, all: false, detail: None, asking: None }
}

fn shown(page: LedgerPage) -> Model {
    Model { views: vec![View::Home { cursor: 0 }, View::Ledger(page)], ..started() }
}

fn signed(reason: &str) -> Signed {
    Signed { by: "ana".into(), reason: reason.into() }
}

fn ledger() -> Ledger {
    let mut ledger = judged(panel()).standing.unwrap().ledger.clone();
    let [first, ..] = ledger.dissents.as_slice() else { unreachable!() };
    let closed = |by, stage, signed| Some(Closed { stage, by, verdict: first.verdict.clone(), signed });
    let agreed = Dissent { closed: closed(ClosedBy::Agreed, Stage::Tasks, None), ..first.clone() };
    let waiver = closed(ClosedBy::Waiver, Stage::Plan, Some(signed("the header is a draft, and we follow it")));
    let waived = Dissent { claim: "covers FR-005".into(), closed: waiver, ..first.clone() };
    ledger.dissents.truncate(2);
    ledger.dissents.extend([agreed, waived]);
    ledger.conditions.push(Condition {
        key: Sha::of("rotate"),
        text: "rotate the signing key before the first release".into(),
        stage: Stage::Audit,
        is_accepted: false,
        signed: None,
    });
    ledger.splits.push(Parted {
        stage: Stage::Plan,
        pair: (Sha::of("one"), Sha::of("two")),
        texts: (Some(NEAR[1].into()), Some(NEAR[0].into())),
        signed: signed("one is about the store"),
    });
    ledger
}

fn hostile(dissent: Dissent) -> Dissent {
    let mut dissent = dissent;
    dissent.grounds.because = "\u{1b}[31m".to_owned() + &"because it says so at length, ".repeat(30);
    dissent.ask = "\u{202e}日本語 ".repeat(60);
    dissent
}

const NEAR: [&str; 3] = [
    "the limiter loses its counters when the process of a node restarts",
    "the limiter loses its counters when the process of the node restarts",
    "the limiter loses its counters when the process of any node restarts",
];

/// A claim that three near texts were merged into, one of an earlier four was split off.
fn merged(cursor: usize, reason: Option<&str>) -> Model {
    let risk = |text: &str| said(Kind::Risk, text, "threatens", "yes", Polarity::Yes, Severity::Minor, Tier::E0);
    let mut panel: Panel = panel();
    let names = [("claude", "anthropic"), ("codex", "openai"), ("gemini", "google")];
    panel.agents = names
        .iter()
        .zip(NEAR)
        .map(|((agent, family), text)| {
            participant(agent, family, Answer::Ok, vec![covers("FR-001", Tier::E2), risk(text)])
        })
        .collect();
    panel.agents[0].claims.push(risk(&NEAR[0].replace("a node", "some node")));
    let canon = panel.canon();
    let key = |text: &str| canon.key(Kind::Risk, text, "threatens");
    let apart = key(&NEAR[0].replace("a node", "some node"));
    let split = |text: &&str| Split { pair: (apart.clone(), key(text)), by: "ana".into(), reason: "a cluster".into() };
    panel.splits = NEAR.iter().map(split).collect();
    let grounds = names.iter().zip(NEAR).map(|((agent, _), text)| dicast::domain::judgement::Ground {
        tier: None,
        agent: name(agent),
        claim: key(text),
        because: Safe::line("a restart was not thought of"),
        cited: Vec::new(),
    });
    let mut judgement = judged(panel);
    (judgement.grounds, judgement.phantoms) = (grounds.collect(), Vec::new());
    let claim = judgement.verdict.claims.iter().find(|claim| !claim.merged_from.is_empty()).unwrap().key.clone();
    let mut model = decided_on(judgement);
    let rows = dicast::app::update::rows(&model.runs[&run_id()], Stage::Plan, true);
    let at = rows.iter().position(|key| key == &claim).unwrap();
    let texts = MergedTexts { run: run_id(), stage: Stage::Plan, claim, cursor, asking: reason.map(Line::new) };
    assert_eq!(model.runs[&run_id()].phase, Phase::Decided);
    model.views.push(View::Verdict { run: run_id(), stage: Stage::Plan, cursor: at, all: true });
    model.views.push(View::Merged(texts));
    model
}
