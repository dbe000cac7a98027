//! An export's JSON as a tree, without the members that the importer never reads: they are most of it.
//!
//! Must never leave out a member that another file here asks for, nor pass over a key that stands twice among the rest.
//! Tests: below, `tests/import_hostile.rs`.

use std::fmt;

use flowdeck_model::Value;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number};

/// Most keys that stand twice whose place is kept.
const TWICE_MAX: usize = 20;
/// Longest part of a place that is shown, in characters.
const PART_CHARS_MAX: usize = 60;

/// Keys that stand twice in one object: the last one counts.
#[derive(Debug, Default)]
pub(super) struct Twice {
    /// Their places, innermost part first while reading.
    places: Vec<Vec<String>>,
}

impl Twice {
    /// Their places, from the outside in.
    pub(super) fn places(self) -> impl Iterator<Item = String> {
        self.places.into_iter().map(|mut parts| {
            parts.reverse();
            parts.join(".")
        })
    }

    fn met(&mut self, key: &str) {
        if self.places.len() < TWICE_MAX {
            self.places.push(vec![shown(key)]);
        }
    }

    /// Those found since `from` lie inside this member.
    fn inside(&mut self, from: usize, member: impl Fn() -> String) {
        self.places.iter_mut().skip(from).for_each(|place| place.push(member()));
    }
}

fn shown(key: &str) -> String {
    key.chars().take(PART_CHARS_MAX).collect()
}

/// Reads an export.
///
/// # Errors
/// Where it is cut off, not well-formed, or nested too deep.
pub(super) fn read(bytes: &[u8]) -> Result<(Value, Twice), serde_json::Error> {
    let mut twice = Twice::default();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let tree = Seed { part: Part::Export, twice: &mut twice }.deserialize(&mut reader)?;
    reader.end()?;
    Ok((tree, twice))
}

/// What a value of an export is, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Export,
    Data,
    Flows,
    Flow,
    /// The `data` of a flow.
    Body,
    Methods,
    Method,
    Node,
    Model,
    /// The inputs or outputs of a card.
    Side,
    Fields,
    Field,
    /// The `value` of a field.
    Given,
    Metadata,
    /// Kept as it stands.
    Whole,
}

impl Part {
    /// What a member is; `None` where nobody reads it.
    fn member(self, key: &str) -> Option<Self> {
        let whole = |keys: &[&str]| keys.contains(&key).then_some(Self::Whole);
        match (self, key) {
            (Self::Whole, _) => Some(Self::Whole),
            (Self::Export, "data") => Some(Self::Data),
            (Self::Data, "flos") => Some(Self::Flows),
            (Self::Data, _) => whole(&["configs", "tables"]),
            (Self::Flows, _) => Some(Self::Flow),
            (Self::Flow, "data") => Some(Self::Body),
            (Self::Flow, _) => whole(&["name", "description"]),
            (Self::Body, "methods") => Some(Self::Methods),
            (Self::Body, _) => whole(&["orderings", "cron", "log", "security_level"]),
            (Self::Method, "node") => Some(Self::Node),
            (Self::Method, _) => whole(&["uuid", "address", "branches", "joins", "pins", "comments"]),
            (Self::Node, "model") => Some(Self::Model),
            (Self::Node, _) => whole(&["key"]),
            (Self::Model, "inputs" | "outputs") => Some(Self::Side),
            (Self::Model, "metadata") => Some(Self::Metadata),
            (Self::Model, _) => whole(&["policy", "config", "displayed", "comments"]),
            (Self::Side, "data") => Some(Self::Fields),
            (Self::Fields, _) => Some(Self::Field),
            (Self::Field, "value") => Some(Self::Given),
            (Self::Field, "metadata") => Some(Self::Metadata),
            (Self::Field, _) => whole(&["group", "key"]),
            // Flows inside cards stand in `data`, but so do objects that only look like one.
            (Self::Given, _) => whole(&["type", "collection", "data", "proxy", "error"]),
            (Self::Metadata, _) => whole(&["name", "index", "custom", "displayname", "path", "srcOutputId"]),
            (Self::Export | Self::Side | Self::Methods, _) => None,
        }
    }

    /// What an item of a list is.
    fn item(self) -> Self {
        if self == Self::Methods { Self::Method } else { Self::Whole }
    }
}

struct Seed<'t> {
    part: Part,
    twice: &'t mut Twice,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let part = self.part.item();
        let mut items = Vec::new();
        loop {
            let from = self.twice.places.len();
            let Some(item) = list.next_element_seed(Seed { part, twice: &mut *self.twice })? else { break };
            let at = items.len();
            self.twice.inside(from, || at.to_string());
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(found) = map.next_key_seed(Key(self.part))? {
            let Some((key, part)) = found else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let from = self.twice.places.len();
            let value = map.next_value_seed(Seed { part, twice: &mut *self.twice })?;
            self.twice.inside(from, || shown(&key));
            match members.entry(key) {
                serde_json::map::Entry::Vacant(entry) => drop(entry.insert(value)),
                serde_json::map::Entry::Occupied(mut entry) => {
                    self.twice.met(entry.key());
                    entry.insert(value);
                }
            }
        }
        Ok(Value::Object(members))
    }
}

/// A key, with what its value is; nothing where nobody reads it.
struct Key(Part);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Option<(String, Part)>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Option<(String, Part)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.member(key).map(|part| (key.to_owned(), part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_functions::Functions;
    use flowdeck_model::{AppName, CardDecl, CardName, Catalogue};
    use serde_json::json;
    use std::sync::Arc;

    struct Cards(Functions);

    impl Catalogue for Cards {
        fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
            self.0.card(name)
        }

        fn cards(&self) -> Vec<Arc<CardDecl>> {
            self.0.cards()
        }

        fn has_app(&self, _: &AppName) -> bool {
            true
        }

        fn apps(&self) -> Vec<AppName> {
            Vec::new()
        }
    }

    #[test]
    fn what_nobody_reads_is_left_out() {
        let card = json!({"uuid": "a", "parents": {"x": 1}, "node": {"key": "k", "data": 1, "model": {
            "policy": {"error": {"flo": {"any": [1, {"b": null}]}}}, "rules": {},
            "inputs": {"extensible": true, "data": {"i": {"id": "i", "key": "k", "group": null,
                "value": {"available": {"a": 1}, "data": {"methods": [{"kept": -1.5}]}},
                "metadata": {"index": 0, "description": "long"}}}}}}});
        let export = json!({"type": "flopack", "data": {"groups": {"g": 1}, "configs": {"c": {"name": "n"}},
            "flos": {"f": {"id": "f", "name": "F", "data": {"display": {}, "methods": [card], "log": false}}}}});
        let (tree, twice) = read(export.to_string().as_bytes()).unwrap();
        let card = json!({"uuid": "a", "node": {"key": "k", "model": {
            "policy": {"error": {"flo": {"any": [1, {"b": null}]}}},
            "inputs": {"data": {"i": {"key": "k", "group": null,
                "value": {"data": {"methods": [{"kept": -1.5}]}}, "metadata": {"index": 0}}}}}}});
        let kept = json!({"data": {"configs": {"c": {"name": "n"}},
            "flos": {"f": {"name": "F", "data": {"methods": [card], "log": false}}}}});
        assert_eq!(tree, kept);
        assert_eq!(twice.places().count(), 0);
    }

    #[test]
    fn the_last_of_two_counts_and_is_told() {
        let text = r#"{"data":{"flos":{"f":{"name":"a","id":1,"id":2,"name":"b","data":
            {"methods":[{"uuid":"x"},{"uuid":"y","pins":{"p":1,"p":2}}]}}},"flos":{}}}"#;
        let (tree, twice) = read(text.as_bytes()).unwrap();
        assert_eq!(tree, json!({"data": {"flos": {}}}));
        let places: Vec<_> = twice.places().collect();
        assert_eq!(places, ["data.flos.f.name", "data.flos.f.data.methods.1.pins.p", "data.flos"]);
    }

    #[test]
    fn what_is_read_of_it_is_the_same_as_of_all() {
        let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/made")];
        let (mut found, cards) = (0, Cards(Functions::new()));
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if let Ok(bytes) = std::fs::read(&path)
                    && super::super::is_export(&bytes)
                {
                    let whole: Value = serde_json::from_slice(&bytes).unwrap();
                    let part = read(&bytes).unwrap().0;
                    let import = |tree: &Value| {
                        let export = super::super::import("a", &bytes, &tree["data"], &cards, &mut Vec::new());
                        (export.flows, export.report)
                    };
                    assert_eq!(import(&part), import(&whole), "{}", path.display());
                    found += 1;
                }
            }
        }
        assert!(found > 0);
    }
}
