//! The lenient comparison of the scenarios: equal where the platform is free.
//!
//! Must never take two values for equal that a flow's author would tell apart.
//! Tests: below.

use std::collections::HashMap;

use flowdeck_model::Value;
use serde_json::Map;

/// Opaque ids seen so far: what stands in the scenario, and what it was here.
#[derive(Debug, Default, Clone)]
pub(crate) struct Opaque {
    /// Only what is named counts: other keys of objects may be there, and `<any>` and `<has: …>` stand for values.
    pub(crate) named_only: bool,
    known: HashMap<String, String>,
    /// `row-N`, the N-th seeded row of some table, and the ids of those rows.
    seeded: HashMap<String, Vec<String>>,
}

impl Opaque {
    /// A row that was there before the run.
    pub(crate) fn seeded(&mut self, nth: usize, id: &str) {
        self.seeded.entry(format!("row-{nth}")).or_default().push(id.to_owned());
    }

    /// Whether `expected` stands for values, and `actual` is one: `<any>` for all but nothing, `<has: a | b>` for texts
    /// (and the JSON of other values) in which each part is.
    fn stands_for(&self, expected: &str, actual: &Value) -> Option<bool> {
        if !self.named_only {
            return None;
        }
        if expected == "<any>" {
            return Some(!is_empty(actual));
        }
        let parts = expected.strip_prefix("<has: ")?.strip_suffix('>')?;
        let text = actual.as_str().map_or_else(|| actual.to_string(), ToOwned::to_owned);
        Some(parts.split(" | ").all(|part| text.contains(part)))
    }

    /// Whether `expected` is an opaque id, and `actual` the one that stands for it.
    fn same(&mut self, expected: &str, actual: &Value) -> Option<bool> {
        if let Some(rows) = self.seeded.get(expected) {
            return Some(rows.iter().any(|id| *actual == **id));
        }
        if !(expected.starts_with("<new-row:") || expected.starts_with("<execution")) {
            return None;
        }
        let Value::String(actual) = actual else { return Some(false) };
        if let Some(known) = self.known.get(expected) {
            return Some(known == actual);
        }
        if self.known.values().any(|known| known == actual) {
            return Some(false);
        }
        self.known.insert(expected.to_owned(), actual.clone());
        Some(true)
    }
}

/// `""`, `null`, `{}`, `[]` and missing are one.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        _ => false,
    }
}

/// An unset parameter: empty, `0` or `false`.
pub(crate) fn is_unset(value: &Value) -> bool {
    is_empty(value) || value == &Value::Bool(false) || value.as_f64() == Some(0.0) || *value == "No"
}

/// A text with ids of executions that begin with `mark` taken out: they are opaque, inside texts too.
fn masked(text: &str, mark: &str) -> String {
    let mut parts = text.split(mark);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push('\u{1}');
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_alphanumeric()));
    }
    out
}

fn instant(value: &Value) -> Option<i64> {
    let text = value.as_str().filter(|t| t.len() >= 19 && t.as_bytes()[4] == b'-')?;
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str().filter(|t| !t.trim().is_empty()).and_then(|t| t.trim().parse().ok()))
}

fn parsed(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    let looks = text.starts_with(['{', '[']);
    looks.then(|| serde_json::from_str(text).ok()).flatten()
}

fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::String(text) if text.eq_ignore_ascii_case("yes") || text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("no") || text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Compares; answers what differs, with the place, or nothing.
pub(crate) fn differs(expected: &Value, actual: &Value, place: &str, opaque: &mut Opaque) -> Option<String> {
    if expected == actual || (is_empty(expected) && is_empty(actual)) {
        return None;
    }
    if let Value::String(text) = expected
        && let Some(same) = opaque.same(text, actual).or_else(|| opaque.stands_for(text, actual))
    {
        return (!same).then(|| said(expected, actual, place));
    }
    if let (Value::String(a), Value::String(b)) = (expected, actual)
        && a.contains("execution-")
        && masked(a, "execution-") == masked(b, "run_")
    {
        return None;
    }
    if let (Some(a), Some(b)) = (instant(expected), instant(actual)) {
        return (a != b).then(|| said(expected, actual, place));
    }
    match (expected, actual) {
        (Value::Object(e), Value::Object(a)) => objects(e, a, place, opaque),
        (Value::Array(e), Value::Array(a)) if e.len() == a.len() => {
            e.iter().zip(a).enumerate().find_map(|(at, (e, a))| differs(e, a, &format!("{place}[{at}]"), opaque))
        }
        _ => {
            if let (Some(a), Some(b)) = (number(expected), number(actual))
                && (a - b).abs() <= 1e-9 * a.abs().max(1.0)
            {
                return None;
            }
            if let (Some(a), Some(b)) = (truth(expected), truth(actual))
                && a == b
            {
                return None;
            }
            match (parsed(expected), parsed(actual)) {
                (None, None) => Some(said(expected, actual, place)),
                (e, a) => differs(e.as_ref().unwrap_or(expected), a.as_ref().unwrap_or(actual), place, opaque),
            }
        }
    }
}

fn objects(
    expected: &Map<String, Value>,
    actual: &Map<String, Value>,
    place: &str,
    opaque: &mut Opaque,
) -> Option<String> {
    let null = Value::Null;
    let missing = expected
        .iter()
        .find_map(|(key, value)| differs(value, actual.get(key).unwrap_or(&null), &format!("{place}.{key}"), opaque));
    if opaque.named_only {
        return missing;
    }
    missing.or_else(|| {
        let extra = actual.iter().find(|(key, value)| !expected.contains_key(*key) && !is_empty(value));
        extra.map(|(key, value)| said(&null, value, &format!("{place}.{key}")))
    })
}

/// Says both in short.
pub(crate) fn said(expected: &Value, actual: &Value, place: &str) -> String {
    format!("{place}: expected {}, got {}", short(expected), short(actual))
}

/// A value in at most 160 characters.
pub(crate) fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(160) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_where_the_platform_is_free() {
        for (expected, actual, same) in [
            (json!(""), json!(null), true),
            (json!({}), json!([]), true),
            (json!({"a": ""}), json!({}), true),
            (json!({"a": 1}), json!({"a": 1, "b": null}), true),
            (json!({"a": 1}), json!({"a": 1, "b": 2}), false),
            (json!("2024-01-15T10:30:00.000Z"), json!("2024-01-15T11:30:00+01:00"), true),
            (json!("2024-01-15T10:30:00.000Z"), json!("2024-01-15T10:30:01Z"), false),
            (json!("{\"a\": 1}"), json!("{\"a\":1}"), true),
            (json!({"a": 1}), json!("{\"a\":1}"), true),
            (json!("11"), json!(11), true),
            (json!("11"), json!(12), false),
            (json!("id: execution-1, a"), json!("id: run_01hm6a, a"), true),
            (json!("id: execution-1, a"), json!("id: run_01hm6a, b"), false),
            (json!([1, 2]), json!([2, 1]), false),
            (json!("a"), json!("b"), false),
        ] {
            let found = differs(&expected, &actual, "", &mut Opaque::default());
            assert_eq!(found.is_none(), same, "{expected} {actual}: {found:?}");
        }
    }

    #[test]
    fn what_is_not_named_counts_only_where_it_is_asked_for() {
        let mut named = Opaque { named_only: true, ..Opaque::default() };
        for (expected, actual, same) in [
            (json!({"a": 1}), json!({"a": 1, "b": 2}), true),
            (json!({"a": 1}), json!({"b": 2}), false),
            (json!("<any>"), json!("x"), true),
            (json!("<any>"), json!(null), false),
            (json!("<has: Ada | 10.0.0.1>"), json!("Ada from 10.0.0.1"), true),
            (json!("<has: Ada | 10.0.0.1>"), json!("Ada"), false),
            (json!("<has: Ada>"), json!({"who": ["Ada"]}), true),
        ] {
            assert_eq!(differs(&expected, &actual, "", &mut named).is_none(), same, "{expected} {actual}");
        }
        assert!(differs(&json!("<any>"), &json!("x"), "", &mut Opaque::default()).is_some());
    }

    #[test]
    fn an_opaque_id_stands_for_one_thing() {
        let mut opaque = Opaque::default();
        assert!(differs(&json!("<new-row:1>"), &json!("r7"), "", &mut opaque).is_none());
        assert!(differs(&json!("<new-row:1>"), &json!("r7"), "", &mut opaque).is_none());
        assert!(differs(&json!("<new-row:1>"), &json!("r8"), "", &mut opaque).is_some());
        opaque.seeded(2, "r5");
        assert!(differs(&json!("row-2"), &json!("r5"), "", &mut opaque).is_none());
        assert!(differs(&json!("row-2"), &json!("r7"), "", &mut opaque).is_some());
    }
}
