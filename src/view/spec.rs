//! One spec: what the rules found, what it demands and where that leads, how far its stages are.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::home::found_line;
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{claims, header, spinner};
use crate::app::model::{Load, Model};
use crate::domain::check::Tally;
use crate::domain::ids::SpecId;
use crate::domain::moment::clock;
use crate::domain::overview::SpecOverview;
use crate::domain::safe::Safe;
use crate::domain::spec::Level;
use crate::domain::stage::Stage;

/// Draws a spec.
pub(super) fn draw(model: &Model, id: &SpecId, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let found = model.survey.ready().and_then(|overview| overview.spec(id));
    let Some(found) = found else {
        header::line(nth(area, 0), &header::trail(model, [strong(id.to_string())]), &[], canvas);
        let line = match &model.survey {
            Load::Loading(since) => {
                let waits = clock(model.now.since(*since));
                vec![
                    piece(spinner::frame(model), Ink::Accent),
                    plain(format!(" reading the repository {waits} · Esc back")),
                ]
            }
            Load::Failed(failure) => {
                vec![
                    piece("✗ ", Ink::Bad),
                    plain(format!("{} · {}", Safe::line(&failure.to_string()), Safe::line(&failure.hint()))),
                ]
            }
            Load::Ready(_) => vec![dim("this spec is not in the repository any more · Esc back")],
        };
        canvas.pieces(padded(nth(area, 2)), &line);
        return;
    };
    let title = found.survey.title.as_str();
    let left = header::trail(model, [strong(id.to_string())]);
    header::line(nth(area, 0), &left, &[dim(text::fit(title, usize::from(area.width / 2)))], canvas);
    let body = below(area, 1);
    let findings = found.findings.len();
    let wants = [
        Want { least: 3, best: (findings.max(1) + 1).min(usize::from(body.height) / 2) },
        Want { least: 1, best: 1 },
        Want { least: 3, best: found.spec.requirements.len().max(1) },
    ];
    let heights = share(body.height, &wants, 2);
    let must = found.survey.musts;
    let demands = format!("{}, {must} MUST", text::count(found.spec.requirements.len(), "requirement"));
    let stack = [
        Pane {
            title: vec![strong("Found by rules")],
            note: vec![dim(Tally::of(&found.findings).words())],
            rows: heights[0],
        },
        Pane { title: vec![strong("Requirements")], note: vec![dim(demands)], rows: heights[2] },
        Pane {
            title: vec![strong("Stages")],
            note: vec![dim(Safe::line(&found.spec.file).to_string())],
            rows: heights[1],
        },
    ];
    let places = canvas.stack(body, &stack);
    let [list, requirements, stages] = places.as_slice() else { return };
    if list.height > 0 {
        findings_list(found, cursor, *list, canvas);
    }
    if requirements.height > 0 {
        demanded(found, *requirements, canvas);
    }
    canvas.pieces(padded(nth(*stages, 0)), &strip(model, found));
}

fn findings_list(found: &SpecOverview, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    if found.findings.is_empty() {
        canvas.pieces(
            padded(nth(area, 0)),
            &[piece("✔ ", Ink::Good), plain("nothing: no warning, no hole, no false tick")],
        );
        return;
    }
    let cursor = cursor.min(found.findings.len() - 1);
    // Below the selected one stands what would clear it.
    let room = usize::from(area.height).saturating_sub(1).max(1);
    let is_cut = found.findings.len() > room;
    let shown = if is_cut { room.saturating_sub(1).max(1) } else { found.findings.len() };
    let first = first_shown(cursor, shown, found.findings.len());
    let mut at = 0;
    for (n, finding) in found.findings.iter().enumerate().skip(first).take(shown) {
        let row = nth(area, at);
        let mut line = vec![piece(if n == cursor { " ▸ " } else { "   " }, Ink::Accent)];
        line.extend(found_line(finding));
        let file = finding.place.file.rsplit('/').next().unwrap_or_default();
        let place = format!("{}:{} ", Safe::line(file), finding.place.line);
        canvas.row(row, &line, &[dim(place)]);
        if n == cursor {
            canvas.choose(row);
            at += 1;
            canvas.pieces(nth(area, at), &[dim("       clear it: "), dim(finding.clear.as_str())]);
        }
        at += 1;
    }
    if is_cut {
        let row = nth(area, at);
        canvas.put(
            row.x + 5,
            row.y,
            row.width.saturating_sub(6),
            &format!("… {} more", found.findings.len() - shown),
            Ink::Dim,
        );
    }
}

/// Draws what the spec demands, with what leads from each demand to code.
fn demanded(found: &SpecOverview, area: Rect, canvas: &mut Canvas<'_>) {
    let all = &found.spec.requirements;
    if all.is_empty() {
        canvas.pieces(
            padded(nth(area, 0)),
            &[piece("it demands nothing: ", Ink::Warn), plain("add a line such as - **FR-001**: The system MUST …")],
        );
        return;
    }
    let room = usize::from(area.height);
    let shown = if all.len() > room { room.saturating_sub(1) } else { all.len() };
    let ids = all.iter().take(shown).map(|r| text::width(&r.id)).max().unwrap_or(6).min(12);
    for (at, requirement) in all.iter().take(shown).enumerate() {
        let id = Safe::line(&requirement.id).to_string();
        let id = text::fit(&id, ids);
        let gap = " ".repeat(ids + 1 - text::width(&id));
        let level = match requirement.level {
            Level::Must => plain("MUST   "),
            Level::Should => dim("SHOULD "),
            Level::May => dim("MAY    "),
        };
        let words = Safe::line(claims::without_modal(&requirement.text).trim_end_matches('.')).to_string();
        let left = [strong(format!("{id}{gap}")), level, plain(words)];
        canvas.row(padded(nth(area, at)), &left, &traced(found, &requirement.id));
    }
    if shown < all.len() {
        canvas.pieces(padded(nth(area, shown)), &[dim(format!("… {} more", all.len() - shown))]);
    }
}

fn traced(found: &SpecOverview, id: &str) -> Vec<Piece<'static>> {
    let Some(trace) = found.survey.traces.iter().find(|trace| trace.requirement == id) else { return Vec::new() };
    let part = |n: usize, word: &'static str| {
        let ink = if n == 0 { Ink::Dim } else { Ink::Good };
        piece(format!("{}{word} ", if n == 0 { "–" } else { "●" }), ink)
    };
    vec![part(trace.tasks.len(), "task"), part(trace.tests.len(), "test"), part(trace.code.len(), "code")]
}

/// Returns the stages with what is recorded of each.
fn strip(model: &Model, found: &SpecOverview) -> Vec<Piece<'static>> {
    let mut pieces = Vec::new();
    if found.is_proposed {
        pieces.extend([plain(Stage::Specify.name()), piece(" a proposal waits", Ink::Warn)]);
    }
    for stage in Stage::ALL {
        if !pieces.is_empty() {
            pieces.push(piece(" ── ", Ink::Frame));
        }
        let run = model.runs.values().rev().find(|run| run.spec == found.spec.id);
        let here = run.map(|run| header::mark(run, stage)).filter(|(symbol, _)| *symbol != "·");
        let recorded = found.verdicts.get(&stage).map(|verdict| match (verdict.exit, verdict.is_current) {
            (0, true) => ("✔", Ink::Good),
            (0, false) => ("✔ stale", Ink::Warn),
            _ => ("!", Ink::Warn),
        });
        let (symbol, ink) = here.or(recorded).unwrap_or(("·", Ink::Dim));
        pieces.extend([plain(stage.name()), piece(format!(" {symbol}"), ink)]);
    }
    pieces
}
