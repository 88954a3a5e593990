//! The library: the same brain and the same hands as the screen's, asked by a program.
//!
//! ```no_run
//! # async fn plan() -> Result<(), Box<dyn std::error::Error>> {
//! use dicast::domain::{ids::SpecId, stage::Stage};
//! use dicast::pipeline::{Config, Pipeline, Request};
//!
//! let pipeline = Pipeline::open("my-repository", Config::default())?;
//! let mut run = pipeline.run(Request::stage(SpecId::new("003-rate-limiter")?, Stage::Plan));
//! let mut events = run.events();
//! let stop = run.canceller(); // from anywhere: stop.cancel()
//! while let Some(event) = events.next().await {
//!     println!("{:?}", event.what);
//! }
//! let outcome = run.await?;
//! println!("exit {}", outcome.exit);
//! # drop(stop);
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here needs a runtime of the caller's: futures and streams work under any executor, and [`Run::follow`] under
//! none. It must not know a terminal: no type of one stands in a signature.

mod callers;
mod events;
mod run;

use std::path::{Path, PathBuf};
use std::sync::mpsc as handshake;
use std::thread::JoinHandle;

use tokio::sync::mpsc;

pub use self::events::Events;
pub(crate) use self::run::wait;
pub use self::run::{Canceller, Run};
pub use crate::app::event::{Event, What};
pub use crate::app::msg::{Choice, Decide, Request, Signal, Start};
pub use crate::app::outcome::Outcome;

use self::callers::Callers;
use crate::actors::{Waker, promise};
use crate::app::msg::{Msg, Program};
use crate::config::{self, Loaded, Sources};
use crate::disk::text;
use crate::domain::failure::{DiskError, Failure};
use crate::shell::engine::{Engine, Flags, Plan};

/// Room for what programs ask and the loop has not read yet. One request is one message; a full channel is our bug.
const ASKED: usize = 1_024;

/// The name of the thread that runs the loop.
const THREAD: &str = "dicast";

/// How a pipeline is configured besides the files and variables that every command reads.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// A config file used instead of the repository's own; given by the caller, so trusted.
    pub file: Option<PathBuf>,
    /// Hashes of a repository's config that the caller approves, as with `--yes-trust`.
    pub approve: Vec<String>,
    /// Leaves the user's own config and the `DICAST_` variables out.
    pub isolated: bool,
    /// A Degraded verdict may end with exit 0.
    pub allow_degraded: bool,
    /// A Hollow verdict may end with exit 0.
    pub allow_hollow: bool,
    /// Open dissent makes the exit code 1.
    pub fail_on_dissent: bool,
    /// No round is held, whatever the config says.
    pub no_round: bool,
    /// How fast scripted agents play: nothing is their own pace, `"0"` at once.
    pub speed: Option<String>,
    /// The `dicast` program, which serves the embedded memory and plays scripted agents; found beside the caller's own
    /// program or on `PATH` unless given.
    pub program: Option<PathBuf>,
}

/// One repository, its agents and servers, ready to be asked. Runs of different specs may be live at the same time and
/// share the limits of their agents' families.
///
/// Dropping it stops what runs as a signal would (finished answers are kept), ends every child process and waits for
/// that, at most as long as agents are given to stop.
#[derive(Debug)]
pub struct Pipeline {
    asked: mpsc::Sender<Msg>,
    waker: Waker,
    callers: Callers,
    thread: Option<JoinHandle<()>>,
}

impl Pipeline {
    /// Reads the config and starts the MCP servers; nothing waits for them.
    ///
    /// # Errors
    /// What is wrong with the config; exit 11 when the repository's own was not approved; what keeps the system from
    /// giving us threads.
    pub fn open(repo: impl AsRef<Path>, config: Config) -> Result<Self, Failure> {
        let repo = text::canonical(repo.as_ref())?;
        let sources = Sources::of_this_process(repo)?;
        let program = match config.program.clone() {
            Some(program) => program,
            None => our_program()?,
        };
        let sources = config.sources(sources);
        let loaded = config::load(&sources)?;
        Self::start(sources, loaded, program, config.flags(), false)
    }

    /// The same for a command, with the config that it has read; SIGINT, SIGTERM and SIGHUP stop what runs.
    pub(crate) fn of_command(sources: Sources, loaded: Loaded, flags: Flags) -> Result<Self, Failure> {
        Self::start(sources, loaded, crate::shell::engine::own_program()?, flags, true)
    }

    /// The same for a server, which obeys signals itself.
    pub(crate) fn of_server(sources: Sources, flags: Flags) -> Result<Self, Failure> {
        let loaded = config::load(&sources)?;
        Self::start(sources, loaded, crate::shell::engine::own_program()?, flags, false)
    }

    fn start(
        sources: Sources,
        loaded: Loaded,
        program: PathBuf,
        flags: Flags,
        obeys_signals: bool,
    ) -> Result<Self, Failure> {
        // Nothing of the repository runs before it was approved.
        let settings = loaded.runnable()?;
        let plan = Plan { repo: sources.repo, program, flags, settings, trust: loaded.trust, headless: true };
        let callers = Callers::default();
        let face = callers.clone();
        let (asked, asks) = mpsc::channel(ASKED);
        let (tell, told) = handshake::sync_channel(1);
        let thread = std::thread::Builder::new().name(THREAD.into()).spawn(move || {
            // However the loop ends: whoever still waits is answered.
            let _closing = face.clone().closing();
            let started = Engine::start(plan)
                .and_then(|engine| if obeys_signals { engine.obey_signals(false) } else { Ok(engine) });
            match started {
                Ok(engine) => {
                    let engine = engine.hearing(asks);
                    // Nobody waits for it only if the thread that opens us died.
                    let _ = tell.send(Ok(engine.waker()));
                    if let Err(error) = engine.run(face, None, Vec::new()) {
                        tracing::error!(%error, "the loop ended");
                    }
                }
                Err(failure) => {
                    let _ = tell.send(Err(failure));
                }
            }
        });
        let broken = |why: String| Failure::Disk { what: "starting a thread".into(), kind: DiskError::Other, why };
        let thread = thread.map_err(|error| broken(error.to_string()))?;
        let waker = told.recv().map_err(|error| broken(error.to_string()))??;
        Ok(Self { asked, waker, callers, thread: Some(thread) })
    }

    /// Asks for work; it begins at once, whether or not anybody awaits it.
    pub fn run(&self, request: Request) -> Run {
        let (promise, reply) = promise("pipeline", &Waker::nobody());
        let (ask, events) = self.callers.add(promise);
        let canceller = Canceller::new(ask, self.asked.clone(), self.waker.clone());
        if self.asked.try_send(Msg::Program(Program::Asked(ask, Box::new(request)))).is_err() {
            // Full or gone: the promise goes with its caller, and that is an answer.
            self.callers.forget(ask);
        }
        self.waker.wake();
        Run::new(reply, events, canceller)
    }

    /// Stops what runs and ends; the same as dropping it, by name.
    pub fn close(self) {}
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // A loop that has ended hears nothing, and has nothing left.
        let _ = self.asked.try_send(Msg::Program(Program::Left));
        self.waker.wake();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the loop panicked");
        }
    }
}

impl Config {
    fn sources(&self, mut sources: Sources) -> Sources {
        if self.isolated {
            sources.user_config = None;
            sources.env.clear();
        }
        Sources { given_config: self.file.clone(), yes_trust: self.approve.clone(), ..sources }
    }

    fn flags(&self) -> Flags {
        Flags {
            allow_degraded: self.allow_degraded,
            allow_hollow: self.allow_hollow,
            fail_on_dissent: self.fail_on_dissent,
            no_round: self.no_round,
            speed: self.speed.clone(),
            ..Flags::default()
        }
    }
}

/// Finds the `dicast` program: our own, one beside it or a folder above (where cargo puts examples and tests), else the
/// one on `PATH`.
fn our_program() -> Result<PathBuf, Failure> {
    let own = crate::shell::engine::own_program()?;
    if own.file_stem().is_some_and(|stem| stem == THREAD) {
        return Ok(own);
    }
    let beside = own.ancestors().skip(1).take(2).map(|folder| folder.join(THREAD));
    Ok(beside.into_iter().find(|program| text::is_file(program)).unwrap_or_else(|| PathBuf::from(THREAD)))
}
