//! URL cards.
//!
//! Must never open an address: text in, text out.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Number, Text};
use flowdeck_model::{Fault, FieldType, Fields, Value};
use serde_json::Map;
use url::Url;
use url::form_urlencoded;

use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, value};

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("url/encodeComponent", "Encode Component", "Encodes a text as one part of a URL.", encode_component)
            .text("string", "text", "The text.").required()
            .gives("output", "", Text, "The encoded text.")
            .help("Letters, digits and `- _ . ! ~ * ' ( )` stay; all else becomes `%XX`, as by JavaScript's `encodeURIComponent`.")
            .example(r#"{"string":"email:Ann Lee*/é"}"#, r#"{"output":"email%3AAnn%20Lee*%2F%C3%A9"}"#),
        card("url/decodeComponent", "Decode Component", "Decodes one part of a URL.", decode_component)
            .text("string", "text", "The encoded text.").required()
            .gives("output", "", Text, "The text; `%` signs that encode nothing stay.")
            .example(r#"{"string":"a%20b%2Fc+100%"}"#, r#"{"output":"a b/c+100%"}"#),
        card("url/encode", "Encode Query", "Writes an object as a query.", encode)
            .object("data", "", "Keys and values. A list writes its key once for each item; null writes nothing.").required()
            .gives("output", "", Text, "The query without `?`.")
            .help("Spaces become `%20`. Objects inside are JSON.")
            .example(r#"{"data":{"q":"a b","n":1,"tag":["x","y&z"],"none":null}}"#, r#"{"output":"q=a%20b&n=1&tag=x&tag=y%26z"}"#)
            .decided("How does Encode Query write lists?", "It repeats the key: `tag=x&tag=y`."),
        card("url/decode", "Decode Query", "Reads a query.", decode)
            .text("string", "query", "The query, with or without `?`.").required()
            .gives("output", "", FieldType::object(), "Keys and texts; a key given several times has a list.")
            .example(r#"{"string":"?q=a%20b+c&tag=x&tag=y"}"#, r#"{"output":{"q":"a b c","tag":["x","y"]}}"#),
        card("url/parse", "Parse", "Takes a URL apart.", parse)
            .text("url", "", "The URL.").required()
            .gives("protocol", "", Text, "As in `https`.")
            .gives("host", "", Text, "The host without port.")
            .gives("port", "", Number, "The port; the usual one of the protocol where none is written.")
            .gives("path", "", Text, "As in `/api/v1`.")
            .gives("query", "", FieldType::object(), "Keys and texts.")
            .gives("hash", "", Text, "What follows `#`.")
            .gives("username", "", Text, "The user name before `@`.")
            .example(
                r#"{"url":"https://acme.okta.com/api/v1/users?limit=2#top"}"#,
                r#"{"protocol":"https","host":"acme.okta.com","port":443,"path":"/api/v1/users","query":{"limit":"2"},"hash":"top","username":""}"#,
            )
            .fails(r#"{"url":"acme"}"#, "is not a URL"),
        card("url/format", "Format", "Puts a URL together.", format)
            .text("protocol", "", "As in `https`.").or("https")
            .text("host", "", "The host, with a port where needed.").required()
            .text("path", "", "As in `/api/v1`.").or("")
            .object("query", "", "Keys and values.")
            .text("hash", "", "What follows `#`.").or("")
            .gives("output", "", Text, "The URL.")
            .example(r#"{"host":"acme.okta.com","path":"api/v1/users","query":{"q":"a b"}}"#, r#"{"output":"https://acme.okta.com/api/v1/users?q=a%20b"}"#)
            .fails(r#"{"host":"not a host"}"#, "is not a URL"),
    ]
}

/// As JavaScript's `encodeURIComponent`.
pub(crate) fn component(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'!' | b'~' | b'*' | b'\'' | b'(' | b')' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn encode_component(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    limits::text(text.len() * 3)?;
    Ok(Fields::one("output", component(&text)))
}

fn decode_component(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| first == b'%').and_then(|h| hex::decode(h).ok());
        match code {
            Some(code) => {
                bytes.extend(code);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    Ok(Fields::one("output", String::from_utf8_lossy(&bytes).into_owned()))
}

fn query(map: &Map<String, Value>) -> Result<String, Fault> {
    let mut out = String::new();
    let mut add = |key: &str, value: &Value| {
        if !value.is_null() {
            if !out.is_empty() {
                out.push('&');
            }
            out.push_str(&component(key));
            out.push('=');
            out.push_str(&component(&value::text(value)));
        }
        limits::text(out.len())
    };
    for (key, value) in map {
        match value {
            Value::Array(list) => list.iter().try_for_each(|item| add(key, item))?,
            value => add(key, value)?,
        }
    }
    Ok(out)
}

fn encode(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.object("data")?.map(query).transpose()?.unwrap_or_default();
    Ok(Fields::one("output", text))
}

fn read_query(text: &str) -> Map<String, Value> {
    let mut out: Map<String, Value> = Map::new();
    for (key, value) in form_urlencoded::parse(text.trim_start_matches('?').as_bytes()) {
        let value = Value::from(value.into_owned());
        match out.get_mut(key.as_ref()) {
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
            None => {
                out.insert(key.into_owned(), value);
            }
        }
    }
    out
}

fn decode(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", read_query(&call.text("string"))))
}

fn not_a_url(text: &str, error: url::ParseError) -> Fault {
    Fault::bad_input(format!("`{}` is not a URL: {error}", value::short(text)))
}

fn parse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("url");
    let url = Url::parse(text.trim()).map_err(|e| not_a_url(&text, e))?;
    let mut out = Fields::new();
    out.set("protocol", url.scheme());
    out.set("host", url.host_str().unwrap_or_default());
    out.set("port", url.port_or_known_default().map_or(Value::Null, Value::from));
    out.set("path", url.path());
    out.set("query", read_query(url.query().unwrap_or_default()));
    out.set("hash", url.fragment().unwrap_or_default());
    out.set("username", url.username());
    Ok(out)
}

fn format(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let protocol = call.text("protocol");
    let protocol = protocol.trim_end_matches("://").trim_end_matches(':');
    let host = call.some_text("host")?;
    let path = call.text("path");
    let mut text = format!("{protocol}://{}", host.trim_end_matches('/'));
    if !path.is_empty() && !path.starts_with('/') {
        text.push('/');
    }
    text.push_str(&path);
    if let Some(map) = call.object("query")?.filter(|map| !map.is_empty()) {
        text.push('?');
        text.push_str(&query(map)?);
    }
    let hash = call.text("hash");
    if !hash.is_empty() {
        text.push('#');
        text.push_str(hash.trim_start_matches('#'));
    }
    limits::text(text.len())?;
    let url = Url::parse(&text).map_err(|e| not_a_url(&text, e))?;
    Ok(Fields::one("output", url.to_string()))
}
