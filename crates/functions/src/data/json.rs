//! JSON cards.
//!
//! Must never accept what is not JSON.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Any, Text};
use flowdeck_model::{Fault, Fields, Value};
use serde::Serialize;

use crate::call::Call;
use crate::function::{Card, card};
use crate::limits;

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("json/parse", "Parse", "Reads JSON text.", parse)
            .any("string", "", "The JSON text. Null gives null; a value that is no text is passed on.")
            .gives("output", "", Any, "The value.")
            .help("Nesting up to 127 levels. Whole numbers up to 64 bits keep all digits.")
            .example(r#"{"string":"{\"a\":[1,null]}"}"#, r#"{"output":{"a":[1,null]}}"#)
            .example(r#"{"string":null}"#, r#"{"output":null}"#)
            .example(r#"{"string":"{\"a\":1,\"a\":2}"}"#, r#"{"output":{"a":2}}"#)
            .fails(r#"{"string":"{a:1}"}"#, "not JSON")
            .fails(r#"{"string":""}"#, "empty")
            .decided(
                "What does JSON Parse do with null and with empty text?",
                "Null gives null; empty text is an error.",
            )
            .decided("Which numbers does JSON Parse keep exactly?", "Whole numbers up to 64 bits, all others as the nearest double; JavaScript rounds whole numbers above 2^53.")
            .decided("Which value has a key that is there twice?", "The last one."),
        card("json/stringify", "Stringify", "Writes a value as JSON text.", stringify)
            .any("object", "", "The value.")
            .boolean("pretty", "", "Whether it is written on several lines.")
            .or(false)
            .more(Any)
            .gives("output", "", Text, "The JSON text.")
            .example(r#"{"object":{"a":[1,"é"]}}"#, r#"{"output":"{\"a\":[1,\"é\"]}"}"#)
            .example(r#"{"object":"text"}"#, r#"{"output":"\"text\""}"#)
            .example(r#"{"object":{"a":1},"pretty":true}"#, r#"{"output":"{\n  \"a\": 1\n}"}"#)
            .decided("What does Stringify make of a text?", "Its JSON form, in quotes."),
    ]
}

/// Reads JSON.
///
/// # Errors
/// `bad-input` with line and column.
pub(crate) fn read(text: &str) -> Result<Value, Fault> {
    if text.trim().is_empty() {
        return Err(Fault::bad_input("the text is empty, which is not JSON").remedy("check what is mapped to the card"));
    }
    serde_json::from_str(text).map_err(|e| {
        let why = e.to_string();
        Fault::bad_input(format!("the text `{}` is not JSON: {why}", crate::value::short(text)))
    })
}

fn parse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut out = Fields::new();
    match call.any("string") {
        Value::String(text) => out.set("output", read(text)?),
        _ => out.share("output", call.shared("string")),
    }
    Ok(out)
}

fn stringify(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let value = call.any("object");
    let text = if call.boolean("pretty")? { write(value, 2) } else { value.to_string() };
    limits::text(text.len())?;
    Ok(Fields::one("output", text))
}

/// JSON on several lines with this many spaces a level (0: one line).
pub(crate) fn write(value: &Value, indent: usize) -> String {
    if indent == 0 {
        return value.to_string();
    }
    let spaces = " ".repeat(indent.min(10));
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(
        &mut bytes,
        serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes()),
    );
    // Writing a value to memory cannot fail; the one-line form stands in all the same.
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8(bytes).unwrap_or_else(|_| value.to_string()),
        Err(_) => value.to_string(),
    }
}
