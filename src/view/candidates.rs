//! The candidates of implement, best first: what the tests said of each; of the selected one what it changes; and where
//! it would go.
//!
//! ```text
//!  repo › 003-rate-limiter › implement › 3 candidates                       base 4f2c1d9
//! ┌Candidates ────────────────────────────────────────── each tested with all tests ┐
//! │           lines       files  yours   theirs  clippy  same result as             │
//! │ ▸ claude  +212 -31        4  18/18   7/7     ✔       codex · best                │
//! ├claude ─────────────────────────────────────────────────────────── hunk 2 of 9 ──┤
//! │ src/limiter.rs:40  FR-001 T004                               ☑ take from claude │
//! │ -    let mut c = self.map.entry(key).or_default();                              │
//! ├Then ────────────────────────────────────────────────────────────────────────────┤
//! │ Enter  branch dicast/003-rate-limiter, 1 commit, trailers Dicast-Run and …      │
//! └─────────────────────────────────────────────────────────────────────────────────┘
//! ```

use std::borrow::Cow;

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::diff::{self, Shown};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{header, spinner};
use crate::app::keymap::Action;
use crate::app::model::{Model, Phase, Run};
use crate::app::update::{BESIDE, can, patch, worth_keeping};
use crate::domain::candidate::{Candidate, Place, Share, Tried, branch};
use crate::domain::check::Asked;
use crate::domain::hunks::Hunk;
use crate::domain::ids::RunId;
use crate::domain::moment::clock;

/// From so many rows on, all that can be done is told.
const ROOMY: u16 = 16;

/// How much of a commit's hash is shown.
const SHORT: usize = 7;

/// Draws the page.
pub(super) fn draw(
    model: &Model,
    run: &RunId,
    (cursor, hunk, beside): (usize, usize, bool),
    area: Rect,
    canvas: &mut Canvas<'_>,
) {
    let found = model.runs.get(run).and_then(|run| Some((run, run.tried.as_ref()?)));
    let Some((run, tried)) = found else {
        header::line(nth(area, 0), &header::trail(model, [plain("no candidates")]), &[], canvas);
        return;
    };
    let counted = text::count(tried.candidates.len(), "candidate");
    let left = header::trail(model, [strong(run.spec.to_string()), plain("implement"), plain(counted)]);
    let base: String = tried.base.chars().take(SHORT).collect();
    let right = [dim(format!("base {base} · {}", whereabouts(model, run)))];
    header::line(nth(area, 0), &left, &right, canvas);
    let body = below(area, 1);
    let chosen = tried.candidates.get(cursor);
    let then = then(model, (run, tried), chosen);
    let shown = chosen.and_then(|candidate| patch(run, candidate));
    let count = shown.map_or(0, |patch| patch.diff.hunks().len());
    let title = chosen.map(|candidate| candidate.agent.to_string()).unwrap_or_default();
    let heights = share(
        body.height,
        &[
            Want { least: 2, best: tried.candidates.len() + 1 },
            Want { least: 3, best: usize::from(body.height) },
            Want { least: if body.height < ROOMY { 1 } else { then.len() }, best: then.len() },
        ],
        1,
    );
    let rows = |at: usize| heights.get(at).copied().unwrap_or_default();
    let of = if count == 0 { String::new() } else { format!("hunk {} of {count}", hunk + 1) };
    let places = canvas.stack(
        body,
        &[
            Pane { title: vec![strong("Candidates")], note: vec![dim("each ran all tests")], rows: rows(0) },
            Pane { title: vec![strong(title)], note: vec![dim(of)], rows: rows(1) },
            Pane { title: vec![strong("Then")], rows: rows(2), ..Pane::default() },
        ],
    );
    let place = |at: usize| places.get(at).copied().unwrap_or_default();
    table(tried, cursor, place(0), canvas);
    match shown.zip(chosen) {
        Some((patch, candidate)) => {
            let is_extra = |hunk: &Hunk| {
                let mut extras = candidate.extras.iter().flat_map(|extras| &extras.hunks);
                extras.any(|extra| extra.id == hunk.id)
            };
            let spec = run.preparation.as_ref().map(|preparation| &*preparation.spec);
            let asked = Asked::of(None, &spec.into_iter().collect::<Vec<_>>());
            let shown = Shown {
                diff: &patch.diff,
                first: hunk,
                is_taken: &|hunk| match &run.basket {
                    Some(basket) => basket.picks.has(&candidate.agent, &hunk.id),
                    None => !is_extra(hunk),
                },
                is_extra: &is_extra,
                whose: candidate.agent.as_str(),
                asked: &asked,
                beside: beside && model.size.0 >= BESIDE,
            };
            diff::draw(&shown, padded(place(1)), canvas);
        }
        None => {
            let words = "its diff is in the evidence of the run that made it (changes/)";
            canvas.pieces(nth(padded(place(1)), 0), &[dim(words)]);
        }
    }
    let last = padded(place(2));
    for (at, line) in then.iter().enumerate().take(usize::from(last.height)) {
        canvas.pieces(nth(last, at), line);
    }
}

/// Says where a candidate is now.
fn whereabouts(model: &Model, run: &Run) -> String {
    if let Phase::Testing { since, .. } = &run.phase {
        let took = clock(model.now.since(*since));
        return format!("{} building and testing what was picked {took}, Esc stops", spinner::frame(model));
    }
    match run.landing.as_ref().filter(|_| run.landed) {
        Some(landing) if landing.place == Place::Branch => format!("{} on {}", landing.agent, landing.branch),
        Some(landing) => format!("{} in your tree", landing.agent),
        None => "tree untouched".to_owned(),
    }
}

/// Columns from which every check that is no test has one of its own.
const WIDE: u16 = 110;

/// How many checks have a column where there is less room: what is red and left out is told beside it all the same.
const FEW: usize = 2;

/// Widest name of a check.
const NAME_MAX: usize = 10;

/// Returns the checks that have a column: those that are red somewhere come first.
fn checks(tried: &Tried, width: u16) -> Vec<&str> {
    let is_red = |name: &str| {
        let mut looks = tried.candidates.iter().flat_map(|one| &one.looks);
        looks.any(|look| look.name == name && !look.passed)
    };
    let mut names = tried.looks();
    names.sort_by_key(|name| !is_red(name));
    names.truncate(if width < WIDE { FEW } else { usize::MAX });
    names
}

fn table(tried: &Tried, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let candidates = &tried.candidates;
    let names = candidates.iter().map(|one| text::width(one.agent.as_str())).max().unwrap_or(0);
    let checks: Vec<(&str, Cow<'_, str>)> =
        checks(tried, area.width).into_iter().map(|name| (name, text::fit(name, NAME_MAX))).collect();
    // One row of many says more than what its columns are called.
    let has_head = area.height > 2;
    if has_head {
        let mut head = format!("   {:<names$}  {:<11} files  {:<7} {:<7} ", "", "lines", "yours", "theirs");
        checks.iter().for_each(|(_, name)| head.push_str(&format!("{name}  ")));
        canvas.pieces(nth(area, 0), &[dim(head + "same result as")]);
    }
    let list = below(area, usize::from(has_head));
    let shown = usize::from(list.height);
    let first = first_shown(cursor, shown, candidates.len());
    for (row, (at, one)) in candidates.iter().enumerate().skip(first).take(shown).enumerate() {
        let line = nth(list, row);
        let is_chosen = at == cursor;
        let (words, ink) = standing(one, at == 0);
        let mut pieces = vec![
            piece(if is_chosen { " ▸ " } else { "   " }, Ink::Accent),
            strong(format!("{:<names$}", one.agent.as_str())),
            plain(format!("  {:>5} {:<5}", format!("+{}", one.added), format!("-{}", one.removed))),
            dim(format!(" {:>5}  ", one.files)),
            plain(format!("{:<7} {:<7} ", shared(one.yours), shared(one.theirs))),
        ];
        for (name, head) in &checks {
            let room = text::width(head).saturating_sub(1);
            // Several may have one short name: one that is red is what matters.
            let looks = one.looks.iter().filter(|look| look.name == *name);
            let (sign, ink) = match looks.map(|look| look.passed).reduce(|all, passed| all && passed) {
                Some(true) => ("✔", Ink::Good),
                Some(false) => ("✗", Ink::Bad),
                None => ("–", Ink::Dim),
            };
            pieces.extend([piece(sign, ink), plain(" ".repeat(room + 2))]);
        }
        pieces.push(piece(words, ink));
        canvas.pieces(line, &pieces);
        if is_chosen {
            canvas.choose(line);
        }
    }
}

fn shared(share: Share) -> String {
    if share.of == 0 { "–".to_owned() } else { format!("{}/{}", share.passed, share.of) }
}

fn standing(one: &Candidate, is_first: bool) -> (String, Ink) {
    if let Some(why) = &one.out {
        return (format!("✗ out: {why}"), Ink::Bad);
    }
    let alike: Vec<&str> = one.alike.iter().map(|agent| agent.as_str()).collect();
    let alike = alike.join(", ");
    match (is_first, alike.is_empty()) {
        (true, true) => ("best".to_owned(), Ink::Good),
        (true, false) => (format!("{alike} · best"), Ink::Good),
        (false, true) => ("a result of its own".to_owned(), Ink::Dim),
        (false, false) => (alike, Ink::Plain),
    }
}

/// Says what would be taken, where that is not what was tried, and what nobody asked for.
fn portion((run, tried): (&Run, &Tried), candidate: &Candidate) -> Option<Vec<Piece<'static>>> {
    let Some(basket) = &run.basket else {
        let extras = candidate.extras.as_ref()?;
        let fate = if extras.needed { "its tests are red without: Space takes it" } else { "left out" };
        return Some(vec![piece("nobody asked for ", Ink::Warn), plain(format!("{}: {fate}", extras.named()))]);
    };
    let of = |one: &Candidate| {
        let taken = basket.picks.0.get(&one.agent).filter(|taken| !taken.is_empty())?;
        let all = patch(run, one).map_or(taken.len(), |patch| patch.diff.hunks().len());
        Some(format!("{} of {}", diff::counted(taken.len(), all), one.agent))
    };
    let taken: Vec<String> = tried.candidates.iter().filter_map(of).collect();
    let words = if taken.is_empty() { "nothing".to_owned() } else { taken.join(", ") };
    Some(vec![piece("picked ", Ink::Accent), plain(format!("{words}, built and tested again before it lands"))])
}

/// Says how many tests of the others pass on a candidate, too, and whether they can be kept.
fn keeping(model: &Model, candidate: &Candidate) -> Option<Vec<Piece<'static>>> {
    let (count, can_be_kept) = worth_keeping(model, candidate);
    let mut line = vec![plain(format!("tests that others wrote and that pass on it, too: {count}"))];
    if can_be_kept {
        line.extend([plain(" (worth keeping: "), piece("m", Ink::Accent), plain(")")]);
    }
    (count > 0).then_some(line)
}

fn then(model: &Model, (run, tried): (&Run, &Tried), chosen: Option<&Candidate>) -> Vec<Vec<Piece<'static>>> {
    let landed = run.landing.as_ref().filter(|_| run.landed);
    match landed {
        Some(landing) if landing.place == Place::Branch => vec![
            vec![plain(format!("git switch {}", landing.branch)), dim("  then validate it: p")],
            vec![piece("u", Ink::Accent), plain("  deletes the branch again, unless something came after it")],
        ],
        Some(_) => vec![
            vec![plain("it is in your working copy, not committed"), dim("  then validate it: p")],
            vec![piece("u", Ink::Accent), plain("  takes it out again, unless you changed it since")],
        ],
        None if !can(model, Action::IntoTree) => {
            vec![vec![dim("it cannot be taken: it is out, or the verdict lets none pass")]]
        }
        None => {
            let ways = [
                vec![
                    piece("Enter", Ink::Accent),
                    plain(format!("  branch {}, 1 commit, trailers Dicast-Run and Dicast-Verdict", branch(&run.spec))),
                ],
                vec![piece("W", Ink::Accent), plain("      into your working copy, not committed; u takes it back")],
            ];
            let kept = chosen.and_then(|chosen| keeping(model, chosen));
            ways.into_iter().chain(kept).chain(chosen.and_then(|chosen| portion((run, tried), chosen))).collect()
        }
    }
}
