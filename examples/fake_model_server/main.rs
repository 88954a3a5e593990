//! A model server that is none: speaks the Anthropic Messages, OpenAI Responses, OpenAI Chat and Gemini APIs on the
//! loopback interface, says what a script tells it for each model, or misbehaves as told. For tests only; the product
//! does not know it.
//!
//! ```text
//! fake_model_server --script FILE [--log FILE] [--port N]
//! ```
//!
//! It prints `http://127.0.0.1:PORT` and serves until it is killed or its stdin ends. The script is one JSON object:
//! the name of a model → a [`Reply`](script::Reply); `"*"` answers for the others. Each request is one line of the log.

#![expect(clippy::disallowed_methods, reason = "a program of its own may sleep, and read and write files")]

mod anthropic;
mod gemini;
mod http;
mod openai;
mod script;
#[path = "../sensible/mod.rs"]
mod sensible;
mod voice;

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use http::{Request, Response};
use script::{Fault, Reply, Script};
use voice::{Api, Asked, Say};

/// How long a hang lasts at most, should a test lose this program.
const FOREVER: Duration = Duration::from_secs(300);

struct Server {
    script: Script,
    log: Mutex<Option<File>>,
}

fn main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "fake_model_server: {error}");
            ExitCode::from(70)
        }
    }
}

fn serve() -> io::Result<()> {
    let (mut script, mut log, mut port) = (None, None, 0);
    let mut args = std::env::args().skip(1);
    while let Some(flag) = args.next() {
        let value = args.next().ok_or_else(|| io::Error::other(format!("{flag} needs a value")))?;
        match flag.as_str() {
            "--script" => script = Some(Script::read(&std::fs::read_to_string(value)?)?),
            "--log" => log = Some(OpenOptions::new().create(true).append(true).open(value)?),
            "--port" => port = value.parse().map_err(io::Error::other)?,
            other => return Err(io::Error::other(format!("unknown flag {other}"))),
        }
    }
    let script = script.ok_or_else(|| io::Error::other("--script is missing"))?;
    let server = Arc::new(Server { script, log: Mutex::new(log) });
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    let mut out = io::stdout();
    writeln!(out, "http://{}", listener.local_addr()?)?;
    out.flush()?;
    // Whoever started us holds our stdin: nobody there, nothing to serve.
    thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        let (stream, server) = (stream?, Arc::clone(&server));
        thread::spawn(move || {
            // A client that goes away in the middle is what many tests are about.
            let _ = server.answer(stream);
        });
    }
    Ok(())
}

impl Server {
    fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let (request, mut response) = http::accept(stream)?;
        let Some((api, asked)) = understood(&request) else {
            return response.whole(404, &[], &json!({"error": {"message": "there is no such place here"}}));
        };
        self.note(&request, &asked)?;
        let Some(reply) = self.script.reply(&asked.model) else {
            return response.whole(404, &[], &api.error(404, &format!("there is no model {}", asked.model)));
        };
        match reply.fault.as_ref().filter(|_| reply.is_faulty_now()) {
            Some(fault) => fail(fault, api, &asked, reply, &mut response),
            None => speak(api, &asked, reply, &mut response, usize::MAX).map(drop),
        }
    }

    fn note(&self, request: &Request, asked: &Asked) -> io::Result<()> {
        let line = json!({
            "path": request.path, "model": asked.model, "stream": asked.stream, "tools": asked.tools,
            "has_key": request.has_key(), "prompt_bytes": asked.prompt.len(), "after_tool": asked.after_tool,
            "body": request.body,
        });
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.as_mut().map_or(Ok(()), |log| writeln!(log, "{line}"))
    }
}

/// Which API a request speaks, and what it asks.
fn understood(request: &Request) -> Option<(Api, Asked)> {
    let path = request.path.split('?').next().unwrap_or_default();
    if path.ends_with("/messages/count_tokens") {
        return Some((Api::CountTokens, anthropic::asked(&request.body)));
    }
    if path.ends_with("/messages") {
        return Some((Api::Anthropic, anthropic::asked(&request.body)));
    }
    if path.ends_with("/responses") && request.method == "POST" {
        return Some((Api::Responses, openai::responses_asked(&request.body)));
    }
    if path.ends_with("/chat/completions") {
        return Some((Api::Chat, openai::chat_asked(&request.body)));
    }
    let (model, verb) = path.rsplit_once("/models/")?.1.split_once(':')?;
    Some((Api::Gemini, gemini::asked(model, verb, &request.body)))
}

/// Says what the script says: the head at once, then piece by piece. `most` cuts it short after so many pieces; returns
/// whether the end was said.
fn speak(api: Api, asked: &Asked, reply: &Reply, response: &mut Response, most: usize) -> io::Result<bool> {
    thread::sleep(Duration::from_millis(reply.first_delay_ms));
    let say = Say::of(asked, reply);
    if !asked.stream || api == Api::CountTokens {
        response.whole(200, &[], &api.whole(asked, &say, &reply.usage))?;
        return Ok(true);
    }
    response.begin_events()?;
    let frames = api.frames(asked, &say, &reply.usage, reply.pieces.max(1));
    let count = frames.len();
    for frame in frames.into_iter().take(most) {
        response.event(&frame)?;
        thread::sleep(Duration::from_millis(reply.delay_ms));
    }
    if most < count {
        return Ok(false);
    }
    response.end()?;
    Ok(true)
}

/// Frames that are sent before an answer breaks off: enough that some text was said.
const HALF: usize = 5;

fn fail(fault: &Fault, api: Api, asked: &Asked, reply: &Reply, response: &mut Response) -> io::Result<()> {
    match fault {
        Fault::Status { status, retry_after, message } => {
            let seconds = retry_after.map(|seconds| seconds.to_string());
            let headers: Vec<(&str, &str)> = seconds.iter().map(|seconds| ("retry-after", seconds.as_str())).collect();
            let words = message.as_deref().unwrap_or("the script says so");
            response.whole(*status, &headers, &api.error(*status, words))
        }
        Fault::Disconnect => Ok(()),
        Fault::Hang => {
            thread::sleep(FOREVER);
            Ok(())
        }
        Fault::DisconnectMid => speak(api, asked, reply, response, HALF).map(drop),
        Fault::HangMid => {
            speak(api, asked, reply, response, HALF)?;
            thread::sleep(FOREVER);
            Ok(())
        }
        Fault::Garbage => response.garbage(),
    }
}

/// Reads a text that may be a plain string or a list of parts with a `text` each.
fn texts(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}
