//! Requests in, answers out; no socket and no clock.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use crate::audit::AuditLog;
use crate::limiter::{Decision, RateLimiter};
use crate::store::{Store, StoreError, VALUE_MAX};

/// A request, as far as we care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub api_key: String,
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub retry_after_s: Option<u64>,
    pub body: Vec<u8>,
}

impl Response {
    fn of(status: u16) -> Self {
        Self { status, retry_after_s: None, body: Vec::new() }
    }
}

/// Everything that answers a request.
pub struct Service<W> {
    pub store: Store,
    pub limiter: RateLimiter,
    pub audit: AuditLog<W>,
}

impl<W: Write> Service<W> {
    /// Answers one request at `now`.
    pub fn respond(&mut self, request: &Request, now: Duration) -> Response {
        if let Decision::Refused { retry_after } = self.limiter.allow(&request.api_key, now) {
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            return Response { retry_after_s: Some(seconds), ..Response::of(429) };
        }
        let Some(key) = request.path.strip_prefix("/keys/") else { return Response::of(404) };
        match request.method.as_str() {
            "GET" => match self.store.get(key) {
                Some(value) => Response { body: value.to_vec(), ..Response::of(200) },
                None => Response::of(404),
            },
            "PUT" => match self.store.put(key, &request.body) {
                Ok(is_new) => self.recorded(now, "put", key, request.body.len(), if is_new { 201 } else { 204 }),
                Err(StoreError::BadKey) => Response::of(400),
                Err(StoreError::TooLarge) => Response::of(413),
            },
            "DELETE" if self.store.delete(key) => self.recorded(now, "delete", key, 0, 204),
            "DELETE" => Response::of(404),
            _ => Response::of(405),
        }
    }

    fn recorded(&mut self, now: Duration, verb: &str, key: &str, bytes: usize, status: u16) -> Response {
        match self.audit.record(now, verb, key, bytes) {
            Ok(()) => Response::of(status),
            Err(_) => Response::of(500),
        }
    }
}

/// Reads one request. A body over [`VALUE_MAX`] is read one byte too far and no further.
pub fn read_request(stream: &mut impl BufRead) -> io::Result<Request> {
    let mut first = String::new();
    stream.read_line(&mut first)?;
    let mut words = first.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let (mut api_key, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else { continue };
        match name.to_ascii_lowercase().as_str() {
            "x-api-key" => api_key = value.trim().to_owned(),
            "content-length" => length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut body = vec![0; usize::min(length, VALUE_MAX + 1)];
    stream.read_exact(&mut body)?;
    Ok(Request { method, path, api_key, body })
}

/// Writes one answer and asks for the connection to be closed.
pub fn write_response(stream: &mut impl Write, response: &Response) -> io::Result<()> {
    write!(stream, "HTTP/1.1 {} -\r\nContent-Length: {}\r\n", response.status, response.body.len())?;
    if let Some(seconds) = response.retry_after_s {
        write!(stream, "Retry-After: {seconds}\r\n")?;
    }
    stream.write_all(b"Connection: close\r\n\r\n")?;
    stream.write_all(&response.body)
}
