//! The event that starts a run by hand: its fields as they are, or out of what the app sends.
//!
//! Must never start a run with an event that the flow does not wait for.
//! Tests: `crates/cli/tests/arguments.rs`, `tests/tests/scenarios`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use flowdeck::Cards;
use flowdeck::engine::ports::Clock;
use flowdeck::model::flow::EventCard;
use flowdeck::model::{Catalogue, Fields, Flow, Trigger, Value};
use flowdeck::testing::begin;

use crate::end::{WrongFile, usage};

/// The fields of the event that starts this flow, from the file where one is given: its name and what it holds.
///
/// # Errors
/// A missing file is a wrong command line; what does not hold one event of the flow is a [`WrongFile`].
pub(crate) fn of(told: Option<(String, Value)>, flow: &Flow, cards: &Cards) -> Result<Option<Fields>> {
    match (told, &flow.on) {
        (Some((name, told)), Trigger::Event(card)) => Ok(Some(read(&name, told, card, cards)?)),
        // A request as a program writes it down; with `raw` it is the event's fields already.
        (Some((name, told)), Trigger::Endpoint(_)) => {
            let is_request = told.is_object() && told.get("raw").is_none();
            Ok(Some(if is_request { begin::request(flow, &told) } else { plain(&name, told)? }))
        }
        (Some((name, told)), _) => Ok(Some(plain(&name, told)?)),
        (None, Trigger::Event(card)) => bail!(usage(format!(
            "{} is started by the event {}; give one with --event FILE, a JSON object with its fields, or what the app \
             sends",
            flow.name, card.card
        ))),
        // A scheduled flow that somebody starts by hand is due now.
        (None, Trigger::Schedule(_)) => {
            Ok(Some(Fields::one("scheduled_at", flowdeck::SystemClock::default().now().to_iso())))
        }
        // Nobody called its URL, or pressed its button: the fields are there, and empty.
        (None, Trigger::Endpoint(_)) => Ok(Some(begin::request(flow, &Value::Null))),
        (None, Trigger::Delegated) => Ok(Some(Fields::one("user_id", Value::Null))),
        (None, Trigger::Manual) => Ok(None),
    }
}

fn plain(name: &str, told: Value) -> Result<Fields> {
    if !told.is_object() {
        bail!(WrongFile::new(format!("{name} must hold one JSON object with the event's fields")));
    }
    Ok(Fields::from_value(told))
}

/// The fields of the one event of this card that the file tells of.
fn read(name: &str, told: Value, card: &EventCard, cards: &Cards) -> Result<Fields> {
    let Some(decl) = cards.card(&card.card) else { return plain(name, told) };
    let found = cards.apps().delivery(&card.card, card.options(), &told, &BTreeMap::new());
    let mut found = found.map_err(|fault| WrongFile::new(format!("{name}: {}", fault.message)))?;
    match found.events.len() {
        1 => return Ok(found.events.remove(0).fields),
        0 => {}
        n => bail!(WrongFile::new(format!(
            "{name} holds {n} events {}; a run is started by one: leave only that in the file",
            card.card
        ))),
    }
    let known = |key: &String| decl.outputs.iter().any(|field| field.key == *key);
    let is_fields = told.as_object().is_some_and(|o| o.is_empty() || o.keys().any(known));
    if is_fields || decl.outputs.is_empty() {
        return plain(name, told);
    }
    let fields: Vec<&str> = decl.outputs.iter().take(4).map(|field| field.key.as_str()).collect();
    bail!(WrongFile::new(format!(
        "{name} holds no event {} ({} of another kind, or not what the card's options ask for); give what the app sends, \
         or an object with the event's fields ({} and so on)",
        card.card,
        found.others,
        fields.join(", ")
    )))
}
