//! XML cards.
//!
//! Must never read a document type or an entity of its own: those can grow without limit or name files.
//! Tests: below, the examples here, and `tests/laws.rs`.

use flowdeck_model::FieldType::Text;
use flowdeck_model::{Fault, FaultCode, FieldType, Fields, Value};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use serde_json::Map;

use crate::call::Call;
use crate::function::{Card, card};
use crate::limits::{self, DEPTH_MAX};
use crate::text::encode::html_encode;
use crate::value;

/// Said on both pages.
const FORM: &str = "An element without attributes and children is its text. Any other is an object: `@name` holds an attribute, `name` a child, `#text` the text beside them. Children of one name are a list. Names keep their prefixes; comments and processing instructions are left out.";

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("xml/parse", "Parse", "Reads XML text as an object.", parse)
            .text("string", "text", "The XML text.").required()
            .input("lists", "", Text.list(), "Names of elements that are always lists, even where there is only one.").or(Value::Array(Vec::new()))
            .gives("output", "", FieldType::object(), "An object whose only key is the root element.")
            .help(FORM)
            .note("White space around texts is trimmed. Document types are refused; so are entities but the five of XML.")
            .example(
                r#"{"string":"<?xml version=\"1.0\"?><users page=\"1\"><user>Ann</user><user id=\"2\">B&amp;C</user><none/></users>"}"#,
                r##"{"output":{"users":{"@page":"1","user":["Ann",{"@id":"2","#text":"B&C"}],"none":""}}}"##,
            )
            .example(r#"{"string":"<a><b><![CDATA[1 < 2]]></b></a>","lists":["b"]}"#, r#"{"output":{"a":{"b":["1 < 2"]}}}"#)
            .fails(r#"{"string":"<a><b></a>"}"#, "not XML")
            .fails(r#"{"string":"<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>"}"#, "document type")
            .decided("What form has the object of XML Parse?", "Attributes are `@name`, text beside attributes or children is `#text`, repeated elements are lists, an empty element is an empty text.")
            .decided("Does XML Parse read document types and entities?", "No: they are refused, because they can name files and grow without limit."),
        card("xml/build", "Build", "Writes an object as XML text.", build)
            .object("object", "", "The object; its only key is the root element, unless `root` is given.").required()
            .text("root", "", "The name of an element to put around the object.").or("")
            .boolean("declaration", "", "Whether the text begins with `<?xml …?>`.").or(false)
            .gives("output", "", Text, "The XML text, on one line.")
            .help(FORM)
            .note("Null and empty text make an empty element, lists one element for each item.")
            .example(
                r##"{"object":{"u":{"@id":7,"n":["Ann","B&C"],"e":null,"x":{"#text":"t"}}}}"##,
                r#"{"output":"<u id=\"7\"><n>Ann</n><n>B&amp;C</n><e/><x>t</x></u>"}"#,
            )
            .example(
                r#"{"object":{"a":1,"b":true},"root":"r","declaration":true}"#,
                r#"{"output":"<?xml version=\"1.0\" encoding=\"UTF-8\"?><r><a>1</a><b>true</b></r>"}"#,
            )
            .fails(r#"{"object":{"a":1,"b":2}}"#, "one root element")
            .fails(r#"{"object":{"a b":1}}"#, "not a name of XML")
            .decided("What does XML Build do with several keys and no `root`?", "It is an error: XML has one root element."),
    ]
}

fn wrong(why: impl std::fmt::Display) -> Fault {
    Fault::bad_input(format!("the text is not XML: {why}"))
}

/// An element that is being read.
struct Open {
    name: String,
    map: Map<String, Value>,
    text: String,
}

fn begin(start: &BytesStart<'_>) -> Result<Open, Fault> {
    let name = start.name().0;
    if !is_name(name) {
        return Err(wrong(format!("`{}` is not a name", value::short(name))));
    }
    let mut map = Map::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(wrong)?;
        let value = attribute.normalized_value(quick_xml::XmlVersion::Explicit1_0).map_err(wrong)?;
        map.insert(format!("@{}", attribute.key.0), Value::from(value.as_ref()));
    }
    Ok(Open { name: name.to_owned(), map, text: String::new() })
}

/// The value of an element that ends.
fn close(mut open: Open) -> (String, Value) {
    let text = open.text.trim();
    if open.map.is_empty() {
        return (open.name, Value::from(text));
    }
    if !text.is_empty() {
        open.map.insert("#text".into(), Value::from(text));
    }
    (open.name, Value::Object(open.map))
}

fn add(map: &mut Map<String, Value>, name: String, value: Value, always: &[String]) {
    match map.get_mut(&name) {
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None => {
            let value = if always.contains(&name) { Value::Array(vec![value]) } else { value };
            map.insert(name, value);
        }
    }
}

fn parse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.some_text("string")?;
    let always: Vec<String> = call.list("lists")?.iter().map(|n| value::text(n).into_owned()).collect();
    Ok(Fields::one("output", read(text.trim_start_matches('\u{feff}'), &always)?))
}

fn read(text: &str, always: &[String]) -> Result<Map<String, Value>, Fault> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut root = Map::new();
    let mut count = 0;
    loop {
        let ended = match reader.read_event().map_err(wrong)? {
            Event::Start(start) => {
                if open.len() >= DEPTH_MAX {
                    return Err(Fault::new(FaultCode::LimitReached, format!("the XML nests deeper than {DEPTH_MAX}")));
                }
                count += 1;
                limits::items(count)?;
                open.push(begin(&start)?);
                None
            }
            Event::Empty(start) => {
                count += 1;
                limits::items(count)?;
                Some(close(begin(&start)?))
            }
            Event::End(_) => open.pop().map(close),
            Event::Text(text) => {
                put(&mut open, &text.xml10_content())?;
                None
            }
            Event::CData(text) => {
                put(&mut open, &text.xml10_content())?;
                None
            }
            Event::GeneralRef(reference) => {
                let name: &str = &reference;
                let found = match reference.resolve_char_ref().map_err(wrong)? {
                    Some(c) => Some(c.to_string()),
                    None => quick_xml::escape::resolve_predefined_entity(name).map(str::to_owned),
                };
                let found = found.ok_or_else(|| wrong(format!("`&{};` is not known", value::short(name))))?;
                put(&mut open, &found)?;
                None
            }
            Event::DocType(_) => {
                return Err(Fault::bad_input("the XML has a document type, which is not read")
                    .remedy("take `<!DOCTYPE …>` out of the text"));
            }
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => None,
            Event::Eof => break,
        };
        if let Some((name, value)) = ended {
            match open.last_mut() {
                Some(parent) => add(&mut parent.map, name, value, always),
                None if root.is_empty() => drop(root.insert(name, value)),
                None => return Err(wrong("there is more than one root element")),
            }
        }
    }
    match open.pop() {
        Some(open) => Err(wrong(format!("`{}` is not closed", value::short(&open.name)))),
        None if root.is_empty() => Err(wrong("there is no element")),
        None => Ok(root),
    }
}

fn put(open: &mut [Open], text: &str) -> Result<(), Fault> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(wrong(format!("`{}` stands outside of the root element", value::short(text.trim())))),
    }
    Ok(())
}

/// Whether this is a name as elements and attributes may have (XML 1.0, section 2.3; letters by Unicode).
fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_' || c == ':')
        && chars.all(|c| c.is_alphanumeric() || "_:-.·".contains(c))
}

fn build(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let root = call.text("root").into_owned();
    let declaration = call.boolean("declaration")?;
    let object = call.take_object("object")?;
    let mut out = String::new();
    if declaration {
        out.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    }
    if !root.is_empty() {
        write(&mut out, &root, &Value::Object(object), 0)?;
    } else {
        match object.iter().next() {
            Some((name, value)) if object.len() == 1 && !value.is_array() => write(&mut out, name, value, 0)?,
            _ => {
                return Err(Fault::bad_input("the object does not have exactly one root element")
                    .remedy("give `root`, or an object with one key that is no list"));
            }
        }
    }
    Ok(Fields::one("output", out))
}

fn name(name: &str) -> Result<&str, Fault> {
    if is_name(name) {
        Ok(name)
    } else {
        Err(Fault::bad_input(format!("`{}` is not a name of XML", value::short(name))))
    }
}

/// A text as XML can hold it.
fn escaped(value: &Value) -> Result<String, Fault> {
    let text = value::text(value);
    if let Some(c) =
        text.chars().find(|&c| c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}'))
    {
        return Err(Fault::bad_input(format!("the character U+{:04X} cannot be in XML", u32::from(c))));
    }
    // A reader makes one line feed of a carriage return that is not written as a reference.
    Ok(html_encode(&text).replace('\r', "&#13;"))
}

fn write(out: &mut String, key: &str, value: &Value, depth: usize) -> Result<(), Fault> {
    if depth >= DEPTH_MAX {
        return Err(Fault::new(FaultCode::LimitReached, format!("the object nests deeper than {DEPTH_MAX}")));
    }
    if let Value::Array(list) = value {
        return list.iter().try_for_each(|item| write(out, key, item, depth + 1));
    }
    let key = name(key)?;
    out.push('<');
    out.push_str(key);
    let mut inner = String::new();
    match value {
        Value::Object(map) => {
            for (child, value) in map {
                if let Some(attribute) = child.strip_prefix('@') {
                    let text = escaped(value)?.replace('\n', "&#10;").replace('\t', "&#9;");
                    out.push_str(&format!(" {}=\"{text}\"", name(attribute)?));
                } else if child == "#text" {
                    inner.push_str(&escaped(value)?);
                } else {
                    write(&mut inner, child, value, depth + 1)?;
                }
            }
        }
        value => inner = escaped(value)?,
    }
    limits::text(out.len() + inner.len())?;
    if inner.is_empty() {
        out.push_str("/>");
    } else {
        out.push_str(&format!(">{inner}</{key}>"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_not_one_element() {
        for text in [
            "",
            "x",
            "<a/>x",
            "<a/><b/>",
            "</a>",
            "<a>",
            "<a>&b;</a>",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<1/>",
            "<a>&#0;</a>",
        ] {
            assert!(read(text, &[]).is_err(), "{text}");
        }
        let deep = "<a>".repeat(100);
        assert_eq!(read(&deep, &[]).unwrap_err().code, FaultCode::LimitReached);
        assert!(read("<!-- c --><a><!-- d --><?p i?></a>\n", &[]).is_ok());
    }

    #[test]
    fn text_is_put_together_from_all_its_parts() {
        let found = read("<a>x &lt;&#65;<![CDATA[<b>]]> y<c/></a>", &[]).unwrap();
        assert_eq!(found["a"], serde_json::json!({"#text": "x <A<b> y", "c": ""}));
    }
}
