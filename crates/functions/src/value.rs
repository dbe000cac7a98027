//! Values as people mean them: text form, number form, emptiness, equality.
//!
//! Must never copy a value that can be borrowed.
//! Tests: below.

use std::cmp::Ordering;

pub(crate) use flowdeck_model::compare::{is_empty, number, same, text};
use flowdeck_model::{Fault, Value, compare};

/// True or false, also from text and numbers.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Number(n) => n.as_f64().map(|n| n != 0.0),
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// A number as a value; whole numbers as JSON integers.
///
/// # Errors
/// `bad-input` where it is not finite.
pub(crate) fn of_number(number: f64) -> Result<Value, Fault> {
    if let Some(whole) = compare::whole(number) {
        return Ok(Value::from(whole));
    }
    if number.is_nan() {
        return Err(Fault::bad_input("the result is not a number").remedy("check the numbers given"));
    }
    serde_json::Number::from_f64(number)
        .map(Value::Number)
        .ok_or_else(|| Fault::bad_input("the result is too large to be a number").remedy("check the numbers given"))
}

/// A count as a value.
pub(crate) fn of_count(count: usize) -> Value {
    Value::from(u64::try_from(count).unwrap_or(u64::MAX))
}

/// A text that is equal for two values exactly if [`same`] holds: the key of sets and maps over values.
pub(crate) fn identity(value: &Value) -> String {
    let mut out = String::new();
    write_identity(value, &mut out);
    out
}

fn write_identity(value: &Value, out: &mut String) {
    use std::fmt::Write;
    match value {
        Value::Number(n) => {
            let f = n.as_f64().unwrap_or(0.0);
            let f = if f == 0.0 { 0.0 } else { f };
            let _ = write!(out, "{f:?}");
        }
        Value::Array(list) => {
            out.push('[');
            for item in list {
                write_identity(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<_> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for key in keys {
                let _ = write!(out, "{key:?}:");
                write_identity(&map[key], out);
                out.push(',');
            }
            out.push('}');
        }
        Value::String(text) => {
            let _ = write!(out, "{text:?}");
        }
        other => {
            let _ = write!(out, "{other}");
        }
    }
}

/// An order of all values: null, false, true, numbers, texts, lists, objects. Null comes first.
pub(crate) fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    };
    match (a, b) {
        (Value::Bool(x), Value::Bool(y)) => x.cmp(y),
        (Value::Number(x), Value::Number(y)) => {
            x.as_f64().unwrap_or(0.0).partial_cmp(&y.as_f64().unwrap_or(0.0)).unwrap_or(Ordering::Equal)
        }
        (Value::String(x), Value::String(y)) => x.cmp(y),
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => identity(a).cmp(&identity(b)),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// What a value is, in words for a message.
pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => format!("the number {n}"),
        Value::String(text) => format!("the text `{}`", short(text)),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".into(),
    }
}

/// The beginning of a text, for messages.
pub(crate) fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_forms() {
        for (value, expected) in [
            (json!(null), ""),
            (json!(3.0), "3"),
            (json!(0.5), "0.5"),
            (json!(1.3300848771e17), "133008487710000000"),
            (json!([1, "a"]), r#"[1,"a"]"#),
            (json!([]), "[]"),
        ] {
            assert_eq!(text(&value), expected);
        }
    }

    #[test]
    fn identity_agrees_with_equality() {
        let values = [
            json!(1),
            json!(1.0),
            json!("1"),
            json!(-0.0),
            json!(0),
            json!({"a": 1, "b": [2]}),
            json!({"b": [2.0], "a": 1}),
            json!([]),
            json!({}),
            json!("[]"),
            json!(null),
            json!("null"),
        ];
        for a in &values {
            for b in &values {
                assert_eq!(same(a, b), identity(a) == identity(b), "{a} and {b}");
            }
        }
    }
}
