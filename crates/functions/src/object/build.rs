//! Makes and changes objects.
//!
//! Must never change an object that somebody else holds.
//! Tests: the examples here.

use std::sync::Arc;

use flowdeck_model::FieldType::{Any, Text};
use flowdeck_model::{Fault, FieldType, Fields, Value};
use serde_json::Map;

use crate::call::Call;
use crate::function::{Card, card};
use crate::limits::DEPTH_MAX;
use crate::{path, value};

pub(super) fn cards() -> Vec<Card> {
    let change = |name, title, summary, eval| {
        card(name, title, summary, eval).object("object", "", "The object.").required().gives(
            "output",
            "",
            FieldType::object(),
            "The new object.",
        )
    };
    let merge = |name, title, summary, eval| {
        card(name, title, summary, eval)
            .object("start", "object 1", "The first object.")
            .required()
            .object("sink", "object 2", "The second object.")
            .required()
            .more(FieldType::object())
            .gives("output", "", FieldType::object(), "All keys.")
    };
    vec![
        card("object/construct", "Construct", "Makes an object of values.", construct)
            .more(Any)
            .gives("output", "", FieldType::object(), "The object.")
            .help("Each input that you add is a key. A name with dots makes objects inside: `profile.email`; a number makes a list: `fields.0.text`. Null values are kept.")
            .example(r#"{"name":"Ann","profile.email":"a@x","profile.tags.1":"b"}"#, r#"{"output":{"name":"Ann","profile":{"email":"a@x","tags":[null,"b"]}}}"#)
            .example(r#"{"a":null,"b":""}"#, r#"{"output":{"a":null,"b":""}}"#)
            .decided("What does Construct do with dots in names?", "They make objects inside; a part that is a number makes a list.")
            .decided("Does Construct keep values that are not set?", "Yes, as null, or as the empty value that the export stores for them."),
        merge("object/merge", "Merge", "Puts objects together; later ones win.", merge_shallow)
            .example(r#"{"start":{"a":1,"b":{"x":1}},"sink":{"b":{"y":2}},"third":{"c":3}}"#, r#"{"output":{"a":1,"b":{"y":2},"c":3}}"#)
            .decided("Is Merge deep or shallow?", "Shallow: the later value of a key wins as a whole. `object/mergeDeep` goes inside.")
            .decided("What does Merge do with null in place of an object, and with null values?", "A null object adds nothing; a null value wins as any other."),
        merge("object/mergeDeep", "Merge Deep", "Puts objects together, also those inside; later values win.", merge_deep)
            .example(r#"{"start":{"b":{"x":1,"l":[1]}},"sink":{"b":{"y":2,"l":[2]}}}"#, r#"{"output":{"b":{"x":1,"l":[2],"y":2}}}"#),
        change("object/set", "Set", "Sets the value at a path.", set)
            .text("path", "", "The path; what is missing on the way is made.").required()
            .any("value", "", "The value.")
            .example(r#"{"object":{"a":1},"path":"b.c","value":2}"#, r#"{"output":{"a":1,"b":{"c":2}}}"#)
            .example(r#"{"object":{"l":[1]},"path":"l.2","value":3}"#, r#"{"output":{"l":[1,null,3]}}"#)
            .fails(r#"{"object":{},"path":"","value":1}"#, "`path` is missing")
            .decided("What does Set do where the path does not exist yet?", "It makes objects on the way, and lists for parts that are numbers; a text or number in the way is replaced."),
        change("object/unset", "Unset", "Removes the value at a path.", unset)
            .text("path", "", "The path.").required()
            .example(r#"{"object":{"a":{"b":1,"c":2}},"path":"a.b"}"#, r#"{"output":{"a":{"c":2}}}"#)
            .example(r#"{"object":{"a":1},"path":"x.y"}"#, r#"{"output":{"a":1}}"#),
        change("object/move", "Move", "Moves the value at a path to another.", move_value)
            .text("from", "", "The path where it is.").required()
            .text("to", "", "The path where it shall be.").required()
            .example(r#"{"object":{"a":1},"from":"a","to":"b.c"}"#, r#"{"output":{"b":{"c":1}}}"#)
            .example(r#"{"object":{"a":1},"from":"x","to":"b"}"#, r#"{"output":{"a":1}}"#),
        change("object/keep", "Keep Keys", "Keeps only some keys of an object.", keep)
            .input("keys", "", Text.list(), "The keys to keep.").required()
            .example(r#"{"object":{"a":1,"b":2},"keys":["b","c"]}"#, r#"{"output":{"b":2}}"#),
        change("object/omit", "Remove Keys", "Removes some keys of an object.", omit)
            .input("keys", "", Text.list(), "The keys to remove.").required()
            .example(r#"{"object":{"a":1,"b":2},"keys":["b","c"]}"#, r#"{"output":{"a":1}}"#),
        change("object/clearEmpty", "Clear Empty", "Removes null, `\"\"`, `[]` and `{}` from an object.", clear_empty)
            .boolean("recursive", "", "Whether objects and lists inside are cleared too.").or(false)
            .example(r#"{"object":{"a":"","b":0,"c":{"d":null}}}"#, r#"{"output":{"b":0,"c":{"d":null}}}"#)
            .example(r#"{"object":{"a":1,"c":{"d":null},"l":[{"x":""},2]},"recursive":true}"#, r#"{"output":{"a":1,"l":[2]}}"#),
        change("object/filter", "Filter", "Removes keys without a value from an object: null, `\"\"`, `[]` and `{}`.", filter)
            .help("Objects inside stay as they are; Clear Empty can clear those too.")
            .example(r#"{"object":{"name":"Ann","age":"","s":{"a":{},"b":1}}}"#, r#"{"output":{"name":"Ann","s":{"a":{},"b":1}}}"#)
            .example(r#"{"object":{"a":null,"b":false,"c":{}}}"#, r#"{"output":{"b":false}}"#),
        card("object/collapse", "Collapse", "Makes an object of a list of keys and values.", collapse)
            .input("list", "", FieldType::object().list(), "Objects `{key, value}`; the last value of a key wins.").required()
            .help("The inverse of Split.")
            .gives("output", "", FieldType::object(), "The object.")
            .example(r#"{"list":[{"key":"foo","value":"bar"},{"key":"n","value":null},{"key":"foo","value":1}]}"#, r#"{"output":{"foo":1,"n":null}}"#)
            .example(r#"{"list":[]}"#, r#"{"output":{}}"#)
            .fails(r#"{"list":[{"value":1}]}"#, "item 0 has no `key`"),
        card("object/zip", "Zip", "Makes an object of a list of keys and a list of values.", zip)
            .input("keys", "", Text.list(), "The keys.").required()
            .list("values", "", "The values, by position; null where there are fewer.").required()
            .gives("output", "", FieldType::object(), "The object.")
            .example(r#"{"keys":["a","b"],"values":[1]}"#, r#"{"output":{"a":1,"b":null}}"#),
    ]
}

fn construct(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut map = Map::new();
    for (key, value) in std::mem::take(&mut call.inputs) {
        path::set(&mut map, &key, Arc::unwrap_or_clone(value))?;
    }
    Ok(Fields::one("output", map))
}

fn merge_shallow(call: &mut Call<'_>) -> Result<Fields, Fault> {
    merge(call, |into, from| into.extend(from))
}

fn merge_deep(call: &mut Call<'_>) -> Result<Fields, Fault> {
    merge(call, |into, from| deep(into, from, 0))
}

fn merge(call: &mut Call<'_>, join: impl Fn(&mut Map<String, Value>, Map<String, Value>)) -> Result<Fields, Fault> {
    let mut out = call.take_object("start")?;
    join(&mut out, call.take_object("sink")?);
    let keys: Vec<String> = call.more().map(|(key, _)| key.to_owned()).collect();
    for key in keys {
        join(&mut out, call.take_object(&key)?);
    }
    Ok(Fields::one("output", out))
}

fn deep(into: &mut Map<String, Value>, from: Map<String, Value>, depth: usize) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(inner)), Value::Object(value)) if depth < DEPTH_MAX => deep(inner, value, depth + 1),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn set(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let path = call.some_text("path")?.into_owned();
    let value = call.inputs.take("value");
    let mut object = call.take_object("object")?;
    path::set(&mut object, &path, value)?;
    Ok(Fields::one("output", object))
}

/// Takes the value at a path out of an object.
fn remove(map: &mut Map<String, Value>, path: &str) -> Option<Value> {
    if map.contains_key(path) {
        return map.shift_remove(path);
    }
    let (head, rest) = path.split_once('.')?;
    match map.get_mut(head)? {
        Value::Object(inner) => remove(inner, rest),
        Value::Array(list) => {
            let (index, rest) = rest.split_once('.').unwrap_or((rest, ""));
            let index: usize = index.parse().ok().filter(|&i| i < list.len())?;
            match (&mut list[index], rest) {
                (_, "") => Some(list.remove(index)),
                (Value::Object(inner), rest) => remove(inner, rest),
                _ => None,
            }
        }
        _ => None,
    }
}

fn unset(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let path = call.text("path").into_owned();
    let mut object = call.take_object("object")?;
    remove(&mut object, &path);
    Ok(Fields::one("output", object))
}

fn move_value(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (from, to) = (call.some_text("from")?.into_owned(), call.some_text("to")?.into_owned());
    let mut object = call.take_object("object")?;
    if let Some(value) = remove(&mut object, &from) {
        path::set(&mut object, &to, value)?;
    }
    Ok(Fields::one("output", object))
}

fn some_keys(call: &mut Call<'_>, kept: bool) -> Result<Fields, Fault> {
    let keys: Vec<String> = call.list("keys")?.iter().map(|k| value::text(k).into_owned()).collect();
    let mut object = call.take_object("object")?;
    object.retain(|key, _| keys.contains(key) == kept);
    Ok(Fields::one("output", object))
}

fn keep(call: &mut Call<'_>) -> Result<Fields, Fault> {
    some_keys(call, true)
}

fn omit(call: &mut Call<'_>) -> Result<Fields, Fault> {
    some_keys(call, false)
}

fn filter(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut object = call.take_object("object")?;
    clear(&mut object, false, 0);
    Ok(Fields::one("output", object))
}

fn collapse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut out = Map::new();
    for (at, mut pair) in call.take_list("list")?.into_iter().enumerate() {
        let Some(key) = pair.get("key").filter(|key| !key.is_null()).map(|key| value::text(key).into_owned()) else {
            return Err(Fault::bad_input(format!("item {at} has no `key`")));
        };
        out.insert(key, pair.get_mut("value").map(Value::take).unwrap_or_default());
    }
    Ok(Fields::one("output", out))
}

fn clear_empty(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let recursive = call.boolean("recursive")?;
    let mut object = call.take_object("object")?;
    clear(&mut object, recursive, 0);
    Ok(Fields::one("output", object))
}

fn clear(map: &mut Map<String, Value>, recursive: bool, depth: usize) {
    map.retain(|_, value| {
        clear_inside(value, recursive, depth);
        !value::is_empty(value)
    });
}

fn clear_inside(value: &mut Value, recursive: bool, depth: usize) {
    if !recursive || depth > DEPTH_MAX {
        return;
    }
    match value {
        Value::Object(inner) => clear(inner, recursive, depth + 1),
        Value::Array(list) => list.retain_mut(|item| {
            clear_inside(item, recursive, depth + 1);
            !value::is_empty(item)
        }),
        _ => {}
    }
}

fn zip(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut values = call.take_list("values")?.into_iter();
    let keys = call.list("keys")?.iter().map(|k| value::text(k).into_owned());
    Ok(Fields::one("output", keys.map(|key| (key, values.next().unwrap_or_default())).collect::<Map<_, _>>()))
}
