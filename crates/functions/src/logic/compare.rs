//! The comparisons of all cards that compare.
//!
//! Must never fail for values that can be compared in some way a person would expect.
//! Tests: below.

use std::cmp::Ordering;

use flowdeck_model::{Fault, Value};

use crate::{path, value};

/// What `If`, `Compare` and their like know.
pub(crate) const OPERATORS: &[&str] =
    &["==", "!=", ">=", "<=", ">", "<", "%", "in", "not in", "has", "doesn't have", "is empty", "is not empty"];
/// What `Filter` and `Find` know besides.
pub(crate) const LIST_OPERATORS: &[&str] = &[
    "==",
    "!=",
    ">=",
    "<=",
    ">",
    "<",
    "%",
    "in",
    "not in",
    "has",
    "doesn't have",
    "===",
    "!==",
    "is empty",
    "is not empty",
];

/// Said on the page of each of them.
pub(crate) const HELP: &str = "Numbers are compared as numbers, also with numeric text; two texts alphabetically (`\"80\"` comes before `\"9\"`), two ISO dates as instants. Null equals empty text and the text `null`. Lists and objects are equal if their contents are. `%`: a is a multiple of b. `in`: a is part of the text b or an item of the list b. `has`: the object a has the key b, or the list a the item b. Empty are null, `\"\"`, `[]` and `{}`; 0 and false are not. `===` compares without conversion.";

/// Whether `left operator right` holds.
///
/// # Errors
/// `bad-input` for an operator that is not known.
pub(crate) fn holds(left: &Value, operator: &str, right: &Value) -> Result<bool, Fault> {
    Ok(match operator.trim() {
        "==" => equal(left, right),
        "!=" => !equal(left, right),
        "===" => value::same(left, right),
        "!==" => !value::same(left, right),
        ">" => order(left, right) == Some(Ordering::Greater),
        "<" => order(left, right) == Some(Ordering::Less),
        ">=" => matches!(order(left, right), Some(Ordering::Greater | Ordering::Equal)),
        "<=" => matches!(order(left, right), Some(Ordering::Less | Ordering::Equal)),
        "%" => multiple(left, right),
        "in" => inside(left, right),
        "not in" => !inside(left, right),
        "has" => has(left, right),
        "doesn't have" => !has(left, right),
        "is empty" => value::is_empty(left),
        "is not empty" => !value::is_empty(left),
        other => {
            return Err(Fault::bad_input(format!("`{}` is not a comparison", value::short(other)))
                .remedy(format!("use one of: {}", LIST_OPERATORS.join(", "))));
        }
    })
}

/// Loose equality.
pub(crate) fn equal(a: &Value, b: &Value) -> bool {
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
        (Value::Array(_) | Value::Object(_), Value::String(text)) => is_json(a, text),
        (Value::String(text), Value::Array(_) | Value::Object(_)) => is_json(b, text),
        _ => value::same(a, b),
    }
}

fn is_json(value: &Value, text: &str) -> bool {
    serde_json::from_str(text).is_ok_and(|parsed| value::same(value, &parsed))
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
        _ => value::number(a)?.partial_cmp(&value::number(b)?),
    }
}

fn multiple(a: &Value, b: &Value) -> bool {
    match (value::number(a), value::number(b)) {
        (Some(a), Some(b)) => b != 0.0 && a % b == 0.0,
        _ => false,
    }
}

fn inside(a: &Value, b: &Value) -> bool {
    match b {
        Value::Array(list) => list.iter().any(|item| equal(a, item)),
        Value::Object(map) => a.as_str().is_some_and(|key| map.contains_key(key)),
        Value::Null => false,
        other => value::text(other).contains(value::text(a).as_ref()),
    }
}

fn has(a: &Value, b: &Value) -> bool {
    match a {
        Value::Object(_) => path::get(a, &value::text(b)).is_some(),
        Value::Array(list) => list.iter().any(|item| equal(item, b)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn compares_as_the_help_says() {
        for (left, operator, right, expected) in [
            (json!(5), "==", json!("5.0"), true),
            (json!(true), "==", json!("TRUE"), true),
            (json!(null), "==", json!(""), true),
            (json!("null"), "==", json!(null), true),
            (json!(null), "==", json!(0), false),
            (json!({"a": 1}), "==", json!("{\"a\":1.0}"), true),
            (json!("a"), "!=", json!("A"), true),
            (json!("80"), ">", json!("9"), false),
            (json!(80), ">", json!("9"), true),
            (json!("2024-01-15T10:00:00Z"), "==", json!("2024-01-15T11:00:00+01:00"), true),
            (json!("2024-01-15T10:00:00Z"), "<", json!("2024-01-15T10:30:00+01:00"), false),
            (json!(null), "<", json!(3), false),
            (json!(9), "%", json!(3), true),
            (json!(9), "%", json!(0), false),
            (json!("b"), "in", json!("abc"), true),
            (json!(2), "in", json!(["2"]), true),
            (json!("x"), "not in", json!(null), true),
            (json!({"a": null}), "has", json!("a"), true),
            (json!("x"), "doesn't have", json!("a"), true),
            (json!(0), "is empty", json!(null), false),
            (json!({}), "is empty", json!(null), true),
            (json!(" "), "is not empty", json!(null), true),
            (json!("1"), "===", json!(1), false),
            (json!(1.0), "===", json!(1), true),
        ] {
            assert_eq!(holds(&left, operator, &right).unwrap(), expected, "{left} {operator} {right}");
        }
        assert!(holds(&json!(1), "~", &json!(1)).unwrap_err().remedy.contains("is empty"));
    }
}
