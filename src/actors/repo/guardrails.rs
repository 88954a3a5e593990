//! Runs guardrails: the project's own commands, in the working copy, in a cleared environment.
//!
//! Only approved config gets here, never words of an agent or a spec. It must not know what a failed one means for a run.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio_util::sync::CancellationToken;

use super::tree;
use crate::actors::Scope;
use crate::actors::agents::process::{Children, Cut, Program, Spoken, Tag, converse};
use crate::domain::classify::Exit;
use crate::domain::failure::Failure;
use crate::domain::guardrail::{Ran, Report, When, telling_lines, uncommitted};
use crate::domain::hash::Sha;
use crate::domain::ids::SpecId;
use crate::domain::moment::{Moment, clock};
use crate::domain::redact::Redactor;
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
    /// What takes secrets out of whatever they write, before a line of it is chosen.
    pub redactor: Redactor,
}

/// What ends guardrails early.
#[derive(Debug, Clone)]
pub struct Cuts {
    /// Asks them to stop, and lets them a short grace.
    pub stop: CancellationToken,
    /// Ends them now.
    pub kill: CancellationToken,
}

/// Numbers the children: what one leaves is swept by its tag, and must not be another's.
static SEATS: AtomicU64 = AtomicU64::new(0);

/// Exit code of a guardrail that is not green.
const RED: u8 = 2;

/// What was run, and what it wrote: for each command the name of a file and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guarded {
    /// What it came to.
    pub report: Report,
    /// The output of each command of the report.
    pub outputs: Vec<(String, String)>,
}

/// Runs the commands of one side of a stage, in order, up to the first that fails. A report of some that were stopped is
/// given only if it has to tell of processes that are left.
///
/// # Errors
/// When the working copy cannot be read; exit 2 if it was to be clean and git cannot tell; [`Failure::Cancelled`].
pub(super) async fn run(
    (scope, children): (&Scope, &Children),
    root: &Path,
    watch: Watch,
    cuts: &Cuts,
) -> Result<Guarded, Failure> {
    let Watch { spec, stage, when, rails, redactor, .. } = watch;
    let mut dirty = Vec::new();
    if when == When::Before && rails.clean_tree {
        let shot = tree::snapshot(scope, children, root, &cuts.stop).await?;
        let folders = spec::find(shot.tree.files.keys().map(String::as_str));
        let history = shot.tree.history.as_ref().ok_or_else(|| untold(stage))?;
        dirty = uncommitted(&history.dirty, &folders, &spec);
    }
    let argvs = match when {
        When::Before => rails.before,
        When::After => rails.after,
    };
    let mut guarded =
        Guarded { report: Report { spec, stage, when, dirty, ran: Vec::new(), survivors: 0 }, outputs: Vec::new() };
    for (n, argv) in (1..).zip(argvs) {
        if !guarded.report.is_green() || cuts.stop.is_cancelled() {
            break;
        }
        let told = one(children, root, &argv, rails.timeout_ms, cuts, &redactor).await;
        guarded.report.ran.push(told.ran);
        guarded.report.survivors += told.survivors;
        guarded.outputs.push((format!("{stage}-{}-{n}.log", when.word()), told.output));
    }
    if cuts.stop.is_cancelled() && guarded.report.survivors == 0 {
        return Err(Failure::Cancelled);
    }
    Ok(guarded)
}

/// Whoever wants a working copy without changes is not let through where nobody knows them.
fn untold(stage: Stage) -> Failure {
    Failure::BadInput {
        place: format!("guardrail {} {stage}", When::Before.word()),
        why: "git could not tell whether everything is committed".into(),
        next: format!(
            "run it in a git repository (does `git status` work?), or take clean_tree out of [guardrails.{stage}]"
        ),
        exit: RED,
    }
}

/// What came of one command.
struct Told {
    ran: Ran,
    output: String,
    survivors: u32,
}

async fn one(
    children: &Children,
    root: &Path,
    argv: &[String],
    timeout_ms: u64,
    cuts: &Cuts,
    redactor: &Redactor,
) -> Told {
    let program = Program {
        command: argv.to_vec(),
        env: BTreeMap::new(),
        env_pass: ENV_PASS.iter().map(|name| (*name).to_owned()).collect(),
        cwd: root.to_owned(),
        tag: Tag { run: "guardrail".into(), seat: SEATS.fetch_add(1, Ordering::Relaxed).to_string() },
    };
    let shown: Vec<String> = argv.iter().map(|word| redactor.clean(word).into_owned()).collect();
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
            let output = redactor.clean(&error.to_string()).into_owned();
            let ran = Ran {
                argv: shown,
                passed: false,
                exit: None,
                ended: Some(Safe::line(&output)),
                took_ms: 0,
                lines: Vec::new(),
                output_sha256: Sha::of(""),
                log: None,
            };
            return Told { ran, output, survivors: 0 };
        }
    };
    let spoken = converse(child, Arc::from(""), &limits, &cuts.stop, &cuts.kill, &mut ()).await;
    told(shown, &spoken, redactor)
}

fn told(argv: Vec<String>, spoken: &Spoken, redactor: &Redactor) -> Told {
    let captured = spoken.stdout.captured();
    // Cleaned whole: a key of several lines is none any more once it was cut into them.
    let (out, err) = (redactor.clean(&captured.text), spoken.stderr.text());
    let err = redactor.clean(&err);
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
    let output = format!("{out}{}{err}", if err.is_empty() { "" } else { "\n--- stderr\n" });
    let ran = Ran {
        argv,
        passed,
        exit: exit.filter(|_| ended.is_none()),
        ended,
        took_ms: u64::try_from(spoken.took.as_millis()).unwrap_or(u64::MAX),
        lines: if passed { Vec::new() } else { telling_lines(&format!("{out}\n{err}")) },
        output_sha256: captured.sha256,
        log: None,
    };
    Told { ran, output, survivors: spoken.ended.survivors }
}
