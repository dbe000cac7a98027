//! What people and programs do with runs and tables, passed on to the engine.
//!
//! Must never hold a rule: the engine decides.
//! Tests: `tests/runtime.rs`.

use flowdeck_engine::tables::{describe, list_tables};
use flowdeck_engine::{EngineError, Entry, RunFilter, RunPage, RunView, Settlement};
use flowdeck_model::table::{TableDecl, TableOp};
use flowdeck_model::{CardId, Fields, RunId, StepPath, TableName, Value};

use crate::error::RuntimeError;
use crate::runtime::Runtime;

impl Runtime {
    /// A run's record.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] where there is no such run.
    pub async fn run_view(&self, run: RunId) -> Result<RunView, RuntimeError> {
        let found = self.engine().run(run).await?;
        found.ok_or(RuntimeError::Engine(flowdeck_engine::EngineError::NoRun(run)))
    }

    /// Runs, newest first; at most `limit` after `cursor`.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn runs(&self, filter: &RunFilter, cursor: Option<RunId>, limit: usize) -> Result<RunPage, RuntimeError> {
        Ok(self.engine().runs(filter, cursor, limit).await?)
    }

    /// History of a run: at most `limit` entries after number `after`.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn entries(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<Entry>, RuntimeError> {
        Ok(self.engine().entries(run, after, limit).await?)
    }

    /// Sends a signal to a run; it is kept until the run waits for it.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] for a run that is unknown or has ended.
    pub async fn signal(&self, run: RunId, name: &str, payload: Value) -> Result<(), RuntimeError> {
        Ok(self.engine().signal(run, name, payload).await?)
    }

    /// Says yes to an approval; the step may be left out where only one waits.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] where nothing waits for a decision there.
    pub async fn approve(
        &self,
        run: RunId,
        path: Option<StepPath>,
        by: &str,
        comment: &str,
    ) -> Result<(), RuntimeError> {
        Ok(self.engine().approve(run, path, by, comment).await?)
    }

    /// Says no to an approval.
    ///
    /// # Errors
    /// As [`Runtime::approve`].
    pub async fn reject(
        &self,
        run: RunId,
        path: Option<StepPath>,
        by: &str,
        comment: &str,
    ) -> Result<(), RuntimeError> {
        Ok(self.engine().reject(run, path, by, comment).await?)
    }

    /// Ends a run; its record lists the writes whose outcome is unknown.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] for a run that is unknown or has ended.
    pub async fn cancel(&self, run: RunId) -> Result<(), RuntimeError> {
        Ok(self.engine().cancel(run).await?)
    }

    /// Lets an expired run go on.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] for a run that has not expired.
    pub async fn resume(&self, run: RunId) -> Result<(), RuntimeError> {
        Ok(self.engine().resume(run).await?)
    }

    /// Lets a failed run go on from the step that failed, or from an earlier card.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] for a run that has not failed.
    pub async fn retry(&self, run: RunId, from: Option<CardId>) -> Result<(), RuntimeError> {
        Ok(self.engine().retry(run, from).await?)
    }

    /// Says whether a write in doubt happened.
    ///
    /// # Errors
    /// [`RuntimeError::Engine`] where that step is not in doubt.
    pub async fn settle(&self, run: RunId, path: StepPath, settlement: Settlement) -> Result<(), RuntimeError> {
        Ok(self.engine().settle(run, path, settlement).await?)
    }

    /// All tables.
    ///
    /// # Errors
    /// [`RuntimeError::Table`] where they are damaged; [`RuntimeError::Store`].
    pub async fn tables(&self) -> Result<Vec<TableDecl>, RuntimeError> {
        Ok(list_tables(self.engine().store().as_ref()).await.map_err(EngineError::from)?)
    }

    /// A table's columns; `None` where there is no such table.
    ///
    /// # Errors
    /// [`RuntimeError::Table`] where it is damaged; [`RuntimeError::Store`].
    pub async fn table(&self, name: &TableName) -> Result<Option<TableDecl>, RuntimeError> {
        Ok(describe(self.engine().store().as_ref(), name).await.map_err(EngineError::from)?)
    }

    /// Carries out an operation on a table, whole or not at all; answers its outputs.
    ///
    /// # Errors
    /// [`RuntimeError::Table`] where the operation is refused; [`RuntimeError::Store`].
    pub async fn table_op(&self, op: &TableOp) -> Result<Fields, RuntimeError> {
        Ok(self.engine().table_op(op).await?)
    }
}
