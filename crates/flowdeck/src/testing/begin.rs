//! What a flow starts with, as a test file says it.
//!
//! Must never give a flow a field under a name that its trigger does not use.
//! Tests: `crates/cli/tests/tests_of_flows.rs`, the scenarios of the corpus.

use std::sync::Arc;

use flowdeck_engine::Start;
use flowdeck_format::test_file::Test;
use flowdeck_model::{CardDecl, Catalogue, FieldDecl, Fields, Flow, Trigger, Value};
use serde_json::{Map, json};

use super::names;

/// The starts of a test: one, or one for each of `inputs.events`.
#[must_use]
pub fn starts(flow: &Arc<Flow>, test: &Test, clock: &str, catalogue: &dyn Catalogue) -> Vec<Start> {
    let mut starts = scripted(flow, &test.inputs, clock, catalogue);
    for start in &mut starts {
        for (key, value) in &test.input {
            start.input.set(key.clone(), value.clone());
        }
        if let Some(event) = &test.event {
            start.event = Some(Fields::from_value(Value::Object(event.clone())));
        }
    }
    starts
}

/// The card of the event that starts a flow.
#[must_use]
pub fn event_decl(flow: &Flow, catalogue: &dyn Catalogue) -> Option<Arc<CardDecl>> {
    match &flow.on {
        Trigger::Event(event) => catalogue.card(&event.card),
        _ => None,
    }
}

/// The starts that `inputs` mean by the names of an export: one for each event.
#[must_use]
pub fn scripted(flow: &Arc<Flow>, inputs: &Value, clock: &str, catalogue: &dyn Catalogue) -> Vec<Start> {
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
#[must_use]
pub fn request(flow: &Flow, http: &Value) -> Fields {
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
