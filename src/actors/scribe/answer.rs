//! What a person said about an issue, carried out: the edit, then its entry in the spec's ledger.
//!
//! The edit comes first: an answer whose entry a crash took away has still changed the text, so its question is gone.

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;

use super::Scribe;
use super::pen::{self, Written};
use crate::actors::evidence::backup_of;
use crate::disk::store::is_inside;
use crate::domain::failure::Failure;
use crate::domain::gate::{self, Answered, Entry, Gate, Held, Issue, Response, Say};
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::moment::Moment;
use crate::domain::safe::Safe;
use crate::domain::spec::DOCUMENT_MAX;

impl Scribe {
    /// Holds gates with what the ledger knows.
    pub(super) async fn hold(
        &self,
        spec: SpecId,
        gates: BTreeSet<Gate>,
        token: CancellationToken,
    ) -> Result<Held, Failure> {
        let entries = self.entries(&spec, &token).await?;
        self.repo.hold(self.root.clone(), spec, gates, entries, token).await
    }

    async fn entries(&self, spec: &SpecId, token: &CancellationToken) -> Result<Vec<Entry>, Failure> {
        let ledger = self.evidence.read_ledger(spec.clone(), token.clone()).await?;
        Ok(ledger.iter().filter_map(|(_, value)| gate::entry(value)).collect())
    }

    /// Carries out what was said, and holds the gates again.
    pub(super) async fn respond(
        &self,
        spec: SpecId,
        gates: BTreeSet<Gate>,
        response: Response,
        at: Moment,
        token: CancellationToken,
    ) -> Result<Held, Failure> {
        let _turn = self.turn.lock().await;
        let entry = match &response.what {
            Say::Undo => self.undo(&spec, &response, at, &token).await?,
            Say::Answer(_) | Say::Accept | Say::Defer(_) => {
                // All gates: an id that was shown by one must not be unknown to another.
                let held = self.hold(spec.clone(), Gate::ALL.into(), token.clone()).await?;
                let issue = held.asked(&response.issue)?;
                self.said(&spec, issue, &response, at, &token).await?
            }
        };
        let record = serde_json::to_value(&entry)
            .map_err(|e| Failure::BadReply { from: "the ledger".into(), why: e.to_string() })?;
        self.evidence.append_ledger(spec.clone(), at, vec![record], token.clone()).await?;
        self.hold(spec, gates, token).await
    }

    async fn said(
        &self,
        spec: &SpecId,
        issue: &Issue,
        response: &Response,
        at: Moment,
        token: &CancellationToken,
    ) -> Result<Entry, Failure> {
        let (id, gate, ask, by) = (issue.id.clone(), issue.gate, issue.ask.to_string(), response.by.clone());
        let (answer, edit) = match &response.what {
            Say::Answer(text) => (text.clone(), issue.edit_for(text)),
            Say::Accept => {
                let first = issue.choices.first();
                (first.map(|choice| choice.words.to_string()).unwrap_or_default(), first.map(|c| c.edit.clone()))
            }
            Say::Defer(reason) if reason.trim().is_empty() => {
                return Err(Failure::usage("--reason", "it is empty", "say why it can wait"));
            }
            Say::Defer(reason) => return Ok(Entry::Deferred { issue: id, gate, ask, by, reason: reason.clone() }),
            Say::Undo => return Ok(Entry::Undone { issue: id, by }),
        };
        let edit = edit.ok_or_else(|| no_edit(spec, issue, &answer))?;
        let file = edit.file.clone();
        let guard = self.lock(at, token).await?;
        let name = spec.clone();
        let written = self.off_thread(move |store| pen::change(store, &name, &edit)).await;
        drop(guard);
        let Written { before, after, backup } = written?;
        Ok(Entry::Answered(Answered { issue: id, gate, ask, answer, by, file, before, after, backup }))
    }

    /// Takes the last word back, an answer or a deferral: a document gets its old text again, unless somebody changed it
    /// since.
    async fn undo(
        &self,
        spec: &SpecId,
        response: &Response,
        at: Moment,
        token: &CancellationToken,
    ) -> Result<Entry, Failure> {
        let entries = self.entries(spec, token).await?;
        let by = response.by.clone();
        let answered = match gate::last_word(&entries, &response.issue) {
            Some(Entry::Answered(answered)) => answered.clone(),
            Some(Entry::Deferred { issue, .. } | Entry::Undone { issue, .. }) => {
                return Ok(Entry::Undone { issue: issue.clone(), by });
            }
            None => {
                let next = format!("run `dicast gate {spec} --list` to see what is open");
                return Err(Failure::usage("--undo", "nothing was answered or put off that could be taken back", next));
            }
        };
        let held = self.hold(spec.clone(), BTreeSet::new(), token.clone()).await?;
        is_ours(&held, &answered)?;
        let guard = self.lock(at, token).await?;
        let kept = answered.clone();
        let restored = self.off_thread(move |store| restore(store, &kept)).await;
        drop(guard);
        restored?;
        Ok(Entry::Undone { issue: answered.issue, by })
    }
}

/// Refuses an entry that no answer of ours has made. A ledger can come with a repository that somebody else wrote: what
/// it names is neither read nor written unless it is a document of the spec, and the backup the one that we would keep.
fn is_ours(held: &Held, answered: &Answered) -> Result<(), Failure> {
    let backup = backup_of(&held.spec, &answered.file, &answered.before);
    if held.documents.contains(&answered.file) && answered.backup == backup && is_inside(&backup) {
        return Ok(());
    }
    Err(Failure::BadInput {
        place: format!("the ledger of {}", held.spec),
        why: format!("the last answer names {}, which no answer changes", Safe::line(&answered.file)),
        next: "nothing was read or written: find out who wrote that ledger, and edit the spec by hand".into(),
        exit: 3,
    })
}

fn restore(store: &crate::disk::Store, answered: &Answered) -> Result<(), Failure> {
    let lost = || Failure::BadInput {
        place: answered.backup.clone(),
        why: "the old text is not there any more, or was altered".into(),
        next: format!("restore {} with git", answered.file),
        exit: 3,
    };
    let bytes = store.read(&answered.backup, DOCUMENT_MAX)?.ok_or_else(lost)?;
    if Sha::of(&bytes) != answered.before {
        return Err(lost());
    }
    let text = String::from_utf8(bytes).map_err(|_| lost())?;
    pen::put(store, &answered.file, &text, &answered.after)
}

fn no_edit(spec: &SpecId, issue: &Issue, answer: &str) -> Failure {
    let place = format!("{}:{}", issue.place.file, issue.place.line);
    let why = if issue.choices.is_empty() && issue.slot.is_none() {
        format!("{} has no place for an answer", issue.id)
    } else if answer.trim().is_empty() {
        format!("{} has no suggested answer", issue.id)
    } else {
        format!("{} has no such choice", issue.id)
    };
    let id = &issue.id;
    let next = format!("edit {place} by hand, or put it off: dicast gate {spec} --defer {id} --reason T");
    Failure::needs_input(place, why, next)
}
