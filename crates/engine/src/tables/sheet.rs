//! CSV in and out (RFC 4180): a header line with column names, quotes around what needs them.
//!
//! Must never guess at a line with the wrong number of columns: it is a fault that names the line.
//! Tests: `tests.rs` in this folder.

use flowdeck_model::table::Column;
use flowdeck_model::{Fault, FaultCode};
use serde_json::{Map, Value};

use super::coerce::coerce;
use super::definition::{Definition, fault, limit};
use super::filter::named;
use super::row::{Row, SYSTEM, own_name};
use super::{ANSWER_BYTES_MAX, IMPORT_ROWS_MAX};

/// The rows of a CSV text. An empty cell is null. System columns in the header are passed over.
pub(super) fn read(definition: &Definition, text: &str) -> Result<Vec<Map<String, Value>>, Fault> {
    if text.len() > ANSWER_BYTES_MAX {
        return Err(limit("the CSV text is larger than 32 MiB").remedy("import it in parts"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let bad = |line: u64, what: String| Fault::new(FaultCode::BadInput, format!("CSV line {line}: {what}"));
    let names = reader.headers().map_err(|e| bad(1, e.to_string()))?.clone();
    let mut columns: Vec<Option<&Column>> = Vec::with_capacity(names.len());
    for (position, name) in names.iter().enumerate() {
        if names.iter().take(position).any(|earlier| earlier == name) {
            return Err(bad(1, format!("the column `{name}` is named twice")));
        }
        match definition.column(own_name(name)) {
            Ok(column) => columns.push(Some(column)),
            Err(_) if SYSTEM.contains(&name) => columns.push(None),
            Err(mut unknown) => {
                unknown.message = format!("CSV line 1: {}", unknown.message);
                return Err(unknown);
            }
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| bad(e.position().map_or(0, csv::Position::line), e.to_string()))?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != columns.len() {
            return Err(bad(line, format!("{} columns, but the header has {}", record.len(), columns.len()))
                .remedy("put cells that hold a comma or a line break into double quotes"));
        }
        if rows.len() == IMPORT_ROWS_MAX {
            return Err(limit(format!("one import takes at most {IMPORT_ROWS_MAX} rows")).remedy("import in parts"));
        }
        let mut values = Map::new();
        for (column, cell) in columns.iter().zip(record.iter()) {
            let Some(column) = column else { continue };
            if !cell.is_empty() {
                let value = coerce(column, &Value::String(cell.to_owned()))
                    .map_err(|f| Fault::new(f.code, format!("CSV line {line}: {}", f.message)))?;
                values.insert(column.name.clone(), value);
            }
        }
        rows.push(values);
    }
    Ok(rows)
}

/// Writes rows as CSV text: the user's columns in order, or those that are asked for, system columns among them.
#[derive(Debug)]
pub(super) struct Sheet {
    columns: Vec<String>,
    writer: csv::Writer<Vec<u8>>,
    bytes: usize,
    pub(super) count: u64,
}

impl Sheet {
    pub(super) fn new(definition: &Definition, columns: &[String], delimiter: char) -> Result<Self, Fault> {
        let delimiter =
            u8::try_from(delimiter).ok().filter(u8::is_ascii).filter(|d| !matches!(d, b'"' | b'\n' | b'\r'));
        let delimiter = delimiter.ok_or_else(|| {
            Fault::new(FaultCode::BadInput, "the delimiter is not one plain character such as , or ;")
        })?;
        let mut names = Vec::new();
        for name in columns {
            named(definition, name)?;
            names.push(name.clone());
        }
        if names.is_empty() {
            names = definition.decl.columns.iter().map(|c| c.name.clone()).collect();
        }
        let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(Vec::new());
        writer.write_record(&names).map_err(|e| failed(&e))?;
        Ok(Self { columns: names, writer, bytes: 0, count: 0 })
    }

    pub(super) fn add(&mut self, row: &Row) -> Result<(), Fault> {
        self.bytes += row.bytes.len();
        if self.bytes > ANSWER_BYTES_MAX {
            return Err(limit("the rows make more than 32 MiB of CSV text").remedy("search in parts instead"));
        }
        self.count += 1;
        let cells = self.columns.iter().map(|column| {
            // A user's own column wins over a system column of its name.
            let own = row.record.values.get(column).cloned();
            match own.unwrap_or_else(|| row.value(column)) {
                Value::Null => String::new(),
                Value::String(text) => text,
                other => other.to_string(),
            }
        });
        self.writer.write_record(cells).map_err(|e| failed(&e))
    }

    pub(super) fn text(self) -> Result<String, Fault> {
        let bytes = self.writer.into_inner().map_err(|e| fault(format!("the CSV text cannot be written: {e}")))?;
        String::from_utf8(bytes).map_err(|e| fault(format!("the CSV text cannot be written: {e}")))
    }
}

fn failed(error: &csv::Error) -> Fault {
    fault(format!("the CSV text cannot be written: {error}"))
}
