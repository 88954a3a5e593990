//! Who has to wait. 003-rate-limiter.

use std::time::Duration;

use pantry::limiter::{Decision, Limits, RateLimiter};

fn allowed(limiter: &mut RateLimiter, key: &str, at_ms: u64, times: usize) -> usize {
    let now = Duration::from_millis(at_ms);
    (0..times).filter(|_| limiter.allow(key, now) == Decision::Allowed).count()
}

#[test]
fn ten_a_second_are_allowed_in_the_long_run() {
    // FR-001
    let mut limiter = RateLimiter::new(Limits::default());
    allowed(&mut limiter, "me", 0, 100);
    let in_ten_seconds: usize = (1..=100).map(|n| allowed(&mut limiter, "me", n * 100, 5)).sum();
    assert_eq!(in_ten_seconds, 100);
}

#[test]
fn burst_of_twenty_is_allowed() {
    // FR-004
    let mut limiter = RateLimiter::new(Limits::default());
    assert_eq!(allowed(&mut limiter, "me", 0, 50), 20);
}

#[test]
fn a_refusal_says_when_to_come_back() {
    // FR-002
    let mut limiter = RateLimiter::new(Limits { per_second: 10, burst: 1 });
    assert_eq!(limiter.allow("me", Duration::ZERO), Decision::Allowed);
    let Decision::Refused { retry_after } = limiter.allow("me", Duration::ZERO) else { panic!("allowed") };
    assert_eq!(retry_after, Duration::from_millis(100));
    assert_eq!(limiter.allow("me", retry_after), Decision::Allowed);
}

#[test]
fn one_key_does_not_slow_another() {
    // FR-003
    let mut limiter = RateLimiter::new(Limits::default());
    allowed(&mut limiter, "me", 0, 100);
    assert_eq!(allowed(&mut limiter, "you", 0, 1), 1);
}
