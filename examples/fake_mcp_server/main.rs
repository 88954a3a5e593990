//! A FAKE MCP server for tests: JSON-RPC by hand over stdio or (`--http`) streamable HTTP, with faults on flags. Never a
//! part of the program.
//!
//! Tools: `echo {text}`, `fail {text}`, `sleep {ms}`, and `store_memory`, `get`, `search`, `delete`, `stats` over a map
//! in memory. Flags:
//!
//! | flag | fault |
//! |---|---|
//! | `--start-delay MS` | answers the handshake late |
//! | `--hang` | reads, and never answers the handshake |
//! | `--crash-at-start` | writes a last word and exits with 7 before the handshake |
//! | `--crash-after N` | exits with 9 instead of answering call N+1 |
//! | `--call-delay MS` | answers each call late |
//! | `--no-read` | stops reading after the handshake and the list of tools |
//! | `--ignore-term` | ignores TERM and the end of its input |
//! | `--grandchild` | has a child that holds stdout and ignores TERM |
//! | `--flood-stderr` | writes to stderr without end |
//! | `--garbage` | writes lines that are no JSON between its answers |
//! | `--malformed` | answers calls with JSON of the wrong shape |
//! | `--wrong-id` | answers calls under another id |
//! | `--huge-reply MB` | answers each `echo` with that many megabytes |
//! | `--id-last` | writes the id at the end of a message, as the TypeScript SDK does |
//! | `--list-changed` | after the first call offers one tool more and says so |
//! | `--loses` | acknowledges what it is to store, and forgets it |
//! | `--errors-as-text` | answers what it is to store with `Error: …` as if it were a result |
//! | `--npm` | offers the tools of npm's server-memory instead of its own memory's |
//! | `--progress`, `--logs` | tells progress, or logs a line, before it answers a call |
//! | `--ask-roots` | asks for the client's roots |
//! | `--no-ping` | does not answer pings |
//! | `--one-at-a-time` | reads nothing while a call is under way |
//! | `--log FILE` | appends every method that it receives, and the id of what is cancelled |
//!
//! Over HTTP it prints its address, answers with JSON (`--sse`: with events), and knows besides:
//!
//! | flag | fault |
//! |---|---|
//! | `--port N` | listens there |
//! | `--need-token T` | answers 401 without the bearer token; `--challenge`: with a `www-authenticate` |
//! | `--lose-session-after N` | forgets the session with call N: 404 |
//! | `--unavailable N` | answers the first N calls with 503 |
//! | `--cut` | breaks off in the middle of the answer to a call |
//! | `--log-header NAME` | logs that header of every request |
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fixture of its own process: it sleeps, writes its log and dies as it is told"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

mod flags;
mod http;

use flags::Flags;

/// Set for the process that follows, once TERM is ignored: an ignored signal stays ignored across exec.
const STUBBORN: &str = "FAKE_MCP_SERVER_IS_STUBBORN";

fn main() {
    let flags = Flags::read();
    if flags.has("--ignore-term") && std::env::var_os(STUBBORN).is_none() {
        let failed = Command::new("sh")
            .args(["-c", "trap '' TERM; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args(std::env::args_os().skip(1))
            .env(STUBBORN, "1")
            .exec();
        eprintln!("{failed}");
        std::process::exit(70);
    }
    if flags.has("--grandchild") {
        let mut child = Command::new("sh");
        child.args(["-c", "trap '' TERM; while :; do sleep 1; done"]).stdin(Stdio::null());
        drop(child.spawn().unwrap());
    }
    if flags.has("--flood-stderr") {
        std::thread::spawn(|| {
            for n in 0_u64.. {
                eprintln!("\u{1b}[31mflood {n} {}", "x".repeat(2_000));
            }
        });
    }
    if flags.has("--crash-at-start") {
        eprintln!("cannot open the database");
        std::process::exit(7);
    }
    if flags.has("--http") {
        http::serve(&flags);
    }
    serve(&flags);
    if flags.has("--ignore-term") {
        forever();
    }
}

fn serve(flags: &Flags) {
    let fake = Fake::new(flags);
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let Ok(message) = serde_json::from_str::<Value>(&line) else { continue };
        fake.hear(&message, &Out::Stdout);
    }
}

/// Where answers go.
#[derive(Clone)]
enum Out {
    Stdout,
    Http(Arc<Mutex<http::Response>>),
    Nowhere,
}

impl Out {
    fn write(&self, message: &Value) {
        self.write_line(&message.to_string());
    }

    fn write_line(&self, line: &str) {
        match self {
            Out::Stdout => {
                let mut out = std::io::stdout().lock();
                // Whoever hung up does not want it.
                let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
            }
            Out::Http(response) => response.lock().unwrap().write_line(line),
            Out::Nowhere => {}
        }
    }
}

#[derive(Clone)]
struct Fake {
    flags: Flags,
    calls: Arc<AtomicU64>,
    memories: Arc<Mutex<BTreeMap<String, Value>>>,
}

impl Fake {
    fn new(flags: &Flags) -> Self {
        Self { flags: flags.clone(), calls: Arc::default(), memories: Arc::default() }
    }

    /// Takes one message; calls are answered by a thread of their own.
    fn hear(&self, message: &Value, out: &Out) {
        let flags = &self.flags;
        let method = message["method"].as_str().unwrap_or_default().to_owned();
        let name = message["params"]["name"].as_str().unwrap_or_default();
        let cancelled = &message["params"]["requestId"];
        flags.log(&match method.as_str() {
            "tools/call" => format!("{method} {} {name}", message["id"]),
            "notifications/cancelled" => format!("{method} {cancelled}"),
            "" => format!("answer {}", message["result"]),
            _ => method.clone(),
        });
        let id = message["id"].clone();
        match method.as_str() {
            "initialize" if flags.has("--hang") => forever(),
            "initialize" => {
                std::thread::sleep(flags.milliseconds("--start-delay"));
                let version = &message["params"]["protocolVersion"];
                let server = json!({"name": "fake", "version": "0"});
                let capabilities = json!({"tools": {"listChanged": true}, "logging": {}});
                self.answer(
                    &id,
                    &json!({"protocolVersion": version, "capabilities": capabilities, "serverInfo": server}),
                    out,
                );
            }
            "notifications/initialized" if flags.has("--ask-roots") => {
                out.write(&json!({"jsonrpc": "2.0", "id": "roots", "method": "roots/list"}));
            }
            "tools/list" => {
                self.answer(
                    &id,
                    &tools(flags, flags.has("--list-changed") && self.calls.load(Ordering::SeqCst) > 0),
                    out,
                );
                if flags.has("--no-read") {
                    forever();
                }
            }
            "tools/call" => {
                let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
                if flags.number("--crash-after").is_some_and(|most| calls > most) {
                    eprintln!("out of memory (not really)");
                    std::process::exit(9);
                }
                if flags.has("--list-changed") && calls == 1 {
                    out.write(&json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}));
                }
                if flags.has("--one-at-a-time") {
                    self.call(&id, &message["params"], out);
                    return;
                }
                let (caller, params, out) = (self.clone(), message["params"].clone(), out.clone());
                std::thread::spawn(move || caller.call(&id, &params, &out));
            }
            "ping" if flags.has("--no-ping") => {}
            "ping" => self.answer(&id, &json!({}), out),
            _ => {}
        }
    }

    fn call(&self, id: &Value, params: &Value, out: &Out) {
        std::thread::sleep(self.flags.milliseconds("--call-delay"));
        if self.flags.has("--garbage") {
            out.write_line("warning: this is no JSON \u{1b}[2J");
            out.write_line("{\"half\": ");
        }
        if self.flags.has("--malformed") {
            out.write(&json!({"jsonrpc": "2.0", "id": id, "result": {"content": "not a list"}}));
            return;
        }
        if let (true, Out::Http(response)) = (self.flags.has("--cut"), out) {
            response.lock().unwrap().cut();
            return;
        }
        if self.flags.has("--logs") {
            let params = json!({"level": "warning", "logger": "fake", "data": "disk is \u{1b}[2Jslow"});
            out.write(&json!({"jsonrpc": "2.0", "method": "notifications/message", "params": params}));
        }
        let token = &params["_meta"]["progressToken"];
        if self.flags.has("--progress") && !token.is_null() {
            let params = json!({"progressToken": token, "progress": 3, "total": 10, "message": "indexing"});
            out.write(&json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}));
        }
        let id = if self.flags.has("--wrong-id") { json!(987_654) } else { id.clone() };
        let args = &params["arguments"];
        let (text, is_error) = match params["name"].as_str().unwrap_or_default() {
            "echo" => match self.flags.number("--huge-reply") {
                Some(megabytes) => ("x".repeat(usize::try_from(megabytes).unwrap() << 20), false),
                None => (json!({"echo": args["text"]}).to_string(), false),
            },
            "sleep" => {
                std::thread::sleep(Duration::from_millis(args["ms"].as_u64().unwrap_or_default()));
                ("\"slept\"".to_owned(), false)
            }
            "fail" => (args["text"].as_str().unwrap_or("failed").to_owned(), true),
            "store_memory" | "create_entities" if self.flags.has("--errors-as-text") => {
                ("Error: the disk is full (not really)".to_owned(), false)
            }
            tool if self.flags.has("--npm") => self.know(tool, args),
            tool => self.remember(tool, args),
        };
        self.answer(&id, &json!({"content": [{"type": "text", "text": text}], "isError": is_error}), out);
    }

    fn remember(&self, tool: &str, args: &Value) -> (String, bool) {
        let mut memories = self.memories.lock().unwrap();
        let key = args["key"].as_str().unwrap_or_default().to_owned();
        let answer = match tool {
            "store_memory" => {
                let memory = json!({"id": key, "key": key, "content": args["content"], "tags": args["tags"]});
                if !self.flags.has("--loses") {
                    memories.insert(key.clone(), memory);
                }
                json!({"id": key})
            }
            "get" => memories.get(&key).cloned().unwrap_or(Value::Null),
            // As sloppy as some servers are: tags are not looked at, the client has to.
            "search" => memories.values().map(|memory| json!({"memory": memory, "score": 1.0})).collect(),
            "delete" => json!({"deleted": memories.remove(&key).is_some()}),
            "stats" => json!({"memories": memories.len()}),
            _ => return (format!("unknown tool {tool}"), true),
        };
        (answer.to_string(), false)
    }

    /// As npm's server-memory does: entities by name, found by any part of their text.
    fn know(&self, tool: &str, args: &Value) -> (String, bool) {
        let mut entities = self.memories.lock().unwrap();
        let name = |entity: &Value| entity["name"].as_str().unwrap_or_default().to_owned();
        let found: Vec<Value> = match tool {
            "create_entities" => {
                let new = args["entities"].as_array().cloned().unwrap_or_default();
                for entity in new.iter().filter(|_| !self.flags.has("--loses")) {
                    entities.entry(name(entity)).or_insert_with(|| entity.clone());
                }
                new
            }
            "open_nodes" => {
                let wanted = args["names"].as_array().cloned().unwrap_or_default();
                wanted.iter().filter_map(|name| entities.get(name.as_str()?).cloned()).collect()
            }
            "search_nodes" => {
                let part = args["query"].as_str().unwrap_or_default();
                entities.values().filter(|entity| entity.to_string().contains(part)).cloned().collect()
            }
            _ => return (format!("unknown tool {tool}"), true),
        };
        (json!({"entities": found, "relations": []}).to_string(), false)
    }

    fn answer(&self, id: &Value, result: &Value, out: &Out) {
        if self.flags.has("--id-last") {
            out.write_line(&format!("{{\"result\":{result},\"jsonrpc\":\"2.0\",\"id\":{id}}}"));
        } else {
            out.write_line(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}"));
        }
    }
}

fn tools(flags: &Flags, one_more: bool) -> Value {
    let mut names = vec!["echo", "fail", "sleep"];
    match flags.has("--npm") {
        true => names.extend(["create_entities", "open_nodes", "search_nodes"]),
        false => names.extend(["store_memory", "get", "search", "delete", "stats"]),
    }
    names.extend(one_more.then_some("late"));
    let tool = |name: &&str| {
        let reads = ["echo", "sleep", "get", "search", "stats"].contains(name);
        let hints = json!({"readOnlyHint": reads});
        json!({"name": name, "description": format!("fake {name}"), "inputSchema": {"type": "object"}, "annotations": hints})
    };
    let tools: Vec<Value> = names.iter().map(tool).collect();
    json!({ "tools": tools })
}

fn forever() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3_600));
    }
}
