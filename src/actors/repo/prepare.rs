//! Prepares a stage: reads the working copy, and hands it to the pure part.
//!
//! It must not know what a prompt says.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::tree;
use crate::actors::Scope;
use crate::actors::agents::process::Children;
use crate::domain::failure::Failure;
use crate::domain::guardrail::uncommitted;
use crate::domain::preparation::{Ask, Preparation, prepare};
use crate::domain::spec;
use crate::domain::stage::Stage;

/// Reads the working copy and prepares a stage from it.
///
/// # Errors
/// What [`prepare`] refuses; what cannot be read; a range that cannot be audited; [`Failure::Cancelled`].
pub(super) async fn prepared(
    (scope, children): (&Scope, &Children),
    root: &Path,
    (mut ask, range): (Ask, Option<String>),
    token: &CancellationToken,
) -> Result<Arc<Preparation>, Failure> {
    let shot = tree::snapshot(scope, children, root, token).await?;
    if let Some(given) = range {
        let Some(git) = &shot.git else { return Err(super::no_repository("--range")) };
        let change = git.range(&given).await?;
        // Specs, and what we keep beside them, are no part of the code.
        let ours = shot.reading.specs.iter().map(|spec| format!("{}/", spec.dir)).chain([".dicast/".to_owned()]);
        git.stands_at(&change.range.ends, &ours.collect::<Vec<_>>()).await?;
        ask.change = Some(change);
    }
    if ask.stage == Stage::Implement && ask.agenda.is_none() {
        let (Some(git), Some(history)) = (&shot.git, &shot.tree.history) else { return Err(no_git()) };
        let folders = spec::find(shot.tree.files.keys().map(String::as_str));
        git.can_branch(&uncommitted(&history.dirty, &folders, &ask.spec)).await?;
    }
    ask.commit = shot.place.as_ref().and_then(|place| place.head.clone());
    let job = scope.spawn_blocking(move || prepare(&shot.tree, &ask).map(Arc::new));
    job.await.map_err(|_| Failure::ActorGone { actor: super::ACTOR.into() })?
}

fn no_git() -> Failure {
    let next = "run `git init` and commit what is there";
    Failure::needs_input("stage implement", "agents write in git worktrees, and there is no git repository here", next)
}
