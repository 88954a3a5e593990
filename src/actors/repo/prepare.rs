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
use crate::domain::preparation::{Ask, Preparation, prepare};

/// Reads the working copy and prepares a stage from it.
///
/// # Errors
/// What [`prepare`] refuses; what cannot be read; [`Failure::Cancelled`].
pub(super) async fn prepared(
    (scope, children): (&Scope, &Children),
    root: &Path,
    mut ask: Ask,
    token: &CancellationToken,
) -> Result<Arc<Preparation>, Failure> {
    let shot = tree::snapshot(scope, children, root, token).await?;
    ask.commit = shot.place.as_ref().and_then(|place| place.head.clone());
    let job = scope.spawn_blocking(move || prepare(&shot.tree, &ask).map(Arc::new));
    job.await.map_err(|_| Failure::ActorGone { actor: super::ACTOR.into() })?
}
