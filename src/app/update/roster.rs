//! Who is asked in a run: the stage's agents but for those that a person left out of it, and the list in which that is
//! said before a run begins.
//!
//! Who has answered at a stage is not left out of it any more: an answer that was seen is not made unsaid.

use std::collections::{BTreeMap, BTreeSet};

use super::{complain, notice, run as runs};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::model::{Model, Overlay, Phase, Run};
use crate::app::msg::Start;
use crate::domain::absent::{self, Without};
use crate::domain::failure::Failure;
use crate::domain::ids::AgentName;
use crate::domain::settings::{Agent, Settings};
use crate::domain::stage::Stage;

/// An agent in the list of those who may be asked.
#[derive(Debug, Clone)]
pub struct Row<'m> {
    /// Who.
    pub agent: &'m Agent,
    /// At which of the run's stages.
    pub stages: Vec<Stage>,
    /// Whether it is asked.
    pub place: Place,
}

/// Whether an agent is asked in the run that is about to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It is.
    Asked,
    /// It has answered already; that answer counts.
    Answered,
    /// A person left it out.
    Out,
}

/// What a roster comes to at a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// The families that are asked.
    pub families: BTreeSet<String>,
    /// How many of them have to answer.
    pub needed: usize,
}

impl Bench {
    /// Tells whether enough families can answer.
    pub fn can_decide(&self) -> bool {
        self.families.len() >= self.needed
    }
}

/// Returns who takes part in a stage of a run: nobody who was left out, unless an answer of theirs is kept.
pub(super) fn seated<'m>(model: &'m Model, run: &'m Run, stage: Stage) -> impl Iterator<Item = &'m Agent> {
    model.settings.roster(stage).filter(move |agent| !is_out(run, stage, agent))
}

/// Returns who was left out of a stage of a run, each with its family.
pub(super) fn left_out(model: &Model, run: &Run, stage: Stage) -> Vec<String> {
    model.settings.roster(stage).filter(|agent| is_out(run, stage, agent)).map(absent::named).collect()
}

fn is_out(run: &Run, stage: Stage, agent: &Agent) -> bool {
    let has_answered = run.kept.get(&stage).is_some_and(|kept| kept.contains_key(&agent.name))
        || (run.stage == stage && run.seat(&agent.name).is_some_and(|seat| seat.answer.is_some()));
    !has_answered && run.without.as_ref().is_some_and(|without| without.contains(&agent.name))
}

/// Tells why a stage cannot be asked without some of its agents, if so.
///
/// # Errors
/// Usage for somebody who is no agent here; exit 10 where nobody would be left.
pub(super) fn may_be_without(settings: &Settings, stage: Stage, without: Option<&Without>) -> Result<(), Failure> {
    let Some(without) = without else { return Ok(()) };
    if let Some(stranger) = without.iter().find(|name| settings.agents.iter().all(|agent| &agent.name != *name)) {
        let known: Vec<&str> = settings.agents.iter().map(|agent| agent.name.as_str()).collect();
        let known = format!("there are {}", known.join(", "));
        return Err(Failure::usage("--without", format!("no agent is called {stranger}"), known));
    }
    let mut roster = settings.roster(stage).peekable();
    if roster.peek().is_some() && roster.all(|agent| without.contains(&agent.name)) {
        let why = "everybody who would be asked was left out of this run";
        return Err(Failure::needs_input(format!("stage {stage}"), why, "leave one of them in"));
    }
    Ok(())
}

/// Returns who is left out of the run that a start would begin, or go on with.
pub fn without(model: &Model, start: &Start) -> Without {
    let before = || to_go_on_with(model, start).and_then(|run| run.without.clone());
    start.without.clone().or_else(before).unwrap_or_default()
}

/// The run of this session that a start would go on with.
fn to_go_on_with<'m>(model: &'m Model, start: &Start) -> Option<&'m Run> {
    let latest = model.runs.values().rev().find(|run| run.spec == start.spec)?;
    (latest.phase == Phase::Stopped && !start.fresh).then_some(latest)
}

/// Returns all who could be asked at the stages of a run, and whether they are with these left out.
pub fn rows<'m>(model: &'m Model, start: &Start, without: &Without) -> Vec<Row<'m>> {
    let before = to_go_on_with(model, start);
    let mut stages: BTreeMap<&AgentName, Vec<Stage>> = BTreeMap::new();
    for stage in &start.stages {
        model.settings.roster(*stage).for_each(|agent| stages.entry(&agent.name).or_default().push(*stage));
    }
    let has_answered = |agent: &Agent| {
        let seat = before.filter(|run| start.stages.contains(&run.stage)).and_then(|run| run.seat(&agent.name));
        seat.is_some_and(|seat| seat.answer.is_some())
    };
    let row = |agent: &'m Agent| {
        let place = match (has_answered(agent), without.contains(&agent.name)) {
            (true, _) => Place::Answered,
            (false, true) => Place::Out,
            (false, false) => Place::Asked,
        };
        Some(Row { agent, stages: stages.get(&agent.name)?.clone(), place })
    };
    model.settings.agents.iter().filter_map(row).collect()
}

/// Returns what rows come to at a stage.
pub fn bench(model: &Model, rows: &[Row<'_>], stage: Stage) -> Bench {
    let sits = |row: &&Row<'_>| row.place != Place::Out && row.stages.contains(&stage);
    let families: BTreeSet<String> = rows.iter().filter(sits).map(|row| row.agent.family.to_string()).collect();
    let needed = model.settings.consensus.quorum.needed(families.len(), stage);
    Bench { families, needed }
}

/// Opens the list.
pub(super) fn open(model: &mut Model, start: Start) {
    let without = without(model, &start);
    model.overlay = Some(Overlay::Roster { start, without, cursor: 0 });
}

/// Handles a key in the list.
pub(super) fn key(model: &mut Model, start: Start, mut without: Without, mut cursor: usize, key: Key) -> Vec<Effect> {
    let rows = rows(model, &start, &without);
    let last = rows.len().saturating_sub(1);
    match key {
        Key::Esc => {
            model.overlay = Some(Overlay::Preflight(start));
            return Vec::new();
        }
        Key::Enter => return begin(model, start, without, cursor),
        Key::Up | Key::Char('k') => cursor = cursor.saturating_sub(1),
        Key::Down | Key::Char('j') => cursor = (cursor + 1).min(last),
        Key::Char(' ') => {
            let row = rows.get(cursor).map(|row| (row.agent.name.clone(), row.place));
            match row {
                Some((name, Place::Answered)) => {
                    notice(model, format!("{name} has answered: that counts · n begins from scratch, without it"));
                }
                Some((name, Place::Asked)) => drop(without.insert(name)),
                Some((name, Place::Out)) => drop(without.remove(&name)),
                None => {}
            }
        }
        Key::Char(_)
        | Key::Ctrl(_)
        | Key::Alt(_)
        | Key::Tab
        | Key::BackTab
        | Key::Backspace
        | Key::Delete
        | Key::Left
        | Key::Right
        | Key::Home
        | Key::End
        | Key::PageUp
        | Key::PageDown
        | Key::F(_) => {}
    }
    model.overlay = Some(Overlay::Roster { start, without, cursor });
    Vec::new()
}

/// Begins the run with whoever is left, unless nobody is.
fn begin(model: &mut Model, start: Start, without: Without, cursor: usize) -> Vec<Effect> {
    let refused = start.stages.iter().find_map(|stage| may_be_without(&model.settings, *stage, Some(&without)).err());
    if let Some(failure) = refused {
        complain(model, &failure);
        model.overlay = Some(Overlay::Roster { start, without, cursor });
        return Vec::new();
    }
    model.overlay = None;
    runs::start(model, Start { without: Some(without), ..start })
}
