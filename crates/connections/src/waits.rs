//! How many runs wait on what. The registry knows no runs; it only counts.
//!
//! Must never read a run's state: keys are enough, and at most [`COUNT_MAX`] of them.
//! Tests: `tests/prompts.rs`.

use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_engine::ports::{Scan, Space, Store, StoreError, WaitKey};
use flowdeck_engine::wire::keys::waits_on;

/// More waits than this are counted as this many.
pub const COUNT_MAX: usize = 100_000;

/// Counts runs that wait. Asked for each connection and prompt that is shown, so it must be cheap.
#[async_trait]
pub trait Waits: Send + Sync {
    /// How many runs wait on `on`, at most [`COUNT_MAX`].
    ///
    /// # Errors
    /// Only when the store cannot be read.
    async fn count(&self, on: &WaitKey) -> Result<u64, StoreError>;
}

/// Counts the engine's index of waits: one scan of keys.
pub(crate) struct StoredWaits(pub(crate) Arc<dyn Store>);

#[async_trait]
impl Waits for StoredWaits {
    async fn count(&self, on: &WaitKey) -> Result<u64, StoreError> {
        let scan = Scan { keys_only: true, ..Scan::prefix(Space::Waits, waits_on(on), COUNT_MAX) };
        Ok(self.0.scan(scan).await?.len() as u64)
    }
}
