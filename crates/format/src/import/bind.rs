//! Which field of a card a field of the export is.
//!
//! Must never guess between two: the first rule that fits decides, in the order of `bound`.
//! Tests: below.

use flowdeck_model::{CardDecl, FieldDecl};

use super::raw::RawField;

/// The declared field for a field of the export: by export key, then key, then title, then without case and spaces.
pub(super) fn bound<'d>(fields: &'d [FieldDecl], raw: &RawField<'_>) -> Option<&'d FieldDecl> {
    let full = raw.full_key();
    let loose_key = loose(raw.key);
    let loose_full = loose(&full);
    let plain = without_suffix(raw.key);
    let plain_full = if raw.group.is_empty() { plain.to_owned() } else { format!("{}.{plain}", raw.group) };
    let shown = raw.metadata.get("displayname").and_then(flowdeck_model::Value::as_str).unwrap_or("");
    let rules: [&dyn Fn(&FieldDecl) -> bool; 8] = [
        &|f| f.export_key.as_deref() == Some(full.as_str()),
        &|f| f.export_key.is_none() && f.key == full,
        &|f| f.export_key.is_none() && f.key == raw.key,
        &|f| f.export_key.is_none() && f.title == raw.key,
        &|f| plain != raw.key && (f.key == plain || f.export_key.as_deref() == Some(plain_full.as_str())),
        &|f| plain != raw.key && !shown.is_empty() && loose(&f.title) == loose(shown),
        &|f| f.export_key.is_none() && !raw.group.is_empty() && loose(&f.key) == loose_full,
        &|f| {
            f.export_key.is_none()
                && !loose_key.is_empty()
                && (loose(&f.key) == loose_key || loose(&f.title) == loose_key)
        },
    ];
    rules.iter().find_map(|rule| fields.iter().find(|f| rule(f)))
}

/// A key without the `_9KSKGU` that the Connector Builder puts behind its keys.
pub(super) fn without_suffix(key: &str) -> &str {
    let made = |end: &str| end.len() == 6 && end.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    key.rsplit_once('_').filter(|(base, end)| !base.is_empty() && made(end)).map_or(key, |(base, _)| base)
}

fn loose(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The key under which a field goes that is not declared: its own, or with its group where another has the same.
pub(super) fn free_key(decl: Option<&CardDecl>, side: &[RawField<'_>], raw: &RawField<'_>, inputs: bool) -> String {
    let twice = side.iter().filter(|f| f.key == raw.key && !f.for_error).count() > 1;
    let declared = decl.is_some_and(|d| if inputs { d.input(raw.key) } else { d.output(raw.key) }.is_some());
    if twice || declared { raw.full_key() } else { raw.key.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::{FieldType, Value};

    #[test]
    fn the_export_key_comes_first() {
        let mut url = FieldDecl::new("path", FieldType::Text);
        url.export_key = Some("Request.Relative URL".into());
        let fields = [FieldDecl::new("Relative URL", FieldType::Text), url, FieldDecl::new("list1", FieldType::Text)];
        let null = Value::Null;
        let check = |group: &str, key: &str, expected: Option<&str>| {
            let raw = RawField {
                id: "i",
                group,
                key,
                kind: FieldType::Any,
                data: &null,
                proxy: &null,
                for_error: false,
                custom: false,
                metadata: &null,
            };
            assert_eq!(bound(&fields, &raw).map(|f| f.key.as_str()), expected, "{group}.{key}");
        };
        check("Request", "Relative URL", Some("path"));
        check("", "Relative URL", Some("Relative URL"));
        check("", "List 1", Some("list1"));
        check("", "path", None);
    }
}
