//! The children of ours: the memory server and the scripted player. Their stdin and stdout are a protocol.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::ask::Desk;
use super::super::out::Done;
use super::super::play::{Ending, play as perform};
use super::{Context, given_text};
use crate::disk::text::needs_folder;
use crate::domain::failure::Failure;
use crate::server::memory::{serve_memory, serve_memory_to_read};

/// Largest script read, in bytes.
const SCRIPT_MAX: u64 = 16 << 20;

/// Serves the memory until its input ends.
///
/// # Errors
/// When the file cannot be opened, or is no memory.
pub(super) fn serve(
    context: &Context,
    db: Option<PathBuf>,
    read_only: bool,
    start_delay_ms: u64,
) -> Result<Done, Failure> {
    let own = context.repo.join(".dicast/memory.db");
    let db = db.map_or_else(|| own.clone(), |db| std::path::absolute(&db).unwrap_or(db));
    // Ours is made with its folder.
    if db != own {
        needs_folder(&db)?;
    }
    let desk = Desk::open()?;
    let delay = Duration::from_millis(start_delay_ms);
    desk.serve(async move {
        tokio::time::sleep(delay).await;
        if read_only { serve_memory_to_read(db).await } else { serve_memory(db).await }
    })?;
    Ok(Done::exit(0))
}

/// Plays a script as an agent would answer.
///
/// # Errors
/// Usage when there is no such file.
pub(super) fn play(script: &Path, agent: Option<&str>, speed: u32) -> Result<Done, Failure> {
    let text = given_text(script, SCRIPT_MAX)?;
    let (stdin, stdout, stderr) = (std::io::stdin().lock(), std::io::stdout().lock(), std::io::stderr().lock());
    match perform(&text, agent, speed, stdin, stdout, stderr) {
        Ending::Exit(code) => Ok(Done::exit(code)),
        crash @ Ending::Crash => {
            // It ends this process by a signal, as a crash would.
            let _ = crash.leave();
            Ok(Done::exit(137))
        }
    }
}
