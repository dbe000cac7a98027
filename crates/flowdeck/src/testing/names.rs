//! Which field of a card a group and key of an export are.
//!
//! Must never decide otherwise than the importer does.
//! Tests: below.

use flowdeck_model::export::key_base;
use flowdeck_model::{FieldDecl, Fields, Value};

/// `Group.Key`, or the key alone.
#[must_use]
pub fn full(group: &str, key: &str) -> String {
    if group.is_empty() { key.to_owned() } else { format!("{group}.{key}") }
}

fn loose(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The declared field, by the importer's rules in their order.
#[must_use]
pub fn bound<'d>(fields: &'d [FieldDecl], group: &str, key: &str) -> Option<&'d FieldDecl> {
    let full = full(group, key);
    let own = |f: &&FieldDecl| f.export_key.is_none();
    let plain = key_base(key);
    let plain_full = self::full(group, plain);
    let made = |f: &&FieldDecl| plain != key && (f.key == plain || f.export_key.as_deref() == Some(&plain_full));
    fields
        .iter()
        .find(|f| f.export_key.as_deref() == Some(&full))
        .or_else(|| fields.iter().filter(own).find(|f| f.key == full))
        .or_else(|| fields.iter().filter(own).find(|f| f.key == key))
        .or_else(|| fields.iter().filter(own).find(|f| f.title == key))
        .or_else(|| fields.iter().find(made))
        .or_else(|| fields.iter().filter(own).find(|f| !group.is_empty() && loose(&f.key) == loose(&full)))
        .or_else(|| {
            let wanted = loose(key);
            fields.iter().filter(own).find(|f| !wanted.is_empty() && [loose(&f.key), loose(&f.title)].contains(&wanted))
        })
}

/// The keys under which a value of this group and key may be, the likeliest first.
#[must_use]
pub fn candidates(fields: &[FieldDecl], group: &str, key: &str) -> Vec<String> {
    let mut keys: Vec<String> = bound(fields, group, key).map(|f| f.key.clone()).into_iter().collect();
    if keys.is_empty() {
        keys.extend([key.to_owned(), full(group, key)]);
        keys.dedup();
    }
    keys
}

/// Values by group and key as the fields of a card.
#[must_use]
pub fn to_fields(decls: &[FieldDecl], groups: &Value) -> Fields {
    let mut fields = Fields::new();
    for (group, values) in groups.as_object().into_iter().flatten() {
        for (key, value) in values.as_object().into_iter().flatten() {
            for name in candidates(decls, group, key) {
                fields.set(name, value.clone());
            }
        }
    }
    fields
}

/// Outputs of an answer: by the card's own fields, or by an export's group and key.
#[must_use]
pub fn outputs(decls: &[FieldDecl], given: &Value) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in given.as_object().into_iter().flatten() {
        let is_own = decls.iter().any(|f| f.key == *name) || !value.is_object();
        if is_own {
            fields.set(name.clone(), value.clone());
            continue;
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            candidates(decls, name, key).into_iter().for_each(|key| fields.set(key, value.clone()));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::FieldType;
    use serde_json::json;

    #[test]
    fn the_export_key_comes_first_and_unknown_fields_keep_their_names() {
        let mut path = FieldDecl::new("path", FieldType::Text);
        path.export_key = Some("Request.Relative URL".into());
        let fields = [path, FieldDecl::new("first_name", FieldType::Text)];
        assert_eq!(bound(&fields, "Request", "Relative URL").unwrap().key, "path");
        assert_eq!(bound(&fields, "", "First Name").unwrap().key, "first_name");
        assert_eq!(bound(&fields, "Inputs", "first_name_IM34TT").unwrap().key, "first_name");
        assert_eq!(candidates(&fields, "A", "b"), ["b", "A.b"]);
        let own = outputs(&fields, &json!({"first_name": "Ada", "Request": {"Relative URL": "/x"}}));
        assert_eq!((own.get("first_name"), own.get("path")), (&json!("Ada"), &json!("/x")));
        assert_eq!(to_fields(&fields, &json!({"Request": {"Relative URL": "/x"}})).get("path"), &json!("/x"));
    }
}
