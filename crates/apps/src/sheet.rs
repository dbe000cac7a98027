//! CSV text as it comes into a table: other delimiters, chosen columns, other names.
//!
//! Must never lose a line: what cannot be read is a fault.
//! Tests: below.

use base64::Engine as _;
use flowdeck_model::{Fault, Fields, Value};

/// The delimiter of a card's input; a comma where it is empty.
pub(crate) fn delimiter(inputs: &Fields) -> Result<char, Fault> {
    let text = inputs.get("delimiter").as_str().unwrap_or_default();
    let text = if text.is_empty() { "," } else { text };
    let mut chars = if text == "\\t" { "\t".chars() } else { text.chars() };
    match (chars.next(), chars.next()) {
        (Some(one), None) if one.is_ascii() => Ok(one),
        _ => Err(Fault::bad_input(format!("`{text}` is not a delimiter")).remedy("give one character such as , or ;")),
    }
}

/// The text of an import, with commas, the wanted columns and the table's names.
pub(crate) fn import_text(inputs: &Fields) -> Result<String, Fault> {
    let text = match inputs.get("csv") {
        Value::String(text) => text.clone(),
        Value::Object(file) => {
            let content = file.get("content").and_then(Value::as_str).unwrap_or_default();
            let bytes = base64::engine::general_purpose::STANDARD.decode(content);
            let bytes = bytes.map_err(|_| Fault::bad_input("`csv` is not a file"))?;
            String::from_utf8(bytes).map_err(|_| Fault::bad_input("the file is not UTF-8 text"))?
        }
        _ => String::new(),
    };
    if text.trim().is_empty() {
        return Err(Fault::bad_input("`csv` is empty"));
    }
    let delimiter = delimiter(inputs)?;
    let select: Vec<&str> = inputs
        .get("select")
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let mapping = inputs.get("mapping").as_object().filter(|m| !m.is_empty());
    if delimiter == ',' && select.is_empty() && mapping.is_none() {
        return Ok(text);
    }
    let wrong = |e: csv::Error| Fault::bad_input(format!("the CSV text cannot be read: {e}"));
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let byte = u8::try_from(delimiter).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new().delimiter(byte).has_headers(false).from_reader(text.as_bytes());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut chosen: Vec<usize> = Vec::new();
    for (line, record) in reader.records().enumerate() {
        let record = record.map_err(wrong)?;
        if line == 0 {
            let wanted = |name: &str| select.is_empty() || select.contains(&name);
            chosen = record.iter().enumerate().filter(|(_, name)| wanted(name)).map(|(at, _)| at).collect();
            let named = |at: &usize| {
                let name = record.get(*at).unwrap_or_default();
                mapping.and_then(|m| m.get(name)).and_then(Value::as_str).unwrap_or(name).to_owned()
            };
            writer.write_record(chosen.iter().map(named)).map_err(wrong)?;
        } else {
            writer.write_record(chosen.iter().map(|at| record.get(*at).unwrap_or_default())).map_err(wrong)?;
        }
    }
    let bytes = writer.into_inner().map_err(|e| Fault::bad_input(format!("the CSV text cannot be read: {e}")))?;
    String::from_utf8(bytes).map_err(|_| Fault::bad_input("the CSV text is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_and_files_become_what_a_table_takes() {
        let check = |inputs: Value, expected: Option<&str>| {
            let text = import_text(&Fields::from_value(inputs.clone()));
            assert_eq!(text.ok().as_deref(), expected, "{inputs}");
        };
        check(json!({"csv": "a,b\n1,2\n"}), Some("a,b\n1,2\n"));
        check(json!({"csv": {"content": "YQoxCg=="}}), Some("a\n1\n"));
        check(json!({"csv": "a;b\n1;\"2,3\"\n", "delimiter": ";"}), Some("a,b\n1,\"2,3\"\n"));
        check(json!({"csv": "a,b\n1,2\n", "select": ["b"], "mapping": {"b": "B"}}), Some("B\n2\n"));
        check(json!({"csv": ""}), None);
        check(json!({"csv": "a", "delimiter": "--"}), None);
    }
}
