//! What becomes of the candidates of implement: they are kept and offered, one is taken to a branch or into the working
//! copy, and back. What is about to be done is on record before, and that it is done after: done twice it is done once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::durable::{Batch, commit, file};
use super::{back, cancel, candidates, checkpoint, complain, ending, notice, run as runs, settle, staging, verdict};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::What;
use crate::app::model::{Model, Phase, Run, Then};
use crate::app::msg::{FoundRun, Reopened, Start};
use crate::domain::candidate::{
    Candidate, Chosen, Extra, Extras, Landing, Patch, Picked, Place, Portion, Step, Take, Tested, Tried,
};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::hunks::Picks;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::{self, FileRef, Record};
use crate::domain::judgement::Judgement;
use crate::domain::moment::Moment;
use crate::domain::safe::Safe;
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
    /// It is not through with it, and can be gone on with.
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
    let is_open = journal::closed(records()).is_none();
    let is_decided = records().any(|record| matches!(record, Record::StageDecided { stage: Stage::Implement, .. }));
    let is_published = records().any(|record| matches!(record, Record::Published { stage: Stage::Implement, .. }));
    let mut landings = records().filter(|record| {
        matches!(record, Record::LandingIntended { .. } | Record::Landed { .. } | Record::LandingUndone { .. })
    });
    let is_half = !is_published || matches!(landings.next_back(), Some(Record::LandingIntended { .. }));
    match (is_decided, is_open) {
        // Killed on the way: it goes on from where it was.
        (true, true) if is_half => Standing::Open,
        (true, _) => Standing::Decided,
        (false, true) => Standing::Open,
        (false, false) => Standing::Over,
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
    let begun = run.landing.clone().filter(|_| !run.landed);
    match (run.take.clone(), begun) {
        _ if !is_good => verdict::go_on(model, id),
        (Some(take), _) => begin(model, id, &take),
        (None, Some(landing)) => put(model, id, landing),
        (None, None) if model.boot.headless => {
            let failure = not_taken(run);
            ending::fail(model, id, failure)
        }
        (None, None) => {
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

/// Begins to put a candidate where it goes: what was not tested as it is is tested before.
pub(super) fn begin(model: &mut Model, id: &RunId, take: &Take) -> Vec<Effect> {
    let now = model.now;
    match model.runs.get(id).map(|run| wanted(run, take)) {
        Some(Ok(Wanted::Tested(tree))) => go(model, id, take, tree),
        Some(Ok(Wanted::Untested(picked))) => {
            if let Some(run) = model.runs.get_mut(id) {
                run.phase = Phase::Testing { take: Box::new(take.clone()), since: now };
            }
            vec![Effect::Run(id.clone(), RunEffect::TestPicked(Box::new(picked)))]
        }
        Some(Err(failure)) => refuse(model, id, failure),
        None => Vec::new(),
    }
}

/// What was picked was built and tested: it goes on its way unless something is red.
pub(super) fn tested(model: &mut Model, id: &RunId, outcome: Result<Box<Tested>, Failure>) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    if run.stop.is_some() && run.phase == Phase::Stopping {
        return stopped(model, id);
    }
    let Phase::Testing { take, .. } = run.phase.clone() else { return Vec::new() };
    let tested = match outcome {
        Ok(tested) => tested,
        Err(failure) => return refuse(model, id, failure),
    };
    let main = run.tried.as_ref().and_then(|tried| Some((tried, tried.meant(&take.which)?)));
    match main.and_then(|(tried, main)| tried.red(main, &tested)) {
        Some(red) => {
            let why = format!("what was picked is red: {red}");
            let next = "pick other hunks, or take the candidate as it was tried";
            let failure = Failure::needs_input(format!("implement of {}", run.spec), why, next);
            refuse(model, id, failure)
        }
        None => go(model, id, &take, tested.tree),
    }
}

/// Somebody stopped the test: a reopened stage stays as it was, a run ends as stopped.
fn stopped(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let is_here = model.runs.get(id).is_some_and(|run| run.options.reopened && !model.boot.headless);
    if !is_here {
        return cancel::try_finish(model, id);
    }
    if let Some(run) = model.runs.get_mut(id) {
        run.stop = None;
    }
    notice(model, "stopped: nothing was put anywhere");
    ended(model, id)
}

/// Makes the landing of a tree that was tested, and begins it.
fn go(model: &mut Model, id: &RunId, take: &Take, tree: String) -> Vec<Effect> {
    let now = model.now;
    let by = model.boot.user.clone();
    match model.runs.get(id).map(|run| landing(run, take, tree, (now, by))) {
        Some(Ok(landing)) => put(model, id, landing),
        Some(Err(failure)) => refuse(model, id, failure),
        None => Vec::new(),
    }
}

/// Puts a candidate where it goes, once that is on record.
fn put(model: &mut Model, id: &RunId, landing: Landing) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    run.phase = Phase::Publishing;
    run.landing = Some(landing.clone());
    run.landed = false;
    let effect = Effect::Run(id.clone(), RunEffect::Land { landing: Box::new(landing.clone()), step: Step::Put });
    let record = Record::LandingIntended { stage: run.stage, landing };
    commit(model, id, Batch::record(record), Then::Nothing, vec![effect])
}

/// What is to be put somewhere.
enum Wanted {
    /// This tree, on which everything was run.
    Tested(String),
    /// Hunks that never were together.
    Untested(Picked),
}

/// Finds the candidate that is meant, if it can be taken.
fn meant<'r>(run: &'r Run, take: &Take) -> Result<(&'r Tried, &'r Candidate, &'r Sha), Failure> {
    let place = format!("implement of {}", run.spec);
    let judgement = run.judgement.as_ref().filter(|judgement| judgement.verdict.is_advancing());
    let Some((tried, judgement)) = run.tried.as_ref().zip(judgement) else {
        let next = format!("run `dicast implement {}` again", run.spec);
        return Err(Failure::needs_input(place, "it has no candidate that could be taken", next));
    };
    let candidate = tried.meant(&take.which).ok_or_else(|| unknown(&run.spec, tried))?;
    match &candidate.out {
        None => Ok((tried, candidate, &judgement.verdict.hash)),
        Some(why) => {
            let why = format!("{} is out: {why}", candidate.agent);
            Err(Failure::needs_input(place, why, "take another one, or run implement again with --fresh"))
        }
    }
}

/// Says what is to be put somewhere, and whether it was tested as it is.
fn wanted(run: &Run, take: &Take) -> Result<Wanted, Failure> {
    let place = || format!("implement of {}", run.spec);
    let (tried, candidate, _) = meant(run, take)?;
    let patches = patches(run, tried);
    let picks = match &take.portion {
        Portion::Asked => {
            let needed = candidate.extras.as_ref().filter(|extras| extras.needed);
            return needed.map_or_else(
                || Ok(Wanted::Tested(candidate.tree.clone())),
                |extras| Err(lacking(run, take.place, extras)),
            );
        }
        Portion::Whole if candidate.whole() == candidate.tree => return Ok(Wanted::Tested(candidate.tree.clone())),
        Portion::Whole => {
            let of = |patch: &Arc<Patch>| patch.diff.hunks().iter().map(|hunk| hunk.id.clone()).collect();
            let all = patches.get(&candidate.agent).map(of).unwrap_or_default();
            Picks([(candidate.agent.clone(), all)].into())
        }
        Portion::Picked(picks) => picks.clone(),
    };
    if picks.is_empty() {
        return Err(Failure::needs_input(place(), "nothing is picked", "take a hunk of a candidate"));
    }
    if let Some(patch) = patches.get(&candidate.agent)
        && is_as_tried(candidate, patch, &picks)
    {
        return Ok(Wanted::Tested(candidate.tree.clone()));
    }
    if picks.0.iter().any(|(agent, taken)| !taken.is_empty() && !patches.contains_key(agent)) {
        return Err(Failure::needs_input(place(), "a change that was picked of is not here", "take a whole candidate"));
    }
    Ok(Wanted::Untested(Picked { base: tried.base.clone(), patches, picks }))
}

/// Tells whether what was picked is what was tried.
fn is_as_tried(candidate: &Candidate, patch: &Patch, picks: &Picks) -> bool {
    let tried = match &candidate.extras {
        Some(extras) if extras.needed => patch.diff.hunks().iter().map(|hunk| hunk.id.clone()).collect(),
        Some(_) | None => candidate.asked(patch),
    };
    picks.0.iter().all(|(agent, taken)| if *agent == candidate.agent { *taken == tried } else { taken.is_empty() })
        && picks.0.contains_key(&candidate.agent)
}

/// Returns the changes that candidates are of, as far as they are here.
fn patches(run: &Run, tried: &Tried) -> BTreeMap<AgentName, Arc<Patch>> {
    let of = |one: &Candidate| Some((one.agent.clone(), Arc::clone(candidates::patch(run, one)?)));
    tried.candidates.iter().filter_map(of).collect()
}

/// Says that nobody asked for what a candidate cannot do without.
fn lacking(run: &Run, place: Place, extras: &Extras) -> Failure {
    let why = format!("no task asked for {}, and its tests are red without", extras.named());
    let spec = &run.spec;
    // What takes a candidate into the working copy is `auto`.
    let (take, again) = match place {
        Place::Branch => (format!("implement {spec} --apply best"), format!("implement {spec} --fresh --apply best")),
        Place::Tree => {
            (format!("auto {spec} --apply best"), format!("auto {spec} --from implement --fresh --apply best"))
        }
    };
    let folder = run.preparation.as_ref().map_or_else(|| format!("specs/{spec}"), |p| p.spec.own.clone());
    let next = format!(
        "take it too: `dicast {take} --with-unasked`, or Space on the screen; or write its file into a task of \
         {folder}/tasks.md and ask again: `dicast {again}`"
    );
    Failure::needs_input(format!("implement of {}", run.spec), why, next)
}

/// Makes the landing that is meant; one that was begun before is the same one.
fn landing(run: &Run, take: &Take, tree: String, (now, by): (Moment, String)) -> Result<Landing, Failure> {
    let (tried, candidate, verdict) = meant(run, take)?;
    let is_same = |begun: &&Landing| {
        begun.agent == candidate.agent && begun.tree == tree && begun.base == tried.base && begun.place == take.place
    };
    if let Some(begun) = run.landing.as_ref().filter(is_same) {
        return Ok(begun.clone());
    }
    let title = run.preparation.as_ref().map(|preparation| preparation.spec.title.as_str()).unwrap_or_default();
    Ok(Landing::of(
        (&run.spec, title),
        (&tried.base, Chosen { by, ..chosen(run, (tried, candidate), take, tree) }),
        (run.id.as_str(), verdict),
        (take.place, now),
    ))
}

/// Says in words what is taken of whom.
fn chosen(run: &Run, (tried, candidate): (&Tried, &Candidate), take: &Take, tree: String) -> Chosen {
    let (mut left_out, mut also) = (Vec::new(), Vec::new());
    match &take.portion {
        Portion::Whole => {}
        Portion::Asked => {
            let extras = candidate.extras.iter().flat_map(|extras| &extras.hunks);
            left_out.extend(extras.map(|extra| extra.place.clone()));
        }
        Portion::Picked(picks) => {
            for (agent, patch) in patches(run, tried) {
                for hunk in patch.diff.hunks() {
                    match (agent == candidate.agent, picks.has(&agent, &hunk.id)) {
                        (true, false) => left_out.push(Safe::line(&hunk.place())),
                        (false, true) => also.push(Safe::line(&format!("{} of {agent}", hunk.place()))),
                        (true, true) | (false, false) => {}
                    }
                }
            }
        }
    }
    let unasked = unasked((tried, candidate), take);
    Chosen { agent: candidate.agent.clone(), tree, left_out, also, unasked, by: String::new() }
}

/// Names what is taken although no task asked for it, each place with whose it is.
fn unasked((tried, candidate): (&Tried, &Candidate), take: &Take) -> Vec<Safe> {
    let is_taken = |one: &Candidate, extra: &Extra| match &take.portion {
        Portion::Asked => false,
        Portion::Whole => one.agent == candidate.agent,
        Portion::Picked(picks) => picks.has(&one.agent, &extra.id),
    };
    let of = |one: &Candidate| {
        let extras = one.extras.iter().flat_map(|extras| &extras.hunks).filter(|extra| is_taken(one, extra));
        extras.map(|extra| Safe::line(&format!("{} of {}", extra.place, one.agent))).collect::<Vec<_>>()
    };
    tried.candidates.iter().flat_map(of).collect()
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
        return ending::fail(model, id, failure);
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
    ending::close(model, id, journal::Closed::Decided)
}

/// Has what a process that was killed had begun to put into the working copy taken back, before implement begins there
/// again: candidates start from the commit, and land once more.
pub(super) fn clear(model: &mut Model, id: &RunId) -> Option<Vec<Effect>> {
    let run = model.runs.get_mut(id)?;
    let is_half = run.stage == Stage::Implement && !run.options.reopened && !run.landed;
    let begun = run.landing.clone().filter(|landing| is_half && landing.place == Place::Tree)?;
    run.phase = Phase::Publishing;
    Some(vec![Effect::Run(id.clone(), RunEffect::Clear(Box::new(begun)))])
}

/// It is out of the working copy, or was never in it.
pub(super) fn cleared(model: &mut Model, id: &RunId, outcome: Result<(), Failure>) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id).filter(|run| run.phase == Phase::Publishing) else { return Vec::new() };
    match outcome {
        Err(failure) => ending::fail(model, id, failure),
        Ok(()) if run.stop.is_some() => {
            run.phase = Phase::Stopping;
            cancel::try_finish(model, id)
        }
        Ok(()) => checkpoint::enter(model, id),
    }
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
    run.basket = None;
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

/// Takes back what landed last of a recorded run. Nothing that landed is nothing to do.
pub(super) fn undo_recorded(model: &mut Model, spec: SpecId) -> Vec<Effect> {
    let effects = staging::reopen_recorded(model, Start::of(spec, vec![Stage::Implement]), Some(Reopened::Undo));
    for effect in &effects {
        if let Effect::Run(id, RunEffect::Find { .. }) = effect
            && let Some(run) = model.runs.get_mut(id)
        {
            run.options.undo = true;
        }
    }
    effects
}

/// Takes back what landed last.
pub(super) fn undo(model: &mut Model, id: &RunId) -> Vec<Effect> {
    let Some(run) = model.runs.get_mut(id) else { return Vec::new() };
    match run.landing.clone().filter(|_| run.landed) {
        Some(landing) => {
            run.phase = Phase::Publishing;
            vec![Effect::Run(id.clone(), RunEffect::Land { landing: Box::new(landing), step: Step::TakeBack })]
        }
        None if run.options.undo => {
            let text = Safe::line("no candidate is anywhere: there is nothing to take back");
            let event = runs::emit(model, Some(id), What::Warning { text });
            std::iter::once(event).chain(ended(model, id)).collect()
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
