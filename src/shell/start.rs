//! Starting and ending: from config to a running loop, and back to a quiet machine.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::engine::{Engine, Flags, Plan, own_program};
use super::face::Screen;
use super::hands::secrets;
use super::input::{Assembler, ESC_ALONE};
use super::terminal::{Terminal, restore};
use crate::actors::Scope;
use crate::app::key::Key;
use crate::app::model::View;
use crate::app::msg::{Input, Request};
use crate::cli::plain::Aim;
use crate::config::{self, Loaded, Sources};
use crate::domain::failure::Failure;
use crate::domain::settings::Settings;

/// Keys that were read and not yet taken; a reader waits beyond it.
const KEYS: usize = 1_024;

/// What to start.
#[derive(Debug, Clone)]
pub struct Start {
    /// Where config comes from; names the repository.
    pub sources: Sources,
    /// What was read from there.
    pub loaded: Loaded,
    /// What flags said.
    pub flags: Flags,
    /// What to do at once.
    pub requests: Vec<Request>,
}

/// Runs on the terminal until the user quits; returns the exit code.
///
/// # Errors
/// What keeps it from starting: config, the terminal, the system.
pub fn interactive(mut start: Start) -> Result<u8, Failure> {
    crate::telemetry::watch_panics(restore);
    let mut is_again = false;
    loop {
        let (exit, reload) = on_screen(start.clone(), is_again)?;
        if !reload {
            return Ok(exit);
        }
        // What was written or approved meanwhile.
        start.loaded = config::load(&start.sources)?;
        is_again = true;
    }
}

/// Runs on the terminal once; tells whether to start over.
fn on_screen(start: Start, is_again: bool) -> Result<(u8, bool), Failure> {
    let loaded = start.loaded.clone();
    // Without approval the screen comes up all the same, with nothing of the repository's running.
    let settings = loaded.runnable().unwrap_or_else(|_| inert(&loaded));
    let aim = aim(&start);
    let hidden = secrets(&settings);
    let plan = Plan {
        repo: start.sources.repo,
        program: own_program()?,
        flags: start.flags,
        settings,
        trust: loaded.trust,
        headless: false,
    };
    let mut engine = Engine::start(plan)?;
    // Whoever has just had a config written, or approved a part, sees what else would run.
    if is_again && !engine.model.trust.is_granted() {
        engine.model.views.push(View::Trust { scroll: 0 });
    }
    let terminal = Terminal::take().map_err(|error| terminal_failure(&error))?;
    let (lent, is_lent) = watch::channel(false);
    let (sender, keys) = mpsc::channel(KEYS);
    engine.scope.spawn(read_keys(sender, is_lent, engine.scope.clone()));
    engine = engine.obey_signals(true)?;
    if let Ok(size) = crossterm::terminal::size() {
        engine.model.size = size;
    }
    let screen = Screen::new(terminal, lent, aim, hidden);
    engine.run(screen, Some(keys), start.requests).map_err(|error| terminal_failure(&error))
}

/// Returns how commands name the repository where the user stands.
fn aim(start: &Start) -> Aim {
    let repo = start.sources.repo.clone();
    let is_here = crate::disk::text::canonical(Path::new(".")).is_ok_and(|here| here == repo);
    Aim { repo: (!is_here).then_some(repo), config: start.sources.given_config.clone() }
}

/// Settings with nothing of the repository's own that could run.
fn inert(loaded: &Loaded) -> Settings {
    Settings { agents: Vec::new(), servers: Default::default(), checks: Default::default(), ..loaded.settings.clone() }
}

/// Reads keys while the terminal is ours.
async fn read_keys(sender: mpsc::Sender<Input>, mut lent: watch::Receiver<bool>, scope: Scope) {
    let cancel = scope.cancel.clone();
    // Somebody's `kill -TSTP` means what the key means: unheard it would stop us with the terminal in our hands.
    let mut told_to_stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw())).ok();
    loop {
        // The stream is dropped while an editor has the terminal: it would take the editor's keys.
        match cancel.run_until_cancelled(lent.wait_for(|lent| !lent)).await {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return,
        }
        let mut events = crossterm::event::EventStream::new();
        let mut assembler = Assembler::default();
        loop {
            let waited = if assembler.is_waiting() { ESC_ALONE } else { Duration::from_secs(3_600) };
            let inputs = tokio::select! {
                // An event that is there comes before the time that passed meanwhile: a starved reader must not take the
                // first byte of an arrow key for Esc.
                biased;
                () = cancel.cancelled() => return,
                changed = lent.wait_for(|lent| *lent) => {
                    if changed.is_err() { return }
                    break;
                }
                event = events.next() => match event {
                    Some(Ok(event)) => assembler.feed(event),
                    // The terminal is gone: the inbox notices that no keys come any more, if SIGHUP does not tell.
                    Some(Err(_)) | None => return,
                },
                Some(()) = async { told_to_stop.as_mut()?.recv().await } => vec![Input::Key(Key::Ctrl('z'))],
                () = tokio::time::sleep(waited) => assembler.expire(),
            };
            for input in inputs {
                if sender.send(input).await.is_err() {
                    return;
                }
            }
            scope.waker().wake();
        }
    }
}

fn terminal_failure(error: &io::Error) -> Failure {
    Failure::usage("terminal", error.to_string(), "run it in a terminal, or use a subcommand such as `dicast check`")
}
