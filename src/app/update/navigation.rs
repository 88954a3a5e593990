//! Keys and views: what an action does where.
//!
//! Which actions work is in `offers`, what the selection is on in `selection`, the transcript in `reading`.

use super::reading::{next_match, open_transcript, read_page, toggle_follow};
use super::selection::{HomeRow, home_rows, last_row, selected_agent, selected_spec, target};
use super::{
    ask, cancel, candidates, first, gate, ledger, notice, offers, permission, proposal, round, run as runs, seats,
    settle, split, typed, verdict,
};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::keymap::{self, Action};
use crate::app::model::{Model, Overlay, Phase, Saying, View, Wording};
use crate::app::msg::{Choice, Start};
use crate::domain::acp::Answer;
use crate::domain::candidate::Place;
use crate::domain::consensus::find;
use crate::domain::ids::{RunId, SpecId};
use crate::domain::stage::Stage;

/// Rows that a page key moves, less than the smallest screen shows.
const PAGE: usize = 10;

/// A key was pressed.
pub(super) fn key(model: &mut Model, key: Key) -> Vec<Effect> {
    // Also where text is typed: it is no text.
    if keymap::lookup(model, key) == Some(Action::Suspend) {
        return vec![Effect::Suspend];
    }
    if let Some(overlay) = model.overlay.take() {
        model.overlay = Some(overlay.clone());
        return typed::key(model, overlay, key);
    }
    match model.view().wording() {
        Some(Wording::Settle { .. }) => return settle::type_reason(model, key),
        Some(Wording::Gate(_)) => return gate::type_words(model, key),
        Some(Wording::Split) => return split::type_reason(model, key),
        Some(Wording::Ledger) => return ledger::type_reason(model, key),
        None => {}
    }
    match keymap::lookup(model, key) {
        Some(action) => act(model, action),
        None => refused(model, key),
    }
}

/// Says why a key that would change the run on screen does not: another process owns it.
fn refused(model: &mut Model, key: Key) -> Vec<Effect> {
    let place = keymap::Place::of(model.view());
    let meant = keymap::TABLE.iter().filter(|binding| binding.place == place && binding.keys.contains(&key));
    if let Some(owner) = meant.filter_map(|binding| offers::owner(model, binding.action)).next().cloned() {
        notice(model, format!("read-only: pid {} owns this run · X asks it to stop", owner.pid));
    }
    Vec::new()
}

/// The frame that shows what the last key changed was written so many microseconds after it.
pub(super) fn key_painted(model: &mut Model, us: u64) -> Vec<Effect> {
    model.key_us = Some(us);
    Vec::new()
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
        Action::PageUp if permission::scroll(model, false) => Vec::new(),
        Action::PageDown if permission::scroll(model, true) => Vec::new(),
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
        Action::AskAgain => ask_again(model),
        Action::Fresh => again(model, true, false),
        Action::AskMissing => again(model, false, true),
        Action::Round => round::ask_now(model),
        Action::Verdict => show_verdict(model),
        Action::Run => show_run(model),
        Action::ShowAll => show_all(model),
        Action::Document => document(model),
        Action::Proposal => proposal::open_selected(model),
        Action::Check => settle::run_check(model),
        Action::Choose(n) if matches!(model.view(), View::Gate(_)) => gate::choose(model, usize::from(n) - 1),
        Action::Choose(side) => settle::choose(model, usize::from(side) - 1),
        Action::Answer => gate::write(model, Saying::Answer),
        Action::Defer => gate::write(model, Saying::Reason),
        Action::Gate => gate::open_selected(model),
        Action::New => typed::open_with(model, "new "),
        Action::Reject if matches!(model.view(), View::Permissions { .. }) => permission::decide(model, Answer::Reject),
        Action::Reject => decide(model, Choice::Reject),
        Action::Waive => decide(model, Choice::Waive),
        Action::Accept => decide(model, Choice::Accept),
        Action::Reason => settle::reason(model),
        Action::Undo if matches!(model.view(), View::Gate(_)) => gate::undo(model),
        Action::Undo if matches!(model.view(), View::Proposal(_)) => proposal::undo(model),
        Action::Undo if matches!(model.view(), View::Ledger(_)) => ledger::undo(model),
        Action::Undo if matches!(model.view(), View::Candidates { .. }) => candidates::undo(model),
        Action::Undo => settle::undo(model),
        Action::Candidates => candidates::show(model),
        Action::IntoTree => candidates::take(model, Place::Tree),
        Action::NextHunk => candidates::turn(model, true),
        Action::PreviousHunk => candidates::turn(model, false),
        Action::Pick => candidates::pick(model),
        Action::Restore => candidates::as_tried(model),
        Action::KeepTests => candidates::keep_tests(model),
        Action::Beside => candidates::beside(model),
        Action::Split => split::open(model),
        Action::Ledger => selected_spec(model).map_or_else(Vec::new, |spec| ledger::open(model, spec)),
        Action::NextConflict => settle::turn(model, true),
        Action::PreviousConflict => settle::turn(model, false),
        Action::Editor => editor(model),
        Action::Copy => copy(model),
        Action::Follow => toggle_follow(model),
        Action::Search => search(model),
        Action::NextMatch => next_match(model),
        Action::Servers => push(model, View::Servers { cursor: 0 }),
        Action::Permissions => push(model, View::Permissions { cursor: 0, scroll: 0 }),
        Action::AllowOnce => permission::decide(model, Answer::Once),
        Action::AllowAlways => permission::decide(model, Answer::Always),
        Action::Restart => restart(model),
        Action::Trust => push(model, View::Trust { scroll: 0 }),
        Action::Approve => ask::approve(model),
        Action::Offer(nth) => ask::look_at_offer(model, nth),
        Action::Survey => typed::survey(model),
        Action::Init => first::init(model),
        Action::Suspend => vec![Effect::Suspend],
        Action::Detach => cancel::detach(model),
        Action::Dump => vec![Effect::DumpRecording],
    }
}

fn search(model: &mut Model) -> Vec<Effect> {
    model.overlay = Some(Overlay::Search(crate::app::line::Line::default()));
    Vec::new()
}

/// Lists everything, or what wants somebody only.
fn show_all(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Verdict { all, .. }) = model.views.last_mut() {
        *all = !*all;
        return Vec::new();
    }
    ledger::toggle_all(model)
}

/// Decides about what is selected; on the ledger page a reason is asked for first.
fn decide(model: &mut Model, choice: Choice) -> Vec<Effect> {
    if matches!(model.view(), View::Ledger(_)) {
        return ledger::ask(model, choice);
    }
    settle::settle(model, choice)
}

fn push(model: &mut Model, view: View) -> Vec<Effect> {
    model.views.push(view);
    Vec::new()
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
        Some(View::Permissions { cursor, scroll }) => {
            *cursor = go(*cursor, last);
            *scroll = 0;
        }
        Some(View::Trust { scroll } | View::Help { scroll }) => *scroll = go(*scroll, last),
        Some(View::Proposal(page)) => page.scroll = go(page.scroll, last),
        Some(View::Dashboard { cursor, pane, scroll, .. }) => {
            if *pane == 2 {
                *scroll = go(*scroll, last);
            } else {
                *cursor = go(*cursor, last);
            }
        }
        Some(View::Candidates { cursor, hunk, .. }) => (*cursor, *hunk) = (go(*cursor, last), 0),
        Some(View::Gate(dialog)) => gate::moved(dialog, go(dialog.cursor, last)),
        Some(View::Conflict(conflict)) => conflict.citation = go(conflict.citation, last),
        Some(View::Merged(texts)) => texts.cursor = go(texts.cursor, last),
        Some(View::Ledger(page)) => {
            let at = page.detail.as_mut().unwrap_or(&mut page.cursor);
            *at = go(*at, last);
        }
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

fn open(model: &mut Model) -> Vec<Effect> {
    match model.view().clone() {
        View::Home { cursor } => match home_rows(model).into_iter().nth(cursor) {
            Some(HomeRow::Spec(spec)) => push(model, View::Spec { spec, cursor: 0 }),
            // A stage that wants a human is opened, not asked again: its answers are there.
            Some(HomeRow::Step(Stage::Specify, spec)) if proposal::waits(model, &spec) => proposal::open(model, spec),
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
        View::Candidates { .. } => candidates::take(model, Place::Branch),
        View::Conflict(_) => settle::keep(model),
        View::Proposal(_) => proposal::apply(model),
        View::Gate(_) => gate::apply(model),
        View::Merged(_) => split::ask(model),
        View::Ledger(_) => ledger::toggle_detail(model),
        View::Spec { .. } => start_selected(model, None),
        View::Transcript(_)
        | View::Servers { .. }
        | View::Permissions { .. }
        | View::Trust { .. }
        | View::Help { .. } => Vec::new(),
    }
}

/// The newest run of this session that decided a stage of a spec.
fn decided_here(model: &Model, spec: &SpecId, stage: Stage) -> Option<RunId> {
    let mut runs = model.runs.values().rev().filter(|run| &run.spec == spec && run.stage == stage);
    runs.find(|run| run.verdicts.contains_key(&stage)).map(|run| run.id.clone())
}

/// Esc: closes what is open; with nothing open and a run live, stops it.
fn back(model: &mut Model) -> Vec<Effect> {
    if matches!(model.view(), View::Ledger(page) if page.detail.is_some()) {
        return ledger::toggle_detail(model);
    }
    let is_dashboard_of_live = match model.view() {
        View::Dashboard { run, .. } => model.runs.get(run).is_some_and(|run| run.phase.is_live()),
        // What was picked is being tested: that is what Esc is about.
        View::Candidates { run, .. } => {
            model.runs.get(run).is_some_and(|run| matches!(run.phase, Phase::Testing { .. } | Phase::Stopping))
        }
        View::Home { .. }
        | View::Spec { .. }
        | View::Transcript(_)
        | View::Verdict { .. }
        | View::Conflict(_)
        | View::Proposal(_)
        | View::Gate(_)
        | View::Merged(_)
        | View::Ledger(_)
        | View::Servers { .. }
        | View::Permissions { .. }
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
    if stage == Stage::Specify && proposal::waits(model, &spec) {
        return proposal::open(model, spec);
    }
    ask::propose(model, spec, vec![stage])
}

fn stop_selected_agent(model: &mut Model) -> Vec<Effect> {
    selected_agent(model).map_or_else(Vec::new, |(run, agent)| cancel::stop_agent(model, &run, &agent))
}

/// Asks the selected agent of a live run again; goes on with a run that is over.
fn ask_again(model: &mut Model) -> Vec<Effect> {
    match selected_agent(model) {
        Some((run, agent)) if model.runs.get(&run).is_some_and(|run| run.phase.is_live()) => {
            seats::ask_again(model, &run, &agent)
        }
        Some(_) | None => again(model, false, false),
    }
}

/// Goes on with the run on screen, or starts it over.
fn again(model: &mut Model, fresh: bool, rerun_missing: bool) -> Vec<Effect> {
    let Some(run) = model.focused_run() else { return Vec::new() };
    let rest = run.stages.iter().copied().filter(|stage| *stage >= run.stage).collect();
    let is_decided = run.phase == Phase::Decided;
    let start = Start {
        fresh,
        rerun_missing: rerun_missing || (is_decided && !fresh),
        range: run.range.clone(),
        brief: run.brief.clone(),
        skipped: run.skipped.clone(),
        without: run.without.clone(),
        no_round: run.options.no_round,
        ..Start::of(run.spec.clone(), rest)
    };
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

/// Opens a recorded verdict of this session, with a claim selected if one is named.
pub(super) fn open_verdict(model: &mut Model, spec: &SpecId, stage: Stage, claim: Option<&str>) -> Vec<Effect> {
    let run = model.runs.values().rev().find(|run| &run.spec == spec && run.verdicts.contains_key(&stage));
    match (run, claim) {
        (Some(run), None) => {
            let run = run.id.clone();
            push(model, View::Verdict { run, stage, cursor: 0, all: false })
        }
        (Some(run), Some(claim)) => {
            let found = run.verdicts.get(&stage).and_then(|judgement| find(&judgement.verdict, claim));
            let at = found.and_then(|found| verdict::rows(run, stage, true).iter().position(|key| key == &found.key));
            let run = run.id.clone();
            match at {
                Some(cursor) => push(model, View::Verdict { run, stage, cursor, all: true }),
                None => {
                    notice(model, format!("no claim of the {stage} of {spec}, or more than one, is called {claim}"));
                    Vec::new()
                }
            }
        }
        (None, _) => {
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

fn restart(model: &mut Model) -> Vec<Effect> {
    let View::Servers { cursor } = model.view() else { return Vec::new() };
    let name = model.servers.keys().nth(*cursor).cloned();
    name.map_or_else(Vec::new, |name| vec![Effect::RestartServer(name)])
}

fn editor(model: &mut Model) -> Vec<Effect> {
    match target(model) {
        Some((path, line)) => vec![Effect::OpenEditor { path, line }],
        None => Vec::new(),
    }
}

fn document(model: &mut Model) -> Vec<Effect> {
    if let View::Proposal(page) = model.view() {
        return proposal::notes(page);
    }
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
        View::Gate(dialog) => Some(dialog.spec.to_string()),
        View::Merged(texts) => Some(texts.claim.to_string()),
        View::Transcript(transcript) => Some(transcript.seat.run.to_string()),
        View::Home { .. }
        | View::Spec { .. }
        | View::Candidates { .. }
        | View::Proposal(_)
        | View::Ledger(_)
        | View::Servers { .. }
        | View::Permissions { .. }
        | View::Trust { .. }
        | View::Help { .. } => selected_spec(model).map(|spec| spec.to_string()),
    };
    let Some(text) = text else { return Vec::new() };
    notice(model, format!("copied {text}"));
    vec![Effect::Copy(text)]
}
