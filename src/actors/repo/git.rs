//! What git knows of a repository, by running `git` with everything switched off that a foreign repository's own
//! config could make it run: hooks, filters, external diffs, monitors, signature checks, transports.
//!
//! It must not write (`notes.rs`, `worktrees.rs` and `landing.rs` beside it do): no index refresh, no lock, no fetch. Outside a repository, and without a `git` program, there are
//! simply no facts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::actors::agents::process::{Children, Cut, Listener, Program, Stream, Tag, converse};
use crate::domain::check::{Commit, History};
use crate::domain::classify::Exit;
use crate::domain::failure::Failure;
use crate::domain::ids::SpecId;
use crate::domain::moment::Moment;
use crate::domain::run::Limits;
use crate::domain::safe::Safe;

/// How long one `git` may take: a repository on a slow network disk is not worth waiting longer for.
const GIT_MS: u64 = 10_000;

/// How long one `git` may take that writes files: a whole checkout of a large repository.
const WRITE_MS: u64 = 120_000;

/// Most output of one `git` that is read, in bytes.
const OUTPUT_MAX: u64 = 32 << 20;

/// Most commits read back: what older ones touched is not asked about.
const COMMITS_MAX: usize = 2_000;

/// Options before the command: each overrides a setting by which a repository's config runs a program or reaches out.
const SAFE: [&str; 13] = [
    "--no-pager",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "log.showSignature=false",
    "-c",
    "protocol.allow=never",
    "-c",
    "core.sshCommand=false",
    "-c",
    "core.quotePath=false",
];

/// Runs `git` in one folder.
#[derive(Debug, Clone)]
pub(super) struct Git {
    children: Children,
    root: PathBuf,
    token: CancellationToken,
    /// Settings: those that switch off the filters that the repository's own config names, and our own.
    filters: Vec<String>,
    /// Variables set besides.
    env: Vec<(String, String)>,
    /// How long one command may take, in milliseconds.
    limit_ms: u64,
}

/// What git says about where we are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Whereabouts {
    /// The branch, if one is checked out.
    pub branch: Option<String>,
    /// The commit, if there is one.
    pub head: Option<String>,
    /// The name that git would sign with.
    pub user: Option<String>,
    /// What git knows of the files.
    pub history: History,
}

/// How one `git` ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ran {
    /// With this output.
    Said(String),
    /// It had more to say than was wanted, and was ended.
    TooMuch,
    /// It passed its deadline, and was ended.
    TooLong,
    /// It refused, died, or is not there.
    Failed,
}

/// Ends a child that says too much: what is too long to be read is not waited for.
struct Meter {
    left: u64,
    full: CancellationToken,
}

impl Listener for Meter {
    fn heard(&mut self, stream: Stream, bytes: &[u8]) {
        let heard = if stream == Stream::Out { bytes.len() as u64 } else { 0 };
        match self.left.checked_sub(heard) {
            Some(left) => self.left = left,
            None => self.full.cancel(),
        }
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn wake(&mut self) {}

    fn has_all(&self, _: bool) -> bool {
        false
    }
}

/// Numbers the children: no two living ones may share a tag.
static SEATS: AtomicU64 = AtomicU64::new(0);

impl Git {
    /// Makes the runner for a folder.
    pub(super) fn new(children: Children, root: &Path, token: CancellationToken) -> Self {
        Self { children, root: root.to_owned(), token, filters: Vec::new(), env: Vec::new(), limit_ms: GIT_MS }
    }

    /// Returns the folder that it runs in.
    pub(super) fn folder(&self) -> PathBuf {
        self.root.clone()
    }

    /// Sets settings (`name=value`) for the commands that follow.
    pub(super) fn set(&mut self, settings: &[&str]) {
        self.filters.extend(settings.iter().map(|setting| (*setting).to_owned()));
    }

    /// Returns the same for another folder of the repository, with time to write files, and with `index` (absolute) as
    /// its index: the one of the working copy is not looked at.
    pub(super) fn at(&self, root: &Path, index: Option<&Path>) -> Self {
        let index = index.map(|path| ("GIT_INDEX_FILE", path));
        // A worktree lies inside the user's repository: where somebody took its `.git` away, git must not find theirs.
        let above = root.parent().filter(|_| root != self.root).map(|above| ("GIT_CEILING_DIRECTORIES", above));
        let env = index.into_iter().chain(above);
        let env = env.map(|(name, path)| (name.to_owned(), path.to_string_lossy().into_owned())).collect();
        Self { root: root.to_owned(), env, limit_ms: WRITE_MS, ..self.clone() }
    }

    /// Sets a variable for the commands that follow.
    pub(super) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Reads the names of the branches, also of those that lie in `packed-refs`; none where there is no git repository.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(super) async fn branches(&self) -> Result<Vec<String>, Failure> {
        let told = self.run(&["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"], "").await?;
        Ok(told.unwrap_or_default().lines().map(str::to_owned).collect())
    }

    /// Runs one command that must succeed; returns what it said.
    ///
    /// # Errors
    /// [`Failure::BadReply`] naming `what` could not be done; [`Failure::Cancelled`].
    pub(super) async fn must(&self, what: &str, args: &[&str], input: &str) -> Result<String, Failure> {
        let (ran, stderr) = self.spoken(args, input, OUTPUT_MAX).await?;
        let why = match ran {
            Ran::Said(text) => return Ok(text),
            Ran::TooMuch => "it had too much to say".to_owned(),
            Ran::TooLong => "it took too long".to_owned(),
            Ran::Failed => {
                stderr.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it refused").to_owned()
            }
        };
        Err(Failure::BadReply { from: format!("git ({what})"), why: Safe::line(&why).to_string() })
    }

    /// Runs one command to its end; `None` if git is not there, failed, said too much or took too long.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(super) async fn run(&self, args: &[&str], input: &str) -> Result<Option<String>, Failure> {
        Ok(match self.attempt(args, input, OUTPUT_MAX).await? {
            Ran::Said(text) => Some(text),
            Ran::TooMuch | Ran::TooLong | Ran::Failed => None,
        })
    }

    /// Runs one command to its end, or until it has said more than `max` bytes.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(super) async fn attempt(&self, args: &[&str], input: &str, max: u64) -> Result<Ran, Failure> {
        Ok(self.spoken(args, input, max).await?.0)
    }

    /// Runs one command; returns how it ended and what it complained of.
    async fn spoken(&self, args: &[&str], input: &str, max: u64) -> Result<(Ran, String), Failure> {
        let command = ["git"].iter().chain(&SAFE).map(|a| (*a).to_owned());
        let filters = self.filters.iter().flat_map(|setting| ["-c".to_owned(), setting.clone()]);
        let set = [("GIT_OPTIONAL_LOCKS", "0"), ("GIT_NO_LAZY_FETCH", "1"), ("GIT_ALLOW_PROTOCOL", "none")];
        let quiet = [("GIT_TERMINAL_PROMPT", "0"), ("LC_ALL", "C")];
        let program = Program {
            command: command.chain(filters).chain(args.iter().map(|a| (*a).to_owned())).collect(),
            env: set
                .iter()
                .chain(&quiet)
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .chain(self.env.iter().cloned())
                .collect(),
            env_pass: ["PATH", "HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"].map(str::to_owned).to_vec(),
            cwd: self.root.clone(),
            tag: Tag { run: "git".into(), seat: SEATS.fetch_add(1, Ordering::Relaxed).to_string() },
        };
        let child = match self.children.start(&program) {
            Ok(child) => child,
            Err(error) => {
                tracing::debug!(%error, "git was not started");
                return Ok((Ran::Failed, error.to_string()));
            }
        };
        let limits = Limits {
            start_ms: self.limit_ms,
            first_event_ms: self.limit_ms,
            idle_ms: self.limit_ms,
            total_ms: self.limit_ms,
            kill_grace_ms: 200,
            stdout_max: max,
            stderr_max: 4 << 10,
        };
        let mut meter = Meter { left: max, full: CancellationToken::new() };
        let full = meter.full.clone();
        let spoken = converse(child, Arc::from(input), &limits, &self.token, &full, &mut meter).await;
        let ran = match (spoken.cut, spoken.ended.exit) {
            _ if full.is_cancelled() => Ran::TooMuch,
            (Some(Cut::Stopped), _) => return Err(Failure::Cancelled),
            (Some(Cut::Late { .. }), _) => Ran::TooLong,
            (None, Some(Exit::Code(0))) => return Ok((Ran::Said(spoken.stdout.text()), String::new())),
            (None, _) => Ran::Failed,
        };
        let exit = spoken.ended.exit;
        let stderr = spoken.stderr.text();
        tracing::debug!(?ran, ?exit, %stderr, command = ?args.first(), "git failed");
        Ok((ran, stderr))
    }

    /// Reads everything about a folder; `None` outside a repository.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(super) async fn look(mut self) -> Result<Option<(Self, Whereabouts)>, Failure> {
        let where_args = ["rev-parse", "--is-shallow-repository", "--show-prefix"];
        let config_args = ["config", "--list", "--show-scope", "-z"];
        let (place, config) = tokio::join!(self.run(&where_args, ""), self.run(&config_args, ""));
        let Some(place) = place? else { return Ok(None) };
        let mut lines = place.lines();
        let is_shallow = lines.next() == Some("true");
        let prefix = lines.next().unwrap_or("").to_owned();
        // Without its config nobody knows what else a repository would run: then there are no facts.
        let Some(config) = config? else { return Ok(None) };
        let config = settings(&config);
        self.filters = config.filters;
        let status_args =
            ["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--ignore-submodules=all"];
        let max = format!("--max-count={COMMITS_MAX}");
        let log_args = [
            "log",
            &max,
            "--no-show-signature",
            "--no-color",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--name-only",
            "-z",
            "--format=%x01%H %ct",
        ];
        let (status, log) = tokio::join!(self.run(&status_args, ""), self.run(&log_args, ""));
        let Some(status) = status? else { return Ok(None) };
        let mut found = state(&status, &prefix);
        // A repository without a commit has no log.
        found.history.commits = log?.map(|log| commits(&log, &prefix)).unwrap_or_default();
        found.history.whole = !is_shallow && found.history.commits.len() < COMMITS_MAX;
        found.user = config.user;
        Ok(Some((self, found)))
    }

    /// Reads files as they were in commits; what git does not have is left out. Each is asked by commit and path.
    ///
    /// # Errors
    /// [`Failure::Cancelled`].
    pub(super) async fn files_at(
        &self,
        asked: &[(SpecId, String, String)],
    ) -> Result<BTreeMap<SpecId, String>, Failure> {
        if asked.is_empty() {
            return Ok(BTreeMap::new());
        }
        // A name with a line break would be two questions.
        let asked: Vec<_> = asked.iter().filter(|(_, _, path)| !path.contains('\n')).collect();
        let input: String = asked.iter().map(|(_, commit, path)| format!("{commit}:./{path}\n")).collect();
        let Some(output) = self.run(&["cat-file", "--batch"], &input).await? else { return Ok(BTreeMap::new()) };
        Ok(asked.iter().zip(blobs(&output)).filter_map(|((id, _, _), text)| Some((id.clone(), text?))).collect())
    }

    /// Returns what a commit has otherwise than the working copy: the text of each file that differs, `None` for one
    /// that the commit does not have.
    ///
    /// # Errors
    /// Usage (exit 64) if git does not know the commit; [`Failure::Cancelled`].
    pub(super) async fn otherwise_at(&self, rev: &str) -> Result<BTreeMap<String, Option<String>>, Failure> {
        let refuse = || {
            let shown: String = rev.chars().take(80).collect();
            Failure::usage("--at", format!("git knows no commit {shown:?}"), "give a branch, a tag or a commit")
        };
        if rev.starts_with('-') || rev.is_empty() || rev.contains(char::is_whitespace) {
            return Err(refuse());
        }
        let commit = format!("{rev}^{{commit}}");
        let found = self.run(&["rev-parse", "--verify", "--quiet", &commit], "").await?.ok_or_else(refuse)?;
        let commit = found.trim();
        let diff_args: Vec<&str> = super::range::NAMES.into_iter().chain([commit, "--"]).collect();
        let untracked_args = ["ls-files", "--others", "--exclude-standard", "-z"];
        let (changed, untracked) = tokio::join!(self.run(&diff_args, ""), self.run(&untracked_args, ""));
        let (changed, untracked) = (changed?.ok_or_else(refuse)?, untracked?.ok_or_else(refuse)?);
        let paths = |list: &str| list.split('\0').filter(|p| !p.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let changed = paths(&changed);
        // A name with a line break would be two questions: it counts as missing, which at worst says "changed".
        let asked: Vec<&String> = changed.iter().filter(|path| !path.contains('\n')).collect();
        let input: String = asked.iter().map(|path| format!("{commit}:./{path}\n")).collect();
        let output = self.run(&["cat-file", "--batch"], &input).await?.ok_or_else(refuse)?;
        let texts: BTreeMap<String, Option<String>> = asked.into_iter().cloned().zip(blobs(&output)).collect();
        let absent =
            changed.iter().chain(&paths(&untracked)).map(|path| (path.clone(), None)).collect::<BTreeMap<_, _>>();
        Ok(absent.into_iter().chain(texts).collect())
    }
}

/// What the config says that we need.
#[derive(Debug, Default, PartialEq, Eq)]
struct Config {
    user: Option<String>,
    filters: Vec<String>,
}

/// Reads `git config --list --show-scope -z`: scope, NUL, key, line break, value, NUL.
fn settings(text: &str) -> Config {
    let mut config = Config::default();
    let mut drivers = BTreeSet::new();
    let mut parts = text.split('\0');
    while let (Some(scope), Some(entry)) = (parts.next(), parts.next()) {
        let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
        if key == "user.name" {
            config.user = Some(value.to_owned());
        }
        // The user's own filters (scope global or system) are the user's; the repository's may be anybody's.
        let is_foreign = !matches!(scope, "global" | "system" | "command");
        if let Some((driver, _)) =
            key.strip_prefix("filter.").and_then(|rest| rest.rsplit_once('.')).filter(|_| is_foreign)
        {
            drivers.insert(driver.to_owned());
        }
    }
    for driver in drivers {
        for setting in ["clean=", "smudge=", "process=", "required=false"] {
            config.filters.push(format!("filter.{driver}.{setting}"));
        }
    }
    config
}

/// Reads `git status --porcelain=v2 --branch -z`.
fn state(text: &str, prefix: &str) -> Whereabouts {
    let mut found = Whereabouts::default();
    let mut parts = text.split('\0');
    while let Some(part) = parts.next() {
        if let Some(head) = part.strip_prefix("# branch.oid ") {
            found.head = Some(head.to_owned()).filter(|h| h != "(initial)");
        } else if let Some(branch) = part.strip_prefix("# branch.head ") {
            found.branch = Some(branch.to_owned()).filter(|b| b != "(detached)");
        }
        let fields = match part.split(' ').next() {
            Some("1") => 9,
            Some("2") => 10,
            Some("u") => 11,
            Some("?") => 2,
            _ => continue,
        };
        let mut paths: Vec<&str> = part.splitn(fields, ' ').skip(fields - 1).collect();
        if fields == 10 {
            // A rename: its old name is the next part.
            paths.extend(parts.next());
        }
        found.history.dirty.extend(paths.into_iter().filter_map(|p| p.strip_prefix(prefix)).map(str::to_owned));
    }
    found
}

/// Reads `git log --name-only -z` with our header.
fn commits(text: &str, prefix: &str) -> Vec<Commit> {
    let mut out: Vec<Commit> = Vec::new();
    for part in text.split('\0') {
        let part = part.trim_start_matches('\n');
        if let Some((sha, at)) = part.strip_prefix('\u{1}').and_then(|header| header.split_once(' ')) {
            // A header may be followed by the first path, without a NUL between them.
            let (at, first) = at.split_once('\n').map_or((at, ""), |(at, rest)| (at, rest.trim_start_matches('\n')));
            let seconds: u64 = at.trim().parse().unwrap_or(0);
            let files = first.strip_prefix(prefix).filter(|f| !f.is_empty()).map(str::to_owned).into_iter().collect();
            out.push(Commit { sha: sha.to_owned(), at: Moment(seconds.saturating_mul(1_000)), files });
        } else if let (Some(path), Some(commit)) = (part.strip_prefix(prefix), out.last_mut())
            && !path.is_empty()
        {
            commit.files.push(path.to_owned());
        }
    }
    out
}

/// Reads `git cat-file --batch`: for each question a header with the size and that many bytes, or a line that says
/// `missing`. Text that is not UTF-8 was replaced, so that sizes no longer fit: then nothing more is read.
pub(super) fn blobs(text: &str) -> Vec<Option<String>> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((header, after)) = rest.split_once('\n') {
        let size =
            header.rsplit(' ').next().and_then(|n| n.parse::<usize>().ok()).filter(|_| header.contains(" blob "));
        match size {
            None => {
                out.push(None);
                rest = after;
            }
            Some(size) => {
                let Some(blob) = after.get(..size) else { break };
                out.push(Some(blob.to_owned()));
                rest = after[size..].strip_prefix('\n').unwrap_or("");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_of_the_repository_are_switched_off_and_the_users_are_not() {
        let config = settings(
            "global\0user.name\nAda\0global\0filter.lfs.clean\ngit-lfs\0local\0filter.evil.x.clean\nsh -c evil\0",
        );
        assert_eq!(config.user.as_deref(), Some("Ada"));
        assert_eq!(config.filters[0], "filter.evil.x.clean=");
        assert_eq!(config.filters.len(), 4);
    }

    #[test]
    fn status_is_read_with_renames_and_odd_names() {
        let text = "# branch.oid abc\0# branch.head main\x001 .M N... 1 2 3 a b sub/a b.rs\x00\
                    2 R. N... 1 2 3 a b R100 sub/new.rs\0sub/old.rs\0? sub/x\ny\0? else\0";
        let found = state(text, "sub/");
        assert_eq!((found.head.as_deref(), found.branch.as_deref()), (Some("abc"), Some("main")));
        let dirty: Vec<&str> = found.history.dirty.iter().map(String::as_str).collect();
        assert_eq!(dirty, ["a b.rs", "new.rs", "old.rs", "x\ny"]);
    }

    #[test]
    fn the_log_is_read_by_commit() {
        let log = commits("\u{1}aaa 20\0\na.rs\0b.rs\0\0\u{1}bbb 10\n\nc.rs\0", "");
        assert_eq!(log.len(), 2);
        assert_eq!((log[0].files.as_slice(), log[0].at), (&["a.rs".to_owned(), "b.rs".into()][..], Moment(20_000)));
        assert_eq!(log[1].files, ["c.rs"]);
    }

    #[test]
    fn blobs_are_cut_by_their_size() {
        assert_eq!(
            blobs("1 blob 3\na\nb\nx:y missing\n2 blob 2\nhi\n"),
            [Some("a\nb".into()), None, Some("hi".into())]
        );
    }
}
