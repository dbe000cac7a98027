//! The keys of a flow file and their canonical order: one list for reading, printing, `fmt` and the schema.
//!
//! Must never list a key that the reader does not take.
//! Tests: `tests/samples.rs` (the schema takes what the reader takes).

/// Keys of a flow.
pub(crate) const FLOW: &[&str] = &[
    "flow",
    "description",
    "slots",
    "on",
    "inputs",
    "outputs",
    "limits",
    "timeout",
    "wait",
    "when_not_connected",
    "keep_data",
    "tables",
    "cards",
    "helpers",
];
/// Keys of a helper flow: its name is its key, and it is started by its callers.
pub(crate) const HELPER: &[&str] = &[
    "description",
    "slots",
    "inputs",
    "outputs",
    "limits",
    "timeout",
    "wait",
    "when_not_connected",
    "keep_data",
    "tables",
    "cards",
];
/// Keys of a helper flow that is in a file of its own.
pub(crate) const LINKED_HELPER: &[&str] = &["file", "flow"];
/// Keys of a slot.
pub(crate) const SLOT: &[&str] = &["app", "nickname", "scopes"];
/// Keys of `on`.
pub(crate) const ON: &[&str] = &["schedule", "endpoint", "id", "card", "slot", "unbound", "with"];
/// Keys of `on` for an event card.
pub(crate) const EVENT: &[&str] = &["id", "card", "slot", "unbound", "with"];
/// Keys of a schedule.
pub(crate) const SCHEDULE: &[&str] = &["cron", "timezone", "missed", "within", "overlap"];
/// Keys of an endpoint.
pub(crate) const ENDPOINT: &[&str] = &["methods", "access", "body", "query", "headers"];
/// Keys of a declared field.
pub(crate) const FIELD: &[&str] = &["type", "title", "required", "default", "choices", "help", "secret", "fields"];
/// Keys of `retry`.
pub(crate) const RETRY: &[&str] = &["times", "pause", "factor", "max"];
/// Keys of a lane written as a map.
pub(crate) const LANE: &[&str] = &["cards", "give"];
/// Keys of a branch of `else_if`.
pub(crate) const BRANCH: &[&str] = &["when", "cards", "give"];
/// Keys of `pages`.
pub(crate) const PAGES: &[&str] = &["card", "slot", "unbound", "with"];
/// Keys of `return_raw`.
pub(crate) const RETURN_RAW: &[&str] = &["status", "headers", "body", "go_on"];
/// Keys of `return_error`.
pub(crate) const RETURN_ERROR: &[&str] = &["message", "status", "with", "when"];
/// Keys of `wait` as a map; exactly one is given.
pub(crate) const WAIT: &[&str] = &["for", "until", "signal", "approval"];

/// Keys that any card may have, besides those of its kind.
pub(crate) const COMMON: &[&str] = &["id", "title", "note", "disabled", "timeout"];

/// The kinds of cards by their word, each with its keys in order.
pub(crate) const KINDS: &[(&str, &[&str])] = &[
    ("card", &["card", "slot", "unbound", "with", "retry", "in_doubt"]),
    ("if", &["if", "then", "else"]),
    ("else_if", &["else_if", "else"]),
    ("assign_if", &["assign_if", "then", "else"]),
    ("lookup", &["lookup", "options", "else"]),
    ("continue_if", &["continue_if", "message"]),
    ("for_each", &["for_each", "as", "index", "concurrency", "on_error", "cards", "give"]),
    ("map", &["map", "as", "index", "concurrency", "cards", "value"]),
    ("filter", &["filter", "as", "index", "concurrency", "cards", "keep"]),
    ("reduce", &["reduce", "as", "index", "start", "cards", "value"]),
    ("times", &["times", "as", "concurrency", "cards", "give"]),
    ("while", &["while", "as", "start", "times_max", "cards", "give"]),
    ("try", &["try", "retry", "error", "catch"]),
    ("parallel", &["parallel"]),
    ("call_flow", &["call_flow", "with", "retry"]),
    ("call_flow_async", &["call_flow_async", "with", "retry"]),
    ("return", &["return"]),
    ("return_raw", &["return_raw"]),
    ("return_error", &["return_error"]),
    ("wait", &["wait", "deadline"]),
];

/// The canonical order of all card keys: what it is called, what it is, how it behaves, what is in it.
pub(crate) const CARD: &[&str] = &[
    "id",
    "title",
    "note",
    "disabled",
    "card",
    "slot",
    "unbound",
    "if",
    "else_if",
    "assign_if",
    "lookup",
    "continue_if",
    "for_each",
    "map",
    "filter",
    "reduce",
    "times",
    "while",
    "try",
    "parallel",
    "call_flow",
    "call_flow_async",
    "return",
    "return_raw",
    "return_error",
    "wait",
    "as",
    "index",
    "concurrency",
    "on_error",
    "start",
    "times_max",
    "with",
    "message",
    "deadline",
    "timeout",
    "retry",
    "in_doubt",
    "options",
    "then",
    "else",
    "error",
    "catch",
    "cards",
    "value",
    "keep",
    "give",
];
