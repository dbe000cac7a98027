//! File cards: values `{name, type, size, content}` with Base64 content.
//!
//! Must never reach a real file: a file here is a value.
//! Tests: the examples here; `tests/laws.rs`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowdeck_model::FieldType::{Date, File, Number, Text};
use flowdeck_model::{Fault, Fields, Value};
use serde_json::json;

use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, value};

/// Media types by ending.
const TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    ("flow", "application/json"),
    ("folder", "application/json"),
    ("gif", "image/gif"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("txt", "text/plain"),
    ("xml", "application/xml"),
    ("yaml", "application/yaml"),
    ("yml", "application/yaml"),
    ("zip", "application/zip"),
];

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("filefunctions/info", "Info", "Tells name, ending and size of a file.", info)
            .input("file", "File Content", File, "The file.").required().exported("File.File Content")
            .gives("filename", "Filename", Text, "Its name.").gives_exported("File.Filename")
            .gives("extension", "Extension", Text, "The ending of its name without the dot; empty where there is none.").gives_exported("File.Extension")
            .gives("size", "Size", Number, "Its size in bytes.").gives_exported("File.Size")
            .gives("created", "Created", Date, "When it was made, where the file's source says so; else null.").gives_exported("File.Created")
            .gives("updated", "Updated", Date, "When it was changed, where the file's source says so; else null.").gives_exported("File.Updated")
            .example(
                r#"{"file":{"name":"list.CSV","type":"text/csv","size":3,"content":"YSxi"}}"#,
                r#"{"filename":"list.CSV","extension":"CSV","size":3,"created":null,"updated":null}"#,
            )
            .fails(r#"{"file":null}"#, "`File Content` is missing")
            .decided("What are `Created` and `Updated` of a file that has no dates?", "Null: the value holds only what its source gave."),
        card("filefunctions/create", "Create", "Makes a file of a text.", create)
            .text("content", "", "The text, or Base64 of the bytes.").or("")
            .text("encoding", "", "What `content` is.").required().or("text").choices(&["text", "base64"])
            .text("filename", "", "The file's name.").required().or("file.txt")
            .text("type", "", "Its media type. Empty: by the ending of its name.").or("")
            .gives("file", "", File, "The file.")
            .example(
                r#"{"content":"a,b","filename":"list.csv"}"#,
                r#"{"file":{"name":"list.csv","type":"text/csv","size":3,"content":"YSxi"}}"#,
            )
            .example(
                r#"{"content":"AAE=","encoding":"base64","filename":"x"}"#,
                r#"{"file":{"name":"x","type":"application/octet-stream","size":2,"content":"AAE="}}"#,
            )
            .fails(r#"{"content":"a*","encoding":"base64","filename":"x"}"#, "not Base64"),
        card("filefunctions/read", "Read", "Gives the content of a file as text.", read)
            .input("file", "", File, "The file.").required()
            .gives("text", "", Text, "The content as UTF-8 text; bytes that are no text become U+FFFD.")
            .gives("base64", "", Text, "The content in Base64.")
            .example(r#"{"file":{"name":"a.txt","content":"w6k="}}"#, r#"{"text":"é","base64":"w6k="}"#)
            .fails(r#"{"file":{"name":"a.txt"}}"#, "has no content"),
        card("utility/exportFlo", "Export Flow", "Writes a flow into a file.", export)
            .any("flo", "Flow", "The flow's definition.").required()
            .boolean("pretty", "JSON Pretty Print?", "Whether the JSON is written on several lines.").or(true)
            .number("indent", "Number of Indented Spaces", "Spaces a level, 1 to 10.").or(2)
            .gives("output", "", File, "The file, in JSON.")
            .help("An import puts the definition of the flow that the card names in here; a flow cannot read other flows while it runs.")
            .example(
                r#"{"flo":{"name":"Leave","cards":[]},"pretty":false}"#,
                r#"{"output":{"name":"Leave.flow","type":"application/json","size":27,"content":"eyJuYW1lIjoiTGVhdmUiLCJjYXJkcyI6W119"}}"#,
            )
            .fails(r#"{"flo":"0f1e"}"#, "only the id")
            .decided("What does Export Flow write?", "The definition as the import stored it with the card. A flow that is changed later is not written anew."),
    ]
}

/// The ending of a name, without the dot.
fn extension(name: &str) -> &str {
    name.rsplit_once('.').filter(|(before, _)| !before.is_empty()).map_or("", |(_, ending)| ending)
}

fn media_type(name: &str) -> &'static str {
    let ending = extension(name);
    TYPES.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending)).map_or("application/octet-stream", |(_, t)| t)
}

/// A file of these bytes.
fn file(name: &str, kind: &str, bytes: &[u8]) -> Result<Value, Fault> {
    limits::text(bytes.len() / 3 * 4 + 4)?;
    let kind = if kind.is_empty() { media_type(name) } else { kind };
    Ok(json!({ "name": name, "type": kind, "size": bytes.len(), "content": STANDARD.encode(bytes) }))
}

/// The bytes of a file.
fn bytes(file: &Value) -> Result<Vec<u8>, Fault> {
    let content = file.get("content").and_then(Value::as_str).ok_or_else(|| {
        Fault::bad_input("the file has no content")
            .remedy("map a file, as another card gives it: {name, type, size, content}")
    })?;
    decode(content)
}

fn decode(content: &str) -> Result<Vec<u8>, Fault> {
    crate::text::encode::from_base64(content).ok_or_else(|| Fault::bad_input("the content of the file is not Base64"))
}

/// The content of a file as text.
pub(super) fn text_of(file: &Value) -> Result<String, Fault> {
    Ok(String::from_utf8_lossy(&bytes(file)?).into_owned())
}

fn given<'c>(call: &'c Call<'_>) -> Result<&'c Value, Fault> {
    match call.any("file") {
        Value::Null => Err(call.missing("file")),
        file @ Value::Object(_) => Ok(file),
        _ => Err(call.wrong("file", "a file")),
    }
}

fn info(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let file = given(call)?;
    let name = value::text(file.get("name").unwrap_or(&Value::Null)).into_owned();
    let size = match file.get("size").and_then(Value::as_u64) {
        Some(size) => Value::from(size),
        None => value::of_count(bytes(file)?.len()),
    };
    let date = |key: &str| {
        let at = file.get(key).and_then(crate::date::read::value);
        at.map_or(Value::Null, crate::date::output)
    };
    let mut out = Fields::one("extension", extension(&name));
    out.set("created", date("created"));
    out.set("updated", date("updated"));
    out.set("size", size);
    out.set("filename", name);
    Ok(out)
}

fn create(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let content = call.text("content");
    let bytes = match call.text("encoding").as_ref() {
        "base64" => decode(&content)?,
        _ => content.as_bytes().to_vec(),
    };
    Ok(Fields::one("file", file(&call.some_text("filename")?, &call.text("type"), &bytes)?))
}

fn read(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let bytes = bytes(given(call)?)?;
    limits::text(bytes.len())?;
    let mut out = Fields::one("text", String::from_utf8_lossy(&bytes).into_owned());
    out.set("base64", STANDARD.encode(&bytes));
    Ok(out)
}

fn export(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let flow = match call.any("flo") {
        Value::Null => return Err(call.missing("flo")),
        flow @ Value::Object(_) => flow,
        _ => {
            return Err(Fault::bad_input("only the id of the flow is there, not its definition")
                .remedy("import the export again, or map the definition to `flo`"));
        }
    };
    let indent = call.whole("indent")?.unwrap_or(2).clamp(1, 10);
    let pretty = call.flag("pretty")?.unwrap_or(true);
    let text = super::json::write(flow, if pretty { usize::try_from(indent).unwrap_or(2) } else { 0 });
    let name = flow.get("name").or_else(|| flow.get("flow")).and_then(Value::as_str).unwrap_or("flow");
    Ok(Fields::one("output", file(&format!("{name}.flow"), "", text.as_bytes())?))
}
