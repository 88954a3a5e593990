//! When to try again: how many times, after how long, and when to give up.
//!
//! Pure: the caller counts the failures, measures the time and brings the seed. It must not know what is retried.

use serde::{Deserialize, Serialize};

/// How something is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Tries after the first one.
    pub retries: u32,
    /// Wait before the first retry, in milliseconds; it doubles each time.
    pub base_ms: u64,
    /// Longest single wait, in milliseconds, before jitter.
    pub cap_ms: u64,
}

/// For calls that change nothing when they are repeated: 100, 200, 400 ms. Long enough to outlive a hiccup, short
/// enough that nobody notices.
pub const IDEMPOTENT_CALL: Policy = Policy { retries: 3, base_ms: 100, cap_ms: 400 };

/// Jitter: a wait is stretched or shortened by at most a fifth, so that callers that failed together do not come back
/// together, and the order of magnitude stays what the config says.
const JITTER_PARTS: u64 = 5;

impl Policy {
    /// Returns how long to wait before the next try, in milliseconds, after `failed` tries in a row (1 = the first try
    /// failed); `None` to give up, because the retries are used up or the wait would not end before `left_ms` (what is
    /// left of the total deadline) has passed. The same `seed` gives the same waits.
    pub fn wait(&self, failed: u32, left_ms: u64, seed: u64) -> Option<u64> {
        if failed == 0 || failed > self.retries {
            return None;
        }
        let doubled = self.base_ms.saturating_mul(1_u64.checked_shl(failed - 1).unwrap_or(u64::MAX));
        let plain = doubled.min(self.cap_ms);
        let spread = plain / JITTER_PARTS;
        let jitter = mixed(seed.wrapping_add(u64::from(failed))) % (2 * spread + 1);
        let wait = plain - spread + jitter;
        (wait < left_ms).then_some(wait)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): spreads neighbouring seeds over all 64 bits.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLE: u64 = 1_000_000;

    #[test]
    fn waits_double_within_a_fifth_and_then_it_gives_up() {
        for seed in 0..200 {
            for (failed, plain) in [(1, 100), (2, 200), (3, 400)] {
                let wait = IDEMPOTENT_CALL.wait(failed, AMPLE, seed).unwrap();
                assert!(wait.abs_diff(plain) <= plain / 5, "{failed} {seed}: {wait}");
            }
            assert_eq!(IDEMPOTENT_CALL.wait(4, AMPLE, seed), None);
        }
        assert_eq!(IDEMPOTENT_CALL.wait(0, AMPLE, 1), None);
    }

    #[test]
    fn seeds_spread_the_waits_and_repeat_them() {
        let waits: std::collections::BTreeSet<_> =
            (0..50).filter_map(|seed| IDEMPOTENT_CALL.wait(3, AMPLE, seed)).collect();
        assert!(waits.len() > 25, "{waits:?}");
        assert_eq!(IDEMPOTENT_CALL.wait(2, AMPLE, 7), IDEMPOTENT_CALL.wait(2, AMPLE, 7));
    }

    #[test]
    fn a_wait_that_would_pass_the_deadline_is_not_begun() {
        assert_eq!(IDEMPOTENT_CALL.wait(1, 70, 3), None);
        assert!(IDEMPOTENT_CALL.wait(1, 121, 3).is_some());
    }

    #[test]
    fn long_policies_stay_under_their_cap() {
        let slow = Policy { retries: 100, base_ms: 1_000, cap_ms: 30_000 };
        for failed in [6, 40, 64, 65, 100] {
            assert!(slow.wait(failed, AMPLE, 1).unwrap() <= 36_000);
        }
    }
}
