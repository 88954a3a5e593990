//! One request to a model and its streamed reply, under our deadlines: to connect, to the first event, for a silence.
//!
//! It must not know conversations or tools, nor ask again. A key is in one header and nowhere else: no redirect is
//! followed, and no error is told with its address.

use std::error::Error;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;
use tokio::time::{Instant, sleep_until};

use super::record::Record;
use crate::actors::Scope;
use crate::actors::agents::live::Live;
use crate::actors::agents::process::Listener as _;
use crate::domain::dialect::fault::{Wrong, refused, retry_after_ms};
use crate::domain::dialect::sse::Frames;
use crate::domain::dialect::{self, Reading, Reply};
use crate::domain::failure::{AgentError, Deadline};
use crate::domain::run::Limits;
use crate::domain::settings::Service;
use crate::domain::stream::{Event, Usage};

/// Most bytes of an error's body that are read: what it says stands at its start.
const ERROR_MAX: usize = 64 << 10;

/// How long the end of a stream is waited for when all was said: an ended one can be used for the next request.
const TAIL: Duration = Duration::from_millis(200);

/// The way to one model.
pub(super) struct Wire<'s> {
    client: Client,
    service: &'s Service,
    place: String,
    headers: HeaderMap,
    limits: &'s Limits,
}

/// Who hears a reply as it comes.
pub(super) struct Ear<'e> {
    pub(super) live: &'e mut Live,
    /// What the turn has used, with what this reply says so far.
    pub(super) used: Usage,
    /// Whether any server took a request of this turn.
    pub(super) is_taken: &'e mut bool,
    pub(super) record: &'e mut Record,
}

impl Ear<'_> {
    /// Waits for something foreign until a deadline, and lets pictures be shown meanwhile; `None` when it came too late.
    async fn attend<T>(&mut self, until: Instant, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        loop {
            let due = self.live.due();
            tokio::select! {
                biased;
                done = &mut work => return Some(done),
                () = sleep_until(due.unwrap_or(until)), if due.is_some_and(|due| due < until) => self.live.wake(),
                () = sleep_until(until) => return None,
            }
        }
    }
}

impl<'s> Wire<'s> {
    /// Makes the way to a model. Nothing is sent yet.
    ///
    /// # Errors
    /// [`AgentError::Auth`] when its key is not set or cannot be sent.
    pub(super) async fn of(scope: &Scope, service: &'s Service, limits: &'s Limits) -> Result<Self, AgentError> {
        let headers = headers(service)?;
        let (patience, is_here) = (Duration::from_millis(limits.start_ms), service.is_here());
        // It reads the certificates of this machine from disk.
        let client = scope.spawn_blocking(move || client(patience, is_here)).await;
        let client = client.map_err(|_| AgentError::Crashed { how: "the HTTP client could not be made".into() })?;
        let client =
            client.map_err(|error| AgentError::Crashed { how: format!("no HTTP client: {}", cause(&error)) })?;
        Ok(Self { client, service, place: service.endpoint(), headers, limits })
    }

    /// Returns the address that is asked.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Sends one request and hears its reply to the end.
    ///
    /// # Errors
    /// Typed, whatever happens; what could not be understood is in the record.
    pub(super) async fn ask(&self, body: &Value, ear: &mut Ear<'_>) -> Result<Reply, AgentError> {
        let first = Instant::now() + Duration::from_millis(self.limits.first_event_ms);
        let request = self.client.post(&self.place).headers(self.headers.clone()).body(body.to_string());
        let response = match ear.attend(first, request.send()).await {
            None => return Err(self.late(Deadline::FirstEvent)),
            Some(Err(error)) if error.is_connect() && error.is_timeout() => return Err(self.late(Deadline::Start)),
            Some(Err(error)) if error.is_connect() => {
                let next = if self.service.is_here() { "; is the server started?" } else { "" };
                return Err(AgentError::Network { why: format!("it cannot be reached ({}){next}", cause(&error)) });
            }
            Some(Err(error)) => {
                // What came was no HTTP, or nothing at all.
                let is_garbage =
                    chain(&error).any(|e| e.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse));
                let why = format!("the request failed: {}", cause(&error));
                return Err(if is_garbage { AgentError::Protocol { why } } else { AgentError::Network { why } });
            }
            Some(Ok(response)) => response,
        };
        if !response.status().is_success() {
            return Err(self.refusal(response, first, ear).await);
        }
        let kind =
            response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        if !kind.is_empty() && !kind.starts_with("text/event-stream") {
            let start = self.start(response, first, ear).await;
            ear.record.breaks(None, &start);
            if let Some(wrong) = Wrong::in_body(&String::from_utf8_lossy(&start)) {
                return Err(wrong.meaning(self.service));
            }
            *ear.is_taken = true;
            return Err(AgentError::Protocol { why: format!("its answer is no stream of events, but {kind}") });
        }
        *ear.is_taken = true;
        self.stream(response, first, ear).await
    }

    async fn stream(&self, mut response: Response, first: Instant, ear: &mut Ear<'_>) -> Result<Reply, AgentError> {
        let before = ear.used;
        let (mut frames, mut reading) = (Frames::default(), Reading::new(self.service.api));
        let (mut until, mut which, mut bytes, mut start) = (first, Deadline::FirstEvent, 0_u64, Vec::new());
        let protocol = |why: &str| AgentError::Protocol { why: why.to_owned() };
        let ended = loop {
            let piece = match ear.attend(until, response.chunk()).await {
                None | Some(Err(_)) if reading.is_over() => break Ok(()),
                None => break Err(self.late(which)),
                Some(Err(error)) => {
                    break Err(AgentError::Network {
                        why: format!("it hung up in the middle of its answer: {}", cause(&error)),
                    });
                }
                Some(Ok(None)) => break Ok(()),
                Some(Ok(Some(piece))) => piece,
            };
            bytes += piece.len() as u64;
            start.extend(piece.iter().take(ERROR_MAX.saturating_sub(start.len())));
            if bytes > self.limits.stdout_max {
                break Err(protocol(&format!(
                    "its answer has more than the {} bytes that are taken",
                    self.limits.stdout_max
                )));
            }
            let Ok(events) = frames.take(&piece) else { break Err(protocol("one event of its answer is too long")) };
            let mut length = piece.len();
            if let Err(error) = self.hear(&mut reading, &events, &mut length, before, ear) {
                break Err(error);
            }
            (until, which) = match reading.is_over() {
                true => (Instant::now() + TAIL, Deadline::Idle),
                false => (Instant::now() + Duration::from_millis(self.limits.idle_ms), Deadline::Idle),
            };
        };
        let rest: Vec<String> = frames.close().into_iter().collect();
        let heard = ended.and_then(|()| self.hear(&mut reading, &rest, &mut 0, before, ear));
        let is_understood = reading.has_begun();
        let reply = heard.and_then(|()| reading.close().map_err(|wrong| wrong.meaning(self.service)));
        if reply.is_err() && !is_understood {
            ear.record.breaks(None, &start);
        }
        reply
    }

    fn hear(
        &self,
        reading: &mut Reading,
        events: &[String],
        length: &mut usize,
        before: Usage,
        ear: &mut Ear<'_>,
    ) -> Result<(), AgentError> {
        for event in events {
            let said = reading.event(event).map_err(|wrong| wrong.meaning(self.service))?;
            if let Some(piece) = said {
                ear.record.says(&piece);
                ear.live.tell(Event::Delta(piece), std::mem::take(length));
            }
        }
        ear.used = before.plus(reading.usage());
        ear.live.count(ear.used);
        Ok(())
    }

    async fn refusal(&self, response: Response, until: Instant, ear: &mut Ear<'_>) -> AgentError {
        let status = response.status().as_u16();
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let [wait_ms, after, date] = ["retry-after-ms", "retry-after", "date"].map(header);
        let wait = retry_after_ms(wait_ms.as_deref(), after.as_deref(), date.as_deref());
        let body = self.start(response, until, ear).await;
        ear.record.breaks(Some(status), &body);
        refused(self.service, status, &String::from_utf8_lossy(&body), wait)
    }

    /// Reads the start of a body that is no reply, as far as it comes in time.
    async fn start(&self, mut response: Response, until: Instant, ear: &mut Ear<'_>) -> Vec<u8> {
        let until = until.min(Instant::now() + Duration::from_millis(self.limits.idle_ms));
        let mut start = Vec::new();
        while let Some(Ok(Some(piece))) = ear.attend(until, response.chunk()).await {
            start.extend(piece.iter().take(ERROR_MAX - start.len()));
            if start.len() == ERROR_MAX {
                break;
            }
        }
        start
    }

    fn late(&self, which: Deadline) -> AgentError {
        let after_ms = match which {
            Deadline::Start => self.limits.start_ms,
            Deadline::FirstEvent => self.limits.first_event_ms,
            Deadline::Idle => self.limits.idle_ms,
            Deadline::Total => self.limits.total_ms,
        };
        AgentError::Timeout { which, after_ms }
    }
}

fn headers(service: &Service) -> Result<HeaderMap, AgentError> {
    let key = match &service.key_env {
        None => None,
        Some(name) => {
            let key = std::env::var(name).ok().map(|key| key.trim().to_owned()).filter(|key| !key.is_empty());
            Some(key.ok_or_else(|| AgentError::Auth { why: format!("${name} is not set") })?)
        }
    };
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    for (name, value) in dialect::headers(service.api, key.as_deref()) {
        // The value may be the key: only where it comes from is told.
        let from = service.key_env.as_deref().unwrap_or_default();
        let bad = || AgentError::Auth { why: format!("what ${from} holds cannot be sent as a key") };
        let mut value = HeaderValue::from_str(&value).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

fn client(patience: Duration, is_here: bool) -> Result<Client, reqwest::Error> {
    // The first one stays; a second one would be the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().connect_timeout(patience).redirect(Policy::none());
    if is_here { builder.no_proxy().build() } else { builder.build() }
}

/// Writes the innermost cause of an error: the outer ones repeat the address.
fn cause(error: &reqwest::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source()).skip(1)
}
