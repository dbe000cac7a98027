//! The machine's clock, and the clock a host moves while it drives due runs.
//!
//! Must never be read by anything but the ports of the engine and the registry.
//! Tests: below.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use flowdeck_engine::ports::Clock;
use flowdeck_model::Millis;
use parking_lot::Mutex;

/// The machine's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    began: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { began: Instant::now() }
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else asks")]
    fn now(&self) -> Millis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn sleep(&self, ms: u64) {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// A clock that shows at least what the host says while the host drives what is due.
#[derive(Debug)]
pub(crate) struct HostClock {
    inner: Arc<dyn Clock>,
    /// One for each drive under way: the host may drive from several tasks.
    at_least: Mutex<Vec<Millis>>,
}

/// The host's time counts until this is dropped.
pub(crate) struct Held<'a>(&'a HostClock, Millis);

impl HostClock {
    pub(crate) fn new(inner: Arc<dyn Clock>) -> Self {
        Self { inner, at_least: Mutex::default() }
    }

    pub(crate) fn hold(&self, now: Millis) -> Held<'_> {
        self.at_least.lock().push(now);
        Held(self, now)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut held = self.0.at_least.lock();
        if let Some(own) = held.iter().position(|time| *time == self.1) {
            held.swap_remove(own);
        }
    }
}

#[async_trait]
impl Clock for HostClock {
    fn now(&self) -> Millis {
        let now = self.inner.now();
        self.at_least.lock().iter().copied().fold(now, Ord::max)
    }

    fn monotonic_ms(&self) -> u64 {
        self.inner.monotonic_ms()
    }

    async fn sleep(&self, ms: u64) {
        self.inner.sleep(ms).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_time_counts_only_while_it_is_held() {
        let clock = HostClock::new(Arc::new(SystemClock::default()));
        let before = clock.now();
        let later = before.plus(1_000_000);
        let held = clock.hold(later);
        assert_eq!(clock.now(), later);
        drop(held);
        assert!(clock.now() < later);
        let _held = clock.hold(Millis(5));
        assert!(clock.now() >= before, "a host behind the clock does not turn it back");
    }

    #[test]
    fn the_end_of_one_drive_leaves_the_time_of_another() {
        let clock = HostClock::new(Arc::new(SystemClock::default()));
        let (soon, late) = (clock.now().plus(1_000_000), clock.now().plus(2_000_000));
        let first = clock.hold(soon);
        let second = clock.hold(late);
        drop(second);
        assert_eq!(clock.now(), soon);
        drop(first);
        assert!(clock.now() < soon);
    }
}
