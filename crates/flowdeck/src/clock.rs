//! The machine's clock, and the clock a host moves while it drives due runs.
//!
//! Must never be read by anything but the ports of the engine and the registry.
//! Tests: below.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use flowdeck_engine::ports::Clock;
use flowdeck_model::Millis;

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
    at_least: AtomicI64,
}

/// The host's time counts until this is dropped.
pub(crate) struct Held<'a>(&'a HostClock);

impl HostClock {
    pub(crate) fn new(inner: Arc<dyn Clock>) -> Self {
        Self { inner, at_least: AtomicI64::new(i64::MIN) }
    }

    pub(crate) fn hold(&self, now: Millis) -> Held<'_> {
        self.at_least.fetch_max(now.0, Ordering::AcqRel);
        Held(self)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.at_least.store(i64::MIN, Ordering::Release);
    }
}

#[async_trait]
impl Clock for HostClock {
    fn now(&self) -> Millis {
        Millis(self.inner.now().0.max(self.at_least.load(Ordering::Acquire)))
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
}
