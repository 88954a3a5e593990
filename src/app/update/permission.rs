//! Requests of agents for permission: which are answered by rule, which wait for a person, and for how long.
//!
//! It must not know how an answer reaches the agent. Each answer is on record before the agent hears it; each request gets
//! one, whatever becomes of its turn: with the end of a turn its agent's requests are cancelled, and leave the queue.

use super::durable::{Batch, commit};
use super::{notice, run as runs, seats};
use crate::app::effect::{Effect, RunEffect};
use crate::app::event::What;
use crate::app::model::{Model, Permission, SeatState, Then, View};
use crate::domain::acp::{Answer, OnPermission, Reach, Request, Weight};
use crate::domain::journal::Record;
use crate::domain::moment::clock;
use crate::domain::run::SeatKey;

/// How long a request waits for a person, in milliseconds: as long as reading a command and looking something up takes.
/// Its agent, and with it the panel, waits as long.
const PATIENCE_MS: u64 = 120_000;

/// Lines that a page key moves.
const PAGE: usize = 8;

/// Who answered.
enum By<'a> {
    /// A rule: which one.
    Rule(&'a str),
    /// A person: who.
    Person(&'a str),
}

/// An agent asks for permission.
pub(super) fn asked(model: &mut Model, request: Request) -> Vec<Effect> {
    let seat = request.seat.clone();
    let is_asking = seats::current(model, &seat).is_some_and(|seat| matches!(seat.state, SeatState::Asking(_)));
    if !is_asking {
        // Its turn is over: with that the request was cancelled.
        return Vec::new();
    }
    if let Some((said, rule)) = rule(model, &request) {
        return answer(model, &request, said, By::Rule(rule));
    }
    notice(model, format!("{} asks permission to {} · P", seat.agent, request.weight.words()));
    let (since, until) = (model.now, model.now.plus_ms(PATIENCE_MS));
    model.permissions.push(Permission { request, since, until });
    Vec::new()
}

/// Returns the rule by which a request is answered, if nobody is asked.
fn rule(model: &Model, request: &Request) -> Option<(Answer, &'static str)> {
    let agent = model.settings.agents.iter().find(|agent| agent.name == request.seat.agent);
    let manner = agent.and_then(|agent| agent.manner());
    let may_write = agent.is_some_and(|agent| agent.writes.contains(&request.seat.stage));
    match request.weight {
        Weight::SwitchMode => return Some((Answer::Reject, "it stays in its mode")),
        Weight::Change => return Some(changes(may_write, request)),
        Weight::Look | Weight::Run | Weight::Fetch | Weight::Other => {}
    }
    if manner.is_none_or(|manner| manner.on_permission == OnPermission::Reject) {
        return Some((Answer::Reject, "on_permission = \"reject\""));
    }
    model.boot.headless.then_some((Answer::Reject, "nobody can be asked here"))
}

/// Files are changed in the agent's own worktree, where it has one, and nowhere else, whoever says yes: the host takes
/// its diff from there, and what it is worth is seen then.
fn changes(may_write: bool, request: &Request) -> (Answer, &'static str) {
    match request.reach {
        _ if !may_write => (Answer::Reject, "agents only read"),
        Reach::Unknown => (Answer::Reject, "it does not say which files"),
        Reach::Outside => (Answer::Reject, "outside its worktree"),
        Reach::Inside if request.offers(Answer::Once) => (Answer::Once, "in its own worktree"),
        Reach::Inside => (Answer::Reject, "it offers no yes for one time"),
    }
}

/// Puts an answer on record; the agent hears it once it is there.
fn answer(model: &mut Model, request: &Request, answer: Answer, by: By<'_>) -> Vec<Effect> {
    let Request { seat, number, title, weight, .. } = request.clone();
    let (words, is_told) = match by {
        // What a rule grants is what an agent is there for: it is kept, and nobody is told of each.
        By::Rule(rule) => (format!("rule: {rule}"), answer == Answer::Reject),
        By::Person(name) => (name.to_owned(), true),
    };
    let what = What::permission(&seat.agent, weight, &title, answer, &words);
    let event = is_told.then(|| runs::emit(model, Some(&seat.run), what));
    let record = Record::PermissionAnswered {
        stage: seat.stage,
        agent: seat.agent.clone(),
        attempt: seat.attempt,
        title,
        weight,
        answer,
        by: words,
    };
    let run = seat.run.clone();
    let permit = Effect::Run(run.clone(), RunEffect::Permit { seat, number, answer });
    commit(model, &run, Batch::record(record), Then::Nothing, [permit].into_iter().chain(event).collect())
}

/// Time passed: nobody answered, or nobody is there any more who could.
pub(super) fn tick(model: &mut Model) -> Vec<Effect> {
    let (now, is_alone) = (model.now, model.boot.headless);
    let (late, waiting) =
        std::mem::take(&mut model.permissions).into_iter().partition::<Vec<_>, _>(|one| is_alone || one.until <= now);
    model.permissions = waiting;
    settle(model);
    let why = if is_alone {
        "nobody can be asked any more".to_owned()
    } else {
        format!("nobody answered within {}", clock(PATIENCE_MS))
    };
    late.iter().flat_map(|late| answer(model, &late.request, Answer::Reject, By::Rule(&why))).collect()
}

/// Takes requests out of the queue whose turn has ended, or is being ended: the agent hears that they are cancelled.
pub(super) fn withdraw(model: &mut Model, of: impl Fn(&SeatKey) -> bool) {
    model.permissions.retain(|one| !of(&one.request.seat));
    settle(model);
}

/// The queue is shorter: the selection stays in it, and an empty one is closed.
fn settle(model: &mut Model) {
    let count = model.permissions.len();
    if count == 0 {
        model.views.retain(|view| !matches!(view, View::Permissions { .. }));
    }
    for view in &mut model.views {
        if let View::Permissions { cursor, scroll } = view
            && *cursor >= count
        {
            (*cursor, *scroll) = (count.saturating_sub(1), 0);
        }
    }
}

fn selected(model: &Model) -> Option<&Permission> {
    let View::Permissions { cursor, .. } = model.view() else { return None };
    model.permissions.get(*cursor)
}

/// Tells whether the selected request can be answered so.
pub(super) fn takes(model: &Model, answer: Answer) -> bool {
    selected(model).is_some_and(|one| one.request.takes(answer))
}

/// Answers the selected request.
pub(super) fn decide(model: &mut Model, said: Answer) -> Vec<Effect> {
    let Some(request) = selected(model).map(|one| one.request.clone()).filter(|request| request.takes(said)) else {
        return Vec::new();
    };
    model.permissions.retain(|one| one.request != request);
    settle(model);
    if let Some(View::Permissions { scroll, .. }) = model.views.last_mut() {
        *scroll = 0;
    }
    notice(model, format!("{}: {} {}", request.seat.agent, request.title, said.words()));
    let by = if model.boot.user.is_empty() { "you".to_owned() } else { model.boot.user.clone() };
    answer(model, &request, said, By::Person(&by))
}

/// Scrolls the selected request; tells whether there is one.
pub(super) fn scroll(model: &mut Model, is_down: bool) -> bool {
    let Some(last) = selected(model).map(|one| one.request.body.len().saturating_sub(1)) else { return false };
    if let Some(View::Permissions { scroll, .. }) = model.views.last_mut() {
        *scroll = if is_down { (*scroll + PAGE).min(last) } else { scroll.saturating_sub(PAGE) };
    }
    true
}
