//! Which rows a filter means, and how rows are ordered.
//!
//! Must never fail on a row's value: only on a filter that does not fit the table.
//! Tests: `tests.rs` in this folder.

use std::cmp::Ordering;

use flowdeck_model::table::{Column, ColumnType, Compare, Where};
use flowdeck_model::{Fault, FaultCode};
use serde_json::Value;

use super::coerce::coerce;
use super::definition::{Definition, limit};
use super::row::{Row, SYSTEM, own_name};
use super::{FILTER_DEPTH_MAX, TESTS_MAX};

/// A filter that fits its table: names are known, values have the types of their columns.
#[derive(Debug)]
pub(super) enum Filter {
    All,
    Test { column: String, compare: Compare, value: Value },
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
}

/// The column behind a name in a filter or sort, the system's own included.
pub(super) fn named(definition: &Definition, name: &str) -> Result<Column, Fault> {
    match name {
        "Row ID" => Ok(Column { name: name.into(), kind: ColumnType::Text }),
        name if SYSTEM.contains(&name) => Ok(Column { name: name.into(), kind: ColumnType::Date }),
        name => definition.column(own_name(name)).cloned(),
    }
}

impl Filter {
    pub(super) fn new(definition: &Definition, source: &Where) -> Result<Self, Fault> {
        let mut tests = 0;
        fit(definition, source, 0, &mut tests)
    }

    pub(super) fn holds(&self, row: &Row) -> bool {
        match self {
            Self::All => true,
            Self::Test { column, compare, value } => test(&row.value(column), *compare, value),
            Self::And(all) => all.iter().all(|f| f.holds(row)),
            Self::Or(any) => any.iter().any(|f| f.holds(row)),
            Self::Not(inner) => !inner.holds(row),
        }
    }
}

fn fit(definition: &Definition, source: &Where, depth: usize, tests: &mut usize) -> Result<Filter, Fault> {
    *tests += 1;
    if depth > FILTER_DEPTH_MAX || *tests > TESTS_MAX {
        return Err(limit(format!("a filter has at most {TESTS_MAX} tests, {FILTER_DEPTH_MAX} deep")));
    }
    let mut inner = |list: &[Where]| -> Result<Vec<Filter>, Fault> {
        list.iter().map(|f| fit(definition, f, depth + 1, tests)).collect()
    };
    Ok(match source {
        Where::All => Filter::All,
        Where::And(list) => Filter::And(inner(list)?),
        Where::Or(list) => Filter::Or(inner(list)?),
        Where::Not(one) => Filter::Not(Box::new(fit(definition, one, depth + 1, tests)?)),
        Where::Test { column, compare, value } => {
            let known = named(definition, column)?;
            let value = match (compare, value) {
                (Compare::In, Value::Array(list)) => {
                    Value::Array(list.iter().map(|v| coerce(&known, v)).collect::<Result<_, _>>()?)
                }
                (Compare::In, _) => {
                    let message = format!("`in` on column `{column}` needs a list of values");
                    return Err(Fault::new(FaultCode::BadType, message));
                }
                (Compare::Contains | Compare::StartsWith | Compare::Empty | Compare::NotEmpty, value) => value.clone(),
                (_, value) => coerce(&known, value)?,
            };
            Filter::Test { column: column.clone(), compare: *compare, value }
        }
    })
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Numbers are equal as numbers, whatever their form; the rest as JSON.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    a == b || matches!((a.as_f64(), b.as_f64()), (Some(a), Some(b)) if a == b)
}

fn test(cell: &Value, compare: Compare, value: &Value) -> bool {
    // Null is neither less nor greater than anything.
    let ordered = |wanted: &[Ordering]| !cell.is_null() && !value.is_null() && wanted.contains(&order(cell, value));
    match compare {
        Compare::Equals => equal(cell, value),
        Compare::NotEquals => !equal(cell, value),
        Compare::Less => ordered(&[Ordering::Less]),
        Compare::LessOrEqual => ordered(&[Ordering::Less, Ordering::Equal]),
        Compare::Greater => ordered(&[Ordering::Greater]),
        Compare::GreaterOrEqual => ordered(&[Ordering::Greater, Ordering::Equal]),
        Compare::Contains => match (cell, value) {
            (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
            (Value::Array(list), value) => list.iter().any(|item| equal(item, value)),
            (Value::Object(map), Value::String(key)) => map.contains_key(key),
            _ => false,
        },
        Compare::StartsWith => match (cell, value) {
            (Value::String(text), Value::String(part)) => text.starts_with(part.as_str()),
            _ => false,
        },
        Compare::In => value.as_array().is_some_and(|list| list.iter().any(|v| equal(cell, v))),
        Compare::Empty => is_empty(cell),
        Compare::NotEmpty => !is_empty(cell),
    }
}

/// Null first, then by value; values of one column have one type.
pub(super) fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)),
        },
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (a, b) => a.to_string().cmp(&b.to_string()),
    }
}
