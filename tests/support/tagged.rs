//! What is left of a run among the processes of this machine.

use dicast::actors::agents::process::RUN_VAR;
use dicast::disk::proc;

/// Returns the processes that bear a run's tag.
pub(crate) fn tagged(run: &str) -> Vec<u32> {
    proc::living()
        .into_iter()
        .filter(|process| proc::variable(&proc::environment(process.pid), RUN_VAR) == Some(run))
        .map(|process| process.pid)
        .collect()
}
