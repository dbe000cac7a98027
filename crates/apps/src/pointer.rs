//! Places in an answer: JSON pointers (RFC 6901) with one thing more, `[key=value]` for the first such member of a list.
//!
//! Must never fail on an answer: what is not there is null.
//! Tests: below.

use flowdeck_model::Value;

/// A place in an answer, as `/target/[type=User]/id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<Segment>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Key(String),
    First { key: String, value: String },
}

impl Pointer {
    /// Reads one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(Vec::new()));
        }
        let Some(rest) = text.strip_prefix('/') else { return Err(format!("`{text}` does not begin with /")) };
        let segment = |part: &str| {
            let part = part.replace("~1", "/").replace("~0", "~");
            let inner = part.strip_prefix('[').and_then(|p| p.strip_suffix(']'));
            match inner.and_then(|i| i.split_once('=')) {
                Some((key, value)) => Segment::First { key: key.to_owned(), value: value.to_owned() },
                None => Segment::Key(part),
            }
        };
        Ok(Self(rest.split('/').map(segment).collect()))
    }

    /// What is there.
    pub(crate) fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(value, |value, segment| match (segment, value) {
            (Segment::Key(key), Value::Object(members)) => members.get(key),
            (Segment::Key(key), Value::Array(items)) => items.get(key.parse::<usize>().ok()?),
            (Segment::First { key, value }, Value::Array(items)) => {
                items.iter().find(|item| item.get(key).is_some_and(|v| v.as_str() == Some(value)))
            }
            _ => None,
        })
    }

    /// What is there, or null.
    pub(crate) fn get(&self, value: &Value) -> Value {
        self.find(value).cloned().unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn places_are_found_or_null() {
        let answer = json!({"a/b": [1, {"type": "x", "id": 7}, {"type": "y", "id": 8}], "0": true});
        let table = [
            ("", answer.clone()),
            ("/0", json!(true)),
            ("/a~1b/0", json!(1)),
            ("/a~1b/[type=y]/id", json!(8)),
            ("/a~1b/[type=z]/id", json!(null)),
            ("/a~1b/9", json!(null)),
            ("/[type=y]", json!(null)),
            ("/0/deeper", json!(null)),
        ];
        for (text, expected) in table {
            assert_eq!(Pointer::parse(text).unwrap().get(&answer), expected, "{text}");
        }
        assert!(Pointer::parse("id").is_err());
    }
}
