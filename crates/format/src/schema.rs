//! The published JSON Schema (draft 2020-12) of flow files, for editors.
//!
//! Must never refuse a file that `read` takes; `read` says more, and better.
//! Tests: `tests/samples.rs`.

use serde_json::{Map, Value, json};

use crate::order;
use crate::read::words::{
    ACCESS, COLUMN_WORDS, IN_DOUBT, METHODS, MISSED, ON_ERROR, OVERLAP, TYPE_WORDS, WHEN_NOT_CONNECTED,
};

/// The JSON Schema of flow files.
///
/// ```
/// let schema = flowdeck_format::schema();
/// assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
/// ```
#[must_use]
pub fn schema() -> Value {
    let flow = reference("flow");
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "flowdeck flow file",
        "if": { "required": ["flows"] },
        "then": {
            "type": "object",
            "properties": { "flows": { "type": "array", "items": flow } },
            "additionalProperties": false
        },
        "else": flow,
        "$defs": definitions(),
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn words<T>(words: &[(&str, T)]) -> Value {
    json!({ "enum": words.iter().map(|(word, _)| *word).collect::<Vec<_>>() })
}

fn definitions() -> Value {
    let type_pattern = format!("^(list of )*({})$", TYPE_WORDS.join("|"));
    let mut out = json!({
        "id": { "type": "string", "pattern": "^[a-z_][a-z0-9_]{0,63}$" },
        "card_name": { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*$" },
        "plain_name": { "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}$" },
        "duration": {
            "type": "string",
            "pattern": "^\\s*([0-9]+(d|h|m|s|ms)\\s*)+$",
            "description": "A number and a unit: 500ms, 90s, 10m, 2h, 30d, or a sum as 1h30m."
        },
        "mapping": { "description": "A value; `${…}` in texts refers to earlier cards." },
        "mappings": { "type": ["object", "null"], "description": "Values by name; `${…}` in texts refers to earlier cards." },
        "type": { "type": "string", "pattern": type_pattern },
        "field": { "oneOf": [reference("type"), reference("field_map")] },
        "fields": { "type": ["object", "null"], "additionalProperties": reference("field") },
        "cards": { "type": ["array", "null"], "items": reference("card") },
        "lane": { "oneOf": [reference("cards"), reference("lane_map")] },
        "slots": {
            "type": ["object", "null"],
            "propertyNames": reference("id"),
            "additionalProperties": { "oneOf": [reference("plain_name"), reference("slot")] }
        },
        "tables": {
            "type": "object",
            "additionalProperties": { "type": "object", "additionalProperties": words(COLUMN_WORDS) }
        },
        "card": { "oneOf": order::KINDS.iter().map(|(word, _)| reference(&format!("card_{word}"))).collect::<Vec<_>>() },
    });
    let maps: [(&str, &[&str], &[&str]); 14] = [
        ("flow", order::FLOW, &["flow", "cards"]),
        ("helper", order::HELPER, &["cards"]),
        ("linked_helper", order::LINKED_HELPER, &["file"]),
        ("field_map", order::FIELD, &[]),
        ("lane_map", order::LANE, &[]),
        ("branch", order::BRANCH, &["when"]),
        ("slot", order::SLOT, &["app"]),
        ("schedule", order::SCHEDULE, &["cron"]),
        ("endpoint", order::ENDPOINT, &[]),
        ("event", order::EVENT, &["card"]),
        ("retry", order::RETRY, &["times"]),
        ("pages", order::PAGES, &["card"]),
        ("return_raw", order::RETURN_RAW, &[]),
        ("return_error", order::RETURN_ERROR, &["message"]),
    ];
    if let Value::Object(out) = &mut out {
        for (name, keys, required) in maps {
            out.insert(name.into(), object(name, keys.iter().copied(), required));
        }
        for (word, keys) in order::KINDS {
            let keys = order::COMMON.iter().chain(*keys).copied();
            let required: &[&str] = match *word {
                "if" | "assign_if" => &["then"],
                "lookup" => &["options"],
                "map" => &["value"],
                "filter" => &["keep"],
                "reduce" => &["start", "value"],
                _ => &[],
            };
            let required: Vec<_> = std::iter::once(*word).chain(required.iter().copied()).collect();
            out.insert(format!("card_{word}"), object(word, keys, &required));
        }
    }
    out
}

fn object<'k>(what: &str, keys: impl Iterator<Item = &'k str>, required: &[&str]) -> Value {
    let properties: Map<String, Value> = keys.map(|key| (key.to_string(), key_schema(what, key))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// What the value of a key may be in a map of a kind.
fn key_schema(what: &str, key: &str) -> Value {
    let text = json!({ "type": "string" });
    match (what, key) {
        (_, "file") => text,
        ("flow" | "linked_helper", "flow")
        | ("call_flow", "call_flow")
        | ("call_flow_async", "call_flow_async")
        | (_, "app") => reference("plain_name"),
        ("flow" | "helper", "wait") | (_, "timeout" | "deadline" | "pause" | "max" | "within") => reference("duration"),
        (_, "description" | "title" | "note" | "help" | "cron" | "timezone" | "nickname") => text,
        (_, "scopes" | "choices") => json!({ "type": "array", "items": text }),
        (_, "slots" | "tables") => reference(key),
        (_, "inputs" | "outputs" | "fields") => reference("fields"),
        (_, "limits") => json!({
            "type": "object", "propertyNames": reference("card_name"), "additionalProperties": { "type": "integer", "minimum": 0 }
        }),
        (_, "when_not_connected") => words(WHEN_NOT_CONNECTED),
        ("schedule", "missed") => words(MISSED),
        ("schedule", "overlap") => words(OVERLAP),
        (_, "keep_data" | "required" | "secret" | "disabled" | "unbound") => json!({ "type": "boolean" }),
        (_, "helpers") => json!({
            "type": "object", "propertyNames": reference("plain_name"),
            "additionalProperties": { "if": { "required": ["file"] }, "then": reference("linked_helper"), "else": reference("helper") }
        }),
        (_, "on") => json!({ "oneOf": [
            { "enum": ["manual", "delegated"] },
            reference("event"),
            { "type": "object", "properties": { "schedule": reference("schedule") }, "required": ["schedule"], "additionalProperties": false },
            { "type": "object", "properties": { "endpoint": reference("endpoint") }, "required": ["endpoint"], "additionalProperties": false }
        ] }),
        ("endpoint", "methods") => json!({ "type": "array", "items": { "enum": METHODS } }),
        ("endpoint", "access") => words(ACCESS),
        ("endpoint", "body" | "query" | "headers") => reference("fields"),
        ("field_map", "type") => reference("type"),
        (_, "cards") => reference("cards"),
        (_, "id" | "as" | "index" | "error" | "slot") => reference("id"),
        (_, "card") => reference("card_name"),
        (_, "with" | "give" | "return") | ("while", "start") | ("lookup", "options") => reference("mappings"),
        ("retry", "times") => json!({ "type": "integer", "minimum": 1, "maximum": 1000 }),
        ("retry", "factor") => json!({ "type": "number", "minimum": 1, "maximum": 100 }),
        (_, "retry") => reference("retry"),
        (_, "in_doubt") => words(IN_DOUBT),
        (_, "on_error") => words(ON_ERROR),
        (_, "concurrency") => json!({ "type": "integer", "minimum": 1, "maximum": 200 }),
        (_, "times_max") => json!({ "type": "integer", "minimum": 1, "maximum": 1_000_000 }),
        ("if" | "else_if" | "try", "then" | "else" | "try" | "catch") => reference("lane"),
        ("else_if", "else_if") => json!({ "type": "array", "items": reference("branch") }),
        ("for_each" | "map" | "filter" | "reduce", _) if key == what => json!({
            "if": { "type": "object", "required": ["pages"] },
            "then": { "properties": { "pages": reference("pages") }, "additionalProperties": false }
        }),
        ("parallel", "parallel") => json!({
            "type": "object", "propertyNames": reference("id"), "additionalProperties": reference("lane")
        }),
        ("return_raw", "return_raw") => reference("return_raw"),
        ("return_error", "return_error") => json!({
            "if": { "type": "object" }, "then": reference("return_error")
        }),
        ("return_raw", "go_on") => json!({ "type": "boolean" }),
        ("wait", "wait") => json!({ "oneOf": [
            reference("duration"),
            { "type": "string", "pattern": "\\$\\{" },
            { "type": "object", "minProperties": 1, "maxProperties": 1, "propertyNames": { "enum": order::WAIT } }
        ] }),
        _ => reference("mapping"),
    }
}
