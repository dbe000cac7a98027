//! The comparisons of all cards that compare.
//!
//! Must never fail for values that can be compared in some way a person would expect.
//! Tests: below.

use flowdeck_model::{Fault, Value, compare};

pub(crate) use flowdeck_model::compare::{OPERATORS, equal};

use crate::{path, value};

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
    // A key of an object may be a path here.
    let has = |map| path::get(map, &value::text(right)).is_some();
    match (operator.trim(), left) {
        ("===", _) => Ok(value::same(left, right)),
        ("!==", _) => Ok(!value::same(left, right)),
        ("has", Value::Object(_)) => Ok(has(left)),
        ("doesn't have", Value::Object(_)) => Ok(!has(left)),
        (operator, _) => compare::holds(left, operator, right).ok_or_else(|| {
            Fault::bad_input(format!("`{}` is not a comparison", value::short(operator)))
                .remedy(format!("use one of: {}", LIST_OPERATORS.join(", ")))
        }),
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
