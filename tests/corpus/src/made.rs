//! Values made for declared types: what a stand-in app answers, and what flows start with.
//!
//! Must never depend on chance.
//! Tests: below.

use flowdeck_model::{FieldType, Value};
use serde_json::{Map, json};

use crate::source::Declared;

/// What the values are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Everything has a value.
    Usual,
    /// Lists are empty.
    Empty,
}

const DEPTH_MAX: usize = 8;

/// A value of a type that the export declares.
pub(crate) fn declared(field: &Declared, mood: Mood) -> Value {
    let value = match field.json {
        Some(list) if field.kind == "string" => {
            json!(listed(of(&json!("object"), "", mood, 0), list, mood).to_string())
        }
        _ => of(&field.kind, &field.key, mood, 0),
    };
    listed(value, field.list, mood)
}

fn listed(value: Value, list: bool, mood: Mood) -> Value {
    match (list, mood) {
        (false, _) => value,
        (true, Mood::Usual) => json!([value.clone(), value]),
        (true, Mood::Empty) => json!([]),
    }
}

fn of(kind: &Value, key: &str, mood: Mood, depth: usize) -> Value {
    match kind {
        Value::String(word) => match word.as_str() {
            "number" => json!(1),
            "boolean" => json!(true),
            "Date" | "date" => json!("2024-01-02T03:04:05.000Z"),
            "object" => json!({"id": "1", "name": "one", "profile": {"login": "ann@example.test"}}),
            "file" => json!({"name": "a.txt", "type": "text/plain", "size": 1, "content": "YQ=="}),
            _ => text(key),
        },
        Value::Object(shape) if depth < DEPTH_MAX => Value::Object(
            shape
                .iter()
                .map(|(key, inner)| {
                    let value = of(&inner["type"], key, mood, depth + 1);
                    (key.clone(), listed(value, inner["collection"] == true, mood))
                })
                .collect::<Map<_, _>>(),
        ),
        _ => text(key),
    }
}

/// A value of one of our types.
pub(crate) fn typed(kind: &FieldType, key: &str, mood: Mood, depth: usize) -> Value {
    match kind {
        FieldType::Any | FieldType::Text => text(key),
        FieldType::Number => json!(1),
        FieldType::Boolean => json!(true),
        FieldType::Date => json!("2024-01-02T03:04:05.000Z"),
        FieldType::File => json!({"name": "a.txt", "type": "text/plain", "size": 1, "content": "YQ=="}),
        FieldType::Object(fields) if depth < DEPTH_MAX && !fields.is_empty() => {
            Value::Object(fields.iter().map(|f| (f.key.clone(), typed(&f.kind, &f.key, mood, depth + 1))).collect())
        }
        FieldType::Object(_) => json!({"id": "1", "name": "one"}),
        FieldType::List(item) => listed(typed(item, key, mood, depth + 1), true, mood),
    }
}

fn text(key: &str) -> Value {
    let key = key.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|w| key.contains(w));
    if has(&["date", "time", "published", "created", "updated", "last login"]) {
        json!("2024-01-02T03:04:05.000Z")
    } else if has(&["mail", "login"]) {
        json!("ann@example.test")
    } else if ["headers", "query", "body"].contains(&key.as_str()) {
        json!("{}")
    } else if has(&["url", "href", "link"]) {
        json!("https://app.example.test/a?b=1")
    } else {
        json!("1")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_the_declared_type() {
        let shape = json!({"ids": {"type": "number", "collection": true}, "who": {"type": "string"}});
        let field = |list| Declared { group: String::new(), key: "k".into(), kind: shape.clone(), list, json: None };
        assert_eq!(declared(&field(false), Mood::Usual), json!({"ids": [1, 1], "who": "1"}));
        assert_eq!(declared(&field(false), Mood::Empty), json!({"ids": [], "who": "1"}));
        assert_eq!(declared(&field(true), Mood::Empty), json!([]));
        let text = Declared { kind: json!("string"), json: Some(true), ..field(false) };
        assert!(declared(&text, Mood::Usual).as_str().is_some_and(|t| t.starts_with("[{")));
        assert_eq!(typed(&FieldType::Number.list(), "n", Mood::Usual, 0), json!([1, 1]));
    }
}
