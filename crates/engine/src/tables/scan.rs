//! Walks over the rows of a table in pages.
//!
//! Must never hold more rows than the caller keeps, nor walk without an end.
//! Tests: `tests.rs` in this folder.

use std::ops::ControlFlow;

use flowdeck_model::Fault;

use super::ROWS_SCANNED_MAX;
use super::definition::{Definition, limit};
use super::error::TableError;
use super::row::{Row, RowId};
use crate::ports::store::{Scan, Space, Store};

const PAGE_ROWS: usize = 500;

/// The key of a row.
pub(super) fn key_of(definition: &Definition, id: RowId) -> Vec<u8> {
    [definition.rows_prefix(definition.generation).as_slice(), &id.0.to_be_bytes()].concat()
}

/// One row, if it is there.
pub(super) async fn row(store: &dyn Store, definition: &Definition, id: RowId) -> Result<Option<Row>, TableError> {
    let key = key_of(definition, id);
    let bytes = store.get(Space::Rows, &key).await?;
    Ok(bytes.map(|bytes| Row::read(&key, bytes)).transpose()?)
}

/// The newest row's id.
pub(super) async fn last_id(store: &dyn Store, definition: &Definition) -> Result<Option<RowId>, TableError> {
    let mut scan = Scan::prefix(Space::Rows, definition.rows_prefix(definition.generation), 1);
    scan.reverse = true;
    scan.keys_only = true;
    let found = store.scan(scan).await?;
    Ok(found.first().and_then(|(key, _)| RowId::of_key(key)))
}

/// Shows every row to `visit` in order of insertion, until it breaks.
pub(super) async fn each(
    store: &dyn Store,
    definition: &Definition,
    visit: &mut (dyn FnMut(Row) -> Result<ControlFlow<()>, Fault> + Send),
) -> Result<(), TableError> {
    let mut after = None;
    let mut seen = 0;
    loop {
        let mut scan = Scan::prefix(Space::Rows, definition.rows_prefix(definition.generation), PAGE_ROWS);
        scan.after = after.take();
        let page = store.scan(scan).await?;
        let whole = page.len() == PAGE_ROWS;
        for (key, bytes) in page {
            seen += 1;
            if seen > ROWS_SCANNED_MAX {
                return Err(limit(format!(
                    "table `{}` has more than {ROWS_SCANNED_MAX} rows to look through",
                    definition.decl.name
                ))
                .remedy("look rows up by their id or by upsert key, or delete rows that are no longer needed")
                .into());
            }
            let row = Row::read(&key, bytes)?;
            after = Some(key);
            if visit(row)?.is_break() {
                return Ok(());
            }
        }
        if !whole {
            return Ok(());
        }
    }
}

/// How many rows there are.
pub(super) async fn count(store: &dyn Store, definition: &Definition) -> Result<usize, TableError> {
    let mut scan = Scan::prefix(Space::Rows, definition.rows_prefix(definition.generation), PAGE_ROWS);
    scan.keys_only = true;
    let mut total = 0;
    loop {
        let mut page = store.scan(scan.clone()).await?;
        total += page.len();
        if page.len() < PAGE_ROWS {
            return Ok(total);
        }
        scan.after = page.pop().map(|(key, _)| key);
    }
}
