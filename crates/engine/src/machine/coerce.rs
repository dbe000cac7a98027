//! Converts values to the types that a card declares.
//!
//! Must never guess: what cannot be converted plainly is a fault that names the field.
//! Tests: below.

use std::sync::Arc;

use flowdeck_model::{Fault, FaultCode, FieldDecl, FieldType, Fields, Millis, Value};

/// Inputs by declaration: defaults filled in, values converted, required ones present.
///
/// Fields beyond the declaration are converted to `more` where there is such a type, else passed as they are.
///
/// # Errors
/// `bad-input` or `bad-type` with the field's name.
pub fn inputs(decls: &[FieldDecl], more: Option<&FieldType>, given: Fields) -> Result<Fields, Fault> {
    if is_right(decls, more, &given) {
        return Ok(given);
    }
    let mut out = Fields::with_capacity(given.len().max(decls.len()));
    for decl in decls {
        let value = given.shared(&decl.key).filter(|v| !v.is_null());
        let value = match value {
            Some(value) => convert(value, &decl.kind, decl.label())?,
            None => Arc::new(Value::Null),
        };
        let value = match &decl.default {
            Some(default) if value.is_null() => Arc::new(default.clone()),
            _ => value,
        };
        if value.is_null() {
            if decl.required {
                return Err(Fault::bad_input(format!("the input `{}` is missing", decl.label()))
                    .remedy(format!("fill in `{}` of the card", decl.key)));
            }
            if !given.has(&decl.key) {
                continue;
            }
        }
        if let Some(text) = value.as_str()
            && !decl.choices.is_empty()
            && !decl.choices.iter().any(|c| c == text)
        {
            let list = decl.choices.join(", ");
            return Err(Fault::bad_input(format!(
                "`{}` is `{}`; it must be one of: {list}",
                decl.label(),
                short(text)
            )));
        }
        out.share(decl.key.clone(), value);
    }
    for (key, value) in given {
        if decls.iter().any(|d| d.key == key) {
            continue;
        }
        let value = match more {
            Some(kind) if !value.is_null() => convert(&value, kind, &key)?,
            _ => value,
        };
        out.share(key, value);
    }
    Ok(out)
}

/// Whether [`inputs`] would change nothing, which is so for most steps.
fn is_right(decls: &[FieldDecl], more: Option<&FieldType>, given: &Fields) -> bool {
    let mut rest = given.iter().peekable();
    for decl in decls {
        let is_right = match rest.next_if(|(key, _)| *key == decl.key) {
            Some((_, value)) => !value.is_null() && decl.choices.is_empty() && is_a(value, &decl.kind),
            None => !decl.required && decl.default.is_none() && !given.has(&decl.key),
        };
        if !is_right {
            return false;
        }
    }
    rest.all(|(_, value)| more.is_none_or(|kind| is_a(value, kind)))
}

/// Whether a value is of a type as it stands. Blank text is not, but for text.
fn is_a(value: &Value, kind: &FieldType) -> bool {
    match (kind, value) {
        (_, Value::Null) | (FieldType::Any, _) | (FieldType::Text, Value::String(_)) => true,
        (FieldType::Number, Value::Number(_)) | (FieldType::Boolean, Value::Bool(_)) => true,
        (FieldType::Object(_) | FieldType::File, Value::Object(_)) => true,
        (FieldType::Date | FieldType::File, Value::String(text)) => !text.trim().is_empty(),
        (FieldType::List(item), Value::Array(list)) => list.iter().all(|v| is_item(v, item)),
        _ => false,
    }
}

/// Whether an item of a list needs no conversion.
fn is_item(value: &Value, item: &FieldType) -> bool {
    matches!(
        (item, value),
        (FieldType::Any, _)
            | (_, Value::Null)
            | (FieldType::Text | FieldType::Date | FieldType::File, Value::String(_))
            | (FieldType::Number, Value::Number(_))
            | (FieldType::Boolean, Value::Bool(_))
            | (FieldType::Object(_) | FieldType::File, Value::Object(_))
    )
}

/// One value as a type; shared where nothing changes. Empty text is null for every type but text.
///
/// # Errors
/// `bad-type` that names the field.
pub fn convert(value: &Arc<Value>, kind: &FieldType, field: &str) -> Result<Arc<Value>, Fault> {
    let wrong = || {
        let found = word(value);
        Fault::new(FaultCode::BadType, format!("`{field}` must be {}, but it is {found}", kind.word()))
    };
    let json = |text: &str| serde_json::from_str::<Value>(text).ok();
    if is_a(value, kind) {
        return Ok(value.clone());
    }
    let new = match (kind, value.as_ref()) {
        (FieldType::Text, Value::Bool(b)) => Value::String(b.to_string()),
        (FieldType::Text, Value::Number(n)) => Value::String(number_text(n)),
        (FieldType::Text, other) => Value::String(other.to_string()),
        (_, Value::String(text)) if text.trim().is_empty() => Value::Null,
        (FieldType::Number, Value::String(text)) => {
            let number = text.trim().parse::<f64>().ok().filter(|n| n.is_finite());
            number.and_then(number_value).ok_or_else(wrong)?
        }
        (FieldType::Boolean, Value::String(text)) => match text.trim() {
            t if t.eq_ignore_ascii_case("true") => Value::Bool(true),
            t if t.eq_ignore_ascii_case("false") => Value::Bool(false),
            _ => return Err(wrong()),
        },
        (FieldType::Boolean, Value::Number(n)) => Value::Bool(n.as_f64().is_some_and(|n| n != 0.0)),
        (FieldType::Date, Value::Number(n)) => {
            #[allow(clippy::cast_possible_truncation)]
            let ms = n.as_f64().filter(|n| n.abs() < 8.64e15).ok_or_else(wrong)? as i64;
            Value::String(Millis(ms).to_iso())
        }
        (FieldType::Object(_), Value::String(text)) => json(text).filter(Value::is_object).ok_or_else(wrong)?,
        (FieldType::List(item), Value::Array(list)) => convert_list(list, item, field)?,
        (FieldType::List(item), Value::String(text)) => match json(text).filter(Value::is_array) {
            Some(list) => return convert(&Arc::new(list), &FieldType::List(item.clone()), field),
            None => list_of_one(value, item, field).ok_or_else(wrong)?,
        },
        (FieldType::List(item), _) => list_of_one(value, item, field).ok_or_else(wrong)?,
        _ => return Err(wrong()),
    };
    Ok(Arc::new(new))
}

/// A single value where a list is wanted is a list of one, if it is what the list holds.
fn list_of_one(value: &Arc<Value>, item: &FieldType, field: &str) -> Option<Value> {
    let inner = convert(value, item, field).ok()?;
    Some(Value::Array(vec![Arc::unwrap_or_clone(inner)]))
}

fn convert_list(list: &[Value], item: &FieldType, field: &str) -> Result<Value, Fault> {
    let items = list
        .iter()
        .enumerate()
        .map(|(i, v)| convert(&Arc::new(v.clone()), item, &format!("{field}[{i}]")).map(Arc::unwrap_or_clone));
    items.collect::<Result<_, _>>().map(Value::Array)
}

fn number_text(n: &serde_json::Number) -> String {
    match n.as_f64() {
        #[allow(clippy::cast_possible_truncation)]
        Some(f) if n.is_f64() && f.fract() == 0.0 && f.abs() < 9e15 => (f as i64).to_string(),
        _ => n.to_string(),
    }
}

fn number_value(f: f64) -> Option<Value> {
    #[allow(clippy::cast_possible_truncation)]
    if f.fract() == 0.0 && f.abs() < 9e15 {
        return Some(Value::from(f as i64));
    }
    serde_json::Number::from_f64(f).map(Value::Number)
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "true/false".into(),
        Value::Number(n) => format!("the number {n}"),
        Value::String(s) => format!("the text `{}`", short(s)),
        Value::Array(list) => format!("a list of {}", list.len()),
        Value::Object(_) => "an object".into(),
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn converts_as_the_table_says() {
        let text = FieldType::Text;
        let number = FieldType::Number;
        let object = FieldType::object();
        let (numbers, any) = (FieldType::Number.list(), FieldType::Any.list());
        let table = [
            (&text, json!(3.0), Some(json!("3"))),
            (&text, json!(3.5), Some(json!("3.5"))),
            (&text, json!(true), Some(json!("true"))),
            (&text, json!([]), Some(json!("[]"))),
            (&text, json!({"a": 1}), Some(json!("{\"a\":1}"))),
            (&text, json!(""), Some(json!(""))),
            (&number, json!(" 42 "), Some(json!(42))),
            (&number, json!("4.5"), Some(json!(4.5))),
            (&number, json!("x"), None),
            (&number, json!("NaN"), None),
            (&number, json!(""), Some(json!(null))),
            (&number, json!([1]), None),
            (&FieldType::Boolean, json!("TRUE"), Some(json!(true))),
            (&FieldType::Boolean, json!("yes"), None),
            (&FieldType::Boolean, json!(0), Some(json!(false))),
            (&FieldType::Date, json!(0), Some(json!("1970-01-01T00:00:00.000Z"))),
            (&object, json!("{\"a\":1}"), Some(json!({"a": 1}))),
            (&object, json!("[1]"), None),
            (&numbers, json!("[1,2]"), Some(json!([1, 2]))),
            (&numbers, json!(["1", 2, null]), Some(json!([1, 2, null]))),
            (&numbers, json!(1), Some(json!([1]))),
            (&numbers, json!("x"), None),
            (&numbers, json!({"a": 1}), None),
            (&any, json!({"a": 1}), Some(json!([{"a": 1}]))),
            (&any, json!("a, b"), Some(json!(["a, b"]))),
            (&any, json!(""), Some(json!(null))),
        ];
        for (kind, value, expected) in table {
            let found = convert(&Arc::new(value.clone()), kind, "f").ok().map(Arc::unwrap_or_clone);
            assert_eq!(found, expected, "{value} as {}", kind.word());
        }
    }

    #[test]
    fn a_list_that_fits_is_shared_and_not_copied() {
        let list = Arc::new(json!([1, 2, 3]));
        assert!(Arc::ptr_eq(&convert(&list, &FieldType::Number.list(), "f").unwrap(), &list));
    }

    #[test]
    fn what_is_right_is_left_as_it_is_and_nothing_else() {
        let mut decls = [FieldDecl::new("a", FieldType::Text), FieldDecl::new("b", FieldType::Date.list())];
        let fits = |decls: &[FieldDecl], given| is_right(decls, Some(&FieldType::Number), &Fields::from_value(given));
        for given in [json!({"a": "x", "b": ["y"], "c": 1}), json!({"b": []}), json!({"a": "", "c": null})] {
            assert!(fits(&decls, given.clone()), "{given}");
            let given = Fields::from_value(given);
            let first = |f: &Fields| f.iter().next().map(|(_, v)| Arc::as_ptr(v));
            let made = inputs(&decls, Some(&FieldType::Number), given.clone()).unwrap();
            assert_eq!((first(&made), made.to_value()), (first(&given), given.to_value()));
        }
        for given in
            [json!({"a": null}), json!({"a": 1}), json!({"b": [], "a": ""}), json!({"b": [1]}), json!({"c": "1"})]
        {
            assert!(!fits(&decls, given.clone()), "{given}");
        }
        decls[0].required = true;
        assert!(!fits(&decls, json!({})), "a required one is missing");
        decls[0] = FieldDecl { default: Some(json!("d")), ..FieldDecl::new("a", FieldType::Text) };
        assert!(!fits(&decls, json!({})), "a default is to be filled in");
        decls[0] = FieldDecl { choices: vec!["x".into()], ..FieldDecl::new("a", FieldType::Text) };
        assert!(!fits(&decls, json!({"a": "y"})), "it is no choice");
        assert!(!is_a(&json!(" "), &FieldType::Date) && !is_a(&json!(""), &FieldType::File), "blank is null");
    }

    #[test]
    fn fills_in_defaults_and_names_what_is_missing() {
        let mut name = FieldDecl::new("name", FieldType::Text);
        name.required = true;
        let mut times = FieldDecl::new("times", FieldType::Number);
        times.default = Some(json!(2));
        let decls = [name, times];
        let fault = inputs(&decls, None, Fields::new()).unwrap_err();
        assert!(fault.message.contains("`name`"), "{fault}");
        let filled = inputs(&decls, Some(&FieldType::Text), Fields::from_value(json!({"name": 1, "x": 2}))).unwrap();
        assert_eq!(filled.to_value(), json!({"name": "1", "times": 2, "x": "2"}));
    }
}
