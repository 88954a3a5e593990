//! The MCP servers: state, latency, restarts; of the selected one its tools and last words.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Pane, Want, below, first_shown, nth, padded, share};
use super::text::{self, Piece, dim, millis, piece, plain, strong};
use super::theme::Ink;
use super::{header, status};
use crate::app::model::Model;
use crate::domain::moment::clock;
use crate::domain::safe::Safe;
use crate::domain::server::{State, Status};

/// Draws the servers.
pub(super) fn draw(model: &Model, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    let answers = model.servers.values().filter(|s| matches!(s.state, State::Ready | State::Degraded { .. })).count();
    let right = [dim(format!("{answers} of {} answer", model.servers.len()))];
    header::line(nth(area, 0), &header::trail(model, [strong("MCP servers")]), &right, canvas);
    let body = below(area, 1);
    let list_rows = model.servers.len().max(1) + 1;
    let list_rows = list_rows + usize::from(model.offers().next().is_some());
    let wants = [Want { least: 2, best: list_rows }, Want { least: 3, best: 14 }];
    let heights = share(body.height, &wants, 1);
    let selected = model.servers.values().nth(cursor.min(model.servers.len().saturating_sub(1)));
    let name = selected.map_or_else(String::new, |status| Safe::line(&status.name).to_string());
    let stack = [
        Pane { title: vec![strong("Servers")], note: vec![dim("nothing waits for a slow one")], rows: heights[0] },
        Pane { title: vec![strong(name)], rows: heights[1], ..Pane::default() },
    ];
    let places = canvas.stack(body, &stack);
    let [list, details] = places.as_slice() else { return };
    if model.servers.is_empty() {
        canvas.pieces(padded(nth(*list, 0)), &[dim("none is configured and none was started")]);
        canvas.pieces(padded(nth(*list, 1)), &[dim("add one under [mcp_servers.NAME] in .dicast/config.toml")]);
        return;
    }
    let mut list = *list;
    if let Some(line) = offered(model).filter(|_| list.height > 2) {
        canvas.pieces(padded(nth(list, usize::from(list.height - 1))), &[dim(line)]);
        list.height -= 1;
    }
    table(model, cursor, list, canvas);
    if let Some(status) = selected {
        for (at, line) in detail(model, status, usize::from(details.width)).iter().enumerate() {
            canvas.pieces(padded(nth(*details, at)), line);
        }
    }
}

/// Names what other programs offer.
fn offered(model: &Model) -> Option<String> {
    let names: Vec<String> = model.offers().map(|offer| Safe::line(&offer.name).to_string()).collect();
    (!names.is_empty()).then(|| format!("offered, not started: {} · a looks at them", names.join(", ")))
}

/// Columns of a row: name, state, since, calls, median and slowest, restarts.
const COLUMNS: [(&str, u16); 5] = [("state", 25), ("since", 7), ("calls", 7), ("p50 / p99", 17), ("starts", 7)];

/// Calls under way that are named; more of them have no room.
const RUNNING: usize = 2;

fn table(model: &Model, cursor: usize, area: Rect, canvas: &mut Canvas<'_>) {
    // Wide enough for the names that people give; a longer one is cut, and stands whole above its details.
    let names = 12;
    let mut x = area.x + 3;
    canvas.put(x, area.y, names, "name", Ink::Dim);
    x += names;
    for (title, width) in COLUMNS {
        canvas.put(x, area.y, area.right().saturating_sub(x).min(width - 1), title, Ink::Dim);
        x += width;
    }
    let list = below(area, 1);
    let shown = usize::from(list.height);
    let first = first_shown(cursor, shown, model.servers.len());
    for (at, status) in model.servers.values().enumerate().skip(first).take(shown) {
        let row = nth(list, at - first);
        if at == cursor {
            canvas.put(row.x + 1, row.y, 1, "▸", Ink::Accent);
        }
        let name = Safe::line(&status.name).to_string();
        canvas.put(row.x + 3, row.y, names - 1, &name, Ink::Strong);
        let (state, ink) = state(model, status);
        let latency = match status.latency_us {
            Some((p50, p99)) => format!("{} / {}", millis(p50), millis(p99)),
            None => "–".to_owned(),
        };
        let since = clock(model.now.since(status.since));
        let cells = [state, since, status.calls.to_string(), latency, (status.restarts + 1).to_string()];
        let mut x = row.x + 3 + names;
        for ((_, width), (cell, n)) in COLUMNS.iter().zip(cells.iter().zip(0..)) {
            let room = row.right().saturating_sub(x).min(width - 1);
            canvas.put(x, row.y, room, cell, if n == 0 { ink } else { Ink::Plain });
            x += width;
        }
        if at == cursor {
            canvas.choose(row);
        }
    }
}

fn state(model: &Model, status: &Status) -> (String, Ink) {
    match &status.state {
        State::Starting => ("◌ starting".to_owned(), Ink::Plain),
        State::Ready => ("● answers".to_owned(), Ink::Good),
        State::Degraded { .. } => ("● answers late".to_owned(), Ink::Warn),
        State::Lost { attempt, retry_at, .. } => {
            (format!("○ lost, start {} in {}", attempt + 1, clock(retry_at.since(model.now))), Ink::Warn)
        }
        State::Dead { .. } => ("✗ gone · r restart".to_owned(), Ink::Bad),
    }
}

/// What is known of the server as our memory.
fn memory<'m>(model: &Model) -> Vec<Vec<Piece<'m>>> {
    let waiting = match model.memory.waiting {
        0 => "nothing waits for it".to_owned(),
        1 => "1 copy waits on disk until it has it".to_owned(),
        n => format!("{n} copies wait on disk until it has them"),
    };
    let profile = model.settings.memory_profile.name();
    let mut lines = vec![vec![dim("memory     "), plain(format!("profile {profile} · {waiting}"))]];
    if let Some(trouble) = &model.memory.trouble {
        lines.push(vec![dim("           "), piece(trouble.to_string(), Ink::Warn)]);
    }
    lines
}

fn detail<'m>(model: &Model, status: &'m Status, width: usize) -> Vec<Vec<Piece<'m>>> {
    let mut lines = Vec::new();
    match &status.state {
        State::Degraded { why } | State::Lost { why, .. } | State::Dead { why } => {
            lines.push(vec![dim("why        "), piece(Safe::line(why).to_string(), Ink::Warn)]);
        }
        State::Starting if model.now.since(status.since) >= status::PATIENCE_MS => {
            lines.push(vec![dim("why        "), plain("it has not answered the handshake yet; nothing waits for it")]);
        }
        State::Starting | State::Ready => {}
    }
    for (at, call) in status.running.iter().enumerate().take(RUNNING) {
        let told = status.progress.as_ref().filter(|_| at == 0).map(|progress| format!(" · {progress}"));
        let since = clock(model.now.since(call.since));
        let text = format!("{} for {since}{}", Safe::line(&call.tool), told.unwrap_or_default());
        lines.push(vec![dim("running    "), plain(text)]);
    }
    if let Some(protocol) = &status.protocol {
        let who = status.identity.as_ref().map(|who| format!("{who} · ")).unwrap_or_default();
        lines.push(vec![dim("server     "), plain(format!("{who}protocol {}", Safe::line(protocol)))]);
    }
    if status.name == model.settings.memory.name() {
        lines.extend(memory(model));
    }
    if status.retries > 0 {
        lines.push(vec![dim("retries    "), plain(status.retries.to_string())]);
    }
    let tools: Vec<String> = status.tools.iter().map(|tool| Safe::line(tool).to_string()).collect();
    let tools = if tools.is_empty() { "none told yet".to_owned() } else { tools.join(", ") };
    for (at, line) in text::wrap(&tools, width.saturating_sub(13), 3).into_iter().enumerate() {
        lines.push(vec![dim(if at == 0 { "tools      " } else { "           " }), plain(line.into_owned())]);
    }
    let said: Vec<&Safe> =
        if status.tail.is_empty() { status.last_line.iter().collect() } else { status.tail.iter().collect() };
    if said.is_empty() {
        lines.push(vec![dim("last words "), dim("nothing on stderr so far")]);
    }
    for (at, line) in said.into_iter().enumerate() {
        lines.push(vec![dim(if at == 0 { "last words " } else { "           " }), plain(line.as_str())]);
    }
    lines
}
