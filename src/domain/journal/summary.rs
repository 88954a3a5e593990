//! One run in one line, for lists.
//!
//! It must not know files.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Closed, Record, closed};
use crate::domain::ids::{RunId, SpecId};
use crate::domain::moment::Moment;
use crate::domain::stage::Stage;

/// What a list shows of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// The spec.
    pub spec: SpecId,
    /// The run.
    pub run: RunId,
    /// When its first record was written.
    pub opened: Option<Moment>,
    /// When its last record was written.
    pub updated: Option<Moment>,
    /// The stages asked for.
    pub stages: Vec<Stage>,
    /// The last verdict of each stage that has one.
    pub verdicts: Vec<Decided>,
    /// Why it is closed; `None` while it can go on.
    pub closed: Option<Closed>,
    /// Why its journal cannot be read whole.
    pub damage: Option<String>,
}

/// A stage's verdict in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// The stage.
    pub stage: Stage,
    /// The status by name.
    pub status: String,
    /// The exit code.
    pub exit: u8,
    /// From the opening of the stage to its first verdict, in milliseconds; `None` if it was stopped and gone on with in
    /// between: then nobody knows how long the work took.
    pub took_ms: Option<u64>,
}

/// Decided stages that a typical time is taken from: the latest ones, because panels change.
const TYPICAL_OF: usize = 20;

/// Returns how long each stage usually takes, in milliseconds: the median of the latest stages that were decided without
/// a stop.
pub fn typical(runs: &[RunSummary]) -> BTreeMap<Stage, u64> {
    let mut latest: Vec<&RunSummary> = runs.iter().collect();
    latest.sort_by_key(|run| std::cmp::Reverse((run.opened, run.run.clone())));
    let mut took: BTreeMap<Stage, Vec<u64>> = BTreeMap::new();
    for decided in latest.iter().flat_map(|run| &run.verdicts) {
        let of_stage = took.entry(decided.stage).or_default();
        of_stage.extend(decided.took_ms.filter(|_| of_stage.len() < TYPICAL_OF));
    }
    took.retain(|_, times| !times.is_empty());
    took.into_iter()
        .map(|(stage, mut times)| {
            times.sort_unstable();
            (stage, times[times.len() / 2])
        })
        .collect()
}

impl RunSummary {
    /// Sums up the records of a run.
    pub fn of(spec: SpecId, run: RunId, entries: &[(Moment, Record)], damage: Option<String>) -> Self {
        let mut stages = Vec::new();
        let mut verdicts: Vec<Decided> = Vec::new();
        let mut asked_at: Option<Moment> = None;
        for (at, record) in entries {
            if let Record::RunOpened { stages: asked, .. } = record {
                stages.clone_from(asked);
            } else if let Record::StageOpened { .. } = record {
                asked_at = Some(*at);
            } else if let Record::RunResumed { .. } | Record::RunReopened { .. } = record {
                asked_at = None;
            } else if let Record::StageDecided { stage, status, exit, .. } = record {
                let before = verdicts.iter().position(|d| d.stage == *stage).map(|at| verdicts.remove(at));
                let took_ms = asked_at.take().map(|since| at.since(since));
                let took_ms = before.map_or(took_ms, |before| before.took_ms);
                verdicts.push(Decided { stage: *stage, status: status.clone(), exit: *exit, took_ms });
            }
        }
        Self {
            spec,
            run,
            opened: entries.first().map(|(at, _)| *at),
            updated: entries.last().map(|(at, _)| *at),
            stages,
            verdicts,
            closed: closed(entries.iter().map(|(_, record)| record)),
            damage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: u64, took_ms: Option<u64>) -> RunSummary {
        RunSummary {
            spec: SpecId::new("001-x").unwrap(),
            run: RunId::try_from(format!("{n:026}")).unwrap(),
            opened: Some(Moment(n)),
            updated: None,
            stages: vec![Stage::Plan],
            verdicts: vec![Decided { stage: Stage::Plan, status: "agree".into(), exit: 0, took_ms }],
            closed: None,
            damage: None,
        }
    }

    #[test]
    fn what_is_typical_is_the_median_of_the_latest_stages_that_nobody_stopped() {
        assert!(typical(&[]).is_empty());
        assert!(typical(&[run(1, None)]).is_empty());
        let few = [run(1, Some(10)), run(2, Some(500)), run(3, None), run(4, Some(30))];
        assert_eq!(typical(&few), BTreeMap::from([(Stage::Plan, 30)]));
        // The oldest do not count any more.
        let many: Vec<RunSummary> = (0..60).map(|n| run(n, Some(if n < 40 { 1 } else { 7 }))).collect();
        assert_eq!(typical(&many), BTreeMap::from([(Stage::Plan, 7)]));
    }
}
