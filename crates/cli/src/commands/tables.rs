//! `flowdeck tables`: rows that flows keep, for people: list, look, import, export, set, clear.
//!
//! Must never change rows but by one operation, whole or not at all.
//! Tests: `crates/cli/tests/tables.rs`; the operations are tested in `crates/engine`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use flowdeck::model::table::{Column, ColumnType, Compare, TableDecl, TableOp, Where};
use flowdeck::model::{Fields, TableName, Value};
use serde_json::Map;

use crate::api::Api;
use crate::end::{End, WrongFile, problem_of, usage};
use crate::options::Globals;
use crate::out::{self, Pages, style};
use crate::screen::style::count;
use crate::screen::table::table as columns;
use crate::terminal::Terminal;
use crate::{confirm, files, session};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck tables list
  flowdeck tables create 'Audit Log' User:text At:date
  flowdeck tables rows 'Audit Log' --where User=ada --limit 20
  flowdeck tables import 'Audit Log' people.csv --replace
  flowdeck tables export 'Audit Log' > audit.csv
  flowdeck tables set 'Audit Log' ROW User=grace
  flowdeck tables clear 'Audit Log' --yes")]
pub(crate) struct Tables {
    #[command(subcommand)]
    command: TablesCommand,
    /// One JSON object a line, instead of screens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum TablesCommand {
    /// Lists tables.
    List,
    /// Shows a table's columns.
    Show {
        /// The table.
        table: TableName,
    },
    /// Makes a table, or adds columns to one.
    Create {
        /// The table.
        table: TableName,
        /// Columns as NAME:TYPE; text, number, boolean, date, object or list.
        #[arg(required = true, value_name = "NAME:TYPE")]
        columns: Vec<String>,
    },
    /// Shows rows.
    Rows {
        /// The table.
        table: TableName,
        /// Only rows whose column has this value; several must all hold.
        #[arg(long = "where", value_name = "COLUMN=VALUE")]
        filter: Vec<String>,
        /// Column to sort by.
        #[arg(long, value_name = "COLUMN")]
        sort: Option<String>,
        /// Largest first.
        #[arg(long)]
        descending: bool,
        /// Most rows.
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// Adds rows from a CSV file with a header line.
    Import {
        /// The table.
        table: TableName,
        /// The file; `-` for standard input.
        file: PathBuf,
        /// Replace what is there.
        #[arg(long)]
        replace: bool,
    },
    /// Writes all rows as CSV to standard output.
    Export {
        /// The table.
        table: TableName,
    },
    /// Sets columns of a row; without a row, adds one.
    Set {
        /// The table.
        table: TableName,
        /// Row id and COLUMN=VALUE pairs; only pairs to add a row.
        #[arg(required = true, value_name = "ROW | COLUMN=VALUE")]
        values: Vec<String>,
    },
    /// Removes every row.
    Clear {
        /// The table.
        table: TableName,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) async fn run(command: &Tables, globals: &Globals) -> Result<End> {
    let mut terminal = Terminal::new(globals.no_input || command.json);
    let as_json = command.json;
    match &command.command {
        reads @ (TablesCommand::List
        | TablesCommand::Show { .. }
        | TablesCommand::Rows { .. }
        | TablesCommand::Export { .. }) => {
            session::reading(globals, async |api, out| look(api, out, reads, as_json).await).await
        }
        other => session::with(globals, async |api| go(api, &mut terminal, other, as_json).await).await,
    }
}

/// What changes nothing.
async fn look(api: &Api, out: &mut Pages, command: &TablesCommand, as_json: bool) -> Result<()> {
    match command {
        TablesCommand::List => list(out, &api.tables().await?, as_json),
        TablesCommand::Show { table } => show(out, &api.table(table).await?, as_json),
        TablesCommand::Rows { table, filter, sort, descending, limit } => {
            let decl = api.table(table).await?;
            let op = TableOp::Search {
                table: table.clone(),
                filter: where_all(filter)?,
                sort: sort.clone(),
                descending: *descending,
                offset: 0,
                limit: *limit,
            };
            rows(out, &decl, &api.table_op(&op).await?, as_json);
        }
        TablesCommand::Export { table } => {
            let outputs = api.table_op(&TableOp::ExportCsv { table: table.clone(), how: Default::default() }).await?;
            match (as_json, outputs.get("csv")) {
                (false, Value::String(csv)) => out.text(csv),
                _ => out.json(&outputs),
            }
        }
        TablesCommand::Create { .. }
        | TablesCommand::Import { .. }
        | TablesCommand::Set { .. }
        | TablesCommand::Clear { .. } => {}
    }
    Ok(())
}

async fn go(api: &Api, terminal: &mut Terminal, command: &TablesCommand, as_json: bool) -> Result<End> {
    match command {
        TablesCommand::List
        | TablesCommand::Show { .. }
        | TablesCommand::Rows { .. }
        | TablesCommand::Export { .. } => {}
        TablesCommand::Create { table, columns } => {
            let columns = columns.iter().map(|text| column(text)).collect::<Result<Vec<_>>>()?;
            let decl = TableDecl { name: table.clone(), columns };
            api.table_op(&TableOp::Define(decl)).await?;
            let mut pages = Pages::default();
            show(&mut pages, &api.table(table).await?, as_json);
            pages.print();
        }
        TablesCommand::Import { table, file, replace } => {
            let path = file.clone();
            let reads = files::apart(move || files::text(&path));
            let Some(read) = api.session().or_interrupted(reads).await else { return Ok(End::Interrupted) };
            let (name, csv) = read?;
            // A table that is not there is no mistake of the file.
            api.table(table).await?;
            let op = TableOp::ImportCsv { table: table.clone(), csv, replace: *replace };
            let outputs = api.table_op(&op).await.map_err(|error| wrong_csv(&name, error))?;
            told(&outputs, "imported", as_json);
        }
        TablesCommand::Set { table, values } => {
            let outputs = api.table_op(&set(table, values)?).await?;
            out::json(&outputs);
        }
        TablesCommand::Clear { table, yes } => {
            if !yes {
                if !terminal.interactive() {
                    bail!(usage(format!("say --yes to remove every row of `{table}`")));
                }
                let question = format!("Remove every row of \u{201c}{table}\u{201d}? [y/N] ");
                if let Some(end) = confirm::refused(api, terminal, &question).await {
                    return Ok(end);
                }
            }
            told(&api.table_op(&TableOp::Clear { table: table.clone() }).await?, "removed", as_json);
        }
    }
    Ok(End::Fine)
}

/// What is wrong with a CSV file, with the exit code of a wrong file.
fn wrong_csv(name: &str, error: anyhow::Error) -> anyhow::Error {
    match problem_of(&error) {
        Some(problem) if problem.code == "table.refused" => {
            let remedy = if problem.remedy.is_empty() { String::new() } else { format!("\n  {}", problem.remedy) };
            WrongFile::new(format!("{name}: {}{remedy}\n  Nothing was imported.", problem.title)).into()
        }
        _ => error,
    }
}

fn list(out: &mut Pages, tables: &[TableDecl], as_json: bool) {
    if as_json {
        tables.iter().for_each(|one| out.json(one));
        return;
    }
    if tables.is_empty() {
        out.text("No tables. Flows make them with `tables:`, or `flowdeck tables create NAME COLUMN:TYPE`.\n");
        return;
    }
    let line = |t: &TableDecl| {
        let names: Vec<&str> = t.columns.iter().map(|c| c.name.as_str()).collect();
        vec![t.name.to_string(), names.join(", ")]
    };
    let lines: Vec<Vec<String>> = tables.iter().map(line).collect();
    out.text(&columns(&["table", "columns"], &lines, style()));
}

fn word(kind: &ColumnType) -> String {
    serde_json::to_value(kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn show(out: &mut Pages, table: &TableDecl, as_json: bool) {
    if as_json {
        out.json(table);
        return;
    }
    let lines: Vec<Vec<String>> = table.columns.iter().map(|c| vec![c.name.clone(), word(&c.kind)]).collect();
    out.text(&columns(&["column", "type"], &lines, style()));
}

fn column(text: &str) -> Result<Column> {
    let (name, kind) = text.rsplit_once(':').unwrap_or((text, "text"));
    let kind = serde_json::from_value(Value::String(kind.to_owned())).map_err(|_| {
        usage(format!("`{kind}` is no type of a column; there are text, number, boolean, date, object and list"))
    })?;
    Ok(Column { name: name.to_owned(), kind })
}

fn where_all(pairs: &[String]) -> Result<Where> {
    let test = |pair: &String| -> Result<Where> {
        let (column, value) = files::pair(pair)?;
        Ok(Where::Test { column, compare: Compare::Equals, value })
    };
    let all = pairs.iter().map(test).collect::<Result<Vec<_>>>()?;
    Ok(if all.is_empty() { Where::All } else { Where::And(all) })
}

fn set(table: &TableName, values: &[String]) -> Result<TableOp> {
    let (row, pairs) = match values.split_first() {
        Some((first, rest)) if !first.contains('=') => (Some(first.clone()), rest),
        _ => (None, values),
    };
    if pairs.is_empty() {
        bail!(usage("say which columns: COLUMN=VALUE"));
    }
    let values = pairs.iter().map(|p| files::pair(p)).collect::<Result<Map<String, Value>>>()?;
    let table = table.clone();
    Ok(match row {
        Some(row) => TableOp::Update { table, row, values, expected_version: None },
        None => TableOp::Create { table, values },
    })
}

fn rows(out: &mut Pages, table: &TableDecl, outputs: &Fields, as_json: bool) {
    let Value::Array(found) = outputs.get("rows") else { return out.json(outputs) };
    if as_json {
        return found.iter().for_each(|one| out.json(one));
    }
    let mut head: Vec<&str> = vec!["Row ID"];
    head.extend(table.columns.iter().map(|c| c.name.as_str()));
    let cell = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let line = |row: &Value| head.iter().map(|name| cell(row.get(*name))).collect();
    let lines: Vec<Vec<String>> = found.iter().map(line).collect();
    out.text(&columns(&head, &lines, style()));
    out.text(&format!("{}\n", count(found.len() as u64, "row")));
}

fn told(outputs: &Fields, did: &str, as_json: bool) {
    match (as_json, outputs.get("count").as_f64()) {
        (false, Some(n)) if n >= 0.0 => {
            let number = format!("{n:.0}");
            out::text(&format!("{number} {} {did}\n", if number == "1" { "row" } else { "rows" }));
        }
        _ => out::json(outputs),
    }
}
