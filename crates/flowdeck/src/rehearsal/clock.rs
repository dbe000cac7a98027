//! The time of a rehearsal: stands still, or runs with the runtime's, and jumps over waits.
//!
//! Must never go back.
//! Tests: `tests/rehearsal.rs`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use flowdeck_engine::ports::Clock;
use flowdeck_model::Millis;

/// A clock that can be put forward.
#[derive(Debug)]
pub(super) struct RehearsalClock {
    real: Arc<dyn Clock>,
    fixed: Option<Millis>,
    ahead_ms: AtomicI64,
}

impl RehearsalClock {
    pub(super) fn new(real: Arc<dyn Clock>, fixed: Option<Millis>) -> Self {
        Self { real, fixed, ahead_ms: AtomicI64::new(0) }
    }

    /// It is at least that late now.
    pub(super) fn forward_to(&self, until: Millis) {
        let missing = until.0.saturating_sub(self.now().0).max(0);
        self.ahead_ms.fetch_add(missing, Ordering::AcqRel);
    }
}

#[async_trait]
impl Clock for RehearsalClock {
    fn now(&self) -> Millis {
        let base = self.fixed.unwrap_or_else(|| self.real.now());
        Millis(base.0.saturating_add(self.ahead_ms.load(Ordering::Acquire)))
    }

    fn monotonic_ms(&self) -> u64 {
        self.real.monotonic_ms()
    }

    async fn sleep(&self, ms: u64) {
        self.real.sleep(ms).await;
    }
}
