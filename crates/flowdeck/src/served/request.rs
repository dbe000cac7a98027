//! A request to a flow's endpoint, and the event it is for the flow.
//!
//! Must never hand on the client token, nor what browsers and proxies send by themselves (cookies, authorization) unless
//! the flow declares it. Tests: below.

use flowdeck_engine::machine::coerce;
use flowdeck_model::flow::Endpoint;
use flowdeck_model::{Fault, FieldDecl, Fields, Value};
use serde_json::Map;

/// The header that carries a flow's client token.
pub const TOKEN_HEADER: &str = "x-api-client-token";
/// The query parameter that does.
pub const TOKEN_QUERY: &str = "clientToken";
/// Headers that hold credentials of the caller's own.
const PRIVATE: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// What came in, whole. Whoever sent it was let in already.
#[derive(Debug, Clone, Default)]
pub struct EndpointRequest {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// Headers as they came; names in lower case.
    pub headers: Vec<(String, String)>,
    /// Query parameters, decoded, as they came.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why a request cannot be an event of the flow.
#[derive(Debug, Clone, PartialEq)]
pub enum WrongRequest {
    /// The body is of a kind that cannot be read.
    Kind,
    /// The body says it is JSON, and is not.
    NotJson,
    /// A declared field is missing or of a wrong type.
    Field(Fault),
}

impl EndpointRequest {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The event.
    pub(super) fn event(&self, endpoint: &Endpoint) -> Result<Fields, WrongRequest> {
        let text = std::str::from_utf8(&self.body).map_err(|_| WrongRequest::Kind)?;
        let is_declared = |name: &str| endpoint.headers.iter().any(|field| field.key.eq_ignore_ascii_case(name));
        let headers = self
            .headers
            .iter()
            .filter(|(name, _)| name != TOKEN_HEADER && (!PRIVATE.contains(&name.as_str()) || is_declared(name)));
        let headers = joined(headers);
        let query = several(self.query.iter().filter(|(name, _)| name != TOKEN_QUERY));
        let body = self.parsed(text, endpoint)?;
        let mut event = Fields::new();
        event.set("method", self.method.clone());
        event.set("path", self.path.clone());
        event.set("body", if endpoint.body.is_empty() { body } else { declared(&endpoint.body, &body, false)? });
        event.set("query", declared(&endpoint.query, &query, false)?);
        event.set("headers", declared(&endpoint.headers, &headers, true)?);
        event.set("raw", serde_json::json!({ "headers": headers, "query": query, "body": text }));
        Ok(event)
    }

    /// The body as a value: JSON, the fields of a form, or null for any other text.
    fn parsed(&self, text: &str, endpoint: &Endpoint) -> Result<Value, WrongRequest> {
        let kind = self.header("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if text.trim().is_empty() {
            return Ok(Value::Null);
        }
        if kind == "application/json" || kind.ends_with("+json") {
            return serde_json::from_str(text).map_err(|_| WrongRequest::NotJson);
        }
        if kind == "application/x-www-form-urlencoded" {
            // What curl says of any body; a form has its braces encoded.
            if text.starts_with(['{', '['])
                && let Ok(value) = serde_json::from_str(text)
            {
                return Ok(value);
            }
            let pairs: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
            return Ok(several(pairs.iter()));
        }
        match serde_json::from_str(text) {
            // Many callers forget to say what they send.
            Ok(value) if kind.is_empty() => Ok(value),
            _ if endpoint.body.is_empty() => Ok(Value::Null),
            _ => Err(WrongRequest::Kind),
        }
    }
}

/// Header values; of one that comes several times, one text with commas.
fn joined<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> Value {
    let mut found = Map::new();
    for (name, value) in pairs {
        match found.get_mut(name) {
            Some(Value::String(before)) => *before = format!("{before}, {value}"),
            _ => drop(found.insert(name.clone(), value.clone().into())),
        }
    }
    Value::Object(found)
}

/// Named values; of a name that comes several times, a list.
fn several<'a>(pairs: impl Iterator<Item = &'a (String, String)>) -> Value {
    let mut found = Map::new();
    for (name, value) in pairs {
        let value = Value::String(value.clone());
        match found.get_mut(name) {
            Some(Value::Array(before)) => before.push(value),
            Some(before) => *before = Value::Array(vec![before.take(), value]),
            None => drop(found.insert(name.clone(), value)),
        }
    }
    Value::Object(found)
}

/// The declared fields, converted to their types.
fn declared(fields: &[FieldDecl], from: &Value, any_case: bool) -> Result<Value, WrongRequest> {
    let given = from.as_object();
    let find = |key: &str| {
        let exact = given.and_then(|given| given.get(key));
        exact.or_else(|| {
            let mut all = given.filter(|_| any_case)?.iter();
            all.find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value)
        })
    };
    let mut picked = Fields::new();
    for field in fields {
        picked.set(field.key.clone(), find(&field.key).cloned().unwrap_or_default());
    }
    let fits = coerce::inputs(fields, None, picked).map_err(WrongRequest::Field)?;
    Ok(fits.to_value())
}

#[cfg(test)]
mod tests {
    use flowdeck_model::FieldType;
    use serde_json::json;

    use super::*;

    fn endpoint() -> Endpoint {
        let mut name = FieldDecl::new("name", FieldType::Text);
        name.required = true;
        Endpoint {
            methods: vec!["POST".into()],
            access: "public".into(),
            body: vec![name, FieldDecl::new("age", FieldType::Number)],
            query: vec![FieldDecl::new("page", FieldType::Number)],
            headers: vec![FieldDecl::new("X-Trace", FieldType::Text)],
        }
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    fn request(kind: &str, body: &str) -> EndpointRequest {
        EndpointRequest {
            method: "POST".into(),
            path: "/in/f".into(),
            headers: pairs(&[("content-type", kind), ("x-trace", "t1")]),
            query: pairs(&[("page", "2")]),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn declared_fields_come_with_their_types_whatever_the_body_is_written_in() {
        for (kind, body) in [
            ("application/json", r#"{"name":"Ada","age":36,"more":1}"#),
            ("application/scim+json; charset=utf-8", r#"{"name":"Ada","age":"36"}"#),
            ("application/x-www-form-urlencoded", "name=A%64a&age=36"),
            ("application/x-www-form-urlencoded", r#"{"name":"Ada","age":36}"#),
            ("", r#"{"name":"Ada","age":36}"#),
        ] {
            let event = request(kind, body).event(&endpoint()).unwrap();
            assert_eq!(*event.get("body"), json!({ "name": "Ada", "age": 36 }), "{kind}");
            assert_eq!(*event.get("query"), json!({ "page": 2 }));
            assert_eq!(*event.get("headers"), json!({ "X-Trace": "t1" }));
            assert_eq!(event.get("raw")["body"], body);
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_says_which_field() {
        let wrong = |kind: &str, body: &str| request(kind, body).event(&endpoint()).unwrap_err();
        assert_eq!(wrong("application/json", "{"), WrongRequest::NotJson);
        assert_eq!(wrong("text/csv", "a,b"), WrongRequest::Kind);
        assert!(matches!(wrong("application/json", "{}"), WrongRequest::Field(f) if f.message.contains("`name`")));
        let mut binary = request("application/octet-stream", "");
        binary.body = vec![0xff, 0xfe];
        assert_eq!(binary.event(&endpoint()).unwrap_err(), WrongRequest::Kind);
        let mut open = endpoint();
        open.body.clear();
        let event = request("text/csv", "a,b").event(&open).unwrap();
        assert_eq!((event.get("body"), &event.get("raw")["body"]), (&Value::Null, &json!("a,b")));
    }

    #[test]
    fn tokens_and_credentials_stay_outside() {
        let mut request = request("application/json", r#"{"name":"Ada"}"#);
        request.headers.extend(pairs(&[("x-api-client-token", "s3cret"), ("cookie", "c"), ("authorization", "a")]));
        request.query.extend(pairs(&[("clientToken", "s3cret"), ("tag", "a"), ("tag", "b")]));
        let event = request.event(&endpoint()).unwrap();
        assert!(!event.to_value().to_string().contains("s3cret"));
        assert_eq!(event.get("raw")["headers"], json!({ "content-type": "application/json", "x-trace": "t1" }));
        assert_eq!(event.get("raw")["query"], json!({ "page": "2", "tag": ["a", "b"] }));
        let mut declares = endpoint();
        declares.headers.push(FieldDecl::new("Authorization", FieldType::Text));
        assert_eq!(request.event(&declares).unwrap().get("headers")["Authorization"], "a");
    }
}
