//! Named values: the inputs or outputs of one step.
//!
//! Must never copy a value to pass it on: values are shared.
//! Tests: below.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

static NULL: Value = Value::Null;

/// Field keys with shared values, in the order they were set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(IndexMap<String, Arc<Value>>);

impl Fields {
    /// No fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One field.
    #[must_use]
    pub fn one(key: impl Into<String>, value: impl Into<Value>) -> Self {
        let mut fields = Self::new();
        fields.set(key, value);
        fields
    }

    /// Sets a field.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(key.into(), Arc::new(value.into()));
    }

    /// Sets a field to a shared value.
    pub fn share(&mut self, key: impl Into<String>, value: Arc<Value>) {
        self.0.insert(key.into(), value);
    }

    /// The value of a field; JSON null where it is not set.
    #[must_use]
    pub fn get(&self, key: &str) -> &Value {
        self.0.get(key).map_or(&NULL, |v| v.as_ref())
    }

    /// The shared value of a field, if it is set.
    #[must_use]
    pub fn shared(&self, key: &str) -> Option<&Arc<Value>> {
        self.0.get(key)
    }

    /// Whether the field is set (null counts as set).
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Takes a field out, without a copy where nobody else holds it.
    pub fn take(&mut self, key: &str) -> Value {
        self.0.shift_remove(key).map_or(Value::Null, Arc::unwrap_or_clone)
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Value>)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// The shared values in order, to exchange them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Arc<Value>> {
        self.0.values_mut()
    }

    /// How many fields are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no field is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As one JSON object (copies what is shared).
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.0.iter().map(|(k, v)| (k.clone(), v.as_ref().clone())).collect())
    }

    /// From a JSON object; any other value becomes no fields.
    #[must_use]
    pub fn from_value(value: Value) -> Self {
        match value {
            Value::Object(map) => map.into_iter().collect(),
            _ => Self::new(),
        }
    }
}

impl FromIterator<(String, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(k, v)| (k, Arc::new(v))).collect())
    }
}

impl FromIterator<(String, Arc<Value>)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Arc<Value>)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl IntoIterator for Fields {
    type Item = (String, Arc<Value>);
    type IntoIter = indexmap::map::IntoIter<String, Arc<Value>>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keeps_order_and_answers_null_for_what_is_not_set() {
        let fields = Fields::from_value(json!({"b": 1, "a": [2]}));
        assert_eq!(fields.iter().map(|(k, _)| k).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(fields.get("missing"), &Value::Null);
        assert_eq!(fields.to_value(), json!({"b": 1, "a": [2]}));
    }
}
