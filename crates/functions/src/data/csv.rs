//! CSV cards (RFC 4180).
//!
//! Must never drop a cell: what has no column is named or refused.
//! Tests: the examples here; `tests/laws.rs`.

use flowdeck_model::FieldType::{Any, Text};
use flowdeck_model::{Fault, FaultCode, Fields, Value};
use serde_json::Map;

use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, value};

/// Most columns of a table.
const COLUMNS_MAX: usize = 10_000;
/// Most cells that one text may make.
const CELLS_MAX: usize = 2_000_000;

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("csv/parse", "Parse", "Reads CSV text as a list.", parse)
            .any("string", "text", "The CSV text, or a file that holds it.").required()
            .text("delimiter", "", "What stands between cells: one character, or `\\t` for a tab.").or(",")
            .boolean("header", "", "Whether the first line names the columns.").or(true)
            .gives("rows", "", Any.list(), "An object for each line; without a header a list of texts.")
            .gives("columns", "", Text.list(), "The names of the columns; empty without a header.")
            .help("Quotes, line ends inside quotes and a byte order mark are read as RFC 4180 and spreadsheets have them. All cells are text. Empty lines are passed over.")
            .example(r#"{"string":"id,name\n1,\"Lee, Ann\"\n"}"#, r#"{"rows":[{"id":"1","name":"Lee, Ann"}],"columns":["id","name"]}"#)
            .example(r#"{"string":"a;b\nc;d","delimiter":";","header":false}"#, r#"{"rows":[["a","b"],["c","d"]],"columns":[]}"#)
            .example(r#"{"string":"a,b\n1\n"}"#, r#"{"rows":[{"a":"1","b":""}],"columns":["a","b"]}"#)
            .fails(r#"{"string":"a\n1,2"}"#, "line 2 has 2 cells")
            .fails(r#"{"string":"a,a\n1,2"}"#, "twice")
            .decided("What does CSV Parse do with lines of the wrong length?", "Missing cells are empty text; more cells than columns are an error that names the line.")
            .decided("Does CSV Parse guess types?", "No: every cell is text, so that `007` stays."),
        card("csv/build", "Build", "Writes a list as CSV text.", build)
            .list("list", "", "A list of objects, or of lists.").required()
            .input("columns", "", Text.list(), "The columns, in order. Empty: all keys in the order of first sight.").or(Value::Array(Vec::new()))
            .text("delimiter", "", "What stands between cells: one character, or `\\t` for a tab.").or(",")
            .boolean("header", "", "Whether the first line names the columns.").or(true)
            .boolean("guard formulas", "", "Whether `'` is put before cells that a spreadsheet would run as a formula.").or(false)
            .gives("output", "text", Text, "The CSV text; lines end with CR LF.")
            .help("Null is an empty cell; lists and objects inside are JSON. Cells with the separator, quotes or line ends are quoted.")
            .example(r#"{"list":[{"id":1,"n":"Lee, Ann"},{"id":2,"x":null}]}"#, r#"{"output":"id,n,x\r\n1,\"Lee, Ann\",\r\n2,,\r\n"}"#)
            .example(r#"{"list":[{"a":1,"b":2}],"columns":["b"],"header":false}"#, r#"{"output":"2\r\n"}"#)
            .example(r#"{"list":[["a","b"],[1,2]],"header":false}"#, r#"{"output":"a,b\r\n1,2\r\n"}"#)
            .example(r#"{"list":[{"a":"=1+1"},{"a":-5}],"guard formulas":true}"#, r#"{"output":"a\r\n'=1+1\r\n-5\r\n"}"#)
            .fails(r#"{"list":[1]}"#, "item 0 is the number 1")
            .decided("How does CSV Build end lines?", "With CR LF, as RFC 4180 says."),
    ]
}

fn delimiter(call: &Call<'_>) -> Result<u8, Fault> {
    match call.text("delimiter").as_ref() {
        "" => Ok(b','),
        "\\t" => Ok(b'\t'),
        text if text.len() == 1 && !matches!(text, "\"" | "\n" | "\r") => Ok(text.as_bytes()[0]),
        other => Err(Fault::bad_input(format!("`{}` cannot separate cells", value::short(other)))
            .remedy("use one ASCII character, as `,` or `;`, or `\\t`")),
    }
}

/// Text as it is, or the text of a file.
fn source(call: &Call<'_>) -> Result<String, Fault> {
    match call.any("string") {
        file @ Value::Object(_) => super::file::text_of(file),
        other => Ok(value::text(other).into_owned()),
    }
}

fn wrong(error: &csv::Error) -> Fault {
    Fault::bad_input(format!("the text is not CSV: {error}"))
}

fn parse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = source(call)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let header = call.flag("header")?.unwrap_or(true);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(call)?)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let (mut columns, mut rows, mut cells): (Vec<String>, Vec<Value>, usize) = (Vec::new(), Vec::new(), 0);
    for (i, record) in reader.records().enumerate() {
        let record = record.map_err(|e| wrong(&e))?;
        cells += if header { columns.len().max(record.len()) } else { record.len() };
        if record.len() > COLUMNS_MAX || cells > CELLS_MAX {
            return Err(Fault::new(
                FaultCode::LimitReached,
                format!("the table has more than {COLUMNS_MAX} columns or {CELLS_MAX} cells"),
            )
            .remedy("work on smaller pieces"));
        }
        if !header {
            rows.push(record.iter().map(Value::from).collect());
        } else if i == 0 {
            columns = record.iter().map(str::to_owned).collect();
            let mut seen = std::collections::HashSet::new();
            if let Some(twice) = columns.iter().find(|c| !seen.insert(c.as_str())) {
                return Err(Fault::bad_input(format!("the column `{}` is there twice", value::short(twice)))
                    .remedy("rename one, or read the table without a header"));
            }
        } else {
            if record.len() > columns.len() {
                let line = record.position().map_or(0, csv::Position::line);
                return Err(Fault::bad_input(format!(
                    "line {line} has {} cells, but there are {} columns",
                    record.len(),
                    columns.len()
                ))
                .remedy("check the separator and the quotes"));
            }
            let row = columns.iter().enumerate().map(|(c, key)| (key.clone(), record.get(c).unwrap_or("").into()));
            rows.push(Value::Object(row.collect()));
        }
        limits::items(rows.len())?;
    }
    let mut out = Fields::one("rows", rows);
    out.set("columns", columns);
    Ok(out)
}

fn columns_of(list: &[Value]) -> Result<Vec<String>, Fault> {
    let mut seen = std::collections::HashSet::new();
    let mut columns = Vec::new();
    for key in list.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if seen.insert(key.as_str()) {
            columns.push(key.clone());
            if columns.len() > COLUMNS_MAX {
                return Err(Fault::new(FaultCode::LimitReached, format!("the list has more than {COLUMNS_MAX} keys")));
            }
        }
    }
    Ok(columns)
}

fn build(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let list = call.list("list")?;
    let guard = call.boolean("guard formulas")?;
    let named: Vec<String> = call.list("columns")?.iter().map(|c| value::text(c).into_owned()).collect();
    let columns = if named.is_empty() { columns_of(list)? } else { named };
    let cell = |value: &Value| {
        let text = value::text(value).into_owned();
        let formula = guard && value.is_string() && text.starts_with(['=', '+', '-', '@', '\t', '\r']);
        if formula { format!("'{text}") } else { text }
    };
    let mut writer = csv::WriterBuilder::new()
        .delimiter(delimiter(call)?)
        .terminator(csv::Terminator::CRLF)
        .flexible(true)
        .from_writer(Vec::new());
    if call.flag("header")?.unwrap_or(true) && !columns.is_empty() {
        writer.write_record(&columns).map_err(|e| wrong(&e))?;
    }
    let mut size = 0;
    for (i, item) in list.iter().enumerate() {
        let cells: Vec<String> = match item {
            Value::Object(map) => columns.iter().map(|key| cell(map.get(key).unwrap_or(&Value::Null))).collect(),
            Value::Array(cells) => cells.iter().map(cell).collect(),
            Value::Null => continue,
            other => {
                return Err(Fault::bad_input(format!("item {i} is {}, not an object or list", value::word(other))));
            }
        };
        size += cells.iter().map(|c| c.len() + 1).sum::<usize>();
        limits::text(size)?;
        writer.write_record(&cells).map_err(|e| wrong(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| Fault::bad_input(format!("the text cannot be written: {e}")))?;
    limits::text(bytes.len())?;
    Ok(Fields::one("output", String::from_utf8_lossy(&bytes).into_owned()))
}
