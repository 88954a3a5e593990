//! The face: one pure function from the model to a frame. The same model always gives the same screen.
//!
//! ```text
//! ┌──────────────────────────────────────────────────────────────┐
//! │  DEMO  …                        only in the demonstration    │ 1 row
//! │ where we are                      what it costs, how long    │ 1 row, more where a view says so
//! │┌ the view ──────────────────────────────────────────────────┐│
//! ││ home · spec · dashboard · transcript · verdict · conflict  ││
//! ││ · gate · proposal · merged texts · ledger · servers ·      ││ the rest
//! ││ permissions · trust · help                                 ││
//! │└────────────────────────────────────────────────────────────┘│
//! │ what just happened, else servers and key latency             │ 1 row, or the line being typed; 2 for a long notice
//! │ keys that work here, and nothing else               ? keys   │ 1 row
//! └──────────────────────────────────────────────────────────────┘
//! ```
//!
//! One region a file. Regions know places and words; [`theme`] alone knows colours. All foreign text comes as
//! [`crate::domain::safe::Safe`]. Nothing here may keep state, read a clock, or know tokio or crossterm.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::app::model::{Model, View};
use canvas::Canvas;
use theme::Theme;

mod candidates;
mod canvas;
mod claims;
mod conflict;
mod dashboard;
mod diff;
mod footer;
mod gate;
mod header;
mod help;
mod home;
mod ledger;
mod live;
mod machine;
mod merged;
mod overlay;
mod permissions;
mod preflight;
mod proposal;
mod seats;
mod servers;
mod small;
mod spec;
mod spinner;
mod status;
mod text;
pub mod theme;
mod transcript;
mod trust;
pub mod veil;
mod verdict;
mod why;

/// Draws the whole screen.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut canvas = Canvas::new(frame.buffer_mut(), Theme::of(model));
    if small::is_too_small(area) {
        small::draw(area, &mut canvas);
    } else {
        screen(model, area, &mut canvas);
    }
    if let Some(cursor) = canvas.finish() {
        frame.set_cursor_position(cursor);
    }
}

fn screen(model: &Model, area: Rect, canvas: &mut Canvas<'_>) {
    let told = status::rows(model, area);
    let status = Rect { y: area.bottom() - 1 - told, height: told, ..area };
    let keys = Rect { y: area.bottom() - 1, height: 1, ..area };
    let page = Rect { height: area.height - 1 - told, ..area };
    // A page of a transcript is as high as it was asked for: there the line of the demonstration is the header.
    let page = if model.boot.demo && !matches!(model.view(), View::Transcript(_)) {
        header::demo(Rect { height: 1, ..page }, canvas);
        canvas::below(page, 1)
    } else {
        page
    };
    match model.view() {
        View::Home { cursor } => home::draw(model, *cursor, page, canvas),
        View::Spec { spec, cursor } => spec::draw(model, spec, *cursor, page, canvas),
        View::Dashboard { run, cursor, pane, scroll } => {
            let at = dashboard::At { cursor: *cursor, pane: *pane, scroll: *scroll };
            dashboard::draw(model, run, at, page, canvas);
        }
        View::Transcript(transcript) => transcript::draw(model, transcript, page, canvas),
        View::Verdict { run, stage, cursor, all } => {
            verdict::draw(model, run, verdict::At { stage: *stage, cursor: *cursor, all: *all }, page, canvas);
        }
        View::Proposal(shown) => proposal::draw(model, shown, page, canvas),
        View::Gate(dialog) => gate::draw(model, dialog, page, canvas),
        View::Candidates { run, cursor, hunk, beside } => {
            candidates::draw(model, run, (*cursor, *hunk, *beside), page, canvas);
        }
        View::Conflict(conflict) => conflict::draw(model, conflict, page, canvas),
        View::Merged(texts) => merged::draw(model, texts, page, canvas),
        View::Ledger(ledger) => ledger::draw(model, ledger, page, canvas),
        View::Servers { cursor } => servers::draw(model, *cursor, page, canvas),
        View::Permissions { cursor, scroll } => permissions::draw(model, (*cursor, *scroll), page, canvas),
        View::Trust { scroll } => trust::draw(model, *scroll, page, canvas),
        View::Help { scroll } => help::draw(model, *scroll, page, canvas),
    }
    status::draw(model, status, canvas);
    footer::draw(model, keys, canvas);
    if let Some(over) = &model.overlay {
        overlay::draw(model, over, Rect { height: area.height - 1, ..area }, canvas);
    }
}
