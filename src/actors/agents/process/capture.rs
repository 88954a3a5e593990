//! What is kept of a stream of any length: its start, its end, its length and the hash of the whole.
//!
//! It must not know where the bytes come from.

use sha2::{Digest, Sha256};

use crate::domain::hash::{Sha, hex};
use crate::domain::run::Captured;

/// Bytes kept at each end for the evidence.
pub(in crate::actors::agents) const EVIDENCE_END: usize = 256 << 10;

/// A stream as far as it was kept.
#[derive(Debug, Clone)]
pub struct Capture {
    start: Vec<u8>,
    start_max: usize,
    end: Vec<u8>,
    end_max: usize,
    bytes: u64,
    hash: Sha256,
}

impl Capture {
    /// Makes an empty capture that keeps at most the first `start_max` and the last `end_max` bytes.
    pub fn new(start_max: u64, end_max: u64) -> Self {
        let room = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        Self {
            start: Vec::new(),
            start_max: room(start_max),
            end: Vec::new(),
            end_max: room(end_max),
            bytes: 0,
            hash: Sha256::new(),
        }
    }

    /// Takes the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.hash.update(bytes);
        let (head, rest) = bytes.split_at(bytes.len().min(self.start_max - self.start.len()));
        self.start.extend_from_slice(head);
        self.end.extend_from_slice(rest);
        // Cut only when it has doubled, so that each byte is moved once on average.
        if self.end.len() > self.end_max.saturating_mul(2) {
            self.end.drain(..self.end.len() - self.end_max);
        }
    }

    /// Returns the length of the whole, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns what was kept as text; where something was left out between start and end, a line says how much.
    pub fn text(&self) -> String {
        let end = &self.end[self.end.len().saturating_sub(self.end_max)..];
        joined(&self.start, end, self.bytes)
    }

    /// Returns what the evidence keeps: at most 256 KiB of each end.
    pub fn captured(&self) -> Captured {
        let kept = self.start.len() + self.end.len();
        let whole = u64::try_from(kept).is_ok_and(|kept| kept == self.bytes);
        let text = if whole && kept <= 2 * EVIDENCE_END {
            joined(&self.start, &self.end, self.bytes)
        } else {
            let head = &self.start[..self.start.len().min(EVIDENCE_END)];
            let tail = last(&self.start, &self.end, EVIDENCE_END.min(kept - head.len()));
            joined(head, &tail, self.bytes)
        };
        Captured { text: text.into(), bytes: self.bytes, sha256: Sha(hex(&self.hash.clone().finalize()).into()) }
    }
}

/// Takes the last `length` bytes of two pieces that follow each other.
fn last(first: &[u8], second: &[u8], length: usize) -> Vec<u8> {
    let from_second = length.min(second.len());
    let from_first = (length - from_second).min(first.len());
    [&first[first.len() - from_first..], &second[second.len() - from_second..]].concat()
}

fn joined(start: &[u8], end: &[u8], bytes: u64) -> String {
    let left_out = bytes.saturating_sub((start.len() + end.len()) as u64);
    if left_out == 0 {
        return String::from_utf8_lossy(&[start, end].concat()).into_owned();
    }
    let (start, end) = (String::from_utf8_lossy(start), String::from_utf8_lossy(end));
    format!("{start}\n[… {left_out} bytes left out …]\n{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fed(start_max: u64, end_max: u64, bytes: &[u8], piece: usize) -> Capture {
        let mut capture = Capture::new(start_max, end_max);
        bytes.chunks(piece).for_each(|chunk| capture.take(chunk));
        capture
    }

    #[test]
    fn what_fits_is_kept_whole_however_it_arrives() {
        for piece in [1, 3, 100] {
            let capture = fed(4, 6, "0123456789".as_bytes(), piece);
            assert_eq!(capture.text(), "0123456789");
            assert_eq!(capture.captured().sha256, Sha::of("0123456789"));
        }
    }

    #[test]
    fn a_flood_keeps_its_ends_its_length_and_its_hash() {
        let flood: Vec<u8> = (0..2_000_000u32).map(|i| b'a' + u8::try_from(i % 26).unwrap()).collect();
        let capture = fed(1_000, 1_000, &flood, 7_777);
        assert_eq!(capture.bytes(), 2_000_000);
        assert!(capture.end.capacity() < 100_000);
        let kept = capture.captured();
        assert_eq!(kept.sha256, Sha::of(&flood));
        assert!(kept.text.contains("[… 199"), "{}", &kept.text[990..1100]);
    }

    #[test]
    fn evidence_keeps_256_kib_of_each_end() {
        let mut big = vec![b'x'; 1 << 20];
        big[..5].copy_from_slice(b"first");
        let length = big.len();
        big[length - 4..].copy_from_slice(b"last");
        for (start_max, end_max) in [(8 << 20, 1 << 20), (600 << 10, 256 << 10), (300 << 10, 256 << 10)] {
            let kept = fed(start_max, end_max, &big, 65_536).captured();
            assert!(kept.text.starts_with("first") && kept.text.ends_with("last"));
            assert!(kept.text.contains(&format!("[… {} bytes left out …]", (1 << 20) - 2 * EVIDENCE_END)));
        }
    }

    proptest::proptest! {
        #[test]
        fn start_and_end_are_never_invented(bytes in proptest::collection::vec(97u8..123, 0..200), start in 0u64..40, end in 0u64..40, piece in 1usize..50) {
            let capture = fed(start, end, &bytes, piece);
            let whole = String::from_utf8(bytes).unwrap();
            let text = capture.text();
            match text.split_once("\n[") {
                None => proptest::prop_assert_eq!(text, whole),
                Some((head, rest)) => {
                    proptest::prop_assert!(whole.starts_with(head));
                    proptest::prop_assert!(whole.ends_with(rest.split_once("]\n").unwrap().1));
                }
            }
        }
    }
}
