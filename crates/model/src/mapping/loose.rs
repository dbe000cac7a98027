//! Conversions of expressions, and `compare`: Okta's conditions are loose, and flows made there count on it.
//!
//! Must never compare by rules of its own: cards and expressions share [`crate::compare`].
//! Tests: below.

use serde_json::{Map, Value};

use crate::compare;

/// Whether `left operator right` holds; an error names the operators there are.
pub(super) fn holds(left: &Value, operator: &str, right: &Value) -> Result<bool, String> {
    compare::holds(left, operator, right).ok_or_else(|| {
        let shown: String = operator.trim().chars().take(20).collect();
        format!("`{shown}` is not a comparison; there are {}", compare::OPERATORS.join(", "))
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_operator_is_told_the_others() {
        assert_eq!(holds(&json!(5), "==", &json!("5.0")), Ok(true));
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
