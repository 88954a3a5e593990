//! Exit codes: of stages that were decided, of a run, of several runs.

use super::verdict::carried;
use crate::app::model::{Model, Phase, Run};
use crate::domain::stage::Stage;

/// Exit codes from worst to best, for a run of several stages (product contract, "auto").
const WORST_FIRST: [u8; 8] = [130, 3, 2, 1, 4, 5, 6, 0];

/// Returns the exit code of a run: why it ended, else the worst of its stages.
pub(super) fn exit(model: &Model, run: &Run) -> u8 {
    match (&run.phase, &run.stop) {
        (Phase::Failed(failure), _) => return failure.exit(),
        (Phase::Stopped, Some(stop)) => return stop.exit,
        // Nothing was decided.
        _ if run.options.undo => return 0,
        _ => {}
    }
    let worst = match run.rewritten {
        // A person has said yes to what it brought.
        Some(_) => 0,
        None => exit_of(run.verdicts.iter().map(|(stage, judgement)| (*stage, judgement.verdict.exit))),
    };
    // The last stage's ledger knows what became of the dissents of those before it.
    let has_dissent =
        || run.verdicts.last_key_value().is_some_and(|(_, judgement)| carried(judgement).next().is_some());
    if worst == 0 && model.boot.fail_on_dissent && has_dissent() { 1 } else { worst }
}

/// Exit codes that let a stage before the audit go on (product §4.4): hollow and degraded.
const FLAGGED: [u8; 2] = [5, 6];

/// Returns the exit code of stages that were decided, in their order: that of the stage where it stopped, else the
/// worst of them.
pub fn exit_of(stages: impl Iterator<Item = (Stage, u8)> + Clone) -> u8 {
    let is_stop = |(stage, exit): &(Stage, u8)| *exit != 0 && (*stage > Stage::Validate || !FLAGGED.contains(exit));
    let stopped = stages.clone().last().filter(is_stop);
    stopped.map_or_else(|| worst(stages.map(|(_, exit)| exit)), |(_, exit)| exit)
}

/// Returns the worst of some exit codes. One without a place in the order says why nothing was decided at all: it
/// comes before all of them. None at all means that something is broken.
pub fn worst(codes: impl Iterator<Item = u8>) -> u8 {
    let rank = |code: &u8| WORST_FIRST.iter().position(|known| known == code).map_or(0, |at| at + 1);
    codes.min_by_key(rank).unwrap_or(3)
}
