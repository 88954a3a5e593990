//! The log: tracing to a rotating file under XDG state, never the terminal; and what happens on a panic.
//!
//! It must not know what is logged.

use std::path::PathBuf;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::EnvFilter;

use crate::disk;
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;

/// How many daily files are kept.
const KEPT: usize = 7;

/// Filter unless told otherwise: rmcp logs whole messages below warn, and those may hold secrets.
const QUIET: &str = "rmcp=warn";

/// Returns the folder of logs and recordings (`$XDG_STATE_HOME/dicast`), if there is a home.
pub fn folder() -> Option<PathBuf> {
    use etcetera::BaseStrategy as _;
    etcetera::base_strategy::Xdg::new().ok()?.state_dir().map(|state| state.join("dicast"))
}

/// Starts logging at a level (`info` unless told otherwise). Keep the guard until the end: dropping it flushes. Without
/// a home, or where the file cannot be made, nothing is logged.
pub fn start(level: &str) -> Option<WorkerGuard> {
    let folder = folder()?;
    disk::Store::real(&folder).make_base().ok()?;
    let file = Builder::new()
        .rotation(Rotation::DAILY)
        .filename_prefix("dicast")
        .filename_suffix("log")
        .max_log_files(KEPT)
        .build(folder)
        .ok()?;
    let (writer, guard) = tracing_appender::non_blocking(file);
    let filter = EnvFilter::try_new(format!("{level},{QUIET}")).unwrap_or_else(|_| EnvFilter::new(QUIET));
    // A second start in one process (tests) keeps the first subscriber.
    let started = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false).try_init();
    started.ok().map(|()| guard)
}

/// Installs the panic hook: a panic on the thread that calls this restores the terminal and is reported; one on any
/// other thread goes to the log only, for the screen goes on without that job.
pub fn watch_panics(restore: fn()) {
    let ui = std::thread::current().id();
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!(%panic, "panic");
        if std::thread::current().id() == ui {
            restore();
            report(panic);
        }
    }));
}

/// Keeps a recording for a bug report; returns a line that says where.
///
/// # Errors
/// When there is no home, or the file cannot be written.
pub fn keep_recording(text: &str) -> Result<String, Failure> {
    let folder =
        folder().ok_or_else(|| Failure::usage("recording", "there is no home folder", "set HOME or XDG_STATE_HOME"))?;
    let name = format!("recording-{}.json", &Sha::of(text).as_str()[..12]);
    disk::text::write_atomic_private_text(&folder.join(&name), text)?;
    Ok(format!("recorded in {name} beside the log"))
}
