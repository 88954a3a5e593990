//! What becomes of the candidates of implement: they are kept and offered, one is taken to a branch or into the working
//! copy, and back. What is about to be done is on record before, and that it is done after: done twice it is done once.

use std::sync::Arc;

use super::durable::{Batch, commit, file};
use super::{back, candidates, checkpoint, complain, notice, run as runs, settle, verdict};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::What;
use crate::app::model::{Model, Phase, Run, Then};
use crate::app::msg::{FoundRun, Reopened};
use crate::domain::candidate::{Landing, Place, Take, Tried, Which};
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::{self, FileRef, Record};
use crate::domain::judgement::Judgement;
use crate::domain::stage::Stage;

/// Files that become durable together.
type Files = Vec<(String, Arc<str>)>;

/// Returns the record of what became of the candidates, with the files that it names.
pub(super) fn tried(judgement: &Judgement, stem: &str) -> Result<Option<(Record, Files)>, Failure> {
    let Some(tried) = &judgement.tried else { return Ok(None) };
    let report = file(format!("candidates/{stem}.json"), &**tried)?;
    let logs = judgement.logs.iter().map(|log| (format!("candidates/{stem}/{}", log.name), Arc::clone(&log.text)));
    let outputs: Files = logs.collect();
    let record = Record::CandidatesTried {
        stage: Stage::Implement,
        report: FileRef::of(&report),
        outputs: outputs.iter().map(FileRef::of).collect(),
    };
    Ok(Some((record, std::iter::once(report).chain(outputs).collect())))
}

/// Where a run in the evidence stands at implement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has a verdict: a candidate can be taken.
    Decided,
    /// It has none yet, and can be gone on with.
    Open,
    /// It has none, and was closed.
    Over,
}

/// Tells whether a candidate of the stage at hand is to be taken.
pub(super) fn is_to_take(run: &Run) -> bool {
    run.stage == Stage::Implement && run.take.is_some()
}

/// Tells where a run in the evidence stands at implement.
pub(super) fn standing(found: &FoundRun) -> Standing {
    // What was decided before the run went back is behind it.
    let records = || back::since(&found.records).iter().map(|(_, record)| record);
    if records().any(|record| matches!(record, Record::StageDecided { stage: Stage::Implement, .. })) {
        Standing::Decided
    } else if journal::closed(records()).is_none() {
        Standing::Open
    } else {
        Standing::Over
    }
}

/// The reopened stage was judged from what is kept: that is its verdict, as it was.
pub(super) fn know(model: &mut Model, id: &RunId, judgement: Arc<Judgement>) {
    if let Some(run) = model.runs.get_mut(id) {
        run.verdicts.insert(run.stage, Arc::clone(&judgement));
        run.judgement = Some(judgement);
    }
}

/// The verdict of implement is on record: the candidate that was asked for is taken, else all are kept and offered.
pub(super) fn offer(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    let is_good = run.judgement.as_ref().is_some_and(|judgement| judgement.verdict.is_advancing());
    // A landing that was begun and not ended goes on.
    let begun = run.landing.as_ref().filter(|_| !run.landed);
    let begun = begun.map(|landing| Take { which: Which::Of(landing.agent.clone()), place: landing.place });
    match run.take.clone().or(begun) {
        _ if !is_good => verdict::go_on(model, id),
        Some(take) => begin(model, id, &take),
        None if model.boot.headless => {
            let failure = not_taken(run);
            runs::fail(model, id, failure)
        }
        None => {
            candidates::open(model, id);
            verdict::go_on(model, id)
        }
    }
}

/// Says that a person, or a flag, has to choose.
fn not_taken(run: &Run) -> Failure {
    let names: Vec<String> =
        run.tried.iter().flat_map(|tried| tried.candidates.iter()).map(|c| c.agent.to_string()).collect();
    Failure::needs_input(
        format!("implement of {}", run.spec),
        format!("its candidates are kept ({}), and nobody said which one is taken", names.join(", ")),
        format!("take one: `dicast implement {} --apply best` (or the name of one in place of best)", run.spec),
    )
}

/// Begins to put a candidate where it goes.
pub(super) fn begin(model: &mut Model, id: &RunId, take: &Take) -> Vec<Effect> {
    let now = model.now;
    let landing = match model.runs.get(id).map(|run| landing(run, take, now)) {
        Some(Ok(landing)) => landing,
        Some(Err(failure)) => return refuse(model, id, failure),
        None => return Vec::new(),
    };
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.phase = Phase::Publishing;
    run.landing = Some(landing.clone());
    run.landed = false;
    let effect = Effect::Run(id.clone(), RunEffect::Land { landing: Box::new(landing.clone()), back: false });
    let record = Record::LandingIntended { stage: run.stage, landing };
    commit(model, id, Batch::record(record), Then::Nothing, vec![effect])
}

/// Makes the landing that is meant; one that was begun before is the same one.
fn landing(run: &Run, take: &Take, now: crate::domain::moment::Moment) -> Result<Landing, Failure> {
    let place = format!("implement of {}", run.spec);
    let judgement = run.judgement.as_ref().filter(|judgement| judgement.verdict.is_advancing());
    let Some((tried, judgement)) = run.tried.as_ref().zip(judgement) else {
        let next = format!("run `dicast implement {}` again", run.spec);
        return Err(Failure::needs_input(place, "it has no candidate that could be taken", next));
    };
    let candidate = tried.meant(&take.which).ok_or_else(|| unknown(&run.spec, tried))?;
    if let Some(why) = &candidate.out {
        let why = format!("{} is out: {why}", candidate.agent);
        return Err(Failure::needs_input(place, why, "take another one, or run implement again with --fresh"));
    }
    let is_same = |begun: &&Landing| {
        begun.agent == candidate.agent
            && begun.tree == candidate.tree
            && begun.base == tried.base
            && begun.place == take.place
    };
    if let Some(begun) = run.landing.as_ref().filter(is_same) {
        return Ok(begun.clone());
    }
    let title = run.preparation.as_ref().map(|preparation| preparation.spec.title.as_str()).unwrap_or_default();
    Ok(Landing::of(
        (&run.spec, title),
        (&tried.base, candidate),
        (run.id.as_str(), &judgement.verdict.hash),
        (take.place, now),
    ))
}

fn unknown(spec: &SpecId, tried: &Tried) -> Failure {
    let names: Vec<&str> = tried.candidates.iter().map(|candidate| candidate.agent.as_str()).collect();
    let next = format!("give best, or one of {}", names.join(", "));
    Failure::usage("--apply", format!("implement of {spec} has no such candidate"), next)
}

/// What was asked cannot be done: a reopened stage stays as it was, a run ends with it.
fn refuse(model: &mut Model, id: &RunId, failure: Failure) -> Vec<Effect> {
    let is_here = model.runs.get(id).is_some_and(|run| run.options.reopened && !model.boot.headless);
    if !is_here {
        return runs::fail(model, id, failure);
    }
    complain(model, &failure);
    ended(model, id)
}

/// A stage that was opened again for its candidates is over as it was.
fn ended(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let now = model.now;
    if let Some(run) = model.runs.get_mut(id) {
        run.phase = Phase::Decided;
        run.ended = Some(now);
    }
    runs::close(model, id, journal::Closed::Decided)
}

/// A candidate is where it goes, or was taken back, or could not be.
pub(super) fn landed(model: &mut Model, id: &RunId, outcome: Result<Option<String>, Failure>) -> Vec<Effect> {
    let Some(run) = model.runs.get(id).filter(|run| run.phase == Phase::Publishing) else { return Vec::new() };
    let Some(landing) = run.landing.clone() else { return Vec::new() };
    let (stage, undone) = (run.stage, run.landed);
    let commit_made = match outcome {
        Ok(commit_made) => commit_made,
        Err(failure) => return refuse(model, id, failure),
    };
    let event = runs::emit(model, Some(id), What::landed(&landing, commit_made.clone(), undone));
    let record = match undone {
        false => Record::Landed { stage, landing, commit: commit_made.clone() },
        true => Record::LandingUndone { stage, landing },
    };
    commit(model, id, Batch::record(record), Then::Landed { commit: commit_made, undone }, vec![event])
}

/// That it is done is on record: say so, and go on.
pub(super) fn kept(model: &mut Model, id: &RunId, made: Option<String>, undone: bool) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.landed = !undone;
    let Some(landing) = (if undone { run.landing.take() } else { run.landing.clone() }) else { return Vec::new() };
    let (agent, branch) = (&landing.agent, &landing.branch);
    let text = match (landing.place, undone) {
        (Place::Branch, false) => {
            let commit: String = made.unwrap_or_default().chars().take(7).collect();
            format!("{agent} is on {branch} ({commit}) · look with `git switch {branch}` · u takes it back")
        }
        (Place::Tree, false) => {
            format!("the change of {agent} is in your working copy, not committed · u takes it back")
        }
        (Place::Branch, true) => format!("{branch} is gone"),
        (Place::Tree, true) => format!("the change of {agent} is out of your working copy"),
    };
    let was_reopened = std::mem::take(&mut run.options.reopened);
    if undone && !was_reopened {
        return back::taken_back(model, id);
    }
    notice(model, text);
    let mut effects = vec![Effect::Survey];
    let has_more = model.runs.get(id).is_some_and(|run| run.stages.iter().any(|stage| *stage > run.stage));
    effects.extend(match (undone || was_reopened) && !has_more {
        true => ended(model, id),
        false => checkpoint::leave(model, id),
    });
    effects
}

/// Takes back what landed last.
pub(super) fn undo(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    match run.landing.clone().filter(|_| run.landed) {
        Some(landing) => {
            run.phase = Phase::Publishing;
            vec![Effect::Run(id.clone(), RunEffect::Land { landing: Box::new(landing), back: true })]
        }
        None => refuse(model, id, Failure::needs_input("undo", "no candidate is anywhere", "take one first")),
    }
}

/// Opens a recorded implement stage again, for its candidates.
pub(super) fn reopen(model: &mut Model, id: &RunId, what: Reopened) -> Vec<Effect> {
    let Some(run) = model.runs.get(id) else { return Vec::new() };
    if !settle::is_decidable(model, run) {
        notice(model, "something of this spec is under way: try again when it is over");
        return Vec::new();
    }
    let why = if what == Reopened::Undo { "a candidate is taken back" } else { "a candidate is taken" };
    if let Some(run) = model.runs.get_mut(id) {
        run.pending = Some(what);
    }
    settle::reopen(model, id, Vec::new(), why)
}
