//! Work that its caller may let go half-way: a timeout around it, a race that it lost.
//!
//! Must never leave a run that can go on unnamed: what was let go is looked for again.
//! Tests: `tests/driver/letgo.rs`.

use std::sync::Arc;

use super::api::EngineError;
use super::inner::Inner;

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
        under_way.over();
        result
    }
}
