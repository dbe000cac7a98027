//! Plans one operation: reads what it needs, and answers with what to require, what to change and what to output.
//!
//! Must never write. Every write requires the definition and the rows it read to be unchanged, so a plan that lost a
//! race is refused as a conflict and planned again.
//! Tests: `tests.rs` in this folder.

use std::ops::ControlFlow;

use base64::Engine as _;
use flowdeck_model::table::{ColumnType, CsvExport, TableDecl, TableOp, Where};
use flowdeck_model::{Fault, FaultCode, Fields, Millis, TableName, Value};
use serde_json::{Map, Number, json};
use sha2::{Digest, Sha256};

use super::coerce::coerce;
use super::definition::{Table, count, encode, fault, find, key_of, limit, merged, need};
use super::error::TableError;
use super::filter::{Filter, equal, named, order};
use super::row::{Record, Row, RowId, own_name};
use super::scan;
use super::sheet::{self, Sheet};
use super::{ANSWER_BYTES_MAX, TABLES_MAX};
use crate::ports::store::{Delta, Op, Precondition, Space, Store};

/// What carries an operation out, once it is committed whole.
#[derive(Debug, Clone, Default)]
pub struct TablePlan {
    /// What was read and must still be so.
    pub preconditions: Vec<Precondition>,
    /// The changes; none for reads.
    pub ops: Vec<Op>,
    /// The outputs of the step.
    pub outputs: Fields,
}

/// Plans an operation at `now`; `random` gives new rows (and a new table) their ids.
///
/// # Errors
/// `table-error` for an unknown table or column, `not-found` for a missing row, `bad-type` for a value that does not
/// fit, `bad-input` for CSV that cannot be read, `limit-reached` above a limit; the store's error when it cannot answer.
pub async fn plan(store: &dyn Store, op: &TableOp, now: Millis, random: u128) -> Result<TablePlan, TableError> {
    match op {
        TableOp::Define(decl) => define(store, decl, random).await,
        TableOp::Search { table, filter, sort, descending, offset, limit } => {
            let table = need(store, table).await?;
            let window = Window { sort: sort.as_deref(), descending: *descending, offset: *offset, limit: *limit };
            search(store, &table, filter, &window).await
        }
        TableOp::Read { table, row } => read(store, table, row).await,
        TableOp::Create { table, values } => {
            let table = need(store, table).await?;
            let mut record = Record::new(now);
            record.set(&table.definition, values)?;
            let last = scan::last_id(store, &table.definition).await?;
            Ok(create(&table, record, RowId::after(last, now, random))?)
        }
        TableOp::Update { table, row, values, expected_version } => {
            let (table, row) = need_row(store, table, row).await?;
            if expected_version.is_some_and(|version| version != row.record.version) {
                let message = format!("row {} is at version {}, not the one expected", row.id, row.record.version);
                return Err(fault(message).remedy("read the row again and decide anew").into());
            }
            Ok(update(&table, row, values, now)?)
        }
        TableOp::Upsert { table, key, values } => upsert(store, table, key, values, now, random).await,
        TableOp::Increment { table, row, column, by } => {
            let (table, row) = need_row(store, table, row).await?;
            let column = table.definition.column(own_name(column))?;
            if column.kind != ColumnType::Number {
                return Err(Fault::new(FaultCode::BadType, format!("column `{}` holds no numbers", column.name)).into());
            }
            let sum = row.record.values.get(&column.name).and_then(Value::as_f64).unwrap_or(0.0) + by;
            let sum = number(sum).ok_or_else(|| fault(format!("column `{}` would become infinite", column.name)))?;
            let values = Map::from_iter([(column.name.clone(), sum)]);
            Ok(update(&table, row, &values, now)?)
        }
        TableOp::Delete { table, filter } => delete(store, table, filter).await,
        TableOp::Clear { table } => {
            let table = need(store, table).await?;
            let count = scan::count(store, &table.definition).await?;
            let mut changes = guarded(&table);
            next_generation(&table, &mut changes)?;
            Ok(finish(changes, Fields::one("count", count)))
        }
        TableOp::ImportCsv { table, csv, replace } => import(store, table, csv, *replace, now, random).await,
        TableOp::ExportCsv { table, how } => export(store, table, how).await,
    }
}

/// Rows as CSV text, in order of insertion.
async fn export(store: &dyn Store, table: &TableName, how: &CsvExport) -> Result<TablePlan, TableError> {
    let table = need(store, table).await?;
    let filter = Filter::new(&table.definition, &how.filter)?;
    let mut sheet = Sheet::new(&table.definition, &how.columns, how.delimiter)?;
    let mut passed = 0;
    scan::each(store, &table.definition, &mut |row| {
        if !filter.holds(&row) {
            return Ok(ControlFlow::Continue(()));
        }
        passed += 1;
        if passed > how.offset {
            sheet.add(&row)?;
        }
        let is_enough = how.limit > 0 && sheet.count == how.limit;
        Ok(if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })
    .await?;
    let mut outputs = Fields::one("count", sheet.count);
    let text = sheet.text()?;
    let name =
        if how.filename.is_empty() { format!("{}.csv", table.definition.decl.name) } else { how.filename.clone() };
    let content = base64::engine::general_purpose::STANDARD.encode(&text);
    outputs.set("file", json!({ "name": name, "type": "text/csv", "size": text.len(), "content": content }));
    outputs.set("csv", text);
    Ok(finish(Delta::default(), outputs))
}

fn finish(changes: Delta, outputs: Fields) -> TablePlan {
    TablePlan { preconditions: changes.preconditions, ops: changes.ops, outputs }
}

/// Changes that require the table as it was read: its columns and its generation.
fn guarded(table: &Table) -> Delta {
    let mut changes = Delta::default();
    changes.expect_equals(Space::Tables, table.key.clone(), table.bytes.clone());
    changes
}

/// Whole sums are whole numbers, as people and `Row` comparisons expect.
fn number(sum: f64) -> Option<Value> {
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    if sum.fract() == 0.0 && sum.abs() <= WHOLE_MAX {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Some(Value::from(sum as i64));
    }
    Number::from_f64(sum).map(Value::Number)
}

fn row_outputs(table: &Table, row: &Row) -> Fields {
    let mut outputs = Fields::one("Row ID", row.id.to_string());
    outputs.set("row", row.shown(&table.definition));
    outputs.set("version", row.record.version);
    outputs
}

async fn define(store: &dyn Store, decl: &TableDecl, random: u128) -> Result<TablePlan, TableError> {
    let there = find(store, &decl.name).await?;
    let mut changes = Delta::default();
    match &there {
        Some(table) => changes.expect_equals(Space::Tables, table.key.clone(), table.bytes.clone()),
        None => {
            if count(store).await? >= TABLES_MAX {
                let fault = limit(format!("the store has {TABLES_MAX} tables already"));
                return Err(fault.remedy("keep rows of one kind in one table, told apart by a column").into());
            }
            changes.expect_absent(Space::Tables, key_of(&decl.name))
        }
    };
    if let Some(next) = merged(there.as_ref().map(|t| &t.definition), decl, random)? {
        changes.put(Space::Tables, key_of(&decl.name), encode(&next)?);
    }
    Ok(finish(changes, Fields::one("created", there.is_none())))
}

struct Window<'a> {
    sort: Option<&'a str>,
    descending: bool,
    offset: u64,
    limit: u64,
}

async fn search(
    store: &dyn Store,
    table: &Table,
    source: &Where,
    window: &Window<'_>,
) -> Result<TablePlan, TableError> {
    let filter = Filter::new(&table.definition, source)?;
    if let Some(sort) = window.sort {
        named(&table.definition, sort)?;
    }
    let offset = usize::try_from(window.offset).unwrap_or(usize::MAX);
    let most = usize::try_from(window.limit).unwrap_or(usize::MAX);
    // Without an order the walk itself gives the window; descending without a column is newest first.
    let ordered = window.sort.is_some() || window.descending;
    let (mut found, mut passed, mut bytes) = (Vec::new(), 0usize, 0usize);
    if most > 0 {
        scan::each(store, &table.definition, &mut |row| {
            if !filter.holds(&row) {
                return Ok(ControlFlow::Continue(()));
            }
            if !ordered && passed < offset {
                passed += 1;
                return Ok(ControlFlow::Continue(()));
            }
            bytes += row.bytes.len();
            if bytes > ANSWER_BYTES_MAX {
                return Err(limit("the rows found make more than 32 MiB").remedy("use a filter or a smaller limit"));
            }
            found.push(row);
            let full = !ordered && found.len() >= most;
            Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .await?;
    }
    if ordered {
        match window.sort {
            Some(column) => {
                // A stable sort: rows that compare equal stay in order of insertion, in both directions.
                found.sort_by_cached_key(|row| Key { value: row.value(column), descending: window.descending });
            }
            None => found.reverse(),
        }
        found = found.into_iter().skip(offset).take(most).collect();
    }
    let rows: Vec<Value> = found.iter().map(|row| row.shown(&table.definition)).collect();
    let mut outputs = Fields::one("count", rows.len());
    outputs.set("rows", rows);
    Ok(finish(Delta::default(), outputs))
}

struct Key {
    value: Value,
    descending: bool,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let ascending = order(&self.value, &other.value);
        if self.descending { ascending.reverse() } else { ascending }
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

async fn read(store: &dyn Store, name: &TableName, id: &str) -> Result<TablePlan, TableError> {
    let table = need(store, name).await?;
    let row = match RowId::parse(id) {
        Some(id) => scan::row(store, &table.definition, id).await?,
        None => None,
    };
    let outputs = match row {
        Some(row) => row_outputs(&table, &row),
        None => {
            let absent = ["Row ID", "row", "version"].map(|key| (key.to_owned(), Value::Null));
            Fields::from_iter(absent)
        }
    };
    Ok(finish(Delta::default(), outputs))
}

async fn need_row(store: &dyn Store, name: &TableName, id: &str) -> Result<(Table, Row), TableError> {
    let table = need(store, name).await?;
    let row = match RowId::parse(id) {
        Some(id) => scan::row(store, &table.definition, id).await?,
        None => None,
    };
    let shown: String = id.chars().take(60).collect();
    match row {
        Some(row) => Ok((table, row)),
        None => Err(Fault::new(FaultCode::NotFound, format!("table `{name}` has no row with the id `{shown}`"))
            .remedy("take the `Row ID` from a search, read or create card")
            .into()),
    }
}

fn create(table: &Table, record: Record, id: RowId) -> Result<TablePlan, Fault> {
    let bytes = record.to_bytes(&table.definition)?;
    let key = scan::key_of(&table.definition, id);
    let mut changes = guarded(table);
    changes.expect_absent(Space::Rows, key.clone());
    changes.put(Space::Rows, key, bytes.clone());
    let outputs = row_outputs(table, &Row { id, record, bytes });
    Ok(finish(changes, outputs))
}

fn update(table: &Table, row: Row, values: &Map<String, Value>, now: Millis) -> Result<TablePlan, Fault> {
    let mut record = row.record;
    record.set(&table.definition, values)?;
    record.version += 1;
    record.updated = now;
    let bytes = record.to_bytes(&table.definition)?;
    let key = scan::key_of(&table.definition, row.id);
    let mut changes = guarded(table);
    changes.expect_equals(Space::Rows, key.clone(), row.bytes);
    changes.put(Space::Rows, key, bytes.clone());
    let outputs = row_outputs(table, &Row { id: row.id, record, bytes });
    Ok(finish(changes, outputs))
}

/// A claim record per key value points at its row. Of two upserts of one key that find no row, both want to write the
/// claim, so the second conflicts, plans again and finds the row of the first.
async fn upsert(
    store: &dyn Store,
    name: &TableName,
    key: &Map<String, Value>,
    values: &Map<String, Value>,
    now: Millis,
    random: u128,
) -> Result<TablePlan, TableError> {
    let table = need(store, name).await?;
    let definition = &table.definition;
    if key.is_empty() {
        return Err(Fault::bad_input("an upsert needs at least one key column").into());
    }
    let mut wanted = Map::new();
    for (column, value) in key {
        let column = definition.column(own_name(column))?;
        wanted.insert(column.name.clone(), coerce(column, value)?);
    }
    wanted.sort_keys();
    let claim = [definition.claims_prefix(definition.generation), Sha256::digest(encode(&wanted)?).to_vec()].concat();
    let claimed = store.get(Space::Tables, &claim).await?;

    let fits = |row: &Row| wanted.iter().all(|(column, value)| equal(&row.value_of(column), value));
    let mut found = match claimed.as_deref().and_then(RowId::of_key) {
        Some(id) => scan::row(store, definition, id).await?.filter(fits),
        None => None,
    };
    if found.is_none() {
        scan::each(store, definition, &mut |row| {
            if fits(&row) {
                found = Some(row);
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })
        .await?;
    }
    let created = found.is_none();
    let (mut plan, id) = match found {
        Some(row) => {
            let id = row.id;
            (update(&table, row, values, now)?, id)
        }
        None => {
            let mut record = Record::new(now);
            record.set(definition, &wanted)?;
            record.set(definition, values)?;
            let id = RowId::after(scan::last_id(store, definition).await?, now, random);
            (create(&table, record, id)?, id)
        }
    };
    let value = id.0.to_be_bytes().to_vec();
    plan.preconditions.push(match &claimed {
        Some(there) => Precondition::Equals { space: Space::Tables, key: claim.clone(), value: there.clone() },
        None => Precondition::Absent { space: Space::Tables, key: claim.clone() },
    });
    if claimed.as_ref() != Some(&value) {
        plan.ops.push(Op::Put { space: Space::Tables, key: claim, value });
    }
    plan.outputs.set("created", created);
    Ok(plan)
}

async fn delete(store: &dyn Store, name: &TableName, source: &Where) -> Result<TablePlan, TableError> {
    let table = need(store, name).await?;
    let definition = &table.definition;
    let filter = Filter::new(definition, source)?;
    let mut changes = guarded(&table);
    let (mut count, mut bytes) = (0u64, 0usize);
    let mut take = |row: Row| {
        if filter.holds(&row) {
            count += 1;
            bytes += row.bytes.len();
            if bytes > ANSWER_BYTES_MAX {
                return Err(limit("the rows to remove make more than 32 MiB")
                    .remedy("clear the table, or delete in parts with a narrower filter"));
            }
            let key = scan::key_of(definition, row.id);
            changes.expect_equals(Space::Rows, key.clone(), row.bytes);
            changes.delete(Space::Rows, key);
        }
        Ok(ControlFlow::Continue(()))
    };
    if let Some(id) = by_id(source) {
        if let Some(id) = RowId::parse(id) {
            scan::row(store, definition, id).await?.map(&mut take).transpose()?;
        }
    } else {
        scan::each(store, definition, &mut take).await?;
    }
    Ok(finish(changes, Fields::one("count", count)))
}

/// The id, where a filter asks for one row by its id: no walk is needed.
fn by_id(source: &Where) -> Option<&str> {
    use flowdeck_model::table::Compare;
    match source {
        Where::Test { column, compare: Compare::Equals, value } if column == "Row ID" => value.as_str(),
        _ => None,
    }
}

/// Switches to an empty generation; the rows of the old one wait for [`super::sweep`].
fn next_generation(table: &Table, changes: &mut Delta) -> Result<super::definition::Definition, Fault> {
    let mut next = table.definition.clone();
    if next.old.len() >= 1_000 {
        return Err(limit(format!("table `{}` was cleared too often in a short time", next.decl.name))
            .remedy("wait a minute until the old rows are swept"));
    }
    next.old.push(next.generation);
    next.generation += 1;
    changes.put(Space::Tables, table.key.clone(), encode(&next)?);
    Ok(next)
}

async fn import(
    store: &dyn Store,
    name: &TableName,
    text: &str,
    replace: bool,
    now: Millis,
    random: u128,
) -> Result<TablePlan, TableError> {
    let table = need(store, name).await?;
    let rows = sheet::read(&table.definition, text)?;
    let last = scan::last_id(store, &table.definition).await?;
    let mut changes = guarded(&table);
    let definition = if replace { next_generation(&table, &mut changes)? } else { table.definition.clone() };
    let first = RowId::after(last, now, random);
    let count = rows.len();
    for (position, values) in rows.into_iter().enumerate() {
        let key = scan::key_of(&definition, first.plus(position));
        let record = Record { values, ..Record::new(now) };
        if position == 0 {
            changes.expect_absent(Space::Rows, key.clone());
        }
        changes.put(Space::Rows, key, record.to_bytes(&definition)?);
    }
    Ok(finish(changes, Fields::one("count", count)))
}
