//! Numbers that look random and can be had again: a failing test prints the seed, `DICAST_TEST_SEED` gives it back.

use std::time::{SystemTime, UNIX_EPOCH};

/// The seed that was given, or one of the clock's.
pub(crate) fn seed() -> u64 {
    match std::env::var("DICAST_TEST_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos()),
    }
}

/// The next number of a series (splitmix64).
pub(crate) fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
