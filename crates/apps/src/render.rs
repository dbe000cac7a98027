//! Makes the request of an action: method, URL, headers, body.
//!
//! Must never let a value break out of its place: path values are encoded, next pages stay on their host.
//! Tests: below.

use bytes::Bytes;
use flowdeck_model::mapping::TemplatePart;
use flowdeck_model::{Fault, FaultCode, Mapping, Value};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::compile::App;
use crate::made;
use crate::query;
use crate::ready::{ReadyBody, ReadyPart, ReadyQuery, ReadyRequest};
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
pub(crate) fn render(app: &App, request: &ReadyRequest, names: &mut Names) -> Result<Rendered, Fault> {
    if !request.make.is_empty() {
        made::make(&request.make, names)?;
    }
    let names = &*names;
    let method_text = text(&*request.method.evaluate(names)?);
    let method = Method::from_bytes(method_text.to_ascii_uppercase().as_bytes())
        .map_err(|_| Fault::bad_input(format!("`{method_text}` is not an HTTP method")))?;
    let mut url = address(app, way(request, names)?, names)?;
    for (key, mapping) in &request.query {
        match mapping {
            ReadyQuery::Value(mapping) => add_query(&mut url, key, &*mapping.evaluate(names)?),
            ReadyQuery::Filter { text, all, more } => {
                add_query(&mut url, key, &query::filter(text.as_ref(), all, more.as_ref(), names)?);
            }
            ReadyQuery::Joined(list, by) => {
                let list = list.evaluate(names)?;
                let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
                let text = items.iter().map(text).collect::<Vec<_>>().join(by);
                add_query(&mut url, key, &if text.is_empty() { Value::Null } else { text.into() });
            }
            ReadyQuery::Terms(terms) => add_query(&mut url, key, &query::terms(terms, names)?),
        }
    }
    if let Some(more) = &request.more_query {
        match &*more.evaluate(names)? {
            Value::Object(members) => members.iter().for_each(|(key, value)| add_query(&mut url, key, value)),
            Value::String(text) => {
                let pairs = url::form_urlencoded::parse(text.trim_start_matches('?').as_bytes());
                url.query_pairs_mut().extend_pairs(pairs);
            }
            _ => {}
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
    if let Some(own) = &request.own_credential {
        let mut value = HeaderValue::from_str(&text(&*own.evaluate(names)?))
            .map_err(|_| Fault::new(FaultCode::BadAnswer, "the app gave a credential that cannot be sent"))?;
        value.set_sensitive(true);
        headers.insert(http::header::AUTHORIZATION, value);
    }
    let is_form = headers
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let (body, kind) = body(&request.body, names, is_form)?;
    if let Some(kind) = kind
        && !headers.contains_key(http::header::CONTENT_TYPE)
    {
        let kind = HeaderValue::from_str(&kind).map_err(|_| Fault::bad_input("the body has no usable type"))?;
        headers.insert(http::header::CONTENT_TYPE, kind);
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

/// The path whose condition holds first.
fn way<'a>(request: &'a ReadyRequest, names: &Names) -> Result<&'a Mapping, Fault> {
    for (when, path) in &request.paths {
        match when {
            Some(when) if !Mapping::is_true(&*when.evaluate(names)?) => {}
            _ => return Ok(path),
        }
    }
    Err(Fault::bad_input("the options of this card do not say what to do").remedy("look at its choices"))
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
                    // An address of the app itself, which no flow can change.
                    TemplatePart::Reference(r) if r.root == "app" => {
                        out.push_str(&text(&*Mapping::Reference(r.clone()).evaluate(names)?));
                        continue;
                    }
                    TemplatePart::Reference(r) => Mapping::Reference(r.clone()).evaluate(names)?,
                    TemplatePart::Expression(e) => Mapping::Expression(e.clone()).evaluate(names)?,
                };
                match &*value {
                    Value::Array(segments) if !segments.is_empty() => {
                        let all = segments.iter().map(encoded).collect::<Result<Vec<_>, _>>()?;
                        out.push_str(&all.join("/"));
                    }
                    one => out.push_str(&encoded(one)?),
                }
            }
            out
        }
        other => text(&*other.evaluate(names)?),
    };
    let whole = if path_text.starts_with("http://") || path_text.starts_with("https://") {
        path_text
    } else {
        // Without a slash between them a path could go on with the name of the host.
        let slash = if path_text.starts_with('/') { "" } else { "/" };
        format!("{}{slash}{path_text}", text(&*app.base_url.evaluate(names)?).trim_end_matches('/'))
    };
    Url::parse(&whole).map_err(|_| {
        Fault::new(FaultCode::BadInput, "the address of the request is not a URL")
            .remedy("give a whole URL that begins with https://")
    })
}

/// A value as one segment of a path.
fn encoded(value: &Value) -> Result<String, Fault> {
    let segment = text(value);
    if segment.is_empty() || segment == "." || segment == ".." {
        return Err(Fault::bad_input("a part of the address is empty or not a name")
            .remedy("fill the input that the address is made of"));
    }
    Ok(url::form_urlencoded::byte_serialize(segment.as_bytes()).map(|s| s.replace('+', "%20")).collect())
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

/// A template's own objects drop members that come out null, and themselves where nothing is left of them; whole values
/// that users give stay as they are. `None` where the value is to be left out.
fn filled(template: &Mapping, names: &Names, is_top: bool) -> Result<Option<Value>, Fault> {
    let Mapping::Object(members) = template else {
        let value = template.evaluate(names)?;
        return Ok((!value.is_null()).then(|| (*value).clone()));
    };
    let mut object = serde_json::Map::new();
    for (key, member) in members {
        if let Some(value) = filled(member, names, false)? {
            object.insert(key.clone(), value);
        }
    }
    let is_gone = object.is_empty() && !members.is_empty() && !is_top;
    Ok((!is_gone).then_some(Value::Object(object)))
}

/// Puts a user's further members at their place, made where it was left out. The template's own members stay.
fn add_members(body: &mut Value, at: &str, members: &Value) -> Result<(), Fault> {
    let Value::Object(members) = members else { return Ok(()) };
    if members.is_empty() {
        return Ok(());
    }
    let mut place = body;
    for key in at.split('/').skip(1) {
        let Value::Object(object) = place else {
            return Err(Fault::bad_input("the body has no place for more members"));
        };
        place = object.entry(key).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
    let Value::Object(object) = place else { return Err(Fault::bad_input("the body has no place for more members")) };
    for (key, value) in members {
        object.entry(key).or_insert_with(|| value.clone());
    }
    Ok(())
}

/// The body and its type. What a user gave as an object goes as a form where the header says so.
fn body(body: &ReadyBody, names: &Names, is_form: bool) -> Result<(Bytes, Option<String>), Fault> {
    let json = || Some("application/json".to_owned());
    Ok(match body {
        ReadyBody::None => (Bytes::new(), None),
        ReadyBody::Json { template, more } => {
            let mut value = filled(template, names, true)?.unwrap_or(Value::Null);
            if let Some((at, members)) = more {
                add_members(&mut value, at, &*members.evaluate(names)?)?;
            }
            if value.is_null() { (Bytes::new(), None) } else { (value.to_string().into(), json()) }
        }
        ReadyBody::Form(pairs) => {
            let mut form = Vec::new();
            for (key, mapping) in pairs {
                form.push((key.as_str(), mapping.evaluate(names)?));
            }
            let text = form_text(form.iter().map(|(k, v)| (*k, v.as_ref())));
            (text.into(), Some("application/x-www-form-urlencoded".into()))
        }
        ReadyBody::AsGiven(mapping) => match &*mapping.evaluate(names)? {
            Value::Null => (Bytes::new(), None),
            Value::String(text) => (text.clone().into(), None),
            Value::Object(members) if is_form => (form_text(members.iter().map(|(k, v)| (k.as_str(), v))).into(), None),
            other => (other.to_string().into(), json()),
        },
        ReadyBody::Text(mapping) => (text(&*mapping.evaluate(names)?).into(), None),
        ReadyBody::Parts(parts) => {
            let mut related = made::Related::default();
            for part in parts {
                match part {
                    ReadyPart::Json(template) => {
                        related.json(&filled(template, names, true)?.unwrap_or(Value::Null));
                    }
                    ReadyPart::File(mapping) => related.file(&*mapping.evaluate(names)?)?,
                }
            }
            let (body, kind) = related.finish();
            (body, Some(kind))
        }
    })
}

fn form_text<'a>(pairs: impl Iterator<Item = (&'a str, &'a Value)>) -> String {
    let mut out = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in pairs.filter(|(_, value)| !value.is_null()) {
        out.append_pair(key, &text(value));
    }
    out.finish()
}
