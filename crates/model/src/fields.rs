//! Named values: the inputs or outputs of one step.
//!
//! Must never copy a value to pass it on: values are shared. Must stay fast for few fields (nearly always) and for many.
//! Tests: below.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

static NULL: Value = Value::Null;

/// From so many fields on, keys are found by hash; below, looking through them is faster.
const MANY: usize = 16;

/// Field keys with shared values, in the order they were set.
///
/// ```
/// use flowdeck_model::{Fields, Value};
///
/// let mut fields = Fields::one("name", "Ada");
/// fields.set("age", 36);
/// assert_eq!((fields.len(), fields.get("name").as_str()), (2, Some("Ada")));
/// assert_eq!(fields.get("height"), &Value::Null);
/// assert!(fields.has("age") && !fields.has("height"));
/// ```
#[derive(Clone, Default)]
pub struct Fields {
    list: Vec<(String, Arc<Value>)>,
    /// Places of all keys; there from [`MANY`] fields on.
    #[expect(clippy::box_collection, reason = "it is nearly never there, and fields are moved and kept everywhere")]
    places: Option<Box<HashMap<String, usize>>>,
}

impl Fields {
    /// No fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Room for so many fields.
    #[must_use]
    pub fn with_capacity(len: usize) -> Self {
        Self { list: Vec::with_capacity(len), places: None }
    }

    /// One field.
    #[must_use]
    pub fn one(key: impl Into<String>, value: impl Into<Value>) -> Self {
        Self { list: vec![(key.into(), Arc::new(value.into()))], places: None }
    }

    /// Sets a field.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.share(key, Arc::new(value.into()));
    }

    /// Sets a field to a shared value.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use flowdeck_model::{Fields, Value};
    ///
    /// let long = Arc::new(Value::from(vec![0; 1000]));
    /// let (mut one, mut two) = (Fields::new(), Fields::new());
    /// one.share("list", long.clone());
    /// two.share("list", long);
    /// assert!(Arc::ptr_eq(one.shared("list").unwrap(), two.shared("list").unwrap()), "nothing was copied");
    /// ```
    pub fn share(&mut self, key: impl Into<String>, value: Arc<Value>) {
        let key = key.into();
        if let Some(at) = self.place(&key) {
            self.list[at].1 = value;
            return;
        }
        if let Some(places) = &mut self.places {
            places.insert(key.clone(), self.list.len());
        }
        self.list.push((key, value));
        if self.list.len() == MANY && self.places.is_none() {
            self.number();
        }
    }

    fn number(&mut self) {
        let places = self.list.iter().enumerate().map(|(at, (key, _))| (key.clone(), at));
        self.places = (self.list.len() >= MANY).then(|| Box::new(places.collect()));
    }

    fn place(&self, key: &str) -> Option<usize> {
        match &self.places {
            Some(places) => places.get(key).copied(),
            None => self.list.iter().position(|(k, _)| k == key),
        }
    }

    /// The value of a field; JSON null where it is not set.
    #[must_use]
    pub fn get(&self, key: &str) -> &Value {
        self.shared(key).map_or(&NULL, |v| v.as_ref())
    }

    /// The shared value of a field, if it is set.
    #[must_use]
    pub fn shared(&self, key: &str) -> Option<&Arc<Value>> {
        self.place(key).map(|at| &self.list[at].1)
    }

    /// Whether the field is set (null counts as set).
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.place(key).is_some()
    }

    /// Takes a field out, without a copy where nobody else holds it.
    pub fn take(&mut self, key: &str) -> Value {
        let Some(at) = self.place(key) else { return Value::Null };
        let (_, value) = self.list.remove(at);
        if self.places.is_some() {
            self.number();
        }
        Arc::unwrap_or_clone(value)
    }

    /// The fields in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Value>)> {
        self.list.iter().map(|(k, v)| (k.as_str(), v))
    }

    /// The shared values in order, to exchange them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Arc<Value>> {
        self.list.iter_mut().map(|(_, v)| v)
    }

    /// How many fields are set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether no field is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// As one JSON object (copies what is shared).
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::Object(self.list.iter().map(|(k, v)| (k.clone(), v.as_ref().clone())).collect())
    }

    /// From a JSON object; any other value becomes no fields.
    ///
    /// ```
    /// use flowdeck_model::Fields;
    /// use serde_json::json;
    ///
    /// assert_eq!(Fields::from_value(json!({ "a": 1 })).get("a"), &json!(1));
    /// assert!(Fields::from_value(json!([1])).is_empty());
    /// ```
    #[must_use]
    pub fn from_value(value: Value) -> Self {
        match value {
            Value::Object(map) => map.into_iter().collect(),
            _ => Self::new(),
        }
    }
}

/// The same keys with the same values; their order does not matter.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(key, value)| other.shared(key) == Some(value))
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("fields by key")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Fields::new();
                while let Some((key, value)) = map.next_entry::<String, Arc<Value>>()? {
                    fields.share(key, value);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl FromIterator<(String, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(pairs: I) -> Self {
        pairs.into_iter().map(|(k, v)| (k, Arc::new(v))).collect()
    }
}

impl FromIterator<(String, Arc<Value>)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Arc<Value>)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        let mut fields = Self::with_capacity(pairs.size_hint().0);
        for (key, value) in pairs {
            fields.share(key, value);
        }
        fields
    }
}

impl IntoIterator for Fields {
    type Item = (String, Arc<Value>);
    type IntoIter = std::vec::IntoIter<Self::Item>;
    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn keeps_order_and_answers_null_for_what_is_not_set() {
        let fields = Fields::from_value(json!({"b": 1, "a": [2]}));
        assert_eq!(fields.iter().map(|(k, _)| k).collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(fields.get("missing"), &Value::Null);
        assert_eq!(fields.to_value(), json!({"b": 1, "a": [2]}));
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"b":1,"a":[2]}"#);
    }

    proptest! {
        #[test]
        fn behaves_like_a_map_few_or_many(
            changes in proptest::collection::vec((0u8..30, any::<bool>()), 0..90)
        ) {
            let mut fields = Fields::new();
            let mut map = indexmap::IndexMap::new();
            for (n, (key, sets)) in changes.into_iter().enumerate() {
                let key = format!("k{key}");
                if sets || n % 3 != 0 {
                    fields.set(key.clone(), n);
                    map.insert(key, json!(n));
                } else {
                    prop_assert_eq!(fields.take(&key), map.shift_remove(&key).unwrap_or_default());
                }
            }
            prop_assert_eq!(fields.len(), map.len());
            for n in 0..31 {
                let key = format!("k{n}");
                prop_assert_eq!(fields.shared(&key).map(|v| v.as_ref()), map.get(&key));
                prop_assert_eq!(fields.has(&key), map.contains_key(&key));
            }
            let pairs = fields.iter().map(|(k, v)| (k.to_owned(), v.as_ref().clone()));
            prop_assert_eq!(pairs.collect::<Vec<_>>(), map.clone().into_iter().collect::<Vec<_>>());
            let mut turned: Vec<_> = fields.clone().into_iter().collect();
            turned.reverse();
            prop_assert_eq!(&turned.into_iter().collect::<Fields>(), &fields, "order does not matter");
            prop_assert_eq!(&serde_json::from_value::<Fields>(fields.to_value()).unwrap(), &fields);
        }
    }
}
