//! Two values, and every place where they differ.
//!
//! Must never take two values for equal that a flow's author would tell apart.
//! Tests: below.

use flowdeck_model::Value;

use super::Wrong;

/// Most differences that are told of one value.
const DIFFERENCES_MAX: usize = 20;
/// Stands for any value that is there.
const ANY: &str = "<any>";

/// How much of a map has to be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    /// Every member counts.
    Wrong,
    /// Members that are not named may be anything.
    Fine,
}

/// Adds what differs. Numbers are doubles, so `2` and `2.0` are one.
pub(super) fn compare(expected: &Value, actual: &Value, place: &str, extra: Extra, out: &mut Vec<Wrong>) {
    if out.len() >= DIFFERENCES_MAX || same(expected, actual) {
        return;
    }
    match (expected, actual) {
        (Value::Object(e), Value::Object(a)) => {
            for (key, value) in e {
                let place = member(place, key);
                match a.get(key) {
                    Some(actual) => compare(value, actual, &place, Extra::Wrong, out),
                    None if value.is_null() => {}
                    None => out.push(wrong(&place, Some(value), None)),
                }
            }
            if extra == Extra::Wrong {
                let more = a.iter().filter(|(key, value)| !e.contains_key(*key) && !value.is_null());
                out.extend(more.map(|(key, value)| wrong(&member(place, key), None, Some(value))));
            }
        }
        (Value::Array(e), Value::Array(a)) => {
            for at in 0..e.len().max(a.len()) {
                let place = format!("{place}[{at}]");
                match (e.get(at), a.get(at)) {
                    (Some(e), Some(a)) => compare(e, a, &place, Extra::Wrong, out),
                    (e, a) => out.push(wrong(&place, e, a)),
                }
            }
        }
        _ => out.push(wrong(place, Some(expected), Some(actual))),
    }
}

fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Number(e), Value::Number(a)) => e == a || e.as_f64() == a.as_f64(),
        (Value::String(e), a) if e == ANY => !a.is_null(),
        (Value::String(e), Value::String(_)) if e.starts_with("<new-row:") => true,
        (e, a) => e == a,
    }
}

pub(super) fn member(place: &str, key: &str) -> String {
    let is_plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
    match (is_plain, place) {
        (true, "") => key.to_owned(),
        (true, place) => format!("{place}.{key}"),
        (false, place) => format!("{place}['{key}']"),
    }
}

fn wrong(place: &str, expected: Option<&Value>, actual: Option<&Value>) -> Wrong {
    Wrong { place: place.to_owned(), expected: expected.cloned(), actual: actual.cloned(), about: String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(expected: Value, actual: Value, places: &[&str]) {
        let mut out = Vec::new();
        compare(&expected, &actual, "o", Extra::Wrong, &mut out);
        assert_eq!(out.iter().map(|w| w.place.as_str()).collect::<Vec<_>>(), places, "{out:?}");
    }

    #[test]
    fn each_difference_has_its_place() {
        check(json!({"a": 2, "b": [1, {"c d": "x"}]}), json!({"a": 2.0, "b": [1, {"c d": "x"}], "n": null}), &[]);
        check(
            json!({"a": 2, "b": [1, {"c d": "x"}]}),
            json!({"a": 3, "b": [1, {"c d": "y"}, 4]}),
            &["o.a", "o.b[1]['c d']", "o.b[2]"],
        );
        check(json!({"a": null}), json!({"b": 1}), &["o.b"]);
        check(json!("1"), json!(1), &["o"]);
        check(json!({"id": "<any>", "row": "<new-row:1>"}), json!({"id": 7, "row": "x"}), &[]);
        check(json!({"id": "<any>"}), json!({}), &["o.id"]);
    }
}
