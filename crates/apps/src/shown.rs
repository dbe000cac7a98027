//! Shows the requests of an action without making them.
//!
//! Must never send a writing request, nor show a credential.
//! Tests: `tests/all.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_engine::ports::{CardCall, CardOutcome};
use flowdeck_model::{EffectClass, Fields, Mapping, Value};
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

use crate::host::{AppHost, definite};
use crate::ready::{ReadyAction, ReadyRequest};
use crate::render::Rendered;
use crate::tables;

/// Most requests of one step that are shown.
const SHOWN_MAX: usize = 200;

/// A request as it would be sent, without its credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestPreview {
    /// The method.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Its headers, without any that carries a credential, and without the type of the body.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Type of the body, where there is one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content_type: String,
    /// The body: read as JSON where it is, else as text; `null` where there is none.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

/// What an action would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Whether it only looks.
    pub reads: bool,
    /// Its requests in order; for reads only the first.
    pub requests: Vec<RequestPreview>,
}

impl AppHost {
    /// The requests that an action would make. Where other answers decide on them, those reads are made if
    /// `may_read`, and count as empty answers otherwise.
    ///
    /// # Errors
    /// The outcome of the action where it would end before its request.
    pub async fn show(&self, call: &CardCall, may_read: bool) -> Result<Shown, CardOutcome> {
        if call.card.family() == tables::FAMILY {
            return Ok(Shown { reads: false, requests: Vec::new() });
        }
        let (app, ready) = self.action(&call.card).map_err(definite)?;
        let mut names = self.names(call);
        if may_read {
            self.before(app, ready, call, &mut names).await?;
        }
        let mut all = Shown { reads: only_looks(ready), requests: Vec::new() };
        let Some(request) = &ready.request else { return Ok(all) };
        let repeat = ready.repeat.as_ref().map(|r| r.evaluate(&names)).transpose().map_err(definite)?;
        match repeat.as_deref() {
            None => {
                let rendered = self.rendered(call, request, &mut names).map_err(definite)?;
                all.reads |= raw(request) && rendered.method.is_safe();
                all.requests.push(shown(rendered));
            }
            Some(list) => {
                let items = list.as_array().cloned().unwrap_or_else(|| vec![list.clone()]);
                for item in items.into_iter().filter(|i| !i.is_null()).take(SHOWN_MAX) {
                    names.set("each", Arc::new(item));
                    all.requests.push(shown(self.rendered(call, request, &mut names).map_err(definite)?));
                }
            }
        }
        Ok(all)
    }
}

fn only_looks(ready: &ReadyAction) -> bool {
    ready.request.is_none() || matches!(ready.action.effect, EffectClass::Observe | EffectClass::Pure)
}

/// A raw request says by its method whether it looks or changes.
fn raw(request: &ReadyRequest) -> bool {
    !matches!(request.method, Mapping::Literal(_))
}

/// Whether a header may hold a credential, by what it is called.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let parts =
        ["authoriz", "cookie", "secret", "password", "passwd", "apikey", "accesskey", "privatekey", "signature"];
    parts.iter().any(|part| plain.contains(part)) || plain.ends_with("token") || plain.ends_with("auth")
}

fn shown(rendered: Rendered) -> RequestPreview {
    let header = |name| rendered.headers.get(&name).and_then(|v: &http::HeaderValue| v.to_str().ok()).unwrap_or("");
    let content_type = header(CONTENT_TYPE).to_owned();
    let open = |(name, value): &(&http::HeaderName, &http::HeaderValue)| {
        !value.is_sensitive() && !is_secret_name(name.as_str()) && **name != CONTENT_TYPE
    };
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = rendered.headers.iter().filter(open).map(|(name, value)| (name.to_string(), text(value))).collect();
    let body = match std::str::from_utf8(&rendered.body) {
        Ok("") => Value::Null,
        Ok(text) => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        Err(_) => Value::String(format!("{} bytes", rendered.body.len())),
    };
    let (method, url) = (rendered.method.to_string(), rendered.url.to_string());
    RequestPreview { method, url, headers, content_type, body }
}

/// Values of the declared types of an action's outputs, for a run that is only rehearsed.
#[must_use]
pub fn placeholders(outputs: &[flowdeck_model::FieldDecl]) -> Fields {
    outputs.iter().map(|f| (f.key.clone(), Arc::new(placeholder(&f.key, &f.kind)))).collect()
}

fn placeholder(key: &str, kind: &flowdeck_model::FieldType) -> Value {
    use flowdeck_model::FieldType as T;
    match kind {
        T::Any | T::Text => Value::String(format!("placeholder-{}", key.replace(char::is_whitespace, "-"))),
        T::Number => Value::from(0),
        T::Boolean => Value::Bool(false),
        T::Date => Value::String("1970-01-01T00:00:00Z".into()),
        T::Object(fields) => {
            Value::Object(fields.iter().map(|f| (f.key.clone(), placeholder(&f.key, &f.kind))).collect())
        }
        T::File => serde_json::json!({ "name": key, "type": "text/plain", "size": 0, "content": "" }),
        T::List(item) => Value::Array(vec![placeholder(key, item)]),
    }
}
