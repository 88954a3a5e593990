//! One turn of a model over HTTP: requests until the model wants no more of the repository, then its answer.
//!
//! It owns the conversations, kept in memory while the program lives, and the loop of tools; [`wire`] sends and hears,
//! [`loans`] are the tools of others, [`record`] keeps what was sent and heard. It must not know whether the turn should be taken, nor send a request
//! again: the brain decides.

mod loans;
mod record;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::loans::Loans;
use self::record::Record;
use self::wire::{Ear, Wire};
use super::command::Tools;
use super::live::Live;
use crate::disk::jail::Jail;
use crate::domain::artifact::{Unusable, UnusableKind};
use crate::domain::classify::repair_text;
use crate::domain::dialect::tools::{Wish, numbered, wish};
use crate::domain::dialect::{self, Ask, Offer, Reply, Returned, Stop};
use crate::domain::fact::Fact;
use crate::domain::failure::{AgentError, Deadline};
use crate::domain::redact::Redactor;
use crate::domain::run::{Call, SeatKey, TurnEnded, TurnFailed, TurnKind, Wanted};
use crate::domain::safe::Safe;
use crate::domain::settings::JsonMode;
use crate::domain::stream::{Event, Session, Usage};

/// Most replies of one turn that may call tools; then the model has to answer.
const ROUNDS_MAX: usize = 40;

/// Most bytes that the tools of one turn give back: far more than an answer needs, far less than a context has.
const LOOKED_MAX: usize = 2 << 20;

/// Most bytes that one call gives back.
const RESULT_MAX: usize = 48 << 10;

/// How long one call of a tool may take.
const LOOK: Duration = Duration::from_secs(20);

/// Most bytes of conversations that are kept; then the oldest goes.
const KEPT_MAX: usize = 64 << 20;

/// The conversations that may be gone on with, by the names of their sessions.
#[derive(Debug, Default)]
pub(super) struct Conversations(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_name: BTreeMap<String, Conversation>,
    bytes: usize,
    count: u64,
}

/// What was said so far, as the API wants it back.
#[derive(Debug, Clone, Default)]
struct Conversation {
    messages: Vec<Value>,
    /// Calls of the last reply to which nobody has said anything.
    open: Vec<dialect::Call>,
    bytes: usize,
    number: u64,
}

impl Conversations {
    fn take(&self, name: &str) -> Option<Conversation> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = kept.by_name.remove(name)?;
        kept.bytes -= found.bytes;
        Some(found)
    }

    fn keep(&self, name: String, mut conversation: Conversation) {
        conversation.bytes = conversation.messages.iter().map(|message| message.to_string().len()).sum();
        self.take(&name);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.count += 1;
        conversation.number = kept.count;
        kept.bytes += conversation.bytes;
        kept.by_name.insert(name, conversation);
        while kept.bytes > KEPT_MAX {
            let oldest = kept.by_name.iter().min_by_key(|(_, one)| one.number).map(|(name, _)| name.clone());
            let Some(gone) = oldest.and_then(|name| kept.by_name.remove(&name)) else { return };
            kept.bytes -= gone.bytes;
        }
    }
}

/// The name of a seat's conversation; of one that was begun anew it is another.
fn session_of(seat: &SeatKey, is_anew: bool) -> String {
    let how = if is_anew { "-anew" } else { "" };
    format!("{}-{}-{}-{}{how}", seat.run, seat.stage, seat.attempt, seat.agent)
}

/// Takes one turn. Either token ends it at once: its connection is dropped, and nothing of it is left.
pub(super) async fn take(
    tools: &Tools,
    conversations: &Conversations,
    call: Call,
    stop: CancellationToken,
    kill: CancellationToken,
) -> TurnEnded {
    let begun = Instant::now();
    let is_over = || stop.is_cancelled() || kill.is_cancelled() || tools.scope.cancel.is_cancelled();
    let mut live = Live::of_call(tools, &call);
    let mut talk = Talk::new(tools, &call);
    let outcome = if is_over() {
        Err(TurnFailed { error: AgentError::Cancelled, repair: None })
    } else {
        let started = Fact::AgentStarted { seat: call.seat.clone(), kind: call.kind, pid: 0 };
        tools.lanes.tell(started, &tools.scope.cancel).await;
        let late = AgentError::Timeout { which: Deadline::Total, after_ms: call.limits.total_ms };
        let failed = |error| Err(TurnFailed { error, repair: None });
        tokio::select! {
            biased;
            () = kill.cancelled() => failed(AgentError::Cancelled),
            () = stop.cancelled() => failed(AgentError::Cancelled),
            () = tools.scope.cancel.cancelled() => failed(AgentError::Cancelled),
            () = tokio::time::sleep(Duration::from_millis(call.limits.total_ms)) => failed(late),
            done = Box::pin(talk.through(conversations, &mut live)) => done,
        }
    };
    live.close().await;
    if let Err(failed) = &outcome {
        talk.record.ended(&failed.error);
    }
    let raw = talk.record.close(&tools.redactor);
    let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    TurnEnded {
        kind: call.kind,
        outcome,
        raw,
        said: talk.said,
        stderr: Safe::default(),
        patch: None,
        usage: talk.used,
        session: talk.session,
        // What no server took has cost nothing, and is counted so.
        took_ms: if talk.is_taken { took_ms.max(1) } else { 0 },
        survivors: 0,
        seat: call.seat,
    }
}

/// One turn on its way.
struct Talk<'t> {
    tools: &'t Tools,
    call: &'t Call,
    record: Record,
    used: Usage,
    said: Option<Arc<str>>,
    session: Option<Session>,
    is_taken: bool,
}

impl<'t> Talk<'t> {
    fn new(tools: &'t Tools, call: &'t Call) -> Self {
        Self {
            tools,
            call,
            record: Record::default(),
            used: Usage::default(),
            said: None,
            session: None,
            is_taken: false,
        }
    }

    async fn through(&mut self, conversations: &Conversations, live: &mut Live) -> Result<Arc<str>, TurnFailed> {
        let (tools, call) = (self.tools, self.call);
        let api = call.service.api;
        let failed = |error| TurnFailed { error, repair: None };
        let wire = Wire::of(&tools.scope, &call.service, &call.limits).await.map_err(failed)?;
        let mut is_anew = false;
        let mut talk = match call.session.as_ref().map(|session| conversations.take(&session.id)) {
            None => Conversation::default(),
            Some(Some(kept)) => kept,
            // What stands open is asked in words that need nothing before them.
            Some(None) if call.kind == TurnKind::Round => {
                is_anew = true;
                live.note("· a new conversation: the one that it had is not kept any more");
                Conversation::default()
            }
            Some(None) => {
                let why = "the conversation that it was to go on with is not kept any more".to_owned();
                return Err(failed(AgentError::Protocol { why }));
            }
        };
        talk.messages.push(dialect::user(api, &call.prompt, &talk.open));
        let stop = CancellationToken::new();
        // Whoever drops this turn ends what it asked of others.
        let _stops_with_us = stop.clone().drop_guard();
        let (loans, remarks) = Loans::of(tools, &call.service.lent, &stop).await;
        remarks.iter().for_each(|remark| live.note(remark));
        let schema = call.wanted.schema();
        let mut sent = talk.messages.len() - 1;
        let (mut rounds, mut looked) = (0, 0);
        let mut can_pay = true;
        loop {
            let is_open = rounds < ROUNDS_MAX && looked < LOOKED_MAX && can_pay;
            let offer = match (call.service.tools, is_open) {
                (false, _) => Offer::Nothing,
                (true, true) => Offer::Tools,
                (true, false) => Offer::Over,
            };
            let ask = Ask {
                model: &call.model,
                messages: &talk.messages,
                mode: call.service.json_mode,
                schema: &schema,
                offer,
                more: loans.told(),
                max_output_tokens: call.max_output_tokens,
            };
            let body = dialect::body(api, &ask);
            self.record.asks(wire.place(), &body, &talk.messages[sent..], &call.prompt);
            let mut ear = Ear { live, used: self.used, is_taken: &mut self.is_taken, record: &mut self.record };
            let heard = wire.ask(&body, &mut ear).await;
            self.used = ear.used;
            let reply = heard.map_err(failed)?;
            self.record.hears(&reply);
            live.pause();
            talk.messages.extend(reply.said.iter().cloned());
            sent = talk.messages.len();
            match &reply.stop {
                Stop::Calls if reply.answer.is_none() && offer == Offer::Tools => {
                    let results = self.look(&reply.calls, &loans, &stop, live).await;
                    let told = results.iter().map(|one| one.text.len()).sum::<usize>();
                    looked += told;
                    let again = reply.usage.input_tokens + reply.usage.output_tokens + tokens(told);
                    can_pay = call.purse.is_none_or(|purse| purse.can_pay(self.used, again, call.max_output_tokens));
                    talk.messages.extend(dialect::returned(api, &results));
                    rounds += 1;
                }
                Stop::Refused(why) => return Err(failed(AgentError::Refused { why: self.clean(why) })),
                Stop::Calls if reply.answer.is_none() => {
                    let why = "it calls tools that it may not use any more".to_owned();
                    return Err(failed(AgentError::Protocol { why }));
                }
                Stop::Over | Stop::Length | Stop::Calls => {
                    talk.open = reply.answer.iter().chain(&reply.calls).cloned().collect();
                    let id = session_of(&call.seat, is_anew);
                    conversations.keep(id.clone(), talk);
                    // What the next turn sends again.
                    self.session = Some(Session { id, used: reply.usage });
                    return self.judge(reply).await;
                }
            }
        }
    }

    fn clean(&self, text: &str) -> String {
        self.tools.redactor.clean(text).into_owned()
    }

    /// Carries out calls of tools, one after the other.
    async fn look(
        &self,
        calls: &[dialect::Call],
        loans: &Loans,
        stop: &CancellationToken,
        live: &mut Live,
    ) -> Vec<Returned> {
        let mut results = Vec::new();
        for call in calls {
            let looked = match (loans.find(&call.name), wish(&call.name, &call.input)) {
                (Some(loan), _) => {
                    live.tell(Event::Called(call.name.clone(), call.input.clone()), 0);
                    loan.call(self.tools, &call.input, stop.child_token()).await
                }
                (None, Err(why)) => {
                    live.tell(Event::Called(call.name.clone(), call.input.clone()), 0);
                    Err(why)
                }
                (None, Ok(wish)) => {
                    live.tell(Event::Called(call.name.clone(), wish.in_short().to_owned()), 0);
                    self.look_up(wish, stop.clone()).await
                }
            };
            let is_error = looked.is_err();
            // Nothing that is secret here is to go to somebody else's machine, nor what the model itself asked about.
            let text = cut(&self.clean(&looked.unwrap_or_else(|why| why)));
            live.tell(Event::Returned(text.clone()), 0);
            results.push(Returned { id: call.id.clone(), text, is_error });
        }
        results
    }

    /// Looks into the repository.
    async fn look_up(&self, wish: Wish, stop: CancellationToken) -> Result<String, String> {
        let jail = Jail::new(self.call.repo.clone().into());
        let redactor = Arc::clone(&self.tools.redactor);
        let clean = move |text: &str| redactor.clean(text).into_owned();
        let work = move || look_up(&jail, &wish, &clean, &|| stop.is_cancelled());
        match tokio::time::timeout(LOOK, self.tools.scope.spawn_blocking(work)).await {
            Ok(Ok(looked)) => looked,
            Ok(Err(_)) | Err(_) => Err("it could not be looked up in time".into()),
        }
    }

    /// Finds out what the reply is worth.
    async fn judge(&mut self, reply: Reply) -> Result<Arc<str>, TurnFailed> {
        let redactor = Arc::clone(&self.tools.redactor);
        let wanted = self.call.wanted.clone();
        let was_cut = reply.stop == Stop::Length;
        let asked = self.call.service.json_mode == JsonMode::JsonSchema;
        let most = self.call.max_output_tokens;
        // Megabytes may be searched: not on a thread that serves others.
        let judged = self.tools.scope.spawn_blocking(move || {
            let texts: Vec<String> = reply.answer.into_iter().map(|call| call.input).chain([reply.text]).collect();
            let said = texts.iter().find(|text| !text.trim().is_empty()).map(|text| redactor.clean(text).into());
            (said, extracted(&wanted, &texts, &redactor))
        });
        let Ok((said, found)) = judged.await else {
            let how = "its answer could not be looked at".to_owned();
            return Err(TurnFailed { error: AgentError::Crashed { how }, repair: None });
        };
        self.said = said;
        found.map_err(|unusable| {
            let mut why = match unusable.kind {
                UnusableKind::Empty => "it wrote nothing".to_owned(),
                UnusableKind::Syntax | UnusableKind::Schema | UnusableKind::Echo => unusable.why.clone(),
            };
            let mut repair = repair_text(&unusable);
            if was_cut {
                why = format!("it was cut off at max_output_tokens = {most}: {why}");
                repair = format!("Your answer was cut off because it was too long; write less. {repair}");
            } else if asked && unusable.kind == UnusableKind::Syntax {
                why = format!("{why} (its server does not follow json_mode = \"json_schema\")");
            }
            TurnFailed { error: AgentError::NoArtifact { why }, repair: Some(repair) }
        })
    }
}

/// Takes the first text that holds what is wanted; of several faults the first that is not emptiness tells why.
fn extracted(wanted: &Wanted, texts: &[String], redactor: &Redactor) -> Result<Arc<str>, Unusable> {
    let mut closest = Unusable { kind: UnusableKind::Empty, why: String::new() };
    for text in texts {
        match wanted.extract(&redactor.clean(text)) {
            Ok(found) => return Ok(found),
            Err(unusable) if closest.kind == UnusableKind::Empty => closest = unusable,
            Err(_) => {}
        }
    }
    Err(closest)
}

/// Reckons bytes as tokens: code has about three for each.
fn tokens(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(3)
}

/// Looks one thing up; either way what comes back is told to the model. A file is cleaned whole, before lines are numbered
/// or cut: what is left of a secret would not look like one. (Behind a key of several lines the numbers are smaller.)
fn look_up(
    jail: &Jail,
    wish: &Wish,
    clean: &dyn Fn(&str) -> String,
    stopped: &dyn Fn() -> bool,
) -> Result<String, String> {
    let listed = |lines: Vec<String>, has_more: bool, none: &str| {
        let more = if has_more { "\n(… there is more; ask for less)" } else { "" };
        if lines.is_empty() { none.to_owned() } else { lines.join("\n") + more }
    };
    match wish {
        Wish::List { folder } => {
            jail.list(folder).map(|(files, has_more)| listed(files, has_more, "(no file)")).map_err(|e| e.to_string())
        }
        Wish::Read { path, from, lines } => {
            jail.read(path).map(|text| numbered(&clean(&text), *from, *lines, RESULT_MAX)).map_err(|e| e.to_string())
        }
        Wish::Search { text, within } => jail
            .search(text, within, clean, stopped)
            .map(|(hits, has_more)| listed(hits, has_more, "(it stands nowhere)"))
            .map_err(|e| e.to_string()),
    }
}

/// Cuts what a tool gives back to its limit, between characters.
fn cut(text: &str) -> String {
    match text.char_indices().map(|(at, _)| at).find(|at| *at >= RESULT_MAX) {
        None => text.to_owned(),
        Some(at) => format!("{}\n(… cut here)", &text[..at]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn conversation(length: usize) -> Conversation {
        Conversation { messages: vec![json!("x".repeat(length))], ..Conversation::default() }
    }

    #[test]
    fn the_oldest_conversation_goes_when_there_are_too_many() {
        let conversations = Conversations::default();
        for n in 0..5 {
            conversations.keep(format!("c{n}"), conversation(KEPT_MAX / 4));
        }
        assert!(conversations.take("c0").is_none() && conversations.take("c1").is_none());
        assert!(conversations.take("c4").is_some());
        assert!(conversations.take("c4").is_none(), "it is taken once");
        conversations.keep("c3".into(), conversation(10));
        let kept = conversations.0.lock().unwrap();
        assert_eq!(kept.bytes, kept.by_name.values().map(|one| one.bytes).sum::<usize>());
    }

    #[test]
    fn a_secret_is_taken_out_before_a_line_is_cut_or_a_window_chosen() {
        let folder = tempfile::tempdir().unwrap();
        let token = "ghp_0123456789abcdefABCDEF0123456789abcd";
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEsecretbody\n-----END RSA PRIVATE KEY-----\n";
        // The excerpt of a line would end inside the token.
        let text = format!("find me {} {token}\n{key}find me too\n", "x".repeat(224));
        crate::disk::text::write_atomic_text(&folder.path().join("notes.md"), &text).unwrap();
        let (jail, redactor) = (Jail::new(folder.path().to_owned()), Redactor::default());
        let look = |wish: Wish| look_up(&jail, &wish, &|text| redactor.clean(text).into_owned(), &|| false).unwrap();
        let path = || "notes.md".to_owned();
        let found = look(Wish::Search { text: "find me".into(), within: String::new() });
        assert!(found.lines().count() == 2 && !found.contains("ghp_"), "{found}");
        assert_eq!(look(Wish::Search { text: "MIIE".into(), within: String::new() }), "(it stands nowhere)");
        let window = look(Wish::Read { path: path(), from: 2, lines: 2 });
        assert!(window.contains("[redacted]") && !window.contains("MIIE"), "{window}");
    }

    #[test]
    fn what_a_tool_gives_back_is_cut_between_characters() {
        assert_eq!(cut("abc"), "abc");
        let long = cut(&"é".repeat(RESULT_MAX));
        assert!(long.len() < RESULT_MAX + 40 && long.ends_with("(… cut here)"));
    }
}
