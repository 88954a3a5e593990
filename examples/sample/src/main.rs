//! Owns the socket and the clock.

use std::fs::OpenOptions;
use std::io::{self, BufReader};
use std::net::TcpListener;
use std::time::Instant;

use pantry::audit::AuditLog;
use pantry::http::{read_request, write_response, Service};
use pantry::limiter::{Limits, RateLimiter};
use pantry::store::Store;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7070".into());
    let log = OpenOptions::new().create(true).append(true).open("audit.log")?;
    let mut service = Service {
        store: Store::default(),
        limiter: RateLimiter::new(Limits::default()),
        audit: AuditLog::new(log),
    };
    let started = Instant::now();
    for stream in TcpListener::bind(address)?.incoming() {
        let mut stream = BufReader::new(stream?);
        // A client that breaks off hurts nobody else.
        if let Ok(request) = read_request(&mut stream) {
            let response = service.respond(&request, started.elapsed());
            let _ = write_response(stream.get_mut(), &response);
        }
    }
    Ok(())
}
