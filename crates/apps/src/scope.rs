//! What the mappings of an app file can refer to.
//!
//! Must never hold a secret: `connection` has only the fields that are not secret.
//! Tests: `render.rs`, `answer.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_model::mapping::{Root, Scope};
use flowdeck_model::{Fields, Value};

/// Named values for one request or answer.
#[derive(Debug, Default)]
pub(crate) struct Names {
    values: BTreeMap<&'static str, Arc<Value>>,
    input: Fields,
}

impl Names {
    /// With the action's inputs, the connection's public fields and the app's variables.
    pub(crate) fn new(input: Fields, connection: &BTreeMap<String, String>, variables: &Arc<Value>) -> Self {
        let connection = connection.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect();
        let values = BTreeMap::from([
            ("connection", Arc::new(Value::Object(connection))),
            ("app", Arc::clone(variables)),
            ("page", Arc::new(Value::Null)),
            // What only some actions have is null in the others, and where a condition left it out.
            ("before", Arc::new(Value::Null)),
            ("made", Arc::new(Value::Null)),
            ("each", Arc::new(Value::Null)),
            ("answers", Arc::new(Value::Null)),
            ("response", Arc::new(Value::Null)),
            ("item", Arc::new(Value::Null)),
            ("more", Arc::new(Value::Null)),
        ]);
        Self { values, input }
    }

    /// The whole number under a name; 0 where there is none.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.values.get(name).and_then(|v| v.as_i64()).unwrap_or(0)
    }

    /// Sets a name.
    pub(crate) fn set(&mut self, name: &'static str, value: Arc<Value>) {
        self.values.insert(name, value);
    }
}

impl Scope for Names {
    fn root(&self, name: &str) -> Option<Root<'_>> {
        if name == "input" {
            return Some(Root::Fields(&self.input));
        }
        self.values.get(name).map(Root::Value)
    }
}
