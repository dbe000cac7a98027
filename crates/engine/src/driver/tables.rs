//! Operations on our own tables: their changes and the step's outcome are one commit.
//!
//! Must never show a step as done whose rows were not changed, nor change rows twice.
//! Tests: `tests/driver/tables.rs`.

use flowdeck_model::table::TableOp;
use flowdeck_model::{Fault, FaultCode, Fields, Flow, FlowHash};

use super::api::EngineError;
use super::commit::is_conflict;
use super::inner::Inner;
use super::live::Live;
use crate::machine::event::StepEvent;
use crate::machine::state::FrameId;
use crate::ports::{Delta, StoreError};

/// How often a plan is made again because somebody else changed the rows meanwhile.
const PLANS_MAX: u32 = 16;

/// Flow versions remembered as having their tables.
const TABLED_MAX: usize = 10_000;

fn kept_changing() -> Fault {
    Fault::new(FaultCode::TableError, "the rows kept changing while they were written").remedy("try again")
}

impl Inner {
    /// Carries an operation out for a caller outside runs; durable when it returns.
    pub(super) async fn table_op(&self, op: &TableOp) -> Result<Fields, EngineError> {
        let store = self.parts.store.as_ref();
        for _ in 0..PLANS_MAX {
            let plan = crate::tables::plan(store, op, self.parts.clock.now(), self.random()).await;
            let plan = plan.map_err(EngineError::Table)?;
            if plan.ops.is_empty() {
                return Ok(plan.outputs);
            }
            let mut delta = Delta::new(store.epoch());
            delta.preconditions = plan.preconditions;
            delta.ops = plan.ops;
            match store.commit(delta).await {
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
                Ok(()) => return Ok(plan.outputs),
            }
        }
        Err(EngineError::Table(kept_changing()))
    }

    /// Makes the tables that a flow (or one of its helpers) declares, before its first run is accepted.
    pub(super) async fn define_tables(&self, hash: FlowHash, flow: &Flow) -> Result<(), EngineError> {
        let decls = || flow.tables.iter().chain(flow.helpers.values().flat_map(|h| &h.tables));
        if decls().next().is_none() || self.tabled.lock().contains(&hash) {
            return Ok(());
        }
        for decl in decls() {
            self.table_op(&TableOp::Define(decl.clone())).await?;
        }
        let mut tabled = self.tabled.lock();
        if tabled.len() >= TABLED_MAX {
            tabled.clear();
        }
        tabled.insert(hash);
        Ok(())
    }
}

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
        self.feed_step(frame, StepEvent::Failed { fault: kept_changing(), transient: true, retry_after_ms: None });
        Ok(())
    }
}
