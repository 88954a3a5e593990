//! Requests about candidates: worktrees that agents change, what they changed, its trial, and its landing.
//!
//! What git is told for each is in [`super::worktrees`] and [`super::landing`]. It must not know who wrote a candidate.

use std::path::{Path, PathBuf};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::trial::{self, Ground, Tools, Trial};
use super::worktrees::{Plot, Uprooted};
use super::{ACTOR, Reader, git, scratch};
use crate::domain::candidate::{Landing, Patch, Picked, Step, Tested};
use crate::domain::failure::Failure;
use crate::domain::ids::RunId;

impl Reader {
    /// Runs git in the repository, with what its config would run switched off.
    pub(super) async fn git(&self, root: &Path, token: &CancellationToken) -> Result<git::Git, Failure> {
        let looked = git::Git::new(self.children.clone(), root, token.clone()).look().await?;
        let none =
            || Failure::needs_input("stage implement", "there is no git repository here", "run `git init` and commit");
        looked.map(|(git, _)| git).ok_or_else(none)
    }

    pub(super) async fn plant(
        &self,
        root: &Path,
        plot: &Plot,
        token: &CancellationToken,
        turn: &Mutex<()>,
    ) -> Result<PathBuf, Failure> {
        let _turn = turn.lock().await;
        self.git(root, token).await?.plant(&self.scope, plot).await
    }

    pub(super) async fn uproot(
        &self,
        root: &Path,
        (folder, run, what): &(PathBuf, RunId, Uprooted),
        token: &CancellationToken,
        turn: &Mutex<()>,
    ) -> Result<(), Failure> {
        let _turn = turn.lock().await;
        let git = self.git(root, token).await?;
        match what {
            Uprooted::Worktrees => git.uproot(&self.scope, folder, run).await,
            Uprooted::All => git.forget(&self.scope, folder, run).await,
        }
    }

    pub(super) async fn fell(
        &self,
        root: &Path,
        (plot, stays): (&Plot, bool),
        token: &CancellationToken,
        turn: &Mutex<()>,
    ) -> Result<(), Failure> {
        let _turn = turn.lock().await;
        self.git(root, token).await?.fell(plot, stays).await
    }

    pub(super) async fn reap(&self, root: &Path, plot: &Plot, token: &CancellationToken) -> Result<Patch, Failure> {
        let index = self.own_file(root, &format!("index-{}-{}", plot.run, plot.agent)).await?;
        let patch = self.git(root, token).await?.reap(&self.scope, plot, &index).await;
        self.remove(index).await;
        patch
    }

    pub(super) async fn land(
        &self,
        root: &Path,
        (landing, step): (&Landing, Step),
        token: &CancellationToken,
        turn: &Mutex<()>,
    ) -> Result<Option<String>, Failure> {
        let _turn = turn.lock().await;
        let file = self.own_file(root, "landing.patch").await?;
        let git = self.git(root, token).await?;
        let landed = match step {
            Step::Put => git.land(landing, &file).await,
            Step::TakeBack => git.take_back(landing, &file).await.map(|()| None),
            Step::Clear => git.clear(landing, &file).await.map(|()| None),
        };
        self.remove(file).await;
        landed
    }

    /// Names a file in a scratch folder of our own that is there.
    async fn own_file(&self, root: &Path, name: &str) -> Result<PathBuf, Failure> {
        let folder = scratch(root, &self.own);
        let file = folder.join(name);
        let made = self.scope.spawn_blocking(move || crate::disk::scratch::make(&folder)).await;
        made.map_err(|_| Failure::ActorGone { actor: ACTOR.into() })??;
        Ok(file)
    }

    async fn remove(&self, file: PathBuf) {
        let removed = self.scope.spawn_blocking(move || crate::disk::scratch::remove_file(&file)).await;
        if removed.is_err() {
            tracing::warn!("a file for git's own use stays");
        }
    }

    pub(super) async fn try_out(
        &self,
        root: &Path,
        trial: &Trial,
        token: &CancellationToken,
        turn: &Mutex<()>,
    ) -> Result<trial::Outcome, Failure> {
        let _turn = tokio::select! {
            turn = turn.lock() => turn,
            () = token.cancelled() => return Err(Failure::Cancelled),
        };
        trial::run(self.ground(root, token).await?, trial, token).await
    }

    pub(super) async fn try_picked(
        &self,
        root: &Path,
        (picked, tools): &(Picked, Tools),
        token: &CancellationToken,
        turn: &Mutex<()>,
    ) -> Result<Tested, Failure> {
        let _turn = tokio::select! {
            turn = turn.lock() => turn,
            () = token.cancelled() => return Err(Failure::Cancelled),
        };
        trial::run_picked(self.ground(root, token).await?, (picked, tools), token).await
    }

    async fn ground<'a>(&'a self, root: &'a Path, token: &CancellationToken) -> Result<Ground<'a>, Failure> {
        let git = self.git(root, token).await?;
        Ok(Ground { scope: &self.scope, children: &self.children, git, root, folder: scratch(root, &self.own) })
    }
}
