//! A participant elsewhere: its question is put into memory, and its answer is waited for there.
//!
//! It must not know what an answer means: that it is one is the turn's to say.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::{Desk, Turn, millis};
use crate::domain::failure::{AgentError, Deadline, Failure};
use crate::domain::hash::Sha;
use crate::domain::memory::{self, Entry, Fit};
use crate::domain::run::{Captured, Progress, TurnEnded, TurnFailed, TurnKind};
use crate::domain::safe::Safe;
use crate::domain::stream::Usage;

/// The first wait between two looks; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The longest wait between two looks: an answer takes minutes to make, and is there within seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How long one look may take.
const LOOK: Duration = Duration::from_secs(5);

/// After how many looks in a row that the server answered with an error at once nobody will answer there.
const ERRORS_MAX: u32 = 5;

/// What one look came to.
enum Seen {
    Answer(Arc<str>, Fit),
    Nothing,
    Unusable(String),
}

impl Desk {
    /// Asks a participant elsewhere and waits for its answer.
    pub(super) async fn take_turn(&self, turn: Turn, token: &CancellationToken) -> TurnEnded {
        let begun = Instant::now();
        let end = begun + Duration::from_millis(turn.total_ms);
        let waited = timeout_at(end, token.run_until_cancelled(self.wait(&turn))).await;
        let failed = |error| Err(TurnFailed { error, repair: None });
        let late = || AgentError::Timeout { which: Deadline::Total, after_ms: turn.total_ms };
        let outcome = match waited {
            Ok(Some(Ok(text))) => Ok(text),
            Ok(Some(Err(failure))) => failed(AgentError::Network { why: failure.to_string() }),
            Ok(None) => failed(AgentError::Cancelled),
            Err(_) => failed(late()),
        };
        let text = outcome.clone().unwrap_or_default();
        let raw = Captured { bytes: text.len() as u64, sha256: Sha::of(text.as_bytes()), text };
        TurnEnded {
            seat: turn.seat,
            kind: TurnKind::Draft,
            outcome,
            raw,
            said: None,
            patch: None,
            stderr: Safe::default(),
            usage: Usage::default(),
            session: None,
            took_ms: millis(begun.elapsed()),
            survivors: 0,
        }
    }

    async fn wait(&self, turn: &Turn) -> Result<Arc<str>, Failure> {
        let ask = Entry::ask(&turn.subject, &turn.seat.agent, Arc::clone(&turn.prompt)).cleaned(&self.redactor);
        let (mut is_asked, mut errors, mut wait) = (false, 0, FIRST_WAIT);
        let agent = &turn.seat.agent;
        self.show(turn, format!("waiting for memory: {agent} is told what to answer"));
        for look in 1_u32.. {
            let seen = match is_asked {
                true => self.look(turn).await,
                // Who has answered before is not asked for nothing.
                false => self.look_and_ask(turn, &ask, &mut is_asked).await,
            };
            errors = if matches!(seen, Err(Failure::Server { .. })) { errors + 1 } else { 0 };
            let said = match seen {
                Ok(Seen::Answer(text, fit)) => {
                    if fit == Fit::Unsaid {
                        tracing::warn!(%agent, "its answer in memory names neither run nor question, but came after it: taken as it is");
                    }
                    return Ok(text);
                }
                Ok(Seen::Nothing) => format!("{agent} has not answered yet"),
                Ok(Seen::Unusable(why)) => format!("{agent}'s answer there cannot be used: {why}"),
                Err(failure) if errors == ERRORS_MAX => return Err(failure),
                Err(failure) => failure.to_string(),
            };
            self.show(turn, format!("waiting for memory: {said} (look {look})"));
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Err(Failure::Cancelled)
    }

    async fn look_and_ask(&self, turn: &Turn, ask: &Entry, is_asked: &mut bool) -> Result<Seen, Failure> {
        let seen = self.look(turn).await?;
        if !matches!(seen, Seen::Answer(..)) {
            let _turn = self.copying.lock().await;
            self.library.keep(ask, LOOK).await?;
            *is_asked = true;
        }
        Ok(seen)
    }

    /// Looks once: the best entry that is a valid answer, else why the best one is none.
    async fn look(&self, turn: &Turn) -> Result<Seen, Failure> {
        let tags = memory::answer_tags(&turn.subject.spec, turn.subject.stage, &turn.seat.agent);
        let held = self.library.search("", &tags, LOOK).await?;
        let mut unusable = None;
        for (fit, held) in memory::answers(&turn.subject, &held) {
            match turn.wanted.extract(&held.content) {
                Ok(text) => return Ok(Seen::Answer(text, fit)),
                Err(why) => drop(unusable.get_or_insert(why.why)),
            }
        }
        Ok(unusable.map_or(Seen::Nothing, Seen::Unusable))
    }

    fn show(&self, turn: &Turn, doing: String) {
        let doing = Safe::line(&doing);
        let tail = Arc::from([doing.clone()]);
        self.lanes.show(Progress { seat: turn.seat.clone(), doing, lines: 0, bytes: 0, usage: Usage::default(), tail });
    }
}
