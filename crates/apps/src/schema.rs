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
        ("export_connectors", texts()),
        ("shared", json!({ "type": "object", "description": "Pieces that `$use` puts in." })),
        (
            "shapes",
            json!({ "type": "object", "additionalProperties": { "type": "array", "items": reference("output") } }),
        ),
        ("addresses", json!({ "type": "object", "description": "Addresses of the app: ${app.NAME}." })),
        ("auth", reference("auth")),
        ("base_url", mapping("Base of relative addresses: https://${connection.domain}")),
        ("requests_per_second", json!({ "type": "number", "exclusiveMinimum": 0 })),
        ("rate_limit_reset_header", text()),
        ("answers_json", json!({ "type": "boolean" })),
        ("headers", mappings()),
        ("errors", json!({ "anyOf": [{ "type": "array", "items": reference("error") }, { "required": ["$use"] }] })),
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
    let piece = || json!({ "required": ["$use"] });
    let fields = || json!({ "type": "array", "items": { "anyOf": [reference("field"), piece()] } });
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
            ("paths", json!({ "type": "array", "items": object([("when", mapping("Over input.")), ("path", text())], &["path"]) })),
            ("make", json!({ "type": "object", "description": "Values made for the request: made.NAME." })),
            ("own_credential", mapping("An Authorization that an earlier read brought.")),
            ("parts", json!({ "type": "array", "items": object([("json", mapping("A part in JSON.")), ("file", mapping("A file."))], &[]) })),
            ("json", mapping("The body as JSON; null members are left out.")),
            ("more_json", object([("at", text()), ("members", mapping("An object."))], &["at", "members"])),
            ("form", mappings()),
            ("body", mapping("Text as it is, anything else as JSON.")),
            ("text", mapping("The body as text.")),
        ], &["method"]),
        "output": object([
            ("field", reference("field")),
            ("key", text()),
            ("title", text()),
            ("type", json!({ "type": ["string", "object"] })),
            ("help", text()),
            ("secret", boolean()),
            ("group", text()),
            ("exported", text()),
            ("export_key", text()),
            ("at", json!({ "type": "string", "description": "A place in the body: /users/0/id." })),
            ("file", mapping("The name of the file that the body is.")),
            ("rows", json!({ "type": "object" })),
            ("number_in", text()),
            ("after_last", json!({ "type": "object" })),
            ("where", json!({ "type": "object" })),
            ("list_of", text()),
            ("object_of", text()),
            ("all_of", text()),
            ("text", places()),
            ("number", places()),
            ("boolean", places()),
            ("date", places()),
            ("any", places()),
            ("object", places()),
            ("texts", places()),
            ("numbers", places()),
            ("objects", places()),
            ("value", mapping("Over response, input and connection.")),
            ("list", mapping("Made item by item: {each, item}.")),
        ], &[]),
        "pagination": object([
            ("output", text()),
            ("next", json!({ "oneOf": [{ "const": "link_header" }, { "type": "object", "minProperties": 1, "maxProperties": 1 }] })),
            ("pages_max", json!({ "type": "integer", "minimum": 1 })),
            ("one_page", mapping("Whether the first page will do.")),
            ("items_max", mapping("Most items wanted.")),
        ], &["output", "next"]),
        "error": object([
            ("status", json!({ "type": "array", "items": { "type": "integer" } })),
            ("present", text()),
            ("is", json!({ "type": "object" })),
            ("message", text()),
            ("transient", boolean()),
        ], &["message"]),
        "action": object([
            ("title", text()),
            ("summary", text()),
            ("help", text()),
            ("effect", effect),
            ("in_doubt", json!({ "enum": ["retry", "check", "ask"] })),
            ("scopes", json!({ "type": "array" })),
            ("needs_role", json!({ "type": ["string", "object"] })),
            ("every_answer", boolean()),
            ("before", json!({ "type": "object", "description": "Reads that come first: before.NAME." })),
            ("repeat", mapping("A list: once for each.")),
            ("connection", boolean()),
            ("export_names", texts()),
            ("inputs", fields()),
            ("more_inputs", boolean()),
            ("more_outputs", mapping("An object whose members become further outputs.")),
            ("request", reference("request")),
            ("idempotency_header", text()),
            ("outputs", json!({ "type": "array", "items": reference("output") })),
            ("pagination", json!({ "anyOf": [reference("pagination"), piece()] })),
            ("also_ok", json!({ "type": "array", "items": { "type": "integer" } })),
            ("look_up", object([
                ("request", reference("request")),
                ("happened", mapping("True when it happened.")),
                ("did_not", mapping("True when it surely did not.")),
                ("outputs", mappings()),
            ], &["request", "happened"])),
            ("timeout_ms", json!({ "type": "integer", "minimum": 1 })),
        ], &["title", "summary", "effect"]),
        "event": object([
            ("title", text()),
            ("summary", text()),
            ("help", text()),
            ("inputs", fields()),
            ("scopes", texts()),
            ("export_names", texts()),
            ("each", mapping("A list, one entry an event.")),
            ("more_outputs", mapping("An object whose members become further outputs.")),
            ("when", mapping("Over item.")),
            ("outputs", json!({ "type": "array", "items": reference("output") })),
            ("key", mapping("Names the event for ever.")),
            ("webhook", json!({ "type": ["string", "object"] })),
            ("poll", object([
                ("request", reference("request")),
                ("cursor", mapping("Where the next poll begins, over response and cursor.")),
                ("every_s", json!({ "type": "integer", "minimum": 5 })),
                ("from", mapping("Where the first poll begins; `now` is the time.")),
            ], &["request", "cursor", "every_s"])),
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

fn places() -> Value {
    json!({ "type": "object", "description": "Outputs of this type: name to place." })
}

fn object<const N: usize>(properties: [(&str, Value); N], required: &[&str]) -> Value {
    let mut properties: Map<String, Value> =
        properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    properties.insert("$use".into(), text());
    properties.insert("$with".into(), json!({ "type": "object" }));
    let whole = [json!({ "required": required }), json!({ "required": ["$use"] })];
    json!({ "type": "object", "properties": properties, "anyOf": whole, "additionalProperties": false })
}

fn object_open(required: &[&str]) -> Value {
    json!({ "type": "object", "required": required })
}
