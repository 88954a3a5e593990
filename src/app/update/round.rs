//! The round: opened after the drafts were judged, one short turn for one agent of each family, closed when all have
//! voted or stay silent. Never held twice for a stage of a run.
//!
//! It must not know what is on a ballot or what votes do: consensus lists and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::durable::{Batch, commit, file};
use super::seats::Again;
use super::{cancel, notice, run as runs, seats, settle, verdict};
use crate::app::effect::Effect;
use crate::app::event::What;
use crate::app::model::{Model, Phase, Run, SeatState, Then};
use crate::domain::failure::AgentError;
use crate::domain::ids::{AgentName, Family, RunId};
use crate::domain::journal::{FileRef, Record};
use crate::domain::judgement::{Answer, Judgement, Round};
use crate::domain::prompt::{self, Rendered};
use crate::domain::round;
use crate::domain::run::{SeatKey, TurnEnded, TurnFailed, TurnKind};
use crate::domain::settings;
use crate::domain::stage::Stage;

/// Families that must be there to be asked: one voice has nobody to exchange anything with.
const FAMILIES_MIN: usize = 2;

/// Tells whether the panel is to be asked what stands open, before a stage is recorded.
pub(super) fn is_due(model: &Model, id: &RunId) -> bool {
    let Some(run) = model.runs.get(id) else { return false };
    let is_on =
        model.settings.consensus.round == settings::Round::Auto && !model.boot.no_round && !run.options.no_round;
    // A human's decision about a recorded stage asks nobody.
    let asks = !run.options.reopened || run.options.rerun_missing;
    // Candidates are told apart by what is run, not by votes.
    if run.stage == Stage::Implement {
        return false;
    }
    let is_wanted = run.options.round || (is_on && asks);
    is_wanted && !run.rounds.contains_key(&run.stage)
}

/// Tells whether the panel can still be asked about a recorded stage: something stood open, and no round was held.
pub(super) fn can_be_asked(model: &Model, run: &Run) -> bool {
    let is_open = run.judgement.as_ref().is_some_and(|judgement| judgement.ballot.is_some());
    let was_held = run.rounds.contains_key(&run.stage);
    is_open && !was_held && settle::is_decidable(model, run) && representatives(run).len() >= FAMILIES_MIN
}

/// Somebody asks for the round that was not held: the recorded stage is opened again for it.
pub(super) fn ask_now(model: &mut Model) -> Vec<Effect> {
    let Some(run) = model.focused_run().filter(|run| can_be_asked(model, run)) else { return Vec::new() };
    let id = run.id.clone();
    if let Some(run) = model.runs.get_mut(&id) {
        run.options.round = true;
    }
    notice(model, "the panel is asked once what stands open");
    settle::reopen(model, &id, Vec::new(), "a round was asked for")
}

/// How a claim of one voice stands with the round, while the verdict forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ballot {
    /// A round will be held that asks about it.
    Ahead,
    /// It is asked about now.
    Open,
    /// Nothing is asked, or nothing more.
    None,
}

/// Tells how what stands open in a run stands with its round.
pub fn ballot(model: &Model, run: &Run) -> Ballot {
    if !run.phase.is_live() || run.stop.is_some() || run.verdicts.contains_key(&run.stage) {
        Ballot::None
    } else if at_hand(run).is_some() {
        Ballot::Open
    } else if is_due(model, &run.id) && run.families().len() >= FAMILIES_MIN {
        Ballot::Ahead
    } else {
        Ballot::None
    }
}

/// Returns one agent of each family that answered: the first by name that we can ask.
fn representatives(run: &Run) -> BTreeSet<AgentName> {
    let mut first: BTreeMap<&Family, &AgentName> = BTreeMap::new();
    for seat in run.seats.iter().filter(|seat| seat.state == SeatState::Answered && !seat.who.external) {
        let known = first.entry(&seat.who.family).or_insert(&seat.who.agent);
        *known = (*known).min(&seat.who.agent);
    }
    first.into_values().cloned().collect()
}

/// Opens the round of a judged stage, if one is due: what is asked becomes durable first. `None`: the stage is decided
/// as it was judged.
pub(super) fn open(model: &mut Model, id: &RunId, judgement: &Arc<Judgement>) -> Option<Vec<Effect>> {
    let run = model.runs.get(id).filter(|_| is_due(model, id))?;
    let ballot = judgement.ballot.clone()?;
    let asked = representatives(run);
    if asked.len() < FAMILIES_MIN {
        return None;
    }
    let stage = run.stage;
    let mut files = vec![file(format!("rounds/{stage}.json"), &*ballot).ok()?];
    for agent in &asked {
        files.push((format!("prompts/{stage}-{agent}-round.md"), ask(model, run, &ballot, agent)?.text.into()));
    }
    let record = Record::RoundOpened {
        stage,
        ballot: FileRef::of(&files[0]),
        asked: asked.iter().cloned().collect(),
        prompts: files[1..].iter().map(FileRef::of).collect(),
    };
    let items = ballot.items.len();
    let agents = asked.iter().cloned().collect();
    let round = Round { ballot, asked, answers: BTreeMap::new(), silent: BTreeSet::new(), closed: false };
    let run = model.runs.get_mut(id)?;
    run.phase = Phase::Asking;
    run.options.round = false;
    run.rounds.insert(stage, round);
    let event = runs::emit(model, Some(id), What::RoundStarted { stage, items, agents });
    Some(commit(model, id, Batch { files, records: vec![record] }, Then::RoundOpened, vec![event]))
}

/// What an agent is told in the round.
pub(super) fn ask(model: &Model, run: &Run, ballot: &round::Ballot, agent: &AgentName) -> Option<Rendered> {
    let preparation = run.preparation.as_ref()?;
    let role = model.settings.agents.iter().find(|known| &known.name == agent).and_then(|known| known.role.as_deref());
    let attempt = run.seat(agent)?.attempt;
    Some(prompt::round(run.stage, &preparation.spec, (agent, role), ballot, attempt))
}

/// Returns the round of the stage at hand while it is open.
pub(super) fn at_hand(run: &Run) -> Option<&Round> {
    run.rounds.get(&run.stage).filter(|round| !round.closed)
}

/// The ballot is durable, or somebody has voted: ask who is left, or close the round.
pub(super) fn go_on(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    if run.stop.is_some() {
        return cancel::try_finish(model, id);
    }
    let Some(round) = at_hand(run) else { return verdict::judge_if_due(model, id) };
    let out: Vec<AgentName> = round.out().cloned().collect();
    let mut is_waited_for = false;
    for seat in run.seats.iter_mut().filter(|seat| out.contains(&seat.who.agent)) {
        // Whose answer is not there any more cannot be asked about it.
        is_waited_for |= seat.answer.is_some();
        if seat.state == SeatState::Answered {
            seat.state = SeatState::Queued(TurnKind::Round);
            seat.stopped = false;
        }
    }
    if is_waited_for { seats::schedule(model, id) } else { close(model, id) }
}

/// Everybody has voted or stays silent.
fn close(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let is_closing = model.after.values().any(|after| &after.run == id && after.then == Then::RoundClosed);
    let Some(run) = model.runs.get(id).filter(|_| !is_closing) else { return Vec::new() };
    let Some(round) = at_hand(run) else { return Vec::new() };
    let answered: Vec<AgentName> = round.answers.keys().cloned().collect();
    let silent = round.asked.iter().filter(|agent| !answered.contains(agent)).cloned().collect();
    let record = Record::RoundClosed { stage: run.stage, answered, silent };
    commit(model, id, Batch::record(record), Then::RoundClosed, Vec::new())
}

/// The end of the round is durable: decide with it.
pub(super) fn closed(model: &mut Model, id: &RunId) -> Vec<Effect> {
    if let Some(run) = model.runs.get_mut(id)
        && let Some(round) = run.rounds.get_mut(&run.stage)
    {
        round.closed = true;
    }
    go_on(model, id)
}

/// An agent voted: its votes count once they are durable.
pub(super) fn answered(
    model: &mut Model,
    key: &SeatKey,
    text: Arc<str>,
    (ended, anew): (&TurnEnded, bool),
) -> Vec<Effect> {
    if let Some(seat) = seats::current(model, key) {
        seat.state = SeatState::Keeping;
    }
    seats::note_survivors(model, &key.run, ended.survivors);
    let (stage, agent) = (key.stage, key.agent.clone());
    let files = vec![
        (format!("rounds/{stage}-{agent}.json"), Arc::clone(&text)),
        (format!("raw/{stage}-{agent}-round.txt"), Arc::clone(&ended.raw.text)),
    ];
    let record = Record::RoundAnswered {
        stage,
        agent: agent.clone(),
        votes: FileRef::of(&files[0]),
        raw: FileRef::of(&files[1]),
        took_ms: ended.took_ms,
        usage: ended.usage,
        anew,
    };
    let event = seats::finished(model, key, TurnKind::Round, (ended.took_ms, ended.usage), None);
    commit(model, &key.run, Batch { files, records: vec![record] }, Then::Voted { agent, text }, vec![event])
}

/// The votes are durable.
pub(super) fn voted(
    model: &mut Model,
    id: &RunId,
    agent: &AgentName,
    files: &[FileRef],
    text: Arc<str>,
) -> Vec<Effect> {
    if let Some(run) = model.runs.get_mut(id) {
        if let (Some(round), Some(file)) = (run.rounds.get_mut(&run.stage), files.first()) {
            round.answers.insert(agent.clone(), Answer { file: file.clone(), text });
        }
        seats::give_up(run, agent);
    }
    go_on(model, id)
}

/// A turn of the round ended without votes: the agent stays silent, and is no worse for it. One that was cut short
/// with its whole run is asked again when that goes on.
pub(super) fn unanswered(
    model: &mut Model,
    key: &SeatKey,
    failed: TurnFailed,
    ended: Option<&TurnEnded>,
) -> Vec<Effect> {
    seats::note_survivors(model, &key.run, ended.map_or(0, |ended| ended.survivors));
    let (stage, agent) = (key.stage, key.agent.clone());
    let Some(run) = model.runs.get_mut(&key.run) else { return Vec::new() };
    if run.stop.is_some() {
        seats::give_up(run, &agent);
        return cancel::try_finish(model, &key.run);
    }
    let file = |ended: &TurnEnded| {
        let text = seats::with_stderr(&ended.raw.text, ended.stderr.as_str());
        (format!("raw/{stage}-{agent}-round.txt"), text)
    };
    let files: Vec<(String, Arc<str>)> = ended.map(file).into_iter().collect();
    if let Some(seat) = seats::current(model, key) {
        seat.state = SeatState::Keeping;
    }
    let record = Record::AgentFailed {
        stage,
        agent: agent.clone(),
        attempt: key.attempt,
        kind: TurnKind::Round,
        error: failed.error.clone(),
        raw: files.first().map(FileRef::of),
        retry_at: None,
        usage: ended.map(|ended| ended.usage).unwrap_or_default(),
    };
    let took = ended.map(|ended| (ended.took_ms, ended.usage)).unwrap_or_default();
    let event = seats::finished(model, key, TurnKind::Round, took, Some((&failed.error, Again::Never)));
    commit(model, &key.run, Batch { files, records: vec![record] }, Then::Silent(agent), vec![event])
}

/// Its silence is durable.
pub(super) fn silent(model: &mut Model, id: &RunId, agent: &AgentName) -> Vec<Effect> {
    if let Some(run) = model.runs.get_mut(id) {
        if let Some(round) = run.rounds.get_mut(&run.stage) {
            round.silent.insert(agent.clone());
        }
        seats::give_up(run, agent);
    }
    go_on(model, id)
}

/// Somebody stopped an agent before its turn of the round began.
pub(super) fn skip(model: &mut Model, key: &SeatKey) -> Vec<Effect> {
    unanswered(model, key, TurnFailed { error: AgentError::Cancelled, repair: None }, None)
}

/// Takes over what an earlier process left of a round.
pub(super) fn adopt(
    rounds: &mut BTreeMap<crate::domain::stage::Stage, Round>,
    record: &Record,
    text: Option<&Arc<str>>,
) {
    match record {
        Record::RoundOpened { stage, asked, .. } => {
            // A ballot that this version cannot read was held all the same: its votes are lost, and nobody is asked
            // again about what it cannot say.
            if let Some(ballot) = text.and_then(|text| serde_json::from_str::<round::Ballot>(text).ok()) {
                let asked = asked.iter().cloned().collect();
                let (answers, silent) = (BTreeMap::new(), BTreeSet::new());
                let round = Round { ballot: Arc::new(ballot), asked, answers, silent, closed: false };
                rounds.insert(*stage, round);
            }
        }
        Record::RoundAnswered { stage, agent, votes, .. } => {
            if let (Some(round), Some(text)) = (rounds.get_mut(stage), text) {
                round.answers.insert(agent.clone(), Answer { file: votes.clone(), text: Arc::clone(text) });
            }
        }
        Record::AgentFailed { stage, agent, kind: TurnKind::Round, .. } => {
            if let Some(round) = rounds.get_mut(stage) {
                round.silent.insert(agent.clone());
            }
        }
        Record::RoundClosed { stage, .. } => {
            if let Some(round) = rounds.get_mut(stage) {
                round.closed = true;
            }
        }
        Record::RunOpened { .. }
        | Record::RunResumed { .. }
        | Record::StageOpened { .. }
        | Record::StageElsewhere { .. }
        | Record::CandidatesTried { .. }
        | Record::LandingIntended { .. }
        | Record::Landed { .. }
        | Record::LandingUndone { .. }
        | Record::WentBack { .. }
        | Record::PermissionAnswered { .. }
        | Record::StageSkipped { .. }
        | Record::AgentsLeftOut { .. }
        | Record::Briefed { .. }
        | Record::AgentLaunched { .. }
        | Record::AgentAnswered { .. }
        | Record::AgentFailed { .. }
        | Record::StageDecided { .. }
        | Record::HumanDecided { .. }
        | Record::PublishIntended { .. }
        | Record::Published { .. }
        | Record::Mirrored { .. }
        | Record::RunStopped { .. }
        | Record::GateHeld { .. }
        | Record::GuardrailsRan { .. }
        | Record::RunReopened { .. }
        | Record::RunClosed { .. } => {}
    }
}
