//! One turn of a command-line agent over transport text: prompt on stdin, answer on stdout.
//!
//! It must not know whether the turn should be taken, nor take it again: the brain decides.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::process::{Capture, Children, Cut, NotStarted, Program, Spoken, Tag, converse};
use crate::actors::Scope;
use crate::actors::lanes::Lanes;
use crate::domain::artifact::{Unusable, UnusableKind};
use crate::domain::classify::{Exit, classify, named, repair_text};
use crate::domain::fact::Fact;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::redact::Redactor;
use crate::domain::run::{Transport, Turn, TurnEnded, TurnFailed, TurnKind, Wanted};
use crate::domain::safe::Safe;

/// What a turn needs besides the request.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) scope: Scope,
    pub(super) lanes: Lanes,
    pub(super) children: Children,
    pub(super) transcripts: PathBuf,
    pub(super) redactor: Arc<Redactor>,
}

impl Tools {
    /// Takes one turn and sees its child to the end. A turn that failed is a success of ours: only a panic of our own
    /// is an error.
    pub(super) async fn take_turn(
        &self,
        turn: Turn,
        stop: CancellationToken,
        kill: CancellationToken,
    ) -> Result<TurnEnded, Failure> {
        if stop.is_cancelled() || kill.is_cancelled() || self.scope.cancel.is_cancelled() {
            return Ok(not_taken(turn, AgentError::Cancelled));
        }
        let child = match self.children.start(&program(&turn)) {
            Ok(child) => child,
            Err(refusal) => return Ok(not_taken(turn, not_started(refusal))),
        };
        let started = Fact::AgentStarted { seat: turn.seat.clone(), kind: turn.kind, pid: child.pid() };
        let mut live = Live::new(self, turn.seat.clone(), turn.kind);
        let any_stop = self.scope.cancel.child_token();
        let told_and_heard = async {
            self.lanes.tell(started, &any_stop).await;
            converse(child, Arc::clone(&turn.prompt), &turn.launch.limits, &any_stop, &kill, &mut live).await
        };
        let spoken = tokio::select! {
            spoken = told_and_heard => spoken,
            never = forward(&stop, &any_stop) => never,
        };
        live.close().await;
        self.judge(turn, spoken).await
    }

    /// Finds out what the words were worth.
    async fn judge(&self, turn: Turn, spoken: Spoken) -> Result<TurnEnded, Failure> {
        let Spoken { stdout, stderr, cut, ended, took } = spoken;
        let redactor = Arc::clone(&self.redactor);
        let stderr = redactor.clean(&stderr.text()).into_owned();
        let wanted = turn.wanted;
        // Up to tens of megabytes are searched and hashed: not on a thread that serves others.
        let (outcome, raw, stderr) = self
            .scope
            .spawn_blocking(move || {
                // What is judged is what is kept: a secret in it would make the two differ.
                let outcome = judge_answer(&wanted, &redactor.clean(&stdout.text()), cut, ended.exit, &stderr);
                let mut raw = stdout.captured();
                raw.text = redactor.clean(&raw.text).into();
                (outcome, raw, stderr)
            })
            .await
            .map_err(|_| Failure::ActorGone { actor: "agents".into() })?;
        Ok(TurnEnded {
            seat: turn.seat,
            kind: turn.kind,
            outcome,
            raw,
            stderr: Safe::block(&stderr),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            survivors: ended.survivors,
        })
    }
}

/// Passes one token's cancellation on to another; never returns.
async fn forward<T>(from: &CancellationToken, to: &CancellationToken) -> T {
    from.cancelled().await;
    to.cancel();
    std::future::pending().await
}

fn program(turn: &Turn) -> Program {
    match turn.launch.transport {
        Transport::Text => {}
    }
    let kind = match turn.kind {
        TurnKind::Draft => "draft",
        TurnKind::Repair => "repair",
        TurnKind::Round => "round",
    };
    let seat = format!("{}/{}/{}/{kind}", turn.seat.stage, turn.seat.agent, turn.seat.attempt);
    Program {
        command: turn.launch.command.clone(),
        env: turn.launch.env.clone(),
        env_pass: turn.launch.env_pass.clone(),
        cwd: PathBuf::from(&turn.launch.cwd),
        tag: Tag { run: turn.seat.run.to_string(), seat },
    }
}

/// The artifact counts only when nothing cut the turn short and the program itself ended well.
fn judge_answer(
    wanted: &Wanted,
    stdout: &str,
    cut: Option<Cut>,
    exit: Option<Exit>,
    stderr: &str,
) -> Result<Arc<str>, TurnFailed> {
    let failed = |error| Err(TurnFailed { error, repair: None });
    match (cut, exit) {
        (Some(Cut::Stopped), _) => failed(AgentError::Cancelled),
        (Some(Cut::Late { which, after_ms }), _) => failed(AgentError::Timeout { which, after_ms }),
        (None, Some(Exit::Code(0))) => wanted.extract(stdout).or_else(|unusable| unusable_answer(&unusable, stderr)),
        (None, exit) => failed(classify(exit.unwrap_or(Exit::Unknown), stderr, stdout)),
    }
}

fn unusable_answer(unusable: &Unusable, stderr: &str) -> Result<Arc<str>, TurnFailed> {
    // Some agents exit 0 with nothing to show after an error of their API; only stderr tells.
    if unusable.kind == UnusableKind::Empty
        && let Some(error) = named(stderr)
    {
        return Err(TurnFailed { error, repair: None });
    }
    let why = match unusable.kind {
        UnusableKind::Empty => "it wrote nothing".to_owned(),
        UnusableKind::Syntax | UnusableKind::Schema | UnusableKind::Echo => unusable.why.clone(),
    };
    Err(TurnFailed { error: AgentError::NoArtifact { why }, repair: Some(repair_text(unusable)) })
}

fn not_started(refusal: NotStarted) -> AgentError {
    match refusal {
        NotStarted::NotFound { command } => AgentError::CommandNotFound { command },
        NotStarted::Denied { .. } => AgentError::Permission { why: refusal.to_string() },
        NotStarted::Other { .. } => AgentError::Crashed { how: refusal.to_string() },
    }
}

fn not_taken(turn: Turn, error: AgentError) -> TurnEnded {
    TurnEnded {
        seat: turn.seat,
        kind: turn.kind,
        outcome: Err(TurnFailed { error, repair: None }),
        raw: Capture::new(0, 0).captured(),
        stderr: Safe::default(),
        took_ms: 0,
        survivors: 0,
    }
}
