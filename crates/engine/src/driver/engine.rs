//! The engine: what callers hold.
//!
//! Must never answer before the commit that holds the answer.
//! Tests: `crates/engine/tests`.

use std::sync::Arc;

use flowdeck_model::connect::Need;
use flowdeck_model::{CardId, Fields, Flow, FlowHash, Millis, RunId, StepPath, Value};
use tokio::sync::broadcast;

use super::api::{EngineError, Notice, Parts, RunFilter, RunPage, Settlement, Start};
use crate::machine::program::Program;
use crate::wire::entry::Entry;
use crate::wire::record::RunView;

/// Runs flows. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    parts: Parts,
    notices: broadcast::Sender<Notice>,
}

const NOT_YET: fn() -> EngineError = || EngineError::Internal("not built yet".into());

impl Engine {
    /// An engine on these parts; call [`Engine::recover`] before anything else.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let (notices, _) = broadcast::channel(parts.limits.notices_max.max(1));
        Self { parts, notices }
    }

    /// Makes ready what an earlier process left: runs at work, waits whose connection changed meanwhile.
    ///
    /// # Errors
    /// [`EngineError::Store`].
    pub async fn recover(&self) -> Result<(), EngineError> {
        Err(NOT_YET())
    }

    /// Keeps a flow version and points its name at it.
    ///
    /// # Errors
    /// [`EngineError`] where it cannot be run or stored.
    pub async fn publish(&self, flow: &Flow) -> Result<FlowHash, EngineError> {
        let _ = flow;
        Err(NOT_YET())
    }

    /// Accepts a run; it is durable when this returns. Somebody must drive it ([`Engine::run_forever`] does).
    ///
    /// # Errors
    /// [`EngineError::Input`] where an input is missing or of a wrong type; store errors.
    pub async fn start(&self, start: Start) -> Result<RunId, EngineError> {
        let _ = start;
        Err(NOT_YET())
    }

    /// Accepts a run and drives it here until it stops; accepted and finished together in one commit where it can be.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn start_and_wait(&self, start: Start) -> Result<RunView, EngineError> {
        let _ = start;
        Err(NOT_YET())
    }

    /// Drives a run until it ends or waits (or waits for whoever drives it already).
    ///
    /// # Errors
    /// [`EngineError::NoRun`]; store errors.
    pub async fn drive_until_stopped(&self, run: RunId) -> Result<RunView, EngineError> {
        let _ = run;
        Err(NOT_YET())
    }

    /// Drives every run that can go on, until none can.
    ///
    /// # Errors
    /// Store errors.
    pub async fn run_until_idle(&self) -> Result<(), EngineError> {
        Err(NOT_YET())
    }

    /// Drives the runs whose time has come. Answers how many.
    ///
    /// # Errors
    /// Store errors.
    pub async fn run_due(&self) -> Result<usize, EngineError> {
        Err(NOT_YET())
    }

    /// When the next run is due.
    ///
    /// # Errors
    /// Store errors.
    pub async fn next_due(&self) -> Result<Option<Millis>, EngineError> {
        Err(NOT_YET())
    }

    /// Drives runs as they become ready, until `shutdown` is true; then lets steps under way end and returns.
    ///
    /// # Errors
    /// The first store error.
    pub async fn run_forever(&self, shutdown: tokio::sync::watch::Receiver<bool>) -> Result<(), EngineError> {
        let _ = shutdown;
        Err(NOT_YET())
    }

    /// Sends a signal to a run. Kept until the run waits for it.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`] for a run that has ended.
    pub async fn signal(&self, run: RunId, name: &str, payload: Value) -> Result<(), EngineError> {
        let _ = (run, name, payload);
        Err(NOT_YET())
    }

    /// Says yes to an approval (or limit) that the run waits for; the step may stay open where there is only one.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`].
    pub async fn approve(
        &self,
        run: RunId,
        path: Option<StepPath>,
        by: &str,
        comment: &str,
    ) -> Result<(), EngineError> {
        let _ = (run, path, by, comment);
        Err(NOT_YET())
    }

    /// Says no.
    ///
    /// # Errors
    /// As [`Engine::approve`].
    pub async fn reject(&self, run: RunId, path: Option<StepPath>, by: &str, comment: &str) -> Result<(), EngineError> {
        let _ = (run, path, by, comment);
        Err(NOT_YET())
    }

    /// Ends a run. Steps whose outcome is unknown are listed in its record.
    ///
    /// # Errors
    /// As [`Engine::signal`].
    pub async fn cancel(&self, run: RunId) -> Result<(), EngineError> {
        let _ = run;
        Err(NOT_YET())
    }

    /// Lets an expired run go on; its waits get new deadlines.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`].
    pub async fn resume(&self, run: RunId) -> Result<(), EngineError> {
        let _ = run;
        Err(NOT_YET())
    }

    /// Lets a failed run go on: from the step that failed, or from an earlier card of one of the lists it was in.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`].
    pub async fn retry(&self, run: RunId, from: Option<CardId>) -> Result<(), EngineError> {
        let _ = (run, from);
        Err(NOT_YET())
    }

    /// Says whether a write in doubt happened.
    ///
    /// # Errors
    /// [`EngineError::NoRun`], [`EngineError::NotNow`].
    pub async fn settle(&self, run: RunId, path: StepPath, settlement: Settlement) -> Result<(), EngineError> {
        let _ = (run, path, settlement);
        Err(NOT_YET())
    }

    /// A run's record.
    ///
    /// # Errors
    /// Store errors.
    pub async fn run(&self, run: RunId) -> Result<Option<RunView>, EngineError> {
        let _ = run;
        Err(NOT_YET())
    }

    /// Runs, newest first.
    ///
    /// # Errors
    /// Store errors.
    pub async fn runs(&self, filter: &RunFilter, cursor: Option<RunId>, limit: usize) -> Result<RunPage, EngineError> {
        let _ = (filter, cursor, limit);
        Err(NOT_YET())
    }

    /// History of a run: at most `limit` entries after number `after`.
    ///
    /// # Errors
    /// Store errors.
    pub async fn entries(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<Entry>, EngineError> {
        let _ = (run, after, limit);
        Err(NOT_YET())
    }

    /// What a flow may need of connections: one for each slot, with the scopes of all cards that use it.
    ///
    /// # Errors
    /// [`EngineError::Flow`].
    pub fn needs(&self, flow: &Flow) -> Result<Vec<Need>, EngineError> {
        Ok(Program::compile(flow, None, self.parts.cards.as_ref())?.needs())
    }

    /// Notices from now on. A slow subscriber loses the oldest and learns how many.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// The store, for whoever keeps other records in it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn crate::ports::Store> {
        self.parts.store.clone()
    }
}
#[allow(unused)]
type Unused = Fields;
