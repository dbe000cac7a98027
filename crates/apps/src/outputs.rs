//! The outputs of a card, made of an answer.
//!
//! Must never fail on what an answer lacks: it is null.
//! Tests: `tests/actions`.

use std::sync::Arc;

use base64::Engine as _;
use bytes::Bytes;
use flowdeck_model::{Fault, Fields, Mapping, Value};
use serde_json::{Map, json};

use crate::file::action::RowsOutput;
use crate::ready::{OutputSource, ReadyAction, ReadyOutput};
use crate::scope::Names;

/// The outputs of a good answer; `raw` is its body as it came.
pub(crate) fn outputs(
    ready: &ReadyAction,
    names: &mut Names,
    answer: &Arc<Value>,
    raw: &Bytes,
) -> Result<Fields, Fault> {
    names.set("response", Arc::clone(answer));
    let mut fields = Fields::new();
    for output in &ready.outputs {
        match &output.source {
            OutputSource::Value(mapping, None) => fields.share(output.key.clone(), mapping.evaluate(names)?),
            OutputSource::File(name) => fields.set(output.key.clone(), file(&*name.evaluate(names)?, answer, raw)),
            _ => fields.set(output.key.clone(), one(output, &answer["body"], names)?),
        }
    }
    more(ready.more_outputs.as_ref(), names, &mut fields)?;
    Ok(fields)
}

/// The outputs of an event, made of its entry in a delivery.
pub(crate) fn of_record(outputs: &[ReadyOutput], entry: &Arc<Value>, names: &mut Names) -> Result<Fields, Fault> {
    let mut fields = Fields::new();
    for output in outputs {
        // Records inside the entry take the name for themselves.
        names.set("item", Arc::clone(entry));
        fields.set(output.key.clone(), one(output, entry, names)?);
    }
    Ok(fields)
}

/// Outputs beyond the declared ones.
pub(crate) fn more(mapping: Option<&Mapping>, names: &Names, fields: &mut Fields) -> Result<(), Fault> {
    if let Some(mapping) = mapping
        && let Value::Object(members) = &*mapping.evaluate(names)?
    {
        for (key, value) in members {
            if !fields.has(key) {
                fields.set(key.clone(), value.clone());
            }
        }
    }
    Ok(())
}

fn one(output: &ReadyOutput, base: &Value, names: &mut Names) -> Result<Value, Fault> {
    Ok(match &output.source {
        OutputSource::Same => as_declared(output, base.get(&output.key).cloned().unwrap_or(Value::Null)),
        OutputSource::At(at) => as_declared(output, at.get(base)),
        OutputSource::Value(mapping, record) => {
            if let Some(record) = record {
                names.set("item", Arc::new(record.get(base)));
            }
            Arc::unwrap_or_clone(mapping.evaluate(names)?)
        }
        OutputSource::List { each, item } => {
            let source = each.evaluate(names)?;
            let mut list = Vec::new();
            for entry in source.as_array().map(Vec::as_slice).unwrap_or_default() {
                names.set("item", Arc::new(entry.clone()));
                list.push(Arc::unwrap_or_clone(item.evaluate(names)?));
            }
            Value::Array(list)
        }
        OutputSource::EachOf(at, fields) => {
            let items = at.find(base).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            Value::Array(items.iter().map(|item| record(fields, item, names)).collect::<Result<_, _>>()?)
        }
        OutputSource::PartOf(at, fields) => match at.find(base) {
            Some(part) if !part.is_null() => record(fields, part, names)?,
            _ => Value::Null,
        },
        OutputSource::File(_) => Value::Null,
        OutputSource::AfterLast(of, mark) => {
            let text = of.evaluate(names)?;
            text.as_str().map(|t| t.rsplit(mark.as_str()).next().unwrap_or(t)).into()
        }
        OutputSource::NumberIn(at) => at.find(base).and_then(Value::as_str).and_then(last_number).into(),
        OutputSource::Rows(at, shape) => rows(at.find(base), shape),
        OutputSource::Only { at, member, equals } => {
            let wanted = equals.evaluate(names)?;
            let items = at.find(base).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            Value::Array(items.iter().filter(|item| item.get(member) == Some(&*wanted)).cloned().collect())
        }
    })
}

/// A number where a text is declared, as ids often are, becomes one: flows compare and join it as what it says it is.
fn as_declared(output: &ReadyOutput, value: Value) -> Value {
    match value {
        Value::Number(number) if output.is_text => Value::String(number.to_string()),
        other => other,
    }
}

fn last_number(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let begin = digits.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    digits[begin..].parse().ok()
}

/// Records of a sheet: its first row has the names, and rows are counted from 1 with it.
fn rows(sheet: Option<&Value>, shape: &RowsOutput) -> Value {
    let rows = sheet.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let cells = |row: &Value| row.as_array().cloned().unwrap_or_default();
    let Some((head, rest)) = rows.split_first() else { return Value::Array(Vec::new()) };
    let head = cells(head);
    let record = |(position, row): (usize, &Value)| {
        let row = cells(row);
        let mut columns = Map::new();
        for (i, name) in head.iter().enumerate() {
            let name = name.as_str().map_or_else(|| name.to_string(), str::to_owned);
            let name = if shape.columns.is_empty() { name } else { format!("{i}-{name}") };
            columns.insert(name, row.get(i).cloned().unwrap_or(Value::Null));
        }
        if shape.columns.is_empty() {
            return Value::Object(columns);
        }
        let mut record = Map::new();
        if !shape.number.is_empty() {
            record.insert(shape.number.clone(), json!(position + 2));
        }
        record.insert(shape.columns.clone(), Value::Object(columns));
        Value::Object(record)
    };
    Value::Array(rest.iter().enumerate().map(record).collect())
}

fn record(fields: &[ReadyOutput], base: &Value, names: &mut Names) -> Result<Value, Fault> {
    let mut object = Map::new();
    for field in fields {
        object.insert(field.key.clone(), one(field, base, names)?);
    }
    Ok(Value::Object(object))
}

fn file(name: &Value, answer: &Value, raw: &Bytes) -> Value {
    let kind = answer["headers"]["content-type"].as_str().unwrap_or("application/octet-stream");
    let content = base64::engine::general_purpose::STANDARD.encode(raw);
    json!({ "name": name, "type": kind, "size": raw.len(), "content": content })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_becomes_records() {
        let sheet = json!([["name", "mail"], ["Ann", "a@x.example"], ["Bob"]]);
        let shape = RowsOutput { at: String::new(), number: "Row Number".into(), columns: "Columns".into() };
        let out = rows(Some(&sheet), &shape);
        assert_eq!(out[0], json!({"Row Number": 2, "Columns": {"0-name": "Ann", "1-mail": "a@x.example"}}));
        assert_eq!(out[1]["Columns"]["1-mail"], Value::Null);
        let flat = RowsOutput { at: String::new(), number: String::new(), columns: String::new() };
        assert_eq!(rows(Some(&sheet), &flat)[0], json!({"name": "Ann", "mail": "a@x.example"}));
        assert_eq!(rows(None, &flat), json!([]));
    }

    #[test]
    fn a_number_where_a_text_is_declared_is_text() {
        let field = |is_text| ReadyOutput { key: "n".into(), is_text, source: OutputSource::Same };
        for (value, text) in
            [(json!(7), json!("7")), (json!("x"), json!("x")), (json!(null), json!(null)), (json!([1]), json!([1]))]
        {
            assert_eq!(as_declared(&field(true), value.clone()), text);
            assert_eq!(as_declared(&field(false), value.clone()), value);
        }
    }

    #[test]
    fn the_last_number_is_found() {
        for (text, expected) in [("Sheet1!A5:C12", Some(12)), ("'a 7'!B3", Some(3)), ("", None), ("A", None)] {
            assert_eq!(last_number(text), expected, "{text}");
        }
    }
}
