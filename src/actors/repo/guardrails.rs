//! Runs guardrails: the project's own commands, in the working copy, in a cleared environment.
//!
//! Only approved config gets here, never words of an agent or a spec. It must not know what a failed one means for a run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{Handle, tree};
use crate::actors::Scope;
use crate::actors::agents::process::{Children, Cut, Program, Spoken, Tag, converse};
use crate::actors::evidence::{self, NewFile};
use crate::domain::classify::Exit;
use crate::domain::failure::Failure;
use crate::domain::guardrail::{Ran, Report, When, telling_lines, uncommitted};
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::moment::{Moment, clock};
use crate::domain::run::Limits;
use crate::domain::safe::Safe;
use crate::domain::settings::Guardrails;
use crate::domain::spec;
use crate::domain::stage::Stage;

/// What a guardrail may see of our environment: what toolchains need to find themselves, and nothing else.
const ENV_PASS: &[&str] = &["PATH", "HOME", "LANG", "CARGO_HOME", "RUSTUP_HOME", "TMPDIR"];

/// Most bytes of its output that are read: a test run of a large project stays below.
const STDOUT_MAX: u64 = 4 << 20;

/// Most bytes of its error output that are read.
const STDERR_MAX: u64 = 1 << 20;

/// From asking it to stop to killing it, in milliseconds.
const GRACE_MS: u64 = 1_000;

/// What to run.
#[derive(Debug, Clone)]
pub struct Watch {
    /// For which spec.
    pub spec: SpecId,
    /// Around which stage.
    pub stage: Stage,
    /// On which side.
    pub when: When,
    /// What is configured for the stage.
    pub rails: Guardrails,
    /// When.
    pub at: Moment,
}

/// What was run, and what it wrote: for each command the name of a file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    /// What it came to.
    pub report: Report,
    /// The output of each command of the report.
    pub outputs: Vec<(String, String)>,
}

/// Runs guardrails and keeps their output in the evidence, before anybody is told.
///
/// # Errors
/// What keeps them from being run or kept; [`Failure::Cancelled`].
pub async fn guarded(
    (repo, evidence): (Handle, evidence::Handle),
    root: PathBuf,
    watch: Watch,
    token: CancellationToken,
) -> Result<Report, Failure> {
    let (spec, at) = (watch.spec.clone(), watch.at);
    let Guarded { mut report, outputs } = repo.guard(root, watch, token.clone()).await?;
    for (ran, (name, text)) in report.ran.iter_mut().zip(outputs) {
        let file = NewFile { path: name, bytes: Arc::from(text) };
        ran.log = Some(evidence.keep_output(spec.clone(), at, file, token.clone()).await?);
    }
    Ok(report)
}

/// Runs the commands of one side of a stage, in order, up to the first that fails.
///
/// # Errors
/// When the working copy cannot be read; [`Failure::Cancelled`].
pub(super) async fn run(
    (scope, children): (&Scope, &Children),
    root: &Path,
    watch: Watch,
    token: &CancellationToken,
) -> Result<Guarded, Failure> {
    let Watch { spec, stage, when, rails, .. } = watch;
    let mut dirty = Vec::new();
    if when == When::Before && rails.clean_tree {
        let shot = tree::snapshot(scope, children, root, token).await?;
        let folders = spec::find(shot.tree.files.keys().map(String::as_str));
        let dir = folders.into_iter().find(|folder| folder.id == spec).map(|folder| folder.dir);
        let history = shot.tree.history.as_ref();
        dirty = history.map(|h| uncommitted(&h.dirty, dir.as_deref().unwrap_or_default())).unwrap_or_default();
    }
    let argvs = match when {
        When::Before => rails.before,
        When::After => rails.after,
    };
    let mut guarded = Guarded { report: Report { spec, stage, when, dirty, ran: Vec::new() }, outputs: Vec::new() };
    for (n, argv) in (1..).zip(argvs) {
        if !guarded.report.is_green() {
            break;
        }
        let (ran, output) = one((scope, children), root, &argv, rails.timeout_ms, token).await?;
        guarded.report.ran.push(ran);
        guarded.outputs.push((format!("{stage}-{}-{n}.log", when.word()), output));
    }
    Ok(guarded)
}

async fn one(
    (scope, children): (&Scope, &Children),
    root: &Path,
    argv: &[String],
    timeout_ms: u64,
    token: &CancellationToken,
) -> Result<(Ran, String), Failure> {
    let program = Program {
        command: argv.to_vec(),
        env: BTreeMap::new(),
        env_pass: ENV_PASS.iter().map(|name| (*name).to_owned()).collect(),
        cwd: root.to_owned(),
        tag: Tag { run: "guardrail".into(), seat: "guardrail".into() },
    };
    let limits = Limits {
        start_ms: timeout_ms,
        first_event_ms: timeout_ms,
        idle_ms: timeout_ms,
        total_ms: timeout_ms,
        kill_grace_ms: GRACE_MS,
        stdout_max: STDOUT_MAX,
        stderr_max: STDERR_MAX,
    };
    let child = match children.start(&program) {
        Ok(child) => child,
        Err(error) => {
            let why = error.to_string();
            let ran = Ran {
                argv: argv.to_vec(),
                passed: false,
                exit: None,
                ended: Some(Safe::line(&why)),
                took_ms: 0,
                lines: Vec::new(),
                output_sha256: Sha::of(""),
                log: None,
            };
            return Ok((ran, why));
        }
    };
    // Its life is ours: leaving the program ends it too.
    let kill = scope.cancel.child_token();
    let spoken = converse(child, Arc::from(""), &limits, token, &kill, &mut ()).await;
    if token.is_cancelled() {
        return Err(Failure::Cancelled);
    }
    Ok(told(argv, &spoken))
}

fn told(argv: &[String], spoken: &Spoken) -> (Ran, String) {
    let (out, err) = (spoken.stdout.captured(), spoken.stderr.text());
    let exit = match spoken.ended.exit {
        Some(Exit::Code(code)) => Some(code),
        Some(Exit::Signal(_) | Exit::Unknown) | None => None,
    };
    let ended = match spoken.cut {
        Some(Cut::Late { after_ms, .. }) => Some(Safe::line(&format!("it took longer than {}", clock(after_ms)))),
        Some(Cut::Stopped) => Some(Safe::line("it was stopped")),
        None => None,
    };
    let passed = exit == Some(0) && ended.is_none();
    let whole = format!("{}{}{err}", out.text, if err.is_empty() { "" } else { "\n--- stderr\n" });
    let ran = Ran {
        argv: argv.to_vec(),
        passed,
        exit: exit.filter(|_| ended.is_none()),
        ended,
        took_ms: u64::try_from(spoken.took.as_millis()).unwrap_or(u64::MAX),
        lines: if passed { Vec::new() } else { telling_lines(&format!("{}\n{err}", out.text)) },
        output_sha256: out.sha256,
        log: None,
    };
    (ran, whole)
}
