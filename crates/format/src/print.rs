//! Flows to text: canonical YAML, and the same as JSON.
//!
//! Must never leave out anything but the reader's own defaults.
//! Tests: `tests/round_trip.rs`.

mod cards;

use flowdeck_model::flow::{EVENT_ID, Slot, WhenNotConnected};
use flowdeck_model::schedule::Schedule;
use flowdeck_model::{FieldDecl, FieldType, Flow, SlotName, Trigger, Value};
use indexmap::IndexMap;
use serde_json::{Map, json};

use crate::emit;
use crate::read::words::{COLUMN_WORDS, MISSED, OVERLAP, WHEN_NOT_CONNECTED};
use crate::tree::Node;
use flowdeck_model::duration::duration_text;

pub(crate) type Object = Map<String, Value>;

/// The canonical native YAML of a flow.
///
/// ```
/// use flowdeck_format::{Source, print, read};
///
/// let json = Source::new("a.json", r#"{ "cards": [{ "wait": "90s" }], "flow": "a" }"#);
/// assert_eq!(print(&read(&json, None).flows[0]), "flow: a\ncards:\n  - id: wait_1\n    wait: 90s\n");
/// ```
#[must_use]
pub fn print(flow: &Flow) -> String {
    emit::yaml(&Node::from_value(&flow_value(flow)))
}

/// The same as JSON, indented by two spaces.
///
/// ```
/// use flowdeck_format::{Source, print_json, read};
///
/// let flow = read(&Source::new("a.yaml", "flow: a\ncards: []"), None).flows.remove(0);
/// assert_eq!(print_json(&flow), "{\n  \"flow\": \"a\",\n  \"cards\": []\n}\n");
/// ```
#[must_use]
pub fn print_json(flow: &Flow) -> String {
    format!("{:#}\n", flow_value(flow))
}

/// As [`print`], with helpers that are in files of their own: `{file, flow}` by name.
pub(crate) fn print_linked(flow: &Flow, links: Object) -> String {
    let mut value = flow_value(flow);
    if let Some(members) = value.as_object_mut().filter(|_| !links.is_empty()) {
        members.insert("helpers".into(), Value::Object(links));
    }
    emit::yaml(&Node::from_value(&value))
}

fn flow_value(flow: &Flow) -> Value {
    let mut out = Object::new();
    out.insert("flow".into(), flow.name.as_str().into());
    body(&mut out, flow, None);
    if !flow.helpers.is_empty() {
        let helpers = flow.helpers.iter().map(|(name, helper)| {
            let mut out = Object::new();
            body(&mut out, helper, Some(&flow.slots));
            (name.to_string(), Value::Object(out))
        });
        out.insert("helpers".into(), Value::Object(helpers.collect()));
    }
    Value::Object(out)
}

/// What flows and helpers have in common; a helper's slots are left out where they are those of its flow.
fn body(out: &mut Object, flow: &Flow, outer: Option<&IndexMap<SlotName, Slot>>) {
    if !flow.description.is_empty() {
        out.insert("description".into(), flow.description.as_str().into());
    }
    if outer.map_or(!flow.slots.is_empty(), |outer| *outer != flow.slots) {
        let slots = flow.slots.iter().map(|(name, slot)| (name.to_string(), slot_value(slot)));
        out.insert("slots".into(), Value::Object(slots.collect()));
    }
    if let (None, Some(on)) = (outer, trigger(&flow.on)) {
        out.insert("on".into(), on);
    }
    for (key, fields) in [("inputs", &flow.inputs), ("outputs", &flow.outputs)] {
        if !fields.is_empty() {
            out.insert(key.into(), fields_value(fields));
        }
    }
    if !flow.limits.is_empty() {
        let limits = flow.limits.iter().map(|(card, most)| (card.to_string(), (*most).into()));
        out.insert("limits".into(), Value::Object(limits.collect()));
    }
    for (key, ms) in [("timeout", flow.timeout_ms), ("wait", flow.wait_ms)] {
        if let Some(ms) = ms {
            out.insert(key.into(), duration_text(ms).into());
        }
    }
    if flow.when_not_connected != WhenNotConnected::default() {
        out.insert("when_not_connected".into(), word(WHEN_NOT_CONNECTED, flow.when_not_connected));
    }
    if !flow.keep_data {
        out.insert("keep_data".into(), false.into());
    }
    if !flow.tables.is_empty() {
        let tables = flow.tables.iter().map(|table| {
            let columns = table.columns.iter().map(|c| (c.name.clone(), word(COLUMN_WORDS, c.kind)));
            (table.name.to_string(), Value::Object(columns.collect()))
        });
        out.insert("tables".into(), Value::Object(tables.collect()));
    }
    out.insert("cards".into(), cards::list(&flow.cards));
}

/// The word of a value in a list of words.
fn word<T: PartialEq>(words: &[(&str, T)], value: T) -> Value {
    words.iter().find(|(_, v)| *v == value).map_or(Value::Null, |(word, _)| (*word).into())
}

fn slot_value(slot: &Slot) -> Value {
    let mut out = Object::new();
    out.insert("app".into(), slot.app.as_str().into());
    if let Some(nickname) = &slot.nickname {
        out.insert("nickname".into(), nickname.as_str().into());
    }
    if !slot.scopes.is_empty() {
        out.insert("scopes".into(), slot.scopes.clone().into());
    }
    Value::Object(out)
}

fn schedule(schedule: &Schedule) -> Value {
    let plain = Schedule::new(&schedule.cron, &schedule.timezone);
    let mut out = Object::new();
    out.insert("cron".into(), plain.cron.into());
    out.insert("timezone".into(), plain.timezone.into());
    if schedule.missed != plain.missed {
        out.insert("missed".into(), word(MISSED, schedule.missed));
    }
    if schedule.within_ms != plain.within_ms {
        out.insert("within".into(), duration_text(schedule.within_ms).into());
    }
    if schedule.overlap != plain.overlap {
        out.insert("overlap".into(), word(OVERLAP, schedule.overlap));
    }
    Value::Object(out)
}

fn trigger(on: &Trigger) -> Option<Value> {
    Some(match on {
        Trigger::Manual => return None,
        Trigger::Schedule(s) => json!({ "schedule": schedule(s) }),
        Trigger::Delegated => "delegated".into(),
        Trigger::Endpoint(e) => {
            let mut inner = Object::from_iter([
                ("methods".to_owned(), e.methods.clone().into()),
                ("access".to_owned(), e.access.as_str().into()),
            ]);
            for (key, fields) in [("body", &e.body), ("query", &e.query), ("headers", &e.headers)] {
                if !fields.is_empty() {
                    inner.insert(key.into(), fields_value(fields));
                }
            }
            json!({ "endpoint": inner })
        }
        Trigger::Event(event) => {
            let mut out = Object::new();
            if event.id.as_str() != EVENT_ID {
                out.insert("id".into(), event.id.as_str().into());
            }
            out.insert("card".into(), event.card.as_str().into());
            if let Some(slot) = &event.slot {
                out.insert("slot".into(), slot.as_str().into());
            }
            if event.unbound {
                out.insert("unbound".into(), true.into());
            }
            cards::put_mappings(&mut out, "with", &event.with);
            Value::Object(out)
        }
    })
}

fn fields_value(fields: &[FieldDecl]) -> Value {
    Value::Object(fields.iter().map(|f| (f.key.clone(), field_value(f))).collect())
}

fn field_value(field: &FieldDecl) -> Value {
    let (word, inner) = type_word(&field.kind);
    let mut out = Object::new();
    out.insert("type".into(), word.into());
    if !field.title.is_empty() {
        out.insert("title".into(), field.title.as_str().into());
    }
    if field.required {
        out.insert("required".into(), true.into());
    }
    if let Some(default) = &field.default {
        out.insert("default".into(), default.clone());
    }
    if !field.choices.is_empty() {
        out.insert("choices".into(), field.choices.clone().into());
    }
    if !field.help.is_empty() {
        out.insert("help".into(), field.help.as_str().into());
    }
    if field.secret {
        out.insert("secret".into(), true.into());
    }
    if !inner.is_empty() {
        out.insert("fields".into(), fields_value(inner));
    }
    if out.len() == 1 { out.remove("type").unwrap_or_default() } else { Value::Object(out) }
}

/// The word of a type, and the fields of the object in it.
fn type_word(kind: &FieldType) -> (String, &[FieldDecl]) {
    match kind {
        FieldType::Any => ("any".into(), &[]),
        FieldType::Text => ("text".into(), &[]),
        FieldType::Number => ("number".into(), &[]),
        FieldType::Boolean => ("boolean".into(), &[]),
        FieldType::Date => ("date".into(), &[]),
        FieldType::File => ("file".into(), &[]),
        FieldType::Object(fields) => ("object".into(), fields),
        FieldType::List(item) if **item == FieldType::Any => ("list".into(), &[]),
        FieldType::List(item) => {
            let (word, fields) = type_word(item);
            (format!("list of {word}"), fields)
        }
    }
}
