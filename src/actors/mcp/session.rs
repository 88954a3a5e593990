//! One conversation with one server: handshake, tool list, calls. The only file that names rmcp's client.
//!
//! It must not know restarts, retries or states. rmcp does the protocol; deadlines are ours, because its own do not
//! hold when a server stops reading (measured: neither its timeout nor its close came back).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{CallToolRequestParams, CallToolResult, ClientConfig, Implementation, ProtocolVersion};
use rmcp::service::{NotificationContext, Peer, RunningService, ServiceError, serve_client_with_ct};
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::{ClientHandler, RoleClient};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Tool;
use super::child::Life;
use super::wire::{Capped, Flow, Watched, Wire};
use crate::actors::Scope;
use crate::domain::safe::Safe;

/// Most bytes of a server's own error text that we pass on.
const WHY_MAX: usize = 2_000;

/// A conversation after its handshake; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Session {
    peer: Peer<RoleClient>,
    flow: Arc<Flow>,
    life: Life,
    /// Cancelled by us: hang up.
    closing: CancellationToken,
    /// Cancelled when the conversation is over, whoever ended it.
    over: CancellationToken,
}

/// Why a try of a call has no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The server said no; asking again would not help.
    Refused(String),
    /// The limit passed while the server works (or sleeps); it was told that the call is cancelled.
    Late,
    /// The limit passed while the server does not read: nothing reaches it any more.
    Stuck,
    /// The conversation is over.
    Lost(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Refused(why) | Trouble::Lost(why) => f.write_str(why),
            Trouble::Late => f.write_str("no answer in time"),
            Trouble::Stuck => f.write_str("it does not read"),
        }
    }
}

/// What we tell servers about us, and what we hear from them unasked.
#[derive(Debug, Clone)]
struct Ears {
    tools_changed: Arc<Notify>,
}

impl ClientHandler for Ears {
    fn get_info(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        // The newest version has no `initialize`, and older servers know nothing else.
        config.protocol_version = ProtocolVersion::LATEST_WITH_INITIALIZE;
        config.client_info = Implementation::new("dicast", env!("CARGO_PKG_VERSION"));
        config
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.tools_changed.notify_one();
    }
}

impl Session {
    /// Shakes hands over the wire. Without a deadline of its own: the caller has one, and dropping this hangs up.
    ///
    /// # Errors
    /// Why there is no conversation, in words.
    pub(super) async fn open(
        scope: &Scope,
        wire: Wire,
        line_max: usize,
        tools_changed: Arc<Notify>,
    ) -> Result<Self, String> {
        let flow: Arc<Flow> = Arc::default();
        let reading = Capped::new(wire.reading, line_max);
        let writing = Watched::new(wire.writing, Arc::clone(&flow));
        let transport = AsyncRwTransport::new(reading, writing).with_max_line_length(line_max);
        let closing = CancellationToken::new();
        let handshake = Box::pin(serve_client_with_ct(Ears { tools_changed }, transport, closing.clone()));
        let running = handshake.await.map_err(|error| foreign(&error.to_string()))?;
        let over = CancellationToken::new();
        let session = Self { peer: running.peer().clone(), flow, life: wire.life.clone(), closing, over: over.clone() };
        scope.spawn(until_over(running, wire.life, over));
        Ok(session)
    }

    /// Returns the protocol version agreed on.
    pub(super) fn protocol(&self) -> Option<String> {
        self.peer.peer_info().map(|peer| peer.protocol_version.to_string())
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
        Ok(tools.into_iter().map(|tool| shape(tool.name.into_owned(), &tool.input_schema)).collect())
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
        read_answer(self.bounded(limit, self.peer.call_tool(params)).await?)
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
        Trouble::Lost(self.life.how().map_or_else(|| why.to_owned(), |how| format!("it ended ({how})")))
    }

    fn trouble(&self, error: &ServiceError) -> Trouble {
        if let ServiceError::McpError(error) = error {
            // The message of a line over the cap is ours, the others are the server's.
            return Trouble::Refused(foreign(&error.message));
        }
        if matches!(error, ServiceError::TransportClosed | ServiceError::TransportSend(_)) {
            return self.lost("it hung up");
        }
        Trouble::Refused(foreign(&error.to_string()))
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

/// Takes the answer out of a tool's result: structured content, else its text as JSON, else its text.
fn read_answer(result: CallToolResult) -> Result<Value, Trouble> {
    let text = || {
        let parts: Vec<&str> =
            result.content.iter().filter_map(|block| block.as_text()).map(|text| text.text.as_str()).collect();
        parts.join("\n")
    };
    if result.is_error == Some(true) {
        return Err(Trouble::Refused(foreign(&text())));
    }
    if let Some(value) = result.structured_content {
        return Ok(value);
    }
    let text = text();
    Ok(serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// Reads what a tool takes from its JSON schema.
fn shape(name: String, schema: &serde_json::Map<String, Value>) -> Tool {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let known = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    Tool {
        name,
        required: required.filter_map(Value::as_str).map(str::to_owned).collect(),
        known: known.map(|(name, _)| name.clone()).collect(),
    }
}

/// Makes a foreign error text harmless and short.
fn foreign(text: &str) -> String {
    let cut: String = text.chars().take(WHY_MAX).collect();
    Safe::line(cut.trim()).as_str().to_owned()
}
