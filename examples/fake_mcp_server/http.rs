//! Streamable HTTP by hand: one request per connection, one thread each.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::flags::Flags;
use super::{Fake, Out};

/// Serves on a port that the system chooses (or `--port`), whose address is the only line on stdout.
pub(crate) fn serve(flags: &Flags) {
    let port = flags.number("--port").unwrap_or_default();
    let listener = TcpListener::bind(("127.0.0.1", u16::try_from(port).unwrap())).unwrap();
    Out::Stdout.write_line(&format!("http://{}/mcp", listener.local_addr().unwrap()));
    let fake = Fake::new(flags);
    // The number of the session that is valid now, and the calls in all sessions.
    let (session, calls) = (Arc::new(AtomicU64::new(1)), Arc::new(AtomicU64::new(0)));
    for stream in listener.incoming() {
        let (fake, session, calls) = (fake.clone(), Arc::clone(&session), Arc::clone(&calls));
        std::thread::spawn(move || Exchange { fake, session, calls }.answer(stream.unwrap()));
    }
}

/// One request and its response.
struct Exchange {
    fake: Fake,
    session: Arc<AtomicU64>,
    calls: Arc<AtomicU64>,
}

impl Exchange {
    fn answer(&self, stream: TcpStream) {
        let flags = &self.fake.flags;
        let Some(request) = Request::read(&stream) else { return };
        let mut response = Response { stream, session: String::new(), is_sse: flags.has("--sse"), begun: false };
        if let Some(token) = flags.value("--need-token")
            && request.header("authorization") != Some(&format!("Bearer {token}"))
        {
            flags.log("401");
            let challenge = if flags.has("--challenge") { "www-authenticate: Bearer\r\n" } else { "" };
            return response.end("401 Unauthorized", challenge, "text/plain", "no");
        }
        if let Some(name) = flags.value("--log-header") {
            flags.log(&format!("header {}", request.header(name).map_or("", String::as_str)));
        }
        if request.method != "POST" {
            flags.log(&request.method);
            let status = if request.method == "GET" { "405 Method Not Allowed" } else { "200 OK" };
            return response.end(status, "", "text/plain", "");
        }
        let message: Value = serde_json::from_slice(&request.body).unwrap();
        let method = message["method"].as_str().unwrap_or_default();
        let valid = self.session.load(Ordering::SeqCst).to_string();
        if method != "initialize" && request.header("mcp-session-id") != Some(&valid) {
            flags.log("404");
            return response.end("404 Not Found", "", "text/plain", "no such session");
        }
        response.session = valid;
        if method == "tools/call" {
            let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
            if flags.number("--lose-session-after") == Some(calls) {
                self.session.fetch_add(1, Ordering::SeqCst);
            }
            if flags.number("--unavailable").is_some_and(|first| calls <= first) {
                return response.end("503 Service Unavailable", "", "text/plain", "later");
            }
        }
        if message["id"].is_null() || method.is_empty() {
            self.fake.hear(&message, &Out::Nowhere);
            return response.end("202 Accepted", "", "text/plain", "");
        }
        self.fake.hear(&message, &Out::Http(Arc::new(Mutex::new(response))));
    }
}

struct Request {
    method: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let method = line.split(' ').next()?.to_owned();
        let mut headers = Vec::new();
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { method, headers, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&String> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }
}

/// The response to a POST that holds a request: its JSON, or events until the connection is closed.
pub(crate) struct Response {
    stream: TcpStream,
    session: String,
    is_sse: bool,
    begun: bool,
}

impl Response {
    /// Writes one message of the protocol. Without events only an answer (it has an id) can be sent.
    pub(crate) fn write_line(&mut self, line: &str) {
        if self.is_sse {
            if !self.begun {
                self.begun = true;
                let head = format!(
                    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nmcp-session-id: {}\r\nconnection: close\r\n\r\n",
                    self.session
                );
                self.send(head.as_bytes());
            }
            self.send(format!("data: {line}\n\n").as_bytes());
        } else if line.contains("\"result\"") && !self.begun {
            self.begun = true;
            let session = format!("mcp-session-id: {}\r\n", self.session);
            self.end("200 OK", &session, "application/json", line);
        }
    }

    /// Breaks off in the middle of an answer.
    pub(crate) fn cut(&mut self) {
        let kind = if self.is_sse { "text/event-stream" } else { "application/json" };
        let start = if self.is_sse { "data: {\"jsonrpc\"" } else { "{\"jsonrpc\"" };
        self.send(format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: 5000\r\n\r\n{start}").as_bytes());
    }

    fn end(&mut self, status: &str, headers: &str, kind: &str, body: &str) {
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n{headers}connection: close\r\n\r\n",
            body.len()
        );
        self.send(head.as_bytes());
        self.send(body.as_bytes());
    }

    fn send(&mut self, bytes: &[u8]) {
        // Whoever hung up does not want it.
        let _ = self.stream.write_all(bytes).and_then(|()| self.stream.flush());
    }
}
