//! What a card's function sees: typed, tolerant access to its inputs, and the step's time and randomness.
//!
//! Must never read a clock or a random source of its own.
//! Tests: below.

use std::borrow::Cow;
use std::sync::Arc;

use flowdeck_model::{Ambient, CardDecl, Fault, FaultCode, Fields, Millis, Value};
use jiff::Timestamp;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Map;

use crate::value;

/// One evaluation.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) inputs: Fields,
    decl: &'a CardDecl,
    ambient: &'a Ambient,
}

impl<'a> Call<'a> {
    pub(crate) fn new(decl: &'a CardDecl, inputs: Fields, ambient: &'a Ambient) -> Self {
        Self { inputs, decl, ambient }
    }

    /// The step's time.
    pub(crate) fn now(&self) -> Millis {
        self.ambient.now
    }

    /// Randomness that is the same whenever the step is computed again.
    pub(crate) fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.ambient.seed)
    }

    /// The value of an input; null where it is not set.
    pub(crate) fn any(&self, key: &str) -> &Value {
        self.inputs.get(key)
    }

    /// The shared value of an input.
    pub(crate) fn shared(&self, key: &str) -> Arc<Value> {
        self.inputs.shared(key).cloned().unwrap_or_default()
    }

    /// A fault that names the input.
    pub(crate) fn wrong(&self, key: &str, expected: &str) -> Fault {
        let field = self.decl.input(key);
        let label = field.map_or(key, |f| f.label());
        let found = if field.is_some_and(|f| f.secret) { "something else".into() } else { value::word(self.any(key)) };
        Fault::new(FaultCode::BadType, format!("`{label}` must be {expected}, but it is {found}"))
    }

    /// Text; null is empty, other values by their text form.
    pub(crate) fn text(&self, key: &str) -> Cow<'_, str> {
        value::text(self.any(key))
    }

    /// Text that must not be empty.
    pub(crate) fn some_text(&self, key: &str) -> Result<Cow<'_, str>, Fault> {
        let text = self.text(key);
        if text.is_empty() { Err(self.missing(key)) } else { Ok(text) }
    }

    /// A fault that says that an input is missing.
    pub(crate) fn missing(&self, key: &str) -> Fault {
        let label = self.decl.input(key).map_or(key, |f| f.label());
        Fault::bad_input(format!("`{label}` is missing")).remedy(format!("fill in `{key}` of the card"))
    }

    /// A finite number; null and empty text are none.
    pub(crate) fn number(&self, key: &str) -> Result<Option<f64>, Fault> {
        match self.any(key) {
            Value::Null => Ok(None),
            Value::String(text) if text.trim().is_empty() => Ok(None),
            other => value::number(other).map(Some).ok_or_else(|| self.wrong(key, "a number")),
        }
    }

    /// A number that must be there.
    pub(crate) fn some_number(&self, key: &str) -> Result<f64, Fault> {
        self.number(key)?.ok_or_else(|| self.missing(key))
    }

    /// A whole number; fractions are cut off, values beyond 2^53 are held there.
    pub(crate) fn whole(&self, key: &str) -> Result<Option<i64>, Fault> {
        #[allow(clippy::cast_possible_truncation)]
        Ok(self.number(key)?.map(|n| n.clamp(-9_007_199_254_740_992.0, 9_007_199_254_740_992.0) as i64))
    }

    /// True or false; null and empty text are none.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Fault> {
        match self.any(key) {
            Value::Null => Ok(None),
            Value::String(text) if text.trim().is_empty() => Ok(None),
            other => value::boolean(other).map(Some).ok_or_else(|| self.wrong(key, "true or false")),
        }
    }

    /// True or false; null is false.
    pub(crate) fn boolean(&self, key: &str) -> Result<bool, Fault> {
        Ok(self.flag(key)?.unwrap_or(false))
    }

    /// A list; null is empty.
    pub(crate) fn list(&self, key: &str) -> Result<&[Value], Fault> {
        match self.any(key) {
            Value::Null => Ok(&[]),
            Value::Array(list) => Ok(list),
            _ => Err(self.wrong(key, "a list")),
        }
    }

    /// A list to keep, without a copy where nobody else holds it.
    pub(crate) fn take_list(&mut self, key: &str) -> Result<Vec<Value>, Fault> {
        self.list(key)?;
        match self.inputs.take(key) {
            Value::Array(list) => Ok(list),
            _ => Ok(Vec::new()),
        }
    }

    /// An object; `None` where it is null.
    pub(crate) fn object(&self, key: &str) -> Result<Option<&Map<String, Value>>, Fault> {
        match self.any(key) {
            Value::Null => Ok(None),
            Value::Object(map) => Ok(Some(map)),
            _ => Err(self.wrong(key, "an object")),
        }
    }

    /// An object to keep, without a copy where nobody else holds it; null is empty.
    pub(crate) fn take_object(&mut self, key: &str) -> Result<Map<String, Value>, Fault> {
        self.object(key)?;
        match self.inputs.take(key) {
            Value::Object(map) => Ok(map),
            _ => Ok(Map::new()),
        }
    }

    /// A point in time that must be there.
    pub(crate) fn date(&self, key: &str) -> Result<Timestamp, Fault> {
        match self.any(key) {
            Value::Null => Err(self.missing(key)),
            Value::String(text) if text.trim().is_empty() => Err(self.missing(key)),
            other => crate::date::read::value(other).ok_or_else(|| match other {
                Value::String(text) if crate::date::read::is_beyond(text) => crate::date::beyond(text),
                _ => self.wrong(key, "a date, such as 2026-01-31T09:30:00Z"),
            }),
        }
    }

    /// The inputs that the user named, in order.
    pub(crate) fn more(&self) -> impl Iterator<Item = (&str, &Arc<Value>)> {
        self.inputs.iter().filter(|(key, _)| self.decl.input(key).is_none())
    }

    /// The inputs of the given keys, then those that the user named.
    pub(crate) fn and_more<'s>(&'s self, keys: &'static [&'static str]) -> impl Iterator<Item = (&'s str, &'s Value)> {
        let first = keys.iter().map(|&key| (key, self.any(key)));
        first.chain(self.more().map(|(key, value)| (key, value.as_ref())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::{CardName, FieldDecl, FieldType};
    use serde_json::json;

    #[test]
    fn reads_tolerantly_and_names_the_field_that_is_wrong() {
        let mut decl = CardDecl::function(CardName::new("t/x").unwrap(), "X", "X.");
        let mut field = FieldDecl::new("n", FieldType::Number);
        field.title = "how many".into();
        decl.inputs.push(field);
        let ambient = Ambient { now: Millis(0), seed: 1 };
        let hidden = [true, false].map(|secret| {
            decl.inputs[0].secret = secret;
            let inputs = Fields::from_value(json!({"n": "canary"}));
            Call::new(&decl, inputs, &ambient).number("n").unwrap_err().message.contains("canary")
        });
        assert_eq!(hidden, [false, true]);
        let inputs = Fields::from_value(json!({"n": [1], "t": 3.0, "b": "TRUE", "empty": "", "extra": 1}));
        let call = Call::new(&decl, inputs, &ambient);
        assert!(call.number("n").unwrap_err().message.contains("`how many`"));
        assert_eq!(call.text("t"), "3");
        assert!(call.boolean("b").unwrap());
        assert_eq!(call.number("empty").unwrap(), None);
        assert_eq!(call.list("missing").unwrap(), &[] as &[Value]);
        assert_eq!(call.more().map(|(k, _)| k).collect::<Vec<_>>(), ["t", "b", "empty", "extra"]);
    }
}
