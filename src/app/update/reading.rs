//! The transcript on screen: which page is asked for, following the end, searching.
//!
//! It must not know where transcripts are kept.

use std::sync::Arc;

use crate::app::effect::Effect;
use crate::app::model::{Load, Model, Transcript, View};
use crate::domain::failure::Failure;
use crate::domain::ids::RunId;
use crate::domain::transcript::{Anchor, Page, PageRequest};

/// Opens the transcript of the nth agent.
pub(super) fn open_transcript(model: &mut Model, run: &RunId, cursor: usize) -> Vec<Effect> {
    let Some(run) = model.runs.get(run) else { return Vec::new() };
    let Some(seat) = run.seats.get(cursor) else { return Vec::new() };
    let transcript = Transcript {
        seat: run.key(seat),
        page: Load::Loading(model.now),
        follow: true,
        top: 0,
        search: None,
        reading: false,
    };
    model.views.push(View::Transcript(transcript));
    read_page(model)
}

/// Asks for the visible page of the open transcript, unless one is on its way.
pub(super) fn read_page(model: &mut Model) -> Vec<Effect> {
    let (columns, rows) = model.size;
    let Some(View::Transcript(transcript)) = model.views.last_mut() else { return Vec::new() };
    if transcript.reading {
        return Vec::new();
    }
    transcript.reading = true;
    let from = if transcript.follow { Anchor::Tail } else { Anchor::Line(transcript.top) };
    // Two columns are the frame's; title, status and key line take four rows.
    let request = PageRequest {
        seat: transcript.seat.clone(),
        width: columns.saturating_sub(2),
        height: rows.saturating_sub(4),
        from,
        search: transcript.search.clone(),
    };
    vec![Effect::ReadPage(request)]
}

/// A page of the transcript arrived.
pub(super) fn page_read(model: &mut Model, page: Result<Arc<Page>, Failure>) -> Vec<Effect> {
    // Under the help, too, a page that was asked for has to arrive; that of a transcript closed meanwhile has not.
    let open =
        model.views.iter_mut().rev().find_map(|view| if let View::Transcript(t) = view { Some(t) } else { None });
    let is_its = |t: &&mut Transcript| page.as_ref().map_or(true, |page| page.seat == t.seat);
    let Some(transcript) = open.filter(is_its) else { return Vec::new() };
    transcript.reading = false;
    match page {
        Ok(page) => {
            if transcript.follow {
                transcript.top = page.first;
            }
            transcript.page = Load::Ready(page);
        }
        Err(failure) => transcript.page = Load::Failed(failure),
    }
    Vec::new()
}

/// New output: the open transcript is read again while its end is followed.
pub(super) fn follow(model: &mut Model) -> Vec<Effect> {
    let is_following = matches!(model.view(), View::Transcript(transcript) if transcript.follow);
    if is_following { read_page(model) } else { Vec::new() }
}

/// Follows the end, or stops to.
pub(super) fn toggle_follow(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Transcript(transcript)) = model.views.last_mut() {
        transcript.follow = !transcript.follow;
    }
    read_page(model)
}

/// Searches in the open transcript.
pub(super) fn search(model: &mut Model, text: String) -> Vec<Effect> {
    if let Some(View::Transcript(transcript)) = model.views.last_mut() {
        transcript.search = (!text.is_empty()).then_some(text);
        transcript.follow = false;
    }
    read_page(model)
}

/// Goes to the next match of the search.
pub(super) fn next_match(model: &mut Model) -> Vec<Effect> {
    if let Some(View::Transcript(transcript)) = model.views.last_mut()
        && let Load::Ready(page) = &transcript.page
    {
        let next = page.matches.iter().copied().find(|line| *line > transcript.top).or(page.matches.first().copied());
        if let Some(line) = next {
            transcript.top = line;
            transcript.follow = false;
        }
    }
    read_page(model)
}
