//! Loose comparisons: what Okta's conditions mean by equal, less, in, has and empty. Cards and expressions share them.
//!
//! Must never fail for values that a person would expect to be comparable, nor copy one that can be borrowed.
//! Tests: below; each card's own in `crates/functions`.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

/// What conditions know.
pub const OPERATORS: &[&str] =
    &["==", "!=", ">=", "<=", ">", "<", "%", "in", "not in", "has", "doesn't have", "is empty", "is not empty"];

/// Whether `left operator right` holds; `None` for an operator that is none of [`OPERATORS`].
///
/// ```
/// use flowdeck_model::compare::holds;
/// use serde_json::json;
///
/// assert_eq!(holds(&json!(5), "==", &json!("5")), Some(true));
/// assert_eq!(holds(&json!("b"), "in", &json!(["a", "b"])), Some(true));
/// assert_eq!(holds(&json!(1), "~", &json!(1)), None);
/// ```
#[must_use]
pub fn holds(left: &Value, operator: &str, right: &Value) -> Option<bool> {
    use Ordering::{Equal, Greater, Less};
    Some(match operator.trim() {
        "==" => equal(left, right),
        "!=" => !equal(left, right),
        ">" => order(left, right) == Some(Greater),
        "<" => order(left, right) == Some(Less),
        ">=" => matches!(order(left, right), Some(Greater | Equal)),
        "<=" => matches!(order(left, right), Some(Less | Equal)),
        "%" => multiple(left, right),
        "in" => inside(left, right),
        "not in" => !inside(left, right),
        "has" => has(left, right),
        "doesn't have" => !has(left, right),
        "is empty" => is_empty(left),
        "is not empty" => !is_empty(left),
        _ => return None,
    })
}

/// Null, `""`, `[]` and `{}` are empty; 0 and false are not.
///
/// ```
/// use flowdeck_model::compare::is_empty;
/// use serde_json::json;
///
/// assert!(is_empty(&json!("")) && !is_empty(&json!(0)));
/// ```
#[must_use]
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The text form: null is empty, whole numbers have no fraction, lists and objects are JSON.
#[must_use]
pub fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::Bool(true) => Cow::Borrowed("true"),
        Value::Bool(false) => Cow::Borrowed("false"),
        Value::String(text) => Cow::Borrowed(text),
        Value::Number(n) => match n.as_f64().filter(|_| n.is_f64()).and_then(whole) {
            Some(whole) => Cow::Owned(whole.to_string()),
            None => Cow::Owned(n.to_string()),
        },
        other => Cow::Owned(other.to_string()),
    }
}

/// A number without a fraction, where an integer holds it.
#[must_use]
pub fn whole(number: f64) -> Option<i64> {
    #[allow(clippy::cast_possible_truncation, reason = "bounded")]
    (number.fract() == 0.0 && number.abs() < 9.2e18).then_some(number as i64)
}

/// A finite number, also from text.
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Bool(b) => Some(f64::from(u8::from(*b))),
        _ => None,
    }
    .filter(|n| n.is_finite())
}

/// Deep equality; numbers by value (1 equals 1.0), order of keys does not matter.
#[must_use]
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(a, b)| same(a, b)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(key, a)| y.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Loose equality.
#[must_use]
pub fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::String(text)) | (Value::String(text), Value::Null) => text.is_empty() || text == "null",
        (Value::Number(n), Value::String(text)) | (Value::String(text), Value::Number(n)) => {
            text.trim().parse::<f64>().is_ok_and(|t| n.as_f64() == Some(t))
        }
        (Value::Bool(flag), Value::String(text)) | (Value::String(text), Value::Bool(flag)) => {
            text.trim().eq_ignore_ascii_case(if *flag { "true" } else { "false" })
        }
        (Value::Bool(flag), Value::Number(n)) | (Value::Number(n), Value::Bool(flag)) => {
            n.as_f64() == Some(f64::from(u8::from(*flag)))
        }
        (Value::String(a), Value::String(b)) => a == b || dates(a, b) == Some(Ordering::Equal),
        (tree @ (Value::Array(_) | Value::Object(_)), Value::String(text))
        | (Value::String(text), tree @ (Value::Array(_) | Value::Object(_))) => {
            serde_json::from_str(text).is_ok_and(|parsed| same(tree, &parsed))
        }
        _ => same(a, b),
    }
}

/// The order of two ISO dates.
fn dates(a: &str, b: &str) -> Option<Ordering> {
    let iso = |text: &str| {
        let bytes = text.as_bytes();
        let like =
            bytes.len() >= 16 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && bytes[10] == b'T';
        like.then(|| text.parse::<jiff::Timestamp>().ok()).flatten()
    };
    Some(iso(a)?.cmp(&iso(b)?))
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(dates(a, b).unwrap_or_else(|| a.cmp(b))),
        (Value::Null, _) | (_, Value::Null) => equal(a, b).then_some(Ordering::Equal),
        _ => number(a)?.partial_cmp(&number(b)?),
    }
}

fn multiple(a: &Value, b: &Value) -> bool {
    matches!((number(a), number(b)), (Some(a), Some(b)) if b != 0.0 && a % b == 0.0)
}

fn inside(a: &Value, b: &Value) -> bool {
    match b {
        Value::Array(list) => list.iter().any(|item| equal(a, item)),
        Value::Object(map) => a.as_str().is_some_and(|key| map.contains_key(key)),
        Value::Null => false,
        other => text(other).contains(text(a).as_ref()),
    }
}

fn has(a: &Value, b: &Value) -> bool {
    match a {
        Value::Object(map) => map.contains_key(text(b).as_ref()),
        Value::Array(list) => list.iter().any(|item| equal(item, b)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn compares_as_okta_does() {
        for (left, operator, right, expected) in [
            (json!(5), "==", json!("5.0"), true),
            (json!(true), "==", json!("TRUE"), true),
            (json!(null), "==", json!(""), true),
            (json!(null), "==", json!(0), false),
            (json!({"a": 1}), "==", json!("{\"a\":1.0}"), true),
            (json!("80"), ">", json!("9"), false),
            (json!(80), ">", json!("9"), true),
            (json!("2024-01-15T10:00:00Z"), "==", json!("2024-01-15T11:00:00+01:00"), true),
            (json!(null), "<", json!(3), false),
            (json!(9), "%", json!(3), true),
            (json!("b"), "in", json!("abc"), true),
            (json!("x"), "not in", json!(null), true),
            (json!({"a": null}), "has", json!("a"), true),
            (json!(0), "is empty", json!(null), false),
            (json!({}), "is empty", json!(null), true),
        ] {
            assert_eq!(holds(&left, operator, &right), Some(expected), "{left} {operator} {right}");
        }
        assert_eq!(holds(&json!(1), "~", &json!(1)), None);
    }
}
