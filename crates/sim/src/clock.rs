//! A clock that only tests move.
//!
//! Must never look at the real time.
//! Tests: below.

use async_trait::async_trait;
use flowdeck_engine::ports::Clock;
use flowdeck_model::Millis;
use tokio::sync::watch;

/// 2026-01-31T09:30:00Z.
pub const START: Millis = Millis(1_769_851_800_000);

/// Time that stands still until [`FakeClock::advance`].
#[derive(Debug)]
pub struct FakeClock {
    passed: watch::Sender<u64>,
    offset: parking_lot::Mutex<i64>,
}

impl Default for FakeClock {
    fn default() -> Self {
        Self { passed: watch::channel(0).0, offset: parking_lot::Mutex::new(0) }
    }
}

impl FakeClock {
    /// Lets time pass.
    pub fn advance(&self, ms: u64) {
        self.passed.send_modify(|now| *now += ms);
    }

    /// Moves the wall clock only, as an operator would.
    pub fn jump(&self, ms: i64) {
        *self.offset.lock() += ms;
    }
}

#[async_trait]
impl Clock for FakeClock {
    fn now(&self) -> Millis {
        Millis(START.plus(*self.passed.borrow()).0 + *self.offset.lock())
    }

    fn monotonic_ms(&self) -> u64 {
        *self.passed.borrow()
    }

    async fn sleep(&self, ms: u64) {
        let mut passed = self.passed.subscribe();
        let until = passed.borrow().saturating_add(ms);
        passed.wait_for(|now| *now >= until).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn a_sleep_ends_when_the_time_is_moved() {
        let clock = Arc::new(FakeClock::default());
        let other = clock.clone();
        let sleeper = tokio::spawn(async move { other.sleep(10).await });
        tokio::task::yield_now().await;
        clock.advance(9);
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(1);
        sleeper.await.unwrap();
    }
}
