//! One run in one line, for lists.
//!
//! It must not know files.

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
}

impl RunSummary {
    /// Sums up the records of a run.
    pub fn of(spec: SpecId, run: RunId, entries: &[(Moment, Record)], damage: Option<String>) -> Self {
        let mut stages = Vec::new();
        let mut verdicts: Vec<Decided> = Vec::new();
        for (_, record) in entries {
            if let Record::RunOpened { stages: asked, .. } = record {
                stages.clone_from(asked);
            } else if let Record::StageDecided { stage, status, exit, .. } = record {
                verdicts.retain(|d| d.stage != *stage);
                verdicts.push(Decided { stage: *stage, status: status.clone(), exit: *exit });
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
