//! A gate at which requests stand until the test lets them pass.
//!
//! Must never let a test wait for somebody who does not come without saying so.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use tokio::sync::watch;

use crate::wait::{DEADLINE_S, deadline};

/// The gate; clones are the same gate. Closed when made.
#[derive(Debug, Clone)]
pub struct Gate {
    open: watch::Sender<bool>,
    came: Arc<(Mutex<usize>, Condvar)>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: watch::Sender::new(false), came: Arc::default() }
    }
}

impl Gate {
    /// Lets everybody pass, from now on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    /// Blocks until `n` in all have come to the gate.
    ///
    /// # Panics
    /// When they do not come.
    pub fn wait_for(&self, n: usize) {
        let end = deadline();
        let (count, changed) = &*self.came;
        let mut count = count.lock().expect("the count");
        while *count < n {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{count} of {n} requests came to the gate in {DEADLINE_S} s");
            count = changed.wait_timeout(count, left).expect("the count").0;
        }
    }

    /// Stands at the gate until it opens.
    pub(crate) async fn pass(&self) {
        {
            let (count, changed) = &*self.came;
            *count.lock().expect("the count") += 1;
            changed.notify_all();
        }
        // The gate lives as long as any clone of it, this one too.
        self.open.subscribe().wait_for(|open| *open).await.ok();
    }
}
