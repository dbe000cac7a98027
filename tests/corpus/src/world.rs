//! One flow on the real engine: memory store, a clock that stands still, all connections granted.
//!
//! Must never wait for real time: waits of the flow are jumped over.
//! Tests: every sample.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_engine::{Engine, EngineError, Entry, EntryKind, Limits, Parts, RunFilter, RunView, Start, Status};
use flowdeck_model::table::TableOp;
use flowdeck_model::{Fields, Flow, Millis, TableName, Value};
use flowdeck_sim::clock::START;
use flowdeck_sim::world::FakeVault;
use flowdeck_sim::{FakeAuthorizer, FakeClock, FakeStore};

use crate::host::StandIn;

/// Longest time of one run; a run that takes longer hangs.
const BUDGET: Duration = Duration::from_secs(20);
/// Most waits that are jumped over.
const JUMPS_MAX: usize = 50;
/// Most entries read of one run.
const ENTRIES_MAX: usize = 20_000;

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) view: RunView,
    /// Steps that ended well, of this run and of those it started.
    pub(crate) steps: Vec<Step>,
    /// Faults on the way.
    pub(crate) faults: Vec<(String, flowdeck_model::Fault)>,
    /// Flows and cards of steps that failed.
    pub(crate) failed: Vec<(String, String)>,
}

/// A step that ended well.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Which of the runs it is of, in the order in which they began.
    pub(crate) run: usize,
    /// Whether that is the run of the flow itself.
    pub(crate) main: bool,
    pub(crate) path: String,
    pub(crate) flow: String,
    pub(crate) card: String,
    pub(crate) outputs: Fields,
}

/// The engine and what it stands on.
pub(crate) struct World {
    engine: Engine,
    clock: Arc<FakeClock>,
    host: Arc<StandIn>,
}

impl World {
    pub(crate) fn new(host: Arc<StandIn>, flow: &Flow, now: Millis) -> Self {
        let clock = Arc::new(FakeClock::default());
        clock.jump(now.0 - START.0);
        let authorizer = Arc::new(FakeAuthorizer::default());
        let slots = flow.slots.values().chain(flow.helpers.values().flat_map(|h| h.slots.values()));
        for slot in slots {
            authorizer.grant(slot.app.as_str(), "ann");
        }
        let engine = Engine::new(Parts {
            store: Arc::new(FakeStore::default()),
            clock: clock.clone(),
            cards: host.clone(),
            authorizer,
            vault: Arc::new(FakeVault),
            seed: 1,
            limits: Limits::default(),
        });
        Self { engine, clock, host }
    }

    /// A table operation before or after the run.
    pub(crate) async fn table(&self, op: &TableOp) -> Result<Fields, EngineError> {
        self.engine.table_op(op).await
    }

    /// All rows of a table.
    pub(crate) async fn rows(&self, table: &TableName) -> Vec<Value> {
        let op = TableOp::rows(table.clone(), 3_500);
        match self.engine.table_op(&op).await {
            Ok(mut fields) => match fields.take("rows") {
                Value::Array(rows) => rows,
                _ => Vec::new(),
            },
            Err(_) => Vec::new(),
        }
    }

    /// All rows of all tables of a flow and its helpers, by table.
    pub(crate) async fn all_rows(&self, flow: &Flow) -> Value {
        let mut all = serde_json::Map::new();
        for decl in flow.tables.iter().chain(flow.helpers.values().flat_map(|h| &h.tables)) {
            if !all.contains_key(decl.name.as_str()) {
                all.insert(decl.name.to_string(), Value::Array(self.rows(&decl.name).await));
            }
        }
        Value::Object(all)
    }

    /// Runs to the end, over all waits. The error is the engine's, or says that it hangs.
    pub(crate) async fn run(self: &Arc<Self>, start: Start) -> Result<Ran, String> {
        let world = self.clone();
        let task = tokio::spawn(async move { world.drive(start).await });
        let abort = task.abort_handle();
        match tokio::time::timeout(BUDGET, task).await {
            Err(_) => {
                abort.abort();
                Err(format!("it hangs: no end after {} s", BUDGET.as_secs()))
            }
            Ok(Err(error)) => Err(format!("it broke: {error}")),
            Ok(Ok(done)) => done.map_err(|error| format!("engine error: {error}")),
        }
    }

    async fn drive(&self, start: Start) -> Result<Ran, EngineError> {
        let run = self.engine.start(start).await?;
        *self.host.main.lock() = Some(run);
        self.engine.drive_until_stopped(run).await?;
        self.engine.run_until_idle().await?;
        for _ in 0..JUMPS_MAX {
            let Some(due) = self.engine.next_due().await? else { break };
            let now = flowdeck_engine::ports::Clock::now(self.clock.as_ref());
            // Deadlines of waits for people are far away; they end the run.
            self.clock.jump((due.0 - now.0).max(0));
            self.engine.run_due().await?;
            self.engine.run_until_idle().await?;
        }
        let view = self.engine.run(run).await?.ok_or(EngineError::NoRun(run))?;
        let mut ran = Ran { view, steps: Vec::new(), faults: Vec::new(), failed: Vec::new() };
        let mut runs = self.engine.runs(&RunFilter::default(), None, 500).await?.runs;
        runs.reverse();
        for (nth, other) in runs.into_iter().enumerate() {
            for entry in self.engine.entries(other.id, 0, ENTRIES_MAX).await? {
                self.note((nth, other.id), entry, &mut ran);
            }
        }
        Ok(ran)
    }

    fn note(&self, (nth, run): (usize, flowdeck_model::RunId), entry: Entry, ran: &mut Ran) {
        match entry.what {
            EntryKind::StepFinished { card, outputs } => {
                let name = card.contains('/').then_some(card.as_str());
                if let Some((flow, card)) = self.host.locate(run, &entry.path, name) {
                    let (path, outputs) = (entry.path.to_string(), outputs.unwrap_or_default());
                    let main = *self.host.main.lock() == Some(run);
                    ran.steps.push(Step { run: nth, main, path, flow, card, outputs });
                }
            }
            EntryKind::StepFailed { card, fault, .. } => {
                let name = card.contains('/').then_some(card.as_str());
                ran.failed.extend(self.host.locate(run, &entry.path, name));
                ran.faults.push((entry.path.to_string(), fault));
            }
            EntryKind::RunEnded { status: Status::Failed, fault: Some(fault) } => {
                ran.faults.push((entry.path.to_string(), fault));
            }
            _ => {}
        }
    }
}

/// The flow as it is run here: history keeps all values, so that they can be compared.
pub(crate) fn prepared(mut flow: Flow) -> Arc<Flow> {
    flow.keep_data = true;
    flow.helpers.values_mut().for_each(|helper| helper.keep_data = true);
    Arc::new(flow)
}
