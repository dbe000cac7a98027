//! What is stored of a served flow.
//!
//! Must never be changed but by whole commits that state what they replace. Tests: `tests/served.rs`.

use flowdeck_engine::EngineError;
use flowdeck_engine::ports::{Delta, Precondition, Scan, Space, StoreError};
use flowdeck_engine::wire::{self, keys};
use flowdeck_model::{FlowHash, FlowName, Millis, RunId};
use serde::{Deserialize, Serialize};

use super::SERVED_MAX;
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
    /// The watched file that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What callers of its endpoint must show, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Vec<u8>>,
}

impl Record {
    pub(super) fn new(hash: FlowHash, now: Millis) -> Self {
        Self { hash, on: false, position: now, queued: Vec::new(), last: None, file: None, token: None }
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RuntimeError> {
        Ok(wire::decode("served flow", bytes).map_err(EngineError::from)?)
    }

    /// On or off; what its schedule missed while it was off is not made up for.
    pub(super) fn switched(self, on: bool, now: Millis) -> Self {
        match (self.on, on) {
            (false, true) => Self { on, position: now, queued: Vec::new(), ..self },
            _ => Self { on, ..self },
        }
    }
}

impl Runtime {
    /// The record of a name.
    pub(super) async fn record(&self, name: &FlowName) -> Result<Option<Record>, RuntimeError> {
        let found = self.engine().store().get(Space::Flows, &keys::served(name)).await?;
        found.as_deref().map(Record::decode).transpose()
    }

    /// At most `limit` records behind a name, by name.
    pub(super) async fn records(
        &self,
        after: Option<&FlowName>,
        limit: usize,
    ) -> Result<Vec<(FlowName, Record)>, RuntimeError> {
        let mut scan = Scan::prefix(Space::Flows, keys::SERVED, limit.min(SERVED_MAX));
        scan.after = after.map(keys::served);
        let found = self.engine().store().scan(scan).await?;
        let mut records = Vec::with_capacity(found.len());
        for (key, bytes) in &found {
            let name = key.strip_prefix(keys::SERVED).and_then(|name| std::str::from_utf8(name).ok());
            if let Some(name) = name.and_then(|name| FlowName::new(name).ok()) {
                records.push((name, Record::decode(bytes)?));
            }
        }
        Ok(records)
    }

    /// How many flows are published.
    pub(super) async fn count_served(&self) -> Result<usize, RuntimeError> {
        let mut scan = Scan::prefix(Space::Flows, keys::SERVED, SERVED_MAX);
        scan.keys_only = true;
        Ok(self.engine().store().scan(scan).await?.len())
    }

    /// Replaces the record of a name by what `change` makes of it; `None`, or the same again, leaves it as it is.
    pub(super) async fn change(
        &self,
        name: &FlowName,
        change: impl Fn(Option<Record>) -> Option<Record>,
    ) -> Result<Option<Record>, RuntimeError> {
        let (store, key) = (self.engine().store(), keys::served(name));
        for _ in 0..TRIES_MAX {
            let before = store.get(Space::Flows, &key).await?;
            let known = before.as_deref().map(Record::decode).transpose()?;
            let Some(record) = change(known.clone()).filter(|record| known.as_ref() != Some(record)) else {
                return Ok(known);
            };
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
