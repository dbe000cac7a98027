//! Work that may end half-way: its caller lets it go (a timeout around it, a race that it lost), or the store fails it.
//!
//! Must never leave a run that can go on unnamed: what was let go is looked for again.
//! Tests: `tests/driver/letgo.rs`, `tests/crash.rs`.

use std::sync::Arc;

use super::api::EngineError;
use super::inner::Inner;
use crate::ports::StoreError;

/// Work under way; dropped before it is over, everything that may go on is looked for again.
pub(super) struct UnderWay {
    inner: Arc<Inner>,
    over: bool,
}

impl UnderWay {
    pub(super) fn begin(inner: &Arc<Inner>) -> Self {
        Self { inner: inner.clone(), over: false }
    }

    pub(super) fn over(mut self) {
        self.over = true;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        // A defect is told, and its run is set aside: it is not work that was let go.
        if !self.over && !std::thread::panicking() {
            self.inner.look_again();
        }
    }
}

impl Inner {
    /// Does work whose caller may let it go half-way.
    pub(super) async fn whole<T>(
        self: &Arc<Self>,
        work: impl Future<Output = Result<T, EngineError>>,
    ) -> Result<T, EngineError> {
        let under_way = UnderWay::begin(self);
        let result = work.await;
        match &result {
            // A full disk refuses what is new; it was not taken out of any queue, or has its mark in the store.
            Err(EngineError::Store(StoreError::Full { .. })) => {
                under_way.over();
                self.look_into_store();
            }
            // What a failed read took out of the queues is named nowhere any more.
            Err(EngineError::Store(_) | EngineError::Internal(_)) => drop(under_way),
            _ => under_way.over(),
        }
        result
    }
}
