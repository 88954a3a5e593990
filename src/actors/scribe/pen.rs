//! Writing documents: one at a time in all processes, never over what somebody changed meanwhile, the old text kept.
//!
//! It must not know why something is written. Everything here blocks, except waiting for the turn.

use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{NAME, Scribe};
use crate::actors::evidence::{GITIGNORE, backup_of};
use crate::disk::Store;
use crate::disk::lock::{Attempt, Guard, Note, pauses};
use crate::disk::store::{is_inside, parent};
use crate::domain::failure::Failure;
use crate::domain::gate::Edit;
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::moment::Moment;
use crate::domain::spec::DOCUMENT_MAX;

/// The lock under which specs are written.
const LOCK: &str = ".dicast/scribe.lock";

/// How long to wait for another process that writes: it holds the lock for a few file operations.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// Most bytes of `.dicast/.gitignore` that are looked at.
const SMALL: u64 = 4_096;

/// A document that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) before: Sha,
    pub(super) after: Sha,
    /// Where the old text is kept, relative to the repository.
    pub(super) backup: String,
}

impl Scribe {
    /// Does blocking work on the files.
    pub(super) async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let store = self.store.clone();
        let work = self.scope.spawn_blocking(move || work(&store));
        work.await.map_err(|_| Failure::ActorGone { actor: NAME.into() })?
    }

    /// Takes the lock under which specs are written.
    pub(super) async fn lock(&self, at: Moment, token: &CancellationToken) -> Result<Guard, Failure> {
        self.off_thread(prepare).await?;
        let deadline = tokio::time::Instant::now() + LOCK_WAIT;
        let mut pauses = pauses();
        loop {
            let attempt = self.off_thread(move |store| store.try_lock(LOCK, &Note::of_this_process(at))).await?;
            let owner = match attempt {
                Attempt::Taken(guard) => return Ok(guard),
                Attempt::Held(owner) => owner,
            };
            let pause = pauses.next().unwrap_or_default();
            if tokio::time::Instant::now() + pause > deadline {
                return Err(Failure::LockHeld { what: "writing specs".into(), owner });
            }
            if token.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return Err(Failure::Cancelled);
            }
        }
    }
}

/// Makes our folder, with what keeps it out of commits.
fn prepare(store: &Store) -> Result<(), Failure> {
    store.make_dirs(".dicast")?;
    if store.read(".dicast/.gitignore", SMALL)?.is_none() {
        store.replace(".dicast/.gitignore", GITIGNORE.as_bytes())?;
    }
    Ok(())
}

/// Reads a document.
pub(super) fn text(store: &Store, path: &str) -> Result<Option<String>, Failure> {
    if !is_inside(path) {
        return Err(Failure::usage(path, "it leads out of the repository", "name a document inside it"));
    }
    let Some(bytes) = store.read(path, DOCUMENT_MAX)? else { return Ok(None) };
    let not_utf8 = |e: std::string::FromUtf8Error| crate::domain::spec::not_utf8(path, e.utf8_error().valid_up_to());
    String::from_utf8(bytes).map(Some).map_err(not_utf8)
}

/// Changes a document; the old text is durable before the new one is.
pub(super) fn change(store: &Store, spec: &SpecId, edit: &Edit) -> Result<Written, Failure> {
    let gone = || Failure::usage(edit.file.as_str(), "it is not there any more", "look at the spec again");
    let old = text(store, &edit.file)?.ok_or_else(gone)?;
    rewrite(store, spec, (&edit.file, &old), &edit.apply(&old)?)
}

/// Puts a text in the place of the one that a document has; the old text is durable before the new one is.
pub(super) fn rewrite(store: &Store, spec: &SpecId, (file, old): (&str, &str), new: &str) -> Result<Written, Failure> {
    let (before, after) = (Sha::of(old), Sha::of(new));
    let backup = backup_of(spec, file, &before);
    store.make_dirs(parent(Path::new(&backup)))?;
    store.replace(&backup, old.as_bytes())?;
    put(store, file, new, &before)?;
    Ok(Written { before, after, backup })
}

/// Writes a document that must still be what it was.
pub(super) fn put(store: &Store, path: &str, text: &str, was: &Sha) -> Result<(), Failure> {
    let staged = store.stage(path, text.as_bytes())?;
    if store.digest(path)?.is_none_or(|(sha, _)| sha != *was) {
        return Err(changed(path));
    }
    staged.land()?;
    store.sync_dir(parent(Path::new(path)))
}

/// Says that a document is not what it was.
pub(super) fn changed(path: &str) -> Failure {
    let next = "your edit was kept: look again at what stands there now";
    Failure::BadInput { place: path.to_owned(), why: "it was changed meanwhile".into(), next: next.into(), exit: 10 }
}
