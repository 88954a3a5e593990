//! Gathering: the answers that a journal names, from the evidence, and where that lacks one, from memory.
//!
//! Memory is asked while the evidence is read, and waited for only where the evidence lacks something: slow, away or
//! lying it changes nothing else. An entry counts only when its bytes have the hash that the journal names.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::actors::mcp::memory::{self, Query};
use crate::actors::{Reply, evidence};
use crate::domain::failure::{DiskError, Failure};
use crate::domain::hash::Sha;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::{FileRef, Record};
use crate::domain::judgement::Gathered;
use crate::domain::moment::Moment;
use crate::domain::stage::Stage;

/// How long memory is waited for where the evidence lacks an answer, in milliseconds: longer than a cold start.
const PATIENCE_MS: u64 = 20_000;

/// One answer that was found.
pub type Found = (Stage, AgentName, FileRef, Arc<str>);

/// What gathering works with.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    pub(super) evidence: evidence::Handle,
    pub(super) memory: memory::Handle,
}

impl Sources {
    /// Finds the answers that a run's records name.
    ///
    /// # Errors
    /// [`Failure::BadReply`] for evidence that was altered; [`Failure::Cancelled`].
    pub(super) async fn gather(
        &self,
        spec: &SpecId,
        run: &RunId,
        records: &[(Moment, Record)],
        token: &CancellationToken,
    ) -> Result<(Vec<Found>, BTreeMap<Stage, Gathered>), Failure> {
        let named: Vec<(Stage, AgentName, FileRef)> = records.iter().filter_map(|(_, record)| named(record)).collect();
        // Ends the question to memory with us, whatever it does.
        let asking = token.child_token();
        let _asked = asking.clone().drop_guard();
        let copies = self.ask_memory(spec, run, &named, asking);
        let (mut found, mut lacking) = (Vec::new(), Vec::new());
        for (stage, agent, file) in named {
            match self.evidence.read(spec.clone(), run.clone(), file.clone(), token.clone()).await {
                Ok(text) => found.push((stage, agent, file, text)),
                Err(Failure::Disk { kind: DiskError::Missing, .. }) => lacking.push((stage, agent, file)),
                Err(failure) => return Err(failure),
            }
        }
        let mut gathered: BTreeMap<Stage, Gathered> = BTreeMap::new();
        if lacking.is_empty() {
            return Ok((found, gathered));
        }
        let copies = match copies.await {
            Ok(copies) => copies,
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(failure) => {
                tracing::warn!(%failure, "memory could not be asked for what the evidence lacks");
                BTreeMap::new()
            }
        };
        for (stage, agent, file) in lacking {
            let of_stage = gathered.entry(stage).or_default();
            match copies.get(&file.sha256) {
                Some(text) => {
                    of_stage.from_memory.insert(agent.clone());
                    found.push((stage, agent, file, Arc::clone(text)));
                }
                None => drop(of_stage.missing.insert(agent)),
            }
        }
        Ok((found, gathered))
    }

    fn ask_memory(
        &self,
        spec: &SpecId,
        run: &RunId,
        named: &[(Stage, AgentName, FileRef)],
        token: CancellationToken,
    ) -> Reply<BTreeMap<Sha, Arc<str>>> {
        let query = Query {
            tags: vec![format!("spec:{spec}"), format!("run:{run}")],
            wanted: named.iter().map(|(.., file)| file.sha256.clone()).collect(),
            patience_ms: PATIENCE_MS,
        };
        self.memory.gather(query, token)
    }
}

fn named(record: &Record) -> Option<(Stage, AgentName, FileRef)> {
    if let Record::AgentAnswered { stage, agent, artifact, .. } = record {
        Some((*stage, agent.clone(), artifact.clone()))
    } else {
        None
    }
}
