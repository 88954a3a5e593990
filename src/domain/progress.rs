//! How far a spec has come: which of its stages are behind it, and which one is next.
//!
//! The same for whoever asks, on screen and without one. It must not read anything: it is told what is recorded.

use std::collections::{BTreeMap, BTreeSet};

use super::skip::Skipped;
use super::stage::Stage;

/// What is recorded of a stage.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Step {
    /// Whether the next stage may follow: the verdict can be read, lets the spec pass, and is about what is there now.
    pub has_passed: bool,
    /// Whether it is about commits that were made elsewhere.
    pub is_of_commits: bool,
    /// Stages before it that were left out, and why.
    pub skipped: Skipped,
}

/// Returns the first stage that is not behind a spec. What nobody recorded before an audit of commits that passed was done
/// elsewhere, and so was what the caller says.
pub fn next(recorded: &BTreeMap<Stage, Step>, elsewhere: &BTreeSet<Stage>) -> Option<Stage> {
    let left_out = left_out(recorded);
    let audit = recorded.get(&Stage::Audit).filter(|_| !recorded.contains_key(&Stage::Implement));
    let is_audited = audit.is_some_and(|audit| audit.is_of_commits && audit.has_passed);
    let is_behind = |stage: Stage| match recorded.get(&stage) {
        Some(step) => step.has_passed || left_out.contains_key(&stage),
        None => left_out.contains_key(&stage) || (is_audited && stage < Stage::Audit) || elsewhere.contains(&stage),
    };
    Stage::ALL.into_iter().find(|stage| !is_behind(*stage))
}

/// Returns what the verdicts say was left out, where nothing that passed is recorded.
pub fn left_out(recorded: &BTreeMap<Stage, Step>) -> Skipped {
    let mut left_out: Skipped = recorded.values().flat_map(|step| step.skipped.clone()).collect();
    left_out.retain(|stage, _| !recorded.get(stage).is_some_and(|step| step.has_passed));
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(has_passed: bool) -> Step {
        Step { has_passed, ..Step::default() }
    }

    fn next_of(recorded: &[(Stage, Step)]) -> Option<Stage> {
        next(&recorded.iter().cloned().collect(), &BTreeSet::new())
    }

    #[test]
    fn the_next_stage_is_the_first_that_nothing_recorded_lets_pass() {
        assert_eq!(next_of(&[]), Some(Stage::Plan));
        assert_eq!(next_of(&[(Stage::Plan, step(true))]), Some(Stage::Tasks));
        assert_eq!(next_of(&[(Stage::Plan, step(false)), (Stage::Tasks, step(true))]), Some(Stage::Plan));
        assert_eq!(next_of(&[(Stage::Tasks, step(true))]), Some(Stage::Plan), "a later one is no plan");
        assert_eq!(next_of(&Stage::ALL.map(|stage| (stage, step(true)))), None);
    }

    #[test]
    fn what_was_left_out_or_done_elsewhere_is_behind_it() {
        let reason = Skipped::from([(Stage::Plan, "by hand".to_owned())]);
        let tasks = (Stage::Tasks, Step { skipped: reason.clone(), ..step(true) });
        assert_eq!(next_of(std::slice::from_ref(&tasks)), Some(Stage::Implement));
        assert_eq!(next_of(&[(Stage::Plan, step(false)), tasks.clone()]), Some(Stage::Implement));
        assert_eq!(left_out(&[tasks.clone()].into()), reason);
        assert_eq!(left_out(&[(Stage::Plan, step(true)), tasks].into()), Skipped::new());
        let audit = |has_passed| (Stage::Audit, Step { is_of_commits: true, ..step(has_passed) });
        assert_eq!(next_of(&[audit(true)]), Some(Stage::Unlock));
        assert_eq!(next_of(&[audit(false)]), Some(Stage::Plan));
        assert_eq!(next_of(&[(Stage::Implement, step(true)), audit(true)]), Some(Stage::Plan));
        let elsewhere = BTreeSet::from([Stage::Plan, Stage::Tasks]);
        assert_eq!(next(&BTreeMap::new(), &elsewhere), Some(Stage::Implement));
        assert_eq!(next(&[(Stage::Plan, step(false))].into(), &elsewhere), Some(Stage::Plan), "our own verdict counts");
    }
}
