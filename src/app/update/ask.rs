//! Asking the panel: whether it can be asked, the question before it costs something; and what the world tells
//! unasked (the survey, the servers).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{cancel, complain, foreign, gate, notice, roster, run as runs, selection, typed};
use crate::app::effect::Effect;
use crate::app::event::What;
use crate::app::model::{Load, MemoryState, Model, Overlay};
use crate::app::msg::{ForeignRun, Start};
use crate::domain::absent::Without;
use crate::domain::candidate::Place;
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;
use crate::domain::memory;
use crate::domain::overview::{Overview, SpecOverview};
use crate::domain::progress::{self, Step};
use crate::domain::range::Ends;
use crate::domain::safe::Safe;
use crate::domain::server;
use crate::domain::settings::AgentKind;
use crate::domain::skip;
use crate::domain::stage::Stage;
use crate::domain::wish::Wish;

/// Tells why a stage cannot be asked here, if so.
///
/// # Errors
/// Exit 11 while the project's config is not approved, 10 where no agent can do the stage, or all were left out.
pub(super) fn may_run(model: &Model, stage: Stage, without: Option<&Without>) -> Result<(), Failure> {
    if let Some(failure) = model.trust.refusal() {
        return Err(failure);
    }
    let sits = model.settings.agents.iter().any(|agent| agent.stages.contains(&stage));
    if sits && model.settings.roster(stage).next().is_none() {
        return Err(Failure::needs_input(
            "stage implement",
            "no agent may write code",
            "add writes = [\"implement\"] to one under [[agents]] (it works in a git worktree of its own), or make the \
             change yourself, then `dicast validate` and `dicast audit` it",
        ));
    }
    if model.settings.roster(stage).next().is_none() {
        let found: Vec<&str> = model.machine.programs.iter().map(|program| program.name.as_str()).collect();
        let next = if found.is_empty() {
            "write one with `dicast init`; `dicast demo` shows the whole thing with scripted agents".to_owned()
        } else {
            format!(
                "describe one under [[agents]] in .dicast/config.toml (`dicast init` writes it); {} is on this machine, \
                 and any program that reads a prompt on stdin and writes the artifact's JSON on stdout will do",
                found.join(", ")
            )
        };
        return Err(Failure::needs_input(format!("stage {stage}"), "no agent is configured for it", next));
    }
    roster::may_be_without(&model.settings, stage, without)?;
    let rails = model.settings.guardrails.get(&Stage::Implement);
    if stage == Stage::Implement && model.settings.checks.is_empty() && rails.is_none_or(|rails| rails.after.is_empty())
    {
        return Err(Failure::needs_input(
            "stage implement",
            "nothing could tell one change from another: no approved check runs the tests",
            "name the command under [checks.NAME] argv, or under [guardrails.implement] after, and approve it with \
             `dicast trust approve`",
        ));
    }
    Ok(())
}

/// Proposes to run stages.
pub(super) fn propose(model: &mut Model, spec: SpecId, stages: Vec<Stage>) -> Vec<Effect> {
    propose_run(model, Start::of(spec, stages))
}

/// Proposes a run: agents that cost something are asked for first.
pub(super) fn propose_run(model: &mut Model, start: Start) -> Vec<Effect> {
    let Some(&stage) = start.stages.first() else { return Vec::new() };
    if foreign::show(model, &start.spec) {
        return Vec::new();
    }
    if let Err(failure) = may_run(model, stage, start.without.as_ref()) {
        return typed::refuse(model, &failure);
    }
    // A scripted agent costs nothing and sends nothing anywhere: there is nothing to ask about.
    let is_free = model.settings.roster(stage).all(|agent| matches!(agent.kind, AgentKind::Replay { .. }));
    if is_free || model.boot.yes {
        return runs::start(model, start);
    }
    model.overlay = Some(Overlay::Preflight(start));
    Vec::new()
}

/// Proposes one stage as it was typed.
pub(super) fn propose_stage(model: &mut Model, spec: SpecId, stage: Stage, wish: &Wish) -> Vec<Effect> {
    match start_of(Start { range: wish.range.clone(), ..Start::of(spec, vec![stage]) }, wish, Place::Branch) {
        Ok(start) => propose_run(model, start),
        Err(failure) => typed::refuse(model, &failure),
    }
}

/// Proposes the stages that a spec has not passed yet, or those that were named, as `auto` without a screen runs them.
pub(super) fn propose_rest(model: &mut Model, spec: SpecId, wish: &Wish) -> Vec<Effect> {
    let recorded = recorded(model, &spec);
    let remaining = || {
        let first = progress::next(&recorded, &BTreeSet::new());
        let mut left_out = progress::left_out(&recorded);
        first.and_then(|first| left_out.remove(&first));
        Ok((first, left_out))
    };
    let start = match wish.course(remaining) {
        Ok(Some(course)) => {
            let start = Start { skipped: course.skipped, ..Start::of(spec, course.stages) };
            start_of(start, wish, Place::Tree)
        }
        Ok(None) => {
            notice(model, format!("{spec} has passed every stage · :auto {spec} --from plan runs them again"));
            return Vec::new();
        }
        Err(failure) => Err(failure),
    };
    match start {
        Ok(start) => propose_run(model, start),
        Err(failure) => typed::refuse(model, &failure),
    }
}

/// Completes a start with what was typed behind it.
fn start_of(start: Start, wish: &Wish, place: Place) -> Result<Start, Failure> {
    let (fresh, rerun_missing, no_round) = (wish.fresh, wish.rerun_missing, wish.no_round);
    Ok(Start { fresh, rerun_missing, no_round, take: wish.take(place)?, without: wish.without()?, ..start })
}

/// Returns the stage that is worth offering for a spec: the first that no verdict lets pass, and nobody did elsewhere.
pub(super) fn next_stage(model: &Model, spec: &SpecId) -> Option<Stage> {
    let found = super::surveyed(model)?.spec(spec)?;
    let recorded = recorded(model, spec);
    let led_on = |stage: &Stage| recorded.iter().any(|(later, step)| later > stage && step.has_passed);
    let elsewhere = Stage::ALL.into_iter().filter(|stage| elsewhere(found, *stage) || led_on(stage)).collect();
    let next = progress::next(&recorded, &elsewhere);
    // Before anybody plans it: what would be planned is not written yet.
    let is_drafted_first = next == Some(Stage::Plan) && (found.is_proposed || found.is_blank);
    if is_drafted_first { Some(Stage::Specify) } else { next }
}

/// Returns what is recorded of a spec's stages. A verdict of this session that was not read again yet is about what is
/// there now.
fn recorded(model: &Model, spec: &SpecId) -> BTreeMap<Stage, Step> {
    let found = super::surveyed(model).and_then(|survey| survey.spec(spec));
    let step = |stage: Stage| {
        let read = found.and_then(|found| found.verdicts.get(&stage));
        let step = read.map(|read| Step {
            has_passed: read.is_advancing && read.is_current,
            is_of_commits: read.is_of_commits,
            skipped: read.skipped.clone(),
        });
        let here = model.runs.values().rev().filter(|run| run.spec == *spec).find_map(|run| run.verdicts.get(&stage));
        let newer = here.map(|here| &here.verdict).filter(|here| read.is_none_or(|read| read.hash != here.hash));
        let newer = newer.map(|verdict| Step {
            has_passed: verdict.is_advancing(),
            is_of_commits: Ends::of(&verdict.inputs).is_some(),
            skipped: skip::of(&verdict.inputs),
        });
        Some((stage, newer.or(step)?))
    };
    Stage::ALL.into_iter().filter_map(step).collect()
}

/// Tells whether a stage without a verdict was done by somebody else: there are tasks, and some are ticked.
fn elsewhere(found: &SpecOverview, stage: Stage) -> bool {
    match stage {
        Stage::Plan | Stage::Tasks => found.survey.tasks.is_some(),
        Stage::Implement => found.survey.tasks.is_some_and(|tasks| tasks.ticked > 0),
        Stage::Specify | Stage::Validate | Stage::Audit | Stage::Unlock => false,
    }
}

/// The evidence tells how long each stage usually takes here, and what other processes run now.
pub(super) fn recalled(model: &mut Model, typical: BTreeMap<Stage, u64>, found: Vec<ForeignRun>) -> Vec<Effect> {
    model.typical = typical;
    foreign::found(model, found)
}

/// The repository was read and checked.
pub(super) fn surveyed(model: &mut Model, survey: Result<Arc<Overview>, Failure>) -> Vec<Effect> {
    match survey {
        Ok(survey) => {
            let is_first = model.survey.ready().is_none();
            model.survey = Load::Ready(survey);
            if is_first && model.boot.demo {
                selection::select_plan(model);
            }
        }
        Err(failure) => {
            complain(model, &failure);
            // What was read before stays: old findings with a complaint beat an empty screen.
            if model.survey.ready().is_none() {
                model.survey = Load::Failed(failure);
            }
        }
    }
    Vec::new()
}

/// A server changed its state.
pub(super) fn server_changed(model: &mut Model, status: server::Status) -> Vec<Effect> {
    let mut effects = vec![runs::emit(model, None, What::ServerChanged { server: status.clone() })];
    let is_ready = status.state == server::State::Ready && status.name == model.settings.memory.name();
    let was_ready = model.servers.get(&status.name).is_some_and(|before| before.state == server::State::Ready);
    model.servers.insert(status.name.clone(), status);
    if is_ready && !was_ready {
        // Its tools are checked, and what waits for it is copied, also what an earlier process left.
        effects.push(Effect::DrainSpool);
    }
    effects
}

/// More or fewer copies wait for memory, or something is wrong with it that its server's state does not say.
pub(super) fn memory_changed(model: &mut Model, status: memory::Status) -> Vec<Effect> {
    let before = std::mem::replace(&mut model.memory, status);
    let now = &model.memory;
    if now.waiting == 0 && before.waiting > 0 {
        // What a run said of its own copies is out of date.
        let waited = model.runs.values_mut().filter(|run| matches!(run.memory, MemoryState::Waiting(_)));
        waited.for_each(|run| run.memory = MemoryState::None);
    }
    let Some(trouble) = now.trouble.clone().filter(|_| now.trouble != before.trouble) else { return Vec::new() };
    let text = Safe::line(&format!("memory: {trouble}"));
    notice(model, text.as_str());
    vec![runs::emit(model, None, What::Warning { text })]
}

/// Something outside the model ended.
pub(super) fn noted(model: &mut Model, outcome: Result<String, Failure>) -> Vec<Effect> {
    match outcome {
        Ok(text) => notice(model, text),
        Err(failure) => complain(model, &failure),
    }
    Vec::new()
}

/// The editor gave the terminal back: a gate whose dialog is shown is held again.
pub(super) fn edited(model: &mut Model, outcome: Result<String, Failure>) -> Vec<Effect> {
    let mut effects = noted(model, outcome);
    effects.extend(gate::look_again(model));
    effects
}

/// It was approved: start over with it, unless something is live.
pub(super) fn approved(model: &mut Model, outcome: Result<(), Failure>) -> Vec<Effect> {
    match outcome {
        Ok(()) => start_over(model, "approval", "approved · it holds from the next start on"),
        Err(failure) => {
            complain(model, &failure);
            Vec::new()
        }
    }
}

/// Starts over with what may run now, or says that it waits for what is live.
pub(super) fn start_over(model: &mut Model, why: &'static str, otherwise: &str) -> Vec<Effect> {
    if model.live_runs().next().is_some() {
        notice(model, otherwise);
        return Vec::new();
    }
    model.reload = true;
    cancel::leave(model, 0, why)
}

/// Shows the nth offered server whole: it is approved from there.
pub(super) fn look_at_offer(model: &mut Model, nth: u8) -> Vec<Effect> {
    let name = model.offers().nth(usize::from(nth).saturating_sub(1)).map(|offer| offer.name.clone());
    model.overlay = name.map(Overlay::Offer);
    Vec::new()
}

/// Approves everything that the project's config wants to start.
pub(super) fn approve(model: &mut Model) -> Vec<Effect> {
    if model.trust.is_granted() {
        notice(model, "nothing is waiting for approval");
        return Vec::new();
    }
    vec![Effect::Approve]
}
