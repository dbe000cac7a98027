//! The published JSON Schema (draft 2020-12) of test files, for editors.
//!
//! Must never refuse a file that `read` takes; `read` says more, and better.
//! Tests: `tests/test_files.rs`.

use serde_json::{Map, Value, json};

use super::read::{ANSWER, ANSWERED_ERROR, ERROR, INPUTS, REQUEST, TEST};
use super::{ENDS, EXPECTED};

/// The JSON Schema of test files.
#[must_use]
pub fn schema() -> Value {
    let mut root = object(TEST, test_key);
    root["properties"]["cases"] = json!({
        "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/test" },
        "description": "Several tests; what stands beside `cases` is shared by all of them."
    });
    let mut out = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "flowdeck test file" });
    if let (Value::Object(out), Value::Object(root)) = (&mut out, root) {
        out.extend(root);
        out.insert("$defs".into(), definitions());
    }
    out
}

fn definitions() -> Value {
    json!({
        "test": object(TEST, test_key),
        "answer": {
            "allOf": [object(ANSWER, |key| match key {
                "outputs" => json!({ "type": "object", "description": "Outputs of the card by field, or by an export's group and key." }),
                "records" => json!({ "type": "array", "description": "The items of a card that gives them page by page." }),
                _ => object(ANSWERED_ERROR, error_key),
            })],
            "minProperties": 1, "maxProperties": 1
        },
        "expected": object(EXPECTED, expected_key),
    })
}

fn object(keys: &[&str], of: impl Fn(&str) -> Value) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), of(key))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn test_key(key: &str) -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let map = |about: &str| json!({ "type": "object", "description": about });
    match key {
        "id" => text("Its name in messages."),
        "why" => text("What it shows."),
        "file" | "export" => {
            text("The flow file or export, as seen from here; welcome.flow.yaml for welcome.test.yaml where not said.")
        }
        "flow" => text("Which flow, where the file holds several."),
        "clock" => text("The time at the start: 2024-01-15T10:30:00Z."),
        "input" => map("Values of the flow's inputs."),
        "event" => map("Fields of the event that starts the flow."),
        "inputs" => object(INPUTS, |_| json!({})),
        "connections" => json!({
            "type": "object",
            "additionalProperties": { "type": "object", "additionalProperties": { "type": "string" } },
            "description": "Fields of connections that are not secret, by app."
        }),
        "tables" => tables("Rows that are there before the start, by table."),
        "answers" | "app_answers" => json!({
            "type": "object",
            "additionalProperties": { "oneOf": [
                { "$ref": "#/$defs/answer" },
                { "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/answer" } }
            ] },
            "description": "Answers of apps by step (each[0].send), card id (send) or card (okta/readUser); in order, the last one repeats."
        }),
        "decisions" => json!({
            "type": "object",
            "additionalProperties": { "oneOf": [
                { "enum": ["approve", "reject"] },
                { "type": "object", "required": ["signal"], "properties": { "signal": {} }, "additionalProperties": false }
            ] },
            "description": "What people and programs say to waits, by step or card id."
        }),
        "expected" => json!({ "$ref": "#/$defs/expected" }),
        _ => json!({ "type": "array", "items": { "type": "string" } }),
    }
}

fn tables(about: &str) -> Value {
    json!({ "type": "object", "additionalProperties": { "type": "array" }, "description": about })
}

fn error_key(key: &str) -> Value {
    match key {
        "statusCode" => json!({ "type": "integer" }),
        "message" | "code" => json!({ "type": "string" }),
        _ => json!({}),
    }
}

fn expected_key(key: &str) -> Value {
    match key {
        "status" => json!({ "enum": ENDS }),
        "output" => json!({ "description": "What the flow returns." }),
        "outputs" => json!({
            "type": "object", "additionalProperties": { "type": "object" },
            "description": "Outputs by card id or step; only the fields that are named are compared."
        }),
        "requests" => json!({
            "type": "array", "items": object(REQUEST, |_| json!({})),
            "description": "Every request that changes something, and no other; of each only what is named is compared."
        }),
        "error" => json!({ "oneOf": [{ "type": "string" }, { "type": "null" }, object(ERROR, error_key)] }),
        "tables" => tables("Rows after the run, by table."),
        "app_calls" => json!({ "type": "array" }),
        "key_outputs" => json!({ "type": "object" }),
        "named_only" => {
            json!({ "type": "boolean", "description": "Of app_calls, key_outputs, tables and output only what is named counts." })
        }
        _ => json!({}),
    }
}
