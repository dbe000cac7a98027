//! The clock port.
//!
//! Must be the only way to learn the time.
//! Tests: `crates/sim` has a clock that tests move.

use async_trait::async_trait;
use flowdeck_model::Millis;

/// Tells the time and waits for it.
#[async_trait]
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Wall-clock time. May jump either way.
    fn now(&self) -> Millis;

    /// Time that only goes forward, in milliseconds from an arbitrary start; for durations and retries.
    fn monotonic_ms(&self) -> u64;

    /// Returns when `ms` of monotonic time have passed.
    async fn sleep(&self, ms: u64);
}
