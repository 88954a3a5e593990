//! `dicast mcp serve`, spoken to line by line: every line on its stdout is JSON-RPC, every tool answers, a run that is
//! cancelled or abandoned leaves nothing.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test stands outside: it starts programs and reads the process table"
)]

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "support/pty/mod.rs"]
mod pty;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use pty::repo::{FIRST, FakeAgent, QUIET_PANEL, Repo, SECOND};
use pty::{PATIENCE, processes};

const BINARY: &str = env!("CARGO_BIN_EXE_dicast");

const HANGING: &[FakeAgent<'static>] = &[("ann", &[]), ("bob", &["--hang"]), ("cyd", &["--hang", "--ignore-term"])];

/// A client that knows nothing but lines of JSON.
struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: mpsc::Receiver<Value>,
    /// What came while something else was waited for.
    heard: Vec<Value>,
    asked: u64,
}

impl Client {
    fn start(repo: &Repo) -> Self {
        Self::of(repo.headless(&["mcp", "serve"]))
    }

    fn of(mut command: std::process::Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let stdout = child.stdout.take().expect("its stdout");
        let (tell, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let value: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
                assert_eq!(value["jsonrpc"], "2.0", "{line}");
                if tell.send(value).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        let mut client = Self { child, stdin, lines, heard: Vec::new(), asked: 0 };
        let hello = client.ask(
            "initialize",
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}),
        );
        assert_eq!(hello["result"]["serverInfo"]["name"], "dicast", "{hello}");
        client.notify("notifications/initialized", json!({}));
        client
    }

    fn write(&mut self, value: &Value) {
        writeln!(self.stdin.as_mut().expect("an open stdin"), "{value}").expect("it reads");
    }

    fn notify(&mut self, method: &str, params: Value) {
        self.write(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn send(&mut self, method: &str, params: Value) -> u64 {
        self.asked += 1;
        let id = self.asked;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// Waits for a line.
    fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).unwrap_or_else(|e| panic!("{what}: {e}; heard {:?}", self.heard));
            if is_it(&line) {
                return line;
            }
            self.heard.push(line);
        }
    }

    fn answer(&mut self, id: u64) -> Value {
        self.wait("an answer", |line| line["id"] == id)
    }

    fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    fn call_params(tool: &str, args: Value) -> Value {
        json!({"name": tool, "arguments": args, "_meta": {"progressToken": tool}})
    }

    fn call(&mut self, tool: &str, args: Value) -> Value {
        self.ask("tools/call", Self::call_params(tool, args))["result"].clone()
    }

    /// Calls a tool that must not fail; returns its object.
    fn result(&mut self, tool: &str, args: Value) -> Value {
        let result = self.call(tool, args);
        assert_ne!(result["isError"], true, "{tool}: {result}");
        // Clients that know no structured results read the same as text.
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().expect("text")).expect("JSON");
        assert_eq!(text, result["structuredContent"]);
        text
    }

    /// Calls a tool that must fail; returns the reason and the next step.
    fn error(&mut self, tool: &str, args: Value) -> String {
        let result = self.call(tool, args);
        assert_eq!(result["isError"], true, "{tool}: {result}");
        result["content"][0]["text"].as_str().expect("text").to_owned()
    }

    /// Starts a stage and waits until an agent that hangs was started.
    fn start_hanging(&mut self, spec: &str) -> u64 {
        let id = self.send("tools/call", Self::call_params("run_stage", json!({"spec": spec, "stage": "plan"})));
        self.wait("cyd starts", |line| {
            line["params"]["message"].as_str().is_some_and(|message| message.contains("cyd: started"))
        });
        id
    }

    fn hang_up(&mut self) {
        self.stdin = None;
    }

    fn ends(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("it does not end");
    }

    fn owns(&self) -> Vec<String> {
        processes::owned_by(self.child.id())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Ours by its handle; gone already where the test ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_tool_has_a_schema_and_says_what_it_does() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let mut client = Client::start(&repo);
    let tools = client.ask("tools/list", json!({}))["result"]["tools"].clone();
    let tools = tools.as_array().expect("a list");
    let mut names: Vec<&str> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["check", "explain", "get_verdict", "list_dissent", "list_specs", "run_stage"]);
    for tool in tools {
        assert!(tool["description"].as_str().is_some_and(|text| text.len() > 40), "{tool}");
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["annotations"]["readOnlyHint"], tool["name"] != "run_stage", "{tool}");
    }
    let run = tools.iter().find(|tool| tool["name"] == "run_stage").expect("run_stage");
    assert_eq!(run["inputSchema"]["required"], json!(["spec", "stage"]));
    assert!(run["inputSchema"].to_string().contains("\"validate\""), "the stages are listed: {run}");
}

#[test]
fn a_secret_in_the_words_of_a_spec_is_told_to_no_client() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let spec = format!("specs/{FIRST}/spec.md");
    repo.write(&spec, &repo.read(&spec).expect("a spec").replace("Greeter", "open-sesame-42"));
    let mut command = repo.headless(&["mcp", "serve"]);
    command.env("MY_PASSPHRASE", "open-sesame-42").env("DICAST_EVIDENCE__REDACT_ENV", "[\"MY_PASSPHRASE\"]");
    let mut client = Client::of(command);
    let checked = client.result("check", json!({"spec": FIRST}));
    assert_eq!(checked["specs"][0]["title"], "[redacted]", "{checked}");
    assert!(!checked.to_string().contains("open-sesame"), "{checked}");
    let refused = client.error("get_verdict", json!({"spec": "open-sesame-42", "stage": "plan"}));
    assert!(refused.contains("[redacted]"), "{refused}");
}

#[test]
fn a_stage_is_run_with_progress_and_can_then_be_asked_about_and_read() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let mut client = Client::start(&repo);
    let ran = client.result("run_stage", json!({"spec": "001", "stage": "plan"}));
    let progress: Vec<&Value> = client
        .heard
        .iter()
        .filter(|line| line["method"] == "notifications/progress")
        .map(|line| &line["params"])
        .collect();
    assert!(progress.len() > 4, "{:?}", client.heard);
    let numbers: Vec<f64> = progress.iter().filter_map(|params| params["progress"].as_f64()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    assert!(progress.iter().all(|params| params["progressToken"] == "run_stage"));
    assert!(
        progress.iter().any(|params| params["message"].as_str().is_some_and(|text| text.contains("ann: answered")))
    );
    let recorded = repo.verdict_hash(FIRST).expect("a verdict");
    assert_eq!(ran["verdicts"][0]["hash"], recorded.as_str(), "{ran}");
    // With its last run the server has no children any more.
    assert_eq!(client.owns(), Vec::<String>::new());

    let verdict = client.result("get_verdict", json!({"spec": FIRST, "stage": "plan"}));
    assert_eq!((&verdict["hash"], &verdict["current"]), (&recorded.as_str().into(), &true.into()));
    let explained = client.result("explain", json!({"spec": FIRST, "stage": "plan", "claim": "FR-001"}));
    assert_eq!(explained["claim"]["subject"], "FR-001", "{explained}");
    let specs = client.result("list_specs", json!({}))["specs"].clone();
    assert_eq!((&specs[0]["spec_id"], &specs[1]["spec_id"]), (&FIRST.into(), &SECOND.into()));
    assert_eq!(specs[0]["verdicts"][0]["hash"], recorded.as_str());
    assert!(client.result("check", json!({"spec": FIRST}))["specs"][0]["traces"].is_array());
    assert!(client.result("list_dissent", json!({"spec": FIRST}))["dissents"].is_array());

    let listed = client.ask("resources/list", json!({}))["result"]["resources"].clone();
    let uris: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|one| one["uri"].as_str()).collect();
    assert_eq!(uris.len(), 2, "{listed}");
    let read = |client: &mut Client, uri: &str| client.ask("resources/read", json!({"uri": uri}));
    let text = |answer: Value| answer["result"]["contents"][0]["text"].as_str().expect("text").to_owned();
    assert_eq!(uris[0], format!("dicast://verdict/{FIRST}/plan"));
    assert!(text(read(&mut client, uris[0])).contains(&recorded));
    let journal = text(read(&mut client, uris[1]));
    let records: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let panel = records.iter().find_map(|line| line["record"]["panel"]["path"].as_str()).expect("a panel");
    assert!(text(read(&mut client, &format!("{}/{panel}", uris[1]))).contains("dicast.panel/1"));
    for missing in ["manifest.json", "../../../../../etc/passwd", "panels/../journal.jsonl", "/etc/passwd"] {
        let answer = read(&mut client, &format!("{}/{missing}", uris[1]));
        assert_eq!(answer["error"]["code"], -32002, "{missing}: {answer}");
    }
    assert_eq!(read(&mut client, "file:///etc/passwd")["error"]["code"], -32002);
    let templates = client.ask("resources/templates/list", json!({}))["result"]["resourceTemplates"].clone();
    assert_eq!(templates.as_array().map(Vec::len), Some(3));
    client.hang_up();
    assert_eq!(client.ends().code(), Some(0));
}

#[test]
fn a_cancelled_call_stops_its_run_and_the_same_call_goes_on_with_what_was_kept() {
    let repo = Repo::with_panel(BINARY, HANGING);
    let mut client = Client::start(&repo);
    let id = client.start_hanging(FIRST);
    assert!(!client.owns().is_empty());
    let is_kept =
        |line: &Value| line["params"]["message"].as_str().is_some_and(|said| said.starts_with("ann: answered"));
    if !client.heard.iter().any(is_kept) {
        client.wait("ann answers", is_kept);
    }
    client.notify("notifications/cancelled", json!({"requestId": id, "reason": "enough"}));
    // The end of the run comes as progress, or not at all: a cancelled call has no answer that counts.
    let deadline = Instant::now() + PATIENCE;
    while !client.owns().is_empty() {
        assert!(Instant::now() < deadline, "left: {:?}", client.owns());
        std::thread::sleep(Duration::from_millis(10));
    }
    client.heard.clear();
    client.start_hanging(FIRST);
    let told = format!("{:?}", client.heard);
    assert!(!told.contains("ann: started"), "finished answers are kept: {told}");
}

#[test]
fn a_client_that_goes_and_a_signal_end_the_server_and_everything_it_started() {
    for by_signal in [false, true] {
        let repo = Repo::with_panel(BINARY, HANGING);
        let mut client = Client::start(&repo);
        client.start_hanging(FIRST);
        let pid = client.child.id();
        if by_signal {
            processes::send(pid, Signal::TERM)
        } else {
            client.hang_up()
        }
        let status = client.ends();
        assert_eq!(status.code(), Some(if by_signal { 143 } else { 0 }));
        assert_eq!(processes::owned_by(pid), Vec::<String>::new());
        let verified = repo.run(&["evidence", "verify"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    }
}

#[test]
fn what_cannot_be_done_is_an_error_with_the_next_step() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let mut client = Client::start(&repo);
    let error = client.error("get_verdict", json!({"spec": FIRST, "stage": "plan"}));
    assert!(error.contains("no verdict is recorded") && error.contains("next: run `dicast plan"), "{error}");
    let error = client.error("run_stage", json!({"spec": "009", "stage": "plan"}));
    assert!(error.contains(FIRST), "what there is is listed: {error}");
    let error = client.error("run_stage", json!({"spec": FIRST, "stage": "tasks"}));
    assert!(error.contains("plan"), "{error}");
    let error = client.error("run_stage", json!({"spec": FIRST, "stage": "plan", "range": "HEAD~1..HEAD"}));
    assert!(error.contains("only audit judges a range"), "{error}");
    let error = client.error("run_stage", json!({"spec": FIRST, "stage": "lunch"}));
    assert!(error.contains("lunch") && error.contains("validate"), "{error}");
    let answer = client.ask("tools/call", json!({"name": "no_such_tool"}));
    assert!(answer["error"]["code"].is_i64(), "{answer}");
}

#[test]
fn a_held_spec_is_refused_naming_its_owner() {
    let repo = Repo::with_panel(BINARY, HANGING);
    let (mut first, mut second) = (Client::start(&repo), Client::start(&repo));
    first.start_hanging(FIRST);
    let error = second.error("run_stage", json!({"spec": FIRST, "stage": "plan"}));
    assert!(error.contains(&format!("held by pid {}", first.child.id())), "{error}");
    let error = first.error("run_stage", json!({"spec": FIRST, "stage": "plan"}));
    assert!(error.contains("is live already"), "{error}");
}

#[test]
fn without_approval_everything_works_but_running_and_approving_helps_at_once() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let command = repo.headless(&[]);
    // Without `--config` the project's own counts, and nobody has approved it.
    let (program, env): (_, Vec<_>) = (command.get_program().to_owned(), {
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
    });
    let bare = |args: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.args(args).current_dir(repo.path()).env_clear().envs(env.clone());
        command
    };
    let mut client = Client::of(bare(&["mcp", "serve"]));
    assert!(client.result("list_specs", json!({}))["specs"].is_array());
    let error = client.error("run_stage", json!({"spec": FIRST, "stage": "plan"}));
    assert!(error.contains("dicast trust approve"), "{error}");
    assert!(bare(&["trust", "approve"]).output().expect("it runs").status.success());
    client.result("run_stage", json!({"spec": FIRST, "stage": "plan"}));
    assert!(repo.verdict_hash(FIRST).is_some());
}

/// A server behind a door, and requests to it written by hand.
struct Door {
    child: Child,
    address: String,
}

/// Long enough to guard a door.
const TOKEN: &str = "a-token-for-a-test-only";

const HELLO: &str = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;

impl Door {
    fn start(repo: &Repo, token: Option<&str>) -> Self {
        Self::at(repo, "127.0.0.1:0", &[], token)
    }

    fn at(repo: &Repo, address: &str, more: &[&str], token: Option<&str>) -> Self {
        let mut command = repo.headless(&[&["mcp", "serve", "--http", address][..], more].concat());
        if let Some(token) = token {
            command.env("DICAST_MCP_TOKEN", token);
        }
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stderr.take().expect("stderr")).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("serving MCP on http://").and_then(|url| url.strip_suffix("/mcp"));
        Self { child, address: address.unwrap_or_else(|| panic!("no address: {line}")).to_owned() }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Sends a request; returns the stream of its answer.
    fn send(&self, method: &str, path: &str, host: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = self.connect();
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        // One that is refused early may close before it has read everything.
        let _ = stream.write_all(format!("{text}\r\n{body}").as_bytes());
        stream
    }

    /// Opens a session; returns its id.
    fn session(&self) -> String {
        let (status, answer) = self.post("/mcp", "localhost", &[], HELLO);
        assert_eq!(status, 200, "{answer}");
        answer.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).expect("a session").to_owned()
    }

    /// Sends a request; returns the status and what came until the first pause or the end.
    fn post(&self, path: &str, host: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = self.send("POST", path, host, headers, body);
        let mut head = [0; 2_048];
        let read = stream.read(&mut head).expect("an answer");
        let answer = String::from_utf8_lossy(&head[..read]).into_owned();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{answer}"));
        (status, answer)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        // Ours by its handle; gone already where the test ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_door_opens_to_its_own_names_and_to_no_page_of_a_browser() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let door = Door::start(&repo, None);
    let post = |path: &str, host: &str, headers: &[(&str, &str)]| door.post(path, host, headers, HELLO).0;
    assert_eq!(post("/mcp", &door.address, &[]), 200);
    assert_eq!(post("/mcp", "localhost", &[]), 200);
    assert_eq!(post("/mcp", "evil.example", &[]), 403);
    assert_eq!(post("/mcp", "127.0.0.1.evil.example", &[]), 403);
    assert_eq!(post("/mcp", "localhost", &[("Origin", "http://evil.example")]), 403);
    assert_eq!(post("/mcp", "localhost", &[("Origin", "null")]), 403);
    assert_eq!(post("/", "localhost", &[]), 404);
    assert_eq!(post("/mcp/x", "localhost", &[]), 404);
    let huge = format!("{}{}", " ".repeat(2 << 20), HELLO);
    assert_eq!(door.post("/mcp", "localhost", &[], &huge).0, 413);
}

#[test]
fn a_door_with_a_token_opens_to_that_token_only() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let door = Door::start(&repo, Some(TOKEN));
    let post = |value: Option<&str>| {
        let headers: Vec<(&str, &str)> = value.map(|value| ("Authorization", value)).into_iter().collect();
        door.post("/mcp", "localhost", &headers, HELLO)
    };
    let (status, answer) = post(None);
    assert!(status == 401 && answer.to_lowercase().contains("www-authenticate: bearer"), "{answer}");
    assert_eq!(post(Some("Bearer nearly")).0, 401);
    assert_eq!(post(Some(&format!("Bearer {TOKEN}x"))).0, 401);
    assert_eq!(post(Some(&format!("Bearer {TOKEN}"))).0, 200);
}

#[test]
fn beyond_this_machine_nothing_is_served_without_a_token() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    for token in [None, Some("short")] {
        let mut command = repo.headless(&["mcp", "serve", "--http", "0.0.0.0:0"]);
        if let Some(token) = token {
            command.env("DICAST_MCP_TOKEN", token);
        }
        let said = command.output().expect("it runs");
        let err = String::from_utf8_lossy(&said.stderr).into_owned();
        assert_eq!(said.status.code(), Some(64), "{err}");
        assert!(err.contains("DICAST_MCP_TOKEN"), "{err}");
    }
}

#[test]
fn beyond_this_machine_a_door_opens_to_the_token_under_its_own_names_only() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let mut door = Door::at(&repo, "0.0.0.0:0", &["--host", "jury.example"], Some(TOKEN));
    let port = door.address.rsplit(':').next().expect("a port").to_owned();
    door.address = format!("127.0.0.1:{port}");
    let bearer = format!("Bearer {TOKEN}");
    let post = |host: &str, headers: &[(&str, &str)]| door.post("/mcp", host, headers, HELLO).0;
    let with = [("Authorization", bearer.as_str())];
    for host in ["jury.example".to_owned(), format!("jury.example:{port}"), "localhost".to_owned()] {
        assert_eq!((post(&host, &with), post(&host, &[])), (200, 401), "{host}");
    }
    // The token does not help a page of a browser that was led here by another name.
    for host in ["evil.example", "jury.example.evil.example"] {
        assert_eq!(post(host, &with), 403, "{host}");
    }
    assert_eq!(post("jury.example", &[with[0], ("Origin", "http://evil.example")]), 403);
}

#[test]
fn sessions_are_counted_and_too_many_are_refused() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let door = Door::start(&repo, None);
    let statuses: Vec<u16> = (0..40).map(|_| door.post("/mcp", "localhost", &[], HELLO).0).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 32, "{statuses:?}");
    assert!(statuses[32..].iter().all(|status| *status == 503), "{statuses:?}");
}

#[test]
fn a_signal_closes_the_door_in_time_whoever_stands_in_it() {
    let repo = Repo::with_panel(BINARY, QUIET_PANEL);
    let mut door = Door::start(&repo, None);
    // One that says nothing, one in the middle of its headers, one with its stream of answers open.
    let mut silent = [door.connect(), door.connect()];
    silent[1].write_all(b"POST /mcp HT").expect("it reads");
    let session = door.session();
    let mut stream = door.send("GET", "/mcp", "localhost", &[("Mcp-Session-Id", &session)], "");
    let mut head = [0; 256];
    assert!(stream.read(&mut head).expect("an answer") > 0);
    processes::send(door.child.id(), Signal::TERM);
    let began = Instant::now();
    let status = door.child.wait().expect("a child");
    assert_eq!(status.code(), Some(143));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn the_end_of_a_session_ends_its_run_and_the_end_of_a_connection_does_not() {
    let repo = Repo::with_panel(BINARY, HANGING);
    let door = Door::start(&repo, None);
    let session = door.session();
    let headers = [("Mcp-Session-Id", session.as_str())];
    let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    assert_eq!(door.post("/mcp", "localhost", &headers, ready).0, 202);
    let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
                      "params": Client::call_params("run_stage", json!({"spec": FIRST, "stage": "plan"}))});
    let stream = door.send("POST", "/mcp", "localhost", &headers, &call.to_string());
    let mut lines = BufReader::new(stream).lines();
    let mut read = Vec::new();
    while !read.last().is_some_and(|line: &String| line.contains("cyd: started")) {
        read.push(lines.next().unwrap_or_else(|| panic!("{read:#?}")).expect("a line"));
    }
    let owned = || processes::owned_by(door.child.id());
    // Whoever lost a connection may come back for the answer.
    drop(lines);
    assert_eq!(door.post("/mcp", "localhost", &headers, ready).0, 202);
    assert!(!owned().is_empty());
    let mut ended = door.send("DELETE", "/mcp", "localhost", &headers, "");
    let mut head = [0; 64];
    assert!(ended.read(&mut head).expect("an answer") > 0);
    let deadline = Instant::now() + PATIENCE;
    while !owned().is_empty() {
        assert!(Instant::now() < deadline, "left: {:?}", owned());
        std::thread::sleep(Duration::from_millis(10));
    }
}
