//! A proposed text in the place of a spec's document, and back.
//!
//! As with answers the document comes first, then its entry in the spec's ledger: where a crash took the entry away,
//! whoever says the same again adds it. It must not know who proposed the text.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::pen::{self, Written};
use super::{Scribe, Word};
use crate::actors::evidence::backup_of;
use crate::disk::Store;
use crate::disk::store::is_inside;
use crate::domain::compare::Change;
use crate::domain::failure::Failure;
use crate::domain::gate::Gate;
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::proposal::{self, Adopted, Deed, Entry, Fit, Proposal, Rewritten, last_adopted};
use crate::domain::safe::Safe;
use crate::domain::spec::DOCUMENT_MAX;

/// What writing a proposal came to.
enum Outcome {
    Written(Written),
    /// The document was what is proposed; the backup of the text before, if it is there.
    Already(Option<String>),
}

impl Scribe {
    /// Reads what is proposed.
    pub(super) async fn proposed(&self, spec: SpecId, token: &CancellationToken) -> Result<Proposal, Failure> {
        self.repo.proposal(self.root.clone(), spec, token.clone()).await
    }

    /// Writes what is proposed, unless the document or the proposal is not the one that was looked at.
    pub(super) async fn adopt(
        &self,
        word: Word,
        seen: Option<Sha>,
        token: &CancellationToken,
    ) -> Result<Rewritten, Failure> {
        let _turn = self.turn.lock().await;
        let proposal = self.proposed(word.spec.clone(), token).await?;
        if seen.is_some_and(|seen| seen != proposal.after) {
            return Err(proposal::replaced(&proposal));
        }
        proposal.fits()?;
        if proposal.fit == Fit::Unchanged {
            return self.rewritten(&word, &proposal.file, (Deed::Unchanged, Change::default(), None), token).await;
        }
        let guard = self.lock(word.at, token).await?;
        let wanted = proposal.clone();
        let (deed, backup) = match self.off_thread(move |store| adopt(store, &wanted)).await? {
            Outcome::Written(written) => (Deed::Adopted, Some(written.backup)),
            Outcome::Already(backup) => (Deed::Already, backup),
        };
        // Under the lock: of two who say the same at once, one is recorded.
        if let Some(backup) = backup.clone() {
            let last = last_adopted(&self.adoptions(&word.spec, token).await?).cloned();
            if deed == Deed::Adopted || last.is_none_or(|last| last.after != proposal.after) {
                let adopted = Adopted {
                    verdict: proposal.verdict.clone(),
                    by: word.by.clone(),
                    file: proposal.file.clone(),
                    before: proposal.judged.clone(),
                    after: proposal.after.clone(),
                    backup,
                };
                self.note(&word, Entry::Adopted(adopted), token).await?;
            }
        }
        drop(guard);
        self.rewritten(&word, &proposal.file, (deed, proposal.change, backup), token).await
    }

    /// Gives the document its old text again, unless somebody changed it since.
    pub(super) async fn restore(&self, word: Word, token: &CancellationToken) -> Result<Rewritten, Failure> {
        let _turn = self.turn.lock().await;
        let entries = self.adoptions(&word.spec, token).await?;
        let Some(adopted) = last_adopted(&entries).cloned() else {
            let next = format!("run `dicast specify {}` to see what is proposed", word.spec);
            return Err(Failure::usage("--undo", "no proposal was written that could be taken back", next));
        };
        let held = self.hold(word.spec.clone(), BTreeSet::new(), token.clone()).await?;
        is_ours(&word.spec, &held.documents, &adopted)?;
        let guard = self.lock(word.at, token).await?;
        let (spec, kept) = (word.spec.clone(), adopted.clone());
        let change = self.off_thread(move |store| restore(store, &spec, &kept)).await?;
        let Adopted { file, before: after, after: before, .. } = adopted;
        self.note(&word, Entry::Restored { by: word.by.clone(), file: file.clone(), before, after }, token).await?;
        drop(guard);
        self.rewritten(&word, &file, (Deed::Restored, change, None), token).await
    }

    async fn adoptions(&self, spec: &SpecId, token: &CancellationToken) -> Result<Vec<Entry>, Failure> {
        let ledger = self.evidence.read_ledger(spec.clone(), token.clone()).await?;
        Ok(ledger.iter().filter_map(|(_, value)| proposal::entry(value)).collect())
    }

    async fn note(&self, word: &Word, entry: Entry, token: &CancellationToken) -> Result<(), Failure> {
        let record = serde_json::to_value(&entry)
            .map_err(|e| Failure::BadReply { from: "the ledger".into(), why: e.to_string() })?;
        self.evidence.append_ledger(word.spec.clone(), word.at, vec![record], token.clone()).await
    }

    async fn rewritten(
        &self,
        word: &Word,
        file: &str,
        (deed, change, backup): (Deed, Change, Option<String>),
        token: &CancellationToken,
    ) -> Result<Rewritten, Failure> {
        let held = Arc::new(self.hold(word.spec.clone(), [Gate::Clarify].into(), token.clone()).await?);
        let (spec, by, file) = (word.spec.clone(), word.by.clone(), file.to_owned());
        Ok(Rewritten { spec, file, deed, by, change, backup, held })
    }
}

/// Writes a proposal into a document that must still be the one that it is about.
fn adopt(store: &Store, proposal: &Proposal) -> Result<Outcome, Failure> {
    let (spec, file) = (&proposal.spec, proposal.file.as_str());
    let old = pen::text(store, file)?.ok_or_else(|| proposal::outdated(spec, file))?;
    let now = Sha::of(&old);
    if now == proposal.after {
        let backup = backup_of(spec, file, &proposal.judged);
        let is_there = store.digest(&backup)?.is_some_and(|(sha, _)| sha == proposal.judged);
        return Ok(Outcome::Already(is_there.then_some(backup)));
    }
    if now != proposal.judged {
        return Err(proposal::outdated(spec, file));
    }
    pen::rewrite(store, spec, (file, &old), &proposal.text).map(Outcome::Written)
}

/// Refuses an entry that no adoption of ours has made: a ledger can come with a repository that somebody else wrote.
fn is_ours(spec: &SpecId, documents: &BTreeSet<String>, adopted: &Adopted) -> Result<(), Failure> {
    let backup = backup_of(spec, &adopted.file, &adopted.before);
    let is_document = documents.contains(&adopted.file) && !adopted.file.ends_with("/tasks.md");
    if is_document && adopted.backup == backup && is_inside(&backup) {
        return Ok(());
    }
    Err(Failure::BadInput {
        place: format!("the ledger of {spec}"),
        why: format!("the last proposal that was adopted names {}, which none changes", Safe::line(&adopted.file)),
        next: "nothing was read or written: find out who wrote that ledger, and edit the spec by hand".into(),
        exit: 3,
    })
}

/// Puts the text back that a document had; returns what that changes.
fn restore(store: &Store, spec: &SpecId, adopted: &Adopted) -> Result<Change, Failure> {
    let lost = || Failure::BadInput {
        place: adopted.backup.clone(),
        why: "the old text is not there any more, or was altered".into(),
        next: format!("restore {} with git", adopted.file),
        exit: 3,
    };
    let bytes = store.read(&adopted.backup, DOCUMENT_MAX)?.filter(|bytes| Sha::of(bytes) == adopted.before);
    let old = String::from_utf8(bytes.ok_or_else(lost)?).map_err(|_| lost())?;
    let now = pen::text(store, &adopted.file)?.unwrap_or_default();
    // A crash took the entry away that says so.
    if Sha::of(&now) == adopted.before {
        return Ok(Change::default());
    }
    if Sha::of(&now) != adopted.after {
        return Err(Failure::BadInput {
            place: adopted.file.clone(),
            why: "it was changed since the proposal was written".into(),
            next: format!("your edit was kept: take answers back with `dicast gate {spec} --undo`, the rest by hand"),
            exit: 10,
        });
    }
    pen::put(store, &adopted.file, &old, &adopted.after)?;
    Ok(Change::between(&now, &old))
}
