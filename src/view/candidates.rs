//! The candidates of implement, best first: what the tests said of each; of the selected one what it changes; and where
//! it would go.
//!
//! ```text
//!  repo › 003-rate-limiter › implement › 3 candidates                       base 4f2c1d9
//! ┌Candidates ────────────────────────────────────────── each tested with all tests ┐
//! │ ▸ claude  +212 -31   4 files  yours 18/18  theirs 7/7   best, same as codex     │
//! ├claude ─────────────────────────────────────────────────────────── hunk 2 of 9 ──┤
//! │ src/limiter.rs:40  FR-001 T004                               ☑ take from claude │
//! │ -    let mut c = self.map.entry(key).or_default();                              │
//! ├Then ────────────────────────────────────────────────────────────────────────────┤
//! │ Enter  branch dicast/003-rate-limiter, 1 commit, trailers Dicast-Run and …      │
//! └─────────────────────────────────────────────────────────────────────────────────┘
//! ```

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::diff::{self, Shown};
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use super::{header, spinner};
use crate::app::keymap::Action;
use crate::app::model::{Model, Phase, Run};
use crate::app::update::{BESIDE, can, patch};
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
            Want { least: 2, best: tried.candidates.len() },
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
    table(&tried.candidates, cursor, place(0), canvas);
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

fn table(candidates: &[Candidate], cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let names = candidates.iter().map(|one| text::width(one.agent.as_str())).max().unwrap_or(0);
    let shown = usize::from(area.height);
    let first = first_shown(cursor, shown, candidates.len());
    for (row, (at, one)) in candidates.iter().enumerate().skip(first).take(shown).enumerate() {
        let line = nth(area, row);
        let is_chosen = at == cursor;
        let (words, ink) = standing(one, at == 0);
        let left = [
            piece(if is_chosen { " ▸ " } else { "   " }, Ink::Accent),
            strong(format!("{:<names$}", one.agent.as_str())),
            plain(format!("  {:>5} {:<5}", format!("+{}", one.added), format!("-{}", one.removed))),
            dim(format!("{:>8}  ", text::count(usize::try_from(one.files).unwrap_or(usize::MAX), "file"))),
            plain(format!("yours {:<5} theirs {:<5} ", shared(one.yours), shared(one.theirs))),
            piece(words, ink),
        ];
        canvas.pieces(line, &left);
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
    let alike = if alike.is_empty() { String::new() } else { format!("same as {}", alike.join(", ")) };
    match (is_first, alike.is_empty()) {
        (true, true) => ("✔ best".to_owned(), Ink::Good),
        (true, false) => (format!("✔ best, {alike}"), Ink::Good),
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
            ways.into_iter().chain(chosen.and_then(|chosen| portion((run, tried), chosen))).collect()
        }
    }
}
