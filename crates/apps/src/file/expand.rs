//! Writes out what an app file says in short: shared pieces, shapes of records, blocks of outputs.
//!
//! Must never invent a field, nor loop on pieces that use each other.
//! Tests: below.

use serde_json::{Map, Value, json};

/// Deepest use of pieces in pieces.
const DEPTH_MAX: usize = 16;
/// Words of output blocks and the type they mean.
const BLOCKS: [(&str, &str, bool); 10] = [
    ("text", "text", false),
    ("number", "number", false),
    ("boolean", "boolean", false),
    ("date", "date", false),
    ("any", "any", false),
    ("object", "object", false),
    ("texts", "text", true),
    ("numbers", "number", true),
    ("objects", "object", true),
    ("list", "any", true),
];

/// The file written out. What is wrong in it stays for the typed reading to say.
pub(crate) fn expand(mut file: Value) -> Result<Value, String> {
    let Some(top) = file.as_object_mut() else { return Ok(file) };
    let shared = map(top.shift_remove("shared"));
    let shapes = map(top.shift_remove("shapes"));
    let shapes = map(Some(pieces(Value::Object(shapes), &shared, 0)?));
    for value in top.values_mut() {
        *value = pieces(value.take(), &shared, 0)?;
    }
    for part in ["actions", "events"] {
        for (name, card) in top.get_mut(part).and_then(Value::as_object_mut).into_iter().flatten() {
            if let Some(Value::Array(inputs)) = card.get_mut("inputs") {
                inputs.iter_mut().for_each(input);
            }
            if let Some(outputs) = card.get_mut("outputs") {
                let mut out = Vec::new();
                let place = Place { shapes: &shapes, at: String::new(), group: None, depth: 0 };
                place.outputs(outputs, &mut out).map_err(|e| format!("{part} {name}: {e}"))?;
                *outputs = Value::Array(out);
            }
        }
    }
    Ok(file)
}

fn map(value: Option<Value>) -> Map<String, Value> {
    match value {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// Puts shared pieces in: `{ $use: name, $with: {…}, … }`. In a list a piece that is a list joins it.
fn pieces(value: Value, shared: &Map<String, Value>, depth: usize) -> Result<Value, String> {
    if depth > DEPTH_MAX {
        return Err(format!("pieces use each other more than {DEPTH_MAX} deep"));
    }
    Ok(match value {
        Value::Array(items) => {
            let mut out = Vec::with_capacity(items.len());
            for item in items {
                let joins = item.get("$use").is_some();
                match pieces(item, shared, depth)? {
                    Value::Array(more) if joins => out.extend(more),
                    item => out.push(item),
                }
            }
            Value::Array(out)
        }
        Value::Object(mut members) => {
            let Some(name) = members.shift_remove("$use") else {
                for member in members.values_mut() {
                    *member = pieces(member.take(), shared, depth)?;
                }
                return Ok(Value::Object(members));
            };
            let name = name.as_str().unwrap_or_default();
            let piece = shared.get(name).ok_or_else(|| format!("there is no shared piece `{name}`"))?;
            let with = map(members.shift_remove("$with"));
            let piece = pieces(filled(piece, &with), shared, depth + 1)?;
            let members = map(Some(pieces(Value::Object(members), shared, depth)?));
            match piece {
                Value::Object(mut piece) => {
                    piece.extend(members);
                    Value::Object(piece)
                }
                piece => piece,
            }
        }
        other => other,
    })
}

/// `{{name}}` filled in.
fn filled(piece: &Value, with: &Map<String, Value>) -> Value {
    match piece {
        Value::String(text) => {
            if let Some(value) = text.strip_prefix("{{").and_then(|t| t.strip_suffix("}}")).and_then(|n| with.get(n)) {
                return value.clone();
            }
            let fill = |text: String, (name, value): (&String, &Value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                text.replace(&format!("{{{{{name}}}}}"), &value)
            };
            Value::String(with.iter().fold(text.clone(), fill))
        }
        Value::Array(items) => Value::Array(items.iter().map(|i| filled(i, with)).collect()),
        Value::Object(members) => Value::Object(members.iter().map(|(k, v)| (k.clone(), filled(v, with))).collect()),
        other => other.clone(),
    }
}

/// `group: User` says the same as `export_key: User.KEY`; a title is made of a key that reads like code.
fn input(field: &mut Value) {
    let Some(members) = field.as_object_mut() else { return };
    let group = members.shift_remove("group");
    finish(members, group.as_ref().and_then(Value::as_str));
}

fn finish(field: &mut Map<String, Value>, group: Option<&str>) {
    let key = field.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
    let exported = field.shift_remove("exported").and_then(|e| e.as_str().map(str::to_owned));
    if !field.contains_key("export_key") {
        match (group, exported) {
            (Some(group), exported) => {
                field.insert("export_key".into(), format!("{group}.{}", exported.as_deref().unwrap_or(&key)).into());
            }
            (None, Some(exported)) => {
                field.insert("export_key".into(), exported.into());
            }
            (None, None) => {}
        }
    }
    let title = title(&key);
    if !field.contains_key("title") && title != key {
        field.insert("title".into(), title.into());
    }
}

/// `statusCode` and `work_notes` as people write them.
fn title(key: &str) -> String {
    if key.contains(' ') || key.starts_with(|c: char| !c.is_ascii_lowercase()) {
        return key.to_owned();
    }
    let mut words = vec![String::new()];
    for c in key.chars() {
        if c == '_' || c == '.' || c.is_ascii_uppercase() {
            words.push(String::new());
        }
        if c != '_' && c != '.' {
            words.last_mut().into_iter().for_each(|w| w.push(c.to_ascii_lowercase()));
        }
    }
    words.retain(|w| !w.is_empty());
    for (i, word) in words.iter_mut().enumerate() {
        match word.as_str() {
            "id" | "url" | "ip" | "html" | "mfa" | "sso" => *word = word.to_uppercase(),
            _ if i == 0 => *word = word[..1].to_uppercase() + &word[1..],
            _ => {}
        }
    }
    words.join(" ")
}

struct Place<'a> {
    shapes: &'a Map<String, Value>,
    /// Where the record stands that pointers begin at.
    at: String,
    group: Option<String>,
    depth: usize,
}

impl Place<'_> {
    fn shape(&self, name: &Value) -> Result<&Value, String> {
        let name = name.as_str().unwrap_or_default();
        if self.depth > DEPTH_MAX {
            return Err(format!("shape `{name}` uses itself"));
        }
        self.shapes.get(name).ok_or_else(|| format!("there is no shape `{name}`"))
    }

    fn outputs(&self, items: &Value, out: &mut Vec<Value>) -> Result<(), String> {
        for item in items.as_array().map(Vec::as_slice).unwrap_or_default() {
            let Value::Object(item) = item else {
                out.push(item.clone());
                continue;
            };
            let word = |key: &str| item.get(key).and_then(Value::as_str);
            let group = word("group").map(str::to_owned).or_else(|| self.group.clone());
            if item.contains_key("field") {
                out.push(Value::Object(item.clone()));
            } else if let Some(name) = item.get("all_of") {
                let at = format!("{}{}", self.at, word("at").unwrap_or_default());
                let place = Place { shapes: self.shapes, at, group, depth: self.depth + 1 };
                place.outputs(self.shape(name)?, out)?;
            } else if item.contains_key("key") {
                out.push(self.output(item.clone(), group.as_deref())?);
            } else {
                for (block, fields) in item.iter().filter(|(k, _)| !matches!(k.as_str(), "group" | "at")) {
                    let found = BLOCKS.iter().find(|(word, ..)| word == block);
                    let Some((_, kind, many)) = found else { return Err(format!("`{block}` is no kind of outputs")) };
                    let prefix = word("at").unwrap_or_default();
                    for (key, place) in fields.as_object().into_iter().flatten() {
                        let mut field = match place {
                            Value::String(at) => Map::from_iter([("at".to_owned(), format!("{prefix}{at}").into())]),
                            place => map(Some(place.clone())),
                        };
                        let kind = if *kind == "object" { json!({ "object": [] }) } else { json!(kind) };
                        field.insert("key".into(), key.clone().into());
                        field.insert("type".into(), if *many { json!({ "list": kind }) } else { kind });
                        out.push(self.output(field, group.as_deref())?);
                    }
                }
            }
        }
        Ok(())
    }

    /// One output, written flat, as its field and where it comes from.
    fn output(&self, mut flat: Map<String, Value>, group: Option<&str>) -> Result<Value, String> {
        let mut output = Map::new();
        let key = flat.get("key").and_then(Value::as_str).unwrap_or_default().to_owned();
        flat.shift_remove("group");
        for part in ["value", "list", "file", "rows", "number_in", "after_last"] {
            if let Some(value) = flat.shift_remove(part) {
                output.insert(part.into(), value);
            }
        }
        let at = flat.shift_remove("at").and_then(|a| a.as_str().map(str::to_owned));
        if output.is_empty() {
            let own = || format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            output.insert("at".into(), format!("{}{}", self.at, at.unwrap_or_else(own)).into());
        } else {
            output.insert("record".into(), self.at.clone().into());
        }
        if let Some(only) = flat.shift_remove("where") {
            output.insert("where".into(), only);
        }
        for (word, part, many) in [("list_of", "each_of", true), ("object_of", "part_of", false)] {
            let Some(name) = flat.shift_remove(word) else { continue };
            let place = Place { shapes: self.shapes, at: String::new(), group: None, depth: self.depth + 1 };
            let mut inner = Vec::new();
            place.outputs(self.shape(&name)?, &mut inner)?;
            let fields: Vec<Value> = inner.iter().filter_map(|o| o.get("field").cloned()).collect();
            let kind = json!({ "object": fields });
            flat.insert("type".into(), if many { json!({ "list": kind }) } else { kind });
            output.insert(part.into(), Value::Array(inner));
        }
        finish(&mut flat, group);
        output.insert("field".into(), Value::Object(flat));
        Ok(Value::Object(output))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_filled_and_join_lists() {
        let file = json!({
            "shared": { "one": { "a": "{{x}}", "b": "is {{x}}" }, "two": [1, 2] },
            "actions": { "go": { "$use": "one", "$with": { "x": 7 }, "b": "own", "l": [0, { "$use": "two" }] } },
        });
        let out = expand(file).unwrap();
        assert_eq!(out, json!({ "actions": { "go": { "a": 7, "b": "own", "l": [0, 1, 2] } } }));
        let loops = json!({ "shared": { "a": { "$use": "a" } }, "actions": { "go": { "$use": "a" } } });
        assert!(expand(loops).unwrap_err().contains("deep"));
        assert!(expand(json!({ "actions": { "go": { "$use": "b" } } })).unwrap_err().contains("`b`"));
    }

    #[test]
    fn shapes_become_outputs_and_types() {
        let file = json!({
            "shapes": { "user": [{ "text": { "ID": "/id" } }, { "key": "firstName", "type": "text", "at": "/profile/firstName" }] },
            "actions": { "go": { "outputs": [
                { "key": "Users", "list_of": "user", "at": "/items" },
                { "all_of": "user", "at": "/items/0", "group": "Result" },
                { "number": { "Status Code": { "value": "${response.status}" } } },
            ] } },
        });
        let out = expand(file).unwrap();
        let outputs = &out["actions"]["go"]["outputs"];
        assert_eq!(
            outputs[0]["field"]["type"]["list"]["object"][1],
            json!({"key": "firstName", "type": "text", "title": "First name"})
        );
        assert_eq!((&outputs[0]["at"], &outputs[0]["each_of"][0]["at"]), (&json!("/items"), &json!("/id")));
        assert_eq!(outputs[1]["at"], "/items/0/id");
        assert_eq!(outputs[2]["field"]["export_key"], "Result.firstName");
        assert_eq!(
            outputs[3],
            json!({"value": "${response.status}", "record": "", "field": {"key": "Status Code", "type": "number"}})
        );
    }

    #[test]
    fn titles_read_like_words() {
        for (key, expected) in [
            ("statusCode", "Status code"),
            ("work_notes", "Work notes"),
            ("id", "ID"),
            ("User ID", "User ID"),
            ("profile.email", "Profile email"),
            ("ID", "ID"),
        ] {
            assert_eq!(title(key), expected);
        }
    }
}
