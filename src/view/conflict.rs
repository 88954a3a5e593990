//! A conflict: both sides with their grounds, ways to settle it, the open place in the document, the reason.
//!
//! ```text
//!  Decide 1 of 2 · FR-003 counter store                        plan › 003-rate-limiter
//!  FR-003 (MUST) "counters correct within 1 % over 2 nodes"                 spec.md:31
//! ┌1 redis · claude ─────────────────────┬ 2 local · codex, gemini ──────────────────┐
//! ├Settle it by running something ───────┴───────────────────────────────────────────┤
//! ├plan.md, open now ────────────────────────────────────────────────────────────────┤
//! ├src/store.rs:88 ─────────────────────────────────── citation 1 of 3 · o open it ────┤
//! ├Your reason ──────────────────────────────────────────── goes into the record ──────┤
//! └──────────────────────────────────────────────────────────────────────────────────┘
//!  After this: 1 conflict left
//! ```

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, columns, nth, padded, share};
use super::claims::{self, Standing, said};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{header, overlay, spinner, why};
use crate::app::model::{Conflict, Model, Run};
use crate::app::update::{checkable, citations, open_claims};
use crate::domain::claim::lookup::{Citation, Found};
use crate::domain::consensus::{Judged, Label, Side};
use crate::domain::judgement::Judgement;
use crate::domain::moment::clock;
use crate::domain::safe::Safe;

/// Everything that a conflict's screen is drawn from.
struct Case<'m> {
    model: &'m Model,
    run: &'m Run,
    judgement: &'m Judgement,
    conflict: &'m Conflict,
    sides: &'m [Side],
    cited: Vec<(String, Citation, Option<Found>)>,
}

/// Draws a conflict.
pub(super) fn draw(model: &Model, conflict: &Conflict, area: Rect, canvas: &mut Canvas<'_>) {
    let found = model.runs.get(&conflict.run).and_then(|run| {
        let judgement = run.judgement.as_deref()?;
        Some((run, judgement, claims::find(judgement, &conflict.claim)?))
    });
    let Some((run, judgement, claim)) = found else {
        header::line(nth(area, 0), &header::trail(model, [plain("conflict")]), &[], canvas);
        canvas.pieces(padded(nth(area, 2)), &[dim("this claim is not open any more · Esc back")]);
        return;
    };
    let cited = citations(run, &conflict.claim);
    let case = Case { model, run, judgement, conflict, sides: &conflict.sides, cited };
    let open = open_claims(run);
    let used = head(&case, claim, &open, area, canvas);
    let has_after = area.height >= 20;
    let body = below(area, used);
    let body = if has_after { Rect { height: body.height.saturating_sub(1), ..body } } else { body };
    panes(&case, claim, body, canvas);
    if has_after {
        let left = open.iter().filter(|key| **key != conflict.claim).count();
        let after = if left == 0 {
            "After this: no conflict is left, and the stage is decided anew".to_owned()
        } else {
            format!("After this: {} left · ] next", text::count(left, "conflict"))
        };
        canvas.pieces(padded(nth(area, usize::from(area.height) - 1)), &[dim(after)]);
    }
}

/// Draws what is to be decided. Returns how many rows it took.
fn head(
    case: &Case<'_>,
    claim: &Judged,
    open: &[crate::domain::hash::Sha],
    area: Rect,
    canvas: &mut Canvas<'_>,
) -> usize {
    let nth_of = match open.iter().position(|key| key == &case.conflict.claim) {
        Some(at) => format!(" Decide {} of {} ", at + 1, open.len()),
        None => " Decided ".to_owned(),
    };
    let left = [piece(nth_of, Ink::BadgeWarn), strong(format!("  {}", claims::title(case.run, claim)))];
    let place = if area.width < 60 { String::new() } else { format!("{} › {}", case.conflict.stage, case.run.spec) };
    let mut right = vec![dim(place)];
    if area.width >= 116 {
        right.push(dim(" · nothing is final until the verdict is recorded"));
    }
    header::line(nth(area, 0), &left, &right, canvas);
    let Some(preparation) = &case.run.preparation else { return 1 };
    let spec = &preparation.spec;
    let Some(requirement) = spec.requirement(&claim.subject) else {
        let Some(topic) = preparation.agenda.iter().find(|topic| topic.id == claim.subject) else { return 1 };
        header::line(nth(area, 1), &[dim("Asked  "), plain(Safe::line(&topic.ask).to_string())], &[], canvas);
        return 2;
    };
    let file = spec.file.rsplit('/').next().unwrap_or(&spec.file);
    let words = format!(" \"{}\"", Safe::line(&requirement.text));
    let left = [strong(requirement.level.word()), plain(words)];
    let right = [dim(format!("{}:{}", Safe::line(file), requirement.line))];
    header::line(nth(area, 1), &left, &right, canvas);
    2
}

fn panes(case: &Case<'_>, claim: &Judged, area: Rect, canvas: &mut Canvas<'_>) {
    let document = open_place(case, claim);
    let selected = case.cited.get(case.conflict.citation);
    let some = |is: bool, n: usize| Want { least: if is { n } else { 0 }, best: if is { n } else { 0 } };
    let sides_rows = 4.min(usize::from(area.height).saturating_sub(5)).max(1);
    // In the order of importance: the sides, the reason, the check, the document, the citation.
    let wants = [
        Want { least: sides_rows, best: sides_rows },
        some(true, 1),
        some(true, 1),
        some(document.is_some(), document.as_ref().map_or(0, Vec::len)),
        some(selected.is_some(), 1),
    ];
    let heights = share(area.height, &wants, 0);
    let [two, reason, settle, plan, place] = heights.as_slice() else { return };
    let side_title = |at: usize| side_title(case, at);
    let typing = if case.conflict.typing { Ink::Accent } else { Ink::Plain };
    let cited_title = selected
        .map_or_else(String::new, |(agent, citation, _)| format!("{} · cited by {agent}", why::cited(citation)));
    let cited_note = format!("citation {} of {} · o open it", case.conflict.citation + 1, case.cited.len());
    let by = if case.model.boot.user.is_empty() { "the record" } else { case.model.boot.user.as_str() };
    let stack = [
        Pane { title: side_title(0), note: Vec::new(), rows: *two },
        Pane { title: vec![strong("Settle it by running something")], rows: *settle, ..Pane::default() },
        Pane { title: vec![strong(document_name(case))], rows: *plan, ..Pane::default() },
        Pane { title: vec![plain(cited_title)], note: vec![dim(cited_note)], rows: *place },
        Pane {
            title: vec![piece("Your reason", typing)],
            note: vec![dim(format!("goes into the record, signed {}", Safe::line(by)))],
            rows: *reason,
        },
    ];
    let places = canvas.stack(area, &stack);
    let [two, settle, plan, cite, reason] = places.as_slice() else { return };
    let hidden = case.sides.len().saturating_sub(2);
    let more = if hidden > 0 { vec![piece(format!("+ {hidden} more: cite or reject"), Ink::Warn)] } else { Vec::new() };
    let (left, right) = canvas.split(*two, two.width / 2, &side_title(1), &more);
    for (at, pane) in [left, right].into_iter().enumerate() {
        side(case, at, padded(pane), canvas);
    }
    canvas.pieces(padded(nth(*settle, 0)), &settled_by(case));
    for (at, line) in document.into_iter().flatten().enumerate() {
        canvas.pieces(padded(nth(*plan, at)), &line);
    }
    if let Some((_, _, found)) = selected {
        canvas.row(padded(nth(*cite, 0)), &[excerpt(found.as_ref())], &[why::found_word(found.as_ref())]);
    }
    if reason.height > 0 {
        write(case, padded(nth(*reason, 0)), canvas);
    }
}

fn side_title(case: &Case<'_>, at: usize) -> Vec<Piece<'static>> {
    let Some(side) = case.sides.get(at) else { return vec![dim("no other side")] };
    let agents: Vec<&str> = side.speakers.iter().map(|speaker| speaker.agent.as_str()).collect();
    let is_chosen = case.conflict.side == Some(at);
    let mark = if is_chosen { "● " } else { "" };
    let ink = if is_chosen { Ink::Good } else { Ink::Strong };
    vec![
        piece(mark, Ink::Good),
        piece(format!("{} ", at + 1), Ink::Accent),
        piece(said(&side.value, side.polarity), ink),
        dim(format!(" · {}", agents.join(", "))),
    ]
}

/// Draws one side: what its agents gave as grounds, and what the host found there.
fn side(case: &Case<'_>, at: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let Some(side) = case.sides.get(at) else { return };
    let room = usize::from(area.width);
    let mut lines: Vec<(Vec<Piece<'_>>, Vec<Piece<'_>>)> = Vec::new();
    let is_tall = area.height >= 8;
    if is_tall {
        let families: Vec<String> = side.speakers.iter().map(|s| format!("{} ({})", s.agent, s.family)).collect();
        lines.push((vec![dim(families.join(", "))], Vec::new()));
        lines.push(Default::default());
    }
    let mut cited_before = 0;
    for ground in case.judgement.grounds.iter().filter(|ground| ground.claim == case.conflict.claim) {
        let first = cited_before;
        cited_before += ground.cited.len();
        if !side.speakers.iter().any(|speaker| speaker.agent == ground.agent.as_str()) {
            continue;
        }
        let because = ground.because.as_str().trim();
        let words = text::wrap(because, room, if is_tall { 4 } else { 2 });
        lines.extend(words.into_iter().filter(|line| !line.is_empty()).map(|line| (vec![plain(line)], Vec::new())));
        for (n, (citation, found)) in ground.cited.iter().enumerate() {
            let is_selected = case.conflict.citation == first + n;
            let mark = if is_selected { piece("▸ ", Ink::Accent) } else { mark(found.as_ref()) };
            let ink = if is_selected { Ink::Strong } else { Ink::Plain };
            lines.push((vec![mark, piece(why::cited(citation), ink)], vec![why::found_word(found.as_ref())]));
        }
        if ground.cited.is_empty() {
            lines.push((vec![dim("○ no citation")], vec![dim("said")]));
        }
        if is_tall {
            lines.push(Default::default());
        }
    }
    for speaker in side.speakers.iter().filter(|s| {
        !case.judgement.grounds.iter().any(|g| g.claim == case.conflict.claim && g.agent.as_str() == s.agent)
    }) {
        let (word, ink) = claims::host(speaker.tier);
        lines.push((vec![dim(format!("○ {} gave no grounds", speaker.agent))], vec![piece(word, ink)]));
    }
    let height = usize::from(area.height);
    let shown = if lines.len() > height { height.saturating_sub(1) } else { lines.len() };
    for (at, (left, right)) in lines.iter().take(shown).enumerate() {
        canvas.row(nth(area, at), left, right);
    }
    if shown < lines.len() {
        canvas.pieces(nth(area, shown), &[dim(format!("… {} more", lines.len() - shown))]);
    }
}

fn mark(found: Option<&Found>) -> Piece<'static> {
    match found {
        Some(Found::Seen { .. } | Found::Ran { passed: true, .. }) => piece("● ", Ink::Good),
        Some(Found::False { .. } | Found::Outside | Found::Ran { passed: false, .. }) => piece("✗ ", Ink::Bad),
        Some(Found::Absent) | None => dim("○ "),
    }
}

fn excerpt(found: Option<&Found>) -> Piece<'static> {
    match found {
        Some(Found::Seen { excerpt, .. }) => plain(Safe::line(excerpt).to_string()),
        Some(Found::False { why }) => piece(Safe::line(why).to_string(), Ink::Bad),
        Some(Found::Absent) => dim("nothing is there yet: it may be something to be written"),
        Some(Found::Outside) => piece("it lies outside the repository: not looked at", Ink::Bad),
        Some(Found::Ran { passed, executed, exit, .. }) => {
            let how = exit.map_or_else(|| "by a signal".to_owned(), |code| format!("with exit {code}"));
            let word = if *passed { "passed" } else { "failed" };
            plain(format!("{word}: {} run, ended {how}", text::count(usize::try_from(*executed).unwrap_or(0), "test")))
        }
        None => dim("nobody has looked it up"),
    }
}

fn settled_by(case: &Case<'_>) -> Vec<Piece<'static>> {
    if let Some(since) = case.conflict.checking {
        let elapsed = clock(case.model.now.since(since));
        let text = format!(" running on a scratch copy {elapsed} · work goes on meanwhile");
        return vec![piece(spinner::frame(case.model), Ink::Accent), plain(text)];
    }
    match claims::find(case.judgement, &case.conflict.claim).map(|claim| Standing::of(case.judgement, claim)) {
        Some(Standing::Decided(waiver)) => {
            let text = format!("{}: nothing is left to run", claims::decided(waiver));
            return vec![piece("✔ ", Ink::Good), plain(text)];
        }
        Some(Standing::Labelled(Label::Proven)) => {
            return vec![piece("✔ ", Ink::Good), plain("proven by what was run")];
        }
        Some(Standing::Remark | Standing::Labelled(_)) | None => {}
    }
    match checkable(case.model) {
        Some((_, check)) => {
            vec![
                piece("t", Ink::Accent),
                plain(format!("  run {} on a scratch copy", why::cited(&check))),
                dim("   not run yet"),
            ]
        }
        None => vec![dim("no test that was cited can be run here: it is your call")],
    }
}

fn document_name(case: &Case<'_>) -> String {
    let path = case.judgement.documents.iter().find(|(path, _)| path.ends_with(".md")).map(|(path, _)| path.as_str());
    let name = path.and_then(|path| path.rsplit('/').next()).unwrap_or("document");
    format!("{}, open now", Safe::line(name))
}

/// Returns the place of the document that stands open because of this claim, and what is chosen for it.
fn open_place(case: &Case<'_>, claim: &Judged) -> Option<Vec<Vec<Piece<'static>>>> {
    let (_, body) = case.judgement.documents.iter().find(|(path, _)| path.ends_with(".md"))?;
    let line = body.lines().find(|line| line.contains("**OPEN**") && line.contains(&claim.subject))?;
    let mut lines =
        vec![vec![piece("- ", Ink::Bad), plain(Safe::line(line.trim().trim_start_matches("- ")).to_string())]];
    let chosen = case.conflict.side.and_then(|at| Some((at, case.sides.get(at)?)));
    lines.push(match chosen {
        Some((at, side)) => {
            let agents: Vec<&str> = side.speakers.iter().map(|speaker| speaker.agent.as_str()).collect();
            let others: usize =
                case.sides.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, side)| side.speakers.len()).sum();
            let text = format!(
                "{} ({}; your decision, {others} dissent)",
                said(&side.value, side.polarity),
                agents.join(", ")
            );
            vec![piece("+ ", Ink::Good), plain(text)]
        }
        None => vec![dim("  choose 1 or 2 to see what it becomes")],
    });
    Some(lines)
}

fn write(case: &Case<'_>, row: Rect, canvas: &mut Canvas<'_>) {
    let conflict = case.conflict;
    if conflict.typing {
        overlay::typed(row, &conflict.reason, canvas);
    } else if conflict.reason.text().is_empty() {
        canvas.pieces(row, &[piece("i", Ink::Accent), dim(" type why: an auditor reads it later")]);
    } else {
        let text = Safe::line(conflict.reason.text()).to_string();
        let wide = canvas.pieces(row, &[plain(text)]);
        canvas.put(row.x + wide.min(columns(usize::from(row.width))), row.y, 1, "", Ink::Plain);
    }
}
