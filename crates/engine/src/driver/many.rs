//! Accepts many runs at once, together with records of whoever starts them.
//!
//! Must never accept some of them: all are durable, with the records, or none is.
//! Tests: `tests/driver/many.rs`.

use std::collections::HashSet;
use std::sync::Arc;

use flowdeck_model::RunId;

use super::api::{EngineError, Start};
use super::inner::Inner;
use crate::ports::Delta;

impl Inner {
    /// Runs of these starts in one commit with `delta`.
    pub(super) async fn start_all(
        self: &Arc<Self>,
        starts: &[Start],
        mut delta: Delta,
    ) -> Result<Vec<RunId>, EngineError> {
        let mut accepted = Vec::with_capacity(starts.len());
        let mut saved = HashSet::new();
        for start in starts {
            let (claim, mut live) = self.accept(start).await?;
            if !saved.insert(live.view.hash) {
                // One copy of the flow is enough.
                live.flow_unsaved = None;
            }
            if let Some((own, after)) = live.delta(false, Vec::new(), Vec::new())? {
                delta.preconditions.extend(own.preconditions);
                delta.ops.extend(own.ops);
                accepted.push((claim, live, after));
            }
        }
        if !delta.is_empty() {
            self.parts.store.commit(delta).await?;
        }
        let mut runs = Vec::with_capacity(accepted.len());
        for (claim, mut live, after) in accepted {
            let id = live.view.id;
            let entries = live.forget_new(&after);
            live.committed(after, &entries).await;
            drop(claim);
            self.enqueue(id);
            runs.push(id);
        }
        Ok(runs)
    }
}
