//! `update`: what a message changes and what is then to be done. One line a variant; the work is in the files beside.
//!
//! Pure: the same model and message always give the same model and effects.

mod again;
mod answer;
mod ask;
mod back;
mod cancel;
mod candidates;
mod checkpoint;
mod durable;
mod ending;
mod exit;
mod first;
mod foreign;
mod gate;
mod land;
mod ledger;
mod mirror;
mod navigation;
mod offers;
mod permission;
mod proposal;
mod reading;
mod roster;
mod round;
mod run;
mod seats;
mod selection;
mod settle;
mod spend;
mod split;
mod staging;
mod typed;
mod verdict;

use super::effect::Effect;
use super::model::{Load, Model, NOTICE_MS, Notice};
use super::msg::{Input, Msg, Request, RunMsg};
use crate::domain::fact::Fact;
use crate::domain::ids::RunId;
use crate::domain::safe::Safe;

pub use candidates::{BESIDE, patch, worth_keeping};
pub use exit::{exit_of, worst};
pub use first::can_init;
pub use gate::{open_issues, preview};
pub use ledger::{LedgerRow, ledger_rows};
pub use offers::can;
pub use roster::{Bench, Place, Row, bench, rows as roster_rows, without};
pub use round::{Ballot, ballot};
pub use selection::{HomeRow, home_rows};
pub use settle::{checkable, citations, sides};
pub use spend::{charge, total, used_so_far};
pub use split::merged_keys;
pub use verdict::{carried, counted_as, open_claims, rows};

/// Changes the model by one message and returns what is to be done, in order.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    match msg {
        Msg::Tick(now) => seats::tick(model, now),
        Msg::Input(Input::Key(key)) => navigation::key(model, key),
        Msg::Input(Input::Paste(text)) => typed::paste(model, &text),
        Msg::Input(Input::Resized(columns, rows)) => navigation::resized(model, (columns, rows)),
        Msg::Asked(Request::Start(start)) => run::start(model, start),
        Msg::Asked(Request::Stop(run)) => cancel::asked(model, run),
        Msg::Asked(Request::Decide(decide)) => settle::decide(model, decide),
        Msg::Asked(Request::Undo(spec)) => land::undo_recorded(model, spec),
        Msg::Asked(Request::Check { spec, stage }) => settle::check(model, spec, stage),
        Msg::Program(word) => answer::heard(model, word),
        Msg::Told(fact) => told(model, fact),
        Msg::Progressed(progress) => seats::progressed(model, progress),
        Msg::Surveyed(survey) => ask::surveyed(model, survey),
        Msg::Seen(news) => first::seen(model, news),
        Msg::Initialised(outcome) => first::initialised(model, outcome),
        Msg::Recalled { typical, foreign } => ask::recalled(model, typical, foreign),
        Msg::ForeignTold(id, news) => foreign::told(model, &id, news),
        Msg::Run(id, msg) => run_answered(model, &id, msg),
        Msg::Held(spec, outcome) => gate::held(model, &spec, outcome),
        Msg::Proposed(spec, outcome) => proposal::read(model, &spec, outcome),
        Msg::Rewritten(spec, outcome) => proposal::rewritten(model, &spec, outcome),
        Msg::Created(outcome) => gate::created(model, outcome),
        Msg::PageRead(page) => reading::page_read(model, page),
        Msg::LedgerRead(spec, outcome) => ledger::read(model, &spec, outcome),
        Msg::Signalled(signal) => cancel::signalled(model, signal),
        Msg::KeyPainted(us) => navigation::key_painted(model, us),
        Msg::Approved(outcome) => ask::approved(model, outcome),
        Msg::Noted(outcome) => ask::noted(model, outcome),
        Msg::Edited(outcome) => ask::edited(model, outcome),
    }
}

fn told(model: &mut Model, fact: Fact) -> Vec<Effect> {
    match fact {
        Fact::ServerChanged(status) => ask::server_changed(model, *status),
        Fact::MemoryChanged(status) => ask::memory_changed(model, status),
        Fact::PermissionAsked(request) => permission::asked(model, *request),
        Fact::AgentStarted { seat, kind, .. } => seats::started(model, &seat, kind),
    }
}

fn run_answered(model: &mut Model, id: &RunId, msg: RunMsg) -> Vec<Effect> {
    match msg {
        RunMsg::Found(found) => run::found(model, id, found),
        RunMsg::Opened(outcome) => run::opened(model, id, outcome),
        RunMsg::Held(at, outcome) => checkpoint::held(model, id, at, outcome),
        RunMsg::Guarded(stage, when, outcome) => checkpoint::guarded(model, id, (stage, when), outcome),
        RunMsg::Prepared(stage, outcome) => staging::prepared(model, id, stage, outcome),
        RunMsg::Committed(commit, outcome) => durable::committed(model, id, commit, outcome),
        RunMsg::TurnEnded(seat, kind, outcome) if seat.run == *id => seats::turn_ended(model, &seat, kind, outcome),
        // It is of another run than it came for.
        RunMsg::TurnEnded(..) => Vec::new(),
        RunMsg::Judged(stage, provisional, outcome) => verdict::judged(model, id, stage, provisional, outcome),
        RunMsg::CheckRan(citation, outcome) => settle::check_ran(model, id, citation, outcome),
        RunMsg::Tested(outcome) => land::tested(model, id, outcome),
        RunMsg::Cleared(outcome) => land::cleared(model, id, outcome),
        RunMsg::Landed(outcome) => land::landed(model, id, outcome),
        RunMsg::Published(stage, outcome) => verdict::published(model, id, stage, outcome),
        RunMsg::Adopted(outcome) => proposal::adopted(model, id, outcome),
        RunMsg::Mirrored(stage, outcome) => mirror::mirrored(model, id, stage, outcome),
        RunMsg::Dismissed(outcome) => cancel::dismissed(model, id, outcome),
        RunMsg::Uprooted(outcome) => ending::uprooted(model, id, outcome),
        RunMsg::Released(outcome) => ending::released(model, id, outcome),
    }
}

/// Tells whether a run waits for a person at a gate.
fn is_waiting(run: &super::model::Run) -> bool {
    matches!(run.phase, super::model::Phase::Waiting { .. })
}

/// Shows a line that tells what just happened.
fn notice(model: &mut Model, text: impl AsRef<str>) {
    model.notice = Some(Notice { text: Safe::line(text.as_ref()), bad: false, until: model.now.plus_ms(NOTICE_MS) });
}

/// Shows a line of bad news with what to do about it.
fn complain(model: &mut Model, failure: &crate::domain::failure::Failure) {
    let text = Safe::line(&format!("{failure} · {}", failure.hint()));
    model.notice = Some(Notice { text, bad: true, until: model.now.plus_ms(NOTICE_MS) });
}

/// Tells whether the repository has been read.
fn surveyed(model: &Model) -> Option<&crate::domain::overview::Overview> {
    match &model.survey {
        Load::Ready(survey) => Some(survey),
        Load::Loading(_) | Load::Failed(_) => None,
    }
}
