//! One turn of a command-line agent: prompt on stdin, answer on stdout, as text or as JSON that its dialect reads.
//!
//! It must not know whether the turn should be taken, nor take it again: the brain decides.

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::process::{Capture, Children, Cut, NotStarted, Program, Spoken, Tag, converse};
use crate::actors::Scope;
use crate::actors::lanes::Lanes;
use crate::actors::mcp;
use crate::disk::scratch;
use crate::domain::artifact::{Unusable, UnusableKind};
use crate::domain::classify::{Exit, classify, named, repair_text, told};
use crate::domain::fact::Fact;
use crate::domain::failure::{AgentError, Failure};
use crate::domain::redact::Redactor;
use crate::domain::run::{Launch, Private, Turn, TurnEnded, TurnFailed, TurnKind, Wanted};
use crate::domain::safe::Safe;
use crate::domain::stream::{Account, End, Session, Usage};

/// What a turn needs besides the request.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) scope: Scope,
    pub(super) lanes: Lanes,
    pub(super) children: Children,
    pub(super) transcripts: PathBuf,
    pub(super) redactor: Arc<Redactor>,
    /// Where tools of MCP servers are called, if anywhere.
    pub(super) servers: Option<mcp::Handle>,
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
        let private = turn.launch.private.clone();
        if let Some(Err(failure)) = self.furnish(private.as_ref()).await {
            return Ok(not_taken(turn, AgentError::Crashed { how: failure.to_string() }));
        }
        let ended = self.converse_with(turn, stop, kill).await;
        self.clear(private).await;
        ended
    }

    /// Makes the turn's own folder.
    pub(super) async fn furnish(&self, private: Option<&Private>) -> Option<Result<(), Failure>> {
        let Private { folder, files } = private?.clone();
        let made = self.scope.spawn_blocking(move || scratch::furnish(folder.as_ref(), &files)).await;
        Some(made.unwrap_or(Err(Failure::ActorGone { actor: "agents".into() })))
    }

    /// Removes the turn's own folder. What cannot be removed is told in the log and costs nobody an answer.
    pub(super) async fn clear(&self, private: Option<Private>) {
        let Some(Private { folder, .. }) = private else { return };
        let cleared = self.scope.spawn_blocking(move || scratch::clear(folder.as_ref())).await;
        if let Ok(Err(failure)) = cleared {
            tracing::warn!(%failure, "a turn's own folder was not removed");
        }
    }

    async fn converse_with(
        &self,
        turn: Turn,
        stop: CancellationToken,
        kill: CancellationToken,
    ) -> Result<TurnEnded, Failure> {
        let child = match self.children.start(&program(&turn)) {
            Ok(child) => child,
            Err(refusal) => return Ok(not_taken(turn, not_started(refusal))),
        };
        let started = Fact::AgentStarted { seat: turn.seat.clone(), kind: turn.kind, pid: child.pid() };
        let mut live = Live::new(self, &turn);
        let any_stop = self.scope.cancel.child_token();
        let told_and_heard = async {
            self.lanes.tell(started, &any_stop).await;
            converse(child, Arc::clone(&turn.prompt), &turn.launch.limits, &any_stop, &kill, &mut live).await
        };
        let spoken = tokio::select! {
            spoken = told_and_heard => spoken,
            never = forward(&stop, &any_stop) => never,
        };
        let account = live.close().await;
        self.judge(turn, spoken, account, None).await
    }

    /// Finds out what the words were worth; nothing where it is known already why there is no answer.
    pub(super) async fn judge(
        &self,
        turn: Turn,
        spoken: Spoken,
        account: Option<Account>,
        failed: Option<AgentError>,
    ) -> Result<TurnEnded, Failure> {
        let Spoken { stdout, stderr, cut, stayed, ended, took } = spoken;
        // How one ended that we ended says nothing: it had said all.
        let exit = if stayed { Some(Exit::Code(0)) } else { ended.exit };
        let redactor = Arc::clone(&self.redactor);
        let stderr = redactor.clean(&stderr.text()).into_owned();
        let wanted = turn.wanted;
        let usage = account.as_ref().map(|account| account.usage(turn.used_before)).unwrap_or_default();
        let session = account.as_ref().and_then(|account| account.session.clone());
        let session = session.map(|id| Session { id, used: turn.used_before.plus(usage) });
        // Up to tens of megabytes are searched and hashed: not on a thread that serves others.
        let (outcome, raw, stderr, said) = self
            .scope
            .spawn_blocking(move || {
                // What is judged is what is kept: a secret in it would make the two differ.
                let outcome = match (cut, failed, &account) {
                    // What it said to be its answer before it was late is one, and is paid for.
                    (Some(Cut::Late { .. }), None, Some(account)) if account.end == Some(End::Ok) => {
                        judge_account(&wanted, account, exit, &stderr, &redactor)
                    }
                    (Some(cut), ..) => Err(TurnFailed { error: cut_short(cut), repair: None }),
                    (None, Some(error), _) => Err(TurnFailed { error, repair: None }),
                    (None, None, Some(account)) => judge_account(&wanted, account, exit, &stderr, &redactor),
                    (None, None, None) => judge_answer(&wanted, &redactor.clean(&stdout.text()), exit, &stderr),
                };
                let mut raw = stdout.captured();
                raw.text = redactor.clean(&raw.text).into();
                let said = account.and_then(|account| account.answers().into_iter().next());
                let said = said.map(|said| Arc::from(&*redactor.clean(&said)));
                (outcome, raw, stderr, said)
            })
            .await
            .map_err(|_| Failure::ActorGone { actor: "agents".into() })?;
        Ok(TurnEnded {
            seat: turn.seat,
            kind: turn.kind,
            outcome,
            raw,
            said,
            patch: None,
            stderr: Safe::block(&stderr),
            usage,
            session,
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
    let kind = match turn.kind {
        TurnKind::Draft => "draft",
        TurnKind::Repair => "repair",
        TurnKind::Round => "round",
    };
    let seat = format!("{}/{}/{}/{kind}", turn.seat.stage, turn.seat.agent, turn.seat.attempt);
    started_by(&turn.launch, Tag { run: turn.seat.run.to_string(), seat })
}

/// Returns what is started of a launch, under a tag.
pub(super) fn started_by(launch: &Launch, tag: Tag) -> Program {
    Program {
        command: launch.command.clone(),
        env: launch.env.clone(),
        env_pass: launch.env_pass.clone(),
        cwd: PathBuf::from(&launch.cwd),
        tag,
    }
}

fn cut_short(cut: Cut) -> AgentError {
    match cut {
        Cut::Stopped => AgentError::Cancelled,
        Cut::Late { which, after_ms } => AgentError::Timeout { which, after_ms },
    }
}

/// The artifact counts only when the program itself ended well.
fn judge_answer(wanted: &Wanted, stdout: &str, exit: Option<Exit>, stderr: &str) -> Result<Arc<str>, TurnFailed> {
    match exit {
        Some(Exit::Code(0)) => wanted.extract(stdout).or_else(|unusable| unusable_answer(&unusable, stderr)),
        exit => {
            let error = classify(exit.unwrap_or(Exit::Unknown), stderr, stdout);
            Err(TurnFailed { error, repair: None })
        }
    }
}

/// The artifact counts only when the program said that its turn ended well. Its exit code says less: there are
/// programs that exit 0 after a signal or an error.
fn judge_account(
    wanted: &Wanted,
    account: &Account,
    exit: Option<Exit>,
    stderr: &str,
    redactor: &Redactor,
) -> Result<Arc<str>, TurnFailed> {
    let failed = |error| Err(TurnFailed { error, repair: None });
    // Once more: behind JSON's escapes a secret passes for something else.
    let words = &*redactor.clean(account.error.as_deref().unwrap_or_default());
    match (account.end, exit) {
        (Some(End::Ok), _) => {
            let mut closest = Unusable { kind: UnusableKind::Empty, why: String::new() };
            for answer in account.answers() {
                match wanted.extract(&redactor.clean(&answer)) {
                    Ok(found) => return Ok(found),
                    // Of several answers the first that is any tells why.
                    Err(unusable) if closest.kind == UnusableKind::Empty => closest = unusable,
                    Err(_) => {}
                }
            }
            unusable_answer(&closest, stderr)
        }
        (Some(End::Failed), _) => failed(told(words, account.http_status, account.retry_after_ms, stderr)),
        (None, Some(Exit::Code(0))) => failed(named(words).or_else(|| named(stderr)).unwrap_or_else(|| {
            let why = "it ended without saying that its turn is over".to_owned();
            AgentError::Protocol { why }
        })),
        (None, exit) => failed(classify(exit.unwrap_or(Exit::Unknown), stderr, words)),
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

pub(super) fn not_started(refusal: NotStarted) -> AgentError {
    match refusal {
        NotStarted::NotFound { command } => AgentError::CommandNotFound { command },
        NotStarted::Denied { .. } => AgentError::Permission { why: refusal.to_string() },
        NotStarted::Other { .. } => AgentError::Crashed { how: refusal.to_string() },
    }
}

pub(super) fn not_taken(turn: Turn, error: AgentError) -> TurnEnded {
    TurnEnded {
        seat: turn.seat,
        kind: turn.kind,
        outcome: Err(TurnFailed { error, repair: None }),
        raw: Capture::new(0, 0).captured(),
        said: None,
        patch: None,
        usage: Usage::default(),
        session: None,
        stderr: Safe::default(),
        took_ms: 0,
        survivors: 0,
    }
}
