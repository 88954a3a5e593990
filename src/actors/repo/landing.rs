//! Lands a candidate: on a branch of its own as one commit, or in the working copy; and takes it back.
//!
//! No hook is run and no index is touched. Done twice it is done once: a commit is made of a time that was recorded
//! before, and what is in the working copy already is left as it is. It must not choose what lands.

use std::path::Path;

use super::git::Git;
use super::worktrees::NOBODY;
use crate::domain::candidate::{Landing, Place};
use crate::domain::failure::Failure;

/// How a change is put into the working copy or taken out: as it is, whatever somebody's config says of white space.
const APPLY: [&str; 2] = ["apply", "--whitespace=nowarn"];

/// What a ref has that must not exist yet.
const NONE: &str = "0000000000000000000000000000000000000000";

impl Git {
    /// Puts a candidate where it goes; returns its commit, where it got one. `file` is a file for git's own use.
    ///
    /// # Errors
    /// Exit 10 where the branch has something else, or the working copy does not take it; [`Failure::Cancelled`].
    pub(super) async fn land(&self, landing: &Landing, file: &Path) -> Result<Option<String>, Failure> {
        match landing.place {
            Place::Branch => {
                let commit = self.commit_of(landing).await?;
                match self.branch(&landing.branch).await? {
                    Some(there) if there == commit => {}
                    Some(_) => return Err(taken(&landing.branch)),
                    None => {
                        let name = format!("refs/heads/{}", landing.branch);
                        let git = self.at(&self.folder(), None);
                        git.must("update-ref", &["update-ref", &name, &commit, NONE], "").await?;
                    }
                }
                Ok(Some(commit))
            }
            Place::Tree => {
                let file = self.patch_file(landing, file).await?;
                if !self.applies(&["--reverse"], &file).await? {
                    if !self.applies(&[], &file).await? {
                        return Err(does_not_fit("what is there now"));
                    }
                    self.at(&self.folder(), None).must("apply", &[APPLY[0], APPLY[1], &file], "").await?;
                }
                Ok(None)
            }
        }
    }

    /// Takes a landed candidate back: the branch goes if nothing came after it, the change goes out of the working copy
    /// if nobody changed it since.
    ///
    /// # Errors
    /// Exit 10 where something came after; [`Failure::Cancelled`].
    pub(super) async fn take_back(&self, landing: &Landing, file: &Path) -> Result<(), Failure> {
        match landing.place {
            Place::Branch => {
                let commit = self.commit_of(landing).await?;
                match self.branch(&landing.branch).await? {
                    None => Ok(()),
                    Some(there) if there == commit => {
                        let head = self.run(&["symbolic-ref", "--quiet", "HEAD"], "").await?.unwrap_or_default();
                        let name = format!("refs/heads/{}", landing.branch);
                        if head.trim() == name {
                            return Err(Failure::needs_input(
                                landing.branch.as_str(),
                                "it is checked out",
                                "switch to another branch first",
                            ));
                        }
                        let git = self.at(&self.folder(), None);
                        git.must("update-ref", &["update-ref", "-d", &name, &commit], "").await.map(drop)
                    }
                    Some(_) => Err(taken(&landing.branch)),
                }
            }
            Place::Tree => {
                let file = self.patch_file(landing, file).await?;
                if !self.applies(&["--reverse"], &file).await? {
                    let is_gone = self.applies(&[], &file).await?;
                    return if is_gone { Ok(()) } else { Err(does_not_fit("what was changed since")) };
                }
                let args = [APPLY[0], APPLY[1], "--reverse", &file];
                self.at(&self.folder(), None).must("apply", &args, "").await.map(drop)
            }
        }
    }

    /// Takes what was put into the working copy and never recorded back, where nothing was committed since. A branch is
    /// in nobody's way.
    ///
    /// # Errors
    /// As [`Git::take_back`].
    pub(super) async fn clear(&self, landing: &Landing, file: &Path) -> Result<(), Failure> {
        let head = self.run(&["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], "").await?.unwrap_or_default();
        if landing.place == Place::Branch || head.trim() != landing.base {
            return Ok(());
        }
        self.take_back(landing, file).await
    }

    /// Makes the commit of a landing: the same each time.
    async fn commit_of(&self, landing: &Landing) -> Result<String, Failure> {
        let mut git = self.at(&self.folder(), None);
        if self.run(&["var", "GIT_COMMITTER_IDENT"], "").await?.is_none() {
            git.set(&NOBODY);
        }
        let date = format!("@{} +0000", landing.at.0 / 1_000);
        let git = git.with("GIT_AUTHOR_DATE", date.as_str()).with("GIT_COMMITTER_DATE", date.as_str());
        let args = ["commit-tree", &landing.tree, "-p", &landing.base, "-F", "-"];
        Ok(git.must("commit-tree", &args, &landing.message).await?.trim().to_owned())
    }

    async fn branch(&self, name: &str) -> Result<Option<String>, Failure> {
        let found = self.run(&["rev-parse", "--verify", "--quiet", &format!("refs/heads/{name}")], "").await?;
        Ok(found.map(|commit| commit.trim().to_owned()))
    }

    /// Has git write the change into a file: its bytes never pass through us.
    async fn patch_file(&self, landing: &Landing, file: &Path) -> Result<String, Failure> {
        let shown = file.to_string_lossy().into_owned();
        let output = format!("--output={shown}");
        let args = ["diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color", "--no-renames"];
        let plain = ["--src-prefix=a/", "--dst-prefix=b/", &output, &landing.base, &landing.tree, "--"];
        let args: Vec<&str> = args.into_iter().chain(plain).collect();
        self.at(&self.folder(), None).must("diff", &args, "").await?;
        Ok(shown)
    }

    async fn applies(&self, how: &[&str], file: &str) -> Result<bool, Failure> {
        let args: Vec<&str> = APPLY.into_iter().chain(["--check"]).chain(how.iter().copied()).chain([file]).collect();
        Ok(self.at(&self.folder(), None).run(&args, "").await?.is_some())
    }
}

fn taken(branch: &str) -> Failure {
    let next = format!("look at it (`git log {branch}`), then rename it or delete it with `git branch -D {branch}`");
    Failure::needs_input(branch, "the branch is there, and has something else", next)
}

fn does_not_fit(why: &str) -> Failure {
    let next = "commit your changes or put them away with `git stash`, then try again";
    Failure::needs_input("the working copy", format!("the change does not fit {why}"), next)
}
