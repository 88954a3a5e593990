//! Runs that other processes own: which there are, what their journals and transcripts tell, and how an owner is asked
//! to stop one. Everything is read without a lock, and nothing of theirs is changed.
//!
//! It must not know what is shown.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::hands::Hands;
use crate::actors::evidence::Grown;
use crate::actors::{Reply, Scope, evidence, promise, transcript};
use crate::app::msg::{ForeignNews, ForeignRun};
use crate::disk::lock::{self, Note};
use crate::disk::proc;
use crate::disk::store::Store;
use crate::domain::failure::Failure;
use crate::domain::ids::{AgentName, RunId, SpecId};
use crate::domain::journal::summary::RunSummary;
use crate::domain::journal::{self, FileRef, Record};
use crate::domain::moment::Moment;
use crate::domain::run::{Progress, SeatKey, TAIL_LINES};
use crate::domain::stage::Stage;
use crate::domain::stream::Usage;
use crate::domain::transcript::{Anchor, PageRequest, path_of};

/// How often a journal is looked at: what it tells is shown as good as at once, and a look costs one at its
/// length.
const LOOK: Duration = Duration::from_millis(100);

/// How many looks without news until what agents write is told all the same.
const LOOKS: u32 = 5;

/// How long after the lock was given back the journal may still lack its last word.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Columns that a line of a transcript is cut to on its way to the screen.
const WIDTH: u16 = 200;

/// Where transcripts lie.
const TRANSCRIPTS: &str = ".dicast/transcripts";

/// Looks at the runs of other processes; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    scope: Scope,
    evidence: evidence::Handle,
    transcript: transcript::Handle,
    repo: PathBuf,
    /// What was read of the journals that are followed.
    known: Arc<Mutex<BTreeMap<RunId, Known>>>,
}

/// A journal as it was read last. It is read again once it is longer.
#[derive(Debug, Clone)]
struct Known {
    bytes: u64,
    records: Arc<[(Moment, Record)]>,
}

impl Foreign {
    pub(super) fn new(hands: &Hands, repo: PathBuf) -> Self {
        let (scope, evidence, transcript) = (hands.scope.clone(), hands.evidence.clone(), hands.transcript.clone());
        Self { scope, evidence, transcript, repo, known: Arc::default() }
    }

    fn job<T: Send + 'static>(&self, work: impl Future<Output = Result<T, Failure>> + Send + 'static) -> Reply<T> {
        let (promise, reply) = promise("foreign runs", self.scope.waker());
        self.scope.answer(self.scope.cancel.clone(), promise, work);
        reply
    }

    /// Reads what was run before, and finds out what others run now.
    pub(super) fn recall(&self) -> Reply<(Vec<RunSummary>, Vec<ForeignRun>)> {
        let this = self.clone();
        self.job(async move {
            let runs = this.evidence.runs(None, this.scope.cancel.clone()).await?;
            // A live run is the newest of its spec but for one that was reopened: that one was written last.
            let mut newest: BTreeMap<&SpecId, &RunSummary> = BTreeMap::new();
            for run in &runs {
                let known = newest.entry(&run.spec).or_insert(run);
                if (run.updated, &run.run) > (known.updated, &known.run) {
                    *known = run;
                }
            }
            let mut foreign = Vec::new();
            for run in newest.into_values().filter(|run| run.closed.is_none()) {
                if let Some(note) = this.owner(&run.spec).await? {
                    foreign.push(ForeignRun { spec: run.spec.clone(), run: run.run.clone(), owner: note.owner() });
                }
            }
            Ok((runs, foreign))
        })
    }

    /// Returns who owns the live run of a spec, if it is another process.
    async fn owner(&self, spec: &SpecId) -> Result<Option<Note>, Failure> {
        let note = self.evidence.owner(spec.clone(), self.scope.cancel.clone()).await?;
        let is_ours = |note: &Note| note.pid == std::process::id() && note.host == lock::host();
        Ok(note.filter(|note| !is_ours(note)))
    }

    /// Tells what the journal of a run has beyond the records that were seen: as soon as there is something, and after
    /// [`LOOKS`] looks in any case.
    pub(super) fn follow(&self, spec: SpecId, run: RunId, seen: usize) -> Reply<ForeignNews> {
        let this = self.clone();
        self.job(async move {
            let mut looks = 0;
            loop {
                looks += 1;
                // The owner first: what was written before the lock was given back is then in the journal.
                let owner = this.owner(&spec).await?;
                if owner.is_none() {
                    tokio::time::sleep(LAST_WORDS).await;
                }
                let records = this.records(&spec, &run).await?;
                if owner.is_none() {
                    this.journals().remove(&run);
                }
                if records.len() > seen || owner.is_none() || looks >= LOOKS {
                    return Ok(this.news(spec, run, seen, owner, records).await);
                }
                tokio::time::sleep(LOOK).await;
            }
        })
    }

    /// Reads the records of a run, or takes those that are known while its journal is as long as it was.
    async fn records(&self, spec: &SpecId, run: &RunId) -> Result<Arc<[(Moment, Record)]>, Failure> {
        let known = self.journals().get(run).cloned();
        let (bytes, token) = (known.as_ref().map(|known| known.bytes), self.scope.cancel.clone());
        match self.evidence.records_beyond(spec.clone(), run.clone(), bytes, token).await? {
            None => Ok(known.map(|known| known.records).unwrap_or_default()),
            Some(Grown { bytes, records }) => {
                let records: Arc<[_]> = records.into();
                self.journals().insert(run.clone(), Known { bytes, records: Arc::clone(&records) });
                Ok(records)
            }
        }
    }

    fn journals(&self) -> MutexGuard<'_, BTreeMap<RunId, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn news(
        &self,
        spec: SpecId,
        run: RunId,
        seen: usize,
        owner: Option<Note>,
        records: Arc<[(Moment, Record)]>,
    ) -> ForeignNews {
        let closed = journal::closed(records.iter().map(|(_, record)| record));
        let mut texts = BTreeMap::new();
        let new = records.get(seen..).unwrap_or_default();
        for file in new.iter().flat_map(|(_, record)| shown(record)) {
            match self.evidence.read(spec.clone(), run.clone(), file.clone(), self.scope.cancel.clone()).await {
                Ok(text) => drop(texts.insert(file.path.clone(), text)),
                // It is shown without: `evidence verify` says what is wrong.
                Err(failure) => tracing::warn!(%failure, "a file of another process's run cannot be read"),
            }
        }
        let mut progress = Vec::new();
        for seat in asked(&run, &records) {
            progress.extend(self.progress(seat).await);
        }
        let (total, last) = (records.len(), records.last().map(|(at, _)| *at));
        let stopped_by = stopped_by(&records);
        let owner = owner.filter(|_| closed.is_none()).map(|note| note.owner());
        let records = new.to_vec();
        ForeignNews { owner, records, seen: total, last, closed, stopped_by, texts, progress }
    }

    /// Reads what an agent wrote last; nothing where it wrote nothing yet.
    async fn progress(&self, seat: SeatKey) -> Option<Progress> {
        let height = u16::try_from(TAIL_LINES).unwrap_or(u16::MAX);
        let request = PageRequest { seat: seat.clone(), width: WIDTH, height, from: Anchor::Tail, search: None };
        let page = self.transcript.page(request).await.ok()?;
        let (store, path) = (Store::real(&self.repo), format!("{TRANSCRIPTS}/{}", path_of(&seat)));
        let size = self.scope.spawn_blocking(move || store.size(path)).await.ok()?.ok()?;
        let tail: Arc<[_]> = page.rows.into_iter().map(|row| row.text).collect();
        let doing = tail.last()?.clone();
        Some(Progress { seat, doing, lines: page.total, bytes: size.unwrap_or(0), usage: Usage::default(), tail })
    }

    /// Asks the process that owns the live run of a spec to stop it.
    pub(super) fn ask_owner(&self, spec: SpecId) -> Reply<String> {
        let this = self.clone();
        self.job(async move {
            let Some(note) = this.owner(&spec).await? else { return Ok(format!("nobody runs {spec} any more")) };
            match interrupt(&spec, &note)? {
                true => Ok(format!("pid {} is asked to stop; what was answered is kept", note.pid)),
                false => Ok("it had just ended".to_owned()),
            }
        })
    }
}

/// Returns the files of a record that are shown.
fn shown(record: &Record) -> Vec<&FileRef> {
    if let Record::AgentAnswered { artifact, .. } = record {
        vec![artifact]
    } else if let Record::StageOpened { stage: Stage::Audit, inputs, .. } = record {
        vec![inputs]
    } else if let Record::StageDecided { panel, verdict, .. } = record {
        vec![panel, verdict]
    } else {
        record.of_round().into_iter().collect()
    }
}

/// Returns who is asked now, by a journal.
fn asked(run: &RunId, records: &[(Moment, Record)]) -> Vec<SeatKey> {
    let mut asked: BTreeMap<&AgentName, SeatKey> = BTreeMap::new();
    for (_, record) in records {
        if let Record::AgentLaunched { stage, agent, attempt, .. } = record {
            let seat = SeatKey { run: run.clone(), stage: *stage, attempt: *attempt, agent: agent.clone() };
            asked.insert(agent, seat);
        } else if let Record::AgentAnswered { agent, .. }
        | Record::AgentFailed { agent, .. }
        | Record::RoundAnswered { agent, .. } = record
        {
            asked.remove(agent);
        } else if let Record::RunStopped { .. } | Record::RunResumed { .. } = record {
            asked.clear();
        }
    }
    asked.into_values().collect()
}

/// Returns who stopped the run last, if nobody has gone on with it.
fn stopped_by(records: &[(Moment, Record)]) -> Option<String> {
    let mut by = None;
    for (_, record) in records {
        if let Record::RunStopped { by: who, .. } = record {
            by = Some(who.clone());
        } else if let Record::RunResumed { .. } | Record::RunReopened { .. } = record {
            by = None;
        }
    }
    by
}

/// Tells whether the process that wrote a lock's note still runs. A process id can be given to another process: only
/// the one that started when the note says is it.
pub fn lives(note: &Note) -> bool {
    proc::look(note.pid).is_some_and(|process| !process.has_ended && Some(process.start) == note.started)
}

/// Asks the process that owns the live run of a spec to stop it, as Ctrl-C there does; `false` if it had just ended.
///
/// # Errors
/// Exit 3 when it runs on another machine, cannot be told from another process, or does not take signals of ours.
pub fn interrupt(spec: &SpecId, note: &Note) -> Result<bool, Failure> {
    let who = note.owner();
    let elsewhere = |why: &str| Failure::BadInput {
        place: format!("the run of {spec}"),
        why: format!("it is owned by {who}{why}"),
        next: "stop it there".into(),
        exit: 3,
    };
    if note.host != lock::host() {
        return Err(elsewhere(""));
    }
    let pid = i32::try_from(note.pid).ok().and_then(Pid::from_raw).filter(|_| lives(note));
    let Some(pid) = pid else { return Err(elsewhere(", which cannot be told from another process")) };
    match kill_process(pid, Signal::INT) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::SRCH) => Ok(false),
        Err(error) => Err(elsewhere(&format!(" and does not take signals of ours ({error})"))),
    }
}
