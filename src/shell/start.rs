//! Starting and ending: from config to a running loop, and back to a quiet machine.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use rustix::process::Signal;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};

use super::dispatch::Dispatch;
use super::face::{Face, Lines, Screen, Style};
use super::hands::{Hands, Places};
use super::inbox::Inbox;
use super::input::{Assembler, ESC_ALONE};
use super::recorder::Recorder;
use super::shutdown::{Pulse, listen};
use super::terminal::{Terminal, restore};
use super::{Clock, Shell};
use crate::actors::lanes::lanes;
use crate::actors::{Scope, Waker};
use crate::app::key::Key;
use crate::app::model::{Boot, Model};
use crate::app::msg::{Input, Request};
use crate::cli::plain::Aim;
use crate::config::{self, Loaded, Sources};
use crate::domain::failure::{DiskError, Failure};
use crate::domain::settings::Settings;

/// Keys that were read and not yet taken; a reader waits beyond it.
const KEYS: usize = 1_024;

/// Grace for MCP servers on the way out: end of input and TERM, then KILL.
const SERVER_GRACE: Duration = Duration::from_millis(20);

/// How long the way out may take before we leave anyway.
const LEAVE: Duration = Duration::from_millis(400);

/// What flags said.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// JSON lines on stdout.
    pub json: bool,
    /// A Degraded verdict may exit 0.
    pub allow_degraded: bool,
    /// A Hollow verdict may exit 0.
    pub allow_hollow: bool,
    /// Open dissent makes the exit code 1.
    pub fail_on_dissent: bool,
    /// No round is held, whatever the config says.
    pub no_round: bool,
    /// Runs start without the question before they cost something.
    pub yes: bool,
    /// This is the demonstration.
    pub demo: bool,
    /// How fast scripted agents play: 1 is their own pace, 0 at once.
    pub speed: Option<String>,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct Start {
    /// Where config comes from; names the repository.
    pub sources: Sources,
    /// What flags said.
    pub flags: Flags,
    /// What to do at once.
    pub requests: Vec<Request>,
}

/// Runs without a screen until the requests are done; returns the exit code.
///
/// # Errors
/// What keeps it from starting: config, trust, the system.
pub fn headless(start: Start) -> Result<u8, Failure> {
    let loaded = config::load(&start.sources)?;
    // Nothing of the repository runs before it was approved.
    let settings = loaded.runnable()?;
    let style = if start.flags.json { Style::Json } else { Style::Plain };
    let pulse = Pulse::default();
    let base = base(&start, &loaded, settings, pulse.clone(), true)?;
    let signals = signals(&base, pulse, false)?;
    run(base, Lines::new(style), None, signals, start.requests).map(|(exit, _)| exit)
}

/// Runs on the terminal until the user quits; returns the exit code.
///
/// # Errors
/// What keeps it from starting: config, the terminal, the system.
pub fn interactive(start: Start) -> Result<u8, Failure> {
    crate::telemetry::watch_panics(restore);
    loop {
        let (exit, reload) = on_screen(start.clone())?;
        if !reload {
            return Ok(exit);
        }
    }
}

/// Runs on the terminal once; tells whether to start over.
fn on_screen(start: Start) -> Result<(u8, bool), Failure> {
    let loaded = config::load(&start.sources)?;
    // Without approval the screen comes up all the same, with nothing of the repository's running.
    let settings = loaded.runnable().unwrap_or_else(|_| inert(&loaded));
    let pulse = Pulse::default();
    let base = base(&start, &loaded, settings, pulse.clone(), false)?;
    let terminal = Terminal::take().map_err(|error| terminal_failure(&error))?;
    let (lent, is_lent) = watch::channel(false);
    let (sender, keys) = mpsc::channel(KEYS);
    base.scope.spawn(read_keys(sender, is_lent, base.scope.clone()));
    let signals = signals(&base, pulse, true)?;
    let screen = Screen::new(terminal, lent, aim(&start));
    run(base, screen, Some(keys), signals, start.requests)
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

/// What both ways of running share.
struct Base {
    runtime: Runtime,
    scope: Scope,
    waker: Waker,
    clock: Clock,
    hands: Hands,
    places: Places,
    ends: crate::actors::lanes::LaneEnds,
    model: Model,
    pulse: Pulse,
}

fn base(start: &Start, loaded: &Loaded, settings: Settings, pulse: Pulse, headless: bool) -> Result<Base, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(WORKERS)
        .build()
        .map_err(|error| system("starting the runtime", &error))?;
    let clock = Clock::start();
    let waker = Waker::of(std::thread::current());
    let scope = Scope::new(runtime.handle().clone(), waker.clone());
    let (lanes, ends) = lanes(waker.clone());
    let program = std::env::current_exe().map_err(|error| system("finding our own program", &error))?;
    let places = Places {
        repo: start.sources.repo.clone(),
        program,
        speed: start.flags.speed.clone().unwrap_or_else(|| "1".to_owned()),
        memory_delay_ms: if start.flags.demo && start.flags.speed.as_deref() != Some("0") { DEMO_MEMORY_MS } else { 0 },
    };
    let guard = runtime.enter();
    let hands = Hands::start(scope.clone(), &lanes, clock, &places, &settings);
    drop(guard);
    let boot = boot(start, headless, clock);
    let model = Model::new(clock.now(), boot, Arc::new(settings), loaded.trust.clone());
    Ok(Base { runtime, scope, waker, clock, hands, places, ends, model, pulse })
}

/// Worker threads of the runtime: actors wait far more than they work.
const WORKERS: usize = 2;

/// How long the demonstration's memory server takes to start: long enough to be seen and named.
const DEMO_MEMORY_MS: u64 = 5_000;

fn boot(start: &Start, headless: bool, clock: Clock) -> Boot {
    let repo =
        start.sources.repo.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned());
    let path = std::env::var_os("PATH");
    let found = config::found::find_on_path(config::found::KNOWN.iter().map(|known| known.name), path.as_deref());
    let mut seed = [0; 8];
    // The hasher's keys are drawn from the system once per process: randomness without another dependency.
    use std::hash::{BuildHasher as _, Hasher as _};
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_u64(clock.now().0);
    seed.copy_from_slice(&hasher.finish().to_le_bytes());
    Boot {
        seed: u64::from_le_bytes(seed),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        repo,
        demo: start.flags.demo,
        headless,
        allow_degraded: start.flags.allow_degraded,
        allow_hollow: start.flags.allow_hollow,
        fail_on_dissent: start.flags.fail_on_dissent,
        no_round: start.flags.no_round,
        found_agents: found.into_iter().map(|found| found.name.to_owned()).collect(),
        user: std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned()),
        animate: std::env::var_os("DICAST_REDUCED_MOTION").is_none(),
        yes: start.flags.yes,
        look: super::look::find_out(|name| std::env::var(name).ok()),
    }
}

fn signals(base: &Base, pulse: Pulse, has_terminal: bool) -> Result<mpsc::Receiver<crate::app::msg::Signal>, Failure> {
    let _inside = base.runtime.enter();
    let on_hangup = base.model.settings.run.on_hangup;
    listen(&base.scope, base.hands.children.clone(), pulse, has_terminal, on_hangup)
        .map_err(|error| system("listening for signals", &error))
}

/// The loop, and the way out.
fn run<F: Face>(
    base: Base,
    face: F,
    keys: Option<mpsc::Receiver<Input>>,
    signals: mpsc::Receiver<crate::app::msg::Signal>,
    requests: Vec<Request>,
) -> Result<(u8, bool), Failure> {
    let Base { runtime, scope, waker, clock, hands, places, ends, mut model, pulse } = base;
    if let Ok((columns, rows)) = crossterm::terminal::size() {
        model.size = (columns, rows);
    }
    let mut inbox = Inbox::new(ends, keys, signals);
    let scratch = places.repo.join(".dicast/scratch").join(std::process::id().to_string());
    let mut dispatch = Dispatch::new(hands.clone(), places);
    reap_strays(&scope, &hands);
    dispatch.perform(crate::app::effect::Effect::Survey, &model, &mut inbox);
    let shell =
        Shell { model, face, inbox, dispatch, waker: waker.clone(), clock, recorder: Recorder::default(), pulse };
    let outcome = shell.run(requests);
    leave(runtime, &scope, &hands, &waker);
    // Checks built there; another process has a folder of its own.
    if let Err(failure) = crate::disk::scratch::clear(&scratch) {
        tracing::warn!(%failure, "a scratch copy stays");
    }
    outcome.map_err(|error| terminal_failure(&error))
}

/// Ends what dead owners left, in the background: nothing waits for it.
fn reap_strays(scope: &Scope, hands: &Hands) {
    let children = hands.children.clone();
    scope.spawn(async move {
        for stray in children.reap_strays().await {
            tracing::warn!(?stray, "ended a process that a dead dicast had left");
        }
    });
}

/// Ends everything: servers get [`SERVER_GRACE`], then every group is killed. Nothing here takes longer than [`LEAVE`].
fn leave(runtime: Runtime, scope: &Scope, hands: &Hands, waker: &Waker) {
    let deadline = std::time::Instant::now() + LEAVE;
    let mut stopped = hands.mcp.stop(SERVER_GRACE);
    let left = loop {
        match stopped.poll_now() {
            Some(outcome) => break outcome,
            None if std::time::Instant::now() >= deadline => break Err(Failure::Cancelled),
            None => {
                if !waker.take() {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
            }
        }
    };
    match left {
        Ok(0) => {}
        Ok(left) => tracing::error!(left, "servers are left"),
        Err(failure) => tracing::warn!(%failure, "servers did not end in time"),
    }
    scope.cancel.cancel();
    hands.children.kill_all();
    while scope.live() > 0 && std::time::Instant::now() < deadline {
        std::thread::park_timeout(Duration::from_millis(2));
    }
    hands.children.kill_all();
    runtime.shutdown_timeout(Duration::from_millis(50));
}

/// Reads keys while the terminal is ours.
async fn read_keys(sender: mpsc::Sender<Input>, mut lent: watch::Receiver<bool>, scope: Scope) {
    let cancel = scope.cancel.clone();
    // Somebody's `kill -TSTP` means what the key means: unheard it would stop us with the terminal in our hands.
    let mut told_to_stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw())).ok();
    loop {
        // The stream is dropped while an editor has the terminal: it would take the editor's keys.
        if lent.wait_for(|lent| !lent).await.is_err() {
            return;
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

fn system(what: &str, error: &io::Error) -> Failure {
    Failure::Disk { what: what.to_owned(), kind: DiskError::Other, why: error.to_string() }
}

fn terminal_failure(error: &io::Error) -> Failure {
    Failure::usage("terminal", error.to_string(), "run it in a terminal, or use a subcommand such as `dicast check`")
}
