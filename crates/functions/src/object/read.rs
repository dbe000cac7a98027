//! Takes values out of objects.
//!
//! Must never fail because something is missing: that is null.
//! Tests: the examples here.

use std::borrow::Cow;

use flowdeck_model::FieldType::{Any, Boolean, Number, Text};
use flowdeck_model::{Fault, FieldType, Fields, Value};

use crate::call::Call;
use crate::function::{Card, card};
use crate::{path, value};

const PATHS: &str = "A path goes through keys and list positions, from 0: `profile.email`, `actions.0.value`. A key that contains the dots itself is found first.";

pub(super) fn cards() -> Vec<Card> {
    let object = |name, title, summary, eval| {
        card(name, title, summary, eval)
            .any("object", "", "The object; also a list, or the JSON text of either.")
            .required()
            .or(Value::Object(serde_json::Map::new()))
    };
    vec![
        object("object/get", "Get", "Takes the value at a path.", get)
            .any("path", "", "The path, or a list of keys. Empty: the object itself.")
            .gives("output", "", Any, "The value; null where there is none.").help(PATHS)
            .example(r#"{"object":{"result":{"sys_id":"7"}},"path":"result.sys_id"}"#, r#"{"output":"7"}"#)
            .example(r#"{"object":{"Display Name":"Ann"},"path":"Display Name"}"#, r#"{"output":"Ann"}"#)
            .example(r#"{"object":{"a.b":[{"c":1}]},"path":["a.b","0","c"]}"#, r#"{"output":1}"#)
            .example(r#"{"object":{},"path":"a.b"}"#, r#"{"output":null}"#)
            .decided("What does Get give for a path that is not there?", "Null.")
            .decided("How are keys with dots reached?", "A key that is literally the rest of the path is found first; or give the path as a list of keys."),
        object("object/pick", "Get Multiple", "Takes several values out of an object.", pick)
            .input("paths", "", Text.list(), "Paths to take; each output has its path as name.").or(Value::Array(Vec::new()))
            .more(Any).more_outputs(Any)
            .help("Each input that you add is an output: its name is the output's name, its value the path (the name itself where empty).").note(PATHS)
            .example(r#"{"object":{"user":{"name":"Ann"},"n":1},"paths":["user.name","n","x"]}"#, r#"{"user.name":"Ann","n":1,"x":null}"#)
            .example(r#"{"object":{"user":{"name":"Ann"},"n":1},"name":"user.name","n":""}"#, r#"{"name":"Ann","n":1}"#),
        object("object/expand", "Expand", "Takes values out of an object by lists of keys.", expand)
            .more(Any).more_outputs(Any)
            .help("Each input that you add is an output: its value is the list of keys that lead to it. Made by imports of Okta's hidden cards; in native flows refer to the value directly.")
            .example(r#"{"object":{"body":{"error.text":"no"}},"message":["body","error.text"]}"#, r#"{"message":"no"}"#)
            .example(r#"{"object":null,"message":["body"]}"#, r#"{"message":null}"#),
        object("object/keys", "Keys", "Lists the keys of an object.", keys)
            .gives("keys", "", Text.list(), "The keys in order.")
            .example(r#"{"object":{"b":1,"a":2}}"#, r#"{"keys":["b","a"]}"#),
        object("object/values", "Values", "Lists the values of an object.", values)
            .gives("values", "", Any.list(), "The values in the order of the keys.")
            .example(r#"{"object":{"b":1,"a":[2]}}"#, r#"{"values":[1,[2]]}"#),
        object("object/split", "Split", "Makes a list of an object's keys and values.", split)
            .gives("list", "", FieldType::object().list(), "An object `{key, value}` for each key, in order.")
            .example(r#"{"object":{"b":1}}"#, r#"{"list":[{"key":"b","value":1}]}"#),
        object("object/unzip", "Unzip", "Lists the keys and the values of an object.", unzip)
            .gives("keys", "", Text.list(), "The keys in order.")
            .gives("values", "", Any.list(), "Their values.")
            .example(r#"{"object":{"b":1,"a":2}}"#, r#"{"keys":["b","a"],"values":[1,2]}"#),
        object("object/size", "Size", "Counts the keys of an object.", size)
            .gives("size", "", Number, "How many keys it has.")
            .example(r#"{"object":{"b":1}}"#, r#"{"size":1}"#),
        object("object/has", "Has", "Tells whether an object has a value at a path.", has)
            .text("path", "", "The path.").required()
            .gives("result", "", Boolean, "Whether it is there; null counts.").help(PATHS)
            .example(r#"{"object":{"a":{"b":null}},"path":"a.b"}"#, r#"{"result":true}"#),
    ]
}

/// The object; text is read as JSON.
fn document<'c>(call: &'c Call<'_>) -> Result<Cow<'c, Value>, Fault> {
    match call.any("object") {
        Value::String(text) if text.trim().is_empty() => Ok(Cow::Owned(Value::Null)),
        Value::String(text) => crate::data::json::read(text).map(Cow::Owned),
        other => Ok(Cow::Borrowed(other)),
    }
}

fn get(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let object = &*document(call)?;
    let found = match call.any("path") {
        Value::Array(keys) => walk(object, keys),
        path => path::get(object, &value::text(path)),
    };
    Ok(Fields::one("output", found.cloned().unwrap_or_default()))
}

/// Follows keys one by one; each is literal.
fn walk<'v>(object: &'v Value, keys: &[Value]) -> Option<&'v Value> {
    keys.iter().try_fold(object, |at, key| path::child(at, &value::text(key)))
}

fn pick(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let object = &*document(call)?;
    let take = |path: &str| path::get(object, path).cloned().unwrap_or_default();
    let mut out = Fields::new();
    for path in call.list("paths")? {
        let path = value::text(path);
        out.set(path.clone(), take(&path));
    }
    for (name, path) in call.more() {
        let path = value::text(path);
        out.set(name, take(if path.is_empty() { name } else { &path }));
    }
    Ok(out)
}

fn expand(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let object = &*document(call)?;
    let mut out = Fields::new();
    for (name, keys) in call.more() {
        let found = match keys.as_ref() {
            Value::Array(keys) => walk(object, keys),
            key => path::get(object, &value::text(key)),
        };
        out.set(name, found.cloned().unwrap_or_default());
    }
    Ok(out)
}

fn keys(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let keys = call.object("object")?.map(|o| o.keys().map(|k| Value::from(k.as_str())).collect::<Vec<_>>());
    Ok(Fields::one("keys", keys.unwrap_or_default()))
}

fn values(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("values", call.take_object("object")?.into_iter().map(|(_, v)| v).collect::<Vec<_>>()))
}

fn split(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let pairs = call.take_object("object")?.into_iter().map(|(k, v)| serde_json::json!({ "key": k, "value": v }));
    Ok(Fields::one("list", pairs.collect::<Vec<_>>()))
}

fn unzip(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut out = keys(call)?;
    for (key, value) in values(call)? {
        out.share(key, value);
    }
    Ok(out)
}

fn size(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("size", value::of_count(call.object("object")?.map_or(0, serde_json::Map::len))))
}

fn has(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let path = call.text("path");
    Ok(Fields::one("result", !path.is_empty() && path::get(&*document(call)?, &path).is_some()))
}
