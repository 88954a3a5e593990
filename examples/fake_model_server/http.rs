//! Just enough HTTP/1.1: one request a connection, an answer in one piece or as server-sent events.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

/// Largest body taken, in bytes: a prompt of a megabyte with everything that a client wraps around it.
const BODY_MAX: usize = 64 << 20;

/// A request.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    /// Its body as JSON; null if it is none.
    pub(crate) body: Value,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Tells whether it carries a key, in any of the ways that the APIs know.
    pub(crate) fn has_key(&self) -> bool {
        ["authorization", "x-api-key", "x-goog-api-key"].iter().any(|name| self.header(name).is_some())
    }
}

/// Reads a request.
pub(crate) fn accept(stream: TcpStream) -> io::Result<(Request, Response)> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut request = Request { method, path, headers: Vec::new(), body: Value::Null };
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let mut response = Response { stream };
    if request.header("expect").is_some() {
        response.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let body = match request.header("content-length").and_then(|length| length.parse().ok()) {
        Some(length) if length <= BODY_MAX => sized(&mut reader, length)?,
        Some(_) => return Err(io::ErrorKind::InvalidData.into()),
        None if request.header("transfer-encoding").is_some() => chunked(&mut reader)?,
        None => Vec::new(),
    };
    request.body = serde_json::from_slice(&body).unwrap_or_default();
    Ok((request, response))
}

fn sized(reader: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn chunked(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let length = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
        if body.len() + length > BODY_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        body.extend(sized(reader, length)?);
        reader.read_line(&mut line)?;
        if length == 0 {
            return Ok(body);
        }
    }
}

/// The way back.
pub(crate) struct Response {
    stream: TcpStream,
}

impl Response {
    /// Answers in one piece.
    pub(crate) fn whole(&mut self, status: u16, headers: &[(&str, &str)], body: &Value) -> io::Result<()> {
        let body = body.to_string();
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(
            self.stream,
            "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{more}connection: \
             close\r\n\r\n{body}",
            body.len()
        )
    }

    /// Begins a stream of events. Chunked, so that a client can tell a broken stream from one that ended.
    pub(crate) fn begin_events(&mut self) -> io::Result<()> {
        self.stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        )
    }

    /// Sends one piece of the stream.
    pub(crate) fn event(&mut self, frame: &str) -> io::Result<()> {
        write!(self.stream, "{:x}\r\n{frame}\r\n", frame.len())?;
        self.stream.flush()
    }

    /// Ends the stream well.
    pub(crate) fn end(&mut self) -> io::Result<()> {
        self.stream.write_all(b"0\r\n\r\n")
    }

    /// Sends what is no HTTP.
    pub(crate) fn garbage(&mut self) -> io::Result<()> {
        let noise: Vec<u8> = (0..512u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        self.stream.write_all(&noise)
    }
}
