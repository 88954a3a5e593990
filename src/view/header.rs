//! The first lines: where we are, how long it takes, and that a demonstration is one.

use ratatui::layout::Rect;

use super::canvas::{Canvas, padded};
use super::spinner;
use super::text::{Piece, dim, piece, plain, strong};
use super::theme::Ink;
use crate::app::model::{Model, Phase, Run};
use crate::domain::moment::clock;
use crate::domain::safe::Safe;
use crate::domain::stage::Stage;

/// Says that this is a demonstration.
pub(super) fn demo(row: Rect, canvas: &mut Canvas<'_>) {
    let line = [piece(" DEMO ", Ink::BadgeNote), strong(" agents are SCRIPTED, everything else is live")];
    canvas.pieces(padded(row), &line);
}

/// Draws a header of one row.
pub(super) fn line(row: Rect, left: &[Piece<'_>], right: &[Piece<'_>], canvas: &mut Canvas<'_>) {
    canvas.row(padded(row), left, right);
}

/// Returns where we are, from the repository to a name in it.
pub(super) fn trail<'t>(model: &Model, rest: impl IntoIterator<Item = Piece<'t>>) -> Vec<Piece<'t>> {
    let mut pieces = vec![strong(Safe::line(&model.boot.repo).to_string())];
    for part in rest {
        pieces.push(dim(" › "));
        pieces.push(part);
    }
    pieces
}

/// Returns how a run stands, in words: what it waits for, and since when; who stopped it where there is room for it.
pub(super) fn phase(model: &Model, run: &Run, width: u16) -> Vec<Piece<'static>> {
    let elapsed = clock(run.elapsed_ms(model.now));
    let spin = |text: String| vec![piece(spinner::frame(model), Ink::Accent), plain(format!(" {text}"))];
    if let Some(stop) = run.stop.as_ref().filter(|_| run.phase.is_live()) {
        let since = clock(model.now.since(stop.since));
        let how = if stop.killed { "killing" } else { "stopping" };
        let ink = if stop.killed { Ink::BadgeBad } else { Ink::BadgeWarn };
        let by = if width < 60 { String::new() } else { format!(" (by {})", Safe::line(&stop.by)) };
        return vec![piece(format!(" {how} … "), ink), plain(format!(" {since}{by}"))];
    }
    match &run.phase {
        Phase::Opening => spin(format!("taking the lock {elapsed}")),
        Phase::Holding(gating) => spin(format!("gates {} {elapsed}", gating.at.words())),
        Phase::Waiting { since, .. } => {
            let waits = clock(model.now.since(*since));
            vec![piece(" YOUR CALL ", Ink::BadgeWarn), plain(format!(" a gate waits for you {waits}"))]
        }
        Phase::Guarding(when) => spin(format!("guardrails {} {} {elapsed}", when.word(), run.stage)),
        Phase::Preparing => spin(format!("reading inputs {elapsed}")),
        Phase::Asking if run.rounds.get(&run.stage).is_some_and(|round| !round.closed) => {
            spin(format!("the round {elapsed}"))
        }
        Phase::Asking => spin(format!("asking {elapsed}")),
        Phase::Judging => spin(format!("deciding {elapsed}")),
        Phase::Recording => spin(format!("recording {elapsed}")),
        Phase::Testing { since, .. } => spin(format!("testing what was picked {}", clock(model.now.since(*since)))),
        Phase::Publishing => spin(format!("publishing {elapsed}")),
        Phase::Stopping => vec![piece(" stopping … ", Ink::BadgeWarn)],
        Phase::Foreign(owner) => spin(format!("pid {} {elapsed}", owner.pid)),
        Phase::Stopped => vec![piece("stopped", Ink::Warn), plain(format!(" after {elapsed}"))],
        // Deciding anew takes no time worth showing, and the agents' time stands in their rows.
        Phase::Decided if run.options.reopened => vec![piece("decided anew", Ink::Good)],
        Phase::Decided => vec![piece("decided", Ink::Good), plain(format!(" in {elapsed}"))],
        Phase::Failed(_) => vec![piece("failed", Ink::Bad), plain(format!(" after {elapsed}"))],
    }
}

/// Returns the symbol and ink of a stage in a run.
pub(super) fn mark(run: &Run, stage: Stage) -> (&'static str, Ink) {
    match run.verdicts.get(&stage) {
        Some(judgement) if judgement.verdict.is_advancing() => ("✔", Ink::Good),
        Some(_) => ("!", Ink::Warn),
        None if run.stage == stage && run.phase.is_under_way() => ("◐", Ink::Accent),
        None => ("·", Ink::Dim),
    }
}

/// Returns the strip of all stages: `plan ◐ ── tasks · ── …`.
pub(super) fn stages(run: &Run) -> Vec<Piece<'static>> {
    let mut pieces = Vec::new();
    let drafted = run.stages.contains(&Stage::Specify).then_some(Stage::Specify);
    for stage in drafted.into_iter().chain(Stage::ALL) {
        if !pieces.is_empty() {
            pieces.push(piece(" ── ", Ink::Frame));
        }
        let (symbol, ink) = mark(run, stage);
        let name = if run.stages.contains(&stage) { Ink::Plain } else { Ink::Dim };
        let name = if stage == run.stage { Ink::Strong } else { name };
        pieces.push(piece(stage.name(), name));
        if let Some(back) = run.back.as_ref().filter(|_| stage == Stage::Implement) {
            pieces.push(piece(format!(" ({})", back.named()), Ink::Warn));
        }
        pieces.push(piece(format!(" {symbol}"), ink));
    }
    pieces
}
