//! A server over streamable HTTP: the client that reaches it, and what its failures mean.
//!
//! It must not know states, restarts or tools. There is no process: such a server is gone when its conversation is
//! given up. rmcp speaks the protocol (sessions, event streams, a new session when the old one is unknown).

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use reqwest::header::{HeaderName, HeaderValue};
use reqwest::redirect::{Action, Attempt, Policy};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::{StreamableHttpClientTransportConfig, StreamableHttpError};

use super::session::{Refusal, Trouble};
use crate::actors::Scope;
use crate::domain::server::Endpoint;

/// Most redirects that one request follows: a slash at the end, a moved path.
const REDIRECTS: usize = 4;

/// How long a cancel or an answer to the server may be under way before it is given up; nobody waits for it.
const CONTROL_LIMIT: Duration = Duration::from_secs(2);

/// What rmcp speaks over.
pub(super) type Transport = StreamableHttpClientTransport<reqwest::Client>;

/// Makes the transport to an endpoint. Nothing is sent yet.
///
/// # Errors
/// [`Refusal::Final`] when a variable or a header makes asking useless.
pub(super) async fn transport(scope: &Scope, endpoint: &Endpoint, reply_max: usize) -> Result<Transport, Refusal> {
    if let Some(why) = endpoint.lacks() {
        return Err(Refusal::Final(why));
    }
    let mut config = StreamableHttpClientTransportConfig::with_uri(endpoint.url.as_str())
        .custom_headers(headers(endpoint)?)
        .control_request_timeout(CONTROL_LIMIT)
        .session_recovery_timeout(CONTROL_LIMIT);
    config.max_json_response_size = reply_max;
    config.max_sse_event_size = reply_max;
    config.auth_header = endpoint.token.as_ref().and_then(|token| token.value.clone());
    // It reads the certificates of this machine from disk.
    let client = scope.spawn_blocking(client).await;
    let client = client.map_err(|_| Refusal::Passing("the HTTP client could not be made".into()))?;
    let client = client.map_err(|error| Refusal::Final(format!("no HTTP client: {}", whole(&error))))?;
    Ok(StreamableHttpClientTransport::with_client(client, config))
}

fn client() -> Result<reqwest::Client, reqwest::Error> {
    // The first one stays; a second one would be the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        // A kept connection whose last body was not read to its end stalls the next request by 40 ms (rmcp's finding).
        .pool_max_idle_per_host(0)
        .redirect(Policy::custom(follow))
        .build()
}

/// Follows only what keeps method, body and origin: headers with secrets go nowhere else.
fn follow(attempt: Attempt<'_>) -> Action {
    let keeps_body = matches!(attempt.status().as_u16(), 307 | 308);
    let keeps_origin = attempt.previous().last().is_some_and(|last| last.origin() == attempt.url().origin());
    if keeps_body && keeps_origin && attempt.previous().len() <= REDIRECTS { attempt.follow() } else { attempt.stop() }
}

fn headers(endpoint: &Endpoint) -> Result<HashMap<HeaderName, HeaderValue>, Refusal> {
    let read = |(name, value): (&String, &String)| {
        // The value may be a secret: only the name is told.
        let bad = || Refusal::Final(format!("the header {name} cannot be sent"));
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        Ok((name.parse::<HeaderName>().map_err(|_| bad())?, value))
    };
    endpoint.headers.iter().map(read).collect()
}

/// Reads what a failure of the transport means; none, if it is not one of HTTP.
#[expect(clippy::wildcard_enum_match_arm, reason = "rmcp's enum may grow: what is not known is no MCP")]
pub(super) fn trouble(error: &(dyn Error + 'static), endpoint: &Endpoint, reply_max: usize) -> Option<Trouble> {
    let http = chain(error).find_map(|cause| cause.downcast_ref::<StreamableHttpError<reqwest::Error>>())?;
    Some(match http {
        StreamableHttpError::AuthRequired(_) | StreamableHttpError::InsufficientScope(_) => {
            Trouble::Refused(unauthorised(endpoint))
        }
        StreamableHttpError::UnexpectedServerResponse(text) if is_status(text, 401) || is_status(text, 403) => {
            Trouble::Refused(unauthorised(endpoint))
        }
        StreamableHttpError::ResponseBodyTooLarge { .. } => {
            Trouble::Refused(format!("the reply has more than the {reply_max} bytes that are taken"))
        }
        StreamableHttpError::HttpStatus(status) => Trouble::Failing(match &status.retry_after {
            Some(after) => format!("it answers HTTP {}, to be asked again after {after} s", status.status),
            None => format!("it answers HTTP {}", status.status),
        }),
        StreamableHttpError::Client(error) if error.is_connect() => Trouble::Lost(whole(error)),
        StreamableHttpError::Client(error) => Trouble::Failing(whole(error)),
        StreamableHttpError::SessionExpired
        | StreamableHttpError::SessionRecoveryTimeout
        | StreamableHttpError::ReinitializationFailed(_) => Trouble::Lost("it forgot our session".into()),
        StreamableHttpError::UnexpectedEndOfStream | StreamableHttpError::Sse(_) | StreamableHttpError::Io(_) => {
            Trouble::Failing("it hung up in the middle of its answer".into())
        }
        StreamableHttpError::TransportChannelClosed => Trouble::Lost("it hung up".into()),
        other => Trouble::Refused(other.to_string()),
    })
}

/// Says what to do about a 401 or 403.
fn unauthorised(endpoint: &Endpoint) -> String {
    match &endpoint.token {
        Some(token) => format!("it does not accept the token in {}", token.variable),
        None => "it wants a token: name the variable that holds it in bearer_token_env_var".into(),
    }
}

fn is_status(text: &str, status: u16) -> bool {
    text.starts_with(&format!("HTTP {status}"))
}

/// Writes an error with its causes; the address in it is ours and known. Without it: it may hold a key.
fn whole(error: &reqwest::Error) -> String {
    let what = if error.is_connect() { "it cannot be reached" } else { "the request failed" };
    let mut causes: Vec<String> = chain(error).skip(1).map(ToString::to_string).collect();
    causes.dedup();
    match causes.pop() {
        Some(cause) => format!("{what}: {cause}"),
        None => what.to_owned(),
    }
}

fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}
