//! A quick hash for maps whose order nobody sees: panels have keys by the ten thousand.
//!
//! Eight bytes at a time are multiplied to 128 bits and the halves folded into one, as foldhash and wyhash do. It starts
//! from a secret of the process, so that nobody can write a panel whose keys collide. It must not be used where an
//! order or a value is kept: it is another one in every process.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// A map by the quick hash.
pub(super) type FoldMap<K, V> = HashMap<K, V, FoldState>;

/// Makes hashers that start from the secret of this process.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct FoldState;

static SECRET: LazyLock<[u64; 2]> = LazyLock::new(|| [secret(), secret()]);

fn secret() -> u64 {
    // Odd, so that no multiplication loses everything.
    RandomState::new().hash_one(0) | 1
}

impl BuildHasher for FoldState {
    type Hasher = Fold;
    fn build_hasher(&self) -> Fold {
        let [state, factor] = *SECRET;
        Fold { state, factor }
    }
}

/// The state of one hash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fold {
    state: u64,
    factor: u64,
}

impl Fold {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.factor);
        self.state = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        // The length tells "a" from "a" and a zero byte.
        self.mix(u64::from_le_bytes(last));
        self.mix(bytes.len() as u64);
    }
    fn write_u8(&mut self, n: u8) {
        self.mix(u64::from(n));
    }
    fn write_usize(&mut self, n: usize) {
        self.mix(n as u64);
    }
    fn write_isize(&mut self, n: isize) {
        self.mix(n as u64);
    }
    fn finish(&self) -> u64 {
        let mut last = *self;
        last.mix(0);
        last.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_differ_in_a_byte_or_a_length_hash_differently() {
        let texts: Vec<String> = (0..10_000)
            .map(|i| format!("FR-{i:05} covered"))
            .chain((0..64).map(|n| "a".repeat(n)))
            .chain((1..64).map(|n| "\0".repeat(n)))
            .collect();
        let hashes: std::collections::BTreeSet<u64> = texts.iter().map(|text| FoldState.hash_one(text)).collect();
        assert_eq!(hashes.len(), texts.len());
        let low: std::collections::BTreeSet<u64> = hashes.iter().map(|hash| hash & 0xFFFF).collect();
        assert!(low.len() > 8_000, "the low bits choose the bucket: {} of 65,536 values", low.len());
    }
}
