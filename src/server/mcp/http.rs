//! The door for clients on the network: streamable HTTP under one path, on the loopback interface unless a token guards it.
//!
//! A page in somebody's browser must not reach it (DNS rebinding): `Host` has to be a name of ours, and a request with an
//! `Origin` is refused. It must not know tools.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use sha2::{Digest as _, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Office;
use super::jury::Jury;
use crate::domain::failure::Failure;

/// The one path that answers.
const PATH: &str = "/mcp";

/// The header by which a client names its session.
const SESSION: &str = "mcp-session-id";

/// Most connections at once; more are closed unheard.
const CONNECTIONS: usize = 64;

/// Most sessions at once: a client has one. More are refused until others end.
const SESSIONS: usize = 32;

/// How long a session may be silent both ways. Longer than any run (twenty minutes unless configured).
const SILENCE: Duration = Duration::from_secs(3_600);

/// Largest request body, in bytes: arguments are names.
const BODY_MAX: usize = 1 << 20;

/// How long a client may take for its headers, and again for its body: a slow sender must not hold a connection for good.
const SENDING: Duration = Duration::from_secs(10);

/// How long open connections may take to end when we do.
const GRACE: Duration = Duration::from_millis(500);

/// How long to wait when no connection can be accepted (no file handles are left).
const BREATHER: Duration = Duration::from_millis(50);

/// Shortest token that guards a door to the network, in characters: what can be tried out is no guard.
pub const TOKEN_MIN: usize = 16;

/// Where to listen, and who may come in.
#[derive(Clone)]
pub struct Door {
    /// The address; port 0 is any that is free.
    pub address: SocketAddr,
    /// What every request must carry as its bearer; may be left out on the loopback interface only.
    pub token: Option<String>,
    /// Names of ours besides `localhost` and the address, as `Host` may have them.
    pub names: Vec<String>,
}

/// A door that is open, and not answered yet.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    address: SocketAddr,
    guard: Option<[u8; 32]>,
    names: Vec<String>,
}

impl Door {
    /// Opens the door.
    ///
    /// # Errors
    /// Usage (exit 64) for an address beyond this machine without a token that is long enough; when the address cannot be
    /// listened on.
    pub async fn open(self) -> Result<Listening, Failure> {
        let is_guarded = self.token.as_ref().is_some_and(|token| token.chars().count() >= TOKEN_MIN);
        if !self.address.ip().is_loopback() && !is_guarded {
            return Err(Failure::usage(
                format!("--http {}", self.address),
                "whoever reaches it could run agents here: it needs a token",
                format!(
                    "put {TOKEN_MIN} random characters or more into DICAST_MCP_TOKEN (or name another variable with \
                     --token-env), or listen on 127.0.0.1"
                ),
            ));
        }
        let refused = |error: std::io::Error| {
            let next = "give an address of this machine and a port that is free";
            Failure::usage(format!("--http {}", self.address), error.to_string(), next)
        };
        let listener = TcpListener::bind(self.address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let own = if address.ip().is_unspecified() { None } else { Some(address.ip().to_string()) };
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into_iter().chain(own).chain(self.names);
        Ok(Listening { listener, address, guard: self.token.as_deref().map(digest), names: names.collect() })
    }
}

impl Listening {
    /// Returns where clients find it.
    pub fn url(&self) -> String {
        match self.address.ip() {
            IpAddr::V6(ip) => format!("http://[{ip}]:{}{PATH}", self.address.port()),
            IpAddr::V4(ip) => format!("http://{ip}:{}{PATH}", self.address.port()),
        }
    }

    /// Serves until `stop` is cancelled, and at most half a second longer.
    ///
    /// # Errors
    /// None while it serves; what a connection meets ends that connection.
    pub async fn serve(self, office: Arc<dyn Office>, stop: CancellationToken) -> Result<(), Failure> {
        let mut sessions = LocalSessionManager::default();
        sessions.session_config.keep_alive = Some(SILENCE);
        let sessions = Arc::new(sessions);
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(self.names)
            .enforce_origin_validation()
            .with_max_request_body_bytes(BODY_MAX)
            .with_cancellation_token(stop.child_token());
        let service =
            StreamableHttpService::new(move || Ok(Jury::new(Arc::clone(&office))), Arc::clone(&sessions), config);
        let hall = Arc::new(Hall { service, sessions, guard: self.guard });
        let (connections, room) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)));
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    // Without room the stream is dropped: closed.
                    if let Ok(place) = Arc::clone(&room).try_acquire_owned() {
                        let (hall, stop) = (Arc::clone(&hall), stop.clone());
                        connections.spawn(async move {
                            converse(hall, stream, stop).await;
                            drop(place);
                        });
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATHER).await;
                }
            }
        }
        connections.close();
        if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
            tracing::warn!(open = connections.len(), "connections did not end in time");
        }
        Ok(())
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// What every connection shares.
struct Hall {
    service: StreamableHttpService<Jury, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
    guard: Option<[u8; 32]>,
}

/// Serves one connection until it ends, or a little longer than `stop`.
async fn converse(hall: Arc<Hall>, stream: TcpStream, stop: CancellationToken) {
    let service = service_fn(move |request| {
        let hall = Arc::clone(&hall);
        async move { Ok::<_, Infallible>(hall.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SENDING)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(GRACE, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

impl Hall {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        if request.uri().path() != PATH {
            return refusal(StatusCode::NOT_FOUND, "there is only /mcp here");
        }
        if !self.guard.is_none_or(|guard| is_bearer(request.headers(), guard)) {
            let mut answer = refusal(StatusCode::UNAUTHORIZED, "the token is missing or wrong");
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return answer;
        }
        let is_new = request.method() == Method::POST && !request.headers().contains_key(SESSION);
        if is_new && self.sessions.sessions.read().await.len() >= SESSIONS {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "too many sessions are open");
        }
        let (head, body) = request.into_parts();
        match tokio::time::timeout(SENDING, Limited::new(body, BODY_MAX).collect()).await {
            Ok(Ok(body)) => self.service.handle(Request::from_parts(head, Full::new(body.to_bytes()))).await,
            Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
                refusal(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large")
            }
            Ok(Err(_)) => refusal(StatusCode::BAD_REQUEST, "the request broke off"),
            Err(_) => refusal(StatusCode::REQUEST_TIMEOUT, "the request did not come in time"),
        }
    }
}

fn refusal(status: StatusCode, why: &'static str) -> Answer {
    let mut answer = Response::new(Full::new(Bytes::from_static(why.as_bytes())).boxed());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    answer
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Tells whether a request carries the token. Digests are compared, all of them to the end: how long it takes tells
/// nothing about how much of a guess was right.
fn is_bearer(headers: &HeaderMap, guard: [u8; 32]) -> bool {
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some((scheme, token)) = given.and_then(|value| value.split_once(' ')) else { return false };
    let differing = digest(token.trim()).iter().zip(guard).fold(0, |seen, (a, b)| seen | (a ^ b));
    scheme.eq_ignore_ascii_case("bearer") && differing == 0
}

/// Serves on an open door; see [`Listening::serve`].
///
/// # Errors
/// As opening it.
pub async fn serve_http(
    door: Door,
    office: Arc<dyn Office>,
    stop: CancellationToken,
    tell: impl FnOnce(&str) + Send,
) -> Result<(), Failure> {
    let listening = door.open().await?;
    tell(&listening.url());
    listening.serve(office, stop).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carries(value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        is_bearer(&headers, digest("a-long-enough-token"))
    }

    #[test]
    fn only_the_whole_token_opens() {
        assert!(carries("Bearer a-long-enough-token") && carries("bearer  a-long-enough-token"));
        for wrong in
            ["Bearer a-long-enough-toke", "Bearer", "Bearer ", "Basic a-long-enough-token", "a-long-enough-token"]
        {
            assert!(!carries(wrong), "{wrong}");
        }
        assert!(!is_bearer(&HeaderMap::new(), digest("a-long-enough-token")));
    }
}
