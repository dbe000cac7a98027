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
use crate::tables::{self, TableError, TablePlan};

/// How often a plan is made again because somebody else changed the rows meanwhile.
const PLANS_MAX: u32 = 16;

/// Flow versions remembered as having their tables.
const TABLED_MAX: usize = 10_000;

/// Why there is no (further) plan.
enum Refused {
    /// The operation is at fault.
    Fault(Fault),
    /// Not now.
    Contended(Fault),
    /// Nothing was found out: the run stays as it is.
    Store(StoreError),
}

impl Inner {
    /// The next plan of an operation; `made` counts those that came too late because somebody else changed the rows.
    async fn next_plan(&self, op: &TableOp, made: &mut u32) -> Result<TablePlan, Refused> {
        if *made >= PLANS_MAX {
            let fault = Fault::new(FaultCode::TableError, "the rows kept changing while they were written");
            return Err(Refused::Contended(fault.remedy("try again")));
        }
        *made += 1;
        let plan = tables::plan(self.parts.store.as_ref(), op, self.parts.clock.now(), self.random()).await;
        plan.map_err(|error| match error {
            TableError::Fault(fault) => Refused::Fault(fault),
            TableError::Store(error) => Refused::Store(error),
        })
    }

    /// Carries an operation out for a caller outside runs; durable when it returns.
    pub(super) async fn table_op(&self, op: &TableOp) -> Result<Fields, EngineError> {
        let mut made = 0;
        loop {
            let plan = self.next_plan(op, &mut made).await.map_err(|refused| match refused {
                Refused::Fault(fault) | Refused::Contended(fault) => EngineError::Table(fault),
                Refused::Store(error) => EngineError::Store(error),
            })?;
            let mut delta = Delta::new(self.parts.store.epoch());
            (delta.preconditions, delta.ops) = (plan.preconditions, plan.ops);
            if delta.ops.is_empty() {
                return Ok(plan.outputs);
            }
            match self.parts.store.commit(delta).await {
                Err(StoreError::Conflict) => {}
                done => return Ok(done.map(|()| plan.outputs)?),
            }
        }
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
        let mut made = 0;
        loop {
            match self.inner.next_plan(op, &mut made).await {
                Ok(plan) => match self.done_with(frame, plan).await {
                    Err(error) if is_conflict(&error) => {}
                    done => return done,
                },
                Err(Refused::Store(error)) => return Err(error.into()),
                Err(Refused::Fault(fault)) => return self.refuse(frame, fault, false),
                Err(Refused::Contended(fault)) => return self.refuse(frame, fault, true),
            }
        }
    }

    fn refuse(&mut self, frame: FrameId, fault: Fault, transient: bool) -> Result<(), EngineError> {
        self.feed_step(frame, StepEvent::Failed { fault, transient, retry_after_ms: None });
        Ok(())
    }

    /// The step is done in the commit that changes the rows; where they changed meanwhile, nothing has happened.
    async fn done_with(&mut self, frame: FrameId, plan: TablePlan) -> Result<(), EngineError> {
        let only_reads = plan.ops.is_empty() && plan.preconditions.is_empty();
        let before =
            (self.state.clone(), self.view.clone(), self.queue.clone(), self.stored.values.clone(), self.entries.len());
        self.feed_step(frame, StepEvent::Done { outputs: plan.outputs, next_page: None });
        if only_reads {
            return Ok(());
        }
        let done = self.commit_with(false, plan.preconditions, plan.ops).await;
        if done.as_ref().is_err_and(is_conflict) {
            (self.state, self.view, self.queue, self.stored.values, _) = before;
            self.entries.truncate(before.4);
            self.ops.clear();
            self.children.clear();
        }
        done
    }
}
