//! Typed text: the command line, searches, reasons, the question before a run.

use unicode_width::UnicodeWidthStr as _;

use super::{ask, cancel, complain, first, gate, ledger, navigation, notice, reading, roster, run as runs};
use crate::app::command::{self, Command};
use crate::app::effect::Effect;
use crate::app::key::Key;
use crate::app::line::Line;
use crate::app::model::{Completion, Load, Model, Overlay, View};
use crate::app::msg::Start;
use crate::domain::ids::SpecId;
use crate::domain::safe::Safe;
use crate::domain::settings::TrustItem;
use crate::domain::stage::Stage;

/// How many typed commands are remembered.
const HISTORY: usize = 100;

/// Opens the command line. With `offer`, everything that could be typed is offered at once.
pub(super) fn open(model: &mut Model, offer: bool) -> Vec<Effect> {
    let completions = if offer { command::complete("", &specs(model)) } else { Vec::new() };
    let overlay = Overlay::Command { line: Line::default(), completions, chosen: None, error: None, recalled: None };
    model.overlay = Some(overlay);
    Vec::new()
}

/// Opens the command line with the beginning of a command.
pub(super) fn open_with(model: &mut Model, text: &str) -> Vec<Effect> {
    show(model, Line::new(text), None, None);
    Vec::new()
}

/// Handles a key while something lies over the view.
pub(super) fn key(model: &mut Model, overlay: Overlay, key: Key) -> Vec<Effect> {
    let goes_back = matches!(overlay, Overlay::Roster { .. }) && key == Key::Esc;
    if matches!(key, Key::Esc | Key::Ctrl('c')) && !goes_back {
        model.overlay = None;
        return Vec::new();
    }
    match overlay {
        Overlay::Command { line, completions, chosen, recalled, .. } => {
            command_key(model, line, completions, chosen, recalled, key)
        }
        Overlay::Search(line) => search_key(model, line, key),
        Overlay::Preflight(start) => preflight_key(model, start, key),
        Overlay::Roster { start, without, cursor } => roster::key(model, start, without, cursor, key),
        Overlay::Offer(name) => offer_key(model, name, key),
    }
}

fn command_key(
    model: &mut Model,
    mut line: Line,
    completions: Vec<Completion>,
    chosen: Option<usize>,
    recalled: Option<usize>,
    key: Key,
) -> Vec<Effect> {
    let offered = completions.len();
    let taken = |line: Line| chosen.and_then(|i| completions.get(i)).map_or(line, |c| Line::new(&c.line));
    if key == Key::Enter {
        return submit(model, taken(line));
    }
    if matches!(key, Key::Tab | Key::BackTab) && offered > 0 {
        let step = if key == Key::Tab { 1 } else { offered - 1 };
        // One candidate is taken at once; of several the next is selected.
        if let [only] = completions.as_slice() {
            line = Line::new(&only.line);
            show(model, line, None, None);
        } else {
            let next = chosen.map_or(if key == Key::Tab { 0 } else { offered - 1 }, |i| (i + step) % offered);
            model.overlay = Some(Overlay::Command { line, completions, chosen: Some(next), error: None, recalled });
        }
    } else if matches!(key, Key::Up | Key::Down) {
        recall(model, line, recalled, key == Key::Up);
    } else if key == Key::Backspace && line.text().is_empty() {
        model.overlay = None;
    } else {
        line = taken(line);
        line.edit(key);
        show(model, line, None, None);
    }
    Vec::new()
}

/// Goes through the commands typed before.
fn recall(model: &mut Model, line: Line, recalled: Option<usize>, back: bool) {
    let count = model.history.len();
    let next = match (recalled, back) {
        (None, true) if count > 0 => Some(count - 1),
        (Some(i), true) => Some(i.saturating_sub(1)),
        (Some(i), false) if i + 1 < count => Some(i + 1),
        (None | Some(_), _) => None,
    };
    let line = match next {
        Some(i) => Line::new(&model.history[i]),
        None if recalled.is_some() => Line::default(),
        None => line,
    };
    show(model, line, next, None);
}

fn show(model: &mut Model, line: Line, recalled: Option<usize>, error: Option<Safe>) {
    let completions = command::complete(line.text(), &specs(model));
    model.overlay = Some(Overlay::Command { line, completions, chosen: None, error, recalled });
}

/// The ids of the specs that were found.
pub(super) fn specs(model: &Model) -> Vec<SpecId> {
    super::surveyed(model).map(|survey| survey.specs.iter().map(|s| s.spec.id.clone()).collect()).unwrap_or_default()
}

fn submit(model: &mut Model, line: Line) -> Vec<Effect> {
    let text = line.text().trim().to_owned();
    if text.is_empty() {
        model.overlay = None;
        return Vec::new();
    }
    // Also one that cannot be read: it is brought back to be corrected.
    if model.history.last() != Some(&text) {
        model.history.push(text.clone());
        let excess = model.history.len().saturating_sub(HISTORY);
        model.history.drain(..excess);
    }
    let branch = super::surveyed(model).and_then(|survey| survey.branch_spec().cloned());
    match command::parse(&text, &specs(model), branch.as_ref()) {
        Ok(command) => {
            model.overlay = None;
            perform(model, command)
        }
        Err(failure) => {
            let error = Safe::line(&format!("{failure} · {}", failure.hint()));
            show(model, line, None, Some(error));
            Vec::new()
        }
    }
}

fn perform(model: &mut Model, command: Command) -> Vec<Effect> {
    match command {
        Command::Stage(stage, spec, wish) => ask::propose_stage(model, spec, stage, &wish),
        Command::Auto(spec, wish) => ask::propose_rest(model, spec, &wish),
        Command::Specify(spec, brief) => {
            ask::propose_run(model, Start { brief, ..Start::of(spec, vec![Stage::Specify]) })
        }
        Command::Verdict(spec, stage) => navigation::open_verdict(model, &spec, stage, None),
        Command::Explain(spec, stage, claim) => navigation::open_verdict(model, &spec, stage, Some(&claim)),
        Command::Spec(spec) => {
            model.views.push(View::Spec { spec, cursor: 0 });
            Vec::new()
        }
        Command::Gate(spec) => gate::open(model, spec),
        Command::New(text) => vec![Effect::Create(text)],
        Command::Report(spec) => {
            notice(model, format!("writing the report of {spec}"));
            vec![Effect::Report(spec)]
        }
        Command::Dissent(spec) => ledger::open(model, spec),
        Command::Check => survey(model),
        Command::Init => first::init(model),
        Command::Cancel => cancel::asked(model, None),
        Command::Detach => cancel::detach(model),
        Command::Servers => {
            model.views.push(View::Servers { cursor: 0 });
            Vec::new()
        }
        Command::Permissions => {
            model.views.push(View::Permissions { cursor: 0, scroll: 0 });
            Vec::new()
        }
        Command::Trust => {
            model.views.push(View::Trust { scroll: 0 });
            Vec::new()
        }
        Command::Help => {
            model.views.push(View::Help { scroll: 0 });
            Vec::new()
        }
        Command::Quit => cancel::leave(model, 0, "key"),
    }
}

/// Reads and checks the repository again.
pub(super) fn survey(model: &mut Model) -> Vec<Effect> {
    if model.survey.ready().is_none() {
        model.survey = Load::Loading(model.now);
    }
    [Effect::Survey].into_iter().chain(first::look_again(model)).collect()
}

fn search_key(model: &mut Model, mut line: Line, key: Key) -> Vec<Effect> {
    if key == Key::Enter {
        model.overlay = None;
        return reading::search(model, line.text().to_owned());
    }
    line.edit(key);
    model.overlay = Some(Overlay::Search(line));
    Vec::new()
}

fn preflight_key(model: &mut Model, start: Start, key: Key) -> Vec<Effect> {
    if key == Key::Enter {
        model.overlay = None;
        // What was shown is what is begun, also where an earlier process left somebody out.
        let without = Some(roster::without(model, &start));
        return runs::start(model, Start { without, ..start });
    }
    if key == Key::Char('e') {
        roster::open(model, start);
    }
    Vec::new()
}

fn offer_key(model: &mut Model, name: String, key: Key) -> Vec<Effect> {
    if key != Key::Enter {
        return Vec::new();
    }
    let is_whole = model.offers().find(|offer| offer.name == name).is_some_and(|offer| fits(model, &offer.item));
    model.overlay = None;
    if is_whole {
        return vec![Effect::ApproveServer(name)];
    }
    notice(
        model,
        format!("not approved: the terminal is too small for all of it · dicast trust approve --server {name}"),
    );
    Vec::new()
}

/// Tells whether everything that would run is on screen for sure: what was not seen is not approved. Wrapping at words
/// leaves each row at least half full.
fn fits(model: &Model, item: &TrustItem) -> bool {
    let (columns, rows) = (usize::from(model.size.0).saturating_sub(4), usize::from(model.size.1));
    let needed: usize = item.parts().iter().map(|part| part.width() * 2 / columns.max(1) + 1).sum();
    // Frame, keys and the line above them take five.
    needed + 5 <= rows
}

/// Inserts pasted text where text is asked for; elsewhere a paste does nothing.
pub(super) fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    match model.overlay.take() {
        Some(Overlay::Command { mut line, .. }) => {
            line.insert(text);
            show(model, line, None, None);
        }
        Some(Overlay::Search(mut line)) => {
            line.insert(text);
            model.overlay = Some(Overlay::Search(line));
        }
        other => {
            model.overlay = other;
            if let Some(line) = model.views.last_mut().and_then(reason_of) {
                line.insert(text);
            }
        }
    }
    Vec::new()
}

/// The reason that is typed in a view.
fn reason_of(view: &mut View) -> Option<&mut Line> {
    match view {
        View::Conflict(conflict) => conflict.typing.then_some(&mut conflict.reason),
        View::Gate(dialog) => dialog.saying.is_some().then_some(&mut dialog.words),
        View::Merged(texts) => texts.asking.as_mut(),
        View::Ledger(page) => page.asking.as_mut().map(|weighed| &mut weighed.reason),
        View::Home { .. }
        | View::Proposal(_)
        | View::Spec { .. }
        | View::Dashboard { .. }
        | View::Transcript(_)
        | View::Verdict { .. }
        | View::Candidates { .. }
        | View::Servers { .. }
        | View::Permissions { .. }
        | View::Trust { .. }
        | View::Help { .. } => None,
    }
}

/// Complains about a failure in the notice line; a convenience for callers that return effects.
pub(super) fn refuse(model: &mut Model, failure: &crate::domain::failure::Failure) -> Vec<Effect> {
    complain(model, failure);
    Vec::new()
}
