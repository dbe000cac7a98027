//! What a delivery means to an event card: which of its entries are this event, and the fields of each.
//!
//! Must never take part in verifying a delivery: it reads what was verified already, or what a person brought.
//! Tests: `tests/events.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_model::{CardName, Fault, FaultCode, Fields, Value};
use serde_json::json;

use crate::builtin::Apps;
use crate::compile::App;
use crate::file::Event;
use crate::outputs::{more, of_record};
use crate::ready::{self, ReadyEvent};
use crate::scope::Names;

/// Most entries of one delivery.
const ENTRIES_MAX: usize = 10_000;
/// Most that the fields of all events of one delivery hold, in bytes: each may hold the whole delivery.
const BYTES_MAX: usize = 64 << 20;

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
    /// [`FaultCode::UnknownCard`] where there is no such event card; [`FaultCode::LimitReached`] where it holds too much; a
    /// mapping of the app file that does not fit what came.
    pub fn delivery(
        &self,
        card: &CardName,
        inputs: Fields,
        body: &Value,
        headers: &BTreeMap<String, String>,
    ) -> Result<Delivery, Fault> {
        let (app, event) = self.event(card)?;
        let ready = event_of(card, event)?;
        let mut names = Names::new(inputs, &BTreeMap::new(), &app.variables(&Arc::new(json!({}))));
        names.set("body", Arc::new(body.clone()));
        names.set("headers", Arc::new(json!(headers)));
        read(&ready, &mut names)
    }

    /// An app and one of its events.
    pub(crate) fn event(&self, card: &CardName) -> Result<(&Arc<App>, &Event), Fault> {
        let app = self.app(card.family());
        app.and_then(|app| Some((app, app.file.events.get(card.operation())?)))
            .ok_or_else(|| Fault::new(FaultCode::UnknownCard, format!("{card} is no event card")))
    }
}

pub(crate) fn event_of(card: &CardName, event: &Event) -> Result<ReadyEvent, Fault> {
    ready::event(event).map_err(|e| Fault::new(FaultCode::BadMapping, format!("{card}: {e}")))
}

/// The events of what `body` in these names holds.
pub(crate) fn read(ready: &ReadyEvent, names: &mut Names) -> Result<Delivery, Fault> {
    let entries = ready.each.evaluate(names)?;
    let entries = entries.as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.len() > ENTRIES_MAX {
        let what = format!("it holds {} entries; at most {ENTRIES_MAX} are taken at once", entries.len());
        return Err(Fault::new(FaultCode::LimitReached, what));
    }
    let mut delivery = Delivery::default();
    let mut bytes = 0;
    for entry in entries {
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
        bytes += fields.iter().map(|(key, value)| key.len() + size(value)).sum::<usize>();
        if bytes > BYTES_MAX {
            let what = format!("the fields of its events hold more than {} MiB", BYTES_MAX >> 20);
            return Err(Fault::new(FaultCode::LimitReached, what));
        }
        delivery.events.push(Occurrence { key, fields });
    }
    Ok(delivery)
}

/// About how many bytes a value holds.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(items) => items.iter().map(size).sum::<usize>() + 2,
        Value::Object(members) => members.iter().map(|(key, value)| key.len() + size(value) + 3).sum::<usize>() + 2,
        _ => 5,
    }
}
