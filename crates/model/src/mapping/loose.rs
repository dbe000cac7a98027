//! Loose comparisons and conversions: what `compare`, `isEmpty`, `parse`, `pairs` and `toNumber` do in expressions.
//!
//! Must never fail for values that a person would expect to be comparable. The rules are those of the card
//! `boolean/compare`; Okta's conditions are loose, and flows made there count on it.
//! Tests: below.

use std::cmp::Ordering;

use serde_json::{Map, Value};

use super::evaluate::as_text;

/// What `compare` knows.
const OPERATORS: &[&str] =
    &["==", "!=", ">=", "<=", ">", "<", "%", "in", "not in", "has", "doesn't have", "is empty", "is not empty"];

/// Whether `left operator right` holds; an error names the operators there are.
pub(super) fn holds(left: &Value, operator: &str, right: &Value) -> Result<bool, String> {
    use Ordering::{Equal, Greater, Less};
    Ok(match operator.trim() {
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
        other => {
            let shown: String = other.chars().take(20).collect();
            return Err(format!("`{shown}` is not a comparison; there are {}", OPERATORS.join(", ")));
        }
    })
}

/// Null, `""`, `[]` and `{}`; 0 and false are not.
pub(super) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A number, or a text that begins with one; else nothing.
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) => leading_number(text.trim()),
        _ => None,
    }
}

fn leading_number(text: &str) -> Option<f64> {
    let numeric = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    let mut end = text.find(|c| !numeric(c)).unwrap_or(text.len()).min(400);
    while end > 0 {
        match text[..end].parse::<f64>() {
            Ok(n) if n.is_finite() => return Some(n),
            _ => end -= 1,
        }
    }
    None
}

/// JSON text as the value it holds; empty text is null, what is no text stays.
pub(super) fn parse(value: &Value) -> Result<Value, String> {
    match value {
        Value::String(text) if text.trim().is_empty() => Ok(Value::Null),
        Value::String(text) => serde_json::from_str(text).map_err(|error| format!("this text is not JSON: {error}")),
        other => Ok(other.clone()),
    }
}

/// An object as a list of `{key, value}`.
pub(super) fn pairs(value: &Value) -> Value {
    let pair = |(key, value): (&String, &Value)| {
        let both = [("key".to_owned(), Value::String(key.clone())), ("value".to_owned(), value.clone())];
        Value::Object(Map::from_iter(both))
    };
    match value {
        Value::Object(map) => map.iter().map(pair).collect(),
        _ => Value::Array(Vec::new()),
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

fn equal(a: &Value, b: &Value) -> bool {
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

fn strict_number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => number(other),
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::String(a), Value::String(b)) => Some(dates(a, b).unwrap_or_else(|| a.cmp(b))),
        (Value::Null, _) | (_, Value::Null) => equal(a, b).then_some(Ordering::Equal),
        _ => strict_number(a)?.partial_cmp(&strict_number(b)?),
    }
}

fn multiple(a: &Value, b: &Value) -> bool {
    matches!((strict_number(a), strict_number(b)), (Some(a), Some(b)) if b != 0.0 && a % b == 0.0)
}

fn inside(a: &Value, b: &Value) -> bool {
    match b {
        Value::Array(list) => list.iter().any(|item| equal(a, item)),
        Value::Object(map) => a.as_str().is_some_and(|key| map.contains_key(key)),
        Value::Null => false,
        other => as_text(other).contains(&as_text(a)),
    }
}

fn has(a: &Value, b: &Value) -> bool {
    match a {
        Value::Object(map) => map.contains_key(&as_text(b)),
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
            assert_eq!(holds(&left, operator, &right), Ok(expected), "{left} {operator} {right}");
        }
        assert!(holds(&json!(1), "~", &json!(1)).unwrap_err().contains("is empty"));
    }

    #[test]
    fn conversions_are_total() {
        assert_eq!(number(&json!("12.5abc")), Some(12.5));
        assert_eq!(number(&json!("abc")), None);
        assert_eq!(number(&json!("1e")), Some(1.0));
        assert_eq!(parse(&json!("{\"a\":1}")), Ok(json!({"a": 1})));
        assert_eq!(parse(&json!({"a": 1})), Ok(json!({"a": 1})));
        assert!(parse(&json!("{")).is_err());
        assert_eq!(pairs(&json!({"a": 1})), json!([{"key": "a", "value": 1}]));
    }
}
