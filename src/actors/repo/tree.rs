//! Takes a snapshot of a repository: its files, and what git says about them.
//!
//! It must not judge what it reads.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::git::{Git, Whereabouts};
use crate::actors::Scope;
use crate::actors::agents::process::Children;
use crate::disk::walk::{Caps, ignored, is_there, read_tree};
use crate::domain::check::{HOOKS, Paths, Reading, Tree, read};
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;

/// A repository as it was read.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub tree: Tree,
    pub reading: Reading,
    pub place: Option<Whereabouts>,
    pub git: Option<Git>,
}

/// Reads files and git side by side.
///
/// # Errors
/// The root cannot be read, or somebody asked to stop.
pub(super) async fn snapshot(
    scope: &Scope,
    children: &Children,
    root: &Path,
    token: &CancellationToken,
) -> Result<Snapshot, Failure> {
    let git = Git::new(children.clone(), root, token.clone());
    let ((tree, reading), looked) = tokio::try_join!(files(scope, root, token), git.look())?;
    let mut tree = tree;
    let (git, place) = looked.unzip();
    if let (Some(git), Some(place)) = (&git, &place) {
        let mut history = place.history.clone();
        history.planned = git.files_at(&planned(&tree, &reading, place)).await?;
        tree.history = Some(history);
    }
    Ok(Snapshot { tree, reading, place, git })
}

/// Reads files and nothing else: neither what they say nor git.
///
/// # Errors
/// The root cannot be read, or somebody asked to stop.
pub(super) async fn alone(scope: &Scope, root: &Path, token: &CancellationToken) -> Result<Tree, Failure> {
    let (root, token) = (PathBuf::from(root), token.clone());
    let job = scope.spawn_blocking(move || {
        let walked = read_tree(&root, Caps::default(), &|| token.is_cancelled())?;
        Ok(Tree { files: walked.files, ..Tree::default() })
    });
    job.await.map_err(|_| Failure::ActorGone { actor: super::ACTOR.into() })?
}

pub(super) async fn files(scope: &Scope, root: &Path, token: &CancellationToken) -> Result<(Tree, Reading), Failure> {
    let (root, token) = (PathBuf::from(root), token.clone());
    let job = scope.spawn_blocking(move || {
        let walked = read_tree(&root, Caps::default(), &|| token.is_cancelled())?;
        if walked.is_cut {
            tracing::warn!(files = walked.files.len(), "the repository has more files than are read");
        }
        let mut tree = Tree { files: walked.files, ..Tree::default() };
        let reading = read(&tree);
        (tree.besides, tree.ignored) = unlisted(&root, &tree, &reading);
        Ok((tree, reading))
    });
    job.await.map_err(|_| Failure::ActorGone { actor: super::ACTOR.into() })?
}

/// Returns the paths that tasks name, or where hooks lie, that git would not list: those that are on the disk, and those
/// that are not and are ignored.
fn unlisted(root: &Path, tree: &Tree, reading: &Reading) -> (BTreeSet<String>, BTreeSet<String>) {
    let paths = Paths::of(tree);
    let named = reading.specs.iter().flat_map(|s| s.tasks.iter().flatten().map(move |t| (s, t)));
    let missing = named.flat_map(|(s, t)| t.files.iter().filter(|f| paths.resolve(&s.dir, f).is_none()));
    let asked: BTreeSet<&str> = missing.map(String::as_str).chain(HOOKS).collect();
    let (there, gone): (Vec<&str>, Vec<&str>) =
        asked.into_iter().partition(|p| is_there(root, p.trim_end_matches('/')));
    let owned = |paths: Vec<&str>| paths.into_iter().map(str::to_owned).collect();
    (owned(there), owned(ignored(root, gone)))
}

/// Returns, for each spec that git saw change after its plan, the commit of the plan and the spec's path.
fn planned(tree: &Tree, reading: &Reading, place: &Whereabouts) -> Vec<(SpecId, String, String)> {
    let history = &place.history;
    reading
        .specs
        .iter()
        .filter_map(|spec| {
            let plan = tree.path_of(spec, "plan.md");
            let plan_at = history.last(&plan).filter(|_| tree.files.contains_key(&plan))?;
            let is_newer =
                history.dirty.contains(&spec.file) || history.last(&spec.file).is_some_and(|at| at < plan_at);
            let commit = history.commits.get(plan_at).filter(|_| is_newer)?;
            Some((spec.id.clone(), commit.sha.clone(), spec.file.clone()))
        })
        .collect()
}
