//! Changes as git tells them: of a range of commits, and of what is not committed yet.
//!
//! It must not judge what changed.

use std::collections::{BTreeMap, BTreeSet};

use super::git::{Git, Ran};
use crate::domain::artifact::body::Change;
use crate::domain::check::{Changed, Changes, without_headings};
use crate::domain::failure::Failure;
use crate::domain::hash::Sha;
use crate::domain::range::{Ends, Range};

/// Most bytes of a diff that is read: nobody reviews more in one go, and each line may be cited.
const DIFF_MAX: u64 = 8 << 20;

/// Most files whose names are told where the working copy is not what a range leads to.
const NAMED_MAX: usize = 3;

/// How a diff is asked for, so that it is the same text on every machine whatever its git is set to.
pub(super) const DIFF: [&str; 15] = [
    "diff",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--no-renames",
    "--relative",
    "--ignore-submodules=all",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--full-index",
    "--diff-algorithm=myers",
    "--indent-heuristic",
    "--inter-hunk-context=0",
    "-O/dev/null",
    "-U0",
];

/// How the names of changed files are asked for, each ended by a NUL: no name is quoted.
pub(super) const NAMES: [&str; 8] = [
    "diff",
    "--name-only",
    "-z",
    "--no-ext-diff",
    "--no-textconv",
    "--no-renames",
    "--relative",
    "--ignore-submodules=all",
];

/// Reads how each file changed from what `diff --name-status -z` lists.
pub(super) fn statuses(listed: &str) -> BTreeMap<String, Change> {
    let mut parts = listed.split('\0').filter(|part| !part.is_empty());
    let mut files = BTreeMap::new();
    while let (Some(status), Some(path)) = (parts.next(), parts.next()) {
        let change = match status {
            "A" => Change::Add,
            "D" => Change::Delete,
            _ => Change::Modify,
        };
        files.insert(path.to_owned(), change);
    }
    files
}

impl Git {
    /// Returns the changes of a range (`A..B`) as a diff without context.
    ///
    /// # Errors
    /// Usage (exit 64) if git does not know the range; exit 10 if there is too much of it; [`Failure::Cancelled`].
    pub(super) async fn diff(&self, given: &str) -> Result<String, Failure> {
        if !is_harmless(given) {
            return Err(unknown(given));
        }
        self.changes(given, given).await
    }

    /// Returns what the working copy has otherwise than the last commit; `None` where git cannot tell: there is no
    /// commit, too much of it, or too little time. Files that git does not know are not in it.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(super) async fn uncommitted(&self) -> Result<Option<Changes>, Failure> {
        let names: Vec<&str> = NAMES.into_iter().chain(["HEAD", "--"]).collect();
        let (diff, names) = tokio::join!(self.changes("HEAD", "HEAD"), self.run(&names, ""));
        let diff = match diff {
            Ok(diff) => diff,
            Err(Failure::Cancelled) => return Err(Failure::Cancelled),
            Err(failure) => {
                tracing::debug!(%failure, "git cannot tell what is not committed");
                return Ok(None);
            }
        };
        let files = names?.map(|names| names.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect());
        Ok(files.map(|files: BTreeSet<String>| Changes::uncommitted(files, &diff)))
    }

    /// Returns the diff between the ends of a range.
    ///
    /// # Errors
    /// As [`Git::diff`].
    pub(super) async fn between(&self, ends: &Ends) -> Result<String, Failure> {
        self.diff(&ends.revisions()).await
    }

    /// Resolves a range (`A..B`, or `A...B` from where the two parted) to commits, and reads what it changes.
    ///
    /// # Errors
    /// Usage (exit 64) for no range or an unknown revision; exit 10 where the clone is too shallow for it, where it
    /// changes nothing or too much; [`Failure::Cancelled`].
    pub(super) async fn range(&self, given: &str) -> Result<Changed, Failure> {
        let (from, to, is_from_fork) = parted(given).ok_or_else(|| unknown(given))?;
        let (mut from, to) = (self.commit(from, given).await?, self.commit(to, given).await?);
        if is_from_fork {
            let fork = self.run(&["merge-base", &from, &to], "").await?;
            from = fork.map(|fork| fork.trim().to_owned()).ok_or_else(|| unknown(given))?;
        }
        let ends = Ends { from, to };
        let diff = self.between(&ends).await?;
        let files = self.files_between(&ends, given).await?;
        if files.is_empty() {
            let next = "give one with the change that is to be audited, for example main..HEAD";
            return Err(Failure::needs_input(place(given), "it changes nothing here", next));
        }
        Ok(Changed { range: Range { diff_sha256: Sha::of(without_headings(&diff)), files, ends }, diff })
    }

    /// Refuses a working copy that is not what a range leads to, but for the folders in `apart`: agents read the one,
    /// and the host holds their words against the other.
    ///
    /// # Errors
    /// Exit 10 if it is not; [`Failure::Cancelled`].
    pub(super) async fn stands_at(&self, ends: &Ends, apart: &[String]) -> Result<(), Failure> {
        let args: Vec<&str> = NAMES.into_iter().chain([ends.to.as_str(), "--"]).collect();
        let untracked = ["ls-files", "--others", "--exclude-standard", "-z"];
        let (changed, untracked) = tokio::join!(self.run(&args, ""), self.run(&untracked, ""));
        let shown = ends.short();
        let (Some(changed), Some(untracked)) = (changed?, untracked?) else { return Err(unknown(&shown)) };
        let is_apart = |path: &str| apart.iter().any(|folder| path.starts_with(folder.as_str()));
        let paths = changed.split('\0').chain(untracked.split('\0'));
        let differing: Vec<&str> = paths.filter(|path| !path.is_empty() && !is_apart(path)).collect();
        if differing.is_empty() {
            return Ok(());
        }
        let named = differing.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
        let more = differing.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let why = format!("the working copy is not what it leads to: {named}{more}");
        Err(Failure::needs_input(place(&shown), why, "check out its last commit, or commit what differs"))
    }

    /// Returns the full name of a commit.
    async fn commit(&self, revision: &str, given: &str) -> Result<String, Failure> {
        let commit = format!("{revision}^{{commit}}");
        if let Some(found) = self.run(&["rev-parse", "--verify", "--quiet", &commit], "").await? {
            return Ok(found.trim().to_owned());
        }
        let shallow = self.run(&["rev-parse", "--is-shallow-repository"], "").await?;
        if shallow.is_some_and(|text| text.trim() == "true") {
            let why = format!("this clone is shallow, and has no commit {revision:?}");
            let next = "fetch the rest: `git fetch --unshallow` (in CI: check out with fetch-depth 0)";
            return Err(Failure::needs_input(place(given), why, next));
        }
        Err(unknown(given))
    }

    async fn files_between(&self, ends: &Ends, given: &str) -> Result<BTreeMap<String, Change>, Failure> {
        let revisions = ends.revisions();
        let args = ["diff", "--name-status", "-z", "--no-ext-diff", "--no-renames", "--relative"].into_iter();
        let args: Vec<&str> = args.chain(["--ignore-submodules=all", &revisions, "--"]).collect();
        let listed = self.run(&args, "").await?.ok_or_else(|| unknown(given))?;
        Ok(statuses(&listed))
    }

    async fn changes(&self, revisions: &str, given: &str) -> Result<String, Failure> {
        let args: Vec<&str> = DIFF.into_iter().chain([revisions, "--"]).collect();
        let next = "give a smaller range: audit it in parts";
        match self.attempt(&args, "", DIFF_MAX).await? {
            Ran::Said(diff) => Ok(diff),
            Ran::TooMuch => {
                let why = format!("its diff is longer than {} MiB", DIFF_MAX >> 20);
                Err(Failure::needs_input(place(given), why, next))
            }
            Ran::TooLong => Err(Failure::needs_input(place(given), "git took too long to compare its ends", next)),
            Ran::Failed => Err(unknown(given)),
        }
    }
}

/// Takes a range apart: its two ends, and whether it starts where they parted. An end that is left out is what is
/// checked out.
fn parted(given: &str) -> Option<(&str, &str, bool)> {
    let (from, to) = given.split_once("..").filter(|_| is_harmless(given))?;
    let (to, is_from_fork) = to.strip_prefix('.').map_or((to, false), |to| (to, true));
    let is_one = |end: &str| !end.contains("..") && !end.starts_with(['-', '.']);
    let is_range = is_one(from) && is_one(to) && !(from.is_empty() && to.is_empty());
    is_range.then(|| (or_head(from), or_head(to), is_from_fork))
}

fn or_head(end: &str) -> &str {
    if end.is_empty() { "HEAD" } else { end }
}

/// Tells whether git cannot take a text for an option, or for several words.
fn is_harmless(given: &str) -> bool {
    !given.starts_with('-') && !given.is_empty() && !given.contains(char::is_whitespace) && !given.contains('\0')
}

fn place(given: &str) -> String {
    format!("--range {}", given.chars().take(100).collect::<String>())
}

fn unknown(given: &str) -> Failure {
    let shown: String = given.chars().take(80).collect();
    Failure::usage("--range", format!("git knows no range {shown:?}"), "write it as A..B, for example main..HEAD")
}

#[cfg(test)]
mod tests {
    use super::parted;

    #[test]
    fn a_range_has_two_ends_and_no_end_can_be_an_option() {
        assert_eq!(parted("main..HEAD"), Some(("main", "HEAD", false)));
        assert_eq!(parted("main...topic"), Some(("main", "topic", true)));
        assert_eq!(parted("v1.."), Some(("v1", "HEAD", false)));
        assert_eq!(parted("..v1"), Some(("HEAD", "v1", false)));
        for bad in ["main", "..", "", "-a..b", "a..-b", "a b..c", "a..b..c", "..."] {
            assert_eq!(parted(bad), None, "{bad:?}");
        }
    }
}
