//! What a human decides about claims: choose a side, waive, reject, run a check, take back. Every decision reopens the
//! recorded stage, is journalled, and ends in a new verdict from the kept answers.

use std::sync::Arc;

use super::durable::{Batch, commit};
use super::{complain, ending, notice, staging, verdict};
use crate::app::effect::{Effect, RunEffect};
use crate::app::key::Key;
use crate::app::line::Line;
use crate::app::model::{Conflict, Decision, Lock, Model, Phase, Run, RunOptions, View};
use crate::app::msg::{Choice, Decide, Reopened, Start};
use crate::domain::claim::lookup::{Citation, Found};
use crate::domain::claim::{Polarity, Tier, Value};
use crate::domain::consensus::{self, Judged, Label, Side, Split, Waiver};
use crate::domain::dissent::{self, Signed};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::Record;
use crate::domain::judgement::{Human, Judgement};
use crate::domain::stage::Stage;

/// Returns the sides of a claim that a human can choose, strongest first: those that were not all struck.
pub fn sides(judgement: &Judgement, key: &Sha) -> Vec<Side> {
    let explanation = consensus::explain(&judgement.panel, &judgement.verdict, key.as_str());
    let mut sides = explanation.map(|explanation| explanation.sides).unwrap_or_default();
    sides.retain(|side| side.speakers.iter().any(|s| !matches!(s.tier, Tier::EFalse | Tier::E3False)));
    sides
}

/// Returns what was cited for a claim by anybody, with what was found.
pub fn citations(run: &Run, key: &Sha) -> Vec<(String, Citation, Option<Found>)> {
    let Some(judgement) = &run.judgement else { return Vec::new() };
    judgement
        .grounds
        .iter()
        .filter(|ground| &ground.claim == key)
        .flat_map(|ground| {
            ground.cited.iter().map(|(citation, found)| (ground.agent.to_string(), citation.clone(), found.clone()))
        })
        .collect()
}

/// Returns the place that the nth citation of a claim names.
pub(super) fn place(run: &Run, key: &Sha, nth: usize) -> Option<(String, Option<u32>)> {
    match citations(run, key).into_iter().nth(nth)?.1 {
        Citation::File { path, line } | Citation::Hunk { path, line } => Some((path, line)),
        Citation::Symbol { path, .. } => Some((path?, None)),
        Citation::Test { .. } | Citation::Requirement { .. } => None,
    }
}

/// The claim that the visible view is about.
fn subject(model: &Model) -> Option<(RunId, Sha)> {
    match model.view() {
        View::Conflict(conflict) => Some((conflict.run.clone(), conflict.claim.clone())),
        View::Verdict { run, stage, cursor, all } => {
            let key = verdict::rows(model.runs.get(run)?, *stage, *all).into_iter().nth(*cursor)?;
            Some((run.clone(), key))
        }
        View::Home { .. }
        | View::Spec { .. }
        | View::Dashboard { .. }
        | View::Candidates { .. }
        | View::Transcript(_)
        | View::Proposal(_)
        | View::Gate(_)
        | View::Merged(_)
        | View::Ledger(_)
        | View::Servers { .. }
        | View::Permissions { .. }
        | View::Trust { .. }
        | View::Help { .. } => None,
    }
}

/// Returns the test that would settle the claim on screen, if it is not settled, one was cited and has not been run.
pub fn checkable(model: &Model) -> Option<(RunId, Citation)> {
    let (id, key) = subject(model)?;
    let run = model.runs.get(&id).filter(|run| is_decidable(model, run))?;
    let is_running = matches!(model.view(), View::Conflict(Conflict { checking: Some(_), .. }));
    let judgement = run.judgement.as_ref().filter(|judgement| !is_running && !is_settled(judgement, &key))?;
    settling_test(judgement, &key).map(|citation| (id, citation))
}

/// Tells whether nothing that could be run would change a claim: the host ran it, struck it, or a human decided.
fn is_settled(judgement: &Judgement, key: &Sha) -> bool {
    let is_waived = judgement.panel.waivers.iter().any(|waiver| &waiver.claim == key);
    let label = judgement.verdict.claims.iter().find(|claim| &claim.key == key).map(|claim| claim.label);
    is_waived || matches!(label, Some(Label::Proven | Label::Refuted))
}

/// A test that was cited for a claim, exists, and has not been run.
fn settling_test(judgement: &Judgement, key: &Sha) -> Option<Citation> {
    let grounds = judgement.grounds.iter().filter(|ground| &ground.claim == key);
    let mut cited = grounds.flat_map(|ground| &ground.cited);
    let found =
        cited.find(|(citation, found)| matches!((citation, found), (Citation::Test { .. }, Some(Found::Seen { .. }))));
    found.map(|(citation, _)| citation.clone())
}

/// Something outside asks to settle a recorded stage by running a test.
pub(super) fn check(model: &mut Model, spec: SpecId, stage: Stage) -> Vec<Effect> {
    let start = Start::of(spec, vec![stage]);
    staging::reopen_recorded(model, start, Some(Reopened::Check))
}

/// The reopened stage was judged from what is kept: run the test that would settle an open claim of it.
pub(super) fn check_open(model: &mut Model, id: &RunId, judgement: Arc<Judgement>) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.judgement = Some(judgement.clone());
    let test = verdict::open_claims(run).iter().find_map(|key| settling_test(&judgement, key));
    match test {
        Some(citation) => vec![Effect::Run(id.clone(), RunEffect::RunCheck(citation))],
        None => {
            let why = "no open claim cites a test that exists and was not run";
            let failure = Failure::needs_input(format!("{} of {}", run.stage, run.spec), why, "decide it by hand");
            ending::fail(model, id, failure)
        }
    }
}

/// Runs the test that would settle the claim on screen.
pub(super) fn run_check(model: &mut Model) -> Vec<Effect> {
    let now = model.now;
    let Some((run, citation)) = checkable(model) else { return Vec::new() };
    if let Some(View::Conflict(conflict)) = model.views.last_mut() {
        conflict.checking = Some(now);
    }
    notice(model, "running the check on a scratch copy");
    vec![Effect::Run(run, RunEffect::RunCheck(citation))]
}

/// A check that was asked for ended: decide anew with what it showed.
pub(super) fn check_ran(
    model: &mut Model,
    id: &RunId,
    citation: Citation,
    outcome: Result<Found, Failure>,
) -> Vec<Effect> {
    for view in &mut model.views {
        if let View::Conflict(conflict) = view {
            conflict.checking = None;
        }
    }
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    // A reopened stage that only waits for this check.
    let is_awaited = run.phase == Phase::Judging && run.judging == 0 && run.unrecorded.is_empty();
    let found = match outcome {
        Ok(found) => found,
        Err(failure) if is_awaited => return ending::fail(model, id, failure),
        Err(failure) => {
            complain(model, &failure);
            return Vec::new();
        }
    };
    let text = match &found {
        Found::Ran { passed: true, executed, .. } => format!("the check passed ({executed} run): decided anew"),
        Found::Ran { executed: 0, .. } => "the check ran no test of that name: the citation is struck".to_owned(),
        Found::Ran { .. } => "the check failed: decided anew".to_owned(),
        Found::Seen { .. } | Found::Absent | Found::False { .. } | Found::Outside => {
            "the check could not be run".to_owned()
        }
    };
    Arc::make_mut(&mut run.known).insert(citation, found);
    // Judged again at once if a judgement is out; what is reopened anyway takes it along.
    run.judge_again |= run.judging > 0;
    notice(model, text);
    if is_awaited {
        return verdict::judge_anew(model, id);
    }
    let is_over = !model.leaving && model.runs.get(id).is_some_and(|run| is_decidable(model, run));
    if is_over { reopen(model, id, Vec::new(), "a check was run") } else { Vec::new() }
}

/// Opens a recorded stage again. What is to be recorded waits until the journal is ours: at once while copies to memory
/// are still being made, else after it was given back and taken again.
pub(super) fn reopen(model: &mut Model, id: &RunId, mut records: Vec<Record>, why: &str) -> Vec<Effect> {
    let now = model.now;
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    // It begins anew: an earlier stop and the time that a human took to think are not counted against it.
    run.stop = None;
    run.opened = now;
    run.ended = None;
    run.options = RunOptions { resumed: true, reopened: true, ..run.options };
    records.insert(0, Record::RunReopened { stage: run.stage, why: why.to_owned() });
    run.unrecorded.append(&mut records);
    run.phase = Phase::Opening;
    match run.lock {
        Lock::Ours { .. } => reopened(model, id),
        Lock::Free => {
            let spec = run.spec.clone();
            vec![Effect::Run(id.clone(), RunEffect::Open { spec, abandon: None })]
        }
        // `released` opens it.
        Lock::Closing { .. } => Vec::new(),
    }
}

/// The journal is ours: record what waited.
pub(super) fn reopened(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.phase = Phase::Judging;
    let records = run.unrecorded.clone();
    commit(model, id, Batch { files: Vec::new(), records }, crate::app::model::Then::Reopened, Vec::new())
}

/// The journal is not to be had: the stage stays decided as it was.
pub(super) fn not_reopened(model: &mut Model, id: &RunId, failure: &Failure) -> Vec<Effect> {
    complain(model, failure);
    stays_decided(model, id)
}

/// A stage that was to be decided anew stays as it was: nothing of the decision was recorded.
pub(super) fn stays_decided(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let now = model.now;
    if let Some(run) = model.runs.get_mut(id) {
        run.unrecorded.clear();
        run.stop = None;
        run.phase = Phase::Decided;
        run.ended = Some(now);
    }
    ending::finish(model, id)
}

/// A decision is durable: now it holds, and the stage is decided anew.
pub(super) fn resumed(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    for record in std::mem::take(&mut run.unrecorded) {
        if let Some(decision) = decision_of(record) {
            remember(&mut run.decisions, decision);
        }
    }
    run.human = human(&run.decisions);
    if run.stop.is_some() {
        return super::cancel::try_finish(model, id);
    }
    match run.pending.take_if(|pending| matches!(pending, Reopened::Take(_) | Reopened::Undo)) {
        Some(Reopened::Take(take)) => super::land::begin(model, id, &take),
        Some(Reopened::Undo) => super::land::undo(model, id),
        Some(Reopened::Decide(_) | Reopened::Check) | None => verdict::judge_anew(model, id),
    }
}

/// The decision in a record. One that this version cannot read decides nothing; the verdict that it led to stays.
pub(super) fn decision_of(record: Record) -> Option<Decision> {
    let Record::HumanDecided { decision, .. } = record else { return None };
    serde_json::from_value(decision).ok()
}

/// Something outside decides about a claim: on a run that is here, or on the last one in the evidence.
pub(super) fn decide(model: &mut Model, decide: Decide) -> Vec<Effect> {
    let here = model
        .runs
        .values()
        .rev()
        .find(|run| run.spec == decide.spec && run.stage == decide.stage && is_decidable(model, run));
    let found = here.and_then(|run| Some((run.id.clone(), Arc::clone(run.judgement.as_ref()?))));
    match found {
        Some((id, judgement)) => apply(model, &id, &judgement, decide),
        None => {
            let start = Start::of(decide.spec.clone(), vec![decide.stage]);
            staging::reopen_recorded(model, start, Some(Reopened::Decide(decide)))
        }
    }
}

/// Applies a decision to a judged stage, and has it judged again.
pub(super) fn apply(model: &mut Model, id: &RunId, judgement: &Judgement, decide: Decide) -> Vec<Effect> {
    let matches = meant(judgement, &decide);
    let (claim, key) = match matches.as_slice() {
        [found] if decide.claim.len() >= 4 => *found,
        found => {
            let why = match (found, &decide.choice) {
                ([], Choice::Split) => "no claim into which others were merged has this key",
                ([], _) => "no claim has this key",
                _ => "it is not the beginning of exactly one key",
            };
            let next = format!("list them with `dicast dissent {}`", decide.spec);
            let failure = Failure::usage(format!("claim {}", decide.claim), why, next);
            return refuse(model, id, failure);
        }
    };
    let apart = match decide.choice {
        Choice::Split => super::split::merged_keys(judgement, &claim.key).into_iter().filter(|k| k != key).collect(),
        Choice::Waive | Choice::Take { .. } | Choice::Reject | Choice::Accept | Choice::Undo => Vec::new(),
    };
    let decision = Decision {
        claim: key.clone(),
        digest: consensus::digest(&judgement.panel, &claim.key),
        subject: claim.subject.clone(),
        choice: decide.choice,
        apart,
        by: decide.by,
        reason: decide.reason,
    };
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    let stage = run.stage;
    if !remember(&mut run.decisions.clone(), decision.clone()) {
        let place = format!("claim {}", decide.claim);
        let next = "decide it first".to_owned();
        return refuse(model, id, Failure::usage(place, "nothing was decided about it", next));
    }
    let json = match serde_json::to_value(&decision) {
        Ok(json) => json,
        Err(error) => {
            return refuse(model, id, Failure::BadReply { from: "the decision".into(), why: error.to_string() });
        }
    };
    let record =
        Record::HumanDecided { stage, claim: decision.claim, decision: json, by: decision.by, reason: decision.reason };
    reopen(model, id, vec![record], "a human decided")
}

/// Returns what a decision may be about: claims by their keys; where one is split off, or that is taken back, each text
/// by its own.
fn meant<'j>(judgement: &'j Judgement, decide: &Decide) -> Vec<(&'j Judged, &'j Sha)> {
    let claims = judgement.verdict.claims.iter();
    let own = claims.clone().map(|claim| (claim, &claim.key));
    let merged = claims.flat_map(|claim| claim.merged_from.iter().map(move |merged| (claim, &merged.key)));
    let is_meant = |(_, key): &(&Judged, &Sha)| key.as_str().starts_with(&decide.claim);
    let found: Vec<_> = match decide.choice {
        Choice::Split => {
            return own.filter(|(claim, _)| !claim.merged_from.is_empty()).chain(merged).filter(is_meant).collect();
        }
        Choice::Undo => own.clone().chain(merged).filter(is_meant).collect(),
        Choice::Waive | Choice::Take { .. } | Choice::Reject | Choice::Accept => own.clone().filter(is_meant).collect(),
    };
    // A dissent of an earlier stage goes by its own key; here it is held in the answer to the topic that asks it.
    let asks = |(claim, _): &(&Judged, &Sha)| dissent::asks_about(claim, &decide.claim);
    if found.is_empty() { own.filter(asks).collect() } else { found }
}

/// Refuses a decision: a stage that was reopened for it ends with that, one on screen stays as it is.
fn refuse(model: &mut Model, id: &RunId, failure: Failure) -> Vec<Effect> {
    if model.runs.get(id).is_some_and(|run| run.phase.is_live()) {
        return ending::fail(model, id, failure);
    }
    complain(model, &failure);
    Vec::new()
}

/// Adds a decision; taking back removes the last one about the same claim. Returns whether anything changed.
pub(super) fn remember(decisions: &mut Vec<Decision>, decision: Decision) -> bool {
    if decision.choice != Choice::Undo {
        decisions.push(decision);
        return true;
    }
    let last = decisions.iter().rposition(|before| before.claim == decision.claim);
    last.map(|at| decisions.remove(at)).is_some()
}

/// Returns what a list of decisions amounts to.
pub(super) fn human(decisions: &[Decision]) -> Human {
    let mut human = Human::default();
    for decision in decisions {
        let waiver = |choice| Waiver {
            claim: decision.claim.clone(),
            digest: decision.digest.clone(),
            by: decision.by.clone(),
            reason: decision.reason.clone(),
            choice,
        };
        match &decision.choice {
            Choice::Waive => human.waivers.push(waiver(None)),
            Choice::Take { value, polarity } => {
                let polarity = if *polarity < 0 { Polarity::No } else { Polarity::Yes };
                human.waivers.push(waiver(Some(consensus::Choice { value: Value::from(value.clone()), polarity })));
            }
            Choice::Reject => drop(human.rejected.insert(decision.claim.clone())),
            Choice::Accept => {
                let signed = Signed { by: decision.by.clone(), reason: decision.reason.clone() };
                human.accepted_conditions.insert(decision.subject.clone(), signed);
            }
            Choice::Split => human.splits.extend(decision.apart.iter().map(|other| Split {
                pair: (decision.claim.clone(), other.clone()),
                by: decision.by.clone(),
                reason: decision.reason.clone(),
            })),
            Choice::Undo => {}
        }
    }
    human
}

/// Opens the selected claim of the verdict, if a human has to decide it.
pub(super) fn open_selected(model: &mut Model) -> Vec<Effect> {
    let View::Verdict { run, stage, .. } = model.view().clone() else { return Vec::new() };
    let Some(open) = model.runs.get(&run).map(verdict::open_claims) else { return Vec::new() };
    let selected = subject(model).map(|(_, key)| key).filter(|key| open.contains(key));
    let Some(claim) = selected.or_else(|| open.into_iter().next()) else { return Vec::new() };
    let conflict = case(model, run, stage, claim);
    model.views.push(View::Conflict(conflict));
    Vec::new()
}

/// A claim that is put to the user, with nothing chosen yet.
fn case(model: &Model, run: RunId, stage: Stage, claim: Sha) -> Conflict {
    let judgement = model.runs.get(&run).and_then(|run| run.judgement.as_ref());
    Conflict {
        sides: judgement.map(|judgement| sides(judgement, &claim)).unwrap_or_default(),
        run,
        stage,
        claim,
        side: None,
        citation: 0,
        reason: Line::default(),
        typing: false,
        wanted: None,
        checking: None,
    }
}

/// A run has another judgement: conflicts of it that are open show its sides.
pub(super) fn show_sides(model: &mut Model, id: &RunId, judgement: &Judgement) {
    for view in &mut model.views {
        if let View::Conflict(conflict) = view
            && &conflict.run == id
        {
            let chosen =
                conflict.side.and_then(|at| conflict.sides.get(at)).map(|side| (side.value.clone(), side.polarity));
            conflict.sides = sides(judgement, &conflict.claim);
            let is_chosen = |side: &Side| chosen.as_ref() == Some(&(side.value.clone(), side.polarity));
            conflict.side = conflict.sides.iter().position(is_chosen);
        }
    }
}

/// Chooses a side.
pub(super) fn choose(model: &mut Model, side: usize) -> Vec<Effect> {
    if let Some(View::Conflict(conflict)) = model.views.last_mut()
        && side < conflict.sides.len()
    {
        conflict.side = Some(side);
        conflict.typing = true;
    }
    Vec::new()
}

/// Gives the keys to the reason.
pub(super) fn reason(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Conflict(conflict)) = model.views.last_mut() {
        conflict.typing = true;
    }
    Vec::new()
}

/// A key while the reason is typed: Enter and Esc give the keys back.
pub(super) fn type_reason(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(View::Conflict(conflict)) = model.views.last_mut() else { return Vec::new() };
    conflict.typing = !matches!(key, Key::Esc | Key::Enter | Key::Ctrl('c'));
    if conflict.typing {
        conflict.reason.edit(key);
        return Vec::new();
    }
    let wanted = conflict.wanted.take().filter(|_| key == Key::Enter);
    match wanted {
        Some(wanted) => settle(model, wanted),
        None if key == Key::Enter && conflict.side.is_some() => keep(model),
        None => Vec::new(),
    }
}

/// Keeps the chosen side.
pub(super) fn keep(model: &mut Model) -> Vec<Effect> {
    let View::Conflict(conflict) = model.view() else { return Vec::new() };
    match conflict.side.and_then(|at| conflict.sides.get(at)) {
        Some(side) => {
            let choice = Choice::Take { value: side.value.to_string(), polarity: side.polarity.sign() };
            settle(model, choice)
        }
        None => {
            notice(model, "choose a side first: 1 or 2");
            Vec::new()
        }
    }
}

/// Records a decision of the user at the screen. A reason is asked for: it is what an auditor reads later.
pub(super) fn settle(model: &mut Model, choice: Choice) -> Vec<Effect> {
    let by = model.boot.user.clone();
    let Some(View::Conflict(conflict)) = model.views.last_mut() else { return Vec::new() };
    let reason = conflict.reason.text().trim().to_owned();
    if reason.is_empty() {
        conflict.typing = true;
        conflict.wanted = matches!(choice, Choice::Waive | Choice::Reject).then_some(choice);
        notice(model, "a reason goes into the record: type it, then Enter");
        return Vec::new();
    }
    let (id, claim, stage) = (conflict.run.clone(), conflict.claim.clone(), conflict.stage);
    let Some(run) = model.runs.get(&id) else { return Vec::new() };
    if !is_decidable(model, run) {
        notice(model, "the stage has no recorded verdict now: decide when it has");
        return Vec::new();
    }
    let Some(judgement) = run.judgement.clone() else { return Vec::new() };
    let decide = Decide { spec: run.spec.clone(), stage, claim: claim.to_string(), choice, by, reason };
    model.views.pop();
    apply(model, &id, &judgement, decide)
}

/// Tells whether a human can decide about the stage at hand: its verdict is recorded, and nothing of the spec is under
/// way. Copies of its own that memory has not taken yet are no hindrance.
pub(super) fn is_decidable(model: &Model, run: &Run) -> bool {
    let is_busy = |other: &Run| other.phase.is_live() || (other.lock.is_held() && other.id != run.id);
    // One that is known from its journal only lacks what a decision is made from: it has to be taken up again first.
    run.verdicts.contains_key(&run.stage)
        && !run.options.followed
        && !model.runs.values().any(|other| other.spec == run.spec && is_busy(other))
}

/// Tells whether nothing of a spec is under way: then any of its recorded stages can be decided about.
pub(super) fn is_quiet(model: &Model, spec: &SpecId) -> bool {
    !model.runs.values().any(|run| &run.spec == spec && (run.phase.is_live() || run.lock.is_held()))
}

/// Takes the last decision back.
pub(super) fn undo(model: &mut Model) -> Vec<Effect> {
    let by = model.boot.user.clone();
    let Some(run) = model.focused_run() else { return Vec::new() };
    let (Some(last), Some(judgement)) = (run.decisions.last(), run.judgement.clone()) else { return Vec::new() };
    let decide = Decide {
        spec: run.spec.clone(),
        stage: run.stage,
        claim: last.claim.to_string(),
        choice: Choice::Undo,
        by,
        reason: "taken back".to_owned(),
    };
    let id = run.id.clone();
    notice(model, "the last decision is taken back");
    apply(model, &id, &judgement, decide)
}

/// Goes to the next or previous conflict.
pub(super) fn turn(model: &mut Model, forward: bool) -> Vec<Effect> {
    let View::Conflict(conflict) = model.view() else { return Vec::new() };
    let Some(open) = model.runs.get(&conflict.run).map(verdict::open_claims) else { return Vec::new() };
    let Some(at) = open.iter().position(|key| key == &conflict.claim) else { return Vec::new() };
    let next = if forward { at + 1 } else { at + open.len() - 1 } % open.len().max(1);
    let next = case(model, conflict.run.clone(), conflict.stage, open[next].clone());
    if let Some(view) = model.views.last_mut() {
        *view = View::Conflict(next);
    }
    Vec::new()
}
