//! Tries candidates: lays each one's tree into a scratch folder, runs the project's approved tests and guardrails there,
//! and each candidate's tests on every other one's code.
//!
//! Trees are put together with an index of their own. Only approved commands are run, with nothing of an agent in their
//! argv. It must not know what the results are worth.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::checks::{ENV_PASS, LIMITS};
use super::git::Git;
use super::tree;
use crate::actors::Scope;
use crate::actors::agents::process::{Children, Program, Spoken, Tag, converse};
use crate::disk::scratch;
use crate::domain::artifact::body::Change;
use crate::domain::candidate::{
    CHECK, Entered, Extra, Extras, Heard, Log, Patch, Picked, Rail, Runs, Tested, Tried, rank,
};
use crate::domain::check::{Asked, FileText, Paths, Results, Tree, results};
use crate::domain::classify::Exit;
use crate::domain::failure::Failure;
use crate::domain::hunks::Picks;
use crate::domain::ids::{AgentName, Family};
use crate::domain::preparation::tree_id;
use crate::domain::run::Limits;
use crate::domain::safe::Safe;
use crate::domain::settings::{CheckTemplate, Guardrails};
use crate::domain::spec::{Spec, is_test_path};

/// Most bytes of one output that are kept as evidence.
const LOG_MAX: usize = 256 << 10;

/// What is tried.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The commit that all candidates start from.
    pub base: String,
    /// What each agent changed.
    pub patches: BTreeMap<AgentName, (Family, Arc<Patch>)>,
    /// What is run on each.
    pub tools: Tools,
    /// The spec whose tasks say what was asked for.
    pub spec: Arc<Spec>,
}

/// What is run on a tree.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    /// The approved checks.
    pub checks: BTreeMap<String, CheckTemplate>,
    /// What must succeed.
    pub rails: Guardrails,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The candidates, best first.
    pub tried: Tried,
    /// What the test runs wrote.
    pub logs: Vec<Log>,
}

/// Tries candidates one after the other: they share a folder and a build.
struct Stand<'a> {
    scope: &'a Scope,
    children: &'a Children,
    git: Git,
    folder: PathBuf,
    tools: &'a Tools,
    token: &'a CancellationToken,
    /// What was heard of a tree, and its log: the same tree is run once.
    heard: BTreeMap<String, Heard>,
    logs: Vec<Log>,
}

/// Where candidates are tried.
pub(super) struct Ground<'a> {
    pub scope: &'a Scope,
    pub children: &'a Children,
    pub git: Git,
    /// The repository's folder.
    pub root: &'a Path,
    /// A scratch folder of our own.
    pub folder: PathBuf,
}

/// Tries all candidates.
///
/// # Errors
/// Where git, the disk or a command's start fails; [`Failure::Cancelled`].
pub(super) async fn run(ground: Ground<'_>, trial: &Trial, token: &CancellationToken) -> Result<Outcome, Failure> {
    let (mut before, _) = tree::files(ground.scope, ground.root, token).await?;
    before.history = None;
    let mut stand = Stand::on(ground, &trial.tools, token).await?;
    let outcome = stand.all(trial, &before).await;
    stand.leave().await;
    outcome
}

/// Builds and tests hunks that were picked.
///
/// # Errors
/// As [`run`].
pub(super) async fn run_picked(
    ground: Ground<'_>,
    (picked, tools): (&Picked, &Tools),
    token: &CancellationToken,
) -> Result<Tested, Failure> {
    let mut stand = Stand::on(ground, tools, token).await?;
    let tested = stand.picked(picked).await;
    stand.leave().await;
    tested
}

async fn scratch_made(scope: &Scope, folder: &Path) -> Result<(), Failure> {
    let folder = folder.to_owned();
    scope.spawn_blocking(move || scratch::make(&folder)).await.map_err(|_| gone())?
}

impl<'a> Stand<'a> {
    async fn on(ground: Ground<'a>, tools: &'a Tools, token: &'a CancellationToken) -> Result<Self, Failure> {
        let Ground { scope, children, git, root, folder } = ground;
        scratch_made(scope, &folder).await?;
        let git = git.at(root, Some(&folder.join("index")));
        Ok(Self { scope, children, git, folder, tools, token, heard: BTreeMap::new(), logs: Vec::new() })
    }

    /// Clears what was laid.
    async fn leave(self) {
        let laid = self.folder.join("tree");
        let cleared = self.scope.spawn_blocking(move || scratch::clear(&laid)).await;
        if let Ok(Err(failure)) = cleared {
            tracing::warn!(%failure, "a scratch copy stays");
        }
    }

    async fn all(&mut self, trial: &Trial, before: &Tree) -> Result<Outcome, Failure> {
        let mut runs =
            Runs { base: self.hear(&format!("{}^{{tree}}", trial.base), "before").await?, ..Runs::default() };
        let (mut entering, mut extras) = (trial.patches.clone(), BTreeMap::new());
        for (agent, (_, patch)) in &mut entering {
            if let Some((lean, found)) = self.lean((trial, before), (agent, patch), &runs.base).await? {
                *patch = lean;
                extras.insert(agent.clone(), found);
            }
        }
        let fit: Vec<(&AgentName, &Patch)> = entering
            .iter()
            .map(|(agent, (_, patch))| (agent, &**patch))
            .filter(|(_, patch)| patch.unfit.is_none() && !patch.files.is_empty())
            .collect();
        let mut states = BTreeMap::new();
        for (agent, patch) in &fit {
            let own = tests_of(patch);
            let bare = self.mixed(&patch.tree, &[(&trial.base, &own)]).await?;
            runs.yours.insert((*agent).clone(), self.hear(&bare, &format!("{agent}-yours")).await?);
            // Last of its own: its tree is laid for the guardrails.
            let heard = self.hear(&patch.tree, &format!("{agent}-own")).await?;
            if !own.is_empty() {
                runs.theirs.insert(((*agent).clone(), (*agent).clone()), heard);
            }
            runs.rails.insert((*agent).clone(), self.rails(&patch.tree).await?);
            states.insert((*agent).clone(), self.state(before, patch).await?);
        }
        for (whose, tests) in &fit {
            let brought = tests_of(tests);
            for (agent, patch) in fit.iter().filter(|(agent, _)| agent != whose && !brought.is_empty()) {
                let own = tests_of(patch);
                let parts = [(trial.base.as_str(), &own), (tests.tree.as_str(), &brought)];
                let mixed = self.mixed(&patch.tree, &parts).await?;
                let heard = self.hear(&mixed, &format!("{agent}-tests-of-{whose}")).await?;
                runs.theirs.insert(((*whose).clone(), (*agent).clone()), heard);
            }
        }
        let entered: Vec<Entered<'_>> = entering
            .iter()
            .map(|(agent, (family, patch))| (agent, family, &**patch, states.get(agent).map_or("", String::as_str)))
            .collect();
        let mut tried = Tried { base: trial.base.clone(), candidates: rank(&entered, &runs) };
        for candidate in &mut tried.candidates {
            candidate.extras = extras.remove(&candidate.agent);
        }
        Ok(Outcome { tried, logs: std::mem::take(&mut self.logs) })
    }

    /// Leaves out of a change what no task asked for, unless something is red without it; `None` where all was asked for.
    /// Test files stay: by them candidates are told apart.
    async fn lean(
        &mut self,
        (trial, before): (&Trial, &Tree),
        (agent, patch): (&AgentName, &Arc<Patch>),
        base: &Heard,
    ) -> Result<Option<(Arc<Patch>, Extras)>, Failure> {
        let unasked = unasked(before, &trial.spec, patch);
        if patch.unfit.is_some() || unasked.is_empty() {
            return Ok(None);
        }
        let kept = patch.diff.hunks().iter().map(|hunk| &hunk.id);
        let kept = kept.filter(|id| unasked.iter().all(|extra| extra.id != **id)).cloned().collect::<BTreeSet<_>>();
        let picks = Picks(BTreeMap::from([(agent.clone(), kept)]));
        let tree = self.git.composed(&trial.base, &BTreeMap::from([(agent, &**patch)]), &picks).await?;
        let mut extras = Extras { whole: patch.tree.clone(), hunks: unasked, needed: picks.is_empty() };
        if !extras.needed {
            let whole = self.hear(&patch.tree, &format!("{agent}-own")).await?;
            let lean = self.hear(&tree, &format!("{agent}-asked")).await?;
            let is_green = |rails: Vec<Rail>| rails.iter().all(|rail| rail.passed);
            extras.needed = is_worse(base, &whole, &lean)
                || (!is_green(self.rails(&tree).await?) && is_green(self.rails(&patch.tree).await?));
        }
        if extras.needed {
            return Ok(Some((Arc::clone(patch), extras)));
        }
        let mut lean = Patch { tree, ..(**patch).clone() };
        let revisions = [trial.base.as_str(), lean.tree.as_str()];
        let files = self.git.changed(revisions).await?;
        (lean.added, lean.removed) = self.git.counted(revisions).await?;
        lean.files = files;
        Ok(Some((Arc::new(lean), extras)))
    }

    /// Builds and tests hunks that were picked.
    async fn picked(&mut self, picked: &Picked) -> Result<Tested, Failure> {
        let patches = picked.patches.iter().map(|(agent, patch)| (agent, &**patch)).collect();
        let tree = self.git.composed(&picked.base, &patches, &picked.picks).await?;
        let heard = self.hear(&tree, "picked").await?;
        let rails = self.rails(&tree).await?;
        Ok(Tested { tree, heard, rails })
    }

    /// Writes the tree that has each of some files as another tree has them.
    async fn mixed(&self, tree: &str, parts: &[(&str, &BTreeSet<String>)]) -> Result<String, Failure> {
        if parts.iter().all(|(_, files)| files.is_empty()) {
            return Ok(tree.to_owned());
        }
        self.git.must("read-tree", &["read-tree", tree], "").await?;
        for (other, files) in parts.iter().filter(|(_, files)| !files.is_empty()) {
            self.git.take_files(other, files).await?;
        }
        Ok(self.git.must("write-tree", &["write-tree"], "").await?.trim().to_owned())
    }

    /// Lays a tree into the scratch folder.
    async fn lay(&self, tree: &str) -> Result<PathBuf, Failure> {
        let laid = self.folder.join("tree");
        let cleared = laid.clone();
        let made = self.scope.spawn_blocking(move || scratch::clear(&cleared).and_then(|()| scratch::make(&cleared)));
        made.await.map_err(|_| gone())??;
        self.git.must("read-tree", &["read-tree", tree], "").await?;
        let prefix = format!("--prefix={}/", laid.to_string_lossy());
        self.git.must("checkout-index", &["checkout-index", "--all", "--force", &prefix], "").await?;
        Ok(laid)
    }

    /// Runs every approved check on a tree.
    async fn hear(&mut self, tree: &str, name: &str) -> Result<Heard, Failure> {
        if let Some(heard) = self.heard.get(tree) {
            return Ok(heard.clone());
        }
        let laid = self.lay(tree).await?;
        let mut all = Heard::new();
        let several = self.tools.checks.len() > 1;
        for (check, template) in &self.tools.checks {
            let spoken = self.command(&laid, template.whole(), &LIMITS, &format!("the check {check}")).await?;
            let out = spoken.stdout.captured();
            let passed = has_passed(&spoken);
            self.logs.push(Log { name: format!("{name}-{check}.log"), text: log(&spoken) });
            let called = |test: &str| if several { format!("{check}: {test}") } else { test.to_owned() };
            match results(&out.text) {
                // The same name in two programs is one test: red if either is.
                Results::Named(tests) => tests.into_iter().for_each(|test| {
                    let both = all.entry(called(&test.name)).or_insert(true);
                    *both &= test.passed;
                }),
                Results::NoneRan => {}
                Results::Unnamed => drop(all.insert(format!("{CHECK}{check}"), passed)),
            }
        }
        self.heard.insert(tree.to_owned(), all.clone());
        Ok(all)
    }

    /// Runs the guardrails on a tree, up to the first that fails.
    async fn rails(&mut self, tree: &str) -> Result<Vec<Rail>, Failure> {
        let rails = &self.tools.rails;
        if rails.after.is_empty() {
            return Ok(Vec::new());
        }
        let laid = self.lay(tree).await?;
        let ms = rails.timeout_ms;
        let limits = Limits { start_ms: ms, first_event_ms: ms, idle_ms: ms, total_ms: ms, ..LIMITS };
        let mut ran: Vec<Rail> = Vec::new();
        for argv in &rails.after {
            let passed = has_passed(&self.command(&laid, argv.clone(), &limits, "a guardrail").await?);
            ran.push(Rail { argv: argv.clone(), passed });
            if !passed {
                break;
            }
        }
        Ok(ran)
    }

    /// Names the state of the code with a candidate in it, as a verdict is bound to it.
    async fn state(&self, before: &Tree, patch: &Patch) -> Result<String, Failure> {
        let laid = self.lay(&patch.tree).await?;
        let (mut with, _) = tree::files(self.scope, &laid, self.token).await?;
        let mut state = Tree { files: before.files.clone(), ..Tree::default() };
        for (path, change) in &patch.files {
            match (change, with.files.remove(path)) {
                (Change::Add | Change::Modify, Some(file)) => drop(state.files.insert(path.clone(), file)),
                (Change::Delete, _) | (_, None) => drop(state.files.remove(path)),
            }
        }
        Ok(tree_id(&state))
    }

    async fn command(&self, cwd: &Path, argv: Vec<String>, limits: &Limits, what: &str) -> Result<Spoken, Failure> {
        let build = self.folder.join("build").to_string_lossy().into_owned();
        let program = Program {
            command: argv,
            env: BTreeMap::from([("CARGO_TARGET_DIR".to_owned(), build)]),
            env_pass: ENV_PASS.iter().map(|name| (*name).to_owned()).collect(),
            cwd: cwd.to_owned(),
            tag: Tag { run: format!("trial-{}", self.folder.to_string_lossy()), seat: "trial".into() },
        };
        let child = self.children.start(&program).map_err(|error| {
            Failure::usage(what, error.to_string(), "install it, or correct its argv in the config")
        })?;
        // Its life is ours: leaving the program ends it too.
        let kill = self.scope.cancel.child_token();
        let spoken = converse(child, Arc::from(""), limits, self.token, &kill, &mut ()).await;
        if self.token.is_cancelled() {
            return Err(Failure::Cancelled);
        }
        Ok(spoken)
    }
}

/// The hunks of a change that no task of a spec asked for; none where its tasks name nothing.
fn unasked(before: &Tree, spec: &Spec, patch: &Patch) -> Vec<Extra> {
    let new = patch.files.iter().filter(|(_, change)| **change == Change::Add);
    // A task may name a file that the change brings by its last part alone.
    let mut after = Tree { files: before.files.clone(), ..Tree::default() };
    after.files.extend(new.map(|(path, _)| (path.clone(), FileText::text(""))));
    let asked = Asked::of(Some(&Paths::of(&after)), &[spec]);
    if asked.is_empty() {
        return Vec::new();
    }
    let hunks = patch.diff.hunks().iter().filter(|hunk| !is_test_path(&hunk.file));
    let unasked = hunks.filter(|hunk| asked.tasks(&patch.diff.shown(hunk)).is_none());
    unasked.map(|hunk| Extra { id: hunk.id.clone(), place: Safe::line(&hunk.place()) }).collect()
}

/// Tells whether a part of a change does worse than all of it: something is red that was not, or does not run any more.
fn is_worse(base: &Heard, whole: &Heard, part: &Heard) -> bool {
    let passes = |heard: &Heard, name: &String| heard.get(name).copied().unwrap_or(false);
    let is_broken = part.iter().any(|(name, passed)| !passed && whole.get(name) != Some(&false));
    is_broken || base.iter().any(|(name, passed)| *passed && passes(whole, name) && !passes(part, name))
}

/// The files of a patch that are tests by their place or name.
fn tests_of(patch: &Patch) -> BTreeSet<String> {
    patch.files.keys().filter(|path| is_test_path(path)).cloned().collect()
}

fn has_passed(spoken: &Spoken) -> bool {
    spoken.cut.is_none() && matches!(spoken.ended.exit, Some(Exit::Code(0)))
}

fn log(spoken: &Spoken) -> Arc<str> {
    let (out, err) = (spoken.stdout.captured(), spoken.stderr.text());
    let cut = if spoken.cut.is_some() { "\n--- ended by the host: it took too long" } else { "" };
    let whole = format!("{}{}{err}{cut}", out.text, if err.is_empty() { "" } else { "\n--- stderr\n" });
    let end = (0..=LOG_MAX.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
    whole[..end].into()
}

fn gone() -> Failure {
    Failure::ActorGone { actor: super::ACTOR.into() }
}
