//! One conversation with one server: handshake, tool list, calls. The only file that names rmcp's client.
//!
//! It must not know restarts, retries or states. rmcp does the protocol; deadlines are ours, because its own do not
//! hold when a server stops reading (measured: neither its timeout nor its close came back).

#![expect(deprecated, reason = "servers of today ask for roots and send logs; the next protocol drops both")]

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientCapabilities, ClientConfig, ClientRequest, ErrorData, Implementation,
    ListRootsResult, LoggingMessageNotificationParam, PingRequest, ProgressNotificationParam, ProgressToken,
    ProtocolVersion, Root,
};
use rmcp::service::{
    ClientInitializeError, NotificationContext, Peer, RequestContext, RunningService, ServiceError,
    serve_client_with_ct,
};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{ClientHandler, RoleClient};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Tool;
use super::child::Life;
use super::http;
use super::wire::{Capped, Flow, Watched, Wire};
use crate::actors::Scope;
use crate::domain::safe::Safe;
use crate::domain::server::Endpoint;

/// What a conversation runs over.
pub(super) enum Line {
    /// The pipes of a child.
    Pipes(Wire),
    /// Requests to an address.
    Http(Endpoint, Life),
}

impl Line {
    /// Returns the life of whatever is at the other end.
    pub(super) fn life(&self) -> &Life {
        match self {
            Line::Pipes(wire) => &wire.life,
            Line::Http(_, life) => life,
        }
    }
}

/// A conversation after its handshake; cheap to clone.
#[derive(Clone)]
pub(super) struct Session {
    peer: Peer<RoleClient>,
    flow: Arc<Flow>,
    life: Life,
    endpoint: Option<Arc<Endpoint>>,
    reply_max: usize,
    /// Cancelled by us: hang up.
    closing: CancellationToken,
    /// Cancelled when the conversation is over, whoever ended it.
    over: CancellationToken,
}

/// Why there is no conversation.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Trying again may help.
    Passing(String),
    /// It would not, until somebody changes something.
    Final(String),
}

/// Why a try of a call has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server said no; asking again would not help.
    Refused(String),
    /// The server answers that it cannot now, or hung up on this one request; asking again may help.
    Failing(String),
    /// The limit passed while the server works (or sleeps); it was told that the call is cancelled.
    Late,
    /// The limit passed while the server does not read: nothing reaches it any more.
    Stuck,
    /// The conversation is over.
    Lost(String),
}

impl Trouble {
    /// Takes secrets out of the server's part in it.
    fn hiding(self, life: &Life) -> Self {
        match self {
            Trouble::Refused(why) => Trouble::Refused(life.foreign(&why)),
            Trouble::Failing(why) => Trouble::Failing(life.foreign(&why)),
            Trouble::Lost(why) => Trouble::Lost(life.foreign(&why)),
            Trouble::Late | Trouble::Stuck => self,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Refused(why) | Trouble::Failing(why) | Trouble::Lost(why) => f.write_str(why),
            Trouble::Late => f.write_str("no answer in time"),
            Trouble::Stuck => f.write_str("it does not read"),
        }
    }
}

/// What a server says unasked, for whoever keeps it.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// The server changed its list of tools.
    pub(super) tools_changed: Notify,
    /// Something is worth telling.
    pub(super) news: Notify,
    progress: Mutex<Option<Progress>>,
}

#[derive(Debug)]
struct Progress {
    token: ProgressToken,
    done: f64,
    text: Safe,
}

impl Heard {
    /// Returns how far the call is that told its progress last.
    pub(super) fn progress(&self) -> Option<Safe> {
        self.slot().as_ref().map(|progress| progress.text.clone())
    }

    /// Forgets the progress: nothing is under way.
    pub(super) fn forget_progress(&self) {
        *self.slot() = None;
    }

    fn note(&self, params: ProgressNotificationParam, life: &Life) {
        let mut slot = self.slot();
        // Each one is handled by a task of its own: they may overtake each other.
        let is_old =
            slot.as_ref().is_some_and(|last| last.token == params.progress_token && last.done > params.progress);
        if is_old {
            return;
        }
        let of = params.total.map(|total| format!(" of {total}")).unwrap_or_default();
        let says = params.message.map(|message| format!(": {}", life.foreign(&message))).unwrap_or_default();
        let text = Safe::line(&format!("{}{of}{says}", params.progress));
        *slot = Some(Progress { token: params.progress_token, done: params.progress, text });
        drop(slot);
        self.news.notify_one();
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Progress>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What we tell servers about us, and what we hear from them unasked.
#[derive(Debug, Clone)]
struct Ears {
    heard: Arc<Heard>,
    life: Life,
    root: String,
}

impl ClientHandler for Ears {
    fn get_info(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        // The newest version has no `initialize`, and older servers know nothing else.
        config.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
        config.client_info = Implementation::new("dicast", env!("CARGO_PKG_VERSION"));
        config.capabilities = ClientCapabilities::builder().enable_roots().build();
        config
    }

    async fn list_roots(&self, _context: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        Ok(ListRootsResult::new(vec![Root::new(file_uri(&self.root)).with_name("repository")]))
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.heard.tools_changed.notify_one();
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        self.heard.note(params, &self.life);
    }

    async fn on_logging_message(
        &self,
        params: LoggingMessageNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        let level = format!("{:?}", params.level).to_lowercase();
        let from = params.logger.map(|logger| format!("{logger}: ")).unwrap_or_default();
        let text = params.data.as_str().map_or_else(|| params.data.to_string(), str::to_owned);
        self.life.add_word(&format!("[{level}] {from}{text}"));
    }
}

/// Writes an absolute path as the address of a file, with everything escaped that an address may not hold.
fn file_uri(path: &str) -> String {
    let mut uri = String::from("file://");
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

impl Session {
    /// Shakes hands over the line. Without a deadline of its own: the caller has one, and dropping this hangs up.
    ///
    /// # Errors
    /// Why there is no conversation, in words.
    pub(super) async fn open(
        scope: &Scope,
        line: Line,
        reply_max: usize,
        root: &str,
        heard: Arc<Heard>,
    ) -> Result<Self, Refusal> {
        let flow: Arc<Flow> = Arc::default();
        let life = line.life().clone();
        let ears = Ears { heard, life: life.clone(), root: root.to_owned() };
        let closing = CancellationToken::new();
        let (handshake, endpoint) = match line {
            Line::Pipes(wire) => {
                let reading = Capped::new(wire.reading, reply_max);
                let writing = Watched::new(wire.writing, Arc::clone(&flow));
                let transport = AsyncRwTransport::new(reading, writing).with_max_line_length(reply_max);
                (Box::pin(serve_client_with_ct(ears, transport, closing.clone())).await, None)
            }
            Line::Http(endpoint, _) => {
                let transport = http::transport(scope, &endpoint, reply_max).await?;
                let handshake = Box::pin(serve_client_with_ct(ears, transport, closing.clone())).await;
                (handshake, Some(Arc::new(endpoint)))
            }
        };
        let running = handshake.map_err(|error| refusal(&error, &life, endpoint.as_deref(), reply_max))?;
        let over = CancellationToken::new();
        let peer = running.peer().clone();
        scope.spawn(until_over(running, life.clone(), over.clone()));
        Ok(Self { peer, flow, life, endpoint, reply_max, closing, over })
    }

    /// Returns the protocol version agreed on.
    pub(super) fn protocol(&self) -> Option<String> {
        self.peer.peer_info().map(|peer| peer.protocol_version.to_string())
    }

    /// Returns the server's own name and version.
    pub(super) fn identity(&self) -> Option<Safe> {
        let server = self.peer.peer_info()?.server_info.clone()?;
        Some(Safe::line(&self.life.foreign(&format!("{} {}", server.name, server.version))))
    }

    /// Asks for the names of all tools; a server without tools has none.
    ///
    /// # Errors
    /// [`Trouble`] as for [`Session::call`].
    pub(super) async fn tools(&self, limit: Duration) -> Result<Vec<String>, Trouble> {
        if self.peer.peer_info().is_some_and(|peer| peer.capabilities.tools.is_none()) {
            return Ok(Vec::new());
        }
        let tools = self.bounded(limit, self.peer.list_all_tools()).await?;
        Ok(tools.into_iter().map(|tool| tool.name.into_owned()).collect())
    }

    /// Asks for all tools and what they take.
    ///
    /// # Errors
    /// [`Trouble`] as for [`Session::call`].
    pub(super) async fn shapes(&self, limit: Duration) -> Result<Vec<Tool>, Trouble> {
        if self.peer.peer_info().is_some_and(|peer| peer.capabilities.tools.is_none()) {
            return Ok(Vec::new());
        }
        let tools = self.bounded(limit, self.peer.list_all_tools()).await?;
        Ok(tools.into_iter().map(shape).collect())
    }

    /// Calls a tool once. Dropping the future tells the server that the call is cancelled
    /// (`notifications/cancelled`); so does the end of `limit`.
    ///
    /// # Errors
    /// [`Trouble`] says why there is no answer.
    pub(super) async fn call(&self, tool: &str, args: &Value, limit: Duration) -> Result<Value, Trouble> {
        let mut params = CallToolRequestParams::new(tool.to_owned());
        match args {
            Value::Object(map) => params = params.with_arguments(map.clone()),
            Value::Null => {}
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(Trouble::Refused("the arguments of a tool are a JSON object".into()));
            }
        }
        let answer = read_answer(self.bounded(limit, self.peer.call_tool(params)).await?);
        answer.map(|value| self.life.answered(value)).map_err(|words| Trouble::Refused(self.life.foreign(&words)))
    }

    /// Asks whether it is alive. Any answer will do, also that it knows no ping.
    ///
    /// # Errors
    /// [`Trouble`] when there is no answer.
    pub(super) async fn ping(&self, limit: Duration) -> Result<(), Trouble> {
        let asked = self.peer.send_request(ClientRequest::PingRequest(PingRequest::default()));
        match self.bounded(limit, asked).await {
            Ok(_) | Err(Trouble::Refused(_)) => Ok(()),
            Err(trouble) => Err(trouble),
        }
    }

    async fn bounded<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, Trouble> {
        tokio::select! {
            biased;
            answer = Box::pin(asked) => answer.map_err(|error| self.trouble(&error)),
            () = self.over() => Err(self.lost("it hung up")),
            () = tokio::time::sleep(limit) => {
                Err(if self.flow.is_blocked() { Trouble::Stuck } else { Trouble::Late })
            }
        }
    }

    /// Waits until the conversation is over or the process is gone.
    pub(super) async fn over(&self) {
        tokio::select! {
            () = self.over.cancelled() => {}
            () = self.life.gone() => {}
        }
    }

    /// Tells whether the conversation is over.
    pub(super) fn is_over(&self) -> bool {
        self.over.is_cancelled() || self.life.is_gone()
    }

    /// Hangs up: the server sees the end of its stdin.
    pub(super) fn close(&self) {
        self.closing.cancel();
    }

    /// Ends the server's whole group, at once.
    pub(super) fn kill(&self) {
        self.close();
        self.life.kill();
    }

    /// Tells whether both are the same conversation.
    pub(super) fn is(&self, other: &Session) -> bool {
        Arc::ptr_eq(&self.flow, &other.flow)
    }

    fn lost(&self, why: &str) -> Trouble {
        Trouble::Lost(self.life.how().unwrap_or_else(|| why.to_owned()))
    }

    fn trouble(&self, error: &ServiceError) -> Trouble {
        if let ServiceError::McpError(error) = error {
            // The message of a line over the cap is ours, the others are the server's.
            return Trouble::Refused(self.life.foreign(&error.message));
        }
        let http = self.endpoint.as_ref().and_then(|endpoint| http::trouble(error, endpoint, self.reply_max));
        if let Some(trouble) = http.map(|trouble| trouble.hiding(&self.life)) {
            if let Trouble::Lost(why) = &trouble {
                // No process tells that it is gone: this does.
                self.life.give_up(why);
            }
            return trouble;
        }
        if matches!(error, ServiceError::TransportClosed) && self.endpoint.is_some() && !self.is_over() {
            // The stream of this one answer ended. rmcp does not say why; the other reason is the cap on an event.
            let cap = self.reply_max;
            return Trouble::Failing(format!("its answer broke off, or has more than the {cap} bytes that are taken"));
        }
        if matches!(error, ServiceError::TransportClosed | ServiceError::TransportSend(_)) {
            return self.lost("it hung up");
        }
        Trouble::Refused(self.life.foreign(&error.to_string()))
    }
}

fn refusal(error: &ClientInitializeError, life: &Life, endpoint: Option<&Endpoint>, reply_max: usize) -> Refusal {
    let cause: &(dyn Error + 'static) =
        if let ClientInitializeError::TransportError { error, .. } = error { error } else { error };
    match endpoint.and_then(|endpoint| http::trouble(cause, endpoint, reply_max)) {
        Some(Trouble::Refused(why)) => Refusal::Final(life.foreign(&why)),
        Some(Trouble::Failing(why) | Trouble::Lost(why)) => Refusal::Passing(life.foreign(&why)),
        Some(Trouble::Late | Trouble::Stuck) | None => Refusal::Passing(life.foreign(&error.to_string())),
    }
}

/// Keeps the conversation going until either side ends it.
async fn until_over(running: RunningService<RoleClient, Ears>, life: Life, over: CancellationToken) {
    tokio::select! {
        // Its reason says nothing that the process's end does not say better.
        _ = running.waiting() => {}
        () = life.gone() => {}
    }
    over.cancel();
}

/// Takes the answer out of a tool's result: structured content, else its text as JSON, else its text; or the words of
/// an error.
fn read_answer(result: CallToolResult) -> Result<Value, String> {
    let text = || {
        let parts: Vec<&str> =
            result.content.iter().filter_map(|block| block.as_text()).map(|text| text.text.as_str()).collect();
        parts.join("\n")
    };
    if result.is_error == Some(true) {
        return Err(text());
    }
    if let Some(value) = result.structured_content {
        return Ok(value);
    }
    let text = text();
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Reads what a tool takes from its JSON schema.
fn shape(tool: rmcp::model::Tool) -> Tool {
    let schema = &tool.input_schema;
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let known = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    Tool {
        name: tool.name.to_string(),
        does: tool.description.as_deref().unwrap_or_default().to_owned(),
        takes: Value::Object((**schema).clone()),
        only_reads: tool.annotations.as_ref().is_some_and(|told| told.read_only_hint == Some(true)),
        required: required.filter_map(Value::as_str).map(str::to_owned).collect(),
        known: known.map(|(name, _)| name.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_an_address_whatever_the_folder_is_called() {
        assert_eq!(file_uri("/home/a b/ü#1"), "file:///home/a%20b/%C3%BC%231");
    }

    #[test]
    fn progress_that_was_overtaken_is_not_shown() {
        let heard = Heard::default();
        let step = |token: &str, done: f64| {
            let token = ProgressToken(rmcp::model::NumberOrString::String(token.into()));
            heard.note(ProgressNotificationParam::new(token, done).with_total(10.0), &Life::without_process());
            heard.progress().unwrap().as_str().to_owned()
        };
        assert_eq!(step("a", 3.0), "3 of 10");
        assert_eq!(step("a", 2.0), "3 of 10");
        assert_eq!(step("b", 1.0), "1 of 10");
    }
}
