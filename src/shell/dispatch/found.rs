//! What the evidence keeps of a run that is gone on with: its records, and the files that they name.
//!
//! It must not decide whether the run is gone on with.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::Dispatch;
use crate::actors::{Reply, evidence};
use crate::app::msg::{Found, FoundRun};
use crate::domain::agenda::Topic;
use crate::domain::consensus::Inputs;
use crate::domain::failure::{DiskError, Failure};
use crate::domain::ids::{RunId, SpecId};
use crate::domain::journal::{self, FileRef, Record, base};
use crate::domain::moment::Moment;
use crate::domain::prompt;
use crate::domain::stage::Stage;

impl Dispatch {
    /// Finds a run to go on with, and reads the answers that it kept.
    pub(super) fn find(&self, spec: SpecId, closed: bool, stage: Stage, token: CancellationToken) -> Reply<Found> {
        let (evidence, consensus) = (self.hands.evidence.clone(), self.hands.consensus.clone());
        self.job(async move {
            let mut found = Found::default();
            for summary in evidence.runs(Some(spec.clone()), token.clone()).await? {
                let records = evidence.records(spec.clone(), summary.run.clone(), token.clone()).await?;
                for (_, record) in &records {
                    // What was about to be written when we were killed is ours, too.
                    if let Record::Published { documents, .. } | Record::PublishIntended { documents, .. } = record {
                        for document in documents {
                            found.published.entry(document.path.clone()).or_default().push(document.sha256.clone());
                        }
                    }
                }
                base::add_older(&mut found.bases, base::of_run(&summary.run, records.iter().map(|(_, record)| record)));
                let only = || records.iter().map(|(_, record)| record);
                let is_wanted = if closed {
                    only().any(|record| matches!(record, Record::StageOpened { stage: opened, .. } if *opened == stage))
                } else {
                    !records.is_empty() && journal::closed(only()).is_none()
                };
                if found.run.is_none() && is_wanted {
                    let gathering = consensus.gather(spec.clone(), summary.run.clone(), records.clone(), token.clone());
                    let (answers, gathered) = gathering.await?;
                    let of = (&spec, &summary.run);
                    let rounds = texts(&evidence, of, only().filter_map(Record::of_round), &token).await?;
                    // What is not there any more cannot be gone on with.
                    let changes = texts(&evidence, of, only().filter_map(Record::of_change), &token).await?;
                    let inputs = inputs(&evidence, &spec, &summary.run, &records, &token).await?;
                    let agendas = agendas(&evidence, &spec, &summary.run, &records, &token).await?;
                    let run = summary.run;
                    found.run = Some(FoundRun { run, records, rounds, answers, changes, inputs, agendas, gathered });
                }
            }
            Ok(found)
        })
    }
}

/// Reads files that a run's records name, by path.
async fn texts<'r>(
    evidence: &evidence::Handle,
    (spec, run): (&SpecId, &RunId),
    files: impl Iterator<Item = &'r FileRef>,
    token: &CancellationToken,
) -> Result<BTreeMap<String, Arc<str>>, Failure> {
    let mut texts = BTreeMap::new();
    for file in files {
        let text = evidence.read(spec.clone(), run.clone(), file.clone(), token.clone()).await?;
        texts.insert(file.path.clone(), text);
    }
    Ok(texts)
}

/// Reads what each stage of a run was opened with, the last time.
async fn inputs(
    evidence: &evidence::Handle,
    spec: &SpecId,
    run: &RunId,
    records: &[(Moment, Record)],
    token: &CancellationToken,
) -> Result<BTreeMap<Stage, Inputs>, Failure> {
    let mut opened = BTreeMap::new();
    for (_, record) in records {
        if let Record::StageOpened { stage, inputs, .. } = record {
            let text = evidence.read(spec.clone(), run.clone(), inputs.clone(), token.clone()).await?;
            let bad =
                |error: serde_json::Error| Failure::BadReply { from: inputs.path.clone(), why: error.to_string() };
            opened.insert(*stage, serde_json::from_str(&text).map_err(bad)?);
        }
    }
    Ok(opened)
}

/// Reads what each stage of a run was asked, the last time; every prompt of a stage asks the same. Where the prompt is not
/// there any more, what is asked today stands for it.
async fn agendas(
    evidence: &evidence::Handle,
    spec: &SpecId,
    run: &RunId,
    records: &[(Moment, Record)],
    token: &CancellationToken,
) -> Result<BTreeMap<Stage, Vec<Topic>>, Failure> {
    let mut asked = BTreeMap::new();
    for (_, record) in records {
        if let Record::StageOpened { stage, prompts, .. } = record
            && let Some(prompt) = prompts.first()
        {
            match evidence.read(spec.clone(), run.clone(), prompt.clone(), token.clone()).await {
                Ok(text) => asked.extend(prompt::asked(&text).map(|agenda| (*stage, agenda))),
                Err(Failure::Disk { kind: DiskError::Missing, .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(asked)
}
