//! What was typed into a field, as a value of the file.
//!
//! Must never refuse anything: what does not fit is for the check to say.
//! Tests: below.

use flowdeck::model::{FieldType, Value};

/// The value that a text stands for in a field of a type. Mappings stay texts, as in hand-written files.
pub(crate) fn of_text(text: &str, kind: &FieldType) -> Value {
    let as_text = || Value::String(text.to_owned());
    let trimmed = text.trim();
    if trimmed.contains("${") && !trimmed.starts_with(['{', '[']) {
        return as_text();
    }
    let json = || serde_json::from_str::<Value>(trimmed).ok();
    let found = match kind {
        FieldType::Text | FieldType::Date => None,
        FieldType::Number => json().filter(Value::is_number),
        FieldType::Boolean => json().filter(Value::is_boolean),
        FieldType::Object(_) | FieldType::File => json().filter(Value::is_object),
        FieldType::List(_) => json().filter(Value::is_array),
        FieldType::Any => json(),
    };
    found.unwrap_or_else(as_text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_type_decides_what_a_text_is() {
        let (number, any) = (FieldType::Number, FieldType::Any);
        let list = FieldType::Any.list();
        for (text, kind, wanted) in [
            ("5", &FieldType::Text, json!("5")),
            ("5", &number, json!(5)),
            ("five", &number, json!("five")),
            ("5", &any, json!(5)),
            ("\"5\"", &any, json!("5")),
            ("five", &any, json!("five")),
            ("true", &FieldType::Boolean, json!(true)),
            ("true", &FieldType::Text, json!("true")),
            ("${a.b}", &number, json!("${a.b}")),
            ("Hello ${a.b}", &FieldType::Text, json!("Hello ${a.b}")),
            ("[1, \"${a.b}\"]", &list, json!([1, "${a.b}"])),
            ("[1", &list, json!("[1")),
            ("{\"a\": 1}", &FieldType::object(), json!({"a": 1})),
        ] {
            assert_eq!(of_text(text, kind), wanted, "{text} as {}", kind.word());
        }
    }
}
