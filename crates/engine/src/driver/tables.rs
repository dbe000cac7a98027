//! Operations on our own tables: their changes and the step's outcome are one commit.
//!
//! Must never show a step as done whose rows were not changed, nor change rows twice.
//! Tests: `crates/engine/tests/tables.rs`.

use flowdeck_model::table::TableOp;
use flowdeck_model::{Fault, FaultCode};

use super::api::EngineError;
use super::commit::is_conflict;
use super::live::Live;
use crate::machine::event::StepEvent;
use crate::machine::state::FrameId;

/// How often a plan is made again because somebody else changed the rows meanwhile.
const PLANS_MAX: u32 = 16;

impl Live {
    pub(super) async fn table(&mut self, frame: FrameId, op: &TableOp) -> Result<(), EngineError> {
        // What this run did before must be there when the tables are read, and a conflict must mean the rows.
        self.commit(false).await?;
        for _ in 0..PLANS_MAX {
            let now = self.inner.parts.clock.now();
            let store = self.inner.parts.store.clone();
            let plan = match crate::tables::plan(store.as_ref(), op, now, self.inner.random()).await {
                Ok(plan) => plan,
                Err(fault) => {
                    self.feed_step(frame, StepEvent::Failed { fault, transient: false, retry_after_ms: None });
                    return Ok(());
                }
            };
            let only_reads = plan.ops.is_empty() && plan.preconditions.is_empty();
            let before = (
                self.state.clone(),
                self.view.clone(),
                self.queue.clone(),
                self.stored.values.clone(),
                self.entries.len(),
            );
            self.feed_step(frame, StepEvent::Done { outputs: plan.outputs, next_page: None });
            if only_reads {
                return Ok(());
            }
            // Children of the steps that follow go into the same commit as the state that knows them.
            self.start_children()?;
            match self.commit_with(false, plan.preconditions, plan.ops).await {
                Err(error) if is_conflict(&error) => {
                    (self.state, self.view, self.queue, self.stored.values, _) = before;
                    self.entries.truncate(before.4);
                    self.ops.clear();
                    self.children.clear();
                }
                other => return other,
            }
        }
        let fault = Fault::new(FaultCode::TableError, "the rows kept changing while they were written")
            .remedy("retry the step");
        self.feed_step(frame, StepEvent::Failed { fault, transient: true, retry_after_ms: None });
        Ok(())
    }
}
