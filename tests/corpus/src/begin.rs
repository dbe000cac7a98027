//! What a flow starts with, made from declared fields.
//!
//! Must never give a flow a field under a name that its trigger does not use.
//! Tests: the scenarios.

use std::sync::Arc;

use flowdeck::testing::begin::{event_decl, request};
use flowdeck_engine::Start;
use flowdeck_model::{Catalogue, FieldDecl, Fields, Flow, Trigger, Value};
use serde_json::json;

use crate::made::{self, Mood};
use crate::source::Sample;
use flowdeck::testing::names;

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
