//! Fits values to the types of columns, loosely: what a person would accept as a number, date or list is one.
//!
//! Must never guess: what does not fit is a fault that names column and value.
//! Tests: below.

use flowdeck_model::table::{Column, ColumnType};
use flowdeck_model::{Fault, FaultCode, Millis};
use serde_json::Value;

/// The value as the column keeps it. Null, and empty text in all but text columns, is null.
pub(super) fn coerce(column: &Column, value: &Value) -> Result<Value, Fault> {
    let text = value.as_str().map(str::trim);
    if value.is_null() || (column.kind != ColumnType::Text && text == Some("")) {
        return Ok(Value::Null);
    }
    let fitted = match column.kind {
        ColumnType::Text => Some(match value {
            Value::String(_) => value.clone(),
            Value::Number(n) => Value::String(plain_number(n)),
            other => Value::String(other.to_string()),
        }),
        ColumnType::Number => number(value),
        ColumnType::Boolean => boolean(value),
        ColumnType::Date => date(value),
        ColumnType::Object => structured(value).filter(Value::is_object),
        ColumnType::List => structured(value).filter(Value::is_array),
    };
    fitted.ok_or_else(|| {
        let shown: String = value.to_string().chars().take(60).collect();
        let word = match column.kind {
            ColumnType::Text => "text",
            ColumnType::Number => "a number",
            ColumnType::Boolean => "true or false",
            ColumnType::Date => "a date such as 2026-01-31T09:30:00Z",
            ColumnType::Object => "an object",
            ColumnType::List => "a list",
        };
        Fault::new(FaultCode::BadType, format!("column `{}` takes {word}, and {shown} is none", column.name))
    })
}

fn plain_number(n: &serde_json::Number) -> String {
    match n.as_f64() {
        Some(double) if !n.is_i64() && !n.is_u64() => double.to_string(),
        _ => n.to_string(),
    }
}

fn number(value: &Value) -> Option<Value> {
    match value {
        Value::Number(_) => Some(value.clone()),
        Value::String(text) => match text.trim().parse::<i64>() {
            Ok(whole) => Some(Value::from(whole)),
            Err(_) => text.trim().parse::<f64>().ok().and_then(serde_json::Number::from_f64).map(Value::Number),
        },
        _ => None,
    }
}

fn boolean(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) => Some(value.clone()),
        Value::Number(n) if n.as_f64() == Some(1.0) => Some(Value::Bool(true)),
        Value::Number(n) if n.as_f64() == Some(0.0) => Some(Value::Bool(false)),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(Value::Bool(true)),
            "false" | "no" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        _ => None,
    }
}

/// One form for all dates, so that they compare as text: UTC with milliseconds. Numbers are milliseconds since 1970;
/// texts are read as the date cards read them; dates without a zone are UTC.
fn date(value: &Value) -> Option<Value> {
    let at = match value {
        Value::Number(n) => jiff::Timestamp::from_millisecond(n.as_i64()?).ok()?,
        Value::String(text) => flowdeck_model::date::text_in(text, &jiff::tz::TimeZone::UTC)?,
        _ => return None,
    };
    Some(Value::String(Millis(at.as_millisecond()).to_iso()))
}

fn structured(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => serde_json::from_str(text).ok(),
        other => Some(other.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ColumnType as C;
    use serde_json::json;

    #[test]
    fn values_fit_or_are_refused() {
        let table = [
            (C::Text, json!(1.0), Some(json!("1"))),
            (C::Text, json!(90), Some(json!("90"))),
            (C::Text, json!(true), Some(json!("true"))),
            (C::Text, json!(""), Some(json!(""))),
            (C::Text, json!({"a": 1}), Some(json!("{\"a\":1}"))),
            (C::Number, json!(" 2.5 "), Some(json!(2.5))),
            (C::Number, json!("12"), Some(json!(12))),
            (C::Number, json!(""), Some(json!(null))),
            (C::Number, json!("x"), None),
            (C::Number, json!("NaN"), None),
            (C::Number, json!(true), None),
            (C::Boolean, json!("Yes"), Some(json!(true))),
            (C::Boolean, json!(0), Some(json!(false))),
            (C::Boolean, json!(2), None),
            (C::Date, json!("2026-01-31"), Some(json!("2026-01-31T00:00:00.000Z"))),
            (C::Date, json!("2026-01-31T10:30:00+01:00"), Some(json!("2026-01-31T09:30:00.000Z"))),
            (C::Date, json!("2026-01-31 09:30"), Some(json!("2026-01-31T09:30:00.000Z"))),
            (C::Date, json!("01/15/24"), Some(json!("2024-01-15T00:00:00.000Z"))),
            (C::Date, json!("Monday, January 15, 2024 10:30 AM"), Some(json!("2024-01-15T10:30:00.000Z"))),
            (C::Date, json!("13/13/2024"), None),
            (C::Date, json!(0), Some(json!("1970-01-01T00:00:00.000Z"))),
            (C::Date, json!("tomorrow"), None),
            (C::Object, json!("{\"a\":1}"), Some(json!({"a": 1}))),
            (C::Object, json!([1]), None),
            (C::List, json!("[1]"), Some(json!([1]))),
            (C::List, json!("a,b"), None),
            (C::List, json!(null), Some(json!(null))),
        ];
        for (kind, value, expected) in table {
            let column = Column { name: "c".into(), kind };
            let got = coerce(&column, &value);
            assert_eq!(got.as_ref().ok(), expected.as_ref(), "{kind:?} {value}");
            if let Err(fault) = got {
                assert!(fault.message.contains("column `c`"), "{fault}");
            }
        }
    }
}
