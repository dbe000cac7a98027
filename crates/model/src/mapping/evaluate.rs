//! Works out the value of a mapping in a scope.
//!
//! Must never copy a value that can be shared.
//! Tests: `tests.rs` in this folder.

use std::sync::Arc;

use serde_json::Value;

use super::operators::SIZE_MAX;
use super::{Mapping, Reference, Scope, TemplatePart};
use crate::fault::{Fault, FaultCode};

/// A value inside text: null is empty, numbers plain, lists and objects as JSON.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Largest list or object that a mapping may put together, in bytes as [`weight`] counts them.
pub(super) const WHOLE_BYTES_MAX: usize = 64 << 20;

/// About how many bytes a copy of the value takes.
fn weight(value: &Value) -> usize {
    const EACH: usize = size_of::<Value>();
    match value {
        Value::String(text) => EACH + text.len(),
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + EACH,
        Value::Object(members) => members.iter().map(|(key, v)| EACH + key.len() + weight(v)).sum::<usize>() + EACH,
        _ => EACH,
    }
}

/// Takes values that are put together, as long as they fit: a small file can name a large value many times.
pub(super) struct Basket {
    left: usize,
}

impl Basket {
    pub(super) fn new() -> Self {
        Self { left: WHOLE_BYTES_MAX }
    }

    /// The value for keeps; a copy where others hold it.
    pub(super) fn take(&mut self, value: Arc<Value>) -> Result<Value, Fault> {
        self.left = self.left.checked_sub(weight(&value)).ok_or_else(|| {
            let message = format!("the lists and objects in it become larger than {} MiB", WHOLE_BYTES_MAX >> 20);
            Fault::new(FaultCode::BadMapping, message).remedy("work on smaller pieces, for example in a loop")
        })?;
        Ok(Arc::unwrap_or_clone(value))
    }
}

impl Mapping {
    /// The value in this scope. A plain reference to a whole field shares it.
    ///
    /// # Errors
    /// A [`Fault`] (`bad-mapping`) for a name nothing has, a wrong operand, or a limit.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Arc<Value>, Fault> {
        match self {
            Self::Literal(value) => Ok(Arc::new(value.clone())),
            Self::Reference(reference) => reference.resolve(scope),
            Self::Expression(expression) => expression.evaluate(scope),
            Self::Template(parts) => {
                let mut out = String::new();
                for part in parts {
                    let value = match part {
                        TemplatePart::Text(text) => {
                            out.push_str(text);
                            continue;
                        }
                        TemplatePart::Reference(reference) => reference.resolve(scope)?,
                        TemplatePart::Expression(expression) => expression.evaluate(scope)?,
                    };
                    match value.as_ref() {
                        Value::String(text) => out.push_str(text),
                        other => out.push_str(&as_text(other)),
                    }
                    if out.len() > SIZE_MAX {
                        return Err(Fault::new(FaultCode::BadMapping, "the text becomes larger than 16 MiB"));
                    }
                }
                Ok(Arc::new(Value::String(out)))
            }
            Self::List(items) => {
                let mut basket = Basket::new();
                let items = items.iter().map(|m| basket.take(m.evaluate(scope)?));
                Ok(Arc::new(Value::Array(items.collect::<Result<_, _>>()?)))
            }
            Self::Object(members) => {
                let mut basket = Basket::new();
                let members = members.iter().map(|(k, m)| Ok((k.clone(), basket.take(m.evaluate(scope)?)?)));
                Ok(Arc::new(Value::Object(members.collect::<Result<_, Fault>>()?)))
            }
        }
    }

    /// Every reference in it, those inside expressions too.
    #[must_use]
    pub fn references(&self) -> Vec<&Reference> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Reference(reference) => vec![reference],
            Self::Expression(expression) => expression.references(),
            Self::Template(parts) => parts
                .iter()
                .flat_map(|part| match part {
                    TemplatePart::Text(_) => Vec::new(),
                    TemplatePart::Reference(reference) => vec![reference],
                    TemplatePart::Expression(expression) => expression.references(),
                })
                .collect(),
            Self::List(items) => items.iter().flat_map(Self::references).collect(),
            Self::Object(members) => members.values().flat_map(Self::references).collect(),
        }
    }

    /// Whether a condition holds: true, `"true"` and non-zero numbers do; null, false, 0, "" and `"false"` do not.
    ///
    /// ```
    /// use flowdeck_model::Mapping;
    /// use serde_json::json;
    ///
    /// assert!(Mapping::is_true(&json!("yes")) && !Mapping::is_true(&json!("FALSE")) && !Mapping::is_true(&json!([])));
    /// ```
    #[must_use]
    pub fn is_true(value: &Value) -> bool {
        match value {
            Value::Bool(b) => *b,
            Value::Number(n) => n.as_f64().is_some_and(|n| n != 0.0),
            Value::String(s) => !s.is_empty() && !s.eq_ignore_ascii_case("false"),
            Value::Null => false,
            Value::Array(list) => !list.is_empty(),
            Value::Object(map) => !map.is_empty(),
        }
    }
}
