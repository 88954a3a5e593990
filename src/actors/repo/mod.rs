//! Reads the repository: an overview for the first screen, `check`, and the host's own look at what is cited.
//!
//! It writes nothing but what it is asked to: a git note, the worktrees of agents, a branch, a patch into the working copy.
//! It must not know what a run makes of it, nor the screen.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::guardrails::{Cuts, Guarded, Watch};
use self::trial::{Tools, Trial};
use self::worktrees::{Plot, Uprooted};
use super::agents::process::Children;
use super::{MAILBOX, Promise, Reply, Scope, Waker, post};
use crate::domain::candidate::{Landing, Patch, Picked, Step, Tested};
use crate::domain::check::{self, Changes, FileText, Report};
use crate::domain::claim::lookup::{Citation, Found, Lookups};
use crate::domain::dissent::{Entry, Ledger};
use crate::domain::failure::Failure;
use crate::domain::gate::{self, Gate, Held};
use crate::domain::ids::{RunId, SpecId};
use crate::domain::overview::Overview;
use crate::domain::preparation::{self, Ask, Preparation, tree_id};
use crate::domain::proposal::{self, Proposal};
use crate::domain::range::Range;
use crate::domain::settings::CheckTemplate;
use crate::domain::spec::{self, Spec};

mod candidates;
pub mod checks;
mod git;
pub mod guardrails;
mod landing;
mod notes;
mod overview;
mod picking;
mod prepare;
mod range;
#[cfg(test)]
mod tests;
mod tree;
pub mod trial;
pub mod worktrees;

/// The name of this actor in failures.
const ACTOR: &str = "repo";

/// Asks the repo actor.
#[derive(Debug, Clone)]
pub struct Handle {
    mailbox: mpsc::Sender<Command>,
    waker: Waker,
    own: Arc<str>,
}

impl Handle {
    /// Reads and checks the whole repository at `root`.
    pub fn survey(&self, root: PathBuf, token: CancellationToken) -> Reply<Arc<Overview>> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Survey { root, token, promise })
    }

    /// Checks the specs at `root`, or the one that `given` names (an id or a prefix of one), and whether the changes of
    /// a git range (`A..B`) were asked for.
    pub fn check(
        &self,
        root: PathBuf,
        given: Option<String>,
        range: Option<String>,
        token: CancellationToken,
    ) -> Reply<Arc<Report>> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Check { root, given, range, token, promise })
    }

    /// Looks up what assertions about `spec` cite; runs nothing. Changes are those of `range`, else what is not
    /// committed.
    pub fn look_up(
        &self,
        root: PathBuf,
        spec: Arc<Spec>,
        citations: BTreeSet<Citation>,
        range: Option<Arc<Range>>,
        token: CancellationToken,
    ) -> Reply<Lookups> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::LookUp {
            root,
            spec,
            citations,
            range,
            token,
            promise,
        })
    }

    /// Reads what a stage starts from, and renders its prompts. With `range` (`A..B`), the change between two commits is
    /// what it is about.
    pub fn prepare(
        &self,
        root: PathBuf,
        ask: Ask,
        range: Option<String>,
        token: CancellationToken,
    ) -> Reply<Arc<Preparation>> {
        let ask = Box::new((ask, range));
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Prepare { root, ask, token, promise })
    }

    /// Runs the guardrails of one side of a stage in the working copy, in order, up to the first that fails. Their output
    /// comes with the report, by the name of a file.
    pub fn guard(&self, root: PathBuf, watch: Watch, cuts: Cuts) -> Reply<Guarded> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Guard { root, watch, cuts, promise })
    }

    /// Holds gates over a spec; `entries` are its ledger, as far as it is about gates.
    pub fn hold(
        &self,
        root: PathBuf,
        spec: SpecId,
        gates: BTreeSet<Gate>,
        entries: Vec<gate::Entry>,
        token: CancellationToken,
    ) -> Reply<Held> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Hold { root, spec, gates, entries, token, promise })
    }

    /// Reads what the recorded verdicts of a spec and its ledger's `entries` leave open.
    pub fn ledger(
        &self,
        root: PathBuf,
        spec: SpecId,
        entries: Vec<Entry>,
        token: CancellationToken,
    ) -> Reply<Arc<Ledger>> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Ledger { root, spec, entries, token, promise })
    }

    /// Reads what a panel proposes for a spec's document, and the document as it stands.
    pub fn proposal(&self, root: PathBuf, spec: SpecId, token: CancellationToken) -> Reply<Proposal> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Proposal { root, spec, token, promise })
    }

    /// Names the state of the code that a verdict is bound to: of the working copy, or of the commit `at`
    /// (exit 64 if git knows none of that name).
    pub fn tree_id(&self, root: PathBuf, at: Option<String>, token: CancellationToken) -> Reply<String> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::TreeId { root, at, token, promise })
    }

    /// Reads the names of the branches here; none outside a git repository.
    pub fn branches(&self, root: PathBuf, token: CancellationToken) -> Reply<Vec<String>> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Branches { root, token, promise })
    }

    /// Reads the texts of our git notes; none outside a git repository.
    pub fn notes(&self, root: PathBuf, token: CancellationToken) -> Reply<Vec<String>> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Notes { root, token, promise })
    }

    /// Adds a text to our git note of the commit that is checked out; returns the commit.
    pub fn add_note(&self, root: PathBuf, text: String, token: CancellationToken) -> Reply<String> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::AddNote { root, text, token, promise })
    }

    /// Returns the folder of a repository in which this actor makes its scratch copies, and no other one: neither in
    /// another process nor in another pipeline of this one.
    pub fn scratch(&self, root: &Path) -> PathBuf {
        scratch(root, &self.own)
    }

    /// Makes the worktree of an agent that writes, or takes it again; returns its folder.
    pub fn plant(&self, root: PathBuf, plot: Plot, token: CancellationToken) -> Reply<PathBuf> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Garden(Garden::Plant { root, plot, token, promise }))
    }

    /// Reads what an agent changed in its worktree.
    pub fn reap(&self, root: PathBuf, plot: Plot, token: CancellationToken) -> Reply<Patch> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Garden(Garden::Reap { root, plot, token, promise }))
    }

    /// Watches how much room an agent's worktree takes, until it is more than it may: then true; false once `over`.
    pub fn outgrows(&self, plot: Plot, over: CancellationToken) -> Reply<bool> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Garden(Garden::Watch { plot, over, promise }))
    }

    /// Takes away what an agent wrote: its worktree, or where its program stays in it, all that it put there.
    pub fn fell(&self, root: PathBuf, plot: Plot, stays: bool, token: CancellationToken) -> Reply<()> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| {
            Command::Garden(Garden::Fell { root, plot, stays, token, promise })
        })
    }

    /// Removes the worktrees of a run below `folder`.
    pub fn uproot(&self, root: PathBuf, folder: PathBuf, run: RunId, token: CancellationToken) -> Reply<()> {
        let what = Uprooted::Worktrees;
        post(ACTOR, &self.mailbox, &self.waker, |promise| {
            Command::Garden(Garden::Uproot { root, folder, run, what, token, promise })
        })
    }

    /// Removes the worktrees of a run and what git keeps of it: nobody will take anything of it any more.
    pub fn forget(&self, root: PathBuf, folder: PathBuf, run: RunId, token: CancellationToken) -> Reply<()> {
        let what = Uprooted::All;
        post(ACTOR, &self.mailbox, &self.waker, |promise| {
            Command::Garden(Garden::Uproot { root, folder, run, what, token, promise })
        })
    }

    /// Runs the project's tests and guardrails on every candidate. One trial or check at a time: they share a folder.
    pub fn try_out(&self, root: PathBuf, trial: Trial, token: CancellationToken) -> Reply<trial::Outcome> {
        let trial = Box::new(trial);
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::TryOut { root, trial, token, promise })
    }

    /// Puts a candidate where it goes, or takes it back from there; returns its commit, where it has one.
    pub fn land(&self, root: PathBuf, landing: Landing, step: Step, token: CancellationToken) -> Reply<Option<String>> {
        let landing = Box::new(landing);
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::Land { root, landing, step, token, promise })
    }

    /// Builds and tests hunks that were picked of several changes. One at a time with every other trial.
    pub fn try_picked(&self, root: PathBuf, picked: Picked, tools: Tools, token: CancellationToken) -> Reply<Tested> {
        let picked = Box::new((picked, tools));
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::TryPicked { root, picked, token, promise })
    }

    /// Runs the approved check that settles a cited test, on a scratch copy of the working copy. One at a time: they
    /// share the copy.
    pub fn run_check(
        &self,
        root: PathBuf,
        checks: BTreeMap<String, CheckTemplate>,
        citation: Citation,
        token: CancellationToken,
    ) -> Reply<Found> {
        post(ACTOR, &self.mailbox, &self.waker, |promise| Command::RunCheck { root, checks, citation, token, promise })
    }
}

/// What is done with a worktree.
#[derive(Debug)]
enum Garden {
    Plant {
        root: PathBuf,
        plot: Plot,
        token: CancellationToken,
        promise: Promise<PathBuf>,
    },
    Reap {
        root: PathBuf,
        plot: Plot,
        token: CancellationToken,
        promise: Promise<Patch>,
    },
    Watch {
        plot: Plot,
        over: CancellationToken,
        promise: Promise<bool>,
    },
    Fell {
        root: PathBuf,
        plot: Plot,
        stays: bool,
        token: CancellationToken,
        promise: Promise<()>,
    },
    Uproot {
        root: PathBuf,
        folder: PathBuf,
        run: RunId,
        what: Uprooted,
        token: CancellationToken,
        promise: Promise<()>,
    },
}

/// What the actor is asked.
#[derive(Debug)]
enum Command {
    Garden(Garden),
    TryPicked {
        root: PathBuf,
        picked: Box<(Picked, Tools)>,
        token: CancellationToken,
        promise: Promise<Tested>,
    },
    TryOut {
        root: PathBuf,
        trial: Box<Trial>,
        token: CancellationToken,
        promise: Promise<trial::Outcome>,
    },
    Land {
        root: PathBuf,
        landing: Box<Landing>,
        step: Step,
        token: CancellationToken,
        promise: Promise<Option<String>>,
    },
    Guard {
        root: PathBuf,
        watch: Watch,
        cuts: Cuts,
        promise: Promise<Guarded>,
    },
    Hold {
        root: PathBuf,
        spec: SpecId,
        gates: BTreeSet<Gate>,
        entries: Vec<gate::Entry>,
        token: CancellationToken,
        promise: Promise<Held>,
    },
    Branches {
        root: PathBuf,
        token: CancellationToken,
        promise: Promise<Vec<String>>,
    },
    Notes {
        root: PathBuf,
        token: CancellationToken,
        promise: Promise<Vec<String>>,
    },
    AddNote {
        root: PathBuf,
        text: String,
        token: CancellationToken,
        promise: Promise<String>,
    },
    TreeId {
        root: PathBuf,
        at: Option<String>,
        token: CancellationToken,
        promise: Promise<String>,
    },
    Prepare {
        root: PathBuf,
        ask: Box<(Ask, Option<String>)>,
        token: CancellationToken,
        promise: Promise<Arc<Preparation>>,
    },
    Ledger {
        root: PathBuf,
        spec: SpecId,
        entries: Vec<Entry>,
        token: CancellationToken,
        promise: Promise<Arc<Ledger>>,
    },
    Proposal {
        root: PathBuf,
        spec: SpecId,
        token: CancellationToken,
        promise: Promise<Proposal>,
    },
    RunCheck {
        root: PathBuf,
        checks: BTreeMap<String, CheckTemplate>,
        citation: Citation,
        token: CancellationToken,
        promise: Promise<Found>,
    },
    Survey {
        root: PathBuf,
        token: CancellationToken,
        promise: Promise<Arc<Overview>>,
    },
    Check {
        root: PathBuf,
        given: Option<String>,
        range: Option<String>,
        token: CancellationToken,
        promise: Promise<Arc<Report>>,
    },
    LookUp {
        root: PathBuf,
        spec: Arc<Spec>,
        citations: BTreeSet<Citation>,
        range: Option<Arc<Range>>,
        token: CancellationToken,
        promise: Promise<Lookups>,
    },
}

/// Starts the actor; it runs `git` through `children`.
pub fn spawn(scope: &Scope, children: Children) -> Handle {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let own: Arc<str> = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)).into();
    let (mailbox, commands) = mpsc::channel(MAILBOX);
    scope.spawn(run(scope.clone(), commands, children, Arc::clone(&own)));
    Handle { mailbox, waker: scope.waker().clone(), own }
}

fn scratch(root: &Path, own: &str) -> PathBuf {
    root.join(".dicast/scratch").join(own)
}

/// None of these by `Scope::answer`: what git writes it writes to its end. One at a time: git locks its config.
fn garden(scope: &Scope, reader: Reader, what: Garden, turn: &Arc<Mutex<()>>) {
    match what {
        Garden::Plant { root, plot, token, promise } => {
            let turn = Arc::clone(turn);
            scope.spawn(async move { promise.keep(reader.plant(&root, &plot, &token, &turn).await) });
        }
        Garden::Reap { root, plot, token, promise } => {
            scope.spawn(async move { promise.keep(reader.reap(&root, &plot, &token).await) });
        }
        Garden::Watch { plot, over, promise } => {
            scope.spawn(async move { promise.keep(worktrees::outgrows(&reader.scope, &plot, &over).await) });
        }
        Garden::Fell { root, plot, stays, token, promise } => {
            let turn = Arc::clone(turn);
            scope.spawn(async move { promise.keep(reader.fell(&root, (&plot, stays), &token, &turn).await) });
        }
        Garden::Uproot { root, folder, run, what, token, promise } => {
            let (turn, of) = (Arc::clone(turn), (folder, run, what));
            scope.spawn(async move { promise.keep(reader.uproot(&root, &of, &token, &turn).await) });
        }
    }
}

async fn run(scope: Scope, mut commands: mpsc::Receiver<Command>, children: Children, own: Arc<str>) {
    let turn = Arc::new(Mutex::new(()));
    let gardening = Arc::new(Mutex::new(()));
    let cancel = scope.cancel.clone();
    while let Some(Some(command)) = cancel.run_until_cancelled(commands.recv()).await {
        let reader = Reader { scope: scope.clone(), children: children.clone(), own: Arc::clone(&own) };
        match command {
            Command::Garden(what) => garden(&scope, reader, what, &gardening),
            Command::TryOut { root, trial, token, promise } => {
                let turn = Arc::clone(&turn);
                scope.spawn(async move { promise.keep(reader.try_out(&root, &trial, &token, &turn).await) });
            }
            Command::TryPicked { root, picked, token, promise } => {
                let turn = Arc::clone(&turn);
                scope.spawn(async move { promise.keep(reader.try_picked(&root, &picked, &token, &turn).await) });
            }
            Command::Land { root, landing, step, token, promise } => {
                let turn = Arc::clone(&gardening);
                scope.spawn(async move { promise.keep(reader.land(&root, (&landing, step), &token, &turn).await) });
            }
            Command::Guard { root, watch, cuts, promise } => {
                // Not `Scope::answer`: a guardrail owns a child and sees it to its end, also when it is stopped.
                scope.spawn(async move {
                    promise.keep(guardrails::run((&reader.scope, &reader.children), &root, watch, &cuts).await);
                });
            }
            Command::Hold { root, spec, gates, entries, token, promise } => {
                scope.answer(token.clone(), promise, reader.hold(root, spec, gates, entries, token));
            }
            Command::Branches { root, token, promise } => {
                scope.answer(token.clone(), promise, async move { reader.git_at(&root, token).branches().await });
            }
            Command::Notes { root, token, promise } => {
                scope.answer(token.clone(), promise, async move { reader.git_at(&root, token).notes().await });
            }
            Command::AddNote { root, text, token, promise } => {
                // Not `Scope::answer`: what was begun to be written is written to its end.
                scope.spawn(async move { promise.keep(reader.git_at(&root, token).add_note(&text).await) });
            }
            Command::TreeId { root, at, token, promise } => {
                scope.answer(token.clone(), promise, reader.tree_id(root, at, token));
            }
            Command::Prepare { root, ask, token, promise } => {
                let cut = token.clone();
                scope.answer(token, promise, async move {
                    prepare::prepared((&reader.scope, &reader.children), &root, *ask, &cut).await
                });
            }
            Command::Ledger { root, spec, entries, token, promise } => {
                scope.answer(token.clone(), promise, reader.ledger(root, spec, entries, token));
            }
            Command::Proposal { root, spec, token, promise } => {
                scope.answer(token.clone(), promise, reader.proposal(root, spec, token));
            }
            Command::RunCheck { root, checks, citation, token, promise } => {
                let turn = Arc::clone(&turn);
                // Not `Scope::answer`: a check owns a child and sees it to its end, also when it is stopped.
                scope.spawn(
                    async move { promise.keep(reader.run_check(root, &checks, &citation, &token, &turn).await) },
                );
            }
            Command::Survey { root, token, promise } => {
                scope.answer(token.clone(), promise, reader.survey(root, token));
            }
            Command::Check { root, given, range, token, promise } => {
                scope.answer(token.clone(), promise, reader.check(root, given, range, token));
            }
            Command::LookUp { root, spec, citations, range, token, promise } => {
                scope.answer(token.clone(), promise, reader.look_up(root, spec, citations, range, token));
            }
        }
    }
}

/// Does one request.
struct Reader {
    scope: Scope,
    children: Children,
    own: Arc<str>,
}

impl Reader {
    fn git_at(self, root: &Path, token: CancellationToken) -> git::Git {
        git::Git::new(self.children, root, token)
    }

    async fn survey(self, root: PathBuf, token: CancellationToken) -> Result<Arc<Overview>, Failure> {
        let began = Instant::now();
        let shot = tree::snapshot(&self.scope, &self.children, &root, &token).await?;
        let name = root.file_name().map_or_else(|| "repository".into(), |n| n.to_string_lossy().into_owned());
        self.blocking(move || {
            let report = check::check(&shot.reading, &shot.tree, None, None);
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok(Arc::new(overview::overview(name, &shot.tree, &shot.reading, report, shot.place, took_ms)))
        })
        .await
    }

    async fn check(
        self,
        root: PathBuf,
        given: Option<String>,
        range: Option<String>,
        token: CancellationToken,
    ) -> Result<Arc<Report>, Failure> {
        let shot = tree::snapshot(&self.scope, &self.children, &root, &token).await?;
        let only = only(&shot, given.as_deref())?;
        let hunks = match (&range, &shot.git) {
            (None, _) => None,
            (Some(range), Some(git)) => Some(check::hunks(&git.diff(range).await?)),
            (Some(_), None) => return Err(no_repository("--range")),
        };
        self.blocking(move || Ok(Arc::new(check::check(&shot.reading, &shot.tree, only.as_ref(), hunks.as_deref()))))
            .await
    }

    async fn hold(
        self,
        root: PathBuf,
        spec: SpecId,
        gates: BTreeSet<Gate>,
        entries: Vec<gate::Entry>,
        token: CancellationToken,
    ) -> Result<Held, Failure> {
        let shot = tree::snapshot(&self.scope, &self.children, &root, &token).await?;
        self.blocking(move || gate::hold_in(&shot.tree, &spec, &gates, &entries)).await
    }

    async fn tree_id(self, root: PathBuf, at: Option<String>, token: CancellationToken) -> Result<String, Failure> {
        let Some(rev) = at else {
            let tree = tree::alone(&self.scope, &root, &token).await?;
            return self.blocking(move || Ok(tree_id(&tree))).await;
        };
        let shot = tree::snapshot(&self.scope, &self.children, &root, &token).await?;
        let Some(git) = shot.git else { return Err(no_repository("--at")) };
        let mut tree = shot.tree;
        for (path, text) in git.otherwise_at(&rev).await? {
            match text {
                Some(text) => drop(tree.files.insert(path, FileText::text(text))),
                None => drop(tree.files.remove(&path)),
            }
        }
        self.blocking(move || Ok(tree_id(&tree))).await
    }

    async fn ledger(
        self,
        root: PathBuf,
        spec: SpecId,
        entries: Vec<Entry>,
        token: CancellationToken,
    ) -> Result<Arc<Ledger>, Failure> {
        let (tree, _) = tree::files(&self.scope, &root, &token).await?;
        self.blocking(move || preparation::ledger(&tree, &spec, &entries).map(Arc::new)).await
    }

    async fn proposal(self, root: PathBuf, spec: SpecId, token: CancellationToken) -> Result<Proposal, Failure> {
        let tree = tree::alone(&self.scope, &root, &token).await?;
        self.blocking(move || proposal::read(&tree, &spec)).await
    }

    async fn run_check(
        self,
        root: PathBuf,
        checks: &BTreeMap<String, CheckTemplate>,
        citation: &Citation,
        token: &CancellationToken,
        turn: &Mutex<()>,
    ) -> Result<Found, Failure> {
        let _turn = tokio::select! {
            turn = turn.lock() => turn,
            () = token.cancelled() => return Err(Failure::Cancelled),
        };
        let (tree, _) = tree::files(&self.scope, &root, token).await?;
        let files = tree.files.into_keys().collect();
        checks::run_check((&self.scope, &self.children), (root, &self.own), files, checks, citation, token).await
    }

    async fn look_up(
        self,
        root: PathBuf,
        spec: Arc<Spec>,
        citations: BTreeSet<Citation>,
        range: Option<Arc<Range>>,
        token: CancellationToken,
    ) -> Result<Lookups, Failure> {
        let shot = tree::snapshot(&self.scope, &self.children, &root, &token).await?;
        let changes = match (&shot.git, &range) {
            (Some(git), Some(range)) => Some(Changes::of_range(range, &git.between(&range.ends).await?)),
            (Some(git), None) => git.uncommitted().await?,
            (None, _) => None,
        };
        self.blocking(move || {
            let apart: Vec<String> = shot.reading.specs.iter().map(|s| s.dir.clone()).collect();
            Ok(check::look_up(&shot.tree, &spec, &apart, changes.as_ref(), &citations))
        })
        .await
    }

    /// Computes on the blocking pool: a large repository takes longer than a turn of the runtime should.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        self.scope.spawn_blocking(work).await.map_err(|_| Failure::ActorGone { actor: ACTOR.into() })?
    }
}

fn no_repository(flag: &str) -> Failure {
    let next = format!("run it inside a git repository, or leave {flag} out");
    Failure::usage(flag, "there is no git repository here", next)
}

/// Finds the spec that a name means; also one whose document cannot be read, so that its finding is shown.
fn only(shot: &tree::Snapshot, given: Option<&str>) -> Result<Option<SpecId>, Failure> {
    let Some(given) = given else { return Ok(None) };
    let unread = shot.reading.unreadable.iter().filter_map(|f| f.spec.clone());
    let all: BTreeSet<SpecId> = shot.reading.specs.iter().map(|s| s.id.clone()).chain(unread).collect();
    spec::resolve(&all.into_iter().collect::<Vec<_>>(), given).map(Some)
}
