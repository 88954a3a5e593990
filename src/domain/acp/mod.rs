//! The Agent Client Protocol (agentclientprotocol.com, version 1), as far as it is spoken here: what we say, how a line is
//! read, what an error means.
//!
//! JSON-RPC 2.0, one message a line, typed here rather than by the protocol's own crate: that one turns on serde_json's
//! `preserve_order` for the whole build, keeps lines and queues without a bound, and knows none of our deadlines; what is
//! said here is six messages. It must not know processes: [`crate::actors`] starts the agent and carries the lines.

mod permission;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use permission::{Answer, Choice, Reach, Request, Weight, paths};

use super::classify::{named, told};
use super::failure::AgentError;
use super::stream::Dialect;

/// The version that is spoken.
const VERSION: u64 = 1;

/// JSON-RPC: there is no such method.
const NO_METHOD: i64 = -32601;

/// The protocol's own code for an agent that is not signed in.
const NOT_SIGNED_IN: i64 = -32000;

/// How an agent is spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Manner {
    /// The session mode that it is put in, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The model that its session has to say it uses: it would choose another one in silence, and send everything there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The session mode that it is put in where it may change files, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_mode: Option<String>,
    /// What a session is opened with where it may change files, instead of [`Manner::extra`]; JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_extra: Option<String>,
    /// The folder that it may change, absolute; filled in when it is started for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Who answers when it asks for permission.
    #[serde(default)]
    pub on_permission: OnPermission,
    /// What a session is opened with besides, as the agent's own extension of the protocol; JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra: Option<String>,
    /// The MCP servers that a session is given; filled in when it is started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<Server>,
    /// What is said of it in its transcript when it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

impl Manner {
    /// Turns it into the manner of an agent that may change a folder.
    pub fn writing(&mut self, folder: String) {
        self.mode = self.write_mode.take();
        self.extra = self.write_extra.take().or(self.extra.take());
        self.folder = Some(folder);
    }
}

/// Who answers when an agent asks for permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnPermission {
    /// A person, where there is one.
    #[default]
    Ask,
    /// Nobody: it is refused.
    Reject,
}

/// An MCP server that a session is given: the agent starts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// The program.
    pub command: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Variables set for it; a whole `$NAME` is our own variable, looked up when it is said.
    pub env: BTreeMap<String, String>,
}

/// How a turn of a session is read: as that of any program that writes a JSON object a line.
const READS: &[(&str, &str)] = &[
    ("delta", "params.update.content.text if params.update.sessionUpdate=agent_message_chunk"),
    ("doing", "params.update.entries[status=in_progress].content if params.update.sessionUpdate=plan"),
    ("tool", "params.update.title if params.update.sessionUpdate=tool_call"),
    ("tool_input", "params.update.rawInput if params.update.sessionUpdate=tool_call"),
    // What it is given is often told only now.
    (
        "doing",
        "params.update.title if params.update.sessionUpdate=tool_call_update and not params.update.status=completed \
         and not params.update.status=failed",
    ),
    (
        "tool_output",
        "params.update.content[].content.text if params.update.sessionUpdate=tool_call_update and \
         params.update.status=completed",
    ),
    (
        "tool_output",
        "params.update.content[].content.text if params.update.sessionUpdate=tool_call_update and \
         params.update.status=failed",
    ),
    ("session", "result.sessionId"),
    ("ok", "result.stopReason=end_turn"),
    ("failed", "error"),
    ("failed", "result.stopReason and not result.stopReason=end_turn"),
    ("input_tokens", "result.usage.inputTokens if result.stopReason"),
    ("input_tokens", "result.usage.cachedReadTokens if result.stopReason"),
    ("input_tokens", "result.usage.cachedWriteTokens if result.stopReason"),
    ("cached_tokens", "result.usage.cachedReadTokens if result.stopReason"),
    ("output_tokens", "result.usage.outputTokens if result.stopReason"),
    (
        "session_cost_usd",
        "params.update.cost.amount if params.update.sessionUpdate=usage_update and params.update.cost.currency=USD",
    ),
    // Gemini's own place for its tokens.
    ("input_tokens", "result._meta.quota.token_count.input_tokens if not result.usage"),
    ("output_tokens", "result._meta.quota.token_count.output_tokens if not result.usage"),
];

/// Returns how the lines of a turn are read.
pub fn dialect() -> Dialect {
    // The rules are ours; a test reads them all.
    Dialect::of(READS).unwrap_or_default()
}

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The answer to a request of ours.
    Answered {
        /// Which.
        id: u64,
        /// What came of it.
        outcome: Result<Value, Refused>,
    },
    /// It asks something of us, under an id of its own.
    Asked {
        /// Its id, to answer with.
        id: Value,
        /// What it asks.
        method: String,
        /// What about.
        params: Value,
    },
    /// It tells something.
    Told {
        /// What.
        method: String,
        /// What about.
        params: Value,
    },
    /// No message.
    Noise,
}

/// An error that it answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// JSON-RPC's code, or an HTTP status.
    pub code: i64,
    /// In its words, with what its data add.
    pub words: String,
}

/// Reads a line.
pub fn heard(line: &str) -> Heard {
    let Ok(Value::Object(mut message)) = serde_json::from_str::<Value>(line) else { return Heard::Noise };
    let id = message.remove("id").filter(|id| !id.is_null());
    let params = message.remove("params").unwrap_or_default();
    match (message.remove("method"), id) {
        (Some(Value::String(method)), Some(id)) => Heard::Asked { id, method, params },
        (Some(Value::String(method)), None) => Heard::Told { method, params },
        (None, Some(id)) => {
            let Some(id) = id.as_u64() else { return Heard::Noise };
            let outcome = match message.remove("error") {
                Some(error) if !error.is_null() => Err(refused(&error)),
                Some(_) | None => Ok(message.remove("result").unwrap_or_default()),
            };
            Heard::Answered { id, outcome }
        }
        (Some(_) | None, _) => Heard::Noise,
    }
}

fn refused(error: &Value) -> Refused {
    let mut words = vec![error.get("message").and_then(Value::as_str).unwrap_or("no reason given").to_owned()];
    // Where agents say more: the kind of error, the words of the API, or the data as a whole.
    match error.get("data") {
        Some(Value::String(more)) => words.push(more.clone()),
        Some(data) => {
            let more =
                ["errorKind", "details", "message", "errorName"].map(|key| data.get(key).and_then(Value::as_str));
            words.extend(more.into_iter().flatten().map(str::to_owned));
        }
        None => {}
    }
    Refused { code: error.get("code").and_then(Value::as_i64).unwrap_or_default(), words: words.join(" · ") }
}

impl Refused {
    /// Returns what it means. Codes are not uniform: some agents put the HTTP status there, some the protocol's own code,
    /// some JSON-RPC's for everything.
    pub fn error(&self, stderr: &str) -> AgentError {
        let status = u16::try_from(self.code).ok().filter(|code| (400..600).contains(code));
        if self.code == NOT_SIGNED_IN && named(&self.words).is_none() {
            return AgentError::Auth { why: self.words.clone() };
        }
        told(&self.words, status, None, stderr)
    }
}

/// Why a turn ended, as the agent says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It is done.
    EndTurn,
    /// It wrote as much as it may.
    MaxTokens,
    /// It asked its model as often as it may.
    MaxTurnRequests,
    /// It will not do it.
    Refusal,
    /// It was cancelled.
    Cancelled,
    /// Something that this version of the protocol does not have.
    Unknown,
}

impl StopReason {
    /// Reads the answer to a prompt.
    pub fn of(result: &Value) -> Self {
        match result.get("stopReason").and_then(Value::as_str) {
            Some("end_turn") => StopReason::EndTurn,
            Some("max_tokens") => StopReason::MaxTokens,
            Some("max_turn_requests") => StopReason::MaxTurnRequests,
            Some("refusal") => StopReason::Refusal,
            Some("cancelled") => StopReason::Cancelled,
            Some(_) | None => StopReason::Unknown,
        }
    }

    /// Returns what it means that a turn ended so; nothing where it ended well.
    pub fn error(self) -> Option<AgentError> {
        let none = |why: &str| Some(AgentError::NoArtifact { why: why.to_owned() });
        match self {
            StopReason::EndTurn => None,
            StopReason::MaxTokens => none("it stopped in the middle: it may write no more tokens"),
            StopReason::MaxTurnRequests => none("it stopped in the middle: it may ask its model no more often"),
            StopReason::Refusal => Some(AgentError::Permission { why: "it refuses to answer this".into() }),
            StopReason::Cancelled => {
                Some(AgentError::Crashed { how: "it cancelled its turn, which nobody had asked for".into() })
            }
            StopReason::Unknown => {
                Some(AgentError::Protocol { why: "its turn ended without a reason that the protocol knows".into() })
            }
        }
    }
}

/// A session as its agent opened it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its name.
    pub session: String,
    /// The modes that it offers; empty where it does not say.
    pub modes: Vec<String>,
    /// The model that it uses, if it says.
    pub model: Option<String>,
}

impl Opened {
    /// Reads the answer to `session/new`.
    pub fn of(result: &Value) -> Option<Self> {
        let session = result.get("sessionId")?.as_str()?.to_owned();
        let ids = |list: Option<&Value>, key: &str| -> Vec<String> {
            let items = list.and_then(Value::as_array).into_iter().flatten();
            items.filter_map(|item| item.get(key)?.as_str()).map(str::to_owned).collect()
        };
        let mut modes = ids(result.pointer("/modes/availableModes"), "id");
        // Newer agents offer them as one of the options of a session.
        let options = result.get("configOptions").and_then(Value::as_array).into_iter().flatten();
        let mut model = result.pointer("/models/currentModelId").and_then(Value::as_str);
        for option in options {
            match option.get("id").and_then(Value::as_str) {
                Some("mode") => modes.extend(ids(option.get("options"), "value")),
                Some("model") => model = option.get("currentValue").and_then(Value::as_str).or(model),
                Some(_) | None => {}
            }
        }
        Some(Self { session, modes, model: model.map(str::to_owned) })
    }

    /// Refuses a session that cannot be put in the mode that is asked for, or uses another model than it has to.
    ///
    /// # Errors
    /// With the modes that there are, or the model.
    pub fn suits(&self, manner: &Manner) -> Result<(), AgentError> {
        if let Some(wanted) = manner.model.as_ref().filter(|wanted| self.model.as_ref() != Some(*wanted)) {
            let other = self.model.as_deref().unwrap_or("one that it does not name");
            let why = format!("it would use model {other}, not {wanted}: is that configured for it?");
            return Err(AgentError::Permission { why });
        }
        match &manner.mode {
            Some(mode) if !self.modes.is_empty() && !self.modes.iter().any(|known| known == mode) => {
                let why = format!("it has no session mode {mode:?}; it offers {}", self.modes.join(", "));
                Err(AgentError::Permission { why })
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Refuses an agent that speaks another version.
///
/// # Errors
/// With the version that it speaks.
pub fn shaken(result: &Value) -> Result<(), AgentError> {
    match result.get("protocolVersion").and_then(Value::as_u64) {
        Some(VERSION) => Ok(()),
        other => {
            let theirs = other.map_or_else(|| "none that it names".to_owned(), |version| version.to_string());
            Err(AgentError::Protocol { why: format!("it speaks version {theirs} of the protocol, not {VERSION}") })
        }
    }
}

/// Tells whether an agent can go on with a session of an earlier process, as it says when hands are shaken.
pub fn can_load(result: &Value) -> bool {
    result.pointer("/agentCapabilities/loadSession") == Some(&Value::Bool(true))
}

/// Something that is said to an agent: one line.
#[derive(Debug, Clone, PartialEq)]
pub enum Say<'a> {
    /// Who we are, and that it reads and writes files and runs commands by itself or not at all.
    Initialize,
    /// Open a session in a folder.
    NewSession {
        /// The folder, absolute.
        cwd: &'a str,
        /// The servers that it is given, their variables looked up.
        servers: &'a [Server],
        /// What it is opened with besides; JSON.
        extra: Option<&'a str>,
    },
    /// Go on with a session that an earlier process of the agent had; it tells the whole of it again.
    LoadSession {
        /// Which.
        session: &'a str,
        /// The folder, absolute.
        cwd: &'a str,
        /// The servers that it is given, their variables looked up.
        servers: &'a [Server],
        /// What it is opened with besides; JSON.
        extra: Option<&'a str>,
    },
    /// Put a session in a mode.
    SetMode {
        /// Which session.
        session: &'a str,
        /// Which mode.
        mode: &'a str,
    },
    /// Ask.
    Prompt {
        /// In which session.
        session: &'a str,
        /// What.
        text: &'a str,
    },
}

impl Say<'_> {
    /// Writes it as a request of ours.
    pub fn line(&self, id: u64) -> String {
        let (method, params) = match self {
            Say::Initialize => (
                "initialize",
                json!({"protocolVersion": VERSION,
                    "clientCapabilities": {"fs": {"readTextFile": false, "writeTextFile": false}, "terminal": false},
                    "clientInfo": {"name": "dicast", "version": env!("CARGO_PKG_VERSION")}}),
            ),
            Say::NewSession { cwd, servers, extra } => ("session/new", new_session(cwd, servers, *extra)),
            Say::LoadSession { session, cwd, servers, extra } => {
                let mut params = new_session(cwd, servers, *extra);
                params["sessionId"] = json!(session);
                ("session/load", params)
            }
            Say::SetMode { session, mode } => ("session/set_mode", json!({"sessionId": session, "modeId": mode})),
            Say::Prompt { session, text } => {
                ("session/prompt", json!({"sessionId": session, "prompt": [{"type": "text", "text": text}]}))
            }
        };
        line(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
    }
}

fn new_session(cwd: &str, servers: &[Server], extra: Option<&str>) -> Value {
    let server = |server: &Server| {
        let env: Vec<Value> = server.env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
        json!({"name": server.name, "command": server.command, "args": server.args, "env": env})
    };
    let mut params = json!({"cwd": cwd, "mcpServers": servers.iter().map(server).collect::<Vec<_>>()});
    let extra: Option<Value> = extra.and_then(|extra| serde_json::from_str(extra).ok());
    if let (Some(extra), Some(params)) = (extra, params.as_object_mut()) {
        params.insert("_meta".into(), extra);
    }
    params
}

/// Writes the notification that cancels what a session is asked.
pub fn cancel(session: &str) -> String {
    line(&json!({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": session}}))
}

/// Writes the answer to a request for permission: the option that was chosen, or that it was cancelled.
pub fn permit(id: &Value, option: Option<&str>) -> String {
    let outcome = match option {
        Some(option) => json!({"outcome": "selected", "optionId": option}),
        None => json!({"outcome": "cancelled"}),
    };
    line(&json!({"jsonrpc": "2.0", "id": id, "result": {"outcome": outcome}}))
}

/// Writes the answer to a request that we do not know.
pub fn not_known(id: &Value, method: &str) -> String {
    let why = format!("dicast does not do {method}");
    line(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": NO_METHOD, "message": why}}))
}

fn line(message: &Value) -> String {
    // JSON on one line has no line break: they are escaped in texts.
    format!("{message}\n")
}

#[cfg(test)]
mod tests;
