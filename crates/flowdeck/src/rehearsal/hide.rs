//! Takes secrets out of what a rehearsal shows, wherever their values turn up.
//!
//! Must never show a value that was declared secret, nor what a function made of it.
//! Tests: `tests/rehearsal.rs`, below.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use flowdeck_apps::RequestPreview;
use flowdeck_engine::Start;
use flowdeck_model::{FieldDecl, Fields, Value};
use parking_lot::RwLock;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

const REDACTED: &str = "[redacted]";
/// Shorter texts are too common to be told from others; whole fields are hidden all the same.
const LEAST_BYTES: usize = 4;

/// Secret values seen so far, each with its form in addresses. The longest come first: one may be a part of another.
#[derive(Debug, Default)]
pub(crate) struct Hidden(RwLock<BTreeMap<(Reverse<usize>, String), String>>);

impl Hidden {
    /// With the secret inputs of a start.
    pub(crate) fn of(start: &Start) -> Self {
        let hidden = Self::default();
        for field in start.flow.inputs.iter().filter(|f| f.secret) {
            hidden.learn(start.input.get(&field.key));
            field.default.iter().for_each(|value| hidden.learn(value));
        }
        hidden
    }

    /// Learns every text in a value.
    pub(crate) fn learn(&self, value: &Value) {
        match value {
            Value::String(text) if text.len() >= LEAST_BYTES => {
                self.0.write().entry((Reverse(text.len()), text.clone())).or_insert_with(|| url_form(text));
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(map) => map.values().for_each(|value| self.learn(value)),
            _ => {}
        }
    }

    /// Learns the fields that are declared secret.
    pub(crate) fn learn_declared(&self, decls: &[FieldDecl], fields: &Fields) {
        decls.iter().filter(|f| f.secret).for_each(|f| self.learn(fields.get(&f.key)));
    }

    /// What a function makes of a secret is one.
    pub(crate) fn learn_made(&self, inputs: &Fields, outputs: &Fields) {
        if !self.0.read().is_empty() && inputs.iter().any(|(_, value)| self.touches(value)) {
            outputs.iter().for_each(|(_, value)| self.learn(value));
        }
    }

    fn touches(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.0.read().keys().any(|(_, secret)| text.contains(secret)),
            Value::Array(items) => items.iter().any(|item| self.touches(item)),
            Value::Object(map) => map.values().any(|value| self.touches(value)),
            _ => false,
        }
    }

    fn text(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for ((_, secret), in_addresses) in self.0.read().iter() {
            out = out.replace(secret.as_str(), REDACTED).replace(in_addresses, REDACTED);
        }
        out
    }

    /// The value without secrets.
    pub(crate) fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.value(item)).collect()),
            Value::Object(map) => {
                Value::Object(map.iter().map(|(key, value)| (self.text(key), self.value(value))).collect())
            }
            other => other.clone(),
        }
    }

    /// The fields without secrets.
    pub(crate) fn fields(&self, decls: &[FieldDecl], fields: &Fields) -> Fields {
        let secret = |key: &str| decls.iter().any(|f| f.secret && f.key == key);
        let hide = |key: &str, value: &Value| match value {
            Value::Null => Value::Null,
            _ if secret(key) => Value::String(REDACTED.into()),
            value => self.value(value),
        };
        fields.iter().map(|(key, value)| (key.to_owned(), hide(key, value))).collect()
    }

    /// The request without secrets.
    pub(crate) fn request(&self, request: &RequestPreview) -> RequestPreview {
        let headers = request.headers.iter().map(|(name, value)| (name.clone(), self.text(value))).collect();
        RequestPreview { url: self.text(&request.url), headers, body: self.value(&request.body), ..request.clone() }
    }
}

/// What stays as it is in an address.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// As it looks in an address.
fn url_form(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_found_wherever_they_turn_up() {
        let hidden = Hidden::default();
        hidden.learn(&json!("s3cr et/1"));
        hidden.learn_made(&Fields::one("text", "is s3cr et/1"), &Fields::one("hash", "abcdef"));
        hidden.learn_made(&Fields::one("text", "other"), &Fields::one("hash", "harmless"));
        let request = RequestPreview {
            method: "POST".into(),
            url: "https://x.example/?k=s3cr%20et%2F1".into(),
            headers: [("x-note".to_owned(), "s3cr et/1".to_owned())].into(),
            content_type: String::new(),
            body: json!({"a": ["<s3cr et/1>"], "b": "abcdef", "c": "harmless"}),
        };
        let shown = hidden.request(&request);
        assert_eq!(shown.url, "https://x.example/?k=[redacted]");
        assert_eq!(shown.headers["x-note"], "[redacted]");
        assert_eq!(shown.body, json!({"a": ["<[redacted]>"], "b": "[redacted]", "c": "harmless"}));
    }
}
