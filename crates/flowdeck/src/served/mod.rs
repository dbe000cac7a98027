//! Flows that start by themselves: published versions, switched on or off.
//!
//! Must never let a version that cannot be run take the place of one that can. Tests: `tests/served.rs`.

mod record;
mod schedules;
mod triggers;

use std::sync::Arc;

use flowdeck_engine::ports::{Scan, Space};
use flowdeck_engine::wire::keys;
use flowdeck_model::schedule::Plan;
use flowdeck_model::{Flow, FlowHash, FlowName, Millis, Trigger};

use self::record::Record;
pub(crate) use self::triggers::Triggers;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// Most flows that are served at once.
const SERVED_MAX: usize = 10_000;

/// A published flow.
#[derive(Debug, Clone)]
pub struct Served {
    /// Its version.
    pub flow: Arc<Flow>,
    /// The version's hash.
    pub hash: FlowHash,
    /// Whether its trigger starts runs.
    pub on: bool,
    /// When its schedule starts it next; `None` where it has no schedule, is off, or never comes.
    pub next: Option<Millis>,
}

impl Runtime {
    /// Publishes a version of a flow: what its trigger starts from now on. A new name is switched off; a known one keeps
    /// its switch and how far its schedule got. Runs of earlier versions go on with theirs.
    ///
    /// # Errors
    /// [`RuntimeError::Setting`] where its schedule cannot be read or its inputs have no defaults to start by itself;
    /// [`RuntimeError::Engine`] where it cannot be run; then the version before stays.
    pub async fn publish(&self, flow: &Flow) -> Result<Served, RuntimeError> {
        if let Trigger::Schedule(schedule) = &flow.on {
            Plan::of(schedule).map_err(|fault| RuntimeError::Setting(format!("flow {}: {fault}", flow.name)))?;
            if let Some(field) = flow.inputs.iter().find(|field| field.required && field.default.is_none()) {
                let key = &field.key;
                let what = "a schedule gives no inputs; give it a default or do not require it";
                return Err(RuntimeError::Setting(format!("flow {}: input `{key}` is required: {what}", flow.name)));
            }
        }
        let hash = self.engine().publish(flow).await?;
        let record = self
            .change(&flow.name, |known| Some(Record { hash, ..known.unwrap_or_else(|| Record::new(hash, self.now())) }))
            .await?;
        self.triggers_changed();
        Ok(self.as_served(record.unwrap_or_else(|| Record::new(hash, self.now())), Arc::new(flow.clone())))
    }

    /// Switches a published flow on or off; answers it, or `None` where no flow of that name is published. What its
    /// schedule missed while it was off is not made up for.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn switch(&self, name: &FlowName, on: bool) -> Result<Option<Served>, RuntimeError> {
        let now = self.now();
        let record = self
            .change(name, |known| {
                known.map(|known| match (known.on, on) {
                    (false, true) => Record { on, position: now, queued: Vec::new(), ..known },
                    _ => Record { on, ..known },
                })
            })
            .await?;
        self.triggers_changed();
        match record {
            Some(record) => {
                let flow = self.engine().version(record.hash).await?;
                Ok(Some(self.as_served(record, Arc::new(flow))))
            }
            None => Ok(None),
        }
    }

    /// All published flows, by name.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn served(&self) -> Result<Vec<Served>, RuntimeError> {
        let mut found = Vec::new();
        for record in self.records().await? {
            let flow = self.engine().version(record.hash).await?;
            found.push(self.as_served(record, Arc::new(flow)));
        }
        Ok(found)
    }

    fn as_served(&self, record: Record, flow: Arc<Flow>) -> Served {
        let next = schedules::next(&record, &flow);
        Served { flow, hash: record.hash, on: record.on, next }
    }

    async fn records(&self) -> Result<Vec<Record>, RuntimeError> {
        let scan = Scan::prefix(Space::Flows, keys::SERVED, SERVED_MAX);
        let found = self.engine().store().scan(scan).await?;
        found.iter().map(|(_, bytes)| Record::decode(bytes)).collect()
    }
}
