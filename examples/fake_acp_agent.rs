//! An agent that is none: speaks the Agent Client Protocol on its standard streams, and answers what a prompt asks in its
//! fenced `dicast.ask/1` block, or misbehaves as told. For tests only; the product does not know it.
//!
//! ```text
//! fake_acp_agent [--slow-start MS] [--hang-start] [--no-mode] [--hang] [--pause MS] [--ask KIND]… [--ignore-cancel]
//!                [--ignore-term] [--ignore-eof] [--garbage] [--die CODE] [--huge-line] [--unknown-request]
//!                [--setsid-grandchild] [--first-bad] [--error CODE WORDS] [--stop REASON] [--family-style NAME]
//!                [--quantity N] [--write PATH=TEXT]… [--cost USD] [--load]
//!                [--load-fails] [--log FILE]
//! ```
//!
//! With `--ask execute` (or `edit`, `fetch`, …) it asks for permission before it answers, and says what came of it. With
//! `--write` it changes a file of its session's folder where it is asked to implement, if it gets permission for that. The
//! log has a line for its start (its pid) and one for each message that it took.

#![expect(clippy::disallowed_methods, reason = "a program of its own may sleep, write files and start a child")]

use std::fs::OpenOptions;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

#[path = "sensible/mod.rs"]
mod sensible;

/// How long anything that never ends lives at most, should a test lose it.
const FOREVER: Duration = Duration::from_secs(120);

#[derive(Default)]
struct Orders {
    slow_start_ms: u64,
    hang_start: bool,
    no_mode: bool,
    hang: bool,
    /// Milliseconds between the pieces of an answer.
    pause_ms: u64,
    asks: Vec<String>,
    ignore_cancel: bool,
    ignore_term: bool,
    ignore_eof: bool,
    garbage: bool,
    die: Option<u8>,
    huge_line: bool,
    unknown_request: bool,
    setsid_grandchild: bool,
    first_bad: bool,
    error: Option<(i64, String)>,
    stop: Option<String>,
    family_style: Option<String>,
    quantity: Option<String>,
    /// Files that it writes where it is asked to implement, with `\\n` for line breaks.
    writes: Vec<String>,
    /// Says that it can load sessions.
    load: bool,
    load_fails: bool,
    /// What each prompt of a session costs.
    cost: Option<f64>,
    log: Option<String>,
    /// What to look up in the MCP server of the session.
    recall: Option<String>,
    /// Not for users: be the grandchild.
    sleeper: bool,
}

fn orders(mut args: impl Iterator<Item = String>) -> Result<Orders, String> {
    let mut orders = Orders::default();
    while let Some(flag) = args.next() {
        let mut value = || args.next().ok_or(format!("{flag} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|e| format!("{text}: {e}"));
        match flag.as_str() {
            "--slow-start" => orders.slow_start_ms = number(value()?)?,
            "--hang-start" => orders.hang_start = true,
            "--no-mode" => orders.no_mode = true,
            "--hang" => orders.hang = true,
            "--pause" => orders.pause_ms = number(value()?)?,
            "--ask" => orders.asks.push(value()?),
            "--ignore-cancel" => orders.ignore_cancel = true,
            "--ignore-term" => orders.ignore_term = true,
            "--ignore-eof" => orders.ignore_eof = true,
            "--garbage" => orders.garbage = true,
            "--die" => orders.die = Some(u8::try_from(number(value()?)?).map_err(|e| e.to_string())?),
            "--huge-line" => orders.huge_line = true,
            "--unknown-request" => orders.unknown_request = true,
            "--setsid-grandchild" => orders.setsid_grandchild = true,
            "--first-bad" => orders.first_bad = true,
            "--error" => orders.error = Some((value()?.parse().map_err(|_| "--error CODE WORDS")?, value()?)),
            "--stop" => orders.stop = Some(value()?),
            "--family-style" => orders.family_style = Some(value()?),
            "--quantity" => orders.quantity = Some(value()?),
            "--write" => orders.writes.push(value()?),
            "--load" => orders.load = true,
            "--load-fails" => orders.load_fails = true,
            "--cost" => orders.cost = Some(value()?.parse().map_err(|_| "--cost USD")?),
            "--log" => orders.log = Some(value()?),
            "--recall" => orders.recall = Some(value()?),
            "--setsid-sleeper" => orders.sleeper = true,
            other => return Err(format!("unknown flag {other}")),
        }
    }
    Ok(orders)
}

fn main() -> ExitCode {
    let outcome = orders(std::env::args().skip(1)).map_err(io::Error::other).and_then(|orders| serve(&orders));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            // A closed pipe is how a stopped agent notices; there is nobody left to tell.
            let _ = writeln!(io::stderr(), "fake_acp_agent: {error}");
            ExitCode::from(70)
        }
    }
}

/// What this agent is in the middle of.
struct Agent<'o> {
    orders: &'o Orders,
    sessions: u32,
    prompts: u32,
    /// Prompts of the session that was opened last.
    asked: u32,
    requests: u64,
    /// The folder of the session that was opened last.
    folder: PathBuf,
    /// The first MCP server that the session was given.
    server: Value,
}

fn serve(orders: &Orders) -> io::Result<ExitCode> {
    if orders.sleeper {
        rustix::process::setsid()?;
        thread::sleep(FOREVER);
        return Ok(ExitCode::SUCCESS);
    }
    let _deaf = if orders.ignore_term { Some(deafen()?) } else { None };
    thread::sleep(Duration::from_millis(orders.slow_start_ms));
    let mut agent =
        Agent { orders, sessions: 0, prompts: 0, asked: 0, requests: 0, folder: PathBuf::new(), server: Value::Null };
    agent.log(&format!("start {}", std::process::id()))?;
    while let Some(message) = agent.hear()? {
        let (id, params) = (message["id"].clone(), message["params"].clone());
        match message["method"].as_str() {
            Some("initialize") if orders.hang_start => thread::sleep(FOREVER),
            Some("initialize") => {
                let can = json!({"loadSession": orders.load || orders.load_fails});
                agent.answer(&id, json!({"protocolVersion": 1, "agentCapabilities": can}))?;
            }
            Some("session/load") if orders.load_fails => {
                let why = json!({"code": -32002, "message": "Resource not found"});
                agent.say(&json!({"jsonrpc": "2.0", "id": id, "error": why}))?;
            }
            Some("session/load") => {
                agent.speak(&params["sessionId"], "{\"said\": \"before\"}")?;
                agent.answer(&id, json!({}))?;
            }
            Some("session/new") => {
                agent.sessions += 1;
                agent.asked = 0;
                agent.server = params["mcpServers"][0].clone();
                agent.folder = params["cwd"].as_str().unwrap_or_default().into();
                let plan = json!([{"id": "default"}, {"id": "plan"}]);
                let modes = if orders.no_mode { json!([{"id": "default"}]) } else { plan };
                let session = format!("s-{}", agent.sessions);
                agent.answer(&id, json!({"sessionId": session, "modes": {"availableModes": modes}}))?;
            }
            Some("session/set_mode") => agent.answer(&id, json!({}))?,
            Some("session/prompt") => {
                if let Some(code) = agent.prompt(&id, &params)? {
                    return Ok(code);
                }
            }
            Some(_) | None => {}
        }
    }
    if orders.ignore_eof {
        thread::sleep(FOREVER);
    }
    Ok(ExitCode::SUCCESS)
}

impl Agent<'_> {
    fn log(&self, line: &str) -> io::Result<()> {
        let Some(path) = &self.orders.log else { return Ok(()) };
        writeln!(OpenOptions::new().create(true).append(true).open(path)?, "{line}")
    }

    /// Takes the next message; none at the end of the input.
    fn hear(&self) -> io::Result<Option<Value>> {
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line)? == 0 {
            self.log("end of input")?;
            return Ok(None);
        }
        let message: Value = serde_json::from_str(&line)?;
        let about =
            message["params"]["modeId"].as_str().or(message["params"]["sessionId"].as_str()).unwrap_or_default();
        match message["method"].as_str() {
            Some(method) => self.log(&format!("{method} {about}"))?,
            None => self.log(&format!("answer {}", message.get("result").unwrap_or(&message["error"])))?,
        }
        Ok(Some(message))
    }

    fn say(&self, message: &Value) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{message}")?;
        out.flush()
    }

    fn answer(&self, id: &Value, result: Value) -> io::Result<()> {
        self.say(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn update(&self, session: &Value, update: Value) -> io::Result<()> {
        self.say(
            &json!({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": session, "update": update}}),
        )
    }

    fn speak(&self, session: &Value, text: &str) -> io::Result<()> {
        self.update(session, json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}))
    }

    /// Answers a prompt; returns the code to end with, if it is to.
    fn prompt(&mut self, id: &Value, params: &Value) -> io::Result<Option<ExitCode>> {
        let (orders, session) = (self.orders, &params["sessionId"]);
        self.prompts += 1;
        self.asked += 1;
        let text = params["prompt"][0]["text"].as_str().unwrap_or_default().to_owned();
        if orders.garbage {
            let mut out = io::stdout().lock();
            writeln!(out, "Debugger attached.\n{{\"half\": \n[1,2]\n\u{7}\u{1b}[2J")?;
        }
        if orders.setsid_grandchild {
            let program = std::env::current_exe()?;
            Command::new(program)
                .arg("--setsid-sleeper")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
                .map(drop)?;
            thread::sleep(Duration::from_millis(50));
        }
        let step = json!([{"content": "look around", "status": "in_progress", "priority": "high"}]);
        self.update(session, json!({"sessionUpdate": "plan", "entries": step}))?;
        self.update(
            session,
            json!({"sessionUpdate": "tool_call", "toolCallId": "t1", "title": "Read lib.rs", "kind": "read",
            "status": "pending", "rawInput": {"path": "src/lib.rs"}}),
        )?;
        self.update(
            session,
            json!({"sessionUpdate": "tool_call_update", "toolCallId": "t1", "status": "completed",
            "content": [{"type": "content", "content": {"type": "text", "text": "fn main() {}"}}]}),
        )?;
        if let Some(query) = &orders.recall {
            self.recall(query)?;
        }
        if orders.huge_line {
            self.speak(session, &"x".repeat(20 << 20))?;
        }
        if orders.unknown_request && self.request("fs/read_text_file", json!({"path": "/etc/passwd"}))?.is_none() {
            return Ok(Some(ExitCode::SUCCESS));
        }
        for kind in &orders.asks {
            let call = asked_for(kind);
            if self.ask(call, session)? == Some("cancelled".to_owned()) && !orders.ignore_cancel {
                self.answer(id, json!({"stopReason": "cancelled"}))?;
                return Ok(None);
            }
        }
        if sensible::block_of(&text, "dicast.ask/1").is_some_and(|ask| ask["stage"] == "implement") {
            self.change(session)?;
        }
        if let Some(code) = orders.die {
            writeln!(io::stderr(), "about to break")?;
            return Ok(Some(ExitCode::from(code)));
        }
        if orders.hang {
            return self.hang(id);
        }
        if let Some((code, words)) = &orders.error {
            self.say(&json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": words}}))?;
            return Ok(None);
        }
        self.conclude(id, session, &text).map(|()| None)
    }

    fn conclude(&self, id: &Value, session: &Value, text: &str) -> io::Result<()> {
        let orders = self.orders;
        let style = orders.family_style.as_deref().unwrap_or("plain");
        let answer = if orders.first_bad && self.prompts == 1 {
            "Here it is:\n```json\n{\"schema\":\"dicast.artifact/1\",\"summary\":\n```".to_owned()
        } else if let Some(ballot) = sensible::block_of(text, "dicast.round/1") {
            format!("voted\n```json\n{}\n```\n", sensible::votes(&ballot, "sensible"))
        } else if let Some(ask) = sensible::block_of(text, "dicast.ask/1") {
            format!("So:\n```json\n{}\n```\n", sensible::artifact(&ask, style, orders.quantity.as_deref()))
        } else {
            // A repair in the session that it has: the question is remembered by nobody here.
            "There is no dicast.ask/1 block in this prompt.".to_owned()
        };
        let middle = answer.char_indices().nth(answer.chars().count() / 2).map_or(0, |(at, _)| at);
        for piece in [&answer[..middle], &answer[middle..]] {
            thread::sleep(Duration::from_millis(orders.pause_ms));
            self.speak(session, piece)?;
        }
        if let Some(cost) = orders.cost {
            let cost = json!({"amount": cost * f64::from(self.asked), "currency": "USD"});
            self.update(session, json!({"sessionUpdate": "usage_update", "used": 120, "size": 200_000, "cost": cost}))?;
        }
        let stop = orders.stop.as_deref().unwrap_or("end_turn");
        let usage = json!({"inputTokens": 100, "cachedReadTokens": 20, "outputTokens": 34, "totalTokens": 154});
        self.answer(id, json!({"stopReason": stop, "usage": usage}))
    }

    /// Says nothing more until it is cancelled, or for ever.
    fn hang(&self, id: &Value) -> io::Result<Option<ExitCode>> {
        while let Some(message) = self.hear()? {
            if message["method"] == "session/cancel" && !self.orders.ignore_cancel {
                self.answer(id, json!({"stopReason": "cancelled"}))?;
                return Ok(None);
            }
        }
        thread::sleep(FOREVER);
        Ok(Some(ExitCode::SUCCESS))
    }

    /// Starts the MCP server that the session was given, looks something up there, and tries to store something.
    fn recall(&self, query: &str) -> io::Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let args = self.server["args"].as_array().into_iter().flatten().map(text);
        let mut child = Command::new(text(&self.server["command"]))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(mut to), Some(from)) = (child.stdin.take(), child.stdout.take()) else { return Ok(()) };
        let mut from = io::BufReader::new(from);
        let mut call = |id: u64, method: &str, params: Value| -> io::Result<Value> {
            writeln!(to, "{}", json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
            let mut line = String::new();
            from.read_line(&mut line)?;
            Ok(serde_json::from_str(&line)?)
        };
        let who = json!({"name": "fake", "version": "1"});
        call(1, "initialize", json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": who}))?;
        let found = call(2, "tools/call", json!({"name": "search", "arguments": {"query": query}}))?;
        let kept = json!({"name": "store_memory", "arguments": {"content": "mine", "tags": []}});
        let stored = call(3, "tools/call", kept)?;
        self.log(&format!("recalled {found}"))?;
        self.log(&format!("stored {stored}"))?;
        drop(to);
        child.wait().map(drop)
    }

    /// Asks for permission; returns the option that was chosen, or `cancelled`.
    fn ask(&mut self, call: Value, session: &Value) -> io::Result<Option<String>> {
        let options = json!([{"optionId": "yes", "kind": "allow_once", "name": "Allow once"},
            {"optionId": "ever", "kind": "allow_always", "name": "Always allow"},
            {"optionId": "no", "kind": "reject_once", "name": "Reject"}]);
        let params = json!({"sessionId": session, "toolCall": call, "options": options});
        let Some(answer) = self.request("session/request_permission", params)? else { return Ok(None) };
        let outcome = &answer["result"]["outcome"];
        let chosen = outcome["optionId"].as_str().or(outcome["outcome"].as_str()).unwrap_or_default().to_owned();
        self.speak(session, &format!("permission: {chosen}\n"))?;
        Ok(Some(chosen))
    }

    /// Changes files, each if it gets permission.
    fn change(&mut self, session: &Value) -> io::Result<()> {
        for (path, text) in self.orders.writes.iter().filter_map(|order| order.split_once('=')) {
            let (place, text) = (self.folder.join(path), text.replace("\\n", "\n"));
            let shown = json!([{"type": "diff", "path": place, "oldText": "", "newText": text}]);
            let call = json!({"toolCallId": path, "title": format!("Write {path}"), "kind": "edit", "content": shown});
            if self.ask(call, session)?.as_deref() == Some("yes") {
                std::fs::write(place, text)?;
            }
        }
        Ok(())
    }

    /// Asks something of the client, and waits for the answer.
    fn request(&mut self, method: &str, params: Value) -> io::Result<Option<Value>> {
        let id = self.requests;
        self.requests += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))?;
        while let Some(message) = self.hear()? {
            if message.get("method").is_none() && message["id"] == id {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }
}

/// Something that needs permission, of a kind.
fn asked_for(kind: &str) -> Value {
    match kind {
        "edit" => json!({"toolCallId": "t2", "title": "Edit src/lib.rs", "kind": "edit", "content": [
            {"type": "diff", "path": "src/lib.rs", "oldText": "one\ntwo\n", "newText": "one\n2\n"}]}),
        kind => json!({"toolCallId": "t2", "title": "touch pwned", "kind": kind,
            "rawInput": {"command": "touch pwned", "cwd": "/repo"}}),
    }
}

/// Takes TERM and does nothing with it.
fn deafen() -> io::Result<tokio::runtime::Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let inside = runtime.enter();
    // The stream may go: once installed, the handler stays.
    drop(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?);
    drop(inside);
    Ok(runtime)
}
