//! What stands on this machine, on the first screen: who could be asked, and what the next step is.
//!
//! It must not know how anything was found.

use super::spinner;
use super::text::{self, Piece, dim, piece, plain, strong};
use super::theme::Ink;
use crate::app::model::Model;
use crate::app::update::can_init;
use crate::domain::machine::{Access, Machine, ModelServer, Program, Sight};

/// Lines that programs may take where the screen is low, and where it is not.
const LINES: [usize; 2] = [2, 5];

/// Rows from which a screen is not low.
const TALL: u16 = 30;

/// Longest name of a model on this screen, in columns; `dicast agents` has it whole.
const MODEL: usize = 28;

/// Columns of a version: a long one is told by `dicast agents`.
const VERSION: usize = 16;

/// Returns what stands on this machine, one line each, in so many columns.
pub(super) fn facts(model: &Model, room: usize) -> Vec<(&'static str, Vec<Piece<'_>>)> {
    let machine = &model.machine;
    let most = if model.size.1 >= TALL { LINES[1] } else { LINES[0] };
    let programs = machine.programs.iter().map(|program| of_program(model, program));
    let adapters = machine.adapters.iter().map(|(name, _)| vec![plain(name.as_str()), dim(" speaks ACP")]);
    let mut agents = flow(programs.chain(adapters).collect(), room, most);
    if agents.is_empty() {
        agents.push(vec![piece("no agent program that we know is on PATH", Ink::Warn)]);
    }
    let mut lines: Vec<(&'static str, Vec<Piece<'_>>)> = Vec::new();
    for (at, line) in agents.into_iter().enumerate() {
        lines.push((if at == 0 { "agents" } else { "" }, line));
    }
    lines.push(("models", flow(servers(model), room, 1).into_iter().next().unwrap_or_default()));
    lines.push(("", voices(model)));
    if let Some(missing) = machine.missing() {
        lines.push(("", vec![dim("next: "), plain(text::fit(&missing, room.saturating_sub(6)).into_owned())]));
    }
    lines
}

fn of_program<'m>(model: &Model, program: &'m Program) -> Vec<Piece<'m>> {
    let mut line = vec![plain(program.name.as_str()), plain(" ")];
    line.push(match &program.version {
        Sight::Looking => piece(spinner::frame(model), Ink::Accent),
        Sight::Seen(version) => dim(text::fit(version.as_str(), VERSION)),
        Sight::Unseen(why) => piece(format!("({})", text::fit(why.as_str(), MODEL)), Ink::Warn),
    });
    line.push(match &program.access {
        Access::SignedIn(_) => dim(" signed in"),
        Access::NoSign(_) => piece(" not signed in", Ink::Warn),
        Access::NoPreset => dim(" has no preset"),
    });
    line
}

/// Names the servers that answered; where none did, what was asked.
fn servers(model: &Model) -> Vec<Vec<Piece<'_>>> {
    let machine = &model.machine;
    let said: Vec<Vec<Piece<'_>>> = machine
        .serving()
        .map(|(server, first, models)| {
            let more = if models > 1 { format!(" +{}", models - 1) } else { String::new() };
            vec![plain(server.name.as_str()), dim(format!(" {}{more}", text::fit(first.as_str(), MODEL)))]
        })
        .collect();
    if !said.is_empty() {
        return said;
    }
    let is_looking = |server: &ModelServer| server.models == Sight::Looking;
    if machine.servers.iter().any(is_looking) {
        return vec![vec![
            piece(spinner::frame(model), Ink::Accent),
            dim(" asking the usual addresses of this machine"),
        ]];
    }
    let ports: Vec<&str> = machine.servers.iter().filter_map(|server| port(&server.base_url)).collect();
    vec![vec![dim(format!("no server of models answers here (ports {})", ports.join(", ")))]]
}

/// Returns the port in an address.
fn port(base_url: &str) -> Option<&str> {
    base_url.rsplit(':').next()?.split('/').next()
}

/// Says what a panel of these could do, and the key that writes it down.
fn voices(model: &Model) -> Vec<Piece<'_>> {
    let machine: &Machine = &model.machine;
    let mut line = match machine.families().len() {
        0 => vec![piece("nobody to ask yet", Ink::Warn), dim(" · `check` needs nobody")],
        1 => vec![piece("one voice", Ink::Warn), dim(": the host checks it, nobody can differ from it")],
        2 => vec![strong("2 families"), dim(": they can agree or differ")],
        n => vec![strong(format!("{n} families")), dim(", one vote each")],
    };
    if can_init(model) {
        line.extend([plain(" · "), piece("i", Ink::Accent), plain(" writes a config")]);
    }
    line
}

/// Puts entries beside each other with dots between, in at most so many lines; what does not fit is counted.
fn flow<'p>(entries: Vec<Vec<Piece<'p>>>, room: usize, most: usize) -> Vec<Vec<Piece<'p>>> {
    /// Columns that `… 9 more` takes.
    const MORE: usize = 10;
    let count = entries.len();
    let mut lines: Vec<Vec<Piece<'p>>> = Vec::new();
    for (at, entry) in entries.into_iter().enumerate() {
        let width = text::width_of(&entry);
        let is_last_line = lines.len() == most;
        let kept = if is_last_line && at + 1 < count { MORE } else { 0 };
        match lines.last_mut() {
            Some(line) if text::width_of(line) + 3 + width + kept <= room => {
                line.push(dim(" · "));
                line.extend(entry);
            }
            Some(line) if is_last_line => {
                line.push(dim(format!(" … {} more", count - at)));
                return lines;
            }
            Some(_) | None => lines.push(entry),
        }
    }
    lines
}
