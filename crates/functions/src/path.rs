//! Dot paths into values: `profile.email`, `actions.0.value`.
//!
//! Must never guess among several: a key that is literally the rest of the path wins, then the first dot that leads on.
//! Tests: below.

use flowdeck_model::{Fault, Value};
use serde_json::Map;

use crate::limits::{MADE_INDEX_MAX, PATH_SEGMENTS_MAX};

/// The value at a path; an empty path is the value itself. `None` where there is nothing.
pub(crate) fn get<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if path.is_empty() { Some(value) } else { walk(value, path) }
}

fn walk<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    if let Some(found) = child(value, path) {
        return Some(found);
    }
    path.match_indices('.')
        .take(PATH_SEGMENTS_MAX)
        .find_map(|(dot, _)| walk(child(value, &path[..dot])?, &path[dot + 1..]))
}

/// The value under one key or list position.
pub(crate) fn child<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(key),
        Value::Array(list) => index(key).and_then(|i| list.get(i)),
        _ => None,
    }
}

/// A list position: digits only, so that `+1` and `01x` are keys.
fn index(segment: &str) -> Option<usize> {
    let digits = !segment.is_empty() && segment.len() <= 9 && segment.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| segment.parse().ok()).flatten()
}

/// Sets the value at a path and makes what is missing: a list where the segment is a number, else an object.
/// Values of other types in the way are replaced.
///
/// # Errors
/// `bad-input` where the path has too many segments or an index is too large.
pub(crate) fn set(map: &mut Map<String, Value>, path: &str, value: Value) -> Result<(), Fault> {
    if map.contains_key(path) || !path.contains('.') {
        map.insert(path.to_owned(), value);
        return Ok(());
    }
    let segments: Vec<&str> = path.split('.').collect();
    if segments.len() > PATH_SEGMENTS_MAX {
        return Err(Fault::bad_input(format!("the path has more than {PATH_SEGMENTS_MAX} parts")));
    }
    let mut at = map.entry(segments[0]).or_insert(Value::Null);
    for segment in &segments[1..] {
        at = step(at, segment)?;
    }
    *at = value;
    Ok(())
}

fn step<'v>(at: &'v mut Value, segment: &str) -> Result<&'v mut Value, Fault> {
    if let Some(i) = index(segment).filter(|_| !at.is_object()) {
        let known = at.as_array().is_some_and(|list| i < list.len());
        if i > MADE_INDEX_MAX && !known {
            return Err(Fault::bad_input(format!("the list position {i} is above {MADE_INDEX_MAX}")));
        }
        if !at.is_array() {
            *at = Value::Array(Vec::new());
        }
        if let Value::Array(list) = at {
            if list.len() <= i {
                list.resize(i + 1, Value::Null);
            }
            return Ok(&mut list[i]);
        }
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    match at {
        Value::Object(map) => Ok(map.entry(segment).or_insert(Value::Null)),
        _ => Err(Fault::bad_input("the path leads nowhere")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_literal_keys_first_and_backtracks() {
        let value = json!({"a.b": 1, "a": {"b": 2, "c": [3, {"d e": 4}]}, "x.y": {"z": 5}, "n": null});
        for (path, expected) in [
            ("a.b", Some(json!(1))),
            ("a.c.0", Some(json!(3))),
            ("a.c.1.d e", Some(json!(4))),
            ("x.y.z", Some(json!(5))),
            ("n", Some(json!(null))),
            ("n.m", None),
            ("a.c.9", None),
            ("a.c.+1", None),
        ] {
            assert_eq!(get(&value, path), expected.as_ref(), "{path}");
        }
        assert_eq!(get(&value, ""), Some(&value));
    }

    #[test]
    fn makes_objects_and_lists_on_the_way() {
        let mut map = Map::new();
        for (path, value) in [("a.b", json!(1)), ("f.1.t", json!("x")), ("f.0.t", json!("y")), ("a.c", json!(2))] {
            set(&mut map, path, value).unwrap();
        }
        assert_eq!(Value::Object(map.clone()), json!({"a": {"b": 1, "c": 2}, "f": [{"t": "y"}, {"t": "x"}]}));
        assert!(set(&mut map, "f.99999999", json!(1)).is_err());
        let mut long = Map::from_iter([("l".to_owned(), json!(vec![0; MADE_INDEX_MAX + 2]))]);
        set(&mut long, &format!("l.{}", MADE_INDEX_MAX + 1), json!(7)).unwrap();
        assert!(set(&mut long, &format!("l.{}", MADE_INDEX_MAX + 2), json!(7)).is_err());
        assert!(set(&mut map, &"a.".repeat(100), json!(1)).is_err());
    }
}
