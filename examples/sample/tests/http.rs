//! Requests and their answers. 001-key-value-store.

use std::time::Duration;

use pantry::audit::AuditLog;
use pantry::http::{read_request, write_response, Request, Response, Service};
use pantry::limiter::{Limits, RateLimiter};
use pantry::store::Store;

fn service() -> Service<Vec<u8>> {
    Service {
        store: Store::default(),
        limiter: RateLimiter::new(Limits::default()),
        audit: AuditLog::new(Vec::new()),
    }
}

fn request(method: &str, path: &str, body: &[u8]) -> Request {
    Request { method: method.into(), path: path.into(), api_key: "me".into(), body: body.to_vec() }
}

#[test]
fn unknown_keys_answer_404() {
    // FR-005
    let mut service = service();
    for method in ["GET", "DELETE"] {
        assert_eq!(service.respond(&request(method, "/keys/none", b""), Duration::ZERO).status, 404);
    }
    assert_eq!(service.respond(&request("GET", "/elsewhere", b""), Duration::ZERO).status, 404);
}

#[test]
fn values_that_are_too_large_answer_413() {
    // FR-004
    let answer = service().respond(&request("PUT", "/keys/k", &[0; 65_537]), Duration::ZERO);
    assert_eq!(answer.status, 413);
}

#[test]
fn a_request_is_read_from_its_bytes_and_an_answer_written_to_bytes() {
    // FR-006
    let mut bytes = &b"PUT /keys/a HTTP/1.1\r\nX-Api-Key: me\r\nContent-Length: 5\r\n\r\nflour"[..];
    assert_eq!(read_request(&mut bytes).unwrap(), request("PUT", "/keys/a", b"flour"));
    let mut out = Vec::new();
    let answer = Response { status: 429, retry_after_s: Some(1), body: vec![] };
    write_response(&mut out, &answer).unwrap();
    assert_eq!(out, b"HTTP/1.1 429 -\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n");
}

#[test]
fn a_write_leaves_a_line_without_its_value() {
    let mut service = service();
    service.respond(&request("PUT", "/keys/a\tb", b"secret"), Duration::from_millis(7));
    assert_eq!(service.audit.into_inner(), b"7 put a_b 6\n");
}
