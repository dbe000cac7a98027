//! What a delivery means to an event card: which of its entries are this event, and the fields of each.
//!
//! Must never take part in verifying a delivery: it reads what was verified already, or what a person brought.
//! Tests: `tests/events.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_model::{CardName, Fault, FaultCode, Fields, Value};
use serde_json::json;

use crate::builtin::Apps;
use crate::outputs::{more, of_record};
use crate::ready::{self, ReadyEvent};
use crate::scope::Names;

/// Most entries of one delivery.
const ENTRIES_MAX: usize = 10_000;

/// What of a delivery is an event of this card.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delivery {
    /// The events, in the order of the delivery.
    pub events: Vec<Occurrence>,
    /// Entries that are not this event, or not one that the card's options ask for.
    pub others: usize,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Occurrence {
    /// Names the event for ever, so that it is taken once; empty where the app gives it no name.
    pub key: String,
    /// The outputs of the event card.
    pub fields: Fields,
}

impl Apps {
    /// Reads a delivery (the body of a webhook, an answer of the app's event log, or one entry of it) for an event card.
    /// `inputs` are the card's options, `headers` those of the delivery by name in small letters.
    ///
    /// # Errors
    /// [`FaultCode::UnknownCard`] where there is no such event card; a mapping of the app file that does not fit what came.
    pub fn delivery(
        &self,
        card: &CardName,
        inputs: Fields,
        body: &Value,
        headers: &BTreeMap<String, String>,
    ) -> Result<Delivery, Fault> {
        let app = self.app(card.family());
        let event = app.and_then(|app| app.file.events.get(card.operation()));
        let (Some(app), Some(event)) = (app, event) else {
            return Err(Fault::new(FaultCode::UnknownCard, format!("{card} is no event card")));
        };
        let ready = ready::event(event).map_err(|e| Fault::new(FaultCode::BadMapping, format!("{card}: {e}")))?;
        let addresses: Value = app.addresses.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        let mut names = Names::new(inputs, &BTreeMap::new(), &Arc::new(addresses));
        names.set("body", Arc::new(body.clone()));
        names.set("headers", Arc::new(json!(headers)));
        read(&ready, &mut names)
    }
}

fn read(ready: &ReadyEvent, names: &mut Names) -> Result<Delivery, Fault> {
    let entries = ready.each.evaluate(names)?;
    let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut delivery = Delivery::default();
    for entry in entries.iter().take(ENTRIES_MAX) {
        let entry = Arc::new(entry.clone());
        names.set("item", Arc::clone(&entry));
        let is_it = match &ready.when {
            Some(when) => entry.is_object() && *when.evaluate(names)? == Value::Bool(true),
            None => entry.is_object(),
        };
        if !is_it {
            delivery.others += 1;
            continue;
        }
        let key = match &*ready.key.evaluate(names)? {
            Value::String(key) => key.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let mut fields = of_record(&ready.outputs, &entry, names)?;
        names.set("item", entry);
        more(ready.more_outputs.as_ref(), names, &mut fields)?;
        delivery.events.push(Occurrence { key, fields });
    }
    Ok(delivery)
}
