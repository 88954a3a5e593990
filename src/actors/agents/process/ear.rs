//! One output of a child, read piece by piece and never faster than is of use.
//!
//! It must not know what the bytes mean.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep_until};

use super::capture::Capture;

/// Room for one read: what a pipe holds on Linux.
pub(super) const CHUNK: usize = 64 << 10;

/// Least time between two reads of a stream. Bounds the wake-ups that a child can cause (200 a second) however small
/// its writes are.
const PACE: Duration = Duration::from_millis(5);

/// A stream that has written this much is a flood, and is read at the slower pace: no real answer is as long.
pub(super) const FLOOD: u64 = 8 << 20;

/// Least time between two reads of a flood: 3 MiB a second at most, the rest waits in the child.
pub(super) const FLOOD_PACE: Duration = Duration::from_millis(20);

/// One output of a child, read at a bounded pace.
#[derive(Debug)]
pub(in crate::actors::agents) struct Ear<R> {
    stream: Option<R>,
    room: Vec<u8>,
    pub(super) ready: Instant,
    /// What was kept of it.
    pub(in crate::actors::agents) capture: Capture,
}

impl<R: AsyncRead + Unpin> Ear<R> {
    /// Makes the ear of a stream.
    pub(in crate::actors::agents) fn new(stream: Option<R>, capture: Capture) -> Self {
        Self { stream, room: vec![0; CHUNK], ready: Instant::now(), capture }
    }

    /// Tells whether more may come.
    pub(in crate::actors::agents) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Waits until the pace allows it, then as [`Ear::hear_now`].
    pub(in crate::actors::agents) async fn hear(&mut self) -> usize {
        sleep_until(self.ready).await;
        self.hear_now().await
    }

    /// Waits for the next piece and returns its length, 0 at the end. Nothing is lost when it is dropped half-way.
    pub(in crate::actors::agents) async fn hear_now(&mut self) -> usize {
        let Some(stream) = &mut self.stream else { return 0 };
        let length = stream.read(&mut self.room).await.unwrap_or(0);
        if length == 0 {
            self.stream = None;
        }
        self.ready = Instant::now() + if self.capture.bytes() < FLOOD { PACE } else { FLOOD_PACE };
        length
    }

    /// Returns the piece that was just heard, and keeps it.
    pub(in crate::actors::agents) fn take(&mut self, length: usize) -> &[u8] {
        let piece = &self.room[..length];
        self.capture.take(piece);
        piece
    }
}
