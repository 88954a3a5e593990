//! Keys and views: what an action does where, and which actions work here and now.

use std::sync::Arc;

use super::{ask, cancel, notice, run as runs, settle, typed, verdict};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::keymap::{self, Action};
use crate::app::model::{Load, Model, Overlay, Phase, Run, Transcript, View};
use crate::app::msg::Start;
use crate::domain::failure::Failure;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::settings::Trust;
use crate::domain::stage::Stage;
use crate::domain::transcript::{Anchor, Page, PageRequest};

/// Rows that a page key moves, less than the smallest screen shows.
const PAGE: usize = 10;

/// A key was pressed.
pub(super) fn key(model: &mut Model, key: Key) -> Vec<Effect> {
    if let Some(overlay) = model.overlay.take() {
        model.overlay = Some(overlay.clone());
        return typed::key(model, overlay, key);
    }
    if let Some(View::Conflict(conflict)) = model.views.last()
        && conflict.typing
    {
        return settle::type_reason(model, key);
    }
    match keymap::lookup(model, key) {
        Some(action) => act(model, action),
        None => Vec::new(),
    }
}

/// The terminal has another size: pages have to be read again, as lines break elsewhere.
pub(super) fn resized(model: &mut Model, size: (u16, u16)) -> Vec<Effect> {
    model.size = size;
    if let Some(View::Transcript(transcript)) = model.views.last_mut() {
        transcript.reading = false;
    }
    read_page(model)
}

fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::Up => step(model, |at, _| at.saturating_sub(1)),
        Action::Down => step(model, |at, last| (at + 1).min(last)),
        Action::PageUp => step(model, |at, _| at.saturating_sub(PAGE)),
        Action::PageDown => step(model, |at, last| (at + PAGE).min(last)),
        Action::Top => step(model, |_, _| 0),
        Action::Bottom => step(model, |_, last| last),
        Action::Open => open(model),
        Action::Back => back(model),
        Action::Quit => quit(model),
        Action::Command => typed::open(model, false),
        Action::Palette => typed::open(model, true),
        Action::Help => push(model, View::Help { scroll: 0 }),
        Action::NextPane => pane(model, |pane| pane % 3 + 1),
        Action::PreviousPane => pane(model, |pane| (pane + 1) % 3 + 1),
        Action::Pane(n) => pane(model, |_| n),
        Action::Plan => start_selected(model, Some(Stage::Plan)),
        Action::NextStep => start_selected(model, None),
        Action::StopAgent => stop_selected_agent(model),
        Action::StopRun => cancel::asked(model, None),
        Action::AskAgain => again(model, false, false),
        Action::Fresh => again(model, true, false),
        Action::AskMissing => again(model, false, true),
        Action::Verdict => show_verdict(model),
        Action::Run => show_run(model),
        Action::ShowAll => {
            if let Some(View::Verdict { all, .. }) = model.views.last_mut() {
                *all = !*all;
            }
            Vec::new()
        }
        Action::Document => document(model),
        Action::Check => settle::run_check(model),
        Action::Choose(side) => settle::choose(model, usize::from(side) - 1),
        Action::Reject => settle::reject(model),
        Action::Waive => settle::waive(model),
        Action::Reason => settle::reason(model),
        Action::Undo => settle::undo(model),
        Action::NextConflict => settle::turn(model, true),
        Action::PreviousConflict => settle::turn(model, false),
        Action::Editor => editor(model),
        Action::Copy => copy(model),
        Action::Follow => toggle_follow(model),
        Action::Search => {
            model.overlay = Some(Overlay::Search(crate::app::line::Line::default()));
            Vec::new()
        }
        Action::NextMatch => next_match(model),
        Action::Servers => push(model, View::Servers { cursor: 0 }),
        Action::Restart => restart(model),
        Action::Trust => push(model, View::Trust { scroll: 0 }),
        Action::Approve => ask::approve(model),
        Action::Survey => typed::survey(model),
        Action::Dump => vec![Effect::DumpRecording],
    }
}

fn push(model: &mut Model, view: View) -> Vec<Effect> {
    model.views.push(view);
    Vec::new()
}

/// Tells whether an action works here and now: only such keys are shown.
pub fn can(model: &Model, action: Action) -> bool {
    let run = model.focused_run();
    let is_live = run.is_some_and(|run| run.phase.is_live());
    let has_verdict = |run: &Run| !run.verdicts.is_empty();
    let view = model.view();
    match action {
        Action::Plan | Action::NextStep => selected_spec(model).is_some_and(|spec| model.live_run_of(&spec).is_none()),
        Action::Trust => model.trust.proposal().is_some(),
        Action::Approve => !model.trust.is_granted(),
        Action::StopAgent | Action::StopRun => is_live,
        Action::AskAgain => run.is_some_and(can_resume),
        Action::Fresh => run.is_some_and(|run| !run.phase.is_live()),
        Action::AskMissing => run.is_some_and(|run| !run.phase.is_live() && has_missing(run)),
        Action::Verdict => {
            if let View::Spec { spec, .. } = view {
                model.runs.values().any(|run| &run.spec == spec && has_verdict(run))
            } else {
                run.is_some_and(|run| run.judgement.is_some())
            }
        }
        Action::Run => matches!(view, View::Spec { spec, .. } if model.runs.values().any(|run| &run.spec == spec)),
        Action::ShowAll | Action::Document => matches!(view, View::Verdict { .. }),
        Action::Check => settle::checkable(model).is_some(),
        Action::Choose(_) | Action::Reject | Action::Waive | Action::Reason => {
            matches!(view, View::Conflict(_)) && run.is_some_and(|run| settle::is_decidable(model, run))
        }
        Action::Undo => run.is_some_and(|run| !run.decisions.is_empty() && settle::is_decidable(model, run)),
        Action::NextConflict | Action::PreviousConflict => run.is_some_and(|run| verdict::open_claims(run).len() > 1),
        Action::Open => match view {
            View::Home { .. } => !home_rows(model).is_empty(),
            View::Dashboard { pane: 2, .. } => run.is_some_and(|run| run.judgement.is_some()),
            View::Dashboard { cursor, .. } => run.is_some_and(|run| *cursor < run.seats.len()),
            View::Verdict { stage, .. } => run.is_some_and(|run| {
                run.stage == *stage && settle::is_decidable(model, run) && !verdict::open_claims(run).is_empty()
            }),
            View::Conflict(conflict) => {
                conflict.side.is_some() && run.is_some_and(|run| settle::is_decidable(model, run))
            }
            View::Spec { .. } | View::Transcript(_) | View::Servers { .. } | View::Trust { .. } | View::Help { .. } => {
                true
            }
        },
        Action::NextPane | Action::PreviousPane | Action::Pane(_) => matches!(view, View::Dashboard { .. }),
        Action::Back => model.views.len() > 1 || is_live,
        Action::NextMatch => matches!(view, View::Transcript(t) if t.search.is_some()),
        Action::Restart => !model.servers.is_empty(),
        Action::Servers => !matches!(view, View::Servers { .. }),
        Action::Help => !matches!(view, View::Help { .. }),
        Action::Editor => target(model).is_some(),
        Action::Up
        | Action::Down
        | Action::PageUp
        | Action::PageDown
        | Action::Top
        | Action::Bottom
        | Action::Quit
        | Action::Command
        | Action::Palette
        | Action::Copy
        | Action::Follow
        | Action::Search
        | Action::Survey
        | Action::Dump => true,
    }
}

fn can_resume(run: &Run) -> bool {
    match run.phase {
        Phase::Stopped => true,
        Phase::Decided => has_missing(run),
        Phase::Failed(_) => true,
        Phase::Opening
        | Phase::Preparing
        | Phase::Asking
        | Phase::Judging
        | Phase::Recording
        | Phase::Publishing
        | Phase::Stopping => false,
    }
}

fn has_missing(run: &Run) -> bool {
    run.seats.iter().any(|seat| seat.answer.is_none() && !seat.who.external)
}

/// Moves the selection, or scrolls: `go` gets the position and the last one.
fn step(model: &mut Model, go: impl Fn(usize, usize) -> usize) -> Vec<Effect> {
    let last = last_row(model);
    match model.views.last_mut() {
        Some(
            View::Home { cursor } | View::Spec { cursor, .. } | View::Servers { cursor } | View::Verdict { cursor, .. },
        ) => {
            *cursor = go(*cursor, last);
        }
        Some(View::Trust { scroll } | View::Help { scroll }) => *scroll = go(*scroll, last),
        Some(View::Dashboard { cursor, pane, scroll, .. }) => {
            if *pane == 2 {
                *scroll = go(*scroll, last);
            } else {
                *cursor = go(*cursor, last);
            }
        }
        Some(View::Conflict(conflict)) => conflict.citation = go(conflict.citation, last),
        Some(View::Transcript(transcript)) => {
            let at = usize::try_from(transcript.top).unwrap_or(usize::MAX);
            let to = go(at, last);
            transcript.follow = to >= last;
            transcript.top = to as u64;
            return read_page(model);
        }
        None => {}
    }
    Vec::new()
}

/// The last row that can be selected, or the last line to scroll to.
fn last_row(model: &Model) -> usize {
    let rows = match model.view() {
        View::Home { .. } => home_rows(model).len(),
        View::Spec { spec, .. } => super::surveyed(model)
            .and_then(|s| s.specs.iter().find(|f| &f.spec.id == spec))
            .map_or(0, |f| f.findings.len()),
        View::Dashboard { run, pane, .. } => model.runs.get(run).map_or(0, |run| match pane {
            2 => run.judgement.as_ref().map_or(0, |j| j.verdict.claims.len()),
            _ => run.seats.len(),
        }),
        View::Verdict { run, stage, all, .. } => {
            model.runs.get(run).map_or(0, |run| verdict::rows(run, *stage, *all).len())
        }
        View::Conflict(conflict) => conflict_citations(model, conflict),
        View::Servers { .. } => model.servers.len(),
        View::Transcript(t) => t.page.ready().map_or(0, |page| {
            usize::try_from(page.total.saturating_sub(page.rows.len() as u64)).unwrap_or(usize::MAX).saturating_add(1)
        }),
        View::Trust { .. } => match &model.trust {
            Trust::Unneeded => 0,
            Trust::Approved(proposal) | Trust::Unapproved(proposal) => proposal.items.len(),
            Trust::Changed { proposal, diff } => proposal.items.len() + diff.len(),
        },
        View::Help { .. } => keymap::TABLE.len(),
    };
    rows.saturating_sub(1)
}

fn conflict_citations(model: &Model, conflict: &crate::app::model::Conflict) -> usize {
    model.runs.get(&conflict.run).map_or(0, |run| settle::citations(run, &conflict.claim).len())
}

/// What a row of the first screen offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HomeRow {
    /// A spec that was found.
    Spec(SpecId),
    /// The next step of a spec.
    Step(Stage, SpecId),
}

/// Returns the rows of the first screen that can be selected, in order.
pub fn home_rows(model: &Model) -> Vec<HomeRow> {
    let Some(survey) = super::surveyed(model) else { return Vec::new() };
    let specs = survey.specs.iter().map(|found| HomeRow::Spec(found.spec.id.clone()));
    let steps = survey.specs.iter().filter_map(|found| {
        let stage = ask::next_stage(model, &found.spec.id)?;
        Some(HomeRow::Step(stage, found.spec.id.clone()))
    });
    specs.chain(steps).collect()
}

/// Selects the first spec that wants a plan: the demonstration begins there.
pub(super) fn select_plan(model: &mut Model) {
    let at = home_rows(model).iter().position(|row| matches!(row, HomeRow::Step(Stage::Plan, _)));
    if let (Some(at), Some(View::Home { cursor })) = (at, model.views.last_mut()) {
        *cursor = at;
    }
}

/// The spec that the selection is on.
pub(super) fn selected_spec(model: &Model) -> Option<SpecId> {
    match model.view() {
        View::Home { cursor } => match home_rows(model).into_iter().nth(*cursor)? {
            HomeRow::Spec(spec) | HomeRow::Step(_, spec) => Some(spec),
        },
        View::Spec { spec, .. } => Some(spec.clone()),
        View::Dashboard { .. }
        | View::Transcript(_)
        | View::Verdict { .. }
        | View::Conflict(_)
        | View::Servers { .. }
        | View::Trust { .. }
        | View::Help { .. } => model.focused_run().map(|run| run.spec.clone()),
    }
}

fn open(model: &mut Model) -> Vec<Effect> {
    match model.view().clone() {
        View::Home { cursor } => match home_rows(model).into_iter().nth(cursor) {
            Some(HomeRow::Spec(spec)) => push(model, View::Spec { spec, cursor: 0 }),
            // A stage that wants a human is opened, not asked again: its answers are there.
            Some(HomeRow::Step(stage, spec)) => match decided_here(model, &spec, stage) {
                Some(run) => {
                    model.views.push(View::Dashboard { run: run.clone(), cursor: 0, pane: 1, scroll: 0 });
                    push(model, View::Verdict { run, stage, cursor: 0, all: false })
                }
                None => ask::propose(model, spec, vec![stage]),
            },
            None => Vec::new(),
        },
        View::Dashboard { run, cursor, pane, .. } => {
            if pane == 2 {
                show_verdict(model)
            } else {
                open_transcript(model, &run, cursor)
            }
        }
        View::Verdict { .. } => settle::open_selected(model),
        View::Conflict(_) => settle::keep(model),
        View::Spec { .. } => start_selected(model, None),
        View::Transcript(_) | View::Servers { .. } | View::Trust { .. } | View::Help { .. } => Vec::new(),
    }
}

/// The newest run of this session that decided a stage of a spec.
fn decided_here(model: &Model, spec: &SpecId, stage: Stage) -> Option<RunId> {
    let mut runs = model.runs.values().rev().filter(|run| &run.spec == spec && run.stage == stage);
    runs.find(|run| run.verdicts.contains_key(&stage)).map(|run| run.id.clone())
}

/// Esc: closes what is open; with nothing open and a run live, stops it.
fn back(model: &mut Model) -> Vec<Effect> {
    let is_dashboard_of_live = match model.view() {
        View::Dashboard { run, .. } => model.runs.get(run).is_some_and(|run| run.phase.is_live()),
        View::Home { .. }
        | View::Spec { .. }
        | View::Transcript(_)
        | View::Verdict { .. }
        | View::Conflict(_)
        | View::Servers { .. }
        | View::Trust { .. }
        | View::Help { .. } => false,
    };
    if is_dashboard_of_live || model.views.len() <= 1 {
        return match model.focused_run().map(|run| run.id.clone()) {
            Some(run) => cancel::stop(model, &run, "Esc", 130),
            None => Vec::new(),
        };
    }
    pop(model)
}

/// Closes the visible view. A transcript that comes to light is read again: it has not followed meanwhile.
fn pop(model: &mut Model) -> Vec<Effect> {
    model.views.pop();
    read_page(model)
}

/// `q` goes back; on the first screen it leaves, which stops what is live.
fn quit(model: &mut Model) -> Vec<Effect> {
    if model.views.len() > 1 && !model.leaving {
        return pop(model);
    }
    cancel::leave(model, 0, "key q")
}

fn pane(model: &mut Model, go: impl Fn(u8) -> u8) -> Vec<Effect> {
    if let Some(View::Dashboard { pane, .. }) = model.views.last_mut() {
        *pane = go(*pane);
    }
    Vec::new()
}

/// Starts a stage of the selected spec: the one given, else its next one.
fn start_selected(model: &mut Model, stage: Option<Stage>) -> Vec<Effect> {
    let Some(spec) = selected_spec(model) else { return Vec::new() };
    let stage = stage.or_else(|| ask::next_stage(model, &spec)).unwrap_or(Stage::Plan);
    ask::propose(model, spec, vec![stage])
}

fn stop_selected_agent(model: &mut Model) -> Vec<Effect> {
    let (run, cursor) = match model.view() {
        View::Dashboard { run, cursor, .. } => (run.clone(), *cursor),
        View::Transcript(transcript) => {
            let (run, agent) = (transcript.seat.run.clone(), transcript.seat.agent.clone());
            return cancel::stop_agent(model, &run, &agent);
        }
        View::Home { .. }
        | View::Spec { .. }
        | View::Verdict { .. }
        | View::Conflict(_)
        | View::Servers { .. }
        | View::Trust { .. }
        | View::Help { .. } => return Vec::new(),
    };
    let agent = model.runs.get(&run).and_then(|run| run.seats.get(cursor)).map(|seat| seat.who.agent.clone());
    agent.map_or_else(Vec::new, |agent| cancel::stop_agent(model, &run, &agent))
}

/// Goes on with the run on screen, or starts it over.
fn again(model: &mut Model, fresh: bool, rerun_missing: bool) -> Vec<Effect> {
    let Some(run) = model.focused_run() else { return Vec::new() };
    let rest = run.stages.iter().copied().filter(|stage| *stage >= run.stage).collect();
    let is_decided = run.phase == Phase::Decided;
    let start =
        Start { spec: run.spec.clone(), stages: rest, fresh, rerun_missing: rerun_missing || (is_decided && !fresh) };
    runs::start(model, start)
}

fn show_verdict(model: &mut Model) -> Vec<Effect> {
    if let View::Spec { spec, .. } = model.view() {
        let newest = model.runs.values().rev().find(|run| &run.spec == spec && !run.verdicts.is_empty());
        let found = newest.and_then(|run| Some((run.id.clone(), *run.verdicts.keys().last()?)));
        return match found {
            Some((run, stage)) => push(model, View::Verdict { run, stage, cursor: 0, all: false }),
            None => Vec::new(),
        };
    }
    let found = model.focused_run().filter(|run| run.judgement.is_some()).map(|run| (run.id.clone(), run.stage));
    match found {
        Some((run, stage)) => push(model, View::Verdict { run, stage, cursor: 0, all: false }),
        None => Vec::new(),
    }
}

/// Opens a recorded verdict of this session.
pub(super) fn open_verdict(model: &mut Model, spec: &SpecId, stage: Stage) -> Vec<Effect> {
    let run = model.runs.values().rev().find(|run| &run.spec == spec && run.verdicts.contains_key(&stage));
    match run.map(|run| run.id.clone()) {
        Some(run) => push(model, View::Verdict { run, stage, cursor: 0, all: false }),
        None => {
            let text = format!(
                "{spec} has no {stage} verdict of this session · `dicast explain {spec} {stage}` reads recorded ones"
            );
            notice(model, text);
            Vec::new()
        }
    }
}

fn show_run(model: &mut Model) -> Vec<Effect> {
    let Some(spec) = selected_spec(model) else { return Vec::new() };
    let newest = model.runs.values().rev().find(|run| run.spec == spec).map(|run| run.id.clone());
    newest.map_or_else(Vec::new, |run| push(model, View::Dashboard { run, cursor: 0, pane: 1, scroll: 0 }))
}

fn open_transcript(model: &mut Model, run: &RunId, cursor: usize) -> Vec<Effect> {
    let Some(run) = model.runs.get(run) else { return Vec::new() };
    let Some(seat) = run.seats.get(cursor) else { return Vec::new() };
    let transcript = Transcript {
        seat: run.key(seat),
        page: Load::Loading(model.now),
        follow: true,
        top: 0,
        search: None,
        reading: false,
    };
    model.views.push(View::Transcript(transcript));
    read_page(model)
}

/// Asks for the visible page of the open transcript, unless one is on its way.
fn read_page(model: &mut Model) -> Vec<Effect> {
    let (columns, rows) = model.size;
    let Some(View::Transcript(transcript)) = model.views.last_mut() else { return Vec::new() };
    if transcript.reading {
        return Vec::new();
    }
    transcript.reading = true;
    let from = if transcript.follow { Anchor::Tail } else { Anchor::Line(transcript.top) };
    // Two columns are the frame's; title, status and key line take four rows.
    let request = PageRequest {
        seat: transcript.seat.clone(),
        width: columns.saturating_sub(2),
        height: rows.saturating_sub(4),
        from,
        search: transcript.search.clone(),
    };
    vec![Effect::ReadPage(request)]
}

/// A page of the transcript arrived.
pub(super) fn page_read(model: &mut Model, page: Result<Arc<Page>, Failure>) -> Vec<Effect> {
    // Under the help, too, a page that was asked for has to arrive; that of a transcript closed meanwhile has not.
    let open =
        model.views.iter_mut().rev().find_map(|view| if let View::Transcript(t) = view { Some(t) } else { None });
    let is_its = |t: &&mut Transcript| page.as_ref().map_or(true, |page| page.seat == t.seat);
    let Some(transcript) = open.filter(is_its) else { return Vec::new() };
    transcript.reading = false;
    match page {
        Ok(page) => {
            if transcript.follow {
                transcript.top = page.first;
            }
            transcript.page = Load::Ready(page);
        }
        Err(failure) => transcript.page = Load::Failed(failure),
    }
    Vec::new()
}

/// New output: the open transcript is read again while its end is followed.
pub(super) fn follow(model: &mut Model) -> Vec<Effect> {
    let is_following = matches!(model.view(), View::Transcript(transcript) if transcript.follow);
    if is_following { read_page(model) } else { Vec::new() }
}

fn toggle_follow(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Transcript(transcript)) = model.views.last_mut() {
        transcript.follow = !transcript.follow;
    }
    read_page(model)
}

/// Searches in the open transcript.
pub(super) fn search(model: &mut Model, text: String) -> Vec<Effect> {
    if let Some(View::Transcript(transcript)) = model.views.last_mut() {
        transcript.search = (!text.is_empty()).then_some(text);
        transcript.follow = false;
    }
    read_page(model)
}

fn next_match(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Transcript(transcript)) = model.views.last_mut()
        && let Load::Ready(page) = &transcript.page
    {
        let next = page.matches.iter().copied().find(|line| *line > transcript.top).or(page.matches.first().copied());
        if let Some(line) = next {
            transcript.top = line;
            transcript.follow = false;
        }
    }
    read_page(model)
}

fn restart(model: &mut Model) -> Vec<Effect> {
    let View::Servers { cursor } = model.view() else { return Vec::new() };
    let name = model.servers.keys().nth(*cursor).cloned();
    name.map_or_else(Vec::new, |name| vec![Effect::RestartServer(name)])
}

/// The place that the selection names.
fn target(model: &Model) -> Option<(String, Option<u32>)> {
    match model.view() {
        View::Spec { spec, cursor } => {
            let found = super::surveyed(model)?.specs.iter().find(|found| &found.spec.id == spec)?;
            let finding = found.findings.get(*cursor)?;
            Some((finding.place.file.clone(), Some(finding.place.line)))
        }
        View::Conflict(conflict) => {
            let run = model.runs.get(&conflict.run)?;
            settle::place(run, &conflict.claim, conflict.citation)
        }
        View::Verdict { run, stage, cursor, all } => {
            let run = model.runs.get(run)?;
            let key = verdict::rows(run, *stage, *all).into_iter().nth(*cursor)?;
            settle::place(run, &key, 0).or_else(|| Some((verdict::document(run, *stage)?, None)))
        }
        View::Home { .. }
        | View::Dashboard { .. }
        | View::Transcript(_)
        | View::Servers { .. }
        | View::Trust { .. }
        | View::Help { .. } => None,
    }
}

fn editor(model: &mut Model) -> Vec<Effect> {
    match target(model) {
        Some((path, line)) => vec![Effect::OpenEditor { path, line }],
        None => Vec::new(),
    }
}

fn document(model: &mut Model) -> Vec<Effect> {
    let View::Verdict { run, stage, .. } = model.view() else { return Vec::new() };
    match model.runs.get(run).and_then(|run| verdict::document(run, *stage)) {
        Some(path) => vec![Effect::OpenEditor { path, line: None }],
        None => Vec::new(),
    }
}

/// Copies what the selection is about: a verdict's hash, a run's id, a spec's name.
fn copy(model: &mut Model) -> Vec<Effect> {
    let text = match model.view() {
        View::Verdict { run, stage, .. } => {
            model.runs.get(run).and_then(|run| run.verdicts.get(stage)).map(|j| j.verdict.hash.to_string())
        }
        View::Dashboard { run, .. } => Some(run.to_string()),
        View::Conflict(conflict) => Some(conflict.claim.to_string()),
        View::Transcript(transcript) => Some(transcript.seat.run.to_string()),
        View::Home { .. } | View::Spec { .. } | View::Servers { .. } | View::Trust { .. } | View::Help { .. } => {
            selected_spec(model).map(|spec| spec.to_string())
        }
    };
    let Some(text) = text else { return Vec::new() };
    notice(model, format!("copied {text}"));
    vec![Effect::Copy(text)]
}
