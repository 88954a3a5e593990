//! Who may go on and who has to wait: a token bucket for each API key.
//!
//! A first version that nobody has planned yet: see specs/003-rate-limiter.

use std::collections::BTreeMap;
use std::time::Duration;

/// How much one key may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests per second in the long run.
    pub per_second: u32,
    /// Requests at once after a pause.
    pub burst: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { per_second: 10, burst: 20 }
    }
}

/// What a request is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Allowed,
    /// Come back later.
    Refused {
        /// When the next request would be allowed.
        retry_after: Duration,
    },
}

/// Thousandths of a token: integers, so that two machines agree.
const TOKEN: u64 = 1_000;

#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: u64,
    filled_at: Duration,
}

/// One token bucket for each key.
#[derive(Debug)]
pub struct RateLimiter {
    limits: Limits,
    buckets: BTreeMap<String, Bucket>,
}

impl RateLimiter {
    /// Makes a limiter whose buckets start full.
    pub fn new(limits: Limits) -> Self {
        Self { limits, buckets: BTreeMap::new() }
    }

    /// Decides one request of `key` at `now`, the time since the service started.
    pub fn allow(&mut self, key: &str, now: Duration) -> Decision {
        let full = u64::from(self.limits.burst) * TOKEN;
        let rate = u64::from(self.limits.per_second);
        let bucket = self.buckets.entry(key.to_owned()).or_insert(Bucket { level: full, filled_at: now });
        bucket.refill(rate, full, now);
        if bucket.level >= TOKEN {
            bucket.level -= TOKEN;
            return Decision::Allowed;
        }
        let missing = TOKEN - bucket.level;
        // rate tokens a second are rate thousandths a millisecond.
        Decision::Refused { retry_after: Duration::from_millis(missing.div_ceil(rate.max(1))) }
    }
}

impl Bucket {
    fn refill(&mut self, rate: u64, full: u64, now: Duration) {
        let passed = now.saturating_sub(self.filled_at);
        let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        self.level = self.level.saturating_add(passed.saturating_mul(rate)).min(full);
        self.filled_at = now;
    }
}
