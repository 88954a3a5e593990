//! Worktrees of agents that write: made from one commit, read back as a patch, removed when their change is kept.
//!
//! Everything goes through git's own plumbing with an index of its own, so that the user's working copy, index and stash
//! are never looked at. It must not know what a change is worth, and removes nothing that git does not name as a worktree
//! below our folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::git::{Git, Ran};
use super::range::{DIFF, statuses};
use crate::actors::Scope;
use crate::disk::scratch;
use crate::domain::artifact::body::Change;
use crate::domain::candidate::Patch;
use crate::domain::failure::Failure;
use crate::domain::hunks::Diff;
use crate::domain::ids::{AgentName, RunId};
use crate::domain::safe::Safe;

/// Most bytes of a diff that make a candidate: nobody reviews more.
const DIFF_MAX: u64 = 8 << 20;

/// How often a worktree that is written to is measured at most. A fast disk takes some hundred MiB in that time.
const MEASURE: Duration = Duration::from_millis(500);

/// How much longer than a look at all its files took the pause after it is: looking takes a tenth of one core at most.
const PAUSE: u32 = 9;

/// Most files that are named as left out.
const LEFT_OUT_MAX: usize = 20;

/// Modes of what is no file of the repository's own: a link (it may lead out of it), and another repository.
const FOREIGN_MODES: [&str; 2] = ["120000", "160000"];

/// Who commits what no person commits, where git knows nobody.
pub(super) const NOBODY: [&str; 2] = ["user.name=dicast", "user.email=dicast@localhost"];

/// Where an agent works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// For which run.
    pub run: RunId,
    /// Who.
    pub agent: AgentName,
    /// The commit that it starts from.
    pub base: String,
    /// Whether what is there is of an earlier attempt, and is thrown away.
    pub afresh: bool,
    /// The tree that it starts with, where that is not the commit's: that of a change which is to be mended.
    pub start: Option<String>,
    /// The folder of all worktrees, absolute.
    pub folder: PathBuf,
    /// The most that all of them may take, in bytes.
    pub quota: u64,
    /// Folders that are no part of a change, each with a `/` at its end: ours, and the spec's.
    pub apart: Vec<String>,
}

impl Plot {
    /// Returns the folder of this agent's worktree.
    pub fn path(&self) -> PathBuf {
        self.folder.join(self.run.as_str()).join(self.agent.as_str())
    }

    /// Returns the ref that keeps what came of it.
    fn kept(&self) -> String {
        format!("refs/dicast/{}/{}", self.run, self.agent)
    }
}

/// Measures a worktree until it takes more room than it may, or until `over`.
///
/// # Errors
/// When the measuring died.
pub(super) async fn outgrows(scope: &Scope, plot: &Plot, over: &CancellationToken) -> Result<bool, Failure> {
    loop {
        let (folder, quota, begun) = (plot.path(), plot.quota, Instant::now());
        if scope.spawn_blocking(move || scratch::size(&folder, quota) > quota).await.map_err(|_| gone())? {
            return Ok(true);
        }
        let pause = MEASURE.max(begun.elapsed() * PAUSE);
        if over.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(false);
        }
    }
}

/// What of a run is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uprooted {
    /// Its worktrees.
    Worktrees,
    /// And the refs that keep what came of them.
    All,
}

/// One entry of `git worktree list`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Listed {
    path: PathBuf,
    head: String,
}

impl Git {
    /// Tells whether candidates can start here: there is a commit, it is the whole repository, and nothing that is
    /// theirs to start from is `changed` since.
    ///
    /// # Errors
    /// Exit 10 with what to do.
    pub(super) async fn can_branch(&self, changed: &[Safe]) -> Result<(), Failure> {
        let place = "stage implement";
        let prefix = self.run(&["rev-parse", "--show-prefix"], "").await?.unwrap_or_default();
        if !prefix.trim().is_empty() {
            let next = "run it with --repo and the folder that holds .git";
            return Err(Failure::needs_input(place, "this is a folder inside a git repository", next));
        }
        if self.run(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], "").await?.is_none() {
            return Err(Failure::needs_input(place, "there is no commit to start from", "commit what is there first"));
        }
        match changed {
            [] => Ok(()),
            [first, rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
                let why = format!("agents start from the last commit, and {first}{more} is not in it");
                Err(Failure::needs_input(place, why, "commit it, or put it away with `git stash`"))
            }
        }
    }

    /// Makes an agent's worktree, or takes the one again that an earlier process or turn left, unless it is to begin afresh.
    ///
    /// # Errors
    /// Where something else is in its place, where there is no room, where git refuses; [`Failure::Cancelled`].
    pub(super) async fn plant(&self, scope: &Scope, plot: &Plot) -> Result<PathBuf, Failure> {
        let path = plot.path();
        if let Some(listed) = self.worktrees().await?.into_iter().find(|listed| listed.path == path) {
            let is_there = crate::disk::look::kind(&path).is_some();
            // Whoever worked here may have committed.
            let args = ["merge-base", "--is-ancestor", plot.base.as_str(), listed.head.as_str()];
            let is_ours = is_there && self.run(&args, "").await?.is_some();
            match (is_ours, is_there) {
                (true, _) if plot.afresh => {
                    // In place: a program that is kept warm works in it.
                    let (git, start) = (self.at(&path, None), self.start_of(plot).await?);
                    git.restored(&start).await?;
                    return Ok(path);
                }
                (true, _) => return Ok(path),
                (false, true) => return Err(in_the_way(&path)),
                (false, false) => {}
            }
        } else if crate::disk::look::kind(&path).is_some() {
            return Err(in_the_way(&path));
        }
        let (folder, quota) = (plot.folder.clone(), plot.quota);
        let used = scope.spawn_blocking(move || scratch::size(&folder, quota)).await;
        if used.map_err(|_| gone())? >= quota {
            return Err(Failure::needs_input(
                plot.folder.display().to_string(),
                format!("worktrees take more than {} MiB", quota >> 20),
                "remove those that nobody needs (`git worktree list`), or raise worktrees.quota_mb",
            ));
        }
        let parent = path.parent().map(Path::to_owned).unwrap_or_default();
        scope.spawn_blocking(move || scratch::make(&parent)).await.map_err(|_| gone())??;
        let shown = path.to_string_lossy().into_owned();
        let git = self.at(&self.folder(), None);
        let start = self.start_of(plot).await?;
        git.must("worktree add", &["worktree", "add", "--force", "--detach", &shown, &start], "").await?;
        Ok(path)
    }

    /// Returns the commit that an agent's worktree starts from.
    async fn start_of(&self, plot: &Plot) -> Result<String, Failure> {
        match &plot.start {
            Some(tree) => self.commit_on_base(plot, tree).await,
            None => Ok(plot.base.clone()),
        }
    }

    /// Takes away what an agent wrote: its worktree, or where its program `stays` in it, all that it put there.
    ///
    /// # Errors
    /// Where git refuses; [`Failure::Cancelled`].
    pub(super) async fn fell(&self, plot: &Plot, stays: bool) -> Result<(), Failure> {
        let path = plot.path();
        if stays {
            let (git, start) = (self.at(&path, None), self.start_of(plot).await?);
            return git.restored(&start).await;
        }
        let shown = path.to_string_lossy().into_owned();
        let args = ["worktree", "remove", "--force", &shown];
        self.at(&self.folder(), None).must("worktree remove", &args, "").await.map(drop)
    }

    /// Brings the worktree that this git works in back to a commit, with nothing besides. Whatever branch it changed to
    /// stays where it is.
    async fn restored(&self, start: &str) -> Result<(), Failure> {
        self.must("checkout", &["checkout", "--quiet", "--force", "--detach", start], "").await?;
        self.must("clean", &["clean", "-ffdxq"], "").await.map(drop)
    }

    /// Reads what an agent changed in its worktree, whatever it says of it, and keeps it in the repository under a ref of
    /// ours. `index` is a file for git's own use.
    ///
    /// # Errors
    /// Where git refuses; [`Failure::Cancelled`].
    pub(super) async fn reap(&self, scope: &Scope, plot: &Plot, index: &Path) -> Result<Patch, Failure> {
        let path = plot.path();
        let (folder, quota) = (path.clone(), plot.quota);
        let is_huge = scope.spawn_blocking(move || scratch::size(&folder, quota) > quota).await.map_err(|_| gone())?;
        let mut patch = Patch {
            base: plot.base.clone(),
            tree: String::new(),
            files: BTreeMap::new(),
            added: 0,
            removed: 0,
            left_out: Vec::new(),
            unfit: None,
            diff: Diff::default(),
        };
        if is_huge {
            patch.unfit = Some(Safe::line(&format!("its worktree takes more than {} MiB", quota >> 20)));
            return Ok(patch);
        }
        let git = self.at(&path, Some(index));
        git.must("read-tree", &["read-tree", &plot.base], "").await?;
        git.must("add", &["add", "--all", "--", "."], "").await?;
        patch.left_out = git.leave_out(plot).await?;
        let written = git.must("write-tree", &["write-tree"], "").await?;
        written.trim().clone_into(&mut patch.tree);
        let revisions = [plot.base.as_str(), patch.tree.as_str()];
        patch.files = git.changed(revisions).await?;
        (patch.added, patch.removed) = git.counted(revisions).await?;
        let args: Vec<&str> =
            DIFF[..DIFF.len() - 1].iter().copied().chain(["-U3"]).chain(revisions).chain(["--"]).collect();
        match git.attempt(&args, "", DIFF_MAX).await? {
            Ran::Said(text) => patch.diff = text.into(),
            Ran::TooMuch => {
                patch.unfit = Some(Safe::line(&format!("its diff is longer than {} MiB", DIFF_MAX >> 20)));
            }
            Ran::TooLong | Ran::Failed => patch.unfit = Some(Safe::line("git could not compare it")),
        }
        git.keep(plot, &patch.tree).await?;
        Ok(patch)
    }

    /// Puts back what is no part of a change; names it.
    async fn leave_out(&self, plot: &Plot) -> Result<Vec<Safe>, Failure> {
        let raw =
            ["diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--ignore-submodules=none", &plot.base];
        let listed = self.must("diff", &raw, "").await?;
        let mut parts = listed.split('\0').filter(|part| !part.is_empty());
        let (mut entries, mut named) = (String::new(), Vec::new());
        while let (Some(about), Some(path)) = (parts.next(), parts.next()) {
            let fields: Vec<&str> = about.trim_start_matches(':').split(' ').collect();
            let [old_mode, new_mode, old, ..] = fields.as_slice() else { continue };
            let is_apart = plot.apart.iter().any(|folder| path.starts_with(folder.as_str()));
            if !is_apart && !FOREIGN_MODES.contains(new_mode) {
                continue;
            }
            // A mode of 0 takes the entry out.
            entries.push_str(&format!("{old_mode} {old}\t{path}\0"));
            if !is_apart && named.len() < LEFT_OUT_MAX {
                named.push(Safe::line(path));
            }
        }
        if !entries.is_empty() {
            self.must("update-index", &["update-index", "-z", "--index-info"], &entries).await?;
        }
        Ok(named)
    }

    /// Returns how each file changed between two trees.
    pub(super) async fn changed(&self, [from, to]: [&str; 2]) -> Result<BTreeMap<String, Change>, Failure> {
        let args = ["diff", "--name-status", "-z", "--no-ext-diff", "--no-renames", from, to, "--"];
        let listed = self.must("diff", &args, "").await?;
        Ok(statuses(&listed))
    }

    /// Counts the lines that are new and gone between two trees; a binary file has none.
    pub(super) async fn counted(&self, [from, to]: [&str; 2]) -> Result<(u64, u64), Failure> {
        let args = ["diff", "--numstat", "-z", "--no-ext-diff", "--no-textconv", "--no-renames", from, to, "--"];
        let listed = self.must("diff", &args, "").await?;
        let lines = listed.split('\0').filter_map(|part| {
            let mut fields = part.split('\t');
            Some((fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?))
        });
        Ok(lines.fold((0, 0), |(added, removed), (plus, minus)| (added + plus, removed + minus)))
    }

    /// Keeps a tree from git's own cleaning up.
    async fn keep(&self, plot: &Plot, tree: &str) -> Result<(), Failure> {
        let commit = self.commit_on_base(plot, tree).await?;
        self.must("update-ref", &["update-ref", &plot.kept(), &commit], "").await.map(drop)
    }

    /// Makes a commit of a tree on the commit that an agent starts from: the same each time.
    async fn commit_on_base(&self, plot: &Plot, tree: &str) -> Result<String, Failure> {
        let mut git = self.clone();
        git.set(&NOBODY);
        let git = git.with("GIT_AUTHOR_DATE", "@0 +0000").with("GIT_COMMITTER_DATE", "@0 +0000");
        let args = ["commit-tree", tree, "-p", &plot.base, "-m", "candidate"];
        Ok(git.must("commit-tree", &args, "").await?.trim().to_owned())
    }

    /// Removes the worktrees of a run: what came of them is kept.
    ///
    /// # Errors
    /// Where git refuses; [`Failure::Cancelled`].
    pub(super) async fn uproot(&self, scope: &Scope, folder: &Path, run: &RunId) -> Result<(), Failure> {
        let of_run = folder.join(run.as_str());
        let git = self.at(&self.folder(), None);
        let mut refused = Ok(());
        for listed in self.worktrees().await? {
            if listed.path.parent() == Some(of_run.as_path()) {
                let path = listed.path.to_string_lossy().into_owned();
                let removed = git.must("worktree remove", &["worktree", "remove", "--force", &path], "").await;
                // One that git refuses keeps no other.
                refused = refused.and(removed.map(drop));
            }
        }
        scope.spawn_blocking(move || scratch::remove_empty(&of_run)).await.map_err(|_| gone())?;
        refused
    }

    /// Removes all that git has of a run: its worktrees, and the refs that keep what came of them.
    ///
    /// # Errors
    /// Where git refuses; [`Failure::Cancelled`].
    pub(super) async fn forget(&self, scope: &Scope, folder: &Path, run: &RunId) -> Result<(), Failure> {
        let of_run = format!("refs/dicast/{run}/");
        // Where there is no git repository nothing of it can be there.
        let Some(refs) = self.run(&["for-each-ref", "--format=%(refname)", &of_run], "").await? else { return Ok(()) };
        self.uproot(scope, folder, run).await?;
        let git = self.at(&self.folder(), None);
        for name in refs.lines() {
            git.must("update-ref", &["update-ref", "-d", name], "").await?;
        }
        Ok(())
    }

    async fn worktrees(&self) -> Result<Vec<Listed>, Failure> {
        let listed = self.must("worktree list", &["worktree", "list", "--porcelain", "-z"], "").await?;
        Ok(read_list(&listed))
    }
}

/// Reads `git worktree list --porcelain -z`: each line ends with NUL, each entry with another.
fn read_list(text: &str) -> Vec<Listed> {
    let mut found: Vec<Listed> = Vec::new();
    for line in text.split('\0') {
        if let Some(path) = line.strip_prefix("worktree ") {
            found.push(Listed { path: PathBuf::from(path), head: String::new() });
        } else if let (Some(head), Some(last)) = (line.strip_prefix("HEAD "), found.last_mut()) {
            head.clone_into(&mut last.head);
        }
    }
    found
}

fn in_the_way(path: &Path) -> Failure {
    let shown = path.display().to_string();
    let next = format!("look at it, then remove it with `git worktree remove --force {shown}`");
    Failure::needs_input(shown, "something else is where an agent's worktree belongs", next)
}

fn gone() -> Failure {
    Failure::ActorGone { actor: super::ACTOR.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worktrees_are_read_with_odd_names() {
        let text = "worktree /a/b c\0HEAD 11\0branch refs/heads/main\0\0worktree /a/x\ny\0HEAD 22\0detached\0\0";
        let found = read_list(text);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].path.as_path(), found[1].head.as_str()), (Path::new("/a/x\ny"), "22"));
    }
}
