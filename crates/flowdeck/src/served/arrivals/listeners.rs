//! Flows that are on and started by an app's event, kept in memory: what arrives reads no record of them.
//!
//! Must never keep a flow across a change of it: the change marks the name, and the next look reads it anew.
//! Tests: `tests/hooks.rs`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use flowdeck_model::connect::Need;
use flowdeck_model::{CardName, Fields, Flow, FlowName, Millis, Trigger};
use parking_lot::Mutex;

use crate::error::RuntimeError;
use crate::runtime::Runtime;
use crate::served::SERVED_MAX;
use crate::served::record::Record;

/// A flow that listens.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(super) flow: Arc<Flow>,
    pub(super) card: CardName,
    /// The event card's options.
    pub(super) inputs: Fields,
    /// What the event card needs of a connection.
    pub(super) need: Option<Need>,
    /// Since when it listens: events of earlier are not its own.
    pub(super) since: Millis,
    /// How often the app is asked; `None` where it cannot be.
    pub(super) every_ms: Option<u64>,
}

impl Listener {
    pub(super) fn name(&self) -> &FlowName {
        &self.flow.name
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(in crate::served) struct Listeners(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    is_read: bool,
    found: BTreeMap<FlowName, Arc<Listener>>,
    changed: HashSet<FlowName>,
}

impl Listeners {
    /// A flow was published or switched.
    pub(in crate::served) fn change(&self, name: &FlowName) {
        self.0.lock().changed.insert(name.clone());
    }
}

impl Runtime {
    /// Flows that listen now, by name.
    pub(super) async fn listeners(&self) -> Result<Vec<Arc<Listener>>, RuntimeError> {
        let listeners = &self.inner.triggers.listeners;
        // A change that comes during the reading is seen at the next look.
        let (is_read, changed) = {
            let mut known = listeners.0.lock();
            (known.is_read, std::mem::take(&mut known.changed))
        };
        if let Err(error) = self.read_listeners(is_read, &changed).await {
            listeners.0.lock().changed.extend(changed);
            return Err(error);
        }
        Ok(listeners.0.lock().found.values().cloned().collect())
    }

    async fn read_listeners(&self, is_read: bool, changed: &HashSet<FlowName>) -> Result<(), RuntimeError> {
        let listeners = &self.inner.triggers.listeners;
        if !is_read {
            let mut found = BTreeMap::new();
            for (name, record) in self.records(None, SERVED_MAX).await? {
                if let Some(listener) = self.listener(Some(record)).await? {
                    found.insert(name, Arc::new(listener));
                }
            }
            let mut known = listeners.0.lock();
            (known.is_read, known.found) = (true, found);
            return Ok(());
        }
        for name in changed {
            let listener = self.listener(self.record(name).await?).await?;
            let mut known = listeners.0.lock();
            match listener {
                Some(listener) => drop(known.found.insert(name.clone(), Arc::new(listener))),
                None => drop(known.found.remove(name)),
            }
        }
        Ok(())
    }

    async fn listener(&self, record: Option<Record>) -> Result<Option<Listener>, RuntimeError> {
        let Some(record) = record.filter(|record| record.on) else { return Ok(None) };
        let flow = Arc::new(self.engine().version(record.hash).await?);
        let Trigger::Event(event) = &flow.on else { return Ok(None) };
        let declared = self.cards().apps().app(event.card.family());
        let Some(declared) = declared.and_then(|app| app.file.events.get(event.card.operation())) else {
            return Ok(None);
        };
        let every_ms = declared.poll.as_ref().map(|poll| u64::from(poll.every_s) * 1_000);
        let need = self.engine().event_need(&flow)?;
        let (card, inputs) = (event.card.clone(), event.options());
        Ok(Some(Listener { card, inputs, need, since: record.position, every_ms, flow }))
    }
}
