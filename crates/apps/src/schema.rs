//! The published JSON Schema (draft 2020-12) of app files, for editors.
//!
//! Must never refuse a file that `App::read` takes; reading says more.
//! Tests: `tests/documents.rs`.

use serde_json::{Map, Value, json};

/// The JSON Schema of app files.
#[must_use]
pub fn app_schema() -> Value {
    let file = [
        (
            "app",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,119}$", "description": "The family of its cards." }),
        ),
        ("title", text()),
        ("summary", text()),
        (
            "version",
            json!({ "type": "string", "description": "Rises with each change that connections must know of." }),
        ),
        ("sources", texts()),
        ("unconfirmed", texts()),
        ("auth", reference("auth")),
        ("base_url", mapping("Base of relative addresses: https://${connection.domain}")),
        ("requests_per_second", json!({ "type": "number", "exclusiveMinimum": 0 })),
        ("rate_limit_reset_header", text()),
        ("answers_json", json!({ "type": "boolean" })),
        ("headers", mappings()),
        ("errors", json!({ "type": "array", "items": reference("error") })),
        ("actions", json!({ "type": "object", "additionalProperties": reference("action") })),
        ("events", json!({ "type": "object", "additionalProperties": reference("event") })),
    ];
    let mut schema = object(file, &["app", "title", "summary", "version"]);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("flowdeck app file");
    schema["$defs"] = definitions();
    schema
}

fn definitions() -> Value {
    let boolean = || json!({ "type": "boolean" });
    let fields = || json!({ "type": "array", "items": reference("field") });
    let effect = json!({ "enum": ["pure", "observe", "idempotent", "write"] });
    json!({
        "auth": object([
            ("methods", json!({ "type": "array", "items": object_open(&["key", "title", "fields", "kind"]) })),
            ("scopes", json!({ "type": "object", "additionalProperties": text() })),
            ("default_scopes", texts()),
            ("hosts", texts()),
            ("private_hosts", boolean()),
            ("probe", object_open(&["url", "subject", "label"])),
            ("errors", json!({ "type": "object" })),
            ("help", text()),
        ], &["methods", "hosts"]),
        "field": object_open(&["key"]),
        "request": object([
            ("method", mapping("GET, POST, …; or a mapping.")),
            ("path", mapping("Below the base address, or a whole address.")),
            ("query", mappings()),
            ("more_query", mapping("An object or a text of further parameters.")),
            ("headers", mappings()),
            ("more_headers", mapping("An object of further headers.")),
            ("json", mapping("The body as JSON; null members are left out.")),
            ("more_json", object([("at", text()), ("members", mapping("An object."))], &["at", "members"])),
            ("form", mappings()),
            ("body", mapping("Text as it is, anything else as JSON.")),
            ("text", mapping("The body as text.")),
        ], &["method", "path"]),
        "output": object([
            ("field", reference("field")),
            ("value", mapping("Over response, input and connection.")),
            ("list", object([("each", mapping("A list.")), ("item", mapping("Over item."))], &["each", "item"])),
        ], &["field"]),
        "pagination": object([
            ("output", text()),
            ("next", json!({ "oneOf": [{ "const": "link_header" }, { "type": "object", "minProperties": 1, "maxProperties": 1 }] })),
            ("pages_max", json!({ "type": "integer", "minimum": 1 })),
        ], &["output", "next"]),
        "error": object([
            ("status", json!({ "type": "array", "items": { "type": "integer" } })),
            ("present", text()),
            ("message", text()),
            ("transient", boolean()),
        ], &["message"]),
        "action": object([
            ("title", text()),
            ("summary", text()),
            ("help", text()),
            ("effect", effect),
            ("in_doubt", json!({ "enum": ["retry", "check", "ask"] })),
            ("scopes", texts()),
            ("needs_role", text()),
            ("every_answer", boolean()),
            ("export_names", texts()),
            ("inputs", fields()),
            ("more_inputs", boolean()),
            ("more_outputs", mapping("An object whose members become further outputs.")),
            ("request", reference("request")),
            ("idempotency_header", text()),
            ("outputs", json!({ "type": "array", "items": reference("output") })),
            ("pagination", reference("pagination")),
            ("also_ok", json!({ "type": "array", "items": { "type": "integer" } })),
            ("look_up", object([
                ("request", reference("request")),
                ("happened", mapping("True when it happened.")),
                ("did_not", mapping("True when it surely did not.")),
                ("outputs", mappings()),
            ], &["request", "happened"])),
            ("timeout_ms", json!({ "type": "integer", "minimum": 1 })),
        ], &["title", "summary", "effect", "request"]),
        "event": object([
            ("title", text()),
            ("summary", text()),
            ("help", text()),
            ("export_names", texts()),
            ("inputs", fields()),
            ("scopes", texts()),
            ("each", mapping("A list, one entry an event.")),
            ("when", mapping("Over item.")),
            ("outputs", json!({ "type": "array", "items": reference("output") })),
            ("key", mapping("Names the event for ever.")),
            ("webhook", json!({ "type": ["string", "object"] })),
            ("poll", object_open(&["request", "cursor", "every_s"])),
        ], &["title", "summary", "each", "outputs", "key"]),
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn texts() -> Value {
    json!({ "type": "array", "items": text() })
}

fn mapping(about: &str) -> Value {
    json!({ "description": about })
}

fn mappings() -> Value {
    json!({ "type": "object", "description": "Values by name; `${…}` in texts refers to input, connection, response and so on." })
}

fn object<const N: usize>(properties: [(&str, Value); N], required: &[&str]) -> Value {
    let properties: Map<String, Value> = properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn object_open(required: &[&str]) -> Value {
    json!({ "type": "object", "required": required })
}
