//! Makes the request of an action: method, URL, headers, body.
//!
//! Must never let a value break out of its place: path values are encoded, next pages stay on their host.
//! Tests: below.

use bytes::Bytes;
use flowdeck_model::mapping::TemplatePart;
use flowdeck_model::{Fault, FaultCode, Mapping, Value};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::compile::{App, ReadyBody, ReadyRequest};
use crate::scope::Names;

/// A request before a credential is added.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rendered {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Headers that a flow may not set.
const RESERVED: [&str; 5] = ["host", "content-length", "transfer-encoding", "connection", "cookie"];

/// Renders a request template.
pub(crate) fn render(app: &App, request: &ReadyRequest, names: &Names) -> Result<Rendered, Fault> {
    let method_text = text(&*request.method.evaluate(names)?);
    let method = Method::from_bytes(method_text.to_ascii_uppercase().as_bytes())
        .map_err(|_| Fault::bad_input(format!("`{method_text}` is not an HTTP method")))?;
    let mut url = address(app, &request.path, names)?;
    for (key, mapping) in &request.query {
        add_query(&mut url, key, &*mapping.evaluate(names)?);
    }
    if let Some(more) = &request.more_query
        && let Value::Object(members) = &*more.evaluate(names)?
    {
        for (key, value) in members {
            add_query(&mut url, key, value);
        }
    }
    let mut headers = HeaderMap::new();
    for (key, mapping) in app.headers.iter().chain(&request.headers) {
        set_header(&mut headers, key, &*mapping.evaluate(names)?)?;
    }
    if let Some(more) = &request.more_headers
        && let Value::Object(members) = &*more.evaluate(names)?
    {
        for (key, value) in members {
            set_header(&mut headers, key, value)?;
        }
    }
    let (body, kind) = body(&request.body, names)?;
    if let Some(kind) = kind
        && !headers.contains_key(http::header::CONTENT_TYPE)
    {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    Ok(Rendered { method, url, headers, body })
}

/// The text of a value in a URL or header.
fn text(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The whole URL. A path that is one reference may hold a whole URL; inside a template, values are single segments.
fn address(app: &App, path: &Mapping, names: &Names) -> Result<Url, Fault> {
    let path_text = match path {
        Mapping::Template(parts) => {
            let mut out = String::new();
            for part in parts {
                let value = match part {
                    TemplatePart::Text(text) => {
                        out.push_str(text);
                        continue;
                    }
                    TemplatePart::Reference(r) => Mapping::Reference(r.clone()).evaluate(names)?,
                    TemplatePart::Expression(e) => Mapping::Expression(e.clone()).evaluate(names)?,
                };
                let segment = text(&value);
                if segment.is_empty() || segment == "." || segment == ".." {
                    return Err(Fault::bad_input("a part of the address is empty or not a name")
                        .remedy("fill the input that the address is made of"));
                }
                out.extend(url::form_urlencoded::byte_serialize(segment.as_bytes()).map(|s| s.replace('+', "%20")));
            }
            out
        }
        other => text(&*other.evaluate(names)?),
    };
    let whole = if path_text.starts_with("http://") || path_text.starts_with("https://") {
        path_text
    } else {
        format!("{}{path_text}", text(&*app.base_url.evaluate(names)?).trim_end_matches('/'))
    };
    Url::parse(&whole).map_err(|_| {
        Fault::new(FaultCode::BadInput, "the address of the request is not a URL")
            .remedy("give a whole URL that begins with https://")
    })
}

fn add_query(url: &mut Url, key: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(items) => items.iter().for_each(|item| add_query(url, key, item)),
        other => {
            url.query_pairs_mut().append_pair(key, &text(other));
        }
    }
}

fn set_header(headers: &mut HeaderMap, key: &str, value: &Value) -> Result<(), Fault> {
    if value.is_null() {
        return Ok(());
    }
    let wrong = || Fault::bad_input(format!("`{key}` cannot be sent as a header"));
    let name = HeaderName::from_bytes(key.as_bytes()).map_err(|_| wrong())?;
    if RESERVED.contains(&name.as_str()) {
        return Err(Fault::bad_input(format!("the header `{key}` is set by the runtime")).remedy("leave it out"));
    }
    headers.insert(name, HeaderValue::from_str(&text(value)).map_err(|_| wrong())?);
    Ok(())
}

/// Members that came out null are left out.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), without_nulls(v))).collect()
        }
        other => other.clone(),
    }
}

fn body(body: &ReadyBody, names: &Names) -> Result<(Bytes, Option<&'static str>), Fault> {
    Ok(match body {
        ReadyBody::None => (Bytes::new(), None),
        ReadyBody::Json(mapping) => {
            let value = mapping.evaluate(names)?;
            // A template's own object drops what is null; a user's whole object is sent as it is.
            let value = if matches!(mapping, Mapping::Object(_)) { without_nulls(&value) } else { (*value).clone() };
            if value.is_null() { (Bytes::new(), None) } else { (value.to_string().into(), Some("application/json")) }
        }
        ReadyBody::Form(pairs) => {
            let mut out = url::form_urlencoded::Serializer::new(String::new());
            for (key, mapping) in pairs {
                let value = mapping.evaluate(names)?;
                if !value.is_null() {
                    out.append_pair(key, &text(&value));
                }
            }
            (out.finish().into(), Some("application/x-www-form-urlencoded"))
        }
        ReadyBody::Text(mapping) => (text(&*mapping.evaluate(names)?).into(), None),
    })
}
