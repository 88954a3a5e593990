//! The agents of a run: one row each with what it is doing, and one for the host.
//!
//! ```text
//! ▸ ⠹ claude   opus-5    reading src/limiter.rs              02:41 of 10:00     18 kB
//!   ✔ codex    gpt-5     answered                            01:54              12 kB
//!   ◆ host     checks    looked up 14: 11 seen, 1 false
//! ```

use ratatui::layout::Rect;

use super::canvas::{Canvas, columns, nth};
use super::spinner;
use super::text::{self, bytes};
use super::theme::Ink;
use crate::app::model::{Model, Phase, Run, Seat, SeatState};
use crate::app::update::{charge, used_so_far};
use crate::domain::budget::{self, Charge};
use crate::domain::claim::lookup::Found;
use crate::domain::moment::clock;
use crate::domain::round::TURN_MS;
use crate::domain::run::TurnKind;
use crate::domain::safe::Safe;

/// What a row says about an agent.
struct Said {
    symbol: &'static str,
    ink: Ink,
    doing: String,
    time: String,
}

/// Returns how many rows the agents of a run would like: one each and the host's.
pub(super) fn rows(run: &Run) -> usize {
    run.seats.len().max(1) + 1 + usize::from(!left_out(run).is_empty())
}

/// Returns who was left out of a run that has been seated.
fn left_out(run: &Run) -> Vec<&str> {
    let without = run.without.iter().flatten().filter(|agent| run.seat(agent).is_none());
    if run.seats.is_empty() { Vec::new() } else { without.map(|agent| agent.as_str()).collect() }
}

/// Draws the agents.
pub(super) fn draw(model: &Model, run: &Run, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    if run.seats.is_empty() {
        canvas.put(area.x + 1, area.y, area.width.saturating_sub(2), &waiting(model, run), Ink::Plain);
        return;
    }
    let room = usize::from(area.height);
    let listed = if room >= rows(run) { run.seats.len() } else { room.saturating_sub(1).max(1).min(run.seats.len()) };
    let first = super::canvas::first_shown(cursor, listed, run.seats.len());
    let names =
        columns(run.seats.iter().map(|seat| text::width(seat.who.agent.as_str())).max().unwrap_or(6).clamp(6, 14));
    for (at, seat) in run.seats.iter().enumerate().skip(first).take(listed) {
        row(model, run, seat, at == cursor, names, nth(area, at - first), canvas);
    }
    let hidden = run.seats.len() - listed;
    let last = nth(area, listed);
    if hidden > 0 {
        canvas.put(last.x + 3, last.y, last.width.saturating_sub(4), &format!("… {hidden} more · j k"), Ink::Dim);
    } else if last.height > 0 {
        host(run, names, last, canvas);
        let (absent, row) = (left_out(run), nth(area, listed + 1));
        if !absent.is_empty() && row.height > 0 {
            let text = format!("left out by a person, not asked: {}", absent.join(", "));
            canvas.put(row.x + 3, row.y, row.width.saturating_sub(4), &text, Ink::Dim);
        }
    }
}

fn waiting(model: &Model, run: &Run) -> String {
    let since = clock(run.elapsed_ms(model.now));
    match &run.phase {
        Phase::Opening => format!("{} taking the lock of this spec {since} · Esc stops", spinner::frame(model)),
        Phase::Holding(gating) => {
            format!("{} holding the gates {} {since} · Esc stops", spinner::frame(model), gating.at.words())
        }
        Phase::Waiting { .. } => "a gate asks you · c answers, Esc stops".to_owned(),
        Phase::Guarding(when) => {
            let head = format!("{} guardrails {} {}", spinner::frame(model), when.word(), run.stage);
            format!("{head} {since} · Esc stops")
        }
        Phase::Preparing => format!("{} reading the spec, writing prompts {since} · Esc stops", spinner::frame(model)),
        Phase::Foreign(_) => format!("{} its owner is at work {since}", spinner::frame(model)),
        Phase::Testing { since: began, .. } => {
            let took = clock(model.now.since(*began));
            format!("{} building and testing what was picked {took} · Esc stops", spinner::frame(model))
        }
        Phase::Asking | Phase::Judging | Phase::Recording | Phase::Publishing | Phase::Stopping => since,
        Phase::Stopped | Phase::Decided | Phase::Failed(_) => format!("ended after {since}"),
    }
}

fn row(model: &Model, run: &Run, seat: &Seat, is_chosen: bool, names: u16, row: Rect, canvas: &mut Canvas<'_>) {
    let said = said(model, run, seat);
    if is_chosen {
        canvas.put(row.x + 1, row.y, 1, "▸", Ink::Accent);
    }
    canvas.put(row.x + 3, row.y, 1, said.symbol, said.ink);
    let mut x = row.x + 5;
    canvas.put(x, row.y, names, seat.who.agent.as_str(), Ink::Strong);
    x += names + 1;
    // In the demonstration the first line says it of all of them.
    if seat.who.scripted && !model.boot.demo {
        x += canvas.put(x, row.y, 9, "SCRIPTED ", Ink::Accent);
    } else if row.width >= 100 {
        let model_of = model.settings.agents.iter().find(|agent| agent.name == seat.who.agent);
        let label = model_of.and_then(|agent| agent.model.as_deref()).unwrap_or(seat.who.family.as_str());
        canvas.put(x, row.y, 12, &Safe::line(label).to_string(), Ink::Dim);
        x += 13;
    }
    let written = seat.wrote.or(seat.progress.as_ref().map(|progress| progress.bytes)).map(bytes).unwrap_or_default();
    let (written, size_wide) = sizes(model, run, seat, row.width, &written);
    let time_wide = if row.width >= 60 { 16 } else { 6 };
    let end = row.right().saturating_sub(1);
    let times = end.saturating_sub(time_wide + size_wide);
    let ink = if said.ink == Ink::Bad || said.ink == Ink::Warn { said.ink } else { Ink::Plain };
    canvas.put(x, row.y, times.saturating_sub(x + 1), &said.doing, ink);
    let time = if size_wide > 0 { said.time.as_str() } else { said.time.split(' ').next().unwrap_or_default() };
    canvas.put(times, row.y, time_wide, time, Ink::Plain);
    if size_wide > 0 {
        let start = end.saturating_sub(columns(text::width(&written)));
        canvas.put(start, row.y, size_wide, &written, Ink::Dim);
    }
    if is_chosen {
        canvas.choose(row);
    }
}

/// What stands at the end of a row: what the agent used and who pays for it, or how much it wrote where nobody of the
/// run said what it used; and the columns that this takes.
fn sizes(model: &Model, run: &Run, seat: &Seat, width: u16, written: &str) -> (String, u16) {
    if width < 60 {
        return (String::new(), 0);
    }
    let used = |seat: &Seat| used_so_far(model, run, &seat.who.agent);
    if run.seats.iter().all(|seat| used(seat).is_none()) {
        return (written.to_owned(), 8);
    }
    let mine = used(seat);
    let tokens = budget::tokens(mine.input_tokens + mine.output_tokens);
    let agent = model.settings.agents.iter().find(|agent| agent.name == seat.who.agent);
    let charged = agent.map(|agent| charge(model, agent));
    let paid = match (mine.cost_micro_usd, charged) {
        _ if mine.is_none() => String::new(),
        (Some(cost), _) => budget::dollars(cost),
        (None, Some(Charge::Plan)) => "plan".to_owned(),
        (None, Some(Charge::Unpriced | Charge::Told)) => "unpriced".to_owned(),
        (None, Some(Charge::Free | Charge::Priced(_)) | None) => String::new(),
    };
    let tokens = if mine.is_none() { String::new() } else { tokens };
    let unit = if mine.is_none() { "   " } else { "tok" };
    if width >= 100 { (format!("{tokens:>7} {unit} {paid:>8}"), 21) } else { (format!("{tokens:>6} {paid:>8}"), 16) }
}

fn said(model: &Model, run: &Run, seat: &Seat) -> Said {
    let limit = model.settings.agents.iter().find(|agent| agent.name == seat.who.agent).map(|a| a.timeouts.total_ms);
    let is_short = matches!(seat.state, SeatState::Asking(TurnKind::Round));
    let is_voting = is_short || matches!(seat.state, SeatState::Launching(TurnKind::Round));
    let limit = limit.map(|ms| if is_short { ms.min(TURN_MS) } else { ms });
    let since = seat.since.map(|since| model.now.since(since));
    let took = seat.took_ms.filter(|_| !is_voting);
    let elapsed = took.or(since).map(clock).unwrap_or_default();
    let of_limit = limit.map_or(elapsed.clone(), |ms| format!("{elapsed} of {}", clock(ms)));
    let (symbol, ink, doing, time) = match &seat.state {
        SeatState::Queued(_)
        | SeatState::Launching(_)
        | SeatState::Asking(_)
        | SeatState::Keeping
        | SeatState::Waiting { .. }
            if !run.phase.is_under_way() =>
        {
            ("·", Ink::Dim, "ended with the run, before it answered".to_owned(), elapsed)
        }
        // What moves in a run that is being stopped is being stopped.
        SeatState::Queued(_) | SeatState::Launching(_) | SeatState::Asking(_) | SeatState::Waiting { .. }
            if seat.stopped || run.stop.is_some() =>
        {
            (spinner::frame(model), Ink::Warn, "stopping …".to_owned(), elapsed)
        }
        SeatState::Queued(_) if seat.held_back.is_some() => {
            ("·", Ink::Dim, "waits: who is at work may use up the budget".to_owned(), elapsed)
        }
        SeatState::Queued(turn) => match model.limited(&seat.who.agent) {
            Some((shared, limit)) => {
                let (shared, told) = (Safe::line(&shared), &limit.told);
                let wait = clock(limit.until.since(model.now));
                ("◔", Ink::Warn, format!("starts in {wait} · {shared} is rate limited, as {told} was told"), elapsed)
            }
            None => ("·", Ink::Dim, format!("waits for a place beside its family{}", repair(*turn)), elapsed),
        },
        SeatState::Launching(turn) => {
            (spinner::frame(model), Ink::Accent, format!("starting{}", repair(*turn)), elapsed)
        }
        SeatState::Asking(_) if asks(model, run, seat) => {
            ("?", Ink::Warn, "asks permission · P answers".to_owned(), of_limit)
        }
        SeatState::Asking(turn) => {
            let words = seat.progress.as_ref().map(|p| p.doing.to_string()).filter(|words| !words.trim().is_empty());
            let doing = words.unwrap_or_else(|| match (turn, ballot(run)) {
                (TurnKind::Round, Some(items)) => format!("votes on {}, without names", text::count(items, "item")),
                (TurnKind::Draft | TurnKind::Repair, _) if seat.who.external => {
                    "asked through memory, answers elsewhere".to_owned()
                }
                (TurnKind::Round | TurnKind::Draft | TurnKind::Repair, _) => "asked, nothing written yet".to_owned(),
            });
            (spinner::frame(model), Ink::Accent, format!("{}{doing}", mending(*turn)), of_limit)
        }
        SeatState::Keeping => (spinner::frame(model), Ink::Accent, "answer is being kept".to_owned(), elapsed),
        SeatState::Waiting { until, why } => {
            let wait = clock(until.since(model.now));
            let why = Safe::line(&why.to_string());
            ("◔", Ink::Warn, format!("{why} · try {} in {wait}", seat.attempt + 1), elapsed)
        }
        SeatState::Answered => ("✔", Ink::Good, answered(run, seat), elapsed),
        SeatState::Failed(error) => {
            let hint = error.hint(seat.who.agent.as_str());
            ("✗", Ink::Bad, format!("{} · {}", Safe::line(&error.to_string()), Safe::line(&hint)), elapsed)
        }
    };
    Said { symbol, ink, doing, time }
}

/// Tells whether an agent waits for an answer of a person.
fn asks(model: &Model, run: &Run, seat: &Seat) -> bool {
    let key = run.key(seat);
    model.permissions.iter().any(|one| one.request.seat == key)
}

fn repair(turn: TurnKind) -> &'static str {
    match turn {
        TurnKind::Draft => "",
        TurnKind::Repair => ", to mend its answer",
        TurnKind::Round => ", for the ballot",
    }
}

fn mending(turn: TurnKind) -> &'static str {
    match turn {
        TurnKind::Draft => "",
        TurnKind::Repair => "mending its answer: ",
        TurnKind::Round => "ballot: ",
    }
}

/// How many items the ballot of the stage at hand has.
fn ballot(run: &Run) -> Option<usize> {
    run.rounds.get(&run.stage).map(|round| round.ballot.items.len())
}

/// What is known of an answer: how much was derived from it, and what of it is false.
fn answered(run: &Run, seat: &Seat) -> String {
    let round = run.rounds.get(&run.stage);
    if round.is_some_and(|round| !round.closed && round.answers.contains_key(&seat.who.agent)) {
        return "has voted on the ballot".to_owned();
    }
    if round.is_some_and(|round| !round.closed && round.silent.contains(&seat.who.agent)) {
        return "answered, silent on the ballot".to_owned();
    }
    // One that was not asked in this launch answered an earlier one.
    let word = if seat.since.is_none() { "kept from before" } else { "answered" };
    let Some(judgement) = &run.judgement else { return word.to_owned() };
    let claims = judgement.panel.agents.iter().find(|p| p.name == seat.who.agent).map_or(0, |p| p.claims.len());
    let phantoms = judgement.phantoms.iter().filter(|phantom| phantom.agent == seat.who.agent).count();
    let kept = if claims == 0 { word.to_owned() } else { format!("{word}: {}", text::count(claims, "claim")) };
    if phantoms > 0 { format!("{kept}, {phantoms} struck") } else { kept }
}

/// Draws what the host looked up and ran.
fn host(run: &Run, names: u16, row: Rect, canvas: &mut Canvas<'_>) {
    canvas.put(row.x + 3, row.y, 1, "◆", Ink::Accent);
    canvas.put(row.x + 5, row.y, names, "host", Ink::Strong);
    let x = row.x + 6 + names;
    canvas.put(x, row.y, row.right().saturating_sub(x + 1), &looked_up(run), Ink::Plain);
}

fn looked_up(run: &Run) -> String {
    if run.options.followed {
        let words = if run.phase.owner().is_some() { "looks up what is cited" } else { "looked up what was cited" };
        return format!("{words}, in the process that owns the run");
    }
    let Some(judgement) = &run.judgement else {
        return if !run.phase.is_under_way() {
            "nothing was looked up".to_owned()
        } else if run.judging > 0 {
            "looking up what the answers cite".to_owned()
        } else {
            "looks up what the answers cite, once there are some".to_owned()
        };
    };
    let (mut seen, mut ran, mut wrong, mut absent) = (0, 0, 0, 0);
    for found in judgement.lookups.values() {
        match found {
            Found::Seen { .. } => seen += 1,
            Found::Ran { passed: true, .. } => ran += 1,
            Found::Ran { passed: false, .. } | Found::False { .. } | Found::Outside => wrong += 1,
            Found::Absent => absent += 1,
        }
    }
    let parts = [(seen, "seen"), (ran, "ran"), (wrong, "false"), (absent, "not there yet")];
    let parts: Vec<String> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    let all = judgement.lookups.len();
    let still = if run.judging > 0 && run.phase.is_under_way() { ", more being looked up" } else { "" };
    if all == 0 {
        return format!("no citation to look up{still}");
    }
    format!("{} looked up: {}{still}", text::count(all, "citation"), parts.join(", "))
}
