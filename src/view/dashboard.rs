//! A run: its agents, the verdict as it forms, what the selected agent writes.
//!
//! ```text
//!  payments-api › 003-rate-limiter                   run 7Q4F · ⠹ asking 02:41, at most 20:00
//!  plan ◐ ── tasks · ── …                                       base 4f2c1d9 · 2 of 4 answered
//! ┌1 Agents ────────────────────────────────────────────────────────────── 2 of 4 answered ┐
//! ├2 Verdict forming ──────────────────────────────────────────── MUST covered 5 of 6 ▮▮▮▮▮▯ ┤
//! ├3 claude › live ────────────────────────────────────────────────────────── Enter opens it ┤
//! └──────────────────────────────────────────────────────────────────────────────────────────┘
//! ```

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, nth, padded, share};
use super::claims::{self, Matrix, Standing};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{header, live, permissions, seats};
use crate::app::model::{Model, Phase, Run, SeatState};
use crate::app::update::{Ballot, ballot, rows, total};
use crate::domain::claim::{Severity, Tier};
use crate::domain::consensus::{Judged, Label};
use crate::domain::failure::{Failure, LockOwner};
use crate::domain::hash::Sha;
use crate::domain::ids::RunId;
use crate::domain::judgement::Judgement;
use crate::domain::moment::clock;
use crate::domain::range::Ends;
use crate::domain::safe::Safe;

/// Rows of a page from which the header gets its second line.
const TALL: u16 = 28;

/// Columns below which the header has room for one thing: how the run stands, or what waits for somebody.
const NARROW: u16 = 60;

/// Where the user is on the dashboard.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    pub(super) cursor: usize,
    pub(super) pane: u8,
    pub(super) scroll: usize,
}

/// Draws a run.
pub(super) fn draw(model: &Model, id: &RunId, at: At, area: Rect, canvas: &mut Canvas<'_>) {
    let Some(run) = model.runs.get(id) else {
        header::line(nth(area, 0), &header::trail(model, [plain("run")]), &[], canvas);
        canvas.pieces(padded(nth(area, 2)), &[plain(format!("run {} is not in this session", id.short()))]);
        return;
    };
    let mut body = head(model, run, area, canvas);
    let lines = outcome(model, run, area);
    for (line, place) in lines.iter().zip(0..) {
        canvas.pieces(padded(nth(body, place)), line);
    }
    body = below(body, lines.len());
    panes(model, run, at, body, canvas);
}

fn head(model: &Model, run: &Run, area: Rect, canvas: &mut Canvas<'_>) -> Rect {
    let mut right = header::phase(model, run, area.width);
    let asked = permission(model, run, area.width);
    let is_asked = !asked.is_empty();
    if is_asked && area.width < NARROW {
        right = asked;
    } else {
        right.splice(0..0, asked);
    }
    if area.width >= 100 {
        right.insert(0, dim(format!("run {} · ", run.id.short())));
    }
    // The time in which a person thinks is no deadline's.
    let is_counted = run.phase.is_live() && run.stop.is_none() && !matches!(run.phase, Phase::Waiting { .. });
    // Beside what waits for somebody there is room for it on a wide screen only.
    if is_counted && area.width >= if is_asked { 100 } else { NARROW } {
        right.push(dim(format!(" of at most {}", clock(model.settings.run.deadline_ms))));
    }
    let left = if area.width >= 100 {
        header::trail(model, [strong(run.spec.to_string())])
    } else {
        let (symbol, ink) = header::mark(run, run.stage);
        let step = run.stages.iter().position(|stage| *stage == run.stage).map_or(1, |i| i + 1);
        let of = format!(" {step}/{}", run.stages.len());
        let rest = vec![dim(" · "), plain(format!("{} ", run.stage)), piece(symbol, ink), dim(of)];
        let room = usize::from(area.width).saturating_sub(4 + text::width_of(&right) + text::width_of(&rest));
        let mut left = vec![strong(text::fit(run.spec.as_str(), room.max(6)).into_owned())];
        left.extend(rest);
        left.extend(aside(run, room, area));
        left
    };
    header::line(nth(area, 0), &left, &right, canvas);
    if area.height < TALL {
        return below(area, 1);
    }
    let commit = run.preparation.as_ref().and_then(|p| p.inputs.commit.as_deref());
    let base = audited(run).map(|range| format!("commits {range} · "));
    let base =
        base.or(commit.map(|commit| format!("base {} · ", Safe::line(text::fit(commit, 8).trim_end_matches('…')))));
    let base = dim(format!("{}{}", base.unwrap_or_default(), answered(run)));
    header::line(nth(area, 1), &header::stages(run), &[base], canvas);
    below(area, 2)
}

/// Tells on a low and narrow screen, where there is room beside the spec's name, what a second line tells elsewhere: the
/// commits that are audited, or that implement is done again.
fn aside(run: &Run, room: usize, area: Rect) -> Option<Piece<'static>> {
    if area.height >= TALL {
        return None;
    }
    let words = format!(" · {}", ends(run).map(|ends| ends.short()).or(run.back.as_ref().map(|back| back.named()))?);
    (room >= text::width_of(&[strong(run.spec.to_string()), dim(words.clone())])).then(|| dim(words))
}

/// The commits that are audited: of a run of another process, as its journal tells them.
fn ends(run: &Run) -> Option<Ends> {
    match &run.preparation {
        Some(preparation) => preparation.range.as_ref().map(|range| range.ends.clone()),
        None => run.range.as_deref().filter(|_| run.options.followed).and_then(Ends::read),
    }
}

/// The commits that are audited, in as many words as there is room for.
fn audited(run: &Run) -> Option<Safe> {
    let range = run.preparation.as_ref().and_then(|preparation| preparation.range.as_ref());
    let words = range.map(|range| range.in_words()).or_else(|| ends(run).map(|ends| ends.short()))?;
    Some(Safe::line(&words))
}

/// Says that agents of the run ask for permission: they wait for the answer.
fn permission(model: &Model, run: &Run, width: u16) -> Vec<Piece<'static>> {
    let count = model.permissions.iter().filter(|one| one.request.seat.run == run.id).count();
    if count == 0 {
        return Vec::new();
    }
    if width < NARROW {
        return vec![piece(format!(" {count} asks "), Ink::BadgeWarn)];
    }
    vec![piece(format!(" {} ", permissions::waiting(count)), Ink::BadgeWarn), plain(" ")]
}

fn answered(run: &Run) -> String {
    if run.seats.is_empty() {
        return String::new();
    }
    format!("{} of {} answered", run.answered(), run.seats.len())
}

/// Says how a run ended, what of it is kept, and what can be done.
fn outcome(model: &Model, run: &Run, area: Rect) -> Vec<Vec<Piece<'static>>> {
    let mut lines = Vec::new();
    match &run.phase {
        Phase::Failed(failure) => {
            lines.extend(failed(failure, area));
            lines.extend(guarded(model, run, area));
        }
        Phase::Stopped => lines.push(stopped(run)),
        Phase::Foreign(owner) => lines.push(foreign(owner, area)),
        Phase::Decided => lines.extend(run.judgement.iter().flat_map(|judgement| decided(model, run, judgement, area))),
        Phase::Waiting { .. } => lines.extend(asked(model, run)),
        Phase::Opening
        | Phase::Holding(_)
        | Phase::Guarding(_)
        | Phase::Preparing
        | Phase::Asking
        | Phase::Judging
        | Phase::Recording
        | Phase::Publishing
        | Phase::Testing { .. }
        | Phase::Stopping => {}
    }
    if run.survivors > 0 {
        let text = format!(
            " {} still there after the sweep: end them by hand ",
            text::count_as(run.survivors, "process", "processes")
        );
        lines.push(vec![piece(text, Ink::BadgeBad)]);
    }
    lines
}

/// Says what a gate asks, and how to answer.
fn asked(model: &Model, run: &Run) -> Vec<Vec<Piece<'static>>> {
    let Some(held) = model.gates.get(&run.spec) else { return Vec::new() };
    let count = held.critical().count();
    let head = piece(format!(" YOUR CALL {count} "), Ink::BadgeWarn);
    let first = held.critical().next().map(|issue| issue.ask.to_string()).unwrap_or_default();
    vec![
        vec![head, strong(format!("  {first}"))],
        vec![piece(" Next   ", Ink::Accent), plain("c answers it, or puts it off · Esc stops the run")],
    ]
}

/// How far what a command wrote stands to the right: below the words of the failure.
const INDENT: &str = "         ";

/// Shows what a failed guardrail wrote, and where the rest of it is.
fn guarded(model: &Model, run: &Run, area: Rect) -> Vec<Vec<Piece<'static>>> {
    let most = if area.height >= 18 { 8 } else { 3 };
    let red = run.guard.as_ref().and_then(|report| report.red());
    let lines = red.map(|ran| ran.lines.as_slice()).unwrap_or_default();
    let from = lines.len().saturating_sub(most);
    let told = lines[from..].iter().map(|line| vec![plain(INDENT), piece(line.to_string(), Ink::Bad)]);
    let log = red.and_then(|ran| ran.log.as_deref()).map(|log| {
        let words = format!("all of its output: {}/{}", model.settings.evidence.root, Safe::line(log));
        vec![plain(INDENT), dim(words)]
    });
    told.chain(log).collect()
}

/// Says what failed and what to do about it.
pub(super) fn failed(failure: &Failure, area: Rect) -> Vec<Vec<Piece<'static>>> {
    const HEAD: usize = 10;
    let most = if area.height >= 18 { 5 } else { 2 };
    let room = usize::from(area.width).saturating_sub(HEAD + 2);
    let mut lines = Vec::new();
    let what = Safe::line(&failure.to_string()).to_string();
    for (at, words) in text::wrap(&what, room, most).into_iter().enumerate() {
        let head = if at == 0 { piece(" FAILED ", Ink::BadgeBad) } else { plain("        ") };
        lines.push(vec![head, strong(format!("  {words}"))]);
    }
    let hint = Safe::line(&failure.hint()).to_string();
    for (at, words) in text::wrap(&hint, room, most).into_iter().enumerate() {
        let head = if at == 0 { piece(" Next   ", Ink::Accent) } else { plain("        ") };
        lines.push(vec![head, plain(format!("  {words}"))]);
    }
    lines
}

/// Says whose run it is, and what can be done about it from here.
fn foreign(owner: &LockOwner, area: Rect) -> Vec<Piece<'static>> {
    let words = if area.width >= 100 {
        format!("  pid {} on {} owns this run, its journal is followed · ", owner.pid, Safe::line(&owner.host))
    } else {
        format!("  pid {} owns this run · ", owner.pid)
    };
    vec![piece(" READ-ONLY ", Ink::BadgeNote), plain(words), piece("X", Ink::Accent), plain(" asks it to stop")]
}

fn stopped(run: &Run) -> Vec<Piece<'static>> {
    let kept: Vec<&str> = run.seats.iter().filter(|s| s.answer.is_some()).map(|s| s.who.agent.as_str()).collect();
    // Of nothing there is nothing to go on with.
    let (kept, again) = match kept.as_slice() {
        [] => ("nothing kept".to_owned(), " start again"),
        kept => (format!("kept {}", kept.join(", ")), " go on"),
    };
    let text = format!("  {} left · {kept} · ", text::count_as(run.survivors, "process", "processes"));
    let mut line = vec![piece(" STOPPED ", Ink::BadgeWarn), plain(text), piece("r", Ink::Accent), plain(again)];
    if again == " go on" {
        line.extend([plain("   "), piece("n", Ink::Accent), plain(" from scratch")]);
    }
    line
}

/// Says what the verdict is; why stands in a row of its own where it does not fit and there is one.
fn decided(model: &Model, run: &Run, judgement: &Judgement, area: Rect) -> Vec<Vec<Piece<'static>>> {
    let why = claims::in_words(run, &judgement.verdict.why());
    let hint = [piece("v", Ink::Accent), plain(" opens it")];
    let mut line = super::verdict::call(judgement, &model.boot.user);
    let needed = text::width_of(&line) + 5 + text::width(&why) + text::width_of(&hint) + 2;
    if needed <= usize::from(area.width) || area.height < 18 {
        line.push(plain(format!("  {why}   ")));
        line.extend(hint);
        return vec![line];
    }
    line.push(plain("   "));
    line.extend(hint);
    let rows = text::wrap(&why, usize::from(area.width).saturating_sub(4), 2);
    let rows = rows.into_iter().map(|row| vec![plain(format!("  {row}"))]);
    std::iter::once(line).chain(rows).collect()
}

fn panes(model: &Model, run: &Run, at: At, area: Rect, canvas: &mut Canvas<'_>) {
    let claims = run.judgement.as_ref().map_or(0, |judgement| judgement.verdict.claims.len());
    let asked = Want { least: 3, best: seats::rows(run) };
    let forming = Want { least: 3, best: (claims + 2).max(4).min(usize::from(area.height / 2)).max(3) };
    let wants = [asked, forming, Want { least: 3, best: 3 }];
    // Where only two panes fit, the focused one is among them.
    let wants = if area.height < 14 && at.pane == 3 { [asked, Want { least: 0, best: 0 }, wants[2]] } else { wants };
    let heights = share(area.height, &wants, 2);
    let name = |n: u8, text: String| {
        let ink = if at.pane == n { Ink::Accent } else { Ink::Dim };
        vec![piece(format!("{n} "), ink), if at.pane == n { strong(text) } else { plain(text) }]
    };
    let (title, note) = forming_titles(run);
    let live_note = match run.seats.get(at.cursor).map(|seat| &seat.state) {
        Some(SeatState::Asking(_)) if area.width >= 60 && run.phase.is_under_way() => {
            vec![dim("following · Enter opens the transcript")]
        }
        Some(_) | None => Vec::new(),
    };
    let stack = [
        Pane { title: name(1, "Agents".to_owned()), note: agents_note(model, run, area.width), rows: heights[0] },
        Pane { title: name(2, title.to_owned()), note, rows: heights[1] },
        Pane { title: name(3, live::title(run, at.cursor)), note: live_note, rows: heights[2] },
    ];
    let places = canvas.stack(area, &stack);
    let [agents, verdict, writes] = places.as_slice() else { return };
    if agents.height > 0 {
        seats::draw(model, run, at.cursor, *agents, canvas);
    }
    if verdict.height > 0 {
        form(model, run, at.scroll, *verdict, canvas);
    }
    if writes.height > 0 {
        live::draw(run, at.cursor, *writes, canvas);
    }
}

/// How many answered, and what it came to so far where there is room for it.
fn agents_note(model: &Model, run: &Run, width: u16) -> Vec<Piece<'static>> {
    let spent = total(model, run).filter(|_| width >= 60);
    let words = spent.map(|spent| if width >= 100 { spent.to_string() } else { spent.in_short() });
    words.map(|words| dim(format!("{words} · "))).into_iter().chain([dim(answered(run))]).collect()
}

fn forming_titles(run: &Run) -> (&'static str, Vec<Piece<'static>>) {
    let Some(judgement) = &run.judgement else { return ("Verdict forming", Vec::new()) };
    let title = if run.verdicts.contains_key(&run.stage) { "Verdict" } else { "Verdict forming" };
    let Some(coverage) = judgement.verdict.covered() else { return (title, Vec::new()) };
    let mut note = vec![plain(format!("MUST covered {} of {} ", coverage.covered, coverage.must))];
    note.extend(claims::bar(coverage.covered, coverage.must));
    (title, note)
}

/// Draws the claims in the order in which they want to be looked at.
fn form(model: &Model, run: &Run, scroll: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let Some(judgement) = &run.judgement else {
        let words = if run.phase.owner().is_some() {
            "forms in the process that owns the run; here it stands once it is recorded"
        } else if !run.phase.is_live() {
            "nothing was decided"
        } else if run.answered() > 0 {
            "the first answers are being compared"
        } else {
            "forms as answers arrive: what they agree on, where they differ, what is true of the code"
        };
        let inner = padded(area);
        for (at, line) in text::wrap(words, usize::from(inner.width), usize::from(inner.height)).iter().enumerate() {
            canvas.pieces(nth(inner, at), &[dim(&**line)]);
        }
        return;
    };
    let keys = rows(run, run.stage, false);
    let lines = entries(judgement, &keys);
    let scroll = scroll.min(lines.len().saturating_sub(1));
    let has_head = area.height > 3;
    let list = if has_head { below(area, 1) } else { area };
    let hidden = judgement.verdict.claims.len().saturating_sub(keys.len());
    let room = usize::from(list.height);
    let rest = lines.len() - scroll;
    let shown = if rest + usize::from(hidden > 0) > room { room.saturating_sub(1) } else { rest };
    let visible: &[Entry<'_>] = lines.get(scroll..scroll + shown.min(rest)).unwrap_or_default();
    let in_sight: Vec<Sha> = visible
        .iter()
        .filter_map(|entry| match entry {
            Entry::Claim(key) => Some((*key).clone()),
            Entry::Uncovered(_) => None,
        })
        .collect();
    let matrix = Matrix::new(run, judgement, area.width, if area.width >= 110 { 34 } else { 14 }, &in_sight);
    if has_head {
        matrix.head(nth(area, 0), if run.verdicts.contains_key(&run.stage) { "label" } else { "so far" }, canvas);
    }
    for (at, entry) in visible.iter().enumerate() {
        match entry {
            Entry::Claim(key) => {
                if let Some(claim) = matrix.claim(key) {
                    matrix.line(
                        nth(list, at),
                        claim,
                        false,
                        &amounts_to(model, run, judgement, claim, area.width >= 110),
                        canvas,
                    );
                }
            }
            Entry::Uncovered(id) => matrix.uncovered(nth(list, at), id, canvas),
        }
    }
    if rest - visible.len() + hidden > 0 {
        let seen = lines.iter().take(scroll + visible.len()).filter_map(|entry| match entry {
            Entry::Claim(key) => Some(*key),
            Entry::Uncovered(_) => None,
        });
        claims::more(list, visible.len(), &claims::hidden(judgement, &seen.collect::<BTreeSet<_>>()), canvas);
    } else if lines.is_empty() {
        canvas.pieces(
            padded(nth(list, 0)),
            &[dim(if run.verdicts.contains_key(&run.stage) {
                "nothing of weight was said"
            } else {
                "nothing of weight was said so far"
            })],
        );
    }
}

/// A line of the verdict as it forms.
enum Entry<'k> {
    Claim(&'k Sha),
    Uncovered(&'k str),
}

/// Returns the lines: what needs somebody, then what nobody covers, then the rest.
fn entries<'k>(judgement: &'k Judgement, keys: &'k [Sha]) -> Vec<Entry<'k>> {
    let is_urgent =
        |key: &Sha| claims::find(judgement, key).is_some_and(|c| c.label.attention() <= Label::Refuted.attention());
    let urgent = keys.partition_point(is_urgent);
    let (first, rest) = keys.split_at(urgent);
    let uncovered = judgement.verdict.covered().into_iter().flat_map(|coverage| &coverage.uncovered);
    let uncovered = uncovered.map(|id| Entry::Uncovered(id));
    first.iter().map(Entry::Claim).chain(uncovered).chain(rest.iter().map(Entry::Claim)).collect()
}

/// What a claim amounts to: so far as long as answers are out, else for good.
fn amounts_to(model: &Model, run: &Run, judgement: &Judgement, claim: &Judged, is_wide: bool) -> String {
    let is_final = run.verdicts.contains_key(&run.stage);
    let is_out = run.phase.is_live() && run.seats.iter().any(|seat| !seat.state.is_settled());
    let label = match Standing::of(judgement, claim) {
        Standing::Decided(waiver) => return claims::decided(waiver),
        Standing::Remark => return "differ (info)".to_owned(),
        Standing::Labelled(label) => label,
    };
    let only = || {
        let agents: Vec<&str> = claim.votes.iter().flat_map(|v| &v.agents).map(|a| a.as_str()).collect();
        format!("only {}", agents.join(", "))
    };
    let is_settled = judgement.settled.contains(&claim.key);
    let is_bare = matches!(claim.tier, Tier::E0 | Tier::E1);
    let ballot = ballot(model, run);
    let words = match label {
        Label::Conflict if ballot == Ballot::Open => ("differ: on the ballot", "on the ballot"),
        Label::Conflict if is_out && is_settled => ("differ: no answer still out can change that", "differ"),
        Label::Conflict if is_out => ("differ: another answer decides, or you do", "differ"),
        Label::Conflict => ("differ: yours to decide", "differ"),
        Label::Refuted => ("struck: looked up, and not so", "struck"),
        Label::Hollow => ("agreed, but nobody looked", "nobody looked"),
        Label::Single if is_wide && is_final => return only(),
        Label::Single if claim.severity < Severity::Minor && is_wide => return format!("{} so far", only()),
        Label::Single if is_wide => {
            return match ballot {
                Ballot::Ahead => format!("{}: goes on the ballot", only()),
                Ballot::Open => format!("{}: on the ballot", only()),
                Ballot::None => format!("{} so far", only()),
            };
        }
        Label::Single if claim.severity >= Severity::Minor && ballot == Ballot::Ahead => ("", "to the ballot"),
        Label::Single if claim.severity >= Severity::Minor && ballot == Ballot::Open => ("", "on the ballot"),
        Label::Single => ("one voice", "one voice"),
        Label::AgreedOver if is_out && is_settled => ("agreed over a dissent, can no longer change", "outvoted"),
        Label::AgreedOver => ("agreed over a dissent", "outvoted"),
        Label::Agreed if is_final && is_bare => ("agreed, nothing to look at", "agreed"),
        Label::Agreed if is_final => ("agreed", "agreed"),
        Label::Agreed if is_bare => ("agreed so far, nothing to look at", "so far"),
        Label::Agreed => ("agreed so far", "so far"),
        Label::Proven => ("the host ran it: it holds", "proven"),
    };
    (if is_wide { words.0 } else { words.1 }).to_owned()
}
