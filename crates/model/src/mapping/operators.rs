//! What operators and functions of expressions do, and the types they give.
//!
//! Must never overflow, loop without bound or make a text above the limit.
//! Tests: `tests.rs` in this folder.

use std::cmp::Ordering;
use std::sync::Arc;

use serde_json::Value;

use super::evaluate::Basket;
use super::expression::Node;
use super::{Mapping, MappingError, Reference, Scope, evaluate as text, loose, reference};
use crate::compare;
use crate::fault::{Fault, FaultCode};
use crate::field::FieldType;

/// Largest text or list that an expression may make.
pub(super) const SIZE_MAX: usize = 16 << 20;

/// Longest list that an expression may make.
const ITEMS_MAX: usize = 1_000_000;

/// Operators with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
}

macro_rules! functions {
    ($($name:ident = $text:literal, $min:literal..=$max:literal;)*) => {
        /// Functions of expressions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Function { $($name,)* }

        impl Function {
            /// The function with this name.
            pub(super) fn find(name: &str) -> Option<Self> {
                match name { $($text => Some(Self::$name),)* "double" => Some(Self::Number), _ => None }
            }

            /// All names.
            pub(super) fn names() -> Vec<&'static str> {
                vec![$($text,)*]
            }

            /// Whether it takes so many arguments (the value before a dot counts).
            pub(super) fn check_count(self, count: usize) -> Result<(), String> {
                let (name, min, max) = match self { $(Self::$name => ($text, $min, $max),)* };
                if (min..=max).contains(&count) { Ok(()) } else {
                    Err(format!("`{name}` takes {min} to {max} values, not {count}"))
                }
            }
        }
    };
}

functions! {
    Size = "size", 1..=1;
    Contains = "contains", 2..=2;
    StartsWith = "startsWith", 2..=2;
    EndsWith = "endsWith", 2..=2;
    Lower = "lower", 1..=1;
    Upper = "upper", 1..=1;
    Trim = "trim", 1..=1;
    Text = "string", 1..=1;
    Number = "number", 1..=1;
    Whole = "int", 1..=1;
    Coalesce = "coalesce", 1..=20;
    Compare = "compare", 3..=3;
    IsEmpty = "isEmpty", 1..=1;
    Parse = "parse", 1..=1;
    Json = "json", 1..=1;
    List = "list", 1..=1;
    Pairs = "pairs", 1..=1;
    ToNumber = "toNumber", 1..=1;
    NonEmpty = "nonEmpty", 1..=1;
}

fn fault(message: impl Into<String>) -> Fault {
    Fault::new(FaultCode::BadMapping, message)
}

/// A double as a JSON number: whole ones without a point; what is no number is null.
pub(super) fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0 {
        Value::from(value as i64)
    } else {
        serde_json::Number::from_f64(value).map_or(Value::Null, Value::Number)
    }
}

fn describe(node: &Node, value: &Value) -> String {
    let name = if let Node::Reference(reference) = node { format!("`{reference}` is ") } else { String::new() };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "true/false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("{name}{kind}")
}

/// The value of a node.
pub(super) fn evaluate(node: &Node, scope: &dyn Scope) -> Result<Arc<Value>, Fault> {
    let truth = |n: &Node| evaluate(n, scope).map(|v| Mapping::is_true(&v));
    Ok(match node {
        Node::Literal(value) => Arc::clone(value),
        Node::Reference(reference) => reference.resolve(scope)?,
        Node::Has(inner) => Arc::new(Value::Bool(!evaluate(inner, scope)?.is_null())),
        Node::Not(inner) => Arc::new(Value::Bool(!truth(inner)?)),
        Node::And(a, b) => Arc::new(Value::Bool(truth(a)? && truth(b)?)),
        Node::Or(a, b) => Arc::new(Value::Bool(truth(a)? || truth(b)?)),
        Node::Choose(when, then, otherwise) => evaluate(if truth(when)? { then } else { otherwise }, scope)?,
        Node::Negate(inner) => {
            let value = evaluate(inner, scope)?;
            let n = value.as_f64().ok_or_else(|| fault(format!("`-` needs a number: {}", describe(inner, &value))))?;
            Arc::new(number(-n))
        }
        Node::Index(of, at) => {
            let (of, at) = (evaluate(of, scope)?, evaluate(at, scope)?);
            let found = match at.as_ref() {
                Value::String(key) => reference::keyed(&of, key),
                Value::Number(n) => {
                    n.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0).and_then(|n| of.get(n as usize))
                }
                _ => None,
            };
            Arc::new(found.cloned().unwrap_or(Value::Null))
        }
        Node::List(items) => {
            let mut basket = Basket::new();
            let items = items.iter().map(|n| basket.take(evaluate(n, scope)?));
            Arc::new(Value::Array(items.collect::<Result<_, _>>()?))
        }
        Node::Object(pairs) => {
            let (mut object, mut basket) = (serde_json::Map::new(), Basket::new());
            for (key, value) in pairs {
                object.insert(text::as_text(&*evaluate(key, scope)?), basket.take(evaluate(value, scope)?)?);
            }
            Arc::new(Value::Object(object))
        }
        Node::Binary(operator, a, b) => {
            let (left, right) = (evaluate(a, scope)?, evaluate(b, scope)?);
            Arc::new(binary(*operator, &left, &right, || {
                format!("{} and {}", describe(a, &left), describe(b, &right))
            })?)
        }
        Node::Call(function, arguments) => {
            let values = arguments.iter().map(|n| evaluate(n, scope)).collect::<Result<Vec<_>, _>>()?;
            Arc::new(call(*function, &values)?)
        }
    })
}

/// Equality over JSON, numbers by value.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| equal(v, w)))
        }
        (a, b) => a == b,
    }
}

fn order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64()?.partial_cmp(&b.as_f64()?),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

fn binary(operator: Binary, a: &Value, b: &Value, operands: impl Fn() -> String) -> Result<Value, Fault> {
    let compare = |holds: fn(Ordering) -> bool| {
        order(a, b).map(|o| Value::Bool(holds(o))).ok_or_else(|| {
            fault(format!("cannot compare: {}", operands()))
                .remedy("test for null first, or convert with number() or string()")
        })
    };
    let arithmetic = |compute: fn(f64, f64) -> f64| match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => Ok(number(compute(a, b))),
        _ => Err(fault(format!("needs two numbers: {}", operands())).remedy("convert with number()")),
    };
    match operator {
        Binary::Equal => Ok(Value::Bool(equal(a, b))),
        Binary::NotEqual => Ok(Value::Bool(!equal(a, b))),
        Binary::Less => compare(Ordering::is_lt),
        Binary::LessOrEqual => compare(Ordering::is_le),
        Binary::Greater => compare(Ordering::is_gt),
        Binary::GreaterOrEqual => compare(Ordering::is_ge),
        Binary::Subtract => arithmetic(|a, b| a - b),
        Binary::Multiply => arithmetic(|a, b| a * b),
        Binary::Divide | Binary::Remainder if b.as_f64() == Some(0.0) => Err(fault("divides by zero")),
        Binary::Divide => arithmetic(|a, b| a / b),
        Binary::Remainder => arithmetic(|a, b| a % b),
        Binary::Add => match (a, b) {
            (Value::String(a), Value::String(b)) if a.len() + b.len() <= SIZE_MAX => {
                Ok(Value::String(format!("{a}{b}")))
            }
            (Value::String(_), Value::String(_)) => Err(fault("the text becomes too large")),
            (Value::Array(a), Value::Array(b)) if a.len() + b.len() <= ITEMS_MAX => {
                Ok(Value::Array(a.iter().chain(b).cloned().collect()))
            }
            (Value::Array(_), Value::Array(_)) => Err(fault(format!("the list becomes longer than {ITEMS_MAX} items"))),
            _ => arithmetic(|a, b| a + b),
        },
        Binary::In => match b {
            Value::Array(items) => Ok(Value::Bool(items.iter().any(|item| equal(a, item)))),
            Value::Object(members) => Ok(Value::Bool(a.as_str().is_some_and(|k| members.contains_key(k)))),
            Value::String(whole) => Ok(Value::Bool(a.as_str().is_some_and(|part| whole.contains(part)))),
            Value::Null => Ok(Value::Bool(false)),
            _ => Err(fault(format!("`in` needs a list, an object or a text: {}", operands()))),
        },
    }
}

fn call(function: Function, values: &[Arc<Value>]) -> Result<Value, Fault> {
    let value = |i: usize| values.get(i).map_or(&Value::Null, |v| v.as_ref());
    let word = |i: usize| text::as_text(value(i));
    Ok(match function {
        Function::Size => Value::from(match value(0) {
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            Value::Null => 0,
            other => text::as_text(other).chars().count(),
        }),
        Function::Contains => return binary(Binary::In, value(1), value(0), || "contains".into()),
        Function::StartsWith => Value::Bool(word(0).starts_with(&word(1))),
        Function::EndsWith => Value::Bool(word(0).ends_with(&word(1))),
        Function::Lower => Value::String(word(0).to_lowercase()),
        Function::Upper => Value::String(word(0).to_uppercase()),
        Function::Trim => Value::String(word(0).trim().to_owned()),
        Function::Text => Value::String(word(0)),
        Function::Number | Function::Whole => {
            let n = match value(0) {
                Value::Number(n) => n.as_f64(),
                Value::Bool(b) => Some(f64::from(u8::from(*b))),
                Value::String(s) => s.trim().parse::<f64>().ok().filter(|n| n.is_finite()),
                _ => None,
            };
            let n = n.ok_or_else(|| fault("this is not a number"))?;
            number(if function == Function::Whole { n.trunc() } else { n })
        }
        Function::Compare => Value::Bool(loose::holds(value(0), &word(1), value(2)).map_err(fault)?),
        Function::IsEmpty => Value::Bool(compare::is_empty(value(0))),
        Function::Parse => return loose::parse(value(0)).map_err(fault),
        Function::Json => match value(0) {
            kept @ (Value::Null | Value::String(_)) => kept.clone(),
            other => Value::String(other.to_string()),
        },
        Function::List => match value(0) {
            kept @ (Value::Null | Value::Array(_)) => kept.clone(),
            other => Value::Array(vec![other.clone()]),
        },
        Function::Pairs => loose::pairs(value(0)),
        Function::ToNumber => loose::number(value(0)).map_or(Value::Null, number),
        Function::NonEmpty => match value(0) {
            Value::Object(map) => {
                map.iter().filter(|(_, v)| !compare::is_empty(v)).map(|(k, v)| (k.clone(), v.clone())).collect()
            }
            Value::Array(list) => list.iter().filter(|v| !compare::is_empty(v)).cloned().collect(),
            other => other.clone(),
        },
        Function::Coalesce => values.iter().find(|v| !v.is_null()).map_or(Value::Null, |v| (**v).clone()),
    })
}

/// The type of a node's value.
pub(super) fn result_type(node: &Node, types: &dyn Fn(&Reference) -> FieldType) -> Result<FieldType, MappingError> {
    use FieldType as T;
    let of = |n: &Node| result_type(n, types);
    let numeric = |t: &T| matches!(t, T::Any | T::Number);
    Ok(match node {
        Node::Literal(value) => match value.as_ref() {
            Value::Bool(_) => T::Boolean,
            Value::Number(_) => T::Number,
            Value::String(_) => T::Text,
            Value::Array(_) => T::Any.list(),
            Value::Object(_) => T::object(),
            Value::Null => T::Any,
        },
        Node::Reference(reference) => types(reference),
        Node::Has(a) | Node::Not(a) => of(a).map(|_| T::Boolean)?,
        Node::Negate(a) => of(a).map(|_| T::Number)?,
        Node::And(a, b) | Node::Or(a, b) => of(a).and(of(b)).map(|_| T::Boolean)?,
        Node::Choose(a, b, c) => {
            of(a)?;
            let (b, c) = (of(b)?, of(c)?);
            if b == c { b } else { T::Any }
        }
        Node::Index(a, b) => of(a).and(of(b)).map(|_| T::Any)?,
        Node::List(items) => {
            items.iter().try_for_each(|n| of(n).map(|_| ()))?;
            T::Any.list()
        }
        Node::Object(pairs) => {
            pairs.iter().try_for_each(|(k, v)| of(k).and(of(v)).map(|_| ()))?;
            T::object()
        }
        Node::Call(function, arguments) => {
            arguments.iter().try_for_each(|n| of(n).map(|_| ()))?;
            match function {
                Function::Size | Function::Number | Function::Whole | Function::ToNumber => T::Number,
                Function::Contains
                | Function::StartsWith
                | Function::EndsWith
                | Function::Compare
                | Function::IsEmpty => T::Boolean,
                Function::Lower | Function::Upper | Function::Trim | Function::Text | Function::Json => T::Text,
                Function::List | Function::Pairs => T::Any.list(),
                Function::Coalesce | Function::Parse | Function::NonEmpty => T::Any,
            }
        }
        Node::Binary(operator, a, b) => {
            let (a, b) = (of(a)?, of(b)?);
            match operator {
                Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder => {
                    if !(numeric(&a) && numeric(&b)) {
                        let message =
                            format!("needs two numbers, not {} and {}; convert with number()", a.word(), b.word());
                        return Err(MappingError { offset: 0, message });
                    }
                    T::Number
                }
                Binary::Add if a == T::Number && b == T::Number => T::Number,
                Binary::Add if a == T::Text && b == T::Text => T::Text,
                Binary::Add if a == T::Any || b == T::Any => T::Any,
                Binary::Add => match (&a, &b) {
                    (T::List(_), T::List(_)) => T::Any.list(),
                    (T::Text | T::Date, T::Text | T::Date) => T::Text,
                    _ => {
                        let message = format!("cannot add {} and {}; use a template or string()", a.word(), b.word());
                        return Err(MappingError { offset: 0, message });
                    }
                },
                _ => T::Boolean,
            }
        }
    })
}
