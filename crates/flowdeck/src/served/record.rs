//! What is stored of a served flow.
//!
//! Must never be changed but by whole commits that state what they replace. Tests: `tests/served.rs`.

use flowdeck_engine::EngineError;
use flowdeck_engine::ports::{Delta, Precondition, Space, StoreError};
use flowdeck_engine::wire::{self, keys};
use flowdeck_model::{FlowHash, FlowName, Millis, RunId};
use serde::{Deserialize, Serialize};

use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// A change that meets another one is made again; nobody changes it this often.
const TRIES_MAX: usize = 100;

/// How a flow is served. Fields are only ever added, with defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub hash: FlowHash,
    pub on: bool,
    /// Its schedule is settled up to here.
    pub position: Millis,
    /// Times that came while a run had not ended, oldest first.
    #[serde(default)]
    pub queued: Vec<Millis>,
    /// The run that its schedule started last.
    #[serde(default)]
    pub last: Option<RunId>,
}

impl Record {
    pub(super) fn new(hash: FlowHash, now: Millis) -> Self {
        Self { hash, on: false, position: now, queued: Vec::new(), last: None }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RuntimeError> {
        Ok(wire::decode("served flow", bytes).map_err(EngineError::from)?)
    }
}

impl Runtime {
    /// Replaces the record of a name by what `change` makes of it; `None` leaves it as it is.
    pub(super) async fn change(
        &self,
        name: &FlowName,
        change: impl Fn(Option<Record>) -> Option<Record>,
    ) -> Result<Option<Record>, RuntimeError> {
        let (store, key) = (self.engine().store(), keys::served(name));
        for _ in 0..TRIES_MAX {
            let before = store.get(Space::Flows, &key).await?;
            let known = before.as_deref().map(Record::decode).transpose()?;
            let Some(record) = change(known.clone()) else { return Ok(known) };
            let mut delta = Delta::new(store.epoch());
            delta.preconditions.push(match before {
                Some(value) => Precondition::Equals { space: Space::Flows, key: key.clone(), value },
                None => Precondition::Absent { space: Space::Flows, key: key.clone() },
            });
            let bytes = wire::encode("served flow", &record).map_err(EngineError::from)?;
            delta.put(Space::Flows, key.clone(), bytes);
            match store.commit(delta).await {
                Ok(()) => return Ok(Some(record)),
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(RuntimeError::Setting(format!("flow {name} is being changed by others all the time; try again")))
    }
}
