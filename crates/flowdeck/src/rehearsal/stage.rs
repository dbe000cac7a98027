//! Plays a flow from its start to its end, over all waits, on a store that is thrown away.
//!
//! Must never leave anything in the store below, nor wait for real time.
//! Tests: `tests/rehearsal.rs`.

use std::sync::Arc;

use flowdeck_engine::ports::{Authorizer, Clock, Store, Vault};
use flowdeck_engine::{Engine, EngineError, Entry, Parts, RunFilter, RunView, Start, Status, WaitReason};
use flowdeck_model::table::TableOp;
use flowdeck_model::{RunId, TableName, Value};

use super::clock::RehearsalClock;
use super::hide::Hidden;
use super::host::RehearsalHost;
use super::overlay::OverlayStore;
use super::{Decided, Passed, Rehearsal, RehearsalOptions};
use crate::error::RuntimeError;
use crate::host::Host;

/// Most waits that one rehearsal passes over.
const WAITS_MAX: usize = 10_000;
/// Most runs of helpers that are run.
const RUNS_MAX: usize = 500;
/// Entries read at once.
const PAGE: usize = 1_000;
/// Most entries kept.
const ENTRIES_MAX: usize = 200_000;
/// Most rows of a table that are looked at.
const ROWS_MAX: u64 = 3_500;

/// What a rehearsal stands on.
pub(super) struct Stage {
    pub(super) host: Arc<Host>,
    pub(super) below: Arc<dyn Store>,
    pub(super) authorizer: Arc<dyn Authorizer>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) vault: Arc<dyn Vault>,
}

struct Play {
    engine: Engine,
    host: Arc<RehearsalHost>,
    clock: Arc<RehearsalClock>,
    options: RehearsalOptions,
    passed: Vec<Passed>,
}

impl Stage {
    pub(super) async fn play(self, start: Start, options: RehearsalOptions) -> Result<Rehearsal, RuntimeError> {
        let mut start = start;
        start.idempotency_key = None;
        if !options.limits {
            let flow = Arc::make_mut(&mut start.flow);
            flow.limits.clear();
            flow.helpers.values_mut().for_each(|helper| helper.limits.clear());
        }
        let hidden = Arc::new(Hidden::of(&start));
        let clock = Arc::new(RehearsalClock::new(self.clock, options.clock));
        let host = Arc::new(RehearsalHost::new(self.host, options.clone(), hidden));
        let engine = Engine::new(Parts {
            store: Arc::new(OverlayStore::new(self.below)),
            clock: clock.clone(),
            cards: host.clone(),
            authorizer: self.authorizer,
            vault: self.vault,
            seed: options.clock.map_or_else(rand::random, |_| 1),
            limits: flowdeck_engine::Limits::default(),
        });
        let mut play = Play { engine, host, clock, options, passed: Vec::new() };
        play.seed(&start).await?;
        let id = play.engine.start(start).await?;
        play.run(id).await?;
        play.end(id).await
    }
}

impl Play {
    /// Rows that the test says are there.
    async fn seed(&self, start: &Start) -> Result<(), RuntimeError> {
        if self.options.rows.is_empty() {
            return Ok(());
        }
        for decl in start.flow.tables.iter().chain(start.flow.helpers.values().flat_map(|h| &h.tables)) {
            self.engine.table_op(&TableOp::Define(decl.clone())).await?;
        }
        for (table, rows) in &self.options.rows {
            for values in rows {
                self.engine.table_op(&TableOp::Create { table: table.clone(), values: values.clone() }).await?;
            }
        }
        Ok(())
    }

    /// The run, then the runs that it started, over their waits.
    async fn run(&mut self, id: RunId) -> Result<(), RuntimeError> {
        self.engine.drive_until_stopped(id).await?;
        for _ in 0..WAITS_MAX {
            let runs = self.all(id).await?;
            for run in runs.iter().filter(|run| run.id != id && run.status == Status::Running) {
                self.host.runs_alone(run.id, run.entry.clone().unwrap_or_else(|| run.flow.clone()));
                self.engine.drive_until_stopped(run.id).await?;
            }
            if !self.decided(&runs).await? && !self.passed_time(&runs).await? {
                let known = runs.len();
                let runs = self.all(id).await?;
                if runs.len() == known && runs.iter().all(|run| run.id == id || run.status != Status::Running) {
                    return Ok(());
                }
                continue;
            }
            self.engine.drive_until_stopped(id).await?;
        }
        Ok(())
    }

    async fn all(&self, main: RunId) -> Result<Vec<RunView>, RuntimeError> {
        let mut all = Vec::new();
        for run in self.engine.runs(&RunFilter::default(), None, RUNS_MAX).await?.runs.into_iter().rev() {
            all.extend(self.engine.run(run.id).await?);
        }
        all.sort_by_key(|run| run.id != main);
        Ok(all)
    }

    /// Says the next word that somebody would say.
    async fn decided(&mut self, runs: &[RunView]) -> Result<bool, RuntimeError> {
        for run in runs.iter().filter(|run| !run.status.is_ended()) {
            for wait in &run.waits {
                let path = Some(wait.path.clone());
                let decided = self.options.stand_in.decide(&wait.path, &wait.reason);
                match (&decided, &wait.reason) {
                    (Some(Decided::Approve), _) => self.engine.approve(run.id, path, "rehearsal", "").await?,
                    (Some(Decided::Reject), _) => self.engine.reject(run.id, path, "rehearsal", "").await?,
                    (Some(Decided::Signal(payload)), WaitReason::Signal { name }) => {
                        self.engine.signal(run.id, name, payload.clone()).await?;
                    }
                    _ => continue,
                }
                self.passed.push(Passed { path: wait.path.clone(), reason: wait.reason.clone(), decided });
                self.engine.drive_until_stopped(run.id).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts the clock forward to the next time that something waits for.
    async fn passed_time(&mut self, runs: &[RunView]) -> Result<bool, RuntimeError> {
        let waits = runs.iter().filter(|run| !run.status.is_ended()).flat_map(|run| &run.waits);
        let times = waits.filter_map(|wait| wait.reason.until().map(|until| (wait, until)));
        let Some((wait, until)) = times.min_by_key(|(_, until)| *until) else { return Ok(false) };
        self.clock.forward_to(until);
        self.passed.push(Passed { path: wait.path.clone(), reason: wait.reason.clone(), decided: None });
        self.engine.run_due().await?;
        Ok(true)
    }

    async fn end(self, id: RunId) -> Result<Rehearsal, RuntimeError> {
        let mut runs = self.all(id).await?;
        let mut entries: Vec<Entry> = Vec::new();
        for run in &runs {
            let mut after = 0;
            while entries.len() < ENTRIES_MAX {
                let more = self.engine.entries(run.id, after, PAGE).await?;
                let is_last = more.len() < PAGE;
                after = more.last().map_or(after, |e| e.seq);
                entries.extend(more);
                if is_last {
                    break;
                }
            }
        }
        let mut tables = std::collections::BTreeMap::new();
        for table in &self.options.tables {
            tables.insert(table.clone(), self.rows(table).await?);
        }
        if runs.is_empty() {
            return Err(EngineError::NoRun(id).into());
        }
        let run = runs.remove(0);
        Ok(Rehearsal { run, others: runs, calls: self.host.calls(), passed: self.passed, entries, tables })
    }

    async fn rows(&self, table: &TableName) -> Result<Vec<Value>, RuntimeError> {
        let op = TableOp::rows(table.clone(), ROWS_MAX);
        let mut found = self.engine.table_op(&op).await?;
        match found.take("rows") {
            Value::Array(rows) => Ok(rows),
            _ => Ok(Vec::new()),
        }
    }
}
