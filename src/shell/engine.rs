//! The engine: actors, their runtime and the brain, started together and ended together. What shows the model, and who
//! asks, is given to it.
//!
//! It must not know a terminal.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::dispatch::Dispatch;
use super::face::Face;
use super::hands::{Hands, Places};
use super::inbox::Inbox;
use super::recorder::Recorder;
use super::shutdown::{Pulse, listen};
use super::{Clock, Shell};
use crate::actors::lanes::{LaneEnds, lanes};
use crate::actors::{Scope, Waker};
use crate::app::effect::Effect;
use crate::app::model::{Boot, Model};
use crate::app::msg::{Input, Msg, Request, Signal};
use crate::config;
use crate::domain::failure::{DiskError, Failure};
use crate::domain::settings::{OnHangup, Settings, Trust};

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
    /// The config that was given by hand, if one was.
    pub config: Option<PathBuf>,
    /// How fast scripted agents play: 1 is their own pace, 0 at once.
    pub speed: Option<String>,
}

/// What the engine is built from.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The repository's root, absolute.
    pub repo: PathBuf,
    /// The program that serves the embedded memory and plays scripted agents, absolute.
    pub program: PathBuf,
    /// What flags said.
    pub flags: Flags,
    /// What may run.
    pub settings: Settings,
    /// What the repository would run, and whether that was approved.
    pub trust: Trust,
    /// Whether there is no screen.
    pub headless: bool,
}

/// The actors, the runtime they live in, and the brain: everything but what shows it.
#[derive(Debug)]
pub struct Engine {
    /// What everything is spawned in.
    pub scope: Scope,
    /// The brain's state.
    pub model: Model,
    runtime: Runtime,
    waker: Waker,
    clock: Clock,
    hands: Hands,
    places: Places,
    ends: LaneEnds,
    pulse: Pulse,
    signals: mpsc::Receiver<Signal>,
    asked: Option<mpsc::Receiver<Msg>>,
}

impl Engine {
    /// Starts the actors; the thread that calls this is the one that they wake.
    ///
    /// # Errors
    /// When the system gives us no threads.
    pub fn start(plan: Plan) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .worker_threads(WORKERS)
            .build()
            .map_err(|error| system("starting the runtime", &error))?;
        let clock = Clock::start();
        let waker = Waker::of(std::thread::current());
        let scope = Scope::new(runtime.handle().clone(), waker.clone());
        let (lanes, ends) = lanes(waker.clone());
        let boot = boot(&plan, clock);
        let Plan { repo, program, flags, settings, trust, .. } = plan;
        let memory_delay_ms = if flags.demo && flags.speed.as_deref() != Some("0") { DEMO_MEMORY_MS } else { 0 };
        let speed = flags.speed.unwrap_or_else(|| "1".to_owned());
        let (private, config) = (crate::config::turns_folder(), flags.config);
        let places = Places { repo, program, private, config, speed, memory_delay_ms };
        let guard = runtime.enter();
        let hands = Hands::start(scope.clone(), &lanes, clock, &places, &settings);
        drop(guard);
        let mut model = Model::new(clock.now(), boot, Arc::new(settings), trust);
        model.machine = config::found::machine(&variables());
        // Nobody sends: without a listener signals keep their own meaning.
        let (_, signals) = mpsc::channel(1);
        let pulse = Pulse::default();
        Ok(Self { runtime, scope, waker, clock, hands, places, ends, model, pulse, signals, asked: None })
    }

    /// Ends on SIGINT, SIGTERM and SIGHUP in order; `has_terminal` tells whether one must be given back.
    ///
    /// # Errors
    /// When the system does not let us listen.
    pub fn obey_signals(mut self, has_terminal: bool) -> Result<Self, Failure> {
        let inside = self.runtime.enter();
        if self.model.settings.run.on_hangup == OnHangup::Detach {
            self.pulse.stay();
        }
        self.signals = listen(&self.scope, self.hands.children.clone(), self.pulse.clone(), has_terminal)
            .map_err(|error| system("listening for signals", &error))?;
        drop(inside);
        Ok(self)
    }

    /// Listens to what programs ask.
    #[must_use]
    pub fn hearing(self, asked: mpsc::Receiver<Msg>) -> Self {
        Self { asked: Some(asked), ..self }
    }

    /// Returns what wakes the loop.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Runs the loop on this thread until the brain quits, then ends everything; returns the exit code, and whether to
    /// start over.
    ///
    /// # Errors
    /// When the terminal cannot be written any more.
    pub fn run<F: Face>(
        self,
        face: F,
        keys: Option<mpsc::Receiver<Input>>,
        requests: Vec<Request>,
    ) -> io::Result<(u8, bool)> {
        let Self { runtime, scope, waker, clock, hands, places, ends, model, pulse, signals, asked } = self;
        let mut inbox = Inbox::new(ends, keys, signals);
        if let Some(asked) = asked {
            inbox = inbox.hearing(asked);
        }
        let scratch = hands.repo.scratch(&places.repo);
        let mut dispatch = Dispatch::new(hands.clone(), places);
        reap_strays(&scope, &hands);
        dispatch.perform(Effect::Survey, &model, &mut inbox);
        for spot in model.first_spots() {
            dispatch.perform(Effect::Look(spot), &model, &mut inbox);
        }
        let shell =
            Shell { model, face, inbox, dispatch, waker: waker.clone(), clock, recorder: Recorder::default(), pulse };
        let outcome = shell.run(requests);
        leave(runtime, &scope, &hands, &waker);
        // Checks built there; everybody else has a folder of their own.
        if let Err(failure) = crate::disk::scratch::clear(&scratch) {
            tracing::warn!(%failure, "a scratch copy stays");
        }
        outcome
    }
}

/// Worker threads of the runtime: actors wait far more than they work.
const WORKERS: usize = 2;

/// How long the demonstration's memory server takes to start: long enough to be seen and named.
const DEMO_MEMORY_MS: u64 = 5_000;

fn boot(plan: &Plan, clock: Clock) -> Boot {
    let repo = plan.repo.file_name().map_or_else(|| "/".to_owned(), |name| name.to_string_lossy().into_owned());
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
        demo: plan.flags.demo,
        headless: plan.headless,
        allow_degraded: plan.flags.allow_degraded,
        allow_hollow: plan.flags.allow_hollow,
        fail_on_dissent: plan.flags.fail_on_dissent,
        no_round: plan.flags.no_round,
        has_config: plan.flags.config.is_some() || crate::disk::text::is_file(&plan.repo.join(config::PROJECT_CONFIG)),
        on_plan: config::found::on_plan(&plan.settings, &variables()),
        user: std::env::var("USER").unwrap_or_else(|_| "somebody".to_owned()),
        animate: std::env::var_os("DICAST_REDUCED_MOTION").is_none(),
        yes: plan.flags.yes,
        look: super::look::find_out(|name| std::env::var(name).ok()),
    }
}

/// Our environment, as far as it is text.
pub(super) fn variables() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
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

/// Returns where this very program is.
///
/// # Errors
/// When the system does not tell.
pub fn own_program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| system("finding our own program", &error))
}

pub(super) fn system(what: &str, error: &io::Error) -> Failure {
    Failure::Disk { what: what.to_owned(), kind: DiskError::Other, why: error.to_string() }
}
