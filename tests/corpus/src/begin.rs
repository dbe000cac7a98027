//! What a flow starts with: from a scenario, or made from declared fields.
//!
//! Must never give a flow a field under a name that its trigger does not use.
//! Tests: the scenarios.

use std::sync::Arc;

use flowdeck_engine::Start;
use flowdeck_model::{CardDecl, Catalogue, FieldDecl, Fields, Flow, Trigger, Value};
use serde_json::{Map, json};

use crate::made::{self, Mood};
use crate::names;
use crate::source::Sample;

fn event_decl(flow: &Flow, catalogue: &dyn Catalogue) -> Option<Arc<CardDecl>> {
    match &flow.on {
        Trigger::Event(event) => catalogue.card(&event.card),
        _ => None,
    }
}

/// The starts that a scenario's `inputs` mean: one for each event.
pub(crate) fn scripted(flow: &Arc<Flow>, inputs: &Value, clock: &str, catalogue: &dyn Catalogue) -> Vec<Start> {
    let start = |input: Fields, event: Option<Fields>| {
        let mut start = Start::new(flow.clone(), input);
        start.event = event;
        start
    };
    let decl = event_decl(flow, catalogue);
    let outputs = decl.as_ref().map_or(&[][..], |d| d.outputs.as_slice());
    if let Value::Array(events) = &inputs["events"] {
        return events.iter().map(|event| start(Fields::new(), Some(names::to_fields(outputs, event)))).collect();
    }
    if inputs["outputs"].is_object() {
        return vec![start(Fields::new(), Some(names::to_fields(outputs, &inputs["outputs"])))];
    }
    if inputs["http"].is_object() {
        return vec![start(Fields::new(), Some(request(flow, &inputs["http"])))];
    }
    let given = if inputs["inputs"].is_object() { &inputs["inputs"] } else { &inputs["args"] };
    let mut input = Fields::from_value(given.clone());
    if inputs["context"].is_object() {
        input.set("context", inputs["context"].clone());
    }
    let event = match &flow.on {
        Trigger::Schedule(_) => {
            let at = &inputs["context"]["execution_time"];
            Some(Fields::one("scheduled_at", if at.is_null() { json!(clock) } else { at.clone() }))
        }
        Trigger::Delegated => Some(Fields::one("user_id", inputs["context"]["user_id"].clone())),
        _ => None,
    };
    vec![start(input, event)]
}

/// The event of a request to the flow's own URL.
fn request(flow: &Flow, http: &Value) -> Fields {
    let body = match &http["body"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let parsed: Value = serde_json::from_str(&body).unwrap_or_default();
    let mut fields = Fields::new();
    let given = |key: &str| if http[key].is_object() { http[key].clone() } else { json!({}) };
    fields.set("raw", json!({"headers": given("headers"), "query": given("query"), "body": body}));
    let Trigger::Endpoint(endpoint) = &flow.on else { return fields };
    let pick = |decls: &[FieldDecl], from: &Value| {
        let value = |key: &str| {
            let found = from.as_object()?.iter().find(|(k, _)| k.as_str() == key || k.eq_ignore_ascii_case(key));
            found.map(|(_, v)| v.clone())
        };
        Value::Object(decls.iter().map(|d| (d.key.clone(), value(&d.key).unwrap_or_default())).collect::<Map<_, _>>())
    };
    fields.set("body", pick(&endpoint.body, &parsed));
    fields.set("query", pick(&endpoint.query, &http["query"]));
    fields.set("headers", pick(&endpoint.headers, &http["headers"]));
    fields
}

/// A start with values for everything that is declared.
pub(crate) fn made(flow: &Arc<Flow>, export_id: &str, sample: &Sample, mood: Mood, catalogue: &dyn Catalogue) -> Start {
    let mut start = Start::new(flow.clone(), Fields::new());
    let raw = sample.starts.get(export_id).map_or(&[][..], Vec::as_slice);
    for field in &flow.inputs {
        let declared = raw.iter().find(|f| f.key == field.key && f.group != "context");
        let value = match declared {
            Some(declared) => made::declared(declared, mood),
            None if field.key == "context" => continue,
            None => made::typed(&field.kind, &field.key, mood, 0),
        };
        start.input.set(field.key.clone(), value);
    }
    start.event = match &flow.on {
        Trigger::Manual => None,
        Trigger::Schedule(_) => Some(Fields::one("scheduled_at", "2024-01-15T10:30:00.000Z")),
        Trigger::Delegated => Some(Fields::one("user_id", "00u1")),
        Trigger::Event(_) => {
            let decl = event_decl(flow, catalogue);
            let outputs = decl.as_ref().map_or(&[][..], |d| d.outputs.as_slice());
            let mut fields = Fields::new();
            for output in outputs {
                fields.set(output.key.clone(), made::typed(&output.kind, &output.key, mood, 0));
            }
            for output in raw {
                for name in names::candidates(outputs, &output.group, &output.key) {
                    fields.set(name, made::declared(output, mood));
                }
            }
            Some(fields)
        }
        Trigger::Endpoint(endpoint) => {
            let of = |group: &str, decls: &[FieldDecl]| {
                let value = |d: &FieldDecl| match raw.iter().find(|f| f.group == group && f.key == d.key) {
                    Some(declared) => made::declared(declared, mood),
                    None => made::typed(&d.kind, &d.key, mood, 0),
                };
                Value::Object(decls.iter().map(|d| (d.key.clone(), value(d))).collect())
            };
            let (body, query, headers) =
                (of("body", &endpoint.body), of("query", &endpoint.query), of("headers", &endpoint.headers));
            Some(request(flow, &json!({"body": body, "query": query, "headers": headers})))
        }
    };
    start
}
